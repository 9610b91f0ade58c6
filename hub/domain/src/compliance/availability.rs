//! How long a device was known to work while its site was open.

use jiff::civil::{Date, Time};

use crate::{
    calendar::{Calendar, local},
    past::{Period, Times},
    purchase::Month,
    time::{Span, Timestamp},
};

/// An hour is rolled up so long after it has ended.
const SETTLING: Span = Span::from_mins(5);
const HOUR: i64 = 3_600_000;

/// How long a device was known to work while its site was open, in ms. The four parts make up the opening hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// It worked, and data said so.
    pub good: i64,
    /// It did not work, or did not answer.
    pub bad: i64,
    /// It was under maintenance, in whatever state: that is held neither for it nor against it.
    pub maintenance: i64,
    /// Nobody can tell: never counted as good.
    pub unknown: i64,
}

/// The end of the last hour of which everything that came in time is rolled up.
pub fn settled(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now - SETTLING).millis().div_euclid(HOUR) * HOUR)
}

/// When a site is open within a period, in order. Where nobody has said when it is open, it counts as open around the clock.
pub fn open_within(calendar: &Calendar, (from, to): Period) -> Vec<Period> {
    let instant = |date: Date, time: Time| {
        let zoned = calendar.zone().to_zoned(date.to_datetime(time)).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    };
    if from >= to {
        return Vec::new();
    }
    if !calendar.is_known() {
        return vec![(from, to)];
    }
    let (first, last) = (local(from, calendar.zone()).date(), local(to, calendar.zone()).date());
    let hours = |date: Date| {
        let day = calendar.on(date)?;
        meet((instant(date, day.open)?, instant(date, day.close)?), (from, to))
    };
    first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last).filter_map(hours).collect()
}

/// What two periods have in common.
pub fn meet(one: Period, other: Period) -> Option<Period> {
    let both = (one.0.max(other.0), one.1.min(other.1));
    (both.0 < both.1).then_some(both)
}

/// How long a site was open in a month until a moment, in ms.
pub fn opening(calendar: &Calendar, month: Month, until: Timestamp) -> i64 {
    let period = (month.begins(calendar), month.next().begins(calendar).min(until));
    open_within(calendar, period).into_iter().map(|(from, to)| to.since(from).millis()).sum()
}

impl Availability {
    /// Of a device that was seen in these states while its site was open, for `opening` ms in all; `maintained` is what of that lies in
    /// times of maintenance. What nobody has seen is unknown.
    pub fn of(opening: i64, seen: Times, maintained: Times) -> Self {
        let rest = |all: i64, part: i64| (all - part).max(0);
        let good = rest(seen.normal, maintained.normal);
        let bad = rest(seen.abnormal, maintained.abnormal) + rest(seen.offline, maintained.offline);
        let maintenance = maintained.total();
        Self { good, bad, maintenance, unknown: rest(opening, good + bad + maintenance) }
    }

    /// All of it.
    pub const fn total(&self) -> i64 {
        self.good + self.bad + self.maintenance + self.unknown
    }

    /// All but maintenance: what the percentages are of.
    pub const fn counted(&self) -> i64 {
        self.good + self.bad + self.unknown
    }

    /// A part of what counts in tenths of a percent, rounded down; nothing if the site was never open but for maintenance.
    pub fn tenths(&self, part: i64) -> Option<i64> {
        (self.counted() > 0).then(|| part * 1000 / self.counted())
    }
}
