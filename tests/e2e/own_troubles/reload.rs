//! A configuration that changes while the hub runs.

use std::{
    io::{BufRead, BufReader, Read},
    time::Duration,
};

use anyhow::{Context, Result};
use lobby_tests::{
    hub::{Hub, Options},
    wait,
};

use super::{PATIENCE, found};

const CONFIG: &str =
    "[site.demo]\nname = \"湖滨壹号\"\n\n[site.demo.hours]\nzone = \"Asia/Shanghai\"\nopen = \"08:30-18:00\"\n";

#[test]
fn a_valid_change_takes_effect_and_a_mistake_does_not_and_says_where_without_dropping_a_connection() -> Result<()> {
    let mut hub = Hub::with(Options { config: Some(CONFIG.to_owned()), ..Options::default() })?;
    let path = hub.data_dir().join("hub.toml");
    let stream = ureq::get(format!("{}/events", hub.url())).call()?;
    let mut events = BufReader::new(stream.into_body().into_reader());
    let named = |hub: &Hub, name: &str, within: Duration| {
        wait::until(&format!("the site to be called {name}"), within, || {
            Ok(hub.api.get("/")?.body.contains(name).then_some(()))
        })
    };
    named(&hub, "湖滨壹号", PATIENCE)?;

    std::fs::write(&path, CONFIG.replace("湖滨壹号", "湖滨二号").replace("18:00", "25:00"))?;
    wait::until("the mistake to be found", PATIENCE, || {
        Ok(found(&hub.api)?.contains(&"config_invalid".to_owned()).then_some(()))
    })?;
    let findings = hub.api.json("/api/v1/findings")?.to_string();
    assert!(findings.contains("hub.toml:") && findings.contains("25:00"), "{findings}");
    assert!(hub.api.get("/")?.body.contains("湖滨壹号"), "nothing of it takes effect");

    std::fs::write(&path, CONFIG.replace("湖滨壹号", "湖滨三号"))?;
    hub.process().signal("HUP")?;
    named(&hub, "湖滨三号", Duration::from_secs(2))?;
    assert!(!found(&hub.api)?.contains(&"config_invalid".to_owned()));
    let heard = events.by_ref().lines().map_while(std::result::Result::ok).find(|line| line.contains("heartbeat"));
    heard.context("the open stream goes on")?;
    Ok(())
}
