//! One register of a device: where it stands, and how its bits become a fact.

use std::collections::BTreeMap;

use lobby_contract::FactValue;
use serde::Deserialize;

use super::{
    counter::{Counter, CounterConfig},
    plan::Extent,
};

/// Longest name of a fact, in bytes.
const MAX_NAME: usize = 64;
/// Most decimals a value may be rounded to.
const MAX_DECIMALS: u8 = 9;

/// One value to read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The fact it becomes.
    pub fact: Box<str>,
    /// How it is read: `coil`, `discrete`, `holding` or `input`, or the number of the function, 1 to 4.
    pub function: Function,
    /// Its address, counted from 0: `40001` of a manual is `holding` 0, `30001` is `input` 0.
    pub address: u16,
    /// How many registers it takes; follows from `type`, and is only compared with it.
    #[serde(default)]
    pub count: Option<u16>,
    /// What the registers hold; `bit` for coils and discrete inputs, `u16` for the others if not given.
    #[serde(default, rename = "type")]
    pub kind: Option<Kind>,
    /// Which register of a value of several comes first; `high-first` if not given.
    #[serde(default)]
    pub word_order: WordOrder,
    /// The bit of a register that is meant, from 0, the lowest; makes it a `bit`.
    #[serde(default)]
    pub bit: Option<u8>,
    /// Turns a bit around, for a contact that opens when something happens.
    #[serde(default)]
    pub invert: bool,
    /// What a number is multiplied by, such as 1000 from kW to W.
    #[serde(default = "one")]
    pub scale: f64,
    /// What is added to a number after scaling.
    #[serde(default)]
    pub offset: f64,
    /// How many decimals a number is rounded to; not rounded if not given.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// Makes a counter of it, which goes on growing when the register wraps; see [`CounterConfig`].
    #[serde(default)]
    pub counter: Option<CounterConfig>,
    /// What each value means, such as `{ "0" = "ok", "1" = "jam" }`; a value that is not in it is unknown.
    #[serde(default)]
    pub map: BTreeMap<Box<str>, Box<str>>,
    /// Whether a value other than 0 also adds the name of the fact to the device's fault codes.
    #[serde(default)]
    pub fault_code: bool,
}

fn one() -> f64 {
    1.0
}

/// Which of the four tables of a device a register stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "FunctionName")]
pub enum Function {
    /// Function 1: outputs of one bit.
    Coil,
    /// Function 2: inputs of one bit.
    Discrete,
    /// Function 3: registers of 16 bits that can be written.
    Holding,
    /// Function 4: registers of 16 bits that can only be read.
    Input,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FunctionName {
    Number(u8),
    Word(String),
}

impl TryFrom<FunctionName> for Function {
    type Error = String;

    fn try_from(name: FunctionName) -> Result<Self, String> {
        let name = match name {
            FunctionName::Number(number) => number.to_string(),
            FunctionName::Word(word) => word,
        };
        Ok(match name.as_str() {
            "1" | "coil" => Self::Coil,
            "2" | "discrete" => Self::Discrete,
            "3" | "holding" => Self::Holding,
            "4" | "input" => Self::Input,
            _ => return Err(format!("`{name}` is no function: use coil, discrete, holding, input, or 1 to 4")),
        })
    }
}

impl Function {
    /// Whether its values are bits.
    pub(super) fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// The word for it in configurations and messages.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Holding => "holding",
            Self::Input => "input",
        }
    }
}

/// What one or several registers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One bit: true or false.
    Bit,
    /// 16 bits without sign.
    U16,
    /// 16 bits with sign.
    I16,
    /// 32 bits without sign.
    U32,
    /// 32 bits with sign.
    I32,
    /// 64 bits without sign.
    U64,
    /// A number of 32 bits after IEEE 754.
    F32,
}

impl Kind {
    fn words(self) -> u16 {
        match self {
            Self::Bit | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 => 4,
        }
    }
}

/// Which register of a value of several comes first. Within a register the high byte always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordOrder {
    /// The one with the highest bits.
    #[default]
    HighFirst,
    /// The one with the lowest bits.
    LowFirst,
}

/// What stands in a device's registers, before it is given a meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw {
    Bit(bool),
    Whole(i128),
    Real(f64),
}

/// Values as a device sends them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Bits(Vec<bool>),
    Words(Vec<u16>),
}

/// A register that has been checked, with the state of its counter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    register: Register,
    kind: Kind,
    counter: Option<Counter>,
}

impl Point {
    /// Checks a register; the error says which value cannot be used.
    pub(super) fn new(register: Register) -> Result<Self, String> {
        let kind = match (register.kind, register.bit) {
            (Some(kind), None) => kind,
            (None | Some(Kind::Bit), Some(_)) => Kind::Bit,
            (None, None) if register.function.is_bits() => Kind::Bit,
            (None, None) => Kind::U16,
            (Some(_), Some(_)) => return Err(slip(&register, "`bit` goes with the type `bit` only")),
        };
        check(&register, kind).map_err(|what| slip(&register, what))?;
        let counter = register.counter.map(|config| Counter::new(config.bits));
        Ok(Self { register, kind, counter })
    }

    /// The fact it becomes.
    pub(super) fn fact(&self) -> &str {
        &self.register.fact
    }

    /// How many facts it becomes.
    pub(super) fn facts(&self) -> usize {
        if self.counter.is_some() { 2 } else { 1 }
    }

    /// Where it stands.
    pub(super) fn extent(&self) -> Extent {
        Extent { function: self.register.function, address: self.register.address, count: self.kind.words() }
    }

    /// What stands in its registers; `None` if `values` do not reach it.
    pub(super) fn raw(&self, values: &Values, start: usize) -> Option<Raw> {
        match values {
            Values::Bits(bits) => bits.get(start).map(|bit| Raw::Bit(*bit != self.register.invert)),
            Values::Words(words) => {
                let own = words.get(start..start + usize::from(self.kind.words()))?;
                Some(match (self.kind, self.register.bit) {
                    (Kind::Bit, Some(bit)) => Raw::Bit((own[0] >> bit & 1 == 1) != self.register.invert),
                    (kind, _) => number(kind, self.register.word_order, own),
                })
            }
        }
    }

    /// Whether the value is a fault that the device names by this register.
    pub(super) fn is_fault(&self, raw: Raw) -> bool {
        self.register.fault_code && !matches!(raw, Raw::Bit(false) | Raw::Whole(0) | Raw::Real(0.0))
    }

    /// The facts of a value, and the next state of its counter.
    pub(super) fn take(&mut self, raw: Raw, mut fact: impl FnMut(&str, FactValue)) {
        let Some(counter) = &mut self.counter else {
            return fact(&self.register.fact, self.register.value(raw));
        };
        if let Raw::Whole(value) = raw {
            let count = counter.step(value.unsigned_abs());
            fact(&self.register.fact, self.register.number(float(count.total)));
            fact(&format!("{}_epoch", self.register.fact), float(count.epoch).into());
        }
    }
}

impl Register {
    fn value(&self, raw: Raw) -> FactValue {
        if !self.map.is_empty() {
            let key = match raw {
                Raw::Bit(bit) => u8::from(bit).to_string(),
                Raw::Whole(whole) => whole.to_string(),
                Raw::Real(real) => real.to_string(),
            };
            return self.map.get(key.as_str()).map_or(FactValue::Unknown, |word| FactValue::from(&**word));
        }
        match raw {
            Raw::Bit(bit) => bit.into(),
            Raw::Whole(whole) => self.number(float(whole.unsigned_abs()).copysign(if whole < 0 { -1.0 } else { 1.0 })),
            Raw::Real(real) => self.number(real),
        }
    }

    fn number(&self, raw: f64) -> FactValue {
        let value = raw * self.scale + self.offset;
        match self.decimals {
            Some(decimals) => {
                let step = 10_f64.powi(i32::from(decimals));
                ((value * step).round() / step).into()
            }
            None => value.into(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "JSON has no other numbers; a count is exact to 9 * 10^15")]
fn float(whole: u128) -> f64 {
    whole as f64
}

fn slip(register: &Register, what: &str) -> String {
    format!("register `{}` ({} {}): {what}", register.fact, register.function.word(), register.address)
}

fn check(register: &Register, kind: Kind) -> Result<(), &'static str> {
    let unusable = [
        (register.fact.is_empty() || register.fact.len() > MAX_NAME, "`fact` must have 1 to 64 bytes"),
        (register.function.is_bits() && kind != Kind::Bit, "coils and discrete inputs are of the type `bit`"),
        (register.function.is_bits() && register.bit.is_some(), "`bit` is for holding and input registers"),
        (!register.function.is_bits() && kind == Kind::Bit && register.bit.is_none(), "say which `bit`, 0 to 15"),
        (register.bit.is_some_and(|bit| bit > 15), "`bit` must be 0 to 15"),
        (register.count.is_some_and(|count| count != kind.words()), "`count` is not that of its `type`: leave it out"),
        (u32::from(register.address) + u32::from(kind.words()) > 1 << 16, "it ends above address 65535"),
        (register.invert && kind != Kind::Bit, "`invert` is for bits"),
        (!register.scale.is_finite() || register.scale == 0.0, "`scale` must be a number other than 0"),
        (!register.offset.is_finite(), "`offset` must be a number"),
        (register.decimals.is_some_and(|decimals| decimals > MAX_DECIMALS), "`decimals` must be 0 to 9"),
        (!register.map.is_empty() && kind == Kind::F32, "`map` is for bits and whole numbers"),
        (!register.map.is_empty() && register.counter.is_some(), "a `counter` has no `map`"),
    ];
    if let Some((_, what)) = unusable.iter().find(|(is_so, _)| *is_so) {
        return Err(what);
    }
    match (register.counter.map(|counter| counter.bits), kind) {
        (None, _) | (Some(16), Kind::U16) | (Some(32), Kind::U32) => Ok(()),
        (Some(16), _) => Err("a `counter` of 16 bits is of the type `u16`"),
        (Some(32), _) => Err("a `counter` of 32 bits is of the type `u32`"),
        (Some(_), _) => Err("a `counter` has 16 or 32 bits"),
    }
}

/// The number in registers that are all its own.
fn number(kind: Kind, order: WordOrder, words: &[u16]) -> Raw {
    let shift = |bits: u64, word: &u16| bits << 16 | u64::from(*word);
    let bits = match order {
        WordOrder::HighFirst => words.iter().fold(0, shift),
        WordOrder::LowFirst => words.iter().rev().fold(0, shift),
    };
    let bytes = bits.to_be_bytes();
    match kind {
        Kind::I16 => Raw::Whole(i16::from_be_bytes([bytes[6], bytes[7]]).into()),
        Kind::I32 => Raw::Whole(i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]).into()),
        Kind::F32 => Raw::Real(f32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]).into()),
        Kind::Bit | Kind::U16 | Kind::U32 | Kind::U64 => Raw::Whole(bits.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn point(text: &str) -> Result<Point, String> {
        let register = toml::from_str(&format!("fact = \"x\"\n{text}")).map_err(|error| error.to_string())?;
        Point::new(register)
    }

    fn facts(text: &str, words: &[u16]) -> Vec<(String, FactValue)> {
        let mut point = point(text).unwrap();
        let raw = point.raw(&Values::Words(words.to_vec()), 0).unwrap();
        let mut facts = Vec::new();
        point.take(raw, |fact, value| facts.push((fact.to_owned(), value)));
        facts
    }

    #[rstest]
    #[case::count("function = 3\naddress = 0x09DF", &[137], 137.0.into())]
    #[case::negative("function = \"input\"\naddress = 0\ntype = \"i16\"\nscale = 0.1\ndecimals = 1", &[0xFF85], (-12.3).into())]
    #[case::watts("function = 4\naddress = 12\ntype = \"f32\"\ndecimals = 1", &[0x430A, 0x6666], 138.4.into())]
    #[case::kilowatts("function = 3\naddress = 0x2004\ntype = \"f32\"\nscale = 1000\ndecimals = 1", &[0x3E0D, 0xB8BB], 138.4.into())]
    #[case::not_a_number("function = 4\naddress = 12\ntype = \"f32\"", &[0x7FC0, 0], FactValue::Unknown)]
    #[case::low_first("function = 3\naddress = 0\ntype = \"u32\"\nword_order = \"low-first\"", &[1, 2], 131_073.0.into())]
    #[case::bit("function = 3\naddress = 0\nbit = 3", &[0b1000], true.into())]
    #[case::turned_bit("function = 3\naddress = 0\nbit = 3\ninvert = true", &[0b1000], false.into())]
    #[case::word("function = 3\naddress = 0\nmap = { \"0\" = \"ok\", \"1\" = \"jam\" }", &[1], "jam".into())]
    #[case::no_word("function = 3\naddress = 0\nmap = { \"0\" = \"ok\", \"1\" = \"jam\" }", &[9], FactValue::Unknown)]
    #[case::word_of_a_bit("function = 3\naddress = 0\nbit = 0\nmap = { \"0\" = \"ok\", \"1\" = \"jam\" }", &[3], "jam".into())]
    fn registers_become_the_fact_they_are_configured_as(
        #[case] text: &str,
        #[case] words: &[u16],
        #[case] expected: FactValue,
    ) {
        assert_eq!(facts(text, words), [("x".to_owned(), expected)]);
    }

    #[test]
    fn a_counter_is_a_count_and_its_epoch() {
        let facts = facts("function = 3\naddress = 0\ncounter = { bits = 16 }", &[137]);
        assert_eq!(facts, [("x".to_owned(), 137.0.into()), ("x_epoch".to_owned(), 0.0.into())]);
    }

    #[rstest]
    #[case::unknown_function("function = 5\naddress = 0", "`5` is no function")]
    #[case::unknown_field("function = 3\naddress = 0\nadress = 1", "adress")]
    #[case::number_in_coils("function = 1\naddress = 0\ntype = \"u16\"", "coils")]
    #[case::which_bit("function = 3\naddress = 0\ntype = \"bit\"", "which `bit`")]
    #[case::bit_too_high("function = 3\naddress = 0\nbit = 16", "0 to 15")]
    #[case::bit_of_a_float("function = 3\naddress = 0\nbit = 1\ntype = \"f32\"", "`bit`")]
    #[case::count("function = 3\naddress = 0\ncount = 3\ntype = \"f32\"", "`count`")]
    #[case::end("function = 3\naddress = 65535\ntype = \"f32\"", "65535")]
    #[case::turned_number("function = 3\naddress = 0\ninvert = true", "`invert`")]
    #[case::scale("function = 3\naddress = 0\nscale = 0", "`scale`")]
    #[case::counter_width("function = 3\naddress = 0\ncounter = { bits = 32 }", "u32")]
    #[case::counter_bits("function = 3\naddress = 0\ncounter = { bits = 8 }", "16 or 32")]
    fn a_register_with_a_slip_is_refused_by_name(#[case] text: &str, #[case] says: &str) {
        let error = point(text).unwrap_err();
        assert!(error.contains(says), "{error}");
    }

    fn words(bits: u64, count: usize, order: WordOrder) -> Vec<u16> {
        let mut words =
            bits.to_be_bytes().chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect::<Vec<_>>();
        words.drain(..4 - count);
        if order == WordOrder::LowFirst {
            words.reverse();
        }
        words
    }

    proptest! {
        #[test]
        fn whole_numbers_read_back_in_either_word_order(bits: u64, low: bool) {
            let order = if low { WordOrder::LowFirst } else { WordOrder::HighFirst };
            let read = |kind: Kind, bits: u64| number(kind, order, &words(bits, kind.words().into(), order));
            let (half, quarter) = (bits & 0xFFFF_FFFF, bits & 0xFFFF);
            prop_assert_eq!(read(Kind::U64, bits), Raw::Whole(bits.into()));
            prop_assert_eq!(read(Kind::U32, half), Raw::Whole(half.into()));
            prop_assert_eq!(read(Kind::U16, quarter), Raw::Whole(quarter.into()));
            let negative = |value: u64, bits: u32| i128::from(value) - if value >> (bits - 1) == 1 { 1 << bits } else { 0 };
            prop_assert_eq!(read(Kind::I32, half), Raw::Whole(negative(half, 32)));
            prop_assert_eq!(read(Kind::I16, quarter), Raw::Whole(negative(quarter, 16)));
        }

        #[test]
        fn real_numbers_read_back_in_either_word_order(real in -1.0e30_f32..1.0e30, low: bool) {
            let order = if low { WordOrder::LowFirst } else { WordOrder::HighFirst };
            let read = number(Kind::F32, order, &words(real.to_bits().into(), 2, order));
            prop_assert_eq!(read, Raw::Real(real.into()));
        }

        #[test]
        fn any_answer_is_facts_or_nothing(values in prop::collection::vec(any::<u16>(), 0..6), start in 0_usize..6, kind in 0..6_usize) {
            let kind = ["u16", "i16", "u32", "i32", "u64", "f32"][kind];
            let mut point = point(&format!("function = 3\naddress = 0\ntype = \"{kind}\"\nscale = 1e300\ndecimals = 9")).unwrap();
            let raw = point.raw(&Values::Words(values.clone()), start);
            prop_assert_eq!(raw.is_some(), start + usize::from(point.extent().count) <= values.len());
            if let Some(raw) = raw {
                point.take(raw, |_, value| assert!(!matches!(value, FactValue::Number(n) if !n.is_finite())));
            }
        }
    }
}
