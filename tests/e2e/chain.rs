//! From a dark display to its confirmed repair on a phone, and one chain of command: what nobody answers goes up to the manager one level at a time, also across a kill;
//! whoever was told is told of the end.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use lobby_domain::pack::BUILT_IN;
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options, ticket_of},
    mqtt::Peer,
    people::{create, put_on_duty, token},
    receiver::{Letter, Receiver},
    reports::Script,
    wait,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);
const SITE: &str = "demo";
const POSTS: [&str; 4] = ["engineering", "leader", "supervisor", "manager"];

/// The built-in standards, in a hurry.
fn standards(folder: &Path) -> Result<()> {
    for (name, text) in BUILT_IN {
        let hasty = text
            .replace("respond_within = \"10m\"", "respond_within = \"6s\"")
            .replace("recover_for = \"30s\"", "recover_for = \"1s\"");
        ensure!(name != "pack.toml" || hasty != text, "the times of urgent tickets are not where they were");
        fs::write(folder.join(name), hasty)?;
    }
    Ok(())
}

fn channel(post: &str, receiver: &Receiver) -> String {
    let url = receiver.url();
    format!(
        "[channel.{post}]\nkind = 'webhook'\nposts = ['{post}']\nurl = '{url}/{post}'\nrate = '100/1s'\ngroup_wait = '200ms'\n\
         group_interval = '200ms'\nretry = '100ms'\ntimeout = '2s'\n"
    )
}

/// What was told of one thing on the channel of a post: the ids of the messages by their event.
fn told(receiver: &Receiver, post: &str, what: &str) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for letter in receiver.letters_to(&format!("/{post}")) {
        for event in events(&letter).into_iter().filter(|event| event.contains(what)) {
            let known = ids.entry(event).or_default();
            if !known.contains(&letter.id().to_owned()) {
                known.push(letter.id().to_owned());
            }
        }
    }
    ids
}

fn events(letter: &Letter) -> Vec<String> {
    let alerts = letter.body["data"]["alerts"].as_array().into_iter().flatten();
    let events = alerts.flat_map(|alert| alert["events"].as_array().into_iter().flatten());
    events.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn reached(hub: &Hub, post: &str) -> Result<Value> {
    wait::until(&format!("{post} to have it"), PATIENCE, || {
        let all = hub.api.all(&format!("/api/v1/escalations?site={SITE}"))?;
        ensure!(all.len() <= 1, "{all:?}");
        Ok(all.into_iter().find(|one| one["post"] == post))
    })
}

/// The steps up that a ticket's history tells of: from where to where.
fn steps(hub: &Hub, ticket: &str) -> Result<Vec<String>> {
    let ticket = hub.api.json(&format!("/api/v1/tickets/{ticket}"))?;
    let events = ticket["events"].as_array().context("a history")?.iter();
    let escalated = events.filter(|event| event["what"] == "escalated");
    Ok(escalated.filter_map(|event| event["note"].as_str()?.lines().next().map(str::to_owned)).collect())
}

/// A hub in a hurry with a dark display: what says so, and the number of its ticket.
fn in_trouble(channels: &str, folder: &Path) -> Result<(Hub, Script, String)> {
    standards(folder)?;
    let config = Some(format!("standards = '{}'\n{channels}", folder.display()));
    let hub = Hub::with(Options { config, ..Options::default() })?;
    let mut script = Script::new(SITE, "lobby-box");
    report(&hub, &mut script, "standby")?;
    let alert = hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    let ticket = ticket_of(&alert)?.to_owned();
    Ok((hub, script, ticket))
}

/// The display says what its power is.
fn report(hub: &Hub, script: &mut Script, power: &str) -> Result<()> {
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[("entrance-led", "led-display")]))?;
    let said = script.report("entrance-led", &[("power", power.into()), ("signal", "ok".into())]);
    peer.publish(&script.topic("data"), said)
}

#[test]
fn a_dark_display_is_repaired_on_a_phone_and_the_concierge_confirms_it() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (hub, script, ticket) = in_trouble("", folder.path())?;
    browser.become_phone()?;
    let page = format!("{}/t/{ticket}", hub.url());
    let fits = |browser: &mut Browser| -> Result<String> {
        let width = browser.value("document.documentElement.scrollWidth")?;
        ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");
        Ok(browser.value("document.body.innerText")?.to_string())
    };

    browser.open(&format!("{}/concierge", hub.url()))?;
    let seen = fits(&mut browser)?;
    ensure!(seen.contains(&ticket) && seen.contains("waits for an answer"), "the concierge sees who has it: {seen}");
    browser.open(&page)?;
    browser.press("button[formaction$='/accept']")?;
    fits(&mut browser)?;
    // The camera of the phone opens what the label says.
    let label = hub.api.json(&format!("/api/v1/devices/{SITE}/entrance-led"))?["page"].clone();
    browser.open(&format!("{}{}", hub.url(), label.as_str().context("the page of the label")?))?;
    fits(&mut browser)?;
    browser.press("form.here button.main")?;
    let there = fits(&mut browser)?;
    ensure!(there.contains("Label scanned"), "how the arrival is shown: {there}");
    browser.value("document.getElementById('cause').value = 'A loose plug'")?;
    browser.choose_photo("finish-photo")?;
    browser.press("#finish button.main")?;
    let done = fits(&mut browser)?;
    ensure!(done.contains("A loose plug"), "{done}");
    ensure!(browser.value("document.querySelectorAll('.photos img').length")? == 1, "the photo is shown: {done}");
    let confirms = "document.querySelectorAll(\"form[action$='/confirm'], button[formaction$='/confirm']\").length";
    ensure!(browser.value(confirms)? == 0, "nobody confirms while the display is dark: {done}");

    report(&hub, &mut script.in_epoch(2), "on")?;
    hub.api.cleared_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    browser.open(&format!("{}/concierge", hub.url()))?;
    browser.press("form[action$='/confirm'] button, button[formaction$='/confirm']")?;
    fits(&mut browser)?;
    let closed = hub.api.json(&format!("/api/v1/tickets/{ticket}"))?;
    ensure!(closed["state"] == "closed", "{closed}");
    let events: Vec<&str> =
        closed["events"].as_array().into_iter().flatten().filter_map(|e| e["what"].as_str()).collect();
    let deeds: Vec<&str> =
        events.iter().copied().filter(|what| ["accept", "start", "finish", "confirm"].contains(what)).collect();
    ensure!(deeds == ["accept", "start", "finish", "confirm"], "{events:?}");
    Ok(())
}

#[test]
fn what_nobody_answers_reaches_the_manager_level_by_level_and_everybody_told_hears_of_its_end() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    let (receiver, folder) = (Receiver::start()?, tempfile::tempdir()?);
    let channels: String = POSTS.iter().map(|post| channel(post, &receiver)).collect();
    let (mut hub, script, ticket) = in_trouble(&channels, folder.path())?;

    reached(&hub, "leader")?;
    hub.kill()?;
    hub.restart()?;
    let row = reached(&hub, "manager")?;
    ensure!(row["phase"] == "repair" && row["state"] == "triggered", "{row}");
    let up = ["no_answer engineering leader", "no_answer leader supervisor", "no_answer supervisor manager"];
    let seen = steps(&hub, &ticket)?;
    ensure!(seen == up, "one level at a time, each once: {seen:?}");
    for post in POSTS {
        wait::until(&format!("{post} to be told"), PATIENCE, || {
            Ok((!told(&receiver, post, ":escalated:").is_empty()).then_some(()))
        })?;
        for (event, ids) in told(&receiver, post, "") {
            ensure!(ids.len() == 1, "{post} was told of {event} in {} messages", ids.len());
        }
    }
    let last = receiver.letters_to("/manager").pop().context("a message")?;
    ensure!(last.body["type"] == "alert.escalated", "{}", last.body);
    ensure!(last.text().contains("请服务中心经理处理"), "{}", last.text());

    browser.become_phone()?;
    browser.open(&format!("{}/escalations", hub.url()))?;
    let text = browser.value("document.body.innerText")?.to_string();
    ensure!(text.contains("Service-centre manager") && text.contains(&ticket), "{text}");
    browser.press("main .rows a")?;
    let width = browser.value("document.documentElement.scrollWidth")?;
    ensure!(width.as_i64().is_some_and(|width| width <= 360), "{width} pixels wide");
    browser.press("main button.main")?;
    let row = reached(&hub, "manager")?;
    ensure!(row["state"] == "held", "somebody is at it: {row}");
    for post in &POSTS[1..] {
        let heard = wait::until(&format!("{post} to hear that somebody is at it"), PATIENCE, || {
            Ok(told(&receiver, post, ":acknowledged:").into_values().next())
        })?;
        ensure!(heard.len() == 1, "{post} was told of it in {} messages", heard.len());
        let letter = receiver.letters_to(&format!("/{post}")).pop().context("a message")?;
        ensure!(letter.body["type"] == "alert.acknowledged", "{}", letter.body);
        ensure!(letter.text().contains("已有人处理") && letter.text().contains(&ticket), "{}", letter.text());
    }

    report(&hub, &mut script.in_epoch(2), "on")?;
    hub.api.cleared_alert(SITE, "entrance-led", "display-dark", PATIENCE)?;
    for post in POSTS {
        wait::until(&format!("{post} to hear of the end"), PATIENCE, || {
            Ok((told(&receiver, post, ":cleared").len() == 1).then_some(()))
        })?;
    }
    let row = reached(&hub, "concierge")?;
    ensure!(row["phase"] == "confirm", "{row}");
    let version = hub.api.json(&format!("/api/v1/tickets/{ticket}"))?["version"].clone();
    let confirmed =
        hub.api.post(&format!("/api/v1/tickets/{ticket}/confirm"), &json!({ "version": version, "by": "小周" }))?;
    ensure!(confirmed.status == 200, "{}", confirmed.body);
    ensure!(hub.api.all("/api/v1/escalations")?.is_empty(), "nothing is left to be followed up");
    Ok(())
}

#[test]
fn what_somebody_has_not_answered_who_goes_off_duty_is_told_to_whoever_comes_on() -> Result<()> {
    let receiver = Receiver::start()?;
    let shifts = "zone = 'UTC'\n[site.demo.shifts]\nwhole = '00:00-00:00'\n";
    let channels = ["engineering", "leader"].map(|post| channel(post, &receiver)).concat();
    let mut hub = Hub::with(Options { config: Some(format!("{shifts}{channels}")), ..Options::default() })?;
    hub.api = hub.api.clone().with_token(&token(hub.data_dir(), &["create", "--role", "viewer"])?);
    for login in ["li", "wang"] {
        create(&hub, login, "engineering", SITE)?;
    }
    put_on_duty(&hub, "li", "engineering", SITE)?;
    let mut script = Script::new(SITE, "lobby-box");
    report(&hub, &mut script, "standby")?;
    let ticket = ticket_of(&hub.api.open_alert(SITE, "entrance-led", "display-dark", PATIENCE)?)?.to_owned();
    let row = reached(&hub, "engineering")?;
    ensure!(row["person"] == "li" && row["state"] == "triggered", "{row}");

    put_on_duty(&hub, "wang", "engineering", SITE)?;
    let relieved = wait::until("Wang to have it", PATIENCE, || {
        Ok(Some(reached(&hub, "engineering")?).filter(|row| row["person"] == "wang"))
    })?;
    ensure!(relieved["due"] == row["due"] && relieved["state"] == "triggered", "the time stays: {row} {relieved}");
    ensure!(steps(&hub, &ticket)? == ["off_duty engineering engineering"], "{:?}", steps(&hub, &ticket)?);
    let heard = wait::until("Wang to be told", PATIENCE, || {
        Ok(receiver.letters_to("/engineering").into_iter().find(|letter| letter.body["type"] == "alert.escalated"))
    })?;
    ensure!(heard.text().contains("wang") && heard.text().contains(&ticket), "{}", heard.text());
    ensure!(told(&receiver, "engineering", ":escalated:").len() == 1, "once");
    ensure!(receiver.letters_to("/leader").is_empty(), "nobody above is told that somebody went home");
    Ok(())
}
