//! A PostgreSQL server of one test's own, which may be killed, stopped and frozen. Other tests share the one of [`crate::database`].

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{process::Process, program, wait};

const PATIENCE: Duration = Duration::from_secs(30);
/// It refuses to run as root: who it is then. `tests/run` makes the second if the first is not there.
const USERS: [&str; 2] = ["postgres", "lobby-postgres"];

/// The user that is asked for a password, and has none.
const STRANGER: &str = "stranger";

/// A running server; it goes, with its data, when this is dropped.
pub struct Server {
    process: Process,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    runtime: Runtime,
    dir: TempDir,
}

impl Server {
    /// Makes and starts one, if PostgreSQL is installed.
    pub fn start() -> Result<Option<Self>> {
        let Some(programs) = programs() else { return program::skipped("PostgreSQL is not installed") };
        let user = if program::is_root() {
            let Some(user) = USERS.iter().find_map(|name| user(name)) else {
                return program::skipped("there is no user for PostgreSQL, which refuses to run as root");
            };
            Some(user)
        } else {
            None
        };
        let dir = tempfile::Builder::new().prefix("lobby-postgres-").tempdir()?;
        if let Some((uid, gid)) = user {
            chown(dir.path(), Some(uid), Some(gid))?;
        }
        let made = command(&programs, "initdb", user, dir.path())
            .args(["-U", "lobby", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(dir.path().join("data"))
            .output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let rules = dir.path().join("data/pg_hba.conf");
        let usual = fs::read_to_string(&rules).context("who may connect")?;
        fs::write(&rules, format!("host all {STRANGER} all scram-sha-256\n{usual}"))?;
        let port = program::free_port()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let process = launch(&programs, user, dir.path(), port)?;
        let server = Self { process, programs, user, port, runtime, dir };
        server.answers()?;
        Ok(Some(server))
    }

    /// The address of its one database.
    pub fn url(&self) -> String {
        format!("postgres://lobby@127.0.0.1:{}/postgres", self.port)
    }

    /// The same, as somebody whose password is wrong.
    pub fn url_with_password(&self, password: &str) -> String {
        format!("postgres://{STRANGER}:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends all its processes at once, as a power cut does.
    pub fn kill(&mut self) -> Result<()> {
        let children = self.children()?;
        self.process.kill()?;
        // One that noticed and ended by itself is no error.
        let _ = signal("KILL", &children);
        Ok(())
    }

    /// Ends it in good order; whoever is connected is thrown out.
    pub fn stop(&mut self) -> Result<()> {
        self.process.signal("INT")?;
        ensure!(self.process.exit(PATIENCE)?.success(), "PostgreSQL did not stop in good order");
        Ok(())
    }

    /// Starts it again with the same data at the same address, and waits until it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.process = launch(&self.programs, self.user, self.dir.path(), self.port)?;
        self.answers()
    }

    /// Lets nothing of it go on: it keeps its connections, takes new ones, and answers none.
    pub fn freeze(&self) -> Result<()> {
        // First the one that would make more of them.
        self.process.signal("STOP")?;
        signal("STOP", &self.children()?)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        signal("CONT", &self.children()?)?;
        self.process.signal("CONT")
    }

    fn children(&self) -> Result<Vec<String>> {
        let id = self.process.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let text = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    fn answers(&self) -> Result<()> {
        wait::until("PostgreSQL to answer", PATIENCE, || {
            self.runtime.block_on(async {
                let mut connection = PgConnection::connect(&self.url()).await?;
                sqlx::query("SELECT 1").execute(&mut connection).await?;
                connection.close().await?;
                Ok(Some(()))
            })
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is frozen would not notice that the others have gone.
        let _ = self.kill();
    }
}

fn launch(programs: &Path, user: Option<(u32, u32)>, dir: &Path, port: u16) -> Result<Process> {
    let mut command = command(programs, "postgres", user, dir);
    command.arg("-D").arg(dir.join("data")).args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")]);
    command.args(["-c", "unix_socket_directories="]);
    Process::start("postgres", &mut command)
}

fn command(programs: &Path, name: &str, user: Option<(u32, u32)>, dir: &Path) -> Command {
    let mut command = Command::new(programs.join(name));
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command.current_dir(dir);
    command
}

fn signal(signal: &str, ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sent = Command::new("kill").arg(format!("-{signal}")).args(ids).output()?;
    ensure!(sent.status.success(), "kill -{signal}: {}", String::from_utf8_lossy(&sent.stderr));
    Ok(())
}

/// The folder of PostgreSQL's programs: where the path leads, or the newest that Debian has put beside it.
fn programs() -> Option<PathBuf> {
    let path = env::var("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = path.split(':').map(|folder| Path::new(folder).join("initdb")).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/initdb"))))
        .collect();
    versions.sort();
    found.extend(versions.into_iter().rev().map(|(_, path)| path));
    // The path may lead to a link, and the server lies beside what it points to.
    let real = found.iter().find_map(|path| path.canonicalize().ok())?;
    real.parent().filter(|folder| folder.join("postgres").exists()).map(Path::to_owned)
}

/// The ids of a user and of its group.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
