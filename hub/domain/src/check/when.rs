//! When rounds are due.

use jiff::{
    SignedDuration, ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::Checklist;
use crate::{
    calendar::{Calendar, local},
    time::{Span, Timestamp},
};

/// How far back rounds are looked for that nobody could make: a hub that was down for longer tells of the last week alone.
const BACK: Span = Span::from_mins(7 * 24 * 60);

/// A moment of a day of opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// A local time.
    At(Time),
    /// When everything must be on.
    Ready,
    /// The first guests.
    Open,
    /// The last guests.
    Close,
}

/// By when a round is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The moment.
    pub anchor: Anchor,
    /// So much later, or earlier if it is negative.
    pub later: SignedDuration,
}

/// One round of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The day, at the site.
    pub day: Date,
    /// Its place among those of the day, from 0.
    pub nth: i64,
    /// From when it may be made.
    pub opens: Timestamp,
    /// By when it is to be made.
    pub due: Timestamp,
    /// From when it is missed.
    pub closes: Timestamp,
}

/// From which place in the day on those stand that somebody starts: the planned ones of a day are fewer.
const STARTED_FROM: i64 = 1000;

/// What is to be done about a round that is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is not yet time.
    Wait,
    /// It opens.
    Open,
    /// Its whole time passed while the hub was not running: nobody could make it.
    Excused,
    /// It was not asked for when its time was.
    Never,
}

impl Slot {
    /// What is to be done about it at `now`, if it is not there and `before` was the last look at the site's rounds.
    pub fn look(&self, before: Option<Timestamp>, now: Timestamp) -> Look {
        match before {
            _ if now < self.opens => Look::Wait,
            _ if now < self.closes => Look::Open,
            Some(before) if before < self.opens => Look::Excused,
            _ => Look::Never,
        }
    }
}

impl Checklist {
    /// Its rounds of one day: none if the site is closed, or if nobody has said when it is open.
    pub fn on(&self, day: Date, calendar: &Calendar) -> Vec<Slot> {
        let Some(hours) = calendar.on(day) else { return Vec::new() };
        let slot = |(nth, due): (usize, &Due)| {
            let time = match due.anchor {
                Anchor::At(time) => time,
                Anchor::Ready => hours.ready_by,
                Anchor::Open => hours.open,
                Anchor::Close => hours.close,
            };
            let at = day.to_datetime(time).checked_add(due.later).ok()?;
            let at = calendar.zone().to_zoned(at).ok()?;
            let due = Timestamp::from_millis(at.timestamp().as_millisecond());
            let nth = i64::try_from(nth).ok()?;
            Some(Slot { day, nth, opens: due - self.opens, due, closes: due + self.closes })
        };
        self.due.iter().enumerate().filter_map(slot).collect()
    }

    /// A round that somebody starts at `now`, such as before guests play (REC-S3.2), when so many were started that day before. It has the
    /// time that a planned one has.
    pub fn started(&self, now: Timestamp, zone: &TimeZone, before: i64) -> Slot {
        let due = now + self.opens;
        Slot { day: local(now, zone).date(), nth: STARTED_FROM + before, opens: now, due, closes: due + self.closes }
    }

    /// The rounds that may have opened since `before` and until `now`, the earliest first.
    pub fn between(&self, before: Option<Timestamp>, now: Timestamp, calendar: &Calendar) -> Vec<Slot> {
        let from = before.map_or(now, |before| before.max(now - BACK));
        let [from, until] = [from, now].map(|at| local(at, calendar.zone()).date());
        // A round may open on the day before its own, and end on the day after.
        let first = from.checked_sub(1.day()).unwrap_or(from);
        let days = first.series(1.day()).take_while(|day| *day <= until.tomorrow().unwrap_or(until));
        let mut slots: Vec<Slot> = days.flat_map(|day| self.on(day, calendar)).collect();
        slots.sort_by_key(|slot| slot.opens);
        slots
    }
}
