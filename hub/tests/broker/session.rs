//! Sessions, wills, takeovers, and what the hub says.

use std::time::Duration;

use lobby_contract::{Ack, Channel, HUB_TOPIC, HubState, Topic, encode};
use lobby_hub::{lifecycle::Ending, mqtt::Settings};
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{LastWill, PubAckReason},
};

use crate::support::{Client, Hub, SOON, death, on_loopback, options, topic};

fn with_will(hub: &Hub, id: &str, session: u32) -> Client {
    let mut options = options(hub.address(), id);
    options.set_last_will(LastWill::new(topic(id, "death"), death(session), QoS::AtLeastOnce, false, None));
    Client::new(options)
}

async fn state(client: &mut Client) -> (bool, bool) {
    let (topic, payload, retained) = client.message().await;
    assert_eq!(topic, HUB_TOPIC);
    (serde_json::from_slice::<HubState>(&payload).unwrap().online, retained)
}

#[tokio::test]
async fn a_will_reaches_ingest_after_all_that_its_agent_had_said() {
    let mut hub = Hub::open().await;
    let mut client = with_will(&hub, "a", 9);
    client.connected().await;
    for n in 1..=8 {
        client.handle.publish(topic("a", "death"), QoS::AtLeastOnce, false, death(n)).await.unwrap();
    }
    for _ in 1..=8 {
        client.puback().await;
    }
    drop(client);
    for n in 1..=9 {
        assert_eq!(hub.next_death().await, ("a".to_owned(), n));
    }
}

#[tokio::test]
async fn an_agent_that_leaves_in_good_order_leaves_no_death() {
    let mut hub = Hub::open().await;
    let mut client = with_will(&hub, "a", 1);
    client.connected().await;
    client.handle.disconnect().await.unwrap();
    client.refused().await;
    // A death that came late would come before this one, which takes the same way.
    let crashed = with_will(&hub, "b", 2);
    let mut crashed = crashed;
    crashed.connected().await;
    drop(crashed);
    assert_eq!(hub.next_death().await, ("b".to_owned(), 2));
}

#[tokio::test]
async fn a_takeover_by_the_same_agent_ends_the_old_session_and_only_that() {
    let mut hub = Hub::open().await;
    let mut old = with_will(&hub, "a", 1);
    old.connected().await;
    let mut new = with_will(&hub, "a", 2);
    new.connected().await;
    old.refused().await;
    assert_eq!(hub.next_death().await, ("a".to_owned(), 1));
    assert_eq!(new.publish(&topic("a", "death"), death(77)).await, PubAckReason::Success);
    assert_eq!(hub.next_death().await, ("a".to_owned(), 77));
    drop(new);
    assert_eq!(hub.next_death().await, ("a".to_owned(), 2));
}

#[tokio::test]
async fn the_hub_says_whether_it_takes_in_records_and_takes_nobody_for_lost_when_it_stops() {
    let mut hub = Hub::open().await;
    let mut client = with_will(&hub, "a", 1);
    client.connected().await;
    client.subscribe(HUB_TOPIC).await;
    assert_eq!(state(&mut client).await, (true, true));
    hub.mqtt.link.hub_state(false).await;
    assert_eq!(state(&mut client).await, (false, false));
    hub.mqtt.link.hub_state(true).await;
    assert_eq!(state(&mut client).await, (true, false));
    assert_eq!(hub.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    client.refused().await;
    assert!(hub.inbound.recv().await.is_none(), "nothing came, and nothing can come any more");
}

#[tokio::test]
async fn what_the_hub_says_reaches_the_agent_meant_and_no_other() {
    let hub = Hub::open().await;
    let (mut meant, mut other) = (Client::open(hub.address(), "a"), Client::open(hub.address(), "b"));
    for (client, id) in [(&mut meant, "a"), (&mut other, "b")] {
        client.connected().await;
        client.subscribe(&topic(id, "ack")).await;
    }
    for (id, committed) in [("a", 5), ("b", 6)] {
        let to = Topic::new("s".parse().unwrap(), id.parse().unwrap(), Channel::Ack);
        hub.mqtt.link.send(&to, encode(&Ack { epoch: 1, committed })).await.unwrap();
    }
    assert_eq!(meant.message().await.1, encode(&Ack { epoch: 1, committed: 5 }));
    assert_eq!(other.message().await.1, encode(&Ack { epoch: 1, committed: 6 }));
    let wrong = Topic::new("s".parse().unwrap(), "a".parse().unwrap(), Channel::Data);
    assert!(hub.mqtt.link.send(&wrong, Vec::new()).await.is_err());
}

#[tokio::test]
async fn a_full_queue_holds_its_senders_up_and_loses_nothing() {
    const EACH: u32 = 300;
    let mut hub = Hub::start_with(Settings::Embedded(on_loopback()), 0).await;
    let mut senders = Vec::new();
    for id in ["a", "b", "c"] {
        let mut client = Client::open(hub.address(), id);
        client.connected().await;
        let handle = client.handle.clone();
        hub.lifecycle.detach("sender", async move {
            for n in 0..EACH {
                handle.publish(topic(id, "death"), QoS::AtLeastOnce, false, death(n)).await.unwrap();
            }
        });
        senders.push(client);
    }
    let waits = async {
        while hub.mqtt.counters.waited() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waits).await.expect("all three wait for the queue");
    assert_eq!(hub.mqtt.counters.accepted(), 3, "one each");
    let mut next = std::collections::HashMap::new();
    for _ in 0..3 * EACH {
        let (agent, n) = hub.next_death().await;
        let expected = next.entry(agent).or_insert(0);
        assert_eq!(n, *expected, "in the order of sending");
        *expected += 1;
    }
}
