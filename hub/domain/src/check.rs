//! Rounds: what a post looks at each day, and how one post hands over to the next.
//!
//! ```text
//! scheduled ─ opens ─► open ─ first answer ─► in progress ─ signed by A ─► signed out ─ signed by B ─► signed in
//!                                                  ▲                          │ (a check without a second post ends here)
//!                                                  └────── answered again ── disputed ◄─ B does not agree
//! not done when its time is over ─► missed, which is told upwards and once; it may still be done late
//! ```
//!
//! What a device reports is a suggestion that a person confirms. Where the two do not agree, the answer is flagged.

mod answer;
mod when;

use lobby_contract::DeviceId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    answer::{Answer, Flag, LONGEST_NOTE, Lack, Readings, Said, Stated, lacking},
    when::{Anchor, Due, Look, Slot},
};
use crate::{
    access::Role,
    alert::AlertId,
    calendar::Window,
    condition::Condition,
    kind::Kind,
    label::Label,
    pack::Pack,
    report::{self, What},
    rule::{Effect, OnNoData, Rule, Severity, TicketRule},
    time::Span,
};

/// With what the rule of every failed item begins that is about no device; an item fails into the ticket that it has already.
const ITEM: &str = "reported/check";
/// With what the rule of every missed round begins.
const MISSED: &str = "reported/round";

/// A round as the pack describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checklist {
    /// Its name.
    pub id: Box<str>,
    /// What people call it.
    pub label: Label,
    /// The clauses that ask for it.
    pub clauses: Vec<Box<str>>,
    /// The post that makes it.
    pub post: Box<str>,
    /// The post that takes over, if it is a handover.
    pub takes_over: Option<Box<str>>,
    /// By when, each day of opening.
    pub due: Vec<Due>,
    /// How long before that it may be begun.
    pub opens: Span,
    /// How long after that it is missed.
    pub closes: Span,
    /// What is looked at.
    pub items: Vec<Item>,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub id: Box<str>,
    /// What must be so.
    pub label: Label,
    /// How many must be there, where things are counted.
    pub count: Option<u32>,
    /// Whether a photo is asked for.
    pub photo: Photo,
    /// The kinds of which each device makes an item.
    pub devices: Vec<Box<str>>,
    /// Who repairs what fails, if not whom reports name.
    pub department: Option<Box<str>>,
    /// How urgent that is, if not as reports say.
    pub priority: Option<Box<str>>,
}

/// Whether a photo is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Photo {
    /// No.
    #[default]
    None,
    /// One may be sent.
    Optional,
    /// Without one the item is not answered.
    Required,
}

/// One line of a round, as it was when the round opened: later changes of the pack or of the devices do not touch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name within the round: the item's, and the device's if it is of one.
    pub id: Box<str>,
    /// What must be so.
    pub label: Label,
    /// The device, if it is about one.
    pub device: Option<DeviceId>,
    /// How many must be there.
    pub count: Option<u32>,
    /// Whether a photo is asked for.
    pub photo: Photo,
    /// Who repairs what fails.
    pub department: Option<Box<str>>,
    /// How urgent that is.
    pub priority: Option<Box<str>>,
}

/// How far a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It may be begun.
    Open,
    /// Something is answered.
    InProgress,
    /// Who made it has signed.
    SignedOut,
    /// Who takes over has signed.
    SignedIn,
    /// Who takes over does not agree.
    Disputed,
}

/// What somebody does with a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Answers items.
    Answer,
    /// Signs as who made it.
    SignOut,
    /// Signs as who takes over.
    SignIn,
    /// Does not agree as who takes over.
    Dispute,
}

/// Why something cannot be done with a round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not at that step.
    #[error("the round is {}: this is no step of it now", .0.as_str())]
    State(State),
    /// Nobody takes over.
    #[error("this round is no handover: one signature ends it")]
    NoHandover,
    /// Not everything is answered.
    #[error("not everything is answered: {}", .0.iter().map(|lack| &*lack.line).collect::<Vec<_>>().join(", "))]
    Lacking(Vec<Lack>),
    /// Both signatures would be of one person.
    #[error("a handover is signed by two people")]
    SamePerson,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Open, Self::InProgress, Self::SignedOut, Self::SignedIn, Self::Disputed];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::SignedOut => "signed_out",
            Self::SignedIn => "signed_in",
            Self::Disputed => "disputed",
        }
    }

    /// The state of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing is left to do.
    pub const fn is_done(self, handover: bool) -> bool {
        match self {
            Self::SignedIn => true,
            Self::SignedOut => !handover,
            Self::Open | Self::InProgress | Self::Disputed => false,
        }
    }

    /// Where a deed leads. Whether everything is answered, and by whom, is asked elsewhere.
    ///
    /// # Errors
    ///
    /// If the deed is no step from here.
    pub fn after(self, deed: Deed, handover: bool) -> Result<Self, Refusal> {
        match (deed, self) {
            (Deed::SignIn | Deed::Dispute, _) if !handover => Err(Refusal::NoHandover),
            (Deed::Answer, Self::Open | Self::InProgress) => Ok(Self::InProgress),
            (Deed::SignOut, Self::Open | Self::InProgress | Self::Disputed) => Ok(Self::SignedOut),
            (Deed::SignIn, Self::SignedOut) => Ok(Self::SignedIn),
            (Deed::Answer, Self::Disputed) | (Deed::Dispute, Self::SignedOut) => Ok(Self::Disputed),
            _ => Err(Refusal::State(self)),
        }
    }
}

impl Deed {
    /// The deed of that name in addresses.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "save" => Some(Self::Answer),
            "sign-out" => Some(Self::SignOut),
            "sign-in" => Some(Self::SignIn),
            "dispute" => Some(Self::Dispute),
            _ => None,
        }
    }
}

/// Whether somebody answers and signs for a post: whoever is at it, and the superiors, of whom the shift leader is the first. Whoever is nothing in particular may do everything.
pub fn stands_at(role: Option<Role>, post: &str) -> bool {
    // A shift leader stands in for those below alone.
    let below = !matches!(post, "supervisor" | "manager");
    role.is_none_or(|role| {
        role.as_str() == post || role.may(crate::access::Need::Roster) || (role == Role::Leader && below)
    })
}

/// What tells a round from any other: its site, checklist, day and place in the day.
pub fn round_id(site: &str, checklist: &str, slot: &Slot) -> Uuid {
    const NAMESPACE: Uuid = Uuid::from_u128(0x5c0d_4b1e_7a52_4c0e_9d3f_2f7b_64c8_a1e0);
    Uuid::new_v5(&NAMESPACE, format!("{site}\n{checklist}\n{}\n{}", slot.day, slot.nth).as_bytes())
}

/// What tells a round that somebody starts: its site, its checklist, and the wish to start it.
pub fn started_id(site: &str, checklist: &str, key: Uuid) -> Uuid {
    Uuid::new_v5(&key, format!("{site}\n{checklist}").as_bytes())
}

/// The alert of a missed round.
pub fn missed_alert(round: Uuid) -> AlertId {
    AlertId::of_report(round)
}

/// The rule that stands for a missed round: it is told to the superior of its post, and goes up from there.
pub fn missed_rule(pack: &Pack, round: Uuid, clauses: &[Box<str>], label: &Label) -> Rule {
    let first = pack.chain.steps.iter().find(|post| &***post == report::superior(None));
    let told = first.or(pack.chain.steps.first()).unwrap_or(&pack.chain.last_resort);
    Rule {
        id: format!("{MISSED}-{:08x}", round.as_u128() >> 96).into(),
        clauses: clauses.to_vec(),
        tells: vec![told.clone()],
        title: Label::new(format!("未完成：{}", label.zh), format!("Not done: {}", label.en)),
        advice: Label::new("补做并签字，或由上级确认", "Do it late and sign, or a superior takes notice"),
        effect: Effect::None,
        ..stated()
    }
}

/// The rule that stands for a failed item: the ticket of the device, or one of the item.
pub fn failed_rule(
    pack: &Pack,
    checklist: &str,
    clauses: &[Box<str>],
    line: &Line,
    (kind, post): (Option<&Kind>, &str),
) -> Rule {
    let named = pack.reporting(kind);
    let id: Box<str> = match &line.device {
        Some(_) => report::OF_DEVICE.into(),
        None => format!("{ITEM}/{checklist}/{}", line.id).into(),
    };
    let known = |name: &Option<Box<str>>, usual: Box<str>, is: &dyn Fn(&str) -> bool| {
        name.clone().filter(|name| is(name)).unwrap_or(usual)
    };
    let department = known(&line.department, named.department, &|name| pack.departments.contains_key(name));
    let priority = known(&line.priority, named.priority, &|name| pack.priorities.contains_key(name));
    let confirmed_by = if kind.is_some() { named.confirmed_by } else { post.into() };
    let tells = match pack.departments.get(&department) {
        Some(of) if !named.tells.contains(&of.post) => vec![of.post.clone()],
        _ => named.tells,
    };
    let title = Label::new(format!("点检异常：{}", line.label.zh), format!("Check failed: {}", line.label.en));
    Rule {
        clauses: clauses.to_vec(),
        ticket: Some(TicketRule { department, priority, fault_class: id.clone(), confirmed_by }),
        tells,
        advice: title.clone(),
        title,
        id,
        ..stated()
    }
}

/// What all rules have in common that people state and no machine evaluates.
fn stated() -> Rule {
    Rule {
        id: "".into(),
        clauses: Vec::new(),
        kinds: Vec::new(),
        when: Condition::All(Vec::new()),
        until: None,
        raise_after: Span::ZERO,
        samples: None,
        on_no_data: OnNoData::Hold,
        clear_after: Span::ZERO,
        during: Window::Always,
        severity: Severity::Major,
        effect: Effect::Degraded,
        ticket: None,
        supply: None,
        tells: Vec::new(),
        title: Label::default(),
        advice: Label::default(),
    }
}

/// What of a failed item is reported.
pub const FAILED: What = What::Fault;

#[cfg(test)]
mod tests;
