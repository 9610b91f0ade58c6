//! The delivery ledger: of everything an agent has made, what is stored, what is missing, what is lost. It is exact, because what is
//! stored is not counted but follows from what is known of each number.

use crate::time::{Span, Timestamp};

/// How finely the longest delay of the last day is kept.
const HOUR: i64 = 3_600_000;
/// How many hours make a day.
const DAY: i64 = 24;
/// Over how many minutes the rate of records is told.
const RATE_MINUTES: i64 = 5;
/// Those, and the one that is not over.
const RATE_SLOTS: usize = 6;

/// What has become of the records of one agent, of one epoch or of all.
///
/// `produced = stored + missing + lost + unreadable`, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Records the agent is known to have made: up to the highest number heard of, from the first one known.
    pub produced: u64,
    /// Those in the database.
    pub stored: u64,
    /// Those neither here nor given up: they are waited and asked for.
    pub missing: u64,
    /// Since when something has been missing without a break.
    pub missing_since: Option<Timestamp>,
    /// Those the agent no longer has.
    pub lost: u64,
    /// Those that came and could not be read.
    pub unreadable: u64,
    /// How often a record came that was here already, and was refused.
    pub duplicates: u64,
    /// How often the agent was asked to send something again.
    pub resends: u64,
    /// The longest time from a probe to its record's receipt.
    pub longest_delay: Span,
    /// The same of the last day, to the hour.
    pub longest_delay_day: Span,
}

impl Ledger {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            produced: self.produced + other.produced,
            stored: self.stored + other.stored,
            missing: self.missing + other.missing,
            missing_since: self.missing_since.into_iter().chain(other.missing_since).min(),
            lost: self.lost + other.lost,
            unreadable: self.unreadable + other.unreadable,
            duplicates: self.duplicates + other.duplicates,
            resends: self.resends + other.resends,
            longest_delay: self.longest_delay.max(other.longest_delay),
            longest_delay_day: self.longest_delay_day.max(other.longest_delay_day),
        }
    }
}

/// What is counted of one epoch, and stored with it: all that does not follow from which numbers have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// The highest number heard of.
    pub heard: u64,
    /// Records given up because the agent no longer has them.
    pub lost: u64,
    /// Records given up because they could not be read.
    pub unreadable: u64,
    /// Records refused because they were here already.
    pub duplicates: u64,
    /// How often something was asked for again.
    pub resends: u64,
    /// Since when something has been missing without a break.
    pub missing_since: Option<Timestamp>,
    /// The longest time from a probe to its record's receipt.
    pub longest_delay: Span,
    /// The longest of the last day.
    pub delays: Delays,
}

/// The longest delay of a day that ends now: for each hour the longest, as far as no later hour had a longer one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delays {
    /// Hour since 1970 and its longest delay in ms; hours grow, delays fall.
    hours: Vec<(i64, i64)>,
}

impl Delays {
    /// Moves what was counted by `by` ms, to the hour.
    pub(crate) fn rebase(&mut self, by: i64) {
        for (hour, _) in &mut self.hours {
            *hour += by.div_euclid(HOUR);
        }
    }

    /// Takes in one delay.
    pub fn observe(&mut self, delay: Span, now: Timestamp) {
        let hour = now.millis().div_euclid(HOUR);
        // A clock that went back must not hide what was.
        let hour = self.hours.last().map_or(hour, |(last, _)| hour.max(*last));
        if self.hours.last().is_some_and(|(last, longest)| *last == hour && *longest >= delay.millis()) {
            return;
        }
        self.hours.retain(|(past, longest)| hour - past < DAY && *longest > delay.millis());
        self.hours.push((hour, delay.millis()));
    }

    /// The longest of the day until `now`.
    pub fn longest(&self, now: Timestamp) -> Span {
        let hour = now.millis().div_euclid(HOUR);
        let longest = self.hours.iter().find(|(past, _)| hour - past < DAY);
        longest.map_or(Span::ZERO, |(_, longest)| Span::from_millis(*longest))
    }

    /// As one text, to be stored.
    pub fn to_text(&self) -> String {
        self.hours.iter().map(|(hour, longest)| format!("{hour}:{longest}")).collect::<Vec<_>>().join(" ")
    }

    /// As [`Delays::to_text`] wrote it; what is not of that form is left out.
    pub fn from_text(text: &str) -> Self {
        let entry = |entry: &str| {
            let (hour, longest) = entry.split_once(':')?;
            Some((hour.parse().ok()?, longest.parse().ok()?))
        };
        Self { hours: text.split_whitespace().filter_map(entry).collect() }
    }
}

/// How many records come in, as the mean of the last whole minutes. Of this run only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    minute: i64,
    first: i64,
    counts: [u32; RATE_SLOTS],
}

impl Rate {
    /// Takes in that `count` records came.
    pub fn observe(&mut self, count: u32, now: Timestamp) {
        self.advance(now);
        let slot = slot(self.minute);
        self.counts[slot] = self.counts[slot].saturating_add(count);
    }

    /// Records per minute; `None` while no whole minute has passed.
    pub fn per_minute(&self, now: Timestamp) -> Option<f64> {
        let mut then = *self;
        then.advance(now);
        let minutes = (then.minute - then.first).min(RATE_MINUTES);
        if then.first == 0 || minutes < 1 {
            return None;
        }
        let sum: f64 = (1..=minutes).map(|back| f64::from(then.counts[slot(then.minute - back)])).sum();
        Some(sum / f64::from(u32::try_from(minutes).unwrap_or(1)))
    }

    fn advance(&mut self, now: Timestamp) {
        let minute = now.millis().div_euclid(60_000);
        if self.first == 0 {
            (self.minute, self.first) = (minute, minute);
        }
        while self.minute < minute {
            // After a long silence nothing of the past counts any more.
            self.minute = (self.minute + 1).max(minute - RATE_MINUTES);
            let slot = slot(self.minute);
            self.counts[slot] = 0;
        }
    }
}

fn slot(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(RATE_MINUTES + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_795_140_000_000 + minutes * 60_000)
    }

    #[test]
    fn the_longest_delay_of_a_day_is_forgotten_after_a_day() {
        let mut delays = Delays::default();
        delays.observe(Span::from_secs(90), at(0));
        delays.observe(Span::from_secs(5), at(60));
        assert_eq!(delays.longest(at(60)), Span::from_secs(90));
        assert_eq!(delays.longest(at(23 * 60 + 59)), Span::from_secs(90));
        assert_eq!(delays.longest(at(24 * 60 + 59)), Span::from_secs(5));
        assert_eq!(delays.longest(at(26 * 60)), Span::ZERO);
    }

    #[test]
    fn the_rate_is_the_mean_of_whole_minutes() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_minute(at(0)), None);
        rate.observe(30, at(0));
        assert_eq!(rate.per_minute(at(0)), None, "the minute is not over");
        assert_eq!(rate.per_minute(at(1)), Some(30.0));
        rate.observe(10, at(1));
        assert_eq!(rate.per_minute(at(2)), Some(20.0));
        assert_eq!(rate.per_minute(at(5)), Some(8.0));
        assert_eq!(rate.per_minute(at(6)), Some(2.0));
        assert_eq!(rate.per_minute(at(600)), Some(0.0));
    }

    proptest! {
        #[test]
        fn the_longest_of_a_day_is_that_of_all_its_delays(
            delays in prop::collection::vec((0i64..200, 0i64..10_000), 1..60)
        ) {
            let (mut kept, mut all, mut minute) = (Delays::default(), Vec::new(), 0);
            for (pause, delay) in delays {
                minute += pause;
                kept.observe(Span::from_millis(delay), at(minute));
                all.push((at(minute).millis() / HOUR, delay));
                let hour = at(minute).millis() / HOUR;
                let longest = all.iter().filter(|(past, _)| hour - past < DAY).map(|(_, delay)| *delay).max();
                prop_assert_eq!(Some(kept.longest(at(minute)).millis()), longest);
                prop_assert!(kept.hours.len() <= 24);
                prop_assert_eq!(&Delays::from_text(&kept.to_text()), &kept);
            }
        }
    }
}
