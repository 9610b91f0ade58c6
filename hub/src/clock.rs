//! The one place that reads the wall clock; everything else is given a [`Clock`].
//!
//! The rules measure silence, `for`, grace and warm-up by differences of timestamps, so the hub's time must not jump when somebody, or
//! time synchronisation, sets the computer's clock. [`SteadyClock`] shows the time of day that the computer had at the start plus the
//! monotonic time since, and follows the computer's clock in one of two ways:
//!
//! - A difference of up to two seconds is taken up at a twentieth of real time, without ever going back.
//! - A larger one is a **step**. The steady time goes on unchanged; after the step has lasted ([`crate::ingest`] decides, and asks
//!   the agents' clocks) the clock is **re-anchored**: it takes over the computer's time, and everything that the rules remember is
//!   moved by the same amount. So:
//!   - timers, silences, freshness and warm-up neither gain nor lose;
//!   - `since` of what is in memory reads right by the new clock;
//!   - opening hours and schedules are read by the new time of day, as people read them;
//!   - what is stored keeps the time that was believed when it was written (records, alerts, tickets and their deadlines): a deadline
//!     is a promise by the clock on the wall, and the finding says by how much that clock was moved.
//!
//! Time in which the computer sleeps is a step forward: nobody was watching, so it counts for no timer.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lobby_domain::time::Timestamp;
use tokio::time::Instant;

/// A difference that is taken up gradually; a larger one is a step.
const SLEW: i64 = 2000;
/// The part of real time by which a difference is taken up.
const SLEW_PART: i64 = 20;

/// Where the shell takes the time from, to pass it on as an argument.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// How far the computer's clock is off this one by a step, to be asked about once a second.
    fn step(&self) -> Option<Step> {
        None
    }

    /// Takes over the computer's time. Returns by how many ms [`Clock::now`] moved.
    fn reanchor(&self) -> i64 {
        0
    }
}

/// The computer's clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How many ms it is ahead of the steady time; negative if behind.
    pub ahead: i64,
    /// How long it has been so.
    pub lasted: Duration,
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

/// A clock that neither jumps nor goes back, except when it is re-anchored.
#[derive(Debug)]
pub struct SteadyClock<W = SystemClock> {
    wall: W,
    state: Mutex<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    at: Instant,
    shown: Timestamp,
    /// The latest time told: taking up a difference must not go back behind it.
    told: Timestamp,
    step: Option<(i64, Instant)>,
}

impl Anchor {
    fn now(&mut self) -> Timestamp {
        let elapsed = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.told = self.told.max(self.shown.shifted(elapsed));
        self.told
    }
}

impl<W: Clock> SteadyClock<W> {
    /// A clock that shows what `wall` shows now.
    pub fn new(wall: W) -> Self {
        let shown = wall.now();
        Self { wall, state: Mutex::new(Anchor { at: Instant::now(), shown, told: shown, step: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, Anchor> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Clock> Clock for SteadyClock<W> {
    fn now(&self) -> Timestamp {
        self.lock().now()
    }

    fn step(&self) -> Option<Step> {
        let mut anchor = self.lock();
        let elapsed = i64::try_from(anchor.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let shown = anchor.shown.shifted(elapsed);
        let ahead = self.wall.now().millis().saturating_sub(shown.millis());
        (anchor.at, anchor.shown) = (Instant::now(), shown);
        if ahead.saturating_abs() <= SLEW {
            let most = elapsed / SLEW_PART;
            anchor.shown = shown.shifted(ahead.clamp(-most, most));
            anchor.step = None;
            return None;
        }
        let same = anchor.step.filter(|(before, _)| before.saturating_sub(ahead).saturating_abs() <= SLEW);
        let (ahead, since) = *anchor.step.insert(same.unwrap_or((ahead, Instant::now())));
        Some(Step { ahead, lasted: since.elapsed() })
    }

    fn reanchor(&self) -> i64 {
        let mut anchor = self.lock();
        let before = anchor.now();
        let now = self.wall.now();
        *anchor = Anchor { at: Instant::now(), shown: now, told: now, step: None };
        now.millis().saturating_sub(before.millis())
    }
}

/// A clock that follows tokio's, which tests can pause and move.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    base: Timestamp,
    start: Instant,
}

impl TokioClock {
    /// A clock that shows `base` now.
    pub fn starting_at(base: Timestamp) -> Self {
        Self { base, start: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.base.shifted(i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    };

    use proptest::prelude::*;
    use rstest::rstest;
    use tokio::time::advance;

    use super::*;

    const T0: i64 = 1_795_140_000_000;
    const HOUR: i64 = 3_600_000;

    /// A wall clock that somebody can set.
    #[derive(Clone)]
    struct Wall(TokioClock, Arc<AtomicI64>);

    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            self.0.now().shifted(self.1.load(SeqCst))
        }
    }

    fn clocks() -> (SteadyClock<Wall>, Arc<AtomicI64>) {
        let set = Arc::new(AtomicI64::new(0));
        (SteadyClock::new(Wall(TokioClock::starting_at(Timestamp::from_millis(T0)), Arc::clone(&set))), set)
    }

    #[rstest]
    #[case::an_hour_on(HOUR)]
    #[case::an_hour_back(-HOUR)]
    #[case::a_month_on(30 * 24 * HOUR)]
    #[case::a_month_back(-30 * 24 * HOUR)]
    #[case::to_2038(4_074 * 24 * HOUR)]
    #[case::three_seconds(3000)]
    #[tokio::test(start_paused = true)]
    async fn a_step_changes_nothing_until_the_clock_is_anchored_anew(#[case] step: i64) {
        let (clock, set) = clocks();
        set.store(step, SeqCst);
        for second in 1..=10 {
            advance(Duration::from_secs(1)).await;
            assert_eq!(clock.now().millis(), T0 + second * 1000);
            let seen = clock.step().unwrap();
            assert_eq!((seen.ahead, seen.lasted.as_secs()), (step, second.unsigned_abs() - 1));
        }
        assert_eq!(clock.reanchor(), step);
        assert_eq!((clock.now().millis(), clock.step()), (T0 + 10_000 + step, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_difference_is_taken_up_gradually() {
        let (clock, set) = clocks();
        set.store(-1000, SeqCst);
        let mut before = clock.now();
        for _ in 0..25 {
            advance(Duration::from_secs(1)).await;
            assert_eq!(clock.step(), None);
            let now = clock.now();
            assert!((900..=1100).contains(&now.since(before).millis()), "{now:?} after {before:?}");
            before = now;
        }
        assert_eq!(before.millis(), T0 + 24_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_twice_counts_from_the_second_time() {
        let (clock, set) = clocks();
        set.store(HOUR, SeqCst);
        clock.step();
        advance(Duration::from_secs(5)).await;
        set.store(2 * HOUR, SeqCst);
        assert_eq!(clock.step(), Some(Step { ahead: 2 * HOUR, lasted: Duration::ZERO }));
        set.store(0, SeqCst);
        assert_eq!(clock.step(), None, "it was set back right");
    }

    proptest! {
        #[test]
        fn the_time_never_goes_back_whatever_happens_to_the_computers_clock(
            turns in prop::collection::vec((0u64..3000, -5000i64..5000), 1..60),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let (clock, set) = clocks();
                let mut before = clock.now();
                for (pass, by) in turns {
                    advance(Duration::from_millis(pass)).await;
                    set.fetch_add(by, SeqCst);
                    clock.step();
                    let now = clock.now();
                    prop_assert!(now >= before);
                    prop_assert!(now.since(before).millis() <= i64::try_from(pass).unwrap() * 21 / 20 + 2);
                    before = now;
                }
                Ok(())
            })?;
        }
    }
}
