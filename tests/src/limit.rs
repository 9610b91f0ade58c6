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

async fn sqlite_connection(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await.context("open SQLite")?;
    connection.execute(TABLE).await?;
    Ok(connection)
}

/// The time that SQLite takes for `records`: write-ahead log, `synchronous = FULL`.
pub async fn sqlite(file: &Path, epoch: i64, records: &[Record]) -> Result<Duration> {
    let mut connection = sqlite_connection(file).await?;
    let rows = rows(records)?;
    let begun = Instant::now();
    insert_all!(connection, sqlx::Sqlite, epoch, rows);
    Ok(begun.elapsed())
}

/// How long SQLite takes for each of `count` commits of one row.
pub async fn sqlite_commits(file: &Path, count: usize) -> Result<Vec<Duration>> {
    let mut connection = sqlite_connection(file).await?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let begun = Instant::now();
        let insert = "INSERT INTO plain VALUES ('bench', 'agent', 0, $1, 'device', 0, 'ok', '{}')";
        sqlx::query(insert).bind(i64::try_from(number)?).execute(&mut connection).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
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

/// The size of the hub's records on PostgreSQL, with their indexes, in bytes.
pub async fn postgres_size(url: &str) -> Result<f64> {
    let mut connection = PgConnection::connect(url).await.context("connect to PostgreSQL")?;
    let size = "SELECT pg_total_relation_size('record')::FLOAT8";
    Ok(sqlx::query_scalar(size).fetch_one(&mut connection).await?)
}

/// Fills a hub's own tables with a year of records until `now`, one a minute of each device, and with its hours and days. Returns how
/// many records there are.
pub async fn sqlite_year(file: &Path, now: i64) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(file).synchronous(SqliteSynchronous::Off);
    let mut connection = SqliteConnection::connect_with(&options).await.context("open SQLite")?;
    connection.execute("DROP INDEX record_by_device").await?;
    let minutes = 365 * 24 * 60;
    let records = "WITH RECURSIVE minute (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n + 1 < $1)
        INSERT INTO record (agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured)
        SELECT first.agent_no, 0, n + 1, first.device_no, $2 - (minute.n + 1) * 60000, 20, 0, 0, NULL, first.form, first.measured
        FROM (SELECT * FROM record) AS first CROSS JOIN minute";
    sqlx::query(records).bind(minutes).bind(now).execute(&mut connection).await?;
    connection.execute("CREATE INDEX record_by_device ON record (device_no, at)").await?;
    for (grain, length) in [(0, 3_600_000), (1, 86_400_000)] {
        let rollups = "WITH RECURSIVE part (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM part WHERE n + 1 < 31536000000 / $2)
            INSERT INTO rollup (device_no, grain, at, records, normal, abnormal, offline, unknown, open_normal, open_abnormal,
                open_offline, open_unknown, figures)
            SELECT device.no, $1, ($3 / $2 - part.n) * $2, $2 / 60000, $2, 0, 0, 0, $2 / 3, 0, 0, 0,
                '{\"lamp_hours\":[60,1234.0,1234.0,74040.0],\"temperature_c\":[60,' || (35 + part.n % 7) || '.5,' || (41 + part.n % 9)
                || '.5,2460.0]}' FROM device CROSS JOIN part";
        sqlx::query(rollups).bind(grain).bind(length).bind(now).execute(&mut connection).await?;
    }
    connection.execute("DELETE FROM rollup_due").await?;
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM record").fetch_one(&mut connection).await?;
    Ok(count)
}
