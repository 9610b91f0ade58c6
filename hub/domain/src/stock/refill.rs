//! By when a machine is to be refilled (SHO-D4: covers never run out): before the shift begins in which it may run out, so that nobody
//! has to do it while guests wait; once that shift is under way, before it may run out.

use jiff::ToSpan;

use crate::{
    calendar::{Calendar, local},
    forecast::RunOut,
    time::Timestamp,
};

/// A shift of those who refill: from when until when.
pub type Shift = (Timestamp, Timestamp);

/// What is known of a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filling {
    /// Pieces left in it.
    pub left: i64,
    /// Pieces that it holds when full.
    pub capacity: Option<i64>,
    /// Pieces that are to be in it at least.
    pub low_at: Option<i64>,
    /// Pieces that are expected to be used until the site closes.
    pub expected: f64,
    /// When it runs out.
    pub runs_out: Option<RunOut>,
    /// When the site closes.
    pub closes: Timestamp,
}

/// A refill that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    /// By when.
    pub by: Timestamp,
    /// How many pieces at least, so that it lasts until the site closes.
    pub pieces: i64,
}

/// The shifts of a site without a roster: each day from when everything must be on until the last guests go. None where nobody has said
/// when the site is open.
pub fn days(calendar: &Calendar, from: Timestamp, until: Timestamp) -> Vec<Shift> {
    let zone = calendar.zone();
    let [first, last] = [from, until].map(|at| local(at, zone).date());
    let at = |date: jiff::civil::Date, time| {
        let zoned = zone.to_zoned(date.to_datetime(time)).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    };
    let days = first.series(1.day()).take_while(|date| *date <= last);
    days.filter_map(|date| {
        let hours = calendar.on(date)?;
        Some((at(date, hours.ready_by)?, at(date, hours.close)?))
    })
    .collect()
}

impl Filling {
    /// The refill that is due at `now`: of what may run out before the site closes, or is below its level. Nothing is claimed of what has
    /// never been used.
    pub fn due(&self, shifts: &[Shift], now: Timestamp) -> Option<Refill> {
        let earliest = self.runs_out.map(|out| out.earliest).filter(|earliest| *earliest < self.closes);
        let level = self.low_at.unwrap_or(0);
        if earliest.is_none() && self.left >= level {
            return None;
        }
        let by = earliest.map_or(now, |earliest| {
            let is_in = |shift: &&Shift| shift.0 <= earliest && earliest < shift.1;
            // Of shifts that overlap, the first that began is there to do it.
            let begins = shifts.iter().filter(is_in).map(|(from, _)| *from).min();
            begins.filter(|begins| *begins > now).unwrap_or_else(|| earliest.max(now))
        });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "nobody uses 2^63 pieces, and a cast of a number saturates"
        )]
        let used = self.expected.ceil() as i64;
        let room = self.capacity.map_or(i64::MAX, |capacity| (capacity - self.left).max(1));
        Some(Refill { by, pieces: used.saturating_add(level).saturating_sub(self.left).clamp(1, room) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{
        civil::{date, time},
        tz::TimeZone,
    };
    use rstest::rstest;

    use super::*;
    use crate::calendar::Day;

    /// 2026-11-23, a Monday, or the day after, at some time in Shanghai.
    fn at(text: &str) -> Timestamp {
        let zoned: jiff::Timestamp = format!("2026-11-{text}:00+08").parse().expect("a time");
        Timestamp::from_millis(zoned.as_millisecond())
    }

    fn calendar() -> Calendar {
        let day = Day { ready_by: time(8, 20, 0, 0), open: time(8, 30, 0, 0), close: time(18, 0, 0, 0) };
        let weekly = [Some(day), Some(day), Some(day), Some(day), Some(day), Some(day), None];
        let zone = TimeZone::get("Asia/Shanghai").expect("the bundled zone");
        Calendar::new(zone, weekly, BTreeMap::from([(date(2026, 11, 25), None)]))
    }

    fn filling(left: i64, earliest: Option<&str>, closes: &str) -> Filling {
        let out = |earliest: &str| RunOut { likely: at(earliest), earliest: at(earliest), latest: None };
        let closes = at(closes);
        Filling { left, capacity: Some(500), low_at: Some(50), expected: 180.2, runs_out: earliest.map(out), closes }
    }

    const TWO_SHIFTS: [(&str, &str); 2] = [("23T08:00", "23T13:00"), ("23T12:30", "23T21:00")];

    #[rstest]
    #[case::before_the_late_shift("23T09:00", "23T15:00", &TWO_SHIFTS, Some("23T12:30"))]
    #[case::of_two_shifts_the_first("23T07:00", "23T12:40", &TWO_SHIFTS, Some("23T08:00"))]
    #[case::in_the_shift_under_way("23T09:00", "23T11:00", &TWO_SHIFTS, Some("23T11:00"))]
    #[case::it_may_have_run_out_already("23T11:10", "23T11:00", &TWO_SHIFTS, Some("23T11:10"))]
    #[case::nobody_is_planned_then("23T09:00", "23T15:00", &[("24T08:00", "24T13:00")], Some("23T15:00"))]
    #[case::a_shift_over_midnight("22T20:00", "23T02:00", &[("22T22:00", "23T06:00")], Some("22T22:00"))]
    #[case::it_lasts_until_closing("23T09:00", "23T21:00", &TWO_SHIFTS, None)]
    fn a_machine_is_refilled_before_the_shift_in_which_it_may_run_out(
        #[case] now: &str,
        #[case] earliest: &str,
        #[case] shifts: &[(&str, &str)],
        #[case] by: Option<&str>,
    ) {
        let shifts: Vec<Shift> = shifts.iter().map(|(from, until)| (at(from), at(until))).collect();
        let due = filling(60, Some(earliest), "23T20:30").due(&shifts, at(now));
        assert_eq!(due, by.map(|by| Refill { by: at(by), pieces: 171 }));
    }

    #[rstest]
    #[case::few_are_left_although_none_is_used(filling(20, None, "23T18:00"), Some(211))]
    #[case::enough_and_never_used(filling(51, None, "23T18:00"), None)]
    #[case::no_more_than_it_holds(Filling { capacity: Some(100), ..filling(20, None, "23T18:00") }, Some(80))]
    #[case::one_at_least(Filling { capacity: Some(20), ..filling(20, None, "23T18:00") }, Some(1))]
    fn so_many_are_filled_in_that_it_lasts(#[case] filling: Filling, #[case] pieces: Option<i64>) {
        let now = at("23T09:00");
        assert_eq!(filling.due(&[], now), pieces.map(|pieces| Refill { by: now, pieces }));
    }

    #[test]
    fn a_site_without_a_roster_has_its_days_of_opening() {
        let days_until = |until| days(&calendar(), at("23T19:00"), at(until));
        assert_eq!(days_until("23T23:00"), [(at("23T08:20"), at("23T18:00"))]);
        assert_eq!(days_until("25T12:00")[1..], [(at("24T08:20"), at("24T18:00"))], "closed on the third");
        assert!(days(&Calendar::always_open(TimeZone::UTC), at("23T19:00"), at("25T12:00")).is_empty());
        let in_the_evening = filling(60, Some("24T10:00"), "24T18:00").due(&days_until("24T18:00"), at("23T19:00"));
        assert_eq!(in_the_evening.map(|refill| refill.by), Some(at("24T08:20")));
    }
}
