//! What a site promises whatever its agents say, in whatever order, and however often.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use lobby_contract::{
    AgentId, AgentInfo, Birth, CommandResult, Data, Death, DeathReason, DeviceInfo, FactValue, Lost, Reach, Record,
    SiteId,
};
use lobby_domain::{
    agent::Link,
    alert::{ClearReason, ClearRefusal, Step, Subject},
    calendar::Calendar,
    pack::Pack,
    site::{AlertChange, Changes, Site},
    time::Timestamp,
};
use proptest::prelude::*;

/// 2026-11-20 10:00 in Shanghai.
const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const MACHINE: &str = "covers-1";

/// One thing that happens. Numbers are small, so that most of them repeat, overtake and contradict one another.
#[derive(Debug, Clone)]
enum Event {
    Birth {
        epoch: u64,
        session: u32,
    },
    /// Records `first..first + count`, each of which says what its number says.
    Data {
        epoch: u64,
        session: u32,
        first: u64,
        count: u64,
    },
    Death {
        epoch: u64,
        session: u32,
        stopping: bool,
    },
    Lost {
        epoch: u64,
        from: u64,
        length: u64,
    },
    BrokerLost,
    /// Time passes, and is noticed or not.
    Pass {
        millis: i64,
        tick: bool,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let epoch = || 1u64..3;
    let session = || 1u32..4;
    let event = prop_oneof![
        2 => (epoch(), session()).prop_map(|(epoch, session)| Event::Birth { epoch, session }),
        8 => (epoch(), session(), 1u64..40, 1u64..6)
            .prop_map(|(epoch, session, first, count)| Event::Data { epoch, session, first, count }),
        1 => (epoch(), session(), any::<bool>())
            .prop_map(|(epoch, session, stopping)| Event::Death { epoch, session, stopping }),
        1 => (epoch(), 1u64..40, 0u64..6).prop_map(|(epoch, from, length)| Event::Lost { epoch, from, length }),
        1 => Just(Event::BrokerLost),
        8 => (0i64..20_000, any::<bool>()).prop_map(|(millis, tick)| Event::Pass { millis, tick }),
    ];
    prop::collection::vec(event, 1..150)
}

/// The same number always says the same: a repeat is a repeat. Faults last for some numbers.
fn record(seq: u64, at: Timestamp) -> Record {
    let word = if seq / 7 % 2 == 1 { "fault" } else { "ok" };
    let reach = if seq.is_multiple_of(11) { Reach::Unreachable } else { Reach::Ok };
    let facts: BTreeMap<Box<str>, FactValue> =
        if reach == Reach::Ok { [("motor".into(), word.into())].into() } else { BTreeMap::new() };
    Record { seq, at: at.millis(), device: MACHINE.parse().unwrap(), reach, facts, faults: Vec::new() }
}

fn birth(epoch: u64, session: u32, now: Timestamp) -> Birth {
    let device = DeviceInfo {
        id: MACHINE.parse().unwrap(),
        kind: "shoe-cover-machine".into(),
        name: "鞋套机".into(),
        place: "电梯口".into(),
        every_ms: 5_000,
    };
    let agent = AgentInfo { version: "0.1.0".into() };
    Birth {
        epoch,
        session,
        sent_at: now.millis(),
        agent,
        queued: 0,
        unsaved: 0,
        refused: Vec::new(),
        devices: vec![device],
    }
}

/// A site and what it has been told and has promised.
struct World {
    site: Site,
    agent: AgentId,
    now: Timestamp,
    open: BTreeSet<(Subject, Box<str>)>,
    /// What has come or has been given up, by epoch.
    settled: BTreeMap<u64, BTreeSet<u64>>,
    stored: BTreeSet<(u64, u64)>,
}

impl World {
    fn new() -> Self {
        let calendar = Calendar::always_open(TimeZone::UTC);
        let site = Site::new("demo".parse::<SiteId>().unwrap(), calendar, Pack::built_in(), T0);
        let agent = "box".parse().unwrap();
        Self { site, agent, now: T0, open: BTreeSet::new(), settled: BTreeMap::new(), stored: BTreeSet::new() }
    }

    fn apply(&mut self, event: &Event) -> Changes {
        let mut changes = Changes::default();
        let (site, agent, now) = (&mut self.site, &self.agent, self.now);
        match *event {
            Event::Birth { epoch, session } => site.birth(agent, &birth(epoch, session, now), now, &mut changes),
            Event::Data { epoch, session, first, count } => {
                let records: Vec<Record> = (first..first + count).map(|seq| record(seq, now)).collect();
                self.settled.entry(epoch).or_default().extend(first..first + count);
                let data = Data { epoch, session, sent_at: now.millis(), oldest: None, records, refused: Vec::new() };
                site.data(agent, data, now, &mut changes);
            }
            Event::Death { epoch, session, stopping } => {
                let reason = if stopping { DeathReason::Stopping } else { DeathReason::Lost };
                site.death(agent, &Death { epoch, session, reason }, now, &mut changes);
            }
            Event::Lost { epoch, from, length } => {
                self.settled.entry(epoch).or_default().extend(from..=from + length);
                site.lost(agent, &Lost { epoch, from, to: from + length }, now, &mut changes);
            }
            Event::BrokerLost => site.broker_lost(now, &mut changes),
            Event::Pass { millis, tick } => {
                self.now = now.shifted(millis);
                if tick {
                    site.tick(self.now, &mut changes);
                }
            }
        }
        changes
    }

    /// Whether the hub hears the agent at this moment.
    fn hears(&self) -> bool {
        self.site.agent(&self.agent).is_some_and(|agent| agent.link == Link::Up)
    }

    fn check_alerts(&mut self, changes: &Changes) -> Result<(), TestCaseError> {
        for change in &changes.alerts {
            let (key, raised) = match change {
                AlertChange::Raise(raise) => ((raise.subject.clone(), raise.rule.id.clone()), true),
                AlertChange::Clear(clear) => ((clear.subject.clone(), clear.rule.clone()), false),
                AlertChange::Follow(follow) => {
                    prop_assert!(self.open.contains(&(follow.subject.clone(), follow.rule.id.clone())), "{change:?}");
                    prop_assert!(follow.step != Step::Later, "{change:?}");
                    continue;
                }
                AlertChange::Unmuted(..) => {
                    return Err(TestCaseError::fail(format!("no device's life was moved: {change:?}")));
                }
            };
            if matches!(key.0, Subject::Device(_)) {
                prop_assert!(self.hears(), "a device was judged that nobody watches: {change:?}");
            }
            let alternates = if raised { self.open.insert(key) } else { self.open.remove(&key) };
            prop_assert!(alternates, "raised while open, or cleared while not: {change:?}");
        }
        Ok(())
    }

    fn check_delivery(&mut self, changes: &Changes) -> Result<(), TestCaseError> {
        for new in &changes.records {
            let stream = &self.site.agent(&self.agent).unwrap().streams[&new.epoch];
            // Only what is older than the first record known may be handed to the database twice.
            let once = self.stored.insert((new.epoch, new.record.seq));
            prop_assert!(once || new.record.seq <= stream.base(), "stored again: {new:?}");
        }
        let Some(agent) = self.site.agent(&self.agent) else { return Ok(()) };
        for (epoch, stream) in &agent.streams {
            let Some(committed) = stream.committed() else { continue };
            let settled = self.settled.get(epoch);
            let gap = (stream.base() + 1..=committed).find(|seq| !settled.is_some_and(|settled| settled.contains(seq)));
            prop_assert_eq!(gap, None, "acknowledged up to {} of epoch {}", committed, epoch);
        }
        Ok(())
    }

    /// Every open alert is one that the site itself holds to be open, and the other way round.
    fn check_phases(&self) -> Result<(), TestCaseError> {
        let machine = MACHINE.parse().unwrap();
        let Some(device) = self.site.device(&machine) else { return Ok(()) };
        for (rule, phase) in device.watch.phases() {
            let open = self.open.contains(&(Subject::Device(machine.clone()), rule.id.clone()));
            prop_assert_eq!(phase.alerting_since().is_some(), open, "{}", &rule.id);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_in_whatever_order_an_incident_is_raised_once_and_nothing_missing_is_acknowledged(
        events in events()
    ) {
        let mut world = World::new();
        let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
        for event in &events {
            let changes = world.apply(event);
            world.check_alerts(&changes)?;
            world.check_delivery(&changes)?;
            world.check_phases()?;
            for (epoch, stream) in world.site.agent(&world.agent).iter().flat_map(|agent| &agent.streams) {
                let committed = stream.committed().unwrap_or(0);
                let before = acknowledged.insert(*epoch, committed).unwrap_or(0);
                prop_assert!(before <= committed, "an acknowledgement was taken back");
            }
        }
    }

    #[test]
    fn a_message_that_comes_twice_at_once_changes_nothing_more(events in events()) {
        let (mut once, mut twice) = (World::new(), World::new());
        for event in &events {
            let first = once.apply(event);
            let again = twice.apply(event);
            prop_assert_eq!(&first.alerts, &again.alerts);
            // Time does not repeat, and a broker that is lost twice was lost at two times.
            if matches!(event, Event::Data { .. } | Event::Death { .. } | Event::Birth { .. }) {
                let repeat = twice.apply(event);
                prop_assert!(repeat.alerts.is_empty(), "{event:?}: {:?}", repeat.alerts);
            }
        }
    }
}

/// The random walks above would prove little if they never met a fault.
#[test]
fn a_fault_that_is_reported_is_raised_and_its_end_clears_it() {
    let mut world = World::new();
    let mut changes = world.apply(&Event::Birth { epoch: 1, session: 1 }).alerts;
    for seq in 1..=20 {
        changes.extend(world.apply(&Event::Data { epoch: 1, session: 1, first: seq, count: 1 }).alerts);
        changes.extend(world.apply(&Event::Pass { millis: 5_000, tick: true }).alerts);
    }
    let told: Vec<(&str, bool)> = changes
        .iter()
        .map(|change| match change {
            AlertChange::Raise(raise) => (&*raise.rule.id, true),
            AlertChange::Clear(clear) => (&*clear.rule, false),
            AlertChange::Follow(_) | AlertChange::Unmuted(..) => panic!("nothing had to wait: {change:?}"),
        })
        .collect();
    assert_eq!(told, [("covers-motor-fault", true), ("covers-motor-fault", false)]);
}
#[test]
fn a_device_that_is_handed_to_another_agent_goes_on_being_judged() {
    let mut world = World::new();
    world.apply(&Event::Birth { epoch: 2, session: 1 });
    world.apply(&Event::Data { epoch: 2, session: 1, first: 1, count: 5 });
    world.agent = "new-box".parse().unwrap();
    world.apply(&Event::Birth { epoch: 1, session: 1 });
    let changes = world.apply(&Event::Data { epoch: 1, session: 1, first: 7, count: 1 });
    assert_eq!(changes.alerts.len(), 1, "{changes:?}");
}

#[test]
fn a_box_that_counts_anew_is_watched_as_before() {
    let mut world = World::new();
    world.apply(&Event::Birth { epoch: 2, session: 1 });
    world.apply(&Event::Data { epoch: 2, session: 1, first: 1, count: 5 });
    world.apply(&Event::Pass { millis: 1000, tick: true });
    world.apply(&Event::Birth { epoch: 1, session: 1 });
    let changes = world.apply(&Event::Data { epoch: 1, session: 1, first: 7, count: 1 });
    assert_eq!(changes.alerts.len(), 1, "{changes:?}");
}

/// The open alert of the machine, cleared by hand.
fn cleared_by_hand(world: &mut World) -> Result<Changes, ClearRefusal> {
    let mut changes = Changes::default();
    let subject = Subject::Device(MACHINE.parse().unwrap());
    let now = world.now;
    world.site.clear_by_hand(&subject, "covers-motor-fault", "李工", now, &mut changes).map(|()| changes)
}

#[test]
fn a_fault_is_declared_gone_by_hand_only_when_what_is_reported_agrees() {
    let mut world = World::new();
    world.apply(&Event::Birth { epoch: 1, session: 1 });
    assert_eq!(cleared_by_hand(&mut world), Err(ClearRefusal::NotOpen));
    let raised = world.apply(&Event::Data { epoch: 1, session: 1, first: 7, count: 1 });
    assert_eq!(raised.alerts.len(), 1);
    assert_eq!(cleared_by_hand(&mut world), Err(ClearRefusal::StillTrue));
    world.apply(&Event::BrokerLost);
    assert_eq!(cleared_by_hand(&mut world), Err(ClearRefusal::Unknown));
    let subject = Subject::Device(MACHINE.parse().unwrap());
    assert!(world.site.live(&subject, "covers-motor-fault", world.now).unverified, "nobody can tell");
    let better = world.apply(&Event::Data { epoch: 1, session: 1, first: 15, count: 1 });
    assert_eq!(better.alerts, [], "it has not been right for long enough");
    assert!(!world.site.live(&subject, "covers-motor-fault", world.now).unverified);
    let changes = cleared_by_hand(&mut world).unwrap();
    let [AlertChange::Clear(clear)] = changes.alerts.as_slice() else { panic!("{changes:?}") };
    assert_eq!((clear.reason, &*clear.by, &*clear.rule), (ClearReason::Manual, "李工", "covers-motor-fault"));
    assert_eq!(changes.phases.len(), 1, "a restart must not find it firing");
    assert_eq!(cleared_by_hand(&mut world), Err(ClearRefusal::NotOpen), "once");
    let again = world.apply(&Event::Data { epoch: 1, session: 1, first: 21, count: 1 });
    let [AlertChange::Raise(raise)] = again.alerts.as_slice() else { panic!("{again:?}") };
    let [AlertChange::Raise(before)] = raised.alerts.as_slice() else { panic!("{raised:?}") };
    assert_ne!(raise.id, before.id, "a cleared alert never re-opens");
}

#[test]
fn asking_an_agent_and_its_answer_to_a_command_are_no_sign_that_its_devices_are_watched() {
    let mut world = World::new();
    world.apply(&Event::Birth { epoch: 1, session: 1 });
    world.apply(&Event::Data { epoch: 1, session: 1, first: 1, count: 1 });
    let heard = world.now;
    let seen = |world: &World| world.site.agent(&world.agent).unwrap().last_seen;
    assert_eq!(seen(&world), Some(heard));
    let machine = MACHINE.parse().unwrap();
    let known = |world: &World| {
        let device = world.site.device(&machine).unwrap();
        device.known(world.site.link_of(device), world.now).is_some()
    };
    assert!(known(&world));
    // A probe that somebody asked for, or a picture: whether it succeeds or not, the records are what counts.
    let mut down = None;
    for second in 1..=300 {
        let (agent, now) = (world.agent.clone(), world.now);
        world.site.ask_for_births(lobby_domain::time::Span::from_secs(0), now);
        let ok = second % 2 == 0;
        let result = CommandResult { id: second.to_string().into(), ok, error: (!ok).then(|| "no such device".into()) };
        world.site.result(&agent, &result, &mut Changes::default());
        world.apply(&Event::Pass { millis: 1000, tick: true });
        assert_eq!(seen(&world), Some(heard), "after {second} s");
        if let Link::Down { since } = world.site.agent(&agent).unwrap().link {
            down.get_or_insert((second, since));
        }
    }
    let heartbeat = world.site.agent(&world.agent).unwrap().heartbeat;
    let (after, since) = down.expect("it is taken for lost");
    assert_eq!(since, heard, "since it was last heard of");
    assert_eq!(after, heartbeat.times(3).millis() / 1000 + 1, "no later than without the answers");
    assert!(!known(&world));
}
