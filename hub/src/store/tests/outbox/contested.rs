//! What becomes needless at the very moment at which a message is made of it, and what cannot be told at all.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use lobby_domain::pack::Pack;
use tokio::time::{sleep, timeout};

use super::{super::execute, *};
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, File, Overrides},
    fleet::Fleet,
    lifecycle::Lifecycle,
    notify::{Notify, Watched},
    restraints::Restraints,
};

/// The sender with channels to where nobody listens.
async fn sender(store: &Store, channels: &[&str]) -> Arc<Notify> {
    let text = |name: &&str| {
        format!("[channel.{name}]\nkind = 'webhook'\nposts = ['engineering']\nurl = 'http://127.0.0.1:9/'\n")
    };
    let text: String = channels.iter().map(text).collect();
    let config = Config::new(File::parse(&text, "hub.toml").unwrap(), Overrides::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fleet = Arc::new(Fleet::new(Pack::built_in(), [].into(), TimeZone::UTC));
    let restraints = Restraints::load(store.clone(), fleet.clone(), clock.clone()).await.unwrap();
    Arc::new(Notify {
        store: store.clone(),
        fleet,
        restraints,
        clock,
        findings: Arc::default(),
        progress: Arc::default(),
        settings: tokio::sync::watch::channel(config.notify).1,
        watched: Watched::default(),
    })
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), asking).await.expect(what);
}

#[tokio::test]
async fn what_is_cancelled_while_a_message_is_made_of_it_is_not_told_and_the_rest_is() {
    let Some(database) = Database::create(Kind::Postgres).await else { return };
    let Store::Postgres(pool) = &database.store else { panic!("PostgreSQL") };
    let store = &database.store;
    let first = dark(store).await;
    commit(&mut writer(store), raise("led-2", DARK, at(2))).await;
    let mut other = store.begin().await.unwrap();
    other.cancel_notifications(first, "acknowledged").await.unwrap();
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("notify", sender(store, &[OPS]).await.run(lifecycle.clone()));
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the sender to wait for who cancels", async || {
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&**pool).await.unwrap() == 1
    })
    .await;
    assert_eq!(count(store, "message").await, 0);
    other.commit().await.unwrap();
    until("the other alert to be told", async || {
        deliveries(store).await.iter().any(|row| row.message.is_some() && row.state != "queued")
    })
    .await;
    let told: Vec<_> =
        deliveries(store).await.into_iter().map(|row| (row.alert == first, row.message.is_some())).collect();
    assert_eq!((told.len(), count(store, "message").await), (2, 1));
    assert!(told.contains(&(true, false)) && told.contains(&(false, true)), "{told:?}");
    assert!(states(store).await.contains(&("raised".to_owned(), "ops cancelled".to_owned())));
}

#[rstest]
#[tokio::test]
async fn an_alert_that_cannot_be_read_holds_up_no_other_channel(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&["a", OPS], at(0)).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    assert!(expand(store, &[route("a", &["engineering"])], &[]).await > 0);
    execute(store, "UPDATE alert SET subject = '?'".to_owned()).await;
    commit(&mut writer(store), raise("led-2", DARK, at(2))).await;
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("notify", sender(store, &["a", OPS]).await.run(lifecycle.clone()));
    until("the other channel to tell", async || count(store, "message").await > 0).await;
    let mut states = states(store).await;
    states.retain(|(_, state)| !state.starts_with("ops "));
    assert_eq!(states, named(&[("raised", "a queued"), ("raised", "a queued")]), "they wait to be read");
    assert_eq!(count(store, "message").await, 1);
}
