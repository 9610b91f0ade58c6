//! The web over TLS, with a certificate from files or with one that the hub makes itself.

mod listener;
mod pinned;
mod self_made;

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use lobby_domain::time::Timestamp;
use ring::digest::{SHA256, digest};
use rustls::{ServerConfig, crypto::ring as provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

pub(crate) use self::listener::TlsListener;
use crate::pem::{self, PemError};

/// Which certificate the web has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// That of a file.
    Files {
        /// PEM file of the certificate and its chain.
        cert_file: PathBuf,
        /// PEM file of its private key.
        key_file: PathBuf,
    },
    /// One that the hub makes, signs and renews itself, in its data folder.
    SelfMade,
}

/// Why the web cannot be served over TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file.
    #[error("the certificate of the web cannot be used")]
    Certificate(#[source] PemError),
    /// The key's file.
    #[error("the private key of the web's certificate cannot be used")]
    Key(#[source] PemError),
    /// Certificate and key are not of each other.
    #[error("it is not the private key of the first certificate in `cert_file`")]
    Mismatch,
    /// The certificate or the key is nothing that TLS can use.
    #[error("TLS cannot be set up with this certificate and key")]
    Unusable(#[source] rustls::Error),
    /// The disk.
    #[error("{}: the hub's own certificate or its key cannot be {doing}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The key in the data folder is none.
    #[error("{}: this is no private key of the hub's: remove the file, and the hub makes a new key and certificate", .0.display())]
    OwnKey(PathBuf),
    /// The certificate cannot be made.
    #[error("the hub cannot make a certificate of its own")]
    Make(#[source] rcgen::Error),
}

impl TlsError {
    /// The setting of `[http.tls]` that it is about.
    pub(crate) const fn key(&self) -> &'static str {
        match self {
            Self::Certificate(_) | Self::Unusable(_) => "cert_file",
            Self::Key(_) | Self::Mismatch => "key_file",
            Self::Disk { .. } | Self::OwnKey(_) | Self::Make(_) => "self_made",
        }
    }
}

/// A certificate with which connections can be served.
pub(crate) struct Loaded {
    config: Arc<ServerConfig>,
    leaf: CertificateDer<'static>,
}

impl Tls {
    /// The file of the certificate.
    pub(crate) fn certificate(&self, data_dir: &Path) -> PathBuf {
        match self {
            Self::Files { cert_file, .. } => cert_file.clone(),
            Self::SelfMade => self_made::certificate_file(data_dir),
        }
    }

    /// Reads the certificate; one of our own is made or renewed for `names` where it has to be.
    pub(crate) fn load(&self, data_dir: &Path, names: Vec<String>, now: Timestamp) -> Result<Loaded, TlsError> {
        match self {
            Self::Files { cert_file, key_file } => from_files(cert_file, key_file),
            Self::SelfMade => {
                let (certificate, key) = self_made::get(data_dir, names, now)?;
                loaded(vec![certificate], key)
            }
        }
    }
}

/// What a certificate and a key in files give.
pub(crate) fn from_files(cert_file: &Path, key_file: &Path) -> Result<Loaded, TlsError> {
    let chain = pem::certificates(cert_file).map_err(TlsError::Certificate)?;
    loaded(chain, pem::private_key(key_file).map_err(TlsError::Key)?)
}

fn loaded(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Loaded, TlsError> {
    // Nothing is served without a certificate, and no file of certificates is empty.
    let leaf = chain.first().cloned().ok_or(TlsError::Mismatch)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
        error => TlsError::Unusable(error),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Loaded { config: Arc::new(config), leaf })
}

impl Loaded {
    /// Its SHA-256, as browsers show it.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, &self.leaf);
        digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }

    /// The DNS names it is for.
    pub(crate) fn dns_names(&self) -> Vec<String> {
        let addresses = |name: &String| name.parse::<IpAddr>().is_err();
        parse_x509_certificate(&self.leaf)
            .map(|(_, certificate)| names(&certificate).into_iter().filter(addresses).collect())
            .unwrap_or_default()
    }

    /// What connections are accepted with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// With what the hub itself asks its web server.
    pub(crate) fn connector(&self) -> TlsConnector {
        pinned::connector(self.leaf.clone())
    }
}

/// The names and addresses that a certificate is for.
fn names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}
