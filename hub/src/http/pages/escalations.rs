//! What is followed up along the chain of command: the list of it, how one ticket stands, and what a person sends up.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use lobby_dashboards::{Choice, Escalation, EscalationLine, EscalationPhase, EscalationState, EscalationsPage, Page};
use lobby_domain::{
    access::Need,
    escalation::{self, Phase, Refusal},
};
use serde::Deserialize;

use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, LONGEST_NOTE, filled, noticed},
    answer::{answer, is_local, refuse, see},
    restrain::text,
};
use crate::{
    fleet::Changed,
    store::{EscalationRow, Followed, RaiseError},
};

/// Most things that are looked through for what the reader wants.
const MOST: i64 = 10_000;
/// Most of them that are listed: those whose next step is due first.
const LISTED: usize = 300;
/// Chosen instead of a post: what the reader has. No post is called so.
const MINE: &str = "mine";

/// The form that sends a ticket up.
#[derive(Debug, Deserialize)]
pub(super) struct Up {
    /// The post that is to have it.
    to: String,
    /// Why.
    #[serde(default)]
    note: String,
    /// Who says so.
    #[serde(default)]
    by: String,
    /// Where to go on; the ticket's own page if not given.
    back: Option<String>,
}

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, list(&app, &reader)).await
}

async fn list(app: &App, reader: &Reader) -> Result<String, PageError> {
    let site = reader.site()?;
    let all = app.store.followed(site.as_ref(), MOST).await?;
    let page = Scene::with(app, reader, site, &Open::default(), |scene| {
        let mut posts: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &all {
            *posts.entry(one.row.escalation.post()).or_default() += 1;
        }
        let wanted = reader.asked.post.clone().filter(|post| !post.is_empty());
        let shown = all.iter().filter(|one| match wanted.as_deref() {
            None => true,
            Some(MINE) => is_mine(scene, one),
            Some(post) => one.row.escalation.post() == post,
        });
        let shown: Vec<&Followed> = shown.collect();
        Ok(EscalationsPage {
            lines: shown.iter().take(LISTED).map(|one| line(scene, one)).collect(),
            later: shown.len().saturating_sub(LISTED),
            posts: choices(scene, &posts, all.iter().filter(|one| is_mine(scene, one)).count(), wanted.as_deref()),
            chrome: scene.chrome(Page::Escalations),
        })
    })?;
    page.html(reader.fragment)
}

/// Whether the reader has it: their post does, a roster names them, or they work the ticket.
fn is_mine(scene: &Scene<'_>, Followed { row, owner, .. }: &Followed) -> bool {
    let Some(person) = scene.reader.caller.person() else { return false };
    match &row.escalation.holder {
        Some(holder) if *holder.id == *person.id => true,
        None if scene.reader.caller.at(&row.site).is_at(row.escalation.post()) => true,
        _ => owner.as_ref() == Some(&person.id),
    }
}

/// All, what is the reader's, or one of the posts that have something.
fn choices(scene: &Scene<'_>, posts: &BTreeMap<&str, usize>, mine: usize, wanted: Option<&str>) -> Vec<Choice> {
    let site = scene.reader.asked.site.as_deref().map(|site| format!("site={site}"));
    let href = |post: Option<&str>| {
        let asked: Vec<String> = site.iter().cloned().chain(post.map(|post| format!("post={post}"))).collect();
        if asked.is_empty() { "/escalations".to_owned() } else { format!("/escalations?{}", asked.join("&")) }
    };
    let choice = |label: String, post: Option<&str>, number: usize| Choice {
        label: format!("{label} {number}"),
        href: href(post),
        current: wanted == post,
    };
    let all = choice(scene.texts().escalations_all.to_owned(), None, posts.values().sum());
    let mine =
        scene.reader.caller.person().map(|_| choice(scene.texts().escalations_mine.to_owned(), Some(MINE), mine));
    let first = std::iter::once(all).chain(mine);
    first.chain(posts.iter().map(|(id, number)| choice(scene.post(id), Some(id), *number))).collect()
}

fn line(scene: &Scene<'_>, Followed { row, subject, title, .. }: &Followed) -> EscalationLine {
    let subject = scene.subject(&row.site, subject);
    let (site, gap) = (scene.site_name(&row.site), scene.texts().separator);
    let parts = site.into_iter().chain([subject.place, subject.name]);
    EscalationLine {
        title: scene.text(title),
        href: row.ticket.as_ref().map_or_else(|| format!("/alerts?site={}", row.site), |number| format!("/t/{number}")),
        ticket: row.ticket.clone(),
        subject: parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&format!(" {gap} ")),
        phase: match row.phase {
            Phase::Repair => EscalationPhase::Repair,
            Phase::Confirm => EscalationPhase::Confirm,
            Phase::Notice => EscalationPhase::Notice,
        },
        since: scene.when(row.started_at),
        escalation: standing(scene, row),
    }
}

/// How something stands, and where the reader may send it.
pub(super) fn standing(scene: &Scene<'_>, row: &EscalationRow) -> Escalation {
    let escalation = &row.escalation;
    let may = row.ticket.is_some() && scene.reader.caller.at(&row.site).may(Need::Answer);
    let above = escalation.route.posts.iter().skip(escalation.level + 1).filter(|_| may);
    Escalation {
        post: scene.post(escalation.post()),
        holder: escalation.holder.as_ref().map(|holder| holder.name.to_string()),
        state: match escalation.state {
            escalation::State::Triggered => EscalationState::Triggered,
            escalation::State::Held => EscalationState::Held,
            escalation::State::Paused => EscalationState::Paused,
        },
        next: (!escalation.is_at_top()).then(|| scene.post(escalation.next_post())),
        at: escalation.due.map(|due| scene.when(due)),
        above: above.map(|post| (post.to_string(), scene.post(post))).collect(),
    }
}

/// Whether a step that a ticket's history tells of led to no other post.
pub(super) fn stays(note: &str) -> bool {
    let mut step = note.lines().next().unwrap_or_default().split(' ').skip(1);
    step.next().is_some_and(|from| step.next() == Some(from))
}

/// What a ticket's history says of a step: why, from where, to where; whose it is; and what was said.
pub(super) fn said(scene: &Scene<'_>, note: &str) -> Option<String> {
    let mut lines = note.splitn(3, '\n');
    let mut step = lines.next()?.split(' ');
    let (why, from, to) = (step.next()?, scene.post(step.next()?), scene.post(step.next()?));
    let (holder, words, t) = (lines.next()?, lines.next()?, scene.texts());
    let step = match why {
        "no_answer" if from == to => fill(t.escalated_same, &[&from]),
        "no_answer" => fill(t.escalated_no_answer, &[&from, &to]),
        "lapsed" => fill(t.escalated_lapsed, &[&from]),
        "resumed" => fill(t.escalated_resumed, &[&to]),
        "off_duty" if from == to => fill(t.escalated_relieved, &[&from]),
        "off_duty" => fill(t.escalated_off_duty, &[&from, &to]),
        "by_hand" => fill(t.escalated_by_hand, &[&from, &to]),
        _ => return None,
    };
    let step = if holder.is_empty() { step } else { format!("{step} {} {holder}", t.separator) };
    Some(if words.is_empty() { step } else { format!("{step}\n{words}") })
}

fn fill(text: &str, values: &[&str]) -> String {
    values.iter().fold(text.to_owned(), |text, value| text.replacen("{}", value, 1))
}

/// Sends a ticket up and goes back to where the person was.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path(no): Path<String>,
    form: Result<Form<Up>, FormRejection>,
) -> Response {
    match sent_up(&app, &reader, &no, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn sent_up(
    app: &App,
    reader: &Reader,
    no: &str,
    form: Result<Form<Up>, FormRejection>,
) -> Result<String, PageError> {
    let Form(up) = filled(form)?;
    let (by, note) = (text(&reader.caller.signs(up.by), LONGEST_NAME)?, text(&up.note, LONGEST_NOTE)?);
    let (actor, setup) = (reader.caller.actor(&by), app.fleet.setup());
    let notice = match app.store.raise_ticket(no, Some(&up.to), (&by, &actor, &note), &setup, app.clock.now()).await {
        Ok(row) => {
            app.fleet.tell(Changed { site: row.site, device: None });
            "saved"
        }
        Err(RaiseError::Refused(Refusal::NotAbove)) => "above",
        Err(RaiseError::Refused(Refusal::Skips)) => "skips",
        Err(RaiseError::Conflict) => "conflict",
        Err(RaiseError::NotFound) => return Err(PageError::NotFound),
        Err(RaiseError::Store(error)) => return Err(error.into()),
    };
    let back = up.back.filter(|back| is_local(back)).unwrap_or_else(|| format!("/t/{no}"));
    Ok(noticed(&back, notice))
}
