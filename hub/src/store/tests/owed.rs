//! What was owed besides rounds, faults and tickets: purchases and statements, supplies, the register, and urgent messages.

use lobby_domain::{
    alert::{AlertId, Raise, Step as TicketStep, Subject},
    compliance::{By, Duty, Evidence, Excuse, Instance, Kept},
    pack::Pack,
    purchase::Act,
    register::{
        Field, Item,
        moving::{Step, Way},
    },
    site::AlertChange,
    stock::{Deed, Place, low::Low},
    time::{Span, Timestamp},
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    DARK, Database, Kind, LED, MINUTE, Store, T0, by, clear, commit, compliance::owed, execute, purchases::act, raise,
    record, reports, site, writer,
};
use crate::{
    audit::Actor,
    photo::Photo,
    store::{Acting, Asked, Closing, Posting},
};

const MACHINE: &str = "covers-1";
const DAY: u32 = 24 * 60;

/// What was owed of one kind, looked at after that many minutes.
async fn of(database: &Database, duty: Duty, minutes: u32) -> Vec<Instance> {
    owed(database, minutes).await.into_iter().filter(|owed| owed.duty == duty).collect()
}

/// The only one of a kind.
async fn one(database: &Database, duty: Duty, minutes: u32) -> Instance {
    let mut all = of(database, duty, minutes).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn post(store: &Store, key: u128, deed: Deed, at: Timestamp) {
    post_because(store, key, deed, "", at).await;
}

async fn post_because(store: &Store, key: u128, deed: Deed, reason: &str, at: Timestamp) {
    let (site, actor) = (site(), by());
    let posting = Posting {
        id: Uuid::from_u128(key),
        site: &site,
        item: "shoe-cover",
        reason,
        who: "lin",
        post: "showflat",
        at,
        actor: &actor,
    };
    store.post_stock(posting, &deed, &[]).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn the_next_purchase_is_owed_once_a_ledger_is_kept_and_is_settled_by_the_last_approval(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    assert_eq!(of(&database, Duty::Plan, 0).await, []);
    let october = T0 - MINUTE.times(30 * DAY);
    post(store, 1, Deed::Receive { pieces: 900, order: None }, october).await;
    assert_eq!(of(&database, Duty::Plan, 0).await, [], "nothing was used: there is nothing to plan by");
    post(store, 2, Deed::HandOut { from: Place::Store, pieces: 5 }, october).await;

    let open = one(&database, Duty::Plan, 0).await;
    assert_eq!((open.kept, open.post.as_deref(), open.done), (Kept::Open, Some("showflat"), None));
    assert_eq!(open.evidence, Evidence::Plan("shoe-cover".into(), "2026-12".parse().unwrap()));
    assert_eq!(one(&database, Duty::Plan, 11 * DAY).await.kept, Kept::Missed, "December has begun");
    act(store, 0, "showflat", &Act::Submit, "").await.unwrap();
    act(store, 1, "supervisor", &Act::Approve, "").await.unwrap();
    let half = one(&database, Duty::Plan, 0).await;
    assert_eq!((half.kept, half.post.as_deref()), (Kept::Open, Some("manager")), "one of two has approved it");
    act(store, 2, "manager", &Act::Approve, "").await.unwrap();
    let met = one(&database, Duty::Plan, 11 * DAY).await;
    assert_eq!((met.kept, met.done, met.by), (Kept::Met, Some(T0), By::Person("manager".into())));
    assert_eq!(met.clauses, ["SHO-D4".into()]);
}

#[rstest]
#[tokio::test]
async fn a_statement_is_agreed_to_within_a_week_of_its_month(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    post(store, 1, Deed::Receive { pieces: 900, order: None }, T0).await;
    assert_eq!(one(&database, Duty::Statement, 0).await.kept, Kept::Open);
    assert_eq!(one(&database, Duty::Statement, 18 * DAY).await.kept, Kept::Missed);
    // Where the hub learnt of statements only afterwards, nobody could have agreed in time.
    let learnt = (T0 + MINUTE.times(18 * DAY)).millis();
    execute(store, format!("INSERT INTO statement_since (at) VALUES ({learnt})")).await;
    let asked = super::compliance::owed(&database, 19 * DAY).await;
    assert!(asked.iter().all(|instance| instance.duty != Duty::Statement), "{asked:?}");
    execute(store, "DELETE FROM statement_since".into()).await;
    let (site, actor, month) = (site(), by(), "2026-11".parse().unwrap());
    for who in ["lin", "zhou"] {
        let at = T0 + MINUTE.times(12 * DAY);
        let closing = Closing { who, post: "showflat", saw: (0, 0), at, actor: &actor };
        store.close_statement(&site, "shoe-cover", month, closing).await.unwrap();
    }
    let met = one(&database, Duty::Statement, 18 * DAY).await;
    assert_eq!((met.kept, met.by), (Kept::Met, By::Person("lin".into())), "who agreed first has agreed");
    assert_eq!(met.evidence, Evidence::Statement("shoe-cover".into(), month));
    assert_eq!(super::count(store, "audit WHERE action = 'statement.close'").await, 1);
}

/// A machine that is in use.
async fn machine(store: &Store) {
    writer(store).commit(&[reports("lobby-box", MACHINE, [record(1, MACHINE, T0)])], T0).await.unwrap();
    let sql = "UPDATE device SET kind = 'shoe-cover-machine', name = 'First machine', announced = TRUE";
    execute(store, sql.into()).await;
}

/// How long the machine was known to work in the month.
async fn worked(store: &Store, hours: i64) {
    let sql = format!(
        "INSERT INTO rollup (device_no, grain, at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal,
            open_offline, open_unknown, figures)
        SELECT no, 1, {}, 1, 0, 0, 0, 0, {}, 0, 0, 0, '{{}}' FROM device",
        T0.millis(),
        hours * 3_600_000
    );
    execute(store, sql).await;
}

#[rstest]
#[tokio::test]
async fn a_machine_that_never_ran_out_says_so_when_the_month_is_over_and_only_if_it_was_heard_of(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    machine(&database.store).await;
    assert_eq!(one(&database, Duty::Supply, 0).await.kept, Kept::Open, "it may still run out");
    assert_eq!(one(&database, Duty::Supply, 11 * DAY).await.kept, Kept::Excused(Excuse::Unseen));
    worked(&database.store, 29 * 24).await;
    let met = one(&database, Duty::Supply, 11 * DAY).await;
    assert_eq!((met.kept, met.evidence), (Kept::Met, Evidence::Device(MACHINE.parse().unwrap())));
    assert_eq!(of(&database, Duty::Warned, 11 * DAY).await, []);
}

/// What was sent of the alerts of a rule on a channel, to every post; heard at that time, if at all.
fn deliver(rule: &str, channel: &str, state: &str, heard: Option<Timestamp>) -> String {
    let at = heard.map_or_else(|| "NULL".to_owned(), |at| at.millis().to_string());
    format!(
        "INSERT INTO delivery (event, post, channel, site, alert, created_at, state, why, told_at)
            SELECT o.event, o.post, '{channel}', o.site, o.alert, o.created_at, '{state}', '', {at}
            FROM outbox o JOIN alert a ON a.id = o.alert WHERE a.rule = '{rule}'"
    )
}

#[rstest]
#[tokio::test]
async fn a_run_out_counts_once_and_whoever_refills_must_have_heard_before_it(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    machine(store).await;
    worked(store, 29 * 24).await;
    let mut writer = writer(store);
    let out = T0 + MINUTE.times(30);
    commit(&mut writer, raise(MACHINE, "covers-low", T0)).await;
    commit(&mut writer, raise(MACHINE, "covers-used-up", out)).await;
    commit(&mut writer, raise(MACHINE, "covers-empty", out + MINUTE)).await;
    let missed = one(&database, Duty::Supply, 40).await;
    assert_eq!(
        (missed.kept, missed.due, missed.done),
        (Kept::Missed, out, None),
        "the count and the switch say one thing"
    );
    assert!(matches!(missed.evidence, Evidence::Alert(_)));
    assert_eq!(one(&database, Duty::Warned, 40).await.kept, Kept::Missed, "nobody has heard that it was low");

    execute(store, deliver("covers-low", "hook", "sent", Some(out + MINUTE))).await;
    assert_eq!(one(&database, Duty::Warned, 40).await.kept, Kept::Late);
    execute(store, deliver("covers-low", "mail", "digested", Some(out - MINUTE))).await;
    let warned = one(&database, Duty::Warned, 40).await;
    assert_eq!((warned.kept, warned.done), (Kept::Met, Some(out - MINUTE)));
    assert_eq!(warned.clauses, ["BAR-D5".into()]);

    let refilled = out + MINUTE.times(5);
    for rule in ["covers-used-up", "covers-empty", "covers-low"] {
        commit(&mut writer, clear(MACHINE, rule, refilled)).await;
    }
    let again = out + MINUTE.times(60);
    commit(&mut writer, raise(MACHINE, "covers-empty", again)).await;
    assert_eq!(of(&database, Duty::Supply, 120).await.len(), 2);
    let warned = of(&database, Duty::Warned, 120).await;
    let second = warned.iter().find(|warned| warned.due == again).expect("the second run-out");
    assert_eq!((second.kept, second.done), (Kept::Missed, None), "of the second one nothing was said before");
}

async fn add(store: &Store, at: Timestamp) {
    let text = |field| match field {
        Field::Name => "花瓶",
        Field::Quantity => "1",
        Field::Place => "客厅",
        _ => "",
    };
    let item = Item::read(|field| Some(text(field))).unwrap();
    let photo = Photo { jpeg: vec![0xff, 0xd8, 7], small: vec![0xff, 0xd8], width: 4, height: 3 };
    let by = Acting { site: &site(), who: "lin", post: "showflat", actor: &Actor::person("lin", "lin"), at };
    store.add_to_register(Uuid::from_u128(1), &item, &[photo], "code-register", by).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_stock_take_is_due_when_the_register_is_old_enough(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    // Ninety days after that is five days after T0.
    add(store, T0 - MINUTE.times(85 * DAY)).await;
    let open = one(&database, Duty::StockTake, 0).await;
    assert_eq!((open.kept, open.due, open.evidence), (Kept::Open, T0 + MINUTE.times(5 * DAY), Evidence::Register));
    let take = Uuid::from_u128(7);
    let insert = |place: &str, id: u128, at: Timestamp| {
        let id = Uuid::from_u128(id).simple().to_string();
        let id = if kind == Kind::Sqlite { format!("x'{id}'") } else { format!("'{id}'::UUID") };
        format!(
            "INSERT INTO stock_take (id, site, place, lines, started_id, started_who, started_at, closed_who, closed_at, seen_who, version)
                VALUES ({id}, 'demo', '{place}', '[]', '', '', {0}, 'lin', {0}, '', 1)",
            at.millis()
        )
    };
    execute(store, insert("客厅", 8, T0)).await;
    assert_eq!(one(&database, Duty::StockTake, 6 * DAY).await.kept, Kept::Missed, "one place is not the whole site");
    execute(store, insert("", 7, T0 + MINUTE.times(DAY))).await;
    let met = one(&database, Duty::StockTake, 6 * DAY).await;
    assert_eq!((met.kept, met.by, met.evidence), (Kept::Met, By::Person("lin".into()), Evidence::StockTake(take)));
}

#[rstest]
#[tokio::test]
async fn a_move_is_decided_on_and_then_recorded(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    add(store, T0).await;
    let acting = |who: &'static str, minutes: u32| (who, Actor::person(who, who), T0 + MINUTE.times(minutes));
    let number = lobby_domain::register::AssetNumber::of(1);
    let id = Uuid::from_u128(5);
    let asked = Asked { id, number, way: Way::Out, pieces: 1, place: "总部", reason: "借展", wanted: None };
    let (who, actor, at) = acting("lin", 0);
    let site = site();
    store.ask_move(asked, Acting { site: &site, who, post: who, actor: &actor, at }).await.unwrap();
    assert_eq!(one(&database, Duty::Consent, 1).await.kept, Kept::Open);
    let missed = one(&database, Duty::Consent, 4 * DAY).await;
    assert_eq!((missed.kept, missed.post.as_deref()), (Kept::Missed, Some("manager")));
    assert_eq!(of(&database, Duty::Move, 4 * DAY).await, [], "nobody may move it yet");
    for (step, who, minutes) in [(Step::Approve, "he", 60), (Step::Confirm, "lin", 5 * DAY)] {
        let (who, actor, at) = acting(who, minutes);
        store.step_move(id, step, "", Acting { site: &site, who, post: who, actor: &actor, at }).await.unwrap();
    }
    let consent = one(&database, Duty::Consent, 6 * DAY).await;
    assert_eq!((consent.kept, consent.by), (Kept::Met, By::Person("he".into())));
    let moved = one(&database, Duty::Move, 6 * DAY).await;
    assert_eq!((moved.kept, moved.evidence), (Kept::Late, Evidence::Moves), "more than three days after the consent");
    assert!(moved.title.zh.contains("花瓶"), "{:?}", moved.title);
}

#[rstest]
#[tokio::test]
async fn what_is_urgent_reaches_every_channel_at_once(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    commit(&mut writer, raise(LED, DARK, T0)).await;
    assert_eq!(of(&database, Duty::Message, 5).await, [], "no channel is set up");
    store.know_channels(&["hook", "mail", "robot", "late"], T0 - MINUTE).await.unwrap();
    let unserved = one(&database, Duty::Message, 5).await;
    assert_eq!(unserved.kept, Kept::Missed, "there are channels, and none serves whom it concerns");

    let soon = T0 + MINUTE;
    for (channel, state, heard) in [
        ("hook", "sent", Some(soon)),
        ("late", "sent", Some(soon + Span::from_millis(1))),
        ("mail", "dead", None),
        ("robot", "queued", None),
        ("person:lin", "dead", None),
    ] {
        execute(store, deliver(DARK, channel, state, heard)).await;
    }
    let kept = async |minutes| {
        let all = of(&database, Duty::Message, minutes).await;
        let channel = |one: &Instance| one.title.en.rsplit(' ').next().unwrap_or_default().to_owned();
        all.iter().map(|one| (channel(one), one.kept)).collect::<Vec<_>>()
    };
    let expected = [("hook", Kept::Met), ("late", Kept::Late), ("mail", Kept::Missed), ("robot", Kept::Open)];
    assert_eq!(
        kept(5).await,
        expected.map(|(channel, kept)| (channel.to_owned(), kept)),
        "whose address it is, is theirs"
    );
    let all = of(&database, Duty::Message, 5).await;
    let alert: AlertId = super::all_alerts(store).await[0].id;
    assert!(all.iter().all(|one| one.evidence == Evidence::Messages(alert)));
    assert_eq!(all[0].clauses, ["CON-D4".into(), "CON-S10".into(), "PAS-D4".into()]);
    execute(store, "UPDATE delivery SET state = 'cancelled' WHERE channel = 'robot'".into()).await;
    assert_eq!(kept(5).await[3].1, Kept::Excused(Excuse::Quiet), "it was over before");
    execute(store, "DELETE FROM delivery".into()).await;
    execute(store, "DELETE FROM outbox".into()).await;
    assert_eq!(one(&database, Duty::Message, 5).await.kept, Kept::Excused(Excuse::Quiet), "no longer on record");
}

/// The alert that the store room runs low.
fn room_low(at: Timestamp) -> AlertChange {
    let pack = Pack::built_in();
    let AlertChange::Raise(raised) = raise(MACHINE, "covers-low", at) else { panic!("it is raised") };
    let rule = Low::Room.rule("shoe-cover", &pack.items["shoe-cover"]);
    let id = AlertId::derive(&site(), &Subject::Site, &rule.id, at, 0);
    AlertChange::Raise(Raise { id, subject: Subject::Site, rule, step: TicketStep::None, ..raised })
}

#[rstest]
#[tokio::test]
async fn a_store_room_that_its_books_say_was_empty_ran_out_and_whoever_buys_must_have_heard_before(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let hand = |pieces| Deed::HandOut { from: Place::Store, pieces };
    post(store, 1, Deed::Receive { pieces: 100, order: None }, T0 - MINUTE.times(20 * DAY)).await;
    let kept = one(&database, Duty::Supply, 0).await;
    assert_eq!(
        (kept.kept, kept.evidence),
        (Kept::Open, Evidence::Statement("shoe-cover".into(), "2026-11".parse().unwrap()))
    );
    assert_eq!(one(&database, Duty::Supply, 11 * DAY).await.kept, Kept::Met, "by its books it never was empty");

    commit(&mut writer(store), room_low(T0 + MINUTE)).await;
    let out = T0 + MINUTE.times(30);
    post(store, 2, hand(100), out).await;
    let missed = one(&database, Duty::Supply, 40).await;
    assert_eq!((missed.kept, missed.due, missed.done), (Kept::Missed, out, None));
    assert_eq!(missed.clauses, ["SHO-D4".into()]);
    assert_eq!(one(&database, Duty::Warned, 40).await.kept, Kept::Missed, "nobody has heard that it was low");
    execute(store, deliver(&Low::Room.rule_id("shoe-cover"), "hook", "sent", Some(out - MINUTE))).await;
    let warned = one(&database, Duty::Warned, 40).await;
    assert_eq!((warned.kept, warned.done, warned.clauses), (Kept::Met, Some(out - MINUTE), vec!["BAR-D5".into()]));

    let filled = out + MINUTE.times(5);
    post(store, 3, Deed::Receive { pieces: 50, order: None }, filled).await;
    assert_eq!(one(&database, Duty::Supply, 40).await.done, Some(filled));
    // By the books there were fewer than none; the count shows that they were wrong, and the room was not empty.
    post(store, 4, hand(60), filled + MINUTE).await;
    assert_eq!(of(&database, Duty::Supply, 40).await.len(), 2);
    let counted = Deed::Count { place: Place::Store, counted: 40 };
    post_because(store, 5, counted, "记错", filled + MINUTE.times(2)).await;
    assert_eq!(one(&database, Duty::Supply, 60).await.due, out);
}
