//! Somebody gets a second role while they work, changes to it by the head of the page, and loses it again: on a phone, in Chinese.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options},
    people::{PASSWORD, enter, fill, sign_in, speak},
    program,
};
use serde_json::{Value, json};

const ENGINEER: &str = "chen";
const ADMIN: &str = "boss";
const NEXT_PASSWORD: &str = "ten lamps over the lobby";

/// Where the browser is.
fn place(browser: &mut Browser) -> Result<String> {
    Ok(browser.value("location.pathname + location.search")?.as_str().context("an address")?.to_owned())
}

/// The links of the head that lead from one role to another.
fn offered(browser: &mut Browser) -> Result<Vec<(String, String)>> {
    let links = "[...document.querySelectorAll('#held a')].map(a => [a.textContent.trim(), a.getAttribute('href')])";
    Ok(serde_json::from_value(browser.value(links)?)?)
}

/// The value of an expression about `row`, that person's part of the page of people.
fn of_row(browser: &mut Browser, expression: &str) -> Result<Value> {
    let row =
        format!("[...document.querySelectorAll('main li.row')].find(row => row.innerText.includes({ENGINEER:?}))");
    browser.value(&format!("(row => {expression})({row})"))
}

#[test]
fn a_second_role_is_given_changed_to_by_the_head_and_lost_while_signed_in() -> Result<()> {
    let (Some(mut boss), Some(mut phone)) = (Browser::start()?, Browser::start()?) else { return Ok(()) };
    for browser in [&mut boss, &mut phone] {
        browser.become_phone()?;
    }
    let config = "zone = 'UTC'\n[site.demo]\nname = '云汀案场'\n[site.lake]\nname = '湖滨壹号'\n";
    let hub = Hub::with(Options { config: Some(config.to_owned()), ..Options::default() })?;
    enter(&mut phone, &hub, ENGINEER, "engineering", "demo")?;
    let made = Command::new(program::own("lobby-hub")?)
        .args(["user", "create", "--login", ADMIN, "--role", "admin", "--data-dir"])
        .arg(hub.data_dir())
        .output()?;
    let printed = String::from_utf8(made.stdout)?;
    let link = printed.lines().next_back().context("a link")?;
    let path = link.splitn(4, '/').nth(3).context("a path")?;
    boss.open(&format!("{}/{path}", hub.url()))?;
    fill(&mut boss, &[("password", PASSWORD), ("again", PASSWORD)])?;
    boss.press("main button.main")?;
    for browser in [&mut boss, &mut phone] {
        speak(browser, &hub, "zh")?;
    }
    let [people, engineering] = ["/people", "/engineering"].map(|path| format!("{}{path}", hub.url()));
    sign_in(&mut phone, &hub, ENGINEER, &engineering)?;
    ensure!(offered(&mut phone)?.is_empty(), "who holds one role has no choice");

    sign_in(&mut boss, &hub, ADMIN, &people)?;
    boss.ensure_says_on_phone(&["增加岗位", "云汀案场"])?;
    let choose = "{ const [role, site] = ['role', 'site'].map(name => row.querySelector(`select[name=${name}]`));
        [role.value, site.value] = ['supervisor', 'lake']; row.querySelector('button[value=grant]').id = 'give'; return site.value }";
    ensure!(of_row(&mut boss, choose)? == "lake", "the other site can be chosen");
    boss.press("#give")?;
    boss.ensure_says_on_phone(&["主管", "湖滨壹号", "取消岗位"])?;
    boss.keep("roles-people")?;

    // At once, in the session that was there before.
    phone.open(&engineering)?;
    phone.ensure_says_on_phone(&["切换岗位"])?;
    let links = offered(&mut phone)?;
    ensure!(links.len() == 2 && links[1].0.contains("主管") && links[1].1 == "/?site=lake", "{links:?}");
    phone.press("#held a[href='/?site=lake']")?;
    ensure!(place(&mut phone)? == "/?site=lake", "{}", place(&mut phone)?);
    phone.ensure_says_on_phone(&["湖滨壹号"])?;
    phone.keep("roles-switched")?;
    let current = phone.value("document.querySelector('#held a[aria-current]').getAttribute('href')")?;
    ensure!(current == json!("/?site=lake"), "{current}");

    // What is saved there leads back to the site that was looked at.
    phone.open(&format!("{}/account?site=lake", hub.url()))?;
    fill(&mut phone, &[("present", PASSWORD), ("password", NEXT_PASSWORD), ("again", NEXT_PASSWORD)])?;
    phone.press("form[action='/account/password'] button")?;
    ensure!(place(&mut phone)? == "/account?site=lake&notice=saved", "{}", place(&mut phone)?);
    phone.ensure_says_on_phone(&["主管", "湖滨壹号"])?;

    boss.open(&people)?;
    let lose = "{ const form = row.querySelector('form:has(input[name=role][value=supervisor])');
        form.querySelector('button[value=revoke]').id = 'lose'; return true }";
    of_row(&mut boss, lose)?;
    boss.press("#lose")?;
    let held = of_row(&mut boss, "row.querySelector('.held').innerText")?;
    ensure!(held.as_str().is_some_and(|held| held.contains("云汀案场") && !held.contains("湖滨壹号")), "{held}");

    // Still signed in, and only where they have something to do.
    phone.open(&format!("{}/?site=lake", hub.url()))?;
    let said = phone.says_on_phone()?;
    ensure!(!said.contains("湖滨壹号"), "what was lost is shown no more: {said}");
    phone.open(&engineering)?;
    ensure!(place(&mut phone)? == "/engineering", "they stay signed in");
    ensure!(offered(&mut phone)?.is_empty(), "nothing is left to change to");
    Ok(())
}
