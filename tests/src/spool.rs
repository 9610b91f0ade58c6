//! What an agent keeps on its disk, read and written from outside: segments named `{epoch}-{first seq}.seg` that hold frames of
//! `length u32 | checksum u32 | seq u64 | payload`, little-endian; the checksum (CRC-32) covers `seq` and payload.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use lobby_contract::{Record, encode};

use crate::delivery::Newest;

/// The highest `seq` of each epoch.
pub type Watermarks = BTreeMap<u64, u64>;

/// A segment that has grown to so many bytes is closed, as the agent does it.
const SEGMENT: usize = 1024 * 1024;

/// Raises the watermarks in `into` to `marks`.
pub fn merge(into: &mut Watermarks, marks: Watermarks) {
    for (epoch, seq) in marks {
        let known = into.entry(epoch).or_default();
        *known = seq.max(*known);
    }
}

/// What a killed agent has accepted and not forgotten. A torn last frame was not accepted.
pub fn accepted(state_dir: &Path) -> Result<Watermarks> {
    let mut marks = Watermarks::new();
    each_record(state_dir, |epoch, seq, _| {
        merge(&mut marks, [(epoch, seq)].into());
        Ok(())
    })?;
    Ok(marks)
}

/// The newest record of each device that an agent has on its disk.
pub fn newest(state_dir: &Path) -> Result<Newest> {
    let mut newest = Newest::new();
    each_record(state_dir, |epoch, seq, payload| {
        // What is damaged is told of by whoever reads it.
        let Ok(record) = serde_json::from_slice::<Record>(payload) else { return Ok(()) };
        let known = newest.entry(record.device.to_string()).or_default();
        *known = (epoch, seq).max(*known);
        Ok(())
    })?;
    Ok(newest)
}

fn each_record(state_dir: &Path, mut take: impl FnMut(u64, u64, &[u8]) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(state_dir.join("spool"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some((epoch, _)) = name.split_once('-') else { continue };
        let epoch: u64 = epoch.parse().with_context(|| format!("the epoch in {}", path.display()))?;
        let bytes = fs::read(&path)?;
        let mut rest = bytes.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let length = u32::from_le_bytes(header[..4].try_into()?) as usize;
            let seq = u64::from_le_bytes(header[8..].try_into()?);
            let Some((payload, next)) = after.split_at_checked(length) else { break };
            take(epoch, seq, payload)?;
            rest = next;
        }
    }
    Ok(())
}

/// Fills the spool of an agent that has never run with `records` of `epoch`, as if it had been offline for long.
pub fn fill(state_dir: &Path, epoch: u64, records: impl IntoIterator<Item = Record>) -> Result<()> {
    let dir = state_dir.join("spool");
    fs::create_dir_all(&dir)?;
    let mut segment = Vec::new();
    let mut first = 0;
    for record in records {
        if segment.is_empty() {
            first = record.seq;
        }
        frame(&mut segment, record.seq, &encode(&record))?;
        if segment.len() >= SEGMENT {
            fs::write(dir.join(name(epoch, first)), std::mem::take(&mut segment))?;
        }
    }
    if !segment.is_empty() {
        fs::write(dir.join(name(epoch, first)), segment)?;
    }
    Ok(())
}

fn name(epoch: u64, first: u64) -> String {
    format!("{epoch:020}-{first:020}.seg")
}

fn frame(segment: &mut Vec<u8>, seq: u64, payload: &[u8]) -> Result<()> {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&seq.to_le_bytes());
    checksum.update(payload);
    segment.extend_from_slice(&u32::try_from(payload.len())?.to_le_bytes());
    segment.extend_from_slice(&checksum.finalize().to_le_bytes());
    segment.extend_from_slice(&seq.to_le_bytes());
    segment.extend_from_slice(payload);
    Ok(())
}
