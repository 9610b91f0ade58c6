//! Parts that stand still: a database that somebody holds, a broker or a hub that is frozen.

use std::{env, net::SocketAddr, os::unix::net::UnixDatagram, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    agent::Agent,
    broker::Mosquitto,
    clock::now_ms,
    hub::{self, Api, Hub, Options},
    process::Process,
    wait,
};
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::time::Instant;

use super::{PATIENCE, Player, SITE, TOLD, degraded, found, nothing_raised, ready};
use crate::equipment::this_computer;

/// Longer than three heartbeats of an agent that reports every five seconds, and than any patience of the hub.
const HELD: Duration = Duration::from_secs(22);
/// How long the database is held.
const LOCKED: Duration = Duration::from_mins(1);
/// How long the rules may not be evaluated; they are once a second.
const EVALUATED: f64 = 5.0;
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
    wait::throughout(LOCKED, || {
        let found = found(&hub.api)?;
        ensure!(!found.iter().any(|id| id.starts_with("task_stalled")), "no rule stops being evaluated: {found:?}");
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let since = now_ms() as f64 / 1000.0 - hub.api.metrics()?.sum(&["lobby_last_evaluated_seconds"]);
        ensure!(since < EVALUATED, "the rules were last evaluated {since} s ago");
        nothing_raised(&hub.api)
    })?;
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

#[test]
fn a_task_that_stands_still_is_told_and_the_service_manager_hears_no_more_that_the_hub_is_well() -> Result<()> {
    /// How soon the service manager hears nothing more.
    const UNANSWERED: Duration = Duration::from_secs(30);
    if env::var_os("LOBBY_BIN_DIR").is_some() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let manager = UnixDatagram::bind(folder.path().join("notify"))?;
    manager.set_nonblocking(true)?;
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut command = hub::command(&folder.path().join("data"), &Options::default(), anywhere, anywhere)?;
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "3000000");
    let mut process = Process::start("lobby-hub", command.env("LOBBY_FAILPOINT", "judged:12:stall"))?;
    let mut listening = |what: &str| -> Result<SocketAddr> {
        let start = format!("{what} listening on ");
        process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
    };
    let (http, mqtt) = (listening("http")?, listening("mqtt")?);
    let api = Api::at(http);
    let mut agent = Player::born(&format!("mqtt://{mqtt}"), "box")?;
    agent.report("ok")?;
    process
        .line("that a task stands still", PATIENCE, |line| line.contains("a test ends the work here").then_some(()))?;
    let stalled = Instant::now();
    let answered = || std::iter::from_fn(|| manager.recv(&mut [0; 64]).ok()).count();
    ensure!(answered() > 1, "until then it is answered");
    degraded(&api, "task_stalled:ingest", TOLD)?;
    let mut last = stalled;
    wait::throughout(UNANSWERED.saturating_sub(stalled.elapsed()), || {
        if answered() > 0 {
            last = Instant::now();
        }
        ensure!(api.get("/livez")?.status == 200);
        Ok(())
    })?;
    ensure!(last > stalled, "it is not given up at once");
    let silence = Duration::from_secs(4);
    wait::throughout(silence, || {
        ensure!(answered() == 0, "still called alive after {:?}", stalled.elapsed());
        Ok(())
    })?;
    nothing_raised(&api).context("an agent that is not heard is not blamed")
}
