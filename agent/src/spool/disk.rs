//! The segments on disk: writing at the end, reading anywhere, dropping from the front.
//!
//! A file whose write or sync failed is never written again: the system may say that a second sync went well although the first
//! one's bytes are gone. What it was to take goes into a new file.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
};

use tracing::warn;

use super::{
    Limits,
    files::{Files, is_full},
    frame::{self, Frame, HEADER, MAX_PAYLOAD},
    segment::{self, Place, Segment},
};

/// Bytes read from a segment at once: enough for any batch and any single record.
const CHUNK: u64 = 2 * MAX_PAYLOAD as u64;
/// Ends the name of a segment that is being rewritten; what a crash leaves of it is removed at the next start.
const REWRITE: &str = "new";

/// A record with its number, as it is written.
pub(super) type Numbered = (u64, Vec<u8>);

/// What was found on disk at start.
#[derive(Default)]
pub(super) struct Found {
    /// Unbroken ranges of records, in order: epoch, first and last `seq`.
    pub ranges: Vec<(u64, u64, u64)>,
    /// The newest record of each device.
    pub newest: BTreeMap<Box<str>, Place>,
}

/// Where records are and where new ones go.
#[derive(Debug)]
pub(super) struct Disk<F: Files> {
    files: F,
    dir: PathBuf,
    limits: Limits,
    segments: BTreeMap<Place, Segment>,
    bytes: u64,
    writer: Option<Writer<F::File>>,
    cursor: Option<Cursor>,
}

/// The segment being written.
#[derive(Debug)]
struct Writer<T> {
    file: T,
    first: Place,
}

/// Where the last read ended, so that reading on need not search.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    first: Place,
    seq: u64,
    offset: u64,
}

/// A segment, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// By which it is known.
    pub first: Place,
    /// The lowest `seq` in it.
    pub from: u64,
    /// The highest `seq` in it.
    pub last: u64,
    /// How many records it holds.
    pub count: u64,
}

impl Stretch {
    fn of(first: Place, segment: &Segment) -> Self {
        Self { first, from: segment.from, last: segment.last, count: segment.count }
    }
}

impl<F: Files> Disk<F> {
    /// Reads all segments in `dir`, cuts off what is torn or damaged, and says what is there.
    pub(super) fn open(files: F, dir: PathBuf, limits: Limits) -> io::Result<(Self, Found)> {
        let segments = BTreeMap::new();
        let mut disk = Self { files, limits, segments, bytes: 0, writer: None, cursor: None, dir };
        let mut found = Found::default();
        for leftover in disk.files.list(&disk.dir)?.iter().filter(|path| path.extension().is_some_and(|e| e == REWRITE))
        {
            disk.files.remove(leftover)?;
        }
        for (first, path) in segment::list(&disk.files, &disk.dir)? {
            disk.take_in(first, path, &mut found)?;
        }
        disk.untangle();
        Ok((disk, found))
    }

    fn take_in(&mut self, first: Place, path: PathBuf, found: &mut Found) -> io::Result<()> {
        let scan = segment::scan(&self.files, &path)?;
        if scan.end < scan.len {
            let cut_bytes = scan.len - scan.end;
            warn!(file = %path.display(), cut_bytes, "the spool's segment ends in a torn or damaged record: cut off");
            // Without leave to write, it is cut off by being read only so far.
            if let Err(error) = self.files.truncate(&path, scan.end) {
                warn!(file = %path.display(), cause = %error, "a damaged end could not be cut off");
            }
        }
        let (Some(&(from, _)), Some(&(_, last))) = (scan.ranges.first(), scan.ranges.last()) else {
            if let Err(error) = self.files.remove(&path) {
                warn!(file = %path.display(), cause = %error, "an empty segment of the spool could not be deleted");
            }
            return Ok(());
        };
        found.ranges.extend(scan.ranges.iter().map(|&(from, to)| (first.epoch, from, to)));
        for (device, seq) in scan.newest {
            let place = Place { epoch: first.epoch, seq };
            let newest = found.newest.entry(device).or_default();
            *newest = place.max(*newest);
        }
        self.bytes += scan.end;
        self.segments.insert(first, Segment { path, from, last, count: scan.count, bytes: scan.end });
        Ok(())
    }

    /// A failed write may have left records in one segment that stand in the next one as well: they count in the later.
    fn untangle(&mut self) {
        let mut next: Option<Place> = None;
        for (first, segment) in self.segments.iter_mut().rev() {
            if let Some(next) = next.filter(|next| next.epoch == first.epoch && next.seq <= segment.last) {
                segment.last = next.seq - 1;
                segment.count = segment.count.min(next.seq.saturating_sub(segment.from));
            }
            next = Some(*first);
        }
        self.segments.retain(|_, segment| segment.from <= segment.last);
    }

    /// The way to the files.
    pub(super) fn files(&self) -> &F {
        &self.files
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The segments in order.
    pub(super) fn segments(&self) -> impl DoubleEndedIterator<Item = Stretch> {
        self.segments.iter().map(|(first, segment)| Stretch::of(*first, segment))
    }

    /// Whether writing `records` would exceed the limit while there is something older that can go.
    pub(super) fn is_full_for(&self, records: &VecDeque<Numbered>) -> bool {
        let need: u64 = records.iter().map(|(_, payload)| (HEADER + payload.len()) as u64).sum();
        let need = need.min(self.limits.segment_bytes + (HEADER + MAX_PAYLOAD) as u64);
        !self.segments.is_empty() && self.bytes + need > self.limits.max_bytes
    }

    /// Writes the first of `records` durably, as many as the segment takes, and removes them from the queue.
    /// After an error they are all still queued, and the segment holds what it held before.
    pub(super) fn write(&mut self, epoch: u64, records: &mut VecDeque<Numbered>) -> io::Result<()> {
        let Some(&(first_seq, _)) = records.front() else { return Ok(()) };
        let mut writer = match self.writer.take() {
            Some(writer) if self.length(writer.first) < self.limits.segment_bytes => writer,
            _ => self.create(Place { epoch, seq: first_seq })?,
        };
        let start = self.length(writer.first);
        let (mut buffer, mut count, mut last) = (Vec::new(), 0, first_seq);
        for (seq, payload) in records.iter() {
            if count > 0 && start + buffer.len() as u64 >= self.limits.segment_bytes {
                break;
            }
            frame::write(&mut buffer, *seq, payload);
            (count, last) = (count + 1, *seq);
        }
        let written = self.files.append(&mut writer.file, &buffer).and_then(|()| self.files.sync(&writer.file));
        if let Err(error) = written {
            self.abandon(writer, start);
            return Err(error);
        }
        let path = || segment::path_of(&self.dir, writer.first);
        let fresh = || Segment { path: path(), from: first_seq, last, count: 0, bytes: 0 };
        let segment = self.segments.entry(writer.first).or_insert_with(fresh);
        segment.last = last;
        segment.count += count as u64;
        segment.bytes += buffer.len() as u64;
        self.bytes += buffer.len() as u64;
        records.drain(..count);
        self.writer = Some(writer);
        Ok(())
    }

    fn length(&self, first: Place) -> u64 {
        self.segments.get(&first).map_or(0, |segment| segment.bytes)
    }

    fn create(&self, first: Place) -> io::Result<Writer<F::File>> {
        let path = segment::path_of(&self.dir, first);
        let file = self.files.create(&path)?;
        self.files.sync_dir(&self.dir)?;
        Ok(Writer { file, first })
    }

    /// Takes back what a failed write may have left. If that fails too, the next start does.
    fn abandon(&self, writer: Writer<F::File>, good: u64) {
        let path = segment::path_of(&self.dir, writer.first);
        drop(writer);
        let taken_back = if good == 0 { self.files.remove(&path) } else { self.files.truncate(&path, good) };
        if let Err(error) = taken_back {
            warn!(cause = %error, "a failed write to the spool could not be taken back");
        }
    }

    /// The first segment with a record at or after `from`.
    pub(super) fn at_or_after(&self, from: Place) -> Option<Stretch> {
        let within = self.segments.range(..=from).next_back();
        within
            .filter(|(first, segment)| first.epoch == from.epoch && segment.last >= from.seq)
            .or_else(|| self.segments.range(from..).next())
            .map(|(first, segment)| Stretch::of(*first, segment))
    }

    /// Records of the segment that starts at `first`, from `seq` on, within the limits of a batch.
    pub(super) fn read(
        &mut self,
        first: Place,
        seq: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> io::Result<Vec<Numbered>> {
        let Some(segment) = self.segments.get(&first) else { return Ok(Vec::new()) };
        let offset = match self.cursor {
            Some(cursor) if cursor.first == first && cursor.seq == seq => Some(cursor.offset),
            _ => segment::find(&self.files, &segment.path, seq)?,
        };
        let Some(offset) = offset else { return Ok(Vec::new()) };
        // What lies beyond `bytes` is a failed write that could not be taken back.
        let bytes = self.files.read(&segment.path, offset, CHUNK.min(segment.bytes.saturating_sub(offset)))?;
        let (mut records, mut size) = (Vec::new(), 0);
        for Frame { seq: found, payload, end, .. } in frame::frames(&bytes) {
            size += payload.len();
            if records.len() == max_records || (size > max_bytes && !records.is_empty()) || found > segment.last {
                break;
            }
            self.cursor = Some(Cursor { first, seq: found + 1, offset: offset + end as u64 });
            if found >= seq {
                records.push((found, payload.to_vec()));
            }
        }
        Ok(records)
    }

    /// Rewrites a segment so that it holds the records `kept` only (which are in it): at once and durably, or, where there is no room
    /// for old and new beside each other, by removing the old first. After an error the segment is as it was, or gone.
    pub(super) fn keep_only(&mut self, first: Place, kept: &BTreeSet<u64>) -> io::Result<()> {
        let Some(path) = self.segments.get(&first).map(|segment| segment.path.clone()) else { return Ok(()) };
        let bytes = segment::extract(&self.files, &path, kept)?;
        let new = path.with_extension(REWRITE);
        let replaced = self.write_whole(&new, &bytes).and_then(|()| self.files.rename(&new, &path));
        if let Err(error) = replaced {
            // It takes the room that was to be made.
            if let Err(error) = self.files.remove(&new) {
                warn!(file = %new.display(), cause = %error, "a rewritten segment of the spool could not be deleted");
            }
            if !is_full(&error) {
                return Err(error);
            }
            self.delete(first);
            self.write_whole(&path, &bytes)?;
        }
        let (Some(&from), Some(&last)) = (kept.first(), kept.last()) else { return Ok(()) };
        self.forget_writer(first);
        let (count, len) = (kept.len() as u64, bytes.len() as u64);
        let before = self.segments.insert(first, Segment { path, from, last, count, bytes: len });
        self.bytes = self.bytes - before.map_or(0, |segment| segment.bytes) + len;
        // Should the old file come back after a power cut, nothing is the worse for it.
        if let Err(error) = self.files.sync_dir(&self.dir) {
            warn!(cause = %error, "a rewritten segment of the spool is not yet durable");
        }
        Ok(())
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.files.create(path)?;
        self.files.append(&mut file, bytes)?;
        self.files.sync(&file)
    }

    /// Whether there is a segment of that name.
    pub(super) fn holds(&self, first: Place) -> bool {
        self.segments.contains_key(&first)
    }

    /// Removes every segment for which `done`, except the one being written, and makes that durable.
    pub(super) fn delete_where(&mut self, done: impl Fn(Stretch) -> bool) -> io::Result<()> {
        let writing = self.writer.as_ref().map(|writer| writer.first);
        let done: Vec<Place> = self
            .segments()
            .filter(|stretch| Some(stretch.first) != writing && done(*stretch))
            .map(|stretch| stretch.first)
            .collect();
        if done.is_empty() {
            return Ok(());
        }
        for first in done {
            self.delete(first);
        }
        self.files.sync_dir(&self.dir)
    }

    /// Removes a segment.
    pub(super) fn delete(&mut self, first: Place) {
        self.forget_writer(first);
        if let Some(segment) = self.segments.remove(&first) {
            self.bytes -= segment.bytes;
            if let Err(error) = self.files.remove(&segment.path) {
                warn!(file = %segment.path.display(), cause = %error, "a segment of the spool could not be deleted");
            }
        }
    }

    fn forget_writer(&mut self, first: Place) {
        self.writer = self.writer.take().filter(|writer| writer.first != first);
        self.cursor = self.cursor.filter(|cursor| cursor.first != first);
    }
}
