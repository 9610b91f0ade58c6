//! People who are told themselves: those at a post, whoever heard the beginning, and nobody who has left.

use lobby_domain::{
    access::{Grant, Role},
    notice::{Preferences, QuietHours},
    rule::Severity,
    ticket::Action,
};
use rstest::rstest;
use uuid::Uuid;

use super::{
    DARK, Database, Kind, LED, MINUTE, Span, Store, T0, Timestamp, all_alerts, clear, commit, doer,
    outbox::{composed, expand},
    raise, setup, site, the_ticket, writer,
};
use crate::{
    audit::Actor,
    store::{
        Attempted, ContactError, Deed, DeliveryFilter, Draft, Mailbox, PersonRow, PreferenceRow, Then, channel_of,
        person_of,
    },
};

fn at(minutes: u32) -> Timestamp {
    T0 + MINUTE.times(minutes)
}

async fn person(store: &Store, login: &str, role: Role) -> PersonRow {
    let grant = Grant { role, site: Some(site()) };
    crate::account::enter(store, (login, login), grant, at(0), &Actor::here("")).await.unwrap().0
}

/// Somebody with a confirmed address.
async fn reachable(store: &Store, login: &str, role: Role) -> PersonRow {
    let row = person(store, login, role).await;
    store.ask_contact(&row, &format!("{login}@example.com"), b"proof", at(0)).await.unwrap();
    store.confirm_contact(&row, |_, proof| proof == b"proof", at(0)).await.unwrap();
    row
}

/// As the sender does at each look.
async fn look(store: &Store, now: Timestamp) -> Vec<Mailbox> {
    let mailboxes = store.mailboxes().await.unwrap();
    let channels: Vec<String> = mailboxes.iter().map(|one| channel_of(&one.person)).collect();
    let names: Vec<&str> = channels.iter().map(String::as_str).collect();
    store.know_channels(&names, now).await.unwrap();
    expand(store, &[], &mailboxes).await;
    mailboxes
}

/// What is or was to be told to somebody: of each event its word and state.
async fn told(store: &Store, person: &PersonRow) -> Vec<(String, String)> {
    let filter = DeliveryFilter { channel: Some(channel_of(&person.id)), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, None, 100).await.unwrap().unwrap().0;
    let mut rows: Vec<_> =
        rows.into_iter().map(|row| (row.event.split(':').nth(1).unwrap().to_owned(), row.state)).collect();
    rows.sort();
    rows
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(event, state)| ((*event).to_owned(), (*state).to_owned())).collect()
}

/// Puts everything that waits for somebody into a message and sends it.
async fn sent(store: &Store, person: &PersonRow, id: u128, then: Then, now: Timestamp) {
    let (channel, id) = (channel_of(&person.id), Uuid::from_u128(id));
    let queued = store.read().await.unwrap().queued_for(&channel, usize::MAX).await.unwrap().queued;
    let draft = Draft {
        id,
        channel: &channel,
        counts_for: "mail",
        kind: "group",
        letter: "{}".to_owned(),
        carries: queued.iter().map(|one| (one.event.as_str(), one.post.as_str())).collect(),
        carries_all: false,
        flushed: Vec::new(),
    };
    assert!(composed(store, draft, now).await);
    let attempted = Attempted {
        message: id,
        nth: 1,
        channel: &channel,
        took: Span::from_millis(5),
        outcome: "x",
        answer: "said",
        heard: then == Then::Sent,
        then,
        paused_until: None,
        instead: None,
    };
    store.settle_attempt(&attempted, now).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn an_address_is_used_only_once_its_code_has_come_back(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = person(store, "li", Role::Engineering).await;
    store.ask_contact(&li, "li@example.com", b"first", at(0)).await.unwrap();
    assert_eq!(store.mailboxes().await.unwrap(), [], "nothing is sent to it yet");
    store.ask_contact(&li, "li@example.com", b"second", at(1)).await.unwrap();
    let code = |wanted: &'static [u8]| move |_: &str, proof: &[u8]| proof == wanted;
    for _ in 0..4 {
        assert!(matches!(store.confirm_contact(&li, code(b"first"), at(2)).await, Err(ContactError::Code)));
    }
    store.confirm_contact(&li, code(b"second"), at(2)).await.unwrap();
    assert!(matches!(store.confirm_contact(&li, code(b"second"), at(2)).await, Err(ContactError::Code)), "once");
    assert_eq!(store.mailboxes().await.unwrap()[0].address, "li@example.com");

    // A code that is over, or was guessed at, is good no longer; the old address stays.
    store.ask_contact(&li, "new@example.com", b"third", at(3)).await.unwrap();
    assert!(matches!(store.confirm_contact(&li, code(b"third"), at(18)).await, Err(ContactError::Code)));
    store.ask_contact(&li, "new@example.com", b"fourth", at(19)).await.unwrap();
    for _ in 0..5 {
        assert!(store.confirm_contact(&li, code(b"guess"), at(20)).await.is_err());
    }
    assert!(store.confirm_contact(&li, code(b"fourth"), at(20)).await.is_err());
    assert_eq!(store.contact(&li.id).await.unwrap().address.as_deref(), Some("li@example.com"));

    // Nobody can have codes sent without end, nor by removing the address in between.
    store.ask_contact(&li, "new@example.com", b"fifth", at(21)).await.unwrap();
    store.remove_contact(&li, at(22)).await.unwrap();
    assert_eq!(store.contact(&li.id).await.unwrap(), crate::store::ContactRow::default());
    let refused = store.ask_contact(&li, "new@example.com", b"sixth", at(23)).await;
    assert!(matches!(refused, Err(ContactError::TooOften(wait)) if wait == MINUTE.times(37)), "{refused:?}");
    store.ask_contact(&li, "new@example.com", b"sixth", at(60)).await.unwrap();
    let audit = store.audit_log(&crate::store::AuditFilter::default(), None, 100).await.unwrap().unwrap().0;
    assert!(audit.iter().all(|entry| !format!("{entry:?}").contains("li@example.com")), "no address is in it");
}

#[rstest]
#[tokio::test]
async fn those_at_a_post_are_told_and_whoever_heard_the_beginning_hears_the_end(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = reachable(store, "li", Role::Engineering).await;
    let wang = reachable(store, "wang", Role::Showflat).await;
    look(store, at(0)).await;
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    look(store, at(1)).await;
    assert_eq!(told(store, &li).await, named(&[("raised", "queued")]));
    assert_eq!(told(store, &wang).await, [], "another post is not told");
    sent(store, &li, 1, Then::Sent, at(2)).await;
    assert_eq!(
        store.read().await.unwrap().spent("mail", at(0)).await.unwrap().len(),
        1,
        "it counts for the channel through which it goes"
    );

    // Zhang comes only now, and has not heard the beginning.
    let zhang = reachable(store, "zhang", Role::Engineering).await;
    look(store, at(3)).await;
    commit(&mut writer(store), clear(LED, DARK, at(4))).await;
    look(store, at(4)).await;
    assert_eq!(told(store, &li).await, named(&[("cleared", "queued"), ("raised", "sent")]));
    assert_eq!(told(store, &zhang).await, []);
}

#[rstest]
#[tokio::test]
async fn whoever_leaves_or_is_erased_is_sent_nothing_more(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let [li, wang, chen] = [
        reachable(store, "li", Role::Engineering).await,
        reachable(store, "wang", Role::Engineering).await,
        reachable(store, "chen", Role::Engineering).await,
    ];
    person(store, "admin", Role::Admin).await;
    look(store, at(0)).await;
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    look(store, at(1)).await;
    store.set_disabled(&li.id, true, at(2), &Actor::here("")).await.unwrap();
    store.erase_person(&wang.id, at(2), &Actor::here("")).await.unwrap();
    store.prefer(&wang, &PreferenceRow::default(), at(2)).await.unwrap();
    let left = look(store, at(3)).await;
    assert_eq!(left.iter().map(|one| one.person.as_str()).collect::<Vec<_>>(), [chen.id.as_str()]);
    assert_eq!(told(store, &li).await, named(&[("raised", "cancelled")]));
    assert_eq!(told(store, &wang).await, named(&[("raised", "cancelled")]));
    assert_eq!(store.contact(&wang.id).await.unwrap(), crate::store::ContactRow::default());

    // Chen works elsewhere from now on.
    store.cancel_elsewhere(&channel_of(&chen.id), &[&"other".parse().unwrap()], at(4)).await.unwrap();
    assert_eq!(told(store, &chen).await, named(&[("raised", "cancelled")]));
}

#[rstest]
#[tokio::test]
async fn that_a_person_cannot_be_told_is_everybodys_trouble_only_if_nobody_else_was(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = reachable(store, "li", Role::Engineering).await;
    look(store, at(0)).await;
    commit(&mut writer(store), raise(LED, DARK, at(1))).await;
    look(store, at(1)).await;
    sent(store, &li, 1, Then::Dead, at(2)).await;
    assert!(store.is_told_alone(Uuid::from_u128(1)).await.unwrap());
    assert_eq!(store.last_refused(&channel_of(&li.id)).await.unwrap().as_deref(), Some("said"));
    let wang = reachable(store, "wang", Role::Engineering).await;
    look(store, at(2)).await;
    commit(&mut writer(store), raise("led-2", DARK, at(3))).await;
    look(store, at(3)).await;
    sent(store, &li, 2, Then::Dead, at(4)).await;
    assert!(!store.is_told_alone(Uuid::from_u128(2)).await.unwrap(), "{} is told", wang.name);
}

#[rstest]
#[tokio::test]
async fn what_somebody_has_chosen_is_kept_and_in_the_audit_log_once(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let li = reachable(store, "li", Role::Engineering).await;
    assert_eq!(store.preference(&li.id).await.unwrap(), PreferenceRow::default());
    let quiet = Some(QuietHours::new("22:00", "07:00", [true, true, true, true, true, false, false]).unwrap());
    let told = Preferences { least: Severity::Major, held_only: true, quiet };
    let chosen = PreferenceRow { lang: Some(lobby_domain::label::Lang::En), told };
    for _ in 0..2 {
        store.prefer(&li, &chosen, at(1)).await.unwrap();
    }
    assert_eq!(store.preference(&li.id).await.unwrap(), chosen);
    let mailbox = store.mailboxes().await.unwrap().remove(0);
    assert_eq!((mailbox.chosen, person_of(&channel_of(&li.id))), (chosen, Some(li.id.as_str())));
    let audit = store.audit_log(&crate::store::AuditFilter::default(), None, 100).await.unwrap().unwrap().0;
    let count = audit.iter().filter(|entry| format!("{entry:?}").contains("preference.set")).count();
    assert_eq!(count, 1);
    assert_eq!(all_alerts(store).await.len(), 0);
}

#[rstest]
#[tokio::test]
async fn whoever_is_given_a_ticket_is_told_alone_whatever_their_post(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let (li, wang) =
        (reachable(store, "li", Role::Engineering).await, reachable(store, "wang", Role::Engineering).await);
    let boss = reachable(store, "boss", Role::Manager).await;
    look(store, at(0)).await;
    commit(&mut writer(store), raise(LED, DARK, at(0))).await;
    look(store, at(0)).await;
    for (minute, to) in [(1, "wang"), (2, "boss")] {
        let seen = the_ticket(store).await;
        let deed = Deed { assignee: Some(to), ..Deed::new(seen.version, "陈主管", doer(), at(minute)) };
        store.act_on_ticket(seen.number.as_str(), Action::Assign, deed, &setup()).await.unwrap();
        look(store, at(minute)).await;
    }
    assert_eq!(told(store, &li).await, named(&[("raised", "queued")]));
    assert_eq!(told(store, &wang).await, named(&[("assigned", "queued"), ("raised", "queued")]));
    assert_eq!(told(store, &boss).await, named(&[("assigned", "queued")]), "they are not at the post that repairs");
    for one in store.mailboxes().await.unwrap() {
        assert_eq!(store.cancel_left(&one, at(3)).await.unwrap(), 0, "what was given to {} is theirs", one.name);
    }
}
