//! What becomes needless at the very moment at which a message is made of it.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use lobby_domain::pack::Pack;
use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, File, Overrides},
    fleet::Fleet,
    lifecycle::Lifecycle,
    notify::{Notify, Watched},
    restraints::Restraints,
};

/// Nobody listens there.
const CHANNEL: &str = "[channel.ops]\nkind = 'webhook'\nposts = ['engineering']\nurl = 'http://127.0.0.1:9/'\n";

/// The sender with one channel.
async fn sender(store: &Store) -> Arc<Notify> {
    let config = Config::new(File::parse(CHANNEL, "hub.toml").unwrap(), Overrides::default()).unwrap();
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
    lifecycle.supervise("notify", sender(store).await.run(lifecycle.clone()));
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
