//! What people hold, as both databases keep it.

use lobby_contract::SiteId;
use lobby_domain::{
    access::{Grant, Role},
    roster::Staffing,
    time::Timestamp,
};
use rstest::rstest;

use super::{DARK, Database, Kind, LED, MINUTE, T0, by, commit, outbox::expand, raise, roster, site, writer};
use crate::store::{AuditFilter, DeliveryFilter, PersonError, PersonRow, Store, channel_of};

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

fn grant(role: Role, at: Option<&str>) -> Grant {
    Grant { role, site: at.map(|site| site.parse().unwrap()) }
}

/// Somebody who has chosen a password.
async fn person(store: &Store, login: &str, first: Grant) -> PersonRow {
    let (row, link) = crate::account::enter(store, (login, login), first, T0, &by()).await.unwrap();
    store.choose_password(&crate::token::hash(&link), &row.id, "a hash", T0).await.unwrap();
    PersonRow { has_password: true, ..row }
}

async fn held(store: &Store, login: &str) -> Vec<String> {
    let row = store.person_by_login(login).await.unwrap().unwrap();
    let people = store.people().await.unwrap();
    assert!(people.contains(&row), "it is the same in the list");
    row.grants().map(ToString::to_string).collect()
}

/// What the audit log says of what people hold, the oldest first: what was done, and how it was before and after.
async fn log(store: &Store) -> Vec<(String, String, String)> {
    let (log, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    let of_grants = log.into_iter().rev().filter(|entry| matches!(&*entry.action, "person.grant" | "person.revoke"));
    of_grants.map(|entry| (entry.action, entry.before.unwrap_or_default(), entry.after.unwrap_or_default())).collect()
}

#[rstest]
#[tokio::test]
async fn roles_are_granted_and_taken_away_once_however_often_that_is_asked(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (manager, supervisor) = (grant(Role::Manager, Some("hz-01")), grant(Role::Supervisor, Some("hz-02")));
    let zhou = person(store, "zhou", manager.clone()).await;
    for minute in [1, 2] {
        let row = store.give_grant(&zhou.id, &supervisor, at(minute), &by()).await.unwrap();
        assert_eq!(row.grants().collect::<Vec<_>>(), [&manager, &supervisor]);
    }
    let again = store.give_grant(&zhou.id, &manager, at(3), &by()).await.unwrap();
    assert_eq!(again.further, std::slice::from_ref(&supervisor), "what stands with them is not given twice");
    assert_eq!(held(store, "zhou").await, ["manager at hz-01", "supervisor at hz-02"]);

    // What they were granted first is taken away: the next becomes the first.
    for minute in [4, 5] {
        let row = store.take_grant(&zhou.id, &manager, at(minute), &by()).await.unwrap();
        assert_eq!((&row.grant, row.further.len()), (&supervisor, 0));
    }
    let only = store.take_grant(&zhou.id, &supervisor, at(6), &by()).await;
    assert!(matches!(only, Err(PersonError::OnlyGrant)), "{only:?}");
    assert_eq!(held(store, "zhou").await, ["supervisor at hz-02"]);
    let expected = [
        ("person.grant", "manager at hz-01", "manager at hz-01, supervisor at hz-02"),
        ("person.revoke", "manager at hz-01, supervisor at hz-02", "supervisor at hz-02"),
    ];
    let expected = expected.map(|(action, before, after)| (action.to_owned(), before.to_owned(), after.to_owned()));
    assert_eq!(log(store).await, expected, "each change once");
    let of_site = AuditFilter { site: Some("hz-02".parse().unwrap()), ..AuditFilter::default() };
    let (entries, _) = store.audit_log(&of_site, None, 100).await.unwrap().unwrap();
    assert!(entries.iter().any(|entry| entry.action == "person.grant"), "the site's log has it");
}

#[rstest]
#[tokio::test]
async fn the_same_role_granted_twice_at_once_is_held_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let zhou = person(store, "zhou", grant(Role::Viewer, None)).await;
    let (leader, by) = (grant(Role::Leader, Some("hz-01")), by());
    let give = || store.give_grant(&zhou.id, &leader, at(1), &by);
    let (one, other) = tokio::join!(give(), give());
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert_eq!(held(store, "zhou").await, ["viewer at all sites", "leader at hz-01"]);
    assert_eq!(log(store).await.len(), 1, "and audited once");
}

#[rstest]
#[tokio::test]
async fn the_last_administrator_stays_one_by_whichever_grant(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, admin) = (&database.store, grant(Role::Admin, None));
    let boss = person(store, "boss", admin.clone()).await;
    let zhou = person(store, "zhou", grant(Role::Manager, Some("hz-01"))).await;
    store.give_grant(&boss.id, &grant(Role::Viewer, None), at(1), &by()).await.unwrap();
    let last = store.take_grant(&boss.id, &admin, at(1), &by()).await;
    assert!(matches!(last, Err(PersonError::LastAdmin)), "{last:?}");

    // An administrator of one site administers no other, and whoever may not sign in administers nothing.
    store.give_grant(&zhou.id, &grant(Role::Admin, Some("hz-01")), at(2), &by()).await.unwrap();
    let refused = store.set_disabled(&boss.id, true, at(2), &by()).await;
    assert!(matches!(refused, Err(PersonError::LastAdmin)), "{refused:?}");
    store.give_grant(&zhou.id, &admin, at(3), &by()).await.unwrap();
    store.set_disabled(&zhou.id, true, at(3), &by()).await.unwrap();
    let refused = store.take_grant(&boss.id, &admin, at(3), &by()).await;
    assert!(matches!(refused, Err(PersonError::LastAdmin)), "{refused:?}");
    store.set_disabled(&zhou.id, false, at(4), &by()).await.unwrap();

    // Zhou is one by a further grant: of the two one stays, even if both are taken away at once, in whichever way.
    let by = by();
    let (taken, disabled) =
        tokio::join!(store.take_grant(&boss.id, &admin, at(5), &by), store.set_disabled(&zhou.id, true, at(5), &by));
    assert_eq!([taken.is_ok(), disabled.is_ok()].into_iter().filter(|ok| *ok).count(), 1, "{taken:?} {disabled:?}");
    let people = store.people().await.unwrap();
    assert_eq!(people.iter().filter(|row| row.is_admin() && row.disabled_at.is_none()).count(), 1);
    if disabled.is_err() {
        let erased = store.erase_person(&zhou.id, at(6), &by).await;
        assert!(matches!(erased, Err(PersonError::LastAdmin)), "{erased:?}");
    }
}

#[rstest]
#[tokio::test]
async fn whoever_is_disabled_keeps_what_they_hold_and_whoever_is_erased_does_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    person(store, "boss", grant(Role::Admin, None)).await;
    let zhou = person(store, "zhou", grant(Role::Manager, Some("hz-01"))).await;
    let leader = grant(Role::Leader, Some("hz-02"));
    store.give_grant(&zhou.id, &leader, at(1), &by()).await.unwrap();
    store.set_disabled(&zhou.id, true, at(2), &by()).await.unwrap();
    store.set_disabled(&zhou.id, false, at(3), &by()).await.unwrap();
    assert_eq!(held(store, "zhou").await, ["manager at hz-01", "leader at hz-02"]);

    store.erase_person(&zhou.id, at(4), &by()).await.unwrap();
    assert_eq!(held(store, "former member 1").await, ["manager at hz-01"]);
    for refused in [
        store.give_grant(&zhou.id, &leader, at(5), &by()).await,
        store.take_grant(&zhou.id, &leader, at(5), &by()).await,
    ] {
        assert!(matches!(refused, Err(PersonError::Erased)), "{refused:?}");
    }
    let nobody = store.give_grant("nobody", &leader, at(5), &by()).await;
    assert!(matches!(nobody, Err(PersonError::NotFound(_))), "{nobody:?}");
}

#[rstest]
#[tokio::test]
async fn a_roster_names_nobody_where_they_hold_nothing_any_more(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let here = grant(Role::Concierge, Some(site().as_str()));
    roster::enter(store, "wang").await;
    store.give_grant("wang", &here, at(0), &by()).await.unwrap();
    let plan = roster::plan(23, &[("concierge", "wang", -1, 8)]);
    store.import_roster(&site(), &plan, at(1), &by()).await.unwrap();
    let on_duty = async |minute| store.staffing(&site(), "concierge", at(minute)).await.unwrap();
    assert!(matches!(on_duty(2).await, Staffing::People(people) if people.len() == 1));

    // They still hold something here: the duty stays.
    store.give_grant("wang", &grant(Role::Leader, Some(site().as_str())), at(3), &by()).await.unwrap();
    store.take_grant("wang", &grant(Role::Concierge, None), at(3), &by()).await.unwrap();
    store.take_grant("wang", &here, at(3), &by()).await.unwrap();
    assert!(matches!(on_duty(4).await, Staffing::People(_)));

    store.give_grant("wang", &grant(Role::Leader, Some("other")), at(5), &by()).await.unwrap();
    store.take_grant("wang", &grant(Role::Leader, Some(site().as_str())), at(6), &by()).await.unwrap();
    assert_eq!(on_duty(7).await, Staffing::Nobody, "the post is known to have nobody");
    let last = log(store).await.pop().unwrap();
    assert_eq!(last.2, format!("leader at other; 1 of their duties at {} ended", site()));
    let rows = store.duties(&site(), at(0), at(600)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.duty.until).collect::<Vec<_>>(), [at(6)], "what has been stays");
}

/// Somebody with a confirmed address.
async fn reachable(store: &Store, login: &str, first: Grant) -> PersonRow {
    let row = person(store, login, first).await;
    store.ask_contact(&row, &format!("{login}@example.com"), b"proof", at(0)).await.unwrap();
    store.confirm_contact(&row, |_, proof| proof == b"proof", at(0)).await.unwrap();
    row
}

/// What is or was to be told to somebody: of each event its state.
async fn told(store: &Store, person: &PersonRow) -> Vec<String> {
    let filter = DeliveryFilter { channel: Some(channel_of(&person.id)), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, None, 100).await.unwrap().unwrap().0;
    rows.into_iter().map(|row| row.state).collect()
}

#[rstest]
#[tokio::test]
async fn people_are_told_what_each_post_that_they_hold_at_the_site_is_told(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, here) = (&database.store, site());
    let first = grant(Role::Showflat, Some(here.as_str()));
    let li = reachable(store, "li", first.clone()).await;
    let wang = reachable(store, "wang", first).await;
    store.give_grant(&li.id, &grant(Role::Engineering, Some(here.as_str())), at(0), &by()).await.unwrap();
    store.give_grant(&wang.id, &grant(Role::Engineering, Some("other")), at(0), &by()).await.unwrap();
    let mailboxes = store.mailboxes().await.unwrap();
    let of_wang = mailboxes.iter().find(|one| one.person == wang.id).unwrap();
    let other: SiteId = "other".parse().unwrap();
    assert_eq!(of_wang.sites(), Some(vec![&here, &other]));
    let channels: Vec<String> = mailboxes.iter().map(|one| channel_of(&one.person)).collect();
    let names: Vec<&str> = channels.iter().map(String::as_str).collect();
    store.know_channels(&names, at(0)).await.unwrap();
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    expand(store, &[], &mailboxes).await;
    assert_eq!(told(store, &li).await, ["queued"], "the engineer of this site");
    assert_eq!(told(store, &wang).await, [""; 0], "who is that at another one");

    // What waits stays as long as they hold anything there, and goes when they do not.
    store.cancel_elsewhere(&channel_of(&li.id), &[&other, &here], at(2)).await.unwrap();
    assert_eq!(told(store, &li).await, ["queued"]);
    store.cancel_elsewhere(&channel_of(&li.id), &[&other, &"hz-0".parse().unwrap()], at(3)).await.unwrap();
    assert_eq!(told(store, &li).await, ["cancelled"]);
}

#[rstest]
#[tokio::test]
async fn what_waits_for_a_post_is_not_sent_to_whoever_has_lost_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, here) = (&database.store, site());
    let [showflat, engineering] = [Role::Showflat, Role::Engineering].map(|role| grant(role, Some(here.as_str())));
    let li = reachable(store, "li", showflat.clone()).await;
    store.give_grant(&li.id, &engineering, at(0), &by()).await.unwrap();
    let mailbox = async || store.mailboxes().await.unwrap().into_iter().find(|one| one.person == li.id).unwrap();
    let look = async |minutes: u32| {
        let one = mailbox().await;
        store.know_channels(&[&channel_of(&li.id)], at(minutes)).await.unwrap();
        expand(store, &[], &[one]).await;
    };
    look(0).await;
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    look(1).await;
    assert_eq!(told(store, &li).await, ["queued"]);
    // Another post than the one that it waits for.
    store.take_grant(&li.id, &showflat, at(2), &by()).await.unwrap();
    assert_eq!(store.cancel_left(&mailbox().await, at(2)).await.unwrap(), 0);
    store.give_grant(&li.id, &showflat, at(3), &by()).await.unwrap();
    store.take_grant(&li.id, &engineering, at(3), &by()).await.unwrap();
    assert_eq!(store.cancel_left(&mailbox().await, at(3)).await.unwrap(), 1);
    assert_eq!(store.cancel_left(&mailbox().await, at(3)).await.unwrap(), 0, "once");
    assert_eq!(told(store, &li).await, ["cancelled"]);
    let filter = DeliveryFilter { channel: Some(channel_of(&li.id)), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, None, 10).await.unwrap().unwrap().0;
    assert_eq!(rows[0].why, "left");
}
