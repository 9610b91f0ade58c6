//! What ingest has done since the start, for `/metrics` and `/readyz`.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use lobby_domain::site::Cause;

use super::pace::Pace;
use crate::store::{Committed, Spent};

/// What the time of the main path goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The rules.
    Judge,
    /// Making rows.
    Encode,
    /// Executing statements.
    Execute,
    /// Making them durable.
    Commit,
    /// Merging staged records.
    Merge,
    /// Acknowledgements, orders, and telling readers.
    Say,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] = [Self::Judge, Self::Encode, Self::Execute, Self::Commit, Self::Merge, Self::Say];

    /// As it stands in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Encode => "encode",
            Self::Execute => "execute",
            Self::Commit => "commit",
            Self::Merge => "merge",
            Self::Say => "say",
        }
    }
}

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records stored.
    pub records: AtomicU64,
    /// Records refused because they were stored before.
    pub repeats: AtomicU64,
    /// Batches committed.
    pub batches: AtomicU64,
    /// Time spent in commits, in microseconds.
    pub commit_micros: AtomicU64,
    /// The last commit, in microseconds.
    pub last_commit_micros: AtomicU64,
    /// Commits that failed.
    pub failures: AtomicU64,
    /// Commits that failed since the last that did not.
    pub failing: AtomicU64,
    /// Whether the disk is full, so that records wait with their agents.
    pub scarce: AtomicBool,
    /// Alerts raised.
    pub raised: AtomicU64,
    /// Alerts cleared.
    pub cleared: AtomicU64,
    complaints: [AtomicU64; Cause::ALL.len()],
    commands: AtomicU64,
    pub(super) pace: Pace,
    /// Nanoseconds by stage.
    stages: [AtomicU64; Stage::ALL.len()],
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Counters {
    /// Whether the disk is full, so that records wait with their agents.
    pub fn is_scarce(&self) -> bool {
        self.scarce.load(Relaxed)
    }

    pub(super) fn committed(&self, done: Committed, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.records.fetch_add(done.records, Relaxed);
        self.raised.fetch_add(done.raised, Relaxed);
        self.cleared.fetch_add(done.cleared, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.commit_micros.fetch_add(micros, Relaxed);
        self.last_commit_micros.store(micros, Relaxed);
        self.failing.store(0, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Relaxed);
        self.failing.fetch_add(1, Relaxed);
    }

    pub(super) fn duplicates(&self, count: u64) {
        self.repeats.fetch_add(count, Relaxed);
    }

    pub(super) fn complaint(&self, cause: Cause) {
        self.complaints[cause as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn next_command(&self) -> u64 {
        self.commands.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn spent(&self, stage: Stage, time: Duration) {
        self.stages[stage as usize].fetch_add(nanos(time), Relaxed);
    }

    pub(super) fn stored(&self, spent: Spent) {
        let Spent { encode, execute, commit, merge } = spent;
        for (stage, time) in
            [(Stage::Encode, encode), (Stage::Execute, execute), (Stage::Commit, commit), (Stage::Merge, merge)]
        {
            self.stages[stage as usize].store(nanos(time), Relaxed);
        }
    }

    /// The time that a stage has taken.
    pub fn time(&self, stage: Stage) -> Duration {
        Duration::from_nanos(self.stages[stage as usize].load(Relaxed))
    }

    /// How often something was wrong for this cause.
    pub fn complaints(&self, cause: Cause) -> u64 {
        self.complaints[cause as usize].load(Relaxed)
    }
}
