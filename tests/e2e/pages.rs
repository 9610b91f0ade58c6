//! What people see.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use anyhow::{Context, Result};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, ticket_of},
    mqtt::Peer,
    reports::Script,
    wait,
};
use rstest::rstest;

const PATIENCE: Duration = Duration::from_secs(40);
const SITE: &str = "demo";

struct Site {
    hub: Hub,
    peer: Peer,
    script: Script,
}

impl Site {
    /// A hub and an agent that reports a display, a machine and a laptop, all in order.
    fn open() -> Result<Self> {
        let hub = Hub::start()?;
        let script = Script::new(SITE, "lobby-box");
        let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
        let devices = [("entrance-led", "led-display"), ("covers-1", "shoe-cover-machine"), ("laptop-1", "laptop")];
        peer.publish(&script.topic("birth"), script.birth(&devices))?;
        let mut site = Self { hub, peer, script };
        site.report("entrance-led", &[("power", "on".into()), ("signal", "ok".into())])?;
        site.report("covers-1", &[("jam", false.into()), ("covers_left", 300.0.into())])?;
        site.report("laptop-1", &[("cpu_percent", 12.0.into())])?;
        site.hub.api.device_state(SITE, "entrance-led", "normal", PATIENCE)?;
        Ok(site)
    }

    fn report(&mut self, device: &str, facts: &[(&str, lobby_contract::FactValue)]) -> Result<()> {
        let report = self.script.report(device, facts);
        self.peer.publish(&self.script.topic("data"), report)
    }

    fn darken(&mut self) -> Result<()> {
        self.report("entrance-led", &[("power", "standby".into()), ("signal", "ok".into())])
    }
}

#[test]
fn every_page_answers_in_both_languages_and_trusts_no_one_else() -> Result<()> {
    let mut site = Site::open()?;
    site.darken()?;
    let alert = site.hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    let ticket = format!("/t/{}", ticket_of(&alert)?);
    let device = format!("/d/{}", device_code(&site.hub)?);
    let print = format!("{ticket}/print");
    let pages =
        ["/concierge", "/engineering", "/showflat", "/reception", &device, &ticket, &print, "/labels?site=demo"];
    for path in pages {
        let zh = site.hub.api.get_with(path, &[("accept-language", "zh-CN,zh;q=0.9"), ("cookie", "lang=zh")])?;
        let en = site.hub.api.get_with(path, &[("accept-language", "en"), ("cookie", "lang=en")])?;
        for page in [&zh, &en] {
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            let policy = page.header("content-security-policy").with_context(|| format!("{path} has a policy"))?;
            assert!(policy.contains("'self'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
            assert!(!page.body.contains("<script>") && !page.body.contains(" style=\""), "{path} has nothing inline");
            let elsewhere = ["src=\"http", "src=\"//", "rel=\"stylesheet\" href=\"http"];
            assert!(elsewhere.iter().all(|origin| !page.body.contains(origin)), "{path} loads from elsewhere");
        }
        assert!(zh.body.contains("lang=\"zh"), "{path} speaks Chinese");
        assert!(en.body.contains("lang=\"en"), "{path} speaks English");
        assert_ne!(zh.body, en.body);
    }
    Ok(())
}

/// The code under which the display's page is, as the concierge's page links it.
fn device_code(hub: &Hub) -> Result<String> {
    let page = hub.api.get("/concierge")?.body;
    let links = page.split("href=\"/d/").skip(1).filter_map(|rest| rest.split(['"', '?', '#']).next());
    let code = links.map(str::to_owned).next();
    code.context("the concierge's page links the display's page")
}

#[rstest]
#[case::page("/no-such-page", 404)]
#[case::device("/d/no-such-device", 404)]
#[case::ticket("/t/999999", 404)]
#[case::api("/api/v1/no-such-thing", 404)]
#[case::bad_query("/api/v1/alerts?state=sideways", 400)]
fn what_does_not_exist_is_said_plainly(#[case] path: &str, #[case] status: u16) -> Result<()> {
    let hub = Hub::start()?;
    let answer = hub.api.get(path)?;
    assert_eq!(answer.status, status, "{}", answer.body);
    if path.starts_with("/api") {
        assert!(answer.header("content-type").is_some_and(|kind| kind.contains("problem+json")), "{answer:?}");
    }
    Ok(())
}

#[test]
fn a_fault_is_pushed_to_open_pages() -> Result<()> {
    let mut site = Site::open()?;
    let url = format!("{}/events", site.hub.url());
    let mut response = ureq::get(&url).call()?;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    site.darken()?;
    let mut lines = BufReader::new(response.body_mut().as_reader()).lines();
    wait::until("an event `changed`", PATIENCE, || {
        let line = lines.next().context("the stream goes on")??;
        Ok((line.starts_with("event:") && line.contains("changed")).then_some(()))
    })
}

#[test]
fn a_dark_display_appears_on_the_concierges_page_without_a_reload() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let mut site = Site::open()?;
    browser.open(&format!("{}/concierge", site.hub.url()))?;
    browser.value("window.notReloaded = true")?;
    let before = browser.value("document.querySelector('main').innerHTML")?;
    assert!(!before.to_string().contains("/t/"), "no incident before the fault: {before}");

    site.darken()?;
    let alert = site.hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    let ticket = format!("document.querySelector('main').innerHTML.includes('/t/{}')", ticket_of(&alert)?);
    browser.until("the incident on the page", &ticket, Duration::from_secs(15))?;
    assert_eq!(browser.value("window.notReloaded")?, true, "the page was not loaded again");
    let errors = browser
        .value("performance.getEntriesByType('resource').filter(r => r.responseStatus >= 400).map(r => r.name)")?;
    assert_eq!(errors, serde_json::json!([]), "everything that the page loads is there");
    Ok(())
}

/// The text of the first element that `selector` finds, as people see it.
fn text(browser: &mut Browser, selector: &str) -> Result<String> {
    let text = browser.value(&format!("document.querySelector({selector:?}).innerText"))?;
    Ok(text.as_str().unwrap_or_default().to_owned())
}

#[test]
fn an_alert_is_silenced_from_its_list_until_somebody_ends_the_silence() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let mut site = Site::open()?;
    site.darken()?;
    site.hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    browser.open(&format!("{}/alerts", site.hub.url()))?;
    browser.press("[formaction$='/silence']")?;
    assert_eq!(text(&mut browser, ".notice")?, "Saved");
    assert_eq!(text(&mut browser, ".row .overlay")?, "Silenced until solved");

    browser.press("nav.tabs a[href^='/silences']")?;
    assert_eq!(text(&mut browser, ".answer")?, "Active silences: 1");
    browser.press("form[action$='/end'] button")?;
    assert_eq!(text(&mut browser, ".answer")?, "Nothing is silenced: every alert notifies");
    assert_eq!(text(&mut browser, ".row.over .tag")?, "Over");
    browser.press("nav.tabs a[href^='/alerts']")?;
    assert_eq!(browser.value("document.querySelectorAll('.row .overlay').length")?, 0);
    Ok(())
}

#[test]
fn maintenance_of_a_machine_is_planned_and_ended_and_its_board_says_so_meanwhile() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let site = Site::open()?;
    site.hub.api.device_state(SITE, "covers-1", "normal", PATIENCE)?;
    browser.open(&format!("{}/d/covers-1?site={SITE}", site.hub.url()))?;
    browser.press("a[href^='/maintenance']")?;
    assert_eq!(browser.value("document.getElementById('device').value")?, "covers-1", "the device is chosen already");
    browser.press("form.act button.main")?;
    assert_eq!(text(&mut browser, ".answer")?, "Maintenance going on: 1");
    assert!(text(&mut browser, ".row strong")?.contains("covers-1"), "the window names the device");

    browser.press("nav.nav a[href^='/showflat']")?;
    assert!(text(&mut browser, ".machine .overlay")?.starts_with("Under maintenance until "));
    browser.open(&format!("{}/maintenance", site.hub.url()))?;
    browser.press("form[action$='/end'] button")?;
    assert_eq!(text(&mut browser, ".answer")?, "No maintenance is going on");
    browser.press("nav.nav a[href^='/showflat']")?;
    assert_eq!(browser.value("document.querySelectorAll('.machine .overlay').length")?, 0);
    Ok(())
}

#[test]
fn a_refused_form_says_why_and_keeps_what_was_typed() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let site = Site::open()?;
    let hub = &site.hub;
    browser.open(&format!("{}/silences", hub.url()))?;
    browser.value("document.getElementById('comment').value = 'a new <lamp>'")?;
    browser.value("document.getElementById('by').value = 'Li'")?;
    browser.press("form.act button.main")?;
    assert!(text(&mut browser, ".notice")?.starts_with("Not saved."), "a site that nobody chose is not silenced");
    let typed = browser.value("['comment', 'by'].map(id => document.getElementById(id).value)")?;
    assert_eq!(typed, serde_json::json!(["a new <lamp>", "Li"]));
    assert_eq!(hub.api.all("/api/v1/silences")?.len(), 0);
    Ok(())
}

#[test]
fn a_device_is_moved_through_its_life_by_the_buttons_of_its_page() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let site = Site::open()?;
    site.hub.api.device_state(SITE, "laptop-1", "normal", PATIENCE)?;
    browser.open(&format!("{}/d/laptop-1?site={SITE}", site.hub.url()))?;
    let stages =
        [("trial", "On trial"), ("maintenance", "Under maintenance"), ("retired", "Retired"), ("live", "Live")];
    for (stage, word) in stages {
        browser.press(&format!("button[name=life][value={stage}]"))?;
        assert_eq!(text(&mut browser, ".notice")?, "Saved");
        assert_eq!(text(&mut browser, "#life")?, format!("Stage of life: {word}"));
        assert_eq!(site.hub.api.device(SITE, "laptop-1")?["life"], stage);
        let board = site.hub.api.get("/reception")?.body;
        assert_eq!(board.contains("/d/laptop-1"), stage != "retired", "{stage}: the board shows what is in use");
    }
    Ok(())
}

#[test]
fn a_finding_is_ignored_on_the_page_of_the_systems_own_health() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let site = Site::open()?;
    wait::until("a site without hours to be told", PATIENCE, || {
        let found = site.hub.api.all("/api/v1/findings")?;
        Ok(found.into_iter().find(|finding| finding["key"] == "no_hours"))
    })?;
    browser.open(&format!("{}/health", site.hub.url()))?;
    let counted =
        |browser: &mut Browser| browser.value("document.querySelectorAll('form[action^=\"/health\"]').length");
    let before = counted(&mut browser)?;
    let about = format!("{:?}", format!("no_hours:{SITE}"));
    let finding = format!(".finding:has([name=id][value={about}])");
    assert!(text(&mut browser, &finding)?.contains("[site.demo.hours]"), "it says what to write");
    browser.press(&format!("{finding} button"))?;
    assert_eq!(text(&mut browser, ".notice")?, "Saved");
    assert!(text(&mut browser, "main")?.contains("Ignored until it comes back"));
    assert_eq!(counted(&mut browser)?.as_i64(), before.as_i64().map(|before| before - 1));
    let told = site.hub.api.all("/api/v1/audit")?;
    let ignored: Vec<_> = told.iter().filter(|entry| entry["action"] == "finding.ignore").collect();
    assert!(matches!(*ignored, [entry] if entry["subject"] == format!("estate/no_hours:{SITE}")), "{told:?}");
    Ok(())
}

#[test]
fn the_page_of_a_dark_display_leads_to_why_there_is_an_alert() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let mut site = Site::open()?;
    site.darken()?;
    site.hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    browser.open(&format!("{}/d/entrance-led?site={SITE}", site.hub.url()))?;
    browser.press("a[href*='/why']")?;
    assert!(text(&mut browser, ".answer")?.starts_with("Alert open: "), "the answer comes first");
    assert!(text(&mut browser, "details.why[open]")?.contains("Alert open"), "and the rule behind it is opened");
    Ok(())
}

#[test]
fn what_a_person_has_opened_and_focused_survives_the_refresh_of_a_page() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let mut site = Site::open()?;
    site.darken()?;
    site.hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    browser.open(&format!("{}/alerts", site.hub.url()))?;
    browser.value("document.querySelector('details.more').open = true")?;
    browser.value("document.querySelector('.more [name=by]').value = 'Li'")?;
    browser.value("document.querySelector('[formaction$=\"/silence\"]').focus()")?;
    site.report("covers-1", &[("jam", true.into()), ("covers_left", 300.0.into())])?;
    let two = "document.querySelectorAll('.row').length == 2";
    browser.until("the second alert on the page", two, PATIENCE)?;
    let row = "[...document.querySelectorAll('.row')].find(row => row.innerText.includes('dark'))";
    assert_eq!(browser.value(&format!("{row}.querySelector('details').open"))?, true);
    assert_eq!(browser.value(&format!("{row}.querySelector('[name=by]').value"))?, "Li");
    let focused =
        browser.value(&format!("document.activeElement === {row}.querySelector('[formaction$=\"/silence\"]')"))?;
    assert_eq!(focused, true, "the focus stays on the very button");
    Ok(())
}
