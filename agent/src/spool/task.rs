//! The thread that owns the spool, and the handle by which tasks ask things of it.
//!
//! All records that wait when the disk is free are written with one sync: under load a sync serves many.

use std::{path::Path, time::Duration};

use anyhow::Context;
use lobby_contract::{Ack, Lost, Record};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{Acked, Again, Batch, Limits, Place, Spool};

/// Requests that may wait. When full, who asks waits: probing slows down rather than memory growing.
const QUEUE: usize = 256;
/// How long a moved watermark, or records waiting in memory, may wait for the disk.
const TIDY: Duration = Duration::from_secs(1);

enum Request {
    Append(Record, oneshot::Sender<bool>),
    /// Anything else: what is to be done carries its own answer away.
    Ask(Box<dyn FnOnce(&mut Spool) + Send>),
}

/// What has happened in the spool so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// How often records were added.
    pub appended: u64,
    /// How often records were found to be lost.
    pub lost: u64,
    /// Whether the disk takes no records at present.
    pub in_trouble: bool,
}

/// What a new session tells the hub of the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Records not acknowledged.
    pub queued: u64,
    /// Those of them that are in memory only, because the disk takes none.
    pub unsaved: u64,
    /// From where on the records tell the present.
    pub live_from: Place,
    /// Records gone.
    pub lost: Vec<Lost>,
}

/// Asks things of the spool. Cheap to clone; the spool closes when the last handle is gone.
#[derive(Clone)]
pub struct SpoolHandle {
    requests: mpsc::Sender<Request>,
    changes: watch::Receiver<Changes>,
    epoch: u64,
}

/// The spool's thread has ended; the process is stopping or has failed.
#[derive(Debug, thiserror::Error)]
#[error("the spool is closed")]
pub struct Closed;

impl SpoolHandle {
    /// Opens the spool, and returns the handle and the work of its thread, which the caller must run.
    pub fn open(
        state_dir: &Path,
        limits: Limits,
        now: i64,
    ) -> anyhow::Result<(Self, impl Future<Output = anyhow::Result<()>> + Send + 'static)> {
        let spool = Spool::open(state_dir, limits, now).context("open the spool")?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (announcer, changes) = watch::channel(Changes::default());
        let handle = Self { requests, changes, epoch: spool.epoch() };
        let work = async move {
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || serve(spool, queue, &announcer, &runtime))
                .await
                .context("the spool's thread panicked")
        };
        Ok((handle, work))
    }

    /// The epoch of this run.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Changes whenever records were added or lost.
    pub fn changes(&self) -> watch::Receiver<Changes> {
        self.changes.clone()
    }

    /// Accepts a record: `true` when it is on disk, `false` when it is in memory only because the disk takes none.
    pub async fn append(&self, record: Record) -> Result<bool, Closed> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Append(record, reply)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Takes in what the hub has.
    pub async fn ack(&self, ack: Ack) -> Result<Acked, Closed> {
        self.ask(move |spool| spool.ack(ack)).await
    }

    /// The first unacknowledged records at or after `from` and before `until`: at least one, and no more than `most` bytes of them or
    /// what a batch may hold.
    pub async fn unacked(&self, from: Place, until: Place, most: usize) -> Result<Option<Batch>, Closed> {
        self.ask(move |spool| spool.unacked(from, until, most)).await
    }

    /// What there is of a range, acknowledged or not.
    pub async fn again(&self, epoch: u64, from: u64, to: u64) -> Result<Option<Again>, Closed> {
        self.ask(move |spool| spool.again(epoch, from, to)).await
    }

    /// How many records wait, and which are lost.
    pub async fn status(&self) -> Result<Status, Closed> {
        self.ask(|spool| spool.status()).await
    }

    async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Spool) -> T + Send + 'static) -> Result<T, Closed> {
        let (reply, answer) = oneshot::channel();
        // Whoever asked may have given up waiting; what was done counts all the same.
        let ask = Box::new(move |spool: &mut Spool| drop(reply.send(ask(spool))));
        self.requests.send(Request::Ask(ask)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }
}

fn serve(mut spool: Spool, mut queue: mpsc::Receiver<Request>, changes: &watch::Sender<Changes>, runtime: &Handle) {
    let mut tidied = Instant::now();
    loop {
        let next = if spool.is_dirty() || spool.in_trouble() {
            runtime.block_on(async { timeout_at(tidied + TIDY, queue.recv()).await })
        } else {
            Ok(queue.blocking_recv())
        };
        let appended = match next {
            Ok(Some(first)) => answer(&mut spool, first, &mut queue),
            Ok(None) => break,
            Err(_) => false,
        };
        if tidied.elapsed() >= TIDY {
            spool.flush();
            spool.tidy();
            tidied = Instant::now();
        }
        changes.send_if_modified(|changes| {
            let appended = changes.appended + u64::from(appended);
            let now = Changes { appended, lost: spool.losses(), in_trouble: spool.in_trouble() };
            std::mem::replace(changes, now) != now
        });
    }
    spool.flush();
    spool.tidy();
}

/// Answers `first` and all that wait behind it, appending first; whether there is something new to send.
fn answer(spool: &mut Spool, first: Request, queue: &mut mpsc::Receiver<Request>) -> bool {
    let (mut records, mut accepted, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(request) = next {
        match request {
            Request::Append(record, reply) => {
                records.push(record);
                accepted.push(reply);
            }
            Request::Ask(ask) => others.push(ask),
        }
        next = if records.len() + others.len() < QUEUE { queue.try_recv().ok() } else { None };
    }
    let appended = !records.is_empty();
    if appended {
        let on_disk = spool.append(records);
        for reply in accepted {
            let _ = reply.send(on_disk);
        }
    }
    for ask in others {
        ask(spool);
    }
    appended
}
