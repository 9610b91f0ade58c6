//! Reports of months: made once, and sent like any other message.

use super::*;
use crate::store::{ReportLetter, ReportReceiver};

fn month() -> lobby_domain::purchase::Month {
    "2026-10".parse().unwrap()
}

async fn make(store: &Store, now: Timestamp) {
    let letter = ReportLetter { id: Uuid::from_u128(7), channel: OPS.to_owned(), letter: "{}".to_owned() };
    store.queue_month_report(&site(), month(), &[letter], now).await.unwrap();
}

async fn attempt(store: &Store, then: Then, nth: i64, now: Timestamp) {
    let attempted = Attempted {
        message: Uuid::from_u128(7),
        nth,
        channel: OPS,
        took: Span::from_millis(5),
        outcome: "taken",
        answer: "250",
        heard: true,
        then,
        paused_until: None,
        instead: None,
    };
    store.settle_attempt(&attempted, now).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_report_is_made_once_waits_for_its_channel_and_is_tried_until_it_is_taken(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    assert_eq!(store.reported_sites(month()).await.unwrap().len(), 0);
    for minute in [3, 4] {
        make(store, at(minute)).await;
    }
    assert_eq!(store.reported_sites(month()).await.unwrap(), [site()].into());
    assert_eq!(count(store, "message").await, 2, "one of them is the report");
    assert_eq!(
        store.read().await.unwrap().under_way(OPS).await.unwrap().unwrap().0,
        Uuid::from_u128(1),
        "what is being sent goes first"
    );

    let sent = Attempted {
        message: Uuid::from_u128(1),
        nth: 1,
        channel: OPS,
        took: Span::from_millis(5),
        outcome: "taken",
        answer: "",
        heard: true,
        then: Then::Sent,
        paused_until: None,
        instead: None,
    };
    store.settle_attempt(&sent, at(4)).await.unwrap();
    let (id, due) = store.read().await.unwrap().under_way(OPS).await.unwrap().unwrap();
    assert_eq!((id, due), (Uuid::from_u128(7), at(3)));
    let claim = async |due, now| store.claim(id, OPS, due, now, LEASE).await.unwrap();
    let outgoing = claim(due, at(5)).await.expect("it is due");
    assert_eq!((outgoing.letter.as_str(), outgoing.nth), ("{}", 1));
    assert_eq!(claim(due, at(5)).await, None, "somebody has it");
    attempt(store, Then::Again(at(6)), 1, at(5)).await;
    let told = async || store.month_report(&site(), month()).await.unwrap();
    assert_eq!(told().await[0].state, "retry");
    assert_eq!(claim(at(6), at(6)).await.expect("again").nth, 2);
    attempt(store, Then::Sent, 2, at(6)).await;
    let row = ReportReceiver { channel: OPS.into(), state: "sent".into(), answer: "250".into(), at: at(6) };
    assert_eq!(told().await, [row]);
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), None);

    store.forget_notifications(at(7)).await.unwrap();
    assert_eq!(told().await, [], "it is kept as long as other messages");
    make(store, at(8)).await;
    assert_eq!(told().await, [], "and is not made again");
}
