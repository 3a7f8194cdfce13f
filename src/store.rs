//! Room 8: diesel. One interface over two native backends, one suite against both.
//!
//! Writers hand in [`Entry`]s; one writer a process gathers those that wait into one transaction and
//! answers after the commit. What a transaction may do is decided by pure code over the state it
//! loaded, so both backends decide alike.

mod chain;
mod checkpoint;
mod control;
pub mod entry;
#[cfg(debug_assertions)]
mod fault;
pub mod inspect;
mod ledger;
mod load;
mod lookup;
mod node;
mod postgres;
mod queue;
mod rows;
mod schema;
mod sqlite;
mod statements;
mod sweep;
#[cfg(test)]
mod tests;
pub mod verify;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use self::checkpoint::Notary;
use self::queue::{Queue, Waiting};
use self::statements::{Lock, Statements as _};
use self::writer::Writer;
use crate::audit::AuditRow;
use crate::base::entropy::Entropy;
use crate::base::time::Timestamp;
use crate::config;
use crate::delegation::plan::LoginRecord;
use crate::delegation::record::{Agent, Delegation, Lineage, Subject, Task};
use crate::keys::{NodeSecrets, SealPurpose};
use crate::oauth::{AgentId, Issuer, Jti, LoginId, ScopeToken, TargetId, TaskId};
pub use entry::{Change, Control, Entry, KeyRow, Recorded, SpentAssertion};

/// The tables, for both databases.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The store cannot answer: the request is answered with 503 and nothing is given. Holds no data of a user.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue is full, or the writer is gone.
    #[error("the store is overloaded or stopping")]
    Busy,
    /// The database failed.
    #[error("database: {0}")]
    Database(String),
    /// A row that does not parse.
    #[error("row of table `{table}`: column `{column}` does not parse")]
    Row {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
    /// Anything else that stops the start, in words.
    #[error("{0}")]
    Unusable(String),
}

/// What the store needs to open.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// Which database, data directory and checkpoint file.
    pub config: &'a config::Config,
    /// The current time.
    pub now: Timestamp,
    /// Keeps the checkpoint key; in a server the node's secrets.
    pub sealing: &'a dyn CheckpointSealing,
    /// For the node id and the checkpoint key, made at the first start.
    pub entropy: &'a dyn Entropy,
}

/// Seals this node's audit checkpoint key, which is kept in the database (design.md 7).
pub trait CheckpointSealing: Send + Sync {
    /// Seals the PKCS#8 of the checkpoint key of `chain`.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if it cannot be sealed.
    fn seal(&self, chain: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, StoreError>;

    /// Opens what [`CheckpointSealing::seal`] sealed for the same chain.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] if it does not open: another master key, or damaged.
    fn open(&self, chain: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError>;
}

impl CheckpointSealing for NodeSecrets {
    fn seal(&self, chain: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, StoreError> {
        NodeSecrets::seal(self, SealPurpose::CheckpointKey(chain), plain, entropy)
            .map_err(|error| StoreError::Unusable(format!("audit checkpoint key: {error}")))
    }

    fn open(&self, chain: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        NodeSecrets::open(self, SealPurpose::CheckpointKey(chain), sealed)
            .map_err(|error| StoreError::Unusable(format!("audit checkpoint key: {error}")))
    }
}

/// Held by a request that may come to [`Store::record`], so that the writer knows others are on
/// their way and gathers them into one transaction. Drop it when `record` has answered.
#[must_use]
pub struct Announced(Arc<Queue>);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

/// The store of one process. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

enum Backend {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // What was accepted is written before the process lets go of the data directory.
            let _ = writer.join();
        }
    }
}

/// One audit row as stored.
#[derive(Clone, Debug)]
pub struct StoredRow {
    /// The writing node's chain.
    pub chain: String,
    /// 1, 2, 3, …
    pub seq: i64,
    /// The canonical JSON.
    pub body: String,
    /// The body, parsed.
    pub row: AuditRow,
}

/// Which audit rows: all that are given must match.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of this agent, anywhere in the chain.
    pub agent: Option<AgentId>,
    /// Of this task.
    pub task: Option<TaskId>,
    /// About this token.
    pub jti: Option<Jti>,
    /// About a token exchanged from this one.
    pub parent: Option<Jti>,
    /// Of this request.
    pub request: Option<crate::oauth::RequestId>,
    /// The newest so many, given back oldest first.
    pub newest: Option<u32>,
}

/// How long a caller waits for the writer: longer than the database is given.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads with a connection of whichever database it is. On PostgreSQL a lost connection is replaced once.
macro_rules! read {
    ($store:expr, |$session:ident| $work:expr) => {
        match &$store.inner.backend {
            Backend::Sqlite(database) => {
                let mut reader = database.reader()?;
                let $session = &mut reader.session()?;
                $work.await.map_err(StoreError::from)
            }
            Backend::Postgres(database) => {
                let mut is_last_try = false;
                loop {
                    let mut reader = database.reader().await?;
                    let outcome = {
                        let $session = &mut postgres::Session(&mut reader);
                        postgres::patiently($work).await
                    };
                    if let Some(outcome) = database.settle(reader, outcome, is_last_try) {
                        break outcome;
                    }
                    is_last_try = true;
                }
            }
        }
    };
}

impl Store {
    /// Opens the database, migrates it, takes up this node's audit chain and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] in words for the operator: another server holds the data directory, the
    /// database cannot be opened or is not as durable as demanded, the checkpoint key does not open.
    pub async fn open(opening: Opening<'_>) -> Result<Self, StoreError> {
        let data_dir = node::hold(&opening.config.data_dir)?;
        let chain = node::id(&opening.config.data_dir, opening.entropy)?;
        let queue = Arc::new(Queue::default());
        let (backend, writer) = match &opening.config.database {
            config::Database::Sqlite(path) => {
                let mut connection = sqlite::prepare(path)?;
                let notary = Notary::open(&mut sqlite::Session(&mut connection), &chain, &opening).await?;
                let engine = sqlite::Engine(connection);
                let writer = start(engine, &queue, notary, chain, data_dir)?;
                (Backend::Sqlite(sqlite::Database::new(path.clone())), writer)
            }
            config::Database::Postgres(url) => {
                let database = postgres::Database::open(url).await?;
                let notary = {
                    let mut reader = database.reader().await?;
                    Notary::open(&mut postgres::Session(&mut reader), &chain, &opening).await?
                };
                let writer = start(database.engine()?, &queue, notary, chain, data_dir)?;
                (Backend::Postgres(database), writer)
            }
        };
        let inner = Inner { backend, queue, writer: Mutex::new(Some(writer)) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Tells the writer that a request has begun which may come to [`Store::record`].
    pub fn announce(&self) -> Announced {
        self.inner.queue.announce();
        Announced(Arc::clone(&self.inner.queue))
    }

    /// Writes `entry` with whatever else waits, and answers after the commit.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if too much waits already, another one if the database fails. After one that
    /// is not `Busy` the entry may have been written all the same: nothing was promised of it.
    pub async fn record(&self, entry: Entry) -> Result<Recorded, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.inner.queue.put(Waiting { entry, answer })?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(recorded)) => recorded,
            Ok(Err(_)) => Err(StoreError::Database("the writer broke off".to_owned())),
            Err(_) => Err(StoreError::Database("no commit in 10 s".to_owned())),
        }
    }

    /// What is recorded about an ID token, its user and an agent.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading: the database fails, or a row does not parse.
    pub async fn find_login_record(
        &self,
        id_token_hash: &[u8; 32],
        subject: (&Issuer, &str),
        agent: Option<&AgentId>,
        named: Option<TaskId>,
    ) -> Result<LoginRecord, StoreError> {
        read!(self, |session| load::login_record(session, id_token_hash, subject, agent, named))
    }

    /// A delegation with everything its life hangs on.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn find_lineage(&self, jti: Jti) -> Result<Option<Lineage>, StoreError> {
        read!(self, |session| load::lineage(session, jti))
    }

    /// A sealed answer of a login.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn find_answer(
        &self,
        login: LoginId,
        target: &TargetId,
        scope: &ScopeToken,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, |session| session.answer(login.into(), target.as_str(), scope.as_str()))
    }

    /// One agent.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn find_agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
        let ids = [id.as_str().to_owned()];
        let mut rows = read!(self, |session| session.agents(&ids, Lock::None))?;
        rows.pop().map(Agent::try_from).transpose()
    }

    /// Agents, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn list_agents(&self, limit: u32) -> Result<Vec<Agent>, StoreError> {
        let rows = read!(self, |session| session.newest_agents(limit.into()))?;
        rows.into_iter().map(Agent::try_from).collect()
    }

    /// One task.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn find_task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        let ids = [id.into()];
        let mut rows = read!(self, |session| session.tasks(&ids, Lock::None))?;
        rows.pop().map(Task::try_from).transpose()
    }

    /// Tasks, newest first, at most `limit`; only live ones where `live_at` is given; of one agent
    /// (any engagement) where `agent` is given.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn list_tasks(
        &self,
        live_at: Option<Timestamp>,
        agent: Option<&AgentId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        read!(self, |session| lookup::tasks(session, live_at, agent, limit))
    }

    /// The delegations of a task, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn list_delegations(&self, task: TaskId) -> Result<Vec<Delegation>, StoreError> {
        read!(self, |session| lookup::delegations(session, task))
    }

    /// A user by reference.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn find_subject(
        &self,
        reference: crate::oauth::SubjectRef,
    ) -> Result<Option<Subject>, StoreError> {
        let references = [reference.into()];
        let mut rows = read!(self, |session| session.subjects(&references, Lock::None))?;
        Ok(rows.pop().map(Subject::from))
    }

    /// Every signing key ever made and not yet removed, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = read!(self, |session| session.signing_keys())?;
        Ok(rows.into_iter().map(KeyRow::from).collect())
    }

    /// Audit rows, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<StoredRow>, StoreError> {
        read!(self, |session| lookup::audit(session, filter))
    }

    /// The highest time ever recorded, to the second.
    ///
    /// # Errors
    /// [`StoreError`] as for every reading.
    pub async fn highest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let highest = read!(self, |session| session.number(writer::HIGHEST_TIME))?;
        Ok(highest.filter(|millis| *millis > 0).map(Timestamp::from_millis))
    }

    /// Writes what waits, signs a last checkpoint and stops the writer.
    ///
    /// # Errors
    /// [`StoreError`] if the last checkpoint could not be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.inner.queue.close();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return Ok(()) };
        tokio::task::spawn_blocking(move || writer.join())
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(StoreError::Unusable("the writer broke off".to_owned())))
    }
}

/// Starts the writer's thread; it takes the data directory with it.
fn start<E: writer::Engine>(
    engine: E,
    queue: &Arc<Queue>,
    notary: Notary,
    chain: String,
    data_dir: std::fs::File,
) -> Result<JoinHandle<Result<(), StoreError>>, StoreError> {
    let queue = Arc::clone(queue);
    let unusable = |what: String| StoreError::Unusable(format!("writer: {what}"));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("deputy-writer".to_owned())
        .spawn(move || match Writer::new(engine, queue, notary, chain, data_dir) {
            Ok(writer) => {
                let _ = ready.send(Ok(()));
                writer.work()
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                Ok(())
            }
        })
        .map_err(|error| unusable(error.to_string()))?;
    is_ready.recv().map_err(|error| unusable(error.to_string()))??;
    Ok(thread)
}
