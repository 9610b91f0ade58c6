//! The gate between the hub and its database: nothing is read or written before it is certain that this is the right database, whole,
//! and of a schema that this program knows. Otherwise the hub does not start, and says which backup to restore by which command.
//!
//! Owns: the identity file's life, checks of the file, the backup before a migration, closing. What each check finds is in
//! `storage/check.rs`.

mod aside;
mod check;
pub mod private;
mod refusal;
mod seal;
mod wal;

use std::{
    fs, io,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use anyhow::Context;
use lobby_domain::time::Timestamp;
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tracing::{error, info, warn};
use uuid::Uuid;

pub use self::refusal::{Finding, Place, Refusal};
pub(crate) use self::{
    aside::{files, move_into_folder, move_postgres, move_sqlite},
    check::reader,
    refusal::damage_of,
};
use self::{
    check::Check,
    refusal::{corruption_in, damage_in},
};
use crate::{
    backup::{self, Folder},
    clock::{Clock as _, SystemClock},
    installation::{Installation, Left, Seal, boot},
    lifecycle::Lifecycle,
    store::{META_SINCE, Missing, Store, newest_schema, sqlite_path},
};

/// The version of the product.
pub(crate) const PRODUCT: &str = env!("CARGO_PKG_VERSION");

/// How the hub's database is opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where it is.
    pub place: Place,
    /// Whether to begin a new one on purpose; what is there is moved aside.
    pub new_database: bool,
    /// How many backups made before a migration are kept.
    pub keep: usize,
}

/// An open database.
#[derive(Debug)]
pub struct Storage {
    /// What reads and writes it.
    pub store: Store,
    place: Place,
    installation: Installation,
    check: Option<Check>,
    /// Whether a check is still to find nothing: until then the file is not sealed as if it were whole.
    unchecked: Arc<AtomicBool>,
    /// Kept open until [`Storage::close`], and left open if that is never reached: SQLite deletes the log when the last connection
    /// closes, and then a process that ended on an error could not be told from a log that was lost.
    guard: Option<ManuallyDrop<SqliteConnection>>,
    damaged: Arc<OnceLock<Finding>>,
}

impl Storage {
    /// Opens the database of a data folder, or says why it is not used ([`Refusal`]).
    pub async fn open(opening: &Opening, now: Timestamp) -> anyhow::Result<Self> {
        let place = &opening.place;
        match Self::open_unadvised(opening, now).await {
            Err(error) if error.downcast_ref::<Refusal>().is_none() => Err(place.advise(error)),
            done => done,
        }
    }

    async fn open_unadvised(opening: &Opening, now: Timestamp) -> anyhow::Result<Self> {
        let place = opening.place.clone();
        if opening.new_database {
            begin_anew(&place, now).await?;
        }
        let known = Installation::read(&place.data_dir)?;
        let check = before_opening(&place, known.as_ref())?;
        let missing = if known.is_none() { Missing::Make } else { Missing::Refuse };
        let store = Store::connect(&place.database_url, missing).await?;
        let (mut guard, mut later) = (None, None);
        if let Some(path) = sqlite_path(&place.database_url) {
            guard = Some(ManuallyDrop::new(hold(&path).await?));
            for file in &files(&path) {
                private::file(file);
            }
            later = look_inside(&place, &path, check).await?;
        }
        let schema = store.schema().await?;
        let already = right_database(&place, &store, schema, known.as_ref()).await?;
        if let (Some(mut known), true) = (known.clone(), guard.is_some()) {
            known.left = Some(Left::Open { boot: boot() });
            known.write(&place.data_dir)?;
        }
        if let Some(schema) = schema.filter(|schema| *schema < newest_schema()) {
            backup::before_migration(&place, schema, opening.keep, now).await?;
        }
        store.migrate().await?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).context("asking the operating system for random numbers")?;
        let new = uuid::Builder::from_random_bytes(random).into_uuid();
        let meta = store.started(new, PRODUCT, now).await?;
        if let Store::Sqlite(pool) = &store {
            // The name goes into the file itself: in the log alone it would be read as that of whatever file came to lie beside the log.
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&**pool).await.context("copying the log")?;
        }
        if already.is_none() {
            info!(installation = %meta.installation, "the database of this data folder has a name now");
        }
        let left = guard.is_some().then(|| Left::Open { boot: boot() });
        let installation = Installation { id: meta.installation, starts: meta.starts, left };
        installation.write(&place.data_dir)?;
        let unchecked = Arc::new(AtomicBool::new(later.is_some()));
        Ok(Self { store, place, installation, check: later, unchecked, guard, damaged: Arc::default() })
    }

    /// Where the database is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Runs the checks that were left for later; one that finds damage stops the hub.
    pub fn watch(&mut self, lifecycle: &Lifecycle) {
        let Some(check) = self.check.take() else { return };
        let (stop, place) = (lifecycle.stop_token(), self.place.clone());
        let (damaged, unchecked) = (self.damaged.clone(), self.unchecked.clone());
        lifecycle.supervise("database check", async move {
            let found = tokio::select! {
                found = check.run() => found?,
                () = stop.cancelled() => return Ok(()),
            };
            if let Some(finding) = found {
                // It is set once: this is the only check.
                let _ = damaged.set(finding.clone());
                return Err(place.refuse(finding).into());
            }
            unchecked.store(false, Relaxed);
            stop.cancelled().await;
            Ok(())
        });
    }

    /// Adds to an error of the database's content what to do about it. A file that SQLite calls damaged is not sealed as if it were whole.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        if let Some(what) = corruption_in(&error) {
            // It is set once: another check may have been first.
            let _ = self.damaged.set(Finding::Damaged(what));
        }
        self.place.advise(error)
    }

    /// Brings everything into the file, closes it, and notes what it looks like.
    pub async fn close(mut self) {
        let closed = self.close_noted().await;
        if let Err(cause) = closed {
            warn!(
                cause = format!("{cause:#}"),
                "the database could not be closed as it should; it is checked at the next start"
            );
        }
    }

    async fn close_noted(&mut self) -> anyhow::Result<()> {
        let folder = &self.place.data_dir;
        let (Store::Sqlite(pool), Some(path)) = (&self.store, sqlite_path(&self.place.database_url)) else {
            self.store.close().await;
            return Ok(());
        };
        if let Some(finding) = self.damaged.get() {
            // Not sealed: it would look right the next time.
            let finding = match finding {
                Finding::Damaged(what) => what.clone(),
                other => other.to_string(),
            };
            self.installation.left = Some(Left::Damaged { finding });
            self.installation.write(folder)?;
            self.store.close().await;
            return Ok(());
        }
        let (busy, ..): (i64, i64, i64) =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&**pool).await.context("emptying the log")?;
        if busy != 0 {
            // Somebody reads, such as a backup; the log stays, and so does the guard.
            self.store.close().await;
            return Ok(());
        }
        self.installation.left = Some(Left::Checkpointed);
        self.installation.write(folder)?;
        self.store.close().await;
        if let Some(guard) = self.guard.take() {
            ManuallyDrop::into_inner(guard).close().await.context("closing the database")?;
        }
        if self.unchecked.load(Relaxed) {
            return Ok(());
        }
        let file = path.clone();
        let seal = tokio::task::spawn_blocking(move || seal::seal(&file)).await.context("reading the database file")?;
        self.installation.left = Some(Left::Sealed(seal.context("reading the database file")?));
        self.installation.write(folder)?;
        Ok(())
    }
}

impl Place {
    /// Adds to an error of the database's content what to do about it.
    fn advise(&self, error: anyhow::Error) -> anyhow::Error {
        match damage_in(&error) {
            Some(what) if error.downcast_ref::<Refusal>().is_none() => {
                error!(cause = format!("{error:#}"), "the database is damaged");
                self.refuse(Finding::Damaged(what)).into()
            }
            _ => error,
        }
    }
}

async fn begin_anew(place: &Place, now: Timestamp) -> anyhow::Result<()> {
    if let Some(path) = sqlite_path(&place.database_url) {
        let moved = move_sqlite(&path, now).context("moving the database aside")?;
        if let Some(folder) = moved {
            warn!(folder = %folder.display(), "the database is moved aside, and a new one is begun");
        }
    } else {
        let schema = backup::move_postgres_aside(&place.database_url, now).await?;
        if let Some(schema) = schema {
            warn!(schema, "the tables are moved aside into a schema, and new ones are begun");
        }
    }
    if let Some(folder) = Folder::new(place.backups.clone()).move_aside(now)? {
        warn!(folder = %folder.display(), "the backups of what was there are moved aside too");
    }
    // Last: as long as it is there, a start that follows a crash in between says that the database is missing, and this can be repeated.
    Installation::remove(&place.data_dir)?;
    Ok(())
}

/// Says why the files of a database that nobody uses are not the right ones, or not whole, as far as the files tell.
pub fn inspect(place: &Place) -> anyhow::Result<()> {
    let known = Installation::read(&place.data_dir)?;
    let inside = before_opening(place, known.as_ref())?;
    if let (Inside::Sealed(seal), Some(path)) = (inside, sqlite_path(&place.database_url))
        && seal_of(&path).with_context(|| format!("{}: cannot be read", path.display()))? != seal
    {
        return Err(place.refuse(Finding::Changed).into());
    }
    Ok(())
}

/// What the files tell before SQLite opens them. Returns what is to be looked for inside.
fn before_opening(place: &Place, known: Option<&Installation>) -> anyhow::Result<Inside> {
    let Some(path) = sqlite_path(&place.database_url) else { return Ok(Inside::Nothing) };
    let [file, wal, index] = files(&path);
    let length = length(&file)?;
    let Some(known) = known else {
        let empty = length.is_none_or(|length| length == 0);
        let backups = Folder::new(place.backups.clone()).list(SystemClock.now()).unwrap_or_default();
        return match (empty, backups.is_empty()) {
            (true, true) => Ok(Inside::Nothing),
            (true, false) => Err(place.refuse(Finding::Forgotten).into()),
            (false, _) => Ok(Inside::Structure(length.unwrap_or_default())),
        };
    };
    let size = match length {
        None => return Err(place.refuse(Finding::Missing).into()),
        Some(0) => return Err(place.refuse(Finding::Empty).into()),
        Some(size) => size,
    };
    let log = self::length(&wal)?;
    match &known.left {
        Some(Left::Damaged { finding }) => Err(place.refuse(Finding::Damaged(finding.clone())).into()),
        None | Some(Left::Checkpointed) => Ok(Inside::Structure(size)),
        Some(Left::Sealed(seal)) => {
            // A log that holds something was not left by the hub.
            if seal.bytes != size || log.is_some_and(|log| log > 0) {
                return Err(place.refuse(Finding::Changed).into());
            }
            if size > check::SMALL_DIGEST {
                return Ok(Inside::Sealed(seal.clone()));
            }
            let now = seal::seal(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
            if now == *seal { Ok(Inside::Nothing) } else { Err(place.refuse(Finding::Changed).into()) }
        }
        Some(Left::Open { boot: then }) => {
            if log.is_none() {
                return Err(place.refuse(Finding::LogMissing).into());
            }
            info!("the database was not closed: it is checked");
            let damage = wal::damage_on_disk(&wal, &index, *then == boot() && !then.is_empty())
                .with_context(|| format!("{}: cannot be read", wal.display()))?;
            match damage {
                Some(what) => Err(place.refuse(Finding::Log(what)).into()),
                None => Ok(Inside::Structure(size)),
            }
        }
    }
}

/// What is to be looked for inside a file.
enum Inside {
    Nothing,
    /// Whether its structure is whole; its size.
    Structure(u64),
    /// Whether it is what was sealed.
    Sealed(Seal),
}

async fn look_inside(place: &Place, path: &Path, inside: Inside) -> anyhow::Result<Option<Check>> {
    match inside {
        Inside::Nothing => Ok(None),
        Inside::Sealed(seal) => {
            Ok(Some(Check::digest(path, seal).await.context("opening the database for its check")?))
        }
        Inside::Structure(size) => {
            if size <= check::SMALL
                && let Some(finding) = check::structure(path, "PRAGMA quick_check(3)").await?
            {
                return Err(place.refuse(finding).into());
            }
            Ok(Some(Check::Structure(path.to_owned())))
        }
    }
}

/// Whether this database is the one that the data folder knows, and of a schema that this program knows. Returns whose it is.
async fn right_database(
    place: &Place,
    store: &Store,
    schema: Option<i64>,
    known: Option<&Installation>,
) -> anyhow::Result<Option<Uuid>> {
    let Some(schema) = schema else {
        return match known {
            Some(_) => Err(place.refuse(Finding::Empty).into()),
            None => Ok(None),
        };
    };
    let meta = if schema >= META_SINCE { store.meta().await? } else { None };
    if schema > newest_schema() {
        let writer = meta.map_or_else(|| "a newer version".to_owned(), |meta| format!("version {}", meta.written_by));
        anyhow::bail!(
            "{}: the database has schema {schema}, written by {writer}; this is version {PRODUCT}, which knows schemas up to {}. Start \
             the newer version, or restore a backup made before the upgrade",
            place.database(),
            newest_schema()
        );
    }
    match (known, meta) {
        (Some(known), Some(meta)) if meta.installation != known.id => {
            Err(place.refuse(Finding::Another { expected: known.id, found: meta.installation }).into())
        }
        (Some(known), Some(meta)) if meta.starts < known.starts => {
            Err(place.refuse(Finding::Old { expected: known.starts, found: meta.starts }).into())
        }
        (Some(known), None) => Err(place.refuse(Finding::Nameless(known.id)).into()),
        (_, meta) => Ok(meta.map(|meta| meta.installation)),
    }
}

/// A connection that has read, so that SQLite's log is there.
async fn hold(path: &PathBuf) -> anyhow::Result<SqliteConnection> {
    let opened = async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
        let mut connection = options.busy_timeout(crate::store::BUSY).connect().await?;
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&mut connection).await?;
        Ok::<_, sqlx::Error>(connection)
    };
    let connection = opened
        .await
        .map_err(|source| crate::store::StoreError::Database { doing: "open the SQLite database", source })?;
    crate::installation::sync_folder(path.parent().unwrap_or(Path::new(".")))
        .context("making the database's log durable")?;
    Ok(connection)
}

/// What a file that nobody uses looks like.
pub(crate) fn seal_of(path: &Path) -> io::Result<Seal> {
    seal::seal(path)
}

fn length(path: &Path) -> anyhow::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found.len())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause).with_context(|| format!("{}: cannot be looked at", path.display())),
    }
}
