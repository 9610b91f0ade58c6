//! Rounds that somebody starts: before guests play (REC-S3.2), or where no opening hours say when a round is due.

use lobby_contract::SiteId;
use lobby_domain::{
    check::{Checklist, Line, started_id},
    time::Timestamp,
};
use uuid::Uuid;

use super::{Store, StoreError, on, rounds::Opening, statements};
use crate::audit::{Actor, Change};

statements! {
    // What is planned but not yet begun is there already: nobody makes two.
    UNDER_WAY = "SELECT id FROM check_round
        WHERE site = $1 AND checklist = $2 AND opens_at <= $3 AND closes_at > $3
            AND NOT (state = 'signed_in' OR (state = 'signed_out' AND takes_over IS NULL))
        ORDER BY due_at, id LIMIT 1";
    STARTED_BEFORE = "SELECT COUNT(*) FROM check_round WHERE site = $1 AND checklist = $2 AND day = $3 AND nth >= $4";
}

/// A round that somebody starts.
#[derive(Debug, Clone, Copy)]
pub struct Starting<'a> {
    /// Tells this wish from any other: what is sent twice is started once.
    pub key: Uuid,
    /// The site.
    pub site: &'a SiteId,
    /// The checklist.
    pub list: &'a Checklist,
    /// What is looked at, as the site is now.
    pub lines: &'a [Line],
    /// The site's zone, which says of which day it is.
    pub zone: &'a jiff::tz::TimeZone,
    /// Who starts it.
    pub actor: &'a Actor,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Starts a round. Where one of its checklist is under way, that one is meant. Returns its id.
    pub async fn start_round(&self, asked: Starting<'_>) -> Result<Uuid, StoreError> {
        let Starting { key, site, list, lines, zone, actor, at } = asked;
        let id = started_id(site.as_str(), &list.id, key);
        let mut tx = self.begin().await?;
        tx.hold_rounds(site).await?;
        if tx.round(id).await?.is_some() {
            return Ok(id);
        }
        let there: Option<Uuid> = on!(&mut tx, "look for a round that is under way", conn => sqlx::query_scalar(UNDER_WAY)
            .bind(site.as_str()).bind(&*list.id).bind(at.millis()).fetch_optional(conn).await)?;
        if let Some(there) = there {
            return Ok(there);
        }
        let first = list.started(at, zone, 0);
        let before: i64 = on!(&mut tx, "count the rounds that were started", conn => sqlx::query_scalar(STARTED_BEFORE)
            .bind(site.as_str()).bind(&*list.id).bind(first.day.to_string()).bind(first.nth).fetch_one(conn).await)?;
        let slot = list.started(at, zone, before);
        let after = format!("{} {}", list.id, slot.day);
        tx.open_round(site, &Opening { id, slot, list, lines, excused: false }, at).await?;
        tx.commit_with(&Change::new(actor, at, "round.start", id.to_string()).of_site(Some(site)).after(after)).await?;
        Ok(id)
    }
}
