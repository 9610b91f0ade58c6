//! How old the newest backup is, by how often one is to be made.

use lobby_dashboards::FindingKey;
use lobby_domain::time::{Span, Timestamp};

use super::{Found, Severity};
use crate::backup::Status;

/// So many periods without a good backup are too many: one that failed is tried again within the next.
const MOST_PERIODS: u32 = 2;

pub(super) fn probe(backups: &Status, started: Timestamp, now: Timestamp) -> Option<Found> {
    found(backups.every()?, backups.last_good(), started, now)
}

fn found(every: Span, last_good: Option<Timestamp>, started: Timestamp, now: Timestamp) -> Option<Found> {
    let age = now.since(last_good.unwrap_or(started));
    if age <= every.times(MOST_PERIODS) {
        return None;
    }
    let days = format!("{} d", age.millis() / 86_400_000);
    Some(match last_good {
        Some(_) => Found::new(FindingKey::BackupOld, Severity::Warning).with(days),
        None => Found::new(FindingKey::BackupNever, Severity::Warning),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DAY: i64 = 86_400_000;

    #[rstest]
    #[case::none_on_the_first_day(None, 1, None)]
    #[case::none(None, 3, Some("backup_never"))]
    #[case::fresh(Some(9), 10, None)]
    #[case::old(Some(6), 10, Some("backup_old"))]
    fn an_old_or_missing_backup_is_found(#[case] made: Option<i64>, #[case] day: i64, #[case] expected: Option<&str>) {
        let at = |day: i64| Timestamp::from_millis(day * DAY);
        let found = found(Span::from_millis(DAY), made.map(at), at(0), at(day));
        assert_eq!(found.as_ref().map(|found| &*found.id), expected);
    }
}
