//! The hub's database as a model: one commit is all or nothing, what is unique there is unique here, and a restart finds what was
//! committed and no more.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{AgentId, DeviceId, Record};
use lobby_domain::{
    agent::{Agent, Clock},
    alert::{AlertId, ClearReason, Raise, Step, Subject},
    condition::Sample,
    delivery::Stream,
    device::{Device, Last},
    rule::{Kept, Phase},
    said::Said,
    site::{AlertChange, Changes, OpenAlert, Site, Stored},
    ticket::{Action, Last as LastTicket, OnRaise, Rejection, State, act, on_clear, on_raise, taken},
    time::Timestamp,
};

/// A record, by what makes it unique.
pub type RecordKey = (AgentId, u64, u64);

/// A stored record.
#[derive(Debug, Clone)]
pub struct RecordRow {
    /// What the agent said.
    pub record: Record,
    at: Timestamp,
    received_at: Timestamp,
    /// How often it is there. More than once is a breach.
    pub copies: u32,
}

/// A stored alert.
#[derive(Debug, Clone)]
pub struct AlertRow {
    id: AlertId,
    /// What it is about.
    pub subject: Subject,
    /// The rule's id.
    pub rule: Box<str>,
    since: Timestamp,
    opened_at: Timestamp,
    /// Whether it is open.
    pub open: bool,
    ticket: Option<usize>,
    victim_of: Option<AlertId>,
}

/// A stored ticket.
#[derive(Debug, Clone)]
pub struct TicketRow {
    subject: Subject,
    fault_class: Box<str>,
    state: State,
    closed_at: Option<Timestamp>,
    rejected: Option<Rejection>,
}

/// The database.
#[derive(Debug, Default)]
pub struct Store {
    agents: BTreeMap<AgentId, Agent>,
    devices: BTreeMap<DeviceId, Device>,
    /// Every record.
    pub records: BTreeMap<RecordKey, RecordRow>,
    newest: BTreeMap<(DeviceId, AgentId), (u64, u64)>,
    streams: BTreeMap<(AgentId, u64), (u64, u64)>,
    /// Ranges that agents said to be lost.
    pub lost: Vec<(AgentId, u64, u64, u64)>,
    phases: BTreeMap<(Subject, Box<str>), Kept>,
    /// Every alert, in order of raising.
    pub alerts: Vec<AlertRow>,
    tickets: Vec<TicketRow>,
    /// Something was written of which nothing may be there twice, and nobody has looked since.
    unchecked: bool,
    /// Without the rule that a record is unique: a planted bug.
    no_dedupe: bool,
}

/// What is to be committed.
#[derive(Debug)]
pub struct Batch {
    changes: Changes,
    agents: Vec<Agent>,
    devices: Vec<Device>,
}

impl Batch {
    /// What follows from `changes`, with the agents and devices concerned as they are now.
    pub fn of(site: &Site, changes: Changes) -> Self {
        let mut agents: BTreeSet<&AgentId> = changes.agents.iter().collect();
        agents.extend(changes.streams.iter().map(|(agent, _)| agent));
        let agents = agents.into_iter().filter_map(|id| site.agent(id)).cloned().collect();
        let devices = changes.devices.iter().filter_map(|id| site.device(id)).cloned().collect();
        Self { changes, agents, devices }
    }

    /// The alerts in it.
    pub fn alerts(&self) -> &[AlertChange] {
        &self.changes.alerts
    }
}

impl Store {
    /// An empty database; with `no_dedupe` one that takes a record twice.
    pub fn empty(no_dedupe: bool) -> Self {
        Self { no_dedupe, ..Self::default() }
    }

    /// Stores a batch. Doing it again changes nothing.
    pub fn commit(&mut self, batch: &Batch) {
        let changes = &batch.changes;
        for agent in batch.agents.iter().filter(|agent| changes.agents.contains(&agent.id)) {
            self.agents.insert(agent.id.clone(), agent.clone());
        }
        for device in &batch.devices {
            self.devices.insert(device.id.clone(), device.clone());
        }
        for new in &changes.records {
            let key = (new.agent.clone(), new.epoch, new.record.seq);
            let row = RecordRow { record: new.record.clone(), at: new.at, received_at: new.received_at, copies: 0 };
            let row = self.records.entry(key).or_insert(row);
            row.copies = if self.no_dedupe { row.copies + 1 } else { 1 };
            let order = (new.epoch, new.record.seq);
            let newest = self.newest.entry((new.record.device.clone(), new.agent.clone())).or_insert(order);
            *newest = order.max(*newest);
        }
        for (agent, epoch) in &changes.streams {
            let stream =
                batch.agents.iter().find(|known| known.id == *agent).and_then(|known| known.streams.get(epoch));
            if let Some((stream, committed)) = stream.and_then(|stream| Some((stream, stream.committed()?))) {
                self.streams.insert((agent.clone(), *epoch), (stream.base(), committed));
            }
        }
        self.lost.extend(changes.lost.iter().map(|(agent, lost)| (agent.clone(), lost.epoch, lost.from, lost.to)));
        for (rule, kept) in &changes.phases {
            match kept.phase {
                Phase::Ok => drop(self.phases.remove(rule)),
                _ => drop(self.phases.insert(rule.clone(), *kept)),
            }
        }
        for change in &changes.alerts {
            self.write_alert(change);
        }
    }

    fn write_alert(&mut self, change: &AlertChange) {
        self.unchecked = true;
        match change {
            AlertChange::Raise(raise) => {
                let same = |row: &&AlertRow| {
                    row.id == raise.id || (row.open && row.subject == raise.subject && row.rule == raise.rule.id)
                };
                if self.alerts.iter().any(|row| same(&row)) {
                    return;
                }
                self.alerts.push(AlertRow {
                    id: raise.id,
                    subject: raise.subject.clone(),
                    rule: raise.rule.id.clone(),
                    since: raise.since,
                    opened_at: raise.at,
                    open: true,
                    ticket: None,
                    victim_of: None,
                });
                self.take_step(raise);
            }
            AlertChange::Follow(follow) => self.take_step(follow),
            // It concerns who is told, and changes no alert.
            AlertChange::Unmuted(..) => {}
            AlertChange::Clear(clear) => {
                let open = |row: &&mut AlertRow| row.open && row.subject == clear.subject && row.rule == clear.rule;
                let Some(row) = self.alerts.iter_mut().find(open) else { return };
                row.open = false;
                let own = if row.victim_of.is_none() { row.ticket } else { None };
                if let Some(ticket) = own.filter(|_| clear.reason == ClearReason::Recovered) {
                    self.ticket_recovered(ticket);
                }
            }
        }
    }

    fn take_step(&mut self, raise: &Raise) {
        match (raise.step, &raise.rule.ticket) {
            (Step::Open, Some(rule)) => {
                let ticket = self.ticket_for(raise, &rule.fault_class);
                for row in &mut self.alerts {
                    if row.id == raise.id {
                        (row.ticket, row.victim_of) = (Some(ticket), None);
                    } else if row.victim_of == Some(raise.id) && row.open {
                        row.ticket = Some(ticket);
                    }
                }
            }
            (Step::Victim(source), _) => {
                let ticket = self.alerts.iter().find(|row| row.id == source).and_then(|row| row.ticket);
                if let Some(row) = self.alerts.iter_mut().find(|row| row.id == raise.id) {
                    (row.ticket, row.victim_of) = (ticket, Some(source));
                }
            }
            (Step::Open, None) | (Step::None | Step::Later, _) => {}
        }
    }

    fn ticket_for(&mut self, raise: &Raise, class: &str) -> usize {
        let of = |ticket: &TicketRow| ticket.subject == raise.subject && *ticket.fault_class == *class;
        let last = self.tickets.iter().rposition(of);
        let known = last.map(|no| {
            let TicketRow { state, closed_at, rejected, .. } = self.tickets[no];
            LastTicket { state, closed_at, rejected }
        });
        match (on_raise(known, raise.at), last) {
            (OnRaise::Join(state), Some(no)) => {
                (self.tickets[no].state, self.tickets[no].closed_at) = (state, None);
                no
            }
            (OnRaise::Reopen, Some(no)) => {
                (self.tickets[no].state, self.tickets[no].closed_at) = (State::New, None);
                self.tickets[no].rejected = None;
                no
            }
            _ => {
                let (subject, fault_class) = (raise.subject.clone(), class.into());
                self.tickets.push(TicketRow {
                    subject,
                    fault_class,
                    state: State::New,
                    closed_at: None,
                    rejected: None,
                });
                self.tickets.len() - 1
            }
        }
    }

    fn is_faulty(&self, ticket: usize) -> bool {
        self.alerts.iter().any(|row| row.open && row.ticket == Some(ticket) && row.victim_of.is_none())
    }

    fn ticket_recovered(&mut self, ticket: usize) {
        if !self.is_faulty(ticket)
            && let Some(state) = on_clear(self.tickets[ticket].state)
        {
            self.tickets[ticket].state = state;
        }
    }

    /// Somebody does something about one of the open tickets.
    pub fn staff_acts(&mut self, pick: usize, action: Action, now: Timestamp) {
        let open: Vec<usize> = (0..self.tickets.len()).filter(|no| self.tickets[*no].state != State::Closed).collect();
        if open.is_empty() {
            return;
        }
        self.unchecked = true;
        let no = open[pick % open.len()];
        let faulty = self.is_faulty(no);
        let other = open.iter().copied().find(|other| *other != no);
        let (rejected, taker) = match action {
            Action::Reject(Rejection::Duplicate) if other.is_none() => return,
            Action::Reject(Rejection::Duplicate) => (Some(Rejection::Duplicate), other),
            Action::Reject(reason) => (Some(reason), None),
            _ => (None, None),
        };
        if let Ok(state) = act(self.tickets[no].state, action, faulty) {
            self.tickets[no].state = state;
            self.tickets[no].rejected = rejected;
            if let Some(taker) = taker {
                for row in self.alerts.iter_mut().filter(|row| row.open && row.ticket == Some(no)) {
                    row.ticket = Some(taker);
                }
                self.tickets[taker].state = taken(self.tickets[taker].state, faulty);
            }
            self.tickets[no].closed_at = (state == State::Closed).then_some(now);
        }
    }

    /// Subject and rule of the open alerts.
    pub fn open_alerts(&self) -> impl Iterator<Item = (&Subject, &str)> {
        self.alerts.iter().filter(|row| row.open).map(|row| (&row.subject, &*row.rule))
    }

    /// Something that is there twice since it was last asked, although it must be unique, in words.
    pub fn doubled(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.unchecked) {
            return None;
        }
        let mut seen = BTreeSet::new();
        let alert = self.open_alerts().find(|key| !seen.insert(*key));
        let mut seen = BTreeSet::new();
        let open = self.tickets.iter().filter(|ticket| ticket.state != State::Closed);
        let ticket = open.map(|ticket| (&ticket.subject, &ticket.fault_class)).find(|key| !seen.insert(*key));
        let alert = alert.map(|(subject, rule)| format!("two open alerts of {rule} about {subject}"));
        alert.or_else(|| ticket.map(|(subject, class)| format!("two open tickets of {class} about {subject}")))
    }

    /// Whether `seq` is stored or was said to be lost.
    pub fn accounts_for(&self, agent: &AgentId, epoch: u64, seq: u64) -> bool {
        self.records.contains_key(&(agent.clone(), epoch, seq))
            || self.lost.iter().any(|(of, e, from, to)| of == agent && *e == epoch && (*from..=*to).contains(&seq))
    }

    /// What a start of the hub goes on from.
    pub fn stored(&self) -> Stored {
        let open_alerts = self.alerts.iter().filter(|row| row.open).map(|row| OpenAlert {
            id: row.id,
            subject: row.subject.clone(),
            rule: row.rule.clone(),
            since: row.since,
            opened_at: row.opened_at,
            has_ticket: row.ticket.is_some(),
            victim_of: row.victim_of,
        });
        let phases = self.phases.iter().map(|((subject, rule), kept)| (subject.clone(), rule.clone(), *kept));
        Stored {
            agents: self.agents.values().map(|agent| self.load_agent(agent)).collect(),
            devices: self.devices.values().map(|device| self.load_device(device)).collect(),
            phases: phases.collect(),
            open_alerts: open_alerts.collect(),
            ..Stored::default()
        }
    }

    fn load_agent(&self, row: &Agent) -> Agent {
        let mut agent = Agent::new(row.id.clone(), Timestamp::default());
        agent.version.clone_from(&row.version);
        (agent.epoch, agent.session, agent.queued) = (row.epoch, row.session, row.queued);
        (agent.heartbeat, agent.last_seen) = (row.heartbeat, row.last_seen);
        agent.clock = Clock::restored(row.clock.noted());
        for ((_, epoch), (base, committed)) in self.streams.range((row.id.clone(), 0)..=(row.id.clone(), u64::MAX)) {
            let mut stream = Stream::restored(*base, *committed);
            // A store that does not know a record when it sees it again knows it no better after a restart.
            if !self.no_dedupe {
                let ahead = (row.id.clone(), *epoch, committed + 1)..=(row.id.clone(), *epoch, u64::MAX);
                for (_, _, seq) in self.records.range(ahead).map(|(key, _)| key) {
                    stream.take(*seq);
                }
            }
            for (of, e, from, to) in &self.lost {
                if *of == row.id && e == epoch && to > committed {
                    stream.give_up(*from, *to);
                }
            }
            agent.streams.insert(*epoch, stream);
        }
        agent
    }

    fn load_device(&self, row: &Device) -> Device {
        let mut device = Device::new(row.id.clone(), row.agent.clone());
        device.kind.clone_from(&row.kind);
        (device.every, device.announced, device.life) = (row.every, row.announced, row.life);
        let newest = self.newest.get(&(row.id.clone(), row.agent.clone()));
        device.last = newest.and_then(|(epoch, seq)| {
            let found = self.records.get(&(row.agent.clone(), *epoch, *seq))?;
            let Record { reach, facts, faults, .. } = found.record.clone();
            let sample = Sample { reach, facts, faults };
            let said = Said::new(&sample);
            Some(Last { order: (*epoch, *seq), at: found.at, received_at: found.received_at, said })
        });
        device
    }
}
