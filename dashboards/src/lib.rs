//! The pages: view models in, HTML out.
//!
//! Owns: every page a person sees (templates, texts in Chinese and English, a stylesheet each for screen and paper, one small script), how times
//! are worded, and how charts are drawn. Must not know: HTTP, SQL, rules, or a clock; `now` is part of the view model.
//!
//! A page is a struct of plain fields. `render` gives the whole document, `render_main` only its `<main>` and
//! the lamp that says whether data come in, which the script asks for with the header `X-Fragment: main` after the hub said that something changed.
//!
//! **Live pages.** The script opens `/events?page={name}` (with `&site={id}` when one site is chosen). The stream sends
//! `heartbeat` every five seconds, `changed` with the device's name, and `reload` when the whole document must be
//! fetched again. Nothing for fifteen seconds raises the stale banner.
//!
//! **Sheets** ([`RepairForm`], [`LabelSheet`]) are documents of their own, to be printed: no frame, no script, a stylesheet in
//! millimetres, and every text cut to the room that it has on paper.
//!
//! **Actions** are plain forms: `POST /t/{no}/{accept|start|finish|confirm}` with `version`, `back` and, on the ticket's
//! own page, `by` and `note`; `POST /d/{code}/life` with `life` and `back`; `POST /checks/start/{site}` with what [`RoundStart`] asks for; `POST /checks/{id}/{save|sign-out|sign-in|dispute}` with what [`RoundPage`] asks for; `POST /report` and `POST /d/{code}/report` with what [`ReportForm`] asks for; `POST /alerts/{id}/{ack|silence}` with `by` and `back`; `POST /silences` and `POST /maintenance` with
//! what [`RestraintsPage`] asks for, and `POST /{silences|maintenance}/{id}/end`; `POST /outbox/{channel}/test` with `back`; `POST /stock/{site}` and below with what [`StockPage`] asks for; `POST /health/ignore` with `domain` and `id`; `POST /sign-in`, `/sign-out`, `/setup/{link}`, `/account/…` and `/people/…` with what
//! their pages ask for. No page needs the script.

use lobby_domain::{access::Need, ticket::arrival::Arrival};

mod account;
mod agent;
mod alert;
mod assets;
mod audit;
mod chart;
mod chat;
mod check;
mod chrome;
mod compliance;
mod concierge;
mod device;
mod engineering;
mod error;
mod escalation;
mod finding;
mod fit;
mod form;
mod health;
mod incident;
mod labels;
mod life;
mod month;
mod outbox;
mod overview;
mod personal;
mod photo;
mod qr;
mod reception;
mod register;
mod report;
mod restraints;
mod roster;
mod sheet;
mod showflat;
mod state;
mod stock;
mod texts;
mod ticket;
mod tile;
mod time;
mod why;

pub use account::{
    AccountPage, HeldLine, Mistake, PeoplePage, PersonLine, PersonState, SessionLine, SetupPage, SignInPage,
};
pub use agent::{AgentPage, AgentsPage, Delivery, Loss};
pub use alert::{AlertFilter, AlertPage, AlertRow, AlertsPage, Clause, Severity};
pub use assets::{
    FAVICON, FAVICON_PATH, KEPT_SCRIPT, KEPT_SCRIPT_PATH, PRINT_STYLES, PRINT_STYLES_PATH, SCRIPT, SCRIPT_PATH, STYLES,
    STYLES_PATH, VERSION,
};
pub use audit::{AuditLine, AuditPage};
pub use chart::{Limit, Series, StateSpan, Window, svg};
pub use chat::{ChatField, ChatPart};
pub use check::{
    ChecksPage, ItemFlag, ItemLine, ItemSaid, ItemStated, Lack, Passed, PhotoWanted, Readiness, RoundLine, RoundPage,
    RoundStart, RoundState, Signed,
};
pub use chrome::{Choice, Chrome, Collection, HeldPost, Notice, Page, Sight, Site};
pub use compliance::{
    AvailabilityLine, ClausePage, ComplianceMonth, CompliancePage, ComplianceTexts, DeviceAlertsPage, KeptLine,
    MessagesPage, OwedLine, ReportSent, SiteKept, SitesPage, Unkept,
};
pub use concierge::ConciergePage;
pub use device::{DevicePage, Range};
pub use engineering::{AgentRow, EngineeringPage, Link, QueueGroup, QueueStage, QueueTicket};
pub use error::{ErrorPage, Problem};
pub use escalation::{Escalation, EscalationLine, EscalationPhase, EscalationState, EscalationsPage};
pub use finding::FindingKey;
pub use form::{Acceptance, Copies, RepairForm};
pub use health::{FindingRow, FindingSeverity, HealthPage};
pub use incident::{Deadline, DeadlineKind, Incident, TicketLine};
pub use labels::{DeviceLabel, LabelSheet};
pub use life::{LifeCard, Newcomer};
pub use month::{
    CountDifference, DayOfMonth, MachineMonth, MonthOf, MonthSitePage, PlaceMonth, Plan, PlanForm, PlanHindsight,
    PlanPage, PlanRefused, PlanSheet, PlanState, PlanStep, PlanTerm, StatementPage, StatementSheet,
};
pub use outbox::{ChannelCard, ChannelState, DeliveryLine, DeliveryState, OutboxPage};
pub use overview::{AreaList, AreaRow, Counts, OverviewPage, PostStatus, SiteRow};
pub use personal::{PersonalMistake, PersonalPart};
pub use photo::{PhotoLine, PhotoMistake, PhotoStage};
pub use reception::ReceptionPage;
pub use register::{
    ImportLine, ItemEventLine, ItemForm, ItemGuestPage, ItemInput, ItemLabelLine, ItemMistake, ItemPage, ItemRefused,
    LabelPage, MoveLine, MoveRefused, MovesPage, RegisterImportPage, RegisterItem, RegisterPage, RegisterTexts,
    TakeLine, TakeLink, TakePage,
};
pub use report::{
    GuestPage, Progress, ReportCard, ReportForm, ReportMistake, ReportPage, ReportReader, Reported, ReportedItem,
    Reporter,
};
pub use restraints::{Restrained, RestraintRow, RestraintsPage, SelectOption, Selection};
pub use roster::{DutyDay, DutyLine, PostNow, Preview, RosterImport, RosterPage, TableMistake};
pub use sheet::{Paper, Sheet};
pub use showflat::{DueRefill, LowStock, Machine, ShowflatPage};
pub use state::{State, Verdict};
pub use stock::{
    HeldPieces, LastDone, RefillForm, StockEntry, StockItem, StockMachine, StockMistake, StockOrder, StockPage,
    StockPlace, StockRefused, UsedUp,
};
pub use texts::{EN, Lang, MonthTexts, PersonalTexts, Texts, ZH, place as filled_with};
pub use ticket::{
    Action, ArrivalDraft, ArrivalMistake, ArrivalTexts, Arriving, Draft, Evidence, HereFor, Priority, Reason, Rejected,
    Repair, TicketEvent, TicketPage, TicketStep, TimelineEntry, WaitingFor, WorkMistake, arrival_proof,
};
pub use tile::{DeviceRef, DeviceTile, Fact};
pub use time::{Calendar, When};
pub use why::{DayPart, WhyPage, WhyPart, WhyPhase, WhyRule};
