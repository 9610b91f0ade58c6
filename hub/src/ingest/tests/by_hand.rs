//! What people do about alerts, on the hub as it is run: clearing by hand, silence until resolved, and what is told when it is quiet no
//! more, also over a restart.

use lobby_contract::Ack;
use serde_json::{Value, json};

use super::{
    KIND, MACHINE, broken, fine,
    peer::{Agent, Hub},
};
use crate::{
    clock::{Clock, SystemClock},
    store::{Store, on},
};

const RULE: &str = "covers-motor-fault";

/// A hub with an open alert about the machine, and the alert's id.
async fn in_trouble() -> (Hub, Agent, String) {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[broken(1)]).await;
    assert_eq!(agent.ack().await, Ack { epoch: 1, committed: 1 });
    let id = hub.alert(RULE).await["id"].as_str().unwrap().to_owned();
    (hub, agent, id)
}

/// How many notifications of a kind there are.
async fn told(store: &Store, what: &str) -> usize {
    let mut tx = store.read().await.unwrap();
    let events: Vec<String> = on!(&mut tx, "read the outbox", conn =>
        sqlx::query_scalar("SELECT event FROM outbox").fetch_all(conn).await)
    .unwrap();
    events.iter().filter(|event| event.split(':').nth(1) == Some(what)).count()
}

async fn clear(hub: &Hub, id: &str) -> (u16, Value) {
    hub.json("POST", &format!("/api/v1/alerts/{id}/clear"), &json!({ "by": "李工" })).await
}

#[tokio::test]
async fn a_fault_that_is_still_there_is_not_cleared_by_hand_but_may_be_silenced_until_it_is_gone() {
    let (hub, mut agent, id) = in_trouble().await;
    let (status, problem) = clear(&hub, &id).await;
    assert_eq!((status, problem["type"].as_str()), (409, Some("/problems/fault-not-gone")), "{problem}");
    let offer = &problem["offer"];
    assert_eq!((&offer["method"], &offer["body"]), (&json!("POST"), &json!({ "until_resolved": id })));
    let (status, silence) = hub.json("POST", offer["href"].as_str().unwrap(), &offer["body"]).await;
    assert_eq!((status, &silence["until_resolved"], &silence["ends"]), (201, &json!(id), &Value::Null), "{silence}");
    let alert = hub.alert(RULE).await;
    assert_eq!((&alert["state"], &alert["muted"]["id"]), (&json!("open"), &silence["id"]));
    agent.data(1, &[fine(2)]).await;
    agent.ack().await;
    // Its rule waits for 30 seconds of this; a person need not.
    let (status, cleared) = clear(&hub, &id).await;
    assert_eq!(
        (status, &cleared["state"], &cleared["clear_reason"]),
        (200, &json!("cleared"), &json!("manual")),
        "{cleared}"
    );
    assert_eq!((&cleared["cleared_by"], &cleared["muted"]), (&json!("李工"), &Value::Null));
    let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
    let over = hub.json("GET", &path, &Value::Null).await.1;
    assert_eq!((&over["state"], &over["ends"]), (&json!("expired"), &cleared["cleared_at"]));
    let (_, ticket) =
        hub.json("GET", &format!("/api/v1/tickets/{}", cleared["ticket"].as_str().unwrap()), &Value::Null).await;
    assert_eq!(ticket["state"], "self_recovered", "as if its rule had cleared it");
    assert_eq!(clear(&hub, &id).await, (200, hub.alert(RULE).await), "a repeat changes nothing");
    let store = hub.database().await;
    assert_eq!((told(&store, "cleared").await, told(&store, "unmuted").await), (2, 0));
    hub.stop().await;
}

#[tokio::test]
async fn after_a_restart_nobody_can_tell_and_a_clear_by_hand_is_refused_until_somebody_can() {
    let (hub, _, id) = in_trouble().await;
    let hub = hub.restart().await;
    assert_eq!(hub.alert(RULE).await["overlays"]["unverified"], true);
    let (status, problem) = clear(&hub, &id).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("nobody can tell"), "{problem}");
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    agent.data(1, &[fine(2)]).await;
    agent.ack().await;
    assert_eq!(clear(&hub, &id).await.0, 200);
    agent.data(1, &[broken(3)]).await;
    agent.ack().await;
    let (_, page) = hub.json("GET", "/api/v1/alerts?state=open", &Value::Null).await;
    assert_eq!(page["items"][0]["previous"], json!(id), "it does not re-open: {page}");
    hub.stop().await;
}

#[tokio::test]
async fn what_still_fires_at_the_end_of_a_silence_is_told_once_also_if_the_hub_was_down_at_that_moment() {
    let (hub, _agent, _) = in_trouble().await;
    let body = |millis| json!({ "matchers": { "device": MACHINE }, "ends": SystemClock.now().millis() + millis });
    assert_eq!(hub.json("POST", "/api/v1/silences", &body(700)).await.0, 201);
    let store = hub.database().await;
    assert_eq!(told(&store, "unmuted").await, 0);
    let both_posts = async |_: &Hub| told(&store, "unmuted").await == 2;
    hub.until("it is told anew", both_posts).await;
    let (status, silence) = hub.json("POST", "/api/v1/silences", &body(300_000)).await;
    assert_eq!(status, 201);
    // It ends while nobody looks: the hub has read the old end, and stops.
    let over = "UPDATE restraint SET ends_at = starts_at + 1 WHERE settled = FALSE";
    let mut tx = store.begin().await.unwrap();
    on!(&mut tx, "end a silence", conn => sqlx::query(over).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let mut hub = hub.restart().await;
    let four = async |_: &Hub| told(&store, "unmuted").await == 4;
    hub.until("it is told anew after the restart", four).await;
    for _ in 0..2 {
        hub = hub.restart().await;
        let settled = async |hub: &Hub| {
            let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
            hub.json("GET", &path, &Value::Null).await.1["state"] == "expired"
        };
        hub.until("the hub has looked at it", settled).await;
        assert_eq!(told(&store, "unmuted").await, 4, "once");
    }
    hub.stop().await;
}

#[tokio::test]
async fn a_machine_under_maintenance_is_watched_and_judged_and_told_of_when_it_ends() {
    let hub = Hub::start().await;
    let mut agent = Agent::born(&hub, &[(MACHINE, KIND)]).await;
    let window = json!({ "matchers": { "kind": KIND }, "ends": SystemClock.now().millis() + 300_000, "by": "李工" });
    let (status, window) = hub.json("POST", "/api/v1/maintenance", &window).await;
    assert_eq!(status, 201, "{window}");
    agent.data(1, &[broken(1)]).await;
    agent.ack().await;
    let alert = hub.alert(RULE).await;
    assert_eq!(
        (&alert["state"], &alert["muted"]),
        (&json!("open"), &json!({ "by": "maintenance", "id": window["id"] }))
    );
    let store = hub.database().await;
    let path = format!("/api/v1/maintenance/{}", window["id"].as_str().unwrap());
    assert_eq!(hub.json("DELETE", &path, &Value::Null).await.0, 200);
    let both_posts = async |_: &Hub| told(&store, "unmuted").await == 2;
    hub.until("it is told now", both_posts).await;
    assert_eq!(hub.alert(RULE).await["muted"], Value::Null);
    hub.stop().await;
}

#[tokio::test]
async fn what_is_decided_by_hand_is_in_the_audit_log_once_and_what_is_refused_or_changes_nothing_is_not() {
    let (hub, mut agent, id) = in_trouble().await;
    assert_eq!(clear(&hub, &id).await.0, 409, "the fault is there");
    agent.data(1, &[fine(2)]).await;
    agent.ack().await;
    assert_eq!(clear(&hub, &id).await.0, 200);
    assert_eq!(clear(&hub, &id).await.0, 200);
    let path = format!("/api/v1/devices/demo/{MACHINE}/life");
    for life in ["maintenance", "maintenance", "live"] {
        let (status, device) = hub.json("PUT", &path, &json!({ "life": life })).await;
        assert_eq!(status, 200, "{device}");
    }
    let told = async |hub: &Hub| {
        let (status, page) = hub.json("GET", "/api/v1/audit", &Value::Null).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap().iter().rev();
        let line = |item: &Value| {
            assert_eq!((&item["site"], &item["actor_kind"]), (&json!("demo"), &json!("here")), "{item}");
            json!([item["no"], item["actor"], item["action"], item["subject"], item["before"], item["after"]])
        };
        items.map(line).collect::<Vec<_>>()
    };
    let expected = [
        json!([1, "李工", "alert.clear", id, null, null]),
        json!([2, "", "device.life", MACHINE, "live", "maintenance"]),
        json!([3, "", "device.life", MACHINE, "maintenance", "live"]),
    ];
    assert_eq!(told(&hub).await, expected);
    let hub = hub.restart().await;
    assert_eq!(told(&hub).await, expected);
    assert_eq!(hub.database().await.verify_audit().await.unwrap().unwrap().no, 3);
    hub.stop().await;
}
