//! What has been sent in a session, what may be sent next, and when to send it again.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use lobby_contract::Ack;

use super::pace::{Departure, Pace};
use crate::spool::{MAX_BATCH_BYTES, Place};

/// Most `data` messages that the hub has not acknowledged: what a broker must be able to hold for one agent. Of a backlog, the pace
/// may allow fewer.
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
    left: Departure,
}

/// What a lane may send now: records at or after `from` and before `until`, and so many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leave {
    pub(super) from: Place,
    pub(super) until: Place,
    pub(super) most: usize,
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
    pace: Pace,
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
            pace: Pace::new(),
            ahead: None,
            live_not_before: Duration::ZERO,
            live_left: LIVE_UNHEARD,
            blocked_since: None,
            first_patience: patience,
            patience,
            deadline: None,
        }
    }

    /// As if the way had been found to take as much as is wanted.
    #[cfg(test)]
    pub(super) fn widen(&mut self) {
        self.pace = Pace::wide();
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

    /// What the live lane may send now.
    pub(super) fn live(&self, now: Duration) -> Option<Leave> {
        let may = if self.behind {
            now >= self.live_not_before && (!self.is_overdue() || self.live_left > 0)
        } else {
            self.is_open()
        };
        (self.fresh && may).then_some(Leave { from: self.live, until: Place::END, most: MAX_BATCH_BYTES })
    }

    /// What the backlog may send now.
    pub(super) fn backlog(&self) -> Option<Leave> {
        if !self.behind || !self.is_open() {
            return None;
        }
        let most = self.pace.room(self.bytes_under_way())?;
        Some(Leave { from: self.backlog, until: self.split, most })
    }

    fn bytes_under_way(&self) -> usize {
        self.under_way.iter().map(|message| message.left.bytes).sum()
    }

    fn is_open(&self) -> bool {
        self.under_way.len() < MESSAGES
    }

    /// A message of so many bytes with the records from `first` to `last` has left.
    pub(super) fn sent(&mut self, lane: Lane, (first, last): (Place, Place), bytes: usize, now: Duration) {
        let next = Place { seq: last.seq + 1, ..last };
        let left = self.pace.leaves(bytes, self.bytes_under_way(), now);
        let message = Message { first, last, left };
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
                    let left = self.pace.leaves(0, 0, self.live_not_before);
                    self.under_way.push_back(Message { first: self.split, last, left });
                }
            }
        }
    }

    /// The hub has more than before.
    pub(super) fn acked(&mut self, ack: Ack, now: Duration) {
        // That new records arrive says nothing of a backlog of earlier runs, which may have died with a broker.
        let waited_for = self.under_way.front().is_none_or(|message| message.last.epoch == ack.epoch);
        let open = |last: &Place| last.epoch != ack.epoch || last.seq > ack.committed;
        let (mut came, mut newest) = (0, Departure::default());
        self.under_way.retain(|Message { last, left, .. }| {
            let is_open = open(last);
            // What was sent before the lanes became one is known by its end only.
            if !is_open && left.bytes > 0 {
                (came, newest) = (came + left.bytes, *left);
            }
            is_open
        });
        if came > 0 {
            self.pace.arrived(came, newest, now);
        }
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
        self.pace.restart();
        (self.ahead, self.deadline, self.blocked_since) = (None, None, None);
        (self.backlog, self.anew, self.behind, self.fresh) = (Place::default(), true, true, true);
        self.live_left = LIVE_UNHEARD;
    }

    /// The last `seq` of `from..=to` that was sent long enough ago to be missed; below `from` if there is none.
    pub(super) fn missed_until(&self, epoch: u64, from: u64, to: u64, now: Duration) -> u64 {
        // Where nothing has piled up, or no more, all of it was sent by the live lane or before.
        let is_live = epoch == self.epoch && from >= self.split.seq;
        let cursor = if is_live || !self.behind { self.live } else { self.backlog };
        let sent = match epoch.cmp(&cursor.epoch) {
            std::cmp::Ordering::Less => to,
            std::cmp::Ordering::Equal => to.min(cursor.seq.saturating_sub(1)),
            std::cmp::Ordering::Greater => 0,
        };
        let recent = |message: &&Message| message.first.epoch == epoch && now < message.left.at + ON_ITS_WAY;
        let on_its_way = self.under_way.iter().filter(recent).map(|message| message.first.seq.saturating_sub(1));
        on_its_way.chain([sent]).min().unwrap_or(sent)
    }
}
