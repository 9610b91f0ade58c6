//! Entering movements, for the API and for the forms of pages.

use lobby_contract::SiteId;
use lobby_domain::{
    stock::{Deed, LONGEST_REASON, Place, Refusal},
    time::{Span, Timestamp},
};
use uuid::Uuid;

use super::{ApiError, App, Caller, NewMovement, name};
use crate::{
    fleet::Changed,
    stock::{self, counters, levels},
    store::{EntryRow, Posting, StockError, StoreError},
};

const DAY: Span = Span::from_mins(24 * 60);
/// The longest name of somebody, in bytes.
const LONGEST_NAME: usize = 200;

/// Why something was not entered.
#[derive(Debug)]
pub(in crate::http) enum NotEntered {
    /// What was sent cannot be meant.
    Asked(ApiError),
    /// The ledger does not take it.
    Ledger(StockError),
}

impl From<ApiError> for NotEntered {
    fn from(error: ApiError) -> Self {
        Self::Asked(error)
    }
}

impl From<StoreError> for NotEntered {
    fn from(error: StoreError) -> Self {
        Self::Asked(error.into())
    }
}

impl From<StockError> for NotEntered {
    fn from(error: StockError) -> Self {
        Self::Ledger(error)
    }
}

impl From<NotEntered> for ApiError {
    fn from(error: NotEntered) -> Self {
        match error {
            NotEntered::Asked(error) => error,
            NotEntered::Ledger(error) => error.into(),
        }
    }
}

fn wrong(words: impl Into<String>) -> ApiError {
    ApiError::Parameter(words.into())
}

/// What a body, or a form, says has been done.
fn deed(new: &NewMovement, usual_due: Timestamp) -> Result<Deed, ApiError> {
    let pieces = || new.pieces.ok_or_else(|| wrong("`pieces` is missing"));
    let place = |text: &Option<String>| {
        text.as_deref().unwrap_or("store").parse::<Place>().map_err(|error| wrong(error.to_string()))
    };
    let order = || {
        let id = new.order.as_deref().filter(|id| !id.is_empty());
        id.map(|id| id.parse::<Uuid>().map_err(|_| wrong("`order` is the id of an order"))).transpose()
    };
    Ok(match new.kind.as_str() {
        "receive" => Deed::Receive { pieces: pieces()?, order: order()? },
        "refill" => match place(&new.place)? {
            Place::Machine(machine) => Deed::Refill { machine, pieces: pieces()? },
            _ => return Err(wrong("`place` is the machine that was refilled: `machine/ID`")),
        },
        "hand-out" => Deed::HandOut { from: place(&new.place)?, pieces: pieces()? },
        "count" => Deed::Count { place: place(&new.place)?, counted: pieces()? },
        "waste" => Deed::Waste { from: place(&new.place)?, pieces: pieces()? },
        "transfer" => match &new.to {
            Some(_) => Deed::Transfer { from: place(&new.place)?, to: place(&new.to)?, pieces: pieces()? },
            None => return Err(wrong("`to` is missing: say to where")),
        },
        "order" => Deed::Order { pieces: pieces()?, due: new.due.map_or(usual_due, Timestamp::from_millis) },
        "cancel" => Deed::Cancel { order: order()?.ok_or_else(|| wrong("`order` is missing"))? },
        kind => {
            let known = "receive, refill, hand-out, count, waste, transfer, order or cancel";
            return Err(wrong(format!("there is no kind `{kind}`: use {known}")));
        }
    })
}

/// Whether all places of a deed are at the site.
fn check_places(app: &App, site: &SiteId, item: &str, deed: &Deed) -> Result<(), ApiError> {
    let places: Vec<&Place> = match deed {
        Deed::HandOut { from, .. } | Deed::Waste { from, .. } => vec![from],
        Deed::Count { place, .. } => vec![place],
        Deed::Transfer { from, to, .. } => vec![from, to],
        _ => Vec::new(),
    };
    let refilled = if let Deed::Refill { machine, .. } = deed { Some(machine) } else { None };
    let machines = places.iter().filter_map(|place| place.machine()).chain(refilled);
    let counters = counters(&app.fleet, site, app.clock.now());
    for machine in machines {
        if !counters.iter().any(|counter| counter.device == *machine && *counter.dispenses.item == *item) {
            return Err(ApiError::NotFound("machine that hands this out at the site"));
        }
    }
    let has_counter = levels(&app.fleet.setup(), site, item).hand_out.is_some();
    if places.contains(&&Place::Counter) && !has_counter {
        return Err(wrong("there is no place `counter`: name it in the configuration, as `hand_out` of the item"));
    }
    Ok(())
}

/// Enters what has been done. `id` tells it from any other.
pub(in crate::http) async fn enter(
    app: &App,
    caller: &Caller,
    new: NewMovement,
    id: Uuid,
) -> Result<(EntryRow, bool), NotEntered> {
    let site = name::<SiteId>("site", Some(&new.site))?.filter(|site| caller.reaches(site));
    let setup = app.fleet.setup();
    let is_known = |site: &SiteId| app.fleet.read().contains_key(site) || setup.sites.contains_key(site);
    let site = site.filter(is_known).ok_or(ApiError::NotFound("site"))?;
    if !setup.pack.items.contains_key(&*new.item) {
        return Err(ApiError::NotFound("item in the standards").into());
    }
    let now = app.clock.now();
    let usual_due = now + levels(&setup, &site, &new.item).lead().max(DAY);
    let deed = deed(&new, usual_due)?;
    check_places(app, &site, &new.item, &deed)?;
    let who = signed(caller, new.by)?;
    let actor = caller.actor(&who);
    let post = caller.at(&site).post();
    let reason = new.reason.trim();
    let posting = Posting { id, site: &site, item: &new.item, reason, who: &who, post, at: now, actor: &actor };
    let done = app.store.post_stock(posting, &deed, &counters(&app.fleet, &site, now)).await?;
    told(app, &site).await?;
    Ok(done)
}

/// Undoes a movement by its counter-entry.
pub(in crate::http) async fn correct(
    app: &App,
    caller: &Caller,
    of: Uuid,
    (reason, by): (&str, String),
    id: Uuid,
) -> Result<(EntryRow, bool), NotEntered> {
    let row = app.store.stock_entry(of).await?.filter(|row| caller.reaches(&row.site));
    let EntryRow { site, item, .. } = row.ok_or(ApiError::NotFound("movement"))?;
    let who = signed(caller, by)?;
    let (actor, at) = (caller.actor(&who), app.clock.now());
    let post = caller.at(&site).post();
    let reason = reason.trim();
    let posting = Posting { id, site: &site, item: &item, reason, who: &who, post, at, actor: &actor };
    if reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control) {
        return Err(StockError::from(Refusal::LongReason).into());
    }
    let done = app.store.correct_stock(posting, of).await?;
    told(app, &site).await?;
    Ok(done)
}

/// Whoever looks at the site sees it, and what runs low because of it, or does no more, is told at once.
pub(in crate::http) async fn told(app: &App, site: &SiteId) -> Result<(), ApiError> {
    stock::look_at(&app.store, &app.fleet, site, app.clock.now()).await?;
    app.fleet.tell(Changed { site: site.clone(), device: None });
    Ok(())
}

/// The name of whoever does it, within its bounds.
pub(super) fn signed(caller: &Caller, by: String) -> Result<String, ApiError> {
    let who = caller.signs(by).trim().to_owned();
    if who.len() > LONGEST_NAME || who.contains(char::is_control) {
        return Err(wrong("`by` has at most 200 bytes, in one line"));
    }
    Ok(who)
}
