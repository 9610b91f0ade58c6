//! One append-only file of records of one epoch.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    files::Files,
    frame::{self, Frame},
};

/// Ends the name of every segment.
const EXTENSION: &str = "seg";
/// Longest file that is read whole. Segments are far smaller; a longer file is not ours.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Where a record stands in the order of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The epoch in which it was made.
    pub epoch: u64,
    /// Its number within the epoch.
    pub seq: u64,
}

impl Place {
    /// Behind every record.
    pub const END: Self = Self { epoch: u64::MAX, seq: u64::MAX };
}

/// A segment that holds at least one readable record.
#[derive(Debug)]
pub(super) struct Segment {
    /// The file.
    pub path: PathBuf,
    /// The lowest `seq` in it, which is not below that of its name.
    pub from: u64,
    /// The highest `seq` in it.
    pub last: u64,
    /// How many records it holds.
    pub count: u64,
    /// Its length up to the end of its last good record, in bytes.
    pub bytes: u64,
}

/// What reading a segment at start found.
#[derive(Default)]
pub(super) struct Scan {
    /// The numbers found, as unbroken ranges in order, both ends included.
    pub ranges: Vec<(u64, u64)>,
    /// The newest record of each device in it.
    pub newest: Vec<(Box<str>, u64)>,
    /// How many records it holds.
    pub count: u64,
    /// Where the last good record ends.
    pub end: u64,
    /// Length of the file, in bytes.
    pub len: u64,
}

#[derive(Deserialize)]
struct DeviceOnly<'a> {
    #[serde(borrow)]
    device: &'a str,
}

/// The file name of the segment that starts at `first`; names sort as their places do.
pub(super) fn path_of(dir: &Path, first: Place) -> PathBuf {
    dir.join(format!("{:020}-{:020}.{EXTENSION}", first.epoch, first.seq))
}

/// The segments in `dir`, in order. Other files are left alone.
pub(super) fn list(files: &impl Files, dir: &Path) -> io::Result<Vec<(Place, PathBuf)>> {
    let mut found: Vec<(Place, PathBuf)> =
        files.list(dir)?.into_iter().filter_map(|path| Some((place_of(&path)?, path))).collect();
    found.sort();
    Ok(found)
}

fn place_of(path: &Path) -> Option<Place> {
    let (epoch, seq) = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?.split_once('-')?;
    Some(Place { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? })
}

/// Reads the whole segment and says what is good in it.
pub(super) fn scan(files: &impl Files, path: &Path) -> io::Result<Scan> {
    let bytes = files.read(path, 0, MAX_FILE)?;
    let mut scan = Scan { len: files.size(path)?, ..Scan::default() };
    for Frame { seq, payload, end, .. } in frame::frames(&bytes) {
        scan.end = end as u64;
        match scan.ranges.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            // A number that goes back is damage which the checksum cannot see: it is not believed.
            Some((_, last)) if seq <= *last => continue,
            _ => scan.ranges.push((seq, seq)),
        }
        scan.count += 1;
        if let Ok(DeviceOnly { device }) = serde_json::from_slice(payload) {
            match scan.newest.iter_mut().find(|(known, _)| **known == *device) {
                Some((_, newest)) => *newest = seq,
                None => scan.newest.push((device.into(), seq)),
            }
        }
    }
    Ok(scan)
}

/// Where the first record at or after `seq` starts, in bytes.
pub(super) fn find(files: &impl Files, path: &Path, seq: u64) -> io::Result<Option<u64>> {
    let bytes = files.read(path, 0, MAX_FILE)?;
    Ok(frame::frames(&bytes).find(|frame| frame.seq >= seq).map(|frame| frame.offset as u64))
}

/// The frames of the records in `kept`, as they stand in the file.
pub(super) fn extract(files: &impl Files, path: &Path, kept: &BTreeSet<u64>) -> io::Result<Vec<u8>> {
    let bytes = files.read(path, 0, MAX_FILE)?;
    let wanted = frame::frames(&bytes).filter(|frame| kept.contains(&frame.seq));
    Ok(wanted.flat_map(|frame| bytes[frame.offset..frame.end].iter().copied()).collect())
}
