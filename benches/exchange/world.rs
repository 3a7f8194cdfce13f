//! A world on disk: configuration, keys of all parties, a database.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio_rustls::rustls;

use super::jose::{Key, fresh_id};

/// The identity provider, whose keys are pinned.
pub const PROVIDER: &str = "https://login.example";
/// The workload issuer, whose keys are pinned.
pub const WORKLOADS: &str = "https://workloads.example";
/// The secret of the two clients that have one.
pub const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJK";

/// Which database.
#[derive(Clone)]
pub enum Database {
    /// A file in the world.
    Sqlite,
    /// A database made for the world on the server of this URL.
    Postgres(String),
}

impl Database {
    /// One word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// Everything around the process that is measured.
pub struct World {
    directory: tempfile::TempDir,
    database: Database,
    database_name: String,
    /// Deputy's issuer.
    pub issuer: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// How to speak TLS with it, if it does.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Keys of provider, workload issuer and clients, by name.
    pub keys: BTreeMap<&'static str, Key>,
}

impl World {
    /// Writes everything that a server needs.
    pub async fn new(directory: &Path, database: Database, is_tls: bool) -> Self {
        let directory = tempfile::Builder::new().prefix("deputy-bench-").tempdir_in(directory).unwrap();
        let [address, management] = free_addresses();
        let scheme = if is_tls { "https" } else { "http" };
        let mut world = Self {
            database,
            database_name: format!("bench_{}", fresh_id()),
            issuer: format!("{scheme}://{address}"),
            address,
            tls: None,
            keys: ["provider", "workloads", "assistant", "booking"]
                .into_iter()
                .map(|name| (name, Key::new(name)))
                .collect(),
            directory,
        };
        std::fs::DirBuilder::new().mode(0o700).create(world.path("data")).unwrap();
        for (name, key) in &world.keys {
            world.write(&format!("{name}.jwks.json"), key.jwks().to_string().as_bytes());
        }
        world.write("master.key", fresh_id().as_bytes());
        world.write("secret", SECRET.as_bytes());
        let mut tls = String::new();
        if is_tls {
            world.tls = Some(world.certify());
            tls = "[tls]\ncertificate_file = \"certificate.pem\"\nkey_file = \"key.pem\"\n".to_owned();
        }
        let mut database = String::new();
        if let Database::Postgres(server) = &world.database {
            administer(server, &format!("CREATE DATABASE {}", world.database_name)).await;
            let (base, options) = server.split_once('?').unwrap_or((server, ""));
            let base = base.rsplit_once('/').expect("a database in the URL").0;
            database = format!("[database]\nurl = \"{base}/{}?{options}\"\n", world.database_name);
        }
        let toml = CONFIGURATION
            .replace("@issuer@", &world.issuer)
            .replace("@public@", &address.to_string())
            .replace("@management@", &management.to_string())
            .replace("@tls@", &tls)
            .replace("@database@", &database);
        world.write("deputy.toml", toml.as_bytes());
        world
    }

    /// A file of the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(self.path(name)).unwrap().write_all(bytes).unwrap();
    }

    /// A certificate for this world, and a client that trusts it alone.
    fn certify(&self) -> Arc<rustls::ClientConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        self.write("certificate.pem", certificate.pem().as_bytes());
        self.write("key.pem", key.serialize_pem().as_bytes());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A compact JWS by one of the parties.
    pub fn sign(&self, party: &str, claims: &Value) -> String {
        self.keys[party].sign_typed("JWT", claims)
    }

    /// Removes the database; the directory goes with the value.
    pub async fn remove(&self) {
        if let Database::Postgres(server) = &self.database {
            administer(server, &format!("DROP DATABASE {} WITH (FORCE)", self.database_name)).await;
        }
    }
}

async fn administer(server: &str, statement: &str) {
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.expect("the PostgreSQL server");
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.expect("the statement");
    drop(client);
    driver.await.unwrap().unwrap();
}

fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

const CONFIGURATION: &str = r#"issuer = "@issuer@"
data_dir = "data"
[listen]
public = "@public@"
management = "@management@"
@tls@
@database@
[keys]
master_key_file = "master.key"
[tokens]
subject = "pairwise"

[[identity_provider]]
issuer = "https://login.example"
algorithms = ["ES256"]
jwks_file = "provider.jwks.json"
[[identity_provider.relying_party]]
client_id = "travel-app"
clients = ["backend", "assistant"]
[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{ claim = "acr", in = ["phr", "phrh"] }]

[[workload_issuer]]
issuer = "https://workloads.example"
jwks_file = "workloads.jwks.json"
algorithms = ["ES256"]
stable_id_claim = "sub"
instance_id_claim = "instance"
[[workload_issuer.class]]
name = "planner"
when = { claim = "kind", equals = "planner" }
lifetime = "principal"
clients = ["assistant"]
scopes = ["tickets:search", "tickets:book"]
targets = ["tickets", "booking"]
[[workload_issuer.class]]
name = "instance"
when = { claim = "kind", equals = "instance" }
lifetime = "task"
clients = ["assistant"]
scopes = ["tickets:search", "tickets:book"]
targets = ["tickets", "booking"]

[[client]]
id = "backend"
authentication = "client_secret_basic"
allow_secret = true
may_act_as_agent = true
secret_file = "secret"
scopes = ["tickets:search", "tickets:book"]
targets = ["tickets", "booking"]
[[client]]
id = "assistant"
jwks_file = "assistant.jwks.json"
scopes = ["tickets:search", "tickets:book"]
targets = ["tickets", "booking"]
[[client]]
id = "booking"
jwks_file = "booking.jwks.json"
scopes = ["tickets:search", "tickets:book"]
targets = ["tickets"]
[[client]]
id = "tickets-api"
authentication = "client_secret_basic"
allow_secret = true
secret_file = "secret"
grants = []

[[target]]
identifier = "tickets"
scopes = { "tickets:search" = {}, "tickets:book" = { assurance = "phishing_resistant", max_age_seconds = 3600 } }
resource_server = "tickets-api"
[[target]]
identifier = "booking"
scopes = { "tickets:search" = {}, "tickets:book" = {} }
resource_server = "tickets-api"
exchange_client = "booking"
onward = ["tickets"]
"#;
