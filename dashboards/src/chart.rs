//! Line charts as SVG, drawn on the server: pure functions from points to a picture, its summary and its table.

mod axis;

use askama::Template;
use jiff::tz::TimeZone;

use crate::{
    state::State,
    texts::{Lang, Texts, fill, fill3},
    time::zoned,
};

/// Size of the picture and its plot, in the picture's own units. Styles scale the letters.
const LEFT: f64 = 38.0;
const RIGHT: f64 = 392.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 138.0;
/// Height of the state band.
const BAND: f64 = 10.0;
/// Most lines of the table.
const TABLE_ROWS: i64 = 24;
/// Most states that are listed in words, the newest first.
const LISTED_STATES: usize = 50;

/// The good range of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limit {
    /// Good from here.
    pub low: Option<f64>,
    /// Good up to here.
    pub high: Option<f64>,
}

/// One value over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is, in the page's language.
    pub label: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// Time in ms since 1970 UTC, ascending, and the value; `None` where it was not known.
    pub points: Vec<(i64, Option<f64>)>,
    /// Where each point stands for many values: the time, the lowest and the highest of them.
    pub spread: Vec<(i64, f64, f64)>,
    /// Its good range, if a rule names one.
    pub limit: Option<Limit>,
    /// Two points further apart than this many ms are not joined: nobody knows what was between them.
    pub gap_ms: i64,
}

/// A state and how long it lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSpan {
    /// From, in ms since 1970 UTC.
    pub from: i64,
    /// Until, in ms since 1970 UTC.
    pub to: i64,
    /// The state.
    pub state: State,
}

/// The time a chart shows, in ms since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from: i64,
    /// Until.
    pub to: i64,
}

impl Window {
    fn len(self) -> i64 {
        self.to.saturating_sub(self.from).max(1)
    }

    fn holds(self, ms: i64) -> bool {
        (self.from..=self.to).contains(&ms)
    }

    #[expect(clippy::cast_precision_loss, reason = "a pixel needs no more than 52 bits")]
    fn x(self, ms: i64) -> f64 {
        let part = ms.saturating_sub(self.from) as f64 / self.len() as f64;
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

/// One label of an axis and where it stands.
struct Tick {
    at: f64,
    label: String,
}

/// One stretch of the state band.
struct Stretch {
    x: f64,
    width: f64,
    /// Distance from the band's top, and height: a trouble stands out by its height alone.
    top: f64,
    height: f64,
    class: &'static str,
    title: String,
}

/// One line of the table.
struct Row {
    when: String,
    low: String,
    mean: String,
    high: String,
}

#[derive(Template)]
#[template(path = "chart.html")]
struct Chart<'a> {
    id: String,
    t: &'static Texts,
    series: &'a Series,
    summary: String,
    line: String,
    spread: String,
    dots: Vec<(f64, f64)>,
    band: Option<(f64, f64)>,
    limits: Vec<f64>,
    x: Vec<Tick>,
    y: Vec<Tick>,
    states: Vec<Stretch>,
    rows: Vec<Row>,
}

/// The chart of `series` within `window`, with `states` as a band below it: a `<figure>` with the picture, a summary for
/// those who do not see it, and a table. Clock times are those of `zone`. Values that are not finite count as unknown.
pub fn svg(
    series: &Series,
    states: &[StateSpan],
    window: Window,
    zone: &TimeZone,
    lang: Lang,
) -> Result<String, askama::Error> {
    let t = lang.texts();
    let points: Vec<(i64, Option<f64>)> = series
        .points
        .iter()
        .filter(|(at, _)| window.holds(*at))
        .map(|(at, value)| (*at, value.filter(|value| value.is_finite())))
        .collect();
    let limit = series.limit.unwrap_or_default();
    let bounds = [limit.low, limit.high].into_iter().flatten().filter(|value| value.is_finite());
    let spread: Vec<(i64, f64, f64)> = series.spread.iter().filter(|(at, ..)| window.holds(*at)).copied().collect();
    let extremes = spread.iter().flat_map(|(_, low, high)| [*low, *high]);
    let scale = axis::Scale::of(points.iter().filter_map(|(_, value)| *value).chain(bounds.clone()).chain(extremes));
    let y = |value: f64| BOTTOM - scale.part(value) * (BOTTOM - TOP);
    let (line, dots) = trace(&points, series.gap_ms, window, y);
    Chart {
        id: details_id(&series.label),
        t,
        series,
        summary: summary(t, series, &points, &spread),
        line,
        spread: area(&spread, series.gap_ms, window, y),
        dots,
        band: series.limit.map(|limit| good_band(limit, y)),
        limits: bounds.map(y).collect(),
        x: axis::times(window, zone),
        y: scale.ticks().into_iter().map(|(value, label)| Tick { at: y(value), label }).collect(),
        states: stretches(t, states, window, zone),
        rows: rows(&points, &spread, window, zone),
    }
    .render()
}

/// The state band alone, for a device without values.
pub(crate) fn band(states: &[StateSpan], window: Window, zone: &TimeZone, lang: Lang) -> Result<String, askama::Error> {
    let t = lang.texts();
    let mut changes = stretches(t, states, window, zone);
    changes.reverse();
    changes.truncate(LISTED_STATES);
    Band { t, x: axis::times(window, zone), states: stretches(t, states, window, zone), changes }.render()
}

#[derive(Template)]
#[template(path = "band.html")]
struct Band {
    t: &'static Texts,
    x: Vec<Tick>,
    states: Vec<Stretch>,
    changes: Vec<Stretch>,
}

/// Top and height of the good range.
fn good_band(limit: Limit, y: impl Fn(f64) -> f64) -> (f64, f64) {
    let edge = |value: Option<f64>, open| value.filter(|value| value.is_finite()).map_or(open, &y).clamp(TOP, BOTTOM);
    let (top, bottom) = (edge(limit.high, TOP), edge(limit.low, BOTTOM));
    (top, (bottom - top).max(0.0))
}

/// The line as an SVG path, and the points that have no neighbour to be joined to. However many points there are, at most
/// four stand in one column of the picture: the first, the lowest, the highest and the last.
fn trace(
    points: &[(i64, Option<f64>)],
    gap_ms: i64,
    window: Window,
    y: impl Fn(f64) -> f64,
) -> (String, Vec<(f64, f64)>) {
    let (mut line, mut dots) = (String::new(), Vec::new());
    for run in runs(points, gap_ms) {
        let thin = thinned(&run, window);
        if let [(at, value)] = thin[..] {
            dots.push((round(window.x(at)), round(y(value))));
            continue;
        }
        for (index, (at, value)) in thin.into_iter().enumerate() {
            let pen = if index == 0 { 'M' } else { 'L' };
            let (x, y) = (round(window.x(at)), round(y(value)));
            line.extend([pen.to_string(), x.to_string(), " ".to_owned(), y.to_string()]);
        }
    }
    (line, dots)
}

/// The area from the lowest to the highest values, as an SVG path: one shape for each run without a gap.
fn area(spread: &[(i64, f64, f64)], gap_ms: i64, window: Window, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for run in spread.chunk_by(|a, b| b.0.saturating_sub(a.0) <= gap_ms) {
        let there = run.iter().map(|(at, low, _)| (*at, *low));
        let and_back = run.iter().rev().map(|(at, _, high)| (*at, *high));
        for (index, (at, value)) in there.chain(and_back).enumerate() {
            let pen = if index == 0 { 'M' } else { 'L' };
            path.extend([
                pen.to_string(),
                round(window.x(at)).to_string(),
                " ".to_owned(),
                round(y(value)).to_string(),
            ]);
        }
        path.push('Z');
    }
    path
}

/// The stretches of known values without a gap.
fn runs(points: &[(i64, Option<f64>)], gap_ms: i64) -> Vec<Vec<(i64, f64)>> {
    let (mut runs, mut run) = (Vec::new(), Vec::<(i64, f64)>::new());
    for (at, value) in points {
        let apart = run.last().is_some_and(|(last, _)| at.saturating_sub(*last) > gap_ms);
        if apart || value.is_none() {
            runs.push(std::mem::take(&mut run));
        }
        run.extend(value.map(|value| (*at, value)));
    }
    runs.push(run);
    runs.retain(|run| !run.is_empty());
    runs
}

fn thinned(run: &[(i64, f64)], window: Window) -> Vec<(i64, f64)> {
    #[expect(clippy::cast_possible_truncation, reason = "a column of the picture is a small number")]
    let column = |point: &(i64, f64)| window.x(point.0) as i32;
    run.chunk_by(|a, b| column(a) == column(b))
        .flat_map(|column| {
            let by_value = |a: &&(i64, f64), b: &&(i64, f64)| a.1.total_cmp(&b.1);
            let kept = [column.first(), column.iter().min_by(by_value), column.iter().max_by(by_value), column.last()];
            let mut kept: Vec<_> = kept.into_iter().flatten().copied().collect();
            kept.sort_by_key(|(at, _)| *at);
            kept.dedup();
            kept
        })
        .collect()
}

/// How high a state stands in the band.
fn height(state: State) -> f64 {
    match state {
        State::Abnormal | State::Offline => BAND,
        State::Maintenance => BAND * 0.7,
        State::Normal | State::Unknown => BAND * 0.4,
    }
}

/// The whole window as stretches; what `states` leave open is unknown.
fn stretches(t: &Texts, states: &[StateSpan], window: Window, zone: &TimeZone) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut push = |from: i64, to: i64, state: State| {
        if from < to {
            let times = [from, to].map(|ms| zoned(ms, zone).strftime("%m-%d %H:%M").to_string());
            stretches.push(Stretch {
                x: round(window.x(from)),
                width: round((window.x(to) - window.x(from)).max(0.8)),
                top: round((BAND - height(state)) / 2.0),
                height: height(state),
                class: state.class(),
                title: fill3(t.span_title, state.word(t), &times[0], &times[1]),
            });
        }
    };
    let mut until = window.from;
    for span in states {
        let (from, to) = (span.from.max(until), span.to.min(window.to));
        if from < to {
            push(until, from, State::Unknown);
            push(from, to, span.state);
            until = to;
        }
    }
    push(until, window.to, State::Unknown);
    stretches
}

/// The chart in one sentence.
fn summary(t: &Texts, series: &Series, points: &[(i64, Option<f64>)], spread: &[(i64, f64, f64)]) -> String {
    let values: Vec<f64> = points.iter().filter_map(|(_, value)| *value).collect();
    let (Some(last), Some(figures)) = (values.last(), figures(&values).map(|figures| widened(figures, spread))) else {
        return fill(t.chart_empty, &series.label);
    };
    let unit =
        |value: f64| if series.unit.is_empty() { number(value) } else { format!("{} {}", number(value), series.unit) };
    format!(
        "{}{}",
        fill3(t.chart_span, &series.label, &unit(figures.0), &unit(figures.2)),
        fill(t.chart_last, &unit(*last))
    )
}

/// The lowest, the mean and the highest.
#[expect(clippy::cast_precision_loss, reason = "no chart has 2^52 points")]
fn figures(values: &[f64]) -> Option<(f64, f64, f64)> {
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    let high = values.iter().copied().max_by(f64::total_cmp)?;
    let mean = values.iter().map(|value| value / values.len() as f64).sum();
    Some((low, mean, high))
}

/// Figures of points that stand for many values each: their lowest and highest count.
fn widened((low, mean, high): (f64, f64, f64), spread: &[(i64, f64, f64)]) -> (f64, f64, f64) {
    spread.iter().fold((low, mean, high), |(low, mean, high), spread| (low.min(spread.1), mean, high.max(spread.2)))
}

fn rows(points: &[(i64, Option<f64>)], spread: &[(i64, f64, f64)], window: Window, zone: &TimeZone) -> Vec<Row> {
    let length = window.len().div_euclid(TABLE_ROWS).max(1);
    let slot = |at: i64| at.saturating_sub(window.from) / length;
    points
        .chunk_by(|a, b| slot(a.0) == slot(b.0))
        .filter_map(|points| {
            let values: Vec<f64> = points.iter().filter_map(|(_, value)| *value).collect();
            let within: Vec<_> = spread.iter().filter(|(at, ..)| slot(*at) == slot(points[0].0)).copied().collect();
            let (low, mean, high) = widened(figures(&values)?, &within);
            let start = window.from.saturating_add(slot(points[0].0).saturating_mul(length));
            Some(Row {
                when: zoned(start, zone).strftime("%m-%d %H:%M").to_string(),
                low: number(low),
                mean: number(mean),
                high: number(high),
            })
        })
        .collect()
}

/// A name for the table's `<details>` that stays the same from one refresh to the next, so that it stays open.
fn details_id(label: &str) -> String {
    label.bytes().map(|byte| format!("{byte:02x}")).fold("c".to_owned(), |id, digits| id + &digits)
}

/// A number with as many places as help.
fn number(value: f64) -> String {
    let text = match value.abs() {
        100.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
