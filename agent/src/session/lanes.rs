//! What has been sent in a session, what may be sent next, and when to send it again.

use std::{collections::VecDeque, time::Duration};

use lobby_contract::Ack;

use crate::spool::Place;

/// Most `data` messages of the backlog that the hub has not acknowledged: what a broker must be able to hold for one agent.
const MESSAGES: usize = 20;
/// Most records of a message; so many at once mean that more wait.
const FULL: u64 = 100;
/// How far apart live messages are while a backlog drains, so that they do not crowd it out.
const LIVE_APART: Duration = Duration::from_millis(200);
/// Most live messages after each repeat, while the hub acknowledges nothing.
const LIVE_UNHEARD: u32 = 10;
/// A message that left so recently counts as on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(5);
/// When new records have waited so long behind a full window, they overtake it.
const BLOCKED: Duration = Duration::from_secs(1);
/// Longest time without progress before everything is sent again.
const LONGEST_PATIENCE: Duration = Duration::from_mins(1);

/// The two ways to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// New records, at once.
    Live,
    /// What has piled up, from the oldest.
    Backlog,
}

/// A message that the hub has not acknowledged.
#[derive(Debug, Clone, Copy)]
struct Message {
    first: Place,
    last: Place,
    at: Duration,
}

/// Both lanes of one session.
///
/// While nothing has piled up there is one stream, the live lane, within the window. When it falls behind it is split: the live lane
/// jumps to the newest records, and what was jumped over is the backlog, until that has caught up with the place of the jump.
#[derive(Debug)]
pub(super) struct Lanes {
    epoch: u64,
    live: Place,
    /// Where the live lane began, and the backlog ends.
    split: Place,
    backlog: Place,
    /// Whether there is a backlog.
    behind: bool,
    /// Everything is to be sent again: the next split starts anew.
    anew: bool,
    /// Whether there may be something to send in the live lane.
    fresh: bool,
    under_way: VecDeque<Message>,
    /// What was sent live while behind, from the split on.
    ahead: Option<Place>,
    live_not_before: Duration,
    live_left: u32,
    blocked_since: Option<Duration>,
    first_patience: Duration,
    patience: Duration,
    deadline: Option<Duration>,
}

impl Lanes {
    /// Nothing sent. Without progress for `patience` everything is sent again; then twice as long, and so on.
    pub(super) fn new(epoch: u64, patience: Duration) -> Self {
        Self {
            epoch,
            live: Place::default(),
            split: Place::default(),
            backlog: Place::default(),
            behind: true,
            anew: true,
            fresh: true,
            under_way: VecDeque::new(),
            ahead: None,
            live_not_before: Duration::ZERO,
            live_left: LIVE_UNHEARD,
            blocked_since: None,
            first_patience: patience,
            patience,
            deadline: None,
        }
    }

    /// Records were added to the spool.
    pub(super) fn more(&mut self) {
        self.fresh = true;
    }

    /// The live lane goes on from `from`, or from where it is if that is later.
    pub(super) fn split(&mut self, from: Place) {
        if std::mem::take(&mut self.anew) {
            self.live = from;
        } else if self.behind {
            return;
        } else {
            self.backlog = self.live;
            self.live = self.live.max(from);
        }
        (self.split, self.behind, self.fresh, self.blocked_since) = (self.live, true, true, None);
    }

    /// Whether new records have waited for too long behind a full window.
    pub(super) fn is_blocked(&mut self, now: Duration) -> bool {
        if self.behind || !self.fresh || self.is_open() {
            self.blocked_since = None;
            return false;
        }
        now >= *self.blocked_since.get_or_insert(now) + BLOCKED
    }

    /// From where and before what the live lane may send now.
    pub(super) fn live(&self, now: Duration) -> Option<(Place, Place)> {
        let may = if self.behind {
            now >= self.live_not_before && (!self.is_overdue() || self.live_left > 0)
        } else {
            self.is_open()
        };
        (self.fresh && may).then_some((self.live, Place::END))
    }

    /// From where and before what the backlog may send now.
    pub(super) fn backlog(&self) -> Option<(Place, Place)> {
        (self.behind && self.is_open()).then_some((self.backlog, self.split))
    }

    fn is_open(&self) -> bool {
        self.under_way.len() < MESSAGES
    }

    /// A message with the records from `first` to `last` has left.
    pub(super) fn sent(&mut self, lane: Lane, first: Place, last: Place, now: Duration) {
        let next = Place { seq: last.seq + 1, ..last };
        let message = Message { first, last, at: now };
        match lane {
            Lane::Backlog => {
                self.backlog = next;
                self.under_way.push_back(message);
            }
            Lane::Live => {
                self.live = next;
                self.live_left = self.live_left.saturating_sub(1);
                if self.behind {
                    self.ahead = Some(last);
                    let more_waits = last.seq - first.seq + 1 >= FULL;
                    self.live_not_before = if more_waits { now } else { now + LIVE_APART };
                } else {
                    self.under_way.push_back(message);
                }
            }
        }
        self.deadline.get_or_insert(now + self.patience);
    }

    /// There is nothing (more) to send in a lane.
    pub(super) fn exhausted(&mut self, lane: Lane) {
        match lane {
            Lane::Live => self.fresh = false,
            Lane::Backlog => {
                self.behind = false;
                // From here on one window holds both.
                if let Some(last) = self.ahead.take() {
                    let at = self.live_not_before;
                    self.under_way.push_back(Message { first: self.split, last, at });
                }
            }
        }
    }

    /// The hub has more than before.
    pub(super) fn acked(&mut self, ack: Ack, now: Duration) {
        // That new records arrive says nothing of a backlog of earlier runs, which may have died with a broker.
        let waited_for = self.under_way.front().is_none_or(|message| message.last.epoch == ack.epoch);
        let open = |last: &Place| last.epoch != ack.epoch || last.seq > ack.committed;
        self.under_way.retain(|message| open(&message.last));
        self.ahead = self.ahead.filter(open);
        self.live_left = LIVE_UNHEARD;
        if !waited_for {
            return;
        }
        self.patience = self.first_patience;
        let waits = !self.under_way.is_empty() || self.ahead.is_some();
        self.deadline = waits.then_some(now + self.patience);
    }

    /// Whether everything was sent again before, and nothing was acknowledged since.
    pub(super) fn is_overdue(&self) -> bool {
        self.patience > self.first_patience
    }

    /// Whether something is under way and the hub has acknowledged nothing for a little while.
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now + self.patience >= deadline + ON_ITS_WAY)
    }

    /// Whether patience has ended.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// When something changes by the mere passing of time.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let unheard = self.is_overdue() && self.live_left == 0;
        let live = (self.behind && self.fresh && !unheard).then_some(self.live_not_before);
        let blocked = self.blocked_since.map(|since| since + BLOCKED);
        self.deadline.into_iter().chain(live).chain(blocked).min()
    }

    /// Patience has ended: starts again with the first record that is not acknowledged, and is more patient from now on.
    pub(super) fn rewind(&mut self) {
        self.restart();
        self.patience = (self.patience * 2).min(LONGEST_PATIENCE.max(self.first_patience));
    }

    /// Starts again with the first record that is not acknowledged.
    pub(super) fn restart(&mut self) {
        self.under_way.clear();
        (self.ahead, self.deadline, self.blocked_since) = (None, None, None);
        (self.backlog, self.anew, self.behind, self.fresh) = (Place::default(), true, true, true);
        self.live_left = LIVE_UNHEARD;
    }

    /// The last `seq` of `from..=to` that was sent long enough ago to be missed; below `from` if there is none.
    pub(super) fn missed_until(&self, epoch: u64, from: u64, to: u64, now: Duration) -> u64 {
        let cursor = if epoch == self.epoch && from >= self.split.seq { self.live } else { self.backlog };
        let sent = match epoch.cmp(&cursor.epoch) {
            std::cmp::Ordering::Less => to,
            std::cmp::Ordering::Equal => to.min(cursor.seq.saturating_sub(1)),
            std::cmp::Ordering::Greater => 0,
        };
        let recent = |message: &&Message| message.first.epoch == epoch && now < message.at + ON_ITS_WAY;
        let on_its_way = self.under_way.iter().filter(recent).map(|message| message.first.seq.saturating_sub(1));
        on_its_way.chain([sent]).min().unwrap_or(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);
    const NOW: Duration = Duration::from_secs(100);

    fn at(seq: u64) -> Place {
        Place { epoch: 7, seq }
    }

    fn ack(committed: u64) -> Ack {
        Ack { epoch: 7, committed }
    }

    /// Lanes whose live lane begins at `live`.
    fn lanes(live: u64) -> Lanes {
        let mut lanes = Lanes::new(7, PATIENCE);
        lanes.split(at(live));
        lanes
    }

    /// Sends `count` messages of 100 records of the backlog, starting with `first`.
    fn fill(lanes: &mut Lanes, first: u64, count: u64) {
        for message in 0..count {
            let first = first + message * 100;
            assert!(lanes.backlog().is_some());
            lanes.sent(Lane::Backlog, at(first), at(first + 99), NOW);
        }
    }

    #[test]
    fn new_records_pass_a_full_window_of_history() {
        let mut lanes = lanes(9001);
        fill(&mut lanes, 1, 20);
        assert_eq!(lanes.backlog(), None);
        assert_eq!(lanes.live(NOW), Some((at(9001), Place::END)));
        lanes.sent(Lane::Live, at(9001), at(9003), NOW);
        assert_eq!(lanes.live(NOW), None, "live messages leave the history some room");
        assert_eq!(lanes.deadline(), Some(NOW + LIVE_APART));
        assert_eq!(lanes.live(NOW + LIVE_APART), Some((at(9004), Place::END)));
    }

    #[test]
    fn each_acknowledged_message_makes_room_for_one() {
        let mut lanes = lanes(9001);
        fill(&mut lanes, 1, 20);
        lanes.acked(ack(99), NOW);
        assert_eq!(lanes.backlog(), None, "the first message is not yet whole");
        lanes.acked(ack(100), NOW);
        assert_eq!(lanes.backlog(), Some((at(2001), at(9001))));
    }

    #[test]
    fn what_arrives_of_this_run_does_not_make_it_wait_longer_for_what_is_missing_of_an_earlier_one() {
        let mut lanes = Lanes::new(8, PATIENCE);
        lanes.split(Place { epoch: 8, seq: 1 });
        fill(&mut lanes, 1, 20);
        let due = lanes.deadline;
        let later = NOW + PATIENCE / 2;
        lanes.sent(Lane::Live, Place { epoch: 8, seq: 1 }, Place { epoch: 8, seq: 1 }, later);
        lanes.acked(Ack { epoch: 8, committed: 1 }, later);
        assert_eq!(lanes.deadline, due);
        assert!(lanes.is_due(NOW + PATIENCE));
        lanes.acked(ack(100), later);
        assert_eq!(lanes.deadline, Some(later + PATIENCE), "progress of the backlog itself does");
    }

    #[test]
    fn what_was_sent_live_is_not_sent_again_when_the_history_gets_there() {
        let mut lanes = lanes(201);
        lanes.sent(Lane::Live, at(201), at(230), NOW);
        fill(&mut lanes, 1, 2);
        assert_eq!(lanes.backlog(), Some((at(201), at(201))));
        lanes.exhausted(Lane::Backlog);
        assert_eq!(lanes.backlog(), None);
        assert_eq!(lanes.live(NOW), Some((at(231), Place::END)), "now there is one stream");
        lanes.acked(ack(230), NOW);
        assert_eq!(lanes.deadline(), None, "nothing is under way");
    }

    #[test]
    fn without_progress_everything_is_sent_again_ever_more_patiently() {
        let mut lanes = lanes(1);
        lanes.exhausted(Lane::Backlog);
        let mut patience = Vec::new();
        for _ in 0..5 {
            lanes.fresh = false;
            assert_eq!(lanes.deadline(), None, "nothing under way, nothing to wait for");
            lanes.sent(Lane::Live, at(1), at(1), NOW);
            patience.push(lanes.deadline.unwrap().abs_diff(NOW).as_secs());
            lanes.rewind();
            assert_eq!(lanes.backlog().map(|(from, _)| from), Some(Place::default()));
        }
        assert_eq!(patience, [10, 20, 40, 60, 60]);
        lanes.sent(Lane::Live, at(1), at(1), NOW);
        lanes.sent(Lane::Live, at(2), at(2), NOW);
        lanes.acked(ack(1), NOW);
        assert_eq!(lanes.deadline, Some(NOW + PATIENCE), "progress makes it impatient again");
    }

    #[test]
    fn to_a_hub_that_acknowledges_nothing_only_so_much_is_sent() {
        let mut lanes = lanes(9001);
        lanes.rewind();
        lanes.split(at(9001));
        let mut now = NOW;
        let mut live = 0;
        while let Some((from, _)) = lanes.live(now) {
            lanes.sent(Lane::Live, from, from, now);
            now += LIVE_APART;
            live += 1;
        }
        assert_eq!(live, LIVE_UNHEARD);
        fill(&mut lanes, 1, 20);
        assert_eq!(lanes.backlog(), None);
        lanes.acked(ack(100), now);
        assert!(lanes.live(now).is_some() && lanes.backlog().is_some());
    }

    #[test]
    fn a_stream_that_is_held_up_is_split_and_goes_on_with_what_is_new() {
        let mut lanes = lanes(1);
        lanes.exhausted(Lane::Backlog);
        for message in 0..20 {
            lanes.sent(Lane::Live, at(message * 100 + 1), at(message * 100 + 100), NOW);
        }
        assert_eq!(lanes.live(NOW), None);
        assert!(!lanes.is_blocked(NOW));
        assert_eq!(lanes.deadline(), Some(NOW + BLOCKED));
        assert!(lanes.is_blocked(NOW + BLOCKED));
        lanes.split(at(5000));
        assert_eq!(lanes.live(NOW + BLOCKED), Some((at(5000), Place::END)));
        lanes.acked(ack(100), NOW + BLOCKED);
        assert_eq!(lanes.backlog(), Some((at(2001), at(5000))));
    }

    #[test]
    fn of_a_long_range_only_what_was_sent_a_while_ago_is_missed() {
        let mut lanes = lanes(9001);
        fill(&mut lanes, 1, 2);
        assert_eq!(lanes.missed_until(7, 1, 9000, NOW), 0, "on its way");
        assert_eq!(lanes.missed_until(7, 1, 9000, NOW + ON_ITS_WAY), 200, "the rest is still to come");
        assert_eq!(lanes.missed_until(6, 1, 9000, NOW), 9000, "an epoch that was acknowledged before");
        assert_eq!(lanes.missed_until(8, 1, 9000, NOW), 0);
    }
}
