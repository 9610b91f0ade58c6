//! One device: what it last stated, how fresh that is, and what may be said of it.

mod contest;

use std::sync::Arc;

use lobby_contract::{AgentId, DeviceId, DeviceInfo, Reach};
use serde::{Deserialize, Serialize};

pub(crate) use self::contest::Contest;
use crate::{
    agent::Link,
    alert::Subject,
    calendar::Expected,
    condition::Sample,
    late::Replay,
    rule::Effect,
    said::{Said, Shared},
    time::{Span, Timestamp},
    watch::{Outcome, Scene, Watch},
};

/// The heartbeat of a device whose birth has not come yet.
const DEFAULT_EVERY: Span = Span::from_secs(30);
/// Data is fresh for this many heartbeats.
pub const FRESH_FOR: u32 = 3;

/// The shortest and the longest heartbeat that is believed: with a longer one, nobody would miss the device for hours.
const EVERY: (Span, Span) = (Span::from_secs(1), Span::from_mins(60));

/// A heartbeat as it was announced, within what is believed.
pub(crate) fn heartbeat(every_ms: u64) -> Span {
    Span::from_millis(i64::try_from(every_ms).unwrap_or(i64::MAX)).clamp(EVERY.0, EVERY.1)
}

/// A device of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its name within the site.
    pub id: DeviceId,
    /// Its kind, as its birth said; empty before the birth.
    pub kind: Arc<str>,
    /// What people call it.
    pub name: Box<str>,
    /// Where it stands.
    pub place: Arc<str>,
    /// The agent that watches it.
    pub agent: AgentId,
    /// Its heartbeat.
    pub every: Span,
    /// Whether its agent's latest birth names it.
    pub announced: bool,
    /// Where it stands in its life.
    pub life: Life,
    /// What it last stated.
    pub last: Option<Last>,
    /// Since when its state has been what it is now.
    pub state_since: Option<(State, Timestamp)>,
    /// Its rules.
    pub watch: Watch,
    /// Whether its rules have had a record since nothing was known last.
    pub(crate) in_sight: bool,
    /// When it is noted to be looked at again, because its state may change by the mere passing of time.
    pub(crate) due: Option<Timestamp>,
    /// Its past, while records that came late tell of it.
    pub replay: Option<Box<Replay>>,
    /// Records of another agent than its own.
    pub(crate) contest: Option<Box<Contest>>,
}

/// Where a device stands in its life.
///
/// ```text
/// announced → trial → live ⇄ maintenance → retired
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// An agent reports it, and nobody has admitted it: its records are stored, not judged.
    Announced,
    /// It is judged, and its alerts are seen; nobody is told, and no ticket is opened.
    Trial,
    /// It is in use: whoever is concerned is told, and tickets are opened.
    #[default]
    Live,
    /// It is judged; nobody is told and no ticket is opened until the maintenance is over.
    Maintenance,
    /// It is gone. Should it still report, its records are stored, not judged.
    Retired,
}

/// What a device last stated, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Last {
    /// Where the record stands among its agent's: epoch and seq.
    pub order: (u64, u64),
    /// When it was probed, by the hub's clock.
    pub at: Timestamp,
    /// When the record was received.
    pub received_at: Timestamp,
    /// What it stated.
    pub said: Said,
}

/// What may be said of a device, from the most to the least certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the hub hears the device's agent.
    pub link: LinkWord,
    /// Whether the agent reaches the device.
    pub reach: ReachWord,
    /// Whether the device does what it is for.
    pub function: Function,
    /// Whether what is known is recent enough.
    pub freshness: Freshness,
    /// Whether it is to be on.
    pub expected: Expected,
}

/// [`Link`] in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are those of `Link`")]
pub enum LinkWord {
    Unverified,
    Up,
    Suspect,
    Down,
}

/// Whether a device answers its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReachWord {
    /// It answers.
    Ok,
    /// It was asked and does not answer.
    Unreachable,
    /// Nobody can tell.
    Unknown,
}

/// Whether a device does what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// It does.
    Ok,
    /// In part.
    Degraded,
    /// It does not.
    Failed,
    /// Nobody can tell.
    Unknown,
}

/// Whether what is known of a device is recent enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Within three heartbeats.
    Fresh,
    /// Older.
    Stale,
}

/// A device's state in the one word that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It does what it is for, as far as its fresh data tells.
    Normal,
    /// It does not, or only in part.
    Abnormal,
    /// It does not answer its agent.
    Offline,
    /// Nobody can tell.
    Unknown,
}

impl Life {
    /// Every stage, in order.
    pub const ALL: [Self; 5] = [Self::Announced, Self::Trial, Self::Live, Self::Maintenance, Self::Retired];

    /// Whether the standards are applied.
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Trial | Self::Live | Self::Maintenance)
    }

    /// Whether people are told and tickets are opened.
    pub const fn pages(self) -> bool {
        matches!(self, Self::Live)
    }

    /// As it stands in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Trial => "trial",
            Self::Live => "live",
            Self::Maintenance => "maintenance",
            Self::Retired => "retired",
        }
    }

    /// The stage of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|life| life.as_str() == text)
    }

    /// Whether a person may move a device from here to `to`. Only reporting makes a device announced.
    pub const fn may_become(self, to: Self) -> bool {
        !matches!(to, Self::Announced) && !matches!((self, to), (Self::Retired | Self::Announced, Self::Maintenance))
    }
}

impl Link {
    /// The link in one word.
    pub fn word(self) -> LinkWord {
        match self {
            Self::Unverified { .. } => LinkWord::Unverified,
            Self::Up => LinkWord::Up,
            Self::Suspect { .. } => LinkWord::Suspect,
            Self::Down { .. } => LinkWord::Down,
        }
    }
}

impl LinkWord {
    /// The link of that name.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Unverified, Self::Up, Self::Suspect, Self::Down].into_iter().find(|link| link.as_str() == text)
    }

    /// As it stands in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }
}

impl Device {
    /// A device that is first heard of through `agent`.
    pub fn new(id: DeviceId, agent: AgentId) -> Self {
        Self {
            id,
            kind: "".into(),
            name: "".into(),
            place: "".into(),
            agent,
            every: DEFAULT_EVERY,
            announced: false,
            life: Life::default(),
            last: None,
            state_since: None,
            watch: Watch::default(),
            in_sight: false,
            due: None,
            replay: None,
            contest: None,
        }
    }

    /// Whether `info` says anything new. Takes over name, place, heartbeat and agent, but not the kind, which changes the rules.
    pub fn announced_as(&mut self, info: &DeviceInfo, agent: &AgentId, shared: &Shared) -> bool {
        let every = heartbeat(info.every_ms);
        let same = self.announced
            && (&self.name, &*self.place, self.every, &self.agent) == (&info.name, &*info.place, every, agent);
        if self.agent != *agent {
            // Epochs of two agents cannot be compared, so what the other one said last must not outrank this one.
            (self.last, self.replay) = (None, None);
        }
        self.name.clone_from(&info.name);
        self.place = shared.text(&info.place);
        self.agent = agent.clone();
        self.every = every;
        self.announced = true;
        !same
    }

    /// Its agent counts anew from `epoch`: what it said before must not outrank what it says from now on.
    pub(crate) fn goes_on_from(&mut self, epoch: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.order.0 > epoch) {
            last.order = (epoch, 0);
            self.replay = None;
        }
    }

    /// For how long a record tells the present.
    pub fn fresh_for(&self) -> Span {
        self.every.times(FRESH_FOR)
    }

    /// Until when what is known is fresh.
    pub fn fresh_until(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| last.received_at + self.fresh_for())
    }

    /// What is known now: what it last stated if that is fresh and the agent is heard.
    pub fn known(&self, link: Link, now: Timestamp) -> Option<&Said> {
        let fresh = link == Link::Up && self.fresh_until().is_some_and(|until| now <= until);
        self.last.as_ref().filter(|_| fresh).map(|last| &last.said)
    }

    /// Judges it by what is known of it now. `stated` is its last sample, if whoever calls has it at hand.
    pub fn judge(&mut self, link: Link, scene: Scene<'_>, stated: Option<&Sample>, out: &mut Vec<Outcome>) {
        self.count_until(scene.now);
        let known = self.known(link, scene.now);
        let read = known.filter(|_| stated.is_none()).map(Said::sample);
        let known = known.and(stated.or(read.as_ref()));
        self.in_sight = known.is_some() && (scene.is_new || self.in_sight);
        self.watch.evaluate(&Subject::Device(self.id.clone()), known, scene, out);
    }

    /// Lets running timers count up to now, or to when the last record was no longer fresh, however late that is noticed: before the
    /// next record takes its place, too. That a timer runs proves that the agent was heard: with its link it would have been stopped.
    pub(crate) fn count_until(&mut self, now: Timestamp) {
        if let Some(fresh_until) = self.fresh_until() {
            self.watch.count_until(fresh_until.min(now));
        }
    }

    /// What may be said of the device now.
    pub fn verdict(&self, link: Link, expected: Expected, now: Timestamp) -> Verdict {
        let known = self.known(link, now);
        Verdict {
            link: link.word(),
            reach: match known.map(Said::reach) {
                Some(Reach::Ok) => ReachWord::Ok,
                Some(Reach::Unreachable) => ReachWord::Unreachable,
                Some(Reach::Unknown) | None => ReachWord::Unknown,
            },
            function: known.map_or(Function::Unknown, |said| self.function(said)),
            freshness: if known.is_some() { Freshness::Fresh } else { Freshness::Stale },
            expected,
        }
    }

    fn function(&self, said: &Said) -> Function {
        if said.reach() != Reach::Ok || self.watch.kind().is_none() || !self.life.is_judged() {
            return Function::Unknown;
        }
        match self.watch.effect() {
            Effect::Failed => Function::Failed,
            Effect::Degraded => Function::Degraded,
            Effect::None if said.says_something() => Function::Ok,
            // It answers, but says nothing of itself: that is no reason to call it normal.
            Effect::None => Function::Unknown,
        }
    }
}

impl Verdict {
    /// The verdict in one word.
    pub fn state(&self) -> State {
        match (self.reach, self.function) {
            (ReachWord::Unreachable, _) => State::Offline,
            (_, Function::Failed | Function::Degraded) => State::Abnormal,
            (_, Function::Ok) => State::Normal,
            (_, Function::Unknown) => State::Unknown,
        }
    }
}

impl State {
    /// As it stands in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Abnormal => "abnormal",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }
}
