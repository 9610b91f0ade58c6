//! A device's past from its records and alerts: what it measured, and in which state it was.

use lobby_contract::{FactValue, Reach};
use lobby_dashboards::{Limit, Series, State, StateSpan};
use lobby_domain::{
    condition::{Condition, Operand, Test},
    device::Device,
    kind::{self, Domain},
    label::Lang,
    pack::{KindRules, Pack},
    rule::Effect,
    time::Timestamp,
};

use super::tiles;
use crate::store::{AlertRow, Sampled};

/// Records may be this far apart before it counts as a gap, even where the heartbeat is shorter: a shorter gap would not be seen.
const LEAST_GAP_MS: i64 = 12 * 60 * 1000;
/// The most charts of one page.
const MOST_CHARTS: usize = 4;

/// How far apart two records may be, in ms, until nobody knows what was between them.
pub(super) fn gap(device: &Device) -> i64 {
    device.fresh_for().millis().max(LEAST_GAP_MS)
}

/// The numbers that changed, those that rules look at first.
pub(super) fn series(device: &Device, kind: &KindRules, history: &[Sampled], lang: Lang) -> Vec<Series> {
    let judged = tiles::judged(kind);
    let numbers = kind.kind.facts.iter().filter(|fact| matches!(fact.domain, Domain::Number { .. }));
    let (first, rest): (Vec<&kind::Fact>, Vec<_>) = numbers.partition(|fact| judged.contains(&*fact.name));
    let drawn = first.into_iter().chain(rest).filter_map(|fact| {
        let points = points(history, &fact.name);
        changes(&points).then(|| Series {
            label: fact.label.in_lang(lang).to_owned(),
            unit: match &fact.domain {
                Domain::Number { unit, .. } => unit.in_lang(lang).to_owned(),
                Domain::Bool | Domain::Word(_) | Domain::Text => String::new(),
            },
            points,
            limit: limit(device, kind, &fact.name),
            gap_ms: gap(device),
        })
    });
    drawn.take(MOST_CHARTS).collect()
}

fn points(history: &[Sampled], fact: &str) -> Vec<(i64, Option<f64>)> {
    let value = |sample: &Sampled| match sample.facts.get(fact) {
        Some(FactValue::Number(number)) if sample.reach == Reach::Ok => Some(*number),
        _ => None,
    };
    history.iter().map(|sample| (sample.at.millis(), value(sample))).collect()
}

fn changes(points: &[(i64, Option<f64>)]) -> bool {
    let mut values = points.iter().filter_map(|(_, value)| *value);
    let first = values.next();
    first.is_some_and(|first| values.any(|value| value.total_cmp(&first).is_ne()))
}

/// The good range of a number, by the strictest rule that compares it alone.
fn limit(device: &Device, kind: &KindRules, name: &str) -> Option<Limit> {
    let mut limit = Limit::default();
    let value = |operand: &Operand| match operand {
        Operand::Value(value) => Some(*value),
        Operand::Fact(fact) => tiles::number(device, fact),
    };
    for rule in &kind.rules {
        // Where a comparison is but a part of the condition, the number may be beyond it and nothing be wrong.
        let Condition::Fact { fact, test } = &rule.when else { continue };
        if **fact != *name {
            continue;
        }
        match test {
            Test::Above(operand) | Test::AtLeast(operand) => {
                limit.high = [limit.high, value(operand)].into_iter().flatten().reduce(f64::min);
            }
            Test::Below(operand) | Test::AtMost(operand) => {
                limit.low = [limit.low, value(operand)].into_iter().flatten().reduce(f64::max);
            }
            Test::Is(_) => {}
        }
    }
    (limit.low.is_some() || limit.high.is_some()).then_some(limit)
}

/// The states within a range: what records tell, with the times of faults in it. Time that no record tells of is left open.
pub(super) fn spans(pack: &Pack, history: &[Sampled], alerts: &[AlertRow], gap: i64, now: i64) -> Vec<StateSpan> {
    let faults = faults(pack, alerts, now);
    told(history, gap, now).into_iter().flat_map(|span| with_faults(span, &faults)).collect()
}

/// What records tell: each until the next, and no longer than a gap.
fn told(history: &[Sampled], gap: i64, now: i64) -> Vec<StateSpan> {
    let mut spans: Vec<StateSpan> = Vec::new();
    for (index, sample) in history.iter().enumerate() {
        let from = sample.at.millis();
        let next = history.get(index + 1).map_or(now, |next| next.at.millis());
        let to = next.min(from.saturating_add(gap)).max(from);
        let state = match sample.reach {
            Reach::Ok if sample.facts.values().any(|value| *value != FactValue::Unknown) => State::Normal,
            Reach::Ok | Reach::Unknown => State::Unknown,
            Reach::Unreachable => State::Offline,
        };
        match spans.last_mut() {
            Some(last) if last.state == state && last.to == from => last.to = to,
            _ => spans.push(StateSpan { from, to, state }),
        }
    }
    spans
}

/// When something was wrong, in order and without overlap.
fn faults(pack: &Pack, alerts: &[AlertRow], now: i64) -> Vec<(i64, i64)> {
    let harms = |alert: &&AlertRow| pack.rule(&alert.rule).is_none_or(|rule| rule.effect != Effect::None);
    let times = |alert: &AlertRow| (alert.since.millis(), alert.cleared_at.map_or(now, Timestamp::millis));
    let mut times: Vec<(i64, i64)> = alerts.iter().filter(harms).map(times).collect();
    times.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in times {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// A span in which the device worked, cut where something was wrong. What is not known stays so.
fn with_faults(span: StateSpan, faults: &[(i64, i64)]) -> Vec<StateSpan> {
    if span.state != State::Normal {
        return vec![span];
    }
    let (mut cut, mut at) = (Vec::new(), span.from);
    for (from, to) in faults.iter().filter(|(from, to)| *from < span.to && *to > span.from) {
        let (from, to) = ((*from).max(span.from), (*to).min(span.to));
        cut.push(StateSpan { from: at, to: from, state: State::Normal });
        cut.push(StateSpan { from, to, state: State::Abnormal });
        at = to;
    }
    cut.push(StateSpan { from: at, to: span.to, state: State::Normal });
    cut.retain(|span| span.from < span.to);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64, reach: Reach, value: Option<f64>) -> Sampled {
        let facts = value.into_iter().map(|value| ("power_w".into(), FactValue::Number(value))).collect();
        Sampled { at: Timestamp::from_millis(at), reach, facts }
    }

    fn span(from: i64, to: i64, state: State) -> StateSpan {
        StateSpan { from, to, state }
    }

    #[test]
    fn a_gap_between_records_is_left_open_and_records_in_one_state_are_joined() {
        let history = [
            sample(0, Reach::Ok, Some(1.0)),
            sample(50, Reach::Ok, Some(2.0)),
            sample(500, Reach::Unreachable, None),
            sample(550, Reach::Unknown, None),
        ];
        let expected =
            vec![span(0, 150, State::Normal), span(500, 550, State::Offline), span(550, 600, State::Unknown)];
        assert_eq!(told(&history, 100, 600), expected);
    }

    #[test]
    fn a_device_that_answers_and_says_nothing_is_not_called_normal() {
        assert_eq!(told(&[sample(0, Reach::Ok, None)], 100, 50), vec![span(0, 50, State::Unknown)]);
    }

    #[test]
    fn a_fault_cuts_what_worked_and_never_what_is_not_known() {
        let cut = with_faults(span(0, 100, State::Normal), &[(-10, 20), (40, 60), (100, 200)]);
        let expected = vec![
            span(0, 20, State::Abnormal),
            span(20, 40, State::Normal),
            span(40, 60, State::Abnormal),
            span(60, 100, State::Normal),
        ];
        assert_eq!(cut, expected);
        let unknown = span(0, 100, State::Unknown);
        assert_eq!(with_faults(unknown, &[(0, 100)]), vec![unknown]);
    }

    #[test]
    fn a_number_that_never_changes_is_not_worth_a_chart() {
        let history = [sample(0, Reach::Ok, Some(1.0)), sample(1, Reach::Unreachable, Some(9.0))];
        assert!(!changes(&points(&history, "power_w")));
        let history = [sample(0, Reach::Ok, Some(1.0)), sample(1, Reach::Ok, Some(9.0))];
        assert!(changes(&points(&history, "power_w")));
    }
}
