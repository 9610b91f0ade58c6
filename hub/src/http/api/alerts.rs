//! Alerts.

use axum::{Json, Router, extract::State, routing::get};
use lobby_contract::DeviceId;
use lobby_domain::{alert::Subject, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ApiError, App, Page, Query, Text, Wanted, cursor, limit, name};
use crate::store::{AlertFilter, AlertRow, Cursor};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/api/v1/alerts", get(list_alerts))
}

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Alert {
    id: String,
    site: String,
    /// The device it is about; null if it is about an agent or the site.
    device: Option<String>,
    /// The agent it is about; null if it is about a device or the site.
    agent: Option<String>,
    /// The rule that fired.
    rule: String,
    /// The clauses of the standards that the rule serves.
    clauses: Vec<String>,
    /// info, warning, major or critical.
    severity: String,
    /// open or cleared.
    state: &'static str,
    /// The department that works its ticket.
    department: Option<String>,
    /// The posts told.
    tells: Vec<String>,
    title: Text,
    evidence: Text,
    /// Since when the fault has been there, in ms since 1970 UTC.
    since: i64,
    opened_at: i64,
    cleared_at: Option<i64>,
    /// `recovered`, `rule_removed` or `retired`.
    clear_reason: Option<String>,
    /// The number of its repair ticket, or of that of its cause.
    ticket: Option<String>,
    /// The alert that is its cause, if it is a consequence.
    victim_of: Option<String>,
    /// Whether it began and ended before the hub heard of it: records that came late have shown it, and nobody was told.
    late: bool,
}

/// The device and the agent a subject stands for.
pub(super) fn subject(subject: &Subject) -> (Option<String>, Option<String>) {
    match subject {
        Subject::Device(id) => (Some(id.to_string()), None),
        Subject::Agent(id) => (None, Some(id.to_string())),
        Subject::Site => (None, None),
    }
}

impl From<AlertRow> for Alert {
    fn from(row: AlertRow) -> Self {
        let (device, agent) = subject(&row.subject);
        Self {
            id: row.id.to_string(),
            site: row.site.to_string(),
            device,
            agent,
            rule: row.rule,
            clauses: row.clauses,
            severity: row.severity,
            state: if row.cleared_at.is_none() { "open" } else { "cleared" },
            department: row.department,
            tells: row.tells,
            title: (&row.title).into(),
            evidence: (&row.evidence).into(),
            since: row.since.millis(),
            opened_at: row.opened_at.millis(),
            cleared_at: row.cleared_at.map(Timestamp::millis),
            clear_reason: row.clear_reason,
            ticket: row.ticket,
            victim_of: row.victim_of.map(|id| id.to_string()),
            late: row.late,
        }
    }
}

/// Which alerts are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AlertQuery {
    /// Of this site only.
    site: Option<String>,
    /// About this device only.
    device: Option<String>,
    /// open, cleared or all; all if nothing is said.
    #[param(inline)]
    state: Option<Wanted>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// Alerts, newest first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertQuery),
    responses((status = 200, body = Page<Alert>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_alerts(
    State(app): State<App>,
    Query(query): Query<AlertQuery>,
) -> Result<Json<Page<Alert>>, ApiError> {
    let filter = AlertFilter {
        site: name("site", query.site.as_deref())?,
        subject: name::<DeviceId>("device", query.device.as_deref())?.map(Subject::Device),
        open: Wanted::open(query.state),
        ticket: None,
    };
    let (rows, next) =
        app.store.alerts(&filter, cursor(query.after.as_deref())?.as_ref(), limit(query.limit)?).await??;
    Ok(Json(Page { items: rows.into_iter().map(Alert::from).collect(), next: next.as_ref().map(Cursor::to_string) }))
}
