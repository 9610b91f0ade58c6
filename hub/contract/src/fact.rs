//! The value of one fact a device states about itself.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};

/// A value as it stands in JSON. Which type a fact must have is said by its device kind in the standards pack.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FactValue {
    /// Explicitly not known: the device was asked and did not say.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number; finite, because JSON has no other.
    Number(f64),
    /// One of the words of the fact's kind, or free text.
    Text(Box<str>),
}

/// Takes each type of JSON as it comes: to try one after the other, and to word a refusal for each, would cost more than all the rest of
/// reading a record.
struct OfAnyType;

impl Visitor<'_> for OfAnyType {
    type Value = FactValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, true, false, a number or a text")
    }

    fn visit_unit<E: Error>(self) -> Result<FactValue, E> {
        Ok(FactValue::Unknown)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<FactValue, E> {
        Ok(FactValue::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are floats to most of those who write them")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<FactValue, E> {
        Ok(FactValue::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are floats to most of those who write them")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<FactValue, E> {
        Ok(FactValue::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<FactValue, E> {
        Ok(FactValue::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<FactValue, E> {
        Ok(FactValue::Text(value.into()))
    }
}

impl<'de> Deserialize<'de> for FactValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfAnyType)
    }
}

impl From<bool> for FactValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for FactValue {
    /// A number that is not finite is [`FactValue::Unknown`].
    fn from(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Unknown }
    }
}

impl From<&str> for FactValue {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for FactValue {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}
