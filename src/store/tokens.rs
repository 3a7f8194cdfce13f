//! Issued tokens. A token is found by its `jti`; a task and every subtree is one range of paths.

use serde::{Deserialize, Serialize};

use super::rows::{Cnf, Hash, Key, bad, ended, row};
use super::statement::{Done, Failure, Rows};
use super::{StoreError, schema};
use crate::base::time::Timestamp;
use crate::delegation::record::{Behalf, Delegation, Grounds, Handover, TokenForm, TokenKind, TokenWord};
use crate::delegation::stops::StopNumber;
use crate::oauth::{AgentId, ClientId, Jkt, Jti, Recipient, Scope, TargetId, TaskId};

row! {
    TokenRow of token {
        jti: Key,
        kind: String,
        login: Option<Key>,
        path: Vec<u8>,
        actors: String,
        classes: String,
        client: String,
        target: String,
        scope: String,
        issued_at: i64,
        expires_at: i64,
        kid: Option<String>,
        claims: Option<Vec<u8>>,
        policy: String,
        rules: String,
        as_of: i64,
        cnf: Option<Cnf>,
        handover: Option<String>,
        accepted_by: Option<String>,
        hash: Hash,
        revoked_at: Option<i64>,
        revoked_why: Option<String>,
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

/// Names as a JSON array.
fn list(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

/// What is recorded of a handover and never changes, as JSON.
#[derive(Serialize, Deserialize)]
struct Handed {
    to: Recipient,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jkt: Option<Jkt>,
    /// In milliseconds since the epoch.
    accept_until: i64,
}

impl TokenRow {
    fn kind(&self) -> Result<TokenKind, StoreError> {
        let word = TokenWord::parse(&self.kind).ok_or(bad("token", "kind"))?;
        match (word, self.handover.as_deref()) {
            (TokenWord::Task, None) => Ok(TokenKind::Task),
            (TokenWord::Access, None) => Ok(TokenKind::Access),
            (TokenWord::Agent, None) => Ok(TokenKind::Agent),
            (TokenWord::Handover, Some(text)) => {
                let handed: Handed = serde_json::from_str(text).map_err(|_| bad("token", "handover"))?;
                Ok(TokenKind::Handover(Box::new(Handover {
                    recipient: handed.to,
                    key: handed.jkt,
                    accept_until: Timestamp::from_millis(handed.accept_until),
                    accepted_by: self.accepted_by.as_deref().map(AgentId::new),
                })))
            }
            (TokenWord::Handover, None) | (_, Some(_)) => Err(bad("token", "handover")),
        }
    }
}

/// A handover as JSON.
fn handed(handover: &Handover) -> String {
    let Handover { recipient, key, accept_until, accepted_by: _ } = handover;
    let handed = Handed { to: recipient.clone(), jkt: *key, accept_until: accept_until.millis() };
    serde_json::to_string(&handed).unwrap_or_default()
}

impl From<&Delegation> for TokenRow {
    fn from(token: &Delegation) -> Self {
        let actors: Vec<&str> = token.agents().map(AgentId::as_str).collect();
        Self {
            jti: token.jti.into(),
            kind: token.kind.word().word().to_owned(),
            login: token.behalf.login().map(Key::from),
            path: path(token.task, &token.ancestors, token.jti),
            actors: actors.join(" "),
            classes: list(&token.classes),
            client: token.client.as_str().to_owned(),
            target: token.target.as_str().to_owned(),
            scope: token.scope.as_str().to_owned(),
            issued_at: token.issued_at.millis(),
            expires_at: token.expires_at.millis(),
            kid: token.form.kid().map(str::to_owned),
            claims: match &token.form {
                TokenForm::Jwt { .. } => None,
                TokenForm::Opaque { claims } => Some(claims.clone()),
            },
            policy: token.grounds.policy.clone(),
            rules: list(&token.grounds.rules),
            as_of: token.as_of.get(),
            cnf: token.bound_to.map(Cnf::from),
            handover: token.kind.handover().map(handed),
            accepted_by: token
                .kind
                .handover()
                .and_then(|handover| handover.accepted_by.as_ref())
                .map(|agent| agent.as_str().to_owned()),
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
        let mut chain: Vec<AgentId> =
            row.actors.split(' ').filter(|id| !id.is_empty()).map(AgentId::new).collect();
        let behalf = match row.login {
            Some(login) => Behalf::User(login.into()),
            None => Behalf::Agent(chain.pop().ok_or(bad("token", "actors"))?),
        };
        let kind = row.kind()?;
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
            behalf,
            ancestors: ancestors.into_iter().map(Jti::from).collect(),
            chain,
            client: ClientId::new(row.client),
            target: TargetId::new(row.target),
            scope,
            issued_at: Timestamp::from_millis(row.issued_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            form: match (row.kid, row.claims) {
                (Some(kid), None) => TokenForm::Jwt { kid },
                (None, Some(claims)) => TokenForm::Opaque { claims },
                _ => return Err(bad("token", "claims")),
            },
            classes: serde_json::from_str(&row.classes).map_err(|_| bad("token", "classes"))?,
            grounds: Grounds {
                policy: row.policy,
                rules: serde_json::from_str(&row.rules).map_err(|_| bad("token", "rules"))?,
            },
            as_of: StopNumber::new(row.as_of),
            bound_to: row.cnf.map(|cnf| cnf.read("token")).transpose()?,
            hash: row.hash.0,
        })
    }
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
        let to = end_of_range(prefix).unwrap_or_else(|| vec![u8::MAX; 17]);
        Self { from: prefix.to_vec(), to }
    }
}

/// A handover that is accepted for the first time, and the agent that accepts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Acceptance {
    pub(super) handover: Key,
    pub(super) agent: String,
}

/// As many live tokens are counted at most.
pub(super) const COUNTED: i64 = 1000;

pub(super) trait Tokens {
    async fn tokens(&mut self, jtis: &[Key]) -> Rows<TokenRow>;
    async fn newest_tokens_in(&mut self, range: &Range, limit: i64) -> Rows<TokenRow>;
    /// How many tokens of a range are neither revoked nor expired, up to [`COUNTED`].
    async fn count_live(&mut self, range: &Range, now: i64) -> Result<u64, Failure>;
    /// Tokens numbered before `bound` that expired before `until`.
    async fn old_tokens(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key>;
    async fn insert_tokens(&mut self, rows: &[TokenRow]) -> Done;
    /// Marks one token: whether it was not revoked before. What is below it is refused because of it.
    async fn revoke_token(&mut self, jti: Key, at: i64, why: &str) -> Result<bool, Failure>;
    /// Notes who accepted a handover: whether nobody had accepted it before.
    async fn accept_handover(&mut self, acceptance: &Acceptance) -> Result<bool, Failure>;
    async fn delete_tokens(&mut self, jtis: &[Key]) -> Done;
}

/// Implements [`Tokens`] for a session type; `$db` runs its queries.
macro_rules! tokens {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
            };
            use $crate::store::rows::Key;
            use $crate::store::schema::token;
            use $crate::store::statement::{Done, Failure, Lock, Rows};
            use $crate::store::tokens::{Acceptance, COUNTED, Range, TokenRow, Tokens};

            impl Tokens for $session<'_> {
                async fn tokens(&mut self, jtis: &[Key]) -> Rows<TokenRow> {
                    Ok($db!(by self, TokenRow, token, jti, jtis, Lock::None))
                }
                async fn newest_tokens_in(&mut self, range: &Range, limit: i64) -> Rows<TokenRow> {
                    let query = token::table
                        .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                        .order(token::jti.desc())
                        .limit(limit)
                        .select(TokenRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn count_live(&mut self, range: &Range, now: i64) -> Result<u64, Failure> {
                    let query = token::table
                        .filter(token::path.ge(&range.from).and(token::path.lt(&range.to)))
                        .filter(token::revoked_at.is_null().and(token::expires_at.gt(now)))
                        .limit(COUNTED)
                        .select(token::jti);
                    let found: Vec<Key> = $db!(load self, query)?;
                    Ok(found.len() as u64)
                }
                async fn old_tokens(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key> {
                    let query = token::table
                        .filter(token::jti.lt(bound).and(token::expires_at.lt(until)))
                        .order(token::jti)
                        .limit(limit)
                        .select(token::jti);
                    Ok($db!(load self, query)?)
                }
                async fn insert_tokens(&mut self, rows: &[TokenRow]) -> Done {
                    $db!(insert self, token, rows)
                }
                async fn revoke_token(&mut self, jti: Key, at: i64, why: &str) -> Result<bool, Failure> {
                    let row = token::table.find(jti).filter(token::revoked_at.is_null());
                    let revoked =
                        diesel::update(row).set((token::revoked_at.eq(at), token::revoked_why.eq(why)));
                    Ok($db!(execute self, revoked)? > 0)
                }
                async fn accept_handover(&mut self, acceptance: &Acceptance) -> Result<bool, Failure> {
                    let row = token::table.find(acceptance.handover).filter(token::accepted_by.is_null());
                    let accepted = diesel::update(row).set(token::accepted_by.eq(&acceptance.agent));
                    Ok($db!(execute self, accepted)? > 0)
                }
                async fn delete_tokens(&mut self, jtis: &[Key]) -> Done {
                    $db!(execute self, diesel::delete(token::table.filter(token::jti.eq_any(jtis))))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use tokens;
