//! The parties that were configured when the configuration last took effect.

use super::rows::row;
use super::schema;
use super::statement::{Done, Rows};

row! {
    /// A configured party.
    PartyRow of party {
        kind: String,
        id: String,
    }
}

pub(super) trait Parties {
    async fn parties(&mut self) -> Rows<PartyRow>;
    async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done;
    async fn delete_party(&mut self, row: &PartyRow) -> Done;
}

/// Implements [`Parties`] for a session type; `$db` runs its queries.
macro_rules! parties {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{QueryDsl as _, SelectableHelper as _};
            use $crate::store::parties::{Parties, PartyRow};
            use $crate::store::schema::party;
            use $crate::store::statement::{Done, Rows};

            impl Parties for $session<'_> {
                async fn parties(&mut self) -> Rows<PartyRow> {
                    Ok($db!(load self, party::table.select(PartyRow::as_select()))?)
                }
                async fn insert_parties(&mut self, rows: &[PartyRow]) -> Done {
                    $db!(insert self, party, rows)
                }
                async fn delete_party(&mut self, row: &PartyRow) -> Done {
                    $db!(execute self, diesel::delete(party::table.find((&row.kind, &row.id))))?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use parties;
