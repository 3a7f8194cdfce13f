//! Logins: the ID tokens that fed a task, with the sealed answers that came with them.

use std::sync::Arc;

use super::rows::{Hash, Key, bad, row};
use super::statement::{Done, Failure, Rows};
use super::{StoreError, schema};
use crate::base::time::Timestamp;
use crate::delegation::record::{Login, LoginFacts};
use crate::delegation::stops::StopNumber;
use crate::oauth::Issuer;
use crate::verification::LoginToken;

row! {
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
        audience: Option<String>,
        issued_at: i64,
        auth_time: Option<i64>,
        session: Option<Hash>,
        policy_claims: String,
        as_of: i64,
        ends_at: i64,
        known_until: i64,
    }
}

impl LoginRow {
    /// The row of a login that uses its ID token up for `slot`.
    pub(super) fn new(login: &Login, slot: Key) -> Result<Self, StoreError> {
        let (audience, known_until) = match &login.token {
            LoginToken::IdToken => (None, login.ends_at),
            LoginToken::AccessToken { audience, expires_at } => (Some(audience.clone()), *expires_at),
        };
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
            audience,
            issued_at: login.issued_at,
            auth_time: login.auth_time,
            session: login.session.map(Hash),
            policy_claims: serde_json::to_string(&login.policy_claims)
                .map_err(|_| bad("login", "policy_claims"))?,
            as_of: login.as_of.get(),
            ends_at: login.ends_at.millis(),
            known_until: known_until.millis(),
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
            token: match row.audience {
                None => LoginToken::IdToken,
                Some(audience) => {
                    LoginToken::AccessToken { audience, expires_at: Timestamp::from_millis(row.known_until) }
                }
            },
            issued_at: row.issued_at,
            auth_time: row.auth_time,
            session: row.session.map(|session| session.0),
            policy_claims: serde_json::from_str(&row.policy_claims)
                .map_err(|_| bad("login", "policy_claims"))?,
        };
        Ok(Self {
            id: row.id.into(),
            task: row.task.into(),
            facts: Arc::new(facts),
            as_of: StopNumber::new(row.as_of),
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

pub(super) trait Logins {
    async fn logins(&mut self, ids: &[Key]) -> Rows<LoginRow>;
    async fn logins_of_id_tokens(&mut self, hashes: &[Hash]) -> Rows<LoginRow>;
    async fn old_logins(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key>;
    async fn answer(&mut self, login: Key, target: &str, scope: &str) -> Result<Option<Vec<u8>>, Failure>;
    async fn insert_logins(&mut self, rows: &[LoginRow]) -> Done;
    /// Keeps what is there.
    async fn insert_answers(&mut self, rows: &[AnswerRow]) -> Done;
    async fn delete_logins(&mut self, ids: &[Key]) -> Done;
    async fn delete_answers_of_tasks(&mut self, tasks: &[Key]) -> Done;
}

/// Implements [`Logins`] for a session type; `$db` runs its queries.
macro_rules! logins {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
            };
            use $crate::store::logins::{AnswerRow, LoginRow, Logins};
            use $crate::store::rows::{Hash, Key};
            use $crate::store::schema::{answer, login};
            use $crate::store::statement::{Done, Failure, Lock, Rows};

            impl Logins for $session<'_> {
                async fn logins(&mut self, ids: &[Key]) -> Rows<LoginRow> {
                    Ok($db!(by self, LoginRow, login, id, ids, Lock::None))
                }
                async fn logins_of_id_tokens(&mut self, hashes: &[Hash]) -> Rows<LoginRow> {
                    Ok($db!(by self, LoginRow, login, id_token_hash, hashes, Lock::None))
                }
                async fn old_logins(&mut self, bound: Key, until: i64, limit: i64) -> Rows<Key> {
                    let query = login::table
                        .filter(login::id.lt(bound).and(login::known_until.lt(until)))
                        .order(login::id)
                        .limit(limit)
                        .select(login::id);
                    Ok($db!(load self, query)?)
                }
                async fn answer(
                    &mut self,
                    login: Key,
                    target: &str,
                    scope: &str,
                ) -> Result<Option<Vec<u8>>, Failure> {
                    let query = answer::table.find((login, target, scope)).select(answer::sealed);
                    Ok($db!(first self, query).optional()?)
                }
                async fn insert_logins(&mut self, rows: &[LoginRow]) -> Done {
                    $db!(insert self, login, rows)
                }
                async fn insert_answers(&mut self, rows: &[AnswerRow]) -> Done {
                    $db!(upsert self, rows, "ON CONFLICT (login, target, scope) DO NOTHING", |row| {
                        diesel::insert_into(answer::table)
                            .values(row)
                            .on_conflict((answer::login, answer::target, answer::scope))
                            .do_nothing()
                    })
                }
                async fn delete_logins(&mut self, ids: &[Key]) -> Done {
                    $db!(execute self, diesel::delete(answer::table.filter(answer::login.eq_any(ids))))?;
                    $db!(execute self, diesel::delete(login::table.filter(login::id.eq_any(ids))))?;
                    Ok(())
                }
                async fn delete_answers_of_tasks(&mut self, tasks: &[Key]) -> Done {
                    $db!(execute self, diesel::delete(answer::table.filter(answer::task.eq_any(tasks))))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use logins;
