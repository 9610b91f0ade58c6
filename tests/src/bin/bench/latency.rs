//! From the report of a fault to the hub's ack, which is sent after its ticket is committed, and to a webhook that is told of it: at rest,
//! and while the hub is loaded.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use lobby_tests::{hub::Options, limit, load::Connection, receiver::Receiver, reports::Script, wait};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{broker, fleet::Fleet, percentile, start};

const FAULTS: usize = 300;
/// How long the webhook may take to hear of the last of them.
const PATIENCE: Duration = Duration::from_mins(1);
/// Records a second beside the faults: how many each of the fifty agents reports every 10 or 100 ms, each in a message of its own.
const LOADS: [(usize, usize, u64); 4] = [(500, 1, 100), (5_000, 1, 10), (20_000, 4, 10), (60_000, 12, 10)];

/// Prints a line for each load.
pub fn measure(runtime: &Runtime) -> Result<()> {
    println!(
        "latency: from the report of a fault to the ack after its ticket's commit, and to a webhook that is told of it, {FAULTS} faults, 1,000 devices beside it"
    );
    println!(
        "{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}{:>12}{:>12}{:>14}{:>10}{:>10}",
        "offered records/s",
        "limit p50",
        "limit p99",
        "p50 ms",
        "p99 ms",
        "p99/limit",
        "worst ms",
        "webhook p50",
        "webhook p99",
        "webhook worst",
        "tickets",
        "RSS KiB"
    );
    for (offered, each, every) in LOADS {
        let receiver = Receiver::start()?;
        let config = format!(
            "[channel.hook]\nkind = 'webhook'\nposts = ['engineering', 'showflat']\nurl = '{}'\nrate = '1000/1s'\n",
            receiver.url()
        );
        let mut hub = start(Options { config: Some(config), ..Options::default() })?;
        let broker = broker(&hub)?;
        // The least that a fault can take: a commit of one row on the same disk.
        let scratch = tempfile::tempdir()?;
        let mut limit = runtime.block_on(limit::sqlite_commits(&scratch.path().join("limit.sqlite"), FAULTS))?;
        limit.sort();
        let (mut times, begun) = runtime.block_on(async {
            let fleet = Fleet::connect(broker, 1_000, 1).await?;
            let mut background = JoinSet::new();
            for member in fleet.members {
                background.spawn(member.steady(each, Duration::from_millis(every)));
            }
            let times = faults(broker, FAULTS).await;
            background.shutdown().await;
            times
        })?;
        let mut told = told(&receiver, &begun)?;
        told.sort();
        let memory = hub.process().rss_kib()?;
        times.sort();
        let tickets = hub.api.tickets("faults", "all")?.len();
        let at = |percent| percentile(&times, percent);
        let (limit_50, limit_99) = (percentile(&limit, 50), percentile(&limit, 99));
        println!(
            "{offered:<18}{limit_50:>10.1}{limit_99:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>12.1}{:>12.1}{:>12.1}{:>14.1}{tickets:>10}{memory:>10}",
            at(50),
            at(99),
            at(99) / limit_99,
            at(100),
            percentile(&told, 50),
            percentile(&told, 99),
            percentile(&told, 100)
        );
        ensure!(tickets == FAULTS, "each fault opens its ticket");
    }
    Ok(())
}

/// How long it took until the webhook heard of each fault.
fn told(receiver: &Receiver, begun: &HashMap<String, Instant>) -> Result<Vec<Duration>> {
    wait::until("the webhook to hear of every fault", PATIENCE, || {
        let mut told = HashMap::new();
        for letter in receiver.letters() {
            for alert in letter.body["data"]["alerts"].as_array().into_iter().flatten() {
                if let Some((device, begun)) = alert["subject"].as_str().and_then(|id| begun.get_key_value(id)) {
                    told.entry(device).or_insert_with(|| letter.at.duration_since(*begun));
                }
            }
        }
        Ok((told.len() == begun.len()).then(|| told.into_values().collect()))
    })
}

/// Reports the fault of one machine after the other, and measures each until its ack. Returns also when each was reported.
async fn faults(broker: SocketAddr, count: usize) -> Result<(Vec<Duration>, HashMap<String, Instant>)> {
    let mut script = Script::new("faults", "covers-box");
    let mut connection = Connection::open(broker, "faults", &script).await?;
    let devices: Vec<String> = (0..count).map(|number| format!("covers-{number}")).collect();
    let announced: Vec<_> = devices.iter().map(|id| (id.as_str(), "shoe-cover-machine")).collect();
    connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
    let topic = script.topic("data");
    let (mut times, mut reported) = (Vec::with_capacity(count), HashMap::with_capacity(count));
    let mut tick = interval(Duration::from_millis(73));
    for device in &devices {
        tick.tick().await;
        let message = script.report(device, &[("motor", "fault".into()), ("covers_left", 300.0.into())]);
        let begun = Instant::now();
        connection.publish(&topic, message).await?;
        connection.committed(script.last_seq()).await?;
        times.push(begun.elapsed());
        reported.insert(device.clone(), begun);
    }
    Ok((times, reported))
}
