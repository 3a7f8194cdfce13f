//! Over thousands of random chains, half of whose requests ask for more than they may: scope, reach,
//! lifetime and remaining depth never grow, and the chain loses and invents no one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Derived, Ends, Source, derive};
use crate::base::time::{Lifetime, Timestamp};
use crate::config::Config;
use crate::delegation::actor::Acting;
use crate::delegation::record::{Delegation, TokenKind};
use crate::oauth::{AgentId, Audience, ClientId, Jti, LoginId, Scope, TargetId, TaskId};

const WORDS: &[&str] = &["a", "b", "c", "d", "nowhere"];
const SERVICES: usize = 5;
const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// Five services in a ring with short cuts; each may exchange onward what is for its own target.
fn config() -> Config {
    let mut toml = String::from(
        "issuer = \"http://127.0.0.1:8443\"\ndata_dir = \"data\"\n[listen]\npublic = \"127.0.0.1:8443\"\n\
         [[identity_provider]]\nissuer = \"https://login.example\"\n\
         [[identity_provider.relying_party]]\nclient_id = \"app\"\nclients = [\"s0\"]\n",
    );
    for i in 0..SERVICES {
        let next = (i + 1) % SERVICES;
        let skip = (i + 2) % SERVICES;
        let lifetime = 60 * (i + 1);
        // Client and target scopes differ, so that each of the bounds is the tightest somewhere.
        let scopes = ["a", "b", "c", "d"].iter().enumerate().filter(|(n, _)| n % SERVICES != i);
        let defined: Vec<String> = scopes.map(|(_, word)| format!("{word} = {{}}")).collect();
        toml.push_str(&format!(
            "[[client]]\nid = \"s{i}\"\njwks_file = \"s{i}.json\"\nscopes = [\"a\", \"b\", \"c\"{}]\n\
             targets = [\"t{next}\", \"t{skip}\", \"t{i}\"]\n\
             [[target]]\nidentifier = \"t{i}\"\nscopes = {{ {} }}\nexchange_client = \"s{i}\"\n\
             onward = [\"t{next}\", \"t{skip}\"]\nlifetime_seconds = {lifetime}\n",
            if i % 2 == 0 { ", \"d\"" } else { "" },
            defined.join(", "),
        ));
    }
    Config::parse(&toml, Path::new("/etc/deputy")).unwrap()
}

fn acting(config: &Config, service: usize) -> Acting {
    let client = config.clients[&ClientId::new(format!("s{service}"))].clone();
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
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let words = proptest::sample::subsequence(WORDS.to_vec(), 1..=3);
    let ask = (0..SERVICES, 0..=SERVICES, words, any::<bool>(), 0_u32..40).prop_map(
        |(service, target, words, is_modest, seconds_later)| Ask {
            service,
            target,
            words,
            is_modest,
            seconds_later,
        },
    );
    proptest::collection::vec(ask, 8)
}

fn as_delegation(derived: &Derived, client: &ClientId) -> Delegation {
    Delegation {
        jti: Jti::new(uuid::Uuid::nil()),
        kind: derived.kind,
        task: TaskId::new(uuid::Uuid::nil()),
        login: LoginId::new(uuid::Uuid::nil()),
        ancestors: derived.ancestors.clone(),
        chain: derived.chain.clone(),
        client: client.clone(),
        target: derived.target.clone(),
        scope: derived.scope.clone(),
        issued_at: derived.issued_at,
        expires_at: derived.expires_at,
        kid: String::new(),
        hash: [0; 32],
        revoked: None,
    }
}

/// Its `aud` and everything that may follow onward from it; for a task token every target of the
/// ceiling that defines one of its scopes, and what follows from those (design.md 1).
fn reach(
    config: &Config,
    acting: &Acting,
    kind: TokenKind,
    target: &TargetId,
    scope: &Scope,
) -> BTreeSet<TargetId> {
    let mut open: Vec<TargetId> = match kind {
        TokenKind::Access => vec![target.clone()],
        TokenKind::Task => config
            .targets
            .values()
            .filter(|target| acting.may_reach(&target.identifier))
            .filter(|target| target.scopes.keys().any(|word| scope.contains(word.as_str())))
            .map(|target| target.identifier.clone())
            .collect(),
    };
    let mut reached = BTreeSet::new();
    while let Some(next) = open.pop() {
        if reached.insert(next.clone()) {
            open.extend(config.targets[&next].onward.iter().cloned());
        }
    }
    reached
}

/// What must hold between a token and the one exchanged from it.
fn check(
    config: &Config,
    parent: &Delegation,
    parent_acting: &Acting,
    child: &Derived,
    actor: &Acting,
) -> Result<(), String> {
    if !child.scope.is_subset_of(&parent.scope) {
        return Err(format!("scope grew from {} to {}", parent.scope, child.scope));
    }
    if child.expires_at > parent.expires_at {
        return Err("lifetime grew".to_owned());
    }
    let before = reach(config, parent_acting, parent.kind, &parent.target, &parent.scope);
    let after = reach(config, actor, child.kind, &child.target, &child.scope);
    if !after.is_subset(&before) {
        return Err(format!("reach grew from {before:?} to {after:?}"));
    }
    let grown: Vec<AgentId> = std::iter::once(&actor.id).chain(&parent.chain).cloned().collect();
    let is_right_chain = match parent.kind {
        TokenKind::Task => child.chain == parent.chain,
        TokenKind::Access => child.chain == grown,
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

/// Spoils a result.
type Plant = fn(&mut Derived);

/// Plays a chain; gives how many hops were granted, or what was broken. `plant` may spoil a result.
fn play(config: &Config, asks: &[Ask], plant: Plant) -> Result<usize, String> {
    let ends =
        Ends { task: NOW.plus(Lifetime::from_seconds(3600)), login: NOW.plus(Lifetime::from_seconds(1800)) };
    let mut held: Option<(Delegation, Acting)> = None;
    let mut granted = 0;
    let mut now = NOW;
    for ask in asks {
        now = now.plus(Lifetime::from_seconds(ask.seconds_later));
        let actor = acting(config, ask.service);
        let mut words = ask.words.clone();
        if let (true, Some((parent, _))) = (ask.is_modest, &held) {
            words = parent
                .scope
                .tokens()
                .filter_map(|own| WORDS.iter().find(|word| **word == own).copied())
                .take(2)
                .collect();
        }
        let asked = Scope::parse(&words.join(" ")).unwrap();
        let audience = match ask.target {
            SERVICES => Audience::Deputy,
            target => Audience::Target(TargetId::new(format!("t{target}"))),
        };
        let source = held.as_ref().map_or(Source::Login, |(parent, _)| Source::Delegation(parent));
        let Ok(mut derived) = derive(config, source, &actor, &audience, &asked, ends, now) else { continue };
        plant(&mut derived);
        if derived.scope.as_str() != asked.as_str() && held.is_none() {
            return Err("granted what was not asked".to_owned());
        }
        if let Some((parent, parent_acting)) = &held {
            check(config, parent, parent_acting, &derived, &actor)?;
        }
        if derived.expires_at > ends.login || derived.expires_at > ends.task {
            return Err("outlives login or task".to_owned());
        }
        granted += 1;
        held = Some((as_delegation(&derived, &actor.client.id), actor));
    }
    Ok(granted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_ever_grows_and_the_chain_loses_and_invents_no_one(asks in asks()) {
        thread_local!(static CONFIG: Arc<Config> = Arc::new(config()));
        let config = CONFIG.with(Arc::clone);
        if let Err(what) = play(&config, &asks, |_| {}) {
            return Err(TestCaseError::fail(what));
        }
    }
}

/// Chains long enough to tell: task token, access token, two hops onward.
fn long_chain() -> Vec<Ask> {
    let ask = |service, target, words: &[&'static str]| Ask {
        service,
        target,
        words: words.to_vec(),
        is_modest: false,
        seconds_later: 1,
    };
    vec![ask(0, SERVICES, &["b", "c"]), ask(0, 2, &["b"]), ask(2, 3, &["b"]), ask(3, 4, &["b"])]
}

#[test]
fn the_long_chain_is_granted_at_every_hop() {
    assert_eq!(play(&config(), &long_chain(), |_| {}), Ok(4));
}

#[test]
fn a_planted_widening_is_caught() {
    let plants: [(&str, Plant); 5] = [
        ("scope", |derived| derived.scope = Scope::parse("a b c d").unwrap()),
        ("lifetime", |derived| derived.expires_at = derived.expires_at.plus(Lifetime::from_seconds(600))),
        ("lost actor", |derived| derived.chain.truncate(1)),
        ("invented actor", |derived| derived.chain.push(AgentId::new("agent_ceo"))),
        ("order", |derived| derived.chain.reverse()),
    ];
    for (name, plant) in plants {
        let played = play(&config(), &long_chain(), plant);
        assert!(played.is_err(), "{name}: {played:?}");
    }
}
