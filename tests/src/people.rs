//! The people of a hub: who they are, when they are on duty, and how they sign in by a browser.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, tz::TimeZone};

use crate::{browser::Browser, clock::now_ms, hub::Hub, program};

/// What everybody has for a password.
pub const PASSWORD: &str = "nine lamps over the lobby";

/// Enters somebody at a site, and says at which path they choose their password.
pub fn create(hub: &Hub, login: &str, role: &str, site: &str) -> Result<String> {
    let entered = Command::new(program::own("lobby-hub")?)
        .args(["user", "create", "--login", login, "--role", role, "--site", site, "--data-dir"])
        .arg(hub.data_dir())
        .output()?;
    ensure!(entered.status.success(), "{}", String::from_utf8_lossy(&entered.stderr));
    let printed = String::from_utf8(entered.stdout)?;
    let link = printed.lines().next_back().context("a last line")?;
    link.splitn(4, '/').nth(3).map(str::to_owned).context("a path")
}

/// Enters somebody at a site, who then chooses [`PASSWORD`] by the link that the command prints.
pub fn enter(browser: &mut Browser, hub: &Hub, login: &str, role: &str, site: &str) -> Result<()> {
    let path = create(hub, login, role, site)?;
    browser.open(&format!("{}/{path}", hub.url()))?;
    fill(browser, &[("password", PASSWORD), ("again", PASSWORD)])?;
    browser.press("main button.main")
}

/// What `lobby-hub token` prints, or says if it fails.
pub fn token(data: &Path, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program::own("lobby-hub")?).arg("token").args(arguments).arg("--data-dir").arg(data).output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    Ok(said(&output.stdout))
}

/// Lets somebody alone be on duty at a post around the clock, in a shift of the site called `whole`. The site's zone is UTC.
pub fn put_on_duty(hub: &Hub, login: &str, post: &str, site: &str) -> Result<()> {
    let today = Timestamp::from_millisecond(now_ms())?.to_zoned(TimeZone::UTC).date();
    let days = [today.yesterday()?, today, today.tomorrow()?];
    let lines = days.map(|day| format!("{day},{post},whole,{login}\n")).concat();
    let file = hub.data_dir().join("roster.csv");
    fs::write(&file, format!("date,post,shift,person\n{lines}"))?;
    let imported = Command::new(program::own("lobby-hub")?)
        .args(["roster", "import", "--site", site])
        .arg(&file)
        .arg("--config")
        .arg(hub.data_dir().join("hub.toml"))
        .arg("--data-dir")
        .arg(hub.data_dir())
        .output()?;
    ensure!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    Ok(())
}

/// Signs whoever is signed in out, and somebody in, and opens a page.
pub fn sign_in(browser: &mut Browser, hub: &Hub, login: &str, page: &str) -> Result<()> {
    if browser.value("Boolean(document.querySelector('form.person button'))")? == true {
        browser.press("form.person button")?;
    }
    browser.open(&format!("{}/sign-in", hub.url()))?;
    fill(browser, &[("login", login), ("password", PASSWORD)])?;
    browser.press("main button.main")?;
    let refused = browser.value("location.pathname == '/sign-in' ? document.body.innerText : ''")?;
    ensure!(refused == "", "{login} is not let in: {refused}");
    browser.open(page)
}

/// Lets the hub speak to this browser in a language, `zh` or `en`.
pub fn speak(browser: &mut Browser, hub: &Hub, language: &str) -> Result<()> {
    browser.open(&format!("{}/sign-in", hub.url()))?;
    browser.value(&format!("document.cookie = 'lang={language}; path=/'")).map(drop)
}

/// Types into the fields of those ids.
pub fn fill(browser: &mut Browser, fields: &[(&str, &str)]) -> Result<()> {
    fields.iter().try_for_each(|(id, value)| {
        browser.value(&format!("document.getElementById({id:?}).value = {value:?}")).map(drop)
    })
}
