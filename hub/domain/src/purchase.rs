//! What is to be bought for the next month (SHO-D4: next month's purchase is settled from the counted use, to control cost), with every term
//! that the figure is made of, so that whoever approves it can check it by hand.
//!
//! ```text
//! need = use of the month + safety − (what is there − use until the month begins) − what is on order
//! ```
//!
//! A proposal is edited with a reason and approved along the chain of command; the state of that is a fold over its steps.

use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};
use serde::{Deserialize, Serialize};

use crate::{
    calendar::Calendar,
    forecast::{Demand, Forecast},
    time::Timestamp,
};

/// How many deviations of a day's use are kept back for each day that an order takes, under a square root: with this one, what is kept back
/// is enough 19 times of 20.
pub const SAFETY: f64 = 1.645;
/// How many past months show how well the forecast did.
pub const LOOKED_BACK: usize = 3;
/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// A month of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(Date);

/// A text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no month: write it like 2026-12")]
pub struct NoMonth(String);

/// What there is to go by beside the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// Pieces at the site, in every place.
    pub on_hand: i64,
    /// Pieces that are ordered and have not come.
    pub on_order: i64,
    /// Pieces in a box.
    pub pack: i64,
    /// The fewest pieces that are sold.
    pub min_order: i64,
    /// How many days an order takes.
    pub lead_days: u32,
    /// What a piece costs, in fen, if known.
    pub price: Option<i64>,
}

/// What is expected of the open days of a month that fall on one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Days {
    /// The weekday, 1 for Monday to 7 for Sunday.
    pub weekday: i8,
    /// On how many of them the site is open.
    pub open: u32,
    /// Pieces expected on each.
    pub each: f64,
}

/// What is expected of the launch days of a month: they are days of their own, whatever their weekday.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LaunchDays {
    /// How many of them the month has.
    pub open: u32,
    /// Pieces expected on each, in the mean.
    pub each: f64,
    /// How many times as much as on an ordinary day.
    pub factor: f64,
    /// From how many past launch days that was learnt; 0 if it is what the site says.
    pub learnt_from: usize,
}

/// How well a past month was forecast when it began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hindsight {
    /// The month, such as 2026-11.
    pub month: String,
    /// Pieces that were to be expected.
    pub expected: i64,
    /// Pieces that were used.
    pub used: i64,
}

/// What is to be bought for a month, and why. It is stored as it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The month, such as 2026-12.
    pub month: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// What is expected of the month's ordinary days, by weekday.
    pub days: Vec<Days>,
    /// What is expected of its launch days, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launches: Option<LaunchDays>,
    /// Pieces expected to be used in the month: the sum over `days` and `launches`.
    pub demand: i64,
    /// The standard deviation of a day's use, in pieces.
    pub deviation: f64,
    /// How many days an order takes.
    pub lead_days: u32,
    /// Pieces kept back because use varies while an order takes its time: [`SAFETY`] · `deviation` · √`lead_days`.
    pub safety: i64,
    /// Pieces at the site when it was made.
    pub on_hand: i64,
    /// Pieces expected to be used until the month begins.
    pub until_then: i64,
    /// Pieces that were ordered and had not come.
    pub on_order: i64,
    /// Pieces that are missing.
    pub need: i64,
    /// Pieces in a box.
    pub pack: i64,
    /// The fewest pieces that are sold.
    pub min_order: i64,
    /// Pieces to be bought: `need`, in whole boxes, and as many as are sold at least.
    pub pieces: i64,
    /// What a piece costs, in fen, if known.
    pub price: Option<i64>,
    /// How well the last months were forecast, the newest last.
    pub hindsight: Vec<Hindsight>,
}

impl Month {
    /// The month of a day.
    pub fn of(date: Date) -> Self {
        Self(date.first_of_month())
    }

    /// Its first day.
    pub fn first(self) -> Date {
        self.0
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1.month()))
    }

    /// The month before it.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1.month()))
    }

    /// Its days.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.0.series(1.day()).take_while(move |date| Self::of(*date) == self)
    }

    /// When it begins at a site.
    pub fn begins(self, calendar: &Calendar) -> Timestamp {
        let zoned = calendar.zone().to_zoned(self.0.at(0, 0, 0, 0));
        zoned.map_or(Timestamp::default(), |zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl std::str::FromStr for Month {
    type Err = NoMonth;
    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let date = (text.len() == 7).then(|| format!("{text}-01").parse::<Date>().ok()).flatten();
        date.filter(|date| (2000..3000).contains(&date.year())).map(Self).ok_or_else(|| NoMonth(text.to_owned()))
    }
}

impl Proposal {
    /// What is to be bought for `month`, as it looks at `now`. `used` is the use of each hour so far.
    pub fn make(
        month: Month,
        calendar: &Calendar,
        used: &[(Timestamp, u32)],
        stock: Stock,
        now: Timestamp,
    ) -> Option<Self> {
        let forecast = Forecast::learn(calendar, used.iter().copied(), now)?;
        let begins = month.begins(calendar);
        let open = || month.days().filter(|date| calendar.opens_on(*date));
        let days: Vec<Days> = (1..=7_i8)
            .filter_map(|weekday| {
                let is_same = |date: &Date| number(date.weekday()) == weekday && !calendar.is_launch(*date);
                let same: Vec<Date> = open().filter(is_same).collect();
                let each = forecast.day(*same.first()?).mean;
                Some(Days { weekday, open: u32::try_from(same.len()).ok()?, each })
            })
            .collect();
        let expected: Demand = open().map(|date| forecast.day(date)).sum();
        let demand = whole(expected.mean);
        let launches = LaunchDays::of(open().filter(|date| calendar.is_launch(*date)), &forecast);
        let of_launches = launches.map_or(0, |launches| launches.open);
        let open_days = f64::from((days.iter().map(|days| days.open).sum::<u32>() + of_launches).max(1));
        let deviation = (expected.variance / open_days).sqrt();
        let safety = whole(SAFETY * deviation * f64::from(stock.lead_days).sqrt());
        let until_then = if begins > now { whole(forecast.expected(now, begins).mean) } else { 0 };
        let need = (demand + safety + until_then - stock.on_hand - stock.on_order).max(0);
        Some(Self {
            month: month.to_string(),
            made_at: now,
            days,
            launches,
            demand,
            deviation,
            lead_days: stock.lead_days,
            safety,
            on_hand: stock.on_hand,
            until_then,
            on_order: stock.on_order,
            need,
            pack: stock.pack,
            min_order: stock.min_order,
            pieces: in_boxes(need, stock.pack, stock.min_order),
            price: stock.price,
            hindsight: hindsight(month.previous(), calendar, used, now),
        })
    }

    /// What it costs, in fen, if so many pieces are bought.
    pub fn cost(&self, pieces: i64) -> Option<i64> {
        self.price.and_then(|price| price.checked_mul(pieces))
    }
}

impl LaunchDays {
    fn of(dates: impl Iterator<Item = Date>, forecast: &Forecast) -> Option<Self> {
        let expected: Vec<f64> = dates.map(|date| forecast.day(date).mean).collect();
        let open = u32::try_from(expected.len()).ok().filter(|open| *open > 0)?;
        let each = expected.iter().sum::<f64>() / f64::from(open);
        let launch = forecast.launch();
        Some(Self { open, each, factor: launch.factor, learnt_from: launch.learnt_from })
    }
}

impl Hindsight {
    /// By how much of the use it was wrong, in percent; more than nothing if too much was expected. `None` if nothing was used.
    #[expect(clippy::cast_precision_loss, reason = "a month's use needs no more than 52 bits")]
    pub fn error_percent(&self) -> Option<f64> {
        (self.used > 0).then(|| (self.expected - self.used) as f64 / self.used as f64 * 100.0)
    }
}

/// Whole boxes for at least `need` pieces, and as many as are sold at least; none for none.
pub fn in_boxes(need: i64, pack: i64, min_order: i64) -> i64 {
    if need <= 0 {
        return 0;
    }
    let (pack, wanted) = (pack.max(1), need.max(min_order));
    wanted.div_euclid(pack).saturating_add(i64::from(wanted.rem_euclid(pack) > 0)).saturating_mul(pack)
}

/// What would have been forecast when each of the last months began, and what was used; with the launch days that are named today.
fn hindsight(last: Month, calendar: &Calendar, used: &[(Timestamp, u32)], now: Timestamp) -> Vec<Hindsight> {
    let months = std::iter::successors(Some(last), |month| Some(month.previous()));
    let whole_ones = months.filter(|month| month.next().begins(calendar) <= now).take(LOOKED_BACK);
    let seen = whole_ones.filter_map(|month| {
        let (begins, ends) = (month.begins(calendar), month.next().begins(calendar));
        let before = used.iter().copied().filter(|(at, _)| *at < begins);
        let forecast = Forecast::learn(calendar, before, begins)?;
        let truly: i64 = used.iter().filter(|(at, _)| (begins..ends).contains(at)).map(|(_, n)| i64::from(*n)).sum();
        let expected = whole(month.days().map(|date| forecast.day(date)).sum::<Demand>().mean);
        Some(Hindsight { month: month.to_string(), expected, used: truly })
    });
    let mut seen: Vec<_> = seen.collect();
    seen.reverse();
    seen
}

fn number(weekday: Weekday) -> i8 {
    weekday.to_monday_one_offset()
}

/// Pieces are whole: what is expected is rounded up.
#[expect(clippy::cast_possible_truncation, reason = "what is too much for a stock saturates")]
fn whole(pieces: f64) -> i64 {
    // A sum of shares may be off by less than a thousandth of a piece.
    (pieces - 1e-3).ceil().max(0.0) as i64
}

/// What somebody does with a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Act {
    /// Another number of pieces, with a reason. Everything approved so far is void.
    Edit {
        /// Pieces to be bought.
        pieces: i64,
    },
    /// Hands it up for approval.
    Submit,
    /// The superior whose turn it is agrees.
    Approve,
    /// The superior whose turn it is sends it back, with a reason.
    Return,
}

/// Who does something with a proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doer {
    /// Their id; none if nobody is signed in, or of what was done before ids were kept.
    pub id: Option<Box<str>>,
    /// Their name; empty if not known.
    pub name: Box<str>,
}

impl Doer {
    /// Whether both are one and the same. Without an id their names say so; whoever has neither is nobody in particular.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(another)) => one == another,
            _ => !self.name.is_empty() && self.name == other.name,
        }
    }
}

/// Where a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Pieces to be bought.
    pub pieces: i64,
    /// Whether it was handed up.
    pub submitted: bool,
    /// Who of those whose approval it needs has given it, from the lowest up.
    pub approved: Vec<Doer>,
}

/// Why something cannot be done with a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is with the superiors.
    #[error("it has been submitted: who is to approve it can send it back")]
    Submitted,
    /// It is not with the superiors.
    #[error("it has not been submitted")]
    NotSubmitted,
    /// Everybody has approved it.
    #[error("it has been approved")]
    Approved,
    /// It is another post's turn.
    #[error("another post is to approve it now")]
    NotYours,
    /// They have approved it at a lower level.
    #[error("you have approved it at a lower level: another person of this post is to approve it")]
    Twice,
    /// No reason is given.
    #[error("say why, in one line of at most {LONGEST_REASON} characters")]
    Reason,
    /// No number of pieces.
    #[error("pieces are a whole number from 0 to {MOST}")]
    Pieces,
}

/// The most pieces of a purchase: more is a slip of the hand.
pub const MOST: i64 = 10_000_000;

impl Standing {
    /// A proposal nobody has touched.
    pub fn new(pieces: i64) -> Self {
        Self { pieces, submitted: false, approved: Vec::new() }
    }

    /// Whether everybody has approved it, of `approvers`.
    pub fn is_approved(&self, approvers: usize) -> bool {
        self.submitted && self.approved.len() >= approvers
    }

    /// The one of `approvers` whose turn it is: one level after the other, as the chain of command has it (一条线指挥).
    pub fn turn<'a, T>(&self, approvers: &'a [T]) -> Option<&'a T> {
        approvers.get(self.approved.len()).filter(|_| self.submitted)
    }

    /// Whether somebody has approved it at one of the levels: then it is for another person to approve it at the next, whatever posts they
    /// hold. Each level is to look at it with eyes of its own.
    pub fn has_approval_of(&self, doer: &Doer) -> bool {
        self.approved.iter().any(|one| one.is(doer))
    }

    /// Does `act`. `may_speak_for` says of which posts `doer` is; `approvers` are the posts that approve, from the lowest up.
    ///
    /// # Errors
    ///
    /// Why it cannot be done; nothing has changed then.
    pub fn take(
        &mut self,
        act: &Act,
        reason: &str,
        doer: &Doer,
        may_speak_for: impl Fn(&str) -> bool,
        approvers: &[Box<str>],
    ) -> Result<(), Refusal> {
        let has_reason = !reason.trim().is_empty();
        if reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control) {
            return Err(Refusal::Reason);
        }
        match act {
            Act::Edit { .. } | Act::Submit if self.is_approved(approvers.len()) => return Err(Refusal::Approved),
            Act::Edit { .. } | Act::Submit if self.submitted => return Err(Refusal::Submitted),
            Act::Edit { pieces } => {
                if !(0..=MOST).contains(pieces) {
                    return Err(Refusal::Pieces);
                }
                if !has_reason {
                    return Err(Refusal::Reason);
                }
                self.pieces = *pieces;
            }
            Act::Submit => self.submitted = true,
            Act::Approve | Act::Return => {
                if !self.submitted {
                    return Err(Refusal::NotSubmitted);
                }
                let turn = self.turn(approvers).ok_or(Refusal::Approved)?;
                if !may_speak_for(turn) {
                    return Err(Refusal::NotYours);
                }
                if *act == Act::Approve {
                    if self.has_approval_of(doer) {
                        return Err(Refusal::Twice);
                    }
                    self.approved.push(doer.clone());
                } else if has_reason {
                    *self = Self::new(self.pieces);
                } else {
                    return Err(Refusal::Reason);
                }
            }
        }
        Ok(())
    }
}

impl Act {
    /// In one word, as it is stored.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Edit { .. } => "edit",
            Self::Submit => "submit",
            Self::Approve => "approve",
            Self::Return => "return",
        }
    }
}

#[cfg(test)]
mod tests;
