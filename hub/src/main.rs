//! The command line of the hub.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use lobby_hub::{
    Mode, Ready, command,
    config::{Config, File, Overrides},
    http::Tls,
    lifecycle::{Ending, shutdown_signal},
    password::hash_password,
    storage,
};
use tracing_subscriber::EnvFilter;

/// The C library's allocator keeps what was freed, once a large block was among it. This one gives it back and takes less time. It serves what is
/// written in Rust; SQLite has the C library's. It is set up in `.cargo/config.toml`, which `cargo` reads where it is called.
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Monitors the equipment of sales-centre lobbies: judges what agents report by the service standards, raises alerts and opens repair
/// tickets.
#[derive(Debug, Parser)]
#[command(name = "lobby-hub", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the hub (the default)
    Serve(Serve),
    /// Shows the hub with a simulated sales centre; needs no files and keeps none
    Demo(Demo),
    /// Checks a configuration file and its standards pack, and says every mistake with its place
    CheckConfig {
        /// The configuration file
        #[arg(long, env = "LOBBY_CONFIG")]
        config: PathBuf,
    },
    /// Makes a line for the MQTT users file; reads the password from standard input
    MqttUser {
        /// The agent's site
        #[arg(long)]
        site: lobby_contract::SiteId,
        /// The agent
        #[arg(long)]
        agent: lobby_contract::AgentId,
    },
    /// Makes a verified backup, also beside a running hub
    Backup(command::Backup),
    /// Restores a backup; the hub must be stopped
    Restore(command::Restore),
    /// Checks a backup, or the database itself
    Verify(command::Verify),
    /// Makes, lists and revokes the tokens with which programs use the API
    Token(command::Token),
    /// Enters, lists, disables and enables the people who sign in
    User(command::User),
    /// Imports, lists and checks who is on duty at which post
    Roster(command::Roster),
    /// Verifies and lists the audit log of what people and programs have changed
    Audit(command::Audit),
}

#[derive(Debug, Args)]
struct Logging {
    /// How logs are written to standard error
    #[arg(long, value_enum, default_value = "text", env = "LOBBY_LOG_FORMAT")]
    log_format: LogFormat,
    /// Which logs are written, such as `info` or `lobby_hub=debug`
    #[arg(long, default_value = "info,mqtt5=error", env = "LOBBY_LOG")]
    log: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
struct Serve {
    /// A configuration file
    #[arg(long, env = "LOBBY_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of the hub's own files [default: lobby-data]
    #[arg(long, env = "LOBBY_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Where the web server listens, beyond this computer only with `[http.tls]` [default: 127.0.0.1:8080]
    #[arg(long, env = "LOBBY_LISTEN_HTTP")]
    listen_http: Option<SocketAddr>,
    /// Where the embedded broker listens [default: 127.0.0.1:1883]
    #[arg(long, env = "LOBBY_LISTEN_MQTT")]
    listen_mqtt: Option<SocketAddr>,
    /// Another broker instead of the embedded one, such as `mqtt://broker:1883`
    #[arg(long, env = "LOBBY_MQTT_URL")]
    mqtt_url: Option<String>,
    /// The database, such as `postgres://hub@db/lobby` [default: SQLite in the data folder]
    #[arg(long, env = "LOBBY_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Begins a new database on purpose; what is there is moved aside
    #[arg(long)]
    new_database: bool,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Debug, Args)]
struct Demo {
    /// Where the web server listens
    #[arg(long, default_value = "127.0.0.1:8080", env = "LOBBY_LISTEN_HTTP")]
    listen_http: SocketAddr,
    #[command(flatten)]
    logging: Logging,
}

/// How often another worker is woken.
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// A worker whose task stands still may be the one that waited for the network and for timers, and while it does, no other one wakes to take
/// that over: then not even `/readyz` is answered. What is spawned from outside wakes another one. Ends with what is returned.
fn keep_listening(runtime: tokio::runtime::Handle) -> anyhow::Result<mpsc::Sender<()>> {
    let (kept, ended) = mpsc::channel();
    let wake = move || {
        while ended.recv_timeout(WAKE_EVERY) == Err(RecvTimeoutError::Timeout) {
            runtime.spawn(async {});
        }
    };
    thread::Builder::new().name("waker".into()).spawn(wake).context("starting a thread")?;
    Ok(kept)
}

/// The exit code of a mistake in configuration or on the command line.
const MISTAKE: u8 = 2;

fn main() -> ExitCode {
    // Two TLS libraries ask for the process's provider; without this the first use panics.
    let _ = rustls::crypto::ring::default_provider().install_default();
    storage::private::new_files();
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(serve) => serve_until_stopped(serve),
        Command::Demo(demo) => demonstrate(&demo),
        Command::CheckConfig { config } => {
            match File::read(&config).and_then(|file| Config::new(file, Overrides::default())) {
                Ok(checked) => {
                    let rules: usize = checked.pack.kinds.values().map(|kind| kind.rules.len()).sum();
                    say(&format!(
                        "{}: no mistakes; {rules} rules for {} kinds",
                        config.display(),
                        checked.pack.kinds.len()
                    ));
                    let (scheme, certificate) = match &checked.http_tls {
                        None => ("http", String::new()),
                        Some(Tls::SelfMade) => ("https", ", with a certificate that the hub makes".to_owned()),
                        Some(Tls::Files { cert_file, .. }) => ("https", format!(", with {}", cert_file.display())),
                    };
                    say(&format!("web: {scheme} on {}{certificate}", checked.listen_http));
                    for channel in checked.notify.channels.values() {
                        let (kind, posts) = (channel.target.kind(), channel.posts.join(", "));
                        say(&format!("channel {}: {kind} for {posts}", channel.name));
                    }
                    ExitCode::SUCCESS
                }
                Err(mistake) => complain(&mistake),
            }
        }
        Command::MqttUser { site, agent } => match user_line(&site, &agent) {
            Ok(line) => {
                say(&line);
                ExitCode::SUCCESS
            }
            Err(mistake) => complain(&mistake),
        },
        Command::Backup(backup) => to_the_end(backup.run(&say)),
        Command::Restore(restore) => to_the_end(restore.run(&say)),
        Command::Verify(verify) => to_the_end(verify.run(&say)),
        Command::Token(token) => to_the_end(token.run(&say)),
        Command::User(user) => to_the_end(user.run(&say)),
        Command::Roster(roster) => to_the_end(roster.run(&say)),
        Command::Audit(audit) => to_the_end(audit.run(&say)),
    }
}

/// Runs a command that is done when its work is.
fn to_the_end(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.context("starting the async runtime").and_then(|runtime| runtime.block_on(work)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            complain(&cause);
            ExitCode::FAILURE
        }
    }
}

fn serve_until_stopped(serve: Serve) -> ExitCode {
    start_logging(&serve.logging);
    let overrides = Overrides {
        data_dir: serve.data_dir,
        listen_http: serve.listen_http,
        listen_mqtt: serve.listen_mqtt,
        mqtt_url: serve.mqtt_url,
        database_url: serve.database_url,
        new_database: serve.new_database,
    };
    let config = match &serve.config {
        Some(path) => Config::read(path, overrides),
        None => Config::new(File::default(), overrides),
    };
    match config {
        Ok(config) => run(config, Mode::Serve, |ready| {
            say(&format!("{} listening on {}", if ready.https { "https" } else { "http" }, ready.http));
            if let Some(mqtt) = ready.mqtt {
                say(&format!("mqtt listening on {mqtt}"));
            }
        }),
        Err(mistake) => complain(&mistake),
    }
}

fn demonstrate(demo: &Demo) -> ExitCode {
    start_logging(&demo.logging);
    let folder = std::env::temp_dir().join(format!("lobby-demo-{}", std::process::id()));
    let overrides = Overrides {
        data_dir: Some(folder.clone()),
        listen_http: Some(demo.listen_http),
        listen_mqtt: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Overrides::default()
    };
    let code = match Config::new(lobby_hub::demo::settings(), overrides) {
        Ok(config) => run(config, Mode::Demo, |ready| {
            say(&format!("A demonstration with simulated equipment. Open http://{}/ in a browser.", ready.http));
            for (post, path) in [
                ("concierge", "concierge"),
                ("engineering", "engineering"),
                ("show flat", "showflat"),
                ("reception", "reception"),
            ] {
                say(&format!("  {post:<12} http://{}/{path}", ready.http));
            }
            say(
                "No sign-in is needed: the web server listens on this computer only. Ctrl-C ends it and removes its files.",
            );
        }),
        Err(mistake) => complain(&mistake),
    };
    // What cannot be removed is in the folder for temporary files.
    let _ = std::fs::remove_dir_all(folder);
    code
}

fn run(config: Config, mode: Mode, ready: impl FnOnce(Ready)) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let ending = runtime.context("starting the async runtime").and_then(|runtime| {
        let _kept = keep_listening(runtime.handle().clone())?;
        runtime.block_on(async { lobby_hub::run(config, mode, shutdown_signal(), ready).await })
    });
    match ending {
        Ok(Ending::Clean) => ExitCode::SUCCESS,
        Ok(Ending::Failed | Ending::TimedOut) => ExitCode::FAILURE,
        Err(cause) => {
            complain(&cause);
            ExitCode::FAILURE
        }
    }
}

fn user_line(site: &lobby_contract::SiteId, agent: &lobby_contract::AgentId) -> anyhow::Result<String> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("reading the password from standard input")?;
    let hash = hash_password(password.trim_end_matches(['\r', '\n'])).context("hashing the password")?;
    let user = format!("# User `{site}/{agent}`, client id `{site}.{agent}`.");
    Ok(format!("{user}\n[[agent]]\nsite = \"{site}\"\nid = \"{agent}\"\npassword_hash = \"{hash}\""))
}

fn start_logging(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match logging.log_format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}

/// Writes a line to standard output; a reader that has gone away does not matter.
fn say(line: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn complain(mistake: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "lobby-hub: {mistake:#}");
    ExitCode::from(MISTAKE)
}
