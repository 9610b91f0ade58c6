//! What the tiles and the devices say, in every situation.

use lobby_dashboards::{
    AreaList, Choice, Chrome, Collection, ConciergePage, Counts, DayPart, Deadline, DeadlineKind, DevicePage,
    DeviceRef, DeviceTile, Escalation, EscalationState, Fact, Incident, LifeCard, Limit, Link, OverviewPage, Page,
    PostStatus, Range, ReceptionPage, RoundState, Series, Severity, SiteRow, State, StateSpan, TicketLine, TicketStep,
    WhyPage, WhyPart, WhyPhase, WhyRule,
};
use lobby_domain::device::Life;

use super::{DAY, HOUR, MINUTE, NOW, SECOND, Scene};

impl Scene {
    pub(super) fn fact(&self, zh: &str, en: &str, value: &str, unit: &str) -> Fact {
        Fact {
            label: self.say(zh, en),
            value: Some(value.into()),
            unit: unit.into(),
            at: Some(self.at(4 * SECOND)),
            notable: false,
        }
    }

    pub(super) fn word(&self, label: (&str, &str), value: (&str, &str)) -> Fact {
        Fact { value: Some(self.say(value.0, value.1)), ..self.fact(label.0, label.1, "", "") }
    }

    pub(super) fn led_ref(&self) -> DeviceRef {
        self.device_ref("entrance-led", ("入口屏", "大门口"), ("Entrance LED", "Main entrance"))
    }

    pub(super) fn led(&self) -> DeviceTile {
        DeviceTile {
            device: self.led_ref(),
            state: State::Normal,
            since: Some(self.at(7 * HOUR)),
            seen: Some(self.at(4 * SECOND)),
            facts: vec![
                self.word(("电源", "Power"), ("开", "on")),
                self.word(("信号", "Signal"), ("正常", "ok")),
                self.fact("温度", "Temperature", "41.5", "°C"),
                self.fact("亮度", "Brightness", "68", "%"),
            ],
            maintenance: None,
            inference: None,
            incident: None,
        }
    }

    pub(super) fn tv(&self) -> DeviceTile {
        DeviceTile {
            device: self.device_ref(
                "lift-tv",
                ("电梯厅电视", "一层电梯厅"),
                ("Lift lobby TV", "Ground floor lift lobby"),
            ),
            facts: vec![
                self.word(("电源", "Power"), ("开", "on")),
                self.word(("信号", "Signal"), ("HDMI 1", "HDMI 1")),
                self.fact("音量", "Volume", "18", ""),
            ],
            seen: Some(self.at(12 * SECOND)),
            ..self.led()
        }
    }

    pub(super) fn dark_led(&self, step: TicketStep) -> DeviceTile {
        let mut signal = self.word(("信号", "Signal"), ("无信号", "no signal"));
        signal.notable = true;
        DeviceTile {
            state: State::Abnormal,
            since: Some(self.at(6 * MINUTE)),
            facts: vec![
                self.word(("电源", "Power"), ("开", "on")),
                signal,
                self.fact("温度", "Temperature", "38.0", "°C"),
            ],
            incident: Some(self.dark_incident(step)),
            ..self.led()
        }
    }

    pub(super) fn dark_incident(&self, step: TicketStep) -> Incident {
        Incident {
            what: self.say("黑屏", "dark"),
            since: self.at(6 * MINUTE),
            effect: self.say("客人在入口看不到欢迎与导览内容", "Guests see no welcome or directions at the entrance"),
            department: self.say("工程部", "Engineering"),
            person: (step != TicketStep::Reported).then(|| self.say("李工", "Li")),
            next_step: self.say("工程到场检查信号源与发送卡", "Engineering checks the signal source and sending card"),
            deadline: Some(Deadline { kind: DeadlineKind::Complete, at: self.at(-24 * MINUTE) }),
            escalation: (step == TicketStep::Reported)
                .then(|| Escalation { above: Vec::new(), ..self.escalation(EscalationState::Triggered) }),
            ticket: Some(TicketLine {
                no: "BX-202611-0042".into(),
                version: 3,
                step,
                rejected: None,
                may_confirm: step == TicketStep::AwaitingConfirmation,
            }),
        }
    }

    pub(super) fn offline_tv(&self) -> DeviceTile {
        DeviceTile {
            state: State::Offline,
            since: Some(self.at(75 * MINUTE)),
            inference: Some(
                self.say("电源断开：电视与播放盒同时离线", "power cut: television and player went offline together"),
            ),
            facts: vec![],
            ..self.tv()
        }
    }

    pub(super) fn unknown(&self, tile: DeviceTile) -> DeviceTile {
        let facts = tile.facts.into_iter().map(|fact| Fact { value: None, ..fact }).collect();
        DeviceTile {
            state: State::Unknown,
            since: Some(self.at(9 * MINUTE)),
            seen: Some(self.at(9 * MINUTE)),
            facts,
            ..tile
        }
    }

    pub(super) fn concierge(&self, tiles: Vec<DeviceTile>) -> ConciergePage {
        ConciergePage { chrome: self.chrome(Page::Concierge), tiles }
    }

    pub(super) fn simple(&self, code: &str, zh: (&str, &str), en: (&str, &str), facts: Vec<Fact>) -> DeviceTile {
        DeviceTile { device: self.device_ref(code, zh, en), facts, ..self.led() }
    }

    pub(super) fn reception(&self, trouble: bool) -> ReceptionPage {
        let lamp = |on: bool| self.word(("台灯", "Lamp"), if on { ("亮", "on") } else { ("灭", "off") });
        let used =
            |used: bool| self.word(("使用", "In use"), if used { ("使用中", "in use") } else { ("空闲", "free") });
        let balls = self.fact("球数", "Balls", if trouble { "21" } else { "22" }, "/ 22");
        let missing = DeviceTile {
            state: if trouble { State::Abnormal } else { State::Normal },
            ..self.simple(
                "equipment",
                ("球具", "桌球区"),
                ("Equipment", "Snooker area"),
                vec![Fact { notable: trouble, ..balls }, self.fact("球杆", "Cues", "6", "/ 6")],
            )
        };
        let laptop = |code, zh, en| {
            let facts = vec![self.fact("电量", "Battery", "86", "%"), self.fact("磁盘可用", "Disk free", "112", "GB")];
            self.simple(code, (zh, "上网区"), (en, "Internet area"), facts)
        };
        let network = vec![self.fact("延迟", "Latency", "14", "ms"), self.fact("丢包", "Loss", "0", "%")];
        let second = laptop("laptop-2", "2 号笔记本", "Laptop 2");
        ReceptionPage {
            chrome: self.chrome(Page::Reception),
            snooker: vec![
                self.simple(
                    "table-1",
                    ("1 号球台", "桌球区"),
                    ("Table 1", "Snooker area"),
                    vec![lamp(true), used(true)],
                ),
                self.simple(
                    "table-2",
                    ("2 号球台", "桌球区"),
                    ("Table 2", "Snooker area"),
                    vec![lamp(false), used(false)],
                ),
                missing,
            ],
            snooker_figures: vec![self.fact("使用中的球台", "Tables in use", "1", "/ 2")],
            internet: vec![
                self.simple("network", ("网络", "上网区"), ("Network", "Internet area"), network),
                laptop("laptop-1", "1 号笔记本", "Laptop 1"),
                if trouble { self.unknown(second) } else { second },
            ],
            internet_figures: vec![],
            rounds: vec![self.round(if trouble { RoundState::Missed } else { RoundState::InProgress }, (7, 12))],
            readiness: vec![self.readiness(trouble)],
        }
    }

    pub(super) fn why(&self) -> WhyPage {
        let part = |depth, zh: &str, en: &str, holds| WhyPart { depth, words: self.say(zh, en), holds };
        let firing = WhyRule {
            title: self.say("入口屏黑屏", "Entrance LED is dark"),
            phase: WhyPhase::Firing,
            since: Some(self.at(20 * MINUTE)),
            is_flapping: true,
            when: vec![
                part(0, "以下任一成立", "any of these holds", Some(true)),
                part(1, "电源 关机 = 关机", "Power off = off", Some(true)),
                part(1, "亮度 未知 < 5%", "Brightness unknown < 5%", None),
            ],
            until: vec![part(0, "电源 关机 = 开机", "Power off = on", Some(false))],
            held: vec![self.say("异常仍在", "still wrong")],
        };
        let rest = WhyRule {
            title: self.say("入口屏过热", "Entrance LED is too hot"),
            phase: WhyPhase::Ok,
            since: None,
            is_flapping: false,
            when: vec![part(0, "温度 42 ℃ > 60 ℃", "Temperature 42 C > 60 C", Some(false))],
            until: vec![],
            held: vec![self.say("没有异常", "nothing is wrong")],
        };
        WhyPage {
            chrome: self.chrome(Page::Device),
            device: self.led_ref(),
            at: self.at(10 * MINUTE),
            from: self.at(DAY + 10 * MINUTE),
            records: 8640,
            link: Some(Link::Up),
            seen: Some(self.at(10 * MINUTE + 4 * SECOND)),
            is_fresh: true,
            part: DayPart::Open,
            facts: vec![self.word(("电源", "Power"), ("关机", "off"))],
            rules: vec![firing, rest],
            alerts: vec![self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical)],
        }
    }

    pub(super) fn device(&self, state: State) -> DevicePage {
        let dark = state == State::Abnormal;
        let blind = state == State::Unknown;
        let tile = match state {
            State::Abnormal => self.dark_led(TicketStep::Accepted),
            State::Unknown => self.unknown(self.led()),
            _ => self.led(),
        };
        let from = NOW - DAY;
        let mut history = vec![
            StateSpan { from, to: from + 5 * HOUR, state: State::Normal },
            StateSpan { from: from + 5 * HOUR, to: from + 6 * HOUR, state: State::Abnormal },
            StateSpan { from: from + 6 * HOUR, to: from + 12 * HOUR, state: State::Normal },
            StateSpan { from: from + 14 * HOUR, to: NOW - 6 * MINUTE, state: State::Normal },
        ];
        history.push(StateSpan { from: NOW - 6 * MINUTE, to: NOW, state });
        DevicePage {
            chrome: self.chrome(Page::Device),
            device: tile.device,
            kind: self.say("LED 显示屏", "LED display"),
            state,
            since: tile.since,
            seen: if blind { None } else { tile.seen },
            inference: None,
            maintenance: (state == State::Unknown)
                .then(|| self.say("检修中，至 18:00", "Under maintenance until 18:00")),
            incident: tile.incident,
            here_for: vec![],
            facts: tile.facts,
            range: Range::Day,
            series: if blind { vec![] } else { vec![self.temperature(), self.brightness()] },
            history: if blind { vec![] } else { history },
            alerts: if dark {
                vec![self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical)]
            } else {
                vec![]
            },
            tickets: if dark {
                vec![self.queue_ticket(
                    "BX-202611-0042",
                    ("入口屏黑屏", "Entrance LED is dark"),
                    TicketStep::Accepted,
                    24 * MINUTE,
                )]
            } else {
                vec![]
            },
            life: LifeCard { now: Life::Live },
            losses: if dark { vec![self.loss(3, Some(2 * HOUR))] } else { vec![] },
            agent: Some(self.agent(if blind { Link::Down } else { Link::Up })),
        }
    }

    /// A day of temperatures, with two hours in which nobody measured.
    pub(super) fn temperature(&self) -> Series {
        let points = (0..288)
            .filter(|index| !(144..168).contains(index))
            .map(|index| {
                let phase = f64::from(index) / 288.0 * std::f64::consts::TAU;
                let ripple = f64::from(index * 7919 % 13) / 13.0;
                (NOW - DAY + i64::from(index) * 5 * MINUTE, Some(41.0 - 6.5 * phase.cos() + ripple))
            })
            .collect();
        Series {
            label: self.say("温度", "Temperature"),
            unit: "°C".into(),
            spread: Vec::new(),
            points,
            limit: Some(Limit { low: None, high: Some(55.0) }),
            gap_ms: 15 * MINUTE,
        }
    }

    pub(super) fn brightness(&self) -> Series {
        let points =
            (0..24).map(|hour| (NOW - DAY + hour * HOUR, Some(if (5..15).contains(&hour) { 20.0 } else { 68.0 })));
        Series {
            label: self.say("亮度", "Brightness"),
            unit: "%".into(),
            spread: Vec::new(),
            points: points.collect(),
            limit: None,
            gap_ms: 2 * HOUR,
        }
    }

    pub(super) fn overview(&self, trouble: bool) -> OverviewPage {
        let post = |page, normal, abnormal, tickets| PostStatus {
            page,
            counts: Counts { normal, abnormal, ..Counts::default() },
            tickets,
            overdue: 0,
            urgent: None,
        };
        let mut posts = vec![
            post(Page::Concierge, 2, 0, 0),
            post(Page::Engineering, 14, 0, 0),
            post(Page::Showflat, 2, 0, 0),
            post(Page::Reception, 6, 0, 0),
        ];
        let mut sites = vec![];
        let mut chrome =
            Chrome { demo: trouble, person: Some(self.say("陈刚", "Chen Gang")), ..self.chrome(Page::Overview) };
        if trouble {
            posts[0] = post(Page::Concierge, 1, 1, 1);
            posts[1] = PostStatus { overdue: 1, ..post(Page::Engineering, 12, 2, 3) };
            posts[2].urgent =
                Some(self.say("1 号鞋套机只剩 42 只，请补货", "Machine 1: 42 covers left, please refill"));
            posts[3].counts = Counts { normal: 4, unknown: 1, maintenance: 1, ..Counts::default() };
            let site = |zh, en, counts, tickets, overdue| SiteRow {
                name: self.say(zh, en),
                href: "/?site=hz-01".into(),
                counts,
                tickets,
                overdue,
                collection: Collection { up: 2, agents: 2, last: Some(self.at(2 * SECOND)) },
            };
            sites.push(site(
                "湖滨壹号 案场",
                "Lakeside One",
                Counts { normal: 11, abnormal: 2, offline: 1, ..Counts::default() },
                3,
                1,
            ));
            sites.push(site("云栖里 案场", "Cloud Rest", Counts { normal: 18, ..Counts::default() }, 0, 0));
            chrome.site = None;
            chrome.sites = sites
                .iter()
                .map(|site| Choice { label: site.name.clone(), href: site.href.clone(), current: false })
                .collect();
        }
        OverviewPage { chrome, posts, sites, readiness: vec![self.readiness(trouble)], areas: AreaList::default() }
    }
}
