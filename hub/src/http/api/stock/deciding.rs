//! What people decide about an item's month, for the API and for the forms of pages.

use lobby_contract::SiteId;
use lobby_domain::{
    access::Role,
    purchase::{Act, Month, Refusal},
};

use super::{ApiError, App, Caller, entering::signed};
use crate::{
    stock::month::ItemMonth,
    store::{Closing, PurchaseDeed, PurchaseError, PurchaseKey, StoreError},
};

/// Why a statement was not agreed to.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum AgreeError {
    /// There is nothing to agree to yet.
    #[error("the month is not over: what is used until its end is not known")]
    NotOver,
    /// The name of whoever agrees.
    #[error("`by` has at most 200 bytes, in one line")]
    Name,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing was done with a plan.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum PlanError {
    /// Nothing has been used yet, so that nothing can be proposed.
    #[error("nothing has been used yet, so nothing can be proposed")]
    Nothing,
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody else was faster.
    #[error("somebody has done something with it meanwhile: look at it again")]
    Stale,
    /// The name of whoever decides.
    #[error("`by` has at most 200 bytes, in one line")]
    Name,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PurchaseError> for PlanError {
    fn from(error: PurchaseError) -> Self {
        match error {
            PurchaseError::Refused(refusal) => Self::Refused(refusal),
            PurchaseError::Stale => Self::Stale,
            PurchaseError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AgreeError> for ApiError {
    fn from(error: AgreeError) -> Self {
        match error {
            AgreeError::NotOver => Self::Conflict(error.to_string()),
            AgreeError::Name => Self::Parameter(error.to_string()),
            AgreeError::Store(error) => Self::Store(error),
        }
    }
}

impl From<PlanError> for ApiError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Nothing => Self::NotFound("plan: nothing has been used yet, so nothing can be proposed"),
            PlanError::Refused(Refusal::NotYours) => Self::Turn,
            PlanError::Refused(Refusal::Reason | Refusal::Pieces) | PlanError::Name => {
                Self::Parameter(error.to_string())
            }
            PlanError::Refused(_) | PlanError::Stale => Self::Conflict(error.to_string()),
            PlanError::Store(error) => Self::Store(error),
        }
    }
}

/// What somebody decides about a plan.
#[derive(Debug)]
pub(in crate::http) struct PlanDecision<'a> {
    /// What.
    pub(in crate::http) act: &'a Act,
    /// How many steps there were when they decided.
    pub(in crate::http) seen: usize,
    /// Why; empty if they do not say.
    pub(in crate::http) reason: &'a str,
    /// Who they say they are; used where nobody is signed in.
    pub(in crate::http) by: String,
}

/// Whether somebody may decide for a post: whoever is of it, and who runs the product.
pub(in crate::http) fn speaks_for(caller: &Caller, post: &str) -> bool {
    caller.any(|role| role.is_none_or(|role| role == Role::Admin || role.as_str() == post))
}

/// Agrees to the statement of a month that is over (SHO-D4: the use is checked against the books). Of whoever is not the first nothing is
/// noted.
pub(in crate::http) async fn agree_to_statement(
    app: &App,
    caller: &Caller,
    (site, item, month): (&SiteId, &str, Month),
    of: &ItemMonth,
    by: String,
) -> Result<(), AgreeError> {
    let now = app.clock.now();
    if month >= of.present(now) {
        return Err(AgreeError::NotOver);
    }
    let statement = of.statement(&app.store, &app.fleet, (site, item), month, now).await?;
    let caller = caller.at(site);
    let who = signed(&caller, by).map_err(|_| AgreeError::Name)?;
    let saw = (statement.used(), statement.lost());
    let closing = Closing { who: &who, post: caller.post(), saw, at: now, actor: &caller.actor(&who) };
    Ok(app.store.close_statement(site, item, month, closing).await?)
}

/// Edits, submits, approves or sends back what is to be bought for a month.
pub(in crate::http) async fn decide_on_plan(
    app: &App,
    caller: &Caller,
    (site, item, month): (&SiteId, &str, Month),
    of: &ItemMonth,
    decision: PlanDecision<'_>,
) -> Result<(), PlanError> {
    let now = app.clock.now();
    let terms = of.proposal(&app.store, (site, item), month, now).await?.ok_or(PlanError::Nothing)?;
    let caller = &caller.at(site);
    let who = signed(caller, decision.by).map_err(|_| PlanError::Name)?;
    let before = of.plan(&app.store, (site, item), month, now).await?;
    let turn = before.and_then(|row| row.standing().turn(&of.item.approved_by).cloned());
    let deed = PurchaseDeed {
        act: decision.act,
        seen: decision.seen,
        reason: decision.reason,
        who: &who,
        post: caller.post_for(turn.as_deref().unwrap_or_default()),
        approvers: &of.item.approved_by,
        at: now,
        actor: &caller.actor(&who),
    };
    let key = PurchaseKey { site, item, month };
    Ok(app.store.act_on_purchase(key, &terms, deed, |post| speaks_for(caller, post)).await?)
}
