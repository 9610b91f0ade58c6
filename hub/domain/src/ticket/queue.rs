//! The queue of engineering: what of a ticket is due next, and in which group that puts it.

use super::State;
use crate::time::{Span, Timestamp};

/// A ticket due within this time stands in the first group, with those overdue.
pub const DUE_SOON: Span = Span::from_mins(15);

/// A group of the queue, in the order in which they are worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Past a time limit, or soon.
    Due,
    /// Nobody has accepted it.
    Reported,
    /// Somebody works on it, or waits to.
    Working,
    /// It works again, and waits to be confirmed.
    Confirm,
}

/// The time limits of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By when it is to be accepted.
    pub respond_by: Timestamp,
    /// By when somebody is to be there.
    pub arrive_by: Timestamp,
    /// By when it is to work again.
    pub complete_by: Timestamp,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 4] = [Self::Due, Self::Reported, Self::Working, Self::Confirm];

    /// In one word, as an address names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Reported => "reported",
            Self::Working => "working",
            Self::Confirm => "confirm",
        }
    }

    /// The group of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == text)
    }

    /// The group of a ticket; none if it is closed.
    pub fn of(state: State, limits: Limits, now: Timestamp) -> Option<Self> {
        match state {
            State::Closed => None,
            State::Fixed | State::SelfRecovered => Some(Self::Confirm),
            _ if limits.next(state).is_some_and(|at| at <= now + DUE_SOON) => Some(Self::Due),
            State::New | State::Assigned => Some(Self::Reported),
            State::Accepted | State::InProgress | State::Waiting => Some(Self::Working),
        }
    }
}

impl Limits {
    /// What of a ticket is due next, if its time runs.
    pub const fn next(self, state: State) -> Option<Timestamp> {
        match state {
            State::New | State::Assigned => Some(self.respond_by),
            State::Accepted => Some(self.arrive_by),
            State::InProgress => Some(self.complete_by),
            State::Waiting | State::Fixed | State::SelfRecovered | State::Closed => None,
        }
    }
}
