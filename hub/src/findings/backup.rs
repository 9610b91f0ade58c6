//! How old the newest backup is, as whoever makes backups says it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use lobby_dashboards::FindingKey;
use lobby_domain::time::{Span, Timestamp};

use super::{Found, Severity};

/// A backup older than this is old.
const OLD: Span = Span::from_mins(2 * 24 * 60 + 60);
/// A hub that has run for this long without a backup has never made one.
const FIRST: Span = Span::from_mins(24 * 60);

/// Stands for: nobody has said anything yet.
const UNSAID: i64 = i64::MIN;
/// Stands for: there is none.
const NONE: i64 = i64::MAX;

/// When the newest backup was made. Nothing is found before somebody has said something.
#[derive(Debug)]
pub struct BackupAge(AtomicI64);

impl Default for BackupAge {
    fn default() -> Self {
        Self(AtomicI64::new(UNSAID))
    }
}

impl BackupAge {
    /// Says when the newest backup was made; `None` if there is none.
    pub fn set(&self, made: Option<Timestamp>) {
        self.0.store(made.map_or(NONE, Timestamp::millis), Relaxed);
    }

    pub(super) fn probe(&self, started: Timestamp, now: Timestamp) -> Vec<Found> {
        match self.0.load(Relaxed) {
            UNSAID => Vec::new(),
            NONE if now.since(started) < FIRST => Vec::new(),
            NONE => vec![Found::new(FindingKey::BackupNever, Severity::Warning)],
            made => {
                let age = now.since(Timestamp::from_millis(made));
                let days = format!("{} d", age.millis() / 86_400_000);
                let old = Found::new(FindingKey::BackupOld, Severity::Warning).with(days);
                if age > OLD { vec![old] } else { Vec::new() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DAY: i64 = 86_400_000;

    #[rstest]
    #[case::unsaid(None, 10, None)]
    #[case::none_on_the_first_day(Some(None), 0, None)]
    #[case::none(Some(None), 2, Some("backup_never"))]
    #[case::fresh(Some(Some(9)), 10, None)]
    #[case::old(Some(Some(6)), 10, Some("backup_old"))]
    fn an_old_or_missing_backup_is_found(
        #[case] said: Option<Option<i64>>,
        #[case] day: i64,
        #[case] found: Option<&str>,
    ) {
        let age = BackupAge::default();
        if let Some(made) = said {
            age.set(made.map(|day| Timestamp::from_millis(day * DAY)));
        }
        let all = age.probe(Timestamp::default(), Timestamp::from_millis(day * DAY));
        assert_eq!(all.first().map(|found| &*found.id), found);
    }
}
