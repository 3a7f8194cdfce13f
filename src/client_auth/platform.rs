//! The credential of a platform as the whole credential of a request: it authenticates the client that its class
//! lists, and it names the agent (RFC 7523 §2.2, with a credential that the client's platform has signed).

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{Scanned, UnverifiedToken};
use crate::oauth::{AssertionType, Cause, Plain, SpiffeId, TokenFault};
use crate::registry::{AgentClass, Client};
use crate::verification::{NotVerified, VerifiedCredential, Verifier, issuer_of};

use super::Rejected;

/// How the credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformWay {
    /// As `client_assertion` of this type.
    Assertion(AssertionType),
    /// As `actor_token`, without any client authentication.
    ActorToken,
}

/// The platform's credential that authenticated a client.
#[derive(Clone, Debug)]
pub struct PlatformCredential {
    credential: VerifiedCredential,
    way: PlatformWay,
}

impl PlatformCredential {
    /// The credential as it was verified. It names the agent, but for one that is named by its key.
    pub const fn credential(&self) -> &VerifiedCredential {
        &self.credential
    }

    pub const fn way(&self) -> PlatformWay {
        self.way
    }
}

/// Whether the assertion is to be judged as one of a workload issuer, by what it says unverified. Clients sign no SVIDs.
pub fn is_from_platform(config: &Config, kind: AssertionType, token: &Scanned<'_>) -> bool {
    let is_platforms =
        |token: &UnverifiedToken<'_>| is_svid(token) || issuer_of(&config.registry, token).is_ok();
    kind == AssertionType::Svid || token.as_ref().is_ok_and(is_platforms)
}

/// Whether the token is meant to be a JWT-SVID. Its `sub` alone makes it none: keys and form decide.
fn is_svid(token: &UnverifiedToken<'_>) -> bool {
    token.claimed_subject().is_some_and(SpiffeId::is_claimed_by)
}

/// Verifies the credential and finds the client that it authenticates: the one that `client_id` names, else the only
/// one of its class that authenticates so. Also gives back the key that the credential names.
///
/// A JWT-SVID has an assertion type of its own, by which nothing else is taken
/// (draft-ietf-oauth-spiffe-client-auth §3.1).
pub async fn prove(
    config: &Config,
    verifier: &Verifier,
    token: &Scanned<'_>,
    way: PlatformWay,
    named: Option<&str>,
    now: Timestamp,
) -> Result<(Arc<Client>, PlatformCredential, Option<String>), Rejected> {
    let fault = |fault: TokenFault| Rejected::For(Cause::credential(fault));
    let scanned = token.as_ref().map_err(|&error| fault(error.into()))?;
    if let PlatformWay::Assertion(kind) = way
        && is_svid(scanned) != (kind == AssertionType::Svid)
    {
        return Err(fault(TokenFault::Kind));
    }
    let kid = scanned.header().kid.clone();
    let credential = match verifier.workload(config, token, now).await {
        Ok(credential) => credential,
        Err(NotVerified::Fault(found)) => return Err(fault(found)),
        Err(NotVerified::Unavailable(why)) => return Err(Rejected::Unavailable(why)),
    };
    let client = client_of(config, credential.class(), named)?;
    Ok((client, PlatformCredential { credential, way }, kid))
}

fn client_of(config: &Config, class: &AgentClass, named: Option<&str>) -> Result<Arc<Client>, Plain> {
    let mut able = class
        .clients
        .iter()
        .filter_map(|id| config.registry.clients.get(id))
        .filter(|client| client.is_workload());
    if let Some(named) = named {
        return match config.registry.clients.get(named) {
            None => Err(Plain::ClientUnknown),
            Some(client) if !client.is_workload() => Err(Plain::MethodNotRegistered),
            Some(_) => able
                .find(|client| client.id.as_str() == named)
                .map(Arc::clone)
                .ok_or(Plain::CredentialNamesNoClient),
        };
    }
    match (able.next(), able.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        _ => Err(Plain::CredentialNamesNoClient),
    }
}
