use jiff::{civil::date, tz::TimeZone};
use proptest::prelude::*;

use super::*;

fn calendar() -> Calendar {
    Calendar::always_open(TimeZone::get("Asia/Shanghai").unwrap())
}

fn at(date: Date, hour: i8) -> Timestamp {
    let zoned = calendar().zone().to_zoned(date.at(hour, 0, 0, 0)).unwrap();
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

fn machine() -> Place {
    Place::Machine("covers-1".parse().unwrap())
}

fn entry(day: i8, kind: Kind, from: Place, to: Place, pieces: i64) -> Entry {
    let at = at(date(2026, 12, day), 10);
    Entry { at, kind, from, to, pieces, counted: None, reason: "".into(), who: "林悦".into() }
}

fn hour(date: Date, hour: i8, pieces: i64) -> Dispensed {
    let counted = Counted { pieces, held: 0, unsure: 0 };
    Dispensed { machine: "covers-1".parse().unwrap(), at: at(date, hour), counted }
}

fn december() -> Month {
    "2026-12".parse().unwrap()
}

#[test]
fn a_month_is_told_by_machine_and_day_and_every_place_adds_up() {
    let mut before = Balances::default();
    before.moved(&Place::Supplier, &Place::Store, 1000);
    before.moved(&Place::Store, &machine(), 200);
    let counted = Entry {
        counted: Some(430),
        reason: "a box was wet".into(),
        ..entry(20, Kind::Count, Place::Store, Place::Difference, 40)
    };
    let entries = [
        entry(2, Kind::Refill, Place::Store, machine(), 300),
        entry(3, Kind::HandOut, Place::Store, Place::Guests, 30),
        entry(5, Kind::Order, Place::Supplier, Place::Ordered, 500),
        counted,
        entry(21, Kind::Receive, Place::Ordered, Place::Store, 500),
        // A slip of the hand, and its counter-entry.
        entry(22, Kind::Refill, Place::Store, machine(), 100),
        entry(22, Kind::Refill, machine(), Place::Store, 100),
        entry(23, Kind::Waste, machine(), Place::Waste, 7),
    ];
    let used = [
        hour(date(2026, 11, 30), 23, 1000),
        hour(date(2026, 12, 1), 0, 25),
        hour(date(2026, 12, 31), 23, 75),
        hour(date(2027, 1, 1), 0, 1000),
    ];
    let jams = BTreeMap::from([("covers-1".parse().unwrap(), 2)]);
    let statement = Statement::make(december(), &calendar(), &before, &entries, &used, &jams, Some(35));

    let lines: Vec<_> = statement.places.iter().map(|line| (line.place.clone(), line.began, line.ended)).collect();
    assert_eq!(lines, [(Place::Store, 800, 930), (machine(), 200, 200 + 300 - 100 - 7)]);
    let store = &statement.places[0];
    assert_eq!((store.received, store.refilled, store.handed_out, store.difference), (500, -300, -30, -40));
    let line = &statement.machines[0];
    assert_eq!((line.dispensed, line.days[0], line.days[30], line.days.len()), (100, 25, 75, 31), "by local days");
    assert_eq!(line.jams_per_thousand(), Some(20.0));
    assert_eq!((statement.used(), statement.by_hand[2], statement.lost()), (130, 30, 47));
    assert_eq!(statement.cost(statement.used()), Some(130 * 35));
    let found = &statement.differences[..];
    assert!(
        matches!(found, [one] if (one.booked, one.counted, &*one.reason) == (470, 430, "a box was wet")),
        "{found:?}"
    );
}

#[test]
fn a_month_in_which_nothing_happened_tells_what_is_there() {
    let mut before = Balances::default();
    before.moved(&Place::Supplier, &Place::Store, 10);
    let statement = Statement::make(december(), &calendar(), &before, &[], &[], &BTreeMap::new(), None);
    assert_eq!((statement.used(), statement.lost(), statement.cost(1)), (0, 0, None));
    assert!(matches!(&statement.places[..], [store] if store.began == 10 && store.ended == 10));
}

fn any_place() -> impl Strategy<Value = Place> {
    prop::sample::select(vec![
        Place::Store,
        Place::Counter,
        machine(),
        Place::Ordered,
        Place::Supplier,
        Place::Guests,
        Place::Waste,
        Place::Difference,
    ])
}

proptest! {
    #[test]
    fn what_every_place_holds_at_the_end_is_the_ledgers_balance(
        movements in prop::collection::vec((any_place(), any_place(), 0_i64..500, 1_i8..31), 0..40),
        used in prop::collection::vec((1_i8..31, 0_i64..50), 0..20),
        kind in prop::sample::select(vec![Kind::Receive, Kind::Refill, Kind::HandOut, Kind::Count, Kind::Waste, Kind::Transfer]),
    ) {
        let mut balances = Balances::default();
        balances.moved(&Place::Supplier, &Place::Store, 5000);
        let before = balances.clone();
        let entries: Vec<Entry> = movements.into_iter().map(|(from, to, pieces, day)| entry(day, kind, from, to, pieces)).collect();
        let hours: Vec<Dispensed> = used.into_iter().map(|(day, pieces)| hour(date(2026, 12, day), 12, pieces)).collect();
        for entry in &entries {
            balances.moved(&entry.from, &entry.to, entry.pieces);
        }
        for hour in &hours {
            balances.dispensed(&hour.machine, hour.counted.pieces);
        }
        let statement = Statement::make(december(), &calendar(), &before, &entries, &hours, &BTreeMap::new(), None);
        for line in &statement.places {
            prop_assert_eq!(line.ended, balances.of(&line.place));
        }
        let ours: i64 = balances.ours().map(|(_, pieces)| pieces).sum();
        prop_assert_eq!(statement.places.iter().map(|line| line.ended).sum::<i64>(), ours);
    }
}
