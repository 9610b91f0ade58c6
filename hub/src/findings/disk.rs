//! Room where the hub writes.

use lobby_dashboards::FindingKey;

use super::{Found, Severity};
use crate::disk::{Reserve, Space, readable};

/// Less than this is low, beside twice the reserve.
const LOW: u64 = 64 * 1024 * 1024;
/// On a small disk, a tenth of it is low.
const LOW_PART: u64 = 10;
/// Less than this is full: a commit may need as much.
const FULL: u64 = 1024 * 1024;

/// What is to be said about the disk. `scarce` is whether a commit found it full.
pub(super) fn probe(reserve: &Reserve, scarce: bool) -> Vec<Found> {
    let folder = reserve.folder().display().to_string();
    let Ok(space) = Space::of(reserve.folder()) else {
        return if scarce { vec![full(&folder)] } else { Vec::new() };
    };
    judge(&folder, space, reserve, scarce)
}

fn full(folder: &str) -> Found {
    Found::new(FindingKey::DiskFull, Severity::Critical).with(folder)
}

fn judge(folder: &str, space: Space, reserve: &Reserve, scarce: bool) -> Vec<Found> {
    if scarce || space.available < FULL {
        return vec![full(folder)];
    }
    let mut found = Vec::new();
    let low = LOW.max(reserve.bytes() * 2).min(space.total / LOW_PART);
    if space.available < low {
        found.push(Found::new(FindingKey::DiskLow, Severity::Error).with(folder).with(readable(space.available)));
    }
    if !reserve.is_kept() {
        found.push(Found::new(FindingKey::ReserveMissing, Severity::Warning).with(folder));
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MB: u64 = 1024 * 1024;

    #[rstest]
    #[case::plenty(10_000 * MB, false, &[])]
    #[case::low(50 * MB, false, &["disk_low"])]
    #[case::full(MB / 2, false, &["disk_full"])]
    #[case::a_commit_found_it_full(50 * MB, true, &["disk_full"])]
    fn a_disk_is_low_before_it_is_full(#[case] available: u64, #[case] scarce: bool, #[case] ids: &[&str]) {
        let reserve = Reserve::new("/nowhere".into(), 0);
        let found = judge("/nowhere", Space { available, total: 100_000 * MB }, &reserve, scarce);
        assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ids);
    }

    #[test]
    fn a_small_disk_is_not_low_while_a_tenth_of_it_is_free() {
        let reserve = Reserve::new("/nowhere".into(), 0);
        let found = judge("/nowhere", Space { available: 8 * MB, total: 64 * MB }, &reserve, false);
        assert!(found.is_empty(), "{found:?}");
    }
}
