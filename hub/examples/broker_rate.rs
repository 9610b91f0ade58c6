//! How fast agents' messages come through the embedded broker to ingest's queue, and what idle connections cost.
//!
//! `cargo run --release --example broker_rate`. Publishers and hub share this process and its cores.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use lobby_contract::{FactValue, Reach, Record, encode};
use lobby_hub::{
    clock::SystemClock,
    lifecycle::Lifecycle,
    mqtt::{self, EmbeddedSettings, Queue, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Messages sent before their acknowledgements are awaited: below the broker's receive maximum.
const WINDOW: u32 = 40;
const ROUNDS: usize = 3;

#[expect(clippy::print_stdout, reason = "this program's purpose is to print figures")]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let lifecycle = Lifecycle::new();
    let (sender, mut inbound) = mqtt::queue(1024 * 1024);
    let settings = EmbeddedSettings { listen: vec!["127.0.0.1:0".parse()?], ..EmbeddedSettings::default() };
    let hub = mqtt::start(Settings::Embedded(settings), &lifecycle, Arc::new(SystemClock), sender).await?;
    let address = hub.addresses.mqtt[0];
    println!("payload {} bytes, QoS 1, window {WINDOW}; idle RSS {} KiB", payload(1).len(), resident()?);

    for _ in 0..ROUNDS {
        for (publishers, each) in [(1, 40_000), (50, 2_000)] {
            let took = rate(&lifecycle, &mut inbound, address, publishers, each).await?;
            let messages = u64::from(each) * u64::from(publishers);
            let per_second = u128::from(messages) * 1_000_000 / took.as_micros();
            println!("{publishers:>3} publishers x {each}: {per_second} messages/s to the queue");
        }
    }
    let before = resident()?;
    let mut idle = Vec::new();
    for n in 0..1000 {
        idle.push(connect(address, &format!("s.idle-{n}")).await?);
    }
    let after = resident()?;
    println!("1000 idle connections (both ends): RSS {before} -> {after} KiB");
    lifecycle.stop();
    Ok(())
}

/// The time from the first byte to the last message in the queue.
async fn rate(
    lifecycle: &Lifecycle,
    inbound: &mut Queue,
    address: SocketAddr,
    publishers: u32,
    each: u32,
) -> anyhow::Result<Duration> {
    let mut streams = Vec::new();
    for n in 0..publishers {
        streams.push((connect(address, &format!("s.p-{n}")).await?, format!("lobby/v1/s/p-{n}/data")));
    }
    let started = Instant::now();
    for (stream, topic) in streams {
        lifecycle.detach("publisher", async move {
            if let Err(error) = publish(stream, &topic, each).await {
                tracing::error!(%error, "a publisher failed");
            }
        });
    }
    for _ in 0..u64::from(publishers) * u64::from(each) {
        inbound.recv().await.context("the hub ended")?;
    }
    Ok(started.elapsed())
}

async fn connect(address: SocketAddr, client: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut packet = vec![0x10, u8::try_from(12 + client.len())?, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0];
    packet.push(u8::try_from(client.len())?);
    packet.extend(client.as_bytes());
    stream.write_all(&packet).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    ensure!(answer == [0x20, 2, 0, 0], "the broker refused the connection");
    Ok(stream)
}

async fn publish(mut stream: TcpStream, topic: &str, count: u32) -> anyhow::Result<()> {
    let mut answers = vec![0; 4 * usize::try_from(WINDOW)?];
    let mut batch = Vec::new();
    for first in (0..count).step_by(usize::try_from(WINDOW)?) {
        let last = (first + WINDOW).min(count);
        batch.clear();
        for n in first..last {
            packet(&mut batch, topic, u16::try_from(n % 60_000 + 1)?, &payload(u64::from(n) + 1))?;
        }
        stream.write_all(&batch).await?;
        let expected = 4 * usize::try_from(last - first)?;
        stream.read_exact(&mut answers[..expected]).await?;
    }
    Ok(())
}

fn packet(batch: &mut Vec<u8>, topic: &str, id: u16, payload: &[u8]) -> anyhow::Result<()> {
    let length = 2 + topic.len() + 2 + payload.len();
    batch.extend([0x32, u8::try_from(length % 128)? | 0x80, u8::try_from(length / 128)?]);
    batch.extend(u16::try_from(topic.len())?.to_be_bytes());
    batch.extend(topic.as_bytes());
    batch.extend(id.to_be_bytes());
    batch.extend(payload);
    Ok(())
}

/// One record as an agent sends it, in about 200 bytes.
fn payload(seq: u64) -> Vec<u8> {
    let facts = [("power", FactValue::from("on")), ("temperature_c", FactValue::from(41.5))];
    encode(&lobby_contract::Data {
        epoch: 7,
        session: 3,
        sent_at: 1_800_000_000_000,
        oldest: None,
        records: vec![Record {
            seq,
            at: 1_800_000_000_000,
            device: "entrance-led".parse().expect("a literal name is valid"),
            reach: Reach::Ok,
            facts: facts.map(|(name, value)| (name.into(), value)).into(),
            faults: Vec::new(),
        }],
        refused: Vec::new(),
    })
}

fn resident() -> anyhow::Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = statm.split(' ').nth(1).context("the second figure")?.parse()?;
    Ok(pages * 4)
}
