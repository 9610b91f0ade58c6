//! How much is written to the disk for each record, under a steady load.

use std::time::Duration;

use anyhow::{Result, ensure};
use lobby_tests::hub::{Hub, Options};
use tokio::{runtime::Runtime, task::JoinSet, time::sleep};

use crate::{broker, fleet::Fleet, start};

/// Records a second: every how many ms each of the fifty agents reports one. They do so spread evenly, as agents in different places do.
const LOADS: [(u32, u64); 2] = [(500, 100), (5_000, 10)];
/// Until as many records are merged as are staged, and the database's log is as long as it gets.
const BEFORE: Duration = Duration::from_secs(75);
/// Twice what records stay staged.
const MEASURED: Duration = Duration::from_mins(2);

/// Prints a line for each load.
pub fn measure(runtime: &Runtime) -> Result<()> {
    for (offered, every) in LOADS {
        let mut hub = start(Options::default())?;
        let broker = broker(&hub)?;
        let (before, after) = runtime.block_on(async {
            let fleet = Fleet::connect(broker, 1_000, 1).await?;
            let mut load = JoinSet::new();
            let every = Duration::from_millis(every);
            let apart = every / u32::try_from(fleet.members.len())?;
            for (no, member) in (0..).zip(fleet.members) {
                load.spawn(async move {
                    sleep(apart * no).await;
                    member.steady(1, every).await
                });
            }
            sleep(BEFORE).await;
            let before = counts(&mut hub)?;
            sleep(MEASURED).await;
            let after = counts(&mut hub)?;
            load.shutdown().await;
            anyhow::Ok((before, after))
        })?;
        let (written, records) = (after.0 - before.0, after.1 - before.1);
        ensure!(written > 0.0, "its data are not on a disk: nothing was written");
        println!(
            "disk: {offered} records/s of 1,000 devices: {:.0} bytes written a record",
            written * 1024.0 / records
        );
    }
    Ok(())
}

/// KiB that the hub has had written, and records that it has stored.
fn counts(hub: &mut Hub) -> Result<(f64, f64)> {
    let written = u32::try_from(hub.process().written()? / 1024)?;
    Ok((f64::from(written), hub.api.metrics()?.sum(&["records_stored_total"])))
}
