//! One typed configuration. What is in here was checked at load; nothing inside Deputy checks it again.
//!
//! `config/` reads the TOML file (see `docs/configuration.md`) into these types.

mod between;
mod clients;
mod database;
pub mod environment;
mod error;
mod load;
mod locators;
mod names;
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

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::{Registry, SubjectForm};

pub use locators::is_literal_loopback;

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
    /// Every registered party.
    pub registry: Registry,
    /// `[policy]`
    pub policy: Policy,
    /// `[audit]`
    pub audit: Audit,
    /// `[limits]`
    pub limits: Limits,
}

impl Config {
    /// Whether Deputy itself is served on literal loopback, as in the sandbox. Only then is anything fetched by
    /// plain HTTP.
    pub fn is_on_loopback(&self) -> bool {
        Url::parse(self.issuer.as_str()).is_ok_and(|issuer| is_literal_loopback(&issuer))
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
    /// `postgres://user:password@host:port/database?…` with the parameters of the driver only.
    pub url: String,
    /// How the server is known.
    pub tls: PostgresTls,
}

/// How the database server is known (`sslmode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// `disable`: not at all; only for a loopback address or a Unix socket.
    Disabled,
    /// `verify-full`: by a certificate for its host from the CA of this file (`sslrootcert`, PEM).
    VerifyFull(Option<PathBuf>),
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("postgres://…")
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
    /// Whether the results of rules about lasting facts are remembered. It changes the cost of a decision, and never
    /// the decision.
    pub remember_decisions: bool,
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
