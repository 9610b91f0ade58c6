//! A site after a restart: it goes on from what was stored, and believes nothing of the present.

use std::sync::Arc;

use lobby_contract::DeviceId;

use super::{Changes, Site, Watched};
use crate::{
    agent::Agent,
    alert::{AlertId, Clear, ClearReason, Step, Subject},
    changes::AlertChange,
    device::{Device, State},
    incidents::Incident,
    rule::Kept,
    time::{Span, Timestamp},
    trace::Received,
    watch::Watch,
};

/// After a start of the hub, causes may not have been heard of for this long.
const WARM_UP: Span = Span::from_secs(90);

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
        for (subject, rule, kept) in stored.phases {
            if !self.watch_of(&subject).is_some_and(|watch| watch.restore(&rule, kept)) {
                changes.phases.insert((subject, rule), Kept::default());
            }
        }
        for (device, record) in stored.past {
            self.tell_again(&device, &record, changes);
        }
        self.incidents.warm_up(now + WARM_UP);
        for open in stored.open_alerts {
            self.restore_alert(open, now, changes);
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

    fn restore_alert(&mut self, open: OpenAlert, now: Timestamp, changes: &mut Changes) {
        let OpenAlert { id, subject, rule, since, has_ticket, victim_of } = open;
        let firing = self.watch_of(&subject).and_then(|watch| {
            let mut alerting = watch.phases().filter(|(_, phase)| phase.alerting_since().is_some());
            alerting.find(|(known, _)| known.id == rule).map(|(known, _)| Arc::clone(known))
        });
        let Some(known) = firing else {
            let reason = ClearReason::RuleRemoved;
            changes.alerts.push(AlertChange::Clear(Clear { subject, rule, at: now, reason, by: "".into() }));
            return;
        };
        let step = match victim_of {
            Some(source) => Step::Victim(source),
            None if has_ticket => Step::Open,
            None if known.ticket.is_none() && self.life_of(&subject).pages() => Step::None,
            None => Step::Later,
        };
        self.incidents.restore(subject, Incident::restored(id, known, since, step));
    }
}
