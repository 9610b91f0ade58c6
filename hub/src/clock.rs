//! The one place that reads the wall clock; everything else is given a [`Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

use lobby_domain::time::Timestamp;

/// Where the shell takes the time from, to pass it on as an argument.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is a computer without battery: 1970 is the nearest value that can be stored.
        Timestamp::from_millis(since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// A clock that follows tokio's, which tests can pause and move.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    base: Timestamp,
    start: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that shows `base` now.
    pub fn starting_at(base: Timestamp) -> Self {
        Self { base, start: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.base.shifted(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
