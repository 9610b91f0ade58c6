//! Alerts of what runs low: raised and cleared by the ledger, told and followed up like any other.

use std::{collections::BTreeMap, sync::Arc};

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    alert::{AlertId, Clear, ClearReason, Raise, Step, Subject},
    label::Label,
    rule::Rule,
    time::Timestamp,
};

use super::{Store, StoreError, Tx, on, statements};
use crate::fleet::Setup;

/// Something runs low.
#[derive(Debug, Clone, PartialEq)]
pub struct LowAlert {
    /// The machine, or the site for its store room.
    pub subject: Subject,
    /// The rule that stands for it.
    pub rule: Arc<Rule>,
    /// Why, in words.
    pub evidence: Label,
    /// Whether the posts concerned are told.
    pub tell: bool,
}

statements! {
    OPEN_LOW = "SELECT subject, rule FROM alert WHERE site = $1 AND cleared_at IS NULL AND rule LIKE 'stock/%' ORDER BY subject, rule";
    RAISED_OF_DEVICES = "SELECT subject, rule, COUNT(*) FROM alert WHERE site = $1 AND since >= $2 AND since < $3 GROUP BY subject, rule";
    KEPT_BOOKS = "SELECT site, item FROM stock_book ORDER BY site, item";
}

impl Tx {
    async fn open_low(&mut self, site: &SiteId) -> Result<Vec<(Subject, String)>, StoreError> {
        let raw: Vec<(String, String)> = on!(self, "read what runs low", conn => sqlx::query_as(OPEN_LOW)
            .bind(site.as_str()).fetch_all(conn).await)?;
        let read = |(subject, rule): (String, String)| {
            let bad = |what: String| StoreError::Inconsistent { table: "alert", id: rule.clone(), what };
            Ok((subject.parse().map_err(|error| bad(format!("subject: {error}")))?, rule))
        };
        raw.into_iter().map(read).collect()
    }
}

impl Store {
    /// How many alerts of some rules began in a time, by device.
    pub async fn alerts_of_devices(
        &self,
        site: &SiteId,
        rules: &[String],
        (from, until): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<DeviceId, u32>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(String, String, i64)> = on!(&mut tx, "count alerts", conn => sqlx::query_as(RAISED_OF_DEVICES)
            .bind(site.as_str()).bind(from.millis()).bind(until.millis()).fetch_all(conn).await)?;
        let mut counted: BTreeMap<DeviceId, u32> = BTreeMap::new();
        for (subject, _, number) in raw.iter().filter(|(_, rule, _)| rules.contains(rule)) {
            if let Ok(Subject::Device(device)) = subject.parse() {
                *counted.entry(device).or_default() += u32::try_from(*number).unwrap_or(u32::MAX);
            }
        }
        Ok(counted)
    }

    /// What runs low at a site and was told: what it is about, and by which rule.
    pub async fn open_low(&self, site: &SiteId) -> Result<Vec<(Subject, String)>, StoreError> {
        self.read().await?.open_low(site).await
    }

    /// The ledgers that are kept: of which site and item.
    pub async fn kept_books(&self) -> Result<Vec<(SiteId, String)>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(String, String)> =
            on!(&mut tx, "look for stock ledgers", conn => sqlx::query_as(KEPT_BOOKS).fetch_all(conn).await)?;
        let read = |(site, item): (String, String)| match site.parse() {
            Ok(site) => Ok((site, item)),
            Err(error) => {
                let error: lobby_contract::NameError = error;
                Err(StoreError::Inconsistent { table: "stock_book", id: site, what: error.to_string() })
            }
        };
        raw.into_iter().map(read).collect()
    }

    /// Raises alerts of what runs low now, and clears those of what does no more. One that is open already, or is not, stays as it is.
    pub async fn tell_low(
        &self,
        site: &SiteId,
        raise: &[LowAlert],
        clear: &[(Subject, String)],
        setup: &Setup,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let open = tx.open_low(site).await?;
        for LowAlert { subject, rule, evidence, tell } in raise {
            if open.iter().any(|(about, of)| about == subject && **of == *rule.id) {
                continue;
            }
            let raise = Raise {
                id: AlertId::derive(site, subject, &rule.id, at, 0),
                subject: subject.clone(),
                rule: Arc::clone(rule),
                since: at,
                at,
                evidence: evidence.clone(),
                step: Step::None,
                tell: *tell,
            };
            if tx.raise_alert(site, &raise).await? && *tell {
                tx.follow_alert(site, &raise, setup).await?;
            }
        }
        for (subject, rule) in clear {
            let (subject, rule) = (subject.clone(), rule.as_str().into());
            let clear = Clear { subject, rule, at, reason: ClearReason::Recovered, by: Box::default() };
            tx.clear_alert(site, &clear).await?;
        }
        tx.commit().await
    }
}
