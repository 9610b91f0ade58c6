//! Memory at rest, with connected agents, and for each device that the hub knows.

use std::time::Duration;

use anyhow::Result;
use lobby_contract::Record;
use lobby_tests::{hub::Options, wait};
use tokio::runtime::Runtime;

use crate::{broker, fleet::Fleet, start};

const FLEETS: [usize; 2] = [10_000, 100_000];

/// Prints the lines.
pub fn measure(runtime: &Runtime) -> Result<()> {
    let mut grown = Vec::new();
    for devices in FLEETS {
        let mut hub = start(Options::default())?;
        wait::until("the hub to be ready", Duration::from_secs(20), || {
            Ok((hub.api.get("/readyz")?.status == 200).then_some(()))
        })?;
        let idle = hub.process().rss_kib()?;
        println!("memory: idle RSS {idle} KiB, PSS {} KiB", hub.process().pss_kib()?);
        let broker = broker(&hub)?;
        let fleet = runtime.block_on(async {
            let mut fleet = Fleet::connect(broker, devices, 1).await?;
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
        let loaded = hub.process().rss_kib()?;
        println!(
            "  {devices} devices of {} agents, all reported three times: RSS {loaded} KiB, PSS {} KiB, {} bytes of RSS a device",
            fleet.members.len(),
            hub.process().pss_kib()?,
            loaded.saturating_sub(idle) * 1024 / devices as u64
        );
        grown.push(loaded.saturating_sub(idle) * 1024);
    }
    // What does not grow with the devices, such as the database's caches, is in both.
    if let [few, many] = grown[..] {
        let [fewer, more] = FLEETS;
        println!(
            "  from {fewer} to {more} devices: {} bytes of RSS a device more",
            many.saturating_sub(few) / (more - fewer) as u64
        );
    }
    Ok(())
}
