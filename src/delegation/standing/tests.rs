use super::*;
use crate::base::time::Lifetime;
use crate::decision::fixtures::{DEPUTY, NOW, delegation, lineage, user_of, valid_world};
use crate::delegation::record::{Lineage, Provenance, TokenKind};
use crate::delegation::stops::{Stop, StopNumber};
use crate::oauth::Issuer;

/// A task of the assistant, with its user and its agent.
fn world() -> Lineage {
    lineage(&valid_world(), delegation(TokenKind::Task, DEPUTY, "tickets:search"))
}

/// A stop that stands, or one that was lifted.
fn stopped(party: &Stoppable, stands: bool) -> Stops {
    let stop = Stop { number: StopNumber::new(5), stands, not_before: None };
    [(party.clone(), stop)].into_iter().collect()
}

#[test]
fn an_agent_may_not_act_while_a_stop_of_what_it_names_stands() {
    let agent = Agent {
        provenance: Provenance::Workload {
            issuer: Issuer::new("https://cluster.example"),
            workload: "account".to_owned(),
            instance: Some("pod".to_owned()),
        },
        class: "planner".to_owned(),
        ..world().agents.remove(0)
    };
    let issuer = Issuer::new("https://cluster.example");
    let parties = [
        Stoppable::Client(agent.client.clone()),
        Stoppable::Class("planner".to_owned()),
        Stoppable::Issuer(issuer.clone()),
        Stoppable::Workload(issuer.clone(), "account".to_owned()),
        Stoppable::Workload(issuer, "pod".to_owned()),
    ];
    for party in parties {
        assert_eq!(agent_over(&agent, &stopped(&party, true), NOW), Some(Over::Stopped(party.clone())));
        assert_eq!(agent_over(&agent, &stopped(&party, false), NOW), None, "lifted: {party}");
        let banned = Agent { state: AgentState::Banned, ..agent.clone() };
        assert_eq!(agent_over(&banned, &stopped(&party, true), NOW), None, "its state says it: {party}");
    }
    let other = Stoppable::Class("other".to_owned());
    assert_eq!(agent_over(&agent, &stopped(&other, true), NOW), None);
    let up = Agent { expires_at: Some(NOW), ..agent };
    let ended = Ended { at: NOW, why: EndReason::Expired };
    assert_eq!(agent_over(&up, &Stops::default(), NOW), Some(Over::Ended(ended)));
}

#[test]
fn a_task_is_over_by_its_end_a_stop_or_its_time() {
    let subject = user_of(&world()).subject.clone();
    let Lineage { task, mut agents, .. } = world();
    let agent = agents.remove(0);
    let none = Stops::default();
    let over = |task: &Task, stops: &Stops, now| task_over(task, (Some(&subject), Some(&agent)), stops, now);
    assert_eq!(over(&task, &none, NOW), None);

    let ended = Ended { at: NOW, why: EndReason::TaskDone };
    let done = Task { ended: Some(ended), ..task.clone() };
    assert_eq!(over(&done, &none, NOW), Some(Over::Ended(ended)));
    let expired = Ended { at: task.expires_at, why: EndReason::Expired };
    let later = task.expires_at.plus(Lifetime::from_seconds(1));
    assert_eq!(over(&task, &none, later), Some(Over::Ended(expired)));

    for party in [Stoppable::Client(task.client.clone()), Stoppable::Provider(subject.issuer.clone())] {
        for stands in [true, false] {
            assert_eq!(over(&task, &stopped(&party, stands), NOW), Some(Over::Stopped(party.clone())));
        }
    }
    assert_eq!(over(&task, &stopped(&Stoppable::Class(agent.class.clone()), true), NOW), None, "tasks go on");
    let gone = Subject { stopped: StopNumber::new(5), ..subject.clone() };
    let found = task_over(&task, (Some(&gone), Some(&agent)), &none, NOW);
    assert_eq!(found, Some(Over::Stopped(Stoppable::User(subject.reference))));
    let banned = Agent { state: AgentState::Banned, ..agent.clone() };
    let found = task_over(&task, (Some(&subject), Some(&banned)), &none, NOW);
    assert_eq!(found, Some(Over::Stopped(Stoppable::Agent(agent.id.clone()))));
}
