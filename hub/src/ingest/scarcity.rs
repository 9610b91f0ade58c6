//! A full disk: what is small and must not wait (alerts, tickets, who is there) is stored in the room kept back; records wait with their
//! agents, unacknowledged, and come again when there is room. They are judged all the same, so that no fault goes unnoticed.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::Context;
use lobby_contract::{AgentId, FromAgent};
use lobby_domain::{
    site::{Changes, Site},
    time::Timestamp,
};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{
    saying::{FollowUp, Stored},
    storing::Storing,
};
use crate::{
    disk::Space,
    store::{Batch, StoreError, Trouble},
};

/// A disk error with less room than this is a full disk.
const NO_ROOM: u64 = 1024 * 1024;

/// Records that were taken in before the disk turned out to be full: the batch under way and the one gathered meanwhile, so their
/// number is bounded.
pub(super) struct Held {
    batches: Vec<Batch>,
    acks: Vec<FollowUp>,
}

impl Held {
    /// Takes the records, and what is said when they are stored, out of a batch; `None` if there are none. What their agents and devices are
    /// is stored with the rest, and is not written again later: it may have changed by then.
    pub(super) fn take(batches: &mut [Batch], follow_ups: &mut [FollowUp]) -> Option<Self> {
        let acks: Vec<_> = follow_ups.iter_mut().map(FollowUp::take_acks).collect();
        let held = batches.iter_mut().map(|batch| {
            let urgent = batch.changes.take_urgent();
            let mut records = std::mem::replace(&mut batch.changes, urgent);
            records.agents.clear();
            records.devices.clear();
            Batch {
                site: batch.site.clone(),
                zone: batch.zone.clone(),
                changes: records,
                agents: batch.agents.clone(),
                devices: Vec::new(),
                told: Vec::new(),
            }
        });
        let waits = |batch: &Batch| {
            let changes = &batch.changes;
            !(changes.records.is_empty() && changes.lost.is_empty() && changes.streams.is_empty())
        };
        let batches: Vec<Batch> = held.filter(waits).collect();
        let nothing = batches.is_empty() && acks.iter().all(|follow| follow.acks.is_empty());
        (!nothing).then_some(Self { batches, acks })
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
    pub(super) async fn resume(&mut self, held: &mut Vec<Held>, stored: &mpsc::Sender<Stored>) -> anyhow::Result<()> {
        if !self.counters.is_scarce() {
            return Ok(());
        }
        match self.reserve.keep() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(cause) => {
                warn!(%cause, "room could not be kept back again");
                return Ok(());
            }
        }
        while let Some(first) = held.first() {
            match self.writer.commit(&first.batches, self.clock.now()).await {
                Ok(done) => {
                    self.counters.committed(done, Duration::ZERO);
                    let released = Stored { follow_ups: held.remove(0).acks, ..Stored::default() };
                    stored.send(released).await.ok().context("saying has ended")?;
                }
                Err(cause) => {
                    self.give_up_again(cause);
                    return Ok(());
                }
            }
        }
        self.counters.scarce.store(false, Relaxed);
        info!("there is room on the disk again: records are taken in as before");
        Ok(())
    }

    fn give_up_again(&self, cause: StoreError) {
        if self.is_full(&cause)
            && let Err(cause) = self.reserve.release()
        {
            warn!(%cause, "the room kept back could not be given up");
        }
        warn!(cause = format!("{:#}", anyhow::Error::from(cause)), "records still cannot be stored");
    }
}
