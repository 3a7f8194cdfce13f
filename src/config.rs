//! One typed configuration. What is in here was checked at load; nothing inside Deputy checks it again.
//!
//! `config/` reads the TOML file (see `docs/configuration.md`) into these types.

mod access_tokens;
mod assurance;
mod classes;
mod clients;
mod conditions;
mod database;
mod environment;
mod error;
mod form;
mod keys;
mod load;
mod mutual_tls;
mod names;
mod predicates;
mod providers;
mod quotas;
mod raw;
mod reference;
mod secrets;
mod section;
mod server;
mod source;
mod spiffe;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod workloads;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::Issuer;
use crate::registry::{Registry, SubjectForm};
use table::table;

pub use error::ConfigError;
pub use server::MAX_TOKEN_LIFETIME;

/// The whole configuration of one process: one issuer, no tenants.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many configurations this process has had before this one.
    pub generation: u64,
    pub issuer: Issuer,
    /// Whether the issuer is on loopback, as in the sandbox.
    pub is_local: bool,
    pub data_dir: PathBuf,
    pub listen: Listen,
    /// Absent only where public listener and issuer are loopback.
    pub tls: Option<Tls>,
    pub database: Database,
    pub keys: Keys,
    pub tokens: Tokens,
    pub tasks: Tasks,
    pub dpop: Dpop,
    pub registry: Registry,
    pub policy: Policy,
    pub audit: Audit,
    pub limits: Limits,
}

/// The name of the running server's Unix socket in `data_dir`. Its mode is 0600, so that only the operator can open it.
pub const ADMIN_SOCKET: &str = "admin.sock";

impl Config {
    /// The URL of the token endpoint, as clients know it whatever a proxy in front says.
    pub fn token_endpoint(&self) -> String {
        self.endpoint("/token")
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.as_str().trim_end_matches('/'))
    }

    /// The URL of an endpoint at which client certificates are asked for, where that is another than the endpoint itself.
    pub fn mutual_tls_url(&self, path: &str) -> Option<String> {
        self.listen.mtls_url.as_ref().map(|base| format!("{base}{path}"))
    }

    /// Every URL of an endpoint: its own, and the one at which client certificates are asked for.
    pub fn urls_of(&self, path: &str) -> impl Iterator<Item = String> {
        std::iter::once(self.endpoint(path)).chain(self.mutual_tls_url(path))
    }

    /// Whether a client can present a certificate.
    pub fn takes_certificates(&self) -> bool {
        let header = self.tls.as_ref().and_then(|tls| tls.client_certificate_header);
        self.listen.mtls.is_some() || header.is_some()
    }

    /// The path of the running server's Unix socket.
    pub fn admin_socket(&self) -> PathBuf {
        self.data_dir.join(ADMIN_SOCKET)
    }
}

#[derive(Clone, Debug)]
pub struct Listen {
    pub public: SocketAddr,
    pub management: SocketAddr,
    /// The listener that asks for client certificates.
    pub mtls: Option<SocketAddr>,
    /// What stands in place of the issuer in the addresses of the endpoints at which client certificates are asked for
    /// (RFC 8705 §5), without a slash at its end. Absent where these are the same endpoints, or there are none.
    pub mtls_url: Option<String>,
    /// The proxies whose `X-Forwarded-For` and whose header with a client certificate are trusted.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

impl Listen {
    /// Whether this is the address of a listed proxy, also where a socket for both versions shows it in IPv6 form.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

table! {
    /// The server's certificate.
    #[derive(Clone, Debug)]
    pub struct Tls {
        /// The certificate chain in PEM, leaf first.
        #[schemars(required, example = &"tls/deputy.crt")]
        pub certificate_file: PathBuf,
        /// The private key of the certificate, in PEM.
        #[schemars(required, example = &"tls/deputy.key")]
        pub key_file: PathBuf,
        /// The certificates of the authorities that issue the certificates of clients with `tls_client_auth`, in PEM. An
        /// intermediate authority may be among them, and has to be where a proxy makes the handshake, because the proxy
        /// passes the client's own certificate on alone.
        #[schemars(example = &"tls/clients-ca.pem")]
        pub client_ca_file: Option<PathBuf>,
        /// The header in which the proxies of `listen.trusted_proxies` state the client certificate of a handshake that they
        /// made: `client-cert` is `Client-Cert` (RFC 9440), `nginx-escaped` is `X-Client-Cert` with nginx's
        /// `$ssl_client_escaped_cert`. The proxies have to replace this header in all requests. It is ignored in the
        /// requests of others.
        #[schemars(example = &"client-cert", extend("x-default" = "none is read"))]
        pub client_certificate_header: Option<CertificateHeader>,
    }
}

/// How a proxy states the certificate of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateHeader {
    /// As RFC 9440 §2.1 has it.
    ClientCert,
    /// As nginx writes `$ssl_client_escaped_cert`: a PEM with percent-encoding.
    NginxEscaped,
}

impl CertificateHeader {
    /// The name of the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientCert => "client-cert",
            Self::NginxEscaped => "x-client-cert",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// A `postgres://` URL (it may hold a password, so it is never printed) with what TLS needs.
    Postgres(PostgresUrl),
}

/// A PostgreSQL URL that does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// `postgres://user:password@host:port/database?…` with the parameters of the driver only.
    pub url: String,
    /// How the server's identity is verified.
    pub tls: PostgresTls,
}

/// How the identity of the database server is verified (`sslmode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresTls {
    /// `disable`: it is not, and there is no TLS; only for a loopback address or a Unix socket.
    Disabled,
    /// `verify-full`: by a certificate for its host that the CA in this file issued (`sslrootcert`, PEM).
    VerifyFull(Option<PathBuf>),
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("postgres://…")
    }
}

#[derive(Clone, Debug)]
pub struct Keys {
    pub master_key_file: PathBuf,
    pub signing_algorithm: Algorithm,
    /// How long `/jwks` may be cached; a new key waits this long before it signs.
    pub jwks_max_age: Lifetime,
}

#[derive(Clone, Debug)]
pub struct Tokens {
    pub lifetime: Lifetime,
    pub subject: SubjectForm,
}

#[derive(Clone, Debug)]
pub struct Tasks {
    pub max_lifetime: Lifetime,
    /// The most levels of `act`.
    pub max_chain_depth: u8,
    /// As many tasks may one login token begin.
    pub max_per_login: u32,
    /// For so long may a handover be accepted first.
    pub accept_within: Lifetime,
}

/// Proof of possession by DPoP (RFC 9449).
#[derive(Clone, Debug)]
pub struct Dpop {
    pub nonce: DpopNonce,
    /// Allowed for proofs.
    pub algorithms: BTreeSet<Algorithm>,
}

/// Whether DPoP proofs must have a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DpopNonce {
    /// It is not asked for and not looked at.
    Off,
    /// A proof without a current nonce is answered with one.
    Required,
}

table! {
    /// The Cedar policy.
    #[derive(Clone, Debug)]
    pub struct Policy {
        /// A directory of `*.cedar` files, used instead of the built-in set.
        #[schemars(example = &"policy", extend("x-default" = "the built-in set"))]
        pub directory: Option<PathBuf>,
        /// Whether the results of rules that look only at recurring facts are remembered. It changes the cost of a
        /// decision, never the decision.
        pub remember_decisions: bool = true,
    }
}

#[derive(Clone, Debug)]
pub struct Audit {
    pub checkpoint_file: PathBuf,
    pub source: RecordedSource,
}

/// How much of the address of a request is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordedSource {
    /// The whole address.
    Whole,
    /// Its network: /24 of IPv4, /48 of IPv6.
    Network,
    /// Nothing of it.
    None,
}

table! {
    /// The connections that are taken, and the rates above which requests are answered with 429.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limits {
        /// Failed client authentications per client and source. A source as a whole may have ten times as many, because
        /// many clients can share an address. Further failures are answered with 429; a credential that verifies is
        /// accepted all the same.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub failures_per_minute: u32 = 60,
        /// Introspections of unknown tokens per resource server. As many signatures are verified per client of tokens
        /// that are not recorded.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub unknown_tokens_per_minute: u32 = 600,
        /// Audit rows for unauthenticated refusals per source; all sources together get twenty times as many. Above it,
        /// one counted row a second is written.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub unauthenticated_rows_per_minute: u32 = 60,
        /// Connections per source to the public listener at once, and as many to the one for mutual TLS. Further ones are
        /// closed unanswered. The proxies in `listen.trusted_proxies` have no such limit.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub connections_per_source: u32 = 256,
        /// All connections to the public listener at once, and as many to the one for mutual TLS; fewer where the limit of
        /// open files does not allow so many. Further ones wait.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub connections: u32 = 8192,
    }
}
