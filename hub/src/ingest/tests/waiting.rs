//! How long a batch waits for more records, with the real queue and the real judging, on a clock that goes on when nothing is left to do.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use jiff::tz::TimeZone;
use lobby_contract::{Channel, FromAgent};
use lobby_domain::pack::Pack;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    time::{Instant, pause, sleep_until},
};

use super::*;
use crate::{
    clock::SystemClock,
    fleet::Fleet,
    ingest::{Course, Gathered, Ingest},
    mqtt::{Entrance, Inbound, Queue, queue},
    restraints::Restraints,
};

/// Ingest on its own, and the queue from which it takes.
struct Judging {
    ingest: Ingest,
    course: Course,
    entrance: Entrance,
    inbound: Queue,
    /// Where the database is.
    _folder: TempDir,
}

fn from_box(channel: Channel, message: &Value) -> Inbound {
    let payload = serde_json::to_vec(message).unwrap();
    Inbound {
        site: "demo".parse().unwrap(),
        agent: "box".parse().unwrap(),
        received_at: SystemClock.now(),
        connected_at: None,
        message: FromAgent::decode(channel, &payload).unwrap(),
        bytes: payload.len(),
        receipt: None,
    }
}

fn data(record: &Value) -> Inbound {
    let sent_at = SystemClock.now().millis();
    let data = json!({ "epoch": 1, "session": 1, "sent_at": sent_at, "oldest": 1, "records": [record] });
    from_box(Channel::Data, &data)
}

impl Judging {
    /// Knows one machine.
    async fn start() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let fleet = Arc::new(Fleet::new(Pack::built_in(), [].into(), TimeZone::UTC));
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", folder.path().join("lobby.db").display())).await.unwrap();
        let ingest = Ingest {
            restraints: Restraints::load(store, fleet.clone(), clock.clone()).await.unwrap(),
            fleet,
            clock,
            counters: Arc::default(),
            asked: mpsc::channel(1).1,
            restored: [].into(),
            progress: Arc::default(),
            timekeeping: Arc::default(),
            setups: mpsc::channel(1).1,
        };
        let (entrance, inbound) = queue(1 << 20);
        let course = Course { connects: 0, ticked: Instant::now(), moved: None };
        let device = json!({ "id": MACHINE, "kind": KIND, "every_ms": 10_000 });
        let sent_at = SystemClock.now().millis();
        let agent = json!({ "version": "test" });
        let birth = json!({ "epoch": 1, "session": 1, "sent_at": sent_at, "agent": agent, "devices": [device] });
        ingest.take(from_box(Channel::Birth, &birth), &course, &mut Gathered::default());
        pause();
        Self { ingest, course, entrance, inbound, _folder: folder }
    }

    /// Gathers one batch while a record comes every `apart`, `count` in all, of which one may be a fault. Returns after how long the batch is
    /// closed, how many records came until then, and the batch.
    async fn batch(&mut self, count: u64, apart: Duration, fault: Option<u64>) -> (Duration, u64, Gathered) {
        let (begun, mut gathered, mut sent) = (Instant::now(), Gathered::default(), 1);
        let record = |seq| data(&if Some(seq) == fault { broken(seq) } else { fine(seq) });
        let sending = async {
            while sent < count {
                sleep_until(begun + apart * u32::try_from(sent).unwrap()).await;
                sent += 1;
                self.entrance.put(record(sent)).unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = sending => {}
            () = self.ingest.gather(record(1), &mut self.inbound, &self.course, &mut gathered) => {}
        }
        (begun.elapsed(), sent, gathered)
    }
}

/// How exactly a timer rings.
const EXACT: Duration = Duration::from_millis(2);

#[rstest]
#[case::alone(1, 4, 5, 1)]
#[case::while_others_come(100, 4, 50, 13)]
#[case::until_there_are_many(100, 1, 31, 32)]
#[tokio::test]
async fn few_records_wait_for_each_other_and_not_for_long(
    #[case] count: u64,
    #[case] apart: u64,
    #[case] wait: u64,
    #[case] records: usize,
) {
    let mut judging = Judging::start().await;
    let (waited, _, gathered) = judging.batch(count, Duration::from_millis(apart), None).await;
    let wait = Duration::from_millis(wait);
    assert!(waited >= wait && waited <= wait + EXACT, "{waited:?}");
    assert_eq!((gathered.records, gathered.urgent), (records, None));
}

#[rstest]
#[case::with_room(false)]
#[case::on_a_full_disk(true)]
#[tokio::test]
async fn a_fault_closes_its_batch_at_once(#[case] scarce: bool) {
    let mut judging = Judging::start().await;
    judging.ingest.counters.scarce.store(scarce, Relaxed);
    let (waited, sent, gathered) = judging.batch(100, Duration::from_millis(4), Some(3)).await;
    assert!(waited >= Duration::from_millis(8) && waited <= Duration::from_millis(8) + EXACT, "{waited:?}");
    assert_eq!((sent, gathered.records), (3, if scarce { 0 } else { 3 }));
    assert_eq!(gathered.urgent, Some(gathered.records));
    assert_eq!(gathered.changes.values().map(|changes| changes.alerts.len()).sum::<usize>(), 1);
}
