//! What agents say of themselves, how they are heard, and what is asked of them.

use std::collections::HashSet;

use lobby_contract::{AgentId, Birth, CommandResult, Death, DeviceId, DeviceInfo, Order, SiteId};

use super::{Cause, Changes, Site};
use crate::{
    agent::{Agent, LEAST_WARM_UP, Link},
    alert::Subject,
    changes::LinkChange,
    device::{Device, LinkWord, heartbeat},
    pack::Pack,
    time::{Span, Timestamp},
    watch::Watch,
};

/// How often an agent that has announced nothing, or not everything, is asked to.
const ASK_FOR_BIRTH_EVERY: Span = Span::from_secs(10);

/// How many ms apart agents are asked for their births, and over how long at most: far less than any agent's warm-up.
const BIRTHS_APART_MS: i64 = 2;
const BIRTHS_WITHIN: Span = Span::from_secs(20);
/// So many agents are asked over some seconds, however few ms that is for each: they may share a line, or a clock that asks once a second.
const CROWD: i64 = 10;
const CROWD_WITHIN: Span = Span::from_secs(3);

#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) agent: Agent,
    pub(super) watch: Watch,
    pub(super) asked_for_birth: Option<Timestamp>,
    /// The link that was last told of.
    told: Option<LinkWord>,
    /// The last sample for its rules: its link and when.
    pub(super) sampled: Option<(LinkWord, Timestamp)>,
    /// No birth of it since the hub's start or its last connection to the broker.
    pub(super) unborn: bool,
    /// When it is to be asked for one.
    pub(super) birth_due: Option<Timestamp>,
}

impl Site {
    /// An agent announced itself.
    pub fn birth(&mut self, agent: &AgentId, birth: &Birth, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        if watched.agent.is_past(birth) && !watched.agent.insists(birth, now) {
            self.ask_for_birth(agent, now, changes);
            return;
        }
        let counts_anew = birth.epoch < watched.agent.epoch;
        watched.agent.clock.observe(birth.sent_at, now);
        watched.agent.version.clone_from(&birth.agent.version);
        watched.agent.queued = birth.queued;
        // One that waited in the broker does not show that the agent is there.
        if !watched.agent.clock.waited(birth.sent_at, now) {
            (watched.asked_for_birth, watched.unborn, watched.birth_due) = (None, false, None);
        }
        if let Some(least) = birth.devices.iter().map(|device| device.every_ms).min() {
            watched.agent.heartbeat = heartbeat(least).max(Span::from_secs(5));
        }
        watched.agent.bad_devices.clear();
        for refused in &birth.refused {
            let detail = format!("entry {} of the birth is no device: {}", refused.index, refused.reason);
            watched.agent.bad_devices.push(detail.clone());
            changes.complain(agent, None, Cause::BadDevice, detail);
        }
        let link_changed = watched.agent.born(birth, now);
        if watched.agent.clock.is_suspect() {
            let behind = watched.agent.clock.behind_millis();
            let detail = format!("the agent's clock is {behind} ms behind the hub's; times are corrected by that");
            changes.complain(agent, None, Cause::ClockSuspect, detail);
        }
        changes.agents.insert(agent.clone());
        let named: HashSet<&DeviceId> = birth.devices.iter().map(|info| &info.id).collect();
        for device in self.devices.values_mut().filter(|device| device.agent == *agent) {
            if counts_anew {
                device.goes_on_from(birth.epoch);
            }
            if device.announced && !named.contains(&device.id) {
                device.announced = false;
                changes.devices.insert(device.id.clone());
            }
        }
        let mut differs = false;
        for info in &birth.devices {
            differs |= self.announce(agent, info, now, changes);
        }
        if differs {
            self.find_sources();
        }
        if link_changed {
            self.link_changed(agent, now, changes);
        }
    }

    /// Takes in what an agent says of a device. Returns whether it is anything new.
    fn announce(&mut self, agent: &AgentId, info: &DeviceInfo, now: Timestamp, changes: &mut Changes) -> bool {
        let admission = self.admission;
        let device = self
            .devices
            .entry(info.id.clone())
            .or_insert_with(|| Box::new(Device { life: admission, ..Device::new(info.id.clone(), agent.clone()) }));
        let mut differs = device.announced_as(info, agent, &self.shared);
        if *device.kind != *info.kind {
            differs = true;
            device.kind = self.shared.text(&info.kind);
            let mut outcomes = Vec::new();
            let subject = Subject::Device(info.id.clone());
            device.replay = None;
            device.watch.change_kind(self.pack.kinds.get(&info.kind).cloned(), &subject, now, &mut outcomes);
            let is_known = device.watch.kind().is_some();
            self.collect(&subject, outcomes, now, changes);
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
        differs
    }

    /// A session ended.
    pub fn death(&mut self, agent: &AgentId, death: &Death, now: Timestamp, changes: &mut Changes) {
        if self.agents.get_mut(agent).is_some_and(|watched| watched.agent.died(death, now)) {
            changes.agents.insert(agent.clone());
            self.link_changed(agent, now, changes);
        }
    }

    /// A command ended.
    pub fn result(&mut self, agent: &AgentId, result: &CommandResult, changes: &mut Changes) {
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
        self.warm_up(now);
    }

    /// The hub was connected at `at` to a broker that keeps messages while the hub is away. What agents say first that are not known yet, or
    /// have not been heard of since the connection was lost, may have waited there. The same connection again changes nothing.
    pub fn broker_found(&mut self, at: Timestamp) {
        if self.broker_found.replace(at) != Some(at) {
            for watched in self.agents.values_mut().filter(|watched| watched.agent.link != Link::Up) {
                watched.agent.clock.doubt(at);
            }
        }
    }

    /// From `now` on, for as long as any of its agents is given to be heard of, causes may be there of which nothing is known yet.
    pub(super) fn warm_up(&mut self, now: Timestamp) {
        let longest = self.agents().map(Agent::warm_up).max().unwrap_or_default();
        self.incidents.warm_up(now + longest.max(LEAST_WARM_UP));
    }

    /// The hub has started, or is connected to the broker anew: every agent is to be asked for its birth, each at a time of its own
    /// within `spread`, unless its birth comes before.
    pub fn ask_for_births(&mut self, spread: Span, now: Timestamp) {
        for (id, watched) in &mut self.agents {
            watched.unborn = true;
            watched.birth_due = Some(now + jitter(&self.id, id, spread));
        }
    }

    pub(super) fn watched(&mut self, id: &AgentId, now: Timestamp) -> &mut Watched {
        let (rules, found) = (&self.pack, self.broker_found);
        self.agents.entry(id.clone()).or_insert_with(|| {
            let mut agent = Agent::new(id.clone(), now);
            if let Some(found) = found {
                agent.clock.doubt(found);
            }
            Watched::new(agent, rules)
        })
    }

    pub(super) fn ask_for_birth(&mut self, agent: &AgentId, now: Timestamp, changes: &mut Changes) {
        let watched = self.watched(agent, now);
        if watched.asked_for_birth.is_none_or(|asked| now.since(asked) >= ASK_FOR_BIRTH_EVERY) {
            watched.asked_for_birth = Some(now);
            changes.orders.push((agent.clone(), Order::Rebirth));
        }
    }

    pub(super) fn link_changed(&mut self, agent: &AgentId, now: Timestamp, changes: &mut Changes) {
        changes.agents.insert(agent.clone());
        self.watched(agent, now).tell_link(now, changes);
        self.evaluate_agent(agent, now, changes);
        let devices: Vec<DeviceId> =
            self.devices.values().filter(|device| device.agent == *agent).map(|device| device.id.clone()).collect();
        for device in devices {
            self.evaluate_device(&device, now, changes);
        }
    }
}

impl Watched {
    pub(super) fn new(agent: Agent, pack: &Pack) -> Self {
        let watch = Watch::new(pack.kinds.get("agent").cloned());
        Self { agent, watch, asked_for_birth: None, told: None, sampled: None, unborn: false, birth_due: None }
    }

    /// Tells of the link, if it is another than was last told of.
    pub(super) fn tell_link(&mut self, at: Timestamp, changes: &mut Changes) {
        let link = self.agent.link.word();
        if self.told.replace(link) != Some(link) {
            changes.links.push(LinkChange { agent: self.agent.id.clone(), at, link });
        }
    }

    /// Whether its state counts as another sample: when its link changed, and with each heartbeat.
    pub(super) fn is_sample(&mut self, now: Timestamp) -> bool {
        let link = self.agent.link.word();
        let known = |(last, at): (LinkWord, Timestamp)| last == link && now.since(at) < self.agent.heartbeat;
        let is_new = !self.sampled.is_some_and(known);
        if is_new {
            self.sampled = Some((link, now));
        }
        is_new
    }
}

/// Over how long a hub of so many agents asks them for their births, so that their answers do not come all at once.
pub fn births_within(agents: usize) -> Span {
    let agents = i64::try_from(agents).unwrap_or(i64::MAX);
    let least = if agents < CROWD { Span::ZERO } else { CROWD_WITHIN };
    Span::from_millis(agents.saturating_mul(BIRTHS_APART_MS)).clamp(least, BIRTHS_WITHIN)
}

/// An agent's own part of `spread`: always the same, and evenly distributed over agents (FNV-1a of its name).
fn jitter(site: &SiteId, agent: &AgentId, spread: Span) -> Span {
    let name = site.as_str().bytes().chain([b'/']).chain(agent.as_str().bytes());
    let hash =
        name.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let part = (hash ^ (hash >> 32)) % u64::try_from(spread.millis()).unwrap_or(0).max(1);
    Span::from_millis(i64::try_from(part).unwrap_or(0))
}
