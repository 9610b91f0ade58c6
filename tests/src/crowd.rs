//! Many agents at once, each played by a [`Sender`] that makes records at its own pace.

use std::time::Duration;

use anyhow::Result;
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

use crate::sender::Sender;

/// A running crowd.
pub struct Crowd {
    runtime: Runtime,
    members: Vec<JoinHandle<(Sender, bool)>>,
    /// How long each may take to deliver what is left, once it is time to end.
    end: watch::Sender<Option<Duration>>,
}

impl Crowd {
    /// Lets each of `senders` make a record `every` so often, one a little after the other.
    pub fn start(senders: Vec<Sender>, every: Duration) -> Result<Self> {
        // One thread: the other core is the hub's.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let end = watch::Sender::new(None);
        let count = u32::try_from(senders.len())?.max(1);
        let begun = Instant::now();
        let members = (0_u32..).zip(senders).map(|(number, sender)| {
            let first = begun + every * number / count;
            runtime.spawn(live(sender, first, every, end.subscribe()))
        });
        let members = members.collect();
        Ok(Self { runtime, members, end })
    }

    /// Ends the making of records, and waits until everything made is acknowledged. Tells the senders, and whether each managed
    /// that within `patience`.
    pub fn finish(self, patience: Duration) -> Result<Vec<(Sender, bool)>> {
        self.end.send_replace(Some(patience));
        let members = self.members;
        self.runtime.block_on(async {
            let mut done = Vec::with_capacity(members.len());
            for member in members {
                done.push(member.await?);
            }
            Ok(done)
        })
    }
}

async fn live(
    mut sender: Sender,
    first: Instant,
    every: Duration,
    end: watch::Receiver<Option<Duration>>,
) -> (Sender, bool) {
    let mut next = first;
    loop {
        sender.live(next).await;
        let patience = *end.borrow();
        if let Some(patience) = patience {
            let all = sender.finish(patience).await;
            return (sender, all);
        }
        sender.produce();
        next += every;
    }
}
