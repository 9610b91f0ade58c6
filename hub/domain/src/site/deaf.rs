//! Times in which the hub itself could not do its work: not hearing then says nothing of agents, and what cannot be stored must not
//! be taken in.

use lobby_contract::{AgentId, Data};

use crate::{
    agent::Link,
    changes::Changes,
    site::Site,
    time::{Span, Timestamp},
};

impl Site {
    /// The hub took in nothing for `missed`. Whoever was silent meanwhile is given as much time more to be heard of.
    pub fn excuse(&mut self, missed: Span) {
        for watched in self.agents.values_mut().filter(|watched| !matches!(watched.agent.link, Link::Down { .. })) {
            watched.agent.excused = watched.agent.excused + missed;
        }
    }

    /// Judges records without taking them in, for a time in which they cannot be stored: alerts, phases and states follow as ever, and
    /// nothing is acknowledged, so that the agent keeps them and sends them again. They count as new when they come again.
    pub fn glimpse(&mut self, agent: &AgentId, data: Data, now: Timestamp, changes: &mut Changes) {
        let epoch = data.epoch;
        let before = self.agent(agent).and_then(|agent| agent.streams.get(&epoch)).cloned();
        let mut seen = Changes::default();
        self.data(agent, data, now, &mut seen);
        if let Some(watched) = self.agents.get_mut(agent) {
            match before {
                Some(stream) => watched.agent.streams.insert(epoch, stream),
                None => watched.agent.streams.remove(&epoch),
            };
        }
        seen.forget_records();
        changes.append(seen);
    }
}

impl Changes {
    /// Drops what belongs to records: themselves, what they lack, and the acknowledgement.
    fn forget_records(&mut self) {
        self.records.clear();
        self.lost.clear();
        self.streams.clear();
        self.acks.clear();
        self.duplicates = 0;
    }

    /// Takes out everything but records: what is small and must not wait, such as alerts. What stays is to be stored when there is
    /// room again, and only then acknowledged.
    #[must_use]
    pub fn take_urgent(&mut self) -> Self {
        let rest = Self {
            records: std::mem::take(&mut self.records),
            lost: std::mem::take(&mut self.lost),
            streams: std::mem::take(&mut self.streams),
            acks: std::mem::take(&mut self.acks),
            duplicates: std::mem::take(&mut self.duplicates),
            // Their rows are what the others refer to, so they are part of both.
            agents: self.agents.clone(),
            devices: self.devices.clone(),
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }

    /// Adds what followed later.
    pub fn append(&mut self, mut later: Self) {
        self.records.append(&mut later.records);
        self.lost.append(&mut later.lost);
        self.alerts.append(&mut later.alerts);
        self.phases.append(&mut later.phases);
        self.agents.append(&mut later.agents);
        self.devices.append(&mut later.devices);
        self.touched.append(&mut later.touched);
        self.streams.append(&mut later.streams);
        self.acks.append(&mut later.acks);
        self.orders.append(&mut later.orders);
        self.complaints.append(&mut later.complaints);
        self.duplicates += later.duplicates;
    }
}
