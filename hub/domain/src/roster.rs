//! Who is on duty: at which post of a site, from when until when.
//!
//! A roster comes as a list of days, posts, shifts and people, which [`csv::read`] turns into a [`Plan`]. What a plan changes is told by
//! [`Plan::changes`]: it holds from now on, and what has been stays as it was.

pub mod csv;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

pub use crate::service_hours::Shift;
use crate::time::{Span, Timestamp};

/// How long after its last duty a site still keeps a roster. With none for longer than that it has given up keeping one.
pub const KEPT_FOR: Span = Span::from_mins(30 * 24 * 60);
/// How far ahead a roster is looked through for gaps.
pub const AHEAD: Span = Span::from_mins(7 * 24 * 60);

/// The shifts of a site, by name.
pub type Shifts = BTreeMap<String, Shift>;

/// Who is at a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staffing {
    /// No roster is kept of the post: whoever is at it.
    Unkept,
    /// Nobody is on duty there.
    Nobody,
    /// These people, the one who answers for the post first.
    People(Vec<Holder>),
}

/// A person who is on duty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// The person's id.
    pub id: Box<str>,
    /// Their name.
    pub name: Box<str>,
}

/// One person's time at a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// The day whose shift it is, at the site; a shift over midnight belongs to the day on which it begins.
    pub day: Date,
    /// The post.
    pub post: Box<str>,
    /// Where it stands among those of its day and post: the first answers for the post.
    pub place: i64,
    /// Who.
    pub who: Holder,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What a list says: who is on duty on these days at these posts, and nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The days and posts that it is about.
    pub about: BTreeSet<(Date, Box<str>)>,
    /// Who is on duty.
    pub duties: Vec<Duty>,
}

/// What a plan changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Duties that are no longer: those under way end now, the others do not begin.
    pub ends: Vec<Duty>,
    /// Duties that are new; those under way begin now.
    pub begins: Vec<Duty>,
    /// How many duties of the plan are over. What has been is not changed, so they were left out.
    pub over: usize,
}

impl Changes {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.begins.is_empty()
    }
}

impl Plan {
    /// What it changes of what is `stored`, from `now` on. The same plan changes nothing a second time.
    pub fn changes(&self, stored: &[Duty], now: Timestamp) -> Changes {
        let ahead = |duty: &&Duty| duty.until > now;
        let about = |duty: &&Duty| self.about.contains(&(duty.day, duty.post.clone()));
        let same = |a: &Duty, b: &Duty| {
            let key = |duty: &Duty| (duty.day, duty.place, duty.from.max(now), duty.until);
            a.post == b.post && a.who.id == b.who.id && key(a) == key(b)
        };
        let stored: Vec<&Duty> = stored.iter().filter(about).filter(ahead).collect();
        let planned: Vec<&Duty> = self.duties.iter().filter(ahead).collect();
        let ends = stored.iter().filter(|duty| !planned.iter().any(|other| same(duty, other)));
        let begins = planned.iter().filter(|duty| !stored.iter().any(|other| same(duty, other)));
        Changes {
            ends: ends.map(|duty| (*duty).clone()).collect(),
            begins: begins.map(|duty| Duty { from: duty.from.max(now), ..(*duty).clone() }).collect(),
            over: self.duties.len() - planned.len(),
        }
    }
}

/// A time in which a post has nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The post.
    pub post: Box<str>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// When a post has nobody between `from` and `until`, by post and then in order.
pub fn gaps<'p>(
    duties: &[Duty],
    posts: impl IntoIterator<Item = &'p str>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Gap> {
    let mut found = Vec::new();
    for post in posts {
        let mut there: Vec<(Timestamp, Timestamp)> =
            duties.iter().filter(|duty| *duty.post == *post).map(|duty| (duty.from, duty.until)).collect();
        there.sort_unstable();
        // From here on nobody is known to be there.
        let mut since = from;
        for (begin, end) in there {
            if begin > since && since < until {
                found.push(Gap { post: post.into(), from: since, until: begin.min(until) });
            }
            since = since.max(end);
        }
        if since < until {
            found.push(Gap { post: post.into(), from: since, until });
        }
    }
    found
}

/// When a shift of `day` begins and ends. Bounds are turned into instants, so that a night with a clock change has the right length.
pub fn span(day: Date, shift: Shift, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let last = if shift.until > shift.from { day } else { day.checked_add(1.day()).ok()? };
    let (from, until) = (instant(day, shift.from, zone)?, instant(last, shift.until, zone)?);
    (from < until).then_some((from, until))
}

/// The instant of a local time.
pub fn instant(day: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let zoned = zone.to_zoned(day.to_datetime(time)).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::civil::{date, time};
    use rstest::rstest;

    use super::*;

    fn hours(from: i8, until: i8) -> Shift {
        Shift { from: time(from, 0, 0, 0), until: time(until, 0, 0, 0) }
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * 3_600_000)
    }

    fn duty(who: &str, from: i64, until: i64) -> Duty {
        let who = Holder { id: who.into(), name: who.into() };
        Duty { day: date(1970, 1, 1), post: "concierge".into(), place: 0, who, from: at(from), until: at(until) }
    }

    fn plan(duties: &[Duty]) -> Plan {
        Plan { about: BTreeSet::from([(date(1970, 1, 1), "concierge".into())]), duties: duties.to_vec() }
    }

    #[rstest]
    #[case::in_a_day("Asia/Shanghai", date(2026, 12, 1), hours(8, 16), 8)]
    #[case::over_midnight("Asia/Shanghai", date(2026, 12, 1), hours(22, 6), 8)]
    #[case::around_the_clock("Asia/Shanghai", date(2026, 12, 1), hours(8, 8), 24)]
    #[case::over_the_end_of_a_year("Asia/Shanghai", date(2026, 12, 31), hours(22, 6), 8)]
    #[case::in_the_night_that_loses_an_hour("Europe/Berlin", date(2026, 3, 28), hours(22, 6), 7)]
    #[case::in_the_night_that_gains_an_hour("Europe/Berlin", date(2026, 10, 24), hours(22, 6), 9)]
    fn a_shift_has_its_true_length(#[case] zone: &str, #[case] day: Date, #[case] shift: Shift, #[case] length: i64) {
        let zone = TimeZone::get(zone).expect("the bundled zone");
        let (from, until) = span(day, shift, &zone).expect("a shift");
        assert_eq!(until.since(from).millis(), length * 3_600_000);
        assert_eq!(crate::calendar::local(from, &zone).date(), day);
    }

    #[test]
    fn a_shift_that_a_clock_change_swallows_is_none() {
        let zone = TimeZone::get("Europe/Berlin").expect("the bundled zone");
        let shift = Shift { from: time(2, 0, 0, 0), until: time(2, 59, 0, 0) };
        let (from, until) = span(date(2026, 3, 29), shift, &zone).expect("it is an hour later");
        assert_eq!(until.since(from).millis(), 59 * 60_000);
        // From the hour that is not there until the one after it.
        let shift = Shift { from: time(2, 30, 0, 0), until: time(3, 0, 0, 0) };
        assert_eq!(span(date(2026, 3, 29), shift, &zone), None);
    }

    #[rstest]
    #[case::nobody(&[], &[(0, 24)])]
    #[case::all_day(&[(0, 24)], &[])]
    #[case::one_after_the_other(&[(8, 16), (0, 8), (16, 30)], &[])]
    #[case::between_two(&[(0, 8), (9, 24)], &[(8, 9)])]
    #[case::overlapping(&[(0, 10), (8, 12), (9, 11), (13, 30)], &[(12, 13)])]
    #[case::before_and_after(&[(8, 16)], &[(0, 8), (16, 24)])]
    #[case::only_outside(&[(-9, -1), (24, 30)], &[(0, 24)])]
    #[case::from_the_day_before(&[(-2, 6)], &[(6, 24)])]
    fn a_gap_is_where_nobody_is(#[case] there: &[(i64, i64)], #[case] expected: &[(i64, i64)]) {
        let duties: Vec<Duty> = there.iter().map(|(from, until)| duty("a", *from, *until)).collect();
        let gap = |(from, until): &(i64, i64)| Gap { post: "concierge".into(), from: at(*from), until: at(*until) };
        assert_eq!(gaps(&duties, ["concierge"], at(0), at(24)), expected.iter().map(gap).collect::<Vec<_>>());
        assert_eq!(gaps(&duties, ["waterbar"], at(0), at(24)).len(), 1, "another post has nobody");
    }

    #[test]
    fn a_plan_holds_from_now_on_and_changes_nothing_that_has_been() {
        let stored = [duty("over", 0, 8), duty("now", 8, 16), duty("later", 16, 24)];
        let planned = plan(&[duty("other", 0, 8), duty("new", 8, 16), duty("later", 16, 24)]);
        let changes = planned.changes(&stored, at(10));
        assert_eq!(changes.ends, [duty("now", 8, 16)], "what is over stays, and what is the same goes on");
        assert_eq!(changes.begins, [duty("new", 10, 16)]);
        assert_eq!(changes.over, 1);
    }

    #[test]
    fn the_same_plan_changes_nothing_a_second_time_even_later() {
        let planned = plan(&[duty("a", 8, 16), duty("b", 16, 24)]);
        let mut stored = planned.changes(&[], at(10)).begins;
        assert_eq!(stored[0], duty("a", 10, 16), "nobody knew before who was on duty");
        for hour in 10..26 {
            assert!(planned.changes(&stored, at(hour)).is_empty(), "at {hour}");
        }
        stored.push(Duty { day: date(1970, 1, 2), ..duty("c", 30, 38) });
        assert!(planned.changes(&stored, at(10)).is_empty(), "another day is not its business");
    }

    #[test]
    fn whoever_answers_for_a_post_is_part_of_a_plan() {
        let [first, second] = [duty("a", 8, 16), Duty { place: 1, ..duty("b", 8, 16) }];
        let turned = plan(&[Duty { place: 1, ..first.clone() }, Duty { place: 0, ..second.clone() }]);
        let changes = turned.changes(&[first, second], at(0));
        assert_eq!((changes.ends.len(), changes.begins.len()), (2, 2));
    }
}
