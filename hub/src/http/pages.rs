//! The pages people read, the static files they need, and what people do with tickets on them.

mod act;
mod agents;
mod alerts;
mod answer;
mod boards;
mod device;
mod engineering;
mod health;
mod history;
mod incident;
mod language;
mod open;
mod outbox;
mod overlay;
mod overview;
mod reader;
mod restrain;
mod restraints;
mod scene;
mod statics;
mod ticket;
mod tiles;
mod why;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    response::Response,
    routing::{get, post},
};
use tower_http::compression::CompressionLayer;

use self::{
    answer::{Html, PageError, answer},
    open::Open,
    reader::{Path, Reader},
    scene::Scene,
};
use super::App;

/// The largest form, in bytes: a note of 1000 characters, each of three bytes written as `%XX`, and some more.
const LARGEST_FORM: usize = 16 * 1024;

/// The pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(overview))
        .route("/concierge", get(concierge))
        .route("/engineering", get(engineering))
        .route("/showflat", get(showflat))
        .route("/reception", get(reception))
        .route("/alerts", get(alerts::show))
        .route("/agents", get(agents::list))
        .route("/a/{site}/{agent}", get(agents::show))
        .route("/alerts/{id}/{verb}", post(restrain::act_on_alert))
        .route("/silences", get(restraints::silences).post(restrain::make_silence))
        .route("/silences/{id}/end", post(restrain::end_silence))
        .route("/maintenance", get(restraints::maintenance).post(restrain::make_maintenance))
        .route("/maintenance/{id}/end", post(restrain::end_maintenance))
        .route("/outbox", get(outbox::show))
        .route("/outbox/{channel}/test", post(outbox::test))
        .route("/health", get(health::show))
        .route("/health/ignore", post(health::ignore))
        .route("/d/{code}", get(device::show))
        .route("/d/{code}/life", post(act::set_life))
        .route("/d/{code}/why", get(why::show))
        .route("/t/{no}", get(ticket::show))
        .route("/t/{no}/{verb}", post(act::act))
        .route("/lang/{lang}", get(language::choose))
        .route("/static/{version}/{name}", get(statics::file))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(CompressionLayer::new())
}

/// The answer to an address at which there is nothing.
pub(super) async fn no_such_page(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, async { Err(PageError::NotFound) }).await
}

async fn overview(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, overview::page)).await
}

async fn concierge(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, boards::concierge)).await
}

async fn showflat(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, boards::showflat)).await
}

async fn reception(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, boards::reception)).await
}

async fn engineering(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, engineering::page)).await
}

/// A page made of the live state and what is open.
async fn board<P: Html>(app: &App, reader: &Reader, build: fn(&Scene<'_>) -> P) -> Result<String, PageError> {
    let site = reader.site()?;
    let open = Open::read(&app.store, site.as_ref()).await?;
    let page = Scene::with(app, reader, site, &open, |scene| Ok(build(scene)))?;
    page.html(reader.fragment)
}

#[cfg(test)]
pub(super) mod tests;
