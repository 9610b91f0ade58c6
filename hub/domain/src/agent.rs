//! One agent's session as the hub sees it: whether it is there, how far its clock is off, and what it has delivered.

use std::collections::BTreeMap;

use lobby_contract::{AgentId, Death, DeathReason};

use crate::{
    delivery::Stream,
    time::{Span, Timestamp},
};

/// How long a broken connection may be re-established before the agent counts as down.
pub const GRACE: Span = Span::from_secs(20);
/// A clock that is further off than this is suspect.
pub const CLOCK_TOLERANCE: Span = Span::from_secs(120);
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
    /// Whether the hub hears it.
    pub link: Link,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// The shortest heartbeat of its devices.
    pub heartbeat: Span,
    /// How far its clock is off.
    pub clock: Clock,
    /// What it has delivered, by epoch.
    pub streams: BTreeMap<u64, Stream>,
    /// The session that has ended.
    ended: Option<(u64, u32)>,
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
            link: Link::Unverified { since: now },
            last_seen: None,
            heartbeat: DEFAULT_HEARTBEAT,
            clock: Clock::default(),
            streams: BTreeMap::new(),
            ended: None,
            excused: Span::ZERO,
        }
    }

    /// The agent was heard of in `session` of `epoch`. Returns whether the link changed.
    pub fn heard(&mut self, epoch: u64, session: u32, now: Timestamp) -> bool {
        // A message that was on its way when its session ended says nothing about now.
        if self.ended == Some((epoch, session)) {
            return false;
        }
        self.last_seen = Some(now);
        self.excused = Span::ZERO;
        let changed = self.link != Link::Up;
        self.link = Link::Up;
        changed
    }

    /// A new session began.
    pub fn born(&mut self, epoch: u64, session: u32, now: Timestamp) -> bool {
        if (epoch, session) >= (self.epoch, self.session) {
            (self.epoch, self.session) = (epoch, session);
        }
        self.heard(epoch, session, now)
    }

    /// A session ended. Only the current one matters: a will can arrive after the next birth.
    pub fn died(&mut self, death: &Death, now: Timestamp) -> bool {
        if (death.epoch, death.session) != (self.epoch, self.session) {
            return false;
        }
        self.ended = Some((death.epoch, death.session));
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
        agent.born(7, 3, at(0));
        agent
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
        agent.born(7, 4, at(7));
        assert_eq!(agent.link, Link::Up);
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
