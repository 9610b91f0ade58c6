use jiff::civil::{Weekday, date};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{calendar::Day, time::Span};

fn zone() -> TimeZone {
    TimeZone::get("Asia/Shanghai").unwrap()
}

/// Open from nine to six, but not on Mondays and not on the first of October.
fn calendar() -> Calendar {
    let day = Day { ready_by: time(8, 20, 0, 0), open: time(9, 0, 0, 0), close: time(18, 0, 0, 0) };
    let weekly = std::array::from_fn(|weekday| (weekday != 0).then_some(day));
    Calendar::new(zone(), weekly, [(date(2026, 10, 1), None)].into())
}

fn at(date: Date, hour: i8, minute: i8) -> Timestamp {
    let zoned = zone().to_zoned(date.to_datetime(time(hour, minute, 0, 0))).unwrap();
    Timestamp::from_millis(zoned.timestamp().as_millisecond())
}

/// So many pieces a day, by date, spread evenly over nine open hours.
fn used(from: Date, until: Date, of: impl Fn(Date) -> u32) -> Vec<(Timestamp, u32)> {
    let days = from.series(1.day()).take_while(|date| *date < until);
    days.flat_map(|date| (9..18).map(move |hour| (date, hour)))
        .map(|(date, hour)| (at(date, hour, 0), of(date) / 9))
        .collect()
}

fn weekend(date: Date) -> u32 {
    if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) { 360 } else { 180 }
}

/// A Tuesday.
const TODAY: Date = date(2026, 9, 8);

fn learnt(now: Timestamp) -> Forecast {
    Forecast::learn(&calendar(), used(date(2026, 6, 1), TODAY, weekend), now).unwrap()
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-6, "{value}, expected {expected}");
}

#[rstest]
#[case::an_ordinary_day(date(2026, 9, 9), 180.0)]
#[case::a_saturday(date(2026, 9, 12), 360.0)]
#[case::the_closed_weekday(date(2026, 9, 14), 0.0)]
#[case::an_exception_day(date(2026, 10, 1), 0.0)]
fn a_day_is_expected_to_be_like_the_last_same_weekdays(#[case] day: Date, #[case] expected: f64) {
    near(learnt(at(TODAY, 9, 0)).day(day).mean, expected);
}

#[test]
fn one_launch_does_not_move_the_next_weeks() {
    let launch = date(2026, 9, 5);
    let with = used(date(2026, 6, 1), TODAY, |date| if date == launch { 3600 } else { weekend(date) });
    let forecast = Forecast::learn(&calendar(), with, at(TODAY, 9, 0)).unwrap();
    near(forecast.day(date(2026, 9, 12)).mean, 360.0);
}

#[test]
fn nothing_is_forecast_of_what_has_never_been_used() {
    let now = at(TODAY, 9, 0);
    assert_eq!(Forecast::learn(&calendar(), [], now), None);
    let nothing = used(date(2026, 6, 1), TODAY, |_| 0);
    assert_eq!(Forecast::learn(&calendar(), nothing, now), None);
    let one_day = used(date(2026, 9, 6), date(2026, 9, 7), weekend);
    assert_eq!(
        Forecast::learn(&calendar(), one_day, now),
        None,
        "the first day was perhaps not seen from its beginning"
    );
}

#[test]
fn with_few_days_any_open_day_tells_of_the_others() {
    let few = used(date(2026, 9, 3), TODAY, |_| 90);
    let forecast = Forecast::learn(&calendar(), few, at(TODAY, 9, 0)).unwrap();
    near(forecast.day(date(2026, 9, 9)).mean, 90.0);
}

#[test]
fn it_runs_out_when_that_much_has_been_used() {
    let now = at(TODAY, 9, 0);
    let runs_out = learnt(now).runs_out(100, now).unwrap();
    assert_eq!(runs_out.likely.since(at(TODAY, 14, 0)), Span::ZERO, "20 an hour");
    assert!(runs_out.earliest < runs_out.likely && runs_out.latest > Some(runs_out.likely), "{runs_out:?}");
    let night = learnt(now).runs_out(180 + 20, now).unwrap();
    assert_eq!(night.likely, at(date(2026, 9, 9), 10, 0), "nobody comes at night");
    let over_monday = learnt(now).runs_out(180 * 4 + 360 * 2 + 20, now).unwrap();
    assert_eq!(over_monday.likely, at(date(2026, 9, 15), 10, 0));
}

#[test]
fn what_is_used_up_has_run_out_and_what_lasts_for_months_does_not() {
    let now = at(TODAY, 11, 0);
    assert_eq!(learnt(now).runs_out(-3, now), Some(RunOut { likely: now, earliest: now, latest: Some(now) }));
    assert_eq!(learnt(now).runs_out(1_000_000, now), None);
}

#[test]
fn a_busy_day_runs_out_sooner() {
    let now = at(TODAY, 12, 0);
    let mut history = used(date(2026, 6, 1), TODAY, weekend);
    let usual = Forecast::learn(&calendar(), history.clone(), now).unwrap().runs_out(60, now).unwrap();
    history.extend((9..12).map(|hour| (at(TODAY, hour, 0), 80)));
    let busy = Forecast::learn(&calendar(), history, now).unwrap().runs_out(60, now).unwrap();
    assert!(busy.likely < usual.likely, "{busy:?} {usual:?}");
}

#[test]
fn a_day_with_a_clock_change_has_all_that_is_expected_of_it() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let calendar = Calendar::always_open(zone.clone());
    let start = |date: Date| instant(&zone, date, 0).unwrap();
    for changed in [date(2026, 3, 29), date(2026, 10, 25)] {
        let from = changed.checked_sub(70.days()).unwrap();
        let days = from.series(1.day()).take_while(|date| *date < changed);
        let history = days.flat_map(|date| (0..24).map(move |hour| (date, hour)));
        let history: Vec<_> = history.map(|(date, hour)| (instant(&zone, date, hour).unwrap(), 10)).collect();
        let forecast = Forecast::learn(&calendar, history, start(changed)).unwrap();
        let whole = forecast.expected(start(changed), start(changed.tomorrow().unwrap())).mean;
        assert!((whole - 240.0).abs() <= 10.0, "{changed}: {whole}");
    }
}

proptest! {
    #[test]
    fn expectations_of_parts_add_up_to_that_of_the_whole(cuts in prop::collection::vec(0_i64..14 * 1440, 1..6)) {
        let now = at(TODAY, 10, 17);
        let forecast = learnt(now);
        let mut points: Vec<Timestamp> = cuts.iter().map(|minutes| now.shifted(minutes * 60_000)).collect();
        points.sort();
        let until = *points.last().unwrap();
        let mut from = now;
        let mut parts = Demand::default();
        for point in points {
            parts = parts + forecast.expected(from, point);
            from = point;
        }
        let whole = forecast.expected(now, until);
        prop_assert!((parts.mean - whole.mean).abs() < 1e-6 && (parts.variance - whole.variance).abs() < 1e-6);
    }

    #[test]
    fn more_lasts_longer_and_the_likely_time_lies_between_the_others(left in 1_i32..5000, more in 0_i32..500, minute in 0_i64..1440) {
        let now = at(TODAY, 0, 0).shifted(minute * 60_000);
        let forecast = learnt(now);
        let (Some(first), Some(second)) = (forecast.runs_out(left.into(), now), forecast.runs_out((left + more).into(), now)) else { return Ok(()) };
        prop_assert!(first.likely <= second.likely && first.earliest <= second.earliest);
        prop_assert!(first.earliest <= first.likely && first.latest.is_none_or(|latest| first.likely <= latest));
        prop_assert!(first.earliest >= now);
        let used = forecast.expected(now, first.likely).mean;
        prop_assert!((used - f64::from(left)).abs() < 0.1, "{used} of {left}");
    }
}

/// The site names launch days.
fn launching(days: &[Date]) -> Calendar {
    calendar().with_launches(Launches { days: days.iter().copied().collect(), factor: 2.5 })
}

#[test]
fn a_launch_day_is_expected_to_bring_as_many_guests_as_the_site_says_until_past_ones_tell_it() {
    let (next, ordinary) = (date(2026, 9, 12), date(2026, 9, 13));
    let forecast = Forecast::learn(&launching(&[next]), used(date(2026, 6, 1), TODAY, weekend), at(TODAY, 9, 0));
    let forecast = forecast.unwrap();
    assert_eq!(forecast.launch().learnt_from, 0);
    near(forecast.day(next).mean, 900.0);
    near(forecast.day(ordinary).mean, 360.0);
    let past = [date(2026, 7, 18), date(2026, 8, 15)];
    let with = used(date(2026, 6, 1), TODAY, |date| if past.contains(&date) { 1440 } else { weekend(date) });
    let known = Forecast::learn(&launching(&[past[0], past[1], next]), with, at(TODAY, 9, 0)).unwrap();
    assert_eq!(known.launch().learnt_from, 2);
    near(known.day(next).mean, 1440.0);
    near(known.day(ordinary).mean, 360.0);
}

#[test]
fn past_launches_do_not_count_as_ordinary_days_and_are_remembered_for_longer() {
    let past = [date(2026, 3, 14), date(2026, 4, 11)];
    let with = used(date(2026, 2, 1), TODAY, |date| if past.contains(&date) { 1080 } else { weekend(date) });
    let next = date(2026, 9, 9);
    let forecast = Forecast::learn(&launching(&[past[0], past[1], next]), with, at(TODAY, 9, 0)).unwrap();
    near(forecast.day(next).mean, 540.0);
}

#[test]
fn a_launch_on_a_closed_day_brings_nobody() {
    let closed = date(2026, 10, 1);
    let forecast = Forecast::learn(&launching(&[closed]), used(date(2026, 6, 1), TODAY, weekend), at(TODAY, 9, 0));
    near(forecast.unwrap().day(closed).mean, 0.0);
}

#[test]
fn what_lasts_until_an_ordinary_evening_does_not_last_through_an_announced_launch() {
    let (now, evening) = (at(TODAY, 9, 0), at(TODAY, 18, 0));
    let runs_out = |calendar: &Calendar| {
        let forecast = Forecast::learn(calendar, used(date(2026, 6, 1), TODAY, weekend), now).unwrap();
        forecast.runs_out(300, now).unwrap().likely
    };
    assert!(runs_out(&calendar()) > evening);
    assert!(runs_out(&launching(&[TODAY])) < evening);
}

#[rstest]
#[case::with_few_weeks_known(date(2026, 8, 17), &[date(2026, 9, 5)])]
#[case::two_within_two_months(date(2026, 6, 1), &[date(2026, 8, 8), date(2026, 9, 5)])]
fn peaks_that_nobody_announced_do_not_move_ordinary_days(#[case] from: Date, #[case] peaks: &[Date]) {
    let with = used(from, TODAY, |date| if peaks.contains(&date) { 1440 } else { weekend(date) });
    let forecast = Forecast::learn(&calendar(), with, at(TODAY, 9, 0)).unwrap();
    near(forecast.day(date(2026, 9, 12)).mean, 360.0);
}

#[test]
fn a_site_that_has_become_busy_for_good_is_expected_to_stay_so() {
    let with = used(date(2026, 6, 1), TODAY, |day| if day >= date(2026, 7, 20) { 1080 } else { 180 });
    let forecast = Forecast::learn(&calendar(), with, at(TODAY, 9, 0)).unwrap();
    near(forecast.day(date(2026, 9, 9)).mean, 1080.0);
}
