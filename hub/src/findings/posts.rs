//! Posts that are to be told of what happens at a site and that no channel serves there: nobody tells them outside the pages.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::SiteId;
use lobby_dashboards::{FindingKey, Lang};
use lobby_domain::{device::Life, label, pack::Pack, site::Site};

use super::{Found, Severity};
use crate::store::Route;

/// Between the ids of posts in a finding.
const BETWEEN: &str = ", ";

pub(super) fn probe(sites: &BTreeMap<SiteId, Site>, pack: &Pack, routes: &[Route]) -> Vec<Found> {
    // Where no channel is set up at all, nobody wants to be told.
    if routes.is_empty() {
        return Vec::new();
    }
    let found = |site: &Site| {
        let kinds = site.devices().filter(|device| device.life != Life::Retired).map(|device| &*device.kind);
        unserved(&site.id, &pack.told(kinds), routes)
    };
    sites.values().filter_map(found).collect()
}

/// Posts by their ids, as people call them.
pub(super) fn called(posts: &str, lang: Lang, pack: &Pack) -> String {
    let words = match lang {
        Lang::Zh => label::Lang::Zh,
        Lang::En => label::Lang::En,
    };
    let names = posts.split(BETWEEN).map(|id| pack.posts.get(id).map_or(id, |label| label.in_lang(words)));
    names.collect::<Vec<_>>().join(lang.texts().list_comma)
}

/// What is to be said of the posts that are `told` at a site.
fn unserved(site: &SiteId, told: &BTreeSet<Box<str>>, routes: &[Route]) -> Option<Found> {
    let here = || routes.iter().filter(|route| route.serves(site.as_str()));
    let is_served = |post: &str| here().any(|route| route.posts.iter().any(|served| **served == *post));
    let unserved: Vec<&str> = told.iter().map(|post| &**post).filter(|post| !is_served(post)).collect();
    let found = Found::new(FindingKey::PostUnserved, Severity::Warning).about(site.as_str());
    (!unserved.is_empty()).then(|| found.with(site).with(unserved.join(BETWEEN)))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use lobby_contract::{AgentInfo, Birth, DeviceInfo};
    use lobby_domain::{calendar::Calendar, site::Changes, time::Timestamp};
    use rstest::rstest;

    use super::*;
    use crate::findings::Domain;

    fn route(posts: &[&str], sites: &[&str]) -> Route {
        let posts = posts.iter().map(|post| Box::from(*post)).collect();
        Route { channel: "ops".to_owned(), posts, sites: sites.iter().map(|site| site.parse().unwrap()).collect() }
    }

    #[rstest]
    #[case::all_are_served(vec![route(&["engineering", "manager"], &[])], None)]
    #[case::by_several(vec![route(&["engineering"], &["hz"]), route(&["manager"], &["bj", "hz"])], None)]
    #[case::one_is_not(vec![route(&["engineering", "concierge"], &[])], Some("manager"))]
    #[case::elsewhere_alone(vec![route(&["engineering"], &["hz"]), route(&["manager"], &["bj"])], Some("manager"))]
    #[case::none_is(vec![route(&["engineering", "manager"], &["bj"])], Some("engineering, manager"))]
    fn a_post_that_no_channel_serves_at_its_site_is_found(#[case] routes: Vec<Route>, #[case] names: Option<&str>) {
        let (site, told) = ("hz".parse().unwrap(), ["engineering".into(), "manager".into()].into());
        let expected = Found::new(FindingKey::PostUnserved, Severity::Warning).about("hz").with("hz");
        assert_eq!(unserved(&site, &told, &routes), names.map(|names| expected.with(names)));
    }

    /// A site with devices of these kinds, of which the last is retired.
    fn site_with(kinds: &[&str]) -> BTreeMap<SiteId, Site> {
        let (calendar, now) = (Calendar::new(TimeZone::UTC, [None; 7], BTreeMap::new()), Timestamp::default());
        let mut site = Site::new("hz".parse().unwrap(), calendar, Pack::built_in(), now);
        let id = |kind: &str| format!("{kind}-1").parse().unwrap();
        let device = |kind: &&str| DeviceInfo {
            id: id(kind),
            kind: (*kind).into(),
            name: "".into(),
            place: "".into(),
            every_ms: 5000,
        };
        let birth = Birth {
            epoch: 1,
            session: 1,
            sent_at: 0,
            agent: AgentInfo { version: "1".into() },
            queued: 0,
            unsaved: 0,
            refused: Vec::new(),
            devices: kinds.iter().map(device).collect(),
        };
        let changes = &mut Changes::default();
        site.birth(&"box".parse().unwrap(), &birth, now, changes);
        if let Some(last) = kinds.last() {
            site.set_life(&id(last), Life::Retired, now, changes).unwrap();
        }
        [(site.id.clone(), site)].into()
    }

    #[test]
    fn a_site_needs_the_posts_of_the_devices_that_it_has_and_without_any_channel_none() {
        let (sites, pack) = (site_with(&["led-display", "shoe-cover-machine"]), Pack::built_in());
        let found = probe(&sites, &pack, &[route(&["engineering", "manager"], &[])]);
        let [found] = found.try_into().unwrap();
        assert_eq!(&*found.id, "post_unserved:hz");
        let finding = found.into_finding(Domain::Estate, None, Timestamp::default());
        assert!(!finding.persistent);
        assert_eq!(
            finding.texts(Lang::En, &pack).0,
            "At site hz no channel serves these posts: Concierge, Shift leader, Supervisor"
        );
        assert_eq!(finding.texts(Lang::Zh, &pack).0, "案场 hz 的以下岗位没有通知通道：礼宾岗、领班、主管");
        let all = route(&["engineering", "manager", "concierge", "leader", "supervisor"], &[]);
        assert_eq!((probe(&sites, &pack, &[all]), probe(&sites, &pack, &[])), (Vec::new(), Vec::new()));
    }
}
