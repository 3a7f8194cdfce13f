//! Why a verb did not do what was asked, and the exit code it ends with.

use std::fmt;

use serde_json::{Map, Value};

/// Why a verb did not do what was asked. Never holds a token or a secret.
#[derive(Debug)]
pub enum CliError {
    /// It was tried and failed: exit 1.
    Failed(String),
    /// What failed was printed already: exit 1.
    Reported,
    /// It was asked for in a way that makes no sense: exit 2, as clap does.
    Usage(String),
    /// What it is about does not exist: exit 3.
    NotFound(String),
    /// Policy refuses it: exit 4.
    Refused(String),
    /// No server answers: exit 5.
    Unreachable(String),
    /// A server said why not. `--json` prints the members of what it said.
    Answered {
        /// What it means for the verb, with its exit code.
        error: Box<CliError>,
        members: Map<String, Value>,
    },
}

impl CliError {
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Reported => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
            Self::Unreachable(_) => 5,
            Self::Answered { error, .. } => error.exit_code(),
        }
    }

    /// The word for it in JSON.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) | Self::Reported => "failed",
            Self::Usage(_) => "usage",
            Self::NotFound(_) => "not_found",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Answered { error, .. } => error.word(),
        }
    }

    /// Adds what the server said, if that is a JSON object.
    pub(super) fn answered(self, body: &Value) -> Self {
        match body {
            Value::Object(members) => Self::Answered { error: Box::new(self), members: members.clone() },
            _ => self,
        }
    }

    /// The error as JSON: a word, a sentence, and what a server said itself, whose words replace those.
    pub(super) fn to_json(&self) -> Value {
        let mut json = Map::new();
        json.insert("error".to_owned(), self.word().into());
        json.insert("error_description".to_owned(), self.to_string().into());
        if let Self::Answered { members, .. } = self {
            json.extend(members.clone());
        }
        Value::Object(json)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text)
            | Self::Usage(text)
            | Self::NotFound(text)
            | Self::Refused(text)
            | Self::Unreachable(text) => f.write_str(text),
            Self::Reported => f.write_str("failed"),
            Self::Answered { error, .. } => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for CliError {}
