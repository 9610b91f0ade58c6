//! What is wrong is counted and told, and everything else goes on.

use std::time::Duration;

use anyhow::{Context, Result};
use lobby_tests::{
    agent,
    hub::{self, Hub, Options},
    mqtt::Peer,
    process::Process,
    reports::Script,
    wait,
};
use rstest::rstest;

const PATIENCE: Duration = Duration::from_secs(30);
const SITE: &str = "demo";

fn power_on() -> [(&'static str, lobby_contract::FactValue); 1] {
    [("power", "on".into())]
}

/// A display whose agent does everything right; it must go on whatever others do.
fn honest(hub: &Hub) -> Result<(Peer, Script)> {
    let mut script = Script::new(SITE, "honest-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "honest", &["lobby/v1/demo/honest-box/ack"])?;
    peer.publish(&script.topic("birth"), script.birth(&[("entrance-led", "led-display")]))?;
    peer.publish(&script.topic("data"), script.report("entrance-led", &power_on()))?;
    hear_ack(&peer, script.last_seq())?;
    Ok((peer, script))
}

fn hear_ack(peer: &Peer, seq: u64) -> Result<()> {
    peer.hear(&format!("the ack of record {seq}"), |_, payload| {
        let ack: serde_json::Value = serde_json::from_slice(payload).ok()?;
        (ack["committed"].as_u64()? >= seq).then_some(())
    })
}

fn counted(hub: &Hub, cause: &str) -> Result<()> {
    let label = format!("\"{cause}\"");
    wait::until(&format!("{cause} to be counted in /metrics"), PATIENCE, || {
        Ok((hub.api.metrics()?.sum(&[&label]) >= 1.0).then_some(()))
    })
}

#[rstest]
#[case::not_json("data", b"{\"epoch\":7,".to_vec(), "payload")]
#[case::wrong_type("data", br#"{"epoch":"seven","session":1,"sent_at":1,"records":[]}"#.to_vec(), "payload")]
#[case::not_text("birth", vec![0xff, 0xfe, 0x00], "payload")]
#[case::unknown_channel("gossip", b"{}".to_vec(), "unknown_channel")]
#[case::the_hubs_own_channel("ack", br#"{"epoch":1,"committed":999}"#.to_vec(), "direction")]
fn a_bad_message_is_counted_and_costs_nobody_else(
    #[case] kind: &str,
    #[case] payload: Vec<u8>,
    #[case] cause: &str,
) -> Result<()> {
    let hub = Hub::start()?;
    let (mut peer, mut script) = honest(&hub)?;
    let mut bad = Peer::connect(&hub.mqtt_url(), "bad", &[])?;
    bad.blurt(&format!("lobby/v1/{SITE}/bad-box/{kind}"), payload)?;
    counted(&hub, cause)?;

    peer.publish(&script.topic("data"), script.report("entrance-led", &power_on()))?;
    hear_ack(&peer, script.last_seq())?;
    assert_eq!(hub.api.records(SITE)?.len(), 2);
    Ok(())
}

#[test]
fn an_oversized_message_costs_its_sender_only() -> Result<()> {
    let hub = Hub::start()?;
    let (mut peer, mut script) = honest(&hub)?;
    let mut bad = Peer::connect(&hub.mqtt_url(), "bad", &[])?;
    bad.blurt(&format!("lobby/v1/{SITE}/bad-box/data"), vec![b' '; 300 * 1024])?;
    bad.thrown_out()?;
    peer.publish(&script.topic("data"), script.report("entrance-led", &power_on()))?;
    hear_ack(&peer, script.last_seq())
}

#[test]
fn a_bad_record_does_not_cost_its_neighbours() -> Result<()> {
    let hub = Hub::start()?;
    let (mut peer, mut script) = honest(&hub)?;
    let first = script.record("entrance-led", &power_on());
    let bad = script.record("entrance-led", &power_on());
    let last = script.record("entrance-led", &power_on());
    let mut message: serde_json::Value = serde_json::from_slice(&script.data(vec![first, bad, last]))?;
    message["records"][1]["reach"] = "perhaps".into();
    peer.publish(&script.topic("data"), message.to_string())?;
    hear_ack(&peer, script.last_seq())
        .context("a record that nobody can read must not be asked for again and again")?;
    assert_eq!(hub.api.records(SITE)?.len(), 3);
    Ok(())
}

#[test]
fn a_device_of_a_kind_nobody_knows_is_said_and_the_others_go_on() -> Result<()> {
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "box", &["lobby/v1/demo/box/ack"])?;
    let devices = [("entrance-led", "led-display"), ("oddity", "perpetuum-mobile")];
    peer.publish(&script.topic("birth"), script.birth(&devices))?;
    peer.publish(&script.topic("data"), script.report("oddity", &[("spin", 1.0.into())]))?;
    peer.publish(&script.topic("data"), script.report("entrance-led", &power_on()))?;
    hear_ack(&peer, script.last_seq())?;
    hub.api.device_state(SITE, "entrance-led", "normal", PATIENCE)?;
    wait::until("the unknown kind to be counted in /metrics", PATIENCE, || {
        Ok((hub.api.metrics()?.sum(&["unknown_kind"]) >= 1.0).then_some(()))
    })?;
    assert_ne!(hub.api.device(SITE, "oddity")?["state"], "normal", "nothing is claimed of what nobody can judge");
    Ok(())
}

#[test]
fn an_agent_whose_clock_is_three_hours_wrong_is_told_and_its_faults_still_count() -> Result<()> {
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "late-box");
    script.clock_error_ms = -3 * 60 * 60 * 1000;
    let mut peer = Peer::connect(&hub.mqtt_url(), "late", &["lobby/v1/demo/late-box/ack"])?;
    peer.publish(&script.topic("birth"), script.birth(&[("covers-1", "shoe-cover-machine")]))?;
    peer.publish(&script.topic("data"), script.report("covers-1", &[("jam", true.into())]))?;
    hear_ack(&peer, script.last_seq())?;
    hub.api.open_alert(SITE, "covers-1", "covers-jammed", PATIENCE)?;
    wait::until("the alert on the agent's clock", Duration::from_mins(2), || {
        let alerts = hub.api.alerts(SITE, "open")?;
        Ok(alerts.into_iter().find(|alert| alert["rule"] == "agent-clock-wrong"))
    })?;
    let opened = hub.api.alerts(SITE, "open")?;
    let jam = opened.iter().find(|alert| alert["rule"] == "covers-jammed").context("the jam")?;
    let age = lobby_tests::clock::now_ms() - jam["opened_at"].as_i64().context("opened_at")?;
    assert!((0..600_000).contains(&age), "live rules go by the hub's clock: opened {age} ms ago");
    Ok(())
}

#[test]
fn a_mistake_in_the_hubs_configuration_is_told_with_its_place_and_nothing_starts() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let options = Options { config: Some("# ours\nsite_nmae = \"x\"\n".into()), ..Options::default() };
    let loopback = ([127, 0, 0, 1], 0).into();
    let mut hub = Process::start("lobby-hub", &mut hub::command(dir.path(), &options, loopback, loopback)?)?;
    let status = hub.exit(PATIENCE)?;
    assert_eq!(status.code(), Some(2), "{}", hub.said());
    assert!(hub.said().contains("hub.toml:2:1"), "file, line and column: {}", hub.said());
    assert!(!hub.said().contains("listening on"));
    Ok(())
}

#[test]
fn a_mistake_in_the_agents_configuration_is_told_with_its_place() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let device =
        "[[device]]\nid = \"led\"\nkind = \"led-display\"\nevrey = \"10s\"\n[device.probe]\ntype = \"pjlnik\"\n";
    let config = agent::write_config(dir.path(), SITE, "box", "mqtt://127.0.0.1:1", device)?;
    for verb in ["run", "check", "check-config"] {
        let output = agent::command(verb, &config)?.output()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{verb}: {told}");
        for expected in ["agent.toml:12:1", "did you mean `every`", "agent.toml:14:8", "did you mean `pjlink`"] {
            assert!(told.contains(expected), "{verb} tells {expected}: {told}");
        }
    }
    Ok(())
}
