//! A hub that is away is noticed by the agents of a site, who tell somebody without it: once, and once when it is back.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use lobby_tests::{
    agent::{self, Agent},
    hub::Hub,
    process::Process,
    program, wait,
};
use serde_json::Value;

use crate::equipment::this_computer;

const PATIENCE: Duration = Duration::from_secs(40);
/// The silence that counts here.
const SILENCE: &str = "3s";

/// A webhook that takes everything and tells what it took: the id of the message and its body.
struct Webhook {
    url: String,
    told: Receiver<(String, Value)>,
}

impl Webhook {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/fallback", listener.local_addr()?);
        let (tell, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut id, mut length) = (String::new(), 0);
                for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                    match line.split_once(": ") {
                        Some(("idempotency-key", value)) => value.clone_into(&mut id),
                        Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                        _ => {}
                    }
                }
                let mut body = vec![0; length];
                let read = reader.read_exact(&mut body).is_ok();
                let _ = reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
                if read && tell.send((id, serde_json::from_slice(&body).unwrap_or_default())).is_err() {
                    return;
                }
            }
        });
        Ok(Self { url, told })
    }

    fn next(&self, event: &str) -> Result<(String, Value)> {
        let (id, body) = self.told.recv_timeout(PATIENCE).with_context(|| format!("waited for `{event}`"))?;
        ensure!(body["event"] == event, "not `{event}`: {body}");
        Ok((id, body))
    }

    fn has_nothing_more(&self) -> Result<()> {
        match self.told.recv_timeout(Duration::from_millis(1)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            other => bail!("told once too often: {other:?}"),
        }
    }

    /// The part of an agent's configuration.
    fn watchdog(&self, more: &str) -> String {
        format!(
            "[watchdog]\nurl = \"{}\"\nhub_silence = \"{SILENCE}\"\nretry = \"200ms\"\nstagger = \"5s\"\n{more}\n",
            self.url
        )
    }
}

/// A computer that reports every second, so that something always waits for a hub that is away.
fn every_second(id: &str) -> String {
    let mut device = this_computer(id);
    for (usual, fast) in [
        ("every = \"5s\"", "every = \"1s\""),
        ("timeout = \"4s\"", "timeout = \"1s\""),
        ("heartbeat = \"10s\"", "heartbeat = \"1s\""),
    ] {
        device = device.replace(usual, fast);
    }
    device
}

fn all_stored(hub: &Hub, agent: &str) -> Result<()> {
    wait::until("the agent's records", PATIENCE, || {
        let report = hub.api.json(&format!("/api/v1/agents/demo/{agent}"))?;
        Ok((report["link"] == "up" && report["ledger"]["stored"].as_u64() > Some(0)).then_some(()))
    })
}

#[test]
fn a_hub_that_is_away_is_told_once_also_over_restarts_of_the_agent_and_once_when_it_is_back() -> Result<()> {
    let (mut hub, webhook) = (Hub::start()?, Webhook::start()?);
    let device = webhook.watchdog("") + &every_second("pc");
    let mut agent = Agent::start("demo", "box", &hub.mqtt_url(), &device)?;
    all_stored(&hub, "box")?;
    let sign = agent.state_dir().join("hub-silent");
    ensure!(!sign.exists());
    hub.kill()?;
    let (begin, body) = webhook.next("hub_silent")?;
    ensure!(body["site"] == "demo" && body["agent"] == "box" && body["queued"].as_u64() > Some(0), "{body}");
    wait::until("the sign that it has been told", PATIENCE, || {
        Ok(std::fs::read_to_string(&sign).is_ok_and(|sign| sign.contains("has been told")).then_some(()))
    })?;
    // What is noticed on the spot is also shown to whoever asks on the spot.
    let config = agent.state_dir().with_file_name("agent.toml");
    let mut check = Process::start("lobby-agent check", &mut agent::command("check", &config)?)?;
    check.line("that the hub is silent", PATIENCE, |line| {
        line.starts_with("the hub is silent: noticed").then_some(())
    })?;
    agent.kill()?;
    agent.restart()?;
    agent.stop()?;
    agent.restart()?;
    hub.restart()?;
    let (end, body) = webhook.next("hub_back")?;
    ensure!(end == format!("{begin}.end") && body["until"].as_i64() > body["since"].as_i64(), "{end} {body}");
    wait::until("the sign to be down", PATIENCE, || Ok((!sign.exists()).then_some(())))?;
    webhook.has_nothing_more()
}

#[test]
fn two_agents_of_a_site_that_hear_one_another_tell_once() -> Result<()> {
    let (mut hub, webhook) = (Hub::start()?, Webhook::start()?);
    let group = format!("239.255.76.66:{}", program::free_port()?);
    let lan = format!("lan = true\nlan_group = \"{group}\"\nlan_interface = \"127.0.0.1\"\nlan_every = \"200ms\"");
    let start = |id: &str, device: &str| {
        Agent::start("demo", id, &hub.mqtt_url(), &(webhook.watchdog(&lan) + &every_second(device)))
    };
    let agents = [start("box-b", "pc-b")?, start("box-a", "pc-a")?];
    all_stored(&hub, "box-a")?;
    all_stored(&hub, "box-b")?;
    hub.stop()?;
    let (begin, body) = webhook.next("hub_silent")?;
    ensure!(body["agent"] == "box-a", "{body}");
    for agent in &agents {
        let sign = agent.state_dir().join("hub-silent");
        wait::until("both to know that it has been told", PATIENCE, || {
            let told = |sign: String| sign.contains("has been told") || sign.contains("another agent");
            Ok(std::fs::read_to_string(&sign).is_ok_and(told).then_some(()))
        })?;
    }
    hub.restart()?;
    let (end, _) = webhook.next("hub_back")?;
    ensure!(end == format!("{begin}.end"), "{end}");
    for agent in &agents {
        let sign = agent.state_dir().join("hub-silent");
        wait::until("the silence to be over for both", PATIENCE, || Ok((!sign.exists()).then_some(())))?;
    }
    webhook.has_nothing_more()
}

#[test]
fn when_the_agent_that_told_is_killed_before_the_hub_is_back_another_tells_the_end_with_its_id_and_nobody_twice()
-> Result<()> {
    let (mut hub, webhook) = (Hub::start()?, Webhook::start()?);
    let group = format!("239.255.76.66:{}", program::free_port()?);
    let lan = format!("lan = true\nlan_group = \"{group}\"\nlan_interface = \"127.0.0.1\"\nlan_every = \"200ms\"");
    let start = |id: &str| {
        let devices = webhook.watchdog(&lan) + &every_second(&format!("pc-of-{id}"));
        Agent::start("demo", id, &hub.mqtt_url(), &devices)
    };
    let [mut teller, next, last] = [start("box-a")?, start("box-b")?, start("box-c")?];
    for agent in ["box-a", "box-b", "box-c"] {
        all_stored(&hub, agent)?;
    }
    hub.stop()?;
    let (begin, body) = webhook.next("hub_silent")?;
    ensure!(body["agent"] == "box-a", "{body}");
    let knows = |agent: &Agent, what: &str| {
        let sign = agent.state_dir().join("hub-silent");
        wait::until("the sign that it has been told", PATIENCE, || {
            Ok(std::fs::read_to_string(&sign).is_ok_and(|sign| sign.contains(what)).then_some(()))
        })
    };
    knows(&teller, "the fallback webhook has been told")?;
    for agent in [&next, &last] {
        knows(agent, "another agent of the site has told")?;
    }
    teller.kill()?;
    hub.restart()?;
    let (end, body) = webhook.next("hub_back")?;
    ensure!(end == format!("{begin}.end") && body["agent"] == "box-b", "{end} {body}");
    ensure!(body["until"].as_i64() > body["since"].as_i64(), "{body}");
    // It believes that the hub is silent and that it has to tell the end, until the others say that they did.
    teller.restart()?;
    for agent in [&teller, &next, &last] {
        let sign = agent.state_dir().join("hub-silent");
        wait::until("the silence to be over for all", PATIENCE, || Ok((!sign.exists()).then_some(())))?;
    }
    webhook.has_nothing_more()?;
    // The next message is the next beginning: the end was told once.
    hub.kill()?;
    let (second, body) = webhook.next("hub_silent")?;
    ensure!(second != begin && body["agent"] == "box-a", "{second} {body}");
    Ok(())
}
