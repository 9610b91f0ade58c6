//! A device that two agents report. Only what its own agent says is judged, so that the other watches it in vain, or both take turns at
//! being its own.

use lobby_contract::AgentId;

use super::Device;
use crate::time::{Span, Timestamp};

/// How long it must go on: while a device goes from one agent to another, both may report it for a moment.
const LEAST: Span = Span::from_mins(1);
/// After so long without a record of the other agent it is over, unless the device reports more seldom.
const OVER: Span = Span::from_mins(10);

/// Records of another agent than the device's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contest {
    agents: [AgentId; 2],
    first: Timestamp,
    last: Timestamp,
}

impl Contest {
    pub(crate) fn rebase(&mut self, by: i64) {
        self.first = self.first.shifted(by);
        self.last = self.last.shifted(by);
    }
}

impl Device {
    /// Another agent than its own has reported it.
    pub(crate) fn reported_by(&mut self, other: &AgentId, now: Timestamp) {
        let mut agents = [self.agent.clone(), other.clone()];
        agents.sort();
        let over = self.over_after();
        let before = self.contest.take().filter(|before| before.agents == agents && now.since(before.last) < over);
        let first = before.map_or(now, |before| before.first);
        self.contest = Some(Box::new(Contest { agents, first, last: now }));
    }

    /// The two agents that both report it, as long as they do.
    pub fn contested_by(&self, now: Timestamp) -> Option<&[AgentId; 2]> {
        let contest = self.contest.as_ref()?;
        let goes_on = contest.last.since(contest.first) >= LEAST && now.since(contest.last) < self.over_after();
        goes_on.then_some(&contest.agents)
    }

    fn over_after(&self) -> Span {
        OVER.max(self.every.times(3))
    }
}
