//! Moves: their list, and the steps that people take.

use axum::{
    extract::{Request, State},
    response::Response,
};
use lobby_dashboards::{MoveLine, MovesPage, Page, Signed};
use lobby_domain::{
    register::{
        AssetNumber,
        moving::{Step, Way},
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{Doer, Fields, href, known, names, one, signed, typed};
use crate::{
    http::pages::{
        App, Html, Open, PageError, Path, Reader, Scene,
        act::noticed,
        answer::{answer, refuse, see},
    },
    store::{Asked, MoveRow, RegisterError},
};

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader)).await
}

async fn page(app: &App, reader: &Reader) -> Result<String, PageError> {
    let open = Open::default();
    let chosen = Scene::with(app, reader, reader.site()?, &open, |scene| {
        let all = scene.all_sites().map(|(site, _)| site.clone());
        Ok(scene.chosen().cloned().map_or_else(|| all.collect(), |site| vec![site]))
    })?;
    let mut all = Vec::new();
    for site in &chosen {
        let names = names(&app.store.register(site).await?);
        let moves = app.store.moves(site).await?.into_iter();
        all.extend(moves.map(|row| (names.get(&row.number).cloned().unwrap_or_default(), row)));
    }
    all.sort_by_key(|(_, row)| (!row.state.is_open(), std::cmp::Reverse(row.asked.1)));
    let page = Scene::with(app, reader, reader.site()?, &open, |scene| {
        Ok(MovesPage {
            moves: all.iter().map(|(name, row)| line(scene, row, name)).collect(),
            chrome: scene.chrome(Page::Register),
        })
    })?;
    page.html(reader.fragment)
}

/// A move as pages tell it.
pub(super) fn line(scene: &Scene<'_>, row: &MoveRow, name: &str) -> MoveLine {
    let by = |who: &str, at: Timestamp| Signed { by: who.to_owned(), at: scene.when(at) };
    MoveLine {
        action: format!("/register/{}/moves/{}", row.site, row.id),
        item: (name.to_owned(), href(&row.site, row.number)),
        way: row.way,
        pieces: row.pieces,
        place: row.place.clone(),
        reason: row.reason.clone(),
        wanted: row.wanted.clone(),
        state: row.state,
        overdue: row.state.is_overdue(row.asked.1, scene.now),
        asked: signed(scene, &row.asked),
        decided: row.decided.as_ref().map(|(who, at, why)| (by(who, *at), why.clone())),
        done: row.done.as_ref().map(|done| signed(scene, done)),
        own: scene.reader.caller.person().is_some_and(|person| person.id == row.asked_id),
    }
}

/// Asks for a move of an item.
pub(super) async fn ask(
    app: &App,
    doer: &Doer,
    number: AssetNumber,
    fields: &Fields,
) -> Result<Result<(), RegisterError>, PageError> {
    let way = Way::from_text(one(fields, "way")).ok_or(PageError::BadRequest)?;
    let key: Uuid = one(fields, "key").parse().map_err(|_| PageError::BadRequest)?;
    let wanted = Some(one(fields, "wanted")).filter(|day| !day.is_empty()).map(str::parse).transpose();
    let (place, reason, pieces) = (one(fields, "place"), one(fields, "reason"), one(fields, "pieces"));
    let said = format!("{}\n{number}\n{}\n{pieces}\n{place}\n{reason}", doer.site, way.as_str());
    let asked = Asked {
        id: Uuid::new_v5(&key, said.as_bytes()),
        number,
        way,
        pieces: pieces.parse().map_err(|_| PageError::BadRequest)?,
        place,
        reason,
        wanted: wanted.map_err(|_| PageError::BadRequest)?,
    };
    Ok(app.store.ask_move(asked, doer.acting()).await)
}

/// Consents to a move.
pub(super) async fn approve(
    State(app): State<App>,
    reader: Reader,
    Path((site, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    step(&app, &reader, (&site, &id), Step::Approve, request).await
}

/// Does not consent.
pub(super) async fn refuse_it(
    State(app): State<App>,
    reader: Reader,
    Path((site, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    step(&app, &reader, (&site, &id), Step::Refuse, request).await
}

/// Says that it was carried out.
pub(super) async fn confirm(
    State(app): State<App>,
    reader: Reader,
    Path((site, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    step(&app, &reader, (&site, &id), Step::Confirm, request).await
}

async fn step(app: &App, reader: &Reader, (site, id): (&str, &str), step: Step, request: Request) -> Response {
    let taken = async {
        let fields = typed(app, request).await?;
        let (site, id) = (known(app, reader, site)?, id.parse::<Uuid>().map_err(|_| PageError::NotFound)?);
        let doer = Doer::of(app, reader, site.as_str(), &fields)?;
        let done = app.store.step_move(id, step, one(&fields, "reason"), doer.acting()).await;
        Ok(noticed(&format!("/register/moves?site={site}"), doer.notice(app, done)?))
    };
    match taken.await {
        Ok(place) => see(&place),
        Err(error) => refuse(app, reader, error),
    }
}
