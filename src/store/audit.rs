//! The audit: the rows of each chain, and the signed checkpoints of their ends.

pub(super) mod chain;
pub(super) mod checkpoint;
pub(super) mod file;
pub mod verify;

use super::rows::{Hash, Key, row};
use super::schema;
use super::statement::{Done, Failure, Rows};

row! {
    /// An audit row with the copies that are searched by, and its link.
    AuditColumns of audit {
        chain: String,
        seq: i64,
        at: i64,
        event: String,
        outcome: String,
        request: Option<Key>,
        client: Option<String>,
        agent: Option<String>,
        task: Option<Key>,
        jti: Option<Key>,
        parent: Option<Key>,
        subject: Option<Key>,
        cause: Option<String>,
        body: String,
        hash: Hash,
    }
}

row! {
    /// A chain's checkpoint key.
    CheckpointKeyRow of checkpoint_key {
        chain: String,
        public_key: Vec<u8>,
        sealed: Vec<u8>,
    }
}

row! {
    /// A signed checkpoint.
    CheckpointRow of checkpoint {
        chain: String,
        seq: i64,
        hash: Hash,
        at: i64,
        heads: String,
        signature: Vec<u8>,
    }
}

/// Statements about audit rows, checkpoints and their keys. All but [`AuditRows::chain_sizes`] and
/// [`AuditRows::audit_from`], which serve the verification, read only rows that a node can have written: from 1 on.
pub(super) trait AuditRows {
    async fn head(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure>;
    /// Every chain that has a row of whatever number, with how many it has.
    async fn chain_sizes(&mut self) -> Rows<(String, i64)>;
    /// Rows in order, from this number on.
    async fn audit_from(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<AuditColumns>;
    async fn audit_newest(&mut self, chain: &str, limit: i64) -> Rows<AuditColumns>;
    /// The newest rows that name this agent, not older than `since`. Granted exchanges name it in their body alone.
    async fn audit_of_agent(&mut self, agent: &str, since: i64, limit: i64) -> Rows<AuditColumns>;
    /// The newest rows of a task, not older than `since`, whose body is like `pattern`.
    async fn audit_of_task(&mut self, task: Key, since: i64, pattern: &str, limit: i64)
    -> Rows<AuditColumns>;
    /// The oldest rows of a task.
    async fn first_of_task(&mut self, task: Key, limit: i64) -> Rows<AuditColumns>;
    /// The newest rows of a task about tokens that were exchanged from this one.
    async fn audit_of_parent(&mut self, task: Key, parent: Key, limit: i64) -> Rows<AuditColumns>;
    async fn audit_of_token(&mut self, jti: Key, limit: i64) -> Rows<AuditColumns>;
    async fn audit_of_request(&mut self, request: Key, limit: i64) -> Rows<AuditColumns>;
    async fn insert_audit(&mut self, rows: &[AuditColumns]) -> Done;
    async fn checkpoint_keys(&mut self) -> Rows<CheckpointKeyRow>;
    async fn insert_checkpoint_key(&mut self, row: &CheckpointKeyRow) -> Done;
    /// Checkpoints in order, from this number on.
    async fn checkpoints_from(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<CheckpointRow>;
    async fn last_checkpoint(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure>;
    async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Done;
}

/// Implements [`AuditRows`] for a session type; `$db` runs its queries.
macro_rules! audit {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, NullableExpressionMethods as _,
                OptionalExtension as _, QueryDsl as _, SelectableHelper as _, TextExpressionMethods as _,
                dsl::count_star,
            };
            use $crate::store::audit::{AuditColumns, AuditRows, CheckpointKeyRow, CheckpointRow};
            use $crate::store::rows::{Hash, Key};
            use $crate::store::schema::{audit, checkpoint, checkpoint_key};
            use $crate::store::statement::{Done, Failure, Rows};

            impl AuditRows for $session<'_> {
                async fn head(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure> {
                    let query = audit::table
                        .filter(audit::chain.eq(chain).and(audit::seq.ge(1)))
                        .order(audit::seq.desc())
                        .limit(1)
                        .select((audit::seq, audit::hash));
                    Ok($db!(first self, query).optional()?)
                }
                async fn chain_sizes(&mut self) -> Rows<(String, i64)> {
                    let query = audit::table.group_by(audit::chain).select((audit::chain, count_star()));
                    Ok($db!(load self, query)?)
                }
                async fn audit_from(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::chain.eq(chain).and(audit::seq.ge(seq)))
                        .order(audit::seq)
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_newest(&mut self, chain: &str, limit: i64) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::chain.eq(chain).and(audit::seq.ge(1)))
                        .order(audit::seq.desc())
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_of_agent(
                    &mut self,
                    agent: &str,
                    since: i64,
                    limit: i64,
                ) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::agent.assume_not_null().eq(agent).and(audit::at.ge(since)))
                        .filter(audit::seq.ge(1))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_of_task(
                    &mut self,
                    task: Key,
                    since: i64,
                    pattern: &str,
                    limit: i64,
                ) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::task.assume_not_null().eq(task).and(audit::at.ge(since)))
                        .filter(audit::seq.ge(1).and(audit::body.like(pattern)))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn first_of_task(&mut self, task: Key, limit: i64) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::task.assume_not_null().eq(task).and(audit::seq.ge(1)))
                        .order((audit::at, audit::seq))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_of_parent(
                    &mut self,
                    task: Key,
                    parent: Key,
                    limit: i64,
                ) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::task.assume_not_null().eq(task).and(audit::seq.ge(1)))
                        .filter(audit::parent.assume_not_null().eq(parent))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_of_token(&mut self, jti: Key, limit: i64) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::jti.assume_not_null().eq(jti).and(audit::seq.ge(1)))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn audit_of_request(&mut self, request: Key, limit: i64) -> Rows<AuditColumns> {
                    let query = audit::table
                        .filter(audit::request.assume_not_null().eq(request).and(audit::seq.ge(1)))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn insert_audit(&mut self, rows: &[AuditColumns]) -> Done {
                    $db!(insert self, audit, rows)
                }
                async fn checkpoint_keys(&mut self) -> Rows<CheckpointKeyRow> {
                    let query = checkpoint_key::table
                        .order(checkpoint_key::chain)
                        .select(CheckpointKeyRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn insert_checkpoint_key(&mut self, row: &CheckpointKeyRow) -> Done {
                    $db!(execute self, diesel::insert_into(checkpoint_key::table).values(row))?;
                    Ok(())
                }
                async fn checkpoints_from(
                    &mut self,
                    chain: &str,
                    seq: i64,
                    limit: i64,
                ) -> Rows<CheckpointRow> {
                    let query = checkpoint::table
                        .filter(checkpoint::chain.eq(chain).and(checkpoint::seq.ge(seq)))
                        .order(checkpoint::seq)
                        .limit(limit)
                        .select(CheckpointRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn last_checkpoint(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure> {
                    let query = checkpoint::table
                        .filter(checkpoint::chain.eq(chain))
                        .order(checkpoint::seq.desc())
                        .limit(1)
                        .select((checkpoint::seq, checkpoint::hash));
                    Ok($db!(first self, query).optional()?)
                }
                async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Done {
                    $db!(execute self, diesel::insert_into(checkpoint::table).values(row))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use audit;
