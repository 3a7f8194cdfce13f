//! The end of a task in which many agents work.

use super::on_each_database;
use super::stops::state;
use super::world::{World, end};
use crate::delegation::record::{Agent, AgentState, Delegation};
use crate::oauth::{Cause, TokenFault};
use crate::store::Store;
use crate::store::ending::BATCH;
use crate::store::entry::{Control, Recorded};

on_each_database! {
    a_task_with_many_agents_ends_at_once_and_releases_them_in_batches,
}

/// A task in which so many instances work that one batch does not release them.
async fn crowd(world: &World, store: &Store, size: usize) -> (Delegation, Vec<Agent>) {
    let assistant = world.principal();
    let (_, root) = world.begin(store, &assistant).await;
    let access = world.exchange(store, &root, &assistant).await;
    let agents: Vec<Agent> = (0..size).map(|_| world.instance()).collect();
    let entries = agents.iter().map(|agent| store.record(world.later(&access, agent)));
    for recorded in futures_util::future::join_all(entries).await {
        assert!(matches!(recorded.unwrap(), Recorded::Done { .. }));
    }
    (root, agents)
}

async fn a_task_with_many_agents_ends_at_once_and_releases_them_in_batches(world: World) {
    const SIZE: usize = 200;
    let store = world.open().await;
    let assistant = world.principal();
    let (root, agents) = crowd(&world, &store, SIZE).await;
    let (_, other) = world.begin(&store, &assistant).await;
    let other = world.exchange(&store, &other, &assistant).await;
    let busy = agents.iter().max_by(|one, other| one.id.as_str().cmp(other.id.as_str())).unwrap();
    world.issued(&store, world.later(&other, busy)).await;

    assert_eq!(world.control(&store, end(root.task)).await, (SIZE as u64 + 2, true));

    assert_eq!(world.life(&store, &root).await, Err(TokenFault::TaskEnded));
    let unreleased = "state = 'active' AND lifetime = 'task'";
    let mut left = world.count("agent", unreleased).await;
    assert_eq!(left, SIZE as u64 - BATCH as u64, "one batch goes with the end");
    for agent in &agents {
        let expected = if agent == busy { AgentState::Active } else { AgentState::Retired };
        assert_eq!(state(&store, agent).await, expected, "it is shown as it will be");
    }
    // Each of those that wait is refused already.
    let recorded = futures_util::future::join_all(
        agents.iter().filter(|agent| *agent != busy).map(|agent| store.record(world.later(&other, agent))),
    );
    let why = Cause::actor(TokenFault::AgentEnded);
    for recorded in recorded.await {
        assert!(matches!(&recorded, Ok(Recorded::Refused(found)) if *found == why), "{recorded:?}");
    }

    assert!(world.control(&store, Control::Walk).await.1);
    drop(store);
    let store = world.reopen().await;
    left -= BATCH as u64;
    while world.control(&store, Control::Walk).await.1 {
        let now = world.count("agent", unreleased).await;
        assert!(left - now <= BATCH as u64, "{left} to {now} by one entry");
        left = now;
    }
    assert_eq!(left, 1, "the one that works in another task");
    assert_eq!(world.count("engagement", "ended_at IS NULL").await, 1);
    assert_eq!(world.count("task", "to_release").await, 0);
    world.control(&store, end(other.task)).await;
    assert_eq!(state(&store, busy).await, AgentState::Retired);
}
