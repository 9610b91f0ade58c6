//! What is in stock: the ledger, and how long things will last.

mod deciding;
mod entering;
mod months;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use lobby_contract::SiteId;
use lobby_domain::{access::Need, forecast::RunOut as Expected, stock::Place, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub(in crate::http) use self::{
    deciding::{AgreeError, PlanDecision, PlanError, agree_to_statement, decide_on_plan, speaks_for},
    entering::{NotEntered, correct, enter, told},
    months::*,
};
use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes, cursor, limit, name, restraints::Key,
};
use crate::{
    restraints::new_id,
    stock::{self, ItemStock, MachineStock},
    store::{EntryFilter, EntryRow},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/stock", Policy::read(About::List), list_stock)
        .get("/api/v1/sites/{site}/stock/{item}/statements/{month}", Policy::read(About::Site), show_statement)
        .post("/api/v1/sites/{site}/stock/{item}/statements/{month}/agree", Policy::to(Need::Stock, About::Site), agree)
        .get("/api/v1/sites/{site}/stock/{item}/plans/{month}", Policy::read(About::Site), show_plan)
        .post("/api/v1/sites/{site}/stock/{item}/plans/{month}/{act}", Policy::to(Need::Stock, About::Site), decide)
        .get("/api/v1/stock/movements", Policy::read(About::List), list_movements)
        .post("/api/v1/stock/movements", Policy::to(Need::Stock, About::Handler), make_movement)
        .post("/api/v1/stock/movements/{id}/correct", Policy::to(Need::Stock, About::Handler), correct_movement)
}

/// When something is used up, if use goes on as it did.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunsOut {
    /// The most likely time, in ms since 1970 UTC.
    likely: i64,
    /// It lasts until then nine times of ten, in ms since 1970 UTC.
    earliest: i64,
    /// It is used up by then nine times of ten, in ms since 1970 UTC; null if that is months away.
    latest: Option<i64>,
}

impl From<Expected> for RunsOut {
    fn from(out: Expected) -> Self {
        Self { likely: out.likely.millis(), earliest: out.earliest.millis(), latest: out.latest.map(Timestamp::millis) }
    }
}

/// What a place holds by the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Balance {
    /// `store`, `counter` or `machine/ID`.
    place: String,
    /// Below zero if less was entered than was done.
    pieces: i64,
}

/// What is still to come of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct OpenOrder {
    id: String,
    /// Pieces still to come.
    pieces: i64,
    ordered: i64,
    /// When they are to come, in ms since 1970 UTC.
    due: i64,
    by: String,
}

/// Pieces of an hour that are more than the machine can hand out: they do not count until somebody accepts them.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Held {
    /// When the hour begins, in ms since 1970 UTC.
    hour: i64,
    pieces: i64,
}

/// What is in a machine.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MachineStockRow {
    device: String,
    /// How many are left, as it says itself; null if it does not.
    said: Option<i64>,
    /// How many are left by the ledger; null if it was never counted.
    booked: Option<i64>,
    capacity: Option<i64>,
    /// What its counter has counted since it is known.
    dispensed: i64,
    /// The same since midnight at the site.
    dispensed_today: i64,
    runs_out: Option<RunsOut>,
    /// By when it is to be refilled: before the shift begins in which it may run out; null if it lasts until the site closes.
    refill_by: Option<i64>,
    /// With how many pieces at least.
    refill_pieces: Option<i64>,
    held: Vec<Held>,
}

impl From<&MachineStock> for MachineStockRow {
    fn from(machine: &MachineStock) -> Self {
        let held = |(hour, pieces): &(Timestamp, i64)| Held { hour: hour.millis(), pieces: *pieces };
        Self {
            device: machine.device.to_string(),
            said: machine.said,
            booked: machine.booked,
            capacity: machine.capacity,
            dispensed: machine.dispensed.total,
            dispensed_today: machine.today,
            runs_out: machine.runs_out.map(RunsOut::from),
            refill_by: machine.refill.map(|refill| refill.by.millis()),
            refill_pieces: machine.refill.map(|refill| refill.pieces),
            held: machine.dispensed.held.iter().map(held).collect(),
        }
    }
}

/// What is in stock of one item at a site.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Stock {
    site: String,
    item: String,
    balances: Vec<Balance>,
    orders: Vec<OpenOrder>,
    machines: Vec<MachineStockRow>,
    /// When the store room is used up.
    runs_out: Option<RunsOut>,
    /// Pieces that will be in the store room when an order made now arrives.
    available: f64,
    /// Pieces below which `available` is too low.
    min: i64,
    /// Pieces to which the store room is filled up.
    target: i64,
    /// Whether the store room is kept, and runs low.
    low: bool,
}

impl Stock {
    fn of(site: &SiteId, stock: &ItemStock) -> Self {
        let balance = |(place, pieces): (&Place, i64)| Balance { place: place.to_string(), pieces };
        let order = |order: &crate::store::OpenOrder| OpenOrder {
            id: order.id.to_string(),
            pieces: order.pieces,
            ordered: order.ordered,
            due: order.due.millis(),
            by: order.who.clone(),
        };
        Self {
            site: site.to_string(),
            item: stock.id.to_string(),
            balances: stock.book.balances.ours().map(balance).collect(),
            orders: stock.book.orders.iter().map(order).collect(),
            machines: stock.machines.iter().map(MachineStockRow::from).collect(),
            runs_out: stock.runs_out.map(RunsOut::from),
            available: stock.room.available(),
            min: stock.levels.min,
            target: stock.levels.target,
            low: stock.book.kept && stock.room.is_low(false),
        }
    }
}

/// A movement of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StockMovement {
    id: String,
    site: String,
    item: String,
    /// `receive`, `refill`, `hand-out`, `count`, `waste`, `transfer` or `order`.
    kind: &'static str,
    /// `store`, `counter`, `machine/ID`, `ordered`, `supplier`, `guests`, `waste` or `difference`.
    from: String,
    to: String,
    pieces: i64,
    /// What a count found.
    counted: Option<i64>,
    order: Option<String>,
    /// When what is ordered is to come, in ms since 1970 UTC.
    due: Option<i64>,
    reason: String,
    by: String,
    post: String,
    /// In ms since 1970 UTC.
    at: i64,
    /// The movement that it undoes.
    corrects: Option<String>,
    /// The movement that undoes it.
    corrected_by: Option<String>,
}

impl From<EntryRow> for StockMovement {
    fn from(row: EntryRow) -> Self {
        let id = |id: Uuid| id.to_string();
        Self {
            id: row.id.to_string(),
            site: row.site.to_string(),
            item: row.item,
            kind: row.movement.kind.as_str(),
            from: row.movement.from.to_string(),
            to: row.movement.to.to_string(),
            pieces: row.movement.pieces,
            counted: row.movement.counted,
            order: row.movement.order.map(id),
            due: row.movement.due.map(Timestamp::millis),
            reason: row.reason,
            by: row.who,
            post: row.post,
            at: row.at.millis(),
            corrects: row.corrects.map(id),
            corrected_by: row.corrected_by.map(id),
        }
    }
}

/// Of which site it is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct StockQuery {
    /// Of this site only.
    site: Option<String>,
}

/// Which movements are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct MovementQuery {
    /// Of this site only.
    site: Option<String>,
    /// Of this item only.
    item: Option<String>,
    /// Not before, in ms since 1970 UTC.
    from: Option<i64>,
    /// Before, in ms since 1970 UTC.
    until: Option<i64>,
    /// Where the page before ended.
    after: Option<String>,
    /// How many at most.
    limit: Option<i64>,
}

/// What is in stock, and how long it will last, by site and item.
#[utoipa::path(get, path = "/api/v1/stock", tag = "stock", params(StockQuery),
    responses((status = 200, body = Page<Stock>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_stock(
    State(app): State<App>,
    Query(query): Query<StockQuery>,
) -> Result<Json<Page<Stock>>, ApiError> {
    let sites: Vec<SiteId> = match name::<SiteId>("site", query.site.as_deref())? {
        Some(site) => vec![site],
        None => app.fleet.read().keys().cloned().collect(),
    };
    let mut items = Vec::new();
    for (site, stocks) in stock::of_sites(&app.store, &app.fleet, &sites, app.clock.now()).await? {
        items.extend(stocks.iter().map(|stock| Stock::of(&site, stock)));
    }
    Ok(Json(Page { items, next: None }))
}

/// The ledger: movements, newest first.
#[utoipa::path(get, path = "/api/v1/stock/movements", tag = "stock", params(MovementQuery),
    responses((status = 200, body = Page<StockMovement>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_movements(
    State(app): State<App>,
    Query(query): Query<MovementQuery>,
) -> Result<Json<Page<StockMovement>>, ApiError> {
    let filter = EntryFilter {
        site: name::<SiteId>("site", query.site.as_deref())?,
        item: query.item,
        from: query.from.map(Timestamp::from_millis),
        until: query.until.map(Timestamp::from_millis),
    };
    let after = cursor(query.after.as_deref())?;
    let (rows, next) = app.store.stock_entries(&filter, after.as_ref(), limit(query.limit)?).await??;
    let items = rows.into_iter().map(StockMovement::from).collect();
    Ok(Json(Page { items, next: next.map(|next| next.to_string()) }))
}

/// What has been done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewMovement {
    /// Where.
    pub(in crate::http) site: String,
    /// Of what, as the standards call it: `shoe-cover`.
    pub(in crate::http) item: String,
    /// `receive`, `refill`, `hand-out`, `count`, `waste`, `transfer`, `order`, or `cancel` for what is still to come of an order.
    pub(in crate::http) kind: String,
    /// How many; for a count, how many there are.
    pub(in crate::http) pieces: Option<i64>,
    /// What is refilled or counted, or from where: `store` (which is usual), `counter` or `machine/ID`.
    pub(in crate::http) place: Option<String>,
    /// To where, for a transfer.
    pub(in crate::http) to: Option<String>,
    /// The order, for a receipt of one or for what is cancelled.
    pub(in crate::http) order: Option<String>,
    /// When what is ordered is to come, in ms since 1970 UTC; usually after the time that an order takes.
    pub(in crate::http) due: Option<i64>,
    /// Why; a count that differs from the ledger needs it.
    #[serde(default)]
    pub(in crate::http) reason: String,
    /// Who did it.
    #[serde(default)]
    pub(in crate::http) by: String,
}

/// Who corrects a movement, and why.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Correction {
    /// Why.
    #[serde(default)]
    reason: String,
    /// Who.
    #[serde(default)]
    by: String,
}

/// Enters a movement. With an `Idempotency-Key` the same request is one movement, however often it comes.
#[utoipa::path(post, path = "/api/v1/stock/movements", tag = "stock",
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text that no other movement has had")),
    request_body = NewMovement,
    responses((status = 201, body = StockMovement),
        (status = 200, body = StockMovement, description = "It was entered before, with this key"),
        (status = 400, description = "Something is missing or not valid"),
        (status = 404, description = "There is no such site, item, machine or order"),
        (status = 422, description = "The body is not valid, or the key is that of another movement")))]
pub(in crate::http) async fn make_movement(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewMovement>,
) -> Result<Response, ApiError> {
    let key = Key::of(&headers, "/api/v1/stock/movements", &new)?;
    let id = key.map_or_else(|| new_id().0, |key| key.id);
    let (row, is_new) = enter(&app, &caller, new, id).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(StockMovement::from(row))).into_response())
}

/// Undoes a movement by a counter-entry, once. With an `Idempotency-Key` the same request is one, however often it comes.
#[utoipa::path(post, path = "/api/v1/stock/movements/{id}/correct", tag = "stock",
    params(("id" = String, Path, description = "The movement"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any text that no other movement has had")),
    request_body = Correction,
    responses((status = 201, body = StockMovement),
        (status = 200, body = StockMovement, description = "It was corrected before, with this key"),
        (status = 404, description = "There is no such movement"),
        (status = 409, description = "It was corrected already, or is itself a correction")))]
pub(in crate::http) async fn correct_movement(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(of): Path<String>,
    Body(new): Body<Correction>,
) -> Result<Response, ApiError> {
    let key = Key::of(&headers, &format!("/api/v1/stock/movements/{of}/correct"), &new)?;
    let id = key.map_or_else(|| new_id().0, |key| key.id);
    let of = of.parse::<Uuid>().map_err(|_| ApiError::NotFound("movement"))?;
    let (row, is_new) = correct(&app, &caller, of, (&new.reason, new.by), id).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(StockMovement::from(row))).into_response())
}
