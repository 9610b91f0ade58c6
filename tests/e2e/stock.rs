//! Somebody of the show flat refills a machine and counts it, on a phone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lobby_tests::{browser::Browser, hub::Hub, mqtt::Peer, reports::Script, wait};

const SITE: &str = "demo";
const PATIENCE: Duration = Duration::from_secs(40);

fn says(browser: &mut Browser) -> Result<String> {
    Ok(browser.value("document.querySelector('main').innerText")?.as_str().context("a text")?.to_owned())
}

fn fill(browser: &mut Browser, id: &str, value: &str) -> Result<()> {
    browser.value(&format!("document.getElementById({id:?}).value = {value:?}")).map(drop)
}

#[test]
fn a_machine_is_refilled_and_counted_on_a_phone() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let hub = Hub::start()?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("covers-1", "shoe-cover-machine")]))?;
    for count in [100.0, 130.0] {
        peer.publish(&script.topic("data"), script.report("covers-1", &[("covers_dispensed", count.into())]))?;
    }
    browser.open(&format!("{}/health", hub.url()))?;
    browser.value("document.cookie = 'lang=zh'")?;
    let page = format!("{}/stock?site={SITE}", hub.url());
    wait::until("what the machine has handed out", PATIENCE, || {
        browser.open(&page)?;
        Ok(says(&mut browser)?.contains("今日已发放 30 片").then_some(()))
    })?;
    let width = browser.value("document.documentElement.scrollWidth")?;
    ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");

    fill(&mut browser, "refill-covers-1", "200")?;
    fill(&mut browser, "refill-by-covers-1", "王敏")?;
    browser.press("#m-covers-1 form button.main")?;
    let said = says(&mut browser)?;
    // What was in it before is not known until it is counted.
    ensure!(said.contains("余量未知") && said.contains("上次补货 200 片") && said.contains("王敏"), "{said}");

    // Whoever counts another number says why.
    let count = |browser: &mut Browser, reason: &str| {
        browser.value("document.getElementById('recount-covers-1').open = true")?;
        fill(browser, "recount-n-covers-1", "198")?;
        fill(browser, "recount-r-covers-1", reason)?;
        browser.press("#recount-covers-1 button.main")
    };
    count(&mut browser, "")?;
    let told = browser.value("document.querySelector('[role=alert]').innerText")?;
    ensure!(told.as_str().is_some_and(|told| told.contains("没有记录") && told.contains("请填写原因")), "{told}");
    // What was typed is still there, the form is open, and the reason alone lacks.
    let kept = browser.value("document.getElementById('recount-n-covers-1').value")?;
    ensure!(kept == "198", "{kept}");
    let asked = browser.value("document.activeElement.id")?;
    ensure!(asked == "recount-r-covers-1", "{asked}");
    fill(&mut browser, "recount-r-covers-1", "首次盘点")?;
    browser.press("#recount-covers-1 button.main")?;
    let said = says(&mut browser)?;
    ensure!(said.contains("剩 198 片") && said.contains("首次盘点"), "{said}");

    // A slip is undone.
    fill(&mut browser, "refill-covers-1", "2000")?;
    browser.press("#m-covers-1 form button.main")?;
    ensure!(says(&mut browser)?.contains("剩 2198 片"));
    browser.press("#movements ~ ul li form button")?;
    let said = says(&mut browser)?;
    ensure!(said.contains("剩 198 片") && said.contains("已冲正"), "{said}");
    Ok(())
}
