//! What follows from the mere passing of time.

use std::cmp::Reverse;

use lobby_contract::{AgentId, DeviceId, Order};

use super::{Changes, Site};
use crate::{
    alert::Subject,
    changes::AlertChange,
    incidents::Incident,
    rule::Phase,
    time::{Span, Timestamp},
};

/// How long records may overtake one another before a gap is asked for.
const REORDER_WINDOW: Span = Span::from_secs(5);

impl Site {
    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp, changes: &mut Changes) {
        let part = self.calendar.part_of_day(now);
        if part != self.part {
            self.part = part;
            let devices: Vec<DeviceId> = self.devices.keys().cloned().collect();
            for device in devices {
                self.evaluate_device(&device, now, changes);
            }
        }
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        for agent in &agents {
            self.tick_agent(agent, now, changes);
        }
        self.evaluate_site(now, changes);
        while let Some(Reverse((due, _))) = self.due.peek()
            && *due <= now
        {
            let Some(Reverse((due, id))) = self.due.pop() else { break };
            // One that has been noted for an earlier time since was looked at then, and noted anew.
            if self.devices.get_mut(&id).is_some_and(|device| device.due.take_if(|noted| *noted == due).is_some()) {
                self.evaluate_device(&id, now, changes);
            }
        }
        for subject in self.incidents.with_room() {
            match subject {
                Subject::Device(device) => self.evaluate_device(&device, now, changes),
                Subject::Agent(agent) => self.evaluate_agent(&agent, now, changes),
                Subject::Site => {}
            }
        }
        self.follow(now, changes);
    }

    /// Does what had to wait about open alerts and need not any longer.
    fn follow(&mut self, now: Timestamp, changes: &mut Changes) {
        if !self.incidents.are_waiting() {
            return;
        }
        let causes = self.causes();
        let about = |subject: &Subject, incident: &Incident| {
            let watch = match subject {
                Subject::Site => Some(&self.watch),
                Subject::Agent(id) => self.agents.get(id).map(|watched| &watched.watch),
                Subject::Device(id) => self.devices.get(id).map(|device| &device.watch),
            }?;
            let (_, phase) = watch.phases().find(|(known, _)| known.id == incident.rule.id)?;
            let cause = causes.of(&self.labels(subject, &incident.rule)).map(|cause| cause.id);
            let alert = (incident.id, incident.opened_at);
            let about = self.about(subject, &incident.rule, alert, cause, now);
            Some((about, matches!(phase, Phase::Firing { .. })))
        };
        for follow in self.incidents.steps(about, now) {
            self.incidents.taken(&follow);
            changes.alerts.push(AlertChange::Follow(follow));
        }
    }

    fn tick_agent(&mut self, id: &AgentId, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(id, now);
        for (epoch, stream) in &mut watched.agent.streams {
            if let Some((from, to)) = stream.gap_to_ask(now, REORDER_WINDOW) {
                changes.orders.push((id.clone(), Order::Resend { epoch: Some(*epoch), from, to }));
                changes.streams.insert((id.clone(), *epoch));
            }
            if stream.settle(now) {
                changes.streams.insert((id.clone(), *epoch));
                changes.acks.insert((id.clone(), *epoch));
            }
        }
        if watched.birth_due.take_if(|due| *due <= now).is_some() || watched.agent.is_asked_again(now) {
            self.ask_for_birth(id, now, changes);
        }
        let watched = self.watched(id, now);
        if watched.agent.clock.note() {
            changes.agents.insert(id.clone());
        }
        if watched.agent.tick(now) {
            self.link_changed(id, now, changes);
        } else {
            self.evaluate_agent(id, now, changes);
        }
    }
}
