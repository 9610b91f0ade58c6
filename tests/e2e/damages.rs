//! A database that is damaged, swapped, shortened or gone: found before it is used, never taken for an empty one, and restored by the one
//! command that the complaint names. The cases are the same in every run.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    hub::Options,
    reports::Script,
    stored::{self, DEVICE, Start},
    wait,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const PAGE: usize = 4096;
/// More than fit into the few pages that the database reorders when more come: the file alone then holds some of them.
const RECORDS: u64 = 800;

/// Folders of a hub, as it leaves them.
struct Templates {
    home: TempDir,
    runtime: Runtime,
    backed_up: Vec<(String, i64, String)>,
    held: Vec<(String, i64, String)>,
}

impl Templates {
    /// `clean` was stopped, `killed` was killed while it ran; both hold the same records, and a backup of a part of them. `older` is a
    /// copy from the past of both, `other` another installation's.
    fn make() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let path = |name: &str| home.path().join(name);
        let mut script = Script::new("demo", "lobby-box");
        let hub = stored::run(&path("clean"))?;
        hub.store(&runtime, &mut script, RECORDS)?;
        hub.stop()?;
        stored::copy(&path("clean"), &path("older"))?;
        let clean = path("clean").display().to_string();
        let (done, said) = stored::command(&["backup", "--data-dir", &clean])?;
        ensure!(done, "{said}");
        let backed_up = stored::content(&runtime, &path("clean"))?;
        let mut hub = stored::run(&path("clean"))?;
        for _ in 0..3 {
            hub.store(&runtime, &mut script, RECORDS)?;
        }
        hub.process.kill()?;
        stored::copy(&path("clean"), &path("killed"))?;
        // Stopped before it was checked, the file would not be sealed.
        let mut hub = stored::run(&path("clean"))?;
        hub.process.line("that the file is whole", Duration::from_mins(1), whole)?;
        hub.stop()?;
        let held = stored::content(&runtime, &path("clean"))?;
        let other = stored::run(&path("other"))?;
        other.store(&runtime, &mut Script::new("demo", "lobby-box"), RECORDS)?;
        other.stop()?;
        Ok(Self { home, runtime, backed_up, held })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip(&'static str),
    ZeroPage(&'static str),
    Truncate(&'static str),
    Delete(&'static str),
    Empty(&'static str),
    Swap(&'static str, &'static str),
    DeleteLogAndIndex,
}

/// What is done to a folder that was stopped, and how often.
const STOPPED: &[(Damage, usize)] = &[
    (Damage::Flip("lobby.db"), 24),
    (Damage::ZeroPage("lobby.db"), 6),
    (Damage::Truncate("lobby.db"), 6),
    (Damage::Delete("lobby.db"), 1),
    (Damage::Empty("lobby.db"), 1),
    (Damage::Swap("lobby.db", "older"), 1),
    (Damage::Swap("lobby.db", "other"), 1),
    (Damage::Flip("installation.json"), 4),
    (Damage::Delete("installation.json"), 1),
];

/// The same of one that was killed. A single byte of its database is left out: without a note of what the file looked like, no check can
/// tell a changed value from another one.
const KILLED: &[(Damage, usize)] = &[
    (Damage::Flip("lobby.db-wal"), 24),
    (Damage::Truncate("lobby.db-wal"), 6),
    (Damage::Delete("lobby.db-wal"), 1),
    (Damage::Empty("lobby.db-wal"), 1),
    (Damage::Flip("lobby.db-shm"), 8),
    (Damage::Delete("lobby.db-shm"), 1),
    (Damage::DeleteLogAndIndex, 1),
    (Damage::ZeroPage("lobby.db"), 4),
    (Damage::Truncate("lobby.db"), 4),
    (Damage::Swap("lobby.db", "older"), 1),
    (Damage::Swap("lobby.db", "other"), 1),
    (Damage::Swap("lobby.db-wal", "other"), 1),
    (Damage::Delete("lobby.db"), 1),
    (Damage::Empty("lobby.db"), 1),
];

#[test]
fn a_damage_to_what_a_stopped_hub_left_is_found_or_changes_nothing() -> Result<()> {
    hundred("clean", STOPPED, 1)
}

#[test]
fn a_damage_to_what_a_killed_hub_left_is_found_or_changes_nothing() -> Result<()> {
    hundred("killed", KILLED, 2)
}

#[expect(clippy::print_stderr, reason = "the figures are what a person wants to see of it")]
fn hundred(template: &str, damages: &[(Damage, usize)], seed: u64) -> Result<()> {
    let templates = Templates::make()?;
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut found, mut harmless) = (0, 0);
    for (damage, times) in damages {
        for time in 0..*times {
            let what = format!("{template}: {damage:?} {time}");
            let data = templates.path("case");
            if data.exists() {
                fs::remove_dir_all(&data)?;
            }
            stored::copy(&templates.path(template), &data)?;
            strike(&templates, *damage, &data, &mut random).with_context(|| what.clone())?;
            // Restoring is the same each time: once for each kind is enough.
            if detected(&templates, &data, time == 0).with_context(|| what)? {
                found += 1;
            } else {
                harmless += 1;
            }
        }
    }
    eprintln!("{template}: {} damages, {found} found, {harmless} that changed nothing", found + harmless);
    assert!(found > harmless, "most damages matter");
    Ok(())
}

fn strike(templates: &Templates, damage: Damage, data: &Path, random: &mut fastrand::Rng) -> Result<()> {
    let change = |name: &str, change: &mut dyn FnMut(&mut Vec<u8>)| -> Result<()> {
        let mut bytes = fs::read(data.join(name)).with_context(|| name.to_owned())?;
        change(&mut bytes);
        Ok(fs::write(data.join(name), bytes)?)
    };
    match damage {
        Damage::Flip(name) => change(name, &mut |bytes| {
            let place = random.usize(..bytes.len());
            bytes[place] ^= random.u8(1..);
        }),
        Damage::ZeroPage(name) => change(name, &mut |bytes| {
            let page = random.usize(..bytes.len() / PAGE);
            bytes[page * PAGE..(page + 1) * PAGE].fill(0);
        }),
        Damage::Truncate(name) => change(name, &mut |bytes| bytes.truncate(random.usize(1..bytes.len()))),
        Damage::Empty(name) => change(name, &mut Vec::clear),
        Damage::Delete(name) => Ok(fs::remove_file(data.join(name))?),
        Damage::DeleteLogAndIndex => {
            fs::remove_file(data.join("lobby.db-wal"))?;
            Ok(fs::remove_file(data.join("lobby.db-shm"))?)
        }
        Damage::Swap(name, from) => {
            let source = templates.path(from).join(name);
            // A folder that was stopped has no log: an empty one is what another hub would bring.
            let bytes = if source.exists() { fs::read(source)? } else { Vec::new() };
            Ok(fs::write(data.join(name), bytes)?)
        }
    }
}

/// The hub's word that a check beside it found nothing.
fn whole(line: &str) -> Option<()> {
    (line.contains("structure of the database file is checked") && line.contains("\"whole\":true")).then_some(())
}

/// Whether a hub on `data` refuses it; if it does not, everything must be there.
fn detected(templates: &Templates, data: &Path, restore: bool) -> Result<bool> {
    let said = match stored::start(data, &Options::default(), |command| command)? {
        Start::Refused(code, said) => {
            ensure!(code == Some(1), "exit code {code:?}: {said}");
            said
        }
        Start::Ready(mut hub) => {
            // A check of the structure goes on beside the hub, and stops it if it finds something.
            let check = hub.process.said().contains("was not closed");
            if !check || hub.process.line("the result of its check", Duration::from_mins(1), whole).is_ok() {
                let rows = hub.api.records("demo")?.len();
                ensure!(
                    i64::try_from(rows)?
                        == templates.held.iter().find(|table| table.0 == "record").map_or(0, |table| table.1)
                );
                if hub.process.runs() && hub.process.terminate(Duration::from_mins(1))?.success() {
                    let now = stored::content(&templates.runtime, data)?;
                    ensure!(now == templates.held, "it started, with other content: {now:?}");
                    return Ok(false);
                }
            }
            let status = hub.process.exit(Duration::from_mins(1))?;
            ensure!(status.code() == Some(1), "{status}");
            hub.process.said_all()
        }
    };
    let identity = said.contains("identity file") && said.contains("remove the file");
    if identity {
        fs::remove_file(data.join("installation.json"))?;
        stored::run(data)?.stop()?;
        ensure!(stored::content(&templates.runtime, data)? == templates.held, "taken as it is");
        return Ok(true);
    }
    ensure!(said.contains("lobby.db: the database is not used"), "{said}");
    ensure!(said.contains("/backups/lobby-2"), "the newest backup is named: {said}");
    if restore {
        let line = said.split("restore it with: ").nth(1).context("the command")?;
        let line = line.split([')', '(', '\n', '"']).next().unwrap_or_default().trim();
        let (done, told) = stored::typed(line)?;
        ensure!(done, "`{line}`: {told}");
        let hub = stored::run(data)?;
        hub.api.device("demo", DEVICE)?;
        hub.stop()?;
        ensure!(stored::content(&templates.runtime, data)? == templates.backed_up, "what was backed up is back");
    }
    Ok(true)
}

#[test]
fn a_hub_begins_anew_on_purpose_only_and_deletes_nothing() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hub = stored::run(&data)?;
    hub.store(&runtime, &mut Script::new("demo", "lobby-box"), 40)?;
    let backups = data.join("backups");
    let copies = || -> Result<usize> {
        Ok(fs::read_dir(&backups)?
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "db"))
            .count())
    };
    wait::until("the first backup", Duration::from_mins(1), || Ok((backups.exists() && copies()? == 1).then_some(())))?;
    hub.stop()?;
    let held = stored::content(&runtime, &data)?;
    let Start::Ready(hub) = stored::start(&data, &Options::default(), |mut command| {
        command.arg("--new-database");
        command
    })?
    else {
        anyhow::bail!("it does not begin anew")
    };
    assert!(hub.api.records("demo")?.is_empty());
    hub.stop()?;
    let old = fs::read_dir(&backups)?.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("aside-"));
    let old = old.context("backups of what was there are kept apart")?.path();
    assert_eq!(fs::read_dir(old)?.count(), 1);
    // The new one goes on like any other.
    stored::run(&data)?.stop()?;
    let aside = fs::read_dir(&data)?.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("aside-"));
    let aside = aside.context("what was there is moved aside")?.path();
    let kept = home.path().join("kept");
    stored::copy(&aside, &kept)?;
    assert_eq!(stored::content(&runtime, &kept)?, held);
    Ok(())
}

#[test]
fn nobody_else_can_read_what_the_hub_keeps() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let hub = stored::run(&data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    hub.store(&runtime, &mut Script::new("demo", "lobby-box"), 40)?;
    let backups = data.join("backups");
    wait::until("the first backup", Duration::from_mins(1), || {
        Ok(fs::read_dir(&backups)?.flatten().any(|entry| entry.path().extension().is_some()).then_some(()))
    })?;
    let mode = |path: &Path| Ok::<_, anyhow::Error>(fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!((mode(&data)?, mode(&backups)?), (0o700, 0o700));
    for name in ["lobby.db", "lobby.db-wal", "lobby.db-shm", "installation.json", "lock"] {
        assert_eq!(mode(&data.join(name))?, 0o600, "{name}");
    }
    hub.stop()?;
    for entry in fs::read_dir(&backups)?.flatten() {
        assert_eq!(mode(&entry.path())?, 0o600, "{:?}", entry.path());
    }
    Ok(())
}
