//! Reads all of a backup, or of a database, and says whether it is whole.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    BackupError, Manifest, Say, bytes,
    error::{disk, doing},
    invariants::INVARIANTS,
    manifest::digest_of_schema,
    postgres, rows,
};
use crate::{
    audit::Broken,
    storage::{PRODUCT, Place, damage_of, reader},
    store::{AUDIT_FROM, AUDIT_HEAD, AUDIT_SINCE, AuditRaw, AuditWalk, newest_schema, sqlite_path},
};

/// Verifies a backup: SQLite's own check, the digest of every table, references between tables, what the product promises, and the
/// digest of all bytes.
pub async fn verify_file(path: &Path, say: Say<'_>) -> Result<Manifest, BackupError> {
    if !path.exists() {
        return Err(BackupError::NoFile(path.to_owned()));
    }
    if !path.is_file() {
        return Err(BackupError::NotABackup(path.to_owned()));
    }
    let verified = async {
        let options =
            SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).disable_statement_logging();
        let mut connection = options.connect().await.map_err(doing("open the backup"))?;
        let manifest = read(&mut connection, path, say).await?;
        connection.close().await.map_err(doing("close the backup"))?;
        compare_bytes(path, &manifest, say).await?;
        Ok(manifest)
    };
    verified.await.map_err(|error| match error {
        BackupError::Database { source, doing } => match damage_of(&source) {
            Some(what) => damaged(path, what),
            None => BackupError::Database { source, doing },
        },
        other => other,
    })
}

async fn compare_bytes(path: &Path, manifest: &Manifest, say: Say<'_>) -> Result<(), BackupError> {
    let Some(held) = manifest.bytes.clone() else {
        say("made before backups held a digest of all their bytes: what stands in unused parts is not compared");
        return Ok(());
    };
    let file = path.to_owned();
    let compared = tokio::task::spawn_blocking(move || bytes::is_as_written(&file, &held)).await;
    if compared.map_err(std::io::Error::other).flatten().map_err(disk(path, "read"))? {
        return Ok(());
    }
    Err(damaged(
        path,
        "its rows are as written and other bytes are not: something else has written to it, or its disk fails",
    ))
}

fn damaged(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), what: what.into() }
}

async fn read(connection: &mut SqliteConnection, path: &Path, say: Say<'_>) -> Result<Manifest, BackupError> {
    let has: bool =
        sqlx::query_scalar("SELECT COUNT(*) = 2 FROM sqlite_schema WHERE name IN ('backup_manifest', 'backup_table')")
            .fetch_one(&mut *connection)
            .await
            .map_err(doing("look for the backup's manifest"))?;
    if !has {
        return Err(BackupError::NotABackup(path.to_owned()));
    }
    let manifest = match Manifest::read(connection).await {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Err(damaged(path, "its manifest is not what was written")),
        Err(error) => return Err(damaged(path, format!("its manifest cannot be read: {error}"))),
    };
    if manifest.schema > newest_schema() {
        let (own, known) = (PRODUCT, newest_schema());
        return Err(BackupError::Newer {
            path: path.to_owned(),
            schema: manifest.schema,
            product: manifest.product,
            own,
            known,
        });
    }
    structure(connection).await.map_err(|what| damaged(path, what))?;
    compare(connection, path, &manifest, say).await?;
    let violations = violations(&mut Asked::Sqlite(connection), manifest.schema).await?;
    if !violations.is_empty() {
        return Err(BackupError::Inconsistent { database: path.display().to_string(), violations });
    }
    Ok(manifest)
}

async fn compare(
    connection: &mut SqliteConnection,
    path: &Path,
    manifest: &Manifest,
    say: Say<'_>,
) -> Result<(), BackupError> {
    let (name, schema) = digest_of_schema(connection).await.map_err(doing("read the schema"))?;
    if manifest.digest_of(&name) != Some(schema) {
        return Err(damaged(path, "its schema is not the one that was written"));
    }
    let tables = rows::tables(connection).await.map_err(doing("list the tables"))?;
    if tables.len() + 1 != manifest.tables.len() {
        return Err(damaged(path, "it has other tables than its manifest says"));
    }
    for table in tables {
        let digest = rows::digest(rows::of_sqlite(connection, &table)).await?;
        if manifest.digest_of(&table.name) != Some(digest) {
            return Err(damaged(path, format!("table `{}` does not hold what was written", table.name)));
        }
        say(&format!("{}: {} rows, as written", table.name, digest.rows));
    }
    Ok(())
}

/// SQLite's own checks of a file; the error says what they found.
async fn structure(connection: &mut SqliteConnection) -> Result<(), String> {
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(3)")
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| error.to_string())?;
    if found != ["ok"] {
        return Err(found.join("; "));
    }
    let orphans: Vec<(String, Option<i64>, String, i64)> =
        sqlx::query_as("PRAGMA foreign_key_check").fetch_all(connection).await.map_err(|error| error.to_string())?;
    match orphans.first() {
        None => Ok(()),
        Some((table, _, parent, _)) => Err(format!(
            "{} rows, the first of `{table}`, refer to rows of `{parent}` that are not there",
            orphans.len()
        )),
    }
}

/// Verifies a database itself. Returns the rows of each table.
pub async fn verify_database(place: &Place, say: Say<'_>) -> Result<Vec<(String, i64)>, BackupError> {
    let Some(path) = sqlite_path(&place.database_url) else {
        return postgres::verify(&place.database_url, say).await;
    };
    if !path.exists() {
        return Err(BackupError::NoDatabase(path.display().to_string()));
    }
    let mut connection = reader(&path).await.map_err(doing("open the database"))?;
    let schema: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await
        .map_err(doing("read the schema's version"))?;
    structure(&mut connection).await.map_err(|what| damaged_database(place, vec![what]))?;
    let mut counts = Vec::new();
    for table in rows::tables(&mut connection).await.map_err(doing("list the tables"))? {
        let digest = rows::digest(rows::of_sqlite(&mut connection, &table)).await?;
        say(&format!("{}: {} rows", table.name, digest.rows));
        counts.push((table.name, digest.rows));
    }
    let violations = violations(&mut Asked::Sqlite(&mut connection), schema).await?;
    connection.close().await.map_err(doing("close the database"))?;
    if violations.is_empty() { Ok(counts) } else { Err(damaged_database(place, violations)) }
}

fn damaged_database(place: &Place, violations: Vec<String>) -> BackupError {
    BackupError::Inconsistent { database: place.database(), violations }
}

/// Who is asked about the promises.
pub(super) enum Asked<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// What the product promises and does not hold, in words.
pub(super) async fn violations(asked: &mut Asked<'_>, schema: i64) -> Result<Vec<String>, BackupError> {
    let mut found = Vec::new();
    for invariant in INVARIANTS.iter().filter(|invariant| invariant.since <= schema) {
        let query = invariant.count;
        let count: i64 = match asked {
            Asked::Sqlite(connection) => sqlx::query_scalar(query).fetch_one(&mut **connection).await,
            Asked::Postgres(connection) => sqlx::query_scalar(query).fetch_one(&mut **connection).await,
        }
        .map_err(doing("look for contradictions"))?;
        if count > 0 {
            found.push(format!("{count} {}", invariant.broken));
        }
    }
    if schema >= AUDIT_SINCE
        && let Err(broken) = audit(asked).await?
    {
        found.push(format!("the audit log is not whole: {broken}"));
    }
    Ok(found)
}

/// Whether the chain of the audit log is whole.
async fn audit(asked: &mut Asked<'_>) -> Result<Result<(), Broken>, BackupError> {
    let head: (i64, Vec<u8>) = match asked {
        Asked::Sqlite(connection) => sqlx::query_as(AUDIT_HEAD).fetch_one(&mut **connection).await,
        Asked::Postgres(connection) => sqlx::query_as(AUDIT_HEAD).fetch_one(&mut **connection).await,
    }
    .map_err(doing("read the end of the audit log"))?;
    let mut walk = AuditWalk::BEGIN;
    loop {
        let query = AUDIT_FROM;
        let rows: Vec<AuditRaw> = match asked {
            Asked::Sqlite(connection) => sqlx::query_as(query).bind(walk.after).fetch_all(&mut **connection).await,
            Asked::Postgres(connection) => sqlx::query_as(query).bind(walk.after).fetch_all(&mut **connection).await,
        }
        .map_err(doing("read the audit log"))?;
        match walk.take(rows) {
            Ok(true) => {}
            Ok(false) => return Ok(walk.end(&head).map(drop)),
            Err(broken) => return Ok(Err(broken)),
        }
    }
}
