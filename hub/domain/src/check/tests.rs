use std::collections::BTreeMap;

use jiff::{
    SignedDuration,
    civil::{date, time},
    tz::TimeZone,
};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    calendar::{Calendar, Day},
    time::Timestamp,
};

fn at(text: &str) -> Timestamp {
    let zoned: jiff::Timestamp = text.parse().expect("a time");
    Timestamp::from_millis(zoned.as_millisecond())
}

fn calendar(zone: &str) -> Calendar {
    let day = Day { ready_by: time(8, 20, 0, 0), open: time(8, 30, 0, 0), close: time(18, 0, 0, 0) };
    let long = Day { close: time(21, 0, 0, 0), ..day };
    let exceptions = BTreeMap::from([(date(2026, 10, 1), None), (date(2026, 11, 23), Some(long))]);
    let weekly = [Some(day), Some(day), Some(day), Some(day), Some(day), Some(day), None];
    Calendar::new(TimeZone::get(zone).expect("the bundled zone"), weekly, exceptions)
}

fn list(due: Due) -> Checklist {
    Checklist {
        id: "opening".into(),
        label: Label::new("开门前检查", "Opening check"),
        clauses: vec!["CON-S1".into()],
        post: "concierge".into(),
        takes_over: None,
        due: vec![due],
        opens: Span::from_mins(30),
        closes: Span::from_mins(15),
        items: Vec::new(),
    }
}

fn line(id: &str, count: Option<u32>, photo: Photo) -> Line {
    let label = Label::new("球", "Balls");
    Line { id: id.into(), label, device: None, count, photo, department: None, priority: None }
}

const fn due(anchor: Anchor, minutes: i64) -> Due {
    Due { anchor, later: SignedDuration::from_mins(minutes) }
}

#[rstest]
#[case::a_time(due(Anchor::At(time(8, 20, 0, 0)), 0), "2026-11-24", Some("2026-11-24T08:20:00+08"))]
#[case::when_everything_is_on(due(Anchor::Ready, 0), "2026-11-24", Some("2026-11-24T08:20:00+08"))]
#[case::before_closing(due(Anchor::Close, -15), "2026-11-24", Some("2026-11-24T17:45:00+08"))]
#[case::on_a_long_evening(due(Anchor::Close, -15), "2026-11-23", Some("2026-11-23T20:45:00+08"))]
#[case::after_opening(due(Anchor::Open, 120), "2026-11-24", Some("2026-11-24T10:30:00+08"))]
#[case::closed_on_sunday(due(Anchor::Ready, 0), "2026-11-22", None)]
#[case::closed_on_a_holiday(due(Anchor::At(time(8, 20, 0, 0)), 0), "2026-10-01", None)]
fn a_round_follows_the_sites_own_hours(#[case] due: Due, #[case] day: &str, #[case] by: Option<&str>) {
    let slots = list(due).on(day.parse().expect("a day"), &calendar("Asia/Shanghai"));
    assert_eq!(slots.first().map(|slot| slot.due), by.map(at));
    if let (Some(slot), Some(by)) = (slots.first(), by.map(at)) {
        assert_eq!((slot.opens, slot.closes), (by - Span::from_mins(30), by + Span::from_mins(15)));
    }
}

#[test]
fn a_site_of_which_nobody_has_said_when_it_is_open_has_no_rounds() {
    let calendar = Calendar::always_open(TimeZone::UTC);
    assert_eq!(list(due(Anchor::At(time(8, 20, 0, 0)), 0)).on(date(2026, 11, 24), &calendar), []);
}

#[test]
fn a_round_in_an_hour_that_a_clock_change_leaves_out_is_made_in_the_next_one() {
    let slots = list(due(Anchor::At(time(2, 30, 0, 0)), 0)).on(date(2026, 3, 28), &calendar("Europe/Berlin"));
    assert_eq!(slots[0].due, at("2026-03-28T02:30:00+01"));
    let weekly = [Some(Day { ready_by: time(1, 0, 0, 0), open: time(2, 0, 0, 0), close: time(9, 0, 0, 0) }); 7];
    let always = Calendar::new(TimeZone::get("Europe/Berlin").expect("a zone"), weekly, BTreeMap::new());
    let slots = list(due(Anchor::At(time(2, 30, 0, 0)), 0)).on(date(2026, 3, 29), &always);
    assert_eq!(slots[0].due, at("2026-03-29T03:30:00+02"));
}

#[rstest]
#[case::too_early(Some("07:00"), "07:49", Look::Wait)]
#[case::in_its_time(Some("07:49"), "07:50", Look::Open)]
#[case::the_hub_starts_in_its_time(Some("06:00"), "08:30", Look::Open)]
#[case::first_seen_in_its_time(None, "08:30", Look::Open)]
#[case::the_hub_was_down(Some("07:00"), "09:00", Look::Excused)]
#[case::asked_for_since(Some("08:00"), "09:00", Look::Never)]
#[case::a_new_site(None, "09:00", Look::Never)]
fn what_nobody_could_make_is_excused_and_what_nobody_asked_for_never_was(
    #[case] before: Option<&str>,
    #[case] now: &str,
    #[case] look: Look,
) {
    let slots = list(due(Anchor::Ready, 0)).on(date(2026, 11, 24), &calendar("Asia/Shanghai"));
    let at = |time: &str| at(&format!("2026-11-24T{time}:00+08"));
    assert_eq!(slots[0].look(before.map(at), at(now)), look);
}

#[test]
fn what_was_due_while_the_hub_was_down_is_found_for_a_week() {
    let (round, hours) = (list(due(Anchor::Ready, 0)), calendar("Asia/Shanghai"));
    let (before, now) = (at("2026-10-20T12:00:00+08"), at("2026-11-24T12:00:00+08"));
    let found = round.between(Some(before), now, &hours);
    let days: Vec<String> = found.iter().map(|slot| slot.day.to_string()).collect();
    let (first, last) = (days.first().map(String::as_str), days.last().map(String::as_str));
    assert_eq!((first, last), (Some("2026-11-16"), Some("2026-11-25")));
}

#[rstest]
#[case(State::Open, Deed::Answer, false, Ok(State::InProgress))]
#[case(State::InProgress, Deed::Answer, true, Ok(State::InProgress))]
#[case(State::InProgress, Deed::SignOut, false, Ok(State::SignedOut))]
#[case(State::SignedOut, Deed::Answer, true, Err(Refusal::State(State::SignedOut)))]
#[case(State::SignedOut, Deed::SignIn, true, Ok(State::SignedIn))]
#[case(State::SignedOut, Deed::SignIn, false, Err(Refusal::NoHandover))]
#[case(State::SignedOut, Deed::Dispute, true, Ok(State::Disputed))]
#[case(State::Disputed, Deed::Answer, true, Ok(State::Disputed))]
#[case(State::Disputed, Deed::SignOut, true, Ok(State::SignedOut))]
#[case(State::Disputed, Deed::SignIn, true, Err(Refusal::State(State::Disputed)))]
#[case(State::SignedIn, Deed::SignIn, true, Err(Refusal::State(State::SignedIn)))]
#[case(State::InProgress, Deed::SignIn, true, Err(Refusal::State(State::InProgress)))]
fn a_round_goes_its_way(
    #[case] from: State,
    #[case] deed: Deed,
    #[case] handover: bool,
    #[case] to: Result<State, Refusal>,
) {
    assert_eq!(from.after(deed, handover), to);
}

#[rstest]
#[case(Said::Pass, Stated::Unknown, Some(Flag::TickedUnknown))]
#[case(Said::Pass, Stated::Faulty, Some(Flag::TickedFaulty))]
#[case(Said::Pass, Stated::Fine, None)]
#[case(Said::Fail, Stated::Fine, Some(Flag::DeviceFine))]
#[case(Said::Fail, Stated::Faulty, None)]
#[case(Said::Fail, Stated::Unknown, None)]
#[case(Said::NotApplicable, Stated::Faulty, None)]
fn an_answer_that_the_device_does_not_bear_out_is_flagged(
    #[case] said: Said,
    #[case] stated: Stated,
    #[case] flag: Option<Flag>,
) {
    assert_eq!(said.flag(stated), flag);
}

#[rstest]
#[case(Said::Count(21), true)]
#[case(Said::Count(22), false)]
#[case(Said::Count(23), false)]
#[case(Said::Fail, true)]
#[case(Said::NotApplicable, false)]
fn fewer_than_there_must_be_is_a_failure(#[case] said: Said, #[case] fails: bool) {
    assert_eq!(said.is_failure(&line("balls", Some(22), Photo::None)), fails);
}

#[test]
fn nobody_signs_while_an_answer_or_a_photo_is_lacking() {
    let lines = [line("a", None, Photo::None), line("b", None, Photo::Required), line("c", None, Photo::Required)];
    let lack = |line: &str, photo| Lack { line: line.into(), photo };
    let nothing = lacking(&lines, |_| None, |_| false);
    assert_eq!(nothing, [lack("a", false), lack("b", false), lack("c", false)]);
    let said = |id: &str| Some(if id == "c" { Said::NotApplicable } else { Said::Pass });
    assert_eq!(lacking(&lines, said, |_| false), [lack("b", true)]);
    assert_eq!(lacking(&lines, said, |id| id == "b"), []);
}

#[test]
fn the_post_and_its_superiors_answer_and_nobody_else() {
    let may: Vec<Role> = Role::ALL.into_iter().filter(|role| stands_at(Some(*role), "reception")).collect();
    assert_eq!(may, [Role::Reception, Role::Leader, Role::Supervisor, Role::Manager, Role::Admin]);
    assert!(stands_at(None, "leader"));
    assert!(!stands_at(Some(Role::Leader), "supervisor") && !stands_at(Some(Role::Leader), "manager"));
}

#[test]
fn a_failed_item_opens_the_ticket_of_its_device_or_one_of_its_own() {
    let pack = Pack::built_in();
    let of_device = Line { device: Some("pc-1".parse().expect("a name")), ..line("laptops-pc-1", None, Photo::None) };
    let kind = &pack.kinds["laptop"].kind;
    let rule = failed_rule(&pack, "internet-handover", &[], &of_device, (Some(kind), "reception"));
    let ticket = rule.ticket.expect("a ticket");
    assert_eq!((&*rule.id, &*ticket.department, &*ticket.priority), (report::OF_DEVICE, "it", "P2"));
    let balls = Line { department: Some("service-centre".into()), ..line("balls", Some(22), Photo::None) };
    let rule = failed_rule(&pack, "snooker-closing", &["REC-S3.8".into()], &balls, (None, "reception"));
    let ticket = rule.ticket.expect("a ticket");
    assert_eq!((&*rule.id, &*ticket.department), ("reported/check/snooker-closing/balls", "service-centre"));
    assert_eq!((&*ticket.confirmed_by, &rule.tells[..]), ("reception", &["leader".into()][..]));
    assert!(report::is_stated(&rule.id));
}

#[test]
fn a_missed_round_is_told_to_the_superior_and_goes_up_from_there() {
    let pack = Pack::built_in();
    let rule = missed_rule(&pack, Uuid::from_u128(7 << 96), &[], &Label::new("巡场", "Patrol"));
    assert_eq!((&*rule.id, rule.ticket.is_none()), ("reported/round-00000007", true));
    assert_eq!(rule.tells, ["supervisor".into()]);
    assert!(pack.chain.alerts.contains_key(&rule.severity), "or nothing would follow it up");
}

proptest! {
    /// Whenever the hub looks, and if it was down for no longer than is made up for: each round opens or is excused exactly once, and one
    /// that could be made is never excused.
    #[test]
    fn every_round_of_a_time_is_found_once(mut looks in prop::collection::vec(0_i64..10 * 24 * 60, 1..60)) {
        looks.sort_unstable();
        looks.dedup();
        // What was due before the longest time that is made up for is of nobody any more.
        prop_assume!(looks.windows(2).all(|pair| pair[1] - pair[0] <= 7 * 24 * 60));
        let (list, calendar) = (list(due(Anchor::Ready, 0)), calendar("Asia/Shanghai"));
        let start = at("2026-11-20T00:00:00+08");
        let mut found: BTreeMap<Timestamp, Look> = BTreeMap::new();
        let mut before = None;
        for minute in &looks {
            let now = start + Span::from_mins(u32::try_from(*minute).expect("a small number"));
            for slot in list.between(before, now, &calendar) {
                let look = slot.look(before, now);
                if matches!(look, Look::Open | Look::Excused) && !found.contains_key(&slot.opens) {
                    let could = looks.iter().any(|minute| {
                        let look = start + Span::from_mins(u32::try_from(*minute).expect("a small number"));
                        look >= slot.opens && look < slot.closes
                    });
                    prop_assert_eq!(could, look == Look::Open);
                    found.insert(slot.opens, look);
                }
            }
            before = Some(now);
        }
        let [first, last] = [looks[0], looks[looks.len() - 1]]
            .map(|minute| start + Span::from_mins(u32::try_from(minute).expect("a small number")));
        let expected = date(2026, 11, 19).series(jiff::ToSpan::days(1)).take(12).flat_map(|day| list.on(day, &calendar));
        let expected = expected.filter(|slot| slot.closes > first && slot.opens <= last).count();
        prop_assert_eq!(found.len(), expected);
    }
}

#[test]
fn of_a_longer_time_in_which_the_hub_was_down_a_week_is_made_up_for() {
    let (list, calendar) = (list(due(Anchor::Ready, 0)), calendar("Asia/Shanghai"));
    let (before, now) = (at("2026-11-01T00:00:00+08"), at("2026-11-20T00:00:00+08"));
    let excused = list.between(Some(before), now, &calendar);
    let excused = excused.iter().filter(|slot| slot.look(Some(before), now) == Look::Excused);
    let days: Vec<_> = excused.map(|slot| slot.day).collect();
    // Also the day before the week: a round of the next could have opened on it.
    let week = date(2026, 11, 12).series(jiff::ToSpan::days(1)).take(8);
    assert_eq!(days, week.filter(|day| calendar.opens_on(*day)).collect::<Vec<_>>());
    assert_eq!(days.len(), 7, "it is closed on the Sunday");
}
