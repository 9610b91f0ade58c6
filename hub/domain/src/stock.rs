//! The ledger of what is used up: places, and movements between them. There is nothing else: what a place holds is the sum of what came
//! less the sum of what went, in whatever order the entries came. An entry is never edited; a mistake is corrected by a counter-entry.
//!
//! ```text
//! supplier ──order──► ordered ──receive──► store ──refill──► machine ──(its counter)──► guests
//!                                            └──by hand──► guests        difference ◄──count──► any place        any place ──► waste
//! ```
//!
//! What machines hand out is no entry: it is counted by them, and added up anew from their records (see [`dispensed`]).

pub mod dispensed;
pub mod levels;
pub mod low;
pub mod refill;

use std::{collections::BTreeMap, fmt, str::FromStr};

use lobby_contract::DeviceId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// The most pieces of one movement: more is a slip of the hand.
pub const MOST: i64 = 1_000_000;
/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// Where pieces are, or come from, or go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The site's store room (库房).
    Store,
    /// Where those lie that are handed out by hand (SHO-S7), if they are kept apart from the store room.
    Counter,
    /// In a machine.
    Machine(DeviceId),
    /// Ordered, and not here yet.
    Ordered,
    /// Whoever they are bought from.
    Supplier,
    /// Guests: used.
    Guests,
    /// Thrown away.
    Waste,
    /// What counts found to be more or less than expected.
    Difference,
}

/// What a movement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 入库: goods came to the store room.
    Receive,
    /// 补货: a machine was refilled from the store room.
    Refill,
    /// 手工发放: handed to guests by hand while a machine could not (SHO-S7).
    HandOut,
    /// 盘点: counted; what is posted is the difference.
    Count,
    /// 报废: thrown away.
    Waste,
    /// 调拨: from one place of the site to another.
    Transfer,
    /// 下单: ordered.
    Order,
}

/// What a person says has been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Goods came, of an order or without one.
    Receive {
        /// How many.
        pieces: i64,
        /// Of which order.
        order: Option<Uuid>,
    },
    /// A machine was refilled.
    Refill {
        /// Which.
        machine: DeviceId,
        /// With how many.
        pieces: i64,
    },
    /// Handed to guests by hand.
    HandOut {
        /// From where.
        from: Place,
        /// How many.
        pieces: i64,
    },
    /// A place was counted.
    Count {
        /// Which.
        place: Place,
        /// How many there are.
        counted: i64,
    },
    /// Thrown away.
    Waste {
        /// From where.
        from: Place,
        /// How many.
        pieces: i64,
    },
    /// Put elsewhere.
    Transfer {
        /// From where.
        from: Place,
        /// To where.
        to: Place,
        /// How many.
        pieces: i64,
    },
    /// Ordered.
    Order {
        /// How many.
        pieces: i64,
        /// When they are to come.
        due: Timestamp,
    },
    /// What is still to come of an order will not.
    Cancel {
        /// Which order.
        order: Uuid,
    },
}

/// A movement, before it has a time and somebody who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// What it is.
    pub kind: Kind,
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// How many pieces: more than none, unless a count found what was expected.
    pub pieces: i64,
    /// How many were counted, if it is a count.
    pub counted: Option<i64>,
    /// The order that it is of.
    pub order: Option<Uuid>,
    /// When what is ordered is to come.
    pub due: Option<Timestamp>,
}

/// Why something is no movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No pieces, or more than anybody moves at once.
    #[error("pieces are a whole number from 1 to {MOST}; a count may find none")]
    Pieces,
    /// A count found another number than the ledger has, and nobody says why.
    #[error("the count differs from the ledger: say why in `reason`")]
    Reason,
    /// A reason that is too long.
    #[error("`reason` has at most {LONGEST_REASON} characters, in one line")]
    LongReason,
    /// No place of a site, or twice the same.
    #[error("pieces are moved between two places of the site: `store`, `counter` or `machine/ID`")]
    Place,
    /// Nothing of an order is still to come.
    #[error("nothing of this order is still to come")]
    Arrived,
}

impl Place {
    /// Whether it is a place at the site that somebody can count.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Store | Self::Counter | Self::Machine(_))
    }

    /// The machine, if it is one.
    pub const fn machine(&self) -> Option<&DeviceId> {
        match self {
            Self::Machine(device) => Some(device),
            _ => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Counter => f.write_str("counter"),
            Self::Machine(device) => write!(f, "machine/{device}"),
            Self::Ordered => f.write_str("ordered"),
            Self::Supplier => f.write_str("supplier"),
            Self::Guests => f.write_str("guests"),
            Self::Waste => f.write_str("waste"),
            Self::Difference => f.write_str("difference"),
        }
    }
}

/// A text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no place `{0}`: use store, counter or machine/ID with the id of a device")]
pub struct NoSuchPlace(pub Box<str>);

impl FromStr for Place {
    type Err = NoSuchPlace;

    fn from_str(text: &str) -> Result<Self, NoSuchPlace> {
        let named =
            [Self::Store, Self::Counter, Self::Ordered, Self::Supplier, Self::Guests, Self::Waste, Self::Difference];
        let machine = text.strip_prefix("machine/").and_then(|device| device.parse().ok()).map(Self::Machine);
        let found = machine.or_else(|| named.into_iter().find(|place| place.to_string() == text));
        found.ok_or_else(|| NoSuchPlace(text.into()))
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Receive, Self::Refill, Self::HandOut, Self::Count, Self::Waste, Self::Transfer, Self::Order];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Refill => "refill",
            Self::HandOut => "hand-out",
            Self::Count => "count",
            Self::Waste => "waste",
            Self::Transfer => "transfer",
            Self::Order => "order",
        }
    }

    /// The kind of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Deed {
    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Receive { .. } => Kind::Receive,
            Self::Refill { .. } => Kind::Refill,
            Self::HandOut { .. } => Kind::HandOut,
            Self::Count { .. } => Kind::Count,
            Self::Waste { .. } => Kind::Waste,
            Self::Transfer { .. } => Kind::Transfer,
            Self::Order { .. } | Self::Cancel { .. } => Kind::Order,
        }
    }

    /// The order that it is about, if it is about one that was made before.
    pub const fn order(&self) -> Option<Uuid> {
        match self {
            Self::Receive { order, .. } => *order,
            Self::Cancel { order } => Some(*order),
            _ => None,
        }
    }

    /// The entry that it makes. `id` is that of the entry, `holds` says what a place holds, and `open` is what is still to come of the
    /// order that it is about.
    ///
    /// # Errors
    ///
    /// Why it makes none.
    pub fn movement(
        &self,
        id: Uuid,
        reason: &str,
        holds: impl Fn(&Place) -> i64,
        open: i64,
    ) -> Result<Movement, Refusal> {
        if reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control) {
            return Err(Refusal::LongReason);
        }
        let plain = |from: &Place, to: &Place, pieces: i64| {
            let (kind, from, to) = (self.kind(), from.clone(), to.clone());
            Movement { kind, from, to, pieces, counted: None, order: None, due: None }
        };
        let movement = match self {
            Self::Receive { pieces, order: None } => plain(&Place::Supplier, &Place::Store, *pieces),
            Self::Receive { pieces, order } => {
                Movement { order: *order, ..plain(&Place::Ordered, &Place::Store, *pieces) }
            }
            Self::Refill { machine, pieces } => plain(&Place::Store, &Place::Machine(machine.clone()), *pieces),
            Self::HandOut { from, pieces } => plain(from, &Place::Guests, *pieces),
            Self::Waste { from, pieces } => plain(from, &Place::Waste, *pieces),
            Self::Transfer { from, to, pieces } => plain(from, to, *pieces),
            Self::Order { pieces, due } => {
                let movement = plain(&Place::Supplier, &Place::Ordered, *pieces);
                Movement { order: Some(id), due: Some(*due), ..movement }
            }
            Self::Cancel { order } if open > 0 => {
                Movement { order: Some(*order), ..plain(&Place::Ordered, &Place::Supplier, open) }
            }
            Self::Cancel { .. } => return Err(Refusal::Arrived),
            Self::Count { place, counted } => {
                if !place.is_ours() {
                    return Err(Refusal::Place);
                }
                if !(0..=MOST).contains(counted) {
                    return Err(Refusal::Pieces);
                }
                let more = counted - holds(place);
                if more != 0 && reason.trim().is_empty() {
                    return Err(Refusal::Reason);
                }
                let (from, to) = if more < 0 { (place, &Place::Difference) } else { (&Place::Difference, place) };
                return Ok(Movement { counted: Some(*counted), ..plain(from, to, more.abs()) });
            }
        };
        let is_moved = match self {
            Self::Transfer { from, to, .. } => from.is_ours() && to.is_ours() && from != to,
            Self::HandOut { from, .. } | Self::Waste { from, .. } => from.is_ours(),
            _ => true,
        };
        if !is_moved {
            return Err(Refusal::Place);
        }
        if (1..=MOST).contains(&movement.pieces) { Ok(movement) } else { Err(Refusal::Pieces) }
    }
}

impl Movement {
    /// The entry that undoes it.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, counted: None, due: None, ..self }
    }
}

/// What each place holds: the sum of what came less the sum of what went. Below zero is possible, because what is written down may be
/// less than what was done, and is to be shown as such.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balances(BTreeMap<Place, i64>);

impl Balances {
    /// Adds what went from one place to another.
    pub fn moved(&mut self, from: &Place, to: &Place, pieces: i64) {
        *self.0.entry(from.clone()).or_default() -= pieces;
        *self.0.entry(to.clone()).or_default() += pieces;
    }

    /// Adds what a machine has handed out, by its counter.
    pub fn dispensed(&mut self, machine: &DeviceId, pieces: i64) {
        self.moved(&Place::Machine(machine.clone()), &Place::Guests, pieces);
    }

    /// What a place holds.
    pub fn of(&self, place: &Place) -> i64 {
        self.0.get(place).copied().unwrap_or_default()
    }

    /// The places of the site in which anything has ever been.
    pub fn ours(&self) -> impl Iterator<Item = (&Place, i64)> {
        self.0.iter().filter(|(place, _)| place.is_ours()).map(|(place, pieces)| (place, *pieces))
    }
}

#[cfg(test)]
mod tests;
