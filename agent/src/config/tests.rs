use rstest::rstest;

use super::*;

const SAMPLE: &str = include_str!("../../sample.toml");

const MINIMAL: &str = r#"
[agent]
site = "demo"
id = "box"
[[device]]
id = "led"
kind = "led-display"
[device.probe]
type = "tcp"
address = "127.0.0.1"
"#;

fn complaints(text: &str) -> Vec<String> {
    Config::parse(text, "agent.toml").unwrap_err().to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_sample_is_a_good_configuration() {
    let config = Config::parse(SAMPLE, "sample.toml").unwrap();
    let led = &config.devices[0];
    assert_eq!((led.id.as_str(), &*led.name, &*led.place), ("entrance-led", "门口电子显示屏", "大门口"));
    assert_eq!([led.every, led.timeout, led.heartbeat], secs([10, 5, 30]));
    assert_eq!(led.dead_band.get("temperature_c"), Some(&0.5));
    assert_eq!(config.devices[1].facts.get("capacity"), Some(&FactValue::Number(500.0)));
}

fn secs(seconds: [u64; 3]) -> [Duration; 3] {
    seconds.map(Duration::from_secs)
}

#[test]
fn what_the_sample_shows_as_a_comment_is_accepted_when_the_comment_is_removed() {
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(option) if option.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => option,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
        .replace("mqtt://", "mqtts://");
    assert_ne!(uncommented, SAMPLE);
    let config = Config::parse(&uncommented, "sample.toml").unwrap();
    assert!(config.hub.url.tls && config.hub.ca_file.is_some() && config.hub.password.is_some());
}

#[rstest]
#[case::agent("[agent]\nxyzzy = 1\n")]
#[case::hub("[hub]\nxyzzy = 1\n")]
#[case::spool("[spool]\nxyzzy = 1\n")]
#[case::watchdog("[watchdog]\nxyzzy = 1\n")]
#[case::device("[[device]]\nxyzzy = 1\n")]
#[case::pjlink("[[device]]\nprobe = { type = \"pjlink\", xyzzy = 1 }\n")]
#[case::modbus("[[device]]\nprobe = { type = \"modbus\", xyzzy = 1 }\n")]
#[case::register("[[device]]\nprobe = { type = \"modbus\", register = [{ xyzzy = 1 }] }\n")]
#[case::host("[[device]]\nprobe = { type = \"host\", xyzzy = 1 }\n")]
#[case::network("[[device]]\nprobe = { type = \"network\", xyzzy = 1 }\n")]
#[case::tcp("[[device]]\nprobe = { type = \"tcp\", xyzzy = 1 }\n")]
fn the_sample_shows_every_option(#[case] text: &str) {
    let complaint = complaints(text).into_iter().find(|line| line.contains("`xyzzy`")).unwrap();
    let options: Vec<&str> = complaint.split('`').skip(3).step_by(2).collect();
    assert!(!options.is_empty(), "{complaint}");
    for option in options {
        let shown = SAMPLE.lines().any(|line| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            line.starts_with(&format!("{option} = "))
                || line == format!("[device.{option}]")
                || line == format!("[[device.probe.{option}]]")
        });
        assert!(shown, "the sample does not show `{option}`");
    }
}

#[test]
fn what_is_not_given_has_its_usual_value() {
    let config = Config::parse(MINIMAL, "agent.toml").unwrap();
    let led = &config.devices[0];
    assert_eq!(config.hub.url.to_string(), "mqtt://127.0.0.1:1883");
    assert_eq!(config.spool.max_bytes, 268_435_456);
    assert_eq!([led.every, led.timeout, led.heartbeat], secs([10, 5, 30]));
    assert_eq!(&*led.name, "led");
}

#[test]
fn a_birth_announces_the_heartbeat() {
    let config = Config::parse(MINIMAL, "agent.toml").unwrap();
    assert_eq!(config.announced()[0].every_ms, 30_000);
}

#[test]
fn the_environment_goes_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.toml");
    fs::write(&path, MINIMAL.replace("site = \"demo\"\n", "")).unwrap();
    let env = |name: &str| match name {
        "LOBBY_AGENT_SITE" => Some("sh-01".to_owned()),
        "LOBBY_AGENT_STATE_DIR" => Some("/srv/agent".to_owned()),
        "LOBBY_HUB_URL" => Some("mqtts://hub.example".to_owned()),
        _ => None,
    };
    let config = Config::load(&path, env).unwrap();
    assert_eq!((config.site.as_str(), config.id.as_str()), ("sh-01", "box"));
    assert_eq!(config.state_dir, Path::new("/srv/agent"));
    assert_eq!(config.hub.url.to_string(), "mqtts://hub.example:8883");
    let error = Config::load(&path, |name| (name == "LOBBY_HUB_URL").then(|| "http://x".to_owned())).unwrap_err();
    assert!(error.to_string().contains("the environment variable LOBBY_HUB_URL"), "{error}");
    assert!(error.to_string().contains("`[agent]` lacks `site`"), "{error}");
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_place() {
    let text = r#"[agent]
site = "Demo"
id = "box"
stat_dir = "/x"
[hbu]
[spool]
max_bytes = "big"
[[device]]
id = "led"
kind = "led-display"
evry = "10s"
timeout = "soon"
probe = { type = "pjlnk" }
[[device]]
id = "门口"
knd = "tv"
[device.probe]
type = "tcp"
adress = "127.0.0.1"
"#;
    let expected = [
        "agent.toml:2:8: `D` at position 1 is not allowed",
        "agent.toml:4:1: unknown key `stat_dir`: did you mean `state_dir`?",
        "agent.toml:5:2: unknown key `hbu`: did you mean `hub`?",
        "agent.toml:7:13: invalid type: string \"big\"",
        "agent.toml:11:1: unknown key `evry`: did you mean `every`?",
        "agent.toml:12:11: `soon` is not a duration",
        "agent.toml:13:18: unknown probe type `pjlnk`: did you mean `pjlink`?",
        "agent.toml:15:6: `门` at position 1 is not allowed",
        "agent.toml:16:1: unknown key `knd`: did you mean `kind`?",
        "agent.toml:19:1: unknown key `adress`: did you mean `address`?",
    ];
    let complaints = complaints(text);
    assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    for (complaint, expected) in complaints.iter().zip(expected) {
        assert!(complaint.starts_with(expected), "{complaint}\nis not\n{expected}");
    }
}

#[rstest]
#[case::too_often(
    "kind = \"led-display\"\nevery = \"10ms\"\ntimeout = \"10ms\"",
    ":8:9: device `led`: `every` is 10ms, it must be from 100ms to 1h"
)]
#[case::too_patient(
    "kind = \"led-display\"\nevery = \"1s\"\ntimeout = \"2s\"",
    ":9:11: device `led`: `timeout` (2s) must not be longer than `every` (1s)"
)]
#[case::heartbeat(
    "kind = \"led-display\"\nheartbeat = \"1s\"",
    ":8:13: device `led`: `heartbeat` is 1s, it must be from `every` (10s) to 1day"
)]
#[case::dead_band(
    "kind = \"led-display\"\ndead_band = { x = -1 }",
    ":8:13: device `led`: the dead band of `x` must be"
)]
#[case::control("kind = \"tv\\u0000\"", ":7:8: device `led`: `kind` holds a control character")]
#[case::control_in_a_fact(
    "kind = \"tv\"\nfacts = { a = \"\\u0007\" }",
    ":8:9: device `led`: a constant fact holds a control"
)]
#[case::no_kind("kind = \"\"", ":7:8: device `led`: `kind` is empty")]
fn a_value_out_of_bounds_is_told_with_its_place(#[case] lines: &str, #[case] complaint: &str) {
    let complaints = complaints(&MINIMAL.replace("kind = \"led-display\"", lines));
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0].starts_with(&format!("agent.toml{complaint}")), "{complaints:#?}");
}

#[test]
fn two_devices_of_one_name_are_refused() {
    let second = MINIMAL.split_once("[[device]]").unwrap().1;
    let complaints = complaints(&format!("{MINIMAL}[[device]]{second}"));
    assert_eq!(complaints, ["agent.toml:12:6: there is another device `led`: ids must differ"]);
}

#[test]
fn what_a_probe_itself_refuses_is_told_with_its_place() {
    let complaints = complaints(&MINIMAL.replace("address = \"127.0.0.1\"", "address = \"127.0.0.1\"\nports = []"));
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0].starts_with("agent.toml:8:1: device `led`: `ports`"), "{complaints:#?}");
}

#[rstest]
#[case::no_probe("[device.probe]\ntype = \"tcp\"\naddress = \"127.0.0.1\"", "", "lacks its `[device.probe]`")]
#[case::no_type("type = \"tcp\"\n", "", "lacks its `type`")]
#[case::one_bracket("[[device]]", "[device]", "two brackets")]
#[case::syntax("id = \"box\"", "id = box", "agent.toml:4:")]
fn a_broken_file_says_what_to_do(#[case] from: &str, #[case] to: &str, #[case] says: &str) {
    let complaints = complaints(&MINIMAL.replace(from, to));
    assert!(complaints.iter().any(|line| line.contains(says)), "{complaints:#?}");
}

#[test]
fn a_password_in_the_address_is_refused_and_not_repeated() {
    let text = format!("{MINIMAL}[hub]\nurl = \"mqtt://me:hunter2@hub\"\n");
    let complaints = complaints(&text);
    assert!(complaints[0].contains("credentials do not belong in the address"), "{complaints:?}");
    assert!(!complaints.join("").contains("hunter2"), "{complaints:?}");
}

#[test]
fn certificates_need_an_encrypted_address() {
    let text = format!("{MINIMAL}[hub]\nurl = \"mqtt://hub\"\nca_file = \"ca.pem\"\n");
    assert!(complaints(&text)[0].contains("not `mqtts://`"));
}

#[rstest]
#[case::no_url("url = \"ftp://example.com\"", "6:7: the webhook's address must start with `https://` or `http://`")]
#[case::unknown_source("url = { fil = \"/x\" }", "6:9: unknown word `fil`: did you mean `file`?")]
#[case::no_hours("hours = \"8-22\"\nzone = \"UTC\"", "6:9: `8-22` are no hours such as \"08:00-22:00\"")]
#[case::hours_of_nowhere("hours = \"08:00-22:00\"", "6:9: `[watchdog] hours` needs a `zone`")]
#[case::no_zone("zone = \"Asia/Shangai\"", "6:8: there is no time zone `Asia/Shangai`")]
#[case::too_short("hub_silence = \"500ms\"", "6:15: `[watchdog] hub_silence` is 500ms, it must be from 1s to 1day")]
#[case::no_group(
    "lan_group = \"192.0.2.1:5000\"",
    "6:13: `[watchdog] lan_group` is 192.0.2.1:5000: it must be a multicast address"
)]
#[case::out_of_order("order = 101", "6:9: `[watchdog] order` is 101, the last place is 100")]
#[case::misspelt("hub_silense = \"5m\"", "6:1: unknown key `hub_silense`: did you mean `hub_silence`?")]
#[case::unknown_format("format = \"slack\"", "6:10: unknown word `slack`")]
#[case::token_alone("token = { env = \"X\" }", "6:9: `[watchdog]` has a `token` but no `url`")]
fn a_mistake_in_the_watchdogs_part_is_told_where_it_stands(#[case] line: &str, #[case] complaint: &str) {
    let text = format!("\n[agent]\nsite = \"demo\"\nid = \"box\"\n[watchdog]\n{line}\n");
    let found = complaints(&text);
    assert!(found.len() == 1 && found[0].starts_with(&format!("agent.toml:{complaint}")), "{found:?}");
}

#[test]
fn the_watchdogs_webhook_may_be_kept_elsewhere_and_is_never_shown() {
    let kept = format!("{MINIMAL}\n[watchdog]\nurl = {{ env = \"LOBBY_FALLBACK\" }}\n");
    let config = Config::parse(&kept, "test").unwrap();
    assert_eq!(config.watchdog.url, Some(WebhookUrl::Kept(SecretSource::Env("LOBBY_FALLBACK".into()))));
    let shown = format!("{MINIMAL}\n[watchdog]\nurl = \"https://example.com/robot?key=hunter2\"\n");
    let config = Config::parse(&shown, "test").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(&*config.watchdog.url.unwrap().read().unwrap(), "https://example.com/robot?key=hunter2");
}
