//! The register of goods and equipment (SHO-S2, SHO-D2): what belongs to a site, where it is and in which state. What happened to an item is a
//! list of events that only grows; how the item stands is a fold over them, so its history explains everything that the register says.

pub mod moving;
pub mod taking;

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The most pieces of one item: more is a slip of the hand.
pub const MOST_PIECES: u32 = 100_000;
/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// The number that stands on an item: short, of its site, and with a check digit that finds every wrong digit and every pair of neighbours
/// that changed places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetNumber(u32);

/// A text is no asset number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no asset number: it is written like {example}, and its last digit follows from the others", example = AssetNumber(17))]
pub struct NoAssetNumber(String);

/// Damm's quasigroup of order ten.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

fn damm(digits: &str) -> u8 {
    let digits = digits.bytes().filter(u8::is_ascii_digit).map(|byte| usize::from(byte - b'0'));
    digits.fold(0, |row, digit| DAMM[usize::from(row)][digit])
}

impl AssetNumber {
    /// The `nth` item of a site, from 1 on.
    pub const fn of(nth: u32) -> Self {
        Self(nth)
    }

    /// Which item of its site it is.
    pub const fn nth(self) -> u32 {
        self.0
    }
}

impl fmt::Display for AssetNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:05}", self.0);
        write!(f, "{digits}-{}", damm(&digits))
    }
}

impl FromStr for AssetNumber {
    type Err = NoAssetNumber;

    fn from_str(text: &str) -> Result<Self, NoAssetNumber> {
        let read = || {
            let (digits, check) = text.trim().split_once('-')?;
            let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let is_one = (5..=8).contains(&digits.len()) && check.len() == 1 && plain(digits) && plain(check);
            let nth: u32 = is_one.then(|| digits.parse().ok()).flatten()?;
            (nth > 0 && Self(nth).to_string() == text.trim()).then_some(Self(nth))
        };
        read().ok_or_else(|| NoAssetNumber(text.chars().take(40).collect()))
    }
}

/// What the register says of an item, one field of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// What people call it.
    Name,
    /// Its category.
    Kind,
    /// How many there are.
    Quantity,
    /// Where it is.
    Place,
    /// In which state it is.
    State,
    /// The post that answers for it.
    Post,
    /// Its serial number.
    Serial,
    /// What it is worth, in yuan.
    Value,
    /// Since when the site has it.
    Acquired,
    /// The monitored device that it is.
    Device,
    /// Anything else.
    Note,
}

/// In which state an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is used.
    InUse,
    /// It is kept for later.
    InStore,
    /// It is being repaired, or is to be.
    InRepair,
    /// A stock-take did not find it.
    Missing,
    /// It was moved out of the site.
    Out,
    /// It is no more.
    WrittenOff,
}

/// Why a field cannot hold a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It has no name.
    #[error("the name is missing: say what people call the thing")]
    NoName,
    /// It is too long, or on several lines.
    #[error("`{}` is one line of at most {} characters", .0.as_str(), .0.longest())]
    Long(Field),
    /// No number of pieces.
    #[error("a quantity is a whole number from 0 to {MOST_PIECES}")]
    Quantity,
    /// No state, or one that it does not get in this way.
    #[error(
        "a state is one of in-use, in-store and in-repair; the others follow from a stock-take, a move or a write-off"
    )]
    State,
    /// No amount of money.
    #[error("a value is in yuan, such as 1280 or 99.50")]
    Value,
    /// No day.
    #[error("a day is written like 2026-12-01")]
    Day,
    /// No name of a device.
    #[error("a device is given by its id, in lower-case letters, digits and hyphens")]
    Device,
}

impl Field {
    /// Every field, as forms and tables list them.
    pub const ALL: [Self; 11] = [
        Self::Name,
        Self::Kind,
        Self::Quantity,
        Self::Place,
        Self::State,
        Self::Post,
        Self::Serial,
        Self::Value,
        Self::Acquired,
        Self::Device,
        Self::Note,
    ];

    /// As it stands in forms and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Quantity => "quantity",
            Self::Place => "place",
            Self::State => "state",
            Self::Post => "post",
            Self::Serial => "serial",
            Self::Value => "value",
            Self::Acquired => "acquired",
            Self::Device => "device",
            Self::Note => "note",
        }
    }

    /// The most characters that it holds.
    pub const fn longest(self) -> usize {
        match self {
            Self::Note => 500,
            Self::Name | Self::Place => 60,
            _ => 40,
        }
    }

    /// A text as this field holds it: one text for each meaning. Empty where nothing is known.
    ///
    /// # Errors
    ///
    /// If it makes no sense here.
    pub fn read(self, text: &str) -> Result<String, Mistake> {
        let text = text.trim();
        if text.chars().count() > self.longest() || text.contains(char::is_control) {
            return Err(Mistake::Long(self));
        }
        if text.is_empty() {
            return match self {
                Self::Name => Err(Mistake::NoName),
                Self::Quantity => Ok("1".to_owned()),
                Self::State => Ok(State::InUse.as_str().to_owned()),
                _ => Ok(String::new()),
            };
        }
        match self {
            Self::Quantity => {
                let pieces: u32 = text.parse().map_err(|_| Mistake::Quantity)?;
                (pieces <= MOST_PIECES).then(|| pieces.to_string()).ok_or(Mistake::Quantity)
            }
            Self::State => State::from_text(text).map(|state| state.as_str().to_owned()).ok_or(Mistake::State),
            Self::Value => fen(text).map(|fen| format!("{}.{:02}", fen / 100, fen % 100)).ok_or(Mistake::Value),
            Self::Acquired => text.parse::<Date>().map(|day| day.to_string()).map_err(|_| Mistake::Day),
            Self::Device => {
                text.parse::<lobby_contract::DeviceId>().map(|id| id.to_string()).map_err(|_| Mistake::Device)
            }
            _ => Ok(text.to_owned()),
        }
    }
}

/// Yuan as fen.
fn fen(text: &str) -> Option<u64> {
    let (yuan, rest) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(yuan) || !plain(rest) || yuan.is_empty() || rest.len() > 2 {
        return None;
    }
    let yuan: u64 = yuan.parse().ok().filter(|yuan| *yuan < 1_000_000_000)?;
    Some(yuan * 100 + format!("{rest:0<2}").parse::<u64>().ok()?)
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::InUse, Self::InStore, Self::InRepair, Self::Missing, Self::Out, Self::WrittenOff];
    /// Those that somebody may choose.
    pub const CHOSEN: [Self; 3] = [Self::InUse, Self::InStore, Self::InRepair];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in-use",
            Self::InStore => "in-store",
            Self::InRepair => "in-repair",
            Self::Missing => "missing",
            Self::Out => "out",
            Self::WrittenOff => "written-off",
        }
    }

    /// The state of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it is, or should be, at the site: what a stock-take looks for.
    pub const fn is_here(self) -> bool {
        !matches!(self, Self::Out | Self::WrittenOff)
    }
}

/// What the register says of an item, field by field. A field that says nothing is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Item(BTreeMap<Field, String>);

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It was entered.
    Add,
    /// Something was corrected, or it was put elsewhere within its site.
    Edit,
    /// A photo was added.
    Photo,
    /// It is no more.
    WriteOff,
    /// A stock-take has counted it.
    Count,
    /// It was moved into its site or out of it.
    Move,
}

/// Why something cannot be done with an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no more.
    #[error("it was written off")]
    WrittenOff,
    /// A reason is missing or too long.
    #[error("say why, in one line of at most {LONGEST_REASON} characters")]
    Reason,
    /// A field cannot hold that.
    #[error(transparent)]
    Field(#[from] Mistake),
}

impl Deed {
    /// Everything that may happen.
    pub const ALL: [Self; 6] = [Self::Add, Self::Edit, Self::Photo, Self::WriteOff, Self::Count, Self::Move];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Edit => "edit",
            Self::Photo => "photo",
            Self::WriteOff => "write-off",
            Self::Count => "count",
            Self::Move => "move",
        }
    }

    /// What has that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == text)
    }
}

impl Item {
    /// An item of fields as a form or a table has them.
    ///
    /// # Errors
    ///
    /// The field that makes no sense, and why.
    pub fn read<'a>(text: impl Fn(Field) -> Option<&'a str>) -> Result<Self, (Field, Mistake)> {
        let mut item = Self::default();
        for field in Field::ALL {
            let text = field.read(text(field).unwrap_or_default()).map_err(|mistake| (field, mistake))?;
            item.put(field, text);
        }
        Ok(item)
    }

    /// What it says there; empty if nothing.
    pub fn get(&self, field: Field) -> &str {
        self.0.get(&field).map(String::as_str).unwrap_or_default()
    }

    fn put(&mut self, field: Field, text: String) {
        if text.is_empty() {
            self.0.remove(&field)
        } else {
            self.0.insert(field, text)
        };
    }

    /// How many there are.
    pub fn quantity(&self) -> u32 {
        self.get(Field::Quantity).parse().unwrap_or(1)
    }

    /// In which state it is.
    pub fn state(&self) -> State {
        State::from_text(self.get(Field::State)).unwrap_or(State::InUse)
    }

    /// What differs in `other`, as it is there.
    pub fn changes(&self, other: &Self) -> BTreeMap<Field, String> {
        let differs = |field: &Field| self.get(*field) != other.get(*field);
        Field::ALL.into_iter().filter(differs).map(|field| (field, other.get(field).to_owned())).collect()
    }

    /// The item after an event that set these fields.
    #[must_use]
    pub fn after(mut self, set: &BTreeMap<Field, String>) -> Self {
        for (field, text) in set {
            self.put(*field, text.clone());
        }
        self
    }

    /// What an edit to `wanted` sets. A state that nobody may choose stays as it is.
    ///
    /// # Errors
    ///
    /// Why it cannot be done.
    pub fn edit(&self, wanted: &Self, reason: &str) -> Result<BTreeMap<Field, String>, Refusal> {
        if self.state() == State::WrittenOff {
            return Err(Refusal::WrittenOff);
        }
        if wanted.state() != self.state() && !State::CHOSEN.contains(&wanted.state()) {
            return Err(Mistake::State.into());
        }
        // What is out of the site comes back by a move that the manager has consented to (SHO-S2).
        if self.state() == State::Out && (wanted.state() != State::Out || wanted.quantity() != self.quantity()) {
            return Err(Mistake::State.into());
        }
        is_reason(reason)?;
        Ok(self.changes(wanted))
    }

    /// What writing it off sets.
    ///
    /// # Errors
    ///
    /// Why it cannot be done.
    pub fn write_off(&self, reason: &str) -> Result<BTreeMap<Field, String>, Refusal> {
        if self.state() == State::WrittenOff {
            return Err(Refusal::WrittenOff);
        }
        is_reason(reason)?;
        Ok(BTreeMap::from([(Field::State, State::WrittenOff.as_str().to_owned())]))
    }
}

/// Refuses what is no reason.
fn is_reason(reason: &str) -> Result<(), Refusal> {
    let fits = reason.chars().count() <= LONGEST_REASON && !reason.contains(char::is_control);
    if fits && !reason.trim().is_empty() { Ok(()) } else { Err(Refusal::Reason) }
}

#[cfg(test)]
mod tests;
