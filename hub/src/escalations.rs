//! Sends up what nobody has answered in time, along the chain of command. The times are kept in the database, so a restart forgets none;
//! what came to its time meanwhile goes up one level at the start, and has its full time there.

use std::{sync::Arc, time::Duration};

use lobby_domain::{escalation::State, time::Timestamp};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    restraints::Restraints,
    store::{AlertFilter, EscalationRow, Store, StoreError},
};

/// How late a step may be.
const EVERY: Duration = Duration::from_secs(2);
/// Most alerts of one ticket that are looked at for whether something keeps them quiet.
const ALERTS: i64 = 100;

/// Sends up what is due.
struct Escalator {
    store: Store,
    fleet: Arc<Fleet>,
    restraints: Arc<Restraints>,
    clock: Arc<dyn Clock>,
}

/// Starts the task that sends up.
pub fn start(
    store: &Store,
    fleet: &Arc<Fleet>,
    restraints: &Arc<Restraints>,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) {
    let escalator = Escalator {
        store: store.clone(),
        fleet: Arc::clone(fleet),
        restraints: Arc::clone(restraints),
        clock: Arc::clone(clock),
    };
    lifecycle.supervise("escalations", escalator.run(lifecycle.stop_token()));
}

impl Escalator {
    /// Sends up until everything stops. What cannot be stored now is tried again.
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut begun, mut failing) = (false, false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            match self.look(&mut begun).await {
                Ok(()) => {
                    if std::mem::take(&mut failing) {
                        info!("what nobody answers goes up again");
                    }
                }
                Err(cause) => {
                    if !std::mem::replace(&mut failing, true) {
                        let cause = format!("{:#}", anyhow::Error::from(cause));
                        warn!(cause, "could not send up what nobody has answered; it is tried again");
                    }
                }
            }
        }
    }

    async fn look(&self, begun: &mut bool) -> Result<(), StoreError> {
        let (setup, now) = (self.fleet.setup(), self.clock.now());
        if !*begun {
            self.store.follow_unfollowed(&setup, now).await?;
            *begun = true;
        }
        for row in self.store.due_escalations(now).await? {
            let quiet = self.is_quiet(&row, now).await?;
            let site = row.site.clone();
            // What stays quiet looks as it did.
            let stays = quiet && row.escalation.state == State::Paused;
            if self.store.step_escalation(row, quiet, &setup, now).await? && !stays {
                self.fleet.tell(Changed { site, device: None });
            }
        }
        Ok(())
    }

    /// Whether everything that is still wrong is silenced, under maintenance, or explained by something else.
    async fn is_quiet(&self, row: &EscalationRow, now: Timestamp) -> Result<bool, StoreError> {
        let open = match &row.ticket {
            None => self.store.alert(row.alert).await?.into_iter().filter(|alert| alert.cleared_at.is_none()).collect(),
            Some(ticket) => {
                let filter = AlertFilter { open: Some(true), ticket: Some(ticket.clone()), ..AlertFilter::default() };
                let page = self.store.alerts(&filter, None, ALERTS).await?;
                page.map(|(alerts, _)| alerts).unwrap_or_default()
            }
        };
        Ok(!open.is_empty() && open.iter().all(|alert| self.restraints.over(alert, now).1.is_some()))
    }
}
