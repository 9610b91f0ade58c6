//! How far an agent's clock is off the hub's, and how old what it sends is.

use crate::{
    doubt::Doubt,
    time::{Span, Timestamp},
};

/// A clock that is further off than this is suspect.
pub const CLOCK_TOLERANCE: Span = Span::from_secs(120);
/// A clock that goes back by more, in ms, was set back.
const SET_BACK: i64 = 5000;
/// An estimate of how far an agent's clock is off the hub's.
///
/// A message is never received before it is sent, so the least difference between receipt and sending is the best estimate; it is kept
/// for the current and the last minute, so that a clock that is set right is believed within two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    current: Option<(Timestamp, i64)>,
    last: Option<i64>,
    doubt: Doubt,
    /// The latest time that the agent has named.
    newest: Option<i64>,
    /// Since when it has named times far before that.
    regressed: Option<Timestamp>,
}

impl Clock {
    const WINDOW: Span = Span::from_secs(60);
    /// For how long times must go on being far too early before the clock is taken to have been set back.
    const SET_BACK_AFTER: Span = Span::from_secs(10);

    /// From `now` on messages may come that waited in a broker.
    pub(crate) fn doubt(&mut self, now: Timestamp) {
        self.doubt.begin(now);
    }

    /// Takes in that a message sent at `sent_at` (the agent's clock) was received at `received_at` (the hub's).
    pub fn observe(&mut self, sent_at: i64, received_at: Timestamp) {
        if self.was_set_back(sent_at, received_at) {
            *self = Self::default();
        }
        self.newest = self.newest.max(Some(sent_at));
        self.doubt.observe(sent_at, received_at);
        let behind = received_at.millis().saturating_sub(sent_at);
        match &mut self.current {
            Some((since, least)) if received_at.since(*since) < Self::WINDOW => *least = behind.min(*least),
            current => {
                self.last = current.map(|(_, least)| least);
                *current = Some((received_at, behind));
            }
        }
    }

    /// Whether the agent's clock was set back: for a while it has named nothing but times far before what it named earlier. A message
    /// that waited in a broker does so too, but fresh ones soon follow it.
    fn was_set_back(&mut self, sent_at: i64, received_at: Timestamp) -> bool {
        let earlier = self.newest.is_some_and(|newest| newest.saturating_sub(sent_at) > CLOCK_TOLERANCE.millis());
        if !earlier {
            self.regressed = None;
            return false;
        }
        let since = *self.regressed.get_or_insert(received_at);
        received_at.since(since) >= Self::SET_BACK_AFTER
    }

    /// How many ms the agent's clock is behind the hub's; negative if ahead. Includes the time a message travels.
    /// 0 while nothing has been heard.
    pub fn behind_millis(&self) -> i64 {
        let current = self.current.map(|(_, least)| least);
        current.into_iter().chain(self.last).min().unwrap_or(0)
    }

    /// The same; `None` while nothing has been heard, or nothing that tells a slow clock from a message that waited in a broker.
    pub fn plainly_behind_millis(&self) -> Option<i64> {
        (self.current.is_some() && !self.may_have_waited()).then(|| self.behind_millis())
    }

    fn may_have_waited(&self) -> bool {
        self.doubt.is_there() && self.behind_millis() > CLOCK_TOLERANCE.millis()
    }

    /// Whether the clock is too far off to be believed.
    pub fn is_suspect(&self) -> bool {
        self.behind_millis().saturating_abs() > CLOCK_TOLERANCE.millis()
    }

    /// How old at `now` is what was probed at `at` and sent at `sent_at`, both by the agent's clock: what it waited before it was sent,
    /// and what it was longer on its way than others. `None` while nobody can tell.
    pub fn age(&self, at: i64, sent_at: i64, now: Timestamp) -> Option<Span> {
        if self.may_have_waited() {
            return None;
        }
        // Nothing is sent before it is made: the clock was set back in between.
        if at.saturating_sub(sent_at) > SET_BACK {
            return None;
        }
        let way = now.millis().saturating_sub(sent_at).saturating_sub(self.behind_millis());
        Some(Span::from_millis(sent_at.saturating_sub(at)) + Span::from_millis(way))
    }

    /// A time of the agent's clock as the hub's.
    pub fn corrected(&self, at: i64) -> Timestamp {
        let at = Timestamp::from_millis(at);
        if self.is_suspect() { at.shifted(self.behind_millis()) } else { at }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn a_clock_three_hours_wrong_is_suspect_and_corrected() {
        let mut clock = Clock::default();
        let three_hours = 3 * 3_600_000;
        clock.observe(three_hours, at(1));
        assert!(clock.is_suspect());
        assert_eq!(clock.corrected(three_hours + 500), at(1).shifted(500));
    }

    #[rstest]
    #[case::just_made(60_000, 60_000, 90, Some(0))]
    #[case::kept_for_a_while(30_000, 60_000, 90, Some(30))]
    #[case::and_longer_on_its_way_than_others(30_000, 60_000, 100, Some(40))]
    #[case::made_before_the_clock_was_set_back(90_000, 60_000, 90, None)]
    fn how_old_a_record_is_does_not_depend_on_a_clock_that_is_a_little_wrong(
        #[case] at_ms: i64,
        #[case] sent_at: i64,
        #[case] now: i64,
        #[case] age: Option<u32>,
    ) {
        // It is half a minute slow.
        let mut clock = Clock::default();
        clock.observe(50_000, at(80));
        assert_eq!(clock.age(at_ms, sent_at, at(now)), age.map(Span::from_secs));
    }

    #[test]
    fn a_message_that_waited_in_a_broker_is_no_sign_of_a_wrong_clock() {
        let mut clock = Clock::default();
        clock.observe(600_000, at(600));
        clock.observe(0, at(601));
        assert!(!clock.is_suspect());
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_within_seconds() {
        let mut clock = Clock::default();
        clock.observe(3_600_000, at(0));
        for second in 1..=10 {
            clock.observe(second * 1000, at(second));
            assert_eq!(clock.behind_millis(), -3_600_000, "it may be a message that waited");
        }
        clock.observe(11_000, at(11));
        assert_eq!(clock.behind_millis(), 0);
    }

    #[test]
    fn a_clock_that_is_set_right_is_believed_within_two_minutes() {
        let mut clock = Clock::default();
        clock.observe(7_200_000, at(0));
        clock.observe(61_000, at(61));
        clock.observe(122_000, at(122));
        assert!(!clock.is_suspect());
    }
}
