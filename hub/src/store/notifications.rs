//! What is seen of notifications: a list of deliveries, how channels stand, and numbers.

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{alert::AlertId, time::Timestamp};
use uuid::Uuid;

use super::{Cursor, CursorError, Store, StoreError, Tx, on, page, statements};

/// Everything that a delivery's state may be.
pub const DELIVERY_STATES: [&str; 7] = ["queued", "sending", "retry", "sent", "digested", "dead", "cancelled"];

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// What is told.
    pub event: String,
    /// To which post.
    pub post: String,
    /// Through which channel.
    pub channel: String,
    /// Of which site.
    pub site: SiteId,
    /// Of which alert.
    pub alert: AlertId,
    /// Since when it is to be told.
    pub created_at: Timestamp,
    /// One of [`DELIVERY_STATES`].
    pub state: String,
    /// Why it was cancelled; otherwise empty.
    pub why: String,
    /// The message that carries it.
    pub message: Option<Uuid>,
    /// Why it is in that message: `single`, `group` or `digest`.
    pub kind: Option<String>,
    /// How often the message was sent.
    pub attempts: i64,
    /// When it is sent again.
    pub next_at: Option<Timestamp>,
    /// When the receiver may first have heard of it.
    pub told_at: Option<Timestamp>,
    /// What the receiver said last.
    pub answer: String,
}

/// Which deliveries are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// In this state only.
    pub state: Option<String>,
    /// Through this channel only.
    pub channel: Option<String>,
    /// Of this site only.
    pub site: Option<SiteId>,
    /// Of this alert only.
    pub alert: Option<AlertId>,
    /// Carried by this message only.
    pub message: Option<Uuid>,
}

/// How a channel stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    /// Since when it is known.
    pub since: Timestamp,
    /// Since when its receiver is gone.
    pub disabled_at: Option<Timestamp>,
    /// Until when its receiver wants nothing.
    pub paused_until: Option<Timestamp>,
    /// When something was last sent.
    pub answered_at: Option<Timestamp>,
    /// Whether that was taken.
    pub taken: bool,
    /// What the receiver said.
    pub answer: String,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Deliveries of the last day that will not be made.
    pub dead: i64,
}

/// What keeps a channel from sending, if anything does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Since when it is sent what comes.
    pub since: Timestamp,
    /// Since when its receiver is gone.
    pub disabled_at: Option<Timestamp>,
    /// Until when its receiver wants nothing.
    pub paused_until: Option<Timestamp>,
    /// Whether it did not take what it was sent last.
    pub failing: bool,
}

/// Numbers for the metrics page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotificationCounts {
    /// Rows of the outbox by state.
    pub outbox: Vec<(String, i64)>,
    /// Deliveries by state.
    pub deliveries: Vec<(String, i64)>,
    /// Since when the oldest of those that wait has been waiting.
    pub oldest: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    event: String,
    post: String,
    channel: String,
    site: String,
    alert: Uuid,
    created_at: i64,
    state: String,
    why: String,
    message: Option<Uuid>,
    kind: Option<String>,
    attempts: Option<i64>,
    next_at: Option<i64>,
    told_at: Option<i64>,
    answer: Option<String>,
}

#[derive(sqlx::FromRow)]
struct RawChannel {
    name: String,
    since: i64,
    disabled_at: Option<i64>,
    paused_until: Option<i64>,
    answered_at: Option<i64>,
    taken: bool,
    answer: String,
    waiting: i64,
    dead: i64,
}

#[derive(sqlx::FromRow)]
struct RawHold {
    name: String,
    since: i64,
    disabled_at: Option<i64>,
    paused_until: Option<i64>,
    failing: bool,
}

statements! {
    LIST = "SELECT d.event, d.post, d.channel, d.site, d.alert, d.created_at, d.state, d.why, d.message, m.kind, m.attempts, m.next_at,
            d.told_at, m.answer
        FROM delivery d LEFT JOIN message m ON m.id = d.message
        WHERE (CAST($1 AS TEXT) IS NULL OR d.state = $1) AND (CAST($2 AS TEXT) IS NULL OR d.channel = $2)
            AND (CAST($3 AS TEXT) IS NULL OR d.site = $3)
            AND ($4 OR d.alert = $5) AND ($6 OR d.message = $7)
            AND (d.created_at, d.event, d.post, d.channel) < ($8, $9, $10, $11)
        ORDER BY d.created_at DESC, d.event DESC, d.post DESC, d.channel DESC LIMIT $12";
    CHANNELS = "SELECT c.name, c.since, c.disabled_at, c.paused_until, c.answered_at, c.taken, c.answer,
            (SELECT COUNT(*) FROM delivery d WHERE d.channel = c.name AND d.state IN ('queued', 'sending', 'retry')) AS waiting,
            (SELECT COUNT(*) FROM delivery d WHERE d.channel = c.name AND d.state = 'dead' AND d.created_at > $1) AS dead
        FROM channel c ORDER BY c.name";
    HOLDS = "SELECT name, since, disabled_at, paused_until, CASE WHEN answered_at IS NULL THEN FALSE ELSE NOT taken END AS failing
        FROM channel";
    COUNT_OUTBOX = "SELECT state, COUNT(*) FROM outbox GROUP BY state";
    COUNT_DELIVERIES = "SELECT state, COUNT(*) FROM delivery GROUP BY state";
    OLDEST = "SELECT MIN(created_at) FROM delivery WHERE state IN ('queued', 'sending', 'retry')";
}

impl TryFrom<Raw> for DeliveryRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let what = |error| StoreError::Inconsistent {
            table: "delivery",
            id: raw.event.clone(),
            what: format!("site: {error}"),
        };
        Ok(Self {
            site: raw.site.parse().map_err(what)?,
            event: raw.event,
            post: raw.post,
            channel: raw.channel,
            alert: AlertId(raw.alert),
            created_at: Timestamp::from_millis(raw.created_at),
            state: raw.state,
            why: raw.why,
            message: raw.message,
            kind: raw.kind,
            attempts: raw.attempts.unwrap_or(0),
            next_at: raw.next_at.map(Timestamp::from_millis),
            told_at: raw.told_at.map(Timestamp::from_millis),
            answer: raw.answer.unwrap_or_default(),
        })
    }
}

impl From<RawChannel> for ChannelRow {
    fn from(raw: RawChannel) -> Self {
        Self {
            name: raw.name,
            since: Timestamp::from_millis(raw.since),
            disabled_at: raw.disabled_at.map(Timestamp::from_millis),
            paused_until: raw.paused_until.map(Timestamp::from_millis),
            answered_at: raw.answered_at.map(Timestamp::from_millis),
            taken: raw.taken,
            answer: raw.answer,
            waiting: raw.waiting,
            dead: raw.dead,
        }
    }
}

impl Tx {
    /// The channels that the database knows, and what keeps each from sending.
    pub(crate) async fn channel_holds(&mut self) -> Result<BTreeMap<String, Hold>, StoreError> {
        let rows: Vec<RawHold> = on!(self, "read channels", conn => sqlx::query_as(HOLDS).fetch_all(conn).await)?;
        let hold = |raw: RawHold| {
            let [disabled_at, paused_until] =
                [raw.disabled_at, raw.paused_until].map(|at| at.map(Timestamp::from_millis));
            let since = Timestamp::from_millis(raw.since);
            (raw.name, Hold { since, disabled_at, paused_until, failing: raw.failing })
        };
        Ok(rows.into_iter().map(hold).collect())
    }
}

impl Store {
    /// One page of deliveries, the newest first, and where the next begins.
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Result<(Vec<DeliveryRow>, Option<Cursor>), CursorError>, StoreError> {
        let key = match after {
            None => Ok((i64::MAX, String::new(), String::new(), String::new())),
            Some(cursor) => cursor.number(0).and_then(|at| {
                Ok((at, cursor.text(1)?.to_owned(), cursor.text(2)?.to_owned(), cursor.text(3)?.to_owned()))
            }),
        };
        let Ok((at, event, post, channel)) = key else { return Ok(Err(CursorError)) };
        let mut tx = self.read().await?;
        let rows: Vec<Raw> = on!(&mut tx, "read notifications", conn => sqlx::query_as(LIST)
            .bind(filter.state.as_deref()).bind(filter.channel.as_deref()).bind(filter.site.as_ref().map(SiteId::as_str))
            .bind(filter.alert.is_none()).bind(filter.alert.map(|alert| alert.0)).bind(filter.message.is_none())
            .bind(filter.message).bind(at).bind(event).bind(post).bind(channel).bind(limit + 1).fetch_all(conn).await)?;
        let mut rows = rows.into_iter().map(DeliveryRow::try_from).collect::<Result<Vec<_>, _>>()?;
        let next = page::cut(&mut rows, limit, |row| {
            vec![row.created_at.millis().to_string(), row.event.clone(), row.post.clone(), row.channel.clone()]
        });
        Ok(Ok((rows, next)))
    }

    /// How every channel stands; `dead` counts from `since`.
    pub async fn channels(&self, since: Timestamp) -> Result<Vec<ChannelRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<RawChannel> = on!(&mut tx, "read channels", conn => sqlx::query_as(CHANNELS).bind(since.millis())
            .fetch_all(conn).await)?;
        Ok(rows.into_iter().map(ChannelRow::from).collect())
    }

    /// Numbers for the metrics page.
    pub async fn notification_counts(&self) -> Result<NotificationCounts, StoreError> {
        let mut tx = self.read().await?;
        let outbox = on!(&mut tx, "count notifications", conn => sqlx::query_as(COUNT_OUTBOX).fetch_all(conn).await)?;
        let deliveries =
            on!(&mut tx, "count notifications", conn => sqlx::query_as(COUNT_DELIVERIES).fetch_all(conn).await)?;
        let oldest: Option<i64> =
            on!(&mut tx, "count notifications", conn => sqlx::query_scalar(OLDEST).fetch_one(conn).await)?;
        Ok(NotificationCounts { outbox, deliveries, oldest: oldest.map(Timestamp::from_millis) })
    }
}
