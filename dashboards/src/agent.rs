//! The agents: is each there, and what has become of its records?

use askama::Template;

use crate::{
    chrome::{Chrome, page},
    engineering::{AgentRow, Link},
    state::{State, Verdict},
    texts::{Texts, fill},
    time::{When, length},
};

/// What has become of an agent's records.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Records it is known to have made.
    pub produced: u64,
    /// Those in the database.
    pub stored: u64,
    /// Those that are waited for.
    pub missing: u64,
    /// Since when something has been missing.
    pub missing_since: Option<When>,
    /// Those it no longer has.
    pub lost: u64,
    /// Those that came and could not be read.
    pub unreadable: u64,
    /// Repeats refused.
    pub duplicates: u64,
    /// How often it was asked to send something again.
    pub resends: u64,
    /// The longest time from a probe to its receipt, in ms.
    pub longest_delay_ms: i64,
    /// The same of the last day.
    pub longest_delay_day_ms: i64,
    /// Records per minute, if known.
    pub per_minute: Option<f64>,
}

impl Delivery {
    /// The rows of the table: what, how much, and whether it wants to be looked at.
    fn rows(&self, t: &Texts) -> Vec<(&'static str, String, bool)> {
        let number = |label, value: u64| (label, value.to_string(), false);
        let worry = |label, value: u64| (label, value.to_string(), value > 0);
        let mut missing = worry(t.ledger_missing, self.missing);
        if let Some(since) = &self.missing_since {
            missing.1 = format!("{}{}{}", missing.1, t.comma, fill(t.ledger_missing_since, &since.local));
        }
        let rate = self.per_minute.map_or_else(|| t.unknown_value.to_owned(), |rate| format!("{rate:.1}"));
        vec![
            number(t.ledger_produced, self.produced),
            number(t.ledger_stored, self.stored),
            missing,
            worry(t.ledger_lost, self.lost),
            worry(t.ledger_unreadable, self.unreadable),
            number(t.ledger_duplicates, self.duplicates),
            number(t.ledger_resends, self.resends),
            (t.ledger_delay, length(t, self.longest_delay_ms), false),
            (t.ledger_delay_day, length(t, self.longest_delay_day_ms), false),
            (t.ledger_rate, rate, false),
        ]
    }
}

/// Some records that will never come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The agent's run in which they were made.
    pub epoch: u64,
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// They came and could not be read.
    pub unreadable: bool,
    /// They were made no earlier, if that is known.
    pub from: Option<When>,
    /// They were made no later.
    pub to: When,
}

impl Loss {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.last.saturating_sub(self.first) + 1
    }

    pub(crate) fn sentence(&self, t: &Texts) -> String {
        let words = if self.unreadable { t.unreadable_records } else { t.lost_records };
        fill(words, &self.count().to_string())
    }

    pub(crate) fn numbers(&self) -> String {
        if self.first == self.last {
            format!("{}/{}", self.epoch, self.first)
        } else {
            format!("{}/{}–{}", self.epoch, self.first, self.last)
        }
    }
}

/// `/agents`: are the agents delivering?
#[derive(Debug, Clone, Template)]
#[template(path = "agents.html", blocks = ["main", "lamp"])]
pub struct AgentsPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// Agents that are up, listed here or not.
    pub up: u32,
    /// Those that are down.
    pub down: u32,
    /// Those of which it is not known.
    pub unverified: u32,
    /// The agents of this part of the list.
    pub agents: Vec<AgentRow>,
    /// Where the list goes on.
    pub next: Option<String>,
}

page!(AgentsPage);

impl AgentsPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let Self { up, down, unverified, .. } = self;
        let some = || {
            let counts = [(t.agents_down, down), (t.agents_unverified, unverified), (t.agents_up, up)];
            let told = counts.into_iter().filter(|(_, count)| **count > 0);
            let told: Vec<_> = told.map(|(words, count)| fill(words, &count.to_string())).collect();
            fill(t.agents_some, &told.join(t.comma))
        };
        match (up, down, unverified) {
            (0, 0, 0) => Verdict::new(State::Unknown, t.agents_none),
            (_, 0, 0) => Verdict::new(State::Normal, fill(t.agents_all_up, &up.to_string())),
            (_, 0, _) => Verdict::new(State::Unknown, some()),
            _ => Verdict::new(State::Offline, some()),
        }
    }
}

/// `/a/{site}/{agent}`: is it there, and what has become of its records?
#[derive(Debug, Clone, Template)]
#[template(path = "agent.html", blocks = ["main", "lamp"])]
pub struct AgentPage {
    /// What surrounds it.
    pub chrome: Chrome,
    /// The agent.
    pub agent: AgentRow,
    /// Its current run.
    pub epoch: u64,
    /// Its current connection.
    pub session: u32,
    /// What has become of its records.
    pub delivery: Delivery,
    /// What it has lost, the newest first.
    pub losses: Vec<Loss>,
    /// Where that list goes on.
    pub next: Option<String>,
}

page!(AgentPage);

impl AgentPage {
    /// The sentence the page opens with.
    pub fn verdict(&self) -> Verdict {
        let t = self.chrome.t();
        let Delivery { missing, lost, .. } = self.delivery;
        let backlog = self.agent.backlog.unwrap_or(0);
        match self.agent.link {
            Link::Down => Verdict::new(State::Offline, t.agent_is_down),
            Link::Suspect | Link::Unverified => Verdict::new(State::Unknown, t.agent_is_unknown),
            Link::Up if self.agent.clock_suspect => Verdict::new(State::Abnormal, t.agent_clock_wrong),
            Link::Up if missing > 0 => Verdict::new(State::Abnormal, fill(t.agent_is_missing, &missing.to_string())),
            Link::Up if backlog > 0 => Verdict::new(State::Normal, fill(t.agent_catches_up, &backlog.to_string())),
            Link::Up if lost > 0 => Verdict::new(State::Normal, fill(t.agent_delivers_lost, &lost.to_string())),
            Link::Up => Verdict::new(State::Normal, t.agent_delivers),
        }
    }
}
