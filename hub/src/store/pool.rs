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
    trust: Trust,
}

/// Which connections are used: those made after the last that were given up.
#[derive(Debug, Clone, Default)]
struct Trust(Arc<Mutex<Option<Instant>>>);

impl<DB: Database> Pool<DB> {
    /// A pool that opens its first connection now.
    pub(super) async fn connect(
        options: PoolOptions<DB>,
        to: <DB::Connection as Connection>::Options,
    ) -> Result<Self, sqlx::Error> {
        let trust = Trust::default();
        let asked = trust.clone();
        // SQLite ends a transaction by itself when its disk fails, which the driver does not notice: it would take the next one for a
        // part of that one.
        let options = options.before_acquire(move |connection, known| {
            let trusted = asked.allows(known.age) && !connection.is_in_transaction();
            Box::pin(async move { Ok(trusted) })
        });
        Ok(Self { connections: options.connect_with(to).await?, trust })
    }

    /// Gives up every connection that there is now: also one that is in use and comes back later is closed, and not used again.
    pub(super) fn give_up(&self) {
        *self.trust.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl<DB: Database> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { connections: self.connections.clone(), trust: self.trust.clone() }
    }
}

impl<DB: Database> Deref for Pool<DB> {
    type Target = sqlx::Pool<DB>;

    fn deref(&self) -> &Self::Target {
        &self.connections
    }
}

impl Trust {
    fn allows(&self, age: Duration) -> bool {
        let given_up = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.is_none_or(|at| age < at.elapsed())
    }
}
