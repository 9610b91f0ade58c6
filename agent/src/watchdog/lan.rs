//! The socket on which the agents of a site hear one another: one multicast group that no router passes on.

use std::{io, net::SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::peers::{Beacon, MAX_BEACON};
use crate::config::Watchdog;

/// The local network's side of the watchdog.
pub(super) struct Lan {
    socket: UdpSocket,
    group: SocketAddrV4,
}

impl Lan {
    /// Joins the group on the configured interface. Several agents may do so on one computer.
    pub(super) fn join(config: &Watchdog) -> io::Result<Self> {
        let group = config.lan_group;
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(target_os = "solaris")))]
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // Bound to the group, nothing that was sent to this computer alone is heard. Not every system can do that.
        let bound_to = if cfg!(unix) { *group.ip() } else { config.lan_interface };
        socket.bind(&SocketAddrV4::new(bound_to, group.port()).into())?;
        socket.join_multicast_v4(group.ip(), &config.lan_interface)?;
        socket.set_multicast_if_v4(&config.lan_interface)?;
        socket.set_multicast_ttl_v4(1)?;
        socket.set_multicast_loop_v4(true)?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, group })
    }

    /// Says that this agent is there.
    pub(super) async fn say(&self, beacon: &Beacon) -> io::Result<()> {
        self.socket.send_to(&beacon.encode(), self.group).await.map(drop)
    }

    /// The next datagram, if it is a beacon.
    pub(super) async fn hear(&self) -> io::Result<Option<Beacon>> {
        let mut bytes = [0; MAX_BEACON + 1];
        let (length, _) = self.socket.recv_from(&mut bytes).await?;
        Ok(Beacon::decode(&bytes[..length]))
    }
}
