//! Equipment that makes noise: people get one ticket, not sixty; and five hundred real faults at once are five hundred.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use lobby_tests::{hub::Hub, load::Connection, mqtt::Peer, reports::Script, wait};
use tokio::{task::JoinSet, time::Instant};

const SITE: &str = "demo";
const PATIENCE: Duration = Duration::from_secs(30);

fn count(items: &[serde_json::Value], device: &str) -> usize {
    items.iter().filter(|item| item["device"] == device).count()
}

#[test]
fn a_machine_that_toggles_every_second_opens_one_ticket() -> Result<()> {
    const TOGGLES: usize = 60;
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("covers-1", "shoe-cover-machine")]))?;
    let mut most_open = 0;
    for toggle in 0..TOGGLES {
        let next = Instant::now() + Duration::from_secs(1);
        let motor = if toggle % 2 == 0 { "fault" } else { "ok" };
        let facts = [("motor", motor.into()), ("covers_left", 300.0.into()), ("jam", (toggle % 2 == 0).into())];
        peer.publish(&script.topic("data"), script.report("covers-1", &facts))?;
        most_open = most_open.max(hub.api.alerts(SITE, "open")?.len());
        wait::pause(next.saturating_duration_since(Instant::now()));
    }
    let alerts = hub.api.alerts(SITE, "all")?;
    let motor = alerts.iter().filter(|alert| alert["rule"] == "covers-motor-fault").count();
    assert_eq!(motor, 1, "one incident that comes and goes is one alert: {alerts:?}");
    let tickets = hub.api.tickets(SITE, "all")?;
    assert_eq!(count(&tickets, "covers-1"), 1, "{tickets:?}");
    assert!(most_open <= 2, "{most_open} alerts were open at once");
    // Two posts are told of the motor: each once that it fails, and once more at most.
    let messages = hub.api.metrics()?.sum(&["lobby_outbox{"]);
    assert!((2.0..=4.0).contains(&messages), "{messages} messages");
    Ok(())
}

#[test]
fn five_hundred_faults_at_once_open_five_hundred_tickets() -> Result<()> {
    const SITES: usize = 10;
    const MACHINES: usize = 50;
    let hub = Hub::start()?;
    let broker = hub.mqtt_url().trim_start_matches("mqtt://").parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let machines: Vec<String> = (0..MACHINES).map(|number| format!("covers-{number}")).collect();
    runtime.block_on(async {
        let mut boxes = Vec::new();
        for site in 0..SITES {
            let script = Script::new(&format!("site-{site}"), "box");
            let mut connection = Connection::open(broker, &format!("box-{site}"), &script).await?;
            let announced: Vec<_> = machines.iter().map(|id| (id.as_str(), "shoe-cover-machine")).collect();
            connection.publish(&script.topic("birth"), script.birth(&announced)).await?;
            boxes.push((connection, script));
        }
        let mut tasks = JoinSet::new();
        for (mut connection, mut script) in boxes {
            let machines = machines.clone();
            tasks.spawn(async move {
                // In order first, so that all break at the same moment.
                for motor in ["ok", "fault"] {
                    let facts = [("motor", motor.into()), ("covers_left", 300.0.into())];
                    let records = machines.iter().map(|id| script.record(id, &facts)).collect();
                    connection.publish(&script.topic("data"), script.data(records)).await?;
                    connection.committed(script.last_seq()).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        anyhow::Ok(())
    })?;
    for site in 0..SITES {
        let site = format!("site-{site}");
        let tickets = wait::until(&format!("the tickets of {site}"), PATIENCE, || {
            Ok(Some(hub.api.tickets(&site, "open")?).filter(|tickets| tickets.len() >= MACHINES))
        })?;
        for machine in &machines {
            assert_eq!(count(&tickets, machine), 1, "{machine} of {site}");
        }
        let alerts = hub.api.alerts(&site, "open")?;
        let mut rules = BTreeMap::new();
        for alert in &alerts {
            *rules.entry(alert["rule"].to_string()).or_insert(0) += 1;
        }
        assert_eq!(rules.get("\"covers-motor-fault\""), Some(&MACHINES), "{rules:?}");
    }
    Ok(())
}
