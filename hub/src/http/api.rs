//! The API, version 1: what the hub knows, page by page, and what people do with tickets.

mod agents;
mod alerts;
mod audit;
mod checks;
mod compliance;
mod devices;
mod escalations;
mod findings;
mod history;
mod maintenance;
pub(super) mod notifications;
mod people;
mod records;
mod register;
mod reports;
mod restraints;
mod roster;
mod silences;
pub(super) mod stock;
mod tickets;
mod trace;

use axum::{middleware, routing::any};
use lobby_domain::label::Label;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    App, conditional, error,
    gate::{About, Caller, Policy, Routes},
};
use crate::{
    http::error::{ApiError, Body, Path, Query},
    store::Cursor,
};

pub(super) mod docs {
    //! The handlers by path, for the OpenAPI document.
    pub(in crate::http) use super::{
        agents::*, alerts::*, audit::*, checks::*, compliance::*, devices::*, escalations::*, findings::*, history::*,
        maintenance::*, notifications::*, people::*, records::*, register::*, reports::*, roster::*, silences::*,
        stock::*, tickets::*, trace::*,
    };
}

/// Most items of one page.
const MOST: i64 = 1000;
/// Items of one page if nothing is said.
const USUAL: i64 = 100;

pub(super) fn routes() -> Routes {
    Routes::new()
        .merge(agents::routes())
        .merge(devices::routes())
        .merge(records::routes())
        .merge(history::routes())
        .merge(alerts::routes())
        .merge(tickets::routes())
        .merge(escalations::routes())
        .merge(reports::routes())
        .merge(trace::routes())
        .merge(silences::routes())
        .merge(maintenance::routes())
        .merge(findings::routes())
        .merge(notifications::routes())
        .merge(audit::routes())
        .merge(people::routes())
        .merge(roster::routes())
        .merge(stock::routes())
        .merge(checks::routes())
        .merge(compliance::routes())
        .merge(register::routes())
        // Of no use to anybody, so nothing is asked.
        .with(|router| router.route("/api/{*rest}", any(error::no_such_address)))
        .with(|router| router.method_not_allowed_fallback(error::no_such_method))
        .with(|router| router.layer(middleware::from_fn(conditional::answer)))
}

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Text {
    /// In Chinese.
    zh: String,
    /// In English.
    en: String,
}

impl From<&Label> for Text {
    fn from(label: &Label) -> Self {
        Self { zh: label.zh.to_string(), en: label.en.to_string() }
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// To be given as `after` for the next page; null on the last.
    next: Option<String>,
}

/// Which of open and closed things are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    /// Open ones.
    Open,
    /// Ended ones.
    Closed,
    /// Ended ones.
    Cleared,
    /// All.
    All,
}

impl Wanted {
    fn open(wanted: Option<Self>) -> Option<bool> {
        match wanted {
            Some(Self::Open) => Some(true),
            Some(Self::Closed | Self::Cleared) => Some(false),
            Some(Self::All) | None => None,
        }
    }
}

fn limit(wanted: Option<i64>) -> Result<i64, ApiError> {
    let limit = wanted.unwrap_or(USUAL);
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::Parameter(format!("`limit` is {limit}, use 1 to {MOST}")))
}

fn cursor(after: Option<&str>) -> Result<Option<Cursor>, ApiError> {
    after.filter(|after| !after.is_empty()).map(str::parse).transpose().map_err(ApiError::from)
}

/// A name given as a parameter.
fn name<T: std::str::FromStr<Err = lobby_contract::NameError>>(
    what: &str,
    text: Option<&str>,
) -> Result<Option<T>, ApiError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: lobby_contract::NameError| ApiError::Parameter(format!("`{what}`: {error}")))
}

#[cfg(test)]
mod tests;
