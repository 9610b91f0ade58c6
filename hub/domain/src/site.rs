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
    incidents::{About, Incidents},
    inhibit::Labels,
    maintenance, matchers,
    pack::Pack,
    restraint::Restraint,
    rule::{Phase, Rule},
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
    part: PartOfDay,
    /// When each device's state will next change by the mere passing of time; entries may be out of date, never missing.
    due: BinaryHeap<Reverse<(Timestamp, DeviceId)>>,
}

impl Site {
    /// A site of which nothing is known yet.
    pub fn new(id: SiteId, calendar: Calendar, pack: Arc<Pack>, now: Timestamp) -> Self {
        let part = calendar.part_of_day(now);
        let watch = Watch::new(pack.kinds.get("site").cloned());
        Self {
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
            part,
            due: BinaryHeap::new(),
        }
    }

    /// Lets the life of devices that are first heard of from now on begin at `admission`: live, or announced, if a person is to look first.
    #[must_use]
    pub fn admitting(mut self, admission: Life) -> Self {
        self.admission = admission;
        self
    }

    /// From now on these silences and maintenance windows are known. While a window covers an alert, its ticket waits.
    pub fn restrained_by(&mut self, restraints: Arc<[Restraint]>) {
        self.restraints = restraints;
    }

    /// Whether a maintenance window covers alerts of `rule` about what has these labels.
    fn is_maintained(&self, labels: &Labels, rule: &Rule, now: Timestamp) -> bool {
        let labels = matchers::Labels {
            site: self.id.as_str(),
            device: labels.device.as_ref().map_or("", |device| device.as_str()),
            agent: labels.agent.as_ref().map_or("", |agent| agent.as_str()),
            kind: &labels.kind,
            place: &labels.place,
            rule: &rule.id,
            severity: rule.severity.as_str(),
        };
        !self.restraints.is_empty() && maintenance::covered(&self.restraints, &labels, now).is_some()
    }

    /// What a subject is like at present.
    fn about(&self, subject: &Subject) -> About {
        let labels = Labels::of(subject);
        match subject {
            Subject::Device(id) => self.device(id).map(About::of).unwrap_or_default(),
            Subject::Agent(id) => {
                let heard_at = self.agent(id).and_then(|agent| agent.last_seen);
                About { labels, life: Life::Live, heard_at, maintained: false }
            }
            Subject::Site => About { labels, life: Life::Live, heard_at: None, maintained: false },
        }
    }

    /// The open alerts.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The open alert of which the one of `rule` about `subject` is a consequence at present.
    pub fn inhibitor(&self, subject: &Subject, rule: &str) -> Option<AlertId> {
        let labels = self.about(subject).labels;
        self.incidents.inhibitor(rule, &labels, &self.pack.inhibitions).map(|(_, incident)| incident.id)
    }

    /// Takes in what came of an evaluation.
    fn collect(
        &mut self,
        subject: &Subject,
        about: &About,
        outcomes: Vec<Outcome>,
        now: Timestamp,
        changes: &mut Changes,
    ) {
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
                        let maintained = self.is_maintained(&about.labels, &raise.rule, now);
                        let about = About { maintained, ..about.clone() };
                        self.incidents.raise(&mut raise, &about, &self.pack.inhibitions, now);
                        changes.alerts.push(AlertChange::Raise(raise));
                    } else if let Some(watch) = self.watch_of(subject) {
                        watch.put_back(&raise.rule.id);
                        changes.phase(subject, &raise.rule, Phase::Pending { since: raise.since }.into());
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
        self.agent(&device.agent).map_or(Link::Unverified { since: Timestamp::default() }, |agent| agent.link)
    }

    /// The part of the site's day at its last tick.
    pub fn part_of_day(&self) -> PartOfDay {
        self.part
    }
}

impl About {
    fn of(device: &Device) -> Self {
        let labels = Labels {
            device: Some(device.id.clone()),
            agent: Some(device.agent.clone()),
            kind: device.kind.clone(),
            place: device.place.clone(),
        };
        let heard_at = device.last.as_ref().map(|last| last.received_at);
        Self { labels, life: device.life, heard_at, maintained: false }
    }
}
