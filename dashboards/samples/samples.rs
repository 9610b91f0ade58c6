//! A sales centre at 15:20 on an ordinary Monday, in every situation the pages must be able to tell.

#[path = "agents.rs"]
mod agents;
#[path = "areas.rs"]
mod areas;
#[path = "arrivals.rs"]
mod arrivals;
#[path = "chats.rs"]
mod chats;
#[path = "compliance.rs"]
mod compliance;
#[path = "engineering.rs"]
mod engineering;
#[path = "equipment.rs"]
mod equipment;
#[path = "grants.rs"]
mod grants;
#[path = "months.rs"]
mod months;
#[path = "people.rs"]
mod people;
#[path = "register.rs"]
mod register;
#[path = "register_refused.rs"]
mod register_refused;
#[path = "reports.rs"]
mod reports;
#[path = "rounds.rs"]
mod rounds;
#[path = "stock.rs"]
mod stock;
#[path = "stock_refused.rs"]
mod stock_refused;
#[path = "tickets.rs"]
mod tickets;

use jiff::tz::TimeZone;
use lobby_dashboards::{
    AccountPage, Action, AgentsPage, AlertFilter, AlertsPage, AreaList, AuditPage, Calendar, ChannelState, ChecksPage,
    Chrome, Clause, Collection, ConciergePage, Copies, DeliveryState, DeviceLabel, DeviceRef, DeviceTile, Draft,
    EngineeringPage, ErrorPage, EscalationsPage, Evidence, HealthPage, LabelSheet, Lang, Link, Machine, Mistake,
    Notice, OutboxPage, OverviewPage, Page, Paper, Passed, Problem, QueueGroup, QueueStage, ReceptionPage, RepairForm,
    ReportMistake, Restrained, RestraintsPage, RosterPage, RoundPage, RoundState, Sight, Signed, Site, State,
    StockItem, StockPage, TicketPage, TicketStep, WaitingFor, When, WhyPage, WorkMistake,
};
use lobby_domain::access::Role;

/// How far somebody is who imports a roster.
#[derive(Clone, Copy)]
enum RosterStep {
    Looking,
    Mistaken,
    Previewing,
}

const NOW: i64 = 1_795_418_400_000; // 2026-11-23 15:20 in Shanghai
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A page in one situation: its name, the whole document, and its `<main>`.
pub struct Sample {
    pub name: &'static str,
    pub page: String,
    pub main: String,
}

macro_rules! samples {
    ($($name:literal: $page:expr;)*) => {{
        let mut samples = Vec::new();
        $(let page = $page; samples.push(Sample {
            name: $name,
            page: page.render().expect("a page of samples renders"),
            main: page.render_main().expect("a page of samples renders"),
        });)*
        samples
    }};
}

/// Every page in every situation, in `lang`.
pub fn all(lang: Lang) -> Vec<Sample> {
    let zone = TimeZone::get("Asia/Shanghai").expect("the zones are bundled");
    let s = Scene(lang, Calendar::new(NOW, zone));
    [
        s.of_equipment(),
        s.of_alerts(),
        s.of_people(),
        s.of_reports(),
        rosters(&s).into(),
        rounds(&s).into(),
        months::all(&s),
        register::all(&s),
        register_refused::all(&s),
        stock_refused::all(&s),
        compliance::all(&s),
        arrivals::all(&s),
        areas::all(&s),
        grants::all(&s),
        chats::all(&s),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Scene {
    fn of_equipment(&self) -> Vec<Sample> {
        let s = self;
        samples! {
        "overview-normal": s.overview(false);
        "overview-abnormal": s.overview(true);
        "overview-empty": OverviewPage { chrome: s.blind(Page::Overview), posts: vec![], sites: vec![], readiness: vec![], areas: AreaList::default() };
        "concierge-normal": s.concierge(vec![s.led(), s.tv()]);
        "concierge-abnormal": s.concierge(vec![s.dark_led(TicketStep::Accepted), s.tv()]);
        "concierge-confirm": s.concierge(vec![s.dark_led(TicketStep::AwaitingConfirmation), s.offline_tv()]);
        "concierge-unknown": ConciergePage { chrome: s.blind(Page::Concierge), tiles: vec![s.unknown(s.led()), s.unknown(s.tv())] };
        "concierge-maintenance": s.concierge(vec![s.led(), DeviceTile { state: State::Maintenance, ..s.tv() }]);
        "concierge-empty": s.concierge(vec![]);
        "engineering-busy": s.engineering();
        "engineering-group": EngineeringPage { queue: s.engineering().queue.drain(..1).collect(), ..s.engineering() };
        "engineering-quiet": EngineeringPage { queue: no_tickets(), counts: [0; 4], overdue: 0, alerts: vec![], alerts_open: 0, newcomers: vec![], ..s.engineering() };
        "engineering-newcomers": EngineeringPage { queue: no_tickets(), counts: [0; 4], overdue: 0, alerts: vec![], alerts_open: 0, ..s.engineering() };
        "engineering-blind": s.blind_engineering();
        "showflat-normal": s.showflat(vec![s.machine(312), s.second_machine()]);
        "showflat-low": s.showflat(vec![s.low_machine(), s.second_machine()]);
        "showflat-faulty": s.showflat(vec![s.jammed_machine(), s.second_machine()]);
        "showflat-unknown": s.showflat(vec![Machine { state: State::Unknown, left: None, seen: None, ..s.machine(0) }]);
        "showflat-empty": s.showflat(vec![]);
        "stock": s.stock(vec![s.stock_item()]);
        "stock-enough": s.stock(vec![StockItem { machines: vec![s.stock_machine()], ..s.stock_item() }]);
        "stock-low": s.stock(s.low_stock());
        "stock-reader": StockPage { chrome: Chrome { roles: Some(vec![Role::Engineering]), ..s.chrome(Page::Stock) }, ..s.stock(vec![s.stock_item()]) };
        "stock-none": StockPage { entries: vec![], next: None, ..s.stock(vec![]) };
        "reception-normal": s.reception(false);
        "reception-abnormal": s.reception(true);
        "reception-empty": ReceptionPage { snooker: vec![], snooker_figures: vec![], internet: vec![], internet_figures: vec![], rounds: vec![], ..s.reception(false) };
        "device-normal": s.device(State::Normal);
        "device-why": s.why();
        "device-why-right": WhyPage { rules: s.why().rules.split_off(1), alerts: vec![], ..s.why() };
        "device-why-unknown": WhyPage { link: None, seen: None, is_fresh: false, facts: vec![], rules: vec![], alerts: vec![], ..s.why() };
        "device-abnormal": s.device(State::Abnormal);
        "device-unknown": s.device(State::Unknown);
        "ticket-reported": s.ticket(TicketStep::Reported);
        "ticket-working": s.ticket(TicketStep::InProgress);
        "ticket-waiting": TicketPage {
            waiting_for: Some(WaitingFor::Parts),
            actions: vec![Action::Resume, Action::Finish],
            may_wait: false,
            priorities: vec![("P2".into(), s.say("一般", "Ordinary")), ("P3".into(), s.say("计划", "Planned"))],
            ..s.ticket(TicketStep::InProgress)
        };
        "ticket-refused": TicketPage {
            draft: Draft {
                mistake: Some(WorkMistake::Cost),
                cause: s.say("接口松动", "A loose plug"),
                note: String::new(),
                materials: s.say("网线 × 1", "Cable x 1"),
                cost: "12.345".into(),
                by: s.say("李工", "Li"),
                ..Draft::default()
            },
            ..s.ticket(TicketStep::InProgress)
        };
        "ticket-confirm": s.ticket(TicketStep::AwaitingConfirmation);
        "ticket-closed": s.ticket(TicketStep::Closed);
        "ticket-cancelled": TicketPage { evidence: vec![], alerts: vec![], device: None, ..s.ticket(TicketStep::Cancelled) };
        "agents": AgentsPage {
            chrome: s.chrome(Page::Agents),
            up: 1,
            down: 1,
            unverified: 1,
            agents: vec![s.agent(Link::Up), s.agent(Link::Down), s.agent(Link::Unverified)],
            next: Some("/agents?after=hz-01.lift-box".into()),
        };
        "agents-none": AgentsPage { chrome: s.blind(Page::Agents), up: 0, down: 0, unverified: 0, agents: vec![], next: None };
        "agent-normal": s.agent_page(Link::Up, 0, vec![]);
        "agent-lossy": s.agent_page(Link::Up, 5, vec![s.loss(3, Some(2 * HOUR)), s.loss(1, None)]);
        "agent-down": s.agent_page(Link::Down, 0, vec![]);
        }
    }

    fn of_alerts(&self) -> Vec<Sample> {
        let s = self;
        samples! {
        "alerts-open": s.alerts(AlertFilter::Open);
        "alerts-all": s.alerts(AlertFilter::All);
        "alerts-empty": AlertsPage { alerts: vec![], open: 0, next: None, ..s.alerts(AlertFilter::Open) };
        "escalations": s.escalations();
        "escalations-none": EscalationsPage { posts: vec![], lines: vec![], later: 0, ..s.escalations() };
        "silences": s.restraints(Restrained::Silences);
        "silences-none": RestraintsPage { rows: vec![], ..s.restraints(Restrained::Silences) };
        "maintenance": s.restraints(Restrained::Maintenance);
        "outbox": s.outbox();
        "outbox-none": OutboxPage { channels: vec![], deliveries: vec![], filter: Some(DeliveryState::Dead), next: None, ..s.outbox() };
        "outbox-well": OutboxPage { channels: vec![s.channel("wecom", ChannelState::Ok, 0)], ..s.outbox() };
        "health-well": HealthPage { findings: vec![], ..s.health() };
        "health-troubled": s.health();
        }
    }

    fn of_people(&self) -> Vec<Sample> {
        let s = self;
        samples! {
        "sign-in": s.sign_in(None);
        "sign-in-refused": s.sign_in(Some(Mistake::Wait(12)));
        "setup": s.setup(false);
        "setup-first": s.setup(true);
        "account": s.account();
        "account-no-mail": AccountPage { personal: None, ..s.account() };
        "account-code": s.account_with_code();
        "people": s.people();
        "audit": s.audit(None);
        "audit-none": AuditPage { lines: vec![], next: None, ..s.audit(Some("nobody")) };
        "error-not-found": ErrorPage { chrome: s.chrome(Page::Error), problem: Problem::NotFound, reference: None };
        "error-internal": ErrorPage { chrome: s.chrome(Page::Error), problem: Problem::Internal, reference: Some("7f3a-19c2".into()) };
        "hostile": s.hostile();
        }
    }
}

/// The page of who is on duty, in every situation.
/// The groups of a queue without tickets.
fn no_tickets() -> Vec<QueueGroup> {
    let stages = [QueueStage::Due, QueueStage::Reported, QueueStage::Working, QueueStage::Confirm];
    stages.map(|stage| QueueGroup { stage, count: 0, tickets: vec![], more: None }).into()
}

fn rosters(s: &Scene) -> [Sample; 4] {
    let sample = |name, page: RosterPage| Sample {
        name,
        page: page.render().expect("a page of samples renders"),
        main: page.render_main().expect("a page of samples renders"),
    };
    let looking = || s.roster(RosterStep::Looking);
    [
        sample("roster", looking()),
        sample("roster-mistakes", s.roster(RosterStep::Mistaken)),
        sample("roster-preview", s.roster(RosterStep::Previewing)),
        sample("roster-unkept", RosterPage { now: None, gaps: None, days: vec![], import: None, ..looking() }),
    ]
}

/// The pages of rounds, in every situation.
fn rounds(s: &Scene) -> [Sample; 6] {
    let sample = |name, page: Result<String, _>, main: Result<String, _>| Sample {
        name,
        page: page.expect("a page of samples renders"),
        main: main.expect("a page of samples renders"),
    };
    let list = |name, page: ChecksPage| sample(name, page.render(), page.render_main());
    let one = |name, page: RoundPage| sample(name, page.render(), page.render_main());
    let open = || s.round_page(RoundState::InProgress);
    let signed = Signed { by: s.say("早班 小张", "Zhang"), at: s.at(8 * MINUTE) };
    let taken = Signed { by: s.say("晚班 小李", "Li"), at: s.at(2 * MINUTE) };
    let passed = Passed {
        tickets: vec!["20261123-007".into()],
        silences: vec![s.say("球桌维修中 至 18:00", "Table under repair until 18:00")],
        refills: vec![s.say("一号鞋套机：鞋套不足", "Machine 1: covers run low")],
    };
    let record = RoundPage {
        may_answer: false,
        signed_out: Some(signed),
        passed: Some(passed),
        ..s.round_page(RoundState::SignedOut)
    };
    [
        list("checks", s.checks()),
        list("checks-none", ChecksPage { posts: vec![], today: vec![], past: vec![], start: None, ..s.checks() }),
        one("round", open()),
        one(
            "round-lacking",
            RoundPage {
                chrome: Chrome { notice: Some(Notice::Lacking), ..s.chrome(Page::Round) },
                asks_name: true,
                ..open()
            },
        ),
        one("round-taking-over", RoundPage { may_take: true, dispute: HOSTILE.into(), ..record.clone() }),
        one("round-done", RoundPage { signed_in: Some(taken), round: s.round(RoundState::Done, (4, 4)), ..record }),
    ]
}

/// Every printed document in every situation, in `lang`: its name and its HTML.
pub fn sheets(lang: Lang) -> Vec<(&'static str, String)> {
    let zone = TimeZone::get("Asia/Shanghai").expect("the zones are bundled");
    let s = Scene(lang, Calendar::new(NOW, zone));
    let of_agent = || RepairForm { device: None, code: None, evidence: vec![], ..s.form(TicketStep::Reported) };
    let forms = [
        ("form-reported", s.form(TicketStep::Reported)),
        ("form-working", RepairForm { paper: Paper::A5, ..s.form(TicketStep::InProgress) }),
        (
            "form-waiting",
            RepairForm {
                waiting_for: Some(WaitingFor::Supplier),
                evidence: vec![Evidence { last_seen: None, ..s.form(TicketStep::InProgress).evidence[0].clone() }],
                ..s.form(TicketStep::InProgress)
            },
        ),
        ("form-closed", RepairForm { copies: Copies::Three, ..s.form(TicketStep::Closed) }),
        ("form-no-device", of_agent()),
        ("form-long", s.long_form()),
        ("form-hostile", RepairForm { title: HOSTILE.into(), post: HOSTILE.into(), no: HOSTILE.into(), ..of_agent() }),
    ];
    let labels = [
        ("labels", s.labels(2)),
        ("labels-none", s.labels(0)),
        ("labels-many", s.labels(22)),
        (
            "labels-hostile",
            LabelSheet {
                labels: vec![DeviceLabel {
                    device: DeviceRef { name: HOSTILE.into(), place: HOSTILE.into(), ..s.led_ref() },
                    code: "k7q2m9xa".into(),
                    site_name: HOSTILE.into(),
                }],
                ..s.labels(0)
            },
        ),
    ];
    let forms = forms.map(|(name, form)| (name, form.render().expect("a form of samples renders")));
    let labels = labels.map(|(name, labels)| (name, labels.render().expect("labels of samples render")));
    let papers = months::papers(&s).map(|(name, paper)| (name, paper.expect("a month on paper renders")));
    forms.into_iter().chain(labels).chain(papers).collect()
}

const HOSTILE: &str = "<b>\"><script>alert(1)</script>";

/// Builds the view models of one language.
struct Scene(Lang, Calendar);

impl Scene {
    fn say(&self, zh: &str, en: &str) -> String {
        if self.0 == Lang::Zh { zh } else { en }.to_owned()
    }

    /// The moment this long before now.
    fn at(&self, before: i64) -> When {
        self.1.when(NOW - before)
    }

    fn chrome(&self, page: Page) -> Chrome {
        Chrome {
            lang: self.0,
            calendar: self.1.clone(),
            page,
            path: format!("/{}", page.name()),
            site: Some(Site {
                id: "hz-01".parse().expect("a name"), name: self.say("湖滨壹号 案场", "Lakeside One")
            }),
            sites: vec![],
            collection: Collection { up: 2, agents: 2, last: Some(self.at(3 * SECOND)) },
            troubles: 0,
            notice: None,
            demo: false,
            live: true,
            person: None,
            roles: None,
            posts: vec![],
            duty: vec![],
            sight: Sight::AllSites,
            audits: true,
        }
    }

    fn blind(&self, page: Page) -> Chrome {
        Chrome { collection: Collection { up: 0, agents: 2, last: Some(self.at(9 * MINUTE)) }, ..self.chrome(page) }
    }

    fn device_ref(&self, code: &str, zh: (&str, &str), en: (&str, &str)) -> DeviceRef {
        DeviceRef {
            site: "hz-01".parse().expect("a name"),
            code: code.parse().expect("a name"),
            name: self.say(zh.0, en.0),
            area: self.area(code),
            place: self.say(zh.1, en.1),
        }
    }

    fn clause(&self, id: &str, zh: &str, en: &str) -> Clause {
        Clause { id: id.into(), reference: self.say(zh, en) }
    }

    /// What people report, as guests and the staff see it.
    fn of_reports(&self) -> Vec<Sample> {
        let refused = self.report_form(Some(ReportMistake::Wait(42)));
        let guests = [
            ("guest", self.guest(Some(self.report_form(None)), None)),
            ("guest-refused", self.guest(Some(refused), Some(TicketStep::InProgress))),
            ("guest-sent", self.guest(None, Some(TicketStep::Reported))),
            ("guest-done", self.guest(None, Some(TicketStep::Closed))),
        ];
        let staff = [("report", self.report(false)), ("report-device", self.report(true))];
        let damage = self.damage();
        let damage = ("report-damage", damage.render(), damage.render_main());
        let renders = "a page of samples renders";
        let guests = guests.into_iter().map(|(name, page)| (name, page.render(), page.render_main()));
        let staff = staff.into_iter().map(|(name, page)| (name, page.render(), page.render_main()));
        let sample = |(name, page, main): (_, Result<String, _>, Result<String, _>)| Sample {
            name,
            page: page.expect(renders),
            main: main.expect(renders),
        };
        guests.chain(staff).chain([damage]).map(sample).collect()
    }
}
