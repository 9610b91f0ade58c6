//! One append-only file of records of one epoch.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::frame::{self, Frame};

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

/// A segment that holds at least one readable record.
#[derive(Debug)]
pub(super) struct Segment {
    /// The file.
    pub path: PathBuf,
    /// The highest `seq` in it.
    pub last: u64,
    /// Its length up to the end of its last good record, in bytes.
    pub bytes: u64,
}

/// What reading a segment at start found.
pub(super) struct Scan {
    /// The numbers found, as unbroken ranges in order, both ends included.
    pub ranges: Vec<(u64, u64)>,
    /// Where the last good record ends.
    pub end: u64,
    /// Length of the file, in bytes.
    pub len: u64,
}

/// The file name of the segment that starts at `first`; names sort as their places do.
pub(super) fn path_of(dir: &Path, first: Place) -> PathBuf {
    dir.join(format!("{:020}-{:020}.{EXTENSION}", first.epoch, first.seq))
}

/// The segments in `dir`, in order. Other files are left alone.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(Place, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(first) = place_of(&path) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

fn place_of(path: &Path) -> Option<Place> {
    let (epoch, seq) = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?.split_once('-')?;
    Some(Place { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? })
}

/// Reads the whole segment and says what is good in it.
pub(super) fn scan(path: &Path) -> io::Result<Scan> {
    let bytes = read(path, 0, MAX_FILE)?;
    let mut scan = Scan { ranges: Vec::new(), end: 0, len: fs::metadata(path)?.len() };
    for Frame { seq, end, .. } in frame::frames(&bytes) {
        scan.end = end as u64;
        match scan.ranges.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            // A number that goes back is damage which the checksum cannot see: it is not believed.
            Some((_, last)) if seq <= *last => {}
            _ => scan.ranges.push((seq, seq)),
        }
    }
    Ok(scan)
}

/// Where the first record at or after `seq` starts, in bytes.
pub(super) fn find(path: &Path, seq: u64) -> io::Result<Option<u64>> {
    let bytes = read(path, 0, MAX_FILE)?;
    Ok(frame::frames(&bytes).find(|frame| frame.seq >= seq).map(|frame| frame.offset as u64))
}

/// At most `len` bytes of the file from `offset`.
pub(super) fn read(path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}
