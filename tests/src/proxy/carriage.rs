//! Carries the bytes of one connection, as its faults allow.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{mpsc, watch},
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::Faults;

/// Most bytes read at once.
const CHUNK: usize = 4096;
/// Chunks that may be under way, each way; then the sender is held up, as on any line.
const UNDER_WAY: usize = 64;
/// Bytes that a slow line takes at once.
const SLOW_CHUNK: usize = 128;
/// A slow line makes up for what it slept too long, as far as this: clocks wake no sooner than the next ms, a busy computer later.
const CATCH_UP: Duration = Duration::from_millis(50);

/// What a connection suffers.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) faults: watch::Receiver<Faults>,
    pub(super) resets: watch::Receiver<u64>,
}

/// Bytes, and when they came.
type Chunk = (Instant, Vec<u8>);

/// Carries a connection to its end. `passed` counts the bytes to the server and to the client.
pub(super) async fn carry(mut client: TcpStream, target: SocketAddr, orders: Orders, passed: (&AtomicU64, &AtomicU64)) {
    let opened = Instant::now();
    let mut server = None;
    let ended = tokio::select! {
        ended = both_ways(&mut client, &mut server, target, &orders, passed) => ended,
        () = reset(orders.clone(), opened) => Err(io::ErrorKind::ConnectionReset.into()),
    };
    if ended.is_err() {
        // Without lingering, closing says RST instead of FIN. An end that is gone already needs no telling.
        let _ = client.set_zero_linger();
        let _ = server.as_ref().map(TcpStream::set_zero_linger);
    }
}

async fn both_ways(
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    target: SocketAddr,
    orders: &Orders,
    (to_server, to_client): (&AtomicU64, &AtomicU64),
) -> io::Result<()> {
    passable(&mut orders.faults.clone()).await?;
    let server = server.insert(TcpStream::connect(target).await?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_in, client_out) = client.split();
    let (server_in, server_out) = server.split();
    let there = one_way(client_in, server_out, orders.faults.clone(), to_server, false);
    let back = one_way(server_in, client_out, orders.faults.clone(), to_client, true);
    tokio::try_join!(there, back).map(drop)
}

/// Waits until the connection is old enough to be reset, or until everything is.
async fn reset(mut orders: Orders, opened: Instant) {
    orders.resets.mark_unchanged();
    loop {
        let age = orders.faults.borrow_and_update().reset_after;
        tokio::select! {
            () = until(age.map(|age| opened + age)) => return,
            _ = orders.resets.changed() => return,
            changed = orders.faults.changed() => if changed.is_err() { return },
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until something passes.
async fn passable(faults: &mut watch::Receiver<Faults>) -> io::Result<()> {
    faults.wait_for(|faults| !faults.blackhole).await.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

async fn one_way(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    faults: watch::Receiver<Faults>,
    passed: &AtomicU64,
    closable: bool,
) -> io::Result<()> {
    let (sender, queue) = mpsc::channel(UNDER_WAY);
    let end = Exit { to, faults: faults.clone(), passed, closable, free_at: Instant::now() };
    tokio::try_join!(take_in(from, sender, faults), end.hand_on(queue)).map(drop)
}

async fn take_in(
    mut from: ReadHalf<'_>,
    under_way: mpsc::Sender<Chunk>,
    mut faults: watch::Receiver<Faults>,
) -> io::Result<()> {
    loop {
        passable(&mut faults).await?;
        let mut chunk = vec![0; CHUNK];
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        chunk.truncate(read);
        if under_way.send((Instant::now(), chunk)).await.is_err() {
            return Ok(());
        }
    }
}

/// The far end of one way.
struct Exit<'a> {
    to: WriteHalf<'a>,
    faults: watch::Receiver<Faults>,
    passed: &'a AtomicU64,
    /// Whether a half-close is for this way.
    closable: bool,
    /// When a slow line takes the next bytes.
    free_at: Instant,
}

impl Exit<'_> {
    async fn hand_on(mut self, mut queue: mpsc::Receiver<Chunk>) -> io::Result<()> {
        loop {
            let next = tokio::select! {
                next = queue.recv() => next,
                closed = half_closed(self.faults.clone()), if self.closable => {
                    closed?;
                    self.to.shutdown().await?;
                    // Nothing more is taken from the server, so what it says is held up at its end.
                    return std::future::pending().await;
                }
            };
            let Some((came, chunk)) = next else {
                passable(&mut self.faults).await?;
                return self.to.shutdown().await;
            };
            let latency = self.faults.borrow().latency;
            sleep_until(came + latency).await;
            self.write(&chunk).await?;
        }
    }

    async fn write(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        while !chunk.is_empty() {
            passable(&mut self.faults).await?;
            let Faults { bits_per_second, slice, .. } = *self.faults.borrow();
            let usual = if bits_per_second.is_some() { SLOW_CHUNK } else { CHUNK };
            let (part, rest) = chunk.split_at(slice.unwrap_or(usual).min(chunk.len()));
            if let Some(bits) = bits_per_second {
                sleep_until(self.free_at).await;
                let nanos = part.len() as u64 * 8 * 1_000_000_000 / u64::from(bits);
                let earliest = Instant::now().checked_sub(CATCH_UP).unwrap_or(self.free_at);
                self.free_at = self.free_at.max(earliest) + Duration::from_nanos(nanos);
            }
            self.to.write_all(part).await?;
            self.passed.fetch_add(part.len() as u64, Relaxed);
            chunk = rest;
            if slice.is_some() {
                // So that the reader may run, and see each slice by itself.
                yield_now().await;
            }
        }
        Ok(())
    }
}

async fn half_closed(mut faults: watch::Receiver<Faults>) -> io::Result<()> {
    faults.wait_for(|faults| faults.half_close).await.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}
