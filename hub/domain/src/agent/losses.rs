//! What an agent has lost lately: enough for a person to hear of it, and to hear no more of it when it is long ago.

use crate::time::{Span, Timestamp};

/// How long a loss is of late.
const LATELY: Span = Span::from_mins(24 * 60);

/// Records that an agent no longer has and that never came, as far as the hub learnt of them within a day of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    count: u64,
    last: Option<Timestamp>,
}

impl Losses {
    /// So many, of which the last was learnt of at `last`.
    pub fn restored(count: u64, last: Timestamp) -> Self {
        Self { count, last: Some(last) }
    }

    /// Adds ranges that were lost, each from its first number to its last.
    pub(crate) fn add(&mut self, lost: &[(u64, u64)], now: Timestamp) {
        let more: u64 = lost.iter().map(|(from, to)| to - from + 1).sum();
        if more > 0 {
            *self = Self { count: self.lately(now).saturating_add(more), last: Some(now) };
        }
    }

    /// How many; none when a day has passed without another.
    pub fn lately(&self, now: Timestamp) -> u64 {
        self.last.filter(|last| now.since(*last) < LATELY).map_or(0, |_| self.count)
    }

    pub(crate) fn rebase(&mut self, by: i64) {
        self.last = self.last.map(|last| last.shifted(by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_until_a_day_has_passed_without_another() {
        let start = Timestamp::from_millis(1_795_140_000_000);
        let hours = |hours: u32| Span::from_mins(hours * 60);
        let mut losses = Losses::default();
        losses.add(&[], start);
        assert_eq!(losses.lately(start), 0);
        losses.add(&[(4, 9), (12, 12)], start);
        losses.add(&[(20, 22)], start + hours(23));
        assert_eq!(losses.lately(start + hours(46)), 10);
        assert_eq!(losses.lately(start + hours(47)), 0);
        losses.add(&[(30, 30)], start + hours(48));
        assert_eq!(losses.lately(start + hours(48)), 1, "the ones before are history");
    }
}
