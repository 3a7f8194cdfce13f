//! Single numbers with a name, such as the highest time seen.

use super::statement::{Done, Failure};

/// The name of the highest time seen.
pub(super) const HIGHEST_TIME: &str = "highest_time";
/// By how much time has to have gone on to be written down, in milliseconds.
pub(super) const TIME_STEP: i64 = 1000;

pub(super) trait Numbers {
    async fn number(&mut self, name: &str) -> Result<Option<i64>, Failure>;
    async fn raise_number(&mut self, name: &str, value: i64) -> Done;
    async fn set_number(&mut self, name: &str, value: i64) -> Done;
}

/// Implements [`Numbers`] for a session type; `$db` runs its queries.
macro_rules! numbers {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
            };
            use $crate::store::numbers::Numbers;
            use $crate::store::schema::meta;
            use $crate::store::statement::{Done, Failure};

            impl Numbers for $session<'_> {
                async fn number(&mut self, name: &str) -> Result<Option<i64>, Failure> {
                    Ok($db!(first self, meta::table.find(name).select(meta::value)).optional()?)
                }
                async fn raise_number(&mut self, name: &str, value: i64) -> Done {
                    let row = meta::table.filter(meta::name.eq(name).and(meta::value.lt(value)));
                    $db!(execute self, diesel::update(row).set(meta::value.eq(value)))?;
                    Ok(())
                }
                async fn set_number(&mut self, name: &str, value: i64) -> Done {
                    $db!(execute self, diesel::update(meta::table.find(name)).set(meta::value.eq(value)))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use numbers;
