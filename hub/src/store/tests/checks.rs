//! Rounds: opened and missed once, answered once however often that is sent, and a failure opens its ticket with the answer.

use std::collections::BTreeMap;

use jiff::civil::time;
use lobby_contract::FactValue;
use lobby_domain::{
    alert::Subject,
    calendar::{Calendar, Day},
    check::{Deed, Flag, Line, Photo as Wanted, Readings, Refusal, Said, State, Stated},
    escalation,
    label::Label,
    pack::Pack,
    stock::low::Low,
    time::{Span, Timestamp},
};
use rstest::rstest;
use uuid::Uuid;

use super::{Database, Kind, MINUTE, Store, all_alerts, all_tickets, count, shanghai, site};
use crate::{
    audit::Actor,
    fleet::{Setup, SiteSettings},
    photo::Photo,
    store::{
        AnswerRow, Answered, AuditFilter, Checked, Checking, Looking, LowAlert, RoundError, RoundFilter, RoundRow,
        Starting,
    },
};

const HANDOVER: &str = "internet-handover";
const COVERS: &str = "shoe-cover";

/// 2026-11-23, a Monday, at some time in Shanghai.
fn at(text: &str) -> Timestamp {
    let zoned: jiff::Timestamp = format!("2026-11-23T{text}:00+08").parse().unwrap();
    Timestamp::from_millis(zoned.as_millisecond())
}

/// The built-in standards, but that reception refills the machines, and a site that is open from half past eight to six.
fn setup() -> Setup {
    let mut pack = Pack::built_in();
    std::sync::Arc::make_mut(&mut pack).items.get_mut(COVERS).unwrap().tells = ["reception".into()].into();
    let day = Day { ready_by: time(8, 20, 0, 0), open: time(8, 30, 0, 0), close: time(18, 0, 0, 0) };
    let calendar = Some(Calendar::new(shanghai(), [Some(day); 7], BTreeMap::new()));
    let settings = SiteSettings { calendar, ..SiteSettings::default() };
    Setup { pack, sites: BTreeMap::from([(site(), settings)]), zone: shanghai() }
}

fn line(id: &str, count: Option<u32>, photo: Wanted) -> Line {
    let label = Label::new(format!("{id} 完好"), format!("{id} is whole"));
    let department = Some("service-centre".into());
    Line { id: id.into(), label, device: None, count, photo, department, priority: Some("P3".into()) }
}

/// The internet area's handover alone, with a laptop, a count and a photo.
fn lines() -> BTreeMap<Box<str>, Vec<Line>> {
    let laptop =
        Line { device: Some("pc-1".parse().unwrap()), department: None, ..line("laptops.pc-1", None, Wanted::None) };
    let handover = vec![laptop, line("books", Some(30), Wanted::None), line("seats", None, Wanted::Required)];
    BTreeMap::from([(HANDOVER.into(), handover)])
}

/// What the laptop says of itself.
fn readings(line: &str) -> Readings {
    let says = [("disk_percent".into(), FactValue::Number(0.1 + 0.2)), ("network".into(), FactValue::Unknown)];
    if line == "laptops.pc-1" { Readings::from(says) } else { Readings::new() }
}

async fn look(store: &Store, now: Timestamp) -> bool {
    let (site, setup, lines) = (site(), setup(), lines());
    store.look_at_rounds(Looking { site: &site, setup: &setup, lines: &lines, now }).await.unwrap()
}

async fn rounds(store: &Store) -> Vec<RoundRow> {
    store.rounds(&RoundFilter::default()).await.unwrap()
}

/// The handover of the morning, open.
async fn opened(store: &Store) -> RoundRow {
    look(store, at("08:00")).await;
    let rounds = rounds(store).await;
    assert_eq!(rounds.len(), 1, "{rounds:?}");
    rounds.into_iter().next().unwrap()
}

fn answered(line: &str, said: Said) -> Answered<'_> {
    let stated = (line == "laptops.pc-1").then_some(Stated::Fine);
    Answered {
        line,
        said: Some(said),
        note: String::new(),
        stated,
        readings: readings(line),
        kind: None,
        photos: Vec::new(),
    }
}

fn photo() -> Photo {
    Photo { jpeg: vec![0xff, 0xd8, 7], small: vec![0xff, 0xd8], width: 4, height: 3 }
}

struct By<'a>(&'a str, &'a str);

async fn send(
    store: &Store,
    (nth, round, deed): (u128, &RoundRow, Deed),
    By(id, name): By<'_>,
    answers: &[Answered<'_>],
    now: Timestamp,
) -> Result<Checked, RoundError> {
    let (setup, actor) = (setup(), Actor::person(id, name));
    let asked = Checking {
        id: Uuid::from_u128((nth << 96) | nth),
        round: round.id,
        deed,
        answers,
        dispute: "少一本书",
        silences: &["球桌维修中".to_owned()],
        by: name,
        post: "reception",
        actor: &actor,
        setup: &setup,
        sent_at: Some(now - MINUTE),
        at: now,
    };
    store.check_round(asked).await
}

async fn answers(store: &Store, round: &RoundRow) -> Vec<AnswerRow> {
    store.answers_of_round(round.id).await.unwrap()
}

const EARLY: By<'static> = By("p-early", "早班");
const LATE: By<'static> = By("p-late", "晚班");

#[rstest]
#[tokio::test]
async fn a_round_opens_once_and_is_missed_once_which_goes_up_the_chain(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    look(store, at("07:00")).await;
    assert!(rounds(store).await.is_empty());
    assert!(look(store, at("07:35")).await && !look(store, at("07:36")).await);
    assert!(!look(store, at("08:34")).await && look(store, at("08:35")).await && !look(store, at("08:36")).await);
    let round = rounds(store).await.remove(0);
    assert!(round.is_missed() && !round.excused, "{round:?}");
    let alerts = all_alerts(store).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!((&*alerts[0].title.zh, alerts[0].superior()), ("未完成：上网区交接", Some("supervisor")));
    assert_eq!(count(store, "outbox").await, 1, "the superior is told once");
    let followed = store.escalation_of_alert(alerts[0].id).await.unwrap().unwrap().escalation;
    assert_eq!((followed.post(), followed.state), ("supervisor", escalation::State::Triggered));
    let due = store.due_escalations(at("09:05")).await.unwrap().remove(0);
    assert!(store.step_escalation(due, false, &setup(), at("09:05")).await.unwrap());
    let followed = store.escalation_of_alert(alerts[0].id).await.unwrap().unwrap().escalation;
    assert_eq!(followed.post(), "manager", "the next in the chain");
}

#[rstest]
#[tokio::test]
async fn a_missed_round_that_is_done_late_ends_its_alert_and_so_does_a_superior_who_takes_notice(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let round = opened(store).await;
    look(store, at("08:35")).await;
    let mut seats = answered("seats", Said::Pass);
    seats.photos.push(photo());
    let all = [answered("laptops.pc-1", Said::Pass), answered("books", Said::Count(30)), seats];
    send(store, (1, &round, Deed::SignOut), EARLY, &all, at("08:40")).await.unwrap();
    assert_eq!(all_alerts(store).await[0].cleared_at, None, "half a handover is none");
    send(store, (2, &round, Deed::SignIn), LATE, &[], at("08:41")).await.unwrap();
    let over = all_alerts(store).await.remove(0);
    assert_eq!((over.cleared_at, &*over.cleared_by), (Some(at("08:41")), "晚班"));
    assert_eq!(store.escalation_of_alert(over.id).await.unwrap(), None);
    assert!(!rounds(store).await[0].is_missed());

    look(store, at("17:30")).await;
    look(store, at("18:30")).await;
    let second = all_alerts(store).await.remove(0);
    store.acknowledge(second.id, "主管", at("18:40"), &Actor::here(""), &setup()).await.unwrap();
    assert!(all_alerts(store).await.iter().all(|alert| alert.cleared_at.is_some()));
    assert!(!look(store, at("18:41")).await, "it is not told again");
}

#[rstest]
#[tokio::test]
async fn what_nobody_could_do_while_the_hub_was_down_is_excused_and_told_to_nobody(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    look(store, at("07:00")).await;
    assert!(look(store, at("12:00")).await && !look(store, at("12:01")).await);
    let round = rounds(store).await.remove(0);
    assert!(round.is_missed() && round.excused, "{round:?}");
    assert_eq!(count(store, "alert").await, 0);
    // Half of the time of the second one.
    look(store, at("17:10")).await;
    look(store, at("23:00")).await;
    let late = rounds(store).await.remove(0);
    assert!(late.is_missed() && !late.excused, "{late:?}");
    assert_eq!(count(store, "alert").await, 1);
}

#[rstest]
#[tokio::test]
async fn two_hubs_open_a_round_once_and_a_new_site_has_no_past(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    look(store, at("12:00")).await;
    assert!(rounds(store).await.is_empty(), "nobody asked for the one of the morning");
    tokio::join!(look(store, at("17:10")), look(store, at("17:10")));
    assert_eq!(rounds(store).await.len(), 1);
    tokio::join!(look(store, at("18:10")), look(store, at("18:10")));
    assert_eq!((count(store, "alert").await, count(store, "outbox").await), (1, 1));
}

#[rstest]
#[tokio::test]
async fn a_failed_item_opens_a_ticket_with_the_answer_and_the_same_again_changes_nothing(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let round = opened(store).await;
    let pack = Pack::built_in();
    let faulty = Answered {
        note: "屏幕裂了".into(),
        kind: Some(&pack.kinds["laptop"].kind),
        ..answered("laptops.pc-1", Said::Fail)
    };
    let sent = [faulty, answered("books", Said::Count(29))];
    let first = send(store, (1, &round, Deed::Answer), EARLY, &sent, at("08:01")).await.unwrap();
    assert_eq!((first.round.state, first.round.answered, first.tickets.len()), (State::InProgress, 2, 2));
    let again = send(store, (1, &round, Deed::Answer), EARLY, &sent, at("08:02")).await.unwrap();
    assert_eq!(again.round, first.round);
    // The same answers by another upload are no new ones.
    send(store, (2, &round, Deed::Answer), EARLY, &sent, at("08:03")).await.unwrap();
    assert_eq!(
        (count(store, "ticket").await, count(store, "check_answer").await, count(store, "report").await),
        (2, 2, 2)
    );

    let rows = answers(store, &round).await;
    assert_eq!((rows[0].line.as_str(), rows[0].said, rows[0].flag), ("books", Said::Count(29), None));
    let laptop = &rows[1];
    assert_eq!((laptop.flag, laptop.stated), (Some(Flag::DeviceFine), Some(Stated::Fine)));
    assert_eq!(laptop.readings, readings("laptops.pc-1"), "exactly what it said then");
    assert_eq!((laptop.sent_at, laptop.at, &*laptop.by), (Some(at("08:00")), at("08:01"), "早班"));
    let number = laptop.ticket.clone().unwrap();
    let ticket = all_tickets(store).await.into_iter().find(|ticket| ticket.number.as_str() == number).unwrap();
    assert_eq!((&*ticket.department, &*ticket.title.zh), ("it", "点检异常：laptops.pc-1 完好"));
    let said = store.reports_of_ticket(&number).await.unwrap();
    assert_eq!((said.len(), &*said[0].note, &*said[0].reporter), (1, "屏幕裂了", "早班"));

    // Corrected, and wrong again: it joins the ticket that is open.
    send(store, (3, &round, Deed::Answer), EARLY, &[answered("books", Said::Count(30))], at("08:04")).await.unwrap();
    let joined = send(store, (4, &round, Deed::Answer), EARLY, &[answered("books", Said::Count(28))], at("08:05"))
        .await
        .unwrap();
    assert_eq!((joined.tickets.len(), count(store, "ticket").await), (1, 2));
    assert_eq!(count(store, "check_answer").await, 4, "what was said before stays");
}

#[rstest]
#[tokio::test]
async fn nobody_signs_while_something_is_lacking_and_a_handover_takes_two_people(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let round = opened(store).await;
    let some = [answered("laptops.pc-1", Said::Pass), answered("seats", Said::Pass)];
    let refused = send(store, (1, &round, Deed::SignOut), EARLY, &some, at("08:01")).await.unwrap();
    let lacking: Vec<(&str, bool)> = refused.lacking.iter().map(|lack| (&*lack.line, lack.photo)).collect();
    assert_eq!(lacking, [("books", false), ("seats", true)]);
    assert_eq!((refused.round.state, refused.round.answered), (State::InProgress, 2), "what was answered is kept");
    let again = send(store, (1, &round, Deed::SignOut), EARLY, &some, at("08:01")).await.unwrap();
    assert_eq!(again.lacking, refused.lacking, "the same again is answered as it was");

    let mut seats = answered("seats", Said::Pass);
    seats.photos.push(photo());
    let rest = [answered("books", Said::Count(29)), seats];
    let signed = send(store, (2, &round, Deed::SignOut), EARLY, &rest, at("08:02")).await.unwrap();
    assert_eq!((signed.round.state, signed.lacking.len()), (State::SignedOut, 0));
    assert_eq!(store.photos_of_round(round.id).await.unwrap().len(), 1);
    let late = send(store, (3, &round, Deed::Answer), EARLY, &rest, at("08:03")).await;
    assert!(matches!(late, Err(RoundError::Refused(Refusal::State(State::SignedOut)))), "{late:?}");
    let same = send(store, (4, &round, Deed::SignIn), EARLY, &[], at("08:03")).await;
    assert!(matches!(same, Err(RoundError::Refused(Refusal::SamePerson))), "{same:?}");

    let disputed = send(store, (5, &round, Deed::Dispute), LATE, &[], at("08:04")).await.unwrap();
    assert_eq!((disputed.round.state, &*disputed.round.dispute), (State::Disputed, "少一本书"));
    send(store, (6, &round, Deed::SignOut), EARLY, &[answered("books", Said::Count(28))], at("08:05")).await.unwrap();
    let (setup, subject) = (setup(), Subject::Device("covers-1".parse().unwrap()));
    let rule = Low::Machine.rule(COVERS, &setup.pack.items[COVERS]);
    let low = LowAlert { subject, rule, evidence: Label::new("剩 60", "60 left"), tell: true };
    store.tell_low(&site(), &[low], &[], &setup, at("08:05")).await.unwrap();
    let taken = send(store, (7, &round, Deed::SignIn), LATE, &[], at("08:06")).await.unwrap().round;
    assert_eq!((taken.state, taken.is_done()), (State::SignedIn, true));
    let passed = taken.passed_on.clone().unwrap();
    assert_eq!((passed.tickets.len(), &*passed.silences), (1, &["球桌维修中".to_owned()][..]));
    let refills: Vec<(&str, &str)> = passed.refills.iter().map(|refill| (&*refill.device, &*refill.title.en)).collect();
    assert_eq!(refills, [("covers-1", "Shoe covers: to be refilled")]);
    let (out, taking) = (taken.signed_out.unwrap(), taken.signed_in.unwrap());
    assert_eq!((&*out.name, &*taking.name, taking.at), ("早班", "晚班", at("08:06")));

    let filter = AuditFilter::default();
    let log = store.audit_log(&filter, None, 20).await.unwrap().unwrap().0;
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    let expected = ["round.sign_in", "round.sign_out", "round.dispute", "round.sign_out", "round.sign_out"];
    assert_eq!(actions, expected);
    assert!(store.verify_audit().await.unwrap().is_ok());
}

#[rstest]
#[tokio::test]
async fn the_last_hub_to_look_is_remembered_without_a_write_each_time(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    for minute in 0..8 {
        look(store, at("09:00") + Span::from_mins(minute)).await;
    }
    let mut tx = store.read().await.unwrap();
    let looked: i64 =
        crate::store::on!(&mut tx, "read", conn => sqlx::query_scalar("SELECT looked_at FROM check_watch")
        .fetch_one(conn).await)
        .unwrap();
    assert_eq!(Timestamp::from_millis(looked), at("09:05"));
}

#[rstest]
#[tokio::test]
async fn a_round_that_somebody_starts_is_one_however_often_it_is_asked_for(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (site, setup, lines) = (site(), setup(), lines());
    let list = setup.pack.checklists.iter().find(|list| *list.id == *HANDOVER).unwrap();
    let (zone, actor) = (setup.zone_of(&site), Actor::person("p-early", "早班"));
    let start = async |key: u128, now: Timestamp| {
        let (key, lines) = (Uuid::from_u128(key), &lines[HANDOVER]);
        let asked = Starting { key, site: &site, list, lines, zone: &zone, actor: &actor, at: now };
        store.start_round(asked).await.unwrap()
    };
    let first = start(1, at("12:00")).await;
    assert_eq!(start(1, at("12:01")).await, first, "the same wish");
    assert_eq!(start(2, at("12:01")).await, first, "one is under way");
    let there = rounds(store).await;
    assert_eq!(there.len(), 1, "{there:?}");
    let (opens, due, closes) = (there[0].opens_at, there[0].due_at, there[0].closes_at);
    assert_eq!((opens, due, closes), (at("12:00"), at("12:45"), at("13:00")), "it has the time of a planned one");
    // Nobody does it: it is missed as any other, and the next wish starts another one.
    assert!(look(store, at("13:00")).await);
    let second = start(3, at("13:00")).await;
    assert!(second != first && start(1, at("13:00")).await == first);
    let there = rounds(store).await;
    assert_eq!(
        there.iter().map(|round| (round.is_missed(), round.nth)).collect::<Vec<_>>(),
        [(false, 1001), (true, 1000)]
    );
    assert_eq!(all_alerts(store).await.len(), 1);
}
