//! The same fault, on every broker and database that the product stands on.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use lobby_tests::{
    agent::Agent,
    broker::Mosquitto,
    database::Database,
    hub::{Hub, Options, ticket_of},
    modbus::Equipment,
    wait,
};
use rstest::rstest;

use crate::equipment::{covers, fill, jam};

const PATIENCE: Duration = Duration::from_mins(1);
const SITE: &str = "demo";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Broker {
    Own,
    Mosquitto,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Sqlite,
    Postgres,
}

#[rstest]
#[case::own_broker_and_sqlite(Broker::Own, Store::Sqlite)]
#[case::own_broker_and_postgres(Broker::Own, Store::Postgres)]
#[case::mosquitto_and_sqlite(Broker::Mosquitto, Store::Sqlite)]
#[case::mosquitto_and_postgres(Broker::Mosquitto, Store::Postgres)]
fn a_fault_goes_through_from_equipment_to_ticket(#[case] broker: Broker, #[case] store: Store) -> Result<()> {
    let Some(mut machine) = Equipment::tcp()? else { return Ok(()) };
    fill(&mut machine, 300)?;
    let mosquitto = if broker == Broker::Mosquitto { Mosquitto::start()? } else { None };
    let database = if store == Store::Postgres { Database::create()? } else { None };
    if (broker == Broker::Mosquitto && mosquitto.is_none()) || (store == Store::Postgres && database.is_none()) {
        return Ok(());
    }
    let mut hub = Hub::with(Options {
        mqtt_url: mosquitto.as_ref().map(Mosquitto::url),
        database_url: database.as_ref().map(Database::url),
        config: None,
    })?;
    let way = format!("address = \"{}\"", machine.address());
    let mut agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &covers("covers-1", &way))?;
    hub.api.device_state(SITE, "covers-1", "normal", PATIENCE)?;

    jam(&mut machine, true)?;
    let alert = hub.api.open_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;
    let number = ticket_of(&alert)?;
    let ticket = hub.api.tickets(SITE, "open")?.remove(0);
    assert_eq!(ticket["number"], number);

    let path = format!("/api/v1/tickets/{number}/accept");
    let version = ticket["version"].clone();
    let accept = serde_json::json!({ "version": version, "by": "工程 王", "note": "" });
    let answer = hub.api.post(&path, &accept)?;
    assert!((200..300).contains(&answer.status), "{answer:?}");
    let again = hub.api.post(&path, &accept)?;
    assert!((400..500).contains(&again.status), "a version is used once: {again:?}");
    assert!(again.header("content-type").is_some_and(|kind| kind.contains("problem+json")), "{again:?}");

    assert!(hub.stop()?.success());
    hub.restart()?;
    let tickets = hub.api.tickets(SITE, "all")?;
    assert_eq!(tickets.len(), 1, "a restart keeps the ticket and opens no other: {tickets:?}");
    assert_eq!(tickets[0]["state"], "accepted");
    jam(&mut machine, false)?;
    hub.api.cleared_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;
    assert_eq!(hub.api.alerts(SITE, "all")?.len(), 1);
    assert!(agent.stop()?.success());
    Ok(())
}

#[test]
fn a_broker_that_crashes_costs_no_record() -> Result<()> {
    let Some(mut mosquitto) = Mosquitto::start()? else { return Ok(()) };
    let Some(mut machine) = Equipment::tcp()? else { return Ok(()) };
    fill(&mut machine, 300)?;
    let hub = Hub::with(Options { mqtt_url: Some(mosquitto.url()), ..Options::default() })?;
    let way = format!("address = \"{}\"", machine.address());
    let _agent = Agent::start(SITE, "lobby-box", &mosquitto.url(), &covers("covers-1", &way))?;
    hub.api.device_state(SITE, "covers-1", "normal", PATIENCE)?;
    for left in 1..=5 {
        fill(&mut machine, 300 + left)?;
        mosquitto.crash()?;
    }
    fill(&mut machine, 333)?;
    let numbers = wait::until("the last record, and all before it, to arrive", PATIENCE, || {
        let records = hub.api.records(SITE)?;
        let last = records.iter().find(|record| record["facts"]["covers_left"] == 333.0);
        let Some(last) = last.and_then(|record| record["seq"].as_u64()) else { return Ok(None) };
        let mut numbers: Vec<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
        numbers.sort_unstable();
        numbers.retain(|number| *number <= last);
        let whole = BTreeSet::from_iter(&numbers).len() as u64 == last;
        Ok(whole.then_some(numbers))
    })?;
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "none twice");
    Ok(())
}
