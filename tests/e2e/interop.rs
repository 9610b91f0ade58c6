//! The hub's own broker and MQTT clients that others wrote: what the standard asks of a broker holds for what the contract allows.
//!
//! An agent's messages are for the hub alone, so what clients publish is seen in the hub, and what they hear are the hub's
//! acknowledgements, its retained state, and wills.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_contract::{Death, DeathReason, encode};
use lobby_tests::{hub::Hub, process::Process, program, reports::Script, wait};
use rstest::rstest;
use rumqttc::{Client, Event, LastWill, MqttOptions, Packet, QoS};

const SITE: &str = "abroad";
const PATIENCE: Duration = Duration::from_secs(20);

/// The checks of `e2e/interop.py`, each made with MQTT 3.1.1 and with MQTT 5.
const CHECKS: [&str; 12] = [
    "qos-0",
    "qos-1",
    "qos-2",
    "retained",
    "retained-by-clients-refused",
    "will",
    "no-will-after-goodbye",
    "session-resume",
    "wildcards",
    "shared-subscription",
    "oversized",
    "takeover",
];

fn host_and_port(hub: &Hub) -> Result<(String, String)> {
    let url = hub.mqtt_url();
    let (host, port) = url.trim_start_matches("mqtt://").split_once(':').context("host and port")?;
    Ok((host.to_owned(), port.to_owned()))
}

#[rstest]
#[case::mqtt_3("3")]
#[case::mqtt_5("5")]
fn paho_finds_what_the_standard_asks_of_a_broker(#[case] version: &str) -> Result<()> {
    let Some(python) = program::python()? else { return Ok(()) };
    let hub = Hub::start()?;
    let (host, port) = host_and_port(&hub)?;
    let mut command = program::script(Path::new(&python), "e2e/interop.py");
    let mut paho = Process::start("paho", command.args([&host, &port, SITE, version]))?;
    let status = paho.exit(Duration::from_mins(2))?;
    let said = paho.said();
    for check in CHECKS {
        assert!(said.lines().any(|line| line == format!("ok {check}")), "{check} with MQTT {version}:\n{said}");
    }
    assert!(status.success(), "{said}");
    // What was published with each quality is in the hub.
    for quality in 0..=2 {
        let records = hub.api.records(SITE)?;
        let agent = format!("qos-{quality}-v{version}");
        assert_eq!(records.iter().filter(|record| record["agent"] == agent.as_str()).count(), 1, "{agent}");
    }
    Ok(())
}

/// Runs one of Mosquitto's clients against the hub.
fn mosquitto(name: &str, hub: &Hub, version: &str, arguments: &[&str]) -> Result<Option<Command>> {
    let Some(program) = program::installed(name)? else { return Ok(None) };
    let (host, port) = host_and_port(hub)?;
    // By lines, or what it says would wait for more.
    let mut command = Command::new("stdbuf");
    command.arg("-oL").arg(program).args(["-h", &host, "-p", &port, "-V", version]).args(arguments);
    Ok(Some(command))
}

/// Publishes with `mosquitto_pub`; `false` if it is not installed.
fn publish(hub: &Hub, version: &str, topic: &str, quality: &str, payload: Vec<u8>) -> Result<bool> {
    let payload = String::from_utf8(payload)?;
    let arguments = ["-t", topic, "-q", quality, "-m", &payload];
    let Some(mut command) = mosquitto("mosquitto_pub", hub, version, &arguments)? else { return Ok(false) };
    let output = command.output()?;
    ensure!(output.status.success(), "mosquitto_pub: {}", String::from_utf8_lossy(&output.stderr));
    Ok(true)
}

#[rstest]
#[case::mqtt_3("311")]
#[case::mqtt_5("5")]
fn mosquittos_clients_report_hear_and_leave_wills(#[case] version: &str) -> Result<()> {
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "box");
    if !publish(&hub, version, &script.topic("birth"), "1", script.birth(&[("led", "led-display")]))? {
        return Ok(());
    }

    let arguments = ["-t", "lobby/v1/hub", "-C", "1", "-W", "10", "-F", "%r %p"];
    let Some(mut command) = mosquitto("mosquitto_sub", &hub, version, &arguments)? else { return Ok(()) };
    let state = String::from_utf8(command.output()?.stdout)?;
    assert!(state.starts_with("1 ") && state.contains("\"online\":true"), "the hub's state is retained: {state}");

    let (ack, death) = (script.topic("ack"), script.topic("death"));
    let will = String::from_utf8(encode(&Death { epoch: 1, session: 1, reason: DeathReason::Lost }))?;
    let arguments = ["-t", &ack, "-q", "1", "--will-topic", &death, "--will-payload", &will, "--will-qos", "1", "-d"];
    let Some(mut command) = mosquitto("mosquitto_sub", &hub, version, &arguments)? else { return Ok(()) };
    let mut listener = Process::start("mosquitto_sub", &mut command)?;
    listener.line("a SUBACK", PATIENCE, |line| line.contains("received SUBACK").then_some(()))?;
    for (number, quality) in (1..).zip(["0", "1", "2"]) {
        let report = script.report("led", &[("power", "on".into()), ("signal", "ok".into())]);
        publish(&hub, version, &script.topic("data"), quality, report)?;
        let committed = format!("\"committed\":{number}");
        listener.line(&committed, PATIENCE, |line| line.contains(&committed).then_some(()))?;
    }
    assert_eq!(hub.api.agent(SITE, "box")?["link"], "up");
    listener.kill()?;
    wait::until("the will to be heard", PATIENCE, || {
        Ok((hub.api.agent(SITE, "box")?["link"] == "suspect").then_some(()))
    })?;
    assert_eq!(hub.api.records(SITE)?.len(), 3);
    Ok(())
}

/// A client of rumqttc's MQTT 3.1.1 side; the tests' own clients are its MQTT 5 side.
fn options(hub: &Hub, id: &str) -> Result<MqttOptions> {
    let (host, port) = host_and_port(hub)?;
    let mut options = MqttOptions::new(id, host, port.parse()?);
    options.set_keep_alive(Duration::from_secs(5));
    Ok(options)
}

#[test]
fn rumqttc_with_mqtt_3_resumes_its_session_and_leaves_its_will() -> Result<()> {
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "box");
    let mut with_session = options(&hub, "listener")?;
    with_session.set_clean_session(false);
    {
        let (client, mut connection) = Client::new(with_session.clone(), 10);
        client.subscribe(script.topic("ack"), QoS::AtLeastOnce)?;
        let settled = |event| matches!(event, Ok(Event::Incoming(Packet::SubAck(_))));
        ensure!(connection.iter().any(settled), "the subscription is confirmed");
    }
    let mut with_will = options(&hub, "box")?;
    let will = encode(&Death { epoch: 1, session: 1, reason: DeathReason::Lost });
    with_will.set_last_will(LastWill::new(script.topic("death"), will, QoS::AtLeastOnce, false));
    {
        let (client, mut connection) = Client::new(with_will, 10);
        client.publish(script.topic("birth"), QoS::AtLeastOnce, false, script.birth(&[("led", "led-display")]))?;
        let report = script.report("led", &[("power", "on".into()), ("signal", "ok".into())]);
        client.publish(script.topic("data"), QoS::AtMostOnce, false, report)?;
        let report = script.report("led", &[("power", "on".into()), ("signal", "ok".into())]);
        client.publish(script.topic("data"), QoS::AtLeastOnce, false, report)?;
        let settled = |event: &Result<Event, _>| matches!(event, Ok(Event::Incoming(Packet::PubAck(_))));
        ensure!(connection.iter().filter(settled).nth(1).is_some(), "birth and report are taken");
        wait::until("both reports", PATIENCE, || Ok((hub.api.records(SITE)?.len() == 2).then_some(())))?;
    }
    wait::until("the will to be heard", PATIENCE, || {
        Ok((hub.api.agent(SITE, "box")?["link"] == "suspect").then_some(()))
    })?;
    let (_client, mut connection) = Client::new(with_session, 10);
    let mut resumed = false;
    for event in connection.iter() {
        match event? {
            Event::Incoming(Packet::ConnAck(answer)) => resumed = answer.session_present,
            Event::Incoming(Packet::Publish(message)) => {
                let ack: serde_json::Value = serde_json::from_slice(&message.payload)?;
                if ack["committed"] == 2 {
                    break;
                }
            }
            _ => {}
        }
    }
    assert!(resumed, "what was said meanwhile came in the session of before");
    Ok(())
}
