//! When a site is open: opening hours by weekday with exception days, in the site's own time zone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{
    service_hours::{ServiceHours, Shift},
    time::{Span, Timestamp},
};

/// Before the equipment must be on, staff may switch it on without being told that it runs too early.
const PREPARING: Span = Span::from_mins(60);
/// After closing, staff may take their time to switch it off.
const CLOSING: Span = Span::from_mins(30);

/// One day's hours, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// What must be on at opening is on by then (CON-S1, PAS-S1: the 08:20 meeting).
    pub ready_by: Time,
    /// The first guests.
    pub open: Time,
    /// The last guests.
    pub close: Time,
}

/// A site's opening hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    zone: TimeZone,
    hours: Hours,
    launches: Launches,
}

/// Days on which far more guests come than usual (开盘, events), as the site names them.
#[derive(Debug, Clone, PartialEq)]
pub struct Launches {
    /// The days.
    pub days: BTreeSet<Date>,
    /// How many times as many guests come as on an ordinary day, until past launch days tell it.
    pub factor: f64,
}

/// How many times as many guests come on a launch day if nobody says so.
pub const LAUNCH_FACTOR: f64 = 2.0;

impl Default for Launches {
    fn default() -> Self {
        Self { days: BTreeSet::new(), factor: LAUNCH_FACTOR }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Hours {
    /// Nobody has said when the site is open: it is treated as open around the clock, so that no fault is hidden.
    Unknown,
    Known {
        weekly: Box<[Option<Day>; 7]>,
        exceptions: BTreeMap<Date, Option<Day>>,
    },
}

/// The part of a site's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PartOfDay {
    /// Nobody is there.
    Closed,
    /// Staff switch the equipment on.
    Preparing,
    /// Everything must be on; no guests yet.
    Ready,
    /// Guests are there.
    Open,
    /// Staff switch the equipment off.
    Closing,
}

/// When a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// At any time.
    Always,
    /// While guests are there.
    Open,
    /// From the time by which everything must be on until closing.
    Ready,
    /// From the time by which everything must be on until opening: the opening check.
    Opening,
    /// While nobody is there.
    Closed,
}

/// Whether equipment is expected to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It is to be on.
    On,
    /// It is to be off.
    Off,
    /// Either is fine.
    DontCare,
}

impl Calendar {
    /// A site of which nobody has said when it is open.
    pub fn always_open(zone: TimeZone) -> Self {
        Self { zone, hours: Hours::Unknown, launches: Launches::default() }
    }

    /// A site with hours for each weekday (from Monday; `None` is closed all day) and for exception days.
    pub fn new(zone: TimeZone, weekly: [Option<Day>; 7], exceptions: BTreeMap<Date, Option<Day>>) -> Self {
        Self { zone, hours: Hours::Known { weekly: Box::new(weekly), exceptions }, launches: Launches::default() }
    }

    /// The same site with the launch days that it names.
    #[must_use]
    pub fn with_launches(self, launches: Launches) -> Self {
        Self { launches, ..self }
    }

    /// Its launch days; one on which it is closed brings no guests.
    pub fn launches(&self) -> &Launches {
        &self.launches
    }

    /// Whether the site named that day a launch day.
    pub fn is_launch(&self, date: Date) -> bool {
        self.launches.days.contains(&date)
    }

    /// The site's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether anybody has said when the site is open.
    pub fn is_known(&self) -> bool {
        matches!(self.hours, Hours::Known { .. })
    }

    /// The hours of a day; none if the site is closed then, or if nobody has said when it is open.
    pub fn on(&self, date: Date) -> Option<Day> {
        let Hours::Known { weekly, exceptions } = &self.hours else { return None };
        match exceptions.get(&date) {
            Some(day) => *day,
            None => weekly[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())],
        }
    }

    /// The part of the site's day at `now`.
    pub fn part_of_day(&self, now: Timestamp) -> PartOfDay {
        if !self.is_known() {
            return PartOfDay::Open;
        }
        let local = local(now, &self.zone);
        let date = local.date();
        let Some(day) = self.on(date) else { return PartOfDay::Closed };
        // Bounds are turned into instants, so that a day with a clock change has the right length.
        let at = |time: Time| {
            let zoned = self.zone.to_zoned(date.to_datetime(time));
            zoned.map_or(now, |zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond()))
        };
        let (ready, open, close) = (at(day.ready_by), at(day.open), at(day.close));
        if now < ready - PREPARING || now >= close + CLOSING {
            PartOfDay::Closed
        } else if now < ready {
            PartOfDay::Preparing
        } else if now < open {
            PartOfDay::Ready
        } else if now < close {
            PartOfDay::Open
        } else {
            PartOfDay::Closing
        }
    }

    /// When guests have left the next time: the end of the opening hours that are under way or that come next. `None` if nobody has said
    /// when the site is open, or it stays closed for weeks.
    pub fn closes_after(&self, now: Timestamp) -> Option<Timestamp> {
        let today = local(now, &self.zone).date();
        let days = today.series(jiff::Span::new().days(1)).take(31);
        let mut closes = days.filter_map(|date| {
            let zoned = self.zone.to_zoned(date.to_datetime(self.on(date)?.close)).ok()?;
            Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
        });
        closes.find(|closes| *closes > now)
    }

    /// The opening hours as those in which a deadline counts.
    pub fn service_hours(&self) -> ServiceHours {
        let Hours::Known { weekly, exceptions } = &self.hours else { return ServiceHours::Always };
        let shift = |day: Option<Day>| day.map(|day| Shift { from: day.open, until: day.close });
        ServiceHours::Within {
            zone: self.zone.clone(),
            weekly: Box::new(weekly.map(shift)),
            exceptions: exceptions.iter().map(|(date, day)| (*date, shift(*day))).collect(),
        }
    }

    /// Whether guests may come on that day at all.
    pub fn opens_on(&self, date: Date) -> bool {
        !self.is_known() || self.on(date).is_some()
    }

    /// The hours of a weekday, if known and open.
    pub fn weekday(&self, weekday: Weekday) -> Option<Day> {
        match &self.hours {
            Hours::Unknown => None,
            Hours::Known { weekly, .. } => weekly[usize::from(weekday.to_monday_zero_offset().unsigned_abs())],
        }
    }
}

/// The local date and time at `at`.
pub fn local(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

impl Window {
    /// Whether the window is open in this part of the day.
    pub fn includes(self, part: PartOfDay) -> bool {
        match self {
            Self::Always => true,
            Self::Open => part == PartOfDay::Open,
            Self::Ready => matches!(part, PartOfDay::Ready | PartOfDay::Open),
            Self::Opening => part == PartOfDay::Ready,
            Self::Closed => part == PartOfDay::Closed,
        }
    }
}

impl PartOfDay {
    /// Whether equipment is expected to run in this part of the day.
    pub fn expected(self) -> Expected {
        match self {
            Self::Ready | Self::Open => Expected::On,
            Self::Closed => Expected::Off,
            Self::Preparing | Self::Closing => Expected::DontCare,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> Timestamp {
        let zoned: jiff::Timestamp = text.parse().expect("a time");
        Timestamp::from_millis(zoned.as_millisecond())
    }

    fn shanghai() -> Calendar {
        let day = Day { ready_by: time(8, 20, 0, 0), open: time(8, 30, 0, 0), close: time(18, 0, 0, 0) };
        let exceptions = BTreeMap::from([
            (date(2026, 10, 1), None),
            (date(2026, 11, 23), Some(Day { close: time(21, 0, 0, 0), ..day })),
        ]);
        let zone = TimeZone::get("Asia/Shanghai").expect("the bundled zone");
        Calendar::new(zone, [Some(day), Some(day), Some(day), Some(day), Some(day), Some(day), None], exceptions)
    }

    #[rstest]
    #[case::night("2026-11-24T03:00:00+08", PartOfDay::Closed)]
    #[case::an_hour_before_it_must_be_ready("2026-11-24T07:20:00+08", PartOfDay::Preparing)]
    #[case::just_before_the_meeting("2026-11-24T08:19:59+08", PartOfDay::Preparing)]
    #[case::the_meeting("2026-11-24T08:20:00+08", PartOfDay::Ready)]
    #[case::opening("2026-11-24T08:30:00+08", PartOfDay::Open)]
    #[case::the_last_moment("2026-11-24T17:59:59+08", PartOfDay::Open)]
    #[case::closing("2026-11-24T18:00:00+08", PartOfDay::Closing)]
    #[case::after_closing("2026-11-24T18:30:00+08", PartOfDay::Closed)]
    #[case::sunday("2026-11-22T12:00:00+08", PartOfDay::Closed)]
    #[case::a_holiday("2026-10-01T12:00:00+08", PartOfDay::Closed)]
    #[case::a_long_evening("2026-11-23T20:00:00+08", PartOfDay::Open)]
    fn the_part_of_the_day_follows_the_sites_own_hours(#[case] now: &str, #[case] part: PartOfDay) {
        assert_eq!(shanghai().part_of_day(at(now)), part);
    }

    #[rstest]
    #[case("2026-11-24T03:00:00Z", Some("2026-11-24T10:00:00Z"))]
    #[case("2026-11-24T10:00:00Z", Some("2026-11-25T10:00:00Z"))]
    #[case("2026-11-23T18:00:00Z", Some("2026-11-24T10:00:00Z"))]
    fn the_next_time_guests_have_left_is_known(#[case] now: &str, #[case] closes: Option<&str>) {
        assert_eq!(shanghai().closes_after(at(now)), closes.map(at));
        assert_eq!(Calendar::always_open(TimeZone::UTC).closes_after(at(now)), None);
    }

    #[test]
    fn deadlines_may_count_in_opening_hours() {
        let (monday, tuesday) = (at("2026-11-23T20:30:00+08"), at("2026-11-24T09:00:00+08"));
        assert_eq!(shanghai().service_hours().counted(monday, tuesday), Span::from_mins(60));
        let unknown = Calendar::always_open(TimeZone::UTC).service_hours();
        assert_eq!(unknown.counted(monday, tuesday), tuesday.since(monday));
    }

    #[test]
    fn a_site_without_hours_is_treated_as_open_so_that_no_fault_is_hidden() {
        let calendar = Calendar::always_open(TimeZone::UTC);
        assert_eq!(calendar.part_of_day(at("2026-11-24T03:00:00Z")), PartOfDay::Open);
        assert!(!calendar.is_known());
    }

    #[rstest]
    #[case(PartOfDay::Ready, Expected::On)]
    #[case(PartOfDay::Open, Expected::On)]
    #[case(PartOfDay::Closed, Expected::Off)]
    #[case(PartOfDay::Closing, Expected::DontCare)]
    fn equipment_is_expected_to_run_while_the_site_is_ready_or_open(
        #[case] part: PartOfDay,
        #[case] expected: Expected,
    ) {
        assert_eq!(part.expected(), expected);
    }
}
