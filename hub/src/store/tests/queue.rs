//! The queue: in the database each ticket stands in the group in which the rules put it, and what is due stands first.

use lobby_domain::ticket::{
    State,
    queue::{Group, Limits},
};
use rstest::rstest;

use super::{DARK, Database, Kind, MINUTE, T0, all_tickets, commit, count, raise, site, writer};

/// Puts every ticket into a state.
async fn set(database: &Database, number: &str, state: State, respond: i64) {
    let sql = format!(
        "UPDATE ticket SET state = '{state}', respond_by = {respond}, arrive_by = {respond} + 60000, complete_by = {respond} + 120000
            WHERE number = '{number}'"
    );
    super::execute(&database.store, sql).await;
}

#[rstest]
#[tokio::test]
async fn every_open_ticket_is_in_the_group_of_the_rules_and_what_is_due_is_first(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    let mut writer = writer(store);
    let now = T0 + MINUTE.times(30);
    // Each state at each place about the two bounds: now, and a quarter of an hour later.
    let bounds = [-121, -120, -61, -1, 0, 1, 780, 840, 899, 900, 901, 5000];
    let mut made = 0;
    for state in State::ALL {
        for seconds in bounds {
            commit(&mut writer, raise(&format!("led-{made}"), DARK, T0)).await;
            made += 1;
            let number = format!("BX-202611-{made:04}");
            set(&database, &number, state, now.millis() + seconds * 1000).await;
        }
    }
    let tickets = all_tickets(store).await;
    assert_eq!(tickets.len(), made);
    let limits = |ticket: &crate::store::TicketRow| Limits {
        respond_by: ticket.respond_by,
        arrive_by: ticket.arrive_by,
        complete_by: ticket.complete_by,
    };
    let queued = store.queued(None, now).await.unwrap();
    let counts = queued[&site()];
    assert_eq!(store.queued(Some(&site()), now).await.unwrap(), queued);
    assert!(store.queued(Some(&"elsewhere".parse().unwrap()), now).await.unwrap().is_empty());
    for group in Group::ALL {
        let mut expected: Vec<_> =
            tickets.iter().filter(|ticket| Group::of(ticket.state, limits(ticket), now) == Some(group)).collect();
        expected.sort_by_key(|ticket| {
            let due = limits(ticket).next(ticket.state);
            (due.is_none(), due, ticket.opened_at, ticket.number.to_string())
        });
        let all = store.queue(None, group, (0, 1000), now).await.unwrap();
        assert_eq!(all.iter().collect::<Vec<_>>(), expected, "{group:?}");
        assert_eq!(counts.of(group) as usize, expected.len(), "{group:?}");
        let some = store.queue(Some(&site()), group, (1, 2), now).await.unwrap();
        assert_eq!(some, all[1..3], "{group:?}");
    }
    let late = tickets.iter().filter(|ticket| limits(ticket).next(ticket.state).is_some_and(|at| at < now)).count();
    assert_eq!(counts.overdue as usize, late);
    assert_eq!(i64::from(counts.all()), count(store, "ticket WHERE state <> 'closed'").await);
}
