//! What the MQTT side counts, for metrics and health.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use mqtt5::broker::sys_topics::BrokerStats;
use tokio::time::Instant;

/// Why something of a client was refused; the label of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A topic outside the contract.
    Topic,
    /// A kind of message that version 1 does not know.
    UnknownChannel,
    /// The hub's own side of the conversation.
    Direction,
    /// A topic of another agent.
    Forbidden,
    /// A message that asks to be retained.
    Retained,
    /// A payload beyond the limit.
    TooLarge,
    /// A payload that is not its channel's message.
    Payload,
    /// A filter the client may not subscribe to.
    Subscription,
    /// A will the client may not leave.
    Will,
    /// A log-in that failed.
    Login,
    /// More than the hub can hold; the sender keeps it and sends it again.
    Overflow,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 11] = [
        Self::Topic,
        Self::UnknownChannel,
        Self::Direction,
        Self::Forbidden,
        Self::Retained,
        Self::TooLarge,
        Self::Payload,
        Self::Subscription,
        Self::Will,
        Self::Login,
        Self::Overflow,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::UnknownChannel => "unknown_channel",
            Self::Direction => "direction",
            Self::Forbidden => "forbidden",
            Self::Retained => "retained",
            Self::TooLarge => "too_large",
            Self::Payload => "payload",
            Self::Subscription => "subscription",
            Self::Will => "will",
            Self::Login => "login",
            Self::Overflow => "overflow",
        }
    }
}

/// Counts since the start of the process. Every number only grows, except where it says otherwise.
#[derive(Default)]
pub struct MqttCounters {
    accepted: AtomicU64,
    accepted_bytes: AtomicU64,
    waited: AtomicU64,
    read_nanos: AtomicU64,
    evicted: AtomicU64,
    turned_away: AtomicU64,
    refused: [AtomicU64; Cause::ALL.len()],
    broker: OnceLock<Arc<BrokerStats>>,
    accepting: Mutex<Option<Instant>>,
}

impl MqttCounters {
    /// A listener of the embedded broker is there to accept connections.
    pub(super) fn beat(&self) {
        *self.accepting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long no listener of the embedded broker was there to accept connections; `None` with an external one.
    pub fn idle(&self) -> Option<Duration> {
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner).map(|beat| beat.elapsed())
    }

    /// Messages handed to ingest.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// The time that reading messages has taken.
    pub fn reading(&self) -> Duration {
        Duration::from_nanos(self.read_nanos.load(Relaxed))
    }

    pub(super) fn count_reading(&self, time: Duration) {
        self.read_nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Their payloads, in bytes.
    pub fn accepted_bytes(&self) -> u64 {
        self.accepted_bytes.load(Relaxed)
    }

    /// Messages that found the inbound queue full and waited.
    pub fn waited(&self) -> u64 {
        self.waited.load(Relaxed)
    }

    /// Connections closed because they did not introduce themselves in time, or were the oldest of too many such.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Connections closed at once because `max_clients` are connected.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Relaxed)
    }

    /// What was refused for `cause`.
    pub fn refused(&self, cause: Cause) -> u64 {
        self.refused[cause as usize].load(Relaxed)
    }

    /// Clients connected to the embedded broker now. Falls as well as rises.
    pub fn clients(&self) -> usize {
        self.broker.get().map_or(0, |broker| broker.clients_connected.load(Relaxed))
    }

    pub(super) fn watch(&self, broker: Arc<BrokerStats>) {
        // Set once per start; a second set would be a second broker, which has its own counters.
        self.broker.get_or_init(|| broker);
    }

    pub(super) fn count_accepted(&self, bytes: usize) {
        self.accepted.fetch_add(1, Relaxed);
        self.accepted_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn count_waited(&self) {
        self.waited.fetch_add(1, Relaxed);
    }

    pub(super) fn count_evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    pub(super) fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    pub(super) fn count_refused(&self, cause: Cause) {
        self.refused[cause as usize].fetch_add(1, Relaxed);
    }
}

impl std::fmt::Debug for MqttCounters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("MqttCounters");
        shown.field("accepted", &self.accepted()).field("clients", &self.clients());
        for cause in Cause::ALL {
            shown.field(cause.as_str(), &self.refused(cause));
        }
        shown.finish_non_exhaustive()
    }
}
