//! A handover on a phone that loses its connection: answered and signed by one, taken over by another, with the ticket of what failed.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use lobby_domain::pack::BUILT_IN;
use lobby_tests::{
    browser::Browser,
    clock,
    hub::{Hub, Options},
    mqtt::Peer,
    people::{enter, fill, sign_in},
    reports::Script,
    wait,
};

const SITE: &str = "demo";
const PATIENCE: Duration = Duration::from_mins(1);

/// The built-in standards with one round, a handover that is due soon.
fn standards(folder: &Path) -> Result<()> {
    for (name, text) in BUILT_IN.into_iter().filter(|(name, _)| *name != "checklists.toml") {
        fs::write(folder.join(name), text)?;
    }
    let due = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC).checked_add(20.minutes())?;
    let round = format!(
        "[checklist.handover]\nlabel = {{ zh = '上网区交接', en = 'Handover' }}\nclauses = ['REC-S4.3']\npost = 'reception'\n\
         takes_over = 'reception'\ndue = ['{}']\nopens = '40m'\ncloses = '40m'\n[checklist.handover.items]\n\
         laptops = {{ label = {{ zh = '电脑可用', en = 'It works' }}, devices = ['laptop'] }}\n",
        due.strftime("%H:%M")
    );
    Ok(fs::write(folder.join("checklists.toml"), round)?)
}

fn says(browser: &mut Browser) -> Result<String> {
    let width = browser.value("document.documentElement.scrollWidth")?;
    ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");
    Ok(browser.value("document.body.innerText")?.as_str().context("a text")?.to_owned())
}

/// A hub whose two laptops are well, and the address of its open handover.
fn with_a_handover(folder: &Path) -> Result<(Hub, Peer, String)> {
    standards(folder)?;
    let hours = "[site.demo.hours]\nzone = 'UTC'\nready_by = '00:00'\nopen = '00:00-23:59'\n";
    let config = Some(format!("standards = '{}'\n{hours}", folder.display()));
    let hub = Hub::with(Options { config, ..Options::default() })?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("pc-1", "laptop"), ("pc-2", "laptop")]))?;
    for device in ["pc-1", "pc-2"] {
        peer.publish(&script.topic("data"), script.report(device, &[("disk_percent", 40.0.into())]))?;
    }
    let rounds = wait::until("the handover to open", PATIENCE, || {
        let rounds = hub.api.all(&format!("/api/v1/checks?site={SITE}"))?;
        Ok((!rounds.is_empty()).then_some(rounds))
    })?;
    ensure!(rounds.len() == 1 && rounds[0]["items"] == 2 && rounds[0]["state"] == "open", "{rounds:?}");
    let page = format!("{}/checks/{}", hub.url(), rounds[0]["id"].as_str().context("an id")?);
    Ok((hub, peer, page))
}

#[test]
fn a_handover_on_a_phone_without_a_connection_is_sent_later_opens_its_ticket_once_and_is_signed_by_two() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let folder = tempfile::tempdir()?;
    let (hub, _peer, page) = with_a_handover(folder.path())?;
    enter(&mut browser, &hub, "zhao", "reception", SITE)?;
    enter(&mut browser, &hub, "qian", "reception", SITE)?;

    sign_in(&mut browser, &hub, "zhao", &page)?;
    let form = says(&mut browser)?;
    ensure!(form.contains("pc-1") && form.contains("0/2"), "{form}");
    for id in ["fail.laptops.pc-1", "pass.laptops.pc-2"] {
        browser.value(&format!("document.querySelector({:?}).click()", format!("label[for='{id}']")))?;
    }
    fill(&mut browser, &[("note.laptops.pc-1", "The screen is cracked")])?;
    // The connection is gone.
    browser.value("window.fetch = () => Promise.reject(new TypeError('no connection'))")?;
    browser.value("document.querySelector('form.keeps button:not(.main)').click()")?;
    browser.until("the phone to keep it", "document.querySelector('.kept') !== null", PATIENCE)?;
    let kept = says(&mut browser)?;
    ensure!(kept.contains("kept on this device"), "{kept}");
    // It is back.
    browser.open(&page)?;
    browser.until("what was kept to be sent", "document.body.innerText.includes('2/2')", PATIENCE)?;
    ensure!(browser.value("localStorage.length")? == 0, "nothing is kept any more");
    let sent = says(&mut browser)?;
    ensure!(sent.contains("while the device says fine"), "both differ, which is said: {sent}");
    let ticket = browser.value("document.querySelector(\".item a[href^='/t/']\").getAttribute('href')")?;

    browser.press("form.keeps button.main")?;
    let signed = says(&mut browser)?;
    ensure!(signed.contains("To be taken over") && !signed.contains("Sign as taking over\n\nDone"), "{signed}");
    browser.press("form[action$='/sign-in'] button.main")?;
    let refused = says(&mut browser)?;
    ensure!(refused.contains("signed by two people"), "{refused}");

    browser.press("form.person button")?;
    sign_in(&mut browser, &hub, "qian", &page)?;
    let number = ticket.as_str().and_then(|path| path.rsplit('/').next()).context("a number")?.to_owned();
    let passes = says(&mut browser)?;
    ensure!(passes.contains("What passes on") && passes.contains(&number), "{passes}");
    browser.press("form[action$='/sign-in'] button.main")?;
    let done = says(&mut browser)?;
    ensure!(done.contains("Done") && done.contains("Taken over by qian"), "{done}");
    ensure!(browser.value("document.querySelectorAll('form.act').length")? == 0, "nothing is left to do: {done}");
    let tickets = "[...new Set([...document.querySelectorAll(\"a[href^='/t/']\")].map((a) => a.pathname))].length";
    ensure!(browser.value(tickets)? == 1, "the failed item has one ticket: {done}");
    Ok(())
}
