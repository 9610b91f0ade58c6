//! How long to wait before the next attempt to connect: longer each time, and at random, so that a thousand agents whose broker
//! came back do not all knock at once.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// Attempts are at least this far apart.
const SPACING: Duration = Duration::from_secs(1);

/// Counts failed attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A session held: the next failure is the first again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after an attempt that failed and took `spent`; `random` is from 0 to 1.
    pub(super) fn next(&mut self, spent: Duration, random: f64) -> Duration {
        let ceiling = SHORTEST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let pause = SHORTEST + ceiling.saturating_sub(SHORTEST).mul_f64(random);
        pause.max(SPACING.saturating_sub(spent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_start_again_after_a_session_that_held() {
        let mut backoff = Backoff::default();
        let long = Duration::from_mins(1);
        let longest: Vec<u128> = (0..9).map(|_| backoff.next(long, 1.0).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.next(long, 0.0), SHORTEST, "the pause is anywhere between");
        backoff.reset();
        assert_eq!(backoff.next(long, 1.0), SHORTEST);
    }

    #[test]
    fn attempts_are_never_less_than_a_second_apart() {
        for failures in [0, 3, u32::MAX] {
            let spent = Duration::from_millis(10);
            assert!(Backoff { failures }.next(spent, 0.0) + spent >= SPACING);
        }
    }
}
