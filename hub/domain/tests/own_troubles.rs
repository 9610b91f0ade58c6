//! What the hub's own troubles (a clock that is set, a time without hearing, a full disk, other standards) do to a site: nothing that
//! looks like a fault of a device.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::{collections::BTreeMap, sync::Arc};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, AgentInfo, Birth, Data, Death, DeathReason, DeviceInfo, FactValue, Reach, Record};
use lobby_domain::{
    agent::Link,
    alert::ClearReason,
    calendar::Calendar,
    pack::{BUILT_IN, Pack},
    site::{AlertChange, Changes, Site},
    time::{Span, Timestamp},
};
use proptest::prelude::*;
use rstest::rstest;

/// 2026-11-20 10:00 in Shanghai.
const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const MACHINE: &str = "covers-1";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const JUMPS: [i64; 6] = [HOUR, -HOUR, 30 * DAY, -30 * DAY, 4_095 * DAY, 3_000];

#[derive(Debug, Clone, Copy)]
enum Event {
    Birth,
    Data { seq: u64, bad: bool },
    Death,
    Pass { millis: i64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        1 => Just(Event::Birth),
        6 => (1u64..60, any::<bool>()).prop_map(|(seq, bad)| Event::Data { seq, bad }),
        1 => Just(Event::Death),
        8 => (0i64..30_000).prop_map(|millis| Event::Pass { millis }),
    ];
    prop::collection::vec(event, 1..80)
}

/// A site, its clock and the clock of its agent.
struct World {
    site: Site,
    now: Timestamp,
    agent_ahead: i64,
}

impl World {
    fn at(now: Timestamp) -> Self {
        let calendar = Calendar::always_open(TimeZone::UTC);
        let site = Site::new("demo".parse().unwrap(), calendar, Pack::built_in(), now);
        Self { site, now, agent_ahead: 0 }
    }

    fn agent() -> AgentId {
        "box".parse().unwrap()
    }

    fn data(&self, seq: u64, bad: bool) -> Data {
        let at = self.now.millis() + self.agent_ahead;
        let facts: BTreeMap<Box<str>, FactValue> = [
            ("motor".into(), if bad { "fault" } else { "ok" }.into()),
            ("covers_left".into(), FactValue::Number(180.0)),
        ]
        .into();
        let device = MACHINE.parse().unwrap();
        let record = Record { seq, at, device, reach: Reach::Ok, facts, faults: Vec::new() };
        Data { epoch: 1, session: 1, sent_at: at, oldest: None, records: vec![record], refused: Vec::new() }
    }

    fn take(&mut self, event: Event) -> Changes {
        let (agent, mut changes) = (Self::agent(), Changes::default());
        match event {
            Event::Birth => {
                let device = DeviceInfo {
                    id: MACHINE.parse().unwrap(),
                    kind: "shoe-cover-machine".into(),
                    name: "鞋套机".into(),
                    place: "电梯口".into(),
                    every_ms: 10_000,
                };
                let info = AgentInfo { version: "0.1.0".into() };
                let sent_at = self.now.millis() + self.agent_ahead;
                let birth = Birth {
                    epoch: 1,
                    session: 1,
                    sent_at,
                    agent: info,
                    queued: 0,
                    unsaved: 0,
                    refused: Vec::new(),
                    devices: vec![device],
                };
                self.site.birth(&agent, &birth, self.now, &mut changes);
            }
            Event::Data { seq, bad } => self.site.data(&agent, self.data(seq, bad), self.now, &mut changes),
            Event::Death => {
                let death = Death { epoch: 1, session: 1, reason: DeathReason::Lost };
                self.site.death(&agent, &death, self.now, &mut changes);
            }
            Event::Pass { millis } => {
                self.now = self.now.shifted(millis);
                self.site.tick(self.now, &mut changes);
            }
        }
        changes
    }

    /// Everything remembered, less the estimate of the agent's clock, which does tell that the clocks moved apart, the time of its birth
    /// by that clock, what is counted by whole hours and minutes, and the ids of alerts, which name the moment by the clock of that
    /// moment.
    fn memory(&self) -> String {
        let all = format!("{:#?}", self.site);
        let mut kept = String::new();
        let mut inside = None;
        for line in all.lines() {
            let indent = line.len() - line.trim_start().len();
            if ["clock: Clock {", "waiting: Some(", "delays: Delays {", "rate: Rate {"]
                .iter()
                .any(|begin| line.trim_start().starts_with(begin))
            {
                inside = Some(indent);
            }
            let word = line.trim().trim_end_matches(',');
            let is_id = word.len() == 36 && word.split('-').count() == 5;
            if inside.is_none() && !is_id {
                kept += line;
                kept += "\n";
            }
            if inside == Some(indent) && line.trim_start().starts_with(['}', ')']) {
                inside = None;
            }
        }
        kept
    }
}

proptest! {
    // What is compared is long.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_clock_that_is_set_moves_everything_remembered_and_nothing_else(events in events(), jump in prop::sample::select(&JUMPS[..])) {
        let mut moved = World::at(T0);
        let mut shifted = World::at(T0.shifted(jump));
        for event in events {
            moved.take(event);
            shifted.take(event);
        }
        moved.site.rebase(jump);
        let (moved, shifted) = (moved.memory(), shifted.memory());
        let differs = moved.lines().zip(shifted.lines()).enumerate().find(|(_, (one, other))| one != other);
        let around = |at: usize| moved.lines().skip(at.saturating_sub(8)).take(10).collect::<Vec<_>>().join("\n");
        prop_assert!(differs.is_none(), "{differs:?} in\n{}", differs.map_or_else(String::new, |(at, _)| around(at)));
        prop_assert_eq!(moved.lines().count(), shifted.lines().count());
    }

    #[test]
    fn a_clock_that_is_set_raises_nothing_and_misses_nothing(
        before in events(), after in events(), jump in prop::sample::select(&JUMPS[..]), agent_too in any::<bool>(),
    ) {
        let mut still = World::at(T0);
        let mut jumping = World::at(T0);
        for event in before {
            still.take(event);
            jumping.take(event);
        }
        jumping.site.rebase(jump);
        jumping.now = jumping.now.shifted(jump);
        jumping.agent_ahead = if agent_too { 0 } else { -jump };
        for event in after {
            let (expected, found) = (still.take(event), jumping.take(event));
            let alerts = |changes: &Changes| changes.alerts.iter().filter(|alert| !is_clock(alert)).count();
            prop_assert_eq!(alerts(&expected), alerts(&found), "{:?}", event);
            prop_assert_eq!(expected.records.len(), found.records.len());
        }
    }
}

/// The agent's clock was right and is now off, as far as the hub can tell: that is judged, and is no device's fault.
fn is_clock(alert: &AlertChange) -> bool {
    let rule = match alert {
        AlertChange::Raise(raise) | AlertChange::Follow(raise) => &raise.rule.id,
        AlertChange::Clear(clear) => &clear.rule,
        AlertChange::Unmuted(..) => return false,
    };
    **rule == *"agent-clock-wrong"
}

fn reporting() -> World {
    let mut world = World::at(T0);
    world.take(Event::Birth);
    world.take(Event::Data { seq: 1, bad: false });
    world.take(Event::Pass { millis: 2_500 });
    world
}

fn link(world: &World) -> Link {
    world.site.agent(&World::agent()).unwrap().link
}

#[rstest]
#[case::excused(true)]
#[case::not_excused(false)]
fn silence_while_the_hub_could_not_hear_is_no_silence_of_the_agent(#[case] excused: bool) {
    let mut world = reporting();
    world.now = world.now.shifted(60_000);
    if excused {
        world.site.excuse(Span::from_secs(60));
    }
    let changes = world.take(Event::Pass { millis: 1_000 });
    assert_eq!(matches!(link(&world), Link::Down { .. }), !excused);
    assert!(!excused || changes.alerts.is_empty(), "{:?}", changes.alerts);
    // The excuse is for what was missed and no more: an agent that stays silent is lost in the end.
    world.take(Event::Pass { millis: 31_000 });
    assert!(matches!(link(&world), Link::Down { .. }));
}

#[test]
fn records_that_cannot_be_stored_are_judged_and_neither_acknowledged_nor_taken_in() {
    let mut world = reporting();
    let committed = |world: &World| world.site.agent(&World::agent()).unwrap().streams[&1].committed();
    let before = committed(&world);
    let (agent, mut changes) = (World::agent(), Changes::default());
    for seq in 2..20 {
        world.now = world.now.shifted(10_000);
        world.site.glimpse(&agent, world.data(seq, true), world.now, &mut changes);
    }
    let raised = changes.alerts.iter().filter(|alert| matches!(alert, AlertChange::Raise(_))).count();
    assert_eq!(raised, 1, "the fault is raised all the same");
    assert!(changes.records.is_empty() && changes.acks.is_empty() && changes.streams.is_empty(), "{changes:?}");
    assert_eq!(committed(&world), before);
    // When there is room again the agent sends them again, and each is stored once.
    let again = world.take(Event::Data { seq: 2, bad: true });
    assert_eq!((again.records.len(), again.duplicates), (1, 0));
    assert_eq!(committed(&world), Some(2));
}

#[test]
fn what_is_urgent_is_split_from_records_without_losing_either() {
    let mut world = reporting();
    let mut changes = Changes::default();
    let agent = World::agent();
    for seq in 2..20 {
        world.now = world.now.shifted(10_000);
        world.site.data(&agent, world.data(seq, true), world.now, &mut changes);
    }
    let all = changes.clone();
    let urgent = changes.take_urgent();
    assert_eq!((urgent.alerts.len(), urgent.records.len(), urgent.acks.len()), (all.alerts.len(), 0, 0));
    assert_eq!((changes.alerts.len(), &changes.records, &changes.acks), (0, &all.records, &all.acks));
    assert!(!urgent.alerts.is_empty() && !urgent.phases.is_empty());
}

/// The built-in pack, with `change` made to the file of the machine's rules.
fn pack(change: impl Fn(&str) -> String) -> Arc<Pack> {
    let files: Vec<(&str, String)> = BUILT_IN
        .iter()
        .map(|(name, text)| (*name, if *name == "rules-covers.toml" { change(text) } else { (*text).to_owned() }))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    Arc::new(Pack::load(&files).unwrap())
}

fn jammed() -> World {
    let mut world = reporting();
    let mut raised = 0;
    for seq in 2..20 {
        raised += world.take(Event::Data { seq, bad: true }).alerts.len();
        world.take(Event::Pass { millis: 10_000 });
    }
    assert_eq!(raised, 1);
    world
}

fn reconfigured(world: &mut World, pack: Arc<Pack>) -> Changes {
    let mut changes = Changes::default();
    world.site.reconfigure(pack, Calendar::always_open(TimeZone::UTC), world.now, &mut changes);
    changes
}

#[test]
fn an_alert_of_a_rule_that_is_gone_is_cleared_as_such() {
    let mut world = jammed();
    let without = pack(|text| {
        let mut rules: Vec<&str> = text.split("[[rule]]").collect();
        rules.retain(|rule| !rule.contains("id = \"covers-motor-fault\""));
        rules.join("[[rule]]")
    });
    let changes = reconfigured(&mut world, without);
    let [AlertChange::Clear(clear)] = &changes.alerts[..] else { panic!("one alert ends: {:?}", changes.alerts) };
    assert_eq!((&*clear.rule, clear.reason), ("covers-motor-fault", ClearReason::RuleRemoved));
}

#[test]
fn the_same_standards_again_change_nothing_and_timers_go_on() {
    let mut world = reporting();
    world.take(Event::Data { seq: 2, bad: true });
    let mut untouched = World { site: world.site.clone(), ..world };
    let changes = reconfigured(&mut world, pack(str::to_owned));
    assert!(changes.alerts.is_empty() && changes.phases.is_empty(), "{changes:?}");
    for seq in 3..20 {
        for world in [&mut world, &mut untouched] {
            world.take(Event::Pass { millis: 5_000 });
        }
        let event = Event::Data { seq, bad: true };
        assert_eq!(world.take(event).alerts, untouched.take(event).alerts, "record {seq}");
    }
}

#[test]
fn other_hours_are_followed_at_once() {
    let mut world = reporting();
    let closed = Calendar::new(TimeZone::UTC, [None; 7], BTreeMap::new());
    let mut changes = Changes::default();
    assert_eq!(world.site.part_of_day(), lobby_domain::calendar::PartOfDay::Open);
    world.site.reconfigure(Pack::built_in(), closed, world.now, &mut changes);
    assert_eq!(world.site.part_of_day(), lobby_domain::calendar::PartOfDay::Closed);
}
