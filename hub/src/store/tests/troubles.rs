//! The product's own troubles in the database, and databases that cannot be written.

use lobby_dashboards::FindingKey;
use rstest::rstest;

use super::{Database, Kind, Store, T0, alerts, raise, writer};
use crate::{
    findings::{Domain, Finding, Severity},
    store::Trouble,
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
    // Every connection of the pool: whichever writes finds the limit.
    let mut held = Vec::new();
    while let Ok(mut connection) = tokio::time::timeout(std::time::Duration::from_millis(200), pool.acquire())
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
