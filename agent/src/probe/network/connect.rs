//! The fourth step: do connections to the internet come about, how fast and how steadily? Several independent targets,
//! because any one of them may be down without anything being wrong here.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::target::Target;

/// Time between two connections to the same target: they measure the line, not the target's patience.
const PACE: Duration = Duration::from_millis(100);

/// What the connections showed. Times are absent when no connection came about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Connections {
    /// Median over the targets of each one's fastest connection.
    pub(super) typical: Option<Duration>,
    /// Median over all connections.
    pub(super) latency: Option<Duration>,
    /// Mean difference between neighbouring connections to the same target.
    pub(super) jitter: Option<Duration>,
    /// Connections that did not come about, in percent of those tried.
    pub(super) loss_percent: f64,
}

/// Connects `attempts` times to each target, all targets at once.
pub(super) async fn check(
    targets: &[Target],
    attempts: u32,
    client: Option<&TokioResolver>,
    patience: Duration,
) -> Connections {
    let measured = targets.iter().map(|target| async move {
        match target.address(client, patience).await {
            Some(address) => join_all((0..attempts).map(|turn| connect(address, turn, patience))).await,
            None => vec![None; attempts as usize],
        }
    });
    Connections::of(&join_all(measured).await)
}

async fn connect(address: SocketAddr, turn: u32, patience: Duration) -> Option<Duration> {
    sleep(PACE * turn).await;
    let asked_at = Instant::now();
    match timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Some(asked_at.elapsed()),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "connecting to a target");
            None
        }
        Err(_) => None,
    }
}

impl Connections {
    /// The figures of `measured`: for each target its attempts in order, `None` for one that failed.
    #[expect(clippy::cast_precision_loss, reason = "a probe makes at most some dozens of attempts")]
    fn of(measured: &[Vec<Option<Duration>>]) -> Self {
        let tried = measured.iter().map(Vec::len).sum::<usize>();
        let made: Vec<Duration> = measured.iter().flatten().flatten().copied().collect();
        let fastest = measured.iter().filter_map(|target| target.iter().flatten().min().copied()).collect();
        let steps: Vec<Duration> = measured.iter().flat_map(|target| steps(target)).collect();
        let lost = if tried == 0 { 0.0 } else { 100.0 * (tried - made.len()) as f64 / tried as f64 };
        Self {
            typical: median(fastest),
            latency: median(made),
            jitter: u32::try_from(steps.len()).ok().filter(|&n| n > 0).map(|n| steps.iter().sum::<Duration>() / n),
            loss_percent: lost.round(),
        }
    }
}

/// The differences between neighbouring connections that came about.
fn steps(target: &[Option<Duration>]) -> impl Iterator<Item = Duration> {
    let made: Vec<Duration> = target.iter().flatten().copied().collect();
    (1..made.len()).map(move |index| made[index].abs_diff(made[index - 1]))
}

/// The middle one, or the mean of the middle two.
pub(super) fn median(mut durations: Vec<Duration>) -> Option<Duration> {
    durations.sort_unstable();
    let (last, middle) = (durations.len().checked_sub(1)?, durations.len() / 2);
    Some(if last % 2 == 0 { durations[middle] } else { (durations[middle - 1] + durations[middle]) / 2 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::probe::{
        network::target::Host,
        tcp::tests::{LOOPBACK, closed_port, silent_port},
    };

    const PATIENCE: Duration = Duration::from_millis(400);

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn at(port: u16) -> Target {
        Target { host: Host::Ip(LOOPBACK), port }
    }

    #[test]
    fn the_figures_follow_their_definitions() {
        let figures = Connections::of(&[
            [10, 14, 12].map(|value| Some(ms(value))).to_vec(),
            vec![Some(ms(30)), None, Some(ms(40))],
        ]);
        assert_eq!((figures.typical, figures.latency), (Some(ms(20)), Some(ms(14))));
        // |14-10|, |12-14|, |40-30| make 16 over 3.
        assert_eq!(figures.jitter, Some(ms(16) / 3));
        assert!((figures.loss_percent - 17.0).abs() < f64::EPSILON);
    }

    #[test]
    fn without_a_connection_there_are_no_times_and_all_is_lost() {
        let figures = Connections::of(&[vec![None, None]]);
        assert_eq!((figures.typical, figures.latency, figures.jitter), (None, None, None));
        assert!((figures.loss_percent - 100.0).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn refused_and_silent_targets_are_loss_and_the_others_carry_the_figures() {
        let open = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let silent = silent_port().await;
        let targets = [at(open.local_addr().unwrap().port()), at(closed_port().await), at(silent.port)];
        let figures = check(&targets, 2, None, PATIENCE).await;
        assert!((figures.loss_percent - 67.0).abs() < f64::EPSILON, "{figures:?}");
        assert!(figures.latency.is_some_and(|latency| latency < PATIENCE), "{figures:?}");
    }

    #[tokio::test]
    async fn a_target_whose_name_is_unknown_is_lost() {
        let figures = check(&[Target::parse("nowhere.test:80").unwrap()], 2, None, PATIENCE).await;
        assert!((figures.loss_percent - 100.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn the_median_lies_within_its_values(values in prop::collection::vec(0u64..10_000, 1..40)) {
            let durations: Vec<_> = values.iter().copied().map(Duration::from_millis).collect();
            let median = median(durations.clone()).unwrap();
            prop_assert!(durations.iter().filter(|&&d| d <= median).count() * 2 >= durations.len());
            prop_assert!(durations.iter().filter(|&&d| d >= median).count() * 2 >= durations.len());
        }
    }
}
