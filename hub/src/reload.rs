//! Configuration and standards that change while the hub is at work. Files are looked at every two seconds, and at once at SIGHUP. What is
//! valid takes effect as a whole, without a connection being dropped: names, opening hours, zone, standards and channels. What is not valid
//! changes nothing, and a finding says where the mistake is. Settings that are needed to start (addresses, database, broker, folders)
//! wait for a restart, which a finding says too.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use lobby_dashboards::FindingKey;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::{Config, File, Overrides},
    findings::{Domain, Findings, Found, Severity},
    fleet::Setup,
    notify,
};

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Where a running configuration came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The configuration file.
    pub path: PathBuf,
    /// What the command line said.
    pub over: Overrides,
}

/// Looks after the files.
pub struct Reloader {
    source: Source,
    /// The folder of the standards in effect, if it is not the built-in pack.
    standards: Option<PathBuf>,
    /// What the hub was started with, by name.
    fixed: Vec<(&'static str, String)>,
    setups: mpsc::Sender<Setup>,
    channels: watch::Sender<Arc<notify::Settings>>,
    findings: Arc<Findings>,
    clock: Arc<dyn Clock>,
}

/// A state of the files: name, length and time of change of each.
type Look = Vec<(PathBuf, u64, Option<SystemTime>)>;

impl Reloader {
    /// Looks after the files of `running`; `None` if it did not come from a file.
    pub fn of(
        running: &Config,
        setups: mpsc::Sender<Setup>,
        channels: watch::Sender<Arc<notify::Settings>>,
        findings: Arc<Findings>,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        let source = running.source.clone()?;
        let (standards, fixed) = (running.standards.clone(), running.fixed());
        Some(Self { source, standards, fixed, setups, channels, findings, clock })
    }

    /// Looks until `stop`.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut in_effect = self.look();
        let mut before = in_effect.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(()) = hangup.recv() => {
                    info!("reading the configuration again on SIGHUP");
                    before = self.look();
                }
                _ = turns.tick() => {
                    let now = self.look();
                    // Somebody may be in the midst of writing: two looks must agree.
                    let settled = now == std::mem::replace(&mut before, now.clone());
                    if !settled || now == in_effect {
                        continue;
                    }
                }
            }
            in_effect.clone_from(&before);
            self.reload().await;
            // Other standards may be in another folder.
            in_effect = self.look();
            before.clone_from(&in_effect);
        }
    }

    fn look(&self) -> Look {
        let mut files = vec![self.source.path.clone()];
        if let Some(entries) = self.standards.as_deref().and_then(|folder| fs::read_dir(folder).ok()) {
            let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
            files.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")));
        }
        files.sort();
        let look = |path: PathBuf| {
            let file = fs::metadata(&path).ok();
            let length = file.as_ref().map_or(0, fs::Metadata::len);
            (path, length, file.and_then(|file| file.modified().ok()))
        };
        files.into_iter().map(look).collect()
    }

    /// Reads everything again. Returns whether it took effect.
    async fn reload(&mut self) -> bool {
        let begun = Instant::now();
        let read = File::read(&self.source.path).and_then(|file| Config::new(file, self.source.over.clone()));
        let config = match read {
            Ok(config) => config,
            Err(mistake) => {
                self.refuse(&format!("{mistake:#}"));
                return false;
            }
        };
        self.tell(restart_needed(&self.fixed, &config));
        self.standards.clone_from(&config.standards);
        self.channels.send_if_modified(|channels| {
            let changed = *channels != config.notify;
            channels.clone_from(&config.notify);
            changed
        });
        let setup = Setup { pack: config.pack, sites: config.sites, zone: config.zone };
        let taken = self.setups.send(setup).await.is_ok();
        info!(path = %self.source.path.display(), took_ms = begun.elapsed().as_millis(), "the configuration was read again");
        taken
    }

    fn refuse(&self, mistakes: &str) {
        error!(mistakes, "the changed configuration has mistakes; the hub goes on by what it had");
        // Headings end with a colon; the first line after them names a place.
        let first = mistakes.lines().find(|line| !line.ends_with(':')).unwrap_or(mistakes);
        self.tell(vec![Found::new(FindingKey::ConfigInvalid, Severity::Error).with(first)]);
    }

    fn tell(&self, found: Vec<Found>) {
        self.findings.replace(Domain::Configuration, found, self.clock.now());
    }
}

fn restart_needed(fixed: &[(&'static str, String)], config: &Config) -> Vec<Found> {
    let now = config.fixed();
    let differing = fixed.iter().zip(&now).filter(|(before, now)| before.1 != now.1).map(|(before, _)| before.0);
    let names = differing.collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        return Vec::new();
    }
    warn!(settings = names, "some changed settings take effect after a restart");
    vec![Found::new(FindingKey::ConfigRestart, Severity::Warning).with(names)]
}

#[cfg(test)]
mod tests;
