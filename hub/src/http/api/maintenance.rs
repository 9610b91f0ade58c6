//! Maintenance windows.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use lobby_domain::access::Need;
use lobby_domain::{matchers::Matchers, restraint::Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes,
    restraints::{self, EndQuery, Key, Restraint, RestraintChange, RestraintQuery, Wish},
};
use crate::http::conditional::Conditions;

const PATH: &str = "/api/v1/maintenance";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/maintenance", Policy::read(About::Handler), list_maintenance)
        .post("/api/v1/maintenance", Policy::to(Need::Restrain, About::Handler), make_maintenance_window)
        .get("/api/v1/maintenance/{id}", Policy::read(About::Restraint), show_maintenance_window)
        .patch("/api/v1/maintenance/{id}", Policy::to(Need::Restrain, About::Restraint), change_maintenance_window)
        .delete("/api/v1/maintenance/{id}", Policy::to(Need::Restrain, About::Restraint), end_maintenance_window)
}

/// A maintenance window: data is collected and judged, and alerts that begin within it are not told before it ends.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewMaintenance {
    /// What each field must be: a text, or a list of texts of which one will do.
    #[schema(value_type = Object)]
    matchers: Matchers,
    /// Whether alerts that were open before it began are kept quiet too.
    #[serde(default)]
    include_firing: bool,
    /// When it begins, in ms since 1970 UTC; now if not given.
    starts: Option<i64>,
    /// When it ends.
    ends: i64,
    /// Who makes it.
    #[serde(default, alias = "name")]
    by: String,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// Maintenance windows, newest first.
#[utoipa::path(get, path = "/api/v1/maintenance", tag = "maintenance", params(RestraintQuery),
    responses((status = 200, body = Page<Restraint>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_maintenance(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RestraintQuery>,
) -> Result<Json<Page<Restraint>>, ApiError> {
    restraints::list(&app, &caller, true, query).await
}

/// One maintenance window.
#[utoipa::path(get, path = "/api/v1/maintenance/{id}", tag = "maintenance", params(("id" = String, Path, description = "The maintenance window")),
    responses((status = 200, body = Restraint), (status = 404, description = "There is no such maintenance window")))]
pub(in crate::http) async fn show_maintenance_window(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::show(&app, true, &id).await
}

/// Makes a maintenance window. With an `Idempotency-Key` the same request makes one only, however often it comes.
#[utoipa::path(post, path = "/api/v1/maintenance", tag = "maintenance", request_body = NewMaintenance,
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text that no other request has had")),
    responses((status = 200, description = "It was made before, by the same request", body = Restraint),
        (status = 201, description = "It was made", body = Restraint), (status = 400, description = "It makes no sense"),
        (status = 409, description = "The alert is not open, or there are too many"),
        (status = 422, description = "The body is not valid, or the key is that of another request")))]
pub(in crate::http) async fn make_maintenance_window(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewMaintenance>,
) -> Result<Response, ApiError> {
    let key = Key::of(&headers, PATH, &new)?;
    let kind = Kind::Maintenance { matchers: new.matchers, include_firing: new.include_firing };
    let wish = Wish { kind, starts: new.starts, ends: Some(new.ends), by: caller.signs(new.by), comment: new.comment };
    restraints::make(&app, &caller, PATH, wish, key).await
}

/// Changes a maintenance window that is not over. With other matchers, or another beginning of an active one, it ends and another one goes on in its
/// place, which is the answer.
#[utoipa::path(patch, path = "/api/v1/maintenance/{id}", tag = "maintenance", request_body = RestraintChange,
    params(("id" = String, Path, description = "The maintenance window")),
    responses((status = 200, body = Restraint), (status = 400, description = "It makes no sense"),
        (status = 404, description = "There is no such maintenance window"), (status = 409, description = "It is over")))]
pub(in crate::http) async fn change_maintenance_window(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(change): Body<RestraintChange>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::change(&app, &caller, true, &id, &Conditions::of(&headers), change).await
}

/// Ends a maintenance window now. It stays in the list.
#[utoipa::path(delete, path = "/api/v1/maintenance/{id}", tag = "maintenance",
    params(("id" = String, Path, description = "The maintenance window"), EndQuery),
    responses((status = 200, body = Restraint), (status = 404, description = "There is no such maintenance window"),
        (status = 409, description = "It is over")))]
pub(in crate::http) async fn end_maintenance_window(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<EndQuery>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::end(&app, &caller, true, &id, &Conditions::of(&headers), query.into_name()).await
}
