//! Engineering's question: what must I do next?

use askama::Template;
use lobby_contract::{AgentId, SiteId};

use crate::{
    alert::AlertRow,
    chrome::{Choice, Chrome, page},
    incident::Deadline,
    life::Newcomer,
    state::{State, Verdict},
    texts::{Texts, fill, fill2},
    ticket::{Action, Priority, TicketStep, WaitingFor},
    tile::DeviceRef,
    time::When,
};

/// A group of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueStage {
    /// Past a time limit, or soon.
    Due,
    /// Nobody has accepted it.
    Reported,
    /// Somebody works on it, or waits to.
    Working,
    /// It works again, and waits to be confirmed.
    Confirm,
}

impl QueueStage {
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Reported => "reported",
            Self::Working => "working",
            Self::Confirm => "confirm",
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Due => t.group_due,
            Self::Reported => t.group_reported,
            Self::Working => t.group_working,
            Self::Confirm => t.group_confirm,
        }
    }
}

/// The tickets of a group, or some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueGroup {
    /// Which group.
    pub stage: QueueStage,
    /// How many it has, listed or not.
    pub count: u32,
    /// Those that are listed, what is due first.
    pub tickets: Vec<QueueTicket>,
    /// Where the next of them are, if not all are listed.
    pub more: Option<String>,
}

/// One ticket in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueTicket {
    /// Its number.
    pub no: String,
    /// The version that an action must name.
    pub version: i64,
    /// What is wrong.
    pub title: String,
    /// What it is about, a device or an agent, unless it is about the site.
    pub device: Option<DeviceRef>,
    /// Its site's name, where several sites are listed.
    pub site_name: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its step.
    pub step: TicketStep,
    /// When it was reported.
    pub reported_at: When,
    /// The next time limit.
    pub deadline: Option<Deadline>,
    /// Who works on it.
    pub owner: Option<String>,
    /// What is waited for.
    pub waiting_for: Option<WaitingFor>,
    /// Whether the device has come back to normal by itself since.
    pub recovered: bool,
    /// What the reader may do, as buttons.
    pub actions: Vec<Action>,
}

/// The state of an agent's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Connected and heard of.
    Up,
    /// Just lost; it may come back.
    Suspect,
    /// Lost.
    Down,
    /// Not yet heard of since the hub started.
    Unverified,
}

impl Link {
    pub(crate) fn state(self) -> State {
        match self {
            Self::Up => State::Normal,
            Self::Down => State::Offline,
            Self::Suspect | Self::Unverified => State::Unknown,
        }
    }

    pub(crate) fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::Up => t.link_up,
            Self::Suspect => t.link_suspect,
            Self::Down => t.link_down,
            Self::Unverified => t.link_unverified,
        }
    }
}

/// One agent in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRow {
    /// Its site.
    pub site: SiteId,
    /// Its name.
    pub id: AgentId,
    /// Its site's name, where several sites are listed.
    pub site_name: Option<String>,
    /// Its link.
    pub link: Link,
    /// Since when the link is in this state.
    pub since: Option<When>,
    /// When it was last heard of.
    pub seen: Option<When>,
    /// Its program's version.
    pub version: String,
    /// How many devices it watches.
    pub devices: u32,
    /// About how many records it holds that are not yet in the database, if that is known.
    pub backlog: Option<u64>,
    /// How many records are waited for.
    pub missing: u64,
    /// How many it has lost.
    pub lost: u64,
    /// How far its clock is ahead of the hub's, in ms.
    pub clock_offset_ms: Option<i64>,
    /// Whether its clock is so wrong that the hub does not use its times.
    pub clock_suspect: bool,
}

impl AgentRow {
    /// Where its own page is.
    pub(crate) fn href(&self) -> String {
        format!("/a/{}/{}", self.site, self.id)
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.backlog.is_some_and(|backlog| backlog > 0)
    }

    pub(crate) fn clock(&self, t: &Texts) -> String {
        let Some(offset) = self.clock_offset_ms else { return t.unknown_value.to_owned() };
        let sign = if offset < 0 { '−' } else { '+' };
        let ms = offset.unsigned_abs();
        let size = if ms < 1000 {
            fill(t.milliseconds, &ms.to_string())
        } else {
            fill(t.seconds, &format!("{}.{}", ms / 1000, ms % 1000 / 100))
        };
        format!("{sign}{size}")
    }
}

/// `/engineering`: what must I do next?
#[derive(Debug, Clone, Template)]
#[template(path = "engineering.html", blocks = ["main", "lamp"])]
pub struct EngineeringPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The groups of the queue; one alone where that is asked for.
    pub queue: Vec<QueueGroup>,
    /// How many tickets each group has: due, reported, in work, to be confirmed.
    pub counts: [u32; 4],
    /// How many tickets are past a time limit; they are among those due.
    pub overdue: u32,
    /// The open alerts, the gravest first.
    pub alerts: Vec<AlertRow>,
    /// How many alerts are open, listed here or not.
    pub alerts_open: u32,
    /// Devices that wait for a person to admit them.
    pub newcomers: Vec<Newcomer>,
    /// Agents, those with trouble first.
    pub agents: Vec<AgentRow>,
    /// How many agents there are, listed here or not.
    pub agents_known: u32,
}

page!(EngineeringPage);

impl EngineeringPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let [due, waiting, working, _] = self.counts;
        let (overdue, due) = (self.overdue, due.saturating_sub(self.overdue));
        // What there is none of is not counted.
        let counted = |first: u32, second: u32, [both, one]: [&str; 2]| match second {
            0 => fill(one, &first.to_string()),
            _ => fill2(both, &first.to_string(), &second.to_string()),
        };
        if overdue > 0 {
            Verdict::new(State::Abnormal, counted(overdue, due, [t.queue_overdue_and_due, t.queue_overdue]))
        } else if due > 0 {
            Verdict::new(State::Abnormal, fill(t.queue_due, &due.to_string()))
        } else if waiting > 0 {
            Verdict::new(State::Abnormal, counted(waiting, working, [t.queue_waiting_and_working, t.queue_waiting]))
        } else if matches!(self.chrome.collection.state(), State::Unknown | State::Offline) {
            Verdict::new(State::Unknown, t.no_data_no_verdict)
        } else if !self.newcomers.is_empty() {
            Verdict::new(State::Maintenance, fill(t.queue_newcomers, &self.newcomers.len().to_string()))
        } else if working > 0 {
            Verdict::new(State::Maintenance, fill(t.queue_working, &working.to_string()))
        } else {
            Verdict::new(State::Normal, t.queue_empty)
        }
    }

    fn more_alerts(&self) -> bool {
        usize::try_from(self.alerts_open).is_ok_and(|open| open > self.alerts.len())
    }

    fn more_agents(&self) -> bool {
        usize::try_from(self.agents_known).is_ok_and(|known| known > self.agents.len())
    }

    fn site_filter(&self) -> &[Choice] {
        if self.chrome.several_sites() { &self.chrome.sites } else { &[] }
    }
}
