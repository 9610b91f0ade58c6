//! Checks of a SQLite file that are too long for the start run beside the hub, and stop it when they find damage.
//!
//! | check | when | finds | cannot find |
//! | --- | --- | --- | --- |
//! | digest of the file | after a clean stop | every changed byte, a swapped or shortened file | what was damaged while the hub ran |
//! | look into the log | after an unclean stop | a lost or broken log, a lost commit | after a power cut: damage to the very last commit |
//! | `quick_check` | after an unclean stop, a small file: before anything is read | broken pages and trees, missing pages | a changed value in a row |
//! | `integrity_check` | after an unclean stop, any file: beside the hub | the same, and rows that their indexes do not know | a changed value that no index holds |
//!
//! A changed value that no index holds, in a file that was not closed, is found by none of them; the backups made before have it right.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::task::spawn_blocking;
use tracing::info;

use super::{Finding, refusal::damage_of, seal::seal_in_use};
use crate::installation::Seal;

/// A file up to this size is checked before the start, at a cost of less than a second.
pub(super) const SMALL: u64 = 64 << 20;
/// The digest of a file is ten times faster than a check of its structure.
pub(super) const SMALL_DIGEST: u64 = 1 << 30;

/// A check that is left for later.
#[derive(Debug)]
pub(super) enum Check {
    /// Whether the file is what was sealed. The connection reads: as long as it does, SQLite writes to the log only.
    Digest(PathBuf, Seal, SqliteConnection),
    /// Whether the file's structure is whole.
    Structure(PathBuf),
}

/// A connection that only reads, and leaves log and index as they are when it closes.
pub(crate) async fn reader(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(crate::store::BUSY);
    // Reading all of a database takes its time: that is no news.
    options.disable_statement_logging().connect().await
}

impl Check {
    /// A comparison with a seal. Call it before anything is written.
    pub(super) async fn digest(path: &Path, seal: Seal) -> Result<Self, sqlx::Error> {
        let mut pin = reader(path).await?;
        sqlx::query("BEGIN").execute(&mut pin).await?;
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&mut pin).await?;
        Ok(Self::Digest(path.to_owned(), seal, pin))
    }

    /// Runs it; `Some` is what it found.
    pub(super) async fn run(self) -> anyhow::Result<Option<Finding>> {
        match self {
            Self::Digest(path, seal, pin) => {
                let file = path.clone();
                let now = spawn_blocking(move || seal_in_use(&file)).await.context("reading the database file")?;
                let now = now.with_context(|| format!("{}: cannot be read", path.display()))?;
                pin.close().await.context("ending the comparison of the database file")?;
                info!(bytes = now.bytes, "the database file is compared with what was closed");
                Ok((now != seal).then_some(Finding::Changed))
            }
            Self::Structure(path) => {
                let found = structure(&path, "PRAGMA integrity_check(3)").await?;
                info!(whole = found.is_none(), "the structure of the database file is checked");
                Ok(found)
            }
        }
    }
}

/// Checks the structure of a file by one of SQLite's two checks; `Some` is what it found.
pub(super) async fn structure(path: &Path, check: &'static str) -> anyhow::Result<Option<Finding>> {
    let checked = async {
        let mut connection = reader(path).await?;
        let found: Vec<String> = sqlx::query_scalar(check).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(found)
    };
    match checked.await {
        Ok(found) if found == ["ok"] => Ok(None),
        Ok(found) => Ok(Some(Finding::Damaged(found.join("; ")))),
        Err(error) => match damage_of(&error) {
            Some(what) => Ok(Some(Finding::Damaged(what))),
            None => Err(error).context("checking the database file"),
        },
    }
}
