//! Rules of the standards: what is wrong, for how long it must be, whom it concerns. How one moves from phase to phase is told in
//! `state`.

mod state;

use serde::{Deserialize, Serialize};

pub(crate) use self::state::Places;
pub use self::state::{Beside, Decision, Input, Kept, Phase, State, step};
use crate::{
    calendar::Window,
    condition::{Condition, Sample, Truth},
    label::Label,
    time::Span,
};

/// A rule of the standards pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, such as `display-dark`.
    pub id: Box<str>,
    /// The clauses it serves, such as `CON-S9`.
    pub clauses: Vec<Box<str>>,
    /// The kinds of device it judges.
    pub kinds: Vec<Box<str>>,
    /// What is wrong.
    pub when: Condition,
    /// When it is right again; by default, when `when` clearly does not hold.
    pub until: Option<Condition>,
    /// How long it must be wrong before an alert is raised; of no meaning where `samples` are counted instead.
    pub raise_after: Span,
    /// How many of the last samples must be wrong before an alert is raised, instead of how long.
    pub samples: Option<Samples>,
    /// What missing data does to it.
    pub on_no_data: OnNoData,
    /// How long it must be right before the alert is cleared.
    pub clear_after: Span,
    /// When it applies.
    pub during: Window,
    /// How bad it is.
    pub severity: Severity,
    /// What it does to the device's function.
    pub effect: Effect,
    /// The posts that are told.
    pub tells: Vec<Box<str>>,
    /// The repair ticket it opens, if any.
    pub ticket: Option<TicketRule>,
    /// What it says of the supply of a device that hands something out, if that.
    pub supply: Option<Supply>,
    /// The fault in words.
    pub title: Label,
    /// What the posts told are to do, in words.
    pub advice: Label,
}

/// So many of the last so many samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Samples {
    /// How many must be bad.
    pub bad: u32,
    /// Of how many, [`Samples::MOST`] at most.
    pub of: u32,
}

/// What missing data does to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnNoData {
    /// Its timers stand still.
    #[default]
    Hold,
    /// Its timers start anew.
    Unknown,
    /// It fires when nothing has been known for so long. Only for what is the product's own: missing data is no fault of a device.
    FireAfter(Span),
}

/// The repair ticket a rule opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRule {
    /// The department that works it.
    pub department: Box<str>,
    /// Its priority, which sets its deadlines.
    pub priority: Box<str>,
    /// Alerts of one device and one class share one ticket.
    pub fault_class: Box<str>,
    /// The post that confirms the repair.
    pub confirmed_by: Box<str>,
}

/// How much is left in a device that hands something out (SHO-D4, BAR-D5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// Little: whoever refills and buys is told.
    Low,
    /// Nothing.
    Out,
}

/// How bad a fault is, from least to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Needs attention before it becomes worse.
    Warning,
    /// Something does not work.
    Major,
    /// Guests are affected now.
    Critical,
}

/// What a fault does to the function of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The device works; something about it needs attention.
    None,
    /// The device works in part.
    Degraded,
    /// The device does not do what it is for.
    Failed,
}

impl Severity {
    /// The severity of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Major, Self::Critical].into_iter().find(|severity| severity.as_str() == text)
    }

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl Rule {
    /// What this rule sees in a sample; `None` stands for no fresh data.
    pub fn input(&self, sample: Option<&Sample>, in_window: bool) -> Input {
        let Some(sample) = sample else {
            return Input {
                fire: Truth::Unknown,
                recover: Truth::Unknown,
                in_window,
                is_new: false,
                beside: Beside::Nothing,
            };
        };
        let fire = self.when.holds(sample);
        // Semantics 3: back to OK only if the problem expression is false AND the recovery expression is true.
        let recover = match &self.until {
            None => self.when.clearly_not(sample),
            Some(until) => until.holds(sample).min(fire.negated()),
        };
        Input { fire, recover, in_window, is_new: false, beside: Beside::Nothing }
    }
}

impl Samples {
    /// The most samples that are looked back at.
    pub const MOST: u32 = 20;

    /// The last samples, a bit for each.
    fn mask(self) -> u32 {
        (1 << self.of.min(Self::MOST)) - 1
    }
}
