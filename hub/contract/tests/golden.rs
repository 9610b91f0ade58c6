//! Every message of version 1 as a golden file: it decodes for ever, and reads back as it was written.

use std::{fs, path::Path};

use lobby_contract::{Channel, DecodeError, FromAgent, HubState, MAX_PAYLOAD, ToAgent, encode};
use proptest::prelude::*;
use rstest::rstest;
use serde::Serialize;
use serde_json::Value;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn same_json(written: &impl Serialize, golden: &[u8]) {
    let written: Value = serde_json::from_slice(&encode(written)).expect("what we write is JSON");
    let golden: Value = serde_json::from_slice(golden).expect("a golden file is JSON");
    assert_eq!(numbers_as_floats(written), numbers_as_floats(golden));
}

/// JSON has one kind of number; `42` and `42.0` are the same fact.
fn numbers_as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => items.into_iter().map(numbers_as_floats).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, numbers_as_floats(value))).collect(),
        other => other,
    }
}

#[rstest]
#[case("birth.json", Channel::Birth)]
#[case("birth-unsaved.json", Channel::Birth)]
#[case("data.json", Channel::Data)]
#[case("data-oldest.json", Channel::Data)]
#[case("death.json", Channel::Death)]
#[case("death-stopping.json", Channel::Death)]
#[case("lost.json", Channel::Lost)]
#[case("result-ok.json", Channel::Result)]
#[case("result-error.json", Channel::Result)]
fn a_message_of_an_agent_reads_back_as_written(#[case] name: &str, #[case] channel: Channel) {
    let golden = fixture(name);
    match FromAgent::decode(channel, &golden).expect(name) {
        FromAgent::Birth(message) => same_json(&message, &golden),
        FromAgent::Data(message) => {
            assert_eq!(message.refused, []);
            same_json(&message, &golden);
        }
        FromAgent::Death(message) => same_json(&message, &golden),
        FromAgent::Lost(message) => same_json(&message, &golden),
        FromAgent::Result(message) => same_json(&message, &golden),
    }
}

#[rstest]
#[case("ack.json", Channel::Ack)]
#[case("command-rebirth.json", Channel::Command)]
#[case("command-resend.json", Channel::Command)]
#[case("command-probe.json", Channel::Command)]
fn a_message_of_the_hub_reads_back_as_written(#[case] name: &str, #[case] channel: Channel) {
    let golden = fixture(name);
    match ToAgent::decode(channel, &golden).expect(name) {
        ToAgent::Ack(message) => same_json(&message, &golden),
        ToAgent::Command(message) => same_json(&message, &golden),
    }
}

#[test]
fn the_hubs_own_state_reads_back_as_written() {
    let golden = fixture("hub.json");
    same_json(&serde_json::from_slice::<HubState>(&golden).expect("hub.json"), &golden);
}

#[test]
fn every_golden_file_is_tested() {
    let named = include_str!("golden.rs");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/v1")).expect("the folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("an ASCII name");
        assert!(named.contains(&format!("\"{name}\"")), "{name} has no test");
    }
}

#[test]
fn fields_of_a_later_minor_version_are_ignored() {
    let payload = br#"{"epoch":1,"session":1,"reason":"evicted","by":"x"}"#;
    assert!(matches!(FromAgent::decode(Channel::Death, payload), Ok(FromAgent::Death(_))));
}

#[test]
fn one_bad_record_does_not_cost_its_neighbours() {
    let payload = br#"{"epoch":1,"session":1,"sent_at":5,"records":[
        {"seq":1,"at":5,"device":"tv","reach":"ok"},
        {"seq":2,"at":5,"device":"TV","reach":"ok"},
        {"seq":0,"at":5,"device":"tv","reach":"ok"},
        17]}"#;
    let Ok(FromAgent::Data(data)) = FromAgent::decode(Channel::Data, payload) else { panic!("the message stands") };
    assert_eq!(data.records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1]);
    let refused: Vec<_> = data.refused.iter().map(|refused| (refused.index, refused.seq)).collect();
    assert_eq!(refused, [(1, Some(2)), (2, None), (3, None)]);
    assert!(data.refused[0].reason.contains("`T` at position 1"), "{}", data.refused[0].reason);
}

#[test]
fn one_bad_device_does_not_cost_the_others() {
    let payload = br#"{"epoch":1,"session":1,"sent_at":5,"agent":{"version":"1"},"devices":[
        {"id":"Bad_Id","kind":"tv","every_ms":5},
        {"id":"tv","kind":"tv","every_ms":5},
        {"id":"tv-2","kind":"tv","name":"a\u0000b","every_ms":5},
        17]}"#;
    let Ok(FromAgent::Birth(birth)) = FromAgent::decode(Channel::Birth, payload) else { panic!("the message stands") };
    assert_eq!(birth.devices.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(), ["tv"]);
    assert_eq!(birth.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [0, 2, 3]);
    assert!(birth.refused[0].reason.contains("`B` at position 1"), "{}", birth.refused[0].reason);
}

#[rstest]
#[case::seq(r#"{"seq":9007199254740992,"at":5,"device":"tv","reach":"ok"}"#)]
#[case::beyond_64_bits(r#"{"seq":18446744073709551616,"at":5,"device":"tv","reach":"ok"}"#)]
fn a_number_that_readers_of_json_do_not_know_exactly_is_no_seq(#[case] record: &str) {
    let payload = format!(r#"{{"epoch":1,"session":1,"sent_at":5,"records":[{record}]}}"#);
    let Ok(FromAgent::Data(data)) = FromAgent::decode(Channel::Data, payload.as_bytes()) else { panic!("it stands") };
    assert_eq!((data.records.len(), data.refused[0].seq), (0, None));
}

#[rstest]
#[case(Channel::Lost, r#"{"epoch":1,"from":1,"to":9007199254740992}"#)]
#[case(Channel::Lost, r#"{"epoch":9007199254740992,"from":1,"to":2}"#)]
#[case(Channel::Data, r#"{"epoch":1,"session":1,"sent_at":5,"oldest":0,"records":[]}"#)]
#[case(Channel::Data, r#"{"epoch":1,"session":1,"sent_at":5,"oldest":9007199254740993,"records":[]}"#)]
#[case(Channel::Death, r#"{"epoch":9007199254740992,"session":1,"reason":"lost"}"#)]
fn a_number_that_no_agent_comes_to_is_refused(#[case] channel: Channel, #[case] payload: &str) {
    assert!(matches!(FromAgent::decode(channel, payload.as_bytes()), Err(DecodeError::Bounds(_))));
}

#[rstest]
#[case(Channel::Birth, r#"{"epoch":1,"session":1,"sent_at":5,"agent":{"version":"\u0000"},"devices":[]}"#)]
fn a_text_with_the_character_nul_is_refused(#[case] channel: Channel, #[case] payload: &str) {
    assert!(matches!(FromAgent::decode(channel, payload.as_bytes()), Err(DecodeError::Bounds(_))));
}

#[test]
fn an_oversized_payload_is_refused_unread() {
    let payload = vec![b' '; MAX_PAYLOAD + 1];
    assert!(matches!(FromAgent::decode(Channel::Data, &payload), Err(DecodeError::TooLarge(_))));
}

#[test]
fn an_error_says_line_and_column() {
    let error = FromAgent::decode(Channel::Lost, b"{\"epoch\":1,\n\"from\":\"x\"}").expect_err("not a lost message");
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(source.contains("line 2 column"), "{source}");
}

fn channel() -> impl Strategy<Value = Channel> {
    prop::sample::select(Channel::ALL.to_vec())
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(channel in channel(), payload in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = FromAgent::decode(channel, &payload);
        let _ = ToAgent::decode(channel, &payload);
    }

    #[test]
    fn any_mutation_of_a_golden_message_decodes_or_is_refused(
        name in prop::sample::select(vec!["birth.json", "data.json", "lost.json", "command-resend.json"]),
        channel in channel(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = fixture(name);
        let place = at.index(payload.len());
        payload[place] = byte;
        let _ = FromAgent::decode(channel, &payload);
        payload.truncate(cut.index(payload.len()));
        let _ = FromAgent::decode(channel, &payload);
        let _ = ToAgent::decode(channel, &payload);
    }
}
