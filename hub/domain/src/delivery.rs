//! Which records of one agent's epoch have arrived: the basis of the acknowledgement, which promises that nothing below it is
//! missing, and of the ledger.

use crate::{
    ledger::{Ledger, Tally},
    ranges::Ranges,
    time::{Span, Timestamp},
};

/// How long the first records of an epoch may overtake one another before the lowest of them is taken as the first there is.
const SETTLING: Span = Span::from_secs(2);
/// How long the agent has to answer what became of those before, which by the contract begin with 1.
const ANSWERING: Span = Span::from_secs(3);
/// How many numbers may lie between the highest heard of and the next: more than any agent makes in its life.
const FARTHEST: u64 = 1 << 32;

/// The records of one epoch that have been taken in, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// What came before is not waited for; it is stored when it comes.
    base: u64,
    /// Nothing above `base` and up to here is missing.
    committed: u64,
    /// What was taken in beyond `committed`.
    ahead: Ranges,
    /// What was taken in or given up of that before `base`.
    early: Ranges,
    /// While the first `seq` of the epoch is still open.
    pub(crate) settles_at: Option<Timestamp>,
    /// When the gap before `ahead` was last asked for.
    pub(crate) asked_at: Option<Timestamp>,
    pub(crate) tally: Tally,
}

/// Whether a record is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It has not been taken in before.
    New,
    /// It has been taken in before.
    Duplicate,
}

impl Stream {
    /// A stream of which nothing is known yet, first heard of at `now`.
    pub fn opened(now: Timestamp) -> Self {
        Self { settles_at: Some(now + SETTLING), ..Self::restored(0, 0) }
    }

    /// A stream as it was stored; what was taken in beyond `committed` and before `base` is taken in again by [`Stream::retake`], and then
    /// what was counted of it is put back by [`Stream::counted`].
    pub fn restored(base: u64, committed: u64) -> Self {
        let tally = Tally { heard: committed.max(base), ..Tally::default() };
        Self {
            base,
            committed,
            ahead: Ranges::default(),
            early: Ranges::default(),
            settles_at: None,
            asked_at: None,
            tally,
        }
    }

    /// Puts back what had been counted when the stream was stored.
    pub fn counted(&mut self, tally: Tally) {
        let heard = self.tally.heard.max(tally.heard);
        self.tally = Tally { heard, ..tally };
    }

    /// What has been counted, to be stored with the stream.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What has become of the records of this epoch.
    pub fn ledger(&self, now: Timestamp) -> Ledger {
        let tally = &self.tally;
        // While the first number is still open, nothing before the lowest one seen is missed.
        let base = match self.ahead.first() {
            Some((first, _)) if self.settles_at.is_some() && self.committed == 0 => first - 1,
            _ => self.base,
        };
        let produced = tally.heard.saturating_sub(base) + self.early.count();
        let missing = tally.heard.saturating_sub(self.committed.max(base)) - self.ahead.count();
        Ledger {
            produced,
            stored: produced.saturating_sub(missing + tally.lost + tally.unreadable),
            missing,
            missing_since: tally.missing_since.filter(|_| missing > 0),
            lost: tally.lost,
            unreadable: tally.unreadable,
            duplicates: tally.duplicates,
            resends: tally.resends,
            longest_delay: tally.longest_delay,
            longest_delay_day: tally.delays.longest(now),
        }
    }

    /// The `seq` before the first one known.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The highest `seq` up to which nothing is missing; `None` while the first one is still open.
    pub fn committed(&self) -> Option<u64> {
        (self.settles_at.is_none() || self.committed > self.base).then_some(self.committed)
    }

    /// Whether an agent can have come to that number: one far ahead of all others is a mistake, and would hold up everything.
    pub fn may_be(&self, seq: u64) -> bool {
        let heard = self.tally.heard.max(self.committed);
        seq > 0 && (heard == 0 || seq <= heard.saturating_add(FARTHEST))
    }

    /// Whether nothing of this epoch has been heard of yet.
    pub fn is_unheard(&self) -> bool {
        self.tally.heard.max(self.committed) == 0
    }

    /// Whether an agent can have made, and lost, everything up to that number.
    pub fn may_lack(&self, seq: u64) -> bool {
        seq <= self.tally.heard.max(self.committed).saturating_add(FARTHEST)
    }

    /// Takes in one record.
    pub fn take(&mut self, seq: u64) -> Arrival {
        if self.has(seq) {
            self.tally.duplicates += 1;
            return Arrival::Duplicate;
        }
        if seq == self.committed + 1 {
            // In order, as nearly all are.
            (self.committed, self.tally.heard, self.asked_at) = (seq, self.tally.heard.max(seq), None);
            self.advance();
        } else {
            self.retake(seq, seq);
        }
        Arrival::New
    }

    /// A record came that cannot be read and never will: it is not waited for. Returns whether that is news.
    pub fn refuse(&mut self, seq: u64) -> bool {
        if seq <= self.base || self.has(seq) {
            return false;
        }
        self.cover(seq, seq);
        self.tally.unreadable += 1;
        true
    }

    /// Counts `from..=to` as settled, because the agent no longer has them. Returns what is lost thereby: what had neither come nor
    /// been given up before.
    pub fn give_up(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let lost = self.retake(from, to);
        self.tally.lost += lost.iter().map(|(from, to)| to - from + 1).sum::<u64>();
        lost
    }

    /// Counts `from..=to` as settled, as they were before the stream was stored. Returns what was not known of it.
    pub fn retake(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut new = self.early.add(from, to.min(self.base));
        if to > self.committed {
            new.extend(self.cover(from.max(self.committed + 1), to));
        }
        new
    }

    /// The agent holds nothing below `oldest`. Returns what is thereby lost.
    pub fn starts_at(&mut self, oldest: u64) -> Vec<(u64, u64)> {
        let last_gone = oldest.saturating_sub(1);
        if self.settles_at.take().is_some() && self.committed == 0 {
            // What was seen already shows that the epoch began no later than there.
            let first_seen = self.ahead.first().map_or(last_gone, |(first, _)| first - 1);
            self.rebase(last_gone.min(first_seen));
        }
        if last_gone <= self.committed { Vec::new() } else { self.give_up(self.committed + 1, last_gone) }
    }

    /// A record was received at `now`, so long after its probe.
    pub fn delayed(&mut self, delay: Span, now: Timestamp) {
        self.tally.longest_delay = self.tally.longest_delay.max(delay);
        self.tally.delays.observe(delay, now);
    }

    /// Takes note of whether something is missing. To be called after whatever was taken in at `now`.
    pub fn note(&mut self, now: Timestamp) {
        if self.ahead.is_empty() {
            self.tally.missing_since = None;
        } else {
            self.tally.missing_since.get_or_insert(now);
        }
    }

    /// Lets time pass: after a while, in which [`Self::gap_to_ask`] asks for what came before, the lowest record seen is taken as the first. Returns whether that changed anything.
    pub fn settle(&mut self, now: Timestamp) -> bool {
        if self.settles_at.is_none_or(|at| now < at) {
            return false;
        }
        self.settles_at = None;
        if self.committed == 0
            && let Some((first, _)) = self.ahead.first()
        {
            self.rebase(first - 1);
        }
        self.note(now);
        true
    }

    /// The first missing range, if it is time to ask for it: not more often than every `every`, and what an epoch should have begun with
    /// once. An agent that said what it holds is not asked for what came before. What it answers that it no longer has is lost, also where
    /// another database has it.
    pub fn gap_to_ask(&mut self, now: Timestamp, every: Span) -> Option<(u64, u64)> {
        let (first, _) = self.ahead.first()?;
        let gap = (self.committed + 1, first - 1);
        if let Some(settles_at) = self.settles_at {
            if self.committed > 0 || self.asked_at.is_some() || now < settles_at {
                return None;
            }
            self.settles_at = Some(now + ANSWERING);
        } else if now.since(*self.asked_at.get_or_insert(now)) < every {
            return None;
        }
        self.asked_at = Some(now);
        self.tally.resends += 1;
        Some(gap)
    }

    fn has(&self, seq: u64) -> bool {
        if seq <= self.base { self.early.contains(seq) } else { seq <= self.committed || self.ahead.contains(seq) }
    }

    fn rebase(&mut self, base: u64) {
        self.base = base;
        self.committed = base;
        self.tally.heard = self.tally.heard.max(base);
        self.advance();
    }

    /// Returns what had not been covered before.
    fn cover(&mut self, from: u64, to: u64) -> Vec<(u64, u64)> {
        self.tally.heard = self.tally.heard.max(to);
        let new = self.ahead.add(from, to);
        self.advance();
        new
    }

    fn advance(&mut self) {
        while let Some((first, last)) = self.ahead.first() {
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
    fn a_number_that_no_agent_comes_to_is_a_mistake() {
        let mut stream = Stream::opened(T0);
        assert!(stream.may_be(1 << 40) && !stream.may_be(0), "the first one may have any number");
        stream.take(7);
        assert!(stream.may_be(7 + FARTHEST) && !stream.may_be(8 + FARTHEST));
        assert!(stream.may_lack(7 + FARTHEST) && !stream.may_lack(8 + FARTHEST));
        assert!(!Stream::opened(T0).may_lack(1 << 40), "nor is so much lost before anything else is heard of");
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
        assert_eq!(stream.take(7), Arrival::New, "it comes late, and is not waited for");
        assert_eq!((stream.take(7), stream.take(102)), (Arrival::Duplicate, Arrival::Duplicate));
        assert_eq!(stream.give_up(6, 7), [(6, 6)], "what came is not lost");
    }

    #[test]
    fn what_an_epoch_should_have_begun_with_is_asked_for_once() {
        let every = Span::from_secs(5);
        let asked = || {
            let mut stream = Stream::opened(T0);
            stream.take(7);
            assert_eq!(stream.gap_to_ask(T0, every), None, "the first ones may overtake one another");
            assert_eq!(stream.gap_to_ask(T0 + SETTLING, every), Some((1, 6)));
            assert_eq!(stream.gap_to_ask(T0 + SETTLING, every), None);
            assert!(!stream.settle(T0 + SETTLING) && stream.committed().is_none(), "it has time to answer");
            stream
        };
        let mut answered = asked();
        answered.give_up(1, 2);
        for seq in 3..=6 {
            assert_eq!(answered.take(seq), Arrival::New);
        }
        assert_eq!((answered.committed(), answered.ledger(T0).lost), (Some(7), 2));
        let mut silent = asked();
        assert!(silent.settle(T0 + SETTLING + ANSWERING));
        assert_eq!(silent.committed(), Some(7), "and is not waited for longer");
        assert_eq!(silent.gap_to_ask(T0 + every.times(9), every), None);
    }

    #[test]
    fn what_the_agent_no_longer_holds_is_lost_and_not_waited_for() {
        let mut stream = Stream::restored(0, 10);
        assert_eq!(stream.starts_at(11), []);
        stream.take(13);
        assert_eq!(stream.starts_at(15), [(11, 12), (14, 14)], "what came is not lost");
        assert_eq!(stream.committed(), Some(14));
    }

    #[test]
    fn a_first_contact_begins_where_the_agents_spool_begins() {
        let mut stream = Stream::opened(T0);
        assert_eq!(stream.starts_at(500), []);
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
    #[test]
    fn ranges_of_losses_that_overlap_are_counted_once() {
        let mut stream = Stream::restored(0, 10);
        stream.take(14);
        assert_eq!(stream.give_up(11, 15), [(11, 13), (15, 15)]);
        assert_eq!(stream.give_up(12, 17), [(16, 17)]);
        assert_eq!(stream.give_up(9, 17), []);
        assert_eq!(stream.ledger(T0).lost, 6);
    }

    #[test]
    fn a_loss_from_before_the_first_record_known_is_counted_too_and_once() {
        let mut stream = Stream::opened(T0);
        stream.starts_at(51);
        stream.take(51);
        assert_eq!(stream.give_up(31, 50), [(31, 50)]);
        assert_eq!(stream.give_up(21, 40), [(21, 30)]);
        let ledger = stream.ledger(T0);
        assert_eq!((ledger.produced, ledger.stored, ledger.lost, ledger.missing), (31, 1, 30, 0));
    }

    #[test]
    fn what_is_missing_is_known_since_when_until_it_comes() {
        let minute = |count| T0 + Span::from_mins(count);
        let mut stream = Stream::restored(0, 10);
        for (seq, now) in [(12, minute(1)), (14, minute(2)), (11, minute(3))] {
            stream.take(seq);
            stream.note(now);
        }
        let ledger = stream.ledger(T0);
        assert_eq!((ledger.missing, ledger.missing_since), (1, Some(minute(1))));
        stream.take(13);
        stream.note(minute(4));
        let ledger = stream.ledger(T0);
        assert_eq!((ledger.missing, ledger.missing_since, ledger.stored), (0, None, 14));
    }

    /// One thing that happens to a stream.
    #[derive(Debug, Clone)]
    enum Step {
        Take(u64),
        Refuse(u64),
        GiveUp(u64, u64),
        StartsAt(u64),
        Settle,
        /// The hub stops and goes on from what was stored.
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (1u64..60).prop_map(Step::Take),
            1 => (1u64..60).prop_map(Step::Refuse),
            2 => (1u64..60, 0u64..9).prop_map(|(from, length)| Step::GiveUp(from, from + length)),
            1 => (1u64..60).prop_map(Step::StartsAt),
            1 => Just(Step::Settle),
            1 => Just(Step::Restart),
        ];
        prop::collection::vec(step, 1..120)
    }

    /// What the database holds of an epoch: the records, the lost ranges, and the stream's row.
    #[derive(Default)]
    struct Stored {
        records: BTreeSet<u64>,
        given_up: BTreeSet<u64>,
        unreadable: BTreeSet<u64>,
        row: Option<(u64, u64, Tally)>,
    }

    impl Stored {
        fn restart(&self) -> Option<Stream> {
            let (base, committed, tally) = self.row.clone()?;
            let mut stream = Stream::restored(base, committed);
            let outside = |seq: &&u64| **seq > committed || **seq <= base;
            for seq in self.records.iter().filter(outside) {
                stream.retake(*seq, *seq);
            }
            for seq in self.given_up.iter().chain(&self.unreadable).filter(outside) {
                stream.give_up(*seq, *seq);
            }
            stream.counted(tally);
            Some(stream)
        }
    }

    proptest! {
        #[test]
        fn the_ledger_adds_up_whatever_comes_in_whatever_order_and_never_goes_back(steps in steps()) {
            let (mut stream, mut stored) = (Stream::opened(T0), Stored::default());
            let mut before = Ledger::default();
            for step in steps {
                match step {
                    Step::Take(seq) => {
                        if stream.take(seq) == Arrival::New {
                            prop_assert!(stored.records.insert(seq), "{} is new twice", seq);
                        }
                    }
                    Step::Refuse(seq) => {
                        if stream.refuse(seq) {
                            stored.unreadable.insert(seq);
                        }
                    }
                    Step::GiveUp(from, to) => {
                        stored.given_up.extend(stream.give_up(from, to).into_iter().flat_map(|(from, to)| from..=to));
                    }
                    Step::StartsAt(oldest) => {
                        stored.given_up.extend(stream.starts_at(oldest).into_iter().flat_map(|(from, to)| from..=to));
                    }
                    Step::Settle => drop(stream.settle(T0 + SETTLING)),
                    Step::Restart => {
                        if let Some(restarted) = stored.restart() {
                            prop_assert_eq!(restarted.ledger(T0), stream.ledger(T0));
                            stream = restarted;
                        }
                    }
                }
                stream.note(T0);
                if let Some(committed) = stream.committed() {
                    stored.row = Some((stream.base(), committed, stream.tally().clone()));
                }
                let ledger = stream.ledger(T0);
                let counted = |set: &BTreeSet<u64>| u64::try_from(set.len()).unwrap();
                prop_assert_eq!(ledger.produced, ledger.stored + ledger.missing + ledger.lost + ledger.unreadable);
                prop_assert_eq!(ledger.stored, counted(&stored.records));
                prop_assert_eq!(ledger.lost, counted(&stored.given_up));
                prop_assert_eq!(ledger.unreadable, counted(&stored.unreadable));
                prop_assert_eq!(ledger.missing > 0, ledger.missing_since.is_some());
                prop_assert!(before.stored <= ledger.stored && before.lost <= ledger.lost);
                prop_assert!(before.duplicates <= ledger.duplicates);
                before = ledger;
            }
        }
    }
}
