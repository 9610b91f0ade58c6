//! The main path with its real parts: the hub as it is run, its own broker, its own database, and an agent on the wire.

mod by_hand;
mod peer;
mod reload;
mod urgent;
mod waiting;

use std::time::Duration;

use lobby_contract::{Ack, Lost, Order, encode};
use rstest::rstest;
use serde_json::json;
use tokio::time::timeout;

use self::peer::{Agent, Hub, record};
use crate::{
    clock::Clock,
    lifecycle::Ending,
    store::{AlertFilter, RecordFilter, Store, TicketFilter},
};

const MACHINE: &str = "covers-1";
const KIND: &str = "shoe-cover-machine";
/// How long something that must not happen is waited for.
const NEVER: Duration = Duration::from_millis(700);
/// How often an agent that waits for an order speaks.
const TICK: Duration = Duration::from_millis(300);

/// A fault that is an alert at once, by `covers-motor-fault`.
fn broken(seq: u64) -> serde_json::Value {
    record(seq, MACHINE, &json!({ "motor": "fault" }))
}

fn fine(seq: u64) -> serde_json::Value {
    record(seq, MACHINE, &json!({ "motor": "ok" }))
}

async fn seqs(store: &Store) -> Vec<i64> {
    let filter = RecordFilter { site: "demo".parse().unwrap(), device: None, from: None, to: None };
    let (rows, _) = store.records(&filter, None, 1000).await.unwrap().unwrap();
    rows.into_iter().map(|row| row.seq).collect()
}

/// Alerts and tickets by their rules.
async fn incidents(store: &Store) -> (Vec<String>, Vec<String>) {
    let (alerts, _) = store.alerts(&AlertFilter::default(), None, 100).await.unwrap().unwrap();
    let (tickets, _) = store.tickets(&TicketFilter::default(), None, 100).await.unwrap().unwrap();
    (alerts.into_iter().map(|row| row.rule).collect(), tickets.into_iter().map(|row| row.rule).collect())
}

#[tokio::test]
async fn a_fault_is_an_alert_with_a_ticket_by_the_time_it_is_acknowledged() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1), broken(2)]).await;
    assert_eq!(agent.ack().await, Ack { epoch: 1, committed: 2 });
    let store = hub.database().await;
    assert_eq!(seqs(&store).await, [1, 2]);
    let one = vec!["covers-motor-fault".to_owned()];
    assert_eq!(incidents(&store).await, (one.clone(), one));
    assert_eq!(hub.stop().await, Ending::Clean);
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_committed() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1)]).await;
    agent.ack().await;
    let store = hub.database().await;
    // As long as another transaction has SQLite's lock, the hub's own cannot begin.
    let lock = store.begin().await.unwrap();
    agent.data(1, &[fine(2)]).await;
    assert!(timeout(NEVER, agent.ack()).await.is_err(), "an acknowledgement without a commit");
    lock.commit().await.unwrap();
    assert_eq!(agent.ack().await, Ack { epoch: 1, committed: 2 });
    assert_eq!(seqs(&store).await, [1, 2]);
    hub.stop().await;
}

#[tokio::test]
async fn while_one_batch_is_stored_the_next_is_judged_and_neither_is_acknowledged_early() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1)]).await;
    agent.ack().await;
    let store = hub.database().await;
    let lock = store.begin().await.unwrap();
    for (seq, left) in [(2, 222), (3, 333)] {
        agent.data(1, &[record(seq, MACHINE, &json!({ "motor": "ok", "covers_left": left }))]).await;
        let judged = async |hub: &Hub| {
            hub.get("/api/v1/devices/demo/covers-1").await.contains(&format!("\"covers_left\":{left}"))
        };
        hub.until("the record is judged although nothing can be stored", judged).await;
    }
    assert!(timeout(NEVER, agent.ack()).await.is_err(), "an acknowledgement without a commit");
    assert_eq!(seqs(&store).await, [1]);
    lock.commit().await.unwrap();
    let mut committed = 0;
    while committed < 3 {
        committed = agent.ack().await.committed;
    }
    assert_eq!(seqs(&store).await, [1, 2, 3]);
    hub.stop().await;
}

#[tokio::test]
async fn what_comes_again_is_acknowledged_again_and_stored_once_also_after_a_restart() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    for _ in 0..3 {
        agent.data(1, &[broken(1), broken(2)]).await;
        assert_eq!(agent.ack().await.committed, 2);
    }
    assert_eq!(hub.metric("records_repeated_total").await, 4);
    let hub = hub.restart().await;
    let mut agent = Agent::connect(&hub).await;
    agent.data(1, &[broken(1), broken(2), broken(3)]).await;
    assert_eq!(agent.ack().await.committed, 3);
    let store = hub.database().await;
    assert_eq!(seqs(&store).await, [1, 2, 3]);
    let (alerts, tickets) = incidents(&store).await;
    assert_eq!((alerts.len(), tickets.len()), (1, 1));
    hub.stop().await;
}

#[tokio::test]
async fn an_agent_that_reports_an_unannounced_device_is_asked_to_announce_itself() {
    let hub = Hub::start().await;
    let mut agent = Agent::connect(&hub).await;
    agent.data(1, &[broken(1)]).await;
    assert_eq!(agent.order().await, Order::Rebirth);
    assert_eq!(agent.ack().await.committed, 1, "what it reported is stored all the same");
    let store = hub.database().await;
    assert_eq!(incidents(&store).await.0.len(), 0, "nobody knows yet what it is");
    agent.birth(&[(MACHINE, KIND)]).await;
    agent.data(1, &[broken(2)]).await;
    assert_eq!(agent.ack().await.committed, 2);
    assert_eq!(incidents(&store).await.0.len(), 1);
    hub.stop().await;
}

#[tokio::test]
async fn after_a_restart_an_agent_is_asked_for_its_birth_unless_it_came_by_itself() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1)]).await;
    agent.ack().await;
    let hub = hub.restart().await;
    let mut agent = Agent::connect(&hub).await;
    // It may have been away when it was asked; then it is asked when it speaks, though not within ten seconds.
    for seq in 2.. {
        agent.data(1, &[fine(seq)]).await;
        agent.ack().await;
        if timeout(TICK, agent.order()).await.is_ok_and(|order| order == Order::Rebirth) {
            break;
        }
        assert!(seq < 60, "it is never asked");
    }
    hub.stop().await;
}

#[tokio::test]
async fn the_ledger_is_told_by_the_api_the_metrics_and_the_agents_page() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1), fine(2), fine(5)]).await;
    agent.data(1, &[fine(2)]).await;
    agent.say("lost", encode(&Lost { epoch: 1, from: 3, to: 3 })).await;
    hub.until("the loss is told", async |hub| hub.metric("records_lost").await == 1).await;
    let hub = hub.restart().await;
    let api = hub.get("/api/v1/agents/demo/box").await;
    for word in [
        r#""produced":5,"stored":3,"missing":1,"missing_since":1"#,
        r#""lost":1,"unreadable":0,"duplicates":1,"resends":0"#,
        r#""heard":5,"committed":3"#,
        r#""link":"unverified""#,
    ] {
        assert!(api.contains(word), "{word} is not in {api}");
    }
    assert_eq!(hub.metric("agent_records_missing").await, 1);
    assert_eq!(hub.metric("agent_duplicates_total").await, 1);
    assert_eq!(hub.metric(r#"agent_missing_worst{site="demo",agent="box"}"#).await, 1);
    let lost = hub.get("/api/v1/agents/demo/box/lost").await;
    assert!(lost.contains(r#""epoch":1,"from":3,"to":3,"reason":"gone""#), "{lost}");
    let page = hub.get("/a/demo/box").await;
    assert!(page.contains("1 条记录丢失") && page.contains("送达台账"), "{page}");
    hub.stop().await;
}

#[tokio::test]
async fn a_device_of_an_unknown_kind_is_complained_of_and_its_records_are_stored() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[("robot-1", "dancing-robot")]).await;
    agent.data(1, &[record(1, "robot-1", &json!({ "motor": "fault" }))]).await;
    assert_eq!(agent.ack().await.committed, 1);
    assert_eq!(hub.metric("complaints_total{cause=\"unknown_kind\"}").await, 1);
    let store = hub.database().await;
    assert_eq!((seqs(&store).await, incidents(&store).await.0.len()), (vec![1], 0));
    hub.stop().await;
}

#[rstest]
#[case::no_such_reach(json!({ "seq": 2, "at": 1, "device": MACHINE, "reach": "sideways" }))]
#[case::no_such_time(json!({ "seq": 2, "at": -5, "device": MACHINE, "reach": "ok" }))]
#[case::no_device(json!({ "seq": 2, "at": 1, "reach": "ok" }))]
#[tokio::test]
async fn a_record_that_cannot_be_read_is_complained_of_and_holds_up_nothing(#[case] bad: serde_json::Value) {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1), bad, broken(3)]).await;
    assert_eq!(agent.ack().await.committed, 3);
    let store = hub.database().await;
    assert_eq!((seqs(&store).await, incidents(&store).await.0.len()), (vec![1, 3], 1));
    assert_eq!(hub.metric("complaints_total{cause=\"bad_record\"}").await, 1);
    hub.stop().await;
}

#[tokio::test]
async fn a_gap_is_asked_for_and_acknowledged_past_once_its_records_are_said_to_be_lost() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1), fine(2), fine(5)]).await;
    assert_eq!(agent.ack().await.committed, 2);
    assert_eq!(agent.order().await, Order::Resend { epoch: Some(1), from: 3, to: 4 });
    agent.say("lost", encode(&Lost { epoch: 1, from: 3, to: 4 })).await;
    assert_eq!(agent.ack().await.committed, 5);
    assert_eq!(hub.database().await.lost_total().await.unwrap(), 2);
    hub.stop().await;
}

#[tokio::test]
async fn while_the_database_fails_the_hub_says_so_keeps_trying_and_acknowledges_nothing() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(1)]).await;
    agent.ack().await;
    assert!(hub.get("/readyz").await.starts_with("HTTP/1.1 200"));
    let store = hub.database().await;
    hub.sql("ALTER TABLE ticket_event RENAME TO away").await;
    agent.data(1, &[broken(2)]).await;
    hub.until("two commits fail", async |hub| hub.metric("commit_failures_total").await >= 2).await;
    assert!(hub.get("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(timeout(NEVER, agent.ack()).await.is_err(), "an acknowledgement without a commit");
    assert_eq!((seqs(&store).await, incidents(&store).await.0.len()), (vec![1], 0));
    hub.sql("ALTER TABLE away RENAME TO ticket_event").await;
    assert_eq!(agent.ack().await.committed, 2);
    assert_eq!((seqs(&store).await, incidents(&store).await.0.len()), (vec![1, 2], 1));
    assert!(hub.get("/readyz").await.starts_with("HTTP/1.1 200"));
    hub.stop().await;
}

#[tokio::test]
async fn a_command_that_failed_is_counted() {
    let hub = Hub::start().await;
    let mut agent = Agent::connect(&hub).await;
    let result = json!({ "id": "1", "ok": false, "error": "no such device" });
    agent.say("result", serde_json::to_vec(&result).unwrap()).await;
    let counted = async |hub: &Hub| hub.metric("complaints_total{cause=\"command_failed\"}").await > 0;
    hub.until("the failure is counted", counted).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_stop_leaves_nothing_unstored_that_the_broker_has_taken() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    let store = hub.database().await;
    // The lock keeps everything waiting until the hub has been told to stop.
    let lock = store.begin().await.unwrap();
    for seq in 1..=40 {
        agent.data(1, &[fine(seq)]).await;
    }
    let stopping = hub.begin_to_stop();
    lock.commit().await.unwrap();
    let (folder, ending) = stopping.ended().await;
    assert_eq!(ending, Ending::Clean);
    assert_eq!(seqs(&store).await, (1..=40).collect::<Vec<_>>());
    store.close().await;
    drop(folder);
}

#[tokio::test]
async fn what_people_decide_about_a_device_is_stored_and_survives_a_restart() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    let life = async |hub: &Hub, to: &str| {
        hub.put(&format!("/api/v1/devices/demo/{MACHINE}/life"), &json!({ "life": to })).await
    };
    assert!(life(&hub, "maintenance").await.starts_with("HTTP/1.1 200"));
    agent.data(1, &[broken(1)]).await;
    agent.ack().await;
    let store = hub.database().await;
    let (alerts, tickets) = incidents(&store).await;
    assert_eq!((alerts.len(), tickets.len()), (1, 0), "what is under maintenance opens no ticket");
    let hub = hub.restart().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[broken(2)]).await;
    agent.ack().await;
    assert_eq!(incidents(&hub.database().await).await.1.len(), 0);
    assert!(life(&hub, "live").await.starts_with("HTTP/1.1 200"));
    let ticket = async |hub: &Hub| incidents(&hub.database().await).await.1.len() == 1;
    hub.until("the maintenance has ended and its ticket is open", ticket).await;
    assert!(life(&hub, "announced").await.starts_with("HTTP/1.1 409"));
    hub.stop().await;
}

/// Ten minutes of one record a second.
const TOGGLES: u64 = 600;

#[tokio::test]
async fn a_device_that_comes_and_goes_for_ten_minutes_is_one_ticket_and_two_messages_for_each_post() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    let mut seq = 0;
    // Once a second, told in messages of ten: the hub judges each record, however they come together.
    while seq < TOGGLES {
        let records: Vec<serde_json::Value> =
            (seq + 1..=seq + 10).map(|seq| if seq % 2 == 1 { broken(seq) } else { fine(seq) }).collect();
        seq += 10;
        agent.data(1, &records).await;
    }
    while agent.ack().await.committed < TOGGLES {}
    let store = hub.database().await;
    let one = vec!["covers-motor-fault".to_owned()];
    assert_eq!(incidents(&store).await, (one.clone(), one));
    let told = told(&store).await;
    let posts: std::collections::BTreeSet<&str> = told.iter().map(|(_, post)| post.as_str()).collect();
    assert_eq!(told.len(), 2 * posts.len(), "{told:?}");
    assert!(told.iter().all(|(what, _)| what == "raised" || what == "unstable"), "{told:?}");
    let (tickets, _) = store.tickets(&TicketFilter::default(), None, 100).await.unwrap().unwrap();
    let (_, events) = store.ticket(tickets[0].number.as_str()).await.unwrap().unwrap();
    assert_eq!(events.iter().map(|event| event.what.as_str()).collect::<Vec<_>>(), ["opened", "unstable"]);
    hub.stop().await;
}

/// What has been queued for whom.
async fn told(store: &Store) -> Vec<(String, String)> {
    let mut tx = store.read().await.unwrap();
    let rows: Vec<(String, String)> = crate::store::on!(&mut tx, "read the outbox", conn =>
        sqlx::query_as("SELECT event, post FROM outbox ORDER BY event, post").fetch_all(conn).await)
    .unwrap();
    rows.into_iter().map(|(event, post)| (event.split(':').nth(1).unwrap().to_owned(), post)).collect()
}

#[tokio::test]
async fn a_fault_that_was_over_before_the_hub_heard_of_it_is_discovered_late_and_calls_nobody() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    let hour_ago = crate::clock::SystemClock.now().millis() - 3_600_000;
    let records: Vec<serde_json::Value> = (1..=40)
        .map(|seq| {
            let mut record = if (11..=20).contains(&seq) { broken(seq) } else { fine(seq) };
            record["at"] = json!(hour_ago + i64::try_from(seq).unwrap() * 5_000);
            record
        })
        .collect();
    agent.data(1, &records).await;
    agent.data(1, &[fine(41)]).await;
    while agent.ack().await.committed < 41 {}
    let store = hub.database().await;
    let (alerts, _) = store.alerts(&AlertFilter::default(), None, 100).await.unwrap().unwrap();
    let [alert] = alerts.try_into().unwrap();
    assert_eq!((alert.rule.as_str(), alert.late, alert.ticket), ("covers-motor-fault", true, None));
    assert_eq!(alert.since.millis(), hour_ago + 11 * 5_000);
    assert_eq!(told(&store).await, []);
    let answer = hub.get("/api/v1/alerts").await;
    assert!(answer.contains("\"late\":true"), "{answer}");
    hub.stop().await;
}
