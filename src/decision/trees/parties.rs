//! The parties of the trees.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{CLASSES, TARGETS, WORDS};
use crate::config::Config;
use crate::decision::fixtures::config_with;
use crate::delegation::actor::Acting;
use crate::oauth::{AgentId, ClientId, Issuer, Scope, TargetId};
use crate::registry::{AgentClass, Delegate};
use crate::testing::definition::{WORKLOADS, client_section, replaced};
use crate::verification::VerifiedWorkload;

/// Four targets that share words, and five clients with ceilings that overlap. Every agent may bring in those of every
/// class but one, so that a list refuses some too.
pub(super) fn config() -> Config {
    let mut toml = String::new();
    for target in 0..TARGETS {
        let words = WORDS.iter().enumerate().filter(|(n, _)| *n != target);
        let words: Vec<String> = words.map(|(_, word)| format!("{word} = {{}}")).collect();
        toml.push_str(&format!(
            "[[target]]\nidentifier = \"u{target}\"\nscopes = {{ {} }}\nproof = \"optional\"\n",
            words.join(", ")
        ));
    }
    for client in 0..=CLASSES {
        let held: Vec<String> =
            (0..TARGETS).filter(|n| (n + client) % 5 != 0).map(|n| format!("\"u{n}\"")).collect();
        let section = client_section("svc1").replace("svc1", &format!("n{client}"));
        let section = replaced(&section, "\"deep\", \"deeper\"", "\"a\", \"b\", \"c\"");
        let section = replaced(&section, "\"deep2\"", &held.join(", "));
        toml.push_str(&format!("{section}\n"));
    }
    let mut config = config_with(&toml);
    let issuer = config.registry.workload_issuers.get_mut(&Issuer::new(WORKLOADS)).unwrap();
    let classes: Vec<_> = (0..CLASSES).map(|number| Arc::new(class(&issuer.classes[0], number))).collect();
    Arc::make_mut(issuer).classes.extend(classes);
    let giver = config.registry.clients.get_mut(&ClientId::new("n0")).unwrap();
    Arc::make_mut(giver).delegates_to = ["k0", "k1", "k2"].map(Delegate::parse).into();
    config
}

/// The classes hold other targets than their clients, so that each of the two is the tighter somewhere.
fn class(like: &AgentClass, number: usize) -> AgentClass {
    let targets = (0..TARGETS).filter(|target| (target + 2 * number) % 4 != 1);
    AgentClass {
        name: format!("k{number}"),
        clients: BTreeSet::from([ClientId::new(format!("n{}", number + 1))]),
        scopes: Scope::parse(if number == 2 { "a b" } else { "a b c" }).unwrap(),
        targets: targets.map(|target| TargetId::new(format!("u{target}"))).collect(),
        answers: BTreeSet::new(),
        delegates_to: ["k0", "k1", "k2", "k3"]
            .iter()
            .filter(|name| !name.ends_with(&number.to_string()) || number == 1)
            .map(|name| Delegate::parse(name))
            .collect(),
        ..like.clone()
    }
}

/// Agent 0 is A; the agents 1 to 8 are of the classes, two each.
pub(super) fn acting(config: &Config, number: usize) -> Acting {
    let Some(kind) = number.checked_sub(1).map(|number| number / 2) else {
        let client = config.registry.clients[&ClientId::new("n0")].clone();
        return Acting { id: AgentId::new("agent_0"), client, workload: None };
    };
    let class = config.registry.class(&format!("k{kind}")).unwrap();
    let workload =
        VerifiedWorkload::for_tests(Issuer::new(WORKLOADS), Arc::clone(class), None, &format!("i{number}"));
    let client = config.registry.clients[&ClientId::new(format!("n{}", kind + 1))].clone();
    Acting { id: AgentId::new(format!("agent_{number}")), client, workload: Some(workload) }
}
