//! A computer's wall clock that a test sets, for one program.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{
    clock::now_ms,
    hub::{self, Api, Options},
    process::Process,
    program,
};

/// Longest wait for a hub to listen.
const PATIENCE: Duration = Duration::from_secs(40);

/// A wall clock that the test sets, for one program.
pub struct Wall {
    library: PathBuf,
    offset: PathBuf,
}

/// A hub whose wall clock the test sets.
pub struct Hub {
    /// Its process.
    pub process: Process,
    /// Its API.
    pub api: Api,
    /// Where its broker listens.
    pub mqtt: String,
    wall: Wall,
    _folder: TempDir,
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

impl Wall {
    /// A clock that is right, if libfaketime is installed.
    pub fn beside(folder: &Path) -> Result<Option<Self>> {
        let Some(library) = library()? else { return Ok(None) };
        let wall = Self { library, offset: folder.join("offset") };
        wall.set(0)?;
        Ok(Some(wall))
    }

    /// Gives this clock to the program that `command` starts.
    pub fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.offset);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")]);
    }

    /// Sets it to be this many seconds off.
    pub fn set(&self, seconds: i64) -> Result<()> {
        // Replaced at once: it is read at any time.
        let new = self.offset.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).context("set a clock")?;
        Ok(std::fs::rename(new, &self.offset)?)
    }
}

impl Hub {
    /// A hub whose clock is right.
    pub fn start() -> Result<Option<Self>> {
        Self::at(0, None)
    }

    /// A hub that is started this many seconds off.
    pub fn at(seconds: i64, config: Option<String>) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let Some(wall) = Wall::beside(folder.path())? else { return Ok(None) };
        wall.set(seconds)?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let mut command = hub::command(&data, &Options { config, ..Options::default() }, anywhere, anywhere)?;
        wall.give_to(&mut command);
        let mut process = Process::start("lobby-hub", &mut command)?;
        let mut listening = |what: &str| -> Result<SocketAddr> {
            let start = format!("{what} listening on ");
            process.line(&start, PATIENCE, |line| line.strip_prefix(&start)?.trim().parse().ok())
        };
        let (http, mqtt) = (listening("http")?, listening("mqtt")?);
        Ok(Some(Self { process, api: Api::at(http), mqtt: format!("mqtt://{mqtt}"), wall, _folder: folder }))
    }

    /// Sets its clock to be this many seconds off.
    pub fn set(&self, seconds: i64) -> Result<()> {
        self.wall.set(seconds)
    }

    /// How many seconds its time is ahead of ours.
    pub fn ahead(&self) -> Result<f64> {
        let metrics = self.api.metrics()?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let now = now_ms() as f64 / 1000.0;
        Ok(metrics.sum(&["lobby_last_evaluated_seconds"]) - now)
    }
}
