//! The file as serde reads it, before anything is checked. Keys are described in `reference`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{clients, database, predicates, providers, server, targets, workloads};

/// The whole file. Everything is optional here: what is missing is reported with its place, by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) issuer: Option<String>,
    pub(super) data_dir: Option<String>,
    pub(super) listen: server::RawListen,
    pub(super) tls: Option<server::RawTls>,
    pub(super) database: database::RawDatabase,
    pub(super) keys: server::RawKeys,
    pub(super) tokens: server::RawTokens,
    pub(super) tasks: server::RawTasks,
    pub(super) identity_provider: Vec<providers::RawProvider>,
    pub(super) workload_issuer: Vec<workloads::RawWorkloadIssuer>,
    pub(super) client: Vec<clients::RawClient>,
    pub(super) predicate: Vec<predicates::RawPredicate>,
    pub(super) target: Vec<targets::RawTarget>,
    pub(super) policy: server::RawPolicy,
    pub(super) audit: server::RawAudit,
    pub(super) limits: server::RawLimits,
}

/// A value of the operator's choice, kept with its type.
pub(super) fn json(value: &toml::Value) -> Option<serde_json::Value> {
    match value {
        toml::Value::String(text) => Some(text.clone().into()),
        toml::Value::Integer(number) => Some((*number).into()),
        toml::Value::Boolean(flag) => Some((*flag).into()),
        _ => None,
    }
}

/// A table from names to tables.
pub(super) type RawMap<T> = BTreeMap<String, T>;
