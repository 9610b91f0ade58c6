//! What breaks, for how long, and what it is like when it is whole again.

use super::{
    broker::Weather,
    world::{Event, HOUR, MINUTE, SECOND, SWIFT, World},
};

/// Something that breaks for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The network between an agent and the broker is cut.
    CutOff(usize),
    /// The network is bad everywhere.
    Weather,
    /// An agent's disk is full.
    Full(usize),
    /// An agent's disk refuses writes.
    ReadOnly(usize),
    /// Syncs of an agent's disk fail.
    Syncs(usize),
    /// The database is slow, and its answers get lost.
    Database,
    /// The broker is away.
    Broker,
    /// An agent comes back with a backlog, has much to say, and the network loses a part of it.
    Rush(usize),
}

impl World {
    /// Breaks something, and appoints the next time.
    pub fn break_something(&mut self) {
        if self.peace {
            return;
        }
        let agent = self.rng.usize(0..self.agents.len());
        match self.rng.u8(0..16) {
            0 | 1 => self.light_fuse(agent),
            2 => self.kill_agent(agent),
            3 | 4 => self.crash_hub(),
            5..=7 => self.lasting(Fault::CutOff(agent), 2 * HOUR),
            8 => self.lasting(Fault::Weather, HOUR),
            9 => self.lasting(Fault::Full(agent), HOUR),
            10 => self.lasting(Fault::ReadOnly(agent), 10 * MINUTE),
            11 => self.lasting(Fault::Syncs(agent), 10 * MINUTE),
            12 => self.lasting(Fault::Database, 20 * MINUTE),
            13 => self.lasting(Fault::Broker, 2 * MINUTE),
            14 => self.lasting(Fault::Rush(agent), 0),
            _ => self.set_clock(agent),
        }
        let later = self.rng.i64(0..self.calm * 2);
        self.after(later, Event::Break);
    }

    /// The power goes in the middle of one of the agent's next writes.
    fn light_fuse(&mut self, agent: usize) {
        let writes = self.rng.u32(1..30);
        self.agents[agent].disk.light_fuse(writes);
        self.tell(|| format!("agent {agent}: its power will go in {writes} writes"));
    }

    fn kill_agent(&mut self, agent: usize) {
        if self.agents[agent].spool.is_some() {
            let with_power = self.rng.bool();
            self.crash_agent(agent, with_power);
        }
    }

    fn set_clock(&mut self, agent: usize) {
        let by = self.rng.i64(-3 * HOUR..3 * HOUR);
        self.agents[agent].clock = if self.agents[agent].clock == 0 || self.rng.bool() { by } else { 0 };
        self.tell(|| format!("agent {agent}: its clock is set by {by} ms"));
    }

    /// Records pile up while the network is cut, the power goes, and the next run finds a network that loses much.
    fn rush(&mut self, agent: usize) {
        self.agents[agent].busy = true;
        self.report_soon(agent);
        self.light_fuse(agent);
        let cut_off = self.rng.i64(MINUTE..4 * MINUTE);
        self.cut_off(agent);
        self.after(cut_off, Event::Heal(Fault::CutOff(agent)));
        self.weather = Weather { drop: self.rng.u32(100..500), ..Weather::FAIR };
        self.after(cut_off + MINUTE, Event::Heal(Fault::Weather));
        self.after(cut_off + 10 * MINUTE, Event::Heal(Fault::Rush(agent)));
    }

    fn cut_off(&mut self, agent: usize) {
        self.agents[agent].cut_off = true;
        let connection = self.agents[agent].session.as_ref().map(|(connection, _)| *connection);
        if let Some(connection) = connection {
            self.doom(connection);
        }
    }

    fn lasting(&mut self, fault: Fault, most: i64) {
        self.tell(|| format!("breaks: {fault:?}"));
        match fault {
            Fault::CutOff(agent) => self.cut_off(agent),
            Fault::Rush(agent) => return self.rush(agent),
            Fault::Weather => self.weather = Weather::any(&mut self.rng),
            Fault::Full(agent) => {
                let room = self.rng.u64(0..3000);
                self.agents[agent].disk.limit(room);
                self.agents[agent].may_lose = true;
            }
            Fault::ReadOnly(agent) => {
                self.agents[agent].disk.set_read_only(true);
                self.agents[agent].may_lose = true;
            }
            Fault::Syncs(agent) => {
                self.agents[agent].disk.set_syncs_fail(true);
                self.agents[agent].may_lose = true;
            }
            Fault::Database => self.database = (self.rng.i64(10..8 * SECOND), self.rng.u32(0..6)),
            Fault::Broker if self.broker.embedded => return self.crash_hub(),
            Fault::Broker => self.stop_broker(),
        }
        let later = if self.rng.bool() { self.rng.i64(1..most) } else { self.rng.i64(1..most / 20) };
        self.after(later, Event::Heal(fault));
    }

    /// Makes something whole again.
    pub fn heal(&mut self, fault: Fault) {
        self.tell(|| format!("is whole again: {fault:?}"));
        match fault {
            Fault::CutOff(agent) => self.agents[agent].cut_off = false,
            Fault::Weather => self.weather = Weather::FAIR,
            Fault::Full(agent) => self.agents[agent].disk.free(),
            Fault::ReadOnly(agent) => self.agents[agent].disk.set_read_only(false),
            Fault::Syncs(agent) => self.agents[agent].disk.set_syncs_fail(false),
            Fault::Database => self.database = SWIFT,
            Fault::Broker => self.after(0, Event::StartBroker),
            Fault::Rush(agent) => self.agents[agent].busy = false,
        }
    }

    /// From now on nothing breaks, and what is broken is mended.
    pub fn make_peace(&mut self) {
        self.peace = true;
        self.tell(|| "peace".to_owned());
        for agent in 0..self.agents.len() {
            let faults = [Fault::CutOff, Fault::Full, Fault::ReadOnly, Fault::Syncs, Fault::Rush];
            for fault in faults {
                self.heal(fault(agent));
            }
            self.agents[agent].disk.process_ended();
            self.after(1, Event::StartAgent { agent });
        }
        self.heal(Fault::Weather);
        self.heal(Fault::Database);
        self.after(1, Event::StartHub);
        self.after(2, Event::StartBroker);
    }
}
