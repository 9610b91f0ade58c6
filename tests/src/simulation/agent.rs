//! An agent of the simulation: devices with a known true state, and the product's own spool and session.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use lobby_agent::{
    session::{Answer, Now, Query, Session, Speaker},
    spool::{Acked, Changes, Limits, Place, Spool, SpoolError},
};
use lobby_contract::{Ack, AgentId, Channel, DeviceId, DeviceInfo, FactValue, Reach, Record, encode};

use super::disk::Disk;

/// The true state of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It works.
    Fine,
    /// Its rule waits 5 s.
    Jammed,
    /// Its rule waits not at all.
    MotorFault,
    /// Its rule waits 60 s.
    Unreachable,
}

impl Truth {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Fine, Self::Jammed, Self::MotorFault, Self::Unreachable];

    /// The rule that finds it.
    pub const fn rule(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::Jammed => Some("covers-jammed"),
            Self::MotorFault => Some("covers-motor-fault"),
            Self::Unreachable => Some("covers-unreachable"),
        }
    }
}

/// A device.
#[derive(Debug)]
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// How it is.
    pub truth: Truth,
    /// Grows with each change of its state.
    pub episode: u32,
    /// Its heartbeat, in ms.
    pub every: i64,
    /// Grows with each report, so that an earlier appointment for the next one lapses.
    pub turn: u64,
}

/// An agent's machine, its disk and what runs on it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each may be so or not, whatever the others are")]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// Its disk.
    pub disk: Disk,
    /// How far its clock is ahead of the true time, in ms.
    pub clock: i64,
    /// Its devices.
    pub devices: Vec<Device>,
    /// The spool, while the process runs.
    pub spool: Option<Spool<Disk>>,
    /// The session and its connection, while there is one.
    pub session: Option<(usize, Session)>,
    /// Grows with each start of the process.
    pub run: u32,
    /// The number of the last session of this run.
    pub sessions: u32,
    /// The last `seq` of this run.
    pub seq: u64,
    /// Whether the network to the broker is cut.
    pub cut_off: bool,
    /// Failed attempts to connect.
    pub failures: u32,
    /// Whether its devices report all the time.
    pub busy: bool,
    /// The oldest record of an earlier run that the hub lacks although nothing is in the way, and since when.
    pub waits: Option<(Place, i64)>,
    /// Whether its disk was ever full, refused writes or failed a sync, so that it may say that records are lost.
    pub may_lose: bool,
    /// When it has an appointment to look after its session.
    pub wakes_at: Option<i64>,
    /// When it has one to look after its spool.
    pub tidies_at: Option<i64>,
    changes: Changes,
    limits: Limits,
    /// What arrives of this run counts as progress of an earlier one: a planted bug.
    puts_off_backlog: bool,
}

impl Agent {
    /// A machine that is switched off.
    pub fn new(id: AgentId, disk: Disk, devices: Vec<Device>, max_bytes: u64, puts_off_backlog: bool) -> Self {
        Self {
            id,
            disk,
            clock: 0,
            devices,
            spool: None,
            session: None,
            run: 0,
            sessions: 0,
            seq: 0,
            cut_off: false,
            failures: 0,
            busy: false,
            waits: None,
            may_lose: false,
            wakes_at: None,
            tidies_at: None,
            changes: Changes::default(),
            limits: Limits { max_bytes, segment_bytes: (max_bytes / 16).clamp(512, 16 * 1024) },
            puts_off_backlog,
        }
    }

    /// Starts the process.
    pub fn start(&mut self, wall: i64) -> Result<(), SpoolError> {
        self.run += 1;
        let spool = Spool::open_on(self.disk.clone(), Path::new("/state"), self.limits, wall)?;
        (self.sessions, self.seq, self.failures) = (0, 0, 0);
        self.changes = Changes { appended: 0, lost: spool.losses(), in_trouble: spool.in_trouble() };
        self.spool = Some(spool);
        Ok(())
    }

    /// The process is gone.
    pub fn stop(&mut self) {
        (self.spool, self.session) = (None, None);
        (self.wakes_at, self.tidies_at, self.waits) = (None, None, None);
        self.run += 1;
    }

    /// The epoch of this run.
    pub fn epoch(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::epoch)
    }

    /// Begins a session on a connection.
    pub fn begin(&mut self, connection: usize) {
        let devices: Arc<[DeviceInfo]> = self.devices.iter().map(Device::info).collect();
        let patience = Duration::from_secs(10);
        let speaker = Speaker { epoch: self.epoch(), session: self.sessions, devices, patience };
        self.session = Some((connection, Session::begin(speaker, self.changes)));
    }

    /// What its clock shows.
    pub fn wall(&self, now: i64) -> i64 {
        super::world::EPOCH + now + self.clock
    }

    /// The time as the session is told it.
    pub fn now(&self, now: i64) -> Now {
        Now { at: Duration::from_millis(now.unsigned_abs()), wall: self.wall(now) }
    }

    /// Reports a device; whether the record is on disk.
    pub fn report(&mut self, device: usize, now: i64) -> bool {
        let wall = self.wall(now);
        let Some(spool) = &mut self.spool else { return false };
        let on_disk = spool.append([self.devices[device].record(wall)]);
        self.seq += 1;
        self.changes.appended += 1;
        on_disk
    }

    /// The oldest record of an earlier run that the hub has not acknowledged.
    pub fn backlog(&mut self) -> Option<Place> {
        let spool = self.spool.as_mut().filter(|spool| spool.queued() > 0)?;
        let this_run = Place { epoch: spool.epoch(), seq: 0 };
        let batch = spool.unacked(Place::default(), this_run, 1)?;
        Some(Place { epoch: batch.epoch, seq: batch.records.first()?.seq })
    }

    /// Lets the session hear what the hub says to it.
    pub fn hear(&mut self, channel: Channel, payload: &[u8], now: Now) {
        let backlog = if self.puts_off_backlog && channel == Channel::Ack { self.backlog() } else { None };
        let Some((_, session)) = &mut self.session else { return };
        session.message(channel, payload, now);
        if let Some(Place { epoch, .. }) = backlog {
            session.message(channel, &encode(&Ack { epoch, committed: 0 }), now);
        }
    }

    /// Lets the session see what has changed in the spool.
    pub fn show_changes(&mut self) {
        let Some(spool) = &self.spool else { return };
        (self.changes.lost, self.changes.in_trouble) = (spool.losses(), spool.in_trouble());
        if let Some((_, session)) = &mut self.session {
            session.spool_changed(self.changes);
        }
    }

    /// Asks the spool what the session wants to know.
    pub fn ask(&mut self, query: Query) -> Option<Answer> {
        let spool = self.spool.as_mut()?;
        Some(match query {
            Query::Status => Answer::Status(spool.status()),
            Query::Ack(ack) if self.puts_off_backlog && ack.committed == 0 => Answer::Ack(Acked::Advanced),
            Query::Ack(ack) => Answer::Ack(spool.ack(ack)),
            Query::Unacked { from, until, most } => Answer::Unacked(spool.unacked(from, until, most)),
            Query::Again { epoch, from, to } => Answer::Again(spool.again(epoch, from, to)),
        })
    }
}

impl Device {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            id: self.id.clone(),
            kind: "shoe-cover-machine".into(),
            name: "".into(),
            place: "".into(),
            every_ms: self.every.unsigned_abs(),
        }
    }

    fn record(&self, at: i64) -> Record {
        let word = |fault| if fault { "fault" } else { "ok" };
        let facts = BTreeMap::from([
            ("jam".into(), FactValue::from(self.truth == Truth::Jammed)),
            ("motor".into(), FactValue::from(word(self.truth == Truth::MotorFault))),
        ]);
        let reached = self.truth != Truth::Unreachable;
        let (reach, facts) = if reached { (Reach::Ok, facts) } else { (Reach::Unreachable, BTreeMap::new()) };
        Record { seq: 0, at: at.max(0), device: self.id.clone(), reach, facts, faults: Vec::new() }
    }
}
