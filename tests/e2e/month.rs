//! The month end on a phone: what was used, and next month's purchase from the show flat to the manager.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use lobby_contract::Record;
use lobby_tests::{
    browser::Browser,
    clock,
    hub::{Hub, Options},
    mail::Mailbox,
    mqtt::Peer,
    people::{enter, fill, sign_in, speak},
    reports::Script,
    wait, wall,
};
use rstest::rstest;
use serde_json::Value;

const SITE: &str = "demo";
const MACHINE: &str = "covers-1";
const PATIENCE: Duration = Duration::from_mins(1);
/// Pieces on each day.
const DAILY: u32 = 120;

/// What a machine has counted, a record every third hour since `from`.
fn past(script: &mut Script, from: Date, until: Date) -> Result<Vec<Record>> {
    let mut count = 0;
    let mut records = Vec::new();
    for day in from.series(1.day()).take_while(|day| *day < until) {
        for hour in [2_i8, 5, 8, 11] {
            let at = day.at(hour, 30, 0, 0).to_zoned(TimeZone::UTC)?.timestamp();
            let mut record = script.record(MACHINE, &[("covers_dispensed", f64::from(count).into())]);
            record.at = at.as_millisecond();
            records.push(record);
            count += DAILY / 4;
        }
    }
    Ok(records)
}

/// What the page shows as JSON from an address of the API.
fn api(browser: &mut Browser, path: &str) -> Result<Value> {
    browser.value(&format!(
        "window.got = null; fetch({path:?}).then((got) => got.json()).then((got) => window.got = got); 0"
    ))?;
    browser.until(path, "window.got !== null", PATIENCE)?;
    browser.value("window.got")
}

#[rstest]
fn the_month_end_goes_from_the_show_flat_to_the_manager_on_a_phone(
    #[values("zh", "en")] language: &'static str,
) -> Result<()> {
    let words = |zh: &'static str, en: &'static str| if language == "zh" { zh } else { en };
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let config =
        "zone = 'UTC'\n[site.demo]\nname = '云汀案场'\n[site.demo.stock.shoe-cover]\nprice = 35\nmin_order = 500\n";
    let hub = Hub::with(Options { config: Some(config.into()), ..Options::default() })?;
    let today = Timestamp::from_millisecond(clock::now_ms())?.to_zoned(TimeZone::UTC).date();
    let last = today.first_of_month().yesterday()?;
    let mut script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[(MACHINE, "shoe-cover-machine")]))?;
    let records = past(&mut script, last.first_of_month().checked_sub(7.days())?, today)?;
    for some in records.chunks(100) {
        peer.publish(&script.topic("data"), script.data(some.to_vec()))?;
    }
    for (login, role) in [("lin", "showflat"), ("zhou", "supervisor"), ("he", "manager")] {
        enter(&mut browser, &hub, login, role, SITE)?;
    }

    speak(&mut browser, &hub, language)?;
    // What was used in the last month, to the piece.
    let used = u32::try_from(last.days_in_month())? * DAILY;
    let statement = format!("{}/stock/statement/{}?site={SITE}", hub.url(), last.strftime("%Y-%m"));
    sign_in(&mut browser, &hub, "lin", &statement)?;
    let yuan = used * 35;
    let cost = format!("¥{}.{:02}", yuan / 100, yuan % 100);
    let expected = match language {
        "zh" => format!("用了 {used} 片，合 {cost}"),
        _ => format!("{used} pcs were used, for {cost}"),
    };
    let mut said = String::new();
    let seen = wait::until(&format!("`{expected}`"), PATIENCE, || {
        browser.open(&statement)?;
        said = browser.says_on_phone()?;
        Ok(said.contains(&expected).then_some(()))
    });
    seen.with_context(|| said.clone())?;
    browser.keep(&format!("statement-{language}"))?;
    let told =
        api(&mut browser, &format!("/api/v1/sites/{SITE}/stock/shoe-cover/statements/{}", last.strftime("%Y-%m")))?;
    ensure!(told["used"] == used && told["cost"] == yuan, "{told}");
    ensure!(told["machines"][0]["days"].as_array().is_some_and(|days| days.iter().all(|day| *day == DAILY)), "{told}");
    let csv =
        "fetch(document.querySelector('a[download]').href).then((got) => got.text()).then((text) => window.csv = text)";
    browser.value(&format!("{csv}; 0"))?;
    browser.until("the table", "Boolean(window.csv)", PATIENCE)?;
    let table = browser.value("window.csv")?;
    let line = format!("{},{DAILY},0,{DAILY}", last.strftime("%Y-%m-%d"));
    ensure!(table.as_str().is_some_and(|table| table.contains(&line)), "no {line} in {table}");

    // What is to be bought: edited with a reason, and up one level after the other.
    let next = today.last_of_month().tomorrow()?;
    let plan = format!("{}/stock/plan/{}?site={SITE}", hub.url(), next.strftime("%Y-%m"));
    browser.open(&plan)?;
    let said = browser.says_on_phone()?;
    for word in [("尚未提交", "not submitted"), ("安全库存", "Safety stock"), ("误差", "Error")] {
        ensure!(said.contains(words(word.0, word.1)), "{word:?}: {said}");
    }
    browser.keep(&format!("plan-{language}"))?;
    let why = words("20 日开盘", "The launch on the 20th");
    fill(&mut browser, &[("pieces", "5000"), ("why", why)])?;
    browser.press("form.card.act button")?;
    let said = browser.says_on_phone()?;
    let proposed = words("建议采购 5000 片", "5000 pcs are proposed");
    ensure!(said.contains(proposed) && said.contains(why) && said.contains("¥1750.00"), "{said}");
    browser.press("button.main")?;
    let said = browser.says_on_phone()?;
    ensure!(said.contains(words("待主管审批", "waiting for: ")), "{said}");

    // The manager is asked after the supervisor, and not before.
    sign_in(&mut browser, &hub, "he", &plan)?;
    let back = words("退回原因", "Why it goes back");
    ensure!(!browser.says_on_phone()?.contains(back), "it is not the manager's turn");
    let turns = [
        ("zhou", words("待服务中心经理审批", "waiting for: ")),
        ("he", words("已批准", "5000 pcs to be bought, approved")),
    ];
    for (login, then) in turns {
        sign_in(&mut browser, &hub, login, &plan)?;
        ensure!(browser.says_on_phone()?.contains(back), "it is the turn of {login}");
        browser.press("button.main")?;
        let said = browser.says_on_phone()?;
        ensure!(said.contains(then), "{said}");
    }
    browser.keep(&format!("plan-approved-{language}"))?;
    let told = api(&mut browser, &format!("/api/v1/sites/{SITE}/stock/shoe-cover/plans/{}", next.strftime("%Y-%m")))?;
    ensure!(told["pieces"] == 5000 && told["approved"] == true && told["waits_for"].is_null(), "{told}");
    ensure!(told["steps"].as_array().is_some_and(|steps| steps.len() == 4), "{told}");
    Ok(())
}

/// Seconds from now until nine in the morning of the first day of a month, where the site is.
fn until_the_report() -> Result<(i64, Date)> {
    let now = Timestamp::from_millisecond(clock::now_ms())?;
    let first = now.to_zoned(TimeZone::UTC).date().last_of_month().tomorrow()?;
    let due = first.at(9, 0, 0, 0).to_zoned(TimeZone::UTC)?.timestamp();
    Ok((due.as_second() - now.as_second(), first.yesterday()?))
}

#[test]
fn a_report_of_the_month_comes_by_mail_on_the_first_at_nine_and_the_page_tells_to_whom() -> Result<()> {
    let Some(mut mailbox) = Mailbox::start()? else { return Ok(()) };
    let (seconds, last) = until_the_report()?;
    let config = format!(
        "zone = 'UTC'\n[site.demo]\nname = '云汀案场'\n\
         [channel.mail]\nkind = 'smtp'\nposts = ['manager']\nhost = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'lobby@hotel.example'\n\
         to = ['manager@hotel.example']\nretry = '100ms'\n",
        mailbox.port()
    );
    let Some(hub) = wall::Hub::at(seconds - 20, Some(config))? else { return Ok(()) };
    let script = Script::new(SITE, "lobby-box");
    let mut peer = Peer::connect(&hub.mqtt, "lobby-box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[(MACHINE, "shoe-cover-machine")]))?;
    let month = last.strftime("%Y-%m").to_string();
    let page = || -> Result<String> {
        let headers = [("accept-language", "zh"), ("accept", "text/html")];
        Ok(hub.api.get_with(&format!("/compliance/{month}?site={SITE}"), &headers)?.body)
    };
    wait::until("the page before it is time", PATIENCE, || {
        Ok(page()?.contains("本月月报没有发给任何人").then_some(()))
    })?;
    let mail = mailbox.next_mail()?;
    let said = (mail["subject"].as_str().unwrap_or_default(), mail["text"].as_str().unwrap_or_default());
    ensure!(said.0 == format!("云汀案场 {month} 月报"), "{said:?}");
    ensure!(said.1.contains("标准执行："), "{said:?}");
    wait::until("the page to tell that it was sent", PATIENCE, || Ok(page()?.contains("已送达").then_some(())))?;
    Ok(())
}
