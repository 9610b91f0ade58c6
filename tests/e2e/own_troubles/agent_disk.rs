//! An agent whose disk has no room while the hub is away.

#![expect(clippy::print_stderr, reason = "the figures are told with the test")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    agent,
    delivery::{self, Delivered},
    hub::Hub,
    modbus::Equipment,
    process::Process,
    program, spool, wait,
};
use tokio::time::Instant;

use super::{PATIENCE, SITE, disk::fill, nothing_raised};
use crate::equipment::{self, busy_laptop, laptop};

/// How long the disk is full.
const FULL: Duration = Duration::from_secs(12);
/// How soon nothing is given up any more, once there is room.
const RECOVERED: Duration = Duration::from_secs(10);

#[test]
fn an_agent_without_room_gives_up_its_oldest_records_says_which_and_loses_the_newest_state_of_no_device() -> Result<()>
{
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        program::skipped::<()>("mounting needs root (`unshare -m`)")?;
        return Ok(());
    }
    let mut hub = Hub::start()?;
    let url = hub.mqtt_url();
    hub.kill()?;
    let port = laptop()?;
    // It speaks only when something has changed: once at the beginning, and once while the disk is full.
    let Some(mut machine) = Equipment::tcp()? else { return Ok(()) };
    equipment::fill(&mut machine, 300)?;
    let quiet = equipment::covers("quiet", &format!("address = \"{}\"", machine.address()));
    let quiet = quiet.replace("heartbeat = \"5s\"", "heartbeat = \"1h\"");
    let devices: String = (1..=5).map(|number| busy_laptop(&format!("laptop-{number}"), port)).collect();
    let dir = tempfile::tempdir()?;
    let config = agent::write_config(dir.path(), SITE, "box", &url, &(quiet + &devices))?;
    let state = dir.path().join("state");
    std::fs::create_dir(&state)?;
    let mut agent = on_a_small_disk(&state, &config)?;
    let inside = inside(&agent, &state);
    let newest = || {
        wait::until("the agent's records", PATIENCE, || {
            Ok(spool::accepted(&inside)?.into_iter().next_back().filter(|(_, seq)| *seq > 0))
        })
    };
    wait::until("a backlog", PATIENCE, || Ok((newest()?.1 > 150).then_some(())))?;

    let filler = inside.join("filler");
    fill(&filler)?;
    let mut lives = || {
        ensure!(agent.runs(), "the agent lives");
        Ok(())
    };
    wait::throughout(FULL / 2, &mut lives)?;
    equipment::fill(&mut machine, 77)?;
    wait::throughout(FULL / 2, &mut lives)?;
    let (epoch, while_full) = newest()?;
    std::fs::remove_file(&filler)?;
    let begun = Instant::now();
    // From here on nothing may be lost.
    let after = wait::until("new records on the disk", RECOVERED, || {
        Ok(spool::accepted(&inside)?.get(&epoch).copied().filter(|seq| *seq > while_full + 50))
    })?;
    eprintln!("records on the disk again after {:?}", begun.elapsed());
    let kept = spool::newest(&inside)?;
    ensure!(kept.len() == 6, "of each device something is kept: {kept:?}");

    hub.restart()?;
    wait::until("all that is left to come", PATIENCE, || {
        let report = hub.api.json("/api/v1/agents/demo/box")?;
        let ledger = &report["ledger"];
        let all = report["backlog"] == 0 && ledger["missing"] == 0 && ledger["produced"].as_u64() > Some(after);
        Ok(all.then_some(()))
    })?;
    ensure!(agent.terminate(PATIENCE)?.success());
    // The live state is ahead of the database by what is under way.
    wait::until("all that came to be stored", PATIENCE, || {
        let ledger = hub.api.json("/api/v1/agents/demo/box")?["ledger"].clone();
        Ok((ledger["stored"].as_u64() == Some(hub.api.records(SITE)?.len() as u64)).then_some(()))
    })?;
    let (there, gone) = delivery::accounted(&hub.api, SITE, "box")?;
    let mut last_gone = 0;
    for range in hub.api.all("/api/v1/agents/demo/box/lost")? {
        last_gone = range["to"].as_u64().context("to")?.max(last_gone);
    }
    eprintln!("{there} stored, {gone} given up, the last of them number {last_gone}");
    ensure!(gone > 100, "the disk was too large");
    ensure!(last_gone < after, "nothing is given up once there is room");
    let records = hub.api.records(SITE)?;
    let stored = Delivered::of(&records, "box")?;
    delivery::holds_newest(&stored, &kept)?;
    let quiet = records.iter().filter(|record| record["device"] == "quiet").max_by_key(|record| record["seq"].as_u64());
    let quiet = quiet.context("the quiet machine")?;
    ensure!(
        quiet["facts"]["covers_left"].as_f64() == Some(77.0),
        "what changed while the disk was full is known: {quiet}"
    );
    // What is older than what was given up is no more than the newest of a device at that time.
    let older = stored.count(epoch, last_gone);
    ensure!(older < 100, "the oldest go first: {older} older ones are there");
    nothing_raised(&hub.api)
}

fn on_a_small_disk(state: &Path, config: &Path) -> Result<Process> {
    let run = agent::command("run", config)?;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\""]).arg(state);
    Process::start("lobby-agent", command.arg(run.get_program()).args(run.get_args()).args(["--log-format", "json"]))
}

/// The folder as the agent sees it.
fn inside(agent: &Process, folder: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", agent.id()));
    root.join(folder.strip_prefix("/").unwrap_or(folder))
}
