//! After a start of the hub or a new connection to the broker agents are asked for their births: spread over time, and only those that
//! have not spoken.

#![expect(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped is a failure")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use lobby_contract::{AgentId, AgentInfo, Birth, Data, DeviceInfo, Order, Reach, Record};
use lobby_domain::{
    agent::{Agent, Link},
    calendar::{Calendar, Expected},
    device::Freshness,
    pack::Pack,
    site::{Changes, Site, Stored, births_within},
    time::{Span, Timestamp},
};
use rstest::rstest;

const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);
const SECOND: Span = Span::from_secs(1);

fn name(number: usize) -> AgentId {
    format!("box-{number}").parse().unwrap()
}

/// A site of so many known agents, as after a start of the hub.
fn started(agents: usize) -> Site {
    let mut site = Site::new("demo".parse().unwrap(), Calendar::always_open(TimeZone::UTC), Pack::built_in(), T0);
    let stored =
        Stored { agents: (0..agents).map(|number| Agent::new(name(number), T0)).collect(), ..Stored::default() };
    site.restore(stored, T0, &mut Changes::default());
    site
}

fn birth(now: Timestamp) -> Birth {
    let device = DeviceInfo {
        id: "tv".parse().unwrap(),
        kind: "tv".into(),
        name: "".into(),
        place: "".into(),
        every_ms: 30_000,
    };
    let agent = AgentInfo { version: "0.1.0".into() };
    Birth {
        epoch: 1,
        session: 1,
        sent_at: now.millis(),
        agent,
        queued: 0,
        unsaved: 0,
        refused: Vec::new(),
        devices: vec![device],
    }
}

fn data(seq: u64, now: Timestamp) -> Data {
    let device = "tv".parse().unwrap();
    let record = Record { seq, at: now.millis(), device, reach: Reach::Ok, facts: BTreeMap::new(), faults: Vec::new() };
    Data { epoch: 1, session: 1, sent_at: now.millis(), oldest: None, records: vec![record], refused: Vec::new() }
}

/// Whom a tick asks for a birth.
fn asked(changes: &Changes) -> Vec<AgentId> {
    changes.orders.iter().filter(|(_, order)| *order == Order::Rebirth).map(|(agent, _)| agent.clone()).collect()
}

fn tick(site: &mut Site, now: Timestamp) -> Vec<AgentId> {
    let mut changes = Changes::default();
    site.tick(now, &mut changes);
    asked(&changes)
}

#[rstest]
#[case::one(1, 2)]
#[case::a_few(9, 18)]
#[case::a_crowd(50, 3000)]
#[case::ten_thousand(10_000, 20_000)]
#[case::a_hundred_thousand(100_000, 20_000)]
fn the_time_over_which_agents_are_asked_grows_with_their_number_up_to_a_limit(
    #[case] agents: usize,
    #[case] millis: i64,
) {
    assert_eq!(births_within(agents).millis(), millis);
}

#[test]
fn each_agent_is_asked_once_at_a_time_of_its_own_and_all_well_before_any_warm_up_ends() {
    let mut site = started(1000);
    let spread = Span::from_secs(20);
    site.ask_for_births(spread, T0);
    let mut told = BTreeSet::new();
    for second in 0..=20u32 {
        let now = tick(&mut site, T0 + SECOND.times(second));
        assert!((second == 0 && now.len() < 10) || (20..90).contains(&now.len()), "{second}: {}", now.len());
        told.extend(now);
    }
    assert_eq!(told.len(), 1000, "everyone once");
    assert!((21..60u32).all(|second| tick(&mut site, T0 + SECOND.times(second)).is_empty()));
}

#[test]
fn an_agent_whose_birth_came_meanwhile_is_not_asked() {
    let mut site = started(2);
    site.ask_for_births(SECOND, T0);
    site.birth(&name(0), &birth(T0), T0, &mut Changes::default());
    assert_eq!(tick(&mut site, T0 + SECOND), [name(1)]);
}

#[test]
fn an_agent_that_speaks_and_was_not_born_is_asked_again_and_a_silent_one_is_left_alone() {
    let mut site = started(2);
    site.ask_for_births(SECOND, T0);
    assert_eq!(tick(&mut site, T0 + SECOND).len(), 2);
    let mut changes = Changes::default();
    site.data(&name(0), data(1, T0 + SECOND.times(5)), T0 + SECOND.times(5), &mut changes);
    assert_eq!(asked(&changes), [], "it has just been asked");
    site.data(&name(0), data(2, T0 + SECOND.times(12)), T0 + SECOND.times(12), &mut changes);
    assert_eq!(asked(&changes), [name(0)]);
    site.birth(&name(0), &birth(T0 + SECOND.times(13)), T0 + SECOND.times(13), &mut changes);
    let mut changes = Changes::default();
    site.data(&name(0), data(3, T0 + SECOND.times(40)), T0 + SECOND.times(40), &mut changes);
    assert_eq!(asked(&changes), []);
    assert_eq!(tick(&mut site, T0 + SECOND.times(41)), []);
}

#[rstest]
#[case::of_a_broker_that_keeps_nothing(None, Freshness::Fresh)]
#[case::of_a_broker_found_just_now(Some(1), Freshness::Stale)]
#[case::of_a_broker_found_long_ago(Some(61), Freshness::Fresh)]
fn what_an_unknown_agent_says_first_may_have_waited_in_the_broker(
    #[case] found_seconds_ago: Option<u32>,
    #[case] freshness: Freshness,
) {
    let mut site = started(0);
    let now = T0.shifted(3_600_000);
    if let Some(ago) = found_seconds_ago {
        site.broker_found(now.shifted(-i64::from(ago) * 1000));
    }
    // Ten minutes old, or of a clock that is ten minutes slow.
    let sent = now.shifted(-600_000);
    let mut changes = Changes::default();
    site.birth(&name(0), &birth(sent), now, &mut changes);
    site.data(&name(0), data(1, sent), now, &mut changes);
    assert_eq!(
        site.devices().map(|tv| tv.verdict(Link::Up, Expected::On, now).freshness).collect::<Vec<_>>(),
        [freshness]
    );

    // It goes on as a slow clock does, and is soon believed.
    for (seq, second) in (2..).zip([5, 12, 15]) {
        site.data(&name(0), data(seq, sent.shifted(second * 1000)), now.shifted(second * 1000), &mut changes);
    }
    let later = now.shifted(15_000);
    assert_eq!(site.devices().next().unwrap().verdict(Link::Up, Expected::On, later).freshness, Freshness::Fresh);
}

#[test]
fn what_waited_in_a_broker_that_is_found_long_after_the_start_is_told_by_the_clock_that_is_known() {
    let mut site = started(1);
    let mut changes = Changes::default();
    let heard = T0 + SECOND.times(70);
    site.birth(&name(0), &birth(heard), heard, &mut changes);
    tick(&mut site, heard);
    // The broker goes with the power, and is back when all doubt from that time is over.
    site.broker_lost(heard + SECOND, &mut changes);
    let found = T0 + SECOND.times(600);
    tick(&mut site, found);
    let sent = found - SECOND.times(300);
    for second in [1, 2] {
        let now = found + SECOND.times(second);
        // The same connection brings every message.
        site.broker_found(found);
        site.data(&name(0), data(u64::from(second), sent + SECOND.times(second)), now, &mut changes);
    }
    let agent = site.agent(&name(0)).unwrap();
    assert!(!agent.clock.is_suspect() && agent.link != Link::Up, "{agent:?}");
    assert!(changes.records.iter().all(|new| !new.clock_suspect && new.at < found), "{:?}", changes.records);
    site.broker_found(found);
    site.data(&name(0), data(3, found + SECOND.times(5)), found + SECOND.times(5), &mut changes);
    assert_eq!(site.agent(&name(0)).unwrap().link, Link::Up);
}
