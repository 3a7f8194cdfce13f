//! The proof that a client authenticated. Its fields are private: only this module and the functions of
//! [`super`] that check credentials can make one.

use std::sync::Arc;

use super::platform::PlatformCredential;
use crate::oauth::{CertificateHash, Confirmation, OneTime};
use crate::registry::Client;
use crate::verification::VerifiedProof;

/// A client that proved who it is (RFC 6749 §2.3).
#[derive(Clone, Debug)]
pub struct AuthenticatedClient {
    client: Arc<Client>,
    kid: Option<String>,
    one_time: Vec<OneTime>,
    platform: Option<Box<PlatformCredential>>,
    certificate: Option<CertificateHash>,
}

impl AuthenticatedClient {
    /// The caller has checked the client's credential.
    pub(super) const fn new(client: Arc<Client>, kid: Option<String>, one_time: Vec<OneTime>) -> Self {
        Self { client, kid, one_time, platform: None, certificate: None }
    }

    /// The caller has verified the platform's credential, whose class lists the client.
    pub(super) fn by_platform(
        client: Arc<Client>,
        kid: Option<String>,
        credential: PlatformCredential,
    ) -> Self {
        let platform = Some(Box::new(credential));
        Self { client, kid, one_time: Vec::new(), platform, certificate: None }
    }

    /// The same client, whose request came with this certificate. The caller has checked that it is valid now; its key
    /// was proven in the handshake.
    pub(super) fn holding(self, certificate: Option<CertificateHash>) -> Self {
        Self { certificate, ..self }
    }

    /// A client for tests of what comes after authentication.
    #[cfg(test)]
    pub(crate) const fn for_tests(client: Arc<Client>, one_time: Vec<OneTime>) -> Self {
        Self::new(client, None, one_time)
    }

    /// The same client with a certificate, for tests.
    #[cfg(test)]
    pub(crate) fn holding_for_tests(self, certificate: Option<CertificateHash>) -> Self {
        self.holding(certificate)
    }

    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The key that its assertion names; absent where it presented a secret.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The platform's credential, where that is what authenticated the client: it names the agent too.
    pub fn platform(&self) -> Option<&PlatformCredential> {
        self.platform.as_deref()
    }

    /// The certificate that the request came with, whatever the client authenticates by. Its key was proven, and it is valid.
    pub const fn certificate(&self) -> Option<CertificateHash> {
        self.certificate
    }

    /// What the request proves possession of: the key of its DPoP proof, or else its certificate (RFC 8705 §4).
    pub fn proven(&self, proof: Option<&VerifiedProof>) -> Option<Confirmation> {
        let key = proof.map(|proof| Confirmation::Key(proof.thumbprint()));
        key.or(self.certificate.map(Confirmation::Certificate))
    }

    /// What the request used that may be used once only, to be used up in the transaction of the answer: the
    /// `jti` of its assertion. Empty where the client presented a secret or the credential of a platform, which may be
    /// used more than once.
    pub fn one_time(&self) -> &[OneTime] {
        &self.one_time
    }
}
