//! One connection to the external broker after another: each is new from the ground up, because the client library loses or
//! confuses messages when it carries state from one to the next.

use std::{io, path::Path, sync::Arc, time::Duration};

use lobby_contract::MAX_PAYLOAD;
use rumqttc::{
    Transport,
    v5::{AsyncClient, EventLoop, MqttOptions},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::ServerName;
use tokio::{
    io::copy_bidirectional,
    net::{TcpStream, UnixListener},
    time::{Instant, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracing::debug;

use super::settings::{Credentials, ExternalSettings, ExternalTls};
use crate::{
    lifecycle::Lifecycle,
    mqtt::{PemError, StartError},
    pem,
};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Messages of ours that the broker may leave unanswered.
const IN_FLIGHT: u16 = 50;

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("connecting to {host}:{port} failed")]
    Connect {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the TLS handshake with {host}:{port} failed")]
    Tls {
        host: String,
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the socket between client and TLS cannot be made")]
    Tunnel(#[source] io::Error),
}

/// Opens connections.
#[derive(Clone)]
pub(super) struct Dialler {
    settings: Arc<ExternalSettings>,
    credentials: Option<Credentials>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    lifecycle: Lifecycle,
}

impl Dialler {
    pub(super) fn new(settings: ExternalSettings, lifecycle: Lifecycle) -> Result<Self, StartError> {
        settings.check()?;
        let credentials = settings.credentials()?;
        let tls = settings.tls.as_ref().map(|tls| connector(tls, &settings.host)).transpose()?;
        Ok(Self { settings: Arc::new(settings), credentials, tls, lifecycle })
    }

    pub(super) fn settings(&self) -> &ExternalSettings {
        &self.settings
    }

    /// A new client with a request queue of `capacity`; `shape` sets what is special about it. Over TLS the connection is made
    /// here, otherwise at the first poll.
    pub(super) async fn open(
        &self,
        suffix: &str,
        capacity: usize,
        shape: impl FnOnce(&mut MqttOptions),
    ) -> Result<(AsyncClient, EventLoop), ConnectError> {
        let id = format!("{}{suffix}", self.settings.client_id);
        let (host, port) = (self.settings.host.as_str(), self.settings.port());
        let mut options = match &self.tls {
            None => MqttOptions::new(id, host, port),
            Some((connector, name)) => {
                let stream = self.dial_tls(connector, name.clone()).await?;
                let socket = tunnel(&self.lifecycle, stream).map_err(ConnectError::Tunnel)?;
                let mut options = MqttOptions::new(id, socket, port);
                options.set_transport(Transport::unix());
                options
            }
        };
        options.set_keep_alive(Duration::from_millis(self.settings.keep_alive.millis().unsigned_abs()));
        options.set_connection_timeout(CONNECT.as_secs());
        options.set_outgoing_inflight_upper_limit(IN_FLIGHT);
        // Room for topic and properties; the broker withholds what is larger.
        options.set_max_packet_size(Some(u32::try_from(MAX_PAYLOAD + 4096).unwrap_or(u32::MAX)));
        if let Some(Credentials { username, password }) = &self.credentials {
            options.set_credentials(username, password);
        }
        shape(&mut options);
        Ok(AsyncClient::new(options, capacity))
    }

    async fn dial_tls(
        &self,
        connector: &TlsConnector,
        name: ServerName<'static>,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let (host, port) = (self.settings.host.clone(), self.settings.port());
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await.unwrap_or_else(|_| Err(late()));
        let stream = match stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => stream,
            Err(source) => return Err(ConnectError::Connect { host, port, source }),
        };
        let stream = timeout(CONNECT, connector.connect(name, stream)).await.unwrap_or_else(|_| Err(late()));
        stream.map_err(|source| ConnectError::Tls { host, port, source })
    }
}

/// A socket of this process alone whose other end is `stream`. The client library's own TLS brings in certificate code with known
/// faults, so it is given a socket instead.
fn tunnel(lifecycle: &Lifecycle, mut stream: TlsStream<TcpStream>) -> io::Result<String> {
    // Made with mode 0700: nobody else reaches the socket in it.
    let directory = tempfile::Builder::new().prefix("lobby-hub-").tempdir()?;
    let path = directory.path().join("mqtt");
    let listener = UnixListener::bind(&path)?;
    let text = path.to_str().map(str::to_owned);
    let stop = lifecycle.stop_token();
    lifecycle.detach("mqtt tls", async move {
        let Ok(Ok((mut local, _))) = timeout(CONNECT, listener.accept()).await else { return };
        drop((listener, directory));
        let pumped = tokio::select! {
            pumped = copy_bidirectional(&mut local, &mut stream) => pumped,
            // Room for the last words of a connection that ends in good order.
            () = async { stop.cancelled().await; tokio::time::sleep(CONNECT).await } => return,
        };
        if let Err(error) = pumped {
            debug!(%error, "the TLS connection to the MQTT broker ended");
        }
    });
    text.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidFilename, "the directory for temporary files is not UTF-8"))
}

fn connector(tls: &ExternalTls, host: &str) -> Result<(TlsConnector, ServerName<'static>), StartError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(StartError::Tls)?
        .with_root_certificates(trusted(tls.ca_file.as_deref()).map_err(StartError::Pem)?);
    let config = match (&tls.cert_file, &tls.key_file) {
        (Some(certificate), Some(key)) => {
            let certificates = pem::certificates(certificate).map_err(StartError::Pem)?;
            let key = pem::private_key(key).map_err(StartError::Pem)?;
            builder.with_client_auth_cert(certificates, key).map_err(StartError::Tls)?
        }
        _ => builder.with_no_client_auth(),
    };
    let name = tls.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| StartError::ServerName(name.to_owned()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn trusted(file: Option<&Path>) -> Result<RootCertStore, PemError> {
    if let Some(file) = file {
        return pem::roots(file);
    }
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that are out of use; those that can be read serve.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(roots)
}

/// How long to wait before the next attempt: doubled each time up to half a minute, and different for every hub, so that a broker
/// that comes back is not run down.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
    since: Instant,
}

impl Backoff {
    const LEAST: Duration = Duration::from_millis(500);
    const MOST: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self { ceiling: Self::LEAST, since: Instant::now() }
    }

    /// Marks the start of an attempt.
    pub(super) fn attempt(&mut self) {
        self.since = Instant::now();
    }

    /// The next pause. A connection that held begins anew; one that was lost at once does not, as when two hubs have one name.
    pub(super) fn pause(&mut self) -> Duration {
        if self.since.elapsed() >= Self::MOST {
            self.ceiling = Self::LEAST;
        }
        let pause = self.ceiling.mul_f64(0.5 + 0.5 * fraction());
        self.ceiling = (self.ceiling * 2).min(Self::MOST);
        pause
    }
}

/// A random number from 0 to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the pause is not spread, which is the worse timing and no error.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_half_a_minute_and_begin_anew_after_a_connection_that_held() {
        let mut backoff = Backoff::new();
        let mut ceiling = Backoff::LEAST;
        for _ in 0..10 {
            backoff.attempt();
            let pause = backoff.pause();
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?} of {ceiling:?}");
            ceiling = (ceiling * 2).min(Backoff::MOST);
        }
        backoff.attempt();
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(backoff.pause() <= Backoff::LEAST);
    }
}
