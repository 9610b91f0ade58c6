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
    let pages = ["/concierge", "/engineering", "/showflat", "/reception", &device, &ticket];
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
