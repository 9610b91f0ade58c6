//! One session with the hub, as a state machine that is told what happened and says what to do: no sockets, no disk, no clock. The
//! uplink carries it out on a real broker; a simulation carries it out on whatever it likes.
//!
//! Two lanes lead to the hub. The *live* lane sends new records at once. What has piled up goes through the *backlog* lane, from the
//! oldest on, with only so much under way as the hub keeps up with. So a fault is known within a second, however much history waits.
//! Nothing is sent twice in a session unless the hub asks, or acknowledges nothing for longer than patience lasts.
//!
//! ```text
//! connected, message, spool_changed, answer ──► Session ──► next(): publish, ask the spool, probe
//!                                                      └──► deadline(): when to call next() again
//! ```

mod lanes;
mod pace;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use lobby_contract::{
    Ack, AgentInfo, Birth, Channel, Command, CommandResult, Data, Death, DeathReason, DecodeError, DeviceId,
    DeviceInfo, HubState, Lost, Order, Record, ToAgent, encode,
};
use serde::Serialize;
use tracing::{debug, info, warn};

use crate::{
    cause::chain,
    spool::{Acked, Again, Batch, Changes, Place, Status},
};
use lanes::{Lane, Lanes, Leave};

/// Most ranges asked for again that may wait; the hub repeats what it misses.
const MAX_RESENDS: usize = 16;
/// A range of so many records is sent again at once; of a longer one, what is not yet sent or has just been sent is on its way.
const SMALL_RANGE: u64 = 100;
/// Most bytes of a bad message that are logged.
const EXCERPT: usize = 120;
/// What is lost is said again after this, until the hub is known to have it: nothing that arrives of other records shows that it has.
const LOST_AGAIN: Duration = Duration::from_mins(1);
/// How far apart births are that nobody asked for.
const BIRTHS_APART: Duration = Duration::from_secs(10);

/// The time, as the session is told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed start; never goes back.
    pub at: Duration,
    /// Milliseconds since 1970 UTC, by the agent's clock, right or wrong.
    pub wall: i64,
}

/// Who speaks in a session.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The epoch of this run.
    pub epoch: u64,
    /// The session's number.
    pub session: u32,
    /// The devices announced.
    pub devices: Arc<[DeviceInfo]>,
    /// Without an acknowledgement for this long, what is under way is sent again.
    pub patience: Duration,
}

/// What is to be done, in this order, one at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Subscribe to the hub's state and to what it says to this agent.
    Subscribe,
    /// Publish on a channel of this agent.
    Publish {
        /// The channel.
        channel: Channel,
        /// What to say.
        payload: Vec<u8>,
    },
    /// Ask the spool; what it says goes to [`Session::answer`].
    Spool(Query),
    /// Have a device probed; how that ended goes to [`Session::finished`].
    Probe {
        /// The command's id.
        id: Box<str>,
        /// The device.
        device: DeviceId,
    },
}

/// A question to the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// [`crate::spool::Spool::status`].
    Status,
    /// [`crate::spool::Spool::ack`].
    Ack(Ack),
    /// [`crate::spool::Spool::unacked`].
    Unacked {
        /// From here on.
        from: Place,
        /// Before this.
        until: Place,
        /// Most bytes of records, but for the first.
        most: usize,
    },
    /// [`crate::spool::Spool::again`].
    Again {
        /// The epoch.
        epoch: u64,
        /// The first `seq` wanted.
        from: u64,
        /// The last `seq` wanted.
        to: u64,
    },
}

/// The spool's answer to the query of the same name.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the words are those of `Query`")]
pub enum Answer {
    Status(Status),
    Ack(Acked),
    Unacked(Option<Batch>),
    Again(Option<Again>),
}

/// What the answer is awaited for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Status,
    Ack(Ack),
    Unacked(Lane),
    Again(Range),
}

/// A range that the hub wants again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    epoch: u64,
    from: u64,
    to: u64,
}

/// What the spool's status is wanted for.
#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    birth: bool,
    losses: bool,
    lanes: bool,
}

/// One session, from its beginning to its end.
#[derive(Debug)]
pub struct Session {
    speaker: Speaker,
    actions: VecDeque<Action>,
    asked: Option<Asked>,
    wishes: Wishes,
    /// A birth of our own accord, which must not follow the last one too soon.
    owes_birth: bool,
    born_at: Option<Duration>,
    lanes: Lanes,
    acks: BTreeMap<u64, u64>,
    resends: VecDeque<Range>,
    /// Commands that end with the next birth.
    rebirths: Vec<Box<str>>,
    /// What was said to be lost in this session.
    told: Vec<Lost>,
    /// When that is to be said again.
    tell_again_at: Option<Duration>,
    seen: Changes,
    hub_online: Option<bool>,
    bad: u64,
}

impl Session {
    /// A session that has just begun: the connection is there.
    pub fn begin(speaker: Speaker, seen: Changes) -> Self {
        let lanes = Lanes::new(speaker.epoch, speaker.patience);
        Self {
            speaker,
            actions: VecDeque::from([Action::Subscribe]),
            asked: None,
            wishes: Wishes { birth: true, losses: true, lanes: true },
            owes_birth: false,
            born_at: None,
            lanes,
            acks: BTreeMap::new(),
            resends: VecDeque::new(),
            rebirths: Vec::new(),
            told: Vec::new(),
            tell_again_at: None,
            seen,
            hub_online: None,
            bad: 0,
        }
    }

    /// Whether the hub says that it takes records in; `None` while it has said nothing.
    pub fn hub_online(&self) -> Option<bool> {
        self.hub_online
    }

    /// The spool's changes so far.
    pub fn spool_changed(&mut self, changes: Changes) {
        if changes.appended != self.seen.appended {
            self.lanes.more();
        }
        self.wishes.losses |= changes.lost != self.seen.lost;
        // The hub is told when the disk begins to take no records, and when it takes them again.
        self.owes_birth |= changes.in_trouble != self.seen.in_trouble;
        self.seen = changes;
    }

    /// The hub's own state, as it stands on the broker.
    pub fn hub_state(&mut self, payload: &[u8], now: Now) {
        // An empty payload is how a retained state is removed.
        let online = serde_json::from_slice::<HubState>(payload).is_ok_and(|state| state.online);
        let before = self.hub_online.replace(online);
        if before != Some(online) {
            let state = if online { "online" } else { "offline" };
            info!(online, "the hub says that it is {state}");
        }
        if online && before == Some(false) {
            self.begin_again(now);
        }
    }

    /// A message of the hub to this agent, on `ack` or `command`.
    pub fn message(&mut self, channel: Channel, payload: &[u8], now: Now) {
        match ToAgent::decode(channel, payload) {
            Ok(ToAgent::Ack(ack)) => {
                let committed = self.acks.entry(ack.epoch).or_default();
                *committed = ack.committed.max(*committed);
                // Nobody makes up so many epochs but an enemy.
                if self.acks.len() > MAX_RESENDS {
                    self.acks.pop_first();
                }
            }
            Ok(ToAgent::Command(command)) => self.obey(command, now),
            Err(error) => self.note_bad(channel, payload, &error),
        }
    }

    /// How a command ended that was passed on by [`Action::Probe`].
    pub fn finished(&mut self, id: Box<str>, done: Result<(), String>) {
        let result = CommandResult { id, ok: done.is_ok(), error: done.err().map(Into::into) };
        self.publish(Channel::Result, &result);
    }

    /// The session ends on purpose: what is to be published last.
    pub fn goodbye(&self) -> Vec<u8> {
        let Speaker { epoch, session, .. } = self.speaker;
        encode(&Death { epoch, session, reason: DeathReason::Stopping })
    }

    /// What is to be done now; `None` when there is nothing until something happens, the spool has answered, or
    /// [`Session::deadline`] has come.
    pub fn next(&mut self, now: Now) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if self.asked.is_some() {
            return None;
        }
        if self.lanes.is_due(now.at) {
            self.lose_patience();
        }
        if self.tell_again_at.is_some_and(|at| now.at >= at) {
            self.told.clear();
            self.wishes.losses = true;
        }
        let (asked, query) = self.question(now)?;
        self.asked = Some(asked);
        Some(Action::Spool(query))
    }

    /// When [`Session::next`] is to be called at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        let birth = self.born_at.filter(|_| self.owes_birth).map(|born| born + BIRTHS_APART);
        self.lanes.deadline().into_iter().chain(birth).chain(self.tell_again_at).min()
    }

    /// The spool's answer to the last [`Action::Spool`].
    pub fn answer(&mut self, answer: Answer, now: Now) {
        match (self.asked.take(), answer) {
            (Some(Asked::Status), Answer::Status(status)) => self.take_status(status, now),
            (Some(Asked::Ack(ack)), Answer::Ack(acked)) => self.take_acked(ack, acked, now),
            (Some(Asked::Unacked(lane)), Answer::Unacked(batch)) => self.take_batch(lane, batch, now),
            (Some(Asked::Again(range)), Answer::Again(again)) => self.take_again(range, again, now),
            (asked, answer) => debug!(?asked, ?answer, "an answer that nobody asked for"),
        }
    }

    fn question(&mut self, now: Now) -> Option<(Asked, Query)> {
        if let Some((epoch, committed)) = self.acks.pop_first() {
            let ack = Ack { epoch, committed };
            return Some((Asked::Ack(ack), Query::Ack(ack)));
        }
        if self.owes_birth && self.born_at.is_none_or(|born| now.at >= born + BIRTHS_APART) {
            self.wishes.birth = true;
        }
        self.wishes.lanes |= self.lanes.is_blocked(now.at);
        let Wishes { birth, losses, lanes } = self.wishes;
        if birth || losses || lanes {
            return Some((Asked::Status, Query::Status));
        }
        if let Some(Leave { from, until, most }) = self.lanes.live(now.at) {
            return Some((Asked::Unacked(Lane::Live), Query::Unacked { from, until, most }));
        }
        if let Some(range) = self.resends.pop_front() {
            let Range { epoch, from, to } = range;
            return Some((Asked::Again(range), Query::Again { epoch, from, to }));
        }
        let Leave { from, until, most } = self.lanes.backlog()?;
        Some((Asked::Unacked(Lane::Backlog), Query::Unacked { from, until, most }))
    }

    fn take_status(&mut self, status: Status, now: Now) {
        let Wishes { birth, losses, lanes } = std::mem::take(&mut self.wishes);
        if birth {
            self.owes_birth = false;
            self.born_at = Some(now.at);
            self.publish_birth(&status, now);
            for id in std::mem::take(&mut self.rebirths) {
                self.finished(id, Ok(()));
            }
        }
        if lanes {
            self.lanes.split(status.live_from);
        }
        if losses {
            self.tell_losses(status.lost, now);
        }
    }

    fn publish_birth(&mut self, status: &Status, now: Now) {
        let birth = Birth {
            epoch: self.speaker.epoch,
            session: self.speaker.session,
            sent_at: now.wall,
            agent: AgentInfo { version: env!("CARGO_PKG_VERSION").into() },
            queued: status.queued,
            unsaved: status.unsaved,
            refused: Vec::new(),
            devices: self.speaker.devices.to_vec(),
        };
        self.publish(Channel::Birth, &birth);
    }

    fn tell_losses(&mut self, lost: Vec<Lost>, now: Now) {
        self.tell_again_at = (!lost.is_empty()).then_some(now.at + LOST_AGAIN);
        let told = std::mem::take(&mut self.told);
        for range in lost.iter().filter(|range| !told.contains(range)) {
            warn!(epoch = range.epoch, from = range.from, to = range.to, "telling the hub of lost records");
            self.publish(Channel::Lost, range);
        }
        self.told = lost;
    }

    fn take_acked(&mut self, ack: Ack, acked: Acked, now: Now) {
        match acked {
            Acked::Advanced => self.lanes.acked(ack, now.at),
            Acked::Known => {}
            Acked::Refused => {
                self.bad += 1;
                let Ack { epoch, committed } = ack;
                let bad = self.bad;
                warn!(epoch, committed, bad, "the hub acknowledges records that this agent never made: ignored");
            }
        }
    }

    fn take_batch(&mut self, lane: Lane, batch: Option<Batch>, now: Now) {
        let Some(batch) = batch else { return self.lanes.exhausted(lane) };
        let place = |record: &Record| Place { epoch: batch.epoch, seq: record.seq };
        let ends = batch.records.first().map(place).zip(batch.records.last().map(place));
        let bytes = self.publish_batch(batch, now);
        if let Some(ends) = ends {
            self.lanes.sent(lane, ends, bytes, now.at);
        }
    }

    fn take_again(&mut self, range: Range, again: Option<Again>, now: Now) {
        let Some(again) = again else { return };
        let sent = match again {
            Again::Gone(lost) => {
                self.publish(Channel::Lost, &lost);
                lost.to
            }
            Again::Records(batch) => {
                let last = batch.records.last().map_or(range.to, |record| record.seq);
                self.publish_batch(batch, now);
                last
            }
        };
        if sent < range.to {
            // The rest waits, so that acknowledgements are heard and new records sent between.
            self.resends.push_front(Range { from: sent + 1, ..range });
        }
    }

    /// How many bytes it takes.
    fn publish_batch(&mut self, batch: Batch, now: Now) -> usize {
        let Batch { epoch, oldest, records } = batch;
        let session = self.speaker.session;
        let data = Data { epoch, session, sent_at: now.wall, oldest: Some(oldest), records, refused: Vec::new() };
        self.publish(Channel::Data, &data)
    }

    /// How many bytes it takes.
    fn publish(&mut self, channel: Channel, message: &impl Serialize) -> usize {
        let payload = encode(message);
        let bytes = payload.len();
        self.actions.push_back(Action::Publish { channel, payload });
        bytes
    }

    fn lose_patience(&mut self) {
        // Once is enough until it acknowledges something: it may be away for days.
        if !self.lanes.is_overdue() {
            warn!("the hub has acknowledged nothing for a while: what it lacks is sent again until it does");
        }
        self.lanes.rewind();
        self.tell_again();
    }

    /// The hub is there again, and may have missed what was sent meanwhile.
    fn begin_again(&mut self, now: Now) {
        if self.lanes.is_silent(now.at) {
            self.lanes.restart();
            self.tell_again();
        }
    }

    fn tell_again(&mut self) {
        self.told.clear();
        self.wishes.losses = true;
        self.wishes.lanes = true;
    }

    fn obey(&mut self, command: Command, now: Now) {
        let Command { id, order } = command;
        debug!(command.id = %id, ?order, "the hub asks for something");
        let done = match order {
            Order::Rebirth => {
                self.wishes.birth = true;
                self.told.clear();
                self.wishes.losses = true;
                self.begin_again(now);
                if self.rebirths.len() < MAX_RESENDS {
                    self.rebirths.push(id);
                }
                return;
            }
            Order::Resend { epoch, from, to } => {
                self.queue_resend(Range { epoch: epoch.unwrap_or(self.speaker.epoch), from, to }, now)
            }
            Order::Probe { device } => return self.actions.push_back(Action::Probe { id, device }),
        };
        self.finished(id, done);
    }

    fn queue_resend(&mut self, wanted: Range, now: Now) -> Result<(), String> {
        let Range { epoch, from, to } = wanted;
        if from == 0 || from > to {
            return Err(format!("from {from} to {to} is not a range of records"));
        }
        // Of a long range, what is still to be sent or has just been sent comes anyway: sending it once more would only delay it.
        let to = if to - from < SMALL_RANGE { to } else { self.lanes.missed_until(epoch, from, to, now.at) };
        let wanted = Range { epoch, from, to };
        if from > to || self.resends.contains(&wanted) {
            return Ok(());
        }
        if self.resends.len() >= MAX_RESENDS {
            return Err(format!("{MAX_RESENDS} ranges are waiting already: ask again later"));
        }
        self.resends.push_back(wanted);
        Ok(())
    }

    fn note_bad(&mut self, channel: Channel, payload: &[u8], error: &DecodeError) {
        self.bad += 1;
        if self.bad.is_power_of_two() {
            let excerpt = String::from_utf8_lossy(&payload[..payload.len().min(EXCERPT)]);
            let cause = chain(error);
            warn!(%channel, %excerpt, cause, bad = self.bad, "a message of the hub cannot be read and is ignored");
        }
    }
}
