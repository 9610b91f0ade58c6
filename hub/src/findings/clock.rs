//! The computer's clock: whether it was set while the hub ran, and whether it can be right at all.

use std::sync::{Mutex, PoisonError};

use lobby_dashboards::FindingKey;
use lobby_domain::time::{Span, Timestamp};

use super::{Found, Severity};
use crate::clock::Step;

/// 2024-01-01: the product is younger.
const OLDEST: Timestamp = Timestamp::from_millis(1_704_067_200_000);
/// How long agents may disagree with a clock that was set before that is told.
const DISPUTED_AFTER: Span = Span::from_secs(30);

/// What ingest, which keeps the time, tells of it.
#[derive(Debug, Default)]
pub struct Timekeeping(Mutex<Kept>);

#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    step: Option<Step>,
    taken_over: Option<i64>,
}

impl Timekeeping {
    /// The computer's clock is off by a step, or not any more.
    pub fn stepped(&self, step: Option<Step>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).step = step;
    }

    /// The hub took over the computer's time, which moved it by so many ms.
    pub fn taken_over(&self, by: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept { step: None, taken_over: Some(by) };
    }

    pub(super) fn probe(&self, now: Timestamp) -> Vec<Found> {
        let kept = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = *kept;
            // It is told once, and then stays until somebody has seen it.
            kept.taken_over = None;
            now
        };
        let mut found = Vec::new();
        let stepped = |by: i64, shown: Timestamp| {
            Found::new(FindingKey::ClockStepped, Severity::Error).with(signed(by)).with(utc(shown))
        };
        if let Some(by) = kept.taken_over {
            found.push(stepped(by, now).persistent());
        } else if let Some(Step { ahead, lasted }) = kept.step {
            found.push(if i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX) < DISPUTED_AFTER.millis() {
                stepped(ahead, now.shifted(ahead))
            } else {
                Found::new(FindingKey::ClockDisputed, Severity::Error).with(signed(ahead))
            });
        }
        if now < OLDEST {
            found.push(Found::new(FindingKey::ClockUnset, Severity::Error).with(utc(now)));
        }
        found
    }
}

/// A length of time with its sign, in whole units.
pub(super) fn signed(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "+" };
    let seconds = millis.unsigned_abs().saturating_add(500) / 1000;
    match seconds {
        0..120 => format!("{sign}{seconds} s"),
        120..7200 => format!("{sign}{} min", seconds / 60),
        7200..172_800 => format!("{sign}{} h", seconds / 3600),
        _ => format!("{sign}{} d", seconds / 86_400),
    }
}

/// A moment to the minute, so that it does not change at every look.
fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .map_or_else(|_| format!("{} ms", at.millis()), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_140_000_000);

    fn ids(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| &*found.id).collect()
    }

    #[test]
    fn a_clock_that_is_set_is_told_at_once_and_stays_told_when_it_was_taken_over() {
        let kept = Timekeeping::default();
        assert!(kept.probe(NOW).is_empty());
        kept.stepped(Some(Step { ahead: 3_600_000, lasted: Duration::from_secs(1) }));
        assert_eq!(ids(&kept.probe(NOW)), ["clock_stepped"]);
        kept.stepped(Some(Step { ahead: 3_600_000, lasted: Duration::from_secs(31) }));
        assert_eq!(ids(&kept.probe(NOW)), ["clock_disputed"]);
        kept.taken_over(3_600_000);
        assert_eq!(kept.probe(NOW).len(), 1);
        assert!(kept.probe(NOW).is_empty(), "it is kept by the findings from then on");
    }

    #[test]
    fn a_time_before_the_product_existed_is_told() {
        assert_eq!(ids(&Timekeeping::default().probe(Timestamp::from_millis(0))), ["clock_unset"]);
    }

    #[rstest]
    #[case(3_600_000, "+60 min")]
    #[case(-7_200_000, "-2 h")]
    #[case(2_500, "+3 s")]
    #[case(-30 * 86_400_000, "-30 d")]
    fn a_step_is_told_in_whole_units(#[case] millis: i64, #[case] words: &str) {
        assert_eq!(signed(millis), words);
    }
}
