//! What people report: it joins the device's ticket whatever is known of it, is kept by a restart, and ends with the ticket.

use lobby_domain::{
    alert::{AlertId, Subject},
    kind::Word,
    label::Label,
    pack::Pack,
    report::{OF_DEVICE, Said, Source, What},
    ticket::{Action, Rejection, State},
    time::Timestamp,
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    DARK, Database, Kind, LED, MINUTE, MUTED, Store, T0, all_alerts, all_tickets, by, by_label, clear, commit, count,
    happened, raise,
    restart::{EPOCH, Hub},
    setup, shanghai, site, the_ticket, writer,
};
use crate::{
    photo::Photo,
    store::{ActError, Deed, ReportError, ReportRow, Reporting, Shown, Stage},
};

/// A report of somebody of the staff, told from others by `nth`.
fn report(nth: u128, what: What, device: Option<&str>, at: Timestamp) -> ReportRow {
    let id = Uuid::from_u128((nth << 96) | nth);
    ReportRow {
        id,
        site: site(),
        subject: device.map_or(Subject::Site, |device| Subject::Device(device.parse().unwrap())),
        thing: if device.is_none() { "大堂花瓶".into() } else { String::new() },
        what,
        source: Source::Person,
        reporter: "周礼宾".into(),
        post: "concierge".into(),
        phone: String::new(),
        symptoms: vec!["dark".into()],
        words: Label::new("黑屏", "Dark"),
        note: "整块都黑了".into(),
        at,
        alert: AlertId::of_report(id),
        ticket: None,
    }
}

async fn take(store: &Store, row: &ReportRow, repair: bool) -> Result<(ReportRow, bool), ReportError> {
    take_with(store, row, repair, &[]).await
}

async fn take_with(
    store: &Store,
    row: &ReportRow,
    repair: bool,
    photos: &[Photo],
) -> Result<(ReportRow, bool), ReportError> {
    let pack = Pack::built_in();
    let kind = (row.subject != Subject::Site).then(|| &pack.kinds["led-display"].kind);
    let symptoms: Vec<&Word> = kind.iter().flat_map(|kind| kind.symptoms.iter().take(1)).collect();
    let (key, what, source, thing, note) = (row.id, row.what, row.source, &*row.thing, &*row.note);
    let said = Said { key, what, source, role: None, kind, thing, symptoms: &symptoms, note, repair };
    let (rule, evidence, zone, setup, actor) = (said.rule(&pack), said.evidence(), shanghai(), setup(), by());
    let asked =
        Reporting { report: row, rule: &rule, evidence: &evidence, zone: &zone, setup: &setup, actor: &actor, photos };
    store.take_report(asked).await
}

async fn act(store: &Store, action: Action, at: Timestamp) -> State {
    let seen = the_ticket(store).await;
    let actor = by();
    let deed = Deed { arrived: by_label(), ..Deed::new(seen.version, "李工", &actor, at) };
    store.act_on_ticket(seen.number.as_str(), action, deed, &setup()).await.unwrap().state
}

async fn open_alerts(store: &Store) -> usize {
    all_alerts(store).await.iter().filter(|alert| alert.cleared_at.is_none()).count()
}

#[rstest]
#[tokio::test]
async fn a_report_opens_a_ticket_once_however_often_it_is_sent(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let first = report(1, What::Fault, Some(LED), T0);
    let (row, is_new) = take(store, &first, false).await.unwrap();
    let ticket = the_ticket(store).await;
    assert_eq!((is_new, row.ticket.as_deref()), (true, Some(ticket.number.as_str())));
    assert_eq!((&*ticket.department, &*ticket.priority, &*ticket.confirmed_by), ("engineering", "P1", "concierge"));
    assert_eq!((&*ticket.title.zh, &*ticket.rule), ("报修：黑屏", OF_DEVICE));
    let later = ReportRow { at: T0 + MINUTE, ..first.clone() };
    let (again, is_new) = take(store, &later, false).await.unwrap();
    assert_eq!((again, is_new), (row, false), "answered as it was");
    let other = ReportRow { note: "另一句话".into(), ..later };
    assert!(matches!(take(store, &other, false).await, Err(ReportError::KeyReused)));
    assert_eq!((count(store, "report").await, count(store, "alert").await), (1, 1));
    assert_eq!(happened(store).await, ["opened"]);
    assert_eq!(count(store, "outbox").await, 2, "engineering and the concierge are told");
    let chain = store.audit_log(&crate::store::AuditFilter::default(), None, 10).await.unwrap().unwrap().0;
    assert_eq!(chain[0].action, "report.fault");
}

#[rstest]
#[tokio::test]
async fn a_report_joins_the_ticket_that_there_is_and_the_other_way_round(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    take(store, &report(1, What::Fault, Some(LED), T0 + MINUTE), false).await.unwrap();
    take(store, &report(2, What::Fault, Some(LED), T0 + MINUTE.times(2)), false).await.unwrap();
    assert_eq!(happened(store).await, ["opened", "joined", "joined"], "one ticket, whoever saw it");
    assert_eq!(open_alerts(store).await, 2);
    let number = the_ticket(store).await.number.to_string();
    assert_eq!(store.reports_of_ticket(&number).await.unwrap().len(), 2);

    take(store, &report(3, What::Fault, Some("led-2"), T0), false).await.unwrap();
    commit(&mut writer, raise("led-2", DARK, T0 + MINUTE)).await;
    commit(&mut writer, raise("led-2", MUTED, T0 + MINUTE)).await;
    assert_eq!(all_tickets(store).await.len(), 2, "what is measured later is the same fault");
}

#[rstest]
#[tokio::test]
async fn a_report_and_data_of_the_same_moment_are_one_ticket(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    let devices: Vec<String> = (0..20).map(|number| format!("led-{number}")).collect();
    for (nth, device) in (1..).zip(&devices) {
        let row = report(nth, What::Fault, Some(device), T0);
        let (reported, _) = tokio::join!(take(store, &row, false), commit(&mut writer, raise(device, DARK, T0)));
        reported.unwrap();
    }
    assert_eq!(open_alerts(store).await, 40);
    assert_eq!(all_tickets(store).await.len(), devices.len());
}

#[rstest]
#[tokio::test]
async fn data_clear_no_report_and_a_report_keeps_nobody_from_confirming(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let (store, mut writer) = (&database.store, writer(&database.store));
    commit(&mut writer, raise(LED, DARK, T0)).await;
    take(store, &report(1, What::Fault, Some(LED), T0), false).await.unwrap();
    commit(&mut writer, clear(LED, DARK, T0 + MINUTE)).await;
    assert_eq!(the_ticket(store).await.state, State::New, "somebody saw it: it does not recover by itself");
    assert_eq!(open_alerts(store).await, 1);
    act(store, Action::Start, T0 + MINUTE.times(2)).await;
    act(store, Action::Finish, T0 + MINUTE.times(3)).await;
    take(store, &report(2, What::Fault, Some(LED), T0 + MINUTE.times(4)), false).await.unwrap();
    assert_eq!(the_ticket(store).await.state, State::InProgress, "it was not repaired");
    act(store, Action::Finish, T0 + MINUTE.times(5)).await;
    assert_eq!(act(store, Action::Confirm, T0 + MINUTE.times(6)).await, State::Closed);
    let alerts = all_alerts(store).await;
    let stated = alerts.iter().find(|alert| alert.reported).unwrap();
    assert_eq!((stated.clear_reason.as_deref(), &*stated.cleared_by), (Some("ticket_closed"), "李工"));
    assert_eq!(stated.hits, 2);

    take(store, &report(3, What::Fault, Some(LED), T0 + MINUTE.times(7)), false).await.unwrap();
    assert_eq!((all_tickets(store).await.len(), open_alerts(store).await), (2, 1), "what is reported anew");
}

#[rstest]
#[tokio::test]
async fn a_report_ends_with_a_rejected_ticket(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    take(store, &report(1, What::Fault, Some(LED), T0), false).await.unwrap();
    assert_eq!(act(store, Action::Reject(Rejection::NoFaultFound), T0 + MINUTE).await, State::Closed);
    assert_eq!(open_alerts(store).await, 0);
    assert_eq!(store.rejected_tickets(None).await.unwrap(), []);
    take(store, &report(2, What::Fault, Some(LED), T0 + MINUTE.times(2)), false).await.unwrap();
    assert_eq!(the_ticket(store).await.state, State::New, "it was one after all");
}

#[rstest]
#[tokio::test]
async fn a_report_goes_with_its_ticket_to_the_one_that_it_is_a_duplicate_of(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (first, _) = take(store, &report(1, What::Fault, Some(LED), T0), false).await.unwrap();
    let (other, _) = take(store, &report(2, What::Fault, Some("led-2"), T0 + MINUTE), false).await.unwrap();
    let (first, other) = (first.ticket.unwrap(), other.ticket.unwrap());
    let (actor, at) = (by(), T0 + MINUTE.times(2));
    let duplicate_of = Some(first.as_str());
    let deed = Deed { duplicate_of, ..Deed::new(1, "李工", &actor, at) };
    store.act_on_ticket(&other, Action::Reject(Rejection::Duplicate), deed, &setup()).await.unwrap();
    assert_eq!(open_alerts(store).await, 2);
    assert_eq!(store.reports_of_ticket(&first).await.unwrap().len(), 2);
    assert_eq!(store.reports_of_ticket(&other).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn a_phone_number_is_cleared_when_its_ticket_and_its_alert_are_long_over_and_never_before(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let called = |nth, what, device| ReportRow { phone: "13812341234".into(), ..report(nth, what, device, T0) };
    let [fault, damage, open] = [
        called(1, What::Fault, Some(LED)),
        called(2, What::Damage, None),
        ReportRow { thing: "地毯".into(), ..called(3, What::Damage, None) },
    ];
    for row in [&fault, &damage, &open] {
        take(store, row, false).await.unwrap();
    }
    let phones = async || {
        let mut kept = Vec::new();
        for row in [&fault, &damage, &open] {
            kept.push(!store.report(row.id).await.unwrap().unwrap().phone.is_empty());
        }
        kept
    };
    let late = T0 + MINUTE.times(9);
    assert_eq!(store.forget_phones(late, 10).await.unwrap(), 0, "all are open, however old they are");
    act(store, Action::Reject(Rejection::NoFaultFound), T0 + MINUTE).await;
    store.acknowledge(AlertId::of_report(damage.id), "王主管", T0 + MINUTE.times(3), &by(), &setup()).await.unwrap();
    // It is reported once more, which opens the ticket again.
    take(store, &report(4, What::Fault, Some(LED), T0 + MINUTE.times(4)), false).await.unwrap();
    assert_eq!(the_ticket(store).await.state, State::New);
    assert_eq!(store.forget_phones(late, 10).await.unwrap(), 1, "what was reopened is not over");
    assert_eq!(phones().await, [true, false, true]);
    act(store, Action::Reject(Rejection::NoFaultFound), T0 + MINUTE.times(5)).await;
    assert_eq!(store.forget_phones(T0 + MINUTE.times(4), 10).await.unwrap(), 0, "not yet so long ago");
    assert_eq!(store.forget_phones(late, 10).await.unwrap(), 1);
    assert_eq!(phones().await, [false, false, true]);
    let kept = store.report(fault.id).await.unwrap().unwrap();
    assert_eq!((&*kept.reporter, &*kept.note), (&*fault.reporter, &*fault.note), "all else stays");
}

#[rstest]
#[tokio::test]
async fn damage_is_told_to_the_superior_and_ends_when_they_take_notice(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (row, _) = take(store, &report(1, What::Damage, None, T0), false).await.unwrap();
    take(store, &report(2, What::Loss, None, T0), false).await.unwrap();
    assert_eq!((all_tickets(store).await.len(), open_alerts(store).await), (0, 2), "two things, two alerts");
    let alert = store.alert(row.alert).await.unwrap().unwrap();
    assert_eq!((alert.tells, &*alert.title.zh), (vec!["supervisor".to_owned()], "物品损坏：大堂花瓶"));
    let seen = store.acknowledge(row.alert, "王主管", T0 + MINUTE, &by(), &setup()).await.unwrap().unwrap();
    assert_eq!((seen.cleared_at, &*seen.cleared_by), (Some(T0 + MINUTE), "王主管"));
    assert_eq!(seen.acked, Some((T0 + MINUTE, "王主管".to_owned())));

    let (wanted, _) = take(store, &report(3, What::Damage, None, T0), true).await.unwrap();
    let seen = store.acknowledge(wanted.alert, "王主管", T0 + MINUTE, &by(), &setup()).await.unwrap().unwrap();
    assert_eq!((seen.cleared_at, seen.ticket), (None, wanted.ticket), "it ends with its ticket");
}

#[rstest]
#[tokio::test]
async fn a_restart_keeps_reports_and_other_standards_do_not_end_them(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (mut hub, _) = Hub::start(store, T0).await;
    assert_eq!(EPOCH, 7);
    hub.birth().await;
    take(store, &report(1, What::Fault, Some(LED), T0), false).await.unwrap();
    let (mut hub, stored) = Hub::start(store, T0 + MINUTE).await;
    assert_eq!(stored.open_alerts, [], "no rule knows of it");
    hub.birth().await;
    let other = Pack { report: None, ..(*Pack::built_in()).clone() };
    store.regrade_alerts(&super::Setup { pack: std::sync::Arc::new(other.clone()), ..setup() }, T0).await.unwrap();
    hub.step(|site, now, changes| {
        let calendar = site.calendar.clone();
        site.reconfigure(std::sync::Arc::new(other), calendar, now, changes);
    })
    .await;
    assert_eq!((open_alerts(store).await, the_ticket(store).await.state), (1, State::New));
    assert_eq!(hub.site.incidents().iter().count(), 0, "the live state is that of data");
}

/// Somebody reports the display, with a photo.
pub(super) async fn report_with_photo(store: &Store) {
    take_with(store, &report(9, What::Fault, Some(LED), T0), false, &[photo(9)]).await.unwrap();
}

fn photo(nth: u8) -> Photo {
    Photo { jpeg: vec![0xff, 0xd8, nth, 0xff, 0xd9], small: vec![0xff, 0xd8], width: 1600, height: 900 }
}

#[rstest]
#[tokio::test]
async fn photos_come_with_a_report_or_later_six_to_a_ticket_and_each_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let first = report(1, What::Fault, Some(LED), T0);
    let (row, _) = take_with(store, &first, false, &[photo(1), photo(1), photo(2)]).await.unwrap();
    take_with(store, &first, false, &[photo(1), photo(2)]).await.unwrap();
    let number = row.ticket.unwrap();
    let photos = store.photos_of_ticket(&number).await.unwrap();
    let seen: Vec<_> = photos.iter().map(|photo| (photo.report, &*photo.stage, &*photo.by, photo.width)).collect();
    assert_eq!(seen, [(Some(first.id), "report", "周礼宾", 1600); 2]);
    let (site, jpeg) = store.photo(&photos[0].id).await.unwrap().unwrap();
    assert!(site == super::site() && [photo(1).jpeg, photo(2).jpeg].contains(&jpeg));

    let shown = |stage| Shown { stage, by: "李工", at: T0 + MINUTE };
    let more: Vec<Photo> = (3..=6).map(photo).collect();
    for _ in 0..2 {
        store.add_photos(&number, &more, shown(Stage::After), &by()).await.unwrap();
        assert_eq!(store.photos_of_ticket(&number).await.unwrap().len(), 6);
    }
    let refused = store.add_photos(&number, &[photo(7)], shown(Stage::After), &by()).await;
    assert!(matches!(refused, Err(ActError::TooManyPhotos)), "{refused:?}");
    let second = report(2, What::Fault, Some(LED), T0 + MINUTE);
    assert!(take_with(store, &second, false, &[photo(8)]).await.is_ok(), "the report itself is taken");
    assert_eq!(count(store, "photo").await, 6);

    act(store, Action::Reject(Rejection::OutOfScope), T0 + MINUTE).await;
    let refused = store.add_photos(&number, &[photo(1)], shown(Stage::Before), &by()).await;
    assert!(matches!(refused, Err(ActError::Closed)), "{refused:?}");

    let damage = report(3, What::Damage, None, T0);
    let (row, _) = take_with(store, &damage, false, &[photo(1)]).await.unwrap();
    assert_eq!(store.photos_of_alert(row.alert.0).await.unwrap().len(), 1);
}
