//! Handing over: an agent brings in another, which then works by its own credential. Which agents it may bring in, and
//! which agent may accept.

use super::actor::{Acting, CLIENT_CLASS};
use super::ceiling::Ceiling;
use super::record::{Agent, Delegation, Handover};
use crate::base::time::{Lifetime, Timestamp};
use crate::oauth::{ClientId, HandoverRequest, Plain, Recipient, TokenFault};
use crate::registry::{Delegate, Registry};

impl Handover {
    /// The handover that is asked for, as it is recorded at `now`.
    pub fn new(request: &HandoverRequest, now: Timestamp, accept_within: Lifetime) -> Self {
        let HandoverRequest { recipient, key } = request.clone();
        Self { recipient, key, accept_until: now.plus(accept_within), accepted_by: None }
    }
}

/// As what an agent is listed in `delegates_to`.
fn delegate(class: &str, client: &ClientId) -> Delegate {
    match class {
        CLIENT_CLASS => Delegate::OwnAgent(client.clone()),
        class => Delegate::Class(class.to_owned()),
    }
}

/// Whether the holder of `parent` may bring in the agent that it asks for. `known` is the record of an agent that is
/// named by its identifier.
///
/// # Errors
/// [`Plain::ChainLoop`]: it is the giver or another agent of the chain. [`Plain::RequestedActorUnknown`],
/// [`Plain::RequestedActorEnded`], [`Plain::RequestedActorUnlisted`].
pub fn check_requested(
    registry: &Registry,
    (parent, giver): (&Delegation, &Acting),
    request: &HandoverRequest,
    known: Option<&Agent>,
    now: Timestamp,
) -> Result<(), Plain> {
    let asked = match &request.recipient {
        Recipient::Agent(id) if parent.agents().any(|agent| agent == id) => return Err(Plain::ChainLoop),
        Recipient::Agent(id) => {
            let agent = known.filter(|agent| agent.id == *id).ok_or(Plain::RequestedActorUnknown)?;
            if !agent.may_act(now) {
                return Err(Plain::RequestedActorEnded);
            }
            delegate(&agent.class, &agent.client)
        }
        Recipient::Class(name) => {
            registry.class(name).ok_or(Plain::RequestedActorUnknown)?;
            Delegate::Class(name.clone())
        }
    };
    match giver.ceiling().delegates_to().contains(&asked) {
        true => Ok(()),
        false => Err(Plain::RequestedActorUnlisted),
    }
}

/// Whether this agent may accept a handover: it is for the agent or its class, by the credential that it presents now and
/// by what the giver may bring in now; no other agent has accepted it; and it is not the giver.
///
/// # Errors
/// [`TokenFault::HandedToAnother`]; [`TokenFault::PartyRemoved`] where the giver is no longer configured.
pub fn check_acceptor(
    registry: &Registry,
    token: &Delegation,
    handover: &Handover,
    acting: &Acting,
) -> Result<(), TokenFault> {
    let is_meant = match &handover.recipient {
        Recipient::Agent(id) => *id == acting.id,
        Recipient::Class(name) => acting.class() == name,
    };
    let giver = Ceiling::of_holder(registry, token)?;
    let is_listed = giver.delegates_to().contains(&delegate(acting.class(), &acting.client.id));
    let is_giver = token.holder() == Some(&acting.id);
    match is_meant && is_listed && !is_giver && handover.is_open_to(&acting.id) {
        true => Ok(()),
        false => Err(TokenFault::HandedToAnother),
    }
}

#[cfg(test)]
mod tests;
