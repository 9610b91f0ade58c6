//! Findings: the product's own troubles.

use axum::{Json, extract::State};
use lobby_dashboards::Lang;
use serde::Serialize;
use utoipa::ToSchema;

use lobby_domain::{access::Need, pack::Pack};

use super::{About, ApiError, App, Caller, Page, Path, Policy, Routes, Text};
use crate::findings;

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/findings", Policy::read(About::AllSites), list_findings).post(
        "/api/v1/findings/{domain}/{id}/ignore",
        Policy::to(Need::Operate, About::AllSites),
        ignore_finding,
    )
}

/// A trouble of the product itself; never a fault of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Finding {
    /// storage, database, broker, clock, tasks, certificates, backup, estate, configuration, roster or notifications.
    domain: &'static str,
    /// Its name, unique in the domain.
    id: String,
    /// Which kind of trouble it is.
    key: &'static str,
    /// warning, error, or critical: the hub cannot do its work.
    severity: &'static str,
    /// What is wrong.
    title: Text,
    /// What to do next.
    advice: Text,
    /// The page of the agent, device or roster that it is about, if it is about one.
    page: Option<String>,
    /// Since when, in ms since 1970 UTC.
    since: i64,
    /// Whether it stays until somebody has seen it, though its cause may be over.
    persistent: bool,
    /// Whether somebody chose to ignore it until it is gone.
    ignored: bool,
}

impl Finding {
    fn new(finding: findings::Finding, pack: &Pack) -> Self {
        let [zh, en] = [Lang::Zh, Lang::En].map(|lang| finding.texts(lang, pack));
        Self {
            domain: finding.domain.as_str(),
            title: Text { zh: zh.0, en: en.0 },
            advice: Text { zh: zh.1, en: en.1 },
            page: finding.page(),
            id: finding.id.into(),
            key: finding.key.as_str(),
            severity: finding.severity.as_str(),
            since: finding.since.millis(),
            persistent: finding.persistent,
            ignored: finding.ignored,
        }
    }
}

/// All that is found now, the gravest first.
#[utoipa::path(get, path = "/api/v1/findings", tag = "findings", responses((status = 200, body = Page<Finding>)))]
pub(in crate::http) async fn list_findings(State(app): State<App>) -> Json<Page<Finding>> {
    let setup = app.fleet.setup();
    let items = app.findings.all().into_iter().map(|finding| Finding::new(finding, &setup.pack)).collect();
    Json(Page { items, next: None })
}

/// Ignores a finding until it is gone and comes back. One that stays until it is seen is gone by this.
#[utoipa::path(post, path = "/api/v1/findings/{domain}/{id}/ignore", tag = "findings",
    params(("domain" = String, Path, description = "Its domain"), ("id" = String, Path, description = "Its name")),
    responses((status = 200, body = Finding), (status = 404, description = "There is no such finding")))]
pub(in crate::http) async fn ignore_finding(
    State(app): State<App>,
    caller: Caller,
    Path((domain, id)): Path<(String, String)>,
) -> Result<Json<Finding>, ApiError> {
    let ignored = app.ignore_finding(&domain, &id, &caller.actor("")).await?;
    ignored.map(|finding| Json(Finding::new(finding, &app.fleet.setup().pack))).ok_or(ApiError::NotFound("finding"))
}
