use lobby_domain::{notice::Rate, time::Span};
use rstest::rstest;

use super::*;
use crate::config::{Config, File, Overrides};

/// An address with a key, as robots have them.
const KEY: &str = "0d1f7c2e-canary-4b5a";

fn read(text: &str) -> anyhow::Result<Arc<Settings>> {
    Ok(Config::new(File::parse(text, "hub.toml")?, Overrides::default())?.notify)
}

fn wecom(more: &str) -> String {
    format!(
        "[channel.ops]\nkind = 'wecom'\nposts = ['engineering']\nurl = 'https://qyapi.example/send?key={KEY}'\n{more}"
    )
}

#[test]
fn a_channel_of_a_few_lines_has_sensible_limits() {
    let settings = read(&wecom("")).unwrap();
    let channel = &settings.channels["ops"];
    assert_eq!(channel.rate, Rate { most: 20, per: Span::from_mins(1) });
    assert_eq!((channel.lang, channel.keyword.as_str(), channel.timeout), (Lang::Zh, "", Duration::from_secs(15)));
    assert_eq!((channel.grouping.wait, channel.grouping.interval), (Span::from_secs(30), Span::from_mins(5)));
    assert!(settings.public_url.is_none());
    let dingtalk = wecom("").replace("wecom", "dingtalk");
    assert_eq!(read(&dingtalk).unwrap().channels["ops"].pause, Span::from_mins(10));
}

#[test]
fn nothing_that_is_shown_or_logged_holds_a_key() {
    let config = Config::new(File::parse(&wecom(""), "hub.toml").unwrap(), Overrides::default()).unwrap();
    let shown = format!("{config:?} {:?}", File::parse(&wecom(""), "hub.toml").unwrap());
    assert!(!shown.contains("canary"), "{shown}");
    let channel = &config.notify.channels["ops"];
    let said = channel.redacted(&format!("invalid webhook url: https://qyapi.example/send?key={KEY}, hint: {KEY}"));
    assert_eq!(said, "invalid webhook url: …, hint: …");
}

#[test]
fn a_secret_comes_from_a_file_and_may_be_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let (url, secret) = (folder.path().join("url"), folder.path().join("secret"));
    std::fs::write(&url, format!("https://oapi.example/robot/send?access_token={KEY}\n")).unwrap();
    std::fs::write(&secret, "SEC-canary\n").unwrap();
    let text = format!(
        "[channel.ding]\nkind = 'dingtalk'\nposts = ['engineering']\nurl_file = {url:?}\nsecret_file = {secret:?}\n"
    );
    let settings = read(&text).unwrap();
    let Target::Dingtalk { url, secret: Some(secret) } = &settings.channels["ding"].target else { panic!("DingTalk") };
    assert!(url.read().unwrap().ends_with(KEY));
    assert_eq!(secret.read().unwrap(), "SEC-canary");
    assert!(!format!("{settings:?}").contains("canary"), "{settings:?}");
}

const MAIL: &str = "[channel.mail]\nkind = 'smtp'\nposts = ['engineering']\nhost = 'mail.example'\n\
                    from = 'Lobby <lobby@hotel.example>'\nto = ['eng@hotel.example']\n";

#[rstest]
#[case::encrypted("", 587, MailTls::Starttls)]
#[case::from_the_beginning("tls = 'implicit'", 465, MailTls::Implicit)]
#[case::plain_only_when_said("tls = 'none'", 25, MailTls::None)]
fn mail_is_encrypted_unless_it_is_said_otherwise(#[case] more: &str, #[case] port: u16, #[case] tls: MailTls) {
    let settings = read(&format!("{MAIL}{more}")).unwrap();
    let Target::Smtp(mail) = &settings.channels["mail"].target else { panic!("e-mail") };
    assert_eq!((mail.port, mail.tls), (port, tls));
}

#[rstest]
#[case::unknown_post(wecom("").replace("engineering", "enginering"), "hub.toml:3:10: [channel.ops] there is no post `enginering`: use ")]
#[case::nobody(wecom("").replace("'engineering'", ""), "hub.toml:1:1: [channel.ops] `posts` names nobody")]
#[case::unknown_kind(wecom("").replace("wecom", "wechat"), "hub.toml:2:8")]
#[case::no_address("[channel.x]\nkind = 'feishu'\nposts = ['engineering']".into(), "hub.toml:1:1: [channel.x] it needs a `url`")]
#[case::two_addresses(wecom("url_env = 'X'"), "give one of `url`")]
#[case::no_such_file(wecom("").replace("url = ", "url_file = "), "hub.toml:4:12: [channel.ops] the address: ")]
#[case::no_url(wecom("").replace("https://", "ftp://"), "hub.toml:4:7: [channel.ops] the address must start with")]
#[case::metadata(wecom("").replace("qyapi.example", "169.254.169.254"), "hub.toml:4:7: [channel.ops] the address: it leads to")]
#[case::wrong_key(wecom("colour = 'red'"), "hub.toml:5:1")]
#[case::bad_rate(wecom("rate = '20'"), "hub.toml:5:8: [channel.ops] rate")]
#[case::short_timeout(wecom("timeout = '1ms'"), "hub.toml:5:11: [channel.ops] `timeout` is 1ms, use 100ms to 1m")]
#[case::bad_repeat(wecom("repeat = 'often'"), "hub.toml:5:10: [channel.ops] repeat")]
#[case::hardly_ever(wecom("repeat = '9999d'"), "hub.toml:5:10: [channel.ops] `repeat` is 1s to 366d")]
#[case::without_posts(wecom("").replace("posts = ['engineering']", ""), "hub.toml:1:1: [channel.ops] `posts` names nobody")]
#[case::bad_range(wecom("allow = ['10.0.0.0/40']"), "hub.toml:5:10: [channel.ops] allow")]
#[case::long_keyword(wecom(&format!("keyword = '{}'", "k".repeat(61))), "hub.toml:5:11: [channel.ops] a `keyword`")]
#[case::foreign(wecom("topic = 'x'"), "hub.toml:5:9: [channel.ops] `topic` does not belong to kind = \"wecom\"")]
#[case::bad_name(wecom("").replace("channel.ops", "channel.Ops"), "hub.toml:1:10: [channel.Ops] the name of a channel")]
#[case::no_topic(wecom("").replace("wecom", "ntfy"), "needs a `topic`")]
#[case::bad_receiver(MAIL.replace("eng@", "eng "), "hub.toml:6:7: [channel.mail] \"eng hotel.example\" is no e-mail address")]
#[case::no_password(format!("{MAIL}user = 'x'"), "hub.toml:7:8: [channel.mail] `user` needs a password")]
#[case::bad_public_url("[http]\npublic_url = 'lobby.example.com'".into(), "hub.toml:2:14: [http] `public_url`: `lobby.example.com` is no address of pages")]
fn a_mistake_in_a_channel_is_said_with_its_place_and_without_its_key(#[case] text: String, #[case] said: &str) {
    let error = format!("{:#}", read(&text).unwrap_err());
    assert!(error.contains(said), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn every_mistake_is_said_at_once() {
    let text = wecom("rate = '0/1m'\ntimeout = '1h'\nrepeat = '1ms'");
    let error = format!("{:#}", read(&text).unwrap_err());
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn a_webhooks_secret_is_checked() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[channel.h]\nkind = 'webhook'\nposts = ['engineering']\nurl = 'https://hook.example/'\nsecret_file = {:?}\n",
        secret.path()
    );
    std::fs::write(secret.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    assert!(read(&text).is_ok());
    std::fs::write(secret.path(), "hunter2").unwrap();
    let error = format!("{:#}", read(&text).unwrap_err());
    assert!(error.contains("the secret is `whsec_`") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_channel_for_people_alone_names_no_receivers_and_is_one_of_mail() {
    let alone = "[channel.mail]\nkind = 'smtp'\npersonal = true\nhost = 'mail.example'\nfrom = 'lobby@hotel.example'\n";
    let settings = read(alone).unwrap();
    let (here, there) = ("here".parse().unwrap(), "there".parse().unwrap());
    assert!(settings.personal(Some(&here)).is_some() && settings.personal(None).is_some());
    let settings = read(&format!("{alone}sites = ['here']\n")).unwrap();
    assert!(settings.personal(Some(&here)).is_some());
    assert!(settings.personal(Some(&there)).is_none() && settings.personal(None).is_none());
    assert!(read(MAIL).unwrap().personal(Some(&here)).is_none());
    let error = format!("{:#}", read(&wecom("personal = true\n")).unwrap_err());
    assert!(error.contains("`personal = true` belongs to kind = \"smtp\""), "{error}");
}
