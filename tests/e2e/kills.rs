//! Power cuts: the agent, the hub or both are killed at random moments while records flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use lobby_tests::{
    agent::Agent,
    hub::{Hub, Options},
    modbus::Equipment,
    mqtt::Peer,
    wait,
};
use serde_json::Value;

use crate::equipment::{busy_laptop, covers, fill, jam};

const SITE: &str = "demo";
const KILLS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(90);

/// The highest `seq` of each epoch.
type Watermarks = BTreeMap<u64, u64>;

#[test]
fn no_accepted_record_is_lost_or_doubled_by_twenty_kills() -> Result<()> {
    survive(Options::default(), 20_260_823)
}

#[test]
fn no_accepted_record_is_lost_or_doubled_by_twenty_kills_on_postgres() -> Result<()> {
    let Some(database) = lobby_tests::database::Database::create()? else { return Ok(()) };
    survive(Options { database_url: Some(database.url()), ..Options::default() }, 42)
}

fn survive(options: Options, seed: u64) -> Result<()> {
    let Some(mut machine) = Equipment::tcp()? else { return Ok(()) };
    fill(&mut machine, 300)?;
    let laptop = TcpListener::bind("127.0.0.1:0")?;
    let port = laptop.local_addr()?.port();
    let mut devices = covers("covers-1", &format!("address = \"{}\"", machine.address()));
    for number in 1..=4 {
        devices += &busy_laptop(&format!("laptop-{number}"), port);
    }
    let mut hub = Hub::with(options)?;
    let mut agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &devices)?;
    hub.api.device_state(SITE, "covers-1", "normal", PATIENCE)?;

    let mut random = fastrand::Rng::with_seed(seed);
    let mut accepted = Watermarks::new();
    let mut acked = Watermarks::new();
    for round in 0..KILLS {
        if round == KILLS / 4 {
            jam(&mut machine, true)?;
        }
        if round == KILLS / 2 {
            hub.api.open_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;
        }
        // A listener of its own hears what the hub acknowledges in this round.
        let listener = Peer::connect(&hub.mqtt_url(), "listener", &["lobby/v1/demo/lobby-box/ack"])?;
        wait::pause(Duration::from_millis(random.u64(200..1_500)));
        let victims = random.u8(0..3);
        if victims != 1 {
            agent.kill()?;
            merge(&mut accepted, read_spool(&agent.state_dir())?);
        }
        if victims != 0 {
            hub.kill()?;
        }
        merge(&mut acked, acknowledged(&listener)?);
        drop(listener);
        if victims != 0 {
            hub.restart()?;
        }
        if victims != 1 {
            agent.restart()?;
        }
    }
    hub.api.open_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;
    jam(&mut machine, false)?;
    hub.api.cleared_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;

    agent.kill()?;
    merge(&mut accepted, read_spool(&agent.state_dir())?);
    agent.restart()?;
    let kept: u64 = accepted.values().sum();
    let told: u64 = acked.values().sum();
    assert!(
        accepted.len() > KILLS / 4 && kept > 200 && told > 100,
        "too little was on its way: {accepted:?} {acked:?}"
    );
    let stored = wait::until("every accepted record to be in the hub", PATIENCE, || {
        let stored = stored(&hub.api.records(SITE)?)?;
        Ok(covers_all(&stored, &accepted).then_some(stored))
    })?;
    assert!(covers_all(&stored, &acked), "acknowledged {acked:?}, stored up to {:?}", highest(&stored));

    let alerts = hub.api.alerts(SITE, "all")?;
    let jams = alerts.iter().filter(|alert| alert["rule"] == "covers-jammed");
    assert_eq!(jams.count(), 1, "one incident, one alert: {alerts:?}");
    let tickets = hub.api.tickets(SITE, "all")?;
    let jams = tickets.iter().filter(|ticket| ticket["device"] == "covers-1");
    assert_eq!(jams.count(), 1, "one incident, one ticket: {tickets:?}");
    Ok(())
}

/// The numbers stored of each epoch; fails if one is there twice, or if one is missing before the last.
fn stored(records: &[Value]) -> Result<BTreeMap<u64, BTreeSet<u64>>> {
    let mut stored: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["agent"] == "lobby-box") {
        let epoch = record["epoch"].as_u64().context("an epoch")?;
        let seq = record["seq"].as_u64().context("a seq")?;
        assert!(stored.entry(epoch).or_default().insert(seq), "record {seq} of epoch {epoch} is there twice");
    }
    Ok(stored)
}

/// Whether everything up to `marks` is there, without a gap.
fn covers_all(stored: &BTreeMap<u64, BTreeSet<u64>>, marks: &Watermarks) -> bool {
    marks
        .iter()
        .all(|(epoch, last)| stored.get(epoch).is_some_and(|numbers| numbers.range(1..=*last).count() as u64 == *last))
}

fn highest(stored: &BTreeMap<u64, BTreeSet<u64>>) -> Watermarks {
    stored.iter().filter_map(|(epoch, numbers)| Some((*epoch, *numbers.last()?))).collect()
}

fn merge(into: &mut Watermarks, marks: Watermarks) {
    for (epoch, seq) in marks {
        let known = into.entry(epoch).or_default();
        *known = seq.max(*known);
    }
}

fn acknowledged(listener: &Peer) -> Result<Watermarks> {
    let mut marks = Watermarks::new();
    for (_, payload) in listener.heard() {
        let ack: Value = serde_json::from_slice(&payload)?;
        let mark = (ack["epoch"].as_u64().context("an epoch")?, ack["committed"].as_u64().context("a seq")?);
        if mark.1 > 0 {
            merge(&mut marks, [mark].into());
        }
    }
    Ok(marks)
}

/// What a killed agent has accepted, as its disk says: segments are named `{epoch}-{seq}.seg` and hold frames of
/// `length u32 | checksum u32 | seq u64 | payload`, little-endian. A torn last frame was not accepted.
fn read_spool(state_dir: &Path) -> Result<Watermarks> {
    let mut marks = Watermarks::new();
    for entry in fs::read_dir(state_dir.join("spool"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some((epoch, _)) = name.split_once('-') else { continue };
        let epoch: u64 = epoch.parse().with_context(|| format!("the epoch in {}", path.display()))?;
        let bytes = fs::read(&path)?;
        let mut rest = bytes.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let length = u32::from_le_bytes(header[..4].try_into()?) as usize;
            let seq = u64::from_le_bytes(header[8..].try_into()?);
            let Some(next) = after.get(length..) else { break };
            merge(&mut marks, [(epoch, seq)].into());
            rest = next;
        }
    }
    Ok(marks)
}
