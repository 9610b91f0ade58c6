//! Messages to people themselves who have lost the post meanwhile for which these wait.

use std::collections::BTreeSet;

use lobby_contract::SiteId;
use lobby_domain::{notice::What, roster::Staffing, time::Timestamp};
use uuid::Uuid;

use super::{Mailbox, Store, StoreError, channel_of, on, statements};

statements! {
    OWN_WAITING = "SELECT event, post, site, created_at, message FROM delivery
        WHERE channel = $1 AND state IN ('queued', 'sending', 'retry') ORDER BY created_at, event, post";
    CANCEL_LEFT = "UPDATE delivery SET state = 'cancelled', why = 'left'
        WHERE event = $1 AND post = $2 AND channel = $3 AND state IN ('queued', 'sending', 'retry')";
    CANCEL_MESSAGE_LEFT = "UPDATE message SET state = 'cancelled', next_at = NULL, lease_until = NULL, settled_at = $2
        WHERE id = $1 AND state IN ('sending', 'retry', 'queued')";
}

type Waiting = (String, String, String, i64, Option<Uuid>);

impl Store {
    /// Cancels what waits for somebody as one of a post at which they are no longer: neither do they hold it at that site, nor had a roster
    /// them there when it came. How something goes on of which they have heard, and what they were given by name, is told to them all the same. A message that was made
    /// before says what it says: it is sent if it tells anything that is still theirs. Returns how many deliveries were cancelled.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn cancel_left(&self, one: &Mailbox, now: Timestamp) -> Result<usize, StoreError> {
        let channel = channel_of(&one.person);
        let mut tx = self.read().await?;
        let waiting: Vec<Waiting> = on!(&mut tx, "read what waits for somebody", conn => sqlx::query_as(OWN_WAITING)
            .bind(&channel).fetch_all(conn).await)?;
        let (mut left, mut theirs) = (Vec::new(), BTreeSet::new());
        for row in &waiting {
            let (event, post, site, at, message) = row;
            let goes_on =
                matches!(What::of(event), What::Cleared | What::Acknowledged | What::Rejected | What::Assigned);
            let bad = |error| StoreError::Inconsistent {
                table: "delivery",
                id: event.clone(),
                what: format!("site: {error}"),
            };
            let site: SiteId = site.parse().map_err(bad)?;
            let is_theirs = goes_on || one.is_at(post, &site) || {
                let at_post = tx.posts(&site, Timestamp::from_millis(*at)).await?.at(post);
                matches!(at_post, Staffing::People(people) if people.iter().any(|person| *person.id == *one.person))
            };
            if is_theirs {
                theirs.extend(*message);
            } else {
                left.push(row);
            }
        }
        drop(tx);
        left.retain(|(.., message)| message.is_none_or(|message| !theirs.contains(&message)));
        if left.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin_yielding().await?;
        for (event, post, _, _, message) in &left {
            if let Some(message) = message {
                on!(&mut tx, "cancel what is of a post they left", conn => sqlx::query(CANCEL_MESSAGE_LEFT).bind(*message)
                    .bind(now.millis()).execute(conn).await.map(drop))?;
            }
            on!(&mut tx, "cancel what is of a post they left", conn => sqlx::query(CANCEL_LEFT).bind(event).bind(post)
                .bind(&channel).execute(conn).await.map(drop))?;
        }
        tx.commit().await?;
        Ok(left.len())
    }
}
