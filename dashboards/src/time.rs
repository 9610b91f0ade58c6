//! Times as people of a site read them: its own clock time, and how long ago or how long until.

use jiff::{Timestamp, tz::TimeZone};

use crate::texts::{Texts, fill};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The moment a page is made for, and the zone its clock times are told in.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Now, in ms since 1970 UTC.
    pub now: i64,
    /// The site's time zone.
    pub zone: TimeZone,
}

impl Calendar {
    /// A calendar for `now` (ms since 1970 UTC) in `zone`.
    pub fn new(now: i64, zone: TimeZone) -> Self {
        Self { now, zone }
    }

    /// The moment `ms` (since 1970 UTC), ready for a page. A time out of the calendar's range is shown at its nearest end.
    pub fn when(&self, ms: i64) -> When {
        let (at, now) = (zoned(ms, &self.zone), zoned(self.now, &self.zone));
        let short = if at.date() == now.date() {
            "%H:%M"
        } else if at.year() == now.year() {
            "%m-%d %H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        When {
            ms,
            local: at.strftime(short).to_string(),
            full: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            iso: at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        }
    }
}

/// A moment in the site's clock time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// In ms since 1970 UTC.
    pub ms: i64,
    /// As short as the day allows: `15:20`, `11-22 15:20` or `2025-11-22 15:20`.
    pub local: String,
    /// With date and seconds.
    pub full: String,
    /// For machines, with the offset.
    pub iso: String,
}

impl When {
    /// With date, without seconds, as paper has it.
    pub(crate) fn minute(&self) -> &str {
        self.full.rsplit_once(':').map_or(&self.full, |(minute, _)| minute)
    }
}

pub(crate) fn zoned(ms: i64, zone: &TimeZone) -> jiff::Zoned {
    let nearest = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(nearest).to_zoned(zone.clone())
}

/// How far `zone` is from UTC at the moment `ms`: `UTC+8`, `UTC-3:30`, `UTC`.
pub(crate) fn offset(ms: i64, zone: &TimeZone) -> String {
    let minutes = zoned(ms, zone).offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// How long ago `ms` was, in its largest unit: "6 分钟前".
pub(crate) fn ago(t: &Texts, ms: i64, now: i64) -> String {
    fill(t.ago, &largest(t, now.saturating_sub(ms).max(0)))
}

/// How long from `ms` until now, in its two largest units: "1 小时 20 分钟".
pub(crate) fn lasting(t: &Texts, ms: i64, now: i64) -> String {
    span(t, now.saturating_sub(ms).max(0))
}

/// How long until `ms`, or how long it is past: "还剩 12 分钟", "超时 5 分钟".
pub(crate) fn left(t: &Texts, ms: i64, now: i64) -> String {
    let left = ms.saturating_sub(now);
    fill(if left >= 0 { t.time_left } else { t.time_over }, &span(t, left.saturating_abs()))
}

/// A length of time: in ms below a second, else in its two largest units.
pub(crate) fn length(t: &Texts, ms: i64) -> String {
    if ms < SECOND { fill(t.milliseconds, &ms.to_string()) } else { span(t, ms) }
}

fn largest(t: &Texts, ms: i64) -> String {
    let (unit, length) = match ms {
        ..MINUTE => (t.seconds, SECOND),
        MINUTE..HOUR => (t.minutes, MINUTE),
        HOUR..DAY => (t.hours, HOUR),
        _ => (t.days, DAY),
    };
    fill(unit, &(ms / length).to_string())
}

fn span(t: &Texts, ms: i64) -> String {
    let rest = match ms {
        ..HOUR => 0,
        HOUR..DAY => ms % HOUR / MINUTE * MINUTE,
        _ => ms % DAY / HOUR * HOUR,
    };
    if rest == 0 { largest(t, ms) } else { format!("{} {}", largest(t, ms), largest(t, rest)) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::texts::{EN, ZH};

    fn plain(text: &str) -> String {
        text.replace('\u{a0}', " ")
    }

    #[rstest]
    #[case::nothing(0, "0 秒前", "0 s ago")]
    #[case::seconds(12_900, "12 秒前", "12 s ago")]
    #[case::minutes(6 * MINUTE + 59_999, "6 分钟前", "6 min ago")]
    #[case::hours(3 * HOUR + 50 * MINUTE, "3 小时前", "3 h ago")]
    #[case::days(5 * DAY, "5 天前", "5 d ago")]
    #[case::a_clock_ahead_of_ours(-5000, "0 秒前", "0 s ago")]
    fn an_age_is_told_in_its_largest_unit(#[case] age: i64, #[case] zh: &str, #[case] en: &str) {
        assert_eq!((plain(&ago(&ZH, 0, age)).as_str(), plain(&ago(&EN, 0, age)).as_str()), (zh, en));
    }

    #[rstest]
    #[case::plenty(12 * MINUTE, "还剩 12 分钟", "12 min left")]
    #[case::two_units(80 * MINUTE, "还剩 1 小时 20 分钟", "1 h 20 min left")]
    #[case::past(-5 * MINUTE, "超时 5 分钟", "5 min overdue")]
    #[case::long_past(-(DAY + 2 * HOUR), "超时 1 天 2 小时", "1 d 2 h overdue")]
    fn a_deadline_is_told_as_what_is_left_or_past(#[case] ms: i64, #[case] zh: &str, #[case] en: &str) {
        assert_eq!((plain(&left(&ZH, ms, 0)).as_str(), plain(&left(&EN, ms, 0)).as_str()), (zh, en));
    }

    #[test]
    fn a_moment_is_told_in_the_zone_of_the_site_and_as_short_as_its_day_allows() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let calendar = Calendar::new(1_795_418_400_000, shanghai); // 2026-11-23 15:20 there, 07:20 UTC
        let local = |ms| calendar.when(calendar.now - ms).local;
        assert_eq!(
            [local(0), local(16 * HOUR), local(366 * DAY)],
            ["15:20", "11-22 23:20", "2025-11-22 15:20"].map(String::from)
        );
        assert_eq!(calendar.when(calendar.now).iso, "2026-11-23T15:20:00+08:00");
    }

    #[rstest]
    #[case::east("Asia/Shanghai", "UTC+8")]
    #[case::west_in_summer("America/St_Johns", "UTC-2:30")]
    #[case::none("UTC", "UTC")]
    fn the_zone_of_a_page_is_told_as_it_is_on_that_day(#[case] zone: &str, #[case] told: &str) {
        let summer = 1_783_000_000_000; // 2026-07-02
        assert_eq!(offset(summer, &TimeZone::get(zone).unwrap()), told);
    }

    #[rstest]
    #[case(i64::MIN)]
    #[case(i64::MAX)]
    fn a_time_out_of_range_is_shown_and_does_not_break_the_page(#[case] ms: i64) {
        let calendar = Calendar::new(0, TimeZone::UTC);
        assert!(!calendar.when(ms).full.is_empty());
        assert!(!left(&ZH, ms, 0).is_empty() && !ago(&ZH, ms, 0).is_empty());
    }
}
