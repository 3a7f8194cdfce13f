//! The proofs that a workload's credential was verified, and which agent it is of. Their fields are private: only this
//! module and the functions of [`super`] that verify can make one.

use std::sync::Arc;

use crate::base::digest::sha256;
use crate::base::time::Timestamp;
use crate::oauth::{CredentialHash, Issuer, Jkt, WorkloadId, WorkloadIdKind};
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

/// A platform's credential whose issuer, signature, audience and times were verified. Where a key names the agent, it says
/// only whose workload the agent is of.
#[derive(Clone, Debug)]
pub struct VerifiedCredential {
    vouched: Vouched,
    naming: Naming,
}

/// A workload's credential that was verified, and the agent that it is of.
#[derive(Clone, Debug)]
pub struct VerifiedWorkload {
    vouched: Vouched,
    id: WorkloadId,
}

/// What the issuer of a credential vouches for.
#[derive(Clone, Debug)]
pub struct Vouched {
    pub(super) issuer: Issuer,
    pub(super) class: Arc<AgentClass>,
    /// `sub`
    pub(super) subject: Option<String>,
    /// The stable id, or the instance id where there is no other.
    pub(super) workload: String,
    pub(super) issued_at: i64,
    pub(super) credential: Credential,
    pub(super) build: Build,
}

/// What names the agent of a credential.
#[derive(Clone, Debug)]
pub enum Naming {
    /// The credential itself.
    Id(WorkloadId),
    /// The key that its holder proves.
    Key,
}

/// What a platform says of the software that an agent runs. It is shown to operators, and decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    pub software: Option<String>,
    pub version: Option<String>,
    pub image: Option<String>,
}

impl VerifiedCredential {
    /// The caller has verified the credential by the rules of its issuer.
    pub(super) const fn new(vouched: Vouched, naming: Naming) -> Self {
        Self { vouched, naming }
    }

    /// The workload of the agent that presents the credential, having proven this key. `None` where a key names the agent
    /// and none was proven.
    pub fn presented_with(&self, proven: Option<Jkt>) -> Option<VerifiedWorkload> {
        let id = match &self.naming {
            Naming::Id(id) => id.clone(),
            Naming::Key => WorkloadId::of_key(proven?),
        };
        Some(VerifiedWorkload { vouched: self.vouched.clone(), id })
    }

    /// Whether the agent is the one of the key that a request proves.
    pub const fn is_named_by_key(&self) -> bool {
        matches!(self.naming, Naming::Key)
    }

    /// The first class whose condition its claims meet.
    pub const fn class(&self) -> &Arc<AgentClass> {
        &self.vouched.class
    }

    /// Whether `token` is this credential: the same text was signed. An ECDSA signature can be varied by its presenter,
    /// and so the whole token.
    pub fn is(&self, token: &str) -> bool {
        let hash = self.vouched.credential.hash;
        token.rsplit_once('.').is_some_and(|(signed, _)| Credential::hash(signed) == hash)
    }
}

impl VerifiedWorkload {
    /// A workload for tests of what comes after verification.
    #[cfg(test)]
    pub(crate) fn for_tests(issuer: Issuer, class: Arc<AgentClass>, subject: Option<&str>, id: &str) -> Self {
        let hash = CredentialHash::new(sha256([id.as_bytes()]));
        let vouched = Vouched {
            issuer,
            class,
            subject: subject.map(str::to_owned),
            workload: "workload-1".to_owned(),
            issued_at: i64::MAX,
            credential: Credential { hash, expires_at: Timestamp::from_seconds(i64::from(u32::MAX)) },
            build: Build::default(),
        };
        Self { vouched, id: WorkloadId::of_text(WorkloadIdKind::Instance, id) }
    }

    /// The workload issuer that vouches for it.
    pub const fn issuer(&self) -> &Issuer {
        &self.vouched.issuer
    }

    /// The first class whose condition its claims meet.
    pub const fn class(&self) -> &Arc<AgentClass> {
        &self.vouched.class
    }

    /// `sub` of the credential.
    pub fn subject(&self) -> Option<&str> {
        self.vouched.subject.as_deref()
    }

    /// The id that names the agent: the stable id; for a class whose agents are instances the instance id, or the
    /// thumbprint of the proven key.
    pub const fn id(&self) -> &WorkloadId {
        &self.id
    }

    /// The stable id, or the instance id where the credential has no other.
    pub fn workload(&self) -> &str {
        &self.vouched.workload
    }

    /// What tells this instance from others, for a class whose agents are instances.
    pub fn instance(&self) -> Option<String> {
        (self.id.kind != WorkloadIdKind::Stable).then(|| self.id.text())
    }

    /// What the credential says of the software that the workload runs.
    pub const fn build(&self) -> &Build {
        &self.vouched.build
    }

    /// `iat` in whole seconds since the epoch; the earliest time where the credential does not say it.
    pub const fn issued_at(&self) -> i64 {
        self.vouched.issued_at
    }

    /// The credential itself, to be pinned to a key.
    pub const fn credential(&self) -> Credential {
        self.vouched.credential
    }
}
