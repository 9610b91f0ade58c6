//! The folder of backups: their names say when they were made and, for those made before an upgrade, of which schema they are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use lobby_domain::time::{Span, Timestamp};

use super::{BackupError, error::disk, stamp};
use crate::{
    installation::sync_folder,
    storage::{move_into_folder, private},
};

/// A name that is so much later than the present was given by a clock that was wrong.
const AHEAD: Span = Span::from_mins(24 * 60);

/// A folder of backups. It need not exist.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A backup of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// When it was made.
    pub at: Timestamp,
    /// The schema after which the database was changed; `None` for one of the daily ones.
    pub before_schema: Option<i64>,
}

impl Folder {
    /// The folder at a path.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its backups, the newest first. When those were made whose names are of the future nobody knows: they come last.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Entry>, BackupError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(disk(&self.0, "read")(cause)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(disk(&self.0, "read"))?.path();
            found.extend(Entry::of(path));
        }
        let key = |entry: &Entry| (entry.at <= now + AHEAD, entry.at, entry.path.clone());
        found.sort_by_key(|entry| std::cmp::Reverse(key(entry)));
        Ok(found)
    }

    /// Moves every backup into a folder of its own within this one, where it is neither the newest nor ever deleted: they are of a
    /// database that is not used any more. Returns the folder, or `None` if there were none.
    pub fn move_aside(&self, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
        let backups: Vec<PathBuf> = self.list(now)?.into_iter().map(|entry| entry.path).collect();
        if backups.is_empty() {
            return Ok(None);
        }
        move_into_folder(&self.0, &backups, now).map(Some).map_err(disk(&self.0, "changed"))
    }

    /// The name of a new backup; the folder is made if it is not there.
    pub fn free_name(&self, now: Timestamp, before_schema: Option<i64>) -> Result<PathBuf, BackupError> {
        private::folder(&self.0).map_err(disk(&self.0, "made"))?;
        let schema = before_schema.map(|schema| format!("-schema{schema}")).unwrap_or_default();
        // Two within one second: the later one takes the next second that is free.
        (0..100)
            .map(|later| self.0.join(format!("lobby-{}{schema}.db", stamp(now.shifted(later * 1000)))))
            .find(|path| !path.exists())
            .ok_or_else(|| BackupError::Exists(self.0.clone()))
    }

    /// Keeps the newest `keep` daily backups and the newest `keep` of those made before an upgrade.
    pub fn prune(&self, keep: usize, now: Timestamp) -> Result<(), BackupError> {
        let (upgrades, daily): (Vec<_>, Vec<_>) =
            self.list(now)?.into_iter().partition(|entry| entry.before_schema.is_some());
        for entry in [upgrades, daily].iter().flat_map(|kind| kind.iter().skip(keep.max(1))) {
            fs::remove_file(&entry.path).map_err(disk(&entry.path, "removed"))?;
        }
        sync_folder(&self.0).map_err(disk(&self.0, "synced"))
    }
}

impl Entry {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix("lobby-")?.strip_suffix(".db")?;
        let (stamp, schema) = match name.split_once("-schema") {
            Some((stamp, schema)) => (stamp, Some(schema.parse().ok()?)),
            None => (name, None),
        };
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
        let at = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        Some(Self { path, at: Timestamp::from_millis(at.as_millisecond()), before_schema: schema })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    #[test]
    fn names_tell_time_and_schema_and_the_newest_of_each_kind_are_kept() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("backups"));
        assert_eq!(folder.list(T0).unwrap(), []);
        for day in 0..5 {
            fs::write(folder.free_name(T0.shifted(day * 86_400_000), None).unwrap(), "").unwrap();
        }
        fs::write(folder.free_name(T0, Some(1)).unwrap(), "").unwrap();
        fs::write(folder.path().join("notes.txt"), "somebody's").unwrap();
        folder.prune(2, T0.shifted(5 * 86_400_000)).unwrap();
        let kept: Vec<_> = folder
            .list(T0.shifted(5 * 86_400_000))
            .unwrap()
            .into_iter()
            .map(|entry| (entry.at, entry.before_schema))
            .collect();
        assert_eq!(kept, [(T0.shifted(4 * 86_400_000), None), (T0.shifted(3 * 86_400_000), None), (T0, Some(1))]);
        assert!(folder.path().join("notes.txt").exists(), "what is not ours stays");
    }

    #[test]
    fn what_was_made_while_the_clock_was_ahead_is_not_the_newest_for_years() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned());
        let hours = |hours: i64| T0.shifted(hours * 3_600_000);
        for at in [hours(-48), hours(1), hours(24 * 4000)] {
            fs::write(folder.free_name(at, None).unwrap(), "").unwrap();
        }
        let order = |now| folder.list(now).unwrap().into_iter().map(|entry| entry.at).collect::<Vec<_>>();
        assert_eq!(order(T0), [hours(1), hours(-48), hours(24 * 4000)], "somewhat ahead is no other order");
        assert_eq!(order(hours(24 * 4000)), [hours(24 * 4000), hours(1), hours(-48)]);
        folder.prune(2, T0).unwrap();
        assert_eq!(order(T0), [hours(1), hours(-48)]);
    }

    #[test]
    fn what_is_moved_aside_is_neither_the_newest_nor_deleted() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("backups"));
        assert_eq!(folder.move_aside(T0).unwrap(), None);
        for schema in [None, Some(1)] {
            fs::write(folder.free_name(T0, schema).unwrap(), "").unwrap();
        }
        let aside = folder.move_aside(T0).unwrap().unwrap();
        assert_eq!(folder.list(T0).unwrap(), []);
        folder.prune(1, T0).unwrap();
        assert_eq!(fs::read_dir(aside).unwrap().count(), 2);
    }

    #[test]
    fn two_backups_of_one_second_have_two_names() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().to_owned());
        let first = folder.free_name(T0, None).unwrap();
        fs::write(&first, "").unwrap();
        assert_ne!(folder.free_name(T0, None).unwrap(), first);
    }
}
