//! An agent that asks for itself, without a user.

use super::*;
use crate::decision::fixtures::{delegation, nightly_job};
use crate::delegation::record::{Behalf, Behind, Delegator, DelegatorKind};
use crate::delegation::recorded::AgentRecord;
use crate::delegation::stops::{Stop, StopNumber, Stoppable};
use crate::oauth::{AgentId, PresentedAs};

#[test]
fn a_token_about_an_agent_acts_for_nobody_and_belongs_to_no_task() {
    let (report, permit) = permit(&Scene::alone());
    let terms = permit.terms();
    assert_eq!((&terms.proposal.kind, terms.proposal.chain.len()), (&TokenKind::Agent, 0));
    assert_eq!(terms.behalf(), Behalf::Agent(AgentId::new("agent_nightly")));
    assert!(matches!(terms.origin, Origin::Agent { task: None }));
    assert_eq!((report.who.task, report.who.begins_task), (None, false));
    assert_eq!(report.who.delegator, Some(DelegatorKind::Agent));
    assert!(terms.user().is_none());
}

#[test]
fn a_task_of_its_own_is_delegated_by_the_agent_that_begins_it() {
    let mut scene = Scene::alone();
    scene.ask(&format!("audience={DEPUTY}&scope=reports:read reports:write&purpose=the night"));
    let (report, permit) = permit(&scene);
    let Origin::Agent { task: Some(task) } = &permit.terms().origin else { panic!("a task begins") };
    assert_eq!((task.delegator, &task.agent), (Delegator::Agent, &AgentId::new("agent_nightly")));
    assert_eq!((report.who.task, report.who.begins_task), (Some(task.id), true));
    assert_eq!(permit.terms().proposal.expires_at, task.expires_at);
}

#[test]
fn what_an_agent_may_not_have_alone_is_found_by_its_check() {
    let table: [(&str, Check, &str); 5] = [
        ("audience=reports&scope=reports:mine", Check::Scope, "scope_needs_user"),
        ("audience=reports&scope=reports:read reports:mine", Check::Scope, "scope_needs_user"),
        ("audience=reports&scope=nowhere", Check::Scope, "scope_unknown_at_target"),
        ("audience=tickets&scope=tickets:search", Check::Target, "target_not_allowed"),
        ("resource=http://127.0.0.1:8443&scope=reports:read", Check::Target, "target_is_deputy"),
    ];
    for (asked, check, word) in table {
        let mut scene = Scene::alone();
        scene.ask(asked);
        assert_eq!(ended(&scene), (check, word.to_owned()), "{asked}");
    }
    let mut scene = Scene::alone();
    scene.verified.actor = Ok(own_agent(&scene.world, "assistant"));
    scene.ask(&format!("audience={DEPUTY}&scope=tickets:search"));
    assert_eq!(ended(&scene), (Check::Target, "begins_no_tasks".to_owned()));
}

/// The scene with this recorded of its agent.
fn recorded(change: impl FnOnce(&mut AgentRecord)) -> Scene {
    let mut scene = Scene::alone();
    let mut record = AgentRecord { agent: Some(agent(&nightly_job(&scene.world))), ..AgentRecord::default() };
    change(&mut record);
    scene.recorded = Recorded::Agent(Box::new(record));
    scene
}

#[test]
fn what_is_recorded_of_the_agent_counts_when_it_is_decided_and_when_it_is_written() {
    let stop = Stop { number: StopNumber::new(3), stands: true, not_before: None };
    let stopped = |party: Stoppable| {
        move |record: &mut AgentRecord| record.stops = [(party, stop)].into_iter().collect()
    };
    let faults: [(Scene, &str); 4] = [
        (recorded(|record| record.agent.as_mut().unwrap().state = AgentState::Banned), "agent_ended"),
        (
            recorded(|record| record.agent.as_mut().unwrap().client = ClientId::new("other")),
            "other_clients_agent",
        ),
        (recorded(stopped(Stoppable::Class("nightly".to_owned()))), "agent_cut_off"),
        (recorded(stopped(Stoppable::Client(ClientId::new("nightly-jobs")))), "agent_cut_off"),
    ];
    let (_, permit) = permit(&Scene::alone());
    for (scene, word) in faults {
        assert_eq!(ended(&scene), (Check::Actor, word.to_owned()));
        let Confirmed::Refused(cause) = confirm(&permit, &scene.recorded, NOW) else { panic!("{word}") };
        assert_eq!((cause.word(), &cause), (word, &Cause::Token(PresentedAs::Actor, fault_of(&cause))));
    }
    let good = recorded(|_| {});
    assert!(matches!(confirm(&permit, &good.recorded, NOW), Confirmed::Write(_)));
    let closed = recorded(stopped(Stoppable::Target(TargetId::new("reports"))));
    assert_eq!(ended(&closed), (Check::Target, "target_stopped".to_owned()));
    assert_eq!(confirm(&permit, &closed.recorded, NOW), Confirmed::Refused(Plain::TargetStopped.into()));
}

fn fault_of(cause: &Cause) -> TokenFault {
    match cause {
        Cause::Token(_, fault) => *fault,
        other => panic!("{other:?}"),
    }
}

/// A task token of the nightly job, in a task of its own.
fn own_task() -> Scene {
    let mut scene = Scene::continued();
    let world = scene.world.clone();
    let job = nightly_job(&world);
    scene.client = crate::client_auth::AuthenticatedClient::for_tests(Arc::clone(&job.client), Vec::new());
    scene.lineage(|recorded| {
        let mut token = delegation(TokenKind::Task, DEPUTY, "reports:read reports:write");
        token.client = job.client.id.clone();
        token.behalf = Behalf::Agent(job.id.clone());
        token.chain.clear();
        token.classes = vec!["nightly".to_owned()];
        recorded.task.agent = job.id.clone();
        recorded.task.client = job.client.id.clone();
        recorded.task.delegator = Delegator::Agent;
        recorded.behind = Behind::Agent(job.id.clone());
        recorded.agents = vec![agent(&job)];
        recorded.delegation = token;
    });
    scene.verified.actor = Ok(job);
    scene.ask("audience=reports&scope=reports:read");
    scene
}

#[test]
fn a_task_without_a_user_is_continued_by_its_agent_alone_and_reaches_no_scope_of_users() {
    let (_, granted) = permit(&own_task());
    let terms = granted.terms();
    assert_eq!((terms.proposal.chain.len(), &terms.proposal.kind), (0, &TokenKind::Access));
    assert_eq!(terms.behalf(), Behalf::Agent(AgentId::new("agent_nightly")));
    let scene = own_task();
    assert!(matches!(confirm(&granted, &scene.recorded, NOW), Confirmed::Write(_)));

    let mut mine = own_task();
    mine.lineage(|recorded| {
        recorded.delegation.scope = crate::oauth::Scope::parse("reports:read reports:mine").unwrap()
    });
    mine.ask("audience=reports&scope=reports:mine");
    assert_eq!(ended(&mine), (Check::Scope, "scope_needs_user".to_owned()));
    let mut other = own_task();
    other.verified.actor = Ok(own_agent(&other.world, "assistant"));
    assert_eq!(ended(&other), (Check::Binding, "not_yours".to_owned()));
}

#[test]
fn the_agent_whose_task_it_is_counts_for_its_life_and_for_loops() {
    let mut banned = own_task();
    banned.lineage(|recorded| recorded.agents[0].state = AgentState::Banned);
    assert_eq!(ended(&banned), (Check::Subject, "agent_ended".to_owned()));
    let mut unknown = own_task();
    unknown.lineage(|recorded| recorded.agents.clear());
    assert_eq!(ended(&unknown), (Check::Subject, "agent_ended".to_owned()));
    let mut suspended = own_task();
    suspended.lineage(|recorded| recorded.agents[0].stopped = StopNumber::new(4));
    assert_eq!(ended(&suspended), (Check::Subject, "stopped".to_owned()));
    // In the hands of another party the agent cannot come into the chain again.
    let scene = own_task();
    let Recorded::Token(record) = &scene.recorded else { panic!("a later hop") };
    let token = &record.lineage.as_ref().unwrap().delegation;
    let again = crate::delegation::rules::extend_chain(
        crate::delegation::rules::Right::Onward(token),
        &AgentId::new("agent_nightly"),
        4,
    );
    assert_eq!(again, Err(Plain::ChainLoop));
}

#[test]
fn a_scope_of_agents_is_not_for_users() {
    let mut scene = Scene::first_hop();
    scene.configure(|config| {
        let assistant = config.registry.clients.get_mut(&ClientId::new("assistant")).unwrap();
        let assistant = Arc::make_mut(assistant);
        assistant.targets.insert(TargetId::new("reports"));
        assistant.scopes = crate::oauth::Scope::parse("reports:read reports:write").unwrap();
    });
    scene.verified.actor = Ok(own_agent(&scene.world, "assistant"));
    scene.ask("audience=reports&scope=reports:read");
    permit(&scene);
    scene.ask("audience=reports&scope=reports:write");
    assert_eq!(ended(&scene), (Check::Scope, "scope_needs_no_user".to_owned()));
}
