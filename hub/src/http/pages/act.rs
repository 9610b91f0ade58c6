//! What people do with tickets: plain forms, guarded by the ticket's version and by where they come from.

use axum::{
    Form,
    extract::{Request, State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use lobby_dashboards::{ArrivalDraft, ArrivalMistake, Draft, PhotoMistake, WorkMistake};
use lobby_domain::{
    alert::Subject,
    device::Life,
    site::LifeError,
    ticket::{Action, Rejection, WaitingFor, arrival::Arrival},
    work::{Fen, Work, WorkError},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    App, PageError, Path, Reader,
    answer::{document, is_local, refuse, see},
    device,
    restrain::text,
    ticket,
};
use crate::{
    audit::Actor,
    fleet::Changed,
    http::{arrival::is_label_of, sent::Sent},
    ingest::{Decision, DecisionError},
    photo::{Photo, PhotoError},
    store::{ActError, Arrived, Comment, Deed, Shown, Stage},
};

/// The longest name, in bytes.
pub(super) const LONGEST_NAME: usize = 200;
/// The longest note, in bytes.
pub(super) const LONGEST_NOTE: usize = 4000;

/// The form.
#[derive(Debug, Deserialize)]
pub(super) struct Act {
    /// The version of the ticket that the person saw.
    version: i64,
    /// Who does it.
    #[serde(default)]
    by: String,
    /// What is to be said about it.
    #[serde(default)]
    note: String,
    /// What is waited for, where somebody waits.
    waiting_for: Option<WaitingFor>,
    /// Why it is closed without a repair, where it is.
    reason: Option<Rejection>,
    /// The ticket that it is a duplicate of, where it is one.
    duplicate_of: Option<String>,
    /// Whom it is given to, where it is.
    #[serde(default)]
    assignee: String,
    /// The priority to be set, where one is.
    priority: Option<String>,
    /// The code on the label by which somebody has arrived.
    #[serde(default)]
    label: String,
    /// Why no label was scanned, where somebody has arrived without.
    #[serde(default)]
    unscanned: String,
    /// Made with the form of an arrival.
    key: Option<Uuid>,
    /// Why it failed, where it is repaired.
    #[serde(default)]
    cause: String,
    /// What was used, a line each.
    #[serde(default)]
    materials: String,
    /// What it cost, in yuan.
    #[serde(default)]
    cost: String,
    /// Where to go on; the ticket's own page if not given.
    back: Option<String>,
}

/// The form of a comment.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    /// Made with the form.
    key: Uuid,
    /// Who says it.
    #[serde(default)]
    by: String,
    /// What is said; nothing if photos alone are sent.
    #[serde(default)]
    note: String,
    /// Where to go on; the ticket's own page if not given.
    back: Option<String>,
}

/// The form that moves a device to another stage of its life.
#[derive(Debug, Deserialize)]
pub(super) struct NewLife {
    life: Life,
    back: Option<String>,
}

/// Moves a device to another stage of its life and goes back to where the person was.
pub(super) async fn set_life(
    State(app): State<App>,
    reader: Reader,
    Path(code): Path<String>,
    form: Result<Form<NewLife>, FormRejection>,
) -> Response {
    match life_set(&app, &reader, &code, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn life_set(
    app: &App,
    reader: &Reader,
    code: &str,
    form: Result<Form<NewLife>, FormRejection>,
) -> Result<String, PageError> {
    let Form(NewLife { life, back }) = filled(form)?;
    let (site, device) = device::named(app, reader, code).await?;
    let back = back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/d/{device}?site={site}"));
    let notice = match app.desk.decide(site, Decision::Life { device, life }, reader.caller.actor("")).await {
        Ok(()) => "saved",
        Err(DecisionError::Life(LifeError::NotNow { .. }) | DecisionError::Clear(_)) => "step",
        Err(DecisionError::NoSite | DecisionError::Life(LifeError::NotFound)) => return Err(PageError::NotFound),
        Err(DecisionError::Stopping) => return Err(PageError::Stopping),
    };
    Ok(noticed(&back, notice))
}

/// The form, as it was filled in.
pub(super) fn filled<T>(form: Result<Form<T>, FormRejection>) -> Result<Form<T>, PageError> {
    form.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => PageError::TooLarge,
        _ => PageError::BadRequest,
    })
}

/// Moves a ticket and goes back to where the person was.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path((no, verb)): Path<(String, String)>,
    request: Request,
) -> Response {
    match moved(&app, &reader, (&no, &verb), request).await {
        Ok(answer) => answer,
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn moved(app: &App, reader: &Reader, (no, verb): (&str, &str), request: Request) -> Result<Response, PageError> {
    let finishes = verb == Action::Finish.as_str();
    let Sent { typed: act, photos, .. } = Sent::<Act>::read(app, request, finishes).await?;
    let (by, note) = (text(&reader.caller.signs(act.by.clone()), LONGEST_NAME)?, text(&act.note, LONGEST_NOTE)?);
    let actor = reader.caller.actor(&by);
    let work = if finishes { Some(repaired(app, no, &act, photos, (&by, &actor)).await?) } else { None };
    let work = match work.transpose() {
        Ok(work) => work,
        Err(mistake) => {
            // The form comes back as it was filled in, so that nobody has to type it again.
            let draft = Draft {
                mistake: Some(mistake),
                cause: act.cause,
                note: act.note,
                materials: act.materials,
                cost: act.cost,
                by: act.by,
                ..Draft::default()
            };
            let html = ticket::refused(app, reader, no, draft).await?;
            return Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html));
        }
    };
    let assignee = text(&act.assignee, LONGEST_NAME)?;
    let arrived = if verb == Action::Start.as_str() { arrived(app, no, &act, (&by, &note)).await? } else { Ok(None) };
    let arrived = match arrived {
        Ok(arrived) => arrived,
        Err(mistake) => return not_arrived(app, reader, no, act, mistake).await,
    };
    let deed = Deed {
        version: act.version,
        by: &by,
        actor: &actor,
        note: &note,
        work: work.as_ref(),
        duplicate_of: act.duplicate_of.as_deref(),
        assignee: Some(&assignee),
        arrived,
        at: app.clock.now(),
    };
    let setup = app.fleet.setup();
    let done = if let Some(priority) = act.priority.as_deref().filter(|_| verb == "priority") {
        app.store.set_priority(no, priority, deed, &setup).await
    } else {
        let action = Action::from_text(verb, act.waiting_for, act.reason).ok_or(PageError::NotFound)?;
        app.store.act_on_ticket(no, action, deed, &setup).await
    };
    let notice = match done {
        Ok(ticket) => {
            app.fleet.tell(Changed { site: ticket.site, device: None });
            "saved"
        }
        Err(ActError::Conflict { .. }) => "conflict",
        Err(ActError::Refused(_) | ActError::Closed) => "step",
        Err(ActError::NoOriginal) => "original",
        Err(ActError::NoAssignee) => "empty",
        Err(ActError::NoArrival) => return not_arrived(app, reader, no, act, ArrivalMistake::NoWords).await,
        Err(ActError::NoPriority { .. } | ActError::KeyReused | ActError::TooManyPhotos) => {
            return Err(PageError::BadRequest);
        }
        Err(ActError::NotFound) => return Err(PageError::NotFound),
        Err(ActError::Store(error)) => return Err(error.into()),
    };
    let back = act.back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/t/{no}"));
    Ok(see(&noticed(&back, notice)))
}

/// How it is shown that whoever begins is there, if anything shows it; or why that does not.
async fn arrived(
    app: &App,
    no: &str,
    act: &Act,
    (by, note): (&str, &str),
) -> Result<Result<Option<Arrived>, ArrivalMistake>, PageError> {
    let proof = match (&*act.label, &*act.unscanned) {
        ("", "") => {
            let ticket = app.store.ticket(no).await?;
            let of_device = ticket.is_some_and(|(row, _)| matches!(row.subject, Subject::Device(_)));
            return Ok(if of_device { Err(ArrivalMistake::Nothing) } else { Ok(None) });
        }
        ("", reason) => {
            Arrival::from_text(reason).filter(|reason| *reason != Arrival::Label).ok_or(PageError::BadRequest)?
        }
        (code, _) if is_label_of(app, no, code).await? => Arrival::Label,
        _ => return Ok(Err(ArrivalMistake::OtherLabel)),
    };
    if !proof.suffices(note) {
        return Ok(Err(ArrivalMistake::NoWords));
    }
    // The form sent twice is one arrival; a browser that goes back to it and says something else makes another one.
    let said = format!("{no}\n{}\n{by}\n{}\n{note}", act.version, proof.as_str());
    let key = act.key.map(|key| Uuid::new_v5(&key, said.as_bytes()));
    Ok(Ok(Some(Arrived { by: proof, key })))
}

/// The ticket's page again, with what was typed about an arrival and what is wrong with it.
async fn not_arrived(
    app: &App,
    reader: &Reader,
    no: &str,
    act: Act,
    mistake: ArrivalMistake,
) -> Result<Response, PageError> {
    let arrival =
        ArrivalDraft { mistake: Some(mistake), reason: Arrival::from_text(&act.unscanned), note: act.note, by: act.by };
    let html = ticket::refused(app, reader, no, Draft { arrival, ..Draft::default() }).await?;
    Ok(document(StatusCode::UNPROCESSABLE_ENTITY, html))
}

/// What is said of a repair, whose photos are put to the ticket before it is moved: they are there once, however often that is tried.
async fn repaired(
    app: &App,
    no: &str,
    act: &Act,
    photos: Result<Vec<Photo>, PhotoError>,
    (by, actor): (&str, &Actor),
) -> Result<Result<Work, WorkMistake>, PageError> {
    let work = match said_of_work(act) {
        Ok(work) => work,
        Err(mistake) => return Ok(Err(mistake)),
    };
    let shown = Shown { stage: Stage::After, by, at: app.clock.now() };
    let kept = put_to(app, no, photos, shown, actor).await?;
    Ok(kept.map_or_else(|mistake| Err(WorkMistake::Photo(mistake)), |()| Ok(work)))
}

/// Puts photos to a ticket. One that is closed, or is none, is left to what else is asked of it.
async fn put_to(
    app: &App,
    no: &str,
    photos: Result<Vec<Photo>, PhotoError>,
    shown: Shown<'_>,
    actor: &Actor,
) -> Result<Result<(), PhotoMistake>, PageError> {
    let photos = match photos {
        Ok(photos) if photos.is_empty() => return Ok(Ok(())),
        Ok(photos) => photos,
        Err(error) => return Ok(Err(photo_mistake(error))),
    };
    match app.store.add_photos(no, &photos, shown, actor).await {
        Err(ActError::TooManyPhotos) => Ok(Err(PhotoMistake::TooMany)),
        Err(ActError::Store(error)) => Err(error.into()),
        _ => Ok(Ok(())),
    }
}

/// Why a photo was not taken, for people.
pub(super) const fn photo_mistake(error: PhotoError) -> PhotoMistake {
    match error {
        PhotoError::TooLarge => PhotoMistake::TooLarge,
        PhotoError::TooManyPixels => PhotoMistake::TooManyPixels,
        PhotoError::Kind => PhotoMistake::Kind,
        PhotoError::Broken => PhotoMistake::Broken,
        PhotoError::TooMany => PhotoMistake::TooMany,
    }
}

/// What is said of a repair. Whoever fills in a form has to say why it failed.
fn said_of_work(act: &Act) -> Result<Work, WorkMistake> {
    let cost = Some(act.cost.trim()).filter(|cost| !cost.is_empty()).map(Fen::from_yuan).transpose();
    let work =
        cost.and_then(|cost| Work::new(&act.cause, act.materials.lines(), cost)).map_err(|error| match error {
            WorkError::Cause => WorkMistake::LongCause,
            WorkError::TooManyMaterials => WorkMistake::TooManyMaterials,
            WorkError::Material(nth) => WorkMistake::Material(nth),
            WorkError::Cost => WorkMistake::Cost,
        })?;
    if work.cause().is_empty() { Err(WorkMistake::NoCause) } else { Ok(work) }
}

/// Notes what somebody says about a ticket and goes back to where they were.
pub(super) async fn comment(
    State(app): State<App>,
    reader: Reader,
    Path(no): Path<String>,
    request: Request,
) -> Response {
    match commented(&app, &reader, &no, request).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn commented(app: &App, reader: &Reader, no: &str, request: Request) -> Result<String, PageError> {
    let Sent { typed: said, photos, .. } = Sent::<Said>::read(app, request, true).await?;
    let (by, note) = (text(&reader.caller.signs(said.by), LONGEST_NAME)?, text(&said.note, LONGEST_NOTE)?);
    let back = said.back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/t/{no}"));
    let (actor, sent) = (reader.caller.actor(&by), !matches!(&photos, Ok(photos) if photos.is_empty()));
    let shown = Shown { stage: Stage::Before, by: &by, at: app.clock.now() };
    if let Err(mistake) = put_to(app, no, photos, shown, &actor).await? {
        return Ok(noticed(&back, mistake.name()));
    }
    if note.is_empty() {
        return Ok(noticed(&back, if sent { "saved" } else { "empty" }));
    }
    // The form sent twice is one comment; a browser that goes back to it and sends another text makes another one.
    let key = Uuid::new_v5(&said.key, format!("{no}\n{by}\n{note}").as_bytes());
    let comment = Comment { key: Some(key), by: &by, actor: &actor, note: &note, at: app.clock.now() };
    let notice = match app.store.comment_on_ticket(no, comment, &app.fleet.setup()).await {
        Ok(ticket) => {
            app.fleet.tell(Changed { site: ticket.site, device: None });
            "saved"
        }
        Err(ActError::NotFound) => return Err(PageError::NotFound),
        Err(ActError::Store(error)) => return Err(error.into()),
        Err(_) => "step",
    };
    Ok(noticed(&back, notice))
}

/// `back` with what became of the action.
pub(super) fn noticed(back: &str, notice: &str) -> String {
    let back = back.split('#').next().unwrap_or(back);
    let joint = if back.contains('?') { '&' } else { '?' };
    format!("{back}{joint}notice={notice}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/concierge", "/concierge?notice=saved")]
    #[case("/d/led?site=hz", "/d/led?site=hz&notice=saved")]
    #[case("/t/1#note", "/t/1?notice=saved")]
    fn a_notice_is_added_to_the_page_gone_back_to(#[case] back: &str, #[case] place: &str) {
        assert_eq!(noticed(back, "saved"), place);
    }
}
