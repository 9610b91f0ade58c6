//! One echo request (ping) without privileges, for gateways that answer on no TCP port. Linux allows it where
//! `net.ipv4.ping_group_range` includes the agent's group, as most distributions set it; where not, TCP alone decides.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket as StdSocket},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::UdpSocket,
    time::{Instant, timeout},
};

/// ICMP type of an echo request (RFC 792).
const ECHO_REQUEST: u8 = 8;
/// Type, code, checksum, identifier and sequence number: the kernel fills in checksum and identifier.
const HEADER: usize = 8;

/// How long `ip` took to answer an echo request. An error also where this system does not allow asking.
pub(super) async fn echo(ip: IpAddr, patience: Duration) -> io::Result<Duration> {
    if !cfg!(target_os = "linux") || ip.is_ipv6() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(StdSocket::from(socket))?;
    socket.connect(SocketAddr::new(ip, 0)).await?;
    let mut request = [0; HEADER + 8];
    request[0] = ECHO_REQUEST;
    getrandom::fill(&mut request[HEADER..])?;
    let asked_at = Instant::now();
    socket.send(&request).await?;
    timeout(patience, answer(&socket, &request[HEADER..]))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(asked_at.elapsed())
}

/// Waits for the datagram that carries our payload.
async fn answer(socket: &UdpSocket, payload: &[u8]) -> io::Result<()> {
    let mut datagram = [0; 64];
    loop {
        let length = socket.recv(&mut datagram).await?;
        if length >= HEADER + payload.len() && datagram[..length].ends_with(payload) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tcp::tests::LOOPBACK;

    #[tokio::test]
    async fn this_computer_answers_its_own_ping_where_the_system_allows_asking() {
        match echo(LOOPBACK, Duration::from_secs(2)).await {
            Ok(after) => assert!(after < Duration::from_secs(2)),
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported),
                "neither answered nor forbidden: {error}"
            ),
        }
    }
}
