//! The pages people read, the static files they need, and what people do with tickets on them.

mod account;
mod act;
mod agents;
mod alert;
mod alerts;
mod answer;
mod areas;
mod audit;
mod boards;
mod chats;
mod compliance;
mod device;
mod engineering;
mod escalations;
mod form;
mod health;
mod history;
mod incident;
mod labels;
mod language;
mod month;
mod open;
mod outbox;
mod overlay;
mod overview;
mod people;
mod personal;
mod reader;
mod register;
mod report;
mod restrain;
mod restraints;
mod roster;
mod round;
mod rounds;
mod same_site;
mod scene;
mod sheet;
mod sign_in;
mod statics;
mod stock;
mod ticket;
mod tiles;
mod why;

use axum::{
    extract::{DefaultBodyLimit, State},
    middleware::from_fn,
    response::Response,
};
use lobby_domain::access::Need;
use tower_http::compression::CompressionLayer;

pub(super) use self::{
    answer::PageError,
    reader::Asking,
    report::{Filled, Target, may_call, take},
};
use self::{
    answer::{Html, answer},
    open::Open,
    reader::{Path, Reader},
    scene::Scene,
};
use super::{
    App,
    gate::{About, Caller, Policy, Routes},
    sent::LARGEST_SENT,
};

/// The largest form, in bytes: a note of 1000 characters, each of three bytes written as `%XX`, and some more.
const LARGEST_FORM: usize = 16 * 1024;

/// The pages.
pub(super) fn routes() -> Routes {
    let read = Policy::read(About::List);
    let restrain = |about| Policy::to(Need::Restrain, about);
    Routes::new()
        .get("/", read, overview)
        .get("/concierge", read, concierge)
        .get("/engineering", read, engineering::show)
        .get("/showflat", read, showflat)
        .get("/reception", read, reception)
        .get("/alerts", read, alerts::show)
        .get("/agents", read, agents::list)
        .get("/a/{site}/{agent}", Policy::read(About::Site), agents::show)
        .get("/alerts/{id}", Policy::read(About::Alert), alert::show)
        .get("/alerts/{id}/messages", Policy::read(About::Alert), outbox::of_alert)
        .post("/alerts/{id}/{verb}", Policy::to(Need::Answer, About::AlertStep), restrain::act_on_alert)
        .get("/escalations", read, escalations::show)
        .post("/t/{no}/escalate", Policy::to(Need::Answer, About::Ticket), escalations::act)
        .get("/silences", Policy::read(About::AllSites), restraints::silences)
        .post("/silences", restrain(About::AllSites), restrain::make_silence)
        .post("/silences/{id}/end", restrain(About::Restraint), restrain::end_silence)
        .get("/maintenance", Policy::read(About::AllSites), restraints::maintenance)
        .post("/maintenance", restrain(About::AllSites), restrain::make_maintenance)
        .post("/maintenance/{id}/end", restrain(About::Restraint), restrain::end_maintenance)
        .get("/outbox", Policy::read(About::AllSites), outbox::show)
        .post("/outbox/{channel}/test", Policy::to(Need::Operate, About::AllSites), outbox::test)
        .post("/outbox/messages/{id}/resend", Policy::to(Need::Operate, About::AllSites), outbox::resend)
        .get("/health", Policy::read(About::AllSites), health::show)
        .post("/health/ignore", Policy::to(Need::Operate, About::AllSites), health::ignore)
        .get("/d/{code}", Policy::read(About::Label), device::show)
        .get("/d/{code}/report", Policy::to(Need::Answer, About::Label), report::show)
        .get("/d/{code}/report/{id}", Policy::read(About::Label), report::progress)
        .get("/report", Policy::to(Need::Answer, About::List), report::show_all)
        .post("/d/{code}/life", Policy::to(Need::Equip, About::Device), act::set_life)
        .get("/d/{code}/why", Policy::read(About::Device), why::show)
        .get("/labels", read, labels::show)
        .get("/t/{no}", Policy::read(About::Ticket), ticket::show)
        .get("/t/{no}/print", Policy::read(About::Ticket), form::show)
        .get("/sign-in", Policy::PUBLIC, sign_in::show)
        .post("/sign-in", Policy::PUBLIC, sign_in::sign_in)
        .post("/sign-out", Policy::PUBLIC, sign_in::sign_out)
        .get("/setup/{link}", Policy::PUBLIC, sign_in::setup)
        .post("/setup/{link}", Policy::PUBLIC, sign_in::set_up)
        .get("/account", Policy::read(About::Nothing), account::show)
        .post("/account/contact", Policy::read(About::Nothing), personal::ask)
        .post("/account/contact/confirm", Policy::read(About::Nothing), personal::confirm)
        .post("/account/contact/remove", Policy::read(About::Nothing), personal::remove)
        .post("/account/chats", Policy::read(About::Nothing), chats::set)
        .post("/account/preferences", Policy::read(About::Nothing), personal::prefer)
        .post("/account/password", Policy::read(About::Nothing), account::change_password)
        .post("/account/sessions/end", Policy::read(About::Nothing), account::end_others)
        .post("/account/sessions/{id}/end", Policy::read(About::Nothing), account::end)
        .get("/audit", Policy::to(Need::Operate, About::AllSites), audit::show)
        .get("/people", Policy::to(Need::Operate, About::Handler), people::show)
        .post("/people", Policy::to(Need::Operate, About::Handler), people::enter)
        .post("/people/{id}", Policy::to(Need::Operate, About::Handler), people::change)
        .get("/lang/{lang}", Policy::PUBLIC, language::choose)
        .get("/static/{version}/{name}", Policy::PUBLIC, statics::file)
        .get("/roster", read, roster::show)
        .get("/stock", read, stock::show)
        .get("/stock/statement/{month}", read, month::statement)
        .get("/stock/statement/{month}/{format}", read, month::statement_table)
        .post("/stock/statement/{site}/{item}/{month}", Policy::to(Need::Stock, About::Site), month::agree)
        .get("/stock/plan/{month}", read, month::plan)
        .get("/stock/plan/{month}/{format}", read, month::plan_table)
        .post("/stock/plan/{site}/{item}/{month}", Policy::to(Need::Stock, About::Site), month::decide)
        .post("/stock/{site}", Policy::to(Need::Stock, About::Site), stock::send)
        .post("/stock/{site}/correct", Policy::to(Need::Stock, About::Site), stock::undo)
        .post("/stock/{site}/held", Policy::to(Need::Stock, About::Site), stock::decide)
        .get("/checks", read, rounds::show)
        .get("/checks/{id}", Policy::read(About::Round), round::show)
        .merge(with_compliance())
        .with(|router| router.layer(DefaultBodyLimit::max(LARGEST_FORM)))
        .merge(register::routes())
        .merge(with_photos())
        .merge(register::with_photos())
        .merge(with_rosters())
        .with(|router| router.layer(from_fn(same_site::keep)).layer(CompressionLayer::new()))
}

/// How the standards are kept.
fn with_compliance() -> Routes {
    // Whoever does not oversee the others sees what concerns their own post.
    let own = Policy::to(Need::OwnDuties, About::List);
    Routes::new()
        .get("/compliance", own, compliance::present)
        .get("/compliance/{month}", own, compliance::show)
        .get("/compliance/{month}/{clause}", own, compliance::clause)
        .get("/compliance/{month}/devices/{device}", own, compliance::device)
        .get("/compliance/{month}/table/{format}", own, compliance::tables)
}

/// Where rosters are imported.
fn with_rosters() -> Routes {
    Routes::new()
        .post("/roster/{site}", Policy::to(Need::Roster, About::Site), roster::send)
        .with(|router| router.layer(DefaultBodyLimit::max(roster::LARGEST_FORM)))
}

/// What people send photos to.
fn with_photos() -> Routes {
    Routes::new()
        .post("/d/{code}/report", Policy::to(Need::Answer, About::Label), report::send)
        .post("/report", Policy::to(Need::Answer, About::List), report::send_other)
        .post("/t/{no}/comment", Policy::to(Need::Answer, About::Ticket), act::comment)
        .post("/checks/start/{site}", Policy::to(Need::Answer, About::Site), rounds::start)
        .post("/checks/{id}/{verb}", Policy::to(Need::Answer, About::RoundStep), round::act)
        .post("/t/{no}/{verb}", Policy::to(Need::Answer, About::TicketStep), act::act)
        .with(|router| router.layer(DefaultBodyLimit::max(LARGEST_SENT)))
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
    answer(&app, &reader, boards::showflat_page(&app, &reader)).await
}

async fn reception(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, board(&app, &reader, boards::reception)).await
}

async fn board<P: Html>(app: &App, reader: &Reader, build: fn(&Scene<'_>) -> P) -> Result<String, PageError> {
    let site = reader.site()?;
    let mut open = Open::read(&app.store, site.as_ref(), app.clock.now()).await?;
    open.rounds = rounds::of_today(&app.store, site.as_ref(), app.clock.now()).await?;
    open.on_duty = rounds::on_duty(&app.store, &open.rounds, app.clock.now()).await?;
    let page = Scene::with(app, reader, site, &open, |scene| Ok(build(scene)))?;
    page.html(reader.fragment)
}

#[cfg(test)]
pub(super) mod tests;
