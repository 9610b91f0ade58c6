//! The one state machine through which every live report, late report and tick passes.
//!
//! ```text
//! Ok → Pending → Firing → Recovering → Ok
//!        ↑ fire held for `for`   ↑ not firing held for `recover_for`
//! ```
//!
//! Timers count only time that is known to have been bad (or good): between two evaluations of which either knew nothing, no time is
//! credited. So nothing is ever concluded from missing data, a restart of the hub included; what had counted before it is kept.

use super::{Beside, Decision, Input, Phase, Seen, State};
use crate::{
    calendar::Window,
    condition::Truth,
    flaps::{Flaps, Side},
    rule::{Effect, OnNoData, Rule},
    time::{Span, Timestamp},
};

/// One evaluation of `rule` at `now`.
pub fn step(rule: &Rule, state: State, input: Input, now: Timestamp) -> (State, Option<Decision>) {
    let fire = if input.in_window { input.fire } else { Truth::False };
    // A finding about the closed hours ends with them; any other fault is held overnight, because nobody has seen it end.
    let recover = if input.in_window || rule.during != Window::Closed { input.recover } else { Truth::True };
    let mut state = state;
    watch_for_flaps(&mut state.flaps, input);
    let fire = counted(rule, &mut state, fire, input, now);
    mature(rule, timed(rule, state, fire, recover, now), fire, input.beside == Beside::Nothing, now)
}

fn watch_for_flaps(flaps: &mut Flaps, input: Input) {
    if !input.in_window {
        // Whatever it does at this time of day does not matter.
        *flaps = Flaps::default();
    } else if input.beside == Beside::Cause || (input.fire == Truth::Unknown && input.recover == Truth::Unknown) {
        flaps.lost_sight();
    } else if input.is_new {
        flaps.sampled(match (input.fire, input.recover) {
            (Truth::True, _) => Some(Side::Bad),
            (_, Truth::True) => Some(Side::Good),
            _ => None,
        });
    }
}

/// Where samples are counted, whether any of the last ones is bad; otherwise what was just seen.
fn counted(rule: &Rule, state: &mut State, fire: Truth, input: Input, now: Timestamp) -> Truth {
    let Some(samples) = rule.samples else { return fire };
    if state.phase.alerting_since().is_some() {
        return fire;
    }
    if !input.in_window || (fire == Truth::Unknown && rule.on_no_data == OnNoData::Unknown) {
        state.bad = 0;
    } else if input.is_new && fire != Truth::Unknown {
        state.bad = (state.bad << 1 | u32::from(fire == Truth::True)) & samples.mask();
        // What was bad before is past; this is another beginning.
        if let (Phase::Pending { since }, 1) = (&mut state.phase, state.bad) {
            *since = now;
        }
    }
    match (fire, state.bad) {
        (Truth::Unknown, _) => Truth::Unknown,
        (_, 0) => Truth::False,
        _ => Truth::True,
    }
}

fn moved(rule: &Rule, phase: Phase, fire: Truth, recover: Truth, now: Timestamp) -> Phase {
    let forgets = rule.on_no_data == OnNoData::Unknown;
    match (phase, fire, recover) {
        (Phase::Ok, Truth::True, _) => Phase::Pending { since: now },
        (Phase::Pending { .. }, Truth::False, _) => Phase::Ok,
        (Phase::Pending { .. }, Truth::Unknown, _) if forgets => Phase::Ok,
        (Phase::Firing { since }, Truth::False, Truth::True) => Phase::Recovering { since, better: now },
        (Phase::Recovering { since, .. }, Truth::True, _) | (Phase::Recovering { since, .. }, _, Truth::False) => {
            Phase::Firing { since }
        }
        (Phase::Recovering { since, .. }, _, Truth::Unknown) if forgets => Phase::Firing { since },
        (unchanged, _, _) => unchanged,
    }
}

/// The phase and its timer after this evaluation: the timer runs on while the phase stays and both this evaluation and the last knew
/// what they saw.
fn timed(rule: &Rule, state: State, fire: Truth, recover: Truth, now: Timestamp) -> State {
    let after = moved(rule, state.phase, fire, recover, now);
    let counts = match after {
        Phase::Pending { .. } => fire == Truth::True,
        Phase::Recovering { .. } => recover == Truth::True,
        // Then the time for which it has been stable is counted.
        Phase::Ok | Phase::Firing { .. } => state.flaps.flapping() && fire != Truth::Unknown,
    };
    let seen = match (counts, fire, rule.on_no_data, state.seen) {
        (true, ..) => Seen::Counted(now),
        (_, Truth::Unknown, OnNoData::FireAfter(_), Seen::BlindSince(since)) => Seen::BlindSince(since.min(now)),
        (_, Truth::Unknown, OnNoData::FireAfter(_), _) => Seen::BlindSince(now),
        _ => Seen::Nothing,
    };
    if std::mem::discriminant(&after) != std::mem::discriminant(&state.phase) {
        return State { phase: after, held: Span::ZERO, seen, ..state };
    }
    let credit = match (counts, state.seen) {
        (true, Seen::Counted(last)) => now.since(last),
        _ => Span::ZERO,
    };
    State { phase: after, held: state.held + credit, seen, ..state }
}

fn mature(rule: &Rule, state: State, fire: Truth, is_alone: bool, now: Timestamp) -> (State, Option<Decision>) {
    let mut state = state;
    if state.held >= rule.clear_after {
        state.flaps.steady();
    }
    let flaps = state.flaps;
    let raised = |since| (State { flaps, ..State::restored(Phase::Firing { since }) }, Some(Decision::Raise { since }));
    match (state.phase, state.seen) {
        (Phase::Ok | Phase::Pending { .. }, Seen::BlindSince(since))
            if rule.fires_blind(since).is_some_and(|due| now >= due) =>
        {
            raised(since)
        }
        // Only an evaluation that knew what it saw may conclude anything.
        (Phase::Pending { since }, Seen::Counted(at))
            if at == now && (rule.is_enough(&state) || (is_alone && rule.is_unusable(flaps))) =>
        {
            raised(since)
        }
        (Phase::Recovering { since, .. }, Seen::Counted(at))
            if at == now && state.held >= rule.clear_after && !flaps.is_unsteady() =>
        {
            (State { flaps, ..State::default() }, Some(Decision::Clear { since }))
        }
        (Phase::Ok | Phase::Firing { .. }, _) if !flaps.flapping() && fire != Truth::Unknown => {
            (State { held: Span::ZERO, seen: Seen::Nothing, ..state }, None)
        }
        _ => (state, None),
    }
}

impl Rule {
    /// Whether what has been seen of a fault is enough for an alert.
    fn is_enough(&self, state: &State) -> bool {
        match self.samples {
            Some(samples) => state.bad_samples() >= samples.bad,
            None => state.held >= self.raise_after,
        }
    }

    /// Whether what comes and goes is of no use, though no fault of it lasts as long as one must.
    fn is_unusable(&self, flaps: Flaps) -> bool {
        self.effect == Effect::Failed && flaps.is_unsteady()
    }

    /// When it fires, if nothing has been known since `since`.
    pub(super) fn fires_blind(&self, since: Timestamp) -> Option<Timestamp> {
        match self.on_no_data {
            OnNoData::FireAfter(span) => Some(since + span),
            OnNoData::Hold | OnNoData::Unknown => None,
        }
    }
}
