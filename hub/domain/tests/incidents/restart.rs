//! Alerts over a restart of the hub.

use lobby_contract::Reach;
use lobby_domain::{
    agent::Clock,
    alert::{AlertId, ClearReason, Subject},
    device::Life,
    rule::{Kept, Phase},
    site::{OpenAlert, Stored},
    time::Span,
    watch::Watch,
};
use rstest::rstest;

use super::{MACHINE, fault, with_motor_rules, world::*};

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
    device.watch = Watch::default();
    let subject = Subject::Device("lift-tv".parse().unwrap());
    let phases = before.device("lift-tv").watch.phases();
    let phases = phases.map(|(rule, phase)| (subject.clone(), rule.id.clone(), phase.into())).collect();
    let id = before.site.incidents().get(&subject, "tv-unreachable").unwrap().id;
    let rule: Box<str> = "tv-unreachable".into();
    let open = OpenAlert { id, subject, rule, since: T0, opened_at: T0, has_ticket, victim_of };
    let agents = vec![before.site.agent(&name("box")).unwrap().clone()];
    let mut world = World::going_on_from(&before);
    let stored = Stored { agents, devices: vec![device], phases, open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.birth("box", 2, &[NETWORK, TV]);
    world.pass(80, |world| lobby(world, "up", Reach::Unreachable));
    assert!(world.told().is_empty(), "after a start, causes may not have been heard of yet");
    world.pass(20, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), expected);
}

#[test]
fn an_alert_without_a_ticket_that_waited_at_a_restart_is_told_and_followed_up_all_the_same() {
    let machine = ("covers-1", "shoe-cover-machine");
    let empty = |world: &mut World| world.states("box", "covers-1", Reach::Ok, &[("empty", true.into())]);
    let mut before = World::new();
    before.birth("box", 1, &[machine]);
    before.set_life("covers-1", Life::Maintenance).unwrap();
    before.pass(20, empty);
    assert_eq!(before.told(), ["covers-empty of covers-1: later, untold"]);
    // Its device is in use again, and the hub dies before it looks at it.
    before.set_life("covers-1", Life::Live).unwrap();
    let subject = subject("covers-1");
    let phases = before.device("covers-1").watch.phases();
    let phases = phases.map(|(rule, phase)| (subject.clone(), rule.id.clone(), phase.into())).collect();
    let id = before.site.incidents().get(&subject, "covers-empty").unwrap().id;
    let (rule, has_ticket) = ("covers-empty".into(), false);
    let open = OpenAlert { id, subject, rule, since: T0, opened_at: T0, has_ticket, victim_of: None };
    let mut device = before.device("covers-1").clone();
    device.watch = Watch::default();
    let agents = vec![before.site.agent(&name("box")).unwrap().clone()];
    let mut world = World::going_on_from(&before);
    let stored = Stored { agents, devices: vec![device], phases, open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.birth("box", 2, &[machine]);
    world.pass(5, empty);
    assert_eq!(world.told(), ["covers-empty of covers-1 now: no ticket"]);
    world.pass(60, empty);
    assert!(world.told().is_empty(), "once");
}

#[test]
fn what_was_held_back_before_a_restart_is_held_back_after_it_and_opens_when_there_is_room() {
    let ten_minutes = Span::from_mins(10);
    let mut before = World::new();
    before.follows(with_motor_rules(0..25, ten_minutes));
    before.birth("box", 1, &[MACHINE]);
    before.pass(601, fault);
    let told = before.told();
    let of = |told: &[String], what: &str| told.iter().filter(|told| told.contains(what)).count();
    assert_eq!((of(&told, ": ticket"), of(&told, "site-alert-storm of site/: no ticket")), (20, 1), "{told:?}");
    let open = before.site.incidents().iter().map(|(subject, incident)| OpenAlert {
        id: incident.id,
        subject: subject.clone(),
        rule: incident.rule.id.clone(),
        since: incident.since,
        opened_at: incident.opened_at,
        has_ticket: incident.rule.ticket.is_some(),
        victim_of: None,
    });
    let phases = before.phases.iter().map(|((subject, rule), kept)| (subject.clone(), rule.clone(), *kept));
    let mut device = before.device("covers-1").clone();
    device.watch = Watch::default();
    let stored = Stored {
        agents: vec![before.site.agent(&name("box")).unwrap().clone()],
        devices: vec![device],
        phases: phases.collect(),
        open_alerts: open.collect(),
        ..Stored::default()
    };
    let mut world = World::going_on_from(&before);
    world.follows(with_motor_rules(0..25, ten_minutes));
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.birth("box", 2, &[MACHINE]);
    world.pass(400, fault);
    assert_eq!(world.told(), ["site-alert-storm of site/ now: no ticket"], "it goes on, and nothing is raised twice");
    // Some of them are judged no more.
    world.follows(with_motor_rules(10..25, ten_minutes));
    world.pass(5, fault);
    let told = world.told();
    assert_eq!((of(&told, ": ticket"), of(&told, "ended: rule_removed")), (5, 10), "{told:?}");
}

#[test]
fn a_rule_that_the_pack_no_longer_has_ends_its_alert_as_such() {
    let mut world = World::new();
    let subject = Subject::Device("covers-1".parse().unwrap());
    let id = AlertId::derive(&world.site.id, &subject, "gone", T0, 0);
    let open =
        OpenAlert { id, subject, rule: "gone".into(), since: T0, opened_at: T0, has_ticket: true, victim_of: None };
    let stored = Stored { open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    assert_eq!(world.told(), [format!("gone of covers-1 ended: {}", ClearReason::RuleRemoved.as_str())]);
}

/// The television behind the box does not answer; its alert is stored as that of a victim of `cause`, which may be stored too.
fn restored_victim(cause: Option<Kept>) -> World {
    let mut before = lobby_world();
    before.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    let (lan, tv) = (subject("lan"), subject("lift-tv"));
    let devices = ["lan", "lift-tv"].map(|id| {
        let mut device = before.device(id).clone();
        device.watch = Watch::default();
        device
    });
    let source = AlertId::derive(&before.site.id, &lan, "network-link-down", T0, 0);
    let victim = AlertId::derive(&before.site.id, &tv, "tv-unreachable", T0, 0);
    let open = |id, subject: &Subject, rule: &str, victim_of| OpenAlert {
        id,
        subject: subject.clone(),
        rule: rule.into(),
        since: T0,
        opened_at: T0,
        has_ticket: true,
        victim_of,
    };
    let mut phases = vec![(tv.clone(), "tv-unreachable".into(), Kept::from(Phase::Firing { since: T0 }))];
    let mut open_alerts = vec![open(victim, &tv, "tv-unreachable", Some(source))];
    if let Some(kept) = cause {
        phases.push((lan.clone(), "network-link-down".into(), kept));
        open_alerts.push(open(source, &lan, "network-link-down", None));
    }
    let agents = vec![before.site.agent(&name("box")).unwrap().clone()];
    let mut world = World::going_on_from(&before);
    let stored = Stored { agents, devices: devices.into(), phases, open_alerts, ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.birth("box", 2, &[NETWORK, TV]);
    world
}

#[test]
fn a_victim_whose_cause_ended_before_the_restart_gets_its_own_ticket_after_it() {
    let mut world = restored_victim(None);
    world.pass(85, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), Vec::<String>::new(), "after a start, causes may not have been heard of yet");
    world.pass(60, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
}

#[test]
fn a_victim_whose_cause_ends_with_the_restart_gets_its_own_ticket() {
    // The cause is stored as open, and its rule is at rest: it is cleared as one that the pack no longer has.
    let mut world = restored_victim(Some(Kept::default()));
    assert_eq!(world.told(), ["network-link-down of lan ended: rule_removed"]);
    world.pass(145, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
}

#[test]
fn a_victim_whose_cause_is_still_there_stays_one() {
    let mut world = restored_victim(Some(Phase::Firing { since: T0 }.into()));
    world.pass(300, |world| lobby(world, "down", Reach::Unreachable));
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(100, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["network-link-down of lan ended: recovered", "tv-unreachable of lift-tv now: ticket"]);
}

#[test]
fn the_alert_about_the_clock_of_an_agent_that_is_not_heard_after_a_restart_stays() {
    let mut before = World::new();
    before.birth("box", 1, &[]);
    let mut agent = before.site.agent(&name("box")).unwrap().clone();
    agent.clock = Clock::default();
    let (box_, rule) = (Subject::Agent(name("box")), "agent-clock-wrong");
    let id = AlertId::derive(&before.site.id, &box_, rule, T0, 0);
    let (subject, victim_of) = (box_.clone(), None);
    let open = OpenAlert { id, subject, rule: rule.into(), since: T0, opened_at: T0, has_ticket: false, victim_of };
    let phases = vec![(box_, rule.into(), Kept::from(Phase::Firing { since: T0 }))];
    let mut world = World::new();
    let stored = Stored { agents: vec![agent], phases, open_alerts: vec![open], ..Stored::default() };
    world.does(|site, now, changes| site.restore(stored, now, changes));
    world.pass(600, |_| {});
    // What was done before the restart is decided again, and is there already. Nobody has seen its clock, so it does not end.
    assert_eq!(world.told(), ["agent-clock-wrong of agent/box now: no ticket", "agent-offline of agent/box: ticket"]);
}
