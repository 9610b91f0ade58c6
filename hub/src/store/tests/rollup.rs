//! Hours, days and what is deleted: made from records on both databases.

use std::sync::Arc;

use jiff::tz::TimeZone;
use lobby_contract::{Data, Reach, Record};
use lobby_domain::{
    calendar::Calendar,
    pack::{BUILT_IN, Pack},
    past::{Period, Rollup},
    site::{Changes, Site},
    time::{Span, Timestamp},
};
use rstest::rstest;

use super::{
    Batch, Database, Kind, LED, MINUTE, Store, T0, clear, commit, count, execute, raise, record, site,
    unanswered::Proxy, writer,
};
use crate::{
    clock::Clock,
    fleet::{Fleet, Setup},
    history::{History, HistorySettings},
    store::{Due, Grain, Writer, staged::record_columns},
};

pub(super) const HOUR: Span = Span::from_mins(60);
pub(super) const DAY: Span = Span::from_mins(24 * 60);

/// A clock that a test sets.
pub(super) struct Fixed(pub(super) Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// The work on history as it is at `now`.
pub(super) fn history(store: &Store, now: Timestamp) -> History {
    let fleet = Fleet::new(Pack::built_in(), [].into(), TimeZone::UTC);
    fleet.write().insert(site(), Site::new(site(), Calendar::always_open(super::shanghai()), Pack::built_in(), T0));
    let settings = HistorySettings::default();
    History { store: store.clone(), fleet: Arc::new(fleet), clock: Arc::new(Fixed(now)), settings }
}

/// Records of a device that reports every four minutes at least, so that it is known for twelve after each.
fn reports(agent: &str, device: &str, records: impl IntoIterator<Item = Record>) -> Batch {
    let mut batch = super::reports(agent, device, records);
    batch.devices[0].every = MINUTE.times(4);
    batch
}

fn measured(seq: u64, at: Timestamp, celsius: f64) -> Record {
    Record { facts: [("temperature_c".into(), celsius.into())].into(), ..record(seq, LED, at) }
}

pub(super) async fn rolled(store: &Store, grain: Grain, period: Period) -> Vec<(Timestamp, Rollup)> {
    let rolled = store.rollups(&site(), &LED.parse().unwrap(), grain, period).await.unwrap();
    rolled.into_iter().map(|rolled| (rolled.at, rolled.rollup)).collect()
}

/// Two hours of records, one each ten minutes: ten degrees in the first, twenty in the second.
async fn two_hours(writer: &mut Writer) {
    let records = (0..12_u32).map(|n| {
        let celsius = if n < 6 { 10.0 } else { 20.0 } + f64::from(n % 6) / 10.0;
        measured(u64::from(n) + 1, T0 + MINUTE.times(10 * n), celsius)
    });
    writer.commit(&[reports("box", LED, records)], T0 + HOUR.times(2)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_hour_that_has_ended_and_its_day_are_rolled_up(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    history(store, T0 + HOUR + MINUTE.times(6)).roll_up().await.unwrap();
    assert_eq!(rolled(store, Grain::Hour, (T0, T0 + DAY)).await.len(), 1, "the second hour has not settled");
    let done = history(store, T0 + HOUR.times(3));
    done.roll_up().await.unwrap();
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    assert_eq!(hours.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [T0, T0 + HOUR]);
    let (first, second) = (&hours[0].1, &hours[1].1);
    assert_eq!((first.records, first.all.normal, first.all.unknown), (6, HOUR.millis(), 0));
    let figure = second.figures["temperature_c"];
    assert_eq!(
        (figure.count, figure.low.to_bits(), figure.high.to_bits()),
        (6, 20.0_f64.to_bits(), 20.5_f64.to_bits())
    );
    let days = rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await;
    assert_eq!(days.len(), 1);
    assert_eq!(days[0].0, T0 - HOUR.times(10), "midnight in Shanghai");
    assert_eq!((days[0].1.records, days[0].1.all.normal), (12, 2 * HOUR.millis()));
    assert_eq!(count(store, "rollup_due").await, 0);
    done.roll_up().await.unwrap();
    assert_eq!(rolled(store, Grain::Hour, (T0, T0 + DAY)).await, hours, "again changes nothing");
}

#[rstest]
#[tokio::test]
async fn after_a_reload_an_hour_is_rolled_up_by_what_its_faults_mean_now(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    commit(&mut writer, raise(LED, super::DARK, T0 + MINUTE.times(10))).await;
    commit(&mut writer, clear(LED, super::DARK, T0 + MINUTE.times(20))).await;
    let history = history(store, T0 + HOUR.times(4));
    // By the changed standards a dark display harms nothing.
    let files = BUILT_IN.map(|(name, text)| (name, text.replace("effect = \"failed\"", "effect = \"none\"")));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let pack = Arc::new(Pack::load(&files).unwrap());
    history.fleet.reconfigure(Setup { pack, sites: [].into(), zone: TimeZone::UTC }, T0 + HOUR.times(3));
    history.roll_up().await.unwrap();
    let first = &rolled(store, Grain::Hour, (T0, T0 + DAY)).await[0].1.all;
    assert_eq!((first.normal, first.abnormal), (HOUR.millis(), 0));
}

#[rstest]
#[tokio::test]
async fn a_late_record_rolls_its_hour_up_again_also_after_a_restart(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut first = writer(store);
    two_hours(&mut first).await;
    let now = T0 + HOUR.times(4);
    history(store, now).roll_up().await.unwrap();
    let late = [measured(13, T0 + MINUTE.times(15), 99.0)];
    first.commit(&[reports("box", LED, late)], now).await.unwrap();
    // The process ends here: what is due is in the database.
    history(&database.again().await, now).roll_up().await.unwrap();
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    assert_eq!((hours[0].1.records, hours[0].1.figures["temperature_c"].count), (7, 7));
    assert_eq!(rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await[0].1.records, 13);
}

#[rstest]
#[tokio::test]
async fn a_fault_is_counted_from_its_beginning_and_silence_is_never_counted_as_up(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    let now = T0 + HOUR.times(4);
    history(store, now).roll_up().await.unwrap();
    // Raised in the third hour, but there since 61 minutes before, in the second.
    let raised = T0 + HOUR.times(2) + MINUTE.times(30);
    let mut late = raise(LED, super::DARK, raised);
    if let lobby_domain::site::AlertChange::Raise(raise) = &mut late {
        raise.since = T0 + MINUTE.times(90);
    }
    commit(&mut writer, late).await;
    commit(&mut writer, clear(LED, super::DARK, raised + MINUTE)).await;
    history(store, now).roll_up().await.unwrap();
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    let second = &hours[1].1.all;
    assert_eq!(
        (second.normal, second.abnormal, second.unknown),
        (MINUTE.times(30).millis(), MINUTE.times(30).millis(), 0)
    );
    let third = &hours[2].1.all;
    // The last record tells for twelve minutes; of the rest nobody knows, whatever the alert says.
    assert_eq!((third.normal, third.abnormal, third.unknown), (0, MINUTE.times(2).millis(), MINUTE.times(58).millis()));
}

#[rstest]
#[tokio::test]
async fn old_records_go_the_newest_hour_of_each_device_stays_and_hours_outlive_them(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    commit(&mut writer, raise(LED, super::DARK, T0)).await;
    let now = T0 + DAY.times(31);
    let work = history(store, now);
    work.forget().await.unwrap();
    assert_eq!(count(store, "record").await, 12, "what is not rolled up is not deleted");
    work.roll_up().await.unwrap();
    work.forget().await.unwrap();
    assert_eq!(count(store, "record").await, 6);
    assert_eq!(rolled(store, Grain::Hour, (T0, T0 + DAY)).await.len(), 2);
    assert_eq!((count(store, "alert").await, count(store, "ticket").await), (1, 1));
    let stored = database.again().await.site(&site()).await.unwrap();
    assert_eq!(stored.devices[0].last.as_ref().unwrap().order, (1, 12), "a restart still knows what it last stated");
    history(store, T0 + DAY.times(800)).forget().await.unwrap();
    assert_eq!(rolled(store, Grain::Hour, (T0, T0 + DAY)).await.len(), 0);
    assert_eq!(rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn what_comes_later_than_records_are_kept_is_counted_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(false, true)] forgets_before: bool,
    #[values(false, true)] forgets_between: bool,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    let now = T0 + DAY.times(40);
    let work = history(store, now);
    work.roll_up().await.unwrap();
    if forgets_before {
        work.forget().await.unwrap();
    }
    // The first hour is gone by then, or is not; the second is kept, as nothing newer is known of the device.
    for (seq, celsius) in [(13, 50.0), (14, -50.0)] {
        let late =
            [25, 85].map(|minute| measured(seq + minute, T0 + MINUTE.times(minute.try_into().unwrap()), celsius));
        writer.commit(&[reports("box", LED, late)], now).await.unwrap();
        work.roll_up().await.unwrap();
        if forgets_between {
            work.forget().await.unwrap();
        }
    }
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    for (_, hour) in &hours {
        let figure = hour.figures["temperature_c"];
        assert_eq!((hour.records, figure.count, hour.all.normal), (8, 8, HOUR.millis()));
        assert_eq!((figure.low.to_bits(), figure.high.to_bits()), ((-50.0_f64).to_bits(), 50.0_f64.to_bits()));
    }
    assert_eq!(rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await[0].1.records, 16);
    work.forget().await.unwrap();
    assert_eq!(count(store, "record").await, 8, "the hour of its newest record");
}

#[rstest]
#[tokio::test]
async fn an_hour_of_which_only_a_part_is_older_than_records_are_kept_loses_none(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    let work = history(store, T0 + DAY.times(30) + MINUTE.times(30));
    work.roll_up().await.unwrap();
    work.forget().await.unwrap();
    assert_eq!(count(store, "record").await, 12, "an hour goes as a whole");
    writer.commit(&[reports("box", LED, [measured(13, T0 + MINUTE.times(45), 50.0)])], work.clock.now()).await.unwrap();
    work.roll_up().await.unwrap();
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    assert_eq!((hours[0].1.records, hours[0].1.all.normal), (7, HOUR.millis()));
}

#[rstest]
#[tokio::test]
async fn whenever_records_come_and_whatever_the_clock_says_each_is_counted_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values(1, 2, 3, 4)] seed: u64,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut sent, mut now, mut newest) = (0_u64, T0 + DAY, T0);
    for _ in 0..80 {
        match random.u8(0..9) {
            // A clock that is right, at the beginning or late, and one that is ahead for a while.
            0 => now = T0 + MINUTE.times(random.u32(0..60 * 14)),
            1 => now = T0 + HOUR.times(random.u32(0..24 * 90)),
            2 => history(store, now).forget().await.unwrap(),
            3 | 4 => history(store, now).roll_up().await.unwrap(),
            5 => history(store, now + HOUR.times(random.u32(1..24 * 40))).roll_up().await.unwrap(),
            6 => writer = self::writer(store),
            _ => {
                let first = sent + 1;
                sent += random.u64(1..20);
                let records: Vec<Record> =
                    (first..=sent).map(|seq| measured(seq, T0 + MINUTE.times(random.u32(0..60 * 12)), 20.0)).collect();
                newest = records.iter().fold(newest, |newest, record| newest.max(Timestamp::from_millis(record.at)));
                writer.commit(&[reports("box", LED, records)], now).await.unwrap();
            }
        }
    }
    let at_end = history(store, T0 + DAY.times(100));
    for _ in 0..2 {
        at_end.roll_up().await.unwrap();
        let days = rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await;
        let counted: i64 = days.iter().map(|(_, day)| day.figures["temperature_c"].count).sum();
        assert_eq!(counted, i64::try_from(sent).unwrap());
        at_end.forget().await.unwrap();
    }
    let kept = super::records::read(store, Some(LED), None, None).await;
    assert!(kept.len() < usize::try_from(sent).unwrap(), "old ones are gone");
    assert_eq!(kept.iter().map(|row| row.at).max(), Some(newest), "and never the newest");
}

#[tokio::test]
async fn an_old_record_whose_commit_was_not_answered_is_counted_once_though_it_is_gone_when_it_is_tried_again() {
    let Some(database) = Database::create(Kind::Postgres).await else { return };
    let (proxy, store) = Proxy::before(&database).await;
    let mut writer = writer(&store);
    two_hours(&mut writer).await;
    let work = history(&database.store, T0 + DAY.times(40));
    work.roll_up().await.unwrap();
    work.forget().await.unwrap();
    proxy.arm();
    let late = [reports("box", LED, [measured(13, T0 + MINUTE.times(25), 50.0)])];
    writer.commit(&late, work.clock.now()).await.unwrap_err();
    work.roll_up().await.unwrap();
    assert_eq!(count(&database.store, "record").await, 6, "it came, was counted, and is gone");
    writer.commit(&late, work.clock.now()).await.unwrap();
    work.roll_up().await.unwrap();
    assert_eq!(rolled(&database.store, Grain::Hour, (T0, T0 + DAY)).await[0].1.records, 7);
}

#[rstest]
#[tokio::test]
async fn what_comes_later_than_hours_are_kept_changes_no_day(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    history(store, T0 + DAY).roll_up().await.unwrap();
    let now = T0 + DAY.times(800);
    writer.commit(&[reports("box", LED, [measured(13, now, 20.0)])], now).await.unwrap();
    let work = history(store, now + HOUR.times(2));
    for late in [14, 15] {
        work.roll_up().await.unwrap();
        work.forget().await.unwrap();
        assert_eq!((count(store, "record").await, count(store, "rollup_due").await), (1, 0));
        assert_eq!(rolled(store, Grain::Hour, (T0 - DAY, T0 + DAY)).await.len(), 0);
        let days = rolled(store, Grain::Day, (T0 - DAY, T0 + DAY)).await;
        assert_eq!((days[0].1.records, days[0].1.all.normal), (12, 2 * HOUR.millis()));
        writer.commit(&[reports("box", LED, [measured(late, T0, 20.0)])], now).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn an_hour_that_was_rolled_up_while_the_clock_was_ahead_is_due_again_with_each_record(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let report = |seq: u32| {
        let at = T0 + MINUTE.times(seq);
        ([reports("box", LED, [measured(seq.into(), at, 20.0)])], at)
    };
    for seq in 1..=3 {
        let (batch, now) = report(seq);
        writer.commit(&batch, now).await.unwrap();
        // The clock is right again before the next record.
        history(store, T0 + DAY).roll_up().await.unwrap();
    }
    assert_eq!(rolled(store, Grain::Hour, (T0, T0 + DAY)).await[0].1.records, 3);
}

#[tokio::test]
async fn a_record_that_was_staged_twice_is_counted_once() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, mut writer) = (&database.store, writer(&database.store));
    two_hours(&mut writer).await;
    let again = format!("INSERT INTO record_staged SELECT n + 1000, {} FROM record_staged", record_columns!());
    execute(store, again).await;
    assert_eq!(count(store, "record_staged").await, 24);
    history(store, T0 + HOUR.times(4)).roll_up().await.unwrap();
    let hours = rolled(store, Grain::Hour, (T0, T0 + DAY)).await;
    assert_eq!(hours.iter().map(|(_, hour)| hour.records).collect::<Vec<_>>(), [6, 6]);
}

#[rstest]
#[tokio::test]
async fn hours_of_an_earlier_version_are_made_anew_if_their_records_are_there_and_added_to_if_they_are_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::before(kind, 40).await else { return };
    let old = &database.store;
    let (no, bytes) = if kind == Kind::Sqlite { ("0", "x''") } else { ("FALSE", "''") };
    let columns = "site, id, code, kind, name, place, agent, every_ms, announced";
    execute(old, format!("INSERT INTO device ({columns}) VALUES ('demo', '{LED}', '', '', '', '', 'box', 1000, {no})"))
        .await;
    let columns =
        "device_no, grain, at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal, open_offline,
        open_unknown, figures";
    // Three records in each of three hours: all are gone, one is left, all are left; and an hour that never had any.
    for (hour, records, left) in [(0, 3, 0), (1, 3, 1), (2, 3, 3), (3, 0, 0)] {
        let at = (T0 + HOUR.times(hour)).millis();
        let values = format!("1, 0, {at}, {records}, 3600000, 0, 0, 0, 3600000, 0, 0, 0, '{{}}'");
        execute(old, format!("INSERT INTO rollup ({columns}) VALUES ({values})")).await;
        for n in 0..left {
            // The newest of all is staged where records are.
            let seq = hour * 3 + n;
            let (table, order) =
                if seq == 8 && kind == Kind::Sqlite { ("record_staged", "n, ") } else { ("record", "") };
            let place = if order.is_empty() { "" } else { "576460752303423489, " };
            let at = at + i64::from(n);
            execute(old, format!(
                "INSERT INTO {table} ({order}{}) VALUES ({place}1, 1, {seq}, 1, {at}, 0, 0, {no}, NULL, 1, {bytes})",
                record_columns!()
            )).await;
        }
    }
    let store = database.again().await;
    let due = |hour: u32| Due {
        at: (T0 + HOUR.times(hour)).millis(),
        device_no: 1,
        site: "demo".to_owned(),
        device: LED.to_owned(),
        every_ms: 1000,
    };
    let mut tx = store.read().await.unwrap();
    let mut known = Vec::new();
    for hour in 0..5 {
        known.push(tx.known_hour(&due(hour)).await.unwrap().map(|(known, kept)| (known.records, kept)));
    }
    assert_eq!(known, [Some((3, false)), Some((3, false)), Some((3, true)), Some((0, true)), None]);
    drop(tx);
    assert_eq!((count(&store, "record").await, count(&store, "record_staged").await), (4, 0));
}

/// The site after a restart, and what came of data with these records.
async fn delivered(store: &Store, now: Timestamp, seqs: &[u64]) -> (Changes, Site) {
    let mut live = Site::new(site(), Calendar::always_open(super::shanghai()), Pack::built_in(), now);
    let mut changes = Changes::default();
    live.restore(store.site(&site()).await.unwrap(), now, &mut changes);
    let records = seqs.iter().map(|seq| measured(*seq, T0, 1.0)).collect();
    let data = Data { epoch: 1, session: 1, sent_at: now.millis(), oldest: Some(1), records, refused: Vec::new() };
    live.data(&"box".parse().unwrap(), data, now, &mut changes);
    (changes, live)
}

#[rstest]
#[tokio::test]
async fn a_repeat_of_a_record_that_has_been_deleted_is_still_refused(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (changes, live) = delivered(store, T0, &[1, 2, 3, 4]).await;
    assert_eq!(changes.records.len(), 4);
    let batch = Batch {
        agents: live.agents().cloned().collect(),
        devices: live.devices().cloned().collect(),
        ..super::batch(changes)
    };
    writer(store).commit(&[batch], T0).await.unwrap();
    store.merge_all().await.unwrap();
    execute(store, "DELETE FROM record WHERE seq < 4".to_owned()).await;
    let (changes, live) = delivered(&database.again().await, T0 + DAY.times(40), &[2, 3, 5]).await;
    assert_eq!(changes.records.iter().map(|new| new.record.seq).collect::<Vec<_>>(), [5]);
    assert_eq!(changes.duplicates, 2);
    assert_eq!(live.agents().next().unwrap().streams[&1].committed(), Some(5));
}

#[rstest]
#[tokio::test]
async fn records_of_an_earlier_version_are_taken_over_word_for_word(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::before(kind, 6).await else { return };
    let old = &database.store;
    let announced = if kind == Kind::Sqlite { "1" } else { "TRUE" };
    let agent = "INSERT INTO agent (site, id, version, epoch, session, queued, heartbeat_ms) VALUES ('demo', 'box', '', 1, 1, 0, 1000)";
    execute(old, agent.to_owned()).await;
    execute(
        old,
        format!(
            "INSERT INTO device (site, id, code, kind, name, place, agent, every_ms, announced)
        VALUES ('demo', '{LED}', 'c', 'led-display', '', '', 'box', 1000, {announced})"
        ),
    )
    .await;
    for (seq, hours) in [(1, 1234.5), (2, 1234.5), (3, 0.1)] {
        let facts = format!(r#"{{"power":"on","lamp_hours":{hours},"input":"digital 1"}}"#);
        let (at, received_at) = (T0.millis() + seq, T0.millis() + seq + 20);
        execute(
            old,
            format!(
                "INSERT INTO record (agent_no, epoch, seq, device_no, at, received_at, reach, facts, faults)
            VALUES (1, 1, {seq}, 1, {at}, {received_at}, 0, '{facts}', '[\"ERST:fan\"]')"
            ),
        )
        .await;
    }
    let store = database.again().await;
    let rows = super::records::read(&store, Some(LED), None, None).await;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        rows[2].facts,
        [("power", "on".into()), ("lamp_hours", 0.1.into()), ("input", "digital 1".into())]
            .map(|(name, value): (&str, lobby_contract::FactValue)| (name.into(), value))
            .into()
    );
    assert_eq!((&*rows[0].faults[0], rows[0].reach, rows[0].clock_suspect), ("ERST:fan", Reach::Ok, false));
    assert_eq!((rows[0].at, rows[0].received_at, rows[0].stated_at), (T0.shifted(1), T0.shifted(21), T0.shifted(1)));
    assert_eq!(count(&store, "form").await, 2, "what two records say alike is stored once");
    history(&store, T0 + HOUR.times(3)).roll_up().await.unwrap();
    assert_eq!(rolled(&store, Grain::Hour, (T0, T0 + HOUR)).await[0].1.records, 3, "their hours are rolled up too");
}
