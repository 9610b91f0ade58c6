//! What is done about an alert: its own ticket, a share in that of its cause, or nothing yet.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use jiff::tz::TimeZone;
use lobby_contract::{
    AgentId, AgentInfo, Birth, Data, Death, DeathReason, DeviceId, DeviceInfo, FactValue, Reach, Record, SiteId,
};
use lobby_domain::{
    alert::{AlertId, ClearReason, Step, Subject},
    calendar::Calendar,
    device::{Device, Life, State},
    pack::Pack,
    site::{AlertChange, Changes, LifeError, OpenAlert, Site, Stored},
    time::{Span, Timestamp},
};
use rstest::rstest;

/// 2026-11-20 10:00 in Shanghai.
const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const NETWORK: (&str, &str) = ("lan", "network");
const TV: (&str, &str) = ("lift-tv", "tv");

/// A site whose agents are written to by hand.
struct World {
    site: Site,
    now: Timestamp,
    seq: u64,
    /// Everything that was decided about alerts: rule, subject, and what.
    told: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self::admitting(Life::Live)
    }

    fn admitting(admission: Life) -> Self {
        let calendar = Calendar::always_open(TimeZone::UTC);
        let site = Site::new("demo".parse::<SiteId>().unwrap(), calendar, Pack::built_in(), T0).admitting(admission);
        Self { site, now: T0, seq: 0, told: Vec::new() }
    }

    fn does<T>(&mut self, act: impl FnOnce(&mut Site, Timestamp, &mut Changes) -> T) -> T {
        let mut changes = Changes::default();
        let done = act(&mut self.site, self.now, &mut changes);
        self.told.extend(changes.alerts.iter().map(said));
        done
    }

    fn birth(&mut self, agent: &str, session: u32, devices: &[(&str, &str)]) {
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

    fn states(&mut self, agent: &str, device: &str, reach: Reach, facts: &[(&str, FactValue)]) {
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
    fn pass(&mut self, secs: i64, mut each: impl FnMut(&mut Self)) {
        for _ in 0..secs {
            self.now = self.now + Span::from_secs(1);
            each(self);
            self.does(Site::tick);
        }
    }

    fn dies(&mut self, agent: &str) {
        let death = Death { epoch: 1, session: 1, reason: DeathReason::Lost };
        self.does(|site, now, changes| site.death(&name(agent), &death, now, changes));
    }

    fn set_life(&mut self, device: &str, life: Life) -> Result<(), LifeError> {
        let device: DeviceId = device.parse().unwrap();
        self.does(|site, now, changes| site.set_life(&device, life, now, changes))
    }

    fn device(&self, id: &str) -> &Device {
        self.site.device(&id.parse().unwrap()).unwrap()
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn name(agent: &str) -> AgentId {
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

fn said(change: &AlertChange) -> String {
    match change {
        AlertChange::Raise(raise) => {
            let told = if raise.tell { "" } else { ", untold" };
            format!("{} of {}: {}{told}", raise.rule.id, raise.subject, step(raise.step))
        }
        AlertChange::Follow(follow) => format!("{} of {} now: {}", follow.rule.id, follow.subject, step(follow.step)),
        AlertChange::Clear(clear) => format!("{} of {} ended: {}", clear.rule, clear.subject, clear.reason.as_str()),
    }
}

fn word(word: &str) -> FactValue {
    word.into()
}

/// What the box says while its network is broken or not, and the television behind it does not answer.
fn lobby(world: &mut World, link: &str, tv: Reach) {
    world.states("box", "lan", Reach::Ok, &[("link", word(link))]);
    let facts: &[(&str, FactValue)] = if tv == Reach::Ok { &[("power", word("on"))] } else { &[] };
    world.states("box", "lift-tv", tv, facts);
}

fn lobby_world() -> World {
    let mut world = World::new();
    world.birth("box", 1, &[NETWORK, TV]);
    world
}

#[test]
fn what_does_not_answer_because_the_network_is_down_is_a_victim_of_the_network() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    assert_eq!(world.told(), ["network-link-down of lan: ticket", "tv-unreachable of lift-tv: victim"]);
    let tv = Subject::Device("lift-tv".parse().unwrap());
    assert!(world.site.inhibitor(&tv, "tv-unreachable").is_some());
}

#[test]
fn what_does_not_answer_by_itself_gets_its_own_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: ticket"]);
}

#[test]
fn a_victim_that_still_fires_half_a_minute_after_its_cause_ended_gets_its_own_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    world.told();
    world.pass(31, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["network-link-down of lan ended: recovered"]);
    world.pass(28, |world| lobby(world, "up", Reach::Unreachable));
    assert!(world.told().is_empty(), "it may only be slow to come back");
    world.pass(3, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
}

#[test]
fn a_victim_that_recovers_with_its_cause_never_gets_a_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    world.told();
    world.pass(300, |world| lobby(world, "up", Reach::Ok));
    assert_eq!(
        world.told(),
        ["network-link-down of lan ended: recovered", "tv-unreachable of lift-tv ended: recovered"]
    );
}

#[test]
fn after_its_cause_ended_a_victim_of_which_nothing_new_is_known_gets_no_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    world.told();
    // The network reports on; the television's own probe says nothing any more.
    world.pass(200, |world| world.states("box", "lan", Reach::Ok, &[("link", word("up"))]));
    assert_eq!(world.told(), ["network-link-down of lan ended: recovered"]);
}

#[test]
fn an_alert_of_which_nobody_is_told_keeps_no_other_one_quiet() {
    let mut world = World::admitting(Life::Trial);
    world.birth("box", 1, &[NETWORK, TV]);
    world.set_life("lift-tv", Life::Live).unwrap();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    assert_eq!(world.told(), ["network-link-down of lan: later, untold", "tv-unreachable of lift-tv: ticket"]);
}

fn five_agents() -> World {
    let mut world = World::new();
    for agent in AGENTS {
        world.birth(agent, 1, &[]);
    }
    world
}

const AGENTS: [&str; 5] = ["box-1", "box-2", "box-3", "box-4", "box-5"];

#[test]
fn a_site_that_is_cut_off_is_one_alert_and_not_one_for_each_agent() {
    let mut world = five_agents();
    // A broker notices each within its own keepalive.
    for agent in AGENTS {
        world.pass(6, |_| {});
        world.dies(agent);
    }
    world.pass(600, |_| {});
    assert_eq!(world.told(), ["site-offline of site/: ticket"]);
    // They come back.
    for agent in AGENTS {
        world.birth(agent, 2, &[]);
    }
    world.pass(10, |_| {});
    assert!(world.told().is_empty());
}

#[test]
fn an_agent_that_stays_away_when_its_site_is_back_is_told_of() {
    let mut world = five_agents();
    for agent in AGENTS {
        world.dies(agent);
    }
    world.pass(60, |_| {});
    assert_eq!(world.told(), ["site-offline of site/: ticket"]);
    world.pass(120, |world| {
        for agent in &AGENTS[1..] {
            world.birth(agent, 2, &[]);
        }
    });
    assert_eq!(world.told(), ["site-offline of site/ ended: recovered", "agent-offline of agent/box-1: ticket"]);
}

#[test]
fn an_agent_that_is_lost_while_others_report_is_told_of_soon() {
    let mut world = five_agents();
    world.dies("box-1");
    let others = |world: &mut World| AGENTS[1..].iter().for_each(|agent| world.birth(agent, 2, &[]));
    world.pass(29, others);
    assert!(world.told().is_empty());
    world.pass(3, others);
    assert_eq!(world.told(), ["agent-offline of agent/box-1: ticket"]);
}

#[test]
fn agents_that_are_lost_one_by_one_are_faults_of_their_own() {
    let mut world = five_agents();
    for lost in 0..4 {
        world.dies(AGENTS[lost]);
        world.pass(300, |world| AGENTS[lost + 1..].iter().for_each(|agent| world.birth(agent, 2, &[])));
        // The fourth is one of two that are left: whether it is the site cannot be told before the other one has reported.
    }
    let mut told = world.told();
    told.sort();
    assert_eq!(told[..2], ["agent-offline of agent/box-1: ticket", "agent-offline of agent/box-2: ticket"]);
    assert!(!told.iter().any(|told| told.starts_with("site-offline")), "{told:?}");
}

fn fault(world: &mut World) {
    world.states("box", "covers-1", Reach::Ok, &[("motor", word("fault"))]);
}

const MACHINE: (&str, &str) = ("covers-1", "shoe-cover-machine");

#[test]
fn a_device_that_waits_for_a_person_is_not_judged() {
    let mut world = World::admitting(Life::Announced);
    world.birth("box", 1, &[MACHINE]);
    world.pass(60, fault);
    assert!(world.told().is_empty());
    let device = world.device("covers-1");
    let verdict = device.verdict(world.site.link_of(device), world.site.part_of_day().expected(), world.now);
    assert_eq!(verdict.state(), State::Unknown, "nobody has said that it is to be judged");
    world.set_life("covers-1", Life::Live).unwrap();
    world.pass(2, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1: ticket"]);
}

#[test]
fn a_device_on_trial_raises_alerts_of_which_nobody_is_told_until_it_is_live() {
    let mut world = World::admitting(Life::Announced);
    world.birth("box", 1, &[MACHINE]);
    world.set_life("covers-1", Life::Trial).unwrap();
    world.pass(60, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1: later, untold"]);
    world.set_life("covers-1", Life::Live).unwrap();
    world.pass(2, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1 now: ticket"]);
}

#[test]
fn a_fault_that_is_repaired_during_maintenance_opens_no_ticket_and_one_that_is_not_does_at_its_end() {
    let mut world = World::new();
    world.birth("box", 1, &[MACHINE]);
    world.set_life("covers-1", Life::Maintenance).unwrap();
    world.pass(60, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1: later, untold"]);
    world.pass(120, |world| world.states("box", "covers-1", Reach::Ok, &[("motor", word("ok"))]));
    assert_eq!(world.told(), ["covers-motor-fault of covers-1 ended: recovered"]);
    world.pass(60, fault);
    world.told();
    world.set_life("covers-1", Life::Live).unwrap();
    world.pass(2, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1 now: ticket"]);
}

#[test]
fn a_retired_device_ends_its_alerts_as_such_and_is_not_judged_any_more() {
    let mut world = World::new();
    world.birth("box", 1, &[MACHINE]);
    world.pass(5, fault);
    world.told();
    world.set_life("covers-1", Life::Retired).unwrap();
    assert_eq!(world.told(), ["covers-motor-fault of covers-1 ended: retired"]);
    world.birth("box", 2, &[MACHINE]);
    world.pass(60, fault);
    assert!(world.told().is_empty(), "that it reports does not make it live");
    assert_eq!(world.device("covers-1").life, Life::Retired);
}

#[rstest]
#[case::nobody_announces_by_hand(Life::Live, Life::Announced)]
#[case::what_is_gone_is_not_repaired(Life::Retired, Life::Maintenance)]
#[case::what_is_not_in_use_is_not_maintained(Life::Announced, Life::Maintenance)]
fn a_life_does_not_go_everywhere(#[case] from: Life, #[case] to: Life) {
    let mut world = World::admitting(from);
    world.birth("box", 1, &[MACHINE]);
    assert_eq!(world.set_life("covers-1", to), Err(LifeError::NotNow { from, to }));
    assert_eq!(world.set_life("no-such-device", Life::Live), Err(LifeError::NotFound));
}

#[test]
fn beyond_the_most_alerts_of_a_site_the_site_says_so_and_the_rest_opens_when_there_is_room() {
    let mut world = World::new();
    let machines: Vec<String> = (0..1100).map(|number| format!("covers-{number}")).collect();
    let devices: Vec<(&str, &str)> = machines.iter().map(|id| (&**id, "shoe-cover-machine")).collect();
    world.birth("box", 1, &devices);
    let all = |world: &mut World, motor: &str| {
        for id in &machines {
            world.states("box", id, Reach::Ok, &[("motor", word(motor))]);
        }
    };
    world.pass(3, |world| all(world, "fault"));
    let told = world.told();
    let of = |told: &[String], rule: &str| told.iter().filter(|told| told.starts_with(rule)).count();
    assert_eq!((of(&told, "covers-motor-fault"), of(&told, "site-alert-storm")), (1000, 1), "one storm, not a hundred");
    // A tenth of them is repaired: as many others open.
    let repaired = |world: &mut World| {
        for (number, id) in machines.iter().enumerate() {
            let motor = if number % 10 == 0 { "ok" } else { "fault" };
            world.states("box", id, Reach::Ok, &[("motor", word(motor))]);
        }
    };
    world.pass(200, repaired);
    let told = world.told();
    let raised = told.iter().filter(|told| told.ends_with("ticket")).count();
    assert_eq!(
        (raised, of(&told, "site-alert-storm of site/ ended")),
        (90, 1),
        "of 1,100 faulty 990 are left, all open"
    );
}

#[test]
fn what_was_held_back_opens_as_soon_as_there_is_room_without_another_word_of_its_devices() {
    let mut world = World::new();
    let machines: Vec<String> = (0..1100).map(|number| format!("covers-{number:04}")).collect();
    let devices: Vec<(&str, &str)> = machines.iter().map(|id| (&**id, "shoe-cover-machine")).collect();
    world.birth("box", 1, &devices);
    let all = |world: &mut World, machines: &[String], motor: &str| {
        for id in machines {
            world.states("box", id, Reach::Ok, &[("motor", word(motor))]);
        }
    };
    all(&mut world, &machines[..1000], "fault");
    // A hundred of those that are open are repaired, and before that is certain others break.
    world.pass(20, |world| all(world, &machines[..100], "ok"));
    all(&mut world, &machines[1000..], "fault");
    world.told();
    world.pass(15, |world| all(world, &machines[..100], "ok"));
    let told = world.told();
    let raised = told.iter().filter(|told| told.ends_with("ticket")).count();
    assert_eq!(raised, 100, "{told:?}");
}

#[test]
fn an_agent_that_stops_on_purpose_says_nothing_of_the_line_to_its_site() {
    let mut world = World::new();
    for agent in ["a", "b", "c"] {
        world.birth(agent, 1, &[]);
    }
    let stops = Death { epoch: 1, session: 1, reason: DeathReason::Stopping };
    world.does(|site, now, changes| site.death(&name("a"), &stops, now, changes));
    world.dies("b");
    world.pass(25, |world| world.birth("c", 1, &[]));
    world.pass(40, |world| world.birth("c", 1, &[]));
    let told = world.told();
    assert!(!told.iter().any(|told| told.starts_with("site-offline")), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("agent-offline of agent/b")), "{told:?}");
}

#[rstest]
#[case::had_its_ticket(true, None, &[])]
#[case::still_waited(false, None, &["tv-unreachable of lift-tv now: ticket"])]
fn after_a_restart_an_alert_that_waited_goes_on_waiting(
    #[case] has_ticket: bool,
    #[case] victim_of: Option<AlertId>,
    #[case] expected: &[&str],
) {
    let mut before = lobby_world();
    before.pass(100, |world| lobby(world, "up", Reach::Unreachable));
    let mut device = before.device("lift-tv").clone();
    device.watch = lobby_domain::watch::Watch::default();
    let subject = Subject::Device("lift-tv".parse().unwrap());
    let phases = before.device("lift-tv").watch.phases();
    let phases = phases.map(|(rule, phase)| (subject.clone(), rule.id.clone(), phase.into())).collect();
    let id = before.site.incidents().get(&subject, "tv-unreachable").unwrap().id;
    let rule: Box<str> = "tv-unreachable".into();
    let open = OpenAlert { id, subject, rule, since: T0, has_ticket, victim_of };
    let agents = vec![before.site.agent(&name("box")).unwrap().clone()];
    let mut world = World { now: before.now, seq: before.seq, ..World::new() };
    let stored = Stored { agents, devices: vec![device], phases, open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.birth("box", 2, &[NETWORK, TV]);
    world.pass(80, |world| lobby(world, "up", Reach::Unreachable));
    assert!(world.told().is_empty(), "after a start, causes may not have been heard of yet");
    world.pass(20, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), expected);
}

#[test]
fn a_rule_that_the_pack_no_longer_has_ends_its_alert_as_such() {
    let mut world = World::new();
    let subject = Subject::Device("covers-1".parse().unwrap());
    let id = AlertId::derive(&world.site.id, &subject, "gone", T0, 0);
    let open = OpenAlert { id, subject, rule: "gone".into(), since: T0, has_ticket: true, victim_of: None };
    let stored = Stored { open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    assert_eq!(world.told(), [format!("gone of covers-1 ended: {}", ClearReason::RuleRemoved.as_str())]);
}
