//! The credential of a platform as the whole credential of a request: it authenticates the client that its class
//! lists, and it names the agent (RFC 7523 §2.2, with a credential that the client's platform has signed).

use std::sync::Arc;

use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jose::{Scanned, UnverifiedToken};
use crate::keys::{AgentOf, NodeSecrets};
use crate::oauth::{Cause, Plain, PresentedAs, TokenFault};
use crate::registry::{AgentClass, Client};
use crate::verification::{NotVerified, VerifiedWorkload, Verifier};

use super::Rejected;
use super::presented::RequestKind;

/// How a SPIFFE ID begins. A JWT-SVID has one as its `sub`.
const SPIFFE_ID: &str = "spiffe://";

/// How the credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformWay {
    /// As `client_assertion`.
    Assertion,
    /// As `actor_token`, without any client authentication.
    ActorToken,
    /// As the `assertion` of the jwt-bearer grant.
    Grant,
}

impl PlatformWay {
    /// What the credential was presented as, for a refusal because of it.
    pub const fn presented_as(self) -> PresentedAs {
        match self {
            Self::Assertion | Self::ActorToken => PresentedAs::Credential,
            Self::Grant => PresentedAs::Grant,
        }
    }
}

/// The platform's credential that authenticated a client.
#[derive(Clone, Debug)]
pub struct PlatformCredential {
    workload: VerifiedWorkload,
    way: PlatformWay,
}

impl PlatformCredential {
    /// The agent's workload, as its issuer vouches for it.
    pub const fn workload(&self) -> &VerifiedWorkload {
        &self.workload
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

/// What the credential of a platform is checked with.
#[derive(Clone, Copy)]
pub struct Platform<'a> {
    pub config: &'a Config,
    pub verifier: &'a Verifier,
    pub secrets: &'a NodeSecrets,
    pub kind: RequestKind,
    pub now: Timestamp,
}

impl Platform<'_> {
    /// Verifies the credential and finds the client that it authenticates: the one that `client_id` names, else the only
    /// one of its class that authenticates so. Where no client presents the agent, it is its own. Also gives back the key
    /// that the credential names.
    ///
    /// A JWT-SVID authenticates nobody here: its issuer is the trust domain of its `sub`, never its `iss`, and it has an
    /// assertion type of its own (draft-ietf-oauth-spiffe-client-auth §3.1).
    pub async fn prove(
        self,
        token: &Scanned<'_>,
        way: PlatformWay,
        named: Option<&str>,
    ) -> Result<(Arc<Client>, PlatformCredential, Option<String>), Rejected> {
        let Platform { config, verifier, now, .. } = self;
        let fault = |fault: TokenFault| Rejected::For(Cause::Token(way.presented_as(), fault));
        let scanned = token.as_ref().map_err(|&error| fault(error.into()))?;
        if scanned.claimed_subject().is_some_and(|subject| subject.starts_with(SPIFFE_ID)) {
            return Err(fault(TokenFault::Kind));
        }
        let kid = scanned.header().kid.clone();
        let workload = match verifier.workload(config, token, now).await {
            Ok(workload) => workload,
            Err(NotVerified::Fault(found)) => return Err(fault(found)),
            Err(NotVerified::Unavailable(why)) => return Err(Rejected::Unavailable(why)),
        };
        let client = match self.client_without(&workload, named) {
            Some(client) if named.is_some_and(|named| named != client.id.as_str()) => {
                return Err(fault(TokenFault::OtherClient));
            }
            Some(client) => client,
            None => client_of(config, workload.class(), named)?,
        };
        Ok((client, PlatformCredential { workload, way }, kid))
    }

    /// The client of an agent that authenticates none. In the jwt-bearer grant it is the one workload client of its class,
    /// if there is one, so that the agent is of the same client whatever grant it uses; else the agent is its own client. It
    /// is that too where it revokes what it got so. `None` where a client has to be authenticated.
    fn client_without(self, workload: &VerifiedWorkload, named: Option<&str>) -> Option<Arc<Client>> {
        let class = workload.class();
        let mut able = self.config.registry.workload_clients(class);
        let (first, second) = (able.next(), able.next());
        let own = || {
            let id = self.secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id()));
            Arc::new(Client::of_agent(&id, class))
        };
        match (self.kind, first, second) {
            (RequestKind::JwtBearer, Some(only), None) => Some(Arc::clone(only)),
            (RequestKind::JwtBearer, ..) => Some(own()),
            (RequestKind::Revocation, Some(_), None) => None,
            (RequestKind::Revocation, first, _) if class.agent_tokens => {
                let own = own();
                let is_named = named.map_or(first.is_none(), |named| named == own.id.as_str());
                is_named.then_some(own)
            }
            (RequestKind::Token | RequestKind::Revocation | RequestKind::Introspection, ..) => None,
        }
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
