//! Silences, maintenance windows and acknowledgements, as both databases keep them.

use lobby_domain::{
    alert::{AlertId, Clear, ClearReason},
    matchers::{Field, Matchers},
    restraint::{Change, Changed, Kind as Of, Refusal, Restraint, RestraintId, State},
    rule::{Rule, Severity},
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    AlertChange, Arc, DARK, Database, Kind, LED, MINUTE, MUTED, Pack, Raise, Store, T0, Timestamp, all_alerts, by,
    clear, clear_because, commit, raise, record, reports, rule, setup, told, writer,
};
use crate::{
    fleet::Setup,
    store::{ChangeError, Made, RestraintFilter},
};

fn id(n: u128) -> RestraintId {
    RestraintId(Uuid::from_u128(n))
}

fn matchers(field: Field, value: &str) -> Matchers {
    Matchers::new([(field, vec![value.into()])]).unwrap()
}

/// From `starts` to `ends`, in minutes.
fn restraint(n: u128, kind: Of, starts: u32, ends: Option<u32>) -> Restraint {
    Restraint {
        id: id(n),
        kind,
        starts: at(starts),
        ends: ends.map(at),
        author: "李工".into(),
        comment: "换模组".into(),
        created_at: at(starts),
        changed_by: "".into(),
        replaces: None,
    }
}

fn silence(n: u128, starts: u32, ends: u32) -> Restraint {
    restraint(n, Of::Silence(matchers(Field::Device, LED)), starts, Some(ends))
}

fn maintenance(n: u128, starts: u32, ends: u32) -> Restraint {
    let kind = Of::Maintenance { matchers: matchers(Field::Device, LED), include_firing: false };
    restraint(n, kind, starts, Some(ends))
}

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

async fn make(store: &Store, restraint: &Restraint) {
    assert_eq!(store.make_restraint(restraint, None, &by()).await.unwrap(), Made::New);
}

/// What everybody who is told of the display's being dark hears after so many minutes.
fn everybody(minutes: &[i64]) -> Vec<(i64, String)> {
    let mut posts: Vec<String> = rule(DARK).tells.iter().map(ToString::to_string).collect();
    posts.sort();
    minutes.iter().flat_map(|at| posts.iter().map(|post| (*at, post.clone()))).collect()
}

#[rstest]
#[tokio::test]
async fn a_restraint_reads_back_as_it_was_made(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), raise(LED, DARK, T0)).await;
    let alert = all_alerts(store).await[0].id;
    let several =
        Matchers::new([(Field::Kind, vec!["tv".into(), "laptop".into()]), (Field::Place, vec!["大门口".into()])]);
    let all = [
        silence(1, 0, 10),
        Restraint { replaces: Some(id(1)), ..restraint(2, Of::Silence(several.unwrap()), 5, Some(9)) },
        restraint(3, Of::UntilResolved(alert), 6, None),
        restraint(4, Of::Maintenance { matchers: matchers(Field::Site, "demo"), include_firing: true }, 7, Some(8)),
    ];
    for restraint in &all {
        make(store, restraint).await;
        assert_eq!(store.restraint(restraint.id).await.unwrap().as_ref(), Some(restraint));
    }
    assert_eq!(database.again().await.unsettled_restraints().await.unwrap(), all);
    assert_eq!(store.restraint(id(9)).await.unwrap(), None);
}

#[rstest]
#[case::before_any(0, None, &[4, 3, 2, 1])]
#[case::to_come(5, Some(State::Pending), &[4, 3, 2])]
#[case::at_its_beginning(10, Some(State::Active), &[2, 1])]
#[case::at_its_end(20, Some(State::Expired), &[1])]
#[case::still_active(20, Some(State::Active), &[3, 2])]
#[tokio::test]
async fn restraints_are_listed_page_by_page_by_where_they_stand(
    #[case] now: u32,
    #[case] state: Option<State>,
    #[case] expected: &[u128],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for (restraint, made) in
        [silence(1, 1, 20), silence(2, 10, 30), silence(3, 20, 30), silence(4, 30, 40)].iter().zip(0..)
    {
        make(store, &Restraint { created_at: at(made), ..restraint.clone() }).await;
    }
    make(store, &maintenance(5, 0, 100)).await;
    // All of them are pages of one.
    let filter = RestraintFilter { maintenance: false, state };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = store.restraints(filter, at(now), after.as_ref(), 1).await.unwrap().unwrap();
        found.extend(rows.iter().map(|row| row.id));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected.iter().map(|n| id(*n)).collect::<Vec<_>>());
}

#[rstest]
#[tokio::test]
async fn the_same_request_makes_one_restraint_and_another_under_its_key_makes_none(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (request, other) = (Some(Uuid::from_u128(7)), Some(Uuid::from_u128(8)));
    let (first, again) = (silence(1, 0, 10), silence(1, 1, 10));
    let who = &by();
    let (a, b) = tokio::join!(store.make_restraint(&first, request, who), store.make_restraint(&again, request, who));
    let made = [a.unwrap(), b.unwrap()];
    assert_eq!(made.iter().filter(|made| **made == Made::New).count(), 1, "{made:?}");
    assert!(made.iter().any(|made| matches!(made, Made::Repeat(_))), "{made:?}");
    assert_eq!(store.make_restraint(&first, other, &by()).await.unwrap(), Made::Other);
    assert_eq!(store.make_restraint(&first, None, &by()).await.unwrap(), Made::Other);
    assert_eq!(store.unsettled_restraints().await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test]
async fn changed_matchers_keep_the_old_silence_as_it_was_and_go_on_in_a_new_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let before = silence(1, 0, 10);
    make(store, &before).await;
    let change = |matchers, ends| Change { matchers, ends, by: "王工".into(), ..Change::default() };
    let longer = store
        .change_restraint(id(1), (&by(), at(5)), |row| Ok(row.change(change(None, Some(at(20))), id(2), at(1))?))
        .await
        .unwrap();
    assert_eq!((longer.id, longer.ends), (id(1), Some(at(20))));
    let other = Some(matchers(Field::Device, "lift-tv"));
    let new = store
        .change_restraint(id(1), (&by(), at(5)), |row| Ok(row.change(change(other, None), id(2), at(5))?))
        .await
        .unwrap();
    assert_eq!((new.id, new.replaces, new.starts, new.ends), (id(2), Some(id(1)), at(5), Some(at(20))));
    let old = store.restraint(id(1)).await.unwrap().unwrap();
    assert_eq!((old.kind, old.starts, old.ends), (before.kind, at(0), Some(at(5))));
    assert_eq!(store.restraint(id(2)).await.unwrap(), Some(new));
    let late = store.change_restraint(id(1), (&by(), at(5)), |row| Ok(Changed::Same(row.end("".into(), at(6))?))).await;
    assert!(matches!(late, Err(ChangeError::Refused(Refusal::Over))), "{late:?}");
    let none = store.change_restraint(id(9), (&by(), at(5)), |row| Ok(Changed::Same(row.end("".into(), at(6))?))).await;
    assert!(matches!(none, Err(ChangeError::NotFound)), "{none:?}");
}

#[rstest]
#[tokio::test]
async fn a_silence_until_an_alert_is_resolved_ends_with_it_and_needs_one_that_is_open(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let alert = all_alerts(store).await[0].id;
    make(store, &restraint(1, Of::UntilResolved(alert), 1, None)).await;
    commit(&mut writer, clear(LED, DARK, at(3))).await;
    let over = store.restraint(id(1)).await.unwrap().unwrap();
    assert_eq!((over.ends, over.state(at(3))), (Some(at(3)), State::Expired));
    assert_eq!(store.settle_restraints(&setup(), at(4)).await.unwrap(), []);
    assert_eq!(told(store, "unmuted").await, []);
    let gone = restraint(2, Of::UntilResolved(alert), 4, None);
    assert_eq!(store.make_restraint(&gone, None, &by()).await.unwrap(), Made::NotOpen);
    let unknown = restraint(3, Of::UntilResolved(AlertId(Uuid::nil())), 4, None);
    assert_eq!(store.make_restraint(&unknown, None, &by()).await.unwrap(), Made::NotOpen);
}

#[rstest]
#[case::silence(vec![silence(1, 0, 10)], &[10])]
#[case::maintenance(vec![maintenance(1, 0, 10)], &[10])]
#[case::maintenance_that_found_it_firing(vec![maintenance(1, 2, 10)], &[])]
#[case::a_silence_that_began_later(vec![silence(1, 2, 10)], &[10])]
#[case::a_silence_that_ended_before(vec![silence(1, 0, 1)], &[])]
#[case::two_that_overlap_end_once(vec![silence(1, 0, 10), maintenance(2, 0, 12)], &[12])]
#[case::two_that_follow_one_another(vec![silence(1, 0, 10), silence(2, 10, 12)], &[12])]
#[case::two_with_a_gap(vec![silence(1, 0, 10), silence(2, 11, 13)], &[10, 13])]
#[case::windows_that_overlap(vec![maintenance(1, 0, 10), maintenance(2, 5, 12)], &[12])]
#[case::windows_that_follow_one_another(vec![maintenance(1, 0, 5), maintenance(2, 5, 9), maintenance(3, 9, 12)], &[12])]
#[case::windows_with_a_gap(vec![maintenance(1, 0, 10), maintenance(2, 11, 13)], &[10])]
#[case::of_another_device(vec![restraint(1, Of::Silence(matchers(Field::Device, "lift-tv")), 0, Some(10))], &[])]
#[case::by_kind(vec![restraint(1, Of::Silence(matchers(Field::Kind, "led-display")), 0, Some(10))], &[10])]
#[case::by_place(vec![restraint(1, Of::Silence(matchers(Field::Place, "大门口")), 0, Some(10))], &[10])]
#[case::by_agent(vec![restraint(1, Of::Silence(matchers(Field::Agent, "box")), 0, Some(10))], &[10])]
#[case::by_severity(vec![restraint(1, Of::Silence(matchers(Field::Severity, "info")), 0, Some(10))], &[])]
#[tokio::test]
async fn what_still_fires_when_it_is_quiet_no_more_is_told_at_once_and_once(
    #[case] restraints: Vec<Restraint>,
    #[case] expected: &[i64],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    let mut known = reports("box", LED, [record(1, LED, T0)]);
    (known.devices[0].kind, known.devices[0].place) = ("led-display".into(), "大门口".into());
    writer.commit(&[known], T0).await.unwrap();
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    for restraint in &restraints {
        make(store, restraint).await;
    }
    let restarted = database.again().await;
    for minute in 0..20 {
        for store in [store, &restarted] {
            store.settle_restraints(&setup(), at(minute)).await.unwrap();
        }
    }
    assert_eq!(told(store, "unmuted").await, everybody(expected));
    assert_eq!(store.unsettled_restraints().await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn work_that_is_extended_to_another_device_goes_on_for_what_began_in_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    make(store, &maintenance(1, 0, 20)).await;
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    let both = Matchers::new([(Field::Device, vec![LED.into(), "lift-tv".into()])]).unwrap();
    let wider = Change { matchers: Some(both), by: "王工".into(), ..Change::default() };
    let new = store.change_restraint(id(1), (&by(), at(5)), |row| Ok(row.change(wider, id(2), at(5))?)).await.unwrap();
    assert_eq!(store.earlier_maintenance().await.unwrap(), [], "its end is still to be settled");
    store.settle_restraints(&setup(), at(6)).await.unwrap();
    let old = store.restraint(id(1)).await.unwrap().unwrap();
    assert_eq!(store.unsettled_restraints().await.unwrap(), std::slice::from_ref(&new));
    assert_eq!(store.earlier_maintenance().await.unwrap(), std::slice::from_ref(&old));
    assert_eq!(told(store, "unmuted").await, []);
    store.settle_restraints(&setup(), at(20)).await.unwrap();
    assert_eq!(told(store, "unmuted").await, everybody(&[20]));
    assert_eq!(store.earlier_maintenance().await.unwrap(), []);
    assert_eq!(store.restraints_at(at(7)).await.unwrap(), [new, old], "as it was then");
}

#[rstest]
#[tokio::test]
async fn ends_that_were_missed_while_the_hub_was_down_are_told_as_one(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    commit(&mut writer(&database.store), raise(LED, DARK, at(1))).await;
    for restraint in [silence(1, 0, 10), silence(2, 11, 13), maintenance(3, 0, 12)] {
        make(&database.store, &restraint).await;
    }
    let store = database.again().await;
    assert_eq!(store.settle_restraints(&setup(), at(60)).await.unwrap(), [super::site()]);
    assert_eq!(store.settle_restraints(&setup(), at(61)).await.unwrap(), []);
    assert_eq!(told(&store, "unmuted").await, everybody(&[60]));
}

#[rstest]
#[case::it_is_over(5, &[])]
#[case::it_is_not(15, &[10])]
#[tokio::test]
async fn an_alert_that_ended_within_maintenance_is_told_neither_then_nor_at_its_end(
    #[case] cleared: u32,
    #[case] expected: &[i64],
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    make(store, &maintenance(1, 0, 10)).await;
    commit(&mut writer, raise(LED, DARK, at(1))).await;
    if cleared < 10 {
        commit(&mut writer, clear(LED, DARK, at(cleared))).await;
    }
    store.settle_restraints(&setup(), at(10)).await.unwrap();
    if cleared >= 10 {
        commit(&mut writer, clear(LED, DARK, at(cleared))).await;
    }
    assert_eq!(told(store, "unmuted").await, everybody(expected));
}

#[rstest]
#[tokio::test]
async fn the_first_to_take_notice_is_kept_and_told(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let alert = all_alerts(store).await[0].id;
    for (who, minute) in [("李工", 1), ("王工", 2)] {
        let row = store.acknowledge(alert, who, at(minute), &by(), &setup()).await.unwrap().unwrap();
        assert_eq!(row.acked, Some((at(1), "李工".to_owned())));
    }
    assert_eq!(told(store, "acknowledged").await, everybody(&[1]));
    commit(&mut writer, clear(LED, DARK, at(3))).await;
    let row = store.alert(alert).await.unwrap().unwrap();
    assert!(row.acked.is_some() && row.cleared_at.is_some(), "the two are independent");
    assert_eq!(store.acknowledge(AlertId(Uuid::nil()), "", T0, &by(), &setup()).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_repeated_alert_is_a_hit_and_a_new_one_names_the_one_before(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let first = all_alerts(store).await[0].id;
    let again = async |store: &Store| {
        let row = store.alert(first).await.unwrap().unwrap();
        (row.hits, row.last_seen)
    };
    assert_eq!(again(store).await, (1, T0));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    assert_eq!(again(store).await, (1, T0), "the same decision is no hit");
    for _ in 0..2 {
        commit(&mut writer, raise(LED, DARK, at(1))).await;
    }
    assert_eq!(again(store).await, (2, at(1)), "a hit is counted once");
    commit(&mut writer, clear(LED, DARK, at(2))).await;
    commit(&mut writer, raise(LED, MUTED, at(3))).await;
    commit(&mut writer, raise(LED, DARK, at(4))).await;
    let rows = all_alerts(store).await;
    let previous: Vec<_> = rows.iter().map(|row| (row.rule.as_str(), row.previous)).collect();
    assert_eq!(previous, [(DARK, Some(first)), (MUTED, None), (DARK, None)]);
    assert_eq!(again(store).await, (2, at(1)), "a cleared alert never re-opens");
}

/// The alert of the dark display, raised by a standards pack that grades it so.
fn graded(severity: Severity, at: Timestamp) -> AlertChange {
    let AlertChange::Raise(raise) = raise(LED, DARK, at) else { panic!("a raise") };
    let rule = Rule { severity, ..rule(DARK).as_ref().clone() };
    AlertChange::Raise(Raise { rule: Arc::new(rule), ..raise })
}

#[rstest]
#[case::worse(Severity::Major, Severity::Critical, None)]
#[case::less_bad(Severity::Critical, Severity::Major, Some("李工"))]
#[case::the_same(Severity::Major, Severity::Major, Some("李工"))]
#[tokio::test]
async fn an_acknowledgement_is_void_once_its_alert_is_worse(
    #[case] before: Severity,
    #[case] after: Severity,
    #[case] kept: Option<&str>,
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, graded(before, T0)).await;
    let alert = all_alerts(store).await[0].id;
    store.acknowledge(alert, "李工", at(1), &by(), &setup()).await.unwrap();
    commit(&mut writer, graded(after, at(2))).await;
    let row = store.alert(alert).await.unwrap().unwrap();
    assert_eq!((row.severity.as_str(), row.acked.map(|(_, by)| by).as_deref()), (after.as_str(), kept));
}

#[rstest]
#[tokio::test]
async fn a_restart_with_a_pack_that_grades_an_alert_as_worse_asks_for_notice_anew(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    commit(&mut writer(store), graded(Severity::Info, T0)).await;
    let alert = all_alerts(store).await[0].id;
    for expected in [None, Some("李工")] {
        store.acknowledge(alert, "李工", at(1), &by(), &setup()).await.unwrap();
        store.regrade_alerts(&setup(), at(2)).await.unwrap();
        let row = store.alert(alert).await.unwrap().unwrap();
        let acked = row.acked.as_ref().map(|(_, by)| by.as_str());
        assert_eq!((row.severity.as_str(), acked), (rule(DARK).severity.as_str(), expected));
    }
}

#[rstest]
#[tokio::test]
async fn other_standards_reach_the_severity_of_open_alerts_while_the_hub_runs(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, graded(Severity::Info, T0)).await;
    let alert = all_alerts(store).await[0].id;
    store.acknowledge(alert, "李工", at(1), &by(), &setup()).await.unwrap();
    let pack = Arc::new((*Pack::built_in()).clone());
    writer.go_by(Arc::new(Setup { pack, ..setup() }), at(2)).await.unwrap();
    let row = store.alert(alert).await.unwrap().unwrap();
    assert_eq!((row.severity.as_str(), row.acked), (rule(DARK).severity.as_str(), None));
}

#[rstest]
#[tokio::test]
async fn who_cleared_an_alert_by_hand_is_kept_and_its_ticket_hears_of_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    let AlertChange::Clear(by_rule) = clear_because(LED, DARK, at(1), ClearReason::Manual) else { panic!("a clear") };
    commit(&mut writer, AlertChange::Clear(Clear { by: "李工".into(), ..by_rule })).await;
    let [row] = all_alerts(store).await.try_into().unwrap();
    assert_eq!((row.clear_reason.as_deref(), row.cleared_by.as_str()), (Some("manual"), "李工"));
    assert_eq!(super::happened(store).await, ["opened", "recovered"]);
}
