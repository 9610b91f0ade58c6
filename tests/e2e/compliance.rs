//! A month of a site on a phone, in both languages: a handover that nobody made, a purchase that was approved, and a display that was
//! repaired; from each figure one click to what it is made of. A post sees its own of it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use lobby_contract::{FactValue, Record};
use lobby_domain::pack::BUILT_IN;
use lobby_tests::{
    browser::Browser,
    clock,
    hub::{Hub, Options, ticket_of},
    mqtt::Peer,
    people::{enter, sign_in, speak},
    reports::Script,
    wait,
};
use rstest::rstest;
use serde_json::json;

const SITE: &str = "demo";
const LED: &str = "entrance-led";
const MACHINE: &str = "covers-1";
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the display's alert is looked at before it is reported anew.
const LOOK: Duration = Duration::from_secs(2);
/// Until the next minute, the minute in which the handover is missed, and a look at it.
const MISSED_WITHIN: Duration = Duration::from_mins(4);
/// Pieces on each day.
const DAILY: u32 = 100;

/// The built-in standards, of whose rounds there is one alone: it is due at the next minute, and missed a minute later.
fn standards(folder: &Path) -> Result<()> {
    let others = BUILT_IN.into_iter().filter(|(name, _)| *name != "checklists.toml");
    others.into_iter().try_for_each(|(name, text)| fs::write(folder.join(name), text))?;
    let now = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC);
    let due = now.checked_add(1.minutes())?.strftime("%H:%M");
    let handover = format!(
        "[checklist.handover]\nlabel = {{ zh = '上网区交接', en = 'Handover of the internet area' }}
clauses = ['REC-S4.3']\npost = 'reception'\ntakes_over = 'reception'\ndue = ['{due}']\nopens = '70m'\ncloses = '1m'
[checklist.handover.items]\nlaptops = {{ label = {{ zh = '电脑完好', en = 'The laptops are intact' }} }}\n"
    );
    Ok(fs::write(folder.join("checklists.toml"), handover)?)
}

/// What a machine has counted in the last days, from which the next month is planned.
fn counted(script: &mut Script) -> Result<Vec<Record>> {
    let today = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC).date();
    let mut records = Vec::new();
    for (days, count) in (1..=14).rev().zip((0..).step_by(usize::try_from(DAILY)?)) {
        for (hour, part) in [(3, 0), (9, DAILY / 2)] {
            let at = today.checked_sub(days.days())?.at(hour, 30, 0, 0).to_zoned(TimeZone::UTC)?.timestamp();
            let mut record = script.record(MACHINE, &[("covers_dispensed", f64::from(count + part).into())]);
            record.at = at.as_millisecond();
            records.push(record);
        }
    }
    Ok(records)
}

/// The display goes dark, is repaired, and shows something again.
fn repair(hub: &Hub, peer: &mut Peer, script: &mut Script) -> Result<String> {
    let mut say = |power: &str| {
        let facts: [(&str, FactValue); 2] = [("power", power.into()), ("signal", "ok".into())];
        peer.publish(&script.topic("data"), script.report(LED, &facts))
    };
    say("off")?;
    let alert = hub.api.open_alert(SITE, LED, "display-dark", PATIENCE)?;
    let number = ticket_of(&alert)?.to_owned();
    for action in ["accept", "start", "finish"] {
        let ticket = hub.api.json(&format!("/api/v1/tickets/{number}"))?;
        let body = json!({ "version": ticket["version"], "by": "Li", "note": "A loose plug" });
        let answer = hub.api.post(&format!("/api/v1/tickets/{number}/{action}"), &body)?;
        ensure!(answer.status == 200, "{action}: {}", answer.status);
    }
    // It has to go on saying so: a display that was well once is not known to be.
    wait::until("the display to be found well", PATIENCE, || {
        say("on")?;
        Ok(hub.api.cleared_alert(SITE, LED, "display-dark", LOOK).ok())
    })?;
    Ok(number)
}

/// Somebody hands next month's purchase up, and both who are asked approve it: before anybody has an account, whoever sits there may.
fn purchase(browser: &mut Browser, hub: &Hub, next: &str) -> Result<()> {
    let movement = json!({ "site": SITE, "item": "shoe-cover", "kind": "receive", "pieces": 500, "by": "Lin" });
    let answer = hub.api.post("/api/v1/stock/movements", &movement)?;
    ensure!(answer.status == 201, "a movement: {}", answer.status);
    let plan = format!("{}/stock/plan/{next}?site={SITE}", hub.url());
    wait::until("a plan of the next month", PATIENCE, || {
        browser.open(&plan)?;
        Ok((browser.value("Boolean(document.querySelector('button.main'))")? == true).then_some(()))
    })?;
    for _ in ["submitted", "approved by the supervisor", "approved by the manager"] {
        browser.press("button.main")?;
    }
    let told = hub.api.json(&format!("/api/v1/sites/{SITE}/stock/shoe-cover/plans/{next}"))?;
    ensure!(told["approved"] == true, "{told}");
    Ok(())
}

#[rstest]
fn a_month_is_read_on_a_phone_and_each_figure_leads_to_what_it_is_made_of(
    #[values("zh", "en")] language: &'static str,
) -> Result<()> {
    let words = |zh: &'static str, en: &'static str| if language == "zh" { zh } else { en };
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    standards(folder.path())?;
    let hours =
        "[site.demo]\nname = '云汀案场'\n[site.demo.hours]\nzone = 'UTC'\nready_by = '00:00'\nopen = '00:00-23:59'\n";
    let config = format!("zone = 'UTC'\nstandards = '{}'\n{hours}", folder.path().display());
    let hub = Hub::with(Options { config: Some(config), ..Options::default() })?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[(LED, "led-display"), (MACHINE, "shoe-cover-machine")]))?;
    let records = counted(&mut script)?;
    peer.publish(&script.topic("data"), script.data(records))?;
    browser.become_phone()?;
    let number = repair(&hub, &mut peer, &mut script)?;
    let today = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC).date();
    let (month, next) = (today.strftime("%Y-%m").to_string(), today.last_of_month().tomorrow()?.strftime("%Y-%m"));
    purchase(&mut browser, &hub, &next.to_string())?;
    wait::until("the handover to be missed", MISSED_WITHIN, || {
        let rounds = hub.api.all(&format!("/api/v1/checks?site={SITE}"))?;
        Ok(rounds.iter().any(|round| !round["missed_at"].is_null()).then_some(()))
    })?;
    let told = hub.api.json(&format!("/api/v1/sites/{SITE}/compliance/{month}"))?;
    let kept = |id: &str, duty: &str| {
        let clause = told["clauses"].as_array()?.iter().find(|clause| clause["id"] == id)?;
        let one = clause["instances"].as_array()?.iter().find(|one| one["duty"] == duty)?;
        one["kept"].as_str()
    };
    ensure!(kept("REC-S4.3", "handover") == Some("missed"), "{told}");
    ensure!(kept("SHO-D4", "plan") == Some("met"), "{told}");
    ensure!(kept("CON-S9", "completion") == Some("met"), "{told}");
    for (login, role) in [("he", "manager"), ("wang", "concierge")] {
        enter(&mut browser, &hub, login, role, SITE)?;
    }

    speak(&mut browser, &hub, language)?;
    let page = format!("{}/compliance", hub.url());
    sign_in(&mut browser, &hub, "he", &page)?;
    browser.keep(&format!("compliance-{language}"))?;
    let said = browser.says_on_phone()?;
    for word in ["REC-S4.3", "SHO-D4", "CON-S9", words("按条款", "By clause"), words("维护", "Maintenance")] {
        ensure!(said.contains(word), "`{word}` is not in {said}");
    }
    // From the figure to the instance, and from there to what it is made of.
    let ticket = format!("/t/{number}");
    let ways = [
        ("REC-S4.3", "/checks/", words("未做", "Missed"), words("上网区交接", "Handover of the internet area")),
        ("SHO-D4", "/stock/plan/", words("下月采购审批", "Next purchase approved"), words("已批准", "approved")),
        ("CON-S9", &ticket, words("修复", "Repair"), &number),
    ];
    for (clause, way, instance, evidence) in ways {
        browser.open(&page)?;
        browser.press(&format!("#clauses ~ ul a[href*='/{clause}']"))?;
        browser.keep(&format!("compliance-{clause}-{language}"))?;
        let said = browser.says_on_phone()?;
        ensure!(said.contains(clause) && said.contains(instance), "{clause}: `{instance}` is not in {said}");
        browser.press(&format!(".rows a[href^='{way}']"))?;
        let said = browser.says_on_phone()?;
        ensure!(said.contains(evidence), "{clause}: `{evidence}` is not in {said}");
    }
    browser.open(&page)?;
    browser.press(&format!("a[href*='/devices/{LED}']"))?;
    let said = browser.says_on_phone()?;
    ensure!(said.contains(words("条告警", "Alerts: ")) && said.contains(LED), "{said}");

    sign_in(&mut browser, &hub, "wang", &page)?;
    let said = browser.says_on_phone()?;
    ensure!(said.contains("CON-S9") && said.contains(words("只显示", "Only what concerns")), "{said}");
    ensure!(!said.contains("SHO-D4") && !said.contains("REC-S4.3"), "what other posts owe is theirs: {said}");
    let refused = browser.value(&format!(
        "window.got = null; fetch('/compliance/{month}/SHO-D4').then((got) => window.got = got.status); 0"
    ));
    refused.context("ask for another post's clause")?;
    browser.until("the answer", "window.got === 404", PATIENCE)
}
