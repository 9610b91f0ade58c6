//! A pool of connections that can be given up all at once, when what they remember of the database cannot be trusted any more; its
//! transactions, which tell others in this process what they must know of them; and the line of those who write.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection, Database, pool::PoolOptions};
use tokio::{
    sync::{Mutex as Line, MutexGuard, Notify},
    time::Instant,
};

/// A pool of connections. Clones share it.
#[derive(Debug)]
pub struct Pool<DB: Database> {
    connections: sqlx::Pool<DB>,
    writers: sqlx::Pool<DB>,
    line: Arc<Line<()>>,
    trust: Trust,
    queued: Arc<Notify>,
    /// The latest hour that was taken to be rolled up.
    taken: Arc<AtomicI64>,
    /// Why the log cannot be copied into the file, while that is so.
    uncopied: Arc<Mutex<Option<String>>>,
}

/// A transaction.
#[derive(Debug)]
pub struct Transaction<DB: Database> {
    begun: sqlx::Transaction<'static, DB>,
    /// Whether it has queued a notification.
    queues: bool,
    queued: Arc<Notify>,
    taken: Arc<AtomicI64>,
}

/// Which connections are used: those made after the last that were given up.
#[derive(Debug, Clone, Default)]
struct Trust(Arc<Mutex<Option<Instant>>>);

impl<DB: Database> Pool<DB> {
    /// A pool that opens its first connection now. The same connections are used for everything.
    pub(super) async fn connect(
        options: PoolOptions<DB>,
        to: <DB::Connection as Connection>::Options,
    ) -> Result<Self, sqlx::Error> {
        let trust = Trust::default();
        let connections = trust.checked(options).connect_with(to).await?;
        Ok(Self {
            writers: connections.clone(),
            connections,
            line: Arc::default(),
            trust,
            queued: Arc::default(),
            taken: Arc::default(),
            uncopied: Arc::default(),
        })
    }

    /// The same with one connection alone for all that is written, opened when it is needed. SQLite has one writer at a time: it lets
    /// others try again after ever longer pauses, and would let none of them in between batches that are stored one after the other. And what
    /// another connection has written, one does not find in its cache, but must read from the file again.
    pub(super) fn with_one_writer(self, options: PoolOptions<DB>, to: <DB::Connection as Connection>::Options) -> Self {
        let writers = self.trust.checked(options.max_connections(1)).connect_lazy_with(to);
        Self { writers, ..self }
    }

    /// The connections that write, handed out in the order in which they are asked for.
    pub(super) fn writers(&self) -> &sqlx::Pool<DB> {
        &self.writers
    }

    /// The line of all who write but batches. Only the first of them waits for the connection, so that a batch waits for the one who
    /// writes and at most for one more.
    pub(super) async fn line(&self) -> MutexGuard<'_, ()> {
        self.line.lock().await
    }

    /// Begins a transaction on one of these connections, by this statement or as the database does by itself.
    pub(super) async fn transaction(
        &self,
        connections: &sqlx::Pool<DB>,
        statement: Option<&'static str>,
    ) -> Result<Transaction<DB>, sqlx::Error> {
        let begun = match statement {
            Some(statement) => connections.begin_with(statement).await?,
            None => connections.begin().await?,
        };
        Ok(Transaction { begun, queues: false, queued: Arc::clone(&self.queued), taken: Arc::clone(&self.taken) })
    }

    /// See [`Store::outbox_filled`](super::Store::outbox_filled).
    pub(super) fn outbox_filled(&self) -> Arc<Notify> {
        Arc::clone(&self.queued)
    }

    /// See [`Store::taken`](super::Store::taken).
    pub(super) fn taken(&self) -> i64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Notes why the log cannot be copied into the file, or that it can. Returns what was known before.
    pub(super) fn note_copy(&self, failing: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.uncopied.lock().unwrap_or_else(PoisonError::into_inner), failing)
    }

    /// See [`Store::uncopied`](super::Store::uncopied).
    pub(super) fn uncopied(&self) -> Option<String> {
        self.uncopied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for what is under way and closes all connections.
    pub(super) async fn close(&self) {
        self.writers.close().await;
        self.connections.close().await;
    }

    /// Gives up every connection that there is now: also one that is in use and comes back later is closed, and not used again.
    pub(super) fn give_up(&self) {
        *self.trust.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            connections: self.connections.clone(),
            writers: self.writers.clone(),
            line: Arc::clone(&self.line),
            trust: self.trust.clone(),
            queued: Arc::clone(&self.queued),
            taken: Arc::clone(&self.taken),
            uncopied: Arc::clone(&self.uncopied),
        }
    }
}

impl<DB: Database> Deref for Pool<DB> {
    type Target = sqlx::Pool<DB>;

    fn deref(&self) -> &Self::Target {
        &self.connections
    }
}

impl<DB: Database> Transaction<DB> {
    /// Notes that it has queued a notification.
    pub(super) fn queues(&mut self) {
        self.queues = true;
    }

    /// Notes that it takes an hour, by its beginning in ms, to be rolled up.
    pub(super) fn takes(&self, hour: i64) {
        self.taken.fetch_max(hour, Ordering::AcqRel);
    }

    /// Makes it durable.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.begun.commit().await?;
        if self.queues {
            self.queued.notify_one();
        }
        Ok(())
    }
}

impl<DB: Database> Deref for Transaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.begun
    }
}

impl<DB: Database> DerefMut for Transaction<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.begun
    }
}

impl Trust {
    /// A pool of which only connections are used that are trusted.
    fn checked<DB: Database>(&self, options: PoolOptions<DB>) -> PoolOptions<DB> {
        let asked = self.clone();
        // SQLite ends a transaction by itself when its disk fails, which the driver does not notice: it would take the next one for a
        // part of that one.
        options.before_acquire(move |connection, known| {
            let trusted = asked.allows(known.age) && !connection.is_in_transaction();
            Box::pin(async move { Ok(trusted) })
        })
    }

    fn allows(&self, age: Duration) -> bool {
        let given_up = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.is_none_or(|at| age < at.elapsed())
    }
}
