//! A PJLink display: an emulator that nobody here wrote.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, ensure};

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
        command.arg("--package").arg(packages(&python)?);
        if let Some(password) = password {
            command.args(["--password", password]);
        }
        let mut process = Process::start("display", &mut command)?;
        let port = process.line("ready", Duration::from_secs(20), |line| line.strip_prefix("ready ")?.parse().ok())?;
        let mut display = Self { process, port };
        display.make("power on")?;
        display.make("signal 1920x1080")?;
        Ok(Some(display))
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Makes it do something, such as `power off` or `mute video`.
    pub fn make(&mut self, what: &str) -> Result<()> {
        self.process.tell(what)
    }
}

/// The folder where `python` keeps its packages.
fn packages(python: &Path) -> Result<String> {
    let output =
        Command::new(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).output()?;
    ensure!(output.status.success(), "{} does not say where its packages are", python.display());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
