//! Opening hours as people write them in a configuration, and the calendar they make.

use std::collections::BTreeMap;

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use super::problem::nearest;
use crate::{
    calendar::{Calendar, Day},
    service_hours::{ServiceHours, Shift},
};

/// When a site is open:
///
/// ```toml
/// zone = "Asia/Shanghai"
/// ready_by = "08:20"                     # optional; what must be on at opening is on by then
/// open = "08:30-18:00"                   # every day …
/// weekly = { sun = "closed" }            # … except on these weekdays
/// exceptions = { "2026-10-01" = "closed", "2026-12-31" = "08:30-21:00" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursConfig {
    /// The site's time zone, such as `Asia/Shanghai`.
    pub zone: String,
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
}

/// When those who repair are on duty, for deadlines that count in these hours only:
///
/// ```toml
/// zone = "Asia/Shanghai"
/// hours = "08:00-22:00"                  # every day; `22:00-06:00` lasts until the next morning, `00:00-00:00` a whole day …
/// weekly = { sun = "off" }               # … except on these weekdays
/// exceptions = { "2026-10-01" = "off" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyConfig {
    /// The zone of these hours, such as `Asia/Shanghai`.
    pub zone: String,
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
    /// An exception's date is none.
    #[error("`exceptions`: `{0}` is not a date: write year, month and day, such as `2026-10-01`")]
    Date(String),
}

impl TryFrom<HoursConfig> for Calendar {
    type Error = HoursError;

    fn try_from(config: HoursConfig) -> Result<Self, HoursError> {
        let zone = zone(&config.zone)?;
        let ready_by = time(&config.ready_by)
            .ok_or_else(|| HoursError::Time { key: "ready_by".to_owned(), text: short(&config.ready_by) })?;
        let read = |key: &str, text: &str| hours(key, text, ready_by);
        let weekly = weekly(&config.weekly, ("open", config.open.as_deref()), read)?;
        Ok(Self::new(zone, weekly, exceptions(&config.exceptions, read)?))
    }
}

impl TryFrom<DutyConfig> for ServiceHours {
    type Error = HoursError;

    fn try_from(config: DutyConfig) -> Result<Self, HoursError> {
        let zone = zone(&config.zone)?;
        let weekly = Box::new(weekly(&config.weekly, ("hours", config.hours.as_deref()), shift)?);
        Ok(Self::Within { zone, weekly, exceptions: exceptions(&config.exceptions, shift)? })
    }
}

fn zone(name: &str) -> Result<TimeZone, HoursError> {
    TimeZone::get(name).map_err(|_| {
        let available: Vec<String> = jiff::tz::db().available().map(|known| known.as_str().to_owned()).collect();
        let nearest = nearest(name, available.iter().map(String::as_str)).map(str::to_owned);
        HoursError::Zone { zone: short(name), nearest }
    })
}

/// The hours of each weekday: its own, or those of `every` day.
fn weekly<T: Copy>(
    config: &WeeklyConfig,
    (name_of_every, every): (&'static str, Option<&str>),
    read: impl Fn(&str, &str) -> Result<Option<T>, HoursError>,
) -> Result<[Option<T>; 7], HoursError> {
    let WeeklyConfig { mon, tue, wed, thu, fri, sat, sun } = config;
    let days = [("mon", mon), ("tue", tue), ("wed", wed), ("thu", thu), ("fri", fri), ("sat", sat), ("sun", sun)];
    let mut weekly = [None; 7];
    for (hours_of_day, (day, own)) in weekly.iter_mut().zip(days) {
        *hours_of_day = match (own, every) {
            (Some(own), _) => read(&format!("weekly.{day}"), own)?,
            (None, Some(every)) => read(name_of_every, every)?,
            (None, None) => return Err(HoursError::Missing { day, every: name_of_every }),
        };
    }
    Ok(weekly)
}

fn exceptions<T>(
    config: &BTreeMap<String, String>,
    read: impl Fn(&str, &str) -> Result<Option<T>, HoursError>,
) -> Result<BTreeMap<Date, Option<T>>, HoursError> {
    let one =
        |(date, text): (&String, &String)| Ok((day_of(date)?, read(&format!("exceptions.{}", short(date)), text)?));
    config.iter().map(one).collect()
}

/// `None` is off duty all day.
fn shift(key: &str, text: &str) -> Result<Option<Shift>, HoursError> {
    if text.trim() == "off" {
        return Ok(None);
    }
    let parsed = text.split_once('-').and_then(|(from, until)| Some((time(from.trim())?, time(until.trim())?)));
    let (from, until) = parsed.ok_or_else(|| HoursError::Duty { key: key.to_owned(), text: short(text) })?;
    Ok(Some(Shift { from, until }))
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

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date, time};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::{calendar::PartOfDay, time::Timestamp};

    fn calendar(text: &str) -> Result<Calendar, HoursError> {
        toml::from_str::<HoursConfig>(text).expect("the right shape").try_into()
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
        assert_eq!(calendar(text).map_err(|error| error.to_string()), Err(message.to_owned()));
    }

    fn duty(text: &str) -> Result<ServiceHours, HoursError> {
        toml::from_str::<DutyConfig>(text).expect("the right shape").try_into()
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
        assert_eq!(duty(text).map_err(|error| error.to_string()), Err(message.to_owned()));
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(toml::from_str::<HoursConfig>("zone = 'UTC'\nopend = 'closed'").is_err());
        assert!(toml::from_str::<HoursConfig>("zone = 'UTC'\nweekly = { mom = 'closed' }").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_hours_or_an_error(open in "\\PC{0,20}|[0-9:]{0,6}-[0-9:]{0,6}", day in "[0-9-]{0,12}") {
            let exceptions = BTreeMap::from([(day, open.clone())]);
            let config = HoursConfig {
                zone: "UTC".to_owned(), ready_by: ready_by(), open: Some(open), weekly: WeeklyConfig::default(), exceptions,
            };
            let _ = Calendar::try_from(config);
        }
    }
}
