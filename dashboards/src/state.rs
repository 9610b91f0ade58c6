//! The five states, each told by a word, a shape and a colour, so that none of the three is needed alone.

use crate::texts::Texts;

/// What is known of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It works, and fresh data say so.
    Normal,
    /// Fresh data show a fault.
    Abnormal,
    /// Its agent asked and got no answer.
    Offline,
    /// There are no fresh data. Never shown as normal, nor as a fault.
    Unknown,
    /// Taken out of service on purpose.
    Maintenance,
}

impl State {
    /// Every state, the one that needs a person first.
    pub const ALL: [Self; 5] = [Self::Abnormal, Self::Offline, Self::Unknown, Self::Maintenance, Self::Normal];

    /// The state's word.
    pub fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Normal => t.state_normal,
            Self::Abnormal => t.state_abnormal,
            Self::Offline => t.state_offline,
            Self::Unknown => t.state_unknown,
            Self::Maintenance => t.state_maintenance,
        }
    }

    /// The state's name in the stylesheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
            Self::Maintenance => "maintenance",
        }
    }

    /// The outline of the state's shape on a 16 × 16 grid: disc, triangle, cross, question mark, square.
    pub(crate) fn outline(self) -> &'static str {
        match self {
            Self::Normal => "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z",
            Self::Abnormal => "M8 1l7.5 13.5H.5z",
            Self::Offline => "M3 3l10 10M13 3L3 13",
            Self::Unknown => "M5.2 5.6a2.8 2.8 0 1 1 4.3 2.4Q8 9 8 10.3M8 13.2v.1",
            Self::Maintenance => "M2.5 2.5h11v11h-11z",
        }
    }
}

/// The answer to a page's question: one sentence and the state it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state shown beside the sentence.
    pub state: State,
    /// The sentence.
    pub sentence: String,
}

impl Verdict {
    pub(crate) fn new(state: State, sentence: impl Into<String>) -> Self {
        Self { state, sentence: sentence.into() }
    }
}
