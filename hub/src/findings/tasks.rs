//! Whether the hub's own loops get on, and whether the web server answers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use lobby_dashboards::FindingKey;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::TlsConnector;

use super::{Found, Severity};
use crate::progress::{Part, Progress};

/// How long a loop may stand still.
const PATIENCE: Duration = Duration::from_secs(12);
/// How often the web server is asked.
const EVERY: Duration = Duration::from_secs(3);

/// The parts that do not get on. The embedded broker's is told by itself.
pub(super) fn probe(progress: &Progress) -> Vec<Found> {
    let stalled = |part: &Part| {
        let idle = progress.idle(*part)?;
        (idle >= PATIENCE).then(|| {
            let tens = idle.as_secs() / 10 * 10;
            let found = Found::new(FindingKey::TaskStalled, Severity::Critical).about(part.as_str());
            found.with(part.as_str()).with(format!("{tens} s"))
        })
    };
    Part::ALL.iter().filter(|part| **part != Part::Broker).filter_map(stalled).collect()
}

/// Our own web server.
pub struct OwnWeb {
    /// Where it listens.
    pub at: SocketAddr,
    /// With what it is asked, if it is served over TLS.
    pub tls: Option<TlsConnector>,
}

impl OwnWeb {
    /// Asks it again and again whether it answers.
    pub(super) async fn ask(&self, progress: Arc<Progress>) {
        let mut turns = interval(EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Ok(Ok(true)) = timeout(EVERY, self.answers()).await {
                progress.beat(Part::Web);
            }
        }
    }

    async fn answers(&self) -> io::Result<bool> {
        let stream = TcpStream::connect(self.at).await?;
        match &self.tls {
            None => is_well(stream).await,
            Some(tls) => is_well(tls.connect(self.at.ip().into(), stream).await?).await,
        }
    }
}

async fn is_well(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<bool> {
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
    stream.flush().await?;
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await?;
    Ok(&begin == b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_part_that_stands_still_is_found_within_fifteen_seconds() {
        let progress = Progress::default();
        progress.beat(Part::Ingest);
        assert!(probe(&progress).is_empty());
        tokio::time::advance(Duration::from_secs(13)).await;
        progress.beat(Part::Web);
        let found = probe(&progress);
        assert_eq!(found.iter().map(|found| &*found.id).collect::<Vec<_>>(), ["task_stalled:ingest"]);
    }
}
