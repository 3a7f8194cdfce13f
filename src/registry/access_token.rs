//! Access tokens of an identity provider that are taken as subject tokens
//! (`docs/adr/0012-access-tokens-as-subjects.md`).

use std::collections::BTreeSet;

use super::{AuthTime, When};
use crate::oauth::ClientId;

/// `[[identity_provider.access_token]]`: which access tokens of a provider are taken, and from whom.
#[derive(Clone, Debug)]
pub struct AccessTokenSource {
    /// The value that has to be in `aud`: the resource that the presenting client is, or Deputy's issuer.
    pub audience: String,
    /// The clients that may present such tokens. Unless the audience is Deputy's issuer it is the one that is the
    /// audience.
    pub clients: BTreeSet<ClientId>,
    /// Whether the audience is the client that presents the token, which then saw the proof of possession itself.
    pub is_client: bool,
    /// The applications at the provider to which the tokens were issued.
    pub authorized_parties: BTreeSet<String>,
    /// What the header `typ` may be.
    pub types: BTreeSet<AccessTokenType>,
    /// The assurance levels that the provider enforces for these applications, where a token has neither `acr` nor `amr`.
    pub asserted_levels: BTreeSet<String>,
    /// What else has to hold of the claims.
    pub when: Option<When>,
    /// Whether the tokens have to have `auth_time`.
    pub auth_time: AuthTime,
    /// Whether `scope` or `scp` of the token limits what may be asked for.
    pub is_scope_ceiling: bool,
}

/// A header `typ` that an access token may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessTokenType {
    /// `at+jwt` (RFC 9068 §2.1).
    AtJwt,
    /// `JWT`, or no `typ`: then a claim has to mark the token as an access token.
    Jwt,
}

/// A claim that marks a token as an access token where no word names its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessTokenMark {
    Scope,
    Scp,
    ClientId,
    Cid,
    Appid,
}

impl AccessTokenMark {
    pub const ALL: [Self; 5] = [Self::Scope, Self::Scp, Self::ClientId, Self::Cid, Self::Appid];

    /// The name of the claim.
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Scope => "scope",
            Self::Scp => "scp",
            Self::ClientId => "client_id",
            Self::Cid => "cid",
            Self::Appid => "appid",
        }
    }

    pub fn parse(claim: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.claim() == claim)
    }
}

impl AccessTokenType {
    pub const ALL: [Self; 2] = [Self::AtJwt, Self::Jwt];

    /// As in the header.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.word().eq_ignore_ascii_case(word))
    }
}
