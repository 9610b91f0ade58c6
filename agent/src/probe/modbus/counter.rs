//! A counting register that wraps and is cleared, as a count that only grows within an epoch.

use serde::Deserialize;

/// How a register counts.
///
/// The fact is the count, and a second fact, named like it with `_epoch` behind, is a number that grows by one each time the register
/// was seen to be cleared: a count is comparable with an earlier one of the same epoch only. Both are kept in memory: when the agent
/// starts, the count is what stands in the register and the epoch is 0, so a count that is smaller than one reported before the start
/// means that the register was cleared, or had wrapped, in an earlier run of the agent.
///
/// A value smaller than the last is taken for a wrap if the register would have had to advance by less than 1/64 of its range
/// (1024 of 16 bits), and for a clearing otherwise. So a counter that is cleared within that distance of its end is taken for wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterConfig {
    /// The width of the register, in bits, after which it starts again at 0: 16 or 32.
    pub bits: u8,
}

/// The count so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counter {
    range: u128,
    last: Option<u128>,
    count: Count,
}

/// What is reported of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// Grows within an epoch.
    pub(super) total: u128,
    /// Grows by one at each clearing.
    pub(super) epoch: u128,
}

impl Counter {
    /// A counter of so many bits that has not been read yet.
    pub(super) fn new(bits: u8) -> Self {
        Self { range: 1 << bits, last: None, count: Count::default() }
    }

    /// Takes in what stands in the register now.
    pub(super) fn step(&mut self, raw: u128) -> Count {
        let advanced = self.last.map(|last| if raw >= last { raw - last } else { raw + self.range - last });
        match (self.last, advanced) {
            (Some(last), Some(by)) if raw >= last || by < self.range / 64 => self.count.total += by,
            (last, _) => self.count = Count { total: raw, epoch: self.count.epoch + u128::from(last.is_some()) },
        }
        self.last = Some(raw);
        self.count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first_reading(&[137], 137, 0)]
    #[case::growing(&[137, 137, 150], 150, 0)]
    #[case::wrap(&[65_530, 65_535, 4], 65_540, 0)]
    #[case::cleared(&[300, 0, 7], 7, 1)]
    #[case::cleared_twice(&[300, 0, 7, 2], 2, 2)]
    #[case::nearest_clearing(&[64_512, 0], 0, 1)]
    #[case::farthest_wrap(&[64_513, 0], 65_536, 0)]
    fn a_count_grows_through_wraps_and_starts_an_epoch_when_cleared(
        #[case] readings: &[u128],
        #[case] total: u128,
        #[case] epoch: u128,
    ) {
        let mut counter = Counter::new(16);
        let last = readings.iter().map(|raw| counter.step(*raw)).last();
        assert_eq!(last, Some(Count { total, epoch }));
    }

    proptest! {
        #[test]
        fn no_piece_is_lost_or_made_up_by_wrapping(start in 0_u128..65_536, steps in prop::collection::vec(0_u128..1024, 0..300)) {
            let mut counter = Counter::new(16);
            let mut truth = start;
            prop_assert_eq!(counter.step(start).total, start);
            for step in steps {
                truth += step;
                prop_assert_eq!(counter.step(truth % 65_536), Count { total: truth, epoch: 0 });
            }
        }

        #[test]
        fn within_an_epoch_a_count_never_falls_whatever_is_read(readings in prop::collection::vec(0_u128..1 << 32, 1..100)) {
            let mut counter = Counter::new(32);
            let mut before = counter.step(readings[0]);
            for raw in readings {
                let now = counter.step(raw);
                prop_assert!(now.epoch > before.epoch || now.total >= before.total);
                before = now;
            }
        }
    }
}
