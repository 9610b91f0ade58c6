//! The main path: what agents send is judged as it comes, stored in batches, and acknowledged after the commit.
//!
//! ```text
//! mqtt ─► queue ─► domain (in memory) ─► one transaction ─► ack, orders, "changed" to readers
//!                  judging                storing            saying
//! ```
//!
//! Each part is a thread, and there is one way from one to the next, so the order of each agent's messages is kept. While a commit is
//! under way the next batch is judged, so the busier the hub, the larger its batches, up to what is stored in a moment (see `pace`); then
//! messages wait in the queue, which is fair to agents. What a site with a fault has come to is stored before what was gathered of others.
//! So a fault waits for a turn and for three batches at most, however much comes. The live state is ahead of the database by what is under
//! way. A batch that cannot be stored is tried again until it can: nothing is
//! acknowledged meanwhile, and agents keep their records. When the disk is full, alerts are stored and records wait (see `scarcity`).
//! Time in which ingest could not work is no silence of agents, and a clock that is set moves no timer (see `timekeeper`).

mod counters;
mod desk;
mod linger;
mod pace;
mod saying;
mod scarcity;
mod storing;
mod timekeeper;

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use lobby_contract::{AgentId, FromAgent, SiteId};
use lobby_domain::{
    site::{Changes, Site, births_within},
    time::{Span, Timestamp},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

pub use self::{
    counters::{Counters, Stage},
    desk::{Asked, Decision, DecisionError, Desk},
    storing::Storing,
};
use self::{
    linger::Linger,
    saying::{FollowUp, Saying},
    storing::Judged,
};
use crate::{
    audit::Change,
    clock::Clock,
    failpoint,
    findings::Timekeeping,
    fleet::{Fleet, Setup},
    lifecycle::Lifecycle,
    mqtt::{BrokerState, Inbound, Queue, Receipt},
    progress::{Part, Progress},
    restraints::Restraints,
    store::{Batch, Store},
};

/// While a fault waits for the batch before to be stored, so many more records may come into its batch: more of them would hold it up,
/// and with none a storm of faults would be stored one by one.
const BESIDE_A_FAULT: usize = 64;
const THREAD: &str = "starting a thread";
/// How often time passes for the rules.
const TICK: Duration = Duration::from_secs(1);
/// When the rules have not been evaluated for longer, ingest could not work meanwhile. When nothing came for longer while a broker waits to be
/// told that what it sent is stored, it may have sent as much as it does without that.
const DEAF: Duration = Duration::from_secs(3);

/// What judging works with.
pub struct Ingest {
    /// The live state, which ingest alone changes.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// What people decide.
    pub asked: mpsc::Receiver<Asked>,
    /// What follows from the restart, to be stored first.
    pub restored: BTreeMap<SiteId, Changes>,
    /// Silences and maintenance windows.
    pub restraints: Arc<Restraints>,
    /// Whether ingest gets on.
    pub progress: Arc<Progress>,
    /// What is told of the computer's clock.
    pub timekeeping: Arc<Timekeeping>,
    /// Other setups to work by.
    pub setups: mpsc::Receiver<Setup>,
}

/// What ingest waits for beside what people decide.
struct Sources {
    inbound: Queue,
    broker: watch::Receiver<BrokerState>,
    ticks: Interval,
}

/// What goes on from turn to turn.
struct Course {
    connects: u64,
    /// When the rules were last evaluated by the passing of time.
    ticked: Instant,
    /// How the clock was last moved.
    moved: Option<timekeeper::Moved>,
    /// When a message was last taken in.
    heard: Instant,
    /// Whether a broker waits to be told that the batch that was handed over last is stored.
    owes: bool,
    /// Until when agents were excused because a broker may hold back what they say.
    excused: Instant,
}

impl Course {
    fn begin() -> Self {
        let now = Instant::now();
        Self { connects: 0, ticked: now, moved: None, heard: now, owes: false, excused: now }
    }

    /// For how long, since this was last asked, nobody may have been heard although they spoke: the rules were not evaluated, or a broker
    /// waits (`owed`) and may hold back what they say.
    fn deaf(&mut self, owed: bool) -> Option<Duration> {
        let now = Instant::now();
        let unjudged = now - std::mem::replace(&mut self.ticked, now);
        let is_held_back = owed && now - self.heard >= DEAF;
        if !is_held_back && unjudged < DEAF {
            return None;
        }
        let unheard = if is_held_back { now - self.heard.max(self.excused) } else { Duration::ZERO };
        self.excused = now;
        Some(unjudged.max(unheard))
    }
}

#[derive(Default)]
struct Gathered {
    changes: BTreeMap<SiteId, Changes>,
    receipts: Vec<(SiteId, Receipt)>,
    records: usize,
    /// How many records were gathered when the first fault among them was found.
    urgent: Option<usize>,
    /// What people have changed, to be stored with the changes of the same site.
    told: BTreeMap<SiteId, Vec<Change>>,
    replies: Vec<Reply>,
}

impl Gathered {
    /// Takes out the sites of which there are faults, if much else would be stored with them. Sites have nothing to do with each other, so
    /// theirs may come first.
    fn take_urgent(&mut self) -> Option<Self> {
        if self.urgent.is_none() || !self.replies.is_empty() {
            return None;
        }
        let is_urgent = |changes: &Changes| !changes.alerts.is_empty();
        let others = self.changes.values().filter(|changes| !is_urgent(changes));
        let records = others.map(|changes| changes.records.len()).sum();
        if records <= BESIDE_A_FAULT {
            return None;
        }
        let mut urgent = Self { records: self.records.saturating_sub(records), ..Self::default() };
        (self.records, urgent.urgent) = (records, self.urgent.take());
        urgent.changes.extend(self.changes.extract_if(.., |_, changes| is_urgent(changes)));
        urgent.receipts.extend(self.receipts.extract_if(.., |(site, _)| urgent.changes.contains_key(site)));
        urgent.told.extend(self.told.extract_if(.., |site, _| urgent.changes.contains_key(site)));
        Some(urgent)
    }
}

/// A person who waits for an answer, and what it is once the batch is stored.
type Reply = (oneshot::Sender<Result<(), DecisionError>>, Result<(), DecisionError>);

/// The way from judging to storing.
struct Handover {
    judged: mpsc::Sender<Judged>,
    /// One batch at a time.
    turn: Arc<Semaphore>,
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

/// Starts the parts. They take in messages until the queue ends or everything stops; what has been taken in by then is stored.
pub fn start(
    ingest: Ingest,
    storing: Storing,
    inbound: Queue,
    broker: watch::Receiver<BrokerState>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    // The turn allows one batch only, so it is never full.
    let (judged, to_be_stored) = mpsc::channel(1);
    let handover = Handover { judged, turn: Arc::new(Semaphore::new(1)) };
    let (stored, to_be_said) = mpsc::channel(saying::MOST);
    let checkpoints = Arc::clone(&storing.checkpoints);
    lifecycle.supervise("checkpoints", checkpoints.run(lifecycle.stop_token()));
    let saying = Saying::of(&storing);
    lifecycle.supervise_on_thread("saying", saying.run(to_be_said)).context(THREAD)?;
    lifecycle.supervise_on_thread("storing", storing.run(to_be_stored, stored)).context(THREAD)?;
    let judging = ingest.run(inbound, broker, handover, lifecycle.stop_token());
    lifecycle.supervise_on_thread("ingest", judging).context(THREAD)
}

impl Handover {
    /// Whether a batch is being stored.
    fn is_taken(&self) -> bool {
        self.turn.available_permits() == 0
    }

    async fn turn(&self) -> anyhow::Result<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).acquire_owned().await.context("waiting for storing")
    }
}

impl Sources {
    /// The broker's state, looked at by value: a change that was missed in between must count as well.
    fn state(&mut self) -> BrokerState {
        *self.broker.borrow_and_update()
    }
}

impl Ingest {
    async fn run(
        mut self,
        inbound: Queue,
        broker: watch::Receiver<BrokerState>,
        handover: Handover,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sources = Sources { inbound, broker, ticks };
        let restored = Gathered { changes: std::mem::take(&mut self.restored), ..Gathered::default() };
        self.hand_over(restored, handover.turn().await?, &handover).await?;
        let mut course = Course::begin();
        loop {
            self.progress.beat(Part::Ingest);
            let mut gathered = Gathered::default();
            tokio::select! {
                biased;
                // However much comes, time passes for the rules.
                _ = sources.ticks.tick() => {
                    let owed = course.owes && handover.is_taken();
                    self.tick((sources.state(), owed), &mut course, &mut gathered);
                }
                // What came before the stop is still stored, so the queue is looked at first.
                message = sources.inbound.recv() => match message {
                    Some(message) => self.gather(message, &mut sources.inbound, &mut course, &mut gathered).await,
                    None => return Ok(()),
                },
                () = stop.cancelled() => return Ok(()),
                Some(setup) = self.setups.recv() => gathered.changes = self.fleet.reconfigure(setup, self.clock.now()),
                Some(asked) = self.asked.recv() => self.decide(asked, &mut gathered),
            }
            let mut turn = self.await_turn(&handover, &mut sources, &mut course, &mut gathered).await?;
            if let Some(urgent) = gathered.take_urgent() {
                course.owes = !urgent.receipts.is_empty();
                self.hand_over(urgent, turn, &handover).await?;
                // What becomes urgent meanwhile goes with the rest: nothing is put off twice.
                turn = self.await_turn(&handover, &mut sources, &mut course, &mut gathered).await?;
            }
            course.owes = !gathered.receipts.is_empty();
            self.hand_over(gathered, turn, &handover).await?;
        }
    }

    fn decide(&self, asked: Asked, gathered: &mut Gathered) {
        let Asked { site, decision, actor, reply } = asked;
        let mut sites = self.fleet.write();
        let decided = match sites.get_mut(&site) {
            Some(live) => {
                let changes = gathered.changes.entry(site.clone()).or_default();
                let told = decision.apply(live, &actor, self.clock.now(), changes);
                told.map(|told| gathered.told.entry(site).or_default().extend(told))
            }
            None => Err(DecisionError::NoSite),
        };
        gathered.replies.push((reply, decided));
    }

    /// Takes in what comes within the linger.
    async fn gather(&self, first: Inbound, inbound: &mut Queue, course: &mut Course, gathered: &mut Gathered) {
        self.take(first, course, gathered);
        let mut linger = Linger::begin(Instant::now());
        // One for all of them: from here, to set an alarm is to wake another thread.
        let mut alarm = pin!(sleep_until(linger.until(gathered.records)));
        while !self.is_full(gathered) && gathered.urgent.is_none() && !linger.is_long() {
            let message = if let Some(message) = inbound.try_recv() {
                message
            } else {
                let until = linger.until(gathered.records);
                if until <= Instant::now() {
                    return;
                }
                tokio::select! {
                    biased;
                    Some(message) = inbound.recv() => message,
                    () = &mut alarm => {
                        alarm.as_mut().reset(until);
                        continue;
                    }
                }
            };
            linger.came(Instant::now());
            self.take(message, course, gathered);
        }
    }

    /// Waits until the batch before is stored, and takes in what comes meanwhile. While there is room for that, time passes for the
    /// rules too; without room nobody is heard, and the silence would be taken for theirs. Nor is it theirs where a broker holds back what they
    /// say until it is told that what it sent is stored.
    async fn await_turn(
        &self,
        handover: &Handover,
        sources: &mut Sources,
        course: &mut Course,
        gathered: &mut Gathered,
    ) -> anyhow::Result<OwnedSemaphorePermit> {
        let turn = handover.turn();
        tokio::pin!(turn);
        loop {
            tokio::select! {
                biased;
                turn = &mut turn => return turn,
                _ = sources.ticks.tick(), if !self.is_full(gathered) => {
                    let owed = course.owes || !gathered.receipts.is_empty();
                    self.tick((sources.state(), owed), course, gathered);
                }
                Some(message) = sources.inbound.recv(), if !self.is_full(gathered) => self.take(message, course, gathered),
            }
        }
    }

    fn is_full(&self, gathered: &Gathered) -> bool {
        let enough = gathered.urgent.map_or(usize::MAX, |records| records + BESIDE_A_FAULT);
        gathered.records >= self.counters.pace.most().min(enough)
    }

    fn take(&self, inbound: Inbound, course: &mut Course, gathered: &mut Gathered) {
        failpoint::pass("received");
        let begun = Instant::now();
        course.heard = begun;
        let Inbound { site, agent, received_at, connected_at, message, receipt, .. } = inbound;
        let brought_over = |at| course.moved.map_or(at, |moved| moved.brought_over(at, self.clock.now()));
        let received_at = brought_over(received_at);
        let mut sites = self.fleet.write();
        let live = sites.entry(site.clone()).or_insert_with(|| self.fleet.new_site(&site, received_at));
        if let Some(at) = connected_at {
            live.broker_found(brought_over(at));
        }
        let changes = gathered.changes.entry(site.clone()).or_default();
        let before = changes.records.len();
        if self.counters.is_scarce() {
            // Its agent keeps it and sends it again. A broker that had to keep it too would soon send nothing more.
            scarcity::judge(live, &agent, message, received_at, changes);
            receipt.into_iter().for_each(Receipt::settle);
            gathered.urgent = gathered.urgent.or((!changes.alerts.is_empty()).then_some(gathered.records));
            return;
        }
        judge(live, &agent, message, received_at, changes);
        let is_urgent = !changes.alerts.is_empty();
        gathered.records += changes.records.len() - before;
        gathered.urgent = gathered.urgent.or(is_urgent.then_some(gathered.records));
        gathered.receipts.extend(receipt.map(|receipt| (site, receipt)));
        self.counters.spent(Stage::Judge, begun.elapsed());
    }

    fn tick(&self, (state, owed): (BrokerState, bool), course: &mut Course, gathered: &mut Gathered) {
        let deaf = course.deaf(owed);
        self.keep_time(course);
        let connects = &mut course.connects;
        let now = self.clock.now();
        let found_again = state.up && state.connects != *connects;
        let lost = *connects > 0 && state.connects != *connects;
        if found_again {
            *connects = state.connects;
        }
        let restraints = self.restraints.all();
        let mut sites = self.fleet.write();
        let spread = births_within(sites.values().map(|site| site.agents().count()).sum());
        for (id, site) in sites.iter_mut() {
            let changes = gathered.changes.entry(id.clone()).or_default();
            if let Some(deaf) = deaf {
                site.excuse(Span::from_millis(i64::try_from(deaf.as_millis()).unwrap_or(i64::MAX)));
            }
            if lost || (!state.up && *connects > 0) {
                site.broker_lost(now, changes);
            }
            if found_again {
                site.ask_for_births(spread, now);
            }
            site.restrained_by(Arc::clone(&restraints));
            site.tick(now, changes);
        }
        drop(sites);
        self.progress.evaluated(now);
    }

    /// Hands over what was gathered, with what is to be said once it is stored and not before.
    async fn hand_over(
        &self,
        gathered: Gathered,
        turn: OwnedSemaphorePermit,
        handover: &Handover,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let Gathered { changes, receipts, mut told, replies, .. } = gathered;
        let (mut follow_ups, mut batches) = (Vec::new(), Vec::new());
        {
            let sites = self.fleet.read();
            for (id, mut changes) in changes {
                let Some(site) = sites.get(&id) else { continue };
                follow_ups.push(FollowUp::of(site, &mut changes));
                if !changes.is_empty() {
                    batches.push(Batch { told: told.remove(&id).unwrap_or_default(), ..batch(site, changes) });
                }
            }
        }
        self.counters.spent(Stage::Judge, begun.elapsed());
        failpoint::pass("judged");
        let receipts = receipts.into_iter().map(|(_, receipt)| receipt).collect();
        let judged = Judged { batches, receipts, replies, follow_ups, turn };
        handover.judged.send(judged).await.ok().context("storing has ended")
    }
}

fn judge(site: &mut Site, agent: &AgentId, message: FromAgent, now: Timestamp, changes: &mut Changes) {
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
        told: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
