//! Backups beside a hub that takes in records, on both databases, and the way back from them.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    database::Database,
    hub::{Hub, Options},
    load::{Connection, display_record},
    process::Process,
    program,
    reports::Script,
    stored::{self, DEVICE},
    wait,
};
use rstest::rstest;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Records that are there before.
const BEFORE: u64 = 20_000;
/// Between two records.
const PACE: Duration = Duration::from_millis(5);

/// Times from a record's sending to the hub's word that it is stored.
#[derive(Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    fn p99(&mut self) -> Duration {
        self.0.sort();
        self.0.get(self.0.len() * 99 / 100).copied().unwrap_or_default()
    }
}

/// Reports 200 records a second until `done`, each acknowledged before the next.
async fn report(agent: &mut Connection, script: &mut Script, done: &AtomicBool, least: usize) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while !done.load(Ordering::Relaxed) || latencies.0.len() < least {
        pace.tick().await;
        let records = vec![display_record(script, DEVICE, script.last_seq())];
        let begun = Instant::now();
        agent.publish(&script.topic("data"), script.data(records)).await?;
        agent.committed(script.last_seq()).await?;
        latencies.0.push(begun.elapsed());
    }
    Ok(latencies)
}

#[expect(clippy::print_stderr, reason = "the figures are what a person wants to see of it")]
fn tell(figures: &str) {
    eprintln!("{figures}");
}

#[rstest]
#[case::sqlite(false)]
#[case::postgres(true)]
fn a_backup_beside_a_busy_hub_is_the_history_up_to_a_moment(#[case] postgres: bool) -> Result<()> {
    let database = if postgres { Database::create()? } else { None };
    if postgres && database.is_none() {
        return Ok(());
    }
    let url = database.as_ref().map(Database::url);
    let hub = Hub::with(Options { database_url: url.clone(), ..Options::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let address = hub.mqtt_url().trim_start_matches("mqtt://").parse()?;
    let mut script = Script::new("demo", "lobby-box");
    let mut agent = runtime.block_on(Connection::open(address, "lobby-box", &script))?;
    runtime.block_on(async {
        agent.publish(&script.topic("birth"), script.birth(&[(DEVICE, "led-display")])).await?;
        for _ in 0..BEFORE / 100 {
            let records = (0..100).map(|number| display_record(&mut script, DEVICE, number)).collect();
            agent.publish(&script.topic("data"), script.data(records)).await?;
        }
        agent.committed(script.last_seq()).await
    })?;
    let mut idle = runtime.block_on(report(&mut agent, &mut script, &AtomicBool::new(true), 400))?;

    let home = tempfile::tempdir()?;
    let file = home.path().join("backup.db");
    let acked_before = script.last_seq();
    let mut command = Command::new(program::own("lobby-hub")?);
    command.arg("backup").arg("--to").arg(&file).arg("--data-dir").arg(hub.data_dir());
    if let Some(url) = &url {
        command.args(["--database-url", url]);
    }
    let mut backup = Process::start("backup", &mut command)?;
    let done = Arc::new(AtomicBool::new(false));
    let ended = {
        let done = done.clone();
        thread::spawn(move || {
            let status = backup.exit(Duration::from_mins(2));
            done.store(true, Ordering::Relaxed);
            status.map(|status| (status.success(), backup.said_all()))
        })
    };
    let mut busy = runtime.block_on(report(&mut agent, &mut script, &done, 1))?;
    let (whole, said) = ended.join().map_err(|_| anyhow::anyhow!("the backup's thread"))??;
    ensure!(whole, "{said}");
    let (p99_idle, p99_busy) = (idle.p99(), busy.p99());
    tell(&format!(
        "{} records during the backup; stored within {p99_idle:?} (p99) before, {p99_busy:?} during",
        busy.0.len()
    ));
    ensure!(p99_busy < Duration::from_secs(2), "records waited for the backup: {p99_busy:?}");

    // Restored into a fresh folder, a SQLite database whatever it was made of.
    let data = home.path().join("restored");
    let line = format!("lobby-hub restore {} --data-dir {}", file.display(), data.display());
    let (done, told) = stored::typed(&line)?;
    ensure!(done, "{told}");
    let restored = stored::run(&data)?;
    let mut numbers: Vec<u64> =
        restored.api.records("demo")?.iter().filter_map(|record| record["seq"].as_u64()).collect();
    numbers.sort_unstable();
    let last = *numbers.last().context("records")?;
    ensure!(numbers.iter().copied().eq(1..=last), "no gap and none twice in the {} restored records", numbers.len());
    ensure!((acked_before..=script.last_seq()).contains(&last), "{acked_before} <= {last} <= {}", script.last_seq());
    restored.stop()
}

#[test]
fn a_hub_makes_backups_by_itself_and_keeps_the_newest() -> Result<()> {
    let config = "[backup]\nevery = '1s'\nkeep = 2\n".to_owned();
    let mut hub = Hub::with(Options { config: Some(config), ..Options::default() })?;
    let folder = hub.data_dir().join("backups");
    let names = || -> Result<Vec<_>> {
        let mut names: Vec<_> = fs::read_dir(&folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lobby-")))
            .collect();
        names.sort();
        Ok(names)
    };
    let patience = Duration::from_mins(1);
    let first = wait::until("the first backup", patience, || Ok(names()?.first().cloned()))?;
    wait::until("the first one to go, and two to stay", patience, || {
        let names = names()?;
        Ok((names.len() == 2 && !names.contains(&first)).then_some(()))
    })?;
    let metrics = hub.api.metrics()?;
    ensure!(metrics.sum(&["lobby_backup_last_good_timestamp_seconds"]) > 1.7e9, "{}", metrics.0);
    ensure!(metrics.sum(&["lobby_backup_failing"]) == 0.0, "{}", metrics.0);
    ensure!(hub.stop()?.success(), "a clean end");
    for name in names()? {
        let (whole, said) = stored::command(&["verify", &name.display().to_string()])?;
        ensure!(whole, "{said}");
    }
    Ok(())
}
