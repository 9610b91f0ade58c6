//! A pool of connections that can be given up all at once, when what they remember of the database cannot be trusted any more.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection, Database, pool::PoolOptions};
use tokio::time::Instant;

/// A pool of connections. Clones share it.
#[derive(Debug)]
pub struct Pool<DB: Database> {
    connections: sqlx::Pool<DB>,
    batches: sqlx::Pool<DB>,
    trust: Trust,
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
        Ok(Self { batches: connections.clone(), connections, trust })
    }

    /// The same with others for batches alone, opened when they are needed.
    pub(super) fn and_for_batches(self, options: PoolOptions<DB>, to: <DB::Connection as Connection>::Options) -> Self {
        let batches = self.trust.checked(options).connect_lazy_with(to);
        Self { batches, ..self }
    }

    /// The connections that store batches.
    pub(super) fn batches(&self) -> &sqlx::Pool<DB> {
        &self.batches
    }

    /// Waits for what is under way and closes all connections.
    pub(super) async fn close(&self) {
        self.batches.close().await;
        self.connections.close().await;
    }

    /// Gives up every connection that there is now: also one that is in use and comes back later is closed, and not used again.
    pub(super) fn give_up(&self) {
        *self.trust.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { connections: self.connections.clone(), batches: self.batches.clone(), trust: self.trust.clone() }
    }
}

impl<DB: Database> Deref for Pool<DB> {
    type Target = sqlx::Pool<DB>;

    fn deref(&self) -> &Self::Target {
        &self.connections
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
