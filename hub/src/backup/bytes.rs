//! The digest of all bytes of a backup. SQLite's own checks and the digests of the tables do not see what stands in its unused parts. The
//! digest is in the file itself, and is made as if its own 64 digits were zeros.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use ring::digest::{Context, SHA256};

/// Digits of a digest.
const DIGITS: usize = 64;
/// Read at once.
const PART: usize = 1 << 20;

/// What stands for the digest until it is known: nothing else in the file is the same.
pub(super) fn placeholder() -> String {
    let mut random = [0; DIGITS / 2];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    hex(&random)
}

/// Puts the digest of a file where its placeholder stands.
pub(super) fn seal(path: &Path, placeholder: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let at = position(&mut file, placeholder.as_bytes())?.ok_or(io::ErrorKind::NotFound)?;
    let digest = digest(&mut file, at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(digest.as_bytes())
}

/// Whether a file is byte for byte the one whose digest it holds.
pub(super) fn is_as_written(path: &Path, held: &str) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(at) = position(&mut file, held.as_bytes())? else { return Ok(false) };
    Ok(held.len() == DIGITS && digest(&mut file, at)? == held)
}

/// Where `wanted` first stands.
fn position(file: &mut File, wanted: &[u8]) -> io::Result<Option<u64>> {
    file.rewind()?;
    let (mut window, mut from) = (Vec::with_capacity(PART + wanted.len()), 0);
    loop {
        let read = Read::take(&mut *file, PART as u64).read_to_end(&mut window)?;
        if let Some(found) = find(&window, wanted) {
            return Ok(Some(from + found as u64));
        }
        if read == 0 {
            return Ok(None);
        }
        // It may stand across two parts.
        let done = window.len().saturating_sub(wanted.len());
        window.drain(..done);
        from += done as u64;
    }
}

fn find(window: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let starts = window.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts.map(|(at, _)| at).find(|at| window[*at..].starts_with(wanted))
}

fn digest(file: &mut File, at: u64) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    file.rewind()?;
    feed(&mut context, Read::take(&mut *file, at))?;
    context.update(&[b'0'; DIGITS]);
    file.seek(SeekFrom::Start(at + DIGITS as u64))?;
    feed(&mut context, file)?;
    Ok(hex(context.finish().as_ref()))
}

fn feed(context: &mut Context, mut from: impl Read) -> io::Result<()> {
    let mut part = Vec::with_capacity(PART);
    loop {
        part.clear();
        if from.by_ref().take(PART as u64).read_to_end(&mut part)? == 0 {
            return Ok(());
        }
        context.update(&part);
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("four bits are a hexadecimal digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_the_beginning(0, 0)]
    #[case::in_a_small_file(100, 100)]
    #[case::across_two_parts(PART - 30, 5000)]
    #[case::just_behind_a_part(PART, 1)]
    #[case::in_the_third_part(2 * PART + 7, PART)]
    fn a_file_holds_the_digest_of_all_its_other_bytes(#[case] before: usize, #[case] after: usize) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mark = placeholder();
        let bytes = [&vec![b'a'; before][..], mark.as_bytes(), &vec![0; after][..]].concat();
        std::fs::write(file.path(), bytes).unwrap();
        seal(file.path(), &mark).unwrap();
        let sealed = std::fs::read(file.path()).unwrap();
        let held = String::from_utf8(sealed[before..before + DIGITS].to_vec()).unwrap();
        assert!(is_as_written(file.path(), &held).unwrap());
        assert_ne!(held, mark);
        for at in [0, before, before + DIGITS - 1, sealed.len() - 1] {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            std::fs::write(file.path(), &flipped).unwrap();
            let held = String::from_utf8_lossy(&flipped[before..before + DIGITS]).into_owned();
            assert!(!is_as_written(file.path(), &held).unwrap(), "byte {at}");
        }
    }
}
