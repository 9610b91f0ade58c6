//! Alerts.

use axum::{Json, extract::State};
use lobby_contract::DeviceId;
use lobby_domain::access::Need;
use lobby_domain::{
    alert::{ClearRefusal, Subject},
    overlay,
    restraint::RestraintId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes, Text, Wanted, cursor, limit, name,
    restraints::{alert_id, check_texts},
};
use crate::{
    fleet::Changed,
    ingest::{Decision, DecisionError},
    store::{AlertFilter, AlertRow, Cursor},
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/alerts", Policy::read(About::List), list_alerts)
        .get("/api/v1/alerts/{id}", Policy::read(About::Alert), show_alert)
        .post("/api/v1/alerts/{id}/ack", Policy::to(Need::Answer, About::Alert), acknowledge_alert)
        .post("/api/v1/alerts/{id}/clear", Policy::to(Need::Equip, About::Alert), clear_alert)
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
    /// `recovered`, `rule_removed`, `retired`, `manual` or `ticket_closed` (of what a person reported).
    clear_reason: Option<String>,
    /// Who cleared it; null for the hub itself.
    cleared_by: Option<String>,
    /// The number of its repair ticket, or of that of its cause.
    ticket: Option<String>,
    /// The alert that is its cause, if it is a consequence.
    victim_of: Option<String>,
    /// Whether it began and ended before the hub heard of it: records that came late have shown it, and nobody was told.
    late: bool,
    /// Whether somebody has taken notice.
    acknowledged: bool,
    acked_at: Option<i64>,
    acked_by: Option<String>,
    /// How often it has been raised.
    hits: i64,
    /// When it was last raised.
    last_seen: i64,
    /// The alert before it of the same subject and rule.
    previous: Option<String>,
    /// What lies over it now; nothing once it is cleared.
    overlays: Overlays,
    /// What keeps it from being told now; null if nothing does.
    muted: Option<Muted>,
}

/// What lies over an alert now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Overlays {
    /// The alert that explains it.
    inhibited_by: Option<String>,
    /// Active silences that are about it.
    silenced_by: Vec<String>,
    /// Active maintenance windows that are about it.
    maintenance_by: Vec<String>,
    /// Whether it comes and goes.
    flapping: bool,
    /// Whether nobody can tell at present if the fault is still there.
    unverified: bool,
}

/// What keeps an alert from being told.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Muted {
    /// `life` (the device is on trial or under maintenance), `inhibition`, `maintenance` or `silence`.
    by: &'static str,
    /// The device, alert, maintenance window or silence.
    id: String,
}

/// Who does it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct By {
    /// Their name.
    #[serde(default, alias = "name")]
    by: String,
}

/// The device and the agent a subject stands for.
pub(super) fn subject(subject: &Subject) -> (Option<String>, Option<String>) {
    match subject {
        Subject::Device(id) => (Some(id.to_string()), None),
        Subject::Agent(id) => (None, Some(id.to_string())),
        Subject::Site => (None, None),
    }
}

impl From<overlay::Overlay> for Overlays {
    fn from(overlay: overlay::Overlay) -> Self {
        let ids = |ids: Vec<RestraintId>| ids.iter().map(RestraintId::to_string).collect();
        Self {
            inhibited_by: overlay.inhibited_by.map(|id| id.to_string()),
            silenced_by: ids(overlay.silenced_by),
            maintenance_by: ids(overlay.maintenance_by),
            flapping: overlay.flapping,
            unverified: overlay.unverified,
        }
    }
}

impl Alert {
    fn of(app: &App, row: AlertRow, now: Timestamp) -> Self {
        let (device, agent) = subject(&row.subject);
        let (overlay, muted) = app.restraints.over(&row, now);
        let of = row.subject.to_string();
        let (acked_at, acked_by) = row.acked.map(|(at, by)| (at.millis(), by)).unzip();
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
            cleared_by: Some(row.cleared_by).filter(|by| !by.is_empty()),
            ticket: row.ticket,
            victim_of: row.victim_of.map(|id| id.to_string()),
            late: row.late,
            acknowledged: acked_at.is_some(),
            acked_at,
            acked_by,
            hits: row.hits,
            last_seen: row.last_seen.millis(),
            previous: row.previous.map(|id| id.to_string()),
            overlays: overlay.into(),
            muted: muted.map(|muted| Muted { by: muted.as_str(), id: muted.id().map_or(of, |id| id.to_string()) }),
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
        ..AlertFilter::default()
    };
    let (rows, next) =
        app.store.alerts(&filter, cursor(query.after.as_deref())?.as_ref(), limit(query.limit)?).await??;
    let now = app.clock.now();
    let items = rows.into_iter().map(|row| Alert::of(&app, row, now)).collect();
    Ok(Json(Page { items, next: next.as_ref().map(Cursor::to_string) }))
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", params(("id" = String, Path, description = "The alert")),
    responses((status = 200, body = Alert), (status = 404, description = "There is no such alert")))]
pub(in crate::http) async fn show_alert(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Alert>, ApiError> {
    let row = app.store.alert(alert_id(&id)?).await?.ok_or(ApiError::NotFound("alert"))?;
    Ok(Json(Alert::of(&app, row, app.clock.now())))
}

/// Takes notice of an alert. The first one to do so is kept; a repeat changes nothing.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/ack", tag = "alerts", request_body = By,
    params(("id" = String, Path, description = "The alert")),
    responses((status = 200, body = Alert), (status = 404, description = "There is no such alert")))]
pub(in crate::http) async fn acknowledge_alert(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<By>,
) -> Result<Json<Alert>, ApiError> {
    let by = caller.signs(body.by);
    check_texts(&by, "")?;
    let (id, now) = (alert_id(&id)?, app.clock.now());
    let alert = app.store.alert(id).await?.ok_or(ApiError::NotFound("alert"))?;
    if !caller.may_acknowledge(&alert) {
        return Err(ApiError::Superior(alert.tells.join(", ")));
    }
    let row = app.store.acknowledge(id, &by, now, &caller.actor(&by), &app.fleet.setup()).await?;
    let row = row.ok_or(ApiError::NotFound("alert"))?;
    app.fleet.tell(Changed { site: row.site.clone(), device: None });
    Ok(Json(Alert::of(&app, row, now)))
}

/// Clears an alert whose fault is gone, without waiting for its rule. A repeat changes nothing.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/clear", tag = "alerts", request_body = By,
    params(("id" = String, Path, description = "The alert")),
    responses((status = 200, body = Alert), (status = 404, description = "There is no such alert"),
        (status = 409, description = "The fault is there or nobody can tell; the problem offers a silence until it is resolved")))]
pub(in crate::http) async fn clear_alert(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<By>,
) -> Result<Json<Alert>, ApiError> {
    let by = caller.signs(body.by);
    check_texts(&by, "")?;
    let id = alert_id(&id)?;
    let row = app.store.alert(id).await?.ok_or(ApiError::NotFound("alert"))?;
    if row.cleared_at.is_none() {
        let actor = caller.actor(&by);
        let decision = Decision::Clear { alert: id, subject: row.subject, rule: row.rule, by };
        match app.desk.decide(row.site, decision, actor).await {
            // Its rule may have cleared it just now: then what was asked for is done.
            Ok(()) | Err(DecisionError::Clear(ClearRefusal::NotOpen)) => {}
            Err(DecisionError::Clear(refusal)) => return Err(ApiError::Fault { refusal, alert: id }),
            Err(error) => return Err(error.into()),
        }
    }
    let row = app.store.alert(id).await?.ok_or(ApiError::NotFound("alert"))?;
    if row.cleared_at.is_none() {
        return Err(ApiError::Conflict("its rule is not firing at present; try again in a moment".to_owned()));
    }
    Ok(Json(Alert::of(&app, row, app.clock.now())))
}
