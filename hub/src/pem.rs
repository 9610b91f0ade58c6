//! Certificates and keys from PEM files, with errors that name the file.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

/// Why a PEM file cannot be used. Never holds what is in the file.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// Not readable, or not PEM.
    #[error("{} cannot be read as PEM", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// Holds no certificate.
    #[error("{} holds no certificate: it needs a `BEGIN CERTIFICATE` part", .0.display())]
    Empty(PathBuf),
    /// A certificate in it is not one.
    #[error("a certificate in {} is not valid", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// The certificates of a file, in their order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let unreadable = |source| PemError::Read { path: path.into(), source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() { Err(PemError::Empty(path.into())) } else { Ok(certificates) }
}

/// The first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| PemError::Read { path: path.into(), source })
}

/// The authorities of a file.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, PemError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| PemError::Certificate { path: path.into(), source })?;
    }
    Ok(roots)
}
