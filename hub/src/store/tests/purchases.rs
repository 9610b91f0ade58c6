//! What is to be bought for a month, as both databases keep it.

use lobby_domain::purchase::{Act, Proposal, Refusal};
use rstest::rstest;

use super::{Database, Kind, T0, site};
use crate::{
    audit::Actor,
    store::{AuditFilter, PurchaseDeed, PurchaseError, PurchaseKey, Store},
};

fn proposal(pieces: i64) -> Proposal {
    Proposal {
        month: "2026-12".into(),
        made_at: T0,
        days: Vec::new(),
        demand: pieces,
        deviation: 10.165_3,
        lead_days: 3,
        safety: 30,
        on_hand: 0,
        until_then: 0,
        on_order: 0,
        need: pieces,
        pack: 100,
        min_order: 100,
        pieces,
        price: Some(35),
        launches: None,
        hindsight: Vec::new(),
    }
}

fn approvers() -> [Box<str>; 2] {
    ["supervisor".into(), "manager".into()]
}

/// Whoever is of `post` does something, having seen so many steps; the figure would be 1,900 by then.
pub(super) async fn act(store: &Store, seen: usize, post: &str, act: &Act, reason: &str) -> Result<(), PurchaseError> {
    let (site, actor, approvers) = (site(), Actor::person(post, post), approvers());
    let key = PurchaseKey { site: &site, item: "shoe-cover", month: "2026-12".parse().unwrap() };
    let deed = PurchaseDeed { act, seen, reason, who: post, post, approvers: &approvers, at: T0, actor: &actor };
    store.act_on_purchase(key, &proposal(1900), deed, |asked| asked == post).await
}

async fn stands(store: &Store) -> Option<(i64, bool, usize)> {
    let site = site();
    let key = PurchaseKey { site: &site, item: "shoe-cover", month: "2026-12".parse().unwrap() };
    let standing = store.purchase(key).await.unwrap()?.standing();
    Some((standing.pieces, standing.submitted, standing.approved.len()))
}

#[rstest]
#[tokio::test]
async fn a_purchase_goes_up_and_what_is_done_twice_is_done_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(db) = Database::create(kind).await else { return };
    let store = &db.store;
    assert_eq!(stands(store).await, None);
    let edit = Act::Edit { pieces: 2500 };
    for _ in 0..2 {
        act(store, 0, "showflat", &edit, "a launch on the 20th").await.unwrap();
    }
    act(store, 1, "showflat", &Act::Submit, "").await.unwrap();
    assert_eq!(stands(store).await, Some((2500, true, 0)));
    act(store, 2, "supervisor", &Act::Approve, "").await.unwrap();
    act(store, 3, "manager", &Act::Approve, "").await.unwrap();
    assert_eq!(stands(store).await, Some((2500, true, 2)));
    let site = site();
    let key = PurchaseKey { site: &site, item: "shoe-cover", month: "2026-12".parse().unwrap() };
    let row = store.purchase(key).await.unwrap().unwrap();
    assert_eq!(row.terms, proposal(1900), "the terms are kept to the last digit");
    let steps: Vec<_> =
        row.steps.iter().map(|step| (step.who.as_str(), step.act.as_str(), step.reason.as_str())).collect();
    let expected = [
        ("showflat", "edit", "a launch on the 20th"),
        ("showflat", "submit", ""),
        ("supervisor", "approve", ""),
        ("manager", "approve", ""),
    ];
    assert_eq!(steps, expected);
    let (told, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    assert_eq!(told.iter().filter(|entry| entry.action.starts_with("purchase.")).count(), 4);
}

#[rstest]
#[tokio::test]
async fn who_is_of_both_posts_approves_at_one_of_them(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(db) = Database::create(kind).await else { return };
    let store = &db.store;
    let (site, approvers) = (site(), approvers());
    let key = PurchaseKey { site: &site, item: "shoe-cover", month: "2026-12".parse().unwrap() };
    let by = async |seen, id: &str, name: &str, act: Act, reason: &str| {
        let actor = Actor::person(id, name);
        let deed = PurchaseDeed {
            act: &act,
            seen,
            reason,
            who: name,
            post: "supervisor",
            approvers: &approvers,
            at: T0,
            actor: &actor,
        };
        store.act_on_purchase(key, &proposal(1900), deed, |_| true).await
    };
    by(0, "p-1", "周琳", Act::Submit, "").await.unwrap();
    by(1, "p-1", "周琳", Act::Approve, "").await.unwrap();
    by(1, "p-1", "周琳", Act::Approve, "").await.unwrap();
    assert_eq!(stands(store).await, Some((1900, true, 1)), "pressed twice it is approved once");
    let twice = by(2, "p-1", "周琳", Act::Approve, "").await;
    assert!(matches!(twice, Err(PurchaseError::Refused(Refusal::Twice))), "{twice:?}");
    let renamed = by(2, "p-1", "周小琳", Act::Approve, "").await;
    assert!(matches!(renamed, Err(PurchaseError::Refused(Refusal::Twice))), "{renamed:?}");
    assert_eq!(stands(store).await, Some((1900, true, 1)), "what was refused has left nothing");
    by(2, "p-2", "周琳", Act::Approve, "").await.unwrap();
    assert_eq!(stands(store).await, Some((1900, true, 2)), "a namesake is somebody else");

    // What was done before ids were kept has names alone.
    super::execute(store, "UPDATE purchase_step SET doer = NULL WHERE no = 2".to_owned()).await;
    super::execute(store, "DELETE FROM purchase_step WHERE no = 3".to_owned()).await;
    let twice = by(2, "p-9", "周琳", Act::Approve, "").await;
    assert!(matches!(twice, Err(PurchaseError::Refused(Refusal::Twice))), "{twice:?}");
    by(2, "p-9", "王敏", Act::Approve, "").await.unwrap();
}

#[rstest]
#[tokio::test]
async fn who_looks_at_something_older_or_is_not_asked_changes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(db) = Database::create(kind).await else { return };
    let store = &db.store;
    let refused = act(store, 0, "supervisor", &Act::Approve, "").await;
    assert!(matches!(refused, Err(PurchaseError::Refused(Refusal::NotSubmitted))));
    assert_eq!(stands(store).await, None, "what was refused has left nothing");
    act(store, 0, "showflat", &Act::Submit, "").await.unwrap();
    assert!(matches!(act(store, 0, "reception", &Act::Submit, "").await, Err(PurchaseError::Stale)));
    let early = act(store, 1, "manager", &Act::Approve, "").await;
    assert!(matches!(early, Err(PurchaseError::Refused(Refusal::NotYours))));
    act(store, 1, "supervisor", &Act::Return, "too much").await.unwrap();
    assert_eq!(stands(store).await, Some((1900, false, 0)));
}

#[rstest]
#[tokio::test]
async fn of_two_who_decide_at_once_one_is_first(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(db) = Database::create(kind).await else { return };
    let store = &db.store;
    act(store, 0, "showflat", &Act::Submit, "").await.unwrap();
    let (approve, back) = tokio::join!(
        act(store, 1, "supervisor", &Act::Approve, ""),
        act(store, 1, "supervisor", &Act::Return, "too much"),
    );
    assert!(approve.is_ok() != back.is_ok(), "{approve:?} {back:?}");
    let lost = approve.err().or(back.err());
    assert!(matches!(lost, Some(PurchaseError::Stale)), "{lost:?}");
}
