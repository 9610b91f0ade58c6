//! The broker and the network around it, as far as they lose, repeat, delay and forget.

use std::collections::VecDeque;

use fastrand::Rng;

/// Most messages that an external broker keeps for a hub that is away.
pub const QUEUE: usize = 200;

/// How the network behaves at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Of 1000 messages so many are dropped.
    pub drop: u32,
    /// Of 1000 messages so many come twice.
    pub repeat: u32,
    /// Of 1000 messages so many are overtaken.
    pub reorder: u32,
    /// Longest delay, in ms.
    pub delay: i64,
}

impl Weather {
    /// As on a good day.
    pub const FAIR: Self = Self { drop: 0, repeat: 0, reorder: 0, delay: 40 };

    /// Any.
    pub fn any(rng: &mut Rng) -> Self {
        Self { drop: rng.u32(0..150), repeat: rng.u32(0..200), reorder: rng.u32(0..300), delay: rng.i64(20..4000) }
    }

    /// When a message that leaves at `now` arrives: never, once or twice.
    pub fn arrivals(&self, now: i64, not_before: &mut i64, rng: &mut Rng) -> [Option<i64>; 2] {
        if rng.u32(0..1000) < self.drop {
            return [None, None];
        }
        let mut at = now + 1 + rng.i64(0..self.delay);
        if rng.u32(0..1000) >= self.reorder {
            at = at.max(*not_before + 1);
            *not_before = at;
        }
        let again = (rng.u32(0..1000) < self.repeat).then(|| at + 1 + rng.i64(0..self.delay * 3));
        [Some(at), again]
    }
}

/// A connection of an agent.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Whose it is.
    pub agent: usize,
    /// The session's epoch and number, as its will names it.
    pub session: (u64, u32),
    /// Whether the agent believes in it.
    pub agent_end: bool,
    /// Whether the broker does.
    pub broker_end: bool,
    /// No earlier does the next message arrive at the broker, and at the agent.
    pub not_before: [i64; 2],
}

/// The broker.
#[derive(Debug, Default)]
pub struct Broker {
    /// Whether it runs.
    pub up: bool,
    /// Whether it runs in the hub's process.
    pub embedded: bool,
    /// Every connection ever made.
    pub connections: Vec<Connection>,
    /// What waits for a hub that is away: agent, channel and payload.
    pub queue: VecDeque<super::world::FromAgentBytes>,
    /// What the hub says of itself.
    pub hub_online: Option<bool>,
    /// No earlier does the next message arrive at the hub.
    pub not_before: i64,
}
