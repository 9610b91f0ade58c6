//! Tickets: numbered by month, joined, re-opened, and moved by one person at a time.

use lobby_domain::{
    alert::ClearReason,
    ticket::{Action, REOPEN_WINDOW, Refusal, Rejection, State, TicketNumber},
    work::{Fen, Work},
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    Batch, DARK, Database, Kind, LED, MINUTE, MUTED, Store, T0, TicketRow, TimeZone, Timestamp, alerts, all_tickets,
    by, by_label, clear, clear_because, commit, doer, happened, numbers, raise, rule, setup, the_ticket, told, writer,
};
use crate::store::{ActError, Comment, Deed};

/// Moves a ticket as somebody who has seen it so.
async fn act_as(
    store: &Store,
    seen: &TicketRow,
    action: Action,
    by: &str,
    at: Timestamp,
) -> Result<TicketRow, ActError> {
    let deed = Deed { arrived: by_label(), ..Deed::new(seen.version, by, doer(), at) };
    store.act_on_ticket(seen.number.as_str(), action, deed, &setup()).await
}

/// Moves the only ticket, as somebody who has just looked at it.
async fn act(store: &Store, action: Action, at: Timestamp) -> Result<TicketRow, ActError> {
    let seen = the_ticket(store).await;
    act_as(store, &seen, action, "李工", at).await
}

#[rstest]
#[tokio::test]
async fn tickets_are_numbered_without_gaps_by_the_month_of_their_sites_zone(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    // 2026-10-31 15:30 UTC is October in Shanghai; an hour later it is November there, and still October in London.
    let evening = Timestamp::from_millis(1_793_460_600_000);
    let later = evening + MINUTE.times(60);
    for (device, at) in [("led-1", evening), ("led-2", evening), ("led-3", later), ("led-4", later)] {
        commit(&mut writer, raise(device, DARK, at)).await;
    }
    let london = Batch { zone: TimeZone::get("Europe/London").unwrap(), ..alerts([raise("led-5", DARK, later)]) };
    writer.commit(&[london], later).await.unwrap();
    let expected = ["BX-202610-0001", "BX-202610-0002", "BX-202610-0003", "BX-202611-0001", "BX-202611-0002"];
    assert_eq!(numbers(&database.store).await, expected);
}

#[rstest]
#[tokio::test]
async fn a_new_ticket_names_its_department_its_confirming_post_and_its_deadlines(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    commit(&mut writer(&database.store), raise(LED, DARK, T0)).await;
    let ticket = the_ticket(&database.store).await;
    assert_eq!((ticket.state, ticket.version, ticket.owner.as_str()), (State::New, 1, ""));
    assert_eq!((&*ticket.department, &*ticket.priority, &*ticket.confirmed_by), ("engineering", "P1", "concierge"));
    let deadlines = [10, 30, 240].map(|minutes| T0 + MINUTE.times(minutes));
    assert_eq!([ticket.respond_by, ticket.arrive_by, ticket.complete_by], deadlines);
}

#[rstest]
#[tokio::test]
async fn a_fault_that_goes_away_by_itself_closes_no_ticket(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    let ticket = the_ticket(&database.store).await;
    assert_eq!((ticket.state, ticket.closed_at), (State::SelfRecovered, None));
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(2))).await;
    assert_eq!(the_ticket(&database.store).await.state, State::New);
    assert_eq!(happened(&database.store).await, ["opened", "recovered", "joined"]);
}

#[rstest]
#[tokio::test]
async fn a_ticket_has_recovered_only_when_the_last_of_its_alerts_is_cleared(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    commit(&mut writer, raise(LED, MUTED, T0)).await;
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    assert_eq!(the_ticket(&database.store).await.state, State::New);
    commit(&mut writer, clear(LED, MUTED, T0 + MINUTE)).await;
    assert_eq!(the_ticket(&database.store).await.state, State::SelfRecovered);
    assert_eq!(happened(&database.store).await, ["opened", "joined", "recovered"]);
}

#[rstest]
#[tokio::test]
async fn a_rule_that_is_removed_says_nothing_about_the_repair(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let mut writer = writer(&database.store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    commit(&mut writer, clear_because(LED, DARK, T0 + MINUTE, ClearReason::RuleRemoved)).await;
    assert_eq!(the_ticket(&database.store).await.state, State::New);
    assert_eq!(happened(&database.store).await, ["opened"]);
}

#[rstest]
#[tokio::test]
async fn work_that_has_begun_is_finished_by_people_whatever_the_device_says(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    act(store, Action::Start, T0).await.unwrap();
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    assert_eq!(the_ticket(store).await.state, State::InProgress);
    act(store, Action::Finish, T0 + MINUTE).await.unwrap();
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(2))).await;
    assert_eq!(the_ticket(store).await.state, State::InProgress, "it was not repaired after all");
}

#[rstest]
#[tokio::test]
async fn nobody_confirms_a_repair_while_an_alert_of_it_is_open(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    act(store, Action::Start, T0).await.unwrap();
    act(store, Action::Finish, T0 + MINUTE).await.unwrap();
    let refused = act(store, Action::Confirm, T0 + MINUTE).await;
    assert!(matches!(refused, Err(ActError::Refused(Refusal::StillFaulty))), "{refused:?}");
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(2))).await;
    let closed = act(store, Action::Confirm, T0 + MINUTE.times(3)).await.unwrap();
    assert_eq!((closed.state, closed.closed_at), (State::Closed, Some(T0 + MINUTE.times(3))));
    assert_eq!((closed.started_at, closed.fixed_at), (Some(T0), Some(T0 + MINUTE)));
    assert_eq!(closed.owner, "李工");
}

#[rstest]
#[tokio::test]
async fn a_fault_within_a_day_of_the_closing_reopens_the_ticket_and_a_later_one_opens_another(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    commit(&mut writer, clear(LED, DARK, T0)).await;
    act(store, Action::Confirm, T0).await.unwrap();
    let again = T0 + REOPEN_WINDOW;
    commit(&mut writer, raise(LED, DARK, again)).await;
    let ticket = the_ticket(store).await;
    assert_eq!((ticket.state, ticket.closed_at, ticket.owner.as_str()), (State::New, None, ""));
    assert_eq!(ticket.respond_by, again + MINUTE.times(10), "the deadlines count anew");
    assert_eq!(happened(store).await, ["opened", "recovered", "confirm", "reopened"]);
    commit(&mut writer, clear(LED, DARK, again)).await;
    act(store, Action::Confirm, again).await.unwrap();
    commit(&mut writer, raise(LED, DARK, (again + REOPEN_WINDOW).shifted(1))).await;
    let states: Vec<State> = all_tickets(store).await.iter().map(|ticket| ticket.state).collect();
    assert_eq!(states, [State::New, State::Closed]);
}

#[rstest]
#[tokio::test]
async fn whoever_decides_on_an_old_version_is_told_the_present_one(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let seen = the_ticket(store).await;
    act(store, Action::Accept, T0).await.unwrap();
    let late = act_as(store, &seen, Action::Start, "王工", T0).await;
    assert!(matches!(late, Err(ActError::Conflict { current: 2 })), "{late:?}");
    assert_eq!(happened(store).await, ["opened", "accept"]);
    let deed = Deed::new(1, "", doer(), T0);
    let none = store.act_on_ticket("BX-202611-9999", Action::Accept, deed, &setup()).await;
    assert!(matches!(none, Err(ActError::NotFound)), "{none:?}");
    let unfit = act(store, Action::Confirm, T0).await;
    assert!(matches!(unfit, Err(ActError::Refused(Refusal::NotNow { .. }))), "{unfit:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_people_who_accept_at_the_same_time_exactly_one_gets_the_ticket(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let seen = the_ticket(store).await;
    let people: Vec<String> = (0..12).map(|n| format!("engineer {n}")).collect();
    let accepts = people.iter().map(|who| act_as(store, &seen, Action::Accept, who, T0));
    let results = futures_util::future::join_all(accepts).await;
    let won: Vec<&TicketRow> = results.iter().flatten().collect();
    assert_eq!(won.len(), 1, "{results:?}");
    let conflicts = results.iter().filter(|result| matches!(result, Err(ActError::Conflict { current: 2 }))).count();
    assert_eq!(conflicts, people.len() - 1, "{results:?}");
    assert_eq!(the_ticket(store).await, *won[0]);
    assert_eq!(happened(store).await, ["opened", "accept"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_returns_while_its_repair_is_confirmed_leaves_a_ticket_that_is_plainly_open(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    commit(&mut writer, clear(LED, DARK, T0)).await;
    until_confirmation(store).await;
    for n in 1..=15 {
        let at = T0 + MINUTE.times(n);
        let returns = [alerts([raise(LED, DARK, at)])];
        // Either may be first; whoever confirms second is told so.
        let (raised, _) = tokio::join!(writer.commit(&returns, at), act(store, Action::Confirm, at));
        raised.unwrap();
        let ticket = the_ticket(store).await;
        assert!(ticket.state != State::Closed && ticket.closed_at.is_none(), "{ticket:?}");
        commit(&mut writer, clear(LED, DARK, at)).await;
        until_confirmation(store).await;
    }
}

/// Brings the only ticket, recovered, to where only the confirmation is missing.
async fn until_confirmation(store: &Store) {
    if the_ticket(store).await.state == State::InProgress {
        act(store, Action::Finish, T0).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a_ticket_that_was_closed_by_work_is_reopened_like_any_other(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    act(store, Action::Start, T0).await.unwrap();
    commit(&mut writer, clear(LED, DARK, T0)).await;
    act(store, Action::Finish, T0).await.unwrap();
    act(store, Action::Confirm, T0).await.unwrap();
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE)).await;
    let ticket = the_ticket(store).await;
    assert_eq!((ticket.state, ticket.started_at, ticket.fixed_at), (State::New, None, None));
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    assert_eq!(the_ticket(store).await.state, State::SelfRecovered);
}

#[rstest]
#[tokio::test]
async fn a_comment_is_noted_once_and_moves_nothing(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let seen = the_ticket(store).await;
    let number = seen.number.as_str();
    let actor = by();
    let comment =
        Comment {
            key: Some(Uuid::from_u128(1)), by: "周礼宾", actor: &actor, note: "客人已改道", at: T0 + MINUTE
        };
    for _ in 0..2 {
        assert_eq!(store.comment_on_ticket(number, comment, &setup()).await.unwrap(), seen, "it stands as it stood");
    }
    let other = store.comment_on_ticket(number, Comment { note: "别的话", ..comment }, &setup()).await;
    assert!(matches!(other, Err(ActError::KeyReused)), "{other:?}");
    for _ in 0..2 {
        store.comment_on_ticket(number, Comment { key: None, ..comment }, &setup()).await.unwrap();
    }
    act_as(store, &seen, Action::Accept, "李工", T0 + MINUTE)
        .await
        .expect("a comment is no change to be looked at first");
    assert_eq!(happened(store).await, ["opened", "comment", "comment", "comment", "accept"]);
    let (_, events) = store.ticket(number).await.unwrap().unwrap();
    assert_eq!((&*events[1].actor, &*events[1].note, events[1].at), ("周礼宾", "客人已改道", T0 + MINUTE));

    commit(&mut writer, clear(LED, DARK, T0)).await;
    act(store, Action::Confirm, T0).await.unwrap();
    store.comment_on_ticket(number, comment, &setup()).await.expect("what was said before it was closed was said");
    let late = store.comment_on_ticket(number, Comment { key: None, ..comment }, &setup()).await;
    assert!(matches!(late, Err(ActError::Closed)), "{late:?}");
    let none = store.comment_on_ticket("BX-202611-9999", comment, &setup()).await;
    assert!(matches!(none, Err(ActError::NotFound)), "{none:?}");
}

#[rstest]
#[tokio::test]
async fn what_is_said_of_a_repair_stays_with_it_when_it_turns_out_to_be_none(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    act(store, Action::Start, T0).await.unwrap();
    let work = |cause: &str, cost| Work::new(cause, ["网线 × 1", "扎带"], Fen::new(cost).ok()).unwrap();
    let (first, second) = (work("接口松动", 0), work("", 1250));
    for said in [Some(&first), None, Some(&second)] {
        let seen = the_ticket(store).await;
        let deed = Deed { work: said, arrived: by_label(), ..Deed::new(seen.version, "李工", doer(), T0) };
        store.act_on_ticket(seen.number.as_str(), Action::Finish, deed, &setup()).await.unwrap();
        act(store, Action::Reopen, T0).await.unwrap();
    }
    let (_, events) = store.ticket(the_ticket(store).await.number.as_str()).await.unwrap().unwrap();
    let said: Vec<_> = events.into_iter().filter(|event| event.what == "finish").map(|event| event.work).collect();
    assert_eq!(said, [Some(first), None, Some(second)]);
}

/// Rejects a ticket as somebody who has just looked at it.
async fn reject(
    store: &Store,
    number: &str,
    reason: Rejection,
    duplicate_of: Option<&str>,
    at: Timestamp,
) -> Result<TicketRow, ActError> {
    let (seen, _) = store.ticket(number).await.unwrap().unwrap();
    let deed =
        Deed {
            note: "是预定关机", duplicate_of, arrived: by_label(), ..Deed::new(seen.version, "李工", doer(), at)
        };
    store.act_on_ticket(number, Action::Reject(reason), deed, &setup()).await
}

#[rstest]
#[tokio::test]
async fn a_fault_that_is_none_of_theirs_stays_an_open_alert_and_gets_a_new_ticket_when_it_comes_back(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let first = the_ticket(store).await.number;
    let refused = reject(store, first.as_str(), Rejection::NoFaultFound, None, T0).await;
    assert!(matches!(refused, Err(ActError::Refused(Refusal::StillFaulty))), "{refused:?}");
    let rejected = reject(store, first.as_str(), Rejection::OutOfScope, None, T0 + MINUTE).await.unwrap();
    assert_eq!((rejected.state, rejected.rejected), (State::Closed, Some(Rejection::OutOfScope)));
    assert_eq!((rejected.closed_at, rejected.owner.as_str()), (Some(T0 + MINUTE), ""));
    assert_eq!(store.remind(&setup(), T0 + MINUTE.times(600)).await.unwrap(), [], "its clocks stand still");
    let alert = super::all_alerts(store).await.remove(0);
    assert_eq!((alert.cleared_at, alert.ticket.as_deref()), (None, Some(first.as_str())));
    let posts = rule(DARK).tells.len();
    assert_eq!(
        (told(store, "raised").await.len(), told(store, "rejected").await.len()),
        (posts, posts),
        "back to them"
    );
    assert_eq!(store.rejected_tickets(None).await.unwrap(), [rejected], "as long as the fault is there");
    assert_eq!(store.rejected_tickets(Some(&"other".parse().unwrap())).await.unwrap(), []);

    commit(&mut writer, clear(LED, DARK, T0 + MINUTE.times(2))).await;
    assert_eq!(store.rejected_tickets(None).await.unwrap(), []);
    assert_eq!(the_ticket(store).await.state, State::Closed);
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(3))).await;
    let states: Vec<State> = all_tickets(store).await.iter().map(|ticket| ticket.state).collect();
    assert_eq!(states, [State::New, State::Closed]);
}

#[rstest]
#[tokio::test]
async fn a_fault_that_nobody_found_reopens_its_ticket_when_it_comes_back(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let number = the_ticket(store).await.number;
    act(store, Action::Start, T0).await.unwrap();
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    reject(store, number.as_str(), Rejection::NoFaultFound, None, T0 + MINUTE).await.unwrap();
    commit(&mut writer, raise(LED, DARK, T0 + MINUTE.times(2))).await;
    let ticket = the_ticket(store).await;
    assert_eq!((ticket.state, ticket.rejected), (State::New, None));
    assert_eq!(happened(store).await, ["opened", "start", "recovered", "reject", "reopened"]);
}

#[rstest]
#[tokio::test]
async fn a_duplicate_gives_its_faults_to_another_open_ticket_of_the_site(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    for (device, at) in [("led-1", 0), ("led-2", 1), ("led-3", 2)] {
        commit(&mut writer, raise(device, DARK, T0 + MINUTE.times(at))).await;
    }
    let numbers = numbers(store).await;
    let [original, duplicate, closed] = numbers.as_slice() else { panic!("{numbers:?}") };
    let elsewhere = Batch { site: "other".parse().unwrap(), ..alerts([raise(LED, DARK, T0)]) };
    writer.commit(&[elsewhere], T0).await.unwrap();
    let abroad = all_tickets(store).await.into_iter().find(|ticket| ticket.site.as_str() == "other").unwrap().number;
    reject(store, closed, Rejection::OutOfScope, None, T0).await.unwrap();
    for none in [None, Some(duplicate.as_str()), Some(closed), Some(abroad.as_str()), Some("BX-202611-9999")] {
        let refused = reject(store, duplicate, Rejection::Duplicate, none, T0).await;
        assert!(matches!(refused, Err(ActError::NoOriginal)), "{none:?}: {refused:?}");
    }
    // The original is said to be repaired: with a fault that is there it is not.
    let (seen, _) = store.ticket(original).await.unwrap().unwrap();
    let working = act_as(store, &seen, Action::Start, "李工", T0).await.unwrap();
    let fixed = act_as(store, &working, Action::Finish, "李工", T0).await.unwrap();
    commit(&mut writer, clear("led-1", DARK, T0 + MINUTE.times(3))).await;

    let at = T0 + MINUTE.times(4);
    let rejected = reject(store, duplicate, Rejection::Duplicate, Some(original), at).await.unwrap();
    assert_eq!((rejected.state, rejected.rejected), (State::Closed, Some(Rejection::Duplicate)));
    assert_eq!(rejected.duplicate_of, Some(TicketNumber::from_text(original)));
    let late = act_as(store, &fixed, Action::Confirm, "周礼宾", at).await;
    assert!(matches!(late, Err(ActError::Conflict { .. })), "{late:?}");
    let (taker, events) = store.ticket(original).await.unwrap().unwrap();
    assert_eq!(taker.state, State::InProgress);
    let last = events.last().unwrap();
    assert_eq!((&*last.what, &*last.note), ("duplicate", duplicate.as_str()));
    act_as(store, &taker, Action::Finish, "李工", at).await.unwrap();
    let (fixed, _) = store.ticket(original).await.unwrap().unwrap();
    let refused = act_as(store, &fixed, Action::Confirm, "周礼宾", at).await;
    assert!(matches!(refused, Err(ActError::Refused(Refusal::StillFaulty))), "{refused:?}");
    commit(&mut writer, clear("led-2", DARK, at)).await;
    act_as(store, &fixed, Action::Confirm, "周礼宾", at).await.unwrap();
    commit(&mut writer, raise("led-2", DARK, at + MINUTE)).await;
    assert_eq!(super::numbers(store).await.len(), 5, "a fault that comes back after a duplicate is reported anew");
}

#[rstest]
#[tokio::test]
async fn a_ticket_is_given_to_somebody_who_then_accepts_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let assign = async |assignee: Option<&'static str>| {
        let seen = the_ticket(store).await;
        let deed =
            Deed { note: "请先看电源", assignee, ..Deed::new(seen.version, "王主管", doer(), T0 + MINUTE) };
        store.act_on_ticket(seen.number.as_str(), Action::Assign, deed, &setup()).await
    };
    for nobody in [None, Some("")] {
        assert!(matches!(assign(nobody).await, Err(ActError::NoAssignee)));
    }
    let given = assign(Some("李工")).await.unwrap();
    assert_eq!((given.state, &*given.owner, given.accepted_at), (State::Assigned, "李工", None));
    act(store, Action::Accept, T0 + MINUTE.times(2)).await.unwrap();
    let given = assign(Some("赵工")).await.unwrap();
    assert_eq!((given.state, &*given.owner, given.accepted_at), (State::Assigned, "赵工", None), "to somebody else");
    let (_, events) = store.ticket(given.number.as_str()).await.unwrap().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&*last.what, &*last.actor, &*last.note), ("assign", "王主管", "赵工\n请先看电源"));
}
