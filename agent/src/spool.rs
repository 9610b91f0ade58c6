//! Store and forward: a record is on disk before it is sent, and stays until the hub has said that it has it.
//!
//! Records lie in append-only segment files below `state_dir/spool`; what the hub has acknowledged lies in `state.json`.
//! Owns the numbering (`epoch`, `seq`). Must not know: MQTT, probes, time beyond its first start.

mod disk;
mod files;
mod frame;
mod segment;
mod state;
mod task;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
};

use lobby_contract::{Ack, Lost, Record, encode};
use tracing::{error, info, warn};

use disk::{Disk, Found, Numbered, Stretch};
use files::{is_damage, is_full};
use frame::MAX_PAYLOAD;
use state::State;

pub use files::{Files, SystemFiles};
pub use segment::Place;
pub use task::{Changes, Closed, SpoolHandle, Status};

/// Most records kept in memory while the disk takes none; the newest of each device stay beyond it.
const MAX_WAITING: usize = 1000;
/// How far back the newest records of the devices are looked for.
const LIVE_REACH: u64 = 1000;
/// Most records of one batch.
const MAX_BATCH: usize = 100;
/// Most bytes of records in one batch.
pub(crate) const MAX_BATCH_BYTES: usize = 60 * 1024;

/// How much disk the spool may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of all segments together; beyond it the oldest records go.
    pub max_bytes: u64,
    /// A segment that has grown to this many bytes is closed.
    pub segment_bytes: u64,
}

impl Limits {
    /// Limits with segments that are small against the whole, so that what is acknowledged is soon deleted.
    pub fn of(max_bytes: u64) -> Self {
        Self { max_bytes, segment_bytes: (max_bytes / 16).clamp(16 * 1024, 1024 * 1024) }
    }
}

/// Why the spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another agent has this directory.
    #[error("another agent is running on {}: stop it, or give this one its own `state_dir`", .0.display())]
    InUse(PathBuf),
    /// The system refused something.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError::Io { doing, path: path.to_owned(), source }
}

/// Some records of one epoch, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The epoch in which they were made.
    pub epoch: u64,
    /// The lowest `seq` of this epoch that is held and not acknowledged; if there is none, the one after the last.
    pub oldest: u64,
    /// The records; at least one.
    pub records: Vec<Record>,
}

/// What the spool has of a range that is asked for again.
#[derive(Debug, Clone, PartialEq)]
pub enum Again {
    /// Its first records.
    Records(Batch),
    /// Its first records are gone.
    Gone(Lost),
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The hub has more than before.
    Advanced,
    /// Nothing new.
    Known,
    /// It speaks of records that never were.
    Refused,
}

/// The records of one agent that the hub does not have yet.
#[derive(Debug)]
pub struct Spool<F: Files = SystemFiles> {
    disk: Disk<F>,
    state: State,
    state_path: PathBuf,
    /// The state in memory is newer than the file.
    dirty: bool,
    /// Records that have a number and are not on disk: only while they are written, or while the disk is in trouble.
    waiting: VecDeque<Numbered>,
    /// The newest record of each device: the last that may go when there is no room.
    newest: BTreeMap<Box<str>, Place>,
    next_seq: u64,
    losses: u64,
    in_trouble: bool,
    _lock: F::Lock,
}

impl Spool {
    /// Opens the spool in `state_dir` on the computer's own files. See [`Spool::open_on`].
    pub fn open(state_dir: &Path, limits: Limits, now: i64) -> Result<Self, SpoolError> {
        Self::open_on(SystemFiles, state_dir, limits, now)
    }
}

impl<F: Files> Spool<F> {
    /// Opens the spool in `state_dir`, creating it if need be, and begins a new epoch, which is on disk when this returns.
    ///
    /// `now` (ms since 1970 UTC) numbers the very first epoch: an agent whose disk was replaced must not repeat the epochs that the
    /// hub knows of it, because the hub would take its new records for old ones.
    pub fn open_on(files: F, state_dir: &Path, limits: Limits, now: i64) -> Result<Self, SpoolError> {
        let dir = state_dir.join("spool");
        files.create_dir_all(&dir).map_err(failed("create", &dir))?;
        let lock = lock(&files, state_dir)?;
        let state_path = state_dir.join("state.json");
        let saved = load_state(&files, &state_path)?;
        let (disk, found) = Disk::open(files, dir.clone(), limits).map_err(failed("read the spool in", &dir))?;
        let fresh = u64::try_from(now / 1000).unwrap_or(0);
        let newest = disk.segments().next_back().map_or(0, |stretch| stretch.first.epoch);
        let mut state = saved.unwrap_or_else(|| State { epoch: fresh, ..State::default() });
        state.epoch = state.epoch.max(newest) + 1;
        add_gaps(&mut state, &found);
        let mut spool = Self {
            disk,
            state,
            state_path,
            dirty: true,
            waiting: VecDeque::new(),
            newest: found.newest,
            next_seq: 1,
            losses: 0,
            in_trouble: false,
            _lock: lock,
        };
        let path = spool.state_path.clone();
        if let Err(error) = spool.state.save(spool.disk.files(), &path) {
            // A new epoch must be on disk before it is used; the oldest records make room for it.
            if !is_full(&error) || !spool.make_room() {
                return Err(failed("write", &path)(error));
            }
            spool.state.save(spool.disk.files(), &path).map_err(failed("write", &path))?;
        }
        spool.tidy();
        info!(epoch = spool.epoch(), queued = spool.queued(), bytes = spool.disk.bytes(), "spool opened");
        Ok(spool)
    }

    /// The epoch of this run.
    pub fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// How many records the hub has not acknowledged.
    pub fn queued(&self) -> u64 {
        let unacked = |stretch: Stretch| {
            let from = stretch.from.max(self.state.acked(stretch.first.epoch) + 1);
            (stretch.last + 1).saturating_sub(from).min(stretch.count)
        };
        self.disk.segments().map(unacked).sum::<u64>() + self.unsaved()
    }

    /// How many of them are in memory only.
    pub fn unsaved(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// From where on the records of this epoch tell the present: where the newest record of the device that was quiet longest
    /// stands, but not further back than `LIVE_REACH` records, and not less far than one batch.
    pub fn live_from(&self) -> Place {
        let epoch = self.state.epoch;
        let newest = self.newest.values().filter(|place| place.epoch == epoch).map(|place| place.seq);
        let quiet = newest.min().unwrap_or(self.next_seq).min(self.next_seq.saturating_sub(MAX_BATCH as u64));
        let seq = quiet.max(self.next_seq.saturating_sub(LIVE_REACH)).max(self.state.acked(epoch) + 1);
        Place { epoch, seq: seq.min(self.next_seq) }
    }

    /// What is gone and not yet acknowledged as such, in order.
    pub fn lost(&self) -> &[Lost] {
        &self.state.lost
    }

    /// What a new session tells the hub.
    pub fn status(&self) -> Status {
        // While the disk takes none, whatever comes next is in memory only, although what did may have been acknowledged.
        let (queued, unsaved) = (self.queued(), self.unsaved().max(u64::from(self.in_trouble)));
        Status { queued, unsaved, live_from: self.live_from(), lost: self.lost().to_vec() }
    }

    /// Grows whenever something is added to [`Spool::lost`].
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Whether records wait in memory because the disk takes none.
    pub fn in_trouble(&self) -> bool {
        self.in_trouble
    }

    /// Numbers `drafts` (whose own `seq` is ignored) and writes them with one sync. `true`: they are on disk. `false`: the disk takes
    /// none at present; they are kept in memory, as many as there is room for, and [`Spool::flush`] tries again.
    pub fn append(&mut self, drafts: impl IntoIterator<Item = Record>) -> bool {
        for draft in drafts {
            let record = Record { seq: self.next_seq, ..draft };
            self.note_newest(record.device.as_str());
            self.waiting.push_back((record.seq, encoded(record)));
            self.next_seq += 1;
        }
        self.flush()
    }

    /// Writes what waits in memory. `true`: nothing waits any more. Only a write that succeeds ends a trouble of the disk.
    pub fn flush(&mut self) -> bool {
        let (mut made_room, mut written) = (false, false);
        while !self.waiting.is_empty() {
            while self.disk.is_full_for(&self.waiting) && self.make_room() {}
            let Err(error) = self.disk.write(self.state.epoch, &mut self.waiting) else {
                written = true;
                continue;
            };
            // Others may fill the disk as well: no more is given up at once than one record needs.
            if is_full(&error) && !std::mem::replace(&mut made_room, true) && self.make_room() {
                continue;
            }
            if !std::mem::replace(&mut self.in_trouble, true) {
                error!(cause = %error, "the spool cannot be written: the newest {MAX_WAITING} records are kept in memory only");
            }
            self.bound_memory();
            return false;
        }
        if written && std::mem::take(&mut self.in_trouble) {
            info!("the spool can be written again");
        }
        true
    }

    /// Takes in what the hub says it has. Records are deleted by [`Spool::tidy`].
    pub fn ack(&mut self, ack: Ack) -> Acked {
        let Ack { epoch, committed } = ack;
        let highest = if epoch == self.state.epoch { Some(self.next_seq - 1) } else { self.highest(epoch) };
        let seq = match highest {
            None if epoch < self.state.epoch => return Acked::Known,
            None => return Acked::Refused,
            Some(highest) if epoch == self.state.epoch && committed > highest => return Acked::Refused,
            // The hub may have got records of an earlier epoch that never reached the disk.
            Some(highest) => committed.min(highest),
        };
        if seq <= self.state.acked(epoch) {
            return Acked::Known;
        }
        self.state.advance(epoch, seq);
        if epoch == self.state.epoch {
            self.waiting.retain(|(waiting, _)| *waiting > seq);
        }
        self.dirty = true;
        Acked::Advanced
    }

    /// Makes the watermark durable if it has moved, and then deletes the segments below it.
    pub fn tidy(&mut self) {
        if !self.save() {
            return;
        }
        let Self { disk, state, .. } = self;
        let mut held: BTreeSet<u64> = disk
            .segments()
            .filter(|stretch| state.acked(stretch.first.epoch) < stretch.last)
            .map(|stretch| stretch.first.epoch)
            .chain(state.lost.iter().map(|lost| lost.epoch))
            .collect();
        held.insert(state.epoch);
        if let Err(error) = disk.delete_where(|stretch| stretch.last <= state.acked(stretch.first.epoch)) {
            warn!(cause = %error, "segments of the spool were deleted, but not durably");
            return;
        }
        // Forgotten in memory only after the segments are gone for good; the file follows with the next save.
        state.acked.retain(|epoch, _| held.contains(epoch));
        self.newest.retain(|_, place| state.acked(place.epoch) < place.seq && held.contains(&place.epoch));
    }

    fn save(&mut self) -> bool {
        if self.dirty {
            if let Err(error) = self.state.save(self.disk.files(), &self.state_path) {
                warn!(cause = %error, "the spool's state cannot be written: what the hub has may be sent again after a restart");
                return false;
            }
            self.dirty = false;
        }
        true
    }

    /// Whether [`Spool::tidy`] has something to write.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The first unacknowledged records at or after `from` and before `until`: at least one, and no more than `most` bytes of them or
    /// what a batch may hold.
    pub fn unacked(&mut self, from: Place, until: Place, most: usize) -> Option<Batch> {
        let mut from = from;
        while let Some(Stretch { first, from: lowest, last, .. }) = self.disk.at_or_after(from) {
            let epoch = first.epoch;
            let wanted = if epoch == from.epoch { from.seq } else { 0 };
            let start = wanted.max(lowest).max(self.state.acked(epoch) + 1);
            if (Place { epoch, seq: start }) >= until {
                return None;
            }
            from = Place { epoch, seq: last + 1 };
            if start > last {
                continue;
            }
            let records = match self.read(first, start, most) {
                Ok(records) => records,
                Err(error) if is_damage(&error) => Vec::new(),
                Err(error) => {
                    warn!(cause = %error, "the spool cannot be read at present");
                    return None;
                }
            };
            self.add_holes(epoch, start, last, &records);
            if !records.is_empty() {
                return self.batch(epoch, records, until);
            }
        }
        if from.epoch > self.state.epoch {
            return None;
        }
        let wanted = if from.epoch == self.state.epoch { from.seq } else { 0 };
        let records = self.in_memory(wanted, u64::MAX, most);
        self.batch(self.state.epoch, records, until)
    }

    /// What there is of `from..=to` of `epoch`, acknowledged or not; `None` if no such records were ever made.
    pub fn again(&mut self, epoch: u64, from: u64, to: u64) -> Option<Again> {
        let from = from.max(1);
        let to = if epoch == self.state.epoch { to.min(self.next_seq - 1) } else { to };
        if epoch > self.state.epoch || from > to {
            return None;
        }
        let stretch = self.disk.at_or_after(Place { epoch, seq: from }).filter(|found| found.first.epoch == epoch);
        let mut records = match stretch {
            Some(Stretch { first, .. }) => match self.read(first, from, MAX_BATCH_BYTES) {
                Ok(records) => records,
                Err(error) if is_damage(&error) => Vec::new(),
                Err(error) => {
                    warn!(cause = %error, "the spool cannot be read at present");
                    return None;
                }
            },
            None => Vec::new(),
        };
        // What cannot be read of one segment says nothing of the next.
        let to = stretch.filter(|_| records.is_empty()).map_or(to, |unread| to.min(unread.last));
        if records.is_empty() && epoch == self.state.epoch {
            records = self.in_memory(from, to, MAX_BATCH_BYTES);
        }
        records.retain(|record| record.seq <= to);
        // What is missing among them is said with the next piece.
        let first = records.first().map_or(from, |record| record.seq);
        let whole = (first..).zip(&records).take_while(|(expected, record)| record.seq == *expected).count();
        records.truncate(whole);
        match records.first() {
            Some(first) if first.seq == from => {
                Some(Again::Records(Batch { epoch, oldest: self.oldest(epoch), records }))
            }
            Some(first) => Some(Again::Gone(Lost { epoch, from, to: first.seq - 1 })),
            None => Some(Again::Gone(Lost { epoch, from, to })),
        }
    }

    /// Up to which `seq` of `epoch` the hub has everything.
    pub fn acked(&self, epoch: u64) -> u64 {
        self.state.acked(epoch)
    }

    fn batch(&self, epoch: u64, mut records: Vec<Record>, until: Place) -> Option<Batch> {
        records.retain(|record| Place { epoch, seq: record.seq } < until);
        (!records.is_empty()).then(|| Batch { epoch, oldest: self.oldest(epoch), records })
    }

    fn oldest(&self, epoch: u64) -> u64 {
        let next = self.state.acked(epoch) + 1;
        let on_disk = self.disk.at_or_after(Place { epoch, seq: next }).filter(|stretch| stretch.first.epoch == epoch);
        let in_memory = (epoch == self.state.epoch).then(|| self.waiting.front().map(|(seq, _)| *seq)).flatten();
        // A hub that has never heard of this epoch would take what is gone from its beginning for something that was never there:
        // nobody would count it. It has to ask, and is told.
        let unheard = next == 1 && self.lost().iter().any(|lost| lost.epoch == epoch && lost.from == 1);
        if unheard {
            return 1;
        }
        on_disk.map(|stretch| stretch.from.max(next)).or(in_memory).unwrap_or(next)
    }

    fn read(&mut self, first: Place, start: u64, most: usize) -> io::Result<Vec<Record>> {
        let found = self.disk.read(first, start, MAX_BATCH, most.min(MAX_BATCH_BYTES))?;
        Ok(found.iter().filter_map(decoded).collect())
    }

    fn in_memory(&self, from: u64, to: u64, most: usize) -> Vec<Record> {
        let mut room = most.min(MAX_BATCH_BYTES);
        let wanted = self.waiting.iter().filter(|(seq, _)| (from..=to).contains(seq)).take(MAX_BATCH);
        let mut wanted = wanted.enumerate();
        let fits = |(index, (_, payload)): &(usize, &Numbered)| {
            let fits = *index == 0 || payload.len() <= room;
            room = room.saturating_sub(payload.len());
            fits
        };
        wanted.by_ref().take_while(fits).filter_map(|(_, numbered)| decoded(numbered)).collect()
    }

    /// Remembers as lost what should stand in `start..=last` before the end of `records` and does not.
    fn add_holes(&mut self, epoch: u64, start: u64, last: u64, records: &[Record]) {
        let mut expected = start;
        for record in records {
            if record.seq > expected {
                self.add_lost(epoch, expected, record.seq - 1);
            }
            expected = record.seq + 1;
        }
        if records.is_empty() {
            self.add_lost(epoch, start, last);
        }
    }

    fn add_lost(&mut self, epoch: u64, from: u64, to: u64) {
        if self.state.add_lost(epoch, from, to) {
            self.losses += 1;
            self.dirty = true;
        }
    }

    /// The highest `seq` known of an earlier epoch.
    fn highest(&self, epoch: u64) -> Option<u64> {
        let of_epoch = self.disk.segments().filter(|stretch| stretch.first.epoch == epoch);
        let on_disk = of_epoch.map(|stretch| stretch.last).max();
        let lost = self.state.lost.iter().filter(|lost| lost.epoch == epoch).map(|lost| lost.to).max();
        on_disk.max(lost)
    }

    fn note_newest(&mut self, device: &str) {
        let place = Place { epoch: self.state.epoch, seq: self.next_seq };
        match self.newest.get_mut(device) {
            Some(newest) => *newest = place,
            None => drop(self.newest.insert(device.into(), place)),
        }
    }

    /// Gives up the oldest records on disk that may go. Whether there is more room than before.
    fn make_room(&mut self) -> bool {
        let stretches: Vec<Stretch> = self.disk.segments().collect();
        for stretch in &stretches {
            let kept = self.newest_in(*stretch);
            if (kept.len() as u64) < stretch.count && self.shrink(*stretch, &kept) {
                return true;
            }
        }
        // Nothing but newest records: then the oldest of these, if there are others.
        stretches.len() > 1 && self.shrink(stretches[0], &BTreeSet::new())
    }

    /// Gives up what is in `stretch` and not in `kept`. Whether it did.
    fn shrink(&mut self, stretch: Stretch, kept: &BTreeSet<u64>) -> bool {
        if kept.is_empty() {
            self.give_up(stretch, kept);
            self.disk.delete(stretch.first);
            return true;
        }
        match self.disk.keep_only(stretch.first, kept) {
            Ok(()) => self.give_up(stretch, kept),
            Err(error) => {
                warn!(cause = %error, "a segment of the spool could not be rewritten");
                if self.disk.holds(stretch.first) {
                    return false;
                }
                self.give_up(stretch, &BTreeSet::new());
            }
        }
        true
    }

    /// The numbers of the records in `stretch` that are the newest of their device, and that the hub does not have.
    fn newest_in(&self, stretch: Stretch) -> BTreeSet<u64> {
        let Stretch { first: Place { epoch, .. }, from, last, .. } = stretch;
        let from = from.max(self.state.acked(epoch) + 1);
        let within = |place: &&Place| place.epoch == epoch && (from..=last).contains(&place.seq);
        self.newest.values().filter(within).map(|place| place.seq).collect()
    }

    /// Remembers as lost what is in `stretch` and not in `kept`, on disk if that takes it.
    fn give_up(&mut self, stretch: Stretch, kept: &BTreeSet<u64>) {
        let Stretch { first: Place { epoch, .. }, from, last, .. } = stretch;
        if self.state.acked(epoch) < last {
            warn!(epoch, to = last, "there is no room for the spool: its oldest records are given up");
        }
        let mut next = from;
        for seq in kept {
            self.add_lost(epoch, next, seq.saturating_sub(1));
            next = seq + 1;
        }
        self.add_lost(epoch, next, last);
        self.save();
    }

    /// Gives up the oldest records in memory, but not the newest of a device.
    fn bound_memory(&mut self) {
        let mut excess = self.waiting.len().saturating_sub(MAX_WAITING);
        if excess == 0 {
            return;
        }
        let epoch = self.state.epoch;
        let newest: BTreeSet<u64> =
            self.newest.values().filter(|place| place.epoch == epoch).map(|place| place.seq).collect();
        let mut gone = Vec::new();
        self.waiting.retain(|(seq, _)| {
            let stays = excess == 0 || newest.contains(seq);
            if !stays {
                excess -= 1;
                gone.push(*seq);
            }
            stays
        });
        for seq in gone {
            self.add_lost(epoch, seq, seq);
        }
    }
}

/// Remembers as lost what is missing between the watermark and the records found, and between those.
fn add_gaps(state: &mut State, found: &Found) {
    let mut reached = BTreeMap::new();
    for &(epoch, from, to) in &found.ranges {
        let reached = reached.entry(epoch).or_insert_with(|| state.acked(epoch));
        if from > *reached + 1 {
            let (from, to) = (*reached + 1, from - 1);
            if state.add_lost(epoch, from, to) {
                warn!(epoch, from, to, "records are missing from the spool");
            }
        }
        *reached = to.max(*reached);
    }
}

fn lock<F: Files>(files: &F, state_dir: &Path) -> Result<F::Lock, SpoolError> {
    let path = state_dir.join("lock");
    let lock = files.lock(&path).map_err(failed("lock", &path))?;
    lock.ok_or_else(|| SpoolError::InUse(state_dir.to_owned()))
}

/// A damaged state file is put aside: what the hub has is then sent again, which does no harm.
fn load_state(files: &impl Files, path: &Path) -> Result<Option<State>, SpoolError> {
    match State::load(files, path) {
        Ok(state) => Ok(state),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            let aside = path.with_extension("damaged");
            warn!(file = %path.display(), cause = %error, "the spool's state is damaged: put aside as {}", aside.display());
            files.rename(path, &aside).map_err(failed("put aside", path))?;
            Ok(None)
        }
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn encoded(record: Record) -> Vec<u8> {
    let bytes = encode(&record);
    if bytes.len() <= MAX_PAYLOAD {
        return bytes;
    }
    // Readings are bounded far below this; should one pass all the same, that the device answered is worth more than nothing.
    error!(device.id = %record.device, bytes = bytes.len(), "a record is too large: its facts are left out");
    encode(&Record { facts: BTreeMap::new(), faults: Vec::new(), ..record })
}

fn decoded((seq, payload): &Numbered) -> Option<Record> {
    match serde_json::from_slice::<Record>(payload) {
        Ok(record) => Some(Record { seq: *seq, ..record }),
        Err(error) => {
            warn!(seq, cause = %error, "a record in the spool cannot be read");
            None
        }
    }
}

/// The records that the bytes of one segment hold, by number; nothing for one that cannot be read. For tests of the decoder from
/// outside this crate.
pub fn salvage(segment: &[u8]) -> Vec<(u64, Option<Record>)> {
    frame::frames(segment).map(|frame| (frame.seq, decoded(&(frame.seq, frame.payload.to_vec())))).collect()
}
