//! Identity providers, whose ID tokens users sign in with.

use std::collections::{BTreeMap, BTreeSet};

use super::{AccessTokenMark, AccessTokenSource, KeySource, Reach};
use crate::base::time::Lifetime;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, Issuer};

/// The level of assurance that every scope demands unless it says otherwise. Every provider defines it. It is also
/// the `amr` value of RFC 8176 §2.
pub const MFA: &str = "mfa";

/// One condition on one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimCondition {
    pub claim: String,
    pub test: ClaimTest,
}

/// What a claim has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimTest {
    /// A string that is one of these.
    In(Vec<String>),
    /// An array of strings that holds all of these.
    Contains(Vec<String>),
}

/// A named assurance level: met by any of its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssuranceLevel {
    /// `mfa`, `phishing_resistant`, or a name of the operator's.
    pub name: String,
    /// Any one suffices.
    pub any_of: Vec<ClaimCondition>,
}

/// `[[identity_provider]]`
#[derive(Clone, Debug)]
pub struct IdentityProvider {
    /// Compared byte for byte.
    pub issuer: Issuer,
    /// Allowed for its ID tokens.
    pub algorithms: BTreeSet<Algorithm>,
    /// How it is reached.
    pub reach: Reach,
    /// Discovery, or pinned keys.
    pub keys: KeySource,
    /// The greatest age by `iat` of an ID token that begins a task, or joins one that it has not fed.
    pub max_id_token_age: Lifetime,
    /// Longest life of anything from one `auth_time`.
    pub max_session: Lifetime,
    /// Which claim names the user.
    pub subject_claim: String,
    /// Claims of the ID token that policy may see.
    pub policy_claims: Vec<String>,
    /// Two `amr` values of different kinds count as MFA (8176-F-01).
    pub infer_mfa_from_amr: bool,
    /// Last good keys serve this long when the provider is down.
    pub keys_stale: Lifetime,
    /// Relying parties whose ID tokens are taken, by their client id at the provider.
    pub relying_parties: BTreeMap<String, RelyingParty>,
    /// Access tokens that are taken as subject tokens; the first that matches counts.
    pub access_tokens: Vec<AccessTokenSource>,
    /// Marks of an access token that the ID tokens of this provider have as well.
    pub id_token_claims: BTreeSet<AccessTokenMark>,
    /// Levels by name. `mfa` is always defined.
    pub assurance: BTreeMap<String, AssuranceLevel>,
}

/// `[[identity_provider.relying_party]]`
#[derive(Clone, Debug)]
pub struct RelyingParty {
    /// The Deputy clients that may hand in its ID tokens.
    pub clients: BTreeSet<ClientId>,
}
