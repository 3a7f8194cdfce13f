//! Identifiers. Compared byte for byte; what a `resource` names is found by [`ResourceUri`](super::ResourceUri).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::loopback::is_loopback;
use crate::base::text::is_shown;
use crate::base::time::Timestamp;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps an already checked value.
            pub fn new(value: impl Into<Arc<str>>) -> Self {
                Self(value.into())
            }

            /// The value as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A client's identifier (RFC 6749 §2.2).
    ClientId
}
name! {
    /// An issuer identifier (RFC 8414 §2, OIDC Core §2).
    Issuer
}
impl Issuer {
    /// Whether the issuer is a URL on loopback, as in the sandbox.
    pub fn is_on_loopback(&self) -> bool {
        url::Url::parse(self.as_str()).is_ok_and(|url| is_loopback(&url))
    }
}

name! {
    /// A target's identifier: a `resource` URI or an `audience` name; becomes `aud` (RFC 8693 §2.1).
    TargetId
}
name! {
    /// An agent's identifier, `agent_` and 128 bits; becomes `act.sub`.
    AgentId
}

/// How every identifier of an agent begins. A subject of a provider may not begin so.
pub const AGENT_PREFIX: &str = "agent_";
/// How every pairwise subject begins. A subject of a provider may not begin so.
pub const PAIRWISE_PREFIX: &str = "pw_";

impl Jti {
    /// When the token was made, to the millisecond: the `jti` says so itself (RFC 9562 §5.7).
    pub fn made_at(self) -> Timestamp {
        let millis = self.0.as_u64_pair().0 >> 16;
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id! {
    /// One issued token (RFC 7519 §4.1.7): UUID v7, unique and time-ordered, not a secret.
    Jti
}
uuid_id! {
    /// One task: the `task` member of an answer and the `txn` claim.
    TaskId
}
uuid_id! {
    /// One login that fed a task.
    LoginId
}
uuid_id! {
    /// A reference to a subject, random, so that its mapping can be destroyed without touching the audit.
    SubjectRef
}
uuid_id! {
    /// One request, as named in answers, logs and audit.
    RequestId
}

/// A UUID in the hyphenated lower-case form; no other form is read.
fn parse_uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (id.hyphenated().encode_lower(&mut buffer) == text).then_some(id)
}

macro_rules! parsed_id {
    ($($name:ident),*) => { $(
        impl $name {
            /// Reads the hyphenated lower-case form, and no other.
            pub fn parse(text: &str) -> Option<Self> {
                parse_uuid(text).map(Self)
            }
        }
    )* };
}
parsed_id!(Jti, TaskId, LoginId, RequestId, SubjectRef);

/// SHA-256, keyed or not.
pub type Digest = [u8; 32];

/// Why a task was begun, in the caller's words: 1 to 256 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purpose(Arc<str>);

impl Purpose {
    /// `None` when empty, over 256 characters, or not all printable.
    pub fn parse(text: &str) -> Option<Self> {
        let is_printable = text.chars().all(is_shown);
        (is_printable && (1..=256).contains(&text.chars().count())).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Purpose;

    #[test]
    fn a_purpose_is_shown_as_it_is_written() {
        for text in ["Zwei Plätze für Ulla", "予約 2", "x", &"é".repeat(256)] {
            assert_eq!(Purpose::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "a\nb",
            "a\u{2066}b",
            "a\u{2069}",
            "a\u{202e}b",
            "a\u{200d}b",
            "a\u{e0041}",
            &"é".repeat(257),
        ] {
            assert_eq!(Purpose::parse(text), None, "{text:?}");
        }
    }
}
