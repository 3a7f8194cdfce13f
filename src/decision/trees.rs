//! Over thousands of random trees of handovers, half of whose acts ask for more than they may: user → A → B1…B5 of several
//! clients and classes → C. Chain, scope, reach, lifetime and depth hold, although the targets share the words of their
//! scopes.

mod parties;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use self::parties::{acting, config};
use super::fixtures::{DEPUTY, NOW, Scene};
use super::properties::record;
use super::{Confirmed, SubjectResult, Terms, World, confirm};
use crate::base::time::{Lifetime, Timestamp};
use crate::client_auth::AuthenticatedClient;
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::record::{Delegation, Lineage, TokenKind};
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::oauth::{AgentId, Confirmation, HandoverRequest, Jkt, Jti, Recipient, Scope, TargetId};
use crate::policy::PolicySet;
use crate::verification::{VerifiedOwn, VerifiedProof};

/// The words of all targets: each is defined by several of them.
const WORDS: &[&str] = &["a", "b", "c"];
const TARGETS: usize = 4;
/// A is the own agent of client `n0`; of the others, each class has two agents, of a client of its own.
const CLASSES: usize = 4;

/// One act in a tree, on one of the tokens that there are.
#[derive(Clone, Debug)]
struct Act {
    /// Which of the tokens, counted around.
    on: usize,
    agent: usize,
    /// Whether the agent is the one that may use the token, as far as the tree knows.
    is_honest: bool,
    /// A target; more than there are is Deputy itself.
    target: usize,
    words: Vec<&'static str>,
    /// Ask only for words that the token holds.
    is_modest: bool,
    /// The class that is asked for where Deputy is the target of a task token.
    to_class: usize,
    seconds_later: u32,
    key: Option<Jkt>,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let words = proptest::sample::subsequence(WORDS.to_vec(), 1..=3);
    let key = proptest::option::of((0_u8..2).prop_map(|key| Jkt::new([key; 32])));
    let act = (
        (0_usize..64, 0..=2 * CLASSES, proptest::bool::weighted(0.8), 0..=2 * TARGETS),
        (words, any::<bool>(), 0..CLASSES, 0_u32..20, key),
    )
        .prop_map(
            |((on, agent, is_honest, target), (words, is_modest, to_class, seconds_later, key))| Act {
                on,
                agent,
                is_honest,
                target,
                words,
                is_modest,
                to_class,
                seconds_later,
                key,
            },
        );
    proptest::collection::vec(act, 12)
}

/// A token of the tree, as the record has it.
struct Held {
    lineage: Lineage,
    /// Who held each task token above it and it itself, oldest first.
    holders: Vec<Acting>,
}

impl Held {
    fn token(&self) -> &Delegation {
        &self.lineage.delegation
    }
}

/// The targets that a task token or a handover with this scope reaches in the hands of these agents: those that all of
/// their ceilings hold and that define one of its words. A model of its own, from the configuration alone.
fn reach(config: &Config, scope: &Scope, holders: &[Acting]) -> BTreeSet<TargetId> {
    let holds = |acting: &Acting, target: &TargetId| {
        let of_class =
            acting.workload.as_ref().is_none_or(|workload| workload.class().targets.contains(target));
        acting.client.targets.contains(target) && of_class
    };
    let targets = config.registry.targets.values();
    targets
        .filter(|target| target.scopes.keys().any(|word| scope.contains(word.as_str())))
        .map(|target| target.identifier.clone())
        .filter(|target| holders.iter().all(|acting| holds(acting, target)))
        .collect()
}

/// What must hold between a token and the one that came of it.
fn check(config: &Config, parent: &Held, terms: &Terms, actor: &Acting) -> Result<(), String> {
    let (from, child) = (parent.token(), &terms.proposal);
    if !child.scope.is_subset_of(&from.scope) {
        return Err(format!("scope grew from {} to {}", from.scope, child.scope));
    }
    if child.expires_at > from.expires_at {
        return Err("lifetime grew".to_owned());
    }
    let is_accepted = from.kind.handover().is_some();
    let expected: Vec<AgentId> = match is_accepted {
        true => std::iter::once(&actor.id).chain(&from.chain).cloned().collect(),
        false => from.chain.clone(),
    };
    if child.chain != expected {
        return Err(format!("chain {:?} came of {:?}", child.chain, from.chain));
    }
    let distinct: BTreeSet<&AgentId> = child.chain.iter().collect();
    let most = usize::from(config.tasks.max_chain_depth);
    let to_come = usize::from(child.kind.handover().is_some());
    if distinct.len() != child.chain.len() || child.chain.len() + to_come > most {
        return Err(format!("chain {:?} repeats or is too deep", child.chain));
    }
    if child.classes.len() != child.chain.len() || child.classes[0] != actor.class() {
        return Err(format!("classes {:?}", child.classes));
    }
    let before = reach(config, &from.scope, &parent.holders);
    let after = match child.kind {
        TokenKind::Access | TokenKind::Agent => BTreeSet::from([child.target.clone()]),
        TokenKind::Task | TokenKind::Handover(_) => {
            let holders: Vec<Acting> = parent.holders.iter().chain([actor]).cloned().collect();
            reach(config, &child.scope, &holders)
        }
    };
    if !after.is_subset(&before) {
        return Err(format!("reach grew from {before:?} to {after:?}"));
    }
    if child.kind.handover().is_some() && child.bound_to.is_some() {
        return Err("a handover is bound to its giver".to_owned());
    }
    if child.kind.handover().is_some() && child.expires_at != from.expires_at {
        return Err("a handover ends when the giver's task token does".to_owned());
    }
    Ok(())
}

/// What must hold of who uses a token.
fn check_use(parent: &Held, actor: &Acting, proven: Option<Jkt>) -> Result<(), String> {
    let token = parent.token();
    let Some(handover) = token.kind.handover() else {
        let is_actor = token.holder() == Some(&actor.id) && token.client == actor.client.id;
        return if is_actor {
            Ok(())
        } else {
            Err(format!("{} used a token of {:?}", actor.id, token.chain))
        };
    };
    let is_meant = match &handover.recipient {
        Recipient::Agent(id) => *id == actor.id,
        Recipient::Class(name) => actor.class() == name,
    };
    let giver = parent.holders.last().ok_or("no giver")?;
    let of_class = giver.workload.as_ref().map(|workload| &workload.class().delegates_to);
    let listed = of_class.unwrap_or(&giver.client.delegates_to);
    let is_listed = listed.iter().any(|delegate| delegate.to_string() == actor.class());
    let is_first = handover.accepted_by.as_ref().is_none_or(|first| *first == actor.id);
    let has_key = handover.key.is_none_or(|key| proven == Some(key));
    let is_of_class = actor.workload.as_ref().is_some_and(|w| w.class().clients.contains(&actor.client.id));
    match is_meant && is_listed && is_first && has_key && is_of_class {
        true => Ok(()),
        false => Err(format!("{} accepted {handover:?}", actor.id)),
    }
}

/// The request of one act, verified, with what is recorded.
fn scene(world: &World, act: &Act, held: Option<&Held>, number: u128, now: Timestamp) -> (Scene, Acting) {
    let honest = held.map_or(0, |held| honest_agent(held, act));
    let actor = acting(&world.config, if act.is_honest { honest } else { act.agent });
    let mut words = act.words.clone();
    if let (true, Some(held)) = (act.is_modest, held) {
        words = WORDS.iter().copied().filter(|word| held.token().scope.contains(word)).collect();
    }
    let audience = match act.target {
        target if target < TARGETS && held.is_some() => format!("u{target}"),
        _ => DEPUTY.to_owned(),
    };
    let mut scene = if held.is_none() { Scene::first_hop() } else { Scene::continued() };
    scene.ask(&format!("audience={audience}&scope={}", words.join(" ")));
    if held.is_some_and(|held| held.token().kind == TokenKind::Task) && audience == DEPUTY {
        let recipient = match act.agent % 3 {
            0 => Recipient::Agent(AgentId::new(format!("agent_{}", act.agent))),
            _ => Recipient::Class(format!("k{}", act.to_class)),
        };
        scene.request.handover =
            Some(HandoverRequest { recipient, key: act.key.filter(|_| act.on.is_multiple_of(4)) });
    }
    scene.world = world.clone();
    scene.now = now;
    scene.client = AuthenticatedClient::for_tests(actor.client.clone(), Vec::new());
    scene.verified.actor = Ok(actor.clone());
    scene.proof = act.key.map(VerifiedProof::for_tests);
    scene.fresh.jti = Jti::new(uuid::Uuid::from_u128(number));
    match held {
        None => {
            let login = super::fixtures::login(world, super::fixtures::facts(), None);
            scene.verified.subject = SubjectResult::Login(Ok(Box::new(login)));
        }
        Some(held) => {
            let own = VerifiedOwn::for_tests(held.token().jti, held.token().hash);
            scene.verified.subject = SubjectResult::Own(Ok(own));
            let requested = acting(&world.config, act.agent).to_agent(NOW);
            scene.recorded = Recorded::Token(Box::new(TokenRecord {
                lineage: Some(held.lineage.clone()),
                requested: Some(requested),
                ..TokenRecord::default()
            }));
        }
    }
    (scene, actor)
}

/// An agent that may use the token, as far as the tree knows: its actor, or one that a handover is for.
fn honest_agent(held: &Held, act: &Act) -> usize {
    let number = |id: &AgentId| id.as_str().trim_start_matches("agent_").parse().unwrap_or(0);
    match held.token().kind.handover() {
        None => held.token().holder().map_or(0, number),
        Some(handover) => match (&handover.accepted_by, &handover.recipient) {
            (Some(first), _) => number(first),
            (None, Recipient::Agent(id)) => number(id),
            (None, Recipient::Class(name)) => {
                let class: usize = name.trim_start_matches('k').parse().unwrap_or(0);
                1 + 2 * class + act.agent % 2
            }
        },
    }
}

/// Spoils a result.
type Plant = fn(&mut Terms);

/// How a tree came out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Played {
    granted: usize,
    handed_over: usize,
    accepted: usize,
    deepest: usize,
}

/// Plays a tree through the decision; gives what was granted, or what was broken. `plant` may spoil a result.
fn play(world: &World, acts: &[Act], plant: Plant) -> Result<Played, String> {
    let mut tokens: Vec<Held> = Vec::new();
    let mut played = Played::default();
    let mut now = NOW;
    for (act, number) in acts.iter().zip(100..) {
        now = now.plus(Lifetime::from_seconds(act.seconds_later));
        let at = (!tokens.is_empty()).then(|| act.on % tokens.len());
        let held = at.map(|at| &tokens[at]);
        let (scene, actor) = scene(world, act, held, number, now);
        let Ok(permit) = scene.decide().outcome else { continue };
        let mut terms = permit.terms().clone();
        plant(&mut terms);
        if held.is_none() && terms.proposal.scope != *scene.request.scope.words() {
            return Err("granted what was not asked".to_owned());
        }
        if held.is_none() && terms.proposal.chain != [actor.id.clone()] {
            return Err(format!("the first chain is {:?}", terms.proposal.chain));
        }
        let mut holders = held.map(|held| held.holders.clone()).unwrap_or_default();
        if let Some(held) = held {
            check(&world.config, held, &terms, &actor)?;
            check_use(held, &actor, act.key)?;
            if !matches!(confirm(&permit, &scene.recorded, now), Confirmed::Write(_)) {
                return Err("the second look differs from the first".to_owned());
            }
        }
        let is_accepted = terms.proposal.accepted_from.is_some();
        played.granted += 1;
        played.handed_over += usize::from(terms.proposal.kind.handover().is_some());
        played.accepted += usize::from(is_accepted);
        played.deepest = played.deepest.max(terms.proposal.chain.len());
        let lineage = record(held.map(|held| &held.lineage), &terms, &actor);
        let session = lineage.behind.login().map_or(lineage.task.expires_at, |login| login.ends_at);
        if terms.proposal.expires_at > session.min(lineage.task.expires_at) {
            return Err("outlives login or task".to_owned());
        }
        if let (Some(at), true) = (at, is_accepted)
            && let TokenKind::Handover(handover) = &mut tokens[at].lineage.delegation.kind
        {
            handover.accepted_by = Some(actor.id.clone());
        }
        if terms.proposal.kind == TokenKind::Task {
            holders.push(actor);
        }
        if terms.proposal.kind != TokenKind::Access {
            tokens.push(Held { lineage, holders });
        }
    }
    Ok(played)
}

/// Policy can only tighten, so it permits everything here: what holds is due to the rules before it.
fn world() -> World {
    let permit_all = "@id(\"all\") permit (principal, action, resource);";
    World { config: Arc::new(config()), policy: Arc::new(PolicySet::of_text(permit_all)) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn no_agent_that_is_brought_in_gets_more_than_who_brought_it_in(acts in acts()) {
        thread_local!(static WORLD: World = world());
        let world = WORLD.with(World::clone);
        if let Err(what) = play(&world, &acts, |_| {}) {
            return Err(TestCaseError::fail(what));
        }
    }
}

/// A task token of A, a handover to a class, a task token of B, a handover to another class, and an access token of C.
fn long_story() -> Vec<Act> {
    let act = |on, agent, target, to_class| Act {
        on,
        agent,
        is_honest: true,
        target,
        words: vec!["b"],
        is_modest: true,
        to_class,
        seconds_later: 1,
        key: None,
    };
    vec![act(0, 1, 9, 0), act(0, 1, 9, 0), act(1, 1, 9, 0), act(2, 1, 9, 1), act(3, 1, 9, 0), act(4, 1, 2, 0)]
}

#[test]
fn the_long_story_is_granted_at_every_step() {
    let played = play(&world(), &long_story(), |_| {});
    assert_eq!(played, Ok(Played { granted: 6, handed_over: 2, accepted: 2, deepest: 3 }));
}

#[test]
fn a_planted_widening_is_caught() {
    let plants: [(&str, Plant); 7] = [
        ("scope", |terms| terms.proposal.scope = Scope::parse("a b c d").unwrap()),
        ("lifetime", |terms| {
            terms.proposal.expires_at = terms.proposal.expires_at.plus(Lifetime::from_seconds(600))
        }),
        ("target", |terms| {
            if terms.proposal.kind == TokenKind::Access {
                terms.proposal.target = TargetId::new("u1");
            }
        }),
        ("bound", |terms| {
            if terms.proposal.kind.handover().is_some() {
                terms.proposal.bound_to = Some(Confirmation::Key(Jkt::new([8; 32])));
            }
        }),
        ("lost giver", |terms| terms.proposal.chain.truncate(1)),
        ("invented actor", |terms| terms.proposal.chain.push(AgentId::new("agent_ceo"))),
        ("order", |terms| terms.proposal.chain.reverse()),
    ];
    for (name, plant) in plants {
        let played = play(&world(), &long_story(), plant);
        assert!(played.is_err(), "{name}: {played:?}");
    }
}
