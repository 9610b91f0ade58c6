//! What a machine has handed out, from the counts in its records: exactly once each piece, whatever is repeated, late or restarted.
//!
//! Nothing is added to a sum when a record comes. An hour is made anew from all its records whenever one more of them is stored: what was
//! counted from its first to its last record ([`Hour::of`]), and, from the last record before it, what lies between ([`step`]). So a
//! record that comes twice changes nothing, and one that comes late changes its own hour and the gap after it, and nothing else. The sum
//! of all hours is the same in whatever order they came.
//!
//! Between two records
//!
//! * of one start of the agent and one counting period, the count only grows. Falls it all the same, the counter was cleared and nobody
//!   said so: what it says now has come since, and the hour is marked;
//! * with a later counting period, what it says now has come since the clearing;
//! * of two starts, the count is what stands in the register. If it is less than before, the register has wrapped (what the agent had
//!   counted beyond its end is not in it any more) or was cleared. Both are told apart as the agent does: see its `modbus` probe.
//!
//! More than the machine can hand out in the time between is not believed: it is kept aside, and counts when a person has said so.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The widths of registers, as the number of counts after which they begin again.
const RANGES: [i64; 2] = [1 << 16, 1 << 32];

/// What a record says of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The agent, by any number of its own.
    pub agent: i64,
    /// Its start.
    pub epoch: i64,
    /// The record's number within that.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The count.
    pub count: i64,
    /// The counting period: how often the counter was cleared since the start; `None` if it is not told.
    pub period: Option<i64>,
}

/// What was counted in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// Pieces.
    pub pieces: i64,
    /// Pieces that are not believed: more than the machine can hand out in that time.
    pub held: i64,
    /// Clearings of which nobody said anything, or after which pieces may be missing.
    pub unsure: u32,
}

/// An hour of a machine's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Its first record with a count.
    pub first: Reading,
    /// Its last.
    pub last: Reading,
    /// What was counted from the first to the last.
    pub within: Counted,
}

impl std::ops::Add for Counted {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pieces: self.pieces + other.pieces,
            held: self.held + other.held,
            unsure: self.unsure.saturating_add(other.unsure),
        }
    }
}

/// What was counted from one record to the next one, by a machine that hands out no more than so many pieces a minute.
pub fn step(before: &Reading, after: &Reading, most_per_minute: u32) -> Counted {
    if before.is_after(after) {
        // The clock was set back between them. The way back is the way there, so that what both ways have in common adds up to nothing.
        let there = step(after, before, most_per_minute);
        return Counted { pieces: -there.pieces, held: -there.held, unsure: there.unsure };
    }
    let (pieces, is_sure) = advanced(before, after);
    let minutes = after.at.millis().abs_diff(before.at.millis()) / 60_000 + 1;
    let most = i64::try_from(minutes).unwrap_or(i64::MAX).saturating_mul(most_per_minute.into());
    let unsure = u32::from(!is_sure);
    if pieces > most { Counted { pieces: 0, held: pieces, unsure } } else { Counted { pieces, held: 0, unsure } }
}

/// How far the counter has gone on, and whether that is sure.
fn advanced(before: &Reading, after: &Reading) -> (i64, bool) {
    let (grown, cleared) = (after.count - before.count, after.count);
    if before.is_of_start_of(after) {
        match (before.period, after.period) {
            (Some(earlier), Some(later)) if later > earlier => (cleared, later == earlier + 1),
            (Some(later), Some(earlier)) if later > earlier => (cleared, false),
            _ if grown >= 0 => (grown, true),
            _ => (cleared, false),
        }
    } else if after.period.is_some_and(|period| period > 0) {
        // Cleared since the start; what came between the last record and the clearing is not known.
        (cleared, false)
    } else if grown >= 0 {
        (grown, true)
    } else {
        let on = |range: i64| {
            let by = (after.count - before.count).rem_euclid(range);
            (after.count < range && by < range / 64).then_some(by)
        };
        match RANGES.into_iter().find_map(on) {
            Some(by) => (by, true),
            None => (cleared, false),
        }
    }
}

impl Reading {
    fn is_of_start_of(&self, other: &Self) -> bool {
        (self.agent, self.epoch) == (other.agent, other.epoch)
    }

    fn is_after(&self, other: &Self) -> bool {
        self.is_of_start_of(other) && self.seq > other.seq
    }

    /// The place among the records of a machine.
    pub fn order(&self) -> impl Ord + use<> {
        (self.at, self.epoch, self.seq, self.agent)
    }
}

impl Hour {
    /// What an hour's records say, whatever their order and however often each is there; `None` if none has a count.
    pub fn of(readings: &[Reading], most_per_minute: u32) -> Option<Self> {
        let mut readings = readings.to_vec();
        readings.sort_by_key(Reading::order);
        readings.dedup();
        let within = readings.windows(2).fold(Counted::default(), |sum, pair| match pair {
            [before, after] => sum + step(before, after, most_per_minute),
            _ => sum,
        });
        Some(Self { first: *readings.first()?, last: *readings.last()?, within })
    }

    /// The same hour with records that came when its others were no longer kept. What lies amid those that are gone is in their sum.
    #[must_use]
    pub fn with_late(self, late: Self, most_per_minute: u32) -> Self {
        let joined = |one: Self, two: Self| Self {
            first: one.first,
            last: two.last,
            within: one.within + step(&one.last, &two.first, most_per_minute) + two.within,
        };
        if late.first.order() > self.last.order() {
            joined(self, late)
        } else if late.last.order() < self.first.order() {
            joined(late, self)
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests;
