//! Backups that the hub makes by itself, and how old the last good one is.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lobby_domain::time::{Span, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{BackupError, Folder, make, remove_parts};
use crate::clock::Clock;

/// Between two looks at the clock. A computer that slept makes the backup it missed when it wakes.
const LOOK: Duration = Duration::from_secs(1);
/// After a failure, unless backups are more frequent than that.
const RETRY: Span = Span::from_mins(15);

/// When backups are made, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Between two of them; `None`: none are made.
    pub every: Option<Span>,
    /// How many are kept.
    pub keep: usize,
    /// Where.
    pub folder: PathBuf,
}

/// How the backups of a running hub stand. Cheap to clone; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    every: Option<Span>,
    last_good: Option<Timestamp>,
    failure: Option<Failure>,
}

/// Why the last attempt made no backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// What went wrong, and what to do.
    pub what: String,
}

impl Status {
    /// A status that knows of the backups that are there.
    pub fn new(settings: &Settings, now: Timestamp) -> Self {
        let backups = Folder::new(settings.folder.clone()).list(now).unwrap_or_default();
        let last_good = backups.first().map(|entry| entry.at);
        Self(Arc::new(Mutex::new(State { every: settings.every, last_good, failure: None })))
    }

    /// How often backups are to be made; `None` if the hub makes none.
    pub fn every(&self) -> Option<Span> {
        self.state(|state| state.every)
    }

    /// When the newest good backup was made.
    pub fn last_good(&self) -> Option<Timestamp> {
        self.state(|state| state.last_good)
    }

    /// Why the last attempt failed; `None` if it did not.
    pub fn failure(&self) -> Option<Failure> {
        self.state(|state| state.failure.clone())
    }

    fn state<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the next backup is due. A failure puts it off; a clock that was set back does not.
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let (every, last_good, failure) = self.state(|state| (state.every, state.last_good, state.failure.clone()));
        let every = every?;
        let after_last = last_good.filter(|last| *last <= now).map_or(now, |last| last + every);
        let after_failure = failure.filter(|failure| failure.at <= now).map(|failure| failure.at + every.min(RETRY));
        Some(after_failure.map_or(after_last, |retry| after_last.max(retry)))
    }
}

/// Makes backups until `stop`.
pub async fn run(
    database_url: String,
    settings: Settings,
    status: Status,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    remove_parts(&settings.folder);
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = look.tick() => {}
        }
        let now = clock.now();
        if status.due(now).is_none_or(|due| due > now) {
            continue;
        }
        tokio::select! {
            // What is half made is removed at the next start.
            () = stop.cancelled() => return Ok(()),
            made = once(&database_url, &settings, now) => note(&status, made, now),
        }
    }
}

async fn once(database_url: &str, settings: &Settings, now: Timestamp) -> Result<PathBuf, BackupError> {
    let folder = Folder::new(settings.folder.clone());
    let path = folder.free_name(now, None)?;
    make(database_url, &path, now, &|_| {}).await?;
    folder.prune(settings.keep, now)?;
    Ok(path)
}

fn note(status: &Status, made: Result<PathBuf, BackupError>, now: Timestamp) {
    match made {
        Ok(path) => {
            info!(file = %path.display(), "a backup is made and verified");
            status.state(|state| (state.last_good, state.failure) = (Some(now), None));
        }
        Err(cause) => {
            let what = format!("{:#}", anyhow::Error::from(cause));
            error!(cause = what, "no backup could be made");
            status.state(|state| state.failure = Some(Failure { at: now, what }));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DAY: Span = Span::from_mins(24 * 60);
    const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    fn status(last_good: Option<Timestamp>, failed: Option<Timestamp>) -> Status {
        let failure = failed.map(|at| Failure { at, what: "no disk".into() });
        Status(Arc::new(Mutex::new(State { every: Some(DAY), last_good, failure })))
    }

    #[rstest]
    #[case::the_first_at_once(None, None, T0)]
    #[case::a_day_after_the_last(Some(T0 - Span::from_mins(60)), None, T0 + Span::from_mins(23 * 60))]
    #[case::a_missed_one_at_once(Some(T0 - DAY - DAY), None, T0 - DAY)]
    #[case::a_quarter_of_an_hour_after_a_failure(None, Some(T0), T0 + Span::from_mins(15))]
    #[case::at_once_when_the_clock_was_set_back(Some(T0 + DAY), None, T0)]
    fn a_backup_is_due(#[case] last: Option<Timestamp>, #[case] failed: Option<Timestamp>, #[case] due: Timestamp) {
        assert_eq!(status(last, failed).due(T0), Some(due));
    }

    #[test]
    fn a_hub_that_is_told_to_make_none_makes_none() {
        let settings = Settings { every: None, keep: 7, folder: "nowhere".into() };
        assert_eq!(Status::new(&settings, T0).due(T0), None);
    }
}
