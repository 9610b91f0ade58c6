//! The value of one fact a device states about itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value as it stands in JSON. Which type a fact must have is said by its device kind in the standards pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
