//! Tells systemd how the hub is: ready, stopping, and alive. It is called alive only while ingest gets on, so that a hub that hangs is
//! started again (`WatchdogSec=` in the unit); without systemd nothing is done.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    sync::Arc,
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::progress::{Part, Progress};

/// How long ingest may stand still before the hub is no longer called alive. Trying again to store counts as getting on.
const PATIENCE: Duration = Duration::from_secs(25);

/// The socket of the service manager.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    to: SocketAddr,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The service manager that started this process, if one did and asks to be told.
    pub fn of_this_process() -> Option<Self> {
        let address = env::var("NOTIFY_SOCKET").ok()?;
        let micros = env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok());
        let for_us = env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        match Self::at(&address, micros.filter(|_| for_us).map(Duration::from_micros)) {
            Ok(manager) => Some(manager),
            Err(cause) => {
                warn!(%cause, address, "cannot reach the service manager named by NOTIFY_SOCKET");
                None
            }
        }
    }

    fn at(address: &str, watchdog: Option<Duration>) -> io::Result<Self> {
        let to = match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, to, watchdog })
    }

    fn say(&self, what: &str) {
        if let Err(cause) = self.socket.send_to_addr(what.as_bytes(), &self.to) {
            warn!(%cause, what, "could not tell the service manager");
        }
    }

    /// Says that the hub is ready, then again and again that it lives, and in the end that it stops.
    pub async fn keep_told(self, progress: Arc<Progress>, stop: CancellationToken) -> anyhow::Result<()> {
        self.say("READY=1");
        let Some(watchdog) = self.watchdog else {
            stop.cancelled().await;
            self.say("STOPPING=1");
            return Ok(());
        };
        let mut turns = interval((watchdog / 3).max(Duration::from_millis(100)));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = turns.tick() => {}
            }
            let idle = progress.idle(Part::Ingest).unwrap_or_default();
            if idle <= PATIENCE {
                self.say("WATCHDOG=1");
            } else if !told {
                error!(idle_ms = idle.as_millis(), "ingest does not get on: the watchdog is no longer answered");
            }
            told = idle > PATIENCE;
        }
        self.say("STOPPING=1");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Lifecycle;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_service_manager_hears_that_the_hub_is_ready_alive_and_stopping() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let manager = ServiceManager::at(&path.to_string_lossy(), Some(Duration::from_millis(300))).unwrap();
        let (lifecycle, progress) = (Lifecycle::new(), Arc::new(Progress::default()));
        progress.beat(Part::Ingest);
        lifecycle.supervise("service manager", manager.keep_told(progress, lifecycle.stop_token()));
        assert_eq!(heard(&socket), "READY=1");
        assert_eq!((heard(&socket), heard(&socket)), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
        lifecycle.stop();
        let last = std::iter::repeat_with(|| heard(&socket)).find(|said| said != "WATCHDOG=1");
        assert_eq!(last.as_deref(), Some("STOPPING=1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hub_whose_ingest_stands_still_is_not_called_alive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = ServiceManager::at(&path.to_string_lossy(), Some(Duration::from_secs(30))).unwrap();
        let (lifecycle, progress) = (Lifecycle::new(), Arc::new(Progress::default()));
        progress.beat(Part::Ingest);
        lifecycle.supervise("service manager", manager.keep_told(progress, lifecycle.stop_token()));
        let said = || {
            let mut buffer = [0; 64];
            std::iter::from_fn(|| {
                socket.recv(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
            })
            .collect::<Vec<_>>()
        };
        tokio::time::sleep(Duration::from_secs(22)).await;
        assert!(said().contains(&"WATCHDOG=1".to_owned()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        said();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(said(), Vec::<String>::new(), "ingest stands still");
    }
}
