//! Records stored and judged per second, beside the rows that the database alone stores.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::Result;
use lobby_contract::Record;
use lobby_tests::{
    database::Database,
    hub::{Hub, Options},
    limit,
};
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

use crate::{
    broker,
    fleet::{Fleet, Member},
    median, rate, start,
};

/// So many records are sent before the clock runs: more than the hub on SQLite has staged at a time, so that from then on it merges as many
/// as it stages.
const AHEAD: usize = 50_000;
/// Records a message where it has several.
const BATCH: usize = 50;
const STAGES: [&str; 7] = ["read", "judge", "encode", "execute", "commit", "merge", "say"];

/// One line of the table.
struct Case {
    database: &'static str,
    devices: usize,
    batch: usize,
}

/// Prints the table.
pub fn measure(runtime: &Runtime, rounds: u64) -> Result<()> {
    println!("ingest: records stored and judged per second, medians of {rounds} rounds; time by stage in µs a record");
    print!(
        "{:<11}{:>8}{:>8}{:>10}{:>10}{:>7}{:>8} |",
        "database", "devices", "rec/msg", "limit/s", "hub/s", "ratio", "CPU µs"
    );
    println!("{}{:>10}", STAGES.map(|stage| format!("{stage:>8}")).concat(), "B/record");
    for devices in [1, 100, 100_000] {
        for batch in [1, BATCH] {
            sqlite(runtime, rounds, &Case { database: "SQLite", devices, batch })?;
            postgres(runtime, rounds, &Case { database: "PostgreSQL", devices, batch })?;
        }
    }
    Ok(())
}

fn sqlite(runtime: &Runtime, rounds: u64, case: &Case) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("limit.sqlite");
    let mut hub = start(Options::default())?;
    let limit = |epoch, records: &[Record]| runtime.block_on(limit::sqlite(&file, epoch, records));
    let stored = line(runtime, rounds, case, &mut hub, limit)?;
    hub.stop()?;
    println!("{:>10.0}", size(&hub.data_dir().join("lobby.db"))? / stored);
    Ok(())
}

fn postgres(runtime: &Runtime, rounds: u64, case: &Case) -> Result<()> {
    let (Some(plain), Some(own)) = (Database::create()?, Database::create()?) else { return Ok(()) };
    let url = plain.url();
    let mut hub = start(Options { database_url: Some(own.url()), ..Options::default() })?;
    let limit = |epoch, records: &[Record]| runtime.block_on(limit::postgres(&url, epoch, records));
    let stored = line(runtime, rounds, case, &mut hub, limit)?;
    hub.stop()?;
    println!("{:>10.0}", runtime.block_on(limit::postgres_size(&own.url()))? / stored);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size needs no more than 52 bits")]
fn size(file: &Path) -> Result<f64> {
    Ok(fs::metadata(file)?.len() as f64)
}

/// Measures one line but for the size. Returns how many records were stored.
fn line(
    runtime: &Runtime,
    rounds: u64,
    case: &Case,
    hub: &mut Hub,
    limit: impl Fn(i64, &[Record]) -> Result<Duration>,
) -> Result<f64> {
    let count = if case.batch == 1 { 60_000 } else { 150_000 };
    let count = if case.devices == 1 { count / 3 } else { count };
    let (mut limits, mut rates, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    let (mut spent, mut measured, mut stored) = ([0.0; STAGES.len()], 0, 0);
    for round in 1..=rounds {
        let Load { work, rows } = runtime.block_on(Load::prepare(broker(hub)?, round, count, case))?;
        let (cpu, before) = (hub.process().cpu()?, stages(hub)?);
        stored += rows.len() + AHEAD;
        measured += rows.len();
        let begun = Instant::now();
        runtime.block_on(send(work))?;
        let time = begun.elapsed();
        costs.push(1e6 / rate(rows.len(), hub.process().cpu()?.saturating_sub(cpu)));
        for (spent, (after, before)) in spent.iter_mut().zip(stages(hub)?.into_iter().zip(before)) {
            *spent += after - before;
        }
        rates.push(rate(rows.len(), time));
        limits.push(rate(rows.len(), limit(i64::try_from(round)?, &rows)?));
    }
    let measured = f64::from(u32::try_from(measured)?);
    let (limit, own) = (median(limits), median(rates));
    let Case { database, devices, batch } = case;
    print!("{database:<11}{devices:>8}{batch:>8}{limit:>10.0}{own:>10.0}{:>7.2}{:>8.1} |", own / limit, median(costs));
    for seconds in spent {
        print!("{:>8.1}", seconds * 1e6 / measured);
    }
    Ok(f64::from(u32::try_from(stored)?))
}

/// The time that each stage has taken so far, in seconds.
fn stages(hub: &Hub) -> Result<Vec<f64>> {
    let metrics = hub.api.metrics()?;
    let time = |stage: &str| metrics.sum(&["ingest_seconds_total", &format!("\"{stage}\"")]);
    Ok(STAGES.into_iter().map(time).collect())
}

/// What is sent in a round; made before the clock runs.
struct Load {
    /// Of each agent its messages.
    work: Vec<(Member, Vec<Vec<u8>>)>,
    /// The same records, as rows for the limit.
    rows: Vec<Record>,
}

impl Load {
    /// Connects agents, and waits until the hub knows them and what they watch, and works as it goes on to: what that takes is not the
    /// records'.
    async fn prepare(broker: SocketAddr, epoch: u64, count: usize, case: &Case) -> Result<Self> {
        let fleet = Fleet::connect(broker, case.devices, epoch).await?;
        let agents = fleet.members.len();
        let ahead = fleet.members.into_iter().map(|mut member| {
            let records = (0..AHEAD / agents).map(|number| member.record(number)).collect::<Vec<_>>();
            let messages = member.messages(&records, BATCH);
            (member, messages)
        });
        let members = send(ahead.collect()).await?;
        let mut rows = Vec::with_capacity(count);
        let mut work = Vec::with_capacity(agents);
        for mut member in members {
            let records: Vec<Record> = (0..count / agents).map(|number| member.record(number)).collect();
            let messages = member.messages(&records, case.batch);
            rows.extend(records);
            work.push((member, messages));
        }
        for (seq, row) in (1..).zip(&mut rows) {
            row.seq = seq;
        }
        Ok(Self { work, rows })
    }
}

/// Sends everything, and waits until the hub has acknowledged the last of each agent.
async fn send(work: Vec<(Member, Vec<Vec<u8>>)>) -> Result<Vec<Member>> {
    let mut tasks = JoinSet::new();
    for (mut member, messages) in work {
        tasks.spawn(async move {
            let topic = member.script.topic("data");
            for message in messages {
                member.connection.publish(&topic, message).await?;
            }
            member.connection.committed(member.script.last_seq()).await?;
            anyhow::Ok(member)
        });
    }
    let mut members = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        members.push(done??);
    }
    Ok(members)
}
