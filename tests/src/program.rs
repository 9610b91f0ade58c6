//! Where the programs are that tests start.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// One of the product's own programs, from the folder into which cargo built this test.
pub fn own(name: &str) -> Result<PathBuf> {
    if let Some(folder) = env::var_os("LOBBY_BIN_DIR") {
        return existing(PathBuf::from(folder).join(name));
    }
    let own = env::current_exe().context("find the folder of this program")?;
    let folder =
        own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).context("the folder of this program")?;
    existing(folder.join(name))
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} is missing: run `cargo build --workspace --bins` first, or use `tests/run`", path.display());
    }
    Ok(path)
}

/// A program of the system, or nothing if it is not installed. Where `CI` is set, a missing program is an error.
pub fn installed(name: &str) -> Result<Option<PathBuf>> {
    let path = env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/bin"]);
    let found = folders.map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Ok(Some(path)),
        None => skipped(&format!("{name} is not installed")),
    }
}

/// Whether this runs as root.
pub fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Says that a test is skipped, and why; where `CI` is set, nothing may be skipped.
#[expect(clippy::print_stderr, reason = "the reason must reach the person who runs the tests")]
pub fn skipped<T>(reason: &str) -> Result<Option<T>> {
    if env::var_os("CI").is_some() {
        bail!("{reason}: `tests/run` installs everything");
    }
    eprintln!("skipped: {reason} (`tests/run` installs everything)");
    Ok(None)
}

/// A Python interpreter with the packages of `tests/run`, from `TEST_PYTHON`.
pub fn python() -> Result<Option<PathBuf>> {
    match env::var_os("TEST_PYTHON") {
        Some(path) => Ok(Some(path.into())),
        None => skipped("TEST_PYTHON is not set"),
    }
}

/// A script below `tests/`, run by `python`.
pub fn script(python: &Path, path: &str) -> Command {
    let mut command = Command::new(python);
    command.arg("-u").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    command
}

/// A port of loopback that nobody uses now, for programs that cannot choose one themselves.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("look for a free port")?;
    Ok(listener.local_addr()?.port())
}
