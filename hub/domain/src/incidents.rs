//! The open alerts of one site, and what is to be done about each: its own ticket, a share in that of its cause, or nothing yet.
//!
//! ```text
//! raised ─► consequence of an open alert? ── yes ─► victim: shares the ticket of its cause
//!              │ no                                      │ cause cleared, and it still fires `SETTLE` later
//!              ▼                                         ▼
//!           may a cause still show? ── yes ─► later ─► its own ticket
//!              │ no                                      ▲
//!              └─────────────────────────────────────────┘
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    alert::{AlertId, Raise, Step, Subject},
    device::Life,
    label::Label,
    pack::Pack,
    rule::Rule,
    time::{Span, Timestamp},
};

/// For how long an alert that may be another one's consequence waits for that other one to show, however old its fault is (semantics 5).
pub const SETTLE: Span = Span::from_secs(30);
/// Most open alerts of one device or agent. Further ones wait, and the site says that there are more than people can read.
const MOST_OF_ONE: usize = 20;
/// Most open alerts of a site.
const MOST_OF_SITE: usize = 1000;

/// An alert that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its id.
    pub id: AlertId,
    /// The rule that fires.
    pub rule: Arc<Rule>,
    /// Since when the fault has been there.
    pub since: Timestamp,
    /// When it was raised.
    pub opened_at: Timestamp,
    /// What is done about it.
    pub step: Step,
    /// It may be another one's consequence for [`SETTLE`] from here.
    unsettled_since: Timestamp,
    /// The cause that has just ended: it waits for data that is newer than `unsettled_since`.
    released_by: Option<AlertId>,
}

/// What lies around an alert at present.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    /// Where its subject stands in its life.
    pub life: Life,
    /// When its subject was last heard of.
    pub heard_at: Option<Timestamp>,
    /// Whether a maintenance window covers it.
    pub maintained: bool,
    /// The alert of which it is a consequence.
    pub cause: Option<AlertId>,
    /// Whether it can be the consequence of another one at all.
    pub may_be_explained: bool,
}

/// The open alerts of a site.
#[derive(Debug, Clone, Default)]
pub struct Incidents {
    open: BTreeMap<(Subject, Box<str>), Incident>,
    /// Those of them that may explain others: few, and asked for with nearly every record while anything is open.
    sources: BTreeSet<(Subject, Box<str>)>,
    /// Raised by their rules, and held back because too many are open.
    held_back: BTreeSet<(Subject, Box<str>)>,
    /// Until then, after a start of the hub or of its broker, causes may not have been heard of yet.
    warm_until: Timestamp,
}

impl Incidents {
    /// Every open alert.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &Incident)> {
        self.open.iter().map(|((subject, _), incident)| (subject, incident))
    }

    /// Those that may explain others.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&Subject, &Incident)> {
        self.sources
            .iter()
            .filter_map(|key| self.open.get_key_value(key))
            .map(|((subject, _), incident)| (subject, incident))
    }

    /// Which of the open alerts may explain others.
    pub(crate) fn set_sources(&mut self, sources: BTreeSet<(Subject, Box<str>)>) {
        self.sources = sources;
    }

    /// The open alert of a rule about a subject.
    pub fn get(&self, subject: &Subject, rule: &str) -> Option<&Incident> {
        self.open.get(&(subject.clone(), rule.into()))
    }

    /// How many alerts wait because too many are open; `None` while after a start nobody can tell.
    pub fn held_back(&self, now: Timestamp) -> Option<usize> {
        (now >= self.warm_until || !self.held_back.is_empty()).then_some(self.held_back.len())
    }

    /// What alerts are about that were held back, as many as there is room for now.
    pub(crate) fn with_room(&self) -> Vec<Subject> {
        let room = MOST_OF_SITE.saturating_sub(self.open.len());
        if room == 0 || self.held_back.is_empty() {
            return Vec::new();
        }
        let of_one = |subject: &Subject| self.open.keys().filter(|(known, _)| known == subject).count() < MOST_OF_ONE;
        let mut subjects: Vec<Subject> = self.held_back.iter().map(|(subject, _)| subject).cloned().collect();
        subjects.dedup();
        subjects.retain(of_one);
        subjects.truncate(room);
        subjects
    }

    /// Moves every moment by `by` ms, to go with a clock that was moved by as much.
    pub(crate) fn rebase(&mut self, by: i64) {
        for incident in self.open.values_mut() {
            incident.since = incident.since.shifted(by);
            incident.opened_at = incident.opened_at.shifted(by);
            incident.unsettled_since = incident.unsettled_since.shifted(by);
        }
        self.warm_until = self.warm_until.shifted(by);
    }

    /// Before `until` nobody can tell whether a fault is another one's consequence.
    pub(crate) fn warm_up(&mut self, until: Timestamp) {
        self.warm_until = until;
    }

    /// Whether one more alert about `subject` may open; if not, it is remembered as held back.
    pub(crate) fn has_room(&mut self, subject: &Subject, rule: &str) -> bool {
        let of_subject = self.open.keys().filter(|(known, _)| known == subject).count();
        let key = (subject.clone(), Box::from(rule));
        // What is said of the site as a whole is what tells of all the others.
        if *subject == Subject::Site || (of_subject < MOST_OF_ONE && self.open.len() < MOST_OF_SITE) {
            self.held_back.remove(&key);
            return true;
        }
        self.held_back.insert(key);
        false
    }

    /// A rule that was held back is at rest again.
    pub(crate) fn at_rest(&mut self, subject: &Subject, rule: &str) {
        if !self.held_back.is_empty() {
            self.held_back.remove(&(subject.clone(), rule.into()));
        }
    }

    /// Takes in an alert that its rule raises, and decides what is done about it.
    pub(crate) fn raise(&mut self, raise: &mut Raise, about: About, may_explain: bool, now: Timestamp) {
        let mut incident = Incident {
            id: raise.id,
            rule: Arc::clone(&raise.rule),
            since: raise.since,
            opened_at: raise.at,
            step: Step::Later,
            unsettled_since: raise.at,
            released_by: None,
        };
        incident.step = self.decide(&incident, about, now);
        raise.step = incident.step;
        raise.tell = about.life.pages();
        let key = (raise.subject.clone(), raise.rule.id.clone());
        if may_explain {
            self.sources.insert(key.clone());
        }
        self.open.insert(key, incident);
    }

    /// An alert as it was stored.
    pub(crate) fn restore(&mut self, subject: Subject, incident: Incident) {
        self.open.insert((subject, incident.rule.id.clone()), incident);
    }

    /// An alert ended. Its victims wait for news of their own.
    pub(crate) fn clear(&mut self, subject: &Subject, rule: &str, now: Timestamp) {
        let key = (subject.clone(), rule.into());
        let Some(ended) = self.open.remove(&key) else { return };
        self.sources.remove(&key);
        for victim in self.open.values_mut().filter(|incident| incident.step == Step::Victim(ended.id)) {
            victim.release(now);
        }
    }

    /// Alerts that are no longer consequences of another one, because the standards changed, wait for news of their own.
    pub(crate) fn release_unless(&mut self, explained: &BTreeSet<AlertId>, now: Timestamp) {
        let victims = self.open.values_mut().filter(|incident| matches!(incident.step, Step::Victim(_)));
        victims.filter(|victim| !explained.contains(&victim.id)).for_each(|victim| victim.release(now));
    }

    /// Alerts keep by their rules as these are now.
    pub(crate) fn reconfigure(&mut self, pack: &Pack) {
        for incident in self.open.values_mut() {
            if let Some(rule) = pack.rule(&incident.rule.id) {
                incident.rule = Arc::clone(rule);
            }
        }
    }

    /// Whether anything waits to be done about an alert.
    pub(crate) fn are_waiting(&self) -> bool {
        self.open.values().any(|incident| incident.step == Step::Later)
    }

    /// The steps that had to wait and need not any longer. `about` tells of an alert, and whether its rule still fires.
    pub(crate) fn steps(
        &self,
        about: impl Fn(&Subject, &Incident) -> Option<(About, bool)>,
        now: Timestamp,
    ) -> Vec<Raise> {
        let waiting = self.iter().filter(|(_, incident)| incident.step == Step::Later);
        let step = |(subject, incident): (&Subject, &Incident)| {
            let (about, firing) = about(subject, incident)?;
            let step = self.decide(incident, about, now);
            // What is getting better needs no ticket of its own any more.
            if step == Step::Later || (step == Step::Open && !firing) {
                return None;
            }
            let (id, rule, since) = (incident.id, Arc::clone(&incident.rule), incident.since);
            let (subject, evidence, tell) = (subject.clone(), Label::default(), about.life.pages());
            Some(Raise { id, subject, rule, since, at: now, evidence, step, tell })
        };
        waiting.filter_map(step).collect()
    }

    /// The alerts about `subject` of which somebody may have been told: all but victims, which are told with their cause.
    pub(crate) fn may_be_told(&self, subject: &Subject) -> impl Iterator<Item = AlertId> {
        let is_its_own = |incident: &&Incident| !matches!(incident.step, Step::Victim(_));
        let of = self.open.range((subject.clone(), Box::default())..).take_while(move |((of, _), _)| of == subject);
        of.map(|(_, incident)| incident).filter(is_its_own).map(|incident| incident.id)
    }

    /// Takes note that a step is taken.
    pub(crate) fn taken(&mut self, follow: &Raise) {
        if let Some(incident) = self.open.get_mut(&(follow.subject.clone(), follow.rule.id.clone())) {
            incident.step = follow.step;
        }
    }

    fn decide(&self, incident: &Incident, about: About, now: Timestamp) -> Step {
        if !about.life.pages() || about.maintained {
            return Step::Later;
        }
        if let Some(cause) = about.cause {
            return Step::Victim(cause);
        }
        if about.may_be_explained {
            let settled = now >= (incident.unsettled_since + SETTLE).max(self.warm_until);
            let is_heard = about.heard_at.is_some_and(|heard| heard > incident.unsettled_since);
            let news = incident.released_by.is_none() || is_heard;
            if !settled || !news {
                return Step::Later;
            }
        }
        if incident.rule.ticket.is_some() { Step::Open } else { Step::None }
    }
}

impl Incident {
    /// An open alert as it was stored. `step` says what had been done about it.
    pub(crate) fn restored(
        id: AlertId,
        rule: Arc<Rule>,
        (since, opened_at): (Timestamp, Timestamp),
        step: Step,
    ) -> Self {
        Self { id, rule, since, opened_at, step, unsettled_since: opened_at, released_by: None }
    }

    /// What explained it is over. It waits for news of its own.
    pub(crate) fn release(&mut self, now: Timestamp) {
        if let Step::Victim(cause) = self.step {
            self.released_by = Some(cause);
        }
        self.step = Step::Later;
        self.unsettled_since = now;
    }

    /// The cause that is over, while it is not yet plain that the fault is more than what was left of that.
    pub(crate) fn left_of(&self) -> Option<AlertId> {
        self.released_by.filter(|_| self.step == Step::Later)
    }
}
