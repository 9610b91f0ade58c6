//! A device's past from what it stated and when something was wrong with it: in which state it was for how long, and what its numbers
//! were, hour by hour and day by day. Time of which no record tells is unknown, and unknown is never counted as anything else.

use std::{collections::BTreeMap, ops::AddAssign};

use lobby_contract::{FactValue, Reach};
use serde::{Deserialize, Serialize};

use crate::{
    calendar::{Calendar, PartOfDay},
    device::State,
    time::{Span, Timestamp},
};

/// What a device stated once.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// When the device was probed.
    pub at: Timestamp,
    /// Whether it was reached.
    pub reach: Reach,
    /// Its facts.
    pub facts: BTreeMap<Box<str>, FactValue>,
}

/// A stretch of time in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From.
    pub from: Timestamp,
    /// Until.
    pub to: Timestamp,
    /// The state.
    pub state: State,
}

/// A stretch of time from its first moment to that of the next.
pub type Period = (Timestamp, Timestamp);

/// For how long something was in each state, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// It did what it is for.
    pub normal: i64,
    /// It did not, or only in part.
    pub abnormal: i64,
    /// It did not answer.
    pub offline: i64,
    /// Nobody can tell.
    pub unknown: i64,
}

/// A number over a while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(i64, f64, f64, f64)", into = "(i64, f64, f64, f64)")]
pub struct Figure {
    /// How often it was stated.
    pub count: i64,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    /// All values together.
    pub sum: f64,
}

/// What is left of an hour or a day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rollup {
    /// Records in it.
    pub records: i64,
    /// States in all.
    pub all: Times,
    /// States while the site was open.
    pub open: Times,
    /// The numbers that were stated.
    pub figures: BTreeMap<Box<str>, Figure>,
}

impl Times {
    fn add(&mut self, state: State, millis: i64) {
        match state {
            State::Normal => self.normal += millis,
            State::Abnormal => self.abnormal += millis,
            State::Offline => self.offline += millis,
            State::Unknown => self.unknown += millis,
        }
    }

    /// All of it.
    pub fn total(&self) -> i64 {
        self.normal + self.abnormal + self.offline + self.unknown
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.normal += other.normal;
        self.abnormal += other.abnormal;
        self.offline += other.offline;
        self.unknown += other.unknown;
    }
}

impl Figure {
    /// A number that was stated once.
    pub fn once(value: f64) -> Self {
        Self { count: 1, low: value, high: value, sum: value }
    }

    /// The mean of its values.
    #[expect(clippy::cast_precision_loss, reason = "nothing is stated 2^52 times")]
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }
}

impl AddAssign for Figure {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.sum += other.sum;
    }
}

impl From<(i64, f64, f64, f64)> for Figure {
    fn from((count, low, high, sum): (i64, f64, f64, f64)) -> Self {
        Self { count, low, high, sum }
    }
}

impl From<Figure> for (i64, f64, f64, f64) {
    fn from(figure: Figure) -> Self {
        (figure.count, figure.low, figure.high, figure.sum)
    }
}

/// What records, in the order of their times, tell: each until the next, and no longer than `gap`. Time that none tells of is left out.
pub fn told(history: &[Sampled], gap: Span, until: Timestamp) -> Vec<Stretch> {
    let mut told: Vec<Stretch> = Vec::new();
    for (index, sample) in history.iter().enumerate() {
        let from = sample.at;
        let next = history.get(index + 1).map_or(until, |next| next.at);
        let to = next.min(from + gap).max(from);
        let state = match sample.reach {
            Reach::Ok if sample.facts.values().any(|value| *value != FactValue::Unknown) => State::Normal,
            Reach::Ok | Reach::Unknown => State::Unknown,
            Reach::Unreachable => State::Offline,
        };
        match told.last_mut() {
            Some(last) if last.state == state && last.to == from => last.to = to,
            _ => told.push(Stretch { from, to, state }),
        }
    }
    told
}

/// Times put in order and, where they overlap, together.
pub fn merged(mut times: Vec<Period>) -> Vec<Period> {
    times.sort_unstable();
    let mut merged: Vec<Period> = Vec::new();
    for (from, to) in times {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// A stretch in which the device worked, cut where something was wrong; `faults` are [`merged`]. What is not known stays so.
pub fn with_faults(stretch: Stretch, faults: &[Period]) -> Vec<Stretch> {
    if stretch.state != State::Normal {
        return vec![stretch];
    }
    let (mut cut, mut at) = (Vec::new(), stretch.from);
    for (from, to) in faults.iter().filter(|(from, to)| *from < stretch.to && *to > stretch.from) {
        let (from, to) = ((*from).max(stretch.from), (*to).min(stretch.to));
        cut.push(Stretch { from: at, to: from, state: State::Normal });
        cut.push(Stretch { from, to, state: State::Abnormal });
        at = to;
    }
    cut.push(Stretch { from: at, to: stretch.to, state: State::Normal });
    cut.retain(|stretch| stretch.from < stretch.to);
    cut
}

/// When a site is open within `period`, to the minute.
pub fn open_times(calendar: &Calendar, period: Period) -> Vec<Period> {
    let minute = Span::from_mins(1);
    let minutes = std::iter::successors(Some(period.0), |at| Some(*at + minute)).take_while(|at| *at < period.1);
    let open = minutes.filter(|at| calendar.part_of_day(*at) == PartOfDay::Open);
    merged(open.map(|at| (at, (at + minute).min(period.1))).collect())
}

impl Rollup {
    /// What is left of `period`: `history` holds its records and, for what they tell of its beginning, those of the `gap` before it;
    /// `faults` and `open` are [`merged`].
    pub fn of(period: Period, history: &[Sampled], gap: Span, faults: &[Period], open: &[Period]) -> Self {
        let mut rollup = Self::default();
        for sample in history.iter().filter(|sample| period.0 <= sample.at && sample.at < period.1) {
            rollup.records += 1;
            let numbers = sample.facts.iter().filter(|_| sample.reach == Reach::Ok);
            for (name, value) in numbers {
                let FactValue::Number(value) = value else { continue };
                match rollup.figures.get_mut(name) {
                    Some(figure) => *figure += Figure::once(*value),
                    None => {
                        rollup.figures.insert(name.clone(), Figure::once(*value));
                    }
                }
            }
        }
        for stretch in told(history, gap, period.1).into_iter().flat_map(|stretch| with_faults(stretch, faults)) {
            let Some(within) = overlap((stretch.from, stretch.to), period) else { continue };
            rollup.all.add(stretch.state, length(within));
            let while_open = open.iter().filter_map(|open| overlap(within, *open)).map(length).sum();
            rollup.open.add(stretch.state, while_open);
        }
        rollup.all.unknown += length(period) - rollup.all.total();
        let open: i64 = open.iter().filter_map(|open| overlap(*open, period)).map(length).sum();
        rollup.open.unknown += open - rollup.open.total();
        rollup
    }

    /// Adds the numbers of `other`, but not its times.
    pub fn add_figures(&mut self, other: &Self) {
        self.records += other.records;
        for (name, figure) in &other.figures {
            match self.figures.get_mut(name) {
                Some(known) => *known += *figure,
                None => {
                    self.figures.insert(name.clone(), *figure);
                }
            }
        }
    }
}

impl AddAssign<&Rollup> for Rollup {
    fn add_assign(&mut self, other: &Self) {
        self.add_figures(other);
        self.all += other.all;
        self.open += other.open;
    }
}

fn overlap(a: Period, b: Period) -> Option<Period> {
    let both = (a.0.max(b.0), a.1.min(b.1));
    (both.0 < both.1).then_some(both)
}

fn length(period: Period) -> i64 {
    period.1.since(period.0).millis()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn sample(millis: i64, reach: Reach, value: Option<f64>) -> Sampled {
        let facts = value.into_iter().map(|value| ("power_w".into(), FactValue::Number(value))).collect();
        Sampled { at: at(millis), reach, facts }
    }

    fn stretch(from: i64, to: i64, state: State) -> Stretch {
        Stretch { from: at(from), to: at(to), state }
    }

    fn period(from: i64, to: i64) -> Period {
        (at(from), at(to))
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
            vec![stretch(0, 150, State::Normal), stretch(500, 550, State::Offline), stretch(550, 600, State::Unknown)];
        assert_eq!(told(&history, Span::from_millis(100), at(600)), expected);
    }

    #[test]
    fn a_device_that_answers_and_says_nothing_is_not_called_normal() {
        let told = told(&[sample(0, Reach::Ok, None)], Span::from_millis(100), at(50));
        assert_eq!(told, vec![stretch(0, 50, State::Unknown)]);
    }

    #[test]
    fn a_fault_cuts_what_worked_and_never_what_is_not_known() {
        let faults = [period(-10, 20), period(40, 60), period(100, 200)];
        let expected = vec![
            stretch(0, 20, State::Abnormal),
            stretch(20, 40, State::Normal),
            stretch(40, 60, State::Abnormal),
            stretch(60, 100, State::Normal),
        ];
        assert_eq!(with_faults(stretch(0, 100, State::Normal), &faults), expected);
        let unknown = stretch(0, 100, State::Unknown);
        assert_eq!(with_faults(unknown, &[period(0, 100)]), vec![unknown]);
    }

    #[test]
    fn an_hour_counts_what_was_told_as_it_was_and_the_rest_as_unknown() {
        let history = [
            sample(-50, Reach::Ok, Some(9.0)),
            sample(100, Reach::Ok, Some(1.0)),
            sample(200, Reach::Unreachable, Some(7.0)),
        ];
        let rollup =
            Rollup::of(period(0, 1000), &history, Span::from_millis(100), &[period(150, 170)], &[period(120, 280)]);
        assert_eq!(rollup.records, 2, "the record before it belongs to the hour before");
        assert_eq!(rollup.all, Times { normal: 50 + 80, abnormal: 20, offline: 100, unknown: 750 });
        assert_eq!(rollup.open, Times { normal: 60, abnormal: 20, offline: 80, unknown: 0 });
        let figure = Figure { count: 1, low: 1.0, high: 1.0, sum: 1.0 };
        assert_eq!(rollup.figures, [("power_w".into(), figure)].into(), "of what did not answer nothing is believed");
    }

    proptest! {
        #[test]
        fn whatever_happened_every_moment_is_counted_once(
            times in prop::collection::vec((0_i64..2000, 0..3_u8, any::<bool>()), 0..30), gap in 1_i64..500,
            faults in prop::collection::vec((0_i64..2000, 0_i64..300), 0..5), open in prop::collection::vec((0_i64..2000, 0_i64..900), 0..3),
        ) {
            let mut history: Vec<Sampled> = times.into_iter().map(|(at, reach, known)| {
                let reach = [Reach::Ok, Reach::Unreachable, Reach::Unknown][usize::from(reach)];
                sample(at, reach, known.then_some(1.0))
            }).collect();
            history.sort_by_key(|sample| sample.at);
            let periods = |times: Vec<(i64, i64)>| merged(times.into_iter().map(|(from, long)| period(from, from + long)).collect());
            let (faults, open) = (periods(faults), periods(open));
            let whole = Rollup::of(period(500, 1500), &history, Span::from_millis(gap), &faults, &open);
            prop_assert_eq!(whole.all.total(), 1000);
            let opened: i64 = open.iter().filter_map(|open| overlap(*open, period(500, 1500))).map(length).sum();
            prop_assert_eq!(whole.open.total(), opened);
            // The parts of a period make up the whole.
            let mut parts = Rollup::default();
            for part in [period(500, 700), period(700, 1400), period(1400, 1500)] {
                let until_then: Vec<Sampled> = history.iter().filter(|sample| sample.at < part.1).cloned().collect();
                parts += &Rollup::of(part, &until_then, Span::from_millis(gap), &faults, &open);
            }
            prop_assert_eq!((parts.all, parts.open, parts.records), (whole.all, whole.open, whole.records));
        }
    }
}
