//! The round that looks at every part of the hub once a second and says what it finds.

use std::{path::PathBuf, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use lobby_dashboards::FindingKey;
use lobby_domain::time::Timestamp;
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    Domain, Finding, Findings, Found, Severity, Timekeeping, backup, certificates,
    database::DatabaseProbe,
    disk, estate, posts, roster,
    tasks::{self, OwnWeb},
};
use crate::{
    backup::Status,
    clock::Clock,
    disk::Reserve,
    fleet::Fleet,
    ingest::Counters,
    mqtt::Mqtt,
    notify::Notify,
    progress::{Part, Progress},
    store::Store,
};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How often what changes slowly is looked at: sites, certificates, backups.
const SLOWLY: u64 = 10;
/// How often rosters are looked through for gaps.
const ROSTERS: Duration = Duration::from_secs(10);
/// A broker may be away this long before it is told: it may only have been restarted.
const BROKER_PATIENCE: Duration = Duration::from_secs(2);
/// The embedded listeners beat every second.
const LISTENER_PATIENCE: Duration = Duration::from_secs(10);
/// How long storing the findings may take, and how often it is done at most.
const STORING: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(5));

/// Everything that is looked at.
pub struct Inspection {
    /// Where findings go.
    pub findings: Arc<Findings>,
    /// The database.
    pub store: Store,
    /// The live state.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What ingest has counted.
    pub counters: Arc<Counters>,
    /// The broker.
    pub mqtt: Arc<Mqtt>,
    /// The hub's own loops.
    pub progress: Arc<Progress>,
    /// Room on the disk.
    pub reserve: Reserve,
    /// What ingest tells of the computer's clock.
    pub timekeeping: Arc<Timekeeping>,
    /// How old the newest backup is.
    pub backups: Status,
    /// Certificates of our own listeners (PEM).
    pub certificates: Vec<PathBuf>,
    /// The channels.
    pub notify: Arc<Notify>,
    /// Where our own web server answers.
    pub web: Option<OwnWeb>,
}

impl Inspection {
    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let database = DatabaseProbe {
            store: self.store.clone(),
            counters: Arc::clone(&self.counters),
            findings: Arc::clone(&self.findings),
            clock: Arc::clone(&self.clock),
        };
        let web = async {
            match &self.web {
                Some(web) => web.ask(Arc::clone(&self.progress)).await,
                None => std::future::pending().await,
            }
        };
        select! {
            () = stop.cancelled() => {}
            () = database.run() => {}
            () = web => {}
            () = self.rounds() => {}
            () = self.rosters() => {}
            () = self.keep() => {}
        }
        Ok(())
    }

    async fn rounds(&self) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (started, mut away) = (self.clock.now(), None);
        for turn in 0u64.. {
            turns.tick().await;
            let now = self.clock.now();
            let say = |domain, found| self.findings.replace(domain, found, now);
            say(Domain::Storage, disk::probe(&self.reserve, self.counters.scarce.load(Relaxed)));
            say(Domain::Clock, self.timekeeping.probe(now));
            say(Domain::Tasks, tasks::probe(&self.progress));
            say(Domain::Broker, self.broker(&mut away));
            if turn % SLOWLY == 0 {
                self.slow_round(started, now);
            }
        }
    }

    fn slow_round(&self, started: Timestamp, now: Timestamp) {
        let (setup, routes) = (self.fleet.setup(), self.notify.settings().routes());
        let sites = self.fleet.read();
        let mut found = estate::probe(&sites, now);
        found.extend(posts::probe(&sites, &setup.pack, &routes));
        drop(sites);
        self.findings.replace(Domain::Estate, found, now);
        self.findings.replace(Domain::Certificates, certificates::probe(&self.certificates, now), now);
        let found = backup::probe(&self.backups, started, now);
        self.findings.replace(Domain::Backup, found.into_iter().collect(), now);
        // A reserve that was used, or for which there was no room, is kept as soon as there is.
        if !self.counters.scarce.load(Relaxed)
            && let Err(cause) = self.reserve.keep()
        {
            debug!(%cause, "room could not be kept back");
        }
    }

    /// Looks at what is planned, while the database is well: a gap is not gone because nobody can look.
    async fn rosters(&self) {
        let mut turns = interval(ROSTERS);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let (now, setup) = (self.clock.now(), self.fleet.setup());
            match timeout(ROSTERS, roster::probe(&self.store, &setup, now)).await {
                Ok(Ok(found)) => self.findings.replace(Domain::Roster, found, now),
                Ok(Err(cause)) => debug!(%cause, "the rosters could not be looked at"),
                Err(_) => debug!("the rosters could not be looked at in time"),
            }
        }
    }

    fn broker(&self, away: &mut Option<Instant>) -> Vec<Found> {
        let mut found = Vec::new();
        if self.mqtt.events.borrow().up {
            *away = None;
        } else if away.get_or_insert_with(Instant::now).elapsed() >= BROKER_PATIENCE {
            found.push(Found::new(FindingKey::BrokerLost, Severity::Critical));
        }
        if let Some(idle) = self.mqtt.counters.idle() {
            if idle >= LISTENER_PATIENCE {
                found.push(Found::new(FindingKey::ListenerDown, Severity::Critical));
            } else {
                self.progress.beat(Part::Broker);
            }
        }
        found
    }

    /// Stores the findings when they have changed and the database is well.
    async fn keep(&self) {
        let mut changes = self.findings.changes();
        let mut kept: Vec<Finding> = Vec::new();
        while changes.changed().await.is_ok() {
            tokio::time::sleep(STORING.1).await;
            changes.mark_unchanged();
            let found = self.findings.to_store();
            let same = |a: &Finding, b: &Finding| {
                (&a.id, a.severity, a.ignored, a.since) == (&b.id, b.severity, b.ignored, b.since)
            };
            if found.len() == kept.len() && found.iter().zip(&kept).all(|(a, b)| same(a, b)) {
                continue;
            }
            if self.findings.fails(Domain::Database) || self.counters.scarce.load(Relaxed) {
                changes.mark_changed();
                continue;
            }
            match timeout(STORING.0, self.store.store_findings(&found)).await {
                Ok(Ok(())) => kept = found,
                Ok(Err(cause)) => {
                    changes.mark_changed();
                    warn!(cause = format!("{:#}", anyhow::Error::from(cause)), "could not store the findings");
                }
                Err(_) => changes.mark_changed(),
            }
        }
    }
}
