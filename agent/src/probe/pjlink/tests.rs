//! The probe against a scripted device on a real socket.

use std::{collections::BTreeMap, io::Write, sync::mpsc};

use rstest::rstest;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

/// A device that answers from a table, and `ERR1` to the rest; what it was asked comes out of `asked`.
struct Device {
    address: String,
    asked: mpsc::Receiver<String>,
    _task: JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "the peer of a test ends with its runtime")]
async fn device(greeting: &'static str, answers: &[(&str, &str)]) -> Device {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answers = answers.iter().map(|(query, answer)| ((*query).to_owned(), (*answer).to_owned())).collect();
    let (tell, asked) = mpsc::channel();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, greeting, &answers, &tell).await;
        }
    });
    Device { address, asked, _task: task }
}

async fn serve(mut stream: TcpStream, greeting: &str, answers: &BTreeMap<String, String>, tell: &mpsc::Sender<String>) {
    stream.write_all(greeting.as_bytes()).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\r', &mut line).await.is_ok_and(|len| len > 0) {
        let query = String::from_utf8(std::mem::take(&mut line)).unwrap().trim_end().to_owned();
        let (class, command) =
            (query[query.len() - 7..query.len() - 6].to_owned(), query[query.len() - 6..].to_owned());
        let answer = answers.get(&command[..4]).map_or("ERR1", String::as_str);
        tell.send(query.clone()).unwrap();
        if answer == "(close)" {
            return;
        }
        let answer = if answer.starts_with("PJLINK") {
            answer.to_owned()
        } else {
            format!("%{class}{}={answer}", &command[..4])
        };
        if stream.write_all(format!("{answer}\r").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn probe_of(device: &Device, password: Option<SecretSource>) -> Pjlink {
    Pjlink::new(Config { address: device.address.clone(), password, connect_timeout_ms: 3000 }).unwrap()
}

fn texts(reading: &Reading) -> BTreeMap<&str, String> {
    reading.facts.iter().map(|(fact, value)| (&**fact, value.to_string())).collect()
}

#[tokio::test]
async fn a_class_1_device_is_asked_nothing_of_class_2_and_nothing_it_does_not_know_twice() {
    let device = device("PJLINK 0\r\n", &[("POWR", "1"), ("ERST", "000010"), ("INF1", "LG"), ("NAME", "")]).await;
    let mut probe = probe_of(&device, None);
    let first = probe.probe().await.unwrap();
    assert_eq!(
        texts(&first),
        BTreeMap::from(
            [
                ("pjlink_class", "1"),
                ("power", "on"),
                ("fan", "ok"),
                ("lamp", "ok"),
                ("temperature", "ok"),
                ("cover", "ok"),
                ("filter", "warning"),
                ("hardware", "ok"),
                ("maker", "LG"),
            ]
            .map(|(fact, value)| (fact, value.to_owned()))
        )
    );
    assert!(first.faults.is_empty());
    let all =
        ["%1CLSS ?", "%1POWR ?", "%1ERST ?", "%1INPT ?", "%1AVMT ?", "%1LAMP ?", "%1NAME ?", "%1INF1 ?", "%1INF2 ?"];
    assert_eq!(device.asked.try_iter().collect::<Vec<_>>(), all);

    assert_eq!(probe.probe().await.unwrap(), first);
    assert_eq!(device.asked.try_iter().collect::<Vec<_>>(), ["%1CLSS ?", "%1POWR ?", "%1ERST ?"]);
}

#[tokio::test]
async fn in_standby_what_cannot_be_said_is_absent_and_no_fault_and_texts_are_asked_until_given() {
    let answers = [("CLSS", "2"), ("POWR", "0"), ("INPT", "ERR3"), ("IRES", "ERR3"), ("NAME", "ERR3"), ("INF1", "LG")];
    let device = device("PJLINK 0\r", &answers).await;
    let mut probe = probe_of(&device, None);
    for _ in 0..2 {
        let reading = probe.probe().await.unwrap();
        assert_eq!(reading.facts.keys().map(|fact| &**fact).collect::<Vec<_>>(), ["maker", "pjlink_class", "power"]);
        assert!(reading.faults.is_empty());
        assert!(device.asked.try_iter().any(|query| query == "%1NAME ?"));
    }
}

#[tokio::test]
async fn a_query_that_the_device_answers_with_failure_is_its_fault_code() {
    let device = device("PJLINK 0\r", &[("POWR", "ERR4"), ("ERST", "200000")]).await;
    let reading = probe_of(&device, None).probe().await.unwrap();
    assert_eq!(reading.faults, ["ERR4:POWR".into(), "ERST:fan".into()] as [Box<str>; 2]);
    assert!(!reading.facts.contains_key("power"));
}

#[tokio::test]
async fn a_device_that_cannot_say_its_class_keeps_the_one_it_said() {
    let device = device("PJLINK 0\r", &[("CLSS", "ERR4"), ("POWR", "1"), ("IRES", "-")]).await;
    let mut probe = probe_of(&device, None);
    let never_said = probe.probe().await.unwrap();
    assert_eq!(texts(&never_said), BTreeMap::from([("power", "on".to_owned())]));
    assert_eq!(never_said.faults, ["ERR4:CLSS".into()] as [Box<str>; 1]);
    probe.memory.class = Some(2);
    let said = probe.probe().await.unwrap();
    assert_eq!(said.facts.get("signal"), Some(&FactValue::from("none")));
}

#[tokio::test]
async fn after_a_broken_session_the_device_is_asked_everything_again() {
    let device = device("PJLINK 0\r", &[("POWR", "(close)")]).await;
    let mut probe = probe_of(&device, None);
    let error = probe.probe().await.unwrap_err();
    assert!(matches!(&error, ProbeError::Unreachable(text) if text.contains("POWR")), "{error}");
    assert!(probe.probe().await.is_err());
    assert_eq!(device.asked.try_iter().filter(|query| query == "%1POWR ?").count(), 2);
}

#[tokio::test]
async fn only_the_first_query_carries_the_digest_of_the_password() {
    let device = device("PJLINK 1 498e4a67\r", &[("POWR", "1")]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "JBMIAProjectorLink").unwrap();
    probe_of(&device, Some(SecretSource::File(file.path().into()))).probe().await.unwrap();
    let asked = device.asked.try_iter().collect::<Vec<_>>();
    assert_eq!(asked[0], "5d8409bc1c3fa39749434aa3a5c38682%1CLSS ?");
    assert_eq!(asked[1], "%1POWR ?");
}

#[tokio::test]
async fn a_refused_or_missing_password_is_our_trouble_and_the_message_says_where_to_look() {
    let device = device("PJLINK 1 498e4a67\r", &[("CLSS", "PJLINK ERRA")]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "wrong-word").unwrap();
    let path = file.path().display().to_string();
    let refused = probe_of(&device, Some(SecretSource::File(file.path().into()))).probe().await.unwrap_err();
    assert!(
        matches!(&refused, ProbeError::Own(text) if text.contains(&path) && !text.contains("wrong-word")),
        "{refused}"
    );
    let missing = probe_of(&device, None).probe().await.unwrap_err();
    assert!(matches!(&missing, ProbeError::Own(text) if text.contains("set `password`")), "{missing}");
}

#[rstest]
#[case::web_server("HTTP/1.1 400 Bad Request\r\n")]
#[case::endless_line(&"x".repeat(4096))]
#[tokio::test]
async fn a_peer_that_does_not_speak_pjlink_is_unreachable(#[case] greeting: &str) {
    let device = device(greeting.to_owned().leak(), &[]).await;
    let error = probe_of(&device, None).probe().await.unwrap_err();
    assert!(matches!(error, ProbeError::Unreachable(_)), "{error}");
}

#[rstest]
#[case::unknown_field("address = \"tv\"\npasword = \"x\"")]
#[case::bare_password("address = \"tv\"\npassword = \"x\"")]
#[case::no_address("connect_timeout_ms = 100")]
fn a_configuration_with_a_slip_is_refused(#[case] text: &str) {
    toml::from_str::<Config>(text).unwrap_err();
}

#[test]
fn a_value_that_cannot_be_used_is_refused_by_name() {
    let config: Config = toml::from_str("address = \"tv:0\"").unwrap();
    assert!(Pjlink::new(config).is_err_and(|error| error.to_string().contains("tv:0")));
    let config: Config = toml::from_str("address = \"tv\"\nconnect_timeout_ms = 0").unwrap();
    assert!(Pjlink::new(config).is_err_and(|error| error.to_string().contains("connect_timeout_ms")));
}
