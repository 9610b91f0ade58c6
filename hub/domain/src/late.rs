//! Faults that are discovered late: records that tell the past and not the present are judged by the same rules, on their own times,
//! beside the live state and without touching it.

use std::sync::Arc;

use crate::{
    alert::{AlertId, Raise, Subject},
    condition::Sample,
    pack::KindRules,
    rule::Phase,
    time::{Span, Timestamp},
    watch::{Outcome, Scene, Watch},
};

/// One device's past, as far as records that came late have told it in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    watch: Watch,
    /// Where the last record stands, and when its device was probed.
    last: Option<((u64, u64), Timestamp)>,
    /// What would have been raised and has not ended yet.
    open: Vec<Raise>,
}

/// A fault that began and ended before the hub heard of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LateIncident {
    /// What would have been raised, with an id that the same fault always has.
    pub raise: Raise,
    /// When it would have been cleared.
    pub cleared_at: Timestamp,
}

/// A record on its own time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    /// Where it stands among its agent's: epoch and seq.
    pub order: (u64, u64),
    /// What it states.
    pub sample: &'a Sample,
    /// For how long a record of the device tells anything.
    pub fresh_for: Span,
}

impl Replay {
    /// Moves every moment it remembers by `by` ms.
    pub(crate) fn rebase(&mut self, by: i64) {
        self.watch.rebase(by);
        if let Some((_, at)) = &mut self.last {
            *at = at.shifted(by);
        }
        for raise in &mut self.open {
            (raise.since, raise.at) = (raise.since.shifted(by), raise.at.shifted(by));
        }
    }

    /// A past of which nothing has been told yet.
    pub fn new(rules: Option<Arc<KindRules>>) -> Self {
        Self { watch: Watch::new(rules), last: None, open: Vec::new() }
    }

    /// Whether a record goes on where the last one ended.
    pub(crate) fn goes_on(&self, order: (u64, u64), at: Timestamp, fresh_for: Span) -> bool {
        self.last.is_some_and(|(last_order, last)| order > last_order && at >= last && at.since(last) <= fresh_for)
    }

    /// Takes in one record; `scene` is that of the time at which its device was probed. One that has been overtaken, or comes again,
    /// changes nothing; one that does not go on where the last one ended begins anew, because nothing follows from a hole.
    pub(crate) fn record(&mut self, subject: &Subject, told: Told<'_>, scene: Scene<'_>, late: &mut Vec<LateIncident>) {
        if self.last.is_some_and(|(order, _)| told.order <= order) {
            return;
        }
        if !self.goes_on(told.order, scene.now, told.fresh_for) {
            *self = Self::new(self.watch.kind().cloned());
        }
        self.last = Some((told.order, scene.now));
        let mut outcomes = Vec::new();
        self.watch.evaluate(subject, Some(told.sample), Scene { is_new: true, ..scene }, &mut outcomes);
        for outcome in outcomes {
            match outcome {
                Outcome::Raise(raise) => {
                    let id = AlertId::derive_late(scene.site, subject, &raise.rule.id, raise.since);
                    self.open.push(Raise { id, ..raise });
                }
                Outcome::Clear(clear) => {
                    let ended = self.open.iter().position(|raise| raise.rule.id == clear.rule);
                    let ended = ended.map(|at| self.open.swap_remove(at));
                    late.extend(ended.map(|raise| LateIncident { raise, cleared_at: clear.at }));
                }
                Outcome::Phase { .. } | Outcome::Unstable(_) => {}
            }
        }
    }

    /// What is wrong at its last record, and since when.
    pub(crate) fn wrong(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.watch.phases().filter_map(|(rule, phase)| match phase {
            Phase::Pending { since } | Phase::Firing { since } => Some((&*rule.id, since)),
            Phase::Ok | Phase::Recovering { .. } => None,
        })
    }

    /// Whether anything has not yet come to its end.
    pub(crate) fn is_open(&self) -> bool {
        self.watch.phases().any(|(_, phase)| phase != Phase::Ok)
    }

    /// Leaves to `live` what it has raised itself.
    pub(crate) fn leave_to(&mut self, live: &Watch) {
        for (rule, _) in live.phases().filter(|(_, phase)| phase.alerting_since().is_some()) {
            self.watch.rest(&rule.id);
            self.open.retain(|raise| raise.rule.id != rule.id);
        }
    }
}
