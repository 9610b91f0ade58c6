//! Who works a ticket: the person who is meant, also where several are called the same.

use lobby_domain::{
    access::{Grant, Role},
    escalation::State,
    ticket::Action,
};
use rstest::rstest;

use super::{
    DARK, Database, Kind, LED, MINUTE, Store, T0, by_label, chat_ids::person, clear, commit, doer, raise, setup, site,
    the_ticket, writer,
};
use crate::{
    audit::Actor,
    store::{Deed, PersonRow},
};

#[rstest]
#[tokio::test]
async fn whoever_works_a_ticket_is_the_one_who_is_meant(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let here = site().to_string();
    let li = person(store, "li", "李工", Some(&here)).await;
    let elsewhere = person(store, "li.else", "李工", Some("other")).await;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let assign = async |said: &'static str| {
        let seen = the_ticket(store).await;
        let deed = Deed { assignee: Some(said), ..Deed::new(seen.version, "王主管", doer(), T0) };
        let given = store.act_on_ticket(seen.number.as_str(), Action::Assign, deed, &setup()).await.unwrap();
        (given.owner, given.owner_id)
    };
    let known = |row: &PersonRow| ("李工".to_owned(), Some(row.id.clone()));
    assert_eq!(assign("李工").await, known(&li));
    assert_eq!(assign("李").await, ("李".to_owned(), None));
    // By a second role the other one works here too.
    let second = Grant { role: Role::Leader, site: Some(site()) };
    store.give_grant(&elsewhere.id, &second, T0, doer()).await.unwrap();
    assert_eq!(assign("李工").await, ("李工".to_owned(), None), "nobody knows which of them is meant");
    assert_eq!(assign("Li.Else").await, known(&elsewhere), "what somebody signs in with is theirs alone");
    assert_eq!(assign("li").await, known(&li));
    store.set_disabled(&li.id, true, T0, doer()).await.unwrap();
    assert_eq!(assign("李工").await, known(&elsewhere));
    let all = person(store, "all", "赵总", None).await;
    assert_eq!(assign("赵总").await.1, Some(all.id), "whoever works everywhere works here");

    let move_on = async |action, actor: &Actor| {
        let seen = the_ticket(store).await;
        let deed = Deed { arrived: by_label(), ..Deed::new(seen.version, &actor.name, actor, T0) };
        let moved = store.act_on_ticket(seen.number.as_str(), action, deed, &setup()).await.unwrap();
        (moved.owner, moved.owner_id)
    };
    let signed_in = Actor::person(&elsewhere.id, "李工");
    assert_eq!(move_on(Action::Accept, &signed_in).await, known(&elsewhere));
    assert_eq!(move_on(Action::Start, &Actor::here("")).await, known(&elsewhere), "nobody else said that it is theirs");
    assert_eq!(move_on(Action::Finish, &Actor::here("陈工")).await, ("陈工".to_owned(), None));
    commit(&mut writer(store), clear(LED, DARK, T0 + MINUTE)).await;
    assert_eq!(move_on(Action::Confirm, &signed_in).await, ("陈工".to_owned(), None), "who confirms has not worked it");
    commit(&mut writer(store), raise(LED, DARK, T0 + MINUTE.times(2))).await;
    let reopened = the_ticket(store).await;
    assert_eq!((&*reopened.owner, reopened.owner_id), ("", None));
}

/// Which post is told that somebody was given a ticket.
async fn told(store: &Store) -> Vec<(String, String)> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, String)> = on!(&mut tx, "read the outbox", conn => sqlx::query_as(
        "SELECT event, post FROM outbox WHERE event LIKE '%:assigned:%' ORDER BY created_at").fetch_all(conn).await)
    .unwrap();
    rows.into_iter().map(|(event, post)| (event.split_once(':').unwrap().1.to_owned(), post)).collect()
}

#[rstest]
#[tokio::test]
async fn whoever_is_given_a_ticket_has_it_and_is_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "wang"] {
        super::roster::enter(store, id).await;
    }
    let day = [("engineering", "wang", 0, 9)];
    store.import_roster(&site(), &super::roster::plan(20, &day), T0 - MINUTE, doer()).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let holder = async || {
        let row = store.escalations((None, None), None, 10).await.unwrap().unwrap().0.remove(0);
        (row.escalation.state, row.escalation.holder.map(|holder| holder.id.to_string()).unwrap_or_default())
    };
    assert_eq!(holder().await, (State::Triggered, "wang".to_owned()));
    let assign = async |said: &'static str, minute: u32| {
        let seen = the_ticket(store).await;
        let at = T0 + MINUTE.times(minute);
        let deed = Deed { assignee: Some(said), ..Deed::new(seen.version, "王主管", doer(), at) };
        store.act_on_ticket(seen.number.as_str(), Action::Assign, deed, &setup()).await.unwrap();
    };
    assign("li", 1).await;
    assert_eq!(holder().await, (State::Triggered, "li".to_owned()), "one person has it, and both say who");
    assert_eq!(told(store).await, [("assigned:1795140060000".to_owned(), "engineering".to_owned())]);
    let moved = |_| unreachable!("whoever was given it by name has it until its time is over");
    store.relieve_escalations(&setup(), T0 + MINUTE.times(2), moved).await.unwrap();
    assign("somebody", 3).await;
    assert_eq!(holder().await, (State::Triggered, String::new()), "of whom a name alone is known");
}
