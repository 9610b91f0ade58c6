//! Report by exception: which readings become records, and how a reading is bounded to what a record may hold.

use std::collections::BTreeMap;

use lobby_contract::{FactValue, Reach};
use tokio::time::Instant;

use crate::{config::Device, probe::Reading};

/// Most facts of a record, and most of its faults.
const MAX_FACTS: usize = 128;
const MAX_FAULTS: usize = 64;
/// Longest text in a record, in bytes.
const MAX_TEXT: usize = 1024;
/// Most bytes of all texts of a record: several records must fit into one message.
const MAX_TOTAL: usize = 16 * 1024;

/// Remembers what was last sent of one device.
#[derive(Debug, Default)]
pub struct Reporter {
    sent: Option<(Instant, Reading)>,
}

impl Reporter {
    /// Whether `reading` is to be sent: it differs from what was sent, or the heartbeat would otherwise be missed.
    pub fn is_due(&self, device: &Device, reading: &Reading, now: Instant) -> bool {
        let Some((at, sent)) = &self.sent else { return true };
        // The next chance comes one probe later. A tenth of it allows for ticks that are not exact.
        let slack = device.every / 10;
        now.duration_since(*at) + device.every > device.heartbeat + slack || differs(sent, reading, &device.dead_band)
    }

    /// Remembers that `reading` was sent.
    pub fn sent(&mut self, reading: Reading, now: Instant) {
        self.sent = Some((now, reading));
    }
}

fn differs(sent: &Reading, now: &Reading, dead_band: &BTreeMap<Box<str>, f64>) -> bool {
    if sent.reach != now.reach || sent.faults != now.faults || sent.facts.len() != now.facts.len() {
        return true;
    }
    // Maps of one length with the same keys in the same order have the same keys.
    sent.facts.iter().zip(&now.facts).any(|((was_name, was), (name, is))| match (was, is) {
        _ if was_name != name => true,
        (FactValue::Number(was), FactValue::Number(is)) => {
            (is - was).abs() > dead_band.get(name).copied().unwrap_or(0.0)
        }
        _ => was != is,
    })
}

/// `reading` with the device's constants, and within what the wire accepts. What the device says of itself goes before a constant
/// of the same name.
pub fn complete(reading: Reading, constants: &BTreeMap<Box<str>, FactValue>) -> Reading {
    let Reading { reach, facts, faults } = reading;
    // Constants first, so that they are not what is cut; then the device's own words over them.
    let mut room = MAX_TOTAL;
    let mut kept = constants.clone();
    for (name, value) in facts {
        let value = match value {
            FactValue::Text(text) => FactValue::Text(cut(text)),
            FactValue::Number(number) => FactValue::from(number),
            other => other,
        };
        let text = if let FactValue::Text(text) = &value { size(text) } else { 0 };
        let is_new = !kept.contains_key(&name);
        if name.len() > MAX_TEXT
            || name.contains('\0')
            || size(&name) + text > room
            || (is_new && kept.len() == MAX_FACTS)
        {
            continue;
        }
        room -= size(&name) + text;
        kept.insert(name, value);
    }
    let mut faults: Vec<Box<str>> = faults.into_iter().take(MAX_FAULTS).map(cut).collect();
    faults.retain(|code| {
        let fits = size(code) <= room;
        room = room.saturating_sub(size(code));
        fits
    });
    Reading { reach, facts: kept, faults }
}

/// The reading of a device of which only the reach is known.
pub fn only(reach: Reach) -> Reading {
    Reading { reach, facts: BTreeMap::new(), faults: Vec::new() }
}

/// Bytes of a text in JSON.
fn size(text: &str) -> usize {
    text.chars().map(|c| if c.is_control() { 6 } else { c.len_utf8().max(2) }).sum()
}

/// A text within the limit, and without NUL, which the wire does not carry.
fn cut(text: Box<str>) -> Box<str> {
    let text = if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text };
    if text.len() <= MAX_TEXT { text } else { text[..text.floor_char_boundary(MAX_TEXT)].into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lobby_contract::{Channel, Data, FromAgent, Record, encode};
    use proptest::{collection, prelude::*};
    use rstest::rstest;

    use super::*;
    use crate::config::Config;

    fn device() -> Device {
        let text = r#"
            agent = { site = "demo", id = "box" }
            [[device]]
            id = "led"
            kind = "led-display"
            every = "10s"
            heartbeat = "30s"
            dead_band = { temperature_c = 0.5 }
            probe = { type = "tcp", address = "127.0.0.1" }
        "#;
        Config::parse(text, "test").unwrap().devices.remove(0)
    }

    fn reading(facts: &[(&str, FactValue)], faults: &[&str]) -> Reading {
        Reading {
            reach: Reach::Ok,
            facts: facts.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            faults: faults.iter().map(|code| (*code).into()).collect(),
        }
    }

    fn usual() -> Reading {
        reading(&[("power", "on".into()), ("temperature_c", 40.0.into()), ("lamp_hours", 7.0.into())], &[])
    }

    #[rstest]
    #[case::the_same(usual(), false)]
    #[case::within_the_dead_band(reading(&[("power", "on".into()), ("temperature_c", 40.5.into()), ("lamp_hours", 7.0.into())], &[]), false)]
    #[case::beyond_the_dead_band(reading(&[("power", "on".into()), ("temperature_c", 39.4.into()), ("lamp_hours", 7.0.into())], &[]), true)]
    #[case::no_dead_band(reading(&[("power", "on".into()), ("temperature_c", 40.0.into()), ("lamp_hours", 7.1.into())], &[]), true)]
    #[case::another_word(reading(&[("power", "off".into()), ("temperature_c", 40.0.into()), ("lamp_hours", 7.0.into())], &[]), true)]
    #[case::a_fact_less(reading(&[("power", "on".into()), ("temperature_c", 40.0.into())], &[]), true)]
    #[case::another_fact(reading(&[("power", "on".into()), ("temperature_c", 40.0.into()), ("fan", 7.0.into())], &[]), true)]
    #[case::a_fault(reading(&[("power", "on".into()), ("temperature_c", 40.0.into()), ("lamp_hours", 7.0.into())], &["ERST:fan"]), true)]
    #[case::unreachable(Reading { reach: Reach::Unreachable, ..usual() }, true)]
    fn a_change_is_reported_at_once_and_no_change_is_not(#[case] next: Reading, #[case] due: bool) {
        let now = Instant::now();
        let mut reporter = Reporter::default();
        assert!(reporter.is_due(&device(), &usual(), now), "the first reading is always reported");
        reporter.sent(usual(), now);
        assert_eq!(reporter.is_due(&device(), &next, now + Duration::from_secs(10)), due);
    }

    #[test]
    fn a_slow_drift_is_reported_when_it_has_left_the_dead_band() {
        let now = Instant::now();
        let mut reporter = Reporter::default();
        reporter.sent(reading(&[("temperature_c", 40.0.into())], &[]), now);
        let due: Vec<bool> = [40.3, 40.6]
            .map(|celsius| reporter.is_due(&device(), &reading(&[("temperature_c", celsius.into())], &[]), now))
            .into();
        assert_eq!(due, [false, true]);
    }

    #[rstest]
    #[case(10_000, false)]
    #[case(20_500, false)]
    #[case(29_900, true)]
    #[case(30_100, true)]
    fn the_heartbeat_is_kept_although_ticks_are_not_exact(#[case] after_ms: u64, #[case] due: bool) {
        let now = Instant::now();
        let mut reporter = Reporter::default();
        reporter.sent(usual(), now);
        assert_eq!(reporter.is_due(&device(), &usual(), now + Duration::from_millis(after_ms)), due);
    }

    #[test]
    fn constants_are_sent_with_every_record_and_the_device_has_the_last_word() {
        let constants = BTreeMap::from([("capacity".into(), 500.0.into()), ("power".into(), "off".into())]);
        let complete = complete(usual(), &constants);
        assert_eq!(complete.facts.get("capacity"), Some(&FactValue::Number(500.0)));
        assert_eq!(complete.facts.get("power"), Some(&FactValue::from("on")));
    }

    proptest! {
        #[test]
        fn whatever_a_device_says_fits_into_a_message_of_the_contract(
            facts in collection::vec((any::<char>(), 0_usize..3000), 0..200),
            faults in collection::vec((any::<char>(), 0_usize..3000), 0..100),
        ) {
            let text = |(letter, count): (char, usize)| letter.to_string().repeat(count);
            let mut facts: BTreeMap<Box<str>, FactValue> =
                facts.into_iter().enumerate().map(|(n, of)| (format!("fact {n}").into(), text(of).into())).collect();
            facts.insert("nan".into(), FactValue::Number(f64::NAN));
            let faults = faults.into_iter().map(|of| text(of).into()).collect();
            let Reading { reach, facts, faults } = complete(Reading { reach: Reach::Ok, facts, faults }, &BTreeMap::new());
            let device = "led".parse().unwrap();
            let records = vec![Record { seq: 1, at: 1, device, reach, facts, faults }];
            let data = Data { epoch: 1, session: 1, sent_at: 1, oldest: None, records, refused: Vec::new() };
            let payload = encode(&data);
            prop_assert!(payload.len() < 20 * 1024, "{} bytes", payload.len());
            let read = FromAgent::decode(Channel::Data, &payload).unwrap();
            let FromAgent::Data(read) = read else { panic!("not data") };
            prop_assert_eq!(read.refused, []);
        }
    }
}
