//! A disk that becomes read-only, or writes and does not make durable: nobody says yes to what is not on it. And one that fails where the
//! database file is, but not where its log is.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    agent,
    broker::Mosquitto,
    delivery::Delivered,
    failing_disk::{FailingDisk, Mode},
    hub::{self, Api, Hub, Options, ticket_of},
    load::{Connection, display_record},
    mqtt::Peer,
    process::Process,
    reports::Script,
    spool, stored, wait,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::timeout};

use super::{FAULT, MACHINE, PATIENCE, Player, SITE, TOLD, found, nothing_raised, ready};
use crate::equipment::{busy_laptop, laptop};

const TROUBLES: [Mode; 2] = [Mode::ReadOnly, Mode::SyncsFail];
/// How soon things are as before once the disk is.
const RECOVERED: Duration = Duration::from_secs(10);
/// How long each trouble goes on after it was told.
const LASTS: Duration = Duration::from_secs(3);
/// More records than make a log long.
const MANY: u64 = 1_000_000;

/// A hub whose data is on this disk, and where it listens: for HTTP and for MQTT.
fn hub_on(disk: &FailingDisk, data: &Path) -> Result<(Process, SocketAddr, SocketAddr)> {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut command = hub::command(data, &Options::default(), anywhere, anywhere)?;
    disk.below(data, &mut command);
    let mut process = Process::start("lobby-hub", &mut command)?;
    let mut listening = |what: &str| -> Result<SocketAddr> {
        let start = format!("{what} listening on ");
        process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
    };
    let (http, mqtt) = (listening("http")?, listening("mqtt")?);
    Ok((process, http, mqtt))
}

#[test]
fn a_hub_says_yes_to_nothing_while_its_disk_is_read_only_or_does_not_sync() -> Result<()> {
    let Some(disk) = FailingDisk::make()? else { return Ok(()) };
    let data = tempfile::tempdir()?;
    let (mut process, http, mqtt) = hub_on(&disk, data.path())?;
    let api = Api::at(http);
    let mut agent = Player::born(&format!("mqtt://{mqtt}"), "box")?;
    agent.report("fault")?;
    let alert = api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    let ticket = format!("/api/v1/tickets/{}", ticket_of(&alert)?);
    agent.acked_up_to(1, PATIENCE)?;
    ready(&api, PATIENCE)?;

    for trouble in TROUBLES {
        disk.set(trouble)?;
        wait::until("the trouble to be told", TOLD, || {
            let told = api.get("/readyz")?;
            Ok((told.status == 503 && told.body.contains("\"domain\":\"database\"")).then_some(()))
        })?;
        let acked = agent.acked();
        let version = api.json(&ticket)?["version"].clone();
        let action = if trouble == TROUBLES[0] { "accept" } else { "start" };
        wait::throughout(LASTS, || {
            agent.report("fault")?;
            let mut act = json!({ "version": version, "by": "工程 王", "note": "" });
            if action == "start" {
                act["unscanned"] = "label_missing".into();
            }
            let answer = api.post(&format!("{ticket}/{action}"), &act)?;
            ensure!(answer.status >= 500, "{trouble:?}: a person is not told yes: {answer:?}");
            ensure!(agent.acked() == acked, "{trouble:?}: nothing is acknowledged");
            ensure!(api.get("/livez")?.status == 200 && api.get("/readyz")?.status == 503);
            Ok(())
        })?;
        ensure!(api.json(&ticket)?["version"] == version, "{trouble:?}: nothing was done");
        disk.set(Mode::Well)?;
        ready(&api, RECOVERED)?;
        agent.send_again()?;
        agent.acked_up_to(agent.seq, RECOVERED)?;
        let answer =
            api.post(&format!("{ticket}/{action}"), &json!({ "version": version, "by": "工程 王", "note": "" }))?;
        ensure!(answer.status == 200, "{trouble:?}: {answer:?}");
    }

    // On a computer whose disk was always well.
    process.kill()?;
    let mut process = Process::start("lobby-hub", &mut hub::command(data.path(), &Options::default(), http, mqtt)?)?;
    ready(&api, PATIENCE)?;
    let stored = Delivered::at(&api, SITE, "box")?;
    ensure!(stored.count(1, u64::MAX >> 1) == agent.acked(), "all that was acknowledged is there once");
    ensure!(api.json(&ticket)?["state"] == "in_progress");
    ensure!(api.alerts(SITE, "all")?.len() == 1 && api.tickets(SITE, "all")?.len() == 1);
    ensure!(process.terminate(PATIENCE)?.success());
    Ok(())
}

#[test]
fn a_log_that_cannot_be_copied_is_told_of_costs_nothing_and_is_copied_when_it_can_be() -> Result<()> {
    let Some(disk) = FailingDisk::make()? else { return Ok(()) };
    let data = tempfile::tempdir()?;
    let (mut process, http, mqtt) = hub_on(&disk, data.path())?;
    let (api, runtime) = (Api::at(http), Runtime::new()?);
    let mut player = Player::born(&format!("mqtt://{mqtt}"), "box")?;
    let mut script = Script::new(SITE, "wall");
    let mut wall = runtime.block_on(Connection::open(mqtt, "wall", &script))?;
    let displays: Vec<String> = (0..100).map(|number| format!("led-{number}")).collect();
    let announced: Vec<_> = displays.iter().map(|id| (id.as_str(), "led-display")).collect();
    runtime.block_on(wall.publish(&script.topic("birth"), script.birth(&announced)))?;
    ready(&api, PATIENCE)?;

    disk.set(Mode::DatabasesFail)?;
    let told = "log_not_copied".to_owned();
    while !found(&api)?.contains(&told) {
        ensure!(script.last_seq() < MANY, "a log that grows and is not copied is told of");
        for _ in 0..20 {
            let records = displays.iter().map(|id| display_record(&mut script, id, 7)).collect();
            runtime.block_on(wall.publish(&script.topic("data"), script.data(records)))?;
        }
        runtime.block_on(async { timeout(PATIENCE, wall.committed(script.last_seq())).await })??;
    }
    player.report("fault")?;
    player.acked_up_to(1, PATIENCE)?;
    ensure!(!ticket_of(&api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?)?.is_empty());
    ensure!(api.get("/readyz")?.status == 200, "it stores, and is ready");

    disk.set(Mode::ReadOnly)?;
    wait::until("what is graver to be told instead", PATIENCE, || {
        let found = found(&api)?;
        Ok((found.iter().any(|one| one.starts_with("database_")) && !found.contains(&told)).then_some(()))
    })?;
    disk.set(Mode::DatabasesFail)?;
    wait::until("the log to be told of again", PATIENCE, || {
        let found = found(&api)?;
        Ok((!found.iter().any(|one| one.starts_with("database_")) && found.contains(&told)).then_some(()))
    })?;

    disk.set(Mode::Well)?;
    wait::until("the hub to tell no more", PATIENCE, || Ok((!found(&api)?.contains(&told)).then_some(())))?;
    process.kill()?;
    let mut process = Process::start("lobby-hub", &mut hub::command(data.path(), &Options::default(), http, mqtt)?)?;
    ready(&api, PATIENCE)?;
    ensure!(api.alerts(SITE, "all")?.len() == 1 && api.tickets(SITE, "all")?.len() == 1);
    ensure!(process.terminate(PATIENCE)?.success());
    let rows = stored::content(&runtime, data.path())?;
    let records = rows.iter().find(|(table, ..)| table == "record").context("records")?.1;
    ensure!(u64::try_from(records)? == script.last_seq() + 1, "{records} records of {}, each once", script.last_seq());
    Ok(())
}

#[test]
fn an_agent_says_yes_to_nothing_while_its_disk_is_read_only_or_does_not_sync_and_loses_nothing() -> Result<()> {
    let Some(disk) = FailingDisk::make()? else { return Ok(()) };
    // A broker that lets others give the agent commands.
    let Some(broker) = Mosquitto::start()? else { return Ok(()) };
    let port = laptop()?;
    let devices = busy_laptop("laptop-1", port) + &busy_laptop("laptop-2", port);
    let hub = Hub::with(Options { mqtt_url: Some(broker.url()), ..Options::default() })?;
    let dir = tempfile::tempdir()?;
    let config = agent::write_config(dir.path(), SITE, "box", &hub.mqtt_url(), &devices)?;
    let mut command = agent::command("run", &config)?;
    disk.below(&dir.path().join("state"), command.args(["--log-format", "json"]));
    let mut process = Process::start("lobby-agent", &mut command)?;
    let mut asker = Asker::of(&hub)?;
    ensure!(asker.ask()?["ok"] == true, "a probe is a record on the disk");

    for trouble in TROUBLES {
        disk.set(trouble)?;
        let told = "agent_disk:demo/box".to_owned();
        wait::until("the hub to tell of it", PATIENCE, || Ok(found(&hub.api)?.contains(&told).then_some(())))?;
        let answer = asker.ask()?;
        ensure!(answer["ok"] == false && answer["error"].to_string().contains("disk"), "{trouble:?}: {answer}");
        ensure!(
            process.runs() && hub.api.get("/readyz")?.status == 200,
            "{trouble:?}: it is the agent's trouble alone"
        );
        disk.set(Mode::Well)?;
        wait::until("probes to be on the disk again", RECOVERED, || Ok((asker.ask()?["ok"] == true).then_some(())))?;
        wait::until("the hub to tell no more", PATIENCE, || Ok((!found(&hub.api)?.contains(&told)).then_some(())))?;
    }

    process.kill()?;
    let accepted = spool::accepted(&dir.path().join("state"))?;
    let mut process = Process::start("lobby-agent", agent::command("run", &config)?.args(["--log-format", "json"]))?;
    process.line("that it is connected", PATIENCE, |line| line.contains("connected to the broker").then_some(()))?;
    wait::until("every accepted record to be in the hub", PATIENCE, || {
        Ok(Delivered::at(&hub.api, SITE, "box")?.holds(&accepted).then_some(()))
    })?;
    let ledger = hub.api.json("/api/v1/agents/demo/box")?["ledger"].clone();
    ensure!(ledger["lost"] == 0, "nothing was given up: {ledger}");
    ensure!(process.terminate(PATIENCE)?.success());
    nothing_raised(&hub.api)
}

/// Somebody who has the agent probe a device, which it answers when the record is on its disk.
struct Asker {
    peer: Peer,
    asked: u32,
}

impl Asker {
    fn of(hub: &Hub) -> Result<Self> {
        let peer = Peer::connect(&hub.mqtt_url(), "asker", &["lobby/v1/demo/box/result"])?;
        wait::until("the agent", PATIENCE, || {
            Ok((hub.api.device(SITE, "laptop-1")?["verdict"]["freshness"] == "fresh").then_some(()))
        })?;
        Ok(Self { peer, asked: 0 })
    }

    fn ask(&mut self) -> Result<Value> {
        self.asked += 1;
        let id = format!("asked-{}", self.asked);
        let command = json!({ "id": id, "do": "probe", "device": "laptop-1" });
        self.peer.publish("lobby/v1/demo/box/command", command.to_string())?;
        self.peer
            .hear("the answer", |_, payload| {
                let answer: Value = serde_json::from_slice(payload).ok()?;
                (answer["id"] == id.as_str()).then_some(answer)
            })
            .context("a probe is answered")
    }
}
