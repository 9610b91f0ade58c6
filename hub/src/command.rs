//! The commands about stored data: `backup`, `restore`, `verify`, `token`, `user`, `roster`, `audit`.

mod audit;
mod roster;
mod token;
mod user;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use lobby_domain::time::Timestamp;
use tokio::time::Instant;

pub use self::{audit::Audit, roster::Roster, token::Token, user::User};

use crate::{
    backup::{self, Folder, Manifest, Say},
    clock::{Clock, SystemClock},
    config::{File, Overrides, stored},
    lock::DataDirLock,
    storage::{self, Opening, Place, Storage},
    store::{Missing, Store, newest_schema},
};

/// How long a hub may be at work on its schema.
const STARTING: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const AGAIN: Duration = Duration::from_millis(100);

/// Which database.
#[derive(Debug, Args)]
pub struct Stored {
    /// The hub's configuration file
    #[arg(long, env = "LOBBY_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of the hub's own files [default: lobby-data]
    #[arg(long, env = "LOBBY_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The database, such as `postgres://hub@db/lobby` [default: SQLite in the data folder]
    #[arg(long, env = "LOBBY_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// Which database and which backups.
#[derive(Debug, Args)]
pub struct Where {
    #[command(flatten)]
    stored: Stored,
    /// The folder of backups [default: `backups` in the data folder]
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Makes a backup.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file to make [default: one in the folder of backups, named after the time]
    #[arg(long)]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

/// Restores a backup.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    #[arg(required_unless_present = "latest", conflicts_with = "latest")]
    file: Option<PathBuf>,
    /// Takes the newest backup that is whole
    #[arg(long)]
    latest: bool,
    /// Moves a database that is there aside
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    place: Where,
}

/// Verifies a backup or a database.
#[derive(Debug, Args)]
pub struct Verify {
    /// The backup [default: the database itself]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

impl Stored {
    /// Where it and its backups are, and how many of those are kept.
    fn place(self, folder: Option<PathBuf>) -> anyhow::Result<(Place, usize)> {
        let file = self.config.as_deref().map_or_else(|| Ok(File::default()), File::read)?.whole()?;
        let over = Overrides { data_dir: self.data_dir, database_url: self.database_url, ..Overrides::default() };
        let (data_dir, database_url, settings) = stored(&file, &over);
        Ok((Place { data_dir, database_url, backups: folder.unwrap_or(settings.folder) }, settings.keep))
    }

    /// Where people reach the pages, as far as the configuration tells.
    fn address(&self) -> anyhow::Result<String> {
        let file = self.config.as_deref().map_or_else(|| Ok(File::default()), File::read)?.whole()?;
        Ok(file.http.address())
    }

    /// Does something with it: beside a running hub, or as a hub that starts and stops.
    async fn with<T>(self, work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (place, keep) = self.place(None)?;
        storage::private::folder(&place.data_dir)
            .with_context(|| format!("{}: the data folder cannot be made", place.data_dir.display()))?;
        let Some(_lock) = DataDirLock::try_take(&place.data_dir)? else {
            let store = beside(&place).await.with_context(|| format!("opening {}", place.database()))?;
            let done = work(&store).await;
            store.close().await;
            return done;
        };
        let opening = Opening { place, new_database: false, keep };
        let storage = Storage::open(&opening, SystemClock.now()).await.context("opening the database")?;
        let done = work(&storage.store).await;
        storage.close().await;
        done
    }
}

/// The database of a hub that runs. It may have just been started, and be at work on its schema.
async fn beside(place: &Place) -> anyhow::Result<Store> {
    let begun = Instant::now();
    loop {
        let ready = match Store::connect(&place.database_url, Missing::Refuse).await {
            Ok(store) if store.schema().await? == Some(newest_schema()) => return Ok(store),
            Ok(store) => {
                store.close().await;
                Err(anyhow!("the hub that runs on it is of another version than this program, or is still starting"))
            }
            Err(error) => Err(error.into()),
        };
        if begun.elapsed() >= STARTING {
            return ready;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A moment to the minute, in UTC.
fn day(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

impl Where {
    fn place(self) -> anyhow::Result<Place> {
        let (place, _) = self.stored.place(self.folder)?;
        Ok(place)
    }
}

/// The lock of the data folder if no hub runs on it; then its files are looked at before anything opens them.
fn looked_at(place: &Place) -> anyhow::Result<Option<DataDirLock>> {
    if !place.data_dir.is_dir() {
        return Ok(None);
    }
    let lock = DataDirLock::try_take(&place.data_dir)?;
    if lock.is_some() {
        storage::inspect(place)?;
    }
    Ok(lock)
}

impl Backup {
    /// Makes it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        let place = self.place.place()?;
        let _lock = looked_at(&place)?;
        let now = SystemClock.now();
        let file = if let Some(file) = self.to {
            file
        } else {
            // Nothing is made where there is nothing to back up.
            backup::look(&place.database_url).await.context("the backup was not made")?;
            Folder::new(place.backups.clone()).free_name(now, None)?
        };
        let manifest = backup::make(&place.database_url, &file, now, say).await.context("the backup was not made")?;
        say(&format!("{}: {}", file.display(), described(&manifest)));
        Ok(())
    }
}

impl Restore {
    /// Restores it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        let place = self.place.place()?;
        if let Some(file) = self.file.as_ref().filter(|file| !file.exists()) {
            return Err(backup::BackupError::NoFile(file.clone())).context("nothing was restored");
        }
        storage::private::folder(&place.data_dir)
            .with_context(|| format!("{}: the data folder cannot be made", place.data_dir.display()))?;
        let Some(_lock) = DataDirLock::try_take(&place.data_dir)? else {
            bail!("{}: a hub runs on this data folder; stop it first", place.data_dir.display());
        };
        let now = SystemClock.now();
        let restored = match &self.file {
            Some(file) => backup::restore(file, &place, self.replace, now, say).await,
            None => backup::restore_latest(&place, self.replace, now, say).await,
        };
        let manifest = restored.context("nothing was restored")?;
        say(&format!("{} is restored: {}", place.database(), described(&manifest)));
        Ok(())
    }
}

impl Verify {
    /// Verifies it.
    pub async fn run(self, say: Say<'_>) -> anyhow::Result<()> {
        if let Some(file) = &self.file {
            let manifest = backup::verify_file(file, say).await?;
            let whole = if manifest.tells_of_all_bytes() { "whole" } else { "its rows are whole" };
            say(&format!("{}: {whole}; {}", file.display(), described(&manifest)));
            return Ok(());
        }
        let place = self.place.place()?;
        let _lock = looked_at(&place)?;
        let counts = backup::verify_database(&place, say).await?;
        let rows: i64 = counts.iter().map(|(_, rows)| rows).sum();
        say(&format!("{}: whole; {rows} rows in {} tables", place.database(), counts.len()));
        Ok(())
    }
}

fn described(manifest: &Manifest) -> String {
    let made = jiff::Timestamp::from_millisecond(manifest.made_at.millis()).unwrap_or_default();
    format!(
        "made {made} by version {} of {}, schema {}, {} rows",
        manifest.product,
        manifest.source,
        manifest.schema,
        manifest.rows()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn in_folder(folder: &Path) -> Where {
        let stored = Stored { config: None, data_dir: Some(folder.join("data")), database_url: None };
        Where { stored, folder: None }
    }

    fn nothing_in(folder: &Path) -> bool {
        std::fs::read_dir(folder).unwrap().next().is_none()
    }

    #[tokio::test]
    async fn where_there_is_no_database_a_backup_makes_nothing_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Backup { to: None, place: in_folder(folder.path()) }.run(&|_| {}).await.unwrap_err();
        let database = folder.path().join("data/lobby.db");
        let expected = format!("the backup was not made: {}: there is no database of a hub here", database.display());
        assert!(format!("{refused:#}").starts_with(&expected), "{refused:#}");
        assert!(nothing_in(folder.path()), "an empty folder looks like a place where backups are");
    }

    #[tokio::test]
    async fn a_backup_that_is_not_there_is_neither_verified_nor_restored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nope.db");
        let place = || in_folder(folder.path());
        let expected = format!("{}: there is no such file", file.display());
        let refused = Verify { file: Some(file.clone()), place: place() }.run(&|_| {}).await.unwrap_err();
        assert_eq!(format!("{refused:#}"), expected);
        let restore = Restore { file: Some(file), latest: false, replace: false, place: place() };
        assert_eq!(
            format!("{:#}", restore.run(&|_| {}).await.unwrap_err()),
            format!("nothing was restored: {expected}")
        );
        assert!(nothing_in(folder.path()));
    }
}
