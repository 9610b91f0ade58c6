//! What is told of the past moves nothing of the present, and is not lost either.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, AgentInfo, Birth, Data, DeviceInfo, FactValue, Reach, Record};
use lobby_domain::{
    calendar::Calendar,
    condition::Sample,
    device::LinkWord,
    late::LateIncident,
    pack::Pack,
    rule::Phase,
    site::{AlertChange, Changes, Site, Stored},
    time::Timestamp,
    trace::Received,
    watch::Watch,
};
use rstest::rstest;

/// 2026-11-20 10:00 in Shanghai.
const T0: i64 = 1_795_140_000_000;
const MACHINE: &str = "covers-1";
/// `for = "0s"`, `recover_for = "30s"`.
const MOTOR: &str = "covers-motor-fault";
/// The heartbeat, in seconds.
const EVERY: i64 = 5;

struct World {
    site: Site,
    agent: AgentId,
    seq: u64,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(T0 + second * 1000)
}

impl World {
    fn new() -> Self {
        let site = Site::new("demo".parse().unwrap(), Calendar::always_open(TimeZone::UTC), Pack::built_in(), at(0));
        let mut world = Self { site, agent: "box".parse().unwrap(), seq: 0 };
        world.birth(0);
        world
    }

    fn birth(&mut self, now: i64) -> Changes {
        let device = DeviceInfo {
            id: MACHINE.parse().unwrap(),
            kind: "shoe-cover-machine".into(),
            name: "鞋套机".into(),
            place: "电梯口".into(),
            every_ms: u64::try_from(EVERY * 1000).unwrap(),
        };
        let agent = AgentInfo { version: "0.1.0".into() };
        let session = u32::try_from(now + 1).unwrap();
        let birth = Birth {
            epoch: 1,
            session,
            sent_at: at(now).millis(),
            agent,
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: vec![device],
        };
        let mut changes = Changes::default();
        self.site.birth(&self.agent, &birth, at(now), &mut changes);
        changes
    }

    fn record(&mut self, second: i64, motor: &str) -> Record {
        self.seq += 1;
        let facts: BTreeMap<Box<str>, FactValue> = [("motor".into(), motor.into())].into();
        let device = MACHINE.parse().unwrap();
        Record { seq: self.seq, at: at(second).millis(), device, reach: Reach::Ok, facts, faults: Vec::new() }
    }

    fn send(&mut self, now: i64, records: Vec<Record>) -> Changes {
        let mut changes = Changes::default();
        let data = Data { epoch: 1, session: 1, sent_at: at(now).millis(), oldest: None, records, refused: Vec::new() };
        self.site.data(&self.agent, data, at(now), &mut changes);
        changes
    }

    /// Records of every heartbeat from `from` until `to`, of which those within `bad` are of a fault.
    fn backlog(&mut self, from: i64, to: i64, bad: std::ops::Range<i64>) -> Vec<Record> {
        let seconds = (from..to).filter(|second| (second - from) % EVERY == 0);
        seconds.map(|second| self.record(second, if bad.contains(&second) { "fault" } else { "ok" })).collect()
    }

    fn phase(&self) -> Phase {
        let device = self.site.devices().next().unwrap();
        device.watch.phases().find(|(rule, _)| &*rule.id == MOTOR).unwrap().1
    }
}

fn times(late: &[LateIncident]) -> Vec<(&str, i64, i64)> {
    let second = |at: Timestamp| (at.millis() - T0) / 1000;
    late.iter().map(|late| (&*late.raise.rule.id, second(late.raise.since), second(late.cleared_at))).collect()
}

#[test]
fn a_fault_that_began_and_ended_while_nobody_was_told_is_discovered_late() {
    let mut world = World::new();
    world.send(1, vec![]);
    let records = world.backlog(100, 400, 200..250);
    let changes = world.send(1000, records.clone());
    assert_eq!(times(&changes.late), [(MOTOR, 200, 280)], "cleared after it had been good for 30 s");
    assert_eq!(
        (changes.alerts.len(), changes.phases.len(), world.phase()),
        (0, 0, Phase::Ok),
        "the present is as it was"
    );
    // The same fault has the same id, whoever discovers it.
    let mut other = World::new();
    let again = other.send(5000, records);
    assert_eq!(again.late[0].raise.id, changes.late[0].raise.id);
    assert_ne!(Some(&again.late[0].raise.evidence), None);
}

#[test]
fn a_fault_that_is_seen_by_messages_of_their_own_is_discovered_too() {
    let mut world = World::new();
    let records = world.backlog(100, 400, 200..250);
    let late: Vec<LateIncident> = records.into_iter().flat_map(|record| world.send(1000, vec![record]).late).collect();
    assert_eq!(times(&late), [(MOTOR, 200, 280)]);
}

#[test]
fn nothing_follows_from_a_hole_in_what_is_told_of_the_past() {
    let mut world = World::new();
    let mut records = world.backlog(100, 210, 200..300);
    // Three heartbeats and one more second.
    records.extend(world.backlog(221, 400, 0..1));
    assert_eq!(times(&world.send(1000, records).late), []);
}

#[test]
fn a_fault_whose_end_the_past_does_not_tell_is_no_incident() {
    let mut world = World::new();
    let records = world.backlog(100, 400, 200..400);
    assert_eq!(times(&world.send(1000, records).late), []);
}

#[test]
fn a_fault_that_lasts_into_the_present_is_raised_with_its_true_beginning() {
    let mut world = World::new();
    let records = world.backlog(100, 1000, 200..1000);
    let mut changes = world.send(1000, records);
    let record = world.record(1000, "fault");
    changes.alerts.extend(world.send(1000, vec![record]).alerts);
    let [AlertChange::Raise(raise)] = &changes.alerts[..] else { panic!("one alert: {changes:?}") };
    assert_eq!((&*raise.rule.id, raise.since, raise.at >= at(980)), (MOTOR, at(200), true));
    let late: Vec<LateIncident> = (0..20)
        .flat_map(|beat| {
            let record = world.record(1005 + beat * EVERY, "ok");
            world.send(1005 + beat * EVERY, vec![record]).late
        })
        .collect();
    assert_eq!(times(&late), [], "the live alert tells of it");
    assert!(world.site.devices().all(|device| device.replay.is_none()), "the past is done with");
}

#[test]
fn a_fault_of_the_past_whose_recovery_reaches_into_the_present_is_discovered() {
    let mut world = World::new();
    let mut late = Vec::new();
    let records = world.backlog(100, 1000, 900..985);
    late.extend(world.send(1000, records).late);
    for beat in 0..20 {
        let record = world.record(1000 + beat * EVERY, "ok");
        let changes = world.send(1000 + beat * EVERY, vec![record]);
        assert!(changes.alerts.is_empty(), "{:?}", changes.alerts);
        late.extend(changes.late);
    }
    assert_eq!(times(&late), [(MOTOR, 900, 1015)]);
    assert!(world.site.devices().all(|device| device.replay.is_none()));
}

#[test]
fn live_records_in_between_do_not_end_what_is_told_of_the_past() {
    let mut world = World::new();
    let records = world.backlog(100, 400, 200..250);
    world.seq = 1000;
    let mut late = Vec::new();
    for (beat, record) in (0..).zip(records) {
        late.extend(world.send(1000 + beat, vec![record]).late);
        let live = world.record(1000 + beat, "ok");
        let changes = world.send(1000 + beat, vec![live]);
        assert!(changes.alerts.is_empty());
        late.extend(changes.late);
    }
    assert_eq!(times(&late), [(MOTOR, 200, 280)]);
}

/// As after a restart, with what is stored of `sent`.
fn restarted(before: &World, now: i64, sent: &[Record], changes: &mut Changes) -> World {
    let mut world = World::new();
    world.seq = before.seq;
    let devices = before.site.devices().map(|device| {
        let mut stored = device.clone();
        (stored.watch, stored.replay) = (Watch::default(), None);
        stored
    });
    let past = sent.iter().map(|record| {
        let sample = Sample { reach: record.reach, facts: record.facts.clone(), faults: record.faults.clone() };
        let (order, at_) = ((1, record.seq), Timestamp::from_millis(record.at));
        (record.device.clone(), Received { order, at: at_, received_at: at(now), sample })
    });
    let agents = before.site.agents().cloned().collect();
    let stored = Stored { agents, devices: devices.collect(), past: past.collect(), ..Stored::default() };
    world.site = Site::new("demo".parse().unwrap(), Calendar::always_open(TimeZone::UTC), Pack::built_in(), at(now));
    world.site.restore(stored, at(now), changes);
    world
}

#[rstest]
#[case::before_it_fires(200)]
#[case::while_it_lasts(230)]
#[case::while_it_recovers(265)]
#[case::when_it_is_over(300)]
fn a_restart_in_the_midst_of_the_past_neither_loses_nor_doubles_what_is_discovered_late(#[case] cut: i64) {
    let mut world = World::new();
    world.send(1, vec![]);
    let (first, rest): (Vec<_>, Vec<_>) =
        world.backlog(100, 400, 200..250).into_iter().partition(|record| record.at < at(cut).millis());
    let mut late = world.send(1000, first.clone()).late;
    let mut changes = Changes::default();
    let mut world = restarted(&world, 1010, &first, &mut changes);
    late.append(&mut changes.late);
    late.append(&mut world.send(1020, rest).late);
    late.dedup_by(|one, other| one.raise.id == other.raise.id);
    assert_eq!(times(&late), [(MOTOR, 200, 280)]);
}

#[test]
fn what_was_live_before_a_restart_is_not_told_as_past() {
    let mut world = World::new();
    world.send(1, vec![]);
    let sent = vec![world.record(1000, "fault")];
    let mut changes = Changes::default();
    let world = restarted(&world, 1001, &sent, &mut changes);
    assert!(world.site.devices().all(|device| device.replay.is_none()));
}

#[test]
fn what_is_glimpsed_while_nothing_can_be_stored_is_told_in_full() {
    let mut world = World::new();
    world.send(1, vec![]);
    let (mut changes, agent) = (Changes::default(), world.agent.clone());
    (2..40).for_each(|second| world.site.tick(at(second), &mut Changes::default()));
    let records = world.backlog(100, 400, 200..250);
    let data = Data { epoch: 1, session: 2, sent_at: at(1000).millis(), oldest: None, records, refused: Vec::new() };
    world.site.glimpse(&agent, data, at(1000), &mut changes);
    assert_eq!(times(&changes.late), [(MOTOR, 200, 280)]);
    assert_eq!(changes.links.iter().map(|change| change.link).collect::<Vec<_>>(), [LinkWord::Up]);
    assert!(changes.records.is_empty() && changes.unreadable.is_empty());
}

#[test]
fn the_links_of_agents_are_told_once_each_time_they_change() {
    let mut world = World::new();
    let told = |changes: &Changes| changes.links.iter().map(|change| (change.at, change.link)).collect::<Vec<_>>();
    assert_eq!(told(&world.birth(1)), []);
    let mut changes = Changes::default();
    (2..40).for_each(|second| world.site.tick(at(second), &mut changes));
    assert_eq!(told(&changes), [(at(17), LinkWord::Down)], "three heartbeats and a second");
    assert_eq!(told(&world.birth(50)), [(at(50), LinkWord::Up)]);
    let mut changes = Changes::default();
    (51..54).for_each(|second| world.site.broker_lost(at(second), &mut changes));
    assert_eq!(told(&changes), [(at(51), LinkWord::Unverified)]);
    let mut changes = Changes::default();
    let agents = world.site.agents().cloned().collect();
    world.site.restore(Stored { agents, ..Stored::default() }, at(60), &mut changes);
    assert_eq!(told(&changes), [(at(60), LinkWord::Unverified)], "after a restart nothing is known");
}

#[test]
fn with_each_record_a_running_timer_is_told_to_be_kept() {
    let mut world = World::new();
    let held = |changes: &Changes| {
        changes.phases.iter().find(|((_, rule), _)| &**rule == "covers-jammed").map(|(_, kept)| kept.held.millis())
    };
    let mut told = Vec::new();
    for second in 1..=6 {
        let mut record = world.record(second, "ok");
        record.facts.insert("jam".into(), true.into());
        let mut changes = world.send(second, vec![record]);
        told.push(held(&changes));
        world.site.tick(at(second).shifted(500), &mut changes);
    }
    assert_eq!(told, [0, 1000, 2000, 3000, 4000, 0].map(Some), "five seconds, and then it fires");
}
