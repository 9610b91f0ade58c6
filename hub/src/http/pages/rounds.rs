//! Rounds in lists: today's with what is missing first, earlier ones, those of a board, and what lacks before a site can open.

mod start;

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, response::Response};
use lobby_contract::SiteId;
use lobby_dashboards::{ChecksPage, Choice, Lack, Page, Readiness, RoundLine, RoundState};
use lobby_domain::{
    alert::Subject,
    calendar::{PartOfDay, Window, local},
    check::{self, Checklist, Slot, State as Step},
    roster::Holder,
    site::Site,
    time::{Span, Timestamp},
};

pub(super) use self::start::start;
use super::{App, Html, Open, PageError, Reader, Scene, answer::answer};
use crate::{
    checks::lines,
    fleet::Setup,
    store::{AlertRow, RoundFilter, RoundRow, Store, StoreError},
};

/// How long ago the earliest of the earlier rounds in the list was due.
const PAST: Span = Span::from_mins(31 * 24 * 60);
/// A day: what is due within it, before or after, may be of today.
const DAY: Span = Span::from_mins(24 * 60);
/// Chosen instead of a post: what is the reader's. No post is called so.
const MINE: &str = "mine";

/// Who is on duty, by site and post.
pub(super) type OnDuty = BTreeMap<SiteId, BTreeMap<Box<str>, Vec<Holder>>>;

/// Who is on duty at the sites of these rounds.
pub(super) async fn on_duty(store: &Store, rounds: &[RoundRow], now: Timestamp) -> Result<OnDuty, StoreError> {
    let mut all = OnDuty::new();
    for round in rounds {
        if !all.contains_key(&round.site) {
            let posts = store.on_duty(&round.site, now).await?.unwrap_or_default();
            all.insert(round.site.clone(), posts);
        }
    }
    Ok(all)
}

/// The rounds that are of today or may be.
pub(super) async fn of_today(
    store: &Store,
    site: Option<&SiteId>,
    now: Timestamp,
) -> Result<Vec<RoundRow>, StoreError> {
    let (from, until) = (Some(now - DAY), Some(now + DAY));
    store.rounds(&RoundFilter { site: site.cloned(), from, until }).await
}

/// The list.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer(&app, &reader, list(&app, &reader)).await
}

async fn list(app: &App, reader: &Reader) -> Result<String, PageError> {
    let (site, now) = (reader.site()?, app.clock.now());
    let filter = RoundFilter { site: site.clone(), from: Some(now - PAST), until: Some(now + DAY) };
    let rounds = app.store.rounds(&filter).await?;
    let on_duty = on_duty(&app.store, &rounds, now).await?;
    let (open, setup) = (Open::with(on_duty), app.fleet.setup());
    let page = Scene::with(app, reader, site, &open, |scene| {
        let reaches = |round: &&RoundRow| reader.caller.reaches(&round.site);
        let rounds: Vec<&RoundRow> = rounds.iter().filter(reaches).collect();
        let scheduled = scheduled(scene, &setup, &rounds);
        let mut posts: BTreeSet<String> = BTreeSet::new();
        for post in rounds.iter().map(|round| &*round.post).chain(scheduled.iter().map(|(_, _, post, _)| &**post)) {
            posts.insert(post.to_owned());
        }
        let wanted = reader.asked.post.clone().filter(|post| !post.is_empty());
        let is_wanted = |site: &SiteId, post: &str, other: Option<&str>| match wanted.as_deref() {
            None => true,
            Some(MINE) => {
                let there = reader.caller.at(site);
                there.is_at(post) || other.is_some_and(|other| there.is_at(other))
            }
            Some(wanted) => post == wanted || other == Some(wanted),
        };
        let (mut today, mut past) = (Vec::new(), Vec::new());
        for round in rounds.into_iter().filter(|round| is_wanted(&round.site, &round.post, round.takes_over.as_deref()))
        {
            let list = if is_today(&setup, round, now) { &mut today } else { &mut past };
            list.push(line(scene, round));
        }
        let of_post =
            scheduled.into_iter().filter(|(_, site, post, takes_over)| is_wanted(site, post, takes_over.as_deref()));
        today.extend(of_post.map(|(line, ..)| line));
        today.sort_by_key(|line| (rank(line.state), line.due.ms));
        Ok(ChecksPage {
            posts: choices(scene, &posts, wanted.as_deref()),
            today,
            past,
            start: start::form(scene),
            chrome: scene.chrome(Page::Checks),
        })
    })?;
    page.html(reader.fragment)
}

/// What is missing first, then what is to be done, then what comes, then what is done.
const fn rank(state: RoundState) -> u8 {
    match state {
        RoundState::Missed => 0,
        RoundState::Disputed => 1,
        RoundState::Open | RoundState::InProgress | RoundState::SignedOut => 2,
        RoundState::Scheduled => 3,
        RoundState::Excused => 4,
        RoundState::Done | RoundState::DoneLate => 5,
    }
}

fn is_today(setup: &Setup, round: &RoundRow, now: Timestamp) -> bool {
    local(now, &setup.zone_of(&round.site)).date().to_string() == round.day
}

/// A round whose time has not come: its line, its site, and whose it is.
type Coming = (RoundLine, SiteId, Box<str>, Option<Box<str>>);

/// The rounds of today whose time has not come.
fn scheduled(scene: &Scene<'_>, setup: &Setup, there: &[&RoundRow]) -> Vec<Coming> {
    let mut coming = Vec::new();
    for (id, _) in scene.all_sites().filter(|(id, _)| scene.chosen().is_none_or(|chosen| chosen == *id)) {
        let Some(calendar) = setup.sites.get(id).and_then(|site| site.calendar.as_ref()) else { continue };
        let today = local(scene.now, calendar.zone()).date();
        let has = |list: &&Checklist| !lines(scene.site(id), list).is_empty();
        for list in scene.pack.checklists.iter().filter(has) {
            let comes = |slot: &Slot| {
                let round = check::round_id(id.as_str(), &list.id, slot);
                slot.opens > scene.now && !there.iter().any(|known| known.id == round)
            };
            for slot in list.on(today, calendar).into_iter().filter(comes) {
                let line = RoundLine {
                    href: None,
                    label: scene.text(&list.label),
                    site: scene.site_name(id),
                    post: scene.post(&list.post),
                    takes_over: list.takes_over.as_ref().map(|post| scene.post(post)),
                    people: Vec::new(),
                    opens: scene.when(slot.opens),
                    due: scene.when(slot.due),
                    state: RoundState::Scheduled,
                    progress: (0, 0),
                };
                coming.push((line, id.clone(), list.post.clone(), list.takes_over.clone()));
            }
        }
    }
    coming
}

/// All, what is the reader's, or one of the posts that have something.
fn choices(scene: &Scene<'_>, posts: &BTreeSet<String>, wanted: Option<&str>) -> Vec<Choice> {
    let site = scene.reader.asked.site.as_deref().map(|site| format!("site={site}"));
    let href = |post: Option<&str>| {
        let asked: Vec<String> = site.iter().cloned().chain(post.map(|post| format!("post={post}"))).collect();
        if asked.is_empty() { "/checks".to_owned() } else { format!("/checks?{}", asked.join("&")) }
    };
    let choice = |label: String, post: Option<&str>| Choice { label, href: href(post), current: wanted == post };
    let all = choice(scene.pick("全部", "All").to_owned(), None);
    let mine = scene.reader.caller.person().map(|_| choice(scene.texts().escalations_mine.to_owned(), Some(MINE)));
    let each = posts.iter().map(|id| choice(scene.post(id), Some(id)));
    std::iter::once(all).chain(mine).chain(each).collect()
}

/// How far a round is, for people.
pub(super) fn state(round: &RoundRow) -> RoundState {
    match (round.is_done(), round.missed_at) {
        (true, Some(_)) => RoundState::DoneLate,
        (true, None) => RoundState::Done,
        (false, Some(_)) if round.excused => RoundState::Excused,
        (false, Some(_)) => RoundState::Missed,
        (false, None) => match round.state {
            Step::Open => RoundState::Open,
            Step::InProgress => RoundState::InProgress,
            Step::Disputed => RoundState::Disputed,
            Step::SignedOut | Step::SignedIn => RoundState::SignedOut,
        },
    }
}

/// A round as lists name it.
pub(super) fn line(scene: &Scene<'_>, round: &RoundRow) -> RoundLine {
    RoundLine {
        href: Some(format!("/checks/{}", round.id)),
        label: scene.text(&round.label),
        site: scene.site_name(&round.site),
        post: scene.post(&round.post),
        takes_over: round.takes_over.as_ref().map(|post| scene.post(post)),
        people: people(scene, &round.site, &round.post),
        opens: scene.when(round.opens_at),
        due: scene.when(round.due_at),
        state: state(round),
        progress: (round.answered, round.lines.len()),
    }
}

/// Who is on duty at a post, as far as that was read.
fn people(scene: &Scene<'_>, site: &SiteId, post: &str) -> Vec<String> {
    let there = scene.open.on_duty.get(site).and_then(|posts| posts.get(post));
    there.into_iter().flatten().map(|holder| holder.name.to_string()).collect()
}

/// The rounds of a post that somebody has to do something about now, handovers first.
pub(super) fn current(scene: &Scene<'_>, post: &str) -> Vec<RoundLine> {
    let is_its = |round: &&RoundRow| round.post == post || round.takes_over.as_deref() == Some(post);
    let shown = |round: &&RoundRow| scene.shown().any(|site| site.id == round.site);
    let mut rounds: Vec<&RoundRow> = scene.open.rounds.iter().filter(is_its).filter(shown).collect();
    rounds.retain(|round| !round.is_done() && !round.excused);
    rounds.sort_by_key(|round| (!round.is_handover(), round.due_at));
    rounds.into_iter().map(|round| line(scene, round)).collect()
}

/// What lacks before each site shown can open: while its staff prepare, and as long as something still lacks (CON-S1, PAS-S1).
pub(super) fn readiness(scene: &Scene<'_>) -> Vec<Readiness> {
    let mut all = Vec::new();
    // What was not read may lack.
    if scene.open.is_cut {
        return all;
    }
    for site in scene.shown().filter(|site| site.calendar.is_known()) {
        let part = site.calendar.part_of_day(scene.now);
        let Some(hours) = site.calendar.on(local(scene.now, site.calendar.zone()).date()) else { continue };
        let opening = |round: &&RoundRow| {
            let due = local(round.due_at, site.calendar.zone());
            round.site == site.id
                && due.date() == local(scene.now, site.calendar.zone()).date()
                && due.time() <= hours.open
        };
        let rounds = scene.open.rounds.iter().filter(opening).filter(|round| !round.is_done());
        let devices = scene.open.alerts.iter().filter(|alert| alert.site == site.id && keeps_closed(scene, alert));
        let mut lacks: Vec<Lack> = devices.map(|alert| of_device(scene, site, alert)).collect();
        lacks.extend(rounds.map(|round| of_round(scene, round)));
        let shows = match part {
            PartOfDay::Preparing | PartOfDay::Ready => true,
            PartOfDay::Open => !lacks.is_empty(),
            PartOfDay::Closing | PartOfDay::Closed => false,
        };
        if shows {
            all.push(Readiness { site: scene.site_name(&site.id), lacks });
        }
    }
    all
}

/// Whether an alert says that what must be on at opening is not, or does not do what it is for.
fn keeps_closed(scene: &Scene<'_>, alert: &AlertRow) -> bool {
    let Some(rule) = scene.pack.rule(&alert.rule).filter(|_| alert.victim_of.is_none()) else { return false };
    matches!(alert.subject, Subject::Device(_)) && matches!(rule.during, Window::Ready | Window::Opening)
}

fn of_device(scene: &Scene<'_>, site: &Site, alert: &AlertRow) -> Lack {
    let device = scene.subject(&alert.site, &alert.subject);
    let followed = match &alert.ticket {
        Some(number) => scene.open.followed(number),
        None => scene.open.followed_alert(alert.id),
    };
    let told = alert.tells.first().map_or_else(String::new, |post| named(scene, &site.id, post));
    let who = followed.map_or(told, |row| match &row.escalation.holder {
        Some(holder) => joined(scene, &scene.post(row.escalation.post()), &[holder.name.to_string()]),
        None => named(scene, &site.id, row.escalation.post()),
    });
    Lack { href: device.href(), what: device.name, why: scene.text(&alert.title), who }
}

fn of_round(scene: &Scene<'_>, round: &RoundRow) -> Lack {
    Lack {
        what: scene.text(&round.label),
        why: format!("{} {}/{}", scene.pick("点检未完成", "round not done"), round.answered, round.lines.len()),
        who: named(scene, &round.site, &round.post),
        href: format!("/checks/{}", round.id),
    }
}

/// A post with who is on duty there.
fn named(scene: &Scene<'_>, site: &SiteId, post: &str) -> String {
    joined(scene, &scene.post(post), &people(scene, site, post))
}

fn joined(scene: &Scene<'_>, post: &str, people: &[String]) -> String {
    std::iter::once(post)
        .chain(people.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(&format!(" {} ", scene.texts().separator))
}
