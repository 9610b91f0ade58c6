//! Whether the database can be written, and how fast. While ingest commits, that says it; otherwise one row is written every few
//! seconds.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use lobby_dashboards::FindingKey;
use tokio::time::{Instant, timeout};

use super::{Domain, Findings, Found, Severity};
use crate::{
    clock::Clock,
    ingest::Counters,
    store::{Store, StoreError, Trouble},
};

/// How often the database is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How long a write may take before the database is called lost.
const PATIENCE: Duration = Duration::from_secs(4);
/// A commit that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// Ingest need not be helped out while it has committed this recently.
const RECENT: Duration = Duration::from_secs(4);

/// Looks at the database again and again.
pub(super) struct DatabaseProbe {
    pub(super) store: Store,
    pub(super) counters: Arc<Counters>,
    pub(super) findings: Arc<Findings>,
    pub(super) clock: Arc<dyn Clock>,
}

impl DatabaseProbe {
    pub(super) async fn run(self) {
        let mut turns = tokio::time::interval(EVERY);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = (0, Instant::now());
        loop {
            turns.tick().await;
            let batches = self.counters.batches.load(Relaxed);
            if seen.0 != batches {
                seen = (batches, Instant::now());
            }
            let busy = seen.0 > 0 && seen.1.elapsed() < RECENT && self.counters.failing.load(Relaxed) == 0;
            let mut found = if busy { self.judge_commit() } else { self.pulse().await };
            // Where nothing is stored, something graver is told.
            if found.iter().all(|one| one.severity != Severity::Critical) {
                let not_copied = |why| Found::new(FindingKey::LogNotCopied, Severity::Error).with(why);
                found.extend(self.store.uncopied().map(not_copied));
            }
            self.findings.replace(Domain::Database, found, self.clock.now());
        }
    }

    fn judge_commit(&self) -> Vec<Found> {
        slow(Duration::from_micros(self.counters.last_commit_micros.load(Relaxed)))
    }

    async fn pulse(&self) -> Vec<Found> {
        let begun = Instant::now();
        match timeout(PATIENCE, self.store.pulse(self.clock.now())).await {
            Ok(Ok(())) => slow(begun.elapsed()),
            Ok(Err(cause)) => {
                if matches!(cause.trouble(), Trouble::Disk | Trouble::ReadOnly | Trouble::Full) {
                    self.store.reopen();
                }
                vec![failed(cause)]
            }
            Err(_) => vec![lost(&format!("> {} s", PATIENCE.as_secs()))],
        }
    }
}

fn slow(took: Duration) -> Vec<Found> {
    if took < SLOW {
        return Vec::new();
    }
    vec![Found::new(FindingKey::DatabaseSlow, Severity::Warning).with(format!("{} s", took.as_secs()))]
}

fn lost(why: &str) -> Found {
    Found::new(FindingKey::DatabaseLost, Severity::Critical).with(why)
}

fn failed(cause: StoreError) -> Found {
    let trouble = cause.trouble();
    let chain = format!("{:#}", anyhow::Error::from(cause));
    match trouble {
        Trouble::ReadOnly => Found::new(FindingKey::DatabaseReadOnly, Severity::Critical).with(chain),
        Trouble::Lost => lost(&chain),
        Trouble::Full | Trouble::Disk | Trouble::Other => {
            Found::new(FindingKey::DatabaseFailing, Severity::Critical).with(chain)
        }
    }
}
