//! Stock-takes: one of them, its answers, and what becomes of it.

use axum::{
    extract::{Request, State},
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{Page, TakeLine, TakeLink, TakePage};
use lobby_domain::{
    access::Need,
    register::{
        AssetNumber, Field, LONGEST_REASON,
        taking::{Answer, Seen},
    },
};
use uuid::Uuid;

use super::{Doer, Fields, href, in_use, known, one, signed, typed};
use crate::{
    http::pages::{
        App, Html, Open, PageError, Path, Reader, Scene,
        act::noticed,
        answer::{answer, refuse, see},
    },
    store::{RegisterError, TakeRow},
};

/// Where a stock-take is told of.
pub(super) fn address(take: &TakeRow) -> String {
    format!("/register/{}/stock-takes/{}", take.site, take.id)
}

/// A stock-take as lists name it.
pub(super) fn link(scene: &Scene<'_>, take: &TakeRow) -> TakeLink {
    TakeLink {
        href: address(take),
        place: take.place.clone(),
        started: signed(scene, &take.started),
        closed: take.closed.is_some(),
        seen: take.seen.is_some(),
    }
}

/// The open stock-take that looks for an item which nobody has found yet.
pub(super) async fn looking_for(app: &App, site: &SiteId, number: AssetNumber) -> Result<Option<TakeRow>, PageError> {
    let has = |take: &TakeRow| take.lines.iter().any(|line| line.nth == number.nth());
    for take in app.store.stock_takes(site).await?.into_iter().filter(|take| take.closed.is_none() && has(take)) {
        let answers = app.store.stock_take(take.id).await?.map(|(_, answers)| answers).unwrap_or_default();
        if !answers.contains_key(&number.nth()) {
            return Ok(Some(take));
        }
    }
    Ok(None)
}

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path((site, id)): Path<(String, String)>) -> Response {
    answer(&app, &reader, page(&app, &reader, &site, &id)).await
}

async fn page(app: &App, reader: &Reader, site: &str, id: &str) -> Result<String, PageError> {
    let (site, id) = (known(app, reader, site)?, id.parse::<Uuid>().map_err(|_| PageError::NotFound)?);
    let (take, answers) = app.store.stock_take(id).await?.ok_or(PageError::NotFound)?;
    if take.site != site {
        return Err(PageError::NotFound);
    }
    let rows = app.store.register(&site).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(site.clone()), &open, |scene| {
        let mut chrome = scene.chrome(Page::Register);
        chrome.live = false;
        let line = |line: &lobby_domain::register::taking::Line| {
            let said = answers.get(&line.nth);
            let answer = said.map(|said| &said.answer);
            TakeLine {
                nth: line.nth,
                number: AssetNumber::of(line.nth).to_string(),
                href: href(&site, AssetNumber::of(line.nth)),
                name: line.name.clone(),
                place: line.place.clone(),
                quantity: line.quantity,
                said: answer.map(|said| (said.seen, said.count, said.place.clone(), said.note.clone())),
                by: said.map(|said| signed(scene, &(said.who.clone(), said.at))),
                lacks: line.lacks(answer).is_some(),
                differs: answer.is_some_and(|answer| line.differs(answer)),
            }
        };
        let mut lines: Vec<TakeLine> = take.lines.iter().map(line).collect();
        // Somebody walks from place to place; in a result what differs comes first.
        lines.sort_by_key(|line| (take.closed.is_some() && !line.differs, line.place.clone(), line.nth));
        Ok(TakePage {
            action: address(&take),
            place: take.place.clone(),
            started: signed(scene, &take.started),
            closed: take.closed.as_ref().map(|closed| signed(scene, closed)),
            seen: take.seen.as_ref().map(|seen| signed(scene, seen)),
            lines,
            places: in_use(&rows, Field::Place),
            chrome,
        })
    })?;
    page.html(reader.fragment)
}

/// Begins a stock-take.
pub(super) async fn start(
    State(app): State<App>,
    reader: Reader,
    Path(site): Path<String>,
    request: Request,
) -> Response {
    let started = async {
        let fields = typed(&app, request).await?;
        let doer = Doer::of(&app, &reader, &site, &fields)?;
        let key: Uuid = one(&fields, "key").parse().map_err(|_| PageError::BadRequest)?;
        let place = one(&fields, "place");
        let id = Uuid::new_v5(&key, format!("{}\n{place}", doer.site).as_bytes());
        let done = app.store.start_stock_take(id, place, doer.acting()).await;
        doer.notice(&app, done)?;
        Ok(format!("/register/{}/stock-takes/{id}", doer.site))
    };
    go(&app, &reader, started.await)
}

fn go(app: &App, reader: &Reader, place: Result<String, PageError>) -> Response {
    match place {
        Ok(place) => see(&place),
        Err(error) => refuse(app, reader, error),
    }
}

/// Notes that the manager has seen the result.
pub(super) async fn see_result(
    State(app): State<App>,
    reader: Reader,
    Path((site, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let seen = async {
        let fields = typed(&app, request).await?;
        let doer = Doer::of(&app, &reader, &site, &fields)?;
        let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
        let done = app.store.see_stock_take(id, doer.acting()).await;
        Ok(noticed(&format!("/register/{}/stock-takes/{id}", doer.site), doer.notice(&app, done)?))
    };
    go(&app, &reader, seen.await)
}

/// Answers a stock-take, ticks one item of it, or closes it.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path((site, id, verb)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let acted = acted(&app, &reader, (&site, &id, &verb), request).await;
    go(&app, &reader, acted)
}

async fn acted(
    app: &App,
    reader: &Reader,
    (site, id, verb): (&str, &str, &str),
    request: Request,
) -> Result<String, PageError> {
    let fields = typed(app, request).await?;
    let doer = Doer::of(app, reader, site, &fields)?;
    let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
    let (take, _) = app.store.stock_take(id).await?.ok_or(PageError::NotFound)?;
    let back = address(&take);
    let said = match verb {
        "tick" => {
            let number: AssetNumber = one(&fields, "number").parse().map_err(|_| PageError::BadRequest)?;
            let line = take.lines.iter().find(|line| line.nth == number.nth()).ok_or(PageError::NotFound)?;
            let (place, note) = (String::new(), String::new());
            vec![(line.nth, Answer { seen: Seen::Found, count: line.quantity, place, note })]
        }
        "answer" | "close" => said(&take, &fields)?,
        _ => return Err(PageError::NotFound),
    };
    let answered = app.store.answer_stock_take(id, &said, doer.acting()).await;
    if verb != "close" {
        let notice = doer.notice(app, answered)?;
        let back = if verb == "tick" { href(&doer.site, AssetNumber::of(said[0].0)) } else { back };
        return Ok(noticed(&back, notice));
    }
    let closed = match answered {
        Ok(()) => {
            let may_all = reader.caller.at(&doer.site).may(Need::Consent);
            app.store.close_stock_take(id, may_all, &app.fleet.setup(), doer.acting()).await
        }
        // Sent twice: what was closed is closed.
        Err(RegisterError::Closed) => Ok(()),
        Err(error) => Err(error),
    };
    Ok(noticed(&back, doer.notice(app, closed)?))
}

/// What a form answers. Of what is not chosen nothing is said.
fn said(take: &TakeRow, fields: &Fields) -> Result<Vec<(u32, Answer)>, PageError> {
    let mut all = Vec::new();
    for line in &take.lines {
        let field = |what: &str| one(fields, &format!("{what}.{}", line.nth));
        let Some(seen) = Some(field("seen")).filter(|seen| !seen.is_empty()) else { continue };
        let seen = Seen::from_text(seen).ok_or(PageError::BadRequest)?;
        let count = match field("count") {
            "" => line.quantity,
            count => count.parse().map_err(|_| PageError::BadRequest)?,
        };
        let text = |what: &str, most: usize| {
            let text = field(what);
            let fits = text.chars().count() <= most && !text.contains(char::is_control);
            fits.then(|| text.to_owned()).ok_or(PageError::BadRequest)
        };
        let place = text("place", Field::Place.longest())?;
        let answer = Answer {
            seen,
            count: if seen == Seen::Missing { 0 } else { count },
            place: if seen == Seen::Elsewhere { place } else { String::new() },
            note: text("note", LONGEST_REASON)?,
        };
        all.push((line.nth, answer));
    }
    Ok(all)
}
