//! The whole agent: real probes of real sockets, a real broker, and the hub's part played by the test.

use std::net::Ipv4Addr;

use lobby_contract::{FromAgent, Reach, Record};
use tokio::{net::TcpListener, task::JoinSet};

use super::*;
use crate::peers::{Broker, Hub, free_port, mute};

fn device(id: &str, probe: &str) -> String {
    format!(
        "[[device]]\nid = \"{id}\"\nkind = \"tv\"\nevery = \"200ms\"\ntimeout = \"200ms\"\nheartbeat = \"10m\"\nfacts = {{ capacity = 500 }}\n\
         dead_band = {{ latency_ms = 1000 }}\nprobe = {{ {probe} }}\n"
    )
}

fn is_data_of(id: &'static str) -> impl Fn(FromAgent) -> Option<Record> {
    move |message| match message {
        FromAgent::Data(data) => data.records.into_iter().find(|record| record.device.as_str() == id),
        _ => None,
    }
}

struct Running {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    _state: tempfile::TempDir,
}

fn start(port: u16, devices: &str) -> Running {
    let state = tempfile::tempdir().unwrap();
    let text = format!(
        "agent = {{ site = \"demo\", id = \"box\", state_dir = \"{}\" }}\nhub = {{ url = \"mqtt://127.0.0.1:{port}\" }}\n{devices}",
        state.path().display()
    );
    let config = Config::parse(&text, "test").unwrap();
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(run(config, stop.clone()));
    Running { stop, tasks, _state: state }
}

impl Running {
    async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_device_that_hangs_is_unreachable_and_delays_no_other() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let (hung, mut connections, _accepting) = mute().await;
    let alive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = alive.local_addr().unwrap().port();
    let hangs = format!("type = \"pjlink\", address = \"{hung}\"");
    let hangs = device("hung", &hangs).replace("200ms", "60s").replace("10m", "1h");
    let answers = device("alive", &format!("type = \"tcp\", address = \"127.0.0.1\", ports = [{port}]"));
    let answers = answers.replace("10m", "200ms");
    let agent = start(broker.port, &format!("{hangs}{answers}"));
    // From here on one probe hangs, for a minute; the other is asked and reported all the same.
    connections.recv().await.unwrap();
    let since = SystemClock.now();
    let later = |message| is_data_of("alive")(message).filter(|record| record.at > since + 200);
    let record = hub.wait(later).await;
    assert_eq!(record.reach, Reach::Ok);
    assert_eq!(record.facts.get("capacity"), Some(&500.0.into()), "constants are sent with it");
    agent.stop().await;

    let hung = device("hung", &format!("type = \"pjlink\", address = \"{hung}\""));
    let agent = start(broker.port, &hung);
    let record = hub.wait(is_data_of("hung")).await;
    assert_eq!(record.reach, Reach::Unreachable);
    assert_eq!(record.facts.get("capacity"), Some(&500.0.into()), "constants are sent even then");
    agent.stop().await;
}

#[tokio::test]
async fn a_probe_asked_for_by_the_hub_is_on_disk_before_it_is_answered() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let alive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = alive.local_addr().unwrap().port();
    let device = device("alive", &format!("type = \"tcp\", address = \"127.0.0.1\", ports = [{port}]"));
    let agent = start(broker.port, &device.replace("every = \"200ms\"", "every = \"10m\""));
    let first = loop {
        hub.command(r#"{"id":"c1","do":"probe","device":"alive"}"#).await;
        // Until the agent is subscribed there is nobody to hear the command.
        if let FromAgent::Data(data) = hub.next().await {
            break data.records[0].clone();
        }
    };
    assert_eq!((first.seq, first.reach), (1, Reach::Ok));
    let result = hub.wait(|message| if let FromAgent::Result(result) = message { Some(result) } else { None }).await;
    assert!(result.ok, "{result:?}");
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_without_a_broker_stops_when_asked() {
    let agent = start(free_port().await, &device("led", "type = \"tcp\", address = \"127.0.0.1\", ports = [1]"));
    agent.stop().await;
}
