//! Rows as both databases hold them, and their way to and from the domain's types.

use std::sync::Arc;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Binary;

use super::{KeyRow, StoreError, schema};
use crate::base::time::Timestamp;
use crate::config::AgentLifetime;
use crate::delegation::record::{
    Agent, AgentState, Delegation, EndReason, Ended, Login, LoginFacts, Provenance, Subject, Task, TokenKind,
};
use crate::oauth::{AgentId, ClientId, Issuer, Jti, LoginId, Purpose, Scope, SubjectRef, TargetId, TaskId};

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Binary)]
        pub(super) struct $name(pub(super) [u8; $length]);

        impl<DB: Backend> ToSql<Binary, DB> for $name
        where
            [u8]: ToSql<Binary, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                <[u8] as ToSql<Binary, DB>>::to_sql(self.0.as_slice(), out)
            }
        }

        impl<DB: Backend> FromSql<Binary, DB> for $name
        where
            Vec<u8>: FromSql<Binary, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, DB>>::from_sql(bytes)?;
                let found = bytes.len();
                bytes.try_into().map(Self).map_err(|_| {
                    format!("{found} bytes where {} were expected", $length).into()
                })
            }
        }
    };
}

fixed! {
    /// A UUID's bytes.
    Key, 16
}
fixed! {
    /// A SHA-256.
    Hash, 32
}

macro_rules! keys {
    ($($id:ident),*) => {$(
        impl From<$id> for Key {
            fn from(id: $id) -> Self {
                Self(*id.uuid().as_bytes())
            }
        }
        impl From<Key> for $id {
            fn from(key: Key) -> Self {
                Self::new(uuid::Uuid::from_bytes(key.0))
            }
        }
    )*};
}
keys!(Jti, TaskId, LoginId, SubjectRef);

impl From<crate::oauth::RequestId> for Key {
    fn from(id: crate::oauth::RequestId) -> Self {
        Self(*id.uuid().as_bytes())
    }
}

/// A value that does not parse.
const fn bad(table: &'static str, column: &'static str) -> StoreError {
    StoreError::Row { table, column }
}

fn ended(
    at: Option<i64>,
    why: Option<&str>,
    table: &'static str,
    column: &'static str,
) -> Result<Option<Ended>, StoreError> {
    match (at, why) {
        (None, _) => Ok(None),
        (Some(at), Some(why)) => {
            let why = EndReason::parse(why).ok_or(bad(table, column))?;
            Ok(Some(Ended { at: Timestamp::from_millis(at), why }))
        }
        (Some(_), None) => Err(bad(table, column)),
    }
}

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::millis)
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident of $table:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
        #[diesel(table_name = schema::$table, treat_none_as_default_value = false)]
        pub(super) struct $name { $(pub(super) $field: $type,)* }
    };
}

row! {
    /// A user.
    SubjectRow of subject {
        reference: Key,
        issuer: String,
        upstream: String,
        cutoff: Option<i64>,
    }
}

impl From<&Subject> for SubjectRow {
    fn from(subject: &Subject) -> Self {
        Self {
            reference: subject.reference.into(),
            issuer: subject.issuer.as_str().to_owned(),
            upstream: subject.upstream.clone(),
            cutoff: millis(subject.cutoff),
        }
    }
}

impl From<SubjectRow> for Subject {
    fn from(row: SubjectRow) -> Self {
        Self {
            reference: row.reference.into(),
            issuer: Issuer::new(row.issuer),
            upstream: row.upstream,
            cutoff: row.cutoff.map(Timestamp::from_millis),
        }
    }
}

row! {
    /// An agent.
    AgentRow of agent {
        id: String,
        client: String,
        issuer: Option<String>,
        workload: Option<String>,
        class: String,
        lifetime: String,
        state: String,
        ended_at: Option<i64>,
        ended_why: Option<String>,
        cutoff: Option<i64>,
        first_seen: i64,
    }
}

/// The word of a state in the database.
pub(super) const fn state_word(state: AgentState) -> &'static str {
    match state {
        AgentState::Active => "active",
        AgentState::Suspended => "suspended",
        AgentState::Retired => "retired",
        AgentState::Banned => "banned",
    }
}

const fn lifetime_word(lifetime: AgentLifetime) -> &'static str {
    match lifetime {
        AgentLifetime::Task => "task",
        AgentLifetime::Principal => "principal",
    }
}

impl From<&Agent> for AgentRow {
    fn from(agent: &Agent) -> Self {
        let (issuer, workload) = match &agent.provenance {
            Provenance::Client => (None, None),
            Provenance::Workload { issuer, id } => (Some(issuer.as_str().to_owned()), Some(id.clone())),
        };
        Self {
            id: agent.id.as_str().to_owned(),
            client: agent.client.as_str().to_owned(),
            issuer,
            workload,
            class: agent.class.clone(),
            lifetime: lifetime_word(agent.lifetime).to_owned(),
            state: state_word(agent.state).to_owned(),
            ended_at: agent.ended.map(|ended| ended.at.millis()),
            ended_why: agent.ended.map(|ended| ended.why.word().to_owned()),
            cutoff: millis(agent.cutoff),
            first_seen: agent.first_seen.millis(),
        }
    }
}

impl TryFrom<AgentRow> for Agent {
    type Error = StoreError;

    fn try_from(row: AgentRow) -> Result<Self, StoreError> {
        let lifetime = [AgentLifetime::Task, AgentLifetime::Principal]
            .into_iter()
            .find(|lifetime| lifetime_word(*lifetime) == row.lifetime)
            .ok_or(bad("agent", "lifetime"))?;
        let state = [AgentState::Active, AgentState::Suspended, AgentState::Retired, AgentState::Banned]
            .into_iter()
            .find(|state| state_word(*state) == row.state)
            .ok_or(bad("agent", "state"))?;
        let provenance = match (row.issuer, row.workload) {
            (None, None) => Provenance::Client,
            (Some(issuer), Some(id)) => Provenance::Workload { issuer: Issuer::new(issuer), id },
            _ => return Err(bad("agent", "workload")),
        };
        Ok(Self {
            ended: ended(row.ended_at, row.ended_why.as_deref(), "agent", "ended_why")?,
            id: AgentId::new(row.id),
            client: ClientId::new(row.client),
            provenance,
            class: row.class,
            lifetime,
            state,
            cutoff: row.cutoff.map(Timestamp::from_millis),
            first_seen: Timestamp::from_millis(row.first_seen),
        })
    }
}

row! {
    /// A task.
    TaskRow of task {
        id: Key,
        client: String,
        agent: String,
        subject: Key,
        purpose: Option<String>,
        started_at: i64,
        expires_at: i64,
        ended_at: Option<i64>,
        ended_why: Option<String>,
    }
}

impl From<&Task> for TaskRow {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.into(),
            client: task.client.as_str().to_owned(),
            agent: task.agent.as_str().to_owned(),
            subject: task.subject.into(),
            purpose: task.purpose.as_ref().map(|purpose| purpose.as_str().to_owned()),
            started_at: task.started_at.millis(),
            expires_at: task.expires_at.millis(),
            ended_at: task.ended.map(|ended| ended.at.millis()),
            ended_why: task.ended.map(|ended| ended.why.word().to_owned()),
        }
    }
}

impl TryFrom<TaskRow> for Task {
    type Error = StoreError;

    fn try_from(row: TaskRow) -> Result<Self, StoreError> {
        let purpose = match row.purpose {
            Some(text) => Some(Purpose::parse(&text).ok_or(bad("task", "purpose"))?),
            None => None,
        };
        Ok(Self {
            ended: ended(row.ended_at, row.ended_why.as_deref(), "task", "ended_why")?,
            id: row.id.into(),
            client: ClientId::new(row.client),
            agent: AgentId::new(row.agent),
            subject: row.subject.into(),
            purpose,
            started_at: Timestamp::from_millis(row.started_at),
            expires_at: Timestamp::from_millis(row.expires_at),
        })
    }
}

row! {
    /// A login.
    LoginRow of login {
        id: Key,
        task: Key,
        id_token_hash: Hash,
        slot: Key,
        provider: String,
        relying_party: String,
        levels: String,
        acr: Option<String>,
        amr: String,
        auth_time: i64,
        session: Option<Hash>,
        policy_claims: String,
        ends_at: i64,
    }
}

impl LoginRow {
    /// The row of a login that uses its ID token up for `slot`.
    pub(super) fn new(login: &Login, slot: Key) -> Result<Self, StoreError> {
        Ok(Self {
            id: login.id.into(),
            task: login.task.into(),
            id_token_hash: Hash(login.id_token_hash),
            slot,
            provider: login.provider.as_str().to_owned(),
            relying_party: login.relying_party.clone(),
            levels: serde_json::to_string(&login.levels).map_err(|_| bad("login", "levels"))?,
            acr: login.acr.clone(),
            amr: serde_json::to_string(&login.amr).map_err(|_| bad("login", "amr"))?,
            auth_time: login.auth_time,
            session: login.session.map(Hash),
            policy_claims: serde_json::to_string(&login.policy_claims)
                .map_err(|_| bad("login", "policy_claims"))?,
            ends_at: login.ends_at.millis(),
        })
    }
}

impl TryFrom<LoginRow> for Login {
    type Error = StoreError;

    fn try_from(row: LoginRow) -> Result<Self, StoreError> {
        let facts = LoginFacts {
            id_token_hash: row.id_token_hash.0,
            provider: Issuer::new(row.provider),
            relying_party: row.relying_party,
            levels: serde_json::from_str(&row.levels).map_err(|_| bad("login", "levels"))?,
            acr: row.acr,
            amr: serde_json::from_str(&row.amr).map_err(|_| bad("login", "amr"))?,
            auth_time: row.auth_time,
            session: row.session.map(|session| session.0),
            policy_claims: serde_json::from_str(&row.policy_claims)
                .map_err(|_| bad("login", "policy_claims"))?,
        };
        Ok(Self {
            id: row.id.into(),
            task: row.task.into(),
            facts: Arc::new(facts),
            ends_at: Timestamp::from_millis(row.ends_at),
        })
    }
}

row! {
    /// A sealed answer of a login.
    AnswerRow of answer {
        login: Key,
        task: Key,
        target: String,
        scope: String,
        sealed: Vec<u8>,
    }
}

row! {
    /// One agent working in a task that another began.
    EngagementRow of engagement {
        agent: String,
        task: Key,
        since: i64,
        ended_at: Option<i64>,
    }
}

row! {
    /// An issued token.
    TokenRow of token {
        jti: Key,
        kind: String,
        login: Key,
        path: Vec<u8>,
        actors: String,
        client: String,
        target: String,
        scope: String,
        issued_at: i64,
        expires_at: i64,
        kid: String,
        hash: Hash,
        revoked_at: Option<i64>,
        revoked_why: Option<String>,
    }
}

pub(super) const fn kind_word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Task => "task",
        TokenKind::Access => "access",
    }
}

/// The task, the ancestors and the token itself, as one key.
pub(super) fn path(task: TaskId, ancestors: &[Jti], own: Jti) -> Vec<u8> {
    let mut path = Vec::with_capacity(16 * (ancestors.len() + 2));
    path.extend_from_slice(task.uuid().as_bytes());
    for ancestor in ancestors {
        path.extend_from_slice(ancestor.uuid().as_bytes());
    }
    path.extend_from_slice(own.uuid().as_bytes());
    path
}

/// The first key after everything that begins with `prefix`; `None` if there is none.
pub(super) fn end_of_range(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

impl TokenRow {
    /// The task, and the ancestors with the token itself, oldest first.
    pub(super) fn lineage(&self) -> Result<(Key, Vec<Key>), StoreError> {
        let (keys, rest) = self.path.as_chunks::<16>();
        match keys {
            [task, jtis @ ..] if rest.is_empty() && jtis.last() == Some(&self.jti.0) => {
                Ok((Key(*task), jtis.iter().map(|jti| Key(*jti)).collect()))
            }
            _ => Err(bad("token", "path")),
        }
    }
}

impl From<&Delegation> for TokenRow {
    fn from(token: &Delegation) -> Self {
        let actors: Vec<&str> = token.chain.iter().map(AgentId::as_str).collect();
        Self {
            jti: token.jti.into(),
            kind: kind_word(token.kind).to_owned(),
            login: token.login.into(),
            path: path(token.task, &token.ancestors, token.jti),
            actors: actors.join(" "),
            client: token.client.as_str().to_owned(),
            target: token.target.as_str().to_owned(),
            scope: token.scope.as_str().to_owned(),
            issued_at: token.issued_at.millis(),
            expires_at: token.expires_at.millis(),
            kid: token.kid.clone(),
            hash: Hash(token.hash),
            revoked_at: token.revoked.map(|ended| ended.at.millis()),
            revoked_why: token.revoked.map(|ended| ended.why.word().to_owned()),
        }
    }
}

impl TryFrom<TokenRow> for Delegation {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        let (task, mut ancestors) = row.lineage()?;
        ancestors.pop();
        let kind = [TokenKind::Task, TokenKind::Access]
            .into_iter()
            .find(|kind| kind_word(*kind) == row.kind)
            .ok_or(bad("token", "kind"))?;
        let scope = if row.scope.is_empty() {
            Scope::empty()
        } else {
            Scope::parse(&row.scope).ok_or(bad("token", "scope"))?
        };
        Ok(Self {
            revoked: ended(row.revoked_at, row.revoked_why.as_deref(), "token", "revoked_why")?,
            jti: row.jti.into(),
            kind,
            task: task.into(),
            login: row.login.into(),
            ancestors: ancestors.into_iter().map(Jti::from).collect(),
            chain: row.actors.split(' ').filter(|id| !id.is_empty()).map(AgentId::new).collect(),
            client: ClientId::new(row.client),
            target: TargetId::new(row.target),
            scope,
            issued_at: Timestamp::from_millis(row.issued_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            kid: row.kid,
            hash: row.hash.0,
        })
    }
}

row! {
    /// A spent assertion.
    SpentRow of spent {
        hash: Hash,
        until: i64,
    }
}

row! {
    /// A signing key.
    SigningKeyRow of signing_key {
        kid: String,
        algorithm: String,
        public_jwk: String,
        sealed: Vec<u8>,
        published_at: i64,
        active_from: i64,
        retired_at: Option<i64>,
        revoked_at: Option<i64>,
    }
}

impl From<&KeyRow> for SigningKeyRow {
    fn from(key: &KeyRow) -> Self {
        Self {
            kid: key.kid.clone(),
            algorithm: key.algorithm.clone(),
            public_jwk: key.public_jwk.clone(),
            sealed: key.sealed.clone(),
            published_at: key.published_at.millis(),
            active_from: key.active_from.millis(),
            retired_at: millis(key.retired_at),
            revoked_at: millis(key.revoked_at),
        }
    }
}

impl From<SigningKeyRow> for KeyRow {
    fn from(row: SigningKeyRow) -> Self {
        Self {
            kid: row.kid,
            algorithm: row.algorithm,
            public_jwk: row.public_jwk,
            sealed: row.sealed,
            published_at: Timestamp::from_millis(row.published_at),
            active_from: Timestamp::from_millis(row.active_from),
            retired_at: row.retired_at.map(Timestamp::from_millis),
            revoked_at: row.revoked_at.map(Timestamp::from_millis),
        }
    }
}

row! {
    /// A configured party.
    PartyRow of party {
        kind: String,
        id: String,
    }
}

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
        signature: Vec<u8>,
    }
}
