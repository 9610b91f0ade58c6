//! The reverse watchdog: notices that the hub is silent while records wait for it, says so on the spot, and tells somebody through the
//! agent's own webhook: one message for each silence, and one at its end.
//!
//! Of several agents of a site one tells. Where they hear one another on the local network, it is the lowest name that is there; the
//! next ones tell only where the ones before have not, each a little later. Otherwise each waits for its configured place, and tells
//! if the hub is still silent then. The end is told by whoever told the beginning; if that agent is gone when the hub is back, by the
//! lowest of the others, with the same id. Must not know: MQTT, probes, how records lie on disk.

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
    outage::{Message, Notice, Outages, Told},
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
    /// Since when the others are listened to.
    listens_since: Instant,
    webhook: Option<Webhook>,
    silence: Silence,
    peers: Peers,
    lan: Option<Lan>,
    join_at: Instant,
    outages: Outages,
    /// When this run found the silence that lasts. One that was found before it may be over: nothing is told of it until it is found again.
    found_at: Option<Instant>,
    /// When this run last found that the silences that others told are over, or that they were before it.
    over_at: Instant,
    /// What others say has changed what must be kept.
    unsaved: bool,
    /// Beacons sent so far.
    turn: usize,
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
        let mut outages = Outages::load(&path).unwrap_or_else(|cause| {
            // What was told before is forgotten: at worst somebody is told twice.
            warn!(path = %path.display(), cause = chain(&cause), "what was told of the hub's silence cannot be read");
            Outages::default()
        });
        if !watchdog.lan || watchdog.url.is_none() {
            // It cannot know whether they are gone, or has no way to tell.
            outages.forget_heard();
        }
        Self {
            site: config.site.clone(),
            agent: config.id.clone(),
            state_dir: config.state_dir.clone(),
            spool,
            seen,
            clock,
            listens_since: now,
            webhook: Webhook::of(&watchdog),
            silence: Silence::new(watchdog.hub_silence, now),
            peers: Peers::new(config.site.clone(), config.id.clone(), watchdog.lan_every),
            lan: None,
            join_at: now,
            found_at: None,
            outages,
            over_at: now,
            unsaved: false,
            turn: 0,
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
                        Ok(Some(beacon)) => self.hear(beacon),
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
        if hub == Hub::Silent {
            self.found_at.get_or_insert(now);
        }
        match hub {
            Hub::Silent if self.outages.begin(self.clock.now()) => {
                error!(
                    queued = self.queued,
                    silence_ms = self.config.hub_silence.as_millis(),
                    "the hub is silent while records wait for it; they are kept"
                );
                (self.failures, self.send_at) = (0, now);
                self.keep();
            }
            // While a message is under way its end would overtake it.
            Hub::Heard if self.sending.is_none() => self.hear_the_hub(now),
            Hub::Silent
                if self.sending.is_none()
                    && self.others_have_told(now)
                    && matches!(self.outages.told(), Some(Told::No | Told::Maybe)) =>
            {
                info!("another agent of the site has told that the hub is silent");
                self.outages.set_told(Told::Other);
                self.keep();
            }
            _ => {}
        }
        if self.unsaved {
            self.keep();
        }
        if is_other && self.config.lan {
            self.say().await;
        }
        Ok(())
    }

    fn hear_the_hub(&mut self, now: Instant) {
        let wall = self.clock.now();
        if self.outages.end(wall) {
            info!("the hub is heard again");
            (self.found_at, self.failures, self.send_at) = (None, 0, now);
            self.keep();
        }
        if self.outages.end_heard(wall) {
            self.over_at = now;
            self.keep();
        }
    }

    /// Takes in what another agent says. What it changes is kept at the next look, however much is said.
    fn hear(&mut self, beacon: Beacon) {
        let (outage, ended) = (beacon.outage.clone(), beacon.ended.clone());
        if !self.peers.hear(beacon, Instant::now()) {
            return;
        }
        if let Some(ended) = ended {
            self.unsaved |= self.outages.hear_end(&ended, &self.agent);
        }
        // Whoever hears the hub knows of no silence; what is then said of one is late or made up. And without a webhook there is nothing
        // to be done about it.
        if let Some(outage) = outage.filter(|_| self.hub != Hub::Heard && self.webhook.is_some()) {
            self.unsaved |= self.outages.hear(&outage, &self.agent);
        }
    }

    fn others_have_told(&self, now: Instant) -> bool {
        self.outages.others_have_told() || self.peers.have_told(now, |notice| self.outages.has_ended(notice))
    }

    /// Begins to tell what is due, if nothing is being told.
    fn tell(&mut self) {
        let now = Instant::now();
        let Some(webhook) = self.webhook.clone() else { return };
        if self.sending.is_some() || now < self.send_at {
            return;
        }
        let message = match self.next_end(now) {
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

    /// The next end to be told: one's own, or one that was left behind.
    fn next_end(&self, now: Instant) -> Option<Message> {
        if self.config.lan && !self.has_listened(now) {
            // Another one may have told it while this agent was away.
            return None;
        }
        self.outages.next_end(&self.site, &self.agent).or_else(|| self.inherited_end(now))
    }

    /// The end of a silence whose teller has been gone for as long as it takes to be sure, if it is this agent's turn.
    fn inherited_end(&self, now: Instant) -> Option<Message> {
        self.lan.as_ref()?;
        let pause = self.peers.life() + self.config.stagger * self.peers.rank(now).unwrap_or_default();
        if now.duration_since(self.over_at.max(self.listens_since)) < pause {
            return None;
        }
        self.outages.inherited_end(&self.site, &self.agent, |notice| self.peers.hold(notice, now))
    }

    fn has_listened(&self, now: Instant) -> bool {
        now.duration_since(self.listens_since) >= self.peers.life()
    }

    /// Whether it is this agent's turn to tell that the hub is silent.
    fn is_due(&self, now: Instant) -> bool {
        let Some(found_at) = self.found_at.filter(|_| self.hub != Hub::Heard) else { return false };
        if !self.config.may_tell(self.clock.now()) || self.others_have_told(now) {
            return false;
        }
        if self.config.lan && (!self.has_listened(now) || self.peers.hear_the_hub(now)) {
            return false;
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
                    self.outages.end_told(&message.notice, &self.agent);
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
                Ok(lan) => (self.lan, self.listens_since) = (Some(lan), now),
                Err(cause) => self.leave(&cause),
            }
        }
        let told = self.outages.told() == Some(Told::Yes) || self.outages.others_have_told();
        // Whoever takes for open what has ended is told so, each in its turn; otherwise the last one is.
        self.turn = self.turn.wrapping_add(1);
        let mistaken: Vec<&Notice> = self.peers.open(now).filter(|notice| self.outages.has_ended(notice)).collect();
        let turn = self.turn.checked_rem(mistaken.len()).and_then(|turn| mistaken.get(turn).copied());
        let ended = turn.or_else(|| self.outages.last_ended()).cloned();
        let outage = self.outages.open(&self.agent, self.turn);
        let beacon = Beacon::new(self.site.clone(), self.agent.clone(), self.hub, told).of(outage, ended);
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
    fn keep(&mut self) {
        self.unsaved = false;
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
