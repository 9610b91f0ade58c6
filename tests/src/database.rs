//! PostgreSQL: a database of its own for each test, on the server that `TEST_POSTGRES_URL` names.

use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

use crate::{clock, program};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped with this value.
pub struct Database {
    server: String,
    name: String,
    runtime: Runtime,
}

impl Database {
    /// Creates one, if there is a server.
    pub fn create() -> Result<Option<Self>> {
        let Ok(server) = env::var("TEST_POSTGRES_URL") else { return program::skipped("TEST_POSTGRES_URL is not set") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lobby_e2e_{}_{}_{count}", process::id(), clock::now_ms());
        let database = Self { server, name, runtime };
        database.run("CREATE DATABASE")?;
        Ok(Some(database))
    }

    /// Its address: `postgres://…/NAME`.
    pub fn url(&self) -> String {
        let (address, options) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let base = match address.splitn(4, '/').collect::<Vec<_>>()[..] {
            [scheme, empty, host, _] => format!("{scheme}/{empty}/{host}"),
            _ => address.trim_end_matches('/').to_owned(),
        };
        let mark = if options.is_empty() { "" } else { "?" };
        format!("{base}/{}{mark}{options}", self.name)
    }

    fn run(&self, what: &str) -> Result<()> {
        let statement = format!("{what} {}", self.name);
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.server).await.context("connect to TEST_POSTGRES_URL")?;
            connection.execute(AssertSqlSafe(statement.clone())).await.with_context(|| statement.clone())?;
            Ok(())
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The hub of the test may still be connected; if it cannot be dropped, it goes with the server.
        let _ = self.run("DROP DATABASE IF EXISTS").or_else(|_| self.force());
    }
}

impl Database {
    fn force(&self) -> Result<()> {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        self.runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.server).await?;
            connection.execute(AssertSqlSafe(statement)).await?;
            Ok(())
        })
    }
}
