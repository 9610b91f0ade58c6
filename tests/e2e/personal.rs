//! Somebody is told themselves: they confirm an address, sleep while nothing is urgent, and miss nothing of what they were told.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use jiff::{RoundMode, Timestamp, ToSpan, Unit, Zoned, ZonedRound, tz::TimeZone};
use lobby_tests::{
    browser::Browser,
    clock,
    hub::{Hub, Options},
    mail::Mailbox,
    mqtt::Peer,
    people::{enter, fill, sign_in},
    program,
    reports::Script,
    wait,
};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

const SITE: &str = "demo";
const ADDRESS: &str = "zhou@hotel.example";
/// The quiet hours end in it, whenever the test begins.
const PATIENCE: Duration = Duration::from_mins(3);

/// How often a device is reported at least.
const HEARTBEAT: Duration = Duration::from_secs(5);

fn now() -> Result<Zoned> {
    Ok(Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC))
}

/// Deliveries to people themselves, by what is told and the state.
fn told(hub: &Hub, token: &str) -> Result<Vec<(String, String)>> {
    let answer = hub.api.get_with("/api/v1/notifications", &[("authorization", &format!("Bearer {token}"))])?;
    ensure!(answer.status == 200, "{}", answer.body);
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = answer.json()?["items"].as_array().cloned().unwrap_or_default();
    let own = rows.iter().filter(|row| text(row, "channel").starts_with("person:"));
    let what = |row: &Value| text(row, "event").split(':').nth(1).unwrap_or_default().to_owned();
    let mut told: Vec<_> = own.map(|row| (what(row), text(row, "state"))).collect();
    told.sort();
    Ok(told)
}

/// Waits until that is what was told, while `report` is repeated as an agent repeats it.
fn is_told((hub, token): (&Hub, &str), wanted: &[(&str, &str)], mut report: impl FnMut() -> Result<()>) -> Result<()> {
    let wanted: Vec<_> = wanted.iter().map(|(what, state)| ((*what).to_owned(), (*state).to_owned())).collect();
    let (mut seen, mut reported) = (Vec::new(), Instant::now());
    let all = wait::until(&format!("deliveries to be {wanted:?}"), PATIENCE, || {
        if reported.elapsed() > HEARTBEAT {
            report()?;
            reported = Instant::now();
        }
        seen = told(hub, token)?;
        Ok((seen == wanted).then_some(()))
    });
    all.with_context(|| format!("they are {seen:?}"))
}

#[test]
fn whoever_sleeps_is_woken_by_what_is_urgent_alone_and_told_the_rest_in_the_morning() -> Result<()> {
    let (Some(mut browser), Some(mut mailbox)) = (Browser::start()?, Mailbox::start()?) else { return Ok(()) };
    browser.become_phone()?;
    let config = format!(
        "zone = 'UTC'\n\
         [channel.mail]\nkind = 'smtp'\npersonal = true\nhost = '127.0.0.1'\nport = {}\ntls = 'none'\n\
         from = 'lobby@hotel.example'\nrate = '100/1s'\ngroup_wait = '200ms'\ngroup_interval = '200ms'\n",
        mailbox.port()
    );
    let hub = Hub::with(Options { config: Some(config), ..Options::default() })?;
    let script = Script::new(SITE, "box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "box", &[])?;
    let machine = "shoe-cover-machine";
    peer.publish(&script.topic("birth"), script.birth(&[("covers-1", machine), ("covers-2", machine)]))?;
    enter(&mut browser, &hub, "zhou", "showflat", SITE)?;
    let made = Command::new(program::own("lobby-hub")?)
        .args(["token", "create", "--role", "viewer", "--site", SITE, "--data-dir"])
        .arg(hub.data_dir())
        .output()?;
    let printed = String::from_utf8(made.stdout)?;
    let token = printed.lines().next_back().context("a token")?.to_owned();

    let account = format!("{}/account", hub.url());
    sign_in(&mut browser, &hub, "zhou", &account)?;
    fill(&mut browser, &[("address", ADDRESS)])?;
    browser.press("form[action='/account/contact'] button")?;
    let mail = mailbox.next_mail()?;
    ensure!(mail["to"] == json!([ADDRESS]), "{mail}");
    let text = mail["text"].as_str().context("a text")?;
    let code: String = text.chars().skip_while(|char| !char.is_ascii_digit()).take(8).collect();
    fill(&mut browser, &[("code", &code)])?;
    browser.press("form[action='/account/contact/confirm'] button")?;
    let says = browser.value("document.querySelector('main').innerText")?;
    let says = says.as_str().context("a text")?;
    ensure!(says.contains(ADDRESS) && !says.contains(&code), "{says}");

    // Quiet hours that began an hour ago and end soon.
    let minute = ZonedRound::new().smallest(Unit::Minute).mode(RoundMode::Trunc);
    let until = now()?.checked_add(135.seconds())?.round(minute)?;
    let from = until.checked_sub(61.minutes())?;
    let [from, end] = [&from, &until].map(|at| at.strftime("%H:%M").to_string());
    fill(&mut browser, &[("from", &from), ("until", &end)])?;
    browser.press("form[action='/account/preferences'] button")?;

    let mut script = script;
    let mut say = |device: &str, motor: &str, low: bool| {
        let record = script.record(device, &[("motor", motor.into()), ("level_low", low.into())]);
        peer.publish(&script.topic("data"), script.data(vec![record]))
    };
    say("covers-1", "ok", true)?;
    say("covers-2", "fault", false)?;
    let mail = mailbox.next_mail()?;
    ensure!(mail["to"] == json!([ADDRESS]), "{mail}");
    ensure!(mail["subject"].as_str().is_some_and(|subject| subject.contains("鞋套机电机故障")), "{mail}");
    let mut all_well = || {
        say("covers-1", "ok", true)?;
        say("covers-2", "ok", false)
    };
    all_well()?;
    is_told((&hub, &token), &[("cleared", "queued"), ("raised", "queued"), ("raised", "sent")], &mut all_well)?;
    ensure!(now()? < until, "that was before the quiet hours ended");

    is_told((&hub, &token), &[("cleared", "digested"), ("raised", "digested"), ("raised", "sent")], &mut all_well)?;
    ensure!(now()? >= until, "the rest waited for their end");
    let digest = mailbox.next_mail()?;
    let text = digest["text"].as_str().context("a text")?;
    ensure!(text.contains("鞋套机余量低") && text.contains("鞋套机电机故障"), "{digest}");
    Ok(())
}
