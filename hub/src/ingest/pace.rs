//! How many records a batch may have, so that writing it takes no longer than a moment, however fast the database is at present: what comes
//! next, such as a fault, waits for the batch under way, for the one that is gathered, and for its own. How long the disk takes to make a
//! batch durable does not count: that does not become less with fewer records.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// How long writing a batch should take at most.
const MOMENT: Duration = Duration::from_millis(100);
/// Fewest and most records that a batch may have.
const LEAST: usize = 200;
const MOST: usize = 4000;

/// What the last batches have taught.
#[derive(Debug)]
pub(super) struct Pace(AtomicUsize);

impl Default for Pace {
    fn default() -> Self {
        Self(AtomicUsize::new(MOST / 4))
    }
}

impl Pace {
    /// Most records of the next batch.
    pub(super) fn most(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// A batch of so many records was stored, and writing it took so long.
    pub(super) fn stored(&self, records: usize, took: Duration) {
        let most = self.most();
        let next = if took > MOMENT && records > LEAST {
            most.min(records) / 2
        } else if took < MOMENT / 2 && records >= most {
            most * 2
        } else {
            return;
        };
        // Nobody else writes it.
        self.0.store(next.clamp(LEAST, MOST), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores full batches, each of which takes `fixed` and so long for each record; tells how long the last ones took.
    fn after(pace: &Pace, fixed: Duration, each: Duration) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..20 {
            let records = pace.most();
            took.push(fixed + each * u32::try_from(records).unwrap());
            pace.stored(records, took[took.len() - 1]);
        }
        took.split_off(10)
    }

    #[test]
    fn batches_grow_and_shrink_with_the_database_and_take_a_moment() {
        let pace = Pace::default();
        let fast = after(&pace, Duration::from_millis(1), Duration::from_micros(5));
        assert!(pace.most() == MOST && fast.iter().all(|took| *took < MOMENT), "{fast:?}");
        let slow = after(&pace, Duration::from_millis(5), Duration::from_micros(200));
        assert!(slow.iter().all(|took| *took <= MOMENT && *took >= MOMENT / 2), "{slow:?}");
        after(&pace, Duration::from_secs(1), Duration::from_micros(5));
        assert_eq!(pace.most(), LEAST, "a database that takes a second for anything still takes something");
        after(&pace, Duration::ZERO, Duration::from_micros(5));
        assert_eq!(pace.most(), MOST);
    }

    #[test]
    fn small_batches_say_nothing_of_large_ones() {
        let pace = Pace::default();
        let before = pace.most();
        pace.stored(3, Duration::from_secs(2));
        pace.stored(3, Duration::from_millis(1));
        assert_eq!(pace.most(), before);
    }
}
