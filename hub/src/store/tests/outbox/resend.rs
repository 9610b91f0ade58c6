//! What will not be taken is sent again when somebody wants it to be, once for each time that they do.

use rstest::rstest;
use uuid::Uuid;

use super::{
    DARK, Database, Kind, LEASE, LED, MINUTE, OPS, Store, Then, at, clear, commit, compose, dark, deliveries, drop_all,
    expand, named, queued, raise, route, settle, site, states, writer,
};
use crate::{
    audit::Actor,
    store::{AuditFilter, ResendError},
};

const ONE: Uuid = Uuid::from_u128(1);

fn li() -> Actor {
    Actor::person("p1", "李工")
}

/// A display that has gone dark, and a message of it that was not taken.
async fn dead(store: &Store) {
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, 1, 1, Then::Dead, false, at(3)).await;
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), None);
}

/// Who has asked for what to be sent again, through which channel.
async fn audited(store: &Store) -> Vec<[String; 3]> {
    let (rows, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    assert!(rows.iter().all(|row| row.action == "message.resend" && row.site.as_deref() == Some(site().as_str())));
    rows.into_iter().map(|row| [row.actor, row.subject, row.after.unwrap_or_default()]).collect()
}

#[rstest]
#[tokio::test]
async fn a_dead_message_goes_again_under_its_id_once_however_often_that_is_asked(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dead(store).await;
    let second = database.again().await;
    let (li, zhang) = (li(), Actor::person("p2", "张工"));
    let (one, other) = tokio::join!(store.resend(ONE, &li, at(60)), second.resend(ONE, &zhang, at(60)));
    let refused = |outcome: &Result<String, ResendError>| matches!(outcome, Err(ResendError::NotDead));
    assert!(refused(&one) != refused(&other), "{one:?} {other:?}");
    assert_eq!(one.or(other).unwrap(), OPS);
    second.close().await;
    assert_eq!(states(store).await, named(&[("raised", "ops retry")]));
    let told = audited(store).await;
    let [[_, subject, channel]] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((subject.as_str(), channel.as_str()), (ONE.to_string().as_str(), OPS));
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((ONE, at(60))));
    let again = store.claim(ONE, OPS, at(60), at(61), LEASE).await.unwrap().unwrap();
    assert_eq!((again.id, again.nth, again.since, again.letter.as_str()), (ONE, 2, at(60), "{}"));
    assert!(refused(&store.resend(ONE, &li, at(61)).await), "it is being sent");
    // It is given up no sooner than any other, however old it is.
    settle(store, 1, 2, Then::Again(at(62)), false, at(61)).await;
    assert_eq!(store.claim(ONE, OPS, at(62), at(62), LEASE).await.unwrap().unwrap().since, at(60));
    settle(store, 1, 3, Then::Sent, true, at(62)).await;
    let [row] = deliveries(store).await.try_into().unwrap();
    assert_eq!((row.state.as_str(), row.told_at, row.attempts), ("sent", Some(at(62)), 3));
    assert!(refused(&store.resend(ONE, &li, at(63)).await), "it was taken");
    assert_eq!(audited(store).await.len(), 1);
    let missing = store.resend(Uuid::from_u128(7), &li, at(63)).await;
    assert!(matches!(missing, Err(ResendError::NotFound)), "{missing:?}");
}

#[rstest]
#[tokio::test]
async fn it_waits_for_the_message_that_is_under_way_and_goes_before_what_is_in_none(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dead(store).await;
    commit(&mut writer(store), raise("led-2", DARK, at(4))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    assert!(compose(store, 2, "single", at(5)).await);
    commit(&mut writer(store), raise("led-3", DARK, at(6))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    store.resend(ONE, &li(), at(7)).await.unwrap();
    let two = Uuid::from_u128(2);
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((two, at(5) + LEASE)));
    settle(store, 2, 1, Then::Again(at(9)), false, at(8)).await;
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((two, at(9))));
    assert!(store.claim(two, OPS, at(9), at(9), LEASE).await.unwrap().is_some());
    settle(store, 2, 2, Then::Sent, true, at(9)).await;
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((ONE, at(7))));
    // What dies with the hub goes again when its lease is over, as ever.
    assert!(store.claim(ONE, OPS, at(7), at(10), LEASE).await.unwrap().is_some());
    assert!(store.claim(ONE, OPS, at(7), at(10), LEASE).await.unwrap().is_none(), "it is taken once");
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((ONE, at(10) + LEASE)));
    settle(store, 1, 2, Then::Dead, false, at(10)).await;
    store.resend(ONE, &li(), at(10) + MINUTE).await.unwrap();
    assert_eq!(audited(store).await.len(), 2, "it died again, and was wanted again");
}

#[rstest]
#[tokio::test]
async fn who_hears_of_a_beginning_that_is_over_hears_of_its_end_after_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dead(store).await;
    commit(&mut writer(store), clear(LED, DARK, at(4))).await;
    expand(store, &[route(OPS, &["engineering"])], &[]).await;
    drop_all(store, "needless").await;
    assert_eq!(states(store).await, named(&[("cleared", "ops cancelled"), ("raised", "ops dead")]));
    store.resend(ONE, &li(), at(5)).await.unwrap();
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((ONE, at(5))), "the beginning first");
    assert!(store.claim(ONE, OPS, at(5), at(5), LEASE).await.unwrap().is_some());
    settle(store, 1, 2, Then::Sent, true, at(5)).await;
    let [end] = queued(store).await.try_into().unwrap();
    assert_eq!((end.event.rsplit(':').next(), end.told_at), (Some("cleared"), Some(at(5))));
}

#[rstest]
#[tokio::test]
async fn nothing_goes_through_a_channel_that_was_removed(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dead(store).await;
    store.know_channels(&[], at(4)).await.unwrap();
    let refused = store.resend(ONE, &li(), at(5)).await;
    assert!(matches!(&refused, Err(ResendError::NoChannel(name)) if name == OPS), "{refused:?}");
    assert_eq!((states(store).await, audited(store).await.len()), (named(&[("raised", "ops dead")]), 0));
    store.know_channels(&[OPS], at(6)).await.unwrap();
    store.resend(ONE, &li(), at(7)).await.unwrap();
    store.know_channels(&[], at(8)).await.unwrap();
    assert_eq!(states(store).await, named(&[("raised", "ops cancelled")]));
    store.know_channels(&[OPS], at(9)).await.unwrap();
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_receiver_that_is_gone_gets_it_when_a_test_was_taken(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    dark(store).await;
    assert!(compose(store, 1, "single", at(2)).await);
    settle(store, 1, 1, Then::Gone, false, at(3)).await;
    store.resend(ONE, &li(), at(4)).await.unwrap();
    assert_eq!(
        store.read().await.unwrap().channel_holds().await.unwrap()[OPS].disabled_at,
        Some(at(3)),
        "the channel is as closed as before"
    );
    assert_eq!(store.read().await.unwrap().under_way(OPS).await.unwrap(), Some((ONE, at(4))));
}
