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
        self.unreadable.clear();
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
            unreadable: std::mem::take(&mut self.unreadable),
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
    pub fn append(&mut self, later: Self) {
        let Self {
            mut records,
            mut lost,
            mut unreadable,
            mut alerts,
            mut late,
            mut links,
            mut unstable,
            mut phases,
            mut agents,
            mut devices,
            mut touched,
            mut streams,
            mut acks,
            mut orders,
            mut complaints,
            duplicates,
        } = later;
        self.records.append(&mut records);
        self.lost.append(&mut lost);
        self.unreadable.append(&mut unreadable);
        self.alerts.append(&mut alerts);
        self.late.append(&mut late);
        self.links.append(&mut links);
        self.unstable.append(&mut unstable);
        self.phases.append(&mut phases);
        self.agents.append(&mut agents);
        self.devices.append(&mut devices);
        self.touched.append(&mut touched);
        self.streams.append(&mut streams);
        self.acks.append(&mut acks);
        self.orders.append(&mut orders);
        self.complaints.append(&mut complaints);
        self.duplicates += duplicates;
    }
}
