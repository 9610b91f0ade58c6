//! A site at work: every message and every tick passes through here and becomes [`Changes`]. Nothing is stored or sent from here; the
//! shell does that, in one transaction, and only then acknowledges.

mod by_hand;
mod past;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use lobby_contract::{AgentId, Birth, Data, Death, DeviceId, FactValue, Lost, Order, Reach, Record, SiteId};

use crate::{
    agent::{Agent, Link},
    alert::{AlertId, Clear, ClearReason, Step, Subject},
    calendar::{Calendar, PartOfDay},
    condition::Sample,
    delivery::{Arrival, Stream},
    device::{Device, Last, Life, LinkWord, State},
    incidents::{About, Incident, Incidents},
    inhibit::Labels,
    maintenance, matchers,
    pack::Pack,
    restraint::Restraint,
    rule::{Effect, Kept, Phase, Rule},
    time::{Span, Timestamp},
    watch::{Outcome, Scene, Watch},
};

pub use crate::changes::{AlertChange, Cause, Changes, Complaint, LinkChange, NewRecord};

/// How long records may overtake one another before a gap is asked for.
const REORDER_WINDOW: Span = Span::from_secs(5);
/// Agents that were lost within this time of one another were lost together: by the site, not each by itself.
const TOGETHER: Span = Span::from_secs(60);
/// After a start of the hub, causes may not have been heard of for this long.
const WARM_UP: Span = Span::from_secs(90);
/// How often an agent that has announced nothing, or not everything, is asked to.
const ASK_FOR_BIRTH_EVERY: Span = Span::from_secs(10);

/// How often the state of the site as a whole counts as another sample.
const SAMPLE_SITE_EVERY: Span = Span::from_secs(10);

/// How many ms apart agents are asked for their births, and over how long at most: far less than any agent's warm-up.
const BIRTHS_APART_MS: i64 = 2;
const BIRTHS_WITHIN: Span = Span::from_secs(20);

/// The state of one site.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name in topics and addresses.
    pub id: SiteId,
    /// When it is open.
    pub calendar: Calendar,
    pub(crate) pack: Arc<Pack>,
    pub(crate) agents: BTreeMap<AgentId, Watched>,
    pub(crate) devices: BTreeMap<DeviceId, Device>,
    pub(crate) watch: Watch,
    pub(crate) incidents: Incidents,
    /// Where a device's life begins.
    admission: Life,
    restraints: Arc<[Restraint]>,
    pub(crate) sampled_at: Option<Timestamp>,
    pub(crate) part: PartOfDay,
    /// When each device's state will next change by the mere passing of time; entries may be out of date, never missing.
    pub(crate) due: BinaryHeap<Reverse<(Timestamp, DeviceId)>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) agent: Agent,
    pub(crate) watch: Watch,
    pub(crate) asked_for_birth: Option<Timestamp>,
    /// The link that was last told of.
    told: Option<LinkWord>,
    /// The last sample for its rules: its link and when.
    pub(crate) sampled: Option<(LinkWord, Timestamp)>,
    /// No birth of it since the hub's start or its last connection to the broker.
    unborn: bool,
    /// When it is to be asked for one.
    pub(crate) birth_due: Option<Timestamp>,
}

/// What was stored of a site, from which it goes on after a restart.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its agents; their links are not believed.
    pub agents: Vec<Agent>,
    /// Its devices with their last record; their rules are set from `phases`.
    pub devices: Vec<Device>,
    /// Where each rule stood that was not at rest.
    pub phases: Vec<(Subject, Box<str>, Kept)>,
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

/// Why a device cannot be moved to another stage of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LifeError {
    /// There is no such device.
    #[error("the site has no device of that name")]
    NotFound,
    /// The stages do not follow one another.
    #[error("a device that is {} cannot become {}", from.as_str(), to.as_str())]
    NotNow {
        /// Where it stands.
        from: Life,
        /// Where it was to go.
        to: Life,
    },
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
            device.watch = Watch::new(self.pack.kinds.get(&device.kind).cloned());
            device.state_since = Some((State::Unknown, now));
            self.devices.insert(device.id.clone(), device);
        }
        for (subject, rule, kept) in stored.phases {
            if !self.watch_of(&subject).is_some_and(|watch| watch.restore(&rule, kept)) {
                changes.phases.insert((subject, rule), Kept::default());
            }
        }
        self.incidents.warm_up(now + WARM_UP);
        for open in stored.open_alerts {
            self.restore_alert(open, now, changes);
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
        let about = self.about(&subject);
        let step = match victim_of {
            Some(source) => Step::Victim(source),
            None if has_ticket => Step::Open,
            None if known.ticket.is_none() && about.life.pages() => Step::None,
            None => Step::Later,
        };
        self.incidents.restore(subject, Incident::restored(id, known, since, step, about.labels));
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
    pub(crate) fn about(&self, subject: &Subject) -> About {
        let labels = Labels::of(subject);
        match subject {
            Subject::Device(id) => self.devices.get(id).map(About::of).unwrap_or_default(),
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

    /// A person moves a device to another stage of its life.
    pub fn set_life(
        &mut self,
        id: &DeviceId,
        to: Life,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), LifeError> {
        let device = self.devices.get_mut(id).ok_or(LifeError::NotFound)?;
        let from = device.life;
        if from != to && !from.may_become(to) {
            return Err(LifeError::NotNow { from, to });
        }
        device.life = to;
        let mut outcomes = Vec::new();
        if !to.is_judged() {
            device.replay = None;
            device.watch.abandon(&Subject::Device(id.clone()), now, ClearReason::Retired, &mut outcomes);
        }
        let about = About::of(device);
        self.collect(&Subject::Device(id.clone()), &about, outcomes, now, changes);
        changes.devices.insert(id.clone());
        self.evaluate_device(id, now, changes);
        Ok(())
    }

    /// Takes in what came of an evaluation.
    pub(crate) fn collect(
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

    pub(crate) fn watch_of(&mut self, subject: &Subject) -> Option<&mut Watch> {
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
        self.devices.values()
    }

    /// The device of that name.
    pub fn device(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    /// Whether the hub hears the agent of a device.
    pub fn link_of(&self, device: &Device) -> Link {
        self.agent(&device.agent).map_or(Link::Unverified { since: Timestamp::default() }, |agent| agent.link)
    }

    /// The part of the site's day at its last tick.
    pub fn part_of_day(&self) -> PartOfDay {
        self.part
    }

    /// An agent announced itself.
    pub fn birth(&mut self, agent: &AgentId, birth: &Birth, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        if watched.agent.is_past(birth) {
            return;
        }
        watched.agent.clock.observe(birth.sent_at, now);
        watched.agent.version.clone_from(&birth.agent.version);
        watched.agent.queued = birth.queued;
        (watched.asked_for_birth, watched.unborn, watched.birth_due) = (None, false, None);
        if let Some(least) = birth.devices.iter().map(|device| device.every_ms).min() {
            watched.agent.heartbeat =
                Span::from_millis(i64::try_from(least).unwrap_or(i64::MAX)).max(Span::from_secs(5));
        }
        let link_changed = watched.agent.born(birth, now);
        if watched.agent.clock.is_suspect() {
            let behind = watched.agent.clock.behind_millis();
            let detail = format!("the agent's clock is {behind} ms behind the hub's; times are corrected by that");
            changes.complain(agent, None, Cause::ClockSuspect, detail);
        }
        changes.agents.insert(agent.clone());
        for device in self.devices.values_mut().filter(|device| device.agent == *agent) {
            if device.announced && !birth.devices.iter().any(|info| info.id == device.id) {
                device.announced = false;
                changes.devices.insert(device.id.clone());
            }
        }
        for info in &birth.devices {
            self.announce(agent, info, now, changes);
        }
        if link_changed {
            self.link_changed(agent, now, changes);
        }
    }

    fn announce(&mut self, agent: &AgentId, info: &lobby_contract::DeviceInfo, now: Timestamp, changes: &mut Changes) {
        let admission = self.admission;
        let device = self
            .devices
            .entry(info.id.clone())
            .or_insert_with(|| Device { life: admission, ..Device::new(info.id.clone(), agent.clone()) });
        let mut differs = device.announced_as(info, agent);
        if device.kind != info.kind {
            differs = true;
            device.kind.clone_from(&info.kind);
            let mut outcomes = Vec::new();
            let subject = Subject::Device(info.id.clone());
            device.replay = None;
            device.watch.change_kind(self.pack.kinds.get(&info.kind).cloned(), &subject, now, &mut outcomes);
            let (about, is_known) = (About::of(device), device.watch.kind().is_some());
            self.collect(&subject, &about, outcomes, now, changes);
            if !is_known {
                let kinds: Vec<&str> = self.pack.kinds.keys().map(|kind| &**kind).collect();
                let detail = format!(
                    "no kind `{}` in the standards pack, which has {}: the device's records are stored, not judged",
                    info.kind,
                    kinds.join(", ")
                );
                changes.complain(agent, Some(&info.id), Cause::UnknownKind, detail);
            }
        }
        if differs {
            changes.devices.insert(info.id.clone());
        }
        self.evaluate_device(&info.id, now, changes);
    }

    /// Records came.
    pub fn data(&mut self, agent: &AgentId, data: Data, now: Timestamp, changes: &mut Changes) {
        let known = self.agents.contains_key(agent);
        let watched = self.watched(agent, now);
        watched.agent.clock.observe(data.sent_at, now);
        let clock = watched.agent.clock;
        let session = (watched.agent.epoch, watched.agent.session);
        let link_changed = watched.agent.heard(data.epoch, data.session, now);
        let current = watched.agent.epoch;
        let session_changed = session != (watched.agent.epoch, watched.agent.session);
        let ask_for_birth = watched.unborn && watched.birth_due.is_none();
        let born_at = watched.agent.born_at();
        let stream = watched.agent.streams.entry(data.epoch).or_insert_with(|| Stream::opened(now));
        let (before, counted) = (stream.committed(), changes.duplicates);
        let lost = data.oldest.map(|oldest| stream.starts_at(oldest)).unwrap_or_default();
        let mut news = !lost.is_empty();
        changes.lost.extend(lost.into_iter().map(|(from, to)| (agent.clone(), Lost { epoch: data.epoch, from, to })));
        for refused in data.refused {
            if let Some(seq) = refused.seq.filter(|seq| *seq > 0)
                // It will never become readable: waiting for it would hold up everything behind it.
                && stream.refuse(seq)
            {
                changes.unreadable.push((agent.clone(), data.epoch, seq));
                news = true;
            }
            let detail = format!("entry {} of the message is no record: {}", refused.index, refused.reason);
            changes.complain(agent, None, Cause::BadRecord, detail);
        }
        let mut fresh = Vec::with_capacity(data.records.len());
        let mut had_waited = 0;
        for record in data.records {
            had_waited += u64::from(born_at.is_some_and(|born_at| record.at <= born_at));
            match stream.take(record.seq) {
                Arrival::Duplicate => changes.duplicates += 1,
                Arrival::New | Arrival::BeforeBase => {
                    stream.delayed(now.since(clock.corrected(record.at)), now);
                    fresh.push(record);
                }
            }
        }
        stream.note(now);
        // A repeat is news for the ledger, which is as durable as the records.
        news |= stream.committed() != before || !fresh.is_empty() || changes.duplicates != counted;
        watched.agent.delivered(had_waited);
        watched.agent.rate.observe(u32::try_from(fresh.len()).unwrap_or(u32::MAX), now);
        if news {
            changes.streams.insert((agent.clone(), data.epoch));
        }
        changes.acks.insert((agent.clone(), data.epoch));
        if !known || session_changed {
            changes.agents.insert(agent.clone());
        }
        if ask_for_birth {
            self.ask_for_birth(agent, now, changes);
        }
        if link_changed {
            self.link_changed(agent, now, changes);
        }
        for record in fresh {
            let at = clock.corrected(record.at);
            // What an agent found out before its last start says nothing of the present.
            let age = if data.epoch < current { None } else { clock.age(record.at, data.sent_at, now) };
            self.record(agent, data.epoch, &record, (at, age), now, changes);
            let (agent, clock_suspect) = (agent.clone(), clock.is_suspect());
            changes.records.push(NewRecord { agent, epoch: data.epoch, record, received_at: now, at, clock_suspect });
        }
    }

    fn record(
        &mut self,
        agent: &AgentId,
        epoch: u64,
        record: &Record,
        (at, age): (Timestamp, Option<Span>),
        now: Timestamp,
        changes: &mut Changes,
    ) {
        if !self.devices.get(&record.device).is_some_and(|device| device.announced && device.agent == *agent) {
            self.ask_for_birth(agent, now, changes);
        }
        let admission = self.admission;
        let device = self.devices.entry(record.device.clone()).or_insert_with(|| {
            changes.devices.insert(record.device.clone());
            Device { life: admission, ..Device::new(record.device.clone(), agent.clone()) }
        });
        if device.agent != *agent {
            let detail = format!("the device belongs to agent `{}`: the record is stored, not judged", device.agent);
            changes.complain(agent, Some(&record.device), Cause::ForeignDevice, detail);
            return;
        }
        let order = (epoch, record.seq);
        // A record older than the newest one processed, or too old to tell the present, is history: it never moves a live state.
        let newest = device.last.as_ref().is_none_or(|last| last.order < order);
        if !newest || age.is_none_or(|age| age > device.fresh_for()) {
            // Of what is from before the first known record, only the database can tell whether it has been told before.
            let stream = self.agents.get(agent).and_then(|watched| watched.agent.streams.get(&epoch));
            if stream.is_none_or(|stream| record.seq > stream.base()) {
                let (sample, _) = checked(agent, device, None, record, changes);
                self.replay(&record.device, order, &sample, at, changes);
            }
            return;
        }
        let was_known = device.fresh_until().is_some_and(|until| now <= until);
        let follows = device.replay.as_ref().is_some_and(|replay| replay.goes_on(order, at, device.fresh_for()));
        device.count_until(now);
        let before = device.last.take().map(|last| last.sample);
        let (sample, same) = checked(agent, device, before, record, changes);
        device.last = Some(Last { order, at, received_at: now, sample });
        // Where nothing is wrong and nothing has changed, no rule can decide anything.
        if same && was_known && !follows && device.watch.is_quiet() {
            return;
        }
        if follows {
            self.catch_up(&record.device, order, at, changes);
        }
        self.judge(&record.device, true, now, changes);
        self.settle_replay(&record.device);
    }

    /// A session ended.
    pub fn death(&mut self, agent: &AgentId, death: &Death, now: Timestamp, changes: &mut Changes) {
        if self.agents.get_mut(agent).is_some_and(|watched| watched.agent.died(death, now)) {
            changes.agents.insert(agent.clone());
            self.link_changed(agent, now, changes);
        }
    }

    /// An agent no longer has some records.
    pub fn lost(&mut self, agent: &AgentId, lost: &Lost, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        let stream = watched.agent.streams.entry(lost.epoch).or_insert_with(|| Stream::opened(now));
        let new = stream.give_up(lost.from, lost.to);
        stream.note(now);
        changes.agents.insert(agent.clone());
        changes.streams.insert((agent.clone(), lost.epoch));
        changes.acks.insert((agent.clone(), lost.epoch));
        changes.lost.extend(new.into_iter().map(|(from, to)| (agent.clone(), Lost { epoch: lost.epoch, from, to })));
    }

    /// A command ended.
    pub fn result(&mut self, agent: &AgentId, result: &lobby_contract::CommandResult, changes: &mut Changes) {
        if !result.ok {
            let error = result.error.as_deref().unwrap_or("no reason given");
            let detail = format!("command `{}` failed: {error}", result.id);
            changes.complain(agent, None, Cause::CommandFailed, detail);
        }
    }

    /// The connection to the broker broke: nothing is known of any agent until it is heard of again.
    pub fn broker_lost(&mut self, now: Timestamp, changes: &mut Changes) {
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        for agent in agents {
            self.watched(&agent, now).agent.unverified(now);
            self.link_changed(&agent, now, changes);
        }
    }

    /// The hub has started, or is connected to the broker anew: every agent is to be asked for its birth, each at a time of its own
    /// within `spread`, unless its birth comes before.
    pub fn ask_for_births(&mut self, spread: Span, now: Timestamp) {
        for (id, watched) in &mut self.agents {
            watched.unborn = true;
            watched.birth_due = Some(now + jitter(&self.id, id, spread));
        }
    }

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
            let Some(Reverse((_, device))) = self.due.pop() else { break };
            self.evaluate_device(&device, now, changes);
        }
        let mut incidents = std::mem::take(&mut self.incidents);
        let about = |subject: &Subject, rule: &str| {
            let watch = match subject {
                Subject::Site => Some(&self.watch),
                Subject::Agent(id) => self.agents.get(id).map(|watched| &watched.watch),
                Subject::Device(id) => self.devices.get(id).map(|device| &device.watch),
            }?;
            let (rule, phase) = watch.phases().find(|(known, _)| *known.id == *rule)?;
            let about = self.about(subject);
            let maintained = self.is_maintained(&about.labels, rule, now);
            Some((About { maintained, ..about }, matches!(phase, Phase::Firing { .. })))
        };
        incidents.tick(about, &self.pack.inhibitions, now, changes);
        self.incidents = incidents;
    }

    fn tick_agent(&mut self, id: &AgentId, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(id, now);
        for (epoch, stream) in &mut watched.agent.streams {
            if stream.settle(now) {
                changes.streams.insert((id.clone(), *epoch));
                changes.acks.insert((id.clone(), *epoch));
            }
            if let Some((from, to)) = stream.gap_to_ask(now, REORDER_WINDOW) {
                changes.orders.push((id.clone(), Order::Resend { epoch: Some(*epoch), from, to }));
                changes.streams.insert((id.clone(), *epoch));
            }
        }
        if watched.birth_due.take_if(|due| *due <= now).is_some() {
            self.ask_for_birth(id, now, changes);
        }
        let watched = self.watched(id, now);
        if watched.agent.tick(now) {
            self.link_changed(id, now, changes);
        } else {
            self.evaluate_agent(id, now, changes);
        }
    }

    fn watched(&mut self, id: &AgentId, now: Timestamp) -> &mut Watched {
        let rules = &self.pack;
        self.agents.entry(id.clone()).or_insert_with(|| Watched::new(Agent::new(id.clone(), now), rules))
    }

    fn ask_for_birth(&mut self, agent: &AgentId, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        if watched.asked_for_birth.is_none_or(|asked| now.since(asked) >= ASK_FOR_BIRTH_EVERY) {
            watched.asked_for_birth = Some(now);
            changes.orders.push((agent.clone(), Order::Rebirth));
        }
    }

    fn link_changed(&mut self, agent: &AgentId, now: Timestamp, changes: &mut Changes) {
        changes.agents.insert(agent.clone());
        self.watched(agent, now).tell_link(now, changes);
        self.evaluate_agent(agent, now, changes);
        let devices: Vec<DeviceId> =
            self.devices.values().filter(|device| device.agent == *agent).map(|device| device.id.clone()).collect();
        for device in devices {
            self.evaluate_device(&device, now, changes);
        }
    }

    pub(crate) fn evaluate_agent(&mut self, id: &AgentId, now: Timestamp, changes: &mut Changes) {
        let is_ones_own = self.is_ones_own(id, now);
        let Some(watched) = self.agents.get_mut(id) else { return };
        let scene = Scene { site: &self.id, part: self.part, now, is_new: watched.is_sample(now) };
        let subject = Subject::Agent(id.clone());
        let mut outcomes = Vec::new();
        let sample = is_ones_own.then(|| agent_sample(&watched.agent, now));
        watched.watch.evaluate(&subject, sample.as_ref(), scene, &mut outcomes);
        let about = self.about(&subject);
        self.collect(&subject, &about, outcomes, now, changes);
    }

    /// Whether what is known of an agent is about it alone. While the site as a whole is cut off, or may turn out to be, the state of an
    /// agent that is down is left as it is.
    fn is_ones_own(&self, id: &AgentId, now: Timestamp) -> bool {
        let down = self.agent(id).is_some_and(|agent| matches!(agent.link, Link::Down { .. }));
        if !down || self.agents.len() < 2 {
            return true;
        }
        let doubtful = self.agents().filter(|agent| agent.is_doubtful(now)).count();
        let most = doubtful * 100 >= self.agents.len() * 60;
        !most && self.watch.effect() != Effect::Failed
    }

    pub(crate) fn evaluate_site(&mut self, now: Timestamp, changes: &mut Changes) {
        let sample = site_sample(self.agents.values().map(|watched| &watched.agent), self.incidents.held_back());
        let is_new = self.sampled_at.is_none_or(|at| now.since(at) >= SAMPLE_SITE_EVERY);
        if is_new {
            self.sampled_at = Some(now);
        }
        let scene = Scene { site: &self.id, part: self.part, now, is_new };
        let mut outcomes = Vec::new();
        self.watch.evaluate(&Subject::Site, Some(&sample), scene, &mut outcomes);
        let about = self.about(&Subject::Site);
        self.collect(&Subject::Site, &about, outcomes, now, changes);
    }

    pub(crate) fn evaluate_device(&mut self, id: &DeviceId, now: Timestamp, changes: &mut Changes) {
        self.judge(id, false, now, changes);
    }

    /// Judges a device by what is known of it now; `is_new` if its last record has just come.
    fn judge(&mut self, id: &DeviceId, is_new: bool, now: Timestamp, changes: &mut Changes) {
        let Some(mut device) = self.devices.remove(id) else { return };
        let link = self.link_of(&device);
        let scene = Scene { site: &self.id, part: self.part, now, is_new };
        let subject = Subject::Device(id.clone());
        let mut outcomes = Vec::new();
        if device.life.is_judged() {
            device.judge(link, scene, &mut outcomes);
        }
        let state = device.verdict(link, self.part.expected(), now).state();
        if device.state_since.is_none_or(|(before, _)| before != state) {
            device.state_since = Some((state, now));
        }
        changes.touched.insert(id.clone());
        // One more millisecond, because data is still fresh in the last one.
        let stale_at = device.fresh_until().map(|until| until.shifted(1)).filter(|at| *at > now);
        if let Some(due) = device.watch.due().into_iter().chain(stale_at).min() {
            self.due.push(Reverse((due.max(now.shifted(1)), id.clone())));
        }
        let about = About::of(&device);
        self.devices.insert(id.clone(), device);
        self.collect(&subject, &about, outcomes, now, changes);
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

impl Watched {
    fn new(agent: Agent, pack: &Pack) -> Self {
        let watch = Watch::new(pack.kinds.get("agent").cloned());
        Self { agent, watch, asked_for_birth: None, told: None, sampled: None, unborn: false, birth_due: None }
    }
}

/// Over how long a hub of so many agents asks them for their births, so that their answers do not come all at once.
pub fn births_within(agents: usize) -> Span {
    let agents = i64::try_from(agents).unwrap_or(i64::MAX);
    Span::from_millis(agents.saturating_mul(BIRTHS_APART_MS)).min(BIRTHS_WITHIN)
}

/// An agent's own part of `spread`: always the same, and evenly distributed over agents (FNV-1a of its name).
fn jitter(site: &SiteId, agent: &AgentId, spread: Span) -> Span {
    let name = site.as_str().bytes().chain([b'/']).chain(agent.as_str().bytes());
    let hash =
        name.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let part = (hash ^ (hash >> 32)) % u64::try_from(spread.millis()).unwrap_or(0).max(1);
    Span::from_millis(i64::try_from(part).unwrap_or(0))
}

/// The record's sample, less what its kind does not allow, and whether it says the same as the one before. Most records of a device
/// differ in a number or two, so it is made of the one before.
fn checked(
    agent: &AgentId,
    device: &Device,
    before: Option<Sample>,
    record: &Record,
    changes: &mut Changes,
) -> (Sample, bool) {
    let kind = device.watch.kind().map(|rules| &rules.kind);
    let mut check = |name: &str, value: &mut FactValue| {
        if let Some(Err(mismatch)) = kind.and_then(|kind| kind.fact(name)).map(|fact| fact.check(value)) {
            changes.complain(agent, Some(&record.device), Cause::BadFact, mismatch.to_string());
            *value = FactValue::Unknown;
        }
    };
    let Some(mut sample) = before.filter(|before| before.facts.keys().eq(record.facts.keys())) else {
        let Record { reach, facts, faults, .. } = record;
        let mut sample = Sample { reach: *reach, facts: facts.clone(), faults: faults.clone() };
        sample.facts.iter_mut().for_each(|(name, value)| check(name, value));
        return (sample, false);
    };
    let mut same = sample.reach == record.reach && sample.faults == record.faults;
    sample.reach = record.reach;
    sample.faults.clone_from(&record.faults);
    for ((name, known), stated) in sample.facts.iter_mut().zip(record.facts.values()) {
        if known != stated {
            let known_before = std::mem::replace(known, stated.clone());
            check(name, known);
            same &= *known == known_before;
        }
    }
    (sample, same)
}

fn agent_sample(agent: &Agent, now: Timestamp) -> Sample {
    let link = match agent.link {
        Link::Unverified { .. } => FactValue::Unknown,
        known => known.word().as_str().into(),
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "a clock's offset in seconds and a count of records need no more than 52 bits"
    )]
    let (offset, backlog) = (agent.clock.behind_millis() as f64 / 1000.0, agent.backlog(now).map(|count| count as f64));
    let backlog = backlog.map_or(FactValue::Unknown, FactValue::from);
    let facts = [("link", link), ("clock_offset_s", FactValue::from(offset.abs())), ("spool", backlog)];
    Sample { reach: Reach::Ok, facts: facts.map(|(name, value)| (name.into(), value)).into(), faults: Vec::new() }
}

/// How many of these times lie within [`TOGETHER`] of one another, at most.
fn together(mut times: Vec<Timestamp>) -> u32 {
    times.sort_unstable();
    let within = |(index, first): (usize, &Timestamp)| {
        times[index..].iter().take_while(|time| time.since(*first) <= TOGETHER).count()
    };
    u32::try_from(times.iter().enumerate().map(within).max().unwrap_or(0)).unwrap_or(u32::MAX)
}

fn site_sample<'a>(agents: impl Iterator<Item = &'a Agent>, held_back: usize) -> Sample {
    let (mut all, mut lost, mut unverified) = (0u32, Vec::new(), false);
    for agent in agents {
        all += 1;
        match agent.link {
            Link::Down { since } => lost.push(since),
            Link::Unverified { .. } => unverified = true,
            Link::Up | Link::Suspect { .. } => {}
        }
    }
    let down = u32::try_from(lost.len()).unwrap_or(u32::MAX);
    let percent = |part: u32| if all == 0 { 0.0 } else { f64::from(part) * 100.0 / f64::from(all) };
    let known = |number: f64| if unverified { FactValue::Unknown } else { FactValue::Number(number) };
    let facts = [
        ("agents", FactValue::Number(f64::from(all))),
        ("agents_down", known(f64::from(down))),
        ("agents_down_percent", known(percent(down))),
        ("agents_lost_together_percent", known(percent(together(lost)))),
        ("alerts_held_back", FactValue::Number(f64::from(u32::try_from(held_back).unwrap_or(u32::MAX)))),
    ];
    Sample { reach: Reach::Ok, facts: facts.map(|(name, value)| (name.into(), value)).into(), faults: Vec::new() }
}
