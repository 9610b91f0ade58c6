//! The hours in which a deadline counts, in the site's own time zone: of each weekday, with exception days.

use std::collections::BTreeMap;

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::{
    calendar::{Calendar, local},
    pack::Counts,
    time::{Span, Timestamp},
};

/// How many days ahead hours are looked for. Whoever is never on duty for so long has no deadline.
const HORIZON: usize = 1000;

/// One day's hours, in local time. An end that is not after the beginning is on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

/// In which hours time counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ServiceHours {
    /// Around the clock.
    #[default]
    Always,
    /// In these hours only.
    Within {
        /// The zone in which they are meant.
        zone: TimeZone,
        /// The hours of each weekday, from Monday; they may last into the next day.
        weekly: Box<[Option<Shift>; 7]>,
        /// The hours of single days.
        exceptions: BTreeMap<Date, Option<Shift>>,
    },
}

/// The hours of one site, of which a priority chooses.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SiteHours {
    open: ServiceHours,
    duty: ServiceHours,
}

impl SiteHours {
    /// Of a site with these opening hours, where those who repair are on duty in `duty`.
    pub fn new(calendar: &Calendar, duty: ServiceHours) -> Self {
        Self { open: calendar.service_hours(), duty }
    }

    /// The hours that count.
    pub fn of(&self, counts: Counts) -> &ServiceHours {
        match counts {
            Counts::Always => &ServiceHours::Always,
            Counts::Open => &self.open,
            Counts::Duty => &self.duty,
        }
    }
}

impl ServiceHours {
    /// How much of the time from `from` to `to` counts.
    pub fn counted(&self, from: Timestamp, to: Timestamp) -> Span {
        if matches!(self, Self::Always) {
            return to.since(from);
        }
        let within = self.stretches(from).take_while(|(begin, _)| *begin < to);
        within.fold(Span::ZERO, |sum, (begin, end)| sum + end.min(to).since(begin))
    }

    /// When `span` has been counted since `from`; `None` if it never is.
    pub fn after(&self, from: Timestamp, span: Span) -> Option<Timestamp> {
        if matches!(self, Self::Always) {
            return Some(from + span);
        }
        let mut left = span;
        for (begin, end) in self.stretches(from) {
            let length = end.since(begin);
            if left <= length {
                return Some(begin + left);
            }
            left = Span::from_millis(left.millis() - length.millis());
        }
        None
    }

    /// The stretches that count from `from` on, in order, none overlapping another.
    fn stretches(&self, from: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let days = match self {
            Self::Always => None,
            // What began the day before may last until now.
            Self::Within { zone, .. } => local(from, zone).date().checked_sub(1.day()).ok(),
        };
        let days = days.into_iter().flat_map(|first| first.series(1.day()).take(HORIZON));
        let stretches = days.filter_map(|date| self.stretch(date));
        stretches
            .scan(from, |counted_to, (begin, end)| {
                let begin = begin.max(*counted_to);
                *counted_to = end.max(*counted_to);
                Some((begin, end))
            })
            .filter(|(begin, end)| begin < end)
    }

    /// What counts of the hours that begin on `date`. Bounds are turned into instants, so that a day with a clock change has the right
    /// length.
    fn stretch(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let Self::Within { zone, weekly, exceptions } = self else { return None };
        let day = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let shift = exceptions.get(&date).copied().unwrap_or(weekly[day])?;
        let at = |date: Date, time: Time| {
            let zoned = zone.to_zoned(date.to_datetime(time)).ok()?;
            Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
        };
        let last = if shift.until > shift.from { date } else { date.checked_add(1.day()).ok()? };
        Some((at(date, shift.from)?, at(last, shift.until)?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        let zoned: jiff::Timestamp = text.parse().expect("a time");
        Timestamp::from_millis(zoned.as_millisecond())
    }

    fn hours(zone: &str, from: i8, until: i8) -> ServiceHours {
        let shift = Some(Shift { from: time(from, 0, 0, 0), until: time(until, 0, 0, 0) });
        let zone = TimeZone::get(zone).expect("the bundled zone");
        let weekly = Box::new([shift, shift, shift, shift, shift, None, None]);
        let exceptions = BTreeMap::from([(date(2026, 10, 1), None), (date(2026, 10, 2), None)]);
        ServiceHours::Within { zone, weekly, exceptions }
    }

    fn day() -> ServiceHours {
        hours("Asia/Shanghai", 8, 18)
    }

    #[rstest]
    #[case::within_a_day("2026-11-24T09:00:00+08", "2026-11-24T10:30:00+08", "90m")]
    #[case::before_the_day("2026-11-24T05:00:00+08", "2026-11-24T09:00:00+08", "1h")]
    #[case::over_a_night("2026-11-24T17:00:00+08", "2026-11-25T09:00:00+08", "2h")]
    #[case::over_a_weekend("2026-11-27T17:00:00+08", "2026-11-30T09:00:00+08", "2h")]
    #[case::on_a_weekend("2026-11-28T09:00:00+08", "2026-11-29T18:00:00+08", "0s")]
    #[case::over_holidays("2026-09-30T17:00:00+08", "2026-10-05T09:00:00+08", "2h")]
    #[case::backwards("2026-11-24T10:00:00+08", "2026-11-24T09:00:00+08", "0s")]
    fn only_hours_of_service_count(#[case] from: &str, #[case] to: &str, #[case] counted: &str) {
        assert_eq!(day().counted(at(from), at(to)), counted.parse().unwrap());
        assert_eq!(ServiceHours::Always.counted(at(from), at(to)), at(to).since(at(from)));
    }

    #[rstest]
    #[case::of_one_night("2026-11-24T23:00:00+08", "2026-11-25T05:00:00+08", "6h")]
    #[case::of_a_night_that_began_the_day_before("2026-11-25T01:00:00+08", "2026-11-25T12:00:00+08", "5h")]
    #[case::of_the_night_before_a_weekend("2026-11-27T20:00:00+08", "2026-11-30T20:00:00+08", "8h")]
    fn hours_that_last_over_midnight_belong_to_the_day_on_which_they_begin(
        #[case] from: &str,
        #[case] to: &str,
        #[case] counted: &str,
    ) {
        assert_eq!(hours("Asia/Shanghai", 22, 6).counted(at(from), at(to)), counted.parse().unwrap());
    }

    // Clocks go forward on Sunday 2026-03-29 at 2:00 and back on Sunday 2026-10-25 at 3:00.
    #[rstest]
    #[case::an_hour_less("2026-03-27T22:00:00+01", "2026-03-29T12:00:00+02", "37h")]
    #[case::an_hour_more("2026-10-23T22:00:00+02", "2026-10-25T12:00:00+01", "39h")]
    fn a_day_with_a_clock_change_has_its_true_length(#[case] from: &str, #[case] to: &str, #[case] counted: &str) {
        let around = Some(Shift { from: Time::midnight(), until: Time::midnight() });
        let zone = TimeZone::get("Europe/Berlin").expect("the bundled zone");
        let hours = ServiceHours::Within { zone, weekly: Box::new([around; 7]), exceptions: BTreeMap::new() };
        assert_eq!(hours.counted(at(from), at(to)), counted.parse().unwrap());
        assert_eq!(hours.after(at(from), counted.parse().unwrap()), Some(at(to)));
    }

    #[rstest]
    #[case::in_the_same_hour("2026-11-24T09:00:00+08", "30m", Some("2026-11-24T09:30:00+08"))]
    #[case::to_the_end_of_the_day("2026-11-24T09:00:00+08", "9h", Some("2026-11-24T18:00:00+08"))]
    #[case::into_the_next_day("2026-11-24T17:30:00+08", "1h", Some("2026-11-25T08:30:00+08"))]
    #[case::from_the_night("2026-11-24T23:00:00+08", "1h", Some("2026-11-25T09:00:00+08"))]
    #[case::over_holidays("2026-09-30T17:30:00+08", "1h", Some("2026-10-05T08:30:00+08"))]
    #[case::never("2026-11-24T09:00:00+08", "100000h", None)]
    fn a_deadline_is_where_its_time_has_been_counted(
        #[case] from: &str,
        #[case] span: &str,
        #[case] due: Option<&str>,
    ) {
        assert_eq!(day().after(at(from), span.parse().unwrap()), due.map(at));
    }

    proptest! {
        #[test]
        fn what_is_counted_until_a_deadline_is_its_time(
            from in 1_790_000_000_000i64..1_800_000_000_000,
            span in 1i64..400_000_000,
            (begin, end) in (0i8..24, 0i8..24),
        ) {
            let (from, span) = (Timestamp::from_millis(from), Span::from_millis(span));
            for zone in ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"] {
                let hours = hours(zone, begin, end);
                let due = hours.after(from, span).unwrap();
                prop_assert_eq!(hours.counted(from, due), span);
                let middle = Timestamp::from_millis(i64::midpoint(from.millis(), due.millis()));
                prop_assert_eq!(hours.counted(from, middle) + hours.counted(middle, due), span);
            }
        }
    }
}
