//! A device's past from its records and alerts, or from what is left of them: what it measured, and in which state it was.

use lobby_contract::{FactValue, Reach};
use lobby_dashboards::{Limit, Series, StateSpan};
use lobby_domain::{
    alert::is_judged_by_data,
    condition::{Condition, Operand, Test},
    device::{Device, State},
    kind::{self, Domain},
    label::Lang,
    pack::{KindRules, Pack},
    past::{self, Period, Rollup, Sampled, Stretch},
    rule::Effect,
    time::{Span, Timestamp},
};

use super::{scene, tiles};
use crate::store::{AlertRow, RolledUp};

/// The most charts of one page.
const MOST_CHARTS: usize = 4;

/// What is known of a device's past.
pub(super) enum Known {
    /// Each record, and how far apart two may be until nobody knows what was between them.
    Records(Vec<Sampled>, Span),
    /// Hours or days, and their length.
    Rollups(Vec<RolledUp>, Span),
}

impl Known {
    /// The times of a number, with its value if it was known then.
    fn points(&self, fact: &str) -> Vec<(i64, Option<f64>)> {
        match self {
            Self::Records(records, _) => {
                let value = |sample: &Sampled| match sample.facts.get(fact) {
                    Some(FactValue::Number(number)) if sample.reach == Reach::Ok => Some(*number),
                    _ => None,
                };
                records.iter().map(|sample| (sample.at.millis(), value(sample))).collect()
            }
            Self::Rollups(rollups, length) => {
                let mean = |rolled: &RolledUp| Some(rolled.rollup.figures.get(fact)?.mean());
                let middle = |rolled: &RolledUp| rolled.at.shifted(length.millis() / 2).millis();
                rollups.iter().map(|rolled| (middle(rolled), mean(rolled))).collect()
            }
        }
    }

    /// From where to where a number went in each hour or day.
    fn spread(&self, fact: &str) -> Vec<(i64, f64, f64)> {
        let Self::Rollups(rollups, length) = self else { return Vec::new() };
        let spread = rollups.iter().filter_map(|rolled| {
            let figure = rolled.rollup.figures.get(fact)?;
            Some((rolled.at.shifted(length.millis() / 2).millis(), figure.low, figure.high))
        });
        spread.collect()
    }

    /// How far apart two points may be, in ms, until nobody knows what was between them.
    fn gap(&self) -> i64 {
        match self {
            Self::Records(_, gap) => gap.millis(),
            Self::Rollups(_, length) => length.times(2).millis() - 1,
        }
    }
}

/// The hours from `from` until `now` as they will be rolled up, but for what was wrong in them, which alerts tell.
pub(super) fn hours(records: &[Sampled], gap: Span, from: Timestamp, now: Timestamp) -> Vec<RolledUp> {
    let hour = Span::from_mins(60);
    let begins = std::iter::successors(Some(from), |at| Some(*at + hour)).take_while(|at| *at < now);
    let rolled = begins.map(|at| {
        let period = (at, (at + hour).min(now));
        let until_then = &records[..records.partition_point(|sample| sample.at < period.1)];
        RolledUp { at, rollup: Rollup::of(period, until_then, gap, &[], &[]) }
    });
    rolled.filter(|rolled| rolled.rollup.all.unknown < rolled.rollup.all.total()).collect()
}

/// The numbers that changed, those that rules look at first.
pub(super) fn series(device: &Device, kind: &KindRules, known: &Known, lang: Lang) -> Vec<Series> {
    let judged = tiles::judged(kind);
    let numbers = kind.kind.facts.iter().filter(|fact| matches!(fact.domain, Domain::Number { .. }));
    let (first, rest): (Vec<&kind::Fact>, Vec<_>) = numbers.partition(|fact| judged.contains(&*fact.name));
    let drawn = first.into_iter().chain(rest).filter_map(|fact| {
        let (points, spread) = (known.points(&fact.name), known.spread(&fact.name));
        (changes(&points) || spread.iter().any(|(_, low, high)| low < high)).then(|| Series {
            label: fact.label.in_lang(lang).to_owned(),
            unit: match &fact.domain {
                Domain::Number { unit, .. } => unit.in_lang(lang).to_owned(),
                Domain::Bool | Domain::Word(_) | Domain::Text => String::new(),
            },
            points,
            spread,
            limit: limit(device, kind, &fact.name),
            gap_ms: known.gap(),
        })
    });
    drawn.take(MOST_CHARTS).collect()
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

/// The states within a range: what is known, with the times of faults in it. Time that nothing tells of is left open.
pub(super) fn spans(pack: &Pack, known: &Known, alerts: &[AlertRow], now: i64) -> Vec<StateSpan> {
    let faults = faults(pack, alerts, now);
    let told = match known {
        Known::Records(records, gap) => past::told(records, *gap, Timestamp::from_millis(now)),
        Known::Rollups(rollups, length) => rollups.iter().map(|rolled| mostly(rolled, *length, now)).collect(),
    };
    told.into_iter().flat_map(|stretch| past::with_faults(stretch, &faults)).map(shown).collect()
}

/// The state that an hour or a day was in for longest; when something was wrong in it, alerts tell more exactly.
fn mostly(rolled: &RolledUp, length: Span, now: i64) -> Stretch {
    let Rollup { all, .. } = &rolled.rollup;
    let known = all.normal + all.abnormal;
    let to = (rolled.at + length).min(Timestamp::from_millis(now));
    let state = if all.unknown > known.max(all.offline) || all.total() * 2 < to.since(rolled.at).millis() {
        State::Unknown
    } else if all.offline > known {
        State::Offline
    } else {
        State::Normal
    };
    Stretch { from: rolled.at, to, state }
}

/// When something was wrong, in order and without overlap.
fn faults(pack: &Pack, alerts: &[AlertRow], now: i64) -> Vec<Period> {
    let harms = |alert: &&AlertRow| {
        is_judged_by_data(&alert.rule) && pack.rule(&alert.rule).is_none_or(|rule| rule.effect != Effect::None)
    };
    let times = |alert: &AlertRow| (alert.since, alert.cleared_at.unwrap_or(Timestamp::from_millis(now)));
    past::merged(alerts.iter().filter(harms).map(times).collect())
}

fn shown(stretch: Stretch) -> StateSpan {
    StateSpan { from: stretch.from.millis(), to: stretch.to.millis(), state: scene::state(stretch.state) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64, reach: Reach, value: Option<f64>) -> Sampled {
        let facts = value.into_iter().map(|value| ("power_w".into(), FactValue::Number(value))).collect();
        Sampled { at: Timestamp::from_millis(at), reach, facts }
    }

    #[test]
    fn a_number_that_never_changes_is_not_worth_a_chart() {
        let known =
            Known::Records(vec![sample(0, Reach::Ok, Some(1.0)), sample(1, Reach::Unreachable, Some(9.0))], Span::ZERO);
        assert!(!changes(&known.points("power_w")));
        let known = Known::Records(vec![sample(0, Reach::Ok, Some(1.0)), sample(1, Reach::Ok, Some(9.0))], Span::ZERO);
        assert!(changes(&known.points("power_w")));
    }
}
