//! One item: its page, and what people do there. What is not taken comes back with what was typed.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{ItemEventLine, ItemMistake, ItemPage, ItemRefused, Page, RegisterTexts, Signed};
use lobby_domain::register::{AssetNumber, Deed, Field, Item, Mistake, Refusal, State as ItemState, moving};

use super::{
    Doer, Fields,
    form::{Filled, form},
    href, is_device, known, labels, listed, moves, one, takes,
};
use crate::{
    http::{
        pages::{
            App, Html, Open, PageError, Path, Reader, Scene,
            act::{noticed, photo_mistake},
            answer::{answer, document, refuse, see},
            report,
        },
        sent::Sent,
    },
    restraints::new_id,
    store::{ItemAct, ItemEvent, RegisterError},
};

/// One item.
pub(super) async fn show(
    State(app): State<App>,
    reader: Reader,
    Path((site, number)): Path<(String, String)>,
) -> Response {
    answer(&app, &reader, page(&app, &reader, (&site, &number), None)).await
}

async fn page(
    app: &App,
    reader: &Reader,
    (site, number): (&str, &str),
    refused: Option<ItemRefused>,
) -> Result<String, PageError> {
    let site = known(app, reader, site)?;
    let number: AssetNumber = number.parse().map_err(|_| PageError::NotFound)?;
    let row = app.store.register_item(&site, number).await?.ok_or(PageError::NotFound)?;
    let (rows, events) = (app.store.register(&site).await?, app.store.register_events(&site, number).await?);
    let (photos, moves) =
        (app.store.photos_of_item(&site, number).await?, app.store.moves_of_item(&site, number).await?);
    let labels = app.store.label_events_of_item(&site, number).await?;
    let take = takes::looking_for(app, &site, number).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let mut chrome = scene.chrome(Page::Register);
        chrome.live = false;
        // A form that was not taken has no address of its own.
        chrome.path = href(&site, number);
        let shown = [Field::Kind, Field::Post, Field::Serial, Field::Value, Field::Acquired, Field::Note];
        let fact = |field: Field| {
            let text = row.item.get(field);
            let text = if field == Field::Post { scene.post(text) } else { text.to_owned() };
            (!text.is_empty()).then_some((field, text))
        };
        let device = row.item.get(Field::Device);
        let again = refused.as_ref().filter(|refused| refused.verb == "edit");
        let fill = |field: Field| match again {
            Some(refused) => put_right(scene, refused, (&row.item, &events), field),
            None => Filled::from(row.item.get(field).to_owned()),
        };
        let form = form(scene, &site, &rows, (href(&site, number), fill));
        Ok(ItemPage {
            item: listed(scene, &site, &row),
            facts: shown.into_iter().filter_map(fact).collect(),
            device: (!device.is_empty()).then(|| format!("/d/{device}?site={site}")),
            photos: report::shown(scene, photos.iter()),
            events: history(scene, &site, &events),
            moves: moves.iter().map(|line| moves::line(scene, line, "")).collect(),
            labels: labels.iter().map(|event| labels::event(scene, event)).collect(),
            take: take.map(|take| takes::address(&take)),
            label: format!("/labels?site={site}&item={number}"),
            report: labels::on_it(&labels).map(|code| format!("/d/{code}/report")),
            key: new_id().to_string(),
            version: row.version,
            form: (row.item.state() != ItemState::WrittenOff).then_some(form),
            refused: refused.clone(),
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// What happened to an item, the newest first, each field with what it said before.
fn history(scene: &Scene<'_>, site: &SiteId, events: &[ItemEvent]) -> Vec<ItemEventLine> {
    let words = scene.reader.lang.register_texts();
    let told = |field: Field, text: &str| match field {
        Field::State => {
            ItemState::from_text(text).map_or_else(|| text.to_owned(), |state| words.state(state).to_owned())
        }
        Field::Post if !text.is_empty() => scene.post(text),
        _ => text.to_owned(),
    };
    let mut item = Item::default();
    let mut lines = Vec::new();
    for event in events {
        let change = |(field, text): (&Field, &String)| (*field, told(*field, item.get(*field)), told(*field, text));
        let changes = event.set.iter().map(change).collect();
        let cause = event.cause.filter(|_| event.deed == Deed::Count);
        lines.push(ItemEventLine {
            deed: event.deed,
            changes,
            reason: event.reason.clone(),
            cause: cause.map(|id| format!("/register/{site}/stock-takes/{id}")),
            by: Signed { by: event.who.clone(), at: scene.when(event.at) },
        });
        item = item.after(&event.set);
    }
    lines.reverse();
    lines
}

/// What stands in a field of an edit that was not taken: what was typed there, and, where somebody else has changed the item meanwhile and
/// it was not touched, what it says now. Saving it then undoes nothing that nobody has seen.
fn put_right(scene: &Scene<'_>, refused: &ItemRefused, (item, events): (&Item, &[ItemEvent]), field: Field) -> Filled {
    let lang = scene.reader.lang;
    let typed = one(&refused.typed, field.as_str()).to_owned();
    let wrong = (refused.mistake.field() == Some(field.as_str())).then(|| refused.mistake.words(lang));
    let seen = one(&refused.typed, "seen").parse().unwrap_or(events.len());
    let before = events.iter().take(seen).fold(Item::default(), |item, event| item.after(&event.set));
    let (before, now) = (before.get(field), item.get(field));
    if wrong.is_some() || before == now || typed == now {
        return Filled { value: typed, note: wrong };
    }
    if typed == before {
        return now.to_owned().into();
    }
    let told = if field == Field::State { scene.reader.lang.register_texts().state(item.state()) } else { now };
    Filled { value: typed, note: Some(RegisterTexts::changed_meanwhile(lang, told)) }
}

/// Changes an item, adds photos, asks for a move, or writes it off.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path((site, number, verb)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    acted(&app, &reader, (&site, &number, &verb), request).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn acted(
    app: &App,
    reader: &Reader,
    (site, asset, verb): (&str, &str, &str),
    request: Request,
) -> Result<Response, PageError> {
    let number: AssetNumber = asset.parse().map_err(|_| PageError::NotFound)?;
    let Sent { typed: fields, photos, .. } = Sent::<Fields>::read(app, request, verb == "photo").await?;
    let doer = Doer::of(app, reader, site, &fields)?;
    let seen = || one(&fields, "seen").parse::<i64>().map_err(|_| PageError::BadRequest);
    let reason = one(&fields, "reason");
    let done = match verb {
        "edit" => match Item::read(|field| Some(one(&fields, field.as_str()))) {
            Ok(item) if is_device(app, &doer.site, &item) => {
                let acted = app.store.act_on_item(number, ItemAct::Edit(&item), (seen()?, reason), doer.acting()).await;
                taken(acted)?
            }
            Ok(_) => Err(ItemMistake::Field(Field::Device, Mistake::Device)),
            Err((field, mistake)) => Err(ItemMistake::Field(field, mistake)),
        },
        "photo" => match photos {
            Ok(photos) if photos.is_empty() => Err(ItemMistake::NoPhoto),
            Ok(photos) => taken(app.store.act_on_item(number, ItemAct::Photos(&photos), (0, ""), doer.acting()).await)?,
            Err(error) => Err(ItemMistake::Photo(photo_mistake(error))),
        },
        "write-off" => taken(app.store.act_on_item(number, ItemAct::WriteOff, (seen()?, reason), doer.acting()).await)?,
        "move" => moves::ask(app, &doer, number, &fields).await?,
        _ => return Err(PageError::NotFound),
    };
    if let Err(mistake) = done {
        let status = if mistake.is_stale() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        let refused = ItemRefused { mistake, verb: verb.to_owned(), typed: fields };
        return Ok(document(status, page(app, reader, (site, asset), Some(refused)).await?));
    }
    Ok(see(&noticed(&href(&doer.site, number), doer.notice(app, Ok(()))?)))
}

/// What became of a form: it was taken, or what is wrong with it.
pub(super) fn taken(done: Result<(), RegisterError>) -> Result<Result<(), ItemMistake>, PageError> {
    let mistake = match done {
        Ok(()) => return Ok(Ok(())),
        Err(RegisterError::Store(error)) => return Err(error.into()),
        Err(RegisterError::Stale) => ItemMistake::Stale,
        Err(RegisterError::Way) => ItemMistake::Way,
        Err(RegisterError::Refused(Refusal::WrittenOff)) => ItemMistake::Gone,
        Err(RegisterError::Refused(Refusal::Reason) | RegisterError::Move(moving::Refusal::Reason)) => {
            ItemMistake::Reason
        }
        // All others are found when the form is read.
        Err(RegisterError::Refused(Refusal::Field(mistake))) => ItemMistake::Field(Field::State, mistake),
        Err(RegisterError::DeviceTaken(number)) => ItemMistake::DeviceTaken(number.to_string()),
        // None of these comes of what is done with one item.
        Err(
            RegisterError::NotFound
            | RegisterError::Move(_)
            | RegisterError::Lacking(_)
            | RegisterError::Closed
            | RegisterError::NotTheirs,
        ) => return Err(PageError::NotFound),
    };
    Ok(Err(mistake))
}
