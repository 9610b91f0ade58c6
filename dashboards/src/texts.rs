//! Every text of the pages, in both languages side by side. A missing translation does not compile.

macro_rules! texts {
    ($texts:ident; $($name:ident: $zh:literal, $en:literal;)*) => {
        /// The texts of some pages in one language. `{}` is where a value goes.
        #[derive(Debug)]
        pub struct $texts { $(#[doc = $en] pub $name: &'static str,)* }

        /// The texts in Chinese.
        pub const ZH: $texts = $texts { $($name: $zh,)* };
        /// The texts in English.
        pub const EN: $texts = $texts { $($name: $en,)* };

        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $zh, $en),)*];
    };
}
pub(crate) use texts;

mod chats;
mod grants;
mod month;
mod personal;

pub use chats::ChatTexts;
pub use grants::GrantTexts;
pub use month::MonthTexts;
pub use personal::PersonalTexts;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The language named `zh` or `en`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// Its name in addresses and cookies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }

    /// Its texts.
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }

    /// Its texts of an item's month.
    pub fn month_texts(self) -> &'static MonthTexts {
        match self {
            Self::Zh => &month::ZH,
            Self::En => &month::EN,
        }
    }

    /// Its texts of how people are told themselves.
    pub fn personal_texts(self) -> &'static PersonalTexts {
        match self {
            Self::Zh => &personal::ZH,
            Self::En => &personal::EN,
        }
    }

    /// Its name for browsers.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Zh => Self::En,
            Self::En => Self::Zh,
        }
    }

    /// Its name in itself.
    pub(crate) fn own_name(self) -> &'static str {
        self.texts().language
    }
}

/// `text` with its places filled in order. Values are not looked at again, so a value may hold `{}`.
pub fn place(text: &str, values: &[&str]) -> String {
    let mut filled = String::with_capacity(text.len() + 16);
    let mut values = values.iter();
    for (index, part) in text.split("{}").enumerate() {
        if index > 0 {
            filled.push_str(values.next().unwrap_or(&""));
        }
        filled.push_str(part);
    }
    filled
}

pub(crate) fn fill(text: &str, value: &str) -> String {
    place(text, &[value])
}

/// For templates: `text` with anything that can be written in its place.
pub(crate) fn filled(text: &str, value: impl std::fmt::Display) -> String {
    place(text, &[&value.to_string()])
}

pub(crate) fn fill2(text: &str, first: &str, second: &str) -> String {
    place(text, &[first, second])
}

pub(crate) fn fill3(text: &str, first: &str, second: &str, third: &str) -> String {
    place(text, &[first, second, third])
}

texts! {
    Texts;
    // The frame
    product: "案场设备", "Lobby devices";
    language: "中文", "English";
    language_switch: "切换语言", "Language";
    skip: "跳到正文", "Skip to content";
    nav: "导航", "Navigation";
    nav_overview: "首页", "Home";
    nav_concierge: "礼宾", "Concierge";
    nav_engineering: "工程", "Engineering";
    nav_showflat: "样板房", "Show flat";
    nav_reception: "前台", "Reception";
    nav_alerts: "告警", "Alerts";
    site: "案场", "Site";
    site_switch: "选择案场", "Choose a site";
    all_sites: "全部案场", "All sites";
    sign_out: "退出", "Sign out";
    // Signing in
    sign_in: "登录", "Sign in";
    sign_in_new: "还没有人可以登录。首次设置的链接在中心数据目录的 setup-link.txt 中，请管理员打开一次。", "Nobody can sign in yet. The link of the first administrator is in the file setup-link.txt of the hub's data folder; it is opened once.";
    sign_in_remember: "这是我自己的设备，30 天内免登录", "This is my own device: stay signed in for 30 days";
    sign_in_lost: "忘记密码？请管理员发一个新的设置链接。", "Forgot the password? Ask an administrator for a new link.";
    login: "账号", "Sign-in name";
    login_rule: "字母、数字、. - _ @，不分大小写", "Letters, digits, . - _ @, in any case";
    password: "密码", "Password";
    password_again: "再输一次密码", "The same password again";
    password_present: "现在的密码", "Present password";
    password_new: "新密码", "New password";
    password_rule: "至少 8 个字；常见的、含姓名的不能用", "At least 8 characters; nothing common, nor your name";
    password_change: "修改密码", "Change password";
    setup_password: "设置密码", "Choose a password";
    setup_first: "首次设置：创建管理员", "First set-up: the administrator";
    setup_first_why: "这个链接只能用一次。管理员可以查看所有案场，并为其他人开通账号。", "This link is good once. The administrator sees all sites and enters everybody else.";
    setup_for: "{}，你的账号是 {}。请设置只有自己知道的密码。", "{}, you sign in as {}. Choose a password that you alone know.";
    setup_save: "保存并去登录", "Save, then sign in";
    account: "我的账号", "My account";
    sessions: "登录的设备", "Where I am signed in";
    session_this: "当前设备", "this one";
    session_used: "最近使用", "used";
    session_ends: "到期", "ends";
    session_end: "退出该设备", "Sign out there";
    sessions_end: "退出其他所有设备", "Sign out everywhere else";
    people: "人员", "People";
    people_why: "谁可以登录、担任什么岗位、在哪个案场。", "Who may sign in, as what, and at which site.";
    people_empty: "还没有开通任何账号。", "Nobody has been entered yet.";
    audit: "操作记录", "Audit log";
    audit_why: "谁在什么时候改了什么。每条记录都与前一条相连，改动或删除会被发现。", "Who changed what and when. Each entry is chained to the one before: a change or a gap is found.";
    roster: "排班", "Roster";
    roster_why: "谁在什么时间、哪个岗位值班。", "Who is on duty, when, and at which post.";
    roster_choose: "请选择案场", "Choose a site";
    roster_now: "当前值班", "On duty now";
    roster_nobody: "无人值班", "nobody on duty";
    roster_unkept: "本案场目前没有排班：各岗位由在场人员负责。", "This site keeps no roster at present: whoever is at a post answers for it.";
    roster_gaps: "未来 7 天的空缺", "Nobody on duty in the next 7 days";
    roster_no_gaps: "没有空缺", "There is somebody at every post";
    roster_week: "未来 7 天的排班", "The next 7 days";
    roster_week_empty: "没有排班", "Nobody is planned";
    roster_import: "导入排班", "Import a roster";
    roster_table: "表格内容", "The table";
    roster_file: "或选择 CSV 文件", "Or a CSV file";
    roster_preview: "预览", "Preview";
    roster_do: "确认导入", "Import";
    roster_rule: "第一行为表头，以下每行一班，可从电子表格中直接粘贴。班次写名称或起止时间；人员写登录名；某岗位当天无人，则班次和人员留空。表中所列日期和岗位的排班从现在起以此表为准，已过去的不会更改。", "A heading, then a line for each duty; it may be pasted out of a spreadsheet. A shift is a name or its hours, a person is named by what they sign in with, and both are empty where nobody is on duty that day. For its days and posts the table holds from now on; what has been is not changed.";
    roster_sample: "日期,岗位,班次,人员", "date, post, shift, person";
    roster_shifts: "本案场的班次：", "The shifts of this site:";
    roster_mistakes: "未导入：表格有 {} 处错误", "Nothing was imported. Mistakes in the table: {}";
    roster_line: "第 {} 行", "line {}";
    roster_column: "第 {} 个字", "character {}";
    roster_begins: "新增：{} 班", "Added: {}";
    roster_ends: "取消：{} 班", "Taken away: {}";
    roster_over: "已结束、不再更改的：{} 班", "Over, and left as it was: {}";
    roster_same: "与现有排班相同，没有变化", "It is what is planned already: nothing changes";
    checks: "点检与交接", "Rounds";
    audit_round_start: "开始点检", "Started a round";
    audit_round_answer: "填写点检", "Answered a round";
    audit_round_sign_out: "点检签字", "Signed a round";
    audit_round_sign_in: "接班签字", "Took over";
    audit_round_dispute: "对交接提出异议", "Disputed a handover";
    notice_lacking: "已保存，但还不能签字：请补全标出的项目（无法检查须写原因，必需的照片须上传）。", "Saved, but it cannot be signed yet: complete the items marked below, with a reason where one cannot be checked.";
    notice_two_people: "交接须由两人签字，请接班人登录后签字。", "A handover is signed by two people: whoever takes over signs in.";
    audit_roster_import: "导入排班", "Imported a roster";
    finding_roster: "排班", "Roster";
    audit_empty: "还没有操作记录。", "Nothing has been changed yet.";
    audit_only_by: "只显示 {} 的操作。", "Only what {} did.";
    audit_by_all: "显示全部", "Show all";
    audit_before: "之前", "before";
    audit_after: "之后", "after";
    actor_person: "人员", "person";
    actor_program: "程序", "program";
    actor_here: "在中心主机上", "at the hub's computer";
    actor_command: "命令行", "command line";
    audit_ticket_photo: "添加照片", "Photos added";
    audit_report_fault: "报修", "Fault reported";
    audit_report_damage: "报告损坏", "Damage reported";
    audit_report_loss: "报告丢失", "Loss reported";
    audit_ticket_accept: "接单", "Accepted the ticket";
    audit_ticket_start: "开始维修", "Started the repair";
    audit_ticket_wait: "等待", "Waits with the ticket";
    audit_ticket_resume: "继续维修", "Went on with the repair";
    audit_ticket_finish: "完成维修", "Finished the repair";
    audit_ticket_confirm: "确认修复", "Confirmed the repair";
    audit_ticket_reopen: "退回未修好", "Said that it still fails";
    audit_ticket_priority: "修改优先级", "Changed the priority";
    audit_ticket_escalate: "上报上级", "Sent the ticket up";
    audit_ticket_comment: "添加备注", "note on a ticket";
    audit_ticket_reject: "退回报修单", "ticket rejected";
    audit_alert_acknowledge: "已知悉告警", "Took notice of the alert";
    audit_alert_clear: "人工解除告警", "Cleared the alert by hand";
    audit_silence_make: "新建静音", "Made a silence";
    audit_silence_change: "修改静音", "Changed a silence";
    audit_silence_end: "结束静音", "Ended a silence";
    audit_maintenance_make: "新建维护窗口", "Made a maintenance window";
    audit_maintenance_change: "修改维护窗口", "Changed a maintenance window";
    audit_maintenance_end: "结束维护窗口", "Ended a maintenance window";
    audit_device_life: "修改设备阶段", "Moved the device to another stage";
    audit_person_enter: "开通账号", "Entered somebody";
    audit_person_set_up: "首位管理员完成设置", "Became the first administrator";
    audit_person_link: "重发设置链接", "Made a new link";
    audit_person_disable: "停用账号", "Disabled somebody";
    audit_person_enable: "恢复账号", "Enabled somebody";
    audit_password_choose: "通过链接设置密码", "Chose a password by a link";
    audit_password_change: "修改密码", "Changed the password";
    audit_session_begin: "登录", "Signed in";
    audit_session_end: "退出登录", "Signed out";
    audit_session_end_others: "退出其他所有设备", "Signed out everywhere else";
    audit_token_create: "新建程序令牌", "Made a token";
    audit_token_revoke: "吊销程序令牌", "Revoked a token";
    audit_message_resend: "重新发送通知", "Sent a notification again";
    person_name: "姓名", "Name";
    person_role: "岗位", "Role";
    person_new: "开通账号", "Enter somebody";
    person_active: "可登录", "can sign in";
    person_invited: "待设置密码", "no password yet";
    person_disabled: "已停用", "disabled";
    person_link: "重发设置链接", "New link";
    person_disable: "停用", "Disable";
    person_enable: "恢复", "Enable";
    person_link_for: "{} 的设置链接", "The link of {}";
    person_link_why: "请当面或用工作通讯工具发给本人：3 天内有效，只能用一次，离开本页后不再显示。", "Hand it to them alone: it is good for 3 days and once, and is not shown again.";
    role_viewer: "只读", "Viewer";
    role_concierge: "礼宾岗", "Concierge";
    role_showflat: "样板房", "Show flat";
    role_reception: "接待岗", "Reception";
    role_waterbar: "水吧岗", "Water bar";
    role_passage: "样板房通道岗", "Passage";
    role_enquiry: "物业咨询台", "Enquiry desk";
    role_engineering: "工程", "Engineering";
    role_leader: "领班", "Shift leader";
    role_supervisor: "主管", "Supervisor";
    role_manager: "经理", "Manager";
    role_admin: "管理员", "Administrator";
    mistake_wrong_password: "账号或密码不对。", "The name or the password is wrong.";
    mistake_wait: "密码错误次数太多，请 {} 分钟后再试。", "Too many wrong passwords: try again in {} min.";
    mistake_busy: "同时登录的人太多，请稍后再试。", "Too many sign in at once: try again in a moment.";
    mistake_login: "账号只能用字母、数字和 . - _ @，最多 64 个。", "A sign-in name has up to 64 letters, digits and . - _ @";
    mistake_name: "请填写姓名。", "Fill in a name.";
    mistake_short_password: "密码至少 8 个字。", "A password has at least 8 characters.";
    mistake_weak_password: "这个密码太容易被猜到：请用几个词组成的句子，或由密码管理器生成。", "This password is easily guessed: use several words, or let a password manager make one.";
    mistake_differ: "两次输入的密码不一样。", "The two passwords differ.";
    mistake_taken: "这个账号已有人使用，请换一个。", "Somebody else has that sign-in name: choose another one.";
    mistake_no_cause: "未保存：请填写故障原因。", "Not saved: please fill in the cause.";
    mistake_long_cause: "未保存：故障原因太长，请缩短。", "Not saved: the cause is too long.";
    mistake_many_materials: "未保存：用料最多 50 行，请只写主要的。", "Not saved: there are at most 50 materials; give those that matter.";
    mistake_material: "未保存：第 {} 行用料太长，每行写一种，如“HDMI 线 × 2”。", "Not saved: material {} is too long. Write one a line, such as: HDMI cable x 2";
    mistake_cost: "未保存：费用应为 0 至 10000000 元的金额，最多两位小数，如 12.50。", "Not saved: the cost is no amount from 0 to 10000000 yuan with at most two decimal places, such as 12.50";
    mistake_last_admin: "这是唯一能登录的管理员，请先开通另一位。", "This is the only administrator who can sign in: enter another one first.";
    mistake_only_grant: "这是此人唯一的岗位：请先增加其他岗位，或停用此账号。", "This is all that they hold: grant them something else first, or disable them.";
    demo: "演示：设备与数据均为模拟", "Demo: simulated equipment and data";
    stale: "数据过期，正在重连", "Data out of date, reconnecting";
    collection: "数据采集", "Data collection";
    collection_ok: "采集正常 {}/{}", "Receiving {}/{}";
    collection_partly: "部分中断 {}/{}", "Partly lost {}/{}";
    collection_lost: "采集中断 {}/{}", "Link lost {}/{}";
    collection_none: "尚无采集端", "No agents yet";
    last_data: "最近数据", "Last data";
    clock_of: "本页时间按 {} 显示", "Times on this page are {}";
    notice_saved: "已保存", "Saved";
    notice_conflict: "该工单已被他人更新，请查看最新状态", "Somebody else updated this ticket; please check its latest state";
    notice_not_allowed: "您的岗位不能执行此操作", "Your post may not do this";
    notice_wrong_step: "工单当前步骤不能执行此操作，请查看最新状态", "This cannot be done at the ticket's present step; please check its latest state";
    notice_invalid: "未保存：请至少限定一项，结束时间须晚于开始时间和现在，最长 366 天", "Not saved. Please check the form: limit it to something, and let it end after its beginning and after now, within 366 days";
    notice_test_taken: "测试消息已被接收方接受", "The receiver took the test message";
    notice_test_refused: "测试消息未被接受，原因见该通道", "The receiver did not take the test message: see the channel for what it said";
    notice_test_soon: "该通道刚发过消息，请稍后再试", "The channel has sent as much as its receiver takes; try again in a moment";
    notice_resent: "已重新排队，轮到时以同一编号发送", "It is queued again and will be sent under the same number";
    notice_not_dead: "未重发：该消息已送达、正在重发或已取消，请查看最新状态", "Not sent again: the message was taken, waits to be sent or was cancelled; see how it stands now";
    notice_no_channel: "未重发：该通道已从配置中删除", "Not sent again: its channel is no longer in the configuration";
    notice_no_original: "未退回：请选择本案场另一张未关闭的报修单", "Not rejected: choose another open ticket of this site";
    notice_told: "已告知上级。请勿移动，保持现场原样", "Your superior is told. Do not touch, keep the place as it is";
    notice_empty: "未保存：请写明内容", "Not saved: please write something";
    notice_unexplained: "还有未核对或未说明差异的物品", "Some items are not looked for, or differ and nobody says why";
    notice_own_move: "本人的申请须由他人批准", "Somebody else has to consent to your own request";
    notice_no_such_move: "数量或状态不符，不能这样移动", "So many of it cannot be moved that way: look at what the register says now";
    notice_device_taken: "该设备已对应另一件物品", "Another item is this device already";
    notice_not_theirs: "由开始盘点的人或经理完成", "Whoever began the stock-take closes it, or a manager";
    register: "物品登记", "Register";
    notice_cut: "未处理的报警过多，本页未全部列出：请选择单个案场查看", "More is open than this page can show: choose a site to see all that is open there";
    notice_over: "已经结束，无需操作", "It is over already; nothing was changed";
    // The product's own health
    nav_health: "系统", "System";
    health: "系统状态", "System health";
    health_question: "系统自身是否正常？", "Is the system itself well?";
    health_well: "系统运行正常", "The system is well";
    health_findings: "有 {} 项需要处理", "Needs attention: {}";
    health_critical: "系统无法正常工作，请立即处理", "The system cannot do its work: act now";
    health_evaluated: "规则最近一次判断：", "Rules last evaluated";
    health_list: "发现的问题", "Findings";
    health_list_empty: "没有发现问题", "Nothing found";
    health_lamp: "系统问题 {}", "System problems: {}";
    finding_warning: "提醒", "Notice";
    finding_storage: "磁盘", "Disk";
    finding_database: "数据库", "Database";
    finding_broker: "MQTT 服务器", "MQTT broker";
    finding_clock: "时钟", "Clock";
    finding_tasks: "程序部件", "Parts of the program";
    finding_certificates: "证书", "Certificates";
    finding_backup: "备份", "Backups";
    finding_estate: "案场与设备设置", "Sites and devices";
    finding_configuration: "配置文件", "Configuration";
    finding_notifications: "通知", "Notifications";
    finding_error: "错误", "Error";
    finding_critical: "严重", "Critical";
    finding_ignored: "已忽略，再次出现时会重新提示", "Ignored until it comes back";
    action_ignore: "忽略", "Ignore";
    action_seen: "知道了", "Seen";
    // Words for times; a number and its unit stay on one line
    ago: "{}前", "{} ago";
    time_left: "还剩 {}", "{} left";
    time_over: "超时 {}", "{} overdue";
    milliseconds: "{}\u{a0}毫秒", "{}\u{a0}ms";
    seconds: "{}\u{a0}秒", "{}\u{a0}s";
    minutes: "{}\u{a0}分钟", "{}\u{a0}min";
    hours: "{}\u{a0}小时", "{}\u{a0}h";
    days: "{}\u{a0}天", "{}\u{a0}d";
    // Joints of sentences
    comma: "，", "; ";
    list_comma: "、", ", ";
    word_gap: "", ": ";
    label_gap: "：", ": ";
    separator: "·", "·";
    // States
    state_normal: "正常", "Normal";
    state_abnormal: "异常", "Abnormal";
    state_offline: "离线", "Offline";
    state_unknown: "未知", "Unknown";
    state_maintenance: "维护", "Maintenance";
    unknown_value: "未知", "unknown";
    since: "起始", "Since";
    lasted: "已持续", "for";
    what_lasting: "{} {}", "{} for {}";
    data_age: "数据", "Data";
    no_data: "从未收到数据", "No data yet";
    inference: "推测", "Inferred";
    device: "设备", "Device";
    devices_none: "还没有登记设备", "No devices registered yet";
    board_empty: "采集端上报设备后，设备会显示在这里。请联系工程部。", "Devices appear here once an agent reports them. Please ask engineering.";
    devices_all_normal: "{} 台设备全部正常", "All devices normal ({})";
    device_unknown: "{}情况未知，请到现场查看", "{}: state unknown, please look on site";
    device_is: "{}{}", "{}: {}";
    and_others: "；另有 {} 台不正常", "; {} more not normal";
    no_data_no_verdict: "没有收到数据，无法判断", "No data coming in: cannot tell";
    // Overview
    overview_question: "哪里需要处理？", "What needs attention?";
    overview_all_normal: "所有岗位一切正常", "All posts report normal";
    overview_attention: "需要关注：{}", "Needs attention: {}";
    overview_unknown: "情况未知：{}", "State unknown: {}";
    overview_posts: "岗位", "Posts";
    overview_sites: "案场", "Sites";
    tickets_open: "{} 张未关闭工单", "Open tickets: {}";
    tickets_overdue: "{} 张超时", "Overdue: {}";
    // Concierge
    concierge_question: "显示屏现在都正常吗？", "Are the displays fine right now?";
    concierge_all_normal: "全部 {} 块屏正常", "All displays are fine ({})";
    concierge_empty: "还没有登记显示屏", "No displays registered yet";
    displays: "显示屏与电视", "Displays and televisions";
    // Incident card
    incident: "异常", "Incident";
    incident_what: "现象", "What";
    incident_since: "开始", "Since";
    incident_effect: "影响", "Effect";
    incident_owner: "负责", "Owner";
    incident_next: "下一步", "Next step";
    incident_deadline: "时限", "Deadline";
    deadline_none: "无", "none";
    deadline_respond: "接单时限", "Accept by";
    deadline_arrive: "到场时限", "Arrive by";
    deadline_complete: "完成时限", "Complete by";
    // Engineering
    engineering_question: "接下来我该做什么？", "What must I do next?";
    queue_overdue: "{} 张工单已超时", "Overdue: {}";
    queue_due: "{} 张工单即将超时", "Due soon: {}";
    queue_overdue_and_due: "{} 张工单已超时，{} 张即将超时", "Overdue: {}. Due soon: {}";
    queue_waiting: "{} 张工单待接单", "Waiting to be accepted: {}";
    queue_waiting_and_working: "{} 张待接单，{} 张处理中", "Waiting to be accepted: {}. In work: {}";
    queue_newcomers: "有 {} 台新设备待确认", "New devices to be admitted: {}";
    queue_working: "{} 张处理中，没有待接单", "In work: {}. Nothing waits to be accepted";
    queue_empty: "没有待办工单", "Nothing to do";
    queue: "工单", "Tickets";
    group_due: "超时 / 即将超时", "Overdue or due soon";
    group_reported: "待接单", "To accept";
    group_working: "处理中", "In work";
    group_confirm: "待验收", "To be confirmed";
    group_empty: "没有", "None";
    queue_more: "更多", "More";
    queue_all: "全部工单", "All tickets";
    agents_all: "查看全部 {} 个", "See all {}";
    recovered: "设备已自行恢复", "The device has recovered by itself";
    nobody: "未指派", "Not assigned";
    agents: "采集端", "Agents";
    agents_none: "还没有采集端连接", "No agent has connected yet";
    agent: "采集端", "Agent";
    agent_link: "链路", "Link";
    agent_version: "版本", "Version";
    agent_devices: "设备数", "Devices";
    agent_backlog: "积压记录", "Backlog";
    agent_clock: "时钟偏差", "Clock offset";
    agent_seen: "最近通信", "Last heard";
    clock_suspect: "时钟不可信", "clock not trusted";
    link_up: "在线", "Up";
    link_suspect: "可能中断", "Suspect";
    link_down: "中断", "Down";
    link_unverified: "待确认", "Unverified";
    // The life of a device
    life: "使用阶段", "Stage of life";
    life_announced: "待确认", "Announced";
    life_trial: "试运行", "On trial";
    life_live: "使用中", "Live";
    life_maintenance: "检修中", "Under maintenance";
    life_retired: "已停用", "Retired";
    life_announced_means: "采集端已上报，还没有人确认：只存记录，不判断。", "An agent reports it and nobody has admitted it: records are stored, not judged.";
    life_trial_means: "会判断并显示告警，不通知、不开工单。", "It is judged and its alerts are shown; nobody is told, no ticket is opened.";
    life_live_means: "出现异常会通知有关岗位并开工单。", "When something is wrong, posts are told and tickets are opened.";
    life_maintenance_means: "检修期间不通知、不开工单；结束时仍异常的，届时通知并开工单。", "Nobody is told and no ticket is opened during maintenance; what is still wrong at its end is told and gets one then.";
    life_quiet: "{}，不通知", "{}: nobody is told";
    life_retired_means: "不再判断，不再显示在看板上。", "It is not judged and stands on no board.";
    life_to_trial: "转为试运行", "Put on trial";
    life_to_live: "投入使用", "Put in use";
    life_to_maintenance: "开始检修", "Begin maintenance";
    life_to_retired: "停用", "Retire";
    newcomers: "新设备，等待确认", "New devices, to be admitted";
    // Why there was an alert, or none
    why: "为什么？", "Why?";
    why_title: "{}：告警依据", "{}: reasons";
    why_question: "当时为什么告警，或为什么没有告警？", "Why was there an alert, or none?";
    why_answer_fires: "有告警：{}", "Alert open: {}";
    why_answer_watched: "没有告警，正在观察：{}", "No alert yet. Being watched: {}";
    why_answer_blind: "没有告警：没有有效数据，无法判断", "No alert: without fresh data nothing could be judged";
    why_answer_right: "没有告警：没有规则发现异常", "No alert: no rule found anything wrong";
    why_others: "；另有 {} 项", "; and {} more";
    why_replayed: "按 {} 起的 {} 条数据重新推演", "Worked out again from the records since {} ({})";
    why_steps: "换个时间", "Another time";
    why_earlier: "前 {}", "{} earlier";
    why_later: "后 {}", "{} later";
    why_now: "现在", "Now";
    why_known: "当时已知", "What was known";
    why_fresh: "有效", "fresh";
    why_stale: "已过期", "too old";
    why_part: "营业时段", "Part of the day";
    why_alerts: "当时未结束的告警", "Alerts open at that time";
    why_rules: "各条规则", "Each rule";
    why_no_rules: "该类设备没有规则", "No rule judges this kind of device";
    why_when: "异常条件", "What is wrong";
    why_until: "恢复条件", "When it is right again";
    why_flapping: "时好时坏", "Unstable";
    phase_ok: "未触发", "At rest";
    phase_pending: "观察中", "Watching";
    phase_firing: "告警中", "Alert open";
    phase_recovering: "恢复中", "Recovering";
    holds: "成立", "holds";
    holds_not: "不成立", "does not hold";
    holds_unknown: "未知", "unknown";
    day_closed: "闭馆", "Closed";
    day_preparing: "开馆准备", "Preparing";
    day_ready: "待开馆", "Ready";
    day_open: "营业中", "Open";
    day_closing: "收场", "Closing";
    // Agents
    agents_question: "采集端都在送数据吗？", "Are the agents delivering?";
    agents_all_up: "{} 个采集端全部在线", "All agents are up ({})";
    agents_some: "采集端：{}", "Agents {}";
    agents_down: "中断 {} 个", "down: {}";
    agents_unverified: "待确认 {} 个", "to be confirmed: {}";
    agents_up: "在线 {} 个", "up: {}";
    agents_more: "更多采集端", "More agents";
    agent_delivers: "采集正常，记录全部入库", "Delivering; every record is stored";
    agent_delivers_lost: "采集正常；曾有 {} 条记录丢失", "Delivering; records lost in the past: {}";
    agent_catches_up: "正在补传，约 {} 条记录未入库", "Catching up; records not yet stored: about {}";
    agent_is_missing: "{} 条记录未到，已要求重发", "Records that have not come: {}. They are asked for again";
    agent_clock_wrong: "时钟不可信，请校准采集端时间", "Its clock is not to be trusted; please set it";
    agent_is_down: "采集端中断；其间的记录保存在采集端，恢复后补传", "The agent is down; it keeps its records and delivers them when it is back";
    agent_is_unknown: "还不能确认采集端是否在线", "It cannot be told yet whether the agent is there";
    agent_epoch: "启动编号 / 第几次连接", "Number of the run / connection";
    ledger: "送达台账", "Delivery ledger";
    ledger_produced: "产生", "Made";
    ledger_stored: "已入库", "Stored";
    ledger_missing: "未到", "Missing";
    ledger_missing_since: "自 {} 起", "since {}";
    ledger_lost: "丢失", "Lost";
    ledger_unreadable: "无法读取", "Unreadable";
    ledger_duplicates: "重复（已拒收）", "Repeats refused";
    ledger_resends: "要求重发次数", "Asked to send again";
    ledger_delay: "最长延迟", "Longest delay";
    ledger_delay_day: "24 小时内最长延迟", "Longest delay in 24 hours";
    ledger_rate: "每分钟记录", "Records per minute";
    losses: "丢失的记录", "Lost records";
    losses_none: "没有记录丢失", "No records were lost";
    lost_records: "{} 条记录丢失", "Records lost: {}";
    unreadable_records: "{} 条记录无法读取", "Records that could not be read: {}";
    lost_time_unknown: "时间无法确定，不晚于 ", "At an unknown time, not after ";
    lost_in_range: "此时段有记录丢失（同一采集端，可能包含本设备）", "Records were lost in this time (of the same agent, perhaps of this device)";
    // Alerts
    alerts: "告警", "Alerts";
    alerts_question: "系统发现了什么？", "What has been found?";
    alerts_none: "没有未恢复的告警", "No open alerts";
    alerts_open: "{} 条告警未恢复", "Open alerts: {}";
    alerts_list_empty: "没有告警记录", "No alerts to show";
    alerts_more: "查看全部 {} 条", "See all {}";
    alert_cleared: "已恢复", "Cleared";
    alert_title: "告警", "Alert";
    alert_severity: "级别", "Severity";
    alert_clauses: "依据", "Clauses";
    alert_ticket: "工单", "Ticket";
    filter: "筛选", "Filter";
    filter_open: "未恢复", "Open";
    filter_all: "全部", "All";
    older: "更早的记录", "Older";
    severity_critical: "紧急", "Critical";
    severity_major: "重要", "Major";
    severity_minor: "一般", "Minor";
    severity_info: "提示", "Info";
    alert_acked: "已知悉", "Acknowledged";
    alert_actions: "处理", "Act";
    alert_ack: "知悉", "Acknowledge";
    alert_silence: "静默至恢复", "Silence until solved";
    // Silences and maintenance
    silences: "静默", "Silences";
    silences_question: "现在哪些告警不通知？", "Which alerts notify nobody right now?";
    silences_none: "没有静默，所有告警照常通知", "Nothing is silenced: every alert notifies";
    silences_active: "{} 项静默生效中", "Active silences: {}";
    silence_new: "新建静默", "New silence";
    silence_hint: "静默期间照常监测和记录，只是不通知；结束时仍未恢复的告警会立即通知。请至少限定一项。", "Everything is still watched and recorded; only nobody is notified of matching alerts. Alerts still open at the end are notified at once. Limit it to at least one thing.";
    maintenance: "检修", "Maintenance";
    maintenance_question: "现在哪里在检修？", "Where is maintenance work going on?";
    maintenance_none: "没有正在进行的检修", "No maintenance is going on";
    maintenance_active: "{} 项检修进行中", "Maintenance going on: {}";
    maintenance_new: "安排检修", "Plan maintenance";
    maintenance_hint: "检修期间照常采集数据，期间新出现的告警不通知；结束时仍未恢复的告警会通知。请至少限定一项。", "Data is still collected; nobody is notified of alerts that begin meanwhile. Alerts still open at the end are notified. Limit it to at least one thing.";
    maintenance_include: "检修前已有的告警也不通知", "Do not notify alerts from before it either";
    restraint_active: "生效中", "Active";
    restraint_pending: "未开始", "To come";
    restraint_expired: "已结束", "Over";
    restraint_from: "开始", "From";
    restraint_until: "结束", "Until";
    restraint_until_resolved: "直到恢复", "until solved";
    restraint_any: "不限", "any";
    restraint_whole: "整个案场（不限定其他条件时须勾选）", "The whole site (needed if nothing else is chosen)";
    restraint_starts: "开始（{}，不填为现在）", "Begins ({}; now if left empty)";
    restraint_ends: "结束（{}）", "Ends ({})";
    restraint_comment: "原因", "Reason";
    restraint_end: "立即结束", "End now";
    restraint_by: "{} 设置", "by {}";
    restraints: "静默与检修", "Silences and maintenance";
    restraint_list: "列表", "List";
    restraint_list_empty: "没有记录", "Nothing yet";
    restraint_site: "案场", "Site";
    restraint_device: "设备", "Device";
    restraint_place: "位置", "Place";
    restraint_kind: "类型", "Kind";
    restraint_rule: "告警规则", "Rule";
    restraint_severity: "级别", "Severity";
    under_maintenance: "检修中，至 {}", "Under maintenance until {}";
    silenced_until: "已静默，至 {}", "Silenced until {}";
    silenced_until_resolved: "已静默，直到恢复", "Silenced until solved";
    inhibited: "由其他告警引起，不单独通知", "Explained by another alert, not notified on its own";
    flapping: "时好时坏", "Comes and goes";
    unverified: "暂无新数据，现状待核实", "No fresh data: present state not verified";
    // Show flat
    showflat_question: "今天的鞋套够用吗？", "Will the shoe covers last today?";
    showflat_empty: "还没有登记鞋套机", "No shoe-cover machines registered yet";
    showflat_all_normal: "{} 台鞋套机正常，鞋套充足", "All machines work and hold enough covers ({})";
    showflat_by_hand: "{}不可用，请手工发放鞋套", "{} is out of use: hand out covers by hand";
    showflat_low: "{}鞋套只剩 {} 只，请补货", "{} runs low, covers left: {}. Please refill";
    showflat_unknown: "{}余量未知，请到现场查看", "{}: level unknown, please look on site";
    machines: "鞋套机", "Shoe-cover machines";
    covers_left: "剩 {} 只", "{} left";
    covers_left_of: "剩 {} / {} 只", "{} of {} left";
    covers_unknown: "余量未知", "Level unknown";
    covers_low_level: "补货线 {} 只", "Refill below {}";
    covers_low: "鞋套不足，请补货", "Running low: please refill";
    covers_refill_due: "{} 前补货，至少 {} 只", "Refill it before {}, with {} at least";
    covers_refill_by: "补货负责人", "To be refilled by";
    covers_today: "今日已发放", "Dispensed today";
    covers_unit: "只", "pcs";
    by_hand: "请手工发放鞋套", "Hand out covers by hand";
    by_hand_detail: "机器恢复前，请取一次性鞋套并协助客人穿好", "Until the machine works again, fetch disposable covers and help guests put them on";
    by_hand_clause: "SHO-S7", "SHO-S7";
    // Reception
    reception_question: "桌球区和上网区可以接待客人吗？", "Are the snooker and internet areas ready for guests?";
    reception_all_normal: "两个区域全部正常", "Snooker and internet areas are ready";
    reception_empty: "还没有登记桌球区或上网区设备", "No snooker or internet devices registered yet";
    area_snooker: "桌球区", "Snooker area";
    area_internet: "上网区", "Internet area";
    area_empty: "没有登记设备", "No devices registered";
    // Device page
    facts: "当前数值", "Current values";
    facts_none: "没有数值", "No values";
    fact: "项目", "Item";
    value: "数值", "Value";
    age: "更新", "Age";
    history: "历史", "History";
    range: "时间范围", "Time range";
    range_day: "24 小时", "24 hours";
    range_week: "7 天", "7 days";
    range_month: "30 天", "30 days";
    range_year: "一年", "1 year";
    tickets_none: "没有工单", "No tickets";
    device_code: "编号", "Code";
    chart_span: "{}：最低 {}，最高 {}。", "{}: lowest {}, highest {}.";
    chart_last: "最近 {}。", " Latest {}.";
    chart_empty: "{}：这段时间没有数据。", "{}: no data in this time.";
    chart_table: "以表格查看", "Show as table";
    chart_time: "时间", "Time";
    chart_low: "最低", "Lowest";
    chart_mean: "平均", "Mean";
    chart_high: "最高", "Highest";
    state_history: "状态记录", "State history";
    span_title: "{}：{} 至 {}", "{}: {} to {}";
    // What people report
    report: "报修", "Report";
    report_why: "设备坏了，或有东西损坏、丢失，请在这里报告。", "Report here what does not work, and what is damaged or lost.";
    report_device: "选择设备", "Choose the device";
    report_other: "案场里的其他东西", "Another thing at the site";
    report_form: "情况", "What happened";
    report_what: "报告什么", "What is reported";
    report_fault: "故障", "Fault";
    report_damage: "损坏", "Damage";
    report_loss: "丢失", "Loss";
    report_symptom: "现象（可多选）", "Symptoms, any of them";
    report_thing: "什么东西，在哪里", "What it is, and where";
    report_thing_such: "例如：二楼接待区 茶几", "Such as: coffee table, reception";
    report_note: "补充说明（可不填）", "Anything else, if you like";
    report_phone: "联系电话（可不填）", "Your phone number, if you like";
    report_keep: "损坏或丢失：请勿移动，保持现场原样；会立即告知您的上级。", "Damage or loss: do not touch, keep the place as it is. Your superior is told at once.";
    report_repair: "损坏或丢失也需要维修", "Damage or loss is to be repaired, too";
    report_send: "提交", "Send";
    report_mine: "我要报修", "Report a fault";
    report_what_is_wrong: "怎么了？", "What is wrong?";
    report_no_words: "请写一句话说明情况。", "Please write a few words.";
    report_nothing: "请选择一个现象，或写一句话。", "Choose a symptom, or write a few words.";
    report_no_thing: "请写明是什么东西，在哪里。", "Say what it is, and where.";
    report_bad_phone: "电话号码不对：只能有数字、空格、+、- 和括号。", "This is no phone number: digits, spaces, +, - and brackets only.";
    report_too_long: "文字太长：最多 500 个字。", "The text is too long: 500 characters at most.";
    report_wait: "报修次数太多，请 {} 分钟后再试，或告诉身边的工作人员。", "Too many reports from here: try again in {} min, or tell the staff near you.";
    report_title: "人员报修", "Reports by people";
    photo: "照片（可不填，JPEG、PNG 或 WebP）", "Photos, if you like: JPEG, PNG or WebP";
    photos: "照片", "Photos";
    photos_of: "照片 {} 张", "photos: {}";
    photo_report: "报修时", "With the report";
    photo_before: "维修前", "Before";
    photo_after: "维修后", "After";
    photo_large: "照片太大：每张最多 8 MB。", "The photo is too large: 8 MiB at most.";
    photo_pixels: "照片像素太多：每张最多 2400 万像素。", "The photo has too many pixels: 24 million at most.";
    photo_kind: "这不是照片：请用 JPEG、PNG 或 WebP（苹果手机请在相机设置里选“兼容性最佳”）。", "This is no photo: use JPEG, PNG or WebP (on an iPhone, set the camera to Most Compatible).";
    photo_broken: "照片打不开，可能已损坏，请重拍一张。", "The photo cannot be read, it may be damaged: take another one.";
    photo_many: "照片太多：每张工单最多 6 张。", "Too many photos: a ticket has 6 at most.";
    report_see: "查看", "Look";
    source_guest: "客人", "Guest";
    source_person: "员工", "Staff";
    source_program: "程序", "Program";
    guest_reported: "已报修，等待{}接单", "Reported, waiting for {}";
    guest_in_progress: "已报修，{}处理中", "Reported, {} is working on it";
    guest_repaired: "已修复，等待确认", "Repaired, waiting to be confirmed";
    guest_closed: "已处理完毕", "Done";
    guest_cancelled: "已处理，无需维修", "Looked at; no repair was needed";
    guest_expected: "{}，预计 {}", "{}, expected {}";
    guest_thanks: "收到，谢谢！", "Received, thank you!";
    guest_thanks_why: "本页可随时刷新，查看处理进度。", "Reload this page to see how far it is.";
    guest_back: "返回设备页", "Back to the device";
    guest_staff: "工作人员登录", "Staff: sign in";

    // Ticket
    ticket: "工单", "Ticket";
    ticket_steps: "进度", "Progress";
    ticket_facts: "报修内容", "Report";
    ticket_reporter: "报修人", "Reported by";
    ticket_reported_at: "报修时间", "Reported at";
    ticket_place: "地点", "Place";
    ticket_symptom: "现象描述", "Symptom";
    ticket_priority: "紧急程度", "Priority";
    ticket_escalation: "当前责任人", "Responsible now";
    ticket_assign: "派单", "Assign";
    assign_to: "派给", "To";
    event_assigned: "派单", "Assigned";
    audit_ticket_assign: "派单", "Assigned the ticket";
    ticket_escalate: "上报上级", "Send up the chain";
    escalate_means: "按一条线指挥逐级上报；跨级上报须署名并写明原因，原责任人会收到通知。", "It goes up one level at a time. Levels are skipped only by a named person with a reason; whoever had it is told.";
    escalate_reason: "原因", "Reason";
    escalate_to: "上报至{}", "Send to {}";
    escalations: "跟进与升级", "Follow-up";
    escalations_why: "每件事此刻只有一个责任人；到时无人响应，就逐级上报。", "Each thing has exactly one responsible now; what is not answered in time goes up one level.";
    escalations_mine: "我的", "Mine";
    escalations_all: "全部", "All";
    escalations_later: "另有 {} 项，下一步时间更晚", "{} more, whose next step is later";
    escalations_empty: "没有待跟进的事项。", "Nothing has to be followed up.";
    escalation_has: "责任人：", "With:";
    escalation_triggered: "待响应", "waits for an answer";
    escalation_held: "有人处理", "somebody is at it";
    escalation_paused: "暂停", "paused";
    escalation_goes_up: "{} 前无人响应，升级至{}", "Answer by {}, or it goes up to {}";
    escalation_again: "{} 前无人响应，再次提醒", "Answer by {}, or it is told again";
    escalation_lapses: "{} 前没有进展，重新跟进", "Followed up again unless there is progress by {}";
    escalation_begins: "{} 开始跟进", "Followed up from {} on";
    escalation_repair: "维修", "repair";
    escalation_confirm: "验收", "confirm";
    escalation_notice: "处理", "see to it";
    escalated_no_answer: "{}未响应，升级至{}", "No answer from {}; it went up to {}";
    escalated_same: "{}未响应，再次提醒", "No answer from {}; told again";
    escalated_lapsed: "{}没有进展，重新跟进", "No progress with {}; followed up again";
    escalated_resumed: "重新开始跟进：{}", "Followed up anew: {}";
    escalated_relieved: "{}换班，由接班人员跟进", "{}: off duty; whoever is on duty now has it";
    escalated_off_duty: "{}已下班且无人值班，转至{}", "{}: off duty and nobody else is there; it went to {}";
    escalated_by_hand: "{}上报至{}", "Sent up from {} to {}";
    notice_not_above: "不能上报到那一级：它不在当前责任人之上。", "It cannot go there: that post is not above the one that has it.";
    notice_skips: "跨级上报须写明原因并署名。", "To skip a level, give your name and the reason.";
    ticket_evidence: "系统证据", "Evidence";
    ticket_evidence_none: "人工报修，没有系统证据", "Reported by a person; there is no system evidence";
    ticket_alerts: "相关告警", "Attached alerts";
    ticket_timeline: "处理记录", "Timeline";
    ticket_actions: "操作", "Actions";
    evidence_first: "首次发现", "First seen";
    evidence_last: "最近一次", "Last seen";
    limit_met: "已于 {} 完成", "Done at {}";
    limit_paused: "暂停计时", "clock stopped";
    limit_late: "超出时限", "late";
    step_reported: "已报修", "Reported";
    step_accepted: "已接单", "Accepted";
    step_in_progress: "处理中", "In work";
    step_confirm: "待验收", "To confirm";
    step_closed: "已关闭", "Closed";
    step_cancelled: "已退回", "Rejected";
    step_done: "已完成", "done";
    progress_reported: "已报修，等待{}接单", "reported, waiting for {} to accept";
    progress_accepted: "{}已接单", "{} has accepted";
    progress_in_progress: "{}处理中", "{} is working on it";
    progress_confirm: "{}已修复，请确认恢复", "{} has repaired it, please confirm";
    progress_closed: "工单已关闭", "the ticket is closed";
    progress_cancelled: "工单已退回", "the ticket was rejected";
    waiting_means: "等待期间不计时，请说明原因。", "The time limits stand still meanwhile; please say why.";
    waiting_parts: "等配件", "Waiting for parts";
    waiting_supplier: "等供应商", "Waiting for a supplier";
    waiting_access: "等进场", "Waiting for access";
    ticket_repair: "维修", "Repair";
    ticket_finish: "维修完成，提请验收", "Repaired: hand over";
    repair_work: "处理内容（可不填）", "What was done (optional)";
    repair_materials: "用料", "Materials";
    repair_materials_hint: "用料，每行一种（可不填）", "Materials, one a line (optional)";
    repair_materials_such: "HDMI 线 × 2", "HDMI cable x 2";
    repair_cost: "费用，元（可不填）", "Cost in yuan (optional)";
    form_cost_total: "费用", "Cost";
    ticket_reject: "退回（无需维修）", "Reject (nothing to repair)";
    reject_means: "工单随即关闭；故障仍在时，告警继续显示。请在说明中写清情况。", "The ticket is closed at once; a fault that is still there stays visible as an alert. Please say why in the note.";
    reject_other: "与哪张重复", "Duplicate of";
    rejected_no_fault: "未发现故障", "No fault found";
    rejected_out_of_scope: "不属维修范围", "Not for us to repair";
    rejected_duplicate: "重复报修", "Duplicate";
    event_rejected: "退回", "Rejected";
    event_took_over: "并入重复报修单", "Took over a duplicate";
    ticket_comment: "备注", "Note";
    ticket_more: "等待或调整紧急程度", "Wait, or change the priority";
    priority_change: "改为{}", "Make it {}";
    priority_urgent: "紧急", "Urgent";
    priority_normal: "一般", "Normal";
    priority_planned: "计划", "Planned";
    action_accept: "接单", "Accept";
    action_start: "到场", "Arrived";
    action_resume: "继续处理", "Go on";
    action_finish: "提请验收", "Hand over";
    action_confirm: "确认已恢复", "Confirm it works";
    action_reopen: "仍未恢复", "It still fails";
    action_comment: "添加备注", "Add a note";
    action_by: "姓名（可不填）", "Name (optional)";
    action_note: "说明（可不填）", "Note (optional)";
    system: "系统", "System";
    event_reported: "报修", "Reported";
    event_alert_attached: "关联告警", "Alert attached";
    event_accepted: "接单", "Accepted";
    event_started: "到场，开始处理", "Arrived, work started";
    event_finished: "提请验收", "Handed over";
    event_recovered: "设备恢复正常", "Device back to normal";
    event_unstable: "时好时坏，稳定前不再逐次通知", "It comes and goes; no more messages until it is stable";
    event_confirmed: "确认已恢复", "Confirmed";
    event_reopened: "重新打开", "Reopened";
    event_escalated: "上报", "Escalated";
    event_followed_up: "跟进", "Followed up";
    event_overdue: "超过时限", "Time limit passed";
    event_reminded: "时限提醒", "Reminder";
    event_waiting: "暂停处理", "Waiting";
    event_resumed: "继续处理", "Work resumed";
    event_reprioritised: "调整紧急程度", "Priority changed";
    comment_text: "内容", "Text";
    event_noted: "备注", "Note";
    // What is printed
    sheet_back: "返回", "Back";
    sheet_hint: "请用浏览器的打印功能打印，比例 100%，不加页眉页脚。", "Print it with the browser, at 100% and without headers and footers.";
    sheet_only_here: "二维码指向 {}，只有本机能打开。请先在配置文件的 [http] 中设置 public_url，再打印。", "The QR codes lead to {}, which only this computer can open. Set `public_url` in the section http of the configuration first, then print.";
    sheet_printed: "打印时间 {}（{}）", "Printed {} ({})";
    paper_a4: "A4", "A4";
    paper_a5: "A5", "A5";
    copies_one: "单联", "One copy";
    copies_three: "三联", "Three copies";
    copy_file: "第一联 存根", "Copy 1: file";
    copy_engineering: "第二联 工程", "Copy 2: engineering";
    copy_post: "第三联 报修部门", "Copy 3: reporting post";
    form: "设备报修单", "Repair form";
    form_print: "打印报修单", "Print the repair form";
    form_scan: "扫码查看工单", "Scan for the ticket";
    form_no: "报修单号", "Number";
    form_state: "状态", "State";
    form_report: "报修", "Report";
    form_post: "报修部门", "Reporting post";
    form_fault: "故障现象", "Fault";
    form_still_there: "打印时仍未恢复", "still there when printed";
    form_more_evidence: "另有 {} 条证据，见工单", "Further evidence on the ticket: {}";
    form_dispatch: "派工", "Dispatch";
    form_department: "维修部门", "Department";
    form_taken_by: "接单人", "Taken by";
    form_taken_at: "接单时间", "Taken at";
    form_repair: "维修", "Repair";
    form_cause: "故障原因", "Cause";
    form_work: "维修内容", "Work done";
    form_parts: "更换配件（名称、规格）", "Parts (name, type)";
    form_quantity: "数量", "Quantity";
    form_price: "单价（元）", "Unit price";
    form_cost: "金额（元）", "Cost";
    form_total: "合计", "Total";
    form_arrived: "到场时间", "Arrived at";
    form_finished: "完成时间", "Finished at";
    form_working_time: "工时", "Working time";
    form_acceptance: "验收", "Acceptance";
    form_result: "验收结果", "Result";
    form_works: "已恢复正常", "It works again";
    form_works_not: "未恢复", "It still fails";
    form_remarks: "验收意见、遗留问题", "Remarks, what is left to do";
    form_sign_reporter: "报修人签字", "Reporter's signature";
    form_sign_engineer: "维修人签字", "Engineer's signature";
    form_sign_supervisor: "主管签字", "Supervisor's signature";
    form_date: "日期", "Date";
    form_check: "核对码", "Check code";
    form_check_means: "工单页显示的核对码与此相同，即纸面与系统一致。", "Paper and system agree if the ticket's page shows this code.";
    form_cut: "以省略号结尾的内容未全部印出，全文请扫码查看。", "Texts that end in dots are shortened: scan for the whole.";
    labels: "设备标签", "Device labels";
    labels_print: "打印设备标签", "Print device labels";
    label_print: "打印标签", "Print its label";
    labels_none: "没有可打印标签的设备", "There is no device to print a label for";
    // What is told outside the pages
    outbox: "通知发送", "Outbox";
    outbox_question: "该通知的都通知到了吗？", "Was everybody told?";
    outbox_no_channels: "没有配置通知通道", "No channel is set up";
    outbox_no_channels_hint: "在配置文件中添加 [channel.名称]，告警才会发到企业微信、钉钉、飞书、ntfy、Webhook 或邮箱。", "Add [channel.NAME] to the configuration; until then alerts are shown on these pages only.";
    outbox_all_told: "通知都已送达", "Everybody was told";
    outbox_waiting: "{} 条通知等待发送", "{} wait to be sent";
    outbox_troubled: "{} 个通道发送失败", "Channels that fail: {}";
    channels: "通道", "Channels";
    channel_new: "尚未发送", "Not used yet";
    channel_ok: "正常", "In order";
    channel_failing: "发送失败", "Failing";
    channel_paused: "接收方限流，暂停", "Paused";
    channel_disabled: "已停用", "Off";
    channel_last: "最近发送：", "Last sent";
    channel_waiting: "{} 条等待", "{} waiting";
    channel_test: "发送测试消息", "Send a test message";
    deliveries: "通知", "Notifications";
    deliveries_none: "没有符合条件的通知", "There are none";
    delivery_queued: "等待", "Waiting";
    delivery_sending: "发送中", "Being sent";
    delivery_retry: "将重试", "Tried again";
    delivery_sent: "已送达", "Taken";
    delivery_digested: "已汇总送达", "Taken in a digest";
    delivery_dead: "未送达", "Not taken";
    delivery_cancelled: "已取消", "Cancelled";
    delivery_resend: "重新发送", "Send again";
    delivery_attempts: "已发送 {} 次", "attempts: {}";
    delivery_next: "下次：", "next";
    delivery_held_silence: "已静默", "silenced";
    delivery_held_maintenance: "维护中", "under maintenance";
    delivery_held_inhibition: "由其他告警说明", "explained by another alert";
    delivery_why_cleared: "发送前已恢复", "over before it was sent";
    delivery_why_acknowledged: "发送前已有人处理", "seen to before it was sent";
    delivery_why_needless: "对方未收到开始或已收到更新", "needless: the channel knows, or never knew";
    delivery_why_removed: "通道已移除", "its channel was removed";
    told_raised: "发生", "raised";
    told_unmuted: "静默结束仍未恢复", "still there after a silence";
    told_again: "仍未恢复", "still there";
    told_unstable: "时好时坏", "comes and goes";
    told_undelivered: "另一通道未送达", "another channel did not take it";
    told_acknowledged: "已有人处理", "being seen to";
    told_rejected: "维修不受理", "not repaired";
    told_cleared: "结束", "over";
    told_escalated: "升级", "went up";
    told_assigned: "派单", "given to somebody";
    told_other: "更新", "update";
    // Problems
    error: "出错", "Problem";
    error_home: "返回首页", "Back to the home page";
    error_reference: "查询编号", "Reference";
    problem_bad_request: "请求无法识别", "The request was not understood";
    remedy_bad_request: "请返回上一页，检查填写的内容后重试。", "Go back, check what you filled in, and try again.";
    problem_sign_in: "请先登录", "Please sign in";
    remedy_sign_in: "登录后即可查看本页。", "Sign in to see this page.";
    problem_forbidden: "没有权限查看", "You may not see this";
    remedy_forbidden: "如需查看，请联系主管开通。", "Ask your supervisor if you need it.";
    problem_not_found: "没有这个页面", "There is no such page";
    remedy_not_found: "地址可能有误，或设备、工单已被移除。请检查编号，或从首页进入。", "The address may be wrong, or the device or ticket was removed. Check the number, or start from the home page.";
    problem_conflict: "内容已被他人更新", "Somebody else changed this first";
    remedy_conflict: "请返回并刷新，查看最新状态后再操作。", "Go back, reload, and look at the latest state before you act.";
    problem_link_over: "这个链接已经用过或已到期", "This link was used or is over";
    remedy_link_over: "如果已设置过密码，请直接登录；否则请管理员重发一个。", "If you have chosen a password, sign in; else ask an administrator for a new link.";
    problem_too_large: "提交的内容太大", "What you sent is too large";
    remedy_too_large: "请缩短说明后重试。", "Shorten it and try again.";
    problem_too_many: "操作过于频繁", "Too many requests";
    remedy_too_many: "请稍等一分钟后重试。", "Wait a minute and try again.";
    problem_internal: "系统内部出错", "Something went wrong inside the system";
    remedy_internal: "设备本身不受影响。请稍后重试；若仍出现，请把查询编号告知管理员。", "The equipment is not affected. Try again; if it persists, tell the administrator the reference.";
    problem_unavailable: "服务暂时不可用", "The service is not available just now";
    remedy_unavailable: "设备本身不受影响，数据会在恢复后补齐。请稍后刷新。", "The equipment is not affected and no data are lost. Reload in a moment.";
    // Stock
    stock: "库存", "Stock";
    stock_question: "库存够用吗？", "Will the stock last?";
    stock_enough: "机器和库房都够用", "Machines and the store room hold enough";
    stock_refill_soon: "{}快用完，请补货", "{} will run out: please refill";
    stock_room_low: "{}库存不足，库房剩 {}", "{}: the store room runs low, {} left";
    stock_unkept: "{}还没有人记账，请先盘点", "{}: nobody keeps the ledger yet. Please count first";
    stock_none: "没有需要记账的物料", "Nothing is kept in stock here";
    stock_room: "库房", "Store room";
    stock_low: "库存不足", "Running low";
    stock_low_do: "请报主管采购{}，已下单的请登记", "Ask the supervisor to buy: {}. Enter what is ordered";
    stock_below_nothing: "账面低于零：有入库没有登记，请盘点", "Below zero by the ledger: something that came was not entered. Please count";
    stock_min: "最低库存 {}", "At least {}";
    stock_used_up: "预计 {} 用完", "Likely to be used up at {}";
    stock_used_up_about: "预计 {} 用完（±{}）", "Likely to be used up at {} (+/- {})";
    stock_left: "剩 {} {}", "{} {} left";
    stock_left_of: "剩 {} / {} {}", "{} of {} {} left";
    stock_booked: "账面剩 {}，与机器不同", "The ledger says {}, unlike the machine";
    stock_counted: "上次盘点", "Last count";
    stock_refilled: "上次补货", "Last refill";
    stock_coming: "在途 {}", "On order: {}";
    stock_due: "预计到货", "Expected on";
    stock_refill: "补货", "Refill";
    stock_receive: "入库", "Goods received";
    stock_count: "盘点", "Count";
    stock_found: "清点数量", "Pieces counted";
    stock_hand_out: "手工发放", "Handed out by hand";
    stock_waste: "报废", "Thrown away";
    stock_transfer: "调拨", "Moved elsewhere";
    stock_order: "下单", "Order";
    stock_cancel: "余下不再到货", "The rest will not come";
    stock_pieces: "数量", "Pieces";
    stock_where: "地点", "Place";
    stock_from: "从", "From";
    stock_to: "到", "To";
    stock_reason: "原因（与账面不符时必填）", "Why (if it differs from the ledger)";
    stock_held: "{} 片待确认", "To be looked at: {}";
    stock_held_why: "超过机器的出套速度，暂不计入", "Faster than the machine can be; not counted until somebody says so";
    stock_accept: "计入", "Count them";
    stock_refuse: "不计入", "Do not count them";
    stock_movements: "出入库记录", "Movements";
    stock_movements_none: "还没有记录", "Nothing was entered yet";
    stock_correct: "冲正", "Undo";
    stock_correction: "冲正", "Undoes another";
    stock_was_corrected: "已冲正", "Undone";
    stock_older: "更早的记录", "Older";
    stock_supplier: "供应商", "Supplier";
    stock_ordered: "在途", "On order";
    stock_guests: "客人", "Guests";
    stock_difference: "盘点差异", "Difference";
    stock_at_hand: "手工发放处", "Handing-out place";
    stock_no_pieces: "数量请填 1 到 1000000 的整数", "Pieces are a whole number from 1 to 1000000";
    stock_no_reason: "与账面不符，请填写原因后再提交", "This differs from the ledger: say why and send it again";
    stock_long_reason: "原因最多 200 字", "The reason has at most 200 characters";
    stock_no_place: "请选择两个不同的地点", "Choose two different places";
    stock_arrived: "这张订单已经到齐", "All of this order has come";
    stock_corrected: "这条记录已经冲正过", "This was undone already";
    stock_gone: "这里已经没有这台机器或这种物料", "This machine or item is not here any more";
    stock_twice: "未批准：您已在下一级批准过，这一级须由另一人批准", "Not approved: you have approved it at a lower level, and another person is to approve it here";
    stock_no_day: "日期请写成 2026-12-01", "A day is written like 2026-12-01";
    // Erasing somebody
    audit_contact_ask: "发送邮箱验证码", "Sent a code to an address";
    audit_contact_confirm: "确认个人邮箱", "Confirmed their address";
    audit_contact_remove: "停用个人邮箱", "Removed their address";
    audit_preference_set: "更改通知偏好", "Changed what they are told";
    audit_person_grant: "增加岗位", "Granted a role";
    audit_person_revoke: "取消岗位", "Took a role away";
    audit_person_chat_ids: "更改群提醒账号", "Changed the ids for mentions";
    audit_person_erase: "删除个人信息", "Erased somebody";
    person_erased: "已删除", "erased";
    person_erase: "删除个人信息", "Erase";
    person_erase_why: "不可恢复：姓名、账号、密码和登录状态都会删除，名单和排班表上显示“已删除人员”。报修单、报告和操作记录中已写下的内容不能更改，仍会保留。", "This cannot be undone. Name, sign-in name, password and sessions are deleted; the list and the roster say \"former member\". What tickets, reports and the audit log have written down cannot be changed and stays.";
    person_erase_login: "输入对方的账号以确认", "Type their sign-in name to confirm";
    mistake_erased: "此人的信息已删除，请重新开通账号。", "This person was erased: enter them anew.";
    mistake_other_login: "未删除：输入的账号与此人的不一致。", "Not erased: that is not this person's sign-in name.";
}

/// What holds for texts of any area.
#[cfg(test)]
pub(crate) fn hold_for_all(all: &[(&str, &str, &str)]) {
    for (name, zh, en) in all {
        assert!(*name == "word_gap" || !zh.trim().is_empty(), "{name} is empty in Chinese");
        assert!(!en.trim().is_empty(), "{name} is empty in English");
        assert_eq!(zh.matches("{}").count(), en.matches("{}").count(), "places of {name}");
        assert!(en.chars().all(|c| c.is_ascii() || "·\u{a0}".contains(c)), "{name}: {en}");
        let longest_word = en.split_whitespace().map(str::len).max().unwrap_or(0);
        assert!(longest_word <= 16, "{name}: a word of {longest_word} letters breaks a narrow column");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_empty_and_both_languages_have_the_same_places() {
        hold_for_all(ALL);
        hold_for_all(month::ALL);
        hold_for_all(crate::compliance::texts::ALL);
        hold_for_all(personal::ALL);
        hold_for_all(grants::ALL);
        hold_for_all(chats::ALL);
        hold_for_all(crate::ticket::texts::ALL);
        hold_for_all(crate::overview::texts::ALL);
    }

    #[test]
    fn english_texts_fit_a_phone() {
        for (name, _, en) in ALL {
            if name.starts_with("nav_") || name.starts_with("step_") {
                assert!(en.len() <= 11, "{name} must fit a fifth of a phone: {en}");
            }
            if name.starts_with("action_") && !en.contains('(') {
                assert!(en.len() <= 20, "{name} must fit a button: {en}");
            }
        }
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_left_alone() {
        assert_eq!(fill2("{}是{}", "{}", "甲"), "{}是甲");
    }
}
