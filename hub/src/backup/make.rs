//! Makes a backup beside whatever uses the database. On SQLite `VACUUM INTO` copies one moment of it while others go on writing to the
//! log; on PostgreSQL every table is read in one snapshot.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use lobby_domain::time::Timestamp;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use uuid::Uuid;

use super::{
    BackupError, Manifest, Say, bytes,
    error::{disk, doing},
    manifest::digest_of_schema,
    postgres, rows, verify,
};
use crate::{
    failpoint,
    installation::sync_folder,
    storage::{PRODUCT, reader},
    store::{META_SINCE, merge_copy, newest_schema, sqlite_path},
};

/// Between two lines about how far a copy is.
const PROGRESS: Duration = Duration::from_secs(2);
/// What is left free beside a backup, so that it is not the backup that fills the disk.
const RESERVE: u64 = 64 << 20;

/// Makes a backup of a database in the file `to`, which appears when it is complete, synced and verified.
pub async fn make(url: &str, to: &Path, now: Timestamp, say: Say<'_>) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let part = part_of(to);
    // Of an attempt that was interrupted.
    let _ = fs::remove_file(&part);
    let made = make_part(url, &part, now, say).await;
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    let manifest = made?;
    failpoint::pass("backup_made");
    fs::rename(&part, to).map_err(disk(to, "named"))?;
    sync_folder(to.parent().unwrap_or(Path::new("."))).map_err(disk(to, "named"))?;
    Ok(manifest)
}

/// Whether there is a database to back up; an error says why not.
pub async fn look(url: &str) -> Result<(), BackupError> {
    match sqlite_path(url) {
        Some(path) => {
            let connection = read_sqlite(&path).await?;
            connection.close().await.map_err(doing("close the database"))
        }
        None => postgres::look(url).await,
    }
}

fn part_of(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.part"))
}

async fn make_part(url: &str, part: &Path, now: Timestamp, say: Say<'_>) -> Result<Manifest, BackupError> {
    let source = if let Some(path) = sqlite_path(url) {
        copy_sqlite(&path, part, say).await?;
        "sqlite"
    } else {
        postgres::copy_out(url, part, say).await?;
        "postgres"
    };
    let mut connection = writer(part, SqliteSynchronous::Full).await.map_err(doing("open the backup"))?;
    merge_copy(&mut connection).await.map_err(doing("merge staged records"))?;
    let manifest = describe(&mut connection, source, now, say).await?;
    manifest.write(&mut connection).await.map_err(doing("write the backup's manifest"))?;
    connection.close().await.map_err(doing("close the backup"))?;
    if let Some(placeholder) = manifest.bytes {
        let file = part.to_owned();
        let sealed = tokio::task::spawn_blocking(move || bytes::seal(&file, &placeholder)).await;
        sealed.map_err(std::io::Error::other).flatten().map_err(disk(part, "read for its digest"))?;
    }
    File::open(part).and_then(|file| file.sync_all()).map_err(disk(part, "synced"))?;
    say("verifying");
    verify::verify_file(part, &|_| {}).await
}

/// A connection that writes a file of our own; nobody else reads it.
pub(super) async fn writer(path: &Path, synchronous: SqliteSynchronous) -> Result<SqliteConnection, sqlx::Error> {
    let journal =
        if matches!(synchronous, SqliteSynchronous::Off) { SqliteJournalMode::Off } else { SqliteJournalMode::Delete };
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).journal_mode(journal);
    options.synchronous(synchronous).foreign_keys(false).disable_statement_logging().connect().await
}

/// A connection to a hub's database.
async fn read_sqlite(from: &Path) -> Result<SqliteConnection, BackupError> {
    if !from.exists() {
        return Err(BackupError::NoDatabase(from.display().to_string()));
    }
    let mut connection = reader(from).await.map_err(doing("open the database"))?;
    let has: bool = sqlx::query_scalar("SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(&mut connection)
        .await
        .map_err(doing("look for a schema"))?;
    if !has {
        return Err(BackupError::NoDatabase(from.display().to_string()));
    }
    Ok(connection)
}

async fn copy_sqlite(from: &Path, part: &Path, say: Say<'_>) -> Result<(), BackupError> {
    let mut connection = read_sqlite(from).await?;
    let pages: (i64, i64) = sqlx::query_as("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
        .fetch_one(&mut connection)
        .await
        .map_err(doing("ask for the database's size"))?;
    let size = u64::try_from(pages.0 * pages.1).unwrap_or_default();
    room_for(part, size)?;
    say(&format!("copying {} MB", size >> 20));
    vacuum(&mut connection, part, size, say).await?;
    connection.close().await.map_err(doing("close the database"))
}

async fn vacuum(connection: &mut SqliteConnection, part: &Path, size: u64, say: Say<'_>) -> Result<(), BackupError> {
    let target = part.display().to_string();
    let mut copy = std::pin::pin!(sqlx::query("VACUUM INTO $1").bind(&target).execute(connection));
    loop {
        if let Ok(copied) = tokio::time::timeout(PROGRESS, &mut copy).await {
            return copied.map(drop).map_err(doing("copy the database"));
        }
        let written = fs::metadata(part).map_or(0, |found| found.len());
        say(&format!("copying: {} of {} MB", written >> 20, size >> 20));
    }
}

/// Refuses a backup that would fill the disk on which the hub itself may live.
pub(super) fn room_for(part: &Path, needed: u64) -> Result<(), BackupError> {
    let folder = part.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(folder).map_err(|cause| disk(folder, "looked at")(cause.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = needed.saturating_add(RESERVE);
    if free < needed {
        let (needed_mb, free_mb) = (needed >> 20, free >> 20);
        return Err(BackupError::NoSpace { folder: folder.to_owned(), needed_mb, free_mb });
    }
    Ok(())
}

async fn describe(
    connection: &mut SqliteConnection,
    source: &str,
    now: Timestamp,
    say: Say<'_>,
) -> Result<Manifest, BackupError> {
    let schema: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("read the schema's version"))?;
    if schema > newest_schema() {
        let product = "a newer one".to_owned();
        let (own, known) = (PRODUCT, newest_schema());
        return Err(BackupError::Newer { path: "the database".into(), schema, product, own, known });
    }
    let name: Option<(Uuid, i64)> = if schema >= META_SINCE {
        let name = sqlx::query_as("SELECT installation, starts FROM meta").fetch_optional(&mut *connection).await;
        name.map_err(doing("read whose database it is"))?
    } else {
        None
    };
    let mut digests = vec![digest_of_schema(connection).await.map_err(doing("read the schema"))?];
    for table in rows::tables(connection).await.map_err(doing("list the tables"))? {
        let digest = rows::digest(rows::of_sqlite(connection, &table)).await?;
        say(&format!("{}: {} rows", table.name, digest.rows));
        digests.push((table.name, digest));
    }
    digests.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Manifest {
        product: PRODUCT.to_owned(),
        schema,
        installation: name.map(|(installation, _)| installation),
        starts: name.map_or(0, |(_, starts)| starts),
        made_at: now,
        source: source.to_owned(),
        tables: digests,
        bytes: Some(bytes::placeholder()),
    })
}
