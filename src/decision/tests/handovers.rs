//! Handing over and accepting.

use super::super::fixtures::{age_agent, delegation};
use super::*;
use crate::delegation::alone::KnownToken;
use crate::delegation::record::{Behind, Delegation};
use crate::oauth::{AgentId, Confirmation, Jkt, Recipient, Scope};
use crate::verification::VerifiedProof;

const KEY: Jkt = Jkt::new([1; 32]);
const OTHER_KEY: Jkt = Jkt::new([2; 32]);

/// What is changed, and the check and the cause at which the request ends.
type Case = (&'static str, fn(&mut Scene), Check, &'static str);

fn check(valid: fn() -> Scene, cases: &[Case]) {
    for (what, change, check, word) in cases {
        let mut scene = valid();
        change(&mut scene);
        assert_eq!(ended(&scene), (*check, (*word).to_owned()), "{what}");
    }
}

fn hand_over_to(scene: &mut Scene, what: &str) {
    scene.ask(&format!("audience={DEPUTY}&{what}"));
}

#[test]
fn a_handover_is_no_more_than_the_task_token_it_comes_from_and_is_bound_to_nobody() {
    let mut scene = Scene::handed_over();
    scene.lineage(|lineage| lineage.delegation.bound_to = Some(Confirmation::Key(KEY)));
    scene.proof = Some(VerifiedProof::for_tests(KEY));
    let (report, granted) = permit(&scene);
    let Recorded::Token(record) = &scene.recorded else { panic!() };
    let parent = &record.lineage.as_ref().unwrap().delegation;
    let proposal = &granted.terms().proposal;
    let handed = proposal.kind.handover().expect("a handover");
    assert_eq!(handed.recipient, Recipient::Class("courier".to_owned()));
    assert_eq!((handed.accepted_by.as_ref(), handed.key), (None, None));
    assert_eq!(handed.accept_until, NOW.plus(Lifetime::from_seconds(300)));
    assert_eq!(proposal.expires_at, parent.expires_at);
    assert_eq!(proposal.chain, parent.chain);
    assert_eq!((proposal.target.as_str(), proposal.bound_to), (DEPUTY, None));
    assert_eq!(report.act, Act::HandOver);
    assert_eq!(report.who.handed_to, Some(handed.recipient.clone()));
}

const NOT_HANDED_OVER: &[Case] = &[
    (
        "a class that is not listed",
        |scene| hand_over_to(scene, "scope=tickets:search&requested_actor=class:planner"),
        Check::Binding,
        "requested_actor_unlisted",
    ),
    (
        "no class at all",
        |scene| hand_over_to(scene, "scope=tickets:search&requested_actor=class:nobody"),
        Check::Binding,
        "requested_actor_unknown",
    ),
    (
        "an agent that was never met",
        |scene| hand_over_to(scene, "scope=tickets:search&requested_actor=agent_unknown"),
        Check::Binding,
        "requested_actor_unknown",
    ),
    (
        "itself",
        |scene| hand_over_to(scene, "scope=tickets:search&requested_actor=agent_of_assistant"),
        Check::Binding,
        "chain_loop",
    ),
    (
        "no level of the chain is left",
        |scene| {
            scene.configure(|config| config.tasks.max_chain_depth = 1);
        },
        Check::Binding,
        "chain_too_deep",
    ),
    (
        "another agent's task token",
        |scene| scene.verified.actor = Ok(own_agent(&scene.world, "agent-b")),
        Check::Binding,
        "not_yours",
    ),
    (
        "a token for a target",
        |scene| {
            scene.lineage(|lineage| {
                lineage.delegation.kind = TokenKind::Access;
                lineage.delegation.target = TargetId::new("tickets");
            });
        },
        Check::Binding,
        "not_yours",
    ),
    (
        "a bound task token without its key",
        |scene| {
            scene.lineage(|lineage| lineage.delegation.bound_to = Some(Confirmation::Key(KEY)));
        },
        Check::Binding,
        "proof_missing",
    ),
    (
        "more than the task token holds",
        |scene| hand_over_to(scene, "scope=age_over_18&requested_actor=class:courier"),
        Check::Scope,
        "scope_not_in_subject",
    ),
    (
        "what the login is too weak for",
        |scene| {
            hand_over_to(scene, "scope=tickets:book&requested_actor=class:courier");
            scene.lineage(|lineage| {
                let Behind::User(user) = &mut lineage.behind else { panic!("a user's task") };
                Arc::make_mut(&mut user.login.facts).levels.remove("phishing_resistant");
            });
        },
        Check::Assurance,
        "assurance_insufficient",
    ),
    (
        "what a rule forbids",
        |scene| {
            let rule = "@id(\"no\") forbid (principal, action == Deputy::Action::\"delegate\", \
                                resource in Deputy::AgentClass::\"courier\");";
            scene.policy(rule);
        },
        Check::Policy,
        "policy_denied",
    ),
];

#[test]
fn what_must_not_be_handed_over_is_not() {
    check(Scene::handed_over, NOT_HANDED_OVER);
}

#[test]
fn whoever_accepts_is_the_actor_in_front_of_the_giver() {
    let mut scene = Scene::accepted();
    scene.proof = Some(VerifiedProof::for_tests(KEY));
    for (audience, kind) in [("tickets", TokenKind::Access), (DEPUTY, TokenKind::Task)] {
        scene.ask(&format!("audience={audience}&scope=tickets:search"));
        let (report, granted) = permit(&scene);
        let (terms, proposal) = (granted.terms(), &granted.terms().proposal);
        assert_eq!(proposal.kind, kind);
        let chain: Vec<&str> = proposal.chain.iter().map(AgentId::as_str).collect();
        assert_eq!(chain, ["agent_of_agent-b", "agent_of_assistant"]);
        assert_eq!(proposal.accepted_from.as_ref().map(AgentId::as_str), Some("agent_of_assistant"));
        assert_eq!(proposal.bound_to, Some(Confirmation::Key(KEY)), "accepting binds to the acceptor");
        assert!(matches!(terms.origin, Origin::Later { is_accepted: true, .. }));
        assert_eq!(report.act, Act::Accept);
        assert!(matches!(
            confirm(&granted, &scene.recorded, NOW),
            Confirmed::Write(Placement { is_first_acceptance: true, is_new_in_task: true, .. })
        ));
    }
}

const NOT_ACCEPTED: &[Case] = &[
    (
        "by its giver",
        |scene| scene.verified.actor = Ok(own_agent(&scene.world, "assistant")),
        Check::Binding,
        "handed_to_another",
    ),
    (
        "by an agent that it is not for",
        |scene| scene.verified.actor = Ok(own_agent(&scene.world, "agent-c")),
        Check::Binding,
        "handed_to_another",
    ),
    (
        "by an agent of another class",
        |scene| {
            scene.handover(|handed| handed.recipient = Recipient::Class("courier".to_owned()));
            scene.verified.actor = Ok(age_agent(&scene.world));
        },
        Check::Binding,
        "handed_to_another",
    ),
    (
        "after another agent",
        |scene| {
            scene.handover(|handed| handed.accepted_by = Some(AgentId::new("agent_first")));
        },
        Check::Binding,
        "handed_to_another",
    ),
    (
        "too late",
        |scene| scene.now = NOW.plus(Lifetime::from_seconds(300)),
        Check::Subject,
        "handover_expired",
    ),
    (
        "without the key that it names",
        |scene| {
            scene.handover(|handed| handed.key = Some(KEY));
        },
        Check::Binding,
        "proof_missing",
    ),
    (
        "with another key",
        |scene| {
            scene.handover(|handed| handed.key = Some(KEY));
            scene.proof = Some(VerifiedProof::for_tests(OTHER_KEY));
        },
        Check::Binding,
        "other_key",
    ),
    (
        "to be handed on before it is accepted",
        |scene| hand_over_to(scene, "scope=tickets:search&requested_actor=class:courier"),
        Check::Binding,
        "not_yours",
    ),
    (
        "by an agent of the chain",
        |scene| {
            let b = own_agent(&scene.world, "agent-b").id;
            scene.lineage(|lineage| {
                lineage.delegation.chain.push(b);
                lineage.delegation.classes.push("client".to_owned());
                lineage.agents.push(agent(&own_agent(&super::super::fixtures::valid_world(), "agent-b")));
            });
        },
        Check::Binding,
        "chain_loop",
    ),
    (
        "at a target that the giver could not reach, though it defines the scope",
        |scene| {
            scene.ask("audience=agent-c&scope=tickets:search");
        },
        Check::Target,
        "target_not_in_reach",
    ),
    (
        "for more than was handed over",
        |scene| {
            scene.ask("audience=tickets&scope=tickets:hold");
        },
        Check::Scope,
        "scope_not_in_subject",
    ),
    (
        "after the giver's task token was revoked",
        |scene| {
            scene.lineage(|lineage| {
                lineage.ancestors[0].revoked = Some(Ended { at: NOW, why: EndReason::Revoked });
            });
        },
        Check::Subject,
        "revoked",
    ),
    (
        "against a rule about who handed over",
        |scene| {
            let rule = "@id(\"no\") forbid (principal, action, resource) when { context has accepted_from && \
                                context.accepted_from == Deputy::Agent::\"agent_of_assistant\" };";
            scene.policy(rule);
        },
        Check::Policy,
        "policy_denied",
    ),
];

#[test]
fn what_must_not_be_accepted_is_not() {
    check(Scene::accepted, NOT_ACCEPTED);
}

#[test]
fn the_reach_is_judged_by_the_configuration_in_force() {
    let mut scene = Scene::accepted();
    permit(&scene);
    scene.configure(|config| {
        let assistant = config.registry.clients.get_mut(&ClientId::new("assistant")).unwrap();
        Arc::make_mut(assistant).targets.remove(&TargetId::new("tickets"));
    });
    assert_eq!(ended(&scene), (Check::Target, "target_not_in_reach".to_owned()));
    let mut scene = Scene::accepted();
    scene.configure(|config| {
        let assistant = config.registry.clients.get_mut(&ClientId::new("assistant")).unwrap();
        Arc::make_mut(assistant).scopes = Scope::parse("tickets:book").unwrap();
    });
    assert_eq!(ended(&scene), (Check::Scope, "scope_not_in_reach".to_owned()));
}

#[test]
fn of_two_agents_that_were_permitted_the_second_is_refused() {
    let mut scene = Scene::accepted();
    let (_, granted) = permit(&scene);
    scene.handover(|handed| handed.accepted_by = Some(AgentId::new("agent_first")));
    let refused = Confirmed::Refused(Cause::subject(TokenFault::HandedToAnother));
    assert_eq!(confirm(&granted, &scene.recorded, NOW), refused);
    scene.handover(|handed| handed.accepted_by = Some(AgentId::new("agent_of_agent-b")));
    scene.now = NOW.plus(Lifetime::from_seconds(400));
    let (_, again) = permit(&scene);
    assert!(matches!(
        confirm(&again, &scene.recorded, scene.now),
        Confirmed::Write(Placement { is_first_acceptance: false, .. })
    ));
}

#[test]
fn an_agent_that_was_brought_in_ends_what_it_got_and_the_giver_its_handover() {
    let scene = Scene::accepted();
    let Recorded::Token(record) = &scene.recorded else { panic!() };
    let lineage = record.lineage.clone().unwrap();
    let mut accepted = delegation(TokenKind::Task, DEPUTY, "tickets:search");
    accepted.client = ClientId::new("agent-b");
    let b = AgentId::new("agent_of_agent-b");
    accepted.chain.insert(0, b.clone());
    let ends = |client: &str, token: &Delegation| {
        revocation(&ClientId::new(client), None, token, Some(&lineage.task))
            .map(|revoked| (revoked.why(), revoked.ends))
    };
    assert_eq!(ends("agent-b", &accepted), Ok((EndReason::Revoked, Ends::Engagement(b.clone()))));
    assert_eq!(ends("assistant", &accepted), Err(Plain::TokenOfOtherClient));
    let mut handed = lineage.delegation.clone();
    assert_eq!(ends("assistant", &handed), Ok((EndReason::Revoked, Ends::Token)));
    assert_eq!(ends("agent-b", &handed), Err(Plain::TokenOfOtherClient));
    if let TokenKind::Handover(handover) = &mut handed.kind {
        handover.accepted_by = Some(b.clone());
    }
    assert_eq!(ends("assistant", &handed), Ok((EndReason::Revoked, Ends::Engagement(b))));
}

#[test]
fn no_resource_server_takes_a_handover() {
    let scene = Scene::accepted();
    let Recorded::Token(record) = &scene.recorded else { panic!() };
    let lineage = record.lineage.as_ref().unwrap();
    for server in ["tickets-api", "agent-b", "assistant"] {
        let known = KnownToken::InTask(Box::new(lineage.clone()));
        assert!(!is_active_for(&scene.world.config, &ClientId::new(server), &known, NOW));
    }
}
