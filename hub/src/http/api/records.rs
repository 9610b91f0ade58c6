//! Records as agents sent them.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use lobby_contract::{FactValue, Reach};
use lobby_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Page, Policy, Query, Routes, cursor, limit, name};
use crate::store::{Cursor, RecordFilter};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/records", Policy::read(About::List), list_records)
}

/// A record.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Record {
    site: String,
    agent: String,
    epoch: i64,
    seq: i64,
    device: String,
    /// When the device was probed, by the hub's clock, in ms since 1970 UTC.
    at: i64,
    /// When it was received.
    received_at: i64,
    /// When the device was probed, by its agent's clock: another time than `at` where that clock was not believed.
    stated_at: i64,
    /// Whether the agent's clock was more than two minutes off.
    clock_suspect: bool,
    /// ok, unreachable or unknown.
    #[schema(value_type = String)]
    reach: Reach,
    #[schema(value_type = Object)]
    facts: BTreeMap<Box<str>, FactValue>,
    #[schema(value_type = Vec<String>)]
    faults: Vec<Box<str>>,
}

/// Which records are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RecordQuery {
    /// The site; needed.
    site: Option<String>,
    /// Of this device only, then ordered by time; else by agent, epoch and seq.
    device: Option<String>,
    /// Not before, in ms since 1970 UTC.
    from: Option<i64>,
    /// Before, in ms since 1970 UTC.
    to: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// Records of a site or device.
#[utoipa::path(get, path = "/api/v1/records", tag = "records", params(RecordQuery),
    responses((status = 200, body = Page<Record>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_records(
    State(app): State<App>,
    Query(query): Query<RecordQuery>,
) -> Result<Json<Page<Record>>, ApiError> {
    let site = name("site", query.site.as_deref())?
        .ok_or_else(|| ApiError::Parameter("`site` is needed: say whose records are wanted".to_owned()))?;
    let filter = RecordFilter {
        site,
        device: name("device", query.device.as_deref())?,
        from: query.from.map(Timestamp::from_millis),
        to: query.to.map(Timestamp::from_millis),
    };
    let (rows, next) =
        app.store.records(&filter, cursor(query.after.as_deref())?.as_ref(), limit(query.limit)?).await??;
    let item = |row: crate::store::RecordRow| Record {
        site: filter.site.to_string(),
        agent: row.agent,
        epoch: row.epoch,
        seq: row.seq,
        device: row.device,
        at: row.at.millis(),
        received_at: row.received_at.millis(),
        stated_at: row.stated_at.millis(),
        clock_suspect: row.clock_suspect,
        reach: row.reach,
        facts: row.facts,
        faults: row.faults,
    };
    Ok(Json(Page { items: rows.into_iter().map(item).collect(), next: next.as_ref().map(Cursor::to_string) }))
}
