//! What one person is told of what their post is told, and when: by their own preferences.
//!
//! What falls into somebody's quiet hours waits for their end and comes as one digest; what is over by then is not told at all. What is
//! urgent passes. Whoever was told that something began is told that it is over, whatever they have chosen since.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{
    Bucket, Fate, Grouping, Kind, Plan, Telling, Waiting, What,
    plan::{by_alert, fate, plan},
};
use crate::{calendar::local, rule::Severity, time::Timestamp};
use lobby_contract::SiteId;

/// The hours in which somebody wants to be told nothing that can wait, in local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    until: Time,
    /// On which days they begin, from Monday.
    days: [bool; 7],
}

/// Why hours are no quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuietHoursError {
    /// No time of day.
    #[error("a time of day is written as 22:00")]
    Time,
    /// They begin when they end.
    #[error("quiet hours end at another time than that at which they begin")]
    Empty,
    /// On no day.
    #[error("quiet hours begin on at least one day of the week")]
    NoDay,
}

impl QuietHours {
    /// Quiet hours from one time of day until the next such time of day, perhaps past midnight, on these days from Monday on.
    pub fn new(from: &str, until: &str, days: [bool; 7]) -> Result<Self, QuietHoursError> {
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| QuietHoursError::Time);
        let (from, until) = (time(from)?, time(until)?);
        if from == until {
            return Err(QuietHoursError::Empty);
        }
        if !days.contains(&true) {
            return Err(QuietHoursError::NoDay);
        }
        Ok(Self { from, until, days })
    }

    /// When they begin and end, as a form has it.
    pub fn times(&self) -> [String; 2] {
        [self.from, self.until].map(|time| time.strftime("%H:%M").to_string())
    }

    /// On which days they begin, from Monday.
    pub fn days(&self) -> [bool; 7] {
        self.days
    }

    /// Those that begin on a day. Where clocks are put forward they may not exist.
    fn on(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        if !self.days[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs())] {
            return None;
        }
        let last = if self.until > self.from { day } else { day.tomorrow().ok()? };
        let at = |day: Date, time| {
            let at = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
        };
        let (from, until) = (at(day, self.from)?, at(last, self.until)?);
        (from < until).then_some((from, until))
    }

    /// When the quiet hours end that are just now.
    pub fn end(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = local(now, zone).date();
        let days = [today.yesterday().ok(), Some(today)];
        let there = days.into_iter().flatten().filter_map(|day| self.on(day, zone));
        there.filter(|(from, until)| *from <= now && now < *until).map(|(_, until)| until).max()
    }

    /// When the last ones ended.
    fn ended(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = local(now, zone).date();
        // The same weekday comes again after seven days; those that began on the day before may have ended on it.
        let days = today.series(jiff::Span::new().days(-1)).take(9);
        days.filter_map(|day| self.on(day, zone)).map(|(_, until)| until).filter(|until| *until <= now).max()
    }
}

/// As it is stored: `22:00-07:00 1111100`, the days from Monday.
impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, until] = self.times();
        let days: String = self.days.iter().map(|day| if *day { '1' } else { '0' }).collect();
        write!(f, "{from}-{until} {days}")
    }
}

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (times, days) = text.split_once(' ').ok_or(QuietHoursError::Time)?;
        let (from, until) = times.split_once('-').ok_or(QuietHoursError::Time)?;
        let days: Vec<bool> = days.chars().map(|day| day == '1').collect();
        Self::new(from, until, days.try_into().map_err(|_| QuietHoursError::NoDay)?)
    }
}

/// What somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// Nothing that is less grave.
    pub least: Severity,
    /// Only what is theirs to see to.
    pub held_only: bool,
    /// When nothing that can wait.
    pub quiet: Option<QuietHours>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { least: Severity::Info, held_only: false, quiet: None }
    }
}

/// A notification that waits for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// What waits. What is urgent is `critical` in it: a critical alert, or a ticket of the first priority.
    pub waiting: Waiting,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is theirs to see to.
    pub held: bool,
}

/// Whether and when somebody wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Now,
    At(Timestamp),
    Never,
}

impl Preferences {
    fn wish(&self, one: &Personal, zone: &TimeZone, now: Timestamp) -> Wish {
        let Personal { waiting, severity, held } = one;
        let unwanted = *severity < self.least || (self.held_only && !held);
        if waiting.told_at.is_none() && unwanted {
            return Wish::Never;
        }
        // An end may wait for the morning: nobody has to get up for it.
        if is_urgent(waiting) {
            return Wish::Now;
        }
        self.quiet.as_ref().and_then(|quiet| quiet.end(now, zone)).map_or(Wish::Now, Wish::At)
    }

    /// Decides what to do with everything that waits for one person.
    pub fn plan(
        &self,
        all: &[Personal],
        flushed: &BTreeMap<SiteId, Timestamp>,
        grouping: &Grouping,
        (bucket, zone): (&Bucket, &TimeZone),
        now: Timestamp,
    ) -> Plan {
        let (mut dropped, mut held, mut quiet_until, mut wanted) = (Vec::new(), Vec::new(), None, Vec::new());
        for (index, one) in all.iter().enumerate() {
            match self.wish(one, zone, now) {
                Wish::Now => wanted.push(index),
                Wish::At(at) => {
                    held.push(index);
                    quiet_until = Some(at);
                }
                Wish::Never => dropped.push((index, Fate::Unwanted)),
            }
        }
        let waiting: Vec<Waiting> = wanted.iter().map(|index| all[*index].waiting.clone()).collect();
        let mut plan = plan(&waiting, flushed, grouping, bucket, now);
        if quiet_until.is_none()
            && !plan.telling.as_ref().is_some_and(|telling| telling.urgent)
            && let Some(ended) = self.quiet.as_ref().and_then(|quiet| quiet.ended(now, zone))
        {
            digest(&mut plan, &waiting, ended, bucket, now);
        }
        plan.dropped.iter_mut().for_each(|(index, _)| *index = wanted[*index]);
        plan.held.iter_mut().for_each(|index| *index = wanted[*index]);
        for index in plan.telling.iter_mut().flat_map(|telling| telling.alerts.iter_mut().flatten()) {
            *index = wanted[*index];
        }
        plan.dropped.extend(dropped);
        plan.held.extend(held);
        plan.look_at = [plan.look_at, quiet_until].into_iter().flatten().min();
        plan
    }
}

/// Whether it is told in quiet hours too.
fn is_urgent(waiting: &Waiting) -> bool {
    waiting.critical && !matches!(waiting.what, What::Cleared | What::Acknowledged)
}

/// What was kept back by quiet hours comes at their end, as one message with all that is to be told by then.
fn digest(plan: &mut Plan, waiting: &[Waiting], ended: Timestamp, bucket: &Bucket, now: Timestamp) {
    let told: Vec<usize> = (0..waiting.len()).filter(|index| fate(&waiting[*index]) == Fate::Tell).collect();
    let kept_back = |index: &usize| waiting[*index].since < ended && !is_urgent(&waiting[*index]);
    if !told.iter().any(kept_back) {
        return;
    }
    let next = bucket.next(false, now);
    if next > now {
        plan.telling = None;
        plan.look_at = Some(plan.look_at.map_or(next, |at| at.min(next)));
        return;
    }
    let alerts = by_alert(waiting, &told).into_iter().map(|(_, indexes)| indexes).collect();
    plan.telling = Some(Telling { kind: Kind::Digest, urgent: false, alerts });
}

#[cfg(test)]
mod tests;
