//! A message that will not be taken is sent again because somebody wants it to be: the same message, under the same id.
//!
//! It waits as `queued` until its channel has no other one under way, and goes before what is not yet in a message. From then on it is
//! tried like any other, for as long as any other. What was needless because its channel had not heard of the beginning, such as the end,
//! comes after it.

use std::collections::BTreeSet;

use lobby_contract::SiteId;
use lobby_domain::time::Timestamp;
use uuid::Uuid;

use super::{Store, StoreError, on, statements};
use crate::audit::{Actor, Change};

statements! {
    CHANNEL_OF = "SELECT channel FROM message WHERE id = $1";
    // Takes the row's lock: a channel is not removed while something is put into its queue.
    HOLD_CHANNEL = "UPDATE channel SET taken = taken WHERE name = $1";
    RESEND = "UPDATE message SET state = 'queued', next_at = $2, settled_at = $2 WHERE id = $1 AND state = 'dead'";
    DUE_AGAIN = "UPDATE delivery SET state = 'retry' WHERE message = $1 AND state = 'dead'";
    // Whether the end is told depends on whether the beginning was: that is decided anew.
    DECIDE_ANEW = "UPDATE delivery SET state = 'queued', why = '' WHERE channel = $2 AND state = 'cancelled' AND why = 'needless'
            AND alert IN (SELECT carried.alert FROM delivery carried WHERE carried.message = $1)";
    SITES = "SELECT DISTINCT site FROM delivery WHERE message = $1";
}

/// Why a message is not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is no such message.
    #[error("there is no such message")]
    NotFound,
    /// It was taken, is being sent or waits to be; perhaps somebody else asked for it first.
    #[error("this message is not one that will not be taken: it was taken, waits to be sent again, or was cancelled")]
    NotDead,
    /// Its channel is not configured any more.
    #[error("the channel `{0}` is not configured any more: nothing can be sent through it")]
    NoChannel(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Puts a dead message back into the queue of its channel. Returns the channel.
    pub async fn resend(&self, message: Uuid, actor: &Actor, now: Timestamp) -> Result<String, ResendError> {
        let mut tx = self.begin().await?;
        let channel: Option<String> = on!(&mut tx, "look for a message", conn => sqlx::query_scalar(CHANNEL_OF)
            .bind(message).fetch_optional(conn).await)?;
        let channel = channel.ok_or(ResendError::NotFound)?;
        let is_there = on!(&mut tx, "look for a channel", conn => sqlx::query(HOLD_CHANNEL).bind(&channel)
            .execute(conn).await.map(|done| done.rows_affected() == 1))?;
        let is_dead = on!(&mut tx, "send a message again", conn => sqlx::query(RESEND).bind(message).bind(now.millis())
            .execute(conn).await.map(|done| done.rows_affected() == 1))?;
        // What is left here is undone: nothing was committed.
        match (is_dead, is_there) {
            (false, _) => return Err(ResendError::NotDead),
            (true, false) => return Err(ResendError::NoChannel(channel)),
            (true, true) => {}
        }
        on!(&mut tx, "send a message again", conn => sqlx::query(DUE_AGAIN).bind(message).execute(conn).await.map(drop))?;
        on!(&mut tx, "send a message again", conn => sqlx::query(DECIDE_ANEW).bind(message).bind(&channel).execute(conn).await
            .map(drop))?;
        let sites: Vec<String> = on!(&mut tx, "read the sites of a message", conn => sqlx::query_scalar(SITES)
            .bind(message).fetch_all(conn).await)?;
        let sites: BTreeSet<SiteId> = sites.iter().filter_map(|site| site.parse().ok()).collect();
        let only = sites.first().filter(|_| sites.len() == 1);
        let told = Change::new(actor, now, "message.resend", message.to_string()).of_site(only).after(&channel);
        tx.commit_with(&told).await?;
        Ok(channel)
    }
}
