//! What is true, and whether what is promised is kept.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{AgentId, DeviceId};
use lobby_domain::{agent::Link, alert::Subject, device::State, site::AlertChange};

use super::{
    agent::{Agent, Truth},
    hub::{Hub, truth_of},
};

/// A record may be so much older than three heartbeats of its device when it comes, because a clock may be wrong by so much unnoticed,
/// in ms. Some seconds more are for the way.
const CLOCK_TOLERANCE: i64 = 120_000 + 30_000;

/// What an agent found out, as it truly was.
#[derive(Debug, Clone)]
pub struct Made {
    device: DeviceId,
    at: i64,
    /// How far the agent's clock was ahead then.
    clock: i64,
    truth: Truth,
    episode: u32,
}

/// Everything that was promised and given up.
#[derive(Debug, Default)]
pub struct Oracle {
    made: BTreeMap<(AgentId, u64), Vec<Made>>,
    /// Up to which `seq` everything was on disk at some moment.
    accepted: BTreeMap<(AgentId, u64), u64>,
    /// Ranges that an agent's spool said to be lost.
    lost: BTreeMap<(AgentId, u64), BTreeSet<(u64, u64)>>,
    acked: BTreeMap<(AgentId, u64), u64>,
    raised: BTreeSet<(Subject, Box<str>, u32)>,
}

impl Oracle {
    /// An agent made a record.
    pub fn made(&mut self, agent: &Agent, device: usize, now: i64) {
        let key = (agent.id.clone(), agent.epoch());
        let device = &agent.devices[device];
        let made = Made {
            device: device.id.clone(),
            at: now,
            clock: agent.clock,
            truth: device.truth,
            episode: device.episode,
        };
        self.made.entry(key).or_default().push(made);
    }

    /// Looks into an agent's spool.
    pub fn look(&mut self, agent: &Agent) -> Result<(), String> {
        let Some(spool) = &agent.spool else { return Ok(()) };
        if spool.unsaved() == 0 && agent.seq > 0 {
            self.accepted.insert((agent.id.clone(), agent.epoch()), agent.seq);
        }
        for lost in spool.lost() {
            self.lost.entry((agent.id.clone(), lost.epoch)).or_default().insert((lost.from, lost.to));
            if !agent.may_lose {
                let (epoch, from, to) = (lost.epoch, lost.from, lost.to);
                // What never was on disk may be gone; but then nobody counts on it.
                let accepted = self.accepted.get(&(agent.id.clone(), epoch)).copied().unwrap_or(0);
                if from <= accepted {
                    return Err(format!(
                        "agent {} lost {from}..={to} of {epoch} on a disk that lost nothing",
                        agent.id
                    ));
                }
            }
        }
        Ok(())
    }

    fn is_lost(&self, agent: &AgentId, epoch: u64, seq: u64) -> bool {
        let ranges = self.lost.get(&(agent.clone(), epoch));
        ranges.is_some_and(|ranges| ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq)))
    }

    /// How many records were said to be lost.
    pub fn lost_count(&self) -> u64 {
        let count = |ranges: &BTreeSet<(u64, u64)>| {
            let (mut count, mut reached) = (0, 0);
            for (from, to) in ranges {
                count += (to + 1).saturating_sub(*from.max(&(reached + 1)));
                reached = reached.max(*to);
            }
            count
        };
        self.lost.values().map(count).sum()
    }

    /// The hub says that everything up to `committed` is stored.
    pub fn acked(&mut self, hub: &Hub, agent: &AgentId, epoch: u64, committed: u64) -> Result<(), String> {
        let before = self.acked.get(&(agent.clone(), epoch)).copied().unwrap_or(0);
        for seq in before + 1..=committed {
            if !hub.store.records.contains_key(&(agent.clone(), epoch, seq)) && !self.is_lost(agent, epoch, seq) {
                return Err(format!("record {seq} of {agent} {epoch} is acknowledged and not stored"));
            }
        }
        self.acked.insert((agent.clone(), epoch), committed.max(before));
        Ok(())
    }

    /// A batch was committed.
    pub fn committed(&mut self, hub: &Hub, alerts: &[AlertChange]) -> Result<(), String> {
        for change in alerts {
            match change {
                AlertChange::Raise(raise) => {
                    let Subject::Device(id) = &raise.subject else { continue };
                    let mut shown = None;
                    for (agent, epoch, seq) in hub.evidence.get(&raise.id).into_iter().flatten() {
                        let made = self.find(agent, *epoch, *seq)?;
                        if Some(made.truth) == truth_of(&raise.rule.id) {
                            shown = Some(made.episode);
                        }
                    }
                    let Some(episode) = shown else {
                        return Err(format!("{} is raised about {id}, which never said so", raise.rule.id));
                    };
                    if !self.raised.insert((raise.subject.clone(), raise.rule.id.clone(), episode)) {
                        return Err(format!("{} is raised twice for one fault of {id}", raise.rule.id));
                    }
                }
                AlertChange::Clear(clear) if clear.reason != lobby_domain::alert::ClearReason::Recovered => {
                    return Err(format!("{} about {} is cleared: {:?}", clear.rule, clear.subject, clear.reason));
                }
                AlertChange::Clear(_) | AlertChange::Follow(_) | AlertChange::Unmuted(..) => {}
            }
        }
        Ok(())
    }

    fn find(&self, agent: &AgentId, epoch: u64, seq: u64) -> Result<&Made, String> {
        let made = self
            .made
            .get(&(agent.clone(), epoch))
            .and_then(|made| made.get(usize::try_from(seq).ok()?.checked_sub(1)?));
        made.ok_or_else(|| format!("record {seq} of {agent} {epoch} was never made"))
    }

    /// What the hub shows of each device.
    pub fn look_at_pages(&self, hub: &Hub, agents: &[Agent], now: i64) -> Result<(), String> {
        let at = hub.now(now);
        let expected = hub.site.part_of_day().expected();
        for device in hub.site.devices() {
            if device.verdict(hub.site.link_of(device), expected, at).state() != State::Normal {
                continue;
            }
            let id = &device.id;
            if !hub.heard.contains(&device.agent) {
                return Err(format!("{id} is shown as normal, and nothing has been heard of its agent"));
            }
            let Some(last) = &device.last else { return Err(format!("{id} is shown as normal without a record")) };
            let made = self.find(&device.agent, last.order.0, last.order.1)?;
            if made.truth != Truth::Fine {
                return Err(format!("{id} is shown as normal, and has said that it is {:?}", made.truth));
            }
            // By how much a clock was set since, nobody can see.
            let set = agents.iter().find(|agent| agent.id == device.agent).map_or(0, |agent| agent.clock - made.clock);
            let (age, most) = (now - made.at, device.fresh_for().millis() * 2 + CLOCK_TOLERANCE + set.abs());
            if age > most {
                return Err(format!("{id} is shown as normal by a record {age} ms old, the most is {most}"));
            }
        }
        Ok(())
    }

    /// When everything has settled: nothing missing, nothing twice, everything as it truly is.
    pub fn settled(&self, hub: &Hub, agents: &[Agent], now: i64) -> Result<(), String> {
        for ((agent, epoch, seq), row) in &hub.store.records {
            if row.copies != 1 {
                return Err(format!("record {seq} of {agent} {epoch} is stored {} times", row.copies));
            }
            let made = self.find(agent, *epoch, *seq)?;
            if made.device != row.record.device {
                return Err(format!("record {seq} of {agent} {epoch} is another one than was made"));
            }
        }
        for ((agent, epoch), accepted) in &self.accepted {
            for seq in 1..=*accepted {
                if !hub.store.records.contains_key(&(agent.clone(), *epoch, seq)) {
                    if !self.is_lost(agent, *epoch, seq) {
                        return Err(format!("record {seq} of {agent} {epoch} was accepted and is lost"));
                    }
                    if !hub.store.accounts_for(agent, *epoch, seq) {
                        return Err(format!("the hub does not know that record {seq} of {agent} {epoch} is lost"));
                    }
                }
            }
        }
        let mut faults = BTreeSet::new();
        for agent in agents {
            let queued = agent.spool.as_ref().map_or(1, lobby_agent::spool::Spool::queued);
            if queued > 0 {
                return Err(format!("{queued} records wait in the spool of {}", agent.id));
            }
            for device in &agent.devices {
                Self::settled_device(hub, device, now)?;
                faults.extend(device.truth.rule().map(|rule| (Subject::Device(device.id.clone()), rule)));
            }
        }
        // Nobody sees whether a fault is over while the device does not answer.
        let hidden = |subject: &Subject, rule: &str| {
            let devices = agents.iter().flat_map(|agent| &agent.devices);
            let mut silent = devices.filter(|device| device.truth == Truth::Unreachable);
            silent.any(|device| *subject == Subject::Device(device.id.clone()))
                && Some(rule) != Truth::Unreachable.rule()
        };
        // What came and went is held open until it has been seen to stay, which takes many heartbeats.
        let unsteady = |subject: &Subject, rule: &str| match subject {
            Subject::Device(id) => hub.site.device(id).is_some_and(|device| device.watch.flapping(rule)),
            Subject::Agent(id) => rule == "agent-offline" && hub.link(id) == Some(Link::Up),
            Subject::Site => false,
        };
        let open: BTreeSet<(Subject, &str)> =
            hub.store.open_alerts().map(|(subject, rule)| (subject.clone(), rule)).collect();
        let excused = |(subject, rule): &&(Subject, &str)| {
            hidden(subject, rule) || unsteady(subject, rule) || *rule == "agent-clock-wrong"
        };
        let too_many = open.difference(&faults).any(|alert| !excused(&alert));
        if too_many || !faults.is_subset(&open) {
            return Err(format!("the open alerts are {open:?}, the faults are {faults:?}"));
        }
        Ok(())
    }

    fn settled_device(hub: &Hub, device: &super::agent::Device, now: i64) -> Result<(), String> {
        let expected = hub.site.part_of_day().expected();
        let shown = hub.site.device(&device.id).map(|known| {
            let verdict = known.verdict(hub.site.link_of(known), expected, hub.now(now));
            verdict.state()
        });
        let truth = match device.truth {
            Truth::Fine => State::Normal,
            Truth::Jammed | Truth::MotorFault => State::Abnormal,
            Truth::Unreachable => State::Offline,
        };
        let unsteady = hub
            .site
            .device(&device.id)
            .is_some_and(|known| known.watch.phases().any(|(rule, _)| known.watch.flapping(&rule.id)));
        if shown != Some(truth) && !unsteady {
            return Err(format!("{} is shown as {shown:?} and is {truth:?}", device.id));
        }
        Ok(())
    }
}
