//! Whoever is on duty is rung up: what is theirs to see to mentions them in the groups of three chats, as each wants it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lobby_tests::{
    browser::Browser,
    hub::{Hub, Options},
    mqtt::Peer,
    people::{enter, fill, put_on_duty, sign_in, speak},
    receiver::{Letter, Receiver},
    reports::Script,
    wait,
};
use serde_json::json;
use tokio::time::Instant;

const SITE: &str = "demo";
/// It is over only once it has worked for half a minute.
const PATIENCE: Duration = Duration::from_secs(90);
const HEARTBEAT: Duration = Duration::from_secs(5);
const DEVICE: &str = "covers-1";

#[test]
fn a_fault_rings_up_whoever_is_on_duty_in_each_chat_and_its_end_does_not() -> Result<()> {
    let Some(mut browser) = Browser::start()? else { return Ok(()) };
    browser.become_phone()?;
    let receiver = Receiver::start()?;
    let url = receiver.url();
    let channel = |name: &str, kind: &str, post: &str| {
        format!(
            "[channel.{name}]\nkind = '{kind}'\nposts = ['{post}']\nurl = '{url}/{name}'\nlang = 'zh'\n\
             rate = '100/1s'\ngroup_wait = '200ms'\ngroup_interval = '200ms'\nretry = '100ms'\ntimeout = '2s'\n"
        )
    };
    let channels = ["wecom", "dingtalk", "feishu"].map(|kind| channel(kind, kind, "engineering")).concat();
    let channels = channels + &channel("others", "dingtalk", "showflat");
    let config = format!("zone = 'UTC'\n[site.demo.shifts]\nwhole = '00:00-00:00'\n{channels}");
    let hub = Hub::with(Options { config: Some(config), ..Options::default() })?;
    let mut script = Script::new(SITE, "box");
    let mut peer = Peer::connect(&hub.mqtt_url(), "box", &[])?;
    peer.publish(&script.topic("birth"), script.birth(&[(DEVICE, "shoe-cover-machine")]))?;
    enter(&mut browser, &hub, "li", "engineering", SITE)?;
    put_on_duty(&hub, "li", "engineering", SITE)?;
    speak(&mut browser, &hub, "zh")?;

    let account = format!("{}/account", hub.url());
    sign_in(&mut browser, &hub, "li", &account)?;
    browser.ensure_says_on_phone(&["群里 @我", "企业微信账号", "钉钉手机号", "飞书 Open ID"])?;
    fill(&mut browser, &[("wecom", "@all"), ("dingtalk", "138 0013 8000"), ("feishu", "ou_7d8a6e6d")])?;
    browser.press("form[action='/account/chats'] button")?;
    browser.ensure_says_on_phone(&["这不是企业微信账号"])?;
    browser.keep("mentions-refused")?;
    let typed = browser.value("['wecom', 'dingtalk'].map(id => document.getElementById(id).value)")?;
    ensure!(typed == json!(["@all", "138 0013 8000"]), "what was typed is there to be mended: {typed}");
    fill(&mut browser, &[("wecom", "LiGong")])?;
    browser.press("form[action='/account/chats'] button")?;
    let kept = browser.value("['wecom', 'dingtalk', 'feishu'].map(id => document.getElementById(id).value)")?;
    ensure!(kept == json!(["LiGong", "13800138000", "ou_7d8a6e6d"]), "{kept}");

    let mut say = |motor: &str| {
        let record = script.record(DEVICE, &[("motor", motor.into()), ("covers_left", 300.0.into())]);
        peer.publish(&script.topic("data"), script.data(vec![record]))
    };
    say("fault")?;
    let heard = |path: &str, count: usize| -> Result<Letter> {
        wait::until(&format!("{count} messages to {path}"), PATIENCE, || {
            Ok(receiver.letters_to(path).get(count - 1).cloned())
        })
    };
    let mentions = |letter: &Letter| letter.text().lines().any(|line| line.contains('@') || line.contains("<at"));
    let wecom = heard("/wecom", 1)?;
    ensure!(wecom.body["text"]["mentioned_list"] == json!(["LiGong"]) && !mentions(&wecom), "{wecom:?}");
    let ding = heard("/dingtalk", 1)?;
    ensure!(ding.body["at"] == json!({ "atMobiles": ["13800138000"], "isAtAll": false }), "{ding:?}");
    ensure!(ding.text().lines().any(|line| line == "@13800138000"), "{ding:?}");
    let feishu = heard("/feishu", 1)?;
    ensure!(feishu.text().lines().any(|line| line == "<at user_id=\"ou_7d8a6e6d\"></at>"), "{feishu:?}");

    let others = heard("/others", 1)?;
    ensure!(others.body.get("at").is_none() && !mentions(&others), "no number is told to other posts: {others:?}");

    // Whoever is given the ticket is told, and rung up.
    let text = wecom.text();
    let number =
        text.find("BX-").and_then(|at| text.get(at..at + "BX-202611-0001".len())).context("a ticket's number")?;
    browser.open(&format!("{}/t/{number}", hub.url()))?;
    browser.value("document.getElementById('assign').open = true")?;
    browser.press("#assign form button")?;
    let given = heard("/wecom", 2)?;
    ensure!(given.text().contains("已派给li") && given.text().contains(number), "{given:?}");
    ensure!(given.body["text"]["mentioned_list"] == json!(["LiGong"]), "{given:?}");
    heard("/dingtalk", 2)?;

    // That it is over is for nobody to see to.
    let mut reported = Instant::now();
    wait::until("the end to be told", PATIENCE, || {
        if reported.elapsed() > HEARTBEAT {
            say("ok")?;
            reported = Instant::now();
        }
        Ok((receiver.letters_to("/wecom").len() > 2 && receiver.letters_to("/dingtalk").len() > 2).then_some(()))
    })?;
    let (wecom, ding) = (heard("/wecom", 3)?, heard("/dingtalk", 3)?);
    ensure!(wecom.text().contains("已恢复") && wecom.body["text"].get("mentioned_list").is_none(), "{wecom:?}");
    ensure!(ding.body.get("at").is_none() && !mentions(&ding), "{ding:?}");
    Ok(())
}
