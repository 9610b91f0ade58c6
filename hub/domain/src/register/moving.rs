//! Moves into a site and out of it: asked for, consented to by the manager, carried out (SHO-S2: moves in or out need the service-centre
//! manager's consent and update the register). Between two places of a site nobody has to be asked.
//!
//! ```text
//! asked ─► approved ─► done
//!   └────► refused
//! ```

use std::collections::BTreeMap;

use super::{Field, Item, Refusal as ItemRefusal, State as ItemState, is_reason};
use crate::time::{Span, Timestamp};

/// A move that is open for longer is overdue.
pub const OVERDUE: Span = Span::from_mins(3 * 24 * 60);

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Out of the site.
    Out,
    /// Back into it.
    Back,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The manager is to say whether it may be.
    Asked,
    /// It may be.
    Approved,
    /// It may not be.
    Refused,
    /// It was carried out.
    Done,
}

/// What somebody does with a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Consents.
    Approve,
    /// Does not consent, and says why.
    Refuse,
    /// Says that it was carried out.
    Confirm,
}

/// Why a step cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not at that step any more, or not yet.
    #[error("the move is not at this step")]
    Step,
    /// It is their own.
    #[error("nobody consents to a move that they have asked for: the site's other manager or an administrator can")]
    Own,
    /// No reason is given.
    #[error("say why, in one line")]
    Reason,
}

impl Way {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Back => "back",
        }
    }

    /// The way of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Out, Self::Back].into_iter().find(|way| way.as_str() == text)
    }

    /// Whether so many of an item can go this way.
    pub fn fits(self, item: &Item, pieces: u32) -> bool {
        match self {
            Self::Out => item.state().is_here() && pieces >= 1 && pieces <= item.quantity(),
            Self::Back => pieces >= 1 && item.state() == ItemState::Out && pieces <= super::MOST_PIECES,
        }
    }

    /// What carrying it out sets. Of what goes in part, the rest stays where it is.
    pub fn sets(self, item: &Item, pieces: u32, place: &str) -> BTreeMap<Field, String> {
        match self {
            Self::Out if pieces < item.quantity() => {
                BTreeMap::from([(Field::Quantity, (item.quantity() - pieces).to_string())])
            }
            Self::Out => {
                BTreeMap::from([(Field::State, ItemState::Out.as_str().to_owned()), (Field::Place, place.to_owned())])
            }
            Self::Back => BTreeMap::from([
                (Field::State, ItemState::InUse.as_str().to_owned()),
                (Field::Place, place.to_owned()),
                (Field::Quantity, pieces.to_string()),
            ]),
        }
    }
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Asked, Self::Approved, Self::Refused, Self::Done];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Done => "done",
        }
    }

    /// The state of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether somebody still has something to do.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Asked | Self::Approved)
    }

    /// Whether a move in this state that was asked for at `asked` is overdue.
    pub fn is_overdue(self, asked: Timestamp, now: Timestamp) -> bool {
        self.is_open() && now.since(asked) > OVERDUE
    }

    /// The state after a step. `own` says that whoever takes it has asked for the move.
    ///
    /// # Errors
    ///
    /// Why it cannot be taken.
    pub fn after(self, step: Step, own: bool, reason: &str) -> Result<Self, Refusal> {
        match (self, step) {
            (Self::Asked, Step::Approve | Step::Refuse) if own => Err(Refusal::Own),
            (Self::Asked, Step::Approve) => Ok(Self::Approved),
            (Self::Asked, Step::Refuse) => match is_reason(reason) {
                Err(ItemRefusal::Reason) => Err(Refusal::Reason),
                _ => Ok(Self::Refused),
            },
            (Self::Approved, Step::Confirm) => Ok(Self::Done),
            _ => Err(Refusal::Step),
        }
    }
}

impl Step {
    /// The step of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Approve, Self::Refuse, Self::Confirm].into_iter().find(|step| step.as_str() == text)
    }

    /// As it stands in addresses and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Refuse => "refuse",
            Self::Confirm => "confirm",
        }
    }

    /// The state to which it leads.
    pub const fn leads_to(self) -> State {
        match self {
            Self::Approve => State::Approved,
            Self::Refuse => State::Refused,
            Self::Confirm => State::Done,
        }
    }
}
