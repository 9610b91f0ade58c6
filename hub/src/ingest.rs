//! The main path: what agents send is judged as it comes, stored in batches, and acknowledged after the commit.
//!
//! ```text
//! mqtt ─► queue ─► domain (in memory) ─► one transaction ─► ack, orders, "changed" to readers
//! ```
//!
//! One task owns all of it, so the order of each agent's messages is kept. While a commit is under way messages wait in the queue, so
//! the busier the hub, the larger its batches. A batch that cannot be stored is tried again until it can: nothing is acknowledged
//! meanwhile, and agents keep their records.

mod counters;
mod desk;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use lobby_contract::{Ack, AgentId, Channel, Command, FromAgent, Order, SiteId, Topic, encode};
use lobby_domain::site::{Changes, Site};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use self::{
    counters::Counters,
    desk::{Asked, Decision, DecisionError, Desk},
};
use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    mqtt::{BrokerState, Inbound, Link, Receipt},
    store::{Batch, Store, Writer},
};

/// How long an ordinary record may wait for others to share its commit. An alert closes the batch at once.
const LINGER: Duration = Duration::from_millis(5);
/// Most records in one commit.
const MOST_RECORDS: usize = 4000;
/// How often time passes for the rules.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait before a failed commit is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Complaints of one agent and cause are logged once in this time; all are counted.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// What ingest works with.
pub struct Ingest {
    /// The live state, which ingest alone changes.
    pub fleet: Arc<Fleet>,
    /// Where everything goes.
    pub writer: Writer,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to agents.
    pub link: Link,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What people decide.
    pub asked: mpsc::Receiver<Asked>,
    /// What follows from the restart, to be stored first.
    pub restored: BTreeMap<SiteId, Changes>,
}

#[derive(Default)]
struct Gathered {
    changes: BTreeMap<SiteId, Changes>,
    receipts: Vec<Receipt>,
    records: usize,
    urgent: bool,
    /// People who wait for an answer, and what it is once the batch is stored.
    replies: Vec<(oneshot::Sender<Result<(), DecisionError>>, Result<(), DecisionError>)>,
}

/// Reads every known site back from the database. Nothing is believed of the present.
pub async fn restore(store: &Store, fleet: &Fleet, clock: &dyn Clock) -> anyhow::Result<BTreeMap<SiteId, Changes>> {
    let mut restored = BTreeMap::new();
    for id in store.sites().await.context("reading the sites")? {
        let stored = store.site(&id).await.with_context(|| format!("reading site `{id}`"))?;
        let now = clock.now();
        let mut site = fleet.new_site(&id, now);
        let changes = restored.entry(id.clone()).or_default();
        site.restore(stored, now, changes);
        fleet.write().insert(id, site);
    }
    Ok(restored)
}

impl Ingest {
    /// Takes in messages until the queue ends or `stop` is cancelled; what has been taken in by then is stored.
    pub async fn run(
        mut self,
        mut inbound: mpsc::Receiver<Inbound>,
        mut broker: watch::Receiver<BrokerState>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut logged = BTreeMap::new();
        let restored = std::mem::take(&mut self.restored);
        self.finish(Gathered { changes: restored, ..Gathered::default() }, &mut logged).await;
        let mut connects = 0;
        loop {
            let mut gathered = Gathered::default();
            // What came before the stop is still stored, so the queue is looked at first.
            tokio::select! {
                biased;
                message = inbound.recv() => match message {
                    Some(message) => self.gather(message, &mut inbound, &mut gathered).await,
                    None => return Ok(()),
                },
                () = stop.cancelled() => return Ok(()),
                Some(asked) = self.asked.recv() => self.decide(asked, &mut gathered),
                _ = ticks.tick() => {
                    // Looked at by value: a change that was missed in between must count as well.
                    let state = *broker.borrow_and_update();
                    self.tick(state, &mut connects, &mut gathered);
                }
            }
            self.finish(gathered, &mut logged).await;
        }
    }

    fn decide(&self, asked: Asked, gathered: &mut Gathered) {
        let Asked { site, decision, reply } = asked;
        let mut sites = self.fleet.write();
        let decided = match sites.get_mut(&site) {
            Some(live) => {
                let changes = gathered.changes.entry(site).or_default();
                decision.apply(live, self.clock.now(), changes)
            }
            None => Err(DecisionError::NoSite),
        };
        gathered.replies.push((reply, decided));
    }

    async fn gather(&self, first: Inbound, inbound: &mut mpsc::Receiver<Inbound>, gathered: &mut Gathered) {
        self.take(first, gathered);
        let until = Instant::now() + LINGER;
        while gathered.records < MOST_RECORDS && !gathered.urgent {
            let message = match inbound.try_recv() {
                Ok(message) => message,
                Err(_) => match timeout_at(until, inbound.recv()).await {
                    Ok(Some(message)) => message,
                    Ok(None) | Err(_) => return,
                },
            };
            self.take(message, gathered);
        }
    }

    fn take(&self, inbound: Inbound, gathered: &mut Gathered) {
        let Inbound { site, agent, received_at, message, receipt, .. } = inbound;
        let mut sites = self.fleet.write();
        let live = sites.entry(site.clone()).or_insert_with(|| self.fleet.new_site(&site, received_at));
        let changes = gathered.changes.entry(site).or_default();
        judge(live, &agent, message, received_at, changes);
        gathered.urgent |= !changes.alerts.is_empty();
        gathered.records = gathered.changes.values().map(|changes| changes.records.len()).sum();
        gathered.receipts.extend(receipt);
    }

    fn tick(&self, state: BrokerState, connects: &mut u64, gathered: &mut Gathered) {
        let now = self.clock.now();
        let found_again = state.up && state.connects != *connects;
        let lost = *connects > 0 && state.connects != *connects;
        if found_again {
            *connects = state.connects;
        }
        let mut sites = self.fleet.write();
        for (id, site) in sites.iter_mut() {
            let changes = gathered.changes.entry(id.clone()).or_default();
            if lost || (!state.up && *connects > 0) {
                site.broker_lost(now, changes);
            }
            if found_again {
                let agents: Vec<AgentId> = site.agents().map(|agent| agent.id.clone()).collect();
                changes.orders.extend(agents.into_iter().map(|agent| (agent, Order::Rebirth)));
            }
            site.tick(now, changes);
        }
    }

    /// Stores what was gathered and then, never before, says so.
    async fn finish(&mut self, gathered: Gathered, logged: &mut BTreeMap<(SiteId, AgentId, &'static str), Instant>) {
        let mut follow_ups = Vec::new();
        let mut batches = Vec::new();
        {
            let sites = self.fleet.read();
            for (id, mut changes) in gathered.changes {
                let Some(site) = sites.get(&id) else { continue };
                follow_ups.push(FollowUp::of(site, &mut changes));
                if !changes.is_empty() {
                    batches.push(batch(site, changes));
                }
            }
        }
        self.store(&batches).await;
        for receipt in gathered.receipts {
            receipt.settle();
        }
        for (reply, decided) in gathered.replies {
            // Whoever asked may have gone away; what was decided stands.
            let _ = reply.send(decided);
        }
        for follow_up in follow_ups {
            self.follow_up(follow_up, logged).await;
        }
    }

    async fn store(&mut self, batches: &[Batch]) {
        if batches.is_empty() {
            return;
        }
        let begun = Instant::now();
        let mut wait = RETRY.0;
        loop {
            match self.writer.commit(batches, self.clock.now()).await {
                Ok(done) => return self.counters.committed(done, begun.elapsed()),
                Err(cause) => {
                    self.counters.failed();
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

    async fn follow_up(&self, follow_up: FollowUp, logged: &mut BTreeMap<(SiteId, AgentId, &'static str), Instant>) {
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
            self.send(&site, &agent, Channel::Ack, encode(&ack)).await;
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

    async fn send(&self, site: &SiteId, agent: &AgentId, channel: Channel, payload: Vec<u8>) {
        let topic = Topic::new(site.clone(), agent.clone(), channel);
        // An agent that hears nothing sends its records again, so this may be lost.
        if let Err(cause) = self.link.send(&topic, payload).await {
            info!(%topic, %cause, "could not reach an agent");
        }
    }
}

/// What is to be said once a batch is stored.
struct FollowUp {
    site: SiteId,
    acks: Vec<(AgentId, Ack)>,
    orders: Vec<(AgentId, Order)>,
    complaints: Vec<lobby_domain::site::Complaint>,
    touched: BTreeSet<lobby_contract::DeviceId>,
    duplicates: u64,
    alerts: bool,
}

impl FollowUp {
    fn of(site: &Site, changes: &mut Changes) -> Self {
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

fn judge(
    site: &mut Site,
    agent: &AgentId,
    message: FromAgent,
    now: lobby_domain::time::Timestamp,
    changes: &mut Changes,
) {
    match message {
        FromAgent::Birth(birth) => site.birth(agent, &birth, now, changes),
        FromAgent::Data(data) => site.data(agent, data, now, changes),
        FromAgent::Death(death) => site.death(agent, &death, now, changes),
        FromAgent::Lost(lost) => site.lost(agent, &lost, now, changes),
        FromAgent::Result(result) => site.result(agent, &result, changes),
    }
}

fn batch(site: &Site, changes: Changes) -> Batch {
    let mut agents: BTreeSet<&AgentId> = changes.agents.iter().collect();
    agents.extend(changes.streams.iter().map(|(agent, _)| agent));
    Batch {
        site: site.id.clone(),
        zone: site.calendar.zone().clone(),
        agents: agents.into_iter().filter_map(|id| site.agent(id)).cloned().collect(),
        devices: changes.devices.iter().filter_map(|id| site.device(id)).cloned().collect(),
        changes,
    }
}

#[cfg(test)]
mod tests;
