//! The sender beside others who write, with more than it takes at once, and with what cannot be read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use lobby_domain::pack::Pack;
use tokio::time::{sleep, timeout};

use super::{
    super::{alerts, execute},
    *,
};
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, File, Overrides},
    fleet::Fleet,
    lifecycle::Lifecycle,
    notify::{Notify, Watched},
    restraints::Restraints,
    store::TAKEN_AT_ONCE,
};

const WARM: &str = "display-warm";
/// Who waits for others, on PostgreSQL.
const WAITING: &str =
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A clock that goes on by some seconds whenever it is read, beginning a minute after [`T0`].
#[derive(Default)]
struct Hasty(AtomicU32);

impl Hasty {
    const STEP: u32 = 7;
}

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        at(1) + Span::from_secs(self.0.fetch_add(Self::STEP, Relaxed))
    }
}

/// The sender with channels of the engineers to where nobody listens. They repeat nothing: so they need not look what is to be repeated
/// before they tell anything.
async fn sender(store: &Store, channels: &[&str], more: &str, clock: impl Clock) -> Arc<Notify> {
    let text = |name: &&str| {
        let to = "kind = 'webhook'\nurl = 'http://127.0.0.1:9/'\nposts = ['engineering']\nrepeat = 'never'";
        format!("[channel.{name}]\n{to}\n{more}\n")
    };
    let text: String = channels.iter().map(text).collect();
    let config = Config::new(File::parse(&text, "hub.toml").unwrap(), Overrides::default()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(clock);
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
    other.cancel_notifications(first, "acknowledged", true).await.unwrap();
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("notify", sender(store, &[OPS], "", SystemClock).await.run(lifecycle.clone()));
    until("the sender to wait for who cancels", async || {
        sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&**pool).await.unwrap() == 1
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

/// A batch may clear an alert that waits to be told, and then one that the sender has just taken in beside the first.
#[tokio::test]
async fn the_sender_gives_way_to_a_batch_that_waits_for_it() {
    let Some(database) = Database::create(Kind::Postgres).await else { return };
    let first = dark(&database.store).await;
    commit(&mut writer(&database.store), raise("led-2", DARK, at(2))).await;
    commit(&mut writer(&database.store), raise("led-3", DARK, at(3))).await;
    let AlertChange::Raise(second) = raise("led-2", DARK, at(2)) else { panic!("an alert") };
    let nobody_ends_it = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = %L', current_database(), '1h');
    END $$";
    execute(&database.store, nobody_ends_it.to_owned()).await;
    let store = &database.again().await;
    let Store::Postgres(pool) = store else { panic!("PostgreSQL") };
    let mut batch = store.begin().await.unwrap();
    batch.cancel_notifications(first, "cleared", false).await.unwrap();
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("notify", sender(store, &[OPS], "", SystemClock).await.run(lifecycle.clone()));
    until("the sender to wait for the batch", async || {
        sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&**pool).await.unwrap() == 1
    })
    .await;
    let cancelled = timeout(Duration::from_secs(5), batch.cancel_notifications(second.id, "cleared", false)).await;
    cancelled.expect("the sender to give way").unwrap();
    batch.commit().await.unwrap();
    until("the rest to be told", async || count(store, "message").await > 0).await;
    let told = deliveries(store).await.into_iter().filter(|row| row.message.is_some());
    assert_eq!(told.map(|row| row.created_at).collect::<Vec<_>>(), [at(3)]);
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
    lifecycle.supervise("notify", sender(store, &["a", OPS], "", SystemClock).await.run(lifecycle.clone()));
    until("the other channel to tell", async || count(store, "message").await > 0).await;
    let mut states = states(store).await;
    states.retain(|(_, state)| !state.starts_with("ops "));
    assert_eq!(states, named(&[("raised", "a queued"), ("raised", "a queued")]), "they wait to be read");
    assert_eq!(count(store, "message").await, 1);
}

/// Who writes may hold up a look for a while, and what comes up meanwhile is of later than its begin.
#[rstest]
#[tokio::test]
async fn a_group_waits_its_time_also_when_it_came_up_after_the_look_had_begun(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&[OPS], at(0)).await.unwrap();
    // After the clock was read for the look, and before it was for what is taken in.
    let came_up = at(1) + Span::from_secs(Hasty::STEP / 2);
    commit(&mut writer(store), raise(LED, WARM, came_up)).await;
    let lifecycle = Lifecycle::new();
    let sender = sender(store, &[OPS], "group_wait = '1m'", Hasty::default()).await;
    lifecycle.supervise("notify", sender.run(lifecycle.clone()));
    until("the group to be told", async || count(store, "message").await > 0).await;
    let due = came_up + MINUTE;
    assert_eq!(count(store, &format!("message WHERE created_at < {}", due.millis())).await, 0);
}

#[rstest]
#[tokio::test]
async fn of_more_than_is_taken_at_once_the_gravest_is_told_first(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.know_channels(&[OPS], at(0)).await.unwrap();
    let others = (1..TAKEN_AT_ONCE).map(|no| raise(&format!("covers-{no}"), "covers-low", at(1)));
    let changes = others.chain([raise(LED, WARM, at(1)), raise("led-2", DARK, at(2))]);
    writer(store).commit(&[alerts(changes)], at(2)).await.unwrap();
    let lifecycle = Lifecycle::new();
    let sender = sender(store, &[OPS], "group_wait = '0s'", SystemClock).await;
    lifecycle.supervise("notify", sender.run(lifecycle.clone()));
    until("something to be told", async || count(store, "message").await > 0).await;
    let told: Vec<_> = deliveries(store).await.into_iter().filter(|row| row.message.is_some()).collect();
    assert!(!told.is_empty() && told.iter().all(|row| row.created_at == at(2)), "{told:?}");
}

#[rstest]
#[tokio::test]
async fn more_channels_than_are_served_in_one_transaction_each_tell_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let names: Vec<String> = (0..20).map(|no| format!("channel-{no:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    store.know_channels(&names, at(0)).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("notify", sender(store, &names, "", Hasty::default()).await.run(lifecycle.clone()));
    until("all to tell", async || count(store, "message").await == 20).await;
    let of_the_first = "message WHERE created_at = (SELECT MIN(created_at) FROM message)";
    assert_eq!(count(store, of_the_first).await, 8, "the others who write do not wait for more");
    let mut told: Vec<_> = deliveries(store)
        .await
        .into_iter()
        .filter(|row| row.message.is_some())
        .map(|row| (row.channel, row.post))
        .collect();
    told.sort();
    assert_eq!(told, names.iter().map(|name| ((*name).to_owned(), "engineering".to_owned())).collect::<Vec<_>>());
}
