//! The second part of the main path: what has been judged goes into the database, in the order in which it was judged, and only then is
//! handed over to be said. While one batch is being stored, the next is judged; a batch that cannot be stored holds up everything behind it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep},
};
use tracing::{error, warn};

use super::{
    Counters, Reply,
    saying::{FollowUp, Stored},
    scarcity::Held,
};
use crate::{
    clock::Clock,
    disk::Reserve,
    fleet::Fleet,
    mqtt::{Link, Receipt},
    progress::{Part, Progress},
    store::{Batch, Checkpoints, Writer},
};

/// How long to wait before a failed commit is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// So many staged records hold up what comes until they are merged.
const MOST_STAGED: usize = 65_536;

/// What storing works with.
pub struct Storing {
    /// Where everything goes.
    pub writer: Writer,
    /// What keeps the database's log short.
    pub checkpoints: Arc<Checkpoints>,
    /// The live state, whose readers are told what changed.
    pub fleet: Arc<Fleet>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to agents.
    pub link: Link,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Whether storing is alive.
    pub progress: Arc<Progress>,
    /// Room kept back for alerts.
    pub reserve: Reserve,
}

/// What some messages have come to, on its way into the database.
pub(super) struct Judged {
    pub batches: Vec<Batch>,
    pub receipts: Vec<Receipt>,
    pub replies: Vec<Reply>,
    pub follow_ups: Vec<FollowUp>,
    /// Given back once it is stored: until then nothing else is handed over, so that the next batch takes in all that comes meanwhile.
    pub turn: OwnedSemaphorePermit,
}

impl Storing {
    /// Stores what is judged until judging has ended.
    pub(super) async fn run(
        mut self,
        mut judged: mpsc::Receiver<Judged>,
        stored: mpsc::Sender<Stored>,
    ) -> anyhow::Result<()> {
        let mut held: Vec<Held> = Vec::new();
        let (mut copy_at, mut merge_at) = (Instant::now(), Instant::now());
        while let Some(Judged { mut batches, receipts, replies, mut follow_ups, turn }) = judged.recv().await {
            // Other standards may be in effect by now.
            if let Err(cause) = self.writer.go_by(self.fleet.setup(), self.clock.now()).await {
                let cause = format!("{:#}", anyhow::Error::from(cause));
                warn!(cause, "open alerts could not be given their severity by other standards; it is tried again");
            }
            self.resume(&mut held, &stored).await?;
            let records: usize = batches.iter().map(|batch| batch.changes.records.len()).sum();
            if !held.is_empty() || !self.store(&batches, true).await {
                held.extend(Held::take(&mut batches, &mut follow_ups));
                self.begin_scarcity();
                self.store(&batches, false).await;
            }
            drop(turn);
            stored.send(Stored { receipts, replies, follow_ups }).await.ok().context("saying has ended")?;
            if copy_at <= Instant::now() && !self.copy_log().await {
                copy_at = Instant::now() + RETRY.1;
            }
            if !self.counters.is_scarce() && merge_at <= Instant::now() && !self.merge(records).await {
                merge_at = Instant::now() + RETRY.1;
            }
        }
        if let Err(cause) = self.writer.merge_all().await {
            let cause = format!("{:#}", anyhow::Error::from(cause));
            warn!(cause, "staged records could not be merged; the next start does it");
        }
        Ok(())
    }

    /// Copies the end of the database's log, if that is due, and returns whether it could. Also on a full disk: a log that is copied is
    /// written again from its beginning.
    async fn copy_log(&self) -> bool {
        let Err(cause) = self.progress.alive(Part::Ingest, self.checkpoints.stored()).await else { return true };
        let cause = format!("{:#}", anyhow::Error::from(cause));
        warn!(cause, "the end of the database's log could not be copied into its file; it is tried again");
        false
    }

    /// Merges what is due of what is staged, and returns whether it could. A failure changes nothing, so batches may come before it is tried
    /// again; but with too much staged, none does before it succeeds.
    async fn merge(&mut self, stored: usize) -> bool {
        while let Err(cause) = self.progress.alive(Part::Ingest, self.writer.merge(stored)).await {
            self.counters.failed();
            self.progress.beat(Part::Ingest);
            let chain = format!("{:#}", anyhow::Error::from(cause));
            warn!(cause = chain, "staged records could not be merged; it is tried again");
            if self.writer.staged() < MOST_STAGED {
                return false;
            }
            sleep(RETRY.1).await;
        }
        true
    }

    /// Stores batches, trying until it succeeds; or, if records `may_wait`, until the disk turns out to be full. Returns whether they
    /// are stored.
    async fn store(&mut self, batches: &[Batch], may_wait: bool) -> bool {
        if batches.is_empty() {
            return true;
        }
        let begun = Instant::now();
        let mut wait = RETRY.0;
        loop {
            let before = self.writer.spent();
            let commit = self.writer.commit(batches, self.clock.now());
            match self.progress.alive(Part::Ingest, commit).await {
                Ok(done) => {
                    let spent = self.writer.spent();
                    self.counters.stored(spent);
                    let records = batches.iter().map(|batch| batch.changes.records.len()).sum();
                    self.counters.pace.stored(records, spent.work().saturating_sub(before.work()));
                    self.counters.committed(done, begun.elapsed());
                    return true;
                }
                Err(cause) if may_wait && self.is_full(&cause) => return false,
                Err(cause) => {
                    self.counters.failed();
                    // It is alive: what is wrong is the database.
                    self.progress.beat(Part::Ingest);
                    let chain = format!("{:#}", anyhow::Error::from(cause));
                    error!(
                        cause = chain,
                        retry_ms = wait.as_millis(),
                        "could not store a batch; agents keep its records"
                    );
                    sleep(wait).await;
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }
}
