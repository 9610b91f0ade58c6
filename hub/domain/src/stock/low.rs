//! When somebody is told that an item runs low (SHO-D4, BAR-D5): the store room, when what is there and what comes in time do not last as
//! long as an order takes; a machine, when it runs out before the site closes. Once per crossing: what is low stays so until it is well
//! above its limit again.
//!
//! It is an alert that no rule of the pack raises, as what people report is one: told, followed up and shown like any other. Data of
//! devices neither raise nor clear it.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::{
    calendar::{Window, local},
    condition::Condition,
    label::Label,
    pack::Item,
    rule::{Effect, OnNoData, Rule, Severity, Supply},
    time::{Span, Timestamp},
};

/// With what the rules of stock begin. No rule of a pack can be called so: their names hold no `/`.
const PREFIX: &str = "stock/";

/// What runs low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Low {
    /// The store room.
    Room,
    /// A machine runs out before the site closes, or is below its refill level.
    Machine,
    /// A machine is empty, by the ledger, while guests are there.
    Empty,
}

/// A store room and what is to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Pieces there.
    pub on_hand: i64,
    /// Pieces that come before those are used up.
    pub arriving: i64,
    /// Pieces that are expected to be used while an order takes its time.
    pub expected: f64,
    /// The fewest that are to be left then.
    pub min: i64,
}

/// What is still to come of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coming {
    /// Pieces.
    pub pieces: i64,
    /// When.
    pub due: Timestamp,
}

/// A machine and what is expected of it until the site closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Pieces left in it.
    pub left: i64,
    /// Pieces below which it is to be refilled.
    pub low_at: Option<i64>,
    /// Pieces that are expected to be used until the site closes.
    pub expected: f64,
    /// Whether what it says of itself is judged by rules of the pack already: then it is not told again that few are left.
    pub speaks: bool,
    /// Whether guests are there.
    pub open: bool,
}

/// Whether an alert is one of stock.
pub fn is_of_stock(rule: &str) -> bool {
    rule.starts_with(PREFIX)
}

/// The dead band: a tenth of a limit.
fn beyond(limit: f64, was_low: bool) -> f64 {
    if was_low { limit + limit / 10.0 } else { limit }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 pieces")]
const fn number(pieces: i64) -> f64 {
    pieces as f64
}

impl Room {
    /// Pieces that will be there when an order made now arrives.
    pub fn available(&self) -> f64 {
        number(self.on_hand + self.arriving) - self.expected
    }

    /// Whether it runs low, if it did or did not until now.
    pub fn is_low(&self, was_low: bool) -> bool {
        self.available() < beyond(number(self.min), was_low)
    }
}

/// How much of what is ordered comes before a store room is used up; all of it, if it is not going to be.
pub fn in_time(coming: &[Coming], runs_out: Option<Timestamp>) -> i64 {
    let is_in_time = |order: &&Coming| runs_out.is_none_or(|out| order.due <= out);
    coming.iter().filter(is_in_time).map(|order| order.pieces.max(0)).sum()
}

impl Machine {
    /// Whether it is to be refilled before guests find it empty, if it was or was not to be until now.
    pub fn is_low(&self, was_low: bool) -> bool {
        let level = self.low_at.filter(|_| !self.speaks).unwrap_or(0);
        // Below its own level a rule of the pack tells it while guests are there: then nobody is told a second time.
        if self.speaks && self.open && !was_low && self.low_at.is_some_and(|low| self.left < low) {
            return false;
        }
        // What is used up is told by the machine itself, or as empty.
        let holds = self.left > 0 || was_low;
        let needed = beyond(self.expected, was_low).max(beyond(number(level), was_low));
        holds && needed > 0.0 && number(self.left) < needed
    }

    /// Whether guests find it empty, which nobody but the ledger says.
    pub fn is_empty(&self) -> bool {
        !self.speaks && self.open && self.left <= 0
    }
}

impl Low {
    /// Everything that can run low.
    pub const ALL: [Self; 3] = [Self::Room, Self::Machine, Self::Empty];

    const fn word(self) -> &'static str {
        match self {
            Self::Room => "low",
            Self::Machine => "refill",
            Self::Empty => "empty",
        }
    }

    /// The rule that stands for it, by its id.
    pub fn rule_id(self, item: &str) -> String {
        format!("{PREFIX}{}/{item}", self.word())
    }

    /// What it says of the supply of a machine; nothing of a store room, whose books say it.
    pub const fn supply(self) -> Option<Supply> {
        match self {
            Self::Room => None,
            Self::Machine => Some(Supply::Low),
            Self::Empty => Some(Supply::Out),
        }
    }

    /// What an alert's rule is about, with the item.
    pub fn from_rule(rule: &str) -> Option<(Self, &str)> {
        let (word, item) = rule.strip_prefix(PREFIX)?.split_once('/')?;
        Some((Self::ALL.into_iter().find(|low| low.word() == word)?, item))
    }

    /// The rule that stands for it.
    pub fn rule(self, id: &str, item: &Item) -> Arc<Rule> {
        let Label { zh, en } = &item.label;
        let (title, advice) = match self {
            Self::Room => (
                Label::new(format!("{zh}库存不足"), format!("{en}: the store room runs low")),
                Label::new(
                    format!("样板房清点库房并报主管采购{zh}；已下单的请登记。"),
                    format!("Count the store room and ask the supervisor to buy {en}; enter what is ordered."),
                ),
            ),
            Self::Machine => (
                Label::new(format!("{zh}需补货"), format!("{en}: to be refilled")),
                Label::new(
                    "样板房在用完之前补货，并登记补货数量。",
                    "Refill it before it runs out, and enter how many.",
                ),
            ),
            Self::Empty => (
                Label::new(format!("{zh}按账已用完"), format!("{en}: used up, by the ledger")),
                Label::new(
                    "样板房马上取一次性鞋套帮客人穿上，并马上补货；机器里还有的话请盘点更正。",
                    "Hand them out by hand at once, and refill the machine; if it still holds some, count them.",
                ),
            ),
        };
        Arc::new(Rule {
            id: self.rule_id(id).into(),
            clauses: item.clauses.clone(),
            kinds: Vec::new(),
            when: Condition::All(Vec::new()),
            until: None,
            raise_after: Span::ZERO,
            samples: None,
            on_no_data: OnNoData::Hold,
            clear_after: Span::ZERO,
            during: Window::Always,
            severity: if self == Self::Empty { Severity::Critical } else { Severity::Warning },
            effect: if self == Self::Empty { Effect::Failed } else { Effect::None },
            tells: item.tells.clone(),
            ticket: None,
            supply: self.supply(),
            title,
            advice,
        })
    }
}

/// A time as people read it who know which day it is, or with its day.
pub fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (local(at, zone), local(now, zone));
    let format = if at.date() == now.date() { "%H:%M" } else { "%m-%d %H:%M" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::pack::Pack;

    const fn room(on_hand: i64, arriving: i64, expected: f64) -> Room {
        Room { on_hand, arriving, expected, min: 200 }
    }

    #[rstest]
    #[case::enough(room(500, 0, 300.0), false, false)]
    #[case::just_low(room(499, 0, 300.0), false, true)]
    #[case::what_comes_in_time_counts(room(100, 400, 300.0), false, false)]
    #[case::still_low_within_the_dead_band(room(519, 0, 300.0), true, true)]
    #[case::over_beyond_it(room(520, 0, 300.0), true, false)]
    #[case::books_below_nothing(room(-5, 0, 0.0), false, true)]
    fn a_store_room_is_low_when_an_order_made_now_would_come_too_late(
        #[case] room: Room,
        #[case] was_low: bool,
        #[case] is_low: bool,
    ) {
        assert_eq!(room.is_low(was_low), is_low);
    }

    #[test]
    fn a_store_room_is_told_of_once_per_crossing() {
        let mut low = false;
        let mut told = 0;
        for on_hand in [600, 499, 505, 499, 510, 498, 530, 499] {
            let now = room(on_hand, 0, 300.0).is_low(low);
            told += u32::from(now && !low);
            low = now;
        }
        assert_eq!(told, 2);
    }

    #[test]
    fn only_what_comes_before_the_room_is_used_up_counts() {
        let due = |pieces, hour: i64| Coming { pieces, due: Timestamp::from_millis(hour * 3_600_000) };
        let coming = [due(100, 5), due(50, 10), due(-3, 1)];
        assert_eq!(in_time(&coming, Some(Timestamp::from_millis(5 * 3_600_000))), 100);
        assert_eq!(in_time(&coming, None), 150);
    }

    #[rstest]
    #[case::lasts(Machine { left: 101, low_at: None, expected: 100.0, speaks: true, open: true }, false, (false, false))]
    #[case::runs_out(Machine { left: 99, low_at: None, expected: 100.0, speaks: true, open: true }, false, (true, false))]
    #[case::still_low(Machine { left: 109, low_at: None, expected: 100.0, speaks: true, open: true }, true, (true, false))]
    #[case::refilled(Machine { left: 110, low_at: None, expected: 100.0, speaks: true, open: true }, true, (false, false))]
    #[case::its_own_level_is_judged_already(
        Machine { left: 40, low_at: Some(50), expected: 10.0, speaks: true, open: true }, false, (false, false))]
    #[case::told_by_its_own_rule_already(
        Machine { left: 40, low_at: Some(50), expected: 100.0, speaks: true, open: true }, false, (false, false))]
    #[case::which_sleeps_at_night(
        Machine { left: 40, low_at: Some(50), expected: 100.0, speaks: true, open: false }, false, (true, false))]
    #[case::a_level_by_the_ledger(
        Machine { left: 40, low_at: Some(50), expected: 10.0, speaks: false, open: true }, false, (true, false))]
    #[case::empty_by_the_ledger(
        Machine { left: 0, low_at: None, expected: 10.0, speaks: false, open: true }, false, (false, true))]
    #[case::empty_at_night(
        Machine { left: 0, low_at: None, expected: 10.0, speaks: false, open: false }, true, (true, false))]
    #[case::says_itself_that_it_is_empty(
        Machine { left: 0, low_at: None, expected: 10.0, speaks: true, open: true }, false, (false, false))]
    #[case::unused(Machine { left: 5, low_at: None, expected: 0.0, speaks: true, open: true }, false, (false, false))]
    fn a_machine_is_refilled_before_it_runs_out(
        #[case] machine: Machine,
        #[case] was_low: bool,
        #[case] is: (bool, bool),
    ) {
        assert_eq!((machine.is_low(was_low), machine.is_empty()), is);
    }

    #[test]
    fn its_rules_tell_the_posts_of_the_item_and_open_no_ticket() {
        let pack = Pack::built_in();
        let covers = &pack.items["shoe-cover"];
        for low in Low::ALL {
            let rule = low.rule("shoe-cover", covers);
            assert!(is_of_stock(&rule.id) && pack.rule(&rule.id).is_none(), "{}", rule.id);
            assert_eq!(Low::from_rule(&rule.id), Some((low, "shoe-cover")));
            assert_eq!((&*rule.tells, rule.ticket.is_none()), (&["showflat".into()][..], true));
        }
        assert_eq!(Low::from_rule("reported/device"), None);
    }
}
