//! What the agent is told: who it is, where the hub is, and which devices it watches.

mod document;
mod url;
mod watchdog;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use lobby_contract::{AgentId, Birth, DeviceId, DeviceInfo, FactValue, MAX_PAYLOAD, SiteId, encode};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    probe::{Probe, ProbeConfig},
    secret::SecretSource,
};
use document::{Document, Table};

pub use document::{ConfigError, Problem};
pub use url::{HubUrl, UrlError};
pub(crate) use watchdog::webhook_uri;
pub use watchdog::{Format, Hours, Watchdog, WebhookUrl, Zone};

/// Shortest and longest time between two probes of a device.
const EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
/// Shortest time that a device is given to answer.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);
/// Longest heartbeat.
const MAX_HEARTBEAT: Duration = Duration::from_hours(24);
/// Smallest spool, in bytes.
const MIN_SPOOL: u64 = 1024 * 1024;
/// Longest name or place of a device, in bytes.
const MAX_TEXT: usize = 256;
/// Most constant facts of a device: the rest of what a record holds is for what the probe finds.
const MAX_CONSTANTS: usize = 32;

/// Everything one agent is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The site it belongs to.
    pub site: SiteId,
    /// Its own name, unique within the site.
    pub id: AgentId,
    /// The directory it alone writes to.
    pub state_dir: PathBuf,
    /// Its way to the hub.
    pub hub: Hub,
    /// Its memory on disk.
    pub spool: Spool,
    /// What it does when the hub is silent.
    pub watchdog: Watchdog,
    /// What it watches.
    pub devices: Vec<Device>,
}

/// The way to the hub's broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// The broker's address; `mqtt://127.0.0.1:1883` if not given.
    #[serde(default = "local_hub")]
    pub url: HubUrl,
    /// Certificates (PEM) that are trusted beside none other; those of the system if not given. Only with `mqtts`.
    pub ca_file: Option<PathBuf>,
    /// The agent's own certificate (PEM), if the broker asks for one.
    pub client_cert_file: Option<PathBuf>,
    /// The private key (PEM) of that certificate.
    pub client_key_file: Option<PathBuf>,
    /// The user name, if the broker asks for one; with a password and no name, the agent's own, as the hub's broker knows it: `site/agent`.
    pub username: Option<String>,
    /// Where the password of that user is kept.
    pub password: Option<SecretSource>,
}

impl Hub {
    /// A broker without credentials.
    pub fn at(url: HubUrl) -> Self {
        Self { url, ca_file: None, client_cert_file: None, client_key_file: None, username: None, password: None }
    }
}

/// The agent's memory on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spool {
    /// Most bytes it may take; 256 MiB if not given. Beyond it the oldest records go.
    #[serde(default = "spool_bytes")]
    pub max_bytes: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { max_bytes: spool_bytes() }
    }
}

/// One device, and how it is watched.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name in topics and addresses.
    pub id: DeviceId,
    /// Its kind in the standards pack.
    pub kind: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// Where it stands.
    pub place: Box<str>,
    /// Time between two probes.
    pub every: Duration,
    /// How long a probe may take; then the device is unreachable.
    pub timeout: Duration,
    /// A record is sent at least this often.
    pub heartbeat: Duration,
    /// Facts that are sent with every record, beside what the probe finds.
    pub facts: BTreeMap<Box<str>, FactValue>,
    /// By how much a number must move to be sent before the heartbeat.
    pub dead_band: BTreeMap<Box<str>, f64>,
    /// How it is asked.
    pub probe: ProbeConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentTable {
    site: Option<SiteId>,
    id: Option<AgentId>,
    state_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceTable {
    id: DeviceId,
    kind: Box<str>,
    name: Option<Box<str>>,
    #[serde(default)]
    place: Box<str>,
    #[serde(default = "every", deserialize_with = "duration")]
    every: Duration,
    #[serde(default, deserialize_with = "some_duration")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "some_duration")]
    heartbeat: Option<Duration>,
    #[serde(default)]
    facts: BTreeMap<Box<str>, FactValue>,
    #[serde(default)]
    dead_band: BTreeMap<Box<str>, f64>,
}

fn local_hub() -> HubUrl {
    HubUrl { tls: false, host: "127.0.0.1".into(), port: 1883 }
}

fn spool_bytes() -> u64 {
    256 * 1024 * 1024
}

fn every() -> Duration {
    Duration::from_secs(10)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let wrong =
        |error| D::Error::custom(format!("`{text}` is not a duration such as \"500ms\", \"10s\" or \"5m\": {error}"));
    humantime::parse_duration(&text).map_err(wrong)
}

fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from).map(Some)
}

/// Where in the file the parts of a device stand.
#[derive(Default)]
struct Spans {
    keys: BTreeMap<String, Range<usize>>,
    whole: Option<Range<usize>>,
    probe: Option<Range<usize>>,
}

impl Spans {
    fn of(table: &Table<'_>) -> Self {
        let keys = table.get_ref().iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect();
        Self { keys, whole: Some(table.span()), probe: None }
    }

    fn at(&self, key: &str) -> Option<Range<usize>> {
        let found = if key == "probe" { self.probe.as_ref() } else { self.keys.get(key) };
        found.or(self.whole.as_ref()).cloned()
    }
}

impl Config {
    /// Reads the file at `path`, with what the environment says (`LOBBY_AGENT_SITE`, `LOBBY_AGENT_ID`, `LOBBY_AGENT_STATE_DIR`,
    /// `LOBBY_HUB_URL`) in place of what the file says.
    pub fn load(path: &Path, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let origin = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse_with(&text, &origin, env),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                Err(ConfigError { origin, problems: vec![Problem { at: None, message }] })
            }
        }
    }

    /// Reads `text`; `origin` is what complaints call it.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, origin, |_| None)
    }

    fn parse_with(text: &str, origin: &str, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut document = Document::new(text);
        let read = Self::read(&mut document, env);
        let problems = document.into_problems();
        match read {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError { origin: origin.to_owned(), problems }),
        }
    }

    fn read(document: &mut Document<'_>, env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let mut root = document.root();
        if !document.is_clean() {
            return None;
        }
        let agent = document.take_table(&mut root, "agent");
        let hub = document.take_table(&mut root, "hub");
        let spool = document.take_table(&mut root, "spool");
        let watchdog = document.take_table(&mut root, "watchdog");
        let devices = document.take_tables(&mut root, "device");
        document.refuse_rest(&root, &["agent", "hub", "spool", "watchdog", "device"]);

        let whole = agent.as_ref().map_or(root.span(), Table::span);
        let agent = match agent {
            Some(agent) => document.read::<AgentTable>(agent, &[]),
            None => Some(AgentTable { site: None, id: None, state_dir: None }),
        };
        let mut hub = hub.map_or_else(|| Some(Hub::at(local_hub())), |hub| document.read::<Hub>(hub, &[]));
        let spool = spool.map_or_else(|| Some(Spool::default()), |spool| document.read::<Spool>(spool, &[]));
        let watchdog_span = watchdog.as_ref().map(Spans::of).unwrap_or_default();
        let watchdog = watchdog.map_or_else(|| Some(Watchdog::default()), |watchdog| document.read(watchdog, &[]));
        let mut spans = Vec::new();
        let devices: Vec<Option<Device>> =
            devices.into_iter().map(|device| read_device(document, device, &mut spans)).collect();

        if let (Some(url), Some(hub)) = (overriding(document, &env, "LOBBY_HUB_URL"), &mut hub) {
            hub.url = url;
        }
        let AgentTable { site, id, state_dir } = agent?;
        let site = overriding(document, &env, "LOBBY_AGENT_SITE").or(site);
        let id = overriding(document, &env, "LOBBY_AGENT_ID").or(id);
        for (key, missing, variable) in
            [("site", site.is_none(), "LOBBY_AGENT_SITE"), ("id", id.is_none(), "LOBBY_AGENT_ID")]
        {
            if missing {
                document
                    .complain(Some(whole.clone()), format!("`[agent]` lacks `{key}`: set it here or in {variable}"));
            }
        }
        let config = Self {
            site: site?,
            id: id?,
            state_dir: env("LOBBY_AGENT_STATE_DIR")
                .map(PathBuf::from)
                .or(state_dir)
                .unwrap_or("/var/lib/lobby-agent".into()),
            hub: hub?,
            spool: spool?,
            watchdog: watchdog?,
            devices: devices.iter().flatten().cloned().collect(),
        };
        let read: Vec<Spans> =
            spans.into_iter().zip(&devices).filter(|(_, device)| device.is_some()).map(|(spans, _)| spans).collect();
        for (device, key, message) in config.mistakes() {
            let spans = device.map_or(Some(&watchdog_span), |index| read.get(index));
            let span = spans.filter(|_| !key.is_empty()).and_then(|spans| spans.at(key));
            document.complain(span, message);
        }
        Some(config)
    }

    /// Checks what types cannot say. A configuration built in code is checked by this before it runs.
    pub fn check(&self) -> Result<(), ConfigError> {
        let problems: Vec<Problem> =
            self.mistakes().into_iter().map(|(_, _, message)| Problem { at: None, message }).collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { origin: "configuration".into(), problems }) }
    }

    /// The devices as a birth announces them.
    pub fn announced(&self) -> Vec<DeviceInfo> {
        let announce = |device: &Device| DeviceInfo {
            id: device.id.clone(),
            kind: device.kind.clone(),
            name: device.name.clone(),
            place: device.place.clone(),
            every_ms: u64::try_from(device.heartbeat.as_millis()).unwrap_or(u64::MAX),
        };
        self.devices.iter().map(announce).collect()
    }

    /// Every mistake: of which device (by index; if none, of `[watchdog]`), at which key, and what to do.
    fn mistakes(&self) -> Vec<(Option<usize>, &'static str, String)> {
        let mut found = Vec::new();
        let hub = &self.hub;
        if hub.client_cert_file.is_some() != hub.client_key_file.is_some() {
            found.push((None, "", "`[hub]` needs both `client_cert_file` and `client_key_file`, or neither".into()));
        }
        if !hub.url.tls && (hub.ca_file.is_some() || hub.client_cert_file.is_some()) {
            found.push((None, "", "`[hub]` names certificates, but the address is not `mqtts://`".into()));
        }
        if self.spool.max_bytes < MIN_SPOOL {
            found.push((
                None,
                "",
                format!("`[spool] max_bytes` is {}, the least is {MIN_SPOOL}", self.spool.max_bytes),
            ));
        }
        found.extend(self.watchdog.mistakes().into_iter().map(|(key, message)| (None, key, message)));
        let mut ids = BTreeSet::new();
        for (index, device) in self.devices.iter().enumerate() {
            if !ids.insert(&device.id) {
                found.push((Some(index), "id", format!("there is another device `{}`: ids must differ", device.id)));
            }
            found.extend(device.mistakes().into_iter().map(|(key, message)| (Some(index), key, message)));
        }
        let birth = Birth {
            epoch: u64::MAX,
            session: u32::MAX,
            sent_at: i64::MAX,
            agent: lobby_contract::AgentInfo { version: env!("CARGO_PKG_VERSION").into() },
            queued: u64::MAX,
            unsaved: u64::MAX,
            refused: Vec::new(),
            devices: self.announced(),
        };
        if self.devices.len() > 1000 || encode(&birth).len() > MAX_PAYLOAD {
            let message =
                format!("{} devices are too many for one agent: share them among several", self.devices.len());
            found.push((None, "", message));
        }
        found
    }
}

impl Device {
    fn mistakes(&self) -> Vec<(&'static str, String)> {
        let Self { id, every, timeout, heartbeat, .. } = self;
        let shown = |duration: &Duration| humantime::format_duration(*duration).to_string();
        let mut found = Vec::new();
        let mut complain = |is_wrong: bool, key: &'static str, message: String| {
            if is_wrong {
                found.push((key, format!("device `{id}`: {message}")));
            }
        };
        let bounds = format!("`every` is {}, it must be from {} to {}", shown(every), shown(&EVERY.0), shown(&EVERY.1));
        complain(!(EVERY.0..=EVERY.1).contains(every), "every", bounds);
        let bounds = format!("`timeout` is {}, the least is {}", shown(timeout), shown(&MIN_TIMEOUT));
        complain(*timeout < MIN_TIMEOUT, "timeout", bounds);
        let longer = format!("`timeout` ({}) must not be longer than `every` ({})", shown(timeout), shown(every));
        complain(timeout > every, "timeout", longer);
        let outside = format!(
            "`heartbeat` is {}, it must be from `every` ({}) to {}",
            shown(heartbeat),
            shown(every),
            shown(&MAX_HEARTBEAT)
        );
        complain(heartbeat < every || *heartbeat > MAX_HEARTBEAT, "heartbeat", outside);
        for (key, text) in [("kind", &self.kind), ("name", &self.name), ("place", &self.place)] {
            complain(text.len() > MAX_TEXT, key, format!("`{key}` is longer than {MAX_TEXT} bytes"));
            complain(text.contains(char::is_control), key, format!("`{key}` holds a control character"));
        }
        complain(self.kind.is_empty(), "kind", "`kind` is empty".into());
        complain(self.facts.len() > MAX_CONSTANTS, "facts", format!("at most {MAX_CONSTANTS} constant facts"));
        for (name, value) in &self.facts {
            let long = matches!(value, FactValue::Text(text) if text.len() > MAX_TEXT) || name.len() > MAX_TEXT;
            complain(long, "facts", format!("the fact `{name}` is longer than {MAX_TEXT} bytes"));
            let control = matches!(value, FactValue::Text(text) if text.contains(char::is_control))
                || name.contains(char::is_control);
            complain(control, "facts", "a constant fact holds a control character".into());
            let infinite = matches!(value, FactValue::Number(number) if !number.is_finite());
            complain(infinite, "facts", format!("the fact `{name}` must be a finite number"));
        }
        for (name, band) in &self.dead_band {
            let wrong = !(band.is_finite() && *band >= 0.0);
            complain(wrong, "dead_band", format!("the dead band of `{name}` must be a number of 0 or more"));
        }
        if let Err(error) = Probe::new(self.probe.clone()) {
            complain(true, "probe", error.to_string());
        }
        found
    }
}

fn read_device<'t>(document: &mut Document<'t>, mut table: Table<'t>, spans: &mut Vec<Spans>) -> Option<Device> {
    let mut place = Spans::of(&table);
    let has_probe = table.get_ref().contains_key("probe");
    let probe = document.take_table(&mut table, "probe");
    place.probe = probe.as_ref().map(Table::span);
    let whole = table.span();
    spans.push(place);
    let device = document.read::<DeviceTable>(table, &["probe"]);
    if !has_probe {
        document.complain(Some(whole), "the device lacks its `[device.probe]`: how is it asked?".into());
    }
    let probe = probe.and_then(|probe| read_probe(document, probe));
    let (device, probe) = (device?, probe?);
    let every = device.every;
    Some(Device {
        name: device.name.unwrap_or_else(|| device.id.as_str().into()),
        id: device.id,
        kind: device.kind,
        place: device.place,
        every,
        timeout: device.timeout.unwrap_or_else(|| Duration::from_secs(5).min(every)),
        heartbeat: device.heartbeat.unwrap_or_else(|| Duration::from_secs(30).max(every)),
        facts: device.facts,
        dead_band: device.dead_band,
        probe,
    })
}

/// Reads `[device.probe]` by its `type`, so that complaints keep their line and column.
fn read_probe<'t>(document: &mut Document<'t>, mut table: Table<'t>) -> Option<ProbeConfig> {
    let Some(kind) = table.get_mut().remove("type") else {
        let message = format!("the probe lacks its `type`: one of `{}`", ProbeConfig::TYPES.join("`, `"));
        document.complain(Some(table.span()), message);
        return None;
    };
    let known = &["type"];
    match kind.get_ref().as_str().unwrap_or_default() {
        "pjlink" => document.read(table, known).map(ProbeConfig::Pjlink),
        "modbus" => document.read(table, known).map(ProbeConfig::Modbus),
        "host" => document.read(table, known).map(ProbeConfig::Host),
        "network" => document.read(table, known).map(ProbeConfig::Network),
        "tcp" => document.read(table, known).map(ProbeConfig::Tcp),
        other => {
            document.complain(Some(kind.span()), document::unknown("probe type", other, &ProbeConfig::TYPES));
            None
        }
    }
}

/// What the environment says of `variable`, read as a `T`.
fn overriding<T>(document: &mut Document<'_>, env: impl Fn(&str) -> Option<String>, variable: &str) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match env(variable)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            document.complain(None, format!("the environment variable {variable}: {error}"));
            None
        }
    }
}
