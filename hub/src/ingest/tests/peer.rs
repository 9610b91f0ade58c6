//! A hub as it is run, and an agent that speaks to it over MQTT.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lobby_contract::{Ack, Channel, Order, ToAgent, Topic};
use rumqttc::v5::{
    AsyncClient, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, PubAckReason},
    },
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Mode, Ready,
    clock::{Clock, SystemClock},
    config::{Config, File, Overrides},
    lifecycle::{Ending, Lifecycle},
    run,
    store::Store,
};

/// Longest wait for anything that should happen.
const SOON: Duration = Duration::from_secs(20);

/// A hub with a folder of its own, on ports of its own.
pub(super) struct Hub {
    ready: Ready,
    stop: oneshot::Sender<()>,
    ending: oneshot::Receiver<anyhow::Result<Ending>>,
    folder: Arc<TempDir>,
}

/// A hub that has been told to stop.
pub(super) struct Stopping {
    ending: oneshot::Receiver<anyhow::Result<Ending>>,
    folder: Arc<TempDir>,
}

impl Hub {
    pub(super) async fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap())).await
    }

    pub(super) async fn start_in(folder: Arc<TempDir>) -> Self {
        let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let over = Overrides {
            data_dir: Some(folder.path().to_owned()),
            listen_http: Some(anywhere),
            listen_mqtt: Some(anywhere),
            ..Overrides::default()
        };
        let file = folder.path().join("hub.toml");
        let config =
            if file.exists() { Config::read(&file, over) } else { Config::new(File::default(), over) }.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell_ready, ready) = oneshot::channel();
        let (tell_ending, ending) = oneshot::channel();
        Lifecycle::new().detach("hub", async move {
            let signal = async {
                // A test that ends without a word stops its hub too.
                let _ = stopped.await;
                "the test"
            };
            let ended = run(config, Mode::Serve, signal, |ready| tell_ready.send(ready).unwrap()).await;
            let _ = tell_ending.send(ended);
        });
        let ready = timeout(SOON, ready).await.expect("the hub starts in time").expect("the hub starts");
        Self { ready, stop, ending, folder }
    }

    pub(super) fn begin_to_stop(self) -> Stopping {
        self.stop.send(()).unwrap();
        Stopping { ending: self.ending, folder: self.folder }
    }

    pub(super) async fn stop(self) -> Ending {
        self.begin_to_stop().ended().await.1
    }

    /// Stops and starts again in the same folder.
    pub(super) async fn restart(self) -> Self {
        let (folder, ending) = self.begin_to_stop().ended().await;
        assert_eq!(ending, Ending::Clean);
        Self::start_in(folder).await
    }

    /// Connections of its own to the hub's database.
    pub(super) async fn database(&self) -> Store {
        Store::open(&format!("sqlite://{}", self.folder.path().join("lobby.db").display())).await.unwrap()
    }

    pub(super) async fn sql(&self, statement: &'static str) {
        let Store::Sqlite(pool) = self.database().await else { panic!("SQLite") };
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&*pool).await.unwrap();
    }

    /// The whole answer to a GET.
    pub(super) async fn get(&self, path: &str) -> String {
        self.ask("GET", path, "").await
    }

    /// The whole answer to a PUT of JSON.
    pub(super) async fn put(&self, path: &str, body: &serde_json::Value) -> String {
        self.ask("PUT", path, &body.to_string()).await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.ready.http).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
        answer
    }

    /// The status and the JSON of an answer.
    pub(super) async fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.ask(method, path, &body.to_string()).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).unwrap_or(Value::Null))
    }

    /// The only alert of a rule.
    pub(super) async fn alert(&self, rule: &str) -> Value {
        let (_, page) = self.json("GET", "/api/v1/alerts", &Value::Null).await;
        let mut of_rule = page["items"].as_array().unwrap().iter().filter(|alert| alert["rule"] == rule);
        let found = of_rule.next().unwrap_or_else(|| panic!("no alert of {rule}: {page}")).clone();
        assert_eq!(of_rule.next(), None);
        found
    }

    /// The value of a metric, named without `lobby_`.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix("lobby_")?.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name} in {page}")).parse().unwrap()
    }

    /// Waits for a condition.
    pub(super) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        let wait = async {
            while !holds(self).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(SOON, wait).await.is_ok(), "waited in vain until {what}");
    }
}

impl Stopping {
    pub(super) async fn ended(self) -> (Arc<TempDir>, Ending) {
        let ending = timeout(SOON, self.ending).await.expect("the hub ends in time").expect("the hub does not panic");
        (self.folder, ending.unwrap())
    }
}

/// What the hub has said to an agent.
enum Heard {
    Ack(Ack),
    Order(Order),
    Taken,
}

/// The agent `demo/box`.
pub(super) struct Agent {
    client: AsyncClient,
    heard: mpsc::UnboundedReceiver<Heard>,
    acks: Vec<Ack>,
    orders: Vec<Order>,
    _connection: DropGuard,
}

fn topic(channel: &str) -> String {
    format!("lobby/v1/demo/box/{channel}")
}

fn now() -> i64 {
    SystemClock.now().millis()
}

/// A record that says so of a device that answered.
pub(super) fn record(seq: u64, device: &str, facts: &Value) -> Value {
    json!({ "seq": seq, "at": now(), "device": device, "reach": "ok", "facts": facts })
}

fn read(packet: Packet) -> Option<Heard> {
    match packet {
        Packet::PubAck(answer) => {
            assert!(matches!(answer.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers));
            Some(Heard::Taken)
        }
        Packet::SubAck(_) => Some(Heard::Taken),
        Packet::Publish(message) => {
            let topic: Topic = std::str::from_utf8(&message.topic).unwrap().parse().unwrap();
            assert!(matches!(topic.channel, Channel::Ack | Channel::Command));
            Some(match ToAgent::decode(topic.channel, &message.payload).unwrap() {
                ToAgent::Ack(ack) => Heard::Ack(ack),
                ToAgent::Command(command) => Heard::Order(command.order),
            })
        }
        _ => None,
    }
}

impl Agent {
    /// Connected, and hears what the hub says to it.
    pub(super) async fn connect(hub: &Hub) -> Self {
        let broker = hub.ready.mqtt.unwrap();
        let options = MqttOptions::new("demo.box", broker.ip().to_string(), broker.port());
        let (client, mut connection) = AsyncClient::new(options, 100);
        let (tell, heard) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let ended = end.clone();
        Lifecycle::new().detach("agent", async move {
            loop {
                let event = tokio::select! {
                    event = connection.poll() => event,
                    () = ended.cancelled() => return,
                };
                match event {
                    Ok(Event::Incoming(packet)) => {
                        if read(packet).is_some_and(|heard| tell.send(heard).is_err()) {
                            return;
                        }
                    }
                    Ok(_) => {}
                    // The hub stopped; whoever waits for it learns so from the queue.
                    Err(_) => return,
                }
            }
        });
        let mut agent = Self { client, heard, acks: Vec::new(), orders: Vec::new(), _connection: end.drop_guard() };
        for channel in Channel::TO_AGENT {
            agent.client.subscribe(topic(channel.as_str()), QoS::AtLeastOnce).await.unwrap();
            agent.taken().await;
        }
        agent
    }

    /// Connected and announced with these devices and their kinds.
    pub(super) async fn born(hub: &Hub, devices: &[(&str, &str)]) -> Self {
        let mut agent = Self::connect(hub).await;
        agent.birth(devices).await;
        agent
    }

    pub(super) async fn birth(&mut self, devices: &[(&str, &str)]) {
        let device = |(id, kind): &(&str, &str)| json!({ "id": id, "kind": kind, "every_ms": 10_000 });
        let devices: Vec<Value> = devices.iter().map(device).collect();
        let birth =
            json!({ "epoch": 1, "session": 1, "sent_at": now(), "agent": { "version": "test" }, "devices": devices });
        self.say("birth", serde_json::to_vec(&birth).unwrap()).await;
    }

    /// Sends records, of which the agent holds all from `oldest`.
    pub(super) async fn data(&mut self, oldest: u64, records: &[Value]) {
        let data = json!({ "epoch": 1, "session": 1, "sent_at": now(), "oldest": oldest, "records": records });
        self.say("data", serde_json::to_vec(&data).unwrap()).await;
    }

    /// Publishes, and waits until the broker has taken it.
    pub(super) async fn say(&mut self, channel: &str, payload: Vec<u8>) {
        self.client.publish(topic(channel), QoS::AtLeastOnce, false, payload).await.unwrap();
        self.taken().await;
    }

    async fn taken(&mut self) {
        while !self.listen().await {}
    }

    /// The next acknowledgement.
    pub(super) async fn ack(&mut self) -> Ack {
        while self.acks.is_empty() {
            self.listen().await;
        }
        self.acks.remove(0)
    }

    /// The next order.
    pub(super) async fn order(&mut self) -> Order {
        while self.orders.is_empty() {
            self.listen().await;
        }
        self.orders.remove(0)
    }

    /// Keeps what is heard next; true if it is the broker's word that it has taken something.
    async fn listen(&mut self) -> bool {
        let heard = timeout(SOON, self.heard.recv()).await.expect("the hub speaks in time").expect("it is connected");
        match heard {
            Heard::Ack(ack) => self.acks.push(ack),
            Heard::Order(order) => self.orders.push(order),
            Heard::Taken => return true,
        }
        false
    }
}
