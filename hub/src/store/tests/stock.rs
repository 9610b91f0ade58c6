//! The ledger of what is used up, and what machines have handed out, as both databases keep them.

use lobby_contract::{Reach, Record};
use lobby_domain::{
    alert::Subject,
    kind::Dispenses,
    label::Label,
    pack::Pack,
    stock::{Deed, Kind as Moved, Place, Refusal, low::Low},
    time::{Span, Timestamp},
};
use rstest::rstest;
use uuid::Uuid;

use super::{Database, Kind, T0, all_alerts, by, count, execute, setup, site, writer};
use crate::store::{
    AuditFilter, Batch, Book, Counter, EntryFilter, HeldVerdict, LowAlert, Posting, StockError, Store, Writer,
};

const HOUR: Span = Span::from_mins(60);
const COVERS: &str = "shoe-cover";
const MACHINE: &str = "cover-1";

fn at(minutes: i64) -> Timestamp {
    T0.shifted(minutes * 60_000)
}

fn machine() -> Place {
    Place::Machine(MACHINE.parse().unwrap())
}

fn counter() -> Counter {
    let pack = Pack::built_in();
    let dispenses: Dispenses = pack.kinds["shoe-cover-machine"].kind.dispenses.clone().unwrap();
    Counter { device: MACHINE.parse().unwrap(), dispenses }
}

async fn post(store: &Store, id: u128, deed: &Deed, reason: &str) -> Result<bool, StockError> {
    let (site, actor) = (site(), by());
    let id = Uuid::from_u128(id);
    let posting =
        Posting { id, site: &site, item: COVERS, reason, who: "王敏", post: "showflat", at: at(1), actor: &actor };
    store.post_stock(posting, deed, &[counter()]).await.map(|(_, is_new)| is_new)
}

async fn correct(store: &Store, id: u128, of: u128) -> Result<bool, StockError> {
    let (site, actor) = (site(), by());
    let id = Uuid::from_u128(id);
    let posting =
        Posting {
            id, site: &site, item: COVERS, reason: "", who: "王敏", post: "showflat", at: at(2), actor: &actor
        };
    store.correct_stock(posting, Uuid::from_u128(of)).await.map(|(_, is_new)| is_new)
}

async fn book(store: &Store) -> Book {
    store.book(&site(), COVERS, &[counter()], (T0 - HOUR.times(48), at(600))).await.unwrap()
}

/// A record of the machine's counter.
fn counted(seq: u64, minute: i64, count: u32, period: u32) -> Record {
    Record {
        seq,
        at: at(minute).millis(),
        device: MACHINE.parse().unwrap(),
        reach: Reach::Ok,
        facts: [
            ("covers_dispensed".into(), f64::from(count).into()),
            ("covers_dispensed_epoch".into(), f64::from(period).into()),
        ]
        .into(),
        faults: Vec::new(),
    }
}

/// What an agent has sent since one of its starts.
fn sent(epoch: u64, records: impl IntoIterator<Item = Record>) -> Batch {
    let mut batch = super::reports("box", MACHINE, records);
    for record in &mut batch.changes.records {
        record.epoch = epoch;
    }
    batch
}

async fn store_records(writer: &mut Writer, batch: Batch) {
    writer.commit(&[batch], at(600)).await.unwrap();
}

/// Rolls up every hour that ended before then.
async fn roll_up(store: &Store, before: Timestamp, kept: bool) {
    for due in store.due(before, 512).await.unwrap() {
        let mut tx = store.begin().await.unwrap();
        tx.take_due(&due).await.unwrap();
        tx.roll_up_dispensed(due.device_no, &counter().dispenses, due.period(), kept).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn total(store: &Store) -> i64 {
    store.dispensed(&site(), &counter(), T0, at(600)).await.unwrap().total
}

#[rstest]
#[tokio::test]
async fn what_a_place_holds_is_what_came_less_what_went(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    assert!(!book(store).await.kept);
    let refill = Deed::Refill { machine: MACHINE.parse().unwrap(), pieces: 200 };
    assert!(post(store, 1, &Deed::Receive { pieces: 1000, order: None }, "").await.unwrap());
    assert!(post(store, 2, &refill, "").await.unwrap());
    assert!(!post(store, 2, &refill, "").await.unwrap(), "the same again changes nothing");
    let other = Deed::Refill { machine: MACHINE.parse().unwrap(), pieces: 100 };
    assert!(matches!(post(store, 2, &other, "").await, Err(StockError::KeyReused)));
    assert!(post(store, 3, &Deed::HandOut { from: Place::Store, pieces: 6 }, "").await.unwrap());
    assert!(post(store, 4, &Deed::Waste { from: Place::Store, pieces: 4 }, "破损").await.unwrap());

    let now = book(store).await;
    assert!(now.kept);
    assert_eq!((now.balances.of(&Place::Store), now.balances.of(&machine())), (790, 200));
    assert_eq!(now.by_hand, [(at(1), 6)]);
    let last = &now.last[&(machine(), Moved::Refill)];
    assert_eq!((last.movement.pieces, &*last.who), (200, "王敏"));

    // A count that finds something else has a reason.
    let counts = Deed::Count { place: Place::Store, counted: 780 };
    assert!(matches!(post(store, 5, &counts, "").await, Err(StockError::Refused(Refusal::Reason))));
    assert!(post(store, 5, &counts, "少了一包").await.unwrap());
    assert_eq!(book(store).await.balances.of(&Place::Store), 780);
    assert_eq!(book(store).await.balances.of(&Place::Difference), 10);

    // A mistake is corrected once, by a counter-entry.
    assert!(correct(store, 6, 3).await.unwrap());
    assert!(!correct(store, 6, 3).await.unwrap());
    assert!(matches!(correct(store, 7, 3).await, Err(StockError::Corrected)));
    assert!(matches!(correct(store, 8, 6).await, Err(StockError::Corrected)));
    assert!(matches!(correct(store, 9, 99).await, Err(StockError::NotFound)));
    let now = book(store).await;
    assert_eq!((now.balances.of(&Place::Store), now.balances.of(&Place::Guests)), (786, 0));
    assert_eq!(now.by_hand.iter().map(|(_, pieces)| pieces).sum::<i64>(), 0);

    let filter = EntryFilter { site: Some(site()), ..EntryFilter::default() };
    let (rows, next) = store.stock_entries(&filter, None, 4).await.unwrap().unwrap();
    assert_eq!(rows.iter().map(|row| row.id.as_u128()).collect::<Vec<_>>(), [6, 5, 4, 3]);
    assert_eq!((rows[0].corrects, rows[3].corrected_by), (Some(Uuid::from_u128(3)), Some(Uuid::from_u128(6))));
    let (rest, last) = store.stock_entries(&filter, next.as_ref(), 4).await.unwrap().unwrap();
    assert_eq!((rest.len(), last), (2, None));
    let (log, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    let told = ["stock.correct", "stock.count", "stock.waste", "stock.hand-out", "stock.refill", "stock.receive"];
    assert_eq!(actions, told);
}

#[rstest]
#[tokio::test]
async fn an_entry_is_neither_changed_nor_taken_away(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    post(store, 1, &Deed::Receive { pieces: 1000, order: None }, "").await.unwrap();
    for sql in ["UPDATE stock_entry SET pieces = 5", "DELETE FROM stock_entry"] {
        let mut tx = store.begin().await.unwrap();
        let done = on!(&mut tx, "change the ledger", conn => sqlx::query(sql).execute(conn).await.map(drop));
        assert!(format!("{:?}", done.unwrap_err()).contains("counter-entry"), "{sql}");
    }
    assert_eq!(book(store).await.balances.of(&Place::Store), 1000);
}

#[rstest]
#[tokio::test]
async fn an_order_is_open_until_all_of_it_came(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (id, order) = (Uuid::from_u128(1), Some(Uuid::from_u128(1)));
    let ordered = Deed::Order { pieces: 800, due: at(90) };
    post(store, 1, &ordered, "").await.unwrap();
    assert!(!post(store, 1, &Deed::Order { pieces: 800, due: at(95) }, "").await.unwrap(), "the same form again");
    post(store, 2, &Deed::Receive { pieces: 500, order }, "").await.unwrap();
    let open = book(store).await.orders;
    assert_eq!((open.len(), open[0].pieces, open[0].ordered, open[0].due), (1, 300, 800, at(90)));
    post(store, 3, &Deed::Cancel { order: id }, "停产").await.unwrap();
    assert!(book(store).await.orders.is_empty());
    let late = post(store, 4, &Deed::Receive { pieces: 1, order }, "").await;
    assert!(matches!(late, Err(StockError::Refused(Refusal::Arrived))), "{late:?}");
    let none = post(store, 5, &Deed::Receive { pieces: 1, order: Some(Uuid::from_u128(77)) }, "").await;
    assert!(matches!(none, Err(StockError::NotFound)), "{none:?}");
    assert_eq!(book(store).await.balances.of(&Place::Store), 500);
}

/// What came of the machine, in the order in which it happened: the agent's start, and its records.
fn happened() -> Vec<(u64, Record)> {
    vec![
        (1, counted(1, 5, 100, 0)),
        (1, counted(2, 40, 130, 0)),
        // The next hour; the counter is cleared.
        (1, counted(3, 70, 145, 0)),
        (1, counted(4, 90, 4, 1)),
        // The agent starts again: its count is what stands in the register.
        (2, counted(1, 130, 10, 0)),
        (2, counted(2, 170, 40, 0)),
        (2, counted(3, 260, 55, 0)),
    ]
}

/// 45 until it was cleared, and 55 after that.
const TOTAL: i64 = 45 + 55;

#[rstest]
#[tokio::test]
async fn each_piece_is_counted_once_whatever_comes_late_or_twice(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(&[0, 1, 2, 3, 4, 5, 6], &[6, 5, 4, 3, 2, 1, 0], &[4, 5, 6, 0, 1, 2, 3, 3, 0, 6], &[2, 6, 0, 4, 1, 5, 3, 2])]
    order: &[usize],
    #[values(false, true)] rolls_up_between: bool,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let all = happened();
    for index in order {
        let (epoch, record) = all[*index].clone();
        store_records(&mut writer, sent(epoch, [record])).await;
        if rolls_up_between {
            let live = total(store).await;
            roll_up(store, at(200), true).await;
            assert_eq!(total(store).await, live, "to roll an hour up changes nothing");
        }
    }
    assert_eq!(total(store).await, TOTAL, "while hours are due");
    roll_up(store, at(600), true).await;
    assert_eq!(total(store).await, TOTAL, "when all are rolled up");
    // The records may go; the hours stay.
    store.merge_all().await.unwrap();
    execute(store, "DELETE FROM record WHERE at < (SELECT MAX(at) FROM record)".to_owned()).await;
    assert_eq!(total(store).await, TOTAL);
    let told = store.dispensed(&site(), &counter(), T0, at(600)).await.unwrap();
    let hours: Vec<i64> = told.hours.iter().map(|(_, pieces)| *pieces).collect();
    assert_eq!((hours, told.unsure), (vec![30, 19, 36, 15], 0));
    post(store, 1, &Deed::Refill { machine: MACHINE.parse().unwrap(), pieces: 300 }, "").await.unwrap();
    assert_eq!(book(store).await.balances.of(&machine()), 300 - TOTAL);
}

#[rstest]
#[tokio::test]
async fn a_record_that_comes_after_its_hour_was_cut_is_added_to_what_is_left(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    store_records(&mut writer, sent(1, [counted(1, 5, 100, 0), counted(2, 20, 110, 0), counted(9, 90, 150, 0)])).await;
    roll_up(store, at(600), true).await;
    store.merge_all().await.unwrap();
    execute(store, "DELETE FROM record WHERE seq < 9".to_owned()).await;
    store_records(&mut writer, sent(1, [counted(3, 50, 125, 0)])).await;
    roll_up(store, at(600), false).await;
    let told = store.dispensed(&site(), &counter(), T0, at(600)).await.unwrap();
    assert_eq!(told.hours.iter().map(|(_, pieces)| *pieces).collect::<Vec<_>>(), [25, 25]);
}

#[rstest]
#[tokio::test]
async fn what_is_not_believed_counts_when_a_person_has_said_so(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    store_records(&mut writer, sent(1, [counted(1, 5, 100, 0), counted(2, 6, 9_100, 0), counted(3, 10, 9_110, 0)]))
        .await;
    let told = store.dispensed(&site(), &counter(), T0, at(600)).await.unwrap();
    assert_eq!((told.total, &told.held[..]), (10, &[(T0, 9_000)][..]));
    let (here, actor) = (site(), by());
    let verdict = |pieces| HeldVerdict { site: &here, hour: T0, pieces, accepted: true, by: "王敏" };
    assert!(!store.decide_held(&counter(), verdict(1), at(20), &actor).await.unwrap(), "it is another number");
    assert!(store.decide_held(&counter(), verdict(9_000), at(20), &actor).await.unwrap());
    assert!(!store.decide_held(&counter(), verdict(9_000), at(20), &actor).await.unwrap(), "it is decided");
    let told = store.dispensed(&site(), &counter(), T0, at(600)).await.unwrap();
    assert_eq!((told.total, told.held.len(), told.hours[0].1), (9_010, 0, 9_010));
    roll_up(store, at(600), true).await;
    assert_eq!(total(store).await, 9_010);
}

#[rstest]
#[tokio::test]
async fn what_runs_low_is_told_once_and_no_agents_data_clear_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, setup) = (&database.store, setup());
    let rule = Low::Room.rule(COVERS, &setup.pack.items[COVERS]);
    let evidence = Label::new("库房 10", "10 in the store room");
    let low = LowAlert { subject: Subject::Site, rule, evidence, tell: true };
    for minute in 0..3 {
        store.tell_low(&site(), std::slice::from_ref(&low), &[], &setup, at(minute)).await.unwrap();
    }
    let open = store.open_low(&site()).await.unwrap();
    assert_eq!(open, [(Subject::Site, "stock/low/shoe-cover".to_owned())]);
    let alerts = all_alerts(store).await;
    assert_eq!((alerts.len(), alerts[0].hits, &alerts[0].tells[..]), (1, 1, &["showflat".to_owned()][..]));
    assert_eq!(count(store, "outbox").await, 1);
    assert_eq!(
        store.escalations((None, None), None, 10).await.unwrap().unwrap().0.len(),
        1,
        "it goes up if nobody answers"
    );
    assert!(store.site(&site()).await.unwrap().open_alerts.is_empty(), "after a restart it is in no rule's memory");
    store.tell_low(&site(), &[], &open, &setup, at(5)).await.unwrap();
    assert!(store.open_low(&site()).await.unwrap().is_empty());
    assert_eq!(count(store, "outbox").await, 2, "whoever was told is told of its end");
}
