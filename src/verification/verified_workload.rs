//! The proof that a workload's credential was verified. Its fields are private: only this module and the
//! functions of [`super`] that verify can make one.

use std::sync::Arc;

use crate::base::digest::sha256;
use crate::base::time::Timestamp;
use crate::oauth::{CredentialHash, Issuer, WorkloadId, WorkloadIdKind};
use crate::registry::AgentClass;

/// One credential of a platform, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    pub hash: CredentialHash,
    /// `exp`.
    pub expires_at: Timestamp,
}

impl Credential {
    /// The hash of what was signed.
    pub(super) fn hash(signing_input: &str) -> CredentialHash {
        CredentialHash::new(sha256([signing_input.as_bytes()]))
    }
}

/// A workload's credential whose issuer, signature, audience and times were verified.
#[derive(Clone, Debug)]
pub struct VerifiedWorkload {
    issuer: Issuer,
    class: Arc<AgentClass>,
    named: Named,
    issued_at: i64,
    credential: Credential,
    build: Build,
}

/// How a credential names its workload.
#[derive(Clone, Debug)]
pub struct Named {
    /// `sub`
    pub(super) subject: Option<String>,
    /// The id that names the agent.
    pub(super) id: WorkloadId,
    /// The stable id, or the instance id where there is no other.
    pub(super) workload: String,
}

/// What a platform says of the software that an agent runs. It is shown to operators, and decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    pub software: Option<String>,
    pub version: Option<String>,
    pub image: Option<String>,
}

impl VerifiedWorkload {
    /// The caller has verified the credential by the rules of its issuer.
    pub(super) fn new(
        issuer: Issuer,
        class: Arc<AgentClass>,
        named: Named,
        issued_at: i64,
        credential: Credential,
        build: Build,
    ) -> Self {
        Self { issuer, class, named, issued_at, credential, build }
    }

    /// A workload for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(issuer: Issuer, class: Arc<AgentClass>, subject: Option<&str>, id: &str) -> Self {
        let named = Named {
            subject: subject.map(str::to_owned),
            id: WorkloadId::of_text(WorkloadIdKind::Instance, id),
            workload: "workload-1".to_owned(),
        };
        let hash = CredentialHash::new(sha256([id.as_bytes()]));
        let credential = Credential { hash, expires_at: Timestamp::from_seconds(i64::from(u32::MAX)) };
        Self::new(issuer, class, named, i64::MAX, credential, Build::default())
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
        self.named.subject.as_deref()
    }

    /// The id that names the agent: the stable id; for a class whose agents are instances the instance id.
    pub const fn id(&self) -> &WorkloadId {
        &self.named.id
    }

    /// The stable id, or the instance id where the credential has no other.
    pub fn workload(&self) -> &str {
        &self.named.workload
    }

    /// The instance id, for a class whose agents are instances.
    pub fn instance(&self) -> Option<String> {
        (self.named.id.kind == WorkloadIdKind::Instance).then(|| self.named.id.text())
    }

    /// What the credential says of the software that the workload runs.
    pub const fn build(&self) -> &Build {
        &self.build
    }

    /// `iat` in whole seconds since the epoch; the earliest time where the credential does not say it.
    pub const fn issued_at(&self) -> i64 {
        self.issued_at
    }

    /// Whether `token` is this credential: the same text was signed. An ECDSA signature can be varied by its presenter,
    /// and so the whole token.
    pub fn is(&self, token: &str) -> bool {
        token.rsplit_once('.').is_some_and(|(signed, _)| Credential::hash(signed) == self.credential.hash)
    }

    /// The credential itself, to be pinned to a key.
    pub const fn credential(&self) -> Credential {
        self.credential
    }
}
