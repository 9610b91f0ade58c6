//! Power cuts: the agent, the hub or both are killed at random moments while records flow.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, Result};
use lobby_tests::{
    agent::Agent,
    delivery::{self, Delivered},
    hub::{Hub, Options},
    modbus::Equipment,
    mqtt::Peer,
    spool::{self, Watermarks, merge},
    wait,
};
use serde_json::Value;

use crate::equipment::{busy_laptop, covers, fill, jam};

const SITE: &str = "demo";
const KILLS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn no_accepted_record_is_lost_or_doubled_by_twenty_kills() -> Result<()> {
    survive(Options::default(), 20_260_823)
}

#[test]
fn no_accepted_record_is_lost_or_doubled_by_twenty_kills_on_postgres() -> Result<()> {
    let Some(database) = lobby_tests::database::Database::create()? else { return Ok(()) };
    survive(Options { database_url: Some(database.url()), ..Options::default() }, 42)
}

#[test]
fn an_agent_killed_thirty_times_loses_nothing_says_nothing_twice_and_keeps_the_order_of_each_device() -> Result<()> {
    const AGENT_KILLS: usize = 30;
    let laptop = TcpListener::bind("127.0.0.1:0")?;
    let port = laptop.local_addr()?.port();
    // Fifty records a second.
    let devices: String = (1..=5).map(|number| busy_laptop(&format!("laptop-{number}"), port)).collect();
    let hub = Hub::start()?;
    let mut agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &devices)?;
    let mut random = fastrand::Rng::with_seed(1_946);
    let mut accepted = Watermarks::new();
    let mut newest = Vec::new();
    for _ in 0..AGENT_KILLS {
        wait::pause(Duration::from_millis(random.u64(150..1_200)));
        agent.kill()?;
        merge(&mut accepted, spool::accepted(&agent.state_dir())?);
        newest.push(spool::newest(&agent.state_dir())?);
        agent.restart()?;
    }
    let kept: u64 = accepted.values().sum();
    assert!(accepted.len() > AGENT_KILLS / 2 && kept > 200, "too little was on its way: {accepted:?}");
    wait::until("every accepted record to be in the hub", PATIENCE, || {
        let stored = Delivered::at(&hub.api, SITE, "lobby-box")?;
        Ok(stored.holds(&accepted).then_some(()))
    })?;
    assert!(agent.stop()?.success());
    let records = hub.api.records(SITE)?;
    let stored = Delivered::of(&records, "lobby-box")?;
    assert!(stored.holds(&stored.highest()), "nothing is missing in between: {:?}", stored.highest());
    newest.iter().try_for_each(|newest| delivery::holds_newest(&stored, newest))?;
    assert_eq!(all_accounted(&hub)?, 0, "its disk lost nothing");
    delivery::in_order(&records)
}

/// How many records of the agent are lost; fails unless each one that it made is stored once, or said to be lost.
fn all_accounted(hub: &Hub) -> Result<u64> {
    wait::until("nothing to be under way", PATIENCE, || {
        let ledger = hub.api.json(&format!("/api/v1/agents/{SITE}/lobby-box"))?["ledger"].clone();
        let stored = ledger["stored"].as_u64() == Some(hub.api.records(SITE)?.len() as u64);
        Ok((stored && ledger["missing"] == 0).then_some(()))
    })?;
    Ok(delivery::accounted(&hub.api, SITE, "lobby-box")?.1)
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
            merge(&mut accepted, spool::accepted(&agent.state_dir())?);
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
    merge(&mut accepted, spool::accepted(&agent.state_dir())?);
    agent.restart()?;
    let kept: u64 = accepted.values().sum();
    let told: u64 = acked.values().sum();
    assert!(
        accepted.len() > KILLS / 4 && kept > 200 && told > 100,
        "too little was on its way: {accepted:?} {acked:?}"
    );
    let stored = wait::until("every accepted record to be in the hub", PATIENCE, || {
        let stored = Delivered::at(&hub.api, SITE, "lobby-box")?;
        Ok(stored.holds(&accepted).then_some(stored))
    })?;
    assert!(stored.holds(&acked), "acknowledged {acked:?}, stored up to {:?}", stored.highest());

    let alerts = hub.api.alerts(SITE, "all")?;
    let jams = alerts.iter().filter(|alert| alert["rule"] == "covers-jammed");
    assert_eq!(jams.count(), 1, "one incident, one alert: {alerts:?}");
    let tickets = hub.api.tickets(SITE, "all")?;
    let jams = tickets.iter().filter(|ticket| ticket["device"] == "covers-1");
    assert_eq!(jams.count(), 1, "one incident, one ticket: {tickets:?}");
    Ok(())
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
