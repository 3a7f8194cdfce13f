//! `deputy token …`: the [`sdk`](crate::sdk) as verbs, for any server of RFC 8693. They need no configuration file.
//! Tokens and secrets come from files, standard input or variables, and are in no message about a failure.

mod agent;
mod assertion;
mod exchange;
mod handover;
mod inspect;
mod introspect;
mod key;
mod kind;
mod revoke;
mod server;
mod wanted;

use clap::Subcommand;

use super::{CliError, Output};
use key::ProofKey;
pub(super) use server::read_token;
use server::{Caller, TokenFile};
use wanted::Wanted;

/// The verbs about tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Exchange a token for a narrower one (RFC 8693)
    Exchange(exchange::Exchange),
    /// Get a token about an agent itself, or begin a task of its own, without a user
    Agent(agent::Agent),
    /// Bring in another agent, which accepts with its own credential
    Handover(handover::Handover),
    /// Sign the assertion by which a client authenticates one request, for curl (RFC 7523)
    Assertion(assertion::Assertion),
    /// Decode a token on this machine, without verifying it
    Inspect(inspect::Inspect),
    /// Ask the server whether a token is active (RFC 7662)
    Introspect(introspect::Introspect),
    /// Revoke a token and all that was exchanged from it (RFC 7009)
    Revoke(revoke::Revoke),
}

impl Token {
    /// Does it.
    pub(super) async fn run(self, output: &mut Output) -> Result<(), CliError> {
        match self {
            Self::Exchange(verb) => verb.run(output).await,
            Self::Agent(verb) => verb.run(output).await,
            Self::Handover(verb) => verb.run(output).await,
            Self::Assertion(verb) => verb.run(output),
            Self::Inspect(verb) => verb.run(output),
            Self::Introspect(verb) => verb.run(output).await,
            Self::Revoke(verb) => verb.run(output).await,
        }
    }
}
