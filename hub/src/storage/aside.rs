//! A database that is replaced is moved aside, never deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use lobby_domain::time::Timestamp;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::{backup::stamp, installation::sync_folder};

/// The files that make a SQLite database: the file, its log and the log's index.
pub(crate) fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// Moves a SQLite database into a folder of its own beside it. Returns the folder, or `None` if there was nothing to move.
pub(crate) fn move_sqlite(path: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let there: Vec<PathBuf> = files(path).into_iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        return Ok(None);
    }
    // The log goes last: a database without its log is damaged, and a log without its database is nothing.
    move_into_folder(path.parent().unwrap_or(Path::new(".")), &there, now).map(Some)
}

/// Moves files into a new folder of their own within `parent`, in their order. Returns the folder.
pub(crate) fn move_into_folder(parent: &Path, moved: &[PathBuf], now: Timestamp) -> io::Result<PathBuf> {
    let name = format!("aside-{}", stamp(now));
    let folder = (0..100)
        .map(|count| parent.join(if count == 0 { name.clone() } else { format!("{name}-{count}") }))
        .find(|folder| !folder.exists())
        .ok_or_else(|| io::Error::other("there are too many folders of what was moved aside"))?;
    super::private::folder(&folder)?;
    for file in moved {
        fs::rename(file, folder.join(file.file_name().unwrap_or_default()))?;
    }
    sync_folder(&folder)?;
    sync_folder(parent)?;
    Ok(folder)
}

/// Moves the tables of a PostgreSQL database into a schema of their own, within the transaction of `connection`. Returns its name, or
/// `None` if there were none.
pub(crate) async fn move_postgres(
    connection: &mut PgConnection,
    tables: &[String],
    now: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    if tables.is_empty() {
        return Ok(None);
    }
    let schema = format!("aside_{}", stamp(now).to_lowercase());
    connection.execute(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\""))).await?;
    for table in tables {
        connection.execute(AssertSqlSafe(format!("ALTER TABLE \"{table}\" SET SCHEMA \"{schema}\""))).await?;
    }
    Ok(Some(schema))
}
