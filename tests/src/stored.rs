//! What the hub keeps, seen from outside: its folder started, copied, backed up and restored.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::runtime::Runtime;

use crate::{
    hub::{self, Api, Options},
    load::{Connection as Agent, display_record},
    process::Process,
    program,
    reports::Script,
};

const PATIENCE: Duration = Duration::from_mins(2);
/// The device of the records stored here.
pub const DEVICE: &str = "entrance-led";

/// What became of a hub that was started.
pub enum Start {
    /// It runs.
    Ready(Running),
    /// It ended with this code, and said why.
    Refused(Option<i32>, String),
}

/// A hub that runs on a folder of the test.
pub struct Running {
    /// The process.
    pub process: Process,
    /// What it answers.
    pub api: Api,
    /// Its broker, of its own or not.
    pub mqtt: SocketAddr,
}

/// Starts a hub on `data`, with what `change` adds to the command.
pub fn start(data: &Path, options: &Options, change: impl FnOnce(Command) -> Command) -> Result<Start> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut process = Process::start("lobby-hub", &mut change(hub::command(data, options, loopback, loopback)?))?;
    let listening = |process: &mut Process, what: &str| {
        let start = format!("{what} listening on ");
        process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse::<SocketAddr>().ok())
    };
    match listening(&mut process, "http") {
        Ok(http) => {
            let mqtt = match &options.mqtt_url {
                None => listening(&mut process, "mqtt")?,
                Some(url) => url.trim_start_matches("mqtt://").parse().context("the broker's address")?,
            };
            Ok(Start::Ready(Running { process, api: Api::at(http), mqtt }))
        }
        Err(_) if !process.runs() => {
            let code = process.exit(PATIENCE)?.code();
            Ok(Start::Refused(code, process.said_all()))
        }
        Err(error) => Err(error),
    }
}

/// Starts a hub on `data` that is expected to run.
pub fn run(data: &Path) -> Result<Running> {
    match start(data, &Options::default(), |command| command)? {
        Start::Ready(running) => Ok(running),
        Start::Refused(code, said) => bail!("the hub ended with {code:?}: {said}"),
    }
}

impl Running {
    /// Asks it to stop, and waits; anything but a clean end is an error.
    pub fn stop(mut self) -> Result<()> {
        let status = self.process.terminate(PATIENCE)?;
        ensure!(status.success(), "the hub ended with {status}: {}", self.process.said());
        Ok(())
    }

    /// Reports `count` more records of [`DEVICE`], and waits until the hub says that they are stored.
    pub fn store(&self, runtime: &Runtime, script: &mut Script, count: u64) -> Result<()> {
        runtime.block_on(async {
            let mut agent = Agent::open(self.mqtt, "lobby-box", script).await?;
            agent.publish(&script.topic("birth"), script.birth(&[(DEVICE, "led-display")])).await?;
            for _ in 0..count.div_ceil(20) {
                let records = (0..20).map(|number| display_record(script, DEVICE, number)).collect();
                agent.publish(&script.topic("data"), script.data(records)).await?;
            }
            agent.committed(script.last_seq()).await
        })
    }
}

/// Runs a command of the hub to its end. Returns whether it succeeded, and what it said.
pub fn command(arguments: &[&str]) -> Result<(bool, String)> {
    let mut process = Process::start(arguments[0], Command::new(program::own("lobby-hub")?).args(arguments))?;
    let status = process.exit(PATIENCE)?;
    // The streams may end a moment after the process.
    Ok((status.success(), process.said_all()))
}

/// Runs a command line as a person types it, with the hub under test as `lobby-hub`.
pub fn typed(line: &str) -> Result<(bool, String)> {
    let folder = program::own("lobby-hub")?.parent().context("a folder")?.to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut process = Process::start("sh", Command::new("sh").args(["-c", line]).env("PATH", path))?;
    let status = process.exit(PATIENCE)?;
    Ok((status.success(), process.said_all()))
}

/// What a folder's database holds: every table that only reports change, with the digest of its rows.
pub fn content(runtime: &Runtime, data: &Path) -> Result<Vec<(String, i64, String)>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("content.db");
    let (data, to) = (data.display().to_string(), file.display().to_string());
    let (done, said) = command(&["backup", "--data-dir", &data, "--to", &to])?;
    ensure!(done, "a backup of {data}: {said}");
    tables(runtime, &file)
}

/// The same of a backup.
pub fn tables(runtime: &Runtime, file: &Path) -> Result<Vec<(String, i64, String)>> {
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(file).read_only(true).connect().await?;
        let query = "SELECT name, rows, digest FROM backup_table
            WHERE name IN ('record', 'stream', 'lost', 'device', 'alert', 'ticket', 'ticket_event', 'outbox') ORDER BY name";
        let rows = sqlx::query_as(query).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(rows)
    })
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
