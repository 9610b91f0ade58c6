//! PostgreSQL's side of backups: read in one snapshot, written in one transaction.

use std::{path::Path, str::FromStr};

use futures_util::TryStreamExt;
use lobby_domain::time::Timestamp;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, QueryBuilder, Sqlite, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteSynchronous,
};

use super::{
    BackupError, Say,
    error::doing,
    make::{room_for, writer},
    rows::{self, Table, Value},
    verify::{Asked, violations},
};
use crate::store::{APPLICATION, migrator, newest_schema, reach};

/// Rows that are written in one statement.
const ROWS: usize = 200;

/// A connection under the hub's name.
pub(super) async fn connect(url: &str) -> Result<PgConnection, BackupError> {
    let options = PgConnectOptions::from_str(url).map_err(doing("read the database URL"))?;
    Ok(reach(&options.application_name(APPLICATION).disable_statement_logging()).await?)
}

/// Whether there is a hub's database.
pub(super) async fn look(url: &str) -> Result<(), BackupError> {
    let mut connection = connect(url).await?;
    let schema = schema(&mut connection).await?;
    connection.close().await.map_err(doing("close the database"))?;
    schema.map(drop).ok_or_else(|| BackupError::NoDatabase("PostgreSQL".to_owned()))
}

/// The version of the schema; `None` if there is none.
async fn schema(connection: &mut PgConnection) -> Result<Option<i64>, BackupError> {
    let has: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("look for a schema"))?;
    if !has {
        return Ok(None);
    }
    let version = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(connection).await;
    version.map_err(doing("read the schema's version"))
}

/// Copies one moment of the database into a new SQLite file of the same schema.
pub(super) async fn copy_out(url: &str, part: &Path, say: Say<'_>) -> Result<(), BackupError> {
    let mut from = connect(url).await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    from.execute(begin).await.map_err(doing("take a snapshot"))?;
    let schema = schema(&mut from).await?.ok_or_else(|| BackupError::NoDatabase("PostgreSQL".to_owned()))?;
    let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut from)
        .await
        .map_err(doing("ask for the database's size"))?;
    room_for(part, u64::try_from(size).unwrap_or_default())?;
    // Synced when it is complete; until then it is worth nothing.
    let mut to = writer(part, SqliteSynchronous::Off).await.map_err(doing("make the backup's file"))?;
    let known = schema.min(newest_schema());
    migrator(true).run_direct(Some(known), &mut to, false).await.map_err(BackupError::Migrate)?;
    for table in rows::tables(&mut to).await.map_err(doing("list the tables"))? {
        if table.is_content() {
            let count = copy_table(&mut from, &mut to, &table).await?;
            say(&format!("copied {}: {count} rows", table.name));
        }
    }
    to.close().await.map_err(doing("close the backup's file"))?;
    from.execute("COMMIT").await.map_err(doing("end the snapshot"))?;
    from.close().await.map_err(doing("close the database"))
}

async fn copy_table(from: &mut PgConnection, to: &mut SqliteConnection, table: &Table) -> Result<usize, BackupError> {
    to.execute("BEGIN").await.map_err(doing("begin to write the backup"))?;
    // A migration may have put rows of its own there.
    to.execute(AssertSqlSafe(format!("DELETE FROM \"{}\"", table.name))).await.map_err(doing("empty a table"))?;
    let mut count = 0;
    let mut rows = rows::of_postgres(from, table).try_chunks(ROWS);
    while let Some(chunk) = rows.try_next().await.map_err(|error| error.1)? {
        count += chunk.len();
        insert(to, table, chunk).await.map_err(doing("write the backup"))?;
    }
    to.execute("COMMIT").await.map_err(doing("write the backup"))?;
    Ok(count)
}

async fn insert(to: &mut SqliteConnection, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), sqlx::Error> {
    let whole = rows.len() == ROWS;
    let mut query =
        QueryBuilder::<Sqlite>::new(format!("INSERT INTO \"{}\" ({}) ", table.name, table.list_of_columns()));
    query.push_values(rows, |mut values, row| {
        for value in row {
            match value {
                Value::Null => values.push_bind(None::<i64>),
                Value::Int(number) => values.push_bind(number),
                Value::Real(number) => values.push_bind(number),
                Value::Text(text) => values.push_bind(text),
                Value::Blob(bytes) => values.push_bind(bytes),
            };
        }
    });
    query.build().persistent(whole).execute(to).await.map(drop)
}

/// The product's tables of a PostgreSQL database, whatever their version, with the note of its migrations.
async fn own_tables(connection: &mut PgConnection) -> Result<Vec<String>, BackupError> {
    let mut plain = SqliteConnection::connect("sqlite::memory:").await.map_err(doing("make the schema"))?;
    migrator(true).run_direct(None, &mut plain, false).await.map_err(BackupError::Migrate)?;
    let mut known: Vec<String> = migrated_names(&mut plain).await?;
    known.push("_sqlx_migrations".to_owned());
    let there = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ANY($1)
            ORDER BY table_name",
    );
    there.bind(known).fetch_all(connection).await.map_err(doing("list the tables"))
}

/// Every name that a table has, or had in an older schema.
async fn migrated_names(plain: &mut SqliteConnection) -> Result<Vec<String>, BackupError> {
    let now = rows::tables(plain).await.map_err(doing("list the tables"))?;
    let mut names: Vec<String> = now.into_iter().filter(Table::is_content).map(|table| table.name).collect();
    for step in migrator(true).iter() {
        let words: Vec<&str> = step.sql.as_str().split_whitespace().collect();
        let made = words.windows(3).filter(|three| three[..2] == ["CREATE", "TABLE"]);
        names.extend(made.map(|three| three[2].trim_matches('"').to_owned()));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Moves the tables aside, if there are any; returns the name of their new schema.
pub(crate) async fn move_aside(url: &str, now: Timestamp) -> Result<Option<String>, BackupError> {
    let mut connection = connect(url).await?;
    nobody_else(&mut connection).await?;
    connection.execute("BEGIN").await.map_err(doing("begin a transaction"))?;
    let tables = own_tables(&mut connection).await?;
    let moved =
        crate::storage::move_postgres(&mut connection, &tables, now).await.map_err(doing("move the tables aside"))?;
    connection.execute("COMMIT").await.map_err(doing("commit"))?;
    Ok(moved)
}

async fn nobody_else(connection: &mut PgConnection) -> Result<(), BackupError> {
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1
            AND pid <> pg_backend_pid()",
    )
    .bind(APPLICATION)
    .fetch_one(connection)
    .await
    .map_err(doing("look for others"))?;
    if others > 0 { Err(BackupError::InUse(others)) } else { Ok(()) }
}

/// Writes a verified backup into the database, all of it or nothing. Returns where the tables that were there went.
pub(super) async fn copy_in(
    from: &mut SqliteConnection,
    url: &str,
    version: i64,
    aside: Option<Timestamp>,
    say: Say<'_>,
) -> Result<Option<String>, BackupError> {
    let mut to = connect(url).await?;
    nobody_else(&mut to).await?;
    to.execute("BEGIN").await.map_err(doing("begin a transaction"))?;
    let there = own_tables(&mut to).await?;
    let moved = match aside {
        None if !there.is_empty() => return Err(BackupError::NotEmpty("PostgreSQL".to_owned())),
        None => None,
        Some(now) => {
            crate::storage::move_postgres(&mut to, &there, now).await.map_err(doing("move the tables aside"))?
        }
    };
    migrator(false).run_direct(Some(version), &mut to, false).await.map_err(BackupError::Migrate)?;
    // References are checked once, when all rows are there: their order is then of no account.
    let references = references(&mut to).await.map_err(doing("list the references"))?;
    for (table, name, _) in &references {
        let drop = format!("ALTER TABLE \"{table}\" DROP CONSTRAINT \"{name}\"");
        to.execute(AssertSqlSafe(drop)).await.map_err(doing("suspend a reference"))?;
    }
    let tables = rows::tables(from).await.map_err(doing("list the tables"))?;
    for table in tables.iter().filter(|table| table.is_content()) {
        let count = fill(from, &mut to, table).await?;
        say(&format!("restored {}: {count} rows", table.name));
    }
    for (table, name, definition) in &references {
        let add = format!("ALTER TABLE \"{table}\" ADD CONSTRAINT \"{name}\" {definition}");
        to.execute(AssertSqlSafe(add)).await.map_err(doing("check a reference"))?;
    }
    number_on(&mut to).await?;
    for table in tables.iter().filter(|table| table.is_content()) {
        let (wanted, written) =
            (rows::digest(rows::of_sqlite(from, table)).await?, rows::digest(rows::of_postgres(&mut to, table)).await?);
        if wanted != written {
            return Err(BackupError::NotTheSame(table.name.clone()));
        }
    }
    to.execute("COMMIT").await.map_err(doing("commit"))?;
    to.close().await.map_err(doing("close the database"))?;
    Ok(moved)
}

/// Table, name and definition of every reference between tables.
async fn references(connection: &mut PgConnection) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.relname::text, c.conname::text, pg_get_constraintdef(c.oid) FROM pg_constraint c
            JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = c.connamespace
            WHERE c.contype = 'f' AND n.nspname = current_schema()",
    )
    .fetch_all(connection)
    .await
}

/// Numbers that the database gives go on after the ones it has given.
async fn number_on(connection: &mut PgConnection) -> Result<(), BackupError> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND is_identity = 'YES'",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("list numbered columns"))?;
    for (table, column) in columns {
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), MAX(\"{column}\")) FROM \"{table}\"
                HAVING MAX(\"{column}\") IS NOT NULL"
        );
        connection.execute(AssertSqlSafe(set)).await.map_err(doing("set a number to go on from"))?;
    }
    Ok(())
}

async fn fill(from: &mut SqliteConnection, to: &mut PgConnection, table: &Table) -> Result<u64, BackupError> {
    // A migration may have put rows of its own there.
    to.execute(AssertSqlSafe(format!("DELETE FROM \"{}\"", table.name))).await.map_err(doing("empty a table"))?;
    let kinds: Vec<(String, String)> = sqlx::query_as(
        "SELECT column_name::text, udt_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() AND table_name = $1",
    )
    .bind(&table.name)
    .fetch_all(&mut *to)
    .await
    .map_err(doing("read a table's columns"))?;
    let kind = |column: &String| kinds.iter().find(|(name, _)| name == column).map_or("", |(_, kind)| kind.as_str());
    let kinds: Vec<&str> = table.columns.iter().map(kind).collect();
    let statement = format!("COPY \"{}\" ({}) FROM STDIN", table.name, table.list_of_columns());
    let mut copy = to.copy_in_raw(&statement).await.map_err(doing("write a table"))?;
    let mut rows = rows::of_sqlite(from, table).try_chunks(ROWS);
    while let Some(chunk) = rows.try_next().await.map_err(|error| error.1)? {
        let mut text = String::new();
        for row in &chunk {
            line(&mut text, row, &kinds);
        }
        copy.send(text.into_bytes()).await.map_err(doing("write a table"))?;
    }
    copy.finish().await.map_err(doing("write a table"))
}

/// A row as `COPY` reads it.
fn line(text: &mut String, row: &[Value], kinds: &[&str]) {
    use std::fmt::Write as _;
    for (index, (value, kind)) in row.iter().zip(kinds).enumerate() {
        if index > 0 {
            text.push('\t');
        }
        // Writing into a text cannot fail.
        let _ = match value {
            Value::Null => write!(text, "\\N"),
            Value::Int(number) if *kind == "bool" => write!(text, "{}", if *number == 0 { 'f' } else { 't' }),
            Value::Int(number) => write!(text, "{number}"),
            Value::Real(number) => write!(text, "{number}"),
            Value::Text(words) => write!(text, "{}", escaped(words)),
            Value::Blob(bytes) if *kind == "uuid" => {
                uuid::Uuid::from_slice(bytes).map_or(Ok(()), |id| write!(text, "{id}"))
            }
            Value::Blob(bytes) => {
                write!(text, "\\\\x").and_then(|()| bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}")))
            }
        };
    }
    text.push('\n');
}

fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text
}

/// Reads all of a database and asks it for what the product promises.
pub(super) async fn verify(url: &str, say: Say<'_>) -> Result<Vec<(String, i64)>, BackupError> {
    let mut connection = connect(url).await?;
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(doing("take a snapshot"))?;
    let version = schema(&mut connection).await?.ok_or_else(|| BackupError::NoDatabase("PostgreSQL".to_owned()))?;
    let mut plain = SqliteConnection::connect("sqlite::memory:").await.map_err(doing("make the schema"))?;
    migrator(true).run_direct(Some(version), &mut plain, false).await.map_err(BackupError::Migrate)?;
    let mut counts = Vec::new();
    for table in rows::tables(&mut plain).await.map_err(doing("list the tables"))? {
        if table.is_content() {
            let digest = rows::digest(rows::of_postgres(&mut connection, &table)).await?;
            say(&format!("{}: {} rows", table.name, digest.rows));
            counts.push((table.name, digest.rows));
        }
    }
    let violations = violations(&mut Asked::Postgres(&mut connection), version).await?;
    connection.close().await.map_err(doing("close the database"))?;
    if violations.is_empty() {
        Ok(counts)
    } else {
        Err(BackupError::Inconsistent { database: "PostgreSQL".to_owned(), violations })
    }
}
