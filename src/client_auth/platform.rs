//! The credential of a platform as the whole credential of a request: it authenticates the client that its class
//! lists, and it names the agent (RFC 7523 §2.2, with a credential that the client's platform has signed).

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{Scanned, UnverifiedToken};
use crate::oauth::{Cause, Plain, TokenFault};
use crate::registry::{AgentClass, Client};
use crate::verification::{NotVerified, VerifiedCredential, Verifier};

use super::Rejected;

/// How a SPIFFE ID begins. A JWT-SVID has one as its `sub`.
const SPIFFE_ID: &str = "spiffe://";

/// How the credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformWay {
    /// As `client_assertion`.
    Assertion,
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

/// Whether the token is one of a workload issuer, by its unverified `iss`.
pub fn is_from_platform(config: &Config, token: &Scanned<'_>) -> bool {
    let issuer = token.as_ref().ok().and_then(UnverifiedToken::claimed_issuer);
    issuer.is_some_and(|issuer| config.registry.workload_issuers.contains_key(issuer))
}

/// Verifies the credential and finds the client that it authenticates: the one that `client_id` names, else the only
/// one of its class that authenticates so. Also gives back the key that the credential names.
///
/// A JWT-SVID authenticates nobody here: its issuer is the trust domain of its `sub`, never its `iss`, and it has an
/// assertion type of its own (draft-ietf-oauth-spiffe-client-auth §3.1).
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
    if scanned.claimed_subject().is_some_and(|subject| subject.starts_with(SPIFFE_ID)) {
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
