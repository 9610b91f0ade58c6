//! The scheduler: one queue of things that will happen, in virtual time, and the way of every message between the nodes.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
};

use fastrand::Rng;
use lobby_agent::{session::Action, spool::Place};
use lobby_contract::{Ack, Channel, Command, Death, DeathReason, FromAgent, HubState, Order, encode};

use super::{
    Breach, Options, Summary,
    agent::{Agent, Device},
    broker::{Broker, Connection, QUEUE, Weather},
    bug::Bug,
    disk::Disk,
    faults::Fault,
    hub::{Hub, Inbound},
    oracle::Oracle,
};

/// The true time at the beginning of each run: 2026-11-20 10:00 in Shanghai, in ms since 1970 UTC.
pub const EPOCH: i64 = 1_795_140_000_000;
/// One virtual second.
pub const SECOND: i64 = 1000;
/// One virtual minute.
pub const MINUTE: i64 = 60 * SECOND;
/// One virtual hour.
pub const HOUR: i64 = 60 * MINUTE;
/// The hub ticks a second after something has happened, then after twice as long, and so on: what a second more would change, a few
/// minutes more do too, and many hours pass quickly.
const IDLE_TICK: i64 = 128 * SECOND;
/// A broken connection that nobody closed is noticed within this.
const KEEP_ALIVE: i64 = 20 * SECOND;
/// How long the database takes at most on a good day, in ms, and how many of 10 commits seem to fail.
pub const SWIFT: (i64, u32) = (10, 0);
/// With nothing in the way, no record of an earlier run waits for longer: what is under way is sent again each minute.
const BACKLOG_PATIENCE: i64 = 3 * MINUTE;
/// More steps mean that the nodes do nothing but talk.
const MOST_STEPS: u64 = 3_000_000;
/// Most lines of a trace.
const MOST_LINES: usize = 400_000;

/// A message of an agent on its way: whose, on which channel, what.
pub type FromAgentBytes = (usize, Channel, Vec<u8>);

/// What the hub or the broker says to an agent.
#[derive(Debug, Clone)]
pub enum ToAgent {
    /// On one of the agent's channels.
    Message(Channel, Vec<u8>),
    /// The hub's state.
    State(bool),
}

/// Something that will happen.
#[derive(Debug, Clone)]
pub enum Event {
    /// A device is reported, if it was not meanwhile.
    Report { agent: usize, device: usize, turn: u64 },
    /// A device's true state changes.
    Change { agent: usize, device: usize },
    /// An agent looks after its session.
    Wake { agent: usize, run: u32 },
    /// An agent looks after its spool.
    Tidy { agent: usize, run: u32 },
    /// An agent tries to connect.
    Connect { agent: usize, run: u32 },
    /// An agent's process starts.
    StartAgent { agent: usize },
    /// A message of an agent arrives at the broker.
    AtBroker { connection: usize, message: FromAgentBytes },
    /// A message arrives at the hub.
    AtHub { message: FromAgentBytes, run: u32 },
    /// A message arrives at an agent.
    AtAgent { connection: usize, message: ToAgent },
    /// An agent notices that its connection is gone.
    AgentNotices { connection: usize },
    /// The broker notices.
    BrokerNotices { connection: usize },
    /// The broker publishes a will.
    Will { connection: usize },
    /// The hub judges what has come.
    Work { run: u32 },
    /// The hub's batch is in the database, or the attempt has failed.
    Committed { run: u32, attempt: u32 },
    /// Time passes at the hub.
    Tick { run: u32 },
    /// The hub's process starts.
    StartHub,
    /// The broker starts.
    StartBroker,
    /// The hub reaches the broker.
    HubConnects { run: u32 },
    /// Somebody works on a ticket.
    Staff,
    /// Something breaks.
    Break,
    /// Something that broke works again.
    Heal(Fault),
    /// Nothing breaks any more.
    Peace,
}

struct Due {
    at: i64,
    order: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One run.
pub struct World {
    seed: u64,
    options: Options,
    /// Virtual ms since the beginning.
    pub now: i64,
    /// The only source of chance.
    pub rng: Rng,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    /// The agents.
    pub agents: Vec<Agent>,
    /// The hub.
    pub hub: Hub,
    /// The broker.
    pub broker: Broker,
    /// The network at present.
    pub weather: Weather,
    /// The database answers so slowly, in ms, and of 10 commits so many seem to fail.
    pub database: (i64, u32),
    /// Nothing breaks any more.
    pub peace: bool,
    /// Mean time between two faults, in ms.
    pub calm: i64,
    /// Mean time between two changes of a device, in ms.
    pub steadiness: i64,
    /// What is reported later would still be under way at the end.
    last_report: i64,
    ticks_at: i64,
    tick_after: i64,
    oracle: Oracle,
    broken: Option<String>,
    hasher: DefaultHasher,
    /// What has happened so far.
    pub summary: Summary,
    trace: Vec<String>,
}

impl World {
    /// A world in which nothing runs yet.
    pub fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::with_seed(seed);
        let agents = (0..rng.usize(1..=2)).map(|no| new_agent(no, &mut rng, options)).collect();
        let broker = Broker { embedded: rng.bool(), ..Broker::default() };
        let calm = rng.i64(20..180) * MINUTE;
        let steadiness = rng.i64(1..8) * HOUR;
        Self {
            seed,
            options,
            now: 0,
            rng,
            queue: BinaryHeap::new(),
            order: 0,
            agents,
            hub: Hub::new(options.bug),
            broker,
            weather: Weather::FAIR,
            database: SWIFT,
            peace: false,
            calm,
            steadiness,
            last_report: i64::MAX,
            ticks_at: 0,
            tick_after: SECOND,
            oracle: Oracle::default(),
            broken: None,
            hasher: DefaultHasher::new(),
            summary: Summary::default(),
            trace: Vec::new(),
        }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Result<Summary, Box<Breach>> {
        self.begin();
        let end = i64::from(self.options.hours) * HOUR;
        self.after(end, Event::Peace);
        let longest = self.agents.iter().flat_map(|agent| &agent.devices).map(|device| device.every).max().unwrap_or(0);
        let settled = end + 3 * longest + 20 * MINUTE;
        self.last_report = settled - 10 * SECOND;
        while let Some(Reverse(due)) = self.queue.pop() {
            if due.at > settled {
                break;
            }
            self.now = due.at;
            self.summary.steps += 1;
            (due.at, std::mem::discriminant(&due.event)).hash(&mut self.hasher);
            self.step(due.event);
            if self.summary.steps > MOST_STEPS {
                self.breach("the nodes do nothing but talk".to_owned());
            }
            if self.broken.is_some() {
                break;
            }
        }
        if self.broken.is_none() {
            self.now = settled;
            let settled = self.oracle.settled(&self.hub, &self.agents, self.now);
            self.hold(settled);
        }
        self.summary.lost = self.oracle.lost_count();
        self.summary.duplicates = self.hub.duplicates;
        self.summary.alerts = self.hub.store.alerts.len() as u64;
        (self.summary.records, self.summary.alerts).hash(&mut self.hasher);
        self.summary.digest = self.hasher.finish();
        match self.broken {
            None => Ok(self.summary),
            Some(what) => Err(Box::new(Breach { seed: self.seed, at: self.now, what, trace: self.trace })),
        }
    }

    fn begin(&mut self) {
        self.start_broker();
        if !self.broker.embedded {
            self.after(0, Event::StartHub);
        }
        for agent in 0..self.agents.len() {
            let later = self.rng.i64(0..MINUTE);
            self.after(later, Event::StartAgent { agent });
            for device in 0..self.agents[agent].devices.len() {
                self.schedule_change(agent, device);
            }
        }
        let first = self.rng.i64(0..self.calm * 2);
        self.after(first, Event::Break);
        self.after(HOUR, Event::Staff);
    }

    /// Lets `event` happen in `delay` ms.
    pub fn after(&mut self, delay: i64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse(Due { at: self.now + delay, order: self.order, event }));
    }

    /// Keeps a line of the trace.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace && self.trace.len() < MOST_LINES {
            let (now, line) = (self.now, line());
            let mut text = String::new();
            let _ = write!(text, "{:>10}.{:03}  {line}", now / 1000, now % 1000);
            self.trace.push(text);
        }
    }

    fn breach(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn hold(&mut self, kept: Result<(), String>) {
        if let Err(what) = kept {
            self.breach(what);
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Report { agent, device, turn } => self.report(agent, device, turn),
            Event::Change { agent, device } => self.change(agent, device),
            Event::Wake { agent, run } if self.agents[agent].run == run => {
                self.agents[agent].wakes_at = None;
                self.act(agent);
            }
            Event::Tidy { agent, run } if self.agents[agent].run == run => self.tidy(agent),
            Event::Connect { agent, run } if self.agents[agent].run == run => self.connect(agent),
            Event::StartAgent { agent } => self.start_agent(agent),
            Event::AtBroker { connection, message } => self.at_broker(connection, message),
            Event::AtHub { message, run } => self.at_hub(message, run),
            Event::AtAgent { connection, message } => self.at_agent(connection, message),
            Event::AgentNotices { connection } => self.agent_notices(connection),
            Event::BrokerNotices { connection } => self.broker_notices(connection),
            Event::Will { connection } => self.publish_will(connection),
            Event::Work { run } => {
                if self.hub.up && self.hub.run == run && self.hub.working.is_none() && !self.hub.inbox.is_empty() {
                    self.hub.work(self.now);
                    self.begin_commit();
                }
            }
            Event::Committed { run, attempt } if self.hub.run == run => self.committed(attempt),
            Event::Tick { run } if self.hub.run == run && self.now == self.ticks_at => self.tick(),
            Event::Wake { .. }
            | Event::Tidy { .. }
            | Event::Connect { .. }
            | Event::Committed { .. }
            | Event::Tick { .. } => {}
            Event::StartHub => self.start_hub(),
            Event::StartBroker => self.start_broker(),
            Event::HubConnects { run } => self.hub_connects(run),
            Event::Staff => self.staff(),
            Event::Break => self.break_something(),
            Event::Heal(fault) => self.heal(fault),
            Event::Peace => self.make_peace(),
        }
    }

    // --- Devices and agents ------------------------------------------------------------------------------------------------------

    fn schedule_change(&mut self, agent: usize, device: usize) {
        let later = self.rng.i64(0..self.steadiness * 2);
        self.after(later, Event::Change { agent, device });
    }

    fn change(&mut self, agent: usize, device: usize) {
        if self.peace {
            return;
        }
        let truths = super::agent::Truth::ALL;
        let truth = if self.rng.bool() { truths[0] } else { truths[self.rng.usize(0..truths.len())] };
        let node = &mut self.agents[agent].devices[device];
        if node.truth != truth {
            (node.truth, node.episode) = (truth, node.episode + 1);
            let (id, turn, noticed) = (node.id.clone(), node.turn, node.every.min(10 * SECOND));
            self.tell(|| format!("{id} is {truth:?}"));
            let later = self.rng.i64(0..noticed);
            self.after(later, Event::Report { agent, device, turn });
        }
        self.schedule_change(agent, device);
    }

    fn report(&mut self, agent: usize, device: usize, turn: u64) {
        let node = &mut self.agents[agent];
        if node.spool.is_none() || node.devices[device].turn != turn || self.now > self.last_report {
            return;
        }
        node.devices[device].turn += 1;
        let (turn, every) = (turn + 1, node.devices[device].every);
        self.oracle.made(&self.agents[agent], device, self.now);
        let on_disk = self.agents[agent].report(device, self.now);
        let every = if self.agents[agent].busy { self.rng.i64(2 * SECOND..6 * SECOND) } else { every };
        self.summary.records += 1;
        self.tell_agent(agent, |node| {
            let made = &node.devices[device];
            format!("record {} {} {:?} on disk: {on_disk}", node.seq, made.id, made.truth)
        });
        self.after(every, Event::Report { agent, device, turn });
        self.act(agent);
        self.look_at_backlog(agent);
    }

    /// Lets each device of an agent report now, whatever was appointed.
    pub fn report_soon(&mut self, agent: usize) {
        for device in 0..self.agents[agent].devices.len() {
            let turn = self.agents[agent].devices[device].turn;
            self.after(1, Event::Report { agent, device, turn });
        }
    }

    /// With nothing in the way, records of an earlier run get through however much there is of this one.
    fn look_at_backlog(&mut self, agent: usize) {
        let clear = self.weather == Weather::FAIR
            && self.database == SWIFT
            && self.broker.up
            && self.hub.up
            && self.hub.connects.1;
        let node = &mut self.agents[agent];
        let clear = clear
            && node.busy
            && !node.cut_off
            && node.spool.as_ref().is_some_and(|spool| !spool.in_trouble())
            && node.session.as_ref().is_some_and(|(connection, _)| self.broker.connections[*connection].broker_end);
        let first = if clear { node.backlog() } else { None };
        node.waits = first
            .map(|first| (first, node.waits.filter(|(known, _)| *known == first).map_or(self.now, |(_, since)| since)));
        if let Some((first, since)) = node.waits
            && self.now - since > BACKLOG_PATIENCE
        {
            let (id, Place { epoch, seq }) = (&node.id, first);
            let what = format!("record {seq} of {id} {epoch} waits, and newer ones get through");
            self.breach(what);
        }
    }

    fn tell_agent(&mut self, agent: usize, line: impl FnOnce(&Agent) -> String) {
        if self.options.trace {
            let text = format!("{}: {}", self.agents[agent].id, line(&self.agents[agent]));
            self.tell(|| text);
        }
    }

    fn tidy(&mut self, agent: usize) {
        self.agents[agent].tidies_at = None;
        if let Some(spool) = &mut self.agents[agent].spool {
            spool.flush();
            spool.tidy();
        }
        self.act(agent);
    }

    /// Lets an agent do what there is to do.
    fn act(&mut self, agent: usize) {
        self.agents[agent].show_changes();
        loop {
            let looked = self.oracle.look(&self.agents[agent]);
            self.hold(looked);
            if self.agents[agent].disk.is_dead() {
                return self.crash_agent(agent, true);
            }
            let now = self.agents[agent].now(self.now);
            let Some((connection, session)) = &mut self.agents[agent].session else { break };
            let connection = *connection;
            match session.next(now) {
                None => break,
                Some(Action::Subscribe) => {
                    if let Some(online) = self.broker.hub_online {
                        self.say_to(connection, &ToAgent::State(online));
                    }
                }
                Some(Action::Publish { channel, payload }) => self.publish(agent, connection, channel, &payload),
                Some(Action::Spool(query)) => {
                    let answer = self.agents[agent].ask(query);
                    let node = &mut self.agents[agent];
                    if let (Some(answer), Some((_, session))) = (answer, &mut node.session) {
                        session.answer(answer, now);
                    }
                    self.agents[agent].show_changes();
                }
                Some(Action::Probe { id, .. }) => session.finished(id, Err("not in this world".to_owned())),
            }
        }
        self.make_appointments(agent);
    }

    fn make_appointments(&mut self, agent: usize) {
        let now = self.now;
        let node = &mut self.agents[agent];
        let run = node.run;
        let deadline = node.session.as_ref().and_then(|(_, session)| session.deadline());
        let wake = deadline.map(|deadline| i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX).max(now + 1));
        let wants_tidy = node.spool.as_ref().is_some_and(|spool| spool.is_dirty() || spool.in_trouble());
        let sooner = wake.filter(|at| node.wakes_at.is_none_or(|known| *at < known));
        let tidy = wants_tidy && node.tidies_at.is_none();
        if let Some(at) = sooner {
            node.wakes_at = Some(at);
        }
        if tidy {
            node.tidies_at = Some(now + SECOND);
        }
        if let Some(at) = sooner {
            self.after(at - now, Event::Wake { agent, run });
        }
        if tidy {
            self.after(SECOND, Event::Tidy { agent, run });
        }
    }

    fn start_agent(&mut self, agent: usize) {
        if self.agents[agent].spool.is_some() {
            return;
        }
        let wall = self.agents[agent].wall(self.now);
        let started = self.agents[agent].start(wall);
        if self.agents[agent].disk.is_dead() {
            return self.crash_agent(agent, true);
        }
        if let Err(error) = started {
            self.tell_agent(agent, |_| format!("does not start: {error}"));
            return self.after(10 * SECOND, Event::StartAgent { agent });
        }
        self.tell_agent(agent, |node| format!("starts, epoch {}", node.epoch()));
        let run = self.agents[agent].run;
        self.after(1, Event::Connect { agent, run });
        for device in 0..self.agents[agent].devices.len() {
            let node = &mut self.agents[agent].devices[device];
            node.turn += 1;
            let turn = node.turn;
            let later = self.rng.i64(0..5 * SECOND);
            self.after(later, Event::Report { agent, device, turn });
        }
        self.act(agent);
    }

    /// An agent's process ends without a word; with the power, or alone.
    pub fn crash_agent(&mut self, agent: usize, with_power: bool) {
        let connection = self.agents[agent].session.as_ref().map(|(connection, _)| *connection);
        let node = &mut self.agents[agent];
        node.stop();
        if with_power {
            node.disk.power_cut();
        } else {
            node.disk.process_ended();
        }
        self.summary.crashes += 1;
        self.tell_agent(agent, |_| if with_power { "loses its power".to_owned() } else { "is killed".to_owned() });
        if let Some(connection) = connection {
            self.broker.connections[connection].agent_end = false;
            // The system of a killed process closes its connections.
            let later = if with_power { self.rng.i64(10 * SECOND..KEEP_ALIVE) } else { 5 };
            self.after(later, Event::BrokerNotices { connection });
        }
        let later = if self.rng.u8(0..4) == 0 { self.rng.i64(0..40 * MINUTE) } else { self.rng.i64(SECOND..MINUTE) };
        self.after(later, Event::StartAgent { agent });
    }

    // --- Connections -------------------------------------------------------------------------------------------------------------

    fn connect(&mut self, agent: usize) {
        let node = &mut self.agents[agent];
        if node.spool.is_none() || node.session.is_some() {
            return;
        }
        node.sessions += 1;
        let run = node.run;
        if node.cut_off || !self.broker.up {
            node.failures += 1;
            let most = (SECOND << node.failures.min(5)).min(30 * SECOND);
            let later = self.rng.i64(SECOND..=most);
            return self.after(later, Event::Connect { agent, run });
        }
        node.failures = 0;
        let session = (node.epoch(), node.sessions);
        let connection = self.broker.connections.len();
        self.broker.connections.push(Connection {
            agent,
            session,
            agent_end: true,
            broker_end: true,
            not_before: [self.now; 2],
        });
        // The same name again: the broker ends the session before.
        for old in 0..connection {
            if self.broker.connections[old].agent == agent && self.broker.connections[old].broker_end {
                self.broker_notices(old);
            }
        }
        self.agents[agent].begin(connection);
        self.tell_agent(agent, |_| format!("connects as session {session:?}"));
        self.act(agent);
    }

    fn publish(&mut self, agent: usize, connection: usize, channel: Channel, payload: &[u8]) {
        self.tell_agent(agent, |_| format!("{channel} {}", excerpt(payload)));
        if self.agents[agent].cut_off {
            return self.doom(connection);
        }
        let end = &mut self.broker.connections[connection];
        let arrivals = self.weather.arrivals(self.now, &mut end.not_before[0], &mut self.rng);
        for at in arrivals.into_iter().flatten() {
            let message = (agent, channel, payload.to_vec());
            self.after(at - self.now, Event::AtBroker { connection, message });
        }
    }

    /// Nothing gets through: both ends notice sooner or later.
    pub fn doom(&mut self, connection: usize) {
        let (one, other) = (self.rng.i64(SECOND..KEEP_ALIVE), self.rng.i64(10 * SECOND..KEEP_ALIVE));
        self.after(one, Event::AgentNotices { connection });
        self.after(other, Event::BrokerNotices { connection });
    }

    fn agent_notices(&mut self, connection: usize) {
        let agent = self.broker.connections[connection].agent;
        if !std::mem::replace(&mut self.broker.connections[connection].agent_end, false) {
            return;
        }
        let node = &mut self.agents[agent];
        if node.session.as_ref().is_some_and(|(own, _)| *own == connection) {
            node.session = None;
            let run = node.run;
            self.tell_agent(agent, |_| "notices that its connection is gone".to_owned());
            let later = self.rng.i64(SECOND..3 * SECOND);
            self.after(later, Event::Connect { agent, run });
        }
    }

    fn broker_notices(&mut self, connection: usize) {
        if !std::mem::replace(&mut self.broker.connections[connection].broker_end, false) {
            return;
        }
        // A will may take its time, and arrive when the next session has long begun.
        let later = if self.rng.u8(0..3) == 0 { self.rng.i64(0..90 * SECOND) } else { 1 };
        self.after(later, Event::Will { connection });
    }

    fn publish_will(&mut self, connection: usize) {
        let Connection { agent, session: (epoch, session), .. } = self.broker.connections[connection];
        let death = Death { epoch, session, reason: DeathReason::Lost };
        self.tell(|| format!("broker: will of session {:?}", (epoch, session)));
        self.pass_on((agent, Channel::Death, encode(&death)));
    }

    fn at_broker(&mut self, connection: usize, message: FromAgentBytes) {
        if self.broker.up && self.broker.connections[connection].broker_end {
            self.pass_on(message);
        }
    }

    /// From the broker to the hub, or into the queue while that is away.
    fn pass_on(&mut self, message: FromAgentBytes) {
        if !self.broker.up {
            return;
        }
        if !self.hub.up || !self.hub.connects.1 {
            if self.broker.queue.len() < QUEUE {
                self.broker.queue.push_back(message);
            }
            return;
        }
        let weather = if self.broker.embedded { Weather { delay: 2, ..Weather::FAIR } } else { self.weather };
        let arrivals = weather.arrivals(self.now, &mut self.broker.not_before, &mut self.rng);
        for at in arrivals.into_iter().flatten() {
            let (message, run) = (message.clone(), self.hub.run);
            self.after(at - self.now, Event::AtHub { message, run });
        }
    }

    fn say_to(&mut self, connection: usize, message: &ToAgent) {
        let end = &mut self.broker.connections[connection];
        if !end.broker_end || self.agents[end.agent].cut_off {
            return;
        }
        let arrivals = self.weather.arrivals(self.now, &mut end.not_before[1], &mut self.rng);
        for at in arrivals.into_iter().flatten() {
            let message = message.clone();
            self.after(at - self.now, Event::AtAgent { connection, message });
        }
    }

    fn at_agent(&mut self, connection: usize, message: ToAgent) {
        let agent = self.broker.connections[connection].agent;
        let now = self.agents[agent].now(self.now);
        let Some((own, session)) = &mut self.agents[agent].session else { return };
        if *own != connection {
            return;
        }
        match message {
            ToAgent::Message(channel, payload) => {
                self.agents[agent].hear(channel, &payload, now);
                self.tell_agent(agent, |_| format!("hears {channel} {}", excerpt(&payload)));
            }
            ToAgent::State(online) => session.hub_state(&encode(&HubState { online, at: 0 }), now),
        }
        self.act(agent);
    }

    // --- The hub -----------------------------------------------------------------------------------------------------------------

    fn at_hub(&mut self, (agent, channel, payload): FromAgentBytes, run: u32) {
        if !self.hub.up || self.hub.run != run {
            return;
        }
        match FromAgent::decode(channel, &payload) {
            Ok(message) => {
                let agent = self.agents[agent].id.clone();
                let received_at = self.hub.now(self.now);
                self.hub.inbox.push_back(Inbound { agent, message, received_at });
                let linger = self.rng.i64(0..6);
                self.after(linger, Event::Work { run });
            }
            Err(error) => self.breach(format!("an agent's {channel} message cannot be read: {error}")),
        }
        if self.tick_after > SECOND {
            self.tick_after = SECOND;
            self.tick_in(SECOND);
        }
    }

    fn tick_in(&mut self, delay: i64) {
        self.ticks_at = self.now + delay;
        let run = self.hub.run;
        self.after(delay, Event::Tick { run });
    }

    fn begin_commit(&mut self) {
        if let Some(wrong) = self.hub.wrong.take() {
            self.breach(wrong);
        }
        if self.options.bug == Some(Bug::AckBeforeCommit) {
            self.say_what_is_stored();
        }
        let looked = self.oracle.look_at_pages(&self.hub, &self.agents, self.now);
        self.hold(looked);
        let (later, run) = (1 + self.rng.i64(0..self.database.0), self.hub.run);
        self.after(later, Event::Committed { run, attempt: 0 });
    }

    fn committed(&mut self, attempt: u32) {
        let Some(working) = &self.hub.working else { return };
        let fails = attempt < 5 && self.rng.u32(0..10) < self.database.1;
        if !fails || self.rng.bool() {
            self.hub.store.commit(&working.batch);
        }
        if fails {
            // It may be in the database all the same: nobody knows, so it is tried again.
            let (later, run) = (100 << attempt, self.hub.run);
            return self.after(later, Event::Committed { run, attempt: attempt + 1 });
        }
        let doubled = self.hub.store.doubled();
        let kept = self.oracle.committed(&self.hub, working.batch.alerts());
        self.hold(doubled.map_or(kept, Err));
        self.say_what_is_stored();
        self.hub.working = None;
        if !self.hub.inbox.is_empty() {
            let run = self.hub.run;
            self.after(1, Event::Work { run });
        }
    }

    /// Acknowledges and asks, as the batch says.
    fn say_what_is_stored(&mut self) {
        let Some(working) = &mut self.hub.working else { return };
        let (acks, orders) = (std::mem::take(&mut working.acks), std::mem::take(&mut working.orders));
        for (agent, Ack { epoch, committed }) in acks {
            let kept = self.oracle.acked(&self.hub, &agent, epoch, committed);
            self.hold(kept);
            self.say(agent.as_str(), Channel::Ack, &encode(&Ack { epoch, committed }));
        }
        for (no, (agent, order)) in orders.into_iter().enumerate() {
            self.order_is_sane(&order);
            let command = Command { id: no.to_string().into(), order };
            self.say(agent.as_str(), Channel::Command, &encode(&command));
        }
    }

    fn order_is_sane(&mut self, order: &Order) {
        if let Order::Resend { from, to, .. } = order
            && (*from == 0 || from > to)
        {
            self.breach(format!("the hub asks for {from} to {to}"));
        }
    }

    fn say(&mut self, agent: &str, channel: Channel, payload: &[u8]) {
        self.tell(|| format!("hub: to {agent} {channel} {}", excerpt(payload)));
        if !self.broker.up || !self.hub.connects.1 {
            return;
        }
        let agents = &self.agents;
        let heard = |end: &Connection| end.broker_end && agents[end.agent].id.as_str() == agent;
        let Some(connection) = self.broker.connections.iter().rposition(heard) else { return };
        self.say_to(connection, &ToAgent::Message(channel, payload.to_vec()));
    }

    fn tick(&mut self) {
        if self.hub.working.is_some() {
            return self.tick_in(50);
        }
        let links: Vec<_> = self.hub.site.agents().map(|agent| agent.link).collect();
        self.hub.tick(self.now);
        let is_calm = self.hub.site.agents().map(|agent| agent.link).eq(links);
        self.begin_commit();
        // At the end, what has to be seen a number of times is seen so often.
        let longest = if self.peace { 20 * SECOND } else { IDLE_TICK };
        self.tick_after = if is_calm { (self.tick_after * 2).min(longest) } else { SECOND };
        self.tick_in(self.tick_after);
    }

    fn start_hub(&mut self) {
        if self.hub.up {
            return;
        }
        self.hub.start(self.now);
        self.tell(|| "hub: starts".to_owned());
        let run = self.hub.run;
        self.begin_commit();
        self.tick_after = SECOND;
        self.tick_in(SECOND);
        if self.broker.embedded {
            self.start_broker();
        }
        let later = if self.broker.embedded { 1 } else { self.rng.i64(1..5 * SECOND) };
        self.after(later, Event::HubConnects { run });
    }

    fn hub_connects(&mut self, run: u32) {
        if !self.hub.up || self.hub.run != run || self.hub.connects.1 {
            return;
        }
        if !self.broker.up {
            return self.after(SECOND, Event::HubConnects { run });
        }
        self.hub.connects = (self.hub.connects.0 + 1, true);
        if !self.broker.embedded {
            self.hub.broker_found(self.now);
        }
        self.broker.not_before = self.now;
        self.set_hub_state(true);
        for message in std::mem::take(&mut self.broker.queue) {
            self.pass_on(message);
        }
    }

    fn set_hub_state(&mut self, online: bool) {
        if self.broker.hub_online.replace(online) == Some(online) {
            return;
        }
        for connection in 0..self.broker.connections.len() {
            self.say_to(connection, &ToAgent::State(online));
        }
    }

    /// The hub's process ends without a word.
    pub fn crash_hub(&mut self) {
        if !self.hub.up {
            return;
        }
        self.hub.stop();
        self.summary.crashes += 1;
        self.tell(|| "hub: is killed".to_owned());
        if self.rng.u8(0..8) == 0 {
            // Its clock was set meanwhile.
            self.hub.clock = self.rng.i64(-60 * SECOND..60 * SECOND);
        }
        if self.broker.embedded {
            self.stop_broker();
        } else {
            self.set_hub_state(false);
        }
        let later =
            if self.rng.u8(0..4) == 0 { self.rng.i64(0..20 * MINUTE) } else { self.rng.i64(SECOND..30 * SECOND) };
        self.after(later, Event::StartHub);
    }

    /// The broker ends and forgets.
    pub fn stop_broker(&mut self) {
        self.broker.up = false;
        self.broker.queue.clear();
        self.broker.hub_online = None;
        self.hub.connects.1 = false;
        self.tell(|| "broker: is killed".to_owned());
        for connection in 0..self.broker.connections.len() {
            let end = &mut self.broker.connections[connection];
            let had_will = std::mem::replace(&mut end.broker_end, false);
            if end.agent_end {
                let later = self.rng.i64(1..2 * SECOND);
                self.after(later, Event::AgentNotices { connection });
            }
            // One that kept its wills publishes them when it runs again, and late.
            if had_will && !self.broker.embedded && self.rng.bool() {
                let later = self.rng.i64(0..3 * MINUTE);
                self.after(later, Event::Will { connection });
            }
        }
    }

    fn start_broker(&mut self) {
        if self.broker.embedded && !self.hub.up {
            return self.after(0, Event::StartHub);
        }
        self.broker.up = true;
        let run = self.hub.run;
        self.after(1, Event::HubConnects { run });
    }

    fn staff(&mut self) {
        let actions = lobby_domain::ticket::Action::ALL;
        let (pick, action) = (self.rng.usize(0..8), actions[self.rng.usize(0..actions.len())]);
        let at = self.hub.now(self.now);
        self.hub.store.staff_acts(pick, action, at);
        let later = self.rng.i64(MINUTE..2 * HOUR);
        self.after(later, Event::Staff);
    }
}

fn new_agent(no: usize, rng: &mut Rng, options: Options) -> Agent {
    // Few records most of the time, so that many hours are quickly simulated; now and then as many as in a real lobby.
    let every = match rng.u8(0..20) {
        0 if rng.bool() => rng.i64(10..60) * SECOND,
        0..=4 => rng.i64(3..8) * MINUTE,
        _ => rng.i64(10..60) * MINUTE,
    };
    let device = |number: usize| Device {
        id: format!("covers-{no}-{number}").parse().expect("a name"),
        truth: super::agent::Truth::Fine,
        episode: 0,
        every,
        turn: 0,
    };
    let devices = (0..rng.usize(1..=2)).map(device).collect();
    let disk = Disk::new(rng.u64(..), options.bug == Some(Bug::SyncLies));
    let max_bytes = if rng.u8(0..4) == 0 { 3 * 1024 } else { 256 * 1024 };
    let puts_off_backlog = options.bug == Some(Bug::PutsOffBacklog);
    let id = format!("box-{no}").parse().expect("a name");
    let mut agent = Agent::new(id, disk, devices, max_bytes, puts_off_backlog);
    agent.may_lose = max_bytes < 64 * 1024;
    agent.clock = if rng.bool() { 0 } else { rng.i64(-110 * SECOND..110 * SECOND) };
    agent
}

fn excerpt(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).chars().take(160).collect()
}
