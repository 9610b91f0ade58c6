//! Who is on duty, as both databases keep it.

use std::collections::BTreeSet;

use jiff::civil::date;
use lobby_domain::{
    access::{Grant, Role},
    roster::{Duty, Holder, KEPT_FOR, Plan, Staffing},
    time::Timestamp,
};
use rstest::rstest;

use super::{Database, Kind, T0, by, site};
use crate::store::{AuditFilter, PersonRow, Store};

fn at(hours: i64) -> Timestamp {
    T0.shifted(hours * 3_600_000)
}

pub(super) async fn enter(store: &Store, id: &str) {
    let row = PersonRow {
        id: id.into(),
        login: id.into(),
        name: format!("{id} 工"),
        grant: Grant { role: Role::Concierge, site: None },
        further: Vec::new(),
        has_password: false,
        created_at: T0,
        disabled_at: None,
        erased_at: None,
    };
    store.enter_person(&row, id.as_bytes(), at(72), &by()).await.unwrap();
}

fn holder(id: &str) -> Holder {
    Holder { id: id.into(), name: format!("{id} 工").into() }
}

/// One after another as they stand in a file, on one day.
pub(super) fn plan(day: i8, duties: &[(&str, &str, i64, i64)]) -> Plan {
    let day = date(2026, 11, day);
    let duty = |(place, (post, who, from, until)): (usize, &(&str, &str, i64, i64))| Duty {
        day,
        post: (*post).into(),
        place: i64::try_from(place).unwrap(),
        who: holder(who),
        from: at(*from),
        until: at(*until),
    };
    let about: BTreeSet<_> = duties.iter().map(|(post, ..)| (day, Box::from(*post))).collect();
    Plan { about, duties: duties.iter().enumerate().map(duty).collect() }
}

async fn staffing(store: &Store, post: &str, hours: i64) -> Staffing {
    let mut tx = store.begin().await.unwrap();
    let found = tx.posts(&site(), at(hours)).await.unwrap().at(post);
    assert_eq!(found, store.staffing(&site(), post, at(hours)).await.unwrap());
    found
}

fn people(ids: &[&str]) -> Staffing {
    Staffing::People(ids.iter().map(|id| holder(id)).collect())
}

async fn entries(store: &Store) -> Vec<String> {
    let (entries, _) = store.audit_log(&AuditFilter::default(), None, 100).await.unwrap().unwrap();
    let imports = entries.into_iter().filter(|entry| entry.action == "roster.import");
    imports.map(|entry| format!("{} -> {}", entry.before.unwrap(), entry.after.unwrap())).collect()
}

#[rstest]
#[tokio::test]
async fn who_is_on_duty_is_known_from_the_first_duty_until_long_after_the_last(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "chen"] {
        enter(store, id).await;
    }
    assert_eq!(staffing(store, "concierge", 1).await, Staffing::Unkept);
    assert_eq!(store.coming(&site(), &[], at(0)).await.unwrap(), None);
    let of_day = plan(20, &[("concierge", "li", 2, 8), ("concierge", "chen", 1, 10), ("waterbar", "chen", 4, 5)]);
    store.import_roster(&site(), &of_day, at(0), &by()).await.unwrap();

    assert_eq!(staffing(store, "concierge", 0).await, Staffing::Unkept, "it has not begun");
    assert_eq!(staffing(store, "concierge", 1).await, people(&["chen"]));
    assert_eq!(staffing(store, "concierge", 3).await, people(&["li", "chen"]), "the first of the file answers");
    assert_eq!(staffing(store, "concierge", 8).await, people(&["chen"]), "a duty's end is not part of it");
    assert_eq!(staffing(store, "concierge", 10).await, Staffing::Nobody);
    assert_eq!(staffing(store, "waterbar", 3).await, Staffing::Unkept, "it has not begun");
    assert_eq!(staffing(store, "waterbar", 6).await, Staffing::Nobody);
    assert_eq!(staffing(store, "engineering", 3).await, Staffing::Unkept, "the roster does not name it");
    let kept = 10 + KEPT_FOR.millis() / 3_600_000;
    assert_eq!(staffing(store, "concierge", kept - 1).await, Staffing::Nobody);
    assert_eq!(staffing(store, "concierge", kept).await, Staffing::Unkept, "nobody keeps it any more");

    let now = store.on_duty(&site(), at(4)).await.unwrap().unwrap();
    let now: Vec<(&str, usize)> = now.iter().map(|(post, people)| (&**post, people.len())).collect();
    assert_eq!(now, [("concierge", 2), ("waterbar", 1)]);
    let coming = store.coming(&site(), &["concierge".into()], at(0)).await.unwrap().unwrap();
    let gaps: Vec<_> = coming.gaps.iter().map(|gap| (gap.from, gap.until)).collect();
    assert_eq!(gaps, [(at(0), at(1)), (at(10), at(7 * 24))]);
    assert_eq!(store.coming(&site(), &[], at(0)).await.unwrap().unwrap().posts.len(), 2);
    assert_eq!(store.sites_with_roster().await.unwrap(), BTreeSet::from([site()]));
    let other = "other".parse().unwrap();
    assert_eq!(store.staffing(&other, "concierge", at(3)).await.unwrap(), Staffing::Unkept);
}

#[rstest]
#[tokio::test]
async fn an_import_replaces_its_days_and_posts_once_and_leaves_what_has_been(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "chen", "wu"] {
        enter(store, id).await;
    }
    let first = plan(20, &[("concierge", "li", 0, 8), ("concierge", "chen", 8, 16), ("waterbar", "wu", 0, 16)]);
    let next_day = plan(21, &[("concierge", "li", 24, 32)]);
    for import in [&first, &next_day] {
        assert!(!store.roster_changes(&site(), import, at(-1)).await.unwrap().is_empty());
        assert!(!store.import_roster(&site(), import, at(-1), &by()).await.unwrap().is_empty());
    }
    // The same again, even in the middle of it, is no change.
    for hours in [-1, 3, 12] {
        assert!(store.import_roster(&site(), &first, at(hours), &by()).await.unwrap().is_empty());
    }
    assert_eq!(entries(store).await.len(), 2);

    // Chen takes over from Li, and Wu from Chen.
    let second = plan(20, &[("concierge", "chen", 0, 8), ("concierge", "wu", 8, 16)]);
    let foreseen = store.roster_changes(&site(), &second, at(4)).await.unwrap();
    let changes = store.import_roster(&site(), &second, at(4), &by()).await.unwrap();
    assert_eq!(foreseen, changes);
    assert_eq!((changes.ends.len(), changes.begins.len()), (2, 2));
    assert!(store.import_roster(&site(), &second, at(6), &by()).await.unwrap().is_empty());

    assert_eq!(staffing(store, "concierge", 3).await, people(&["li"]), "what has been stays");
    assert_eq!(staffing(store, "concierge", 4).await, people(&["chen"]));
    assert_eq!(staffing(store, "concierge", 9).await, people(&["wu"]));
    assert_eq!(staffing(store, "waterbar", 9).await, people(&["wu"]), "another post is not its business");
    assert_eq!(staffing(store, "concierge", 25).await, people(&["li"]), "nor is another day");

    // What is over cannot be planned any more.
    let late = store.import_roster(&site(), &plan(20, &[("concierge", "li", 0, 16)]), at(20), &by()).await.unwrap();
    assert!(late.is_empty());
    assert_eq!(late.over, 1);
    assert_eq!(staffing(store, "concierge", 9).await, people(&["wu"]));
    let told = entries(store).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("2026-11-20 concierge li 工 2026-11-20T02:00Z/2026-11-20T10:00Z"), "{}", told[0]);
}

#[rstest]
#[tokio::test]
async fn whoever_may_no_longer_sign_in_is_not_on_duty(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for id in ["li", "chen"] {
        enter(store, id).await;
    }
    let both = plan(20, &[("concierge", "li", 0, 200), ("concierge", "chen", 0, 8)]);
    store.import_roster(&site(), &both, at(0), &by()).await.unwrap();
    assert_eq!(store.coming(&site(), &[], at(0)).await.unwrap().unwrap().gaps, []);
    store.set_disabled("li", true, at(2), &by()).await.unwrap();
    assert_eq!(staffing(store, "concierge", 1).await, people(&["li", "chen"]), "then they were");
    assert_eq!(staffing(store, "concierge", 3).await, people(&["chen"]));
    assert_eq!(staffing(store, "concierge", 9).await, Staffing::Nobody);
    let gaps = store.coming(&site(), &[], at(3)).await.unwrap().unwrap().gaps;
    assert_eq!(gaps.iter().map(|gap| (gap.from, gap.until)).collect::<Vec<_>>(), [(at(8), at(3 + 7 * 24))]);
}
