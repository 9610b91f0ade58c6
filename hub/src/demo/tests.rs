//! The simulated equipment against the agent's real probes, and the whole demonstration against the hub's own broker.

use std::collections::{BTreeMap, BTreeSet};

use lobby_agent::{
    config::Device,
    probe::{Probe, ProbeConfig, ProbeError, Reading},
};
use lobby_contract::{FactValue, FromAgent, Reach};
use lobby_domain::pack::Pack;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::*;
use crate::{
    clock::SystemClock,
    config::{Config, Overrides},
    fleet::Fleet,
    lifecycle::Ending,
    mqtt::{self, EmbeddedSettings, Settings},
    store::Store,
};

/// Longest wait for anything.
const SOON: Duration = Duration::from_secs(10);

/// The running equipment without agents.
struct Running {
    centre: Arc<Centre>,
    devices: BTreeMap<String, Device>,
    lifecycle: Lifecycle,
}

async fn running() -> Running {
    let lifecycle = Lifecycle::new();
    let sockets = Sockets::bind().await.unwrap();
    let places = sockets.places().unwrap();
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let configs = agents::configs(&places, nowhere, Path::new("/nowhere")).unwrap();
    let devices = configs.into_iter().flat_map(|(_, config)| config.devices);
    let devices = devices.map(|device| (device.id.as_str().to_owned(), device)).collect();
    let (refilled, _) = tokio::sync::mpsc::unbounded_channel();
    let centre = Arc::new(Centre::new(nowhere, Arc::new(SystemClock), refilled));
    centre.open(&lifecycle, sockets);
    Running { centre, devices, lifecycle }
}

impl Running {
    async fn ask(&self, device: &str) -> Result<Reading, ProbeError> {
        let config: ProbeConfig = self.devices[device].probe.clone();
        timeout(SOON, Probe::new(config).unwrap().probe()).await.expect("a probe ends in time")
    }

    async fn fact(&self, device: &str, fact: &str) -> FactValue {
        let reading = self.ask(device).await.unwrap();
        assert_eq!(reading.reach, Reach::Ok);
        reading.facts.get(fact).cloned().unwrap_or(FactValue::Unknown)
    }

    async fn number(&self, device: &str, fact: &str) -> f64 {
        let FactValue::Number(number) = self.fact(device, fact).await else { panic!("{device} has no number {fact}") };
        number
    }

    async fn stop(self) {
        assert_eq!(self.lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
    }
}

#[tokio::test]
async fn every_device_answers_its_real_probe_with_what_its_kind_may_state_and_no_fault() {
    let (running, pack) = (running().await, Pack::built_in());
    assert_eq!(running.devices.len(), 10);
    for (id, device) in &running.devices {
        let reading = running.ask(id).await.unwrap();
        assert_eq!((reading.reach, &reading.faults), (Reach::Ok, &Vec::new()), "{id}");
        assert!(!reading.facts.is_empty(), "{id}");
        for (fact, value) in reading.facts.iter().chain(&device.facts) {
            let known =
                pack.kinds[&device.kind].kind.fact(fact).unwrap_or_else(|| panic!("{} has no {fact}", device.kind));
            known.check(value).unwrap();
            assert!(id == "internet" || *value != FactValue::Unknown, "{id} does not know its {fact}");
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn the_history_tells_what_the_live_devices_tell() {
    let running = running().await;
    let last = history(SystemClock.now()).collect::<Vec<_>>().into_iter().rev().take(running.devices.len());
    for record in last {
        let id = record.device.as_str();
        // What this computer and its network have is not known here; an absent device states nothing.
        if matches!(id, "laptop-1" | "internet") {
            continue;
        }
        let mut live = running.ask(id).await.unwrap().facts;
        live.extend(running.devices[id].facts.clone());
        let unheard = record.facts.keys().filter(|fact| !live.contains_key(*fact)).collect::<Vec<_>>();
        assert!(unheard.is_empty(), "{id} never states {unheard:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_display_that_is_switched_off_is_in_standby_and_one_without_source_has_no_signal() {
    let running = running().await;
    assert_eq!(running.fact("entrance-led", "power").await, "on".into());
    assert_eq!(running.fact("entrance-led", "signal").await, "ok".into());
    running.centre.entrance_led.switch(false);
    assert_eq!(running.fact("entrance-led", "power").await, "standby".into());
    assert_eq!(running.fact("entrance-led", "signal").await, FactValue::Unknown);
    running.centre.lift_tv.feed(false);
    assert_eq!(running.fact("lift-tv", "signal").await, "none".into());
    running.stop().await;
}

#[tokio::test]
async fn a_peer_that_talks_nonsense_costs_a_display_nothing() {
    let running = running().await;
    let ProbeConfig::Pjlink(config) = &running.devices["entrance-led"].probe else { panic!("it speaks PJLink") };
    let mut peer = TcpStream::connect(&config.address).await.unwrap();
    peer.write_all(&[b'x'; 4096]).await.unwrap();
    assert_eq!(running.fact("entrance-led", "power").await, "on".into());
    running.stop().await;
}

#[tokio::test]
async fn shoe_cover_machines_state_their_stock_and_jams() {
    let running = running().await;
    let covers = running.number("covers-2", "covers_left").await;
    assert!((50.0..=58.0).contains(&covers), "{covers}");
    assert!((61_240.0..61_300.0).contains(&running.number("covers-1", "covers_dispensed").await));
    assert_eq!(running.fact("covers-1", "jam").await, false.into());
    running.centre.covers_1.jam(true);
    assert_eq!(running.fact("covers-1", "jam").await, true.into());
    assert_eq!(running.fact("covers-2", "jam").await, false.into());
    running.stop().await;
}

#[tokio::test]
async fn a_failed_lamp_is_on_without_power_and_a_lost_ball_is_not_counted() {
    let running = running().await;
    assert!((running.number("snooker-1", "lamp_w").await - 138.4).abs() < 0.05);
    running.centre.table.fail(true);
    assert_eq!(running.fact("snooker-1", "lamp").await, "on".into());
    assert!(running.number("snooker-1", "lamp_w").await < 20.0);
    assert!((running.number("snooker-rack", "balls").await - 22.0).abs() < 0.1);
    running.centre.rack.lose_a_ball(true);
    assert!((running.number("snooker-rack", "balls").await - 21.0).abs() < 0.1);
    running.stop().await;
}

#[tokio::test]
async fn a_laptop_that_is_gone_does_not_answer_and_answers_again_when_it_is_back() {
    let running = running().await;
    let until = async |is_there: bool| {
        timeout(SOON, async { while running.ask("laptop-2").await.is_ok() != is_there {} }).await.unwrap();
    };
    until(true).await;
    running.centre.laptop.bring(false);
    until(false).await;
    assert!(matches!(running.ask("laptop-2").await, Err(ProbeError::Unreachable(_))));
    running.centre.laptop.bring(true);
    until(true).await;
    running.stop().await;
}

#[tokio::test]
async fn a_cut_line_breaks_what_is_open_and_carries_nothing_until_it_is_joined() {
    let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let line = listener.local_addr().unwrap();
    let uplink = Arc::new(Uplink::new(broker.local_addr().unwrap()));
    let lifecycle = Lifecycle::new();
    lifecycle.supervise("uplink", uplink.clone().serve(listener, lifecycle.clone()));

    let mut agent = TcpStream::connect(line).await.unwrap();
    let (mut there, _) = broker.accept().await.unwrap();
    agent.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    timeout(SOON, there.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"hello");

    uplink.join(false);
    assert_eq!(timeout(SOON, there.read(&mut heard)).await.unwrap().unwrap_or(0), 0);
    assert_eq!(timeout(SOON, agent.read(&mut heard)).await.unwrap().unwrap_or(0), 0);
    let mut refused = TcpStream::connect(line).await.unwrap();
    assert_eq!(timeout(SOON, refused.read(&mut heard)).await.unwrap().unwrap_or(0), 0);

    uplink.join(true);
    let mut again = TcpStream::connect(line).await.unwrap();
    let (mut there, _) = broker.accept().await.unwrap();
    there.write_all(b"again").await.unwrap();
    timeout(SOON, again.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"again");
    drop((again, there));
    assert_eq!(lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_agents_report_all_their_devices_to_the_broker_and_the_first_fault_follows_by_itself() {
    let lifecycle = Lifecycle::new();
    let (sender, mut inbound) = mqtt::queue(1024 * 1024);
    let listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let settings = Settings::Embedded(EmbeddedSettings { listen, ..EmbeddedSettings::default() });
    let broker = mqtt::start(settings, &lifecycle, Arc::new(SystemClock), sender).await.unwrap();
    let state = tempfile::tempdir().unwrap();

    let store = Store::open(&format!("sqlite://{}", state.path().join("hub.db").display())).await.unwrap();
    let config = Config::new(super::settings(), Overrides::default()).unwrap();
    let fleet = Arc::new(Fleet::new(config.pack, config.sites, config.zone));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let staff = Staff::new(&store, &fleet, &clock);

    let started = Instant::now();
    start(&lifecycle, broker.addresses.mqtt[0], state.path(), clock, staff).await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(300), "starting took {:?}", started.elapsed());

    let (mut announced, mut healthy, mut dark) = (BTreeSet::new(), BTreeSet::new(), false);
    let everything = async {
        while announced.len() < 10 || healthy.len() < 9 || !dark {
            let message = inbound.recv().await.unwrap();
            assert_eq!(message.site, Demo::default().site);
            match message.message {
                FromAgent::Birth(birth) => announced.extend(birth.devices.into_iter().map(|device| device.id)),
                FromAgent::Data(data) => {
                    for record in data.records {
                        dark |= record.facts.get("power") == Some(&FactValue::from("standby"));
                        if record.reach == Reach::Ok && record.device.as_str() != "internet" {
                            healthy.insert(record.device);
                        }
                    }
                }
                _ => {}
            }
        }
    };
    let all = timeout(Duration::from_secs(20), everything).await;
    assert!(all.is_ok(), "announced {announced:?}, healthy {healthy:?}, dark {dark}");
    assert_eq!(lifecycle.run(async { "test" }, SOON).await, Ending::Clean);
}

#[test]
fn the_demonstration_is_always_open_and_says_what_it_is() {
    let demo = Demo::default();
    assert!(!demo.calendar.is_known());
    assert_eq!(demo.calendar.zone().iana_name(), Some("Asia/Shanghai"));
    let banner = banner();
    assert!(banner.zh.contains("演示") && banner.en.contains("Demonstration"));
}
