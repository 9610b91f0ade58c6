//! Rows of any table of either database, as five kinds of values, and a digest of a table that does not depend on the order of its rows
//! nor on the database that holds them.

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::{
    AssertSqlSafe, Column, PgConnection, Row, SqliteConnection, TypeInfo, ValueRef, postgres::PgRow, sqlite::SqliteRow,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{BackupError, error::doing};

/// A table of the schema, as SQLite describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub name: String,
    pub columns: Vec<String>,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// How many rows a table has, and what is in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub rows: i64,
    sum: u128,
}

impl Table {
    /// Whether it is the product's, and not the note of migrations that each database has of its own.
    pub(super) fn is_content(&self) -> bool {
        !self.name.starts_with('_')
    }

    pub(super) fn list_of_columns(&self) -> String {
        self.columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ")
    }

    /// The statement that reads all of it, for both databases.
    pub(super) fn select(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("SELECT {} FROM \"{}\"", self.list_of_columns(), self.name))
    }
}

/// The tables of a SQLite file in the order of their names, but for those that make it a backup.
pub(super) async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>, sqlx::Error> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND name NOT LIKE 'backup\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid").bind(&name);
        let columns: Vec<String> = columns.fetch_all(&mut *connection).await?;
        let plain = |word: &String| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // Names become part of statements: those of a file that somebody else made do not.
        if !plain(&name) || !columns.iter().all(plain) {
            return Err(sqlx::Error::Protocol(format!("a table of the file has a name of another kind: {name:?}")));
        }
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

/// The rows of a table of a SQLite file.
pub(super) fn of_sqlite<'c>(
    connection: &'c mut SqliteConnection,
    table: &Table,
) -> BoxStream<'c, Result<Vec<Value>, BackupError>> {
    let name = table.name.clone();
    let rows = sqlx::query(table.select()).fetch(connection).map_err(|source| doing("read a table")(source));
    rows.map(move |row| row.and_then(|row| from_sqlite(&name, &row))).boxed()
}

/// The rows of a table of a PostgreSQL database.
pub(super) fn of_postgres<'c>(
    connection: &'c mut PgConnection,
    table: &Table,
) -> BoxStream<'c, Result<Vec<Value>, BackupError>> {
    let name = table.name.clone();
    let rows = sqlx::query(table.select()).fetch(connection).map_err(|source| doing("read a table")(source));
    rows.map(move |row| row.and_then(|row| from_postgres(&name, &row))).boxed()
}

/// Reads all of a table.
pub(super) async fn digest(mut rows: BoxStream<'_, Result<Vec<Value>, BackupError>>) -> Result<Digest, BackupError> {
    let mut digest = Digest::default();
    let mut room = Vec::new();
    while let Some(row) = rows.try_next().await? {
        digest.add(&row, &mut room);
    }
    Ok(digest)
}

fn from_sqlite(table: &str, row: &SqliteRow) -> Result<Vec<Value>, BackupError> {
    let mut values = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let kind = {
            let raw = row.try_get_raw(index).map_err(doing("read a row"))?;
            if raw.is_null() { None } else { Some(raw.type_info().name().to_owned()) }
        };
        values.push(match kind.as_deref() {
            None => Value::Null,
            Some("INTEGER") => Value::Int(row.try_get_unchecked(index).map_err(doing("read a number"))?),
            Some("REAL") => Value::Real(row.try_get_unchecked(index).map_err(doing("read a number"))?),
            Some("TEXT") => Value::Text(row.try_get_unchecked(index).map_err(doing("read a text"))?),
            Some("BLOB") => Value::Blob(row.try_get_unchecked(index).map_err(doing("read bytes"))?),
            Some(kind) => return Err(unknown(table, row.column(index).name(), kind)),
        });
    }
    Ok(values)
}

fn from_postgres(table: &str, row: &PgRow) -> Result<Vec<Value>, BackupError> {
    let mut values = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let kind = {
            let raw = row.try_get_raw(index).map_err(doing("read a row"))?;
            if raw.is_null() { None } else { Some(raw.type_info().name().to_owned()) }
        };
        macro_rules! get {
            ($kind:ty) => {
                row.try_get::<$kind, _>(index).map_err(doing("read a value"))?
            };
        }
        values.push(match kind.as_deref() {
            None => Value::Null,
            Some("INT8") => Value::Int(get!(i64)),
            Some("INT4") => Value::Int(get!(i32).into()),
            Some("INT2") => Value::Int(get!(i16).into()),
            Some("BOOL") => Value::Int(get!(bool).into()),
            Some("FLOAT8") => Value::Real(get!(f64)),
            Some("FLOAT4") => Value::Real(get!(f32).into()),
            Some("TEXT" | "VARCHAR") => Value::Text(get!(String)),
            Some("UUID") => Value::Blob(get!(Uuid).into_bytes().to_vec()),
            Some("BYTEA") => Value::Blob(get!(Vec<u8>)),
            Some(kind) => return Err(unknown(table, row.column(index).name(), kind)),
        });
    }
    Ok(values)
}

fn unknown(table: &str, column: &str, kind: &str) -> BackupError {
    BackupError::Type { table: table.to_owned(), column: column.to_owned(), kind: kind.to_owned() }
}

impl Digest {
    /// A digest as its text says.
    pub(super) fn parse(rows: i64, text: &str) -> Option<Self> {
        Some(Self { rows, sum: u128::from_str_radix(text, 16).ok()? })
    }

    /// The digest of the rows, as a text.
    pub(super) fn text(&self) -> String {
        format!("{:032x}", self.sum)
    }

    /// Adds a row. The sum of the rows' hashes does not depend on their order, and equal rows do not cancel each other.
    fn add(&mut self, row: &[Value], room: &mut Vec<u8>) {
        room.clear();
        for value in row {
            value.encode(room);
        }
        self.rows += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(room));
    }
}

impl Value {
    fn encode(&self, to: &mut Vec<u8>) {
        let mut sized = |kind: u8, bytes: &[u8]| {
            to.push(kind);
            to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            to.extend_from_slice(bytes);
        };
        match self {
            Self::Null => sized(0, &[]),
            Self::Int(number) => sized(1, &number.to_le_bytes()),
            Self::Real(number) => sized(2, &number.to_bits().to_le_bytes()),
            Self::Text(text) => sized(3, text.as_bytes()),
            Self::Blob(bytes) => sized(4, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Value::Real),
            ".{0,8}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(Value::Blob),
        ]
    }

    fn digest_of(rows: &[Vec<Value>]) -> Digest {
        let mut digest = Digest::default();
        for row in rows {
            digest.add(row, &mut Vec::new());
        }
        digest
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter_and_every_change_does(
            mut rows in proptest::collection::vec(proptest::collection::vec(value(), 3), 1..20),
            other in value(),
            place in any::<prop::sample::Index>(),
        ) {
            let digest = digest_of(&rows);
            rows.reverse();
            prop_assert_eq!(digest_of(&rows), digest);
            prop_assert_eq!(Digest::parse(digest.rows, &digest.text()), Some(digest));
            let place = place.index(rows.len());
            if rows[place][1] != other {
                rows[place][1] = other;
                prop_assert_ne!(digest_of(&rows), digest);
            }
            rows.remove(place);
            prop_assert_ne!(digest_of(&rows), digest);
        }

        #[test]
        fn values_do_not_run_into_each_other(one in ".{0,4}", other in ".{0,4}") {
            let apart = digest_of(&[vec![Value::Text(one.clone()), Value::Text(other.clone())]]);
            let together = digest_of(&[vec![Value::Text(format!("{one}{other}")), Value::Text(String::new())]]);
            prop_assert!(other.is_empty() || apart != together);
        }
    }
}
