use std::sync::Arc;

use super::*;
use crate::decision::fixtures::{NOW, age_agent, delegation, handover, own_agent, valid_world};
use crate::delegation::record::{AgentState, TokenKind};
use crate::oauth::AgentId;

fn request(to: &str) -> HandoverRequest {
    HandoverRequest { recipient: Recipient::parse(to).unwrap(), key: None }
}

fn agent(acting: &Acting) -> Agent {
    acting.to_agent(NOW)
}

#[test]
fn an_agent_brings_in_those_that_are_listed_and_no_other() {
    let world = valid_world();
    let registry = &world.config.registry;
    let (giver, token) = (own_agent(&world, "assistant"), delegation(TokenKind::Task, "x", "tickets:search"));
    let check = |to: &str, known: Option<&Agent>| {
        check_requested(registry, (&token, &giver), &request(to), known, NOW)
    };
    let age = agent(&age_agent(&world));
    let own = agent(&own_agent(&world, "agent-b"));
    let other = agent(&own_agent(&world, "agent-c"));
    for (to, known, expected) in [
        ("class:courier", None, Ok(())),
        ("class:planner", None, Err(Plain::RequestedActorUnlisted)),
        ("class:nobody", None, Err(Plain::RequestedActorUnknown)),
        ("class:client", None, Err(Plain::RequestedActorUnknown)),
        ("agent_age", Some(&age), Ok(())),
        ("agent_age", None, Err(Plain::RequestedActorUnknown)),
        ("agent_age", Some(&other), Err(Plain::RequestedActorUnknown)),
        ("agent_of_assistant", None, Err(Plain::ChainLoop)),
    ] {
        assert_eq!(check(to, known), expected, "{to}");
    }
    let named = |agent: &Agent| {
        let request = HandoverRequest { recipient: Recipient::Agent(agent.id.clone()), key: None };
        check_requested(registry, (&token, &giver), &request, Some(agent), NOW)
    };
    assert_eq!(named(&own), Ok(()), "as `client:agent-b`");
    assert_eq!(named(&other), Err(Plain::RequestedActorUnlisted));
    for state in [AgentState::Suspended, AgentState::Retired, AgentState::Banned] {
        assert_eq!(named(&Agent { state, ..age.clone() }), Err(Plain::RequestedActorEnded), "{state:?}");
    }
}

#[test]
fn the_refusals_of_a_requested_actor_are_one_body() {
    let causes = [
        Plain::RequestedActorMalformed,
        Plain::RequestedActorUnknown,
        Plain::RequestedActorEnded,
        Plain::RequestedActorUnlisted,
    ];
    for cause in causes {
        assert_eq!(cause.wire(), Plain::RequestedActorUnknown.wire());
        assert_eq!(cause.wire().reason, "requested_actor_unacceptable");
    }
}

#[test]
fn a_handover_is_accepted_by_the_agent_or_class_that_it_names() {
    let world = valid_world();
    let registry = &world.config.registry;
    let (age, giver) = (age_agent(&world), own_agent(&world, "assistant"));
    let accepts = |to: &str, accepted_by: Option<&str>, acting: &Acting| {
        let mut handed = handover(Recipient::parse(to).unwrap(), None);
        handed.accepted_by = accepted_by.map(AgentId::new);
        let token = delegation(TokenKind::Handover(Box::new(handed.clone())), "x", "tickets:search");
        check_acceptor(registry, &token, &handed, acting)
    };
    let another = Err(TokenFault::HandedToAnother);
    assert_eq!(accepts("agent_age", None, &age), Ok(()));
    assert_eq!(accepts("class:age-verification", None, &age), Ok(()));
    assert_eq!(accepts("agent_other", None, &age), another);
    assert_eq!(accepts("class:courier", None, &age), another);
    assert_eq!(accepts("class:age-verification", Some("agent_age"), &age), Ok(()), "again");
    assert_eq!(accepts("class:age-verification", Some("agent_first"), &age), another);
    assert_eq!(accepts("agent_of_assistant", None, &giver), another, "its giver");
}

#[test]
fn whom_the_giver_may_no_longer_bring_in_accepts_nothing() {
    let world = valid_world();
    let handed = handover(Recipient::parse("class:age-verification").unwrap(), None);
    let token = delegation(TokenKind::Handover(Box::new(handed.clone())), "x", "tickets:search");
    let mut registry = world.config.registry.clone();
    let assistant = registry.clients.get_mut(&token.client).unwrap();
    Arc::make_mut(assistant).delegates_to.clear();
    let accepted = check_acceptor(&registry, &token, &handed, &age_agent(&world));
    assert_eq!(accepted, Err(TokenFault::HandedToAnother));
    registry.clients.remove(&token.client);
    let accepted = check_acceptor(&registry, &token, &handed, &age_agent(&world));
    assert_eq!(accepted, Err(TokenFault::PartyRemoved));
}

#[test]
fn a_handover_is_over_where_nobody_accepted_it_in_time() {
    let mut handed = handover(Recipient::parse("class:courier").unwrap(), None);
    let last = handed.accept_until;
    assert_eq!(last.seconds() - NOW.seconds(), 300);
    assert!(!handed.is_over(NOW) && handed.is_over(last));
    handed.accepted_by = Some(AgentId::new("agent_1"));
    assert!(!handed.is_over(last));
}
