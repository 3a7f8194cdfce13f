//! Which quotas the creation of an agent counts against.

use super::actor::Acting;
use crate::oauth::Issuer;
use crate::registry::{Quotas, Registry};

/// The quotas of the workload issuer and of the class of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentQuotas {
    pub issuer: Issuer,
    pub of_issuer: Quotas,
    /// The name of the class.
    pub class: String,
    pub of_class: Quotas,
}

impl AgentQuotas {
    /// The quotas of the actor; `None` where nothing limits how many of its kind there are, and for a client's own agent,
    /// of which there is one.
    pub fn of(registry: &Registry, acting: &Acting) -> Option<Self> {
        let workload = acting.workload.as_ref()?;
        let of_issuer = registry.workload_issuers.get(workload.issuer()).map(|issuer| issuer.quotas);
        let quotas = Self {
            issuer: workload.issuer().clone(),
            of_issuer: of_issuer.unwrap_or_default(),
            class: workload.class().name.clone(),
            of_class: workload.class().quotas,
        };
        (!quotas.of_issuer.is_empty() || !quotas.of_class.is_empty()).then_some(quotas)
    }
}
