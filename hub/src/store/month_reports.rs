//! Reports of months: which were made, and the messages that carry them.

use std::collections::BTreeSet;

use lobby_contract::SiteId;
use lobby_domain::{purchase::Month, time::Timestamp};
use uuid::Uuid;

use super::{Store, StoreError, on, statements};

statements! {
    REPORTED = "SELECT site FROM month_report WHERE month = $1";
    NOTE_REPORT = "INSERT INTO month_report (site, month, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    // It is due at once. Whatever the channel has under way goes first.
    QUEUE_REPORT = "INSERT INTO message (id, channel, kind, letter, created_at, state, attempts, next_at, answer)
        VALUES ($1, $2, 'report', $3, $4, 'queued', 0, $4, '') ON CONFLICT DO NOTHING";
    NOTE_RECEIVER = "INSERT INTO month_report_message (site, month, message, channel) VALUES ($1, $2, $3, $4)";
    RECEIVERS = "SELECT r.channel, m.state, m.answer, COALESCE(m.settled_at, m.created_at) FROM month_report_message r
        JOIN message m ON m.id = r.message WHERE r.site = $1 AND r.month = $2 ORDER BY r.channel";
}

/// A report as it goes to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLetter {
    /// The message's id.
    pub id: Uuid,
    /// The channel.
    pub channel: String,
    /// What it says, as JSON.
    pub letter: String,
}

/// How a report stands with one of those who are sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportReceiver {
    /// The channel.
    pub channel: String,
    /// As that of a delivery; see [`super::DELIVERY_STATES`].
    pub state: String,
    /// What the receiver said last.
    pub answer: String,
    /// When it was made, or settled.
    pub at: Timestamp,
}

impl Store {
    /// The sites of which a month's report was made.
    pub async fn reported_sites(&self, month: Month) -> Result<BTreeSet<SiteId>, StoreError> {
        let mut tx = self.read().await?;
        let sites: Vec<String> = on!(&mut tx, "read of which sites a report was made", conn => sqlx::query_scalar(REPORTED)
            .bind(month.to_string()).fetch_all(conn).await)?;
        Ok(sites.into_iter().filter_map(|site| site.parse().ok()).collect())
    }

    /// Notes that a month's report of a site is made, with the messages that carry it: once, whoever does it.
    pub async fn queue_month_report(
        &self,
        site: &SiteId,
        month: Month,
        letters: &[ReportLetter],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let month = month.to_string();
        let mut tx = self.begin().await?;
        let is_new = on!(&mut tx, "note that a report is made", conn => sqlx::query(NOTE_REPORT).bind(site.as_str())
            .bind(&month).bind(now.millis()).execute(conn).await.map(|done| done.rows_affected() == 1))?;
        if !is_new {
            return Ok(());
        }
        for ReportLetter { id, channel, letter } in letters {
            on!(&mut tx, "queue a report", conn => sqlx::query(QUEUE_REPORT).bind(*id).bind(channel).bind(letter)
                .bind(now.millis()).execute(conn).await.map(drop))?;
            on!(&mut tx, "note to whom a report goes", conn => sqlx::query(NOTE_RECEIVER).bind(site.as_str()).bind(&month)
                .bind(*id).bind(channel).execute(conn).await.map(drop))?;
        }
        tx.commit().await
    }

    /// How a month's report of a site stands with those who are sent it. What is older than messages are kept is not told.
    pub async fn month_report(&self, site: &SiteId, month: Month) -> Result<Vec<ReportReceiver>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(String, String, String, i64)> = on!(&mut tx, "read to whom a report went", conn =>
            sqlx::query_as(RECEIVERS).bind(site.as_str()).bind(month.to_string()).fetch_all(conn).await)?;
        let row =
            |(channel, state, answer, at)| ReportReceiver { channel, state, answer, at: Timestamp::from_millis(at) };
        Ok(rows.into_iter().map(row).collect())
    }
}
