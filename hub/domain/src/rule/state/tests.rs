//! The state machine as a reader of the standards would reckon.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    calendar::Window,
    condition::Condition,
    label::Label,
    rule::{Effect, OnNoData, Severity},
};

fn rule(raise_after: i64, clear_after: i64, during: Window) -> Rule {
    Rule {
        id: "a-rule".into(),
        clauses: vec![],
        kinds: vec![],
        when: Condition::Fault("".into()),
        until: None,
        raise_after: Span::from_millis(raise_after),
        samples: None,
        on_no_data: OnNoData::Hold,
        clear_after: Span::from_millis(clear_after),
        during,
        severity: Severity::Major,
        effect: Effect::Failed,
        tells: vec![],
        ticket: None,
        supply: None,
        title: Label::default(),
        advice: Label::default(),
    }
}

const BAD: Input =
    Input { fire: Truth::True, recover: Truth::False, in_window: true, is_new: true, beside: Beside::Nothing };
const GOOD: Input =
    Input { fire: Truth::False, recover: Truth::True, in_window: true, is_new: true, beside: Beside::Nothing };
const NEITHER: Input =
    Input { fire: Truth::False, recover: Truth::False, in_window: true, is_new: true, beside: Beside::Nothing };
const UNKNOWN: Input =
    Input { fire: Truth::Unknown, recover: Truth::Unknown, in_window: true, is_new: true, beside: Beside::Nothing };

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Every decision over these inputs, with its time.
fn decisions(rule: &Rule, inputs: &[(i64, Input)]) -> Vec<(i64, Decision)> {
    let mut places = Places::new(1);
    let mut decisions = Vec::new();
    for (now, input) in inputs {
        let (next, decision) = step(rule, places.state(0), *input, at(*now));
        decisions.extend(decision.map(|decision| (*now, decision)));
        places.set(0, next);
        assert_eq!(places.state(0), next, "it is kept as it is");
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
    (seen, prop::bool::weighted(0.9)).prop_map(|((fire, recover), in_window)| Input {
        fire,
        recover,
        in_window,
        is_new: false,
        beside: Beside::AsBad,
    })
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
    inputs[start..].windows(2).filter(|pair| bad(&pair[0].1) && bad(&pair[1].1)).map(|pair| pair[1].0 - pair[0].0).sum()
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
    fn a_restart_keeps_what_had_counted_and_counts_as_a_time_without_data(
        inputs in any_inputs(), gap in 0..10_000_i64, raise_after in 1..150_i64, clear_after in 1..150_i64, after in any_inputs(),
    ) {
        let rule = rule(raise_after, clear_after, Window::Always);
        let mut state = State::default();
        for (now, input) in &inputs {
            state = step(&rule, state, *input, at(*now)).0;
        }
        let restarted_at = inputs[inputs.len() - 1].0 + gap;
        let mut restored = State::from_kept(state.kept());
        prop_assert_eq!(restored.due(&rule), None, "nothing will follow before something is seen");
        (state, _) = step(&rule, state, UNKNOWN, at(restarted_at));
        for (now, input) in &after {
            let (with, without) =
                (step(&rule, state, *input, at(restarted_at + now)), step(&rule, restored, *input, at(restarted_at + now)));
            prop_assert_eq!(with.1, without.1);
            prop_assert_eq!(with.0.kept(), without.0.kept());
            (state, restored) = (with.0, without.0);
        }
    }

    #[test]
    fn so_many_of_the_last_samples_raise_whatever_the_time(
        bad in prop::collection::vec(any::<bool>(), 1..60), needed in 1..6_u32, more in 0..5_u32, every in 1..100_000_i64,
    ) {
        let of = needed + more;
        let rule = Rule { samples: Some(Samples { bad: needed, of }), ..rule(0, 50, Window::Always) };
        let inputs: Vec<(i64, Input)> =
            (0..).zip(&bad).map(|(nth, bad)| (nth * every, if *bad { BAD } else { NEITHER })).collect();
        let first = decisions(&rule, &inputs).first().map(|(now, _)| *now);
        let enough = |end: usize| bad[(end + 1).saturating_sub(of as usize)..=end].iter().filter(|bad| **bad).count() >= needed as usize;
        prop_assert_eq!(first, (0..bad.len()).find(|end| enough(*end)).map(|end| inputs[end].0));
    }

    #[test]
    fn whatever_it_does_it_is_raised_and_cleared_in_turn_and_never_cleared_unsteady(
        steps in prop::collection::vec((0..40_i64, any_input()), 1..200), raise_after in 0..60_i64, clear_after in 0..60_i64,
    ) {
        let rule = rule(raise_after, clear_after, Window::Always);
        let (mut state, mut now, mut open) = (State::default(), 0, false);
        for (after, input) in steps {
            now += after;
            let before = state;
            let (next, decision) = step(&rule, state, Input { is_new: true, ..input }, at(now));
            state = next;
            match decision {
                Some(Decision::Raise { .. }) => prop_assert!(!std::mem::replace(&mut open, true)),
                Some(Decision::Clear { .. }) => {
                    prop_assert!(std::mem::replace(&mut open, false));
                    prop_assert!(!state.flaps().is_unsteady() && !state.flaps().flapping());
                }
                None => {}
            }
            prop_assert!(!state.flaps().is_unsteady() || state.flaps().flapping());
            prop_assert_eq!(before.phase.alerting_since().is_some(), open != decision.is_some());
        }
    }
}

/// Bad and good in turn, each for a second, then good for so long.
fn toggling(seconds: i64, then: i64) -> Vec<(i64, Input)> {
    let toggles = (0..seconds).map(|second| (second * 1000, if second % 2 == 0 { BAD } else { GOOD }));
    toggles.chain((seconds..seconds + then).map(|second| (second * 1000, GOOD))).collect()
}

#[test]
fn a_fault_that_comes_and_goes_is_one_alert_until_it_has_been_gone_for_long_enough() {
    let rule = rule(0, 3_000, Window::Always);
    // The fourth turn is at the fourth second; the last one leaves the window twenty samples later.
    assert_eq!(decisions(&rule, &toggling(600, 600)), [(0, RAISE), (616_000, CLEAR)]);
}

#[test]
fn timers_do_not_make_turns_and_repeats_of_one_side_are_none() {
    let rule = rule(0, 3_000, Window::Always);
    let mut state = State::default();
    for (now, input) in toggling(3, 0) {
        state = step(&rule, state, input, at(now)).0;
        for later in 1..9 {
            let again = Input { is_new: false, ..if later % 2 == 0 { BAD } else { GOOD } };
            state = step(&rule, state, again, at(now + later)).0;
        }
    }
    assert_eq!((state.flaps().turns(), state.flaps().flapping()), (2, false));
}

#[test]
fn a_fault_that_stays_stops_flapping_and_goes_on_firing() {
    let rule = rule(0, 3_000, Window::Always);
    let mut inputs = toggling(10, 0);
    inputs.extend((10..60).map(|second| (second * 1000, BAD)));
    let mut state = State::default();
    let mut flapping = Vec::new();
    for (now, input) in inputs {
        state = step(&rule, state, input, at(now)).0;
        flapping.push(state.flaps().flapping());
    }
    assert_eq!(state.phase, Phase::Firing { since: at(0) });
    assert_eq!(flapping.iter().position(|flapping| *flapping), Some(4));
    assert_eq!(
        flapping.iter().rposition(|flapping| *flapping),
        Some(26),
        "until less than four turns are among the last twenty"
    );
}

#[rstest]
#[case::hold(OnNoData::Hold, &[(1100, RAISE)])]
#[case::unknown(OnNoData::Unknown, &[(1150, Decision::Raise { since: Timestamp::from_millis(1050) })])]
fn missing_data_stops_a_timer_or_sets_it_back(#[case] on_no_data: OnNoData, #[case] expected: &[(i64, Decision)]) {
    let rule = Rule { on_no_data, ..rule(100, 50, Window::Always) };
    let inputs = [(0, BAD), (50, BAD), (60, UNKNOWN), (1050, BAD), (1100, BAD), (1150, BAD)];
    assert_eq!(decisions(&rule, &inputs), expected);
}

#[test]
fn a_recovery_that_is_lost_sight_of_starts_anew_where_the_rule_says_so() {
    let rule = Rule { on_no_data: OnNoData::Unknown, ..rule(0, 50, Window::Always) };
    let inputs = [(0, BAD), (10, GOOD), (50, GOOD), (55, UNKNOWN), (100, GOOD), (120, GOOD), (150, GOOD)];
    assert_eq!(decisions(&rule, &inputs), [(0, RAISE), (150, CLEAR)]);
}

#[test]
fn where_the_rule_says_so_it_fires_when_nothing_has_been_known_for_long_enough() {
    let rule = Rule { on_no_data: OnNoData::FireAfter(Span::from_millis(100)), ..rule(10, 50, Window::Always) };
    let inputs = [
        (0, UNKNOWN),
        (90, GOOD),
        (95, UNKNOWN),
        (194, UNKNOWN),
        (195, UNKNOWN),
        (900, UNKNOWN),
        (1000, GOOD),
        (1050, GOOD),
    ];
    let since = at(95);
    assert_eq!(decisions(&rule, &inputs), [(195, Decision::Raise { since }), (1050, Decision::Clear { since })]);
    let (blind, _) = step(&rule, State::default(), UNKNOWN, at(7));
    assert_eq!(blind.due(&rule), Some(at(107)));
    let (after_a_restart, _) = step(&rule, State::from_kept(blind.kept()), UNKNOWN, at(500));
    assert_eq!(after_a_restart.due(&rule), Some(at(600)), "the hub's own absence is nobody's fault");
}

#[test]
fn samples_from_outside_its_part_of_the_day_do_not_count() {
    let rule = Rule { samples: Some(Samples { bad: 2, of: 5 }), ..rule(0, 50, Window::Open) };
    let outside = Input { in_window: false, ..BAD };
    assert_eq!(decisions(&rule, &[(0, BAD), (1, outside), (2, BAD)]), []);
    assert_eq!(decisions(&rule, &[(0, BAD), (1, UNKNOWN), (2, BAD)]), [(2, RAISE)], "unknown ones are no samples");
}

#[test]
fn a_restart_keeps_which_samples_were_bad() {
    let rule = Rule { samples: Some(Samples { bad: 3, of: 5 }), ..rule(0, 50, Window::Always) };
    let mut state = State::default();
    for (now, input) in [(0, BAD), (1, NEITHER), (2, BAD)] {
        state = step(&rule, state, input, at(now)).0;
    }
    let (_, decision) = step(&rule, State::from_kept(state.kept()), BAD, at(900));
    assert_eq!(decision, Some(RAISE));
}

#[rstest]
#[case::of_no_use(Effect::Failed, Some(40))]
#[case::still_of_use(Effect::Degraded, None)]
#[case::for_information(Effect::None, None)]
fn what_comes_and_goes_and_cannot_be_used_meanwhile_is_told_though_no_fault_of_it_lasts(
    #[case] effect: Effect,
    #[case] raised: Option<i64>,
) {
    let rule = Rule { effect, ..rule(100, 50, Window::Always) };
    let inputs: Vec<(i64, Input)> =
        (0..20).map(|number| (number * 10, if number % 2 == 0 { BAD } else { GOOD })).collect();
    // The fourth turn is back to bad.
    let first = decisions(&rule, &inputs).first().map(|(now, _)| *now);
    assert_eq!(first, raised);
    let once = decisions(&rule, &inputs).len();
    assert_eq!(once, usize::from(raised.is_some()), "and once, however long it goes on");
}

#[test]
fn what_comes_and_goes_beside_an_open_alert_is_no_alert_of_its_own() {
    let rule = rule(100, 50, Window::Always);
    let turn = |number: i64| Input { beside: Beside::AsBad, ..if number % 2 == 0 { BAD } else { GOOD } };
    let inputs: Vec<(i64, Input)> = (0..20).map(|number| (number * 10, turn(number))).collect();
    assert_eq!(decisions(&rule, &inputs), []);
}
