//! What people answer, and whether it agrees with what devices report.

use std::collections::BTreeMap;

use lobby_contract::FactValue;
use serde::{Deserialize, Serialize};

use super::{Line, Photo};
use crate::device;

/// The longest reason or remark, in characters.
pub const LONGEST_NOTE: usize = 500;

/// What somebody says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// So many are there.
    Count(u32),
    /// It cannot be looked at, for a reason.
    NotApplicable,
}

/// What a device said in figures, by fact.
pub type Readings = BTreeMap<Box<str>, FactValue>;

/// What a device said itself at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    /// It is well.
    Fine,
    /// Something is wrong.
    Faulty,
    /// Nothing is known of it.
    Unknown,
}

/// Why an answer is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Ticked fine while nothing was known of the device.
    TickedUnknown,
    /// Ticked fine while the device says that something is wrong.
    TickedFaulty,
    /// Said to be faulty while the device says that it is well.
    DeviceFine,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The line.
    pub line: Box<str>,
    /// What is said of it.
    pub said: Said,
    /// The reason, or a remark.
    pub note: String,
}

/// What a line lacks before somebody can sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The line.
    pub line: Box<str>,
    /// Whether only the photo lacks.
    pub photo: bool,
}

impl Said {
    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Count(_) => "count",
            Self::NotApplicable => "not_applicable",
        }
    }

    /// What is called so; the number where things are counted.
    pub fn from_text(text: &str, count: Option<u32>) -> Option<Self> {
        match (text, count) {
            ("pass", None) => Some(Self::Pass),
            ("fail", None) => Some(Self::Fail),
            ("count", Some(count)) => Some(Self::Count(count)),
            ("not_applicable", None) => Some(Self::NotApplicable),
            _ => None,
        }
    }

    /// How many are there.
    pub const fn count(self) -> Option<u32> {
        if let Self::Count(count) = self { Some(count) } else { None }
    }

    /// Whether it opens a ticket: something is wrong, or fewer are there than must be.
    pub fn is_failure(self, line: &Line) -> bool {
        match self {
            Self::Fail => true,
            Self::Count(count) => line.count.is_some_and(|expected| count < expected),
            Self::Pass | Self::NotApplicable => false,
        }
    }

    /// Whether it fits the line: things are counted where a number is asked for, and nowhere else.
    pub const fn fits(self, line: &Line) -> bool {
        match self {
            Self::Count(_) => line.count.is_some(),
            Self::Pass => line.count.is_none(),
            Self::Fail | Self::NotApplicable => true,
        }
    }

    /// Why it is to be looked at again, given what the device says.
    pub const fn flag(self, stated: Stated) -> Option<Flag> {
        match (self, stated) {
            (Self::Pass, Stated::Unknown) => Some(Flag::TickedUnknown),
            (Self::Pass, Stated::Faulty) => Some(Flag::TickedFaulty),
            (Self::Fail, Stated::Fine) => Some(Flag::DeviceFine),
            _ => None,
        }
    }
}

impl Stated {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Fine, Self::Faulty, Self::Unknown];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Faulty => "faulty",
            Self::Unknown => "unknown",
        }
    }

    /// The one of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stated| stated.as_str() == text)
    }
}

impl From<device::State> for Stated {
    fn from(state: device::State) -> Self {
        match state {
            device::State::Normal => Self::Fine,
            device::State::Abnormal => Self::Faulty,
            device::State::Offline | device::State::Unknown => Self::Unknown,
        }
    }
}

impl Flag {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::TickedUnknown, Self::TickedFaulty, Self::DeviceFine];

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TickedUnknown => "ticked_unknown",
            Self::TickedFaulty => "ticked_faulty",
            Self::DeviceFine => "device_fine",
        }
    }

    /// The one of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.as_str() == text)
    }
}

/// What is lacking of a round before it can be signed. `photos` tells of which lines there is one.
pub fn lacking<'l>(
    lines: impl IntoIterator<Item = &'l Line>,
    said: impl Fn(&str) -> Option<Said>,
    photos: impl Fn(&str) -> bool,
) -> Vec<Lack> {
    let lack = |line: &Line| {
        let answered = said(&line.id);
        // Of what cannot be looked at there is nothing to show.
        let shown = line.photo != Photo::Required || answered == Some(Said::NotApplicable) || photos(&line.id);
        (answered.is_none() || !shown).then(|| Lack { line: line.id.clone(), photo: answered.is_some() })
    };
    lines.into_iter().filter_map(lack).collect()
}
