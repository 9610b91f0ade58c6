//! Reminds of what tickets promise: at half and at three quarters of the time, and when it is over. The times are kept in the database,
//! so a restart forgets none, and what was due meanwhile is told late, with the time at which it was due.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    store::Store,
};

/// How late a reminder may be.
const EVERY: Duration = Duration::from_secs(5);

/// Starts the task that reminds.
pub fn start(store: &Store, fleet: &Arc<Fleet>, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) {
    let reminding = run(store.clone(), Arc::clone(fleet), Arc::clone(clock), lifecycle.stop_token());
    lifecycle.supervise("reminders", reminding);
}

/// Reminds until everything stops. What cannot be stored now is tried again.
async fn run(store: Store, fleet: Arc<Fleet>, clock: Arc<dyn Clock>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match store.remind(&fleet.setup(), clock.now()).await {
            Ok(sites) => {
                if std::mem::take(&mut failing) {
                    info!("reminders are stored again");
                }
                for site in sites {
                    fleet.tell(Changed { site, device: None });
                }
            }
            Err(cause) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(
                        cause = format!("{:#}", anyhow::Error::from(cause)),
                        "could not store reminders; they are tried again"
                    );
                }
            }
        }
    }
}
