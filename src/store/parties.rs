//! The parties that were ever configured.

use super::rows::row;
use super::schema;
use super::statement::{Done, Failure, Rows};

row! {
    /// A party that is configured, or was.
    PartyRow of party {
        kind: String,
        id: String,
    }
}

pub(super) trait Parties {
    async fn parties(&mut self) -> Rows<PartyRow>;
    async fn has_party(&mut self, kind: &str, id: &str) -> Result<bool, Failure>;
    async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done;
}

/// Implements [`Parties`] for a session type; `$db` runs its queries.
macro_rules! parties {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{QueryDsl as _, SelectableHelper as _};
            use $crate::store::parties::{Parties, PartyRow};
            use $crate::store::schema::party;
            use $crate::store::statement::{Done, Failure, Rows};

            impl Parties for $session<'_> {
                async fn parties(&mut self) -> Rows<PartyRow> {
                    Ok($db!(load self, party::table.select(PartyRow::as_select()))?)
                }
                async fn has_party(&mut self, kind: &str, id: &str) -> Result<bool, Failure> {
                    let query = party::table.find((kind, id)).select(PartyRow::as_select());
                    let rows: Vec<PartyRow> = $db!(load self, query)?;
                    Ok(!rows.is_empty())
                }
                async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done {
                    $db!(insert self, party, rows)
                }
            }
        };
    };
}
pub(super) use parties;
