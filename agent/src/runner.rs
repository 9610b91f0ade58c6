//! One device, watched: asked in time, and reported when there is something to say.

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::Context;
use lobby_contract::{Reach, Record};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    config::Device,
    probe::{Probe, ProbeError, Reading},
    report::{Reporter, complete, only},
    spool::{Closed, SpoolHandle},
};

/// Longest time over which the first probes of several devices are spread.
const MAX_SPREAD: Duration = Duration::from_secs(5);

/// A wish that a device be probed now; answered when its record is accepted.
pub type Ask = oneshot::Sender<Result<(), NotOnDisk>>;

/// The record was made, and is in memory only, because the disk takes none.
#[derive(Debug, thiserror::Error)]
#[error("the device was probed, but the agent's disk takes no records at present")]
pub struct NotOnDisk;

/// What asking a device once gave.
#[derive(Debug)]
pub struct Outcome {
    /// What is reported.
    pub reading: Reading,
    /// Why nothing else could be found out.
    pub cause: Option<String>,
}

/// Asks once, within the device's timeout.
pub async fn ask(probe: &mut Probe, device: &Device) -> Outcome {
    let (reading, cause) = match timeout(device.timeout, probe.probe()).await {
        Ok(Ok(reading)) => (reading, None),
        Ok(Err(ProbeError::Unreachable(cause))) => (only(Reach::Unreachable), Some(cause)),
        Ok(Err(ProbeError::Own(cause))) => (only(Reach::Unknown), Some(cause)),
        Err(_) => {
            let limit = humantime::format_duration(device.timeout);
            (only(Reach::Unreachable), Some(format!("no answer within {limit}")))
        }
    };
    Outcome { reading: complete(reading, &device.facts), cause }
}

/// A device with its probe and what was last reported of it.
pub struct Runner {
    device: Device,
    probe: Probe,
    reporter: Reporter,
    reach: Option<Reach>,
    spool: SpoolHandle,
    clock: Arc<dyn Clock>,
}

impl Runner {
    /// A runner for `device` that reports into `spool`.
    pub fn new(device: Device, spool: SpoolHandle, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let probe =
            Probe::new(device.probe.clone()).with_context(|| format!("prepare the probe of device `{}`", device.id))?;
        Ok(Self { device, probe, reporter: Reporter::default(), reach: None, spool, clock })
    }

    /// Probes until `stop`. A probe that hangs is given up at its timeout, and ticks missed meanwhile are skipped.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = interval_at(Instant::now() + spread(self.device.every), self.device.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let work = async {
            loop {
                tokio::select! {
                    _ = ticks.tick() => {
                        self.turn(false).await?;
                    }
                    Some(ask) = asks.recv() => {
                        let on_disk = self.turn(true).await?;
                        // Who asked may have given up waiting.
                        let _ = ask.send(if on_disk { Ok(()) } else { Err(NotOnDisk) });
                    }
                }
            }
        };
        tokio::select! {
            ended = work => {
                let Err(closed): Result<Infallible, Closed> = ended;
                Err(closed.into())
            }
            () = stop.cancelled() => Ok(()),
        }
    }

    /// Probes once and reports what is due; whether everything reported is on disk.
    async fn turn(&mut self, must_report: bool) -> Result<bool, Closed> {
        let Outcome { reading, cause } = ask(&mut self.probe, &self.device).await;
        self.log_reach(reading.reach, cause.as_deref());
        let now = Instant::now();
        if !must_report && !self.reporter.is_due(&self.device, &reading, now) {
            return Ok(true);
        }
        let Reading { reach, facts, faults } = reading.clone();
        let record = Record { seq: 0, at: self.clock.now(), device: self.device.id.clone(), reach, facts, faults };
        let on_disk = self.spool.append(record).await?;
        self.reporter.sent(reading, now);
        Ok(on_disk)
    }

    /// Only changes are worth a line: a device that is off for a night must not fill the disk with logs.
    fn log_reach(&mut self, reach: Reach, cause: Option<&str>) {
        if self.reach.replace(reach) == Some(reach) {
            return;
        }
        let (id, cause) = (&self.device.id, cause.unwrap_or_default());
        match reach {
            Reach::Ok => info!(device.id = %id, "device `{id}` answers"),
            Reach::Unreachable => warn!(device.id = %id, cause, "device `{id}` does not answer"),
            Reach::Unknown => warn!(device.id = %id, cause, "device `{id}` could not be asked"),
        }
    }
}

/// A random part of `every`, so that devices on one bus or network are not all asked at once.
fn spread(every: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    every.min(MAX_SPREAD).mul_f64(f64::from(random) / f64::from(u32::MAX))
}
