//! Room 8: diesel. One interface over two native backends, one suite against both.
//!
//! Writers hand in [`Entry`]s; one writer a process gathers those that wait into one transaction and
//! answers after the commit. What a transaction may do is decided by pure code over the state it
//! loaded, so both backends decide alike.

pub mod entry;
pub mod verify;

use crate::audit::AuditRow;
use crate::config;
use crate::delegation::record::{Agent, Delegation, Lineage, Subject, Task};
use crate::delegation::task::Standing;
use crate::entropy::Entropy;
use crate::keys::{NodeSecrets, SealPurpose};
use crate::protocol::{AgentId, Issuer, Jti, LoginId, ScopeToken, TargetId, TaskId};
use crate::time::Timestamp;
use zeroize::Zeroizing;

pub use entry::{
    Change, Control, Entry, HopZero, Issue, KeyRow, NewAnswer, Origin, RecordRefusal, Recorded,
    SpentAssertion,
};

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
pub struct Announced {
    _private: (),
}

/// The store of one process.
#[derive(Clone)]
pub struct Store {
    _private: (),
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
    pub request: Option<crate::protocol::RequestId>,
    /// The newest so many, given back oldest first.
    pub newest: Option<u32>,
}

#[expect(clippy::unimplemented, clippy::unused_async, unused_variables, reason = "filled in next")]
impl Store {
    /// Opens the database, migrates it, takes up this node's audit chain and starts the writer.
    pub async fn open(opening: Opening<'_>) -> Result<Self, StoreError> {
        unimplemented!()
    }

    /// Tells the writer that a request has begun which may come to [`Store::record`].
    pub fn announce(&self) -> Announced {
        unimplemented!()
    }

    /// Writes `entry` with whatever else waits, and answers after the commit.
    pub async fn record(&self, entry: Entry) -> Result<Recorded, StoreError> {
        unimplemented!()
    }

    /// What is recorded about an ID token, its user and an agent.
    pub async fn find_standing(
        &self,
        id_token_hash: &[u8; 32],
        subject: (&Issuer, &str),
        agent: &AgentId,
        named: Option<TaskId>,
    ) -> Result<Standing, StoreError> {
        unimplemented!()
    }

    /// A delegation with everything its life hangs on.
    pub async fn find_lineage(&self, jti: Jti) -> Result<Option<Lineage>, StoreError> {
        unimplemented!()
    }

    /// A sealed answer of a login.
    pub async fn find_answer(
        &self,
        login: LoginId,
        target: &TargetId,
        scope: &ScopeToken,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    /// One agent.
    pub async fn find_agent(&self, id: &AgentId) -> Result<Option<Agent>, StoreError> {
        unimplemented!()
    }

    /// Agents, newest first, at most `limit`.
    pub async fn list_agents(&self, limit: u32) -> Result<Vec<Agent>, StoreError> {
        unimplemented!()
    }

    /// One task.
    pub async fn find_task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        unimplemented!()
    }

    /// Tasks, newest first, at most `limit`; only live ones where `live_at` is given; of one agent
    /// (any engagement) where `agent` is given.
    pub async fn list_tasks(
        &self,
        live_at: Option<Timestamp>,
        agent: Option<&AgentId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        unimplemented!()
    }

    /// The delegations of a task, oldest first.
    pub async fn list_delegations(&self, task: TaskId) -> Result<Vec<Delegation>, StoreError> {
        unimplemented!()
    }

    /// A user by reference.
    pub async fn find_subject(
        &self,
        reference: crate::protocol::SubjectRef,
    ) -> Result<Option<Subject>, StoreError> {
        unimplemented!()
    }

    /// Every signing key ever made and not yet removed, oldest first.
    pub async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        unimplemented!()
    }

    /// Audit rows, oldest first.
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<StoredRow>, StoreError> {
        unimplemented!()
    }

    /// The highest time ever recorded.
    pub async fn highest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        unimplemented!()
    }

    /// Writes what waits, signs a last checkpoint and stops the writer.
    pub async fn close(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
}
