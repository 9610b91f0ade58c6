//! Equipment that speaks its own protocols, watched by the agent and judged by the hub.

use std::time::Duration;

use anyhow::{Context, Result};
use lobby_tests::{
    agent::{self, Agent},
    hub::{Hub, ticket_of},
    modbus::Equipment,
    pjlink::Display,
    serial::Line,
};
use rstest::rstest;
use serde_json::Value;

use crate::equipment::{contacts, covers, display, fill, network, this_computer};

/// From the fault of a device to its alert: the rule's own delay (at most 10 s), the probe, and a busy machine.
const RAISED: Duration = Duration::from_secs(40);
/// From the repair to the end of the alert: the rule's own delay is at most 30 s.
const CLEARED: Duration = Duration::from_secs(70);
const SITE: &str = "demo";

#[derive(Clone, Copy)]
enum Transport {
    Tcp,
    Rtu,
}

#[rstest]
#[case::tcp(Transport::Tcp)]
#[case::rtu(Transport::Rtu)]
fn a_jammed_machine_opens_a_ticket_and_a_low_one_warns_only(#[case] transport: Transport) -> Result<()> {
    let line = match transport {
        Transport::Tcp => None,
        Transport::Rtu => match Line::lay()? {
            Some(line) => Some(line),
            None => return Ok(()),
        },
    };
    let started = match &line {
        Some(line) => Equipment::serial(&line.equipment())?,
        None => Equipment::tcp()?,
    };
    let Some(mut machines) = started else { return Ok(()) };
    fill(&mut machines, 400)?;
    let way = match &line {
        Some(line) => format!("serial = \"{}\"", line.agent().display()),
        None => format!("address = \"{}\"", machines.address()),
    };
    let hub = Hub::start()?;
    let devices = covers("covers-1", &way) + &contacts("covers-2", &way);
    let mut agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &devices)?;
    for id in ["covers-1", "covers-2"] {
        hub.api.device_state(SITE, id, "normal", RAISED)?;
    }

    fill(&mut machines, 42)?;
    machines.set(1, "discrete", 1, 1)?;
    let low = hub.api.open_alert(SITE, "covers-1", "covers-low", RAISED)?;
    let jammed = hub.api.open_alert(SITE, "covers-2", "covers-jammed", RAISED)?;
    let ticket = ticket_of(&jammed)?;
    assert!(low["ticket"].is_null(), "refilling is no repair: {low}");
    assert_eq!(low["severity"], "warning");
    assert!(low["evidence"]["en"].as_str().is_some_and(|text| text.contains("42")), "{low}");
    for alert in [&jammed, &low] {
        assert!(alert["clauses"].as_array().is_some_and(|clauses| !clauses.is_empty()), "every alert cites: {alert}");
    }
    assert_eq!(hub.api.device(SITE, "covers-2")?["state"], "abnormal");
    let tickets = hub.api.tickets(SITE, "open")?;
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    assert_eq!((&tickets[0]["number"], &tickets[0]["state"]), (&ticket.into(), &"new".into()));

    fill(&mut machines, 480)?;
    machines.set(1, "discrete", 1, 0)?;
    hub.api.cleared_alert(SITE, "covers-1", "covers-low", CLEARED)?;
    hub.api.cleared_alert(SITE, "covers-2", "covers-jammed", CLEARED)?;
    hub.api.device_state(SITE, "covers-2", "normal", RAISED)?;
    let tickets = hub.api.tickets(SITE, "all")?;
    assert_eq!(tickets.len(), 1, "{tickets:?}");
    assert_eq!(tickets[0]["state"], "self_recovered", "nobody worked on it: {tickets:?}");
    assert!(agent.stop()?.success());
    Ok(())
}

#[test]
fn a_display_in_standby_is_dark_and_a_muted_television_too() -> Result<()> {
    let Some(mut led) = Display::start(Some("JBMIAProjectorLink"))? else { return Ok(()) };
    let Some(mut tv) = Display::start(None)? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let password = dir.path().join("pjlink-password");
    std::fs::write(&password, "JBMIAProjectorLink\n")?;
    let devices = display("entrance-led", "led-display", &led.address(), Some(&password))
        + &display("lift-tv", "tv", &tv.address(), None);
    let hub = Hub::start()?;
    let agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &devices)?;
    for id in ["entrance-led", "lift-tv"] {
        let device = hub.api.device_state(SITE, id, "normal", RAISED)?;
        assert!(device.to_string().contains("EPSON"), "the display's own words are kept: {device}");
    }

    led.make("power off")?;
    tv.make("mute video")?;
    let dark = hub.api.open_alert(SITE, "entrance-led", "display-dark", RAISED)?;
    let muted = hub.api.open_alert(SITE, "lift-tv", "tv-muted", RAISED)?;
    assert_ne!(ticket_of(&dark)?, ticket_of(&muted)?);

    led.make("power on")?;
    tv.make("mute none")?;
    hub.api.cleared_alert(SITE, "entrance-led", "display-dark", CLEARED)?;
    hub.api.cleared_alert(SITE, "lift-tv", "tv-muted", CLEARED)?;

    led.make("erst 200000")?;
    let fan = hub.api.open_alert(SITE, "entrance-led", "display-hardware-fault", RAISED)?;
    assert!(fan["evidence"]["en"].as_str().is_some_and(|text| text.contains("fan")), "{fan}");
    drop(agent);
    Ok(())
}

#[test]
fn a_wrong_password_is_no_fault_of_the_display() -> Result<()> {
    let Some(led) = Display::start(Some("right"))? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let password = dir.path().join("password");
    std::fs::write(&password, "wrong")?;
    let hub = Hub::start()?;
    let devices = display("entrance-led", "led-display", &led.address(), Some(&password));
    let mut agent = Agent::start(SITE, "lobby-box", &hub.mqtt_url(), &devices)?;
    let device = hub.api.device_state(SITE, "entrance-led", "unknown", RAISED)?;
    assert_eq!(device["verdict"]["reach"], "unknown", "{device}");
    let told = agent.process().line("which file to check", RAISED, |line| {
        line.contains(&*password.to_string_lossy()).then(|| line.to_owned())
    })?;
    assert!(!told.contains("wrong\""), "the password itself is never told");
    assert!(hub.api.alerts(SITE, "all")?.iter().all(|alert| alert["device"] != "entrance-led"));
    Ok(())
}

#[test]
fn this_computer_and_its_network_are_watched() -> Result<()> {
    let hub = Hub::start()?;
    let devices = this_computer("laptop-1") + &network("net");
    let _agent = Agent::start(SITE, "internet-box", &hub.mqtt_url(), &devices)?;
    let facts = lobby_tests::wait::until("the facts of this computer", RAISED, || {
        let facts = hub.api.device(SITE, "laptop-1")?["facts"].take();
        Ok((!facts["memory_percent"].is_null()).then_some(facts))
    })?;
    let memory = number(&facts["memory_percent"]).context("a share of memory in use")?;
    assert!((0.0..=100.0).contains(&memory), "{facts}");
    lobby_tests::wait::until("the facts of the network", RAISED, || {
        let facts = hub.api.device(SITE, "net")?["facts"].take();
        Ok((!facts["tcp"].is_null()).then_some(()))
    })
}

/// A fact's value, whether it stands bare or in an object with its unit.
fn number(fact: &Value) -> Option<f64> {
    fact.as_f64().or_else(|| fact["value"].as_f64())
}

#[test]
fn an_installer_sees_everything_by_one_check() -> Result<()> {
    let Some(mut machine) = Equipment::tcp()? else { return Ok(()) };
    fill(&mut machine, 137)?;
    let dir = tempfile::tempdir()?;
    let here = covers("covers-1", &format!("address = \"{}\"", machine.address()));
    let config =
        agent::write_config(dir.path(), SITE, "box", "mqtt://127.0.0.1:1", &(here.clone() + &this_computer("pc")))?;
    let output = agent::command("check", &config)?.arg("--json").output()?;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let checked: Value = serde_json::from_slice(&output.stdout)?;
    let of = |checked: &Value, id: &str| {
        let all = checked.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|device| device["device"] == id).unwrap_or_default()
    };
    assert_eq!(of(&checked, "covers-1")["reach"], "ok", "{checked}");
    assert_eq!(of(&checked, "covers-1")["facts"]["covers_left"], 137.0, "{checked}");
    assert_eq!(of(&checked, "pc")["reach"], "ok", "{checked}");

    let gone = covers("covers-9", "address = \"127.0.0.1:1\"");
    let config = agent::write_config(dir.path(), SITE, "box", "mqtt://127.0.0.1:1", &(here + &gone))?;
    let output = agent::command("check", &config)?.arg("--json").output()?;
    assert_eq!(output.status.code(), Some(1), "one of them does not answer");
    let checked: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(of(&checked, "covers-9")["reach"], "unreachable", "{checked}");
    assert_eq!(of(&checked, "covers-1")["reach"], "ok", "a dead device costs no other: {checked}");
    Ok(())
}
