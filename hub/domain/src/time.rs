//! Time as the rules see it: a point in UTC milliseconds and a length in milliseconds. Nothing here reads a clock.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970 UTC; a BIGINT in both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A length of time in milliseconds; never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Timestamp {
    /// The point `millis` ms after 1970 UTC.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970 UTC.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This point moved by a signed number of milliseconds.
    #[must_use]
    pub const fn shifted(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest that may be written: with more, an end could not be told from never, and lies beyond every calendar.
    pub const LONGEST: Self = Self(36_525 * 86_400_000);

    /// `millis` ms; zero if negative.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.max(0))
    }

    /// `secs` seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1000)
    }

    /// `mins` minutes.
    pub const fn from_mins(mins: u32) -> Self {
        Self(mins as i64 * 60_000)
    }

    /// Milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This length, `factor` times.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self(self.0.saturating_mul(factor as i64))
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It is no number with a unit.
    #[error("`{0}` is not a length of time: write a whole number and ms, s, m, h or d, such as `90s`")]
    NoLength(String),
    /// It is longer than anything that is meant.
    #[error("`{0}` is too long: write at most `{longest}`, which is a hundred years", longest = Span::LONGEST)]
    TooLong(String),
}

/// Units from the largest, so that [`fmt::Display`] finds the shortest text.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let short = || text.chars().take(40).collect();
        let refused = || SpanError::NoLength(short());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        if number.is_empty() {
            return Err(refused());
        }
        // Digits alone: what is no number is too large for one.
        let length = number.parse().ok().and_then(|number: i64| number.checked_mul(factor)).map(Self);
        length.filter(|length| *length <= Self::LONGEST).ok_or_else(|| SpanError::TooLong(short()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let (name, factor) =
            UNITS.into_iter().find(|(_, factor)| self.0 % factor == 0).expect("every number is a multiple of 1 ms");
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0s", 0)]
    #[case("250ms", 250)]
    #[case("90s", 90_000)]
    #[case("2h", 7_200_000)]
    fn a_length_of_time_is_a_number_and_a_unit(#[case] text: &str, #[case] millis: i64) {
        assert_eq!(text.parse(), Ok(Span::from_millis(millis)));
    }

    #[rstest]
    #[case("")]
    #[case("10")]
    #[case("s")]
    #[case("-1s")]
    #[case("1.5h")]
    fn any_other_text_is_refused(#[case] text: &str) {
        assert!(text.parse::<Span>().is_err());
    }

    #[rstest]
    #[case("36526d")]
    #[case("999999999999999ms")]
    #[case("99999999999999d")]
    #[case("99999999999999999999999999999999999999999999s")]
    fn what_is_longer_than_a_hundred_years_is_refused_as_too_long(#[case] text: &str) {
        let told = text.parse::<Span>().map_err(|error| error.to_string());
        let shown: String = text.chars().take(40).collect();
        assert_eq!(told, Err(format!("`{shown}` is too long: write at most `36525d`, which is a hundred years")));
        assert_eq!("36525d".parse(), Ok(Span::LONGEST));
    }

    proptest! {
        #[test]
        fn a_length_reads_back_as_written(millis in 0..=Span::LONGEST.millis()) {
            let span = Span::from_millis(millis);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
