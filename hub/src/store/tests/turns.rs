//! Whoever writes into SQLite gets their turn: people while batches are stored one after the other, batches while many people wait, and
//! both while others read.

use std::cell::Cell;

use futures_util::future::join_all;

use super::{Database, Kind, Store, T0};

async fn batch(store: &Store) {
    let tx = store.begin_batch().await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_person_waits_for_few_batches_though_one_follows_the_other() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let store = &database.store;
    let (batches, over) = (Cell::new(0), Cell::new(false));
    let storing = async {
        while !over.get() {
            batch(store).await;
            batches.set(batches.get() + 1);
        }
    };
    let acting = async {
        for _ in 0..20 {
            let before = batches.get();
            store.pulse(T0).await.unwrap();
            let waited = batches.get() - before;
            assert!(waited <= 2, "{waited} batches went before");
        }
        over.set(true);
    };
    tokio::join!(storing, acting);
    assert!(batches.get() > 0, "both wrote");
}

#[tokio::test]
async fn a_batch_waits_for_few_people_though_many_are_in_line() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let store = &database.store;
    let (done, seen) = (Cell::new(0), Cell::new(None));
    let people = join_all((0..20).map(|_| async {
        store.pulse(T0).await.unwrap();
        done.set(done.get() + 1);
    }));
    let storing = async {
        batch(store).await;
        seen.set(Some(done.get()));
    };
    tokio::join!(people, storing);
    let before = seen.get().unwrap();
    assert!(before <= 3, "{before} people went before");
    assert_eq!(done.get(), 20, "all of them wrote");
}

#[tokio::test]
async fn who_gives_up_waiting_holds_up_nobody() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let store = &database.store;
    let held = store.begin().await.unwrap();
    let mut waiting = Box::pin(store.begin());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    drop(held);
    batch(store).await;
    store.pulse(T0).await.unwrap();
}

#[tokio::test]
async fn who_writes_waits_for_nobody_who_reads() {
    let database = Database::create(Kind::Sqlite).await.unwrap();
    let store = &database.store;
    // As many as there are connections to read with.
    let readers = join_all((0..3).map(|_| async { store.read().await.unwrap() })).await;
    store.pulse(T0).await.unwrap();
    batch(store).await;
    drop(readers);
}
