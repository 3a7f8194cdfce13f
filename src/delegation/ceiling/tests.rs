use std::sync::Arc;

use super::*;
use crate::decision::fixtures::{age_agent, delegation, lineage, own_agent, valid_world};
use crate::oauth::{AgentId, ClientId};

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn target(name: &str) -> TargetId {
    TargetId::new(name)
}

#[test]
fn a_class_has_a_list_of_its_own_and_the_own_agent_that_of_its_client() {
    let world = valid_world();
    let (assistant, age) = (own_agent(&world, "assistant"), age_agent(&world));
    let listed =
        |acting: &Acting| acting.ceiling().delegates_to().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(listed(&assistant), ["age-verification", "courier", "client:agent-b"]);
    assert_eq!(listed(&age), [""; 0], "the class lists none, whatever its client lists");
}

#[test]
fn everybody_above_bounds_what_comes_of_a_task_token() {
    let world = valid_world();
    let registry = &world.config.registry;
    // The assistant handed over to agent B, which holds a task token of its own.
    let mut held = delegation(TokenKind::Task, "x", "tickets:search");
    held.client = ClientId::new("agent-b");
    held.chain.insert(0, AgentId::new("agent_of_agent-b"));
    held.classes.insert(0, "client".to_owned());
    let mut lineage = lineage(&world, held.clone());
    lineage.ancestors = vec![delegation(TokenKind::Task, "x", "tickets:search tickets:book")];
    let acting = own_agent(&world, "agent-b");
    let ceilings = Ceilings::of_token(registry, Right::Continue(&held), &lineage, &acting).unwrap();

    assert_eq!(ceilings.check_target(&target("tickets")), Ok(()));
    assert_eq!(
        ceilings.check_target(&target("agent-c")),
        Err(Plain::TargetNotInReach),
        "B may, the assistant not"
    );
    assert_eq!(
        ceilings.check_target(&target("age-agent")),
        Err(Plain::TargetNotAllowed),
        "the assistant may, B not"
    );
    assert_eq!(ceilings.check_scope(&scope("tickets:search age_over_18")), Ok(()));
    assert_eq!(ceilings.check_scope(&scope("files.read")), Err(Plain::ScopeNotInClient));

    let mut changed = registry.clone();
    let assistant = changed.clients.get_mut(&ClientId::new("assistant")).unwrap();
    Arc::make_mut(assistant).scopes = scope("tickets:book");
    let ceilings = Ceilings::of_token(&changed, Right::Continue(&held), &lineage, &acting).unwrap();
    assert_eq!(
        ceilings.check_scope(&scope("tickets:search")),
        Err(Plain::ScopeNotInReach),
        "as configured now"
    );

    changed.clients.remove(&ClientId::new("assistant"));
    let removed = Ceilings::of_token(&changed, Right::Continue(&held), &lineage, &acting);
    assert_eq!(removed.unwrap_err(), TokenFault::PartyRemoved);
}

#[test]
fn the_class_of_a_holder_bounds_too() {
    let world = valid_world();
    let mut held = delegation(TokenKind::Task, "x", "tickets:search files.read");
    held.classes = vec!["courier".to_owned()];
    let lineage = lineage(&world, held.clone());
    let acting = own_agent(&world, "assistant");
    let registry = &world.config.registry;
    let ceilings = Ceilings::of_token(registry, Right::Continue(&held), &lineage, &acting).unwrap();
    assert_eq!(ceilings.check_target(&target("https://files.example/")), Err(Plain::TargetNotInReach));
    assert_eq!(ceilings.check_scope(&scope("files.read")), Err(Plain::ScopeNotInReach));
    assert_eq!(ceilings.check_scope(&scope("tickets:search")), Ok(()));
}

#[test]
fn what_is_for_a_target_is_bounded_by_its_list_and_the_actor_alone() {
    let world = valid_world();
    let token = delegation(TokenKind::Access, "agent-b", "tickets:search");
    let mut lineage = lineage(&world, token.clone());
    lineage.ancestors = vec![delegation(TokenKind::Task, "x", "tickets:search")];
    let acting = own_agent(&world, "agent-b");
    let registry = &world.config.registry;
    let ceilings = Ceilings::of_token(registry, Right::Onward(&token), &lineage, &acting).unwrap();
    assert_eq!(ceilings.check_target(&target("agent-c")), Ok(()));
}
