//! Connections that have not introduced themselves yet: few, and not for long. When there are too many, the oldest goes, because
//! an honest client introduces itself within milliseconds of connecting.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;

/// Most connections that may be silent at once.
const MAX_SILENT: usize = 256;

/// Keeps the silent connections.
#[derive(Debug, Default)]
pub(crate) struct Door(Mutex<Silent>);

#[derive(Debug, Default)]
struct Silent {
    next: u64,
    by_age: BTreeMap<u64, SocketAddr>,
    by_peer: HashMap<SocketAddr, (u64, oneshot::Sender<()>)>,
}

/// Resolves when the connection has introduced itself (`Ok`) or has to go (`Err`).
pub(crate) type Ticket = oneshot::Receiver<()>;

impl Door {
    /// Lets a connection in, and the oldest silent one out if there are too many.
    pub(crate) fn enter(&self, peer: SocketAddr) -> Ticket {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.remove(peer);
        if silent.by_age.len() >= MAX_SILENT
            && let Some((_, oldest)) = silent.by_age.first_key_value()
        {
            let oldest = *oldest;
            silent.remove(oldest);
        }
        let (introduced, ticket) = oneshot::channel();
        let age = silent.next;
        silent.next += 1;
        silent.by_age.insert(age, peer);
        silent.by_peer.insert(peer, (age, introduced));
        ticket
    }

    /// The connection has introduced itself. `false` if it had to go before.
    pub(crate) fn introduced(&self, peer: SocketAddr) -> bool {
        let removed = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(peer);
        removed.is_some_and(|introduced| introduced.send(()).is_ok())
    }

    /// The connection is over or has to go. `false` if it had introduced itself.
    pub(crate) fn leave(&self, peer: SocketAddr) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(peer).is_some()
    }
}

impl Silent {
    fn remove(&mut self, peer: SocketAddr) -> Option<oneshot::Sender<()>> {
        let (age, introduced) = self.by_peer.remove(&peer)?;
        self.by_age.remove(&age);
        Some(introduced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], u16::try_from(n).unwrap()))
    }

    #[tokio::test]
    async fn the_oldest_silent_connection_makes_room_and_one_that_has_spoken_does_not() {
        let door = Door::default();
        let spoken = door.enter(peer(1));
        assert!(door.introduced(peer(1)));
        assert!(spoken.await.is_ok());
        let mut tickets: Vec<_> = (0..MAX_SILENT).map(|n| door.enter(peer(100 + n))).collect();
        assert!(tickets.iter_mut().all(|ticket| ticket.try_recv() == Err(oneshot::error::TryRecvError::Empty)));
        let _newest = door.enter(peer(2));
        assert!(tickets.remove(0).await.is_err());
        assert!(!door.introduced(peer(100)), "it had to go, so it may not come in");
        assert!(door.introduced(peer(101)) && door.introduced(peer(2)));
    }

    #[test]
    fn a_connection_that_leaves_frees_its_place() {
        let door = Door::default();
        for n in 0..10 * MAX_SILENT {
            let _ticket = door.enter(peer(1 + n));
            assert!(door.leave(peer(1 + n)) && !door.leave(peer(1 + n)));
        }
        let silent = door.0.lock().unwrap();
        assert!(silent.by_age.is_empty() && silent.by_peer.is_empty());
    }
}
