//! The register of goods and equipment (SHO-S2), to be read: its items, and what happened to each.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::{
    register::{AssetNumber, Field},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Page, Path, Policy, Query, Routes, limit};
use crate::store::{ItemCount, ItemEvent, ItemLabelEvent, ItemRow, MoveRow};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/sites/{site}/register", Policy::read(About::Site), list_register).get(
        "/api/v1/sites/{site}/register/{asset}",
        Policy::read(About::Site),
        show_registered_item,
    )
}

/// Who did something, and when.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RegisterSigned {
    /// Empty if not known.
    name: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// An item of the register.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RegisteredItem {
    site: String,
    /// Its asset number: `00017-3`.
    asset: String,
    name: String,
    /// Its category; empty if none is given.
    kind: String,
    /// `in-use`, `in-store`, `in-repair`, `missing`, `out` or `written-off`.
    state: &'static str,
    /// Where it is; empty if that is not known.
    place: String,
    quantity: u32,
    /// The post that answers for it; empty if none is given.
    post: String,
    /// Its serial number; empty if none is given.
    serial: String,
    /// In yuan: `1280.00`; empty if it is not known.
    value: String,
    /// The day since when the site has it; empty if it is not known.
    acquired: String,
    note: String,
    /// The monitored device that it is.
    device: Option<String>,
    /// The codes of its labels that are good.
    labels: Vec<String>,
    /// When a stock-take last counted it, in ms since 1970 UTC.
    counted_at: Option<i64>,
    /// How many events made it what it is.
    version: i64,
}

/// What happened to an item.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RegisterEvent {
    /// `add`, `edit`, `photo`, `write-off`, `count` or `move`.
    what: &'static str,
    /// What it set, by field; a text that is empty took something away.
    set: BTreeMap<&'static str, String>,
    /// Empty if nobody said.
    reason: String,
    /// The stock-take or the move by which it happened.
    cause: Option<String>,
    by: String,
    /// What they are; empty if not known.
    post: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// What a stock-take said of an item.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StockTakeOfItem {
    id: String,
    /// Of which place it was; empty for the whole site.
    place: String,
    started: RegisterSigned,
    /// Until it is closed, the register does not say what was seen.
    closed: Option<RegisterSigned>,
    /// Which manager has seen the result.
    seen_by_manager: Option<RegisterSigned>,
    /// `found`, `elsewhere`, `damaged` or `missing`.
    seen: &'static str,
    count: u32,
    /// Where it was, if elsewhere.
    elsewhere: String,
    note: String,
    by: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// A move of an item out of the site or back.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MoveOfItem {
    id: String,
    /// `out` or `back`.
    way: &'static str,
    pieces: u32,
    /// Where to.
    place: String,
    reason: String,
    /// The day; empty for any.
    wanted: String,
    /// `asked`, `approved`, `refused` or `done`.
    state: &'static str,
    asked: RegisterSigned,
    /// Who consented, or did not.
    decided: Option<RegisterSigned>,
    /// Why, if whoever decided said so.
    decision: String,
    done: Option<RegisterSigned>,
}

/// A label was stuck on an item, or came off it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct LabelOfItem {
    code: String,
    /// Whether it is on the item from then on.
    on: bool,
    /// What it is on since it came off: an asset number or a device; empty if it is void, or on the item.
    elsewhere: String,
    reason: String,
    by: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// One item with all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WholeItem {
    #[serde(flatten)]
    item: RegisteredItem,
    /// What happened, the first first: what the item is, is the fold over it.
    history: Vec<RegisterEvent>,
    /// The newest 200, the newest first.
    stock_takes: Vec<StockTakeOfItem>,
    /// The newest 200, the newest first.
    moves: Vec<MoveOfItem>,
    /// The newest first.
    label_history: Vec<LabelOfItem>,
    /// The photos of it, to be fetched from `/api/v1/photos/{id}`, the oldest first.
    photos: Vec<String>,
}

/// Which items are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RegisterQuery {
    /// Where the page before ended: an asset number.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

fn signed((name, at): &(String, Timestamp)) -> RegisterSigned {
    RegisterSigned { name: name.clone(), at: at.millis() }
}

fn item(site: &SiteId, row: &ItemRow, labels: Vec<String>) -> RegisteredItem {
    let text = |field| row.item.get(field).to_owned();
    RegisteredItem {
        site: site.to_string(),
        asset: row.number.to_string(),
        name: text(Field::Name),
        kind: text(Field::Kind),
        state: row.item.state().as_str(),
        place: text(Field::Place),
        quantity: row.item.quantity(),
        post: text(Field::Post),
        serial: text(Field::Serial),
        value: text(Field::Value),
        acquired: text(Field::Acquired),
        note: text(Field::Note),
        device: Some(text(Field::Device)).filter(|id| !id.is_empty()),
        labels,
        counted_at: row.counted_at.map(Timestamp::millis),
        version: row.version,
    }
}

impl From<ItemEvent> for RegisterEvent {
    fn from(event: ItemEvent) -> Self {
        Self {
            what: event.deed.as_str(),
            set: event.set.into_iter().map(|(field, text)| (field.as_str(), text)).collect(),
            reason: event.reason,
            cause: event.cause.map(|id| id.to_string()),
            by: event.who,
            post: event.post,
            at: event.at.millis(),
        }
    }
}

impl From<ItemCount> for StockTakeOfItem {
    fn from(count: ItemCount) -> Self {
        let answer = count.said.answer;
        Self {
            id: count.take.to_string(),
            place: count.place,
            started: signed(&count.started),
            closed: count.closed.as_ref().map(signed),
            seen_by_manager: count.seen.as_ref().map(signed),
            seen: answer.seen.as_str(),
            count: answer.count,
            elsewhere: answer.place,
            note: answer.note,
            by: count.said.who,
            at: count.said.at.millis(),
        }
    }
}

impl From<MoveRow> for MoveOfItem {
    fn from(row: MoveRow) -> Self {
        let decision = row.decided.as_ref().map(|(.., why)| why.clone()).unwrap_or_default();
        Self {
            id: row.id.to_string(),
            way: row.way.as_str(),
            pieces: row.pieces,
            place: row.place,
            reason: row.reason,
            wanted: row.wanted,
            state: row.state.as_str(),
            asked: signed(&row.asked),
            decided: row.decided.map(|(name, at, _)| signed(&(name, at))),
            decision,
            done: row.done.as_ref().map(signed),
        }
    }
}

impl From<ItemLabelEvent> for LabelOfItem {
    fn from(event: ItemLabelEvent) -> Self {
        let ItemLabelEvent { code, on, elsewhere, reason, who, at } = event;
        Self { code, on, elsewhere, reason, by: who, at: at.millis() }
    }
}

/// The site of a path, if there is one of that name.
fn known(app: &App, site: &str) -> Result<SiteId, ApiError> {
    let site = site.parse::<SiteId>().ok();
    let there = |site: &SiteId| app.fleet.read().contains_key(site) || app.fleet.setup().sites.contains_key(site);
    site.filter(there).ok_or(ApiError::NotFound("site"))
}

/// The register of a site: its items, by asset number. What was moved out or written off is among them.
#[utoipa::path(get, path = "/api/v1/sites/{site}/register", tag = "register",
    params(("site" = String, Path, description = "The site"), RegisterQuery),
    responses((status = 200, body = Page<RegisteredItem>), (status = 400, description = "A parameter is not valid"),
        (status = 404, description = "There is no such site")))]
pub(in crate::http) async fn list_register(
    State(app): State<App>,
    Path(site): Path<String>,
    Query(query): Query<RegisterQuery>,
) -> Result<Json<Page<RegisteredItem>>, ApiError> {
    let site = known(&app, &site)?;
    let most = limit(query.limit)?;
    let after = query.after.as_deref().filter(|after| !after.is_empty()).map(str::parse::<AssetNumber>).transpose();
    let after = after.map_err(|error| ApiError::Parameter(format!("`after`: {error}")))?;
    let mut rows = app.store.register_after(&site, after, most + 1).await?;
    let is_more = i64::try_from(rows.len()).is_ok_and(|there| there > most);
    rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let mut labels = app.store.label_codes(&site).await?;
    let next = rows.last().filter(|_| is_more).map(|row| row.number.to_string());
    let items = rows.iter().map(|row| item(&site, row, labels.remove(&row.number).unwrap_or_default())).collect();
    Ok(Json(Page { items, next }))
}

/// One item of the register with its history, its stock-takes and its moves.
#[utoipa::path(get, path = "/api/v1/sites/{site}/register/{asset}", tag = "register",
    params(("site" = String, Path, description = "The site"), ("asset" = String, Path, description = "Such as `00017-3`")),
    responses((status = 200, body = WholeItem), (status = 404, description = "There is no such site or item")))]
pub(in crate::http) async fn show_registered_item(
    State(app): State<App>,
    Path((site, asset)): Path<(String, String)>,
) -> Result<Json<WholeItem>, ApiError> {
    let site = known(&app, &site)?;
    let number: AssetNumber = asset.parse().map_err(|_| ApiError::NotFound("item"))?;
    let store = &app.store;
    let row = store.register_item(&site, number).await?.ok_or(ApiError::NotFound("item"))?;
    let labels = store.label_codes(&site).await?.remove(&number).unwrap_or_default();
    let photos = store.photos_of_item(&site, number).await?;
    Ok(Json(WholeItem {
        item: item(&site, &row, labels),
        history: store.register_events(&site, number).await?.into_iter().map(RegisterEvent::from).collect(),
        stock_takes: store.counts_of_item(&site, number).await?.into_iter().map(StockTakeOfItem::from).collect(),
        moves: store.moves_of_item(&site, number).await?.into_iter().map(MoveOfItem::from).collect(),
        label_history: store.label_events_of_item(&site, number).await?.into_iter().map(LabelOfItem::from).collect(),
        photos: photos.into_iter().map(|photo| photo.id).collect(),
    }))
}
