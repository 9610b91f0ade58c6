//! A site's memory moved to another time scale: what happened an hour ago happened an hour ago also after the clock was set.
//!
//! The rules measure by differences of timestamps, so when the hub takes over another time of day, every timestamp in memory moves by
//! the same amount as the clock. No timer, silence or freshness gains or loses a millisecond by it. What people set by the time of
//! day, such as opening hours, does not move: it is read by the new time from then on.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::{
    agent::{Agent, Clock, Link},
    delivery::Stream,
    device::{Device, Last},
    site::Site,
    time::Timestamp,
    watch::Watch,
};

/// Something that remembers moments.
trait Rebase {
    /// Moves every moment by `by` ms.
    fn rebase(&mut self, by: i64);
}

impl Rebase for Timestamp {
    fn rebase(&mut self, by: i64) {
        *self = self.shifted(by);
    }
}

impl<T: Rebase> Rebase for Option<T> {
    fn rebase(&mut self, by: i64) {
        if let Some(inner) = self {
            inner.rebase(by);
        }
    }
}

impl<T: Rebase> Rebase for Box<T> {
    fn rebase(&mut self, by: i64) {
        (**self).rebase(by);
    }
}

impl<K, V: Rebase> Rebase for BTreeMap<K, V> {
    fn rebase(&mut self, by: i64) {
        for value in self.values_mut() {
            value.rebase(by);
        }
    }
}

impl Watch {
    /// Moves every moment that its rules remember by `by` ms.
    pub(crate) fn rebase(&mut self, by: i64) {
        self.places.change_moving(|state| state.rebase(by));
    }
}

impl Rebase for Link {
    fn rebase(&mut self, by: i64) {
        match self {
            Self::Up => {}
            Self::Unverified { since } | Self::Suspect { since } | Self::Down { since } => since.rebase(by),
        }
    }
}

impl Rebase for Clock {
    /// How far the agent's clock is off the new time is not known before its next message: it may have been set along with the
    /// hub's, or not.
    fn rebase(&mut self, _: i64) {
        *self = Self::default();
    }
}

impl Rebase for Stream {
    fn rebase(&mut self, by: i64) {
        self.settles_at.rebase(by);
        self.asked_at.rebase(by);
        self.tally.missing_since.rebase(by);
        self.tally.delays.rebase(by);
    }
}

impl Rebase for Agent {
    fn rebase(&mut self, by: i64) {
        self.link.rebase(by);
        self.rebase_comings(by);
        self.clock.rebase(by);
        self.streams.rebase(by);
        self.losses.rebase(by);
    }
}

impl Rebase for Last {
    fn rebase(&mut self, by: i64) {
        self.at.rebase(by);
        self.received_at.rebase(by);
    }
}

impl Rebase for Device {
    fn rebase(&mut self, by: i64) {
        self.last.rebase(by);
        if let Some((_, since)) = &mut self.state_since {
            since.rebase(by);
        }
        self.due.rebase(by);
        self.watch.rebase(by);
        if let Some(replay) = &mut self.replay {
            replay.rebase(by);
        }
        if let Some(contest) = &mut self.contest {
            contest.rebase(by);
        }
    }
}

impl Site {
    /// Moves everything remembered by `by` ms, to go with a clock that was moved by as much. Decides nothing; the next tick reads the
    /// opening hours by the new time.
    pub fn rebase(&mut self, by: i64) {
        for watched in self.agents.values_mut() {
            watched.agent.rebase(by);
            watched.watch.rebase(by);
            watched.asked_for_birth.rebase(by);
            watched.birth_due.rebase(by);
            if let Some((_, at)) = &mut watched.sampled {
                at.rebase(by);
            }
        }
        self.devices.rebase(by);
        self.watch.rebase(by);
        self.incidents.rebase(by);
        self.sampled_at.rebase(by);
        self.broker_found.rebase(by);
        let due = std::mem::take(&mut self.due);
        self.due =
            due.into_iter().map(|Reverse((at, device))| Reverse((at.shifted(by), device))).collect::<BinaryHeap<_>>();
    }
}
