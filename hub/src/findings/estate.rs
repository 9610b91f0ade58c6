//! Agents, devices and sites that are not set up as they should be.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::SiteId;
use lobby_dashboards::FindingKey;
use lobby_domain::{
    agent::{Agent, Link},
    device::{Device, Life},
    site::Site,
    time::Timestamp,
};

use super::{Found, Severity, clock::signed};

/// Most names told of one site.
const NAMES: usize = 5;
/// How far a clock may be off, in ms.
const OFF: i64 = 60_000;
/// Agents that must agree before the hub's own clock is doubted.
const WITNESSES: usize = 3;

pub(super) fn probe(sites: &BTreeMap<SiteId, Site>, now: Timestamp) -> Vec<Found> {
    let mut found = clocks(sites);
    for site in sites.values() {
        found.extend(disks(site));
        found.extend(unknown_kinds(site));
        found.extend(retired(site));
        found.extend(site.agents().filter_map(|agent| bad_devices(site, agent)));
        found.extend(site.agents().filter_map(|agent| losses(site, agent, now)));
        found.extend(site.devices().filter_map(|device| contested(site, device, now)));
        if !site.calendar.is_known() {
            found.push(Found::new(FindingKey::NoHours, Severity::Warning).about(site.id.as_str()).with(&site.id));
        }
    }
    found
}

/// Clocks that are off; if most are off by the same, it is more likely the hub's own.
fn clocks(sites: &BTreeMap<SiteId, Site>) -> Vec<Found> {
    let agents = || sites.values().flat_map(|site| site.agents().map(move |agent| (&site.id, agent)));
    let up: Vec<_> = agents().filter(|(_, agent)| agent.link == Link::Up).collect();
    let off = |behind: i64| behind.saturating_abs() > OFF;
    let mut behind: Vec<i64> = up.iter().map(|(_, agent)| agent.clock.behind_millis()).collect();
    behind.sort_unstable();
    let median = behind.get(behind.len() / 2).copied().unwrap_or(0);
    if behind.len() >= WITNESSES && off(median) {
        return vec![Found::new(FindingKey::HubClock, Severity::Error).with(signed(-median))];
    }
    let wrong = up.into_iter().filter(|(_, agent)| off(agent.clock.behind_millis()));
    wrong
        .map(|(site, agent)| {
            let name = format!("{site}/{}", agent.id);
            let by = signed(-agent.clock.behind_millis());
            Found::new(FindingKey::AgentClock, Severity::Warning).about(&name).with(&name).with(by)
        })
        .collect()
}

/// Agents whose disks take no records: what they say now is in their memory, and goes with their power.
fn disks(site: &Site) -> impl Iterator<Item = Found> {
    let unsaved = site.agents().filter(|agent| agent.link == Link::Up && agent.unsaved > 0);
    unsaved.map(|agent| {
        let name = format!("{}/{}", site.id, agent.id);
        Found::new(FindingKey::AgentDisk, Severity::Error).about(&name).with(&name)
    })
}

fn unknown_kinds(site: &Site) -> Option<Found> {
    let is_unknown =
        |device: &&Device| device.announced && device.life != Life::Retired && device.watch.kind().is_none();
    let unknown: Vec<_> = site.devices().filter(is_unknown).collect();
    if unknown.is_empty() {
        return None;
    }
    let kinds: BTreeSet<&str> = unknown.iter().map(|device| &*device.kind).collect();
    let kinds = kinds.into_iter().take(NAMES).collect::<Vec<_>>().join(", ");
    let found = Found::new(FindingKey::UnknownKind, Severity::Warning).about(site.id.as_str());
    Some(found.with(&site.id).with(unknown.len()).with(kinds))
}

/// Devices that an agent announces and that cannot be read: nobody watches them.
fn bad_devices(site: &Site, agent: &Agent) -> Option<Found> {
    let first = agent.bad_devices.first()?;
    let name = format!("{}/{}", site.id, agent.id);
    let found = Found::new(FindingKey::BadDevice, Severity::Error).about(&name);
    Some(found.with(&name).with(agent.bad_devices.len()).with(first))
}

/// Records that an agent no longer has: they will never come.
fn losses(site: &Site, agent: &Agent, now: Timestamp) -> Option<Found> {
    let lost = agent.losses.lately(now);
    let name = format!("{}/{}", site.id, agent.id);
    (lost > 0).then(|| Found::new(FindingKey::AgentLost, Severity::Warning).about(&name).with(&name).with(lost))
}

/// A device that two agents report: what one of them says of it is not judged.
fn contested(site: &Site, device: &Device, now: Timestamp) -> Option<Found> {
    let [one, other] = device.contested_by(now)?;
    let name = format!("{}/{}", site.id, device.id);
    let found = Found::new(FindingKey::ForeignDevice, Severity::Error).about(&name);
    Some(found.with(&name).with(one).with(other))
}

/// What is gone, and yet reports (semantics 14: a finding, never an alert).
fn retired(site: &Site) -> Option<Found> {
    let reports =
        |device: &&Device| device.life == Life::Retired && device.announced && site.link_of(device) == Link::Up;
    let reporting: Vec<&str> = site.devices().filter(reports).map(|device| device.id.as_str()).collect();
    if reporting.is_empty() {
        return None;
    }
    let names = reporting.iter().copied().take(NAMES).collect::<Vec<_>>().join(", ");
    let found = Found::new(FindingKey::RetiredReports, Severity::Warning).about(site.id.as_str());
    Some(found.with(&site.id).with(reporting.len()).with(names))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use lobby_contract::{AgentInfo, Birth, Data, DeviceInfo, Lost, Reach, Record, RefusedDevice};
    use lobby_domain::{calendar::Calendar, pack::Pack, site::Changes, time::Span};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    fn sites(agents: &[(&str, i64, &str)]) -> BTreeMap<SiteId, Site> {
        let calendar = Calendar::new(TimeZone::UTC, [None; 7], BTreeMap::new());
        let mut site = Site::new("hz".parse().unwrap(), calendar, Pack::built_in(), NOW);
        for (id, behind, kind) in agents {
            let device = DeviceInfo {
                id: format!("{id}-1").parse().unwrap(),
                kind: (*kind).into(),
                name: "".into(),
                place: "".into(),
                every_ms: 5000,
            };
            let sent_at = NOW.millis() - behind;
            let agent = AgentInfo { version: "1".into() };
            let birth = Birth {
                epoch: 1,
                session: 1,
                sent_at,
                agent,
                queued: 0,
                unsaved: 0,
                refused: Vec::new(),
                devices: vec![device],
            };
            site.birth(&id.parse().unwrap(), &birth, NOW, &mut Changes::default());
        }
        [(site.id.clone(), site)].into()
    }

    fn probe(sites: &BTreeMap<SiteId, Site>) -> Vec<Found> {
        super::probe(sites, NOW)
    }

    fn ids(sites: &BTreeMap<SiteId, Site>) -> Vec<Box<str>> {
        probe(sites).into_iter().map(|found| found.id).collect()
    }

    #[test]
    fn one_clock_that_is_off_is_the_agents() {
        let sites = sites(&[("a", 0, "tv"), ("b", 10, "tv"), ("c", 3_600_000, "tv")]);
        assert_eq!(ids(&sites), ["agent_clock:hz/c".into()]);
    }

    #[test]
    fn most_clocks_off_by_the_same_are_the_hubs() {
        let sites = sites(&[("a", 3_600_000, "tv"), ("b", 3_600_010, "tv"), ("c", 0, "tv")]);
        assert_eq!(ids(&sites), ["hub_clock".into()]);
    }

    #[test]
    fn an_agent_whose_disk_takes_no_records_is_told_until_it_does() {
        let mut sites = sites(&[("a", 0, "tv"), ("b", 0, "tv")]);
        let site = sites.values_mut().next().unwrap();
        for (session, unsaved, told) in [(2, 7, vec![Box::from("agent_disk:hz/b")]), (3, 0, vec![])] {
            let agent = AgentInfo { version: "1".into() };
            let birth = Birth {
                epoch: 1,
                session,
                sent_at: NOW.millis(),
                agent,
                queued: 9,
                unsaved,
                refused: Vec::new(),
                devices: vec![],
            };
            site.birth(&"b".parse().unwrap(), &birth, NOW, &mut Changes::default());
            assert_eq!(disks(site).map(|found| found.id).collect::<Vec<_>>(), told);
        }
    }

    #[test]
    fn devices_of_an_unknown_kind_are_told_together() {
        let sites = sites(&[("a", 0, "fountain"), ("b", 0, "organ"), ("c", 0, "tv")]);
        let found = probe(&sites);
        assert_eq!(
            found,
            [Found::new(FindingKey::UnknownKind, Severity::Warning)
                .about("hz")
                .with("hz")
                .with(2)
                .with("fountain, organ")]
        );
    }

    #[test]
    fn devices_that_cannot_be_read_are_told_with_their_agent_until_its_next_birth() {
        let mut sites = sites(&[("a", 0, "tv")]);
        let agent = AgentInfo { version: "1".into() };
        let refused = vec![RefusedDevice { index: 1, reason: "`B` at position 1".to_owned() }];
        let devices = Vec::new();
        let mut birth =
            Birth { epoch: 2, session: 1, sent_at: NOW.millis(), agent, queued: 0, unsaved: 0, refused, devices };
        let mut born = |birth: &Birth| {
            let site = sites.get_mut("hz").expect("the site");
            site.birth(&"a".parse().unwrap(), birth, NOW, &mut Changes::default());
            probe(&sites)
        };
        let found = Found::new(FindingKey::BadDevice, Severity::Error).about("hz/a").with("hz/a").with(1);
        assert_eq!(born(&birth), [found.with("entry 1 of the birth is no device: `B` at position 1")]);
        birth.refused.clear();
        assert_eq!(born(&birth), []);
    }

    #[test]
    fn a_retired_device_that_still_reports_is_told_until_its_agent_drops_it() {
        let mut sites = sites(&[("a", 0, "tv"), ("b", 0, "fountain")]);
        let site = sites.get_mut("hz").expect("the site");
        for device in ["a-1", "b-1"] {
            site.set_life(&device.parse().unwrap(), Life::Retired, NOW, &mut Changes::default()).unwrap();
        }
        let told = |names, count: u32| {
            [Found::new(FindingKey::RetiredReports, Severity::Warning).about("hz").with("hz").with(count).with(names)]
        };
        assert_eq!(probe(&sites), told("a-1, b-1", 2), "of what is retired, its kind does not matter");
        let drops = Birth {
            epoch: 2,
            session: 1,
            sent_at: NOW.millis(),
            agent: AgentInfo { version: "1".into() },
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: Vec::new(),
        };
        let site = sites.get_mut("hz").expect("the site");
        site.birth(&"a".parse().unwrap(), &drops, NOW, &mut Changes::default());
        assert_eq!(probe(&sites), told("b-1", 1));
        sites.get_mut("hz").expect("the site").broker_lost(NOW, &mut Changes::default());
        assert_eq!(probe(&sites), [], "of an agent that is not heard nobody knows");
    }

    #[test]
    fn what_an_agent_has_lost_is_told_until_a_day_has_passed_without_more() {
        let mut sites = sites(&[("a", 0, "tv"), ("b", 0, "tv")]);
        let site = sites.get_mut("hz").expect("the site");
        let lost = Lost { epoch: 1, from: 4, to: 9 };
        site.lost(&"b".parse().unwrap(), &lost, NOW, &mut Changes::default());
        // A repeat loses nothing.
        site.lost(&"b".parse().unwrap(), &lost, NOW, &mut Changes::default());
        let told = Found::new(FindingKey::AgentLost, Severity::Warning).about("hz/b").with("hz/b").with(6);
        let day = Span::from_mins(24 * 60);
        assert_eq!(super::probe(&sites, (NOW + day).shifted(-1)), [told]);
        assert_eq!(super::probe(&sites, NOW + day), []);
    }

    #[test]
    fn a_device_that_two_agents_report_is_told_with_both_until_one_stops() {
        let mut sites = sites(&[("a", 0, "tv"), ("b", 0, "tv")]);
        let site = sites.get_mut("hz").expect("the site");
        let mut report = |seq: u64, now: Timestamp| {
            let (at, device) = (now.millis(), "a-1".parse().unwrap());
            let record = Record { seq, at, device, reach: Reach::Ok, facts: BTreeMap::new(), faults: Vec::new() };
            let (records, refused) = (vec![record], Vec::new());
            let data = Data { epoch: 1, session: 1, sent_at: at, oldest: None, records, refused };
            site.data(&"b".parse().unwrap(), data, now, &mut Changes::default());
        };
        let minutes = Span::from_mins;
        // One record while a device changes hands is nothing, and neither is a second one long after.
        report(1, NOW);
        report(2, NOW + minutes(11));
        report(3, NOW + minutes(12));
        let last = NOW + minutes(12);
        let contested = |now| {
            let found = super::probe(&sites, now).into_iter();
            found.filter(|found| found.key == FindingKey::ForeignDevice).collect::<Vec<_>>()
        };
        let told = Found::new(FindingKey::ForeignDevice, Severity::Error).about("hz/a-1");
        assert_eq!(contested(last), [told.with("hz/a-1").with("a").with("b")]);
        assert_eq!(contested((last + minutes(10)).shifted(-1)).len(), 1);
        assert_eq!(contested(last + minutes(10)), []);
    }

    #[test]
    fn a_site_without_hours_is_told() {
        let calendar = Calendar::always_open(TimeZone::UTC);
        let site = Site::new("hz".parse().unwrap(), calendar, Pack::built_in(), NOW);
        assert_eq!(ids(&[(site.id.clone(), site)].into()), ["no_hours:hz".into()]);
    }
}
