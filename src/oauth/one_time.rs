//! What may be used once only: the `jti` of a client assertion (RFC 7523 §3) or of a DPoP proof (RFC 9449 §11.1).

use super::fingerprint::Jkt;
use super::ids::{ClientId, Digest};
use super::refusal::Plain;
use crate::base::time::Timestamp;

/// Something that may be used once only. It is used up in the transaction that records the answer to its
/// request, so that of two uses, on whatever node, one finds the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneTime {
    /// A client assertion (RFC 7523 §3).
    Assertion {
        /// The client that made it; nobody can use up the `jti` of another client.
        client: ClientId,
        /// SHA-256 of the `jti`.
        jti: Digest,
        /// Until when the assertion could still pass the checks of its times, leeway included.
        until: Timestamp,
    },
    /// A DPoP proof (RFC 9449 §11.1).
    Proof {
        /// The key that made it; nobody can use up the `jti` of another key.
        key: Jkt,
        /// SHA-256 of the `jti`.
        jti: Digest,
        /// Until when the proof could still pass the check of its time.
        until: Timestamp,
    },
}

impl OneTime {
    /// The stable word of the kind: uses of different kinds never collide.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Assertion { .. } => "assertion",
            Self::Proof { .. } => "proof",
        }
    }

    /// The cause of a refusal because it was used before.
    pub const fn replayed(&self) -> Plain {
        match self {
            Self::Assertion { .. } => Plain::AssertionReplayed,
            Self::Proof { .. } => Plain::ProofReplayed,
        }
    }

    /// Whose use it is: an identifier that is unique within the kind.
    pub fn owner(&self) -> &[u8] {
        match self {
            Self::Assertion { client, .. } => client.as_str().as_bytes(),
            Self::Proof { key, .. } => key.digest(),
        }
    }

    /// What is used up, as a hash, unique for its owner.
    pub const fn jti(&self) -> &Digest {
        match self {
            Self::Assertion { jti, .. } | Self::Proof { jti, .. } => jti,
        }
    }

    /// Until when the use has to be remembered.
    pub const fn until(&self) -> Timestamp {
        match self {
            Self::Assertion { until, .. } | Self::Proof { until, .. } => *until,
        }
    }
}
