//! What a request proves possession of, and what a token is bound to.

use serde::Serialize;

use super::fingerprint::{CertificateHash, Jkt};

/// A key or a certificate whose key was proven. It is written as the claim `cnf` (RFC 7800 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Confirmation {
    /// A key, proven by DPoP (RFC 9449 §6.1).
    #[serde(rename = "jkt")]
    Key(Jkt),
    /// A client certificate, whose key was proven in the TLS handshake (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(CertificateHash),
}

impl Confirmation {
    /// The key, if it is one.
    pub const fn key(self) -> Option<Jkt> {
        match self {
            Self::Key(key) => Some(key),
            Self::Certificate(_) => None,
        }
    }

    /// The certificate, if it is one.
    pub const fn certificate(self) -> Option<CertificateHash> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Key(_) => None,
        }
    }
}
