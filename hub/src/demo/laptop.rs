//! A laptop that can go away. A port on which nothing listens would still refuse, which is a sign of life; so it falls silent the way
//! an absent computer is silent: connections are neither accepted nor refused.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::accept;

/// Connections that the system takes in for the laptop by itself.
const BACKLOG: u32 = 1;
/// Most connections it takes to fill that queue; systems add a few to the number asked for.
const MAX_QUEUE: usize = 16;
/// A connection that takes longer on loopback has found the queue full.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// The simulated laptop.
pub(super) struct Laptop {
    is_there: watch::Sender<bool>,
}

/// A loopback port for it.
pub(super) fn bind() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}

impl Laptop {
    pub(super) fn new() -> Self {
        Self { is_there: watch::Sender::new(true) }
    }

    /// Takes it away, or brings it back.
    pub(super) fn bring(&self, is_there: bool) {
        self.is_there.send_replace(is_there);
    }

    #[cfg(test)]
    pub(super) fn is_there(&self) -> bool {
        *self.is_there.borrow()
    }

    /// Answers on `listener` while it is there, until `stop`.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let address = listener.local_addr().context("asking the simulated laptop for its port")?;
        stop.run_until_cancelled(self.come_and_go(&listener, address)).await;
        Ok(())
    }

    async fn come_and_go(&self, listener: &TcpListener, address: SocketAddr) {
        let mut is_there = self.is_there.subscribe();
        loop {
            tokio::select! {
                () = answer(listener) => {}
                _ = is_there.wait_for(|is_there| !is_there) => {}
            }
            let queue = fill(address).await;
            if is_there.wait_for(|is_there| *is_there).await.is_err() {
                return;
            }
            drop(queue);
        }
    }
}

async fn answer(listener: &TcpListener) {
    loop {
        drop(accept(listener).await);
    }
}

/// Fills the queue of the listener at `address`; it stays full as long as what is returned is held and nothing accepted.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut queue = Vec::new();
    while queue.len() < MAX_QUEUE {
        match timeout(FULL_AFTER, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => queue.push(stream),
            _ => break,
        }
    }
    queue
}
