//! A computer's clock that is set while the hub runs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    agent,
    clock::now_ms,
    delivery::Delivered,
    hub,
    process::Process,
    spool, wait,
    wall::{Hub, Wall},
};
use rstest::rstest;
use serde_json::json;
use tokio::time::Instant;

use super::{FAULT, MACHINE, PATIENCE, Player, SITE, TOLD, found, nothing_raised};
use crate::equipment::{busy_laptop, laptop};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[test]
fn a_hub_whose_clock_alone_is_set_raises_nothing_misses_nothing_and_goes_on_by_the_right_time() -> Result<()> {
    let Some(hub) = Hub::start()? else { return Ok(()) };
    let mut agents = [Player::born(&hub.mqtt, "box")?, Player::born(&hub.mqtt, "box-2")?];
    let to_2038 = 2_147_483_647 - now_ms() / 1000;
    for seconds in [HOUR, -HOUR, 30 * DAY, -30 * DAY, to_2038] {
        hub.set(seconds)?;
        for _ in 0..4 {
            wait::throughout(Duration::from_secs(3), || nothing_raised(&hub.api))?;
            for agent in &mut agents {
                let seq = agent.report("ok")?;
                agent.acked_up_to(seq, PATIENCE)?;
            }
        }
        let ahead = hub.ahead()?;
        ensure!(ahead.abs() < 5.0, "set by {seconds} s, the hub is {ahead} s ahead");
    }
    let told = wait::until("the finding", TOLD, || {
        Ok(found(&hub.api)?.into_iter().find(|id| ["clock_stepped", "clock_disputed"].contains(&&**id)))
    })?;
    ensure!(hub.process.said().contains("found: This computer's clock was set"), "{told} is in the log");
    agents[1].report("fault")?;
    let alert = hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    let opened = alert["opened_at"].as_i64().context("a time")?;
    ensure!((opened - now_ms()).abs() < 10_000, "raised in time and dated right: {alert}");
    Ok(())
}

#[test]
fn a_clock_that_nobody_contradicts_is_taken_over_without_an_alert() -> Result<()> {
    let Some(hub) = Hub::start()? else { return Ok(()) };
    for seconds in [HOUR, -HOUR] {
        hub.set(seconds)?;
        wait::until("the time to be taken over", Duration::from_secs(25), || {
            #[expect(clippy::cast_precision_loss, reason = "an hour")]
            let off = hub.ahead()? - seconds as f64;
            Ok((off.abs() < 5.0).then_some(()))
        })?;
        ensure!(found(&hub.api)?.contains(&"clock_stepped".to_owned()), "it stays told until somebody has seen it");
        let answer = hub.api.post("/api/v1/findings/clock/clock_stepped/ignore", &serde_json::json!({}))?;
        ensure!(answer.status == 200, "{answer:?}");
        wait::until("what was seen to be gone", TOLD, || {
            Ok((!found(&hub.api)?.contains(&"clock_stepped".to_owned())).then_some(()))
        })?;
    }
    nothing_raised(&hub.api)
}

#[test]
fn a_rule_that_waits_neither_gains_nor_loses_by_a_clock_that_is_set() -> Result<()> {
    /// What `covers-jammed` waits, and what it waits until it is over; less what a look takes.
    const RAISED_AFTER: Duration = Duration::from_millis(4_800);
    const CLEARED_AFTER: Duration = Duration::from_millis(9_800);
    const RULE: &str = "covers-jammed";
    let Some(hub) = Hub::start()? else { return Ok(()) };
    let mut agent = Player::born(&hub.mqtt, "box")?;
    for (seconds, count) in [(HOUR, 1), (-30 * DAY, 2)] {
        let begun = Instant::now();
        let seq = agent.state(&json!({ "jam": true }))?;
        agent.acked_up_to(seq, PATIENCE)?;
        hub.set(seconds)?;
        hub.api.open_alert(SITE, MACHINE, RULE, PATIENCE)?;
        let raised = begun.elapsed();
        let begun = Instant::now();
        let seq = agent.state(&json!({ "jam": false }))?;
        agent.acked_up_to(seq, PATIENCE)?;
        hub.set(0)?;
        wait::until("the alert to clear", PATIENCE, || Ok(hub.api.alerts(SITE, "open")?.is_empty().then_some(())))?;
        let cleared = begun.elapsed();
        ensure!(raised >= RAISED_AFTER && cleared >= CLEARED_AFTER, "set by {seconds} s: {raised:?}, {cleared:?}");
        ensure!(hub.api.alerts(SITE, "all")?.len() == count, "set by {seconds} s: one fault, one alert");
    }
    Ok(())
}

#[test]
fn an_agent_whose_clock_is_a_minute_off_is_told_and_its_devices_are_judged_all_the_same() -> Result<()> {
    let Some(hub) = Hub::start()? else { return Ok(()) };
    let mut agents = [(90_000, "ahead"), (50_000, "nearly"), (-90_000, "behind")]
        .into_iter()
        .map(|(ahead, id)| Player::with_a_clock(&hub.mqtt, id, ahead))
        .collect::<Result<Vec<_>>>()?;
    for agent in &mut agents {
        let seq = agent.report("ok")?;
        agent.acked_up_to(seq, PATIENCE)?;
    }
    let told = wait::until("both to be told", TOLD, || {
        let told: Vec<_> = found(&hub.api)?.into_iter().filter(|id| id.starts_with("agent_clock")).collect();
        Ok((told.len() >= 2).then_some(told))
    })?;
    ensure!(told == ["agent_clock:demo/ahead", "agent_clock:demo/behind"], "{told:?}");
    nothing_raised(&hub.api)?;
    agents[2].report("fault")?;
    let alert = hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    let since = alert["since"].as_i64().context("since when")?;
    ensure!((since - now_ms()).abs() < 10_000, "dated by the hub's clock: {alert}");
    Ok(())
}

#[test]
fn an_agent_whose_clock_is_set_loses_nothing_and_is_no_fault_of_its_devices() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(wall) = Wall::beside(dir.path())? else { return Ok(()) };
    let mut hub = hub::Hub::start()?;
    let port = laptop()?;
    let devices = busy_laptop("laptop-1", port) + &busy_laptop("laptop-2", port);
    let config = agent::write_config(dir.path(), SITE, "box", &hub.mqtt_url(), &devices)?;
    let mut command = agent::command("run", &config)?;
    wall.give_to(command.args(["--log-format", "json"]));
    let mut process = Process::start("lobby-agent", &mut command)?;
    let stored = || -> Result<u64> {
        let report = hub.api.json("/api/v1/agents/demo/box")?;
        report["ledger"]["stored"].as_u64().context("a count")
    };
    let to_2038 = 2_147_483_647 - now_ms() / 1000;
    for seconds in [HOUR, -HOUR, 30 * DAY, -30 * DAY, to_2038] {
        wall.set(seconds)?;
        let before = wait::until("the agent", PATIENCE, || stored().map(Some))?;
        wait::until("a second of its records", PATIENCE, || Ok((stored()? > before + 20).then_some(())))?;
        nothing_raised(&hub.api)?;
    }
    wait::until("its clock to be told", PATIENCE, || {
        Ok(found(&hub.api)?.contains(&"agent_clock:demo/box".to_owned()).then_some(()))
    })?;
    process.kill()?;
    let accepted = spool::accepted(&dir.path().join("state"))?;
    wall.set(0)?;
    let mut command = agent::command("run", &config)?;
    wall.give_to(command.args(["--log-format", "json"]));
    let mut process = Process::start("lobby-agent", &mut command)?;
    process.line("that it is connected", PATIENCE, |line| line.contains("connected to the broker").then_some(()))?;
    wait::until("every accepted record to be in the hub", PATIENCE, || {
        Ok(Delivered::at(&hub.api, SITE, "box")?.holds(&accepted).then_some(()))
    })?;
    ensure!(process.terminate(PATIENCE)?.success());
    nothing_raised(&hub.api)?;
    ensure!(hub.stop()?.success());
    Ok(())
}

#[rstest]
#[case::forward(1_806_195_600)]
#[case::back(1_824_944_400)]
fn an_hour_that_is_left_out_or_comes_twice_raises_nothing_and_misses_nothing(#[case] change: i64) -> Result<()> {
    /// How long before the change the hub is started, and how long after it the fault comes, in seconds.
    const BEFORE: i64 = 8;
    const AFTER: i64 = 4;
    let off = change - BEFORE - now_ms() / 1000;
    let config = "[site.demo.hours]\nzone = \"Europe/Berlin\"\nopen = \"01:00-05:00\"\n";
    let Some(hub) = Hub::at(off, Some(config.to_owned()))? else { return Ok(()) };
    let mut agent = Player::with_a_clock(&hub.mqtt, "box", off * 1000)?;
    while agent.now() < (change + AFTER) * 1000 {
        let seq = agent.report("ok")?;
        agent.acked_up_to(seq, PATIENCE)?;
        wait::throughout(Duration::from_millis(500), || nothing_raised(&hub.api))?;
        ensure!(hub.api.get("/readyz")?.status == 200);
    }
    agent.report("fault")?;
    let alert = hub.api.open_alert(SITE, MACHINE, FAULT, PATIENCE)?;
    let opened = alert["opened_at"].as_i64().context("a time")?;
    ensure!((opened - agent.now()).abs() < 10_000 && opened > change * 1000, "dated right: {alert}");
    Ok(())
}
