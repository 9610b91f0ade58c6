//! What the values of PJLink answers mean, as facts of a display.

use std::collections::BTreeMap;

use lobby_contract::FactValue;

/// Facts and fault codes gathered during one probe.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The facts, by their names in the vocabulary of displays.
    pub(super) facts: BTreeMap<Box<str>, FactValue>,
    /// The device's fault codes.
    pub(super) faults: Vec<Box<str>>,
}

/// The digits of an `ERST` answer: the name of each in fault codes, and its fact.
const PARTS: [(&str, &str); 6] = [
    ("fan", "fan"),
    ("lamp", "lamp"),
    ("temperature", "temperature"),
    ("cover", "cover"),
    ("filter", "filter"),
    ("other", "hardware"),
];

impl Found {
    /// Notes one fact.
    pub(super) fn set(&mut self, fact: &str, value: impl Into<FactValue>) {
        self.facts.insert(fact.into(), value.into());
    }

    /// Notes the value that a device gave for `command`. A value that the protocol does not define is
    /// [`FactValue::Unknown`] where the query has one fact, and left out where it has several.
    pub(super) fn take(&mut self, command: &str, value: &str) {
        match command {
            "POWR" => {
                self.set("power", word(value, &[("0", "standby"), ("1", "on"), ("2", "cooling"), ("3", "warming")]));
            }
            "ERST" => self.errors(value),
            "INPT" => self.set("input", input(value)),
            "AVMT" => self.set("video_mute", video_mute(value)),
            "LAMP" => self.set("lamp_hours", lamp_hours(value)),
            "FILT" => self.set("filter_hours", hours(value).map_or(FactValue::Unknown, FactValue::from)),
            "FREZ" => self.set("freeze", flag(value)),
            "IRES" => self.resolution(value),
            _ => {
                if let Some(fact) = text_fact(command) {
                    self.text(fact, value);
                }
            }
        }
    }

    fn text(&mut self, fact: &str, value: &str) {
        let text = value.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        if !text.is_empty() {
            self.set(fact, text);
        }
    }

    fn errors(&mut self, value: &str) {
        for (digit, (part, fact)) in value.bytes().zip(PARTS) {
            match digit {
                b'0' => self.set(fact, "ok"),
                b'1' => self.set(fact, "warning"),
                b'2' => {
                    self.set(fact, "fault");
                    self.faults.push(format!("ERST:{part}").into());
                }
                _ => self.set(fact, FactValue::Unknown),
            }
        }
    }

    /// A display that is not on has no picture to speak of, whatever it says about its input.
    fn resolution(&mut self, value: &str) {
        let on = self.facts.get("power").is_some_and(|power| *power == FactValue::from("on"));
        match value {
            "-" if on => self.set("signal", "none"),
            "-" | "*" | "" => {}
            _ if is_resolution(value) => {
                self.set("resolution", value.to_ascii_lowercase());
                if on {
                    self.set("signal", "ok");
                }
            }
            _ => self.set("resolution", FactValue::Unknown),
        }
    }
}

/// The fact of a query that answers with a text.
fn text_fact(command: &str) -> Option<&'static str> {
    Some(match command {
        "NAME" => "device_name",
        "INF1" => "maker",
        "INF2" => "model",
        "SNUM" => "serial",
        "SVER" => "firmware",
        _ => return None,
    })
}

fn word(value: &str, words: &[(&str, &str)]) -> FactValue {
    words.iter().find(|(code, _)| *code == value).map_or(FactValue::Unknown, |(_, word)| FactValue::from(*word))
}

fn flag(value: &str) -> FactValue {
    match value {
        "0" => false.into(),
        "1" => true.into(),
        _ => FactValue::Unknown,
    }
}

/// `31` is `digital 1`. The number may be a letter in class 2.
fn input(value: &str) -> FactValue {
    let mut characters = value.chars();
    let (Some(kind), Some(number), None) = (characters.next(), characters.next(), characters.next()) else {
        return FactValue::Unknown;
    };
    let kind = match kind {
        '1' => "rgb",
        '2' => "video",
        '3' => "digital",
        '4' => "storage",
        '5' => "network",
        '6' => "internal",
        _ => return FactValue::Unknown,
    };
    if number.is_ascii_alphanumeric() { format!("{kind} {number}").into() } else { FactValue::Unknown }
}

/// Audio alone (`21`) does not darken the picture.
fn video_mute(value: &str) -> FactValue {
    match value {
        "11" | "31" => true.into(),
        "10" | "30" | "20" | "21" => false.into(),
        _ => FactValue::Unknown,
    }
}

fn hours(value: &str) -> Option<f64> {
    value.parse::<u32>().ok().map(f64::from)
}

/// The hours of the oldest lamp: that is the one to be replaced next.
fn lamp_hours(value: &str) -> FactValue {
    let numbers = value.split_ascii_whitespace().collect::<Vec<_>>();
    if numbers.is_empty() || numbers.len() % 2 == 1 {
        return FactValue::Unknown;
    }
    let lamps = numbers.chunks(2).map(|pair| hours(pair[0])).collect::<Option<Vec<_>>>();
    lamps.map_or(FactValue::Unknown, |lamps| lamps.into_iter().fold(0.0, f64::max).into())
}

fn is_resolution(value: &str) -> bool {
    let number = |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    value.split_once(['x', 'X']).is_some_and(|(width, height)| number(width) && number(height))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn found(answers: &[(&str, &str)]) -> Found {
        let mut found = Found::default();
        for (command, value) in answers {
            found.take(command, value);
        }
        found
    }

    #[rstest]
    #[case::standby("POWR", "0", "power", "standby".into())]
    #[case::on("POWR", "1", "power", "on".into())]
    #[case::cooling("POWR", "2", "power", "cooling".into())]
    #[case::warming("POWR", "3", "power", "warming".into())]
    #[case::other_power("POWR", "7", "power", FactValue::Unknown)]
    #[case::digital("INPT", "31", "input", "digital 1".into())]
    #[case::class_2_input("INPT", "5A", "input", "network A".into())]
    #[case::no_input("INPT", "9", "input", FactValue::Unknown)]
    #[case::black("AVMT", "11", "video_mute", true.into())]
    #[case::black_and_silent("AVMT", "31", "video_mute", true.into())]
    #[case::silent_only("AVMT", "21", "video_mute", false.into())]
    #[case::shown("AVMT", "30", "video_mute", false.into())]
    #[case::one_lamp("LAMP", "1200 1", "lamp_hours", 1200.0.into())]
    #[case::two_lamps("LAMP", "900 0 1200 1", "lamp_hours", 1200.0.into())]
    #[case::half_a_pair("LAMP", "1200", "lamp_hours", FactValue::Unknown)]
    #[case::filter("FILT", "300", "filter_hours", 300.0.into())]
    #[case::frozen("FREZ", "1", "freeze", true.into())]
    #[case::name("NAME", " 大堂投影 ", "device_name", "大堂投影".into())]
    #[case::maker("INF1", "EPSON", "maker", "EPSON".into())]
    fn a_value_becomes_its_fact(
        #[case] command: &str,
        #[case] value: &str,
        #[case] fact: &str,
        #[case] expected: FactValue,
    ) {
        let found = found(&[(command, value)]);
        assert_eq!(found.facts, BTreeMap::from([(fact.into(), expected)]));
        assert_eq!(found.faults, Vec::<Box<str>>::new());
    }

    #[test]
    fn an_empty_text_is_no_fact() {
        assert_eq!(found(&[("NAME", ""), ("INF1", " ")]), Found::default());
    }

    #[test]
    fn each_error_digit_is_a_fact_and_only_a_two_is_a_fault_code() {
        let found = found(&[("ERST", "210902")]);
        let words =
            ["fan", "lamp", "temperature", "cover", "filter", "hardware"].map(|fact| found.facts[fact].to_string());
        assert_eq!(words, ["fault", "warning", "ok", "unknown", "ok", "fault"]);
        assert_eq!(found.faults, ["ERST:fan".into(), "ERST:other".into()] as [Box<str>; 2]);
    }

    #[rstest]
    #[case::picture("1", "1920x1080", Some("ok"), Some("1920x1080"))]
    #[case::dark("1", "-", Some("none"), None)]
    #[case::cannot_tell("1", "*", None, None)]
    #[case::warming("3", "1920x1080", None, Some("1920x1080"))]
    #[case::standby("0", "-", None, None)]
    fn a_signal_is_reported_only_of_a_display_that_is_on(
        #[case] power: &str,
        #[case] resolution: &str,
        #[case] signal: Option<&str>,
        #[case] shown: Option<&str>,
    ) {
        let found = found(&[("POWR", power), ("IRES", resolution)]);
        assert_eq!(found.facts.get("signal").cloned(), signal.map(FactValue::from));
        assert_eq!(found.facts.get("resolution").cloned(), shown.map(FactValue::from));
    }

    proptest! {
        #[test]
        fn any_value_of_any_query_is_taken(command in "POWR|ERST|INPT|AVMT|LAMP|FILT|FREZ|IRES|NAME|XXXX", value in "\\PC{0,128}") {
            let found = found(&[("POWR", "1"), (&command, &value)]);
            prop_assert!(found.facts.len() <= 7 && found.faults.len() <= 6);
        }
    }
}
