//! The line between one agent and the broker, which can be cut.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tracing::debug;

use super::accept;
use crate::lifecycle::Lifecycle;

/// Most connections at once: the agent has one, and the one before may still be closing.
const MAX_CONNECTIONS: usize = 8;

/// A line to the broker.
pub(super) struct Uplink {
    broker: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Uplink {
    /// A line to `broker`.
    pub(super) fn new(broker: SocketAddr) -> Self {
        Self { broker, is_whole: watch::Sender::new(true) }
    }

    /// Cuts the line, or joins it.
    pub(super) fn join(&self, is_whole: bool) {
        self.is_whole.send_replace(is_whole);
    }

    #[cfg(test)]
    pub(super) fn is_whole(&self) -> bool {
        *self.is_whole.borrow()
    }

    /// Carries what comes to `listener` until `lifecycle` stops. Connections outlive that until the agent closes them, so that it can
    /// say goodbye to the hub.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, lifecycle: Lifecycle) -> anyhow::Result<()> {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let carry = async {
            loop {
                let agent = accept(&listener).await;
                // Refusing what is too much is what a cut line does, too: the agent tries again.
                let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
                if *self.is_whole.borrow() {
                    lifecycle.detach("demo uplink connection", self.clone().pump(agent, permit));
                }
            }
        };
        lifecycle.stop_token().run_until_cancelled(carry).await;
        Ok(())
    }

    async fn pump(self: Arc<Self>, mut agent: TcpStream, _permit: OwnedSemaphorePermit) {
        let mut is_whole = self.is_whole.subscribe();
        let through = async {
            let mut broker = TcpStream::connect(self.broker).await?;
            copy_bidirectional(&mut agent, &mut broker).await
        };
        tokio::select! {
            ended = through => if let Err(error) = ended { debug!(%error, "the demonstration's uplink broke") },
            _ = is_whole.wait_for(|is_whole| !is_whole) => {}
        }
    }
}
