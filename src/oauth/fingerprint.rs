//! Identifiers that are a SHA-256 in base64url: of a key, of a certificate, and of a credential.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ids::Digest;

macro_rules! fingerprint {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digest);

        impl $name {
            pub const fn new(digest: Digest) -> Self {
                Self(digest)
            }

            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// Reads the form in base64url: 43 bytes, and no other.
            pub fn parse(text: &str) -> Option<Self> {
                URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| D::Error::custom("not a SHA-256 in base64url"))
            }
        }
    };
}

fingerprint! {
    /// The SHA-256 thumbprint of a public key (RFC 7638), as in `cnf.jkt` (RFC 9449 §6.1).
    Jkt
}
fingerprint! {
    /// The SHA-256 of a client certificate in DER, as in `cnf.x5t#S256` (RFC 8705 §3.1).
    CertificateHash
}
fingerprint! {
    /// SHA-256 of the signing input of a platform's credential. The signature is left out, because its presenter can
    /// change an ECDSA signature into another one that is valid.
    CredentialHash
}
