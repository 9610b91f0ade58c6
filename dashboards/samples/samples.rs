//! A sales centre at 15:20 on an ordinary Monday, in every situation the pages must be able to tell.

#[path = "areas.rs"]
mod areas;
#[path = "arrivals.rs"]
mod arrivals;
#[path = "compliance.rs"]
mod compliance;
#[path = "months.rs"]
mod months;
#[path = "register.rs"]
mod register;

use jiff::tz::TimeZone;
use lobby_dashboards::{
    Acceptance, AccountPage, Action, AgentPage, AgentRow, AgentsPage, AlertFilter, AlertPage, AlertRow, AlertsPage,
    AreaList, Arriving, AuditLine, AuditPage, Calendar, ChannelCard, ChannelState, ChecksPage, Choice, Chrome, Clause,
    Collection, ConciergePage, Copies, Counts, DayPart, Deadline, DeadlineKind, Delivery, DeliveryLine, DeliveryState,
    DeviceLabel, DevicePage, DeviceRef, DeviceTile, Draft, DutyDay, DutyLine, EngineeringPage, ErrorPage, Escalation,
    EscalationLine, EscalationPhase, EscalationState, EscalationsPage, Evidence, Fact, FindingKey, FindingRow,
    FindingSeverity, GuestPage, HealthPage, HeldPieces, Incident, ItemFlag, ItemLine, ItemSaid, ItemStated, LabelSheet,
    Lack, Lang, LastDone, LifeCard, Limit, Link, Loss, LowStock, Machine, Mistake, Newcomer, Notice, OutboxPage,
    OverviewPage, Page, Paper, Passed, PeoplePage, PersonLine, PersonState, PersonalMistake, PersonalPart, PhotoLine,
    PhotoStage, PhotoWanted, PostNow, PostStatus, Preview, Priority, Problem, Progress, QueueGroup, QueueStage,
    QueueTicket, Range, Readiness, Reason, ReceptionPage, RefillForm, Rejected, Repair, RepairForm, ReportCard,
    ReportForm, ReportMistake, ReportPage, ReportReader, Reported, Reporter, Restrained, RestraintRow, RestraintsPage,
    RosterImport, RosterPage, RoundLine, RoundPage, RoundState, SelectOption, Selection, Series, SessionLine,
    SetupPage, Severity, Sheet, ShowflatPage, Sight, SignInPage, Signed, Site, SiteRow, State, StateSpan, StockEntry,
    StockItem, StockMachine, StockOrder, StockPage, StockPlace, TableMistake, TicketEvent, TicketLine, TicketPage,
    TicketStep, TimelineEntry, UsedUp, WaitingFor, When, WhyPage, WhyPart, WhyPhase, WhyRule, WorkMistake,
};
use lobby_domain::{access::Role, device::Life, ticket::arrival::Arrival};

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
        compliance::all(&s),
        arrivals::all(&s),
        areas::all(&s),
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
        "stock-reader": StockPage { chrome: Chrome { role: Some(Role::Engineering), ..s.chrome(Page::Stock) }, ..s.stock(vec![s.stock_item()]) };
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
        "escalations-none": EscalationsPage { posts: vec![], lines: vec![], ..s.escalations() };
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
        list("checks-none", ChecksPage { posts: vec![], today: vec![], past: vec![], ..s.checks() }),
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
    forms.into_iter().chain(labels).collect()
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
            role: None,
            sight: Sight::AllSites,
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

    fn fact(&self, zh: &str, en: &str, value: &str, unit: &str) -> Fact {
        Fact {
            label: self.say(zh, en),
            value: Some(value.into()),
            unit: unit.into(),
            at: Some(self.at(4 * SECOND)),
            notable: false,
        }
    }

    fn word(&self, label: (&str, &str), value: (&str, &str)) -> Fact {
        Fact { value: Some(self.say(value.0, value.1)), ..self.fact(label.0, label.1, "", "") }
    }

    fn led_ref(&self) -> DeviceRef {
        self.device_ref("entrance-led", ("入口屏", "大门口"), ("Entrance LED", "Main entrance"))
    }

    fn led(&self) -> DeviceTile {
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

    fn tv(&self) -> DeviceTile {
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

    fn dark_led(&self, step: TicketStep) -> DeviceTile {
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

    fn dark_incident(&self, step: TicketStep) -> Incident {
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

    fn offline_tv(&self) -> DeviceTile {
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

    fn unknown(&self, tile: DeviceTile) -> DeviceTile {
        let facts = tile.facts.into_iter().map(|fact| Fact { value: None, ..fact }).collect();
        DeviceTile {
            state: State::Unknown,
            since: Some(self.at(9 * MINUTE)),
            seen: Some(self.at(9 * MINUTE)),
            facts,
            ..tile
        }
    }

    fn concierge(&self, tiles: Vec<DeviceTile>) -> ConciergePage {
        ConciergePage { chrome: self.chrome(Page::Concierge), tiles }
    }

    fn queue_ticket(&self, no: &str, title: (&str, &str), step: TicketStep, due: i64) -> QueueTicket {
        QueueTicket {
            no: no.into(),
            version: 2,
            title: self.say(title.0, title.1),
            device: Some(self.led_ref()),
            site_name: None,
            priority: Priority::Urgent,
            step,
            reported_at: self.at(26 * MINUTE),
            deadline: Some(Deadline {
                kind: if step == TicketStep::Reported { DeadlineKind::Respond } else { DeadlineKind::Complete },
                at: self.at(-due),
            }),
            owner: (step != TicketStep::Reported).then(|| self.say("李工", "Li")),
            waiting_for: None,
            recovered: false,
            actions: step.next_action().filter(|action| *action != Action::Confirm).into_iter().collect(),
        }
    }

    fn engineering(&self) -> EngineeringPage {
        let choice = |zh, en, href: &str, current| Choice { label: self.say(zh, en), href: href.into(), current };
        let two_sites = vec![
            choice("全部案场", "All sites", "/engineering", true),
            choice("湖滨壹号 案场", "Lakeside One", "/engineering?site=hz-01", false),
            choice("云栖里 案场", "Cloud Rest", "/engineering?site=hz-02", false),
        ];
        let laptop = self.device_ref("laptop-3", ("3 号笔记本", "上网区"), ("Laptop 3", "Internet area"));
        let group = |stage, tickets: Vec<QueueTicket>| QueueGroup {
            stage,
            count: u32::try_from(tickets.len()).unwrap_or(u32::MAX),
            tickets,
            more: None,
        };
        let mut tickets = vec![
            self.queue_ticket(
                "BX-202611-0042",
                ("入口屏黑屏", "Entrance LED is dark"),
                TicketStep::Reported,
                -5 * MINUTE,
            ),
            self.queue_ticket(
                "BX-202611-0043",
                ("鞋套机卡套", "Shoe-cover machine jammed"),
                TicketStep::Accepted,
                12 * MINUTE,
            ),
            QueueTicket {
                priority: Priority::Normal,
                device: Some(laptop.clone()),
                ..self.queue_ticket(
                    "BX-202611-0041",
                    ("笔记本磁盘将满", "Laptop disk nearly full"),
                    TicketStep::Reported,
                    80 * MINUTE,
                )
            },
            QueueTicket {
                priority: Priority::Planned,
                recovered: true,
                ..self.queue_ticket(
                    "BX-202611-0039",
                    ("球台灯管更换", "Replace a table lamp"),
                    TicketStep::InProgress,
                    26 * HOUR,
                )
            },
            self.queue_ticket(
                "BX-202611-0038",
                ("电视无信号", "Television without signal"),
                TicketStep::AwaitingConfirmation,
                HOUR,
            ),
        ];
        let confirm = tickets.split_off(4);
        let working = tickets.split_off(3);
        let reported = tickets.split_off(2);
        let queue = vec![
            QueueGroup {
                count: 41,
                more: Some("/engineering?state=due&after=2".into()),
                ..group(QueueStage::Due, tickets)
            },
            group(QueueStage::Reported, reported),
            group(QueueStage::Working, working),
            group(QueueStage::Confirm, confirm),
        ];
        EngineeringPage {
            chrome: Chrome {
                site: None,
                sites: two_sites,
                collection: Collection { up: 3, agents: 4, last: Some(self.at(SECOND)) },
                ..self.chrome(Page::Engineering)
            },
            queue,
            counts: [41, 1, 1, 1],
            overdue: 1,
            alerts: vec![
                self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical),
                AlertRow {
                    device: laptop,
                    overlay: Some(self.say("维护中，不通知", "in maintenance, nobody is told")),
                    ..self.alert("磁盘将满", "Disk nearly full", Severity::Minor)
                },
            ],
            alerts_open: 7,
            newcomers: vec![Newcomer {
                device: self.device_ref("lift-tv-2", ("二号电梯厅电视", "电梯厅"), ("Lift TV 2", "Lift lobby")),
                kind: self.say("电视", "Television"),
                agent: "lobby-box".to_owned(),
            }],
            agents: vec![self.agent(Link::Up), self.agent(Link::Down), self.agent(Link::Unverified)],
            agents_known: 4,
        }
    }

    fn blind_engineering(&self) -> EngineeringPage {
        EngineeringPage {
            chrome: Chrome {
                collection: Collection { up: 0, agents: 0, last: None },
                ..self.chrome(Page::Engineering)
            },
            queue: no_tickets(),
            counts: [0; 4],
            overdue: 0,
            alerts: vec![],
            alerts_open: 0,
            newcomers: vec![],
            agents: vec![],
            agents_known: 0,
        }
    }

    fn clause(&self, id: &str, zh: &str, en: &str) -> Clause {
        Clause { id: id.into(), reference: self.say(zh, en) }
    }

    fn alert(&self, zh: &str, en: &str, severity: Severity) -> AlertRow {
        AlertRow {
            id: en.to_lowercase().replace(' ', "-"),
            acked: None,
            device: self.led_ref(),
            site_name: None,
            title: self.say(zh, en),
            severity,
            since: self.at(6 * MINUTE),
            cleared: None,
            overlay: None,
            clauses: vec![
                self.clause("CON-D7", "礼宾岗 岗位职责 第 7 条", "Concierge, duty 7"),
                self.clause("CON-S9", "礼宾岗 工作标准 第 9 条", "Concierge, standard 9"),
            ],
            ticket: Some("BX-202611-0042".into()),
            reported: false,
        }
    }

    fn agent(&self, link: Link) -> AgentRow {
        let up = link == Link::Up;
        AgentRow {
            site: "hz-01".parse().expect("a name"),
            id: if up { "lobby-box" } else { "lift-box" }.parse().expect("a name"),
            site_name: None,
            link,
            since: Some(self.at(3 * HOUR)),
            seen: (link != Link::Unverified).then(|| self.at(if up { 3 * SECOND } else { 22 * MINUTE })),
            version: "0.1.0".into(),
            devices: 6,
            backlog: (link != Link::Unverified).then_some(if up { 0 } else { 132 }),
            missing: if up { 0 } else { 7 },
            lost: if up { 0 } else { 42 },
            clock_offset_ms: Some(if up { -38 } else { 184_200 }),
            clock_suspect: !up,
        }
    }

    fn machine(&self, left: u32) -> Machine {
        Machine {
            device: self.device_ref("covers-a", ("1 号鞋套机", "样板房入口"), ("Machine 1", "Show flat entrance")),
            state: State::Normal,
            since: Some(self.at(2 * DAY)),
            seen: Some(self.at(6 * SECOND)),
            maintenance: None,
            left: Some(left),
            capacity: Some(500),
            low_level: Some(50),
            low_stock: None,
            runs_out: Some(UsedUp { likely: self.at(-100 * MINUTE), give_or_take: Some(35 * MINUTE) }),
            refilled: Some(self.done(200, 5 * HOUR)),
            refill: Some(Self::refill("covers-a")),
            dispensed_today: Some(188),
            facts: vec![self.fact("今日卡套", "Jams today", "0", "")],
            incident: None,
        }
    }

    fn second_machine(&self) -> Machine {
        Machine {
            device: self.device_ref("covers-b", ("2 号鞋套机", "样板房通道"), ("Machine 2", "Passage")),
            maintenance: Some(self.say("检修中，至 16:20", "Under maintenance until 16:20")),
            runs_out: None,
            refilled: None,
            refill: None,
            dispensed_today: Some(64),
            ..self.machine(430)
        }
    }

    fn low_machine(&self) -> Machine {
        let low_stock =
            LowStock { since: self.at(18 * MINUTE), who: Some(self.say("样板房 王敏", "Wang Min, show flat")) };
        Machine {
            low_stock: Some(low_stock),
            runs_out: Some(UsedUp { likely: self.at(-20 * MINUTE), give_or_take: None }),
            ..self.machine(42)
        }
    }

    fn jammed_machine(&self) -> Machine {
        let incident = Incident {
            what: self.say("卡套", "jammed"),
            effect: self.say("客人无法自助穿鞋套", "Guests cannot use the machine"),
            next_step: self.say("工程清理出口", "Engineering clears the outlet"),
            ..self.dark_incident(TicketStep::InProgress)
        };
        Machine {
            state: State::Abnormal,
            since: Some(self.at(6 * MINUTE)),
            incident: Some(incident),
            ..self.machine(275)
        }
    }

    fn done(&self, pieces: i64, before: i64) -> LastDone {
        LastDone { pieces, at: self.at(before), who: self.say("王敏", "Wang Min") }
    }

    fn refill(device: &str) -> RefillForm {
        let place = format!("machine/{device}");
        let (site, item, key) = ("hz-01".into(), "shoe-cover".into(), "0192f0c1-1111-7000-8000-000000000001".into());
        RefillForm { site, item, place, amount: 200, key }
    }

    fn stock_machine(&self) -> StockMachine {
        StockMachine {
            name: self.say("1 号鞋套机", "Machine 1"),
            href: "/d/covers-a?site=hz-01".into(),
            device: "covers-a".into(),
            left: Some(120),
            capacity: Some(500),
            booked: None,
            used_up: Some(UsedUp { likely: self.at(-80 * MINUTE), give_or_take: Some(35 * MINUTE) }),
            today: 188,
            refilled: Some(self.done(200, 5 * HOUR)),
            counted: None,
            low: false,
            unknown: false,
            seen: Some(self.at(6 * SECOND)),
            held: vec![],
            refill: Some(Self::refill("covers-a")),
        }
    }

    fn stock_item(&self) -> StockItem {
        let place = |place: &str, name: String, pieces| StockPlace { place: place.into(), name, pieces };
        StockItem {
            id: "shoe-cover".into(),
            name: self.say("鞋套", "Shoe covers"),
            unit: self.say("片", "pcs"),
            kept: true,
            on_hand: 1200,
            min: 200,
            low: false,
            used_up: Some(UsedUp { likely: self.at(-4 * DAY), give_or_take: Some(9 * HOUR) }),
            counted: Some(self.done(1400, 3 * DAY)),
            orders: vec![],
            machines: vec![
                self.stock_machine(),
                StockMachine {
                    name: self.say("2 号鞋套机", "Machine 2"),
                    device: "covers-b".into(),
                    left: None,
                    unknown: true,
                    used_up: None,
                    seen: None,
                    refilled: None,
                    ..self.stock_machine()
                },
            ],
            places: vec![
                place("store", self.say("库房", "Store room"), 1200),
                place("machine/covers-a", self.say("1 号鞋套机", "Machine 1"), 120),
            ],
            hand_out: "store".into(),
            order: 800,
            due: "2026-11-26".into(),
            statement: "/stock/statement/2026-11?site=hz-01&item=shoe-cover".into(),
            plan: "/stock/plan/2026-12?site=hz-01&item=shoe-cover".into(),
        }
    }

    fn stock_entry(&self, what: (&str, &str), pieces: i64, before: i64) -> StockEntry {
        StockEntry {
            id: format!("0192f0c1-2222-7000-8000-{before:012}"),
            what: self.say(what.0, what.1),
            item: self.say("鞋套", "Shoe covers"),
            from: self.say("库房", "Store room"),
            to: self.say("1 号鞋套机", "Machine 1"),
            pieces,
            reason: String::new(),
            who: self.say("王敏", "Wang Min"),
            at: self.at(before),
            corrects: false,
            corrected: false,
        }
    }

    fn stock(&self, items: Vec<StockItem>) -> StockPage {
        let refill = || self.stock_entry(("补货", "Refill"), 200, 5 * HOUR);
        let correction = StockEntry {
            corrects: true,
            reason: self.say("填错", "A slip"),
            ..self.stock_entry(("补货", "Refill"), 20, HOUR)
        };
        StockPage {
            chrome: self.chrome(Page::Stock),
            sites: vec![],
            items,
            entries: vec![
                correction,
                StockEntry { corrected: true, ..self.stock_entry(("补货", "Refill"), 20, 2 * HOUR) },
                refill(),
            ],
            next: Some("/stock?site=hz-01&after=1_2".into()),
            key: "0192f0c1-1111-7000-8000-000000000002".into(),
        }
    }

    fn low_stock(&self) -> Vec<StockItem> {
        let order = StockOrder {
            id: "0192f0c1-3333-7000-8000-000000000001".into(),
            pieces: 300,
            ordered: 800,
            due: self.at(DAY),
            who: self.say("王敏", "Wang Min"),
        };
        let held = HeldPieces { hour: self.at(3 * HOUR), pieces: 9000 };
        let machine = StockMachine {
            booked: Some(97),
            low: true,
            held: vec![held],
            counted: Some(self.done(150, DAY)),
            ..self.stock_machine()
        };
        vec![StockItem {
            on_hand: -20,
            low: true,
            used_up: None,
            orders: vec![order],
            machines: vec![machine],
            ..self.stock_item()
        }]
    }

    fn showflat(&self, machines: Vec<Machine>) -> ShowflatPage {
        ShowflatPage { chrome: self.chrome(Page::Showflat), machines }
    }

    fn simple(&self, code: &str, zh: (&str, &str), en: (&str, &str), facts: Vec<Fact>) -> DeviceTile {
        DeviceTile { device: self.device_ref(code, zh, en), facts, ..self.led() }
    }

    fn reception(&self, trouble: bool) -> ReceptionPage {
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

    fn why(&self) -> WhyPage {
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

    fn device(&self, state: State) -> DevicePage {
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

    fn loss(&self, records: u64, from: Option<i64>) -> Loss {
        Loss {
            epoch: 7,
            first: 1201,
            last: 1200 + records,
            unreadable: records == 1,
            from: from.map(|from| self.at(from)),
            to: self.at(from.unwrap_or(DAY) - 20 * MINUTE),
        }
    }

    fn delivery(&self, missing: u64, lost: u64) -> Delivery {
        Delivery {
            produced: 48_210,
            stored: 48_210 - missing - lost,
            missing,
            missing_since: (missing > 0).then(|| self.at(4 * MINUTE)),
            lost,
            unreadable: u64::from(lost > 0),
            duplicates: 12,
            resends: 2,
            longest_delay_ms: 754_000,
            longest_delay_day_ms: 640,
            per_minute: (missing == 0).then_some(42.4),
        }
    }

    fn agent_page(&self, link: Link, missing: u64, losses: Vec<Loss>) -> AgentPage {
        AgentPage {
            chrome: self.chrome(Page::Agent),
            agent: AgentRow { clock_suspect: false, ..self.agent(link) },
            epoch: 7,
            session: 3,
            delivery: self.delivery(missing, losses.iter().map(Loss::count).sum()),
            next: (!losses.is_empty()).then(|| "/a/hz-01/lobby-box?after=7_1201".into()),
            losses,
        }
    }

    /// A day of temperatures, with two hours in which nobody measured.
    fn temperature(&self) -> Series {
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

    fn brightness(&self) -> Series {
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

    fn repair(&self) -> Repair {
        Repair {
            cause: Some(self.say("发送卡到接收卡的网线老化", "The cable from the sending card had aged")),
            work: Some(self.say("更换网线并固定接口", "Changed the cable and fixed its plug")),
            materials: vec![
                (self.say("六类网线", "Cat 6 cable"), Some("3 m".into())),
                (self.say("扎带", "Cable ties"), None),
            ],
            cost: Some("¥12.50".into()),
        }
    }

    fn ticket(&self, step: TicketStep) -> TicketPage {
        let done = matches!(step, TicketStep::AwaitingConfirmation | TicketStep::Closed);
        let entry = |before, event, actor: Option<String>, note: Option<String>| TimelineEntry {
            at: self.at(before),
            event,
            actor,
            note,
        };
        let li = || Some(self.say("工程部 李工", "Li, Engineering"));
        let mut timeline = vec![entry(26 * MINUTE, TicketEvent::Reported, None, None)];
        if step != TicketStep::Reported {
            timeline.insert(0, entry(21 * MINUTE, TicketEvent::Accepted, li(), None));
            timeline.insert(
                0,
                entry(
                    12 * MINUTE,
                    TicketEvent::Started,
                    li(),
                    Some(
                        self.say(
                            "发送卡接口松动，正在更换网线",
                            "The sending card's plug was loose; changing the cable",
                        ),
                    ),
                ),
            );
        }
        if done {
            timeline.insert(0, entry(3 * MINUTE, TicketEvent::Recovered, None, None));
            timeline.insert(0, entry(2 * MINUTE, TicketEvent::Finished, li(), None));
        }
        TicketPage {
            chrome: Chrome {
                notice: (step == TicketStep::InProgress).then_some(Notice::Conflict),
                path: "/t/BX-202611-0042".into(),
                ..self.chrome(Page::Ticket)
            },
            no: "BX-202611-0042".into(),
            version: 4,
            check: "3f9a0c51d7e2".into(),
            title: self.say("入口屏黑屏", "Entrance LED is dark"),
            step,
            priority: Priority::Urgent,
            reporter: self.say("系统（礼宾岗）", "System, for the concierge"),
            department: self.say("工程部", "Engineering"),
            owner: (step != TicketStep::Reported).then(|| self.say("李工", "Li")),
            device: Some(self.led_ref()),
            site_name: self.say("湖滨壹号 案场", "Lakeside One"),
            description: None,
            reported_at: self.at(26 * MINUTE),
            respond_by: Some(self.at(16 * MINUTE)),
            responded_at: (step != TicketStep::Reported).then(|| self.at(21 * MINUTE)),
            arrive_by: Some(self.at(-4 * MINUTE)),
            arrived_at: (done || step == TicketStep::InProgress).then(|| self.at(12 * MINUTE)),
            arrival: (done || step == TicketStep::InProgress).then_some(Arrival::Label),
            arriving: matches!(step, TicketStep::Reported | TicketStep::Accepted)
                .then(|| Arriving { key: "1c0ffee0-5a11-4b1d-8e55-0123456789ac".into() }),
            complete_by: Some(self.at(-24 * MINUTE)),
            completed_at: done.then(|| self.at(2 * MINUTE)),
            waiting_for: None,
            assignees: match step {
                TicketStep::Reported => Some(vec![self.say("李工", "Li"), self.say("王工", "Wang")]),
                TicketStep::Accepted => Some(Vec::new()),
                _ => None,
            },
            may_wait: step == TicketStep::InProgress,
            priorities: Vec::new(),
            escalation: (!done).then(|| self.escalation(EscalationState::Triggered)),
            evidence: vec![Evidence {
                rule: self.say("显示屏无信号", "Display without signal"),
                explanation: self
                    .say("电源 = 开，且 信号 = 无信号，已持续 60 秒", "power is on and signal is lost, for 60 s"),
                first_seen: self.at(27 * MINUTE),
                last_seen: Some(self.at(4 * SECOND)),
                clauses: self.alert("", "", Severity::Critical).clauses,
            }],
            alerts: vec![self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical)],
            timeline,
            actions: match step {
                TicketStep::Reported => vec![Action::Accept, Action::Start],
                step => step.next_action().into_iter().collect(),
            },
            rejected: (step == TicketStep::Cancelled).then(|| Rejected {
                no: "BX-202611-0042".into(),
                reason: Reason::Duplicate,
                duplicate_of: Some("BX-202611-0041".into()),
                by: Some(self.say("李工", "Li")),
                note: Some(self.say("同一块屏", "The same display")),
            }),
            reasons: if step == TicketStep::InProgress { vec![Reason::OutOfScope, Reason::Duplicate] } else { vec![] },
            others: vec![("BX-202611-0041".into(), self.say("入口屏无信号", "Entrance LED has no signal"))],
            repair: done.then(|| self.repair()),
            draft: Draft::default(),
            reports: if step == TicketStep::InProgress { self.reports() } else { vec![] },
            photos: if done { vec![self.photo(PhotoStage::After, 2 * MINUTE)] } else { vec![] },
            comment: (!matches!(step, TicketStep::Closed | TicketStep::Cancelled))
                .then(|| "1c0ffee0-5a11-4b1d-8e55-0123456789ab".to_owned()),
        }
    }

    fn sheet(&self, path: &str, back: &str) -> Sheet {
        Sheet {
            lang: self.0,
            calendar: self.1.clone(),
            path: path.into(),
            back: back.into(),
            base: "https://lobby.example.com".into(),
            only_here: false,
        }
    }

    fn form(&self, step: TicketStep) -> RepairForm {
        let ticket = self.ticket(step);
        let mut work = ticket.timeline.clone();
        work.retain(|entry| entry.note.is_some());
        RepairForm {
            sheet: self.sheet("/t/BX-202611-0042/print", "/t/BX-202611-0042"),
            paper: Paper::A4,
            copies: Copies::One,
            no: ticket.no,
            check: ticket.check,
            step,
            waiting_for: ticket.waiting_for,
            priority: ticket.priority,
            site_name: ticket.site_name,
            post: self.say("礼宾岗", "Concierge"),
            reporter: self.say("系统", "System"),
            reported_at: ticket.reported_at,
            device: ticket.device,
            code: Some("k7q2m9xa".into()),
            title: ticket.title,
            description: (step == TicketStep::Closed).then(|| {
                self.say(
                    "早上开机后一直没有画面，重启播放盒也不行。",
                    "No picture since it was switched on this morning; restarting the player did not help.",
                )
            }),
            evidence: ticket.evidence,
            department: ticket.department,
            owner: ticket.owner,
            taken_at: ticket.responded_at,
            respond_by: ticket.respond_by,
            arrive_by: ticket.arrive_by,
            complete_by: ticket.complete_by,
            arrived_at: ticket.arrived_at,
            arrival: ticket.arrival,
            finished_at: ticket.completed_at,
            repair: ticket.repair,
            work,
            acceptance: (step == TicketStep::Closed).then(|| Acceptance {
                at: self.at(MINUTE),
                by: Some(self.say("礼宾 小周", "Zhou")),
                remarks: Some(self.say("画面正常", "The picture is fine")),
            }),
        }
    }

    /// A form whose every text is longer than any paper.
    fn long_form(&self) -> RepairForm {
        let form = self.form(TicketStep::Closed);
        let long = self.say(
            "屏幕左上角先闪烁再整屏变黑，随后又亮起，",
            "The upper left corner flickers, then the whole screen goes dark and comes back. WWW ",
        );
        let long = long.repeat(40);
        let proof = Evidence { rule: long.clone(), explanation: long.clone(), ..form.evidence[0].clone() };
        let entry = TimelineEntry { note: Some(long.clone()), ..form.work[0].clone() };
        RepairForm {
            copies: Copies::Three,
            site_name: long.clone(),
            post: long.clone(),
            reporter: long.clone(),
            device: form.device.map(|device| DeviceRef { name: long.clone(), place: long.clone(), ..device }),
            title: long.clone(),
            description: Some(long.clone()),
            evidence: vec![proof; 5],
            department: long.clone(),
            owner: Some(long.clone()),
            repair: Some(Repair {
                cause: Some(long.clone()),
                work: Some(long.clone()),
                materials: vec![(long.clone(), Some(long.clone())); 7],
                cost: Some("¥10000000.00".into()),
            }),
            work: vec![entry; 9],
            acceptance: form.acceptance.map(|word| Acceptance { remarks: Some(long.clone()), ..word }),
            ..form
        }
    }

    fn labels(&self, count: usize) -> LabelSheet {
        let device = |n: usize| if n.is_multiple_of(2) { self.led_ref() } else { self.machine(1).device };
        let label = |n: usize| DeviceLabel {
            device: device(n),
            code: format!("k7q2m9{n:02}"),
            site_name: self.say("湖滨壹号 案场", "Lakeside One"),
        };
        LabelSheet {
            sheet: Sheet { only_here: count == 2, ..self.sheet("/labels?site=hz-01", "/engineering?site=hz-01") },
            labels: (0..count).map(label).collect(),
        }
    }

    fn alerts(&self, filter: AlertFilter) -> AlertsPage {
        let mut alerts = vec![
            self.alert("入口屏黑屏", "Entrance LED is dark", Severity::Critical),
            AlertRow {
                acked: Some(self.say("李工", "Li")),
                overlay: Some(self.say("已静默，直到恢复", "Silenced until solved")),
                ..self.alert("鞋套不足", "Shoe covers run low", Severity::Major)
            },
        ];
        if filter == AlertFilter::All {
            alerts.push(AlertRow {
                cleared: Some(self.at(2 * HOUR)),
                since: self.at(DAY),
                ..self.alert("温度偏高", "Running hot", Severity::Minor)
            });
            alerts.push(AlertRow {
                ticket: None,
                clauses: vec![],
                ..self.alert("例行重启", "Routine restart", Severity::Info)
            });
        }
        let next = (filter == AlertFilter::All).then(|| "/alerts?state=all&before=1795330000000".to_owned());
        AlertsPage { chrome: self.chrome(Page::Alerts), filter, open: 2, alerts, next }
    }

    fn restraints(&self, kind: Restrained) -> RestraintsPage {
        let row = |id: &str, starts: i64, ends: Option<i64>| RestraintRow {
            id: id.into(),
            what: self.say("设备：入口屏", "Device: Entrance LED"),
            starts: self.at(-starts),
            ends: ends.map(|ends| self.at(-ends)),
            author: self.say("李工", "Li"),
            comment: self.say("更换模组", "Changing a module"),
            include_firing: kind == Restrained::Maintenance,
        };
        let option = |value: &str, zh: &str, en: &str, chosen| SelectOption {
            value: value.into(),
            label: self.say(zh, en),
            chosen,
        };
        let t = self.0.texts();
        let selections = vec![
            Selection {
                name: "device",
                label: t.restraint_device,
                options: vec![
                    option("entrance-led", "入口屏", "Entrance LED", true),
                    option("covers-a", "1 号鞋套机", "Machine 1", false),
                ],
            },
            Selection {
                name: "severity",
                label: t.restraint_severity,
                options: vec![option("critical", "紧急", "Critical", false)],
            },
        ];
        let page = if kind == Restrained::Silences { Page::Silences } else { Page::Maintenance };
        RestraintsPage {
            chrome: self.chrome(page),
            kind,
            rows: vec![
                row("r1", -HOUR, Some(2 * HOUR)),
                row("r2", -HOUR, (kind == Restrained::Maintenance).then_some(3 * HOUR)),
                row("r3", DAY, Some(DAY + HOUR)),
                row("r4", -DAY, Some(-HOUR)),
            ],
            selections,
            site: None,
            whole: false,
            starts: String::new(),
            ends: "2026-11-23T17:20".into(),
            include_firing: false,
            comment: String::new(),
            by: String::new(),
        }
    }

    fn channel(&self, name: &str, state: ChannelState, waiting: i64) -> ChannelCard {
        ChannelCard {
            name: name.into(),
            kind: "wecom",
            posts: self.say("工程部、礼宾", "Engineering, Concierge"),
            state,
            waiting,
            answered: (state != ChannelState::New).then(|| self.at(3 * MINUTE)),
            answer: match state {
                ChannelState::New => String::new(),
                ChannelState::Failing => "no connection in time".into(),
                _ => r#"{"errcode":0,"errmsg":"ok"}"#.into(),
            },
        }
    }

    fn outbox(&self) -> OutboxPage {
        let line = |state: DeliveryState, attempts, note: &str| DeliveryLine {
            state,
            what: self.say("入口屏：黑屏 · 发生", "Entrance LED: dark · raised"),
            post: self.say("工程部", "Engineering"),
            channel: "wecom".into(),
            created: self.at(5 * MINUTE),
            attempts,
            next: (state == DeliveryState::Retry).then(|| self.at(-MINUTE)),
            note: note.into(),
            reference: (attempts > 0).then(|| "3f2a9c1d".into()),
            resend: (state == DeliveryState::Dead).then(|| "3f2a9c1d-0000-5000-8000-000000000001".into()),
        };
        OutboxPage {
            chrome: self.chrome(Page::Outbox),
            channels: vec![
                self.channel("wecom", ChannelState::Ok, 0),
                self.channel("ops-mail", ChannelState::Failing, 3),
                self.channel("ding", ChannelState::Paused, 1),
                self.channel("hook", ChannelState::Disabled, 0),
                self.channel("phone", ChannelState::New, 0),
            ],
            filter: None,
            deliveries: vec![
                line(DeliveryState::Queued, 0, &self.say("已静默", "silenced")),
                line(DeliveryState::Sending, 1, ""),
                line(DeliveryState::Retry, 2, "HTTP 503"),
                line(DeliveryState::Sent, 1, "HTTP 204"),
                line(DeliveryState::Digested, 1, "HTTP 204"),
                line(DeliveryState::Dead, 1, r#"{"errcode":93000,"errmsg":"invalid <webhook>"}"#),
                line(DeliveryState::Cancelled, 0, &self.say("发送前已恢复", "over before it was sent")),
            ],
            next: Some("/outbox?after=1795330000000_x_y_z".into()),
        }
    }

    fn health(&self) -> HealthPage {
        let t = self.0.texts();
        let finding = |(domain, about): (&str, &'static str), key: FindingKey, severity, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            FindingRow {
                domain: domain.to_owned(),
                about,
                id: key.as_str().to_owned(),
                severity,
                title: key.title(self.0, &values),
                advice: key.advice(self.0, &values),
                page: None,
                since: self.at(12 * MINUTE),
                ignored: false,
                persistent: false,
            }
        };
        let findings = vec![
            finding(
                ("storage", t.finding_storage),
                FindingKey::DiskFull,
                FindingSeverity::Critical,
                &["/var/lib/lobby"],
            ),
            FindingRow {
                persistent: true,
                ..finding(
                    ("clock", t.finding_clock),
                    FindingKey::ClockStepped,
                    FindingSeverity::Error,
                    &["+1 h", "2026-11-23 15:20"],
                )
            },
            FindingRow {
                page: Some("/a/hz-01/lobby-box".to_owned()),
                ..finding(
                    ("estate", t.finding_estate),
                    FindingKey::AgentLost,
                    FindingSeverity::Warning,
                    &["hz-01/lobby-box", "42"],
                )
            },
            FindingRow {
                ignored: true,
                ..finding(("estate", t.finding_estate), FindingKey::NoHours, FindingSeverity::Warning, &["hz-01"])
            },
        ];
        let chrome = Chrome { troubles: 3, ..self.chrome(Page::Health) };
        HealthPage { chrome, findings, evaluated: Some(self.at(SECOND)) }
    }

    fn overview(&self, trouble: bool) -> OverviewPage {
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

    fn bare(&self, page: Page) -> Chrome {
        Chrome::bare(self.0, self.1.clone(), page, format!("/{}", page.name()))
    }

    fn sign_in(&self, mistake: Option<Mistake>) -> SignInPage {
        let login = if mistake.is_some() { "chen.gang".to_owned() } else { String::new() };
        SignInPage {
            chrome: self.bare(Page::SignIn),
            login,
            back: "/engineering".into(),
            is_new: mistake.is_none(),
            mistake,
        }
    }

    fn setup(&self, first: bool) -> SetupPage {
        let person = (!first).then(|| ("chen.gang".to_owned(), self.say("陈刚", "Chen Gang")));
        let mistake = first.then_some(Mistake::WeakPassword);
        let typed = (self.say("王敏", "Wang Min"), "wang.min".to_owned());
        SetupPage { chrome: self.bare(Page::Setup), person, typed, mistake }
    }

    fn account(&self) -> AccountPage {
        let session = |id: &str, browser: &str, used, is_this| SessionLine {
            id: id.into(),
            browser: browser.into(),
            used: self.at(used),
            ends: self.at(-8 * HOUR),
            is_this,
        };
        AccountPage {
            chrome: Chrome {
                person: Some(self.say("陈刚", "Chen Gang")),
                sight: Sight::OneSite,
                ..self.chrome(Page::Account)
            },
            name: self.say("陈刚", "Chen Gang"),
            login: "chen.gang".into(),
            role: Role::Engineering,
            site: Some(self.say("湖滨壹号 案场", "Lakeside One")),
            sessions: vec![
                session("a", "Chrome · Android", SECOND, true),
                session("b", "Firefox · Windows", 3 * HOUR, false),
            ],
            personal: Some(PersonalPart {
                address: Some("chen.gang@example.com".into()),
                asked: None,
                refused: None,
                lang: String::new(),
                least: "warning".into(),
                held_only: false,
                quiet: ["22:00".into(), "07:00".into()],
                days: [true, true, true, true, true, false, false],
                mistake: None,
            }),
            mistake: None,
        }
    }

    fn account_with_code(&self) -> AccountPage {
        let personal = PersonalPart {
            address: None,
            asked: Some("chen.gang@example.com".into()),
            refused: Some("550 no such mailbox".into()),
            lang: "en".into(),
            least: "info".into(),
            held_only: true,
            quiet: ["22:00".into(), String::new()],
            days: [true; 7],
            mistake: Some(PersonalMistake::Code),
        };
        AccountPage { personal: Some(personal), ..self.account() }
    }

    fn escalation(&self, state: EscalationState) -> Escalation {
        let supervisor = self.say("主管", "Supervisor");
        let manager = self.say("服务中心经理", "Service-centre manager");
        Escalation {
            post: self.say("领班", "Shift leader"),
            holder: Some(self.say("陈刚", "Chen Gang")),
            state,
            next: Some(supervisor.clone()),
            at: (state != EscalationState::Paused).then(|| self.at(-9 * MINUTE)),
            above: vec![("supervisor".into(), supervisor), ("manager".into(), manager)],
        }
    }

    fn escalations(&self) -> EscalationsPage {
        let line = |zh, en, no: Option<&str>, phase, escalation| EscalationLine {
            title: self.say(zh, en),
            href: no.map_or_else(|| "/alerts".into(), |no| format!("/t/{no}")),
            ticket: no.map(Into::into),
            subject: self.say("湖滨壹号 · 大门口 · 入口屏", "Lakeside One · Gate · Entrance LED"),
            phase,
            since: self.at(26 * MINUTE),
            escalation,
        };
        let top = Escalation {
            post: self.say("服务中心经理", "Service-centre manager"),
            holder: None,
            next: None,
            ..self.escalation(EscalationState::Triggered)
        };
        EscalationsPage {
            chrome: self.chrome(Page::Escalations),
            posts: [
                ("/escalations", "全部 4", "All 4"),
                ("/escalations?post=leader", "领班 3", "Shift leader 3"),
                ("/escalations?post=manager", "服务中心经理 1", "Service-centre manager 1"),
            ]
            .map(|(href, zh, en)| Choice {
                label: self.say(zh, en),
                href: href.to_owned(),
                current: href == "/escalations",
            })
            .into(),
            lines: vec![
                line(
                    "入口屏黑屏",
                    "Entrance LED is dark",
                    Some("BX-202611-0042"),
                    EscalationPhase::Repair,
                    self.escalation(EscalationState::Triggered),
                ),
                line("电视无信号", "TV without signal", Some("BX-202611-0040"), EscalationPhase::Confirm, top),
                line(
                    "鞋套机卡套",
                    "Shoe-cover machine jammed",
                    Some("BX-202611-0039"),
                    EscalationPhase::Repair,
                    self.escalation(EscalationState::Held),
                ),
                line(
                    "鞋套快用完了",
                    "Shoe covers running low",
                    None,
                    EscalationPhase::Notice,
                    self.escalation(EscalationState::Paused),
                ),
            ],
        }
    }

    fn audit(&self, actor: Option<&str>) -> AuditPage {
        let line = |no, action: &str, subject: &str, before: Option<&str>, after: Option<&str>| AuditLine {
            no,
            at: self.at(MINUTE),
            actor: self.say("李工", "Engineer Li"),
            kind: "person".into(),
            site: Some(self.say("湖滨壹号 案场", "Lakeside One")),
            action: action.into(),
            subject: subject.into(),
            href: action.starts_with("ticket").then(|| format!("/t/{subject}")),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        let command = AuditLine {
            actor: "uid 0".into(),
            kind: "command".into(),
            site: None,
            ..line(40, "token.create", "q3x9", None, Some("screen: viewer"))
        };
        let newer =
            AuditLine { kind: "robot".into(), actor: String::new(), ..line(39, "later.thing", "x", None, None) };
        AuditPage {
            chrome: Chrome { role: Some(Role::Admin), ..self.chrome(Page::Audit) },
            lines: vec![line(41, "ticket.accept", "WO-202611-0007", Some("new"), Some("accepted")), command, newer],
            actor: actor.map(Into::into),
            next: Some("/audit?after=39".into()),
        }
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

    /// The form of a guest, or one that came back to them.
    fn report_form(&self, mistake: Option<ReportMistake>) -> ReportForm {
        let symptom =
            |value: &str, zh, en, chosen| SelectOption { value: value.into(), label: self.say(zh, en), chosen };
        let came_back = mistake.is_some();
        ReportForm {
            action: "/d/7kq2m9xw/report".into(),
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            reader: ReportReader::Guest,
            symptoms: vec![
                symptom("dark", "黑屏", "Dark", came_back),
                symptom("garbled", "花屏", "Garbled picture", false),
                symptom("no-sound", "无声", "No sound", came_back),
                symptom("other", "其他", "Something else", false),
            ],
            note: if came_back { self.say("右下角一块", "The lower right part") } else { String::new() },
            mistake,
            ..ReportForm::default()
        }
    }

    fn guest(&self, form: Option<ReportForm>, step: Option<TicketStep>) -> GuestPage {
        GuestPage {
            chrome: self.bare(Page::Report),
            name: self.led_ref().name,
            place: self.led_ref().place,
            state: if step.is_some() { State::Abnormal } else { State::Normal },
            progress: step.map(|step| Progress {
                step,
                department: self.say("工程部", "Engineering"),
                due: Some(self.at(-24 * MINUTE)),
            }),
            form,
            back: "/d/7kq2m9xw".into(),
        }
    }

    fn report(&self, of_device: bool) -> ReportPage {
        let device = of_device.then(|| self.led_ref());
        let choice = |zh, en, href: &str| Choice { label: self.say(zh, en), href: href.into(), current: false };
        let form = self.report_form((!of_device).then_some(ReportMistake::NoThing));
        ReportPage {
            chrome: Chrome { notice: of_device.then_some(Notice::Told), ..self.chrome(Page::Report) },
            devices: if of_device {
                vec![]
            } else {
                vec![
                    choice("入口屏 · 大门口", "Entrance LED · Entrance", "/d/entrance-led/report?site=hz-01"),
                    choice("一号鞋套机 · 样板房", "Machine 1 · Show flat", "/d/covers-1/report?site=hz-01"),
                ]
            },
            device,
            form: ReportForm {
                action: "/report?site=hz-01".into(),
                reader: if of_device { ReportReader::Unnamed } else { ReportReader::SignedIn },
                asks_thing: !of_device,
                what: if of_device { Reported::Fault } else { Reported::Damage },
                ..form
            },
        }
    }

    fn round(&self, state: RoundState, progress: (usize, usize)) -> RoundLine {
        RoundLine {
            href: (state != RoundState::Scheduled).then(|| "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab".into()),
            label: self.say("上网区交接", "Internet area's handover"),
            site: None,
            post: self.say("接待岗", "Reception"),
            takes_over: Some(self.say("接待岗", "Reception")),
            people: vec![self.say("小张", "Zhang")],
            opens: self.at(HOUR),
            due: self.at(-20 * MINUTE),
            state,
            progress,
        }
    }

    fn checks(&self) -> ChecksPage {
        let choice = |zh, en, href: &str, current| Choice { label: self.say(zh, en), href: href.into(), current };
        let other = |state| RoundLine {
            label: self.say("斯诺克收场清点", "Snooker's closing count"),
            takes_over: None,
            people: vec![],
            ..self.round(state, (0, 5))
        };
        ChecksPage {
            chrome: self.chrome(Page::Checks),
            posts: vec![
                choice("全部", "All", "/checks", true),
                choice("接待岗", "Reception", "/checks?post=reception", false),
            ],
            today: vec![
                self.round(RoundState::Missed, (1, 4)),
                self.round(RoundState::SignedOut, (4, 4)),
                other(RoundState::Open),
                RoundLine { progress: (0, 0), ..other(RoundState::Scheduled) },
                self.round(RoundState::Done, (4, 4)),
            ],
            past: vec![other(RoundState::DoneLate), other(RoundState::Excused)],
        }
    }

    fn item(&self, id: &str, zh: &str, en: &str) -> ItemLine {
        ItemLine {
            id: id.into(),
            label: self.say(zh, en),
            count: None,
            photo: PhotoWanted::None,
            said: None,
            note: String::new(),
            stated: None,
            readings: vec![],
            flag: None,
            ticket: None,
            by: None,
            photos: vec![],
            lacking: false,
        }
    }

    fn round_page(&self, state: RoundState) -> RoundPage {
        let done = state == RoundState::SignedOut;
        let by = Some(Signed { by: self.say("小张", "Zhang"), at: self.at(9 * MINUTE) });
        let laptop = ItemLine {
            said: Some(ItemSaid::Fail),
            note: self.say("屏幕裂了", "The screen is cracked"),
            stated: Some(ItemStated::Fine),
            readings: vec![
                self.fact("磁盘使用率", "Disk in use", "41", "%"),
                self.word(("网络", "Network"), ("正常", "ok")),
            ],
            flag: Some(ItemFlag::DeviceFine),
            ticket: Some("20261123-007".into()),
            by: by.clone(),
            photos: vec![self.photo(PhotoStage::Report, 9 * MINUTE)],
            ..self.item("laptops.pc-1", "一号电脑：电脑无损坏、可用", "Laptop 1: it is whole and works")
        };
        let network = ItemLine {
            stated: Some(ItemStated::Unknown),
            said: done.then_some(ItemSaid::Pass),
            flag: done.then_some(ItemFlag::TickedUnknown),
            by: by.clone().filter(|_| done),
            lacking: !done,
            ..self.item("network", "网络：可用", "Network: it works")
        };
        let books = ItemLine {
            count: Some(30),
            said: Some(ItemSaid::Count(29)),
            by: by.clone(),
            ..self.item("books", "书籍", "Books")
        };
        let seats = ItemLine {
            photo: PhotoWanted::Required,
            said: done.then_some(ItemSaid::NotApplicable),
            note: if done { self.say("正在清洗", "Being cleaned") } else { String::new() },
            lacking: !done,
            by: by.filter(|_| done),
            ..self.item("seats", "座椅、灯具完好", "Seats and lamps are whole")
        };
        RoundPage {
            chrome: self.chrome(Page::Round),
            round: self.round(state, if done { (4, 4) } else { (2, 4) }),
            action: "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            clauses: vec![Clause {
                id: "REC-S4.3".into(),
                reference: self.say("接待岗 工作标准 第 4 条第 3 款", "Reception, standard 4.3"),
            }],
            items: vec![laptop, network, books, seats],
            key: "1c0ffee0-5a11-4b1d-8e55-0123456789ab".into(),
            may_answer: !done,
            may_take: false,
            asks_name: false,
            signed_out: None,
            signed_in: None,
            dispute: String::new(),
            passed: None,
        }
    }

    fn readiness(&self, trouble: bool) -> Readiness {
        let lack = |what: String, why: String, who: String, href: &str| Lack { what, why, who, href: href.into() };
        let lacks = vec![
            lack(
                self.led_ref().name,
                self.say("入口屏黑屏", "The display is dark"),
                self.say("工程 李工", "Engineering, Li"),
                "/d/entrance-led?site=hz-01",
            ),
            lack(
                self.say("礼宾开门前检查", "Concierge's opening check"),
                self.say("点检未完成 1/2", "round not done 1/2"),
                self.say("礼宾岗 小陈", "Concierge, Chen"),
                "/checks/1c0ffee0-5a11-4b1d-8e55-0123456789ab",
            ),
        ];
        Readiness { site: None, lacks: if trouble { lacks } else { vec![] } }
    }

    fn photo(&self, stage: PhotoStage, before: i64) -> PhotoLine {
        PhotoLine {
            id: "3f9a0c51d7e24b1d8e550123456789ab".into(),
            stage,
            by: (stage == PhotoStage::After).then(|| self.say("李工", "Li")),
            at: self.at(before),
            size: (1600, 1200),
        }
    }

    /// What was reported to a superior.
    fn damage(&self) -> AlertPage {
        let alert = self.alert("物品损坏：大堂花瓶", "Damage: vase in the lobby", Severity::Minor);
        AlertPage {
            chrome: self.chrome(Page::Alerts),
            alert: AlertRow { reported: true, ticket: None, acked: None, ..alert },
            evidence: self
                .say("员工报告；请勿移动，保持现场原样", "Said by the staff; do not touch, keep the place as it is"),
            reports: self.reports(),
            may_acknowledge: true,
        }
    }

    fn reports(&self) -> Vec<ReportCard> {
        let card = |source, by: Option<String>, post: Option<String>, before| ReportCard {
            source,
            by,
            post,
            phone: None,
            call: None,
            what: Reported::Fault,
            thing: String::new(),
            symptoms: self.say("黑屏、无声", "Dark, No sound"),
            note: String::new(),
            at: self.at(before),
            photos: vec![],
        };
        let guest = ReportCard {
            photos: vec![self.photo(PhotoStage::Report, 25 * MINUTE)],
            phone: Some("138****1234".into()),
            note: self.say("右下角一块", "The lower right part"),
            ..card(Reporter::Guest, None, None, 25 * MINUTE)
        };
        let (name, post) = (self.say("周敏", "Zhou Min"), self.say("礼宾岗", "Concierge"));
        let staff = ReportCard {
            what: Reported::Damage,
            thing: self.say("大门口 门框", "Door frame, entrance"),
            ..card(Reporter::Person, Some(name), Some(post), 20 * MINUTE)
        };
        vec![guest, staff]
    }

    fn roster(&self, step: RosterStep) -> RosterPage {
        let line = |day: Option<&str>, hours: &str, post: (&str, &str), person: Option<(&str, &str)>| DutyLine {
            day: day.map(Into::into),
            hours: hours.into(),
            post: self.say(post.0, post.1),
            person: person.map(|(zh, en)| self.say(zh, en)),
            disabled: false,
        };
        let (concierge, engineering) = (("礼宾岗", "Concierge"), ("工程", "Engineering"));
        let (zhao, chen) = (Some(("赵雪", "Zhao Xue")), Some(("陈刚", "Chen Gang")));
        let gone = DutyLine { disabled: true, ..line(None, "16:00 - 2026-11-24 00:30", concierge, chen) };
        let now = |post: (&str, &str), people: &[(&str, &str)]| PostNow {
            post: self.say(post.0, post.1),
            people: people.iter().map(|(zh, en)| self.say(zh, en)).collect(),
        };
        let mistake = |line, column, zh: &str, en: &str| TableMistake { line, column, what: self.say(zh, en) };
        let (mistakes, preview, table) = match step {
            RosterStep::Looking => (vec![], None, ""),
            RosterStep::Mistaken => (
                vec![
                    mistake(
                        2,
                        12,
                        "没有“conserge”这个岗位，是否指“concierge”？",
                        "there is no post `conserge`; did you mean `concierge`?",
                    ),
                    mistake(
                        3,
                        1,
                        "“2026-13-01”不是日期：请写年月日，如 2026-12-01",
                        "`2026-13-01` is not a date: write year, month and day, such as `2026-12-01`",
                    ),
                ],
                None,
                "date,post,shift,person\n2026-11-24,conserge,early,zhao.hz\n2026-13-01,concierge,early,zhao.hz\n",
            ),
            RosterStep::Previewing => (
                vec![],
                Some(Preview {
                    begins: vec![line(Some("2026-11-24"), "08:00 - 16:30", concierge, zhao)],
                    ends: vec![line(Some("2026-11-24"), "08:00 - 16:30", concierge, chen)],
                    over: 3,
                }),
                "date,post,shift,person\n2026-11-24,concierge,early,zhao.hz\n",
            ),
        };
        RosterPage {
            chrome: Chrome {
                person: Some(self.say("王敏", "Wang Min")),
                role: Some(Role::Supervisor),
                ..self.chrome(Page::Roster)
            },
            sites: vec![],
            now: Some(vec![now(concierge, &[("赵雪", "Zhao Xue"), ("王敏", "Wang Min")]), now(engineering, &[])]),
            gaps: Some(vec![
                line(Some("2026-11-24"), "00:30 - 08:00", concierge, None),
                line(Some("2026-11-23"), "15:00 - 2026-11-30 15:00", engineering, None),
            ]),
            days: vec![
                DutyDay { day: "2026-11-23".into(), duties: vec![line(None, "08:00 - 16:30", concierge, zhao), gone] },
                DutyDay { day: "2026-11-24".into(), duties: vec![line(None, "08:00 - 16:30", concierge, chen)] },
            ],
            import: Some(RosterImport {
                site: "hz-01".into(),
                shifts: vec![("early".into(), "08:00 - 16:30".into()), ("late".into(), "16:00 - 00:30".into())],
                table: table.into(),
                mistakes,
                preview,
            }),
        }
    }

    fn people(&self) -> PeoplePage {
        let person = |id: &str, zh: &str, en: &str, role, state| PersonLine {
            id: id.into(),
            name: self.say(zh, en),
            login: format!("{id}.hz"),
            role,
            site: (role != Role::Admin).then(|| self.say("湖滨壹号 案场", "Lakeside One")),
            state,
        };
        let option = |value: &str, label: String| SelectOption { value: value.into(), label, chosen: false };
        PeoplePage {
            chrome: Chrome {
                person: Some(self.say("王敏", "Wang Min")),
                role: Some(Role::Admin),
                ..self.chrome(Page::People)
            },
            people: vec![
                person("wang", "王敏", "Wang Min", Role::Admin, PersonState::Active),
                person("chen", "陈刚", "Chen Gang", Role::Engineering, PersonState::Invited),
                person("zhao", "赵雪", "Zhao Xue", Role::Concierge, PersonState::Disabled),
                PersonLine {
                    name: self.say("已删除人员 1", "Former member 1"),
                    login: "former member 1".into(),
                    ..person("gone", "", "", Role::Concierge, PersonState::Erased)
                },
            ],
            may_erase: true,
            roles: Role::ALL.to_vec(),
            sites: vec![option("hz-01", self.say("湖滨壹号 案场", "Lakeside One"))],
            all_sites: true,
            link: Some((
                self.say("陈刚", "Chen Gang"),
                "lobby.example.com/setup/3PjHhTZxkq0sYw8uJr1mVb6nQd4cLfEa7gRtXo2iKz5".into(),
            )),
            typed: (String::new(), String::new()),
            mistake: Some(Mistake::Taken),
        }
    }

    /// Names as bad as people and machines can make them.
    fn hostile(&self) -> TicketPage {
        let bad = "\"><script>alert('x')</script>&amp;<b>".to_owned();
        let mut page = self.ticket(TicketStep::Reported);
        page.chrome.site.as_mut().expect("the scene has a site").name.clone_from(&bad);
        page.chrome.path = "/t/x?a=1&b=\"><script>".into();
        page.chrome.person = Some(bad.clone());
        page.device.as_mut().expect("the ticket has a device").name.clone_from(&bad);
        page.evidence[0].explanation.clone_from(&bad);
        page.evidence[0].clauses[0].reference.clone_from(&bad);
        page.timeline[0].note = Some(bad.clone());
        page.alerts[0].title.clone_from(&bad);
        TicketPage {
            no: bad.clone(),
            title: bad.clone(),
            owner: Some(bad.clone()),
            description: Some("长".repeat(400)),
            ..page
        }
    }
}
