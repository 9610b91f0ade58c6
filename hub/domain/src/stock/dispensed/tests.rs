use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn reading(epoch: i64, seq: i64, minute: i64, count: i64, period: Option<i64>) -> Reading {
    Reading { agent: 1, epoch, seq, at: Timestamp::from_millis(minute * MINUTE), count, period }
}

/// All hours of some records, and what is between them, as they are kept.
fn total(readings: &[Reading], most: u32) -> Counted {
    let mut hours: BTreeMap<i64, Vec<Reading>> = BTreeMap::new();
    for reading in readings {
        hours.entry(reading.at.millis().div_euclid(HOUR)).or_default().push(*reading);
    }
    let hours: Vec<Hour> = hours.values().filter_map(|readings| Hour::of(readings, most)).collect();
    let within = hours.iter().fold(Counted::default(), |sum, hour| sum + hour.within);
    hours.windows(2).fold(within, |sum, pair| sum + step(&pair[0].last, &pair[1].first, most))
}

#[rstest]
#[case::grows(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 5, 130, Some(0)), (30, 0, 0))]
#[case::stands(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 5, 100, Some(0)), (0, 0, 0))]
#[case::cleared(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 5, 7, Some(1)), (7, 0, 0))]
#[case::cleared_and_more_than_before(reading(1, 1, 0, 5, Some(0)), reading(1, 2, 5, 9, Some(1)), (9, 0, 0))]
#[case::cleared_twice(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 5, 7, Some(2)), (7, 0, 1))]
#[case::cleared_unannounced(reading(1, 1, 0, 100, None), reading(1, 2, 5, 7, None), (7, 0, 1))]
#[case::agent_restarted(reading(1, 9, 0, 100, Some(3)), reading(2, 1, 5, 130, Some(0)), (30, 0, 0))]
#[case::restarted_and_cleared(reading(1, 9, 0, 100, Some(0)), reading(2, 1, 5, 7, Some(0)), (7, 0, 1))]
#[case::restarted_and_cleared_after(reading(1, 9, 0, 100, Some(0)), reading(2, 3, 5, 7, Some(1)), (7, 0, 1))]
#[case::restarted_after_a_wrap(reading(1, 9, 0, 65_540, Some(0)), reading(2, 1, 5, 6, Some(0)), (2, 0, 0))]
#[case::wrapped_meanwhile(reading(1, 9, 0, 65_530, Some(0)), reading(2, 1, 5, 6, Some(0)), (12, 0, 0))]
#[case::wide_register(reading(1, 9, 0, 70_000, Some(0)), reading(2, 1, 5, 70_004, Some(0)), (4, 0, 0))]
#[case::clock_set_back(reading(1, 2, 0, 130, Some(0)), reading(1, 1, 5, 100, Some(0)), (-30, 0, 0))]
#[case::too_fast(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 1, 9_000, Some(0)), (0, 8_900, 0))]
#[case::fast_enough_after_an_outage(reading(1, 1, 0, 100, Some(0)), reading(1, 2, 600, 9_000, Some(0)), (8_900, 0, 0))]
fn what_lies_between_two_records(
    #[case] before: Reading,
    #[case] after: Reading,
    #[case] (pieces, held, unsure): (i64, i64, u32),
) {
    assert_eq!(step(&before, &after, 60), Counted { pieces, held, unsure });
}

#[test]
fn what_comes_after_an_hours_records_are_gone_is_added_where_it_belongs() {
    let all: Vec<Reading> = (0..10).map(|n| reading(1, n, n * 5, 100 + n * 3, Some(0))).collect();
    let whole = Hour::of(&all, 60).unwrap();
    let (early, late) = (Hour::of(&all[..4], 60).unwrap(), Hour::of(&all[4..], 60).unwrap());
    assert_eq!(early.with_late(late, 60), whole);
    assert_eq!(late.with_late(early, 60), whole);
    assert_eq!(whole.with_late(Hour::of(&all[3..5], 60).unwrap(), 60), whole);
}

/// What happens to a machine and whoever reads it.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Covers are taken, and a record is made some seconds later.
    Pieces(i64, i64),
    /// The register is cleared while the agent looks.
    Clear,
    /// The agent starts again.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0_i64..10, 10_i64..900).prop_map(|(pieces, seconds)| Event::Pieces(pieces, seconds)),
        1 => Just(Event::Clear),
        1 => Just(Event::Restart),
    ]
}

/// The records of a machine with a register of 16 bits, as the agent makes them, and how many pieces it has handed out since the first.
fn recorded(start: i64, events: &[Event]) -> (Vec<Reading>, i64) {
    let (mut register, mut count, mut period, mut epoch, mut seq, mut at) = (start, start, 0, 1, 0, 0);
    let mut truth = 0;
    let mut readings = vec![reading(epoch, seq, 0, count, Some(period))];
    for event in events {
        match event {
            Event::Pieces(pieces, seconds) => {
                register = (register + pieces) % 65_536;
                (count, at, truth) = (count + pieces, at + seconds * 1000, truth + pieces);
            }
            // The agent tells a clearing from a wrap unless the register was near its end.
            Event::Clear if (1..64_000).contains(&register) => (register, count, period) = (0, 0, period + 1),
            Event::Clear => continue,
            // The first count after the start is what stands in the register. A register that was cleared since its last wrap is told
            // from one that went on as long as it does not stand where a few more counts would have brought it.
            Event::Restart => (count, period, epoch, seq) = (register, 0, epoch + 1, -1),
        }
        seq += 1;
        let at = Timestamp::from_millis(at);
        readings.push(Reading { agent: 1, epoch, seq, at, count, period: Some(period) });
    }
    (readings, truth)
}

proptest! {
    #[test]
    fn every_piece_is_counted_once_in_whatever_order_and_however_often_its_records_come(
        start in prop_oneof![0_i64..2000, 65_000_i64..65_536],
        events in prop::collection::vec(event(), 0..80),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let (readings, truth) = recorded(start, &events);
        let in_order = total(&readings, 60);
        prop_assert_eq!(in_order.held, 0);
        prop_assert_eq!(in_order.pieces, truth);
        // Any order of coming, with repetitions.
        let mut came = readings.clone();
        for (n, index) in shuffle.iter().enumerate() {
            let other = index.index(came.len());
            let n = n % came.len();
            came.swap(n, other);
            let again = came[other];
            came.push(again);
        }
        prop_assert_eq!(total(&came, 60), in_order);
    }

    #[test]
    fn the_way_back_is_the_way_there(
        a in (0_i64..100_000, 0_i64..3), b in (0_i64..100_000, 0_i64..3), apart in 0_i64..100,
    ) {
        let (before, after) = (reading(1, 1, 0, a.0, Some(a.1)), reading(1, 2, apart, b.0, Some(b.1)));
        let (there, back) = (step(&before, &after, 60), step(&after, &before, 60));
        prop_assert_eq!((there.pieces + back.pieces, there.held + back.held), (0, 0));
    }

    #[test]
    fn hours_that_are_made_one_by_one_are_those_made_at_once(
        events in prop::collection::vec(event(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        // A part comes first and is added up; then the rest comes, and the hours it touches are made anew.
        let (readings, truth) = recorded(0, &events);
        let cut = cut.index(readings.len());
        let (live, late) = (readings[cut..].to_vec(), readings[..cut].to_vec());
        let before = total(&live, 60);
        let after = total(&[live, late].concat(), 60);
        prop_assert!(before.pieces <= after.pieces);
        prop_assert_eq!(after.pieces, truth);
    }
}
