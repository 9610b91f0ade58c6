//! The other sides of the agent, for tests: a real broker, and a hub played over a second MQTT connection.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};

use lobby_contract::{Ack, Channel, Data, FromAgent, Topic, encode};
use rumqttc::v5::{
    AsyncClient, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{ConnectProperties, Packet},
    },
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(15);

/// A port that nobody listens on.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
}

/// Mosquitto, killed when dropped.
pub(crate) struct Broker {
    child: Child,
    dir: TempDir,
    pub port: u16,
}

impl Broker {
    /// A broker with a plain listener and what `extra` configures; `None` where there is no Mosquitto, unless this is CI.
    pub(crate) async fn start(extra: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port().await;
        let config = format!("listener {port} 127.0.0.1\nallow_anonymous true\n{extra}");
        fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        let child = Self::spawn(&dir)?;
        let broker = Self { child, dir, port };
        broker.listening().await;
        Some(broker)
    }

    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    fn spawn(dir: &TempDir) -> Option<Child> {
        let path = format!("{}:/usr/sbin:/usr/local/sbin", env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command.env("PATH", path).arg("-c").arg(dir.path().join("mosquitto.conf"));
        match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => Some(child),
            Err(error) if env::var_os("CI").is_some() => panic!("start mosquitto: {error}"),
            Err(error) => {
                eprintln!("skipped: this test needs mosquitto: {error}");
                None
            }
        }
    }

    async fn listening(&self) {
        let connected = async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, connected).await.expect("the broker listens");
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn start_again(&mut self) {
        self.child = Self::spawn(&self.dir).expect("it was there before");
        self.listening().await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hub that sees every message and says what the test tells it to.
pub(crate) struct Hub {
    client: AsyncClient,
    seen: mpsc::UnboundedReceiver<FromAgent>,
    _polling: JoinSet<()>,
}

impl Hub {
    /// A hub on the broker at `port`, subscribed; it connects again by itself.
    pub(crate) async fn on(port: u16) -> Self {
        let mut options = MqttOptions::new("hub", "127.0.0.1", port);
        options.set_clean_start(true).set_outgoing_inflight_upper_limit(50);
        // It hears its own messages too, however large.
        options
            .set_connect_properties(ConnectProperties { max_packet_size: Some(1 << 20), ..ConnectProperties::new() });
        let (client, mut events) = AsyncClient::new(options, 10);
        let (sender, seen) = mpsc::unbounded_channel();
        let (ready, mut subscribed) = mpsc::unbounded_channel();
        let mut polling = JoinSet::new();
        let own = client.clone();
        polling.spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        own.try_subscribe("lobby/v1/+/+/+", QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => ready.send(()).unwrap_or_default(),
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic: Topic = std::str::from_utf8(&publish.topic).unwrap().parse().unwrap();
                        if Channel::FROM_AGENT.contains(&topic.channel) {
                            sender.send(FromAgent::decode(topic.channel, &publish.payload).unwrap()).unwrap();
                        }
                    }
                    Ok(_) => {}
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            }
        });
        timeout(PATIENCE, subscribed.recv()).await.expect("the hub is subscribed");
        Self { client, seen, _polling: polling }
    }

    /// The next message of any kind.
    pub(crate) async fn next(&mut self) -> FromAgent {
        timeout(PATIENCE, self.seen.recv()).await.expect("a message comes").unwrap()
    }

    /// The next message that `wanted` takes; others are passed over.
    pub(crate) async fn wait<T>(&mut self, wanted: impl Fn(FromAgent) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = wanted(self.seen.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the message waited for comes")
    }

    pub(crate) async fn data(&mut self) -> Data {
        self.wait(|message| if let FromAgent::Data(data) = message { Some(data) } else { None }).await
    }

    pub(crate) async fn ack(&self, epoch: u64, committed: u64) {
        self.say(Channel::Ack, encode(&Ack { epoch, committed })).await;
    }

    pub(crate) async fn command(&self, json: &str) {
        self.say(Channel::Command, json.as_bytes().to_vec()).await;
    }

    pub(crate) async fn say(&self, channel: Channel, payload: Vec<u8>) {
        let topic = Topic::new("demo".parse().unwrap(), "box".parse().unwrap(), channel).to_string();
        self.client.publish(topic, QoS::AtLeastOnce, false, payload).await.unwrap();
    }
}

/// Waits until `holds`, asking every few ms.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// A device that accepts connections and never says a word; the channel tells of each connection.
pub(crate) async fn mute() -> (SocketAddr, mpsc::UnboundedReceiver<()>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    let mut accepting = JoinSet::new();
    accepting.spawn(async move {
        let mut held = Vec::new();
        while let Ok(accepted) = listener.accept().await {
            held.push(accepted);
            let _ = tell.send(());
        }
    });
    (address, told, accepting)
}
