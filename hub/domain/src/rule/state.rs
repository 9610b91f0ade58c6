//! Where a rule stands for one subject, and what of that outlasts a restart.

mod step;

use std::collections::BTreeMap;

pub use self::step::step;
use super::{Rule, Samples};
use crate::{
    condition::Truth,
    flaps::Flaps,
    time::{Span, Timestamp},
};

/// What a rule sees at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Whether the fault is there.
    pub fire: Truth,
    /// Whether it is clearly gone.
    pub recover: Truth,
    /// Whether the rule applies at this time of day.
    pub in_window: bool,
    /// Whether this is a new sample, rather than a new look at the last one.
    pub is_new: bool,
    /// What else is wrong.
    pub beside: Beside,
}

/// What else is wrong where a rule is evaluated. It matters for a fault that merely comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beside {
    /// Nothing as bad: that it cannot be used is news.
    #[default]
    Nothing,
    /// An alert about the same subject is open whose effect is as bad or worse.
    AsBad,
    /// An alert is open that explains it: its coming and going tells of its cause, and is not counted (semantics 8).
    Cause,
}

/// Where a rule stands for one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing wrong, as far as is known.
    #[default]
    Ok,
    /// Wrong since then, not yet for long enough.
    Pending {
        /// When it was first seen wrong.
        since: Timestamp,
    },
    /// An alert is open.
    Firing {
        /// When it was first seen wrong.
        since: Timestamp,
    },
    /// Right since then, not yet for long enough; the alert is still open.
    Recovering {
        /// When it was first seen wrong.
        since: Timestamp,
        /// When it was first seen right again.
        better: Timestamp,
    },
}

/// Where a rule stands, with its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The phase.
    pub phase: Phase,
    /// How much time has counted towards leaving the phase; while flapping, for how long it has been stable.
    held: Span,
    seen: Seen,
    /// One bit for each of the last samples, the newest lowest: whether it was bad. Counted only towards an alert.
    bad: u32,
    flaps: Flaps,
}

/// What the last evaluation saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Seen {
    /// Nothing that counted.
    #[default]
    Nothing,
    /// At that time, what counts towards leaving the phase.
    Counted(Timestamp),
    /// Nothing is known since that time, for a rule that fires on that.
    BlindSince(Timestamp),
}

/// What of a [`State`] is kept over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// The phase.
    pub phase: Phase,
    /// How much time has counted towards leaving the phase.
    pub held: Span,
    /// Which of the last samples were bad, a bit for each.
    pub bad: u32,
    /// How often it turned.
    pub flaps: Flaps,
}

/// The [`State`] of each rule of a device: small while the rule is at rest, as nearly all are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Places {
    /// Of a rule where nothing is wrong and nothing counts, this is all there is to know.
    at_rest: Box<[Flaps]>,
    /// Anything else, by the rule's place.
    moving: Option<Box<Moving>>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Moving(BTreeMap<usize, State>);

impl Places {
    /// So many rules at rest.
    pub(crate) fn new(rules: usize) -> Self {
        Self { at_rest: vec![Flaps::default(); rules].into(), moving: None }
    }

    /// Where each rule stands.
    pub(crate) fn states(&self) -> impl Iterator<Item = State> {
        (0..self.at_rest.len()).map(|place| self.state(place))
    }

    /// Where a rule stands.
    pub(crate) fn state(&self, place: usize) -> State {
        let moving = self.moving.as_ref().and_then(|moving| moving.0.get(&place));
        moving.copied().unwrap_or_else(|| State { flaps: self.at_rest[place], ..State::default() })
    }

    /// Lets a rule stand elsewhere.
    pub(crate) fn set(&mut self, place: usize, state: State) {
        self.at_rest[place] = state.flaps;
        if (State { flaps: state.flaps, ..State::default() }) != state {
            self.moving.get_or_insert_default().0.insert(place, state);
        } else if let Some(moving) = &mut self.moving {
            moving.0.remove(&place);
            if moving.0.is_empty() {
                self.moving = None;
            }
        }
    }

    /// Changes where a rule stands.
    pub(crate) fn change(&mut self, place: usize, change: impl FnOnce(&mut State)) {
        let mut state = self.state(place);
        change(&mut state);
        self.set(place, state);
    }

    /// Changes every rule that is not at rest.
    pub(crate) fn change_moving(&mut self, change: impl Fn(&mut State)) {
        let moving: Vec<usize> = self.moving.iter().flat_map(|moving| moving.0.keys().copied()).collect();
        for place in moving {
            self.change(place, &change);
        }
    }
}

/// What a step decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Raise an alert: it has been wrong since then.
    Raise {
        /// When it was first seen wrong.
        since: Timestamp,
    },
    /// Clear the alert.
    Clear {
        /// When the fault, now over, was first seen.
        since: Timestamp,
    },
}

impl From<Phase> for Kept {
    fn from(phase: Phase) -> Self {
        Self { phase, ..Self::default() }
    }
}

impl Phase {
    /// Since when something is wrong, if an alert is open.
    pub fn alerting_since(self) -> Option<Timestamp> {
        match self {
            Self::Firing { since } | Self::Recovering { since, .. } => Some(since),
            Self::Ok | Self::Pending { .. } => None,
        }
    }

    /// Since when it has not been at rest.
    pub fn wrong_since(self) -> Option<Timestamp> {
        match self {
            Self::Pending { since } | Self::Firing { since } | Self::Recovering { since, .. } => Some(since),
            Self::Ok => None,
        }
    }

    /// Whether a timer decides when it is left.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Pending { .. } | Self::Recovering { .. })
    }
}

impl State {
    /// Moves every moment it remembers by `by` ms.
    pub(crate) fn rebase(&mut self, by: i64) {
        match &mut self.phase {
            Phase::Ok => {}
            Phase::Pending { since } | Phase::Firing { since } => *since = since.shifted(by),
            Phase::Recovering { since, better } => {
                *since = since.shifted(by);
                *better = better.shifted(by);
            }
        }
        match &mut self.seen {
            Seen::Nothing => {}
            Seen::Counted(at) | Seen::BlindSince(at) => *at = at.shifted(by),
        }
    }

    /// A state in this phase whose timer has counted nothing.
    pub fn restored(phase: Phase) -> Self {
        Self::from_kept(phase.into())
    }

    /// A state as it was stored. Its timer goes on from what had counted; what was not observed since does not count.
    pub fn from_kept(kept: Kept) -> Self {
        Self { phase: kept.phase, held: kept.held, bad: kept.bad, flaps: kept.flaps, ..Self::default() }
    }

    /// The state before the rule fired, with everything counted that it needs to fire.
    #[must_use]
    pub fn unfired(self, rule: &Rule) -> Self {
        let Phase::Firing { since } = self.phase else { return self };
        let bad = rule.samples.map_or(0, |samples| (1 << samples.bad.min(Samples::MOST)) - 1);
        Self { phase: Phase::Pending { since }, held: rule.raise_after, seen: Seen::Nothing, bad, flaps: self.flaps }
    }

    /// What is to be stored.
    pub fn kept(&self) -> Kept {
        let held = if self.phase.is_timed() { self.held } else { Span::ZERO };
        Kept { phase: self.phase, held, bad: self.bad, flaps: self.flaps }
    }

    /// How many of the last samples were bad.
    pub fn bad_samples(&self) -> u32 {
        self.bad.count_ones()
    }

    /// Whether it turned between bad and good too often to be told of each time.
    pub fn flaps(&self) -> Flaps {
        self.flaps
    }

    /// Whether another sample as good as the last would change nothing.
    pub fn is_quiet(&self) -> bool {
        self.phase == Phase::Ok && self.flaps.is_quiet()
    }

    /// Lets the timer count up to `at`, if it runs.
    pub(crate) fn count_until(&mut self, at: Timestamp) {
        if let Seen::Counted(last) = &mut self.seen
            && *last < at
        {
            self.held = self.held + at.since(*last);
            *last = at;
        }
    }

    /// The fault of a rule at rest or pending began at `since`, as records that came late have shown.
    pub(crate) fn backdated(&mut self, since: Timestamp) {
        match &mut self.phase {
            Phase::Ok => self.phase = Phase::Pending { since },
            Phase::Pending { since: known } => *known = since.min(*known),
            Phase::Firing { .. } | Phase::Recovering { .. } => {}
        }
    }

    /// When this state will change by the mere passing of time, if what was last seen stays so.
    pub fn due(&self, rule: &Rule) -> Option<Timestamp> {
        let needed = match (self.phase, self.seen) {
            (Phase::Ok | Phase::Pending { .. }, Seen::BlindSince(since)) => return rule.fires_blind(since),
            (Phase::Pending { .. }, _) if rule.samples.is_none() => rule.raise_after,
            (Phase::Recovering { .. }, _) if !self.flaps.is_unsteady() => rule.clear_after,
            _ => return None,
        };
        let left = Span::from_millis(needed.millis() - self.held.millis());
        match self.seen {
            Seen::Counted(at) => Some(at + left),
            Seen::Nothing | Seen::BlindSince(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
