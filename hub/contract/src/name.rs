//! Names of sites, agents and devices: they appear in topics, addresses and file names, so their alphabet is narrow.

use std::{borrow::Borrow, fmt, marker::PhantomData, str::FromStr, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};

/// Longest name, in characters.
const MAX_LEN: usize = 64;

/// Why a text is not a name. The text is quoted in part only: it may be large and come from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The text is longer than 64 characters.
    #[error("a name has at most {MAX_LEN} characters, this one has {0}")]
    TooLong(usize),
    /// A character is not allowed at its place.
    #[error("`{found}` at position {position} is not allowed in a name: use a-z, 0-9 and (not first) `-`")]
    Character {
        /// The character found.
        found: char,
        /// Its place, counted from 1.
        position: usize,
    },
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    for (index, found) in text.chars().enumerate() {
        let allowed = found.is_ascii_lowercase() || found.is_ascii_digit() || (found == '-' && index > 0);
        if !allowed {
            return Err(NameError::Character { found, position: index + 1 });
        }
    }
    // Only ASCII is left, so bytes are characters.
    if text.len() > MAX_LEN { Err(NameError::TooLong(text.len())) } else { Ok(()) }
}

/// Reads a name from the text where it stands, without a copy in between: each record has one.
struct OfText<T>(PhantomData<T>);

impl<T: FromStr<Err = NameError>> Visitor<'_> for OfText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        ///
        /// Matches `[a-z0-9][a-z0-9-]{0,63}`. Cheap to clone.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                check(&text).map(|()| Self(text.into()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(OfText(PhantomData))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// One sales centre (案场).
    SiteId
}
name! {
    /// One agent of a site: the program that probes devices and reports on them.
    AgentId
}
name! {
    /// One monitored device, unique within its site.
    DeviceId
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_character("a")]
    #[case::digits_first("1st-floor")]
    #[case::longest(&"x".repeat(64))]
    fn a_name_of_the_alphabet_is_accepted(#[case] text: &str) {
        assert_eq!(text.parse::<DeviceId>().map(String::from), Ok(text.to_owned()));
    }

    #[rstest]
    #[case::empty("", NameError::Empty)]
    #[case::upper("Led", NameError::Character { found: 'L', position: 1 })]
    #[case::dash_first("-led", NameError::Character { found: '-', position: 1 })]
    #[case::level("a/b", NameError::Character { found: '/', position: 2 })]
    #[case::wildcard("a+", NameError::Character { found: '+', position: 2 })]
    #[case::chinese("门口", NameError::Character { found: '门', position: 1 })]
    #[case::too_long(&"x".repeat(65), NameError::TooLong(65))]
    fn any_other_text_is_refused_with_its_reason(#[case] text: &str, #[case] reason: NameError) {
        assert_eq!(text.parse::<SiteId>(), Err(reason));
    }
}
