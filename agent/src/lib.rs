//! Probes equipment and reports it to the hub over MQTT.
//!
//! ```text
//! device ──probe──► runner ──record──► spool (disk) ──► uplink ──MQTT──► hub
//!                                        ▲                                │
//!                                        └──────── acknowledged ◄─────────┘
//! ```
//!
//! Owns: the devices' protocols, report by exception, the records that the hub does not have yet. Must not know: rules, alerts,
//! tickets, SQL. It never judges a state.

mod cause;
pub mod check;
mod clock;
pub mod config;
mod lifecycle;
#[cfg(test)]
mod peers;
pub mod probe;
mod report;
mod runner;
pub mod secret;
mod spool;
#[cfg(test)]
mod tests;
mod uplink;
pub mod watchdog;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::info;

use clock::{Clock, SystemClock};
use config::Config;
use lifecycle::Lifecycle;
use runner::Runner;
use spool::{Limits, SpoolHandle};
use uplink::Uplink;
use watchdog::Watchdog;

#[doc(hidden)]
pub use spool::salvage;

/// How long everything may take to stop.
const GRACE: Duration = Duration::from_secs(8);

/// Watches `config`'s devices and reports them until `stop` is cancelled; then says so to the hub and closes the spool.
///
/// Several agents may run in one process, each with its own `state_dir`.
pub async fn run(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.check()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (spool, work) = SpoolHandle::open(&config.state_dir, Limits::of(config.spool.max_bytes), clock.now())?;
    info!(site = %config.site, agent = %config.id, devices = config.devices.len(), hub = %config.hub.url, "agent started");

    // A part that fails stops this agent, not whoever runs it.
    let mut tasks = Lifecycle::new(stop.child_token());
    let mut uplink = Uplink::new(&config, spool.clone(), clock.clone());
    let watchdog = Watchdog::new(&config, spool.clone(), uplink.seen(), clock.clone());
    for device in config.devices {
        let asks = uplink.asks_for(&device);
        let name = format!("device {}", device.id);
        let runner = Runner::new(device, spool.clone(), clock.clone())?;
        tasks.supervise(&name, runner.run(asks, tasks.stop_token()));
    }
    tasks.supervise("watchdog", watchdog.run(tasks.stop_token()));
    tasks.supervise("uplink", uplink.run(tasks.stop_token()));
    // The spool ends when all the others have dropped their handles, so it is the last to stop.
    drop(spool);
    tasks.supervise("spool", work);
    tasks.run(GRACE).await.context("the agent")?;
    info!("agent stopped");
    Ok(())
}
