//! An incident has at most one open alert and one open ticket, and whoever was told of its begin is told of its end.

use std::collections::BTreeSet;

use lobby_domain::{
    alert::{Raise, Step},
    ticket::State,
};
use rstest::rstest;

use super::{
    AlertChange, Batch, Committed, DARK, Database, Kind, LED, MINUTE, MUTED, Store, StoreError, T0, Writer, alerts,
    all_alerts, all_tickets, clear, commit, count, execute, happened, numbers, raise, record, reports, rule,
    the_ticket, writer,
};

/// The outbox as `what` and post, in order.
async fn told(store: &Store) -> Vec<(String, String)> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, String)> = on!(&mut tx, "read the outbox", conn =>
        sqlx::query_as("SELECT event, post FROM outbox ORDER BY event, post").fetch_all(conn).await)
    .unwrap();
    let what = |(event, post): (String, String)| (event.rsplit(':').next().unwrap().to_owned(), post);
    let mut told: Vec<_> = rows.into_iter().map(what).collect();
    told.sort();
    told
}

fn posts(what: &str) -> BTreeSet<(String, String)> {
    rule(DARK).tells.iter().map(|post| (what.to_owned(), post.to_string())).collect()
}

#[rstest]
#[tokio::test]
async fn a_fault_that_is_raised_twice_is_one_alert_one_ticket_and_told_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let first = raise(LED, DARK, T0);
    assert_eq!(commit(&mut writer, first.clone()).await, Committed { raised: 1, ..Committed::default() });
    assert_eq!(commit(&mut writer, first).await, Committed::default(), "the same decision again");
    assert_eq!(
        commit(&mut writer, raise(LED, DARK, T0 + MINUTE)).await,
        Committed::default(),
        "another of the incident"
    );
    assert_eq!((all_alerts(&database.store).await.len(), all_tickets(&database.store).await.len()), (1, 1));
    assert_eq!(happened(&database.store).await, ["opened"]);
    let told = told(&database.store).await;
    assert_eq!(told.len(), rule(DARK).tells.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), posts("raised"));
}

#[rstest]
#[tokio::test]
async fn an_alert_reads_back_as_it_was_raised(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let change = raise(LED, DARK, T0);
    commit(&mut writer(&database.store), change.clone()).await;
    let AlertChange::Raise(raised) = change else { panic!("a raise") };
    let [row] = all_alerts(&database.store).await.try_into().unwrap();
    let words = |words: &[Box<str>]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((row.id, row.subject, row.since, row.opened_at), (raised.id, raised.subject, raised.since, raised.at));
    assert_eq!(
        (row.rule.as_str(), row.severity.as_str(), row.department.as_deref()),
        (DARK, "critical", Some("engineering"))
    );
    assert_eq!((row.clauses, row.tells), (words(&raised.rule.clauses), words(&raised.rule.tells)));
    assert_eq!((row.title, row.evidence), (raised.rule.title.clone(), raised.evidence));
    assert_eq!((row.cleared_at, row.clear_reason), (None, None));
    assert_eq!(row.ticket, Some(all_tickets(&database.store).await[0].number.to_string()));
}

#[rstest]
#[tokio::test]
async fn an_alert_is_cleared_once_and_its_end_told_to_those_who_were_told_of_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    for minutes in 1..=2 {
        commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(minutes))).await;
    }
    let [row] = all_alerts(&database.store).await.try_into().unwrap();
    assert_eq!((row.cleared_at, row.clear_reason.as_deref()), (Some(T0 + MINUTE), Some("recovered")));
    let told = told(&database.store).await;
    assert_eq!(told.len(), 2 * rule(DARK).tells.len());
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), &posts("raised") | &posts("cleared"));
    assert_eq!(happened(&database.store).await, ["opened", "recovered"]);
}

#[rstest]
#[tokio::test]
async fn the_end_of_an_alert_that_is_not_there_changes_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let done = commit(&mut writer(&database.store), clear(LED, DARK, T0)).await;
    assert_eq!(done, Committed::default());
    assert_eq!((count(&database.store, "alert").await, count(&database.store, "outbox").await), (0, 0));
}

#[rstest]
#[tokio::test]
async fn a_fault_that_comes_back_is_another_alert_that_names_the_same_ticket(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    for n in 0..3 {
        commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(2 * n))).await;
        commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(2 * n + 1))).await;
    }
    let alerts = all_alerts(&database.store).await;
    let tickets: BTreeSet<_> = alerts.iter().map(|alert| alert.ticket.clone()).collect();
    assert_eq!((alerts.len(), tickets.len(), all_tickets(&database.store).await.len()), (3, 1, 1));
}

/// Commits as ingest does: again, until it works.
async fn insist(writer: &mut Writer, batch: &Batch) -> Committed {
    let mut failures = Vec::new();
    while failures.len() < 10 {
        match writer.commit(std::slice::from_ref(batch), T0).await {
            Ok(done) => return done,
            Err(error) => failures.push(error),
        }
    }
    panic!("it never worked: {failures:?}");
}

#[rstest]
#[case::of_the_same_rule(DARK, 1)]
#[case::of_two_rules_that_share_a_ticket(MUTED, 2)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_that_raise_at_the_same_time_open_one_ticket_per_incident(
    #[case] other: &'static str,
    #[case] alerts_each: usize,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    const INCIDENTS: usize = 25;
    let Some(database) = Database::create(kind).await else { return };
    let second_process = database.again().await;
    let all = async |store: &Store, rule: &str, delay: u32| {
        let mut writer = writer(store);
        let mut raised = 0;
        for n in 0..INCIDENTS {
            let change = raise(&format!("led-{n}"), rule, T0 + MINUTE.times(delay));
            raised += insist(&mut writer, &alerts([change])).await.raised;
        }
        usize::try_from(raised).unwrap()
    };
    let (a, b) = tokio::join!(all(&database.store, DARK, 0), all(&second_process, other, 1));
    assert_eq!(a + b, INCIDENTS * alerts_each);
    let rows = all_alerts(&database.store).await;
    assert_eq!(rows.len(), INCIDENTS * alerts_each);
    assert!(rows.iter().all(|alert| alert.ticket.is_some()));
    let expected: Vec<String> = (1..=INCIDENTS).map(|n| format!("BX-202611-{n:04}")).collect();
    assert_eq!(numbers(&database.store).await, expected);
}

#[rstest]
#[case::records("record")]
#[case::tickets("ticket_event")]
#[case::notifications("outbox")]
#[tokio::test]
async fn a_batch_that_fails_anywhere_leaves_nothing_and_is_stored_whole_later(
    #[case] table: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    let table = if (table, kind) == ("record", Kind::Sqlite) { "record_staged" } else { table };
    let mut batch = reports("box", LED, [record(1, LED, T0), record(2, LED, T0 + MINUTE)]);
    batch.changes.alerts = vec![raise(LED, DARK, T0)];
    execute(store, format!("ALTER TABLE {table} RENAME TO away")).await;
    let failed = writer.commit(std::slice::from_ref(&batch), T0).await;
    assert!(matches!(failed, Err(StoreError::Database { .. })), "{failed:?}");
    execute(store, format!("ALTER TABLE away RENAME TO {table}")).await;
    for table in
        ["agent", "device", "record", "record_staged", "alert", "ticket", "ticket_count", "ticket_event", "outbox"]
    {
        assert_eq!(count(store, table).await, 0, "{table}");
    }
    let done = writer.commit(&[batch], T0).await.unwrap();
    assert_eq!((done.records, done.raised), (2, 1));
    assert_eq!(count(store, "record").await, 2, "after a failure none is staged");
    assert_eq!(numbers(store).await, ["BX-202611-0001"]);
}

#[rstest]
#[tokio::test]
async fn a_consequence_shares_the_ticket_of_its_cause_and_does_not_keep_it_open(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let cause = raise(LED, DARK, T0);
    let AlertChange::Raise(source) = &cause else { panic!("a raise") };
    let victim = step(raise(TV, TV_DARK, T0 + MINUTE), Step::Victim(source.id));
    commit(&mut writer, cause.clone()).await;
    commit(&mut writer, victim).await;
    let ticket = the_ticket(&database.store).await.number.to_string();
    let alerts = all_alerts(&database.store).await;
    assert!(alerts.iter().all(|alert| alert.ticket.as_deref() == Some(&*ticket)), "{alerts:?}");
    assert_eq!(alerts[0].victim_of, Some(source.id));
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(2))).await;
    assert_eq!(the_ticket(&database.store).await.state, State::SelfRecovered, "its own fault is gone");
    commit(&mut writer, clear(TV, TV_DARK, T0 + MINUTE.times(3))).await;
    assert_eq!(happened(&database.store).await, ["opened", "victim", "recovered"]);
}

#[rstest]
#[tokio::test]
async fn a_consequence_that_outlasts_its_cause_gets_its_own_ticket(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let cause = raise(LED, DARK, T0);
    let AlertChange::Raise(source) = &cause else { panic!("a raise") };
    let victim = raise(TV, TV_DARK, T0 + MINUTE);
    commit(&mut writer, cause.clone()).await;
    commit(&mut writer, step(victim.clone(), Step::Victim(source.id))).await;
    let AlertChange::Raise(own) = victim else { panic!("a raise") };
    let follow = AlertChange::Follow(Raise { step: Step::Open, at: T0 + MINUTE.times(5), ..own });
    commit(&mut writer, follow).await;
    let alerts = all_alerts(&database.store).await;
    assert_eq!(numbers(&database.store).await.len(), 2);
    assert_ne!(alerts[0].ticket, alerts[1].ticket);
    assert_eq!(alerts[0].victim_of, None);
}

#[rstest]
#[tokio::test]
async fn an_alert_of_a_cause_that_gets_its_ticket_later_takes_its_consequences_along(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let cause = raise(LED, DARK, T0);
    let AlertChange::Raise(source) = cause.clone() else { panic!("a raise") };
    commit(&mut writer, step(cause, Step::Later)).await;
    commit(&mut writer, step(raise(TV, TV_DARK, T0), Step::Victim(source.id))).await;
    assert_eq!(count(&database.store, "ticket").await, 0);
    commit(&mut writer, AlertChange::Follow(source)).await;
    let ticket = the_ticket(&database.store).await.number.to_string();
    assert!(all_alerts(&database.store).await.iter().all(|alert| alert.ticket.as_deref() == Some(&*ticket)));
}

#[rstest]
#[tokio::test]
async fn nobody_is_told_of_an_alert_on_trial_until_it_is_followed_up_and_then_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    let AlertChange::Raise(raised) = raise(LED, DARK, T0) else { panic!("a raise") };
    let on_trial = Raise { step: Step::Later, tell: false, ..raised.clone() };
    commit(&mut writer, AlertChange::Raise(on_trial)).await;
    assert_eq!((count(&database.store, "outbox").await, count(&database.store, "ticket").await), (0, 0));
    for _ in 0..2 {
        commit(&mut writer, AlertChange::Follow(raised.clone())).await;
    }
    assert_eq!(told(&database.store).await.into_iter().collect::<BTreeSet<_>>(), posts("raised"));
    assert_eq!(count(&database.store, "outbox").await, i64::try_from(rule(DARK).tells.len()).unwrap());
}

const TV: &str = "lift-tv";
const TV_DARK: &str = "tv-dark";

fn step(change: AlertChange, step: Step) -> AlertChange {
    match change {
        AlertChange::Raise(raise) => AlertChange::Raise(Raise { step, ..raise }),
        other => other,
    }
}
