//! Two processes on one PostgreSQL.

use super::parties::{parties, take_effect};
use super::stops::{Tree, assert_seeds_nothing, tree};
use super::world::{MAX_PER_LOGIN, World, revoke};
use crate::oauth::TokenFault;
use crate::store::entry::Recorded;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_revokes_is_dead_on_the_other_at_once() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let Tree { access, onward, beside, .. } = tree(&world, &one).await;
    assert_eq!(world.life(&other, &onward).await, Ok(()));

    assert_eq!(world.control(&one, revoke(&access)).await, (2, true));

    assert_eq!(world.life(&other, &onward).await, Err(TokenFault::Revoked));
    assert_seeds_nothing(&world, &other, &access, TokenFault::Revoked).await;
    assert_eq!(world.life(&other, &beside).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_is_spent_once_across_nodes() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let Tree { assistant, root, .. } = tree(&world, &one).await;
    for _ in 0..20 {
        let used = world.assertion();
        let entries = [(); 2].map(|()| {
            let mut entry = world.later(&root, &assistant);
            entry.one_time = vec![used.clone()];
            entry
        });

        let [first, second] = entries;
        let (first, second) = tokio::join!(one.record(first), other.record(second));

        let answers = [first.unwrap(), second.unwrap()];
        let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
        let replayed = answers.iter().filter(|answer| matches!(answer, Recorded::Replayed(_))).count();
        assert_eq!((done, replayed), (1, 1), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_begun_on_both_nodes_at_once_is_one() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let assistant = world.principal();
    for round in 1..=20 {
        let sign_in = world.sign_in("ulla");
        let first = world.hop_zero(&one, &sign_in, &assistant).await;
        let second = world.hop_zero(&other, &sign_in, &assistant).await;

        let (first, second) = tokio::join!(one.record(first), other.record(second));

        let answers = [first.unwrap(), second.unwrap()];
        let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
        let changed = answers.iter().filter(|answer| matches!(answer, Recorded::Changed)).count();
        assert_eq!((done, changed), (1, 1), "{answers:?}");
        assert_eq!(one.list_tasks(None, None, 100).await.unwrap().len(), round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_nodes_at_once_begin_no_more_tasks_than_a_login_may() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    for _ in 0..10 {
        let sign_in = world.sign_in("ulla");
        for _ in 1..MAX_PER_LOGIN {
            let entry = world.hop_zero(&one, &sign_in, &world.instance()).await;
            assert!(matches!(one.record(entry).await.unwrap(), Recorded::Done { .. }));
        }
        // Each would be the last one, by another agent.
        let first = world.hop_zero(&one, &sign_in, &world.instance()).await;
        let second = world.hop_zero(&other, &sign_in, &world.instance()).await;

        let (first, second) = tokio::join!(one.record(first), other.record(second));

        let answers = [first.unwrap(), second.unwrap()];
        let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
        assert_eq!(done, 1, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_configuration_on_a_second_node_changes_nothing() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let configured = parties();

    let (first, second) = tokio::join!(
        world.control(&one, take_effect(0, &configured)),
        world.control(&other, take_effect(0, &configured))
    );

    assert!(first.1 ^ second.1, "one of them was the first: {first:?} {second:?}");
}
