//! The fuzz targets without a fuzzer: the whole corpus, and many seeded mutations of it, through the same functions. Runs on the
//! stable toolchain with all the other tests.

#[path = "src/targets.rs"]
mod targets;

use std::{fs, path::Path};

use anyhow::{Context, Result};
use rstest::rstest;
use tokio::time::{Duration, Instant};

/// How long one target is tried.
const LENGTH: Duration = Duration::from_secs(3);
/// At least so many inputs, however slow the machine is.
const LEAST: usize = 200;
/// What mutations are put together from, beside the corpus.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "=",
    "\n",
    ".",
    "-1",
    "0",
    "1e400",
    "18446744073709551615",
    "9223372036854775807",
    "253402300799999",
    "\\u0000",
    "\u{0}",
    "null",
    "[[rule]]\n",
    "鞋套",
    "\u{feff}",
    "true",
    "//",
];

fn corpus(target: &str) -> Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.iter().map(|path| fs::read(path).with_context(|| format!("read {}", path.display()))).collect()
}

fn mutated(random: &mut fastrand::Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(0..=bytes.len());
        let end = random.usize(at..=bytes.len().min(at + 64));
        match random.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => bytes.truncate(at),
            4 => {
                let other = random.choice(corpus).cloned().unwrap_or_default();
                let from = random.usize(0..=other.len());
                let to = random.usize(from..=other.len().min(from + 256));
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let word = random.choice(WORDS).unwrap_or_default();
                bytes.splice(at..end, word.bytes());
            }
        }
    }
    bytes
}

#[rstest]
#[case::contract("contract")]
#[case::topics("topics")]
#[case::broker("broker")]
#[case::site("site")]
#[case::spool("spool")]
#[case::agent_config("agent_config")]
#[case::hours("hours")]
#[case::pack("pack")]
#[case::condition("condition")]
fn bytes_of_others_do_no_harm(#[case] name: &str) -> Result<()> {
    let (_, target) = targets::ALL.iter().find(|(known, _)| *known == name).context("a target of that name")?;
    let corpus = corpus(name)?;
    assert!(!corpus.is_empty(), "a corpus is kept for every target");
    for input in &corpus {
        target(input);
    }
    let mut random = fastrand::Rng::with_seed(20_261_123);
    let end = Instant::now() + LENGTH;
    let mut count = 0;
    while count < LEAST || Instant::now() < end {
        target(&mutated(&mut random, &corpus));
        count += 1;
    }
    Ok(())
}

#[test]
fn every_target_is_tried_and_its_corpus_is_small() -> Result<()> {
    let mut size = 0;
    for (name, _) in targets::ALL {
        size += corpus(name)?.iter().map(Vec::len).sum::<usize>();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs"));
        assert!(program.is_file(), "{} is missing", program.display());
    }
    assert!(size <= 500 * 1024, "the corpus has {size} bytes");
    Ok(())
}
