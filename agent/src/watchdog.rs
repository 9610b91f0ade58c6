//! The reverse watchdog: notices that the hub is silent while records wait for it, says so on the spot, and tells somebody through the
//! agent's own webhook: one message for each silence, and one at its end.
//!
//! Of several agents of a site one tells. Where they hear one another on the local network, it is the lowest name that is there; the
//! next ones tell only where the ones before have not, each a little later. Otherwise each waits for its configured place, and tells
//! if the hub is still silent then. Must not know: MQTT, probes, how records lie on disk.

mod indicator;
mod lan;
mod outage;
mod peers;
mod silence;
mod webhook;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use lobby_contract::{AgentId, SiteId};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::{
    lan::Lan,
    outage::{Message, Outages, Told},
    peers::{Beacon, Peers},
    silence::{Hub, Silence},
    webhook::{Webhook, WebhookError},
};
use crate::{
    cause::chain,
    clock::Clock,
    config::{self, Config},
    spool::SpoolHandle,
    uplink::Seen,
};

pub use indicator::{hub_silent, path as indicator_path};

/// How often it looks, at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// The longest pause between two attempts to tell.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How long to wait before a local network that could not be joined is tried again.
const JOIN_AGAIN: Duration = Duration::from_mins(1);
/// So many beacons are listened to after a start before anything is told.
const LISTEN_FOR: u32 = 3;

type Sending = Pin<Box<dyn Future<Output = Result<(), WebhookError>> + Send>>;

/// Watches the hub.
pub struct Watchdog {
    site: SiteId,
    agent: AgentId,
    config: config::Watchdog,
    state_dir: PathBuf,
    spool: SpoolHandle,
    seen: watch::Receiver<Seen>,
    clock: Arc<dyn Clock>,
    started: Instant,
    webhook: Option<Webhook>,
    silence: Silence,
    peers: Peers,
    lan: Option<Lan>,
    join_at: Instant,
    outages: Outages,
    /// When this run found the silence that lasts.
    found_at: Option<Instant>,
    hub: Hub,
    queued: u64,
    /// A message under way.
    sending: Option<(Message, Sending)>,
    failures: u32,
    send_at: Instant,
    last_cause: String,
}

impl Watchdog {
    /// A watchdog of `config`'s agent; `seen` is what its uplink sees of the hub.
    pub fn new(config: &Config, spool: SpoolHandle, seen: watch::Receiver<Seen>, clock: Arc<dyn Clock>) -> Self {
        let now = Instant::now();
        let watchdog = config.watchdog.clone();
        let path = outages_path(&config.state_dir);
        let outages = Outages::load(&path).unwrap_or_else(|cause| {
            // What was told before is forgotten: at worst somebody is told twice.
            warn!(path = %path.display(), cause = chain(&cause), "what was told of the hub's silence cannot be read");
            Outages::default()
        });
        Self {
            site: config.site.clone(),
            agent: config.id.clone(),
            state_dir: config.state_dir.clone(),
            spool,
            seen,
            clock,
            started: now,
            webhook: Webhook::of(&watchdog),
            silence: Silence::new(watchdog.hub_silence, now),
            peers: Peers::new(config.site.clone(), config.id.clone(), watchdog.lan_every),
            lan: None,
            join_at: now,
            found_at: outages.current.as_ref().map(|_| now),
            outages,
            hub: Hub::Unsure,
            queued: 0,
            sending: None,
            failures: 0,
            send_at: now,
            last_cause: String::new(),
            config: watchdog,
        }
    }

    /// Watches until `stop`. Nothing that fails here ends the agent.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = interval((self.config.hub_silence / 20).clamp(LOOK.0, LOOK.1));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beacons = interval(self.config.lan_every);
        beacons.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.show();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = looks.tick() => {}
                Ok(()) = self.seen.changed() => {}
                _ = beacons.tick(), if self.config.lan => self.say().await,
                heard = hear(self.lan.as_ref()) => {
                    match heard {
                        Ok(Some(beacon)) => self.peers.hear(beacon, Instant::now()),
                        Ok(None) => {}
                        Err(cause) => self.leave(&cause),
                    }
                    // The next look is soon enough: a network that talks without end must not keep the spool busy.
                    continue;
                }
                done = sent(&mut self.sending) => self.sent(done).await,
            }
            self.look().await?;
            self.tell();
        }
    }

    /// Looks at the hub once.
    async fn look(&mut self) -> anyhow::Result<()> {
        let (seen, now) = (*self.seen.borrow_and_update(), Instant::now());
        self.queued = self.spool.status().await?.queued;
        let hub = self.silence.look(seen, self.queued, now);
        let is_other = std::mem::replace(&mut self.hub, hub) != hub;
        match hub {
            Hub::Silent if self.outages.begin(self.clock.now()) => {
                error!(
                    queued = self.queued,
                    silence_ms = self.config.hub_silence.as_millis(),
                    "the hub is silent while records wait for it; they are kept"
                );
                (self.found_at, self.failures, self.send_at) = (Some(now), 0, now);
                self.keep();
            }
            // While a message is under way its end would overtake it.
            Hub::Heard if self.sending.is_none() && self.outages.end(self.clock.now()) => {
                info!("the hub is heard again");
                (self.found_at, self.failures, self.send_at) = (None, 0, now);
                self.keep();
            }
            Hub::Silent
                if self.sending.is_none()
                    && self.peers.have_told(now)
                    && matches!(self.outages.told(), Some(Told::No | Told::Maybe)) =>
            {
                info!("another agent of the site has told that the hub is silent");
                self.outages.set_told(Told::Other);
                self.keep();
            }
            _ => {}
        }
        if is_other && self.config.lan {
            self.say().await;
        }
        Ok(())
    }

    /// Begins to tell what is due, if nothing is being told.
    fn tell(&mut self) {
        let now = Instant::now();
        let Some(webhook) = self.webhook.clone() else { return };
        if self.sending.is_some() || now < self.send_at {
            return;
        }
        let message = match self.outages.next_end(&self.site, &self.agent) {
            Some(end) => end,
            None if self.is_due(now) => {
                let Some(message) = self.outages.beginning(&self.site, &self.agent, self.queued) else { return };
                // Should the process end while it is under way, it may have arrived.
                self.outages.set_told(Told::Maybe);
                self.keep();
                message
            }
            None => return,
        };
        self.sending = Some((message.clone(), Box::pin(webhook.send(message))));
    }

    /// Whether it is this agent's turn to tell that the hub is silent.
    fn is_due(&self, now: Instant) -> bool {
        let Some(found_at) = self.found_at.filter(|_| self.hub != Hub::Heard) else { return false };
        if !self.config.may_tell(self.clock.now()) {
            return false;
        }
        if self.config.lan {
            let listened = now.duration_since(self.started) >= self.config.lan_every * LISTEN_FOR;
            if !listened || self.peers.hear_the_hub(now) {
                return false;
            }
        }
        let place = self.peers.rank(now).unwrap_or(self.config.order);
        now.duration_since(found_at) >= self.config.stagger * place
    }

    /// Takes in what became of the message under way.
    async fn sent(&mut self, (message, result): (Message, Result<(), WebhookError>)) {
        let is_end = message.until.is_some();
        match result {
            Ok(()) => {
                info!(message.id, event = message.event, "told the fallback webhook");
                self.failures = 0;
                self.last_cause.clear();
                if is_end {
                    self.outages.ends.remove(0);
                } else {
                    self.outages.set_told(Told::Yes);
                }
            }
            Err(error) => {
                let random = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
                let pause = self.config.retry * 2_u32.saturating_pow(self.failures.min(16));
                let pause = pause.min(LONGEST_PAUSE.max(self.config.retry)).mul_f64(0.75 + random / 4.0);
                self.failures = self.failures.saturating_add(1);
                self.send_at = Instant::now() + pause;
                let cause = chain(&error);
                if cause != self.last_cause {
                    warn!(
                        message.id,
                        cause,
                        pause_ms = pause.as_millis(),
                        "the fallback webhook did not take a message"
                    );
                    self.last_cause = cause;
                }
                if !is_end && !error.may_have_arrived() {
                    self.outages.set_told(Told::No);
                }
            }
        }
        self.keep();
        if self.config.lan {
            self.say().await;
        }
    }

    /// Says to the other agents of the site that this one is there.
    async fn say(&mut self) {
        let now = Instant::now();
        if self.lan.is_none() && now >= self.join_at {
            match Lan::join(&self.config) {
                Ok(lan) => self.lan = Some(lan),
                Err(cause) => self.leave(&cause),
            }
        }
        let told = self.outages.told() == Some(Told::Yes);
        let beacon = Beacon::new(self.site.clone(), self.agent.clone(), self.hub, told);
        let said = match &self.lan {
            Some(lan) => lan.say(&beacon).await,
            None => return,
        };
        if let Err(cause) = said {
            self.leave(&cause);
        }
    }

    fn leave(&mut self, cause: &std::io::Error) {
        let group = self.config.lan_group;
        warn!(%group, cause = chain(cause), "the agents of the site cannot hear one another on the local network");
        self.lan = None;
        self.join_at = Instant::now() + JOIN_AGAIN;
    }

    /// Makes durable what has been found and told, and shows it on the spot.
    fn keep(&self) {
        let path = outages_path(&self.state_dir);
        if let Err(cause) = self.outages.save(&path) {
            // The disk's trouble must not keep anybody from being told; at worst somebody is told twice.
            warn!(path = %path.display(), cause = chain(&cause), "what was told of the hub's silence cannot be kept");
        }
        self.show();
    }

    fn show(&self) {
        if let Err(cause) = indicator::show(&self.state_dir, self.outages.current.as_ref(), self.queued) {
            warn!(cause = chain(&cause), "the hub's silence cannot be shown in the agent's folder");
        }
    }
}

fn outages_path(state_dir: &std::path::Path) -> PathBuf {
    state_dir.join("watchdog.json")
}

async fn hear(lan: Option<&Lan>) -> std::io::Result<Option<Beacon>> {
    match lan {
        Some(lan) => lan.hear().await,
        None => std::future::pending().await,
    }
}

/// Waits for the message under way; for ever if there is none.
async fn sent(sending: &mut Option<(Message, Sending)>) -> (Message, Result<(), WebhookError>) {
    let Some((_, future)) = sending.as_mut() else { return std::future::pending().await };
    let result = future.as_mut().await;
    let (message, _) = sending.take().expect("it has just been waited for");
    (message, result)
}
