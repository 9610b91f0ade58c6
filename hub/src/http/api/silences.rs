//! Silences.

use axum::{Json, extract::State, http::HeaderMap, response::Response};
use lobby_domain::access::Need;
use lobby_domain::{alert::AlertId, matchers::Matchers, restraint::Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    About, ApiError, App, Body, Caller, Page, Path, Policy, Query, Routes,
    restraints::{self, EndQuery, Key, Restraint, RestraintChange, RestraintQuery, Wish},
};
use crate::http::conditional::Conditions;

const PATH: &str = "/api/v1/silences";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/silences", Policy::read(About::Handler), list_silences)
        .post("/api/v1/silences", Policy::to(Need::Restrain, About::Handler), make_silence)
        .get("/api/v1/silences/{id}", Policy::read(About::Restraint), show_silence)
        .patch("/api/v1/silences/{id}", Policy::to(Need::Restrain, About::Restraint), change_silence)
        .delete("/api/v1/silences/{id}", Policy::to(Need::Restrain, About::Restraint), end_silence)
}

/// A silence: matching alerts are raised, stored and shown, and not told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewSilence {
    /// What each field must be: a text, or a list of texts of which one will do.
    #[schema(value_type = Option<Object>)]
    matchers: Option<Matchers>,
    /// Instead of matchers: the alert that is to be silent until it is resolved.
    #[schema(value_type = Option<String>)]
    until_resolved: Option<Uuid>,
    /// When it begins, in ms since 1970 UTC; now if not given.
    starts: Option<i64>,
    /// When it ends; not needed where it ends with an alert.
    ends: Option<i64>,
    /// Who makes it.
    #[serde(default, alias = "name")]
    by: String,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// Silences, newest first.
#[utoipa::path(get, path = "/api/v1/silences", tag = "silences", params(RestraintQuery),
    responses((status = 200, body = Page<Restraint>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_silences(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<RestraintQuery>,
) -> Result<Json<Page<Restraint>>, ApiError> {
    restraints::list(&app, &caller, false, query).await
}

/// One silence.
#[utoipa::path(get, path = "/api/v1/silences/{id}", tag = "silences", params(("id" = String, Path, description = "The silence")),
    responses((status = 200, body = Restraint), (status = 404, description = "There is no such silence")))]
pub(in crate::http) async fn show_silence(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::show(&app, false, &id).await
}

/// Makes a silence. With an `Idempotency-Key` the same request makes one only, however often it comes.
#[utoipa::path(post, path = "/api/v1/silences", tag = "silences", request_body = NewSilence,
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text that no other request has had")),
    responses((status = 200, description = "It was made before, by the same request", body = Restraint),
        (status = 201, description = "It was made", body = Restraint), (status = 400, description = "It makes no sense"),
        (status = 409, description = "The alert is not open, or there are too many"),
        (status = 422, description = "The body is not valid, or the key is that of another request")))]
pub(in crate::http) async fn make_silence(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewSilence>,
) -> Result<Response, ApiError> {
    let key = Key::of(&headers, PATH, &new)?;
    let kind = match (new.matchers, new.until_resolved) {
        (Some(matchers), None) => Kind::Silence(matchers),
        (None, Some(alert)) if new.starts.is_none() => Kind::UntilResolved(AlertId(alert)),
        (None, Some(_)) => {
            return Err(ApiError::Parameter(
                "a silence until an alert is resolved begins at once: leave out `starts`".to_owned(),
            ));
        }
        _ => return Err(ApiError::Parameter("give either `matchers` or `until_resolved`".to_owned())),
    };
    let wish = Wish { kind, starts: new.starts, ends: new.ends, by: caller.signs(new.by), comment: new.comment };
    restraints::make(&app, &caller, PATH, wish, key).await
}

/// Changes a silence that is not over. With other matchers, or another beginning of an active one, it ends and another one goes on in its
/// place, which is the answer.
#[utoipa::path(patch, path = "/api/v1/silences/{id}", tag = "silences", request_body = RestraintChange,
    params(("id" = String, Path, description = "The silence")),
    responses((status = 200, body = Restraint), (status = 400, description = "It makes no sense"),
        (status = 404, description = "There is no such silence"), (status = 409, description = "It is over")))]
pub(in crate::http) async fn change_silence(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(change): Body<RestraintChange>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::change(&app, &caller, false, &id, &Conditions::of(&headers), change).await
}

/// Ends a silence now. It stays in the list.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "silences",
    params(("id" = String, Path, description = "The silence"), EndQuery),
    responses((status = 200, body = Restraint), (status = 404, description = "There is no such silence"),
        (status = 409, description = "It is over")))]
pub(in crate::http) async fn end_silence(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<EndQuery>,
) -> Result<Json<Restraint>, ApiError> {
    restraints::end(&app, &caller, false, &id, &Conditions::of(&headers), query.into_name()).await
}
