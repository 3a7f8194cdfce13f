//! A valid world: a configuration, a database, a user, agents, and entries as the corridor makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use diesel::connection::SimpleConnection as _;
use tempfile::TempDir;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::{AuditRow, Event, Outcome};
use crate::base::entropy::{Entropy, SeededEntropy, SystemEntropy, uuid_v7};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::{self, AgentLifetime, Config, PostgresUrl, SubjectForm};
use crate::delegation::record::{
    Agent, AgentState, Delegation, EndReason, Lineage, Login, Provenance, Subject, Task, TokenKind, live,
};
use crate::delegation::task::{Asking, TaskPlan, plan};
use crate::oauth::{
    AgentId, ClientId, Issuer, Jti, LoginId, Scope, SubjectRef, TargetId, TaskId, TokenFault,
};
use crate::store::entry::{
    Change, Control, Entry, HopZero, Issue, KeyRow, NewAnswer, Origin, Recorded, SpentAssertion,
};
use crate::store::{CheckpointSealing, Opening, Store, StoreError, sqlite};

/// When the stories begin.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub(crate) const KID: &str = "key-1";
/// After this many seconds nothing that is over is kept.
pub(crate) const END_OF_RETENTION: u32 = 90_000 + 1;

/// Seals by turning every bit.
pub(crate) struct Mirror;

impl CheckpointSealing for Mirror {
    fn seal(&self, _: &str, plain: &[u8], _: &dyn Entropy) -> Result<Vec<u8>, StoreError> {
        Ok(plain.iter().map(|byte| !byte).collect())
    }
    fn open(&self, _: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        Ok(Zeroizing::new(sealed.iter().map(|byte| !byte).collect()))
    }
}

/// Takes its database with it.
struct TestDatabase {
    admin: String,
    name: String,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, statement) = (self.admin.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let dropping = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(administer(&admin, &statement));
        });
        dropping.join().unwrap();
    }
}

async fn administer(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}

/// The world of one test.
pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) config: Config,
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
        let database =
            config::Database::Postgres(PostgresUrl { url: url.to_string(), root_certificate_file: None });
        Some(Self::with(TempDir::new().unwrap(), database, Some(TestDatabase { admin, name })))
    }

    fn with(directory: TempDir, database: config::Database, owned: Option<TestDatabase>) -> Self {
        let config = configuration(directory.path().join("node-1"), database);
        Self {
            directory,
            config,
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
        self.control(&store, Control::PutKeys(vec![self.key()])).await;
        store
    }

    /// The store of this node as it is found.
    pub(crate) async fn reopen(&self) -> Store {
        self.open_as(&self.config).await.unwrap()
    }

    pub(crate) async fn open_as(&self, config: &Config) -> Result<Store, StoreError> {
        let entropy = SystemEntropy::default();
        Store::open(Opening { config, now: self.now(), sealing: &Mirror, entropy: &entropy }).await
    }

    /// Another node on the same PostgreSQL.
    pub(crate) fn second_node(&self) -> Config {
        configuration(self.directory.path().join("node-2"), self.config.database.clone())
    }

    /// Changes the database behind the store's back. `%d` is the PostgreSQL database's name.
    pub(crate) async fn tamper_all(&self, statements: &str) {
        match (&self.config.database, &self.database) {
            (config::Database::Sqlite(path), _) => {
                let mut connection = sqlite::connect(path, sqlite::Use::Write).unwrap();
                connection.batch_execute(statements).unwrap();
            }
            (config::Database::Postgres(url), Some(database)) => {
                administer(&url.url, &statements.replace("%d", &database.name)).await;
            }
            _ => panic!("no database"),
        }
    }

    /// Holds a lock in PostgreSQL until what is given back is dropped.
    pub(crate) async fn hold_lock(&self, statement: &str) -> tokio_postgres::Client {
        let config::Database::Postgres(url) = &self.config.database else { panic!("no PostgreSQL") };
        let (client, connection) = tokio_postgres::connect(&url.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("BEGIN; {statement}")).await.unwrap();
        client
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, seconds: u32) {
        self.now.fetch_add(Lifetime::from_seconds(seconds).millis(), Ordering::SeqCst);
    }

    pub(crate) fn id(&self) -> Uuid {
        uuid_v7(&self.entropy, self.now()).unwrap()
    }

    fn next(&self) -> u64 {
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

    pub(crate) fn row(&self, event: Event) -> AuditRow {
        AuditRow::new(self.now(), event, Outcome::Granted)
    }

    pub(crate) fn entry(&self, change: Change) -> Entry {
        Entry { spend: None, change, audit: Some(self.row(Event::Exchange)), now: self.now() }
    }

    pub(crate) fn assertion(&self) -> SpentAssertion {
        SpentAssertion {
            client: client(),
            jti_hash: self.fresh_hash(),
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
        let mut entry = self.entry(Change::Control(control));
        entry.audit = Some(self.row(Event::TaskEnd));
        store.record(entry).await.unwrap()
    }

    /// A hop 0 as the corridor makes it: read, planned, with everything prepared.
    pub(crate) async fn hop_zero(&self, store: &Store, sign_in: &SignIn, actor: &Agent) -> Entry {
        let subject = (&sign_in.issuer, sign_in.upstream.as_str());
        let standing = store.find_standing(&sign_in.hash, subject, &actor.id, sign_in.named).await.unwrap();
        let asking = Asking {
            client: &actor.client,
            agent: &actor.id,
            auth_time: sign_in.auth_time,
            named_task: sign_in.named,
            purpose: None,
        };
        let planned = plan(&standing, &asking, self.now()).unwrap_or(TaskPlan::Begin);
        let (task, login) = match planned {
            TaskPlan::Begin => (TaskId::new(self.id()), LoginId::new(self.id())),
            TaskPlan::JoinWithNewLogin(task) => (task, LoginId::new(self.id())),
            TaskPlan::Join(task, login) => (task, login),
        };
        let reference = SubjectRef::new(self.id());
        let expires_at = self.now().plus(Lifetime::from_seconds(3600));
        let hop = HopZero {
            subject: Subject {
                reference,
                issuer: sign_in.issuer.clone(),
                upstream: sign_in.upstream.clone(),
                cutoff: None,
            },
            plan: planned,
            task: Task {
                id: task,
                client: actor.client.clone(),
                agent: actor.id.clone(),
                subject: reference,
                purpose: None,
                started_at: self.now(),
                expires_at,
                ended: None,
            },
            named_task: sign_in.named,
            purpose: None,
            login: Login {
                id: login,
                task,
                id_token_hash: sign_in.hash,
                provider: sign_in.issuer.clone(),
                relying_party: "app".to_owned(),
                levels: BTreeSet::from(["mfa".to_owned()]),
                acr: Some("phr".to_owned()),
                amr: vec!["hwk".to_owned(), "mfa".to_owned()],
                auth_time: sign_in.auth_time,
                session: Some([9; 32]),
                policy_claims: serde_json::Map::new(),
                ends_at: expires_at,
            },
            answers: vec![NewAnswer {
                target: TargetId::new("tickets"),
                scope: crate::oauth::ScopeToken::parse("age_over_18").unwrap(),
                sealed: vec![1, 2, 3, 4],
            }],
        };
        let delegation = Delegation {
            jti: Jti::new(self.id()),
            kind: TokenKind::Task,
            task,
            login,
            ancestors: Vec::new(),
            chain: vec![actor.id.clone()],
            client: actor.client.clone(),
            target: TargetId::new("https://deputy.example"),
            scope: Scope::parse("age_over_18 tickets:book tickets:search").unwrap(),
            issued_at: self.now(),
            expires_at,
            kid: KID.to_owned(),
            hash: self.fresh_hash(),
            revoked: None,
        };
        let mut entry = self.entry(Change::Issue(Box::new(Issue {
            origin: Origin::HopZero(Box::new(hop)),
            actor: actor.clone(),
            delegation: delegation.clone(),
        })));
        if let Some(row) = &mut entry.audit {
            row.chain = delegation.chain;
            row.client = Some(actor.client.clone());
        }
        entry
    }

    /// A later hop from a token, by its own actor or by one more.
    pub(crate) fn later(&self, from: &Delegation, actor: &Agent) -> Entry {
        let mut ancestors = from.ancestors.clone();
        ancestors.push(from.jti);
        let mut chain = from.chain.clone();
        if chain.first() != Some(&actor.id) {
            chain.insert(0, actor.id.clone());
        }
        let expires_at = from.expires_at.min(self.now().plus(Lifetime::from_seconds(300)));
        let delegation = Delegation {
            jti: Jti::new(self.id()),
            kind: TokenKind::Access,
            ancestors,
            chain,
            client: actor.client.clone(),
            target: TargetId::new("tickets"),
            scope: Scope::parse("tickets:search").unwrap(),
            issued_at: self.now(),
            expires_at,
            hash: self.fresh_hash(),
            ..from.clone()
        };
        let mut entry = self.entry(Change::Issue(Box::new(Issue {
            origin: Origin::Later { parent: from.jti },
            actor: actor.clone(),
            delegation: delegation.clone(),
        })));
        if let Some(row) = &mut entry.audit {
            row.chain = delegation.chain;
            row.parent = Some(from.jti);
            row.client = Some(actor.client.clone());
        }
        entry
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

    /// Whether a token lives, as introspection and exchange would find.
    pub(crate) async fn life(&self, store: &Store, token: &Delegation) -> Result<(), TokenFault> {
        live(&self.lineage(store, token).await, self.now())
    }

    pub(crate) fn sign_in(&self, upstream: &str) -> SignIn {
        SignIn {
            hash: self.fresh_hash(),
            issuer: Issuer::new("https://login.example"),
            upstream: upstream.to_owned(),
            auth_time: self.now().seconds() - 5,
            named: None,
        }
    }

    /// A service account of the client's own.
    pub(crate) fn principal(&self) -> Agent {
        Agent {
            id: AgentId::new("agent_assistant"),
            client: client(),
            provenance: Provenance::Client,
            class: "client".to_owned(),
            lifetime: AgentLifetime::Principal,
            state: AgentState::Active,
            ended: None,
            cutoff: None,
            first_seen: self.now(),
        }
    }

    /// A service account of another client.
    pub(crate) fn principal_of(&self, client: &str) -> Agent {
        let id = AgentId::new(format!("agent_{client}"));
        Agent { id, client: ClientId::new(client), ..self.principal() }
    }

    /// A fresh instance of another party.
    pub(crate) fn instance(&self) -> Agent {
        let number = self.next();
        Agent {
            id: AgentId::new(format!("agent_instance_{number}")),
            client: ClientId::new("age-agent"),
            provenance: Provenance::Workload {
                issuer: Issuer::new("https://cluster.example"),
                id: format!("pod-{number}"),
            },
            class: "verifier".to_owned(),
            lifetime: AgentLifetime::Task,
            ..self.principal()
        }
    }
}

/// One ID token as presented.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) hash: [u8; 32],
    pub(crate) issuer: Issuer,
    pub(crate) upstream: String,
    pub(crate) auth_time: i64,
    pub(crate) named: Option<TaskId>,
}

pub(crate) fn client() -> ClientId {
    ClientId::new("assistant")
}

pub(crate) fn token_of(entry: &Entry) -> Delegation {
    match &entry.change {
        Change::Issue(issue) => issue.delegation.clone(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn end(task: TaskId) -> Control {
    Control::EndTask { task, why: EndReason::Operator }
}

pub(crate) fn revoke(token: &Delegation) -> Control {
    Control::RevokeToken { jti: token.jti, why: EndReason::Revoked }
}

fn configuration(data_dir: PathBuf, database: config::Database) -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        issuer: Issuer::new("https://deputy.example"),
        listen: config::Listen { public: nowhere, management: nowhere, trusted_proxies: Vec::new() },
        tls: None,
        database,
        keys: config::Keys {
            master_key_file: data_dir.join("master.key"),
            signing_algorithm: config::Algorithm::ES256,
            jwks_max_age: Lifetime::from_seconds(300),
        },
        tokens: config::Tokens { lifetime: Lifetime::from_seconds(300), subject: SubjectForm::Upstream },
        tasks: config::Tasks { max_lifetime: Lifetime::from_seconds(3600), max_chain_depth: 4 },
        identity_providers: BTreeMap::new(),
        workload_issuers: BTreeMap::new(),
        clients: BTreeMap::new(),
        predicates: BTreeMap::new(),
        targets: BTreeMap::new(),
        policy: config::Policy { directory: None },
        audit: config::Audit { checkpoint_file: data_dir.join("checkpoints.jsonl") },
        limits: config::Limits {
            failures_per_minute: 60,
            unknown_tokens_per_minute: 600,
            unauthenticated_rows_per_minute: 60,
        },
        data_dir,
    }
}
