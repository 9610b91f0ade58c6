//! A set of numbers kept as ranges: as many entries as there are gaps, however many numbers.

use std::collections::BTreeMap;

/// Numbers from 1, as ranges that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges {
    /// First to last of each range.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether it holds `number`.
    pub fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// How many numbers it holds.
    pub fn count(&self) -> u64 {
        self.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The lowest range.
    pub fn first(&self) -> Option<(u64, u64)> {
        self.ranges.first_key_value().map(|(first, last)| (*first, *last))
    }

    /// The highest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last_key_value().map(|(_, last)| *last)
    }

    /// The first and the last of each range, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// Takes the lowest range out.
    pub fn pop_first(&mut self) -> Option<(u64, u64)> {
        self.ranges.pop_first()
    }

    /// Adds `from..=to`, and returns the parts of it that were not there before, in order.
    pub fn add(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        if from > to {
            return Vec::new();
        }
        let (mut first, mut last) = (from, to);
        let mut new = Vec::new();
        let mut open_to = to;
        // From the highest range that overlaps or touches downwards, so that what is between them is new.
        while let Some((&start, &end)) = self.ranges.range(..=to.saturating_add(1)).next_back() {
            if end.saturating_add(1) < from {
                break;
            }
            self.ranges.remove(&start);
            if end < open_to {
                new.push((end + 1, open_to));
            }
            open_to = open_to.min(start.saturating_sub(1));
            first = first.min(start);
            last = last.max(end);
        }
        if from <= open_to {
            new.push((from, open_to));
        }
        self.ranges.insert(first, last);
        new.reverse();
        new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_set_holds_and_tells_what_was_new(
            added in prop::collection::vec((1u64..60, 0u64..12), 1..40)
        ) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (from, length) in added {
                let new: Vec<u64> = (from..=from + length).filter(|number| set.insert(*number)).collect();
                let told = ranges.add(from, from + length);
                prop_assert_eq!(told.iter().flat_map(|(from, to)| *from..=*to).collect::<Vec<_>>(), new);
                prop_assert!(told.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "joined where they touch: {:?}", told);
                prop_assert_eq!(ranges.count(), u64::try_from(set.len()).unwrap());
                prop_assert_eq!(ranges.last(), set.last().copied());
                prop_assert!((1..80).all(|number| ranges.contains(number) == set.contains(&number)));
                let all: Vec<(u64, u64)> = ranges.iter().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", all);
            }
        }
    }
}
