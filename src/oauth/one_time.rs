//! What may be used once only, such as the `jti` of a client assertion (RFC 7523 §3).

use super::ids::{ClientId, Digest};
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
}

impl OneTime {
    /// The stable word of the kind: uses of different kinds never collide.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Assertion { .. } => "assertion",
        }
    }

    /// Whose use it is: an identifier that is unique within the kind.
    pub fn owner(&self) -> &[u8] {
        match self {
            Self::Assertion { client, .. } => client.as_str().as_bytes(),
        }
    }

    /// What is used up, as a hash, unique for its owner.
    pub const fn jti(&self) -> &Digest {
        match self {
            Self::Assertion { jti, .. } => jti,
        }
    }

    /// Until when the use has to be remembered.
    pub const fn until(&self) -> Timestamp {
        match self {
            Self::Assertion { until, .. } => *until,
        }
    }
}
