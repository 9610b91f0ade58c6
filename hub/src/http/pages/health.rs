//! The product's own health. It is shown also while the database fails, so it reads nothing from there.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use lobby_dashboards::{FindingRow, FindingSeverity, HealthPage, Page, Texts};
use serde::Deserialize;

use super::{
    App, Html, Open, PageError, Reader, Scene,
    answer::{self, refuse, see},
};
use crate::findings::{Domain, Finding, Severity};

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    let page = Scene::with(&app, &reader, None, &Open::default(), |scene| {
        Ok(HealthPage {
            findings: app.findings.all().into_iter().map(|finding| row(scene, finding)).collect(),
            evaluated: app.progress.evaluated_at().map(|at| scene.when(at)),
            chrome: scene.chrome(Page::Health),
        })
    });
    let html = page.and_then(|page| page.html(reader.fragment));
    answer::answer(&app, &reader, async { html }).await
}

fn row(scene: &Scene<'_>, finding: Finding) -> FindingRow {
    let (title, advice) = finding.texts(scene.reader.lang, scene.pack);
    FindingRow {
        domain: finding.domain.as_str().to_owned(),
        about: about(finding.domain, scene.texts()),
        severity: match finding.severity {
            Severity::Warning => FindingSeverity::Warning,
            Severity::Error => FindingSeverity::Error,
            Severity::Critical => FindingSeverity::Critical,
        },
        title,
        advice,
        page: finding.page(),
        id: finding.id.into(),
        since: scene.when(finding.since),
        ignored: finding.ignored,
        persistent: finding.persistent,
    }
}

fn about(domain: Domain, t: &'static Texts) -> &'static str {
    match domain {
        Domain::Storage => t.finding_storage,
        Domain::Database => t.finding_database,
        Domain::Broker => t.finding_broker,
        Domain::Clock => t.finding_clock,
        Domain::Tasks => t.finding_tasks,
        Domain::Certificates => t.finding_certificates,
        Domain::Backup => t.finding_backup,
        Domain::Estate => t.finding_estate,
        Domain::Configuration => t.finding_configuration,
        Domain::Roster => t.finding_roster,
        Domain::Notifications => t.finding_notifications,
    }
}

/// Which finding is to be ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Ignore {
    domain: String,
    id: String,
}

/// Ignores a finding, and goes back to the page.
pub(super) async fn ignore(
    State(app): State<App>,
    reader: Reader,
    form: Result<Form<Ignore>, FormRejection>,
) -> Response {
    let Ok(Form(Ignore { domain, id })) = form else { return refuse(&app, &reader, PageError::BadRequest) };
    match app.ignore_finding(&domain, &id, &reader.caller.actor("")).await {
        // One that is gone meanwhile needs not be ignored.
        Ok(_) => see("/health?notice=saved"),
        Err(error) => refuse(&app, &reader, error.into()),
    }
}
