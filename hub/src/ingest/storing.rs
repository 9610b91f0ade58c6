//! The second half of the main path: what has been judged goes into the database, in the order in which it was judged, and only then is
//! said. While one batch is being stored, the next is judged; a batch that cannot be stored holds up everything behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lobby_contract::{Ack, AgentId, Channel, Command, DeviceId, Order, SiteId, Topic, encode};
use lobby_domain::site::{Changes, Complaint, Site};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep},
};
use tracing::{error, info, warn};

use super::{Counters, Reply, Stage, scarcity::Held};
use crate::{
    clock::Clock,
    disk::Reserve,
    failpoint,
    fleet::{Changed, Fleet},
    mqtt::{Link, Receipt},
    progress::{Part, Progress},
    store::{Batch, Writer},
};

/// How long to wait before a failed commit is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Complaints of one agent and cause are logged once in this time; all are counted.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// What storing works with.
pub struct Storing {
    /// Where everything goes.
    pub writer: Writer,
    /// The live state, whose readers are told what changed.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to agents.
    pub link: Link,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Whether storing is alive.
    pub progress: Arc<Progress>,
    /// Room kept back for alerts.
    pub reserve: Reserve,
}

/// What some messages have come to, on its way into the database.
pub(super) struct Judged {
    pub batches: Vec<Batch>,
    pub receipts: Vec<Receipt>,
    pub replies: Vec<Reply>,
    pub follow_ups: Vec<FollowUp>,
    /// Given back once it is stored: until then nothing else is handed over, so that the next batch takes in all that comes meanwhile.
    pub turn: OwnedSemaphorePermit,
}

/// What is to be said once a batch is stored.
pub(super) struct FollowUp {
    pub(super) site: SiteId,
    pub(super) acks: Vec<(AgentId, Ack)>,
    orders: Vec<(AgentId, Order)>,
    complaints: Vec<Complaint>,
    touched: BTreeSet<DeviceId>,
    duplicates: u64,
    alerts: bool,
}

/// When complaints were last logged, by site, agent and cause.
type Logged = BTreeMap<(SiteId, AgentId, &'static str), Instant>;

impl Storing {
    /// Stores what is judged until the other half has ended.
    pub(super) async fn run(mut self, mut judged: mpsc::Receiver<Judged>) -> anyhow::Result<()> {
        let mut logged = Logged::new();
        let mut held: Vec<Held> = Vec::new();
        while let Some(Judged { mut batches, mut receipts, replies, mut follow_ups, turn }) = judged.recv().await {
            // Other standards may be in effect by now.
            if let Err(cause) = self.writer.go_by(self.fleet.setup()).await {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, "open alerts could not be given their severity by other standards; it is tried again");
            }
            self.resume(&mut held).await;
            if !held.is_empty() || !self.store(&batches, true).await {
                held.extend(Held::take(&mut batches, &mut follow_ups, std::mem::take(&mut receipts)));
                self.begin_scarcity();
                self.store(&batches, false).await;
            }
            drop(turn);
            let begun = Instant::now();
            for receipt in receipts {
                receipt.settle();
            }
            for (reply, decided) in replies {
                failpoint::pass("decided");
                // Whoever asked may have gone away; what was decided stands.
                let _ = reply.send(decided);
            }
            for follow_up in follow_ups {
                self.follow_up(follow_up, &mut logged).await;
            }
            failpoint::pass("acknowledged");
            self.counters.spent(Stage::Say, begun.elapsed());
        }
        Ok(())
    }

    /// Stores batches, trying until it succeeds; or, if records `may_wait`, until the disk turns out to be full. Returns whether they
    /// are stored.
    async fn store(&mut self, batches: &[Batch], may_wait: bool) -> bool {
        if batches.is_empty() {
            return true;
        }
        let begun = Instant::now();
        let mut wait = RETRY.0;
        loop {
            let before = self.writer.spent();
            match self.writer.commit(batches, self.clock.now()).await {
                Ok(done) => {
                    let spent = self.writer.spent();
                    self.counters.stored(spent);
                    let records = batches.iter().map(|batch| batch.changes.records.len()).sum();
                    self.counters.pace.stored(records, spent.work().saturating_sub(before.work()));
                    self.counters.committed(done, begun.elapsed());
                    return true;
                }
                Err(cause) if may_wait && self.is_full(&cause) => return false,
                Err(cause) => {
                    self.counters.failed();
                    // It is alive: what is wrong is the database.
                    self.progress.beat(Part::Ingest);
                    let chain = format!("{:#}", anyhow::Error::from(cause));
                    error!(
                        cause = chain,
                        retry_ms = wait.as_millis(),
                        "could not store a batch; agents keep its records"
                    );
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }

    async fn follow_up(&self, follow_up: FollowUp, logged: &mut Logged) {
        let site = follow_up.site;
        self.counters.duplicates(follow_up.duplicates);
        for complaint in follow_up.complaints {
            self.counters.complaint(complaint.cause);
            let key = (site.clone(), complaint.agent.clone(), complaint.cause.as_str());
            let now = Instant::now();
            if logged.get(&key).is_none_or(|last| now.duration_since(*last) >= COMPLAIN_EVERY) {
                logged.insert(key, now);
                let device = complaint.device.as_ref().map(tracing::field::display);
                warn!(%site, agent = %complaint.agent, device, cause = complaint.cause.as_str(), "{}", complaint.detail);
            }
        }
        for (agent, ack) in follow_up.acks {
            self.acknowledge(&site, &agent, &ack).await;
        }
        for (agent, order) in follow_up.orders {
            let id = self.counters.next_command().to_string().into();
            self.send(&site, &agent, Channel::Command, encode(&Command { id, order })).await;
        }
        for device in follow_up.touched {
            self.fleet.tell(Changed { site: site.clone(), device: Some(device) });
        }
        if follow_up.alerts {
            self.fleet.tell(Changed { site, device: None });
        }
    }

    pub(super) async fn acknowledge(&self, site: &SiteId, agent: &AgentId, ack: &Ack) {
        self.send(site, agent, Channel::Ack, encode(ack)).await;
    }

    async fn send(&self, site: &SiteId, agent: &AgentId, channel: Channel, payload: Vec<u8>) {
        let topic = Topic::new(site.clone(), agent.clone(), channel);
        // An agent that hears nothing sends its records again, so this may be lost.
        if let Err(cause) = self.link.send(&topic, payload).await {
            info!(%topic, %cause, "could not reach an agent");
        }
    }
}

impl FollowUp {
    /// What is to be said of `changes`, as the site is now: once they are stored, and not a record that comes later.
    pub(super) fn of(site: &Site, changes: &mut Changes) -> Self {
        let acks = std::mem::take(&mut changes.acks);
        let ack = |(agent, epoch): (AgentId, u64)| {
            let committed = site.agent(&agent)?.streams.get(&epoch)?.committed()?;
            Some((agent, Ack { epoch, committed }))
        };
        Self {
            site: site.id.clone(),
            acks: acks.into_iter().filter_map(ack).collect(),
            orders: std::mem::take(&mut changes.orders),
            complaints: std::mem::take(&mut changes.complaints),
            touched: std::mem::take(&mut changes.touched),
            duplicates: changes.duplicates,
            alerts: !changes.alerts.is_empty() || !changes.agents.is_empty(),
        }
    }
}
