//! Whether each of the hub's loops gets on. A loop beats at every turn; one that has not beaten for long is stuck, and the process must
//! not seem well. Measured by monotonic time.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use lobby_domain::time::Timestamp;
use tokio::time::{Instant, timeout};

/// How often a part beats that waits for what ends by itself.
const BEAT: Duration = Duration::from_secs(2);

/// A loop that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Takes in and stores. Beats also while it tries again to store: it is alive, and something else is wrong.
    Ingest,
    /// Evaluates the rules by the passing of time.
    Rules,
    /// Answers on the web.
    Web,
    /// Accepts connections of agents.
    Broker,
    /// Sends notifications.
    Sender,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Ingest, Self::Rules, Self::Web, Self::Broker, Self::Sender];

    /// Its name in metrics and findings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Rules => "rules",
            Self::Web => "web",
            Self::Broker => "broker",
            Self::Sender => "sender",
        }
    }
}

/// When each part last got on.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    /// Milliseconds from `start`; 0 before the first beat.
    beats: [AtomicU64; Part::ALL.len()],
    evaluated_at: AtomicI64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { start: Instant::now(), beats: Default::default(), evaluated_at: AtomicI64::new(0) }
    }
}

impl Progress {
    /// A part got on.
    pub fn beat(&self, part: Part) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beats[part as usize].store(elapsed.max(1), Relaxed);
    }

    /// Waits for `work` of a part, which ends in bounded time whatever happens, and knows that the part is alive meanwhile.
    pub async fn alive<T>(&self, part: Part, work: impl Future<Output = T>) -> T {
        // Not on the spot: it would be there twice, and the work of a batch is large.
        let mut work = Box::pin(work);
        loop {
            if let Ok(done) = timeout(BEAT, &mut work).await {
                return done;
            }
            self.beat(part);
        }
    }

    /// The rules were evaluated at `now`.
    pub fn evaluated(&self, now: Timestamp) {
        self.evaluated_at.store(now.millis(), Relaxed);
        self.beat(Part::Rules);
    }

    /// When the rules were last evaluated.
    pub fn evaluated_at(&self) -> Option<Timestamp> {
        let at = self.evaluated_at.load(Relaxed);
        (at != 0).then(|| Timestamp::from_millis(at))
    }

    /// How long a part has not got on; `None` before its first beat.
    pub fn idle(&self, part: Part) -> Option<Duration> {
        let beat = self.beats[part as usize].load(Relaxed);
        (beat != 0).then(|| self.start.elapsed().saturating_sub(Duration::from_millis(beat)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_is_idle_since_its_last_beat_and_one_that_never_beat_is_not_judged() {
        let progress = Progress::default();
        assert_eq!(progress.idle(Part::Ingest), None);
        progress.beat(Part::Ingest);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(progress.idle(Part::Ingest).unwrap() >= Duration::from_secs(19));
        assert_eq!(progress.idle(Part::Web), None);
        progress.evaluated(Timestamp::from_millis(5));
        assert!(progress.idle(Part::Rules).unwrap() < Duration::from_secs(1));
        assert_eq!(progress.evaluated_at(), Some(Timestamp::from_millis(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_waits_for_what_ends_by_itself_is_alive() {
        let progress = Progress::default();
        progress.beat(Part::Ingest);
        let work = tokio::time::sleep(Duration::from_secs(20));
        let watched = async {
            tokio::time::sleep(Duration::from_secs(19)).await;
            assert!(progress.idle(Part::Ingest).unwrap() <= BEAT);
        };
        tokio::join!(progress.alive(Part::Ingest, work), watched);
    }
}
