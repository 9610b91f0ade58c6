//! One agent's session as the hub sees it: whether it is there, how far its clock is off, and what it has delivered.

use std::collections::BTreeMap;

use lobby_contract::{AgentId, Birth, Death, DeathReason};

use crate::{
    delivery::Stream,
    doubt::Doubt,
    ledger::{Ledger, Rate},
    time::{Span, Timestamp},
};

/// How long a broken connection may be re-established before the agent counts as down.
pub const GRACE: Span = Span::from_secs(20);
/// A clock that is further off than this is suspect.
pub const CLOCK_TOLERANCE: Span = Span::from_secs(120);
/// A clock that goes back by more, in ms, was set back.
const SET_BACK: i64 = 5000;
/// The least time an agent is given to be heard of after the hub's start.
const LEAST_WARM_UP: Span = Span::from_secs(90);
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
    /// Its connection broke; it may come back.
    Suspect {
        /// When it broke.
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
    /// How many records come in.
    pub rate: Rate,
    /// The session that has ended.
    ended: Option<(u64, u32)>,
    /// The end of a session of which nothing else has been heard yet, and when it was heard of.
    foretold: Option<(Death, Timestamp)>,
    /// When its last birth was sent, by its own clock, and how many of the records it had waiting then have not come since.
    waiting: Option<(i64, u64)>,
    /// Time since it was last heard of in which the hub itself could not hear; silence then says nothing of the agent.
    pub(crate) excused: Span,
}

/// An estimate of how far an agent's clock is off the hub's.
///
/// A message is never received before it is sent, so the least difference between receipt and sending is the best estimate; it is kept
/// for the current and the last minute, so that a clock that is set right is believed within two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    current: Option<(Timestamp, i64)>,
    last: Option<i64>,
    doubt: Doubt,
    /// The latest time that the agent has named.
    newest: Option<i64>,
    /// Since when it has named times far before that.
    regressed: Option<Timestamp>,
}

impl Clock {
    const WINDOW: Span = Span::from_secs(60);
    /// For how long times must go on being far too early before the clock is taken to have been set back.
    const SET_BACK_AFTER: Span = Span::from_secs(10);

    /// Takes in that a message sent at `sent_at` (the agent's clock) was received at `received_at` (the hub's).
    pub fn observe(&mut self, sent_at: i64, received_at: Timestamp) {
        if self.was_set_back(sent_at, received_at) {
            *self = Self::default();
        }
        self.newest = self.newest.max(Some(sent_at));
        self.doubt.observe(sent_at, received_at);
        let behind = received_at.millis().saturating_sub(sent_at);
        match &mut self.current {
            Some((since, least)) if received_at.since(*since) < Self::WINDOW => *least = behind.min(*least),
            current => {
                self.last = current.map(|(_, least)| least);
                *current = Some((received_at, behind));
            }
        }
    }

    /// Whether the agent's clock was set back: for a while it has named nothing but times far before what it named earlier. A message
    /// that waited in a broker does so too, but fresh ones soon follow it.
    fn was_set_back(&mut self, sent_at: i64, received_at: Timestamp) -> bool {
        let earlier = self.newest.is_some_and(|newest| newest.saturating_sub(sent_at) > CLOCK_TOLERANCE.millis());
        if !earlier {
            self.regressed = None;
            return false;
        }
        let since = *self.regressed.get_or_insert(received_at);
        received_at.since(since) >= Self::SET_BACK_AFTER
    }

    /// How many ms the agent's clock is behind the hub's; negative if ahead. Includes the time a message travels.
    pub fn behind_millis(&self) -> i64 {
        let current = self.current.map(|(_, least)| least);
        current.into_iter().chain(self.last).min().unwrap_or(0)
    }

    /// Whether the clock is too far off to be believed.
    pub fn is_suspect(&self) -> bool {
        self.behind_millis().saturating_abs() > CLOCK_TOLERANCE.millis()
    }

    /// How old at `now` is what was probed at `at` and sent at `sent_at`, both by the agent's clock: what it waited before it was sent,
    /// and what it was longer on its way than others. `None` while nobody can tell.
    pub fn age(&self, at: i64, sent_at: i64, now: Timestamp) -> Option<Span> {
        if self.doubt.is_there() && self.behind_millis() > CLOCK_TOLERANCE.millis() {
            return None;
        }
        // Nothing is sent before it is made: the clock was set back in between.
        if at.saturating_sub(sent_at) > SET_BACK {
            return None;
        }
        let way = now.millis().saturating_sub(sent_at).saturating_sub(self.behind_millis());
        Some(Span::from_millis(sent_at.saturating_sub(at)) + Span::from_millis(way))
    }

    /// A time of the agent's clock as the hub's.
    pub fn corrected(&self, at: i64) -> Timestamp {
        let at = Timestamp::from_millis(at);
        if self.is_suspect() { at.shifted(self.behind_millis()) } else { at }
    }
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
            unsaved: 0,
            link: Link::Unverified { since: now },
            last_seen: None,
            up_since: None,
            heartbeat: DEFAULT_HEARTBEAT,
            clock: Clock::default(),
            streams: BTreeMap::new(),
            rate: Rate::default(),
            ended: None,
            foretold: None,
            waiting: None,
            excused: Span::ZERO,
        }
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

    /// A message came that was sent in `session`, about records of `epoch`. Returns whether the link changed.
    pub fn heard(&mut self, epoch: u64, session: u32, now: Timestamp) -> bool {
        let current = (self.epoch, self.session);
        if (epoch, session) > current {
            // Its birth is still on its way.
            return self.begin(epoch, session, now);
        }
        // What comes once the current session has ended was on its way then, and says nothing about now.
        if self.ended == Some(current) {
            return false;
        }
        self.is_there(now)
    }

    /// A new session began. Returns whether the link changed.
    pub fn born(&mut self, birth: &Birth, now: Timestamp) -> bool {
        let changed = self.begin(birth.epoch, birth.session, now);
        self.waiting = Some((birth.sent_at, birth.queued));
        self.unsaved = birth.unsaved;
        changed
    }

    /// Whether a birth is of an earlier session than the current one, and was only long on its way. An agent that counts anew, because
    /// it lost its memory, sends its births later than before.
    pub fn is_past(&self, birth: &Birth) -> bool {
        (birth.epoch, birth.session) < (self.epoch, self.session)
            && self.waiting.is_some_and(|(sent_at, _)| birth.sent_at < sent_at)
    }

    fn begin(&mut self, epoch: u64, session: u32, now: Timestamp) -> bool {
        (self.epoch, self.session) = (epoch, session);
        if let Some((death, at)) = self.foretold.take_if(|(death, _)| (death.epoch, death.session) <= (epoch, session))
            && (death.epoch, death.session) == (epoch, session)
        {
            return self.died(&death, at);
        }
        self.ended != Some((epoch, session)) && self.is_there(now)
    }

    /// Moves what it remembers of its coming and going by `by` ms.
    pub(crate) fn rebase_comings(&mut self, by: i64) {
        self.last_seen = self.last_seen.map(|at| at.shifted(by));
        self.up_since = self.up_since.map(|at| at.shifted(by));
        if let Some((_, at)) = &mut self.foretold {
            *at = at.shifted(by);
        }
        // Counted by minutes of the other time.
        self.rate = Rate::default();
    }

    fn is_there(&mut self, now: Timestamp) -> bool {
        self.last_seen = Some(now);
        self.excused = Span::ZERO;
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
        self.ended = Some(dead);
        let link = match death.reason {
            DeathReason::Stopping => Link::Down { since: now },
            DeathReason::Lost | DeathReason::Other => Link::Suspect { since: now },
        };
        if matches!(self.link, Link::Suspect { .. } | Link::Down { .. }) {
            return false;
        }
        self.link = link;
        self.excused = Span::ZERO;
        true
    }

    /// The hub lost its connection to the broker, or started: nothing is known of the agent until it is heard of.
    pub fn unverified(&mut self, now: Timestamp) {
        self.link = Link::Unverified { since: now };
        self.clock.doubt.begin(now);
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

    /// Whether it is not heard of as it should be: its connection broke, or it is overdue.
    pub fn is_doubtful(&self, now: Timestamp) -> bool {
        let overdue = Span::from_millis(self.heartbeat.millis() * 3 / 2);
        self.link != Link::Up || self.last_seen.is_none_or(|seen| now.since(seen) > overdue)
    }

    fn warm_up(&self) -> Span {
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
        Birth { epoch, session, sent_at: sent_at * 1000, agent, queued: 3, unsaved: 0, devices: Vec::new() }
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
        agent.heard(7, 3, at(6));
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
            agent.heard(7, 4, at(5));
        }
        assert!(!agent.died(&death(7, 3, DeathReason::Lost), at(6)));
        assert_eq!((agent.link, agent.session), (Link::Up, 4));
        assert!(agent.died(&death(7, 4, DeathReason::Lost), at(7)));
    }

    #[rstest]
    #[case::lost(DeathReason::Lost, Link::Suspect { since: at(5) })]
    #[case::stopping(DeathReason::Stopping, Link::Down { since: at(5) })]
    fn a_will_that_comes_before_the_birth_of_its_session_ends_that_session_only(
        #[case] reason: DeathReason,
        #[case] link: Link,
    ) {
        let mut agent = born();
        assert!(!agent.died(&death(7, 4, reason), at(5)));
        assert_eq!(agent.link, Link::Up, "the session known goes on until the birth says otherwise");
        agent.born(&birth(7, 4, 4), at(6));
        assert_eq!(agent.link, link);
        assert!(!agent.heard(7, 4, at(7)), "nor do its records revive it");
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
        assert!(agent.heard(epoch, session, at(2)), "an agent sends its backlog of earlier epochs too");
        assert_eq!((agent.epoch, agent.session), (7, 3));
        agent.died(&death(7, 3, DeathReason::Lost), at(3));
        assert!(!agent.heard(epoch, session, at(4)));
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
    fn a_clock_three_hours_wrong_is_suspect_and_corrected() {
        let mut clock = Clock::default();
        let three_hours = 3 * 3_600_000;
        clock.observe(three_hours, at(1));
        assert!(clock.is_suspect());
        assert_eq!(clock.corrected(three_hours + 500), at(1).shifted(500));
    }

    #[rstest]
    #[case::just_made(60_000, 60_000, 90, Some(0))]
    #[case::kept_for_a_while(30_000, 60_000, 90, Some(30))]
    #[case::and_longer_on_its_way_than_others(30_000, 60_000, 100, Some(40))]
    #[case::made_before_the_clock_was_set_back(90_000, 60_000, 90, None)]
    fn how_old_a_record_is_does_not_depend_on_a_clock_that_is_a_little_wrong(
        #[case] at_ms: i64,
        #[case] sent_at: i64,
        #[case] now: i64,
        #[case] age: Option<u32>,
    ) {
        // It is half a minute slow.
        let mut clock = Clock::default();
        clock.observe(50_000, at(80));
        assert_eq!(clock.age(at_ms, sent_at, at(now)), age.map(Span::from_secs));
    }

    #[test]
    fn after_a_start_of_the_hub_what_waited_in_a_broker_is_not_taken_for_the_present() {
        let mut agent = born();
        agent.unverified(at(1000));
        agent.clock.observe(300_000, at(1001));
        assert_eq!(agent.clock.age(300_000, 300_000, at(1001)), None);
        agent.clock.observe(1_002_000, at(1002));
        assert_eq!(agent.clock.age(1_002_000, 1_002_000, at(1002)), Some(Span::ZERO));
        assert_eq!(agent.clock.age(300_000, 300_000, at(1002)), Some(Span::from_secs(702)));
    }

    #[test]
    fn a_message_that_waited_in_a_broker_is_no_sign_of_a_wrong_clock() {
        let mut clock = Clock::default();
        clock.observe(600_000, at(600));
        clock.observe(0, at(601));
        assert!(!clock.is_suspect());
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_within_seconds() {
        let mut clock = Clock::default();
        clock.observe(3_600_000, at(0));
        for second in 1..=10 {
            clock.observe(second * 1000, at(second));
            assert_eq!(clock.behind_millis(), -3_600_000, "it may be a message that waited");
        }
        clock.observe(11_000, at(11));
        assert_eq!(clock.behind_millis(), 0);
    }

    #[test]
    fn a_clock_that_is_set_right_is_believed_within_two_minutes() {
        let mut clock = Clock::default();
        clock.observe(7_200_000, at(0));
        clock.observe(61_000, at(61));
        clock.observe(122_000, at(122));
        assert!(!clock.is_suspect());
    }
}
