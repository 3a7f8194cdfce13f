//! What a rule finds wrong, before it is known which presented token the caller has to change.

use crate::oauth::{Cause, Plain, PresentedAs, TokenFault};

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
    /// The cause of the refusal. A fault of the agent is one of what named the agent; where nothing did, of what else the
    /// caller has presented and could change.
    pub const fn cause(self, agent: PresentedAs) -> Cause {
        match self {
            Self::Subject(fault) => Cause::subject(fault),
            Self::Actor(fault) => Cause::Token(agent, fault),
            Self::Request(plain) => Cause::Plain(plain),
        }
    }
}
