//! The time as agents played by tests state it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 UTC, now.
#[expect(clippy::disallowed_methods, reason = "the harness plays agents, which have a clock of their own")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
