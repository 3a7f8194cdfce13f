//! Signing keys, with their private part sealed.

use super::rows::{millis, row};
use super::statement::{Done, Lock, Rows};
use super::{KeyRow, schema};
use crate::base::time::Timestamp;

row! {
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

pub(super) trait Keys {
    /// Every key id, and when it was revoked.
    async fn key_states(&mut self, lock: Lock) -> Rows<(String, Option<i64>)>;
    async fn signing_keys(&mut self) -> Rows<SigningKeyRow>;
    /// Inserts a key, or changes one that is not revoked.
    async fn put_key(&mut self, key: &SigningKeyRow) -> Done;
}

/// Implements [`Keys`] for a session type; `$db` runs its queries.
macro_rules! keys {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
            use $crate::store::keys::{Keys, SigningKeyRow};
            use $crate::store::schema::signing_key;
            use $crate::store::statement::{Done, Lock, Rows};

            impl Keys for $session<'_> {
                async fn key_states(&mut self, lock: Lock) -> Rows<(String, Option<i64>)> {
                    let query = signing_key::table
                        .order(signing_key::kid)
                        .select((signing_key::kid, signing_key::revoked_at));
                    Ok($db!(locked self, query, lock))
                }
                async fn signing_keys(&mut self) -> Rows<SigningKeyRow> {
                    let query = signing_key::table
                        .order((signing_key::published_at, signing_key::active_from, signing_key::kid))
                        .select(SigningKeyRow::as_select());
                    Ok($db!(load self, query)?)
                }
                async fn put_key(&mut self, key: &SigningKeyRow) -> Done {
                    // Whatever else goes wrong, a revoked key stays as it is.
                    let trusted = signing_key::table.find(&key.kid).filter(signing_key::revoked_at.is_null());
                    let changed = $db!(execute self,
                        diesel::update(trusted).set((
                            signing_key::sealed.eq(&key.sealed),
                            signing_key::published_at.eq(key.published_at),
                            signing_key::active_from.eq(key.active_from),
                            signing_key::retired_at.eq(key.retired_at),
                            signing_key::revoked_at.eq(key.revoked_at),
                        ))
                    )?;
                    if changed == 0 {
                        $db!(execute self,
                            diesel::insert_into(signing_key::table).values(key).on_conflict_do_nothing()
                        )?;
                    }
                    Ok(())
                }
            }
        };
    };
}
pub(super) use keys;
