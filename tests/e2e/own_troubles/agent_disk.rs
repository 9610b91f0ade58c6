//! An agent whose disk has no room while the hub is away.

#![expect(clippy::print_stderr, reason = "the figures are told with the test")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{agent, hub::Hub, process::Process, program, spool, wait};
use tokio::time::Instant;

use super::{PATIENCE, SITE, disk::fill, nothing_raised};
use crate::equipment::{busy_laptop, laptop};

/// How long the disk is full.
const FULL: Duration = Duration::from_secs(12);
/// How soon nothing is given up any more, once there is room.
const RECOVERED: Duration = Duration::from_secs(10);

#[test]
fn an_agent_without_room_gives_up_its_oldest_records_says_which_and_loses_no_device() -> Result<()> {
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        program::skipped::<()>("mounting needs root (`unshare -m`)")?;
        return Ok(());
    }
    let mut hub = Hub::start()?;
    let url = hub.mqtt_url();
    hub.kill()?;
    let port = laptop()?;
    let quiet = busy_laptop("quiet", port).replace("heartbeat = \"100ms\"", "heartbeat = \"1h\"");
    let quiet = quiet.replace("timeout = \"100ms\"", "timeout = \"2s\"").replace("every = \"100ms\"", "every = \"2s\"");
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
    wait::throughout(FULL, || {
        ensure!(agent.runs(), "the agent lives");
        Ok(())
    })?;
    let (epoch, while_full) = newest()?;
    std::fs::remove_file(&filler)?;
    let begun = Instant::now();
    // From here on nothing may be lost.
    let after = wait::until("new records on the disk", RECOVERED, || {
        Ok(spool::accepted(&inside)?.get(&epoch).copied().filter(|seq| *seq > while_full + 50))
    })?;
    eprintln!("records on the disk again after {:?}", begun.elapsed());

    hub.restart()?;
    wait::until("all that is left to come", PATIENCE, || {
        let report = hub.api.json("/api/v1/agents/demo/box")?;
        let ledger = &report["ledger"];
        let all = report["backlog"] == 0 && ledger["missing"] == 0 && ledger["produced"].as_u64() > Some(after);
        Ok(all.then_some(()))
    })?;
    ensure!(agent.terminate(PATIENCE)?.success());
    // The live state is ahead of the database by what is under way.
    let (ledger, records) = wait::until("all that came to be stored", PATIENCE, || {
        let ledger = hub.api.json("/api/v1/agents/demo/box")?["ledger"].clone();
        let records = hub.api.records(SITE)?;
        Ok((ledger["stored"].as_u64() == Some(records.len() as u64)).then_some((ledger, records)))
    })?;
    let lost = hub.api.all("/api/v1/agents/demo/box/lost")?;
    let stored: BTreeSet<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    let mut gone = 0;
    let mut last_gone = 0;
    for range in &lost {
        let (from, to) = (range["from"].as_u64().context("from")?, range["to"].as_u64().context("to")?);
        ensure!(range["reason"] == "gone" && stored.range(from..=to).next().is_none(), "lost and there: {range}");
        (gone, last_gone) = (gone + to + 1 - from, last_gone.max(to));
    }
    eprintln!("{} stored, {gone} given up, the last of them number {last_gone}; {ledger}", stored.len());
    ensure!(gone > 100, "the disk was too large");
    ensure!(ledger["lost"].as_u64() == Some(gone), "all that was given up is counted: {ledger}");
    ensure!(ledger["produced"].as_u64() == Some(gone + stored.len() as u64), "nothing is in neither count: {ledger}");
    ensure!(last_gone < after, "nothing is given up once there is room");
    ensure!(records.iter().any(|record| record["device"] == "quiet"), "of each device at least the newest is there");
    // What is older than what was given up is no more than the newest of a device at that time.
    let older = stored.range(..last_gone).count();
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
