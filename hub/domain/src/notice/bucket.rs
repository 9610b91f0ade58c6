//! How often a receiver may be written to, and how long to wait after it did not take something.

use std::str::FromStr;

use crate::time::{Span, SpanError, Timestamp};

/// The part of the tokens that is kept for critical alerts, in percent.
const RESERVED: u32 = 30;
/// A token comes back this part of its time late: what leaves here evenly need not arrive evenly.
const SLACK: i64 = 32;

/// So many messages in so much time, such as `20/1m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Messages.
    pub most: u32,
    /// In this time.
    pub per: Span,
}

/// Why a text is no [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// It has another form.
    #[error("write a number of messages and a length of time, such as `20/1m`")]
    Form,
    /// The time is none.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// It makes no sense.
    #[error("a rate is from 1 to 1000 messages in 1s to 1d")]
    Bounds,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (most, per) = text.split_once('/').ok_or(RateError::Form)?;
        let rate = Self { most: most.trim().parse().map_err(|_| RateError::Form)?, per: per.trim().parse()? };
        let sensible = (1..=1000).contains(&rate.most) && (1000..=86_400_000).contains(&rate.per.millis());
        if sensible { Ok(rate) } else { Err(RateError::Bounds) }
    }
}

impl Rate {
    /// The least time between two messages: they are spread evenly.
    fn gap(self) -> Span {
        Span::from_millis(self.per.millis() / i64::from(self.most.max(1)))
    }

    /// How many tokens there are for something: all for what is critical, the rest keeps back its part.
    fn tokens(self, critical: bool) -> u32 {
        if critical { self.most } else { (self.most - self.most * RESERVED / 100).max(1) }
    }

    fn back_after(self) -> Span {
        Span::from_millis(self.per.millis() + self.per.millis() / SLACK)
    }
}

/// The tokens of a channel. One that is spent comes back after the whole time of the rate, so that no window of that length ever sees
/// more messages than the rate allows; made from the attempts that were stored, so that a restart gives none back.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    /// When tokens were spent, the oldest first.
    spent: Vec<Timestamp>,
}

impl Bucket {
    /// A bucket out of which tokens were taken at `spent`.
    pub fn new(rate: Rate, spent: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Self {
        // A clock that was set back must not make tokens come back late.
        let mut spent: Vec<_> = spent.into_iter().map(|at| at.min(now)).collect();
        spent.sort_unstable();
        Self { rate, spent }
    }

    /// How far back [`Bucket::new`] has to look.
    pub fn reach(rate: Rate) -> Span {
        rate.back_after()
    }

    /// How many tokens are left for something at `now`.
    pub fn left(&self, critical: bool, now: Timestamp) -> u32 {
        let out = self.spent.iter().filter(|at| **at + self.rate.back_after() > now).count();
        self.rate.tokens(critical).saturating_sub(u32::try_from(out).unwrap_or(u32::MAX))
    }

    /// When the next message may go; not after `now` if at once.
    pub fn next(&self, critical: bool, now: Timestamp) -> Timestamp {
        let Some(last) = self.spent.last() else { return now };
        let tokens = usize::try_from(self.rate.tokens(critical)).unwrap_or(usize::MAX);
        let spaced = *last + self.rate.gap();
        // With this one back there is one to spend.
        let returning = self.spent.len().checked_sub(tokens).map(|over| self.spent[over] + self.rate.back_after());
        returning.map_or(spaced, |at| at.max(spaced)).max(now)
    }
}

/// How long to wait after the `failures`th failure in a row: the first pause doubled each time up to `longest`, and of that at least
/// half by `dice`, so that those who failed together do not come back together.
pub fn backoff(failures: u32, first: Span, longest: Span, dice: u64) -> Span {
    let doubled = first.millis().saturating_mul(1 << failures.saturating_sub(1).min(30));
    let pause = doubled.min(longest.millis()).max(1);
    let jitter = i64::try_from(dice % (pause.unsigned_abs() / 2 + 1)).unwrap_or(0);
    Span::from_millis(pause - jitter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const ROBOT: Rate = Rate { most: 20, per: Span::from_mins(1) };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    #[rstest]
    #[case("20/1m", Some(ROBOT))]
    #[case("5 / 1s", Some(Rate { most: 5, per: Span::from_secs(1) }))]
    #[case("20", None)]
    #[case("0/1m", None)]
    #[case("20/0s", None)]
    #[case("20/minute", None)]
    fn a_rate_is_a_number_and_a_time(#[case] text: &str, #[case] expected: Option<Rate>) {
        assert_eq!(text.parse().ok(), expected);
    }

    #[test]
    fn messages_are_three_seconds_apart_and_the_last_third_is_for_critical_ones() {
        let spent = (0..14).map(|n| at(n * 3000));
        let bucket = Bucket::new(ROBOT, spent, at(39_000));
        assert_eq!((bucket.left(false, at(42_000)), bucket.left(true, at(42_000))), (0, 6));
        assert_eq!(bucket.next(true, at(39_000)), at(42_000), "three seconds after the last");
        assert_eq!(bucket.next(false, at(42_000)), at(61_875), "when the first comes back");
        assert_eq!(Bucket::new(ROBOT, [], at(0)).next(false, at(5)), at(5));
    }

    #[test]
    fn a_clock_that_is_set_back_by_a_year_costs_one_minute_at_most() {
        let bucket = Bucket::new(ROBOT, (0..20).map(|_| at(31_536_000_000)), at(0));
        assert!(bucket.next(true, at(0)) <= at(62_000));
    }

    #[rstest]
    #[case(1, 5_000)]
    #[case(2, 10_000)]
    #[case(4, 40_000)]
    #[case(9, 60_000)]
    #[case(u32::MAX, 60_000)]
    fn pauses_double_up_to_the_longest(#[case] failures: u32, #[case] most: i64) {
        for dice in [0, 1, 77_777, u64::MAX] {
            let pause = backoff(failures, Span::from_secs(5), Span::from_mins(1), dice).millis();
            assert!((most / 2..=most).contains(&pause), "{pause}");
        }
    }

    proptest! {
        #[test]
        fn no_window_ever_sees_more_than_the_rate(wishes in prop::collection::vec((0i64..20_000, any::<bool>()), 1..120)) {
            let (mut now, mut sent) = (at(0), Vec::<(Timestamp, bool)>::new());
            for (wait, critical) in wishes {
                now = now + Span::from_millis(wait);
                let bucket = Bucket::new(ROBOT, sent.iter().map(|(at, _)| *at), now);
                now = bucket.next(critical, now);
                prop_assert!(Bucket::new(ROBOT, sent.iter().map(|(at, _)| *at), now).left(critical, now) > 0);
                sent.push((now, critical));
            }
            for (index, (from, _)) in sent.iter().enumerate() {
                let within: Vec<_> = sent[index..].iter().take_while(|(at, _)| at.since(*from) <= ROBOT.per).collect();
                prop_assert!(within.len() <= 20, "{} in a minute", within.len());
            }
        }
    }
}
