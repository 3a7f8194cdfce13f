//! Checks a permit again, against the records that the writing transaction has read.

use super::permit::{FirstHop, Origin, Permit, Terms};
use crate::base::time::Timestamp;
use crate::delegation::fault::Fault;
use crate::delegation::plan::{Asking, LoginRecord, check_agent, check_credential, plan};
use crate::delegation::record::{Lineage, live};
use crate::delegation::recorded::{AgentRecord, Recorded};
use crate::oauth::{Cause, Jti, Plain, SubjectRef, TokenFault};

/// The result of checking a permit again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The permit still holds, and the token may be written.
    Write(Placement),
    /// The records have changed since they were read for the decision: read them again and decide again.
    Changed,
    /// It can never be written.
    Refused(Cause),
}

/// What has to be written beside the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The user's reference, as recorded or as it will be; absent where no user is behind the token.
    pub subject: Option<SubjectRef>,
    /// Whether the user was never met.
    pub is_new_subject: bool,
    /// Whether the actor comes into a task that another began.
    pub is_new_in_task: bool,
    /// Whether the actor is the first that accepts the handover.
    pub is_first_acceptance: bool,
}

/// Judges a permit by what was read inside the transaction that is to write it, with the rules that
/// [`super::decide`] used.
pub fn confirm(permit: &Permit, locked: &Recorded, now: Timestamp) -> Confirmed {
    let terms = permit.terms();
    match (&terms.origin, locked) {
        (Origin::FirstHop(hop), Recorded::Login(record)) => first_hop(terms, hop, record, now),
        (Origin::Later { parent, .. }, Recorded::Token(record)) => {
            let Some(lineage) = &record.lineage else {
                return Confirmed::Refused(Cause::subject(TokenFault::NeverIssued));
            };
            if !is_child(terms, *parent, lineage) {
                return Confirmed::Changed;
            }
            if let Err(fault) = live(lineage, now) {
                return Confirmed::Refused(Cause::subject(fault));
            }
            // Two agents may have been permitted to accept at once: the first that is written is the only one.
            let handover = lineage.delegation.kind.handover();
            if handover.is_some_and(|handover| !handover.is_open_to(&terms.actor.id)) {
                return Confirmed::Refused(Cause::subject(TokenFault::HandedToAnother));
            }
            let agent = record.actor.as_ref();
            let checked = check_agent(agent, &terms.client, now).and_then(|()| {
                check_credential(&lineage.stops, &terms.actor, &terms.client, terms.credential_at)
            });
            if let Err(fault) = checked {
                return Confirmed::Refused(Fault::Actor(fault).cause(terms.agent_presented_as));
            }
            if lineage.stops.close(&terms.proposal.target) {
                return Confirmed::Refused(Plain::TargetStopped.into());
            }
            Confirmed::Write(Placement {
                subject: lineage.behind.subject().map(|subject| subject.reference),
                is_new_subject: false,
                is_new_in_task: terms.proposal.chain.len() > lineage.delegation.chain.len(),
                is_first_acceptance: handover.is_some_and(|handover| handover.accepted_by.is_none()),
            })
        }
        (Origin::Agent { .. }, Recorded::Agent(record)) => of_agent(terms, record, now),
        // Something else was read than what the permit is about.
        (Origin::FirstHop(_) | Origin::Agent { .. } | Origin::Later { .. }, _) => Confirmed::Changed,
    }
}

fn of_agent(terms: &Terms, record: &AgentRecord, now: Timestamp) -> Confirmed {
    let checked = check_agent(record.agent.as_ref(), &terms.client, now)
        .and_then(|()| check_credential(&record.stops, &terms.actor, &terms.client, terms.credential_at));
    match checked {
        Err(fault) => Confirmed::Refused(Fault::Actor(fault).cause(terms.agent_presented_as)),
        Ok(()) if record.stops.close(&terms.proposal.target) => {
            Confirmed::Refused(Plain::TargetStopped.into())
        }
        Ok(()) => Confirmed::Write(Placement {
            subject: None,
            is_new_subject: false,
            is_new_in_task: false,
            is_first_acceptance: false,
        }),
    }
}

fn first_hop(terms: &Terms, hop: &FirstHop, record: &LoginRecord, now: Timestamp) -> Confirmed {
    let asking = Asking {
        client: &terms.client,
        agent: &terms.actor,
        credential_at: terms.credential_at,
        login: &hop.user.login,
        begins_until: hop.begins_until,
        lacks_nonce: hop.lacks_nonce,
        max_per_login: hop.max_per_login,
        named_task: hop.named_task,
        purpose: hop.purpose.as_ref(),
    };
    match plan(record, &asking, now) {
        Err(fault) => Confirmed::Refused(fault.cause(terms.agent_presented_as)),
        Ok(_) if record.stops.close(&terms.proposal.target) => {
            Confirmed::Refused(Plain::TargetStopped.into())
        }
        Ok(planned) if planned != hop.plan => Confirmed::Changed,
        Ok(_) => {
            let known = record.subject.as_ref().map(|subject| subject.reference);
            Confirmed::Write(Placement {
                subject: known.or(Some(hop.user.subject.reference)),
                is_new_subject: known.is_none(),
                is_new_in_task: false,
                is_first_acceptance: false,
            })
        }
    }
}

/// Whether the new token is a direct child of `parent` as it is recorded now: it has the same task and is on the same
/// behalf, expires no later, and adds at most the current actor to the chain.
fn is_child(terms: &Terms, parent: Jti, lineage: &Lineage) -> bool {
    let (own, from) = (&terms.proposal, &lineage.delegation);
    terms.task == from.task
        && terms.behalf() == from.behalf
        && own.expires_at <= from.expires_at
        && own.ancestors.split_last() == Some((&parent, from.ancestors.as_slice()))
        && own.chain.ends_with(&from.chain)
        && own.chain.len() <= from.chain.len() + 1
        && own.chain.first().or(from.behalf.agent()) == Some(&terms.actor.id)
}
