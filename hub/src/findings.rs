//! Findings: the product's own troubles. They are shown on `/health`, in `/readyz`, the API and metrics; they page nobody and are never
//! a fault of a device.
//!
//! Each domain has one prober, which says all that it finds at once ([`Findings::replace`]); what it no longer finds is gone. A finding
//! that somebody chose to ignore stays ignored until it is gone, and is told again when it comes back. While the database fails,
//! findings live in memory; [`Inspection`] stores them when it can, so that a restart forgets neither since when nor what is ignored.

mod backup;
mod certificates;
mod clock;
mod database;
mod disk;
mod estate;
mod finding;
mod inspection;
mod posts;
mod roster;
mod tasks;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use lobby_domain::time::Timestamp;
use tokio::sync::watch;
use tracing::{error, info, warn};

#[cfg(test)]
pub(crate) use self::roster::probe as rosters;
pub use self::{
    clock::Timekeeping,
    finding::{Domain, Finding, Found, Severity},
    inspection::Inspection,
    tasks::OwnWeb,
};

/// Most findings of one domain; the rest is counted in the log only.
const MOST: usize = 100;

type Key = (Domain, Box<str>);

/// Everything found now. Cheap to read; shared by whoever probes and whoever shows.
#[derive(Debug)]
pub struct Findings {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    found: BTreeMap<Key, Finding>,
    /// From before the restart, until its domain is probed for the first time.
    remembered: BTreeMap<Key, Finding>,
}

impl Default for Findings {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::channel(0).0 }
    }
}

impl Findings {
    /// Goes on from what was stored. What lasts until somebody has seen it is there at once; the rest is waited for.
    pub fn remember(&self, stored: Vec<Finding>) {
        let mut state = self.lock();
        for finding in stored {
            let key = (finding.domain, finding.id.clone());
            if finding.persistent {
                state.found.insert(key, finding);
            } else {
                state.remembered.insert(key, finding);
            }
        }
    }

    /// All that is found in `domain` at `now`. Entry and exit are each logged once.
    pub fn replace(&self, domain: Domain, found: Vec<Found>, now: Timestamp) {
        let mut state = self.lock();
        let before = split(&mut state.found, domain);
        let mut remembered = split(&mut state.remembered, domain);
        let mut changed = false;
        let more = found.len().saturating_sub(MOST);
        for found in found.into_iter().take(MOST) {
            let key = (domain, found.id.clone());
            let known = before.get(&key).or_else(|| remembered.get(&key));
            let finding = found.into_finding(domain, known, now);
            if finding.persistent && finding.ignored {
                // Its cause is over by now, and somebody saw it while it lasted.
                continue;
            }
            if !before.contains_key(&key) {
                enter(&finding, remembered.remove(&key).is_some());
            }
            changed |= before.get(&key) != Some(&finding);
            state.found.insert(key, finding);
        }
        for (key, finding) in before {
            if state.found.contains_key(&key) {
                continue;
            }
            if finding.persistent {
                state.found.insert(key, finding);
            } else {
                changed = true;
                leave(&finding);
            }
        }
        drop(state);
        if more > 0 && changed {
            warn!(domain = domain.as_str(), more, "there are more findings than are shown");
        }
        if changed || !remembered.is_empty() {
            self.tell();
        }
    }

    /// Whether there is a finding of that name that nobody ignores yet.
    pub fn is_heeded(&self, domain: Domain, id: &str) -> bool {
        self.lock().found.get(&(domain, id.into())).is_some_and(|finding| !finding.ignored)
    }

    /// Lets a person ignore a finding until it is gone; one that lasts until it is seen is gone by that. `None` if there is none.
    pub fn ignore(&self, domain: Domain, id: &str) -> Option<Finding> {
        let key = (domain, id.into());
        let mut state = self.lock();
        let mut finding = state.found.remove(&key)?;
        if finding.persistent {
            leave(&finding);
        } else {
            finding.ignored = true;
            state.found.insert(key, finding.clone());
        }
        drop(state);
        self.tell();
        Some(finding)
    }

    /// Everything found, the gravest first.
    pub fn all(&self) -> Vec<Finding> {
        let mut all: Vec<Finding> = self.lock().found.values().cloned().collect();
        all.sort_by(|a, b| (b.severity, a.ignored, a.since).cmp(&(a.severity, b.ignored, b.since)));
        all
    }

    /// What is found and what is remembered: all that is to be stored.
    pub fn to_store(&self) -> Vec<Finding> {
        let state = self.lock();
        state.found.values().chain(state.remembered.values()).cloned().collect()
    }

    /// How many want attention.
    pub fn count(&self) -> u32 {
        let state = self.lock();
        u32::try_from(state.found.values().filter(|finding| !finding.ignored).count()).unwrap_or(u32::MAX)
    }

    /// Whether something keeps the hub from its work. That it is ignored changes nothing.
    pub fn is_degraded(&self) -> bool {
        self.lock().found.values().any(|finding| finding.severity == Severity::Critical)
    }

    /// Whether something in `domain` keeps the hub from its work.
    pub fn fails(&self, domain: Domain) -> bool {
        let state = self.lock();
        state.found.values().any(|finding| finding.domain == domain && finding.severity == Severity::Critical)
    }

    /// Changes whenever a finding comes, changes or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the findings of one domain out.
fn split(all: &mut BTreeMap<Key, Finding>, domain: Domain) -> BTreeMap<Key, Finding> {
    let (of_domain, others) = std::mem::take(all).into_iter().partition(|((of, _), _)| *of == domain);
    *all = others;
    of_domain
}

fn enter(finding: &Finding, remembered: bool) {
    let (domain, id, what) = (finding.domain.as_str(), &*finding.id, finding.english());
    match finding.severity {
        _ if remembered => info!(domain, id, "still found after the restart: {what}"),
        Severity::Critical => error!(domain, id, "the hub cannot do its work: {what}"),
        Severity::Error | Severity::Warning => warn!(domain, id, "found: {what}"),
    }
}

fn leave(finding: &Finding) {
    info!(domain = finding.domain.as_str(), id = &*finding.id, "no longer found: {}", finding.english());
}

#[cfg(test)]
mod tests;
