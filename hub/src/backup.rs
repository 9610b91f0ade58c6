//! Backups: one file format for both databases, made beside a running hub, verified before they count, restored into either.
//!
//! A backup is a SQLite file with the schema of the database it was made of, and two more tables that say what it is: version, schema,
//! installation, time, the number of rows and a digest of every table, and a digest of all its bytes. It gets its name only after it was verified: a file of that
//! name is a good one, or was damaged later, which verifying finds again.

mod bytes;
mod error;
mod folder;
mod invariants;
mod make;
mod manifest;
mod postgres;
mod restore;
mod rows;
mod schedule;
mod verify;

use std::path::Path;

use lobby_domain::time::Timestamp;

pub(crate) use self::postgres::move_aside as move_postgres_aside;
pub use self::{
    error::BackupError,
    folder::{Entry, Folder},
    make::{look, make},
    manifest::Manifest,
    restore::{restore, restore_latest},
    schedule::{Failure, Settings, Status, run},
    verify::{verify_database, verify_file},
};
use crate::storage::Place;

/// The folder of backups within the data folder, unless configured otherwise.
pub const FOLDER: &str = "backups";

/// Where progress is told, line by line.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A time as names hold it, in UTC: `20261123T101500Z`.
pub(crate) fn stamp(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Makes the backup without which a schema is not changed, and removes the oldest ones of its kind.
pub(crate) async fn before_migration(
    place: &Place,
    schema: i64,
    keep: usize,
    now: Timestamp,
) -> Result<(), BackupError> {
    let folder = Folder::new(place.backups.clone());
    let path = folder.free_name(now, Some(schema))?;
    tracing::info!(file = %path.display(), schema, "making a backup before the schema is changed");
    make(&place.database_url, &path, now, &|_| {}).await?;
    folder.prune(keep, now)
}

/// Removes what an interrupted backup left behind.
pub(crate) fn remove_parts(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".lobby-") && name.contains(".part") {
            // It will be tried again at the next start.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
