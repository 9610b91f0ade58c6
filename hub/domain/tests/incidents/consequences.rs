//! Alerts that are consequences of others (semantics 5), and what of them waits.

use std::sync::Arc;

use lobby_contract::{Data, Reach};
use lobby_domain::{
    alert::Subject,
    device::Life,
    matchers::{Field, Matchers},
    pack::Pack,
    restraint::{Kind, Restraint, RestraintId},
    rule::{OnNoData, Rule, Severity},
    site::Site,
    time::Span,
};
use rstest::rstest;
use uuid::Uuid;

use super::world::*;

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
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: later", "tv-unreachable of lift-tv now: ticket"]);
}

#[test]
fn a_victim_that_still_fires_half_a_minute_after_its_cause_ended_gets_its_own_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    world.told();
    let cause = world.site.incidents().get(&subject("lan"), "network-link-down").unwrap().id;
    let kept_quiet_by = |world: &World| {
        let live = world.site.live(&subject("lift-tv"), "tv-unreachable", world.now);
        live.inhibited
    };
    world.pass(31, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["network-link-down of lan ended: recovered"]);
    assert_eq!(kept_quiet_by(&world), Some(cause), "nor is anybody told of it");
    world.pass(28, |world| lobby(world, "up", Reach::Unreachable));
    assert!(world.told().is_empty(), "it may only be slow to come back");
    assert_eq!(kept_quiet_by(&world), Some(cause));
    world.pass(3, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
    assert_eq!(kept_quiet_by(&world), None);
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
    assert_eq!(
        world.told(),
        [
            "network-link-down of lan: later, untold",
            "tv-unreachable of lift-tv: later",
            "tv-unreachable of lift-tv now: ticket"
        ]
    );
}

#[test]
fn what_was_told_while_its_cause_could_still_show_is_told_again_after_maintenance_too() {
    let mut world = lobby_world();
    world.pass(120, |world| lobby(world, "up", Reach::Ok));
    let unreachable = |world: &mut World| lobby(world, "up", Reach::Unreachable);
    while world.site.incidents().get(&subject("lift-tv"), "tv-unreachable").is_none() {
        world.pass(1, unreachable);
    }
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: later"]);
    world.set_life("lift-tv", Life::Maintenance).unwrap();
    world.pass(100, unreachable);
    assert!(world.told().is_empty());
    world.set_life("lift-tv", Life::Live).unwrap();
    world.pass(2, unreachable);
    assert_eq!(world.told(), ["unmuted", "tv-unreachable of lift-tv now: ticket"]);
}

#[rstest]
#[case::ten_seconds_later(10)]
#[case::in_the_same_second(0)]
#[case::just_before_it_is_settled(18)]
fn a_consequence_that_is_raised_before_its_cause_waits_for_it_however_old_its_fault_is(#[case] later: i64) {
    let mut world = lobby_world();
    world.pass(120, |world| lobby(world, "up", Reach::Ok));
    let mut raised = None;
    for second in 0..200 {
        let down = raised.is_some_and(|at| second >= at + later);
        world.pass(1, |world| {
            world.states("box", "lift-tv", Reach::Unreachable, &[]);
            world.states("box", "lan", Reach::Ok, &[("link", word(if down { "down" } else { "up" }))]);
        });
        if raised.is_none() && world.site.incidents().get(&subject("lift-tv"), "tv-unreachable").is_some() {
            raised = Some(second);
        }
    }
    assert_eq!(
        world.told(),
        [
            "tv-unreachable of lift-tv: later",
            "network-link-down of lan: ticket",
            "tv-unreachable of lift-tv now: victim"
        ]
    );
}

#[rstest]
#[case::first_start(false)]
#[case::the_broker_is_found_again(true)]
fn while_the_hub_gets_to_know_its_sites_no_consequence_opens_a_ticket(#[case] is_reconnect: bool) {
    let mut world = lobby_world();
    if is_reconnect {
        world.pass(200, |world| lobby(world, "up", Reach::Ok));
        world.does(Site::broker_lost);
        world.birth("box", 1, &[NETWORK, TV]);
    }
    world.pass(89, |world| world.states("box", "lift-tv", Reach::Unreachable, &[]));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: later"]);
    world.pass(5, |world| world.states("box", "lift-tv", Reach::Unreachable, &[]));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
}

#[rstest]
#[case::no_window(None, true)]
#[case::one_that_leaves_open_alerts_alone(Some(false), true)]
#[case::one_that_includes_them(Some(true), false)]
fn maintenance_holds_back_the_ticket_of_an_alert_from_before_it_only_if_it_includes_those(
    #[case] window: Option<bool>,
    #[case] has_ticket: bool,
) {
    let mut world = lobby_world();
    world.pass(120, |world| lobby(world, "up", Reach::Ok));
    world.pass(65, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: later"]);
    if let Some(include_firing) = window {
        let matchers = Matchers::new([(Field::Device, vec!["lift-tv".into()])]).unwrap();
        let window = Restraint {
            id: RestraintId(Uuid::nil()),
            kind: Kind::Maintenance { matchers, include_firing },
            starts: world.now,
            ends: Some(world.now + Span::from_mins(600)),
            author: "".into(),
            comment: "".into(),
            created_at: world.now,
            changed_by: "".into(),
            replaces: None,
        };
        world.site.restrained_by([window].into());
    }
    world.pass(60, |world| lobby(world, "up", Reach::Unreachable));
    let told: &[&str] = if has_ticket { &["tv-unreachable of lift-tv now: ticket"] } else { &[] };
    assert_eq!(world.told(), told);
}

#[test]
fn while_its_cause_is_open_a_consequence_does_not_flap() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    let mut answers = false;
    world.pass(30, |world| {
        answers = !answers;
        lobby(world, "down", if answers { Reach::Ok } else { Reach::Unreachable });
    });
    assert!(world.site.inhibitor(&subject("lift-tv"), "tv-unreachable").is_some());
    assert!(!world.device("lift-tv").watch.flapping("tv-unreachable"));
}

#[test]
fn what_is_no_consequence_by_other_standards_gets_its_own_ticket() {
    let mut world = lobby_world();
    world.pass(100, |world| lobby(world, "down", Reach::Unreachable));
    world.told();
    let pack = Arc::new(Pack { inhibitions: Vec::new(), ..(*Pack::built_in()).clone() });
    world.follows(pack);
    world.pass(40, |world| lobby(world, "down", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv now: ticket"]);
}

/// The built-in standards with one rule of a kind changed.
fn pack_with(kind: &str, rule: &str, edit: impl Fn(&mut Rule)) -> Arc<Pack> {
    let mut pack = (*Pack::built_in()).clone();
    let mut rules = (*pack.kinds[kind]).clone();
    for known in rules.rules.iter_mut().filter(|known| &*known.id == rule) {
        edit(Arc::make_mut(known));
    }
    pack.kinds.insert(kind.into(), Arc::new(rules));
    Arc::new(pack)
}

#[test]
fn a_changed_rule_counts_anew() {
    let mut world = lobby_world();
    world.pass(50, |world| lobby(world, "up", Reach::Unreachable));
    world.follows(pack_with("tv", "tv-unreachable", |rule| rule.severity = Severity::Info));
    world.pass(50, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), Vec::<String>::new(), "50 s by the new rule, which asks for 60");
    world.pass(15, |world| lobby(world, "up", Reach::Unreachable));
    assert_eq!(world.told(), ["tv-unreachable of lift-tv: later"]);
}

#[test]
fn a_rule_about_an_agent_that_fires_when_nothing_is_known_fires_when_the_agent_is_gone() {
    let mut world = World::new();
    let blind = OnNoData::FireAfter(Span::from_secs(20));
    world.follows(pack_with("agent", "agent-clock-wrong", |rule| rule.on_no_data = blind));
    world.birth("box", 1, &[TV]);
    world.pass(5, |_| {});
    world.dies("box");
    world.pass(30, |_| {});
    let told = world.told();
    assert!(told.iter().any(|told| told.starts_with("agent-clock-wrong of agent/box")), "{told:?}");
}

#[test]
fn the_alert_about_the_clock_of_an_agent_that_is_gone_stays_when_the_hubs_own_clock_is_set() {
    let mut world = World::new();
    world.birth("box", 1, &[]);
    world.pass(90, |world| {
        let sent_at = world.now.millis() - 600_000;
        let data = Data { epoch: 1, session: 1, sent_at, oldest: None, records: vec![], refused: vec![] };
        world.does(|site, now, changes| site.data(&name("box"), data, now, changes));
    });
    assert_eq!(world.told(), ["agent-clock-wrong of agent/box: no ticket"]);
    world.dies("box");
    world.site.rebase(3_600_000);
    world.now = world.now.shifted(3_600_000);
    world.pass(200, |_| {});
    assert_eq!(world.told(), ["agent-offline of agent/box: ticket"]);
}
