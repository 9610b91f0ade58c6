//! Records that were deleted while a gap before them was open: a repeat is refused all the same, also after a restart.

use lobby_contract::{Data, Record};
use lobby_domain::{site::Site, time::Timestamp};
use rstest::rstest;

use super::{
    Database, Kind, LED, MINUTE, T0, count, record,
    restart::{EPOCH, Hub, SECOND, agent},
    rollup::{DAY, HOUR, history, rolled},
};
use crate::store::{Grain, Store};

/// When all hours of these tests are older than records are kept.
const LATE: Timestamp = T0.shifted(40 * 24 * 60 * 60_000);

/// A record of one of many hours: neighbours by number are none by time, so they are deleted one by one.
fn old(seq: u64) -> Record {
    record(seq, LED, T0 + HOUR.times(u32::try_from(seq * 7 % 24).unwrap()))
}

async fn send(hub: &mut Hub, oldest: Option<u64>, seqs: impl IntoIterator<Item = u64>) {
    deliver(hub, oldest, seqs.into_iter().map(old).collect()).await;
}

async fn deliver(hub: &mut Hub, oldest: Option<u64>, records: Vec<Record>) {
    let data = Data { epoch: EPOCH, session: 1, sent_at: hub.now.millis(), oldest, records, refused: Vec::new() };
    hub.step(|site, now, changes| site.data(&agent(), data, now, changes)).await;
}

/// Lets the time pass in which the first records of an epoch may overtake one another, and that in which what came before is asked for.
async fn wait(hub: &mut Hub) {
    for _ in 0..2 {
        hub.now = hub.now + MINUTE;
        hub.step(Site::tick).await;
    }
}

/// Rolls up what is due and deletes what is old: all but the newest hour of the device.
async fn age(store: &Store) {
    let work = history(store, LATE);
    work.roll_up().await.unwrap();
    work.forget().await.unwrap();
}

/// How many records were counted in the days of the device.
async fn counted(store: &Store) -> i64 {
    rolled(store, Grain::Day, (T0 - DAY, T0 + DAY.times(3))).await.iter().map(|(_, day)| day.records).sum()
}

async fn restart(database: &Database) -> Hub {
    Hub::start(&database.again().await, LATE).await.0
}

fn committed(hub: &Hub) -> Option<u64> {
    hub.site.agent(&agent()).unwrap().streams[&EPOCH].committed()
}

#[rstest]
#[tokio::test]
async fn a_record_beyond_a_gap_that_is_gone_is_refused_after_a_restart_and_closes_the_gap(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut hub = restart(&database).await;
    hub.birth().await;
    send(&mut hub, Some(1), (1..=20).chain(22..=40)).await;
    age(store).await;
    assert!(count(store, "record").await < 3, "all but the newest hour");
    let mut hub = restart(&database).await;
    let before = hub.site.agent(&agent()).unwrap().ledger(LATE);
    assert_eq!((before.produced, before.stored, before.missing), (40, 39, 1));
    send(&mut hub, Some(1), 22..=40).await;
    age(store).await;
    assert_eq!((counted(store).await, committed(&hub)), (39, Some(20)));
    send(&mut hub, Some(1), [21]).await;
    assert_eq!(committed(&hub), Some(40));
    age(store).await;
    assert_eq!((counted(store).await, count(store, "record_gone").await), (40, 0));
    let mut hub = restart(&database).await;
    send(&mut hub, Some(1), 1..=40).await;
    age(store).await;
    assert_eq!(counted(store).await, 40);
}

#[rstest]
#[tokio::test]
async fn what_came_before_the_first_known_record_and_is_gone_is_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut hub = restart(&database).await;
    hub.birth().await;
    send(&mut hub, None, 30..=50).await;
    wait(&mut hub).await;
    send(&mut hub, None, 10..=12).await;
    for _ in 0..2 {
        age(store).await;
        hub = restart(&database).await;
        send(&mut hub, None, (10..=12).chain(30..=50)).await;
        assert_eq!((counted(store).await, committed(&hub)), (24, Some(50)));
    }
}

#[rstest]
#[tokio::test]
async fn what_is_gone_before_anything_of_its_stream_was_stored_is_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut hub = restart(&database).await;
    hub.birth().await;
    send(&mut hub, None, 5..=30).await;
    assert_eq!((committed(&hub), count(store, "stream").await), (None, 0), "earlier ones may still come");
    age(store).await;
    let mut hub = restart(&database).await;
    send(&mut hub, None, 5..=30).await;
    wait(&mut hub).await;
    age(store).await;
    assert_eq!((counted(store).await, committed(&hub)), (26, Some(30)));
}

#[rstest]
#[tokio::test]
async fn neighbours_that_are_gone_are_kept_as_one_range(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut hub = restart(&database).await;
    hub.birth().await;
    send(&mut hub, Some(1), (2..=101).chain([1000])).await;
    age(store).await;
    // A record of a later hour than all others makes them old, whatever hour they are of.
    let newest = record(1002, LED, T0 + HOUR.times(30));
    deliver(&mut hub, Some(1), vec![newest]).await;
    age(store).await;
    assert_eq!((count(store, "record").await, count(store, "record_gone").await), (1, 2), "2 to 101, and 1000");
}

#[rstest]
#[tokio::test]
async fn whatever_comes_again_whenever_each_record_is_counted_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(1, 2, 3, 4)] seed: u64,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut random = fastrand::Rng::with_seed(seed);
    let oldest = random.bool().then_some(1);
    let mut hub = restart(&database).await;
    hub.birth().await;
    for _ in 0..60 {
        match random.u8(0..6) {
            0 => age(store).await,
            1 => hub = restart(&database).await,
            2 => {
                hub.now = hub.now + SECOND;
                hub.step(Site::tick).await;
            }
            _ => {
                let first = random.u64(1..100);
                send(&mut hub, oldest, first..=first + random.u64(0..12)).await;
            }
        }
    }
    send(&mut hub, oldest, 1..=112).await;
    for _ in 0..2 {
        age(store).await;
        assert_eq!(counted(store).await, 112);
        hub = restart(&database).await;
        send(&mut hub, oldest, 1..=112).await;
    }
    assert!(count(store, "record").await < 12, "all but the newest hour are gone");
}
