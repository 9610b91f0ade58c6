//! The command line as its user meets it.

use std::process::{Command, Output};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample.toml");

fn agent(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lobby-agent")).env_clear().args(arguments).output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8")
}

#[test]
fn a_good_configuration_is_called_good() {
    let output = agent(&["check-config", "--config", SAMPLE]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("is good"));
}

#[test]
fn a_bad_configuration_is_refused_by_every_command_with_line_and_column() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[agent]\nsite = \"demo\"\nidd = \"box\"\n").unwrap();
    let path = file.path().to_str().unwrap();
    for command in [&["run"][..], &["check"], &["check-config"], &[]] {
        let output = agent(&[command, &["--config", path]].concat());
        assert_eq!(output.status.code(), Some(2));
        let complaint = format!("{path}:3:1: unknown key `idd`: did you mean `id`?");
        assert!(text(&output.stderr).contains(&complaint), "{}", text(&output.stderr));
    }
}

#[test]
fn a_check_exits_with_0_only_when_all_devices_were_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let file = tempfile::NamedTempFile::new().unwrap();
    let device = |id: &str, probe: &str| format!("[[device]]\nid = \"{id}\"\nkind = \"tv\"\nprobe = {{ {probe} }}\n");
    let good = device("good", &format!("type = \"tcp\", address = \"127.0.0.1\", ports = [{port}]"));
    let bad = device("bad", "type = \"modbus\", serial = \"/dev/no-such-port\", preset = \"sdm120\"");
    std::fs::write(file.path(), format!("agent = {{ site = \"demo\", id = \"box\" }}\n{good}{bad}")).unwrap();
    let path = file.path().to_str().unwrap();

    let output = agent(&["check", "--config", path]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("good    tv") && table.contains("/dev/no-such-port"), "{table}");

    let output = agent(&["check", "--json", "--device", "good", "--config", path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let checked: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&checked[0]["device"], &checked[0]["reach"]), (&"good".into(), &"ok".into()));
}
