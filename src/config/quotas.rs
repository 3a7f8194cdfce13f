//! `quotas`: how many agents there may be.

use super::table::table;
use crate::registry::Quotas;

table! {
    /// How many agents there may be. An agent that is known already gets its tokens whatever the quotas say.
    #[derive(Clone, Copy)]
    pub(super) struct RawQuotas {
        /// As many new agents may one node create in any 60 seconds.
        #[schemars(range(min = 1, max = 1_000_000), example = &600, extend("x-default" = "any number"))]
        new_per_minute: Option<u32>,
        /// As many agents that are not over there may be when one more is created. They are counted every 15 seconds, and
        /// those that the node creates meanwhile are added.
        #[schemars(range(min = 1, max = 100_000_000), example = &10_000, extend("x-default" = "any number"))]
        live: Option<u32>,
    }
}

table! {
    /// What holds for the agents of every workload issuer.
    pub(super) struct RawAgents {
        #[schemars(extend("x-default" = "no quotas"))]
        pub(super) quotas: RawQuotas,
    }
}

impl From<RawQuotas> for Quotas {
    fn from(raw: RawQuotas) -> Self {
        Self { new_per_minute: raw.new_per_minute, live: raw.live }
    }
}
