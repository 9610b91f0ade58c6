//! A site after a restart: it goes on from what was stored, and believes nothing of the present.

use std::{collections::BTreeSet, sync::Arc};

use lobby_contract::DeviceId;

use super::{Changes, Site, Watched};
use crate::{
    agent::Agent,
    alert::{AlertId, Clear, ClearReason, Step, Subject},
    changes::AlertChange,
    device::{Device, State},
    incidents::Incident,
    rule::{Kept, Rule},
    time::Timestamp,
    trace::Received,
    watch::Watch,
};

/// What was stored of a site, from which it goes on after a restart.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its agents; their links are not believed.
    pub agents: Vec<Agent>,
    /// Its devices with their last record; their rules are set from `phases`.
    pub devices: Vec<Device>,
    /// Where each rule stood that was not at rest.
    pub phases: Vec<(Subject, Box<str>, Kept)>,
    /// Of agents that were in the midst of telling the past, the last records of their devices, in the order of each agent.
    pub past: Vec<(DeviceId, Received)>,
    /// The open alerts.
    pub open_alerts: Vec<OpenAlert>,
}

/// An open alert, as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenAlert {
    /// Its id.
    pub id: AlertId,
    /// What it is about.
    pub subject: Subject,
    /// The rule's id.
    pub rule: Box<str>,
    /// Since when the fault has been there.
    pub since: Timestamp,
    /// When it was raised.
    pub opened_at: Timestamp,
    /// Whether it has a ticket.
    pub has_ticket: bool,
    /// The alert whose ticket it shares, as its consequence.
    pub victim_of: Option<AlertId>,
}

impl Site {
    /// A site as it was stored. Nothing is believed of the present: links are unverified, and the time since counts for no timer. Alerts whose rule
    /// the pack no longer has are cleared as such.
    pub fn restore(&mut self, stored: Stored, now: Timestamp, changes: &mut Changes) {
        for mut agent in stored.agents {
            agent.unverified(now);
            let mut watched = Watched::new(agent, &self.pack);
            watched.tell_link(now, changes);
            self.agents.insert(watched.agent.id.clone(), watched);
        }
        for mut device in stored.devices {
            device.watch = Watch::new(self.pack.kinds.get(&*device.kind).cloned());
            device.state_since = Some((State::Unknown, now));
            (device.kind, device.place) = (self.shared.text(&device.kind), self.shared.text(&device.place));
            if let Some(last) = &mut device.last {
                last.said.share(&self.shared);
            }
            if let Some(watched) = self.agents.get(&device.agent) {
                device.goes_on_from(watched.agent.epoch);
            }
            self.devices.insert(device.id.clone(), Box::new(device));
        }
        let mut alerting = Vec::new();
        for (subject, rule, kept) in stored.phases {
            if !self.watch_of(&subject).is_some_and(|watch| watch.restore(&rule, kept)) {
                changes.phases.insert((subject, rule), Kept::default());
            } else if kept.phase.alerting_since().is_some() {
                alerting.push((subject, rule));
            }
        }
        for (device, record) in stored.past {
            self.tell_again(&device, &record, changes);
        }
        self.warm_up(now);
        self.restore_alerts(stored.open_alerts, now, changes);
        self.put_back_without_alert(alerting, changes);
        self.find_sources();
    }

    /// What an earlier version stored as firing although its alert could not open fires again when the fault is next seen.
    fn put_back_without_alert(&mut self, alerting: Vec<(Subject, Box<str>)>, changes: &mut Changes) {
        for (subject, rule) in alerting {
            let has_none = self.incidents.get(&subject, &rule).is_none();
            if let Some(kept) = self.watch_of(&subject).filter(|_| has_none).and_then(|watch| watch.put_back(&rule)) {
                changes.phases.insert((subject, rule), kept);
            }
        }
    }

    /// What was told of the past before the restart is judged again, so that a fault whose end is still to come is discovered late. One that
    /// has been discovered already is the same one, or overlaps it, and is stored once.
    fn tell_again(&mut self, id: &DeviceId, record: &Received, changes: &mut Changes) {
        let was_late = |device: &Device| record.received_at.since(record.at) > device.fresh_for();
        if self.device(id).is_some_and(was_late) {
            self.replay(id, record.order, &record.sample, record.at, changes);
        }
    }

    fn restore_alerts(&mut self, stored: Vec<OpenAlert>, now: Timestamp, changes: &mut Changes) {
        let known = stored.into_iter().map(|open| (self.firing(&open), open)).collect::<Vec<_>>();
        let still_open: BTreeSet<AlertId> =
            known.iter().filter(|(rule, _)| rule.is_some()).map(|(_, open)| open.id).collect();
        for (firing, open) in known {
            let OpenAlert { id, subject, rule, since, opened_at, has_ticket, victim_of } = open;
            let Some(firing) = firing else {
                let reason = ClearReason::RuleRemoved;
                changes.alerts.push(AlertChange::Clear(Clear { subject, rule, at: now, reason, by: "".into() }));
                continue;
            };
            let step = match victim_of {
                Some(source) => Step::Victim(source),
                None if has_ticket => Step::Open,
                // What was to be done without a ticket may not have been: it changes nothing when it is done again.
                None => Step::Later,
            };
            let mut incident = Incident::restored(id, firing, (since, opened_at), step);
            // Its cause may have ended just before the restart, or with it.
            if victim_of.is_some_and(|source| !still_open.contains(&source)) {
                incident.release(now);
            }
            self.incidents.restore(subject, incident);
        }
    }

    /// The rule of a stored alert, if it is still there and the alert is still open by it.
    fn firing(&mut self, open: &OpenAlert) -> Option<Arc<Rule>> {
        let watch = self.watch_of(&open.subject)?;
        let mut alerting = watch.phases().filter(|(_, phase)| phase.alerting_since().is_some());
        alerting.find(|(known, _)| known.id == open.rule).map(|(known, _)| Arc::clone(known))
    }
}
