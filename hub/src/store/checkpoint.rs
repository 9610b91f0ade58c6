//! How what is in SQLite's write-ahead log comes into the database file.
//!
//! A commit writes into the log alone. When that has become long, its pages are copied into the file (a checkpoint), and once all are, the
//! next commit begins it anew. Left to itself, SQLite copies in the very commit that made the log long, and a fault in it or behind it waits
//! for thousands of pages. So another connection copies while others go on writing, and the connection that writes copies only the few
//! pages that came meanwhile, between two batches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::Sqlite;
use tokio::{
    select,
    sync::Notify,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Store, StoreError, Trouble, doing, pool::Pool};
use crate::failpoint;

/// So many pages to be copied make the log long: 32 MB. Batches touch mostly the same pages as the batch before, so the fewer copies are
/// made, the less is written.
pub(super) const LONG: i64 = 8000;
/// Where nobody else copies, as in a command, whoever commits does, when there are so many pages in the log.
pub(super) const VERY_LONG: i64 = 4 * LONG;
/// So many pages are soon copied.
const FEW: i64 = 400;
/// How often what came meanwhile is copied before it is let be.
const PASSES: usize = 3;
/// The log is looked at after so many batches, and every so often: it is not batches alone that write.
const LOOK_AFTER: u32 = 8;
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long the end of a copy may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Copies what is in the log of a store into its file. PostgreSQL does so by itself.
#[derive(Debug)]
pub struct Checkpoints {
    pool: Option<Pool<Sqlite>>,
    batches: AtomicU32,
    look: Notify,
    /// Whether only a few pages are left.
    ends: AtomicBool,
}

/// How long the log is, in pages.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Log {
    /// Whether somebody else was copying.
    busy: bool,
    #[sqlx(rename = "log")]
    pub pages: i64,
    #[sqlx(rename = "checkpointed")]
    pub copied: i64,
}

impl Log {
    pub(super) const fn left(self) -> i64 {
        self.pages - self.copied
    }

    /// Looks at it.
    pub(super) async fn look(connections: &sqlx::Pool<Sqlite>) -> Result<Self, StoreError> {
        let looked = sqlx::query_as("PRAGMA wal_checkpoint(NOOP)").fetch_one(connections).await;
        looked.map_err(doing("look at the write-ahead log"))
    }

    /// Copies what is in it by now. Nobody waits for it, and it waits for nobody: what a reader keeps from being copied is left, and all
    /// if somebody else is copying.
    async fn copy(pool: &Pool<Sqlite>, connections: &sqlx::Pool<Sqlite>) -> Result<Self, StoreError> {
        let copied = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connections).await;
        let copied = copied.map_err(doing("copy the write-ahead log"));
        if let Err(error) = &copied
            && matches!(error.trouble(), Trouble::Disk | Trouble::ReadOnly | Trouble::Full)
        {
            // What a connection remembers of a file is not to be trusted after that.
            pool.give_up();
        }
        copied
    }
}

impl Checkpoints {
    /// Those of a store.
    pub fn of(store: &Store) -> Arc<Self> {
        let pool = match store {
            Store::Sqlite(pool) => Some(pool.clone()),
            Store::Postgres(_) => None,
        };
        Arc::new(Self { pool, batches: AtomicU32::default(), look: Notify::default(), ends: AtomicBool::default() })
    }

    /// To be called after each batch by whoever stores them: copies what is left, if it is little.
    pub async fn stored(&self) -> Result<(), StoreError> {
        let Some(pool) = &self.pool else { return Ok(()) };
        if self.batches.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_AFTER) {
            self.look.notify_one();
        }
        if !self.ends.load(Ordering::Relaxed) {
            return Ok(());
        }
        let late = |_| StoreError::Late { doing: "copy the write-ahead log", seconds: PATIENCE.as_secs() };
        let log = timeout(PATIENCE, Log::copy(pool, pool.writers())).await.map_err(late).flatten()?;
        self.ends.store(log.busy, Ordering::Relaxed);
        failpoint::pass("checkpointed");
        Ok(())
    }

    /// Copies whenever the log has become long, until `stop`. That the disk does not allow it is told by [`Store::uncopied`].
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(pool) = &self.pool else {
            stop.cancelled().await;
            return Ok(());
        };
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left = 0;
        loop {
            select! {
                () = stop.cancelled() => return Ok(()),
                () = self.look.notified() => {}
                _ = ticks.tick() => {}
            }
            let failing = match self.keep_short(pool, left).await {
                Ok(now) => {
                    left = now;
                    // Somebody else may be copying, or a reader be in the way: that says nothing.
                    if left >= LONG {
                        continue;
                    }
                    None
                }
                Err(error) if matches!(error.trouble(), Trouble::Disk | Trouble::ReadOnly | Trouble::Full) => {
                    Some(format!("{:#}", anyhow::Error::from(error)))
                }
                // Others tell of a database that does not answer.
                Err(_) => continue,
            };
            let before = pool.note_copy(failing.clone());
            match (before, failing) {
                (Some(_), None) => info!("the database's log is copied into its file again"),
                (None, Some(cause)) => {
                    warn!(cause, "the database's log could not be copied into its file; it is tried again");
                }
                _ => {}
            }
        }
    }

    /// Copies if the log has become long since so many pages were `left`, and returns how many are now.
    pub(super) async fn keep_short(&self, pool: &Pool<Sqlite>, left: i64) -> Result<i64, StoreError> {
        let mut log = Log::look(pool).await?;
        let left = left.min(log.left());
        if log.left() < left + LONG {
            // It was copied, but a reader kept it from beginning anew.
            if log.pages >= LONG && log.left() <= FEW {
                self.ends.store(true, Ordering::Relaxed);
            }
            return Ok(left);
        }
        for pass in 0..PASSES {
            if Log::copy(pool, pool).await?.busy {
                break;
            }
            failpoint::pass("log_copied");
            log = Log::look(pool).await?;
            // The file is made durable by a copy that comes to the end of the log, as the long one hardly does.
            if pass > 0 && log.left() <= FEW {
                self.ends.store(true, Ordering::Relaxed);
                return Ok(0);
            }
        }
        // Somebody reads what was before, such as a backup.
        Ok(log.left())
    }
}
