//! Restores a backup into either database: verified first, all of it or nothing, and what was there is moved aside, not deleted.

use std::{
    fs::{self, File},
    path::Path,
};

use lobby_domain::time::Timestamp;
use sqlx::{
    ConnectOptions, Connection, Executor,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::{
    BackupError, Folder, Manifest, Say,
    error::{disk, doing},
    make::{room_for, writer},
    postgres, rows,
    verify::verify_file,
};
use crate::{
    installation::{Installation, Left, sync_folder},
    storage::{self, Place, files, move_sqlite},
    store::sqlite_path,
};

/// Restores a backup. A database that is there is refused, or moved aside if `replace`. No hub may run on it meanwhile: for SQLite the
/// caller holds the lock of the data folder.
pub async fn restore(
    file: &Path,
    place: &Place,
    replace: bool,
    now: Timestamp,
    say: Say<'_>,
) -> Result<Manifest, BackupError> {
    say(&format!("verifying {}", file.display()));
    let manifest = verify_file(file, say).await?;
    restore_verified(file, &manifest, place, replace, now, say).await?;
    Ok(manifest)
}

/// Restores the newest backup that is whole; says which ones are not.
pub async fn restore_latest(
    place: &Place,
    replace: bool,
    now: Timestamp,
    say: Say<'_>,
) -> Result<Manifest, BackupError> {
    let all = Folder::new(place.backups.clone()).list(now)?;
    let mut newest = None;
    for entry in &all {
        say(&format!("verifying {}", entry.path.display()));
        match verify_file(&entry.path, say).await {
            Ok(manifest) => {
                restore_verified(&entry.path, &manifest, place, replace, now, say).await?;
                return Ok(manifest);
            }
            Err(error) => {
                say(&error.to_string());
                newest.get_or_insert(error.to_string());
            }
        }
    }
    match newest {
        None => Err(BackupError::NoBackup(place.backups.clone())),
        Some(newest) => Err(BackupError::NoneWhole { folder: place.backups.clone(), count: all.len(), newest }),
    }
}

async fn restore_verified(
    file: &Path,
    manifest: &Manifest,
    place: &Place,
    replace: bool,
    now: Timestamp,
    say: Say<'_>,
) -> Result<(), BackupError> {
    let (moved, left) = if let Some(path) = sqlite_path(&place.database_url) {
        into_sqlite(file, manifest, &path, replace, now).await?
    } else {
        let options =
            SqliteConnectOptions::new().filename(file).read_only(true).immutable(true).disable_statement_logging();
        let mut from = options.connect().await.map_err(doing("open the backup"))?;
        let aside = replace.then_some(now);
        (postgres::copy_in(&mut from, &place.database_url, manifest.schema, aside, say).await?, None)
    };
    if let Some(moved) = moved {
        say(&format!("what was there is now in {moved}"));
    }
    storage::private::folder(&place.data_dir).map_err(disk(&place.data_dir, "made"))?;
    match manifest.installation {
        Some(id) => Installation { id, starts: manifest.starts, left }.write(&place.data_dir)?,
        // It gets its name at the next start.
        None => Installation::remove(&place.data_dir)?,
    }
    Ok(())
}

async fn into_sqlite(
    file: &Path,
    manifest: &Manifest,
    path: &Path,
    replace: bool,
    now: Timestamp,
) -> Result<(Option<String>, Option<Left>), BackupError> {
    let there = files(path).iter().any(|file| fs::metadata(file).is_ok_and(|found| found.len() > 0));
    if there && !replace {
        return Err(BackupError::NotEmpty(path.display().to_string()));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    storage::private::folder(parent).map_err(disk(parent, "made"))?;
    let mut name = path.as_os_str().to_owned();
    name.push(".restoring");
    let fresh = Path::new(&name);
    let size = fs::metadata(file).map_err(disk(file, "looked at"))?.len();
    room_for(fresh, size)?;
    let copied = copy(file, manifest, fresh).await;
    if copied.is_err() {
        let _ = fs::remove_file(fresh);
    }
    copied?;
    let seal = storage::seal_of(fresh).map_err(disk(fresh, "read"))?;
    let moved = move_sqlite(path, now).map_err(disk(path, "moved aside"))?;
    fs::rename(fresh, path).map_err(disk(path, "put in its place"))?;
    sync_folder(parent).map_err(disk(parent, "synced"))?;
    Ok((moved.map(|folder| folder.display().to_string()), Some(Left::Sealed(seal))))
}

/// Copies a backup, takes away what makes it one, and compares what is left with what it said.
async fn copy(file: &Path, manifest: &Manifest, fresh: &Path) -> Result<(), BackupError> {
    let _ = fs::remove_file(fresh);
    fs::copy(file, fresh).map_err(disk(fresh, "written"))?;
    storage::private::file(fresh);
    let mut connection = writer(fresh, SqliteSynchronous::Full).await.map_err(doing("open the restored file"))?;
    for table in ["DROP TABLE backup_manifest", "DROP TABLE backup_table", "DROP TABLE IF EXISTS backup_file"] {
        connection.execute(table).await.map_err(doing("take the manifest away"))?;
    }
    for table in rows::tables(&mut connection).await.map_err(doing("list the tables"))? {
        let digest = rows::digest(rows::of_sqlite(&mut connection, &table)).await?;
        if manifest.digest_of(&table.name) != Some(digest) {
            return Err(BackupError::NotTheSame(table.name));
        }
    }
    connection.close().await.map_err(doing("close the restored file"))?;
    File::open(fresh).and_then(|file| file.sync_all()).map_err(disk(fresh, "synced"))
}
