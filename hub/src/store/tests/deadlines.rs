//! Deadlines: counted in hours of service, standing still while others are waited for, and recorded when they are passed.

use lobby_domain::{
    sla::Promise,
    ticket::{Action, State, WaitingFor},
    time::Timestamp,
};
use rstest::rstest;

use super::{
    DARK, Database, Kind, LED, MINUTE, Store, T0, TicketRow, by, by_label, clear, commit, doer, happened, raise, setup,
    the_ticket, writer,
};
use crate::{
    fleet::Setup,
    store::{ActError, Breach, Deed},
};

/// Moves the only ticket, as somebody who has just looked at it.
pub(super) async fn act(store: &Store, action: Action, minutes: u32) -> TicketRow {
    let seen = the_ticket(store).await;
    let deed = Deed { arrived: by_label(), ..Deed::new(seen.version, "李工", doer(), at(minutes)) };
    store.act_on_ticket(seen.number.as_str(), action, deed, &setup()).await.unwrap()
}

pub(super) fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

async fn breaches(store: &Store) -> Vec<(Promise, Timestamp, String)> {
    let number = the_ticket(store).await.number;
    let breach = |Breach { promise, at, holder }| (promise, at, holder);
    store.breaches(number.as_str()).await.unwrap().into_iter().map(breach).collect()
}

async fn remind(store: &Store, minutes: u32) {
    store.remind(&setup(), at(minutes)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_is_not_done_in_time_is_recorded_once_with_who_held_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    for minutes in [4, 5, 6, 11, 12] {
        remind(store, minutes).await;
    }
    assert_eq!(happened(store).await, ["opened", "reminded", "overdue"]);
    act(store, Action::Start, 12).await;
    remind(store, 300).await;
    remind(store, 400).await;
    let expected = [(Promise::Response, at(10), String::new()), (Promise::Completion, at(240), "李工".to_owned())];
    assert_eq!(breaches(store).await, expected);
    assert_eq!(happened(store).await, ["opened", "reminded", "overdue", "start", "overdue"]);
}

#[rstest]
#[tokio::test]
async fn what_was_late_when_it_was_done_is_laid_to_nobody_else(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    act(store, Action::Accept, 20).await;
    assert_eq!(breaches(store).await, [(Promise::Response, at(10), String::new())], "nobody reminded in between");
    assert_eq!(
        happened(store).await,
        ["opened", "overdue", "reminded", "accept"],
        "two thirds of the time to arrive are gone"
    );
}

#[rstest]
#[tokio::test]
async fn waiting_for_others_costs_no_time(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    act(store, Action::Start, 5).await;
    let waits = act(store, Action::Wait(WaitingFor::Parts), 10).await;
    assert_eq!((waits.state, waits.waiting_for), (State::Waiting, Some(WaitingFor::Parts)));
    remind(store, 1000).await;
    assert_eq!(breaches(store).await, []);
    let goes_on = act(store, Action::Resume, 1000).await;
    assert_eq!((goes_on.state, goes_on.waiting_for, goes_on.complete_by), (State::InProgress, None, at(1230)));
}

#[rstest]
#[tokio::test]
async fn a_repair_that_was_none_goes_on_with_the_time_that_was_left(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    act(store, Action::Start, 5).await;
    act(store, Action::Finish, 60).await;
    commit(&mut writer, clear(LED, DARK, at(60))).await;
    let goes_on = act(store, Action::Reopen, 100).await;
    assert_eq!((goes_on.state, goes_on.fixed_at, goes_on.complete_by), (State::InProgress, None, at(280)));
    act(store, Action::Finish, 110).await;
    commit(&mut writer, raise(LED, DARK, at(120))).await;
    assert_eq!(the_ticket(store).await.complete_by, at(290), "the device says so too");
}

#[rstest]
#[tokio::test]
async fn another_priority_moves_the_deadlines_and_is_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let seen = act(store, Action::Accept, 5).await;
    let number = seen.number.as_str();
    let actor = by();
    let deed =
        |version| Deed {
            note: "备用屏可用", arrived: by_label(), ..Deed::new(version, "陈主管", &actor, at(30))
        };
    let unknown = store.set_priority(number, "P9", deed(seen.version), &setup()).await;
    assert!(matches!(unknown, Err(ActError::NoPriority { .. })), "{unknown:?}");
    let stale = store.set_priority(number, "P2", deed(seen.version - 1), &setup()).await;
    assert!(matches!(stale, Err(ActError::Conflict { .. })), "{stale:?}");
    let ticket = store.set_priority(number, "P2", deed(seen.version), &setup()).await.unwrap();
    assert_eq!((&*ticket.priority, ticket.complete_by), ("P2", at(24 * 60)));
    assert_eq!(happened(store).await.last().map(String::as_str), Some("priority"));
}

#[rstest]
#[tokio::test]
async fn deadlines_count_in_the_hours_of_duty_of_their_site(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let duty = "zone = 'Asia/Shanghai'\nhours = '08:00-18:00'";
    let duty = toml::from_str::<lobby_domain::pack::hours::DutyConfig>(duty).unwrap();
    let duty = duty.service_hours(&jiff::tz::TimeZone::UTC).unwrap();
    let settings = crate::fleet::SiteSettings { duty, ..Default::default() };
    let setup = Setup { sites: [(super::site(), settings)].into(), ..setup() };
    let seen = the_ticket(store).await;
    let deed = Deed { arrived: by_label(), ..Deed::new(seen.version, "", doer(), T0) };
    let ticket = store.set_priority(seen.number.as_str(), "P2", deed, &setup).await.unwrap();
    // It was opened at ten: 24 hours of duty are eight today, ten on each of the next days, and six on the last.
    assert_eq!(ticket.complete_by, at(2 * 24 * 60 + 4 * 60));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hubs_that_remind_at_once_say_it_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let setup = setup();
    let both = tokio::join!(store.remind(&setup, at(11)), store.remind(&setup, at(11)));
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(happened(store).await, ["opened", "overdue"]);
}
