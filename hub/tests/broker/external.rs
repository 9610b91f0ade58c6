//! The client of an external broker, against Mosquitto.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use lobby_contract::{Ack, Channel, HUB_TOPIC, HubState, Topic, encode};
use lobby_hub::{
    lifecycle::Ending,
    mqtt::{Cause, ExternalSettings, LinkError, Settings},
};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    support::{Client, Hub, SOON, death, topic},
    transports::Authority,
};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// Mosquitto on a port of its own; killed when dropped.
struct Broker {
    process: Child,
    directory: TempDir,
    address: SocketAddr,
    tls: SocketAddr,
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn launch(directory: &Path) -> Child {
    Command::new(MOSQUITTO)
        .arg("-c")
        .arg(directory.join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto starts")
}

impl Broker {
    /// `None`, with a word on it, if this computer has no Mosquitto; a failure where everything must be tested.
    async fn start() -> Option<Self> {
        if !Path::new(MOSQUITTO).exists() {
            assert!(std::env::var_os("CI").is_none(), "{MOSQUITTO} is missing: install mosquitto");
            #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
            {
                eprintln!("skipped: {MOSQUITTO} is missing");
            }
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        Authority::new().write(directory.path());
        let (address, tls) = (free_port(), free_port());
        let at = directory.path().display();
        let config = format!(
            "user {}\npersistence false\nallow_anonymous true\nmax_inflight_messages 20\nlistener {} 127.0.0.1\nlistener {} \
             127.0.0.1\ncertfile {at}/cert.pem\nkeyfile {at}/key.pem\n",
            std::env::var("USER").unwrap_or_else(|_| "root".to_owned()),
            address.port(),
            tls.port(),
        );
        std::fs::write(directory.path().join("mosquitto.conf"), config).unwrap();
        let broker = Self { process: launch(directory.path()), directory, address, tls };
        broker.ready().await;
        Some(broker)
    }

    async fn ready(&self) {
        let listens = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, listens).await.expect("mosquitto listens");
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.process = launch(self.directory.path());
        self.ready().await;
    }

    fn settings(&self, more: &str) -> Settings {
        let port = self.address.port();
        Settings::External(toml::from_str(&format!("host = '127.0.0.1'\nport = {port}\n{more}")).unwrap())
    }

    async fn hub(&self) -> Hub {
        up(Hub::start(self.settings("")).await, 1).await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn up(mut hub: Hub, connects: u64) -> Hub {
    let seen = hub.mqtt.events.wait_for(|state| state.up && state.connects == connects);
    timeout(SOON, seen).await.expect("the hub connects in time").unwrap();
    hub
}

/// Waits for the hub's state, as a client that was told it sees it.
async fn says(client: &mut Client, online: bool) {
    loop {
        let (topic, payload, _) = client.message().await;
        assert_eq!(topic, HUB_TOPIC);
        if serde_json::from_slice::<HubState>(&payload).unwrap().online == online {
            return;
        }
    }
}

#[tokio::test]
async fn what_is_not_settled_comes_again_to_the_next_hub_and_what_is_settled_does_not() {
    let Some(broker) = Broker::start().await else { return };
    let mut hub = broker.hub().await;
    let mut agent = Client::open(broker.address, "a");
    agent.connected().await;
    for n in 1..=6 {
        assert_eq!(agent.publish(&topic("a", "death"), death(n)).await, PubAckReason::Success);
    }
    for n in 1..=6 {
        let inbound = hub.next().await;
        let receipt = inbound.receipt.expect("an external broker waits for the commit");
        assert!(inbound.connected_at.is_some_and(|at| at <= inbound.received_at), "it may have kept messages");
        if n <= 3 {
            receipt.settle();
        }
    }
    assert_eq!(hub.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    drop(hub);

    let mut hub = broker.hub().await;
    for n in 4..=6 {
        assert_eq!(hub.next_death().await, ("a".to_owned(), n));
    }
    agent.publish(&topic("a", "death"), death(7)).await;
    assert_eq!(hub.next_death().await, ("a".to_owned(), 7), "nothing settled came again in between");
}

#[tokio::test]
async fn the_broker_holds_back_what_the_hub_has_not_settled_and_the_connection_lives_on() {
    let Some(broker) = Broker::start().await else { return };
    let more = "receive_maximum = 10\nkeep_alive = '5s'";
    let mut hub = up(Hub::start_with(broker.settings(more), 1).await, 1).await;
    let mut agent = Client::open(broker.address, "a");
    agent.connected().await;
    for n in 0..200 {
        agent.publish(&topic("a", "death"), death(n)).await;
    }
    // Ingest stands still for longer than the broker would bear a client that is not polled.
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(started.elapsed() > Duration::from_millis(7500) && hub.mqtt.events.borrow().up);
    assert_eq!(hub.mqtt.events.borrow().connects, 1);
    for n in 0..200 {
        let inbound = hub.next().await;
        assert_eq!(inbound.message, lobby_contract::FromAgent::decode(Channel::Death, &death(n)).unwrap());
        inbound.receipt.unwrap().settle();
    }
    assert_eq!((hub.mqtt.counters.accepted(), hub.mqtt.counters.refused(Cause::Overflow)), (200, 0));
    assert_eq!(hub.mqtt.events.borrow().connects, 1);
}

#[tokio::test]
async fn a_broker_that_is_killed_and_comes_back_is_found_again_and_hears_the_hubs_state() {
    let Some(mut broker) = Broker::start().await else { return };
    let mut hub = broker.hub().await;
    let old = {
        let mut agent = Client::open(broker.address, "a");
        agent.connected().await;
        agent.publish(&topic("a", "death"), death(1)).await;
        hub.next().await.receipt.unwrap()
    };
    broker.kill();
    timeout(SOON, hub.mqtt.events.wait_for(|state| !state.up)).await.unwrap().unwrap();
    let to = Topic::new("s".parse().unwrap(), "a".parse().unwrap(), Channel::Ack);
    let offline = async {
        while hub.mqtt.link.send(&to, Vec::new()).await != Err(LinkError::Offline) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, offline).await.expect("sending fails at once while the broker is away");
    broker.restart().await;
    let mut hub = up(hub, 2).await;
    // A receipt of the connection that broke must not acknowledge anything on the new one.
    let mut agent = Client::open(broker.address, "a");
    agent.connected().await;
    agent.publish(&topic("a", "death"), death(2)).await;
    old.settle();
    assert_eq!(hub.next_death().await, ("a".to_owned(), 2));
    agent.subscribe(HUB_TOPIC).await;
    says(&mut agent, true).await;
    assert_eq!(hub.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    says(&mut agent, false).await;

    let mut next = broker.hub().await;
    assert_eq!(next.next_death().await, ("a".to_owned(), 2), "the stale receipt acknowledged nothing");
}

#[test]
fn a_hub_that_is_lost_is_said_to_be_offline_by_the_broker() {
    let own = tokio::runtime::Runtime::new().unwrap();
    let hubs = tokio::runtime::Runtime::new().unwrap();
    let Some(broker) = own.block_on(Broker::start()) else { return };
    let hub = hubs.block_on(broker.hub());
    let mut watcher = own.block_on(async {
        let mut watcher = Client::open(broker.address, "watcher");
        watcher.connected().await;
        watcher.subscribe(HUB_TOPIC).await;
        says(&mut watcher, true).await;
        watcher
    });
    // Its tasks end where they stand, and nothing more is said, as when the process is killed.
    hubs.shutdown_background();
    own.block_on(says(&mut watcher, false));
    drop(hub);
}

#[tokio::test]
async fn what_cannot_be_read_is_settled_at_once_and_what_the_hub_says_arrives() {
    let Some(broker) = Broker::start().await else { return };
    let mut hub = broker.hub().await;
    let mut agent = Client::open(broker.address, "a");
    agent.connected().await;
    agent.subscribe(&topic("a", "ack")).await;
    agent.publish(&topic("a", "death"), b"not json".to_vec()).await;
    agent.publish(&topic("a", "death"), death(1)).await;
    hub.next().await.receipt.unwrap().settle();
    assert_eq!(hub.mqtt.counters.refused(Cause::Payload), 1);

    let to = Topic::new("s".parse().unwrap(), "a".parse().unwrap(), Channel::Ack);
    let said = encode(&Ack { epoch: 1, committed: 3 });
    let sent = async {
        while hub.mqtt.link.send(&to, said.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, sent).await.expect("the sending connection comes up");
    assert_eq!(agent.message().await.1, said);
    assert_eq!(hub.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    let mut next = broker.hub().await;
    agent.publish(&topic("a", "death"), death(2)).await;
    assert_eq!(next.next_death().await.1, 2, "what could not be read did not come again");
}

#[tokio::test]
async fn over_tls_the_broker_is_used_if_its_certificate_is_trusted_and_not_otherwise() {
    let Some(broker) = Broker::start().await else { return };
    let settings = |ca: &Path| {
        let text = format!("host = 'localhost'\nport = {}\n[tls]\nca_file = {ca:?}\n", broker.tls.port());
        Settings::External(toml::from_str::<ExternalSettings>(&text).unwrap())
    };
    let mut hub = up(Hub::start(settings(&broker.directory.path().join("ca.pem"))).await, 1).await;
    let mut agent = Client::open(broker.address, "a");
    agent.connected().await;
    agent.publish(&topic("a", "death"), death(1)).await;
    assert_eq!(hub.next_death().await, ("a".to_owned(), 1));
    agent.subscribe(HUB_TOPIC).await;
    assert_eq!(hub.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    says(&mut agent, false).await;

    let strange = tempfile::tempdir().unwrap();
    Authority::new().write(strange.path());
    let mut hub = Hub::start(settings(&strange.path().join("ca.pem"))).await;
    let connected = timeout(Duration::from_secs(1), hub.mqtt.events.wait_for(|state| state.up)).await;
    assert!(connected.is_err(), "a certificate of a stranger is not trusted");
}
