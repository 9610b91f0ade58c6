//! What a channel did not take of a critical alert is told by another, and whoever heard of a beginning hears of its end.

use std::sync::Arc;

use lobby_domain::{
    alert::Raise,
    rule::{Rule, Severity},
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    AlertChange, Attempted, DARK, Database, Kind, LAST_RESORT, LEASE, LED, OPS, Routes, Span, Store, Then, at, by,
    clear, commit, compose, dark, deliveries, expand, raise, route, writer,
};
use crate::store::Route;

const DESK: &str = "desk";
const ONE: Uuid = Uuid::from_u128(1);

/// The engineers' channel, one of somebody else, and one without posts, by which people are told themselves.
fn routes() -> Vec<Route> {
    vec![route("aaa-mail", &[]), route(DESK, &["concierge"]), route(OPS, &["engineering"])]
}

/// A display that has gone dark, by standards that grade that so.
fn graded(device: &str, severity: Severity, minutes: u32) -> AlertChange {
    let AlertChange::Raise(raise) = raise(device, DARK, at(minutes)) else { panic!("an alert") };
    AlertChange::Raise(Raise { rule: Arc::new(Rule { severity, ..(*raise.rule).clone() }), ..raise })
}

async fn known(store: &Store) {
    store.know_channels(&["aaa-mail", DESK, OPS], at(0)).await.unwrap();
}

/// An attempt that ended so.
async fn settle(store: &Store, routes: &[Route], nth: i64, then: Then, minutes: u32) {
    let routes = Routes { channels: routes.to_vec(), last_resort: LAST_RESORT.into() };
    let attempted = Attempted {
        message: ONE,
        nth,
        channel: OPS,
        took: Span::from_millis(5),
        outcome: "x",
        answer: "said",
        heard: false,
        then,
        paused_until: None,
        instead: Some(&routes),
    };
    store.settle_attempt(&attempted, at(minutes)).await.unwrap();
}

/// Event, post and state of what goes through a channel, without the alert's id.
async fn through(store: &Store, channel: &str) -> Vec<[String; 3]> {
    let rows = deliveries(store).await.into_iter().filter(|row| row.channel == channel);
    let mut rows: Vec<_> =
        rows.map(|row| [row.event.split_once(':').unwrap().1.to_owned(), row.post, row.state]).collect();
    rows.sort();
    rows
}

fn those(rows: &[[&str; 3]]) -> Vec<[String; 3]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

#[rstest]
#[case::a_critical_one(Severity::Critical, &[["undelivered:ops", "engineering", "queued"]])]
#[case::another_one(Severity::Major, &[])]
#[tokio::test]
async fn what_a_channel_does_not_take_of_a_critical_alert_is_told_by_another_once(
    #[case] severity: Severity,
    #[case] told: &[[&str; 3]],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    known(store).await;
    commit(&mut writer(store), graded(LED, severity, 1)).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, &routes(), 1, Then::Again(at(4)), 3).await;
    assert_eq!(through(store, DESK).await, those(&[]), "it may still be taken");
    store.claim(ONE, OPS, at(4), at(4), LEASE).await.unwrap().unwrap();
    settle(store, &routes(), 2, Then::Dead, 5).await;
    assert_eq!(through(store, DESK).await, those(told));
    store.resend(ONE, &by(), at(6)).await.unwrap();
    store.claim(ONE, OPS, at(6), at(6), LEASE).await.unwrap().unwrap();
    settle(store, &routes(), 3, Then::Dead, 7).await;
    assert_eq!(through(store, DESK).await, those(told), "once, however often it dies");
    assert_eq!(through(store, "aaa-mail").await, those(&[]), "it is nobody's in particular");
}

#[rstest]
#[tokio::test]
async fn while_a_receiver_is_gone_critical_alerts_are_told_by_another_channel_to_their_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    known(store).await;
    for (device, minutes) in [(LED, 1), ("led-2", 2)] {
        commit(&mut writer(store), graded(device, Severity::Critical, minutes)).await;
        expand(store, &[route(OPS, &["engineering"])], &[]).await;
        if device == LED {
            assert!(compose(store, 1, "single", at(1)).await);
        }
    }
    settle(store, &routes(), 1, Then::Gone, 3).await;
    let waits = ["undelivered:ops", "engineering", "queued"];
    assert_eq!(through(store, DESK).await, those(&[waits, waits]), "also of what waits for it");
    // What comes up later goes there at once, if it is critical.
    for (device, severity) in [("led-3", Severity::Critical), ("led-4", Severity::Major)] {
        commit(&mut writer(store), graded(device, severity, 4)).await;
    }
    let to_engineers = [route(DESK, &["cleaning"]), route(OPS, &["engineering"])];
    expand(store, &to_engineers, &[]).await;
    let raised = ["raised", "engineering", "queued"];
    assert_eq!(through(store, DESK).await, those(&[raised, waits, waits]));
    commit(&mut writer(store), clear("led-3", DARK, at(5))).await;
    expand(store, &to_engineers, &[]).await;
    let ended = ["cleared", "engineering", "queued"];
    let over = ["raised", "engineering", "cancelled"];
    assert_eq!(through(store, DESK).await, those(&[ended, over, waits, waits]), "and so does the end");
}

#[rstest]
#[tokio::test]
async fn a_channel_that_serves_a_post_no_more_hears_of_the_end_of_what_it_heard_of(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    known(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, &[], 1, Then::Sent, 2).await;
    let elsewhere =
        [Route { sites: vec!["other".parse().unwrap()], ..route(OPS, &["concierge"]) }, route(DESK, &["engineering"])];
    commit(&mut writer(store), clear(LED, DARK, at(3))).await;
    expand(store, &elsewhere, &[]).await;
    let end = those(&[["cleared", "engineering", "queued"]]);
    assert_eq!(through(store, DESK).await, end, "whether it was told is decided when it would be sent");
    assert_eq!(through(store, OPS).await, [end, those(&[["raised", "engineering", "sent"]])].concat());
}

#[rstest]
#[case::in_order(true, "desk")]
#[case::not_in_order(false, "manager")]
#[tokio::test]
async fn a_channel_that_takes_nothing_itself_tells_nothing_instead_of_another_if_there_is_one_that_does(
    #[case] takes: bool,
    #[case] told: &str,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&[DESK, "manager", OPS], at(0)).await.unwrap();
    let routes = [route(DESK, &["engineering"]), route("manager", &[LAST_RESORT]), route(OPS, &["engineering"])];
    let test = Attempted {
        message: Uuid::from_u128(9),
        nth: 1,
        channel: DESK,
        took: Span::ZERO,
        outcome: "x",
        answer: "",
        heard: takes,
        then: if takes { Then::Sent } else { Then::Dead },
        paused_until: None,
        instead: None,
    };
    store.begin_test(test.message, DESK, None, at(0)).await.unwrap();
    store.end_test(&test, at(0)).await.unwrap();
    commit(&mut writer(store), graded(LED, Severity::Critical, 1)).await;
    expand(store, &routes[2..], &[]).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, &routes, 1, Then::Dead, 3).await;
    let instead = deliveries(store).await.into_iter().find(|row| row.channel != OPS).unwrap();
    assert_eq!(instead.channel, told);
}
