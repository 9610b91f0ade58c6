//! `lobby-agent`: the command line around the library.

use std::{
    env,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lobby_agent::{
    check::{check, table},
    config::{Config, ConfigError},
};
use lobby_contract::{DeviceId, Reach};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

/// Exit code of a configuration that cannot be used.
const BAD_CONFIG: u8 = 2;

/// Probes equipment and reports it to the hub.
#[derive(Parser)]
#[command(name = "lobby-agent", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Common,
    /// What is logged, such as `info`, `debug` or `lobby_agent=debug,rumqttc=info`
    #[arg(long, env = "LOBBY_LOG", default_value = "info", global = true)]
    log: String,
    /// How it is logged to standard error
    #[arg(long, default_value = "text", global = true)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Watch and report until stopped (the default)
    Run(Common),
    /// Probe everything once and print what was found
    Check {
        #[command(flatten)]
        common: Common,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only this device
        #[arg(long)]
        device: Option<DeviceId>,
    },
    /// Say whether the configuration can be used
    CheckConfig(Common),
}

#[derive(Args)]
struct Common {
    /// The configuration file
    #[arg(long, env = "LOBBY_AGENT_CONFIG", default_value = "/etc/lobby-agent/agent.toml")]
    config: PathBuf,
}

impl Common {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, |name| env::var(name).ok())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = start_logging(&cli.log, cli.log_format) {
        return complain(&format!("{error:#}"));
    }
    let command = cli.command.unwrap_or(Command::Run(cli.run));
    let (Command::Run(common) | Command::Check { common, .. } | Command::CheckConfig(common)) = &command;
    let config = match common.load() {
        Ok(config) => config,
        Err(error) => return complain(&error.to_string()),
    };
    // One thread is enough for probes that mostly wait, and costs the least memory.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.context("start the runtime").and_then(|runtime| match command {
        Command::Run(_) => runtime.block_on(run(config)),
        Command::Check { json, device, .. } => runtime.block_on(check_all(config, json, device)),
        Command::CheckConfig(common) => {
            print(&format!("{} is good: {} devices\n", common.config.display(), config.devices.len()))
        }
    });
    ended.unwrap_or_else(|cause| {
        error!(cause = format!("{cause:#}"), "the agent has failed");
        ExitCode::FAILURE
    })
}

async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let agent = lobby_agent::run(config, stop.clone());
    tokio::pin!(agent);
    tokio::select! {
        ended = &mut agent => ended?,
        signal = shutdown_signal() => {
            info!(signal = signal?, "stopping");
            stop.cancel();
            agent.await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(unix)]
async fn shutdown_signal() -> anyhow::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    })
}

#[cfg(not(unix))]
async fn shutdown_signal() -> anyhow::Result<&'static str> {
    tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
    Ok("Ctrl-C")
}

async fn check_all(mut config: Config, json: bool, only: Option<DeviceId>) -> anyhow::Result<ExitCode> {
    if let Some(only) = only {
        config.devices.retain(|device| device.id == only);
        if config.devices.is_empty() {
            return Ok(complain(&format!("the configuration has no device `{only}`")));
        }
    }
    let checked = check(&config.devices).await;
    if json {
        print(&format!("{}\n", serde_json::to_string_pretty(&checked).context("write JSON")?))?;
    } else {
        print(&table(&checked))?;
    }
    if let Some(silent) = lobby_agent::watchdog::hub_silent(&config.state_dir) {
        // Beside the table or the JSON, which are about devices.
        let _ = writeln!(std::io::stderr(), "{silent}");
    }
    let all_reached = checked.iter().all(|checked| checked.reach == Reach::Ok);
    Ok(if all_reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn complain(text: &str) -> ExitCode {
    // If even standard error is closed, the exit code has to do.
    let _ = writeln!(std::io::stderr(), "{text}");
    BAD_CONFIG.into()
}

fn start_logging(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("`{filter}` does not say what is to be logged"))?;
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => logging.try_init(),
        LogFormat::Json => logging.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}
