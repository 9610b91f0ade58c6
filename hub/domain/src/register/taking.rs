//! Stock-takes (SHO-S2: periodic stock-taking): what the register says of a place is compared with what is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AssetNumber, Field, Item, State};
use crate::{report::What, time::Span};

/// How long a stock-take is good for: then the next one is due.
pub const EVERY: Span = Span::from_mins(90 * 24 * 60);

/// What was seen of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is where the register says.
    Found,
    /// It is somewhere else.
    Elsewhere,
    /// It is there and damaged.
    Damaged,
    /// It is not there.
    Missing,
}

/// An item as the register had it when a stock-take began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub nth: u32,
    /// What people call it.
    pub name: String,
    /// Where it should be.
    pub place: String,
    /// How many there should be.
    pub quantity: u32,
}

/// What somebody says of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was seen.
    pub seen: Seen,
    /// How many there are.
    pub count: u32,
    /// Where it is, if elsewhere.
    pub place: String,
    /// The explanation.
    pub note: String,
}

/// What lacks before a stock-take can be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nobody has looked for it.
    Answer,
    /// It differs, and nobody says why.
    Explanation,
    /// It is elsewhere, and nobody says where.
    Place,
}

impl Seen {
    /// Everything that can be seen.
    pub const ALL: [Self; 4] = [Self::Found, Self::Elsewhere, Self::Damaged, Self::Missing];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Elsewhere => "elsewhere",
            Self::Damaged => "damaged",
            Self::Missing => "missing",
        }
    }

    /// What has that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|seen| seen.as_str() == text)
    }
}

impl Line {
    /// The line of an item.
    pub fn of(number: AssetNumber, item: &Item) -> Self {
        Self {
            nth: number.nth(),
            name: item.get(Field::Name).to_owned(),
            place: item.get(Field::Place).to_owned(),
            quantity: item.quantity(),
        }
    }

    /// Whether an answer says anything else than the register.
    pub fn differs(&self, answer: &Answer) -> bool {
        answer.seen != Seen::Found || answer.count != self.quantity
    }

    /// What lacks of it.
    pub fn lacks(&self, answer: Option<&Answer>) -> Option<Lack> {
        let Some(answer) = answer else { return Some(Lack::Answer) };
        if answer.seen == Seen::Elsewhere && answer.place.is_empty() {
            return Some(Lack::Place);
        }
        (self.differs(answer) && answer.note.is_empty()).then_some(Lack::Explanation)
    }

    /// How many are missing.
    pub fn missing(&self, answer: &Answer) -> u32 {
        if answer.seen == Seen::Missing { self.quantity } else { self.quantity.saturating_sub(answer.count) }
    }

    /// What of it the superior is told (CON-S11): damage or loss.
    pub fn loses(&self, answer: &Answer) -> Option<What> {
        match answer.seen {
            Seen::Damaged => Some(What::Damage),
            _ => (self.missing(answer) > 0).then_some(What::Loss),
        }
    }

    /// What the stock-take sets of the item as it is now. What was missing before and is found is in use again; of what is gone nothing
    /// is said any more.
    pub fn sets(&self, now: &Item, answer: &Answer) -> BTreeMap<Field, String> {
        if !now.state().is_here() {
            return BTreeMap::new();
        }
        let state = match answer.seen {
            Seen::Missing => State::Missing,
            Seen::Damaged => State::InRepair,
            Seen::Found | Seen::Elsewhere if now.state() == State::Missing => State::InUse,
            Seen::Found | Seen::Elsewhere => now.state(),
        };
        let mut counted = BTreeMap::from([(Field::State, state.as_str().to_owned())]);
        if answer.seen == Seen::Elsewhere {
            counted.insert(Field::Place, answer.place.clone());
        }
        if answer.seen != Seen::Missing {
            counted.insert(Field::Quantity, answer.count.to_string());
        }
        now.changes(&now.clone().after(&counted))
    }
}
