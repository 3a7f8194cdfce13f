//! How many tasks and agents are on record as live.

use super::on_each_database;
use super::world::{World, end};
use crate::store::Store;

on_each_database! {
    live_tasks_and_agents_are_counted_until_they_end,
}

/// The tasks, and the agents of the workload issuer and of clients.
async fn counted(store: &Store) -> (u64, u64, u64) {
    let agents = store.count_live_agents().await.unwrap();
    let of = |is_workload: bool| {
        agents.iter().filter(|found| found.issuer.is_some() == is_workload).map(|found| found.count).sum()
    };
    (store.live_tasks().await.unwrap(), of(true), of(false))
}

async fn live_tasks_and_agents_are_counted_until_they_end(world: World) {
    let store = world.open().await;
    assert_eq!(counted(&store).await, (0, 0, 0));
    let first = world.instance();
    let second = world.instance();
    let (_, root) = world.begin(&store, &first).await;
    world.begin(&store, &second).await;
    assert_eq!(counted(&store).await, (2, 2, 0));
    let classes = store.count_live_agents().await.unwrap();
    assert_eq!(classes.len(), 1, "agents of one class are one row: {classes:?}");
    assert_eq!((classes[0].class.as_str(), classes[0].count), (first.class.as_str(), 2));

    world.control(&store, end(root.task)).await;

    assert_eq!(counted(&store).await, (1, 1, 0), "the agent of a task ends with its last task");
}
