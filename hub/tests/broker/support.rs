//! A running hub side, clients of both protocol versions, and raw bytes.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use lobby_contract::{Death, DeathReason, FromAgent, encode};
use lobby_hub::{
    clock::SystemClock,
    lifecycle::Lifecycle,
    mqtt::{self, EmbeddedSettings, Inbound, Mqtt, Queue, Settings},
};
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, PubAckReason, SubscribeReasonCode},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, timeout},
};

/// Longest wait for anything that should happen at once.
pub const SOON: Duration = Duration::from_secs(10);

/// The MQTT side of a hub with the queue that ingest would read.
pub struct Hub {
    pub mqtt: Mqtt,
    pub inbound: Queue,
    pub lifecycle: Lifecycle,
    files: Option<TempDir>,
}

pub fn on_loopback() -> EmbeddedSettings {
    EmbeddedSettings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..EmbeddedSettings::default() }
}

impl Hub {
    pub async fn start(settings: Settings) -> Self {
        Self::start_with(settings, 1024 * 1024).await
    }

    pub async fn start_with(settings: Settings, queue: usize) -> Self {
        let lifecycle = Lifecycle::new();
        let (sender, inbound) = mqtt::queue(queue);
        let mqtt = mqtt::start(settings, &lifecycle, Arc::new(SystemClock), sender).await.unwrap();
        Self { mqtt, inbound, lifecycle, files: None }
    }

    /// Without users.
    pub async fn open() -> Self {
        Self::start(Settings::Embedded(on_loopback())).await
    }

    /// With users `s/{id}` whose passwords are `pw-{id}`.
    pub async fn with_users(ids: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let users_file = files.path().join("users.toml");
        std::fs::write(&users_file, users(ids)).unwrap();
        let settings = EmbeddedSettings { users_file: Some(users_file), ..on_loopback() };
        let mut hub = Self::start(Settings::Embedded(settings)).await;
        hub.files = Some(files);
        hub
    }

    pub fn users_file(&self) -> PathBuf {
        self.files.as_ref().unwrap().path().join("users.toml")
    }

    pub fn address(&self) -> SocketAddr {
        self.mqtt.addresses.mqtt[0]
    }

    pub async fn next(&mut self) -> Inbound {
        timeout(SOON, self.inbound.recv()).await.expect("ingest gets a message in time").expect("the hub runs")
    }

    /// The next message's agent and the session of the death that it is.
    pub async fn next_death(&mut self) -> (String, u32) {
        let inbound = self.next().await;
        let FromAgent::Death(death) = inbound.message else { panic!("a death, not {:?}", inbound.message) };
        (inbound.agent.to_string(), death.session)
    }

    /// How long an honest agent takes from connecting to its message being with ingest.
    pub async fn honest_round(&mut self, id: &str) -> Duration {
        let started = Instant::now();
        let mut client = Client::open(self.address(), id);
        client.connected().await;
        client.publish(&topic(id, "death"), death(7)).await;
        assert_eq!(self.next_death().await, (id.to_owned(), 7));
        started.elapsed()
    }
}

/// A users file whose hashes take the least work that argon2id allows: the work is not what these tests are about.
pub fn users(ids: &[&str]) -> String {
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(b"salt of tests").unwrap();
    let entry = |id: &&str| {
        let hash = cheap.hash_password(format!("pw-{id}").as_bytes(), &salt).unwrap();
        format!("[[agent]]\nsite = \"s\"\nid = \"{id}\"\npassword_hash = \"{hash}\"\n")
    };
    ids.iter().map(entry).collect::<Vec<_>>().concat()
}

pub fn topic(id: &str, channel: &str) -> String {
    format!("lobby/v1/s/{id}/{channel}")
}

pub fn death(session: u32) -> Vec<u8> {
    encode(&Death { epoch: 1, session, reason: DeathReason::Lost })
}

/// A client of MQTT 5 that is polled all the time.
pub struct Client {
    pub handle: AsyncClient,
    events: mpsc::UnboundedReceiver<Result<Event, ConnectionError>>,
    _running: tokio_util::sync::DropGuard,
}

impl Client {
    /// As agent `s/{id}` without credentials.
    pub fn open(address: SocketAddr, id: &str) -> Self {
        Self::new(options(address, id))
    }

    /// As agent `s/{id}` with its password.
    pub fn user(address: SocketAddr, id: &str) -> Self {
        Self::new(user_options(address, id))
    }

    pub fn new(options: MqttOptions) -> Self {
        let (handle, mut event_loop) = AsyncClient::new(options, 100);
        let (sender, events) = mpsc::unbounded_channel();
        let running = tokio_util::sync::CancellationToken::new();
        let stop = running.clone();
        Lifecycle::new().detach("client", async move {
            loop {
                let event = tokio::select! {
                    event = event_loop.poll() => event,
                    // Dropping the loop cuts the connection without a DISCONNECT.
                    () = stop.cancelled() => return,
                };
                let over = event.is_err();
                if sender.send(event).is_err() || over {
                    return;
                }
            }
        });
        Self { handle, events, _running: running.drop_guard() }
    }

    async fn event(&mut self) -> Result<Event, ConnectionError> {
        timeout(SOON, self.events.recv()).await.expect("the broker answers in time").expect("the client is polled")
    }

    async fn packet(&mut self) -> Packet {
        loop {
            if let Event::Incoming(packet) = self.event().await.expect("the connection holds") {
                return packet;
            }
        }
    }

    pub async fn connected(&mut self) {
        assert!(matches!(self.packet().await, Packet::ConnAck(_)));
    }

    /// Why the connection was refused or ended.
    pub async fn refused(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.event().await {
                return error;
            }
        }
    }

    /// Publishes, at least once, and returns what the broker said.
    pub async fn publish(&mut self, topic: &str, payload: Vec<u8>) -> PubAckReason {
        self.handle.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
        self.puback().await
    }

    pub async fn puback(&mut self) -> PubAckReason {
        loop {
            if let Packet::PubAck(answer) = self.packet().await {
                return answer.reason;
            }
        }
    }

    pub async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.handle.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        loop {
            if let Packet::SubAck(answer) = self.packet().await {
                return answer.return_codes[0];
            }
        }
    }

    /// The next message and whether it was retained.
    pub async fn message(&mut self) -> (String, Vec<u8>, bool) {
        loop {
            if let Packet::Publish(publish) = self.packet().await {
                return (String::from_utf8(publish.topic.to_vec()).unwrap(), publish.payload.to_vec(), publish.retain);
            }
        }
    }
}

pub fn options(address: SocketAddr, id: &str) -> MqttOptions {
    let mut options = MqttOptions::new(format!("s.{id}"), address.ip().to_string(), address.port());
    options.set_outgoing_inflight_upper_limit(40).set_keep_alive(Duration::from_secs(5));
    options
}

pub fn user_options(address: SocketAddr, id: &str) -> MqttOptions {
    let mut options = options(address, id);
    options.set_credentials(format!("s/{id}"), format!("pw-{id}"));
    options
}

/// A CONNECT packet of version 4 (3.1.1) or 5, with a clean start and without credentials.
pub fn connect_packet(version: u8, client: &str) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', version, 2, 0, 60];
    if version == 5 {
        body.push(0);
    }
    body.extend(u16::try_from(client.len()).unwrap().to_be_bytes());
    body.extend(client.as_bytes());
    let mut packet = vec![0x10, u8::try_from(body.len()).unwrap()];
    packet.extend(body);
    packet
}

/// Sends bytes and reads `count` bytes of the answer; fails when the broker closes before.
pub async fn exchange(stream: &mut TcpStream, bytes: &[u8], count: usize) -> io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    let mut answer = vec![0; count];
    timeout(SOON, stream.read_exact(&mut answer)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(answer)
}

/// Waits until the broker has closed the connection.
pub async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is a close too.
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("the broker closes the connection in time");
}

/// Memory of this process in bytes; with the C library's allocator, which the hub's program has not everywhere.
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}
