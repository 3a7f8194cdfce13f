//! The whole file as serde reads it, before anything is checked. Each section's struct is in the file that
//! converts it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::table::table;
use super::{clients, database, predicates, providers, quotas, server, targets, workloads};

table! {
    /// A configuration file.
    pub(super) struct RawConfig {
        /// Deputy's issuer identifier (RFC 8414 §2): the `iss` of its tokens and the base of its endpoints. It is an
        /// `https://` URL without query, fragment and trailing slash; `http://` is accepted only on this machine (`localhost`, `127.0.0.1`, `[::1]`).
        #[schemars(required, example = &"https://deputy.example")]
        pub(super) issuer: Option<String>,
        /// The directory of the admin socket, the master key, the SQLite file and the checkpoint file; mode 0700.
        #[schemars(example = &"/var/lib/deputy")]
        pub(super) data_dir: PathBuf = "data".into(),
        pub(super) listen: server::RawListen,
        #[schemars(extend("x-default" = "none, which is possible only where issuer and listener are loopback"))]
        pub(super) tls: Option<super::Tls>,
        #[schemars(extend("x-default" = "SQLite in `data_dir`"))]
        pub(super) database: database::RawDatabase,
        pub(super) keys: server::RawKeys,
        pub(super) tokens: server::RawTokens,
        pub(super) tasks: server::RawTasks,
        pub(super) dpop: server::RawDpop,
        pub(super) agents: quotas::RawAgents,
        pub(super) identity_provider: Vec<providers::RawProvider>,
        pub(super) workload_issuer: Vec<workloads::RawWorkloadIssuer>,
        pub(super) client: Vec<clients::RawClient>,
        pub(super) predicate: Vec<predicates::RawPredicate>,
        pub(super) target: Vec<targets::RawTarget>,
        #[schemars(extend("x-default" = "the built-in set"))]
        pub(super) policy: super::Policy,
        pub(super) audit: server::RawAudit,
        pub(super) limits: super::Limits,
    }
}

/// A value of the operator's choice, kept with its type.
#[derive(Deserialize)]
pub(super) struct Scalar(pub(super) serde_json::Value);

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer", "boolean"]})
    }
}

/// One text, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrTexts {
    Text(String),
    Texts(Vec<String>),
}

impl TextOrTexts {
    pub(super) fn into_texts(self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Texts(texts) => texts,
        }
    }
}

impl JsonSchema for TextOrTexts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TextOrTexts".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "array"], "items": {"type": "string"}})
    }
}
