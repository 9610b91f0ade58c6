//! How much of a backlog may be under way: as much as the way carries in its own time and half a second, so that what is new is never
//! longer than that behind it, on a slow line as on a fast one.
//!
//! What arrives while a message is under way, by how long that takes, is the rate of the way; how long a message takes that waits
//! behind no other is its length. Rate times length keeps a line busy; what is beyond waits in front of it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::spool::MAX_BATCH_BYTES;

/// How long a message of the backlog may wait behind others of it.
const QUEUE: Duration = Duration::from_millis(500);
/// Fewest bytes under way, and in a message, if there is so much: an eighth of a second of a line of 64 kbit/s.
const LEAST: usize = 1024;
/// So many messages fill what may be under way, where they need not be larger or smaller: the more, the less a message waits for the
/// rest of itself.
const PARTS: usize = 16;
/// Most bytes under way.
const MOST: usize = 20 * MAX_BATCH_BYTES;

/// How a message left.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Departure {
    pub(super) at: Duration,
    pub(super) bytes: usize,
    /// Bytes that had arrived until then.
    arrived: usize,
    /// Bytes that were allowed to be under way.
    window: usize,
    /// Nothing else was under way.
    alone: bool,
}

/// What is known of the way to the hub and back.
#[derive(Debug)]
pub(super) struct Pace {
    window: usize,
    /// How long a message takes that waits behind no other.
    length: Option<Duration>,
    arrived: usize,
}

impl Pace {
    /// Nothing is known of the way.
    pub(super) fn new() -> Self {
        Self { window: LEAST, length: None, arrived: 0 }
    }

    /// A way that takes as much as is wanted.
    #[cfg(test)]
    pub(super) fn wide() -> Self {
        Self { window: MOST, ..Self::new() }
    }

    /// The way may be another one from now on.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// How many bytes the next message may have, while so many are under way.
    pub(super) fn room(&self, under_way: usize) -> Option<usize> {
        let size = size(self.window);
        (under_way == 0 || under_way + size <= self.window).then_some(size)
    }

    /// A message leaves, while so many bytes are under way.
    pub(super) fn leaves(&self, bytes: usize, under_way: usize, now: Duration) -> Departure {
        Departure { at: now, bytes, arrived: self.arrived, window: self.window, alone: under_way == 0 }
    }

    /// Messages of so many bytes have arrived, of which `last` left last.
    pub(super) fn arrived(&mut self, bytes: usize, last: Departure, now: Duration) {
        self.arrived += bytes;
        let took = now.saturating_sub(last.at).max(Duration::from_millis(1));
        let length = match self.length {
            Some(known) if !last.alone => known.min(took),
            _ => took,
        };
        self.length = Some(length);
        let came = self.arrived - last.arrived;
        // What was allowed, and not enough for one more message, counts as used.
        let used = if came + size(last.window) > last.window { came.max(last.window) } else { came };
        let window = used as u128 * (length + QUEUE).as_nanos() / took.as_nanos();
        self.window = usize::try_from(window).unwrap_or(MOST).clamp(LEAST, MOST);
    }
}

/// How large messages are.
fn size(window: usize) -> usize {
    (window / PARTS).clamp(LEAST, MAX_BATCH_BYTES)
}
