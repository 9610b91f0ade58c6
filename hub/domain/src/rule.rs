//! Rules of the standards, and the one state machine through which every live report, late report and tick passes.
//!
//! ```text
//! Ok → Pending → Firing → Recovering → Ok
//!        ↑ fire held for `for`   ↑ not firing held for `recover_for`
//! ```
//!
//! Timers count only time that is known to have been bad (or good): between two evaluations of which either knew nothing, no time is
//! credited. So nothing is ever concluded from missing data, a restart of the hub included.

use serde::{Deserialize, Serialize};

use crate::{
    calendar::Window,
    condition::{Condition, Sample, Truth},
    label::Label,
    time::{Span, Timestamp},
};

/// A rule of the standards pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, such as `display-dark`.
    pub id: Box<str>,
    /// The clauses it serves, such as `CON-S9`.
    pub clauses: Vec<Box<str>>,
    /// The kinds of device it judges.
    pub kinds: Vec<Box<str>>,
    /// What is wrong.
    pub when: Condition,
    /// When it is right again; by default, when `when` clearly does not hold.
    pub until: Option<Condition>,
    /// How long it must be wrong before an alert is raised.
    pub raise_after: Span,
    /// How long it must be right before the alert is cleared.
    pub clear_after: Span,
    /// When it applies.
    pub during: Window,
    /// How bad it is.
    pub severity: Severity,
    /// What it does to the device's function.
    pub effect: Effect,
    /// The posts that are told.
    pub tells: Vec<Box<str>>,
    /// The repair ticket it opens, if any.
    pub ticket: Option<TicketRule>,
    /// The fault in words.
    pub title: Label,
    /// What the posts told are to do, in words.
    pub advice: Label,
}

/// The repair ticket a rule opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRule {
    /// The department that works it.
    pub department: Box<str>,
    /// Its priority, which sets its deadlines.
    pub priority: Box<str>,
    /// Alerts of one device and one class share one ticket.
    pub fault_class: Box<str>,
    /// The post that confirms the repair.
    pub confirmed_by: Box<str>,
}

/// How bad a fault is, from least to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Needs attention before it becomes worse.
    Warning,
    /// Something does not work.
    Major,
    /// Guests are affected now.
    Critical,
}

/// What a fault does to the function of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The device works; something about it needs attention.
    None,
    /// The device works in part.
    Degraded,
    /// The device does not do what it is for.
    Failed,
}

/// What a rule sees at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// Whether the fault is there.
    pub fire: Truth,
    /// Whether it is clearly gone.
    pub recover: Truth,
    /// Whether the rule applies at this time of day.
    pub in_window: bool,
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
    /// How much time has counted towards leaving the phase.
    held: Span,
    /// The last evaluation, if it counted towards leaving the phase.
    pub(crate) counted_at: Option<Timestamp>,
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

impl Severity {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl Rule {
    /// What this rule sees in a sample; `None` stands for no fresh data.
    pub fn input(&self, sample: Option<&Sample>, in_window: bool) -> Input {
        let Some(sample) = sample else {
            return Input { fire: Truth::Unknown, recover: Truth::Unknown, in_window };
        };
        let fire = self.when.holds(sample);
        // Semantics 3: back to OK only if the problem expression is false AND the recovery expression is true.
        let recover = match &self.until {
            None => self.when.clearly_not(sample),
            Some(until) => until.holds(sample).min(fire.negated()),
        };
        Input { fire, recover, in_window }
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
}

impl State {
    /// A state as it was stored. Its timer starts anew: what was not observed does not count.
    pub fn restored(phase: Phase) -> Self {
        Self { phase, held: Span::ZERO, counted_at: None }
    }

    /// The state before the rule fired, with everything counted that it needs to fire.
    #[must_use]
    pub fn unfired(self, rule: &Rule) -> Self {
        match self.phase {
            Phase::Firing { since } => {
                Self { phase: Phase::Pending { since }, held: rule.raise_after, counted_at: None }
            }
            _ => self,
        }
    }

    /// When this state will change by the mere passing of time, if what was last seen stays so.
    pub fn due(&self, rule: &Rule) -> Option<Timestamp> {
        let needed = match self.phase {
            Phase::Pending { .. } => rule.raise_after,
            Phase::Recovering { .. } => rule.clear_after,
            Phase::Ok | Phase::Firing { .. } => return None,
        };
        let left = Span::from_millis(needed.millis() - self.held.millis());
        self.counted_at.map(|at| at + left)
    }
}

/// One evaluation of `rule` at `now`.
pub fn step(rule: &Rule, state: State, input: Input, now: Timestamp) -> (State, Option<Decision>) {
    let fire = if input.in_window { input.fire } else { Truth::False };
    // A finding about the closed hours ends with them; any other fault is held overnight, because nobody has seen it end.
    let recover = if input.in_window || rule.during != Window::Closed { input.recover } else { Truth::True };
    mature(rule, timed(state, fire, recover, now), now)
}

fn moved(phase: Phase, fire: Truth, recover: Truth, now: Timestamp) -> Phase {
    match (phase, fire, recover) {
        (Phase::Ok, Truth::True, _) => Phase::Pending { since: now },
        (Phase::Pending { .. }, Truth::False, _) => Phase::Ok,
        (Phase::Firing { since }, Truth::False, Truth::True) => Phase::Recovering { since, better: now },
        (Phase::Recovering { since, .. }, Truth::True, _) | (Phase::Recovering { since, .. }, _, Truth::False) => {
            Phase::Firing { since }
        }
        (unchanged, _, _) => unchanged,
    }
}

/// The phase and its timer after this evaluation: the timer runs on while the phase stays and both this evaluation and the last knew
/// what they saw.
fn timed(state: State, fire: Truth, recover: Truth, now: Timestamp) -> State {
    let after = moved(state.phase, fire, recover, now);
    let counts = match after {
        Phase::Pending { .. } => fire == Truth::True,
        Phase::Recovering { .. } => recover == Truth::True,
        Phase::Ok | Phase::Firing { .. } => false,
    };
    if std::mem::discriminant(&after) != std::mem::discriminant(&state.phase) {
        return State { phase: after, held: Span::ZERO, counted_at: counts.then_some(now) };
    }
    let credit = match (counts, state.counted_at) {
        (true, Some(last)) => now.since(last),
        _ => Span::ZERO,
    };
    State { phase: after, held: state.held + credit, counted_at: counts.then_some(now) }
}

fn mature(rule: &Rule, state: State, now: Timestamp) -> (State, Option<Decision>) {
    // Only an evaluation that knew what it saw may conclude anything.
    if state.counted_at != Some(now) {
        return (state, None);
    }
    match state.phase {
        Phase::Pending { since } if state.held >= rule.raise_after => {
            (State::restored(Phase::Firing { since }), Some(Decision::Raise { since }))
        }
        Phase::Recovering { since, .. } if state.held >= rule.clear_after => {
            (State::default(), Some(Decision::Clear { since }))
        }
        _ => (state, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn rule(raise_after: i64, clear_after: i64, during: Window) -> Rule {
        Rule {
            id: "a-rule".into(),
            clauses: vec![],
            kinds: vec![],
            when: Condition::Fault("".into()),
            until: None,
            raise_after: Span::from_millis(raise_after),
            clear_after: Span::from_millis(clear_after),
            during,
            severity: Severity::Major,
            effect: Effect::Failed,
            tells: vec![],
            ticket: None,
            title: Label::default(),
            advice: Label::default(),
        }
    }

    const BAD: Input = Input { fire: Truth::True, recover: Truth::False, in_window: true };
    const GOOD: Input = Input { fire: Truth::False, recover: Truth::True, in_window: true };
    const NEITHER: Input = Input { fire: Truth::False, recover: Truth::False, in_window: true };
    const UNKNOWN: Input = Input { fire: Truth::Unknown, recover: Truth::Unknown, in_window: true };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Every decision over these inputs, with its time.
    fn decisions(rule: &Rule, inputs: &[(i64, Input)]) -> Vec<(i64, Decision)> {
        let mut state = State::default();
        let mut decisions = Vec::new();
        for (now, input) in inputs {
            let (next, decision) = step(rule, state, *input, at(*now));
            decisions.extend(decision.map(|decision| (*now, decision)));
            state = next;
        }
        decisions
    }

    const RAISE: Decision = Decision::Raise { since: at_zero() };
    const CLEAR: Decision = Decision::Clear { since: at_zero() };

    const fn at_zero() -> Timestamp {
        Timestamp::from_millis(0)
    }

    #[rstest]
    #[case::a_lasting_fault(&[(0, BAD), (99, BAD), (100, BAD), (500, BAD)], &[(100, RAISE)])]
    #[case::a_blip(&[(0, BAD), (99, GOOD), (150, GOOD)], &[])]
    #[case::two_blips_are_not_added_up(&[(0, BAD), (60, NEITHER), (70, BAD), (130, BAD)], &[])]
    #[case::a_gap_does_not_count(&[(0, BAD), (60, UNKNOWN), (1000, BAD), (1039, BAD), (1099, BAD), (1100, BAD)], &[(1100, RAISE)])]
    #[case::nothing_is_raised_in_a_gap(&[(0, BAD), (60, BAD), (500, UNKNOWN)], &[])]
    #[case::a_recovery(&[(0, BAD), (100, BAD), (200, GOOD), (249, GOOD), (250, GOOD)], &[(100, RAISE), (250, CLEAR)])]
    #[case::a_relapse_is_the_same_alert(&[(0, BAD), (100, BAD), (200, GOOD), (240, BAD), (300, GOOD), (350, GOOD)], &[(100, RAISE), (350, CLEAR)])]
    #[case::within_the_dead_band_nothing_ends(&[(0, BAD), (100, BAD), (200, NEITHER), (900, NEITHER)], &[(100, RAISE)])]
    #[case::nothing_ends_in_a_gap(&[(0, BAD), (100, BAD), (200, GOOD), (240, UNKNOWN), (900, UNKNOWN)], &[(100, RAISE)])]
    #[case::a_clock_that_goes_back(&[(0, BAD), (90, BAD), (50, BAD), (59, BAD), (60, BAD)], &[(60, RAISE)])]
    fn an_alert_is_raised_and_cleared_by_what_was_seen_for_long_enough(
        #[case] inputs: &[(i64, Input)],
        #[case] expected: &[(i64, Decision)],
    ) {
        assert_eq!(decisions(&rule(100, 50, Window::Always), inputs), expected);
    }

    #[test]
    fn without_a_waiting_time_the_first_sight_decides() {
        let inputs = [(0, BAD), (1, GOOD)];
        assert_eq!(decisions(&rule(0, 0, Window::Always), &inputs), [(0, RAISE), (1, CLEAR)]);
    }

    #[rstest]
    #[case::of_the_day_is_held(Window::Open, &[])]
    #[case::of_the_night_ends_with_it(Window::Closed, &[(300, CLEAR)])]
    fn outside_its_part_of_the_day_a_fault(#[case] during: Window, #[case] expected: &[(i64, Decision)]) {
        let outside = Input { in_window: false, ..BAD };
        let all = decisions(&rule(100, 50, during), &[(0, BAD), (100, BAD), (250, outside), (300, outside)]);
        assert_eq!(all[1..], *expected);
    }

    #[test]
    fn the_due_time_is_when_the_state_will_change() {
        let rule = rule(100, 50, Window::Always);
        let (pending, _) = step(&rule, State::default(), BAD, at(10));
        assert_eq!(pending.due(&rule), Some(at(110)));
        let (later, _) = step(&rule, pending, BAD, at(70));
        assert_eq!(later.due(&rule), Some(at(110)));
        let (gap, _) = step(&rule, later, UNKNOWN, at(80));
        assert_eq!(gap.due(&rule), None, "nothing will follow from not knowing");
        let (firing, _) = step(&rule, later, BAD, at(110));
        assert_eq!(firing.due(&rule), None);
    }

    fn any_window() -> impl Strategy<Value = Window> {
        prop_oneof![Just(Window::Always), Just(Window::Open), Just(Window::Closed)]
    }

    /// What conditions can say: a fault that is there is never clearly gone.
    fn any_input() -> impl Strategy<Value = Input> {
        let seen = prop_oneof![
            4 => Just((Truth::True, Truth::False)), 1 => Just((Truth::True, Truth::Unknown)),
            4 => Just((Truth::False, Truth::True)), 1 => Just((Truth::False, Truth::False)),
            1 => Just((Truth::False, Truth::Unknown)), 2 => Just((Truth::Unknown, Truth::Unknown)),
            1 => Just((Truth::Unknown, Truth::False)),
        ];
        (seen, prop::bool::weighted(0.9)).prop_map(|((fire, recover), in_window)| Input { fire, recover, in_window })
    }

    fn any_inputs() -> impl Strategy<Value = Vec<(i64, Input)>> {
        prop::collection::vec((0..60_i64, any_input()), 1..120).prop_map(|steps| {
            let mut now = 0;
            steps
                .into_iter()
                .map(|(after, input)| {
                    now += after;
                    (now, input)
                })
                .collect()
        })
    }

    /// For how long, up to the end of `inputs`, the fault is known to have been there, counted as a reader of the standard would.
    fn known_bad_for(inputs: &[(i64, Input)]) -> i64 {
        let bad = |input: &Input| input.in_window && input.fire == Truth::True;
        let good = |input: &Input| !input.in_window || input.fire == Truth::False;
        let start = inputs.iter().rposition(|(_, input)| good(input)).map_or(0, |last| last + 1);
        inputs[start..]
            .windows(2)
            .filter(|pair| bad(&pair[0].1) && bad(&pair[1].1))
            .map(|pair| pair[1].0 - pair[0].0)
            .sum()
    }

    proptest! {
        #[test]
        fn raising_and_clearing_alternate(
            inputs in any_inputs(), raise_after in 0..150_i64, clear_after in 0..150_i64, during in any_window(),
        ) {
            let decisions = decisions(&rule(raise_after, clear_after, during), &inputs);
            for (index, (_, decision)) in decisions.iter().enumerate() {
                prop_assert_eq!(matches!(decision, Decision::Raise { .. }), index % 2 == 0);
            }
            for pair in decisions.chunks_exact(2) {
                let ((_, Decision::Raise { since: raised }), (_, Decision::Clear { since: cleared })) = (&pair[0], &pair[1]) else {
                    unreachable!("they alternate");
                };
                prop_assert_eq!(raised, cleared, "the end names its beginning");
            }
        }

        #[test]
        fn an_alert_is_raised_exactly_when_the_fault_is_known_to_have_lasted(
            inputs in any_inputs(), raise_after in 0..150_i64, during in any_window(),
        ) {
            let rule = rule(raise_after, 50, during);
            let first = decisions(&rule, &inputs).first().map(|(now, _)| *now);
            let expected = (1..=inputs.len()).map(|end| &inputs[..end]).find(|seen| {
                let (_, last) = seen[seen.len() - 1];
                last.in_window && last.fire == Truth::True && known_bad_for(seen) >= raise_after
            });
            prop_assert_eq!(first, expected.map(|seen| seen[seen.len() - 1].0));
        }

        #[test]
        fn nothing_is_raised_from_what_is_not_known(
            times in prop::collection::vec(0..1000_i64, 1..50), raise_after in 0..100_i64, during in any_window(),
        ) {
            let mut now = 0;
            let inputs: Vec<_> = times.into_iter().map(|after| { now += after; (now, UNKNOWN) }).collect();
            prop_assert_eq!(decisions(&rule(raise_after, 0, during), &inputs), []);
        }

        #[test]
        fn a_restart_gives_no_credit(
            inputs in any_inputs(), gap in 0..10_000_i64, raise_after in 1..150_i64, clear_after in 1..150_i64, next in any_input(),
        ) {
            let rule = rule(raise_after, clear_after, Window::Always);
            let mut state = State::default();
            for (now, input) in &inputs {
                state = step(&rule, state, *input, at(*now)).0;
            }
            let restored = State::restored(state.phase);
            prop_assert_eq!(restored.phase, state.phase, "since when it was wrong is kept");
            let now = inputs[inputs.len() - 1].0 + gap;
            let (_, decision) = step(&rule, restored, next, at(now));
            prop_assert_eq!(decision, None);
            prop_assert_eq!(restored.due(&rule), None);
        }
    }
}
