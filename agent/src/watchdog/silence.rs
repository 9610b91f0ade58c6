//! Whether the hub is heard: from what the uplink sees of it, and whether records wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::uplink::Seen;

/// What is known of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hub {
    /// It is online, and has acknowledged something of late.
    Heard,
    /// Nothing can be said: not for long enough, or nothing waits for it.
    Unsure,
    /// Records wait, and it has been away, or has acknowledged nothing, for longer than it may.
    Silent,
}

/// Follows the hub.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    offline_since: Option<Instant>,
    /// Since when records have waited and none was acknowledged.
    waiting_since: Option<Instant>,
    acks: u64,
    last_ack: Option<Instant>,
}

impl Silence {
    /// At a start nothing has been heard.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, offline_since: Some(now), waiting_since: None, acks: 0, last_ack: None }
    }

    /// Takes in what is seen now, with so many records waiting.
    pub(super) fn look(&mut self, seen: Seen, queued: u64, now: Instant) -> Hub {
        if seen.online {
            self.offline_since = None;
        } else {
            self.offline_since.get_or_insert(now);
        }
        if self.acks != seen.acks {
            (self.acks, self.last_ack, self.waiting_since) = (seen.acks, Some(now), None);
        }
        if queued == 0 {
            self.waiting_since = None;
        } else {
            self.waiting_since.get_or_insert(now);
        }
        let since = self.offline_since.into_iter().chain(self.waiting_since).min();
        if queued > 0 && since.is_some_and(|since| now.duration_since(since) >= self.limit) {
            return Hub::Silent;
        }
        let acked = self.last_ack.is_some_and(|at| now.duration_since(at) < self.limit);
        if seen.online && acked { Hub::Heard } else { Hub::Unsure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_mins(10);

    struct World {
        silence: Silence,
        begin: Instant,
    }

    impl World {
        fn new() -> Self {
            let begin = Instant::now();
            Self { silence: Silence::new(LIMIT, begin), begin }
        }

        fn at(&mut self, minute: u64, online: bool, acks: u64, queued: u64) -> Hub {
            self.silence.look(Seen { online, acks }, queued, self.begin + Duration::from_mins(minute))
        }
    }

    #[test]
    fn a_hub_that_is_away_is_silent_after_a_while_if_records_wait() {
        let mut world = World::new();
        assert_eq!(world.at(1, true, 1, 0), Hub::Heard);
        assert_eq!(world.at(2, false, 1, 5), Hub::Unsure);
        assert_eq!(world.at(11, false, 1, 5), Hub::Unsure);
        assert_eq!(world.at(12, false, 1, 5), Hub::Silent);
        assert_eq!(world.at(13, false, 1, 0), Hub::Unsure, "nothing waits for it");
        assert_eq!(world.at(14, true, 1, 5), Hub::Unsure, "its word alone is no proof");
        assert_eq!(world.at(15, true, 2, 4), Hub::Heard);
    }

    #[test]
    fn a_hub_that_says_it_is_online_and_acknowledges_nothing_is_silent_too() {
        let mut world = World::new();
        assert_eq!(world.at(0, true, 1, 3), Hub::Heard);
        for minute in 1..10 {
            assert_ne!(world.at(minute, true, 1, 3), Hub::Silent);
        }
        assert_eq!(world.at(10, true, 1, 3), Hub::Silent);
        assert_eq!(world.at(11, true, 2, 3), Hub::Heard);
    }

    #[test]
    fn a_hub_that_acknowledges_slowly_is_heard_although_there_are_always_records_waiting() {
        let mut world = World::new();
        for minute in 0..120 {
            assert_eq!(world.at(minute, true, minute / 9 + 1, 3), Hub::Heard);
        }
    }

    #[test]
    fn a_hub_that_has_nothing_to_acknowledge_is_never_silent() {
        let mut world = World::new();
        for minute in 0..120 {
            assert_eq!(world.at(minute, minute % 2 == 0, 0, 0), Hub::Unsure);
        }
    }
}
