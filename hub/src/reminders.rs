//! Reminds of what tickets promise: at half and at three quarters of the time, and when it is over. The times are kept in the database,
//! so a restart forgets none, and what was due meanwhile is told late, with the time at which it was due.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    fleet::{Changed, Fleet},
    lifecycle::Lifecycle,
    store::{Store, StoreError},
};

/// How late a reminder may be.
const EVERY: Duration = Duration::from_secs(5);

/// Starts the task that reminds.
pub fn start(store: &Store, fleet: &Arc<Fleet>, clock: &Arc<dyn Clock>, lifecycle: &Lifecycle) {
    let (store, fleet, clock) = (store.clone(), Arc::clone(fleet), Arc::clone(clock));
    lifecycle.repeat("reminders", EVERY, move || {
        let (store, fleet, now) = (store.clone(), Arc::clone(&fleet), clock.now());
        async move {
            for site in store.remind(&fleet.setup(), now).await? {
                fleet.tell(Changed { site, device: None });
            }
            Ok::<_, StoreError>(())
        }
    });
}
