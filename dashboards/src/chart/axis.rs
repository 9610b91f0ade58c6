//! Axes: round numbers up the side, local clock times and days along the bottom.

use jiff::{RoundMode, ToSpan, Unit, Zoned, ZonedRound, tz::TimeZone};

use super::{Tick, Window, round};
use crate::time::zoned;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// A scale of values whose ends and steps are round numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    step: f64,
    steps: u32,
}

impl Scale {
    /// The smallest round scale that holds `values`.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let (low, high) = if high - low > 0.0 { (low, high) } else { widened(low) };
        // Halves first: the distance between the two ends of the range of f64 is itself out of range.
        let step = nice((high / 4.0 - low / 4.0).max(f64::MIN_POSITIVE * 1e16));
        let first = (low / step).floor();
        let count = ((high / step).ceil() - first).clamp(1.0, 8.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=8")]
        Self { low: finite(first * step), step, steps: count as u32 }
    }

    /// Where `value` lies between the ends, from 0 to 1.
    pub fn part(&self, value: f64) -> f64 {
        ((value / self.step - self.low / self.step) / f64::from(self.steps)).clamp(0.0, 1.0)
    }

    /// The values to write at the side.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let places = if self.step >= 1.0 { 0 } else { digits_after_point(self.step) };
        (0..=self.steps)
            .map(|index| {
                let value = finite(self.low + self.step * f64::from(index));
                let size = self.step.max(value.abs());
                let label = if (1e-4..1e6).contains(&size) {
                    let value = if value.abs() < self.step / 2.0 { 0.0 } else { value };
                    format!("{value:.places$}")
                } else {
                    format!("{value:.0e}")
                };
                (value, label)
            })
            .collect()
    }
}

fn widened(value: f64) -> (f64, f64) {
    let margin = if value.abs() < 10.0 { 1.0 } else { value.abs() / 10.0 };
    (finite(value - margin), finite(value + margin))
}

/// The value, or the end of the range of numbers that it is beyond.
fn finite(value: f64) -> f64 {
    value.clamp(f64::MIN, f64::MAX)
}

/// The round number (1, 2 or 5 times a power of ten) at or above `rough`.
fn nice(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999_999);
    factor.unwrap_or(10.0) * power
}

fn digits_after_point(step: f64) -> usize {
    (0..6).find(|places| step * 10f64.powi(*places) >= 0.999).map_or(6, |places| usize::try_from(places).unwrap_or(6))
}

/// Clock times or days of `zone`, at round moments within `window`.
pub(super) fn times(window: Window, zone: &TimeZone) -> Vec<Tick> {
    let (unit, every, format) = if window.len() <= HOUR {
        (Unit::Minute, 15, "%H:%M")
    } else if window.len() <= DAY {
        (Unit::Hour, 6, "%H:%M")
    } else if window.len() <= 8 * DAY {
        (Unit::Day, 1, "%m-%d")
    } else if window.len() <= 60 * DAY {
        (Unit::Day, 5, "%m-%d")
    } else {
        (Unit::Day, 61, "%Y-%m")
    };
    let mut ticks = Vec::new();
    let mut next = first(&zoned(window.from, zone), unit, every);
    while let Some(at) = next.take_if(|at| ticks.len() < 12 && at.timestamp().as_millisecond() <= window.to) {
        let ms = at.timestamp().as_millisecond();
        if window.holds(ms) {
            ticks.push(Tick { at: round(window.x(ms)), label: at.strftime(format).to_string() });
        }
        next = after(&at, unit, every);
    }
    ticks
}

fn first(from: &Zoned, unit: Unit, every: i64) -> Option<Zoned> {
    let round = match unit {
        Unit::Day => ZonedRound::new().smallest(unit),
        _ => ZonedRound::new().smallest(unit).increment(every),
    };
    from.round(round.mode(RoundMode::Ceil)).ok()
}

fn after(at: &Zoned, unit: Unit, every: i64) -> Option<Zoned> {
    let step = match unit {
        Unit::Day => every.days(),
        Unit::Hour => every.hours(),
        _ => every.minutes(),
    };
    at.checked_add(step).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(values: &[f64]) -> Vec<String> {
        Scale::of(values.iter().copied()).ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[rstest]
    #[case::temperature(&[31.2, 47.9], &["30", "35", "40", "45", "50"])]
    #[case::fraction(&[0.1, 0.42], &["0.1", "0.2", "0.3", "0.4", "0.5"])]
    #[case::below_zero(&[-3.0, 3.0], &["-4", "-2", "0", "2", "4"])]
    #[case::one_value(&[5.0], &["4.0", "4.5", "5.0", "5.5", "6.0"])]
    #[case::none(&[], &["0.0", "0.5", "1.0"])]
    fn the_side_is_labelled_with_round_numbers(#[case] values: &[f64], #[case] wanted: &[&str]) {
        assert_eq!(labels(values), wanted);
    }

    #[rstest]
    #[case::largest(f64::MAX)]
    #[case::near_the_largest(1.77e308)]
    #[case::smallest(f64::MIN)]
    fn a_scale_ends_where_numbers_do(#[case] value: f64) {
        let scale = Scale::of([value].into_iter());
        assert!(scale.part(value).is_finite());
        assert!(scale.ticks().iter().all(|(value, _)| value.is_finite()), "{scale:?}");
    }

    #[rstest]
    #[case::day(24 * HOUR, &["00:00", "06:00", "12:00"])]
    #[case::week(7 * DAY, &["11-17", "11-18", "11-19", "11-20", "11-21", "11-22", "11-23"])]
    fn the_bottom_is_labelled_at_round_local_times(#[case] length: i64, #[case] wanted: &[&str]) {
        let to = 1_795_418_400_000; // 15:20 in Shanghai
        let ticks = times(Window { from: to - length, to }, &TimeZone::get("Asia/Shanghai").unwrap());
        let labels: Vec<_> = ticks.into_iter().map(|tick| tick.label).collect();
        assert!(labels.ends_with(&wanted.iter().map(ToString::to_string).collect::<Vec<_>>()), "{labels:?}");
    }

    #[test]
    fn days_stay_at_midnight_when_the_clocks_change() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let to = 1_774_900_800_000; // 2026-03-30 22:00 there, the day after the change
        let window = Window { from: to - 7 * DAY, to };
        let ticks = times(window, &berlin);
        assert_eq!(ticks.len(), 7);
        assert!(ticks.windows(2).any(|pair| (pair[1].at - pair[0].at) < 50.0), "one of the days has 23 hours");
    }
}
