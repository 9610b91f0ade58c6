//! How long a batch waits for more records to share its commit.

use std::time::Duration;

use tokio::time::Instant;

/// How long an ordinary record waits at least. An alert closes the batch at once.
const LINGER: Duration = Duration::from_millis(5);
/// A commit of fewer records writes several KB to the disk for each. While others keep coming, each within [`LINGER`] of the one before,
/// it waits for this long at most. Whoever waits for his answer before he sends more is not held up by that.
const FEW: usize = 32;
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
        assert_eq!(linger.until(FEW - 1), after(50), "not for ever");
    }
}
