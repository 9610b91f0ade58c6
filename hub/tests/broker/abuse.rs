//! What strangers and broken clients cost the honest ones: nothing that counts.

use std::time::Duration;

use lobby_contract::{Channel, Topic};
use lobby_domain::time::Span;
use lobby_hub::mqtt::Settings;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use crate::support::{Client, Dice, Hub, closed, connect_packet, death, exchange, on_loopback, resident, topic};

/// What an honest round may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(2);
const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_packets_cost_only_those_who_send_them() {
    let mut hub = Hub::open().await;
    let mut bystander = Client::open(hub.address(), "bystander");
    bystander.connected().await;
    hub.honest_round("warm").await;
    let before = resident();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for n in 0..500 {
        let mut stream = TcpStream::connect(hub.address()).await.unwrap();
        let version = if n % 2 == 0 { 4 } else { 5 };
        let mut bytes = connect_packet(version, &format!("s.evil-{n}"));
        match n % 6 {
            0 => bytes = vec![0x20, 3, 0, 0, 0],
            1 => {
                bytes = {
                    let size = dice.roll(300);
                    dice.bytes(size)
                }
            }
            2 => bytes.truncate(1 + dice.roll(bytes.len() - 1)),
            3 => {
                let (at, with) = (dice.roll(bytes.len()), dice.bytes(1));
                bytes[at] = with[0];
            }
            4 => bytes = vec![0x10, 0xff, 0xff, 0xff, 0xff, 1],
            _ => {
                exchange(&mut stream, &bytes, 4).await.unwrap();
                bytes = {
                    let size = 1 + dice.roll(200);
                    dice.bytes(size)
                };
            }
        }
        // The broker may close before all is written.
        let _ = stream.write_all(&bytes).await;
    }
    let took = hub.honest_round("honest").await;
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(bystander.publish(&topic("bystander", "death"), death(1)).await, PubAckReason::Success);
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} KiB", grown / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_do_not_introduce_themselves_are_closed_and_hold_up_nobody() {
    let settings = lobby_hub::mqtt::EmbeddedSettings { handshake: Span::from_millis(1500), ..on_loopback() };
    let mut hub = Hub::start(Settings::Embedded(settings)).await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(hub.address()).await.unwrap();
        if n % 2 == 0 {
            // Slow is no better than silent.
            stream.write_all(&connect_packet(5, "s.slow")[..5]).await.unwrap();
        }
        silent.push(stream);
    }
    let took = hub.honest_round("honest").await;
    assert!(took < PATIENCE, "{took:?}");
    let started = Instant::now();
    for stream in &mut silent {
        closed(stream).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(hub.mqtt.counters.evicted(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_connections_do_not_keep_an_honest_one_out() {
    let mut hub = Hub::open().await;
    let before = resident();
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(hub.address()).await.unwrap());
    }
    let took = hub.honest_round("honest").await;
    assert!(took < PATIENCE, "{took:?}");
    assert!(hub.mqtt.counters.evicted() >= 700, "the oldest make room: {}", hub.mqtt.counters.evicted());
    let grown = resident().saturating_sub(before);
    assert!(grown < 48 * MIB, "{} KiB", grown / 1024);
}

#[tokio::test]
async fn an_oversized_packet_disconnects_its_sender_only() {
    let mut hub = Hub::open().await;
    let mut bystander = Client::open(hub.address(), "bystander");
    bystander.connected().await;
    for claimed in [[0x30, 0xff, 0xff, 0xff, 0x7f], [0x30, 0x80, 0x80, 0x40, 0]] {
        let mut stream = TcpStream::connect(hub.address()).await.unwrap();
        let answer = exchange(&mut stream, &connect_packet(4, "s.big"), 4).await.unwrap();
        assert_eq!(answer, [0x20, 2, 0, 0]);
        stream.write_all(&claimed).await.unwrap();
        closed(&mut stream).await;
    }
    assert_eq!(bystander.publish(&topic("bystander", "death"), death(4)).await, PubAckReason::Success);
    assert_eq!(hub.next_death().await, ("bystander".to_owned(), 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_stops_reading_costs_bounded_memory_and_no_time() {
    let mut hub = Hub::open().await;
    let mut stalled = TcpStream::connect(hub.address()).await.unwrap();
    exchange(&mut stalled, &connect_packet(4, "s.stalled"), 4).await.unwrap();
    let filter = topic("stalled", "ack");
    let mut subscribe =
        vec![0x82, u8::try_from(5 + filter.len()).unwrap(), 0, 1, 0, u8::try_from(filter.len()).unwrap()];
    subscribe.extend(filter.as_bytes());
    subscribe.push(1);
    assert_eq!(exchange(&mut stalled, &subscribe, 5).await.unwrap(), [0x90, 3, 0, 1, 1]);

    let to = Topic::new("s".parse().unwrap(), "stalled".parse().unwrap(), Channel::Ack);
    let before = resident();
    let mut slowest = Duration::ZERO;
    for _ in 0..20_000 {
        let started = Instant::now();
        hub.mqtt.link.send(&to, vec![b'x'; 1000]).await.unwrap();
        slowest = slowest.max(started.elapsed());
    }
    assert!(slowest < Duration::from_millis(500), "the hub waited {slowest:?} for an agent that does not read");
    let took = hub.honest_round("honest").await;
    assert!(took < PATIENCE, "{took:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 * MIB, "{} KiB", grown / 1024);
}
