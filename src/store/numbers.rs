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
    /// Makes the number, 0, if there is none of this name.
    async fn make_number(&mut self, name: &str) -> Done;
    /// Adds 1, and gives the number as it is then; 0 where there is none of this name.
    async fn raise(&mut self, name: &str) -> Result<i64, Failure>;
    /// Adds 1: whether there is such a number.
    async fn count_up(&mut self, name: &str) -> Result<bool, Failure>;
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
                async fn make_number(&mut self, name: &str) -> Done {
                    let row = (meta::name.eq(name), meta::value.eq(0_i64));
                    $db!(execute self, diesel::insert_into(meta::table).values(row).on_conflict_do_nothing())?;
                    Ok(())
                }
                async fn raise(&mut self, name: &str) -> Result<i64, Failure> {
                    let row = diesel::update(meta::table.find(name));
                    let raised = row.set(meta::value.eq(meta::value + 1_i64)).returning(meta::value);
                    Ok($db!(first self, raised).optional()?.unwrap_or(0))
                }
                async fn count_up(&mut self, name: &str) -> Result<bool, Failure> {
                    let row = diesel::update(meta::table.find(name));
                    Ok($db!(execute self, row.set(meta::value.eq(meta::value + 1_i64)))? == 1)
                }
            }
        };
    };
}
pub(super) use numbers;
