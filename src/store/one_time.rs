//! What was used up and may not be used again, for as long as it could still be presented.

use super::rows::{Hash, row};
use super::schema;
use super::statement::{Done, Rows};
use crate::base::digest::sha256_of_parts;
use crate::oauth::OneTime;

row! {
    /// One use, by the hash of what was used.
    OneTimeRow of one_time {
        hash: Hash,
        until: i64,
    }
}

impl From<&OneTime> for OneTimeRow {
    fn from(used: &OneTime) -> Self {
        Self { hash: key(used), until: used.until().millis() }
    }
}

/// The key under which a use is recorded: SHA-256 over its kind, its owner and what was used, each preceded
/// by its length.
pub(super) fn key(used: &OneTime) -> Hash {
    Hash(sha256_of_parts([used.kind().as_bytes(), used.owner(), used.jti().as_slice()]))
}

pub(super) trait OneTimeUses {
    async fn used_before(&mut self, hashes: &[Hash]) -> Rows<Hash>;
    async fn old_uses(&mut self, until: i64, limit: i64) -> Rows<Hash>;
    async fn insert_uses(&mut self, rows: &[OneTimeRow]) -> Done;
    async fn delete_uses(&mut self, hashes: &[Hash]) -> Done;
}

/// Implements [`OneTimeUses`] for a session type; `$db` runs its queries.
macro_rules! one_time {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{ExpressionMethods as _, QueryDsl as _};
            use $crate::store::one_time::{OneTimeUses, OneTimeRow};
            use $crate::store::rows::Hash;
            use $crate::store::schema::one_time;
            use $crate::store::statement::{Done, Lock, Rows};

            impl OneTimeUses for $session<'_> {
                async fn used_before(&mut self, hashes: &[Hash]) -> Rows<Hash> {
                    let rows: Vec<OneTimeRow> = $db!(by self, OneTimeRow, one_time, hash, hashes, Lock::None);
                    Ok(rows.into_iter().map(|row| row.hash).collect())
                }
                async fn old_uses(&mut self, until: i64, limit: i64) -> Rows<Hash> {
                    let query = one_time::table
                        .filter(one_time::until.lt(until))
                        .order(one_time::until)
                        .limit(limit)
                        .select(one_time::hash);
                    Ok($db!(load self, query)?)
                }
                async fn insert_uses(&mut self, rows: &[OneTimeRow]) -> Done {
                    $db!(insert self, one_time, rows)
                }
                async fn delete_uses(&mut self, hashes: &[Hash]) -> Done {
                    $db!(execute self, diesel::delete(one_time::table.filter(one_time::hash.eq_any(hashes))))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use one_time;
