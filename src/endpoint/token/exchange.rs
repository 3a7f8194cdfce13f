//! The corridor of `/token` (RFC 8693 §2): does the I/O, calls the rooms in order, holds no rule.

use crate::app::{App, Failure, Stop};
use crate::audit::{AuditRow, Event, Outcome};
use crate::base::entropy::uuid_v7;
use crate::base::time::Timestamp;
use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::answers;
use crate::delegation::answers::{Answer, SealedAnswer, Unknown};
use crate::delegation::assurance::{Assured, Demands};
use crate::delegation::record::{Delegation, Lineage, Login, Subject, Task, live};
use crate::delegation::rules::{Derived, Ends, Source, derive};
use crate::delegation::task::{Asking, Standing, Standstill, TaskPlan, plan};
use crate::endpoint::phases;
use crate::http::caller::Caller;
use crate::issuance::{self, Grant, IssuedToken};
use crate::keys::SealPurpose;
use crate::oauth::exchange::token_type;
use crate::oauth::{
    Audience, Cause, ExchangeRequest, Jti, LoginId, Params, Plain, PresentedToken, ScopeToken, SubjectRef,
    SubjectToken, TargetId, TaskId, TokenFault, TokenResponse,
};
use crate::policy::{self, Decision};
use crate::store::{Change, Entry, HopZero, Issue, NewAnswer, Origin, RecordRefusal, Recorded};
use crate::verification::VerifiedIdToken;

/// How often a request is derived anew because the records changed under it.
const ATTEMPTS: u8 = 5;

/// Exchanges a subject token for a narrower one (RFC 8693 §2).
///
/// # Errors
/// [`Stop`]: refused, and the refusal recorded; or failed, and nothing given.
pub async fn exchange(app: &App, caller: &Caller, params: &Params) -> Result<TokenResponse, Stop> {
    let _announced = app.store.announce();
    let now = app.now().map_err(Stop::Failed)?;
    let config = app.config.load_full();
    let client = phases::authenticate(app, &config, caller, params, now, Event::Exchange).await?;
    let mut row = AuditRow::new(now, Event::Exchange, Outcome::Granted);
    row.request = Some(caller.request);
    row.client = Some(client.client.id.clone());
    let mut corridor = Corridor { app, config: &config, client: &client, now, row };
    let answer = corridor.run(params).await;
    let row = corridor.row;
    match answer {
        Ok(response) => Ok(response),
        Err(stop) => Err(phases::record_stop(app, caller, &client, row, stop).await),
    }
}

/// One request on its way through the rooms, and what is known of it for the record.
struct Corridor<'a> {
    app: &'a App,
    config: &'a Config,
    client: &'a AuthenticatedClient,
    now: Timestamp,
    row: AuditRow,
}

/// The facts of the login that a token descends from.
struct LoginFacts<'a> {
    subject: &'a Subject,
    login: &'a Login,
    task: &'a Task,
}

impl Corridor<'_> {
    async fn run(&mut self, params: &Params) -> Result<TokenResponse, Stop> {
        ExchangeRequest::check_grant(params)?;
        if !self.client.client.may_exchange {
            return Err(Plain::GrantNotRegistered.into());
        }
        let request = ExchangeRequest::parse(params, &self.config.issuer)?;
        self.note_asked(&request);
        match &request.subject {
            SubjectToken::IdToken(token) => self.hop_zero(token, &request).await,
            SubjectToken::Own(token) => self.later_hop(token, &request).await,
        }
    }

    /// Puts into the row what was asked for, as far as the configuration knows the words: any other may be
    /// a token or a secret in the wrong place.
    fn note_asked(&mut self, request: &ExchangeRequest) {
        let is_known = request.scope.is_subset_of(&self.client.client.scopes);
        let scope = if is_known { request.scope.clone() } else { self.config.known_part_of(&request.scope) };
        self.row.scope_asked = (!scope.is_empty()).then_some(scope);
        self.row.target = match &request.audience {
            Audience::Target(target) => self.config.targets.contains_key(target).then(|| target.clone()),
            _ => Some(TargetId::new(self.config.issuer.as_str())),
        };
    }

    /// Hop 0: an ID token begins or joins a task.
    async fn hop_zero(
        &mut self,
        token: &PresentedToken,
        request: &ExchangeRequest,
    ) -> Result<TokenResponse, Stop> {
        let id_token = self
            .app
            .verifier
            .id_token(self.config, token.as_str(), &self.client.client.id, self.now)
            .await
            .map_err(|error| Stop::not_verified(error, Cause::subject))?;
        self.row.provider = Some(id_token.provider.issuer.to_string());
        self.row.levels = id_token.levels.iter().cloned().collect();
        let acting = self.acting(request).await?;
        self.check_may_act(
            id_token.may_act.as_ref(),
            &acting,
            &id_token.provider.issuer,
            Some((&id_token.provider.issuer, &id_token.relying_party)),
        )?;
        let named = request.named_task()?;

        // A fresh ID token is the common case and needs no reading: what is believed here is proved
        // again in the writing transaction. Anything else is read first.
        let mut is_read = named.is_some();
        let mut standing = Standing::default();
        if is_read {
            standing = self.read_standing(&id_token, &acting, named).await?;
        }
        for _ in 0..ATTEMPTS {
            let attempt = self.attempt_hop_zero(&id_token, &acting, request, named, &standing).await;
            let (entry, response) = match attempt {
                Ok(made) => made,
                Err(Stop::Refused(_) | Stop::Failed(Failure::Policy)) if !is_read => {
                    // The record may hold an earlier fault; the first one is the one reported.
                    standing = self.read_standing(&id_token, &acting, named).await?;
                    is_read = true;
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            match self.app.store.record(entry).await? {
                Recorded::Done { .. } => return Ok(response),
                Recorded::Replayed => return Err(Plain::AssertionReplayed.into()),
                Recorded::Refused(refusal) => return Err(refused(refusal, request.actor.is_some()).into()),
                Recorded::Changed | Recorded::NotFound => {
                    self.app.refresh_keys().await.map_err(Stop::Failed)?;
                    standing = self.read_standing(&id_token, &acting, named).await?;
                    is_read = true;
                }
            }
        }
        Err(Stop::Failed(Failure::Contention))
    }

    async fn read_standing(
        &self,
        id_token: &VerifiedIdToken,
        acting: &Acting,
        named: Option<TaskId>,
    ) -> Result<Standing, Stop> {
        let subject = (&id_token.provider.issuer, id_token.subject.as_str());
        Ok(self.app.store.find_standing(&id_token.hash, subject, &acting.id, named).await?)
    }

    async fn attempt_hop_zero(
        &mut self,
        id_token: &VerifiedIdToken,
        acting: &Acting,
        request: &ExchangeRequest,
        named: Option<TaskId>,
        standing: &Standing,
    ) -> Result<(Entry, TokenResponse), Stop> {
        let now = self.now;
        let asking = Asking {
            client: &self.client.client.id,
            agent: &acting.id,
            auth_time: id_token.auth_time,
            named_task: named,
            purpose: request.purpose.as_ref(),
        };
        let planned = plan(standing, &asking, now)
            .map_err(|standstill| refused(standstill.into(), request.actor.is_some()))?;
        let subject = self.subject_of(id_token, standing)?;
        let (task, login) = self.task_and_login(id_token, acting, request, standing, planned, &subject)?;
        self.row.task = Some(task.id);
        self.row.task_begun = planned == TaskPlan::Begin;
        self.row.purpose = task.purpose.as_ref().map(|purpose| purpose.as_str().to_owned());
        self.row.login = Some(login.id);
        self.row.subject = standing.subject.as_ref().map(|known| known.reference);

        let ends = Ends { task: task.expires_at, login: login.ends_at };
        let derived =
            derive(self.config, Source::Login, acting, &request.audience, &request.scope, ends, now)?;
        let facts = LoginFacts { subject: &subject, login: &login, task: &task };
        self.permit(request, &derived, acting, &facts, 0)?;
        let known = self.answers_of(id_token, &derived, task.expires_at);
        let answer = match &derived.answer {
            None => None,
            Some(scope) => {
                let value = known
                    .iter()
                    .find(|(target, of, _)| *target == derived.target && of == scope)
                    .map(|(_, _, sealed)| sealed);
                Some((scope.clone(), self.give_answer(&derived, scope, value)?))
            }
        };
        let mut answers = Vec::with_capacity(known.len());
        for (target, scope, value) in &known {
            let sealed = self.app.secrets.seal(
                SealPurpose::Answer(&answer_label(login.id, target.as_str(), scope)),
                &value.to_bytes(),
                self.app.entropy.as_ref(),
            )?;
            answers.push(NewAnswer { target: target.clone(), scope: scope.clone(), sealed });
        }
        let (delegation, issued) = self.issue(&derived, &facts, answer.as_ref())?;
        let mut response = response(&derived, issued);
        response.task = Some(task.id);
        let origin = Origin::HopZero(Box::new(HopZero {
            subject,
            plan: planned,
            task,
            named_task: named,
            purpose: request.purpose.clone(),
            login,
            answers,
        }));
        Ok((self.entry(Issue { origin, actor: acting.to_agent(now), delegation }), response))
    }

    /// A later hop: a Deputy token is continued, or exchanged onward.
    async fn later_hop(
        &mut self,
        token: &PresentedToken,
        request: &ExchangeRequest,
    ) -> Result<TokenResponse, Stop> {
        let own = phases::verify_own(self.app, self.config, token.as_str())
            .await
            .map_err(|error| Stop::not_verified(error, Cause::subject))?;
        self.row.parent = Some(own.jti);
        for _ in 0..ATTEMPTS {
            let lineage =
                phases::find_own(self.app, &own).await?.ok_or(Cause::subject(TokenFault::NeverIssued))?;
            self.row.task = Some(lineage.task.id);
            self.row.login = Some(lineage.login.id);
            self.row.subject = Some(lineage.subject.reference);
            self.row.chain = lineage.delegation.chain.clone();
            live(&lineage, self.now).map_err(Cause::subject)?;
            let acting = self.acting(request).await?;
            self.check_may_act(own.may_act.as_ref(), &acting, &self.config.issuer, None)?;
            let (entry, response) = self.attempt_later(request, &acting, &lineage).await?;
            match self.app.store.record(entry).await? {
                Recorded::Done { .. } => return Ok(response),
                Recorded::Replayed => return Err(Plain::AssertionReplayed.into()),
                Recorded::Refused(refusal) => return Err(refused(refusal, request.actor.is_some()).into()),
                Recorded::Changed | Recorded::NotFound => {
                    self.app.refresh_keys().await.map_err(Stop::Failed)?;
                }
            }
        }
        Err(Stop::Failed(Failure::Contention))
    }

    async fn attempt_later(
        &mut self,
        request: &ExchangeRequest,
        acting: &Acting,
        lineage: &Lineage,
    ) -> Result<(Entry, TokenResponse), Stop> {
        let ends = Ends { task: lineage.task.expires_at, login: lineage.login.ends_at };
        let source = Source::Delegation(&lineage.delegation);
        let derived = derive(self.config, source, acting, &request.audience, &request.scope, ends, self.now)?;
        let facts = LoginFacts { subject: &lineage.subject, login: &lineage.login, task: &lineage.task };
        let hop = u8::try_from(derived.ancestors.len()).unwrap_or(u8::MAX);
        self.permit(request, &derived, acting, &facts, hop)?;
        let answer = match &derived.answer {
            None => None,
            Some(scope) => {
                Some((scope.clone(), self.recall_answer(&derived, scope, lineage.login.id).await?))
            }
        };
        let (delegation, issued) = self.issue(&derived, &facts, answer.as_ref())?;
        let response = response(&derived, issued);
        let origin = Origin::Later { parent: lineage.delegation.jti };
        Ok((self.entry(Issue { origin, actor: acting.to_agent(self.now), delegation }), response))
    }

    /// The actor: the agent of a valid actor token, else the client's own (design.md 2).
    async fn acting(&mut self, request: &ExchangeRequest) -> Result<Acting, Stop> {
        let client = self.client.client.clone();
        let acting = match &request.actor {
            None => {
                let id = self.app.secrets.agent_id("client", client.id.as_str());
                Acting { id, client, workload: None }
            }
            Some(token) => {
                let workload = self
                    .app
                    .verifier
                    .workload(self.config, token.as_str(), self.now)
                    .await
                    .map_err(|error| Stop::not_verified(error, Cause::actor))?;
                let id = self.app.secrets.agent_id(workload.issuer.as_str(), &workload.id);
                Acting { id, client, workload: Some(workload) }
            }
        };
        self.row.agent = Some(acting.id.clone());
        self.row.class = Some(acting.class().to_owned());
        acting.check().map_err(Cause::actor)?;
        Ok(acting)
    }

    fn check_may_act(
        &self,
        may_act: Option<&crate::verification::MayAct>,
        acting: &Acting,
        token_issuer: &crate::oauth::Issuer,
        relying_party: Option<(&crate::oauth::Issuer, &str)>,
    ) -> Result<(), Cause> {
        let is_named = may_act
            .is_none_or(|named| acting.is_named_by(named, &self.config.issuer, token_issuer, relying_party));
        if is_named { Ok(()) } else { Err(Cause::subject(TokenFault::MayAct)) }
    }

    /// `authorization_details`, the assurance gate, who may have answers, policy: in this order.
    fn permit(
        &mut self,
        request: &ExchangeRequest,
        derived: &Derived,
        acting: &Acting,
        facts: &LoginFacts<'_>,
        hop: u8,
    ) -> Result<(), Stop> {
        self.row.chain = derived.chain.clone();
        self.row.target = Some(derived.target.clone());
        if request.has_authorization_details {
            return Err(Plain::AuthorizationDetails.into());
        }
        let provider = self
            .config
            .identity_providers
            .get(&facts.login.provider)
            .ok_or(Cause::subject(TokenFault::PartyRemoved))?;
        let demands = Demands::of(&derived.scope, derived.reach.iter().map(AsRef::as_ref));
        let assured = Assured { levels: &facts.login.levels, auth_time: facts.login.auth_time };
        demands.check(assured, &provider.assurance, self.now)?;
        if let Some(answer) = &derived.answer
            && !acting.answers().contains(answer)
        {
            return Err(Plain::AnswerNotForActor.into());
        }
        let decision = self.decide(derived, acting, facts, &demands, hop);
        let (is_permit, is_error) = (decision.is_permit, decision.is_error);
        self.row.policy = Some(decision.record);
        match (is_permit, is_error) {
            (true, false) => Ok(()),
            // A deny, and not one that a rule wanted: what cannot be decided is 503 (8693-2.2.2-06).
            (_, true) => Err(Stop::Failed(Failure::Policy)),
            (false, false) => Err(Plain::PolicyDenied.into()),
        }
    }

    fn decide(
        &self,
        derived: &Derived,
        acting: &Acting,
        facts: &LoginFacts<'_>,
        demands: &Demands,
        hop: u8,
    ) -> Decision {
        let answers = derived.answer.iter().map(|scope| scope.as_str().to_owned()).collect();
        let class_answers = acting.answers().iter().map(|scope| scope.as_str().to_owned()).collect();
        self.app.policy.current().decide(&policy::Facts {
            actor: &acting.id,
            class: acting.class(),
            workload_issuer: acting.workload_issuer(),
            client: &self.client.client.id,
            prior_actors: derived.chain.get(1..).unwrap_or_default(),
            target: &derived.target,
            is_task_token: derived.target_config.is_none(),
            onward_from: derived.onward_from.as_ref(),
            is_listed_onward: true,
            scope: &derived.scope,
            answers: &answers,
            class_answers: &class_answers,
            fresh_scopes: &demands.fresh_scopes,
            sensitive_scopes: &demands.sensitive_scopes,
            depth: u8::try_from(derived.chain.len()).unwrap_or(u8::MAX),
            hop,
            has_purpose: facts.task.purpose.is_some(),
            purpose: facts.task.purpose.as_ref().map(crate::oauth::Purpose::as_str),
            provider: &facts.login.provider,
            levels: &facts.login.levels,
            acr: facts.login.acr.as_deref(),
            amr: &facts.login.amr,
            login_age_seconds: self.now.seconds() - facts.login.auth_time,
            max_age_seconds: demands.max_age_seconds.map(i64::from),
            claims: &facts.login.policy_claims,
            lifetime_seconds: derived.expires_at.seconds() - derived.issued_at.seconds(),
            now: self.now,
        })
    }

    /// Every answer that the granted scopes ask of this login, for every target that answers them.
    fn answers_of(
        &mut self,
        id_token: &VerifiedIdToken,
        derived: &Derived,
        task_end: Timestamp,
    ) -> Vec<(crate::oauth::TargetId, ScopeToken, SealedAnswer)> {
        let mut known = Vec::new();
        for (scope, predicate) in &self.config.predicates {
            if !derived.scope.contains(scope.as_str()) {
                continue;
            }
            for target in self.config.targets.values() {
                let Some(rule) = target.answers.get(scope) else { continue };
                let claim = id_token.predicate_claims.get(&predicate.claim);
                let direct = id_token.predicate_claims.get(scope.as_str());
                let question = &predicate.question;
                match answers::evaluate(question, claim, direct, &rule.zone, self.now, task_end) {
                    Some(answer) => known.push((target.identifier.clone(), scope.clone(), answer)),
                    // That the claim is broken is the provider's to mend: told to the audit alone, without
                    // the value (yes-no-claims 2).
                    None => {
                        let invalid = Answer::Unknown(Unknown::Invalid);
                        if answers::answer(question, claim, direct, &rule.zone, self.now) == invalid {
                            self.row.detail = Some(Unknown::Invalid.word().to_owned());
                        }
                    }
                }
            }
        }
        known
    }

    /// The boolean, if it still holds and the target may have it.
    fn give_answer(
        &self,
        derived: &Derived,
        scope: &ScopeToken,
        answer: Option<&SealedAnswer>,
    ) -> Result<bool, Plain> {
        let rule = derived.target_config.as_ref().and_then(|target| target.answers.get(scope));
        let value = answer.zip(rule).and_then(|(answer, rule)| answer.at(self.now, rule));
        value.ok_or(Plain::AnswerUnavailable)
    }

    async fn recall_answer(
        &self,
        derived: &Derived,
        scope: &ScopeToken,
        login: LoginId,
    ) -> Result<bool, Stop> {
        let answer = match self.app.store.find_answer(login, &derived.target, scope).await? {
            None => None,
            Some(sealed) => {
                let label = answer_label(login, derived.target.as_str(), scope);
                let opened = self.app.secrets.open(SealPurpose::Answer(&label), &sealed)?;
                SealedAnswer::from_bytes(&opened)
            }
        };
        Ok(self.give_answer(derived, scope, answer.as_ref())?)
    }

    fn subject_of(&self, id_token: &VerifiedIdToken, standing: &Standing) -> Result<Subject, Stop> {
        if let Some(known) = &standing.subject {
            return Ok(known.clone());
        }
        Ok(Subject {
            reference: SubjectRef::new(uuid_v7(self.app.entropy.as_ref(), self.now)?),
            issuer: id_token.provider.issuer.clone(),
            upstream: id_token.subject.clone(),
            cutoff: None,
        })
    }

    fn task_and_login(
        &self,
        id_token: &VerifiedIdToken,
        acting: &Acting,
        request: &ExchangeRequest,
        standing: &Standing,
        planned: TaskPlan,
        subject: &Subject,
    ) -> Result<(Task, Login), Stop> {
        let entropy = self.app.entropy.as_ref();
        let session_end = Timestamp::from_seconds(id_token.auth_time).plus(id_token.provider.max_session);
        let known = |id: TaskId| {
            let fed = standing.uses.iter().map(|(_, task)| task);
            fed.chain(standing.named.as_ref()).find(|task| task.id == id).cloned()
        };
        let task = match planned {
            TaskPlan::Begin => {
                let started_at = Timestamp::from_seconds(self.now.seconds());
                Task {
                    id: TaskId::new(uuid_v7(entropy, self.now)?),
                    client: self.client.client.id.clone(),
                    agent: acting.id.clone(),
                    subject: subject.reference,
                    purpose: request.purpose.clone(),
                    started_at,
                    expires_at: started_at.plus(self.config.tasks.max_lifetime).min(session_end),
                    ended: None,
                }
            }
            TaskPlan::Join(id, _) | TaskPlan::JoinWithNewLogin(id) => {
                known(id).ok_or(Stop::Failed(Failure::Contention))?
            }
        };
        if let TaskPlan::Join(_, login) = planned {
            let known = standing.uses.iter().map(|(login, _)| login).find(|known| known.id == login);
            return Ok((task, known.cloned().ok_or(Stop::Failed(Failure::Contention))?));
        }
        let login = Login {
            id: LoginId::new(uuid_v7(entropy, self.now)?),
            task: task.id,
            id_token_hash: id_token.hash,
            provider: id_token.provider.issuer.clone(),
            relying_party: id_token.relying_party.clone(),
            levels: id_token.levels.clone(),
            acr: id_token.acr.clone(),
            amr: id_token.amr.clone(),
            auth_time: id_token.auth_time,
            session: id_token.session,
            policy_claims: id_token.policy_claims.clone(),
            ends_at: task.expires_at.min(session_end),
        };
        Ok((task, login))
    }

    /// Signs the token; nothing leaves before it is recorded.
    fn issue(
        &mut self,
        derived: &Derived,
        facts: &LoginFacts<'_>,
        answer: Option<&(ScopeToken, bool)>,
    ) -> Result<(Delegation, IssuedToken), Stop> {
        let jti = Jti::new(uuid_v7(self.app.entropy.as_ref(), self.now)?);
        let grant = Grant {
            jti,
            derived,
            client: &self.client.client.id,
            task: facts.task.id,
            facts: issuance::Facts {
                provider: &facts.login.provider,
                upstream: &facts.subject.upstream,
                acr: facts.login.acr.as_deref(),
                amr: &facts.login.amr,
                auth_time: facts.login.auth_time,
            },
            answer: answer.map(|(scope, value)| (scope, *value)),
        };
        let ring = self.app.ring.load();
        let issued = issuance::issue(self.config, &ring, &self.app.secrets, &grant, self.now)?;
        let delegation = Delegation {
            jti,
            kind: derived.kind,
            task: facts.task.id,
            login: facts.login.id,
            ancestors: derived.ancestors.clone(),
            chain: derived.chain.clone(),
            client: self.client.client.id.clone(),
            target: derived.target.clone(),
            scope: derived.scope.clone(),
            issued_at: derived.issued_at,
            expires_at: derived.expires_at,
            kid: issued.kid.clone(),
            hash: issued.hash,
            revoked: None,
        };
        self.row.token_kind = Some(
            match derived.kind {
                crate::delegation::record::TokenKind::Task => "task",
                crate::delegation::record::TokenKind::Access => "access",
            }
            .to_owned(),
        );
        Ok((delegation, issued))
    }

    fn entry(&self, issue: Issue) -> Entry {
        let mut audit = self.row.clone();
        audit.outcome = Outcome::Granted;
        audit.jti = Some(issue.delegation.jti);
        audit.scope = Some(issue.delegation.scope.clone());
        audit.expires_at = Some(issue.delegation.expires_at.seconds());
        Entry {
            spend: self.client.spend.clone(),
            change: Change::Issue(Box::new(issue)),
            audit: Some(audit),
            now: self.now,
        }
    }
}

fn response(derived: &Derived, issued: IssuedToken) -> TokenResponse {
    TokenResponse {
        access_token: issued.token,
        issued_token_type: token_type::ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in: derived.expires_at.seconds() - derived.issued_at.seconds(),
        scope: derived.scope.clone(),
        task: None,
    }
}

fn answer_label(login: LoginId, target: &str, scope: &ScopeToken) -> String {
    format!("{login}\n{target}\n{scope}")
}

impl From<Standstill> for RecordRefusal {
    fn from(standstill: Standstill) -> Self {
        match standstill {
            Standstill::Subject(fault) => Self::Subject(fault),
            Standstill::Actor(fault) => Self::Actor(fault),
            Standstill::Plain(plain) => Self::Plain(plain),
        }
    }
}

/// A fault of the actor is the actor token's where one was sent, else the subject token's: the caller
/// has nothing else to change.
fn refused(refusal: RecordRefusal, has_actor_token: bool) -> Cause {
    match refusal {
        RecordRefusal::Subject(fault) => Cause::subject(fault),
        RecordRefusal::Actor(fault) if has_actor_token => Cause::actor(fault),
        RecordRefusal::Actor(fault) => Cause::subject(fault),
        RecordRefusal::Plain(plain) => plain.into(),
    }
}
