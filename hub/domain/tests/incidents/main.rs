//! What is done about an alert: its own ticket, a share in that of its cause, or nothing yet.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

mod consequences;
mod restart;
mod world;

use std::{ops::Range, sync::Arc};

use lobby_contract::{Death, DeathReason, Reach};
use lobby_domain::{
    device::{Life, State},
    matchers::Labels,
    overlay::{Facts, Muted, muted},
    pack::Pack,
    rule::Rule,
    site::LifeError,
    time::Span,
};
use rstest::rstest;

use self::world::*;

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
        assert_eq!(world.told(), [format!("agent-offline of agent/{}: ticket", AGENTS[lost])]);
    }
    world.dies(AGENTS[4]);
    world.pass(300, |_| {});
    assert_eq!(world.told(), ["agent-offline of agent/box-5: ticket"], "the last of them too");
}

#[test]
fn who_is_lost_with_few_others_while_most_are_long_gone_is_a_fault_of_its_own() {
    let mut world = five_agents();
    for lost in AGENTS[..3].iter().zip(1..) {
        world.dies(lost.0);
        world.pass(120, |world| AGENTS[lost.1..].iter().for_each(|agent| world.birth(agent, 2, &[])));
    }
    world.told();
    // Two of five within a minute are not the site.
    world.dies(AGENTS[3]);
    world.dies(AGENTS[4]);
    world.pass(120, |_| {});
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["agent-offline of agent/box-4: ticket", "agent-offline of agent/box-5: ticket"]);
}

#[test]
fn who_is_lost_long_after_most_of_its_site_is_a_fault_of_its_own() {
    let mut world = five_agents();
    AGENTS[..3].iter().for_each(|lost| world.dies(lost));
    world.pass(600, |world| AGENTS[3..].iter().for_each(|agent| world.birth(agent, 2, &[])));
    assert_eq!(world.told(), ["site-offline of site/: ticket"]);
    world.dies(AGENTS[3]);
    world.pass(120, |world| world.birth(AGENTS[4], 2, &[]));
    assert_eq!(world.told(), ["agent-offline of agent/box-4: ticket"]);
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
    assert_eq!(world.told(), ["unmuted", "covers-motor-fault of covers-1 now: ticket"]);
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
    assert_eq!(world.told(), ["unmuted", "covers-motor-fault of covers-1 now: ticket"]);
}

#[test]
fn a_fault_that_was_told_before_maintenance_is_told_again_at_its_end_if_it_is_still_there() {
    let mut world = World::new();
    world.birth("box", 1, &[MACHINE]);
    world.pass(5, fault);
    assert_eq!(world.told(), ["covers-motor-fault of covers-1: ticket"]);
    let muted = |world: &World| {
        let (id, incident) = world.site.incidents().iter().next().map(|(_, open)| (open.id, open)).unwrap();
        let facts = Facts { id, labels: Labels::default(), opened_at: incident.opened_at, cleared_at: None };
        muted(&facts, &[], world.site.live(&subject("covers-1"), &incident.rule.id, world.now), world.now)
    };
    assert_eq!(muted(&world), None);
    world.set_life("covers-1", Life::Maintenance).unwrap();
    world.pass(60, fault);
    assert_eq!((muted(&world), world.told()), (Some(Muted::Life(Life::Maintenance)), vec![]));
    world.set_life("covers-1", Life::Live).unwrap();
    world.pass(2, fault);
    assert_eq!((muted(&world), world.told()), (None, vec!["unmuted".to_owned()]));
    world.set_life("covers-1", Life::Live).unwrap();
    assert!(world.told().is_empty(), "it was in use already");
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

/// Standards with these rules for a motor fault, of which one device may have 20 alerts; each raises after `raise_after`.
fn with_motor_rules(numbers: Range<u32>, raise_after: Span) -> Arc<Pack> {
    let mut pack = (*Pack::built_in()).clone();
    let mut kind = (*pack.kinds["shoe-cover-machine"]).clone();
    let motor = kind.rules.iter().position(|rule| &*rule.id == "covers-motor-fault").unwrap();
    let motor = Rule { raise_after, ..(*kind.rules.remove(motor)).clone() };
    kind.rules
        .extend(numbers.map(|number| Arc::new(Rule { id: format!("motor-{number:02}").into(), ..motor.clone() })));
    pack.kinds.insert("shoe-cover-machine".into(), Arc::new(kind));
    Arc::new(pack)
}

#[test]
fn beyond_the_most_alerts_of_a_device_the_site_says_so_and_other_devices_are_told_of_as_ever() {
    let mut world = World::new();
    world.follows(with_motor_rules(0..25, Span::ZERO));
    world.birth("box", 1, &[MACHINE, TV]);
    world.pass(100, |world| {
        fault(world);
        world.states("box", "lift-tv", Reach::Unreachable, &[]);
    });
    let told = world.told();
    let of = |start: &str| told.iter().filter(|told| told.starts_with(start)).count();
    assert_eq!((of("motor-"), of("site-alert-storm"), of("tv-unreachable of lift-tv now: ticket")), (20, 1, 1));
    // Those that waited open when the others end.
    world.pass(100, |world| world.states("box", "covers-1", Reach::Ok, &[("motor", word("ok"))]));
    let told = world.told();
    assert!(told.contains(&"site-alert-storm of site/ ended: recovered".into()), "{told:?}");
    assert!(!told.iter().any(|told| told.ends_with(": ticket")), "{told:?}");
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
