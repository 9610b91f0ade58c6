//! A disk without room.

use std::{
    fs::File,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;
use lobby_tests::{
    broker::Mosquitto,
    hub::{self, Api, Options},
    process::Process,
    program, wait,
};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{FAULT, MACHINE, PATIENCE, Player, SITE, degraded, nothing_raised, ready, reload::copy_standards};

/// A hub whose data folder is a small file system of its own.
struct Small {
    process: Process,
    api: Api,
    mqtt: String,
    data: TempDir,
    /// Where its configuration is, which is no part of the small file system.
    files: TempDir,
}

const CONFIG: &str = "reserve_mib = 4\n";

impl Small {
    fn start(megabytes: u32) -> Result<Option<Self>> {
        Self::with(megabytes, Options::default())
    }

    /// With a broker that is none of its own, if `options` name one.
    fn with(megabytes: u32, options: Options) -> Result<Option<Self>> {
        if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
            return program::skipped("mounting needs root (`unshare -m`)");
        }
        let (data, files) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let config = files.path().join("hub.toml");
        std::fs::write(&config, CONFIG)?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let hub = hub::command(data.path(), &options, anywhere, anywhere)?;
        let mount = format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\" && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &mount]).arg(data.path());
        command.arg(hub.get_program()).args(hub.get_args()).arg("--config").arg(&config);
        let mut process = Process::start("lobby-hub", &mut command)?;
        let mut listening = |what: &str| -> Result<SocketAddr> {
            let start = format!("{what} listening on ");
            process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
        };
        let http = listening("http")?;
        let mqtt = match options.mqtt_url {
            Some(url) => url,
            None => format!("mqtt://{}", listening("mqtt")?),
        };
        Ok(Some(Self { process, api: Api::at(http), mqtt, data, files }))
    }

    /// The data folder as the hub sees it.
    fn folder(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.id()));
        root.join(self.data.path().strip_prefix("/").unwrap_or(self.data.path()))
    }
}

/// Reports until a record is not acknowledged, because there is no room for it; returns its number.
fn until_stuck(agent: &mut Player, motor: &str) -> Result<u64> {
    wait::until("a record that is not acknowledged", PATIENCE, || {
        let seq = agent.report(motor)?;
        Ok(agent.acked_up_to(seq, Duration::from_millis(700)).is_err().then_some(seq))
    })
}

/// Makes room again, sends what was not acknowledged, and looks whether every record is there once.
fn make_room(hub: &Small, agent: &mut Player, filler: &Path) -> Result<()> {
    std::fs::remove_file(filler)?;
    let freed = Instant::now();
    ready(&hub.api, Duration::from_secs(10))?;
    agent.send_again()?;
    agent.acked_up_to(agent.seq, Duration::from_secs(10))?;
    assert!(freed.elapsed() < Duration::from_secs(20));
    let mut seqs: Vec<u64> = hub.api.records(SITE)?.iter().filter_map(|record| record["seq"].as_u64()).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=agent.seq).collect::<Vec<_>>(), "every record is there once");
    assert_eq!((hub.api.alerts(SITE, "all")?.len(), hub.api.tickets(SITE, "all")?.len()), (1, 1));
    Ok(())
}

/// Writes until there is no room.
pub(super) fn fill(path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    for size in [1 << 20, 1 << 12, 1 << 9] {
        let block = vec![7u8; size];
        while file.write_all(&block).is_ok() {}
    }
    Ok(())
}

#[test]
fn a_full_disk_keeps_alerts_makes_records_wait_and_is_over_when_there_is_room() -> Result<()> {
    let Some(hub) = Small::start(32)? else { return Ok(()) };
    let mut agent = Player::born(&hub.mqtt, "box")?;
    let first = agent.report("ok")?;
    agent.acked_up_to(first, PATIENCE)?;
    ready(&hub.api, PATIENCE)?;

    let filler = hub.folder().join("filler");
    fill(&filler)?;
    degraded(&hub.api, "disk_full", Duration::from_secs(5))?;
    // What still fits may be stored; the first that does not is not acknowledged, and nothing after it is.
    let stuck = until_stuck(&mut agent, "ok")?;
    let acked = agent.acked();
    assert!(acked < stuck);
    agent.report("fault")?;
    let alert = hub.api.open_alert(SITE, MACHINE, FAULT, Duration::from_secs(10))?;
    assert!(alert["ticket"].is_string(), "the ticket is stored too: {alert}");
    assert_eq!(agent.acked(), acked, "nothing is acknowledged that is not stored");
    assert_eq!(hub.api.get("/livez")?.status, 200);
    let page = hub.api.get_with("/health", &[("accept-language", "en")])?;
    assert!(page.status == 200 && page.body.contains("The disk is full"), "{}", page.body);

    make_room(&hub, &mut agent, &filler)
}

/// More messages than a broker sends the hub without being told that they are stored.
const BEYOND_THE_WINDOW: usize = 150;

#[test]
fn on_a_full_disk_the_hub_hears_everybody_behind_a_broker_that_is_none_of_its_own_too() -> Result<()> {
    let Some(mosquitto) = Mosquitto::start()? else { return Ok(()) };
    let options = Options { mqtt_url: Some(mosquitto.url()), ..Options::default() };
    let Some(hub) = Small::with(32, options)? else { return Ok(()) };
    let mut agent = Player::born(&hub.mqtt, "box")?;
    let first = agent.report("ok")?;
    agent.acked_up_to(first, PATIENCE)?;
    ready(&hub.api, PATIENCE)?;

    let filler = hub.folder().join("filler");
    fill(&filler)?;
    degraded(&hub.api, "disk_full", Duration::from_secs(5))?;
    until_stuck(&mut agent, "ok")?;
    for _ in 0..BEYOND_THE_WINDOW {
        agent.report("ok")?;
    }
    agent.report("fault")?;
    hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    let heard = hub.api.json(&format!("/api/v1/agents/{SITE}/box"))?;
    assert_eq!(heard["link"], "up", "{heard}");

    make_room(&hub, &mut agent, &filler)
}

#[test]
fn standards_that_change_while_records_wait_for_room_are_in_effect_and_cost_no_record() -> Result<()> {
    let Some(hub) = Small::start(32)? else { return Ok(()) };
    let mut agent = Player::born(&hub.mqtt, "box")?;
    agent.report("fault")?;
    let alert = hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    assert_eq!(alert["severity"], "critical");

    let filler = hub.folder().join("filler");
    fill(&filler)?;
    degraded(&hub.api, "disk_full", Duration::from_secs(5))?;
    until_stuck(&mut agent, "fault")?;
    let standards = hub.files.path().join("standards");
    std::fs::create_dir(&standards)?;
    for (path, text) in copy_standards(&standards)? {
        let rule = format!("id = \"{FAULT}\"");
        if let Some((before, after)) = text.split_once(&rule) {
            let milder = after.replacen("severity = \"critical\"", "severity = \"warning\"", 1);
            std::fs::write(path, format!("{before}{rule}{milder}"))?;
        }
    }
    let config = format!("{CONFIG}standards = {standards:?}\n[site.{SITE}]\nname = \"湖滨二号\"\n");
    std::fs::write(hub.files.path().join("hub.toml"), config)?;
    hub.process.signal("HUP")?;
    wait::until("the new name", PATIENCE, || Ok(hub.api.get("/")?.body.contains("湖滨二号").then_some(())))?;
    let acked = agent.acked();
    agent.report("fault")?;
    assert!(agent.acked_up_to(agent.seq, Duration::from_secs(2)).is_err(), "there is no room for it");
    assert_eq!(agent.acked(), acked, "nothing is acknowledged that is not stored");

    make_room(&hub, &mut agent, &filler)?;
    wait::until("the alert to be graded anew", PATIENCE, || {
        agent.report("fault")?;
        let alert = hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
        Ok((alert["severity"] == "warning").then_some(()))
    })
}

#[test]
fn a_hub_on_a_disk_without_room_for_its_reserve_starts_and_says_so() -> Result<()> {
    let Some(hub) = Small::start(6)? else { return Ok(()) };
    wait::until("the finding", PATIENCE, || {
        Ok(super::found(&hub.api)?.contains(&"reserve_missing".to_owned()).then_some(()))
    })?;
    nothing_raised(&hub.api)
}
