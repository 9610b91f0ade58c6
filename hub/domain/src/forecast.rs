//! How much of a consumable guests will use, and when it runs out (SHO-D4).
//!
//! What is expected of a day is the mean of the last same weekdays on which the site was open, without the highest and the lowest of five or
//! more, and without peaks that nobody announced, so that one launch or one quiet day does not move the next month. Launch days that the site
//! names are days of their own: ordinary days do not learn from them, and of them so many times an ordinary day is expected as past launch
//! days had, or as the site says while these are too few. Within a day, use is spread over the hours as it was before.
//! Today's share of a run-out follows what has been used today so far. Nothing is forecast of what has never been used: not known is not zero.
//!
//! Quantities are pieces. Days are those of the site's zone; days on which it is closed use nothing.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, time},
    tz::TimeZone,
};

use crate::{
    calendar::{Calendar, Launches, local},
    time::Timestamp,
};

/// How many of the last same weekdays tell what to expect of the next.
pub const SAME_WEEKDAYS: usize = 8;
/// From how many on the highest and the lowest say nothing.
const TRIMMED_FROM: usize = 5;
/// Of weekdays of which less is known than this, all open days tell what to expect.
const FEWEST: usize = 2;
/// A day on which more than so many times as much was used as on the middle one is a peak: weekends, with twice as much, are none.
const PEAK: f64 = 2.5;
/// What is used less of than so many pieces a day is not used evenly enough for a peak to mean anything.
const PEAKS_FROM: f64 = 20.0;
/// Of how many days one at most may be a peak: if more are, this is how the site has become.
const ONE_PEAK_IN: usize = 4;
/// How many days before and after a launch day tell what an ordinary day was at that time.
const AROUND_LAUNCH: i64 = 28;
/// A factor that somebody states for launch days is right give or take this part of it.
const STATED_SPREAD: f64 = 0.25;
/// Days that are looked back at: enough for that many weekdays, some of them closed, and for the hours within a day.
const LOOKS_BACK: i64 = 7 * 12;
/// How far ahead a run-out is looked for, in days.
pub const LOOKS_AHEAD: i64 = 62;
/// A run-out is between its earliest and its latest time four times of five (the normal distribution's 80 %).
const FOUR_OF_FIVE: f64 = 1.2816;
/// With how many expected pieces today's own use weighs as much as what was expected of it.
const TRUST_TODAY_FROM: f64 = 40.0;
const HOURS: usize = 24;

/// What is expected of some time: so many pieces, give or take.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Demand {
    /// The mean, in pieces.
    pub mean: f64,
    /// The variance: the square of the standard deviation, so that demands add up.
    pub variance: f64,
}

impl Demand {
    /// The standard deviation, in pieces.
    pub fn deviation(self) -> f64 {
        self.variance.sqrt()
    }
}

impl std::ops::Add for Demand {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, variance: self.variance + other.variance }
    }
}

impl std::iter::Sum for Demand {
    fn sum<I: Iterator<Item = Self>>(demands: I) -> Self {
        demands.fold(Self::default(), |sum, demand| sum + demand)
    }
}

/// When something will be used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOut {
    /// The most likely time.
    pub likely: Timestamp,
    /// It is used up after this time nine times of ten.
    pub earliest: Timestamp,
    /// It is used up before this time nine times of ten; `None` if that lies beyond what is looked at.
    pub latest: Option<Timestamp>,
}

/// What past use tells of future use.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    calendar: Calendar,
    /// By weekday, from Monday; `None` where too little is known.
    weekdays: [Option<Demand>; 7],
    /// Of any open day.
    any: Demand,
    launch: LaunchDay,
    /// The share of a day's use that falls into each local hour.
    shares: [f64; HOURS],
    today: Today,
}

/// How a launch day compares with an ordinary one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaunchDay {
    /// How many times as much is used.
    pub factor: f64,
    /// From how many past launch days that was learnt; 0 if it is what the site says.
    pub learnt_from: usize,
    /// The variance of the factor.
    variance: f64,
}

/// What has been used today so far.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Today {
    date: Date,
    /// By which factor today differs from other such days.
    level: f64,
}

impl Forecast {
    /// Learns from the use in each hour, given by the time at which the hour begins. What is used on closed days does not count. `None` if
    /// there is no whole day to learn from yet.
    pub fn learn(
        calendar: &Calendar,
        used: impl IntoIterator<Item = (Timestamp, u32)>,
        now: Timestamp,
    ) -> Option<Self> {
        let today = local(now, calendar.zone()).date();
        let mut days: BTreeMap<Date, [f64; HOURS]> = BTreeMap::new();
        for (at, pieces) in used.into_iter().filter(|(at, _)| *at <= now) {
            let at = local(at, calendar.zone());
            days.entry(at.date()).or_default()[usize::from(at.hour().unsigned_abs()) % HOURS] += f64::from(pieces);
        }
        let so_far: f64 = days.remove(&today).map_or(0.0, |hours| hours.iter().sum());
        // The first day was perhaps not seen from its beginning.
        let seen = days.keys().next()?.tomorrow().ok()?;
        let first = seen.max(today.saturating_sub(LOOKS_BACK.days()));
        let mut totals: Vec<(Date, f64)> = Vec::new();
        // Launches are rare: those before what ordinary days are learnt from count too.
        let (mut launches, mut before) = (Vec::new(), Vec::new());
        let mut shares = [0.0; HOURS];
        for date in seen.series(1.day()).take_while(|date| *date < today).filter(|date| calendar.opens_on(*date)) {
            let hours = days.get(&date).copied().unwrap_or_default();
            let total: f64 = hours.iter().sum();
            if calendar.is_launch(date) {
                launches.push((date, total));
            } else if date < first {
                before.push((date, total));
            } else {
                totals.push((date, total));
                shares.iter_mut().zip(hours).for_each(|(share, pieces)| *share += pieces);
            }
        }
        let used: f64 = shares.iter().sum();
        if totals.is_empty() || used <= 0.0 {
            return None;
        }
        shares = shares.map(|share| share / used);
        let newest = |wanted: &dyn Fn(Date) -> bool, most: usize| -> Vec<f64> {
            totals.iter().rev().filter(|(date, _)| wanted(*date)).map(|(_, total)| *total).take(most).collect()
        };
        let weekdays = std::array::from_fn(|weekday| {
            let same = newest(&|date| weekday_of(date) == weekday, SAME_WEEKDAYS);
            (same.len() >= FEWEST).then(|| typical(same))
        });
        let any = typical(newest(&|_| true, 7 * SAME_WEEKDAYS));
        before.extend(&totals);
        let launch = LaunchDay::learn(&launches, &before, calendar.launches());
        let today = Today { date: today, level: 1.0 };
        let mut forecast = Self { calendar: calendar.clone(), weekdays, any, launch, shares, today };
        forecast.today.level = forecast.level(so_far, now);
        Some(forecast)
    }

    /// What is expected of a whole day.
    pub fn day(&self, date: Date) -> Demand {
        if !self.calendar.opens_on(date) {
            return Demand::default();
        }
        let ordinary = self.weekdays[weekday_of(date)].unwrap_or(self.any);
        if self.calendar.is_launch(date) { self.launch.of(ordinary) } else { ordinary }
    }

    /// How launch days compare with ordinary ones.
    pub fn launch(&self) -> LaunchDay {
        self.launch
    }

    /// What is expected from `from` until `until`, [`LOOKS_AHEAD`] days at most.
    pub fn expected(&self, from: Timestamp, until: Timestamp) -> Demand {
        self.slots(from).take_while(|slot| slot.from < until).map(|slot| slot.until(until)).sum()
    }

    /// When `left` pieces will be used up; `None` if that lies beyond [`LOOKS_AHEAD`] days.
    pub fn runs_out(&self, left: i64, now: Timestamp) -> Option<RunOut> {
        #[expect(clippy::cast_precision_loss, reason = "a stock needs no more than 52 bits")]
        let left = left.max(0) as f64;
        let when = |spread: f64| {
            let reaches = |demand: Demand| demand.mean + spread * demand.deviation() >= left;
            let mut before = Demand::default();
            for slot in self.slots(now) {
                let after = before + slot.demand;
                if reaches(after) {
                    return Some(slot.crossing(before, left, spread));
                }
                before = after;
            }
            None
        };
        if left <= 0.0 {
            return Some(RunOut { likely: now, earliest: now, latest: Some(now) });
        }
        let likely = when(0.0)?;
        Some(RunOut {
            likely,
            earliest: when(FOUR_OF_FIVE).unwrap_or(likely).min(likely),
            latest: when(-FOUR_OF_FIVE).map(|latest| latest.max(likely)),
        })
    }

    /// How today compares with what was expected of it until `now`: the less was expected so far, the less it says.
    fn level(&self, so_far: f64, now: Timestamp) -> f64 {
        let expected: f64 = self.slots_of(self.today.date).map(|slot| slot.until(now).mean).sum();
        (so_far + TRUST_TODAY_FROM) / (expected + TRUST_TODAY_FROM)
    }

    /// The hours from `from` on, the first one from `from` itself.
    fn slots(&self, from: Timestamp) -> impl Iterator<Item = Slot> {
        let first = local(from, self.calendar.zone()).date();
        let days = first.series(1.day()).take(usize::try_from(LOOKS_AHEAD).unwrap_or_default());
        days.flat_map(|date| self.slots_of(date)).filter(move |slot| slot.to > from).map(move |slot| slot.since(from))
    }

    fn slots_of(&self, date: Date) -> impl Iterator<Item = Slot> {
        let (day, zone) = (self.day(date), self.calendar.zone());
        let level = if date == self.today.date { self.today.level } else { 1.0 };
        (0..HOURS).filter_map(move |hour| {
            let (from, to) = (instant(zone, date, hour)?, instant(zone, date, hour + 1)?);
            let share = self.shares[hour];
            let demand = Demand { mean: day.mean * share * level, variance: day.variance * share * level };
            (from < to).then_some(Slot { from, to, demand })
        })
    }
}

impl LaunchDay {
    /// Compares each of the last launch days with ordinary days of its weekday around it.
    fn learn(launches: &[(Date, f64)], ordinary: &[(Date, f64)], stated: &Launches) -> Self {
        let ratio = |(date, total): &(Date, f64)| {
            let around = date.saturating_sub(AROUND_LAUNCH.days())..=date.saturating_add(AROUND_LAUNCH.days());
            let same = |(other, _): &&(Date, f64)| around.contains(other) && weekday_of(*other) == weekday_of(*date);
            let same: Vec<f64> = ordinary.iter().filter(same).map(|(_, total)| *total).collect();
            let usual = (same.len() >= FEWEST).then(|| typical(same).mean).filter(|usual| *usual > 0.0)?;
            Some(total / usual)
        };
        let ratios: Vec<f64> = launches.iter().rev().filter_map(ratio).take(SAME_WEEKDAYS).collect();
        if ratios.len() < FEWEST {
            let factor = stated.factor;
            return Self { factor, learnt_from: 0, variance: (factor * STATED_SPREAD).powi(2) };
        }
        let (factor, variance) = moments(&ratios);
        Self { factor, learnt_from: ratios.len(), variance }
    }

    /// What is expected of a launch day in place of an ordinary one: both vary, each on its own.
    fn of(self, ordinary: Demand) -> Demand {
        let (squared, mean) = (self.factor.powi(2), ordinary.mean * self.factor);
        let variance = ordinary.variance * (squared + self.variance) + ordinary.mean.powi(2) * self.variance;
        Demand { mean, variance: variance.max(mean) }
    }
}

/// An hour, or what is left of one, and what is expected of it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    from: Timestamp,
    to: Timestamp,
    demand: Demand,
}

impl Slot {
    /// The part of its time that lies between two points.
    #[expect(clippy::cast_precision_loss, reason = "an hour has few milliseconds")]
    fn part(self, from: Timestamp, to: Timestamp) -> f64 {
        let (from, to) = (from.max(self.from), to.min(self.to));
        to.since(from).millis() as f64 / self.to.since(self.from).millis().max(1) as f64
    }

    fn until(self, until: Timestamp) -> Demand {
        self.demand.times(self.part(self.from, until))
    }

    fn since(self, from: Timestamp) -> Self {
        let from = from.max(self.from);
        Self { from, demand: self.demand.times(self.part(from, self.to)), ..self }
    }

    /// When, within it, `left` pieces are used up, `before` having been used until it began.
    fn crossing(self, before: Demand, left: f64, spread: f64) -> Timestamp {
        let length = self.to.since(self.from).millis();
        // Within an hour the spread changes little, so halving finds the point fast enough.
        let (mut low, mut high) = (0, length);
        while low < high {
            let middle = low + (high - low) / 2;
            let demand = before + self.until(self.from.shifted(middle));
            if demand.mean + spread * demand.deviation() >= left { high = middle } else { low = middle + 1 }
        }
        self.from.shifted(low)
    }
}

impl Demand {
    fn times(self, part: f64) -> Self {
        Self { mean: self.mean * part, variance: self.variance * part }
    }
}

fn weekday_of(date: Date) -> usize {
    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())
}

/// When an hour of a day begins; its 24th is the first of the next day.
fn instant(zone: &TimeZone, date: Date, hour: usize) -> Option<Timestamp> {
    let (date, hour) = if hour < HOURS { (date, i8::try_from(hour).ok()?) } else { (date.tomorrow().ok()?, 0) };
    let zoned = zone.to_zoned(date.to_datetime(time(hour, 0, 0, 0))).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// The mean and variance of some days' use.
fn typical(mut totals: Vec<f64>) -> Demand {
    totals.sort_by(f64::total_cmp);
    without_peaks(&mut totals);
    if totals.len() >= TRIMMED_FROM {
        totals.pop();
        totals.remove(0);
    }
    let (mean, sampled) = moments(&totals);
    // Guests come at random, so it varies by its own size at least; a few days do not show it.
    Demand { mean, variance: sampled.max(mean) }
}

/// Takes the peaks off the end of days in order of their use: launches that nobody announced.
fn without_peaks(sorted: &mut Vec<f64>) {
    let Some(middle) = sorted.get(sorted.len().saturating_sub(1) / 2).copied().filter(|middle| *middle >= PEAKS_FROM)
    else {
        return;
    };
    for _ in 0..(sorted.len() / ONE_PEAK_IN).max(1) {
        if sorted.last().is_none_or(|most| *most <= PEAK * middle) {
            break;
        }
        sorted.pop();
    }
}

/// The mean of some figures, and their variance; that of a single one is not known, and 0.
#[expect(clippy::cast_precision_loss, reason = "there are few days")]
fn moments(figures: &[f64]) -> (f64, f64) {
    let count = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / count;
    let squares: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
    (mean, if figures.len() > 1 { squares / (count - 1.0) } else { 0.0 })
}

#[cfg(test)]
mod tests;
