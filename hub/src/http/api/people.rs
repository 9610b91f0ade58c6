//! People, and what they hold: a role at a site or at all of them, and further ones.

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::access::{Grant, Need, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Caller, Page, Path, Policy, Query, Routes, name};
use crate::{
    http::people::{Turn, is_seen, is_theirs, turn},
    store::PersonRow,
};

pub(super) fn routes() -> Routes {
    let policy = Policy::to(Need::Operate, About::Handler);
    Routes::new()
        .get("/api/v1/people", policy, list_people)
        .put("/api/v1/people/{id}/grants/{role}", policy, give_grant)
        .delete("/api/v1/people/{id}/grants/{role}", policy, take_grant)
}

/// A role that somebody holds.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HeldGrant {
    role: String,
    /// The only site at which it holds; null for all of them.
    site: Option<String>,
}

/// Somebody who may sign in, or may no longer.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Person {
    id: String,
    name: String,
    /// What they sign in with.
    login: String,
    /// What they hold that is the caller's to give.
    grants: Vec<HeldGrant>,
    /// Whether they hold something that is not.
    holds_more: bool,
    /// Since when they may no longer sign in, in ms since 1970 UTC.
    disabled_at: Option<i64>,
}

impl Person {
    fn of(caller: &Caller, row: PersonRow) -> Self {
        let theirs = row.grants().filter(|grant| caller.may_give(grant));
        let held = |grant: &Grant| HeldGrant {
            role: grant.role.to_string(),
            site: grant.site.as_ref().map(SiteId::to_string),
        };
        Self {
            grants: theirs.map(held).collect(),
            holds_more: !is_theirs(caller, &row),
            id: row.id,
            name: row.name,
            login: row.login,
            disabled_at: row.disabled_at.map(lobby_domain::time::Timestamp::millis),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct GrantQuery {
    /// The only site at which it holds; all of them if not given.
    site: Option<String>,
}

/// The grant that an address names.
fn named(role: &str, query: &GrantQuery) -> Result<Grant, ApiError> {
    let role: Role =
        role.parse().map_err(|error: lobby_domain::access::NoSuchRole| ApiError::Parameter(error.to_string()))?;
    Ok(Grant { role, site: name("site", query.site.as_deref())? })
}

/// Everybody who holds something that is the caller's to give.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", responses((status = 200, body = Page<Person>)))]
pub(in crate::http) async fn list_people(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Page<Person>>, ApiError> {
    let people = app.store.people().await?.into_iter().filter(|row| is_seen(&caller, row));
    Ok(Json(Page { items: people.map(|row| Person::of(&caller, row)).collect(), next: None }))
}

/// Grants somebody a role, at one site or at all. What they hold already changes nothing.
#[utoipa::path(put, path = "/api/v1/people/{id}/grants/{role}", tag = "people",
    params(("id" = String, Path, description = "The person, by their id"), ("role" = String, Path, description = "The role, such as supervisor"), GrantQuery),
    responses((status = 200, body = Person), (status = 400, description = "There is no such role"),
        (status = 403, description = "Nobody gives more than they have"),
        (status = 404, description = "There is no such person or site"), (status = 409, description = "They were erased")))]
pub(in crate::http) async fn give_grant(
    State(app): State<App>,
    caller: Caller,
    Path((id, role)): Path<(String, String)>,
    Query(query): Query<GrantQuery>,
) -> Result<Json<Person>, ApiError> {
    let row = turn(&app, &caller, (&id, &named(&role, &query)?), Turn::Give).await?;
    Ok(Json(Person::of(&caller, row)))
}

/// Takes a role away that somebody holds, with all that it let them do, at once. What they do not hold changes nothing.
#[utoipa::path(delete, path = "/api/v1/people/{id}/grants/{role}", tag = "people",
    params(("id" = String, Path, description = "The person, by their id"), ("role" = String, Path, description = "The role, such as supervisor"), GrantQuery),
    responses((status = 200, body = Person), (status = 400, description = "There is no such role"),
        (status = 403, description = "Nobody takes more than they have"), (status = 404, description = "There is no such person"),
        (status = 409, description = "It is all that they hold, they are the last administrator, or they were erased")))]
pub(in crate::http) async fn take_grant(
    State(app): State<App>,
    caller: Caller,
    Path((id, role)): Path<(String, String)>,
    Query(query): Query<GrantQuery>,
) -> Result<Json<Person>, ApiError> {
    let row = turn(&app, &caller, (&id, &named(&role, &query)?), Turn::Take).await?;
    Ok(Json(Person::of(&caller, row)))
}
