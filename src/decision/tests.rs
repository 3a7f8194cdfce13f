//! The decision, called without server, database or clock.

mod alone;

use std::sync::Arc;

use super::fixtures::{DEPUTY, NOW, Scene, agent, config, login, own_agent};
use super::*;
use crate::base::time::Lifetime;
use crate::delegation::alone::KnownToken;
use crate::delegation::answers::SealedAnswer;
use crate::delegation::plan::{LoginRecord, TaskPlan};
use crate::delegation::record::{AgentState, EndReason, Ended, Login, Task, TokenKind};
use crate::delegation::recorded::{Recorded, TokenRecord};
use crate::oauth::{Cause, ClientId, Plain, ScopeToken, TargetId, TokenFault};
use crate::verification::{KeysUnknown, MayAct, NotVerified};

mod handovers;
mod revocations;

/// The check at which the walk ended, and the word of the cause.
fn ended(scene: &Scene) -> (Check, String) {
    let Decision { report, outcome } = scene.decide();
    let (check, found) = report.stopped().expect("the request is refused").clone();
    match (found, outcome) {
        (Found::Failed(cause), Err(Denial::Refused(same))) => {
            assert_eq!(cause, same);
            (check, cause.word().to_owned())
        }
        (Found::Unknown, Err(Denial::Unknown(_))) => (check, "unknown".to_owned()),
        other => panic!("{other:?}"),
    }
}

fn permit(scene: &Scene) -> (Report, Permit) {
    let Decision { report, outcome } = scene.decide();
    (report, outcome.expect("the request is permitted"))
}

#[test]
fn a_valid_request_passes_every_check_and_is_permitted() {
    for scene in
        [Scene::first_hop(), Scene::continued(), Scene::onward(), Scene::handed_over(), Scene::accepted()]
    {
        let (report, permit) = permit(&scene);
        assert_eq!(report.stopped(), None);
        assert!(report.checks().iter().all(|(_, found)| *found == Found::Passed));
        let policy = report.policy.expect("policy was asked");
        assert_eq!(policy.decision.record.decision, "permit");
        assert_eq!(&permit.terms().proposal.scope, scene.request.scope.words());
    }
}

/// One fault for each check, in the order of 8693-2.1-23.
type FaultAt = (Check, &'static str, fn(&mut Scene));

const FIRST_HOP: &[FaultAt] = &[
    (Check::Subject, "expired", |scene| {
        scene.verified.subject = SubjectResult::Login(Err(TokenFault::Expired.into()));
    }),
    (Check::Actor, "signature", |scene| {
        scene.verified.actor = Err(TokenFault::Signature.into());
    }),
    (Check::Binding, "may_act", |scene| {
        let someone_else =
            MayAct { issuer: None, subject: "someone-else".to_owned(), has_other_identity_members: false };
        let SubjectResult::Login(Ok(held)) = &scene.verified.subject else { return };
        let restricted = login(&scene.world, held.facts().as_ref().clone(), Some(someone_else));
        scene.verified.subject = SubjectResult::Login(Ok(Box::new(restricted)));
    }),
    (Check::Target, "target_unknown", |scene| {
        scene.request.audience = crate::oauth::Audience::Target(TargetId::new("nowhere"));
    }),
    (Check::Scope, "scope_unknown_at_target", |scene| {
        scene.request.scope =
            crate::oauth::AskedScope::These(crate::oauth::Scope::parse("unheard-of").unwrap());
    }),
    (Check::Details, "authorization_details", |scene| scene.request.has_authorization_details = true),
    (Check::Assurance, "assurance_insufficient", |scene| {
        scene.login(|facts| facts.levels.clear());
    }),
    (Check::Policy, "policy_denied", |scene| {
        scene.policy("@id(\"deny-all\") forbid (principal, action, resource);");
    }),
];

#[test]
fn of_several_faults_the_one_of_the_earliest_check_is_reported() {
    for first in 0..FIRST_HOP.len() {
        let mut scene = Scene::first_hop();
        // Later faults first, because some of them replace the subject token as a whole.
        for (_, _, plant) in FIRST_HOP[first..].iter().rev() {
            plant(&mut scene);
        }
        let (expected, word, _) = FIRST_HOP[first];
        assert_eq!(ended(&scene), (expected, word.to_owned()));
        let report = scene.decide().report;
        for (check, found) in report.checks() {
            match check.cmp(&expected) {
                std::cmp::Ordering::Less => assert_eq!(found, Found::Passed, "{check:?}"),
                std::cmp::Ordering::Equal => assert!(matches!(found, Found::Failed(_)), "{check:?}"),
                std::cmp::Ordering::Greater => assert_eq!(found, Found::NotReached, "{check:?}"),
            }
        }
    }
}

#[test]
fn each_fault_alone_is_found_by_its_check() {
    for (check, word, plant) in FIRST_HOP {
        let mut scene = Scene::first_hop();
        plant(&mut scene);
        assert_eq!(ended(&scene), (*check, (*word).to_owned()));
    }
}

#[test]
fn the_checks_before_the_decision_are_reported_in_the_same_order() {
    let causes = [
        (Check::Client, Plain::NoCredentials),
        (Check::Grant, Plain::GrantTypeUnsupported),
        (Check::GrantAllowed, Plain::GrantNotRegistered),
        (Check::Parameters, Plain::SubjectTokenMissing),
    ];
    for (expected, plain) in causes {
        let report = Report::of_client(ClientId::new("assistant")).refused_at(expected, plain.into());
        let found: Vec<_> =
            report.checks().into_iter().filter(|(_, found)| *found != Found::NotReached).collect();
        assert_eq!(found.len(), 1 + Check::ALL.iter().position(|check| *check == expected).unwrap());
        assert_eq!(found.last().unwrap().1, Found::Failed(plain.into()));
    }
}

#[test]
fn a_fault_of_the_subject_that_only_the_record_shows_comes_before_one_of_the_actor_token() {
    let mut scene = Scene::onward();
    scene.verified.actor = Err(TokenFault::Signature.into());
    assert_eq!(ended(&scene), (Check::Actor, "signature".to_owned()));
    scene.lineage(|lineage| lineage.task.ended = Some(Ended { at: NOW, why: EndReason::TaskDone }));
    assert_eq!(ended(&scene), (Check::Subject, "task_ended".to_owned()));
}

#[test]
fn what_cannot_be_known_is_neither_a_permit_nor_a_refusal() {
    let mut scene = Scene::first_hop();
    let why = KeysUnknown::NotAskedAgain;
    scene.verified.subject = SubjectResult::Login(Err(NotVerified::Unavailable(why.clone()).into()));
    let decision = scene.decide();
    assert_eq!(decision.outcome.unwrap_err(), Denial::Unknown(Unknown::IssuerKeys(why)));

    let mut scene = Scene::first_hop();
    scene.policy(
        "@id(\"odd\") forbid (principal, action, resource) when { 9223372036854775807 + 1 > context.hop };",
    );
    assert_eq!(scene.decide().outcome.unwrap_err(), Denial::Unknown(Unknown::Policy));

    let mut scene = Scene::continued();
    scene.recorded = Recorded::Unread;
    assert_eq!(scene.decide().outcome.unwrap_err(), Denial::Unknown(Unknown::Record));
}

#[test]
fn a_token_without_record_was_never_issued() {
    let mut scene = Scene::continued();
    scene.recorded = Recorded::Token(Box::default());
    assert_eq!(ended(&scene), (Check::Subject, "never_issued".to_owned()));
}

#[test]
fn a_removed_provider_is_a_fault_of_the_subject_token() {
    let mut scene = Scene::continued();
    scene.configure(|config| config.registry.identity_providers.clear());
    assert_eq!(ended(&scene), (Check::Subject, "party_removed".to_owned()));
}

#[test]
fn an_agent_that_may_not_have_the_answer_never_gets_the_scope() {
    let mut scene = Scene::first_hop();
    scene.ask("audience=tickets&scope=age_over_18");
    assert_eq!(ended(&scene), (Check::Policy, "answer_not_for_actor".to_owned()));
}

#[test]
fn an_answer_is_given_only_while_it_holds() {
    let (_, granted) = permit(&Scene::onward());
    assert!(granted.terms().answer.as_ref().is_some_and(|answer| answer.value));
    let spoil: [fn(&mut TokenRecord); 2] = [
        |record| record.answer = None,
        |record| record.answer = Some(SealedAnswer { value: true, valid_until: NOW }),
    ];
    for spoil in spoil {
        let mut scene = Scene::onward();
        let Recorded::Token(record) = &mut scene.recorded else { panic!() };
        spoil(record);
        assert_eq!(ended(&scene), (Check::Answer, "answer_unavailable".to_owned()));
    }
}

#[test]
fn the_value_of_an_answer_is_in_no_debug_output() {
    let (report, granted) = permit(&Scene::onward());
    let printed = format!("{granted:?} {report:?}");
    assert!(printed.contains("GivenAnswer"), "{printed}");
    assert!(!printed.contains("value: true"), "{printed}");
}

#[test]
fn a_task_token_answers_nothing_and_reaches_what_the_ceiling_defines() {
    let mut scene = Scene::first_hop();
    scene.ask(&format!("audience={DEPUTY}&scope=tickets:search tickets:book age_over_18"));
    let (report, granted) = permit(&scene);
    let proposal = &granted.terms().proposal;
    assert_eq!((&proposal.kind, proposal.answer.as_ref()), (&TokenKind::Task, None));
    assert_eq!(granted.terms().answers.len(), 1, "the answer for `tickets` is kept with the login");
    assert!(report.policy.unwrap().facts.is_task_token);
}

#[test]
fn whether_a_target_is_listed_onward_is_a_fact_of_its_own() {
    let (report, _) = permit(&Scene::onward());
    let facts = report.policy.unwrap().facts;
    assert_eq!(
        (facts.onward_from.as_ref().map(TargetId::as_str), facts.is_listed_onward),
        (Some("age-agent"), true)
    );

    // The target check refuses this request before the policy is evaluated, so the facts are computed directly.
    let scene = Scene::onward();
    let (_, granted) = permit(&scene);
    let mut config = config();
    let age_agent = config.registry.targets.get_mut(&TargetId::new("age-agent")).unwrap();
    Arc::make_mut(age_agent).onward.clear();
    let proposal = &granted.terms().proposal;
    let lineage = super::fixtures::lineage(
        &scene.world,
        super::fixtures::delegation(TokenKind::Access, "age-agent", "age_over_18"),
    );
    let acting = scene.verified.actor.as_ref().unwrap();
    let facts = facts::exchange_facts(
        &config,
        acting,
        proposal,
        crate::policy::Delegator::user(&super::fixtures::user_of(&lineage).login.facts, 0),
        None,
        crate::delegation::assurance::Demands::default(),
        NOW,
    );
    assert!(!facts.is_listed_onward);
    let decided = scene.world.policy.decide(&facts);
    assert!(!decided.is_permit);
    assert!(decided.record.policies.contains(&"onward-only-where-listed".to_owned()), "{decided:?}");
}

#[test]
fn an_unlisted_onward_target_is_refused_before_policy_is_asked() {
    let mut scene = Scene::onward();
    scene.ask("audience=elsewhere&scope=age_over_18");
    assert_eq!(ended(&scene), (Check::Target, "target_not_onward".to_owned()));
    assert!(scene.decide().report.policy.is_none());
}

/// A login that fed a task of the assistant before.
fn fed(scene: &Scene, ended: Option<Ended>) -> (Login, Task) {
    let token = super::fixtures::delegation(TokenKind::Task, DEPUTY, "tickets:search");
    let mut lineage = super::fixtures::lineage(&scene.world, token);
    lineage.task.ended = ended;
    (super::fixtures::user_of(&lineage).login.clone(), lineage.task)
}

#[test]
fn the_same_login_joins_its_live_task_and_a_finished_one_begins_nothing() {
    let mut scene = Scene::first_hop();
    let (login, task) = fed(&scene, None);
    let id = task.id;
    scene.recorded = Recorded::Login(Box::new(LoginRecord {
        uses: vec![(login.clone(), task)],
        ..LoginRecord::default()
    }));
    let (report, granted) = permit(&scene);
    let Origin::FirstHop(hop) = &granted.terms().origin else { panic!() };
    assert_eq!(hop.plan, TaskPlan::Join(id, login.id));
    assert_eq!((report.who.task, report.who.begins_task), (Some(id), false));

    let over = fed(&scene, Some(Ended { at: NOW, why: EndReason::TaskDone }));
    scene.recorded = Recorded::Login(Box::new(LoginRecord { uses: vec![over], ..LoginRecord::default() }));
    assert_eq!(ended(&scene), (Check::Binding, "login_spent".to_owned()));
}

#[test]
fn a_stopped_user_and_a_banned_agent_are_found_by_their_checks() {
    let mut scene = Scene::first_hop();
    let mut banned = agent(&own_agent(&scene.world, "assistant"));
    banned.state = AgentState::Banned;
    let mut record = LoginRecord { agent: Some(banned), ..LoginRecord::default() };
    scene.recorded = Recorded::Login(Box::new(record.clone()));
    assert_eq!(ended(&scene), (Check::Actor, "agent_ended".to_owned()));
    // No actor token was sent, so the caller can only change its subject token.
    assert_eq!(scene.decide().outcome.unwrap_err(), Denial::Refused(Cause::subject(TokenFault::AgentEnded)));

    let lineage = super::fixtures::lineage(
        &scene.world,
        super::fixtures::delegation(TokenKind::Task, DEPUTY, "tickets:search"),
    );
    let subject = super::fixtures::user_of(&lineage).subject.clone();
    record.subject = Some(crate::delegation::record::Subject { cutoff: Some(NOW), ..subject });
    scene.recorded = Recorded::Login(Box::new(record));
    assert_eq!(ended(&scene), (Check::Subject, "subject_cut_off".to_owned()));
}

#[test]
fn what_was_permitted_unread_is_judged_again_by_the_same_rules() {
    let scene = Scene::first_hop();
    let (_, granted) = permit(&scene);
    let unknown = Recorded::Login(Box::default());
    assert!(matches!(
        confirm(&granted, &unknown, NOW),
        Confirmed::Write(Placement { is_new_subject: true, .. })
    ));

    let joined =
        Recorded::Login(Box::new(LoginRecord { uses: vec![fed(&scene, None)], ..LoginRecord::default() }));
    assert_eq!(confirm(&granted, &joined, NOW), Confirmed::Changed);

    let over = fed(&scene, Some(Ended { at: NOW, why: EndReason::TaskDone }));
    let spent = Recorded::Login(Box::new(LoginRecord { uses: vec![over], ..LoginRecord::default() }));
    assert_eq!(confirm(&granted, &spent, NOW), Confirmed::Refused(Cause::subject(TokenFault::LoginSpent)));

    let other = Recorded::Token(Box::default());
    assert_eq!(confirm(&granted, &other, NOW), Confirmed::Changed);
}

#[test]
fn a_token_below_one_that_ended_meanwhile_is_never_written() {
    let mut scene = Scene::continued();
    let (_, granted) = permit(&scene);
    assert!(matches!(confirm(&granted, &scene.recorded, NOW), Confirmed::Write(_)));
    scene.lineage(|lineage| lineage.delegation.revoked = Some(Ended { at: NOW, why: EndReason::Revoked }));
    assert_eq!(
        confirm(&granted, &scene.recorded, NOW),
        Confirmed::Refused(Cause::subject(TokenFault::Revoked))
    );
    let gone = Recorded::Token(Box::default());
    assert_eq!(confirm(&granted, &gone, NOW), Confirmed::Refused(Cause::subject(TokenFault::NeverIssued)));
}

#[test]
fn a_wider_token_than_was_permitted_is_never_written() {
    let scene = Scene::continued();
    let (_, granted) = permit(&scene);
    let mut longer = granted.terms().clone();
    longer.proposal.expires_at = longer.proposal.expires_at.plus(Lifetime::from_seconds(3600));
    let mut stranger = granted.terms().clone();
    stranger.proposal.chain.insert(0, crate::oauth::AgentId::new("agent_stranger"));
    for terms in [longer, stranger] {
        assert_eq!(confirm(&Permit::for_tests(terms), &scene.recorded, NOW), Confirmed::Changed);
    }
}

#[test]
fn an_unknown_word_of_the_scope_is_not_reported() {
    let mut scene = Scene::first_hop();
    scene.ask("audience=tickets&scope=tickets:search eyJhbGciOiJub25lIn0");
    let report = scene.decide().report;
    assert_eq!(report.asked.scope.as_ref().map(crate::oauth::Scope::as_str), Some("tickets:search"));
}

#[test]
fn a_resource_server_sees_only_live_access_tokens_for_its_own_target() {
    let scene = Scene::first_hop();
    let config = &scene.world.config;
    let token = |kind, target: &str| {
        let token = super::fixtures::delegation(kind, target, "tickets:search");
        KnownToken::InTask(Box::new(super::fixtures::lineage(&scene.world, token)))
    };
    let server = ClientId::new("tickets-api");
    assert!(is_active_for(config, &server, &token(TokenKind::Access, "tickets"), NOW));
    assert!(!is_active_for(config, &server, &token(TokenKind::Task, "tickets"), NOW));
    assert!(!is_active_for(config, &server, &token(TokenKind::Access, "age-agent"), NOW));
    assert!(!is_active_for(config, &ClientId::new("age-agent"), &token(TokenKind::Access, "tickets"), NOW));
    let later = NOW.plus(Lifetime::from_seconds(600));
    assert!(!is_active_for(config, &server, &token(TokenKind::Access, "tickets"), later));
}

#[test]
fn the_answer_scope_is_named_like_its_claim() {
    let (_, granted) = permit(&Scene::onward());
    let answer = granted.terms().answer.as_ref().map(|answer| answer.scope.clone());
    assert_eq!(answer, ScopeToken::parse("age_over_18"));
}
