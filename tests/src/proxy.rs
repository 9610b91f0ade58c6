//! A network that misbehaves on order: stands between clients and a TCP server, and does to their connections what lobby
//! networks do. Faults are switched at run time, for all connections or for one.

mod carriage;
mod faults;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

pub use self::faults::{Faults, FaultsError};

/// Receive buffer of the sockets towards clients: what waits in it is under way, and a slow line holds little.
const BUFFER: u32 = 16 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Before a listener that could not be bound again is tried once more.
const BIND_AGAIN: Duration = Duration::from_millis(50);

/// Ports of proxies: below those that systems give to whoever asks for any.
const FIRST_PORT: u16 = 20_000;
/// So many of them.
const PORTS: u16 = 10_000;
/// Ports that are tried.
const TRIES: usize = 100;

/// A running proxy; ends, with all its connections, when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    address: SocketAddr,
    target: SocketAddr,
    begun: Instant,
    /// What every new connection suffers.
    usual: watch::Sender<Faults>,
    /// Counts the orders to reset everything.
    resets: watch::Sender<u64>,
    lines: Mutex<Vec<Arc<Line>>>,
}

/// One connection.
struct Line {
    faults: watch::Sender<Faults>,
    opened: Duration,
    to_server: AtomicU64,
    to_client: AtomicU64,
    open: AtomicBool,
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 0 in the order of acceptance.
    pub id: usize,
    /// When it was accepted, from the start of the proxy.
    pub opened: Duration,
    /// Bytes handed on to the server.
    pub to_server: u64,
    /// Bytes handed on to the client.
    pub to_client: u64,
    /// Whether it is still there.
    pub open: bool,
}

impl Proxy {
    /// A proxy for `target` on a free port of loopback: none that the system gives to whoever asks for any, because nothing holds the port
    /// while connections are refused, and whoever got it then would be taken for the target.
    pub fn to(target: SocketAddr) -> Result<Self> {
        let mut tries = (0..TRIES).map(|_| {
            let random = u16::try_from(RandomState::new().hash_one(target) % u64::from(PORTS)).unwrap_or_default();
            Self::listen(SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + random)), target)
        });
        tries.find(Result::is_ok).unwrap_or_else(|| bail!("none of {TRIES} ports from {FIRST_PORT} on is free"))
    }

    /// A proxy for `target` on `address`.
    pub fn listen(address: SocketAddr, target: SocketAddr) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = {
            let _guard = runtime.enter();
            bind(address).with_context(|| format!("listen on {address}"))?
        };
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            target,
            begun: Instant::now(),
            usual: watch::Sender::default(),
            resets: watch::Sender::default(),
            lines: Mutex::default(),
        });
        runtime.spawn(Arc::clone(&shared).serve(listener));
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// A proxy for the broker at `url` (`mqtt://IP:PORT`).
    pub fn to_broker(url: &str) -> Result<Self> {
        let address = url.strip_prefix("mqtt://").unwrap_or(url);
        Self::to(address.parse().with_context(|| format!("the address in {url}"))?)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Where it listens, for MQTT: `mqtt://IP:PORT`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.shared.address)
    }

    /// What all connections suffer from now on, those that are open and those to come.
    pub fn inflict(&self, faults: Faults) {
        // A connection that comes in meanwhile sees the new ones, or is in the list.
        self.shared.usual.send_replace(faults);
        for line in &*self.shared.lines() {
            line.faults.send_replace(faults);
        }
    }

    /// What one connection suffers from now on; `false` if there never was one of that number.
    pub fn inflict_on(&self, id: usize, faults: Faults) -> bool {
        let lines = self.shared.lines();
        lines.get(id).is_some_and(|line| {
            line.faults.send_replace(faults);
            true
        })
    }

    /// Resets every open connection now, at both ends.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Every connection so far, in the order of acceptance.
    pub fn seen(&self) -> Vec<Seen> {
        let lines = self.shared.lines();
        let seen = |(id, line): (usize, &Arc<Line>)| Seen {
            id,
            opened: line.opened,
            to_server: line.to_server.load(Relaxed),
            to_client: line.to_client.load(Relaxed),
            open: line.open.load(Relaxed),
        };
        lines.iter().enumerate().map(seen).collect()
    }

    /// The most connections that were accepted within any `span`.
    pub fn most_within(&self, span: Duration) -> usize {
        let opened: Vec<Duration> = self.shared.lines().iter().map(|line| line.opened).collect();
        let until = |start: &Duration| opened.partition_point(|at| *at < *start + span);
        opened.iter().enumerate().map(|(index, start)| until(start) - index).max().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut usual = self.usual.subscribe();
        let mut lines = JoinSet::new();
        loop {
            let refuse = usual.borrow_and_update().refuse;
            if refuse {
                listener = None;
            } else if listener.is_none() {
                listener = bind(self.address).ok();
            }
            tokio::select! {
                accepted = accept(listener.as_ref(), refuse) => {
                    if let Some(stream) = accepted {
                        let line = self.enter();
                        lines.spawn(Arc::clone(&self).carry(stream, line));
                    }
                }
                changed = usual.changed() => if changed.is_err() { return },
                Some(_) = lines.join_next() => {}
            }
        }
    }

    /// Notes a connection that has been accepted.
    fn enter(&self) -> Arc<Line> {
        // Under the lock, so that a fault ordered meanwhile reaches this connection one way or the other.
        let mut lines = self.lines();
        let line = Arc::new(Line {
            faults: watch::Sender::new(*self.usual.borrow()),
            opened: self.begun.elapsed(),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            open: AtomicBool::new(true),
        });
        lines.push(Arc::clone(&line));
        line
    }

    async fn carry(self: Arc<Self>, client: TcpStream, line: Arc<Line>) {
        let orders = carriage::Orders { faults: line.faults.subscribe(), resets: self.resets.subscribe() };
        carriage::carry(client, self.target, orders, (&line.to_server, &line.to_client)).await;
        line.open.store(false, Relaxed);
    }
}

/// The next connection; nothing if it failed on the way, or if the listener has to be bound again.
async fn accept(listener: Option<&TcpListener>, refuse: bool) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None if refuse => std::future::pending().await,
        None => {
            sleep(BIND_AGAIN).await;
            None
        }
    }
}
