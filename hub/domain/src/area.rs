//! The areas (区域) of a site in which its devices stand: those of the standards by a device's kind, and what a site says of its own.

use std::collections::BTreeMap;

use lobby_contract::DeviceId;

use crate::{label::Label, pack::Pack};

/// The most characters by which an area is called.
const LONGEST: usize = 40;

/// An area, such as the entrance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its name in the configuration and in addresses.
    pub id: Box<str>,
    /// What people call it.
    pub label: Label,
}

/// Why a site cannot have an area so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AreaError {
    /// Its id is no name.
    #[error("`{0}` is not the name of an area: use a-z, 0-9 and `-` between them, 64 at most")]
    Id(String),
    /// What people call it is empty or too long.
    #[error("`{0}` is called nothing, or by more than 40 characters")]
    Name(String),
}

/// Checks an area that a site names: its id, and what people call it.
pub fn check(id: &str, name: &str) -> Result<(), AreaError> {
    if id.parse::<DeviceId>().is_err() {
        return Err(AreaError::Id(id.to_owned()));
    }
    let fits = (1..=LONGEST).contains(&name.trim().chars().count());
    if fits { Ok(()) } else { Err(AreaError::Name(id.to_owned())) }
}

/// What a site says of its areas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Areas {
    /// What people call areas that the standards do not have, and those that are called otherwise here, by id.
    pub names: BTreeMap<Box<str>, Box<str>>,
    /// The area of each device that does not stand in that of its kind.
    pub devices: BTreeMap<DeviceId, Box<str>>,
}

impl Areas {
    /// The areas of the site: those of the standards in their order, then its own by id.
    pub fn all(&self, pack: &Pack) -> Vec<Area> {
        let own = self.names.iter().filter(|(id, _)| pack.areas.iter().all(|area| area.id != **id));
        let own = own.map(|(id, name)| Area { id: id.clone(), label: both(name) });
        pack.areas.iter().map(|area| self.called(area)).chain(own).collect()
    }

    /// The area of that id; nothing if neither the site nor the standards have it.
    pub fn get(&self, pack: &Pack, id: &str) -> Option<Area> {
        let usual = pack.areas.iter().find(|area| *area.id == *id).map(|area| self.called(area));
        usual.or_else(|| self.names.get(id).map(|name| Area { id: id.into(), label: both(name) }))
    }

    /// The one area in which a device stands: what the site says of it, or that of its kind. Nothing if neither is said: no area is made
    /// up.
    pub fn of(&self, pack: &Pack, device: &DeviceId, kind: &str) -> Option<Area> {
        let usual = || pack.kinds.get(kind).and_then(|kind| kind.kind.area.as_deref());
        self.get(pack, self.devices.get(device).map(|id| &**id).or_else(usual)?)
    }

    /// An area of the standards as it is called here.
    fn called(&self, area: &Area) -> Area {
        let label = self.names.get(&area.id).map_or_else(|| area.label.clone(), |name| both(name));
        Area { id: area.id.clone(), label }
    }
}

/// A name of one's own is the same in both languages.
fn both(name: &str) -> Label {
    Label::new(name, name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn areas() -> Areas {
        let names = [("terrace", "露台"), ("entrance", "西门")].map(|(id, name)| (id.into(), name.into()));
        let devices = [("tv-2", "reception"), ("tv-3", "terrace"), ("tv-4", "cellar")];
        let devices = devices.map(|(device, area)| (device.parse().unwrap(), area.into()));
        Areas { names: names.into(), devices: devices.into() }
    }

    #[rstest]
    #[case::of_its_kind("tv-1", "tv", Some("电梯厅"))]
    #[case::elsewhere("tv-2", "tv", Some("接待台"))]
    #[case::in_an_area_of_the_site("tv-3", "tv", Some("露台"))]
    #[case::in_an_area_that_is_none("tv-4", "tv", None)]
    #[case::called_otherwise("led", "led-display", Some("西门"))]
    #[case::of_a_kind_nobody_knows("pot", "teapot", None)]
    #[case::of_a_kind_that_stands_anywhere("door", "agent", None)]
    fn a_device_stands_in_one_area_or_in_none_that_is_known(
        #[case] device: &str,
        #[case] kind: &str,
        #[case] expected: Option<&str>,
    ) {
        let area = areas().of(&Pack::built_in(), &device.parse().unwrap(), kind);
        assert_eq!(area.as_ref().map(|area| &*area.label.zh), expected);
    }

    #[test]
    fn the_standards_know_the_areas_of_the_usual_site_and_nothing_has_to_be_configured() {
        let pack = Pack::built_in();
        let words = |areas: &Areas| areas.all(&pack).iter().map(|area| area.label.zh.to_string()).collect::<Vec<_>>();
        let usual = ["入口", "电梯厅", "样板房", "水吧", "桌球区", "上网区", "接待台"];
        assert_eq!(words(&Areas::default()), usual);
        assert_eq!(words(&areas()), ["西门", "电梯厅", "样板房", "水吧", "桌球区", "上网区", "接待台", "露台"]);
        for kind in
            ["led-display", "tv", "shoe-cover-machine", "snooker-table", "snooker-equipment", "laptop", "network"]
        {
            let device = "a".parse().unwrap();
            assert!(Areas::default().of(&pack, &device, kind).is_some(), "{kind}");
        }
    }
}
