//! Parties that leave the configuration.

use super::on_each_database;
use super::stops::{Tree, tree};
use super::world::World;
use crate::delegation::record::EndReason;
use crate::oauth::{ClientId, Issuer, TargetId, TokenFault};
use crate::store::Store;
use crate::store::entry::Control;

on_each_database! {
    a_removed_client_takes_its_tokens_along,
    a_removed_target_takes_its_tokens_along,
    a_removed_provider_takes_its_tasks_along,
    a_removed_workload_issuer_takes_its_agents_tokens_along,
    what_was_given_while_a_client_left_is_revoked_when_the_last_request_is_done,
}

pub(super) fn parties() -> [Vec<&'static str>; 4] {
    [
        vec!["assistant", "age-agent"],
        vec!["tickets"],
        vec!["https://login.example"],
        vec!["https://cluster.example"],
    ]
}

pub(super) fn reconcile(configured: &[Vec<&'static str>; 4]) -> Control {
    reconcile_with(false, configured)
}

fn reconcile_with(
    keeps_those_that_left: bool,
    [clients, targets, providers, issuers]: &[Vec<&'static str>; 4],
) -> Control {
    Control::Reconcile {
        keeps_those_that_left,
        clients: clients.iter().map(|id| ClientId::new(*id)).collect(),
        targets: targets.iter().map(|id| TargetId::new(*id)).collect(),
        providers: providers.iter().map(|id| Issuer::new(*id)).collect(),
        workload_issuers: issuers.iter().map(|id| Issuer::new(*id)).collect(),
    }
}

/// Takes one party out; how many tokens died. Once more changes nothing.
async fn remove(world: &World, store: &Store, kind: usize, id: &str) -> u64 {
    let mut configured = parties();
    assert_eq!(world.control(store, reconcile(&configured)).await, (0, true));
    assert_eq!(world.control(store, reconcile(&configured)).await, (0, false));
    configured[kind].retain(|known| *known != id);
    let (died, is_changed) = world.control(store, reconcile(&configured)).await;
    assert!(is_changed);
    assert_eq!(world.control(store, reconcile(&configured)).await, (0, false));
    died
}

async fn a_removed_client_takes_its_tokens_along(world: World) {
    let store = world.open().await;
    let Tree { access, onward, .. } = tree(&world, &store).await;
    let below = world.exchange(&store, &onward, &world.principal_of("third")).await;

    assert_eq!(remove(&world, &store, 0, "age-agent").await, 2);

    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &below).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &access).await, Ok(()));
}

async fn a_removed_target_takes_its_tokens_along(world: World) {
    let store = world.open().await;
    let Tree { root, access, .. } = tree(&world, &store).await;

    assert_eq!(remove(&world, &store, 1, "tickets").await, 3);

    assert_eq!(world.life(&store, &access).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &root).await, Ok(()));
}

async fn a_removed_provider_takes_its_tasks_along(world: World) {
    let store = world.open().await;
    let Tree { root, .. } = tree(&world, &store).await;

    assert_eq!(remove(&world, &store, 2, "https://login.example").await, 4);

    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::PartyRemoved));
}

async fn a_removed_workload_issuer_takes_its_agents_tokens_along(world: World) {
    let store = world.open().await;
    let Tree { access, onward, .. } = tree(&world, &store).await;

    assert_eq!(remove(&world, &store, 3, "https://cluster.example").await, 1);

    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &access).await, Ok(()));
}

async fn what_was_given_while_a_client_left_is_revoked_when_the_last_request_is_done(world: World) {
    let store = world.open().await;
    let Tree { access, .. } = tree(&world, &store).await;
    let mut configured = parties();
    world.control(&store, reconcile(&configured)).await;
    configured[0].retain(|known| *known != "age-agent");

    let (died, _) = world.control(&store, reconcile_with(true, &configured)).await;
    let late = world.exchange(&store, &access, &world.instance()).await;
    assert_eq!((died, world.life(&store, &late).await), (1, Ok(())));

    assert_eq!(world.control(&store, reconcile(&configured)).await, (1, true));
    assert_eq!(world.life(&store, &late).await, Err(TokenFault::Revoked));
    assert_eq!(world.control(&store, reconcile(&configured)).await, (0, false));
}
