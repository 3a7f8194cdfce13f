//! The token exchange grant (RFC 8693 §2): verify, read, decide, issue, record.

use std::sync::Arc;

use crate::app::{App, Failure, Stop};
use crate::audit::{AuditRow, Event, Outcome};
use crate::base::entropy::{Entropy, EntropyUnavailable, uuid_v7};
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::decision::{
    Check, Decision, Denial, FreshIds, Question, Report, SubjectResult, Unknown, Verified, World, decide,
};
use crate::delegation::actor::Acting;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::record::Lineage;
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::delegation::rules::{Reach, answered};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::issuance::{self, answer_label};
use crate::keys::SealPurpose;
use crate::oauth::{
    Audience, ExchangeRequest, Jti, LoginId, NamedTask, Params, Plain, SubjectRef, SubjectToken, TaskId,
    TokenResponse,
};
use crate::store::{self, Change, Entry};
use crate::verification::NotVerified;

/// How often a request is decided anew because the record changed meanwhile.
const ATTEMPTS: u8 = 5;

/// Exchanges a subject token for a narrower one. Every refusal is recorded.
///
/// # Errors
/// [`Stop`]: refused, or failed; nothing was given.
pub async fn exchange(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
    let _announced = app.store.announce();
    let now = app.now().map_err(Stop::Failed)?;
    let world = World { config: app.config.load_full(), policy: app.policy.current() };
    let client = phases::authenticate(app, &world.config, caller, params, now, Event::Exchange).await?;
    let request = match parse(&client, params, &world.config) {
        Ok(request) => request,
        Err((check, cause)) => {
            let report = Report::of_client(client.client().id.clone()).refused_at(check, cause.clone());
            return Err(
                phases::record_stop(app, caller, &client, row(&report, caller, now), cause.into()).await
            );
        }
    };
    let exchange = Exchange { app, caller, world: &world, client: &client, request: &request, now };
    match exchange.run().await {
        Ok(response) => Ok(response),
        Err((report, stop)) => {
            Err(phases::record_stop(app, caller, &client, row(&report, caller, now), stop).await)
        }
    }
}

fn parse(
    client: &AuthenticatedClient,
    params: &Params,
    config: &Config,
) -> Result<ExchangeRequest, (Check, crate::oauth::Cause)> {
    let grant = crate::oauth::GrantType::of(params).map_err(|cause| (Check::Grant, cause))?;
    if !client.client().may_use(grant) {
        return Err((Check::GrantAllowed, Plain::GrantNotRegistered.into()));
    }
    ExchangeRequest::parse(params, &config.issuer).map_err(|cause| (Check::Parameters, cause))
}

/// One exchange under way.
#[derive(Clone, Copy)]
struct Exchange<'a> {
    app: &'a App,
    caller: &'a Caller,
    world: &'a World,
    client: &'a AuthenticatedClient,
    request: &'a ExchangeRequest,
    now: Timestamp,
}

/// Why there is no answer, and what is to be recorded of it.
type Stopped = (Box<Report>, Stop);

impl Exchange<'_> {
    /// The only loop: it decides anew what changed between reading and writing.
    async fn run(self) -> Result<TokenResponse, Stopped> {
        let verified = self.verify().await;
        let fresh = fresh_ids(self.app.entropy.as_ref(), self.now).map_err(|error| {
            let report = Report::of_client(self.client.client().id.clone());
            (Box::new(report.failed_at(Check::Subject)), Stop::Failed(error.into()))
        })?;
        let question =
            Question { client: self.client, request: self.request, verified: &verified, fresh: &fresh };
        let failed = |failure: Failure| {
            let report = Report::of(&question, &self.world.config).failed_at(Check::Subject);
            (Box::new(report), Stop::Failed(failure))
        };
        let mut recorded = match self.needs_reading(&verified) {
            true => self.read(&verified).await.map_err(failed)?,
            false => Recorded::Unread,
        };
        for _ in 0..ATTEMPTS {
            let Decision { report, outcome } = decide(self.world, &question, &recorded, self.now);
            let permit = match outcome {
                Ok(permit) => permit,
                Err(_) if recorded.is_unread() && is_verified(&verified) => {
                    // The record may show an earlier fault, and the first one is the one that is reported.
                    recorded = self.read(&verified).await.map_err(failed)?;
                    continue;
                }
                Err(denial) => return Err((Box::new(report), stop(denial))),
            };
            let app = self.app;
            let ring = app.ring.load();
            let issued = issuance::issue(
                permit,
                &self.world.config,
                &ring,
                &app.secrets,
                app.entropy.as_ref(),
                self.now,
            );
            let issued = match issued {
                Ok(issued) => issued,
                Err(error) => {
                    return Err((Box::new(report.failed_at(Check::Answer)), Stop::Failed(error.into())));
                }
            };
            let entry = Entry {
                one_time: self.client.one_time().to_vec(),
                change: Change::Issue(Box::new(issued.signed)),
                audit: Some(row(&report, self.caller, self.now)),
                now: self.now,
            };
            match app.store.record(entry).await {
                Ok(store::Recorded::Done { .. }) => return Ok(issued.response),
                Ok(store::Recorded::Replayed) => {
                    return Err((Box::new(report), Plain::AssertionReplayed.into()));
                }
                Ok(store::Recorded::Refused(cause)) => {
                    let report = report.refused_at(Check::Binding, cause.clone());
                    return Err((Box::new(report), cause.into()));
                }
                Ok(store::Recorded::Changed | store::Recorded::NotFound) => {
                    app.refresh_keys().await.map_err(failed)?;
                    recorded = self.read(&verified).await.map_err(failed)?;
                }
                Err(error) => {
                    return Err((Box::new(report.failed_at(Check::Answer)), Stop::Failed(error.into())));
                }
            }
        }
        Err(failed(Failure::Contention))
    }

    /// Signatures and keys of both tokens. Results are kept; the decision says which counts.
    async fn verify(self) -> Verified {
        let Self { app, client, now, .. } = self;
        let config = self.world.config.as_ref();
        let subject = match &self.request.subject {
            SubjectToken::IdToken(token) => {
                let id = &client.client().id;
                let login = app.verifier.id_token(config, token.as_str(), id, now).await;
                SubjectResult::Login(login.map(Box::new))
            }
            SubjectToken::Own(token) => {
                SubjectResult::Own(phases::verify_own(app, config, token.as_str()).await)
            }
        };
        Verified { subject, actor: self.actor().await }
    }

    /// The actor: the agent of the actor token where one was sent, else the client's own.
    async fn actor(self) -> Result<Acting, NotVerified> {
        let client = Arc::clone(self.client.client());
        let secrets = &self.app.secrets;
        let Some(token) = &self.request.actor else {
            let id = secrets.agent_id("client", client.id.as_str());
            return Ok(Acting { id, client, workload: None });
        };
        let workload = self.app.verifier.workload(&self.world.config, token.as_str(), self.now).await?;
        let id = secrets.agent_id(workload.issuer().as_str(), workload.id());
        Ok(Acting { id, client, workload: Some(workload) })
    }

    /// A first hop with a login token that names no task is decided unread: most such tokens are new, and the
    /// writing transaction proves what was assumed.
    fn needs_reading(self, verified: &Verified) -> bool {
        match &verified.subject {
            SubjectResult::Login(result) => result.is_ok() && self.request.task != NamedTask::None,
            SubjectResult::Own(result) => result.is_ok(),
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
                let subject = (&login.provider().issuer, login.subject());
                let agent = verified.actor.as_ref().ok().map(|acting| &acting.id);
                let record =
                    self.app.store.find_login_record(&login.id_token_hash, subject, agent, named).await?;
                Ok(Recorded::Login(Box::new(record)))
            }
            SubjectResult::Own(Ok(own)) => {
                let lineage = phases::find_own(self.app, own).await?;
                let answer = match &lineage {
                    Some(lineage) => self.recorded_answer(lineage).await?,
                    None => None,
                };
                Ok(Recorded::Token(Box::new(TokenRecord { lineage, actor: None, answer })))
            }
            SubjectResult::Login(Err(_)) | SubjectResult::Own(Err(_)) => Ok(Recorded::Unread),
        }
    }

    /// The login's answer to what is asked of the target, opened.
    async fn recorded_answer(self, lineage: &Lineage) -> Result<Option<SealedAnswer>, Failure> {
        let Audience::Target(id) = &self.request.audience else { return Ok(None) };
        let Some(target) = self.world.config.targets.get(id) else { return Ok(None) };
        let Ok(Some(scope)) = answered(&Reach::One(Arc::clone(target)), &self.request.scope) else {
            return Ok(None);
        };
        let login = lineage.login.id;
        let Some(sealed) = self.app.store.find_answer(login, id, &scope).await? else { return Ok(None) };
        let label = answer_label(login, id, &scope);
        let opened = self.app.secrets.open(SealPurpose::Answer(&label), &sealed)?;
        Ok(SealedAnswer::from_bytes(&opened))
    }
}

/// Whether the subject token was verified, so that there is something to read.
const fn is_verified(verified: &Verified) -> bool {
    match &verified.subject {
        SubjectResult::Login(result) => result.is_ok(),
        SubjectResult::Own(result) => result.is_ok(),
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

/// The audit row of an exchange, from its report.
fn row(report: &Report, caller: &Caller, now: Timestamp) -> AuditRow {
    let mut row = AuditRow::new(now, Event::Exchange, Outcome::Granted);
    let who = &report.who;
    row.request = Some(caller.request);
    row.client = Some(who.client.clone());
    row.agent.clone_from(&who.agent);
    row.class.clone_from(&who.class);
    row.chain.clone_from(&who.chain);
    row.subject = who.subject;
    row.task = who.task;
    row.task_begun = who.begins_task;
    row.purpose = who.purpose.as_ref().map(|purpose| purpose.as_str().to_owned());
    row.login = who.login;
    row.parent = who.parent;
    if let Some(facts) = &who.presented {
        row.provider = Some(facts.provider.to_string());
        row.levels = facts.levels.iter().cloned().collect();
    }
    row.target.clone_from(&report.asked.target);
    row.scope_asked.clone_from(&report.asked.scope);
    row.policy = report.policy.as_ref().map(|policy| policy.decision.record.clone());
    if report.is_birthdate_malformed {
        row.detail = Some("birthdate_invalid".to_owned());
    }
    if let (Some(grant), None) = (&report.grant, report.stopped()) {
        row.token_kind = Some(match grant.kind {
            crate::delegation::record::TokenKind::Task => "task".to_owned(),
            crate::delegation::record::TokenKind::Access => "access".to_owned(),
        });
        row.scope = Some(grant.scope.clone());
        row.expires_at = Some(grant.expires_at.seconds());
    }
    row
}
