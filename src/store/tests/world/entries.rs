//! Users who sign in, agents, and what the token endpoint hands to the store for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{KID, World, client};
use crate::base::time::{Lifetime, Timestamp};
use crate::decision::{FirstHop, Origin, Permit, Proposal, Terms};
use crate::delegation::plan::{Asking, TaskPlan, plan};
use crate::delegation::record::{
    Agent, AgentState, Behalf, Behind, Build, Delegation, Delegator, Grounds, Login, LoginFacts, Provenance,
    SignedIn, Subject, Task, TokenForm, TokenKind,
};
use crate::delegation::stops::StopNumber;
use crate::issuance::{SealedAnswerRow, SignedToken};
use crate::oauth::{
    AgentId, ClientId, Issuer, Jti, LoginId, PresentedAs, Scope, ScopeToken, SubjectRef, TargetId, TaskId,
};
use crate::registry::AgentLifetime;
use crate::store::Store;
use crate::store::entry::{Change, Entry};
use crate::verification::LoginToken;

/// As many tasks may a sign-in begin.
pub(crate) const MAX_PER_LOGIN: u32 = 3;
/// The session of every sign-in.
pub(crate) const SESSION: [u8; 32] = [9; 32];

/// One login token as presented.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) hash: [u8; 32],
    pub(crate) issuer: Issuer,
    pub(crate) upstream: String,
    pub(crate) token: LoginToken,
    pub(crate) auth_time: Option<i64>,
    pub(crate) issued_at: i64,
    pub(crate) begins_until: Option<Timestamp>,
    pub(crate) session: Option<[u8; 32]>,
    pub(crate) named: Option<TaskId>,
}

impl World {
    /// A first hop as the token endpoint makes it: read, planned, with everything prepared.
    pub(crate) async fn hop_zero(&self, store: &Store, sign_in: &SignIn, actor: &Agent) -> Entry {
        let facts = Arc::new(facts_of(sign_in));
        let upstream = sign_in.upstream.as_str();
        let record =
            store.find_login_record(&facts, upstream, Some(actor), sign_in.named, self.now()).await.unwrap();
        let asking = Asking {
            client: &actor.client,
            agent: actor,
            credential_at: None,
            login: &facts,
            begins_until: sign_in.begins_until,
            lacks_nonce: false,
            max_per_login: MAX_PER_LOGIN,
            named_task: sign_in.named,
            purpose: None,
        };
        let plan = plan(&record, &asking, self.now()).unwrap_or(TaskPlan::Begin);
        let (task, login) = match plan {
            TaskPlan::Begin => (TaskId::new(self.id()), LoginId::new(self.id())),
            TaskPlan::JoinWithNewLogin(task) => (task, LoginId::new(self.id())),
            TaskPlan::Join(task, login) => (task, login),
        };
        let expires_at = self.now().plus(Lifetime::from_seconds(3600));
        let subject = self.subject(sign_in);
        let hop = FirstHop {
            plan,
            task: self.task(task, Delegator::User(subject.reference), (actor, sign_in.session), expires_at),
            user: SignedIn {
                login: Login { id: login, task, facts, as_of: StopNumber::default(), ends_at: expires_at },
                subject,
            },
            begins_until: sign_in.begins_until,
            lacks_nonce: false,
            max_per_login: MAX_PER_LOGIN,
            named_task: sign_in.named,
            purpose: None,
        };
        let terms = Terms {
            jti: Jti::new(self.id()),
            proposal: Proposal {
                kind: TokenKind::Task,
                target: TargetId::new("https://deputy.example"),
                target_config: None,
                scope: Scope::parse("age_over_18 tickets:book tickets:search").unwrap(),
                answer: None,
                chain: vec![actor.id.clone()],
                classes: vec![actor.class.clone()],
                ancestors: Vec::new(),
                onward_from: None,
                accepted_from: None,
                brings_in: None,
                bound_to: None,
                issued_at: self.now(),
                expires_at,
            },
            client: actor.client.clone(),
            agent_presented_as: PresentedAs::Actor,
            credential_at: None,
            actor: actor.clone(),
            task,
            grounds: Grounds::default(),
            origin: Origin::FirstHop(Box::new(hop)),
            pin: None,
            quotas: None,
            answer: None,
            answers: Vec::new(),
        };
        let answers = vec![SealedAnswerRow {
            target: TargetId::new("tickets"),
            scope: ScopeToken::parse("age_over_18").unwrap(),
            sealed: vec![1, 2, 3, 4],
        }];
        self.signed(terms, answers)
    }

    /// What an agent asks for itself: the task token of a task of its own, or a token about it.
    pub(crate) fn alone(&self, actor: &Agent, begins_task: bool) -> Entry {
        let jti = Jti::new(self.id());
        let expires_at = self.now().plus(Lifetime::from_seconds(if begins_task { 3600 } else { 300 }));
        let task = begins_task.then(|| {
            let task = self.task(TaskId::new(self.id()), Delegator::Agent, (actor, None), expires_at);
            Box::new(task)
        });
        let (kind, target) = match &task {
            Some(_) => (TokenKind::Task, "https://deputy.example"),
            None => (TokenKind::Agent, "tickets"),
        };
        let terms = Terms {
            jti,
            proposal: Proposal {
                kind,
                target: TargetId::new(target),
                target_config: None,
                scope: Scope::parse("tickets:search").unwrap(),
                answer: None,
                chain: Vec::new(),
                classes: vec![actor.class.clone()],
                ancestors: Vec::new(),
                onward_from: None,
                accepted_from: None,
                brings_in: None,
                bound_to: None,
                issued_at: self.now(),
                expires_at,
            },
            client: actor.client.clone(),
            agent_presented_as: PresentedAs::Grant,
            credential_at: None,
            actor: actor.clone(),
            task: task.as_ref().map_or_else(|| TaskId::new(jti.uuid()), |task| task.id),
            grounds: Grounds::default(),
            origin: Origin::Agent { task },
            pin: None,
            quotas: None,
            answer: None,
            answers: Vec::new(),
        };
        self.signed(terms, Vec::new())
    }

    /// A later hop from a token, by its own actor or by one more.
    pub(crate) fn later(&self, from: &Delegation, actor: &Agent) -> Entry {
        let mut ancestors = from.ancestors.clone();
        ancestors.push(from.jti);
        let mut chain = from.chain.clone();
        if from.holder() != Some(&actor.id) {
            chain.insert(0, actor.id.clone());
        }
        let mut classes = from.classes.clone();
        if chain.len() > from.chain.len() {
            classes.insert(0, actor.class.clone());
        }
        let behind = match &from.behalf {
            Behalf::Agent(agent) => Behind::Agent(agent.clone()),
            // The store reads the user and the facts of the login again.
            Behalf::User(login) => {
                let sign_in = self.sign_in("ulla");
                let login = Login {
                    id: *login,
                    task: from.task,
                    facts: Arc::new(facts_of(&sign_in)),
                    as_of: StopNumber::default(),
                    ends_at: from.expires_at,
                };
                Behind::user(self.subject(&sign_in), login)
            }
        };
        let terms = Terms {
            jti: Jti::new(self.id()),
            proposal: Proposal {
                kind: TokenKind::Access,
                target: TargetId::new("tickets"),
                target_config: None,
                scope: Scope::parse("tickets:search").unwrap(),
                answer: None,
                chain,
                classes,
                ancestors,
                onward_from: None,
                accepted_from: None,
                brings_in: None,
                bound_to: None,
                issued_at: from.issued_at,
                expires_at: from.expires_at.min(self.now().plus(Lifetime::from_seconds(300))),
            },
            client: actor.client.clone(),
            agent_presented_as: PresentedAs::Actor,
            credential_at: None,
            actor: actor.clone(),
            task: from.task,
            grounds: Grounds::default(),
            origin: Origin::Later { parent: from.jti, behind, is_accepted: false },
            pin: None,
            quotas: None,
            answer: None,
            answers: Vec::new(),
        };
        self.signed(terms, Vec::new())
    }

    /// The entry of a token that was signed on these terms.
    pub(crate) fn signed(&self, terms: Terms, answers: Vec<SealedAnswerRow>) -> Entry {
        let told = self.told(|report| {
            let who = &mut report.who;
            who.client = terms.client.clone();
            who.agent = Some(terms.actor.id.clone());
            who.chain.clone_from(&terms.proposal.chain);
            (who.task, who.login) = (Some(terms.task), terms.behalf().login());
            if let Origin::Later { parent, .. } = &terms.origin {
                who.parent = Some(*parent);
            }
        });
        let permit = Permit::for_tests(terms);
        let token = SignedToken::for_tests(
            permit,
            TokenForm::Jwt { kid: KID.to_owned() },
            self.fresh_hash(),
            answers,
        );
        let mut entry = self.entry(Change::Issue(Box::new(token), 0));
        entry.told = Some(told);
        entry
    }

    /// The same entry with other terms and answers.
    pub(crate) fn changed(
        &self,
        entry: &Entry,
        change: impl FnOnce(&mut Terms, &mut Vec<SealedAnswerRow>),
    ) -> Entry {
        let Change::Issue(token, _) = &entry.change else { panic!("{entry:?}") };
        let (mut terms, mut answers) = (token.terms().clone(), token.answers().to_vec());
        change(&mut terms, &mut answers);
        self.signed(terms, answers)
    }

    fn subject(&self, sign_in: &SignIn) -> Subject {
        Subject {
            reference: SubjectRef::new(self.id()),
            issuer: sign_in.issuer.clone(),
            upstream: sign_in.upstream.clone(),
            cutoff: None,
            is_stopped: false,
            stopped: StopNumber::default(),
        }
    }

    fn task(
        &self,
        id: TaskId,
        delegator: Delegator,
        (actor, session): (&Agent, Option<[u8; 32]>),
        expires_at: Timestamp,
    ) -> Task {
        Task {
            id,
            client: actor.client.clone(),
            agent: actor.id.clone(),
            delegator,
            session,
            is_found_by_session: session.is_some(),
            purpose: None,
            as_of: StopNumber::default(),
            started_at: self.now(),
            expires_at,
            ended: None,
        }
    }

    pub(crate) fn sign_in(&self, upstream: &str) -> SignIn {
        SignIn {
            hash: self.fresh_hash(),
            issuer: Issuer::new("https://login.example"),
            upstream: upstream.to_owned(),
            token: LoginToken::IdToken,
            auth_time: Some(self.now().seconds() - 5),
            issued_at: self.now().seconds() - 5,
            begins_until: None,
            session: Some(SESSION),
            named: None,
        }
    }

    /// An access token of the user, as the provider renews it every hour, without `auth_time` and of no session.
    pub(crate) fn access_token(&self, upstream: &str) -> SignIn {
        let token = LoginToken::AccessToken {
            audience: "https://gateway.example".to_owned(),
            expires_at: self.now().plus(Lifetime::from_seconds(3600)),
        };
        SignIn { token, auth_time: None, session: None, ..self.sign_in(upstream) }
    }

    /// A service account of the client's own.
    pub(crate) fn principal(&self) -> Agent {
        Agent {
            id: AgentId::new("agent_assistant"),
            client: client(),
            provenance: Provenance::Client,
            class: "client".to_owned(),
            lifetime: AgentLifetime::Principal,
            state: AgentState::Active,
            ended: None,
            stopped: StopNumber::default(),
            first_seen: self.now(),
            last_seen: self.now(),
            idle: None,
            expires_at: None,
            build: Build::default(),
        }
    }

    /// A fresh instance of another party.
    pub(crate) fn instance(&self) -> Agent {
        let number = self.next();
        Agent {
            id: AgentId::new(format!("agent_instance_{number}")),
            client: ClientId::new("age-agent"),
            provenance: Provenance::Workload {
                issuer: Issuer::new("https://cluster.example"),
                workload: "verifiers".to_owned(),
                instance: Some(format!("pod-{number}")),
            },
            class: "verifier".to_owned(),
            lifetime: AgentLifetime::Task,
            ..self.principal()
        }
    }
}

fn facts_of(sign_in: &SignIn) -> LoginFacts {
    LoginFacts {
        id_token_hash: sign_in.hash,
        provider: sign_in.issuer.clone(),
        relying_party: "app".to_owned(),
        levels: BTreeSet::from(["mfa".to_owned()]),
        acr: Some("phr".to_owned()),
        amr: vec!["hwk".to_owned(), "mfa".to_owned()],
        token: sign_in.token.clone(),
        issued_at: sign_in.issued_at,
        auth_time: sign_in.auth_time,
        session: sign_in.session,
        policy_claims: serde_json::Map::new(),
    }
}
