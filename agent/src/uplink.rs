//! The way to the hub: a session with the broker, and after any error a new one.
//!
//! Nothing is kept for the next session but what the spool holds: the spool is the only truth. Must not know: probes' protocols,
//! how records lie on disk.

mod backoff;
mod driver;
mod link;
mod outage;
mod seen;
#[cfg(unix)]
mod tls;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lobby_contract::{AgentId, Channel, DeviceId, DeviceInfo, SiteId, Topic};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    cause::chain,
    clock::Clock,
    config::{Config, Device, Hub},
    runner::Ask,
    spool::SpoolHandle,
};
use backoff::Backoff;
use driver::{Driver, PROBE_SLACK};
use link::Link;
use outage::Outage;
use seen::Notes;
pub use seen::Seen;

/// Without an acknowledgement for this long, what is under way is sent again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that held this long was a good one: the next pause is short again.
const HELD: Duration = Duration::from_secs(10);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);
/// Broker messages that may wait for the session; when full, more are dropped, and the hub repeats them.
const INBOX: usize = 64;

/// How a device's runner is asked to probe now.
struct Asks {
    sender: mpsc::Sender<Ask>,
    patience: Duration,
}

/// What every session of the agent needs.
struct Shared {
    site: SiteId,
    agent: AgentId,
    hub: Hub,
    devices: Arc<[DeviceInfo]>,
    spool: SpoolHandle,
    clock: Arc<dyn Clock>,
    asks: BTreeMap<DeviceId, Asks>,
    patience: Duration,
    notes: Notes,
    outage: Outage,
}

impl Shared {
    fn topic(&self, channel: Channel) -> String {
        Topic::new(self.site.clone(), self.agent.clone(), channel).to_string()
    }
}

/// The agent's connection to its hub.
pub struct Uplink {
    shared: Shared,
    backoff: Backoff,
    session: u32,
}

impl Uplink {
    /// An uplink of `config`'s agent that sends what is in `spool`.
    pub fn new(config: &Config, spool: SpoolHandle, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            site: config.site.clone(),
            agent: config.id.clone(),
            hub: config.hub.clone(),
            devices: config.announced().into(),
            spool,
            clock,
            asks: BTreeMap::new(),
            patience: PATIENCE,
            notes: Notes::default(),
            outage: Outage::default(),
        };
        Self { shared, backoff: Backoff::default(), session: 0 }
    }

    /// Where commands to probe `device` go. One may wait while another runs; a third is refused.
    pub fn asks_for(&mut self, device: &Device) -> mpsc::Receiver<Ask> {
        let (sender, asks) = mpsc::channel(1);
        // The device may be in the middle of a probe when asked.
        let patience = device.timeout * 2 + PROBE_SLACK;
        self.shared.asks.insert(device.id.clone(), Asks { sender, patience });
        asks
    }

    /// What it sees of the hub.
    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.shared.notes.watch()
    }

    /// Connects, and connects again, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let started = Instant::now();
            // Counted before connecting: the broker may hold a will of an attempt that failed on the way back.
            self.session += 1;
            let ended = self.connect(&stop).await;
            self.shared.notes.online(false);
            let Err(error) = ended else { break };
            let spent = started.elapsed();
            if spent >= HELD {
                self.backoff.reset();
            }
            let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
            let pause = self.backoff.next(spent, random);
            self.shared.outage.failed(&self.shared.hub.url, &chain(&*error), Instant::now());
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        info!("the uplink has stopped");
        Ok(())
    }

    /// One session, from connecting to its end; `Ok` only when stopping.
    async fn connect(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let (client, poll) = Link::new(&self.shared, self.session)?.split();
        let (sender, inbox) = mpsc::channel(INBOX);
        let session = Driver::new(&self.shared, client, self.session).run(inbox, stop.clone());
        let work = async {
            tokio::pin!(session);
            let mut poll = std::pin::pin!(poll.run(sender));
            tokio::select! {
                polled = &mut poll => polled,
                ended = &mut session => match ended {
                    // It has said goodbye, or there was nobody to say it to.
                    Ok(()) => poll.await,
                    Err(error) => Err(error),
                },
            }
        };
        let give_up = async {
            stop.cancelled().await;
            sleep(GOODBYE).await;
        };
        tokio::select! {
            ended = work => if stop.is_cancelled() { Ok(()) } else { ended },
            () = give_up => Ok(()),
        }
    }
}
