//! A site that is cut off: it is said in time, as one incident; and afterwards the present is there before the past.

use std::{
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use lobby_contract::{Death, DeathReason, encode};
use lobby_tests::{
    agent::{Agent, Draft},
    clock,
    delivery::Delivered,
    hub::Hub,
    netns::Namespace,
    proxy::{Faults, Proxy},
    reports::Script,
    wait,
};
use rstest::rstest;
use rumqttc::v5::{
    Client, MqttOptions,
    mqttbytes::{QoS, v5::LastWill},
};
use tokio::time::Instant;

use crate::{
    backlog::Backlog,
    equipment::{busy_laptop, this_computer},
};

const SITE: &str = "demo";
const PATIENCE: Duration = Duration::from_mins(1);
/// How old the present may be while the past is delivered.
const FRESH: Duration = Duration::from_secs(10);
/// How long the usual record of the present may be under way then. A busy computer is late by itself.
const PROMPT: Duration = Duration::from_millis(1500);
/// One and a half times a keep-alive of 30 s, and what it takes to look.
const SHOWN: Duration = Duration::from_secs(47);

/// Tells a figure with the test.
#[expect(clippy::print_stderr, reason = "it must reach the person who runs the tests")]
fn tell(figure: &str) {
    eprintln!("{figure}");
}

/// A device of a site that is cut off says nothing of itself.
fn is_unknown(hub: &Hub, device: &str) -> Result<bool> {
    let device = hub.api.device(SITE, device)?;
    Ok(device["state"] == "unknown" || device["state"] == "offline")
}

fn is_known(hub: &Hub, device: &str) -> Result<bool> {
    Ok(hub.api.device(SITE, device)?["verdict"]["freshness"] == "fresh" && !is_unknown(hub, device)?)
}

fn known(hub: &Hub, device: &str) -> Result<()> {
    wait::until(&format!("{device} to be known"), PATIENCE, || Ok(is_known(hub, device)?.then_some(())))
}

#[test]
fn a_site_that_is_cut_off_is_shown_in_time_and_as_one_incident() -> Result<()> {
    const AGENTS: usize = 3;
    let hub = Hub::start()?;
    let proxy = Proxy::to_broker(&hub.mqtt_url())?;
    let mut agents = Vec::new();
    for number in 1..=AGENTS {
        let device = this_computer(&format!("pc-{number}"));
        agents.push(Agent::start(SITE, &format!("box-{number}"), &proxy.url(), &device)?);
    }
    for number in 1..=AGENTS {
        known(&hub, &format!("pc-{number}"))?;
    }
    proxy.inflict(Faults::blackhole());
    let cut = Instant::now();
    for number in 1..=AGENTS {
        let device = format!("pc-{number}");
        wait::until(&format!("{device} to be unknown"), SHOWN, || Ok(is_unknown(&hub, &device)?.then_some(())))?;
    }
    assert!(cut.elapsed() <= SHOWN, "shown after {:?}", cut.elapsed());

    let site = wait::until("the incident of the site", Duration::from_mins(3), || {
        Ok(hub.api.alerts(SITE, "open")?.into_iter().find(|alert| alert["rule"] == "site-offline"))
    })?;
    let ticket = site["ticket"].as_str().context("the incident of the site has a ticket")?;
    let all = hub.api.alerts(SITE, "all")?;
    assert!(all.iter().all(|alert| alert["device"].is_null()), "no device is called faulty: {all:?}");
    let tickets = hub.api.tickets(SITE, "all")?;
    assert_eq!(tickets.len(), 1, "one incident, one ticket: {tickets:?}");
    assert_eq!(tickets[0]["number"], ticket);

    proxy.inflict(Faults::default());
    for number in 1..=AGENTS {
        known(&hub, &format!("pc-{number}"))?;
    }
    Ok(())
}

/// An agent that reports seldom, with a keep-alive of 30 s and a will.
fn seldom(proxy: &Proxy) -> Result<Client> {
    let mut script = Script::new(SITE, "seldom-box");
    let death = Death { epoch: script.epoch(), session: script.session(), reason: DeathReason::Lost };
    let address = proxy.address();
    let mut options = MqttOptions::new("seldom-box", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(30));
    options.set_last_will(LastWill::new(script.topic("death"), encode(&death), QoS::AtLeastOnce, false, None));
    let (client, mut connection) = Client::new(options, 10);
    // Ends with its first error: nobody connects again for it.
    thread::spawn(move || connection.iter().take_while(Result::is_ok).count());
    let mut birth: serde_json::Value = serde_json::from_slice(&script.birth(&[("led", "led-display")]))?;
    birth["devices"][0]["every_ms"] = 600_000.into();
    client.publish(script.topic("birth"), QoS::AtLeastOnce, false, birth.to_string())?;
    let report = script.report("led", &[("power", "on".into()), ("signal", "ok".into())]);
    client.publish(script.topic("data"), QoS::AtLeastOnce, false, report)?;
    Ok(client)
}

#[test]
fn an_agent_that_is_cut_off_is_missed_by_one_and_a_half_keep_alives() -> Result<()> {
    let hub = Hub::start()?;
    let proxy = Proxy::to_broker(&hub.mqtt_url())?;
    let _client = seldom(&proxy)?;
    known(&hub, "led")?;
    proxy.inflict(Faults::blackhole());
    wait::until("the display to be unknown", SHOWN, || Ok(is_unknown(&hub, "led")?.then_some(())))
}

/// An agent with records of its past in its spool, and two laptops that it looks at ten times a second: of one it reports every look,
/// of the other what changes, and what is known of that one is fresh for nine seconds.
struct Late {
    hub: Hub,
    proxy: Proxy,
    backlog: Backlog,
    _agent: Agent,
}

impl Late {
    /// It has not yet been heard of.
    fn with(records: u64) -> Result<Self> {
        let laptop = TcpListener::bind("127.0.0.1:0")?;
        let port = laptop.local_addr()?.port();
        thread::spawn(move || laptop.incoming().for_each(drop));
        let hub = Hub::start()?;
        let proxy = Proxy::to_broker(&hub.mqtt_url())?;
        proxy.inflict(Faults::blackhole());
        let calm = busy_laptop("calm", port).replace("heartbeat = \"100ms\"", "heartbeat = \"3s\"");
        let devices = busy_laptop("busy", port) + &calm;
        let draft = Draft::new(SITE, "lobby-box", &proxy.url(), &devices)?;
        let backlog = Backlog::of(&draft, records)?;
        let agent = draft.start()?;
        wait::until("the agent to try", PATIENCE, || Ok((!proxy.seen().is_empty()).then_some(())))?;
        Ok(Self { hub, proxy, backlog, _agent: agent })
    }

    /// Lets it through; tells when the first record of the past or of the present was there.
    fn begin(&self, faults: Faults) -> Result<Instant> {
        self.proxy.inflict(faults);
        wait::until("the first record", PATIENCE, || {
            Ok(self.hub.api.has_record(SITE, 0, i64::from(u32::MAX) * 1000)?.then(Instant::now))
        })
    }

    /// Whether the last record of the past is there: a backlog goes out in its order, so all are.
    fn is_drained(&self) -> Result<bool> {
        self.hub.api.has_record(SITE, self.backlog.last_at(), self.backlog.last_at() + 1)
    }

    /// Whether what is shown is of the present.
    fn is_present(&self) -> Result<bool> {
        let device = self.hub.api.device(SITE, "calm")?;
        let age = clock::now_ms() - device["at"].as_i64().unwrap_or(0);
        Ok(u128::try_from(age).unwrap_or(0) <= FRESH.as_millis() && device["verdict"]["freshness"] == "fresh")
    }

    /// How long the records of the present were under way, in ms and in order.
    fn delays(&self) -> Result<Vec<i64>> {
        let mut delays = Vec::new();
        for record in self.hub.api.records(SITE)?.iter().filter(|record| record["device"] == "busy") {
            let at = |name: &str| record[name].as_i64().with_context(|| format!("`{name}` in {record}"));
            delays.push(at("received_at")? - at("at")?);
        }
        delays.sort_unstable();
        Ok(delays)
    }

    fn nothing_lost(&self) -> Result<()> {
        let stored = Delivered::at(&self.hub.api, SITE, "lobby-box")?;
        assert!(stored.holds(&self.backlog.marks()), "all of the past is there: {:?}", stored.highest());
        Ok(())
    }
}

#[test]
fn a_backlog_drains_fast() -> Result<()> {
    const RECORDS: u64 = 30_000;
    const LEAST_RATE: f64 = 2_000.0;
    let late = Late::with(RECORDS)?;
    let begun = late.begin(Faults::default())?;
    wait::until("the backlog", Duration::from_mins(2), || Ok(late.is_drained()?.then_some(())))?;
    let rate = 30_000.0 / begun.elapsed().as_secs_f64();
    tell(&format!("drained {rate:.0} records/s"));
    assert!(rate >= LEAST_RATE, "{rate:.0} records/s");
    late.nothing_lost()
}

#[rstest]
#[case::of_6_mbit(6_000_000, 30_000)]
#[case::of_1_mbit(1_000_000, 5_000)]
#[case::of_256_kbit(256_000, 1_200)]
fn on_a_slow_line_the_present_does_not_wait_behind_the_past(
    #[case] bits_per_second: u32,
    #[case] records: u64,
) -> Result<()> {
    // The past takes about ten seconds.
    let late = Late::with(records)?;
    let begun = late.begin(Faults::rate(bits_per_second))?;
    let fresh_after = wait::until("the present, before the past is there", FRESH, || {
        Ok((late.is_present()? && !late.is_drained()?).then(|| begun.elapsed()))
    })?;
    wait::until("the backlog", PATIENCE, || {
        assert!(late.is_present()?, "the present stays fresh while the past is delivered");
        Ok(late.is_drained()?.then_some(()))
    })?;
    let drained_after = begun.elapsed();
    let delays = late.delays()?;
    let (usual, worst) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    tell(&format!(
        "the present was there after {fresh_after:?}, the past after {drained_after:?}; a new record took {usual} ms, at most {worst} ms"
    ));
    assert!(u128::try_from(usual).unwrap_or(0) <= PROMPT.as_millis(), "{usual} ms");
    late.nothing_lost()
}

#[test]
fn a_cable_that_is_pulled_out_and_put_in_again_costs_no_record() -> Result<()> {
    let Some(namespace) = Namespace::create()? else { return Ok(()) };
    let hub = Hub::start()?;
    let broker: SocketAddr = hub.mqtt_url().trim_start_matches("mqtt://").parse()?;
    // The hub asks for passwords beyond loopback; the proxy stands for a switch.
    let switch = Proxy::listen(SocketAddr::from((namespace.outside(), 0)), broker)?;
    let draft = Draft::new(SITE, "lobby-box", &switch.url(), &this_computer("pc"))?.inside(namespace.name());
    let mut agent = draft.start()?;
    known(&hub, "pc")?;
    namespace.plugged(false)?;
    wait::until("the computer to be unknown", SHOWN, || Ok(is_unknown(&hub, "pc")?.then_some(())))?;
    let alerts = hub.api.alerts(SITE, "all")?;
    assert!(alerts.iter().all(|alert| alert["device"].is_null()), "no device is called faulty: {alerts:?}");
    namespace.plugged(true)?;
    known(&hub, "pc")?;
    agent.kill()?;
    let accepted = lobby_tests::spool::accepted(&agent.state_dir())?;
    agent.restart()?;
    wait::until("everything that was accepted", PATIENCE, || {
        Ok(Delivered::at(&hub.api, SITE, "lobby-box")?.holds(&accepted).then_some(()))
    })
}
