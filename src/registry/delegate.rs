//! The kinds of agents that another agent may bring in.

use std::fmt;

use crate::oauth::ClientId;

/// How a client's own agent is written.
const CLIENT_PREFIX: &str = "client:";

/// An entry of `delegates_to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delegate {
    /// The agents of a class.
    Class(String),
    /// The own agent of a client.
    OwnAgent(ClientId),
}

impl Delegate {
    /// Reads the name of a class, or `client:ID`.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix(CLIENT_PREFIX) {
            Some(id) => Self::OwnAgent(ClientId::new(id)),
            None => Self::Class(text.to_owned()),
        }
    }

    /// Whether a class of this name would be read as the own agent of a client.
    pub fn is_ambiguous(class: &str) -> bool {
        class.starts_with(CLIENT_PREFIX)
    }
}

impl fmt::Display for Delegate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(name) => f.write_str(name),
            Self::OwnAgent(id) => write!(f, "{CLIENT_PREFIX}{id}"),
        }
    }
}
