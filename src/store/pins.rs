//! The key or certificate that a platform's credential is pinned to, by the hash of the credential, until the credential has expired.

use super::rows::{Cnf, Hash, row};
use super::schema;
use super::statement::{Done, Rows};

row! {
    PinRow of pin {
        credential: Hash,
        cnf: Cnf,
        until: i64,
    }
}

pub(super) trait Pins {
    async fn pins(&mut self, credentials: &[Hash]) -> Rows<PinRow>;
    async fn old_pins(&mut self, until: i64, limit: i64) -> Rows<Hash>;
    async fn insert_pins(&mut self, rows: &[PinRow]) -> Done;
    async fn delete_pins(&mut self, credentials: &[Hash]) -> Done;
}

/// Implements [`Pins`] for a session type; `$db` runs its queries.
macro_rules! pins {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{ExpressionMethods as _, QueryDsl as _};
            use $crate::store::pins::{PinRow, Pins};
            use $crate::store::rows::Hash;
            use $crate::store::schema::pin;
            use $crate::store::statement::{Done, Lock, Rows};

            impl Pins for $session<'_> {
                async fn pins(&mut self, credentials: &[Hash]) -> Rows<PinRow> {
                    Ok($db!(by self, PinRow, pin, credential, credentials, Lock::None))
                }
                async fn old_pins(&mut self, until: i64, limit: i64) -> Rows<Hash> {
                    let query = pin::table
                        .filter(pin::until.lt(until))
                        .order(pin::until)
                        .limit(limit)
                        .select(pin::credential);
                    Ok($db!(load self, query)?)
                }
                async fn insert_pins(&mut self, rows: &[PinRow]) -> Done {
                    $db!(insert self, pin, rows)
                }
                async fn delete_pins(&mut self, credentials: &[Hash]) -> Done {
                    let old = pin::table.filter(pin::credential.eq_any(credentials));
                    $db!(execute self, diesel::delete(old))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use pins;
