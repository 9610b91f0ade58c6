//! Both lanes on a line that is modelled in virtual time: it takes its messages one after the other, each as long as its bytes take.

use std::collections::VecDeque;

use lobby_contract::Ack;
use rstest::rstest;

use super::{
    super::lanes::{Lane, Lanes, Leave},
    *,
};
use crate::spool::Place;

const RECORD: usize = 250;
const ENVELOPE: usize = 100;
const EVERY: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(1);
/// Of an earlier run, and of this one.
const PAST: u64 = 6;
const PRESENT: u64 = 7;

/// A line, and the hub at its end.
struct Line {
    bytes_per_second: u32,
    latency: Duration,
    /// How long the hub takes to store a message.
    commit: Duration,
}

impl Line {
    fn of(kbit: u32, latency_ms: u64) -> Self {
        let (latency, commit) = (Duration::from_millis(latency_ms), Duration::from_millis(10));
        Self { bytes_per_second: kbit * 125, latency, commit }
    }

    fn carries(&self, bytes: usize) -> Duration {
        Duration::from_secs(bytes as u64) / self.bytes_per_second
    }
}

/// What is under way: when it is stored, and what.
struct Message {
    stored: Duration,
    lane: Lane,
    last: Place,
}

struct World {
    now: Duration,
    line: Line,
    lanes: Lanes,
    /// When the line is free again.
    free: Duration,
    under_way: VecDeque<Message>,
    acks: VecDeque<(Duration, Ack)>,
    /// Records of the past.
    past: u64,
    /// When each record of the present was made.
    made: Vec<Duration>,
    stored: [u64; 2],
    sent_bytes: usize,
    /// Longest time that a record of the present was on its way.
    worst: Duration,
}

impl World {
    fn with(line: Line, past: u64) -> Self {
        let mut lanes = Lanes::new(PRESENT, Duration::from_secs(10));
        lanes.split(Place { epoch: PRESENT, seq: 1 });
        Self {
            now: Duration::from_secs(100),
            line,
            lanes,
            free: Duration::ZERO,
            under_way: VecDeque::new(),
            acks: VecDeque::new(),
            past,
            made: Vec::new(),
            stored: [0; 2],
            sent_bytes: 0,
            worst: Duration::ZERO,
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        if self.now.as_nanos().is_multiple_of(EVERY.as_nanos()) {
            self.made.push(self.now);
            self.lanes.more();
        }
        while let Some(message) = self.under_way.pop_front_if(|message| message.stored <= self.now) {
            self.store(message);
        }
        while let Some((_, ack)) = self.acks.pop_front_if(|(at, _)| *at <= self.now) {
            self.lanes.acked(ack, self.now);
        }
        assert!(!self.lanes.is_due(self.now), "patience ends on a line that loses nothing");
        self.send();
    }

    fn store(&mut self, Message { lane, last, .. }: Message) {
        let Place { epoch, seq } = last;
        let number = usize::from(epoch == PRESENT);
        if lane == Lane::Live {
            let first = usize::try_from(self.stored[number]).unwrap();
            self.worst = self.worst.max(self.now.abs_diff(self.made[first]));
        }
        self.stored[number] = seq;
        self.acks.push_back((self.now + self.line.latency, Ack { epoch, committed: seq }));
    }

    fn send(&mut self) {
        while let Some(Leave { from, most, .. }) = self.lanes.live(self.now) {
            self.leave(Lane::Live, PRESENT, from.seq.max(1), self.made.len() as u64, most);
        }
        while let Some(Leave { from, most, .. }) = self.lanes.backlog() {
            let from = if from.epoch == PRESENT { self.past + 1 } else { from.seq.max(1) };
            self.leave(Lane::Backlog, PAST, from, self.past, most);
        }
    }

    fn leave(&mut self, lane: Lane, epoch: u64, first: u64, last: u64, most: usize) {
        let last = last.min(first + 99).min((first + (most / RECORD).max(1) as u64) - 1);
        if first > last {
            return self.lanes.exhausted(lane);
        }
        let bytes = usize::try_from(last + 1 - first).unwrap() * RECORD + ENVELOPE;
        self.free = self.free.max(self.now) + self.line.carries(bytes);
        self.sent_bytes += bytes;
        let [first, last] = [first, last].map(|seq| Place { epoch, seq });
        let stored = self.free + self.line.latency + self.line.commit;
        self.under_way.push_back(Message { stored, lane, last });
        self.lanes.sent(lane, (first, last), bytes, self.now);
    }

    /// Goes on until the past is stored, and says how long that took.
    fn drain(&mut self) -> Duration {
        let begun = self.now;
        while self.stored[0] < self.past {
            self.step();
            assert!(self.now < begun + Duration::from_hours(1), "{} of {} are stored", self.stored[0], self.past);
        }
        self.now.abs_diff(begun)
    }
}

#[rstest]
#[case::of_64_kbit(64, 50)]
#[case::of_256_kbit(256, 50)]
#[case::of_1_mbit(1_000, 20)]
#[case::of_6_mbit(6_000, 5)]
#[case::of_100_mbit(100_000, 1)]
#[case::over_half_the_earth(20_000, 150)]
#[case::over_a_satellite(1_000, 600)]
#[case::through_an_overloaded_cell(256, 2_000)]
fn on_any_line_the_present_is_there_within_a_second_of_the_way_itself_and_the_line_is_used(
    #[case] kbit: u32,
    #[case] latency_ms: u64,
) {
    let mut world = World::with(Line::of(kbit, latency_ms), 30_000);
    let took = world.drain();
    let way = world.line.latency + world.line.commit;
    assert!(world.worst <= way + Duration::from_secs(1), "a new record took {:?}", world.worst);
    // What the line and the hub take at best, and a few times the way until that is known.
    let window = Duration::from_secs(30_000 / 2_000).mul_f64((way + world.line.latency).as_secs_f64());
    let best = world.line.carries(world.sent_bytes).max(window);
    assert!(took <= best.mul_f64(1.3) + way * 40, "{took:?}, at best {best:?}");
}

#[test]
fn a_way_that_becomes_longer_is_used_all_the_same_and_a_shorter_one_at_once() {
    let mut world = World::with(Line::of(10_000, 5), 1_000_000);
    let rate = |world: &mut World, seconds: u32| {
        let (before, end) = (world.stored[0], world.now + Duration::from_secs(u64::from(seconds)));
        while world.now < end {
            world.step();
        }
        (world.stored[0] - before) / u64::from(seconds)
    };
    let before = rate(&mut world, 10);
    assert!(before > 3_500, "{before} records/s");
    // The hub's database is slow.
    world.line.commit = Duration::from_secs(2);
    rate(&mut world, 60);
    let slow = rate(&mut world, 20);
    assert!(slow > 700, "{slow} records/s, of 1,000 that may be under way at most");
    world.line.commit = Duration::from_millis(10);
    rate(&mut world, 5);
    assert!(rate(&mut world, 10) > 3_500);
    world.worst = Duration::ZERO;
    rate(&mut world, 5);
    assert!(world.worst < Duration::from_secs(1), "{:?}", world.worst);
}

#[test]
fn of_a_way_that_is_not_known_or_stood_still_only_little_is_asked() {
    let now = Duration::from_secs(100);
    let mut pace = Pace::new();
    assert_eq!((pace.room(0), pace.room(1)), (Some(LEAST), None));
    let left = pace.leaves(LEAST, 0, now);
    pace.arrived(LEAST, left, now + Duration::from_millis(10));
    assert!(pace.room(20 * LEAST).is_some_and(|size| size > LEAST));
    let left = pace.leaves(LEAST, LEAST, now);
    pace.arrived(LEAST, left, now + Duration::from_mins(1));
    assert_eq!(pace.room(1), None);
    let wide = Pace::wide();
    assert_eq!((wide.room(MOST - MAX_BATCH_BYTES), wide.room(MOST)), (Some(MAX_BATCH_BYTES), None));
}
