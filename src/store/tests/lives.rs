//! How long agents live: instances stay between tasks, and end when they were idle for too long or their time is up.

use super::on_each_database;
use super::world::{END_OF_RETENTION, START, World, end};
use crate::base::time::{Lifetime, Timestamp};
use crate::delegation::record::{Agent, AgentState, Build, EndReason, Ended};
use crate::oauth::{Cause, TokenFault};
use crate::registry::AgentLifetime;
use crate::store::entry::{Control, Recorded};
use crate::store::{AuditFilter, Store};

on_each_database! {
    an_instance_stays_between_tasks,
    an_instance_ends_to_the_second_when_it_was_idle_for_too_long,
    an_agent_ends_to_the_second_when_its_time_is_up,
    an_exchange_is_written_down_when_the_last_one_is_old,
    the_end_of_an_agent_is_recorded_once_and_for_good,
    an_agent_that_was_used_meanwhile_is_not_ended,
    the_tasks_that_an_idle_instance_began_end_with_it,
}

const IDLE: u32 = 600;
const TTL: u32 = 7200;

/// An instance that may be idle for ten minutes, as a credential presents it.
fn instance(world: &World) -> Agent {
    let ttl = Some(world.now().plus(Lifetime::from_seconds(TTL)));
    let idle = Some(Lifetime::from_seconds(IDLE));
    Agent { lifetime: AgentLifetime::Instance, idle, expires_at: ttl, ..world.instance() }
}

async fn recorded(store: &Store, agent: &Agent) -> Agent {
    store.find_agent(&agent.id).await.unwrap().unwrap()
}

/// Whether the agent may begin a task with a new sign-in.
async fn may_begin(world: &World, store: &Store, agent: &Agent) -> bool {
    let sign_in = world.sign_in("ulla");
    let entry = world.hop_zero(store, &sign_in, agent).await;
    match store.record(entry).await.unwrap() {
        Recorded::Done { .. } => true,
        Recorded::Refused(cause) => {
            assert_eq!(cause, Cause::actor(TokenFault::AgentEnded));
            false
        }
        other => panic!("{other:?}"),
    }
}

fn seconds_after(seconds: u32) -> Timestamp {
    START.plus(Lifetime::from_seconds(seconds))
}

async fn an_instance_stays_between_tasks(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let (_, root) = world.begin(&store, &agent).await;

    world.control(&store, end(root.task)).await;

    assert_eq!(recorded(&store, &agent).await.state, AgentState::Active);
    assert!(may_begin(&world, &store, &agent).await);
    let task_class = world.instance();
    let other = Agent { id: crate::oauth::AgentId::new("agent_of_one_task"), ..task_class };
    let (_, root) = world.begin(&store, &other).await;
    world.control(&store, end(root.task)).await;
    assert_eq!(recorded(&store, &other).await.state, AgentState::Retired);
}

async fn an_instance_ends_to_the_second_when_it_was_idle_for_too_long(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let (_, root) = world.begin(&store, &agent).await;
    // The last exchange may be up to 15 seconds later than the one that is written down.
    world.advance(IDLE + 14).await;
    assert_eq!(world.life(&store, &root).await, Ok(()));

    world.advance(1).await;

    assert_eq!(world.life(&store, &root).await, Err(TokenFault::AgentEnded));
    assert!(!may_begin(&world, &store, &agent).await);
    assert_eq!(recorded(&store, &agent).await.state, AgentState::Active, "nothing is swept yet");
}

async fn an_agent_ends_to_the_second_when_its_time_is_up(world: World) {
    let store = world.open().await;
    for agent in [Agent { idle: None, ..instance(&world) }, world.principal()] {
        let agent = Agent {
            first_seen: world.now(),
            expires_at: Some(world.now().plus(Lifetime::from_seconds(100))),
            ..agent
        };
        let (_, root) = world.begin(&store, &agent).await;
        world.advance(99).await;
        assert_eq!(world.life(&store, &root).await, Ok(()));
        assert!(may_begin(&world, &store, &agent).await);
        world.advance(1).await;
        assert_eq!(world.life(&store, &root).await, Err(TokenFault::AgentEnded));
        assert!(!may_begin(&world, &store, &agent).await);
    }
}

async fn an_exchange_is_written_down_when_the_last_one_is_old(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let (_, root) = world.begin(&store, &agent).await;
    let own = world.principal();
    let (_, of_own) = world.begin(&store, &own).await;
    world.advance(15).await;
    world.exchange(&store, &root, &agent).await;
    assert_eq!(recorded(&store, &agent).await.last_seen, START);

    world.advance(1).await;
    let build = Build { software: Some("age".to_owned()), version: Some("2".to_owned()), image: None };
    let presented = Agent { build: build.clone(), first_seen: world.now(), ..agent.clone() };
    world.exchange(&store, &root, &presented).await;
    world.exchange(&store, &of_own, &own).await;

    let known = recorded(&store, &agent).await;
    assert_eq!((known.first_seen, known.last_seen), (START, seconds_after(16)));
    assert_eq!((&known.build, known.expires_at), (&build, Some(seconds_after(TTL))));
    assert_eq!(recorded(&store, &own).await.last_seen, seconds_after(16));
    world.advance(IDLE + 14).await;
    assert_eq!(world.life(&store, &root).await, Ok(()), "idle since the exchange that was written down");
    world.advance(1).await;
    assert_eq!(world.life(&store, &root).await, Err(TokenFault::AgentEnded));
}

fn end_of(agent: &Agent) -> Control {
    Control::EndAgent { agent: agent.id.clone() }
}

async fn the_end_of_an_agent_is_recorded_once_and_for_good(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let verifier = world.principal();
    let (_, root) = world.begin(&store, &verifier).await;
    let access = world.exchange(&store, &root, &verifier).await;
    world.exchange(&store, &access, &agent).await;
    world.advance(IDLE + 14).await;
    assert_eq!(store.list_agents_over(world.now(), 10).await.unwrap(), Vec::new());
    world.advance(1).await;
    let over: Vec<_> = store.list_agents_over(world.now(), 10).await.unwrap();
    assert_eq!(over.iter().map(|agent| &agent.id).collect::<Vec<_>>(), [&agent.id]);
    let rows = async || store.list_audit(&AuditFilter::default()).await.unwrap().len();
    let before = rows().await;
    world.advance(100).await;

    assert_eq!(world.control(&store, end_of(&agent)).await, (0, true));

    let ended = Ended { at: seconds_after(IDLE + 15), why: EndReason::Idle };
    let retired = recorded(&store, &agent).await;
    assert_eq!((retired.state, retired.ended), (AgentState::Retired, Some(ended)));
    assert_eq!(rows().await, before + 1);
    assert_eq!(store.list_agents_over(world.now(), 10).await.unwrap(), Vec::new());
    assert_eq!(world.control(&store, end_of(&agent)).await, (0, false), "once");
    assert_eq!(rows().await, before + 1);
    assert!(store.list_stops(10).await.unwrap().is_empty(), "it began no task that would have to end");

    world.advance(END_OF_RETENTION).await;
    while world.control(&store, Control::Sweep).await.1 {}
    let presented = Agent { id: agent.id.clone(), ..instance(&world) };
    assert!(!may_begin(&world, &store, &presented).await, "a tombstoned instance never returns");
}

async fn an_agent_that_was_used_meanwhile_is_not_ended(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let (_, root) = world.begin(&store, &agent).await;
    world.advance(IDLE).await;
    world.exchange(&store, &root, &agent).await;
    world.advance(15).await;
    let rows = store.list_audit(&AuditFilter::default()).await.unwrap().len();

    assert_eq!(world.control(&store, end_of(&agent)).await, (0, false));

    assert_eq!(recorded(&store, &agent).await.state, AgentState::Active);
    assert_eq!(store.list_audit(&AuditFilter::default()).await.unwrap().len(), rows, "no event");
    assert_eq!(world.life(&store, &root).await, Ok(()));
}

async fn the_tasks_that_an_idle_instance_began_end_with_it(world: World) {
    let store = world.open().await;
    let agent = instance(&world);
    let (_, root) = world.begin(&store, &agent).await;
    world.advance(IDLE + 15).await;
    world.control(&store, end_of(&agent)).await;

    while world.control(&store, Control::Walk).await.1 {}

    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::Idle));
}
