//! A valid request as plain values, to be changed in one place and decided. No server, no database, no clock.

mod records;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use records::recorded;
pub(crate) use records::{delegation, handover, lineage, user_of};

use super::{Decision, FreshIds, Question, SubjectResult, Verified, World, decide};
use crate::base::time::{Lifetime, Timestamp};
use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::record::Grounds;
use crate::delegation::record::{
    Agent, AgentState, Behalf, Behind, Delegation, Delegator, Handover, Lineage, Login, SignedIn, Subject,
    Task, TokenForm, TokenKind,
};
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::delegation::stops::{StopNumber, Stops};
use crate::oauth::exchange::Reading;
use crate::oauth::{
    AgentId, ClientId, ExchangeRequest, HandoverRequest, Issuer, Jkt, Jti, LoginId, Params, Recipient, Scope,
    SubjectRef, TargetId, TaskId,
};
use crate::policy::PolicySet;
use crate::testing::definition;
use crate::verification::{
    LoginFacts, MayAct, PredicateClaims, VerifiedLogin, VerifiedOwn, VerifiedProof, VerifiedWorkload,
};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);
pub(crate) const DEPUTY: &str = "http://127.0.0.1:8443";
const PROVIDER: &str = "https://login.example";

/// What the scenes need beside the parties of all tests: a target that nothing leads onward to, though the client and the
/// class of the age agent may reach it.
const ELSEWHERE: &str = r#"
[[target]]
identifier = "elsewhere"
scopes = { age_over_18 = {} }
"#;

/// One request, authenticated, parsed and verified, with what is recorded.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) client: AuthenticatedClient,
    pub(crate) request: ExchangeRequest,
    pub(crate) verified: Verified,
    pub(crate) proof: Option<VerifiedProof>,
    pub(crate) fresh: FreshIds,
    pub(crate) recorded: Recorded,
    pub(crate) now: Timestamp,
}

fn id(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

/// The configuration of all tests with more tables at its end.
pub(crate) fn config_with(tables: &str) -> Config {
    let text = definition::on_loopback(DEPUTY, PROVIDER, definition::PINNED) + tables;
    Config::parse(&text, Path::new(definition::DIRECTORY)).unwrap()
}

pub(crate) fn config() -> Config {
    let mut config = config_with(&format!("{ELSEWHERE}{}", definition::NIGHTLY));
    let elsewhere = TargetId::new("elsewhere");
    let age_agent = config.registry.clients.get_mut(&ClientId::new("age-agent")).unwrap();
    Arc::make_mut(age_agent).targets.insert(elsewhere.clone());
    let issuer = config.registry.workload_issuers.get_mut(&Issuer::new(definition::WORKLOADS)).unwrap();
    Arc::make_mut(&mut Arc::make_mut(issuer).classes[0]).targets.insert(elsewhere);
    config
}

/// The configuration above and the default policy set, read once a thread.
pub(crate) fn valid_world() -> World {
    thread_local!(static WORLD: World = World {
        config: Arc::new(config()),
        policy: Arc::new(PolicySet::builtin().unwrap()),
    });
    WORLD.with(World::clone)
}

pub(crate) fn facts() -> LoginFacts {
    LoginFacts {
        id_token_hash: [7; 32],
        provider: Issuer::new(PROVIDER),
        relying_party: "booking-app".to_owned(),
        levels: BTreeSet::from(["mfa".to_owned(), "phishing_resistant".to_owned()]),
        acr: Some("phr".to_owned()),
        amr: vec!["hwk".to_owned(), "mfa".to_owned()],
        token: crate::verification::LoginToken::IdToken,
        issued_at: NOW.seconds() - 5,
        auth_time: Some(NOW.seconds() - 30),
        session: None,
        policy_claims: serde_json::Map::new(),
    }
}

/// A verified login of Alice, born in 1990.
pub(crate) fn login(world: &World, facts: LoginFacts, may_act: Option<MayAct>) -> VerifiedLogin {
    let provider = Arc::clone(&world.config.registry.identity_providers[&Issuer::new(PROVIDER)]);
    let claims = serde_json::json!({"birthdate": "1990-02-28"});
    let claims = PredicateClaims::new(claims.as_object().unwrap().clone());
    VerifiedLogin::for_tests(facts, provider, "alice", may_act, claims)
}

/// The agent of a client that acts itself.
pub(crate) fn own_agent(world: &World, client: &str) -> Acting {
    let client = Arc::clone(&world.config.registry.clients[&ClientId::new(client)]);
    Acting { id: AgentId::new(format!("agent_of_{}", client.id)), client, workload: None }
}

/// A fresh instance of the age agent.
pub(crate) fn age_agent(world: &World) -> Acting {
    let issuer = &world.config.registry.workload_issuers[&Issuer::new(definition::WORKLOADS)];
    let class = Arc::clone(&issuer.classes[0]);
    let workload = VerifiedWorkload::for_tests(issuer.issuer.clone(), class, None, "instance-1");
    Acting {
        id: AgentId::new("agent_age"),
        client: Arc::clone(&world.config.registry.clients[&ClientId::new("age-agent")]),
        workload: Some(workload),
    }
}

/// A fresh pod of the nightly job.
pub(crate) fn nightly_job(world: &World) -> Acting {
    let issuer = &world.config.registry.workload_issuers[&Issuer::new(definition::WORKLOADS)];
    let class = issuer.classes.iter().find(|class| class.name == "nightly").unwrap();
    Acting {
        id: AgentId::new("agent_nightly"),
        client: Arc::clone(&world.config.registry.clients[&ClientId::new("nightly-jobs")]),
        workload: Some(VerifiedWorkload::for_tests(issuer.issuer.clone(), Arc::clone(class), None, "pod-1")),
    }
}

pub(crate) fn agent(acting: &Acting) -> Agent {
    acting.to_agent(NOW)
}

impl Scene {
    fn with(client: &str, form: &str, make: impl FnOnce(&World) -> (Verified, Recorded)) -> Self {
        let world = valid_world();
        let registered = Arc::clone(&world.config.registry.clients[&ClientId::new(client)]);
        let (verified, recorded) = make(&world);
        Self {
            client: AuthenticatedClient::for_tests(registered, Vec::new()),
            request: parse(form),
            verified,
            proof: None,
            fresh: FreshIds {
                jti: Jti::new(id(1)),
                task: TaskId::new(id(2)),
                login: LoginId::new(id(3)),
                subject: SubjectRef::new(id(4)),
            },
            recorded,
            now: NOW,
            world,
        }
    }

    /// Alice's login in the hands of the assistant, for `tickets:search` at `tickets`. Nothing is recorded yet.
    pub(crate) fn first_hop() -> Self {
        Self::with("assistant", &first("audience=tickets&scope=tickets:search"), |world| {
            let subject = SubjectResult::Login(Ok(Box::new(login(world, facts(), None))));
            (Verified { subject, actor: Ok(own_agent(world, "assistant")) }, Recorded::Unread)
        })
    }

    /// The assistant's task token, continued for `tickets:search` at `tickets`.
    pub(crate) fn continued() -> Self {
        Self::with("assistant", &later("audience=tickets&scope=tickets:search"), |world| {
            let token = delegation(TokenKind::Task, DEPUTY, "tickets:search tickets:book age_over_18");
            (own(world, "assistant", &token), recorded(world, token, None))
        })
    }

    /// A pod of the nightly job asks for itself, for `reports:read` at `reports`. Nothing is recorded yet.
    pub(crate) fn alone() -> Self {
        let mut scene = Self::with("nightly-jobs", &first("audience=tickets&scope=a"), |world| {
            (Verified { subject: SubjectResult::None, actor: Ok(nightly_job(world)) }, Recorded::Unread)
        });
        scene.ask("audience=reports&scope=reports:read");
        scene
    }

    /// The assistant's token for the age agent, taken onward to `tickets` by a fresh instance of that agent.
    pub(crate) fn onward() -> Self {
        let mut scene = Self::with("age-agent", &later("audience=tickets&scope=age_over_18"), |world| {
            let token = delegation(TokenKind::Access, "age-agent", "age_over_18");
            let answer = SealedAnswer { value: true, valid_until: NOW.plus(Lifetime::from_seconds(3600)) };
            let mut verified = own(world, "age-agent", &token);
            verified.actor = Ok(age_agent(world));
            (verified, recorded(world, token, Some(answer)))
        });
        scene.request = parse(&format!(
            "{}&actor_token=x&actor_token_type=urn:ietf:params:oauth:token-type:jwt",
            later("audience=tickets&scope=age_over_18")
        ));
        scene
    }

    /// The assistant's task token, by which it brings in a courier for `tickets:search`.
    pub(crate) fn handed_over() -> Self {
        let form = format!("audience={DEPUTY}&scope=tickets:search&requested_actor=class:courier");
        Self::with("assistant", &later(&form), |world| {
            let token = delegation(TokenKind::Task, DEPUTY, "tickets:search tickets:book files.read");
            (own(world, "assistant", &token), recorded(world, token, None))
        })
    }

    /// What the assistant handed over to agent B, which accepts it for `tickets:search` at `tickets`.
    pub(crate) fn accepted() -> Self {
        let mut scene = Self::with("agent-b", &later("audience=tickets&scope=tickets:search"), |world| {
            let above = delegation(TokenKind::Task, DEPUTY, "tickets:search tickets:book files.read");
            let to_b = handover(Recipient::Agent(own_agent(world, "agent-b").id), None);
            let kind = TokenKind::Handover(Box::new(to_b));
            let mut token = delegation(kind, DEPUTY, "tickets:search tickets:book");
            token.jti = Jti::new(id(20));
            token.ancestors = vec![above.jti];
            (own(world, "agent-b", &token), recorded(world, token, None))
        });
        scene.lineage(|lineage| {
            lineage.ancestors =
                vec![delegation(TokenKind::Task, DEPUTY, "tickets:search tickets:book files.read")];
        });
        scene
    }

    /// Changes what is recorded of the handover that is accepted.
    pub(crate) fn handover(&mut self, change: impl FnOnce(&mut Handover)) -> &mut Self {
        self.lineage(|lineage| {
            let TokenKind::Handover(handover) = &mut lineage.delegation.kind else { panic!("no handover") };
            change(handover);
        })
    }

    /// Asks for something else.
    pub(crate) fn ask(&mut self, what: &str) -> &mut Self {
        let actor = self.request.actor.clone();
        let form = match self.verified.subject {
            SubjectResult::Login(_) => first(what),
            SubjectResult::Own(_) => later(what),
            SubjectResult::None => {
                self.request = parse_of_agent(what);
                return self;
            }
        };
        self.request = parse(&form);
        self.request.actor = actor;
        self
    }

    /// Decides by the default set with these rules beside it.
    pub(crate) fn policy(&mut self, rules: &str) -> &mut Self {
        let builtin: String = crate::policy::BUILTIN_FILES.iter().map(|(_, text)| *text).collect();
        self.world.policy = Arc::new(PolicySet::of_text(&format!("{builtin}{rules}")));
        self
    }

    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) -> &mut Self {
        let mut config = Config::clone(&self.world.config);
        change(&mut config);
        self.world.config = Arc::new(config);
        self
    }

    /// Changes the facts of the login that is presented.
    pub(crate) fn login(&mut self, change: impl FnOnce(&mut LoginFacts)) -> &mut Self {
        let mut changed = facts();
        change(&mut changed);
        self.verified.subject = SubjectResult::Login(Ok(Box::new(login(&self.world, changed, None))));
        self
    }

    /// Changes what is recorded of the subject token.
    pub(crate) fn lineage(&mut self, change: impl FnOnce(&mut Lineage)) -> &mut Self {
        let Recorded::Token(record) = &mut self.recorded else { panic!("a first hop has no lineage") };
        change(record.lineage.as_mut().unwrap());
        self
    }

    pub(crate) fn decide(&self) -> Decision {
        let question = Question {
            client: &self.client,
            request: &self.request,
            verified: &self.verified,
            proof: self.proof.as_ref(),
            fresh: &self.fresh,
        };
        decide(&self.world, &question, &self.recorded, self.now)
    }
}

fn first(what: &str) -> String {
    format!("subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:id_token&{what}")
}

fn later(what: &str) -> String {
    format!("subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:access_token&{what}")
}

fn parse(form: &str) -> ExchangeRequest {
    ExchangeRequest::parse(&Params::parse(form.as_bytes()).unwrap(), reading(&Issuer::new(DEPUTY))).unwrap()
}

fn parse_of_agent(form: &str) -> ExchangeRequest {
    let params = Params::parse(form.as_bytes()).unwrap();
    ExchangeRequest::parse_of_agent(&params, reading(&Issuer::new(DEPUTY))).unwrap()
}

const fn reading(own: &Issuer) -> Reading<'_> {
    // The token of these forms says nothing of its issuer.
    Reading { issuer: own, claimed_issuer: None, target_of: &|_| None, default_scope: &|_| None }
}

fn own(world: &World, client: &str, token: &Delegation) -> Verified {
    let subject = SubjectResult::Own(Ok(VerifiedOwn::for_tests(token.jti, token.hash)));
    Verified { subject, actor: Ok(own_agent(world, client)) }
}
