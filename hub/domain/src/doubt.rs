//! Whether a message that seems to be old was long on its way, or was sent by a clock that is slow. When the hub starts or finds its
//! broker again, messages that waited there come first, and look just like those of a slow clock: until it is plain which it is, they
//! say nothing of the present.

use crate::time::{Span, Timestamp};

/// What waited in a broker has come by then.
const LASTS: Span = Span::from_secs(60);
/// Messages so far apart, and as far apart in sending as in coming, did not wait: the clock is slow.
const APART: Span = Span::from_secs(10);
/// By so much the way of two messages may differ, in ms.
const JITTER: i64 = 5000;

/// Doubt about an agent's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Doubt {
    until: Option<Timestamp>,
    /// A message since: when it was sent and when it came.
    anchor: Option<(i64, Timestamp)>,
}

impl Doubt {
    /// From `now` on messages may come that waited.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        *self = Self { until: Some(now + LASTS), anchor: None };
    }

    /// Takes in that a message sent at `sent_at` (the agent's clock) came at `received_at` (the hub's).
    pub(crate) fn observe(&mut self, sent_at: i64, received_at: Timestamp) {
        if self.until.is_none_or(|until| received_at >= until) {
            *self = Self::default();
            return;
        }
        let (sent, received) = *self.anchor.get_or_insert((sent_at, received_at));
        let came_apart = received_at.millis() - received.millis();
        let is_steady = (sent_at.saturating_sub(sent) - came_apart).abs() <= JITTER;
        if !is_steady {
            self.anchor = Some((sent_at, received_at));
        } else if came_apart >= APART.millis() {
            *self = Self::default();
        }
    }

    /// Whether there is doubt.
    pub(crate) fn is_there(&self) -> bool {
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    fn after(messages: &[(i64, i64)]) -> bool {
        let mut doubt = Doubt::default();
        doubt.begin(at(1000));
        for (sent, received) in messages {
            doubt.observe(sent * 1000, at(*received));
        }
        doubt.is_there()
    }

    #[test]
    fn messages_that_waited_come_faster_than_they_were_sent() {
        assert!(after(&[(100, 1001), (119, 1001), (138, 1002), (157, 1003)]));
        assert!(after(&[(100, 1001), (1012, 1012)]), "the first that did not wait");
    }

    #[test]
    fn those_of_a_slow_clock_come_as_they_were_sent() {
        assert!(after(&[(100, 1001), (105, 1006)]));
        assert!(!after(&[(100, 1001), (105, 1006), (112, 1012)]));
    }

    #[test]
    fn after_a_minute_nothing_waits_any_more() {
        assert!(!after(&[(100, 1001), (119, 1001), (138, 1060)]));
    }
}
