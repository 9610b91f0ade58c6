//! Rounds on a phone, in both languages: the handovers of the morning and the evening, the first without a connection for a while, and the
//! water bar's patrol.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use lobby_domain::pack::BUILT_IN;
use lobby_tests::{
    browser::Browser,
    clock,
    hub::{Hub, Options},
    mqtt::Peer,
    people::{enter, fill, sign_in, speak},
    reports::Script,
    wait,
};
use rstest::rstest;

pub(super) const SITE: &str = "demo";
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A text in the language of a test.
#[derive(Clone, Copy)]
pub(super) struct Language(pub(super) &'static str);

impl Language {
    pub(super) fn say(self, zh: &'static str, en: &'static str) -> &'static str {
        if self.0 == "zh" { zh } else { en }
    }
}

/// The built-in standards without rounds.
fn standards(folder: &Path) -> Result<()> {
    let others = BUILT_IN.into_iter().filter(|(name, _)| *name != "checklists.toml");
    others.into_iter().try_for_each(|(name, text)| Ok(fs::write(folder.join(name), text)?))
}

/// A checklist whose rounds are due so many minutes from now.
fn due(checklist: &str, minutes: &[i64]) -> Result<String> {
    let now = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC);
    let at = |minutes: &i64| Ok(format!("'{}'", now.checked_add(minutes.minutes())?.strftime("%H:%M")));
    let times = minutes.iter().map(at).collect::<Result<Vec<_>>>()?;
    Ok(checklist.replace("DUE", &times.join(", ")))
}

/// The text of the page, which is no wider than a phone. A picture of it is kept if that is asked for.
pub(super) fn says(browser: &mut Browser, picture: &str) -> Result<String> {
    browser.keep(picture)?;
    browser.says_on_phone()
}

/// A hub with these devices, and the addresses of its open rounds, by when they are due.
pub(super) fn with_rounds(
    folder: &Path,
    (checklist, minutes): (&str, &[i64]),
    devices: &[(&str, &str)],
    facts: &[(&str, lobby_contract::FactValue)],
) -> Result<(Hub, Peer, Vec<String>)> {
    standards(folder)?;
    let hours =
        "[site.demo]\nname = '云汀案场'\n[site.demo.hours]\nzone = 'UTC'\nready_by = '00:00'\nopen = '00:00-23:59'\n";
    let config = Some(format!("standards = '{}'\n{hours}", folder.display()));
    let hub = Hub::with(Options { config, ..Options::default() })?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(devices))?;
    for (device, _) in devices {
        peer.publish(&script.topic("data"), script.report(device, facts))?;
    }
    wait::until("the devices to be known", PATIENCE, || {
        Ok((hub.api.all("/api/v1/devices")?.len() == devices.len()).then_some(()))
    })?;
    // A round has the devices that are there when it opens.
    fs::write(folder.join("checklists.toml"), due(checklist, minutes)?)?;
    let mut rounds = wait::until("the rounds to open", PATIENCE, || {
        let mut rounds = hub.api.all(&format!("/api/v1/checks?site={SITE}"))?;
        rounds.retain(|round| round["state"] == "open");
        Ok((rounds.len() == minutes.len()).then_some(rounds))
    })?;
    rounds.sort_by_key(|round| round["due_at"].as_i64());
    let page =
        |round: &serde_json::Value| Ok(format!("{}/checks/{}", hub.url(), round["id"].as_str().context("an id")?));
    let pages = rounds.iter().map(page).collect::<Result<Vec<_>>>()?;
    Ok((hub, peer, pages))
}

pub(super) fn choose(browser: &mut Browser, ids: &[&str]) -> Result<()> {
    let choose = |id: &&str| format!("document.querySelector({:?}).click()", format!("label[for='{id}']"));
    ids.iter().try_for_each(|id| browser.value(&choose(id)).map(drop))
}

const TICKETS: &str = "[...new Set([...document.querySelectorAll(\"a[href^='/t/']\")].map((a) => a.pathname))].join()";

const HANDOVER: &str = "[checklist.handover]\nlabel = { zh = '上网区交接', en = 'Handover of the internet area' }
clauses = ['REC-S4.3']\npost = 'reception'\ntakes_over = 'reception'\ndue = [DUE]\nopens = '70m'\ncloses = '40m'
[checklist.handover.items]\nlaptops = { label = { zh = '电脑可用', en = 'It works' }, devices = ['laptop'] }\n";

#[rstest]
fn both_handovers_on_a_phone_open_one_ticket_pass_it_on_and_are_signed_by_two(
    #[values("zh", "en")] language: &'static str,
) -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let (words, folder) = (Language(language), tempfile::tempdir()?);
    let devices = [("pc-1", "laptop"), ("pc-2", "laptop")];
    let facts = [("disk_percent", 40.0.into())];
    let (hub, _peer, pages) = with_rounds(folder.path(), (HANDOVER, &[20, 50]), &devices, &facts)?;
    let [morning, evening] = &pages[..] else { anyhow::bail!("{pages:?}") };
    enter(&mut browser, &hub, "zhao", "reception", SITE)?;
    enter(&mut browser, &hub, "qian", "reception", SITE)?;
    speak(&mut browser, &hub, language)?;
    let picture = |name: &str| format!("handover-{name}-{language}");

    sign_in(&mut browser, &hub, "zhao", morning)?;
    let form = says(&mut browser, &picture("form"))?;
    ensure!(form.contains("pc-1") && form.contains("0/2") && form.contains("40"), "what the laptops say: {form}");
    choose(&mut browser, &["fail.laptops.pc-1", "pass.laptops.pc-2"])?;
    fill(&mut browser, &[("note.laptops.pc-1", words.say("屏幕裂了", "The screen is cracked"))])?;
    // The connection is gone.
    browser.value("window.fetch = () => Promise.reject(new TypeError('no connection'))")?;
    browser.value("document.querySelector('form.keeps button:not(.main)').click()")?;
    browser.until("the phone to keep it", "document.querySelector('.kept') !== null", PATIENCE)?;
    let kept = says(&mut browser, &picture("kept"))?;
    ensure!(kept.contains(words.say("已存在本机", "kept on this device")), "{kept}");
    // It is back.
    browser.open(morning)?;
    browser.until("what was kept to be sent", "document.body.innerText.includes('2/2')", PATIENCE)?;
    ensure!(browser.value("localStorage.length")? == 0, "nothing is kept any more");
    let sent = says(&mut browser, &picture("sent"))?;
    let differs = words.say("但设备自报正常", "while the device says fine");
    ensure!(sent.contains(differs), "both differ, which is said: {sent}");
    let ticket = browser.value("document.querySelector(\".item a[href^='/t/']\").getAttribute('href')")?;
    let ticket = ticket.as_str().and_then(|path| path.rsplit('/').next()).context("a number")?.to_owned();

    browser.press("form.keeps button.main")?;
    let signed = says(&mut browser, &picture("signed"))?;
    ensure!(signed.contains(words.say("待接班人签字", "To be taken over")), "{signed}");
    browser.press("form[action$='/sign-in'] button.main")?;
    let refused = says(&mut browser, &picture("refused"))?;
    ensure!(refused.contains(words.say("两人", "signed by two people")), "{refused}");
    take_over(&mut browser, &hub, words, ("qian", morning), &ticket)?;

    // In the evening the laptop is still cracked, and who took over gives it back.
    browser.open(evening)?;
    choose(&mut browser, &["fail.laptops.pc-1", "pass.laptops.pc-2"])?;
    fill(&mut browser, &[("note.laptops.pc-1", words.say("还没有修好", "Not repaired yet"))])?;
    browser.press("form.keeps button.main")?;
    let given = says(&mut browser, &picture("evening"))?;
    ensure!(given.contains(words.say("待接班人签字", "To be taken over")), "{given}");
    ensure!(browser.value(TICKETS)? == format!("/t/{ticket}"), "the failed item has one ticket: {given}");
    take_over(&mut browser, &hub, words, ("zhao", evening), &ticket)?;
    Ok(())
}

/// Somebody takes over what passes on, and nothing is left to do.
fn take_over(
    browser: &mut Browser,
    hub: &Hub,
    words: Language,
    (person, page): (&str, &str),
    ticket: &str,
) -> Result<()> {
    sign_in(browser, hub, person, page)?;
    let passes = says(browser, &format!("handover-passes-{person}-{}", words.0))?;
    ensure!(passes.contains(words.say("一并移交", "What passes on")) && passes.contains(ticket), "{passes}");
    browser.press("form[action$='/sign-in'] button.main")?;
    let done = says(browser, &format!("handover-done-{person}-{}", words.0))?;
    let taken = format!("{}{person}", words.say("接班签字：", "Taken over by "));
    ensure!(done.contains(words.say("已完成", "Done")), "{done}");
    ensure!(done.replace(' ', "").contains(&taken.replace(' ', "")), "{taken}: {done}");
    let left = browser.value("document.querySelectorAll('form.act').length")?;
    ensure!(left == 0, "nothing is left to do: {done}");
    Ok(())
}

pub(super) const PATROL: &str = "[checklist.patrol]\nlabel = { zh = '水吧一楼巡场', en = 'Patrol of the ground floor' }
clauses = ['BAR-S8']\npost = 'waterbar'\ndue = [DUE]\nopens = '60m'\ncloses = '40m'
[checklist.patrol.items]\ncovers = { label = { zh = '鞋套机可用', en = 'It works' }, devices = ['shoe-cover-machine'] }
floor = { label = { zh = '地面整洁', en = 'The floor is clean' }, photo = 'optional' }\n";

#[rstest]
fn a_patrol_on_a_phone_shows_what_the_machines_say_and_reports_what_is_wrong(
    #[values("zh", "en")] language: &'static str,
) -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let (words, folder) = (Language(language), tempfile::tempdir()?);
    let devices = [("covers-1", "shoe-cover-machine"), ("covers-2", "shoe-cover-machine")];
    let facts = [("covers_left", 83.0.into()), ("covers_dispensed", 417.0.into()), ("jam", false.into())];
    let (hub, mut peer, pages) = with_rounds(folder.path(), (PATROL, &[20]), &devices, &facts)?;
    enter(&mut browser, &hub, "sun", "waterbar", SITE)?;
    speak(&mut browser, &hub, language)?;
    let picture = |name: &str| format!("patrol-{name}-{language}");

    sign_in(&mut browser, &hub, "sun", &pages[0])?;
    let form = says(&mut browser, &picture("form"))?;
    ensure!(form.contains("83") && form.contains("417"), "covers left and handed out: {form}");
    let chosen = "document.querySelector(\"[id='pass.covers.covers-1']\").checked";
    ensure!(browser.value(chosen)? == true, "what the machine says is suggested");
    choose(&mut browser, &["fail.floor"])?;
    fill(&mut browser, &[("note.floor", words.say("门口有积水", "Water at the door"))])?;
    browser.choose_photo("photo.floor")?;
    browser.press("form.keeps button.main")?;
    let done = says(&mut browser, &picture("done"))?;
    ensure!(done.contains(words.say("已完成", "Done")) && done.contains("3/3"), "{done}");
    ensure!(
        browser.value("document.querySelectorAll(\"img[src^='/api/v1/photos/']\").length > 0")? == true,
        "its photo: {done}"
    );
    let tickets = browser.value(TICKETS)?;
    ensure!(tickets.as_str().is_some_and(|tickets| tickets.split(',').count() == 1), "the wet floor's: {tickets}");

    // What a machine said then stays in the record, whatever it says later.
    let mut later = Script::new(SITE, "lobby-box").in_epoch(2);
    peer.publish(&later.topic("birth"), later.birth(&devices))?;
    peer.publish(&later.topic("data"), later.report("covers-1", &[("covers_left", 12.0.into())]))?;
    let device = format!("{}/d/covers-1?site={SITE}", hub.url());
    wait::until("the machine to say something else", PATIENCE, || {
        browser.open(&device)?;
        Ok((browser.value("document.querySelector('table.values').innerText.includes('12')")? == true).then_some(()))
    })?;
    browser.open(&pages[0])?;
    let record = says(&mut browser, &picture("record"))?;
    ensure!(record.contains("83") && !record.contains("12\u{a0}") && !record.contains("12 "), "{record}");

    // One more is started when it is wanted, and asked for again it is the same.
    let list = format!("{}/checks?site={SITE}", hub.url());
    let mut started = Vec::new();
    for _ in 0..2 {
        browser.open(&list)?;
        says(&mut browser, &picture("list"))?;
        browser.press("form[action^='/checks/start/'] button")?;
        started.push(browser.value("location.pathname")?);
        let form = says(&mut browser, &picture("started"))?;
        ensure!(form.contains(words.say("逐项确认", "Go through the items")) && form.contains("0/3"), "{form}");
    }
    ensure!(started[0] == started[1] && !pages[0].ends_with(started[0].as_str().context("a path")?), "{started:?}");
    Ok(())
}
