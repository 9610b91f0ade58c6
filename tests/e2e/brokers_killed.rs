//! Brokers that die in the middle of a delivery, whatever they had promised: the hub's own acknowledgement is what counts.

use std::time::Duration;

use anyhow::Result;
use lobby_tests::{
    agent::Draft,
    broker::Mosquitto,
    delivery::Delivered,
    hub::{Hub, Options},
    mqtt::Peer,
    reports::Script,
    wait,
};
use rstest::rstest;

use crate::{
    backlog::{Backlog, EPOCH},
    equipment::this_computer,
};

const SITE: &str = "demo";
const AGENT: &str = "lobby-box";
const RECORDS: u64 = 20_000;
const KILLS: u64 = 5;
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until the delivery has come to `seq`.
fn reached(hub: &Hub, backlog: Backlog, seq: u64) -> Result<()> {
    wait::until(&format!("record {seq} of the backlog"), PATIENCE, || {
        Ok(hub.api.has_record(SITE, backlog.at(seq), backlog.last_at() + 1)?.then_some(()))
    })
}

fn all_there_once(hub: &Hub, backlog: Backlog) -> Result<()> {
    reached(hub, backlog, RECORDS)?;
    let stored = wait::until("every record before the last", PATIENCE, || {
        let stored = Delivered::at(&hub.api, SITE, AGENT)?;
        Ok(stored.holds(&backlog.marks()).then_some(stored))
    })?;
    assert_eq!(stored.highest().get(&EPOCH), Some(&RECORDS), "none that was never made");
    Ok(())
}

#[test]
fn the_embedded_broker_killed_with_its_hub_costs_none_of_twenty_thousand_records() -> Result<()> {
    let mut hub = Hub::start()?;
    let draft = Draft::new(SITE, AGENT, &hub.mqtt_url(), &this_computer("pc"))?;
    let backlog = Backlog::of(&draft, RECORDS)?;
    let _agent = draft.start()?;
    for kill in 1..=KILLS {
        reached(&hub, backlog, kill * RECORDS / (KILLS + 2))?;
        hub.kill()?;
        hub.restart()?;
    }
    all_there_once(&hub, backlog)
}

#[rstest]
#[case::as_debian_packages_it("persistence true\n")]
#[case::with_room_for_a_thousand_messages("persistence true\nmax_queued_messages 1000\nmax_inflight_messages 20\n")]
fn mosquitto_killed_costs_none_of_twenty_thousand_records(#[case] settings: &str) -> Result<()> {
    let Some(mut mosquitto) = Mosquitto::configured(settings)? else { return Ok(()) };
    let mut hub = Hub::with(Options { mqtt_url: Some(mosquitto.url()), ..Options::default() })?;
    let draft = Draft::new(SITE, AGENT, &mosquitto.url(), &this_computer("pc"))?;
    let backlog = Backlog::of(&draft, RECORDS)?;
    let _agent = draft.start()?;
    for kill in 1..=KILLS {
        reached(&hub, backlog, kill * RECORDS / (KILLS + 2))?;
        if kill % 2 == 0 {
            // What the broker has acknowledged and the hub has not heard dies with the broker.
            hub.process().signal("STOP")?;
            wait::pause(Duration::from_millis(500));
        }
        mosquitto.crash()?;
        if kill % 2 == 0 {
            hub.process().signal("CONT")?;
        }
    }
    all_there_once(&hub, backlog)
}

#[test]
fn what_an_unknown_agent_said_while_the_hub_was_away_is_not_its_present() -> Result<()> {
    let Some(mosquitto) = Mosquitto::start()? else { return Ok(()) };
    let mut hub = Hub::with(Options { mqtt_url: Some(mosquitto.url()), ..Options::default() })?;
    // It has a session at the broker from now on.
    wait::until("the hub to be at the broker", PATIENCE, || Ok((hub.api.get("/readyz")?.status == 200).then_some(())))?;
    hub.stop()?;
    let mut script = Script::new(SITE, "new-box");
    let mut peer = Peer::connect(&mosquitto.url(), "new-box", &[])?;
    let ten_minutes = 10 * 60 * 1000;
    script.clock_error_ms = -ten_minutes;
    peer.publish(&script.topic("birth"), script.birth(&[("led", "led-display")]))?;
    let good = [("power", "on".into()), ("signal", "ok".into())];
    peer.publish(&script.topic("data"), script.report("led", &good))?;

    hub.restart()?;
    wait::until("the record that waited", PATIENCE, || Ok((hub.api.records(SITE)?.len() == 1).then_some(())))?;
    assert_eq!(hub.api.device(SITE, "led")?["state"], "unknown", "that was ten minutes ago");

    script.clock_error_ms = 0;
    peer.publish(&script.topic("data"), script.report("led", &good))?;
    hub.api.device_state(SITE, "led", "normal", PATIENCE)?;
    Ok(())
}
