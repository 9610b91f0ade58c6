//! Keyset pages: every row on exactly one page, and whatever is given as a cursor, an answer.

use std::collections::BTreeSet;

use lobby_domain::alert::Subject;
use proptest::prelude::*;
use rstest::rstest;
use sqlx::Sqlite;
use uuid::Uuid;

use super::{
    AlertFilter, DARK, Database, Kind, MINUTE, T0, TicketFilter, alerts, raise, record, reports, site, writer,
};
use crate::store::{Cursor, CursorError, RecordFilter, Store};

/// More than two full pages, and no multiple of one.
const ROWS: u64 = 2_500;
const LIMIT: i64 = 700;

/// Two agents, two devices each of which one agent reports, and times that many records share.
async fn fill(store: &Store) {
    let at = |seq: u64| T0 + MINUTE.times(u32::try_from(seq % 97).unwrap());
    let batches = [("box", "led-1"), ("laptop", "led-2")].map(|(agent, device)| {
        // The later number often has the earlier time.
        reports(agent, device, (1..=ROWS).map(|seq| record(seq, device, at(seq))))
    });
    assert_eq!(writer(store).commit(&batches, T0).await.unwrap().records, 2 * ROWS);
}

async fn walk(store: &Store, filter: &RecordFilter) -> Vec<(String, i64, i64)> {
    let mut rows = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let (page, next) = store.records(filter, after.as_ref(), LIMIT).await.unwrap().unwrap();
        assert_eq!(next.is_some(), page.len() == usize::try_from(LIMIT).unwrap());
        rows.extend(page.into_iter().map(|row| (row.agent, row.at.millis(), row.seq)));
        match next {
            // As it comes back from a caller.
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => return rows,
        }
    }
}

#[rstest]
#[tokio::test]
async fn every_record_of_a_site_is_on_exactly_one_page(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    fill(&database.store).await;
    let rows = walk(&database.store, &RecordFilter { site: site(), device: None, from: None, to: None }).await;
    let keys: BTreeSet<(&str, i64)> = rows.iter().map(|(agent, _, seq)| (agent.as_str(), *seq)).collect();
    assert_eq!((rows.len(), keys.len()), (5_000, 5_000));
    for agent in ["box", "laptop"] {
        let seqs: Vec<i64> = rows.iter().filter(|row| row.0 == agent).map(|row| row.2).collect();
        assert!(seqs.is_sorted(), "in the order of their numbers");
    }
}

#[rstest]
#[tokio::test]
async fn every_record_of_a_device_is_on_exactly_one_page_by_time(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    fill(&database.store).await;
    let device = Some("led-1".parse().unwrap());
    let rows = walk(&database.store, &RecordFilter { site: site(), device, from: None, to: None }).await;
    let seqs: BTreeSet<i64> = rows.iter().map(|row| row.2).collect();
    assert_eq!((rows.len(), seqs.len()), (2_500, 2_500));
    assert!(rows.iter().map(|row| (row.1, row.2)).is_sorted(), "by time, then number");
}

#[rstest]
#[tokio::test]
async fn every_alert_and_every_ticket_is_on_exactly_one_page_newest_first(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    // Three of each minute, so that pages end between rows of one time.
    let changes = (0..25).map(|n| raise(&format!("led-{n}"), DARK, T0 + MINUTE.times(n / 3)));
    writer(store).commit(&[alerts(changes)], T0).await.unwrap();
    let (mut raised, mut opened) = (Vec::new(), Vec::new());
    let (mut after_alert, mut after_ticket) = (None, None);
    for page in 0..4 {
        let (rows, next) = store.alerts(&AlertFilter::default(), after_alert.as_ref(), 7).await.unwrap().unwrap();
        raised.extend(rows.into_iter().map(|row| (row.opened_at, row.id)));
        after_alert = next;
        let (rows, next) = store.tickets(&TicketFilter::default(), after_ticket.as_ref(), 7).await.unwrap().unwrap();
        opened.extend(rows.into_iter().map(|row| (row.opened_at, row.number)));
        after_ticket = next;
        assert_eq!((after_alert.is_some(), after_ticket.is_some()), (page < 3, page < 3));
    }
    assert_eq!((raised.len(), opened.len()), (25, 25));
    assert!(raised.is_sorted_by(|a, b| a > b) && opened.is_sorted_by(|a, b| a > b));
}

#[rstest]
#[tokio::test]
async fn lists_hold_what_was_asked_for_and_nothing_else(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut changes: Vec<_> = (0..3).map(|n| raise(&format!("led-{n}"), DARK, T0)).collect();
    changes.push(super::clear("led-0", DARK, T0 + MINUTE));
    writer(store).commit(&[alerts(changes)], T0).await.unwrap();
    let elsewhere = "elsewhere".parse().ok();
    let subject = Some(Subject::Device("led-1".parse().unwrap()));
    let count = async |filter: AlertFilter| store.alerts(&filter, None, 100).await.unwrap().unwrap().0.len();
    assert_eq!(count(AlertFilter { open: Some(true), ..AlertFilter::default() }).await, 2);
    assert_eq!(count(AlertFilter { open: Some(false), ..AlertFilter::default() }).await, 1);
    assert_eq!(count(AlertFilter { subject: subject.clone(), ..AlertFilter::default() }).await, 1);
    assert_eq!(count(AlertFilter { site: Some(site()), ..AlertFilter::default() }).await, 3);
    assert_eq!(count(AlertFilter { site: elsewhere.clone(), ..AlertFilter::default() }).await, 0);
    assert_eq!(count(AlertFilter { ticket: Some("BX-202611-0002".into()), ..AlertFilter::default() }).await, 1);
    let count = async |filter: TicketFilter| store.tickets(&filter, None, 100).await.unwrap().unwrap().0.len();
    assert_eq!(count(TicketFilter { open: Some(true), ..TicketFilter::default() }).await, 3);
    assert_eq!(count(TicketFilter { open: Some(false), ..TicketFilter::default() }).await, 0);
    assert_eq!(count(TicketFilter { subject, ..TicketFilter::default() }).await, 1);
    assert_eq!(count(TicketFilter { site: elsewhere.clone(), ..TicketFilter::default() }).await, 0);
    assert_eq!(store.open_alerts(None).await.unwrap(), 2);
    assert_eq!(store.open_alerts(Some(&site())).await.unwrap(), 2);
    assert_eq!(store.open_alerts(elsewhere.as_ref()).await.unwrap(), 0);
    let outbox: i64 = store.notification_counts().await.unwrap().outbox.iter().map(|(_, count)| count).sum();
    assert_eq!(outbox, 8);
    let mut states = store.ticket_counts().await.unwrap();
    states.sort();
    assert_eq!(states, [("closed".to_owned(), 0), ("new".to_owned(), 2), ("self_recovered".to_owned(), 1)]);
}

#[rstest]
#[case::text("yesterday")]
#[case::too_few_parts("12")]
#[case::a_number_too_large("99999999999999999999_1_1_1")]
#[tokio::test]
async fn a_text_that_is_no_cursor_of_the_list_is_refused(#[case] text: &str) {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let (store, cursor) = (&database.store, text.parse::<Cursor>().unwrap());
    let device = Some("led-1".parse().unwrap());
    let by_device = RecordFilter { site: site(), device, from: None, to: None };
    let by_site = RecordFilter { device: None, ..by_device.clone() };
    for filter in [by_device, by_site] {
        assert_eq!(store.records(&filter, Some(&cursor), 10).await.unwrap(), Err(CursorError));
    }
    assert_eq!(store.alerts(&AlertFilter::default(), Some(&cursor), 10).await.unwrap(), Err(CursorError));
    assert_eq!(store.tickets(&TicketFilter::default(), Some(&cursor), 10).await.unwrap(), Err(CursorError));
}

proptest! {
    #[test]
    fn any_text_is_a_cursor_that_reads_back_or_refused(text in "\\PC{0,300}") {
        match text.parse::<Cursor>() {
            Ok(cursor) => prop_assert_eq!(cursor.to_string(), text),
            Err(CursorError) => prop_assert!(text.is_empty() || text.len() > 200),
        }
    }
}

/// How SQLite finds what a statement asks for.
pub(super) async fn plan(store: &Store, sql: impl std::fmt::Display) -> String {
    let Store::Sqlite(pool) = store else { unreachable!("asked of SQLite alone") };
    let mut tx = pool.begin().await.unwrap();
    let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained).fetch_all(&mut *tx).await.unwrap();
    steps.into_iter().map(|(.., step)| step + "\n").collect()
}

/// What was over long ago is not read to find what is open, or what belongs to one thing: there is more of it every day.
#[tokio::test]
async fn what_is_open_is_found_without_reading_all_that_ever_was() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let store = &database.store;
    let (here, open) = (Some(site()), Some(true));
    let subject: Option<Subject> = "entrance-led".parse().ok();
    let alerts = [
        ("alert_open_by_time", AlertFilter { open, ..AlertFilter::default() }),
        ("alert_open_of_site", AlertFilter { open, site: here.clone(), ..AlertFilter::default() }),
        ("alert_by_ticket", AlertFilter { ticket: Some("BX-202611-0001".into()), ..AlertFilter::default() }),
        ("alert_by_ticket", AlertFilter { open, ticket: Some("BX-202611-0001".into()), ..AlertFilter::default() }),
        (
            "(site=? AND subject=?)",
            AlertFilter { site: here.clone(), subject: subject.clone(), ..AlertFilter::default() },
        ),
    ];
    for (index, filter) in alerts {
        let plan = plan(store, filter.query::<Sqlite>((0, Uuid::nil()), 1).sql().as_str()).await;
        assert!(plan.contains(index), "{filter:?} is not found by {index}:\n{plan}");
    }
    let tickets = [
        ("ticket_open_by_time", TicketFilter { open, ..TicketFilter::default() }),
        ("ticket_queue", TicketFilter { open, site: here.clone(), ..TicketFilter::default() }),
        ("ticket_by_subject", TicketFilter { site: here, subject, ..TicketFilter::default() }),
    ];
    for (index, filter) in tickets {
        let plan = plan(store, filter.query::<Sqlite>((0, String::new()), 1).sql().as_str()).await;
        assert!(plan.contains(index), "{filter:?} is not found by {index}:\n{plan}");
    }
}
