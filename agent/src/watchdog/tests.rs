//! The whole watchdog: a real spool, a real webhook on a socket, real datagrams between agents. What the uplink sees is set by the test.

use std::{
    collections::VecDeque,
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicI64, Ordering},
};

use lobby_contract::{Ack, Reach, Record};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::*;
use crate::{
    config::{Format, WebhookUrl},
    peers::until,
    spool::Limits,
};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(15);
/// 2026-11-23 12:00 UTC.
const NOON: i64 = 1_795_435_200_000;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One request that the webhook has seen.
#[derive(Debug)]
struct Told {
    id: String,
    authorization: Option<String>,
    body: Value,
    status: u16,
}

/// A webhook that answers with the given statuses, and then with 204.
struct Receiver {
    address: SocketAddr,
    told: mpsc::UnboundedReceiver<Told>,
    _serving: JoinSet<()>,
}

impl Receiver {
    async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut statuses: VecDeque<u16> = statuses.iter().copied().collect();
        let (tell, told) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let status = statuses.pop_front().unwrap_or(204);
                if let Some(seen) = serve(stream, status).await {
                    let _ = tell.send(seen);
                }
            }
        });
        Self { address, told, _serving: serving }
    }

    async fn next(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("the webhook is told").unwrap()
    }

    /// The next message, which is to be taken at the first attempt.
    async fn event(&mut self) -> (String, String) {
        let told = self.next().await;
        assert_eq!(told.status, 204);
        (told.body["event"].as_str().unwrap().to_owned(), told.id)
    }
}

/// Reads one request and answers it.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, status: u16) -> Option<Told> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = field(head, "content-length")?.parse().ok()?;
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    assert!(head.starts_with("POST /fallback HTTP/1.1\r\n"), "{head}");
    let answer = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    let _ = stream.shutdown().await;
    let body = serde_json::from_str(&body).unwrap();
    let authorization = field(&head, "authorization").map(str::to_owned);
    Some(Told { id: field(&head, "idempotency-key")?.to_owned(), authorization, body, status })
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn settings(webhook: SocketAddr) -> config::Watchdog {
    config::Watchdog {
        url: Some(WebhookUrl::Text(format!("http://{webhook}/fallback").into())),
        hub_silence: Duration::from_secs(1),
        stagger: Duration::from_millis(1500),
        retry: Duration::from_millis(100),
        lan_interface: Ipv4Addr::LOCALHOST,
        lan_every: Duration::from_millis(100),
        ..config::Watchdog::default()
    }
}

/// An agent without devices or broker: a spool, a watchdog, and what the uplink would see.
struct Agent {
    config: Config,
    clock: Arc<Hands>,
    dir: TempDir,
    seen: watch::Sender<Seen>,
    spool: SpoolHandle,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Agent {
    fn start(id: &str, watchdog: config::Watchdog) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("agent = {{ site = \"demo\", id = \"{id}\", state_dir = \"{}\" }}", dir.path().display());
        let config = Config { watchdog, ..Config::parse(&text, "test").unwrap() };
        config.check().unwrap();
        Self::begin(config, Arc::new(Hands(AtomicI64::new(NOON))), dir)
    }

    fn begin(config: Config, clock: Arc<Hands>, dir: TempDir) -> Self {
        let (spool, work) = SpoolHandle::open(dir.path(), Limits::of(16 << 20), clock.now()).unwrap();
        let (seen, sight) = watch::channel(Seen::default());
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(work);
        tasks.spawn(Watchdog::new(&config, spool.clone(), sight, clock.clone()).run(stop.clone()));
        Self { config, clock, dir, seen, spool, stop, tasks }
    }

    async fn end(self) -> (Config, Arc<Hands>, TempDir) {
        let Self { config, clock, dir, seen, spool, stop, mut tasks } = self;
        stop.cancel();
        drop((seen, spool));
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap().unwrap();
        }
        (config, clock, dir)
    }

    async fn restart(self) -> Self {
        let (config, clock, dir) = self.end().await;
        Self::begin(config, clock, dir)
    }

    /// A record is made.
    async fn record(&self) {
        let device = "tv".parse().unwrap();
        let record = Record { seq: 0, at: NOON, device, reach: Reach::Ok, facts: [].into(), faults: Vec::new() };
        assert!(self.spool.append(record).await.unwrap());
    }

    /// The hub is there and acknowledges everything.
    async fn hear_the_hub(&self) {
        let epoch = self.spool.epoch();
        self.spool.ack(Ack { epoch, committed: 1 }).await.unwrap();
        self.seen.send_modify(|seen| *seen = Seen { online: true, acks: seen.acks + 1 });
    }

    fn lose_the_hub(&self) {
        self.seen.send_modify(|seen| seen.online = false);
    }

    fn sign(&self) -> Option<String> {
        hub_silent(self.dir.path())
    }

    async fn is_silent(&self) {
        until("the sign is up", async || self.sign().is_some()).await;
    }
}

#[tokio::test]
async fn a_silence_is_told_once_and_its_end_once_and_each_is_repeated_as_the_same_until_it_is_taken() {
    let mut webhook = Receiver::start(&[503, 429, 204, 500, 204]).await;
    let agent = Agent::start("box", settings(webhook.address));
    agent.record().await;
    let mut first = Vec::new();
    for status in [503, 429, 204] {
        let told = webhook.next().await;
        assert_eq!((told.status, &told.body["event"], &told.body["queued"]), (status, &"hub_silent".into(), &1.into()));
        assert!(told.body["text"]["zh"].as_str().unwrap().contains("管理中心失联"), "{told:?}");
        first.push(told.id);
    }
    assert!(first.iter().all(|id| *id == format!("demo.box.{NOON}")), "{first:?}");
    until("the sign says so", async || agent.sign().is_some_and(|sign| sign.ends_with("has been told"))).await;
    agent.hear_the_hub().await;
    for status in [500, 204] {
        let told = webhook.next().await;
        assert_eq!((told.status, told.id), (status, format!("demo.box.{NOON}.end")));
    }
    assert_eq!(agent.sign(), None);
    // The next message is that of the next silence: nothing was told in between.
    agent.record().await;
    agent.clock.0.fetch_add(60_000, Ordering::SeqCst);
    agent.lose_the_hub();
    assert_eq!(webhook.event().await, ("hub_silent".to_owned(), format!("demo.box.{}", NOON + 60_000)));
    agent.end().await;
}

#[tokio::test]
async fn a_restart_of_the_agent_repeats_nothing_and_the_end_is_told_all_the_same() {
    let mut webhook = Receiver::start(&[]).await;
    let mut agent = Agent::start("box", settings(webhook.address));
    agent.record().await;
    assert_eq!(webhook.event().await.0, "hub_silent");
    until("it is on disk", async || agent.sign().is_some_and(|sign| sign.ends_with("has been told"))).await;
    for _ in 0..3 {
        agent = agent.restart().await;
        assert!(agent.sign().is_some());
    }
    // The agent's record is of an earlier epoch, and stays: it is the hub that acknowledges.
    agent.record().await;
    agent.hear_the_hub().await;
    assert_eq!(webhook.event().await, ("hub_back".to_owned(), format!("demo.box.{NOON}.end")));
    let agent = agent.restart().await;
    assert_eq!(agent.sign(), None);
    agent.end().await;
}

#[tokio::test]
async fn what_nobody_was_told_of_has_no_end_to_be_told() {
    let mut webhook = Receiver::start(&[500; 4]).await;
    let settings = config::Watchdog { retry: Duration::from_millis(300), ..settings(webhook.address) };
    let agent = Agent::start("box", settings);
    agent.record().await;
    assert_eq!(webhook.next().await.status, 500);
    agent.hear_the_hub().await;
    until("the silence is over", async || agent.sign().is_none()).await;
    agent.record().await;
    agent.clock.0.fetch_add(1000, Ordering::SeqCst);
    agent.lose_the_hub();
    let later = loop {
        let told = webhook.next().await;
        if told.id != format!("demo.box.{NOON}") {
            break told;
        }
    };
    assert_eq!(later.body["event"], "hub_silent", "the first silence passed without a word");
    agent.end().await;
}

/// Nobody is told before 13:00.
fn from_one_o_clock(webhook: SocketAddr) -> config::Watchdog {
    let toml: toml::Table = "hours = \"13:00-22:00\"\nzone = \"UTC\"".parse().unwrap();
    let with_hours: config::Watchdog = toml.try_into().unwrap();
    config::Watchdog { hours: with_hours.hours, zone: with_hours.zone, ..settings(webhook) }
}

#[tokio::test]
async fn a_silence_that_nobody_was_told_of_is_told_after_a_restart_only_if_it_is_found_again() {
    let mut webhook = Receiver::start(&[]).await;
    let agent = Agent::start("box", from_one_o_clock(webhook.address));
    agent.record().await;
    agent.is_silent().await;
    // While the agent is away its hours begin, and the hub is back.
    let (config, clock, dir) = agent.end().await;
    clock.0.store(NOON + 3_600_000, Ordering::SeqCst);
    let agent = Agent::begin(config, clock, dir);
    agent.record().await;
    agent.hear_the_hub().await;
    until("the silence is over", async || agent.sign().is_none()).await;
    agent.record().await;
    agent.clock.0.fetch_add(1000, Ordering::SeqCst);
    agent.lose_the_hub();
    let next = format!("demo.box.{}", NOON + 3_601_000);
    assert_eq!(webhook.event().await, ("hub_silent".to_owned(), next), "nothing was told in between");
    // One that lasts is told by whom it was found before the restart.
    agent.hear_the_hub().await;
    assert_eq!(webhook.event().await.0, "hub_back");
    agent.clock.0.store(NOON + 86_400_000, Ordering::SeqCst);
    agent.record().await;
    agent.lose_the_hub();
    agent.is_silent().await;
    let (config, clock, dir) = agent.end().await;
    clock.0.fetch_add(3_600_000, Ordering::SeqCst);
    let agent = Agent::begin(config, clock, dir);
    let lasting = format!("demo.box.{}", NOON + 86_400_000);
    assert_eq!(webhook.event().await, ("hub_silent".to_owned(), lasting));
    agent.end().await;
}

#[tokio::test]
async fn outside_the_hours_the_sign_is_up_and_nobody_is_told_before_they_begin() {
    let mut webhook = Receiver::start(&[]).await;
    let agent = Agent::start("box", from_one_o_clock(webhook.address));
    agent.record().await;
    agent.is_silent().await;
    assert!(agent.sign().unwrap().contains("nobody has been told"), "{:?}", agent.sign());
    agent.clock.0.store(NOON + 3_600_000, Ordering::SeqCst);
    let told = webhook.next().await;
    assert_eq!(told.body["since"], NOON, "it is told since when, not only that");
    agent.end().await;
}

#[tokio::test]
async fn without_a_webhook_the_sign_alone_tells() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let agent = Agent::start("box", config::Watchdog { url: None, ..settings(nobody) });
    agent.record().await;
    agent.is_silent().await;
    agent.hear_the_hub().await;
    until("the sign is down", async || agent.sign().is_none()).await;
    agent.end().await;
}

#[tokio::test]
async fn a_token_goes_along_and_is_read_when_it_is_needed() {
    let mut webhook = Receiver::start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let token = crate::secret::SecretSource::File(dir.path().join("token"));
    let agent = Agent::start("box", config::Watchdog { token: Some(token), ..settings(webhook.address) });
    agent.record().await;
    agent.is_silent().await;
    fs::write(dir.path().join("token"), "hunter2\n").unwrap();
    assert_eq!(webhook.next().await.authorization.as_deref(), Some("Bearer hunter2"));
    agent.end().await;
}

/// A group of its own for each test.
async fn group() -> SocketAddrV4 {
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    SocketAddrV4::new(Ipv4Addr::new(239, 255, 76, 66), port)
}

async fn on_lan(webhook: &Receiver) -> config::Watchdog {
    config::Watchdog { lan: true, lan_group: group().await, ..settings(webhook.address) }
}

#[tokio::test]
async fn of_agents_that_hear_one_another_the_lowest_tells_for_all_once_and_once_the_end() {
    let mut webhook = Receiver::start(&[]).await;
    let settings = on_lan(&webhook).await;
    let agents: Vec<Agent> = ["box-c", "box-a", "box-b"].map(|id| Agent::start(id, settings.clone())).into();
    for _ in 0..2 {
        for agent in &agents {
            agent.record().await;
            agent.clock.0.fetch_add(5000, Ordering::SeqCst);
            agent.lose_the_hub();
        }
        let (event, id) = webhook.event().await;
        assert!(event == "hub_silent" && id.starts_with("demo.box-a."), "{event} {id}");
        for agent in &agents {
            let knows =
                async || agent.sign().is_some_and(|sign| sign.contains("has been told") || sign.contains("another"));
            until("every agent knows that it has been told", knows).await;
        }
        for agent in &agents {
            agent.hear_the_hub().await;
        }
        // What comes next is the end, and after it the next silence: no other agent has told either.
        assert_eq!(webhook.event().await, ("hub_back".to_owned(), format!("{id}.end")));
    }
    for agent in agents {
        agent.end().await;
    }
}

/// Three agents of a silence that `box-a` has told, as all of them know; and the id of its message.
async fn told_by_a(webhook: &mut Receiver) -> ([Agent; 3], String) {
    let settings = on_lan(webhook).await;
    let agents = ["box-a", "box-b", "box-c"].map(|id| Agent::start(id, settings.clone()));
    for agent in &agents {
        agent.record().await;
    }
    let (event, id) = webhook.event().await;
    assert!(event == "hub_silent" && id.starts_with("demo.box-a."), "{event} {id}");
    for agent in &agents {
        let knows = async || {
            agent.sign().is_some_and(|sign| sign.contains("webhook has been told") || sign.contains("another agent"))
        };
        until("every agent knows that it has been told", knows).await;
    }
    (agents, id)
}

#[tokio::test]
async fn when_the_one_that_told_is_gone_the_lowest_of_the_others_tells_the_end_and_when_it_is_back_it_does_not() {
    let mut webhook = Receiver::start(&[]).await;
    let ([teller, next, last], id) = told_by_a(&mut webhook).await;
    let (config, clock, dir) = teller.end().await;
    for agent in [&next, &last] {
        agent.hear_the_hub().await;
    }
    let told = webhook.next().await;
    assert_eq!(
        (told.id, &told.body["event"], &told.body["agent"]),
        (format!("{id}.end"), &"hub_back".into(), &"box-b".into())
    );
    let teller = Agent::begin(config, clock, dir);
    assert!(teller.sign().is_some(), "it has not heard the hub yet");
    let learnt = async || teller.sign().is_some_and(|sign| sign.contains("another agent"));
    until("it learns that the end has been told", learnt).await;
    teller.record().await;
    teller.hear_the_hub().await;
    until("its silence is over", async || teller.sign().is_none()).await;
    // What comes next is the next silence: nobody has told the end once more.
    for agent in [&teller, &next, &last] {
        agent.record().await;
        agent.clock.0.fetch_add(60_000, Ordering::SeqCst);
        agent.lose_the_hub();
    }
    assert_eq!(webhook.event().await, ("hub_silent".to_owned(), format!("demo.box-a.{}", NOON + 60_000)));
    for agent in [teller, next, last] {
        agent.end().await;
    }
}

#[tokio::test]
async fn an_end_that_was_left_behind_is_told_although_the_heir_was_restarted_and_the_webhook_refuses_at_first() {
    let mut webhook = Receiver::start(&[204, 500]).await;
    let ([teller, next, last], id) = told_by_a(&mut webhook).await;
    teller.end().await;
    last.end().await;
    let next = next.restart().await;
    next.record().await;
    next.hear_the_hub().await;
    until("the silence is over", async || next.sign().is_none()).await;
    let next = next.restart().await;
    for status in [500, 204] {
        let told = webhook.next().await;
        assert_eq!((told.id, told.status), (format!("{id}.end"), status));
    }
    next.end().await;
}

#[tokio::test]
async fn an_agent_that_starts_when_the_one_that_told_is_gone_learns_from_the_others_that_it_was_told() {
    let mut webhook = Receiver::start(&[]).await;
    let ([teller, next, last], id) = told_by_a(&mut webhook).await;
    let settings = teller.config.watchdog.clone();
    teller.end().await;
    last.end().await;
    let new = Agent::start("box-0", settings);
    new.record().await;
    until("it knows", async || new.sign().is_some_and(|sign| sign.contains("another agent"))).await;
    next.end().await;
    // It is the only one left.
    new.hear_the_hub().await;
    assert_eq!(webhook.event().await, ("hub_back".to_owned(), format!("{id}.end")));
    new.end().await;
}

#[tokio::test]
async fn what_is_said_of_silences_while_the_hub_is_heard_and_what_is_no_beacon_makes_nobody_tell() {
    let mut webhook = Receiver::start(&[]).await;
    let settings = on_lan(&webhook).await;
    let agent = Agent::start("box-b", settings.clone());
    agent.record().await;
    agent.hear_the_hub().await;
    let liar = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket2::SockRef::from(&liar).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    // For a while in which the hub is heard all the time; the last words are followed by the silence itself.
    let heard_until = Instant::now() + Duration::from_secs(2);
    let mut since = 0;
    while Instant::now() < heard_until {
        agent.hear_the_hub().await;
        since += 1;
        let made_up = format!(
            r#"{{"lobby_beacon":1,"site":"demo","agent":"liar","hub":"silent","told":true,"outage":{{"by":"gone","since":{since}}}}}"#
        );
        for datagram in [made_up.as_bytes(), &made_up.as_bytes()[..60], &[0xff; 600], b"{}", b""] {
            liar.send_to(datagram, settings.lan_group).await.unwrap();
        }
        sleep(Duration::from_millis(20)).await;
    }
    agent.record().await;
    agent.lose_the_hub();
    let (event, id) = webhook.event().await;
    assert!(event == "hub_silent" && id.starts_with("demo.box-b."), "{event} {id}");
    agent.end().await;
}

#[tokio::test]
async fn where_the_lowest_cannot_tell_the_next_one_does_a_little_later() {
    let mut webhook = Receiver::start(&[]).await;
    let settings = on_lan(&webhook).await;
    let refused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let cut_off = WebhookUrl::Text(format!("http://{refused}/fallback").into());
    let lowest = Agent::start("box-a", config::Watchdog { url: Some(cut_off), ..settings.clone() });
    let next = Agent::start("box-b", settings);
    for agent in [&lowest, &next] {
        agent.record().await;
    }
    let (event, id) = webhook.event().await;
    assert!(event == "hub_silent" && id.starts_with("demo.box-b."), "{event} {id}");
    until("the lowest leaves it at that", async || lowest.sign().is_some_and(|sign| sign.contains("another agent")))
        .await;
    lowest.end().await;
    next.end().await;
}

#[tokio::test]
async fn an_agent_whose_own_way_is_broken_does_not_call_the_hub_silent_while_another_hears_it() {
    let mut webhook = Receiver::start(&[]).await;
    let settings = on_lan(&webhook).await;
    let (well, cut_off) = (Agent::start("box-b", settings.clone()), Agent::start("box-a", settings));
    cut_off.record().await;
    let heard_until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < heard_until {
        well.hear_the_hub().await;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(cut_off.sign().unwrap().contains("nobody has been told"), "{:?}", cut_off.sign());
    assert!(webhook.told.try_recv().is_err());
    // When the other one hears it no more either, it is told.
    assert!(webhook.event().await.1.starts_with("demo.box-a."));
    well.end().await;
    cut_off.end().await;
}

#[tokio::test]
async fn without_a_network_a_later_place_tells_later_and_not_at_all_if_the_hub_is_back() {
    let mut webhook = Receiver::start(&[]).await;
    let first = Agent::start("box-z", settings(webhook.address));
    let second = Agent::start("box-a", config::Watchdog { order: 1, ..settings(webhook.address) });
    for agent in [&first, &second] {
        agent.record().await;
    }
    assert!(webhook.event().await.1.starts_with("demo.box-z."));
    second.is_silent().await;
    second.hear_the_hub().await;
    first.hear_the_hub().await;
    let (event, id) = webhook.event().await;
    assert!(event == "hub_back" && id.starts_with("demo.box-z."), "{event} {id}");
    until("the second's is over", async || second.sign().is_none()).await;
    // Should the silence last, the second tells too: it cannot know that the first has.
    for agent in [&first, &second] {
        agent.record().await;
        agent.lose_the_hub();
    }
    assert!(webhook.event().await.1.starts_with("demo.box-z."));
    assert!(webhook.event().await.1.starts_with("demo.box-a."));
    first.end().await;
    second.end().await;
}

/// A webhook behind TLS, whose certificate is signed by the CA in the folder.
async fn encrypted(dir: &std::path::Path) -> (SocketAddr, JoinSet<Option<Told>>) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (stream, _) = listener.accept().await.ok()?;
        serve(acceptor.accept(stream).await.ok()?, 200).await
    });
    (address, serving)
}

#[rstest]
#[case::trusted(true)]
#[case::unknown(false)]
#[tokio::test]
async fn over_tls_only_a_webhook_that_is_trusted_is_told(#[case] trusted: bool) {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (address, mut serving) = encrypted(dir.path()).await;
    let (_, _unused) = encrypted(other.path()).await;
    let ca_file = Some(if trusted { dir.path() } else { other.path() }.join("ca.pem"));
    let url = Some(WebhookUrl::Text(format!("https://{address}/fallback").into()));
    let webhook = Webhook::of(&config::Watchdog { url, ca_file, format: Format::Json, ..settings(address) }).unwrap();
    let mut outages = Outages::default();
    outages.begin(NOON);
    let message = outages.beginning(&"demo".parse().unwrap(), &"box".parse().unwrap(), 3).unwrap();
    let sent = webhook.send(message).await;
    let told = timeout(PATIENCE, serving.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!((sent.is_ok(), told.is_some()), (trusted, trusted), "{sent:?}");
    if let Err(error) = sent {
        assert!(!error.may_have_arrived());
        assert!(!chain(&error).contains("fallback?"), "the address is not shown");
    }
}
