//! People who sign in at a hub by a browser.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{browser::Browser, hub::Hub, program};

/// What everybody has for a password.
pub const PASSWORD: &str = "nine lamps over the lobby";

/// Enters somebody at a site, who then chooses [`PASSWORD`] by the link that the command prints.
pub fn enter(browser: &mut Browser, hub: &Hub, login: &str, role: &str, site: &str) -> Result<()> {
    let entered = Command::new(program::own("lobby-hub")?)
        .args(["user", "create", "--login", login, "--role", role, "--site", site, "--data-dir"])
        .arg(hub.data_dir())
        .output()?;
    ensure!(entered.status.success(), "{}", String::from_utf8_lossy(&entered.stderr));
    let printed = String::from_utf8(entered.stdout)?;
    let link = printed.lines().next_back().context("a last line")?;
    let path = link.splitn(4, '/').nth(3).context("a path")?;
    browser.open(&format!("{}/{path}", hub.url()))?;
    fill(browser, &[("password", PASSWORD), ("again", PASSWORD)])?;
    browser.press("main button.main")
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
