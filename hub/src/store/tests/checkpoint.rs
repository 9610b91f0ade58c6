//! The write-ahead log of SQLite is copied into its file beside those who write.

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

/// A commit of more pages than make the log long, by the connection that writes.
async fn write_much(pool: &Pool<Sqlite>) {
    let filler = format!("INSERT INTO filler (pages) VALUES (zeroblob({}))", 4096 * (LONG + 100));
    sqlx::raw_sql(sqlx::AssertSqlSafe(filler)).execute(pool.writers()).await.unwrap();
}

async fn write_little(pool: &Pool<Sqlite>) -> Log {
    sqlx::raw_sql("INSERT INTO filler VALUES ('one')").execute(pool.writers()).await.unwrap();
    Log::look(pool).await.unwrap()
}

async fn with_filler() -> Database {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    sqlx::raw_sql("CREATE TABLE filler (pages BLOB NOT NULL)").execute(pool.writers()).await.unwrap();
    database
}

#[tokio::test]
async fn a_long_log_is_copied_beside_the_writer_who_copies_the_end_and_begins_it_anew() {
    let database = with_filler().await;
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let checkpoints = Checkpoints::of(&database.store);
    let log = write_little(pool).await;
    assert_eq!(checkpoints.keep_short(pool, 0).await.unwrap(), 0);
    assert_eq!(Log::look(pool).await.unwrap().left(), log.left(), "it is short");

    write_much(pool).await;
    let log = Log::look(pool).await.unwrap();
    assert!(log.left() > LONG && log.copied == 0, "a commit waits for no copy: {log:?}");
    // Somebody reads, so what is written meanwhile cannot begin the log anew; and later it cannot, because that is not copied.
    let mut reader = pool.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM filler").fetch_one(&mut *reader).await.unwrap();
    assert_eq!(checkpoints.keep_short(pool, 0).await.unwrap(), 0);
    let log = write_little(pool).await;
    reader.rollback().await.unwrap();
    assert!(log.pages > LONG && (1..10).contains(&log.left()), "{log:?}");
    assert!(write_little(pool).await.pages > LONG);
    checkpoints.stored().await.unwrap();
    assert_eq!(Log::look(pool).await.unwrap().left(), 0);
    let log = write_little(pool).await;
    assert!(log.pages < 10, "the log has begun anew: {log:?}");
}

#[tokio::test]
async fn what_a_reader_keeps_from_being_copied_is_left_and_copied_later() {
    let database = with_filler().await;
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let checkpoints = Checkpoints::of(&database.store);
    let count = "SELECT COUNT(*) FROM filler";
    let mut reader = pool.begin().await.unwrap();
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    write_much(pool).await;
    let left = checkpoints.keep_short(pool, 0).await.unwrap();
    assert!(left > LONG, "{left} are left");
    assert_eq!(checkpoints.keep_short(pool, left).await.unwrap(), left, "it has not become longer");
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    assert_eq!((before, seen), (0, 0), "it reads of one moment");

    reader.rollback().await.unwrap();
    write_much(pool).await;
    let log = Log::look(pool).await.unwrap();
    assert!(log.left() > left + LONG && log.pages < VERY_LONG, "{log:?}");
    assert_eq!(checkpoints.keep_short(pool, left).await.unwrap(), 0);
    assert_eq!(Log::look(pool).await.unwrap().left(), 0);
    checkpoints.stored().await.unwrap();
    assert!(write_little(pool).await.pages < 10, "the log has begun anew");
    let all: i64 = sqlx::query_scalar(count).fetch_one(&**pool).await.unwrap();
    assert_eq!(all, 3);
}

#[tokio::test]
async fn the_log_is_looked_at_when_batches_are_stored() {
    let database = with_filler().await;
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let (checkpoints, lifecycle) = (Checkpoints::of(&database.store), Lifecycle::new());
    lifecycle.supervise("checkpoints", Arc::clone(&checkpoints).run(lifecycle.stop_token()));
    write_much(pool).await;
    checkpoints.stored().await.unwrap();
    let copied = async {
        while Log::look(pool).await.unwrap().left() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(9), copied).await.expect("before it is looked at anyway");
    lifecycle.stop();
}
