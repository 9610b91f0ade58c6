//! Device kinds: which facts a device of the kind may state, and what each value means.

use lobby_contract::FactValue;

use crate::{
    label::{Label, Lang},
    report::ReportRule,
};

/// A kind of device, such as `led-display`, as the standards pack declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Its name in births and rules.
    pub id: Box<str>,
    /// What people call it.
    pub label: Label,
    /// The posts whose dashboard shows devices of this kind.
    pub boards: Vec<Box<str>>,
    /// The area of a site in which its devices usually stand.
    pub area: Option<Box<str>>,
    /// The facts its devices may state, in the order in which pages show them.
    pub facts: Vec<Fact>,
    /// What people say of one that does not work, in the order in which it is offered.
    pub symptoms: Vec<Word>,
    /// Who works on what people report of it, if not whoever does of other kinds.
    pub report: Option<ReportRule>,
    /// What its devices hand out, if they count that.
    pub dispenses: Option<Dispenses>,
}

/// What devices of a kind hand out and count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispenses {
    /// The item of the pack.
    pub item: Box<str>,
    /// The fact that counts the pieces. It only grows, until the counter is cleared; the fact of the same name with `_epoch` behind, if a
    /// device states it, then grows by one.
    pub counter: Box<str>,
    /// The fact by which the device itself says how many pieces are left in it.
    pub left: Option<Box<str>>,
    /// The fact that says how many it holds when full.
    pub capacity: Option<Box<str>>,
    /// The fact that says below how many it is to be refilled.
    pub low: Option<Box<str>>,
    /// The most pieces that one can hand out in a minute: a count that grows faster is not believed.
    pub most_per_minute: u32,
}

/// One fact of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Its name in records and conditions.
    pub name: Box<str>,
    /// What people call it.
    pub label: Label,
    /// Which values it may have.
    pub domain: Domain,
}

/// The values a fact may have.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// Yes or no.
    Bool,
    /// A number within bounds, both included.
    Number {
        /// The unit, as written behind the number; empty for a plain count.
        unit: Label,
        /// The smallest value that makes sense.
        min: Option<f64>,
        /// The largest value that makes sense.
        max: Option<f64>,
    },
    /// One of a few words.
    Word(Vec<Word>),
    /// Any text; shown, never compared.
    Text,
}

/// One word of a [`Domain::Word`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it stands in records.
    pub value: Box<str>,
    /// As people read it.
    pub label: Label,
}

/// Why a value is none of its fact.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// Another type than the fact's.
    #[error("`{fact}` is {found}, expected {expected}")]
    Type {
        /// The fact.
        fact: Box<str>,
        /// The value that came.
        found: FactValue,
        /// What the kind declares.
        expected: String,
    },
    /// A number outside the fact's bounds.
    #[error("`{fact}` is {found}, outside of {bounds}")]
    Bounds {
        /// The fact.
        fact: Box<str>,
        /// The number that came.
        found: f64,
        /// What the kind allows.
        bounds: String,
    },
}

impl Dispenses {
    /// The fact that says how often the counter was cleared.
    pub fn epoch(&self) -> String {
        format!("{}_epoch", self.counter)
    }
}

impl Kind {
    /// The fact of that name, if the kind has it.
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| &*fact.name == name)
    }
}

impl Fact {
    /// Whether `value` is one of this fact's. [`FactValue::Unknown`] always is.
    pub fn check(&self, value: &FactValue) -> Result<(), Mismatch> {
        match (&self.domain, value) {
            (_, FactValue::Unknown) | (Domain::Bool, FactValue::Bool(_)) | (Domain::Text, FactValue::Text(_)) => Ok(()),
            (Domain::Number { min, max, .. }, FactValue::Number(found)) => {
                if min.is_none_or(|min| *found >= min) && max.is_none_or(|max| *found <= max) {
                    return Ok(());
                }
                let bound = |limit: &Option<f64>| limit.map_or_else(|| "…".to_owned(), |limit| limit.to_string());
                Err(Mismatch::Bounds {
                    fact: self.name.clone(),
                    found: *found,
                    bounds: format!("{} to {}", bound(min), bound(max)),
                })
            }
            (Domain::Word(words), FactValue::Text(text)) if words.iter().any(|word| word.value == *text) => Ok(()),
            _ => {
                Err(Mismatch::Type { fact: self.name.clone(), found: value.clone(), expected: self.domain.describe() })
            }
        }
    }

    /// The value as people read it, with its unit.
    pub fn show(&self, value: &FactValue, lang: Lang) -> String {
        match (&self.domain, value) {
            (_, FactValue::Unknown) => match lang {
                Lang::Zh => "未知".to_owned(),
                Lang::En => "unknown".to_owned(),
            },
            (Domain::Number { unit, .. }, FactValue::Number(number)) => {
                let unit = unit.in_lang(lang);
                let gap = if unit.is_empty() || unit == "%" { "" } else { " " };
                format!("{}{gap}{unit}", round(*number))
            }
            (Domain::Bool, FactValue::Bool(yes)) => match (lang, yes) {
                (Lang::Zh, true) => "是".to_owned(),
                (Lang::Zh, false) => "否".to_owned(),
                (Lang::En, true) => "yes".to_owned(),
                (Lang::En, false) => "no".to_owned(),
            },
            (Domain::Word(words), FactValue::Text(text)) => words
                .iter()
                .find(|word| word.value == *text)
                .map_or_else(|| text.to_string(), |word| word.label.in_lang(lang).to_owned()),
            (_, other) => other.to_string(),
        }
    }
}

/// Two decimals are all a person reads.
fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

impl Domain {
    /// The type in words, for complaints.
    pub fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number { .. } => "a number".to_owned(),
            Self::Text => "a text".to_owned(),
            Self::Word(words) => {
                let words: Vec<&str> = words.iter().map(|word| &*word.value).collect();
                format!("one of {}", words.join(", "))
            }
        }
    }
}
