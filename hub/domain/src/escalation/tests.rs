use std::{cell::RefCell, collections::BTreeSet};

use jiff::{civil::time, tz::TimeZone};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::service_hours::Shift;

const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const ALWAYS: ServiceHours = ServiceHours::Always;

fn at(minutes: i64) -> Timestamp {
    T0.shifted(minutes * 60_000)
}

/// The way of an urgent ticket by the built-in pack: 10 minutes, then 5 each; 15 without progress.
fn urgent() -> Route {
    Route::new(&Pack::built_in(), "engineering", "P1", Phase::Repair)
}

fn person(id: &str) -> Holder {
    Holder { id: id.into(), name: id.to_uppercase().into() }
}

/// Only at these posts somebody is on duty, named like the post.
fn only(posts: &str) -> impl Fn(&str) -> Staffing {
    move |post| {
        if posts.split(' ').any(|there| there == post) {
            Staffing::People(vec![person(post)])
        } else {
            Staffing::Nobody
        }
    }
}

fn everywhere(_: &str) -> Staffing {
    Staffing::Unkept
}

/// Where it goes while nobody answers: the minute and the post of each step.
fn walk(mut escalation: Escalation, minutes: i64, who: impl Fn(&str) -> Staffing) -> String {
    let mut trail = vec![format!("0 {}", escalation.post())];
    for minute in 1..=minutes {
        if escalation.step(at(minute), &ALWAYS, &who).is_some() {
            trail.push(format!("{minute} {}", escalation.post()));
        }
    }
    trail.join(", ")
}

#[rstest]
#[case::all_there(
    "engineering leader supervisor manager",
    "0 engineering, 10 leader, 15 supervisor, 20 manager, 35 manager, 50 manager"
)]
#[case::no_leader(
    "engineering supervisor manager",
    "0 engineering, 10 supervisor, 15 manager, 30 manager, 45 manager, 60 manager"
)]
#[case::only_the_first("engineering", "0 engineering, 10 manager, 25 manager, 40 manager, 55 manager")]
#[case::nobody_below("supervisor", "0 supervisor, 10 manager, 25 manager, 40 manager, 55 manager")]
#[case::nobody_at_all("", "0 manager, 10 manager, 25 manager, 40 manager, 55 manager")]
fn what_nobody_answers_goes_up_and_empty_levels_are_passed_over_at_once(#[case] there: &str, #[case] trail: &str) {
    let (escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, only(there));
    assert_eq!(walk(escalation, 60, only(there)), trail);
}

#[test]
fn a_site_without_a_roster_goes_by_its_posts() {
    let (escalation, skipped) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    assert_eq!((escalation.post(), &escalation.holder, skipped.len()), ("engineering", &None, 0));
    assert_eq!(walk(escalation, 20, everywhere), "0 engineering, 10 leader, 15 supervisor, 20 manager");
}

#[rstest]
#[case::not_yet_due(0, "engineering", (State::Triggered, 15))]
#[case::it_had_gone_up(10, "leader", (State::Triggered, 22))]
fn what_is_quiet_no_more_begins_anew(#[case] stepped: i64, #[case] from: &str, #[case] expected: (State, i64)) {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    escalation.step(at(stepped), &ALWAYS, everywhere);
    let now = expected.1 - 10;
    let moved = escalation.resume(at(now), &ALWAYS, everywhere).unwrap();
    assert_eq!((moved.why, &*moved.from, &*moved.to), (Why::Resumed, from, "engineering"));
    assert_eq!((escalation.state, escalation.due), (expected.0, Some(at(expected.1))));
}

#[test]
fn whoever_is_at_it_stays_at_it_while_it_is_quiet_although_their_time_ends_meanwhile() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    escalation.hold(at(1), &ALWAYS);
    escalation.wait(at(16), at(17));
    assert_eq!((escalation.state, escalation.due), (State::Held, Some(at(17))));
    assert_eq!(escalation.resume(at(60), &ALWAYS, everywhere), None);
    assert_eq!((escalation.state, escalation.due), (State::Held, Some(at(75))));
    let (mut unanswered, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    unanswered.wait(at(10), at(11));
    assert_eq!((unanswered.state, unanswered.due), (State::Paused, Some(at(11))));
}

#[test]
fn who_is_at_a_post_is_looked_up_when_it_is_its_turn() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, only("engineering leader"));
    assert_eq!(escalation.holder, Some(person("engineering")));
    let moved = escalation.step(at(10), &ALWAYS, only("supervisor")).unwrap();
    let expected = Move {
        why: Why::NoAnswer,
        from: "engineering".into(),
        to: "supervisor".into(),
        skipped: vec!["leader".into()],
    };
    assert_eq!(moved, expected);
    assert_eq!(escalation.holder, Some(person("supervisor")));
}

#[test]
fn whoever_is_at_it_keeps_it_while_there_is_progress() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    escalation.hold(at(5), &ALWAYS);
    assert_eq!(escalation.step(at(19), &ALWAYS, everywhere), None);
    escalation.hold(at(19), &ALWAYS);
    assert_eq!((escalation.since, escalation.due), (at(5), Some(at(34))));
    let lapsed = escalation.step(at(34), &ALWAYS, everywhere).unwrap();
    assert_eq!((lapsed.why, &*lapsed.to), (Why::Lapsed, "engineering"), "it is asked again before it goes up");
    let moved = escalation.step(at(39), &ALWAYS, everywhere).unwrap();
    assert_eq!((moved.why, &*moved.to), (Why::NoAnswer, "leader"));
}

#[test]
fn whoever_works_on_site_has_until_the_time_by_which_it_must_work() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    escalation.hold_until(at(240), at(5), &ALWAYS);
    assert_eq!(escalation.due, Some(at(240)));
    escalation.hold_until(at(240), at(235), &ALWAYS);
    assert_eq!(escalation.due, Some(at(250)));
}

#[test]
fn what_is_paused_goes_nowhere_and_begins_anew_afterwards() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    escalation.step(at(10), &ALWAYS, everywhere).unwrap();
    escalation.pause(at(11), None);
    assert_eq!(escalation.step(at(10_000), &ALWAYS, everywhere), None);
    let moved = escalation.restart(at(10_000), &ALWAYS, everywhere);
    assert_eq!((moved.why, &*moved.to, escalation.due), (Why::Resumed, "engineering", Some(at(10_010))));
    escalation.pause(at(10_001), Some(at(10_005)));
    assert_eq!(escalation.step(at(10_004), &ALWAYS, everywhere), None);
    assert_eq!(escalation.step(at(10_005), &ALWAYS, everywhere).map(|moved| moved.why), Some(Why::Resumed));
}

#[test]
fn outside_the_hours_that_count_it_waits_for_them_with_its_first_post() {
    // 10:00 in Shanghai, and duty from 22:00 on.
    let shift = Shift { from: time(22, 0, 0, 0), until: time(23, 0, 0, 0) };
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let hours = ServiceHours::Within { zone, weekly: Box::new([Some(shift); 7]), exceptions: BTreeMap::new() };
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &hours, only("manager"));
    assert_eq!((escalation.state, escalation.post(), escalation.holder.clone()), (State::Paused, "engineering", None));
    let begins = escalation.due.unwrap();
    assert!((at(12 * 60)..=at(12 * 60).shifted(1)).contains(&begins), "{begins:?}");
    assert_eq!(escalation.step(begins, &hours, everywhere).map(|moved| moved.to), Some("engineering".into()));
    assert_eq!(escalation.due, Some(begins.shifted(600_000)));
}

#[test]
fn whoever_goes_home_when_the_hours_end_is_relieved_when_they_begin_again() {
    // 10:00 in Shanghai, and duty until 10:05 and from 09:00 on.
    let shift = Shift { from: time(9, 0, 0, 0), until: time(10, 5, 0, 0) };
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let hours = ServiceHours::Within { zone, weekly: Box::new([Some(shift); 7]), exceptions: BTreeMap::new() };
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &hours, only("engineering manager"));
    assert_eq!(escalation.relieve(at(6), &hours, only("manager")), None, "nobody is woken for it");
    let day = 23 * 60;
    assert_eq!(escalation.due, Some(at(day + 5)));
    let moved = escalation.relieve(at(day), &hours, only("supervisor manager")).unwrap();
    assert_eq!((&*moved.to, escalation.due), ("supervisor", Some(at(day + 5))));
}

#[test]
fn whoever_goes_off_duty_before_they_answer_is_relieved_and_the_time_stays() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, only("engineering leader"));
    assert_eq!(escalation.relieve(at(1), &ALWAYS, only("engineering leader")), None, "they are still there");
    let relief = |post: &str| match post {
        "engineering" => Staffing::People(vec![person("night")]),
        _ => Staffing::Nobody,
    };
    let moved = escalation.relieve(at(4), &ALWAYS, relief).unwrap();
    assert_eq!((moved.why, &*moved.from, &*moved.to), (Why::OffDuty, "engineering", "engineering"));
    assert_eq!((escalation.holder.clone(), escalation.due), (Some(person("night")), Some(at(10))));
    assert_eq!(escalation.relieve(at(5), &ALWAYS, everywhere), None, "no roster says that they have gone");
    let moved = escalation.relieve(at(6), &ALWAYS, only("supervisor")).unwrap();
    assert_eq!((&*moved.to, moved.skipped), ("supervisor", vec!["engineering".into(), "leader".into()]));
    assert_eq!(
        (escalation.holder.clone(), escalation.due),
        (Some(person("supervisor")), Some(at(11))),
        "its full time"
    );
    escalation.hold(at(7), &ALWAYS);
    assert_eq!(escalation.relieve(at(8), &ALWAYS, only("manager")), None, "somebody is at it");
}

#[test]
fn whoever_works_it_has_it_as_long_as_it_did_not_go_up() {
    let duty = |people: &'static [&'static str]| {
        move |post: &str| match post {
            "engineering" if people.is_empty() => Staffing::Nobody,
            "engineering" => Staffing::People(people.iter().map(|id| person(id)).collect()),
            _ => Staffing::People(vec![person(post)]),
        }
    };
    let begin = || Escalation::begin(urgent(), T0, &ALWAYS, duty(&["wang", "li"])).0;
    let lapsed = |who: &dyn Fn(&str) -> Staffing| {
        let mut escalation = begin();
        escalation.hold(at(1), &ALWAYS);
        escalation.worked_by(Some(person("li")));
        escalation.step(at(16), &ALWAYS, who).unwrap();
        (escalation.post().to_owned(), escalation.holder.map(|holder| holder.id.to_string()))
    };
    let engineering = |who: Option<&str>| ("engineering".to_owned(), who.map(str::to_owned));
    assert_eq!(lapsed(&duty(&["wang", "li"])), engineering(Some("li")), "who was at it is asked again");
    assert_eq!(lapsed(&everywhere), engineering(Some("li")), "no roster says that somebody else is there");
    assert_eq!(lapsed(&duty(&["wang"])), engineering(Some("wang")), "they have gone");
    assert_eq!(lapsed(&duty(&[])), ("leader".to_owned(), Some("leader".to_owned())));

    let mut escalation = begin();
    escalation.worked_by(None);
    assert_eq!(escalation.holder, None, "of whom a name alone is known");
    escalation.step(at(10), &ALWAYS, everywhere).unwrap();
    escalation.worked_by(Some(person("li")));
    assert_eq!((escalation.post(), &escalation.holder), ("leader", &None), "the leader has it, whoever works it");
}

#[test]
fn another_priority_changes_the_pace_as_if_it_had_been_so_since_whoever_has_it_got_it() {
    let pack = Pack::built_in();
    let (slow, fast) = (Route::new(&pack, "engineering", "P3", Phase::Repair), urgent());
    let minutes = |ms: i64| ms / 60_000;
    let (mut escalation, _) = Escalation::begin(slow.clone(), T0, &ALWAYS, everywhere);
    assert_eq!(escalation.due, Some(at(minutes(slow.first_ms))));
    escalation.repace(&fast, &ALWAYS);
    assert_eq!(escalation.due, Some(at(10)));
    escalation.step(at(12), &ALWAYS, everywhere).unwrap();
    assert_eq!((escalation.post(), escalation.due), ("leader", Some(at(17))));
    escalation.repace(&slow, &ALWAYS);
    assert_eq!(escalation.due, Some(at(12 + minutes(slow.first_ms) / 2)));
    escalation.hold(at(20), &ALWAYS);
    escalation.repace(&fast, &ALWAYS);
    assert_eq!(
        escalation.due,
        Some(at(20 + minutes(slow.lease_ms))),
        "the time of whoever is at it is what they were given"
    );
    escalation.hold(at(21), &ALWAYS);
    assert_eq!(escalation.due, Some(at(36)), "and anew at the new pace");
}

#[rstest]
#[case::the_next(None, false, Ok("leader"))]
#[case::the_next_by_name(Some("leader"), false, Ok("leader"))]
#[case::over_a_level(Some("manager"), false, Err(Refusal::Skips))]
#[case::over_a_level_with_a_reason(Some("manager"), true, Ok("manager"))]
#[case::down(Some("engineering"), true, Err(Refusal::NotAbove))]
#[case::sideways(Some("showflat"), true, Err(Refusal::NotAbove))]
fn levels_are_skipped_only_by_a_named_person_who_says_why(
    #[case] to: Option<&str>,
    #[case] named: bool,
    #[case] outcome: Result<&str, Refusal>,
) {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, everywhere);
    let before = escalation.clone();
    let raised = escalation.raise(to, named, at(1), &ALWAYS, everywhere);
    assert_eq!(raised.as_ref().map(|moved| &*moved.to).map_err(|refusal| *refusal), outcome);
    if outcome.is_ok() {
        let patience = if escalation.is_at_top() { 16 } else { 6 };
        assert_eq!((escalation.state, escalation.due), (State::Triggered, Some(at(patience))));
    } else {
        assert_eq!(escalation, before);
    }
}

#[test]
fn an_empty_level_is_not_skipped_by_whoever_goes_past_it() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, only("engineering supervisor"));
    let moved = escalation.raise(Some("supervisor"), false, at(1), &ALWAYS, only("engineering supervisor")).unwrap();
    assert_eq!(&*moved.to, "supervisor");
}

#[test]
fn at_the_top_there_is_nobody_to_send_it_to() {
    let (mut escalation, _) = Escalation::begin(urgent(), T0, &ALWAYS, only("manager"));
    assert!(escalation.is_at_top());
    assert_eq!(escalation.raise(None, true, at(1), &ALWAYS, everywhere), Err(Refusal::NotAbove));
}

#[rstest]
#[case("engineering", "engineering leader supervisor manager")]
#[case("showflat", "showflat leader supervisor manager")]
#[case("leader", "leader supervisor manager")]
#[case("manager", "manager")]
fn a_superior_begins_where_it_stands_in_the_chain(#[case] post: &str, #[case] way: &str) {
    assert_eq!(Pack::built_in().chain.from(post).join(" "), way);
}

#[test]
fn a_repair_waits_longer_to_be_confirmed_than_to_be_taken_on() {
    let pack = Pack::built_in();
    let route = Route::new(&pack, "concierge", "P1", Phase::Confirm);
    assert_eq!((route.first_ms, route.counts), (pack.chain.confirm_within.millis(), Counts::Open));
    let unknown = Route::new(&pack, "concierge", "P9", Phase::Repair);
    assert_eq!((unknown.first_ms, unknown.lease_ms), (3_600_000, 3_600_000));
}

#[derive(Debug, Clone)]
enum Deed {
    Wait(i64),
    Hold,
    Pause,
    Restart,
    Relieve,
    Raise(Option<usize>, bool),
    Staff(BTreeSet<usize>),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        5 => (0i64..40).prop_map(Deed::Wait),
        1 => Just(Deed::Hold),
        1 => Just(Deed::Pause),
        1 => Just(Deed::Restart),
        2 => Just(Deed::Relieve),
        1 => (proptest::option::of(0usize..4), any::<bool>()).prop_map(|(to, named)| Deed::Raise(to, named)),
        2 => proptest::collection::btree_set(0usize..4, 0..4).prop_map(Deed::Staff),
    ]
}

proptest! {
    #[test]
    fn exactly_one_level_has_it_no_staffed_level_is_passed_over_and_the_next_step_has_a_time(
        deeds in proptest::collection::vec(deed(), 1..40)
    ) {
        let route = urgent();
        let there = RefCell::new(BTreeSet::from([0usize, 1, 2, 3]));
        let place = |post: &str| route.posts.iter().position(|step| **step == *post);
        let who = |post: &str| {
            if place(post).is_some_and(|place| there.borrow().contains(&place)) {
                Staffing::People(vec![person(post)])
            } else {
                Staffing::Nobody
            }
        };
        let (mut escalation, _) = Escalation::begin(route.clone(), T0, &ALWAYS, who);
        let mut now = T0;
        for deed in deeds {
            let before = escalation.clone();
            let moved = match deed {
                Deed::Wait(minutes) => {
                    now = now.shifted(minutes * 60_000);
                    let moved = escalation.step(now, &ALWAYS, who);
                    prop_assert_eq!(moved.is_some(), before.due.is_some_and(|due| due <= now));
                    moved
                }
                Deed::Hold => { escalation.hold(now, &ALWAYS); None }
                Deed::Pause => { escalation.pause(now, None); None }
                Deed::Restart => { escalation.restart(now, &ALWAYS, who); None }
                Deed::Relieve => {
                    let moved = escalation.relieve(now, &ALWAYS, who);
                    let there = escalation.holder.as_ref().is_none_or(|holder| matches!(
                        who(escalation.post()), Staffing::People(people) if people.contains(holder)));
                    prop_assert!(escalation.state != State::Triggered || there, "{moved:?} leaves it with somebody who has gone");
                    moved
                }
                Deed::Raise(to, named) => {
                    let to = to.map(|place| &*route.posts[place]);
                    escalation.raise(to, named, now, &ALWAYS, who).ok().filter(|_| !named)
                }
                Deed::Staff(posts) => { *there.borrow_mut() = posts; None }
            };
            prop_assert_eq!(escalation.due.is_none(), escalation.state == State::Paused);
            prop_assert!(escalation.level <= route.posts.len());
            if let Some(moved) = moved {
                prop_assert!(escalation.level >= before.level || before.level == route.posts.len(), "never down");
                for between in before.level + 1..escalation.level {
                    prop_assert!(!there.borrow().contains(&between), "{moved:?} passed over a level with somebody");
                }
                prop_assert_eq!(&*moved.to, escalation.post());
            }
        }
    }
}
