//! The hub: takes in what agents report, judges it by the service standards, raises alerts, opens repair tickets, and shows it all.
//!
//! Owns the shell around the rules: MQTT, storage, the web, tasks and settings. The rules are in `lobby-domain`, the pages in
//! `lobby-dashboards`. The main path reads `run` → [`ingest`] → `lobby_domain::site` → [`store`].

pub mod account;
pub mod audit;
pub mod backup;
mod checks;
pub mod clock;
pub mod command;
mod compliance;
pub mod config;
pub mod demo;
pub mod disk;
mod door;
pub mod escalations;
pub mod export;
mod failpoint;
pub mod findings;
pub mod fleet;
pub mod history;
pub mod http;
pub mod ingest;
pub mod installation;
pub mod lifecycle;
pub mod lock;
pub mod mqtt;
pub mod notify;
pub mod password;
mod pem;
mod photo;
pub mod progress;
pub mod reload;
pub mod reminders;
mod reports;
pub mod restraints;
pub mod roster;
pub mod service_manager;
pub mod stock;
pub mod storage;
pub mod store;
pub mod token;

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::{
    account::Accounts,
    clock::{Clock, SteadyClock, SystemClock},
    config::Config,
    disk::Reserve,
    findings::{Findings, Inspection, Timekeeping},
    fleet::Fleet,
    history::{History, HistorySettings},
    http::{App, Server},
    ingest::{Counters, Desk, Ingest, Storing},
    lifecycle::{Ending, Lifecycle},
    lock::DataDirLock,
    notify::{Notify, Watched},
    progress::Progress,
    reload::Reloader,
    restraints::Restraints,
    service_manager::ServiceManager,
    storage::{Opening, Place, Storage},
    store::{Checkpoints, Store, Writer},
};

/// Bytes of messages that may wait for ingest. When there are more the brokers wait, and agents keep their records.
const QUEUE: usize = 1024 * 1024;
/// How long everything may take to stop.
const GRACE: Duration = Duration::from_secs(10);

/// What runs beside the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Serve,
    /// A simulated sales centre.
    Demo,
}

/// Where the hub listens, once it is ready.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The web server.
    pub http: SocketAddr,
    /// Whether it is served over TLS.
    pub https: bool,
    /// The embedded broker.
    pub mqtt: Option<SocketAddr>,
}

/// Runs the hub until `signal`: all wiring, no logic.
pub async fn run(
    config: Config,
    mode: Mode,
    signal: impl Future<Output = &'static str>,
    ready: impl FnOnce(Ready),
) -> anyhow::Result<Ending> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::new(SystemClock));
    storage::private::folder(&config.data_dir)
        .with_context(|| format!("{}: the data folder cannot be made", config.data_dir.display()))?;
    let lock = DataDirLock::take(&config.data_dir)?;
    let opening = Opening {
        place: Place {
            data_dir: config.data_dir.clone(),
            database_url: config.database_url.clone(),
            backups: config.backup.folder.clone(),
        },
        new_database: config.new_database,
        keep: config.backup.keep,
    };
    let mut storage = Storage::open(&opening, clock.now()).await.context("opening the database")?;
    let ending = serve(config, mode, clock, &mut storage, signal, ready).await;
    let ending = ending.map_err(|error| storage.explain(error));
    storage.close().await;
    drop(lock);
    ending
}

async fn store_demo_history(store: &Store, fleet: &Fleet, clock: &dyn Clock) -> anyhow::Result<()> {
    let stored = demo::store_history(store, fleet.setup(), new_code, clock.now()).await;
    stored.context("storing the demonstration's history")
}

/// Everything between opening the database and closing it.
async fn serve(
    config: Config,
    mode: Mode,
    clock: Arc<dyn Clock>,
    storage: &mut Storage,
    signal: impl Future<Output = &'static str>,
    ready: impl FnOnce(Ready),
) -> anyhow::Result<Ending> {
    let (lifecycle, store) = (Lifecycle::new(), storage.store.clone());
    storage.watch(&lifecycle);
    let backups = start_backups(&config, mode, &clock, &lifecycle);
    let fleet = Fleet::new(config.pack.clone(), config.sites.clone(), config.zone.clone());
    let fleet = Arc::new(fleet.admitting(config.admission));
    if mode == Mode::Demo {
        store_demo_history(&store, &fleet, clock.as_ref()).await?;
    }
    let reserve = keep_reserve(&config);
    let (findings, progress, timekeeping) = <(Arc<Findings>, Arc<Progress>, Arc<Timekeeping>)>::default();
    findings.remember(store.findings().await.context("reading the findings")?);
    let web = Server::prepare(&config, clock.now()).context("preparing the web")?;
    let certificates = [config.mqtt.certificates(), web.certificates()].concat();
    let (setups, to_work_by) = mpsc::channel(1);
    let (to_notify_by, channels) = watch::channel(config.notify.clone());
    if let Some(reloader) = Reloader::of(&config, setups, to_notify_by, findings.clone(), clock.clone()) {
        lifecycle.supervise("reload", reloader.run(lifecycle.stop_token()));
    }
    store.regrade_alerts(&fleet.setup(), clock.now()).await.context("reading the severity of open alerts")?;
    let restored = ingest::restore(&store, &fleet, clock.as_ref()).await?;

    let (to_ingest, inbound) = mqtt::queue(QUEUE);
    let mqtt = Arc::new(mqtt::start(config.mqtt, &lifecycle, clock.clone(), to_ingest).await.context("starting MQTT")?);
    let (counters, (desk, asked)) = (Arc::new(Counters::default()), Desk::new());
    let restraints = start_restraints(&store, &fleet, &clock, &lifecycle).await?;
    let ingest = Ingest {
        fleet: fleet.clone(),
        clock: clock.clone(),
        counters: counters.clone(),
        asked,
        restored,
        restraints: restraints.clone(),
        progress: progress.clone(),
        timekeeping: timekeeping.clone(),
        setups: to_work_by,
    };
    let storing = Storing {
        writer: Writer::new(store.clone(), fleet.setup(), new_code),
        checkpoints: Checkpoints::of(&store),
        fleet: fleet.clone(),
        clock: clock.clone(),
        link: mqtt.link.clone(),
        counters: counters.clone(),
        progress: progress.clone(),
        reserve: reserve.clone(),
    };
    ingest::start(ingest, storing, inbound, mqtt.events.clone(), &lifecycle)?;
    start_timed(&store, &fleet, &clock, config.history, &lifecycle);

    let watched = (restraints.clone(), findings.clone(), progress.clone());
    let notify = start_notify((store.clone(), fleet.clone(), clock.clone()), watched, channels, &lifecycle);

    let accounts = Arc::new(Accounts::new(store.clone(), clock.clone(), web.is_local(), &config.data_dir));
    let app = App {
        store: store.clone(),
        fleet: fleet.clone(),
        clock: clock.clone(),
        counters: counters.clone(),
        desk,
        restraints,
        findings: findings.clone(),
        progress: progress.clone(),
        mqtt: mqtt.clone(),
        stop: lifecycle.stop_token(),
        demo: mode == Mode::Demo,
        backups: backups.clone(),
        notify: notify.clone(),
        accounts: accounts.clone(),
        https: web.is_https(),
        hosts: web.hosts.clone(),
        reports: Arc::default(),
    };
    let web = web.start(app, &lifecycle).await?;
    let (http, https) = (web.at, web.tls.is_some());
    offer_first_admin(mode, &accounts, &config.notify, http::address(http, https)).await?;

    let inspection = Inspection {
        findings,
        store: store.clone(),
        fleet,
        clock: clock.clone(),
        counters,
        mqtt: mqtt.clone(),
        progress: progress.clone(),
        reserve,
        timekeeping,
        backups,
        certificates,
        notify: notify.clone(),
        web: Some(web),
    };
    lifecycle.supervise("inspection", inspection.run(lifecycle.stop_token()));

    let broker = mqtt.addresses.mqtt.first().copied();
    if let (Mode::Demo, Some(broker)) = (mode, broker) {
        start_demo(&lifecycle, broker, &config.data_dir, clock, &notify).await?;
    }
    info!(http = %http, https, mqtt = broker.map(tracing::field::display), "the hub is ready");
    ready(Ready { http, https, mqtt: broker });
    if let Some(manager) = ServiceManager::of_this_process() {
        lifecycle.supervise("service manager", manager.keep_told(progress, lifecycle.stop_token()));
    }

    Ok(lifecycle.run(signal, GRACE).await)
}

/// Lets simulated equipment be watched.
async fn start_demo(
    lifecycle: &Lifecycle,
    broker: SocketAddr,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
    notify: &Notify,
) -> anyhow::Result<()> {
    let staff = demo::Staff::new(&notify.store, &notify.fleet, &clock);
    demo::start(lifecycle, broker, &data_dir.join("demo"), clock, staff).await.context("starting the demonstration")
}

/// Lets whoever opens the link in the data folder become the first administrator, unless somebody can sign in.
async fn offer_first_admin(
    mode: Mode,
    accounts: &Accounts,
    notify: &notify::Settings,
    address: String,
) -> anyhow::Result<()> {
    // A demonstration shows everything to whoever sits here.
    if mode == Mode::Demo {
        return Ok(());
    }
    let address = notify.public_url.clone().unwrap_or(address);
    accounts.offer_first_admin(&address).await.context("offering to make the first administrator")
}

/// Lets backups be made, unless nothing is to be kept.
fn start_backups(config: &Config, mode: Mode, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) -> backup::Status {
    let status = backup::Status::new(&config.backup, clock.now());
    if mode == Mode::Serve {
        let (url, settings) = (config.database_url.clone(), config.backup.clone());
        let making = backup::run(url, settings, status.clone(), clock.clone(), lifecycle.stop_token());
        lifecycle.supervise("backups", making);
    }
    status
}

/// Reads silences and maintenance windows, and lets them begin and end.
async fn start_restraints(
    store: &Store,
    fleet: &Arc<Fleet>,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Arc<Restraints>> {
    let restraints = Restraints::load(store.clone(), fleet.clone(), clock.clone()).await;
    let restraints = restraints.context("reading silences and maintenance windows")?;
    lifecycle.supervise("restraints", restraints.clone().run(lifecycle.stop_token()));
    escalations::start(store, fleet, &restraints, clock, lifecycle);
    Ok(restraints)
}

/// Lets history be rolled up and cut, people be reminded, and what runs low be told.
fn start_timed(
    store: &Store,
    fleet: &Arc<Fleet>,
    clock: &Arc<dyn Clock>,
    settings: HistorySettings,
    lifecycle: &Lifecycle,
) {
    History { store: store.clone(), fleet: fleet.clone(), clock: clock.clone(), settings }.start(lifecycle);
    reminders::start(store, fleet, clock, lifecycle);
    stock::start(store, fleet, clock, lifecycle);
    checks::start(store, fleet, clock, lifecycle);
}

/// Lets people be told of what is queued.
fn start_notify(
    (store, fleet, clock): (Store, Arc<Fleet>, Arc<dyn Clock>),
    (restraints, findings, progress): (Arc<Restraints>, Arc<Findings>, Arc<Progress>),
    settings: watch::Receiver<Arc<notify::Settings>>,
    lifecycle: &Lifecycle,
) -> Arc<Notify> {
    let watched = Watched::default();
    let notify = Notify { store, fleet, restraints, clock, findings, progress, settings, watched };
    let notify = Arc::new(notify);
    lifecycle.supervise("notify", Arc::clone(&notify).run(lifecycle.clone()));
    notify.start_month_reports(lifecycle);
    notify
}

/// Keeps room back on the disk.
fn keep_reserve(config: &Config) -> Reserve {
    let reserve = Reserve::new(written_folder(config), config.reserve);
    if let Err(cause) = reserve.keep() {
        warn!(%cause, "room could not be kept back on the disk");
    }
    reserve
}

/// Where room runs out first: the folder of the SQLite database, or else the data folder.
fn written_folder(config: &Config) -> PathBuf {
    let file = config.database_url.strip_prefix("sqlite://").map(PathBuf::from);
    let folder = file.and_then(|file| file.parent().map(PathBuf::from)).filter(|folder| folder.is_dir());
    folder.unwrap_or_else(|| config.data_dir.clone())
}

/// The code of a new device's page, or of a label: 40 random bits in the alphabet of Crockford's base 32, in lower case.
pub(crate) fn new_code() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}
