//! Looks into SQLite's write-ahead log before SQLite does. SQLite takes a damaged frame for the end of the log and forgets, without a
//! word, every transaction after it; after a power cut that is right, because what follows was never synced, but after damage to the
//! file it is a loss. The two are told apart by the log's index (`-shm`), which knows the last committed frame as long as the computer
//! has not been restarted, and otherwise by what a power cut cannot leave behind.

use std::path::Path;

const HEADER: usize = 32;
const FRAME: usize = 24;
/// Both byte orders of the checksums; the last bit tells which.
const MAGIC: u32 = 0x377f_0682;
const INDEX_HEADER: usize = 48;

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Survey {
    /// The last commit frame of the unbroken chain, counted from 1; 0 if there is none.
    committed: u32,
    /// Commit frames of this generation after the break of the chain.
    beyond: u32,
    salts: [u32; 2],
}

/// Says what is wrong with a log and its index, if anything is. `same_boot`: the computer runs since the log was written.
pub fn damage(wal: &[u8], index: Option<&[u8]>, same_boot: bool) -> Option<String> {
    if wal.is_empty() {
        // A log that was reset, or never written: the index must not know of anything in it.
        return match index.and_then(committed).filter(|_| same_boot) {
            Some((last, _)) if last > 0 => Some(format!("it is empty, and held {last} frames")),
            _ => None,
        };
    }
    let Some(survey) = survey(wal) else {
        // A power cut may tear the very first write to a log, which is its header.
        let torn = wal.len() <= HEADER && !same_boot;
        return (!torn).then(|| "its header is damaged".to_owned());
    };
    if same_boot && let Some((last, salts)) = index.and_then(committed) {
        let same_generation = salts == survey.salts;
        return match last {
            0 => None,
            _ if !same_generation => Some("its header is not the one that its index knows".to_owned()),
            last if survey.committed < last => {
                Some(format!("it is whole up to frame {}, and {last} were committed", survey.committed))
            }
            _ => None,
        };
    }
    // Each commit is synced before the next one begins: a power cut breaks one transaction at most.
    (survey.beyond > 1)
        .then(|| format!("it is whole up to frame {}, and holds {} commits after it", survey.committed, survey.beyond))
}

/// Says what is wrong with the log of a database file, if anything is.
pub fn damage_on_disk(wal: &Path, index: &Path, same_boot: bool) -> std::io::Result<Option<String>> {
    let wal = std::fs::read(wal)?;
    let index = std::fs::read(index).ok();
    Ok(damage(&wal, index.as_deref(), same_boot))
}

fn survey(wal: &[u8]) -> Option<Survey> {
    let header = wal.get(..HEADER)?;
    let magic = big(header, 0);
    let page = big(header, 8) as usize;
    let sums_are_big = match magic ^ MAGIC {
        0 => false,
        1 => true,
        _ => return None,
    };
    let mut sum = checksum([0, 0], &header[..24], sums_are_big);
    if sum != [big(header, 24), big(header, 28)] || !page.is_power_of_two() || !(512..=65_536).contains(&page) {
        return None;
    }
    let mut survey = Survey { salts: [big(header, 16), big(header, 20)], ..Survey::default() };
    let mut whole = true;
    for (number, frame) in (1u32..).zip(wal[HEADER..].chunks_exact(FRAME + page)) {
        let salts = [big(frame, 8), big(frame, 12)];
        let is_commit = big(frame, 4) != 0;
        if whole && salts == survey.salts {
            let next = checksum(checksum(sum, &frame[..8], sums_are_big), &frame[FRAME..], sums_are_big);
            if next == [big(frame, 16), big(frame, 20)] {
                sum = next;
                if is_commit {
                    survey.committed = number;
                }
                continue;
            }
        }
        whole = false;
        // Either salt: a damaged frame may have lost the other. Frames of an older generation have neither.
        if is_commit && (salts[0] == survey.salts[0] || salts[1] == survey.salts[1]) {
            survey.beyond += 1;
        }
    }
    Some(survey)
}

/// The last committed frame that an index knows, and the generation of its log. It holds two copies of its header; while one is being
/// written the other is whole, and the smaller number is the one that is certain.
fn committed(index: &[u8]) -> Option<(u32, [u32; 2])> {
    let copies = [index.get(..INDEX_HEADER)?, index.get(INDEX_HEADER..2 * INDEX_HEADER)?];
    let whole = copies.into_iter().filter(|copy| {
        copy[12] == 1
            && checksum([0, 0], &copy[..40], cfg!(target_endian = "big")) == [native(copy, 40), native(copy, 44)]
    });
    whole.map(|copy| (native(copy, 16), [big(copy, 32), big(copy, 36)])).min_by_key(|(last, _)| *last)
}

fn checksum(start: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let [mut first, mut second] = start;
    for pair in bytes.as_chunks::<8>().0 {
        let (one, two) = if big_endian { (big(pair, 0), big(pair, 4)) } else { (little(pair, 0), little(pair, 4)) };
        first = first.wrapping_add(one).wrapping_add(second);
        second = second.wrapping_add(two).wrapping_add(first);
    }
    [first, second]
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn big(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(four(bytes, at))
}

fn little(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(four(bytes, at))
}

fn native(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(four(bytes, at))
}
