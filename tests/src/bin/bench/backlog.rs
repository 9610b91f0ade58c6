//! How fast an agent's backlog drains, and how fresh the records of others stay meanwhile.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use lobby_contract::Record;
use lobby_tests::{
    hub::Options,
    load::{Connection, display_record},
    reports::Script,
};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{broker, fleet::Fleet, median, percentile, rate, start};

/// Records that wait, and how many of them are in one message.
const WAITING: usize = 200_000;
const BATCH: usize = 50;

/// Prints the line.
pub fn measure(runtime: &Runtime, rounds: u64) -> Result<()> {
    println!(
        "backlog: {WAITING} records of last week from one agent, while 49 others report 500 records/s, medians of {rounds} rounds"
    );
    let (mut rates, mut fresh) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let hub = start(Options::default())?;
        let broker = broker(&hub)?;
        let (drained, mut times) = runtime.block_on(drain(broker, round))?;
        times.sort();
        rates.push(rate(WAITING, drained));
        fresh.push((percentile(&times, 50), percentile(&times, 99)));
    }
    println!(
        "  drained at {:.0} records/s; a live record was acknowledged within p50 {:.1} ms, p99 {:.1} ms",
        median(rates),
        median(fresh.iter().map(|(p50, _)| *p50).collect()),
        median(fresh.iter().map(|(_, p99)| *p99).collect())
    );
    Ok(())
}

async fn drain(broker: SocketAddr, epoch: u64) -> Result<(Duration, Vec<Duration>)> {
    let mut fleet = Fleet::connect(broker, 1_000, epoch).await?;
    let late = fleet.members.pop();
    let mut live = JoinSet::new();
    for member in fleet.members {
        live.spawn(member.steady(1, Duration::from_millis(100)));
    }
    let mut drained = Duration::ZERO;
    let mut times = Vec::new();
    if let Some(mut late) = late {
        let records: Vec<Record> = (0..WAITING).map(|number| last_week(late.record(number))).collect();
        let messages: Vec<Vec<u8>> = records.chunks(BATCH).map(|part| late.script.data(part.to_vec())).collect();
        let mut probe = JoinSet::new();
        probe.spawn(probes(broker));
        let begun = Instant::now();
        let topic = late.script.topic("data");
        for message in messages {
            late.connection.publish(&topic, message).await?;
        }
        late.connection.committed(late.script.last_seq()).await?;
        drained = begun.elapsed();
        while let Some(found) = probe.join_next().await {
            times = found??;
        }
    }
    live.shutdown().await;
    Ok((drained, times))
}

fn last_week(record: Record) -> Record {
    Record { at: record.at - 7 * 24 * 60 * 60 * 1000, ..record }
}

/// One more agent, whose records are timed.
async fn probes(broker: SocketAddr) -> Result<Vec<Duration>> {
    let mut script = Script::new("probe", "probe-box");
    let mut connection = Connection::open(broker, "probe", &script).await?;
    connection.publish(&script.topic("birth"), script.birth(&[("led", "led-display")])).await?;
    let topic = script.topic("data");
    let mut tick = interval(Duration::from_millis(20));
    let mut times = Vec::new();
    for number in 0..100 {
        tick.tick().await;
        let record = display_record(&mut script, "led", number);
        let message = script.data(vec![record]);
        let begun = Instant::now();
        connection.publish(&topic, message).await?;
        connection.committed(script.last_seq()).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}
