//! What is looked for among the keys of a source: the key that fits a header, or a certificate.

use crate::base::digest::sha256;
use crate::jose::{Header, KeySet, PublicKey};
use crate::oauth::CertificateHash;

/// Something that a key set may have.
pub trait Sought: Clone + Send + Sync + 'static {
    type Found: Clone + Send + Sync;

    fn find(&self, keys: &KeySet) -> Option<Self::Found>;

    fn is_same(one: &Self::Found, other: &Self::Found) -> bool;

    /// Under which name it is remembered that it was not found.
    fn name(&self) -> Option<String>;

    /// That it is not there, for the log.
    fn unknown(&self) -> String;
}

impl Sought for Header {
    type Found = PublicKey;

    fn find(&self, keys: &KeySet) -> Option<PublicKey> {
        keys.choose(self).cloned()
    }

    fn is_same(one: &PublicKey, other: &PublicKey) -> bool {
        one.is_same(other)
    }

    fn name(&self) -> Option<String> {
        self.kid.clone()
    }

    // The presenter of a token chooses its `kid`.
    fn unknown(&self) -> String {
        match &self.kid {
            Some(kid) => format!("unknown key `{}`", kid.escape_debug()),
            None => format!("no single key for a token without `kid` ({})", self.algorithm.as_str()),
        }
    }
}

/// A certificate as DER, which is to be that of a key.
#[derive(Clone)]
pub struct SoughtCertificate(pub Vec<u8>);

impl SoughtCertificate {
    fn hash(&self) -> CertificateHash {
        CertificateHash::new(sha256([self.0.as_slice()]))
    }
}

impl Sought for SoughtCertificate {
    type Found = ();

    fn find(&self, keys: &KeySet) -> Option<()> {
        keys.certificates().any(|known| known == self.0).then_some(())
    }

    fn is_same((): &(), (): &()) -> bool {
        true
    }

    fn name(&self) -> Option<String> {
        Some(format!("x5t#S256 {}", self.hash()))
    }

    fn unknown(&self) -> String {
        format!("unknown certificate `{}`", self.hash())
    }
}
