//! How the standards were kept in a month: much, everything, nothing owed, and one clause.

use lobby_dashboards::{
    AvailabilityLine, ClausePage, ComplianceMonth, CompliancePage, KeptLine, OwedLine, Page, Unkept,
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
        ..s.compliance()
    };
    let clause = s.clause_page();
    let nothing = ClausePage { owed: vec![], clause: s.clause_line(Tally::default(), kept), ..s.clause_page() };
    let all_kept =
        CompliancePage { total: kept, uncited: vec![s.say("测试规则", "A rule of a test")], ..s.compliance() };
    let pages = [
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
            availability: Availability { good: good * HOUR, bad: bad * HOUR, unknown: unknown * HOUR },
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
            ],
            next: Some("/compliance/2026-11/CON-S9?site=demo&after=100".into()),
        }
    }
}
