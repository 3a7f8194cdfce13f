//! The certificate of Deputy's own TLS, which a reload replaces without closing a connection.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::base::certificate::validity_of;
use crate::base::time::Timestamp;
use crate::config::Tls;

/// A certificate chain or a private key that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{path}`: {what}")]
pub struct CertificateError {
    path: String,
    what: String,
}

/// The certificate that every new handshake gets.
#[derive(Debug)]
pub struct Certificate(ArcSwap<CertifiedKey>);

impl CertificateError {
    /// What is wrong with the file at `path`.
    pub fn new(path: &Path, what: String) -> Self {
        Self { path: path.display().to_string(), what }
    }
}

impl Certificate {
    /// The certificate of this chain and key.
    pub fn new(pair: Arc<CertifiedKey>) -> Self {
        Self(ArcSwap::new(pair))
    }

    /// Reads the files of `tls`.
    ///
    /// # Errors
    /// A file cannot be read, holds no PEM of its kind, or the key is not that of the certificate.
    pub fn read(tls: &Tls) -> Result<Arc<CertifiedKey>, CertificateError> {
        let chain = CertificateDer::pem_file_iter(&tls.certificate_file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| CertificateError::new(&tls.certificate_file, error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&tls.key_file)
            .map_err(|error| CertificateError::new(&tls.key_file, error.to_string()))?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map(Arc::new)
            .map_err(|error| CertificateError::new(&tls.certificate_file, error.to_string()))
    }

    /// When it expires; `None` for one that is no X.509.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.load().cert.first().and_then(validity_of).map(|(_, until)| until)
    }

    /// Has handshakes from now on get this one.
    pub fn replace(&self, pair: Arc<CertifiedKey>) {
        self.0.store(pair);
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
