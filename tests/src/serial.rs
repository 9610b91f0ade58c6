//! A serial line: two pseudo terminals joined by socat.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;
use tempfile::TempDir;

use crate::{process::Process, program, wait};

/// A serial line with two ends.
pub struct Line {
    _process: Process,
    dir: TempDir,
}

impl Line {
    /// Lays one, if socat is installed.
    pub fn lay() -> Result<Option<Self>> {
        let Some(program) = program::installed("socat")? else { return Ok(None) };
        let dir = tempfile::tempdir()?;
        let mut command = Command::new(program);
        for end in ["agent", "equipment"] {
            command.arg(format!("pty,raw,echo=0,link={}", dir.path().join(end).display()));
        }
        let process = Process::start("socat", &mut command)?;
        let line = Self { _process: process, dir };
        wait::until("both ends of the serial line", Duration::from_secs(10), || {
            Ok((line.agent().exists() && line.equipment().exists()).then_some(()))
        })?;
        Ok(Some(line))
    }

    /// The agent's end.
    pub fn agent(&self) -> PathBuf {
        self.end("agent")
    }

    /// The equipment's end.
    pub fn equipment(&self) -> PathBuf {
        self.end("equipment")
    }

    fn end(&self, name: &str) -> PathBuf {
        Path::join(self.dir.path(), name)
    }
}
