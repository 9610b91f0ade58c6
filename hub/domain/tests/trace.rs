//! A trace tells what the hub itself made of the same records at the same time, and why.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::collections::BTreeMap;

use jiff::{civil::time, tz::TimeZone};
use lobby_contract::{
    AgentId, AgentInfo, Birth, Data, Death, DeathReason, DeviceInfo, FactValue, Reach, Record, SiteId,
};
use lobby_domain::{
    alert::AlertId,
    calendar::{Calendar, Day},
    condition::Truth,
    device::{Life, LinkWord},
    inhibit::Inhibition,
    matchers::{Field, Labels, Matchers},
    overlay::Facts,
    pack::Pack,
    restraint::{Kind, Restraint, RestraintId},
    rule::Phase,
    site::{Changes, Site},
    time::{Span, Timestamp},
    trace::{Held, LinkEvent, Question, Received, RuleTrace, Trace, trace},
};
use proptest::prelude::*;
use rstest::rstest;
use uuid::Uuid;

/// 2026-11-20 17:55 in Shanghai: five minutes before closing.
const T0: i64 = 1_795_168_500_000;
const MACHINE: &str = "covers-1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(T0 + second * 1000)
}

/// A site at work, with what is stored of it.
struct World {
    site: Site,
    id: SiteId,
    agent: AgentId,
    calendar: Calendar,
    now: i64,
    seq: u64,
    session: u32,
    records: Vec<Received>,
    links: Vec<LinkEvent>,
    /// By how much its agent's clock is slow.
    slow: Span,
    life: Life,
}

#[derive(Debug, Clone)]
enum Event {
    Birth,
    /// The word of the motor, whether it jams, and how old the record is.
    Record(&'static str, bool, Reach, i64),
    Dies,
    Pass(i64),
}

impl World {
    fn new() -> Self {
        let day = Day { ready_by: time(8, 20, 0, 0), open: time(8, 30, 0, 0), close: time(18, 0, 0, 0) };
        let calendar = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap(), [Some(day); 7], BTreeMap::new());
        let id: SiteId = "demo".parse().unwrap();
        let site = Site::new(id.clone(), calendar.clone(), Pack::built_in(), at(0));
        let agent = "box".parse().unwrap();
        let (records, links, slow, life) = (Vec::new(), Vec::new(), Span::ZERO, Life::Live);
        Self { site, id, agent, calendar, now: 0, seq: 0, session: 0, records, links, slow, life }
    }

    fn kept(&mut self, changes: Changes) {
        self.records.extend(changes.records.into_iter().map(|new| Received {
            order: (new.epoch, new.record.seq),
            at: new.at,
            received_at: new.received_at,
            sample: lobby_domain::condition::Sample {
                reach: new.record.reach,
                facts: new.record.facts,
                faults: new.record.faults,
            },
        }));
        self.links.extend(changes.links.into_iter().map(|change| LinkEvent { at: change.at, link: change.link }));
    }

    fn apply(&mut self, event: &Event) {
        let mut changes = Changes::default();
        let now = at(self.now);
        match event {
            Event::Birth => {
                self.session += 1;
                let device = DeviceInfo {
                    id: MACHINE.parse().unwrap(),
                    kind: "shoe-cover-machine".into(),
                    name: "鞋套机".into(),
                    place: "电梯口".into(),
                    every_ms: 5000,
                };
                let agent = AgentInfo { version: "0.1.0".into() };
                let (sent_at, session) = (now.millis(), self.session);
                let birth = Birth {
                    epoch: 1,
                    session,
                    sent_at,
                    agent,
                    queued: 0,
                    unsaved: 0,
                    refused: Vec::new(),
                    devices: vec![device],
                };
                self.site.birth(&self.agent, &birth, now, &mut changes);
            }
            Event::Record(motor, jam, reach, age) => {
                self.seq += 1;
                let facts: BTreeMap<Box<str>, FactValue> =
                    [("motor".into(), (*motor).into()), ("jam".into(), (*jam).into())].into();
                let probed = at(self.now - age).millis();
                let device = MACHINE.parse().unwrap();
                let record = Record { seq: self.seq, at: probed, device, reach: *reach, facts, faults: Vec::new() };
                let (session, sent_at) = (self.session, now.millis());
                let data =
                    Data { epoch: 1, session, sent_at, oldest: None, records: vec![record], refused: Vec::new() };
                self.site.data(&self.agent, data, now, &mut changes);
            }
            Event::Dies => {
                let death = Death { epoch: 1, session: self.session, reason: DeathReason::Stopping };
                self.site.death(&self.agent, &death, now, &mut changes);
            }
            Event::Pass(seconds) => {
                for _ in 0..*seconds {
                    self.now += 1;
                    self.site.tick(at(self.now), &mut changes);
                }
            }
        }
        self.kept(changes);
    }

    fn trace(&self, second: i64) -> Trace {
        let question = Question {
            site: &self.id,
            calendar: &self.calendar,
            device: &MACHINE.parse().unwrap(),
            agent: &self.agent,
            slow: self.slow,
            every: Span::from_secs(5),
            life: self.life,
            rules: Pack::built_in().kinds.get("shoe-cover-machine").cloned(),
            from: at(-1),
            at: at(second),
        };
        trace(&question, &self.records, &self.links)
    }

    fn phases(&self) -> Vec<(String, Phase)> {
        let device = self.site.devices().next().unwrap();
        device.watch.phases().map(|(rule, phase)| (rule.id.to_string(), phase)).collect()
    }

    /// Reports the same every five seconds.
    fn report(&mut self, times: u32, motor: &'static str, jam: bool) {
        for _ in 0..times {
            self.apply(&Event::Record(motor, jam, Reach::Ok, 0));
            self.apply(&Event::Pass(5));
        }
    }
}

fn rule<'a>(trace: &'a Trace, id: &str) -> &'a RuleTrace {
    trace.rules.iter().find(|told| &*told.rule.id == id).unwrap()
}

fn born() -> World {
    let mut world = World::new();
    world.apply(&Event::Birth);
    world
}

#[test]
fn a_fault_is_told_with_its_parts_and_its_time() {
    let mut world = born();
    world.report(3, "ok", false);
    world.report(3, "fault", false);
    let told = world.trace(29);
    assert_eq!((told.link, told.is_fresh, told.records), (Some(LinkWord::Up), true, 6));
    let motor = rule(&told, "covers-motor-fault");
    assert_eq!((motor.kept.phase, motor.fire, motor.applies), (Phase::Firing { since: at(15) }, Truth::True, true));
    assert_eq!(motor.held, [Held::StillWrong]);
    assert_eq!((&*motor.when[0].words.zh, motor.when[0].truth), ("电机 故障 = 故障", Truth::True));
    let before = world.trace(14);
    let motor = rule(&before, "covers-motor-fault");
    assert_eq!((motor.kept.phase, &motor.held[..]), (Phase::Ok, &[Held::NotWrong][..]));
}

#[test]
fn a_fault_that_does_not_last_yet_is_told_with_what_is_missing() {
    let mut world = born();
    world.report(1, "ok", true);
    let told = world.trace(3);
    let (held, needed) = (Span::from_secs(3), Span::from_secs(5));
    assert_eq!(rule(&told, "covers-jammed").held, [Held::TooShort { held, needed }]);
    let words = rule(&told, "covers-jammed").held[0].words();
    assert_eq!((&*words.zh, &*words.en), ("异常持续 3s，满 5s 才告警", "wrong for 3s of the 5s that make an alert"));
}

#[test]
fn a_device_that_is_not_heard_of_is_told_as_unknown_and_why() {
    let mut world = born();
    world.report(2, "fault", false);
    world.apply(&Event::Dies);
    let died = world.now;
    world.apply(&Event::Pass(25));
    assert_eq!(world.trace(died + 19).link, Some(LinkWord::Suspect));
    let told = world.trace(died + 24);
    assert_eq!((told.link, told.is_fresh), (Some(LinkWord::Down), false));
    assert_eq!(rule(&told, "covers-jammed").held, [Held::LinkNotUp(Some(LinkWord::Down))]);
    assert_eq!(rule(&told, "covers-motor-fault").kept.phase, Phase::Firing { since: at(0) }, "the alert stays open");
    let mut silent = born();
    silent.report(1, "ok", false);
    assert_eq!(rule(&silent.trace(15), "covers-jammed").held, [Held::NotWrong]);
    let mut without_links = silent.trace(16);
    assert_eq!(rule(&without_links, "covers-jammed").held, [Held::Stale(at(15))]);
    silent.links.clear();
    without_links = silent.trace(14);
    assert_eq!(without_links.link, Some(LinkWord::Up), "a record proves that its agent was heard");
    assert_eq!(rule(&World::new().trace(5), "covers-jammed").held, [Held::NoRecord]);
}

#[test]
fn outside_the_hours_of_a_rule_it_is_told_that_it_does_not_apply() {
    let mut world = born();
    world.report(70, "ok", true);
    let before = world.trace(299);
    assert_eq!(rule(&before, "covers-jammed").kept.phase, Phase::Firing { since: at(0) });
    let mut later = born();
    later.apply(&Event::Pass(310));
    later.apply(&Event::Birth);
    later.report(4, "ok", true);
    let told = later.trace(325);
    assert!(!rule(&told, "covers-jammed").applies);
    assert_eq!(rule(&told, "covers-jammed").held[0], Held::OutsideItsHours);
}

#[test]
fn a_fault_that_comes_and_goes_is_told_as_such() {
    let mut world = born();
    for turn in 0..10 {
        world.report(1, if turn % 2 == 0 { "fault" } else { "ok" }, false);
    }
    world.report(8, "ok", false);
    let told = world.trace(world.now);
    let motor = rule(&told, "covers-motor-fault");
    assert!(motor.flapping);
    assert!(motor.held.contains(&Held::Flapping), "{:?}", motor.held);
    world.report(12, "ok", false);
    assert_eq!(rule(&world.trace(world.now), "covers-motor-fault").kept.phase, Phase::Ok);
}

fn named(id: u128) -> Uuid {
    Uuid::from_u128(id)
}

/// An alert about the machine, or about the network of its agent, that was open from `opened` on.
fn alert(id: u128, device: &'static str, rule: &'static str, opened: i64) -> Facts<'static> {
    let labels = Labels { site: "demo", device, agent: "box", rule, ..Labels::default() };
    Facts { id: AlertId(named(id)), labels, opened_at: at(opened), cleared_at: None }
}

fn restraint(id: u128, kind: Kind, starts: i64, ends: i64) -> Restraint {
    Restraint {
        id: RestraintId(named(id)),
        kind,
        starts: at(starts),
        ends: Some(at(ends)),
        author: "李工".into(),
        comment: "".into(),
        created_at: at(0),
        changed_by: "".into(),
        replaces: None,
    }
}

fn about(field: Field, value: &str) -> Matchers {
    Matchers::new([(field, vec![value.into()])]).unwrap()
}

#[rstest]
#[case::before_anything(25, &[])]
#[case::by_a_silence(40, &[Held::Silenced(RestraintId(named(3)))])]
#[case::by_a_window_that_includes_what_fired(62, &[Held::Maintained(RestraintId(named(5)))])]
#[case::by_several(
    72,
    &[Held::Inhibited(AlertId(named(2))), Held::Maintained(RestraintId(named(5))), Held::Silenced(RestraintId(named(7)))]
)]
#[case::after_the_silence_until_it_is_resolved_ended(85, &[Held::Inhibited(AlertId(named(2)))])]
fn what_kept_an_alert_quiet_is_told_as_it_was_at_that_time(#[case] second: i64, #[case] expected: &[Held]) {
    let mut world = born();
    world.report(3, "ok", false);
    world.report(20, "fault", false);
    let restraints = [
        restraint(3, Kind::Silence(about(Field::Rule, "covers-motor-fault")), 30, 50),
        restraint(4, Kind::Silence(about(Field::Rule, "covers-jammed")), 0, 100),
        restraint(5, Kind::Maintenance { matchers: about(Field::Device, MACHINE), include_firing: true }, 60, 80),
        restraint(6, Kind::Maintenance { matchers: about(Field::Device, MACHINE), include_firing: false }, 60, 80),
        restraint(7, Kind::UntilResolved(AlertId(named(1))), 70, 80),
    ];
    let inhibitions = [Inhibition {
        source: about(Field::Rule, "network-link-down"),
        target: about(Field::Device, MACHINE),
        equal: vec![Field::Agent],
    }];
    // What its site had open at that time.
    let mut open = vec![alert(1, MACHINE, "covers-motor-fault", 15), alert(8, "other", "covers-motor-fault", 15)];
    open.extend((second >= 70).then(|| alert(2, "lan", "network-link-down", 70)));
    let mut told = world.trace(second);
    let before = rule(&told, "covers-motor-fault").held.clone();
    told.quieted(&MACHINE.parse().unwrap(), &open, &inhibitions, &restraints);
    assert_eq!(rule(&told, "covers-motor-fault").held, [&before, expected].concat());
    let jammed = &rule(&told, "covers-jammed").held;
    assert!(jammed.iter().all(|held| held.by().is_none()), "no alert of that rule was open: {jammed:?}");
}

#[rstest]
#[case::on_trial(Life::Trial, true)]
#[case::under_maintenance(Life::Maintenance, true)]
#[case::retired(Life::Retired, false)]
#[case::not_admitted(Life::Announced, false)]
fn a_device_that_was_not_in_use_is_told_as_such(#[case] life: Life, #[case] judged: bool) {
    let mut world = born();
    world.life = life;
    world.report(3, "ok", false);
    world.report(20, "fault", false);
    let mut told = world.trace(40);
    told.quieted(&MACHINE.parse().unwrap(), &[alert(1, MACHINE, "covers-motor-fault", 15)], &[], &[]);
    let fault = rule(&told, "covers-motor-fault");
    assert_eq!(matches!(fault.kept.phase, Phase::Firing { .. }), judged);
    assert_eq!(fault.held.contains(&Held::StillWrong), judged);
    assert_eq!(fault.held.last(), Some(&Held::Life(life)));
    let jammed = rule(&told, "covers-jammed").held.contains(&Held::Life(life));
    assert_eq!(jammed, !judged, "what was judged was merely not told, and of this rule there was nothing to tell");
}

#[test]
fn what_a_slow_clock_reports_is_told_as_the_hub_took_it() {
    let mut world = born();
    // It is 40 seconds slow: less than is corrected, more than a record is fresh for.
    world.slow = Span::from_secs(40);
    for _ in 0..5 {
        world.apply(&Event::Record("fault", false, Reach::Ok, 0));
        world.apply(&Event::Pass(5));
    }
    for record in &mut world.records {
        record.at = record.at - Span::from_secs(40);
    }
    let told = world.trace(world.now);
    assert!(told.is_fresh && matches!(rule(&told, "covers-motor-fault").kept.phase, Phase::Firing { .. }), "{told:?}");
    world.slow = Span::ZERO;
    assert!(!world.trace(world.now).is_fresh, "of a clock that is right it would be history");
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let reach = prop_oneof![8 => Just(Reach::Ok), 2 => Just(Reach::Unreachable), 1 => Just(Reach::Unknown)];
    // Not older than is fresh: of what was discovered late the hub knows the true beginning, a trace does not.
    let age = prop_oneof![12 => 0i64..3, 1 => 12i64..16];
    let event = prop_oneof![
        1 => Just(Event::Birth),
        8 => (prop::sample::select(vec!["ok", "fault"]), any::<bool>(), reach, age)
            .prop_map(|(motor, jam, reach, age)| Event::Record(motor, jam, reach, age)),
        1 => Just(Event::Dies),
        6 => (1i64..9).prop_map(Event::Pass),
        1 => (20i64..120).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_trace_of_the_present_is_what_the_hub_itself_holds(events in events()) {
        let mut world = born();
        for event in &events {
            // What happened within one millisecond is stored without its order.
            world.apply(&Event::Pass(1));
            world.apply(event);
        }
        world.apply(&Event::Pass(1));
        let told: Vec<(String, Phase)> =
            world.trace(world.now).rules.iter().map(|told| (told.rule.id.to_string(), told.kept.phase)).collect();
        prop_assert_eq!(told, world.phases());
    }
}
