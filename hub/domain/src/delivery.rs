//! Which records of one agent's epoch have arrived: the basis of the acknowledgement, which promises that nothing below it is
//! missing.

use std::collections::BTreeMap;

use crate::time::{Span, Timestamp};

/// How long the first records of an epoch may overtake one another before the lowest of them is taken as the first there is.
const SETTLING: Span = Span::from_secs(2);

/// The records of one epoch that have been taken in, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Nothing is known of what came before; such records are stored when they come, but not waited for.
    base: u64,
    /// Nothing above `base` and up to here is missing.
    committed: u64,
    /// Ranges taken in beyond `committed`: first to last `seq`.
    ahead: BTreeMap<u64, u64>,
    /// While the first `seq` of the epoch is still open.
    pub(crate) settles_at: Option<Timestamp>,
    /// When the gap before `ahead` was last asked for.
    pub(crate) asked_at: Option<Timestamp>,
}

/// Whether a record is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It has not been taken in before.
    New,
    /// It has been taken in before.
    Duplicate,
    /// It is from before the first known record: only the database can tell.
    BeforeBase,
}

impl Stream {
    /// A stream of which nothing is known yet, first heard of at `now`.
    pub fn opened(now: Timestamp) -> Self {
        Self { base: 0, committed: 0, ahead: BTreeMap::new(), settles_at: Some(now + SETTLING), asked_at: None }
    }

    /// A stream as it was stored; records beyond `committed` are taken in again by [`Stream::take`].
    pub fn restored(base: u64, committed: u64) -> Self {
        Self { base, committed, ahead: BTreeMap::new(), settles_at: None, asked_at: None }
    }

    /// The `seq` before the first one known.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The highest `seq` up to which nothing is missing; `None` while the first one is still open.
    pub fn committed(&self) -> Option<u64> {
        (self.settles_at.is_none() || self.committed > self.base).then_some(self.committed)
    }

    /// Takes in one record.
    pub fn take(&mut self, seq: u64) -> Arrival {
        if seq <= self.base {
            return Arrival::BeforeBase;
        }
        if seq <= self.committed || self.ahead.range(..=seq).next_back().is_some_and(|(_, last)| *last >= seq) {
            return Arrival::Duplicate;
        }
        self.cover(seq, seq);
        Arrival::New
    }

    /// Counts `from..=to` as settled, because the agent no longer has them.
    pub fn give_up(&mut self, from: u64, to: u64) {
        if to > self.committed {
            self.cover(from.max(self.committed + 1), to);
        }
    }

    /// The agent holds nothing below `oldest`. Returns the range that is thereby lost, if it had been waited for.
    pub fn starts_at(&mut self, oldest: u64) -> Option<(u64, u64)> {
        let last_gone = oldest.saturating_sub(1);
        if self.settles_at.take().is_some() && self.committed == 0 {
            self.rebase(last_gone);
            return None;
        }
        if last_gone <= self.committed {
            return None;
        }
        let from = self.committed + 1;
        let missing = self.ahead.range(from..=last_gone).next().is_none_or(|(first, _)| *first > from).then_some(from);
        let until = self.ahead.range(from..=last_gone).next().map_or(last_gone, |(first, _)| first - 1);
        self.cover(from, last_gone);
        missing.map(|from| (from, until))
    }

    /// Lets time pass: after a while the lowest record seen is taken as the first. Returns whether that changed anything.
    pub fn settle(&mut self, now: Timestamp) -> bool {
        if self.settles_at.is_none_or(|at| now < at) {
            return false;
        }
        self.settles_at = None;
        if self.committed == 0
            && let Some((first, _)) = self.ahead.first_key_value()
        {
            self.rebase(first - 1);
        }
        true
    }

    /// The first missing range, if it is time to ask for it: not more often than every `every`.
    pub fn gap_to_ask(&mut self, now: Timestamp, every: Span) -> Option<(u64, u64)> {
        let (first, _) = self.ahead.first_key_value()?;
        let gap = (self.committed + 1, first - 1);
        let asked = self.asked_at.get_or_insert(now);
        if self.settles_at.is_some() || now.since(*asked) < every {
            return None;
        }
        *asked = now;
        Some(gap)
    }

    fn rebase(&mut self, base: u64) {
        self.base = base;
        self.committed = base;
        self.ahead = self.ahead.split_off(&(base + 1));
        self.advance();
    }

    fn cover(&mut self, from: u64, to: u64) {
        let (mut first, mut last) = (from, to);
        // Ranges that touch the new one are joined with it, so that there are as many ranges as gaps.
        while let Some((&start, &end)) = self.ahead.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.ahead.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.ahead.insert(first, last);
        self.advance();
    }

    fn advance(&mut self) {
        while let Some((&first, &last)) = self.ahead.first_key_value() {
            if first > self.committed + 1 {
                return;
            }
            self.ahead.pop_first();
            self.committed = self.committed.max(last);
            self.asked_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const T0: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn records_in_order_are_acknowledged_at_once() {
        let mut stream = Stream::opened(T0);
        assert_eq!(stream.committed(), None);
        for seq in 1..=3 {
            assert_eq!(stream.take(seq), Arrival::New);
        }
        assert_eq!(stream.committed(), Some(3));
    }

    #[test]
    fn nothing_beyond_a_gap_is_acknowledged_until_it_is_filled_or_lost() {
        let mut stream = Stream::restored(0, 10);
        stream.take(12);
        stream.take(14);
        assert_eq!(stream.committed(), Some(10));
        stream.take(11);
        assert_eq!(stream.committed(), Some(12));
        stream.give_up(13, 13);
        assert_eq!(stream.committed(), Some(14));
    }

    #[test]
    fn the_first_record_known_may_have_any_number() {
        let mut stream = Stream::opened(T0);
        for seq in [103, 101, 102] {
            assert_eq!(stream.take(seq), Arrival::New);
        }
        assert_eq!(stream.committed(), None);
        assert!(stream.settle(T0 + SETTLING));
        assert_eq!(stream.committed(), Some(103));
        assert_eq!(stream.take(7), Arrival::BeforeBase);
        assert_eq!(stream.take(102), Arrival::Duplicate);
    }

    #[test]
    fn what_the_agent_no_longer_holds_is_lost_and_not_waited_for() {
        let mut stream = Stream::restored(0, 10);
        assert_eq!(stream.starts_at(11), None);
        assert_eq!(stream.starts_at(15), Some((11, 14)));
        assert_eq!(stream.committed(), Some(14));
    }

    #[test]
    fn a_first_contact_begins_where_the_agents_spool_begins() {
        let mut stream = Stream::opened(T0);
        assert_eq!(stream.starts_at(500), None);
        stream.take(500);
        assert_eq!(stream.committed(), Some(500));
    }

    #[test]
    fn a_gap_is_asked_for_after_a_while_and_then_again() {
        let every = Span::from_secs(5);
        let mut stream = Stream::restored(0, 10);
        stream.take(14);
        assert_eq!(stream.gap_to_ask(T0, every), None);
        assert_eq!(stream.gap_to_ask(T0 + every, every), Some((11, 13)));
        assert_eq!(stream.gap_to_ask(T0 + every, every), None);
        assert_eq!(stream.gap_to_ask(T0 + every.times(2), every), Some((11, 13)));
    }

    proptest! {
        #[test]
        fn each_record_is_new_once_and_the_acknowledgement_never_passes_a_gap(
            seqs in prop::collection::vec(1u64..60, 1..200)
        ) {
            let mut stream = Stream::restored(0, 0);
            let mut seen = BTreeSet::new();
            for seq in seqs {
                let expected = if seen.insert(seq) { Arrival::New } else { Arrival::Duplicate };
                prop_assert_eq!(stream.take(seq), expected);
                let without_gap = (1..=60).take_while(|seq| seen.contains(seq)).last().unwrap_or(0);
                prop_assert_eq!(stream.committed(), Some(without_gap));
            }
        }
    }
}
