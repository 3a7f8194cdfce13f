//! Every statement there is, written once and built for each database.
//!
//! The two backends differ in three ways, which the macros handed to [`statements`] hold: whether a
//! result is awaited, how many rows are read or written by one statement (SQLite repeats a prepared one,
//! PostgreSQL takes arrays and several rows at once), and row locks.

use super::StoreError;
use super::rows::{
    AgentRow, AnswerRow, AuditColumns, CheckpointKeyRow, CheckpointRow, EngagementRow, Hash, Key, LoginRow,
    PartyRow, SigningKeyRow, SpentRow, SubjectRow, TaskRow, TokenRow,
};

/// Why a statement or a whole transaction did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another writer was in the way: roll back, read again, try again.
    Conflict(String),
    /// The connection cannot be used any more.
    Lost(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        let text = error.to_string();
        match &error {
            Error::DatabaseError(Kind::UniqueViolation | Kind::SerializationFailure, _) => {
                Self::Conflict(text)
            }
            Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _)
            | Error::BrokenTransactionManager => Self::Lost(text),
            Error::DatabaseError(_, _) if text.contains("deadlock") => Self::Conflict(text),
            // A lock was waited for as long as is reasonable: whoever comes next would wait as long.
            Error::DatabaseError(_, _)
                if text.contains("canceling statement") || text.contains("is locked") =>
            {
                Self::Lost(text)
            }
            _ if text.contains("connection closed") || text.contains("communicating with the server") => {
                Self::Lost(text)
            }
            _ => Self::Store(StoreError::Database(text)),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict(text) | Failure::Lost(text) => Self::Database(text),
            Failure::Store(error) => error,
        }
    }
}

pub(super) type Rows<T> = Result<Vec<T>, Failure>;
pub(super) type Done = Result<(), Failure>;

/// How rows that a decision rests on are kept as they are until the commit. SQLite has one writer and
/// needs none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Only read.
    None,
    /// Others may read and share; nobody may change.
    Share,
    /// About to be changed.
    Update,
}

/// A range of token paths: a task, or a subtree.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// The first path.
    pub(super) from: Vec<u8>,
    /// The first path after it.
    pub(super) to: Vec<u8>,
}

impl Range {
    /// Everything whose path begins with `prefix`.
    pub(super) fn below(prefix: &[u8]) -> Self {
        // INVARIANT: 17 bytes of ones sort after every path, as ids are UUIDs and none is all ones.
        let to = super::rows::end_of_range(prefix).unwrap_or_else(|| vec![u8::MAX; 17]);
        Self { from: prefix.to_vec(), to }
    }
}

/// A token with everything that one join finds: login, task and user.
pub(super) type Joined = (TokenRow, LoginRow, TaskRow, SubjectRow);

/// One connection, inside or outside a transaction. Keys are given sorted, so that locks are taken in
/// one order.
pub(super) trait Statements {
    /// Whether rows are locked, so that what was read before a lock must be read again.
    const LOCKS: bool;

    async fn begin(&mut self) -> Done;
    async fn commit(&mut self) -> Done;
    async fn rollback(&mut self) -> Done;

    async fn spent(&mut self, hashes: &[Hash]) -> Rows<Hash>;
    async fn tokens(&mut self, jtis: &[Key]) -> Rows<TokenRow>;
    async fn logins(&mut self, ids: &[Key]) -> Rows<LoginRow>;
    async fn logins_of_id_tokens(&mut self, hashes: &[Hash]) -> Rows<LoginRow>;
    async fn tasks(&mut self, ids: &[Key], lock: Lock) -> Rows<TaskRow>;
    async fn subjects(&mut self, references: &[Key], lock: Lock) -> Rows<SubjectRow>;
    /// May give more than asked for.
    async fn subjects_named(&mut self, names: &[(String, String)], lock: Lock) -> Rows<SubjectRow>;
    async fn agents(&mut self, ids: &[String], lock: Lock) -> Rows<AgentRow>;
    /// Every key id, and when it was revoked.
    async fn key_states(&mut self, lock: Lock) -> Rows<(String, Option<i64>)>;
    async fn lineage(&mut self, jti: Key) -> Result<Option<Joined>, Failure>;

    async fn insert_subjects(&mut self, rows: &[SubjectRow]) -> Done;
    async fn insert_agents(&mut self, rows: &[AgentRow]) -> Done;
    async fn insert_tasks(&mut self, rows: &[TaskRow]) -> Done;
    async fn insert_logins(&mut self, rows: &[LoginRow]) -> Done;
    /// Keeps what is there.
    async fn insert_answers(&mut self, rows: &[AnswerRow]) -> Done;
    /// Keeps what is there, and opens again what had ended.
    async fn open_engagements(&mut self, rows: &[EngagementRow]) -> Done;
    async fn insert_tokens(&mut self, rows: &[TokenRow]) -> Done;
    async fn insert_spent(&mut self, rows: &[SpentRow]) -> Done;
    async fn insert_audit(&mut self, rows: &[AuditColumns]) -> Done;

    async fn count_live(&mut self, range: &Range, now: i64) -> Result<u64, Failure>;
    async fn revoke_range(&mut self, range: &Range, at: i64, why: &str) -> Result<u64, Failure>;
    /// Tokens that expired by `until`, whatever the clock shows now.
    async fn revoke_expired(&mut self, until: i64, at: i64, why: &str) -> Result<u64, Failure>;
    async fn live_tokens_in(&mut self, range: &Range, now: i64) -> Rows<TokenRow>;
    async fn live_tokens_of_clients(&mut self, clients: &[String], now: i64) -> Rows<Vec<u8>>;
    async fn live_tokens_for_targets(&mut self, targets: &[String], now: i64) -> Rows<Vec<u8>>;
    async fn end_task(&mut self, task: Key, at: i64, why: &str) -> Done;
    async fn end_engagements_in(&mut self, task: Key, at: i64) -> Done;
    async fn end_engagements_of(&mut self, agent: &str, at: i64) -> Result<u64, Failure>;
    async fn delete_answers_of_task(&mut self, task: Key) -> Done;
    /// Agents engaged in those of these tasks that have not ended: by beginning them or by an open engagement.
    async fn engaged_in(&mut self, tasks: &[Key]) -> Rows<String>;
    /// Tasks not ended and not expired, with each of these agents engaged in them.
    async fn live_tasks_with(&mut self, agents: &[String], now: i64) -> Rows<(String, Key)>;
    /// Tasks not ended in which this agent is engaged.
    async fn open_tasks_with(&mut self, agent: &str) -> Rows<TaskRow>;
    async fn open_tasks_of_subject(&mut self, subject: Key) -> Rows<Key>;
    async fn open_tasks_of_providers(&mut self, providers: &[String]) -> Rows<Key>;
    async fn agents_of_issuers(&mut self, issuers: &[String]) -> Rows<String>;
    /// Sets state, end and cutoff.
    async fn change_agent(&mut self, agent: &AgentRow) -> Done;
    async fn change_cutoff(&mut self, subject: Key, cutoff: i64) -> Done;
    async fn parties(&mut self) -> Rows<PartyRow>;
    async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done;
    async fn delete_party(&mut self, row: &PartyRow) -> Done;
    async fn put_key(&mut self, key: &SigningKeyRow) -> Done;

    async fn expired_tasks(&mut self, now: i64, limit: i64) -> Rows<Key>;
    /// Tokens numbered before `bound` that expired before `until`.
    async fn old_tokens(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key>;
    async fn delete_tokens(&mut self, jtis: &[Key]) -> Done;
    async fn old_logins(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key>;
    async fn delete_logins(&mut self, ids: &[Key]) -> Done;
    async fn old_spent(&mut self, until: i64, limit: i64) -> Rows<Hash>;
    async fn delete_spent(&mut self, hashes: &[Hash]) -> Done;

    async fn number(&mut self, name: &str) -> Result<Option<i64>, Failure>;
    async fn raise_number(&mut self, name: &str, value: i64) -> Done;
    async fn set_number(&mut self, name: &str, value: i64) -> Done;

    async fn answer(&mut self, login: Key, target: &str, scope: &str) -> Result<Option<Vec<u8>>, Failure>;
    async fn newest_agents(&mut self, limit: i64) -> Rows<AgentRow>;
    async fn newest_tasks(&mut self, live_at: Option<i64>, limit: i64) -> Rows<TaskRow>;
    async fn tasks_with(&mut self, agent: &str, live_at: Option<i64>, limit: i64) -> Rows<TaskRow>;
    async fn tokens_in(&mut self, range: &Range) -> Rows<TokenRow>;
    async fn signing_keys(&mut self) -> Rows<SigningKeyRow>;

    async fn head(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure>;
    async fn chains(&mut self) -> Rows<String>;
    async fn audit_after(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<AuditColumns>;
    async fn audit_newest(&mut self, chain: &str, limit: i64) -> Rows<AuditColumns>;
    async fn audit_of_agent(&mut self, agent: &str) -> Rows<AuditColumns>;
    async fn audit_of_tasks(&mut self, tasks: &[Key]) -> Rows<AuditColumns>;
    async fn audit_of_token(&mut self, jti: Key) -> Rows<AuditColumns>;
    async fn audit_of_request(&mut self, request: Key) -> Rows<AuditColumns>;
    async fn checkpoint_keys(&mut self) -> Rows<CheckpointKeyRow>;
    async fn insert_checkpoint_key(&mut self, row: &CheckpointKeyRow) -> Done;
    async fn checkpoints(&mut self, chain: &str) -> Rows<CheckpointRow>;
    async fn last_checkpoint(&mut self, chain: &str) -> Result<Option<i64>, Failure>;
    async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Done;
}

/// Implements [`Statements`] for a session type over one connection type.
///
/// `$by` reads the rows whose column is one of the keys, `$insert` writes rows, `$load`, `$first` and
/// `$execute` run a query, `$batch` runs plain text, `$locked` adds a row lock to a query and loads it.
macro_rules! statements {
    (
        $session:ident, locks: $locks:literal, begin: $begin:literal,
        by: $by:ident, insert: $insert:ident, load: $load:ident, first: $first:ident,
        execute: $execute:ident, batch: $batch:ident, locked: $locked:ident
    ) => {
        use diesel::dsl::max;
        use diesel::{
            BoolExpressionMethods as _, ExpressionMethods as _, JoinOnDsl as _,
            NullableExpressionMethods as _, OptionalExtension as _, QueryDsl as _, SelectableHelper as _,
        };
        use $crate::store::rows::{
            AgentRow, AnswerRow, AuditColumns, CheckpointKeyRow, CheckpointRow, EngagementRow, Hash, Key,
            LoginRow, PartyRow, SigningKeyRow, SpentRow, SubjectRow, TaskRow, TokenRow,
        };
        use $crate::store::schema::{
            agent, answer, audit, checkpoint, checkpoint_key, engagement, login, meta, party, signing_key,
            spent, subject, task, token,
        };
        use $crate::store::statements::{Done, Failure, Joined, Lock, Range, Rows, Statements};

        impl Statements for $session<'_> {
            const LOCKS: bool = $locks;

            async fn begin(&mut self) -> Done {
                $batch!(self, $begin)
            }
            async fn commit(&mut self) -> Done {
                $batch!(self, "COMMIT")
            }
            async fn rollback(&mut self) -> Done {
                $batch!(self, "ROLLBACK")
            }

            async fn spent(&mut self, hashes: &[Hash]) -> Rows<Hash> {
                let rows: Vec<SpentRow> = $by!(self, SpentRow, spent, hash, hashes, Lock::None);
                Ok(rows.into_iter().map(|row| row.hash).collect())
            }
            async fn tokens(&mut self, jtis: &[Key]) -> Rows<TokenRow> {
                Ok($by!(self, TokenRow, token, jti, jtis, Lock::None))
            }
            async fn logins(&mut self, ids: &[Key]) -> Rows<LoginRow> {
                Ok($by!(self, LoginRow, login, id, ids, Lock::None))
            }
            async fn logins_of_id_tokens(&mut self, hashes: &[Hash]) -> Rows<LoginRow> {
                Ok($by!(self, LoginRow, login, id_token_hash, hashes, Lock::None))
            }
            async fn tasks(&mut self, ids: &[Key], lock: Lock) -> Rows<TaskRow> {
                Ok($by!(self, TaskRow, task, id, ids, lock))
            }
            async fn subjects(&mut self, references: &[Key], lock: Lock) -> Rows<SubjectRow> {
                Ok($by!(self, SubjectRow, subject, reference, references, lock))
            }
            async fn subjects_named(&mut self, names: &[(String, String)], lock: Lock) -> Rows<SubjectRow> {
                if !Self::LOCKS || names.len() == 1 {
                    let mut rows = Vec::with_capacity(names.len());
                    for (issuer, upstream) in names {
                        let query = subject::table
                            .filter(subject::issuer.eq(issuer).and(subject::upstream.eq(upstream)))
                            .select(SubjectRow::as_select());
                        let mut found: Vec<SubjectRow> = $locked!(self, query, lock);
                        rows.append(&mut found);
                    }
                    return Ok(rows);
                }
                let issuers: std::collections::BTreeSet<&str> =
                    names.iter().map(|(issuer, _)| issuer.as_str()).collect();
                let upstreams: std::collections::BTreeSet<&str> =
                    names.iter().map(|(_, upstream)| upstream.as_str()).collect();
                let query = subject::table
                    .filter(subject::issuer.eq_any(issuers).and(subject::upstream.eq_any(upstreams)))
                    .order(subject::reference)
                    .select(SubjectRow::as_select());
                Ok($locked!(self, query, lock))
            }
            async fn agents(&mut self, ids: &[String], lock: Lock) -> Rows<AgentRow> {
                Ok($by!(self, AgentRow, agent, id, ids, lock))
            }
            async fn key_states(&mut self, lock: Lock) -> Rows<(String, Option<i64>)> {
                let query = signing_key::table
                    .order(signing_key::kid)
                    .select((signing_key::kid, signing_key::revoked_at));
                Ok($locked!(self, query, lock))
            }
            async fn lineage(&mut self, jti: Key) -> Result<Option<Joined>, Failure> {
                let query = token::table
                    .inner_join(login::table.on(login::id.eq(token::login)))
                    .inner_join(task::table.on(task::id.eq(login::task)))
                    .inner_join(subject::table.on(subject::reference.eq(task::subject)))
                    .filter(token::jti.eq(jti))
                    .select((
                        TokenRow::as_select(),
                        LoginRow::as_select(),
                        TaskRow::as_select(),
                        SubjectRow::as_select(),
                    ));
                Ok($first!(self, query).optional()?)
            }

            async fn insert_subjects(&mut self, rows: &[SubjectRow]) -> Done {
                $insert!(self, subject, rows)
            }
            async fn insert_agents(&mut self, rows: &[AgentRow]) -> Done {
                $insert!(self, agent, rows)
            }
            async fn insert_tasks(&mut self, rows: &[TaskRow]) -> Done {
                $insert!(self, task, rows)
            }
            async fn insert_logins(&mut self, rows: &[LoginRow]) -> Done {
                $insert!(self, login, rows)
            }
            async fn insert_answers(&mut self, rows: &[AnswerRow]) -> Done {
                for row in rows {
                    $execute!(
                        self,
                        diesel::insert_into(answer::table)
                            .values(row)
                            .on_conflict((answer::login, answer::target, answer::scope))
                            .do_nothing()
                    )?;
                }
                Ok(())
            }
            async fn open_engagements(&mut self, rows: &[EngagementRow]) -> Done {
                for row in rows {
                    $execute!(
                        self,
                        diesel::insert_into(engagement::table)
                            .values(row)
                            .on_conflict((engagement::agent, engagement::task))
                            .do_update()
                            .set(engagement::ended_at.eq(None::<i64>))
                    )?;
                }
                Ok(())
            }
            async fn insert_tokens(&mut self, rows: &[TokenRow]) -> Done {
                $insert!(self, token, rows)
            }
            async fn insert_spent(&mut self, rows: &[SpentRow]) -> Done {
                $insert!(self, spent, rows)
            }
            async fn insert_audit(&mut self, rows: &[AuditColumns]) -> Done {
                $insert!(self, audit, rows)
            }

            async fn count_live(&mut self, range: &Range, now: i64) -> Result<u64, Failure> {
                let query = token::table
                    .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                    .filter(token::revoked_at.is_null().and(token::expires_at.gt(now)))
                    .count();
                let count: i64 = $first!(self, query)?;
                Ok(u64::try_from(count).unwrap_or(0))
            }
            async fn revoke_range(&mut self, range: &Range, at: i64, why: &str) -> Result<u64, Failure> {
                let rows = token::table
                    .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                    .filter(token::revoked_at.is_null());
                let count = $execute!(
                    self,
                    diesel::update(rows).set((token::revoked_at.eq(at), token::revoked_why.eq(why)))
                )?;
                Ok(count as u64)
            }
            async fn revoke_expired(&mut self, until: i64, at: i64, why: &str) -> Result<u64, Failure> {
                let rows = token::table.filter(token::expires_at.le(until).and(token::revoked_at.is_null()));
                let count = $execute!(
                    self,
                    diesel::update(rows).set((token::revoked_at.eq(at), token::revoked_why.eq(why)))
                )?;
                Ok(count as u64)
            }
            async fn live_tokens_in(&mut self, range: &Range, now: i64) -> Rows<TokenRow> {
                let query = token::table
                    .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                    .filter(token::revoked_at.is_null().and(token::expires_at.gt(now)))
                    .select(TokenRow::as_select());
                Ok($load!(self, query)?)
            }
            async fn live_tokens_of_clients(&mut self, clients: &[String], now: i64) -> Rows<Vec<u8>> {
                let query = token::table
                    .filter(token::client.eq_any(clients))
                    .filter(token::revoked_at.is_null().and(token::expires_at.gt(now)))
                    .order(token::path)
                    .select(token::path);
                Ok($load!(self, query)?)
            }
            async fn live_tokens_for_targets(&mut self, targets: &[String], now: i64) -> Rows<Vec<u8>> {
                let query = token::table
                    .filter(token::target.eq_any(targets))
                    .filter(token::revoked_at.is_null().and(token::expires_at.gt(now)))
                    .order(token::path)
                    .select(token::path);
                Ok($load!(self, query)?)
            }
            async fn end_task(&mut self, key: Key, at: i64, why: &str) -> Done {
                $execute!(
                    self,
                    diesel::update(task::table.find(key))
                        .set((task::ended_at.eq(at), task::ended_why.eq(why)))
                )?;
                Ok(())
            }
            async fn end_engagements_in(&mut self, key: Key, at: i64) -> Done {
                let rows =
                    engagement::table.filter(engagement::task.eq(key).and(engagement::ended_at.is_null()));
                $execute!(self, diesel::update(rows).set(engagement::ended_at.eq(at)))?;
                Ok(())
            }
            async fn end_engagements_of(&mut self, agent: &str, at: i64) -> Result<u64, Failure> {
                let rows =
                    engagement::table.filter(engagement::agent.eq(agent).and(engagement::ended_at.is_null()));
                let count = $execute!(self, diesel::update(rows).set(engagement::ended_at.eq(at)))?;
                Ok(count as u64)
            }
            async fn delete_answers_of_task(&mut self, key: Key) -> Done {
                $execute!(self, diesel::delete(answer::table.filter(answer::task.eq(key))))?;
                Ok(())
            }
            async fn engaged_in(&mut self, tasks: &[Key]) -> Rows<String> {
                let began = task::table
                    .filter(task::id.eq_any(tasks).and(task::ended_at.is_null()))
                    .select(task::agent);
                let entered = engagement::table
                    .filter(engagement::task.eq_any(tasks).and(engagement::ended_at.is_null()))
                    .select(engagement::agent);
                let mut agents: Vec<String> = $load!(self, began)?;
                agents.append(&mut $load!(self, entered)?);
                agents.sort_unstable();
                agents.dedup();
                Ok(agents)
            }
            async fn live_tasks_with(&mut self, agents: &[String], now: i64) -> Rows<(String, Key)> {
                let is_live = task::ended_at.is_null().and(task::expires_at.gt(now));
                let began = task::table
                    .filter(task::agent.eq_any(agents).and(is_live))
                    .select((task::agent, task::id));
                let entered = engagement::table
                    .inner_join(task::table.on(task::id.eq(engagement::task)))
                    .filter(engagement::agent.eq_any(agents).and(engagement::ended_at.is_null()))
                    .filter(is_live)
                    .select((engagement::agent, engagement::task));
                let mut tasks: Vec<(String, Key)> = $load!(self, began)?;
                tasks.append(&mut $load!(self, entered)?);
                Ok(tasks)
            }
            async fn open_tasks_with(&mut self, agent: &str) -> Rows<TaskRow> {
                let began = task::table
                    .filter(task::agent.eq(agent).and(task::ended_at.is_null()))
                    .select(TaskRow::as_select());
                let entered = task::table
                    .inner_join(engagement::table.on(engagement::task.eq(task::id)))
                    .filter(engagement::agent.eq(agent).and(engagement::ended_at.is_null()))
                    .filter(task::ended_at.is_null())
                    .select(TaskRow::as_select());
                let mut tasks: Vec<TaskRow> = $load!(self, began)?;
                tasks.append(&mut $load!(self, entered)?);
                tasks.sort_unstable_by_key(|task| task.id);
                tasks.dedup_by_key(|task| task.id);
                Ok(tasks)
            }
            async fn open_tasks_of_subject(&mut self, key: Key) -> Rows<Key> {
                let query = task::table
                    .filter(task::subject.eq(key).and(task::ended_at.is_null()))
                    .order(task::id)
                    .select(task::id);
                Ok($load!(self, query)?)
            }
            async fn open_tasks_of_providers(&mut self, providers: &[String]) -> Rows<Key> {
                let theirs = login::table.filter(login::provider.eq_any(providers)).select(login::task);
                let query = task::table
                    .filter(task::ended_at.is_null().and(task::id.eq_any(theirs)))
                    .order(task::id)
                    .select(task::id);
                Ok($load!(self, query)?)
            }
            async fn agents_of_issuers(&mut self, issuers: &[String]) -> Rows<String> {
                let query = agent::table
                    .filter(agent::issuer.assume_not_null().eq_any(issuers))
                    .order(agent::id)
                    .select(agent::id);
                Ok($load!(self, query)?)
            }
            async fn change_agent(&mut self, row: &AgentRow) -> Done {
                $execute!(
                    self,
                    diesel::update(agent::table.find(&row.id)).set((
                        agent::state.eq(&row.state),
                        agent::ended_at.eq(row.ended_at),
                        agent::ended_why.eq(&row.ended_why),
                        agent::cutoff.eq(row.cutoff),
                    ))
                )?;
                Ok(())
            }
            async fn change_cutoff(&mut self, key: Key, cutoff: i64) -> Done {
                $execute!(self, diesel::update(subject::table.find(key)).set(subject::cutoff.eq(cutoff)))?;
                Ok(())
            }
            async fn parties(&mut self) -> Rows<PartyRow> {
                Ok($load!(self, party::table.select(PartyRow::as_select()))?)
            }
            async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done {
                $insert!(self, party, rows)
            }
            async fn delete_party(&mut self, row: &PartyRow) -> Done {
                $execute!(self, diesel::delete(party::table.find((&row.kind, &row.id))))?;
                Ok(())
            }
            async fn put_key(&mut self, key: &SigningKeyRow) -> Done {
                $execute!(
                    self,
                    diesel::insert_into(signing_key::table)
                        .values(key)
                        .on_conflict(signing_key::kid)
                        .do_update()
                        .set((
                            signing_key::sealed.eq(&key.sealed),
                            signing_key::published_at.eq(key.published_at),
                            signing_key::active_from.eq(key.active_from),
                            signing_key::retired_at.eq(key.retired_at),
                            signing_key::revoked_at.eq(key.revoked_at),
                        ))
                )?;
                Ok(())
            }

            async fn expired_tasks(&mut self, now: i64, limit: i64) -> Rows<Key> {
                let query = task::table
                    .filter(task::ended_at.is_null().and(task::expires_at.le(now)))
                    .order(task::expires_at)
                    .limit(limit)
                    .select(task::id);
                Ok($load!(self, query)?)
            }
            async fn old_tokens(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key> {
                let query = token::table
                    .filter(token::jti.lt(bound).and(token::expires_at.lt(until)))
                    .order(token::jti)
                    .limit(limit)
                    .select(token::jti);
                Ok($load!(self, query)?)
            }
            async fn delete_tokens(&mut self, jtis: &[Key]) -> Done {
                $execute!(self, diesel::delete(token::table.filter(token::jti.eq_any(jtis))))?;
                Ok(())
            }
            async fn old_logins(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key> {
                let query = login::table
                    .filter(login::id.lt(bound).and(login::ends_at.lt(until)))
                    .order(login::id)
                    .limit(limit)
                    .select(login::id);
                Ok($load!(self, query)?)
            }
            async fn delete_logins(&mut self, ids: &[Key]) -> Done {
                $execute!(self, diesel::delete(answer::table.filter(answer::login.eq_any(ids))))?;
                $execute!(self, diesel::delete(login::table.filter(login::id.eq_any(ids))))?;
                Ok(())
            }
            async fn old_spent(&mut self, until: i64, limit: i64) -> Rows<Hash> {
                let query = spent::table
                    .filter(spent::until.lt(until))
                    .order(spent::until)
                    .limit(limit)
                    .select(spent::hash);
                Ok($load!(self, query)?)
            }
            async fn delete_spent(&mut self, hashes: &[Hash]) -> Done {
                $execute!(self, diesel::delete(spent::table.filter(spent::hash.eq_any(hashes))))?;
                Ok(())
            }

            async fn number(&mut self, name: &str) -> Result<Option<i64>, Failure> {
                Ok($first!(self, meta::table.find(name).select(meta::value)).optional()?)
            }
            async fn raise_number(&mut self, name: &str, value: i64) -> Done {
                let row = meta::table.filter(meta::name.eq(name).and(meta::value.lt(value)));
                $execute!(self, diesel::update(row).set(meta::value.eq(value)))?;
                Ok(())
            }
            async fn set_number(&mut self, name: &str, value: i64) -> Done {
                $execute!(self, diesel::update(meta::table.find(name)).set(meta::value.eq(value)))?;
                Ok(())
            }

            async fn answer(
                &mut self,
                login: Key,
                target: &str,
                scope: &str,
            ) -> Result<Option<Vec<u8>>, Failure> {
                let query = answer::table.find((login, target, scope)).select(answer::sealed);
                Ok($first!(self, query).optional()?)
            }
            async fn newest_agents(&mut self, limit: i64) -> Rows<AgentRow> {
                let query = agent::table
                    .order((agent::first_seen.desc(), agent::id))
                    .limit(limit)
                    .select(AgentRow::as_select());
                Ok($load!(self, query)?)
            }
            async fn newest_tasks(&mut self, live_at: Option<i64>, limit: i64) -> Rows<TaskRow> {
                let query = task::table.order(task::id.desc()).limit(limit).select(TaskRow::as_select());
                match live_at {
                    None => Ok($load!(self, query)?),
                    Some(at) => {
                        let live = task::ended_at.is_null().and(task::expires_at.gt(at));
                        Ok($load!(self, query.filter(live))?)
                    }
                }
            }
            async fn tasks_with(&mut self, agent: &str, live_at: Option<i64>, limit: i64) -> Rows<TaskRow> {
                let began = task::table
                    .filter(task::agent.eq(agent))
                    .order(task::id.desc())
                    .limit(limit)
                    .select(TaskRow::as_select());
                let entered = engagement::table
                    .inner_join(task::table.on(task::id.eq(engagement::task)))
                    .filter(engagement::agent.eq(agent))
                    .order(engagement::task.desc())
                    .limit(limit)
                    .select(TaskRow::as_select());
                let mut tasks: Vec<TaskRow>;
                match live_at {
                    None => {
                        tasks = $load!(self, began)?;
                        tasks.append(&mut $load!(self, entered)?);
                    }
                    Some(at) => {
                        let is_live = task::ended_at.is_null().and(task::expires_at.gt(at));
                        tasks = $load!(self, began.filter(is_live))?;
                        tasks.append(&mut $load!(self, entered.filter(is_live))?);
                    }
                }
                tasks.sort_unstable_by(|one, other| other.id.cmp(&one.id));
                tasks.dedup_by_key(|task| task.id);
                tasks.truncate(usize::try_from(limit).unwrap_or(0));
                Ok(tasks)
            }
            async fn tokens_in(&mut self, range: &Range) -> Rows<TokenRow> {
                let query = token::table
                    .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                    .order(token::path)
                    .select(TokenRow::as_select());
                Ok($load!(self, query)?)
            }
            async fn signing_keys(&mut self) -> Rows<SigningKeyRow> {
                let query = signing_key::table
                    .order((signing_key::published_at, signing_key::active_from, signing_key::kid))
                    .select(SigningKeyRow::as_select());
                Ok($load!(self, query)?)
            }

            async fn head(&mut self, chain: &str) -> Result<Option<(i64, Hash)>, Failure> {
                let query = audit::table
                    .filter(audit::chain.eq(chain))
                    .order(audit::seq.desc())
                    .limit(1)
                    .select((audit::seq, audit::hash));
                Ok($first!(self, query).optional()?)
            }
            async fn chains(&mut self) -> Rows<String> {
                let query = audit::table.select(audit::chain).distinct().order(audit::chain);
                Ok($load!(self, query)?)
            }
            async fn audit_after(&mut self, chain: &str, seq: i64, limit: i64) -> Rows<AuditColumns> {
                let query = audit::table
                    .filter(audit::chain.eq(chain).and(audit::seq.gt(seq)))
                    .order(audit::seq)
                    .limit(limit)
                    .select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn audit_newest(&mut self, chain: &str, limit: i64) -> Rows<AuditColumns> {
                let query = audit::table
                    .filter(audit::chain.eq(chain))
                    .order(audit::seq.desc())
                    .limit(limit)
                    .select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn audit_of_agent(&mut self, agent: &str) -> Rows<AuditColumns> {
                let began = task::table.filter(task::agent.eq(agent)).select(task::id.nullable());
                let entered =
                    engagement::table.filter(engagement::agent.eq(agent)).select(engagement::task.nullable());
                let query = audit::table
                    .filter(audit::agent.eq(agent))
                    .or_filter(audit::task.eq_any(began))
                    .or_filter(audit::task.eq_any(entered))
                    .select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn audit_of_tasks(&mut self, tasks: &[Key]) -> Rows<AuditColumns> {
                let query = audit::table
                    .filter(audit::task.assume_not_null().eq_any(tasks))
                    .select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn audit_of_token(&mut self, jti: Key) -> Rows<AuditColumns> {
                let query = audit::table.filter(audit::jti.eq(jti)).select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn audit_of_request(&mut self, request: Key) -> Rows<AuditColumns> {
                let query = audit::table.filter(audit::request.eq(request)).select(AuditColumns::as_select());
                Ok($load!(self, query)?)
            }
            async fn checkpoint_keys(&mut self) -> Rows<CheckpointKeyRow> {
                let query =
                    checkpoint_key::table.order(checkpoint_key::chain).select(CheckpointKeyRow::as_select());
                Ok($load!(self, query)?)
            }
            async fn insert_checkpoint_key(&mut self, row: &CheckpointKeyRow) -> Done {
                $execute!(self, diesel::insert_into(checkpoint_key::table).values(row))?;
                Ok(())
            }
            async fn checkpoints(&mut self, chain: &str) -> Rows<CheckpointRow> {
                let query = checkpoint::table
                    .filter(checkpoint::chain.eq(chain))
                    .order(checkpoint::seq)
                    .select(CheckpointRow::as_select());
                Ok($load!(self, query)?)
            }
            async fn last_checkpoint(&mut self, chain: &str) -> Result<Option<i64>, Failure> {
                let query =
                    checkpoint::table.filter(checkpoint::chain.eq(chain)).select(max(checkpoint::seq));
                Ok($first!(self, query)?)
            }
            async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Done {
                $execute!(self, diesel::insert_into(checkpoint::table).values(row))?;
                Ok(())
            }
        }
    };
}

pub(super) use statements;
