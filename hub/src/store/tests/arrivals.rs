//! How it is shown that whoever repairs is there: noted once, with the beginning of the work, and never for granted.

use lobby_domain::ticket::{Action, State, arrival::Arrival};
use rstest::rstest;
use uuid::Uuid;

use super::{
    DARK, Database, Kind, LED, MINUTE, Store, T0, TicketRow, clear, commit, doer, happened, raise, setup, the_ticket,
    writer,
};
use crate::store::{ActError, Arrived, AuditFilter, Deed};

const KEY: Uuid = Uuid::from_u128(1);

/// Whoever saw `version` says that they are there.
async fn arrive(
    store: &Store,
    version: i64,
    who: &str,
    arrived: Option<Arrived>,
    note: &str,
) -> Result<TicketRow, ActError> {
    let number = the_ticket(store).await.number;
    let deed = Deed { note, arrived, ..Deed::new(version, who, doer(), T0 + MINUTE) };
    store.act_on_ticket(number.as_str(), Action::Start, deed, &setup()).await
}

fn shown(by: Arrival, key: Option<Uuid>) -> Arrived {
    Arrived { by, key }
}

#[rstest]
#[tokio::test]
async fn another_reason_not_to_scan_the_label_is_given_in_words(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let refused = arrive(store, 1, "李工", Some(shown(Arrival::Other, None)), " ").await;
    assert!(matches!(refused, Err(ActError::NoArrival)), "{refused:?}");
    assert_eq!((the_ticket(store).await.state, happened(store).await), (State::New, vec!["opened".to_owned()]));
    let there = arrive(store, 1, "李工", Some(shown(Arrival::Other, None)), "屏在高处").await.unwrap();
    assert_eq!((there.state, there.started_at), (State::InProgress, Some(T0 + MINUTE)));
    assert_eq!((there.arrival, &*there.owner), (Some(Arrival::Other), "李工"));
    let (_, events) = store.ticket(there.number.as_str()).await.unwrap().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&*last.what, last.arrival, &*last.note), ("start", Some(Arrival::Other), "屏在高处"));
    assert_eq!(events[0].arrival, None);
    let (audit, _) = store.audit_log(&AuditFilter::default(), None, 10).await.unwrap().unwrap();
    let noted: Vec<_> = audit.iter().map(|entry| (&*entry.action, entry.after.as_deref())).collect();
    assert_eq!(noted, [("ticket.start", Some("in_progress other"))]);
}

#[rstest]
#[tokio::test]
async fn the_same_arrival_sent_again_is_answered_as_it_was_whatever_became_of_the_ticket(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let label = Some(shown(Arrival::Label, Some(KEY)));
    arrive(store, 1, "李工", label, "").await.unwrap();
    for _ in 0..2 {
        assert_eq!(arrive(store, 1, "李工", label, "").await.unwrap().arrival, Some(Arrival::Label));
    }
    let other = arrive(store, 1, "王工", Some(shown(Arrival::Label, Some(Uuid::from_u128(2)))), "").await;
    assert!(matches!(other, Err(ActError::Conflict { current: 2 })), "{other:?}");
    for (who, arrival) in [("王工", Arrival::Label), ("李工", Arrival::LabelMissing)] {
        let mixed = arrive(store, 1, who, Some(shown(arrival, Some(KEY))), "").await;
        assert!(matches!(mixed, Err(ActError::KeyReused)), "{mixed:?}");
    }
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(2))).await;
    assert!(arrive(store, 1, "李工", label, "").await.is_ok());
    assert_eq!(happened(store).await, ["opened", "start", "recovered"], "it was noted once");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_arrivals_at_the_same_time_one_is_noted_and_its_repeats_are_told_yes(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let twice = (0..6).map(|n| {
        let key = Uuid::from_u128(n / 3 + 1);
        arrive(store, 1, if n < 3 { "李工" } else { "王工" }, Some(shown(Arrival::Label, Some(key))), "")
    });
    let results = futures_util::future::join_all(twice).await;
    let yes: Vec<&str> = results.iter().flatten().map(|row| &*row.owner).collect();
    assert!(yes == ["李工"; 3] || yes == ["王工"; 3], "{results:?}");
    assert_eq!(results.iter().filter(|result| matches!(result, Err(ActError::Conflict { .. }))).count(), 3);
    assert_eq!(happened(store).await, ["opened", "start"]);
}
