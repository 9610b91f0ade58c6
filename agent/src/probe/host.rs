//! The computer the agent itself runs on: a laptop of the internet area, or the box in the lobby.
//!
//! Everything is read without privileges. What this computer does not have (a battery, swap) or does not say (a
//! temperature, the health of its disk) is an absent fact, never a made-up one. Numbers are rounded to what a person
//! would act on, so that a quiet computer makes no records.

mod disk;
mod power;
mod smart;
mod temperature;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, TryLockError},
    time::Duration,
};

use lobby_contract::{FactValue, Reach};
use serde::Deserialize;
use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, System};
use tokio::time::{Instant, sleep_until};

use self::{disk::Disks, power::Power, smart::SmartFile, temperature::Thermometers};
use super::{ProbeError, Reading};

/// What to read beside what every computer says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file with the output of `smartctl -j -a /dev/…`, kept fresh by a timer of root: the only way to the disk's own
    /// opinion of its health without giving the agent root's powers.
    pub smart_json: Option<PathBuf>,
    /// How old that file may be to count, in s; 93600 (26 hours) if not given, which fits a daily timer.
    pub smart_max_age_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { smart_json: None, smart_max_age_s: 26 * 3600 }
    }
}

/// The probe.
#[derive(Debug)]
pub struct Host {
    /// Shared with the thread that reads, because a read from a dying disk may never end.
    instruments: Arc<Mutex<Instruments>>,
    /// When the processor's load can first be told: it is a difference.
    settled_at: Instant,
}

/// What is read from, and what must be remembered between two readings.
#[derive(Debug)]
struct Instruments {
    system: System,
    disks: Disks,
    power: Power,
    thermometers: Thermometers,
    smart: Option<SmartFile>,
    os: Option<String>,
}

impl Host {
    /// A probe of this computer; [`ProbeError::Own`] if `config` cannot be used or this system cannot be read at all.
    pub fn new(config: Config) -> Result<Self, ProbeError> {
        Self::at(config, Path::new("/"))
    }

    /// As [`Host::new`], with the kernel's files below `root` (`sys/class/…`, `proc/self/…`) where the probe reads them
    /// itself; the figures of sysinfo remain those of this computer.
    fn at(config: Config, root: &Path) -> Result<Self, ProbeError> {
        if config.smart_json.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(ProbeError::Own("`smart_json` must be an absolute path".into()));
        }
        if config.smart_max_age_s == 0 {
            return Err(ProbeError::Own("`smart_max_age_s` must be more than 0".into()));
        }
        let trouble = |error| ProbeError::Own(format!("reading this computer's figures: {error}"));
        let mut system = System::new().map_err(trouble)?;
        system.refresh_cpu_usage();
        let max_age = Duration::from_secs(config.smart_max_age_s);
        let instruments = Instruments {
            system,
            disks: Disks::at(root).map_err(trouble)?,
            power: Power::at(root),
            thermometers: Thermometers::find().map_err(trouble)?,
            smart: config.smart_json.map(|path| SmartFile::new(path, max_age)),
            os: System::long_os_version().ok(),
        };
        Ok(Self {
            instruments: Arc::new(Mutex::new(instruments)),
            settled_at: Instant::now() + MINIMUM_CPU_UPDATE_INTERVAL,
        })
    }

    /// Reads everything once. Facts: `cpu_percent`, `load_1m`, `memory_percent`, `swap_percent`, `disk_percent`,
    /// `disk_free_gb`, `disk_readonly`, `disk_health`, `disk_wear_percent`, `battery_percent`,
    /// `battery_health_percent`, `battery_cycles`, `on_ac`, `temperature_c`, `uptime_s`, `os`, `host_name`.
    ///
    /// [`ProbeError::Own`]: an earlier reading hangs in the kernel.
    pub async fn probe(&mut self) -> Result<Reading, ProbeError> {
        sleep_until(self.settled_at).await;
        let instruments = Arc::clone(&self.instruments);
        tokio::task::spawn_blocking(move || {
            let mut instruments = match instruments.try_lock() {
                Ok(instruments) => instruments,
                // A panic can have left figures of two readings side by side: all are read anew now.
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return Err(hanging()),
            };
            Ok(Reading { reach: Reach::Ok, facts: instruments.read(), faults: Vec::new() })
        })
        .await
        .map_err(|error| ProbeError::Own(format!("reading this computer's figures: {error}")))?
    }
}

fn hanging() -> ProbeError {
    ProbeError::Own("the last reading of this computer has not ended: a disk or sensor of it hangs".into())
}

impl Instruments {
    fn read(&mut self) -> BTreeMap<Box<str>, FactValue> {
        let mut facts = Facts::default();
        self.read_load(&mut facts);
        self.read_memory(&mut facts);
        self.read_disks(&mut facts);
        self.read_power(&mut facts);
        facts.set("temperature_c", self.thermometers.hottest().map(|celsius| round_to(celsius, 0.5)));
        facts.set("os", self.os.clone());
        facts.set("host_name", System::host_name().ok());
        facts.0
    }

    fn read_load(&mut self, facts: &mut Facts) {
        self.system.refresh_cpu_usage();
        facts.set("cpu_percent", Some(whole(f64::from(self.system.global_cpu_usage()).clamp(0.0, 100.0))));
        // Windows has no such figure.
        let load = if cfg!(windows) { None } else { System::load_average().ok() };
        facts.set("load_1m", load.map(|load| round_to(load.one, 0.1)));
        // A number that grows at each probe would be news at each probe.
        facts.set("uptime_s", System::uptime().ok().map(|seconds| count(seconds / 60 * 60)));
    }

    fn read_memory(&mut self, facts: &mut Facts) {
        self.system.refresh_memory_specifics(MemoryRefreshKind::everything());
        let system = &self.system;
        let used = system.total_memory().saturating_sub(system.available_memory());
        facts.set("memory_percent", percent(used, system.total_memory()));
        facts.set("swap_percent", percent(system.used_swap(), system.total_swap()));
    }

    fn read_disks(&mut self, facts: &mut Facts) {
        if let Some(disk) = self.disks.fullest() {
            facts.set("disk_percent", percent(disk.total.saturating_sub(disk.free), disk.total));
            let free_gb = count(disk.free) / 1e9;
            facts.set("disk_free_gb", Some(round_to(free_gb, if free_gb < 10.0 { 0.1 } else { 1.0 })));
        }
        facts.set("disk_readonly", self.disks.forced_read_only());
        // The kernel's own clock, of which no more than the hour matters.
        let now_s = System::boot_time().and_then(|booted| System::uptime().map(|uptime| booted + uptime));
        let smart = self.smart.as_mut().zip(now_s.ok()).and_then(|(file, now_s)| file.read(now_s));
        if let Some(smart) = smart {
            facts.set("disk_health", smart.failing.map(|failing| if failing { "failing" } else { "ok" }));
            facts.set("disk_wear_percent", smart.wear_percent.map(whole));
        }
    }

    fn read_power(&mut self, facts: &mut Facts) {
        let power = self.power.read();
        facts.set("battery_percent", power.charge_percent.map(whole));
        facts.set("battery_health_percent", power.health_percent.map(whole));
        facts.set("battery_cycles", power.cycles.map(f64::from));
        facts.set("on_ac", power.on_ac);
    }
}

/// The facts of a reading; what is `None` is absent.
#[derive(Debug, Default)]
struct Facts(BTreeMap<Box<str>, FactValue>);

impl Facts {
    fn set(&mut self, name: &str, value: Option<impl Into<FactValue>>) {
        if let Some(value) = value {
            self.0.insert(name.into(), value.into());
        }
    }
}

/// A whole percentage; `None` of nothing.
fn percent(part: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| whole(100.0 * count(part) / count(total)))
}

fn whole(value: f64) -> f64 {
    value.round()
}

/// Rounds to multiples of `step`, without the tails of binary fractions.
fn round_to(value: f64, step: f64) -> f64 {
    let steps_in_one = (1.0 / step).round();
    (value * steps_in_one).round() / steps_in_one
}

#[expect(clippy::cast_precision_loss, reason = "sizes and seconds far below 2^53, and rounded afterwards")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn number(reading: &Reading, fact: &str) -> Option<f64> {
        match reading.facts.get(fact) {
            Some(FactValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    #[tokio::test]
    async fn this_computer_reads_plausibly() {
        let reading = Host::new(Config::default()).unwrap().probe().await.unwrap();
        assert_eq!(reading.reach, Reach::Ok);
        for fact in ["cpu_percent", "memory_percent", "disk_percent"] {
            let value = number(&reading, fact).unwrap_or_else(|| panic!("{fact} in {reading:?}"));
            assert!((0.0..=100.0).contains(&value) && value.fract() == 0.0, "{fact} {value}");
        }
        assert!(number(&reading, "memory_percent") > Some(0.0));
        assert!(number(&reading, "disk_free_gb") > Some(0.0));
        let uptime = number(&reading, "uptime_s").unwrap();
        assert!(uptime >= 0.0 && uptime % 60.0 == 0.0, "{uptime}");
        assert!(number(&reading, "temperature_c").is_none_or(|celsius| (1.0..120.0).contains(&celsius)));
        for fact in ["os", "host_name"] {
            assert!(matches!(&reading.facts[fact], FactValue::Text(text) if !text.is_empty()), "{fact}");
        }
        assert!(!reading.facts.values().any(|value| *value == FactValue::Unknown), "{reading:?}");
    }

    #[tokio::test]
    async fn a_busy_processor_shows() {
        let mut host = Host::new(Config::default()).unwrap();
        let until = host.settled_at;
        tokio::task::spawn_blocking(move || while Instant::now() < until {}).await.unwrap();
        assert!(number(&host.probe().await.unwrap(), "cpu_percent") > Some(0.0));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn battery_and_disk_health_become_facts_where_they_are_known() {
        let root = tempfile::tempdir().unwrap();
        power::tests::laptop(root.path());
        let smart_json = root.path().join("sda.json");
        fs::write(&smart_json, r#"{"smart_status":{"passed":true},"endurance_used":{"current_percent":7}}"#).unwrap();
        let config = Config { smart_json: Some(smart_json), ..Config::default() };
        let reading = Host::at(config, root.path()).unwrap().probe().await.unwrap();
        let shown = [
            "battery_percent",
            "battery_health_percent",
            "battery_cycles",
            "on_ac",
            "disk_health",
            "disk_wear_percent",
        ]
        .map(|fact| reading.facts[fact].to_string());
        assert_eq!(shown, ["50", "80", "321", "true", "ok", "7"]);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hardware_that_is_not_there_has_no_facts() {
        let root = tempfile::tempdir().unwrap();
        let missing = Config { smart_json: Some(root.path().join("none.json")), ..Config::default() };
        let reading = Host::at(missing, root.path()).unwrap().probe().await.unwrap();
        for fact in ["battery_percent", "on_ac", "disk_health", "disk_wear_percent", "disk_readonly"] {
            assert!(!reading.facts.contains_key(fact), "{fact}");
        }
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_the_agents_own_trouble_and_ends_with_it() {
        let mut host = Host::new(Config::default()).unwrap();
        let instruments = Arc::clone(&host.instruments);
        let (locked, held) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let guard = instruments.lock().unwrap();
            locked.send(()).unwrap();
            released.recv().unwrap();
            drop(guard);
        });
        held.recv().unwrap();
        assert!(matches!(host.probe().await, Err(ProbeError::Own(_))));
        release.send(()).unwrap();
        holder.join().unwrap();
        assert!(host.probe().await.is_ok());
    }

    #[test]
    fn values_that_cannot_be_used_are_named() {
        let relative = Config { smart_json: Some("sda.json".into()), ..Config::default() };
        assert!(Host::new(relative).unwrap_err().to_string().contains("smart_json"));
        let ageless = Config { smart_max_age_s: 0, ..Config::default() };
        assert!(Host::new(ageless).unwrap_err().to_string().contains("smart_max_age_s"));
        assert!(toml::from_str::<Config>("smart = 'x'").is_err());
        assert_eq!(toml::from_str::<Config>("").unwrap().smart_max_age_s, 93_600);
    }

    #[test]
    fn rounding_leaves_no_tails() {
        let rounded = [round_to(41.74, 0.5), round_to(0.349, 0.1), round_to(77.6, 1.0)];
        assert_eq!(rounded.map(|value| value.to_string()), ["41.5", "0.3", "78"]);
        assert_eq!((percent(1, 3), percent(0, 0)), (Some(33.0), None));
    }
}
