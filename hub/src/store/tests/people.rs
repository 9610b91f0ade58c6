//! People, links and sessions, as both databases keep them.

use lobby_domain::{
    access::{Grant, Role},
    time::Timestamp,
};
use rstest::rstest;

use super::{Database, Kind, MINUTE, T0, by};
use crate::store::{LinkFor, PersonError, PersonRow, SessionRow, Store};

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

fn person(id: &str, role: Role) -> PersonRow {
    PersonRow {
        id: id.into(),
        login: format!("{id}@hz"),
        name: "李工".into(),
        grant: Grant { role, site: None },
        further: Vec::new(),
        has_password: false,
        created_at: T0,
        disabled_at: None,
        erased_at: None,
    }
}

/// Somebody who has chosen a password.
async fn active(store: &Store, id: &str, role: Role) -> PersonRow {
    let row = person(id, role);
    store.enter_person(&row, id.as_bytes(), at(10), &by()).await.unwrap();
    store.choose_password(id.as_bytes(), id, "a hash", T0).await.unwrap();
    PersonRow { has_password: true, ..row }
}

async fn session(store: &Store, person: &str, id: &str, minutes: u32) {
    let row = SessionRow {
        id: id.into(),
        person: person.into(),
        browser: "Firefox".into(),
        created_at: at(minutes),
        expires_at: at(minutes + 60),
        last_used_at: at(minutes),
    };
    store.open_session(&row, id.as_bytes(), b"a browser").await.unwrap();
}

async fn sessions(store: &Store, person: &str) -> Vec<String> {
    store.sessions_of(person, at(2)).await.unwrap().into_iter().map(|row| row.id).collect()
}

#[rstest]
#[tokio::test]
async fn the_first_administrator_is_made_once_however_many_links_there_were(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    assert!(!store.has_people().await.unwrap());
    store.link_first_admin(b"old").await.unwrap();
    store.link_first_admin(b"new").await.unwrap();
    assert_eq!(store.link(b"old", T0).await.unwrap(), None, "the newer link took its place");
    assert_eq!(store.link(b"new", T0).await.unwrap(), Some(LinkFor::FirstAdmin));
    let refused = store.enter_first_admin(b"old", &person("li", Role::Admin), "a hash").await;
    assert!(matches!(refused, Err(PersonError::Link)), "{refused:?}");
    store.enter_first_admin(b"new", &person("li", Role::Admin), "a hash").await.unwrap();
    let again = store.enter_first_admin(b"new", &person("wang", Role::Admin), "a hash").await;
    assert!(matches!(again, Err(PersonError::Link)), "{again:?}");
    let people = store.people().await.unwrap();
    assert_eq!(people, [PersonRow { has_password: true, ..person("li", Role::Admin) }]);
    assert!(store.has_people().await.unwrap());
}

#[rstest]
#[tokio::test]
async fn two_who_open_the_same_link_at_once_choose_one_password(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.enter_person(&person("li", Role::Engineering), b"link", at(10), &by()).await.unwrap();
    let (one, other) = tokio::join!(
        store.choose_password(b"link", "li", "one", T0),
        store.choose_password(b"link", "li", "other", T0)
    );
    assert_eq!([one.is_ok(), other.is_ok()].into_iter().filter(|ok| *ok).count(), 1, "{one:?} {other:?}");
    let kept = store.password_of("li").await.unwrap().unwrap();
    assert_eq!(kept, if one.is_ok() { "one" } else { "other" });
}

#[rstest]
#[tokio::test]
async fn a_link_is_good_until_its_end_and_a_new_one_takes_its_place(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, li) = (&database.store, person("li", Role::Concierge));
    store.enter_person(&li, b"first", at(10), &by()).await.unwrap();
    let taken = store.enter_person(&PersonRow { id: "other".into(), ..li.clone() }, b"x", at(10), &by()).await;
    assert!(matches!(taken, Err(PersonError::Taken(login)) if login == "li@hz"));
    assert_eq!(store.link(b"first", at(9)).await.unwrap(), Some(LinkFor::Person(li.clone())));
    assert_eq!(store.link(b"first", at(10)).await.unwrap(), None, "it is over");
    store.link_person("li", b"second", at(20), (&by(), T0)).await.unwrap();
    assert_eq!(store.link(b"first", T0).await.unwrap(), None);
    assert_eq!(store.link(b"second", T0).await.unwrap(), Some(LinkFor::Person(li)));
    assert!(matches!(store.link_person("nobody", b"y", at(1), (&by(), T0)).await, Err(PersonError::NotFound(_))));
}

#[rstest]
#[tokio::test]
async fn a_session_is_good_until_it_ends_or_its_person_changes_the_password_or_is_disabled(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let boss = active(store, "boss", Role::Admin).await;
    let li = active(store, "li", Role::Engineering).await;
    session(store, "li", "phone", 0).await;
    session(store, "li", "desk", 1).await;
    let (found, who) = store.session_by_hash(b"phone", at(59)).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), &who), ("phone", &li));
    assert!(store.session_by_hash(b"phone", at(60)).await.unwrap().is_none(), "it has ended by itself");
    assert_eq!(sessions(store, "li").await, ["desk", "phone"], "the last used first");

    store.session_used(&found, at(2)).await.unwrap();
    assert_eq!(sessions(store, "li").await, ["phone", "desk"]);
    store.change_password(&li, "phone", "another hash", at(2)).await.unwrap();
    assert_eq!(sessions(store, "li").await, ["phone"], "whoever changes it stays signed in there alone");
    store.set_disabled("li", true, at(2), &by()).await.unwrap();
    assert!(sessions(store, "li").await.is_empty());
    session(store, "li", "late", 2).await;
    assert!(store.session_by_hash(b"late", at(2)).await.unwrap().is_none(), "who is disabled is not signed in");
    store.set_disabled("li", false, at(2), &by()).await.unwrap();
    assert!(store.session_by_hash(b"late", at(2)).await.unwrap().is_some());
    store.end_session(&boss, "late", at(2)).await.unwrap();
    assert!(store.session_by_hash(b"late", at(2)).await.unwrap().is_some(), "it is not theirs to end");
    store.end_session(&li, "late", at(2)).await.unwrap();
    assert!(store.session_by_hash(b"late", at(2)).await.unwrap().is_none());
}

#[rstest]
#[tokio::test]
async fn a_browser_is_known_to_its_person_alone_until_the_password_is_set_by_a_link(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    active(store, "li", Role::Engineering).await;
    active(store, "wang", Role::Engineering).await;
    session(store, "li", "phone", 0).await;
    assert!(store.knows_browser(b"a browser", "li", at(1)).await.unwrap());
    assert!(!store.knows_browser(b"a browser", "wang", at(1)).await.unwrap());
    store.link_person("li", b"link", at(10), (&by(), T0)).await.unwrap();
    store.choose_password(b"link", "li", "a hash", at(1)).await.unwrap();
    assert!(!store.knows_browser(b"a browser", "li", at(1)).await.unwrap());
    assert!(sessions(store, "li").await.is_empty());
}

#[rstest]
#[tokio::test]
async fn the_last_administrator_of_all_sites_cannot_be_disabled_even_by_two_at_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    active(store, "li", Role::Admin).await;
    store.enter_person(&person("new", Role::Admin), b"unused", at(10), &by()).await.unwrap();
    let refused = store.set_disabled("li", true, T0, &by()).await;
    assert!(matches!(refused, Err(PersonError::LastAdmin)), "whoever has no password cannot sign in: {refused:?}");
    active(store, "wang", Role::Admin).await;
    let (li, wang) = {
        let by = by();
        tokio::join!(store.set_disabled("li", true, T0, &by), store.set_disabled("wang", true, T0, &by))
    };
    assert_eq!([li.is_ok(), wang.is_ok()].into_iter().filter(|ok| *ok).count(), 1, "{li:?} {wang:?}");
}

#[rstest]
#[tokio::test]
async fn whoever_is_erased_is_named_nowhere_and_cannot_come_back(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    active(store, "boss", Role::Admin).await;
    active(store, "li", Role::Engineering).await;
    active(store, "wang", Role::Engineering).await;
    session(store, "li", "phone", 0).await;
    let name = store.erase_person("li", at(1), &by()).await.unwrap();
    assert_eq!(name, "已删除人员 1 / Former member 1");
    assert_eq!(store.person_by_login("li@hz").await.unwrap(), None);
    assert_eq!(store.password_of("li").await.unwrap(), None);
    assert!(store.session_by_hash(b"phone", at(1)).await.unwrap().is_none() && sessions(store, "li").await.is_empty());
    assert!(!store.knows_browser(b"a browser", "li", at(1)).await.unwrap());
    let people = store.people().await.unwrap();
    let row = people.iter().find(|row| row.id == "li").unwrap();
    assert_eq!((&*row.login, &row.name, row.has_password), ("former member 1", &name, false));
    assert_eq!((row.disabled_at, row.erased_at), (Some(at(1)), Some(at(1))));

    assert_eq!(store.erase_person("li", at(2), &by()).await.unwrap(), name, "once more changes nothing");
    let back = store.set_disabled("li", false, at(2), &by()).await;
    assert!(matches!(back, Err(PersonError::Erased)), "{back:?}");
    let link = store.link_person("li", b"another", at(10), (&by(), at(2))).await;
    assert!(matches!(link, Err(PersonError::Erased)), "{link:?}");
    store.set_disabled("wang", true, at(2), &by()).await.unwrap();
    assert_eq!(store.erase_person("wang", at(3), &by()).await.unwrap(), "已删除人员 2 / Former member 2");
    let wang = store.people().await.unwrap().into_iter().find(|row| row.id == "wang").unwrap();
    assert_eq!(wang.disabled_at, Some(at(2)), "since when they were out is known");
    active(store, "li2", Role::Engineering).await;

    let last = store.erase_person("boss", at(3), &by()).await;
    assert!(matches!(last, Err(PersonError::LastAdmin)), "{last:?}");
    let nobody = store.erase_person("nobody", at(3), &by()).await;
    assert!(matches!(nobody, Err(PersonError::NotFound(_))), "{nobody:?}");
    let (log, _) = store.audit_log(&crate::store::AuditFilter::default(), None, 20).await.unwrap().unwrap();
    let erased: Vec<_> = log.iter().filter(|entry| entry.action == "person.erase").collect();
    assert_eq!(erased.len(), 2, "each once");
    assert_eq!((&*erased[1].subject, erased[1].after.as_deref()), ("li", Some("former member 1")));
}
