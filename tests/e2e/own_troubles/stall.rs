//! Parts that stand still: a database that somebody holds, a broker or a hub that is frozen.

use std::time::Duration;

use anyhow::Result;
use lobby_tests::{
    agent::Agent,
    broker::Mosquitto,
    hub::{Hub, Options},
    wait,
};
use sqlx::{Connection, Executor, SqliteConnection};

use super::{PATIENCE, SITE, TOLD, degraded, nothing_raised, ready};
use crate::equipment::this_computer;

/// Longer than three heartbeats of an agent that reports every five seconds, and than any patience of the hub.
const HELD: Duration = Duration::from_secs(22);
/// After a trouble is over, what it did not cause must not come either.
const AFTER: Duration = Duration::from_secs(12);

fn reporting(hub: &Hub) -> Result<Agent> {
    let agent = Agent::start(SITE, "box", &hub.mqtt_url(), &this_computer("pc"))?;
    wait::until("a first verdict", PATIENCE, || {
        Ok((hub.api.device(SITE, "pc")?["verdict"]["freshness"] == "fresh").then_some(()))
    })?;
    Ok(agent)
}

#[test]
fn a_database_that_somebody_holds_is_told_and_is_no_fault_of_a_device() -> Result<()> {
    let hub = Hub::start()?;
    let _agent = reporting(&hub)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let path = hub.data_dir().join("lobby.db");
    let mut holder = runtime.block_on(SqliteConnection::connect(&format!("sqlite://{}", path.display())))?;
    runtime.block_on(holder.execute("BEGIN IMMEDIATE"))?;
    degraded(&hub.api, "database_lost", TOLD)?;
    wait::throughout(HELD, || nothing_raised(&hub.api))?;
    runtime.block_on(holder.execute("ROLLBACK"))?;
    ready(&hub.api, Duration::from_secs(10))?;
    wait::throughout(AFTER, || nothing_raised(&hub.api))?;
    assert_eq!(hub.api.device(SITE, "pc")?["verdict"]["link"], "up");
    Ok(())
}

#[test]
fn a_broker_that_freezes_is_told_and_is_no_fault_of_a_device() -> Result<()> {
    let Some(broker) = Mosquitto::start()? else { return Ok(()) };
    let hub = Hub::with(Options { mqtt_url: Some(broker.url()), ..Options::default() })?;
    let _agent = reporting(&hub)?;
    broker.process().signal("STOP")?;
    degraded(&hub.api, "broker_lost", TOLD)?;
    wait::throughout(HELD, || nothing_raised(&hub.api))?;
    broker.process().signal("CONT")?;
    ready(&hub.api, PATIENCE)?;
    wait::throughout(AFTER, || nothing_raised(&hub.api))
}

#[test]
fn a_hub_that_was_frozen_blames_nobody_for_the_silence() -> Result<()> {
    let mut hub = Hub::start()?;
    let _agent = reporting(&hub)?;
    hub.process().signal("STOP")?;
    wait::pause(HELD);
    hub.process().signal("CONT")?;
    ready(&hub.api, PATIENCE)?;
    wait::throughout(AFTER, || nothing_raised(&hub.api))?;
    assert_eq!(hub.api.device(SITE, "pc")?["verdict"]["link"], "up");
    Ok(())
}
