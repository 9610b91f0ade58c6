//! A database of its own for each test.

use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator};
use tempfile::TempDir;

use crate::store::{Missing, Store};

const SERVER: &str = "TEST_POSTGRES_URL";

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// A new database, gone with this value.
pub(super) struct Database {
    pub(super) store: Store,
    url: String,
    home: Home,
}

/// Where it is; dropping this makes an end of it.
enum Home {
    Folder(#[expect(dead_code, reason = "the folder lives as long as this")] TempDir),
    Server { url: String, name: String },
}

impl Database {
    /// `None`, with its reason printed, if there is no server for it.
    pub(super) async fn create(kind: Kind) -> Option<Self> {
        let (url, home) = place(kind).await?;
        Some(Self { store: Store::open(&url).await.unwrap(), url, home })
    }

    /// A database as the schema was before the step of this number.
    pub(super) async fn before(kind: Kind, step: i64) -> Option<Self> {
        let (url, home) = place(kind).await?;
        let store = Store::connect(&url, Missing::Make).await.unwrap();
        let until = |mut steps: Migrator| {
            steps.migrations = steps.migrations.iter().filter(|known| known.version < step).cloned().collect();
            steps
        };
        match &store {
            Store::Sqlite(pool) => until(sqlx::migrate!("migrations/sqlite")).run(&**pool).await.unwrap(),
            Store::Postgres(pool) => until(sqlx::migrate!("migrations/postgres")).run(&**pool).await.unwrap(),
        }
        Some(Self { store, url, home })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The same database through connections of its own, as after a restart or from another process.
    pub(super) async fn again(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

async fn place(kind: Kind) -> Option<(String, Home)> {
    match kind {
        Kind::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            Some((format!("sqlite://{}", folder.path().join("lobby.db").display()), Home::Folder(folder)))
        }
        Kind::Postgres => on_server().await,
    }
}

async fn on_server() -> Option<(String, Home)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = env::var(SERVER) else {
        assert!(env::var_os("CI").is_none(), "{SERVER} is not set, and CI promises to test PostgreSQL");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says why")]
        {
            eprintln!("skipped: {SERVER} is not set");
        }
        return None;
    };
    let name = format!("lobby_store_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    run(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    run(&server, &format!("CREATE DATABASE {name}")).await.unwrap();
    let (address, options) = server.split_once('?').map_or((&*server, None), |(address, rest)| (address, Some(rest)));
    let parts: Vec<&str> = address.splitn(4, '/').take(3).collect();
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    Some((format!("{}/{name}{options}", parts.join("/")), Home::Server { url: server, name }))
}

async fn run(server: &str, statement: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

impl Drop for Database {
    fn drop(&mut self) {
        let Home::Server { url, name } = &self.home else { return };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // A drop cannot await, and the test's own runtime is in the middle of one.
        thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                // What cannot be dropped goes with the server.
                let _ = runtime.block_on(run(url, &statement));
            });
        });
    }
}
