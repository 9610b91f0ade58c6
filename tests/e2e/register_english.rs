//! The register in English, on a phone: what is typed wrongly is kept, a guest says by an item's label that it is damaged, and the item's page
//! tells of its labels and of the move to another site.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options},
    people::{enter, fill, sign_in, speak},
};

const SITE: &str = "demo";

#[test]
fn an_item_is_entered_reported_by_a_guest_and_moved_in_english() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let config = "zone = 'UTC'\n[site.demo]\nname = 'Riverside'\nstock_take = '30d'\n";
    let hub = Hub::with(Options { config: Some(config.into()), ..Options::default() })?;
    for (login, role) in [("lin", "showflat"), ("he", "manager")] {
        enter(&mut browser, &hub, login, role, SITE)?;
    }
    speak(&mut browser, &hub, "en")?;
    let register = format!("{}/register", hub.url());
    // The show flat's page leads there.
    sign_in(&mut browser, &hub, "lin", &format!("{}/showflat", hub.url()))?;
    browser.press(".head-end a[href='/register']")?;
    browser.ensure_says_on_phone(&["Register", "Nothing is registered yet"])?;

    // Money that is none is refused, and what was typed is still there.
    let add = format!("form[action='/register/{SITE}'] button.main");
    fill(&mut browser, &[("f-name", "Porcelain vase"), ("f-place", "Living room"), ("f-value", "much")])?;
    browser.press(&add)?;
    browser.ensure_says_on_phone(&["A value is written like 1280 or 99.50"])?;
    ensure!(browser.value("document.getElementById('f-place').value")? == "Living room");
    fill(&mut browser, &[("f-value", "1280")])?;
    browser.choose_photo("photo")?;
    browser.press(&add)?;
    browser.ensure_says_on_phone(&[
        "Porcelain vase",
        "In use",
        "Living room",
        "1280.00",
        "Its labels",
        "Stuck on it",
    ])?;
    let vase = browser.value("location.origin + location.pathname")?.as_str().context("an address")?.to_owned();
    let code = "document.querySelector('#labels ~ ul .mono').textContent";
    let code = browser.value(code)?.as_str().context("a code")?.to_owned();
    browser.open(&register)?;
    browser.ensure_says_on_phone(&["Porcelain vase", "There was no stock-take yet"])?;
    browser.until(
        "its photo in the list",
        "(() => { const seen = document.querySelector('.pictured img'); return seen.complete && seen.naturalWidth > 0; })()",
        Duration::from_secs(10),
    )?;

    // A guest scans the label and says what they see; the supervisor is told once.
    browser.press("form.person button")?;
    browser.open(&format!("{}/d/{code}", hub.url()))?;
    let seen = browser.says_on_phone()?;
    ensure!(seen.contains("Report damage or loss") && !seen.contains("1280"), "{seen}");
    browser.press("main button.main")?;
    browser.ensure_says_on_phone(&["Please write a few words"])?;
    fill(&mut browser, &[("note", "The rim is chipped")])?;
    browser.press("main button.main")?;
    browser.ensure_says_on_phone(&["Received, thank you!", "the supervisor will be told"])?;
    sign_in(&mut browser, &hub, "he", &format!("{}/alerts", hub.url()))?;
    browser.ensure_says_on_phone(&["Damage: Porcelain vase"])?;

    // It goes to another site: the page says that it is to be entered there.
    sign_in(&mut browser, &hub, "lin", &vase)?;
    fill(&mut browser, &[("to", "Hilltop"), ("move-reason", "An exhibition")])?;
    browser.press("form[action$='/move'] button")?;
    browser.ensure_says_on_phone(&["1 out to Hilltop", "To be approved"])?;
    sign_in(&mut browser, &hub, "he", &format!("{register}/moves"))?;
    browser.press("form[action$='/approve'] button.main")?;
    browser.ensure_says_on_phone(&["Approved, to be carried out", "is entered in the register there"])?;
    sign_in(&mut browser, &hub, "lin", &vase)?;
    browser.press("form[action$='/confirm'] button")?;
    browser.open(&vase)?;
    browser.ensure_says_on_phone(&["Out", "Hilltop", "Carried out", "is entered in the register there"])
}
