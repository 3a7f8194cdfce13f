//! The process world of the tests, on a disk and with TLS where that is measured.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls;

use super::definition::{TLS, certify, replaced};
use super::process_support::{Backend, Plan, Server, World as ProcessWorld};

/// Everything around the process that is measured.
pub struct World {
    inner: ProcessWorld,
    /// Where Deputy listens.
    pub address: SocketAddr,
    /// How to speak TLS with it, if it does.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// One word for a database.
pub const fn word(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

/// The application with a secret also books and has agent B work for it, and instances of the task class also act for
/// the assistant.
fn of_the_benchmark(toml: String) -> String {
    let app = "scopes = [\"tickets:search\", \"files.read\"]\ntargets = [\"tickets\", ";
    let books = "scopes = [\"tickets:search\", \"tickets:book\", \"files.read\"]\ntargets = [\"tickets\", \"agent-b\", ";
    let toml = replaced(&toml, app, books);
    let class = "clients = [\"age-agent\"]\nscopes = [";
    let toml =
        replaced(&toml, class, "clients = [\"age-agent\", \"assistant\"]\nscopes = [\"tickets:search\", ");
    for_agents_without_a_user(for_handovers(toml))
}

/// The application with a secret may hand over to couriers.
fn for_handovers(toml: String) -> String {
    let app = "[[client]]\nid = \"basic-app\"\n";
    replaced(&toml, app, &format!("{app}delegates_to = [\"courier\"]\n"))
}

/// Couriers get tokens about themselves, for searches that need no user.
fn for_agents_without_a_user(toml: String) -> String {
    let client = "[[client]]\nid = \"couriers\"\n";
    let grants = "grants = [\"urn:ietf:params:oauth:grant-type:token-exchange\", \"client_credentials\"]\n";
    let toml = replaced(&toml, client, &format!("{client}{grants}"));
    let target = "[[target]]\nidentifier = \"tickets\"\nscopes = { \"tickets:search\" = {}";
    let subjects = target.replace("= {}", "= { subjects = [\"user\", \"agent\"] }");
    replaced(&toml, target, &subjects)
}

impl World {
    /// Writes everything that a server needs.
    pub async fn new(directory: &Path, backend: Backend, is_tls: bool) -> Self {
        let mut plan = Plan { within: directory.to_owned(), change: of_the_benchmark, ..Plan::default() };
        if is_tls {
            plan.scheme = "https";
            plan.change = |toml| of_the_benchmark(toml) + TLS;
        }
        let inner = ProcessWorld::of(backend, plan).await;
        let address = url::Url::parse(inner.issuer()).unwrap().socket_addrs(|| None).unwrap()[0];
        let tls = is_tls.then(|| trusting(certify(&inner.path(""))));
        Self { inner, address, tls }
    }

    /// Starts the process.
    pub async fn start(&self) -> Server {
        self.inner.start().await
    }

    /// Deputy's issuer.
    pub fn issuer(&self) -> &str {
        self.inner.issuer()
    }

    /// A compact JWS by one of the parties.
    pub fn sign(&self, party: &str, claims: &Value) -> String {
        self.inner.sign(party, claims)
    }

    /// Removes it all.
    pub async fn remove(self) {
        self.inner.remove().await;
    }
}

/// A TLS client that trusts this certificate alone.
fn trusting(certificate: Vec<u8>) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
