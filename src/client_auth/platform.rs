//! The credential of a platform as the whole credential of a request: it authenticates the client that its class
//! lists, and it names the agent (RFC 7523 §2.2, with a credential that the client's platform has signed).

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{Scanned, UnverifiedToken};
use crate::keys::{AgentOf, NodeSecrets};
use crate::oauth::{AssertionType, Cause, Jkt, Plain, PresentedAs, SpiffeId, TokenFault};
use crate::registry::{AgentClass, Client};
use crate::verification::{NotVerified, VerifiedCredential, Verifier, issuer_of};

use super::Rejected;
use super::presented::RequestKind;

/// How the credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformWay {
    /// As `client_assertion` of this type.
    Assertion(AssertionType),
    /// As `actor_token`, without any client authentication.
    ActorToken,
    /// As the `assertion` of the jwt-bearer grant.
    Grant,
}

impl PlatformWay {
    /// What the credential was presented as, for a refusal because of it.
    pub const fn presented_as(self) -> PresentedAs {
        match self {
            Self::Assertion(_) | Self::ActorToken => PresentedAs::Credential,
            Self::Grant => PresentedAs::Grant,
        }
    }
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

/// What the credential of a platform is checked with.
#[derive(Clone, Copy)]
pub struct Platform<'a> {
    pub config: &'a Config,
    pub verifier: &'a Verifier,
    pub secrets: &'a NodeSecrets,
    pub kind: RequestKind,
    /// The key that the request proves.
    pub proven: &'a (dyn Fn() -> Result<Option<Jkt>, Cause> + Sync),
    pub now: Timestamp,
}

impl Platform<'_> {
    /// Verifies the credential and finds the client that it authenticates: the one that `client_id` names, else the only
    /// one of its class that authenticates so. Where no client presents the agent, it is its own. Also gives back the key
    /// that the credential names.
    ///
    /// A JWT-SVID has an assertion type of its own, by which nothing else is taken
    /// (draft-ietf-oauth-spiffe-client-auth §3.1).
    pub async fn prove(
        self,
        token: &Scanned<'_>,
        way: PlatformWay,
        named: Option<&str>,
    ) -> Result<(Arc<Client>, PlatformCredential, Option<String>), Rejected> {
        let Platform { config, verifier, now, .. } = self;
        let fault = |fault: TokenFault| Rejected::For(Cause::Token(way.presented_as(), fault));
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
        let client = match self.client_without(&credential, named)? {
            Some(client) if named.is_some_and(|named| named != client.id.as_str()) => {
                return Err(fault(TokenFault::OtherClient));
            }
            Some(client) => client,
            None => client_of(config, credential.class(), named)?,
        };
        Ok((client, PlatformCredential { credential, way }, kid))
    }

    /// The client of an agent that authenticates none. In the jwt-bearer grant it is the one workload client of its class,
    /// if there is one, so that the agent is of the same client whatever grant it uses; else the agent is its own client. It
    /// is that too where it revokes what it got so. `None` where a client has to be authenticated.
    fn client_without(
        self,
        credential: &VerifiedCredential,
        named: Option<&str>,
    ) -> Result<Option<Arc<Client>>, Rejected> {
        let class = credential.class();
        let mut able = self.config.registry.workload_clients(class);
        let (first, second) = (able.next(), able.next());
        match (self.kind, first, second) {
            (RequestKind::JwtBearer, Some(only), None) => Ok(Some(Arc::clone(only))),
            (RequestKind::JwtBearer, ..) => self.own_client(credential).map(Some),
            (RequestKind::Revocation, Some(_), None) => Ok(None),
            (RequestKind::Revocation, first, _) if class.agent_tokens => {
                let own = self.own_client(credential)?;
                let is_named = named.map_or(first.is_none(), |named| named == own.id.as_str());
                Ok(is_named.then_some(own))
            }
            (RequestKind::Token | RequestKind::Revocation | RequestKind::Introspection, ..) => Ok(None),
        }
    }

    /// The agent as its own client.
    fn own_client(self, credential: &VerifiedCredential) -> Result<Arc<Client>, Rejected> {
        let key = match credential.is_named_by_key() {
            true => (self.proven)().map_err(Rejected::For)?,
            false => None,
        };
        let workload = credential.presented_with(key).ok_or(Plain::ProofMissing)?;
        let id = self.secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id()));
        Ok(Arc::new(Client::of_agent(&id, credential.class())))
    }
}

fn client_of(config: &Config, class: &AgentClass, named: Option<&str>) -> Result<Arc<Client>, Plain> {
    let mut able = config.registry.workload_clients(class);
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
