//! Tasks that start together, stop together, and never die unnoticed.

use std::{collections::HashMap, time::Duration};

use anyhow::anyhow;
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span};

use crate::cause::chain;

/// The agent's tasks.
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, String>,
}

impl Lifecycle {
    /// Without tasks; everything stops when `stop` is cancelled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, tasks: JoinSet::new(), names: HashMap::new() }
    }

    /// Cancelled when everything is to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs `task` until the stop token is cancelled. If it ends earlier, fails or panics, everything stops.
    pub fn supervise<F>(&mut self, name: &str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task.instrument(info_span!("task", task.name = name)));
        self.names.insert(handle.id(), name.to_owned());
    }

    /// Waits until all tasks have ended, allowing `grace` after the stop. The first trouble is the error.
    pub async fn run(mut self, grace: Duration) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let first = tokio::select! {
            ended = self.tasks.join_next_with_id() => ended,
            () = stop.cancelled() => None,
        };
        let mut trouble = first.and_then(|ended| self.trouble(ended, stop.is_cancelled()));
        stop.cancel();
        let rest = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                let later = self.trouble(ended, true);
                trouble = trouble.take().or(later);
            }
        };
        if timeout(grace, rest).await.is_err() {
            trouble = trouble.or_else(|| Some(anyhow!("some tasks did not stop within {grace:?}")));
        }
        trouble.map_or(Ok(()), Err)
    }

    fn trouble(&self, ended: Result<(Id, anyhow::Result<()>), JoinError>, stopping: bool) -> Option<anyhow::Error> {
        let (id, trouble) = match ended {
            Ok((_, Ok(()))) if stopping => return None,
            Ok((id, Ok(()))) => (id, anyhow!("ended although nothing asked it to")),
            Ok((id, Err(cause))) => (id, cause),
            Err(cause) => (cause.id(), anyhow!("panicked: {cause}")),
        };
        let name = self.names.get(&id).map_or("?", String::as_str);
        error!(task = name, cause = chain(&*trouble), "task `{name}` failed");
        Some(trouble.context(format!("task `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn with_a_good_task() -> Lifecycle {
        let mut lifecycle = Lifecycle::new(CancellationToken::new());
        let stop = lifecycle.stop_token();
        lifecycle.supervise("good", async move {
            stop.cancelled().await;
            Ok(())
        });
        lifecycle
    }

    #[tokio::test]
    async fn tasks_that_end_when_asked_are_a_clean_end() {
        let lifecycle = with_a_good_task();
        lifecycle.stop_token().cancel();
        lifecycle.run(GRACE).await.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_fails_panics_or_ends_early_stops_the_others_and_is_named() {
        let mut failing = with_a_good_task();
        failing.supervise("failing", async { bail!("no disk") });
        assert_eq!(format!("{:#}", failing.run(GRACE).await.unwrap_err()), "task `failing`: no disk");
        let mut panicking = with_a_good_task();
        panicking.supervise("panicking", async { panic!("a bug") });
        assert!(format!("{:#}", panicking.run(GRACE).await.unwrap_err()).starts_with("task `panicking`: panicked"));
        let mut early = with_a_good_task();
        early.supervise("early", async { Ok(()) });
        assert!(format!("{:#}", early.run(GRACE).await.unwrap_err()).starts_with("task `early`: ended"));
    }

    #[tokio::test]
    async fn a_task_that_does_not_stop_is_not_waited_for_for_ever() {
        let mut lifecycle = with_a_good_task();
        lifecycle.supervise("deaf", std::future::pending());
        lifecycle.stop_token().cancel();
        assert!(lifecycle.run(Duration::from_millis(50)).await.is_err());
    }
}
