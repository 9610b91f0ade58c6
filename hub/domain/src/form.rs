//! What a record says, in few bytes. Its names and words are much the same from one record to the next: they make up its *form*, which is
//! stored once for all records alike. What is measured (numbers, and texts that are not words) stands with the record.
//!
//! A form is JSON, `[{"power":"on","temperature_c":0,"firmware":""},["F1"]]`, where each number and each empty text is a place to be
//! filled by the record's measured values, in the order of the names. A form that is an object, `{"facts":…,"faults":…}`, has no such
//! places: records of earlier versions were taken over so.

use std::collections::BTreeMap;

use lobby_contract::FactValue;
use serde::Deserialize;

/// Longest text that counts as a word.
const WORD: usize = 32;
/// Number of decimal places that are worth trying, by their factors.
const PLACES: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// Stands in the place of a count of decimal places where a number follows as it is.
const AS_IT_IS: u64 = 7;
/// Whole numbers above this are not exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A record's facts.
pub type Facts = BTreeMap<Box<str>, FactValue>;
/// A record's own fault codes.
pub type Faults = Vec<Box<str>>;

/// A form, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    text: Box<str>,
    facts: Facts,
    faults: Faults,
    literal: bool,
}

/// Why a stored record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The form is not JSON of its two shapes.
    #[error("its form cannot be read: {0}")]
    Form(#[source] serde_json::Error),
    /// The measured values do not fill the form.
    #[error("its measured values end too early, or are not such values")]
    Measured,
}

#[derive(Deserialize)]
struct Literal {
    facts: Facts,
    faults: Faults,
}

/// Writes the form of a record to `form` and its measured values to `measured`, after what is there already.
pub fn write(facts: &Facts, faults: &[Box<str>], form: &mut String, measured: &mut Vec<u8>) {
    form.push_str("[{");
    for (index, (name, value)) in facts.iter().enumerate() {
        if index > 0 {
            form.push(',');
        }
        write_text(name, form);
        form.push(':');
        match value {
            FactValue::Unknown => form.push_str("null"),
            FactValue::Bool(true) => form.push_str("true"),
            FactValue::Bool(false) => form.push_str("false"),
            FactValue::Number(number) => {
                form.push('0');
                write_number(*number, measured);
            }
            FactValue::Text(text) => write_word(text, form, measured),
        }
    }
    form.push_str("},[");
    for (index, code) in faults.iter().enumerate() {
        if index > 0 {
            form.push(',');
        }
        write_word(code, form, measured);
    }
    form.push_str("]]");
}

impl Form {
    /// Reads a form.
    pub fn read(text: &str) -> Result<Self, FormError> {
        if text.starts_with('[') {
            let (facts, faults) = serde_json::from_str(text).map_err(FormError::Form)?;
            return Ok(Self { text: text.into(), facts, faults, literal: false });
        }
        let Literal { facts, faults } = serde_json::from_str(text).map_err(FormError::Form)?;
        Ok(Self { text: text.into(), facts, faults, literal: true })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a record of this form states anything but that it does not know.
    pub fn says_something(&self) -> bool {
        self.facts.values().any(|value| *value != FactValue::Unknown)
    }

    /// One fact of a record of this form.
    pub fn fact(&self, name: &str, mut measured: &[u8]) -> Result<Option<FactValue>, FormError> {
        for (known, value) in &self.facts {
            let stated = self.stated(value, &mut measured)?;
            if **known == *name {
                return Ok(Some(stated));
            }
        }
        Ok(None)
    }

    /// A value with what is measured in its place.
    fn stated(&self, value: &FactValue, measured: &mut &[u8]) -> Result<FactValue, FormError> {
        let filled = match value {
            _ if self.literal => None,
            FactValue::Number(_) => Some(read_number(measured).map(FactValue::Number)),
            FactValue::Text(text) if text.is_empty() => Some(read_text(measured).map(FactValue::Text)),
            _ => None,
        };
        filled.map_or_else(|| Ok(value.clone()), |filled| filled.ok_or(FormError::Measured))
    }

    /// The facts and fault codes of a record of this form.
    pub fn fill(&self, mut measured: &[u8]) -> Result<(Facts, Faults), FormError> {
        let (mut facts, mut faults) = (self.facts.clone(), self.faults.clone());
        if self.literal {
            return Ok((facts, faults));
        }
        for value in facts.values_mut() {
            if matches!(value, FactValue::Number(_)) || matches!(value, FactValue::Text(text) if text.is_empty()) {
                *value = self.stated(value, &mut measured)?;
            }
        }
        for code in faults.iter_mut().filter(|code| code.is_empty()) {
            *code = read_text(&mut measured).ok_or(FormError::Measured)?;
        }
        Ok((facts, faults))
    }
}

/// A text as JSON.
fn write_text(text: &str, form: &mut String) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        form.push('"');
        form.push_str(text);
        form.push('"');
    } else {
        form.push_str(&serde_json::to_string(text).expect("any text is JSON"));
    }
}

fn write_word(text: &str, form: &mut String, measured: &mut Vec<u8>) {
    if is_word(text) {
        form.push('"');
        form.push_str(text);
        form.push('"');
    } else {
        form.push_str("\"\"");
        write_varint(text.len() as u64, measured);
        measured.extend_from_slice(text.as_bytes());
    }
}

/// Whether a text is one of a few: a word, or one with a small number, such as `digital 1`. What equipment states freely, such as a serial
/// number or a time, would make a form of its own of each record.
fn is_word(text: &str) -> bool {
    let word = match text.split_once(' ') {
        Some((word, number)) if matches!(number.len(), 1 | 2) && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            word
        }
        Some(_) => return false,
        None => text,
    };
    let begins = word.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    let goes_on = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    begins && text.len() <= WORD && word.bytes().all(goes_on)
}

/// A number as a whole number with its decimal places where that is exact, such as 41.5 in two bytes; else as it is.
fn write_number(number: f64, measured: &mut Vec<u8>) {
    for (places, factor) in (0..).zip(PLACES) {
        let whole = (number * factor).round();
        if whole.abs() >= EXACT {
            break;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within what is exact")]
        let whole = whole as i64;
        if decimal(whole, factor).to_bits() == number.to_bits() {
            let zigzag = ((whole << 1) ^ (whole >> 63)).cast_unsigned();
            return write_varint(zigzag << 3 | places, measured);
        }
    }
    write_varint(AS_IT_IS, measured);
    measured.extend_from_slice(&number.to_le_bytes());
}

#[expect(clippy::cast_precision_loss, reason = "only whole numbers that are exact are written")]
fn decimal(whole: i64, factor: f64) -> f64 {
    whole as f64 / factor
}

fn read_number(measured: &mut &[u8]) -> Option<f64> {
    let code = read_varint(measured)?;
    let number = match code & 7 {
        AS_IT_IS => f64::from_le_bytes(measured.split_off(..8)?.try_into().ok()?),
        places => {
            let zigzag = code >> 3;
            let whole = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            decimal(whole, *PLACES.get(usize::try_from(places).ok()?)?)
        }
    };
    number.is_finite().then_some(number)
}

fn read_text(measured: &mut &[u8]) -> Option<Box<str>> {
    let length = usize::try_from(read_varint(measured)?).ok()?;
    std::str::from_utf8(measured.split_off(..length)?).ok().map(Into::into)
}

fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits fit into a byte") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits fit into a byte"));
}

fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *from.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(facts: &Facts, faults: &[Box<str>]) -> (String, Vec<u8>) {
        let (mut form, mut measured) = (String::new(), Vec::new());
        write(facts, faults, &mut form, &mut measured);
        (form, measured)
    }

    #[test]
    fn records_that_differ_in_what_is_measured_alone_share_their_form() {
        let facts = |celsius: f64, serial: &str| {
            let facts = [("power", "on".into()), ("serial", serial.into()), ("temperature_c", celsius.into())];
            facts.map(|(name, value)| (name.into(), value)).into()
        };
        let (form, measured) = written(&facts(41.5, "A-1"), &[]);
        assert_eq!(form, r#"[{"power":"on","serial":"","temperature_c":0},[]]"#);
        assert_eq!(measured.len(), 4 + 2, "a text of three letters and a number of three digits");
        assert_eq!(written(&facts(-0.25, "B-2"), &[]).0, form);
    }

    #[test]
    fn a_word_with_a_small_number_belongs_to_the_form_and_free_text_does_not() {
        let form = |text: &str| written(&[("input".into(), text.into())].into(), &[]).0;
        assert_eq!(form("digital 1"), r#"[{"input":"digital 1"},[]]"#);
        for free in ["up 123", "up 3 days", "digital ", " 1", "Digital 1", "digital x", "digital  1"] {
            assert_eq!(form(free), r#"[{"input":""},[]]"#, "{free}");
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_reads_as_it_was_stored() {
        let form = Form::read(r#"{"facts":{"lamp":"on","n":7,"t":""},"faults":["F1"]}"#).unwrap();
        let (facts, faults) = form.fill(&[]).unwrap();
        assert_eq!((facts["n"].clone(), facts["t"].clone(), &*faults[0]), (7.0.into(), "".into(), "F1"));
    }

    #[test]
    fn a_record_with_too_few_measured_values_is_refused() {
        let form = Form::read(r#"[{"n":0},[]]"#).unwrap();
        assert!(matches!(form.fill(&[]), Err(FormError::Measured)));
        assert!(matches!(form.fill(&[7, 1, 2]), Err(FormError::Measured)));
    }

    fn any_value() -> impl Strategy<Value = FactValue> {
        prop_oneof![
            Just(FactValue::Unknown),
            any::<bool>().prop_map(FactValue::Bool),
            any::<f64>().prop_map(FactValue::from),
            (-100_000_i32..100_000).prop_map(|tenths| FactValue::from(f64::from(tenths) / 10.0)),
            Just(FactValue::Number(-0.0)),
            any::<i64>().prop_map(|whole| FactValue::from(decimal(whole, 1.0))),
            "[a-z0-9_-]{0,40}".prop_map(FactValue::from),
            any::<String>().prop_map(FactValue::from),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_record_says_reads_back_to_the_last_bit(
            facts in prop::collection::btree_map("[a-z\"\\\\\n界]{0,8}".prop_map(Box::<str>::from), any_value(), 0..12),
            faults in prop::collection::vec(any::<String>().prop_map(Box::<str>::from), 0..4),
        ) {
            let (form, measured) = written(&facts, &faults);
            let (read, read_faults) = Form::read(&form).unwrap().fill(&measured).unwrap();
            prop_assert_eq!(&read_faults, &faults);
            let bits = |facts: &Facts| facts.iter().map(|(name, value)| match value {
                FactValue::Number(number) => format!("{name} {}", number.to_bits()),
                other => format!("{name} {other:?}"),
            }).collect::<Vec<_>>();
            prop_assert_eq!(bits(&read), bits(&facts));
        }

        #[test]
        fn any_bytes_are_values_or_a_refusal(measured in prop::collection::vec(any::<u8>(), 0..40)) {
            let form = Form::read(r#"[{"a":0,"b":"","c":0},["",""]]"#).unwrap();
            if let Ok((facts, faults)) = form.fill(&measured) {
                prop_assert_eq!((facts.len(), faults.len()), (3, 2));
            }
        }
    }
}
