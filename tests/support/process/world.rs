//! A world on disk: configuration, keys of all parties, a database, a log, and what went over the wire. The parties
//! are those of the definition; every client has a key, the tickets API too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::{Caller, Witness};
use super::canary;
use super::database::{Backend, Database};
use super::gate::Gate;
use super::scan::{Finding, Scanner};
use super::server::{CLOCK_OFFSET, Ended, Server, command};
use crate::definition::{
    DEFINITION, PINNED, UNLIMITED, WORKLOADS, filled, key_clients, replaced, write, write_files,
};
use crate::jose::{Key, fresh_id};
use crate::ports::free_port;

/// The identity provider of a world with pinned keys.
pub const PROVIDER: &str = "https://login.example";
/// The scopes that chains carry; `age_over_18` comes on top.
pub const SCOPES: [&str; 4] = ["tickets:search", "tickets:hold", "tickets:book", "tickets:cancel"];

/// What may differ between worlds.
pub struct Plan {
    /// The directory in which the world gets one of its own.
    pub within: PathBuf,
    /// `http`, or `https` if `change` adds a certificate.
    pub scheme: &'static str,
    /// The issuer of the provider.
    pub provider: String,
    /// The key of the provider.
    pub provider_key: Key,
    /// What the section of the provider says of its keys.
    pub provider_keys: &'static str,
    /// Changes the definition.
    pub change: fn(String) -> String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            within: std::env::temp_dir(),
            scheme: "http",
            provider: PROVIDER.to_owned(),
            provider_key: Key::new("provider-1"),
            provider_keys: PINNED,
            change: with_a_key_for_the_tickets_api,
        }
    }
}

/// The callers of these tests all authenticate by `private_key_jwt`.
pub fn with_a_key_for_the_tickets_api(toml: String) -> String {
    let secret = "authentication = \"client_secret_basic\"\nallow_secret = true\nsecret_file = \"secrets/tickets-api\"";
    replaced(&toml, secret, "jwks_file = \"clients/tickets-api.json\"\ngrants = []")
}

/// Everything around the processes under test.
pub struct World {
    directory: TempDir,
    database: Database,
    plan: Plan,
    issuer: String,
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
        Self::of(backend, Plan::default()).await
    }

    /// A world as planned.
    pub async fn of(backend: Backend, plan: Plan) -> Self {
        let directory = tempfile::Builder::new().prefix("deputy-world-").tempdir_in(&plan.within);
        let directory = directory.expect("a directory");
        let node = Node::new(directory.path(), 1);
        let mut world = Self {
            issuer: format!("{}://127.0.0.1:{}", plan.scheme, node.public),
            database: Database::create(backend).await,
            plan,
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
        for (name, key) in [("provider", &world.plan.provider_key), ("workloads", &world.workload_key)] {
            write(world.directory.path(), &format!("{name}.json"), key.jwks().to_string());
        }
        for (id, key) in &world.client_keys {
            write(world.directory.path(), &format!("clients/{id}.json"), key.jwks().to_string());
        }
        write(world.directory.path(), "master.key", fresh_id());
        world.add(node);
        world
    }

    /// Runs a statement on the PostgreSQL server, where `%d` is the name of this world's database.
    pub async fn administer(&self, statement: &str) {
        let Database::Postgres(database) = &self.database else { panic!("this world is not on PostgreSQL") };
        database.administer(&statement.replace("%d", database.name())).await;
    }

    /// The URL of this world's database on the PostgreSQL server.
    pub fn database_url(&self) -> String {
        let Database::Postgres(database) = &self.database else { panic!("this world is not on PostgreSQL") };
        database.url()
    }

    /// Has the first process reach its PostgreSQL server through a gate.
    pub async fn behind_a_gate(&self) -> Gate {
        let url = self.database_url();
        let gate = Gate::to(&url).await;
        let toml = std::fs::read_to_string(self.config()).expect("the configuration");
        std::fs::write(self.config(), replaced(&toml, &url, &gate.url(&url))).expect("the configuration");
        gate
    }

    /// Runs a statement on the world's database behind Deputy's back.
    pub async fn sql(&self, statement: &str) {
        match &self.database {
            Database::Sqlite => {
                let file = self.path(&self.nodes[0].data_dir).join("deputy.db");
                let mut connection =
                    SqliteConnection::establish(file.to_str().expect("a path")).expect("the database");
                connection.batch_execute("PRAGMA busy_timeout = 60000").expect("a pragma");
                connection.batch_execute(statement).expect("the statement");
            }
            Database::Postgres(database) => database.run(statement).await,
        }
    }

    /// What a question for one number is answered with, behind Deputy's back.
    pub async fn number(&self, question: &str) -> i64 {
        match &self.database {
            Database::Sqlite => {
                let file = self.path(&self.nodes[0].data_dir).join("deputy.db");
                let mut connection =
                    SqliteConnection::establish(file.to_str().expect("a path")).expect("the database");
                connection.batch_execute("PRAGMA busy_timeout = 60000").expect("a pragma");
                let question = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("({question})"));
                diesel::select(question).get_result(&mut connection).expect("a number")
            }
            Database::Postgres(database) => database.number(question).await,
        }
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

    /// A compact JWS of `claims` by the provider, the workload issuer (`workloads`) or a client.
    pub fn sign(&self, party: &str, claims: &Value) -> String {
        let key = match party {
            "provider" => &self.plan.provider_key,
            "workloads" => &self.workload_key,
            client => &self.client_keys[client],
        };
        key.sign_typed("JWT", claims)
    }

    /// A file of the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From now on the world's clock is this far ahead of the system's, for callers and the provider;
    /// gives the variable that tells it to a process.
    pub fn set_clock_offset(&self, seconds: i64) -> [(&'static str, String); 1] {
        self.witness.clock_offset.store(seconds, Ordering::SeqCst);
        [(CLOCK_OFFSET, seconds.to_string())]
    }

    /// The same for everything: the clock of a PostgreSQL server moves with those of the processes. Those that are
    /// connected already keep to the old one.
    pub async fn set_every_clock(&self, seconds: i64) -> [(&'static str, String); 1] {
        if let Database::Postgres(database) = &self.database {
            database.move_clock(seconds).await;
        }
        self.set_clock_offset(seconds)
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

    /// Runs a verb of the command line against the configuration of this process.
    pub async fn deputy_of(&self, node: usize, arguments: &[&str]) -> Output {
        command(&self.nodes[node].config, arguments, &[]).output().await.expect("deputy can be run")
    }

    /// One of the world's clients.
    pub fn caller(&self, id: &str) -> Caller {
        Caller::new(id, &self.issuer, self.client_keys[id].clone(), Arc::clone(&self.witness))
    }

    /// The issuer of the users.
    pub fn provider(&self) -> String {
        self.plan.provider.clone()
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
        self.witness.saw(self.sign(
            "provider",
            &json!({
                "iss": self.plan.provider, "sub": user, "aud": "booking-app", "iat": at, "exp": at + 600,
                "auth_time": at, "acr": "phr", "amr": ["pwd", "hwk", "mfa"], "sid": fresh_id(),
                "birthdate": canary("birthdate"), "email": canary("email"), "name": "Not To Be Kept",
            }),
        ))
    }

    /// A workload's token for a fresh instance of the age-verification agent.
    pub fn workload_token(&self) -> String {
        self.workload_token_of("age", &fresh_id())
    }

    /// A workload's token for this instance of a kind of agent.
    pub fn workload_token_of(&self, kind: &str, instance: &str) -> String {
        let at = self.witness.now();
        self.witness.saw(self.sign(
            "workloads",
            &json!({
                "iss": WORKLOADS, "sub": format!("{kind}-agent"), "aud": self.issuer, "iat": at, "exp": at + 300,
                "instance": instance, "jti": fresh_id(), "kind": kind,
            }),
        ))
    }

    /// The configuration of the first process.
    pub fn config(&self) -> &Path {
        &self.nodes[0].config
    }

    /// Ends the world: everything it left (database with WAL, logs, audit, checkpoints, answers) is searched
    /// for tokens and canaries; nothing may be found.
    pub async fn finish(self) {
        self.database.dump(&self.path("dump.sql"));
        let answers = self.witness.answers.lock().expect("the witness").clone();
        std::fs::write(self.path("answers.txt"), answers).expect("a file");
        assert_eq!(self.findings(), [], "secrets were left behind");
        self.remove().await;
    }

    /// Ends the world without a search.
    pub async fn remove(self) {
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
        let toml = (self.plan.change)(DEFINITION.to_owned());
        let toml = replaced(&toml, "data_dir = \"data\"", &format!("data_dir = \"{}\"", node.data_dir));
        let toml = filled(
            &toml,
            &[
                ("issuer", &self.issuer),
                ("public", &format!("127.0.0.1:{}", node.public)),
                ("management", &format!("127.0.0.1:{}", node.management)),
                ("provider", &self.plan.provider),
                ("provider_keys", self.plan.provider_keys),
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
