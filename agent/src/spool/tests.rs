use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{FactValue, Reach};
use proptest::{collection::vec, prelude::*, sample::Index};
use tempfile::TempDir;

use super::*;

const LIMITS: Limits = Limits { max_bytes: 1024 * 1024, segment_bytes: 700 };
const NOW: i64 = 1_763_884_800_000;

fn draft(number: u64) -> Record {
    Record {
        seq: 0,
        at: i64::try_from(number).unwrap(),
        device: "entrance-led".parse().unwrap(),
        reach: Reach::Ok,
        facts: BTreeMap::from([("power".into(), FactValue::from("on"))]),
        faults: Vec::new(),
    }
}

fn open(dir: &TempDir, limits: Limits) -> Spool {
    Spool::open(dir.path(), limits, NOW).unwrap()
}

/// Every unacknowledged record as a session would send them: `(epoch, seq, at)`.
fn all(spool: &mut Spool) -> Vec<(u64, u64, i64)> {
    let (mut from, mut seen) = (Place::default(), Vec::new());
    while let Some(batch) = spool.unacked(from) {
        let last = batch.records.last().unwrap().seq;
        seen.extend(batch.records.iter().map(|record| (batch.epoch, record.seq, record.at)));
        from = Place { epoch: batch.epoch, seq: last + 1 };
    }
    seen
}

fn seqs(spool: &mut Spool) -> Vec<u64> {
    all(spool).into_iter().map(|(_, seq, _)| seq).collect()
}

fn last_segment(dir: &TempDir) -> PathBuf {
    segment::list(&dir.path().join("spool")).unwrap().pop().unwrap().1
}

#[test]
fn the_first_epoch_is_numbered_by_the_clock_and_every_start_adds_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(&dir, LIMITS).epoch();
    assert_eq!(first, 1_763_884_801);
    assert_eq!(open(&dir, LIMITS).epoch(), first + 1);
    assert_eq!(Spool::open(dir.path(), LIMITS, 0).unwrap().epoch(), first + 2, "a clock set back changes nothing");
}

#[test]
fn a_second_agent_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(&dir, LIMITS);
    assert!(matches!(Spool::open(dir.path(), LIMITS, NOW), Err(SpoolError::InUse(_))));
    drop(first);
    open(&dir, LIMITS);
}

#[test]
fn records_of_earlier_epochs_stay_until_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let old = spool.epoch();
    assert!(spool.append((1..=20).map(draft)));
    drop(spool);
    let mut spool = open(&dir, LIMITS);
    spool.append([draft(21)]);
    assert_eq!(spool.queued(), 21);
    assert_eq!(all(&mut spool).len(), 21);
    assert_eq!(spool.ack(Ack { epoch: old, committed: 20 }), Acked::Advanced);
    spool.tidy();
    assert_eq!(all(&mut spool), [(old + 1, 1, 21)]);
    assert_eq!(spool.disk.segments().count(), 1, "what is acknowledged is deleted");
}

#[test]
fn nothing_is_deleted_before_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=50).map(draft));
    let segments = spool.disk.segments().count();
    assert!(segments > 5);
    spool.tidy();
    assert_eq!(spool.disk.segments().count(), segments);
    let (first, last) = spool.disk.segments().next().unwrap();
    spool.ack(Ack { epoch, committed: last - 1 });
    spool.tidy();
    assert_eq!(spool.disk.segments().next(), Some((first, last)), "one record of it is not acknowledged");
    spool.ack(Ack { epoch, committed: last });
    spool.tidy();
    assert_eq!(spool.disk.segments().count(), segments - 1);
}

#[test]
fn an_acknowledgement_of_what_never_was_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append([draft(1), draft(2)]);
    assert_eq!(spool.ack(Ack { epoch, committed: 3 }), Acked::Refused);
    assert_eq!(spool.ack(Ack { epoch: epoch + 1, committed: 1 }), Acked::Refused);
    assert_eq!(spool.ack(Ack { epoch: epoch - 1, committed: 1 }), Acked::Known);
    assert_eq!(spool.ack(Ack { epoch, committed: 1 }), Acked::Advanced);
    assert_eq!(spool.ack(Ack { epoch, committed: 1 }), Acked::Known);
    assert_eq!(seqs(&mut spool), [2]);
}

#[test]
fn an_acknowledgement_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=5).map(draft));
    spool.ack(Ack { epoch, committed: 3 });
    spool.tidy();
    drop(spool);
    assert_eq!(seqs(&mut open(&dir, LIMITS)), [4, 5]);
}

#[test]
fn a_full_spool_drops_the_oldest_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { max_bytes: 4000, segment_bytes: 700 };
    let mut spool = open(&dir, limits);
    let epoch = spool.epoch();
    for number in 1..=100 {
        spool.append([draft(number)]);
        assert!(spool.disk.bytes() <= limits.max_bytes);
    }
    let held = seqs(&mut spool);
    let oldest = held[0];
    assert!(oldest > 1 && held.last() == Some(&100));
    assert_eq!(spool.lost(), [Lost { epoch, from: 1, to: oldest - 1 }]);
    assert_eq!(spool.unacked(Place::default()).unwrap().oldest, oldest);
    spool.tidy();
    drop(spool);
    let mut spool = open(&dir, limits);
    assert_eq!(spool.lost(), [Lost { epoch, from: 1, to: oldest - 1 }], "a loss is told until it is acknowledged");
    assert_eq!(spool.ack(Ack { epoch, committed: oldest - 1 }), Acked::Advanced);
    assert_eq!(spool.lost(), []);
}

#[test]
fn a_torn_last_record_is_cut_off_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    spool.append((1..=3).map(draft));
    drop(spool);
    let path = last_segment(&dir);
    let len = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    let mut spool = open(&dir, LIMITS);
    assert_eq!(seqs(&mut spool), [1, 2]);
    assert_eq!(spool.lost(), []);
}

#[test]
fn damage_in_the_middle_costs_what_it_hit_and_is_told_as_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=30).map(draft));
    let (first, last) = spool.disk.segments().nth(1).unwrap();
    drop(spool);
    // A length that cannot be believed: nothing behind it in this segment can be found.
    let path = segment::path_of(&dir.path().join("spool"), first);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let mut spool = open(&dir, LIMITS);
    assert_eq!(spool.lost(), [Lost { epoch, from: first.seq, to: last }]);
    assert_eq!(spool.again(epoch, first.seq, last), Some(Again::Gone(Lost { epoch, from: first.seq, to: last })));
    let expected: Vec<u64> = (1..=30).filter(|seq| !(first.seq..=last).contains(seq)).collect();
    assert_eq!(seqs(&mut spool), expected);
}

#[test]
fn damage_that_happens_while_running_is_stepped_over_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=10).map(draft));
    let (first, last) = spool.disk.segments().next().unwrap();
    let path = segment::path_of(&dir.path().join("spool"), first);
    let len = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    fs::write(&path, vec![0; len]).unwrap();
    assert_eq!(seqs(&mut spool), (last + 1..=10).collect::<Vec<_>>());
    assert_eq!(spool.lost(), [Lost { epoch, from: first.seq, to: last }]);
}

#[test]
fn a_damaged_state_file_costs_no_record_and_no_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=3).map(draft));
    drop(spool);
    fs::write(dir.path().join("state.json"), b"{\"epoch\":").unwrap();
    let mut spool = open(&dir, LIMITS);
    assert!(spool.epoch() > epoch);
    assert_eq!(seqs(&mut spool), [1, 2, 3]);
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_newest_records_in_memory_until_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    let (folder, aside) = (dir.path().join("spool"), dir.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    assert!(!spool.append((1..=MAX_WAITING as u64 + 10).map(draft)));
    assert!(spool.in_trouble());
    assert_eq!(spool.lost(), [Lost { epoch, from: 1, to: 10 }]);
    assert_eq!(seqs(&mut spool), (11..=MAX_WAITING as u64 + 10).collect::<Vec<_>>(), "they are sent from memory");
    fs::rename(&aside, &folder).unwrap();
    assert!(spool.flush() && !spool.in_trouble());
    drop(spool);
    assert_eq!(seqs(&mut open(&dir, LIMITS)).len(), MAX_WAITING);
}

#[test]
fn a_range_is_found_again_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=30).map(draft));
    spool.ack(Ack { epoch, committed: 12 });
    spool.tidy();
    let (mut from, mut gone, mut found) = (2, Vec::new(), Vec::new());
    while let Some(piece) = spool.again(epoch, from, 40) {
        from = match piece {
            Again::Records(batch) => {
                found.extend(batch.records.iter().map(|record| record.seq));
                found.last().unwrap() + 1
            }
            Again::Gone(lost) => {
                gone.extend(lost.from..=lost.to);
                lost.to + 1
            }
        };
    }
    assert!(!gone.is_empty() && gone.iter().all(|seq| *seq <= 12), "only what was acknowledged may be gone: {gone:?}");
    gone.extend(found);
    assert_eq!(gone, (2..=30).collect::<Vec<_>>());
}

/// What may happen to a spool.
#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Ack(Index),
    Tidy,
    Restart,
    /// The process dies in the middle of a write, which leaves these bytes of it.
    Crash(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..12).prop_map(Step::Append),
        3 => any::<Index>().prop_map(Step::Ack),
        1 => Just(Step::Tidy),
        1 => Just(Step::Restart),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(cut, garbage)| {
            let mut bytes = Vec::new();
            frame::write(&mut bytes, 9999, &encode(&draft(9999)));
            bytes.truncate(cut.index(bytes.len()));
            if garbage {
                bytes.fill(0);
            }
            Step::Crash(bytes)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_accepted_record_is_lost_and_none_is_doubled(steps in vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(&dir, LIMITS);
        let (mut number, mut unacked) = (0, BTreeSet::new());
        // What was acknowledged but may be sent again, because the watermark was not yet on disk at a crash.
        let mut again = BTreeSet::new();
        for step in steps {
            match step {
                Step::Append(count) => {
                    let numbers: Vec<u64> = (number + 1..=number + u64::from(count)).collect();
                    number += u64::from(count);
                    let seq = spool.next_seq;
                    prop_assert!(spool.append(numbers.iter().copied().map(draft)));
                    unacked.extend((seq..).zip(numbers).map(|(seq, n)| (spool.epoch(), seq, i64::try_from(n).unwrap())));
                }
                Step::Ack(index) if !unacked.is_empty() => {
                    let (epoch, committed, _) = *unacked.iter().nth(index.index(unacked.len())).unwrap();
                    prop_assert_eq!(spool.ack(Ack { epoch, committed }), Acked::Advanced);
                    let covered = |(e, seq, _): &(u64, u64, i64)| *e == epoch && *seq <= committed;
                    again.extend(unacked.iter().copied().filter(covered));
                    unacked.retain(|place| !covered(place));
                }
                Step::Ack(_) => {}
                Step::Tidy => {
                    spool.tidy();
                    again.clear();
                }
                Step::Restart => {
                    spool.tidy();
                    again.clear();
                    drop(spool);
                    spool = open(&dir, LIMITS);
                }
                Step::Crash(torn) => {
                    drop(spool);
                    let folder = dir.path().join("spool");
                    if let Some((_, path)) = segment::list(&folder).unwrap().pop() {
                        let mut bytes = fs::read(&path).unwrap();
                        bytes.extend(torn);
                        fs::write(&path, bytes).unwrap();
                    }
                    spool = open(&dir, LIMITS);
                    unacked.extend(all(&mut spool).iter().filter(|place| again.contains(*place)));
                    again.clear();
                }
            }
            let held = all(&mut spool);
            prop_assert!(held.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)), "in order and none twice: {held:?}");
            prop_assert_eq!(held, unacked.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(spool.lost(), []);
            prop_assert_eq!(spool.queued(), unacked.len() as u64);
        }
    }
}
