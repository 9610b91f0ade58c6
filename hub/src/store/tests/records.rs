//! Records: stored once however often they come, and read back as they were sent.

use lobby_contract::{FactValue, Reach, Record};
use lobby_domain::time::{Span, Timestamp};
use rstest::rstest;

use super::{Database, Kind, LED, MINUTE, T0, count, record, reports, site, writer};
use crate::store::{RecordFilter, RecordRow, Store};

pub(super) async fn read(
    store: &Store,
    device: Option<&str>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Vec<RecordRow> {
    let filter = RecordFilter { site: site(), device: device.map(|device| device.parse().unwrap()), from, to };
    store.records(&filter, None, 1000).await.unwrap().unwrap().0
}

fn seqs(rows: &[RecordRow]) -> Vec<i64> {
    rows.iter().map(|row| row.seq).collect()
}

#[rstest]
#[tokio::test]
async fn a_record_is_stored_once_however_often_it_comes(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let some = |seqs: &[u64]| reports("box", LED, seqs.iter().map(|seq| record(*seq, LED, T0 + MINUTE)));
    let stored = async || seqs(&read(&database.store, Some(LED), None, None).await);
    assert_eq!(writer.commit(&[some(&[1, 2, 3])], T0).await.unwrap().records, 3);
    writer.commit(&[some(&[1, 2, 3])], T0).await.unwrap();
    assert_eq!(stored().await, [1, 2, 3], "all of it again");
    writer.commit(&[some(&[3, 4, 4, 4])], T0).await.unwrap();
    assert_eq!(stored().await, [1, 2, 3, 4], "again within one statement");
    let mut stranger = super::writer(&database.again().await);
    stranger.commit(&[some(&[2, 5])], T0).await.unwrap();
    assert_eq!(stored().await, [1, 2, 3, 4, 5], "after a restart");
    assert_eq!(seqs(&read(&database.store, None, None, None).await), [1, 2, 3, 4, 5]);
}

#[rstest]
#[tokio::test]
async fn a_repeat_does_not_change_what_was_stored_first(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    writer.commit(&[reports("box", LED, [record(1, LED, T0)])], T0).await.unwrap();
    let other = Record { reach: Reach::Unreachable, facts: [].into(), ..record(1, LED, T0 + MINUTE) };
    writer.commit(&[reports("box", LED, [other])], T0).await.unwrap();
    let [row] = read(&database.store, None, None, None).await.try_into().unwrap();
    assert_eq!((row.reach, row.at, row.facts.len()), (Reach::Ok, T0, 1));
}

#[rstest]
#[tokio::test]
async fn the_same_numbers_of_two_agents_are_two_records(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let both = [reports("box", LED, [record(1, LED, T0)]), reports("laptop", "laptop-1", [record(1, "laptop-1", T0)])];
    assert_eq!(writer.commit(&both, T0).await.unwrap().records, 2);
}

#[rstest]
#[tokio::test]
async fn a_record_reads_back_as_it_was_sent(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let facts = [
        ("power", "待机".into()),
        ("temperature_c", FactValue::Number(-41.5)),
        ("freeze", true.into()),
        ("input", FactValue::Unknown),
    ];
    let sent = Record {
        reach: Reach::Unknown,
        facts: facts.map(|(name, value)| (name.into(), value)).into(),
        faults: vec!["ERST:fan".into(), "'); DROP TABLE record; --".into()],
        ..record(7, LED, T0)
    };
    writer(&database.store).commit(&[reports("box", LED, [sent.clone()])], T0).await.unwrap();
    let [row] = read(&database.store, Some(LED), None, None).await.try_into().unwrap();
    assert_eq!((row.agent.as_str(), row.device.as_str(), row.epoch, row.seq), ("box", LED, 1, 7));
    assert_eq!((row.at, row.received_at), (T0, T0.shifted(20)));
    assert_eq!((row.reach, row.facts, row.faults), (sent.reach, sent.facts, sent.faults));
}

#[rstest]
#[tokio::test]
async fn a_clock_that_is_not_believed_is_stored_beside_the_time_that_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut batch = reports("box", LED, [record(1, LED, T0), record(2, LED, T0 + MINUTE)]);
    let suspect = &mut batch.changes.records[1];
    suspect.at = T0 + MINUTE.times(10);
    suspect.clock_suspect = true;
    writer(&database.store).commit(&[batch], T0).await.unwrap();
    let [sure, suspect] = read(&database.store, None, None, None).await.try_into().unwrap();
    assert_eq!((sure.at, sure.stated_at, sure.clock_suspect), (T0, T0, false));
    assert_eq!((suspect.at, suspect.stated_at, suspect.clock_suspect), (T0 + MINUTE.times(10), T0 + MINUTE, true));
    assert_eq!(suspect.received_at, T0 + MINUTE + Span::from_millis(20));
}

#[rstest]
#[tokio::test]
async fn from_is_included_and_to_is_not(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let minutes = (0..5).map(|n| record(u64::from(n) + 1, LED, T0 + MINUTE.times(n)));
    writer(store).commit(&[reports("box", LED, minutes)], T0).await.unwrap();
    let (from, to) = (Some(T0 + MINUTE), Some(T0 + MINUTE.times(3)));
    assert_eq!(seqs(&read(store, None, from, to).await), [2, 3]);
    assert_eq!(seqs(&read(store, Some(LED), from, to).await), [2, 3]);
    assert_eq!(seqs(&read(store, Some("lift-tv"), from, to).await), [0; 0]);
    let device = LED.parse().unwrap();
    let history = store.history(&site(), &device, T0 + MINUTE, T0 + MINUTE.times(3)).await.unwrap();
    assert_eq!(history.iter().map(|sampled| sampled.at).collect::<Vec<_>>(), [T0 + MINUTE, T0 + MINUTE.times(2)]);
}

#[rstest]
#[tokio::test]
async fn a_device_keeps_its_code_and_is_found_by_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, device) = (&database.store, LED.parse().unwrap());
    let mut writer = writer(store);
    writer.commit(&[reports("box", LED, [])], T0).await.unwrap();
    let code = store.code(&site(), &device).await.unwrap().unwrap();
    writer.commit(&[reports("box", LED, [])], T0).await.unwrap();
    assert_eq!(store.code(&site(), &device).await.unwrap(), Some(code.clone()));
    assert_eq!(store.device_by_code(&code).await.unwrap(), Some((site(), device)));
    assert_eq!(store.device_by_code("nothing").await.unwrap(), None);
    assert_eq!(store.codes().await.unwrap().len(), 1);
    assert_eq!(count(store, "device").await, 1);
}
