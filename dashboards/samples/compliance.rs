//! How the standards were kept in a month: much, everything, nothing owed, and one clause.

use lobby_dashboards::{
    AlertRow, AvailabilityLine, ClausePage, ComplianceMonth, CompliancePage, DeliveryLine, DeliveryState,
    DeviceAlertsPage, KeptLine, MessagesPage, OwedLine, Page, ReportSent, Severity, SiteKept, SitesPage, Unkept,
};
use lobby_domain::compliance::{Availability, Duty, Excuse, Kept, Tally};

use super::{Sample, Scene};

const HOUR: i64 = 3_600_000;

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let some = s.compliance();
    let kept = Tally { met: 31, ..Tally::default() };
    let empty = CompliancePage {
        total: Tally::default(),
        before: Tally::default(),
        posts: vec![],
        clauses: vec![s.clause_line(Tally::default(), Tally::default())],
        devices: vec![],
        opening_hours: 0,
        cannot: vec![s.say("未配置营业时间：不会生成点检。", "No opening hours are configured.")],
        reports: vec![
            ReportSent { to: "mail".into(), state: DeliveryState::Sent, at: s.at(HOUR), answer: String::new() },
            ReportSent {
                to: s.say("周敏 · z…@example.com", "Zhou Min · z…@example.com"),
                state: DeliveryState::Dead,
                at: s.at(HOUR),
                answer: "550 no such mailbox".into(),
            },
        ],
        ..s.compliance()
    };
    let clause = s.clause_page();
    let nothing = ClausePage { owed: vec![], clause: s.clause_line(Tally::default(), kept), ..s.clause_page() };
    let all_kept =
        CompliancePage { total: kept, uncited: vec![s.say("测试规则", "A rule of a test")], ..s.compliance() };
    let own = CompliancePage {
        own: Some(s.say("礼宾岗", "Concierge")),
        without: vec![],
        posts: s.compliance().posts.into_iter().skip(1).take(1).collect(),
        ..s.compliance()
    };
    let (sites, alerts, messages) = (s.sites_kept(), s.device_alerts(), s.messages());
    let no_alerts = DeviceAlertsPage { alerts: vec![], next: None, ..s.device_alerts() };
    let none_sent = MessagesPage { deliveries: vec![], ..s.messages() };
    let pages = [
        ("compliance-own", own.render(), own.render_main()),
        ("compliance-sites", sites.render(), sites.render_main()),
        ("compliance-device", alerts.render(), alerts.render_main()),
        ("compliance-device-none", no_alerts.render(), no_alerts.render_main()),
        ("messages", messages.render(), messages.render_main()),
        ("messages-none", none_sent.render(), none_sent.render_main()),
        ("compliance", some.render(), some.render_main()),
        ("compliance-kept", all_kept.render(), all_kept.render_main()),
        ("compliance-nothing", empty.render(), empty.render_main()),
        ("compliance-clause", clause.render(), clause.render_main()),
        ("compliance-clause-nothing", nothing.render(), nothing.render_main()),
    ];
    let sample = |(name, page, main)| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}

impl Scene {
    fn clause_line(&self, tally: Tally, before: Tally) -> KeptLine {
        KeptLine {
            id: "CON-S9".into(),
            name: self.say("礼宾岗 工作标准 第 9 条", "Concierge, standard 9"),
            asks: self
                .say("显示屏异常时马上联系工程部门处理。", "When the display is abnormal, engineering is contacted."),
            href: Some("/compliance/2026-11/CON-S9?site=demo".into()),
            tally,
            before,
        }
    }

    fn compliance(&self) -> CompliancePage {
        let tally = Tally { met: 41, late: 1, missed: 2, excused: 3, open: 1 };
        let before = Tally { met: 28, ..Tally::default() };
        let post = |zh, en, tally| KeptLine {
            id: String::new(),
            name: self.say(zh, en),
            asks: String::new(),
            href: None,
            tally,
            before: Tally::default(),
        };
        let device = |zh, en, good, bad, unknown| AvailabilityLine {
            name: self.say(zh, en),
            href: "/d/led-1?site=demo".into(),
            alerts: "/compliance/2026-11/devices/led-1?site=demo".into(),
            availability: Availability {
                good: good * HOUR,
                bad: bad * HOUR,
                maintenance: bad * HOUR / 4,
                unknown: unknown * HOUR,
            },
        };
        CompliancePage {
            chrome: self.chrome(Page::Checks),
            of: ComplianceMonth {
                month: "2026-11".into(),
                previous: "/compliance/2026-10?site=demo".into(),
                next: None,
                csv: "/compliance/2026-11/table/csv?site=demo".into(),
                xlsx: "/compliance/2026-11/table/xlsx?site=demo".into(),
                is_over: false,
            },
            own: None,
            total: tally,
            before,
            posts: vec![
                post("系统", "The hub", Tally { met: 12, excused: 1, ..Tally::default() }),
                post("礼宾", "Concierge", Tally { met: 20, missed: 2, ..Tally::default() }),
                post("工程", "Engineering", Tally { met: 9, late: 1, open: 1, ..Tally::default() }),
            ],
            clauses: vec![
                self.clause_line(tally, before),
                KeptLine { id: "CON-S1".into(), ..self.clause_line(Tally::default(), before) },
            ],
            devices: vec![
                device("入口显示屏", "Entrance display", 190, 2, 9),
                device("电梯厅电视", "Lift-lobby television", 0, 0, 201),
            ],
            opening_hours: 201,
            without: vec![Unkept {
                id: "REC-S6".into(),
                reference: self.say("接待岗 工作标准 第 6 条", "Reception, standard 6"),
                why: Some(self.say("背景灯按需要开关，没有约定的时刻。", "There is no agreed moment.")),
                page: Some("/".into()),
            }],
            uncited: vec![],
            cannot: vec![],
            reports: vec![],
        }
    }

    fn clause_page(&self) -> ClausePage {
        let title = self.say("显示屏无信号", "The display has no signal");
        let line = |duty, kept, done: Option<i64>, by: &str| OwedLine {
            duty,
            title: title.clone(),
            href: "/t/T-2026-11-0007".into(),
            post: self.say("工程", "Engineering"),
            due: self.at(4 * HOUR),
            done: done.map(|ms| self.at(ms)),
            by: by.into(),
            kept,
        };
        ClausePage {
            chrome: self.chrome(Page::Checks),
            month: "2026-11".into(),
            back: "/compliance/2026-11?site=demo".into(),
            clause: self.clause_line(
                Tally { met: 1, late: 1, missed: 1, excused: 1, open: 1 },
                Tally { met: 28, ..Tally::default() },
            ),
            unkept: None,
            owed: vec![
                line(Duty::Response, Kept::Missed, None, ""),
                line(Duty::Arrival, Kept::Late, Some(2 * HOUR), "Zhang"),
                line(Duty::Completion, Kept::Open, None, ""),
                line(Duty::Told, Kept::Met, Some(5 * HOUR), ""),
                line(Duty::Confirmation, Kept::Excused(Excuse::Closed), None, ""),
                line(Duty::Plan, Kept::Met, Some(3 * HOUR), "He"),
                line(Duty::Statement, Kept::Open, None, ""),
                line(Duty::Supply, Kept::Excused(Excuse::Unseen), None, ""),
                line(Duty::Warned, Kept::Missed, None, ""),
                line(Duty::StockTake, Kept::Late, Some(HOUR), "Lin"),
                line(Duty::Consent, Kept::Met, Some(HOUR), "He"),
                line(Duty::Move, Kept::Open, None, ""),
                line(Duty::Message, Kept::Met, Some(HOUR), ""),
            ],
            next: Some("/compliance/2026-11/CON-S9?site=demo&after=100".into()),
        }
    }

    fn sites_kept(&self) -> SitesPage {
        let site = |zh, en, id: &str, tally, before| SiteKept {
            name: self.say(zh, en),
            href: format!("/compliance/2026-11?site={id}"),
            tally,
            before,
        };
        let tally = Tally { met: 41, late: 1, missed: 2, excused: 3, open: 1 };
        let kept = Tally { met: 28, ..Tally::default() };
        SitesPage {
            chrome: self.chrome(Page::Checks),
            month: "2026-11".into(),
            previous: "/compliance/2026-10".into(),
            next: None,
            sites: vec![
                site("云汀案场", "Yunting", "demo", tally, kept),
                site("湖畔案场", "Lakeside", "lake", kept, Tally::default()),
                site("新案场", "New site", "new", Tally::default(), Tally::default()),
            ],
        }
    }

    fn device_alerts(&self) -> DeviceAlertsPage {
        let dark = self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical);
        let over = AlertRow { cleared: Some(self.at(2 * HOUR)), ..dark.clone() };
        DeviceAlertsPage {
            chrome: self.chrome(Page::Checks),
            month: "2026-11".into(),
            device: self.say("入口显示屏", "Entrance display"),
            href: "/d/led-1?site=demo".into(),
            back: "/compliance/2026-11?site=demo".into(),
            alerts: vec![dark, over],
            next: Some("/compliance/2026-11/devices/led-1?site=demo&after=1".into()),
        }
    }

    fn messages(&self) -> MessagesPage {
        let line = |state, channel: &str, note: &str| DeliveryLine {
            state,
            what: self.say("入口屏黑屏 · 发生", "Entrance LED is dark · raised"),
            post: self.say("工程", "Engineering"),
            channel: channel.into(),
            created: self.at(HOUR),
            attempts: 1,
            next: None,
            note: note.into(),
            reference: Some("7f3a19c2".into()),
            resend: None,
        };
        MessagesPage {
            chrome: self.chrome(Page::Alerts),
            alert: "/alerts/0190".into(),
            deliveries: vec![line(DeliveryState::Sent, "wecom", "ok"), line(DeliveryState::Dead, "hook", "404")],
        }
    }
}
