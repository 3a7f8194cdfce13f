//! A valid world: a configuration, a database, a user, agents, and entries as the token endpoint makes them.

mod configuration;
mod database;
mod entries;
mod hold;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use diesel::connection::SimpleConnection as _;
use tempfile::TempDir;
use uuid::Uuid;

use self::configuration::configuration;
use self::database::{TestDatabase, administer, clock_of, count, count_sqlite, plan_sqlite, run, show};
use crate::audit::{Event, Requester, RevocationEvent, TaskEndEvent, Told, What};
use crate::base::entropy::{Entropy, SystemEntropy, uuid_v7};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{self, Config, PostgresTls, PostgresUrl};
use crate::decision::{Ends, Report, Revocation};
use crate::delegation::record::{Agent, Behind, Delegation, EndReason, Lineage, SignedIn, live};
use crate::delegation::stops::{StopNumber, Stoppable};
use crate::keys::NodeSecrets;
use crate::oauth::{ClientId, Issuer, OneTime, SubjectRef, TaskId, TokenFault};
use crate::store::entry::{Change, Control, Entry, KeyRow, Recorded, Whom};
use crate::store::{Opening, Store, StoreError, sqlite};
use crate::testing::doubles::SeededEntropy;
pub(crate) use entries::{MAX_PER_LOGIN, SESSION, SignIn};
pub(crate) use hold::Hold;

/// When the stories begin.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const KID: &str = "key-1";
/// After this many seconds nothing that is over is kept.
pub(crate) const END_OF_RETENTION: u32 = 90_000 + 1;

/// The world of one test.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) config: Config,
    secrets: NodeSecrets,
    database: Option<TestDatabase>,
    entropy: SeededEntropy,
    now: AtomicI64,
    counter: AtomicU64,
}

impl World {
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("deputy.db");
        Self::with(directory, config::Database::Sqlite(file), None)
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(admin) = std::env::var("DEPUTY_TEST_POSTGRES_URL") else {
            let is_left_out = std::env::var("DEPUTY_TEST_WITHOUT_POSTGRES").is_ok_and(|is| is == "1");
            assert!(
                is_left_out,
                "DEPUTY_TEST_POSTGRES_URL is not set; to leave PostgreSQL out, set \
                                  DEPUTY_TEST_WITHOUT_POSTGRES=1"
            );
            eprintln!("left out: PostgreSQL (DEPUTY_TEST_WITHOUT_POSTGRES=1)");
            return None;
        };
        let mut random = [0; 8];
        SystemEntropy::default().fill(&mut random).unwrap();
        let name = format!("deputy_test_{:016x}", u64::from_be_bytes(random));
        administer(&admin, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&admin).unwrap();
        url.set_path(&name);
        url.set_query(None);
        let url = PostgresUrl { url: url.to_string(), tls: PostgresTls::Disabled };
        let database = config::Database::Postgres(url.clone());
        run(&url.url, &clock_of(&name)).await.unwrap();
        Some(Self::with(TempDir::new().unwrap(), database, Some(TestDatabase { admin, name })))
    }

    fn with(directory: TempDir, database: config::Database, owned: Option<TestDatabase>) -> Self {
        let config = configuration(directory.path().join("node-1"), database);
        let master = directory.path().join("master.key");
        NodeSecrets::create(&master, &SystemEntropy::default()).unwrap();
        let secrets = NodeSecrets::load(&master).unwrap();
        Self {
            directory,
            config,
            secrets,
            database: owned,
            entropy: SeededEntropy::new(7),
            now: AtomicI64::new(START.millis()),
            counter: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// The store of this node, with a key that may sign.
    pub(crate) async fn open(&self) -> Store {
        let store = self.reopen().await;
        self.control(&store, Control::AddFirstKey(Box::new(self.key()))).await;
        store
    }

    /// The store of this node as it is found.
    pub(crate) async fn reopen(&self) -> Store {
        self.open_as(&self.config).await.unwrap()
    }

    pub(crate) async fn open_as(&self, config: &Config) -> Result<Store, StoreError> {
        let entropy = SystemEntropy::default();
        Store::open(Opening { config, secrets: &self.secrets, entropy: &entropy }).await
    }

    /// Another node on the same PostgreSQL.
    pub(crate) fn second_node(&self) -> Config {
        configuration(self.directory.path().join("node-2"), self.config.database.clone())
    }

    /// Changes the database behind the store's back. `%d` is the PostgreSQL database's name.
    pub(crate) async fn tamper_all(&self, statements: &str) {
        self.try_tamper(statements).await.unwrap();
    }

    /// The same, where the database may refuse it.
    pub(crate) async fn try_tamper(&self, statements: &str) -> Result<(), String> {
        match (&self.config.database, &self.database) {
            (config::Database::Sqlite(path), _) => {
                let mut connection = sqlite::connect(path, sqlite::Use::Write).unwrap();
                connection.batch_execute(statements).map_err(|error| error.to_string())
            }
            (config::Database::Postgres(url), Some(database)) => {
                run(&url.url, &statements.replace("%d", &database.name)).await
            }
            _ => panic!("no database"),
        }
    }

    /// How many rows of a table there are for which this holds.
    pub(crate) async fn count(&self, table: &str, which: &str) -> u64 {
        let question = format!("SELECT count(*) FROM {table} WHERE {which}");
        match &self.config.database {
            config::Database::Sqlite(path) => count_sqlite(path, &question),
            config::Database::Postgres(url) => count(&url.url, &question).await,
        }
    }

    /// How the database carries out a query, as text.
    pub(crate) async fn plan_of(&self, query: &str) -> String {
        match &self.config.database {
            config::Database::Sqlite(path) => plan_sqlite(path, query),
            config::Database::Postgres(_) => {
                let rows = self.connect().await.query(&format!("EXPLAIN {query}"), &[]).await.unwrap();
                rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// The database as messages name it: the file, or the PostgreSQL database.
    pub(crate) fn database_name(&self) -> String {
        match (&self.config.database, &self.database) {
            (config::Database::Sqlite(path), _) => path.display().to_string(),
            (config::Database::Postgres(_), Some(database)) => database.name.clone(),
            (config::Database::Postgres(_), None) => panic!("no database"),
        }
    }

    /// Host and port of the PostgreSQL server.
    pub(crate) fn postgres_address(&self) -> String {
        let config::Database::Postgres(url) = &self.config.database else { panic!("no PostgreSQL") };
        let url = url::Url::parse(&url.url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))
    }

    /// Connects to PostgreSQL through this port of this machine.
    pub(crate) fn connect_through(&mut self, port: u16) {
        let config::Database::Postgres(url) = &mut self.config.database else { panic!("no PostgreSQL") };
        let mut changed = url::Url::parse(&url.url).unwrap();
        changed.set_host(Some("127.0.0.1")).unwrap();
        changed.set_port(Some(port)).unwrap();
        url.url = changed.into();
    }

    /// A connection of its own to PostgreSQL.
    pub(crate) async fn connect(&self) -> tokio_postgres::Client {
        let config::Database::Postgres(url) = &self.config.database else { panic!("no PostgreSQL") };
        let (client, connection) = tokio_postgres::connect(&url.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Holds a lock in PostgreSQL until what is given back is dropped.
    pub(crate) async fn hold_lock(&self, statement: &str) -> tokio_postgres::Client {
        let client = self.connect().await;
        client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
        client
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    /// Moves every clock of the world: that of the nodes, and that of the database server.
    pub(crate) async fn advance(&self, seconds: u32) {
        self.now.fetch_add(Lifetime::from_seconds(seconds).millis(), Ordering::SeqCst);
        if self.is_postgres() {
            self.tamper_all(&show(self.now())).await;
        }
    }

    /// Sets every clock of the world to this time.
    pub(crate) async fn set_back(&self, to: Timestamp) {
        self.now.store(to.millis(), Ordering::SeqCst);
        self.advance(0).await;
    }

    pub(crate) fn id(&self) -> Uuid {
        uuid_v7(&self.entropy, self.now()).unwrap()
    }

    pub(crate) fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// Something never seen before.
    pub(crate) fn fresh_hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.next().to_be_bytes());
        hash[8] = 1;
        hash
    }

    pub(crate) fn key(&self) -> KeyRow {
        KeyRow {
            kid: KID.to_owned(),
            algorithm: "ES256".to_owned(),
            public_jwk: "{}".to_owned(),
            sealed: vec![1, 2, 3],
            published_at: START,
            active_from: START,
            retired_at: None,
            revoked_at: None,
        }
    }

    /// What is recorded of an exchange, from its report.
    pub(crate) fn told(&self, change: impl FnOnce(&mut Report)) -> Told {
        let mut report = Report::of_client(client());
        change(&mut report);
        let requester = Requester::Client { client: report.who.client.clone(), kid: None };
        let what = What::Exchange(Arc::new(report));
        Told { at: self.now(), request: None, requester, source: None, what }
    }

    pub(crate) fn entry(&self, change: Change) -> Entry {
        Entry { one_time: Vec::new(), change, told: Some(self.told(|_| {})), now: self.now() }
    }

    pub(crate) fn assertion(&self) -> OneTime {
        OneTime::Assertion {
            client: client(),
            jti: self.fresh_hash(),
            until: self.now().plus(Lifetime::from_seconds(300)),
        }
    }

    /// Carries a control out; what died and whether it changed anything.
    pub(crate) async fn control(&self, store: &Store, control: Control) -> (u64, bool) {
        match self.try_control(store, control).await {
            Recorded::Done { died, changed, .. } => (died, changed),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn try_control(&self, store: &Store, control: Control) -> Recorded {
        let event = match &control {
            Control::EndTask { task, why } => Event::TaskEnd(TaskEndEvent {
                task: *task,
                agent: None,
                subject: None,
                why: *why,
                changed: None,
                died: None,
            }),
            _ => Event::Revocation(RevocationEvent { why: Some(EndReason::Operator), ..Default::default() }),
        };
        let told = Told::of_operator(self.now(), None, event);
        store.record(Entry::control(control, told)).await.unwrap()
    }

    /// Issues a task token for a new sign-in.
    pub(crate) async fn begin(&self, store: &Store, actor: &Agent) -> (SignIn, Delegation) {
        let sign_in = self.sign_in("ulla");
        let entry = self.hop_zero(store, &sign_in, actor).await;
        (sign_in, self.issued(store, entry).await)
    }

    /// Issues a token from a token.
    pub(crate) async fn exchange(&self, store: &Store, from: &Delegation, actor: &Agent) -> Delegation {
        self.issued(store, self.later(from, actor)).await
    }

    /// The token of an entry, which has to be recorded.
    pub(crate) async fn issued(&self, store: &Store, entry: Entry) -> Delegation {
        let delegation = token_of(&entry);
        match store.record(entry).await.unwrap() {
            Recorded::Done { changed: true, .. } => delegation,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn lineage(&self, store: &Store, token: &Delegation) -> Lineage {
        store.find_lineage(token.jti).await.unwrap().unwrap()
    }

    /// The user behind a token, with their login.
    pub(crate) async fn user(&self, store: &Store, token: &Delegation) -> SignedIn {
        match self.lineage(store, token).await.behind {
            Behind::User(user) => *user,
            Behind::Agent(agent) => panic!("{agent} acts for itself"),
        }
    }

    /// Whether a token lives, as introspection and exchange would find.
    pub(crate) async fn life(&self, store: &Store, token: &Delegation) -> Result<(), TokenFault> {
        live(&self.lineage(store, token).await, self.now())
    }
}

pub(crate) fn client() -> ClientId {
    ClientId::new("assistant")
}

pub(crate) fn token_of(entry: &Entry) -> Delegation {
    match &entry.change {
        // The first key of a world is the first change that is numbered.
        Change::Issue(token, _) => token.delegation(StopNumber::new(1)),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn end(task: TaskId) -> Control {
    Control::EndTask { task, why: EndReason::Operator }
}

/// Stops a party until it is lifted.
pub(crate) fn kill(party: Stoppable) -> Control {
    Control::Stop { what: Whom::Other(party), why: EndReason::KillSwitch }
}

/// A user of the provider of every sign-in.
pub(crate) fn user(world: &World, upstream: &str) -> Whom {
    Whom::User {
        provider: Issuer::new("https://login.example"),
        upstream: upstream.to_owned(),
        reference: SubjectRef::new(world.id()),
    }
}

pub(crate) fn revoke(token: &Delegation) -> Control {
    Control::RevokeToken(Revocation { jti: token.jti, ends: Ends::Token })
}
