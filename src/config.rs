//! One typed configuration. What is in here was checked at load; nothing inside Deputy checks it again.
//!
//! `config/` reads the TOML file (see `docs/configuration.md`) into these types.

mod between;
pub mod check;
mod clients;
mod database;
pub mod development;
pub mod environment;
mod error;
pub mod init;
mod load;
mod locators;
mod names;
mod parties;
mod predicates;
mod providers;
mod raw;
pub mod reference;
mod secrets;
mod server;
mod source;
mod targets;
#[cfg(test)]
mod tests;
mod validation;
mod workloads;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::time::Lifetime;
use crate::oauth::{ClientId, Issuer, Scope, ScopeToken, TargetId};

pub use error::{ConfigError, Problem};
pub use locators::is_literal_loopback;
pub use parties::{
    AgentClass, AgentLifetime, AnswerRule, AssuranceLevel, ClaimCondition, ClaimTest, Client,
    ClientAuthentication, ClientSecret, IdentityProvider, KeySource, LeapDay, Network, Predicate, Question,
    Reach, RelyingParty, ScopeRule, Target, WorkloadIssuer, Zone,
};

/// The whole configuration of one process: one issuer, no tenants.
#[derive(Clone, Debug)]
pub struct Config {
    /// Deputy's issuer identifier (RFC 8414 §2).
    pub issuer: Issuer,
    /// Socket, master key, SQLite file, checkpoint file.
    pub data_dir: PathBuf,
    /// `[listen]`
    pub listen: Listen,
    /// `[tls]`; absent only where public listener and issuer are literal loopback.
    pub tls: Option<Tls>,
    /// `[database]`
    pub database: Database,
    /// `[keys]`
    pub keys: Keys,
    /// `[tokens]`
    pub tokens: Tokens,
    /// `[tasks]`
    pub tasks: Tasks,
    /// `[[identity_provider]]`, by issuer.
    pub identity_providers: BTreeMap<Issuer, Arc<IdentityProvider>>,
    /// `[[workload_issuer]]`, by issuer.
    pub workload_issuers: BTreeMap<Issuer, Arc<WorkloadIssuer>>,
    /// `[[client]]`, by id.
    pub clients: BTreeMap<ClientId, Arc<Client>>,
    /// `[[predicate]]`, by scope.
    pub predicates: BTreeMap<ScopeToken, Arc<Predicate>>,
    /// `[[target]]`, by identifier.
    pub targets: BTreeMap<TargetId, Arc<Target>>,
    /// `[policy]`
    pub policy: Policy,
    /// `[audit]`
    pub audit: Audit,
    /// `[limits]`
    pub limits: Limits,
}

impl Config {
    /// The words of `scope` that some target defines.
    pub fn known_part_of(&self, scope: &Scope) -> Scope {
        let is_known =
            |word: &ScopeToken| self.targets.values().any(|target| target.scopes.contains_key(word));
        let words: Vec<ScopeToken> = scope.tokens().filter_map(ScopeToken::parse).filter(is_known).collect();
        Scope::from_tokens(&words)
    }

    /// The targets that `client` may exchange onward from: those whose `exchange_client` it is.
    pub fn target_of_exchange_client<'a>(
        &'a self,
        client: &'a ClientId,
    ) -> impl Iterator<Item = &'a Arc<Target>> {
        self.targets.values().filter(move |target| target.exchange_client.as_ref() == Some(client))
    }
}

/// `[listen]`
#[derive(Clone, Debug)]
pub struct Listen {
    /// The public listener: token, introspection, revocation, metadata, keys.
    pub public: SocketAddr,
    /// The management listener: health, readiness, metrics.
    pub management: SocketAddr,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// `[tls]`: PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub certificate_file: PathBuf,
    /// Private key.
    pub key_file: PathBuf,
}

/// `[database]`
#[derive(Clone, Debug)]
pub enum Database {
    /// A file; the default is `deputy.db` in `data_dir`.
    Sqlite(PathBuf),
    /// A `postgres://` URL (it may hold a password, so it is never printed) with what TLS needs.
    Postgres(PostgresUrl),
}

/// A PostgreSQL URL that does not print itself.
#[derive(Clone)]
pub struct PostgresUrl {
    /// `postgres://user:password@host:port/database?sslmode=…`
    pub url: String,
    /// A private CA for `sslmode=verify-full` or `verify-ca` (`sslrootcert=`), PEM.
    pub root_certificate_file: Option<PathBuf>,
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("postgres://…")
    }
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). `EdDSA` is the only name for Ed25519.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
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

/// `[keys]`
#[derive(Clone, Debug)]
pub struct Keys {
    /// 32 bytes, mode 0600, made by `deputy init`.
    pub master_key_file: PathBuf,
    /// What Deputy signs with: ES256 or RS256 (EdDSA later).
    pub signing_algorithm: Algorithm,
    /// Cache age of `/jwks`; a new key waits this long before it signs.
    pub jwks_max_age: Lifetime,
}

/// How `sub` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectForm {
    /// The provider's own `sub`.
    Upstream,
    /// `pw_` and a keyed hash of issuer, subject and the target's sector (OIDC Core §8.1).
    Pairwise,
}

/// `[tokens]`
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Life of an access token; 300 s by default.
    pub lifetime: Lifetime,
    /// Default form of `sub`.
    pub subject: SubjectForm,
}

/// `[tasks]`
#[derive(Clone, Debug)]
pub struct Tasks {
    /// 3600 s by default.
    pub max_lifetime: Lifetime,
    /// Levels of `act` at most; 4 by default.
    pub max_chain_depth: u8,
}

/// `[policy]`
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where `*.cedar` files are; `None` means the built-in default set.
    pub directory: Option<PathBuf>,
}

/// `[audit]`
#[derive(Clone, Debug)]
pub struct Audit {
    /// Where signed checkpoints are appended.
    pub checkpoint_file: PathBuf,
}

/// `[limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// Failed client authentications per source and per (source, client), a minute, before 429; 60.
    pub failures_per_minute: u32,
    /// Introspections of unknown tokens per resource server, a minute, before 429; 600.
    pub unknown_tokens_per_minute: u32,
    /// Durable audit rows for unauthenticated refusals per source, a minute; above, one counted row a second; 60.
    pub unauthenticated_rows_per_minute: u32,
}
