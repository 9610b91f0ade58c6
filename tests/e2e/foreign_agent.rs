//! An agent that somebody else wrote, from nothing but the golden files of the contract.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context, Result};
use lobby_tests::{
    hub::{Hub, ticket_of},
    process::Process,
    program, wait,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../hub/contract/fixtures/v1");

#[test]
fn a_foreign_agent_that_says_everything_twice_opens_one_alert_and_one_ticket() -> Result<()> {
    let Some(python) = program::python()? else { return Ok(()) };
    let hub = Hub::start()?;
    let url = hub.mqtt_url();
    let (host, port) = url.trim_start_matches("mqtt://").split_once(':').context("host and port")?;
    let mut command = program::script(Path::new(&python), "e2e/foreign_agent.py");
    let mut agent = Process::start("foreign agent", command.args([FIXTURES, host, port, "abroad"]))?;

    let said = agent.line("that everything is acknowledged", Duration::from_mins(1), |line| {
        serde_json::from_str::<serde_json::Value>(line).ok()
    })?;
    assert_eq!((&said["records"], &said["acked"]), (&40.into(), &40.into()));

    let records = hub.api.records("abroad")?;
    let numbers: BTreeSet<u64> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!((records.len(), numbers), (40, (1..=40).collect()), "each record is stored once");

    let alert = hub.api.open_alert("abroad", "entrance-led", "display-dark", Duration::from_secs(40))?;
    ticket_of(&alert)?;
    wait::throughout(Duration::from_secs(3), || {
        let alerts = hub.api.alerts("abroad", "all")?;
        let dark = alerts.iter().filter(|alert| alert["device"] == "entrance-led");
        assert_eq!(dark.count(), 1, "{alerts:?}");
        assert_eq!(hub.api.tickets("abroad", "all")?.len(), 1);
        Ok(())
    })?;
    agent.signal("TERM")?;
    Ok(())
}
