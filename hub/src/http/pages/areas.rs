//! The devices of the site shown by the area in which they stand.

use lobby_dashboards::{AreaList, AreaRow, Counts, State};
use lobby_domain::{area::Area, device::Device, site::Site};

use super::{Scene, overview::counts};

/// The areas of the one site that is shown, or the one of them that was asked for; nothing where several sites are shown together.
pub(super) fn list(scene: &Scene<'_>) -> AreaList {
    let Some(site) = scene.chosen().and_then(|id| scene.site(id)) else { return AreaList::default() };
    let areas = scene.areas(&site.id);
    let asked = scene.reader.asked.area.as_deref().filter(|asked| !asked.is_empty());
    let every = asked.map(|_| format!("/?site={}", site.id));
    if let Some(asked) = asked {
        return match areas.iter().find(|area| *area.id == *asked) {
            Some(area) => AreaList { rows: vec![row(scene, site, Some(area), true)], every, none_such: None },
            None => AreaList { rows: Vec::new(), every, none_such: Some(asked.to_owned()) },
        };
    }
    let all = areas.iter().map(Some).chain([None]).map(|area| row(scene, site, area, false));
    AreaList { rows: all.filter(|row| row.counts != Counts::default()).collect(), every, none_such: None }
}

/// The devices in use at a site that stand in an area, or in none that is known.
fn standing<'s>(scene: &Scene<'_>, site: &'s Site, area: Option<&Area>) -> Vec<&'s Device> {
    let used = site.devices().filter(|device| device.announced && device.life.is_judged());
    used.filter(|device| scene.area_of(site, device).map(|area| area.id) == area.map(|area| area.id.clone())).collect()
}

fn row(scene: &Scene<'_>, site: &Site, area: Option<&Area>, alone: bool) -> AreaRow {
    let standing = standing(scene, site, area);
    let states = || standing.iter().map(|device| scene.state_of(site, device));
    let shown = standing.iter().zip(states()).filter(|(_, state)| alone || *state != State::Normal);
    AreaRow {
        name: area.map(|area| scene.text(&area.label)),
        href: area.filter(|_| !alone).map(|area| format!("/?site={}&area={}", site.id, area.id)),
        counts: counts(states()),
        devices: shown.map(|(device, state)| (scene.device(site, device), state)).collect(),
    }
}
