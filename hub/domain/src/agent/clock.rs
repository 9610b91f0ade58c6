//! How far an agent's clock is off the hub's, and how old what it sends is.

use crate::{
    doubt::Doubt,
    time::{Span, Timestamp},
};

/// A clock that is further off than this is suspect.
pub const CLOCK_TOLERANCE: Span = Span::from_secs(120);
/// A clock that goes back by more, in ms, was set back.
const SET_BACK: i64 = 5000;
/// How far it is off is noted anew when it differs by more, in ms.
const DRIFT: u64 = 5000;
/// An estimate of how far an agent's clock is off the hub's.
///
/// A message is never received before it is sent, so the least difference between receipt and sending is the best estimate; it is kept
/// for the current and the last minute, so that a clock that is set right is believed within two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    current: Option<(Timestamp, i64)>,
    last: Option<i64>,
    doubt: Doubt,
    /// By how many ms it was behind when there was no doubt, to be kept over a restart of the hub.
    noted: Option<i64>,
    /// The latest time that the agent has named.
    newest: Option<i64>,
    /// Since when it has named times far before that.
    regressed: Option<Timestamp>,
}

impl Clock {
    const WINDOW: Span = Span::from_secs(60);
    /// For how long times must go on being far too early before the clock is taken to have been set back.
    const SET_BACK_AFTER: Span = Span::from_secs(10);

    /// A clock that was `noted` to be behind by so much before the hub started.
    pub fn restored(noted: Option<i64>) -> Self {
        Self { noted, ..Self::default() }
    }

    /// By how many ms it was behind when that was last plain.
    pub fn noted(&self) -> Option<i64> {
        self.noted
    }

    /// Notes how far it is off, if that is plain. Returns whether it is news.
    pub(crate) fn note(&mut self) -> bool {
        let plain = self.plainly_behind_millis().filter(|_| !self.doubt.is_there());
        let news = plain.filter(|behind| self.noted.is_none_or(|noted| noted.abs_diff(*behind) > DRIFT));
        self.noted = news.or(self.noted);
        news.is_some()
    }

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
    /// 0 while nothing is known. What may have waited in a broker does not make it slower than it was known to be.
    pub fn behind_millis(&self) -> i64 {
        let current = self.current.map(|(_, least)| least);
        let before = self.known().filter(|_| self.doubt.is_there());
        current.into_iter().chain(self.last).chain(before).min().unwrap_or(0)
    }

    /// The same; `None` while nothing has been heard, or nothing that tells a slow clock from a message that waited in a broker.
    pub fn plainly_behind_millis(&self) -> Option<i64> {
        (self.current.is_some() && !self.may_have_waited()).then(|| self.behind_millis())
    }

    /// Whether a message that was sent at `sent_at` by it and came at `now` waited in a broker as far as is known, and says nothing of
    /// the present. Of a clock that was set back while the hub was away, all do, until it is seen to go on steadily.
    pub(crate) fn waited(&self, sent_at: i64, now: Timestamp) -> bool {
        let late = |noted: i64| now.millis().saturating_sub(sent_at).saturating_sub(noted) > CLOCK_TOLERANCE.millis();
        self.doubt.is_there() && self.known().is_some_and(late)
    }

    /// How far it is known to be behind from before there was doubt; of one that was ahead, waiting cannot be told from being set right.
    fn known(&self) -> Option<i64> {
        self.noted.filter(|noted| *noted >= -CLOCK_TOLERANCE.millis())
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
    fn what_waited_while_the_hub_was_down_is_told_from_a_clock_that_is_known_to_be_right_or_slow() {
        // How far it is known to be off, when a message that came at 2000 was sent by it, and what is made of that.
        for (noted, sent, behind, waited) in [
            (Some(0), 1400, 0, true),
            (Some(40), 1400, 40, true),
            (Some(40), 1950, 40, false),
            (Some(10_800), 2000 - 10_800 - 600, 10_800, true),
            (Some(10_800), 2000 - 10_800, 10_800, false),
            (Some(10_800), 1999, 1, false),
            (Some(-3600), 1999, 1, false),
            (None, 1400, 600, false),
        ] {
            let mut clock = Clock::restored(noted.map(|secs: i64| secs * 1000));
            clock.doubt(at(1999));
            clock.observe(sent * 1000, at(2000));
            assert_eq!(
                (clock.behind_millis(), clock.waited(sent * 1000, at(2000))),
                (behind * 1000, waited),
                "{noted:?} {sent}"
            );
        }
    }

    #[test]
    fn a_clock_that_was_set_back_while_the_hub_was_down_is_believed_once_it_goes_on_steadily() {
        let mut clock = Clock::restored(Some(0));
        clock.doubt(at(20_000));
        for second in 1..=11 {
            assert!(!clock.is_suspect() && !clock.note(), "it may be a message that waited");
            clock.observe(second * 1000, at(20_000 + second));
        }
        assert_eq!((clock.behind_millis(), clock.is_suspect()), (20_000_000, true));
        assert!(clock.note() && !clock.note());
        assert_eq!(clock.noted(), Some(20_000_000));
    }

    #[test]
    fn how_far_it_is_off_is_noted_when_it_differs() {
        let mut clock = Clock::default();
        assert!(!clock.note(), "nothing was heard");
        for (sent, news) in [(1000, true), (996, false), (1006, true)] {
            clock.observe(sent * 1000, at(1000));
            assert_eq!(clock.note(), news, "{sent}");
        }
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
