//! Tasks that start together, stop together, and never die unnoticed.

use std::{fmt::Display, future::Future, thread, time::Duration};

use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, info, info_span, warn};

/// Supervises the process's tasks. Cheap to clone; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    failed: CancellationToken,
    tasks: TaskTracker,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// On request, with everything finished.
    Clean,
    /// A task failed, panicked, or ended before it was asked to.
    Failed,
    /// On request, but some task did not finish within the grace.
    TimedOut,
}

impl Lifecycle {
    /// A lifecycle with no tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when everything is to stop. Every loop and every open response ends with it.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks everything to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs `task` until the stop token is cancelled. If it ends earlier, fails or panics, everything stops and the process ends
    /// as [`Ending::Failed`]: a service that has lost a part must not go on as if it were whole. Retries belong inside the task.
    pub fn supervise<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
        let running = tokio::spawn(task.instrument(info_span!("task", name)));
        self.watch(name, running);
    }

    /// The same on a thread of its own. Elsewhere a task that waits for many things one after the other takes its turn behind every
    /// connection after each of them.
    pub fn supervise_on_thread<F>(&self, name: &'static str, task: F) -> std::io::Result<()>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (runtime, (ended, running)) = (Handle::current(), oneshot::channel());
        let task = task.instrument(info_span!("task", name));
        // What panics never says how it ended. Nor does anybody listen when everything is over.
        let run = move || drop(ended.send(runtime.block_on(task)));
        thread::Builder::new().name(name.into()).spawn(run)?;
        self.watch(name, running);
        Ok(())
    }

    fn watch<E>(
        &self,
        name: &'static str,
        running: impl Future<Output = Result<anyhow::Result<()>, E>> + Send + 'static,
    ) where
        E: Display + Send,
    {
        let this = self.clone();
        self.tasks.spawn(async move {
            match running.await {
                Ok(Ok(())) if this.stop.is_cancelled() => return,
                Ok(Ok(())) => error!(task = name, "task `{name}` ended although nothing asked it to"),
                Ok(Err(cause)) => error!(task = name, cause = format!("{cause:#}"), "task `{name}` failed"),
                Err(cause) => error!(task = name, %cause, "task `{name}` panicked"),
            }
            this.failed.cancel();
            this.stop.cancel();
        });
    }

    /// Does `work` now and `every` so often until the stop token is cancelled; what is under way then is dropped, so it must leave nothing
    /// half done, as a transaction does. What fails is done again in its next turn, and told once until it succeeds.
    pub fn repeat<Work, Turn, E>(&self, name: &'static str, every: Duration, mut work: Work)
    where
        Work: FnMut() -> Turn + Send + 'static,
        Turn: Future<Output = Result<(), E>> + Send,
        E: Into<anyhow::Error> + Send,
    {
        let stop = self.stop_token();
        self.supervise(name, async move {
            let mut turns = interval(every);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut failing = false;
            let mut turn = async || {
                turns.tick().await;
                match work().await {
                    Ok(()) if std::mem::take(&mut failing) => info!("{name}: works again"),
                    Err(cause) if !std::mem::replace(&mut failing, true) => {
                        let cause = format!("{:#}", cause.into());
                        warn!(cause, "{name}: failed, and is tried again");
                    }
                    _ => {}
                }
            };
            while stop.run_until_cancelled(turn()).await.is_some() {}
            Ok(())
        });
    }

    /// Runs a short piece of work that may end at any time, such as one connection; a panic in it is logged and costs only itself.
    pub fn detach<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
        let running = tokio::spawn(work.instrument(info_span!("work", name)));
        self.tasks.spawn(async move {
            if let Err(cause) = running.await {
                error!(work = name, %cause, "`{name}` panicked");
            }
        });
    }

    /// Waits for `signal` or for a failed task, then stops everything, allowing `grace` for it.
    pub async fn run(&self, signal: impl Future<Output = &'static str>, grace: Duration) -> Ending {
        tokio::select! {
            name = signal => info!(signal = name, "stopping on {name}"),
            () = self.stop.cancelled() => {}
        }
        self.stop.cancel();
        self.tasks.close();
        let finished = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        if self.failed.is_cancelled() {
            return Ending::Failed;
        }
        if finished {
            return Ending::Clean;
        }
        warn!(grace_ms = grace.as_millis(), "some tasks did not stop in time");
        Ending::TimedOut
    }
}

/// Resolves with the signal's name at SIGTERM or SIGINT, also one that comes before this is awaited.
pub fn shutdown_signal() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).expect("a process may install a handler for SIGTERM");
    let mut int = signal(SignalKind::interrupt()).expect("a process may install a handler for SIGINT");
    async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use anyhow::bail;
    use tokio::time::Instant;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    async fn ending_of(lifecycle: &Lifecycle) -> Ending {
        lifecycle.run(pending(), GRACE).await
    }

    #[tokio::test]
    async fn a_task_that_ends_when_asked_is_a_clean_ending() {
        let lifecycle = Lifecycle::new();
        let stop = lifecycle.stop_token();
        lifecycle.supervise("well-behaved", async move {
            stop.cancelled().await;
            Ok(())
        });
        assert_eq!(lifecycle.run(async { "test" }, GRACE).await, Ending::Clean);
    }

    #[tokio::test]
    async fn a_task_that_fails_stops_everything() {
        let lifecycle = Lifecycle::new();
        lifecycle.supervise("failing", async { bail!("no disk") });
        assert_eq!(ending_of(&lifecycle).await, Ending::Failed);
    }

    #[tokio::test]
    async fn a_task_that_panics_stops_everything() {
        let lifecycle = Lifecycle::new();
        lifecycle.supervise("panicking", async { panic!("a bug") });
        assert_eq!(ending_of(&lifecycle).await, Ending::Failed);
    }

    #[tokio::test]
    async fn a_task_on_a_thread_of_its_own_is_watched_as_any_other() {
        let lifecycle = Lifecycle::new();
        let stop = lifecycle.stop_token();
        let here = thread::current().id();
        let well_behaved = async move {
            assert_ne!(thread::current().id(), here);
            stop.cancelled().await;
            Ok(())
        };
        lifecycle.supervise_on_thread("well-behaved", well_behaved).unwrap();
        assert_eq!(lifecycle.run(async { "test" }, GRACE).await, Ending::Clean);
        let lifecycle = Lifecycle::new();
        lifecycle.supervise_on_thread("panicking", async { panic!("a bug") }).unwrap();
        assert_eq!(ending_of(&lifecycle).await, Ending::Failed);
    }

    #[tokio::test]
    async fn a_task_that_ends_early_stops_everything() {
        let lifecycle = Lifecycle::new();
        lifecycle.supervise("hasty", async { Ok(()) });
        assert_eq!(ending_of(&lifecycle).await, Ending::Failed);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_repeated_goes_on_after_a_failure_until_everything_stops() {
        let lifecycle = Lifecycle::new();
        let (stop, begun) = (lifecycle.stop_token(), Instant::now());
        let mut turn = 0;
        lifecycle.repeat("sometimes", Duration::from_secs(5), move || {
            turn += 1;
            let (turn, stop) = (turn, stop.clone());
            async move {
                match turn {
                    1 | 2 => bail!("the database does not answer"),
                    3 => Ok(()),
                    _ => {
                        stop.cancel();
                        pending().await
                    }
                }
            }
        });
        assert_eq!(ending_of(&lifecycle).await, Ending::Clean);
        assert_eq!(begun.elapsed(), Duration::from_secs(15), "the first turn is at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_left_behind_after_the_grace() {
        let lifecycle = Lifecycle::new();
        lifecycle.supervise("deaf", pending());
        assert_eq!(lifecycle.run(async { "test" }, GRACE).await, Ending::TimedOut);
    }
}
