//! The input of a decision.

use std::sync::Arc;

use crate::base::words::words;
use crate::client_auth::{AuthenticatedClient, PlatformWay};
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::oauth::{
    Confirmation, ExchangeRequest, Jti, LoginId, PresentedAs, SubjectRef, SubjectToken, TaskId,
};
use crate::policy::PolicySet;
use crate::verification::{NotALogin, NotVerified, VerifiedLogin, VerifiedOwn, VerifiedProof};

/// The configuration and the policy that one request is decided by. They do not change while the request is answered.
#[derive(Clone, Debug)]
pub struct World {
    /// The configuration, with every registered party.
    pub config: Arc<Config>,
    pub policy: Arc<PolicySet>,
}

/// The results of verifying the presented tokens. Failures are kept here and not reported at once: `decide` chooses which
/// one to report, because a fault of the subject token takes precedence over a fault of the actor token, even if only
/// the record reveals it (8693-2.1-23).
#[derive(Debug)]
pub struct Verified {
    pub subject: SubjectResult,
    /// The actor: the agent of the actor token where one was sent, else the client's own agent.
    pub actor: Result<Acting, NoActor>,
}

/// Why it is not known who acts.
#[derive(Debug)]
pub enum NoActor {
    /// The credential of the agent.
    NotVerified(NotVerified),
    /// The agent is named by the key that the request proves, and it proves none.
    KeyMissing,
}

impl<E> From<E> for NoActor
where
    NotVerified: From<E>,
{
    fn from(error: E) -> Self {
        Self::NotVerified(error.into())
    }
}

/// The result of verifying the subject token, by its kind.
#[derive(Debug)]
pub enum SubjectResult {
    /// A login token: the first hop.
    Login(Result<Box<VerifiedLogin>, NotALogin>),
    /// A token of Deputy's own: a later hop.
    Own(Result<VerifiedOwn, NotVerified>),
    /// There is none: the agent asks for itself.
    None,
}

/// Candidate identifiers for new records, made before the decision. Those that it does not need are dropped.
#[derive(Clone, Copy, Debug)]
pub struct FreshIds {
    pub jti: Jti,
    /// For the task, if one begins.
    pub task: TaskId,
    /// For the login, if it is new to its task.
    pub login: LoginId,
    /// For the user, if they are not yet recorded.
    pub subject: SubjectRef,
}

words! {
    /// How the credential of the agent that is to act came.
    WayIn {
        /// The agent is the client's own, and the client's credential is all there is.
        Client => "client",
        /// As the actor token, beside client authentication.
        ActorToken => "actor_token",
        /// As the client assertion: the platform's credential alone.
        ClientAssertion => "client_assertion",
        /// As the actor token, without client authentication: the platform's credential alone.
        ActorTokenAlone => "actor_token_alone",
        /// As the assertion of the jwt-bearer grant: the platform's credential alone.
        Assertion => "assertion",
    }
}

/// One request for a token, authenticated, parsed and verified.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub client: &'a AuthenticatedClient,
    pub request: &'a ExchangeRequest,
    pub verified: &'a Verified,
    /// The DPoP proof that came with it.
    pub proof: Option<&'a VerifiedProof>,
    pub fresh: &'a FreshIds,
}

impl Question<'_> {
    /// How the credential of the agent came.
    pub fn way_in(&self) -> WayIn {
        match self.client.platform().map(|credential| credential.way()) {
            Some(PlatformWay::Assertion(_)) => WayIn::ClientAssertion,
            Some(PlatformWay::ActorToken) => WayIn::ActorTokenAlone,
            Some(PlatformWay::Grant) => WayIn::Assertion,
            None if self.request.actor.is_some() => WayIn::ActorToken,
            None => WayIn::Client,
        }
    }

    /// What named the agent: its actor token, the credential of its client, or the assertion of the jwt-bearer grant.
    /// Where that is nothing but client authentication, a fault of the agent is one of the subject token: the caller has
    /// presented nothing else that it could change.
    pub fn agent_presented_as(&self) -> PresentedAs {
        match self.way_in() {
            WayIn::Assertion => PresentedAs::Grant,
            WayIn::Client if self.request.subject != SubjectToken::None => PresentedAs::Subject,
            WayIn::Client | WayIn::ActorToken | WayIn::ClientAssertion | WayIn::ActorTokenAlone => {
                PresentedAs::Actor
            }
        }
    }

    /// What the request proved: a key, or else its client certificate.
    pub fn proven(&self) -> Option<Confirmation> {
        self.client.proven(self.proof)
    }
}
