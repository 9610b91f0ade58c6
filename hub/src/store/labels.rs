//! Printed labels: the one of each item, and blank ones that are bound to an item or a device when somebody sticks them on. What a label
//! was bound to before stays in its history.

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    register::{AssetNumber, LONGEST_REASON, Refusal},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    Store, StoreError, Tx, on,
    register::{Acting, RegisterError, inconsistent, number},
    statements,
};
use crate::audit::Change;

statements! {
    PRINT_LABEL = "INSERT INTO register_label (code, site, sheet, nth, voided, version) VALUES ($1, $2, $3, $4, $5, 1)";
    ADD_LABEL_EVENT = "INSERT INTO register_label_event (code, version, deed, target, reason, who, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LABELS_OF_SHEET = "SELECT code FROM register_label WHERE site = $1 AND sheet = $2 AND NOT voided ORDER BY code";
    LABELS_OF_ITEMS = "SELECT nth, code FROM register_label WHERE site = $1 AND nth IS NOT NULL AND NOT voided ORDER BY code";
    EVENTS_OF_ITEM = "SELECT e.code, e.target, e.reason, e.who, e.at
        FROM register_label_event e JOIN register_label l ON l.code = e.code
        WHERE l.site = $1 AND e.code IN (SELECT b.code FROM register_label_event b WHERE b.target = $2)
        ORDER BY e.code, e.version";
    HOLD_LABEL = "UPDATE register_label SET version = version WHERE code = $1";
    LABEL = "SELECT site, nth, device, voided, version FROM register_label WHERE code = $1";
    SET_LABEL = "UPDATE register_label SET nth = $2, device = $3, voided = $4, version = $5 WHERE code = $1";
}

/// A printed label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// Of which site it is.
    pub site: SiteId,
    /// To what it is bound, if to anything.
    pub target: Option<Target>,
    /// Whether it is lost, and no longer good.
    pub voided: bool,
    /// How many events there are.
    pub version: i64,
}

/// What a label is stuck on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An item of the register.
    Item(AssetNumber),
    /// A device.
    Device(DeviceId),
}

/// A label was stuck on an item, or came off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemLabelEvent {
    /// The label.
    pub code: String,
    /// Whether it is on the item from then on.
    pub on: bool,
    /// What it is on since it came off: an asset number or a device; empty if it is void, or on the item.
    pub elsewhere: String,
    /// Why; empty if nobody said.
    pub reason: String,
    /// Who, by name; empty if not known.
    pub who: String,
    /// When.
    pub at: Timestamp,
}

impl Target {
    fn text(&self) -> String {
        match self {
            Self::Item(number) => number.to_string(),
            Self::Device(device) => device.to_string(),
        }
    }
}

impl Tx {
    async fn label(&mut self, code: &str) -> Result<Option<LabelRow>, StoreError> {
        type Raw = (String, Option<i64>, Option<String>, bool, i64);
        let raw: Option<Raw> =
            on!(self, "read a label", conn => sqlx::query_as(LABEL).bind(code).fetch_optional(conn).await)?;
        let Some((site, nth, device, voided, version)) = raw else { return Ok(None) };
        let bad = |error: lobby_contract::NameError| inconsistent("register_label", &code, &error);
        let target = match (nth, device) {
            (Some(nth), _) => Some(Target::Item(number(nth)?)),
            (None, Some(device)) => Some(Target::Device(device.parse().map_err(bad)?)),
            (None, None) => None,
        };
        Ok(Some(LabelRow { site: site.parse().map_err(bad)?, target, voided, version }))
    }

    async fn label_event(
        &mut self,
        (code, version): (&str, i64),
        (deed, target, reason): (&str, &str, &str),
        by: Acting<'_>,
    ) -> Result<(), StoreError> {
        on!(self, "write what happened to a label", conn => sqlx::query(ADD_LABEL_EVENT).bind(code).bind(version).bind(deed)
            .bind(target).bind(reason).bind(by.who).bind(by.at.millis()).execute(conn).await.map(drop))
    }

    /// Gives a new item the code of its label.
    pub(super) async fn label_item(
        &mut self,
        code: &str,
        number: AssetNumber,
        by: Acting<'_>,
    ) -> Result<(), StoreError> {
        on!(self, "give an item a code", conn => sqlx::query(PRINT_LABEL).bind(code).bind(by.site.as_str())
            .bind(None::<Uuid>).bind(i64::from(number.nth())).bind(false).execute(conn).await.map(drop))?;
        self.label_event((code, 1), ("bind", &number.to_string(), ""), by).await
    }
}

impl Store {
    /// Makes blank labels. The same sheet once more makes none.
    pub async fn print_labels(&self, sheet: Uuid, codes: &[String], by: Acting<'_>) -> Result<(), StoreError> {
        if !self.labels_of_sheet(by.site, sheet).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for code in codes {
            on!(&mut tx, "make a label", conn => sqlx::query(PRINT_LABEL).bind(code).bind(by.site.as_str()).bind(sheet)
                .bind(None::<i64>).bind(false).execute(conn).await.map(drop))?;
            tx.label_event((code, 1), ("print", "", ""), by).await?;
        }
        let told = Change::new(by.actor, by.at, "label.print", sheet.to_string()).of_site(Some(by.site));
        tx.commit_with(&told.after(format!("{} labels", codes.len()))).await
    }

    /// The codes of a sheet.
    pub async fn labels_of_sheet(&self, site: &SiteId, sheet: Uuid) -> Result<Vec<String>, StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "read a sheet of labels", conn => sqlx::query_scalar(LABELS_OF_SHEET).bind(site.as_str()).bind(sheet)
            .fetch_all(conn).await)
    }

    /// A code of each item of a site.
    pub async fn labels_of_items(&self, site: &SiteId) -> Result<BTreeMap<AssetNumber, String>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(i64, String)> = on!(&mut tx, "read the labels of items", conn => sqlx::query_as(LABELS_OF_ITEMS)
            .bind(site.as_str()).fetch_all(conn).await)?;
        raw.into_iter().map(|(nth, code)| Ok((number(nth)?, code))).collect()
    }

    /// The codes of all labels that items of a site have.
    pub async fn label_codes(&self, site: &SiteId) -> Result<BTreeMap<AssetNumber, Vec<String>>, StoreError> {
        let mut tx = self.read().await?;
        let raw: Vec<(i64, String)> = on!(&mut tx, "read the labels of items", conn => sqlx::query_as(LABELS_OF_ITEMS)
            .bind(site.as_str()).fetch_all(conn).await)?;
        let mut codes: BTreeMap<AssetNumber, Vec<String>> = BTreeMap::new();
        for (nth, code) in raw {
            codes.entry(number(nth)?).or_default().push(code);
        }
        Ok(codes)
    }

    /// Which labels were stuck on an item and came off it, the newest first.
    pub async fn label_events_of_item(
        &self,
        site: &SiteId,
        item: AssetNumber,
    ) -> Result<Vec<ItemLabelEvent>, StoreError> {
        type Raw = (String, String, String, String, i64);
        let own = item.to_string();
        let mut tx = self.read().await?;
        let raw: Vec<Raw> = on!(&mut tx, "read what happened to an item's labels", conn => sqlx::query_as(EVENTS_OF_ITEM)
            .bind(site.as_str()).bind(&own).fetch_all(conn).await)?;
        let mut events = Vec::new();
        let mut on_it: Option<String> = None;
        for (code, target, reason, who, at) in raw {
            let (is_on, was_on) = (target == own, on_it.as_deref() == Some(&*code));
            on_it = is_on.then(|| code.clone());
            if is_on != was_on {
                let elsewhere = if is_on { String::new() } else { target };
                events.push(ItemLabelEvent { code, on: is_on, elsewhere, reason, who, at: Timestamp::from_millis(at) });
            }
        }
        // Of one moment, the later event of a label comes first as well.
        events.reverse();
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        Ok(events)
    }

    /// The label of that code.
    pub async fn label(&self, code: &str) -> Result<Option<LabelRow>, StoreError> {
        self.read().await?.label(code).await
    }

    /// Binds a label to an item or a device; to nothing, if it is lost: then it is good for nothing any more. The first binding needs no
    /// reason. The same once more changes nothing.
    pub async fn bind_label(
        &self,
        code: &str,
        target: Option<&Target>,
        (seen, reason): (i64, &str),
        by: Acting<'_>,
    ) -> Result<(), RegisterError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "hold a label", conn => sqlx::query(HOLD_LABEL).bind(code).execute(conn).await.map(drop))?;
        let row = tx.label(code).await?.filter(|row| row.site == *by.site).ok_or(RegisterError::NotFound)?;
        if row.target.as_ref() == target && (target.is_some() || row.voided) {
            return Ok(());
        }
        if row.voided || row.version != seen {
            return Err(RegisterError::Stale);
        }
        let needs_reason = row.target.is_some() || target.is_none();
        let is_long = reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control);
        if is_long || (needs_reason && reason.trim().is_empty()) {
            return Err(Refusal::Reason.into());
        }
        let (nth, device) = match target {
            Some(Target::Item(number)) => {
                tx.item(by.site, *number).await?.ok_or(RegisterError::NotFound)?;
                (Some(i64::from(number.nth())), None)
            }
            Some(Target::Device(device)) => (None, Some(device.as_str())),
            None => (None, None),
        };
        let (version, deed) = (row.version + 1, if target.is_some() { "bind" } else { "void" });
        let told = target.map(Target::text).unwrap_or_default();
        on!(&mut tx, "bind a label", conn => sqlx::query(SET_LABEL).bind(code).bind(nth).bind(device).bind(target.is_none())
            .bind(version).execute(conn).await.map(drop))?;
        tx.label_event((code, version), (deed, &told, reason), by).await?;
        let before = row.target.as_ref().map(Target::text).unwrap_or_default();
        let because = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let change = Change::new(by.actor, by.at, format!("label.{deed}"), code).of_site(Some(by.site));
        Ok(tx.commit_with(&change.before(before).after(told + &because)).await?)
    }
}
