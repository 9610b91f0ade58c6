//! What a backup says about itself.

use std::fmt::Write as _;

use lobby_domain::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::rows::Digest;

/// The version of the format. A program refuses one that it does not know.
const FORMAT: i64 = 2;
/// The format before there was a digest of the whole file.
const WITHOUT_BYTES: i64 = 1;
/// The name under which the schema itself has a digest.
const SCHEMA: &str = "sqlite_schema";

/// What a backup says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The version of the product that made it.
    pub product: String,
    /// The version of its schema.
    pub schema: i64,
    /// The installation it was made of; `None` for a database that had no name yet.
    pub installation: Option<Uuid>,
    /// The starts which that database had counted.
    pub starts: i64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The database it was made of: `sqlite` or `postgres`.
    pub source: String,
    pub(super) tables: Vec<(String, Digest)>,
    /// The digest of all bytes; `None` in backups made before there was one.
    pub(super) bytes: Option<String>,
}

const TABLES: &str = "CREATE TABLE backup_manifest (
        format INTEGER NOT NULL, product TEXT NOT NULL, schema INTEGER NOT NULL, installation BLOB, starts INTEGER NOT NULL,
        made_at INTEGER NOT NULL, source TEXT NOT NULL, digest TEXT NOT NULL
    ) STRICT;
    CREATE TABLE backup_table (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
    CREATE TABLE backup_file (sha256 TEXT NOT NULL) STRICT";

impl Manifest {
    /// All rows of all tables.
    pub fn rows(&self) -> i64 {
        let content = self.tables.iter().filter(|(name, _)| name != SCHEMA);
        content.map(|(_, digest)| digest.rows).sum()
    }

    /// Whether both hold the same rows, whichever database they were made of.
    pub fn same_content(&self, other: &Self) -> bool {
        let content = |manifest: &Self| -> Vec<_> {
            manifest.tables.iter().filter(|(name, _)| name != SCHEMA && !name.starts_with('_')).cloned().collect()
        };
        content(self) == content(other)
    }

    /// Whether the backup holds a digest of all its bytes, so that verifying finds what has changed in its unused parts too.
    pub fn tells_of_all_bytes(&self) -> bool {
        self.bytes.is_some()
    }

    /// The rows of one table.
    pub fn rows_of(&self, table: &str) -> Option<i64> {
        self.digest_of(table).map(|digest| digest.rows)
    }

    pub(super) fn digest_of(&self, table: &str) -> Option<Digest> {
        self.tables.iter().find(|(name, _)| name == table).map(|(_, digest)| *digest)
    }

    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
        let insert = sqlx::query("INSERT INTO backup_manifest VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
        insert
            .bind(FORMAT)
            .bind(&self.product)
            .bind(self.schema)
            .bind(self.installation)
            .bind(self.starts)
            .bind(self.made_at.millis())
            .bind(&self.source)
            .bind(self.digest(FORMAT))
            .execute(&mut *connection)
            .await?;
        for (name, digest) in &self.tables {
            let insert = sqlx::query("INSERT INTO backup_table VALUES ($1, $2, $3)");
            insert.bind(name).bind(digest.rows).bind(digest.text()).execute(&mut *connection).await?;
        }
        sqlx::query("INSERT INTO backup_file VALUES ($1)").bind(&self.bytes).execute(connection).await?;
        Ok(())
    }

    /// Reads it; `None` if it is not what was written.
    pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Option<Self>, sqlx::Error> {
        type Row = (i64, String, i64, Option<Uuid>, i64, i64, String, String);
        let rows: Vec<Row> = sqlx::query_as("SELECT * FROM backup_manifest").fetch_all(&mut *connection).await?;
        let tables: Vec<(String, i64, String)> =
            sqlx::query_as("SELECT name, rows, digest FROM backup_table ORDER BY name")
                .fetch_all(&mut *connection)
                .await?;
        let [(format, product, schema, installation, starts, made_at, source, digest)] =
            <[Row; 1]>::try_from(rows).map_err(|_| sqlx::Error::RowNotFound)?;
        let tables: Option<Vec<_>> =
            tables.into_iter().map(|(name, rows, text)| Some((name, Digest::parse(rows, &text)?))).collect();
        let Some(tables) = tables else { return Ok(None) };
        let made_at = Timestamp::from_millis(made_at);
        let bytes = match format {
            WITHOUT_BYTES => None,
            _ => Some(sqlx::query_scalar("SELECT sha256 FROM backup_file").fetch_one(connection).await?),
        };
        let read = Self { product, schema, installation, starts, made_at, source, tables, bytes };
        let known = (WITHOUT_BYTES..=FORMAT).contains(&format);
        Ok((known && read.digest(format) == digest).then_some(read))
    }

    /// Of what it says of its rows. The digest of all bytes is made later, and of this too.
    fn digest(&self, format: i64) -> String {
        let mut text = format!(
            "{format}|{}|{}|{:?}|{}|{}|{}",
            self.product,
            self.schema,
            self.installation,
            self.starts,
            self.made_at.millis(),
            self.source
        );
        for (name, digest) in &self.tables {
            // Writing into a text cannot fail.
            let _ = write!(text, "|{name}|{}|{}", digest.rows, digest.text());
        }
        format!("{:032x}", xxh3_128(text.as_bytes()))
    }
}

/// The digest of the statements that made a file's tables and indexes, under its name.
pub(super) async fn digest_of_schema(connection: &mut SqliteConnection) -> Result<(String, Digest), sqlx::Error> {
    let statements: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'backup\\_%' ESCAPE '\\' ORDER BY type, name",
    )
    .fetch_all(connection)
    .await?;
    let count = i64::try_from(statements.len()).unwrap_or(i64::MAX);
    let digest = Digest::parse(count, &format!("{:032x}", xxh3_128(format!("{statements:?}").as_bytes())))
        .expect("a hash is a number in hexadecimal");
    Ok((SCHEMA.to_owned(), digest))
}
