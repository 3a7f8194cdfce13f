//! Identity providers, whose ID tokens users sign in with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{AccessTokenMark, AccessTokenSource, KeySource, Reach};
use crate::base::time::Lifetime;
use crate::base::words::words;
use crate::jose::Algorithm;
use crate::oauth::{ClientId, Issuer};

/// The level of assurance that every scope demands unless it says otherwise. Every provider defines it. It is also
/// the `amr` value of RFC 8176 §2.
pub const MFA: &str = "mfa";
/// The level that implies [`MFA`] unless its definition says otherwise: no phishing-resistant method is a single factor.
pub const PHISHING_RESISTANT: &str = "phishing_resistant";

words! {
    /// Whether a login token has to say when the user signed in (`auth_time`, OIDC Core §2).
    #[derive(Default, schemars::JsonSchema)]
    #[schemars(rename_all = "snake_case")]
    AuthTime {
        /// A token without it is refused.
        #[default]
        Required => "required",
        /// The session of a token without it counts from `iat`.
        Optional => "optional",
    }
}

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
    /// An array of strings that holds at least one of these.
    Any(Vec<String>),
}

impl ClaimTest {
    /// The values that it compares the claim with.
    pub fn values(&self) -> &[String] {
        let (Self::In(values) | Self::Contains(values) | Self::Any(values)) = self;
        values
    }
}

/// What a token has to have, for a sentence: `` `mfa` in `amr` ``.
impl fmt::Display for ClaimCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.test.values().iter().map(|value| format!("`{value}`")).collect();
        match self.test {
            ClaimTest::In(_) => write!(f, "{} as `{}`", quoted.join(" or "), self.claim),
            ClaimTest::Contains(_) => write!(f, "{} in `{}`", quoted.join(" and "), self.claim),
            ClaimTest::Any(_) => write!(f, "{} in `{}`", quoted.join(" or "), self.claim),
        }
    }
}

/// A named assurance level: met by any of its conditions, or by a level that implies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssuranceLevel {
    /// `mfa`, `phishing_resistant`, or a name of the operator's.
    pub name: String,
    /// Any one suffices.
    pub any_of: Vec<ClaimCondition>,
    /// Every level of the provider that a login of this one meets as well, whether directly or by another one.
    pub implies: BTreeSet<String>,
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
    /// Whether its ID tokens have to have `auth_time`.
    pub auth_time: AuthTime,
    /// Whether only an ID token with a `nonce` begins a task.
    pub requires_nonce: bool,
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
    /// What `azp` may be besides the relying party itself: applications that obtain tokens for it.
    pub authorized_parties: BTreeSet<String>,
    /// What may be in `aud` besides the relying party itself and other relying parties of the provider.
    pub other_audiences: OtherAudiences,
}

/// Audiences that an ID token may have besides its relying party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherAudiences {
    /// These and no others.
    Listed(BTreeSet<String>),
    /// Whatever the provider writes.
    Any,
}

impl OtherAudiences {
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::Listed(listed) => listed.contains(audience),
            Self::Any => true,
        }
    }
}
