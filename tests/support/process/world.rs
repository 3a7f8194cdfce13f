//! A world on disk: configuration, keys of all parties, a database, a log, and what went over the wire.
//!
//! The user signs in at `https://login.example`. The assistant (agent A) hands work to agents B, C and D,
//! each the exchange client of its own target; an age-verification agent proves itself with a token of
//! `https://workloads.example`. The tickets API's client introspects the tokens of every target.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::{Caller, Witness};
use super::canary;
use super::database::{Backend, Database};
use super::jose::{Key, fresh_id};
use super::scan::{Finding, Scanner};
use super::server::{Ended, Server, command};
use crate::ports::free_port;

/// The identity provider of a world with pinned keys.
pub const PROVIDER: &str = "https://login.example";
const WORKLOADS: &str = "https://workloads.example";
const CLIENTS: [&str; 7] =
    ["assistant", "agent-b", "agent-c", "agent-d", "age-service", "stranger", "tickets-api"];

/// The scopes that chains carry; `age_over_18` comes on top.
pub const SCOPES: [&str; 4] = ["tickets:search", "tickets:hold", "tickets:book", "tickets:cancel"];

/// Everything around the processes under test.
pub struct World {
    directory: TempDir,
    database: Database,
    issuer: String,
    provider: String,
    provider_key: Key,
    workload_key: Key,
    client_keys: BTreeMap<&'static str, Arc<Key>>,
    /// What went over the wire.
    pub witness: Arc<Witness>,
    nodes: Vec<Node>,
}

/// Where one process of the world listens and what it reads.
struct Node {
    public: u16,
    management: u16,
    config: PathBuf,
    log: PathBuf,
}

impl World {
    /// A world with pinned provider keys and one process's configuration.
    pub async fn new(backend: Backend) -> Self {
        Self::with_provider(
            backend,
            PROVIDER,
            Key::generate("provider-1"),
            "jwks_file = \"provider.jwks.json\"\n",
        )
        .await
    }

    /// A world whose provider has this issuer and key; `keys_from` is added to its section.
    pub async fn with_provider(backend: Backend, provider: &str, provider_key: Key, keys_from: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("deputy-world-").tempdir().expect("a directory");
        let node = Node::new(directory.path(), 1);
        let mut world = Self {
            issuer: format!("http://127.0.0.1:{}", node.public),
            database: Database::create(backend).await,
            provider: provider.to_owned(),
            provider_key,
            workload_key: Key::generate("workload-1"),
            client_keys: CLIENTS.into_iter().map(|id| (id, Arc::new(Key::generate(id)))).collect(),
            witness: Arc::default(),
            nodes: Vec::new(),
            directory,
        };
        world.write_json("provider.jwks.json", &world.provider_key.jwks());
        world.write_json("workloads.jwks.json", &world.workload_key.jwks());
        for (id, key) in &world.client_keys {
            world.write_json(&format!("{id}.jwks.json"), &key.jwks());
        }
        world.write_master_key();
        world.add(node, keys_from);
        world
    }

    /// A second process of the same issuer on the same database; gives its number, for [`World::start_node`].
    pub fn add_node(&mut self) -> usize {
        let node = Node::new(self.directory.path(), self.nodes.len() + 1);
        self.add(node, "jwks_file = \"provider.jwks.json\"\n");
        self.nodes.len() - 1
    }

    fn add(&mut self, node: Node, keys_from: &str) {
        let name = node.config.file_stem().expect("a name").to_string_lossy().into_owned();
        let toml = self.toml(&node, &name, keys_from);
        std::fs::write(&node.config, toml).expect("the configuration");
        self.nodes.push(node);
    }

    /// Deputy's issuer: what a task token is addressed to.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A file of the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_json(&self, name: &str, value: &Value) {
        std::fs::write(self.path(name), value.to_string()).expect("a file");
    }

    fn write_master_key(&self) {
        use std::io::Write as _;
        let path = self.path("master.key");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .expect("the master key");
        let bytes: Vec<u8> = fresh_id().into_bytes();
        file.write_all(&bytes).expect("the master key");
    }

    /// From now on the world's clock is this far ahead of the system's, for callers and the provider;
    /// gives the variable that tells it to a process.
    pub fn set_clock_offset(&self, seconds: i64) -> [(&'static str, String); 1] {
        self.witness.clock_offset.store(seconds, Ordering::SeqCst);
        [("DEPUTY_TEST_CLOCK_OFFSET_SECONDS", seconds.to_string())]
    }

    /// Starts the first process.
    pub async fn start(&self) -> Server {
        self.start_node(0, &[]).await.expect("a start")
    }

    /// Starts a process with further environment variables.
    ///
    /// # Errors
    /// [`Ended`] if it does not come to serve.
    pub async fn start_node(&self, node: usize, variables: &[(&str, String)]) -> Result<Server, Ended> {
        let node = &self.nodes[node];
        let at = |port| format!("http://127.0.0.1:{port}");
        Server::start(&node.config, &node.log, at(node.public), at(node.management), variables).await
    }

    /// Runs a verb of the command line against the first process's configuration.
    pub async fn deputy(&self, arguments: &[&str]) -> Output {
        self.deputy_with(arguments, &[]).await
    }

    /// The same with further environment variables.
    pub async fn deputy_with(&self, arguments: &[&str], variables: &[(&str, String)]) -> Output {
        command(&self.nodes[0].config, arguments, variables).output().await.expect("deputy can be run")
    }

    /// One of the world's clients.
    pub fn caller(&self, id: &str) -> Caller {
        Caller::new(id, &self.issuer, Arc::clone(&self.client_keys[id]), Arc::clone(&self.witness))
    }

    /// A client that Deputy does not know, by this id.
    pub fn caller_named(&self, id: &str) -> Caller {
        Caller::new(id, &self.issuer, Arc::new(Key::generate(id)), Arc::clone(&self.witness))
    }

    /// An ID token of a user who signed in a moment ago with phishing-resistant MFA.
    pub fn id_token(&self, user: &str) -> String {
        self.id_token_at(user, self.witness.now())
    }

    /// The same of a user who signed in at `at`.
    pub fn id_token_at(&self, user: &str, at: i64) -> String {
        self.witness.saw(self.provider_key.sign(
            "JWT",
            &json!({
                "iss": self.provider, "sub": user, "aud": "travel-app", "iat": at, "exp": at + 600,
                "auth_time": at, "acr": "phr", "amr": ["pwd", "hwk", "mfa"], "sid": fresh_id(),
                "birthdate": canary("birthdate"), "email": canary("email"), "name": "Not To Be Kept",
            }),
        ))
    }

    /// A workload's token for a fresh instance of the age-verification agent.
    pub fn workload_token(&self) -> String {
        let at = self.witness.now();
        self.witness.saw(self.workload_key.sign(
            "JWT",
            &json!({
                "iss": WORKLOADS, "sub": "age-verification", "aud": self.issuer, "iat": at, "exp": at + 300,
                "instance": fresh_id(), "jti": fresh_id(), "role": "verification",
            }),
        ))
    }

    /// Ends the world: everything it left (database with WAL, logs, audit, checkpoints, answers) is searched
    /// for tokens and canaries; nothing may be found.
    pub async fn finish(self) {
        self.database.dump(&self.path("dump.sql"));
        let answers = self.witness.answers.lock().expect("the witness").clone();
        std::fs::write(self.path("answers.txt"), answers).expect("a file");
        assert_eq!(self.findings(), [], "secrets were left behind");
        if let Database::Postgres(database) = &self.database {
            database.drop_it().await;
        }
    }

    /// Secrets found in the world's files.
    pub fn findings(&self) -> Vec<Finding> {
        let mut scanner = Scanner::default();
        scanner.add("the canary birthdate", canary("birthdate"));
        scanner.add("the canary e-mail", canary("email"));
        for (number, secret) in self.witness.secrets.lock().expect("the witness").iter().enumerate() {
            scanner.add(&format!("token {number}"), secret);
        }
        scanner.search_directory(self.directory.path())
    }

    fn toml(&self, node: &Node, name: &str, keys_from: &str) -> String {
        let mut toml = format!(
            r#"issuer = "{issuer}"
data_dir = "{name}-data"
[listen]
public = "127.0.0.1:{public}"
management = "127.0.0.1:{management}"
{database}
[keys]
master_key_file = "master.key"
[tokens]
subject = "pairwise"
[limits]
failures_per_minute = 100000
unknown_tokens_per_minute = 100000
[[identity_provider]]
issuer = "{provider}"
algorithms = ["ES256"]
{keys_from}
[[identity_provider.relying_party]]
client_id = "travel-app"
clients = ["assistant"]
[[identity_provider.assurance]]
name = "phishing_resistant"
any_of = [{{ claim = "acr", in = ["phr", "phrh"] }}]
[[workload_issuer]]
issuer = "{WORKLOADS}"
jwks_file = "workloads.jwks.json"
algorithms = ["ES256"]
instance_id_claim = "instance"
[[workload_issuer.class]]
name = "verification"
when = {{ claim = "role", equals = "verification" }}
lifetime = "task"
clients = ["age-service"]
scopes = ["age_over_18"]
targets = ["tickets"]
answers = ["age_over_18"]
[[predicate]]
scope = "age_over_18"
claim = "birthdate"
at_least_years = 18
"#,
            issuer = self.issuer,
            public = node.public,
            management = node.management,
            database = self.database.toml(),
            provider = self.provider,
        );
        for (id, scopes, targets) in [
            ("assistant", true, "\"tickets\", \"agent-b\", \"age-agent\""),
            ("agent-b", true, "\"tickets\", \"agent-c\", \"agent-d\""),
            ("agent-c", true, "\"tickets\", \"agent-d\""),
            ("agent-d", true, "\"tickets\""),
            ("age-service", true, "\"tickets\""),
            ("stranger", true, "\"tickets\", \"agent-b\", \"agent-c\", \"agent-d\", \"age-agent\""),
            ("tickets-api", false, ""),
        ] {
            let rights = if scopes {
                format!("scopes = [{}, \"age_over_18\"]\ntargets = [{targets}]\n", quoted(&SCOPES))
            } else {
                "grants = []\n".to_owned()
            };
            toml.push_str(&format!("[[client]]\nid = \"{id}\"\njwks_file = \"{id}.jwks.json\"\n{rights}"));
        }
        let all: String = SCOPES.map(|scope| format!("\"{scope}\" = {{}}, ")).concat();
        for (id, exchange_client, onward) in [
            ("agent-b", "agent-b", "\"agent-c\", \"agent-d\", \"tickets\""),
            ("agent-c", "agent-c", "\"agent-d\", \"tickets\""),
            ("agent-d", "agent-d", "\"tickets\""),
        ] {
            toml.push_str(&format!(
                "[[target]]\nidentifier = \"{id}\"\nscopes = {{ {} }}\nresource_server = \"tickets-api\"\n\
                 exchange_client = \"{exchange_client}\"\nonward = [{onward}]\n",
                all.trim_end_matches(", "),
            ));
        }
        toml.push_str(&format!(
            "[[target]]\nidentifier = \"age-agent\"\nscopes = {{ age_over_18 = {{}} }}\nresource_server = \"tickets-api\"\n\
             exchange_client = \"age-service\"\nonward = [\"tickets\"]\n\
             [[target]]\nidentifier = \"tickets\"\nscopes = {{ {all}age_over_18 = {{}} }}\n\
             answers = {{ age_over_18 = {{}} }}\nresource_server = \"tickets-api\"\n",
        ));
        toml
    }
}

impl Node {
    fn new(directory: &Path, number: usize) -> Self {
        let name = format!("node{number}");
        let data_dir = directory.join(format!("{name}-data"));
        std::fs::DirBuilder::new().mode(0o700).create(data_dir).expect("a directory");
        let [public, management] = [free_port(), free_port()];
        Self {
            public,
            management,
            config: directory.join(format!("{name}.toml")),
            log: directory.join(format!("{name}.log")),
        }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
