//! The list of alerts, page by page.

use std::fmt::Display;

use axum::{extract::State, response::Response};
use lobby_dashboards::{AlertFilter, AlertRow, AlertsPage, Page};
use lobby_domain::access::Need;

use super::{App, Html, Open, PageError, Reader, Scene, answer, incident, overlay};
use crate::store::{self, Cursor};

/// Alerts of one page.
const ROWS: i64 = 50;

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, list(&app, &reader)).await
}

async fn list(app: &App, reader: &Reader) -> Result<String, PageError> {
    let site = reader.site()?;
    let filter = if reader.asked.state.as_deref() == Some("all") { AlertFilter::All } else { AlertFilter::Open };
    let after = reader.asked.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let wanted = store::AlertFilter {
        site: site.clone(),
        open: (filter == AlertFilter::Open).then_some(true),
        ..store::AlertFilter::default()
    };
    let (rows, next) = app.store.alerts(&wanted, after.as_ref(), ROWS).await??;
    let open = app.store.open_alerts(site.as_ref()).await?;
    let page = Scene::with(app, reader, site, &Open::default(), |scene| {
        Ok(AlertsPage {
            filter,
            open,
            alerts: rows.iter().map(|alert| row(scene, alert)).collect(),
            next: next.map(|next| further(reader, &next)),
            chrome: scene.chrome(Page::Alerts),
        })
    })?;
    page.html(reader.fragment)
}

/// The address of the next part of a list. `next` holds digits, letters, `-`, `_` and `.` only.
pub(super) fn further(reader: &Reader, next: &impl Display) -> String {
    let (path, query) = reader.path.split_once('?').unwrap_or((&reader.path, ""));
    let kept: String = query
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("after="))
        .flat_map(|part| [part, "&"])
        .collect();
    format!("{path}?{kept}after={next}")
}

/// An alert in a list.
pub(super) fn row(scene: &Scene<'_>, alert: &store::AlertRow) -> AlertRow {
    let caller = scene.reader.caller.at(&alert.site);
    AlertRow {
        id: alert.id.to_string(),
        device: scene.subject(&alert.site, &alert.subject),
        site_name: scene.site_name(&alert.site),
        title: scene.text(&alert.title),
        severity: incident::severity(&alert.severity),
        since: scene.when(alert.since),
        cleared: alert.cleared_at.map(|at| scene.when(at)),
        overlay: overlay::words(scene, alert),
        acked: alert.acked.as_ref().map(|(_, by)| by.clone()),
        clauses: scene.clauses(&alert.clauses),
        ticket: alert.ticket.clone(),
        // Elsewhere nothing more is told of it than here.
        reported: alert.reported && alert.ticket.is_none(),
        may_answer: caller.may(Need::Answer),
        may_silence: caller.may(Need::Restrain),
    }
}
