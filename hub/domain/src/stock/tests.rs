use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn machine() -> Place {
    Place::Machine("cover-1".parse().unwrap())
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

#[test]
fn a_place_is_read_as_it_is_written() {
    let places = [
        Place::Store,
        Place::Counter,
        machine(),
        Place::Ordered,
        Place::Supplier,
        Place::Guests,
        Place::Waste,
        Place::Difference,
    ];
    for place in places {
        assert_eq!(place.to_string().parse(), Ok(place));
    }
    assert_eq!("machine/No Such".parse::<Place>(), Err(NoSuchPlace("machine/No Such".into())));
    assert!(Kind::ALL.into_iter().all(|kind| Kind::from_text(kind.as_str()) == Some(kind)));
}

#[rstest]
#[case::receive(Deed::Receive { pieces: 500, order: None }, "supplier", "store", 500)]
#[case::receive_of_an_order(Deed::Receive { pieces: 300, order: Some(id(7)) }, "ordered", "store", 300)]
#[case::refill(Deed::Refill { machine: "cover-1".parse().unwrap(), pieces: 200 }, "store", "machine/cover-1", 200)]
#[case::by_hand(Deed::HandOut { from: Place::Counter, pieces: 4 }, "counter", "guests", 4)]
#[case::waste(Deed::Waste { from: Place::Store, pieces: 3 }, "store", "waste", 3)]
#[case::transfer(Deed::Transfer { from: Place::Store, to: Place::Counter, pieces: 50 }, "store", "counter", 50)]
#[case::order(Deed::Order { pieces: 800, due: Timestamp::from_millis(9) }, "supplier", "ordered", 800)]
#[case::cancel(Deed::Cancel { order: id(7) }, "ordered", "supplier", 120)]
#[case::count_finds_less(Deed::Count { place: machine(), counted: 90 }, "machine/cover-1", "difference", 10)]
#[case::count_finds_more(Deed::Count { place: machine(), counted: 130 }, "difference", "machine/cover-1", 30)]
#[case::count_finds_what_was_expected(Deed::Count { place: machine(), counted: 100 }, "difference", "machine/cover-1", 0)]
fn a_deed_is_a_movement(#[case] deed: Deed, #[case] from: &str, #[case] to: &str, #[case] pieces: i64) {
    let movement = deed.movement(id(1), "掉了", |_| 100, 120).unwrap();
    assert_eq!((&*movement.from.to_string(), &*movement.to.to_string(), movement.pieces), (from, to, pieces));
    assert_eq!(movement.kind, deed.kind());
}

#[rstest]
#[case::nothing(Deed::Refill { machine: "cover-1".parse().unwrap(), pieces: 0 }, "", Refusal::Pieces)]
#[case::less_than_nothing(Deed::Receive { pieces: -5, order: None }, "", Refusal::Pieces)]
#[case::a_slip_of_the_hand(Deed::Receive { pieces: MOST + 1, order: None }, "", Refusal::Pieces)]
#[case::a_difference_without_a_reason(Deed::Count { place: Place::Store, counted: 5 }, " ", Refusal::Reason)]
#[case::counted_elsewhere(Deed::Count { place: Place::Guests, counted: 5 }, "", Refusal::Place)]
#[case::to_itself(Deed::Transfer { from: Place::Store, to: Place::Store, pieces: 5 }, "", Refusal::Place)]
#[case::from_the_supplier(Deed::Waste { from: Place::Supplier, pieces: 5 }, "", Refusal::Place)]
#[case::all_has_come(Deed::Cancel { order: id(7) }, "", Refusal::Arrived)]
#[case::two_lines(Deed::Receive { pieces: 5, order: None }, "a\nb", Refusal::LongReason)]
fn what_is_no_movement_is_refused(#[case] deed: Deed, #[case] reason: &str, #[case] refusal: Refusal) {
    assert_eq!(deed.movement(id(1), reason, |_| 100, 0), Err(refusal));
}

#[test]
fn an_order_is_one_until_it_came() {
    let mut balances = Balances::default();
    let post = |balances: &mut Balances, deed: Deed, open| {
        let movement = deed.movement(id(7), "", |_| 0, open).unwrap();
        balances.moved(&movement.from, &movement.to, movement.pieces);
    };
    post(&mut balances, Deed::Order { pieces: 800, due: Timestamp::from_millis(9) }, 0);
    assert_eq!((balances.of(&Place::Ordered), balances.of(&Place::Store)), (800, 0));
    post(&mut balances, Deed::Receive { pieces: 500, order: Some(id(7)) }, 800);
    assert_eq!((balances.of(&Place::Ordered), balances.of(&Place::Store)), (300, 500));
    post(&mut balances, Deed::Cancel { order: id(7) }, 300);
    assert_eq!((balances.of(&Place::Ordered), balances.of(&Place::Store)), (0, 500));
}

fn place() -> impl Strategy<Value = Place> {
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
    fn entries_in_any_order_make_the_same_balances_and_no_piece_is_made_up(
        entries in prop::collection::vec((place(), place(), 0_i64..MOST), 0..60),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let sum = |entries: &[(Place, Place, i64)]| {
            let mut balances = Balances::default();
            for (from, to, pieces) in entries {
                balances.moved(from, to, *pieces);
            }
            balances
        };
        let balances = sum(&entries);
        prop_assert_eq!(balances.0.values().sum::<i64>(), 0);
        let mut others = entries.clone();
        for (n, index) in shuffle.iter().enumerate().take(entries.len()) {
            let other = index.index(entries.len());
            others.swap(n, other);
        }
        prop_assert_eq!(sum(&others), balances);
    }

    #[test]
    fn after_a_count_the_balance_is_what_was_counted(holds in -500_i64..500, counted in 0_i64..1000) {
        let mut balances = Balances::default();
        balances.moved(&Place::Supplier, &Place::Store, holds);
        let deed = Deed::Count { place: Place::Store, counted };
        let movement = deed.movement(id(1), "盘点", |place| balances.of(place), 0).unwrap();
        balances.moved(&movement.from, &movement.to, movement.pieces);
        prop_assert_eq!(balances.of(&Place::Store), counted);
    }

    #[test]
    fn a_correction_leaves_nothing_of_what_it_corrects(from in place(), to in place(), pieces in 1_i64..MOST) {
        let movement = Movement { kind: Kind::Transfer, from, to, pieces, counted: None, order: None, due: None };
        let mut balances = Balances::default();
        for movement in [movement.clone(), movement.reversed()] {
            balances.moved(&movement.from, &movement.to, movement.pieces);
        }
        prop_assert!(balances.0.values().all(|pieces| *pieces == 0));
    }
}
