//! The hub of the simulation: the product's own site, and around it what the hub's main path does: judge, commit, and only then say so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::tz::TimeZone;
use lobby_contract::{Ack, AgentId, Data, Death, FromAgent, Order};
use lobby_domain::{
    agent::Link,
    alert::{AlertId, Subject},
    calendar::Calendar,
    pack::Pack,
    site::{AlertChange, Changes, Site},
    time::{Span, Timestamp},
};

use super::{
    agent::Truth,
    bug::Bug,
    store::{Batch, Store},
};

/// Most messages that are judged together.
const MOST: usize = 50;

/// A message that has come in.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Whose.
    pub agent: AgentId,
    /// What.
    pub message: FromAgent,
    /// The hub's clock when it came.
    pub received_at: Timestamp,
}

/// A batch on its way into the database, and what is to be said when it is there.
#[derive(Debug)]
pub struct Working {
    /// What is to be stored.
    pub batch: Batch,
    /// To be acknowledged.
    pub acks: Vec<(AgentId, Ack)>,
    /// To be asked.
    pub orders: Vec<(AgentId, Order)>,
}

/// A record by which an alert was raised.
pub type Evidence = (AgentId, u64, u64);

/// The hub's machine and what runs on it.
#[derive(Debug)]
pub struct Hub {
    /// Whether the process runs.
    pub up: bool,
    /// Grows with each start.
    pub run: u32,
    /// How far its clock is ahead of the true time, in ms.
    pub clock: i64,
    /// The live state.
    pub site: Site,
    /// The database, which outlives the process.
    pub store: Store,
    /// What has come and is not judged yet.
    pub inbox: VecDeque<Inbound>,
    /// What is being committed.
    pub working: Option<Working>,
    /// Agents heard of since the process started, or found the broker again.
    pub heard: BTreeSet<AgentId>,
    /// How often it has come up at the broker, and whether it is there now.
    pub connects: (u64, bool),
    seen_connects: u64,
    /// By what each alert was raised.
    pub evidence: BTreeMap<AlertId, Vec<Evidence>>,
    /// The newest session of each agent of which a message was judged.
    sessions: BTreeMap<AgentId, (u64, u32)>,
    /// What was found wrong while judging.
    pub wrong: Option<String>,
    /// Records that came again.
    pub duplicates: u64,
    bug: Option<Bug>,
}

fn empty_site(now: Timestamp) -> Site {
    let calendar = Calendar::always_open(TimeZone::UTC);
    Site::new("demo".parse().expect("a name"), calendar, Pack::built_in(), now)
}

impl Hub {
    /// A machine that is switched off, with an empty database.
    pub fn new(bug: Option<Bug>) -> Self {
        Self {
            up: false,
            run: 0,
            clock: 0,
            site: empty_site(Timestamp::default()),
            store: Store::empty(bug == Some(Bug::NoDedupe)),
            inbox: VecDeque::new(),
            working: None,
            heard: BTreeSet::new(),
            connects: (0, false),
            seen_connects: 0,
            evidence: BTreeMap::new(),
            sessions: BTreeMap::new(),
            wrong: None,
            duplicates: 0,
            bug,
        }
    }

    /// The hub's clock.
    pub fn now(&self, now: i64) -> Timestamp {
        Timestamp::from_millis(super::world::EPOCH + now + self.clock)
    }

    /// Starts the process: reads back what was committed.
    pub fn start(&mut self, now: i64) {
        let now = self.now(now);
        self.up = true;
        self.run += 1;
        self.site = empty_site(now);
        let mut changes = Changes::default();
        let stored = self.store.stored();
        let known: Vec<(AgentId, u64, u32)> =
            stored.agents.iter().map(|agent| (agent.id.clone(), agent.epoch, agent.session)).collect();
        self.site.restore(stored, now, &mut changes);
        if self.bug == Some(Bug::BelievesLinks) {
            for (agent, epoch, session) in known {
                let (sent_at, records, refused) = (now.millis(), Vec::new(), Vec::new());
                let nothing = Data { epoch, session, sent_at, oldest: None, records, refused };
                self.site.data(&agent, nothing, now, &mut changes);
            }
        }
        self.check_alerts(&changes, (0, 0), now);
        self.finish(changes);
    }

    /// The process is gone, with all that was not committed.
    pub fn stop(&mut self) {
        self.up = false;
        self.run += 1;
        self.inbox.clear();
        self.working = None;
        self.heard.clear();
        self.connects = (0, false);
        self.seen_connects = 0;
    }

    /// Judges what has come in, and has it stored.
    pub fn work(&mut self, now: i64) {
        let now = self.now(now);
        let mut changes = Changes::default();
        for inbound in self.inbox.drain(..self.inbox.len().min(MOST)).collect::<Vec<_>>() {
            let before = (changes.alerts.len(), changes.records.len());
            self.judge(inbound, &mut changes);
            self.check_alerts(&changes, before, now);
        }
        self.finish(changes);
    }

    fn judge(&mut self, inbound: Inbound, changes: &mut Changes) {
        let Inbound { agent, message, received_at: now } = inbound;
        self.heard.insert(agent.clone());
        match message {
            FromAgent::Birth(birth) => {
                self.note_session(&agent, (birth.epoch, birth.session));
                self.site.birth(&agent, &birth, now, changes);
            }
            FromAgent::Data(data) => {
                // A record's epoch may be an earlier one; the session is that of the agent's present one only then.
                if self.sessions.get(&agent).is_none_or(|(epoch, _)| *epoch <= data.epoch) {
                    self.note_session(&agent, (data.epoch, data.session));
                }
                self.site.data(&agent, data, now, changes);
            }
            FromAgent::Death(death) => self.judge_death(&agent, death, now, changes),
            FromAgent::Lost(lost) => self.site.lost(&agent, &lost, now, changes),
            FromAgent::Result(result) => self.site.result(&agent, &result, changes),
        }
    }

    fn note_session(&mut self, agent: &AgentId, session: (u64, u32)) {
        let newest = self.sessions.entry(agent.clone()).or_insert(session);
        *newest = session.max(*newest);
    }

    fn judge_death(&mut self, agent: &AgentId, mut death: Death, now: Timestamp, changes: &mut Changes) {
        let before = self.link(agent);
        let is_stale = self.sessions.get(agent).is_some_and(|newest| *newest > (death.epoch, death.session));
        if let Some(known) = self.site.agent(agent).filter(|_| self.bug == Some(Bug::StaleWill)) {
            (death.epoch, death.session) = (known.epoch, known.session);
        }
        self.site.death(agent, &death, now, changes);
        if is_stale && before == Some(Link::Up) && self.link(agent) != before {
            self.wrong = Some(format!("agent {agent} is taken for lost by the will of an earlier session"));
        }
    }

    /// It is connected to a broker that kept messages for it.
    pub fn broker_found(&mut self, now: i64) {
        self.site.broker_found(self.now(now));
    }

    /// Lets time pass, as the hub does each second.
    pub fn tick(&mut self, now: i64) {
        let now = self.now(now);
        let mut changes = Changes::default();
        let (connects, up) = self.connects;
        let found_again = up && connects != self.seen_connects;
        let lost = self.seen_connects > 0 && connects != self.seen_connects;
        if lost || (!up && self.seen_connects > 0) {
            self.site.broker_lost(now, &mut changes);
            self.heard.clear();
        }
        if found_again {
            self.seen_connects = connects;
            self.site.ask_for_births(Span::from_secs(2), now);
        }
        self.site.tick(now, &mut changes);
        self.check_alerts(&changes, (0, 0), now);
        self.finish(changes);
    }

    fn finish(&mut self, mut changes: Changes) {
        let acks = std::mem::take(&mut changes.acks);
        let ack = |(agent, epoch): (AgentId, u64)| {
            let committed = self.site.agent(&agent)?.streams.get(&epoch)?.committed()?;
            Some((agent, Ack { epoch, committed }))
        };
        let acks = acks.into_iter().filter_map(ack).collect();
        let orders = std::mem::take(&mut changes.orders);
        self.duplicates += changes.duplicates;
        self.working = Some(Working { batch: Batch::of(&self.site, changes), acks, orders });
    }

    /// Remembers by which records each alert may have been raised, and finds those for which there was none.
    fn check_alerts(&mut self, changes: &Changes, (alerts, records): (usize, usize), now: Timestamp) {
        for change in &changes.alerts[alerts..] {
            let AlertChange::Raise(raise) = change else { continue };
            let Subject::Device(id) = &raise.subject else { continue };
            let Some(device) = self.site.device(id) else { continue };
            if device.known(self.site.link_of(device), now).is_none() {
                self.wrong = Some(format!("alert {} about {id} without fresh data", raise.rule.id));
            }
            let just = changes.records[records..].iter().filter(|new| new.record.device == *id);
            let last = device.last.as_ref().map(|last| (device.agent.clone(), last.order.0, last.order.1));
            let evidence = just.map(|new| (new.agent.clone(), new.epoch, new.record.seq)).chain(last);
            self.evidence.insert(raise.id, evidence.collect());
        }
    }

    /// Whether the hub hears an agent.
    pub fn link(&self, agent: &AgentId) -> Option<Link> {
        self.site.agent(agent).map(|agent| agent.link)
    }
}

/// The state that a rule's alert says a device is in.
pub fn truth_of(rule: &str) -> Option<Truth> {
    Truth::ALL.into_iter().find(|truth| truth.rule() == Some(rule))
}
