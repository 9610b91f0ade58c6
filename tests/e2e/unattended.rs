//! A product that nobody looks after: it starts, stops and says how it is by itself.

use std::time::Duration;

use anyhow::{Context, Result};
use lobby_tests::{
    agent::{self, Agent},
    hub::{self, Hub, Options},
    process::Process,
    wait,
};

use crate::equipment::this_computer;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_hub_stops_cleanly_when_asked_also_with_an_open_event_stream() -> Result<()> {
    let mut hub = Hub::start()?;
    let stream = ureq::get(format!("{}/events", hub.url())).call()?;
    let status = hub.stop()?;
    assert_eq!(status.code(), Some(0), "{}", hub.process().said());
    drop(stream);
    hub.restart()?;
    assert_eq!(hub.api.get("/livez")?.status, 200);
    Ok(())
}

#[test]
fn the_agent_stops_cleanly_when_asked_with_and_without_a_hub() -> Result<()> {
    let hub = Hub::start()?;
    let mut agent = Agent::start("demo", "box", &hub.mqtt_url(), &this_computer("pc"))?;
    wait::until("the agent's first record", PATIENCE, || Ok((!hub.api.records("demo")?.is_empty()).then_some(())))?;
    assert_eq!(agent.stop()?.code(), Some(0));
    drop(hub);
    agent.restart()?;
    wait::until("the agent to be up", PATIENCE, || Ok(agent.process().said().contains("spool").then_some(())))?;
    assert_eq!(agent.stop()?.code(), Some(0));
    Ok(())
}

#[test]
fn a_second_hub_on_the_same_data_is_refused_and_the_first_goes_on() -> Result<()> {
    let hub = Hub::start()?;
    let loopback = ([127, 0, 0, 1], 0).into();
    let mut command = hub::command(hub.data_dir(), &Options::default(), loopback, loopback)?;
    let mut second = Process::start("second hub", &mut command)?;
    let status = second.exit(PATIENCE)?;
    assert!(!status.success());
    let told = second.said();
    assert!(told.contains(&*hub.data_dir().to_string_lossy()), "it says which directory: {told}");
    assert_eq!(hub.api.get("/readyz")?.status, 200);
    Ok(())
}

#[test]
fn a_second_agent_on_the_same_state_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let config = agent::write_config(dir.path(), "demo", "box", "mqtt://127.0.0.1:1", &this_computer("pc"))?;
    let mut first = Process::start("first agent", &mut agent::command("run", &config)?)?;
    wait::until("the first agent's spool", PATIENCE, || Ok(first.said().contains("spool").then_some(())))?;
    let mut second = Process::start("second agent", &mut agent::command("run", &config)?)?;
    assert!(!second.exit(PATIENCE)?.success());
    assert!(second.said().contains("another agent"), "{}", second.said());
    assert!(first.runs());
    Ok(())
}

#[test]
fn the_hub_says_how_it_is() -> Result<()> {
    let hub = Hub::start()?;
    for path in ["/livez", "/readyz", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(hub.api.get(path)?.status, 200, "{path}");
    }
    let openapi = hub.api.json("/api/v1/openapi.json")?;
    let version = openapi["openapi"].as_str().context("a version")?;
    assert!(version.starts_with("3.1"), "{version}");
    for path in ["/api/v1/alerts", "/api/v1/tickets", "/api/v1/devices", "/api/v1/records", "/api/v1/sites"] {
        assert!(openapi["paths"].get(path).is_some(), "{path} is described");
    }
    let metrics = hub.api.metrics()?;
    assert!(metrics.0.lines().any(|line| line.starts_with("# TYPE ")), "Prometheus' text format");
    Ok(())
}

#[test]
fn a_silent_agent_turns_its_devices_unknown_and_never_faulty() -> Result<()> {
    let hub = Hub::start()?;
    let mut agent = Agent::start("demo", "box", &hub.mqtt_url(), &this_computer("pc"))?;
    wait::until("a first verdict", PATIENCE, || {
        Ok((hub.api.device("demo", "pc")?["verdict"]["freshness"] == "fresh").then_some(()))
    })?;
    agent.kill()?;
    let device = wait::until("the device to be unknown", Duration::from_secs(90), || {
        let device = hub.api.device("demo", "pc")?;
        let state = device["state"].as_str().unwrap_or_default();
        Ok(["unknown", "offline"].contains(&state).then_some(device))
    })?;
    assert_ne!(device["verdict"]["function"], "failed", "{device}");
    assert!(hub.api.alerts("demo", "all")?.iter().all(|alert| alert["device"] != "pc"));
    Ok(())
}
