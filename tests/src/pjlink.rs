//! A PJLink display: an emulator that nobody here wrote.

use std::time::Duration;

use anyhow::Result;

use crate::{process::Process, program};

/// A running display.
pub struct Display {
    process: Process,
    port: u16,
}

impl Display {
    /// Starts one that is on and shows a picture, if there is a Python for it.
    pub fn start(password: Option<&str>) -> Result<Option<Self>> {
        let Some(python) = program::python()? else { return Ok(None) };
        let mut command = program::script(&python, "peers/pjlink_emulator.py");
        if let Some(password) = password {
            command.args(["--password", password]);
        }
        let mut process = Process::start("display", &mut command)?;
        let port = process.line("ready", Duration::from_secs(20), |line| line.strip_prefix("ready ")?.parse().ok())?;
        Ok(Some(Self { process, port }))
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes it do something, such as `power off` or `mute on`.
    pub fn make(&mut self, what: &str) -> Result<()> {
        self.process.tell(what)
    }
}
