//! What a login token that is too old to begin anything may still do.

use super::*;
use crate::base::time::Lifetime;
use crate::decision::fixtures::{
    DEPUTY, NOW, agent, delegation, facts, lineage, own_agent, user_of, valid_world,
};
use crate::delegation::record::{EndReason, Ended, Lineage, TokenKind};

/// A task of the assistant that the login token fed.
fn fed() -> Lineage {
    lineage(&valid_world(), delegation(TokenKind::Task, DEPUTY, "tickets:search"))
}

fn recorded(fed: &Lineage) -> LoginRecord {
    LoginRecord {
        subject: Some(user_of(fed).subject.clone()),
        uses: vec![(user_of(fed).login.clone(), fed.task.clone())],
        ..LoginRecord::default()
    }
}

/// Plans what the login token does that can begin something until `begins_until`, for a client's own agent.
fn planned(
    record: &LoginRecord,
    client: &str,
    begins_until: Option<Timestamp>,
    named_task: Option<TaskId>,
) -> Result<TaskPlan, Fault> {
    let acting = own_agent(&valid_world(), client);
    let asking = Asking {
        client: &acting.client.id,
        agent: &agent(&acting),
        credential_at: None,
        login: &facts(),
        begins_until,
        lacks_nonce: false,
        max_per_login: 20,
        named_task,
        purpose: None,
    };
    plan(record, &asking, NOW)
}

const JUST: Option<Timestamp> = Some(NOW);
const TOO_OLD: Result<TaskPlan, Fault> = Err(Fault::Subject(TokenFault::TooOld));

fn a_moment_ago() -> Option<Timestamp> {
    Some(Timestamp::from_millis(NOW.millis() - 1))
}

#[test]
fn a_token_begins_a_task_up_to_its_greatest_age() {
    let unknown = LoginRecord::default();
    assert_eq!(planned(&unknown, "assistant", None, None), Ok(TaskPlan::Begin));
    assert_eq!(planned(&unknown, "assistant", JUST, None), Ok(TaskPlan::Begin));
    assert_eq!(planned(&unknown, "assistant", a_moment_ago(), None), TOO_OLD);
}

#[test]
fn a_token_without_the_nonce_that_its_provider_requires_begins_nothing_and_joins() {
    let acting = own_agent(&valid_world(), "assistant");
    let (agent, facts) = (agent(&acting), facts());
    let asking = |named_task| Asking {
        client: &acting.client.id,
        agent: &agent,
        credential_at: None,
        login: &facts,
        begins_until: None,
        lacks_nonce: true,
        max_per_login: 20,
        named_task,
        purpose: None,
    };
    let begun = plan(&LoginRecord::default(), &asking(None), NOW);
    assert_eq!(begun, Err(Fault::Subject(TokenFault::NonceMissing)));
    let fed = fed();
    let join = Ok(TaskPlan::Join(fed.task.id, user_of(&fed).login.id));
    assert_eq!(plan(&recorded(&fed), &asking(None), NOW), join);
    let renewed = LoginRecord { uses: Vec::new(), named: Some(fed.task.clone()), ..recorded(&fed) };
    let join = Ok(TaskPlan::JoinWithNewLogin(fed.task.id));
    assert_eq!(plan(&renewed, &asking(Some(fed.task.id)), NOW), join);
}

#[test]
fn a_token_of_any_age_joins_the_live_task_that_it_fed() {
    let fed = fed();
    let join = Ok(TaskPlan::Join(fed.task.id, user_of(&fed).login.id));
    for begins_until in [None, JUST, a_moment_ago()] {
        for named in [None, Some(fed.task.id)] {
            assert_eq!(planned(&recorded(&fed), "assistant", begins_until, named), join);
        }
    }
}

#[test]
fn a_token_that_is_too_old_joins_no_task_that_it_did_not_feed() {
    let fed = fed();
    let mut other = fed.task.clone();
    other.id = TaskId::new(uuid::Uuid::from_u128(99));
    let record = LoginRecord { named: Some(other.clone()), ..recorded(&fed) };
    let named = Some(other.id);
    assert_eq!(planned(&record, "assistant", JUST, named), Ok(TaskPlan::JoinWithNewLogin(other.id)));
    assert_eq!(planned(&record, "assistant", a_moment_ago(), named), TOO_OLD);
    // The task that it fed is of another client.
    assert_eq!(planned(&recorded(&fed), "age-agent", JUST, None), Ok(TaskPlan::Begin));
    assert_eq!(planned(&recorded(&fed), "age-agent", a_moment_ago(), None), TOO_OLD);
}

#[test]
fn a_token_that_is_too_old_is_of_no_use_once_its_task_is_over() {
    let mut over = fed();
    over.task.ended = Some(Ended { at: NOW, why: EndReason::TaskDone });
    assert_eq!(planned(&recorded(&over), "assistant", a_moment_ago(), None), TOO_OLD);
    let mut up = fed();
    up.task.expires_at = NOW;
    assert_eq!(planned(&recorded(&up), "assistant", a_moment_ago(), None), TOO_OLD);
    up.task.expires_at = NOW.plus(Lifetime::from_seconds(1));
    let join = Ok(TaskPlan::Join(up.task.id, user_of(&up).login.id));
    assert_eq!(planned(&recorded(&up), "assistant", a_moment_ago(), None), join);
}
