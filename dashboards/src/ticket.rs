//! A repair ticket (报修单): its steps, its evidence, what happened to it, and what the reader may do.

mod arrival;
pub(crate) mod texts;

use askama::Template;
use lobby_domain::{access::Need, ticket::arrival::Arrival};

use crate::{
    alert::{AlertRow, Clause},
    chrome::{Chrome, page},
    escalation::Escalation,
    photo::{PhotoLine, PhotoMistake},
    report::ReportCard,
    texts::Texts,
    tile::DeviceRef,
    time::When,
};
pub use arrival::{ArrivalDraft, ArrivalMistake, Arriving, HereFor, proof as arrival_proof};
pub use texts::Texts as ArrivalTexts;

/// How far a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketStep {
    /// 已报修: nobody has taken it yet.
    Reported,
    /// 已接单: somebody has.
    Accepted,
    /// 处理中: somebody works on it.
    InProgress,
    /// 待验收: done; the reporting post must confirm.
    AwaitingConfirmation,
    /// 已关闭.
    Closed,
    /// 已取消: ended without a repair.
    Cancelled,
}

impl TicketStep {
    /// The steps of a ticket that takes its usual way.
    pub const LINE: [Self; 5] =
        [Self::Reported, Self::Accepted, Self::InProgress, Self::AwaitingConfirmation, Self::Closed];

    /// The action that leads to the next step.
    pub fn next_action(self) -> Option<Action> {
        match self {
            Self::Reported => Some(Action::Accept),
            Self::Accepted => Some(Action::Start),
            Self::InProgress => Some(Action::Finish),
            Self::AwaitingConfirmation => Some(Action::Confirm),
            Self::Closed | Self::Cancelled => None,
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Reported => t.step_reported,
            Self::Accepted => t.step_accepted,
            Self::InProgress => t.step_in_progress,
            Self::AwaitingConfirmation => t.step_confirm,
            Self::Closed => t.step_closed,
            Self::Cancelled => t.step_cancelled,
        }
    }

    /// The step as a clause of a sentence, with a place for the department.
    pub(crate) fn progress(self, t: &Texts) -> &'static str {
        match self {
            Self::Reported => t.progress_reported,
            Self::Accepted => t.progress_accepted,
            Self::InProgress => t.progress_in_progress,
            Self::AwaitingConfirmation => t.progress_confirm,
            Self::Closed => t.progress_closed,
            Self::Cancelled => t.progress_cancelled,
        }
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self == Self::Cancelled
    }

    /// Whether a time limit runs.
    pub(crate) fn is_worked(self) -> bool {
        matches!(self, Self::Reported | Self::Accepted | Self::InProgress)
    }

    /// How a step of [`Self::LINE`] looks on the line of a ticket at `self`.
    pub(crate) fn mark(self, step: Self) -> &'static str {
        let place = |wanted| Self::LINE.iter().position(|step| *step == wanted);
        match (place(self), place(step)) {
            (Some(now), Some(step)) if step < now || self == Self::Closed => "done",
            (Some(now), Some(step)) if step == now => "now",
            _ => "later",
        }
    }
}

/// What those who repair wait for. Meanwhile no time limit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitingFor {
    /// 配件.
    Parts,
    /// 供应商.
    Supplier,
    /// 进场许可.
    Access,
}

impl WaitingFor {
    /// Everything that may be waited for.
    pub const ALL: [Self; 3] = [Self::Parts, Self::Supplier, Self::Access];

    /// As a form says it.
    pub fn value(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::Supplier => "supplier",
            Self::Access => "access",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Parts => t.waiting_parts,
            Self::Supplier => t.waiting_supplier,
            Self::Access => t.waiting_access,
        }
    }
}

/// Why a ticket was closed without a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// 未发现故障.
    NoFaultFound,
    /// 不属维修范围.
    OutOfScope,
    /// 重复报修.
    Duplicate,
}

impl Reason {
    /// As a form says it.
    pub fn value(self) -> &'static str {
        match self {
            Self::NoFaultFound => "no_fault_found",
            Self::OutOfScope => "out_of_scope",
            Self::Duplicate => "duplicate",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::NoFaultFound => t.rejected_no_fault,
            Self::OutOfScope => t.rejected_out_of_scope,
            Self::Duplicate => t.rejected_duplicate,
        }
    }
}

/// That a ticket was closed without a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number.
    pub no: String,
    /// Why.
    pub reason: Reason,
    /// The ticket that has its faults now.
    pub duplicate_of: Option<String>,
    /// Who said so.
    pub by: Option<String>,
    /// In their words.
    pub note: Option<String>,
}

/// How urgent a ticket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// 紧急.
    Urgent,
    /// 一般.
    Normal,
    /// 计划性.
    Planned,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Planned];

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Urgent => t.priority_urgent,
            Self::Normal => t.priority_normal,
            Self::Planned => t.priority_planned,
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Urgent => "critical",
            Self::Normal => "major",
            Self::Planned => "minor",
        }
    }
}

/// What a person may do with a ticket: `POST /t/{no}/{verb}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// 接单.
    Accept,
    /// 开始处理.
    Start,
    /// 继续处理, after waiting.
    Resume,
    /// 提请验收.
    Finish,
    /// 确认已恢复, by the reporting post.
    Confirm,
    /// 仍未恢复, by the reporting post.
    Reopen,
}

impl Action {
    /// The last part of its address.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Finish => "finish",
            Self::Confirm => "confirm",
            Self::Reopen => "reopen",
        }
    }

    /// What whoever does it must be allowed to do.
    pub fn need(self) -> Need {
        let action = lobby_domain::ticket::Action::from_text(self.verb(), None, None);
        action.expect("its address is that of a step of a ticket").need()
    }

    /// Where on the ticket's page something has to be filled in for it, if anything has.
    pub(crate) fn asks(self) -> Option<&'static str> {
        match self {
            Self::Start => Some("arrive"),
            Self::Finish => Some("finish"),
            Self::Accept | Self::Resume | Self::Confirm | Self::Reopen => None,
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Accept => t.action_accept,
            Self::Start => t.action_start,
            Self::Resume => t.action_resume,
            Self::Finish => t.action_finish,
            Self::Confirm => t.action_confirm,
            Self::Reopen => t.action_reopen,
        }
    }
}

/// What was said of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Why it failed.
    pub cause: Option<String>,
    /// What was done.
    pub work: Option<String>,
    /// What was used, and how much of it.
    pub materials: Vec<(String, Option<String>)>,
    /// What it cost, such as "¥12.50".
    pub cost: Option<String>,
}

impl Repair {
    /// A material with its quantity.
    pub(crate) fn material(name: &str, quantity: Option<&str>) -> String {
        quantity.map_or_else(|| name.to_owned(), |quantity| format!("{name} × {quantity}"))
    }

    fn materials(&self) -> Vec<String> {
        self.materials.iter().map(|(name, quantity)| Self::material(name, quantity.as_deref())).collect()
    }
}

/// Why what was filled in about a repair could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkMistake {
    /// Nothing is said of the cause.
    NoCause,
    /// The cause is too long.
    LongCause,
    /// There are too many materials.
    TooManyMaterials,
    /// This material, counted from 1, is too long.
    Material(usize),
    /// The cost is no amount.
    Cost,
    /// A photo was not taken.
    Photo(PhotoMistake),
}

impl WorkMistake {
    fn words(self, t: &Texts) -> String {
        match self {
            Self::NoCause => t.mistake_no_cause.to_owned(),
            Self::LongCause => t.mistake_long_cause.to_owned(),
            Self::TooManyMaterials => t.mistake_many_materials.to_owned(),
            Self::Material(nth) => crate::texts::filled(t.mistake_material, nth),
            Self::Cost => t.mistake_cost.to_owned(),
            Self::Photo(mistake) => mistake.words(t).to_owned(),
        }
    }
}

/// What somebody filled in about a repair that could not be taken; usually nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// Why it could not.
    pub mistake: Option<WorkMistake>,
    /// Why it failed.
    pub cause: String,
    /// What was done.
    pub note: String,
    /// What was used, a line each.
    pub materials: String,
    /// What it cost.
    pub cost: String,
    /// Who did it.
    pub by: String,
    /// What was filled in about an arrival instead.
    pub arrival: ArrivalDraft,
}

/// Why a ticket exists: what a rule saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The rule's title.
    pub rule: String,
    /// Its condition in words, with the values seen: "信号 = 无信号，已持续 60 秒".
    pub explanation: String,
    /// When the condition was first seen.
    pub first_seen: When,
    /// When it was last seen.
    pub last_seen: Option<When>,
    /// The clauses it rests on.
    pub clauses: Vec<Clause>,
}

/// What happened to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketEvent {
    /// It was opened.
    Reported,
    /// A further alert was attached.
    AlertAttached,
    /// It was given to somebody.
    Assigned,
    /// Somebody took it.
    Accepted,
    /// Work began.
    Started,
    /// The repair was handed over for confirmation.
    Finished,
    /// The device came back to normal.
    Recovered,
    /// The fault comes and goes.
    Unstable,
    /// The reporting post confirmed.
    Confirmed,
    /// It was opened again.
    Reopened,
    /// It went up the chain of command.
    Escalated,
    /// It stays at its level of the chain of command, with somebody else or from the beginning.
    FollowedUp,
    /// Much of a time limit is gone.
    Reminded,
    /// A time limit passed.
    Overdue,
    /// Those who repair wait for others.
    Waiting,
    /// They go on.
    Resumed,
    /// It has another priority.
    Reprioritised,
    /// Somebody wrote a note.
    Noted,
    /// It got the faults of a duplicate.
    TookOver,
    /// It ended without a repair.
    Cancelled,
}

impl TicketEvent {
    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Reported => t.event_reported,
            Self::AlertAttached => t.event_alert_attached,
            Self::Assigned => t.event_assigned,
            Self::Accepted => t.event_accepted,
            Self::Started => t.event_started,
            Self::Finished => t.event_finished,
            Self::Recovered => t.event_recovered,
            Self::Unstable => t.event_unstable,
            Self::Confirmed => t.event_confirmed,
            Self::Reopened => t.event_reopened,
            Self::Escalated => t.event_escalated,
            Self::FollowedUp => t.event_followed_up,
            Self::Reminded => t.event_reminded,
            Self::Overdue => t.event_overdue,
            Self::Waiting => t.event_waiting,
            Self::Resumed => t.event_resumed,
            Self::Reprioritised => t.event_reprioritised,
            Self::Noted => t.event_noted,
            Self::TookOver => t.event_took_over,
            Self::Cancelled => t.event_rejected,
        }
    }
}

/// One entry of a ticket's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// When.
    pub at: When,
    /// What.
    pub event: TicketEvent,
    /// Who; `None` for the system itself.
    pub actor: Option<String>,
    /// In the person's words.
    pub note: Option<String>,
}

/// `/t/{no}`: how far is it, why does it exist, and what can I do?
#[derive(Debug, Clone, Template)]
#[template(path = "ticket.html", blocks = ["main", "lamp"])]
pub struct TicketPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Its number.
    pub no: String,
    /// The version that an action must name.
    pub version: i64,
    /// Tells this state of the ticket from any other, so that a printed form can be compared.
    pub check: String,
    /// What is wrong.
    pub title: String,
    /// Its step.
    pub step: TicketStep,
    /// How urgent it is.
    pub priority: Priority,
    /// Who reported it: a post, a person, or the system.
    pub reporter: String,
    /// The department that owns it.
    pub department: String,
    /// The person who owns it.
    pub owner: Option<String>,
    /// The device, if it is about one.
    pub device: Option<DeviceRef>,
    /// Its site's name.
    pub site_name: String,
    /// The symptom in the reporter's words.
    pub description: Option<String>,
    /// When it was reported.
    pub reported_at: When,
    /// By when somebody must accept it.
    pub respond_by: Option<When>,
    /// When somebody did.
    pub responded_at: Option<When>,
    /// By when somebody must be there.
    pub arrive_by: Option<When>,
    /// When somebody was.
    pub arrived_at: Option<When>,
    /// How that was shown; nothing where it was not asked for.
    pub arrival: Option<Arrival>,
    /// How the reader may say that they are there; nothing if they may not, or it is about no device.
    pub arriving: Option<Arriving>,
    /// By when the fault must be put right.
    pub complete_by: Option<When>,
    /// When it was.
    pub completed_at: Option<When>,
    /// What is waited for.
    pub waiting_for: Option<WaitingFor>,
    /// Whom the reader may give it to, by what they sign in with, and in words; none if they may not. With nobody to choose, a name is
    /// typed.
    pub assignees: Option<Vec<(String, String)>>,
    /// Whether the reader may say that something has to be waited for.
    pub may_wait: bool,
    /// The priorities it may be given: the id and the words of each; none if it may not.
    pub priorities: Vec<(String, String)>,
    /// Who has it now along the chain of command, and what happens if nobody acts.
    pub escalation: Option<Escalation>,
    /// What the rules saw.
    pub evidence: Vec<Evidence>,
    /// The alerts attached.
    pub alerts: Vec<AlertRow>,
    /// What happened, the newest first.
    pub timeline: Vec<TimelineEntry>,
    /// What the reader may do, the first as the main button.
    pub actions: Vec<Action>,
    /// That it was closed without a repair.
    pub rejected: Option<Rejected>,
    /// The reasons with which the reader may close it without a repair.
    pub reasons: Vec<Reason>,
    /// Other open tickets of the site, of which it may be a duplicate: the number and the title of each.
    pub others: Vec<(String, String)>,
    /// What was said of the repair.
    pub repair: Option<Repair>,
    /// What is filled in about the repair.
    pub draft: Draft,
    /// What people reported, the oldest first.
    pub reports: Vec<ReportCard>,
    /// Photos that did not come with a report, the oldest first.
    pub photos: Vec<PhotoLine>,
    /// Tells a comment from any other, if the reader may make one.
    pub comment: Option<String>,
}

page!(TicketPage);

/// One time limit as the template shows it.
struct Limit<'a> {
    label: &'static str,
    by: &'a When,
    met: Option<&'a When>,
    /// How that was shown.
    proof: Option<String>,
    /// Whether the time still runs.
    runs: bool,
}

impl Limit<'_> {
    fn late(&self, chrome: &Chrome) -> bool {
        match self.met {
            Some(met) => met.ms > self.by.ms,
            None => self.runs && chrome.is_past(self.by),
        }
    }
}

impl TicketPage {
    /// What may be done in one step, with a note at most.
    fn plain(&self) -> Vec<Action> {
        let asks = |action: &Action| match action {
            Action::Start => self.arriving.is_some(),
            action => *action == Action::Finish,
        };
        self.actions.iter().copied().filter(|action| !asks(action)).collect()
    }

    fn may_finish(&self) -> bool {
        self.actions.contains(&Action::Finish)
    }

    /// Whether arriving is what is usually done next, or what was tried just now.
    fn arrives_next(&self) -> bool {
        self.step == TicketStep::Accepted || self.draft.arrival.mistake.is_some()
    }

    /// Whether that is what is usually done next, or what was tried just now.
    fn finishes_next(&self) -> bool {
        self.actions.first() == Some(&Action::Finish) || self.draft.mistake.is_some()
    }

    fn limits(&self) -> Vec<Limit<'_>> {
        let t = self.chrome.t();
        [
            (t.deadline_respond, &self.respond_by, &self.responded_at, None),
            (t.deadline_arrive, &self.arrive_by, &self.arrived_at, self.arrival),
            (t.deadline_complete, &self.complete_by, &self.completed_at, None),
        ]
        .into_iter()
        .filter_map(|(label, by, met, shown)| {
            let runs = self.step.is_worked() && self.waiting_for.is_none();
            let proof = shown.map(|shown| arrival_proof(shown, self.chrome.lang));
            Some(Limit { label, by: by.as_ref()?, met: met.as_ref(), proof, runs })
        })
        .collect()
    }
}
