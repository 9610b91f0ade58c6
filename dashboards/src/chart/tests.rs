//! What a chart promises: gaps stay gaps, nothing hostile gets through, any points give a picture.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const MINUTE: i64 = 60_000;

fn series(points: Vec<(i64, Option<f64>)>) -> Series {
    Series { label: "温度".into(), unit: "°C".into(), points, spread: Vec::new(), limit: None, gap_ms: 5 * MINUTE }
}

fn draw(series: &Series, states: &[StateSpan]) -> String {
    svg(series, states, Window { from: 0, to: 60 * MINUTE }, &TimeZone::UTC, Lang::Zh).unwrap()
}

fn pen_downs(html: &str) -> usize {
    let line = html.split("class=\"line\" d=\"").nth(1).map_or("", |rest| rest.split('"').next().unwrap());
    line.matches('M').count()
}

#[rstest]
#[case::joined(&[(0, Some(1.0)), (4, Some(2.0)), (8, Some(3.0))], 1, 0)]
#[case::unknown_between(&[(0, Some(1.0)), (2, Some(1.0)), (4, None), (6, Some(2.0)), (8, Some(3.0))], 2, 0)]
#[case::too_far_apart(&[(0, Some(1.0)), (2, Some(1.0)), (20, Some(2.0)), (22, Some(3.0))], 2, 0)]
#[case::a_point_alone(&[(0, Some(1.0)), (20, Some(2.0))], 0, 2)]
#[case::not_a_number(&[(0, Some(1.0)), (2, Some(1.0)), (3, Some(f64::NAN)), (4, Some(2.0)), (6, Some(3.0))], 2, 0)]
fn a_gap_stays_a_gap(#[case] minutes: &[(i64, Option<f64>)], #[case] lines: usize, #[case] dots: usize) {
    let html = draw(&series(minutes.iter().map(|(at, value)| (at * MINUTE, *value)).collect()), &[]);
    assert_eq!((pen_downs(&html), html.matches("<circle").count()), (lines, dots), "{html}");
}

#[test]
fn time_that_no_state_covers_is_unknown_and_never_normal() {
    let html = draw(&series(vec![]), &[StateSpan { from: 10 * MINUTE, to: 20 * MINUTE, state: State::Normal }]);
    assert_eq!(html.matches("band unknown").count(), 2, "{html}");
    assert_eq!(html.matches("band normal").count(), 1);
}

#[test]
fn the_summary_says_the_span_and_the_last_value() {
    let html = draw(&series(vec![(0, Some(40.04)), (MINUTE, Some(52.0)), (2 * MINUTE, Some(41.5))]), &[]);
    assert!(html.contains("40 °C") && html.contains("52 °C") && html.contains("41.5 °C"), "{html}");
}

#[test]
fn a_hostile_label_is_text() {
    let hostile = Series { label: "</title><script>alert(1)</script>".into(), ..series(vec![(0, Some(1.0))]) };
    assert!(!draw(&hostile, &[]).contains("<script"));
}

#[test]
fn a_month_of_readings_every_ten_seconds_gives_a_small_picture() {
    let points =
        (0..259_200_i64).map(|index| (index * 10_000, Some(f64::from(u32::try_from(index % 977).unwrap())))).collect();
    let window = Window { from: 0, to: 259_200 * 10_000 };
    let html = svg(&series(points), &[], window, &TimeZone::UTC, Lang::En).unwrap();
    assert!(html.len() < 40_000, "{} bytes", html.len());
}

proptest! {
    #[test]
    fn any_points_give_a_picture_without_infinities(
        mut points in prop::collection::vec((any::<i64>(), prop::option::of(any::<f64>())), 0..40),
        from in any::<i64>(), to in any::<i64>(), low in prop::option::of(any::<f64>()), gap_ms in any::<i64>(),
    ) {
        points.sort_by_key(|(at, _)| *at);
        let series = Series { limit: Some(Limit { low, high: None }), gap_ms, ..series(points) };
        let html = svg(&series, &[], Window { from, to }, &TimeZone::UTC, Lang::En).unwrap();
        prop_assert!(!html.contains("NaN") && !html.contains("\"inf") && !html.contains("Linf"), "{}", html);
    }

    #[test]
    fn any_states_cover_the_window_without_overlap(
        spans in prop::collection::vec((-10..70_i64, -10..70_i64), 0..12),
    ) {
        let spans: Vec<_> = spans
            .into_iter()
            .map(|(from, to)| StateSpan { from: from * MINUTE, to: to * MINUTE, state: State::Abnormal })
            .collect();
        let stretches = stretches(&crate::EN, &spans, Window { from: 0, to: 60 * MINUTE }, &TimeZone::UTC);
        let mut x = LEFT;
        for stretch in stretches {
            prop_assert!((stretch.x - x).abs() < 0.11);
            x = stretch.x + stretch.width;
        }
        prop_assert!((x - RIGHT).abs() < 0.11);
    }
}
