//! What an agent at rest takes.

use std::time::Duration;

use anyhow::Result;
use lobby_tests::{agent::Agent, hub::Options, wait};

use crate::start;

const OVER: Duration = Duration::from_mins(1);

/// Prints the line.
pub fn measure() -> Result<()> {
    let hub = start(Options::default())?;
    let devices: String = (1..=5).map(host).collect();
    let mut agent = Agent::start("bench", "box", &hub.mqtt_url(), &devices)?;
    agent.process().hush();
    wait::until("the agent's records", Duration::from_secs(30), || {
        Ok((hub.api.records("bench")?.len() >= 5).then_some(()))
    })?;
    let before = agent.process().cpu()?;
    wait::pause(OVER);
    let cpu = agent.process().cpu()?.saturating_sub(before);
    println!(
        "agent: 5 probes every 10 s over {} s: RSS {} KiB, PSS {} KiB, {:.2} % of a core",
        OVER.as_secs(),
        agent.process().rss_kib()?,
        agent.process().pss_kib()?,
        cpu.as_secs_f64() / OVER.as_secs_f64() * 100.0
    );
    Ok(())
}

fn host(number: usize) -> String {
    format!(
        "[[device]]\nid = \"pc-{number}\"\nkind = \"laptop\"\nevery = \"10s\"\ntimeout = \"5s\"\nheartbeat = \"30s\"\n\
         [device.probe]\ntype = \"host\"\n"
    )
}
