//! Users who sign in, agents, and what the token endpoint hands to the store for them.

use std::collections::BTreeSet;

use super::{KID, World, client};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::AgentLifetime;
use crate::delegation::record::{Agent, AgentState, Delegation, Login, Provenance, Subject, Task, TokenKind};
use crate::delegation::task::{Asking, TaskPlan, plan};
use crate::oauth::{
    AgentId, ClientId, Issuer, Jti, LoginId, Scope, ScopeToken, SubjectRef, TargetId, TaskId,
};
use crate::store::Store;
use crate::store::entry::{Change, Entry, HopZero, Issue, NewAnswer, Origin};

/// One ID token as presented.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) hash: [u8; 32],
    pub(crate) issuer: Issuer,
    pub(crate) upstream: String,
    pub(crate) auth_time: i64,
    pub(crate) named: Option<TaskId>,
}

impl World {
    /// A hop 0 as the token endpoint makes it: read, planned, with everything prepared.
    pub(crate) async fn hop_zero(&self, store: &Store, sign_in: &SignIn, actor: &Agent) -> Entry {
        let subject = (&sign_in.issuer, sign_in.upstream.as_str());
        let standing = store.find_standing(&sign_in.hash, subject, &actor.id, sign_in.named).await.unwrap();
        let asking = Asking {
            client: &actor.client,
            agent: &actor.id,
            auth_time: sign_in.auth_time,
            named_task: sign_in.named,
            purpose: None,
        };
        let plan = plan(&standing, &asking, self.now()).unwrap_or(TaskPlan::Begin);
        let (task, login) = match plan {
            TaskPlan::Begin => (TaskId::new(self.id()), LoginId::new(self.id())),
            TaskPlan::JoinWithNewLogin(task) => (task, LoginId::new(self.id())),
            TaskPlan::Join(task, login) => (task, login),
        };
        let expires_at = self.now().plus(Lifetime::from_seconds(3600));
        let subject = Subject {
            reference: SubjectRef::new(self.id()),
            issuer: sign_in.issuer.clone(),
            upstream: sign_in.upstream.clone(),
            cutoff: None,
        };
        let hop = HopZero {
            plan,
            task: self.task(task, &subject, actor, expires_at),
            named_task: sign_in.named,
            purpose: None,
            login: login_of(sign_in, login, task, expires_at),
            answers: vec![NewAnswer {
                target: TargetId::new("tickets"),
                scope: ScopeToken::parse("age_over_18").unwrap(),
                sealed: vec![1, 2, 3, 4],
            }],
            subject,
        };
        let delegation = self.task_token(task, login, actor, expires_at);
        let mut entry = self.entry(Change::Issue(Box::new(Issue {
            origin: Origin::HopZero(Box::new(hop)),
            actor: actor.clone(),
            delegation: delegation.clone(),
        })));
        if let Some(row) = &mut entry.audit {
            row.chain = delegation.chain;
            row.client = Some(actor.client.clone());
        }
        entry
    }

    fn task(&self, id: TaskId, subject: &Subject, actor: &Agent, expires_at: Timestamp) -> Task {
        Task {
            id,
            client: actor.client.clone(),
            agent: actor.id.clone(),
            subject: subject.reference,
            purpose: None,
            started_at: self.now(),
            expires_at,
            ended: None,
        }
    }

    fn task_token(&self, task: TaskId, login: LoginId, actor: &Agent, expires_at: Timestamp) -> Delegation {
        Delegation {
            jti: Jti::new(self.id()),
            kind: TokenKind::Task,
            task,
            login,
            ancestors: Vec::new(),
            chain: vec![actor.id.clone()],
            client: actor.client.clone(),
            target: TargetId::new("https://deputy.example"),
            scope: Scope::parse("age_over_18 tickets:book tickets:search").unwrap(),
            issued_at: self.now(),
            expires_at,
            kid: KID.to_owned(),
            hash: self.fresh_hash(),
            revoked: None,
        }
    }

    /// A later hop from a token, by its own actor or by one more.
    pub(crate) fn later(&self, from: &Delegation, actor: &Agent) -> Entry {
        let mut ancestors = from.ancestors.clone();
        ancestors.push(from.jti);
        let mut chain = from.chain.clone();
        if chain.first() != Some(&actor.id) {
            chain.insert(0, actor.id.clone());
        }
        let expires_at = from.expires_at.min(self.now().plus(Lifetime::from_seconds(300)));
        let delegation = Delegation {
            jti: Jti::new(self.id()),
            kind: TokenKind::Access,
            ancestors,
            chain,
            client: actor.client.clone(),
            target: TargetId::new("tickets"),
            scope: Scope::parse("tickets:search").unwrap(),
            issued_at: self.now(),
            expires_at,
            hash: self.fresh_hash(),
            ..from.clone()
        };
        let mut entry = self.entry(Change::Issue(Box::new(Issue {
            origin: Origin::Later { parent: from.jti },
            actor: actor.clone(),
            delegation: delegation.clone(),
        })));
        if let Some(row) = &mut entry.audit {
            row.chain = delegation.chain;
            row.parent = Some(from.jti);
            row.client = Some(actor.client.clone());
        }
        entry
    }

    pub(crate) fn sign_in(&self, upstream: &str) -> SignIn {
        SignIn {
            hash: self.fresh_hash(),
            issuer: Issuer::new("https://login.example"),
            upstream: upstream.to_owned(),
            auth_time: self.now().seconds() - 5,
            named: None,
        }
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
            cutoff: None,
            first_seen: self.now(),
        }
    }

    /// A service account of another client.
    pub(crate) fn principal_of(&self, client: &str) -> Agent {
        let id = AgentId::new(format!("agent_{client}"));
        Agent { id, client: ClientId::new(client), ..self.principal() }
    }

    /// A fresh instance of another party.
    pub(crate) fn instance(&self) -> Agent {
        let number = self.next();
        Agent {
            id: AgentId::new(format!("agent_instance_{number}")),
            client: ClientId::new("age-agent"),
            provenance: Provenance::Workload {
                issuer: Issuer::new("https://cluster.example"),
                id: format!("pod-{number}"),
            },
            class: "verifier".to_owned(),
            lifetime: AgentLifetime::Task,
            ..self.principal()
        }
    }
}

fn login_of(sign_in: &SignIn, id: LoginId, task: TaskId, ends_at: Timestamp) -> Login {
    Login {
        id,
        task,
        id_token_hash: sign_in.hash,
        provider: sign_in.issuer.clone(),
        relying_party: "app".to_owned(),
        levels: BTreeSet::from(["mfa".to_owned()]),
        acr: Some("phr".to_owned()),
        amr: vec!["hwk".to_owned(), "mfa".to_owned()],
        auth_time: sign_in.auth_time,
        session: Some([9; 32]),
        policy_claims: serde_json::Map::new(),
        ends_at,
    }
}
