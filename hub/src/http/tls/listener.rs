//! Accepts connections over TLS. Each handshake is a task of its own under a deadline, and the oldest has to go when there are too many, so
//! that a stranger who stalls his handshake holds up nobody. A connection on which nothing happens is closed: phones leave without a word.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::{debug, error, warn};

use crate::door::Door;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long nothing may be sent or received; live pages hear of the hub more often than that.
const IDLE: Duration = Duration::from_mins(2);
/// Most connections that are open at once.
const MOST: usize = 2000;
/// How long to wait when the system gives no connection, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener of the web over TLS.
pub(crate) struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    places: Arc<Semaphore>,
    door: Arc<Door>,
    /// Those that stop with the listener.
    handshakes: JoinSet<Option<(Connection, SocketAddr)>>,
}

impl TlsListener {
    /// Accepts on `listener` with the certificate of `acceptor`.
    pub(crate) fn new(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        let (places, door, handshakes) = (Arc::new(Semaphore::new(MOST)), Arc::default(), JoinSet::new());
        Self { listener, acceptor, places, door, handshakes }
    }

    fn shake_hands(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            debug!(%peer, "too many connections of the web: closed another one");
            return;
        };
        let (acceptor, door) = (self.acceptor.clone(), Arc::clone(&self.door));
        // Entered here, not in the task: so that those waiting to run are counted, and the oldest goes first.
        let ticket = door.enter(peer);
        self.handshakes.spawn(async move {
            let shaken = select! {
                shaken = timeout(HANDSHAKE, acceptor.accept(stream)) => shaken.unwrap_or_else(|_| Err(late())),
                _ = ticket => Err(late()),
            };
            door.leave(peer);
            match shaken {
                Ok(stream) => Some((Connection::new(stream, place), peer)),
                Err(error) => {
                    debug!(%peer, %error, "a TLS handshake of the web failed");
                    None
                }
            }
        });
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it did not end in time")
}

impl Listener for TlsListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            select! {
                Some(ended) = self.handshakes.join_next() => match ended {
                    Ok(Some(connection)) => return connection,
                    Ok(None) => {}
                    Err(cause) => error!(%cause, "a TLS handshake of the web panicked"),
                },
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.shake_hands(stream, peer),
                    Err(cause) => {
                        warn!(%cause, "cannot accept a connection of the web; trying again");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself when nothing happens on it.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, place: OwnedSemaphorePermit) -> Self {
        Self { stream, idle: Box::pin(sleep(IDLE)), _place: place }
    }

    /// What came of reading or writing, or an error after too long a silence.
    fn unless_idle<T>(&mut self, came: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if came.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return came;
        }
        ready!(self.idle.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing happened on the connection for too long")))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_read(context, into);
        self.unless_idle(came, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_idle(came, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // That there was nothing to flush is no sign of life.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let came = Pin::new(&mut self.stream).poll_shutdown(context);
        self.unless_idle(came, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.unless_idle(came, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use lobby_domain::time::Timestamp;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        join,
        time::pause,
    };

    use super::*;
    use crate::http::tls::{Loaded, Tls};

    fn loaded() -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        Tls::SelfMade.load(folder.path(), vec!["localhost".to_owned()], Timestamp::default()).unwrap()
    }

    async fn listener(loaded: &Loaded) -> TlsListener {
        TlsListener::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), loaded.acceptor())
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_happens_ends_by_itself() {
        let loaded = loaded();
        let mut listener = listener(&loaded).await;
        let at = listener.local_addr().unwrap();
        let connect = async {
            let stream = TcpStream::connect(at).await.unwrap();
            let from = stream.local_addr().unwrap();
            let mut stream = loaded.connector().connect(at.ip().into(), stream).await.unwrap();
            stream.write_all(b"a").await.unwrap();
            stream.flush().await.unwrap();
            (stream, from)
        };
        let ((mut connection, peer), (_client, from)) = join!(listener.accept(), connect);
        assert_eq!(peer, from);
        assert_eq!(connection.read_u8().await.unwrap(), b'a');
        assert_eq!(listener.places.available_permits(), MOST - 1);
        pause();
        assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(connection);
        assert_eq!(listener.places.available_permits(), MOST);
    }

    #[tokio::test]
    async fn the_hub_takes_no_other_certificate_for_its_own() {
        let (ours, theirs) = (loaded(), loaded());
        let mut listener = listener(&theirs).await;
        let at = listener.local_addr().unwrap();
        let connect = async {
            let stream = TcpStream::connect(at).await.unwrap();
            ours.connector().connect(at.ip().into(), stream).await.map(drop)
        };
        let refused = select! {
            _ = listener.accept() => panic!("nobody is connected"),
            refused = connect => refused.unwrap_err(),
        };
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
}
