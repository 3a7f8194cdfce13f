//! A world on disk: configuration, keys of all parties, a database, a log, and what went over the wire. The parties
//! are those of the definition; every client has a key, the tickets API too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tempfile::TempDir;

use super::caller::{Caller, Witness};
use super::canary;
use super::database::{Backend, Database};
use super::scan::{Finding, Scanner};
use super::server::{Ended, Server, command};
use crate::definition::{
    DEFINITION, PINNED, UNLIMITED, WORKLOADS, filled, key_clients, replaced, write, write_files,
};
use crate::jose::{Key, fresh_id};
use crate::ports::free_port;

/// The identity provider of a world with pinned keys.
pub const PROVIDER: &str = "https://login.example";
/// The scopes that chains carry; `age_over_18` comes on top.
pub const SCOPES: [&str; 4] = ["tickets:search", "tickets:hold", "tickets:book", "tickets:cancel"];

/// Everything around the processes under test.
pub struct World {
    directory: TempDir,
    database: Database,
    issuer: String,
    provider: String,
    provider_key: Key,
    provider_keys: String,
    workload_key: Key,
    client_keys: BTreeMap<&'static str, Key>,
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
    data_dir: String,
}

impl World {
    /// A world with pinned provider keys and one process's configuration.
    pub async fn new(backend: Backend) -> Self {
        Self::with_provider(backend, PROVIDER, Key::new("provider-1"), PINNED).await
    }

    /// A world whose provider has this issuer and key; `provider_keys` says in its section where its keys are.
    pub async fn with_provider(
        backend: Backend,
        provider: &str,
        provider_key: Key,
        provider_keys: &str,
    ) -> Self {
        let directory = tempfile::Builder::new().prefix("deputy-world-").tempdir().expect("a directory");
        let node = Node::new(directory.path(), 1);
        let mut world = Self {
            issuer: format!("http://127.0.0.1:{}", node.public),
            database: Database::create(backend).await,
            provider: provider.to_owned(),
            provider_key,
            provider_keys: provider_keys.to_owned(),
            workload_key: Key::new("workload-1"),
            client_keys: key_clients()
                .into_iter()
                .chain(["tickets-api"])
                .map(|id| (id, Key::new(id)))
                .collect(),
            witness: Arc::default(),
            nodes: Vec::new(),
            directory,
        };
        let files = [
            ("provider.json".to_owned(), &world.provider_key),
            ("workloads.json".to_owned(), &world.workload_key),
        ];
        let of_clients = world.client_keys.iter().map(|(id, key)| (format!("clients/{id}.json"), key));
        for (name, key) in files.into_iter().chain(of_clients) {
            write(world.directory.path(), &name, key.jwks().to_string());
        }
        write(world.directory.path(), "master.key", fresh_id());
        world.add(node);
        world
    }

    /// A second process of the same issuer on the same database; gives its number, for [`World::start_node`].
    pub fn add_node(&mut self) -> usize {
        let node = Node::new(self.directory.path(), self.nodes.len() + 1);
        self.add(node);
        self.nodes.len() - 1
    }

    fn add(&mut self, node: Node) {
        std::fs::write(&node.config, self.toml(&node)).expect("the configuration");
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

    /// From now on the world's clock is this far ahead of the system's, for callers and the provider;
    /// returns the variable that sets it for a process.
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
        Caller::new(id, &self.issuer, self.client_keys[id].clone(), Arc::clone(&self.witness))
    }

    /// A client that Deputy does not know, by this id.
    pub fn caller_named(&self, id: &str) -> Caller {
        Caller::new(id, &self.issuer, Key::new(id), Arc::clone(&self.witness))
    }

    /// An ID token of a user who signed in a moment ago with phishing-resistant MFA.
    pub fn id_token(&self, user: &str) -> String {
        self.id_token_at(user, self.witness.now())
    }

    /// The same of a user who signed in at `at`.
    pub fn id_token_at(&self, user: &str, at: i64) -> String {
        self.witness.saw(self.provider_key.sign_typed(
            "JWT",
            &json!({
                "iss": self.provider, "sub": user, "aud": "booking-app", "iat": at, "exp": at + 600,
                "auth_time": at, "acr": "phr", "amr": ["pwd", "hwk", "mfa"], "sid": fresh_id(),
                "birthdate": canary("birthdate"), "email": canary("email"), "name": "Not To Be Kept",
            }),
        ))
    }

    /// A workload's token for a fresh instance of the age-verification agent.
    pub fn workload_token(&self) -> String {
        let at = self.witness.now();
        self.witness.saw(self.workload_key.sign_typed(
            "JWT",
            &json!({
                "iss": WORKLOADS, "sub": "age-verification", "aud": self.issuer, "iat": at, "exp": at + 300,
                "instance": fresh_id(), "jti": fresh_id(), "kind": "age",
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

    fn toml(&self, node: &Node) -> String {
        let secret = "authentication = \"client_secret_basic\"\nallow_secret = true\nsecret_file = \"secrets/tickets-api\"";
        let toml = replaced(DEFINITION, secret, "jwks_file = \"clients/tickets-api.json\"\ngrants = []");
        let toml = replaced(&toml, "data_dir = \"data\"", &format!("data_dir = \"{}\"", node.data_dir));
        let toml = filled(
            &toml,
            &[
                ("issuer", &self.issuer),
                ("public", &format!("127.0.0.1:{}", node.public)),
                ("management", &format!("127.0.0.1:{}", node.management)),
                ("provider", &self.provider),
                ("provider_keys", &self.provider_keys),
            ],
        );
        let keys = "[keys]\nmaster_key_file = \"master.key\"\n";
        format!("{toml}\n{keys}{}{UNLIMITED}", self.database.toml())
    }
}

impl Node {
    fn new(directory: &Path, number: usize) -> Self {
        let data_dir = format!("node{number}-data");
        write_files(directory, &data_dir);
        let [public, management] = [free_port(), free_port()];
        Self {
            public,
            management,
            config: directory.join(format!("node{number}.toml")),
            log: directory.join(format!("node{number}.log")),
            data_dir,
        }
    }
}
