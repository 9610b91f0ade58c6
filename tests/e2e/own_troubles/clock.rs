//! A computer's clock that is set while the hub runs.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    clock::now_ms,
    hub::{self, Api, Options},
    process::Process,
    program, wait,
};
use tempfile::TempDir;

use super::{FAULT, MACHINE, PATIENCE, Player, SITE, TOLD, found, nothing_raised};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A hub whose wall clock the test sets.
struct Hub {
    process: Process,
    api: Api,
    mqtt: String,
    folder: TempDir,
}

fn library() -> Result<Option<PathBuf>> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    let found =
        folders.map(|folder| Path::new(folder).join("libfaketimeMT.so.1")).into_iter().find(|path| path.exists());
    match found {
        Some(path) => Ok(Some(path)),
        None => program::skipped("libfaketime is not installed"),
    }
}

impl Hub {
    fn start() -> Result<Option<Self>> {
        let Some(library) = library()? else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut command = hub::command(&folder.path().join("data"), &Options::default(), anywhere, anywhere)?;
        let offset = folder.path().join("offset");
        std::fs::write(&offset, "+0\n")?;
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &offset);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
        let mut process = Process::start("lobby-hub", &mut command)?;
        let mut listening = |what: &str| -> Result<SocketAddr> {
            let start = format!("{what} listening on ");
            process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
        };
        let (http, mqtt) = (listening("http")?, listening("mqtt")?);
        Ok(Some(Self { process, api: Api::at(http), mqtt: format!("mqtt://{mqtt}"), folder }))
    }

    /// Sets its clock to be this many seconds off.
    fn set(&self, seconds: i64) -> Result<()> {
        let offset = self.folder.path().join("offset");
        std::fs::write(offset, format!("{seconds:+}\n")).context("set the hub's clock")
    }

    /// How many seconds its time is ahead of ours.
    fn ahead(&self) -> Result<f64> {
        let metrics = self.api.metrics()?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let now = now_ms() as f64 / 1000.0;
        Ok(metrics.sum(&["lobby_last_evaluated_seconds"]) - now)
    }
}

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
