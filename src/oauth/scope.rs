//! Scope (RFC 6749 §3.3): a set of case-sensitive words.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use oxide_auth::primitives::scope::Scope as ScopeSet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One word of a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ScopeToken(Arc<str>);

impl ScopeToken {
    /// `None` unless `text` is one or more of `%x21 / %x23-5B / %x5D-7E` (RFC 6749 §3.3).
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        (!text.is_empty() && text.len() <= 256 && text.bytes().all(legal)).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ScopeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a scope token (RFC 6749 §3.3)"))
    }
}

/// A set of scope tokens. Printed sorted, so that equal sets are equal bytes.
///
/// The order is oxide-auth's: `a <= b` when every word of `a` is in `b`. That partial order is the
/// narrowing rule of every exchange.
#[derive(Clone)]
pub struct Scope {
    set: Arc<ScopeSet>,
    text: Arc<str>,
}

impl Scope {
    /// The most words taken from one request.
    pub const MAX_TOKENS: usize = 100;

    /// Reads tokens separated by single spaces (RFC 6749 §3.3). `None` for anything else, the empty
    /// string included. A repeated word counts once.
    pub fn parse(text: &str) -> Option<Self> {
        let tokens = text.split(' ').map(ScopeToken::parse).collect::<Option<Vec<_>>>()?;
        if tokens.len() > Self::MAX_TOKENS {
            return None;
        }
        Some(Self::from_tokens(tokens.iter()))
    }

    /// The set of these words.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a ScopeToken>) -> Self {
        let mut words: Vec<&str> = tokens.into_iter().map(ScopeToken::as_str).collect();
        words.sort_unstable();
        words.dedup();
        let text = words.join(" ");
        // INVARIANT: words are checked scope tokens, which oxide-auth's grammar accepts; were it ever
        // not so, the empty set is the safe reading.
        let set = text.parse().unwrap_or_else(|_| empty_set());
        Self { set: Arc::new(set), text: text.into() }
    }

    pub fn empty() -> Self {
        Self { set: Arc::new(empty_set()), text: "".into() }
    }

    /// Words joined by spaces, sorted.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether `word` is in the set.
    pub fn contains(&self, word: &str) -> bool {
        self.tokens().any(|own| own == word)
    }

    /// Whether every word is in `wider`.
    pub fn is_subset_of(&self, wider: &Scope) -> bool {
        wider.set.priviledged_to(&self.set)
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

fn empty_set() -> ScopeSet {
    #[expect(
        clippy::expect_used,
        reason = "the empty string is a scope to oxide-auth; seen in its tests and ours"
    )]
    "".parse().expect("the empty scope parses")
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Scope {}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.set.partial_cmp(&other.set)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::empty());
        }
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a scope (RFC 6749 §3.3)"))
    }
}
