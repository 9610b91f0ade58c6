//! Batteries and the mains.

use std::path::Path;

/// What is known of the power supply; what is `None` is not there or not said.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Supply {
    /// How full the batteries are together.
    pub(super) charge_percent: Option<f64>,
    /// How much of the capacity they were built with is left.
    pub(super) health_percent: Option<f64>,
    /// Charge cycles of the most used battery.
    pub(super) cycles: Option<u32>,
    /// Whether the mains feed the computer.
    pub(super) on_ac: Option<bool>,
}

/// One battery. Energies in any unit, the same for all three.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Battery {
    now: Option<f64>,
    full: Option<f64>,
    design: Option<f64>,
    /// Its own figure of how full it is.
    percent: Option<f64>,
    cycles: Option<u32>,
}

/// Where the figures are read.
#[derive(Debug)]
pub(super) struct Power(platform::Source);

impl Power {
    pub(super) fn at(root: &Path) -> Self {
        Self(platform::Source::at(root))
    }

    pub(super) fn read(&mut self) -> Supply {
        let (batteries, on_ac) = self.0.read();
        Supply {
            charge_percent: share(&batteries, |battery| Some((battery.now?, battery.full?)))
                .or_else(|| mean(batteries.iter().filter_map(|battery| battery.percent)))
                .map(|percent| percent.clamp(0.0, 100.0)),
            // A new battery often holds a little more than it was built for.
            health_percent: share(&batteries, |battery| Some((battery.full?, battery.design?)))
                .map(|percent| percent.clamp(0.0, 100.0)),
            // Firmware that does not count says 0.
            cycles: batteries.iter().filter_map(|battery| battery.cycles).max().filter(|&cycles| cycles > 0),
            on_ac,
        }
    }
}

/// The sum of the parts of the sum of the wholes, in percent, over batteries that tell both.
fn share(batteries: &[Battery], both: impl Fn(&Battery) -> Option<(f64, f64)>) -> Option<f64> {
    let told = batteries.iter().filter_map(both).filter(|&(_, whole)| whole > 0.0);
    let (part, whole) = told.fold((0.0, 0.0), |sum, told| (sum.0 + told.0, sum.1 + told.1));
    (whole > 0.0).then(|| 100.0 * part / whole)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

#[cfg(target_os = "linux")]
mod platform {
    //! Linux says it in files, the mains included.

    use std::{
        fs,
        path::{Path, PathBuf},
        str::FromStr,
    };

    use super::Battery;

    #[derive(Debug)]
    pub(super) struct Source(PathBuf);

    impl Source {
        pub(super) fn at(root: &Path) -> Self {
            Self(root.join("sys/class/power_supply"))
        }

        /// The batteries, and whether any source other than a battery feeds the computer.
        pub(super) fn read(&mut self) -> (Vec<Battery>, Option<bool>) {
            let (mut batteries, mut on_ac) = (Vec::new(), None);
            let Ok(entries) = fs::read_dir(&self.0) else { return (batteries, on_ac) };
            for folder in entries.flatten().map(|entry| entry.path()) {
                // The battery of a mouse is not this computer's.
                if said::<String>(&folder, "scope").is_some_and(|scope| scope == "Device") {
                    continue;
                }
                match said::<String>(&folder, "type").as_deref() {
                    Some("Battery") if said(&folder, "present") != Some(0) => batteries.push(battery(&folder)),
                    Some("Mains" | "USB" | "USB_C" | "USB_PD") => {
                        // 2 is a source whose power can be negotiated.
                        let online = said::<u8>(&folder, "online").map(|online| online > 0);
                        on_ac = on_ac.max(online);
                    }
                    _ => {}
                }
            }
            (batteries, on_ac)
        }
    }

    /// Drivers count either energy or charge; both serve for shares.
    fn battery(folder: &Path) -> Battery {
        let unit = if folder.join("energy_full").exists() { "energy" } else { "charge" };
        Battery {
            now: said(folder, &format!("{unit}_now")),
            full: said(folder, &format!("{unit}_full")),
            design: said(folder, &format!("{unit}_full_design")),
            percent: said(folder, "capacity"),
            cycles: said(folder, "cycle_count"),
        }
    }

    fn said<T: FromStr>(folder: &Path, file: &str) -> Option<T> {
        fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    //! Windows and macOS, by a library. They do not tell the mains apart; a battery that is not discharging tells.

    use std::path::Path;

    use starship_battery::{Manager, State};

    use super::Battery;

    #[derive(Debug)]
    pub(super) struct Source(Option<Manager>);

    impl Source {
        pub(super) fn at(_root: &Path) -> Self {
            Self(Manager::new().ok())
        }

        /// The batteries, and whether the mains feed the computer, as far as the batteries show.
        pub(super) fn read(&mut self) -> (Vec<Battery>, Option<bool>) {
            let Some(found) = self.0.as_ref().and_then(|manager| manager.batteries().ok()) else {
                return (Vec::new(), None);
            };
            let (mut batteries, mut on_ac) = (Vec::new(), None);
            for battery in found.flatten() {
                let feeds = match battery.state() {
                    State::Discharging | State::Empty => Some(false),
                    State::Charging | State::Full => Some(true),
                    _ => None,
                };
                on_ac = on_ac.max(feeds);
                batteries.push(Battery {
                    now: Some(battery.energy().value.into()),
                    full: Some(battery.energy_full().value.into()),
                    design: Some(battery.energy_full_design().value.into()),
                    percent: Some(f64::from(battery.state_of_charge().value) * 100.0),
                    cycles: battery.cycle_count(),
                });
            }
            (batteries, on_ac)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(super) mod tests {
    use std::fs;

    use super::*;

    fn supply(root: &Path, name: &str, files: &[(&str, &str)]) {
        let folder = root.join("sys/class/power_supply").join(name);
        fs::create_dir_all(&folder).expect("a new folder");
        for (file, text) in files {
            fs::write(folder.join(file), format!("{text}\n")).expect("a new file");
        }
    }

    /// A laptop on the mains: half full, at 80 % of its built capacity, after 321 cycles; with a mouse.
    pub(in super::super) fn laptop(root: &Path) {
        supply(root, "AC", &[("type", "Mains"), ("online", "1")]);
        let battery = [
            ("type", "Battery"),
            ("present", "1"),
            ("energy_now", "20000000"),
            ("energy_full", "40000000"),
            ("energy_full_design", "50000000"),
            ("capacity", "49"),
            ("cycle_count", "321"),
        ];
        supply(root, "BAT0", &battery);
        supply(root, "hidpp_battery_0", &[("type", "Battery"), ("scope", "Device"), ("capacity", "5")]);
    }

    fn read(root: &Path) -> Supply {
        Power::at(root).read()
    }

    #[test]
    fn a_laptops_battery_is_read_and_a_mouses_is_not() {
        let root = tempfile::tempdir().unwrap();
        laptop(root.path());
        let expected =
            Supply { charge_percent: Some(50.0), health_percent: Some(80.0), cycles: Some(321), on_ac: Some(true) };
        assert_eq!(read(root.path()), expected);
    }

    #[test]
    fn two_batteries_count_by_their_size() {
        let root = tempfile::tempdir().unwrap();
        let battery = |now, full, cycles| {
            [("type", "Battery"), ("charge_now", now), ("charge_full", full), ("cycle_count", cycles)]
        };
        supply(root.path(), "BAT0", &battery("30", "30", "10"));
        supply(root.path(), "BAT1", &battery("0", "10", "700"));
        supply(root.path(), "BAT2", &[("type", "Battery"), ("present", "0"), ("capacity", "0")]);
        let expected = Supply { charge_percent: Some(75.0), cycles: Some(700), ..Supply::default() };
        assert_eq!(read(root.path()), expected);
    }

    #[test]
    fn firmware_that_says_little_gives_little() {
        let root = tempfile::tempdir().unwrap();
        let battery = [("type", "Battery"), ("capacity", "87"), ("cycle_count", "0"), ("energy_full", "garbage")];
        supply(root.path(), "BAT0", &battery);
        supply(root.path(), "ADP1", &[("type", "Mains"), ("online", "0")]);
        supply(root.path(), "ucsi-1", &[("type", "USB"), ("online", "0")]);
        let expected = Supply { charge_percent: Some(87.0), on_ac: Some(false), ..Supply::default() };
        assert_eq!(read(root.path()), expected);
    }

    #[test]
    fn a_new_battery_is_not_better_than_whole() {
        let root = tempfile::tempdir().unwrap();
        let battery = [("type", "Battery"), ("energy_full", "51"), ("energy_full_design", "50"), ("energy_now", "52")];
        supply(root.path(), "BAT0", &battery);
        let expected = Supply { charge_percent: Some(100.0), health_percent: Some(100.0), ..Supply::default() };
        assert_eq!(read(root.path()), expected);
    }

    #[test]
    fn a_computer_without_a_battery_says_nothing() {
        assert_eq!(read(tempfile::tempdir().unwrap().path()), Supply::default());
    }
}
