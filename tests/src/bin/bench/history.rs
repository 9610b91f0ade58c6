//! Ten million records of a year: how soon the hub is ready, and how long a year's chart takes.

use std::time::Duration;

use anyhow::Result;
use lobby_tests::{clock, hub::Options, limit, wait};
use tokio::{runtime::Runtime, time::Instant};

use crate::{broker, fleet::Fleet, percentile, start};

const DEVICES: usize = 20;
const TIMES: usize = 50;

/// Prints the lines. The year is made by statements on the hub's own tables, while it does not run.
pub fn measure(runtime: &Runtime) -> Result<()> {
    // What is made up here is to be kept.
    let config = Some("[history]\nraw = '800d'\nhourly = '800d'\n".to_owned());
    let mut hub = start(Options { config, ..Options::default() })?;
    let broker = broker(&hub)?;
    runtime.block_on(async {
        let mut fleet = Fleet::connect(broker, DEVICES, 1).await?;
        for member in &mut fleet.members {
            let record = member.record(0);
            let message = member.script.data(vec![record]);
            member.connection.publish(&member.script.topic("data"), message).await?;
            member.connection.committed(1).await?;
        }
        anyhow::Ok(())
    })?;
    hub.stop()?;
    let rows = runtime.block_on(limit::sqlite_year(&hub.data_dir().join("lobby.db"), clock::now_ms()))?;
    // The database was changed on purpose.
    std::fs::remove_file(hub.data_dir().join("installation.json"))?;
    let begun = Instant::now();
    hub.restart()?;
    hub.process().hush();
    wait::until("the hub to be ready", Duration::from_mins(1), || {
        Ok((hub.api.get("/readyz")?.status == 200).then_some(()))
    })?;
    println!(
        "history: {rows} records of {DEVICES} devices over a year; ready {:.2} s after the start",
        begun.elapsed().as_secs_f64()
    );
    let devices = hub.api.all("/api/v1/devices")?;
    let paths: Vec<(String, String)> = devices
        .iter()
        .filter_map(|device| Some((device["site"].as_str()?.to_owned(), device["id"].as_str()?.to_owned())))
        .collect();
    for (what, path) in [
        ("year's figures", "/api/v1/history?range=1y&site={site}&device={device}"),
        ("month's figures", "/api/v1/history?range=30d&site={site}&device={device}"),
        ("year's page", "/d/{device}?range=1y&site={site}"),
        ("day's page", "/d/{device}?range=24h&site={site}"),
    ] {
        let address = |(site, device): &(String, String)| path.replace("{site}", site).replace("{device}", device);
        let mut times = Vec::new();
        for _ in 0..TIMES {
            times.push(timed(&hub.api, &address(&paths[0]))?);
        }
        times.sort();
        let begun = Instant::now();
        for device in &paths {
            timed(&hub.api, &address(device))?;
        }
        println!(
            "  a {what}: p50 {:.1} ms, p99 {:.1} ms; of all {DEVICES} devices one after the other {:.0} ms",
            percentile(&times, 50),
            percentile(&times, 99),
            begun.elapsed().as_secs_f64() * 1e3
        );
    }
    Ok(())
}

fn timed(api: &lobby_tests::hub::Api, path: &str) -> Result<Duration> {
    let begun = Instant::now();
    let answer = api.get(path)?;
    anyhow::ensure!(answer.status == 200, "GET {path}: status {}", answer.status);
    Ok(begun.elapsed())
}
