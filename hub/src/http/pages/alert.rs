//! The page of one alert: what was said and shown, where people report something.

use axum::{extract::State, response::Response};
use lobby_dashboards::{AlertPage, Page};
use lobby_domain::{access::Need, alert::AlertId};

use super::{App, Html, Open, PageError, Path, Reader, Scene, alerts, answer, report};

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Response {
    answer::answer(&app, &reader, page(&app, &reader, &id)).await
}

async fn page(app: &App, reader: &Reader, id: &str) -> Result<String, PageError> {
    let id = AlertId(id.parse().map_err(|_| PageError::NotFound)?);
    let row = app.store.alert(id).await?.ok_or(PageError::NotFound)?;
    let (reports, photos) = (app.store.reports_of_alert(id).await?, app.store.photos_of_alert(id.0).await?);
    let may_acknowledge = reader.caller.at(&row.site).may(Need::Answer) && reader.caller.may_acknowledge(&row);
    // An alert outlives its site's configuration; it is then shown without a site chosen.
    let site = app.fleet.read().contains_key(&row.site).then(|| row.site.clone());
    let open = Open::default();
    let page = Scene::with(app, reader, site, &open, |scene| {
        Ok(AlertPage {
            alert: alerts::row(scene, &row),
            evidence: scene.text(&row.evidence),
            reports: reports.iter().map(|row| report::card(scene, row, &photos)).collect(),
            may_acknowledge: may_acknowledge && row.acked.is_none() && row.cleared_at.is_none(),
            chrome: scene.chrome(Page::Alerts),
        })
    })?;
    page.html(reader.fragment)
}
