//! Starting a round when one is wanted: before guests play (REC-S3.2), or where no opening hours say when it is due.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{RoundStart, SelectOption};
use lobby_domain::{access::Need, check::stands_at};
use serde::Deserialize;
use uuid::Uuid;

use super::super::{
    App, PageError, Path, Reader, Scene,
    act::filled,
    answer::{refuse, see},
};
use crate::{checks::lines, fleet::Changed, restraints::new_id, store::Starting};

/// What the form says.
#[derive(Deserialize)]
pub(in crate::http::pages) struct Wish {
    key: Uuid,
    checklist: String,
}

/// The form, for the one site that is shown, with the rounds of the reader's post; nothing where there is none to start.
pub(super) fn form(scene: &Scene<'_>) -> Option<RoundStart> {
    let mut sites = scene.shown();
    let (Some(site), None) = (sites.next(), sites.next()) else { return None };
    let caller = scene.reader.caller.at(&site.id);
    let is_theirs = |post: &str| caller.may(Need::Answer) && caller.any(|role| stands_at(role, post));
    let startable = scene.pack.checklists.iter().filter(|list| is_theirs(&list.post));
    let lists: Vec<SelectOption> = startable
        .filter(|list| !lines(Some(site), list).is_empty())
        .map(|list| SelectOption { value: list.id.to_string(), label: scene.text(&list.label), chosen: false })
        .collect();
    (!lists.is_empty()).then(|| RoundStart {
        action: format!("/checks/start/{}", site.id),
        key: new_id().to_string(),
        lists,
    })
}

/// Starts a round and leads to it; where one is under way, to that one.
pub(in crate::http::pages) async fn start(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    match started(&app, &reader, &site, wish).await {
        Ok(round) => see(&format!("/checks/{round}")),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn started(
    app: &App,
    reader: &Reader,
    site: &str,
    wish: Result<Form<Wish>, FormRejection>,
) -> Result<Uuid, PageError> {
    let Form(wish) = filled(wish)?;
    let site: SiteId = site.parse().map_err(|_| PageError::NotFound)?;
    let setup = app.fleet.setup();
    let list = setup.pack.checklists.iter().find(|list| *list.id == *wish.checklist).ok_or(PageError::BadRequest)?;
    if !reader.caller.at(&site).any(|role| stands_at(role, &list.post)) {
        return Err(PageError::Forbidden);
    }
    let lines = {
        let sites = app.fleet.read();
        let there = sites.get(&site).ok_or(PageError::NotFound)?;
        lines(Some(there), list)
    };
    if lines.is_empty() {
        return Err(PageError::NotFound);
    }
    let (by, zone) = (reader.caller.signs(String::new()), setup.zone_of(&site));
    let actor = reader.caller.actor(&by);
    let asked =
        Starting { key: wish.key, site: &site, list, lines: &lines, zone: &zone, actor: &actor, at: app.clock.now() };
    let round = app.store.start_round(asked).await?;
    app.fleet.tell(Changed { site, device: None });
    Ok(round)
}
