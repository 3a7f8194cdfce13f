//! The proof that a workload's credential was verified. Its fields are private: only this module and the
//! functions of [`super`] that verify can make one.

use std::sync::Arc;

use crate::oauth::Issuer;
use crate::registry::AgentClass;

/// A workload's credential whose issuer, signature, audience and times were verified.
#[derive(Clone, Debug)]
pub struct VerifiedWorkload {
    issuer: Issuer,
    class: Arc<AgentClass>,
    subject: Option<String>,
    workload: String,
    instance: Option<String>,
    issued_at: i64,
}

impl VerifiedWorkload {
    /// The caller has verified the credential by the rules of its issuer.
    pub(super) fn new(
        issuer: Issuer,
        class: Arc<AgentClass>,
        subject: Option<String>,
        (workload, instance): (String, Option<String>),
        issued_at: i64,
    ) -> Self {
        Self { issuer, class, subject, workload, instance, issued_at }
    }

    /// A workload for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(issuer: Issuer, class: Arc<AgentClass>, subject: Option<&str>, id: &str) -> Self {
        let ids = ("workload-1".to_owned(), Some(id.to_owned()));
        Self::new(issuer, class, subject.map(str::to_owned), ids, i64::MAX)
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

    /// The id that names the agent: the stable id; for a class of lifetime `task` the instance id.
    pub fn id(&self) -> &str {
        self.instance.as_ref().unwrap_or(&self.workload)
    }

    /// The stable id, or the instance id where the credential has no other.
    pub fn workload(&self) -> &str {
        &self.workload
    }

    /// The instance id, for a class of lifetime `task`.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// `iat` in whole seconds since the epoch; the earliest time where the credential does not say it.
    pub const fn issued_at(&self) -> i64 {
        self.issued_at
    }
}
