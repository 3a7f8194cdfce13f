//! The first checks: the subject token and the actor.

use std::sync::Arc;

use super::{Denial, Held, Unknown, Unread, Walk};
use crate::decision::question::{NoActor, SubjectResult};
use crate::decision::report::{Act, Report};
use crate::decision::usable::is_named;
use crate::delegation::actor::Acting;
use crate::delegation::binding::check_demanded;
use crate::delegation::fault::Fault;
use crate::delegation::plan::{check_agent, check_credential, check_user};
use crate::delegation::record::{DelegatorKind, live};
use crate::delegation::recorded::Recorded;
use crate::oauth::{Cause, Plain, TokenFault};
use crate::registry::IdentityProvider;
use crate::verification::{LoginFacts, NotALogin, NotVerified};

impl<'a> Walk<'a> {
    /// The subject token is verified, and by the record it is still valid.
    pub(super) fn subject(
        self,
        recorded: &'a Recorded,
        unread: &'a Unread,
        report: &mut Report,
    ) -> Result<Held<'a>, Denial> {
        match &self.question.verified.subject {
            SubjectResult::Login(result) => {
                let login = result.as_ref().map_err(no_login)?;
                let record = match recorded {
                    Recorded::Login(record) => record,
                    Recorded::Unread | Recorded::Token(_) | Recorded::Agent(_) => &unread.login,
                };
                report.who.presented = Some(Arc::clone(login.facts()));
                report.who.subject = record.subject.as_ref().map(|subject| subject.reference);
                check_user(record, login.facts()).map_err(Cause::subject)?;
                Ok(Held::Login(login, record))
            }
            SubjectResult::None => {
                report.who.delegator = Some(DelegatorKind::Agent);
                Ok(Held::Nothing(match recorded {
                    Recorded::Agent(record) => record,
                    Recorded::Unread | Recorded::Token(_) | Recorded::Login(_) => &unread.agent,
                }))
            }
            SubjectResult::Own(result) => {
                result.as_ref().map_err(|error| not_verified(error, Cause::subject))?;
                let Recorded::Token(record) = recorded else { return Err(Denial::Unknown(Unknown::Record)) };
                let lineage = record.lineage.as_ref().ok_or(Cause::subject(TokenFault::NeverIssued))?;
                report.who.task = Some(lineage.task.id);
                report.who.login = lineage.behind.login().map(|login| login.id);
                report.who.delegator = Some(lineage.behind.kind());
                report.who.subject = lineage.behind.subject().map(|subject| subject.reference);
                report.who.chain.clone_from(&lineage.delegation.chain);
                if lineage.delegation.kind.handover().is_some() {
                    report.act = Act::Accept;
                }
                live(lineage, self.now).map_err(Cause::subject)?;
                if !is_named(&self.config.registry, lineage) {
                    return Err(Cause::subject(TokenFault::PartyRemoved).into());
                }
                Ok(Held::Token(lineage, record))
            }
        }
    }

    /// The provider of a recorded login, which has to be configured still.
    pub(super) fn provider_of(self, login: &LoginFacts) -> Result<&'a Arc<IdentityProvider>, Cause> {
        let provider = self.config.registry.identity_providers.get(&login.provider);
        provider.ok_or(Cause::subject(TokenFault::PartyRemoved))
    }

    /// The actor token is verified, the client may present this actor, and nothing in the
    /// record prevents this agent from acting.
    pub(super) fn actor(self, held: Held<'_>, report: &mut Report) -> Result<&'a Acting, Denial> {
        let acting = self.question.verified.actor.as_ref().map_err(no_actor)?;
        report.who.agent = Some(acting.id.clone());
        report.who.class = Some(acting.class().to_owned());
        acting.check().map_err(Cause::actor)?;
        check_demanded(&self.config.registry, acting, self.question.proven())?;
        let agent = acting.to_agent(self.now);
        let checked = match held {
            Held::Login(_, record) => check_agent(record.agent.as_ref(), &acting.client.id, self.now),
            Held::Nothing(record) => check_agent(record.agent.as_ref(), &acting.client.id, self.now),
            Held::Token(..) => Ok(()),
        };
        checked
            .and_then(|()| check_credential(held.stops(), &agent, &acting.client.id, acting.credential_at()))
            .map_err(|fault| self.cause(Fault::Actor(fault)))?;
        Ok(acting)
    }

    pub(super) fn cause(self, fault: Fault) -> Cause {
        fault.cause(self.question.agent_presented_as())
    }
}

fn no_login(error: &NotALogin) -> Denial {
    match error {
        NotALogin::NotVerified(error) => not_verified(error, Cause::subject),
        NotALogin::AuthTimeMissing { max_age } => {
            Denial::Refused(Cause::AuthTimeMissing { max_age: *max_age })
        }
    }
}

fn no_actor(error: &NoActor) -> Denial {
    match error {
        NoActor::NotVerified(error) => not_verified(error, Cause::actor),
        NoActor::KeyMissing => Denial::Refused(Plain::ProofMissing.into()),
    }
}

fn not_verified(error: &NotVerified, cause: fn(TokenFault) -> Cause) -> Denial {
    match error {
        NotVerified::Fault(fault) => Denial::Refused(cause(*fault)),
        NotVerified::Unavailable(what) => Denial::Unknown(Unknown::IssuerKeys(what.clone())),
    }
}
