//! What people do to the alerts of a site, and what is known of an alert at the moment.

use super::{
    Changes, Site,
    samples::{agent_sample, site_sample},
};
use crate::{
    agent::Agent,
    alert::{ClearRefusal, Subject},
    condition::Sample,
    incidents::Incident,
    overlay::Live,
    said::Said,
    time::Timestamp,
};

impl Site {
    /// A person says that the fault of an open alert is gone. It is cleared as its rule would clear it, unless the fault is there or
    /// nobody can tell.
    pub fn clear_by_hand(
        &mut self,
        subject: &Subject,
        rule: &str,
        by: &str,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), ClearRefusal> {
        let sample = self.sample_of(subject, now);
        let watch = self.watch_of(subject).ok_or(ClearRefusal::NotOpen)?;
        let outcomes = watch.clear_by_hand(subject, rule, sample.as_ref(), by, now)?;
        self.collect(subject, outcomes.into(), now, changes);
        if let Subject::Device(id) = subject {
            self.evaluate_device(id, now, changes);
        }
        Ok(())
    }

    /// What is known of the open alert of a rule about a subject that its row does not tell.
    pub fn live(&self, subject: &Subject, rule: &str, now: Timestamp) -> Live {
        let unverified = match subject {
            Subject::Device(id) => {
                self.device(id).is_none_or(|device| device.known(self.link_of(device), now).is_none())
            }
            Subject::Agent(id) => self.agent(id).is_none_or(Agent::is_unverified),
            Subject::Site => self.agents().any(Agent::is_unverified),
        };
        let cause = self.pack.rule(rule).and_then(|rule| self.cause_of(subject, rule));
        let left_of = || self.incidents.get(subject, rule).and_then(Incident::left_of);
        let inhibited = cause.map(|cause| cause.id).or_else(left_of);
        let watch = match subject {
            Subject::Device(id) => self.devices.get(id).map(|device| &device.watch),
            Subject::Agent(id) => self.agents.get(id).map(|watched| &watched.watch),
            Subject::Site => Some(&self.watch),
        };
        let flapping = watch.is_some_and(|watch| watch.flapping(rule));
        Live { life: self.life_of(subject), inhibited, flapping, unverified }
    }

    fn sample_of(&self, subject: &Subject, now: Timestamp) -> Option<Sample> {
        match subject {
            Subject::Device(id) => {
                let device = self.device(id)?;
                device.known(self.link_of(device), now).map(Said::sample)
            }
            Subject::Agent(id) => self.agent(id).map(|agent| agent_sample(agent, now)),
            Subject::Site => Some(site_sample(self.agents(), self.incidents.held_back(now))),
        }
    }
}
