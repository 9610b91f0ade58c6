//! What may be wrong with the product itself, in words: what it is and what to do next. A missing translation does not compile.

use crate::texts::{Lang, place};

macro_rules! findings {
    ($($(#[doc = $doc:literal])* $name:ident: $key:literal, $places:literal,
        $zh_title:literal, $en_title:literal, $zh_advice:literal, $en_advice:literal;)*) => {
        /// One kind of trouble of the product itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKey { $($(#[doc = $doc])* $name,)* }

        impl FindingKey {
            /// Every key.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name in the database, the API and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// How many values its title takes.
            pub const fn places(self) -> usize {
                match self { $(Self::$name => $places,)* }
            }

            const fn texts(self, lang: Lang) -> (&'static str, &'static str) {
                match (self, lang) {
                    $((Self::$name, Lang::Zh) => ($zh_title, $zh_advice),)*
                    $((Self::$name, Lang::En) => ($en_title, $en_advice),)*
                }
            }
        }
    };
}

impl FindingKey {
    /// The key of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.as_str() == name)
    }

    /// What is wrong, with `values` in their places.
    pub fn title(self, lang: Lang, values: &[String]) -> String {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        place(self.texts(lang).0, &values)
    }

    /// What to do next, with the first of `values` in its place.
    pub fn advice(self, lang: Lang, values: &[String]) -> String {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        place(self.texts(lang).1, &values)
    }
}

findings! {
    /// Little room is left where the hub writes.
    DiskLow: "disk_low", 2, "磁盘空间不足：{} 只剩 {}", "Disk space is low: {} has {} left",
        "清理该磁盘上的其他文件，或把数据目录移到更大的磁盘。", "Remove other files from this disk, or move the data folder to a larger one.";
    /// No room is left where the hub writes.
    DiskFull: "disk_full", 1, "磁盘已满：{}", "The disk is full: {}",
        "立即腾出空间。告警和工单仍用预留空间保存；设备记录留在采集端，空间恢复后自动补传，不会丢失。", "Free space now. Alerts and tickets are still stored in space kept back; records wait with their agents and come by themselves when there is room.";
    /// The space kept back for an emergency could not be set aside.
    ReserveMissing: "reserve_missing", 1, "预留空间未能建立：{}", "The space kept back could not be set aside: {}",
        "磁盘写满时告警和工单将无处保存。请腾出空间，或在配置中调小 reserve_mib。", "With a full disk there would be no room for alerts and tickets. Free space, or lower reserve_mib in the configuration.";
    /// The database may not be written.
    DatabaseReadOnly: "database_read_only", 1, "数据库只读：{}", "The database is read-only: {}",
        "检查磁盘是否因故障转为只读、文件权限是否改变。恢复前不确认任何记录，采集端会保留。", "See whether the disk went read-only after an error, or permissions changed. Nothing is acknowledged until then; agents keep their records.";
    /// The database refuses.
    DatabaseFailing: "database_failing", 1, "数据库写入失败：{}", "The database fails: {}",
        "查看日志中的原因。恢复前不确认任何记录，采集端会保留。", "See the cause in the log. Nothing is acknowledged until then; agents keep their records.";
    /// The database does not answer.
    DatabaseLost: "database_lost", 1, "数据库无响应：{}", "The database does not answer: {}",
        "检查数据库服务和到它的网络，或是否有其他程序锁住了数据库。恢复后自动继续。", "Check the database server and the network to it, or whether another program holds its lock. The hub goes on by itself.";
    /// Commits take long.
    DatabaseSlow: "database_slow", 1, "数据库很慢：最近一次提交用了 {}", "The database is slow: the last commit took {}",
        "检查磁盘是否忙或老化。", "See whether the disk is busy or worn.";
    /// The log cannot be copied into the file.
    LogNotCopied: "log_not_copied", 1, "数据库日志无法写入数据库文件：{}", "The database's log cannot be copied into its file: {}",
        "记录、告警和工单仍照常保存，但日志文件会越来越大，直到磁盘写满。请检查磁盘和数据库文件的权限。", "Records, alerts and tickets are still stored, but the log grows until the disk is full. Check the disk and the permissions of the database file.";
    /// The external broker is away.
    BrokerLost: "broker_lost", 0, "与 MQTT 服务器的连接中断", "The MQTT broker is not connected",
        "检查 MQTT 服务器和网络。期间设备显示为未知，采集端保留记录。", "Check the broker and the network. Meanwhile devices are shown as unknown; agents keep their records.";
    /// The embedded broker accepts nobody.
    ListenerDown: "listener_down", 0, "内置 MQTT 监听没有响应", "The embedded MQTT listener does not answer",
        "重新启动 hub；若再次出现，查看日志。", "Restart the hub; if it comes back, see the log.";
    /// The computer's clock was set while the hub ran.
    ClockStepped: "clock_stepped", 2, "本机时钟被调整了 {}，现在是 {}", "This computer's clock was set by {}; it is now {}",
        "计时不受影响，显示时间已按新时钟。此前保存的时间仍按旧时钟；请打开自动对时。", "No timer was affected, and times are shown by the new clock. Times stored before are by the old one. Switch time synchronisation on.";
    /// The computer's clock was set and agents contradict it.
    ClockDisputed: "clock_disputed", 1, "本机时钟被调整了 {}，但采集端的时钟不认同", "This computer's clock was set by {}, and agents' clocks disagree",
        "中心继续使用原来的时间。请校准本机时钟。", "The hub goes on by the time it had. Set this computer's clock right.";
    /// The clock shows a time before the product existed.
    ClockUnset: "clock_unset", 1, "本机时钟不正确：{}", "This computer's clock is wrong: {}",
        "打开自动对时；主板电池可能已耗尽。", "Switch time synchronisation on; the clock's battery may be empty.";
    /// A part of the hub makes no progress.
    TaskStalled: "task_stalled", 2, "程序部件“{}”已 {} 没有进展", "The part \"{}\" has made no progress for {}",
        "若不自行恢复，请重新启动 hub 并保存日志。", "If it does not recover, restart the hub and keep the log.";
    /// A certificate ends within a month.
    CertificateEnding: "certificate_ending", 2, "证书即将到期：{}，剩余 {}", "A certificate ends soon: {}, {} left",
        "更换证书文件并重新启动 hub；hub 自制的证书只需重新启动。", "Replace the file and restart the hub; one of the hub's own needs only the restart.";
    /// A certificate has ended.
    CertificateEnded: "certificate_ended", 1, "证书已过期：{}", "A certificate has ended: {}",
        "立即更换证书文件并重新启动 hub：采集端和浏览器会拒绝连接；hub 自制的证书只需重新启动。",
        "Replace the file now and restart the hub: agents and browsers refuse to connect; one of the hub's own needs only the restart.";
    /// A certificate cannot be read.
    CertificateBad: "certificate_bad", 2, "证书无效：{}：{}", "A certificate cannot be used: {}: {}",
        "更换证书文件；下次启动会失败。", "Replace the file: the next start would fail.";
    /// There is no backup.
    BackupNever: "backup_never", 0, "从未备份", "There has never been a backup",
        "运行 lobby-hub backup，并安排每天执行。", "Run lobby-hub backup, and have it run every day.";
    /// The last backup is old.
    BackupOld: "backup_old", 1, "最近一次备份是 {} 前", "The last backup was {} ago",
        "检查备份任务为何没有执行。", "See why the backup did not run.";
    /// An agent's clock is wrong.
    AgentClock: "agent_clock", 2, "采集端 {} 的时钟偏差 {}", "The clock of agent {} is off by {}",
        "在采集端打开自动对时；期间时间已按偏差校正。", "Switch time synchronisation on at the agent; until then its times are corrected.";
    /// An agent's disk takes no records.
    AgentDisk: "agent_disk", 1, "采集端 {} 的磁盘写不进去", "The disk of agent {} takes no records",
        "检查它的磁盘是否已满、转为只读或损坏。它的记录暂存在内存里，断电会丢失。", "See whether its disk is full, went read-only or is broken. Its records are in its memory only, and go with its power.";
    /// Most agents' clocks disagree with the hub's.
    HubClock: "hub_clock", 1, "多数采集端的时钟与本机相差 {}", "Most agents' clocks differ from this computer's by {}",
        "多半是本机时钟不准：打开自动对时。", "Probably this computer's clock is wrong: switch time synchronisation on.";
    /// Devices whose kind the standards do not know.
    UnknownKind: "unknown_kind", 3, "案场 {} 有 {} 台设备的类型不在标准中：{}", "At site {}, {} devices are of a kind that the standards do not have: {}",
        "这些设备只记录、不判断。请在标准包中添加该类型，或更正采集端配置。", "They are recorded and not judged. Add the kind to the standards pack, or correct the agent's configuration.";
    /// Devices that an agent announces and that cannot be read.
    BadDevice: "bad_device", 3, "采集端 {} 有 {} 台设备的申报无法读取：{}", "Agent {} announces {} devices that cannot be read: {}",
        "这些设备没有被监测。请更正采集端配置；其他设备不受影响。", "Nobody watches them. Correct the agent's configuration; its other devices are not affected.";
    /// Records that an agent no longer has.
    AgentLost: "agent_lost", 2, "采集端 {} 近日丢失了 {} 条记录", "Agent {} has lately lost {} records",
        "这些记录不会再来，历史曲线上有空缺；设备的当前状态不受影响。请在采集端页面查看是哪一段，并检查它的磁盘是否太小、已满或损坏。", "They will never come, and history has gaps there; the present state of devices is not affected. See on the agent's page which they are, and whether its disk is too small, full or broken.";
    /// A device that two agents report.
    ForeignDevice: "foreign_device", 3, "设备 {} 同时由两个采集端上报：{} 和 {}", "Device {} is reported by two agents: {} and {}",
        "只判断其中一个的数据，另一个的只记录。请从其中一个的配置中删除该设备，或改用另一个名称。", "Only what one of them says is judged, and the other's is recorded. Remove the device from the configuration of one, or give it another name there.";
    /// Devices that were retired and that their agents still watch.
    RetiredReports: "retired_reports", 3, "案场 {} 有 {} 台已停用的设备仍在上报：{}", "At site {}, {} retired devices still report: {}",
        "这些设备只记录、不判断，也不告警。请从采集端配置中删除，或在设备页重新启用。", "They are recorded, and neither judged nor alerted on. Remove them from the agent's configuration, or put them back into use on their pages.";
    /// A message to people was not taken and will not be.
    DeadLetter: "dead_letter", 2, "通道 {} 有通知未能送达：{}", "Channel {} did not take a notification: {}",
        "打开“通知发送”页面查看是哪一条，按对方的回答更正通道配置，点“发送测试消息”，再点该通知的“重新发送”。", "See on the outbox page which one it was, correct the channel by what the receiver said, send a test message, and then send the notification again.";
    /// The receiver of a channel is gone.
    ChannelGone: "channel_gone", 1, "通道 {} 的接收方已不存在（410），已停用", "The receiver of channel {} is gone (410); the channel is off",
        "更正地址后，在“通知发送”页面点“发送测试消息”；被接受后通道重新启用，等待的通知随后发出。", "Correct its address, then send a test message from the outbox page: when it is taken the channel is on again, and what waits is sent.";
    /// A channel has taken nothing for some time.
    ChannelFailing: "channel_failing", 2, "通道 {} 已持续发送失败：{}", "Channel {} has been failing: {}",
        "检查到接收方的网络和通道配置；通知在队列中等待，恢复后发出。", "See whether the receiver can be reached and the channel is set up rightly. Notifications wait and are sent afterwards.";
    /// Posts that are to be told at a site and that no channel serves there.
    PostUnserved: "post_unserved", 2, "案场 {} 的以下岗位没有通知通道：{}", "At site {} no channel serves these posts: {}",
        "需要通知这些岗位的事只显示在页面上，不会发出。请在配置文件中把岗位写入案场 {} 的通知通道的 posts。", "What they are to be told stands on the pages only, and is sent to nobody. Write them into the posts of a channel that serves {}.";
    /// Nobody has said when a site is open.
    NoHours: "no_hours", 1, "案场 {} 未设置营业时间", "Site {} has no opening hours",
        "按全天营业处理。请在配置文件中填写 [site.{}.hours]。", "It is treated as open around the clock. Write [site.{}.hours] into the configuration.";
    /// A post of a roster has nobody in the coming days.
    RosterGap: "roster_gap", 3, "{} 未来 7 天有 {} 段时间无人值班，最早 {}", "{} has nobody on duty {} times in the next 7 days, first {}",
        "请在“排班”页导入这些时间的排班。", "Import a roster for these times on the page Roster.";
    /// A changed configuration is not valid.
    ConfigInvalid: "config_invalid", 1, "修改后的配置有误，未生效：{}", "The changed configuration has a mistake and is not in effect: {}",
        "hub 继续按原配置运行。改正后自动生效。", "The hub goes on by what it had. Correct it, and it takes effect by itself.";
    /// Some changed settings wait for a restart.
    ConfigRestart: "config_restart", 1, "部分设置要重新启动后才生效：{}", "Some settings take effect after a restart: {}",
        "在方便的时候重新启动 hub。", "Restart the hub when it suits.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_says_in_both_languages_what_it_is_and_what_to_do() {
        for key in FindingKey::ALL {
            for lang in [Lang::Zh, Lang::En] {
                let (title, advice) = key.texts(lang);
                assert_eq!(title.matches("{}").count(), key.places(), "{title}");
                assert!(advice.matches("{}").count() <= key.places() && advice.len() > 10, "{advice}");
            }
            assert_eq!(FindingKey::named(key.as_str()), Some(*key));
        }
    }

    #[test]
    fn a_value_stands_where_it_belongs() {
        let values = ["/data".to_owned(), "3 MB".to_owned()];
        assert_eq!(FindingKey::DiskLow.title(Lang::En, &values), "Disk space is low: /data has 3 MB left");
        let advice = FindingKey::NoHours.advice(Lang::En, &["hz-01".to_owned()]);
        assert!(advice.contains("[site.hz-01.hours]"), "{advice}");
        assert_eq!(FindingKey::named("no-such-key"), None);
    }
}
