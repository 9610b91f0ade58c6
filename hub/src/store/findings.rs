//! The product's own troubles, and whether the database can be written at all.

use lobby_dashboards::FindingKey;
use lobby_domain::time::Timestamp;

use super::{Store, StoreError, on, statements};
use crate::findings::{Domain, Finding, Severity};

statements! {
    FORGET_FINDINGS = "DELETE FROM finding";
    STORE_FINDING = "INSERT INTO finding (domain, id, key, severity, details, since, persistent, ignored)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FINDINGS = "SELECT domain, id, key, severity, details, since, persistent, ignored FROM finding ORDER BY domain, id";
    PULSE = "INSERT INTO pulse (one, at) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET at = excluded.at";
}

type Raw = (String, String, String, String, String, i64, bool, bool);

/// `None` for one of a domain or kind that this version does not have: it is found again, or it is not.
fn finding((domain, id, key, severity, details, since, persistent, ignored): Raw) -> Option<Finding> {
    Some(Finding {
        domain: Domain::named(&domain)?,
        id: id.into(),
        key: FindingKey::named(&key)?,
        severity: Severity::named(&severity)?,
        values: serde_json::from_str(&details).ok()?,
        since: Timestamp::from_millis(since),
        persistent,
        ignored,
    })
}

impl Store {
    /// The findings that were stored last.
    pub async fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<Raw> = on!(&mut tx, "read findings", conn => sqlx::query_as(FINDINGS).fetch_all(conn).await)?;
        Ok(rows.into_iter().filter_map(finding).collect())
    }

    /// Stores all findings, in place of those stored before.
    pub async fn store_findings(&self, findings: &[Finding]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "forget findings", conn => sqlx::query(FORGET_FINDINGS).execute(conn).await.map(drop))?;
        for finding in findings {
            let details = serde_json::to_string(&finding.values).expect("texts can be written as JSON");
            on!(&mut tx, "store a finding", conn => sqlx::query(STORE_FINDING).bind(finding.domain.as_str())
                .bind(&*finding.id).bind(finding.key.as_str()).bind(finding.severity.as_str()).bind(&details)
                .bind(finding.since.millis()).bind(finding.persistent).bind(finding.ignored)
                .execute(conn).await.map(drop))?;
        }
        tx.commit().await
    }

    /// Writes one row, to see whether the database can be written.
    pub async fn pulse(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "write a pulse", conn => sqlx::query(PULSE).bind(now.millis()).execute(conn).await.map(drop))?;
        tx.commit().await
    }
}
