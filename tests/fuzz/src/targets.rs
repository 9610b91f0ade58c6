//! What is done to bytes of others. Each function must end for any bytes: without a panic, soon, and in little memory; and what it
//! reads must be the same when it is written and read again.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use lobby_contract::{
    Birth, Channel, CommandResult, Data, Death, FactValue, FromAgent, Lost, Reach, ToAgent, Topic, encode,
};
use lobby_domain::{
    condition::Sample,
    delivery::Stream,
    label::Lang,
    pack::{BUILT_IN, Pack, hours::HoursConfig},
    site::{Changes, Site},
    time::{Span, Timestamp},
};
use mqtt5_protocol::packet::{FixedHeader, Packet};

/// A target: its name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const ALL: [Target; 9] = [
    ("contract", contract),
    ("topics", topics),
    ("broker", broker),
    ("site", site),
    ("spool", spool),
    ("agent_config", agent_config),
    ("hours", hours),
    ("pack", pack),
    ("condition", condition),
];

const CHANNELS: [Channel; 7] =
    [Channel::Birth, Channel::Data, Channel::Death, Channel::Lost, Channel::Ack, Channel::Command, Channel::Result];

/// Payloads on every channel, from agents and to them.
pub fn contract(bytes: &[u8]) {
    for channel in CHANNELS {
        if let Ok(message) = FromAgent::decode(channel, bytes) {
            same_again(channel, message);
        }
        match ToAgent::decode(channel, bytes) {
            Ok(ToAgent::Ack(ack)) => assert_eq!(ToAgent::decode(channel, &encode(&ack)).ok(), Some(ToAgent::Ack(ack))),
            Ok(ToAgent::Command(command)) => {
                let again = ToAgent::decode(channel, &encode(&command)).ok();
                assert_eq!(again, Some(ToAgent::Command(command)));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn same_again(channel: Channel, message: FromAgent) {
    let written = match &message {
        FromAgent::Birth(birth) => encode::<Birth>(birth),
        FromAgent::Data(data) => encode::<Data>(data),
        FromAgent::Death(death) => encode::<Death>(death),
        FromAgent::Lost(lost) => encode::<Lost>(lost),
        FromAgent::Result(result) => encode::<CommandResult>(result),
    };
    let message = match message {
        // What could not be read is not written.
        FromAgent::Data(data) => FromAgent::Data(Data { refused: Vec::new(), ..data }),
        FromAgent::Birth(birth) => FromAgent::Birth(Birth { refused: Vec::new(), ..birth }),
        // A reason of a later version is kept as that, not word by word.
        FromAgent::Death(_) => return,
        other => other,
    };
    // Small JSON may be longer when written in full.
    if written.len() <= lobby_contract::MAX_PAYLOAD {
        assert_eq!(FromAgent::decode(channel, &written).ok(), Some(message));
    }
}

/// Topics and the names in them.
pub fn topics(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(topic) = text.parse::<Topic>() {
        assert_eq!(topic.to_string(), text);
    }
}

/// What strangers send to the broker's port: packets, the topics and payloads in them.
pub fn broker(bytes: &[u8]) {
    for version in [4, 5] {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Ok(header) = FixedHeader::decode(&mut rest) else { break };
            let Some((mut body, after)) = rest.split_at_checked(header.remaining_length as usize) else { break };
            rest = after;
            let packet = Packet::decode_from_body_with_version(header.packet_type, &header, &mut body, version);
            if let Ok(Packet::Publish(publish)) = packet
                && let Ok(topic) = publish.topic_name.parse::<Topic>()
            {
                let _ = FromAgent::decode(topic.channel, &publish.payload);
            }
        }
    }
}

/// The life of a site: lines of `channel json`, with time passing in between as their lengths say.
pub fn site(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let hours: HoursConfig = toml::from_str("zone = 'Asia/Shanghai'\nopen = '08:30-18:00'").expect("hours of a test");
    let calendar = hours.calendar(&TimeZone::UTC).expect("hours of a test");
    let mut now = Timestamp::from_millis(1_795_140_000_000);
    let mut site = Site::new("s".parse().expect("a name"), calendar, Pack::built_in(), now);
    for line in text.lines().take(64) {
        let mut changes = Changes::default();
        let (word, payload) = line.split_once(' ').unwrap_or((line, ""));
        let agent = if payload.len() % 7 == 6 { "b" } else { "a" }.parse().expect("a name");
        let channel = CHANNELS.iter().find(|channel| channel.as_str() == word).copied().unwrap_or(Channel::Data);
        match FromAgent::decode(channel, payload.as_bytes()) {
            Ok(FromAgent::Birth(birth)) => site.birth(&agent, &birth, now, &mut changes),
            Ok(FromAgent::Data(data)) => site.data(&agent, data, now, &mut changes),
            Ok(FromAgent::Death(death)) => site.death(&agent, &death, now, &mut changes),
            Ok(FromAgent::Lost(lost)) => site.lost(&agent, &lost, now, &mut changes),
            Ok(FromAgent::Result(result)) => site.result(&agent, &result, &mut changes),
            Err(_) if word == "broker" => site.broker_lost(now, &mut changes),
            Err(_) => {}
        }
        now = now + Span::from_secs(u32::try_from(line.len() % 100).unwrap_or(1));
        site.tick(now, &mut changes);
        for agent in site.agents() {
            assert!(agent.streams.values().filter_map(Stream::committed).all(|seq| i64::try_from(seq).is_ok()));
        }
    }
}

/// A file of the agent's spool after a power cut, or after worse.
pub fn spool(bytes: &[u8]) {
    for (_, record) in lobby_agent::salvage(bytes) {
        if let Some(record) = record {
            assert!(!encode(&record).is_empty());
        }
    }
}

/// The agent's configuration.
pub fn agent_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match lobby_agent::config::Config::parse(text, "agent.toml") {
        Ok(config) => assert!(config.check().is_ok(), "what was read is in order"),
        Err(error) => assert!(error.to_string().contains("agent.toml"), "it says where: {error}"),
    }
}

/// Opening hours, as the hub's configuration holds them for each site.
pub fn hours(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(hours) = toml::from_str::<HoursConfig>(text) else { return };
    let Ok(calendar) = hours.calendar(&TimeZone::UTC) else { return };
    for days in 0..30 {
        let _ = calendar.part_of_day(Timestamp::from_millis(1_795_140_000_000 + days * 40_000_000));
    }
}

/// A file of a standards pack, alone and beside those that are built in.
pub fn pack(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    told(Pack::load(&[("own.toml", text)]));
    let mut files = BUILT_IN.to_vec();
    files.push(("own.toml", text));
    told(Pack::load(&files));
}

fn told(read: Result<Pack, lobby_domain::pack::PackErrors>) {
    if let Err(errors) = read {
        let text = errors.to_string();
        assert!(text.contains(".toml:"), "it says where: {text}");
    }
}

const AROUND: [&str; 2] = [
    "\
[clause.C]
reference = { zh = '一', en = 'one' }
asks = { zh = '一', en = 'one' }
[post.engineering]
label = { zh = '工程', en = 'Engineering' }
[kind.machine]
label = { zh = '机', en = 'Machine' }
boards = ['engineering']
fact.jam = { label = { zh = '卡', en = 'Jam' }, bool = true }
fact.left = { label = { zh = '剩', en = 'Left' }, number = { unit = 'pcs' } }
fact.low_at = { label = { zh = '低', en = 'Low' }, number = { unit = 'pcs' } }
fact.power = { label = { zh = '电', en = 'Power' }, words = { on = { zh = '开', en = 'on' }, off = { zh = '关', en = 'off' } } }
[[rule]]
id = 'r'
clauses = ['C']
kinds = ['machine']
when = ",
    "
for = '5s'
recover_for = '10s'
during = 'always'
severity = 'major'
effect = 'failed'
tells = ['engineering']
title = { zh = '坏', en = 'Broken' }
advice = { zh = '修', en = 'Repair' }
",
];

/// The condition of a rule: read, evaluated, and said in words.
pub fn condition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = format!("{}{text}{}", AROUND[0], AROUND[1]);
    let Ok(pack) = Pack::load(&[("own.toml", &file)]) else { return };
    let facts: [(&str, FactValue); 4] =
        [("jam", true.into()), ("left", 3.0.into()), ("low_at", 50.0.into()), ("power", "off".into())];
    let known: BTreeMap<Box<str>, FactValue> = facts.into_iter().map(|(name, value)| (name.into(), value)).collect();
    for kind in pack.kinds.values() {
        for rule in &kind.rules {
            for (reach, facts) in [(Reach::Ok, known.clone()), (Reach::Unreachable, BTreeMap::new())] {
                let sample = Sample { reach, facts, faults: vec!["E1".into()] };
                let (holds, gone) = (rule.when.holds(&sample), rule.when.clearly_not(&sample));
                assert!(
                    !(holds == lobby_domain::condition::Truth::True && gone == lobby_domain::condition::Truth::True),
                    "what holds is not clearly gone"
                );
                let _ = rule.when.explain(&kind.kind, &sample, Lang::Zh);
                let _ = rule.when.explain(&kind.kind, &sample, Lang::En);
            }
        }
    }
}
