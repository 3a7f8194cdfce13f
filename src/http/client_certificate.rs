//! The certificate of a client: as it was proven in the handshake of a connection, or as a proxy that made the handshake
//! states it.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::base::certificate::{CertificateFault, validity};
use crate::base::digest::sha256;
use crate::base::time::Timestamp;
use crate::config::CertificateHeader;
use crate::oauth::params::decode;
use crate::oauth::{CertificateHash, Plain};

/// The most bytes of a certificate in DER.
const MAX_CERTIFICATE: usize = 16 << 10;
/// The most certificates that a client sends, with its own.
const MAX_CHAIN: usize = 8;

/// A certificate whose key its sender has proven.
pub struct ClientCertificate {
    /// With the certificates of intermediate authorities that came with it.
    chain: Vec<CertificateDer<'static>>,
    read: Certificate,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientCertificate({})", self.hash())
    }
}

impl ClientCertificate {
    /// The first of these certificates with the others; `None` if that is no X.509, or one of them or their number is
    /// beyond the limits.
    pub fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        if chain.len() > MAX_CHAIN || chain.iter().any(|one| one.len() > MAX_CERTIFICATE) {
            return None;
        }
        let read = Certificate::from_der(chain.first()?).ok()?;
        let chain = chain.iter().map(|one| one.clone().into_owned()).collect();
        Some(Self { chain, read })
    }

    /// Its SHA-256 (RFC 8705 §3.1).
    pub fn hash(&self) -> CertificateHash {
        CertificateHash::new(sha256([self.der().as_ref()]))
    }

    /// The certificate itself.
    pub fn der(&self) -> &CertificateDer<'static> {
        // INVARIANT: `read` takes no empty chain.
        &self.chain[0]
    }

    /// The certificates that came with it.
    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.chain[1..]
    }

    /// What it says.
    pub const fn content(&self) -> &Certificate {
        &self.read
    }

    /// Whether it is valid at this time. A session that is resumed keeps the certificate of its handshake, which may have
    /// expired since.
    ///
    /// # Errors
    /// [`CertificateFault::Expired`], [`CertificateFault::NotYetValid`].
    pub fn check_validity(&self, now: Timestamp) -> Result<(), CertificateFault> {
        let (from, until) = validity(&self.read);
        match () {
            () if now < from => Err(CertificateFault::NotYetValid),
            () if now.seconds() > until.seconds() => Err(CertificateFault::Expired),
            () => Ok(()),
        }
    }
}

/// What a connection to the listener for mutual TLS has: a certificate, or none. Other connections do not have this.
pub struct Handshake(pub Option<Arc<ClientCertificate>>);

/// The certificate that came with a request.
pub type Presented = Result<Option<Arc<ClientCertificate>>, Plain>;

/// The certificate of `request`: that of the handshake on the listener for mutual TLS, and elsewhere the one that a
/// trusted proxy states in its header. Headers of others are not looked at.
///
/// # Errors
/// [`Plain::CertificateRepeated`] for two headers, [`Plain::CertificateMalformed`] for one that cannot be read.
pub fn presented(request: &HttpRequest, believed: Option<CertificateHeader>) -> Presented {
    match (request.conn_data::<Handshake>(), believed) {
        (Some(Handshake(certificate)), _) => Ok(certificate.clone()),
        (None, Some(header)) => stated(request.headers(), header),
        (None, None) => Ok(None),
    }
}

/// The certificate that a proxy states. A client that has none is stated by no header, or by an empty one.
fn stated(headers: &HeaderMap, header: CertificateHeader) -> Presented {
    let mut values = headers.get_all(header.name());
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Plain::CertificateRepeated);
    }
    let text = value.to_str().map_err(|_| Plain::CertificateMalformed)?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let der = match header {
        CertificateHeader::ClientCert => byte_sequence(text),
        CertificateHeader::NginxEscaped => escaped_pem(text),
    };
    let read = der.and_then(|der| ClientCertificate::read(&[der]));
    read.map(|certificate| Some(Arc::new(certificate))).ok_or(Plain::CertificateMalformed)
}

/// A Byte Sequence (RFC 9440 §2.1, RFC 8941 §3.3.5).
fn byte_sequence(text: &str) -> Option<CertificateDer<'static>> {
    let encoded = text.strip_prefix(':')?.strip_suffix(':')?;
    STANDARD.decode(encoded).ok().map(CertificateDer::from)
}

/// A PEM with percent-encoding, as nginx writes `$ssl_client_escaped_cert`.
fn escaped_pem(text: &str) -> Option<CertificateDer<'static>> {
    // `decode` is that of forms, where a plus sign is a space. nginx escapes it.
    let pem = decode(text.replace('+', "%2B").as_bytes())?.into_owned();
    let mut all = CertificateDer::pem_slice_iter(pem.as_bytes());
    match (all.next(), all.next()) {
        (Some(Ok(only)), None) => Some(only.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
