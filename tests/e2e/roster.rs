//! Rosters on the command line.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lobby_tests::{clock, program};
use tempfile::TempDir;

/// The exit code of `lobby-hub`, with what it prints and what it says to errors.
fn lobby(folder: &Path, arguments: &[&str]) -> Result<(i32, String, String)> {
    let output = Command::new(program::own("lobby-hub")?)
        .args(arguments)
        .arg("--config")
        .arg(folder.join("hub.toml"))
        .arg("--data-dir")
        .arg(folder.join("data"))
        .output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), said(&output.stdout), said(&output.stderr)))
}

/// A table in which `who` has the whole of each of these days.
fn table(days: impl Iterator<Item = Date>, who: &str) -> String {
    days.map(|day| format!("{day},concierge,whole,{who}\n"))
        .fold("date,post,shift,person\n".into(), |all, day| all + &day)
}

#[test]
fn a_roster_is_imported_listed_and_checked_for_gaps() -> Result<()> {
    let folder = TempDir::new()?;
    let folder = folder.path();
    fs::write(folder.join("hub.toml"), "zone = 'Asia/Shanghai'\n[site.demo.shifts]\nwhole = '00:00-00:00'\n")?;
    let file = folder.join("roster.csv");
    let path = file.display().to_string();
    let run = |arguments: &[&str]| lobby(folder, arguments);
    let (code, _, error) = run(&["user", "create", "--login", "zhao", "--role", "concierge"])?;
    ensure!(code == 0, "{error}");
    let import = ["roster", "import", "--site", "demo", &path];
    let check = ["roster", "check", "--site", "demo"];

    let (code, _, error) = run(&check)?;
    ensure!(code == 1 && error.contains("demo has no roster"), "{code}: {error}");

    fs::write(&file, "date,post,shift,person\n2026-11-31,concirge,hole,zaho\n")?;
    let (code, out, error) = run(&import)?;
    ensure!(code == 1 && out.is_empty(), "{code}: {out}");
    for wrong in [":2:1: `2026-11-31` is not a date", "`concierge`?", "`whole`?", "`zhao`?"] {
        ensure!(error.contains(wrong), "no {wrong} in {error}");
    }

    let now = Timestamp::from_millisecond(clock::now_ms())?;
    let today = now.to_zoned(TimeZone::get("Asia/Shanghai")?).date();
    fs::write(&file, table(today.series(1.day()).take(9), "zhao"))?;
    let (code, out, error) = run(&[&import[..], &["--dry-run"]].concat())?;
    ensure!(code == 0 && out.contains("9 duties would be added, 0 would be taken away"), "{out}{error}");
    let (_, out, _) = run(&["roster", "list"])?;
    ensure!(out.trim() == "nobody is on duty", "{out}");

    let (code, out, error) = run(&import)?;
    ensure!(code == 0 && out.contains("9 duties added, 0 taken away"), "{out}{error}");
    let (code, out, _) = run(&import)?;
    ensure!(code == 0 && out.trim() == "no change", "{out}");
    let (_, out, _) = run(&["roster", "list", "--site", "demo"])?;
    ensure!(out.lines().all(|line| line.starts_with("demo  ") && line.ends_with("concierge  zhao")), "{out}");
    let (code, out, error) = run(&check)?;
    ensure!(code == 0 && out.contains("somebody is on duty at concierge for 7 days"), "{out}{error}");
    let (code, out, _) = run(&[&check[..], &["--post", "engineering"]].concat())?;
    ensure!(code == 1 && out.contains("  engineering"), "{out}");

    // Somebody is away.
    let away = today.checked_add(3.days())?;
    fs::write(&file, format!("date,post,shift,person\n{away},concierge,,\n"))?;
    let (code, out, error) = run(&import)?;
    ensure!(code == 0 && out.contains("0 duties added, 1 taken away"), "{out}{error}");
    let (code, out, error) = run(&check)?;
    let gap = format!("{away}  00:00 - {} 00:00  concierge", away.checked_add(1.day())?);
    ensure!(code == 1 && out.trim() == gap && error.contains("at a post: 1"), "{code}: {out}{error}");
    let (code, _, error) = run(&["roster", "check", "--site", "other"])?;
    ensure!(code == 1 && error.contains("there is no site `other`"), "{error}");
    Ok(())
}
