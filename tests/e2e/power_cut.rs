//! The power goes while records flow: what was not synced is gone, and nothing that the agent had accepted or the hub had acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    agent,
    broker::Mosquitto,
    delivery::{self, Delivered},
    disk::Disk,
    hub::Options,
    mqtt::Peer,
    process::Process,
    spool,
    stored::{self, Running, Start},
    wait,
};
use serde_json::Value;

use crate::equipment::busy_laptop;

const CUTS: usize = 20;
const SITE: &str = "demo";
const PATIENCE: Duration = Duration::from_mins(1);

/// The highest `seq` of each epoch.
type Watermarks = BTreeMap<u64, u64>;

/// The disks as they were at one moment, and what had been heard until then.
struct Cut {
    hub: PathBuf,
    agent: PathBuf,
    sent: Watermarks,
    acked: Watermarks,
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a person wants to see of it")]
fn a_power_cut_costs_nothing_that_was_accepted_or_acknowledged() -> Result<()> {
    let home = tempfile::tempdir()?;
    let images = [("hub.img", 192), ("agent.img", 64)];
    let mut disks = Vec::new();
    for (name, size) in images {
        let Some(disk) = Disk::make(home.path().join(name), size)? else { return Ok(()) };
        disks.push(disk);
    }
    // A broker that lets others listen: what was published is what the agent had accepted.
    let Some(broker) = Mosquitto::start()? else { return Ok(()) };
    let cuts = live(home.path(), &disks[0], &disks[1], &broker)?;
    drop(broker);
    drop(disks);
    let (mut sent, mut acked) = (0, 0);
    for (number, cut) in cuts.iter().enumerate() {
        sent += cut.sent.values().sum::<u64>();
        acked += cut.acked.values().sum::<u64>();
        wake(cut).with_context(|| format!("cut {number}: sent {:?}, acknowledged {:?}", cut.sent, cut.acked))?;
    }
    eprintln!("{} cuts; {sent} records sent and {acked} acknowledged before them, all there after them", cuts.len());
    ensure!(acked > 1000 && sent > acked, "too little was on its way");
    Ok(())
}

/// Lets records flow on two disks, and cuts the power of both again and again.
fn live(home: &Path, hub_disk: &Disk, agent_disk: &Disk, broker: &Mosquitto) -> Result<Vec<Cut>> {
    let laptop = TcpListener::bind("127.0.0.1:0")?;
    let devices = laptops(laptop.local_addr()?.port());
    let data = hub_disk.path().join("data");
    let url = broker.url();
    let hub =
        started(stored::start(&data, &Options { mqtt_url: Some(url.clone()), ..Options::default() }, |hub| hub)?)?;
    let config = agent::write_config(agent_disk.path(), SITE, "lobby-box", &url, &devices)?;
    let listener = Peer::connect(&url, "listener", &["lobby/v1/demo/lobby-box/+"])?;
    let agent = Process::start("lobby-agent", agent::command("run", &config)?.args(["--log-format", "json"]))?;
    let mut random = fastrand::Rng::with_seed(4);
    let mut cuts = Vec::new();
    wait::until("records to flow", PATIENCE, || {
        let (_, acked) = heard(&listener)?;
        Ok(acked.values().any(|seq| *seq > 20).then_some(()))
    })?;
    for number in 0..CUTS {
        wait::pause(Duration::from_millis(random.u64(50..600)));
        let (sent, acked) = heard(&listener)?;
        hub.process.signal("STOP")?;
        agent.signal("STOP")?;
        let images = ["hub", "agent"].map(|name| home.join(format!("{name}-{number}.img")));
        // Both are still, so the order is of no account.
        agent_disk.cut(&images[1])?;
        hub_disk.cut(&images[0])?;
        agent.signal("CONT")?;
        hub.process.signal("CONT")?;
        let [hub, agent] = images;
        cuts.push(Cut { hub, agent, sent, acked });
    }
    Ok(cuts)
}

fn laptops(port: u16) -> String {
    (1..=4).map(|number| busy_laptop(&format!("laptop-{number}"), port)).collect()
}

/// What was heard of the agent's records and of the hub's word for them.
fn heard(listener: &Peer) -> Result<(Watermarks, Watermarks)> {
    let (mut sent, mut acked) = (Watermarks::new(), Watermarks::new());
    for (topic, payload) in listener.heard() {
        let message: Value = serde_json::from_slice(&payload)?;
        let Some(epoch) = message["epoch"].as_u64() else { continue };
        let (marks, seq) = if topic.ends_with("/ack") {
            (&mut acked, message["committed"].as_u64())
        } else {
            let records = message["records"].as_array();
            (&mut sent, records.and_then(|records| records.iter().filter_map(|record| record["seq"].as_u64()).max()))
        };
        let known = marks.entry(epoch).or_default();
        *known = seq.unwrap_or_default().max(*known);
    }
    Ok((sent, acked))
}

/// Starts hub and agent on the copies, on a computer that was started anew, and waits until everything is there.
fn wake(cut: &Cut) -> Result<()> {
    let (hub_disk, agent_disk) = (Disk::of(cut.hub.clone())?, Disk::of(cut.agent.clone())?);
    let boot = hub_disk.path().join("boot_id");
    fs::write(&boot, "00000000-0000-4000-8000-000000000000\n")?;
    let data = hub_disk.path().join("data");
    let broker = Mosquitto::start()?.context("the broker was there before")?;
    let options = Options { mqtt_url: Some(broker.url()), ..Options::default() };
    let hub = started(stored::start(&data, &options, |command| in_another_boot(&boot, &command))?)?;
    let stored = numbers(&hub)?;
    ensure!(covers(&stored, &cut.acked), "what was acknowledged is there before the agent sends again");
    let url = broker.url();
    let kept = spool::newest(&agent_disk.path().join("state"))?;
    // Nobody answers there: what counts is what the agent still has to send.
    let config = agent::write_config(agent_disk.path(), SITE, "lobby-box", &url, &laptops(9))?;
    let mut agent = Process::start("lobby-agent", agent::command("run", &config)?.args(["--log-format", "json"]))?;
    wait::until("everything that was sent to be stored", PATIENCE, || {
        Ok(covers(&numbers(&hub)?, &cut.sent).then_some(()))
    })?;
    // What had not been sent either is on the disk, and comes.
    wait::until("the newest state of each device", PATIENCE, || {
        let stored = Delivered::at(&hub.api, SITE, "lobby-box")?;
        Ok(delivery::holds_newest(&stored, &kept).is_ok().then_some(()))
    })?;
    agent.terminate(PATIENCE)?;
    wait::until("nothing to be under way", PATIENCE, || {
        let ledger = hub.api.json(&format!("/api/v1/agents/{SITE}/lobby-box"))?["ledger"].clone();
        let stored = ledger["stored"].as_u64() == Some(hub.api.records(SITE)?.len() as u64);
        Ok((stored && ledger["missing"] == 0).then_some(()))
    })?;
    let (_, lost) = delivery::accounted(&hub.api, SITE, "lobby-box")?;
    ensure!(lost == 0, "{lost} records of a disk that lost nothing are lost");
    hub.stop()?;
    let (whole, said) = stored::command(&["verify", "--data-dir", &data.display().to_string()])?;
    ensure!(whole, "{said}");
    drop((hub_disk, agent_disk));
    fs::remove_file(&cut.hub)?;
    fs::remove_file(&cut.agent)?;
    Ok(())
}

fn started(start: Start) -> Result<Running> {
    match start {
        Start::Ready(hub) => Ok(hub),
        Start::Refused(code, said) => anyhow::bail!("the hub ended with {code:?}: {said}"),
    }
}

/// The same command where the computer says that it was started at another time.
fn in_another_boot(boot: &Path, command: &Command) -> Command {
    let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    let mut other = Command::new("unshare");
    other.args(["-m", "sh", "-c", script]).arg(boot).arg(command.get_program()).args(command.get_args());
    other
}

/// The numbers stored of each epoch; fails if one is there twice.
fn numbers(hub: &Running) -> Result<BTreeMap<u64, BTreeSet<u64>>> {
    let mut stored: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for record in hub.api.records(SITE)? {
        let (epoch, seq) = (record["epoch"].as_u64().context("an epoch")?, record["seq"].as_u64().context("a seq")?);
        ensure!(stored.entry(epoch).or_default().insert(seq), "record {seq} of epoch {epoch} is there twice");
    }
    Ok(stored)
}

fn covers(stored: &BTreeMap<u64, BTreeSet<u64>>, marks: &Watermarks) -> bool {
    let whole =
        |epoch: &u64, last: u64| stored.get(epoch).map_or(0, |numbers| numbers.range(1..=last).count() as u64) == last;
    marks.iter().all(|(epoch, last)| whole(epoch, *last))
}
