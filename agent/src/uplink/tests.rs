//! Against a real broker, with the hub's part played by the test.

use std::{collections::BTreeSet, fs, path::Path};

use lobby_contract::{CommandResult, Data, DeathReason, FactValue, FromAgent, Lost, Reach, Record};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::{
    clock::SystemClock,
    peers::{Broker, Hub, until},
    spool::Limits,
};

/// Long enough that nothing is sent twice because the machine is slow.
const NEVER: Duration = Duration::from_mins(1);

/// An agent without devices: a spool and an uplink.
struct Agent {
    spool: SpoolHandle,
    stop: CancellationToken,
    asks: mpsc::Receiver<Ask>,
    tasks: JoinSet<anyhow::Result<()>>,
    _dir: TempDir,
}

fn config(hub: &str) -> Config {
    let text = format!(
        r#"
        agent = {{ site = "demo", id = "box" }}
        hub = {{ {hub} }}
        [[device]]
        id = "led"
        kind = "led-display"
        probe = {{ type = "tcp", address = "127.0.0.1" }}
        "#
    );
    Config::parse(&text, "test").unwrap()
}

fn plain(port: u16) -> String {
    format!("url = \"mqtt://127.0.0.1:{port}\"")
}

impl Agent {
    fn start(hub: &str, limits: Limits, patience: Duration) -> Self {
        let mut agent = Self::prepare(limits);
        agent.connect(hub, patience);
        agent
    }

    fn prepare(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (spool, work) = SpoolHandle::open(dir.path(), limits, 0).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        Self { spool, stop: CancellationToken::new(), asks: mpsc::channel(1).1, tasks, _dir: dir }
    }

    fn connect(&mut self, hub: &str, patience: Duration) {
        let config = config(hub);
        let mut uplink = Uplink::new(&config, self.spool.clone(), Arc::new(SystemClock));
        uplink.shared.patience = patience;
        self.asks = uplink.asks_for(&config.devices[0]);
        self.tasks.spawn(uplink.run(self.stop.clone()));
    }

    async fn append(&self, count: usize) {
        for _ in 0..count {
            assert!(self.spool.append(record()).await.unwrap());
        }
    }

    async fn queued(&self) -> u64 {
        self.spool.status().await.unwrap().queued
    }

    async fn all_acknowledged(&self) {
        until("everything is acknowledged", async || self.queued().await == 0).await;
    }

    async fn stop(mut self) {
        self.stop.cancel();
        drop(self.spool);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

fn record() -> Record {
    Record {
        seq: 0,
        at: 1_763_884_800_000,
        device: "led".parse().unwrap(),
        reach: Reach::Ok,
        facts: [("power".into(), FactValue::from("on"))].into(),
        faults: Vec::new(),
    }
}

fn limits() -> Limits {
    Limits::of(16 * 1024 * 1024)
}

fn last(data: &Data) -> u64 {
    data.records.last().unwrap().seq
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

fn is_result(message: FromAgent) -> Option<CommandResult> {
    if let FromAgent::Result(result) = message { Some(result) } else { None }
}

#[tokio::test]
async fn a_session_begins_with_a_birth_and_what_the_spool_holds_and_then_sends_at_once() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let mut agent = Agent::prepare(limits());
    agent.append(3).await;
    agent.connect(&plain(broker.port), NEVER);
    let FromAgent::Birth(birth) = hub.next().await else { panic!("the first message is no birth") };
    assert_eq!((birth.epoch, birth.session, birth.queued), (agent.spool.epoch(), 1, 3));
    assert_eq!(birth.devices, config(&plain(1)).announced());
    let data = hub.data().await;
    assert_eq!((data.epoch, data.session, data.oldest, seqs(&data.records)), (birth.epoch, 1, Some(1), vec![1, 2, 3]));
    agent.append(1).await;
    assert_eq!(seqs(&hub.data().await.records), [4], "what is under way is not sent twice");
    hub.ack(birth.epoch, 4).await;
    agent.all_acknowledged().await;
    agent.append(1).await;
    let data = hub.data().await;
    assert_eq!((data.oldest, seqs(&data.records)), (Some(5), vec![5]));
    agent.stop().await;
}

#[tokio::test]
async fn records_are_sent_again_until_the_hub_has_them_and_then_no_more() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let agent = Agent::start(&plain(broker.port), limits(), Duration::from_millis(200));
    agent.append(1).await;
    for _ in 0..3 {
        assert_eq!(seqs(&hub.data().await.records), [1]);
    }
    hub.ack(agent.spool.epoch(), 1).await;
    agent.all_acknowledged().await;
    agent.append(1).await;
    // Copies of record 1 that were under way may come before; after record 2 none may.
    let second = hub.wait(|message| match message {
        FromAgent::Data(data) if data.records[0].seq == 2 => Some(data),
        _ => None,
    });
    assert_eq!(seqs(&second.await.records), [2]);
    assert_eq!(seqs(&hub.data().await.records), [2]);
    agent.stop().await;
}

#[tokio::test]
async fn a_killed_broker_loses_no_record() {
    let Some(mut broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let agent = Agent::start(&plain(broker.port), limits(), Duration::from_millis(500));
    agent.append(10).await;
    hub.data().await;
    broker.kill();
    agent.append(200).await;
    broker.start_again().await;
    let (mut stored, mut session) = (BTreeSet::new(), 1);
    while stored.len() < 210 {
        let data = hub.data().await;
        session = data.session;
        stored.extend(seqs(&data.records));
        let committed = (1..=210).take_while(|seq| stored.contains(seq)).last().unwrap_or(0);
        hub.ack(data.epoch, committed).await;
    }
    assert!(session > 1, "a new connection is a new session");
    agent.all_acknowledged().await;
    agent.stop().await;
}

#[tokio::test]
async fn no_more_is_under_way_than_the_window_allows() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let mut agent = Agent::prepare(limits());
    let epoch = agent.spool.epoch();
    let mut writing = JoinSet::new();
    for _ in 0..2500 {
        let spool = agent.spool.clone();
        writing.spawn(async move { spool.append(record()).await.unwrap() });
    }
    assert!(writing.join_all().await.into_iter().all(|on_disk| on_disk));
    agent.connect(&plain(broker.port), NEVER);
    assert_eq!(hub.data().await.records[0].seq, 2401, "the newest go first, beside the window");
    let mut seen = last(&hub.data().await);
    assert!(seen < 100, "before it is known what the way takes, only little of a backlog is under way: {seen}");
    hub.command(r#"{"id":"c1","do":"probe","device":"no-such"}"#).await;
    assert!(matches!(hub.next().await, FromAgent::Result(_)), "more data although the window is full");
    while seen < 2400 {
        hub.ack(epoch, seen).await;
        let next = hub.data().await;
        assert_eq!(next.records[0].seq, seen + 1, "in order, and each once");
        seen = last(&next);
    }
    agent.stop().await;
}

#[tokio::test]
async fn records_lost_by_overflow_are_told_until_acknowledged() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let mut agent = Agent::prepare(Limits { max_bytes: 4000, segment_bytes: 700 });
    let epoch = agent.spool.epoch();
    agent.append(100).await;
    agent.connect(&plain(broker.port), NEVER);
    let lost = hub.wait(|message| if let FromAgent::Lost(lost) = message { Some(lost) } else { None }).await;
    let oldest = hub.data().await.records[0].seq;
    assert_eq!(lost, Lost { epoch, from: 1, to: oldest - 1 });
    hub.command(r#"{"id":"c1","do":"rebirth"}"#).await;
    let again = hub.wait(|message| if let FromAgent::Lost(lost) = message { Some(lost) } else { None }).await;
    assert_eq!(again, lost, "a hub that asks for a rebirth may have forgotten it");
    hub.ack(epoch, 100).await;
    agent.all_acknowledged().await;
    assert_eq!(agent.spool.status().await.unwrap().lost, []);
    agent.stop().await;
}

#[tokio::test]
async fn commands_are_carried_out_and_answered() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let mut agent = Agent::start(&plain(broker.port), limits(), NEVER);
    let epoch = agent.spool.epoch();
    agent.append(5).await;
    while seqs(&hub.data().await.records).last() != Some(&5) {}

    hub.command(r#"{"id":"c1","do":"rebirth"}"#).await;
    assert!(matches!(hub.next().await, FromAgent::Birth(birth) if birth.queued == 5 && birth.session == 1));
    assert_eq!(hub.next().await, FromAgent::Result(CommandResult { id: "c1".into(), ok: true, error: None }));

    hub.command(r#"{"id":"c2","do":"resend","from":2,"to":3}"#).await;
    assert!(hub.wait(is_result).await.ok);
    assert_eq!(seqs(&hub.data().await.records), [2, 3]);
    let earlier = epoch - 1;
    hub.command(&format!(r#"{{"id":"c3","do":"resend","epoch":{earlier},"from":7,"to":9}}"#)).await;
    assert!(hub.wait(is_result).await.ok);
    assert_eq!(hub.next().await, FromAgent::Lost(Lost { epoch: earlier, from: 7, to: 9 }));

    hub.command(r#"{"id":"c4","do":"probe","device":"no-such"}"#).await;
    let refused = hub.wait(is_result).await;
    assert!(!refused.ok && refused.error.unwrap().contains("no device `no-such`"));
    hub.command(r#"{"id":"c5","do":"probe","device":"led"}"#).await;
    agent.asks.recv().await.unwrap().send(Ok(())).unwrap();
    assert_eq!(hub.wait(is_result).await, CommandResult { id: "c5".into(), ok: true, error: None });
    agent.stop().await;
}

#[tokio::test]
async fn a_long_range_is_sent_again_to_its_end_although_it_was_acknowledged() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let agent = Agent::start(&plain(broker.port), limits(), NEVER);
    let epoch = agent.spool.epoch();
    agent.append(250).await;
    let mut last = 0;
    while last < 250 {
        last = *seqs(&hub.data().await.records).last().unwrap();
        hub.ack(epoch, last).await;
    }
    agent.all_acknowledged().await;
    hub.command(r#"{"id":"c1","do":"resend","from":1,"to":999}"#).await;
    let mut again = Vec::new();
    while again.last() != Some(&250) {
        again.extend(seqs(&hub.data().await.records));
    }
    assert_eq!(again, (1..=250).collect::<Vec<_>>());
    agent.stop().await;
}

#[tokio::test]
async fn messages_that_make_no_sense_change_nothing() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let agent = Agent::start(&plain(broker.port), limits(), NEVER);
    let epoch = agent.spool.epoch();
    agent.append(2).await;
    while seqs(&hub.data().await.records).last() != Some(&2) {}
    for payload in
        [b"".to_vec(), b"{".to_vec(), vec![0xff; 1000], b"{\"epoch\":-1,\"committed\":1}".to_vec(), vec![b'x'; 250_000]]
    {
        hub.say(Channel::Ack, payload.clone()).await;
        hub.say(Channel::Command, payload).await;
    }
    hub.ack(epoch, 3).await;
    hub.ack(epoch + 1, 1).await;
    hub.command(r#"{"id":"c0","do":"dance"}"#).await;
    hub.command(r#"{"id":"c1","do":"resend","from":3,"to":2}"#).await;
    assert!(!hub.wait(is_result).await.ok);
    assert_eq!(agent.queued().await, 2);
    hub.ack(epoch, 2).await;
    agent.all_acknowledged().await;
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_stops_says_so_and_for_one_that_breaks_off_the_broker_does() {
    let Some(broker) = Broker::start("").await else { return };
    let mut hub = Hub::on(broker.port).await;
    let stopping = Agent::start(&plain(broker.port), limits(), NEVER);
    hub.wait(|message| matches!(message, FromAgent::Birth(_)).then_some(())).await;
    stopping.stop().await;
    let FromAgent::Death(death) = hub.next().await else { panic!("no death") };
    assert_eq!((death.session, death.reason), (1, DeathReason::Stopping));

    let torn = Agent::start(&plain(broker.port), limits(), NEVER);
    let birth = hub.wait(|message| if let FromAgent::Birth(birth) = message { Some(birth) } else { None }).await;
    drop(torn);
    let FromAgent::Death(death) = hub.next().await else { panic!("no death, or two for the first agent") };
    assert_eq!((death.epoch, death.session, death.reason), (birth.epoch, 1, DeathReason::Lost));
}

/// Writes a CA, a broker's certificate and an agent's certificate into `dir`.
fn certificates(dir: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::CommonName, "test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    for (name, subject) in [("broker", "127.0.0.1"), ("agent", "box")] {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![subject.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        fs::write(dir.join(format!("{name}.pem")), cert.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// A broker that speaks TLS on a second port and wants to see a certificate.
async fn tls_broker(dir: &Path) -> Option<(Broker, u16)> {
    certificates(dir);
    let (port, dir) = (crate::peers::free_port().await, dir.display());
    let extra = format!(
        "listener {port} 127.0.0.1\ncafile {dir}/ca.pem\ncertfile {dir}/broker.pem\nkeyfile {dir}/broker.key\nrequire_certificate true\nuser root\n"
    );
    Some((Broker::start(&extra).await?, port))
}

#[tokio::test]
async fn an_encrypted_session_with_a_certificate_works_like_a_plain_one() {
    let dir = tempfile::tempdir().unwrap();
    let Some((broker, port)) = tls_broker(dir.path()).await else { return };
    let mut hub = Hub::on(broker.port).await;
    let path = dir.path().display();
    let own = format!("client_cert_file = \"{path}/agent.pem\", client_key_file = \"{path}/agent.key\"");
    let agent = Agent::start(
        &format!("url = \"mqtts://127.0.0.1:{port}\", ca_file = \"{path}/ca.pem\", {own}"),
        limits(),
        NEVER,
    );
    agent.append(1).await;
    assert_eq!(seqs(&hub.data().await.records), [1]);
    hub.ack(agent.spool.epoch(), 1).await;
    agent.all_acknowledged().await;
    agent.stop().await;
    let death = hub.wait(|message| if let FromAgent::Death(death) = message { Some(death) } else { None }).await;
    assert_eq!(death.reason, DeathReason::Stopping, "the last words leave through TLS too");
}

#[tokio::test]
async fn a_broker_that_cannot_be_trusted_gets_nothing_and_the_cause_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let Some((_broker, port)) = tls_broker(dir.path()).await else { return };
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    let cases = [
        (
            format!("url = \"mqtts://127.0.0.1:{port}\", ca_file = \"{}/ca.pem\"", other.path().display()),
            "invalid peer certificate: BadSignature",
        ),
        (
            format!("url = \"mqtts://localhost:{port}\", ca_file = \"{}/ca.pem\"", dir.path().display()),
            "not valid for name",
        ),
        (format!("url = \"mqtts://127.0.0.1:{port}\", ca_file = \"{}/none.pem\"", dir.path().display()), "none.pem"),
    ];
    for (hub, cause) in cases {
        let agent = Agent::prepare(limits());
        let uplink = Uplink::new(&config(&hub), agent.spool.clone(), Arc::new(SystemClock));
        let error = uplink.connect(&CancellationToken::new()).await.unwrap_err();
        assert!(format!("{error:#}").contains(cause), "{error:#}");
    }
}
