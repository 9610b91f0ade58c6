//! The register, its labels, stock-takes and moves, as both databases keep them.

use std::collections::BTreeSet;

use lobby_domain::register::{
    AssetNumber, Deed, Field, Item, Refusal, State,
    moving::{self, Step, Way},
    taking::{Answer, Seen},
};
use rstest::rstest;
use uuid::Uuid;

use super::{Database, Kind, Store, T0, count, setup, site};
use crate::{
    audit::Actor,
    photo::Photo,
    store::{Acting, Asked, AuditFilter, ItemAct, RegisterError, Target},
};

fn item(name: &str, quantity: &str, device: &str) -> Item {
    let text = |field| match field {
        Field::Name => name,
        Field::Quantity => quantity,
        Field::Place => "客厅",
        Field::Device => device,
        _ => "",
    };
    Item::read(|field| Some(text(field))).unwrap()
}

fn photo() -> Photo {
    Photo { jpeg: vec![0xff, 0xd8, 7], small: vec![0xff, 0xd8], width: 4, height: 3 }
}

/// Whoever does something, by name.
macro_rules! by {
    ($who:expr) => {
        Acting { site: &site(), who: $who, post: $who, actor: &Actor::person($who, $who), at: T0 }
    };
}

async fn add(store: &Store, key: u128, item: &Item) -> Result<AssetNumber, RegisterError> {
    let code = format!("code-{key}");
    store.add_to_register(Uuid::from_u128(key), item, &[photo()], &code, by!("showflat")).await
}

async fn actions(store: &Store) -> Vec<String> {
    let (entries, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    entries.into_iter().rev().map(|entry| entry.action).collect()
}

#[rstest]
#[tokio::test]
async fn an_item_is_entered_once_and_its_history_explains_what_it_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(db) = Database::create(kind).await else { return };
    let (store, sofa) = (&db.store, item("沙发", "1", "led"));
    let number = add(store, 1, &sofa).await.unwrap();
    assert_eq!((add(store, 1, &sofa).await.unwrap(), number), (number, AssetNumber::of(1)));
    assert!(matches!(add(store, 2, &sofa).await, Err(RegisterError::DeviceTaken(taken)) if taken == number));
    assert_eq!(add(store, 3, &item("花瓶", "2", "")).await.unwrap(), AssetNumber::of(2));

    let wanted = sofa.clone().after(&[(Field::Place, "库房".to_owned())].into());
    for _ in 0..2 {
        store.act_on_item(number, ItemAct::Edit(&wanted), (1, "换位置"), by!("showflat")).await.unwrap();
    }
    let other = sofa.clone().after(&[(Field::Place, "大堂".to_owned())].into());
    let stale = store.act_on_item(number, ItemAct::Edit(&other), (1, "也换"), by!("reception")).await;
    assert!(matches!(stale, Err(RegisterError::Stale)), "{stale:?}");
    let silent = store.act_on_item(number, ItemAct::Edit(&other), (2, " "), by!("reception")).await;
    assert!(matches!(silent, Err(RegisterError::Refused(Refusal::Reason))), "{silent:?}");
    store.act_on_item(number, ItemAct::Photos(&[photo()]), (0, ""), by!("showflat")).await.unwrap();
    let photos = store.photos_of_item(&site(), number).await.unwrap();
    assert_eq!(photos.len(), 1);
    assert_eq!(store.newest_photos_of_items(&site()).await.unwrap()[&number], photos[0].id);
    let numbers = async |after, most| {
        let rows = store.register_after(&site(), after, most).await.unwrap();
        rows.into_iter().map(|row| row.number.nth()).collect::<Vec<_>>()
    };
    assert_eq!((numbers(None, 1).await, numbers(Some(number), 10).await), (vec![1], vec![2]));
    for _ in 0..2 {
        store.act_on_item(number, ItemAct::WriteOff, (2, "破损"), by!("manager")).await.unwrap();
    }
    // What it was is free for another item.
    add(store, 4, &sofa).await.unwrap();

    let events = store.register_events(&site(), number).await.unwrap();
    let folded = events.iter().fold(Item::default(), |item, event| item.after(&event.set));
    let row = store.register_item(&site(), number).await.unwrap().unwrap();
    assert_eq!((&folded, row.version, row.item.state()), (&row.item, 3, State::WrittenOff));
    let deeds: Vec<Deed> = events.iter().map(|event| event.deed).collect();
    assert_eq!(deeds, [Deed::Add, Deed::Edit, Deed::WriteOff]);
    assert_eq!(
        actions(store).await,
        ["register.add", "register.add", "register.edit", "register.write-off", "register.add"]
    );
}

#[rstest]
#[tokio::test]
async fn a_blank_label_is_bound_once_and_elsewhere_only_with_a_reason(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(db) = Database::create(kind).await else { return };
    let store = &db.store;
    let number = add(store, 1, &item("沙发", "1", "")).await.unwrap();
    let sheet = Uuid::from_u128(9);
    for codes in [["aaaa1111", "bbbb2222"], ["cccc3333", "dddd4444"]] {
        store.print_labels(sheet, &codes.map(str::to_owned), by!("showflat")).await.unwrap();
    }
    assert_eq!(store.labels_of_sheet(&site(), sheet).await.unwrap(), ["aaaa1111", "bbbb2222"]);
    assert_eq!(store.labels_of_items(&site()).await.unwrap()[&number], "code-1");
    let (item, led) = (Target::Item(number), Target::Device("led".parse().unwrap()));
    for _ in 0..2 {
        store.bind_label("aaaa1111", Some(&item), (1, ""), by!("showflat")).await.unwrap();
    }
    let again = store.bind_label("aaaa1111", Some(&led), (2, ""), by!("showflat")).await;
    assert!(matches!(again, Err(RegisterError::Refused(Refusal::Reason))), "{again:?}");
    let stale = store.bind_label("aaaa1111", Some(&led), (1, "贴错"), by!("showflat")).await;
    assert!(matches!(stale, Err(RegisterError::Stale)), "{stale:?}");
    store.bind_label("aaaa1111", Some(&led), (2, "贴错"), by!("showflat")).await.unwrap();
    assert_eq!(store.device_by_code("aaaa1111").await.unwrap(), Some((site(), "led".parse().unwrap())));
    store.bind_label("aaaa1111", None, (3, "丢失"), by!("showflat")).await.unwrap();
    assert_eq!(store.device_by_code("aaaa1111").await.unwrap(), None);
    let label = store.label("aaaa1111").await.unwrap().unwrap();
    assert!(label.voided && label.target.is_none());
    assert_eq!(count(store, "register_label_event WHERE code = 'aaaa1111'").await, 4);
    // The item knows which labels it had, and where one went; what happened to a label after it came off is not its own.
    let events = store.label_events_of_item(&site(), number).await.unwrap();
    let told: BTreeSet<_> =
        events.iter().map(|event| (&*event.code, event.on, &*event.elsewhere, &*event.reason)).collect();
    let expected = [("aaaa1111", true, "", ""), ("aaaa1111", false, "led", "贴错"), ("code-1", true, "", "")];
    assert_eq!((told, events.len()), (expected.into(), 3));
    let own = events.iter().filter(|event| event.code == "aaaa1111").map(|event| event.on).collect::<Vec<_>>();
    assert_eq!(own, [false, true], "the newest first");
    assert_eq!(store.label_codes(&site()).await.unwrap(), [(number, vec!["code-1".to_owned()])].into());
    store.bind_label("bbbb2222", Some(&item), (1, ""), by!("showflat")).await.unwrap();
    assert_eq!(store.label_codes(&site()).await.unwrap()[&number], ["bbbb2222", "code-1"]);
    assert_eq!(
        actions(store).await,
        ["register.add", "label.print", "label.bind", "label.bind", "label.void", "label.bind"]
    );
}

#[rstest]
#[tokio::test]
async fn a_stock_take_changes_the_register_only_when_it_is_closed(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(db) = Database::create(kind).await else { return };
    let (store, id) = (&db.store, Uuid::from_u128(7));
    let (chairs, vase) =
        (add(store, 1, &item("椅子", "4", "")).await.unwrap(), add(store, 2, &item("花瓶", "1", "")).await.unwrap());
    for _ in 0..2 {
        store.start_stock_take(id, "", by!("showflat")).await.unwrap();
    }
    let said = |seen, count, note: &str| Answer { seen, count, place: String::new(), note: note.to_owned() };
    let answers = [(chairs.nth(), said(Seen::Found, 3, "一把送修")), (vase.nth(), said(Seen::Missing, 0, ""))];
    for _ in 0..2 {
        store.answer_stock_take(id, &answers, by!("showflat")).await.unwrap();
    }
    let early = store.close_stock_take(id, false, &setup(), by!("showflat")).await;
    assert!(matches!(early, Err(RegisterError::Lacking(1))), "{early:?}");
    store.answer_stock_take(id, &[(vase.nth(), said(Seen::Missing, 0, "找不到"))], by!("showflat")).await.unwrap();
    let other = store.close_stock_take(id, false, &setup(), by!("reception")).await;
    assert!(matches!(other, Err(RegisterError::NotTheirs)), "{other:?}");
    let rows = store.register(&site()).await.unwrap();
    assert!(rows.iter().all(|row| row.version == 1 && row.counted_at.is_none()));
    for _ in 0..2 {
        store.close_stock_take(id, false, &setup(), by!("showflat")).await.unwrap();
        store.see_stock_take(id, by!("manager")).await.unwrap();
    }
    // With the closing the superior is told of the vase and of the chair that is not there, once.
    assert_eq!(count(store, "report WHERE what = 'loss'").await, 2);
    assert_eq!(count(store, "outbox").await, 2);
    let rows = store.register(&site()).await.unwrap();
    let now: Vec<_> = rows.iter().map(|row| (row.item.quantity(), row.item.state(), row.counted_at)).collect();
    assert_eq!(now, [(3, State::InUse, Some(T0)), (1, State::Missing, Some(T0))]);
    let last = store.register_events(&site(), vase).await.unwrap().pop().unwrap();
    assert_eq!((last.deed, last.cause, last.reason.as_str()), (Deed::Count, Some(id), "找不到"));
    let counts = store.counts_of_item(&site(), vase).await.unwrap();
    let [counted] = &*counts else { panic!("{counts:?}") };
    assert_eq!((counted.take, counted.said.answer.seen, &*counted.said.answer.note), (id, Seen::Missing, "找不到"));
    assert!(counted.closed.is_some() && counted.seen.is_some(), "{counted:?}");
    assert_eq!(store.counts_of_item(&site(), AssetNumber::of(9)).await.unwrap(), []);
    let late = store.answer_stock_take(id, &answers, by!("showflat")).await;
    assert!(matches!(late, Err(RegisterError::Closed)), "{late:?}");
    let (take, _) = store.stock_take(id).await.unwrap().unwrap();
    assert_eq!(take.seen.map(|(who, _)| who).as_deref(), Some("manager"));
}

#[rstest]
#[tokio::test]
async fn a_move_needs_another_ones_consent_and_changes_the_register_when_it_is_done(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(db) = Database::create(kind).await else { return };
    let (store, id) = (&db.store, Uuid::from_u128(5));
    let sofa = add(store, 1, &item("沙发", "2", "")).await.unwrap();
    let asked =
        |pieces| Asked { id, number: sofa, way: Way::Out, pieces, place: "分公司", reason: "借展", wanted: None };
    assert!(matches!(store.ask_move(asked(3), by!("manager")).await, Err(RegisterError::Way)));
    for _ in 0..2 {
        store.ask_move(asked(2), by!("manager")).await.unwrap();
    }
    let own = store.step_move(id, Step::Approve, "", by!("manager")).await;
    assert!(matches!(own, Err(RegisterError::Move(moving::Refusal::Own))), "{own:?}");
    let early = store.step_move(id, Step::Confirm, "", by!("showflat")).await;
    assert!(matches!(early, Err(RegisterError::Move(moving::Refusal::Step))), "{early:?}");
    for _ in 0..2 {
        store.step_move(id, Step::Approve, "", by!("admin")).await.unwrap();
    }
    let late = store.step_move(id, Step::Refuse, "不行", by!("other")).await;
    assert!(matches!(late, Err(RegisterError::Move(moving::Refusal::Step))), "{late:?}");
    assert_eq!(store.register_item(&site(), sofa).await.unwrap().unwrap().item.state(), State::InUse);
    for _ in 0..2 {
        store.step_move(id, Step::Confirm, "", by!("showflat")).await.unwrap();
    }
    let row = store.register_item(&site(), sofa).await.unwrap().unwrap();
    assert_eq!((row.item.state(), row.item.get(Field::Place), row.version), (State::Out, "分公司", 2));
    let back = Asked { id: Uuid::from_u128(6), way: Way::Back, place: "客厅", ..asked(2) };
    store.ask_move(back, by!("showflat")).await.unwrap();
    store.step_move(back.id, Step::Refuse, "再等等", by!("manager")).await.unwrap();
    let states: Vec<_> = store.moves(&site()).await.unwrap().iter().map(|row| row.state).collect();
    assert!(states.contains(&moving::State::Done) && states.contains(&moving::State::Refused));
    assert_eq!(store.moves_of_item(&site(), sofa).await.unwrap(), store.moves(&site()).await.unwrap());
    assert_eq!(store.moves_of_item(&site(), AssetNumber::of(2)).await.unwrap(), []);
    assert_eq!(
        actions(store).await,
        [
            "register.add",
            "register.ask-move",
            "register.approve-move",
            "register.move",
            "register.confirm-move",
            "register.ask-move",
            "register.refuse-move"
        ]
    );
}
