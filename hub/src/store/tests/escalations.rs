//! What nobody answers goes up the chain of command, once, with one responsible at any time.

use std::collections::BTreeMap;

use lobby_domain::{
    alert::Step,
    escalation::{Phase, Refusal, State},
    matchers::{Field, Matchers},
    restraint::{Kind as Restrained, Restraint, RestraintId},
    rule::{Rule, Severity},
    ticket::{Action, WaitingFor},
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    AlertChange, Arc, DARK, Database, Kind, LED, MINUTE, MUTED, Pack, Raise, Store, T0, all_alerts, by,
    chat_ids::person,
    clear, commit, count,
    deadlines::{act, at},
    doer, happened, raise,
    rollup::Fixed,
    setup, the_ticket, writer,
};
use crate::{
    clock::Clock,
    escalations::Escalator,
    fleet::{Fleet, Setup},
    restraints::Restraints,
    store::{Comment, Deed, EscalationRow, Made, RaiseError},
};

/// A warning without a ticket, told to the show flat.
const LOW: &str = "covers-low";
const MACHINE: &str = "covers-1";

/// What is followed up; one at most.
async fn followed(store: &Store) -> Option<EscalationRow> {
    let mut rows = store.escalations((None, None), None, 10).await.unwrap().unwrap().0;
    assert!(rows.len() <= 1, "{rows:?}");
    rows.pop()
}

/// Who has it, how it stands, and the minute of its next step.
async fn stands(store: &Store) -> (String, State, Option<i64>) {
    let row = followed(store).await.expect("something is followed up");
    let due = row.escalation.due.map(|due| due.since(T0).millis() / 60_000);
    (row.escalation.post().to_owned(), row.escalation.state, due)
}

/// Lets time pass to a minute, as the hub does.
async fn pass(store: &Store, minutes: u32) {
    for row in store.due_escalations(at(minutes)).await.unwrap() {
        assert!(store.step_escalation(row, false, &setup(), at(minutes)).await.unwrap());
    }
}

/// The posts that are told of each step, in order.
async fn told(store: &Store) -> Vec<String> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, String)> = on!(&mut tx, "read the outbox", conn => sqlx::query_as(
        "SELECT event, post FROM outbox WHERE event LIKE '%:escalated:%' AND state = 'queued' ORDER BY created_at, post")
        .fetch_all(conn).await)
    .unwrap();
    rows.into_iter().map(|(_, post)| post).collect()
}

fn expect(post: &str, state: State, due: impl Into<Option<i64>>) -> (String, State, Option<i64>) {
    (post.to_owned(), state, due.into())
}

#[rstest]
#[tokio::test]
async fn a_ticket_that_nobody_accepts_goes_up_one_level_at_a_time_and_each_is_told(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 10));
    pass(store, 9).await;
    assert_eq!(told(store).await, Vec::<String>::new());
    pass(store, 10).await;
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 15));
    assert_eq!(told(store).await, ["engineering", "leader"], "whoever had it is informed");
    pass(store, 15).await;
    pass(store, 20).await;
    assert_eq!(stands(store).await, expect("manager", State::Triggered, 35));
    assert_eq!(told(store).await, ["manager", "supervisor"], "what was not yet sent of earlier steps is not sent");
    pass(store, 35).await;
    assert_eq!(stands(store).await, expect("manager", State::Triggered, 50), "at the top it is told again");
    assert_eq!(happened(store).await, ["opened", "escalated", "escalated", "escalated", "escalated"]);
}

#[rstest]
#[tokio::test]
async fn whoever_accepts_holds_it_and_loses_it_without_progress(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    pass(store, 10).await;
    act(store, Action::Accept, 11).await;
    assert_eq!(stands(store).await, expect("leader", State::Held, 26));
    assert_eq!(told(store).await, Vec::<String>::new(), "what is answered need not be told");
    let number = the_ticket(store).await.number;
    let comment = Comment { key: None, by: "李工", actor: &by(), note: "在路上", at: at(20) };
    store.comment_on_ticket(number.as_str(), comment, &setup()).await.unwrap();
    assert_eq!(stands(store).await, expect("leader", State::Held, 35), "this is progress");
    pass(store, 35).await;
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 40));
    assert_eq!(told(store).await, ["leader"]);
    act(store, Action::Start, 36).await;
    assert_eq!(stands(store).await, expect("leader", State::Held, 240), "on site there is time to repair");
    act(store, Action::Wait(WaitingFor::Parts), 40).await;
    assert_eq!(stands(store).await, expect("leader", State::Paused, None));
    pass(store, 10_000).await;
    act(store, Action::Resume, 10_000).await;
    assert_eq!(followed(store).await.unwrap().escalation.state, State::Held);
}

#[rstest]
#[tokio::test]
async fn a_repair_is_followed_up_until_the_reporting_post_confirms_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    act(store, Action::Start, 5).await;
    act(store, Action::Finish, 30).await;
    assert_eq!(stands(store).await, expect("concierge", State::Triggered, 270));
    assert_eq!(followed(store).await.unwrap().phase, Phase::Confirm);
    commit(&mut writer(store), clear(LED, DARK, at(31))).await;
    pass(store, 270).await;
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 390));
    act(store, Action::Reopen, 271).await;
    let row = followed(store).await.unwrap();
    assert_eq!((row.phase, row.escalation.state, row.escalation.post()), (Phase::Repair, State::Held, "engineering"));
    act(store, Action::Finish, 280).await;
    act(store, Action::Confirm, 281).await;
    assert_eq!(followed(store).await, None);
    assert_eq!(told(store).await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn a_warning_without_a_ticket_is_followed_up_until_somebody_takes_notice_or_it_is_over(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(MACHINE, LOW, at(0))).await;
    let day = 24 * 60;
    assert_eq!(stands(store).await, expect("showflat", State::Triggered, day));
    let alert = all_alerts(store).await[0].id;
    store.acknowledge(alert, "小周", at(5), &by(), &setup()).await.unwrap();
    assert_eq!(stands(store).await, expect("showflat", State::Held, day + 5));
    pass(store, u32::try_from(day).unwrap() + 5).await;
    assert_eq!(stands(store).await.1, State::Triggered, "nothing has come of it");
    assert_eq!(all_alerts(store).await[0].acked, None, "somebody may take notice again");
    commit(&mut writer(store), clear(MACHINE, LOW, at(3000))).await;
    assert_eq!(followed(store).await, None);
}

#[rstest]
#[tokio::test]
async fn two_hubs_take_one_step_and_a_restart_takes_none(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    let due = store.due_escalations(at(10)).await.unwrap();
    let (one, two) = (due[0].clone(), due[0].clone());
    let setup = setup();
    let steps = tokio::join!(
        store.step_escalation(one, false, &setup, at(10)),
        store.step_escalation(two, false, &setup, at(10)),
    );
    let steps = [steps.0.unwrap(), steps.1.unwrap()];
    assert_eq!(steps.iter().filter(|ours| **ours).count(), 1, "{steps:?}");
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 15));
    assert_eq!(store.follow_unfollowed(&setup, at(11)).await.unwrap(), 0);
    assert_eq!(count(store, "escalation").await, 1);
}

#[rstest]
#[tokio::test]
async fn tickets_of_an_earlier_version_are_followed_up_from_now_on(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    act(store, Action::Accept, 1).await;
    super::execute(store, "DELETE FROM escalation".to_owned()).await;
    assert_eq!(store.follow_unfollowed(&setup(), at(60)).await.unwrap(), 1);
    assert_eq!(stands(store).await, expect("engineering", State::Held, 75));
    for table in ["escalation", "alert"] {
        super::execute(store, format!("DELETE FROM {table}")).await;
    }
    assert_eq!(store.follow_unfollowed(&setup(), at(61)).await.unwrap(), 1, "it ends although there is no alert");
    assert_eq!(followed(store).await, None);
}

#[rstest]
#[tokio::test]
async fn what_is_quiet_waits_and_begins_anew_with_its_first_post(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    pass(store, 10).await;
    let due = store.due_escalations(at(15)).await.unwrap().remove(0);
    assert!(store.step_escalation(due, true, &setup(), at(15)).await.unwrap());
    assert_eq!(stands(store).await.1, State::Paused);
    pass(store, 16).await;
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 26));
}

/// Looks as the hub does at its start, in that minute.
async fn look(store: &Store, minute: u32) {
    let clock: Arc<dyn Clock> = Arc::new(Fixed(at(minute)));
    let fleet = Arc::new(Fleet::new(Pack::built_in(), BTreeMap::new(), super::shanghai()));
    let restraints = Restraints::load(store.clone(), Arc::clone(&fleet), Arc::clone(&clock)).await.unwrap();
    Escalator::new(store, &fleet, &restraints, &clock).look().await.unwrap();
}

/// Maintenance of the display from one minute to another.
async fn quiet(store: &Store, n: u128, starts: u32, ends: u32) {
    let matchers = Matchers::new([(Field::Device, vec![LED.into()])]).unwrap();
    restrain(store, n, Restrained::Maintenance { matchers, include_firing: true }, starts, ends).await;
}

async fn silence(store: &Store, n: u128, matchers: Matchers, starts: u32, ends: u32) {
    restrain(store, n, Restrained::Silence(matchers), starts, ends).await;
}

async fn restrain(store: &Store, n: u128, kind: Restrained, starts: u32, ends: u32) {
    let restraint = Restraint {
        id: RestraintId(Uuid::from_u128(n)),
        kind,
        starts: at(starts),
        ends: Some(at(ends)),
        author: "李工".into(),
        comment: "换模组".into(),
        created_at: at(starts),
        changed_by: "".into(),
        replaces: None,
    };
    assert_eq!(store.make_restraint(&restraint, None, &by()).await.unwrap(), Made::New);
}

#[rstest]
#[case::before_its_next_step(&[(2, 8)], None, expect("engineering", State::Triggered, 18), &[])]
#[case::after_it_went_up(&[(12, 20)], Some(10), expect("engineering", State::Triggered, 30), &[])]
#[case::two_windows(&[(2, 5), (4, 8)], None, expect("engineering", State::Triggered, 18), &[])]
#[tokio::test]
async fn the_end_of_maintenance_gives_what_still_fires_its_time_anew(
    #[case] windows: &[(u32, u32)],
    #[case] stepped: Option<u32>,
    #[case] expected: (String, State, Option<i64>),
    #[case] posts: &[&str],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    if let Some(minute) = stepped {
        pass(store, minute).await;
    }
    for ((starts, ends), n) in windows.iter().zip(1..) {
        quiet(store, n, *starts, *ends).await;
    }
    for minute in 11..=20 {
        store.settle_restraints(&setup(), at(minute - 10)).await.unwrap();
    }
    if stepped.is_some() {
        store.settle_restraints(&setup(), at(20)).await.unwrap();
    }
    let ends = windows.iter().map(|(_, ends)| *ends).max().unwrap();
    assert_eq!(super::told(store, "unmuted").await.first().map(|(minute, _)| *minute), Some(i64::from(ends)));
    assert_eq!((stands(store).await, told(store).await), (expected, posts.iter().map(ToString::to_string).collect()));
    let (_, events) = store.ticket(the_ticket(store).await.number.as_str()).await.unwrap().unwrap();
    assert!(events.last().unwrap().note.starts_with("resumed "), "{events:?}");
}

#[rstest]
#[tokio::test]
async fn what_came_to_its_time_in_maintenance_that_ended_while_the_hub_was_down_begins_anew(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    quiet(store, 1, 2, 30).await;
    look(store, 40).await;
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 50));
    assert_eq!(told(store).await, Vec::<String>::new());
    assert_eq!(super::told(store, "unmuted").await.first().map(|(minute, _)| *minute), Some(40));
}

#[rstest]
#[tokio::test]
async fn a_repair_that_is_not_confirmed_in_time_goes_up_although_its_alert_is_quiet(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    act(store, Action::Start, 5).await;
    act(store, Action::Finish, 30).await;
    assert_eq!(stands(store).await, expect("concierge", State::Triggered, 270));
    quiet(store, 1, 40, 2000).await;
    look(store, 270).await;
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 390));
}

#[rstest]
#[tokio::test]
async fn who_took_notice_and_was_quiet_when_their_time_ended_is_asked_again_after_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    act(store, Action::Accept, 1).await;
    quiet(store, 1, 2, 60).await;
    look(store, 16).await;
    assert_eq!(stands(store).await.1, State::Held, "they are at it all the same");
    look(store, 60).await;
    assert_eq!(stands(store).await, expect("engineering", State::Held, 75));
    look(store, 75).await;
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 80));
}

#[rstest]
#[tokio::test]
async fn whoever_is_at_it_keeps_it_after_maintenance_with_time_anew(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    act(store, Action::Accept, 1).await;
    quiet(store, 1, 2, 8).await;
    store.settle_restraints(&setup(), at(8)).await.unwrap();
    assert_eq!(stands(store).await, expect("engineering", State::Held, 23));
    act(store, Action::Start, 9).await;
    act(store, Action::Wait(WaitingFor::Parts), 10).await;
    quiet(store, 2, 11, 12).await;
    store.settle_restraints(&setup(), at(12)).await.unwrap();
    assert_eq!(stands(store).await, expect("engineering", State::Paused, None), "the parts are not there");
}

#[rstest]
#[tokio::test]
async fn what_else_is_wrong_with_a_ticket_and_was_never_quiet_goes_on_up(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, at(0))).await;
    commit(&mut writer, raise(LED, MUTED, at(1))).await;
    let dark = all_alerts(store).await.into_iter().find(|alert| alert.rule == DARK).unwrap().id;
    let matchers = Matchers::new([(Field::Rule, vec![DARK.into()])]).unwrap();
    silence(store, 1, matchers, 2, 8).await;
    store.settle_restraints(&setup(), at(8)).await.unwrap();
    assert!(!super::told(store, "unmuted").await.is_empty());
    let alert = store.alert(dark).await.unwrap().unwrap();
    assert!(alert.ticket.is_some() && all_alerts(store).await.iter().all(|other| other.ticket == alert.ticket));
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 10));
}

#[rstest]
#[tokio::test]
async fn after_maintenance_a_ticket_is_still_whose_it_was_and_a_repair_that_is_to_be_confirmed_goes_on(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    person(store, "wang", "王工", Some("demo")).await;
    let seen = the_ticket(store).await;
    let deed = Deed { assignee: Some("王工"), ..Deed::new(seen.version, "王主管", doer(), at(1)) };
    store.act_on_ticket(seen.number.as_str(), Action::Assign, deed, &setup()).await.unwrap();
    let holder = async |store: &Store| followed(store).await.unwrap().escalation.holder.map(|holder| holder.name);
    assert_eq!(holder(store).await.as_deref(), Some("王工"));
    quiet(store, 1, 2, 8).await;
    store.settle_restraints(&setup(), at(8)).await.unwrap();
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 18));
    assert_eq!(holder(store).await.as_deref(), Some("王工"));
    act(store, Action::Start, 9).await;
    act(store, Action::Finish, 10).await;
    let confirms = stands(store).await;
    quiet(store, 2, 11, 12).await;
    store.settle_restraints(&setup(), at(12)).await.unwrap();
    assert_eq!(super::told(store, "unmuted").await.last().unwrap().0, 12);
    assert_eq!(stands(store).await, confirms, "whether it is confirmed does not depend on what was quiet");
}

#[rstest]
#[tokio::test]
async fn a_victim_that_is_quiet_no_more_does_not_move_the_ticket_of_its_cause(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    let cause = raise(LED, DARK, at(0));
    let AlertChange::Raise(source) = cause.clone() else { panic!("a raise") };
    commit(&mut writer, cause).await;
    let AlertChange::Raise(victim) = raise("lift-tv", "tv-dark", at(1)) else { panic!("a raise") };
    let victim = AlertChange::Raise(Raise { step: Step::Victim(source.id), ..victim });
    commit(&mut writer, victim).await;
    // The cause stays quiet for longer.
    quiet(store, 1, 2, 30).await;
    let matchers = Matchers::new([(Field::Device, vec!["lift-tv".into()])]).unwrap();
    silence(store, 2, matchers, 2, 8).await;
    store.settle_restraints(&setup(), at(8)).await.unwrap();
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 10));
    assert_eq!(happened(store).await, ["opened", "victim"]);
}

#[rstest]
#[tokio::test]
async fn what_is_in_use_again_and_still_wrong_is_told_again_and_has_its_time_anew(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, at(0))).await;
    let alert = all_alerts(store).await[0].id;
    for _ in 0..2 {
        commit(&mut writer, AlertChange::Unmuted(alert, at(7))).await;
    }
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 17));
    assert!(super::told(store, "unmuted").await.iter().all(|(minute, _)| *minute == 7));
    assert_eq!(happened(store).await, ["opened", "escalated"], "the same decision is no other one");
    commit(&mut writer, clear(LED, DARK, at(8))).await;
    commit(&mut writer, AlertChange::Unmuted(alert, at(9))).await;
    assert!(super::told(store, "unmuted").await.iter().all(|(minute, _)| *minute == 7), "it is over");
}

#[rstest]
#[tokio::test]
async fn a_named_person_with_a_reason_may_skip_levels_and_others_may_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    let number = the_ticket(store).await.number;
    let actor = by();
    let up = async |to: Option<&'static str>, by: &'static str, reason: &'static str| {
        store.raise_ticket(number.as_str(), to, (by, &actor, reason), &setup(), at(1)).await
    };
    for (by, reason) in [("", "客户投诉"), ("王主管", "")] {
        let refused = up(Some("manager"), by, reason).await;
        assert!(matches!(refused, Err(RaiseError::Refused(Refusal::Skips))), "{refused:?}");
    }
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 10));
    up(None, "", "").await.unwrap();
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 6));
    up(Some("manager"), "王主管", "客户投诉").await.unwrap();
    assert_eq!(stands(store).await, expect("manager", State::Triggered, 16));
    let (_, events) = store.ticket(number.as_str()).await.unwrap().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&*last.what, &*last.actor, &*last.note), ("escalated", "王主管", "by_hand leader manager\n\n客户投诉"));
    let none = store.raise_ticket("BX-202611-9999", None, ("", &by(), ""), &setup(), at(2)).await;
    assert!(matches!(none, Err(RaiseError::NotFound)), "{none:?}");
}

#[rstest]
#[tokio::test]
async fn whoever_is_on_duty_has_it_and_a_post_where_nobody_is_is_passed_over(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "wang"] {
        super::roster::enter(store, id).await;
    }
    // The leader has gone home when the display goes dark; nobody planned for supervisors, so whoever is there.
    let day = [("engineering", "li", 0, 8), ("leader", "wang", 0, 1)];
    store.import_roster(&super::site(), &super::roster::plan(20, &day), T0 - MINUTE, &by()).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(120))).await;
    let row = followed(store).await.unwrap();
    assert_eq!(row.escalation.holder.as_ref().map(|holder| &*holder.id), Some("li"));
    pass(store, 130).await;
    let row = followed(store).await.unwrap();
    assert_eq!((row.escalation.post(), row.escalation.holder.as_ref()), ("supervisor", None));
}

#[rstest]
#[tokio::test]
async fn whoever_accepts_at_the_moment_it_goes_up_holds_it_where_it_is(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    let due = store.due_escalations(at(10)).await.unwrap().remove(0);
    let setup = setup();
    let (stepped, _) = tokio::join!(store.step_escalation(due, false, &setup, at(10)), act(store, Action::Accept, 10));
    let post = if stepped.unwrap() { "leader" } else { "engineering" };
    assert_eq!(stands(store).await, expect(post, State::Held, 25));
}

/// What was told of it, to whom, in order.
async fn told_all(store: &Store) -> Vec<(String, String)> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, String)> = on!(&mut tx, "read the outbox", conn => sqlx::query_as(
        "SELECT event, post FROM outbox ORDER BY created_at, event, post").fetch_all(conn).await)
    .unwrap();
    let what = |event: String| event.split(':').nth(1).unwrap_or_default().to_owned();
    rows.into_iter().map(|(event, post)| (what(event), post)).collect()
}

#[rstest]
#[tokio::test]
async fn those_to_whom_it_went_up_hear_that_somebody_is_at_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    let taken_on = async || {
        let all = told_all(store).await.into_iter();
        all.filter(|(what, _)| what == "acknowledged").map(|(_, post)| post).collect::<Vec<_>>()
    };
    for minute in [10, 15] {
        pass(store, minute).await;
    }
    act(store, Action::Accept, 16).await;
    assert_eq!(taken_on().await, ["leader", "supervisor"], "and nobody to whom it did not go");
    act(store, Action::Start, 17).await;
    assert_eq!(taken_on().await.len(), 2, "once");
}

#[rstest]
#[tokio::test]
async fn what_somebody_has_who_goes_off_duty_is_given_to_whoever_is_there(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "wang", "zhou"] {
        super::roster::enter(store, id).await;
    }
    // Two shifts of those who repair, and afterwards the leader alone.
    let day = [("engineering", "li", 0, 1), ("engineering", "wang", 1, 2), ("leader", "zhou", 0, 9)];
    store.import_roster(&super::site(), &super::roster::plan(20, &day), T0 - MINUTE, &by()).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(55))).await;
    let relieve = async |minute: u32| {
        let mut moved = 0;
        store.relieve_escalations(&setup(), at(minute), |_| moved += 1).await.unwrap();
        let row = followed(store).await.unwrap();
        (moved, row.escalation.holder.map(|holder| holder.id.to_string()).unwrap_or_default())
    };
    assert_eq!(relieve(59).await, (0, "li".to_owned()));
    assert_eq!(relieve(60).await, (1, "wang".to_owned()));
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, 65), "the time stays");
    assert_eq!(told(store).await, ["engineering"]);
    act(store, Action::Accept, 61).await;
    assert_eq!(relieve(125).await, (0, String::new()), "somebody is at it, of whom a name alone is known");
    // It lapses, and Wang has gone meanwhile.
    pass(store, 76).await;
    assert_eq!(stands(store).await.1, State::Triggered);
    assert_eq!(relieve(121).await, (1, "zhou".to_owned()));
    assert_eq!(stands(store).await, expect("leader", State::Triggered, 126), "another level has its full time");
    let (_, events) = store.ticket(the_ticket(store).await.number.as_str()).await.unwrap().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&*last.what, &*last.note), ("escalated", "off_duty engineering leader\nzhou 工\n"));
}

#[rstest]
#[tokio::test]
async fn another_priority_is_followed_up_at_its_own_pace(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    let setup = setup();
    let minutes = |priority: &str| setup.pack.priorities[priority].respond_within.millis() / 60_000;
    let set = async |priority: &'static str, minute: u32| {
        let ticket = the_ticket(store).await;
        let deed = Deed::new(ticket.version, "王主管", doer(), at(minute));
        store.set_priority(ticket.number.as_str(), priority, deed, &setup).await.unwrap();
    };
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, minutes("P1")));
    set("P2", 5).await;
    assert_eq!(stands(store).await, expect("engineering", State::Triggered, minutes("P2")));
    pass(store, 11).await;
    assert_eq!(stands(store).await.0, "engineering", "it has longer now");
    set("P1", 12).await;
    pass(store, 12).await;
    assert_eq!(stands(store).await.0, "leader", "that time was over already");
}

#[rstest]
#[tokio::test]
async fn a_long_list_is_read_in_pages_and_by_post(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    let devices: Vec<String> = (0..7).map(|number| format!("led-{number}")).collect();
    for (minute, device) in (0..).zip(&devices) {
        commit(&mut writer, raise(device, DARK, at(minute))).await;
    }
    for row in store.due_escalations(at(12)).await.unwrap() {
        assert!(store.step_escalation(row, false, &setup(), at(12)).await.unwrap());
    }
    let pages = async |post: Option<&'static str>| {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let (rows, next) = store.escalations((None, post), after.as_ref(), 2).await.unwrap().unwrap();
            found.push(rows.iter().map(|row| row.no).collect::<Vec<_>>());
            match next {
                Some(next) => after = Some(next),
                None => return found,
            }
        }
    };
    assert_eq!(pages(None).await, [vec![4, 5], vec![6, 7], vec![1, 2], vec![3]], "what is due first before the others");
    assert_eq!(pages(Some("leader")).await, [vec![1, 2], vec![3]]);
    assert_eq!(pages(Some("manager")).await, [Vec::<i64>::new()]);
    let wrong = "nonsense".parse().unwrap();
    assert!(store.escalations((None, None), Some(&wrong), 2).await.unwrap().is_err());
}

/// That machines run low, by standards that grade it so.
fn graded(severity: Severity) -> Setup {
    let mut pack = (*Pack::built_in()).clone();
    for kind in pack.kinds.values_mut() {
        let kind = Arc::make_mut(kind);
        for rule in kind.rules.iter_mut().filter(|rule| &*rule.id == LOW) {
            *rule = Arc::new(Rule { severity, ..(**rule).clone() });
        }
    }
    Setup { pack: Arc::new(pack), ..setup() }
}

#[rstest]
#[case::that_nobody_has_seen(false)]
#[case::that_somebody_took_notice_of(true)]
#[tokio::test]
async fn an_alert_that_is_worse_by_other_standards_is_followed_up_as_that(
    #[case] noticed: bool,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(MACHINE, LOW, at(0))).await;
    let id = all_alerts(store).await[0].id;
    if noticed {
        store.acknowledge(id, "王芳", at(2), &by(), &setup()).await.unwrap();
        assert_eq!(stands(store).await.1, State::Held);
    }
    for (severity, minutes) in [(Severity::Warning, 3), (Severity::Critical, 4), (Severity::Critical, 5)] {
        store.regrade_alerts(&graded(severity), at(minutes)).await.unwrap();
    }
    // Ten minutes from when it came to them.
    let due = if noticed { 4 + 10 } else { 10 };
    assert_eq!(stands(store).await, expect("showflat", State::Triggered, due));
    let asked: &[&str] = if noticed { &["showflat"] } else { &[] };
    assert_eq!(told(store).await, asked, "once");
    let acked = all_alerts(store).await[0].acked.clone();
    assert_eq!(acked, None);
}
