//! How the standards are kept: an alert counts as told when somebody heard of it, and not because it was queued.

use lobby_domain::{
    calendar::Calendar,
    compliance::{Duty, Excuse, Instance, Kept},
    pack::Pack,
    register::taking,
    time::Timestamp,
};
use rstest::rstest;

use super::{DARK, Database, Kind, LED, MINUTE, T0, commit, execute, raise, shanghai, site, writer};
use crate::store::Owing;

/// What was owed in the month, looked at after that many minutes.
pub(super) async fn owed(database: &Database, minutes: u32) -> Vec<Instance> {
    let (calendar, now) = (Calendar::always_open(shanghai()), T0 + MINUTE.times(minutes));
    let (month, pack) = ("2026-11".parse().unwrap(), Pack::built_in());
    let of = Owing { site: &site(), month, calendar: &calendar, pack: &pack, taking: taking::EVERY, now };
    database.store.owed(of).await.unwrap()
}

/// How the alert of the site was told, looked at after that many minutes.
async fn told(database: &Database, minutes: u32) -> (Option<Timestamp>, Kept) {
    let mut told = owed(database, minutes).await.into_iter().filter(|owed| owed.duty == Duty::Told);
    let one = told.next().expect("an alert");
    assert!(told.next().is_none());
    (one.done, one.kept)
}

#[rstest]
#[tokio::test]
async fn an_alert_is_told_when_a_receiver_has_heard_of_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise("covers-1", "covers-low-switch", T0)).await;
    // Nothing is set up to send it.
    assert_eq!(told(&database, 0).await, (None, Kept::Open));
    assert_eq!(told(&database, 2).await, (None, Kept::Missed));
    let delivery = |channel: &str, state: &str, at: i64| {
        format!(
            "INSERT INTO delivery (event, post, channel, site, alert, created_at, state, why, told_at)
                SELECT event, post, '{channel}', site, alert, created_at, '{state}', '', {at} FROM outbox"
        )
    };
    execute(store, delivery("mail", "queued", 0)).await;
    assert_eq!(told(&database, 2).await, (None, Kept::Open), "kept quiet, or on its way");
    execute(store, "UPDATE delivery SET state = 'cancelled'".into()).await;
    assert_eq!(told(&database, 2).await, (None, Kept::Excused(Excuse::Quiet)));
    let (late, soon) = (T0 + MINUTE.times(3), T0 + MINUTE);
    execute(store, delivery("hook", "sent", late.millis())).await;
    assert_eq!(told(&database, 5).await, (Some(late), Kept::Late));
    execute(store, delivery("robot", "digested", soon.millis())).await;
    assert_eq!(told(&database, 5).await, (Some(soon), Kept::Met), "the first who heard counts");
    execute(store, "DELETE FROM delivery".into()).await;
    execute(store, "DELETE FROM outbox".into()).await;
    assert_eq!(told(&database, 5).await, (None, Kept::Excused(Excuse::Quiet)), "no longer on record");
}

#[rstest]
#[tokio::test]
async fn whoever_has_its_ticket_in_the_queue_is_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    commit(&mut writer(&database.store), raise(LED, DARK, T0)).await;
    assert_eq!(told(&database, 5).await, (Some(T0), Kept::Met));
}
