//! Statements that somebody has looked at and agreed to (SHO-D4: the use is checked against the books each month). What was agreed to stays
//! so; a mistake that is found later is a correction in the ledger.

use lobby_contract::SiteId;
use lobby_domain::{purchase::Month, time::Timestamp};

use super::{Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    CLOSE_STATEMENT = "INSERT INTO statement_closed (site, item, month, who, post, at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (site, item, month) DO NOTHING";
    CLOSED_STATEMENT = "SELECT who, at FROM statement_closed WHERE site = $1 AND item = $2 AND month = $3";
}

/// Whoever agrees to a statement.
#[derive(Debug, Clone, Copy)]
pub struct Closing<'a> {
    /// Their name; empty if not known.
    pub who: &'a str,
    /// What they are; empty if not known.
    pub post: &'a str,
    /// What they saw in it: pieces that guests got, and pieces lost.
    pub saw: (i64, i64),
    /// When.
    pub at: Timestamp,
    /// Who it is, for the audit log.
    pub actor: &'a Actor,
}

impl Tx {
    /// Who has agreed to a statement, and when.
    pub(super) async fn closed_statement(
        &mut self,
        site: &SiteId,
        item: &str,
        month: Month,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let row: Option<(String, i64)> = on!(self, "read who has agreed to a statement", conn =>
            sqlx::query_as(CLOSED_STATEMENT).bind(site.as_str()).bind(item).bind(month.to_string()).fetch_optional(conn).await)?;
        Ok(row.map(|(who, at)| (who, Timestamp::from_millis(at))))
    }
}

impl Store {
    /// Who has agreed to a statement, and when.
    pub async fn closed_statement(
        &self,
        site: &SiteId,
        item: &str,
        month: Month,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        self.read().await?.closed_statement(site, item, month).await
    }

    /// Notes that somebody has looked at a statement and agrees to it. Once more, by whoever it is, changes nothing.
    pub async fn close_statement(
        &self,
        site: &SiteId,
        item: &str,
        month: Month,
        by: Closing<'_>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let is_new = on!(&mut tx, "note who agrees to a statement", conn => sqlx::query(CLOSE_STATEMENT).bind(site.as_str())
            .bind(item).bind(month.to_string()).bind(by.who).bind(by.post).bind(by.at.millis()).execute(conn).await
            .map(|done| done.rows_affected() == 1))?;
        if !is_new {
            return Ok(());
        }
        let told = Change::new(by.actor, by.at, "statement.close", format!("{item}/{month}")).of_site(Some(site));
        tx.commit_with(&told.after(format!("{} used, {} lost", by.saw.0, by.saw.1))).await?;
        Ok(())
    }
}
