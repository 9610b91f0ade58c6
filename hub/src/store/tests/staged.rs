//! Records on SQLite that are staged are found by everybody, and merged so that none is lost or doubled.

use lobby_contract::DeviceId;
use lobby_domain::{
    delivery::Stream,
    time::{Span, Timestamp},
};
use rstest::rstest;

use super::{
    Database, Kind, LED, MINUTE, T0, count, execute, pages::plan, record, records::read, reports, site, writer,
};
use crate::store::{Batch, Store, dispensed, past, records, rollup};

/// More than are neighbours.
const DEVICES: u64 = 100;

fn device(no: u64) -> String {
    format!("led-{no}")
}

/// Records `seqs` of every device, each of which has an agent of its own.
fn of_all(seqs: std::ops::RangeInclusive<u64>) -> Vec<Batch> {
    let batch = |no| {
        let (agent, device) = (format!("box-{no}"), device(no));
        let at = |seq| T0 + Span::from_secs(u32::try_from(seq).unwrap());
        reports(&agent, &device, seqs.clone().map(|seq| record(seq, &device, at(seq))))
    };
    (1..=DEVICES).map(batch).collect()
}

/// How many are at the end of the table of the staged, where few come at a time.
async fn at_end(store: &Store) -> i64 {
    count(store, "record_staged WHERE n >= 1 << 62").await
}

/// How many are merged, and how many are staged.
async fn rows(store: &Store) -> (i64, i64) {
    (count(store, "record").await, count(store, "record_staged").await)
}

/// What readers that do not merge find of a device: its history, what a trace is given, and what is rolled up.
async fn found(store: &Store, name: &str) -> [usize; 3] {
    let (id, from, to): (DeviceId, Timestamp, Timestamp) = (name.parse().unwrap(), T0, T0 + MINUTE.times(5));
    let history = store.history(&site(), &id, from, to).await.unwrap();
    let agent = store.watcher(&site(), &id, from, to).await.unwrap().unwrap_or_else(|| "box".parse().unwrap());
    let traced = store.live_records(&site(), (&id, &agent), from, to, MINUTE).await.unwrap();
    let mut tx = store.read().await.unwrap();
    let no = tx.device_no(&site(), &id).await.unwrap().unwrap();
    let samples = tx.samples(no, (from, to)).await.unwrap();
    assert!(samples.is_sorted_by_key(|sample| sample.at));
    [history.len(), traced.len(), samples.len()]
}

#[tokio::test]
async fn a_record_is_found_wherever_it_is() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    writer.commit(&of_all(1..=3), T0).await.unwrap();
    assert_eq!(rows(store).await, (0, 300));
    assert_eq!(found(store, &device(7)).await, [3; 3], "none is merged");
    assert_eq!(read(store, Some(&device(7)), None, None).await.len(), 3);
    assert_eq!(read(store, None, None, None).await.len(), 300);
    assert_eq!(rows(store).await, (0, 300), "to list them changes nothing");
    store.merge_all().await.unwrap();
    writer.commit(&of_all(4..=4), T0).await.unwrap();
    assert_eq!((rows(store).await, at_end(store).await), ((300, 100), 100));
    writer.commit(&of_all(5..=7), T0).await.unwrap();
    assert_eq!((rows(store).await, at_end(store).await), ((300, 400), 100));
    for no in 1..=DEVICES {
        assert_eq!(found(store, &device(no)).await, [7; 3], "some are merged");
    }
    let listed = read(store, None, None, None).await;
    store.merge_all().await.unwrap();
    assert_eq!(rows(store).await, (700, 0));
    assert_eq!(found(store, &device(7)).await, [7; 3], "all are merged");
    assert_eq!(read(store, None, None, None).await, listed, "in the same order");
}

#[tokio::test]
async fn a_restart_knows_what_was_staged() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    writer(&database.store).commit(&of_all(1..=2), T0).await.unwrap();
    let again = database.again().await;
    let stored = again.site(&site()).await.unwrap();
    assert!(stored.devices.iter().all(|device| device.last.as_ref().is_some_and(|last| last.order == (1, 2))));
    writer(&again).commit(&of_all(3..=3), T0).await.unwrap();
    assert_eq!(rows(&again).await, (200, 100));
    assert_eq!(found(&again, &device(1)).await, [3; 3]);
}

#[rstest]
#[case::parts_of_every_sixteenth_device(42, "((device_no & 15) << 59)", 20)]
#[case::parts_without_an_end(43, "(((device_no >> 6) & 15) << 59)", 80)]
#[tokio::test]
async fn what_an_earlier_version_staged_in_its_parts_is_found(
    #[case] newer: i64,
    #[case] part: &str,
    #[case] misplaced: u64,
) {
    let Some(database) = Database::before(Kind::Sqlite, newer).await else { return };
    let store = &database.store;
    // Who writes here is of today, and knows columns that came later.
    execute(store, "ALTER TABLE agent ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0".to_owned()).await;
    execute(store, "ALTER TABLE agent ADD COLUMN clock_behind_ms INTEGER".to_owned()).await;
    writer(store).commit(&of_all(1..=2), T0).await.unwrap();
    execute(store, "ALTER TABLE agent DROP COLUMN clock_behind_ms".to_owned()).await;
    execute(store, "ALTER TABLE agent DROP COLUMN stopped".to_owned()).await;
    let of_before = format!("UPDATE record_staged SET n = {part} + (n & 288230376151711743)");
    execute(store, of_before).await;
    assert_ne!(found(store, &device(misplaced)).await, [2; 3]);
    store.migrate().await.unwrap();
    assert_eq!(rows(store).await, (200, 0));
    for no in 1..=DEVICES {
        assert_eq!(found(store, &device(no)).await, [2; 3]);
    }
}

#[tokio::test]
async fn small_batches_gather_at_the_end_until_they_are_many() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    for turn in 1..=20 {
        writer.commit(&of_all(turn..=turn), T0).await.unwrap();
        writer.merge(100).await.unwrap();
    }
    assert_eq!((rows(store).await, at_end(store).await), ((0, 2000), 2000));
    writer.commit(&of_all(21..=21), T0).await.unwrap();
    writer.merge(100).await.unwrap();
    assert_eq!((rows(store).await, at_end(store).await), ((0, 2100), 0), "each is in its part");
    writer.commit(&of_all(22..=22), T0).await.unwrap();
    for no in 1..=DEVICES {
        assert_eq!(found(store, &device(no)).await, [22; 3]);
    }
    let mut next = super::writer(store);
    next.commit(&of_all(23..=23), T0).await.unwrap();
    assert_eq!(next.staged(), 2300, "also another one knows them");
    assert_eq!(found(store, &device(7)).await, [23; 3]);
}

/// More than is merged at once, so that it goes part by part.
#[tokio::test]
async fn what_is_due_is_merged_part_by_part_as_more_comes() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    let mut before = 0;
    for turn in 0..29_u64 {
        writer.commit(&of_all(turn * 10 + 1..=turn * 10 + 10), T0).await.unwrap();
        writer.merge(1000).await.unwrap();
        let (merged, staged) = rows(store).await;
        assert_eq!(merged + staged, i64::try_from((turn + 1) * 1000).unwrap(), "none is lost or doubled");
        assert!(staged <= 17_400 && merged - before <= 2_024, "{merged} merged, {before} before; {staged} staged");
        before = merged;
    }
    assert!(before > 10_000, "much is merged by now: {before}");
    for no in 1..=DEVICES {
        assert_eq!(found(store, &device(no)).await, [290; 3], "of device {no}");
    }
}

/// The driver cannot tell whether a commit came through whose answer was lost. Here it did.
#[tokio::test]
async fn what_is_stored_again_after_a_lost_answer_is_there_once() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    writer.commit(&of_all(1..=1), T0).await.unwrap();
    execute(store, "ALTER TABLE stream RENAME TO away".to_owned()).await;
    let mut counted = of_all(2..=2);
    let agent = counted[0].agents[0].id.clone();
    counted[0].changes.streams.insert((agent, 1));
    counted[0].agents[0].streams.insert(1, Stream::restored(0, 2));
    writer.commit(&counted, T0).await.unwrap_err();
    execute(store, "ALTER TABLE away RENAME TO stream".to_owned()).await;
    // As the lost answer would have left it.
    super::writer(store).commit(&of_all(2..=2), T0).await.unwrap();
    assert_eq!(rows(store).await, (0, 200));
    writer.commit(&counted, T0).await.unwrap();
    assert_eq!(rows(store).await, (200, 0), "after a failure the key decides");
    assert_eq!(found(store, &device(9)).await, [2; 3]);
    writer.commit(&of_all(3..=3), T0).await.unwrap();
    assert_eq!(rows(store).await, (200, 100), "and then records are staged again");
}

#[tokio::test]
async fn the_first_of_two_that_are_staged_under_one_key_is_kept() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let mut writer = writer(&database.store);
    for minutes in [1, 2] {
        writer.commit(&[reports("box", LED, [record(1, LED, T0 + MINUTE.times(minutes))])], T0).await.unwrap();
    }
    let only = async || -> Timestamp {
        let [row] = read(&database.store, Some(LED), None, None).await.try_into().unwrap();
        row.at
    };
    assert_eq!(only().await, T0 + MINUTE);
    database.store.merge_all().await.unwrap();
    assert_eq!(only().await, T0 + MINUTE);
}

/// What is due is merged in several pieces.
#[tokio::test]
async fn the_first_of_two_is_kept_also_if_they_are_merged_one_after_the_other() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    let first = |at| reports("box", LED, [record(1, LED, at)]);
    for turn in 0..17_u64 {
        let mut batches = of_all(turn * 10 + 1..=turn * 10 + 10);
        if turn == 0 {
            batches.insert(0, first(T0 + MINUTE));
        }
        writer.commit(&batches, T0).await.unwrap();
    }
    writer.commit(&[first(T0 + MINUTE.times(2))], T0).await.unwrap();
    writer.merge(0).await.unwrap();
    let staged = |when| format!("record_staged WHERE at = {}", (T0 + MINUTE.times(when)).millis());
    let theirs = "AND agent_no = (SELECT no FROM agent WHERE id = 'box')";
    assert_eq!(count(store, &format!("{} {theirs}", staged(1))).await, 0, "one is merged");
    assert_eq!(count(store, &format!("{} {theirs}", staged(2))).await, 1, "the other is not");
    store.merge_all().await.unwrap();
    let [row] = read(store, Some(LED), None, None).await.try_into().unwrap();
    assert_eq!(row.at, T0 + MINUTE);
}

#[tokio::test]
async fn who_stores_takes_note_of_what_others_have_merged() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    for turn in 0..17_u64 {
        writer.commit(&of_all(turn * 10 + 1..=turn * 10 + 10), T0).await.unwrap();
    }
    store.merge_all().await.unwrap();
    writer.commit(&of_all(171..=171), T0).await.unwrap();
    assert_eq!(writer.staged(), 17_100, "as far as it knows");
    writer.merge(100).await.unwrap();
    assert_eq!((rows(store).await, writer.staged()), ((17_000, 100), 100));
    for seq in 172..=191 {
        writer.commit(&of_all(seq..=seq), T0).await.unwrap();
    }
    store.merge_all().await.unwrap();
    assert_eq!(writer.staged(), 2_100, "as far as it knows");
    writer.merge(100).await.unwrap();
    assert_eq!((rows(store).await, writer.staged()), ((19_100, 0), 0));
}

/// The same where the numbers are in different places, and become one when they are sorted.
#[tokio::test]
async fn what_cannot_be_sorted_is_merged() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut first, mut second) = (&database.store, writer(&database.store), writer(&database.store));
    first.commit(&of_all(1..=1), T0).await.unwrap();
    second.commit(&of_all(2..=4), T0).await.unwrap();
    for seq in 5..=24 {
        first.commit(&of_all(seq..=seq), T0).await.unwrap();
    }
    assert_eq!((rows(store).await, at_end(store).await, first.staged()), ((0, 2400), 2100, 2100));
    first.merge(100).await.unwrap();
    assert_eq!((at_end(store).await, first.staged()), (0, usize::try_from(rows(store).await.1).unwrap()));
    for no in 1..=DEVICES {
        assert_eq!(found(store, &device(no)).await, [24; 3]);
    }
}

/// Only one hub uses a database; but should there be two, neither drops what the other has numbered.
#[tokio::test]
async fn a_record_whose_number_is_taken_is_stored_at_the_second_attempt() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut first, mut second) = (&database.store, writer(&database.store), writer(&database.store));
    first.commit(&of_all(1..=1), T0).await.unwrap();
    second.commit(&of_all(2..=2), T0).await.unwrap();
    let refused = first.commit(&of_all(3..=3), T0).await.unwrap_err().to_string();
    assert!(refused.contains("100 of 100 numbers were taken"), "{refused}");
    first.commit(&of_all(3..=3), T0).await.unwrap();
    assert_eq!(found(store, &device(1)).await, [3; 3]);
    assert_eq!(rows(store).await, (300, 0));
}

#[rstest]
#[tokio::test]
async fn on_postgresql_nothing_is_staged(#[values(Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    writer.commit(&of_all(1..=3), T0).await.unwrap();
    writer.merge(300).await.unwrap();
    assert_eq!(rows(&database.store).await, (300, 0));
    assert_eq!(found(&database.store, &device(7)).await, [3; 3]);
}

/// A device's records are found by its index, and among what is staged in its part and at the end alone.
#[tokio::test]
async fn what_is_read_of_a_device_is_found_without_reading_that_of_others() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let all = [records::STATEMENTS, past::STATEMENTS, rollup::STATEMENTS, dispensed::STATEMENTS].concat();
    let of_device: Vec<&str> =
        all.into_iter().filter(|sql| sql.contains("JOIN record_staged r ON r.device_no")).collect();
    assert_eq!(of_device.len(), 6);
    for sql in of_device {
        let plan = plan(&database.store, sql).await;
        assert!(plan.contains("USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"), "{sql}\n{plan}");
        assert!(plan.contains("USING INTEGER PRIMARY KEY (rowid>?)") && !plan.contains("SCAN r"), "{sql}\n{plan}");
        assert_eq!(sql.contains("JOIN record r"), plan.contains("record_by_device (device_no=?"), "{sql}\n{plan}");
    }
}
