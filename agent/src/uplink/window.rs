//! How much is under way to the hub, and when to send it again.

use std::{collections::VecDeque, time::Duration};

use lobby_contract::Ack;
use tokio::time::Instant;

use crate::spool::Place;

/// Most `data` messages that the hub has not acknowledged: what a broker must be able to hold for one agent.
const MESSAGES: usize = 20;
/// Longest time without progress before everything is sent again.
const LONGEST_PATIENCE: Duration = Duration::from_mins(1);

/// The messages of one session that are under way.
#[derive(Debug)]
pub(super) struct Window {
    /// The last record of each message.
    under_way: VecDeque<Place>,
    next: Place,
    first_patience: Duration,
    patience: Duration,
    deadline: Option<Instant>,
}

impl Window {
    /// Nothing under way. Without progress for `patience` everything is sent again; then twice as long, and so on.
    pub(super) fn new(patience: Duration) -> Self {
        Self { under_way: VecDeque::new(), next: Place::default(), first_patience: patience, patience, deadline: None }
    }

    /// Whether one more message may leave.
    pub(super) fn is_open(&self) -> bool {
        self.under_way.len() < MESSAGES
    }

    /// Where to read on.
    pub(super) fn next(&self) -> Place {
        self.next
    }

    /// A message that ends with the record at `last` has left.
    pub(super) fn sent(&mut self, last: Place, now: Instant) {
        self.under_way.push_back(last);
        self.next = Place { seq: last.seq + 1, ..last };
        self.deadline.get_or_insert(now + self.patience);
    }

    /// The hub has more than before.
    pub(super) fn advanced(&mut self, ack: Ack, now: Instant) {
        self.under_way.retain(|last| last.epoch != ack.epoch || last.seq > ack.committed);
        self.patience = self.first_patience;
        self.deadline = (!self.under_way.is_empty()).then_some(now + self.patience);
    }

    /// Whether everything was sent again before, and nothing was acknowledged since.
    pub(super) fn is_overdue(&self) -> bool {
        self.patience > self.first_patience
    }

    /// When patience ends, if something is under way.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Patience has ended: starts again with the first record that is not acknowledged, and is more patient from now on.
    pub(super) fn rewind(&mut self) {
        self.under_way.clear();
        self.next = Place::default();
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE.max(self.first_patience));
        self.deadline = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn at(seq: u64) -> Place {
        Place { epoch: 7, seq }
    }

    #[test]
    fn the_window_closes_when_full_and_opens_with_each_acknowledgement() {
        let now = Instant::now();
        let mut window = Window::new(PATIENCE);
        for message in 1..=20 {
            assert!(window.is_open());
            window.sent(at(message * 100), now);
        }
        assert!(!window.is_open());
        window.advanced(Ack { epoch: 7, committed: 99 }, now);
        assert!(!window.is_open(), "the first message is not yet whole");
        window.advanced(Ack { epoch: 7, committed: 100 }, now);
        assert!(window.is_open());
        assert_eq!(window.next(), at(2001));
    }

    #[test]
    fn without_progress_everything_is_sent_again_ever_more_patiently() {
        let now = Instant::now();
        let mut window = Window::new(PATIENCE);
        let mut patience = Vec::new();
        for _ in 0..5 {
            assert_eq!(window.deadline(), None, "nothing under way, nothing to wait for");
            window.sent(at(1), now);
            patience.push((window.deadline().unwrap() - now).as_secs());
            window.rewind();
            assert_eq!(window.next(), Place::default());
        }
        assert_eq!(patience, [10, 20, 40, 60, 60]);
        window.sent(at(1), now);
        window.sent(at(2), now);
        window.advanced(Ack { epoch: 7, committed: 1 }, now);
        assert_eq!(window.deadline(), Some(now + PATIENCE), "progress makes it impatient again");
    }
}
