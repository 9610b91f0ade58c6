//! The areas that a site names, and the devices that it puts into one.

use std::collections::BTreeMap;

use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    area::{self, Areas},
    pack::Pack,
};

use super::{Check, SiteSettings};

impl Check<'_> {
    /// What a site says of its areas. Names that are none are noted.
    pub(super) fn areas(
        &mut self,
        id: &SiteId,
        names: BTreeMap<String, String>,
        devices: BTreeMap<DeviceId, String>,
    ) -> Areas {
        for (area, name) in &names {
            let path = ["site", id.as_str(), "areas", area];
            if let Err(wrong) = area::check(area, name)
                && !self.left_out.touch(&path)
            {
                self.wrong(&path, &path[..3].join("."), wrong);
            }
        }
        Areas {
            names: names.into_iter().map(|(area, name)| (area.into(), name.trim().into())).collect(),
            devices: devices.into_iter().map(|(device, area)| (device, area.into())).collect(),
        }
    }

    /// Notes areas of devices that neither the standards nor the site have.
    pub(super) fn areas_of(&mut self, sites: &BTreeMap<SiteId, SiteSettings>, pack: Option<&Pack>) {
        let Some(pack) = pack else { return };
        for (id, settings) in sites {
            let all = settings.areas.all(pack);
            for (device, area) in
                settings.areas.devices.iter().filter(|(_, wanted)| all.iter().all(|area| area.id != **wanted))
            {
                let known = all.iter().map(|area| format!("`{}`", area.id)).collect::<Vec<_>>().join(", ");
                let path = ["site", id.as_str(), "area_of", device.as_str()];
                let wrong =
                    format!("there is no area `{area}`; there are {known}; others are named in [site.{id}.areas]");
                self.wrong(&path, &path[..3].join("."), wrong);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Overrides, tests::config};

    #[test]
    fn a_site_names_areas_of_its_own_and_puts_devices_into_them() {
        let text = "[site.a.areas]\nterrace = '露台'\nentrance = '西门'\n[site.a.area_of]\ntv-2 = 'terrace'\ntv-3 = 'reception'\n";
        let config = config(text, Overrides::default()).unwrap();
        let areas = &config.sites["a"].areas;
        let called = |device: &str, kind| areas.of(&config.pack, &device.parse().unwrap(), kind).unwrap().label.zh;
        let expected =
            [("tv-1", "tv", "电梯厅"), ("tv-2", "tv", "露台"), ("tv-3", "tv", "接待台"), ("l", "led-display", "西门")];
        for (device, kind, area) in expected {
            assert_eq!(&*called(device, kind), area, "{device}");
        }
    }

    #[test]
    fn an_area_that_is_none_is_said_with_its_place_and_those_there_are() {
        let text = "[site.a.areas]\nTerrace = '露台'\npool = ' '\n[site.a.area_of]\ntv-2 = 'terrace'\n";
        let error = format!("{:#}", config(text, Overrides::default()).unwrap_err());
        for expected in [
            "hub.toml:2:11: [site.a.areas] `Terrace` is not the name of an area",
            "hub.toml:3:8: [site.a.areas] `pool` is called nothing",
            "hub.toml:5:8: [site.a.area_of] there is no area `terrace`; there are `entrance`, `lift-lobby`",
        ] {
            assert!(error.lines().any(|line| line.starts_with(expected)), "{error}\nno {expected}");
        }
    }
}
