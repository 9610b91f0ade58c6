//! The audit log: what people and programs have changed.

use axum::{Json, extract::State};
use lobby_domain::access::Need;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, ApiError, App, Page, Policy, Query, Routes, cursor, limit, name};
use crate::{
    audit,
    store::{AuditFilter, Cursor},
};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/audit", Policy::to(Need::Operate, About::AllSites), list_audit_log)
}

/// A change that somebody made. It is never changed itself.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AuditEntry {
    /// 1, 2, 3 … without gaps.
    no: i64,
    /// When, in ms since 1970 UTC.
    at: i64,
    /// Who, by name.
    actor: String,
    /// `person`, `program` (a token), `here` (at the hub's computer while nobody can sign in yet) or `command`.
    actor_kind: String,
    /// The id of the person or of the token; empty for the others.
    actor_id: String,
    /// The site; null for what is of all sites or of none.
    site: Option<String>,
    /// What was done, such as `ticket.accept`.
    action: String,
    /// To what: the number of a ticket, or the id of anything else.
    subject: String,
    before: Option<String>,
    after: Option<String>,
}

impl From<audit::Entry> for AuditEntry {
    fn from(entry: audit::Entry) -> Self {
        Self {
            no: entry.no,
            at: entry.at.millis(),
            actor: entry.actor,
            actor_kind: entry.actor_kind,
            actor_id: entry.actor_id,
            site: entry.site,
            action: entry.action,
            subject: entry.subject,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AuditQuery {
    /// Of this site only.
    site: Option<String>,
    /// By whoever has this name only.
    actor: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page, 1 to 1000, usually 100.
    limit: Option<i64>,
}

/// What people and programs have changed, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_audit_log(
    State(app): State<App>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    if query.actor.as_ref().is_some_and(|actor| actor.contains('\0')) {
        return Err(ApiError::Parameter("`actor` cannot have the character NUL".to_owned()));
    }
    let filter = AuditFilter { site: name("site", query.site.as_deref())?, actor: query.actor };
    let after = cursor(query.after.as_deref())?;
    let (rows, next) = app.store.audit_log(&filter, after.as_ref(), limit(query.limit)?).await??;
    Ok(Json(Page {
        items: rows.into_iter().map(AuditEntry::from).collect(),
        next: next.as_ref().map(Cursor::to_string),
    }))
}
