//! What is left of a device's past: hours and days with times in each state and the range of each number.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{past, time::Span};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Policy, Query, Routes, name};
use crate::store::{Grain, RolledUp};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/history", Policy::read(About::List), show_history)
}

/// How far back a history reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub(in crate::http) enum HistoryRange {
    /// A day, by hours.
    #[serde(rename = "24h")]
    Day,
    /// A week, by hours.
    #[serde(rename = "7d")]
    Week,
    /// Thirty days, by hours.
    #[serde(rename = "30d")]
    Month,
    /// A year, by days.
    #[serde(rename = "1y")]
    Year,
}

/// Which history is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct HistoryQuery {
    /// The site; needed.
    site: Option<String>,
    /// The device; needed.
    device: Option<String>,
    /// 24h, 7d, 30d (all by hours) or 1y (by days); usually 24h.
    #[param(inline)]
    range: Option<HistoryRange>,
}

/// The past of a device. Hours and days without any record are not listed: nothing is known of them.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct History {
    site: String,
    device: String,
    /// hour (of UTC) or day (of the site's zone).
    grain: &'static str,
    items: Vec<Item>,
}

/// One hour or day.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Item {
    /// When it begins, in ms since 1970 UTC.
    at: i64,
    /// Records in it.
    records: i64,
    /// For how long the device was in which state. A day counts only those of its hours that have a record.
    all: Times,
    /// The same while the site was open.
    open: Times,
    /// The numbers it stated.
    figures: BTreeMap<Box<str>, Figure>,
}

/// Times in each state, in ms.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Times {
    normal: i64,
    abnormal: i64,
    offline: i64,
    /// Nobody can tell; never to be counted as up.
    unknown: i64,
}

/// A number over an hour or day.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Figure {
    /// How often it was stated.
    count: i64,
    low: f64,
    high: f64,
    mean: f64,
}

impl From<past::Times> for Times {
    fn from(times: past::Times) -> Self {
        let past::Times { normal, abnormal, offline, unknown } = times;
        Self { normal, abnormal, offline, unknown }
    }
}

impl From<RolledUp> for Item {
    fn from(rolled: RolledUp) -> Self {
        let past::Rollup { records, all, open, figures } = rolled.rollup;
        let figure = |figure: past::Figure| Figure {
            count: figure.count,
            low: figure.low,
            high: figure.high,
            mean: figure.mean(),
        };
        Self {
            at: rolled.at.millis(),
            records,
            all: all.into(),
            open: open.into(),
            figures: figures.into_iter().map(|(name, known)| (name, figure(known))).collect(),
        }
    }
}

impl HistoryRange {
    fn grain(self) -> (Grain, &'static str) {
        match self {
            Self::Day | Self::Week | Self::Month => (Grain::Hour, "hour"),
            Self::Year => (Grain::Day, "day"),
        }
    }

    fn span(self) -> Span {
        let days = |days| Span::from_mins(24 * 60).times(days);
        match self {
            Self::Day => days(1),
            Self::Week => days(7),
            Self::Month => days(30),
            Self::Year => days(365),
        }
    }
}

/// The past of a device, by hours or days that have ended.
#[utoipa::path(get, path = "/api/v1/history", tag = "records", params(HistoryQuery),
    responses((status = 200, body = History), (status = 400, description = "A parameter is not valid"),
        (status = 404, description = "There is no such device")))]
pub(in crate::http) async fn show_history(
    State(app): State<App>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, ApiError> {
    let needed = |what: &str| ApiError::Parameter(format!("`{what}` is needed: say whose history is wanted"));
    let site: SiteId = name("site", query.site.as_deref())?.ok_or_else(|| needed("site"))?;
    let device: DeviceId = name("device", query.device.as_deref())?.ok_or_else(|| needed("device"))?;
    if app.fleet.read().get(&site).is_none_or(|site| site.device(&device).is_none()) {
        return Err(ApiError::NotFound("device"));
    }
    let range = query.range.unwrap_or(HistoryRange::Day);
    let ((grain, word), now) = (range.grain(), app.clock.now());
    let rolled = app.store.rollups(&site, &device, grain, (now - range.span(), now)).await?;
    let items = rolled.into_iter().map(Item::from).collect();
    Ok(Json(History { site: site.to_string(), device: device.to_string(), grain: word, items }))
}
