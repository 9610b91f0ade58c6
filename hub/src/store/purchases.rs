//! What is to be bought for a month, and its way along the chain of command. What has been done with it is kept as it was done; how it stands
//! is a fold over that.

use lobby_contract::SiteId;
use lobby_domain::{
    purchase::{Act, Doer, Month, Proposal, Refusal, Standing},
    time::Timestamp,
};

use super::{Store, StoreError, Tx, on, statements};
use crate::audit::{Actor, Change};

statements! {
    HOLD_PURCHASE = "INSERT INTO purchase (site, item, month, terms, steps) VALUES ($1, $2, $3, $4, 0)
        ON CONFLICT (site, item, month) DO UPDATE SET steps = purchase.steps";
    PURCHASE = "SELECT terms FROM purchase WHERE site = $1 AND item = $2 AND month = $3";
    PURCHASE_STEPS = "SELECT act, pieces, reason, who, post, at, doer FROM purchase_step WHERE site = $1 AND item = $2 AND month = $3
        ORDER BY no";
    SET_TERMS = "UPDATE purchase SET terms = $4, steps = $5 WHERE site = $1 AND item = $2 AND month = $3";
    TAKE_PURCHASE_STEP = "INSERT INTO purchase_step (site, item, month, no, act, pieces, reason, who, post, at, doer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
}

/// What is to be bought for a month.
#[derive(Debug, Clone, PartialEq)]
pub struct PurchaseRow {
    /// What the figure was made of when somebody last edited or submitted it.
    pub terms: Proposal,
    /// What was done with it, the first first.
    pub steps: Vec<PurchaseStep>,
}

/// What somebody did with a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseStep {
    /// What.
    pub act: Act,
    /// Pieces to be bought from then on.
    pub pieces: i64,
    /// Why; empty if nobody said.
    pub reason: String,
    /// Who, by name; empty if not known.
    pub who: String,
    /// Their id, or that of the program; none if not known.
    pub doer: Option<String>,
    /// What they are; empty if not known.
    pub post: String,
    /// When.
    pub at: Timestamp,
}

/// Of which item, and for which month, a site is to buy something.
#[derive(Debug, Clone, Copy)]
pub struct PurchaseKey<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The item.
    pub item: &'a str,
    /// The month.
    pub month: Month,
}

/// What somebody wants to do with a purchase.
#[derive(Debug, Clone, Copy)]
pub struct PurchaseDeed<'a> {
    /// What.
    pub act: &'a Act,
    /// How many steps there were when they decided on it.
    pub seen: usize,
    /// Why.
    pub reason: &'a str,
    /// Their name.
    pub who: &'a str,
    /// What they are.
    pub post: &'a str,
    /// The posts that approve, from the lowest up.
    pub approvers: &'a [Box<str>],
    /// When.
    pub at: Timestamp,
    /// Who it is, for the audit log.
    pub actor: &'a Actor,
}

/// Why something was not done with a purchase.
#[derive(Debug, thiserror::Error)]
pub enum PurchaseError {
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else was faster.
    #[error("somebody has done something with it meanwhile: look at it again")]
    Stale,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PurchaseRow {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing::new(self.terms.pieces);
        for step in &self.steps {
            standing.pieces = step.pieces;
            match step.act {
                Act::Edit { .. } => {}
                Act::Submit => standing.submitted = true,
                Act::Approve => standing.approved.push(step.doer()),
                Act::Return => standing = Standing::new(step.pieces),
            }
        }
        standing
    }
}

impl PurchaseDeed<'_> {
    fn doer(&self) -> Doer {
        doer_of(self.actor, self.who)
    }
}

/// Who does something, so that it can be told whether they have done so before.
pub fn doer_of(actor: &Actor, who: &str) -> Doer {
    Doer { id: (!actor.id.is_empty()).then(|| actor.id.as_str().into()), name: who.into() }
}

impl PurchaseStep {
    fn doer(&self) -> Doer {
        Doer { id: self.doer.as_deref().map(Into::into), name: self.who.as_str().into() }
    }

    fn says_the_same(&self, deed: &PurchaseDeed<'_>) -> bool {
        self.act == *deed.act && self.reason == deed.reason && self.who == deed.who
    }
}

impl PurchaseKey<'_> {
    fn subject(&self) -> String {
        format!("{}/{}", self.item, self.month)
    }

    fn bad(&self, what: impl std::fmt::Display) -> StoreError {
        StoreError::Inconsistent { table: "purchase", id: self.subject(), what: what.to_string() }
    }
}

type RawStep = (String, i64, String, String, String, i64, Option<String>);

impl Tx {
    pub(super) async fn purchase(&mut self, key: PurchaseKey<'_>) -> Result<Option<PurchaseRow>, StoreError> {
        let (site, item, month) = (key.site.as_str(), key.item, key.month.to_string());
        let terms: Option<String> = on!(self, "read a purchase", conn => sqlx::query_scalar(PURCHASE).bind(site).bind(item)
            .bind(&month).fetch_optional(conn).await)?;
        let Some(terms) = terms else { return Ok(None) };
        let raw: Vec<RawStep> = on!(self, "read the steps of a purchase", conn => sqlx::query_as(PURCHASE_STEPS).bind(site)
            .bind(item).bind(&month).fetch_all(conn).await)?;
        let step = |(act, pieces, reason, who, post, at, doer): RawStep| {
            let act = match act.as_str() {
                "edit" => Act::Edit { pieces },
                "submit" => Act::Submit,
                "approve" => Act::Approve,
                "return" => Act::Return,
                _ => return Err(key.bad(format!("act `{act}`"))),
            };
            Ok(PurchaseStep { act, pieces, reason, who, doer, post, at: Timestamp::from_millis(at) })
        };
        let steps = raw.into_iter().map(step).collect::<Result<_, _>>()?;
        Ok(Some(PurchaseRow { terms: serde_json::from_str(&terms).map_err(|error| key.bad(error))?, steps }))
    }
}

impl Store {
    /// What is to be bought for a month, if anybody has done something with it.
    pub async fn purchase(&self, key: PurchaseKey<'_>) -> Result<Option<PurchaseRow>, StoreError> {
        Ok(self.read().await?.purchase(key).await?.filter(|row| !row.steps.is_empty()))
    }

    /// Does something with a purchase. `terms` is what the figure is made of now, and is kept while it is not with the superiors. The same
    /// once more, by whoever did it, changes nothing.
    pub async fn act_on_purchase(
        &self,
        key: PurchaseKey<'_>,
        terms: &Proposal,
        deed: PurchaseDeed<'_>,
        may_speak_for: impl Fn(&str) -> bool,
    ) -> Result<(), PurchaseError> {
        let fresh = serde_json::to_string(terms).map_err(|error| key.bad(error))?;
        let (site, item, month) = (key.site.as_str(), key.item, key.month.to_string());
        let mut tx = self.begin().await?;
        on!(&mut tx, "hold a purchase", conn => sqlx::query(HOLD_PURCHASE).bind(site).bind(item).bind(&month).bind(&fresh)
            .execute(conn).await.map(drop))?;
        let row = tx.purchase(key).await?.ok_or_else(|| key.bad("the row is gone"))?;
        if row.steps.len() != deed.seen {
            let is_done =
                row.steps.len() == deed.seen + 1 && row.steps.last().is_some_and(|last| last.says_the_same(&deed));
            return if is_done { Ok(()) } else { Err(PurchaseError::Stale) };
        }
        let before = if row.steps.is_empty() { Standing::new(terms.pieces) } else { row.standing() };
        let mut standing = before.clone();
        let doer = deed.doer();
        standing.take(deed.act, deed.reason, &doer, may_speak_for, deed.approvers)?;
        let no = i64::try_from(deed.seen).unwrap_or(i64::MAX).saturating_add(1);
        let kept = serde_json::to_string(&row.terms).map_err(|error| key.bad(error))?;
        let kept = if matches!(deed.act, Act::Edit { .. } | Act::Submit) { &fresh } else { &kept };
        on!(&mut tx, "note the terms of a purchase", conn => sqlx::query(SET_TERMS).bind(site).bind(item).bind(&month)
            .bind(kept).bind(no).execute(conn).await.map(drop))?;
        on!(&mut tx, "note what was done with a purchase", conn => sqlx::query(TAKE_PURCHASE_STEP).bind(site).bind(item)
            .bind(&month).bind(no).bind(deed.act.as_str()).bind(standing.pieces).bind(deed.reason).bind(deed.who)
            .bind(deed.post).bind(deed.at.millis()).bind(doer.id.as_deref()).execute(conn).await.map(drop))?;
        let action = format!("purchase.{}", deed.act.as_str());
        let told = Change::new(deed.actor, deed.at, action, key.subject()).of_site(Some(key.site));
        let pieces = |standing: &Standing| format!("{} pieces", standing.pieces);
        let because = if deed.reason.is_empty() { String::new() } else { format!(": {}", deed.reason) };
        tx.commit_with(&told.before(pieces(&before)).after(pieces(&standing) + &because)).await?;
        Ok(())
    }
}
