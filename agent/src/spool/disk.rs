//! The segments on disk: writing at the end, reading anywhere, dropping from the front.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use tracing::warn;

use super::{
    Limits,
    frame::{self, Frame, HEADER, MAX_PAYLOAD},
    segment::{self, Place, Segment},
    state::sync_dir,
};

/// Bytes read from a segment at once: enough for any batch and any single record.
const CHUNK: u64 = 2 * MAX_PAYLOAD as u64;

/// A record with its number, as it is written.
pub(super) type Numbered = (u64, Vec<u8>);

/// An unbroken range of records found on disk.
pub(super) struct Found {
    pub epoch: u64,
    pub from: u64,
    pub to: u64,
}

#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    limits: Limits,
    segments: BTreeMap<Place, Segment>,
    bytes: u64,
    writer: Option<Writer>,
    cursor: Option<Cursor>,
}

/// The segment being written.
#[derive(Debug)]
struct Writer {
    file: File,
    first: Place,
}

/// Where the last read ended, so that reading on need not search.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    first: Place,
    seq: u64,
    offset: u64,
}

impl Disk {
    /// Reads all segments in `dir`, cuts off what is torn or damaged, and says what is there.
    pub(super) fn open(dir: PathBuf, limits: Limits) -> io::Result<(Self, Vec<Found>)> {
        let mut disk = Self { limits, segments: BTreeMap::new(), bytes: 0, writer: None, cursor: None, dir };
        let mut found = Vec::new();
        for (first, path) in segment::list(&disk.dir)? {
            let scan = segment::scan(&path)?;
            if scan.end < scan.len {
                warn!(file = %path.display(), cut_bytes = scan.len - scan.end, "the spool's segment ends in a torn or damaged record: cut off");
                OpenOptions::new().write(true).open(&path)?.set_len(scan.end)?;
            }
            let Some(&(_, last)) = scan.ranges.last() else {
                fs::remove_file(&path)?;
                continue;
            };
            found.extend(scan.ranges.iter().map(|&(from, to)| Found { epoch: first.epoch, from, to }));
            disk.bytes += scan.end;
            disk.segments.insert(first, Segment { path, last, bytes: scan.end });
        }
        Ok((disk, found))
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The segments in order: first place and last `seq`.
    pub(super) fn segments(&self) -> impl DoubleEndedIterator<Item = (Place, u64)> {
        self.segments.iter().map(|(first, segment)| (*first, segment.last))
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
        if let Err(error) = writer.file.write_all(&buffer).and_then(|()| writer.file.sync_data()) {
            self.abandon(&writer, start);
            return Err(error);
        }
        let path = || segment::path_of(&self.dir, writer.first);
        let segment = self.segments.entry(writer.first).or_insert_with(|| Segment { path: path(), last, bytes: 0 });
        segment.last = last;
        segment.bytes += buffer.len() as u64;
        self.bytes += buffer.len() as u64;
        records.drain(..count);
        self.writer = Some(writer);
        Ok(())
    }

    fn length(&self, first: Place) -> u64 {
        self.segments.get(&first).map_or(0, |segment| segment.bytes)
    }

    fn create(&self, first: Place) -> io::Result<Writer> {
        let path = segment::path_of(&self.dir, first);
        let file = File::create(&path)?;
        sync_dir(&self.dir)?;
        Ok(Writer { file, first })
    }

    /// Takes back what a failed write may have left. If that fails too, the next start cuts it off.
    fn abandon(&self, writer: &Writer, good: u64) {
        let taken_back = if good == 0 {
            fs::remove_file(segment::path_of(&self.dir, writer.first))
        } else {
            writer.file.set_len(good)
        };
        if let Err(error) = taken_back {
            warn!(cause = %error, "a failed write to the spool could not be taken back");
        }
    }

    /// The first segment with a record at or after `from`.
    pub(super) fn at_or_after(&self, from: Place) -> Option<(Place, u64)> {
        let within = self.segments.range(..=from).next_back();
        within
            .filter(|(first, segment)| first.epoch == from.epoch && segment.last >= from.seq)
            .or_else(|| self.segments.range(from..).next())
            .map(|(first, segment)| (*first, segment.last))
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
            _ => segment::find(&segment.path, seq)?,
        };
        let Some(offset) = offset else { return Ok(Vec::new()) };
        // What lies beyond `bytes` is a failed write that could not be taken back.
        let bytes = segment::read(&segment.path, offset, CHUNK.min(segment.bytes.saturating_sub(offset)))?;
        let (mut records, mut size) = (Vec::new(), 0);
        for Frame { seq: found, payload, end, .. } in frame::frames(&bytes) {
            size += payload.len();
            if records.len() == max_records || (size > max_bytes && !records.is_empty()) {
                break;
            }
            self.cursor = Some(Cursor { first, seq: found + 1, offset: offset + end as u64 });
            if found >= seq {
                records.push((found, payload.to_vec()));
            }
        }
        Ok(records)
    }

    /// Removes the oldest segment, and says which records were in it.
    pub(super) fn drop_oldest(&mut self) -> Option<Found> {
        let (&first, segment) = self.segments.first_key_value()?;
        let gone = Found { epoch: first.epoch, from: first.seq, to: segment.last };
        self.delete(first);
        Some(gone)
    }

    /// Removes every segment for which `done(epoch, last)`, except the one being written.
    pub(super) fn delete_where(&mut self, done: impl Fn(u64, u64) -> bool) {
        let writing = self.writer.as_ref().map(|writer| writer.first);
        let done: Vec<Place> = self
            .segments()
            .filter(|(first, last)| Some(*first) != writing && done(first.epoch, *last))
            .map(|(first, _)| first)
            .collect();
        for first in done {
            self.delete(first);
        }
    }

    fn delete(&mut self, first: Place) {
        if self.writer.as_ref().is_some_and(|writer| writer.first == first) {
            self.writer = None;
        }
        if let Some(segment) = self.segments.remove(&first) {
            self.bytes -= segment.bytes;
            if let Err(error) = fs::remove_file(&segment.path) {
                warn!(file = %segment.path.display(), cause = %error, "a segment of the spool could not be deleted");
            }
        }
    }
}
