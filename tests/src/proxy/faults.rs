//! What a network can do to a connection, and the words for it.

use std::{fmt, str::FromStr, time::Duration};

/// Faults of a line; together they add up. The default is a line in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Most bits a second, each way.
    pub bits_per_second: Option<u32>,
    /// How long every byte is under way, each way.
    pub latency: Duration,
    /// Most bytes that are handed on at once.
    pub slice: Option<usize>,
    /// How long a connection lives before both of its ends are reset.
    pub reset_after: Option<Duration>,
    /// The client hears the end of what the server says, while the other way stays open.
    pub half_close: bool,
    /// Nothing passes, not even an end, and nobody is told. What was sent meanwhile arrives when it is over.
    pub blackhole: bool,
    /// New connections are refused; those that are open go on.
    pub refuse: bool,
}

impl Faults {
    /// The words and what they mean.
    pub const HELP: &str = "\
none           the line is in order
rate=64kbit    most bits a second each way (bit, kbit, mbit)
latency=2s     how long every byte is under way, each way
slice=1        most bytes handed on at once
reset=20s      both ends are reset when a connection is so old
half-close     the client hears an end (FIN), the other way stays open
blackhole      nothing passes and nobody is told
refuse         new connections are refused";

    /// So many bits a second each way.
    pub fn rate(bits_per_second: u32) -> Self {
        Self { bits_per_second: Some(bits_per_second), ..Self::default() }
    }

    /// So long under way, each way.
    pub fn latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// At most so many bytes at once.
    pub fn slices(bytes: usize) -> Self {
        Self { slice: Some(bytes), ..Self::default() }
    }

    /// Connections reset when they are so old.
    pub fn reset_after(age: Duration) -> Self {
        Self { reset_after: Some(age), ..Self::default() }
    }

    /// The client hears an end.
    pub fn half_close() -> Self {
        Self { half_close: true, ..Self::default() }
    }

    /// Nothing passes.
    pub fn blackhole() -> Self {
        Self { blackhole: true, ..Self::default() }
    }

    /// New connections are refused.
    pub fn refuse() -> Self {
        Self { refuse: true, ..Self::default() }
    }
}

/// A word that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no fault: {problem}")]
pub struct FaultsError {
    word: String,
    problem: String,
}

impl FromStr for Faults {
    type Err = FaultsError;

    /// Reads words parted by spaces, such as `latency=2s slice=1`.
    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for word in text.split_whitespace() {
            faults.add(word).map_err(|problem| FaultsError { word: word.to_owned(), problem })?;
        }
        Ok(faults)
    }
}

impl Faults {
    fn add(&mut self, word: &str) -> Result<(), String> {
        let duration = |text| humantime::parse_duration(text).map_err(|error| error.to_string());
        match word.split_once('=') {
            None if word == "none" => *self = Self::default(),
            None if word == "half-close" => self.half_close = true,
            None if word == "blackhole" => self.blackhole = true,
            None if word == "refuse" => self.refuse = true,
            Some(("rate", rate)) => self.bits_per_second = Some(bits(rate)?),
            Some(("latency", length)) => self.latency = duration(length)?,
            Some(("reset", age)) => self.reset_after = Some(duration(age)?),
            Some(("slice", bytes)) => match bytes.parse() {
                Ok(bytes) if bytes > 0 => self.slice = Some(bytes),
                _ => return Err("a slice has at least one byte".to_owned()),
            },
            _ => return Err(format!("the words are\n{}", Self::HELP)),
        }
        Ok(())
    }
}

fn bits(text: &str) -> Result<u32, String> {
    let (digits, unit) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "bit" => 1,
        "kbit" => 1_000,
        "mbit" => 1_000_000,
        _ => return Err(format!("the unit `{unit}` is none of bit, kbit, mbit")),
    };
    let bits = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(factor)).filter(|bits| *bits > 0);
    bits.ok_or_else(|| "a rate is a number from 1 bit to 4 Gbit a second".to_owned())
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        words.extend(self.bits_per_second.map(|bits| format!("rate={bits}bit")));
        if !self.latency.is_zero() {
            words.push(format!("latency={}", humantime::format_duration(self.latency).to_string().replace(' ', "")));
        }
        words.extend(self.slice.map(|bytes| format!("slice={bytes}")));
        let age = |age| format!("reset={}", humantime::format_duration(age).to_string().replace(' ', ""));
        words.extend(self.reset_after.map(age));
        for (is, word) in [(self.half_close, "half-close"), (self.blackhole, "blackhole"), (self.refuse, "refuse")] {
            if is {
                words.push(word.to_owned());
            }
        }
        if words.is_empty() {
            words.push("none".to_owned());
        }
        f.write_str(&words.join(" "))
    }
}
