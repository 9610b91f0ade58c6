//! The versions of the schema. A migration and the note that it was done are one transaction on both databases, so a process that is
//! killed in the middle of one leaves the version before.

use sqlx::migrate::Migrator;
use tracing::info;

use super::{Store, StoreError, on, statements};
use crate::failpoint;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The migration that made [`super::Meta`].
pub(crate) const META_SINCE: i64 = 7;

statements! {
    VERSION = "SELECT MAX(version) FROM _sqlx_migrations";
    VERSIONS = "SELECT version FROM _sqlx_migrations ORDER BY version";
}

/// Whether the database has any version at all. The only statement that differs: each database lists its tables in its own way.
const HAS_SQLITE: &str = "SELECT COUNT(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'";
const HAS_POSTGRES: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";

/// The version of the schema that this program writes.
pub fn newest_schema() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The migrations of SQLite, or of PostgreSQL.
pub fn migrator(sqlite: bool) -> &'static Migrator {
    if sqlite { &SQLITE } else { &POSTGRES }
}

impl Store {
    /// The version of the database's schema; `None` if it has none yet.
    pub async fn schema(&self) -> Result<Option<i64>, StoreError> {
        let mut tx = self.read().await?;
        let has = if matches!(self, Self::Sqlite(_)) { HAS_SQLITE } else { HAS_POSTGRES };
        let has: bool = on!(&mut tx, "look for a schema", conn => sqlx::query_scalar(has).fetch_one(conn).await)?;
        if !has {
            return Ok(None);
        }
        on!(&mut tx, "read the schema's version", conn => sqlx::query_scalar(VERSION).fetch_one(conn).await)
    }

    /// Brings the schema up to date, one version after the other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let done: Vec<i64> = if self.schema().await?.is_some() {
            let mut tx = self.read().await?;
            on!(&mut tx, "read the schema's versions", conn => sqlx::query_scalar(VERSIONS).fetch_all(conn).await)?
        } else {
            Vec::new()
        };
        let migrator = migrator(matches!(self, Self::Sqlite(_)));
        for step in migrator.iter().filter(|step| !done.contains(&step.version)) {
            info!(schema = step.version, "bringing the database's schema to version {}", step.version);
            self.migrate_to(migrator, step.version).await?;
            failpoint::pass("migrated");
        }
        // Says if the database holds a version that this program does not know, or knows otherwise.
        self.migrate_to(migrator, newest_schema()).await
    }

    async fn migrate_to(&self, migrator: &Migrator, version: i64) -> Result<(), StoreError> {
        let unreachable = super::doing("bring the schema up to date");
        match self {
            Self::Sqlite(pool) => {
                let mut connection = pool.acquire().await.map_err(unreachable)?;
                migrator.run_direct(Some(version), &mut *connection, false).await
            }
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(unreachable)?;
                migrator.run_direct(Some(version), &mut *connection, false).await
            }
        }
        .map_err(StoreError::Migrate)
    }
}
