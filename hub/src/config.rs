//! The hub's settings: defaults, then a TOML file, then the command line. All mistakes are said at once, each with its place.

mod areas;
mod reading;

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use lobby_contract::{DeviceId, SiteId};
use lobby_domain::{
    device::Life,
    pack::{
        Pack,
        hours::{DutyConfig, HoursConfig, HoursError, shifts},
    },
    stock::levels::Levels,
    time::Span,
};
use serde::Deserialize;
use toml::Spanned;

use self::reading::Mistakes;
use crate::{
    backup,
    fleet::SiteSettings,
    history::HistorySettings,
    http::{self, Tls},
    mqtt,
    notify::{self, ChannelFile, ChannelName},
    reload::Source,
};

/// Where the web listens if nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Room kept back if nothing is said, in MiB.
const RESERVE_MIB: u32 = 16;
/// The longest time between two backups.
const MOST_SELDOM: Span = Span::from_mins(366 * 24 * 60);

/// The configuration file. Every part is optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Where the database, unless it is elsewhere, is kept.
    pub data_dir: Option<PathBuf>,
    /// `sqlite://PATH` or `postgres://USER@HOST/NAME`.
    pub database_url: Option<String>,
    /// A folder with a standards pack that replaces the built-in one.
    pub standards: Option<Spanned<PathBuf>>,
    /// The time zone of sites that have none of their own.
    pub zone: Option<Zone>,
    /// Room kept back on the disk of the data folder for alerts and tickets, in MiB; 0 is none, and 16 if nothing is said.
    pub reserve_mib: Option<u32>,
    /// Devices that are first heard of.
    pub devices: Devices,
    /// The web server.
    pub http: Http,
    /// The broker.
    pub mqtt: Option<mqtt::Settings>,
    /// How long history is kept.
    pub history: HistorySettings,
    /// Backups.
    pub backup: Backup,
    /// Sites, by id.
    pub site: BTreeMap<SiteId, SiteConfig>,
    /// Where notifications go, by name.
    pub channel: BTreeMap<ChannelName, Spanned<ChannelFile>>,
    /// Where everything stands, for what is found wrong with it later.
    #[serde(skip)]
    pub(crate) places: Places,
    /// What was left out because it could not be read.
    #[serde(skip)]
    pub(crate) mistakes: Mistakes,
}

/// Turns a place in the text of a file into what people call it. The text may hold keys and is not shown.
#[derive(Clone, Default)]
pub(crate) struct Places {
    origin: String,
    text: String,
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin)
    }
}

impl Places {
    /// `FILE:LINE:COLUMN` of a byte.
    fn of(&self, offset: usize) -> String {
        let Self { origin, text } = self;
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{origin}:{line}:{column}")
    }

    /// The same of what has that path, or of the table in which it is missing.
    fn of_key(&self, path: &[&str]) -> String {
        self.of(reading::place(&self.text, path))
    }
}

/// Where people reach the pages, such as `https://lobby.example.com`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(pub String);

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let uri = text.parse::<hyper::Uri>().ok();
        let plain = uri.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.query().is_none()
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        });
        let refused = || format!("`{text}` is no address of pages: use one such as https://lobby.example.com");
        if plain { Ok(Self(text.trim_end_matches('/').to_owned())) } else { Err(refused()) }
    }
}

/// A time zone by its name, such as `Asia/Shanghai`.
#[derive(Debug, Clone)]
pub struct Zone(pub TimeZone);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let zone = TimeZone::get(&name);
        zone.map(Self).map_err(|_| serde::de::Error::custom(format!("`{name}`: no such time zone")))
    }
}

/// Why the web server may not listen there, if it may not.
fn without_tls(address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        format!(
            "{address}: other computers can reach this, so it needs TLS: add a part [http.tls] with `self_made = true`, or with \
             `cert_file` and `key_file`; or use 127.0.0.1, which this computer alone reaches"
        )
    })
}

/// Devices that are first heard of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Devices {
    /// Where their life begins. Without it: live while the broker is on this computer only, announced where others can reach it.
    pub admit: Option<Admit>,
}

/// Where the life of a device begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admit {
    /// It is judged at once.
    Live,
    /// It is judged at once; nobody is told before a person says so.
    Trial,
    /// It is not judged before a person says so.
    Announced,
}

/// The web server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where it listens; beyond loopback only with `tls`.
    pub listen: Option<SocketAddr>,
    /// TLS.
    pub tls: Option<HttpTls>,
    /// Where people reach the pages, for the links in notifications; without it they have none.
    pub public_url: Option<PublicUrl>,
}

impl Http {
    /// Where people reach the pages, without a slash at its end.
    pub fn address(&self) -> String {
        let listen = self.listen.unwrap_or(DEFAULT_LISTEN);
        self.public_url.as_ref().map_or_else(|| http::address(listen, self.tls.is_some()), |PublicUrl(url)| url.clone())
    }
}

/// TLS of the web server: `cert_file` and `key_file`, or `self_made`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpTls {
    /// PEM file of the certificate and its chain.
    pub cert_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
    /// Whether the hub makes a key and a certificate, and renews it.
    pub self_made: bool,
}

impl HttpTls {
    /// The certificate that is meant, or the setting that is wrong and what is wrong with it.
    fn check(&self) -> Result<Tls, (&'static str, String)> {
        let wrong = |key, what: &str| Err((key, what.to_owned()));
        match (&self.cert_file, &self.key_file, self.self_made) {
            (None, None, true) => Ok(Tls::SelfMade),
            (None, None, false) => {
                wrong("", "names no certificate: set `cert_file` and `key_file`, or `self_made = true`")
            }
            (_, _, true) => wrong(
                "self_made",
                "`self_made` and files exclude each other: remove `self_made`, or `cert_file` and `key_file`",
            ),
            (Some(_), None, _) => {
                wrong("key_file", "`key_file` is missing: name the PEM file of the certificate's private key")
            }
            (None, Some(_), _) => {
                wrong("cert_file", "`cert_file` is missing: name the PEM file of the certificate of `key_file`")
            }
            (Some(cert_file), Some(key_file), false) => match http::from_files(cert_file, key_file) {
                Ok(_) => Ok(Tls::Files { cert_file: cert_file.clone(), key_file: key_file.clone() }),
                Err(error) => Err((error.key(), format!("`{}`: {:#}", error.key(), anyhow::Error::from(error)))),
            },
        }
    }
}

/// Backups that the hub makes by itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Between two of them, such as `1d`, or `never`. A day if not given.
    pub every: Option<BackupPeriod>,
    /// How many are kept. Seven if not given.
    pub keep: Option<std::num::NonZeroU16>,
    /// Where. The folder `backups` of the data folder if not given.
    pub folder: Option<PathBuf>,
}

/// How often backups are made; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BackupPeriod(pub Option<Span>);

impl TryFrom<String> for BackupPeriod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "never" => Ok(Self(None)),
            period => match period.parse::<Span>() {
                Ok(period) if period.millis() < 1000 => Err("backups are made once a second at most".to_owned()),
                Ok(period) if period > MOST_SELDOM => {
                    Err(format!("`{period}` is too seldom: use at most `{MOST_SELDOM}`, or `never`"))
                }
                Ok(period) => Ok(Self(Some(period))),
                Err(error) => Err(format!("{error}, or `never`")),
            },
        }
    }
}

/// How long a stock-take of a site's register is good for, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct StockTakePeriod(pub Span);

impl TryFrom<String> for StockTakePeriod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let period: Span = text.parse().map_err(|error: lobby_domain::time::SpanError| error.to_string())?;
        let day = Span::from_mins(24 * 60);
        if period < day || period > MOST_SELDOM || period.millis() % day.millis() != 0 {
            return Err(format!(
                "`{text}` is no time between stock-takes: use whole days from `1d` to `{MOST_SELDOM}`"
            ));
        }
        Ok(Self(period))
    }
}

/// One site.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SiteConfig {
    /// What people call it.
    pub name: Option<String>,
    /// When it is open; without it, the site is treated as open around the clock.
    pub hours: Option<HoursConfig>,
    /// When those who repair are on duty; without it, around the clock.
    pub duty: Option<DutyConfig>,
    /// The shifts that its roster names, such as `early = "08:00-16:30"`.
    pub shifts: BTreeMap<String, String>,
    /// How much of each item of the standards it wants to have.
    pub stock: BTreeMap<String, Levels>,
    /// What people call areas that the standards do not have, or that are called otherwise here: `terrace = "露台"`.
    pub areas: BTreeMap<String, String>,
    /// The area of each device that does not stand in that of its kind: `tv-2 = "reception"`.
    pub area_of: BTreeMap<DeviceId, String>,
    /// How long a stock-take of its register is good for, such as `90d`, which is usual.
    pub stock_take: Option<StockTakePeriod>,
    /// See [`SiteSettings::least_gap`]; for the demonstration alone.
    #[serde(skip)]
    pub(crate) least_gap: Span,
}

/// What the command line may set.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen-http`.
    pub listen_http: Option<SocketAddr>,
    /// `--listen-mqtt`.
    pub listen_mqtt: Option<SocketAddr>,
    /// `--mqtt-url`.
    pub mqtt_url: Option<String>,
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--new-database`.
    pub new_database: bool,
}

/// Everything the hub is told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder of the hub's own files.
    pub data_dir: PathBuf,
    /// The database.
    pub database_url: String,
    /// Whether a new database is begun on purpose.
    pub new_database: bool,
    /// Backups.
    pub backup: backup::Settings,
    /// Where the web server listens.
    pub listen_http: SocketAddr,
    /// The certificate of the web server, if it uses TLS.
    pub http_tls: Option<Tls>,
    /// The broker.
    pub mqtt: mqtt::Settings,
    /// The standards.
    pub pack: Arc<Pack>,
    /// Where the life of devices that are first heard of begins.
    pub admission: Life,
    /// How long history is kept.
    pub history: HistorySettings,
    /// Sites, by id.
    pub sites: BTreeMap<SiteId, SiteSettings>,
    /// The time zone of sites that have none of their own.
    pub zone: TimeZone,
    /// The folder of the standards, if they are not the built-in ones.
    pub standards: Option<PathBuf>,
    /// Room kept back on the disk for alerts and tickets, in bytes.
    pub reserve: u64,
    /// Where notifications go.
    pub notify: Arc<notify::Settings>,
    /// Where all this came from, if from a file.
    pub source: Option<Source>,
}

impl File {
    /// Reads a file as far as it can be read; see [`File::parse`].
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read_text(path)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads the text of a file called `origin`. A text that is no TOML is an error. What is wrong in it is left out and told by
    /// [`Config::new`], with everything else that is wrong.
    pub fn parse(text: &str, origin: &str) -> anyhow::Result<Self> {
        let places = Places { origin: origin.to_owned(), text: text.to_owned() };
        let (file, mistakes) =
            reading::read::<Self>(&places).map_err(|mistakes| anyhow::anyhow!(mistakes.join("\n")))?;
        Ok(Self { places, mistakes, ..file })
    }

    /// Refuses a file of which something was left out.
    pub fn whole(self) -> anyhow::Result<Self> {
        if self.mistakes.lines.is_empty() {
            return Ok(self);
        }
        bail!("{}", self.mistakes.lines.join("\n"))
    }
}

impl Config {
    /// Puts file and command line together.
    pub fn new(file: File, over: Overrides) -> anyhow::Result<Self> {
        let (data_dir, database_url, backup) = stored(&file, &over);
        if let (Some(wrong), None) = (over.listen_http.and_then(without_tls), &file.http.tls)
            && !file.mistakes.touch(&["http", "tls"])
        {
            bail!("--listen-http: {wrong}");
        }
        let listen_http = over.listen_http.or(file.http.listen);
        let listen_http = listen_http.unwrap_or(DEFAULT_LISTEN);
        let mut check = Check { places: &file.places, left_out: &file.mistakes, mistakes: file.mistakes.lines.clone() };
        let http_tls = check.web(&file.http);
        check.broker(file.mqtt.as_ref());
        let mqtt = broker(file.mqtt, over.listen_mqtt, over.mqtt_url)?;
        let admission = match file.devices.admit {
            Some(Admit::Live) => Life::Live,
            Some(Admit::Trial) => Life::Trial,
            None if mqtt.is_local() => Life::Live,
            Some(Admit::Announced) | None => Life::Announced,
        };
        check.history(&file.history);
        let history = file.history;
        let zone = file.zone.map_or_else(TimeZone::system, |Zone(zone)| zone);
        let sites = file.site.into_iter().map(|(id, site)| (id.clone(), check.site(&id, site, &zone))).collect();
        let standards = file.standards.as_ref().map(|folder| folder.get_ref().clone());
        let pack = check.pack(file.standards);
        check.items(&sites, pack.as_deref());
        check.areas_of(&sites, pack.as_deref());
        let channels = check.channels(file.channel, pack.as_deref());
        let mistakes = check.mistakes;
        let (Some(pack), true) = (pack, mistakes.is_empty()) else { bail!("{}", mistakes.join("\n")) };
        let public_url = file.http.public_url.map(|PublicUrl(url)| url);
        let notify = Arc::new(notify::Settings { channels, public_url });
        let reserve = u64::from(file.reserve_mib.unwrap_or(RESERVE_MIB)) * 1024 * 1024;
        let source = None;
        Ok(Self {
            data_dir,
            database_url,
            new_database: over.new_database,
            backup,
            listen_http,
            http_tls,
            mqtt,
            pack,
            admission,
            history,
            sites,
            zone,
            standards,
            reserve,
            notify,
            source,
        })
    }

    /// Reads the file at `path`, with what the command line says. What changes in it later takes effect while the hub runs.
    pub fn read(path: &Path, over: Overrides) -> anyhow::Result<Self> {
        let config = Self::new(File::read(path)?, over.clone())?;
        Ok(Self { source: Some(Source { path: path.to_owned(), over }), ..config })
    }

    /// The settings that are needed to start, by name, to see whether one has changed.
    pub(crate) fn fixed(&self) -> Vec<(&'static str, String)> {
        vec![
            ("data_dir", self.data_dir.display().to_string()),
            ("database_url", self.database_url.clone()),
            ("http", format!("{} {:?}", self.listen_http, self.http_tls)),
            ("mqtt", format!("{:?}", self.mqtt)),
            ("devices", self.admission.as_str().to_owned()),
            ("history", format!("{:?}", self.history)),
            ("reserve_mib", self.reserve.to_string()),
        ]
    }
}

/// Checks what was read, and gathers everything that is wrong. What was left out is not complained of again for what follows from that.
struct Check<'a> {
    places: &'a Places,
    left_out: &'a Mistakes,
    mistakes: Vec<String>,
}

impl Check<'_> {
    fn wrong(&mut self, path: &[&str], heading: &str, what: impl std::fmt::Display) {
        self.mistakes.push(format!("{}: [{heading}] {what}", self.places.of_key(path)));
    }

    fn web(&mut self, settings: &Http) -> Option<Tls> {
        let path = ["http", "tls"];
        if self.left_out.touch(&path) {
            return None;
        }
        let Some(tls) = &settings.tls else {
            if let Some(wrong) = settings.listen.and_then(without_tls) {
                self.wrong(&["http", "listen"], "http", format!("`listen`: {wrong}"));
            }
            return None;
        };
        match tls.check() {
            Ok(tls) => Some(tls),
            Err((key, what)) => {
                self.wrong(&[&path[..], &[key]].concat(), "http.tls", what);
                None
            }
        }
    }

    fn broker(&mut self, settings: Option<&mqtt::Settings>) {
        if self.left_out.touch(&["mqtt"]) {
            return;
        }
        for wrong in settings.map(mqtt::Settings::mistakes).unwrap_or_default() {
            self.wrong(&["mqtt", wrong.key().unwrap_or_default()], "mqtt", &wrong);
        }
    }

    fn history(&mut self, settings: &HistorySettings) {
        if self.left_out.touch(&["history"]) {
            return;
        }
        for (key, wrong) in settings.mistakes() {
            self.wrong(&["history", key], "history", wrong);
        }
    }

    fn site(&mut self, id: &SiteId, site: SiteConfig, zone: &TimeZone) -> SiteSettings {
        let calendar = site.hours.map(|hours| hours.calendar(zone));
        let duty = site.duty.map(|duty| duty.service_hours(zone));
        SiteSettings {
            name: site.name,
            calendar: calendar.and_then(|calendar| self.hours(id, "hours", calendar)),
            least_gap: site.least_gap,
            duty: duty.and_then(|duty| self.hours(id, "duty", duty)).unwrap_or_default(),
            shifts: self.hours(id, "shifts", shifts(&site.shifts)).unwrap_or_default(),
            stock: self.stock(id, site.stock),
            areas: self.areas(id, site.areas, site.area_of),
            stock_take: site.stock_take.map(|StockTakePeriod(period)| period),
        }
    }

    fn stock(&mut self, id: &SiteId, stock: BTreeMap<String, Levels>) -> BTreeMap<Box<str>, Levels> {
        for (item, levels) in &stock {
            let path = ["site", id.as_str(), "stock", item];
            if self.left_out.touch(&path) {
                continue;
            }
            for (key, wrong) in levels.mistakes() {
                self.wrong(&[&path[..], &[key]].concat(), &path.join("."), wrong);
            }
        }
        stock.into_iter().map(|(item, levels)| (item.into(), levels)).collect()
    }

    /// Notes items of a site's stock that the standards do not have.
    fn items(&mut self, sites: &BTreeMap<SiteId, SiteSettings>, pack: Option<&Pack>) {
        let Some(pack) = pack else { return };
        for (id, settings) in sites {
            for item in settings.stock.keys().filter(|item| !pack.items.contains_key(*item)) {
                let known = pack.items.keys().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let path = ["site", id.as_str(), "stock", item];
                self.wrong(&path, &path.join("."), format!("the standards have no item `{item}`; they have {known}"));
            }
        }
    }

    fn hours<T>(&mut self, id: &SiteId, table: &str, read: Result<T, Vec<HoursError>>) -> Option<T> {
        let path = ["site", id.as_str(), table];
        match read {
            Ok(hours) => Some(hours),
            Err(_) if self.left_out.touch(&path) => None,
            Err(wrong) => {
                for wrong in wrong {
                    self.wrong(&[&path[..], &wrong.key()].concat(), &path.join("."), &wrong);
                }
                None
            }
        }
    }

    fn pack(&mut self, folder: Option<Spanned<PathBuf>>) -> Option<Arc<Pack>> {
        let Some(folder) = folder else {
            // Names of other standards may be right.
            return (!self.left_out.touch(&["standards"])).then(Pack::built_in);
        };
        match read_pack(folder.get_ref(), &self.places.of(folder.span().start)) {
            Ok(pack) => Some(Arc::new(pack)),
            Err(error) => {
                self.mistakes.push(format!("{error:#}"));
                None
            }
        }
    }

    fn channels(
        &mut self,
        file: BTreeMap<ChannelName, Spanned<ChannelFile>>,
        pack: Option<&Pack>,
    ) -> BTreeMap<ChannelName, Arc<notify::Channel>> {
        let (places, mistakes) = (self.places, &mut self.mistakes);
        let place = |offset| places.of(offset);
        let whole = file.into_iter().filter(|(name, _)| !self.left_out.touch(&["channel", name.as_str()]));
        let check = |(name, file)| {
            let channel = notify::check_channel(&name, file, pack, &place, mistakes)?;
            Some((name, Arc::new(channel)))
        };
        whole.filter_map(check).collect()
    }
}

/// Where things are stored, apart from the rest: a mistake elsewhere must not keep anybody from restoring a backup.
pub fn stored(file: &File, over: &Overrides) -> (PathBuf, String, backup::Settings) {
    let data_dir = over.data_dir.as_ref().or(file.data_dir.as_ref());
    let data_dir = data_dir.cloned().unwrap_or_else(|| PathBuf::from("lobby-data"));
    let database_url = over.database_url.as_ref().or(file.database_url.as_ref());
    let database_url =
        database_url.cloned().unwrap_or_else(|| format!("sqlite://{}", data_dir.join("lobby.db").display()));
    let backup = backup::Settings {
        every: file.backup.every.unwrap_or(BackupPeriod(Some(Span::from_mins(24 * 60)))).0,
        keep: file.backup.keep.map_or(7, |keep| keep.get().into()),
        folder: file.backup.folder.clone().unwrap_or_else(|| data_dir.join(backup::FOLDER)),
    };
    (data_dir, database_url, backup)
}

fn broker(
    file: Option<mqtt::Settings>,
    listen: Option<SocketAddr>,
    url: Option<String>,
) -> anyhow::Result<mqtt::Settings> {
    if listen.is_some() && url.is_some() {
        bail!("--listen-mqtt is for the embedded broker and --mqtt-url for another one: give one of them");
    }
    if let Some(url) = url {
        let known = match file {
            Some(mqtt::Settings::External(settings)) => Some(settings),
            _ => None,
        };
        return external(&url, known).map(mqtt::Settings::External);
    }
    let mut settings = file.unwrap_or_default();
    if let Some(listen) = listen {
        match &mut settings {
            mqtt::Settings::Embedded(embedded) => embedded.listen = vec![listen],
            mqtt::Settings::External(_) => {
                bail!("--listen-mqtt: the configuration names another broker than the embedded one")
            }
        }
    }
    Ok(settings)
}

fn external(url: &str, known: Option<mqtt::ExternalSettings>) -> anyhow::Result<mqtt::ExternalSettings> {
    let wanted = "use mqtt://HOST[:PORT] or mqtts://HOST[:PORT], and name the user in the configuration file";
    let (scheme, rest) = url.split_once("://").with_context(|| format!("--mqtt-url `{url}`: {wanted}"))?;
    // A user and a password in an address end up in process lists and logs.
    if rest.contains('@') || !matches!(scheme, "mqtt" | "mqtts") {
        bail!("--mqtt-url: {wanted}");
    }
    let (host, port) = match rest.trim_end_matches('/').rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().with_context(|| format!("--mqtt-url: `{port}` is no port"))?)),
        None => (rest.trim_end_matches('/'), None),
    };
    let mut settings = match known {
        Some(settings) => settings,
        None => toml::from_str(&format!("host = {host:?}")).context("--mqtt-url")?,
    };
    host.clone_into(&mut settings.host);
    settings.port = port;
    if scheme == "mqtts" && settings.tls.is_none() {
        settings.tls = Some(toml::from_str("").context("--mqtt-url")?);
    }
    Ok(settings)
}

/// The text of a file; a file that cannot be read, or is no text, is said with its place.
fn read_text(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let bytes = fs::read(path).with_context(|| format!("{name}:1:1: the file cannot be read"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        let column =
            String::from_utf8_lossy(valid.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()).chars().count() + 1;
        anyhow::anyhow!("{name}:{line}:{column}: this is no text in UTF-8")
    })
}

fn read_pack(folder: &Path, named_at: &str) -> anyhow::Result<Pack> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("{named_at}: standards = \"{}\": the folder cannot be read", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.context("reading the standards folder")?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = read_text(&path)?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Pack::load(&files).map_err(|errors| anyhow::anyhow!("the standards pack has mistakes:\n{errors}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    pub(super) fn config(text: &str, over: Overrides) -> anyhow::Result<Config> {
        Config::new(File::parse(text, "hub.toml")?, over)
    }

    #[test]
    fn without_any_configuration_everything_is_on_loopback() {
        let config = config("", Overrides::default()).unwrap();
        assert!(config.listen_http.ip().is_loopback());
        assert_eq!(config.database_url, "sqlite://lobby-data/lobby.db");
        assert!(matches!(config.mqtt, mqtt::Settings::Embedded(_)));
    }

    #[rstest]
    #[case::not_given("", Some(Span::from_mins(24 * 60)), "d/backups")]
    #[case::given("[backup]\nevery = '6h'\nfolder = '/mnt/b'", Some(Span::from_mins(6 * 60)), "/mnt/b")]
    #[case::none("[backup]\nevery = 'never'", None, "d/backups")]
    fn backups_are_made_daily_unless_told_otherwise(
        #[case] text: &str,
        #[case] every: Option<Span>,
        #[case] folder: &str,
    ) {
        let over = Overrides { data_dir: Some("d".into()), ..Overrides::default() };
        let backup = config(text, over).unwrap().backup;
        assert_eq!(backup, backup::Settings { every, keep: 7, folder: folder.into() });
    }

    #[rstest]
    #[case::unknown_key("data_dri = 'x'", "hub.toml:1:1: unknown field `data_dri`")]
    #[case::wrong_type("[http]\nlisten = 8080", "hub.toml:2:10")]
    #[case::bad_site_name("[site.Demo]\nname = 'x'", "hub.toml:1:7")]
    #[case::raw_kept_too_short("[history]\nraw = '12h'", "hub.toml:2:7: [history] `raw` is 12h")]
    #[case::hours_kept_less_long(
        "[history]\nhourly = '20d'",
        "hub.toml:2:10: [history] `hourly` is 20d, and must be kept at least as long as `raw`, 30d"
    )]
    #[case::beyond_loopback(
        "[http]\nlisten = '0.0.0.0:80'",
        "hub.toml:2:10: [http] `listen`: 0.0.0.0:80: other computers can reach this, so it needs TLS: add a part [http.tls]"
    )]
    #[case::tls_without_a_certificate(
        "[http]\n[http.tls]",
        "hub.toml:2:1: [http.tls] names no certificate: set `cert_file`"
    )]
    #[case::tls_that_is_not_self_made(
        "[http]\nlisten = '0.0.0.0:80'\n[http.tls]\nself_made = false",
        "hub.toml:3:1: [http.tls] names no certificate"
    )]
    #[case::tls_of_two_kinds(
        "[http.tls]\ncert_file = 'c'\nself_made = true",
        "hub.toml:3:13: [http.tls] `self_made` and files exclude each other"
    )]
    #[case::tls_without_a_key("[http.tls]\ncert_file = 'c'", "hub.toml:1:1: [http.tls] `key_file` is missing")]
    #[case::tls_with_a_key_alone("[http.tls]\nkey_file = 'k'", "hub.toml:1:1: [http.tls] `cert_file` is missing")]
    #[case::tls_of_no_file(
        "[http.tls]\ncert_file = '/no/such.pem'\nkey_file = 'k'",
        "hub.toml:2:13: [http.tls] `cert_file`: the certificate of the web cannot be used: /no/such.pem cannot be read"
    )]
    #[case::tls_of_an_unknown_kind("[http.tls]\nself_mad = true", "hub.toml:2:1: [http.tls] unknown field `self_mad`")]
    #[case::bad_period("[backup]\nevery = 'daily'", "hub.toml:2:9: [backup] `every`: `daily` is not a length of time")]
    #[case::too_often("[backup]\nevery = '1ms'", "once a second at most")]
    #[case::stock_takes_by_the_hour(
        "[site.a]\nstock_take = '36h'",
        "hub.toml:2:14: [site.a] `stock_take`: `36h` is no time between"
    )]
    #[case::stock_takes_too_seldom("[site.a]\nstock_take = '367d'", "use whole days from `1d` to `366d`")]
    #[case::stock_takes_of_no_length("[site.a]\nstock_take = 'yearly'", "`yearly` is not a length of time")]
    #[case::none_kept("[backup]\nkeep = 0", "hub.toml:2:8")]
    #[case::bad_zone("zone = 'Asia/Shangai'", "hub.toml:1:8: `zone`: `Asia/Shangai`: no such time zone")]
    #[case::bad_hours(
        "[site.a.hours]\nzone = 'Asia/Shanghai'\nopen = '18:00-08:30'",
        "hub.toml:3:8: [site.a.hours] `open`: `18:00-08:30` closes"
    )]
    #[case::unknown_key_in_a_part("[http]\nport = 8080", "hub.toml:2:1: [http] unknown field `port`")]
    #[case::missing_hours(
        "[site.a.hours]\nweekly = { mon = 'closed' }",
        "hub.toml:2:10: [site.a.hours] `weekly.tue` is missing"
    )]
    #[case::too_seldom(
        "[backup]\nevery = '400d'",
        "hub.toml:2:9: [backup] `every`: `400d` is too seldom: use at most `366d`"
    )]
    #[case::kept_for_ever("[history]\ndaily = '99999999d'", "hub.toml:2:9: [history] `daily`: `99999999d` is too long")]
    #[case::in_the_broker(
        "[mqtt]\nbroker = 'embedded'\nhandshake = 'soon'",
        "hub.toml:3:13: [mqtt] `handshake`: `soon` is not a length"
    )]
    #[case::unknown_in_the_broker(
        "[mqtt]\nbroker = 'embedded'\nhanshake = '5s'",
        "hub.toml:3:1: [mqtt] unknown field `hanshake`"
    )]
    #[case::bounds_of_the_broker(
        "[mqtt]\nbroker = 'embedded'\nhandshake = '5m'",
        "hub.toml:3:13: [mqtt] `mqtt.handshake` is 300000: use"
    )]
    #[case::other_broker(
        "[mqtt]\nbroker = 'external'\nhost = 'b'\nsession_expiry = '4000d'",
        "hub.toml:4:18: [mqtt] `mqtt.session_expiry`"
    )]
    #[case::missing_in_the_broker("[mqtt]\nbroker = 'external'", "hub.toml:1:1: [mqtt] missing field `host`")]
    #[case::no_such_broker("[mqtt]\nbroker = 'rabbit'", "hub.toml:")]
    #[case::no_such_folder("\nstandards = '/no/such'", "hub.toml:2:13: standards")]
    fn a_mistake_is_said_with_its_place(#[case] text: &str, #[case] said: &str) {
        let error = format!("{:#}", config(text, Overrides::default()).unwrap_err());
        assert!(error.contains(said), "{error}");
    }

    fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(["lobby.example".to_owned()]).unwrap();
        let (certificate, key) = (folder.join("web.pem"), folder.join("web.key"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn the_web_listens_beyond_loopback_with_tls_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = certificate(folder.path());
        let files = format!("cert_file = '{}'\nkey_file = '{}'", cert_file.display(), key_file.display());
        for (tls, expected) in [("self_made = true", Tls::SelfMade), (&*files, Tls::Files { cert_file, key_file })] {
            let text = format!("[http]\nlisten = '0.0.0.0:8443'\n[http.tls]\n{tls}\n");
            let config = config(&text, Overrides::default()).unwrap();
            assert_eq!((config.listen_http.to_string(), config.http_tls), ("0.0.0.0:8443".to_owned(), Some(expected)));
        }
        let over = Overrides { listen_http: Some("192.168.1.2:443".parse().unwrap()), ..Overrides::default() };
        let refused = format!("{:#}", config("", over.clone()).unwrap_err());
        assert!(refused.starts_with("--listen-http: 192.168.1.2:443: other computers"), "{refused}");
        assert_eq!(config("[http.tls]\nself_made = true", over).unwrap().http_tls, Some(Tls::SelfMade));
    }

    #[test]
    fn a_key_of_another_certificate_and_files_that_hold_neither_are_said_with_their_places() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ((certificate_file, key_file), (_, other)) = (certificate(ours.path()), certificate(theirs.path()));
        let refused = |certificate: &Path, key: &Path| {
            let text = format!("[http.tls]\ncert_file = '{}'\nkey_file = '{}'", certificate.display(), key.display());
            format!("{:#}", config(&text, Overrides::default()).unwrap_err())
        };
        let mismatch = refused(&certificate_file, &other);
        let said =
            "hub.toml:3:12: [http.tls] `key_file`: it is not the private key of the first certificate in `cert_file`";
        assert_eq!(mismatch, said);
        let none = refused(&key_file, &key_file);
        assert!(
            none.starts_with("hub.toml:2:13: [http.tls] `cert_file`: ") && none.contains("holds no cert"),
            "{none}"
        );
        let none = refused(&certificate_file, &certificate_file);
        assert!(none.starts_with("hub.toml:3:12: [http.tls] `key_file`: "), "{none}");
        let bad = ours.path().join("bad.pem");
        fs::write(&bad, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let none = refused(&bad, &key_file);
        assert!(none.starts_with("hub.toml:2:13: [http.tls] `cert_file`: TLS cannot be set up"), "{none}");
    }

    #[test]
    fn all_mistakes_are_said_at_once_each_with_its_place() {
        let text = "zone = 'Mars'\nreserve_mib = -1\ndata_dri = 'x'\n[http]\nlisten = '0.0.0.0:80'\n\
                    [mqtt]\nbroker = 'embedded'\nlisten = ['a', '127.0.0.1:1883', 'b']\nhandshake = 'soon'\n\
                    [history]\nraw = '1d'\nhourly = '1h'\n[backup]\nevery = 'daily'\n\
                    [site.a.hours]\nzone = 'Mars'\nopen = '9-5'\n[site.b.hours]\nopen = 8\n[site.Demo]\nname = 'x'\n\
                    [channel.x]\nkind = 'wechat'\nposts = ['nobody']\n\
                    [channel.y]\nkind = 'feishu'\nposts = ['nobody']\nrate = 'often'\nurl = 'https://x.example/'\n";
        let error = format!("{:#}", config(text, Overrides::default()).unwrap_err());
        let mut told: Vec<&str> = error.lines().collect();
        told.sort_by_key(|line| line.split(':').nth(1).and_then(|line| line.parse::<u32>().ok()));
        let expected = [
            "hub.toml:1:8: `zone`: `Mars`: no such time zone",
            "hub.toml:2:15: `reserve_mib`: ",
            "hub.toml:3:1: unknown field `data_dri`",
            "hub.toml:5:10: [http] `listen`: 0.0.0.0:80",
            "hub.toml:8:10: [mqtt] `listen`: ",
            "hub.toml:9:13: [mqtt] `handshake`: `soon` is not",
            "hub.toml:11:7: [history] `raw` is 1d",
            "hub.toml:12:10: [history] `hourly` is 1h",
            "hub.toml:14:9: [backup] `every`: `daily` is not",
            "hub.toml:16:8: [site.a.hours] `zone`: there is no time zone `Mars`",
            "hub.toml:17:8: [site.a.hours] `open`: `9-5` are no",
            "hub.toml:19:8: [site.b.hours] `open`: invalid type",
            "hub.toml:20:7: [site.Demo] `D` at position 1",
            "hub.toml:23:8: [channel.x] `kind`: unknown variant `wechat`",
            "hub.toml:27:10: [channel.y] there is no post `nobody`",
            "hub.toml:28:8: [channel.y] rate",
        ];
        for (line, expected) in told.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}, not {expected}\n{error}");
        }
        assert_eq!(told.len(), expected.len(), "{error}");
    }

    #[test]
    fn what_is_no_toml_is_said_in_every_place() {
        let error = format!("{:#}", File::parse("a =\nb = 1\nc = '\n", "hub.toml").unwrap_err());
        let places: Vec<&str> = error.lines().map(|line| &line[..11]).collect();
        assert_eq!(places, ["hub.toml:1:", "hub.toml:3:"], "{error}");
    }

    #[test]
    fn hours_without_a_zone_of_their_own_are_in_that_of_all_sites() {
        let text =
            "zone = 'Asia/Shanghai'\n[site.a.hours]\nopen = '08:30-18:00'\n[site.a.duty]\nhours = '08:00-22:00'\n";
        let config = config(text, Overrides::default()).unwrap();
        let site = &config.sites["a"];
        let zone = site.calendar.as_ref().unwrap().zone();
        assert_eq!(zone.iana_name(), Some("Asia/Shanghai"));
        assert!(format!("{:?}", site.duty).contains("Asia/Shanghai"), "{:?}", site.duty);
    }

    #[test]
    fn shifts_are_checked_each_with_its_place() {
        let good = "[site.a.shifts]\nearly = '08:00-16:30'\nnight = '22:00-06:00'\n'早班' = '8:00-16:00'\n";
        let config = config(good, Overrides::default()).unwrap();
        assert_eq!(config.sites["a"].shifts.keys().collect::<Vec<_>>(), ["early", "night", "早班"]);
        let bad = "[site.a.shifts]\nearly = '08:00–16:30'\nlate = 'noon'\n'8:00-9:00' = '8:00-9:00'\n";
        let error = format!("{:#}", super::tests::config(bad, Overrides::default()).unwrap_err());
        for expected in [
            "hub.toml:2:9: [site.a.shifts] `early`: `08:00–16:30` are no hours of a shift: write `08:00-16:30`, or \
             `22:00-06:00` over midnight; did you mean `08:00-16:30`?",
            "hub.toml:3:8: [site.a.shifts] `late`: `noon` are no hours of a shift",
            "hub.toml:4:15: [site.a.shifts] `8:00-9:00` cannot be the name of a shift",
        ] {
            assert!(error.lines().any(|line| line.starts_with(expected)), "{error}\nno {expected}");
        }
    }

    #[test]
    fn stock_takes_are_due_as_a_site_says_and_each_quarter_otherwise() {
        let config = config("[site.a]\nstock_take = '30d'\n[site.b]\n", Overrides::default()).unwrap();
        let setup = crate::fleet::Setup { pack: config.pack, sites: config.sites, zone: config.zone };
        let every = ["a", "b", "c"].map(|site| setup.stock_take_every(&site.parse().unwrap()).to_string());
        assert_eq!(every, ["30d", "90d", "90d"]);
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let over = Overrides { mqtt_url: Some("mqtt://hub:secret@broker".into()), ..Overrides::default() };
        let error = format!("{:#}", config("", over).unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn another_broker_is_named_by_its_address() {
        let over = Overrides { mqtt_url: Some("mqtt://127.0.0.1:1884".into()), ..Overrides::default() };
        let mqtt::Settings::External(settings) = config("", over).unwrap().mqtt else { panic!("external") };
        assert_eq!((settings.host.as_str(), settings.port), ("127.0.0.1", Some(1884)));
    }
}
