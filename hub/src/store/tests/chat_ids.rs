//! By what the chats know people: kept, changed once, told in the audit log without the id, and gone with the person.

use std::collections::BTreeMap;

use lobby_domain::{
    access::{Grant, Role},
    notice::{Chat, ChatIds},
};
use rstest::rstest;

use super::{Database, Kind, MINUTE, Store, T0, Timestamp};
use crate::{
    audit::Actor,
    store::{AuditFilter, PersonError, PersonRow},
};

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

pub(super) async fn person(store: &Store, login: &str, name: &str, at_site: Option<&str>) -> PersonRow {
    let grant = Grant { role: Role::Engineering, site: at_site.map(|site| site.parse().unwrap()) };
    crate::account::enter(store, (login, name), grant, at(0), &Actor::here("")).await.unwrap().0
}

async fn set(store: &Store, person: &str, given: &[(Chat, Option<&str>)], minutes: u32) -> Result<(), PersonError> {
    let given: BTreeMap<_, _> = given.iter().map(|(chat, id)| (*chat, id.map(Into::into))).collect();
    store.set_chat_ids(person, &given, at(minutes), &Actor::here("")).await
}

fn ids(pairs: &[(Chat, &str)]) -> ChatIds {
    pairs.iter().map(|(chat, id)| (*chat, (*id).into())).collect()
}

async fn log(store: &Store) -> Vec<(String, String)> {
    let rows = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap().0;
    let mut rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.action == "person.chat_ids")
        .map(|row| (row.before.unwrap_or_default(), row.after.unwrap_or_default()))
        .collect();
    rows.reverse();
    rows
}

#[rstest]
#[tokio::test]
async fn an_id_is_kept_changed_and_forgotten_and_each_change_is_told_once_without_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = person(store, "li", "李工", Some("demo")).await;
    let wang = person(store, "wang", "王敏", Some("demo")).await;
    assert_eq!(store.chat_ids(&li.id).await.unwrap(), ChatIds::new());
    for minutes in [1, 2] {
        let both = [(Chat::Wecom, Some("LiGong")), (Chat::Dingtalk, Some("13800138000"))];
        set(store, &li.id, &both, minutes).await.unwrap();
    }
    let kept = ids(&[(Chat::Wecom, "LiGong"), (Chat::Dingtalk, "13800138000")]);
    assert_eq!(store.chat_ids(&li.id).await.unwrap(), kept);
    assert_eq!(store.all_chat_ids().await.unwrap(), BTreeMap::from([(li.id.clone(), kept)]), "nobody else's");
    // A chat that is not named stays as it is.
    set(store, &li.id, &[(Chat::Wecom, None), (Chat::Feishu, Some("ou_7d8a6e6d"))], 3).await.unwrap();
    assert_eq!(
        store.chat_ids(&li.id).await.unwrap(),
        ids(&[(Chat::Dingtalk, "13800138000"), (Chat::Feishu, "ou_7d8a6e6d")])
    );
    assert_eq!(store.mention_of(&li.id, Chat::Dingtalk).await.unwrap().as_deref(), Some("13800138000"));
    assert_eq!(store.mention_of(&li.id, Chat::Wecom).await.unwrap(), None);
    assert_eq!(store.mention_of(&wang.id, Chat::Dingtalk).await.unwrap(), None);
    let told = |before: &str, after: &str| (before.to_owned(), after.to_owned());
    assert_eq!(
        log(store).await,
        [told("none", "wecom L…, dingtalk 1…"), told("wecom L…, dingtalk 1…", "dingtalk 1…, feishu ou_7…"),]
    );
    assert!(matches!(set(store, "nobody", &[], 4).await, Err(PersonError::NotFound(_))));
}

#[rstest]
#[tokio::test]
async fn whoever_may_sign_in_no_longer_is_not_rung_up_and_whoever_is_erased_leaves_no_id(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = person(store, "li", "李工", Some("demo")).await;
    set(store, &li.id, &[(Chat::Wecom, Some("LiGong"))], 1).await.unwrap();
    store.set_disabled(&li.id, true, at(2), &Actor::here("")).await.unwrap();
    assert_eq!(store.mention_of(&li.id, Chat::Wecom).await.unwrap(), None);
    store.set_disabled(&li.id, false, at(3), &Actor::here("")).await.unwrap();
    assert_eq!(store.mention_of(&li.id, Chat::Wecom).await.unwrap().as_deref(), Some("LiGong"));
    store.erase_person(&li.id, at(4), &Actor::here("")).await.unwrap();
    assert_eq!(super::count(store, "chat_id").await, 0);
    let refused = set(store, &li.id, &[(Chat::Wecom, Some("LiGong"))], 5).await;
    assert!(matches!(refused, Err(PersonError::Erased)), "{refused:?}");
}
