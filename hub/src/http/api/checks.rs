//! Rounds of posts: which there are, and what was answered and signed.

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::{
    check::Readings,
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{About, ApiError, App, Page, Path, Policy, Query, Routes, Text, name};
use crate::store::{AnswerRow, PassedOn, PhotoRow, RoundFilter, RoundRow, Signature};

/// The rounds that are told if nothing is said: due within a week before now and a day after it.
const USUAL: (Span, Span) = (Span::from_mins(7 * 24 * 60), Span::from_mins(24 * 60));

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/checks", Policy::read(About::List), list_rounds).get(
        "/api/v1/checks/{id}",
        Policy::read(About::Round),
        show_round,
    )
}

/// Who signed, and when.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Signed {
    name: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// One round: what a post looks at, by when, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Round {
    id: String,
    site: String,
    checklist: String,
    /// The day, at the site.
    day: String,
    post: String,
    /// The post that takes over, if it is a handover.
    takes_over: Option<String>,
    label: Text,
    clauses: Vec<String>,
    /// From when it may be made, in ms since 1970 UTC.
    opens_at: i64,
    /// By when it is to be made, in ms since 1970 UTC.
    due_at: i64,
    /// From when it is missed, in ms since 1970 UTC.
    closes_at: i64,
    /// `open`, `in_progress`, `signed_out`, `signed_in` or `disputed`.
    state: &'static str,
    /// Whether nothing is left to do.
    done: bool,
    /// When it was found that nobody had done it in time, in ms since 1970 UTC.
    missed_at: Option<i64>,
    /// Whether nobody could, because the hub was not running.
    excused: bool,
    /// How many items are answered.
    answered: usize,
    /// How many items there are.
    items: usize,
    signed_out: Option<Signed>,
    signed_in: Option<Signed>,
    /// With what whoever takes over does not agree; empty if nothing.
    dispute: String,
}

/// One item of a round.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Item {
    id: String,
    label: Text,
    /// The device, if it is about one.
    device: Option<String>,
    /// How many must be there, where things are counted.
    expected: Option<u32>,
    answer: Option<Answer>,
    /// The photos of it, to be fetched from `/api/v1/photos/{id}`.
    photos: Vec<String>,
}

/// The newest answer of an item.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Answer {
    /// `pass`, `fail`, `count` or `not_applicable`.
    said: &'static str,
    /// How many are there, where things are counted.
    count: Option<u32>,
    note: String,
    by: String,
    /// By the clock of the sender's device, in ms since 1970 UTC, if it said so.
    sent_at: Option<i64>,
    /// When it came, in ms since 1970 UTC.
    at: i64,
    /// What the device said itself at that moment: `fine`, `faulty` or `unknown`.
    stated: Option<&'static str>,
    /// What the device said in figures at that moment, by fact; `null` is one that it does not know.
    #[schema(value_type = Object)]
    readings: Readings,
    /// Why it is to be looked at again: `ticked_unknown`, `ticked_faulty` or `device_fine`.
    flag: Option<&'static str>,
    /// The ticket that it opened or joined.
    ticket: Option<String>,
}

/// What whoever took over was handed, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Passed {
    /// Open tickets, by number.
    tickets: Vec<String>,
    /// Silences, in words; known when somebody has taken over.
    silences: Vec<String>,
    /// Devices to be refilled.
    refills: Vec<String>,
}

/// One round with its items.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WholeRound {
    #[serde(flatten)]
    round: Round,
    lines: Vec<Item>,
    /// What passes on, if it is a handover.
    passes_on: Option<Passed>,
}

/// Which rounds are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RoundQuery {
    /// Of this site only.
    site: Option<String>,
    /// Due not before then, in ms since 1970 UTC; usually a week ago.
    from: Option<i64>,
    /// Due before then, in ms since 1970 UTC; usually in a day.
    until: Option<i64>,
}

impl From<&Signature> for Signed {
    fn from(signature: &Signature) -> Self {
        Self { name: signature.name.clone(), at: signature.at.millis() }
    }
}

impl From<&RoundRow> for Round {
    fn from(row: &RoundRow) -> Self {
        Self {
            id: row.id.to_string(),
            site: row.site.to_string(),
            checklist: row.checklist.clone(),
            day: row.day.clone(),
            post: row.post.clone(),
            takes_over: row.takes_over.clone(),
            label: (&row.label).into(),
            clauses: row.clauses.clone(),
            opens_at: row.opens_at.millis(),
            due_at: row.due_at.millis(),
            closes_at: row.closes_at.millis(),
            state: row.state.as_str(),
            done: row.is_done(),
            missed_at: row.missed_at.map(Timestamp::millis),
            excused: row.excused,
            answered: row.answered,
            items: row.lines.len(),
            signed_out: row.signed_out.as_ref().map(Signed::from),
            signed_in: row.signed_in.as_ref().map(Signed::from),
            dispute: row.dispute.clone(),
        }
    }
}

impl From<&AnswerRow> for Answer {
    fn from(row: &AnswerRow) -> Self {
        Self {
            said: row.said.as_str(),
            count: row.said.count(),
            note: row.note.clone(),
            by: row.by.clone(),
            sent_at: row.sent_at.map(Timestamp::millis),
            at: row.at.millis(),
            stated: row.stated.map(lobby_domain::check::Stated::as_str),
            readings: row.readings.clone(),
            flag: row.flag.map(lobby_domain::check::Flag::as_str),
            ticket: row.ticket.clone(),
        }
    }
}

impl From<PassedOn> for Passed {
    fn from(passed: PassedOn) -> Self {
        let refills = passed.refills.into_iter().map(|refill| refill.device).collect();
        Self { tickets: passed.tickets, silences: passed.silences, refills }
    }
}

fn whole(row: &RoundRow, answers: &[AnswerRow], photos: &[(String, PhotoRow)], passed: Option<PassedOn>) -> WholeRound {
    let item = |line: &lobby_domain::check::Line| Item {
        id: line.id.to_string(),
        label: (&line.label).into(),
        device: line.device.as_ref().map(ToString::to_string),
        expected: line.count,
        answer: answers.iter().find(|answer| *answer.line == *line.id).map(Answer::from),
        photos: photos.iter().filter(|(of, _)| **of == *line.id).map(|(_, photo)| photo.id.clone()).collect(),
    };
    WholeRound { round: row.into(), lines: row.lines.iter().map(item).collect(), passes_on: passed.map(Passed::from) }
}

/// Rounds, the latest due first; 500 at most.
#[utoipa::path(get, path = "/api/v1/checks", tag = "checks", params(RoundQuery),
    responses((status = 200, body = Page<Round>), (status = 400, description = "A parameter is not valid")))]
pub(in crate::http) async fn list_rounds(
    State(app): State<App>,
    Query(query): Query<RoundQuery>,
) -> Result<Json<Page<Round>>, ApiError> {
    let now = app.clock.now();
    let filter = RoundFilter {
        site: name::<SiteId>("site", query.site.as_deref())?,
        from: Some(query.from.map_or(now - USUAL.0, Timestamp::from_millis)),
        until: Some(query.until.map_or(now + USUAL.1, Timestamp::from_millis)),
    };
    let items = app.store.rounds(&filter).await?.iter().map(Round::from).collect();
    Ok(Json(Page { items, next: None }))
}

/// One round with its items, what was answered, and what passes on.
#[utoipa::path(get, path = "/api/v1/checks/{id}", tag = "checks", params(("id" = String, Path, description = "The round")),
    responses((status = 200, body = WholeRound), (status = 404, description = "There is no such round")))]
pub(in crate::http) async fn show_round(
    State(app): State<App>,
    Path(id): Path<Uuid>,
) -> Result<Json<WholeRound>, ApiError> {
    let row = app.store.round(id).await?.ok_or(ApiError::NotFound("round"))?;
    let (answers, photos) = (app.store.answers_of_round(id).await?, app.store.photos_of_round(id).await?);
    let setup = app.fleet.setup();
    let passed = if row.is_handover() { Some(app.store.passed_on(&row, &setup.pack).await?) } else { None };
    Ok(Json(whole(&row, &answers, &photos, passed)))
}
