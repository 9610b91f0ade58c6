//! From the outbox to the channels: nothing is missing, nothing is twice in two messages, and what became needless is not sent.

mod reports;
mod resend;
mod sender;
mod undelivered;

use futures_util::FutureExt;
use lobby_domain::alert::AlertId;
use rstest::rstest;
use uuid::Uuid;

use super::{
    AlertChange, DARK, Database, Kind, LED, MINUTE, Span, Store, T0, Timestamp, all_alerts, by, clear, commit, count,
    raise, setup, site, writer,
};
use crate::store::{Attempted, DeliveryFilter, DeliveryRow, Draft, Mailbox, Outgoing, Queued, Route, Routes, Then};

const LEASE: Span = Span::from_secs(30);
const OPS: &str = "ops";
const LAST_RESORT: &str = "manager";

fn route(channel: &str, posts: &[&str]) -> Route {
    let posts = posts.iter().map(|post| Box::from(*post)).collect();
    Route { channel: channel.to_owned(), posts, sites: Vec::new() }
}

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

/// A display that has gone dark, of which a channel of the engineers has been told to tell.
async fn dark(store: &Store) -> AlertId {
    store.know_channels(&[OPS], at(0)).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    assert!(expand(store, &[route(OPS, &["engineering"])], &[]).await > 0);
    all_alerts(store).await[0].id
}

async fn deliveries(store: &Store) -> Vec<DeliveryRow> {
    store.deliveries(&DeliveryFilter::default(), None, 1000).await.unwrap().unwrap().0
}

/// Event, channel and state of each, without the alert's id.
async fn states(store: &Store) -> Vec<(String, String)> {
    let mut all: Vec<_> = deliveries(store)
        .await
        .into_iter()
        .map(|row| (row.event.split(':').nth(1).unwrap().to_owned(), format!("{} {}", row.channel, row.state)))
        .collect();
    all.sort();
    all
}

async fn queued(store: &Store) -> Vec<Queued> {
    store.read().await.unwrap().queued_for(OPS, usize::MAX).await.unwrap().queued
}

async fn compose(store: &Store, id: u128, kind: &str, now: Timestamp) -> bool {
    let (queued, site) = (queued(store).await, site());
    let draft = Draft {
        id: Uuid::from_u128(id),
        channel: OPS,
        counts_for: OPS,
        kind,
        letter: "{}".to_owned(),
        carries: queued.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect(),
        carries_all: false,
        flushed: vec![&site],
    };
    composed(store, draft, now).await
}

/// Gives what is in the outbox to channels. Returns how many rows of it were taken.
pub(super) async fn expand(store: &Store, routes: &[Route], mailboxes: &[Mailbox]) -> usize {
    expand_at(store, routes, mailboxes, Timestamp::from_millis(i64::MAX)).await
}

/// The same at a time.
async fn expand_at(store: &Store, routes: &[Route], mailboxes: &[Mailbox], now: Timestamp) -> usize {
    let mut tx = store.begin().await.unwrap();
    let routes = Routes { channels: routes.to_vec(), last_resort: LAST_RESORT.into() };
    let expanded = tx.expand_outbox(&routes, mailboxes, now).await.unwrap();
    tx.commit().await.unwrap();
    expanded.taken
}

/// Makes a message. Returns whether it could be made.
pub(super) async fn composed(store: &Store, draft: Draft<'_>, now: Timestamp) -> bool {
    let mut tx = store.begin().await.unwrap();
    let made = tx.compose(draft, now, LEASE).await.unwrap().is_some();
    if made {
        tx.commit().await.unwrap();
    }
    made
}

/// Everything that waits will not be told.
async fn drop_all(store: &Store, why: &str) {
    let queued = queued(store).await;
    let dropped: Vec<_> = queued.iter().map(|one| (one.event.as_str(), one.post.as_str(), why)).collect();
    let mut tx = store.begin().await.unwrap();
    tx.drop_deliveries(OPS, &dropped).await.unwrap();
    tx.commit().await.unwrap();
}

async fn settle(store: &Store, id: u128, nth: i64, then: Then, heard: bool, now: Timestamp) {
    let attempted = Attempted {
        message: Uuid::from_u128(id),
        nth,
        channel: OPS,
        took: Span::from_millis(5),
        outcome: "x",
        answer: "said",
        heard,
        then,
        paused_until: None,
        instead: None,
    };
    store.settle_attempt(&attempted, now).await.unwrap();
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(event, state)| ((*event).to_owned(), (*state).to_owned())).collect()
}

#[rstest]
#[tokio::test]
async fn a_post_is_told_through_every_channel_that_serves_it_and_a_later_channel_is_not_sent_the_past(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let elsewhere = Route { sites: vec!["other".parse().unwrap()], ..route("elsewhere", &["engineering"]) };
    let here = Route { sites: vec![site()], ..route("here", &["engineering"]) };
    let routes = [route(OPS, &["engineering", "concierge"]), route("late", &["engineering"]), elsewhere, here];
    store.know_channels(&[OPS, "elsewhere", "here"], at(0)).await.unwrap();
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    store.know_channels(&[OPS, "elsewhere", "here", "late"], at(2)).await.unwrap();
    let tells = i64::try_from(super::rule(DARK).tells.len()).unwrap();
    assert_eq!(expand(store, &routes, &[]).await, usize::try_from(tells).unwrap());
    assert_eq!(expand(store, &routes, &[]).await, 0, "once");
    let channels = |rows: &[DeliveryRow], post: &str| {
        let mut found: Vec<_> = rows.iter().filter(|row| row.post == post).map(|row| row.channel.clone()).collect();
        found.sort();
        found
    };
    let rows = deliveries(store).await;
    assert_eq!(channels(&rows, "engineering"), ["here", OPS]);
    commit(&mut writer, raise("led-2", DARK, at(3))).await;
    expand(store, &routes, &[]).await;
    assert_eq!(channels(&deliveries(store).await, "engineering"), ["here", "here", "late", OPS, OPS]);
    let outbox: i64 = store.notification_counts().await.unwrap().outbox.iter().map(|(_, count)| count).sum();
    assert_eq!(outbox, 2 * tells);
    // A post that no channel serves is told by nobody, and not later either.
    store.know_channels(&[], at(4)).await.unwrap();
    commit(&mut writer, raise("led-3", DARK, at(5))).await;
    expand(store, &[], &[]).await;
    store.know_channels(&[OPS], at(5)).await.unwrap();
    assert_eq!(expand(store, &routes, &[]).await, 0);
}

#[rstest]
#[tokio::test]
async fn a_channel_that_was_added_while_the_clock_was_ahead_is_told_of_what_is_found_now(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    store.know_channels(&[OPS], at(1440)).await.unwrap();
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    expand_at(store, &[route(OPS, &["engineering"])], &[], at(2)).await;
    let told: Vec<_> = deliveries(store).await.into_iter().map(|row| (row.channel, row.post)).collect();
    assert_eq!(told, [(OPS.to_owned(), "engineering".to_owned())]);
}

#[rstest]
#[tokio::test]
async fn who_sends_is_woken_by_a_commit_that_queued_something_and_by_nothing_else(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let filled = store.outbox_filled();
    let is_woken = || filled.notified().now_or_never().is_some();
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    assert_eq!((is_woken(), is_woken()), (true, false), "once");
    // Raised again, it is told to nobody again.
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    store.know_channels(&[OPS], at(2)).await.unwrap();
    assert!(!is_woken());
    let id = all_alerts(store).await[0].id;
    let mut tx = store.begin().await.unwrap();
    assert!(tx.tell_more(id, "acknowledged", at(3)).await.unwrap());
    assert!(!is_woken(), "it is not committed");
    drop(tx);
    assert!(!is_woken(), "and never was");
    commit(&mut writer, clear(LED, DARK, at(4))).await;
    assert!(is_woken());
}

#[rstest]
#[tokio::test]
async fn a_channel_has_one_message_under_way_and_what_dies_with_the_hub_goes_again_under_its_id(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    assert_eq!(queued(store).await, []);
    commit(&mut writer(store), raise("led-2", DARK, at(2))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    assert!(!compose(store, 2, "single", at(2)).await, "the first is under way");
    assert_eq!(queued(store).await.len(), 1, "nothing of it was kept");
    // Nobody said what became of the attempt: when its lease is over somebody else takes it, once.
    let (id, due) = store.read().await.unwrap().under_way(OPS).await.unwrap().unwrap();
    assert_eq!((id, due), (Uuid::from_u128(1), at(2) + LEASE));
    let second = database.again().await;
    let (one, other) = tokio::join!(store.claim(id, OPS, due, due, LEASE), second.claim(id, OPS, due, due, LEASE));
    let taken: Vec<Outgoing> = [one.unwrap(), other.unwrap()].into_iter().flatten().collect();
    let [taken] = taken.try_into().unwrap();
    assert_eq!((taken.id, taken.nth, taken.letter.as_str()), (id, 2, "{}"));
    // What the first attempt says comes late: it does not settle the second, but the receiver has heard of it.
    settle(store, 1, 1, Then::Sent, true, due).await;
    let first = &deliveries(store).await.into_iter().find(|row| row.message == Some(id)).unwrap();
    assert_eq!((first.state.as_str(), first.told_at), ("sending", Some(due)));
    settle(store, 1, 2, Then::Again(due + MINUTE), false, due).await;
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((id, due + MINUTE)));
    assert_eq!(store.claim(id, OPS, due + MINUTE, due + MINUTE, LEASE).await.unwrap().unwrap().nth, 3);
    settle(store, 1, 3, Then::Sent, true, due + MINUTE).await;
    assert_eq!(states(store).await, named(&[("raised", "ops queued"), ("raised", "ops sent")]));
    assert!(compose(store, 2, "digest", at(9)).await);
    settle(store, 2, 1, Then::Sent, true, at(9)).await;
    assert_eq!(states(store).await, named(&[("raised", "ops digested"), ("raised", "ops sent")]));
    assert_eq!(
        store.read().await.unwrap().spent(OPS, at(0)).await.unwrap().len(),
        4,
        "each attempt is noted before it is made"
    );
    commit(&mut writer(store), raise("led-3", DARK, at(10))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    let waits = store.read().await.unwrap().queued_for(OPS, 1).await.unwrap();
    assert_eq!((waits.queued.len(), waits.told), (1, [(site(), at(9))].into()));
    second.close().await;
}

#[rstest]
#[case::when_it_is_over(true)]
#[case::when_somebody_took_notice(false)]
#[tokio::test]
async fn what_is_not_yet_sent_of_an_alert_is_cancelled_in_the_transaction_that_makes_it_needless(
    #[case] over: bool,
    #[values(false, true)] expanded: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&[OPS], at(0)).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    let routes = [route(OPS, &["engineering"])];
    if expanded {
        expand(store, &routes, &[]).await;
    }
    let id = all_alerts(store).await[0].id;
    let event = if over {
        commit(&mut writer(store), clear(LED, DARK, at(2))).await;
        "cleared"
    } else {
        store.acknowledge(id, "李工", at(2), &by(), &setup()).await.unwrap();
        "acknowledged"
    };
    expand(store, &routes, &[]).await;
    let mut expected = vec![(event, "ops queued")];
    if expanded {
        expected.push(("raised", "ops cancelled"));
    }
    assert_eq!(states(store).await, named(&expected));
    if !over {
        // The end of it is not cancelled by who takes notice too late.
        commit(&mut writer(store), clear(LED, DARK, at(3))).await;
        expand(store, &routes, &[]).await;
        store.acknowledge(id, "王工", at(4), &by(), &setup()).await.unwrap();
        assert!(states(store).await.contains(&("cleared".to_owned(), "ops queued".to_owned())));
    }
}

#[rstest]
#[tokio::test]
async fn who_takes_notice_of_an_alert_does_not_keep_from_others_that_its_ticket_is_theirs(
    #[values(false, true)] expanded: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let routes = [route(OPS, &["engineering"])];
    let id = dark(store).await;
    let mut tx = store.begin().await.unwrap();
    for what in ["escalated:2", "assigned:2", "again:2"] {
        tx.tell_post(&site(), id, what, "engineering", at(2)).await.unwrap();
    }
    tx.commit().await.unwrap();
    if expanded {
        expand(store, &routes, &[]).await;
    }
    store.acknowledge(id, "李工", at(3), &by(), &setup()).await.unwrap();
    expand(store, &routes, &[]).await;
    let kept = ["acknowledged", "assigned", "escalated"].map(|event| (event, "ops queued"));
    let states = states(store).await;
    let queued: Vec<_> = states.into_iter().filter(|(_, state)| state == "ops queued").collect();
    assert_eq!(queued, named(&kept));
}

#[rstest]
#[tokio::test]
async fn a_message_that_is_being_sent_is_not_cancelled_and_the_end_follows_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    commit(&mut writer(store), clear(LED, DARK, at(3))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    assert_eq!(states(store).await, named(&[("cleared", "ops queued"), ("raised", "ops sending")]));
    settle(store, 1, 1, Then::Dead, true, at(4)).await;
    let [end] = queued(store).await.try_into().unwrap();
    assert_eq!(end.told_at, Some(at(4)), "it was in doubt whether the receiver heard of it");
}

#[rstest]
#[tokio::test]
async fn a_message_is_not_made_of_what_was_cancelled_a_moment_ago(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    let read = queued(store).await;
    commit(&mut writer(store), clear(LED, DARK, at(2))).await;
    let draft = Draft {
        id: Uuid::from_u128(1),
        channel: OPS,
        counts_for: OPS,
        kind: "single",
        letter: "{}".to_owned(),
        carries: read.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect(),
        carries_all: false,
        flushed: vec![],
    };
    assert!(!composed(store, draft, at(2)).await);
    assert_eq!((count(store, "message").await, count(store, "attempt").await), (0, 0));
}

#[rstest]
#[tokio::test]
async fn a_channel_that_is_removed_takes_what_waits_along_and_begins_anew_when_it_is_back(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, 1, 1, Then::Gone, false, at(2)).await;
    let [row] = store.channels(at(0)).await.unwrap().try_into().unwrap();
    assert_eq!((row.disabled_at, row.taken, row.answer.as_str(), row.dead), (Some(at(2)), false, "said", 1));
    let sent = |then, heard| Attempted {
        message: Uuid::from_u128(9),
        nth: 1,
        channel: OPS,
        took: Span::ZERO,
        outcome: "taken",
        answer: "ok",
        heard,
        then,
        paused_until: Some(at(7)),
        instead: None,
    };
    store.begin_test(Uuid::from_u128(9), OPS, None, at(3)).await.unwrap();
    store.end_test(&sent(Then::Sent, true), at(3)).await.unwrap();
    let [row] = store.channels(at(0)).await.unwrap().try_into().unwrap();
    assert_eq!((row.disabled_at, row.taken, row.paused_until), (None, true, Some(at(7))), "a test opened it again");
    commit(&mut writer(store), raise("led-2", DARK, at(4))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    store.know_channels(&[], at(5)).await.unwrap();
    let rows = deliveries(store).await;
    assert_eq!((rows[0].state.as_str(), rows[0].why.as_str()), ("cancelled", "channel_removed"));
    store.know_channels(&[OPS], at(6)).await.unwrap();
    let [row] = store.channels(at(0)).await.unwrap().try_into().unwrap();
    assert_eq!((row.since, row.waiting), (at(6), 0));
}

#[rstest]
#[tokio::test]
async fn what_is_still_there_is_queued_again_until_somebody_takes_notice(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let id = dark(store).await;
    assert_eq!(store.queue_again(OPS, at(100), at(100)).await.unwrap(), 0, "it was not told yet");
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, 1, 1, Then::Sent, true, at(2)).await;
    assert_eq!(store.queue_again(OPS, at(1), at(60)).await.unwrap(), 0, "too early");
    assert_eq!(store.queue_again(OPS, at(2), at(60)).await.unwrap(), 1);
    assert_eq!(store.queue_again(OPS, at(59), at(61)).await.unwrap(), 0, "it waits already");
    assert!(compose(store, 2, "group", at(61)).await);
    settle(store, 2, 1, Then::Sent, true, at(61)).await;
    store.acknowledge(id, "李工", at(62), &by(), &setup()).await.unwrap();
    assert_eq!(store.queue_again(OPS, at(200), at(200)).await.unwrap(), 0);
}

#[rstest]
#[tokio::test]
async fn what_is_over_and_old_is_removed_and_an_open_alert_keeps_what_its_end_needs(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, 1, 1, Then::Sent, true, at(2)).await;
    assert!(!store.forget_notifications(at(1000)).await.unwrap());
    assert_eq!(states(store).await.len(), 1, "its alert is open");
    commit(&mut writer(store), clear(LED, DARK, at(3))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    assert!(compose(store, 2, "group", at(4)).await);
    settle(store, 2, 1, Then::Sent, true, at(4)).await;
    assert!(!store.forget_notifications(at(1)).await.unwrap());
    assert_eq!(states(store).await.len(), 2, "it is not old");
    store.forget_notifications(at(1000)).await.unwrap();
    for table in ["delivery", "message", "attempt", "outbox"] {
        assert_eq!(count(store, table).await, 0, "{table}");
    }
}

#[rstest]
#[tokio::test]
async fn notifications_are_listed_page_by_page_and_by_what_is_asked(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&[OPS, "b"], at(0)).await.unwrap();
    let mut writer = writer(store);
    let changes: Vec<AlertChange> = (0..5).map(|n| raise(&format!("led-{n}"), DARK, at(n))).collect();
    for change in changes {
        commit(&mut writer, change).await;
    }
    expand(store, &[route(OPS, &["engineering"]), route("b", &["engineering"])], &[]).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter::default();
        let (rows, next) = store.deliveries(&filter, after.as_ref(), 3).await.unwrap().unwrap();
        seen.extend(rows.into_iter().map(|row| (row.created_at, row.event, row.channel)));
        let Some(next) = next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted_by(|one, other| one > other), "newest first, each once");
    assert!(compose(store, 1, "group", at(9)).await);
    let many = async |filter: DeliveryFilter| store.deliveries(&filter, None, 100).await.unwrap().unwrap().0.len();
    let all = DeliveryFilter::default;
    assert_eq!(many(DeliveryFilter { state: Some("sending".into()), ..all() }).await, 5);
    assert_eq!(many(DeliveryFilter { channel: Some("b".into()), ..all() }).await, 5);
    assert_eq!(many(DeliveryFilter { message: Some(Uuid::from_u128(1)), ..all() }).await, 5);
    assert_eq!(many(DeliveryFilter { alert: Some(all_alerts(store).await[0].id), ..all() }).await, 2);
    assert_eq!(many(DeliveryFilter { site: Some("other".parse().unwrap()), ..all() }).await, 0);
    let counts = store.notification_counts().await.unwrap();
    assert_eq!(counts.oldest, Some(at(0)));
    let waiting: i64 = store.channels(at(0)).await.unwrap().iter().map(|row| row.waiting).sum();
    assert_eq!(waiting, 10);
    assert_eq!(store.read().await.unwrap().alerts_queued_for("b").await.unwrap().len(), 5);
}
