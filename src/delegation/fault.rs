//! What a rule finds wrong, before it is known which presented token the caller has to change.

use crate::oauth::{Cause, Plain, TokenFault};

/// A fault found by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The subject token, or what is recorded of it.
    Subject(TokenFault),
    /// The agent that is to act.
    Actor(TokenFault),
    Request(Plain),
}

impl Fault {
    /// The cause of the refusal. A fault of the agent is one of the actor token where one was sent, else of the
    /// subject token: the caller has presented nothing else that it could change.
    pub const fn cause(self, has_actor_token: bool) -> Cause {
        match self {
            Self::Subject(fault) => Cause::subject(fault),
            Self::Actor(fault) if has_actor_token => Cause::actor(fault),
            Self::Actor(fault) => Cause::subject(fault),
            Self::Request(plain) => Cause::Plain(plain),
        }
    }
}
