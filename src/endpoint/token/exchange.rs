//! The token exchange grant (RFC 8693 §2): verify, read, decide, issue, record.

use std::sync::Arc;

use super::phases::{Call, Stopped};
use crate::app::{Failure, Stop};
use crate::base::entropy::{Entropy, EntropyUnavailable, uuid_v7};
use crate::base::time::Timestamp;
use crate::decision::{
    Decision, Denial, FreshIds, NoActor, Permit, Question, Report, SubjectResult, Unknown, Verified, decide,
};
use crate::delegation::actor::Acting;
use crate::delegation::alone::KnownToken;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::record::Lineage;
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::delegation::rules::{Reach, answered};
use crate::endpoint::own::{self, Found, Presenting};
use crate::issuance::{self, Issued, answer_label};
use crate::jose::UnverifiedToken;
use crate::keys::{AgentOf, KeyError, SealPurpose};
use crate::oauth::{
    Audience, Cause, ExchangeRequest, Jti, LoginId, NamedTask, Recipient, SubjectRef, SubjectToken, TaskId,
    TokenFault, TokenResponse,
};
use crate::store::{self, Change, Entry};
use crate::verification::{KeysUnknown, NotVerified, Presented, VerifiedProof};

/// How often a request is decided anew because the record changed meanwhile.
const ATTEMPTS: u8 = 5;

/// Exchanges a subject token for a narrower one (RFC 8693 §2), or gives an agent a token that it asks for itself.
pub async fn exchange(
    call: &Call<'_>,
    request: &ExchangeRequest,
    subject: &Presented<'_>,
) -> Result<TokenResponse, Stopped> {
    Exchange { call, request, subject }.run().await
}

/// One exchange under way.
#[derive(Clone, Copy)]
struct Exchange<'a> {
    call: &'a Call<'a>,
    request: &'a ExchangeRequest,
    /// The subject token as presented.
    subject: &'a Presented<'a>,
}

impl Exchange<'_> {
    /// The only loop: it decides anew what changed between reading and writing.
    async fn run(self) -> Result<TokenResponse, Stopped> {
        let Call { app, world, client, proof, now, .. } = *self.call;
        let (verified, found) = self.verify().await;
        let fresh = fresh_ids(app.entropy.as_ref(), now)
            .map_err(|error| Stopped::Unrecorded(Arc::new(self.call.report()), Stop::Failed(error.into())))?;
        let question = Question { client, request: self.request, verified: &verified, proof, fresh: &fresh };
        let failed = |failure: Failure| {
            let report = Report::of(&question, &world.config);
            Stopped::Unrecorded(Arc::new(report), Stop::Failed(failure))
        };
        let mut recorded = match found.map_err(failed)? {
            Some(lineage) => self.token_record(Some(lineage)).await.map_err(failed)?,
            None if self.needs_reading(&verified) => self.read(&verified).await.map_err(failed)?,
            None => Recorded::Unread,
        };
        for _ in 0..ATTEMPTS {
            let Decision { report, outcome } = decide(world, &question, &recorded, now);
            tracing::debug!(client.id = %client.client().id, checks = ?report.checks(), "an exchange was decided");
            let permit = match outcome {
                Ok(permit) => permit,
                Err(_) if recorded.is_unread() && is_verified(&verified) => {
                    // The record may show an earlier fault, and the first one is the one that is reported.
                    recorded = self.read(&verified).await.map_err(failed)?;
                    continue;
                }
                Err(denial) => return Err(Stopped::Unrecorded(Arc::new(report), stop(denial))),
            };
            let report = Arc::new(report);
            let unrecorded = |stop| Stopped::Unrecorded(Arc::clone(&report), stop);
            let issued = self.issue(permit).map_err(|error| unrecorded(Stop::Failed(error.into())))?;
            let entry = Entry {
                one_time: self.call.one_time(),
                change: Change::Issue(Box::new(issued.signed), world.config.generation),
                told: Some(self.call.told(Arc::clone(&report))),
                now,
            };
            match app.store.record(entry).await {
                Ok(store::Recorded::Done { .. }) => return Ok(issued.response),
                Ok(store::Recorded::Refused(cause)) => {
                    self.alert(&cause);
                    return Err(Stopped::Recorded(cause.into()));
                }
                Ok(store::Recorded::Superseded) => return Err(Stopped::Superseded),
                Ok(store::Recorded::Replayed(cause)) => return Err(unrecorded(cause.into())),
                Ok(store::Recorded::Changed | store::Recorded::NotFound | store::Recorded::Impossible(_)) => {
                    app.refresh_keys().await.map_err(failed)?;
                    recorded = self.read(&verified).await.map_err(failed)?;
                }
                Err(error) => return Err(unrecorded(Stop::Failed(error.into()))),
            }
        }
        Err(failed(Failure::Contention))
    }

    /// Tells the operator of a pinned credential that came without its key, and of a quota that is used up. The audit has
    /// which.
    fn alert(self, cause: &Cause) {
        let Call { app, caller, client, .. } = *self.call;
        let id = &client.client().id;
        if let Cause::AgentQuota { .. } = cause {
            tracing::warn!(client.id = %id, request.id = %caller.request,
                "a new agent was refused: a quota of its workload issuer or class is used up");
        }
        if let Cause::CredentialPinned { .. } = cause {
            app.metrics.pins_refused.inc();
            tracing::warn!(client.id = %id, request.id = %caller.request,
                "a pinned credential came without its key: the key is lost, or the credential is stolen");
        }
    }

    fn issue(self, permit: Permit) -> Result<Issued, KeyError> {
        let Call { app, world, now, .. } = *self.call;
        let ring = app.ring.load();
        issuance::issue(permit, &world.config, &ring, &app.secrets, app.entropy.as_ref(), now)
    }

    /// Verifies both tokens. Results are kept; the decision says which counts. A token of Deputy's own is recognised by
    /// its record, which is returned, so that it is not read twice.
    async fn verify(self) -> (Verified, Result<Option<Lineage>, Failure>) {
        let Call { app, caller, world, client, now, .. } = *self.call;
        let config = world.config.as_ref();
        let id = &client.client().id;
        let (subject, found) = match (self.request.subject, self.subject) {
            (SubjectToken::Login(declared), Presented::Jwt(scanned)) => {
                let login = app.verifier.login(config, (scanned, declared), id, now).await;
                (SubjectResult::Login(login.map(Box::new)), Ok(None))
            }
            // It is an access token of Deputy's own, whatever it was declared to be.
            (SubjectToken::Login(_), Presented::Opaque(_)) => {
                (SubjectResult::Login(Err(TokenFault::Kind.into())), Ok(None))
            }
            (SubjectToken::None, _) => (SubjectResult::None, Ok(None)),
            (SubjectToken::Own, presented) => {
                let presenting = Presenting { app, config, caller, client: id, now };
                let (own, found) = match presenting.find(presented.clone()).await {
                    Ok(Ok(Found { own, token: KnownToken::InTask(lineage) })) => {
                        (Ok(own), Ok(Some(*lineage)))
                    }
                    Ok(Ok(Found { token: KnownToken::Alone(_), .. })) => {
                        (Err(TokenFault::AboutAgent.into()), Ok(None))
                    }
                    Ok(Err(fault)) => (Err(fault.into()), Ok(None)),
                    Err(failure) => {
                        let why = KeysUnknown::NotHad(failure.to_string());
                        (Err(NotVerified::Unavailable(why)), Err(failure))
                    }
                };
                (SubjectResult::Own(own), found)
            }
        };
        (Verified { subject, actor: self.actor().await }, found)
    }

    /// The actor: the agent that the credential of a platform names, as the credential of the client or as the actor token;
    /// else the client's own. Some of them are named by the key that the request proves.
    async fn actor(self) -> Result<Acting, NoActor> {
        let Call { app, world, now, .. } = *self.call;
        let client = Arc::clone(self.call.client.client());
        let credential = match (self.call.client.platform(), &self.request.actor) {
            (None, None) => {
                let id = app.secrets.agent_id(AgentOf::Client(&client.id));
                return Ok(Acting { id, client, workload: None });
            }
            (None, Some(token)) => {
                app.verifier.workload(&world.config, &UnverifiedToken::scan(token.as_str()), now).await?
            }
            (Some(platform), Some(token)) if !platform.credential().is(token.as_str()) => {
                return Err(TokenFault::OtherCredential.into());
            }
            (Some(platform), _) => platform.credential().clone(),
        };
        let proven = self.call.proof.map(VerifiedProof::thumbprint);
        let workload = credential.presented_with(proven).ok_or(NoActor::KeyMissing)?;
        let id = app.secrets.agent_id(AgentOf::Workload(workload.issuer(), workload.id()));
        Ok(Acting { id, client, workload: Some(workload) })
    }

    /// A first hop with a login token that names no task is decided unread: most such tokens are new, and the
    /// writing transaction proves what was assumed. One that is too old to begin anything is of use only if it is known.
    fn needs_reading(self, verified: &Verified) -> bool {
        match &verified.subject {
            SubjectResult::Login(Ok(login)) => {
                let is_too_old = login.begins_until().is_some_and(|until| self.call.now > until);
                is_too_old || self.request.task != NamedTask::None
            }
            SubjectResult::Login(Err(_)) | SubjectResult::None => false,
            // Its record was read to recognise it.
            SubjectResult::Own(_) => false,
        }
    }

    /// What the store knows of the subject token and of the agent that is to act.
    async fn read(self, verified: &Verified) -> Result<Recorded, Failure> {
        match &verified.subject {
            SubjectResult::Login(Ok(login)) => {
                let named = match self.request.task {
                    NamedTask::This(id) => Some(id),
                    NamedTask::None | NamedTask::Unreadable => None,
                };
                let agent = verified.actor.as_ref().ok().map(|acting| acting.to_agent(self.call.now));
                let Call { app, now, .. } = *self.call;
                let (facts, user) = (login.facts(), login.subject());
                let record = app.store.find_login_record(facts, user, agent.as_ref(), named, now).await?;
                Ok(Recorded::Login(Box::new(record)))
            }
            SubjectResult::None => match &verified.actor {
                Ok(acting) => {
                    let agent = acting.to_agent(self.call.now);
                    let record = self.call.app.store.find_agent_record(&agent).await?;
                    Ok(Recorded::Agent(Box::new(record)))
                }
                Err(_) => Ok(Recorded::Unread),
            },
            SubjectResult::Own(Ok(own)) => {
                self.token_record(own::find_again(self.call.app, own).await?).await
            }
            SubjectResult::Login(Err(_)) | SubjectResult::Own(Err(_)) => Ok(Recorded::Unread),
        }
    }

    /// The record of a token of Deputy's own, with the answer that its login gives.
    async fn token_record(self, lineage: Option<Lineage>) -> Result<Recorded, Failure> {
        let answer = match &lineage {
            Some(lineage) => self.recorded_answer(lineage).await?,
            None => None,
        };
        let requested = match self.request.handover.as_ref().map(|asked| &asked.recipient) {
            Some(Recipient::Agent(id)) => self.call.app.store.find_agent(id).await?,
            Some(Recipient::Class(_)) | None => None,
        };
        Ok(Recorded::Token(Box::new(TokenRecord { lineage, actor: None, requested, answer })))
    }

    /// The login's answer to what is asked of the target, opened.
    async fn recorded_answer(self, lineage: &Lineage) -> Result<Option<SealedAnswer>, Failure> {
        let Audience::Target(id) = &self.request.audience else { return Ok(None) };
        let Some(target) = self.call.world.config.registry.targets.get(id) else { return Ok(None) };
        let Ok(Some(scope)) = answered(&Reach::One(Arc::clone(target)), self.request.scope.words()) else {
            return Ok(None);
        };
        let Some(login) = lineage.behind.login().map(|login| login.id) else { return Ok(None) };
        let Some(sealed) = self.call.app.store.find_answer(login, id, &scope).await? else { return Ok(None) };
        let label = answer_label(login, id, &scope);
        let opened = self.call.app.secrets.open(SealPurpose::Answer(&label), &sealed)?;
        Ok(SealedAnswer::from_bytes(&opened))
    }
}

/// Whether the subject token was verified, or the agent that asks for itself, so that there is something to read.
const fn is_verified(verified: &Verified) -> bool {
    match &verified.subject {
        SubjectResult::Login(result) => result.is_ok(),
        SubjectResult::Own(result) => result.is_ok(),
        SubjectResult::None => verified.actor.is_ok(),
    }
}

fn fresh_ids(entropy: &dyn Entropy, now: Timestamp) -> Result<FreshIds, EntropyUnavailable> {
    Ok(FreshIds {
        jti: Jti::new(uuid_v7(entropy, now)?),
        task: TaskId::new(uuid_v7(entropy, now)?),
        login: LoginId::new(uuid_v7(entropy, now)?),
        subject: SubjectRef::new(uuid_v7(entropy, now)?),
    })
}

fn stop(denial: Denial) -> Stop {
    match denial {
        Denial::Refused(cause) => Stop::Refused(cause),
        Denial::Unknown(Unknown::IssuerKeys(what)) => Stop::Failed(Failure::IssuerKeys(what)),
        Denial::Unknown(Unknown::Policy) => Stop::Failed(Failure::Policy),
        Denial::Unknown(Unknown::Record) => Stop::Failed(Failure::Contention),
    }
}
