//! The agent as a process.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{process::Process, program};

/// How long an agent may take to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running agent with its own state directory.
pub struct Agent {
    process: Process,
    dir: TempDir,
    namespace: Option<String>,
}

/// An agent that is configured and has never run.
pub struct Draft {
    dir: TempDir,
    namespace: Option<String>,
}

impl Draft {
    /// An agent of `site`; `devices` is the rest of its configuration file (`[[device]]` …).
    pub fn new(site: &str, id: &str, hub_url: &str, devices: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("lobby-agent-").tempdir()?;
        write_config(dir.path(), site, id, hub_url, devices)?;
        Ok(Self { dir, namespace: None })
    }

    /// Puts it into a network namespace.
    #[must_use]
    pub fn inside(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// Where it will keep its records.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Starts it.
    pub fn start(self) -> Result<Agent> {
        let Self { dir, namespace } = self;
        let process = launch(dir.path(), namespace.as_deref())?;
        Ok(Agent { process, dir, namespace })
    }
}

impl Agent {
    /// Starts an agent of `site`; `devices` is the rest of its configuration file (`[[device]]` …).
    pub fn start(site: &str, id: &str, hub_url: &str, devices: &str) -> Result<Self> {
        Draft::new(site, id, hub_url, devices)?.start()
    }

    /// Starts it again with the same state.
    pub fn restart(&mut self) -> Result<()> {
        self.process = launch(self.dir.path(), self.namespace.as_deref())?;
        Ok(())
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to stop, and waits.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.terminate(PATIENCE)
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where it keeps its records.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }
}

/// Writes the configuration of an agent to `agent.toml` in `dir`; its state goes into `dir` too.
pub fn write_config(dir: &Path, site: &str, id: &str, hub_url: &str, devices: &str) -> Result<PathBuf> {
    let state = dir.join("state");
    let text = format!(
        "[agent]\nsite = \"{site}\"\nid = \"{id}\"\nstate_dir = \"{}\"\n\n[hub]\nurl = \"{hub_url}\"\n\n{devices}",
        state.display()
    );
    let path = dir.join("agent.toml");
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// The command `lobby-agent {verb} --config {config}`.
pub fn command(verb: &str, config: &Path) -> Result<Command> {
    let mut command = Command::new(program::own("lobby-agent")?);
    command.arg(verb).arg("--config").arg(config);
    Ok(command)
}

fn launch(dir: &Path, namespace: Option<&str>) -> Result<Process> {
    let mut command = command("run", &dir.join("agent.toml"))?;
    if let Some(namespace) = namespace {
        // It replaces itself by the agent, whose process id it thereby has.
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
        command = inside;
    }
    Process::start("lobby-agent", command.args(["--log-format", "json"]))
}
