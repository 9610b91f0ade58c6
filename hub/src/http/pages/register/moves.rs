//! Moves: their list, and the steps that people take.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{ItemMistake, MoveLine, MoveRefused, MovesPage, Page, Signed};
use lobby_domain::{
    register::{
        AssetNumber, Field,
        moving::{self, Step, Way},
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{Doer, Fields, href, item::taken, known, names, one, signed, typed};
use crate::{
    http::pages::{
        App, Html, Open, PageError, Path, Reader, Scene,
        act::noticed,
        answer::{answer, document, refuse, see},
    },
    store::{Asked, MoveRow, RegisterError},
};

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, page(&app, &reader, None)).await
}

/// The list, with a decision on one of the moves that was not taken.
async fn page(app: &App, reader: &Reader, refused: Option<(&SiteId, Uuid, MoveRefused)>) -> Result<String, PageError> {
    let open = Open::default();
    let asked = match &refused {
        Some((site, ..)) => Some((*site).clone()),
        None => reader.site()?,
    };
    let chosen = Scene::with(app, reader, asked.clone(), &open, |scene| {
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
    let page = Scene::with(app, reader, asked.clone(), &open, |scene| {
        let mut chrome = scene.chrome(Page::Register);
        if let Some((site, ..)) = &refused {
            // What was typed must not go because something changed elsewhere, and has no address of its own.
            chrome.live = false;
            chrome.path = format!("/register/moves?site={site}");
        }
        let of =
            |row: &MoveRow| refused.as_ref().filter(|(_, id, _)| *id == row.id).map(|(.., refused)| refused.clone());
        let moves = all.iter().map(|(name, row)| MoveLine { refused: of(row), ..line(scene, row, name) });
        Ok(MovesPage { moves: moves.collect(), chrome })
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
        refused: None,
    }
}

/// Asks for a move of an item, if what was typed can be one.
pub(super) async fn ask(
    app: &App,
    doer: &Doer,
    number: AssetNumber,
    fields: &Fields,
) -> Result<Result<(), ItemMistake>, PageError> {
    let way = Way::from_text(one(fields, "way")).ok_or(PageError::BadRequest)?;
    let key: Uuid = one(fields, "key").parse().map_err(|_| PageError::BadRequest)?;
    let (place, reason, typed) = (one(fields, "place"), one(fields, "reason"), one(fields, "pieces"));
    let Ok(pieces) = typed.parse::<u32>() else { return Ok(Err(ItemMistake::Pieces)) };
    if place.is_empty() || Field::Place.read(place).is_err() {
        return Ok(Err(ItemMistake::Place));
    }
    let wanted = Some(one(fields, "wanted")).filter(|day| !day.is_empty()).map(str::parse).transpose();
    let Ok(wanted) = wanted else { return Ok(Err(ItemMistake::Day)) };
    let said = format!("{}\n{number}\n{}\n{typed}\n{place}\n{reason}", doer.site, way.as_str());
    let id = Uuid::new_v5(&key, said.as_bytes());
    let asked = app.store.ask_move(Asked { id, number, way, pieces, place, reason, wanted }, doer.acting()).await;
    if matches!(asked, Err(RegisterError::Way)) {
        let row = app.store.register_item(&doer.site, number).await?.ok_or(PageError::NotFound)?;
        // If one piece could go, the number is what is wrong.
        return Ok(Err(if way.fits(&row.item, 1) { ItemMistake::Pieces } else { ItemMistake::Way }));
    }
    taken(asked)
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
        if matches!(done, Err(RegisterError::Move(moving::Refusal::Reason))) {
            let typed = |name| one(&fields, name).to_owned();
            let refused = MoveRefused { reason: typed("reason"), by: typed("by") };
            let html = page(app, reader, Some((&site, id, refused))).await?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
        Ok(see(&noticed(&format!("/register/moves?site={site}"), doer.notice(app, done)?)))
    };
    taken.await.unwrap_or_else(|error| refuse(app, reader, error))
}
