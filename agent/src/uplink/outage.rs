//! What is said of an outage: its beginning and its end, and now and then that it still lasts.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant};
use tracing::{info, warn};

/// How often an outage that lasts is told again.
const REMIND: Duration = Duration::from_mins(10);
/// A connection that broke sooner than this did not end the outage.
const HELD: Duration = Duration::from_secs(10);

/// The time without a connection to the broker.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Lasting>>);

#[derive(Debug, Clone, Copy)]
struct Lasting {
    since: Instant,
    told: Instant,
    attempts: u64,
    /// When there was a connection again, which may not have held.
    restored: Option<Instant>,
    told_end: bool,
}

impl Outage {
    /// An attempt to connect, or a connection, failed.
    pub(super) fn failed(&self, hub: &dyn std::fmt::Display, cause: &str, now: Instant) {
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = |lasting: &Lasting| lasting.restored.is_none_or(|at| now.duration_since(at) < HELD);
        let before = outage.filter(held);
        let mut lasting =
            before.unwrap_or(Lasting { since: now, told: now, attempts: 0, restored: None, told_end: false });
        lasting.attempts += 1;
        lasting.restored = None;
        if before.is_none() {
            warn!(%hub, cause, "no connection to the broker: records wait in the spool");
        } else if now.duration_since(lasting.told) >= REMIND {
            let (attempts, minutes) = (lasting.attempts, now.duration_since(lasting.since).as_secs() / 60);
            warn!(%hub, cause, attempts, minutes, "still no connection to the broker that holds");
            lasting.told = now;
        }
        *outage = Some(lasting);
    }

    /// There is a connection. Returns whether that has been said: at the end of an outage, and not again while it comes and goes.
    pub(super) fn over(&self, now: Instant) -> bool {
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lasting) = &mut *outage else { return false };
        lasting.restored = Some(now);
        let Lasting { since, attempts, .. } = *lasting;
        if !std::mem::replace(&mut lasting.told_end, true) {
            let seconds = now.duration_since(since).as_secs();
            info!(attempts, seconds, "the connection to the broker is there again");
        }
        true
    }
}
