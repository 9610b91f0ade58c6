//! Sends up what nobody has answered in time, along the chain of command, and gives on what somebody has who went off duty. The times are
//! kept in the database, so a restart forgets none; what came to its time meanwhile goes up one level at the start, and has its full
//! time there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    restraints::Restraints,
    store::{AlertFilter, EscalationRow, Store, StoreError},
};
use lobby_domain::{
    escalation::{Phase, State},
    time::Timestamp,
};

/// How late a step may be.
const EVERY: Duration = Duration::from_secs(2);
/// How long something may be with somebody who has gone off duty, and what was imported on the command line be unknown.
const RELIEVED_EVERY: Duration = Duration::from_secs(30);
/// Most alerts of one ticket that are looked at for whether something keeps them quiet.
const ALERTS: i64 = 100;

/// Sends up what is due.
pub(crate) struct Escalator {
    store: Store,
    fleet: Arc<Fleet>,
    restraints: Arc<Restraints>,
    clock: Arc<dyn Clock>,
    /// Whether what was open before this start is followed.
    begun: AtomicBool,
}

/// Starts the task that sends up.
pub fn start(
    store: &Store,
    fleet: &Arc<Fleet>,
    restraints: &Arc<Restraints>,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) {
    let escalator = Arc::new(Escalator::new(store, fleet, restraints, clock));
    let reliever = Arc::clone(&escalator);
    lifecycle.repeat("escalations", EVERY, move || {
        let escalator = Arc::clone(&escalator);
        async move { escalator.look().await }
    });
    lifecycle.repeat("reliefs", RELIEVED_EVERY, move || {
        let reliever = Arc::clone(&reliever);
        async move { reliever.relieve().await }
    });
}

impl Escalator {
    pub(crate) fn new(store: &Store, fleet: &Arc<Fleet>, restraints: &Arc<Restraints>, clock: &Arc<dyn Clock>) -> Self {
        Self {
            store: store.clone(),
            fleet: Arc::clone(fleet),
            restraints: Arc::clone(restraints),
            clock: Arc::clone(clock),
            begun: AtomicBool::new(false),
        }
    }

    /// Sends up what is due now.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        let (setup, now) = (self.fleet.setup(), self.clock.now());
        if !self.begun.load(Ordering::Relaxed) {
            self.store.follow_unfollowed(&setup, now).await?;
            self.begun.store(true, Ordering::Relaxed);
        }
        // What was quiet until now begins anew with its first post, whatever came to its time meanwhile.
        self.restraints.settle(now).await?;
        for row in self.store.due_escalations(now).await? {
            let quiet = self.is_quiet(&row, now).await?;
            let site = row.site.clone();
            // What stays quiet looks as it did.
            let stays = quiet && row.escalation.state != State::Triggered;
            if self.store.step_escalation(row, quiet, &setup, now).await? && !stays {
                self.fleet.tell(Changed { site, device: None });
            }
        }
        Ok(())
    }

    /// Looks who is on duty, and gives them what somebody has who has gone.
    async fn relieve(&self) -> Result<(), StoreError> {
        let (setup, now) = (self.fleet.setup(), self.clock.now());
        self.fleet.duties.read(&self.store, now).await?;
        let moved = |site| self.fleet.tell(Changed { site, device: None });
        self.store.relieve_escalations(&setup, now, moved).await
    }

    /// Whether everything that is still wrong is silenced, under maintenance, out of use, or explained by something else.
    async fn is_quiet(&self, row: &EscalationRow, now: Timestamp) -> Result<bool, StoreError> {
        // Whether a repair is confirmed does not depend on it.
        if row.phase == Phase::Confirm {
            return Ok(false);
        }
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
