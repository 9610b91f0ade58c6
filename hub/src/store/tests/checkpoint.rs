//! The write-ahead log of SQLite is copied into its file while batches are stored, and not by them.

use std::{sync::Arc, time::Duration};

use sqlx::Sqlite;

use super::{Database, Kind, Store};
use crate::{
    lifecycle::Lifecycle,
    store::{
        Checkpoints,
        checkpoint::{LONG, Log, VERY_LONG},
        pool::Pool,
    },
};

/// A commit of more pages than make the log long, by the connection that stores batches.
async fn write_much(pool: &Pool<Sqlite>) {
    let filler = format!("INSERT INTO filler (pages) VALUES (zeroblob({}))", 4096 * (LONG + 100));
    sqlx::raw_sql(sqlx::AssertSqlSafe(filler)).execute(pool.batches()).await.unwrap();
}

async fn until(what: &str, pool: &Pool<Sqlite>, mut is_so: impl FnMut(Log) -> bool) -> Log {
    let looking = async {
        loop {
            let log = Log::look(pool).await.unwrap();
            if is_so(log) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap_or_else(|_| panic!("{what}"))
}

#[tokio::test]
async fn a_long_log_is_copied_while_batches_are_stored_and_begins_anew() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    sqlx::raw_sql("CREATE TABLE filler (pages BLOB NOT NULL)").execute(pool.batches()).await.unwrap();
    let (checkpoints, lifecycle) = (Checkpoints::of(&database.store), Lifecycle::new());
    lifecycle.supervise("checkpoints", Arc::clone(&checkpoints).run(lifecycle.stop_token()));

    write_much(pool).await;
    let log = Log::look(pool).await.unwrap();
    assert!(log.left() > LONG && log.copied == 0, "a batch waits for no copy: {log:?}");
    checkpoints.stored().await.unwrap();
    until("it is copied", pool, |log| log.left() == 0).await;
    checkpoints.stored().await.unwrap();
    sqlx::raw_sql("INSERT INTO filler VALUES ('one')").execute(pool.batches()).await.unwrap();
    let log = Log::look(pool).await.unwrap();
    assert!(log.pages < 10, "the log has begun anew: {log:?}");
    lifecycle.stop();
}

#[tokio::test]
async fn what_a_reader_still_needs_is_left_and_copied_later() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    sqlx::raw_sql("CREATE TABLE filler (pages BLOB NOT NULL)").execute(pool.batches()).await.unwrap();
    let (checkpoints, lifecycle) = (Checkpoints::of(&database.store), Lifecycle::new());
    lifecycle.supervise("checkpoints", Arc::clone(&checkpoints).run(lifecycle.stop_token()));

    let mut reader = pool.begin().await.unwrap();
    let count = "SELECT COUNT(*) FROM filler";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    write_much(pool).await;
    // As often as makes it look.
    for _ in 0..8 {
        checkpoints.stored().await.unwrap();
    }
    write_much(pool).await;
    for _ in 0..8 {
        checkpoints.stored().await.unwrap();
    }
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    assert_eq!((before, seen), (0, 0), "it reads of one moment");
    let log = Log::look(pool).await.unwrap();
    assert!(log.left() > 2 * LONG && log.pages < VERY_LONG, "{log:?}");

    reader.rollback().await.unwrap();
    write_much(pool).await;
    let log = Log::look(pool).await.unwrap();
    for _ in 0..8 {
        checkpoints.stored().await.unwrap();
    }
    until("the reader is gone", pool, |now| now.copied >= log.pages).await;
    let all: i64 = sqlx::query_scalar(count).fetch_one(&**pool).await.unwrap();
    assert_eq!(all, 3);
    lifecycle.stop();
}
