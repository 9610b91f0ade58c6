//! The audit log, as both databases keep it.

use lobby_domain::{
    access::{Grant, Role},
    ticket::Action,
};
use rstest::rstest;

use super::{
    DARK, Database, Kind, LED, MINUTE, T0, by, by_label, commit, execute, raise, setup, site, the_ticket, writer,
};
use crate::{
    audit::{Actor, Broken, Chain},
    store::{ActError, AuditFilter, Cursor, Deed, PersonRow, Store, StoreError, TokenRow},
};

fn token(id: &str) -> TokenRow {
    let grant = Grant { role: Role::Engineering, site: Some(site()) };
    let name = format!("program {id}");
    TokenRow { id: id.into(), name, grant, created_at: T0, expires_at: None, revoked_at: None, last_used_at: None }
}

async fn make_tokens(store: &Store, count: usize) {
    for id in 0..count {
        let id = id.to_string();
        store.make_token(&token(&id), id.as_bytes(), &by()).await.unwrap();
    }
}

/// The whole log, oldest first, as `kind name action subject before after`.
async fn told(store: &Store) -> Vec<String> {
    let (rows, next) = store.audit_log(&AuditFilter::default(), None, 1000).await.unwrap().unwrap();
    assert!(next.is_none());
    let line = |row: &crate::audit::Entry| {
        let (before, after) = (row.before.as_deref().unwrap_or("-"), row.after.as_deref().unwrap_or("-"));
        format!("{} {} {} {} {before} {after}", row.actor_kind, row.actor, row.action, row.subject)
    };
    rows.iter().rev().map(line).collect()
}

#[rstest]
#[tokio::test]
async fn what_is_done_with_a_ticket_is_told_with_who_did_it_and_what_fails_is_not(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let number = the_ticket(store).await.number.to_string();
    let li = Actor::person("p1", "李工");
    let deed =
        |version| Deed { note: "马上到", arrived: by_label(), ..Deed::new(version, "李工", &li, T0 + MINUTE) };
    store.act_on_ticket(&number, Action::Accept, deed(1), &setup()).await.unwrap();
    let late = store.act_on_ticket(&number, Action::Accept, deed(1), &setup()).await;
    assert!(matches!(late, Err(ActError::Conflict { .. })), "{late:?}");
    let other = store.act_on_ticket(&number, Action::Confirm, deed(2), &setup()).await;
    assert!(matches!(other, Err(ActError::Refused(_))), "{other:?}");
    let program = Actor::program("t1", "night watch");
    let priority = the_ticket(store).await.priority;
    let other = if priority == "P3" { "P2" } else { "P3" };
    let deed = Deed { arrived: by_label(), ..Deed::new(2, "", &program, T0 + MINUTE) };
    store.set_priority(&number, other, deed, &setup()).await.unwrap();
    let expected = [
        format!("person 李工 ticket.accept {number} new accepted"),
        format!("program night watch ticket.priority {number} {priority} {other}"),
    ];
    assert_eq!(told(store).await, expected);
    let (rows, _) = store.audit_log(&AuditFilter::default(), None, 1).await.unwrap().unwrap();
    assert_eq!((rows[0].actor_id.as_str(), rows[0].site.as_deref()), ("t1", Some("demo")));
    assert_eq!(store.verify_audit().await.unwrap().unwrap().no, 2);
}

#[rstest]
#[tokio::test]
async fn of_people_and_tokens_everything_is_told_but_no_secret(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let grant = Grant { role: Role::Engineering, site: Some(site()) };
    let li = PersonRow {
        id: "li".into(),
        login: "li@hz".into(),
        name: "李工".into(),
        grant,
        further: Vec::new(),
        has_password: false,
        created_at: T0,
        disabled_at: None,
        erased_at: None,
    };
    let command = Actor { name: "uid 0".into(), ..Actor::command() };
    store.enter_person(&li, b"secret link", T0 + MINUTE, &command).await.unwrap();
    store.choose_password(b"secret link", "li", "secret hash", T0).await.unwrap();
    store.change_password(&li, "s1", "secret hash 2", T0).await.unwrap();
    store.link_person("li", b"secret link 2", T0 + MINUTE, (&command, T0)).await.unwrap();
    store.set_disabled("li", true, T0, &command).await.unwrap();
    store.set_disabled("li", true, T0, &command).await.unwrap();
    store.set_disabled("li", false, T0, &command).await.unwrap();
    store.make_token(&token("t1"), b"secret token", &command).await.unwrap();
    assert!(store.revoke_token("t1", T0, &by()).await.unwrap());
    assert!(!store.revoke_token("t1", T0, &by()).await.unwrap());
    let expected = [
        "command uid 0 person.enter li - 李工 (li@hz): engineering",
        "person 李工 password.choose li - -",
        "person 李工 password.change li - -",
        "command uid 0 person.link li - li@hz",
        "command uid 0 person.disable li enabled disabled",
        "command uid 0 person.enable li disabled enabled",
        "command uid 0 token.create t1 - program t1: engineering",
        "here  token.revoke t1 program t1: engineering -",
    ];
    let told = told(store).await;
    assert_eq!(told, expected);
    assert!(!told.iter().any(|line| line.contains("secret")));
    assert_eq!(store.verify_audit().await.unwrap().unwrap().no, 8);
}

#[rstest]
#[tokio::test]
async fn those_who_write_at_the_same_time_do_not_follow_the_same_entry(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let other = database.again().await;
    let works = (0..40_usize).map(|id| {
        let store = if id % 2 == 0 { database.store.clone() } else { other.clone() };
        async move {
            let id = id.to_string();
            store.make_token(&token(&id), id.as_bytes(), &by()).await?;
            store.revoke_token(&id, T0, &by()).await
        }
    });
    let done: Vec<Result<bool, StoreError>> = futures_util::future::join_all(works).await;
    assert!(done.iter().all(|done| matches!(done, Ok(true))), "{done:?}");
    assert_eq!(database.store.verify_audit().await.unwrap().unwrap().no, 80);
}

#[rstest]
#[tokio::test]
async fn the_database_itself_refuses_to_change_or_take_away_an_entry(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[values("UPDATE audit SET actor = 'nobody' WHERE no = 2", "DELETE FROM audit WHERE no = 2", "DELETE FROM audit")]
    statement: &'static str,
) {
    let Some(database) = Database::create(kind).await else { return };
    make_tokens(&database.store, 3).await;
    let mut tx = database.store.begin().await.unwrap();
    let refused = on!(&mut tx, "run a statement", conn => sqlx::query(statement).execute(conn).await.map(drop));
    let refused = format!("{:#}", anyhow::Error::from(refused.unwrap_err()));
    assert!(refused.contains("an entry of the audit log cannot be"), "{refused}");
    drop(tx);
    assert_eq!(database.store.verify_audit().await.unwrap().unwrap().no, 3);
}

/// Takes away what keeps entries as they are, as somebody does who can write to the database.
async fn unguarded(store: &Store) {
    let statements: &[&str] = match store {
        Store::Sqlite(_) => &["DROP TRIGGER audit_is_not_changed", "DROP TRIGGER audit_is_not_deleted"],
        Store::Postgres(_) => &["DROP TRIGGER audit_is_not_changed ON audit"],
    };
    for statement in statements {
        execute(store, (*statement).to_owned()).await;
    }
}

#[rstest]
#[case::an_edit("UPDATE audit SET subject = 'x' WHERE no = 2", Broken::Altered(2))]
#[case::one_gone("DELETE FROM audit WHERE no = 2", Broken::Missing(2))]
#[case::the_first_gone("DELETE FROM audit WHERE no = 1", Broken::Missing(1))]
#[case::the_last_gone("DELETE FROM audit WHERE no > 3", Broken::End { end: 3, head: 5 })]
#[case::all_gone("DELETE FROM audit", Broken::End { end: 0, head: 5 })]
#[case::a_number_below_all("UPDATE audit SET no = -7 WHERE no = 1", Broken::Repeated(-7))]
#[case::one_at_the_end(
    "INSERT INTO audit SELECT 6, at, actor, actor_kind, actor_id, site, action, subject, before, after, hash
        FROM audit WHERE no = 5",
    Broken::Altered(6)
)]
#[case::another_end("UPDATE audit_head SET no = 4", Broken::End { end: 5, head: 4 })]
#[tokio::test]
async fn whatever_was_done_to_the_log_is_found_with_the_first_entry_concerned(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[case] damage: &str,
    #[case] expected: Broken,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    assert_eq!(store.verify_audit().await.unwrap(), Ok(Chain::EMPTY));
    make_tokens(store, 5).await;
    assert_eq!(store.verify_audit().await.unwrap().unwrap().no, 5);
    unguarded(store).await;
    execute(store, damage.to_owned()).await;
    assert_eq!(store.verify_audit().await.unwrap(), Err(expected));
}

#[rstest]
#[tokio::test]
async fn the_log_is_read_page_by_page_the_newest_first(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    make_tokens(store, 5).await;
    let all = TokenRow { grant: Grant { role: Role::Admin, site: None }, ..token("all") };
    store.make_token(&all, b"all", &Actor::here("王工")).await.unwrap();
    let page = async |filter: &AuditFilter, after: Option<&Cursor>| {
        let (rows, next) = store.audit_log(filter, after, 4).await.unwrap().unwrap();
        (rows.into_iter().map(|row| row.no).collect::<Vec<_>>(), next)
    };
    let (first, next) = page(&AuditFilter::default(), None).await;
    assert_eq!(first, [6, 5, 4, 3]);
    let (second, next) = page(&AuditFilter::default(), next.as_ref()).await;
    assert_eq!((second, next), (vec![2, 1], None));
    let at_site = AuditFilter { site: Some(site()), ..AuditFilter::default() };
    assert_eq!(page(&at_site, None).await.0, [5, 4, 3, 2]);
    let by_wang = AuditFilter { actor: Some("王工".into()), ..AuditFilter::default() };
    assert_eq!(page(&by_wang, None).await.0, [6]);
}
