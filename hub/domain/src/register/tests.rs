use proptest::prelude::*;

use super::{
    moving::{self, Step, Way},
    taking::{Answer, Lack, Line, Seen},
    *,
};

fn item(name: &str, quantity: &str) -> Item {
    Item::read(|field| match field {
        Field::Name => Some(name),
        Field::Quantity => Some(quantity),
        Field::Place => Some("客厅"),
        _ => None,
    })
    .unwrap()
}

fn texts() -> impl Strategy<Value = BTreeMap<Field, String>> {
    let field = prop::sample::select(Field::ALL.to_vec());
    prop::collection::btree_map(field, "[a-z0-9]{0,4}", 0..6)
}

#[test]
fn an_asset_number_is_short_and_says_when_it_was_mistyped() {
    assert_eq!(AssetNumber::of(17).to_string(), "00017-9".replace('9', &damm("00017").to_string()));
    for wrong in ["", "17", "00017", "00000-0", "00017-x", "0017-1", "00017 1"] {
        assert!(wrong.parse::<AssetNumber>().is_err(), "{wrong}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_field() {
    let of = |wrong: Field, text: &'static str| {
        Item::read(|field| match field {
            _ if field == wrong => Some(text),
            Field::Name => Some("沙发"),
            _ => None,
        })
    };
    assert_eq!(of(Field::Name, " "), Err((Field::Name, Mistake::NoName)));
    assert_eq!(of(Field::Quantity, "-1"), Err((Field::Quantity, Mistake::Quantity)));
    assert_eq!(of(Field::Value, "1.234"), Err((Field::Value, Mistake::Value)));
    assert_eq!(of(Field::Acquired, "2026-02-30"), Err((Field::Acquired, Mistake::Day)));
    assert_eq!(of(Field::Value, "99.5").unwrap().get(Field::Value), "99.50");
}

#[test]
fn what_is_written_off_is_not_changed_any_more() {
    let sofa = item("沙发", "1");
    assert_eq!(sofa.write_off(" "), Err(Refusal::Reason));
    let gone = sofa.clone().after(&sofa.write_off("破损").unwrap());
    assert_eq!(gone.state(), State::WrittenOff);
    assert_eq!(gone.edit(&sofa, "回来了"), Err(Refusal::WrittenOff));
    assert_eq!(gone.write_off("破损"), Err(Refusal::WrittenOff));
}

#[test]
fn nobody_takes_an_item_out_by_an_edit() {
    let sofa = item("沙发", "1");
    let out = sofa.clone().after(&BTreeMap::from([(Field::State, "out".to_owned())]));
    assert_eq!(sofa.edit(&out, "搬走"), Err(Refusal::Field(Mistake::State)));
    assert_eq!(out.edit(&sofa, "搬回"), Err(Refusal::Field(Mistake::State)));
}

#[test]
fn a_move_is_consented_to_by_somebody_else_and_carried_out_once() {
    use moving::State::{Approved, Asked, Done, Refused};
    assert_eq!(Asked.after(Step::Approve, true, ""), Err(moving::Refusal::Own));
    assert_eq!(Asked.after(Step::Refuse, false, ""), Err(moving::Refusal::Reason));
    assert_eq!(Asked.after(Step::Refuse, false, "不行"), Ok(Refused));
    assert_eq!(Asked.after(Step::Confirm, false, ""), Err(moving::Refusal::Step));
    assert_eq!(Asked.after(Step::Approve, false, ""), Ok(Approved));
    assert_eq!(Approved.after(Step::Confirm, true, ""), Ok(Done));
    for state in [Refused, Done] {
        for step in [Step::Approve, Step::Refuse, Step::Confirm] {
            assert_eq!(state.after(step, false, "x"), Err(moving::Refusal::Step));
        }
    }
}

#[test]
fn a_difference_needs_an_explanation() {
    let line = Line::of(AssetNumber::of(1), &item("椅子", "4"));
    let answer = |seen, count, note: &str| Answer { seen, count, place: String::new(), note: note.to_owned() };
    assert_eq!(line.lacks(None), Some(Lack::Answer));
    assert_eq!(line.lacks(Some(&answer(Seen::Found, 4, ""))), None);
    assert_eq!(line.lacks(Some(&answer(Seen::Found, 3, ""))), Some(Lack::Explanation));
    assert_eq!(line.lacks(Some(&answer(Seen::Missing, 0, "找过"))), None);
    assert_eq!(line.lacks(Some(&answer(Seen::Elsewhere, 4, "搬过"))), Some(Lack::Place));
    assert_eq!((line.missing(&answer(Seen::Found, 3, "")), line.missing(&answer(Seen::Missing, 0, ""))), (1, 4));
}

proptest! {
    #[test]
    fn an_asset_number_is_read_as_it_is_written_and_with_any_one_digit_wrong_not_at_all(
        nth in 1_u32..100_000, at in 0_usize..6, by in 1_u8..10,
    ) {
        let number = AssetNumber::of(nth);
        let text = number.to_string();
        prop_assert_eq!(text.parse(), Ok(number));
        let digit = [0, 1, 2, 3, 4, 6][at];
        let mut bytes = text.into_bytes();
        bytes[digit] = (bytes[digit] - b'0' + by) % 10 + b'0';
        prop_assert!(String::from_utf8(bytes).unwrap().parse::<AssetNumber>().is_err());
    }

    #[test]
    fn a_fold_over_changes_gives_what_was_wanted(start in texts(), steps in prop::collection::vec(texts(), 0..8)) {
        let mut wanted = Item::default().after(&start);
        let mut events = vec![start];
        for step in steps {
            let next = wanted.clone().after(&step);
            events.push(wanted.changes(&next));
            wanted = next;
        }
        let folded = events.iter().fold(Item::default(), Item::after);
        prop_assert!(folded.changes(&wanted).is_empty());
        prop_assert_eq!(folded, wanted);
    }

    #[test]
    fn a_stock_take_makes_the_register_say_what_was_seen(
        quantity in 1_u32..50, seen in prop::sample::select(Seen::ALL.to_vec()), count in 0_u32..60,
    ) {
        let now = item("椅子", &quantity.to_string());
        let line = Line::of(AssetNumber::of(1), &now);
        let answer = Answer { seen, count, place: "库房".to_owned(), note: "盘点".to_owned() };
        let after = now.clone().after(&line.sets(&now, &answer));
        prop_assert_eq!(after.state() == State::Missing, seen == Seen::Missing);
        prop_assert_eq!(after.get(Field::Place) == "库房", seen == Seen::Elsewhere);
        let there = if seen == Seen::Missing { quantity } else { count };
        prop_assert_eq!(after.quantity(), there);
        prop_assert!(line.sets(&after, &answer).is_empty());
        prop_assert_eq!(line.differs(&answer), !now.changes(&after).is_empty() || seen == Seen::Elsewhere);
    }

    #[test]
    fn nothing_is_lost_on_the_way_out_and_back(quantity in 1_u32..50, out in 1_u32..60) {
        let now = item("椅子", &quantity.to_string());
        prop_assert_eq!(Way::Out.fits(&now, out), out <= quantity);
        if out <= quantity {
            let after = now.clone().after(&Way::Out.sets(&now, out, "分公司"));
            if out < quantity {
                prop_assert_eq!((after.quantity(), after.state()), (quantity - out, State::InUse));
            } else {
                prop_assert_eq!(after.state(), State::Out);
                prop_assert!(!Way::Out.fits(&after, 1));
                let back = after.clone().after(&Way::Back.sets(&after, out, "客厅"));
                prop_assert_eq!((back.quantity(), back.state(), back.get(Field::Place)), (out, State::InUse, "客厅"));
            }
        }
    }
}
