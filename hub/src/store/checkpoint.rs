//! How what is in SQLite's write-ahead log comes into the database file.
//!
//! A commit writes into the log alone. When that has become long, its pages are copied into the file (a checkpoint), and once all are, the
//! next commit begins it anew. Left to itself, SQLite copies in the very commit that made the log long, and a fault in it or behind it waits
//! for thousands of pages. So another connection copies while batches go on being stored, and the connection that stores them copies only
//! the few pages that came meanwhile, between two batches.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use sqlx::Sqlite;
use tokio::{select, sync::Notify};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Store, StoreError, doing, pool::Pool};
use crate::failpoint;

/// So many pages to be copied make the log long: 32 MB. Batches touch mostly the same pages as the batch before, so the fewer copies are
/// made, the less is written.
pub(super) const LONG: i64 = 8000;
/// Where nobody else copies, the connection that stores batches does, when there are so many pages in the log.
pub(super) const VERY_LONG: i64 = 4 * LONG;
/// So many pages are soon copied.
const FEW: i64 = 400;
/// How often what came meanwhile is copied before it is let be.
const PASSES: usize = 3;
/// The log is looked at after so many batches.
const LOOK_AFTER: u32 = 8;

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

    /// Copies what is in it by now. Nobody waits for it, and it waits for nobody: what a reader still needs is left.
    async fn copy(connections: &sqlx::Pool<Sqlite>) -> Result<(), StoreError> {
        let copied = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(connections).await;
        copied.map(drop).map_err(doing("copy the write-ahead log"))
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
        if self.batches.fetch_add(1, Ordering::Relaxed) % LOOK_AFTER == 0 {
            self.look.notify_one();
        }
        if self.ends.swap(false, Ordering::Relaxed) {
            Log::copy(pool.batches()).await?;
            failpoint::pass("checkpointed");
        }
        Ok(())
    }

    /// Copies whenever the log has become long, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(pool) = &self.pool else {
            stop.cancelled().await;
            return Ok(());
        };
        let (mut left, mut failing) = (0, false);
        loop {
            select! {
                () = stop.cancelled() => return Ok(()),
                () = self.look.notified() => {}
            }
            match self.keep_short(pool, left).await {
                Ok(now) => (left, failing) = (now, false),
                Err(cause) if !std::mem::replace(&mut failing, true) => {
                    let cause = format!("{:#}", anyhow::Error::from(cause));
                    warn!(cause, "the database's log could not be copied into its file; it is tried again");
                }
                Err(_) => {}
            }
        }
    }

    /// Copies if the log has become long since so many pages were `left`, and returns how many are now.
    async fn keep_short(&self, pool: &Pool<Sqlite>, left: i64) -> Result<i64, StoreError> {
        let mut log = Log::look(pool).await?;
        let left = left.min(log.left());
        if log.left() < left + LONG {
            return Ok(left);
        }
        for _ in 0..PASSES {
            Log::copy(pool).await?;
            failpoint::pass("log_copied");
            log = Log::look(pool).await?;
            if log.left() <= FEW {
                self.ends.store(true, Ordering::Relaxed);
                return Ok(0);
            }
        }
        // Somebody reads what was before, such as a backup.
        Ok(log.left())
    }
}
