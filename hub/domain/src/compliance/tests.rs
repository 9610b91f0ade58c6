use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    calendar::{Calendar, Day},
    past::Times,
    register::taking,
    rule::Supply,
};

/// Every clause of the service standards that touches equipment, stock, inspection, repair and reporting.
const CLAUSES: [&str; 33] = [
    "ALL-D", "BAR-D10", "BAR-D4", "BAR-D5", "BAR-D6", "BAR-S13", "BAR-S8", "CON-D4", "CON-D7", "CON-D9", "CON-S1",
    "CON-S10", "CON-S11", "CON-S9", "ENQ-D7", "PAS-D4", "PAS-D6", "PAS-D8", "PAS-S1", "REC-D6", "REC-D9", "REC-S2.2",
    "REC-S2.3", "REC-S3.2", "REC-S3.7", "REC-S3.8", "REC-S4.3", "REC-S5.1", "REC-S6", "SHO-D2", "SHO-D4", "SHO-S2",
    "SHO-S7",
];

const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(minutes * MINUTE)
}

fn instance(kept: Kept, clauses: &[&str]) -> Instance {
    Instance {
        duty: Duty::Round,
        clauses: clauses.iter().map(|clause| (*clause).into()).collect(),
        post: Some("concierge".into()),
        title: Label::new("点检", "Round"),
        due: at(10),
        done: None,
        by: By::Nobody,
        kept,
        evidence: Evidence::Round(Uuid::nil()),
    }
}

fn calendar() -> Calendar {
    let time = |hour| Time::constant(hour, 0, 0, 0);
    let day = Some(Day { ready_by: time(8), open: time(9), close: time(18) });
    let weekly = [None, day, day, day, day, day, day];
    let holiday = BTreeMap::from([(Date::constant(2026, 11, 12), None)]);
    Calendar::new(TimeZone::UTC, weekly, holiday)
}

fn november() -> Month {
    "2026-11".parse().unwrap()
}

fn day(number: i8) -> Timestamp {
    let at = Date::constant(2026, 11, number).to_zoned(TimeZone::UTC).unwrap();
    Timestamp::from_millis(at.timestamp().as_millisecond())
}

#[test]
fn every_clause_of_the_standards_is_there_with_whose_it_is() {
    let pack = Pack::built_in();
    assert_eq!(pack.clauses.keys().map(|id| &**id).collect::<Vec<_>>(), CLAUSES);
    let posts = [
        ("CON", "concierge"),
        ("BAR", "waterbar"),
        ("REC", "reception"),
        ("ENQ", "enquiry"),
        ("PAS", "passage"),
        ("SHO", "showflat"),
    ];
    for (id, clause) in &pack.clauses {
        let post = posts.iter().find(|(part, _)| id.starts_with(part)).map(|(_, post)| *post);
        assert_eq!(clause.post.as_deref(), post, "{id}");
    }
}

#[test]
fn a_clause_that_nothing_serves_says_why_and_where_it_is_seen_to() {
    let pack = Pack::built_in();
    for id in Gaps::of(&pack).unserved {
        let clause = &pack.clauses[&id];
        assert!(clause.why_not.is_some() && clause.page.is_some(), "{id}");
    }
}

#[test]
fn only_what_counts_makes_the_percentage() {
    let kept = [Kept::Met, Kept::Met, Kept::Late, Kept::Open, Kept::Excused(Excuse::HubOff)];
    let all: Vec<Instance> = kept.into_iter().map(|kept| instance(kept, &["CON-S1"])).collect();
    let tally = Tally::of(&all);
    assert_eq!((tally.counted(), tally.excused, tally.open, tally.tenths()), (3, 1, 1, Some(666)));
}

#[test]
fn where_nothing_was_owed_there_is_no_percentage() {
    assert_eq!(Tally::default().tenths(), None);
    assert_eq!(Tally::of(&[instance(Kept::Open, &["CON-S1"])]).tenths(), None);
    assert_eq!(Availability::default().tenths(0), None);
}

#[test]
fn one_miss_in_many_is_not_rounded_away() {
    let tally = Tally { met: 99_999, missed: 1, ..Tally::default() };
    assert_eq!(tally.tenths(), Some(999));
}

#[test]
fn what_is_done_on_the_minute_is_in_time() {
    assert_eq!(Kept::by_time(at(10), Some(at(10)), at(20)), Kept::Met);
    assert_eq!(Kept::by_time(at(10), Some(at(11)), at(20)), Kept::Late);
    assert_eq!(Kept::by_time(at(10), None, at(10)), Kept::Open);
    assert_eq!(Kept::by_time(at(10), None, at(11)), Kept::Missed);
}

#[test]
fn a_ticket_that_is_over_by_itself_breaks_no_promise() {
    assert_eq!(Kept::promise(false, false, true), Kept::Excused(Excuse::Closed));
    assert_eq!(Kept::promise(true, false, true), Kept::Missed);
    assert_eq!(Kept::promise(true, true, true), Kept::Late);
    assert_eq!(Kept::promise(false, false, false), Kept::Open);
}

#[test]
fn the_opening_hours_of_a_month_leave_out_closed_days_and_holidays() {
    // November 2026 has 30 days, five of them Mondays, and one holiday.
    assert_eq!(opening(&calendar(), november(), day(30).shifted(30 * 3600 * 1000)), 24 * 9 * 60 * MINUTE);
    // The first two days: a Sunday of nine hours and a Monday that is closed.
    assert_eq!(opening(&calendar(), november(), day(3)), 9 * 60 * MINUTE);
    // In the middle of an hour of the first day.
    assert_eq!(opening(&calendar(), november(), day(1).shifted(570 * MINUTE)), 30 * MINUTE);
    assert_eq!(opening(&calendar(), november(), day(1)), 0);
}

#[test]
fn a_site_without_hours_counts_as_open_around_the_clock() {
    let calendar = Calendar::always_open(TimeZone::UTC);
    assert_eq!(opening(&calendar, november(), day(3)), 2 * 24 * 60 * MINUTE);
}

#[test]
fn a_fault_during_maintenance_is_not_held_against_a_device() {
    let seen = Times { normal: 80, abnormal: 20, ..Times::default() };
    let maintained = Times { normal: 5, abnormal: 15, ..Times::default() };
    let availability = Availability::of(110, seen, maintained);
    assert_eq!(availability, Availability { good: 75, bad: 5, maintenance: 20, unknown: 10 });
    assert_eq!(availability.tenths(availability.good), Some(833), "of 90 that count");
    assert_eq!(Availability::of(20, maintained, maintained).tenths(0), None, "nothing but maintenance");
}

const EVERY: i64 = taking::EVERY.millis() / MINUTE;

#[rstest]
#[case::in_time(&[10], EVERY + 1, &[(EVERY, Some(0))])]
#[case::nobody_so_far(&[], EVERY + 1, &[(EVERY, None)])]
#[case::not_due_yet(&[], EVERY, &[])]
#[case::late(&[EVERY + 5], EVERY + 6, &[(EVERY, Some(0))])]
#[case::from_the_last_on(&[10, 20], EVERY + 31, &[(EVERY, Some(0)), (EVERY + 10, Some(1)), (EVERY + 20, None)])]
#[case::a_whole_interval_missed(&[2 * EVERY + 5], 3 * EVERY, &[(EVERY, None), (2 * EVERY, Some(0))])]
fn stock_is_taken_again_before_the_last_stock_take_is_too_old(
    #[case] closed: &[i64],
    #[case] until: i64,
    #[case] expected: &[(i64, Option<usize>)],
) {
    let closed: Vec<Timestamp> = closed.iter().map(|minutes| at(*minutes)).collect();
    let due: Vec<_> = stock_takes(at(0), &closed, (at(until), taking::EVERY)).into_iter().collect();
    let expected: Vec<_> = expected.iter().map(|(due, which)| (at(*due), *which)).collect();
    assert_eq!(due, expected);
}

#[rstest]
#[case::while_guests_are_there(&[(600, Some(610))], &[0])]
#[case::at_night(&[(60, Some(120))], &[])]
#[case::at_night_until_guests_come(&[(60, Some(541))], &[0])]
#[case::by_the_switch_and_by_the_count(&[(600, Some(620)), (605, Some(630))], &[0])]
#[case::twice(&[(600, Some(620)), (700, Some(720))], &[0, 1])]
#[case::still(&[(600, None)], &[0])]
#[case::of_the_month_before(&[(-900, Some(-890))], &[])]
fn a_machine_that_is_empty_while_guests_are_there_has_run_out(
    #[case] outs: &[(i64, Option<i64>)],
    #[case] expected: &[usize],
) {
    let after = |minutes: i64| day(1).shifted(minutes * MINUTE);
    let outs: Vec<_> = outs.iter().map(|(from, to)| (after(*from), to.map(after))).collect();
    let found = ran_out(&calendar(), (day(1), day(30)), &outs, after(1000));
    assert_eq!(found.iter().map(|out| out.alert).collect::<Vec<_>>(), expected);
}

#[test]
fn the_rules_of_the_built_in_standards_say_when_a_machine_is_low_and_when_it_is_out() {
    let pack = Pack::built_in();
    let said = |rule: &str| supply_of(&pack, rule);
    for (rule, supply) in [
        ("covers-empty", Some(Supply::Out)),
        ("covers-used-up", Some(Supply::Out)),
        ("stock/empty/shoe-cover", Some(Supply::Out)),
        ("covers-low", Some(Supply::Low)),
        ("covers-low-switch", Some(Supply::Low)),
        ("stock/refill/shoe-cover", Some(Supply::Low)),
        ("stock/low/shoe-cover", None),
        ("covers-jammed", None),
        ("gone", None),
    ] {
        assert_eq!(said(rule), supply, "{rule}");
    }
}

#[test]
fn a_post_sees_what_it_owed_and_what_its_clauses_ask_and_no_more() {
    let pack = Pack::built_in();
    let of = |post: &str, clauses: &[&str]| Instance { post: Some(post.into()), ..instance(Kept::Met, clauses) };
    let all = [of("engineering", &["CON-S9"]), of("showflat", &["SHO-D4"]), of("engineering", &["PAS-D6"])];
    let seen = |roles: Option<Vec<Role>>| {
        let sight = Sight::of(roles);
        let owed: Vec<Instance> = all.iter().filter(|one| sight.sees(&pack, one)).cloned().collect();
        let clauses = ["CON-S9", "SHO-D4", "PAS-D6", "ALL-D"].into_iter();
        (owed.len(), clauses.filter(|id| sight.shows(&pack, id, &owed)).collect::<Vec<_>>())
    };
    assert_eq!(seen(Some(vec![Role::Concierge])), (1, vec!["CON-S9", "ALL-D"]));
    assert_eq!(seen(Some(vec![Role::Engineering])), (2, vec!["CON-S9", "PAS-D6", "ALL-D"]));
    assert_eq!(seen(Some(vec![Role::Waterbar])), (0, vec!["ALL-D"]));
    let both = vec![Role::Showflat, Role::Engineering];
    assert_eq!(seen(Some(both)), (3, vec!["CON-S9", "SHO-D4", "PAS-D6", "ALL-D"]), "of both posts");
    assert_eq!(seen(Some(vec![])), (0, vec!["ALL-D"]), "of no post");
    let above = [Role::Supervisor, Role::Manager, Role::Admin].map(|role| Some(vec![Role::Concierge, role]));
    for oversees in above.into_iter().chain([None]) {
        assert_eq!(seen(oversees), (3, vec!["CON-S9", "SHO-D4", "PAS-D6", "ALL-D"]));
    }
}

fn any_kept() -> impl Strategy<Value = Kept> {
    prop_oneof![
        Just(Kept::Met),
        Just(Kept::Late),
        Just(Kept::Missed),
        Just(Kept::Open),
        Just(Kept::Excused(Excuse::Quiet))
    ]
}

proptest! {
    #[test]
    fn the_order_of_instances_does_not_matter(kept in prop::collection::vec(any_kept(), 0..40), turn in 0_usize..40) {
        let clauses = [&["CON-S1"][..], &["CON-S9", "PAS-D6"]];
        let all: Vec<Instance> = kept.iter().enumerate().map(|(no, kept)| instance(*kept, clauses[no % 2])).collect();
        let mut turned = all.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        turned.reverse();
        prop_assert_eq!(Tally::by_clause(&all), Tally::by_clause(&turned));
        prop_assert_eq!(Tally::by_post(&all), Tally::by_post(&turned));
        let mut sum = Tally::default();
        for tally in Tally::by_post(&all).into_values() {
            sum += tally;
        }
        prop_assert_eq!(sum, Tally::of(&all));
    }

    #[test]
    fn good_bad_maintenance_and_unknown_make_up_the_opening_hours(
        (good, bad, offline, unseen) in (0_i64..1_000_000, 0_i64..1_000_000, 0_i64..1_000_000, 0_i64..1_000_000),
        (said_unknown, tenths) in (0_i64..1_000_000, 0_i64..=10),
    ) {
        let opening = good + bad + offline + unseen;
        let seen = Times { normal: good, abnormal: bad, offline, unknown: said_unknown.min(unseen) };
        let part = |all: i64| all * tenths / 10;
        let maintained =
            Times { normal: part(good), abnormal: part(bad), offline: part(offline), unknown: part(unseen) };
        let availability = Availability::of(opening, seen, maintained);
        prop_assert_eq!(availability.total(), opening);
        prop_assert_eq!(availability.unknown, unseen - part(unseen));
        prop_assert_eq!(availability.bad, bad - part(bad) + offline - part(offline));
    }

    #[test]
    fn a_month_is_open_no_less_the_later_it_is(a in 0_i64..45_000, b in 0_i64..45_000) {
        let until = |minutes: i64| day(1).shifted(minutes * MINUTE);
        let (early, late) = (a.min(b), a.max(b));
        let (before, after) = (opening(&calendar(), november(), until(early)), opening(&calendar(), november(), until(late)));
        prop_assert!(before <= after && after - before <= (late - early) * MINUTE);
    }
}
