//! How much of what is on record has not ended. Tasks are counted up to a limit; agents are all counted, because quotas
//! depend on it, and their index has nothing else.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::StoreError;
use super::statement::{Failure, Rows};
use crate::oauth::Issuer;

/// Counts the tasks that have not ended, by the index of those.
pub(super) const TASKS: &str =
    "SELECT COUNT(*) AS number FROM (SELECT 1 FROM task WHERE ended_at IS NULL LIMIT 1000000) AS live";
/// Counts the agents that have not ended by workload issuer and class, by the index of those.
pub(super) const AGENTS: &str =
    "SELECT issuer, class, COUNT(*) AS number FROM agent WHERE ended_at IS NULL GROUP BY issuer, class";

#[derive(QueryableByName)]
pub(super) struct Counted {
    #[diesel(sql_type = BigInt)]
    pub(super) number: i64,
}

#[derive(QueryableByName)]
pub(super) struct CountedAgents {
    #[diesel(sql_type = Nullable<Text>)]
    issuer: Option<String>,
    #[diesel(sql_type = Text)]
    class: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The agents of one class of one workload issuer that are on record as live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveAgents {
    /// `None` for the agents that clients are themselves.
    pub issuer: Option<Issuer>,
    pub class: String,
    pub count: u64,
}

impl TryFrom<CountedAgents> for LiveAgents {
    type Error = StoreError;

    fn try_from(row: CountedAgents) -> Result<Self, StoreError> {
        Ok(Self { issuer: row.issuer.map(Issuer::new), class: row.class, count: count(row.number)? })
    }
}

/// A count as it is: never negative.
pub(super) fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Database("a count is negative".to_owned()))
}

pub(super) trait Census {
    async fn count_live_tasks(&mut self) -> Result<i64, Failure>;
    async fn count_live_agents(&mut self) -> Rows<CountedAgents>;
}

/// Implements [`Census`] for a session type; `$db` runs its queries.
macro_rules! census {
    ($session:ident, $db:ident) => {
        const _: () = {
            use $crate::store::census::{AGENTS, Census, Counted, CountedAgents, TASKS};
            use $crate::store::statement::{Failure, Rows};

            impl Census for $session<'_> {
                async fn count_live_tasks(&mut self) -> Result<i64, Failure> {
                    let counted: Counted = $db!(first self, diesel::sql_query(TASKS))?;
                    Ok(counted.number)
                }
                async fn count_live_agents(&mut self) -> Rows<CountedAgents> {
                    Ok($db!(load self, diesel::sql_query(AGENTS))?)
                }
            }
        };
    };
}
pub(super) use census;
