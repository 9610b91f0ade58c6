//! Mosquitto, a broker that nobody here wrote.

use std::{net::TcpStream, process::Command, time::Duration};

use anyhow::Result;
use tempfile::TempDir;

use crate::{process::Process, program, program::is_root, wait};

/// A running Mosquitto without log-in, on loopback.
pub struct Mosquitto {
    process: Process,
    port: u16,
    dir: TempDir,
}

impl Mosquitto {
    /// Starts one that keeps nothing on disk, if it is installed.
    pub fn start() -> Result<Option<Self>> {
        Self::configured("persistence false\n")
    }

    /// Starts one as Debian configures it, if it is installed: it keeps its state on disk, and saves it every half hour.
    pub fn as_packaged() -> Result<Option<Self>> {
        Self::configured("persistence true\n")
    }

    /// Starts one with some lines of configuration, if it is installed.
    pub fn configured(lines: &str) -> Result<Option<Self>> {
        let Some(program) = program::installed("mosquitto")? else { return Ok(None) };
        let dir = tempfile::tempdir()?;
        let port = program::free_port()?;
        let config = dir.path().join("mosquitto.conf");
        let place = dir.path().display();
        // Started by root it gives up root's rights, and could not write into a folder of root's: it stays who it is.
        let user = if is_root() { "user root\n" } else { "" };
        let text =
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence_location {place}/\n{user}{lines}");
        std::fs::write(&config, text)?;
        let process = Process::start("mosquitto", Command::new(program).arg("-c").arg(&config))?;
        let broker = Self { process, port, dir };
        broker.wait_open()?;
        Ok(Some(broker))
    }

    /// Kills it and starts it again at the same address; it remembers what was on its disk.
    pub fn crash(&mut self) -> Result<()> {
        self.process.kill()?;
        let Some(program) = program::installed("mosquitto")? else { return Ok(()) };
        let config = self.dir.path().join("mosquitto.conf");
        self.process = Process::start("mosquitto", Command::new(program).arg("-c").arg(config))?;
        self.wait_open()
    }

    /// Its address: `mqtt://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    fn wait_open(&self) -> Result<()> {
        wait::until("mosquitto to listen", Duration::from_secs(10), || {
            Ok(TcpStream::connect(("127.0.0.1", self.port)).ok().map(drop))
        })
    }
}
