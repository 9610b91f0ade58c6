//! A site whose agents are written to by hand.

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::{
    AgentId, AgentInfo, Birth, Data, Death, DeathReason, DeviceId, DeviceInfo, FactValue, Reach, Record, SiteId,
};
use lobby_domain::{
    alert::{Step, Subject},
    calendar::Calendar,
    device::{Device, Life},
    pack::Pack,
    rule::Kept,
    site::{AlertChange, Changes, LifeError, Site},
    time::{Span, Timestamp},
};

/// 2026-11-20 10:00 in Shanghai.
pub(super) const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
pub(super) const NETWORK: (&str, &str) = ("lan", "network");
pub(super) const TV: (&str, &str) = ("lift-tv", "tv");

/// A site whose agents are written to by hand.
pub(super) struct World {
    pub(super) site: Site,
    pub(super) now: Timestamp,
    pub(super) seq: u64,
    /// Everything that was decided about alerts: rule, subject, and what.
    told: Vec<String>,
    /// Where each rule stood that was stored.
    pub(super) phases: BTreeMap<(Subject, Box<str>), Kept>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::admitting(Life::Live)
    }

    pub(super) fn admitting(admission: Life) -> Self {
        let calendar = Calendar::always_open(TimeZone::UTC);
        let site = Site::new("demo".parse::<SiteId>().unwrap(), calendar, Pack::built_in(), T0).admitting(admission);
        Self { site, now: T0, seq: 0, told: Vec::new(), phases: BTreeMap::new() }
    }

    /// Another one at the time that `before` has reached.
    pub(super) fn going_on_from(before: &Self) -> Self {
        Self { now: before.now, seq: before.seq, ..Self::new() }
    }

    pub(super) fn does<T>(&mut self, act: impl FnOnce(&mut Site, Timestamp, &mut Changes) -> T) -> T {
        let mut changes = Changes::default();
        let done = act(&mut self.site, self.now, &mut changes);
        self.told.extend(changes.alerts.iter().map(said));
        self.phases.extend(changes.phases);
        done
    }

    pub(super) fn birth(&mut self, agent: &str, session: u32, devices: &[(&str, &str)]) {
        let info = |(id, kind): &(&str, &str)| DeviceInfo {
            id: id.parse().unwrap(),
            kind: (*kind).into(),
            name: (*id).into(),
            place: "大堂".into(),
            every_ms: 10_000,
        };
        let birth = Birth {
            epoch: 1,
            session,
            sent_at: self.now.millis(),
            agent: AgentInfo { version: "0.1.0".into() },
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: devices.iter().map(info).collect(),
        };
        self.does(|site, now, changes| site.birth(&name(agent), &birth, now, changes));
    }

    pub(super) fn states(&mut self, agent: &str, device: &str, reach: Reach, facts: &[(&str, FactValue)]) {
        self.seq += 1;
        let facts = facts.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        let record = Record {
            seq: self.seq,
            at: self.now.millis(),
            device: device.parse().unwrap(),
            reach,
            facts,
            faults: Vec::new(),
        };
        let data = Data {
            epoch: 1,
            session: 1,
            sent_at: self.now.millis(),
            oldest: None,
            records: vec![record],
            refused: Vec::new(),
        };
        self.does(|site, now, changes| site.data(&name(agent), data, now, changes));
    }

    /// Lets `secs` pass, a second at a time; each second every agent of `heard` repeats what `states` says.
    pub(super) fn pass(&mut self, secs: i64, mut each: impl FnMut(&mut Self)) {
        for _ in 0..secs {
            self.now = self.now + Span::from_secs(1);
            each(self);
            self.does(Site::tick);
        }
    }

    pub(super) fn dies(&mut self, agent: &str) {
        let death = Death { epoch: 1, session: 1, reason: DeathReason::Lost };
        self.does(|site, now, changes| site.death(&name(agent), &death, now, changes));
    }

    pub(super) fn set_life(&mut self, device: &str, life: Life) -> Result<(), LifeError> {
        let device: DeviceId = device.parse().unwrap();
        self.does(|site, now, changes| site.set_life(&device, life, now, changes))
    }

    pub(super) fn device(&self, id: &str) -> &Device {
        self.site.device(&id.parse().unwrap()).unwrap()
    }

    /// Other standards are in force from now on.
    pub(super) fn follows(&mut self, pack: Arc<Pack>) {
        let calendar = Calendar::always_open(TimeZone::UTC);
        self.does(|site, now, changes| site.reconfigure(pack, calendar, now, changes));
    }

    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

pub(super) fn subject(device: &str) -> Subject {
    Subject::Device(device.parse().unwrap())
}

pub(super) fn name(agent: &str) -> AgentId {
    agent.parse().unwrap()
}

fn step(step: Step) -> &'static str {
    match step {
        Step::None => "no ticket",
        Step::Open => "ticket",
        Step::Victim(_) => "victim",
        Step::Later => "later",
    }
}

pub(super) fn said(change: &AlertChange) -> String {
    match change {
        AlertChange::Raise(raise) => {
            let told = if raise.tell { "" } else { ", untold" };
            format!("{} of {}: {}{told}", raise.rule.id, raise.subject, step(raise.step))
        }
        AlertChange::Follow(follow) => format!("{} of {} now: {}", follow.rule.id, follow.subject, step(follow.step)),
        AlertChange::Unmuted(..) => "unmuted".to_owned(),
        AlertChange::Clear(clear) => format!("{} of {} ended: {}", clear.rule, clear.subject, clear.reason.as_str()),
    }
}

pub(super) fn word(word: &str) -> FactValue {
    word.into()
}

/// What the box says while its network is broken or not, and the television behind it does not answer.
pub(super) fn lobby(world: &mut World, link: &str, tv: Reach) {
    world.states("box", "lan", Reach::Ok, &[("link", word(link))]);
    let facts: &[(&str, FactValue)] = if tv == Reach::Ok { &[("power", word("on"))] } else { &[] };
    world.states("box", "lift-tv", tv, facts);
}

pub(super) fn lobby_world() -> World {
    let mut world = World::new();
    world.birth("box", 1, &[NETWORK, TV]);
    world
}
