//! The register on a phone: an item is entered with a photo and gets a blank label, a stock-take misses it, and the manager consents to a move.

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options},
    people::{enter, fill, sign_in},
};

const SITE: &str = "demo";

fn text(browser: &mut Browser, expression: &str) -> Result<String> {
    Ok(browser.value(expression)?.as_str().context("a text")?.to_owned())
}

#[test]
fn an_item_is_entered_labelled_missed_and_moved_on_a_phone_and_its_history_shows_all_of_it() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let config = "zone = 'UTC'\n[site.demo]\nname = '云汀案场'\n";
    let hub = Hub::with(Options { config: Some(config.into()), ..Options::default() })?;
    for (login, role) in [("lin", "showflat"), ("he", "manager")] {
        enter(&mut browser, &hub, login, role, SITE)?;
    }
    browser.value("document.cookie = 'lang=zh; path=/'")?;
    let register = format!("{}/register", hub.url());
    sign_in(&mut browser, &hub, "lin", &register)?;
    let add = format!("form[action='/register/{SITE}'] button.main");
    fill(&mut browser, &[("f-name", "青花瓷瓶"), ("f-place", "客厅"), ("f-value", "1280")])?;
    browser.choose_photo("photo")?;
    browser.press(&add)?;
    browser.ensure_says_on_phone(&["青花瓷瓶", "在用", "客厅", "00001-", "1280.00"])?;
    let vase = text(&mut browser, "location.origin + location.pathname")?;
    browser.until(
        "its photo",
        "document.querySelectorAll('.photos img').length == 1",
        std::time::Duration::from_secs(10),
    )?;
    browser.open(&register)?;
    fill(&mut browser, &[("f-name", "沙发"), ("f-quantity", "2"), ("f-place", "客厅")])?;
    browser.press(&add)?;
    let sofa = text(&mut browser, "location.origin + location.pathname")?;

    // A blank label: nothing for a guest, to be bound by the staff, then the item's name and place for a guest.
    browser.open(&register)?;
    fill(&mut browser, &[("count", "3")])?;
    browser.press(&format!("form[action='/register/{SITE}/labels'] button"))?;
    let code = text(&mut browser, "document.querySelector('.labels .code').textContent")?;
    let label = format!("{}/d/{code}", hub.url());
    browser.value("fetch('/sign-out', { method: 'POST' }).then(() => window.out = true); 0")?;
    browser.until("to be signed out", "window.out === true", std::time::Duration::from_secs(10))?;
    browser.open(&format!("{}/sign-in", hub.url()))?;
    let told = "fetch('PATH').then((got) => got.text()).then((text) => window.told = text); 0";
    browser.value(&told.replace("PATH", &format!("/d/{code}")))?;
    browser.until("an answer", "Boolean(window.told)", std::time::Duration::from_secs(10))?;
    ensure!(browser.value("window.told.includes('青花')")? == false, "a blank label says nothing");
    sign_in(&mut browser, &hub, "lin", &format!("{}/labels/{code}", hub.url()))?;
    browser.ensure_says_on_phone(&["还没有绑定"])?;
    browser.press("form[action$='/bind'] button.main")?;
    browser.ensure_says_on_phone(&["已绑定", "青花瓷瓶"])?;
    browser.press("form.person button")?;
    browser.open(&label)?;
    let seen = browser.says_on_phone()?;
    ensure!(seen.contains("青花瓷瓶") && seen.contains("客厅") && !seen.contains("1280"), "{seen}");

    // The stock-take finds the sofa by its page, and not the vase.
    sign_in(&mut browser, &hub, "lin", &register)?;
    browser.press(&format!("form[action='/register/{SITE}/stock-takes'] button"))?;
    let take = text(&mut browser, "location.origin + location.pathname")?;
    browser.open(&sofa)?;
    browser.press("form[action$='/tick'] button")?;
    browser.open(&take)?;
    browser.ensure_says_on_phone(&["1/2"])?;
    browser.value("document.getElementById('missing.1').click()")?;
    browser.press("button[formaction$='/close']")?;
    browser.ensure_says_on_phone(&["2/2", "还缺答案或说明"])?;
    fill(&mut browser, &[("note.1", "柜子里也没有")])?;
    browser.press("button[formaction$='/close']")?;
    browser.ensure_says_on_phone(&["1 项有差异", "青花瓷瓶", "缺失", "柜子里也没有"])?;
    let alerts = format!(
        "fetch('/api/v1/alerts?site={SITE}').then((got) => got.json()).then((got) => window.alerts = got.items); 0"
    );
    browser.value(&alerts)?;
    browser.until("the alerts", "Array.isArray(window.alerts)", std::time::Duration::from_secs(10))?;
    let alerts = browser.value("window.alerts")?;
    ensure!(alerts.as_array().is_some_and(|alerts| alerts.len() == 1), "the superior is told once: {alerts}");

    // The sofa goes out: asked for, consented to by the manager, carried out.
    browser.open(&sofa)?;
    fill(&mut browser, &[("to", "分公司"), ("move-reason", "借展")])?;
    browser.press("form[action$='/move'] button")?;
    browser.ensure_says_on_phone(&["移出 2 件 → 分公司", "待经理批准", "在用"])?;
    sign_in(&mut browser, &hub, "he", &register)?;
    browser.ensure_says_on_phone(&["1 项移动等您批准", "1 项盘点缺失"])?;
    browser.open(&format!("{register}/moves"))?;
    browser.press("form[action$='/approve'] button.main")?;
    browser.ensure_says_on_phone(&["已批准，待执行"])?;
    browser.open(&take)?;
    browser.press("form[action$='/see'] button")?;
    browser.ensure_says_on_phone(&["经理已查阅"])?;
    sign_in(&mut browser, &hub, "lin", &sofa)?;
    browser.press("form[action$='/confirm'] button")?;
    browser.open(&sofa)?;
    browser.ensure_says_on_phone(&["已移出", "分公司", "登记", "盘点", "移动", "借展", "lin"])?;
    browser.open(&vase)?;
    browser.ensure_says_on_phone(&["缺失", "柜子里也没有", "登记"])?;
    browser.value("document.cookie = 'lang=en; path=/'")?;
    browser.open(&sofa)?;
    browser.ensure_says_on_phone(&["Out", "What happened to it", "Moved"])
}
