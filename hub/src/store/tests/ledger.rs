//! The delivery ledger is as durable as the records, and exact whatever is said how often.

use lobby_domain::{agent::Agent, ledger::Ledger, site::Site};
use rstest::rstest;

use super::{
    Database, Kind, MINUTE, T0, execute, record, reports,
    restart::{EPOCH, Hub, SECOND, agent},
    site, writer,
};
use crate::store::{Batch, LostReason, LostRow, Store};

fn lost_lately(hub: &Hub) -> u64 {
    hub.site.agent(&agent()).unwrap().losses.lately(hub.now)
}

fn ledger(hub: &Hub) -> Ledger {
    hub.site.agent(&agent()).unwrap().ledger(hub.now)
}

async fn lost(store: &Store) -> Vec<LostRow> {
    store.lost(&site(), &agent(), None, 100).await.unwrap().unwrap().0
}

#[rstest]
#[tokio::test]
async fn a_restart_changes_nothing_in_the_ledger(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2, 3, 7, 9], "on").await;
    hub.data(&[2, 3], "on").await;
    hub.lost(4, 5).await;
    hub.now = T0 + SECOND.times(5);
    hub.step(Site::tick).await;
    hub.now = hub.now + SECOND.times(5);
    hub.step(Site::tick).await;
    let before = ledger(&hub);
    assert_eq!((before.produced, before.stored, before.missing, before.lost), (9, 5, 2, 2));
    assert_eq!((before.duplicates, before.resends, before.missing_since), (2, 1, Some(T0)));
    let (mut hub, _) = Hub::start(&database.again().await, hub.now).await;
    assert_eq!((ledger(&hub), lost_lately(&hub)), (before, 2));
    hub.data(&[6, 8, 8], "on").await;
    let after = ledger(&hub);
    assert_eq!((after.stored, after.missing, after.missing_since, after.duplicates), (7, 0, None, 3));
    assert_eq!(database.store.lost_total().await.unwrap(), 2);
}

#[rstest]
#[tokio::test]
async fn ranges_of_losses_that_overlap_or_were_partly_stored_count_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2, 25], "on").await;
    for (from, to) in [(10, 20), (15, 30), (5, 12), (10, 20)] {
        hub.lost(from, to).await;
        let (mut again, _) = Hub::start(&database.again().await, T0).await;
        again.lost(from, to).await;
        hub = again;
    }
    assert_eq!((ledger(&hub).lost, database.store.lost_total().await.unwrap()), (25, 25), "5 to 30 without 25");
    assert_eq!(lost_lately(&hub), 25);
    hub.now = hub.now + MINUTE.times(24 * 60);
    let (hub, _) = Hub::start(&database.again().await, hub.now).await;
    assert_eq!((ledger(&hub).lost, lost_lately(&hub)), (25, 0), "what was lost yesterday is no news");
}

#[rstest]
#[tokio::test]
async fn a_loss_lies_between_the_records_around_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.lost(1, 2).await;
    hub.now = T0 + MINUTE;
    hub.data(&[3], "on").await;
    database.store.merge_all().await.unwrap();
    hub.now = T0 + MINUTE.times(3);
    hub.data(&[8], "on").await;
    // Of others, one of the same name elsewhere, with the same numbers at another time.
    for (elsewhere, name) in [(site(), "other"), ("elsewhere".parse().unwrap(), agent().as_str())] {
        let records = (1..=9).map(|seq| record(seq, "others-1", T0 + MINUTE.times(2)));
        let mut others = Batch { site: elsewhere, ..reports(name, "others-1", records) };
        others.changes.records.iter_mut().for_each(|new| new.epoch = EPOCH);
        writer(&database.store).commit(&[others], T0).await.unwrap();
    }
    hub.now = T0 + MINUTE.times(9);
    hub.lost(4, 7).await;
    hub.lost(9, 9).await;
    let found: Vec<_> =
        lost(&database.store).await.into_iter().map(|row| (row.from, row.to, row.not_before, row.not_after)).collect();
    let expected = [
        (9, 9, Some(T0 + MINUTE.times(3)), T0 + MINUTE.times(9)),
        (4, 7, Some(T0 + MINUTE), T0 + MINUTE.times(3)),
        (1, 2, None, T0),
    ];
    assert_eq!(found, expected);
    let (page, next) = database.store.lost(&site(), &agent(), None, 2).await.unwrap().unwrap();
    let (rest, end) = database.store.lost(&site(), &agent(), next.as_ref(), 2).await.unwrap().unwrap();
    assert_eq!((page.len(), rest.len(), end), (2, 1, None));
}

#[rstest]
#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_as_such_and_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (mut hub, _) = Hub::start(&database.store, T0).await;
    hub.birth().await;
    hub.data(&[1, 2], "on").await;
    for _ in 0..2 {
        hub.refused(5).await;
        let (again, _) = Hub::start(&database.again().await, T0).await;
        hub = again;
    }
    let ledger = ledger(&hub);
    assert_eq!((ledger.produced, ledger.stored, ledger.missing, ledger.unreadable, ledger.lost), (5, 2, 2, 1, 0));
    let [row] = lost(&database.store).await.try_into().unwrap();
    assert_eq!((row.epoch, row.from, row.to, row.reason), (EPOCH.cast_signed(), 5, 5, LostReason::Unreadable));
}

/// What the migration makes of ranges that an earlier version stored as they were said.
#[rstest]
#[tokio::test]
async fn what_was_stored_before_there_was_a_ledger_is_counted_once_too(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    writer(store).commit(&[reports("box", super::LED, [record(1, super::LED, T0)])], T0).await.unwrap();
    execute(store, "INSERT INTO stream (agent_no, epoch, base, committed) SELECT no, 1, 0, 90 FROM agent".to_owned())
        .await;
    for (from, to) in [(10, 20), (15, 30), (5, 12), (40, 40), (16, 18)] {
        let row = format!(
            "INSERT INTO lost (agent_no, epoch, from_seq, to_seq, at) SELECT no, 1, {from}, {to}, 0 FROM agent"
        );
        execute(store, row).await;
    }
    let migration = match kind {
        Kind::Sqlite => include_str!("../../../migrations/sqlite/0005_ledger.sql"),
        Kind::Postgres => include_str!("../../../migrations/postgres/0005_ledger.sql"),
    };
    let (_, update) = migration.split_once("-- Ranges that overlap count once.").unwrap();
    execute(store, update.trim().trim_end_matches(';').to_owned()).await;
    let stored = store.site(&site()).await.unwrap();
    let agent: &Agent = &stored.agents[0];
    let ledger = agent.ledger(T0);
    assert_eq!((ledger.lost, ledger.produced), (27, 90), "5 to 30 and 40");
    assert_eq!(store.lost_total().await.unwrap(), 27);
}
