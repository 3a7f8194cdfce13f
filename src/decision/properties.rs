//! Over thousands of random chains, half of whose requests ask for more than they may: scope, reach,
//! lifetime and remaining depth never grow, and the chain loses and invents no one.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::fixtures::{DEPUTY, NOW, Scene, config_with, user_of};
use super::report::Proposal;
use super::{Confirmed, Origin, Placement, SubjectResult, Terms, World, confirm};
use crate::base::time::Lifetime;
use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::record::Grounds;
use crate::delegation::record::{Behind, Delegation, Lineage, TokenForm, TokenKind};
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::delegation::stops::{StopNumber, Stops};
use crate::oauth::{AgentId, CertificateHash, ClientId, Confirmation, Jkt, Jti, Scope, TargetId};
use crate::policy::PolicySet;
use crate::registry::TargetProof;
use crate::testing::definition::{client_section, replaced};
use crate::verification::{VerifiedOwn, VerifiedProof};

const WORDS: &[&str] = &["a", "b", "c", "d", "nowhere"];
const SERVICES: usize = 5;
/// How every other service authenticates: by what could be stolen.
const SECRET: &str = "authentication = \"client_secret_basic\"\nallow_secret = true\nmay_act_as_agent = true\n\
                      secret_file = \"secrets/basic-app\"";

/// Five services in a ring with short cuts; each may exchange onward what is for its own target.
fn config() -> Config {
    let mut toml = String::new();
    for i in 0..SERVICES {
        let next = (i + 1) % SERVICES;
        let skip = (i + 2) % SERVICES;
        let lifetime = 60 * (i + 1);
        // Client and target scopes differ, so that each of the bounds is the tightest somewhere.
        let scopes = ["a", "b", "c", "d"].iter().enumerate().filter(|(n, _)| n % SERVICES != i);
        let defined: Vec<String> = scopes.map(|(_, word)| format!("{word} = {{}}")).collect();
        let held = if i % 2 == 0 { "\"a\", \"b\", \"c\", \"d\"" } else { "\"a\", \"b\", \"c\"" };
        let client = client_section("svc1").replace("svc1", &format!("s{i}"));
        let client = replaced(&client, "\"deep\", \"deeper\"", held);
        let client = match i % 2 {
            0 => replaced(&client, &format!("jwks_file = \"clients/s{i}.json\""), SECRET),
            _ => client,
        };
        let client = replaced(&client, "\"deep2\"", &format!("\"t{next}\", \"t{skip}\", \"t{i}\""));
        toml.push_str(&format!(
            "{client}\n\
             [[target]]\nidentifier = \"t{i}\"\nscopes = {{ {} }}\nexchange_client = \"s{i}\"\n\
             onward = [\"t{next}\", \"t{skip}\"]\nlifetime_seconds = {lifetime}\nproof = \"{}\"\n",
            defined.join(", "),
            ["optional", "none", "optional", "optional", "required"][i],
        ));
    }
    config_with(&toml)
}

fn acting(config: &Config, service: usize) -> Acting {
    let client = config.registry.clients[&ClientId::new(format!("s{service}"))].clone();
    Acting { id: AgentId::new(format!("agent_{service}")), client, workload: None }
}

/// One request: who asks, for which target (5 is Deputy), for which words.
#[derive(Clone, Debug)]
struct Ask {
    service: usize,
    target: usize,
    words: Vec<&'static str>,
    /// Ask only for words that the subject token holds.
    is_modest: bool,
    seconds_later: u32,
    /// The key or the certificate that is proven.
    proven: Option<Confirmation>,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let words = proptest::sample::subsequence(WORDS.to_vec(), 1..=3);
    let key = proptest::option::of((0_u8..3).prop_map(|number| match number {
        2 => Confirmation::Certificate(CertificateHash::new([1; 32])),
        key => Confirmation::Key(Jkt::new([key; 32])),
    }));
    let ask = (0..SERVICES, 0..=SERVICES, words, any::<bool>(), 0_u32..40, key).prop_map(
        |(service, target, words, is_modest, seconds_later, proven)| Ask {
            service,
            target,
            words,
            is_modest,
            seconds_later,
            proven,
        },
    );
    proptest::collection::vec(ask, 8)
}

fn as_delegation(terms: &Terms) -> Delegation {
    let Terms { jti, proposal, client, task, .. } = terms;
    Delegation {
        jti: *jti,
        kind: proposal.kind.clone(),
        task: *task,
        behalf: terms.behalf(),
        ancestors: proposal.ancestors.clone(),
        chain: proposal.chain.clone(),
        client: client.clone(),
        target: proposal.target.clone(),
        scope: proposal.scope.clone(),
        issued_at: proposal.issued_at,
        expires_at: proposal.expires_at,
        form: TokenForm::Jwt { kid: String::new() },
        classes: proposal.classes.clone(),
        grounds: Grounds::default(),
        as_of: StopNumber::default(),
        bound_to: proposal.bound_to,
        hash: [0; 32],
        revoked: None,
    }
}

/// The targets that can be reached with a token: its `aud` and everything that may follow onward from it. For a
/// task token these are every target of the ceiling that defines one of its scopes, and what follows from those.
fn reach(
    config: &Config,
    acting: &Acting,
    kind: &TokenKind,
    target: &TargetId,
    scope: &Scope,
) -> BTreeSet<TargetId> {
    let mut open: Vec<TargetId> = match kind {
        TokenKind::Access | TokenKind::Agent => vec![target.clone()],
        TokenKind::Task | TokenKind::Handover(_) => config
            .registry
            .targets
            .values()
            .filter(|target| acting.ceiling().may_reach(&target.identifier))
            .filter(|target| target.scopes.keys().any(|word| scope.contains(word.as_str())))
            .map(|target| target.identifier.clone())
            .collect(),
    };
    let mut reached = BTreeSet::new();
    while let Some(next) = open.pop() {
        if reached.insert(next.clone()) {
            open.extend(config.registry.targets[&next].onward.iter().cloned());
        }
    }
    reached
}

/// What must hold between a token and the one exchanged from it.
fn check(
    config: &Config,
    parent: &Delegation,
    parent_acting: &Acting,
    child: &Proposal,
    actor: &Acting,
) -> Result<(), String> {
    if !child.scope.is_subset_of(&parent.scope) {
        return Err(format!("scope grew from {} to {}", parent.scope, child.scope));
    }
    if child.expires_at > parent.expires_at {
        return Err("lifetime grew".to_owned());
    }
    let before = reach(config, parent_acting, &parent.kind, &parent.target, &parent.scope);
    let after = reach(config, actor, &child.kind, &child.target, &child.scope);
    if !after.is_subset(&before) {
        return Err(format!("reach grew from {before:?} to {after:?}"));
    }
    let grown: Vec<AgentId> = std::iter::once(&actor.id).chain(&parent.chain).cloned().collect();
    let is_right_chain = match parent.kind {
        TokenKind::Task | TokenKind::Handover(_) => child.chain == parent.chain,
        TokenKind::Access | TokenKind::Agent => child.chain == grown,
    };
    if !is_right_chain {
        return Err(format!("chain {:?} came of {:?}", child.chain, parent.chain));
    }
    let distinct: BTreeSet<&AgentId> = child.chain.iter().collect();
    if distinct.len() != child.chain.len() || child.chain.len() > usize::from(config.tasks.max_chain_depth) {
        return Err(format!("chain {:?} repeats or is too deep", child.chain));
    }
    Ok(())
}

/// What must hold of the keys: nobody gets a token that is bound to a key that they did not prove, a bound task token is
/// continued by its key alone, and who proves a key gets a token that is bound to it wherever that can be checked.
fn check_key(
    config: &Config,
    parent: Option<&Delegation>,
    child: &Proposal,
    (actor, proven): (&Acting, Option<Confirmation>),
) -> Result<(), String> {
    if child.bound_to.is_some() && child.bound_to != proven {
        return Err(format!("bound to {:?} by who proved {proven:?}", child.bound_to));
    }
    let task_token = parent.filter(|parent| parent.kind == TokenKind::Task);
    if let Some(key) = task_token.and_then(|parent| parent.bound_to)
        && proven != Some(key)
    {
        return Err(format!("a token that is bound to {key:?} was continued with {proven:?}"));
    }
    let target = config.registry.targets.get(&child.target);
    let is_secret = !actor.client.authentication.proves_key();
    match target.map(|target| target.proof) {
        None if is_secret && child.bound_to != proven => Err("a task token that can be stolen".to_owned()),
        Some(TargetProof::Required) if child.bound_to.is_none() => Err("an unbound token".to_owned()),
        Some(TargetProof::None) if child.bound_to.is_some() => Err("a bound token".to_owned()),
        Some(TargetProof::Optional) if child.bound_to != proven => Err("a proof was lost".to_owned()),
        _ => Ok(()),
    }
}

/// Spoils a result.
type Plant = fn(&mut Terms);

/// What is held between two hops, as the record would have it.
struct Held {
    lineage: Lineage,
    acting: Acting,
}

/// The record after a token was issued on these terms.
pub(super) fn record(before: Option<&Lineage>, terms: &Terms, acting: &Acting) -> Lineage {
    let delegation = as_delegation(terms);
    let agent = acting.to_agent(NOW);
    match (before, &terms.origin) {
        (Some(before), _) => {
            let mut lineage = before.clone();
            lineage.ancestors.push(std::mem::replace(&mut lineage.delegation, delegation));
            if lineage.delegation.chain.len() > lineage.agents.len() {
                lineage.agents.insert(0, agent);
            }
            lineage
        }
        (None, Origin::FirstHop(hop)) => Lineage {
            delegation,
            ancestors: Vec::new(),
            task: hop.task.clone(),
            behind: Behind::User(Box::new(hop.user.clone())),
            agents: vec![agent],
            is_key_trusted: true,
            stops: Stops::default(),
        },
        (None, Origin::Agent { .. } | Origin::Later { .. }) => panic!("the first token comes from a login"),
    }
}

/// The request of one step, verified, with what is recorded.
fn question(world: &World, ask: &Ask, held: Option<&Held>, number: u128) -> (Scene, Acting) {
    let actor = acting(&world.config, ask.service);
    let mut words = ask.words.clone();
    if let (true, Some(held)) = (ask.is_modest, held) {
        let own = |own: &str| WORDS.iter().find(|word| **word == own).copied();
        words = held.lineage.delegation.scope.tokens().filter_map(own).take(2).collect();
    }
    let audience = match ask.target {
        SERVICES => DEPUTY.to_owned(),
        target => format!("t{target}"),
    };
    let mut scene = match held {
        None => Scene::first_hop(),
        Some(_) => Scene::continued(),
    };
    scene.ask(&format!("audience={audience}&scope={}", words.join(" ")));
    scene.world = world.clone();
    let certificate = ask.proven.and_then(Confirmation::certificate);
    scene.client =
        AuthenticatedClient::for_tests(actor.client.clone(), Vec::new()).holding_for_tests(certificate);
    scene.verified.actor = Ok(actor.clone());
    scene.proof = ask.proven.and_then(Confirmation::key).map(VerifiedProof::for_tests);
    scene.fresh.jti = Jti::new(uuid::Uuid::from_u128(number));
    match held {
        None => {
            let login = super::fixtures::login(world, super::fixtures::facts(), None);
            scene.verified.subject = SubjectResult::Login(Ok(Box::new(login)));
        }
        Some(held) => {
            let token = &held.lineage.delegation;
            let own = VerifiedOwn::for_tests(token.jti, token.hash);
            scene.verified.subject = SubjectResult::Own(Ok(own));
            scene.recorded = Recorded::Token(Box::new(TokenRecord {
                lineage: Some(held.lineage.clone()),
                ..TokenRecord::default()
            }));
        }
    }
    (scene, actor)
}

/// Plays a chain through the decision; gives how many hops were granted, or what was broken. `plant` may spoil a
/// result.
fn play(world: &World, asks: &[Ask], plant: Plant) -> Result<usize, String> {
    let mut held: Option<Held> = None;
    let mut granted = 0;
    let mut now = NOW;
    for (ask, number) in asks.iter().zip(100..) {
        now = now.plus(Lifetime::from_seconds(ask.seconds_later));
        let (mut scene, actor) = question(world, ask, held.as_ref(), number);
        scene.now = now;
        let Ok(permit) = scene.decide().outcome else { continue };
        let mut terms = permit.terms().clone();
        plant(&mut terms);
        if terms.proposal.scope != *scene.request.scope.words() && held.is_none() {
            return Err("granted what was not asked".to_owned());
        }
        if held.is_none() && terms.proposal.chain != [actor.id.clone()] {
            return Err(format!("the first chain is {:?}", terms.proposal.chain));
        }
        let parent = held.as_ref().map(|held| &held.lineage.delegation);
        check_key(&world.config, parent, &terms.proposal, (&actor, ask.proven))?;
        if let Some(held) = &held {
            check(&world.config, &held.lineage.delegation, &held.acting, &terms.proposal, &actor)?;
            if confirm(&permit, &scene.recorded, now) != write_of(&terms, held) {
                return Err("the second look differs from the first".to_owned());
            }
        }
        let lineage = record(held.as_ref().map(|held| &held.lineage), &terms, &actor);
        if terms.proposal.expires_at > user_of(&lineage).login.ends_at.min(lineage.task.expires_at) {
            return Err("outlives login or task".to_owned());
        }
        granted += 1;
        held = Some(Held { lineage, acting: actor });
    }
    Ok(granted)
}

/// What the second look at a permitted later hop has to say while nothing changes.
fn write_of(terms: &Terms, held: &Held) -> Confirmed {
    Confirmed::Write(Placement {
        subject: Some(user_of(&held.lineage).subject.reference),
        is_new_subject: false,
        is_new_in_task: terms.proposal.chain.len() > held.lineage.delegation.chain.len(),
        is_first_acceptance: false,
    })
}

/// Policy can only tighten, so it permits everything here: what holds is due to the rules before it.
fn world() -> World {
    let permit_all = "@id(\"all\") permit (principal, action, resource);";
    World { config: Arc::new(config()), policy: Arc::new(PolicySet::of_text(permit_all)) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_ever_grows_and_the_chain_loses_and_invents_no_one(asks in asks()) {
        thread_local!(static WORLD: World = world());
        let world = WORLD.with(World::clone);
        if let Err(what) = play(&world, &asks, |_| {}) {
            return Err(TestCaseError::fail(what));
        }
    }
}

/// Chains that are long enough to show a fault: task token, access token, two hops onward.
fn long_chain() -> Vec<Ask> {
    let ask = |service, target, words: &[&'static str]| Ask {
        service,
        target,
        words: words.to_vec(),
        is_modest: false,
        seconds_later: 1,
        proven: Some(Confirmation::Key(Jkt::new([7; 32]))),
    };
    vec![ask(0, SERVICES, &["b", "c"]), ask(0, 2, &["b"]), ask(2, 3, &["b"]), ask(3, 4, &["b"])]
}

#[test]
fn the_long_chain_is_granted_at_every_hop() {
    assert_eq!(play(&world(), &long_chain(), |_| {}), Ok(4));
}

#[test]
fn a_planted_widening_is_caught() {
    let plants: [(&str, Plant); 7] = [
        ("another key", |terms| terms.proposal.bound_to = Some(Confirmation::Key(Jkt::new([8; 32])))),
        ("lost key", |terms| terms.proposal.bound_to = None),
        ("scope", |terms| terms.proposal.scope = Scope::parse("a b c d").unwrap()),
        ("lifetime", |terms| {
            terms.proposal.expires_at = terms.proposal.expires_at.plus(Lifetime::from_seconds(600))
        }),
        ("lost actor", |terms| terms.proposal.chain.truncate(1)),
        ("invented actor", |terms| terms.proposal.chain.push(AgentId::new("agent_ceo"))),
        ("order", |terms| terms.proposal.chain.reverse()),
    ];
    for (name, plant) in plants {
        let played = play(&world(), &long_chain(), plant);
        assert!(played.is_err(), "{name}: {played:?}");
    }
}
