//! What follows from a batch of messages: to be stored in one transaction, and only then to be said.

use std::collections::{BTreeMap, BTreeSet};

use lobby_contract::{AgentId, DeviceId, Lost, Order, Record};

use crate::{
    alert::{AlertId, Clear, Raise, Subject},
    device::LinkWord,
    late::LateIncident,
    rule::{Kept, Rule},
    time::Timestamp,
    watch::Unstable,
};

/// What follows from a batch of messages, in the order in which it follows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Records to be stored.
    pub records: Vec<NewRecord>,
    /// Ranges that agents no longer have, and that had not come before. They do not overlap.
    pub lost: Vec<(AgentId, Lost)>,
    /// Records that came and could not be read: agent, epoch, seq.
    pub unreadable: Vec<(AgentId, u64, u64)>,
    /// Alerts, in order.
    pub alerts: Vec<AlertChange>,
    /// Faults that began and ended before anybody could be told.
    pub late: Vec<LateIncident>,
    /// How the hub came to hear agents, or no longer to, in order.
    pub links: Vec<LinkChange>,
    /// Open alerts that have begun to flap.
    pub unstable: Vec<Unstable>,
    /// Rules that entered another phase, or whose timer got on: subject and rule to where it stands.
    pub phases: BTreeMap<(Subject, Box<str>), Kept>,
    /// Agents whose row changed.
    pub agents: BTreeSet<AgentId>,
    /// Devices whose row changed.
    pub devices: BTreeSet<DeviceId>,
    /// Devices whose live state changed, for whoever looks at them.
    pub touched: BTreeSet<DeviceId>,
    /// Streams that got on: agent and epoch.
    pub streams: BTreeSet<(AgentId, u64)>,
    /// Streams to acknowledge, even where nothing new came: a repeat means that the last acknowledgement was lost.
    pub acks: BTreeSet<(AgentId, u64)>,
    /// What to ask of agents.
    pub orders: Vec<(AgentId, Order)>,
    /// What was wrong with what came, to be counted and logged.
    pub complaints: Vec<Complaint>,
    /// Records that had been taken in before.
    pub duplicates: u64,
}

/// A record to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    /// Its agent.
    pub agent: AgentId,
    /// Its epoch.
    pub epoch: u64,
    /// The record.
    pub record: Record,
    /// When it was received.
    pub received_at: Timestamp,
    /// When the device was probed, by the hub's clock. The record itself has it by its agent's.
    pub at: Timestamp,
    /// Whether the agent's clock was too far off to be believed.
    pub clock_suspect: bool,
}

/// The link of an agent became another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The agent.
    pub agent: AgentId,
    /// When the hub knew.
    pub at: Timestamp,
    /// What it became.
    pub link: LinkWord,
}

/// A change of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum AlertChange {
    /// It is to be raised.
    Raise(Raise),
    /// It is open, and what had to wait is to be done about it now: its `step`, which is never `Later`, and telling of it.
    Follow(Raise),
    /// Its device is in use again, and it is still there: whoever was told of it before, if anybody was, is told again.
    Unmuted(AlertId, Timestamp),
    /// It is to be cleared.
    Clear(Clear),
}

/// Something that came and was not as it should be. The rest goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Complaint {
    /// Whose message it was.
    pub agent: AgentId,
    /// The device it is about, if any.
    pub device: Option<DeviceId>,
    /// What kind of mistake, for counting.
    pub cause: Cause,
    /// What is wrong, in words.
    pub detail: String,
}

/// The kinds of mistake that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// An entry of a data message is no record.
    BadRecord,
    /// An entry of a birth is no device.
    BadDevice,
    /// A birth names a kind that the standards pack does not have.
    UnknownKind,
    /// A fact has a value that its kind does not allow.
    BadFact,
    /// A record of a device that belongs to another agent.
    ForeignDevice,
    /// The agent's clock is more than two minutes off.
    ClockSuspect,
    /// A command failed.
    CommandFailed,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::BadRecord,
        Self::BadDevice,
        Self::UnknownKind,
        Self::BadFact,
        Self::ForeignDevice,
        Self::ClockSuspect,
        Self::CommandFailed,
    ];

    /// As it stands in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRecord => "bad_record",
            Self::BadDevice => "bad_device",
            Self::UnknownKind => "unknown_kind",
            Self::BadFact => "bad_fact",
            Self::ForeignDevice => "foreign_device",
            Self::ClockSuspect => "clock_suspect",
            Self::CommandFailed => "command_failed",
        }
    }
}

impl Changes {
    /// Whether nothing is to be stored.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.lost.is_empty()
            && self.unreadable.is_empty()
            && self.alerts.is_empty()
            && self.late.is_empty()
            && self.links.is_empty()
            && self.unstable.is_empty()
            && self.phases.is_empty()
            && self.agents.is_empty()
            && self.devices.is_empty()
            && self.streams.is_empty()
    }

    pub(crate) fn complain(&mut self, agent: &AgentId, device: Option<&DeviceId>, cause: Cause, detail: String) {
        self.complaints.push(Complaint { agent: agent.clone(), device: device.cloned(), cause, detail });
    }

    pub(crate) fn phase(&mut self, subject: &Subject, rule: &Rule, kept: Kept) {
        self.phases.insert((subject.clone(), rule.id.clone()), kept);
    }
}
