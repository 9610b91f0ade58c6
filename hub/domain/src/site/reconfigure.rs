//! Standards and opening hours that change while a site is at work.

use std::sync::Arc;

use lobby_contract::{AgentId, DeviceId};

use crate::{
    alert::Subject, calendar::Calendar, changes::Changes, incidents::Incident, pack::Pack, site::Site, time::Timestamp,
};

impl Site {
    /// Works by other standards and hours from `now` on. Rules that stayed as they were go on with their timers; a changed rule keeps
    /// its alert and is evaluated anew; alerts of a rule that is gone are cleared as `rule_removed`, because nobody knows whether the
    /// fault is gone.
    pub fn reconfigure(&mut self, pack: Arc<Pack>, calendar: Calendar, now: Timestamp, changes: &mut Changes) {
        self.incidents.reconfigure(&pack);
        self.pack = pack;
        self.calendar = calendar;
        self.part = self.calendar.part_of_day(now);
        self.other_rules(&Subject::Site, "site", now, changes);
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        for id in agents {
            self.other_rules(&Subject::Agent(id), "agent", now, changes);
        }
        let devices = self.devices.values().map(|device| (device.id.clone(), device.kind.clone()));
        let devices: Vec<(DeviceId, Arc<str>)> = devices.collect();
        for (id, kind) in devices {
            self.other_rules(&Subject::Device(id), &kind, now, changes);
        }
        self.find_sources();
        self.release_unexplained(now);
        self.evaluate_all(now, changes);
    }

    /// What was a consequence by the standards before may not be one by these.
    fn release_unexplained(&mut self, now: Timestamp) {
        let causes = self.causes();
        let explained =
            |(subject, incident): &(&Subject, &Incident)| causes.of(&self.labels(subject, &incident.rule)).is_some();
        let explained = self.incidents.iter().filter(explained).map(|(_, incident)| incident.id).collect();
        self.incidents.release_unless(&explained, now);
    }

    fn other_rules(&mut self, subject: &Subject, kind: &str, now: Timestamp, changes: &mut Changes) {
        let (rules, mut out) = (self.pack.kinds.get(kind).cloned(), Vec::new());
        let Some(watch) = self.watch_of(subject) else { return };
        watch.change_kind(rules, subject, now, &mut out);
        self.collect(subject, out, now, changes);
    }

    fn evaluate_all(&mut self, now: Timestamp, changes: &mut Changes) {
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        let devices: Vec<DeviceId> = self.devices.keys().cloned().collect();
        self.evaluate_site(now, changes);
        for agent in &agents {
            self.evaluate_agent(agent, now, changes);
        }
        for device in &devices {
            self.evaluate_device(device, now, changes);
        }
    }
}
