//! The two schemas are one, every statement fits both, and SQLite is set up so that it keeps what it has acknowledged.

use std::collections::BTreeSet;

use rstest::rstest;
use sqlx::{Executor, SqlSafeStr, SqlitePool};

use super::{Database, Kind, Store};
use crate::store::{
    addressing, alerts, audit, chat_ids, checks, closings, compliance, contacts, deadlines, delivery, dispensed,
    escalations, findings, fleet, followed, gone, grants, labels, left, meta, month_reports, moves, notifications,
    once, outbox, owed_messages, owed_purchases, owed_register, owed_supply, past, people, photos, purchases, queue,
    records, register, reports, resend, restraints, rollup, roster, rounds, schema, staged, started, stock,
    stock_alerts, stock_takes, ticket_deeds, tickets, tokens,
};

/// The first version without the bug that corrupts a write-ahead log at its reset.
const SQLITE_SAFE_FROM: [u32; 3] = [3, 51, 3];

#[rstest]
#[tokio::test]
async fn every_statement_is_one_for_this_database(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let all = [
        addressing::STATEMENTS,
        alerts::STATEMENTS,
        audit::STATEMENTS,
        chat_ids::STATEMENTS,
        checks::STATEMENTS,
        contacts::STATEMENTS,
        deadlines::STATEMENTS,
        delivery::STATEMENTS,
        dispensed::STATEMENTS,
        escalations::STATEMENTS,
        findings::STATEMENTS,
        followed::STATEMENTS,
        fleet::STATEMENTS,
        labels::STATEMENTS,
        left::STATEMENTS,
        meta::STATEMENTS,
        month_reports::STATEMENTS,
        moves::STATEMENTS,
        notifications::STATEMENTS,
        once::STATEMENTS,
        outbox::STATEMENTS,
        gone::STATEMENTS,
        grants::STATEMENTS,
        people::STATEMENTS,
        past::STATEMENTS,
        photos::STATEMENTS,
        purchases::STATEMENTS,
        queue::STATEMENTS,
        closings::STATEMENTS,
        compliance::STATEMENTS,
        owed_messages::STATEMENTS,
        owed_purchases::STATEMENTS,
        owed_register::STATEMENTS,
        owed_supply::STATEMENTS,
        records::STATEMENTS,
        register::STATEMENTS,
        reports::STATEMENTS,
        resend::STATEMENTS,
        restraints::STATEMENTS,
        rollup::STATEMENTS,
        roster::STATEMENTS,
        rounds::STATEMENTS,
        schema::STATEMENTS,
        staged::STATEMENTS,
        started::STATEMENTS,
        stock::STATEMENTS,
        stock_alerts::STATEMENTS,
        stock_takes::STATEMENTS,
        ticket_deeds::STATEMENTS,
        tickets::STATEMENTS,
        tokens::STATEMENTS,
    ];
    for statement in all.concat() {
        // A transaction of its own: on PostgreSQL a refusal ends it.
        let mut tx = database.store.begin().await.unwrap();
        let prepared = on!(&mut tx, "prepare", conn => conn.prepare(statement.into_sql_str()).await.map(drop));
        assert!(prepared.is_ok(), "{kind:?}: {statement}\n{prepared:?}");
    }
}

/// Tables with their columns, and whether a column may be empty; then indexes.
type Shape = (BTreeSet<(String, String, bool)>, BTreeSet<String>);

async fn shape(store: &Store) -> Shape {
    let (columns, indexes) = match store {
        Store::Sqlite(_) => (
            // SQLite lets a key of a table with row numbers be empty in the description, though not in a row of ours.
            "SELECT t.name, c.name, c.\"notnull\" = 0 AND c.pk = 0 FROM sqlite_schema t, pragma_table_info(t.name) c
                WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '_sqlx_%'",
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite_%'",
        ),
        Store::Postgres(_) => (
            "SELECT table_name::text, column_name::text, is_nullable = 'YES' FROM information_schema.columns
                WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx\\_%'",
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey'
                AND indexname NOT LIKE '%\\_key'",
        ),
    };
    let mut tx = store.read().await.unwrap();
    let columns: Vec<(String, String, bool)> =
        on!(&mut tx, "read columns", conn => sqlx::query_as(columns).fetch_all(conn).await).unwrap();
    let indexes: Vec<String> =
        on!(&mut tx, "read indexes", conn => sqlx::query_scalar(indexes).fetch_all(conn).await).unwrap();
    (columns.into_iter().collect(), indexes.into_iter().collect())
}

#[tokio::test]
async fn both_migrations_make_the_same_tables_columns_and_indexes() {
    let sqlite = Database::create(Kind::Sqlite).await.unwrap();
    let on_sqlite = shape(&sqlite.store).await;
    assert!(on_sqlite.0.contains(&("outbox".to_owned(), "event".to_owned(), false)), "{on_sqlite:?}");
    assert!(on_sqlite.1.contains("alert_open"), "{on_sqlite:?}");
    let Some(postgres) = Database::create(Kind::Postgres).await else { return };
    assert_eq!(on_sqlite, shape(&postgres.store).await);
}

async fn pool() -> (Database, SqlitePool) {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let pool = SqlitePool::clone(pool);
    (database, pool)
}

#[tokio::test]
async fn the_sqlite_inside_is_one_that_does_not_corrupt_its_log() {
    let (_database, pool) = pool().await;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await.unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts.as_slice() >= SQLITE_SAFE_FROM.as_slice(), "SQLite {version}");
}

#[tokio::test]
async fn every_connection_to_sqlite_writes_through_to_the_disk() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let mut held = Vec::new();
    // One is for all that is written.
    for pool in [&**pool, &**pool, &**pool, pool.writers()] {
        let mut connection = pool.acquire().await.unwrap();
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await.unwrap();
        let foreign_keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *connection).await.unwrap();
        assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
        held.push(connection);
    }
}

#[rstest]
#[case::nothing("")]
#[case::another_database("mysql://root:secret@host/db")]
#[case::a_path_alone("/var/lib/lobby.db")]
#[tokio::test]
async fn an_address_of_neither_database_is_refused_and_its_password_not_repeated(#[case] url: &str) {
    let error = Store::open(url).await.unwrap_err().to_string();
    assert!(error.contains("is no database URL"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[rstest]
#[tokio::test]
async fn a_closed_database_does_not_answer(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let Some(database) = Database::create(kind).await else { return };
    let store = database.again().await;
    assert!(store.ping().await.is_ok());
    store.close().await;
    assert!(store.ping().await.is_err());
}
