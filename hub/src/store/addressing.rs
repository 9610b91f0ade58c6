//! Whom a notification goes to: from the outbox to the channels.
//!
//! In the transaction of an alert stands only whom to tell (`outbox`). Which channels that is decides the sender when it first looks
//! ([`Tx::expand_outbox`]): so the hot path knows nothing of channels, and a channel that is added later is not sent the past.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::SiteId;
use lobby_domain::{notice::What, rule::Severity, time::Timestamp};
use uuid::Uuid;

use super::{Hold, Mailbox, Store, StoreError, Tx, bulk::Insert, contacts::person_of, doing, on, statements};

/// Most rows of the outbox that are taken at once.
pub const TAKEN_AT_ONCE: usize = 500;

/// Where notifications of posts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The channel.
    pub channel: String,
    /// The posts that it serves.
    pub posts: Vec<Box<str>>,
    /// The sites that it serves; all if none is named.
    pub sites: Vec<SiteId>,
}

impl Route {
    /// Whether it serves that site.
    pub fn serves(&self, site: &str) -> bool {
        self.sites.is_empty() || self.sites.iter().any(|served| served.as_str() == site)
    }

    /// Whether it serves that post.
    fn is_of(&self, post: &str) -> bool {
        self.posts.iter().any(|served| **served == *post)
    }
}

/// Where notifications go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// The channels, by name.
    pub channels: Vec<Route>,
    /// The post that has what nobody else can be given.
    pub last_resort: Box<str>,
}

impl Routes {
    /// The channel by which it is told that others could not tell a post of a site: one of the same post before one of the last resort,
    /// and that before any other; one that did not take what it was sent last only if there is no other.
    fn instead_of(&self, others: &[&str], (post, site): (&str, &str), holds: &BTreeMap<String, Hold>) -> Option<&str> {
        let takes = |route: &&Route| {
            let is_open = holds.get(&route.channel).is_some_and(|hold| hold.disabled_at.is_none());
            is_open && route.serves(site) && !route.posts.is_empty() && !others.contains(&route.channel.as_str())
        };
        let is_failing = |route: &Route| holds.get(&route.channel).is_some_and(|hold| hold.failing);
        let key = |route: &&Route| (is_failing(route), !route.is_of(post), !route.is_of(&self.last_resort));
        self.channels.iter().filter(takes).min_by_key(key).map(|route| &*route.channel)
    }
}

/// What was given to channels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// How many rows of the outbox were taken; fewer than [`TAKEN_AT_ONCE`] if there are no more, or somebody was cancelling some of them.
    pub taken: usize,
    /// The channels for which something waits now.
    pub channels: BTreeSet<String>,
    /// If anything was taken: all channels that the database knows, and what keeps each from sending.
    pub holds: BTreeMap<String, Hold>,
}

/// A row of the outbox.
#[derive(sqlx::FromRow)]
struct Told {
    event: String,
    post: String,
    site: String,
    alert: Uuid,
    created_at: i64,
}

/// What is to be told on a channel.
struct Delivery<'a> {
    event: &'a str,
    post: &'a str,
    channel: String,
    site: &'a str,
    alert: Uuid,
    created_at: i64,
}

/// Takes the oldest rows of the outbox.
macro_rules! take {
    ($held:literal) => {
        concat!(
            "UPDATE outbox SET state = 'expanded' WHERE state = 'queued' AND (event, post) IN (
                SELECT event, post FROM outbox WHERE state = 'queued' ORDER BY created_at, event, post LIMIT $1",
            $held,
            ") RETURNING event, post, site, alert, created_at"
        )
    };
}

statements! {
    KNOW_CHANNEL = "INSERT INTO channel (name, since, taken, answer) VALUES ($1, $2, FALSE, '') ON CONFLICT DO NOTHING";
    FORGET_CHANNEL = "DELETE FROM channel WHERE name = $1";
    CANCEL_OF_CHANNEL = "UPDATE delivery SET state = 'cancelled', why = 'channel_removed'
        WHERE channel = $1 AND state IN ('queued', 'sending', 'retry')";
    CANCEL_MESSAGE_OF_CHANNEL = "UPDATE message SET state = 'cancelled', next_at = NULL, lease_until = NULL, settled_at = $2
        WHERE channel = $1 AND state IN ('sending', 'retry', 'queued')";
    TAKE = take!("");
    IS_FILLED = "SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'queued')";
    UNADDRESSED = "UPDATE outbox SET state = 'unaddressed' WHERE event = $1 AND post = $2";
    SEVERITY = "SELECT severity FROM alert WHERE id = $1";
    // Whoever heard of an alert through a post hears through it how it goes on.
    HEARD = "SELECT DISTINCT channel FROM delivery WHERE alert = $1 AND post = $2";
    // What was to be told of critical alerts that are still there by a message, and where the receiver is gone by all that waits for it.
    UNDELIVERED = "SELECT d.event, d.post, d.site, d.alert FROM delivery d JOIN alert a ON a.id = d.alert
        WHERE ((d.message = $1 AND d.state = 'dead') OR ($3 AND d.channel = $2 AND d.state = 'queued'))
            AND a.severity = 'critical' AND a.cleared_at IS NULL ORDER BY d.created_at, d.event, d.post";
    AGAIN = "SELECT d.alert, MIN(d.post), MIN(d.site) FROM delivery d JOIN alert a ON a.id = d.alert
        WHERE d.channel = $1 AND a.cleared_at IS NULL AND a.acked_at IS NULL GROUP BY d.alert
        HAVING MAX(d.told_at) <= $2 AND COUNT(CASE WHEN d.state IN ('queued', 'sending', 'retry') THEN 1 END) = 0";
}

/// What somebody cancels at this moment is not waited for: it is taken later if it is there then.
const TAKE_ON_POSTGRES: &str = take!(" FOR UPDATE SKIP LOCKED");

// The bulk statements differ: PostgreSQL takes a list for each column, SQLite has no lists.
static DELIVER: Insert = Insert::new(
    "INSERT INTO delivery (event, post, channel, site, alert, created_at, state, why)",
    8,
    " ON CONFLICT DO NOTHING",
);
const DELIVER_FROM_LISTS: &str = "INSERT INTO delivery (event, post, channel, site, alert, created_at, state, why)
    SELECT *, 'queued', '' FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::BIGINT[])
    ON CONFLICT DO NOTHING";

impl Tx {
    /// Gives what is in the outbox at `now` to the channels that serve its posts, and to those of `mailboxes` who are at them, some of it at
    /// a time.
    pub(crate) async fn expand_outbox(
        &mut self,
        routes: &Routes,
        mailboxes: &[Mailbox],
        now: Timestamp,
    ) -> Result<Expanded, StoreError> {
        let take = if matches!(self, Self::Sqlite(_)) { TAKE } else { TAKE_ON_POSTGRES };
        let mut rows: Vec<Told> = on!(self, "take from the outbox", conn =>
            sqlx::query_as(take).bind(i64::try_from(TAKEN_AT_ONCE).expect("it is small")).fetch_all(conn).await)?;
        if rows.is_empty() {
            return Ok(Expanded::default());
        }
        // The order in which they are told.
        rows.sort_by(|one, other| {
            (one.created_at, &one.event, &one.post).cmp(&(other.created_at, &other.event, &other.post))
        });
        let holds = self.channel_holds().await?;
        // One that was added while the clock was ahead is there all the same.
        let knew = |channel: &str, at: Timestamp| {
            holds.get(channel).is_some_and(|known| known.since <= at || known.since > now)
        };
        let mut deliveries = Vec::with_capacity(rows.len());
        for Told { event, post, site, alert, created_at } in &rows {
            let (alert, created_at, at) = (*alert, *created_at, Timestamp::from_millis(*created_at));
            let serves = |route: &&Route| route.is_of(post) && route.serves(site);
            let serving = routes.channels.iter().filter(serves).map(|route| route.channel.clone());
            let mut channels: BTreeSet<String> = serving.collect();
            let heard = self.heard_of(event, post, alert).await?;
            if let Ok(site) = site.parse::<SiteId>() {
                channels.extend(self.people_of((event, post, &site, alert), &heard, mailboxes, at).await?);
            }
            if What::of(event) == What::Cleared {
                // Also a channel that serves the post no more, or took the place of one that did not take it.
                channels.extend(heard.into_iter().filter(|channel| person_of(channel).is_none()));
            }
            channels.retain(|channel| knew(channel, at));
            let is_gone = |channel: &String| holds.get(channel).is_some_and(|hold| hold.disabled_at.is_some());
            if !channels.is_empty() && channels.iter().all(is_gone) && self.is_critical(alert).await? {
                let gone: Vec<&str> = channels.iter().map(String::as_str).collect();
                let instead = routes.instead_of(&gone, (post, site), &holds).map(str::to_owned);
                channels.extend(instead);
            }
            if channels.is_empty() {
                on!(self, "note that nobody is told", conn => sqlx::query(UNADDRESSED).bind(event).bind(post)
                    .execute(conn).await.map(drop))?;
            }
            let deliver = |channel| Delivery { event, post, channel, site, alert, created_at };
            deliveries.extend(channels.into_iter().map(deliver));
        }
        self.deliver(&deliveries).await?;
        let channels = deliveries.into_iter().map(|delivery| delivery.channel).collect();
        Ok(Expanded { taken: rows.len(), channels, holds })
    }

    /// The channels that heard of an alert through a post, if it is told how that goes on.
    async fn heard_of(&mut self, event: &str, post: &str, alert: Uuid) -> Result<Vec<String>, StoreError> {
        if !matches!(What::of(event), What::Cleared | What::Acknowledged | What::Rejected) {
            return Ok(Vec::new());
        }
        on!(self, "look who heard of an alert", conn => sqlx::query_scalar(HEARD).bind(alert).bind(post).fetch_all(conn).await)
    }

    async fn is_critical(&mut self, alert: Uuid) -> Result<bool, StoreError> {
        let severity: Option<String> = on!(self, "look how grave an alert is", conn => sqlx::query_scalar(SEVERITY)
            .bind(alert).fetch_optional(conn).await)?;
        Ok(severity.as_deref() == Some(Severity::Critical.as_str()))
    }

    /// Tells by other channels what a message that will not be taken was to tell of critical alerts that are still there: once of each alert
    /// and channel. Where its receiver is gone, of all that waits for that too.
    pub(super) async fn tell_instead(
        &mut self,
        (message, channel, is_gone): (Uuid, &str, bool),
        routes: &Routes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let untold: Vec<(String, String, String, Uuid)> = on!(self, "look what a message was to tell", conn =>
            sqlx::query_as(UNDELIVERED).bind(message).bind(channel).bind(is_gone).fetch_all(conn).await)?;
        if untold.is_empty() {
            return Ok(());
        }
        let holds = self.channel_holds().await?;
        let what: Vec<String> = untold.iter().map(|(.., alert)| format!("{alert}:undelivered:{channel}")).collect();
        let instead = untold.iter().zip(&what).filter(|((event, ..), _)| What::of(event).is_beginning());
        let deliveries = instead.filter_map(|((_, post, site, alert), event)| {
            let channel = routes.instead_of(&[channel], (post, site), &holds)?.to_owned();
            Some(Delivery { event, post, channel, site, alert: *alert, created_at: now.millis() })
        });
        self.deliver(&deliveries.collect::<Vec<_>>()).await
    }

    /// Queues deliveries; those that are there already stay as they are.
    async fn deliver(&mut self, deliveries: &[Delivery<'_>]) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sqlite(tx) => {
                for (mut statement, part) in DELIVER.parts(deliveries) {
                    for one in part {
                        statement = statement.bind(one.event.to_owned()).bind(one.post.to_owned());
                        statement = statement.bind(one.channel.clone()).bind(one.site.to_owned()).bind(one.alert);
                        statement = statement.bind(one.created_at).bind("queued").bind("");
                    }
                    statement.execute(&mut **tx).await.map_err(doing("queue deliveries"))?;
                }
                Ok(())
            }
            Self::Postgres(tx) => {
                let list = |column: fn(&Delivery<'_>) -> String| deliveries.iter().map(column).collect::<Vec<String>>();
                let done = sqlx::query(DELIVER_FROM_LISTS)
                    .bind(list(|one| one.event.to_owned()))
                    .bind(list(|one| one.post.to_owned()))
                    .bind(list(|one| one.channel.clone()))
                    .bind(list(|one| one.site.to_owned()))
                    .bind(deliveries.iter().map(|one| one.alert).collect::<Vec<Uuid>>())
                    .bind(deliveries.iter().map(|one| one.created_at).collect::<Vec<i64>>())
                    .execute(&mut **tx)
                    .await;
                done.map(drop).map_err(doing("queue deliveries"))
            }
        }
    }
}

impl Store {
    /// Takes the configured channels over: what waits for one that is gone is cancelled, and a new one is sent what comes from now on.
    pub async fn know_channels(&self, names: &[&str], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_yielding().await?;
        let known = tx.channel_holds().await?;
        for gone in known.keys().filter(|name| !names.contains(&name.as_str())) {
            // First of all: whoever puts something into its queue just now is waited for.
            on!(&mut tx, "forget a channel", conn => sqlx::query(FORGET_CHANNEL).bind(gone).execute(conn).await.map(drop))?;
            on!(&mut tx, "cancel what waits for a channel", conn => sqlx::query(CANCEL_OF_CHANNEL).bind(gone)
                .execute(conn).await.map(drop))?;
            on!(&mut tx, "cancel what waits for a channel", conn => sqlx::query(CANCEL_MESSAGE_OF_CHANNEL).bind(gone)
                .bind(now.millis()).execute(conn).await.map(drop))?;
        }
        for name in names {
            on!(&mut tx, "note a channel", conn => sqlx::query(KNOW_CHANNEL).bind(*name).bind(now.millis())
                .execute(conn).await.map(drop))?;
        }
        tx.commit().await
    }

    /// Whether anything in the outbox is still to be given to channels.
    pub async fn is_outbox_filled(&self) -> Result<bool, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "look into the outbox", conn => sqlx::query_scalar(IS_FILLED).fetch_one(conn).await)
    }

    /// Queues what was last told on a channel at `before` or earlier, is still there, and of which nobody has taken notice.
    pub async fn queue_again(&self, channel: &str, before: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        let mut tx = self.read().await?;
        let due: Vec<(Uuid, String, String)> = on!(&mut tx, "look for what is to be told again", conn =>
            sqlx::query_as(AGAIN).bind(channel).bind(before.millis()).fetch_all(conn).await)?;
        drop(tx);
        if due.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let event = |alert: &Uuid| format!("{alert}:again:{}", now.millis());
        let events: Vec<String> = due.iter().map(|(alert, ..)| event(alert)).collect();
        let again = due.iter().zip(&events).map(|((alert, post, site), event)| Delivery {
            event,
            post,
            channel: channel.to_owned(),
            site,
            alert: *alert,
            created_at: now.millis(),
        });
        tx.deliver(&again.collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(due.len())
    }
}
