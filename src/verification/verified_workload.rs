//! The proof that a workload's credential was verified. Its fields are private: only this module and the
//! functions of [`super`] that verify can make one.

use std::sync::Arc;

use crate::oauth::{Issuer, WorkloadId};
#[cfg(test)]
use crate::oauth::{WorkloadIdForm, WorkloadIdKind};
use crate::registry::AgentClass;

/// A workload's credential whose issuer, signature, audience and times were verified.
#[derive(Clone, Debug)]
pub struct VerifiedWorkload {
    issuer: Issuer,
    class: Arc<AgentClass>,
    subject: Option<String>,
    id: WorkloadId,
}

impl VerifiedWorkload {
    /// The caller has verified the credential by the rules of its issuer.
    pub(super) const fn new(
        issuer: Issuer,
        class: Arc<AgentClass>,
        subject: Option<String>,
        id: WorkloadId,
    ) -> Self {
        Self { issuer, class, subject, id }
    }

    /// A workload for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(issuer: Issuer, class: Arc<AgentClass>, subject: Option<&str>, id: &str) -> Self {
        let id =
            WorkloadId { kind: WorkloadIdKind::Instance, form: WorkloadIdForm::Text, text: id.to_owned() };
        Self::new(issuer, class, subject.map(str::to_owned), id)
    }

    /// The workload issuer that vouches for it.
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The first class whose condition its claims meet.
    pub const fn class(&self) -> &Arc<AgentClass> {
        &self.class
    }

    /// `sub` of the credential.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The stable id; for a class of lifetime `task` the instance id.
    pub const fn id(&self) -> &WorkloadId {
        &self.id
    }
}
