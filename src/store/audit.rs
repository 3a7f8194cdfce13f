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

/// The rows that are few beside those of the requests that were granted: refusals and failures, and what operators, the
/// configuration and the server did. It is the condition of the index `audit_notable`, word for word.
pub(super) const NOTABLE: &str = "(outcome <> 'granted' OR event NOT IN \
     ('exchange', 'handover', 'accept', 'revocation', 'introspection', 'pin', 'task_end', 'tasks_end', 'agent_state'))";

/// Conditions that rows meet all of. What is searched by is a copy of what the body says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions<'a> {
    /// Whether only [`NOTABLE`] rows are looked at.
    pub(super) is_notable: bool,
    pub(super) agent: Option<&'a str>,
    pub(super) task: Option<Key>,
    pub(super) client: Option<&'a str>,
    pub(super) outcome: Option<&'static str>,
    pub(super) event: Option<&'static str>,
    /// What the body is like.
    pub(super) pattern: Option<&'a str>,
    /// Later than this, in milliseconds.
    pub(super) after: i64,
    /// Not later than this.
    pub(super) until: i64,
}

/// Statements about audit rows, checkpoints and their keys. All but [`AuditRows::chain_sizes`] and
/// [`AuditRows::audit_from`], which serve the verification, read only rows that a node can have written: from 1 on.
pub(super) trait AuditRows {
    async fn head(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure>;
    /// Every chain that has a row of whatever number, with how many it has.
    async fn chain_sizes(&mut self) -> Rows<(String, i64)>;
    /// Rows in order, from this number on.
    async fn audit_from(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<AuditColumns>;
    /// The newest rows that meet `conditions`.
    async fn audit_where(&mut self, conditions: &Conditions<'_>, limit: i64) -> Rows<AuditColumns>;
    /// The time of the row before which there are `rows` others up to and with the time `until`, the newest first; of
    /// notable rows only where `is_notable`. `None` if there are no more than that.
    async fn audit_step(&mut self, is_notable: bool, until: i64, rows: i64) -> Result<Option<i64>, Failure>;
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
                dsl::{count_star, sql},
                sql_types::Bool,
            };
            use $crate::store::audit::{
                AuditColumns, AuditRows, CheckpointKeyRow, CheckpointRow, Conditions, NOTABLE,
            };
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
                async fn audit_where(
                    &mut self,
                    conditions: &Conditions<'_>,
                    limit: i64,
                ) -> Rows<AuditColumns> {
                    let mut query = audit::table
                        .filter(audit::seq.ge(1).and(audit::at.gt(conditions.after)))
                        .filter(audit::at.le(conditions.until))
                        .order((audit::at.desc(), audit::seq.desc()))
                        .limit(limit)
                        .select(AuditColumns::as_select())
                        .into_boxed::<$db!(backend)>();
                    if conditions.is_notable {
                        query = query.filter(sql::<Bool>(NOTABLE));
                    }
                    if let Some(agent) = conditions.agent {
                        query = query.filter(audit::agent.assume_not_null().eq(agent));
                    }
                    if let Some(task) = conditions.task {
                        query = query.filter(audit::task.assume_not_null().eq(task));
                    }
                    if let Some(client) = conditions.client {
                        query = query.filter(audit::client.assume_not_null().eq(client));
                    }
                    if let Some(outcome) = conditions.outcome {
                        query = query.filter(audit::outcome.eq(outcome));
                    }
                    if let Some(event) = conditions.event {
                        query = query.filter(audit::event.eq(event));
                    }
                    if let Some(pattern) = conditions.pattern {
                        query = query.filter(audit::body.like(pattern));
                    }
                    Ok($db!(load self, query)?)
                }
                async fn audit_step(
                    &mut self,
                    is_notable: bool,
                    until: i64,
                    rows: i64,
                ) -> Result<Option<i64>, Failure> {
                    let mut query = audit::table
                        .filter(audit::at.le(until))
                        .order(audit::at.desc())
                        .offset(rows)
                        .limit(1)
                        .select(audit::at)
                        .into_boxed::<$db!(backend)>();
                    if is_notable {
                        query = query.filter(sql::<Bool>(NOTABLE));
                    }
                    Ok($db!(first self, query).optional()?)
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
