//! PUBACKs of messages that came together leave together.
//!
//! The library writes each packet by itself, and flushes it: where an agent sends many messages at once, that is a system call for each of
//! them, and its peer wakes up as often. Here a PUBACK waits for others until nothing more is there to be read, which is when the
//! connection goes to rest; every other packet leaves at once, with those that wait.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use mqtt5::broker::transport::WebSocketTransport;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The first byte of a PUBACK (MQTT 5.0, 3.4.1; MQTT 3.1.1, 3.4.1).
const PUBACK: u8 = 0x40;
/// So many bytes wait at most.
const MOST: usize = 4096;

/// A stream on which PUBACKs wait for each other.
#[derive(Debug)]
pub(super) struct Pubacks<S> {
    stream: S,
    waiting: BytesMut,
    /// Whether something waits that is no PUBACK.
    due: bool,
}

impl<S> Pubacks<S> {
    pub(super) fn on(stream: S) -> Self {
        Self { stream, waiting: BytesMut::new(), due: false }
    }
}

impl<S: AsyncWrite + Unpin> Pubacks<S> {
    /// Writes all that waits.
    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        self.due = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Pubacks<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_pending()
            && let Poll::Ready(Err(error)) = self.poll_write_out(context)
        {
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pubacks<S> {
    /// The library gives a packet at a time.
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, packet: &[u8]) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= MOST {
            ready!(self.poll_write_out(context))?;
        }
        self.waiting.extend_from_slice(packet);
        self.due |= packet.first().is_some_and(|first| *first != PUBACK);
        Poll::Ready(Ok(packet.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.due {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl WebSocketTransport for Pubacks<TcpStream> {
    fn peer_addr(&self) -> mqtt5::error::Result<SocketAddr> {
        Ok(self.stream.peer_addr()?)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const FIRST: [u8; 4] = [PUBACK, 2, 0, 1];
    const SECOND: [u8; 4] = [PUBACK, 2, 0, 2];
    const PINGRESP: [u8; 2] = [0xd0, 0];

    /// What the peer has been sent by now.
    fn sent(peer: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = [0; 8192];
        let count = peer.read(&mut bytes).now_or_never().map_or(0, Result::unwrap);
        bytes[..count].to_vec()
    }

    async fn write(stream: &mut Pubacks<DuplexStream>, packet: &[u8]) {
        stream.write_all(packet).await.unwrap();
        stream.flush().await.unwrap();
    }

    #[tokio::test]
    async fn a_puback_waits_until_nothing_more_is_there_to_be_read() {
        let (stream, mut peer) = duplex(1 << 16);
        let mut stream = Pubacks::on(stream);
        peer.write_all(b"12").await.unwrap();
        for packet in [FIRST, SECOND] {
            assert!(stream.read_u8().now_or_never().is_some(), "there is more");
            write(&mut stream, &packet).await;
            assert_eq!(sent(&mut peer), b"");
        }
        assert!(stream.read_u8().now_or_never().is_none(), "there is no more");
        assert_eq!(sent(&mut peer), [FIRST, SECOND].concat());
    }

    #[tokio::test]
    async fn any_other_packet_leaves_at_once_behind_those_that_wait() {
        let (stream, mut peer) = duplex(1 << 16);
        let mut stream = Pubacks::on(stream);
        write(&mut stream, &FIRST).await;
        write(&mut stream, &PINGRESP).await;
        assert_eq!(sent(&mut peer), [&FIRST[..], &PINGRESP].concat());
        write(&mut stream, &SECOND).await;
        assert_eq!(sent(&mut peer), b"", "a PUBACK waits as before");
        stream.shutdown().await.unwrap();
        assert_eq!(sent(&mut peer), SECOND);
    }

    #[tokio::test]
    async fn no_more_waits_than_is_allowed_and_a_peer_that_does_not_read_holds_it_up() {
        let (stream, mut peer) = duplex(64);
        let mut stream = Pubacks::on(stream);
        for _ in 0..MOST / FIRST.len() {
            write(&mut stream, &FIRST).await;
        }
        assert!(stream.write_all(&SECOND).now_or_never().is_none(), "the peer does not read");
        let writing = async {
            stream.write_all(&SECOND).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut all = Vec::new();
        let ((), read) = tokio::join!(writing, peer.read_to_end(&mut all));
        read.unwrap();
        assert_eq!(all, [FIRST.repeat(MOST / FIRST.len()), SECOND.to_vec()].concat(), "whole packets, in order");
    }
}
