//! A deadline's clock: what has happened to a ticket, folded over the hours in which time counts.
//!
//! ```text
//! start ─► running ⇄ paused
//!             │  ▲
//!       fixed ▼  │ reopened         stop: from anywhere
//!            fixed
//! ```
//!
//! Only running time counts. The time between a repair and the discovery that it was none belongs to neither side. Another priority sets
//! another limit and keeps what has been counted. That a limit was passed is never taken back.

use serde::{Deserialize, Serialize};

use crate::{
    service_hours::ServiceHours,
    ticket,
    time::{Span, Timestamp},
};

/// Percentages of the limit at which whoever holds the ticket is reminded; the last is the breach.
pub const MARKS: [u8; 3] = [50, 75, 100];

/// What a ticket promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// That somebody takes it on.
    Response,
    /// That somebody is there.
    Arrival,
    /// That it works again.
    Completion,
}

/// How long each promise may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// See [`Promise::Response`].
    pub response: Span,
    /// See [`Promise::Arrival`].
    pub arrival: Span,
    /// See [`Promise::Completion`].
    pub completion: Span,
}

/// From a moment on a ticket stood so, until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// The moment.
    pub at: Timestamp,
    /// Where the ticket stood.
    pub state: ticket::State,
    /// What its priority allowed.
    pub limits: Limits,
}

/// What a stage of a ticket is for one promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is to be kept.
    Due,
    /// It cannot be kept now, by no fault of those who repair.
    Held,
    /// It is kept, if that is true.
    Claimed,
    /// It is kept.
    Kept,
}

impl Promise {
    /// Every promise, in the order in which they fall due.
    pub const ALL: [Self; 3] = [Self::Response, Self::Arrival, Self::Completion];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Arrival => "arrival",
            Self::Completion => "completion",
        }
    }

    /// The promise of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|promise| promise.as_str() == text)
    }

    /// How long it may take.
    pub const fn limit(self, limits: &Limits) -> Span {
        match self {
            Self::Response => limits.response,
            Self::Arrival => limits.arrival,
            Self::Completion => limits.completion,
        }
    }

    fn standing(self, state: ticket::State) -> Standing {
        use ticket::State;
        match (state, self) {
            (State::New | State::Assigned, _)
            | (State::Accepted, Self::Arrival | Self::Completion)
            | (State::InProgress, Self::Completion) => Standing::Due,
            (State::Waiting, Self::Arrival | Self::Completion) => Standing::Held,
            (State::SelfRecovered, _) | (State::Fixed, Self::Completion) => Standing::Claimed,
            (State::Accepted | State::Waiting, Self::Response)
            | (State::InProgress | State::Fixed, Self::Response | Self::Arrival)
            | (State::Closed, _) => Standing::Kept,
        }
    }

    /// This promise's clock of a ticket that went through these stages, in the order of time.
    pub fn clock(self, stages: &[Stage], hours: &ServiceHours) -> Clock {
        let mut before: Option<(Standing, Span)> = None;
        let events = stages.iter().flat_map(|stage| {
            let (standing, limit) = (self.standing(stage.state), self.limit(&stage.limits));
            let retarget = before.filter(|(_, before)| *before != limit).map(|_| Event::Retarget(limit));
            let moved = match (before.map(|(standing, _)| standing), standing) {
                (None, _) => Some(Event::Start(limit)),
                (Some(before), after) if before == after => None,
                // A ticket that was closed and is opened again is a new call for help, but no new time to repair.
                (Some(Standing::Kept), Standing::Due) if self != Self::Completion => Some(Event::Start(limit)),
                (Some(Standing::Held), Standing::Due) => Some(Event::Resume),
                (Some(_), Standing::Due) => Some(Event::Reopened),
                (Some(_), Standing::Held) => Some(Event::Pause),
                (Some(_), Standing::Claimed) => Some(Event::Fixed),
                (Some(_), Standing::Kept) => Some(Event::Stop),
            };
            before = Some((standing, limit));
            retarget.into_iter().chain(moved).map(|event| (stage.at, event))
        });
        Clock::fold(events.collect::<Vec<_>>(), hours)
    }
}

/// What happens to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It begins to run, or anew, with this limit.
    Start(Span),
    /// Those who repair wait for others.
    Pause,
    /// They need not wait any longer.
    Resume,
    /// Another priority: from now on this is the limit.
    Retarget(Span),
    /// It is said to work again.
    Fixed,
    /// It did not work after all, or not for long.
    Reopened,
    /// What was promised is done, or is not to be done any more.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Running,
    Paused,
    Fixed,
    Stopped,
}

/// One clock, as it stood at its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    state: State,
    limit: Span,
    consumed: Span,
    at: Timestamp,
    breached_at: Option<Timestamp>,
}

impl Clock {
    /// The clock after `events`, which are in the order of time.
    pub fn fold(events: impl IntoIterator<Item = (Timestamp, Event)>, hours: &ServiceHours) -> Self {
        let idle = Self {
            state: State::Idle,
            limit: Span::ZERO,
            consumed: Span::ZERO,
            at: Timestamp::default(),
            breached_at: None,
        };
        events.into_iter().fold(idle, |clock, (at, event)| clock.after(event, at, hours))
    }

    fn after(self, event: Event, at: Timestamp, hours: &ServiceHours) -> Self {
        let (breached_at, consumed) = match event {
            Event::Start(_) => (None, Span::ZERO),
            _ => (self.breached_at(at, hours), self.consumed(at, hours)),
        };
        let at = at.max(self.at);
        let state = match (self.state, event) {
            (_, Event::Start(_))
            | (State::Paused, Event::Resume)
            | (State::Fixed | State::Stopped, Event::Reopened) => State::Running,
            (State::Running, Event::Pause) => State::Paused,
            (State::Running | State::Paused, Event::Fixed) => State::Fixed,
            (State::Running | State::Paused | State::Fixed, Event::Stop) => State::Stopped,
            (unchanged, _) => unchanged,
        };
        let limit = match event {
            Event::Start(limit) | Event::Retarget(limit) => limit,
            _ => self.limit,
        };
        // A limit that is already behind is passed by the change itself.
        let passed = state == State::Running && consumed >= limit;
        Self { state, limit, consumed, at, breached_at: breached_at.or(passed.then_some(at)) }
    }

    /// How much of the limit has been used at `now`.
    pub fn consumed(&self, now: Timestamp, hours: &ServiceHours) -> Span {
        if self.state == State::Running { self.consumed + hours.counted(self.at, now) } else { self.consumed }
    }

    /// The limit.
    pub fn limit(&self) -> Span {
        self.limit
    }

    /// Whether time counts, in the hours of service.
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Whether it stands still because those who repair wait for others.
    pub fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    /// When `percent` of the limit will have been used if nothing else happens; `None` if it does not run, or never comes to that.
    pub fn reaches(&self, percent: u8, hours: &ServiceHours) -> Option<Timestamp> {
        // Rounded up, so that by then it has been reached.
        let share = Span::from_millis(self.limit.millis().saturating_mul(i64::from(percent)).saturating_add(99) / 100);
        let left = Span::from_millis(share.millis() - self.consumed.millis());
        if self.state == State::Running { hours.after(self.at, left) } else { None }
    }

    /// By when what was promised is due, if the clock runs.
    pub fn due(&self, hours: &ServiceHours) -> Option<Timestamp> {
        self.reaches(100, hours)
    }

    /// When the limit was passed, if it was by `now`.
    pub fn breached_at(&self, now: Timestamp, hours: &ServiceHours) -> Option<Timestamp> {
        self.breached_at.or_else(|| self.due(hours).filter(|due| *due <= now))
    }

    /// The highest of [`MARKS`] that has been reached by `now`; 0 if none has.
    pub fn mark(&self, now: Timestamp, hours: &ServiceHours) -> u8 {
        let [half, most, breach] = MARKS;
        if self.breached_at(now, hours).is_some() {
            return breach;
        }
        let (consumed, limit) = (self.consumed(now, hours).millis(), self.limit.millis());
        let reached = |mark: &u8| limit > 0 && consumed.saturating_mul(100) >= limit.saturating_mul(i64::from(*mark));
        [most, half].into_iter().find(reached).unwrap_or(0)
    }
}

/// All promises of one ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadlines<'a> {
    clocks: [(Promise, Clock); 3],
    hours: &'a ServiceHours,
}

/// Whoever holds a ticket is to be told that much of its time is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// What was promised.
    pub promise: Promise,
    /// How much of its time is gone: one of [`MARKS`].
    pub percent: u8,
    /// When it was.
    pub at: Timestamp,
}

/// The last reminder of each promise, in percent; 0 if there was none.
pub type Reminded = [u8; 3];

impl<'a> Deadlines<'a> {
    /// Of a ticket that went through these stages, counted in these hours.
    pub fn of(stages: &[Stage], hours: &'a ServiceHours) -> Self {
        Self { clocks: Promise::ALL.map(|promise| (promise, promise.clock(stages, hours))), hours }
    }

    /// By when each promise is due; `None` while its clock does not run.
    pub fn due(&self) -> [Option<Timestamp>; 3] {
        self.clocks.map(|(_, clock)| clock.due(self.hours))
    }

    /// What there is to be said at `now` that was not said yet: of each promise the latest. `reminded` is brought up to date.
    pub fn reminders(&self, reminded: &mut Reminded, now: Timestamp) -> Vec<Reminder> {
        let one = |((promise, clock), last): (&(Promise, Clock), &mut u8)| {
            let before = std::mem::replace(last, clock.mark(now, self.hours));
            // A clock that began anew has less behind it than before.
            (*last > before).then(|| {
                let passed = clock.breached_at(now, self.hours).filter(|_| *last == MARKS[MARKS.len() - 1]);
                let at = passed.or_else(|| clock.reaches(*last, self.hours)).unwrap_or(now);
                Reminder { promise: *promise, percent: *last, at: at.min(now) }
            })
        };
        self.clocks.iter().zip(reminded).filter_map(one).collect()
    }

    /// When there is something to be said next, if nothing happens to the ticket.
    pub fn next(&self, reminded: &Reminded) -> Option<Timestamp> {
        let next = |((_, clock), last): (&(Promise, Clock), &u8)| {
            let mark = MARKS.into_iter().find(|mark| mark > last)?;
            clock.reaches(mark, self.hours)
        };
        self.clocks.iter().zip(reminded).filter_map(next).min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{
        civil::{date, time},
        tz::TimeZone,
    };
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::service_hours::Shift;

    /// Weekdays from 8 to 18, and the first of October is a holiday.
    fn weekdays(zone: &str) -> ServiceHours {
        let shift = Some(Shift { from: time(8, 0, 0, 0), until: time(18, 0, 0, 0) });
        let zone = TimeZone::get(zone).expect("the bundled zone");
        let weekly = Box::new([shift, shift, shift, shift, shift, None, None]);
        ServiceHours::Within { zone, weekly, exceptions: BTreeMap::from([(date(2026, 10, 1), None)]) }
    }

    fn at(text: &str) -> Timestamp {
        let zoned: jiff::Timestamp = text.parse().expect("a time");
        Timestamp::from_millis(zoned.as_millisecond())
    }

    fn span(text: &str) -> Span {
        text.parse().expect("a length of time")
    }

    /// Events as `TIME EVENT [LIMIT]`, with the zone's offset left out.
    fn events(offset: &str, lines: &[&str]) -> Vec<(Timestamp, Event)> {
        let event = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let limit = words.get(2).map(|limit| span(limit));
            let event = match (words[1], limit) {
                ("start", Some(limit)) => Event::Start(limit),
                ("retarget", Some(limit)) => Event::Retarget(limit),
                ("pause", None) => Event::Pause,
                ("resume", None) => Event::Resume,
                ("fixed", None) => Event::Fixed,
                ("reopened", None) => Event::Reopened,
                ("stop", None) => Event::Stop,
                other => panic!("{other:?} is no event"),
            };
            (at(&format!("{}{offset}", words[0])), event)
        };
        lines.iter().map(event).collect()
    }

    #[rstest]
    #[case::around_the_clock(true, &["2026-11-24T23:00 start 4h"], "2026-11-25T03:00")]
    #[case::at_night_nobody_is_on_duty(false, &["2026-11-24T23:00 start 4h"], "2026-11-25T12:00")]
    #[case::in_the_evening(false, &["2026-11-24T17:00 start 4h"], "2026-11-25T11:00")]
    #[case::before_a_weekend(false, &["2026-11-27T17:00 start 4h"], "2026-11-30T11:00")]
    #[case::before_a_holiday(false, &["2026-09-30T17:00 start 4h"], "2026-10-02T11:00")]
    #[case::a_pause_does_not_count(true,
        &["2026-11-24T10:00 start 4h", "2026-11-24T11:00 pause", "2026-11-24T15:00 resume"], "2026-11-24T18:00")]
    #[case::a_pause_over_midnight(false,
        &["2026-11-24T16:00 start 4h", "2026-11-24T17:00 pause", "2026-11-25T09:00 resume"], "2026-11-25T12:00")]
    #[case::another_priority_keeps_what_was_counted(true,
        &["2026-11-24T10:00 start 24h", "2026-11-24T11:00 retarget 4h"], "2026-11-24T14:00")]
    #[case::another_priority_after_a_pause(true,
        &["2026-11-24T10:00 start 24h", "2026-11-24T11:00 pause", "2026-11-24T13:00 resume", "2026-11-24T13:30 retarget 4h"],
        "2026-11-24T16:00")]
    #[case::another_priority_during_a_pause(true,
        &["2026-11-24T10:00 start 24h", "2026-11-24T11:00 pause", "2026-11-24T12:00 retarget 4h", "2026-11-24T13:00 resume"],
        "2026-11-24T16:00")]
    #[case::what_was_no_repair_goes_on_where_it_was(true,
        &["2026-11-24T10:00 start 4h", "2026-11-24T12:00 fixed", "2026-11-24T20:00 reopened"], "2026-11-24T22:00")]
    #[case::after_its_end_too(true,
        &["2026-11-24T10:00 start 4h", "2026-11-24T12:00 fixed", "2026-11-24T13:00 stop", "2026-11-24T20:00 reopened"],
        "2026-11-24T22:00")]
    fn the_deadline_follows_what_happens(#[case] always: bool, #[case] lines: &[&str], #[case] due: &str) {
        let hours = if always { ServiceHours::Always } else { weekdays("Asia/Shanghai") };
        let clock = Clock::fold(events(":00+08", lines), &hours);
        assert_eq!(clock.due(&hours), Some(at(&format!("{due}:00+08"))));
    }

    #[rstest]
    #[case::forward("+01", "2026-03-27T17:00", "2026-03-30T09:00:00+02")]
    #[case::back("+02", "2026-10-23T17:00", "2026-10-26T09:00:00+01")]
    fn a_clock_change_does_not_move_the_hours_of_service(#[case] offset: &str, #[case] from: &str, #[case] due: &str) {
        let hours = weekdays("Europe/Berlin");
        let clock = Clock::fold(events(&format!(":00{offset}"), &[&format!("{from} start 2h")]), &hours);
        assert_eq!(clock.due(&hours), Some(at(due)));
    }

    #[rstest]
    #[case("2026-11-24T10:00", 0)]
    #[case("2026-11-24T11:59", 0)]
    #[case("2026-11-24T12:00", 50)]
    #[case("2026-11-24T13:00", 75)]
    #[case("2026-11-24T14:00", 100)]
    #[case("2026-11-25T14:00", 100)]
    fn the_holder_is_reminded_at_half_and_at_three_quarters(#[case] now: &str, #[case] mark: u8) {
        let clock = Clock::fold(events(":00+08", &["2026-11-24T10:00 start 4h"]), &ServiceHours::Always);
        assert_eq!(clock.mark(at(&format!("{now}:00+08")), &ServiceHours::Always), mark);
        let reaches = MARKS.map(|mark| clock.reaches(mark, &ServiceHours::Always).unwrap());
        assert_eq!(reaches, ["12:00", "13:00", "14:00"].map(|hour| at(&format!("2026-11-24T{hour}:00+08"))));
    }

    #[rstest]
    #[case::in_time(&["2026-11-24T10:00 start 4h", "2026-11-24T13:59 fixed"], None)]
    #[case::while_it_ran(&["2026-11-24T10:00 start 4h", "2026-11-24T16:00 fixed"], Some("2026-11-24T14:00"))]
    #[case::not_while_others_were_waited_for(&["2026-11-24T10:00 start 4h", "2026-11-24T13:00 pause"], None)]
    #[case::a_later_limit_takes_nothing_back(
        &["2026-11-24T10:00 start 4h", "2026-11-24T15:00 retarget 24h"], Some("2026-11-24T14:00"))]
    #[case::by_a_limit_that_was_passed_already(
        &["2026-11-24T10:00 start 24h", "2026-11-24T15:00 retarget 4h"], Some("2026-11-24T15:00"))]
    #[case::not_while_it_is_paused(
        &["2026-11-24T10:00 start 24h", "2026-11-24T15:00 pause", "2026-11-24T16:00 retarget 4h"], None)]
    #[case::when_it_goes_on(
        &["2026-11-24T10:00 start 24h", "2026-11-24T15:00 pause", "2026-11-24T16:00 retarget 4h", "2026-11-24T17:00 resume"],
        Some("2026-11-24T17:00"))]
    fn a_limit_is_passed_once_and_that_is_never_taken_back(#[case] lines: &[&str], #[case] breached: Option<&str>) {
        let clock = Clock::fold(events(":00+08", lines), &ServiceHours::Always);
        let later = at("2026-11-25T09:00:00+08");
        assert_eq!(clock.breached_at(later, &ServiceHours::Always), breached.map(|at_| at(&format!("{at_}:00+08"))));
    }

    const LIMITS: Limits =
        Limits { response: Span::from_mins(10), arrival: Span::from_mins(30), completion: Span::from_mins(240) };

    /// A ticket that stood so from these minutes on.
    fn stages(lines: &[(i64, ticket::State)]) -> Vec<Stage> {
        let stage =
            |(minute, state): &(i64, ticket::State)| Stage { at: minutes(*minute), state: *state, limits: LIMITS };
        lines.iter().map(stage).collect()
    }

    fn minutes(count: i64) -> Timestamp {
        Timestamp::from_millis(count * 60_000)
    }

    #[rstest]
    #[case::just_opened(&[(0, ticket::State::New)], [Some(10), Some(30), Some(240)])]
    #[case::taken_on(&[(0, ticket::State::New), (5, ticket::State::Accepted)], [None, Some(30), Some(240)])]
    #[case::begun(&[(0, ticket::State::New), (5, ticket::State::InProgress)], [None, None, Some(240)])]
    #[case::held_up_before_arrival(
        &[(0, ticket::State::New), (5, ticket::State::Accepted), (10, ticket::State::Waiting)], [None; 3])]
    #[case::gone_on(&[(0, ticket::State::New), (5, ticket::State::InProgress), (10, ticket::State::Waiting),
        (70, ticket::State::InProgress)], [None, None, Some(300)])]
    #[case::said_to_be_fixed(&[(0, ticket::State::New), (5, ticket::State::InProgress), (60, ticket::State::Fixed)], [None; 3])]
    #[case::it_was_not(&[(0, ticket::State::New), (5, ticket::State::InProgress), (60, ticket::State::Fixed),
        (90, ticket::State::InProgress)], [None, None, Some(270)])]
    #[case::gone_by_itself_and_back(
        &[(0, ticket::State::New), (5, ticket::State::SelfRecovered), (60, ticket::State::New)],
        [Some(65), Some(85), Some(295)])]
    #[case::back_after_its_end(&[(0, ticket::State::New), (5, ticket::State::InProgress), (60, ticket::State::Fixed),
        (90, ticket::State::Closed), (200, ticket::State::New)], [Some(210), Some(230), Some(380)])]
    fn each_promise_follows_where_the_ticket_stands(
        #[case] lines: &[(i64, ticket::State)],
        #[case] due: [Option<i64>; 3],
    ) {
        let stages = stages(lines);
        let clocks =
            Promise::ALL.map(|promise| promise.clock(&stages, &ServiceHours::Always).due(&ServiceHours::Always));
        assert_eq!(clocks, due.map(|due| due.map(minutes)));
    }

    #[test]
    fn another_priority_after_a_pause_keeps_what_was_counted() {
        let mut stages = stages(&[
            (0, ticket::State::New),
            (5, ticket::State::InProgress),
            (60, ticket::State::Waiting),
            (120, ticket::State::InProgress),
            (130, ticket::State::InProgress),
        ]);
        stages[4].limits.completion = Span::from_mins(100);
        let clock = Promise::Completion.clock(&stages, &ServiceHours::Always);
        assert_eq!(clock.due(&ServiceHours::Always), Some(minutes(160)));
    }

    #[test]
    fn each_mark_is_told_once_and_what_begins_anew_is_told_anew() {
        let hours = ServiceHours::Always;
        let mut reminded = Reminded::default();
        let mut told = |lines: &[(i64, ticket::State)], now: i64| {
            let stages = stages(lines);
            let deadlines = Deadlines::of(&stages, &hours);
            let reminders = deadlines.reminders(&mut reminded, minutes(now));
            let next = deadlines.next(&reminded).map(|at| at.millis() / 60_000);
            (reminders.iter().map(|one| (one.promise, one.percent, one.at.millis() / 60_000)).collect::<Vec<_>>(), next)
        };
        let new = &[(0, ticket::State::New)][..];
        assert_eq!(told(new, 0), (vec![], Some(5)));
        assert_eq!(told(new, 5), (vec![(Promise::Response, 50, 5)], Some(7)));
        assert_eq!(told(new, 5), (vec![], Some(7)));
        assert_eq!(told(new, 9), (vec![(Promise::Response, 75, 7)], Some(10)));
        assert_eq!(told(new, 16), (vec![(Promise::Response, 100, 10), (Promise::Arrival, 50, 15)], Some(22)));
        let closed =
            [new, &[(16, ticket::State::InProgress), (20, ticket::State::Fixed), (30, ticket::State::Closed)]].concat();
        assert_eq!(told(&closed, 400), (vec![], None));
        let again = [&closed[..], &[(400, ticket::State::New)]].concat();
        assert_eq!(told(&again, 400), (vec![], Some(405)));
        assert_eq!(told(&again, 411), (vec![(Promise::Response, 100, 410)], Some(415)));
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let limit = (1i64..100_000_000).prop_map(Span::from_millis);
        prop_oneof![
            Just(Event::Pause),
            Just(Event::Resume),
            limit.prop_map(Event::Retarget),
            Just(Event::Fixed),
            Just(Event::Reopened),
            Just(Event::Stop),
        ]
    }

    proptest! {
        #[test]
        fn what_was_counted_never_shrinks_and_a_breach_stays(
            steps in prop::collection::vec((0i64..40_000_000, any_event()), 1..30),
            always in any::<bool>(),
        ) {
            let hours = if always { ServiceHours::Always } else { weekdays("Asia/Shanghai") };
            let mut now = at("2026-11-24T10:00:00+08");
            let mut happened = vec![(now, Event::Start(Span::from_mins(240)))];
            let (mut consumed, mut breached) = (Span::ZERO, None);
            for (pause, event) in steps {
                now = now.shifted(pause);
                let before = Clock::fold(happened.iter().copied(), &hours);
                happened.push((now, event));
                let clock = Clock::fold(happened.iter().copied(), &hours);
                prop_assert_eq!(before.consumed(now, &hours), clock.consumed(now, &hours));
                prop_assert!(clock.consumed(now, &hours) >= consumed);
                consumed = clock.consumed(now, &hours);
                let known = before.breached_at(now, &hours);
                prop_assert!(breached.is_none() || known == breached);
                breached = clock.breached_at(now, &hours);
                prop_assert!(known.is_none() || breached == known);
                prop_assert_eq!(breached.is_some(), clock.mark(now, &hours) == 100);
            }
        }
    }
}
