//! The database: SQLite or PostgreSQL, behind one set of statements. One file per aggregate, each with its SQL beside the methods that
//! run it. Uniqueness is promised by the schema; writes go through [`Store::begin`].

mod addressing;
mod alerts;
mod audit;
mod bulk;
mod chat_ids;
mod checkpoint;
mod checks;
mod closings;
mod commit;
mod compliance;
mod contacts;
mod deadlines;
mod delivery;
mod dispensed;
mod escalations;
mod findings;
mod fleet;
mod followed;
mod gone;
mod grants;
mod labels;
mod left;
mod meta;
mod month_reports;
mod moves;
mod notifications;
mod once;
mod outbox;
mod owed_messages;
mod owed_purchases;
mod owed_register;
mod owed_supply;
mod page;
mod past;
mod people;
mod photos;
mod pool;
mod purchases;
mod queue;
mod reach;
mod records;
mod register;
mod reports;
mod resend;
mod restraints;
mod rollup;
mod roster;
mod rounds;
mod schema;
mod staged;
mod started;
mod stock;
mod stock_alerts;
mod stock_takes;
mod ticket_deeds;
mod tickets;
mod tokens;
mod trouble;

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, Postgres, Sqlite,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{sync::Notify, time::timeout};

pub use self::{
    addressing::{Expanded, Route, Routes, TAKEN_AT_ONCE},
    alerts::{AlertFilter, AlertRow},
    audit::AuditFilter,
    checkpoint::Checkpoints,
    checks::{AnswerRow, Answered, Checked, Checking, RoundError},
    closings::Closing,
    commit::{Batch, Committed, Spent, Writer},
    compliance::{LifeChange, Owing},
    contacts::{CODE_LASTS, ContactError, ContactRow, Mailbox, PreferenceRow, channel_of, masked, person_of},
    deadlines::Breach,
    delivery::{LostReason, LostRow},
    dispensed::{Counter, Dispensed, HeldVerdict},
    escalations::{EscalationOf, EscalationRow, RaiseError},
    followed::Followed,
    labels::{ItemLabelEvent, LabelRow, Target},
    meta::Meta,
    month_reports::{ReportLetter, ReportReceiver},
    moves::{Asked, MoveRow},
    notifications::{ChannelRow, DELIVERY_STATES, DeliveryFilter, DeliveryRow, Hold, NotificationCounts},
    outbox::{Attempted, Draft, Outgoing, Queued, Then, Waits},
    page::{Cursor, CursorError},
    past::MOST_TRACED,
    people::{LinkFor, PersonError, PersonRow, SessionRow},
    photos::{PhotoRow, Shown, Stage},
    pool::{Pool, Transaction},
    purchases::{PurchaseDeed, PurchaseError, PurchaseKey, PurchaseRow, PurchaseStep, doer_of},
    queue::QueueCounts,
    reach::Server,
    records::{RecordFilter, RecordRow},
    register::{Acting, Imported, ItemAct, ItemEvent, ItemRow, RegisterError},
    reports::{ReportError, ReportRow, Reporting},
    resend::ResendError,
    restraints::{ChangeError, Made, RestraintFilter},
    rollup::{Due, Grain, RolledUp},
    roster::{Coming, DutyRow},
    rounds::{Looking, PassedOn, Refill, RoundFilter, RoundRow, Signature},
    schema::{migrator, newest_schema},
    started::Starting,
    stock::{Book, EntryFilter, EntryRow, OpenOrder, Posting, StockError},
    stock_alerts::LowAlert,
    stock_takes::{AnsweredLine, ItemCount, TakeRow},
    ticket_deeds::{ActError, Arrived, Comment, Deed},
    tickets::{TicketEvent, TicketFilter, TicketRow},
    tokens::TokenRow,
    trouble::Trouble,
};
pub(crate) use self::{
    audit::{AUDIT_FROM, AUDIT_HEAD, AUDIT_SINCE, Raw as AuditRaw, Walk as AuditWalk},
    reach::reach,
    schema::META_SINCE,
    staged::merge_copy,
};

/// How long a writer waits for another one.
pub(crate) const BUSY: Duration = Duration::from_secs(10);
/// How long who will write waits for a connection and then for a writer of another process.
const PATIENCE: Duration = Duration::from_secs(11);
/// How a transaction of SQLite begins that may write.
const WRITING: &str = "BEGIN IMMEDIATE";
/// How a transaction on PostgreSQL begins that gives way to others. Of two that wait for each other the server ends one after a second,
/// unless told otherwise.
const YIELDING: &str = "BEGIN; SET LOCAL lock_timeout = '500ms'";
/// So many statements the one connection that writes remembers: those of batches are among many others.
const STATEMENTS_KEPT: usize = 256;

/// What the hub's connections are called on the database server.
pub(crate) const APPLICATION: &str = "lobby-hub";

/// What is done when there is no database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// An empty one is made.
    Make,
    /// It is an error.
    Refuse,
}

/// What PostgreSQL is to do for our sessions: end those of a hub that is gone, so that their locks do not outlive it.
const SESSION: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "30s"),
    ("client_connection_check_interval", "5s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// A connection pool of one of the two databases.
#[derive(Debug, Clone)]
pub enum Store {
    /// The embedded default.
    Sqlite(Pool<Sqlite>),
    /// For companies with many sites.
    Postgres(Pool<Postgres>),
}

/// A transaction on one of the two databases.
#[derive(Debug)]
pub enum Tx {
    /// See [`Store::Sqlite`].
    Sqlite(Transaction<Sqlite>),
    /// See [`Store::Postgres`].
    Postgres(Transaction<Postgres>),
}

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or did not answer.
    #[error("could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The database did not answer in time. Whether anything was done is not known; trying again is safe.
    #[error("could not {doing}: no answer within {seconds} s")]
    Late {
        /// What was being done.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// There is no connection to PostgreSQL to begin with.
    #[error("the database at {server} cannot be reached: {what}; {advice}")]
    Unreachable {
        /// The database.
        server: Server,
        /// What is wrong.
        what: String,
        /// What to do.
        advice: String,
    },
    /// The schema could not be brought up to date.
    #[error("could not bring the database's schema up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The URL names neither database.
    #[error("`{0}` is no database URL: use sqlite://PATH or postgres://USER@HOST/NAME")]
    Url(String),
    /// A row holds what the product never writes.
    #[error("row {id} of table `{table}` holds an unexpected value: {what}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The row.
        id: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Runs one sqlx expression on whichever database is behind the transaction.
macro_rules! on {
    ($tx:expr, $doing:literal, $conn:ident => $query:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(tx) => {
                let $conn = &mut **tx;
                $query
            }
            $crate::store::Tx::Postgres(tx) => {
                let $conn = &mut **tx;
                $query
            }
        }
        .map_err(|source| $crate::store::StoreError::Database { doing: $doing, source })
    };
}
pub(crate) use on;

/// Names statements and lists them all in `STATEMENTS`, for the test that prepares each on both databases.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$meta])* const $name: &str = $sql;)*
        #[cfg(test)]
        pub(super) const STATEMENTS: &[&str] = &[$($name),*];
    };
}
pub(crate) use statements;

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url, Missing::Make).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database as it is.
    pub async fn connect(url: &str, missing: Missing) -> Result<Self, StoreError> {
        if let Some(path) = sqlite_path(url) {
            return Ok(Self::Sqlite(sqlite(path, missing).await?));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).map_err(doing("read the database URL"))?;
            let options = options.application_name(APPLICATION).options(SESSION);
            // A pool would only say that it has waited long enough.
            reach(&options).await?.close().await.map_err(doing("connect to PostgreSQL"))?;
            let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(BUSY);
            let pool = Pool::connect(pool, options);
            return Ok(Self::Postgres(pool.await.map_err(doing("connect to PostgreSQL"))?));
        }
        // The URL may hold a password: only its scheme is shown.
        let scheme = url.split("://").next().unwrap_or_default();
        Err(StoreError::Url(scheme.chars().take(20).collect()))
    }

    /// Begins a transaction that may write. SQLite's lock is taken at once: a read that turns into a write would fail instead of
    /// waiting.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let begin = async {
            let _first = match self {
                Self::Sqlite(pool) => Some(pool.line().await),
                Self::Postgres(_) => None,
            };
            self.write(None).await
        };
        in_time("begin a transaction", begin).await
    }

    /// The same for who rather gives up and tries again than makes others fail: where rows that it needs are held for half a second, it
    /// fails. Who holds them may wait for it. SQLite has one writer, who waits for nobody.
    pub async fn begin_yielding(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite(_) => self.begin().await,
            Self::Postgres(_) => in_time("begin a transaction", self.write(Some(YIELDING))).await,
        }
    }

    /// The same for a batch of ingest, before all who are in line.
    async fn begin_batch(&self) -> Result<Tx, StoreError> {
        in_time("begin a batch", self.write(None)).await
    }

    async fn write(&self, on_postgres: Option<&'static str>) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => pool.transaction(pool.writers(), Some(WRITING)).await.map(Tx::Sqlite),
            Self::Postgres(pool) => pool.transaction(pool.writers(), on_postgres).await.map(Tx::Postgres),
        }
    }

    /// Woken by each commit that queued notifications; one waits for it. Those that another process queued, or of whose commit no answer came,
    /// wake nobody.
    pub fn outbox_filled(&self) -> Arc<Notify> {
        match self {
            Self::Sqlite(pool) => pool.outbox_filled(),
            Self::Postgres(pool) => pool.outbox_filled(),
        }
    }

    /// The latest hour that this process has taken to be rolled up, by its beginning in ms. A clock that was ahead for a while makes it
    /// one of the future.
    fn taken(&self) -> i64 {
        match self {
            Self::Sqlite(pool) => pool.taken(),
            Self::Postgres(pool) => pool.taken(),
        }
    }

    /// Why what is committed cannot be copied from the log into the database file, while that is so. It is stored all the same, and the log
    /// grows.
    pub fn uncopied(&self) -> Option<String> {
        match self {
            Self::Sqlite(pool) => pool.uncopied(),
            Self::Postgres(_) => None,
        }
    }

    /// Begins a transaction that only reads.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite(pool) => pool.transaction(pool, None).await.map(Tx::Sqlite),
            Self::Postgres(pool) => pool.transaction(pool, None).await.map(Tx::Postgres),
        }
        .map_err(doing("begin to read"))
    }

    /// The same, of one moment: what others commit meanwhile is not seen.
    async fn snapshot(&self) -> Result<Tx, StoreError> {
        match self {
            // There every transaction that reads is of one moment.
            Self::Sqlite(pool) => pool.transaction(pool, None).await.map(Tx::Sqlite),
            Self::Postgres(pool) => {
                let statement = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                pool.transaction(pool, Some(statement)).await.map(Tx::Postgres)
            }
        }
        .map_err(doing("begin to read"))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        on!(&mut tx, "ask the database for an answer", conn => sqlx::query("SELECT 1").execute(conn).await.map(drop))
    }

    /// Waits for what is under way and closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The file of a SQLite database; `None` for the other database.
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite://").map(PathBuf::from)
}

async fn sqlite(path: PathBuf, missing: Missing) -> Result<Pool<Sqlite>, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(missing == Missing::Make)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("wal_autocheckpoint", checkpoint::VERY_LONG.to_string());
    // That a connection, which is a thread of this process, is there was asked when it was given back; nothing happens to it until it is used again.
    let pool = SqlitePoolOptions::new().acquire_timeout(BUSY).test_before_acquire(false);
    let one = pool.clone();
    let pool =
        Pool::connect(pool.max_connections(3), options.clone()).await.map_err(doing("open the SQLite database"))?;
    Ok(pool.with_one_writer(one, options.statement_cache_capacity(STATEMENTS_KEPT)))
}

/// Waits for a connection and for a writer of another process no longer than [`PATIENCE`] together.
async fn in_time<T>(what: &'static str, begin: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Late { doing: what, seconds: PATIENCE.as_secs() };
    timeout(PATIENCE, begin).await.map_err(late)?.map_err(doing(what))
}

impl Tx {
    /// Makes everything since [`Store::begin`] durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(doing("commit"))
    }

    /// Notes that a notification was queued.
    fn queues(&mut self) {
        match self {
            Self::Sqlite(tx) => tx.queues(),
            Self::Postgres(tx) => tx.queues(),
        }
    }
}

fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { doing, source }
}

/// A list of words as one column.
fn joined(words: &[Box<str>]) -> String {
    words.join(" ")
}

/// The words of [`joined`].
fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
