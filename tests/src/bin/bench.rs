//! Measures the product as customers get it, beside what the machine can do at best.
//!
//! `cargo run --release -p lobby-tests --bin bench -- [ingest|latency|memory|agent]...`; all of them without arguments.
//! Build the programs first: `cargo build --release --workspace --bins`. Figures of a machine that does other things as
//! well are worth little: read medians and ratios. The load runs on the same cores as the hub.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_contract::Record;
use lobby_tests::{
    agent::Agent,
    database::Database,
    hub::{Hub, Options},
    limit,
    load::{Connection, display_record},
    reports::Script,
    wait,
};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

const CONNECTIONS: usize = 50;
const ROUNDS: u64 = 5;

fn main() -> Result<()> {
    let asked: Vec<String> = env::args().skip(1).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    let known = ["ingest", "latency", "memory", "agent"];
    if let Some(unknown) = asked.iter().find(|word| !known.contains(&word.as_str())) {
        anyhow::bail!("`{unknown}` is none of {}", known.join(", "));
    }
    // One thread for the whole load: the other core is the hub's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if wanted("ingest") {
        ingest(&runtime)?;
    }
    if wanted("latency") {
        latency(&runtime)?;
    }
    if wanted("memory") {
        memory(&runtime)?;
    }
    if wanted("agent") {
        agent()?;
    }
    Ok(())
}

/// The agents of a load: each has its connection, its script and its devices.
struct Fleet {
    members: Vec<Member>,
}

struct Member {
    connection: Connection,
    script: Script,
    devices: Vec<String>,
}

impl Fleet {
    /// Connects agents that watch `devices` displays together, ten agents to a site, and announces them.
    async fn connect(broker: SocketAddr, devices: usize, epoch: u64) -> Result<Self> {
        let each = devices / CONNECTIONS;
        let mut members = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS {
            let script = Script::new(&format!("site-{}", number / 10), &format!("agent-{number}")).in_epoch(epoch);
            let mut connection = Connection::open(broker, &format!("load-{number}"), &script).await?;
            let devices: Vec<String> = (0..each).map(|device| format!("led-{number}-{device}")).collect();
            let announced: Vec<_> = devices.iter().map(|id| (id.as_str(), "led-display")).collect();
            connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
            connection.flush().await?;
            members.push(Member { connection, script, devices });
        }
        Ok(Self { members })
    }
}

impl Member {
    fn record(&mut self, number: usize) -> Record {
        let device = self.devices[number % self.devices.len()].clone();
        display_record(&mut self.script, &device, number as u64)
    }
}

fn broker(hub: &Hub) -> Result<SocketAddr> {
    hub.mqtt_url().trim_start_matches("mqtt://").parse().context("the broker's address")
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn ingest(runtime: &Runtime) -> Result<()> {
    println!(
        "ingest: records stored and judged per second; {CONNECTIONS} connections, 1,000 devices, medians of {ROUNDS} rounds"
    );
    println!(
        "{:<12}{:>14}{:>14}{:>14}{:>8}{:>18}",
        "database", "records/msg", "limit/s", "hub/s", "ratio", "hub CPU µs/record"
    );
    for batch in [1, 50] {
        let scratch = tempfile::tempdir()?;
        let file = scratch.path().join("limit.sqlite");
        let mut hub = Hub::start()?;
        let limit = |epoch, records: &[Record]| runtime.block_on(limit::sqlite(&file, epoch, records));
        ingest_on(runtime, "SQLite", &mut hub, batch, limit)?;
    }
    for batch in [1, 50] {
        let (Some(plain), Some(own)) = (Database::create()?, Database::create()?) else { return Ok(()) };
        let url = plain.url();
        let mut hub = Hub::with(Options { database_url: Some(own.url()), ..Options::default() })?;
        let limit = |epoch, records: &[Record]| runtime.block_on(limit::postgres(&url, epoch, records));
        ingest_on(runtime, "PostgreSQL", &mut hub, batch, limit)?;
    }
    Ok(())
}

fn ingest_on(
    runtime: &Runtime,
    database: &str,
    hub: &mut Hub,
    batch: usize,
    limit: impl Fn(i64, &[Record]) -> Result<Duration>,
) -> Result<()> {
    let count = if batch == 1 { 100_000 } else { 200_000 };
    let (mut limits, mut rates, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let broker = broker(hub)?;
        let (time, records) = {
            let before = hub.process().cpu()?;
            let (time, records) = runtime.block_on(load(broker, round, count, batch))?;
            let cpu = hub.process().cpu()?.saturating_sub(before);
            costs.push(1e6 / rate(count, cpu));
            (time, records)
        };
        rates.push(rate(count, time));
        limits.push(rate(count, limit(i64::try_from(round)?, &records)?));
    }
    let (limit, own) = (median(limits), median(rates));
    println!("{database:<12}{batch:>14}{limit:>14.0}{own:>14.0}{:>8.2}{:>18.1}", own / limit, median(costs));
    Ok(())
}

/// Sends `count` records and waits until the hub has acknowledged the last of each agent. Also returns the rows for the
/// limit. What is sent is made before the clock runs.
async fn load(broker: SocketAddr, epoch: u64, count: usize, batch: usize) -> Result<(Duration, Vec<Record>)> {
    let fleet = Fleet::connect(broker, 1_000, epoch).await?;
    let mut rows = Vec::with_capacity(count);
    let mut work = Vec::with_capacity(CONNECTIONS);
    for mut member in fleet.members {
        let records: Vec<Record> = (0..count / CONNECTIONS).map(|number| member.record(number)).collect();
        let messages: Vec<Vec<u8>> = records.chunks(batch).map(|part| member.script.data(part.to_vec())).collect();
        rows.extend(records);
        work.push((member, messages));
    }
    for (seq, row) in (1..).zip(&mut rows) {
        row.seq = seq;
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut member, messages) in work {
        tasks.spawn(async move {
            let topic = member.script.topic("data");
            for message in messages {
                member.connection.publish(&topic, message).await?;
            }
            member.connection.committed(member.script.last_seq()).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok((begun.elapsed(), rows))
}

fn latency(runtime: &Runtime) -> Result<()> {
    const FAULTS: usize = 300;
    let hub = Hub::start()?;
    let broker = broker(&hub)?;
    let mut times = runtime.block_on(async {
        let fleet = Fleet::connect(broker, 1_000, 1).await?;
        let mut background = JoinSet::new();
        for member in fleet.members {
            background.spawn(steady(member));
        }
        let times = faults(broker, FAULTS).await;
        background.shutdown().await;
        times
    })?;
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    let tickets = hub.api.tickets("faults", "all")?.len();
    println!(
        "latency: from the report of a fault to the hub's ack, which is sent after its ticket is committed; 500 reports/s beside it"
    );
    println!(
        "  p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms over {FAULTS} faults; {tickets} tickets",
        at(50),
        at(99),
        at(100)
    );
    ensure!(tickets == FAULTS, "each fault opens its ticket");
    Ok(())
}

/// One agent's share of 500 reports a second, until it is ended.
async fn steady(mut member: Member) -> Result<()> {
    let topic = member.script.topic("data");
    let mut tick = interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        tick.tick().await;
        let record = member.record(number);
        let message = member.script.data(vec![record]);
        member.connection.publish(&topic, message).await?;
        member.connection.flush().await?;
    }
    Ok(())
}

/// Reports the fault of one machine after the other, and measures each until its ack.
async fn faults(broker: SocketAddr, count: usize) -> Result<Vec<Duration>> {
    let mut script = Script::new("faults", "covers-box");
    let mut connection = Connection::open(broker, "faults", &script).await?;
    let devices: Vec<String> = (0..count).map(|number| format!("covers-{number}")).collect();
    let announced: Vec<_> = devices.iter().map(|id| (id.as_str(), "shoe-cover-machine")).collect();
    connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
    let topic = script.topic("data");
    let mut times = Vec::with_capacity(count);
    let mut tick = interval(Duration::from_millis(73));
    for device in &devices {
        tick.tick().await;
        let message = script.report(device, &[("motor", "fault".into()), ("covers_left", 300.0.into())]);
        let begun = Instant::now();
        connection.publish(&topic, message).await?;
        connection.committed(script.last_seq()).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

fn memory(runtime: &Runtime) -> Result<()> {
    const DEVICES: usize = 10_000;
    let mut hub = Hub::start()?;
    wait::until("the hub to be ready", Duration::from_secs(20), || {
        Ok((hub.api.get("/readyz")?.status == 200).then_some(()))
    })?;
    let idle = hub.process().rss_kib()?;
    println!("memory: idle RSS {idle} KiB, PSS {} KiB", hub.process().pss_kib()?);
    let broker = broker(&hub)?;
    runtime.block_on(async {
        let mut fleet = Fleet::connect(broker, DEVICES, 1).await?;
        for round in 0..3 {
            for member in &mut fleet.members {
                let topic = member.script.topic("data");
                let each = member.devices.len();
                let records: Vec<Record> = (0..each).map(|number| member.record(number + round)).collect();
                for part in records.chunks(50) {
                    let message = member.script.data(part.to_vec());
                    member.connection.publish(&topic, message).await?;
                }
                member.connection.committed(member.script.last_seq()).await?;
            }
        }
        anyhow::Ok(fleet)
    })?;
    let devices = hub.api.json("/api/v1/devices")?["items"].as_array().map_or(0, Vec::len);
    let loaded = hub.process().rss_kib()?;
    println!(
        "  with {DEVICES} devices on {CONNECTIONS} connections, all reported three times: RSS {loaded} KiB, PSS {} KiB: \
         {} bytes of RSS a device (the first page of the API lists {devices})",
        hub.process().pss_kib()?,
        loaded.saturating_sub(idle) * 1024 / DEVICES as u64
    );
    Ok(())
}

fn agent() -> Result<()> {
    const OVER: Duration = Duration::from_mins(1);
    let hub = Hub::start()?;
    let devices: String = (1..=5).map(host).collect();
    let mut agent = Agent::start("bench", "box", &hub.mqtt_url(), &devices)?;
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
