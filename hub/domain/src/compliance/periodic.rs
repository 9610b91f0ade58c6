//! What comes round: stock-takes, and that machines do not run out from one month to the next.

use crate::{
    calendar::Calendar,
    compliance::{meet, open_within},
    pack::Pack,
    past::Period,
    rule::Supply,
    stock::low::Low,
    time::{Span, Timestamp},
};

/// How much of the opening hours a machine must have been heard of, in tenths, before it can be said that it never ran out.
pub const SEEN_ENOUGH: i64 = 9;

/// When stock-takes of a site were due before `until`: every one with that which was closed for it, by its place in `closed`. The first is
/// due when the register is as old as a stock-take is good for, each other one so long after the one before it was closed. One that nobody
/// makes is due again after the same time.
pub fn stock_takes(
    begun: Timestamp,
    closed: &[Timestamp],
    (until, every): (Timestamp, Span),
) -> Vec<(Timestamp, Option<usize>)> {
    let (mut all, mut since, mut due) = (Vec::new(), begun, begun + every);
    while due < until {
        let next = closed.iter().position(|at| *at > since);
        match next {
            Some(at) if closed[at] < due + every => {
                all.push((due, Some(at)));
                since = closed[at];
                due = since + every;
            }
            _ => {
                all.push((due, None));
                due = due + every;
            }
        }
    }
    all
}

/// What an alert of a rule says of the supply.
pub fn supply_of(pack: &Pack, rule: &str) -> Option<Supply> {
    match Low::from_rule(rule) {
        Some((low, _)) => low.supply(),
        None => pack.rule(rule).and_then(|rule| rule.supply),
    }
}

/// An alert that says that a machine is out of what it hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutTime {
    /// From when until when.
    pub period: Period,
    /// Which of those that were given.
    pub alert: usize,
}

/// How often a machine ran out while guests were there within `month`: alerts at one time are one. `outs` are in the order in which they
/// began; each tells from when until when, and until `now` if it is not over.
pub fn ran_out(
    calendar: &Calendar,
    month: Period,
    outs: &[(Timestamp, Option<Timestamp>)],
    now: Timestamp,
) -> Vec<OutTime> {
    let mut all: Vec<OutTime> = Vec::new();
    for (alert, (from, to)) in outs.iter().enumerate() {
        // It lasts for a moment at least.
        let to = to.unwrap_or(now).max(from.shifted(1));
        let Some(within) = meet((*from, to), month) else { continue };
        if open_within(calendar, within).is_empty() {
            continue;
        }
        match all.last_mut() {
            Some(last) if within.0 <= last.period.1 => last.period.1 = last.period.1.max(within.1),
            _ => all.push(OutTime { period: within, alert }),
        }
    }
    all
}

/// A change of what a store room holds by the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stocked {
    /// When.
    pub at: Timestamp,
    /// Pieces that came; less than zero if they went.
    pub pieces: i64,
    /// Whether somebody counted.
    pub counted: bool,
}

/// From when until when a store room was empty by its books, from `since` on, when it held `began`. Where a count ends that by finding
/// pieces, the books were wrong and it was not: that is left out.
pub fn room_outs(since: Timestamp, began: i64, changes: &[Stocked]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let (mut all, mut left) = (Vec::new(), began);
    let mut empty = (began <= 0).then_some(since);
    for change in changes {
        left += change.pieces;
        match empty {
            None if left <= 0 => empty = Some(change.at),
            Some(from) if left > 0 => {
                if !change.counted {
                    all.push((from, Some(change.at)));
                }
                empty = None;
            }
            _ => {}
        }
    }
    all.extend(empty.map(|from| (from, None)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    const fn change(minute: i64, pieces: i64) -> Stocked {
        Stocked { at: at(minute), pieces, counted: false }
    }

    #[test]
    fn a_store_room_is_empty_from_when_nothing_is_left_until_something_comes() {
        let changes = [change(1, -40), change(2, -60), change(3, -5), change(4, 500), change(5, -495)];
        assert_eq!(room_outs(at(0), 100, &changes), [(at(2), Some(at(4))), (at(5), None)]);
        assert_eq!(room_outs(at(0), 0, &[change(3, 1)]), [(at(0), Some(at(3)))], "it was empty before");
        assert_eq!(room_outs(at(0), 1, &[]), []);
    }

    #[test]
    fn a_count_that_finds_pieces_shows_that_the_books_were_wrong() {
        let found = Stocked { counted: true, ..change(3, 80) };
        assert_eq!(room_outs(at(0), 40, &[change(1, -60), found]), []);
        let nothing = Stocked { counted: true, ..change(3, -40) };
        assert_eq!(room_outs(at(0), 40, &[nothing]), [(at(3), None)], "a count that finds nothing says that it is out");
    }
}
