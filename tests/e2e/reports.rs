//! A guest scans a label, says what they see and sends a photo; an engineer sees both.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_tests::{browser::Browser, hub::Hub, mqtt::Peer, program, reports::Script};

const SITE: &str = "demo";
const PASSWORD: &str = "nine lamps over the lobby";
const PATIENCE: Duration = Duration::from_secs(40);

fn says(browser: &mut Browser) -> Result<String> {
    Ok(browser.value("document.body.innerText")?.as_str().context("a text")?.to_owned())
}

fn fill(browser: &mut Browser, fields: &[(&str, &str)]) -> Result<()> {
    for (id, value) in fields {
        browser.value(&format!("document.getElementById({id:?}).value = {value:?}"))?;
    }
    Ok(())
}

#[test]
fn a_guest_reports_a_dark_display_with_a_photo_in_three_taps_and_the_engineer_sees_it() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("entrance-led", "led-display")]))?;
    peer.publish(&script.topic("data"), script.report("entrance-led", &[("power", "on".into())]))?;
    let labels = format!("{}/labels?site={SITE}", hub.url());
    lobby_tests::wait::until("the label of the device", PATIENCE, || {
        browser.open(&labels)?;
        Ok((browser.value("document.querySelectorAll('.code').length")? == 1).then_some(()))
    })?;
    let code = browser.value("document.querySelector('.code').textContent")?;
    let label = format!("{}/d/{}", hub.url(), code.as_str().context("a code")?);

    // From the first account on, whoever is not signed in is a guest.
    let link = fs::read_to_string(hub.data_dir().join("setup-link.txt"))?;
    browser.open(link.trim())?;
    fill(&mut browser, &[("name", "王敏"), ("login", "wang"), ("password", PASSWORD), ("again", PASSWORD)])?;
    browser.press("main button.main")?;
    let entered = Command::new(program::own("lobby-hub")?)
        .args(["user", "create", "--login", "chen", "--name", "陈刚", "--role", "engineering", "--site", SITE])
        .arg("--data-dir")
        .arg(hub.data_dir())
        .output()?;
    ensure!(entered.status.success(), "{}", String::from_utf8_lossy(&entered.stderr));

    browser.open(&label)?;
    let width = browser.value("document.documentElement.scrollWidth")?;
    ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");
    let page = says(&mut browser)?;
    ensure!(!page.contains("lobby-box") && !page.contains(SITE), "nothing but name, place and state: {page}");
    browser.value("document.querySelector('label[for=symptom-dark]').click()")?;
    browser.choose_photo("photo")?;
    browser.press("main button.main")?;
    let page = says(&mut browser)?;
    ensure!(browser.value("location.pathname.split('/')[3]")? == "report", "{page}");
    ensure!(browser.value("document.querySelectorAll('img').length")? == 0, "photos are not for guests");

    let printed = String::from_utf8(entered.stdout)?;
    let link = printed.lines().next_back().context("a last line")?;
    let path = link.splitn(4, '/').nth(3).context("a path")?;
    browser.open(&format!("{}/{path}", hub.url()))?;
    fill(&mut browser, &[("password", PASSWORD), ("again", PASSWORD)])?;
    browser.press("main button.main")?;
    fill(&mut browser, &[("login", "chen"), ("password", PASSWORD)])?;
    browser.press("main button.main")?;
    let ticket = browser.value("document.querySelector(\"a[href^='/t/']\").getAttribute('href')")?;
    let ticket = ticket.as_str().context("an address")?.split(['?', '#']).next().unwrap_or_default().to_owned();
    browser.open(&format!("{}{ticket}", hub.url()))?;
    let page = says(&mut browser)?;
    ensure!(page.contains("黑屏") || page.contains("Dark"), "{page}");
    let seen = "(() => { const seen = document.querySelector('.photos img'); seen.loading = 'eager';
        return seen.complete && seen.naturalWidth == 1600 && seen.naturalHeight == 800; })()";
    browser.until("the photo to be shown", seen, PATIENCE)?;
    Ok(())
}
