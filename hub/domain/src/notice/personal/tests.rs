use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

use super::*;
use crate::{alert::AlertId, notice::Rate, time::Span};

const GROUPING: Grouping = Grouping { wait: Span::from_secs(30), interval: Span::from_mins(5), repeat: None };
const RATE: Rate = Rate { most: 20, per: Span::from_mins(1) };
const WEEK: [bool; 7] = [true; 7];

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str, zone: &TimeZone) -> Timestamp {
    let local: jiff::civil::DateTime = text.parse().unwrap();
    Timestamp::from_millis(local.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond())
}

fn quiet(from: &str, until: &str, days: [bool; 7]) -> QuietHours {
    QuietHours::new(from, until, days).unwrap()
}

#[rstest]
#[case::before("2026-11-27T21:59", None)]
#[case::from_their_beginning("2026-11-27T22:00", Some("2026-11-28T07:00"))]
#[case::past_midnight("2026-11-28T03:00", Some("2026-11-28T07:00"))]
#[case::until_their_end("2026-11-28T07:00", None)]
#[case::not_on_a_saturday("2026-11-28T23:00", None)]
#[case::nor_in_the_night_after_it("2026-11-29T03:00", None)]
#[case::through_the_night_in_which_clocks_go_forward("2026-03-29T01:00", Some("2026-03-29T07:00"))]
#[case::through_the_night_in_which_clocks_go_back("2026-10-25T01:00", Some("2026-10-25T07:00"))]
fn quiet_hours_are_local_and_begin_on_their_days(#[case] now: &str, #[case] end: Option<&str>) {
    let (zone, mut days) = (berlin(), WEEK);
    days[5] = now.starts_with("2026-03") || now.starts_with("2026-10");
    assert_eq!(quiet("22:00", "07:00", days).end(at(now, &zone), &zone), end.map(|end| at(end, &zone)));
}

#[rstest]
#[case::no_time("25:00", "07:00", WEEK, QuietHoursError::Time)]
#[case::nothing_at_all("", "07:00", WEEK, QuietHoursError::Time)]
#[case::no_length("07:00", "07:00", WEEK, QuietHoursError::Empty)]
#[case::no_day("22:00", "07:00", [false; 7], QuietHoursError::NoDay)]
fn what_are_no_quiet_hours_is_said(
    #[case] from: &str,
    #[case] until: &str,
    #[case] days: [bool; 7],
    #[case] error: QuietHoursError,
) {
    assert_eq!(QuietHours::new(from, until, days), Err(error));
}

fn one(alert: u128, what: What, severity: Severity, since: Timestamp) -> Personal {
    let waiting = Waiting {
        alert: AlertId(Uuid::from_u128(alert)),
        site: "a".parse().unwrap(),
        what,
        critical: severity == Severity::Critical,
        since,
        open: what != What::Cleared,
        muted: false,
        told_at: None,
    };
    Personal { waiting, severity, held: false }
}

fn told(one: Personal) -> Personal {
    let told_at = Some(one.waiting.since - Span::from_mins(90));
    Personal { waiting: Waiting { told_at, ..one.waiting }, ..one }
}

fn planned(preferences: &Preferences, all: &[Personal], now: Timestamp) -> Plan {
    let bucket = Bucket::new(RATE, [], now);
    preferences.plan(all, &BTreeMap::new(), &GROUPING, (&bucket, &TimeZone::UTC), now)
}

fn nights() -> Preferences {
    Preferences { quiet: Some(quiet("22:00", "07:00", WEEK)), ..Preferences::default() }
}

#[test]
fn in_quiet_hours_only_what_is_urgent_is_told_and_the_rest_comes_as_one_digest() {
    let night = at("2026-11-27T23:00", &TimeZone::UTC);
    let elsewhere = |one: Personal| {
        let waiting = Waiting { site: "b".parse().unwrap(), ..one.waiting };
        Personal { waiting, ..one }
    };
    let all = [
        one(1, What::Raised, Severity::Warning, night),
        elsewhere(one(2, What::Raised, Severity::Major, night)),
        one(3, What::Raised, Severity::Critical, night),
        told(one(4, What::Cleared, Severity::Critical, night)),
    ];
    let plan = planned(&nights(), &all, night + Span::from_mins(1));
    let telling = plan.telling.unwrap();
    assert_eq!((telling.kind, telling.alerts), (Kind::Single, vec![vec![2]]));
    assert_eq!(plan.held, [0, 1, 3]);
    assert_eq!(plan.look_at, Some(at("2026-11-28T07:00", &TimeZone::UTC)));

    // What was told meanwhile is gone; all the rest is one message, whatever its site.
    let rest = [all[0].clone(), all[1].clone(), all[3].clone()];
    let telling = planned(&nights(), &rest, at("2026-11-28T07:00", &TimeZone::UTC)).telling.unwrap();
    assert_eq!((telling.kind, telling.urgent, telling.alerts), (Kind::Digest, false, vec![vec![0], vec![1], vec![2]]));
}

#[test]
fn what_is_over_before_the_quiet_hours_end_is_not_told() {
    let (night, morning) = (at("2026-11-27T23:00", &TimeZone::UTC), at("2026-11-28T07:00", &TimeZone::UTC));
    let mut over = one(1, What::Raised, Severity::Warning, night);
    over.waiting.open = false;
    let end = one(1, What::Cleared, Severity::Warning, night);
    let plan = planned(&nights(), &[over, end], morning);
    assert_eq!((plan.telling, plan.dropped), (None, vec![(0, Fate::Over), (1, Fate::Needless)]));
}

#[test]
fn what_is_new_after_quiet_hours_is_told_as_ever() {
    let noon = at("2026-11-28T12:00", &TimeZone::UTC);
    let plan = planned(&nights(), &[one(1, What::Raised, Severity::Warning, noon)], noon + Span::from_secs(30));
    assert_eq!(plan.telling.unwrap().kind, Kind::Group);
}

#[test]
fn who_wants_less_is_told_less_but_always_the_end_of_what_they_were_told() {
    let noon = at("2026-11-28T12:00", &TimeZone::UTC);
    let preferences = Preferences { least: Severity::Major, held_only: true, quiet: None };
    let mine = |one: Personal| Personal { held: true, ..one };
    let all = [
        mine(one(1, What::Raised, Severity::Warning, noon)),
        one(2, What::Raised, Severity::Critical, noon),
        mine(one(3, What::Raised, Severity::Major, noon)),
        told(one(4, What::Cleared, Severity::Info, noon)),
    ];
    let plan = planned(&preferences, &all, noon + Span::from_mins(1));
    assert_eq!(plan.dropped, [(0, Fate::Unwanted), (1, Fate::Unwanted)]);
    assert_eq!(plan.telling.unwrap().alerts, [vec![2], vec![3]]);
}

#[test]
fn the_digest_keeps_to_the_rate_of_the_channel() {
    let morning = at("2026-11-28T07:00", &TimeZone::UTC);
    let all = [one(1, What::Raised, Severity::Warning, morning - Span::from_mins(60))];
    let bucket = Bucket::new(RATE, [morning; 20], morning);
    let plan = nights().plan(&all, &BTreeMap::new(), &GROUPING, (&bucket, &TimeZone::UTC), morning);
    assert_eq!(plan.telling, None);
    assert!(plan.look_at.is_some_and(|at| at > morning));
}

fn hours() -> impl Strategy<Value = QuietHours> {
    let time = (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}"));
    (time.clone(), time, any::<[bool; 7]>())
        .prop_filter_map("no quiet hours", |(from, until, days)| QuietHours::new(&from, &until, days).ok())
}

proptest! {
    #[test]
    fn quiet_hours_read_back_as_they_were_stored(hours in hours()) {
        prop_assert_eq!(hours.to_string().parse::<QuietHours>(), Ok(hours));
    }

    #[test]
    fn quiet_hours_end_within_a_day_and_an_hour_in_every_zone(
        hours in hours(),
        now in 1_700_000_000_000_i64..1_900_000_000_000,
        zone in prop::sample::select(vec!["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    ) {
        let (zone, now) = (TimeZone::get(zone).unwrap(), Timestamp::from_millis(now));
        if let Some(end) = hours.end(now, &zone) {
            prop_assert!(end > now && end.since(now) <= Span::from_mins(25 * 60), "{:?} {:?}", now, end);
            prop_assert!(hours.ended(end, &zone) >= Some(end));
        }
        prop_assert!(hours.ended(now, &zone).is_none_or(|ended| ended <= now));
    }

    /// Whatever somebody prefers: what is urgent never waits for their quiet hours, the end of what they were told is never dropped, and
    /// everything is told, held, dropped or waits for its group; nothing twice.
    #[test]
    fn nothing_is_lost_and_nothing_twice(
        hours in prop::option::of(hours()),
        least in prop::sample::select(vec![Severity::Info, Severity::Warning, Severity::Major, Severity::Critical]),
        held_only in any::<bool>(),
        now in 1_700_000_000_000_i64..1_900_000_000_000,
        all in prop::collection::vec((0_u128..4, 0_usize..4, 0_usize..4, any::<[bool; 2]>(), 0_u32..2000), 0..12),
    ) {
        let now = Timestamp::from_millis(now);
        let severities = [Severity::Info, Severity::Warning, Severity::Major, Severity::Critical];
        let whats = [What::Raised, What::Cleared, What::Escalated, What::Acknowledged];
        let all: Vec<Personal> = all.into_iter().map(|(alert, what, severity, [was_told, held], ago)| {
            let one = Personal { held, ..one(alert, whats[what], severities[severity], now - Span::from_mins(ago)) };
            if was_told { told(one) } else { one }
        }).collect();
        let preferences = Preferences { least, held_only, quiet: hours };
        let plan = planned(&preferences, &all, now);
        let mut seen: Vec<usize> = plan.dropped.iter().map(|(index, _)| *index).chain(plan.held.iter().copied()).collect();
        seen.extend(plan.telling.iter().flat_map(|telling| telling.alerts.iter().flatten()));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(count, seen.len(), "twice");
        for (index, _) in &plan.dropped {
            prop_assert!(all[*index].waiting.told_at.is_none() || all[*index].waiting.what != What::Cleared);
        }
        for index in &plan.held {
            prop_assert!(!is_urgent(&all[*index].waiting));
        }
        if plan.telling.is_none() && plan.look_at.is_none() {
            prop_assert_eq!(seen.len(), all.len(), "something waits for nothing");
        }
    }
}
