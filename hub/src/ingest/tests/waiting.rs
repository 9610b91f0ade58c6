//! How long a batch waits for more records, with the real queue and the real judging, on a clock that goes on when nothing is left to do.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use jiff::tz::TimeZone;
use lobby_contract::{Channel, FromAgent};
use lobby_domain::{
    agent::Link,
    pack::Pack,
    time::{Span, Timestamp},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, interval, pause, sleep_until},
};

use super::*;
use crate::{
    clock::SystemClock,
    fleet::Fleet,
    ingest::{Course, Gathered, Handover, Ingest, Sources, TICK as EVALUATED_EVERY},
    mqtt::{BrokerState, Entrance, Inbound, Queue, queue},
    restraints::Restraints,
};

/// The time of day by the clock of the test.
struct TestClock(Timestamp, Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0 + Span::from_millis(i64::try_from(self.1.elapsed().as_millis()).unwrap())
    }
}

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
        let clock: Arc<dyn Clock> = Arc::new(TestClock(SystemClock.now(), Instant::now()));
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
        let mut course = Course::begin();
        let device = json!({ "id": MACHINE, "kind": KIND, "every_ms": 10_000 });
        let sent_at = SystemClock.now().millis();
        let agent = json!({ "version": "test" });
        let birth = json!({ "epoch": 1, "session": 1, "sent_at": sent_at, "agent": agent, "devices": [device] });
        ingest.take(from_box(Channel::Birth, &birth), &mut course, &mut Gathered::default());
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
            () = self.ingest.gather(record(1), &mut self.inbound, &mut self.course, &mut gathered) => {}
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

#[rstest]
#[case::a_broker_that_may_hold_back_what_it_says(true, true)]
#[case::a_broker_that_brings_everything(false, false)]
#[tokio::test]
async fn while_a_batch_cannot_be_stored_an_agent_is_silent_only_if_it_would_be_heard(
    #[case] owes: bool,
    #[case] is_up: bool,
) {
    let Judging { ingest, mut course, entrance: _entrance, inbound, _folder } = Judging::start().await;
    // The batch before is never stored.
    let handover = Handover { judged: mpsc::channel(1).0, turn: Arc::new(Semaphore::new(0)) };
    let (_broker, broker) = watch::channel(BrokerState { up: true, connects: 0 });
    let mut sources = Sources { inbound, broker, ticks: interval(EVALUATED_EVERY) };
    course.owes = owes;
    let mut gathered = Gathered::default();
    let waiting = ingest.await_turn(&handover, &mut sources, &mut course, &mut gathered);
    assert!(timeout(Duration::from_mins(5), waiting).await.is_err());
    let sites = ingest.fleet.read();
    let link = sites.values().next().unwrap().agents().next().unwrap().link;
    assert_eq!(link == Link::Up, is_up, "{link:?}");
    let evaluated = ingest.progress.evaluated_at().unwrap();
    assert!(ingest.clock.now().since(evaluated) <= Span::from_secs(2), "the rules are evaluated all the same");
}
