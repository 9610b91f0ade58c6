use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

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
fn all<F: Files>(spool: &mut Spool<F>) -> Vec<(u64, u64, i64)> {
    let (mut from, mut seen) = (Place::default(), Vec::new());
    while let Some(batch) = spool.unacked(from, Place::END, MAX_BATCH_BYTES) {
        let last = batch.records.last().unwrap().seq;
        seen.extend(batch.records.iter().map(|record| (batch.epoch, record.seq, record.at)));
        from = Place { epoch: batch.epoch, seq: last + 1 };
    }
    seen
}

fn seqs<F: Files>(spool: &mut Spool<F>) -> Vec<u64> {
    all(spool).into_iter().map(|(_, seq, _)| seq).collect()
}

fn last_segment(dir: &TempDir) -> PathBuf {
    segment::list(&SystemFiles, &dir.path().join("spool")).unwrap().pop().unwrap().1
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
    let Stretch { first, last, .. } = spool.disk.segments().next().unwrap();
    spool.ack(Ack { epoch, committed: last - 1 });
    spool.tidy();
    assert_eq!(
        spool.disk.segments().next().map(|s| (s.first, s.last)),
        Some((first, last)),
        "one record of it is not acknowledged"
    );
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
    let stated = |spool: &mut Spool| spool.unacked(Place::default(), Place::END, MAX_BATCH_BYTES).unwrap().oldest;
    assert_eq!(
        stated(&mut spool),
        1,
        "a hub that knows nothing of this epoch must not take the loss for its beginning"
    );
    spool.tidy();
    drop(spool);
    let mut spool = open(&dir, limits);
    assert_eq!(spool.lost(), [Lost { epoch, from: 1, to: oldest - 1 }], "a loss is told until it is acknowledged");
    assert_eq!(spool.ack(Ack { epoch, committed: oldest - 1 }), Acked::Advanced);
    assert_eq!(spool.lost(), []);
    assert_eq!(stated(&mut spool), oldest);
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
    let Stretch { first, last, .. } = spool.disk.segments().nth(1).unwrap();
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
    let Stretch { first, last, .. } = spool.disk.segments().next().unwrap();
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

/// What is said piece by piece of a range that the hub asks for again: what is gone, and what is not.
fn again(spool: &mut Spool, epoch: u64, from: u64, to: u64) -> (Vec<u64>, Vec<u64>) {
    let (mut from, mut gone, mut found) = (from, Vec::new(), Vec::new());
    while let Some(piece) = spool.again(epoch, from, to) {
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
    (gone, found)
}

#[test]
fn a_range_is_found_again_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=30).map(draft));
    spool.ack(Ack { epoch, committed: 12 });
    spool.tidy();
    let (mut gone, found) = again(&mut spool, epoch, 2, 40);
    assert!(!gone.is_empty() && gone.iter().all(|seq| *seq <= 12), "only what was acknowledged may be gone: {gone:?}");
    gone.extend(found);
    assert_eq!(gone, (2..=30).collect::<Vec<_>>());
}

#[test]
fn of_a_range_only_what_cannot_be_read_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=30).map(draft));
    let Stretch { first, last, .. } = spool.disk.segments().nth(1).unwrap();
    // While it runs: what was known of the segment says that it is all there.
    let path = segment::path_of(&dir.path().join("spool"), first);
    let len = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    fs::write(&path, vec![0; len]).unwrap();
    let damaged: Vec<u64> = (first.seq..=last).collect();
    let rest: Vec<u64> = (1..=30).filter(|seq| !damaged.contains(seq)).collect();
    assert_eq!(again(&mut spool, epoch, 1, 30), (damaged, rest));
}

#[test]
fn what_is_missing_among_records_that_are_sent_again_is_said_to_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    let payload = |spool: &mut Spool| {
        let first = spool.disk.segments().next().unwrap().first;
        spool.disk.read(first, 1, 1, 1 << 20).unwrap().remove(0).1
    };
    spool.append((1..=1).map(draft));
    let good = payload(&mut spool);
    // The second is no record, though it is whole on the disk.
    spool.disk.write(epoch, &mut [(2, b"{}".to_vec()), (3, good)].into()).unwrap();
    spool.next_seq = 4;
    assert_eq!(again(&mut spool, epoch, 1, 3), (vec![2], vec![1, 3]));
}

/// The system's files, on a disk that refuses what the test wants it to.
#[derive(Debug, Clone, Default)]
struct Refusing(Arc<Refusals>);

#[derive(Debug)]
struct Refusals {
    /// Bytes that may still be written.
    room: AtomicU64,
    /// How syncs end.
    sync_fails: AtomicBool,
    syncs_of_failed: AtomicU64,
    failed: Mutex<BTreeSet<PathBuf>>,
}

impl Default for Refusals {
    fn default() -> Self {
        let (sync_fails, syncs_of_failed) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { room: AtomicU64::new(u64::MAX), sync_fails, syncs_of_failed, failed: Mutex::default() }
    }
}

impl Refusing {
    fn room(&self, bytes: u64) {
        self.0.room.store(bytes, Relaxed);
    }
}

impl Files for Refusing {
    type File = (PathBuf, File);
    type Lock = File;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        SystemFiles.create_dir_all(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        SystemFiles.lock(path)
    }
    fn create(&self, path: &Path) -> io::Result<Self::File> {
        Ok((path.to_owned(), SystemFiles.create(path)?))
    }
    fn append(&self, (path, file): &mut Self::File, bytes: &[u8]) -> io::Result<()> {
        if self.0.failed.lock().unwrap().contains(path) {
            self.0.syncs_of_failed.fetch_add(1, Relaxed);
        }
        let room = self.0.room.load(Relaxed);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        SystemFiles.append(file, &bytes[..fits])?;
        if room != u64::MAX {
            self.room(room - fits as u64);
        }
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
    fn sync(&self, (path, file): &Self::File) -> io::Result<()> {
        if self.0.sync_fails.load(Relaxed) {
            self.0.failed.lock().unwrap().insert(path.clone());
            return Err(io::Error::from_raw_os_error(5));
        }
        SystemFiles.sync(file)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        SystemFiles.sync_dir(dir)
    }
    fn read(&self, path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        SystemFiles.read(path, offset, len)
    }
    fn size(&self, path: &Path) -> io::Result<u64> {
        SystemFiles.size(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        SystemFiles.list(dir)
    }
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.give_back(path, len)?;
        SystemFiles.truncate(path, len)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.exists() {
            self.give_back(to, 0)?;
        }
        SystemFiles.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.give_back(path, 0)?;
        self.0.failed.lock().unwrap().remove(path);
        SystemFiles.remove(path)
    }
}

impl Refusing {
    fn give_back(&self, path: &Path, keep: u64) -> io::Result<()> {
        let room = self.0.room.load(Relaxed);
        if room != u64::MAX {
            self.room(room + SystemFiles.size(path)?.saturating_sub(keep));
        }
        Ok(())
    }
}

fn of(device: &str, number: u64) -> Record {
    Record { device: device.parse().unwrap(), ..draft(number) }
}

/// Every device's newest record that is held.
fn newest<F: Files>(spool: &mut Spool<F>) -> BTreeMap<String, i64> {
    let (mut from, mut newest) = (Place::default(), BTreeMap::new());
    while let Some(batch) = spool.unacked(from, Place::END, MAX_BATCH_BYTES) {
        from = Place { epoch: batch.epoch, seq: batch.records.last().unwrap().seq + 1 };
        newest.extend(batch.records.into_iter().map(|record| (record.device.to_string(), record.at)));
    }
    newest
}

#[test]
fn the_newest_record_of_each_device_outlives_a_full_spool() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { max_bytes: 4000, segment_bytes: 700 };
    let mut spool = open(&dir, limits);
    let epoch = spool.epoch();
    spool.append([of("quiet-1", 1), of("chatty", 2), of("quiet-2", 3)]);
    for number in 4..=200 {
        spool.append([of("chatty", number)]);
        assert!(spool.disk.bytes() <= limits.max_bytes);
    }
    let expected: BTreeMap<String, i64> =
        [("quiet-1", 1), ("quiet-2", 3), ("chatty", 200)].map(|(device, at)| (device.to_owned(), at)).into();
    assert_eq!(newest(&mut spool), expected);
    let held = seqs(&mut spool);
    let lost: Vec<u64> = spool.lost().iter().flat_map(|lost| lost.from..=lost.to).collect();
    assert_eq!(spool.queued(), held.len() as u64);
    let mut all = [held, lost].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=200).collect::<Vec<_>>(), "each is held or told as lost");
    drop(spool);
    let mut spool = open(&dir, limits);
    assert_eq!(newest(&mut spool), expected, "after a restart too");
    for number in 201..=400 {
        spool.append([of("chatty", number)]);
    }
    assert_eq!(newest(&mut spool).len(), 3);
    assert_eq!(spool.ack(Ack { epoch, committed: 200 }), Acked::Advanced);
}

#[test]
fn a_full_disk_costs_the_oldest_records_and_the_newest_of_each_device_stay() {
    let dir = tempfile::tempdir().unwrap();
    let files = Refusing::default();
    let mut spool = Spool::open_on(files.clone(), dir.path(), LIMITS, NOW).unwrap();
    spool.append([of("quiet", 1)]);
    for number in 2..=60 {
        assert!(spool.append([of("chatty", number)]));
    }
    files.room(300);
    for number in 61..=160 {
        spool.append([of("chatty", number)]);
    }
    let expected: BTreeMap<String, i64> = [("quiet".to_owned(), 1), ("chatty".to_owned(), 160)].into();
    assert_eq!(newest(&mut spool), expected);
    let held = spool.queued();
    let lost: u64 = spool.lost().iter().map(|lost| lost.to - lost.from + 1).sum();
    assert_eq!(held + lost, 160, "what is not held is counted");
    files.room(u64::MAX);
    assert!(spool.flush() && !spool.in_trouble(), "normal again as soon as there is room");
    drop(spool);
    let mut spool = Spool::open_on(files, dir.path(), LIMITS, NOW).unwrap();
    assert_eq!(newest(&mut spool), expected);
}

#[test]
fn an_agent_starts_on_a_disk_that_its_own_records_have_filled() {
    let dir = tempfile::tempdir().unwrap();
    let files = Refusing::default();
    let mut spool = Spool::open_on(files.clone(), dir.path(), LIMITS, NOW).unwrap();
    let epoch = spool.epoch();
    spool.append((1..=30).map(draft));
    drop(spool);
    files.room(0);
    let mut spool = Spool::open_on(files, dir.path(), LIMITS, NOW).unwrap();
    assert_eq!(spool.epoch(), epoch + 1);
    let held = spool.queued();
    assert!(held > 20 && all(&mut spool).len() as u64 == held);
    assert_eq!(spool.lost(), [Lost { epoch, from: 1, to: 30 - held }]);
}

#[test]
fn what_a_failed_sync_was_to_save_goes_into_another_file_and_is_not_believed_before() {
    let dir = tempfile::tempdir().unwrap();
    let files = Refusing::default();
    let mut spool = Spool::open_on(files.clone(), dir.path(), LIMITS, NOW).unwrap();
    assert!(spool.append([draft(1), draft(2)]));
    files.0.sync_fails.store(true, Relaxed);
    assert!(!spool.append([draft(3)]), "not accepted");
    assert!(!spool.flush());
    assert_eq!((spool.unsaved(), spool.queued()), (1, 3));
    files.0.sync_fails.store(false, Relaxed);
    assert!(spool.flush() && spool.append([draft(4)]));
    assert_eq!(files.0.syncs_of_failed.load(Relaxed), 0, "nothing more went into the file whose sync failed");
    assert_eq!(spool.disk.segments().map(|stretch| (stretch.from, stretch.last)).collect::<Vec<_>>(), [(1, 2), (3, 4)]);
    drop(spool);
    assert_eq!(seqs(&mut open(&dir, LIMITS)), [1, 2, 3, 4]);
}

#[test]
fn a_disk_in_trouble_is_in_trouble_until_it_has_taken_something() {
    let dir = tempfile::tempdir().unwrap();
    let files = Refusing::default();
    let mut spool = Spool::open_on(files.clone(), dir.path(), LIMITS, NOW).unwrap();
    let epoch = spool.epoch();
    files.0.sync_fails.store(true, Relaxed);
    assert!(!spool.append([draft(1)]));
    assert_eq!(spool.ack(Ack { epoch, committed: 1 }), Acked::Advanced);
    assert!(spool.flush() && spool.in_trouble(), "nothing waits, and nothing was written");
    assert_eq!((spool.status().unsaved, spool.status().queued), (1, 0), "the hub is told all the same");
    files.0.sync_fails.store(false, Relaxed);
    assert!(spool.append([draft(2)]) && !spool.in_trouble());
    assert_eq!(spool.status().unsaved, 0);
}

#[test]
fn what_a_failed_write_left_behind_is_not_counted_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(&dir, LIMITS);
    let epoch = spool.epoch();
    spool.append((1..=4).map(draft));
    drop(spool);
    // Records 3 and 4 stand in a second segment as well.
    let folder = dir.path().join("spool");
    let mut bytes = Vec::new();
    for seq in 3..=6 {
        frame::write(&mut bytes, seq, &encode(&draft(seq)));
    }
    fs::write(segment::path_of(&folder, Place { epoch, seq: 3 }), bytes).unwrap();
    let mut spool = open(&dir, LIMITS);
    assert_eq!((seqs(&mut spool), spool.queued()), ((1..=6).collect(), 6));
    assert_eq!(spool.lost(), []);
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
                    if let Some((_, path)) = segment::list(&SystemFiles, &folder).unwrap().pop() {
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
