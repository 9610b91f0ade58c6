//! What the database alone can do here: the same rows, by multi-row statements, durable at each commit, and nothing else.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use lobby_contract::{Reach, Record};
use sqlx::{
    Connection, Executor, PgConnection, QueryBuilder, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::Instant;

/// Rows of one statement; SQLite allows 32,766 parameters.
const ROWS: usize = 100;
/// Statements of one transaction.
const STATEMENTS: usize = 10;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS plain (site TEXT NOT NULL, agent TEXT NOT NULL, epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL, device TEXT NOT NULL, at BIGINT NOT NULL, reach TEXT NOT NULL, facts TEXT NOT NULL,
    UNIQUE (site, agent, epoch, seq))";
const INSERT: &str = "INSERT INTO plain (site, agent, epoch, seq, device, at, reach, facts) ";

/// A row, ready to be bound.
struct Row {
    seq: i64,
    device: String,
    at: i64,
    reach: &'static str,
    facts: String,
}

fn rows(records: &[Record]) -> Result<Vec<Row>> {
    let row = |record: &Record| {
        Ok(Row {
            seq: i64::try_from(record.seq)?,
            device: record.device.to_string(),
            at: record.at,
            reach: if record.reach == Reach::Ok { "ok" } else { "other" },
            facts: serde_json::to_string(&record.facts)?,
        })
    };
    records.iter().map(row).collect()
}

macro_rules! insert_all {
    ($connection:expr, $database:ty, $epoch:expr, $rows:expr) => {
        for commit in $rows.chunks(ROWS * STATEMENTS) {
            let mut transaction = $connection.begin().await?;
            for statement in commit.chunks(ROWS) {
                let mut query = QueryBuilder::<$database>::new(INSERT);
                query.push_values(statement, |mut values, row| {
                    values.push_bind("bench").push_bind("agent").push_bind($epoch).push_bind(row.seq);
                    values.push_bind(&row.device).push_bind(row.at).push_bind(row.reach).push_bind(&row.facts);
                });
                query.build().execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
    };
}

/// The time that SQLite takes for `records`: write-ahead log, `synchronous = FULL`.
pub async fn sqlite(file: &Path, epoch: i64, records: &[Record]) -> Result<Duration> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await.context("open SQLite")?;
    connection.execute(TABLE).await?;
    let rows = rows(records)?;
    let begun = Instant::now();
    insert_all!(connection, sqlx::Sqlite, epoch, rows);
    Ok(begun.elapsed())
}

/// The time that PostgreSQL takes for `records`, as it is configured.
pub async fn postgres(url: &str, epoch: i64, records: &[Record]) -> Result<Duration> {
    let mut connection = PgConnection::connect(url).await.context("connect to PostgreSQL")?;
    connection.execute(TABLE).await?;
    let rows = rows(records)?;
    let begun = Instant::now();
    insert_all!(connection, sqlx::Postgres, epoch, rows);
    Ok(begun.elapsed())
}
