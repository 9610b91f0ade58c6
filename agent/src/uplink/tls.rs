//! TLS for the way to the broker.
//!
//! The MQTT client speaks to a Unix socket in this process, and what passes there is carried over TLS to the broker. So the TLS
//! library is ours to choose and to keep up to date, whatever the client brings.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, pem, pem::PemObject};
use tokio::{
    io::copy_bidirectional,
    net::{TcpStream, UnixListener},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::config::Hub;

/// How long connecting and the handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no encrypted connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("read the certificates or key in {}", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("there is no usable certificate in {0}")]
    NoRoots(String),
    #[error("use the agent's certificate and key")]
    OwnCertificate(#[source] rustls::Error),
    #[error("`{0}` cannot be the name in a certificate")]
    Name(String, #[source] InvalidDnsNameError),
    #[error("{0} did not answer within {PATIENCE:?}")]
    TimedOut(String),
    #[error("{doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

/// A Unix socket for one connection of the MQTT client.
pub(super) struct Tunnel {
    /// Holds the socket, in a directory that only this user can enter.
    dir: tempfile::TempDir,
    listener: UnixListener,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    host: String,
    port: u16,
}

impl Tunnel {
    /// Prepares what can fail before connecting. Certificates are read anew each time, so that renewed ones are taken up.
    pub(super) fn open(hub: &Hub) -> Result<Self, TlsError> {
        let host = hub.url.host.clone();
        let name = ServerName::try_from(host.clone()).map_err(|source| TlsError::Name(host.clone(), source))?;
        let io = |doing| move |source| TlsError::Io { doing, source };
        let dir = tempfile::Builder::new()
            .prefix("lobby-")
            .tempdir()
            .map_err(io("create a directory for the socket to the MQTT client"))?;
        let listener =
            UnixListener::bind(dir.path().join("mqtt")).map_err(io("create the socket to the MQTT client"))?;
        Ok(Self { dir, listener, config: client_config(hub)?, name, host, port: hub.url.port })
    }

    /// Where the MQTT client connects to.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("mqtt")
    }

    /// Carries one connection until either side closes it.
    pub(super) async fn carry(self) -> Result<(), TlsError> {
        let io = |doing| move |source| TlsError::Io { doing, source };
        let (mut inner, _) = self.listener.accept().await.map_err(io("take the MQTT client's connection"))?;
        let mut outer = timeout(PATIENCE, async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(io("connect to the broker"))?;
            tcp.set_nodelay(true).map_err(io("prepare the connection to the broker"))?;
            TlsConnector::from(self.config).connect(self.name, tcp).await.map_err(io("agree on TLS with the broker"))
        })
        .await
        .map_err(|_| TlsError::TimedOut(self.host))??;
        copy_bidirectional(&mut inner, &mut outer).await.map_err(io("talk to the broker"))?;
        Ok(())
    }
}

fn client_config(hub: &Hub) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots(hub)?);
    let config = match (&hub.client_cert_file, &hub.client_key_file) {
        (Some(cert), Some(key)) => {
            let source = |path: &PathBuf| {
                let path = path.clone();
                move |source| TlsError::Pem { path, source }
            };
            let key = PrivateKeyDer::from_pem_file(key).map_err(source(key))?;
            builder.with_client_auth_cert(certificates(cert)?, key).map_err(TlsError::OwnCertificate)?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn roots(hub: &Hub) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (found, place) = match &hub.ca_file {
        Some(path) => (certificates(path)?, path.display().to_string()),
        None => (rustls_native_certs::load_native_certs().certs, "the system: set `ca_file`".into()),
    };
    // A system's store may hold certificates that no longer parse; those are of no use and do no harm.
    roots.add_parsable_certificates(found);
    if roots.is_empty() { Err(TlsError::NoRoots(place)) } else { Ok(roots) }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { path: path.clone(), source };
    CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}
