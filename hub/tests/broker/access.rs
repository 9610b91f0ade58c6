//! Who may do what on the embedded broker.

use lobby_contract::{HUB_TOPIC, MAX_PAYLOAD};
use lobby_hub::mqtt::{Cause, EmbeddedSettings, Settings, StartError};
use rstest::rstest;
use rumqttc::v5::{
    ConnectionError, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{ConnectReturnCode, LastWill, PubAckReason, SubscribeReasonCode},
    },
};

use crate::support::{Client, Hub, death, on_loopback, options, topic, user_options, users};

async fn refusal(options: MqttOptions) -> ConnectReturnCode {
    match Client::new(options).refused().await {
        ConnectionError::ConnectionRefused(code) => code,
        other => panic!("a CONNACK that refuses, not {other}"),
    }
}

#[tokio::test]
async fn an_agent_publishes_on_its_own_topics_only() {
    let mut hub = Hub::with_users(&["a", "b"]).await;
    let mut client = Client::user(hub.address(), "a");
    client.connected().await;
    for foreign in [
        &topic("b", "death"),
        "lobby/v1/t/a/death",
        &topic("a", "ack"),
        &topic("b", "command"),
        HUB_TOPIC,
        "x",
        "$SYS/x",
    ] {
        assert_eq!(client.publish(foreign, death(1)).await, PubAckReason::NotAuthorized, "{foreign}");
    }
    assert_eq!(client.publish(&topic("a", "death"), death(2)).await, PubAckReason::Success);
    assert_eq!(hub.next_death().await, ("a".to_owned(), 2));
    let counters = &hub.mqtt.counters;
    assert_eq!(
        (counters.refused(Cause::Forbidden), counters.refused(Cause::Direction), counters.accepted()),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn an_agent_hears_its_own_topics_only() {
    let hub = Hub::with_users(&["a", "b"]).await;
    let mut client = Client::user(hub.address(), "a");
    client.connected().await;
    for foreign in
        ["#", "+/#", "lobby/v1/#", "lobby/v1/+/+/ack", &topic("b", "ack"), &topic("a", "data"), "$share/x/#", "$SYS/#"]
    {
        assert_eq!(client.subscribe(foreign).await, SubscribeReasonCode::NotAuthorized, "{foreign}");
    }
    for own in [&topic("a", "ack"), &topic("a", "command"), HUB_TOPIC] {
        assert_eq!(client.subscribe(own).await, SubscribeReasonCode::Success(QoS::AtLeastOnce), "{own}");
    }
    assert_eq!(hub.mqtt.counters.refused(Cause::Subscription), 8);
}

#[rstest]
#[case::of_another(&topic("b", "death"), false)]
#[case::on_another_channel(&topic("a", "data"), false)]
#[case::of_the_hub(HUB_TOPIC, false)]
#[case::retained(&topic("a", "death"), true)]
#[tokio::test]
async fn a_will_that_is_not_the_agents_own_death_is_refused(#[case] will: &str, #[case] retain: bool) {
    let mut hub = Hub::with_users(&["a", "b"]).await;
    let mut options = user_options(hub.address(), "a");
    options.set_last_will(LastWill::new(will, death(1), QoS::AtLeastOnce, retain, None));
    assert_eq!(refusal(options).await, ConnectReturnCode::NotAuthorized);
    assert_eq!(hub.mqtt.counters.refused(Cause::Will), 1);
    assert!(hub.inbound.try_recv().is_none());
}

#[tokio::test]
async fn a_log_in_needs_the_user_the_password_and_the_users_own_client_id() {
    let mut hub = Hub::with_users(&["a", "b"]).await;
    let address = hub.address();
    let mut victim = Client::user(address, "a");
    victim.connected().await;

    assert_eq!(refusal(options(address, "b")).await, ConnectReturnCode::BadUserNamePassword);
    let mut guess = user_options(address, "b");
    guess.set_credentials("s/b", "guess");
    assert_eq!(refusal(guess).await, ConnectReturnCode::BadUserNamePassword);
    let mut unknown = user_options(address, "b");
    unknown.set_credentials("s/c", "pw-c");
    assert_eq!(refusal(unknown).await, ConnectReturnCode::BadUserNamePassword);
    // The session of `a` cannot be taken over by `b`, whose own log-in is right.
    let mut thief = user_options(address, "b");
    thief.set_client_id("s.a".to_owned());
    assert_eq!(refusal(thief).await, ConnectReturnCode::ClientIdentifierNotValid);

    assert_eq!(hub.mqtt.counters.refused(Cause::Login), 4);
    assert_eq!(victim.publish(&topic("a", "death"), death(3)).await, PubAckReason::Success);
    assert_eq!(hub.next_death().await, ("a".to_owned(), 3));
}

#[tokio::test]
async fn an_agent_that_is_struck_from_the_users_is_disconnected_and_the_others_stay() {
    let hub = Hub::with_users(&["a", "b"]).await;
    let (mut leaves, mut stays) = (Client::user(hub.address(), "a"), Client::user(hub.address(), "b"));
    leaves.connected().await;
    stays.connected().await;
    let kept = std::fs::read_to_string(hub.users_file()).unwrap();
    let kept = kept.split_once("[[agent]]\nsite = \"s\"\nid = \"b\"").unwrap().1;
    std::fs::write(hub.users_file(), format!("[[agent]]\nsite = \"s\"\nid = \"b\"{kept}{}", users(&["c"]))).unwrap();
    hub.mqtt.users.as_ref().unwrap().reload().unwrap();
    leaves.refused().await;
    assert_eq!(stays.publish(&topic("b", "death"), death(1)).await, PubAckReason::Success);
    assert_eq!(refusal(user_options(hub.address(), "a")).await, ConnectReturnCode::BadUserNamePassword);
    Client::user(hub.address(), "c").connected().await;
}

#[tokio::test]
async fn a_listener_beyond_loopback_does_not_start_without_users() {
    let settings = EmbeddedSettings { listen: vec!["0.0.0.0:0".parse().unwrap()], ..on_loopback() };
    let lifecycle = lobby_hub::lifecycle::Lifecycle::new();
    let clock = std::sync::Arc::new(lobby_hub::clock::SystemClock);
    let started =
        lobby_hub::mqtt::start(Settings::Embedded(settings), &lifecycle, clock, lobby_hub::mqtt::queue(1).0).await;
    assert!(matches!(started, Err(StartError::Open(_))));
}

#[tokio::test]
async fn what_is_refused_is_acknowledged_and_counted_and_its_sender_goes_on() {
    let mut hub = Hub::open().await;
    let mut client = Client::open(hub.address(), "a");
    client.connected().await;
    for (channel, payload) in
        [("data", b"{\"epoch\":".to_vec()), ("gossip", b"{}".to_vec()), ("data", vec![b' '; MAX_PAYLOAD + 1])]
    {
        assert_eq!(client.publish(&topic("a", channel), payload).await, PubAckReason::Success, "{channel}");
    }
    client.handle.publish(topic("a", "death"), QoS::AtLeastOnce, true, death(1)).await.unwrap();
    assert_eq!(client.puback().await, PubAckReason::Success);
    for cause in [Cause::Payload, Cause::UnknownChannel, Cause::TooLarge, Cause::Retained] {
        assert_eq!(hub.mqtt.counters.refused(cause), 1, "{}", cause.as_str());
    }
    client.publish(&topic("a", "death"), death(9)).await;
    assert_eq!(hub.next_death().await, ("a".to_owned(), 9));
    assert_eq!(client.subscribe("lobby/v1/#").await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    assert_eq!(client.message().await.0, HUB_TOPIC, "nothing but the hub's state is retained");
}
