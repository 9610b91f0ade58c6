//! How long a batch waits for more records to share its commit.

use std::time::Duration;

use tokio::time::Instant;

/// How long a batch waits after its first message, and one of few records after each. An alert closes it at once.
const LINGER: Duration = Duration::from_millis(5);
/// A commit of fewer records writes several KB to the disk for each.
const FEW: usize = 32;
/// A batch waits no longer, however few records it has. While others send, an agent may hear so much later that a record is stored.
const LONGEST: Duration = Duration::from_millis(50);

/// The wait of one batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linger {
    began: Instant,
    came: Instant,
}

impl Linger {
    /// Begins with the first message.
    pub(super) const fn begin(now: Instant) -> Self {
        Self { began: now, came: now }
    }

    /// Another message came.
    pub(super) const fn came(&mut self, now: Instant) {
        self.came = now;
    }

    /// Whether it has ended, however many messages still wait.
    pub(super) fn is_long(&self) -> bool {
        self.came.duration_since(self.began) >= LONGEST
    }

    /// When it ends if nothing more comes and the batch has so many records.
    pub(super) fn until(&self, records: usize) -> Instant {
        if records < FEW { (self.came + LINGER).min(self.began + LONGEST) } else { self.began + LINGER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_records_wait_while_others_keep_coming_and_many_do_not() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut linger = Linger::begin(began);
        assert_eq!([linger.until(1), linger.until(FEW)], [after(5), after(5)]);
        linger.came(after(4));
        assert_eq!([linger.until(2), linger.until(FEW)], [after(9), after(5)]);
        linger.came(after(48));
        assert_eq!((linger.until(FEW - 1), linger.is_long()), (after(50), false), "not for ever");
        linger.came(after(50));
        assert!(linger.is_long(), "also if more and more come");
    }
}
