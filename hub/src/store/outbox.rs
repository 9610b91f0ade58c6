//! What is to be told: from what waits for channels into messages.
//!
//! Each delivery has a state of its own. A message is made, and noted as being sent, before anything leaves the hub; if the hub
//! dies then, the lease of the message ends, and the same message goes again under the same id.

use std::collections::BTreeMap;

use lobby_contract::SiteId;
use lobby_domain::{
    alert::AlertId,
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{Routes, Store, StoreError, Tx, on, statements};
use crate::audit::Change;

/// Most rows that are removed at once.
const MOST_REMOVED: i64 = 1000;

/// A delivery that waits to be put into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What is told.
    pub event: String,
    /// To whom.
    pub post: String,
    /// Of which site.
    pub site: SiteId,
    /// Of which alert.
    pub alert: AlertId,
    /// Since when.
    pub created_at: Timestamp,
    /// When the channel last heard of the alert, if it may have.
    pub told_at: Option<Timestamp>,
}

/// What waits to be put into messages of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// The oldest first.
    pub queued: Vec<Queued>,
    /// When each site's group was last told.
    pub told: BTreeMap<SiteId, Timestamp>,
}

/// A message that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'a> {
    /// Its id, for ever.
    pub id: Uuid,
    /// Its channel.
    pub channel: &'a str,
    /// The channel for whose rate it counts: that through which it goes.
    pub counts_for: &'a str,
    /// `single`, `group` or `digest`.
    pub kind: &'a str,
    /// What it says, as JSON.
    pub letter: String,
    /// The deliveries it carries, by event and post.
    pub carries: Vec<(&'a str, &'a str)>,
    /// Whether that is all that waits for the channel, as this transaction sees it.
    pub carries_all: bool,
    /// The sites whose groups are told by it.
    pub flushed: Vec<&'a SiteId>,
}

/// A message that is being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id.
    pub id: Uuid,
    /// What it says, as JSON.
    pub letter: String,
    /// Which attempt this is, from 1.
    pub nth: i64,
    /// Since when it is tried: when it was made, or when somebody asked for it to be sent again.
    pub since: Timestamp,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted<'a> {
    /// The message.
    pub message: Uuid,
    /// Which attempt.
    pub nth: i64,
    /// Its channel.
    pub channel: &'a str,
    /// How long it took.
    pub took: Span,
    /// In one word.
    pub outcome: &'a str,
    /// What the receiver said.
    pub answer: &'a str,
    /// Whether the receiver may have heard of it.
    pub heard: bool,
    /// What becomes of the message.
    pub then: Then,
    /// Until when the receiver wants no more messages.
    pub paused_until: Option<Timestamp>,
    /// Where else it is told that a critical alert was not told, if the message will never be taken.
    pub instead: Option<&'a Routes>,
}

/// What becomes of a message after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It was taken.
    Sent,
    /// It is sent again at this time.
    Again(Timestamp),
    /// It will never be taken.
    Dead,
    /// Nor will any other: the receiver is gone.
    Gone,
}

#[derive(sqlx::FromRow)]
struct RawQueued {
    event: String,
    post: String,
    site: String,
    alert: Uuid,
    created_at: i64,
    told_at: Option<i64>,
}

statements! {
    QUEUED = "SELECT d.event, d.post, d.site, d.alert, d.created_at,
            (SELECT MAX(t.told_at) FROM delivery t WHERE t.alert = d.alert AND t.channel = d.channel) AS told_at
        FROM delivery d WHERE d.channel = $1 AND d.state = 'queued' ORDER BY d.created_at, d.event, d.post LIMIT $2";
    DROP = "UPDATE delivery SET state = 'cancelled', why = $4
        WHERE event = $1 AND post = $2 AND channel = $3 AND state = 'queued'";
    CARRY = "UPDATE delivery SET state = 'sending', message = $4
        WHERE event = $1 AND post = $2 AND channel = $3 AND state = 'queued'";
    CARRY_ALL = "UPDATE delivery SET state = 'sending', message = $2 WHERE channel = $1 AND state = 'queued'";
    COMPOSE = "INSERT INTO message (id, channel, kind, letter, created_at, state, attempts, lease_until, answer)
        VALUES ($1, $2, $3, $4, $5, 'sending', 1, $6, '') ON CONFLICT DO NOTHING";
    FLUSHED = "INSERT INTO flush (channel, site, at) VALUES ($1, $2, $3) ON CONFLICT (channel, site) DO UPDATE SET at = excluded.at";
    FLUSHES = "SELECT site, at FROM flush WHERE channel = $1";
    // If none is under way, one that somebody wants to be sent again, or a report, which carries no deliveries.
    UNDER_WAY = "SELECT id, due FROM (
            SELECT id, COALESCE(next_at, lease_until, 0) AS due, 0 AS turn FROM message
                WHERE channel = $1 AND state IN ('sending', 'retry')
            UNION ALL SELECT m.id, m.next_at, 1 FROM message m WHERE m.channel = $1 AND m.state = 'queued'
                AND (m.kind = 'report' OR EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id AND d.state = 'retry'))
        ) AS those ORDER BY turn, due, id LIMIT 1";
    CLAIM = "UPDATE message SET state = 'sending', attempts = attempts + 1, next_at = NULL, lease_until = $4
        WHERE id = $1 AND ((state IN ('retry', 'queued') AND next_at = $2) OR (state = 'sending' AND lease_until = $3))
        RETURNING letter, attempts, COALESCE(settled_at, created_at)";
    CARRIED_AGAIN = "UPDATE delivery SET state = 'sending' WHERE message = $1 AND state = 'retry'";
    ATTEMPT = "INSERT INTO attempt (message, nth, channel, at, outcome, answer) VALUES ($1, $2, $3, $4, '', '')
        ON CONFLICT DO NOTHING";
    SPENT = "SELECT at FROM attempt WHERE channel = $1 AND at > $2";
    ATTEMPTED = "UPDATE attempt SET took = $3, outcome = $4, answer = $5 WHERE message = $1 AND nth = $2";
    SETTLE_MESSAGE = "UPDATE message SET state = $3, next_at = $4, lease_until = NULL, settled_at = COALESCE($5, settled_at),
            answer = $6
        WHERE id = $1 AND attempts = $2 AND state = 'sending'";
    SETTLE_DELIVERIES = "UPDATE delivery SET state = CASE WHEN CAST($2 AS TEXT) = 'sent' AND
                (SELECT m.kind FROM message m WHERE m.id = $1) = 'digest' THEN 'digested' ELSE CAST($2 AS TEXT) END,
            told_at = CASE WHEN $3 THEN COALESCE(told_at, $4) ELSE told_at END
        WHERE message = $1 AND state IN ('sending', 'retry')";
    HEARD_ALL_THE_SAME = "UPDATE delivery SET told_at = COALESCE(told_at, $2) WHERE message = $1";
    ANSWERED = "UPDATE channel SET answered_at = $2, taken = $3, answer = $4, paused_until = $5,
            disabled_at = CASE WHEN $6 THEN COALESCE(disabled_at, $2) WHEN $3 THEN NULL ELSE disabled_at END
        WHERE name = $1";
    CANCEL_OUTBOX = "UPDATE outbox SET state = 'cancelled' WHERE alert = $1 AND event <> $2 AND state = 'queued'
            AND NOT ($3 AND (event LIKE '%:escalated:%' OR event LIKE '%:assigned:%'))";
    CANCEL_DELIVERIES = "UPDATE delivery SET state = 'cancelled', why = $4 WHERE alert = $1 AND event <> $2 AND state = 'queued'
            AND NOT ($3 AND (event LIKE '%:escalated:%' OR event LIKE '%:assigned:%'))";
    OLD_DELIVERIES = "DELETE FROM delivery WHERE (event, post, channel) IN (SELECT d.event, d.post, d.channel FROM delivery d
            JOIN alert a ON a.id = d.alert WHERE d.created_at < $1 AND a.cleared_at < $1
                AND d.state IN ('sent', 'digested', 'dead', 'cancelled') LIMIT $2)";
    OLD_MESSAGES = "DELETE FROM message WHERE id IN (SELECT m.id FROM message m
            WHERE m.settled_at < $1 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message = m.id) LIMIT $2)";
    OLD_ATTEMPTS = "DELETE FROM attempt WHERE (message, nth) IN (SELECT t.message, t.nth FROM attempt t
            WHERE t.at < $1 AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = t.message) LIMIT $2)";
    OLD_OUTBOX = "DELETE FROM outbox WHERE (event, post) IN (SELECT o.event, o.post FROM outbox o JOIN alert a ON a.id = o.alert
            WHERE o.created_at < $1 AND a.cleared_at < $1 AND o.state <> 'queued' LIMIT $2)";
}

impl TryFrom<RawQueued> for Queued {
    type Error = StoreError;

    fn try_from(raw: RawQueued) -> Result<Self, StoreError> {
        let what = |error| StoreError::Inconsistent {
            table: "delivery",
            id: raw.event.clone(),
            what: format!("site: {error}"),
        };
        Ok(Self {
            site: raw.site.parse().map_err(what)?,
            event: raw.event,
            post: raw.post,
            alert: AlertId(raw.alert),
            created_at: Timestamp::from_millis(raw.created_at),
            told_at: raw.told_at.map(Timestamp::from_millis),
        })
    }
}

impl Tx {
    /// What of an alert has not been sent and is not its end is not sent any more; with `but_whose_it_is`, it is still told to whom its
    /// incident came. In the transaction that made it needless.
    pub(super) async fn cancel_notifications(
        &mut self,
        alert: AlertId,
        why: &str,
        but_whose_it_is: bool,
    ) -> Result<(), StoreError> {
        let end = format!("{alert}:cleared");
        on!(self, "cancel what is not yet sent", conn => sqlx::query(CANCEL_OUTBOX).bind(alert.0).bind(&end)
            .bind(but_whose_it_is).execute(conn).await.map(drop))?;
        on!(self, "cancel what is not yet sent", conn => sqlx::query(CANCEL_DELIVERIES).bind(alert.0).bind(&end)
            .bind(but_whose_it_is).bind(why).execute(conn).await.map(drop))
    }

    /// What waits to be put into a message of a channel; so many deliveries at most.
    pub(crate) async fn queued_for(&mut self, channel: &str, most: usize) -> Result<Waits, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows: Vec<RawQueued> = on!(self, "read what waits for a channel", conn =>
            sqlx::query_as(QUEUED).bind(channel).bind(most).fetch_all(conn).await)?;
        if rows.is_empty() {
            return Ok(Waits::default());
        }
        let told: Vec<(String, i64)> = on!(self, "read when groups were told", conn =>
            sqlx::query_as(FLUSHES).bind(channel).fetch_all(conn).await)?;
        let told = told.into_iter().filter_map(|(site, at)| Some((site.parse().ok()?, Timestamp::from_millis(at))));
        Ok(Waits { queued: rows.into_iter().map(Queued::try_from).collect::<Result<_, _>>()?, told: told.collect() })
    }

    /// Notes that deliveries will not be made, each by its event and post, and why.
    pub(crate) async fn drop_deliveries(
        &mut self,
        channel: &str,
        dropped: &[(&str, &str, &str)],
    ) -> Result<(), StoreError> {
        for (event, post, why) in dropped {
            on!(self, "cancel a delivery", conn => sqlx::query(DROP).bind(*event).bind(*post).bind(channel).bind(*why)
                .execute(conn).await.map(drop))?;
        }
        Ok(())
    }

    /// Makes a message and notes its first attempt. Nothing is returned if what it tells of has changed meanwhile or the channel has another
    /// message under way: then nothing of the transaction may be committed.
    pub(crate) async fn compose(
        &mut self,
        draft: Draft<'_>,
        now: Timestamp,
        lease: Span,
    ) -> Result<Option<Outgoing>, StoreError> {
        let made = on!(self, "make a message", conn => sqlx::query(COMPOSE).bind(draft.id).bind(draft.channel)
            .bind(draft.kind).bind(&draft.letter).bind(now.millis()).bind((now + lease).millis())
            .execute(conn).await.map(|done| done.rows_affected() == 1))?;
        if !made {
            return Ok(None);
        }
        let mut carried = 0;
        if draft.carries_all {
            carried = on!(self, "put deliveries into a message", conn => sqlx::query(CARRY_ALL).bind(draft.channel)
                .bind(draft.id).execute(conn).await.map(|done| done.rows_affected()))?;
        } else {
            for (event, post) in &draft.carries {
                carried += on!(self, "put a delivery into a message", conn => sqlx::query(CARRY).bind(*event).bind(*post)
                    .bind(draft.channel).bind(draft.id).execute(conn).await.map(|done| done.rows_affected()))?;
            }
        }
        if usize::try_from(carried) != Ok(draft.carries.len()) {
            return Ok(None);
        }
        for site in &draft.flushed {
            on!(self, "note when a group was told", conn => sqlx::query(FLUSHED).bind(draft.channel).bind(site.as_str())
                .bind(now.millis()).execute(conn).await.map(drop))?;
        }
        self.note_attempt(draft.id, 1, draft.counts_for, now).await?;
        Ok(Some(Outgoing { id: draft.id, letter: draft.letter, nth: 1, since: now }))
    }

    /// The message that a channel has under way: its id, and when it is to be sent again. One that somebody is sending just now is due
    /// when the lease of that ends. If there is none, the first that waits for the channel: a report, or what
    /// somebody wants to be sent again.
    pub(crate) async fn under_way(&mut self, channel: &str) -> Result<Option<(Uuid, Timestamp)>, StoreError> {
        let row: Option<(Uuid, i64)> = on!(self, "read what is under way", conn =>
            sqlx::query_as(UNDER_WAY).bind(channel).fetch_optional(conn).await)?;
        Ok(row.map(|(id, due)| (id, Timestamp::from_millis(due))))
    }

    /// When messages were last sent on a channel, after `after`.
    pub(crate) async fn spent(&mut self, channel: &str, after: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let spent: Vec<i64> = on!(self, "read when messages were sent", conn => sqlx::query_scalar(SPENT).bind(channel)
            .bind(after.millis()).fetch_all(conn).await)?;
        Ok(spent.into_iter().map(Timestamp::from_millis).collect())
    }

    async fn note_attempt(&mut self, message: Uuid, nth: i64, channel: &str, now: Timestamp) -> Result<(), StoreError> {
        on!(self, "note an attempt", conn => sqlx::query(ATTEMPT).bind(message).bind(nth).bind(channel).bind(now.millis())
            .execute(conn).await.map(drop))
    }

    async fn note_answer(&mut self, attempted: &Attempted<'_>, now: Timestamp) -> Result<(), StoreError> {
        on!(self, "store what a receiver said", conn => sqlx::query(ATTEMPTED).bind(attempted.message).bind(attempted.nth)
            .bind(attempted.took.millis()).bind(attempted.outcome).bind(attempted.answer).execute(conn).await.map(drop))?;
        on!(self, "store what a receiver said", conn => sqlx::query(ANSWERED).bind(attempted.channel).bind(now.millis())
            .bind(attempted.then == Then::Sent).bind(attempted.answer).bind(attempted.paused_until.map(Timestamp::millis))
            .bind(attempted.then == Then::Gone).execute(conn).await.map(drop))
    }
}

impl Store {
    /// Takes a message that is due at `due`, to send it again; it counts for the rate of a channel. `None` if somebody else did.
    pub async fn claim(
        &self,
        id: Uuid,
        counts_for: &str,
        due: Timestamp,
        now: Timestamp,
        lease: Span,
    ) -> Result<Option<Outgoing>, StoreError> {
        let mut tx = self.begin().await?;
        let row: Option<(String, i64, i64)> = on!(&mut tx, "take a message", conn => sqlx::query_as(CLAIM).bind(id)
            .bind(due.millis()).bind(due.millis()).bind((now + lease).millis()).fetch_optional(conn).await)?;
        let Some((letter, nth, since)) = row else { return Ok(None) };
        on!(&mut tx, "take a message", conn => sqlx::query(CARRIED_AGAIN).bind(id).execute(conn).await.map(drop))?;
        tx.note_attempt(id, nth, counts_for, now).await?;
        tx.commit().await?;
        Ok(Some(Outgoing { id, letter, nth, since: Timestamp::from_millis(since) }))
    }

    /// Stores what came of an attempt, for the message and all that it carries.
    pub async fn settle_attempt(&self, attempted: &Attempted<'_>, now: Timestamp) -> Result<(), StoreError> {
        let (state, next, settled) = match attempted.then {
            Then::Sent => ("sent", None, Some(now)),
            Then::Again(at) => ("retry", Some(at), None),
            Then::Dead | Then::Gone => ("dead", None, Some(now)),
        };
        let mut tx = self.begin().await?;
        tx.note_answer(attempted, now).await?;
        let ours = on!(&mut tx, "settle a message", conn => sqlx::query(SETTLE_MESSAGE).bind(attempted.message)
            .bind(attempted.nth).bind(state).bind(next.map(Timestamp::millis)).bind(settled.map(Timestamp::millis))
            .bind(attempted.answer).execute(conn).await.map(|done| done.rows_affected() == 1))?;
        if ours {
            on!(&mut tx, "settle deliveries", conn => sqlx::query(SETTLE_DELIVERIES).bind(attempted.message).bind(state)
                .bind(attempted.heard).bind(now.millis()).execute(conn).await.map(drop))?;
            if let Some(routes) = attempted.instead.filter(|_| state == "dead") {
                let message = (attempted.message, attempted.channel, attempted.then == Then::Gone);
                tx.tell_instead(message, routes, now).await?;
            }
        } else if attempted.heard {
            // Another attempt is under way, or the channel was removed: the receiver has heard of it all the same.
            on!(&mut tx, "settle deliveries", conn => sqlx::query(HEARD_ALL_THE_SAME).bind(attempted.message)
                .bind(now.millis()).execute(conn).await.map(drop))?;
        }
        tx.commit().await
    }

    /// Notes an attempt that belongs to no message: a test. It counts for the channel's rate.
    pub async fn begin_test(
        &self,
        id: Uuid,
        channel: &str,
        told: Option<&Change>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.note_attempt(id, 1, channel, now).await?;
        match told {
            Some(change) => tx.commit_with(change).await,
            None => tx.commit().await,
        }
    }

    /// Stores what came of a test.
    pub async fn end_test(&self, attempted: &Attempted<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.note_answer(attempted, now).await?;
        tx.commit().await
    }

    /// Removes some of what is older than `before` and over, and of whose alert nothing more will be told. Returns whether there may
    /// be more of it.
    pub async fn forget_notifications(&self, before: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let mut more = false;
        for sql in [OLD_DELIVERIES, OLD_MESSAGES, OLD_ATTEMPTS, OLD_OUTBOX] {
            let removed = on!(&mut tx, "remove old notifications", conn => sqlx::query(sql).bind(before.millis())
                .bind(MOST_REMOVED).execute(conn).await.map(|done| done.rows_affected()))?;
            more |= removed >= MOST_REMOVED.unsigned_abs();
        }
        tx.commit().await?;
        Ok(more)
    }
}
