//! A site at work: every message and every tick passes through here and becomes [`Changes`]. Nothing is stored or sent from here; the
//! shell does that, in one transaction, and only then acknowledges.

mod agents;
mod by_hand;
mod deaf;
mod judging;
mod life;
mod past;
mod rebase;
mod reconfigure;
mod records;
mod restart;
mod samples;
mod ticks;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use lobby_contract::{AgentId, DeviceId, SiteId};

use crate::{
    agent::{Agent, Link},
    alert::{AlertId, Subject},
    calendar::{Calendar, PartOfDay},
    device::{Device, Life},
    incidents::{About, Incident, Incidents},
    inhibit::{Causes, may_be_explained, may_explain},
    matchers::Labels,
    overlay::Facts,
    pack::Pack,
    restraint::{Restraint, active},
    rule::{Phase, Rule},
    said::{Scratch, Shared},
    time::Timestamp,
    watch::{Outcome, Watch},
};

use self::agents::Watched;

pub use self::{
    agents::births_within,
    life::LifeError,
    restart::{OpenAlert, Stored},
};
pub use crate::changes::{AlertChange, Cause, Changes, Complaint, LinkChange, NewRecord};

/// The state of one site.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name in topics and addresses.
    pub id: SiteId,
    /// When it is open.
    pub calendar: Calendar,
    pack: Arc<Pack>,
    agents: BTreeMap<AgentId, Watched>,
    devices: BTreeMap<DeviceId, Box<Device>>,
    watch: Watch,
    incidents: Incidents,
    /// Where a device's life begins.
    admission: Life,
    restraints: Arc<[Restraint]>,
    sampled_at: Option<Timestamp>,
    /// When a broker was last found that may have kept messages.
    broker_found: Option<Timestamp>,
    part: PartOfDay,
    shared: Arc<Shared>,
    scratch: Scratch,
    /// When each device's state will next change by the mere passing of time; entries may be out of date, never missing.
    due: BinaryHeap<Reverse<(Timestamp, DeviceId)>>,
}

impl Site {
    /// A site of which nothing is known yet.
    pub fn new(id: SiteId, calendar: Calendar, pack: Arc<Pack>, now: Timestamp) -> Self {
        let part = calendar.part_of_day(now);
        let watch = Watch::new(pack.kinds.get("site").cloned());
        let mut site = Self {
            id,
            calendar,
            pack,
            agents: BTreeMap::new(),
            devices: BTreeMap::new(),
            watch,
            incidents: Incidents::default(),
            admission: Life::Live,
            restraints: Arc::default(),
            sampled_at: None,
            broker_found: None,
            part,
            shared: Arc::default(),
            scratch: Scratch::default(),
            due: BinaryHeap::new(),
        };
        site.warm_up(now);
        site
    }

    /// Lets the life of devices that are first heard of from now on begin at `admission`: live, or announced, if a person is to look first.
    #[must_use]
    pub fn admitting(mut self, admission: Life) -> Self {
        self.admission = admission;
        self
    }

    /// Keeps what is the same for many devices with that of other sites.
    #[must_use]
    pub fn sharing(mut self, shared: Arc<Shared>) -> Self {
        self.shared = shared;
        self
    }

    /// From now on these silences and maintenance windows are known. While a window covers an alert, its ticket waits.
    pub fn restrained_by(&mut self, restraints: Arc<[Restraint]>) {
        self.restraints = restraints;
    }

    /// What can be matched of an alert of `rule` about `subject`, as it is now.
    fn labels<'a>(&'a self, subject: &'a Subject, rule: &'a Rule) -> Labels<'a> {
        let device = if let Subject::Device(id) = subject { self.device(id) } else { None };
        device.map_or_else(|| Labels::of(&self.id, subject), |device| Labels::of_device(&self.id, device)).by(rule)
    }

    /// The open alerts that may explain others. Nobody is told of one whose device is on trial, so it must not keep others quiet.
    fn causes(&self) -> Causes<'_, &Incident> {
        let open = self.incidents.sources().filter(|(subject, _)| self.life_of(subject) != Life::Trial);
        let open = open.map(|(subject, incident)| (self.labels(subject, &incident.rule), incident));
        Causes::among(&self.pack.inhibitions, open)
    }

    /// Finds anew which open alerts may explain others: the standards have changed, or what can be matched of a device.
    fn find_sources(&mut self) {
        let source = |(subject, incident): &(&Subject, &Incident)| {
            may_explain(&self.pack.inhibitions, &self.labels(subject, &incident.rule))
        };
        let sources = self.incidents.iter().filter(source);
        let sources = sources.map(|(subject, incident)| (subject.clone(), incident.rule.id.clone())).collect();
        self.incidents.set_sources(sources);
    }

    /// The open alert of which one of `rule` about `subject` is a consequence at present.
    fn cause_of(&self, subject: &Subject, rule: &Rule) -> Option<&Incident> {
        let labels = self.labels(subject, rule);
        if may_be_explained(&self.pack.inhibitions, &labels) { self.causes().of(&labels) } else { None }
    }

    /// The rules by which a device's alerts would be consequences of an open one at present.
    fn explained(&self, id: &DeviceId) -> Vec<Box<str>> {
        if self.incidents.sources().next().is_none() {
            return Vec::new();
        }
        let Some(device) = self.device(id) else { return Vec::new() };
        let Some(kind) = device.watch.kind() else { return Vec::new() };
        let (causes, labels) = (self.causes(), Labels::of_device(&self.id, device));
        kind.rules.iter().filter(|rule| causes.of(&labels.by(rule)).is_some()).map(|rule| rule.id.clone()).collect()
    }

    /// What lies around the alert `id` of `rule` about `subject`, raised at `opened_at`, if `cause` explains it at present.
    fn about(
        &self,
        subject: &Subject,
        rule: &Rule,
        (id, opened_at): (AlertId, Timestamp),
        cause: Option<AlertId>,
        now: Timestamp,
    ) -> About {
        let labels = self.labels(subject, rule);
        let facts = Facts { id, labels, opened_at, cleared_at: None };
        let mut active = active(&self.restraints, &facts, now);
        let heard_at = match subject {
            Subject::Device(id) => self.device(id).and_then(|device| device.last.as_ref()).map(|last| last.received_at),
            // What the hub itself sees of them is as new as now, once it sees anything.
            Subject::Agent(id) => self.agent(id).filter(|agent| !agent.is_unverified()).map(|_| now),
            Subject::Site => (!self.agents().any(Agent::is_unverified)).then_some(now),
        };
        About {
            life: self.life_of(subject),
            heard_at,
            maintained: active.any(|restraint| restraint.kind.is_maintenance()),
            cause,
            may_be_explained: may_be_explained(&self.pack.inhibitions, &labels),
        }
    }

    /// Where a subject stands in its life; only devices have one.
    fn life_of(&self, subject: &Subject) -> Life {
        let device = if let Subject::Device(id) = subject { self.device(id) } else { None };
        device.map_or(Life::Live, |device| device.life)
    }

    /// The open alerts.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The open alert of which the one of `rule` about `subject` is a consequence at present.
    pub fn inhibitor(&self, subject: &Subject, rule: &str) -> Option<AlertId> {
        self.cause_of(subject, self.pack.rule(rule)?).map(|cause| cause.id)
    }

    /// Takes in what came of an evaluation.
    fn collect(&mut self, subject: &Subject, outcomes: Vec<Outcome>, now: Timestamp, changes: &mut Changes) {
        for outcome in outcomes {
            match outcome {
                Outcome::Phase { rule, kept } => {
                    if kept.phase == Phase::Ok {
                        self.incidents.at_rest(subject, &rule.id);
                    }
                    changes.phase(subject, &rule, kept);
                }
                Outcome::Unstable(unstable) => changes.unstable.push(unstable),
                Outcome::Raise(mut raise) => {
                    if self.incidents.has_room(subject, &raise.rule.id) {
                        let cause = self.cause_of(subject, &raise.rule).map(|cause| cause.id);
                        let about = self.about(subject, &raise.rule, (raise.id, raise.at), cause, now);
                        let may_explain = may_explain(&self.pack.inhibitions, &self.labels(subject, &raise.rule));
                        self.incidents.raise(&mut raise, about, may_explain, now);
                        changes.alerts.push(AlertChange::Raise(raise));
                    } else if let Some(kept) = self.watch_of(subject).and_then(|watch| watch.put_back(&raise.rule.id)) {
                        changes.phase(subject, &raise.rule, kept);
                    }
                }
                Outcome::Clear(clear) => {
                    self.incidents.clear(subject, &clear.rule, now);
                    changes.alerts.push(AlertChange::Clear(clear));
                }
            }
        }
    }

    fn watch_of(&mut self, subject: &Subject) -> Option<&mut Watch> {
        match subject {
            Subject::Site => Some(&mut self.watch),
            Subject::Agent(id) => self.agents.get_mut(id).map(|watched| &mut watched.watch),
            Subject::Device(id) => self.devices.get_mut(id).map(|device| &mut device.watch),
        }
    }

    /// Its agents.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values().map(|watched| &watched.agent)
    }

    /// The agent of that name.
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id).map(|watched| &watched.agent)
    }

    /// Its devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().map(|device| &**device)
    }

    /// The device of that name.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id).map(|device| &**device)
    }

    /// Whether the hub hears the agent of a device.
    pub fn link_of(&self, device: &Device) -> Link {
        link(&self.agents, device)
    }

    /// The part of the site's day at its last tick.
    pub fn part_of_day(&self) -> PartOfDay {
        self.part
    }
}

/// The link of a device's agent.
fn link(agents: &BTreeMap<AgentId, Watched>, device: &Device) -> Link {
    agents.get(&device.agent).map_or(Link::Unverified { since: Timestamp::default() }, |watched| watched.agent.link)
}
