//! What a decision is about.

use std::sync::Arc;

use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::oauth::{ExchangeRequest, Jti, LoginId, SubjectRef, TaskId};
use crate::policy::PolicySet;
use crate::verification::{NotVerified, VerifiedLogin, VerifiedOwn};

/// What one request is judged by: a snapshot that does not change while the request is answered.
#[derive(Clone, Debug)]
pub struct World {
    /// The configuration, with every registered party.
    pub config: Arc<Config>,
    pub policy: Arc<PolicySet>,
}

/// What verification found of the presented tokens. Results are kept: which fault is reported is for the
/// decision to say, because a fault of the subject token that only the record shows comes before a fault of the
/// actor token (8693-2.1-23).
#[derive(Debug)]
pub struct Verified {
    pub subject: SubjectResult,
    /// The actor: the agent of the actor token where one was sent, else the client's own agent.
    pub actor: Result<Acting, NotVerified>,
}

/// What verification found of the subject token, by its kind.
#[derive(Debug)]
pub enum SubjectResult {
    /// A login token: the first hop.
    Login(Result<Box<VerifiedLogin>, NotVerified>),
    /// A token of Deputy's own: a later hop.
    Own(Result<Arc<VerifiedOwn>, NotVerified>),
}

/// Identifiers made before the decision. Those that it does not need are dropped.
#[derive(Clone, Copy, Debug)]
pub struct FreshIds {
    pub jti: Jti,
    /// For the task, if one begins.
    pub task: TaskId,
    /// For the login, if it is new to its task.
    pub login: LoginId,
    /// For the user, if never met.
    pub subject: SubjectRef,
}

/// One request for a token, authenticated, parsed and verified.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub client: &'a AuthenticatedClient,
    pub request: &'a ExchangeRequest,
    pub verified: &'a Verified,
    /// Identifiers for what may come into being.
    pub fresh: &'a FreshIds,
}

impl Question<'_> {
    /// Whether an actor token was sent.
    pub const fn has_actor_token(&self) -> bool {
        self.request.actor.is_some()
    }
}
