//! Who is behind tasks and tokens: a user who signed in, or an agent that acts for itself.

use super::{Login, Subject};
use crate::base::words::words;
use crate::oauth::{AgentId, LoginId, SubjectRef};

words! {
    /// Who is behind a task or a token.
    DelegatorKind {
        /// A user, who signed in.
        User => "user",
        /// An agent, which acts for itself.
        Agent => "agent",
    }
}

/// Who lets the agent that began a task act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delegator {
    User(SubjectRef),
    /// The agent itself: no user is behind the task.
    Agent,
}

impl Delegator {
    pub const fn kind(self) -> DelegatorKind {
        match self {
            Self::User(_) => DelegatorKind::User,
            Self::Agent => DelegatorKind::Agent,
        }
    }

    pub const fn user(self) -> Option<SubjectRef> {
        match self {
            Self::User(subject) => Some(subject),
            Self::Agent => None,
        }
    }
}

/// On whose behalf a token was issued: who its `sub` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behalf {
    /// A user, by the login whose facts the token carries.
    User(LoginId),
    /// The agent whose task it is.
    Agent(AgentId),
}

impl Behalf {
    pub const fn kind(&self) -> DelegatorKind {
        match self {
            Self::User(_) => DelegatorKind::User,
            Self::Agent(_) => DelegatorKind::Agent,
        }
    }

    pub const fn login(&self) -> Option<LoginId> {
        match self {
            Self::User(login) => Some(*login),
            Self::Agent(_) => None,
        }
    }

    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::User(_) => None,
            Self::Agent(agent) => Some(agent),
        }
    }
}

/// A user, and the login by which they let an agent act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub subject: Subject,
    pub login: Login,
}

/// Who is behind a token, with the records of them. [`Behalf`] names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    User(Box<SignedIn>),
    /// The agent whose task it is. Its record is among the agents that the token depends on.
    Agent(AgentId),
}

impl Behind {
    /// A user, by this login.
    pub fn user(subject: Subject, login: Login) -> Self {
        Self::User(Box::new(SignedIn { subject, login }))
    }

    pub const fn kind(&self) -> DelegatorKind {
        match self {
            Self::User(_) => DelegatorKind::User,
            Self::Agent(_) => DelegatorKind::Agent,
        }
    }

    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::User(user) => Some(&user.subject),
            Self::Agent(_) => None,
        }
    }

    pub const fn login(&self) -> Option<&Login> {
        match self {
            Self::User(user) => Some(&user.login),
            Self::Agent(_) => None,
        }
    }
}
