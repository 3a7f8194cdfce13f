//! Everything that Deputy keeps: one interface over two native diesel backends, and one suite of tests for both.
//!
//! What is kept is divided into subjects, agents, tasks, logins, tokens, one-time uses, keys, parties, named
//! numbers and the audit: a file each, with its rows, their conversions and its statements.
//!
//! Writers hand in [`Entry`]s; one writer a process gathers those that wait into one transaction and
//! answers after the commit. What a transaction may do is decided by pure code over the state it
//! loaded, so both backends decide alike.

mod agents;
mod audit;
mod census;
mod chains;
mod control;
mod count;
pub mod disk;
mod ending;
pub mod entry;
#[cfg(debug_assertions)]
mod fault;
mod group;
mod health;
pub mod inspect;
mod keys;
mod ledger;
mod load;
mod logins;
mod lookup;
mod migration;
mod node;
mod numbers;
mod one_time;
mod parties;
mod pins;
mod postgres;
mod profiles;
mod queue;
mod quotas;
mod read;
mod readings;
mod rows;
mod schema;
mod sqlite;
mod statement;
mod stops;
mod subjects;
mod sweep;
mod tasks;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use self::audit::checkpoint::Notary;
use self::health::Health;
use self::queue::{Queue, Waiting};
use self::quotas::QuotaCounts;
use self::stops::Memory;
use self::transaction::Transaction;
use self::writer::Writer;
use crate::base::entropy::Entropy;
use crate::config;
use crate::delegation::stops::Stoppable;
use crate::keys::NodeSecrets;
use crate::metrics::Histogram;
pub use audit::verify;
pub use chains::{StoredRow, Stretch};
pub use entry::{Change, Control, Entry, Impossible, KeyRow, Recorded, Whom};
pub use node::{NotOwn, own};
pub use quotas::COUNT_EVERY;
pub use read::{AuditFilter, AuditFound, StopCount, StopFound, Surroundings};

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
    Row { table: &'static str, column: &'static str },
    /// The database has forgotten stops that this process has seen.
    #[error("the database is behind: it has forgotten stops that were acknowledged")]
    Behind,
    /// What was to be written is by a clock that disagrees with that of the database server. Nothing was written.
    #[error("the clock of this machine is more than a minute from that of the database: set it right first")]
    ClockDisagrees,
    /// The database server cannot be worked with as it is configured.
    #[error("{what}; {fix}")]
    Unreachable { what: String, fix: String },
    /// Anything else that stops the start, in words.
    #[error("{0}")]
    Unusable(String),
}

/// What the store needs to open.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// Which database, data directory and checkpoint file.
    pub config: &'a config::Config,
    /// They seal this node's checkpoint key, which is kept in the database (ADR 3).
    pub secrets: &'a NodeSecrets,
    /// For the node id and the checkpoint key, made at the first start.
    pub entropy: &'a dyn Entropy,
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

/// What the writer has in common with those who wait for it.
struct Pace {
    queue: Arc<Queue>,
    health: Arc<Health>,
    memory: Arc<Memory>,
    quotas: Arc<QuotaCounts>,
}

/// The store of one process. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    queue: Arc<Queue>,
    health: Arc<Health>,
    memory: Arc<Memory>,
    quotas: Arc<QuotaCounts>,
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

/// How long a caller waits for the writer: longer than the database is given.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// Opens the database, migrates it, takes up this node's audit chain and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] in words for the operator: another server holds the data directory, the
    /// database cannot be opened or is not as durable as demanded, the checkpoint key does not open.
    pub async fn open(opening: Opening<'_>) -> Result<Self, StoreError> {
        let data_dir = node::hold(&opening.config.data_dir)?;
        let queue = Arc::new(Queue::default());
        let health = Arc::new(Health::new());
        let (memory, quotas) = (Arc::new(Memory::default()), Arc::new(QuotaCounts::default()));
        let pace = Pace {
            queue: Arc::clone(&queue),
            health: Arc::clone(&health),
            memory: Arc::clone(&memory),
            quotas: Arc::clone(&quotas),
        };
        let (backend, writer) = match &opening.config.database {
            config::Database::Sqlite(path) => {
                disk::Spare::beside(path).begin()?;
                let mut connection = sqlite::prepare(path)?;
                let (chain, notary) = take_up(&mut sqlite::Session(&mut connection), &opening).await?;
                let engine = sqlite::Engine::new(connection, path);
                let writer = start(engine, pace, notary, chain, data_dir)?;
                (Backend::Sqlite(sqlite::Database::new(path.clone())), writer)
            }
            config::Database::Postgres(url) => {
                let database = postgres::Database::open(url).await?;
                let (chain, notary) = {
                    let reader = database.reader().await?;
                    take_up(&mut postgres::Session(&reader), &opening).await?
                };
                let writer = start(database.engine()?, pace, notary, chain, data_dir)?;
                (Backend::Postgres(database), writer)
            }
        };
        let inner = Inner { backend, queue, health, memory, quotas, writer: Mutex::new(Some(writer)) };
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

    /// Counts the time of each commit in `commits`.
    pub fn count_commits(&self, commits: Histogram) {
        self.inner.health.count_commits(commits);
    }

    /// How many entries wait for the writer.
    pub fn waiting(&self) -> usize {
        self.inner.queue.waiting()
    }

    /// Whether this process knows of a stop of this party that stands.
    pub fn is_stopped(&self, party: &Stoppable) -> bool {
        self.inner.memory.stands(party)
    }

    /// Whether a commit that wrote succeeded in the last two seconds, and none failed since. It waits for nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`]: why not.
    pub fn writes(&self) -> Result<(), StoreError> {
        self.inner.health.writes()
    }

    /// Whether the disk of the database has space. Of a PostgreSQL server nothing is known.
    ///
    /// # Errors
    /// [`StoreError::Database`]: how little.
    pub fn has_room(&self) -> Result<(), StoreError> {
        match &self.inner.backend {
            Backend::Sqlite(database) => disk::demand_room(database.path()),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Waits until the writer has ended, which only [`Store::close`] asks of it.
    pub async fn ended(&self) {
        self.inner.health.ended().await;
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

/// Takes up the audit chain of this node, if the database reaches as far as the checkpoint file says.
async fn take_up<S: Transaction>(
    session: &mut S,
    opening: &Opening<'_>,
) -> Result<(String, Notary), StoreError> {
    let checkpoints = &opening.config.audit.checkpoint_file;
    let chain = node::id(session, opening.config, opening.entropy).await?;
    audit::file::drop_unfinished_line(checkpoints)?;
    audit::file::demand_reached(session, checkpoints).await?;
    let notary = Notary::open(session, &chain, opening).await?;
    Ok((chain, notary))
}

/// Starts the writer's thread; it takes the data directory with it, and gives it back only at an end that was asked
/// for: after any other, the process keeps it until it has ended too.
fn start<E: writer::Engine>(
    engine: E,
    pace: Pace,
    notary: Notary,
    chain: String,
    data_dir: std::fs::File,
) -> Result<JoinHandle<Result<(), StoreError>>, StoreError> {
    let unusable = |what: String| StoreError::Unusable(format!("writer: {what}"));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("deputy-writer".to_owned())
        .spawn(move || {
            let (queue, health) = (Arc::clone(&pace.queue), Arc::clone(&pace.health));
            supervised(data_dir, &health, &queue, || match Writer::new(engine, pace, notary, chain) {
                Ok(writer) => {
                    let _ = ready.send(Ok(()));
                    writer.work()
                }
                Err(error) => {
                    queue.close();
                    let _ = ready.send(Err(error));
                    Ok(())
                }
            })
        })
        .map_err(|error| unusable(error.to_string()))?;
    is_ready.recv().map_err(|error| unusable(error.to_string()))??;
    Ok(thread)
}

/// Does the writer's work. Unless the queue was closed before its end, the data directory stays held.
fn supervised<T>(data_dir: std::fs::File, health: &Health, queue: &Queue, work: impl FnOnce() -> T) -> T {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    if done.is_err() || !queue.is_closed() {
        queue.close();
        std::mem::forget(data_dir);
    }
    health.note_end();
    match done {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
