//! A full disk: what is small and must not wait (alerts, tickets, who is there) is stored in the room kept back; records wait with their
//! agents, unacknowledged, and come again when there is room. They are judged all the same, so that no fault goes unnoticed.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use lobby_contract::{Ack, AgentId, FromAgent, SiteId};
use lobby_domain::{
    site::{Changes, Site},
    time::Timestamp,
};
use tracing::{error, info, warn};

use super::storing::{FollowUp, Storing};
use crate::{
    disk::Space,
    mqtt::Receipt,
    store::{Batch, StoreError, Trouble},
};

/// A disk error with less room than this is a full disk.
const NO_ROOM: u64 = 1024 * 1024;

/// Records that were taken in before the disk turned out to be full: the batch under way and the one gathered meanwhile, so their
/// number is bounded.
pub(super) struct Held {
    batches: Vec<Batch>,
    acks: Vec<(SiteId, Vec<(AgentId, Ack)>)>,
    receipts: Vec<Receipt>,
}

impl Held {
    /// Takes the records, and what is said when they are stored, out of a batch; `None` if there are none.
    pub(super) fn take(batches: &mut [Batch], follow_ups: &mut [FollowUp], receipts: Vec<Receipt>) -> Option<Self> {
        let acks: Vec<_> =
            follow_ups.iter_mut().map(|follow| (follow.site.clone(), std::mem::take(&mut follow.acks))).collect();
        let held = batches.iter_mut().map(|batch| {
            let urgent = batch.changes.take_urgent();
            let records = std::mem::replace(&mut batch.changes, urgent);
            Batch {
                site: batch.site.clone(),
                zone: batch.zone.clone(),
                changes: records,
                agents: batch.agents.clone(),
                devices: batch.devices.clone(),
            }
        });
        let waits = |batch: &Batch| {
            let changes = &batch.changes;
            !(changes.records.is_empty() && changes.lost.is_empty() && changes.streams.is_empty())
        };
        let batches: Vec<Batch> = held.filter(waits).collect();
        let nothing = batches.is_empty() && receipts.is_empty() && acks.iter().all(|(_, acks)| acks.is_empty());
        (!nothing).then_some(Self { batches, acks, receipts })
    }
}

/// Judges a message of which no record can be stored now.
pub(super) fn judge(site: &mut Site, agent: &AgentId, message: FromAgent, now: Timestamp, changes: &mut Changes) {
    match message {
        FromAgent::Data(data) => site.glimpse(agent, data, now, changes),
        // It is told again until it is acknowledged.
        FromAgent::Lost(_) => {}
        FromAgent::Birth(_) | FromAgent::Death(_) | FromAgent::Result(_) => {
            super::judge(site, agent, message, now, changes);
        }
    }
}

impl Storing {
    /// Whether a failure means that there is no room.
    pub(super) fn is_full(&self, cause: &StoreError) -> bool {
        match cause.trouble() {
            Trouble::Full => true,
            Trouble::Disk => Space::of(self.reserve.folder()).is_ok_and(|space| space.available < NO_ROOM),
            Trouble::ReadOnly | Trouble::Lost | Trouble::Other => false,
        }
    }

    pub(super) fn begin_scarcity(&self) {
        if self.counters.scarce.swap(true, Relaxed) {
            return;
        }
        error!("the disk is full: records wait with their agents, alerts are stored in the room kept back");
        if let Err(cause) = self.reserve.release() {
            warn!(%cause, "the room kept back could not be given up");
        }
    }

    /// Goes on as before if there is room again.
    pub(super) async fn resume(&mut self, held: &mut Vec<Held>) {
        if !self.counters.is_scarce() {
            return;
        }
        match self.reserve.keep() {
            Ok(true) => {}
            Ok(false) => return,
            Err(cause) => return warn!(%cause, "room could not be kept back again"),
        }
        while let Some(first) = held.first() {
            match self.writer.commit(&first.batches, self.clock.now()).await {
                Ok(done) => {
                    self.counters.committed(done, Duration::ZERO);
                    let first = held.remove(0);
                    self.release(first).await;
                }
                Err(cause) => return self.give_up_again(cause),
            }
        }
        self.counters.scarce.store(false, Relaxed);
        info!("there is room on the disk again: records are taken in as before");
    }

    fn give_up_again(&self, cause: StoreError) {
        if self.is_full(&cause)
            && let Err(cause) = self.reserve.release()
        {
            warn!(%cause, "the room kept back could not be given up");
        }
        warn!(cause = format!("{:#}", anyhow::Error::from(cause)), "records still cannot be stored");
    }

    async fn release(&self, held: Held) {
        for receipt in held.receipts {
            receipt.settle();
        }
        for (site, acks) in held.acks {
            for (agent, ack) in acks {
                self.acknowledge(&site, &agent, &ack).await;
            }
        }
    }
}
