//! An item's month in every situation.

use lobby_dashboards::{
    CountDifference, DayOfMonth, MachineMonth, MonthOf, MonthSitePage, Page, PlaceMonth, Plan, PlanForm, PlanHindsight,
    PlanPage, PlanRefused, PlanSheet, PlanState, PlanStep, PlanTerm, SelectOption, StatementPage, StatementSheet,
    StockMistake,
};

use super::{Sample, Scene};

/// The pages, in `s`.
pub(super) fn all(s: &Scene) -> Vec<Sample> {
    let (statement, plan) = (
        |page: StatementPage| (page.render(), page.render_main()),
        |page: PlanPage| (page.render(), page.render_main()),
    );
    let sites = MonthSitePage {
        chrome: s.chrome(Page::Stock),
        path: "/stock/plan/2026-12".into(),
        sites: vec![SelectOption { value: "demo".into(), label: s.say("云汀案场", "Yunting"), chosen: false }],
        is_empty: false,
    };
    let agreed = StatementPage {
        lost: 0,
        differences: vec![],
        machines: vec![s.month_machine(0)],
        agreed: Some((s.say("林", "Lin"), s.at(0))),
        agree: None,
        ..s.statement()
    };
    let edited = Plan {
        state: PlanState::Open,
        pieces: 7000,
        steps: s.steps()[..1].to_vec(),
        form: PlanForm { edit: true, ..PlanForm::default() },
        ..s.plan_figure()
    };
    let below = Plan { form: PlanForm { edit: false, approve: true, has_approved: true }, ..s.plan_figure() };
    let approved = Plan { state: PlanState::Approved, form: PlanForm::default(), ..s.plan_figure() };
    let refused = |act: &str, mistake, pieces: &str, reason: &str| {
        let (act, pieces, reason) = (act.into(), pieces.into(), reason.into());
        Some(PlanRefused { mistake, act, pieces, reason })
    };
    let no_reason = refused("edit", StockMistake::Reason, "6900", "");
    let no_pieces = refused("edit", StockMistake::Pieces, "6900x", &s.say("活动取消", "The launch is off"));
    let returned = refused("return", StockMistake::Reason, "", "");
    let no_reason = PlanPage { refused: no_reason, ..s.plan(Some(edited.clone())) };
    let no_pieces = PlanPage { refused: no_pieces, ..s.plan(Some(edited.clone())) };
    let returned = PlanPage { refused: returned, ..s.plan(Some(s.plan_figure())) };
    let pages = [
        ("plan-no-reason", plan(no_reason)),
        ("plan-no-pieces", plan(no_pieces)),
        ("plan-return-no-reason", plan(returned)),
        ("statement", statement(s.statement())),
        ("statement-agreed", statement(agreed.clone())),
        ("statement-so-far", statement(StatementPage { is_over: false, agreed: None, ..agreed })),
        ("plan-open", plan(s.plan(Some(edited)))),
        ("plan-approve", plan(s.plan(Some(s.plan_figure())))),
        ("plan-approved-below", plan(s.plan(Some(below)))),
        ("plan-approved", plan(s.plan(Some(approved)))),
        ("plan-unknown", plan(s.plan(None))),
        ("month-site", (sites.render(), sites.render_main())),
    ];
    let sample = |(name, (page, main))| -> Sample {
        let (page, main): (Result<String, _>, Result<String, _>) = (page, main);
        Sample { name, page: page.expect("a page of samples renders"), main: main.expect("a page of samples renders") }
    };
    pages.into_iter().map(sample).collect()
}

/// The same on paper.
pub(super) fn papers(s: &Scene) -> [(&'static str, Result<String, askama::Error>); 4] {
    let statement = |page| StatementSheet {
        sheet: s.sheet("/stock/statement/2026-11/print?site=demo&item=shoe-cover", "/stock/statement/2026-11"),
        site: s.say("云汀案场", "Yunting"),
        page,
    };
    let plan = |page| PlanSheet {
        sheet: s.sheet("/stock/plan/2026-12/print?site=demo&item=shoe-cover", "/stock/plan/2026-12"),
        site: s.say("云汀案场", "Yunting"),
        page,
    };
    let none = StatementPage { machines: vec![], differences: vec![], is_over: false, ..s.statement() };
    [
        ("sheet-statement", statement(s.statement()).render()),
        ("sheet-statement-so-far", statement(none).render()),
        ("sheet-plan", plan(s.plan(Some(s.plan_figure()))).render()),
        ("sheet-plan-unknown", plan(s.plan(None)).render()),
    ]
}

impl Scene {
    fn month_of(&self, month: &str, next: Option<&str>) -> MonthOf {
        MonthOf {
            month: month.into(),
            item: self.say("鞋套", "Shoe covers"),
            unit: self.say("片", "pcs"),
            items: vec![],
            previous: "/stock/statement/2026-10?site=demo&item=shoe-cover".into(),
            next: next.map(Into::into),
            other: "/stock/plan/2026-12?site=demo&item=shoe-cover".into(),
            csv: "/stock/statement/2026-11/csv?site=demo&item=shoe-cover".into(),
            xlsx: "/stock/statement/2026-11/xlsx?site=demo&item=shoe-cover".into(),
            print: "/stock/statement/2026-11/print?site=demo&item=shoe-cover".into(),
        }
    }

    fn month_machine(&self, jams: u32) -> MachineMonth {
        MachineMonth {
            name: self.say("一楼鞋套机", "Ground-floor machine"),
            dispensed: 3310,
            held: 0,
            unsure: 0,
            jams,
            jams_per_thousand: Some(f64::from(jams) / 3.31),
        }
    }

    fn statement(&self) -> StatementPage {
        let second = MachineMonth {
            name: self.say("电梯厅鞋套机", "Lift-lobby machine"),
            dispensed: 2184,
            held: 1310,
            unsure: 1,
            jams: 0,
            jams_per_thousand: Some(0.0),
        };
        let day = |number: i64| {
            let (first, second) = (90 + number * 37 % 60, 60 + number * 53 % 40);
            let by_hand = if number == 12 { 46 } else { 0 };
            DayOfMonth {
                day: format!("11-{number:02}"),
                machines: vec![first, second],
                by_hand,
                used: first + second + by_hand,
            }
        };
        let place = |name: &str, began, changes, ended| PlaceMonth { name: name.into(), began, changes, ended };
        StatementPage {
            chrome: self.chrome(Page::Stock),
            of: self.month_of("2026-11", Some("/stock/statement/2026-12?site=demo&item=shoe-cover")),
            is_over: true,
            used: 5540,
            lost: 52,
            cost: Some("¥1939.00".into()),
            machines: vec![self.month_machine(7), second],
            days: (1..=30).map(day).collect(),
            places: vec![
                place(&self.say("库房", "Store room"), 2400, [6000, -5600, 0, -46, -12, 0, -40], 2702),
                place(&self.say("一楼鞋套机", "Ground-floor machine"), 180, [0, 3400, -3310, 0, 0, 0, 0], 270),
            ],
            agreed: None,
            agree: Some("/stock/statement/demo/shoe-cover/2026-11".into()),
            differences: vec![CountDifference {
                at: self.at(26 * super::HOUR),
                place: self.say("库房", "Store room"),
                booked: 2742,
                counted: 2702,
                reason: self.say("一包受潮，已扔", "A pack was wet and thrown away"),
                who: self.say("林悦", "Lin Yue"),
            }],
        }
    }

    fn steps(&self) -> Vec<PlanStep> {
        let step = |what: &str, who: &str, ago, reason: Option<&str>| PlanStep {
            what: what.into(),
            who: who.into(),
            at: self.at(ago),
            reason: reason.map(Into::into),
        };
        vec![
            step(
                &self.say("改为 7000 片", "Set to 7000 pcs"),
                &self.say("样板房 林悦", "Show flat Lin Yue"),
                26 * super::HOUR,
                Some(&self.say("20 日有开盘活动", "A launch on the 20th")),
            ),
            step(
                &self.say("提交 7000 片", "7000 pcs submitted"),
                &self.say("样板房 林悦", "Show flat Lin Yue"),
                25 * super::HOUR,
                None,
            ),
            step(
                &self.say("批准 7000 片", "7000 pcs approved"),
                &self.say("主管 周敏", "Supervisor Zhou Min"),
                3 * super::HOUR,
                None,
            ),
        ]
    }

    fn plan_figure(&self) -> Plan {
        let term =
            |label: &str, how: Option<&str>, pieces| PlanTerm { label: label.into(), how: how.map(Into::into), pieces };
        let seen = |month: &str, expected, used, error: &str| PlanHindsight {
            month: month.into(),
            expected,
            used,
            error: error.into(),
        };
        Plan {
            state: PlanState::With(self.say("服务中心经理", "Service-centre manager")),
            pieces: 7000,
            boxes: (70, 100),
            cost: Some("¥2450.00".into()),
            terms: vec![
                term(
                    &self.say("本月预计用量", "Expected use of the month"),
                    Some(&self.say(
                        "周二：5 天，每天 186; 周六：4 天，每天 402; 开盘日：2 天，每天 930（为平日的 2.3 倍，据以往 3 个开盘日）",
                        "Tuesdays: 5 days, 186 each; Saturdays: 4 days, 402 each; launch days: 2 x 930 (2.3 times an ordinary day, from 3 past ones)",
                    )),
                    6480,
                ),
                term(
                    &self.say("安全库存", "Safety stock"),
                    Some(&self.say(
                        "1.645 × 日波动 41.2 × √3 天到货",
                        "1.645 x daily deviation 41.2 x root of 3 days to deliver",
                    )),
                    118,
                ),
                term(&self.say("月初前预计用量", "Expected use until the month begins"), None, 610),
                term(&self.say("现有库存", "On hand"), None, -702),
                term(&self.say("在途", "On order"), None, 0),
            ],
            need: 6506,
            proposed: 6600,
            hindsight: vec![seen("2026-09", 6120, 6391, "-4.2 %"), seen("2026-10", 6702, 6377, "+5.1 %")],
            steps: self.steps(),
            seen: 3,
            form: PlanForm { approve: true, ..PlanForm::default() },
        }
    }

    fn plan(&self, plan: Option<Plan>) -> PlanPage {
        let of = MonthOf {
            other: "/stock/statement/2026-11?site=demo&item=shoe-cover".into(),
            ..self.month_of("2026-12", None)
        };
        let action = "/stock/plan/demo/shoe-cover/2026-12".into();
        PlanPage { chrome: self.chrome(Page::Stock), of, action, plan, refused: None }
    }
}
