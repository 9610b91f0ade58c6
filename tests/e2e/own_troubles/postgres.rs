//! A PostgreSQL that goes away while records come in: killed, stopped, crashed or frozen.

#![expect(clippy::print_stderr, reason = "the figures are told with the test")]

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lobby_tests::{
    agent::Agent,
    clock::now_ms,
    delivery::Delivered,
    hub::{Hub, Options},
    postgres::Server,
    spool::{self, Watermarks, merge},
    wait,
};
use tokio::time::Instant;

use super::{PATIENCE, SITE, TOLD, degraded, nothing_raised, ready};
use crate::equipment::{busy_laptop, laptop};

/// How soon the hub is at work again once the database is.
const RECOVERED: Duration = Duration::from_secs(5);
/// How long each trouble lasts at least: longer than a heartbeat and than what a device may be silent.
const LASTS: Duration = Duration::from_secs(8);

/// How the database goes away, and how it comes back.
type Trouble = (&'static str, fn(&mut Server) -> Result<()>, fn(&mut Server) -> Result<()>);

const TROUBLES: [Trouble; 3] = [
    ("killed", Server::kill, Server::restart),
    ("stopped", Server::stop, Server::restart),
    ("frozen", |server| server.freeze(), |server| server.thaw()),
];

#[test]
fn a_wrong_password_of_the_database_ends_the_start_and_is_told_with_what_to_do() -> Result<()> {
    let Some(server) = Server::start()? else { return Ok(()) };
    let options = Options { database_url: Some(server.url_with_password("canary")), ..Options::default() };
    let Err(refused) = Hub::with(options) else { bail!("a hub runs without its database") };
    let said = format!("{refused:#}");
    for words in [
        "cannot be reached: password authentication failed for user \"stranger\"",
        "give the right password of user `stranger`",
    ] {
        ensure!(said.contains(words) || said.contains(&words.replace('"', "\\\"")), "{words} is not in: {said}");
    }
    ensure!(said.contains("it ended: exit status: 1") && !said.contains("canary"), "{said}");
    Ok(())
}

#[test]
fn a_postgres_that_is_killed_stopped_or_frozen_costs_no_record_and_is_no_fault_of_a_device() -> Result<()> {
    let Some(mut server) = Server::start()? else { return Ok(()) };
    let port = laptop()?;
    // Forty records a second.
    let devices: String = (1..=4).map(|number| busy_laptop(&format!("laptop-{number}"), port)).collect();
    let mut hub = Hub::with(Options { database_url: Some(server.url()), ..Options::default() })?;
    let mut agent = Agent::start(SITE, "box", &hub.mqtt_url(), &devices)?;
    stored_since(&hub, now_ms(), PATIENCE)?;

    let mut accepted = Watermarks::new();
    for (what, begin, end) in TROUBLES {
        begin(&mut server)?;
        let before = newest(&agent)?;
        degraded(&hub.api, "database_lost", TOLD)?;
        wait::throughout(LASTS, || {
            ensure!(hub.process().runs() && agent.process().runs(), "{what}: hub and agent live");
            ensure!(hub.api.get("/livez")?.status == 200);
            let link = hub.api.agent(SITE, "box")?["link"].clone();
            ensure!(link == "up", "{what}: the agent is not blamed: {link}");
            Ok(())
        })?;
        let after = newest(&agent)?;
        ensure!(after > before + 50, "{what}: the agent goes on: {before}, then {after}");
        end(&mut server)?;
        let (back, begun) = (now_ms(), Instant::now());
        ready(&hub.api, RECOVERED)?;
        stored_since(&hub, back, RECOVERED)?;
        eprintln!("{what}: at work again after {:?}", begun.elapsed());
    }

    agent.kill()?;
    merge(&mut accepted, spool::accepted(&agent.state_dir())?);
    agent.restart()?;
    wait::until("every accepted record to be in the hub", PATIENCE, || {
        Ok(Delivered::at(&hub.api, SITE, "box")?.holds(&accepted).then_some(()))
    })?;
    eprintln!("{} records, each there once", accepted.values().sum::<u64>());
    nothing_raised(&hub.api)
}

/// The number of the last record that the agent has accepted.
fn newest(agent: &Agent) -> Result<u64> {
    // A segment may just have been deleted: then it is looked at again.
    wait::until("the agent's records", PATIENCE, || Ok(spool::accepted(&agent.state_dir())?.values().last().copied()))
}

/// Waits until a record that was made after `at` is in the database.
fn stored_since(hub: &Hub, at: i64, within: Duration) -> Result<()> {
    wait::until("a new record to be stored", within, || Ok(hub.api.has_record(SITE, at, i64::MAX)?.then_some(())))
}
