//! Escalation along the one chain of command (一条线指挥): what a post does not settle in time goes to its superior, one level at a time.
//! The standards ask for it in CON-D9, BAR-D10, REC-D9, ENQ-D7 and PAS-D8.
//!
//! ```text
//!            nobody has answered              at the top: told again
//!           ┌──────────────────► next level ──────────────┐
//! begin ─► triggered ◄──────────────── lapsed ────── held (somebody works on it, or has taken notice)
//!           │      ▲                                  ▲
//!           ▼      └── begins anew ─── paused         └─ each progress gives it time anew
//!         paused (nothing is to be done now)
//! ```
//!
//! At any time exactly one level has the incident. A level where nobody is on duty is passed over at once, and if there is nobody at any
//! of them, the last resort has it all the same. Levels are skipped otherwise only by a named person, who says why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    pack::{Counts, Pack},
    roster::{Holder, Staffing},
    rule::Severity,
    service_hours::ServiceHours,
    ticket,
    time::{Span, Timestamp},
};

/// How a site's chain of command goes: part of the standards pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The clauses that ask for it.
    pub clauses: Vec<Box<str>>,
    /// The superiors of every post, from the next to the highest.
    pub steps: Vec<Box<str>>,
    /// Who has what nobody on duty can be given.
    pub last_resort: Box<str>,
    /// How long the reporting post has to confirm a repair, in opening hours.
    pub confirm_within: Span,
    /// By which priority alerts without a ticket are followed up; others are not.
    pub alerts: BTreeMap<Severity, Box<str>>,
}

/// The way of one incident as it was laid down when it began. Who is at its posts is looked up when it is their turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The posts, from the one that acts to the highest; never empty.
    pub posts: Vec<Box<str>>,
    /// Who has it if nobody is on duty at any of them.
    pub last_resort: Box<str>,
    /// How long the first has to answer, in ms.
    pub first_ms: i64,
    /// How long whoever says to be at it may show no progress, in ms.
    pub lease_ms: i64,
    /// In which hours these times count.
    pub counts: Counts,
}

/// What is followed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// That somebody repairs.
    Repair,
    /// That the reporting post confirms.
    Confirm,
    /// That somebody sees to an alert that has no ticket.
    Notice,
}

/// How an escalation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Whoever has it has not answered.
    Triggered,
    /// Somebody is at it, for as long as there is progress.
    Held,
    /// Nothing is to be done now.
    Paused,
}

/// One incident on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Its way.
    pub route: Route,
    /// How it stands.
    pub state: State,
    /// The place in [`Route::posts`] of the post that has it; one beyond the last for the last resort.
    pub level: usize,
    /// Who of that post has it, where a roster says so.
    pub holder: Option<Holder>,
    /// Since when it has stood so.
    pub since: Timestamp,
    /// When its next step is due; none while it is paused for no known time.
    pub due: Option<Timestamp>,
}

/// Why an incident went to another level, or to the same one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Whoever had it did not answer in time.
    NoAnswer,
    /// Whoever was at it showed no progress.
    Lapsed,
    /// What kept it quiet is over.
    Resumed,
    /// Whoever had it went off duty before they answered.
    OffDuty,
    /// Somebody sent it up.
    ByHand,
}

impl Why {
    /// As it stands in the history and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::Lapsed => "lapsed",
            Self::Resumed => "resumed",
            Self::OffDuty => "off_duty",
            Self::ByHand => "by_hand",
        }
    }
}

/// What a step did: told to whoever has it now and to whoever had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Why.
    pub why: Why,
    /// The post that had it.
    pub from: Box<str>,
    /// The post that has it.
    pub to: Box<str>,
    /// Posts between them where nobody is on duty.
    pub skipped: Vec<Box<str>>,
}

/// Why an incident was not sent up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its way does not lead there.
    #[error("the chain of command does not lead there")]
    NotAbove,
    /// The next level is to be asked first.
    #[error("levels are skipped only by a named person who says why")]
    Skips,
}

impl Phase {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Confirm => "confirm",
            Self::Notice => "notice",
        }
    }

    /// The phase of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Repair, Self::Confirm, Self::Notice].into_iter().find(|phase| phase.as_str() == text)
    }

    /// What of a ticket is followed up, and how that stands; nothing of one that is closed.
    pub const fn of(state: ticket::State) -> Option<(Self, State)> {
        use ticket::State as Ticket;
        match state {
            Ticket::New | Ticket::Assigned => Some((Self::Repair, State::Triggered)),
            Ticket::Accepted | Ticket::InProgress => Some((Self::Repair, State::Held)),
            Ticket::Waiting => Some((Self::Repair, State::Paused)),
            Ticket::Fixed | Ticket::SelfRecovered => Some((Self::Confirm, State::Triggered)),
            Ticket::Closed => None,
        }
    }
}

impl State {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Held => "held",
            Self::Paused => "paused",
        }
    }

    /// The state of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Triggered, Self::Held, Self::Paused].into_iter().find(|state| state.as_str() == text)
    }
}

impl Chain {
    /// The posts from `post` up. One that is itself a superior begins there.
    pub fn from(&self, post: &str) -> Vec<Box<str>> {
        let above = self.steps.iter().position(|step| **step == *post).map_or(0, |place| place + 1);
        std::iter::once(post.into()).chain(self.steps[above..].iter().cloned()).collect()
    }
}

impl Route {
    /// The way of what `post` has to do, at the pace of a priority of the pack; of one that the pack no longer has, at an hour a step.
    pub fn new(pack: &Pack, post: &str, priority: &str, phase: Phase) -> Self {
        let chain = &pack.chain;
        let urgency = pack.priorities.get(priority);
        let hour = Span::from_mins(60);
        let first = match phase {
            Phase::Repair | Phase::Notice => urgency.map_or(hour, |urgency| urgency.respond_within),
            Phase::Confirm => chain.confirm_within,
        };
        let counts = match phase {
            Phase::Repair | Phase::Notice => urgency.map(|urgency| urgency.counts).unwrap_or_default(),
            Phase::Confirm => Counts::Open,
        };
        Self {
            posts: chain.from(post),
            last_resort: chain.last_resort.clone(),
            first_ms: first.millis(),
            lease_ms: urgency.map_or(hour, |urgency| urgency.progress_within).millis(),
            counts,
        }
    }

    /// The post of a level.
    pub fn post(&self, level: usize) -> &str {
        self.posts.get(level).unwrap_or(&self.last_resort)
    }

    fn lease(&self) -> Span {
        Span::from_millis(self.lease_ms)
    }
}

/// The first level from `level` on where somebody is on duty, with the posts that were passed over.
fn staffed(route: &Route, level: usize, who: &impl Fn(&str) -> Staffing) -> (usize, Option<Holder>, Vec<Box<str>>) {
    let mut skipped = Vec::new();
    for (place, post) in route.posts.iter().enumerate().skip(level) {
        match who(post) {
            Staffing::Unkept => return (place, None, skipped),
            Staffing::People(people) if !people.is_empty() => return (place, people.into_iter().next(), skipped),
            Staffing::Nobody | Staffing::People(_) => skipped.push(post.clone()),
        }
    }
    (route.posts.len(), None, skipped)
}

/// Whether this moment is in the hours that count.
fn counts(now: Timestamp, hours: &ServiceHours) -> bool {
    hours.counted(now, now.shifted(1)) != Span::ZERO
}

/// When `span` of the hours that count is over; in plain time where none ever count.
fn after(from: Timestamp, span: Span, hours: &ServiceHours) -> Timestamp {
    hours.after(from, span).unwrap_or(from + span)
}

impl Escalation {
    /// An incident begins: its first post has it, or the next where somebody is on duty. Outside the hours that count it waits for them
    /// with the first.
    pub fn begin(
        route: Route,
        now: Timestamp,
        hours: &ServiceHours,
        who: impl Fn(&str) -> Staffing,
    ) -> (Self, Vec<Box<str>>) {
        if !counts(now, hours)
            && let Some(begins) = hours.after(now, Span::from_millis(1))
        {
            let waits = Self { route, state: State::Paused, level: 0, holder: None, since: now, due: Some(begins) };
            return (waits, Vec::new());
        }
        let (level, holder, skipped) = staffed(&route, 0, &who);
        let due = Some(after(now, Span::from_millis(route.first_ms), hours));
        (Self { route, state: State::Triggered, level, holder, since: now, due }, skipped)
    }

    /// The post that has it.
    pub fn post(&self) -> &str {
        self.route.post(self.level)
    }

    /// The post that has it after the next step, if nobody answers: the same one at the top.
    pub fn next_post(&self) -> &str {
        match self.state {
            State::Triggered => self.route.post(self.level_above().unwrap_or(self.level)),
            State::Held => self.post(),
            State::Paused => self.route.post(0),
        }
    }

    /// Whether it is at the top, so that its next step tells the same post again.
    pub fn is_at_top(&self) -> bool {
        self.level_above().is_none()
    }

    fn level_above(&self) -> Option<usize> {
        Some(self.level + 1).filter(|above| *above < self.route.posts.len())
    }

    /// Its time is over: it goes up, or whoever was at it without progress is asked again. Nothing if it is not due.
    pub fn step(&mut self, now: Timestamp, hours: &ServiceHours, who: impl Fn(&str) -> Staffing) -> Option<Move> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        match self.state {
            State::Paused => Some(self.restart(now, hours, who)),
            State::Held => {
                let (from, held): (Box<str>, _) = (self.post().into(), self.holder.clone());
                let skipped = self.settle_at(self.level, &who);
                self.stay_with(held, *self.post() == *from, &who);
                self.triggered(now, self.patience(), hours);
                Some(Move { why: Why::Lapsed, from, to: self.post().into(), skipped })
            }
            State::Triggered => {
                let from: Box<str> = self.post().into();
                let skipped = self.settle_at(self.level_above().unwrap_or(self.route.posts.len() - 1), &who);
                self.triggered(now, self.patience(), hours);
                Some(Move { why: Why::NoAnswer, from, to: self.post().into(), skipped })
            }
        }
    }

    /// Somebody is at it. Who is at it already gets time anew: this is progress.
    pub fn hold(&mut self, now: Timestamp, hours: &ServiceHours) {
        if self.state != State::Held {
            self.since = now;
        }
        self.state = State::Held;
        self.due = Some(after(now, self.route.lease(), hours));
    }

    /// As [`Self::hold`], but until `until` if that is later: whoever works on site need not say so every quarter of an hour.
    pub fn hold_until(&mut self, until: Timestamp, now: Timestamp, hours: &ServiceHours) {
        self.hold(now, hours);
        self.due = self.due.max(Some(until));
    }

    /// Nothing is to be done now: until `until`, if that is known, and otherwise until [`Self::restart`].
    pub fn pause(&mut self, now: Timestamp, until: Option<Timestamp>) {
        if self.state != State::Paused {
            self.since = now;
        }
        self.state = State::Paused;
        self.due = until;
    }

    /// Something keeps it quiet: it is looked at again at `until`. Whoever is at it stays at it.
    pub fn wait(&mut self, now: Timestamp, until: Timestamp) {
        if self.state == State::Held {
            self.due = Some(until);
        } else {
            self.pause(now, Some(until));
        }
    }

    /// Who works it is known: as long as it did not go up it is theirs. `None` if nothing but a name is known of them, which is nobody of
    /// the roster.
    pub fn worked_by(&mut self, worker: Option<Holder>) {
        if self.level == 0 {
            self.holder = worker;
        }
    }

    /// What kept it quiet is over, and it is still there: it begins anew with its first post.
    pub fn restart(&mut self, now: Timestamp, hours: &ServiceHours, who: impl Fn(&str) -> Staffing) -> Move {
        let from = self.post().into();
        let skipped = self.settle_at(0, &who);
        self.triggered(now, Span::from_millis(self.route.first_ms), hours);
        Move { why: Why::Resumed, from, to: self.post().into(), skipped }
    }

    /// What kept it quiet is over and its first post is told that it is still there: it begins anew with that, in the hours that count.
    /// Whoever is at it has time anew to show progress. What waits for something else, such as a part, goes on waiting.
    pub fn resume(&mut self, now: Timestamp, hours: &ServiceHours, who: impl Fn(&str) -> Staffing) -> Option<Move> {
        match self.state {
            State::Held => {
                self.hold_until(self.due.unwrap_or(now), now, hours);
                None
            }
            State::Paused if self.due.is_none() => None,
            State::Paused | State::Triggered => {
                let from: Box<str> = self.post().into();
                let (begun, skipped) = Self::begin(self.route.clone(), now, hours, who);
                *self = begun;
                Some(Move { why: Why::Resumed, from, to: self.post().into(), skipped })
            }
        }
    }

    /// Whoever has it and has not answered is no longer on duty: somebody else of that post has it until the same time, or the next post
    /// where somebody is on duty, which has its full time. Nothing if they are still there, or nobody was named; outside the hours that count
    /// it waits for them, as what begins there does.
    pub fn relieve(&mut self, now: Timestamp, hours: &ServiceHours, who: impl Fn(&str) -> Staffing) -> Option<Move> {
        let holder = self.holder.as_ref().filter(|_| self.state == State::Triggered)?;
        if !counts(now, hours) {
            return None;
        }
        match who(self.post()) {
            Staffing::Unkept => return None,
            Staffing::People(people) if people.iter().any(|there| there.id == holder.id) => return None,
            Staffing::People(_) | Staffing::Nobody => {}
        }
        let (from, level): (Box<str>, usize) = (self.post().into(), self.level);
        let skipped = self.settle_at(level, &who);
        if self.level != level {
            self.triggered(now, self.patience(), hours);
        }
        Some(Move { why: Why::OffDuty, from, to: self.post().into(), skipped })
    }

    /// Its priority was changed: it goes on through the same posts at the pace of `pace`, and its next step is due when it would be if that
    /// had been the pace since it came to whoever has it.
    pub fn repace(&mut self, pace: &Route, hours: &ServiceHours) {
        (self.route.first_ms, self.route.lease_ms, self.route.counts) = (pace.first_ms, pace.lease_ms, pace.counts);
        if self.state == State::Triggered {
            let wait = if self.level == 0 { Span::from_millis(self.route.first_ms) } else { self.patience() };
            self.due = Some(after(self.since, wait, hours));
        }
    }

    /// A person sends it up: to the next level where somebody is on duty or, with `reason` and in their own name, to a higher one.
    pub fn raise(
        &mut self,
        to: Option<&str>,
        named_with_reason: bool,
        now: Timestamp,
        hours: &ServiceHours,
        who: impl Fn(&str) -> Staffing,
    ) -> Result<Move, Refusal> {
        let next = self.level_above().ok_or(Refusal::NotAbove)?;
        let (level, skips) = match to {
            None => (next, false),
            Some(post) => {
                let level = self.route.posts.iter().position(|step| **step == *post).filter(|level| *level >= next);
                let level = level.ok_or(Refusal::NotAbove)?;
                // Where nobody is on duty, nobody is skipped.
                let (first, ..) = staffed(&self.route, next, &who);
                (level, level > first)
            }
        };
        if skips && !named_with_reason {
            return Err(Refusal::Skips);
        }
        let from = self.post().into();
        let skipped = self.settle_at(level, &who);
        self.triggered(now, self.patience(), hours);
        Ok(Move { why: Why::ByHand, from, to: self.post().into(), skipped })
    }

    /// How long a further post has to answer: half of what the first had, so that the second is asked at 100 % of its limit, the third at
    /// 150 %, and so on. At the top there is nobody else to ask: it is told again, but not as often.
    fn patience(&self) -> Span {
        if self.is_at_top() { self.route.lease() } else { Span::from_millis(self.route.first_ms / 2) }
    }

    fn settle_at(&mut self, level: usize, who: &impl Fn(&str) -> Staffing) -> Vec<Box<str>> {
        let (level, holder, skipped) = staffed(&self.route, level, who);
        self.level = level;
        self.holder = holder;
        skipped
    }

    /// Whoever was at it is asked again, if they are still there: of a post without a roster nobody knows better.
    fn stay_with(&mut self, held: Option<Holder>, same_post: bool, who: &impl Fn(&str) -> Staffing) {
        let Some(held) = held.filter(|_| same_post) else { return };
        let is_there = match who(self.post()) {
            Staffing::Unkept => self.level == 0,
            Staffing::People(people) => people.iter().any(|there| there.id == held.id),
            Staffing::Nobody => false,
        };
        if is_there {
            self.holder = Some(held);
        }
    }

    fn triggered(&mut self, now: Timestamp, wait: Span, hours: &ServiceHours) {
        self.state = State::Triggered;
        self.since = now;
        self.due = Some(after(now, wait, hours));
    }
}

#[cfg(test)]
mod tests;
