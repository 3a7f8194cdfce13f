//! The authorities whose certificates clients present.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::base::certificate::CertificateFault;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::http::certificate::CertificateError;
use crate::http::client_certificate::ClientCertificate;

/// The authorities of `tls.client_ca_file`.
#[derive(Debug)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

impl Authorities {
    /// Reads the file that the configuration names; `None` where it names none.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate of an authority.
    pub fn read(config: &Config) -> Result<Option<Self>, CertificateError> {
        let file = config.tls.as_ref().and_then(|tls| tls.client_ca_file.as_deref());
        file.map(Self::of_file).transpose()
    }

    fn of_file(file: &Path) -> Result<Self, CertificateError> {
        let fault = |what: String| CertificateError::new(file, what);
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| fault(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            roots.add(certificate).map_err(|error| fault(error.to_string()))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.build().map(Self).map_err(|error| fault(error.to_string()))
    }

    /// Whether one of the authorities vouches for the certificate at this time, as that of a client (RFC 5280 §6).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, certificate: &ClientCertificate, now: Timestamp) -> Result<(), CertificateFault> {
        let seconds = now.seconds().try_into().unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        match self.0.verify_client_cert(certificate.der(), certificate.intermediates(), now) {
            Ok(_) => Ok(()),
            Err(error) => Err(CertificateFault::among_causes(&error)
                .unwrap_or_else(|| CertificateFault::Other(error.to_string()))),
        }
    }
}
