//! What is kept of the past: links, faults that were discovered late, and what a trace replays.

use lobby_domain::{
    alert::Subject, device::LinkWord, late::LateIncident, site::LinkChange, trace::LinkEvent, watch::Unstable,
};
use rstest::rstest;

use super::{
    AlertChange, AlertId, Changes, DARK, Database, Kind, LED, MINUTE, SiteId, Span, T0, Timestamp, Writer, all_alerts,
    batch, clear, commit, count, happened, raise, record, reports, rule, site, writer,
};

fn late(from: u32, to: u32) -> LateIncident {
    let (from, to) = (T0 + MINUTE.times(from), T0 + MINUTE.times(to));
    let AlertChange::Raise(mut raise) = raise(LED, DARK, from) else { panic!("a raise") };
    raise.since = from;
    raise.id = AlertId::derive_late(&site(), &raise.subject, DARK, from);
    LateIncident { raise, cleared_at: to }
}

async fn store(writer: &mut Writer, changes: Changes) {
    writer.commit(&[batch(changes)], T0).await.unwrap();
}

async fn discover(writer: &mut Writer, incident: LateIncident) {
    store(writer, Changes { late: vec![incident], ..Changes::default() }).await;
}

#[rstest]
#[tokio::test]
async fn a_fault_that_was_discovered_late_is_an_alert_that_is_over_and_nobody_is_called(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    for _ in 0..2 {
        discover(&mut writer, late(10, 20)).await;
    }
    // Another replay found its beginning later.
    discover(&mut writer, late(12, 20)).await;
    let [row] = all_alerts(&database.store).await.try_into().unwrap();
    assert_eq!((row.late, row.ticket, row.department), (true, None, None));
    assert_eq!((row.since, row.cleared_at), (T0 + MINUTE.times(10), Some(T0 + MINUTE.times(20))));
    assert_eq!((row.clear_reason.as_deref(), row.title), (Some("recovered"), rule(DARK).title.clone()));
    assert_eq!((count(&database.store, "ticket").await, count(&database.store, "outbox").await), (0, 0));
    discover(&mut writer, late(30, 40)).await;
    assert_eq!(all_alerts(&database.store).await.len(), 2, "another time, another incident");
}

#[rstest]
#[case::while_it_is_open(None)]
#[case::after_it_ended(Some(15))]
#[tokio::test]
async fn a_fault_of_which_an_alert_tells_already_is_not_discovered(
    #[case] cleared: Option<u32>,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(5))).await;
    if let Some(minutes) = cleared {
        commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(minutes))).await;
    }
    discover(&mut writer, late(10, 20)).await;
    let [row] = all_alerts(&database.store).await.try_into().unwrap();
    assert!(!row.late);
}

#[rstest]
#[tokio::test]
async fn an_alert_that_comes_and_goes_is_told_of_once_each_time_and_noted_on_its_ticket(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let posts = i64::try_from(rule(DARK).tells.len()).unwrap();
    let unstable = |at| {
        let unstable = Unstable { subject: Subject::Device(LED.parse().unwrap()), rule: DARK.into(), at };
        Changes { unstable: vec![unstable], ..Changes::default() }
    };
    store(&mut writer, unstable(T0)).await;
    assert_eq!(count(&database.store, "outbox").await, 0, "no alert is open");
    commit(&mut writer, raise(LED, DARK, T0)).await;
    for _ in 0..2 {
        store(&mut writer, unstable(T0)).await;
    }
    assert_eq!(count(&database.store, "outbox").await, 2 * posts);
    store(&mut writer, unstable(T0 + MINUTE.times(30))).await;
    assert_eq!(count(&database.store, "outbox").await, 3 * posts, "it had been steady meanwhile");
    assert_eq!(happened(&database.store).await, ["opened", "unstable", "unstable"]);
}

#[rstest]
#[tokio::test]
async fn how_an_agent_was_heard_is_known_at_any_time(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let (agent, at) = ("box".parse().unwrap(), |minutes| T0 + MINUTE.times(minutes));
    let links = [(0, LinkWord::Up), (5, LinkWord::Suspect), (5, LinkWord::Down), (9, LinkWord::Up)];
    let links = links.map(|(minutes, link)| LinkChange { agent: "box".parse().unwrap(), at: at(minutes), link });
    store(&mut writer, Changes { links: links.to_vec(), ..Changes::default() }).await;
    let read =
        async |from: Timestamp, to: Timestamp| database.store.link_events(&site(), &agent, from, to).await.unwrap();
    let event = |minutes, link| LinkEvent { at: at(minutes), link };
    assert_eq!(
        read(at(2), at(8)).await,
        [event(0, LinkWord::Up), event(5, LinkWord::Down)],
        "the last one of a moment"
    );
    assert_eq!(read(at(9), at(20)).await, [event(9, LinkWord::Up)]);
    let other: SiteId = "other".parse().unwrap();
    assert_eq!(database.store.link_events(&other, &agent, at(0), at(20)).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn a_trace_is_given_what_was_live_when_it_came_in_the_order_in_which_it_came(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let records = (1..=5).map(|seq| record(seq, LED, T0 + Span::from_secs(u32::try_from(seq).unwrap())));
    let mut batch = reports("box", LED, records);
    batch.changes.records[1].received_at = T0 + Span::from_secs(10);
    batch.changes.records[3].received_at = T0 + MINUTE;
    writer(&database.store).commit(&[batch], T0).await.unwrap();
    let (device, second) = (LED.parse().unwrap(), |seconds| T0 + Span::from_secs(seconds));
    let read = async |from, to| {
        let fresh_for = Span::from_secs(30);
        let of = (&device, &"box".parse().unwrap());
        let records = database.store.live_records(&site(), of, from, to, fresh_for).await.unwrap();
        records.iter().map(|record| record.order.1).collect::<Vec<_>>()
    };
    assert_eq!(read(T0, T0 + MINUTE.times(5)).await, [1, 3, 5, 2], "the fourth came too late");
    assert_eq!(read(second(3), second(9)).await, [3, 5], "what had not come by then was not known");
}

#[rstest]
#[tokio::test]
async fn who_watched_a_device_is_known_also_after_another_agent_has_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    for (agent, minutes) in [("box", 1), ("box-2", 5)] {
        let record = record(1, LED, T0 + MINUTE.times(minutes));
        writer(&database.store).commit(&[reports(agent, LED, [record])], T0).await.unwrap();
    }
    let device = LED.parse().unwrap();
    let watcher = async |minutes: u32| {
        let at = T0 + MINUTE.times(minutes);
        let found = database.store.watcher(&site(), &device, T0, at).await.unwrap();
        found.map(|agent| agent.to_string())
    };
    assert_eq!(watcher(0).await, None);
    assert_eq!([watcher(2).await.as_deref(), watcher(4).await.as_deref()], [Some("box"); 2]);
    assert_eq!(watcher(9).await.as_deref(), Some("box-2"));
    let before = (&device, &"box".parse().unwrap());
    let records = database.store.live_records(&site(), before, T0, T0 + MINUTE.times(4), MINUTE).await.unwrap();
    assert_eq!(records.len(), 1, "what it recorded is there");
}
