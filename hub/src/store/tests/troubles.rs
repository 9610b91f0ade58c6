//! The product's own troubles in the database, and databases that cannot be written.

use lobby_dashboards::FindingKey;
use rstest::rstest;

use super::{Database, Kind, Store, T0, alerts, raise, writer};
use crate::{
    findings::{Domain, Finding, Severity},
    store::{Trouble, Tx},
};

fn finding(id: &str) -> Finding {
    Finding {
        domain: Domain::Storage,
        id: id.into(),
        key: FindingKey::DiskLow,
        severity: Severity::Error,
        values: vec!["/data".to_owned(), "9 MB".to_owned()],
        since: T0,
        persistent: true,
        ignored: true,
    }
}

#[rstest]
#[tokio::test]
async fn findings_read_back_as_they_were_stored_and_those_before_are_gone(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let Some(database) = Database::create(kind).await else { return };
    let store = &database.store;
    store.store_findings(&[finding("a"), finding("b")]).await.unwrap();
    store.store_findings(&[finding("b"), finding("c")]).await.unwrap();
    assert_eq!(store.findings().await.unwrap(), [finding("b"), finding("c")]);
    for _ in 0..2 {
        store.pulse(T0).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_is_full_says_so_and_goes_on_when_there_is_room() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    // Every connection that writes: whichever it is finds the limit.
    let mut held = Vec::new();
    while let Ok(mut connection) = tokio::time::timeout(std::time::Duration::from_millis(200), pool.writers().acquire())
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
    {
        sqlx::query("PRAGMA max_page_count = 1").execute(&mut *connection).await.unwrap();
        held.push(connection);
    }
    drop(held);
    let big: Vec<_> = (0..200).map(|n| raise(&format!("led-{n}"), super::DARK, T0)).collect();
    let error = writer(&database.store).commit(&[alerts(big.clone())], T0).await.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Full, "{error:?}");
    // The connections that met the limit are closed; new ones have none.
    writer(&database.store).commit(&[alerts(big)], T0).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_by_itself_spoils_no_later_one() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    // More often than there are connections.
    for _ in 0..8 {
        let mut tx = database.store.begin().await.unwrap();
        let Tx::Sqlite(inner) = &mut tx else { panic!("SQLite") };
        // As it does itself when its disk fails.
        sqlx::raw_sql("ROLLBACK").execute(&mut **inner).await.unwrap();
        tx.commit().await.unwrap_err();
    }
    for _ in 0..8 {
        database.store.pulse(T0).await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_comes_back_after_all_were_given_up_is_not_used_again() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let Store::Sqlite(pool) = &database.store else { panic!("SQLite") };
    let mut held = pool.acquire().await.unwrap();
    // As one is that was opened while the disk was read-only.
    sqlx::query("PRAGMA query_only = ON").execute(&mut *held).await.unwrap();
    database.store.reopen();
    drop(held);
    while pool.num_idle() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..8 {
        database.store.pulse(T0).await.unwrap();
    }
}
