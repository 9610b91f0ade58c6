//! How long pages take with many open tickets, each after the other, and how large they are.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use lobby_tests::{
    clock,
    hub::{Api, Options},
    load::Connection,
    reports::Script,
    wait,
};
use tokio::{runtime::Runtime, time::Instant};

use crate::{broker, percentile, start};

const TICKETS: u32 = 10_000;
/// Machines of one agent; each has a site of its own.
const EACH: u32 = 100;
const TIMES: usize = 50;
const PAGES: [&str; 11] = [
    "/engineering",
    "/engineering?state=due",
    "/engineering?state=reported&after=5000",
    "/engineering?site=site-0",
    "/alerts",
    "/escalations",
    "/escalations?site=site-0",
    "/",
    "/?site=site-0",
    "/concierge?site=site-0",
    "/stock?site=site-0",
];
/// How one site, and all of them beside each other, kept the standards in the month of all these faults.
const COMPLIANCE: [&str; 2] = ["?site=site-0", ""];

/// Prints a line for each page.
pub fn measure(runtime: &Runtime) -> Result<()> {
    let hub = start(Options::default())?;
    let _agents = runtime.block_on(break_all(broker(&hub)?))?;
    wait::until("every fault to have its ticket", Duration::from_mins(2), || {
        let tickets = hub.api.metrics()?.sum(&["lobby_tickets{", "state=\"new\""]);
        Ok((tickets >= TICKETS.into()).then_some(()))
    })?;
    println!("pages: {TICKETS} open tickets at {} sites, {TIMES} times each", TICKETS / EACH);
    println!("{:<40}{:>10}{:>10}{:>10}{:>10}", "page", "p50 ms", "p99 ms", "worst ms", "KiB");
    let month = jiff::Timestamp::from_millisecond(clock::now_ms())?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m")
        .to_string();
    let compliance = COMPLIANCE.map(|query| format!("/compliance/{month}{query}"));
    for path in PAGES.into_iter().chain(compliance.iter().map(String::as_str)) {
        let (times, size) = read(&hub.api, path)?;
        let at = |percent| percentile(&times, percent);
        println!("{path:<40}{:>10.1}{:>10.1}{:>10.1}{:>10}", at(50), at(99), at(100), size / 1024);
    }
    Ok(())
}

fn read(api: &Api, path: &str) -> Result<(Vec<Duration>, usize)> {
    let (mut times, mut size) = (Vec::with_capacity(TIMES), 0);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = api.get(path)?;
        times.push(begun.elapsed());
        ensure!(answer.status == 200, "GET {path}: status {}", answer.status);
        size = answer.body.len();
    }
    times.sort();
    Ok((times, size))
}

/// Reports a fault of every machine. The agents stay connected.
async fn break_all(broker: SocketAddr) -> Result<Vec<Connection>> {
    let mut connections = Vec::new();
    for site in 0..TICKETS / EACH {
        let mut script = Script::new(&format!("site-{site}"), "covers-box");
        let mut connection = Connection::open(broker, &format!("site-{site}"), &script).await?;
        let devices: Vec<String> = (0..EACH).map(|number| format!("covers-{number}")).collect();
        let announced: Vec<_> = devices.iter().map(|id| (id.as_str(), "shoe-cover-machine")).collect();
        connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
        let fault = [("motor", "fault".into()), ("covers_left", 300.0.into())];
        let records: Vec<_> = devices.iter().map(|device| script.record(device, &fault)).collect();
        for part in records.chunks(50) {
            connection.publish(&script.topic("data"), script.data(part.to_vec())).await?;
        }
        connection.committed(script.last_seq()).await?;
        connections.push(connection);
    }
    Ok(connections)
}
