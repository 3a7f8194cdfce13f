//! The signature algorithms that Deputy knows.

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). `EdDSA` is the only name for Ed25519.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    EdDSA,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
}

impl Algorithm {
    /// The `alg` value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::PS256 => "PS256",
            Self::RS256 => "RS256",
        }
    }

    /// The algorithm of this `alg` value, compared exactly.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ES256, Self::ES384, Self::EdDSA, Self::PS256, Self::RS256]
            .into_iter()
            .find(|a| a.as_str() == name)
    }
}
