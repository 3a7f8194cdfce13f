//! The full profiles of agents, beside the rows that an exchange reads.

use super::rows::{bad, row};
use super::statement::{Done, Rows};
use super::{StoreError, schema};
use crate::delegation::profile::{Member, Profile};
use crate::oauth::AgentId;

row! {
    ProfileRow of agent_profile {
        agent: String,
        owner: String,
        contact: Option<String>,
        purpose: Option<String>,
        notes: Option<String>,
    }
}

impl ProfileRow {
    pub(super) fn of(agent: &AgentId, profile: &Profile) -> Self {
        let text = |member| profile.get(member).map(str::to_owned);
        Self {
            agent: agent.as_str().to_owned(),
            owner: profile.owner.as_str().to_owned(),
            contact: text(Member::Contact),
            purpose: text(Member::Purpose),
            notes: text(Member::Notes),
        }
    }
}

impl TryFrom<ProfileRow> for Profile {
    type Error = StoreError;

    fn try_from(row: ProfileRow) -> Result<Self, StoreError> {
        let read = Self::parse(|member| match member {
            Member::Owner => Some(row.owner.as_str()),
            Member::Contact => row.contact.as_deref(),
            Member::Purpose => row.purpose.as_deref(),
            Member::Notes => row.notes.as_deref(),
        });
        read.map_err(|member| bad("agent_profile", member.word()))
    }
}

pub(super) trait Profiles {
    async fn profile(&mut self, agent: &str) -> Rows<ProfileRow>;
    /// Inserts the profile of an agent, or replaces it.
    async fn put_profile(&mut self, row: &ProfileRow) -> Done;
}

/// Implements [`Profiles`] for a session type; `$db` runs its queries.
macro_rules! profiles {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{ExpressionMethods as _, QueryDsl as _, SelectableHelper as _};
            use $crate::store::profiles::{ProfileRow, Profiles};
            use $crate::store::schema::agent_profile;
            use $crate::store::statement::{Done, Rows};

            impl Profiles for $session<'_> {
                async fn profile(&mut self, agent: &str) -> Rows<ProfileRow> {
                    Ok($db!(load self, agent_profile::table.find(agent).select(ProfileRow::as_select()))?)
                }
                async fn put_profile(&mut self, row: &ProfileRow) -> Done {
                    $db!(execute self,
                        diesel::insert_into(agent_profile::table)
                            .values(row)
                            .on_conflict(agent_profile::agent)
                            .do_update()
                            .set((
                                agent_profile::owner.eq(&row.owner),
                                agent_profile::contact.eq(&row.contact),
                                agent_profile::purpose.eq(&row.purpose),
                                agent_profile::notes.eq(&row.notes),
                            ))
                    )?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use profiles;
