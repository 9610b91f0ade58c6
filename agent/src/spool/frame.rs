//! One record on disk: `length u32 | crc32 u32 | seq u64 | payload`, little-endian; the checksum covers `seq` and payload.

/// Bytes before the payload.
pub(super) const HEADER: usize = 16;
/// Longest payload. Far above any record, and low enough that a damaged length is not believed.
pub(super) const MAX_PAYLOAD: usize = 64 * 1024;

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A record; `len` bytes in all.
    Whole { seq: u64, payload: &'a [u8], len: usize },
    /// The bytes end before the frame does.
    Torn,
    /// Not what was written. If its length can be believed, the next frame stands `skip` bytes on.
    Damaged { skip: Option<usize> },
}

/// Appends the frame of one record to `buffer`. The payload must not be longer than [`MAX_PAYLOAD`].
pub(super) fn write(buffer: &mut Vec<u8>, seq: u64, payload: &[u8]) {
    let len = u32::try_from(payload.len()).expect("a payload is bounded by MAX_PAYLOAD");
    buffer.extend_from_slice(&len.to_le_bytes());
    buffer.extend_from_slice(&checksum(seq, payload).to_le_bytes());
    buffer.extend_from_slice(&seq.to_le_bytes());
    buffer.extend_from_slice(payload);
}

/// Reads the frame at the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Parsed::Torn };
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes of a header"));
    let seq = u64::from_le_bytes(header[8..].try_into().expect("eight bytes of a header"));
    let len = word(0) as usize;
    if len == 0 || len > MAX_PAYLOAD {
        return Parsed::Damaged { skip: None };
    }
    let Some(payload) = rest.get(..len) else { return Parsed::Torn };
    if checksum(seq, payload) == word(4) {
        Parsed::Whole { seq, payload, len: HEADER + len }
    } else {
        Parsed::Damaged { skip: Some(HEADER + len) }
    }
}

/// The good frames of `bytes` from the start: damage whose length can be believed is stepped over, any other ends it.
pub(super) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        loop {
            match parse(&bytes[offset..]) {
                Parsed::Whole { seq, payload, len } => {
                    let frame = Frame { seq, payload, offset, end: offset + len };
                    offset += len;
                    return Some(frame);
                }
                Parsed::Damaged { skip: Some(skip) } => offset += skip,
                Parsed::Damaged { skip: None } | Parsed::Torn => return None,
            }
        }
    })
}

/// A record found among bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// The record's number.
    pub seq: u64,
    /// The record.
    pub payload: &'a [u8],
    /// Where the frame starts.
    pub offset: usize,
    /// Where the next one starts.
    pub end: usize,
}

fn checksum(seq: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_their_end(bytes in vec(any::<u8>(), 0..300)) {
            for frame in frames(&bytes) {
                prop_assert!(frame.end <= bytes.len() && frame.offset < frame.end);
            }
        }

        #[test]
        fn what_was_written_is_read_and_one_damaged_record_costs_only_itself(
            payloads in vec(vec(any::<u8>(), 1..50), 2..10),
            damaged in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let (mut bytes, mut starts) = (Vec::new(), Vec::new());
            for (seq, payload) in (1..).zip(&payloads) {
                starts.push(bytes.len());
                write(&mut bytes, seq, payload);
            }
            let read: Vec<_> = frames(&bytes).map(|frame| frame.payload.to_vec()).collect();
            prop_assert_eq!(&read, &payloads);
            let damaged = damaged.index(payloads.len());
            bytes[starts[damaged] + HEADER] ^= 1 << bit;
            let seqs: Vec<_> = frames(&bytes).map(|frame| frame.seq).collect();
            let expected: Vec<_> = (1..=payloads.len() as u64).filter(|seq| *seq != damaged as u64 + 1).collect();
            prop_assert_eq!(seqs, expected);
        }
    }
}
