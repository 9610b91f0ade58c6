//! One agent's session as the hub sees it: whether it is there, how far its clock is off, and what it has delivered.

mod clock;
mod losses;

use std::collections::BTreeMap;

use lobby_contract::{AgentId, Birth, Death, DeathReason};

pub use self::{
    clock::{CLOCK_TOLERANCE, Clock},
    losses::Losses,
};
use crate::{
    delivery::Stream,
    ledger::{Ledger, Rate},
    time::{Span, Timestamp},
};

/// How long an agent whose session ended may take to begin another before it counts as down.
pub const GRACE: Span = Span::from_secs(20);
/// How long after the end of a session its last messages may still come.
const STRAGGLING: Span = Span::from_secs(5);
/// For how long a birth that seems to be of the past may turn out to be of the present.
const PRETENDING: Span = Span::from_secs(60);
/// The least time an agent is given to be heard of after the hub's start.
pub(crate) const LEAST_WARM_UP: Span = Span::from_secs(90);
/// The heartbeat of an agent that has not said one.
const DEFAULT_HEARTBEAT: Span = Span::from_secs(30);

/// Whether the hub hears the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Not heard of since the hub or its broker connection started.
    Unverified {
        /// When that was.
        since: Timestamp,
    },
    /// Heard of within three heartbeats.
    Up,
    /// Its session ended; it may come back.
    Suspect {
        /// When it ended.
        since: Timestamp,
    },
    /// Not there.
    Down {
        /// When it was last heard of.
        since: Timestamp,
    },
}

/// An agent of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// Its program's version, as its birth said.
    pub version: Box<str>,
    /// Its current epoch.
    pub epoch: u64,
    /// Its current session.
    pub session: u32,
    /// Records it had waiting at its last birth.
    pub queued: u64,
    /// What is wrong with devices that its last birth named and that could not be read.
    pub bad_devices: Vec<String>,
    /// Those of them that were in its memory only, because its disk took none.
    pub unsaved: u64,
    /// Whether the hub hears it.
    pub link: Link,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// While its link is up: since when it has been, or since when this run of the hub has known it.
    pub up_since: Option<Timestamp>,
    /// The shortest heartbeat of its devices.
    pub heartbeat: Span,
    /// How far its clock is off.
    pub clock: Clock,
    /// What it has delivered, by epoch.
    pub streams: BTreeMap<u64, Stream>,
    /// What it has lost lately.
    pub losses: Losses,
    /// How many records come in.
    pub rate: Rate,
    /// Whether it said that it stops, and was not heard of since.
    pub stopped: bool,
    /// The session that has ended, and when that was heard of.
    ended: Option<((u64, u32), Timestamp)>,
    /// The end of a session of which nothing else has been heard yet, and when it was heard of.
    foretold: Option<(Death, Timestamp)>,
    /// When its last birth was sent, by its own clock, and how many of the records it had waiting then have not come since.
    waiting: Option<(i64, u64)>,
    /// A birth that seemed to be of the past; if it is repeated, it is not.
    pretender: Option<Pretender>,
    /// The epoch from which it went back to an earlier one, and when the birth of that was sent, by its own clock.
    replaced: Option<(u64, i64)>,
    /// Time since it was last heard of in which the hub itself could not hear; silence then says nothing of the agent.
    pub(crate) excused: Span,
}

/// A birth of an earlier session than the current one that names an earlier time too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pretender {
    session: (u64, u32),
    sent_at: i64,
    received_at: Timestamp,
}

impl Agent {
    /// An agent that is first heard of, or was known before a start of the hub at `now`.
    pub fn new(id: AgentId, now: Timestamp) -> Self {
        Self {
            id,
            version: "".into(),
            epoch: 0,
            session: 0,
            queued: 0,
            bad_devices: Vec::new(),
            unsaved: 0,
            link: Link::Unverified { since: now },
            last_seen: None,
            up_since: None,
            heartbeat: DEFAULT_HEARTBEAT,
            clock: Clock::default(),
            streams: BTreeMap::new(),
            losses: Losses::default(),
            rate: Rate::default(),
            stopped: false,
            ended: None,
            foretold: None,
            waiting: None,
            pretender: None,
            replaced: None,
            excused: Span::ZERO,
        }
    }

    /// By how much its clock is slow, as far as that is not corrected because it is too much.
    pub fn slow(&self) -> Span {
        let behind = self.clock.plainly_behind_millis().or(self.clock.noted());
        let behind = behind.filter(|behind| (0..=CLOCK_TOLERANCE.millis()).contains(behind));
        behind.map_or(Span::ZERO, Span::from_millis)
    }

    /// What has become of all its records.
    pub fn ledger(&self, now: Timestamp) -> Ledger {
        self.streams.values().map(|stream| stream.ledger(now)).fold(Ledger::default(), Ledger::and)
    }

    /// About how many records it holds that are not in the database: what it had waiting at its birth and what is missing since.
    /// `None` while this run of the hub has had no birth of it.
    pub fn backlog(&self, now: Timestamp) -> Option<u64> {
        self.waiting.map(|(_, waiting)| waiting.max(self.ledger(now).missing))
    }

    /// When its last birth was sent, in ms by its own clock.
    pub(crate) fn born_at(&self) -> Option<i64> {
        self.waiting.map(|(sent_at, _)| sent_at)
    }

    /// So many records came that had been made before its last birth.
    pub(crate) fn delivered(&mut self, had_waited: u64) {
        if let Some((_, waiting)) = &mut self.waiting {
            *waiting = waiting.saturating_sub(had_waited);
        }
    }

    /// A message came that was sent in `session` at `sent_at`, by the agent's clock, about records of `epoch`. Returns whether the link
    /// changed.
    pub fn heard(&mut self, epoch: u64, session: u32, sent_at: i64, now: Timestamp) -> bool {
        let mut changed = false;
        if (epoch, session) > (self.epoch, self.session) {
            if self.is_left_over(epoch, sent_at) {
                return false;
            }
            // Its birth is still on its way.
            changed = self.begin(epoch, session, sent_at, now);
        }
        self.lives(sent_at, now) || changed
    }

    /// A message of the current session came. Returns whether the link changed.
    fn lives(&mut self, sent_at: i64, now: Timestamp) -> bool {
        if self.clock.waited(sent_at, now) {
            return false;
        }
        if let Some((ended, at)) = self.ended
            && ended == (self.epoch, self.session)
        {
            let sent_at = Timestamp::from_millis(sent_at).shifted(self.clock.behind_millis());
            if sent_at.since(at) < STRAGGLING {
                // It was on its way when the session ended, and says nothing about now.
                return false;
            }
            // Whoever still speaks is there, whatever was said of its end.
            self.ended = None;
        }
        self.is_there(now)
    }

    /// A new session began. Returns whether the link changed.
    pub fn born(&mut self, birth: &Birth, now: Timestamp) -> bool {
        let before = self.epoch;
        let insisted = self.pretender.take().is_some_and(|first| first.session == (birth.epoch, birth.session));
        if insisted {
            // What its clock said before says nothing of what it says now.
            self.clock = Clock::default();
            self.clock.observe(birth.sent_at, now);
        }
        if birth.epoch < before {
            self.replaced = Some((before, birth.sent_at));
        }
        let begins = (birth.epoch, birth.session) != (self.epoch, self.session);
        let changed = begins && self.begin(birth.epoch, birth.session, birth.sent_at, now);
        self.waiting = Some((birth.sent_at, birth.queued));
        self.unsaved = birth.unsaved;
        self.lives(birth.sent_at, now) || changed
    }

    /// Whether a birth is of an earlier session than the current one, and was only long on its way. An agent that counts anew, because
    /// it lost its memory, sends its births later than before.
    pub fn is_past(&self, birth: &Birth) -> bool {
        (birth.epoch, birth.session) < (self.epoch, self.session)
            && self.waiting.is_some_and(|(sent_at, _)| birth.sent_at < sent_at)
            || self.is_left_over(birth.epoch, birth.sent_at)
    }

    /// Whether a birth that seems to be of the past is of the present all the same: it is repeated, as much later as it comes later. So
    /// is that of a box that lost its memory and whose clock is behind.
    pub(crate) fn insists(&mut self, birth: &Birth, now: Timestamp) -> bool {
        let session = (birth.epoch, birth.session);
        let Some(first) =
            self.pretender.filter(|first| first.session == session && now.since(first.received_at) <= PRETENDING)
        else {
            self.pretender = Some(Pretender { session, sent_at: birth.sent_at, received_at: now });
            return false;
        };
        let received = now.since(first.received_at).millis();
        let sent = birth.sent_at.saturating_sub(first.sent_at);
        received >= STRAGGLING.millis() && sent.abs_diff(received) <= STRAGGLING.millis().unsigned_abs() / 2
    }

    /// Whether it is to be asked for its birth, to see whether one that seemed to be of the past is of the present.
    pub(crate) fn is_asked_again(&mut self, now: Timestamp) -> bool {
        self.pretender = self.pretender.filter(|first| now.since(first.received_at) <= PRETENDING);
        self.pretender.is_some()
    }

    /// Whether what was sent at `sent_at` waited in a broker, and is of a box that was replaced since by one that counts anew.
    fn is_left_over(&self, epoch: u64, sent_at: i64) -> bool {
        self.replaced.is_some_and(|(highest, since)| epoch > self.epoch && epoch <= highest && sent_at < since)
    }

    fn begin(&mut self, epoch: u64, session: u32, sent_at: i64, now: Timestamp) -> bool {
        (self.epoch, self.session) = (epoch, session);
        if let Some((death, at)) = self.foretold.take_if(|(death, _)| (death.epoch, death.session) <= (epoch, session))
            && (death.epoch, death.session) == (epoch, session)
        {
            let changed = self.died(&death, at);
            // Its first messages may have overtaken nothing but its end.
            self.ended = Some(((epoch, session), now));
            return changed;
        }
        if self.ended.is_some_and(|(ended, _)| ended == (epoch, session)) {
            return false;
        }
        if self.clock.waited(sent_at, now) {
            // That an earlier session ended says nothing any more, and this one is of the past too.
            let gone = matches!(self.link, Link::Suspect { .. } | Link::Down { .. });
            if gone {
                self.link = Link::Unverified { since: now };
            }
            return gone;
        }
        self.is_there(now)
    }

    /// Moves what it remembers of its coming and going by `by` ms.
    pub(crate) fn rebase_comings(&mut self, by: i64) {
        self.last_seen = self.last_seen.map(|at| at.shifted(by));
        self.up_since = self.up_since.map(|at| at.shifted(by));
        for at in
            [self.foretold.as_mut().map(|(_, at)| at), self.ended.as_mut().map(|(_, at)| at)].into_iter().flatten()
        {
            *at = at.shifted(by);
        }
        self.pretender = None;
        // Counted by minutes of the other time.
        self.rate = Rate::default();
    }

    fn is_there(&mut self, now: Timestamp) -> bool {
        self.last_seen = Some(now);
        self.excused = Span::ZERO;
        self.stopped = false;
        let changed = self.link != Link::Up;
        if changed {
            (self.link, self.up_since) = (Link::Up, Some(now));
        }
        changed
    }

    /// A session ended. Only the current one matters: a will can arrive after the next birth. One that arrives before the birth of its
    /// own session is remembered until that birth. Returns whether the link changed.
    pub fn died(&mut self, death: &Death, now: Timestamp) -> bool {
        let dead = (death.epoch, death.session);
        if dead > (self.epoch, self.session) {
            self.foretold = Some((death.clone(), now));
        }
        if dead != (self.epoch, self.session) {
            return false;
        }
        self.ended = Some((dead, now));
        self.stopped = death.reason == DeathReason::Stopping;
        if matches!(self.link, Link::Suspect { .. } | Link::Down { .. }) {
            return false;
        }
        self.link = Link::Suspect { since: now };
        self.excused = Span::ZERO;
        true
    }

    /// The hub lost its connection to the broker, or started: nothing is known of the agent until it is heard of.
    pub fn unverified(&mut self, now: Timestamp) {
        self.link = Link::Unverified { since: now };
        self.clock.doubt(now);
        self.excused = Span::ZERO;
    }

    /// Lets time pass. Returns whether the link changed.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        let link = match self.link {
            Link::Unverified { since } if now.since(since) >= self.warm_up() + self.excused => {
                Link::Down { since: self.last_seen.unwrap_or(since) }
            }
            Link::Up if self.last_seen.is_some_and(|seen| now.since(seen) > self.heartbeat.times(3) + self.excused) => {
                Link::Down { since: self.last_seen.unwrap_or(now) }
            }
            Link::Suspect { since } if now.since(since) >= GRACE + self.excused => Link::Down { since },
            unchanged => unchanged,
        };
        let changed = link != self.link;
        self.link = link;
        changed
    }

    /// Whether it is gone because it said that it stops: that tells nothing of the line to its site.
    pub fn is_stopped(&self) -> bool {
        self.stopped && matches!(self.link, Link::Suspect { .. } | Link::Down { .. })
    }

    /// Whether it is not heard of as it should be: its connection broke, or it is overdue.
    pub fn is_doubtful(&self, now: Timestamp) -> bool {
        if self.is_stopped() {
            return false;
        }
        let overdue = Span::from_millis(self.heartbeat.millis() * 3 / 2);
        self.link != Link::Up || self.last_seen.is_none_or(|seen| now.since(seen) > overdue)
    }

    /// Whether nobody can tell if it is there: it was not heard of since the hub or its broker connection started.
    pub fn is_unverified(&self) -> bool {
        matches!(self.link, Link::Unverified { .. })
    }

    /// Since when nothing is heard of it, as far as is known: before that it was there. `None` while nobody can tell.
    pub fn silent_since(&self) -> Option<Timestamp> {
        match self.link {
            Link::Unverified { .. } => None,
            Link::Up => self.last_seen,
            Link::Suspect { since } | Link::Down { since } => Some(since),
        }
    }

    /// How long it is given to be heard of after the hub's start.
    pub(crate) fn warm_up(&self) -> Span {
        self.heartbeat.times(2).max(LEAST_WARM_UP)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    fn born() -> Agent {
        let mut agent = Agent::new("box".parse().expect("a name"), at(0));
        agent.heartbeat = Span::from_secs(10);
        agent.born(&birth(7, 3, 0), at(0));
        agent
    }

    fn birth(epoch: u64, session: u32, sent_at: i64) -> Birth {
        let agent = lobby_contract::AgentInfo { version: "0.1.0".into() };
        Birth {
            epoch,
            session,
            sent_at: sent_at * 1000,
            agent,
            queued: 3,
            unsaved: 0,
            refused: Vec::new(),
            devices: Vec::new(),
        }
    }

    fn death(epoch: u64, session: u32, reason: DeathReason) -> Death {
        Death { epoch, session, reason }
    }

    #[test]
    fn a_broken_connection_is_suspect_and_then_down() {
        let mut agent = born();
        agent.died(&death(7, 3, DeathReason::Lost), at(5));
        assert_eq!(agent.link, Link::Suspect { since: at(5) });
        agent.tick(at(24));
        assert_eq!(agent.link, Link::Suspect { since: at(5) });
        agent.tick(at(25));
        assert_eq!(agent.link, Link::Down { since: at(5) });
    }

    #[rstest]
    #[case::of_an_earlier_session(7, 2)]
    #[case::of_an_earlier_epoch(6, 3)]
    #[case::of_a_session_not_yet_born(7, 4)]
    fn a_death_of_another_session_is_ignored(#[case] epoch: u64, #[case] session: u32) {
        let mut agent = born();
        agent.died(&death(epoch, session, DeathReason::Lost), at(5));
        assert_eq!(agent.link, Link::Up);
    }

    #[test]
    fn a_late_message_of_the_session_that_died_does_not_revive_it() {
        let mut agent = born();
        agent.died(&death(7, 3, DeathReason::Stopping), at(5));
        agent.heard(7, 3, 6000, at(6));
        assert_eq!(agent.link, Link::Suspect { since: at(5) });
        agent.tick(at(25));
        assert_eq!(agent.link, Link::Down { since: at(5) });
        agent.born(&birth(7, 4, 7), at(7));
        assert_eq!(agent.link, Link::Up);
    }

    #[rstest]
    #[case::its_birth(true)]
    #[case::its_records_whose_birth_is_still_on_its_way(false)]
    fn a_will_of_the_old_session_after_the_first_word_of_the_new_one_changes_nothing(#[case] is_birth: bool) {
        let mut agent = born();
        if is_birth {
            agent.born(&birth(7, 4, 5), at(5));
        } else {
            agent.heard(7, 4, 5000, at(5));
        }
        assert!(!agent.died(&death(7, 3, DeathReason::Lost), at(6)));
        assert_eq!((agent.link, agent.session), (Link::Up, 4));
        assert!(agent.died(&death(7, 4, DeathReason::Lost), at(7)));
    }

    #[rstest]
    #[case::lost(DeathReason::Lost)]
    #[case::stopping(DeathReason::Stopping)]
    fn a_will_that_comes_before_the_birth_of_its_session_ends_that_session_only(#[case] reason: DeathReason) {
        let mut agent = born();
        assert!(!agent.died(&death(7, 4, reason), at(5)));
        assert_eq!(agent.link, Link::Up, "the session known goes on until the birth says otherwise");
        agent.born(&birth(7, 4, 4), at(6));
        assert_eq!((agent.link, agent.is_stopped()), (Link::Suspect { since: at(5) }, reason == DeathReason::Stopping));
        assert!(!agent.heard(7, 4, 7000, at(7)), "nor do its records revive it");
        agent.born(&birth(7, 5, 8), at(8));
        assert_eq!(agent.link, Link::Up);
    }

    #[test]
    fn a_session_that_was_foretold_dead_and_never_heard_of_is_forgotten_with_the_next() {
        let mut agent = born();
        agent.died(&death(7, 4, DeathReason::Lost), at(5));
        agent.born(&birth(7, 5, 6), at(6));
        assert_eq!(agent.link, Link::Up);
    }

    #[rstest]
    #[case::of_an_earlier_session(7, 2)]
    #[case::of_an_earlier_epoch(6, 3)]
    #[case::of_an_earlier_epoch_and_a_later_session(6, 9)]
    fn what_was_on_its_way_is_a_sign_of_life_until_the_current_session_has_ended(
        #[case] epoch: u64,
        #[case] session: u32,
    ) {
        let mut agent = born();
        agent.unverified(at(1));
        assert!(agent.heard(epoch, session, 2000, at(2)), "an agent sends its backlog of earlier epochs too");
        assert_eq!((agent.epoch, agent.session), (7, 3));
        agent.died(&death(7, 3, DeathReason::Lost), at(3));
        assert!(!agent.heard(epoch, session, 4000, at(4)));
        assert_eq!(agent.link, Link::Suspect { since: at(3) });
    }

    #[test]
    fn a_birth_that_was_long_on_its_way_is_told_from_that_of_an_agent_that_counts_anew() {
        let mut agent = born();
        agent.born(&birth(8, 1, 100), at(100));
        assert!(agent.is_past(&birth(7, 3, 0)));
        assert!(!agent.is_past(&birth(1, 1, 200)));
        agent.born(&birth(1, 1, 200), at(200));
        assert_eq!((agent.epoch, agent.link), (1, Link::Up));
    }

    #[rstest]
    #[case::lost(DeathReason::Lost)]
    #[case::stopping(DeathReason::Stopping)]
    fn an_agent_that_goes_on_speaking_in_a_session_that_was_said_to_be_over_is_there(#[case] reason: DeathReason) {
        let mut agent = born();
        agent.died(&death(7, 3, reason), at(5));
        assert!(!agent.heard(7, 3, 4000, at(30)), "sent before, and long on its way");
        assert!(agent.heard(7, 3, 30_000, at(30)));
        assert_eq!(agent.link, Link::Up);
        agent.died(&death(7, 3, reason), at(40));
        assert_eq!(agent.is_stopped(), reason == DeathReason::Stopping);
        assert!(!agent.born(&birth(7, 3, 41), at(41)));
        assert!(agent.born(&birth(7, 3, 50), at(50)), "so does its birth");
    }

    #[test]
    fn a_box_that_lost_its_memory_and_whose_clock_is_behind_is_believed_when_it_repeats_itself() {
        let mut agent = born();
        agent.born(&birth(8, 1, 1000), at(1000));
        let replaced = |sent_at| birth(1, 1, sent_at);
        for now in [1010, 1011, 1013] {
            assert!(agent.is_past(&replaced(now - 900)) && !agent.insists(&replaced(now - 900), at(now)));
        }
        assert!(agent.is_asked_again(at(1013)));
        assert!(agent.insists(&replaced(120), at(1020)));
        agent.born(&replaced(120), at(1020));
        assert_eq!((agent.epoch, agent.link), (1, Link::Up));
        assert_eq!(agent.clock.behind_millis(), 900_000);
        assert!(!agent.is_asked_again(at(1021)));
    }

    #[test]
    fn births_that_waited_in_a_broker_do_not_pass_for_repeated_ones() {
        let mut agent = born();
        agent.born(&birth(8, 1, 1000), at(1000));
        for sent_at in [100, 110, 120, 130] {
            assert!(!agent.insists(&birth(7, 4, sent_at), at(1010)));
        }
        assert!(!agent.insists(&birth(7, 4, 400), at(1020)), "not by as much later");
        assert!(!agent.is_asked_again(at(1100)));
    }

    #[test]
    fn what_a_replaced_box_had_sent_before_does_not_bring_it_back() {
        let mut agent = born();
        agent.born(&birth(1, 1, 200), at(200));
        assert!(!agent.heard(7, 3, 150_000, at(210)));
        assert_eq!(agent.epoch, 1);
        agent.heard(8, 1, 220_000, at(220));
        assert_eq!(agent.epoch, 8, "a start of its own is later");
    }

    #[test]
    fn the_backlog_is_what_waited_at_the_birth_less_what_came_since() {
        let mut agent = Agent::new("box".parse().expect("a name"), at(0));
        assert_eq!(agent.backlog(at(0)), None);
        agent.born(&birth(7, 3, 10), at(10));
        assert_eq!(agent.backlog(at(10)), Some(3));
        agent.delivered(1);
        assert_eq!((agent.backlog(at(11)), agent.born_at()), (Some(2), Some(10_000)));
        agent.delivered(5);
        assert_eq!(agent.backlog(at(12)), Some(0));
    }

    #[test]
    fn silence_of_three_heartbeats_is_down_since_it_was_last_heard_of() {
        let mut agent = born();
        agent.tick(at(30));
        assert_eq!(agent.link, Link::Up);
        agent.tick(at(31));
        assert_eq!(agent.link, Link::Down { since: at(0) });
    }

    #[test]
    fn after_a_start_of_the_hub_nobody_is_down_before_the_warm_up_is_over() {
        let mut agent = born();
        agent.unverified(at(1000));
        agent.tick(at(1089));
        assert_eq!(agent.link, Link::Unverified { since: at(1000) });
        agent.tick(at(1090));
        assert_eq!(agent.link, Link::Down { since: at(0) });
    }

    #[test]
    fn after_a_start_of_the_hub_a_message_that_waited_does_not_show_that_an_agent_is_there() {
        let mut agent = born();
        agent.clock = Clock::restored(Some(0));
        agent.unverified(at(1000));
        agent.clock.observe(300_000, at(1001));
        assert!(!agent.heard(7, 3, 300_000, at(1001)));
        assert!(!agent.heard(7, 4, 400_000, at(1001)), "nor does a later session");
        assert_eq!((agent.link, agent.last_seen), (Link::Unverified { since: at(1000) }, Some(at(0))));
        // The end of a session and the beginning of the next waited too.
        agent.died(&death(7, 4, DeathReason::Lost), at(1001));
        assert_eq!(agent.link, Link::Suspect { since: at(1001) });
        assert!(agent.born(&birth(7, 5, 500), at(1001)));
        assert_eq!(agent.link, Link::Unverified { since: at(1001) });
        agent.clock.observe(1_001_000, at(1002));
        assert!(agent.heard(7, 5, 1_001_000, at(1002)));
        assert_eq!(agent.link, Link::Up);
    }

    #[test]
    fn after_a_start_of_the_hub_what_waited_in_a_broker_is_not_taken_for_the_present() {
        let mut agent = born();
        agent.unverified(at(1000));
        agent.clock.observe(300_000, at(1001));
        assert_eq!(agent.clock.age(300_000, 300_000, at(1001)), None);
        assert_eq!(agent.clock.plainly_behind_millis(), None);
        agent.clock.observe(1_002_000, at(1002));
        assert_eq!(agent.clock.plainly_behind_millis(), Some(0));
        assert_eq!(agent.clock.age(1_002_000, 1_002_000, at(1002)), Some(Span::ZERO));
        assert_eq!(agent.clock.age(300_000, 300_000, at(1002)), Some(Span::from_secs(702)));
    }
}
