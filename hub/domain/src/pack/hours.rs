//! Opening hours as people write them in a configuration, and the calendar they make.

use std::collections::BTreeMap;

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::problem::nearest;
use crate::{
    calendar::{Calendar, Day, LAUNCH_FACTOR, Launches},
    roster::Shifts,
    service_hours::{ServiceHours, Shift},
};

/// When a site is open:
///
/// ```toml
/// zone = "Asia/Shanghai"                 # optional; otherwise that of all sites
/// ready_by = "08:20"                     # optional; what must be on at opening is on by then
/// open = "08:30-18:00"                   # every day …
/// weekly = { sun = "closed" }            # … except on these weekdays
/// exceptions = { "2026-10-01" = "closed", "2026-12-31" = "08:30-21:00" }
/// launches = ["2026-12-19", "2026-12-20"] # optional; days on which far more guests come
/// launch_factor = 2.5                    # optional; how many times as many, until past launch days tell it
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursConfig {
    /// The site's time zone, such as `Asia/Shanghai`; that of all sites if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// By when everything must be on, such as `08:20`; on a day that opens earlier, by opening.
    #[serde(default = "ready_by")]
    pub ready_by: String,
    /// The hours of every day that `weekly` does not name, such as `08:30-18:00` or `closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// The hours of single weekdays.
    #[serde(default)]
    pub weekly: WeeklyConfig,
    /// The hours of single days, by date such as `2026-10-01`.
    #[serde(default)]
    pub exceptions: BTreeMap<String, String>,
    /// Days on which far more guests come, by date such as `2026-12-19`: their use is expected apart from that of ordinary days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launches: Vec<String>,
    /// How many times as many guests come on them, until past launch days tell it; 2 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_factor: Option<f64>,
}

/// When those who repair are on duty, for deadlines that count in these hours only:
///
/// ```toml
/// zone = "Asia/Shanghai"                 # optional; otherwise that of all sites
/// hours = "08:00-22:00"                  # every day; `22:00-06:00` lasts until the next morning, `00:00-00:00` a whole day …
/// weekly = { sun = "off" }               # … except on these weekdays
/// exceptions = { "2026-10-01" = "off" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyConfig {
    /// The zone of these hours, such as `Asia/Shanghai`; that of all sites if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The hours of every day that `weekly` does not name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// The hours of single weekdays.
    #[serde(default)]
    pub weekly: WeeklyConfig,
    /// The hours of single days, by date such as `2026-10-01`.
    #[serde(default)]
    pub exceptions: BTreeMap<String, String>,
}

/// The hours of single weekdays, each such as `08:30-18:00` or `closed`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names of the days say it")]
pub struct WeeklyConfig {
    pub mon: Option<String>,
    pub tue: Option<String>,
    pub wed: Option<String>,
    pub thu: Option<String>,
    pub fri: Option<String>,
    pub sat: Option<String>,
    pub sun: Option<String>,
}

/// The day starts with the meeting at 08:20 (CON-S1, PAS-S1).
fn ready_by() -> String {
    "08:20".to_owned()
}

/// Why opening hours make no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// The zone is not one of the time zone database.
    #[error("`zone`: there is no time zone `{zone}`{}", .nearest.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Zone {
        /// What was written.
        zone: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A time of day that is none.
    #[error("`{key}`: `{text}` is not a time of day: write hours and minutes, such as `08:20`")]
    Time {
        /// The setting.
        key: String,
        /// What was written.
        text: String,
    },
    /// Hours that are none.
    #[error("`{key}`: `{text}` are no opening hours: write `08:30-18:00` or `closed`")]
    Hours {
        /// The setting.
        key: String,
        /// What was written.
        text: String,
    },
    /// Closing is not after opening.
    #[error("`{key}`: `{text}` closes before it opens; hours past midnight end at `23:59`")]
    Backwards {
        /// The setting.
        key: String,
        /// What was written.
        text: String,
    },
    /// Hours of duty that are none.
    #[error("`{key}`: `{text}` are no hours of duty: write `08:00-22:00` or `off`")]
    Duty {
        /// The setting.
        key: String,
        /// What was written.
        text: String,
    },
    /// Neither the weekday nor every day has hours.
    #[error("`weekly.{day}` is missing: give it, or `{every}` for every day")]
    Missing {
        /// The weekday.
        day: &'static str,
        /// The setting of every day.
        every: &'static str,
    },
    /// A shift's hours that are none.
    #[error("`{name}`: `{text}` are no hours of a shift: write `08:00-16:30`, or `22:00-06:00` over midnight{}", .nearest.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default())]
    Shift {
        /// The shift.
        name: String,
        /// What was written.
        text: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A shift's name that is none.
    #[error(
        "`{0}` cannot be the name of a shift: use up to 40 letters and digits, no hours, no commas, semicolons, quotation marks or tabs"
    )]
    ShiftName(String),
    /// An exception's date is none.
    #[error("`exceptions`: `{0}` is not a date: write year, month and day, such as `2026-10-01`")]
    Date(String),
    /// A launch day's date is none.
    #[error("`launches`: `{0}` is not a date: write year, month and day, such as `2026-12-19`")]
    Launch(String),
    /// A factor of launch days that is none.
    #[error("`launch_factor`: `{0}` is no number from 1 to 20")]
    LaunchFactor(String),
}

/// The factors that launch days may have: with more guests than that the figure is a slip of the hand, with fewer it is no launch.
const LAUNCH_FACTORS: std::ops::RangeInclusive<f64> = 1.0..=20.0;

impl HoursError {
    /// The path of the setting within its table.
    pub fn key(&self) -> Vec<&str> {
        match self {
            Self::Zone { .. } => vec!["zone"],
            Self::Time { key, .. } | Self::Hours { key, .. } | Self::Backwards { key, .. } | Self::Duty { key, .. } => {
                // A date holds no dot.
                key.split('.').collect()
            }
            Self::Shift { name, .. } | Self::ShiftName(name) => vec![name],
            Self::Missing { .. } => vec!["weekly"],
            Self::Date(date) => vec!["exceptions", date],
            Self::Launch(_) => vec!["launches"],
            Self::LaunchFactor(_) => vec!["launch_factor"],
        }
    }
}

impl HoursConfig {
    /// The calendar they make, in `zone` unless they name their own; or everything that is wrong with them.
    pub fn calendar(&self, zone: &TimeZone) -> Result<Calendar, Vec<HoursError>> {
        let mut wrong = Vec::new();
        let zone = zone_or(self.zone.as_deref(), zone, &mut wrong);
        let ready_by = time(&self.ready_by).unwrap_or_else(|| {
            wrong.push(HoursError::Time { key: "ready_by".to_owned(), text: short(&self.ready_by) });
            Time::MAX
        });
        let read = |key: &str, text: &str| hours(key, text, ready_by);
        let weekly = weekly(&self.weekly, ("open", self.open.as_deref()), read, &mut wrong);
        let exceptions = exceptions(&self.exceptions, read, &mut wrong);
        let launches = self.launch_days(&mut wrong);
        if wrong.is_empty() { Ok(Calendar::new(zone, weekly, exceptions).with_launches(launches)) } else { Err(wrong) }
    }

    fn launch_days(&self, wrong: &mut Vec<HoursError>) -> Launches {
        let mut day = |text: &String| day_of(text).map_err(|_| wrong.push(HoursError::Launch(short(text)))).ok();
        let days = self.launches.iter().filter_map(&mut day).collect();
        let factor = self.launch_factor.unwrap_or(LAUNCH_FACTOR);
        if !LAUNCH_FACTORS.contains(&factor) {
            wrong.push(HoursError::LaunchFactor(factor.to_string()));
        }
        Launches { days, factor }
    }
}

impl DutyConfig {
    /// The hours they make, in `zone` unless they name their own; or everything that is wrong with them.
    pub fn service_hours(&self, zone: &TimeZone) -> Result<ServiceHours, Vec<HoursError>> {
        let mut wrong = Vec::new();
        let zone = zone_or(self.zone.as_deref(), zone, &mut wrong);
        let weekly = Box::new(weekly(&self.weekly, ("hours", self.hours.as_deref()), shift, &mut wrong));
        let exceptions = exceptions(&self.exceptions, shift, &mut wrong);
        if wrong.is_empty() { Ok(ServiceHours::Within { zone, weekly, exceptions }) } else { Err(wrong) }
    }
}

fn zone_or(name: Option<&str>, usual: &TimeZone, wrong: &mut Vec<HoursError>) -> TimeZone {
    let Some(name) = name else { return usual.clone() };
    TimeZone::get(name).unwrap_or_else(|_| {
        let available: Vec<String> = jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
        let nearest = nearest(name, available.iter().map(String::as_str)).map(str::to_owned);
        wrong.push(HoursError::Zone { zone: short(name), nearest });
        usual.clone()
    })
}

/// The hours of each weekday: its own, or those of `every` day.
fn weekly<T: Copy>(
    config: &WeeklyConfig,
    (name_of_every, every): (&'static str, Option<&str>),
    read: impl Fn(&str, &str) -> Result<Option<T>, HoursError>,
    wrong: &mut Vec<HoursError>,
) -> [Option<T>; 7] {
    let mut noted = |hours: Result<Option<T>, HoursError>| hours.map_err(|error| wrong.push(error)).ok().flatten();
    let every = every.map(|every| noted(read(name_of_every, every)));
    let WeeklyConfig { mon, tue, wed, thu, fri, sat, sun } = config;
    let days = [("mon", mon), ("tue", tue), ("wed", wed), ("thu", thu), ("fri", fri), ("sat", sat), ("sun", sun)];
    // One day that is missing tells of the others.
    let mut told = false;
    days.map(|(day, own)| match (own, every) {
        (Some(own), _) => noted(read(&format!("weekly.{day}"), own)),
        (None, Some(every)) => every,
        (None, None) if std::mem::replace(&mut told, true) => None,
        (None, None) => noted(Err(HoursError::Missing { day, every: name_of_every })),
    })
}

fn exceptions<T>(
    config: &BTreeMap<String, String>,
    read: impl Fn(&str, &str) -> Result<Option<T>, HoursError>,
    wrong: &mut Vec<HoursError>,
) -> BTreeMap<Date, Option<T>> {
    let one = |(date, text): (&String, &String)| {
        let day = day_of(date).map_err(|error| wrong.push(error)).ok();
        // An exception whose date is none has its hours looked at too.
        let hours = read(&format!("exceptions.{}", short(date)), text).map_err(|error| wrong.push(error)).ok();
        Some((day?, hours?))
    };
    config.iter().filter_map(one).collect()
}

/// `None` is off duty all day.
fn shift(key: &str, text: &str) -> Result<Option<Shift>, HoursError> {
    if text.trim() == "off" {
        return Ok(None);
    }
    shift_of(text).map(Some).ok_or_else(|| HoursError::Duty { key: key.to_owned(), text: short(text) })
}

/// Hours such as `08:00-16:30`, or over midnight.
pub(crate) fn shift_of(text: &str) -> Option<Shift> {
    let (from, until) = text.split_once('-')?;
    Some(Shift { from: time(from.trim())?, until: time(until.trim())? })
}

/// The shifts of a site by name, such as `early = "08:00-16:30"`, or everything that is wrong with them.
pub fn shifts(config: &BTreeMap<String, String>) -> Result<Shifts, Vec<HoursError>> {
    let mut wrong = Vec::new();
    let mut shifts = Shifts::new();
    for (name, text) in config {
        // What looks like hours, or cannot stand in a table, would never be read as a name.
        let fine = name.trim() == name && !name.is_empty() && shift_of(name).is_none();
        if !fine || name.contains(['"', ',', ';', '\t', '，', '\n', '\r']) || name.chars().count() > SHORT {
            wrong.push(HoursError::ShiftName(name.clone()));
        }
        match shift_of(text) {
            Some(shift) => drop(shifts.insert(name.clone(), shift)),
            None => wrong.push(HoursError::Shift { name: name.clone(), text: short(text), nearest: meant(text) }),
        }
    }
    if wrong.is_empty() { Ok(shifts) } else { Err(wrong) }
}

/// Hours that differ from `text` only in their marks, as people write them elsewhere.
fn meant(text: &str) -> Option<String> {
    let marks = |char: char| match char {
        '：' | '.' => ':',
        '–' | '—' | '~' | '～' | '至' => '-',
        char => char,
    };
    let text: String = text.chars().map(marks).collect();
    shift_of(&text).map(|_| text)
}

/// `None` is closed all day.
fn hours(key: &str, text: &str, ready_by: Time) -> Result<Option<Day>, HoursError> {
    if text.trim() == "closed" {
        return Ok(None);
    }
    let parsed = text.split_once('-').and_then(|(open, close)| Some((time(open.trim())?, time(close.trim())?)));
    let (open, close) = parsed.ok_or_else(|| HoursError::Hours { key: key.to_owned(), text: short(text) })?;
    if open >= close {
        return Err(HoursError::Backwards { key: key.to_owned(), text: short(text) });
    }
    Ok(Some(Day { ready_by: ready_by.min(open), open, close }))
}

/// A time of day in hours and minutes.
fn time(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let fine = matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
        fine.then(|| digits.parse::<i8>().ok()).flatten()
    };
    Time::new(number(hours)?, number(minutes).filter(|_| minutes.len() == 2)?, 0, 0).ok()
}

fn day_of(text: &str) -> Result<Date, HoursError> {
    // A date with a time or a zone behind it would be read, and the rest ignored.
    let date = if text.len() == "2026-10-01".len() { text.parse().ok() } else { None };
    date.ok_or_else(|| HoursError::Date(short(text)))
}

/// Most characters that are repeated of what was written.
const SHORT: usize = 40;

fn short(text: &str) -> String {
    text.chars().take(SHORT).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date, time};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::{calendar::PartOfDay, time::Timestamp};

    fn calendar(text: &str) -> Result<Calendar, String> {
        let calendar = toml::from_str::<HoursConfig>(text).expect("the right shape").calendar(&TimeZone::UTC);
        calendar.map_err(|wrong| lines(&wrong))
    }

    fn lines(wrong: &[HoursError]) -> String {
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn hours_are_of_every_day_but_for_weekdays_and_single_days() {
        let calendar = calendar(
            "zone = 'Asia/Shanghai'\nopen = '08:30-18:00'\nweekly = { sun = 'closed', sat = '9:00 - 17:00' }\n\
             exceptions = { 2026-10-01 = 'closed', 2026-12-31 = '08:30-21:00' }",
        )
        .expect("hours");
        let day = |open, close| Some(Day { ready_by: time(8, 20, 0, 0), open, close });
        assert_eq!(calendar.weekday(Weekday::Monday), day(time(8, 30, 0, 0), time(18, 0, 0, 0)));
        assert_eq!(calendar.weekday(Weekday::Saturday), day(time(9, 0, 0, 0), time(17, 0, 0, 0)));
        assert_eq!(calendar.weekday(Weekday::Sunday), None);
        let part = |day: Date, hour| {
            let at = calendar.zone().to_zoned(day.at(hour, 0, 0, 0)).expect("a time").timestamp();
            calendar.part_of_day(Timestamp::from_millis(at.as_millisecond()))
        };
        assert_eq!(part(date(2026, 10, 1), 12), PartOfDay::Closed);
        assert_eq!(part(date(2026, 12, 31), 20), PartOfDay::Open);
        assert_eq!(part(date(2026, 12, 30), 20), PartOfDay::Closed);
    }

    #[test]
    fn on_a_day_that_opens_before_the_meeting_everything_is_on_by_opening() {
        let calendar = calendar("zone = 'UTC'\nopen = '07:00-18:00'").expect("hours");
        assert_eq!(calendar.weekday(Weekday::Monday).map(|day| day.ready_by), Some(time(7, 0, 0, 0)));
    }

    #[rstest]
    #[case::zone(
        "zone = 'Asia/Shanghia'\nopen = '08:30-18:00'",
        "`zone`: there is no time zone `Asia/Shanghia`; did you mean `Asia/Shanghai`?"
    )]
    #[case::backwards(
        "zone = 'UTC'\nopen = '18:00-08:30'",
        "`open`: `18:00-08:30` closes before it opens; hours past midnight end at `23:59`"
    )]
    #[case::one_time(
        "zone = 'UTC'\nopen = '08:30'",
        "`open`: `08:30` are no opening hours: write `08:30-18:00` or `closed`"
    )]
    #[case::hour_24(
        "zone = 'UTC'\nopen = '08:30-24:00'",
        "`open`: `08:30-24:00` are no opening hours: write `08:30-18:00` or `closed`"
    )]
    #[case::weekday(
        "zone = 'UTC'\nopen = 'closed'\nweekly = { tue = 'shut' }",
        "`weekly.tue`: `shut` are no opening hours: write `08:30-18:00` or `closed`"
    )]
    #[case::missing(
        "zone = 'UTC'\nweekly = { mon = '08:30-18:00' }",
        "`weekly.tue` is missing: give it, or `open` for every day"
    )]
    #[case::ready(
        "zone = 'UTC'\nready_by = '8.20'\nopen = 'closed'",
        "`ready_by`: `8.20` is not a time of day: write hours and minutes, such as `08:20`"
    )]
    #[case::date(
        "zone = 'UTC'\nopen = 'closed'\nexceptions = { 2026-02-30 = 'closed' }",
        "`exceptions`: `2026-02-30` is not a date: write year, month and day, such as `2026-10-01`"
    )]
    #[case::exception(
        "zone = 'UTC'\nopen = 'closed'\nexceptions = { 2026-02-28 = '9-5' }",
        "`exceptions.2026-02-28`: `9-5` are no opening hours: write `08:30-18:00` or `closed`"
    )]
    fn hours_that_are_none_are_refused_with_their_place(#[case] text: &str, #[case] message: &str) {
        assert_eq!(calendar(text), Err(message.to_owned()));
    }

    fn duty(text: &str) -> Result<ServiceHours, String> {
        let duty = toml::from_str::<DutyConfig>(text).expect("the right shape").service_hours(&TimeZone::UTC);
        duty.map_err(|wrong| lines(&wrong))
    }

    #[test]
    fn hours_without_a_zone_are_in_that_of_all_sites() {
        let shanghai = TimeZone::get("Asia/Shanghai").expect("a zone");
        let hours: HoursConfig = toml::from_str("open = '08:30-18:00'").expect("hours");
        assert_eq!(hours.calendar(&shanghai).expect("a calendar").zone(), &shanghai);
        let hours: HoursConfig = toml::from_str("zone = 'UTC'\nopen = '08:30-18:00'").expect("hours");
        assert_eq!(hours.calendar(&shanghai).expect("a calendar").zone(), &TimeZone::get("UTC").expect("a zone"));
        let duty: DutyConfig = toml::from_str("hours = '08:00-22:00'").expect("hours");
        let ServiceHours::Within { zone, .. } = duty.service_hours(&shanghai).expect("hours") else { panic!("hours") };
        assert_eq!(zone, shanghai);
    }

    #[test]
    fn every_mistake_is_told_with_its_setting() {
        let hours: HoursConfig = toml::from_str(
            "zone = 'Mars'\nready_by = 'noon'\nweekly = { mon = 'shut', tue = '18:00-08:00' }\n\
             exceptions = { 2026-02-30 = '9-5', 2026-10-01 = 'x' }",
        )
        .expect("hours");
        let wrong = hours.calendar(&TimeZone::UTC).map(drop).expect_err("mistakes");
        let keys: Vec<String> = wrong.iter().map(|wrong| wrong.key().join(".")).collect();
        let exceptions = ["exceptions.2026-02-30", "exceptions.2026-02-30", "exceptions.2026-10-01"];
        assert_eq!(keys[..5], ["zone", "ready_by", "weekly.mon", "weekly.tue", "weekly"]);
        assert_eq!(keys[5..], exceptions);
    }

    #[test]
    fn hours_of_duty_may_last_into_the_next_day() {
        let duty = duty(
            "zone = 'UTC'\nhours = '22:00-06:00'\nweekly = { sat = 'off' }\nexceptions = { 2026-11-24 = '20:00-06:00' }",
        );
        let at = |text: &str| Timestamp::from_millis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond());
        // From Monday noon to Sunday noon: three nights of eight hours, one of ten, and none from Saturday.
        let counted = duty.expect("hours").counted(at("2026-11-23T12:00:00Z"), at("2026-11-29T12:00:00Z"));
        assert_eq!(counted, "42h".parse().expect("a length"));
    }

    #[rstest]
    #[case("zone = 'UTC'\nhours = '8-18'", "`hours`: `8-18` are no hours of duty: write `08:00-22:00` or `off`")]
    #[case("zone = 'UTC'\nhours = 'closed'", "`hours`: `closed` are no hours of duty: write `08:00-22:00` or `off`")]
    #[case("zone = 'UTC'\nweekly = { mon = 'off' }", "`weekly.tue` is missing: give it, or `hours` for every day")]
    fn hours_of_duty_that_are_none_are_refused_with_their_place(#[case] text: &str, #[case] message: &str) {
        assert_eq!(duty(text), Err(message.to_owned()));
    }

    #[test]
    fn a_site_names_its_launch_days_and_how_many_guests_they_bring() {
        let named =
            calendar("open = '08:30-18:00'\nlaunches = ['2026-12-19', '2026-12-20']\nlaunch_factor = 2.5").unwrap();
        assert!(named.is_launch(date(2026, 12, 19)) && named.is_launch(date(2026, 12, 20)));
        assert!(!named.is_launch(date(2026, 12, 21)));
        assert!((named.launches().factor - 2.5).abs() < f64::EPSILON);
        let usual = calendar("open = '08:30-18:00'").unwrap();
        assert_eq!(usual.launches(), &Launches::default());
    }

    #[rstest]
    #[case::date("launches = ['2026-02-30']", "launches", "`launches`: `2026-02-30` is not a date")]
    #[case::less("launch_factor = 0.5", "launch_factor", "`launch_factor`: `0.5` is no number from 1 to 20")]
    #[case::far_more("launch_factor = 200", "launch_factor", "`launch_factor`: `200` is no number from 1 to 20")]
    #[case::none("launch_factor = nan", "launch_factor", "`launch_factor`: `NaN` is no number from 1 to 20")]
    fn launch_days_that_are_none_are_refused_with_their_place(
        #[case] text: &str,
        #[case] key: &str,
        #[case] message: &str,
    ) {
        let hours: HoursConfig = toml::from_str(&format!("open = '08:30-18:00'\n{text}")).expect("the right shape");
        let wrong = hours.calendar(&TimeZone::UTC).map(drop).expect_err("a mistake");
        assert_eq!(wrong.iter().map(|wrong| wrong.key().join(".")).collect::<Vec<_>>(), [key]);
        assert!(lines(&wrong).starts_with(message), "{wrong:?}");
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<HoursConfig>("zone = 'UTC'\nopend = 'closed'").is_err());
        assert!(toml::from_str::<HoursConfig>("zone = 'UTC'\nweekly = { mom = 'closed' }").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_hours_or_an_error(open in "\\PC{0,20}|[0-9:]{0,6}-[0-9:]{0,6}", day in "[0-9-]{0,12}") {
            let exceptions = BTreeMap::from([(day.clone(), open.clone())]);
            let config = HoursConfig {
                zone: None, ready_by: ready_by(), open: Some(open), weekly: WeeklyConfig::default(), exceptions,
                launches: vec![day], launch_factor: None,
            };
            let _ = config.calendar(&TimeZone::UTC);
        }
    }
}
