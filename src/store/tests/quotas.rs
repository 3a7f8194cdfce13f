//! How many agents there may be of a workload issuer and of a class.

use super::on_each_database;
use super::world::{World, token_of};
use crate::delegation::quota::AgentQuotas;
use crate::delegation::record::{Agent, AgentState, Delegation, EndReason};
use crate::oauth::{Cause, Issuer};
use crate::registry::Quotas;
use crate::store::entry::{Control, Entry, Recorded};
use crate::store::{AuditFilter, Store};

on_each_database! {
    a_new_agent_beyond_the_quota_of_a_minute_is_refused_and_leaves_nothing_but_its_row,
    of_many_new_agents_in_one_group_as_many_as_the_quota_win,
    agents_that_live_are_counted_in_the_database,
}

const fn quotas(new_per_minute: Option<u32>, live: Option<u32>) -> Quotas {
    Quotas { new_per_minute, live }
}

/// A token from `root` by an agent whose issuer has these quotas.
fn entry(world: &World, root: &Delegation, actor: &Agent, of_issuer: Quotas) -> Entry {
    let quotas = AgentQuotas {
        issuer: Issuer::new("https://cluster.example"),
        of_issuer,
        class: actor.class.clone(),
        of_class: Quotas::default(),
    };
    world.changed(&world.later(root, actor), |terms, _| terms.quotas = Some(quotas))
}

async fn recorded(
    world: &World,
    store: &Store,
    root: &Delegation,
    actor: &Agent,
    quotas: Quotas,
) -> Recorded {
    store.record(entry(world, root, actor, quotas)).await.unwrap()
}

#[track_caller]
fn assert_done(recorded: &Recorded) {
    assert!(matches!(recorded, Recorded::Done { changed: true, .. }), "{recorded:?}");
}

#[track_caller]
fn assert_refused(recorded: &Recorded, seconds: i64) {
    match recorded {
        Recorded::Refused(Cause::AgentQuota { retry_after }) => assert_eq!(*retry_after, seconds),
        other => panic!("{other:?}"),
    }
}

async fn a_new_agent_beyond_the_quota_of_a_minute_is_refused_and_leaves_nothing_but_its_row(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let two = quotas(Some(2), None);
    let (first, second, third) = (world.instance(), world.instance(), world.instance());
    assert_done(&recorded(&world, &store, &root, &first, two).await);
    assert_done(&recorded(&world, &store, &root, &second, two).await);
    let refused = entry(&world, &root, &third, two);
    let token = token_of(&refused);
    assert_refused(&store.record(refused).await.unwrap(), 60);
    assert!(store.find_lineage(token.jti).await.unwrap().is_none());
    assert!(store.find_agent(&third.id).await.unwrap().is_none());
    let newest = AuditFilter { newest: Some(1), ..AuditFilter::default() };
    let row = store.list_audit(&newest).await.unwrap().pop().unwrap();
    assert_eq!((row.outcome.word(), row.cause()), ("refused", Some("agent_quota")));

    assert_done(&recorded(&world, &store, &root, &first, two).await);
    world.advance(60).await;
    assert_done(&recorded(&world, &store, &root, &third, two).await);
}

async fn of_many_new_agents_in_one_group_as_many_as_the_quota_win(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let agents: Vec<Agent> = (0..8).map(|_| world.instance()).collect();
    // Announced, so that the writer waits for all of them.
    let announced: Vec<_> = agents.iter().map(|_| store.announce()).collect();
    let entries = agents.iter().map(|agent| store.record(entry(&world, &root, agent, quotas(Some(3), None))));
    let answers = futures_util::future::join_all(entries).await;
    drop(announced);
    let done = answers.iter().filter(|answer| matches!(answer, Ok(Recorded::Done { .. }))).count();
    assert_eq!(done, 3, "{answers:?}");
}

async fn agents_that_live_are_counted_in_the_database(world: World) {
    let store = world.open().await;
    let (_, root) = world.begin(&store, &world.principal()).await;
    let two = quotas(None, Some(2));
    let (first, second) = (world.instance(), world.instance());
    // Created where nothing was counted, as by another node.
    assert_done(&recorded(&world, &store, &root, &first, Quotas::default()).await);
    store.count_live_agents().await.unwrap();
    world.advance(1).await;
    assert_done(&recorded(&world, &store, &root, &second, two).await);
    assert_refused(&recorded(&world, &store, &root, &world.instance(), two).await, 15);

    let (agent, why) = (first.id.clone(), EndReason::Operator);
    world.control(&store, Control::SetAgentState { agent, state: AgentState::Retired, why }).await;
    assert_refused(&recorded(&world, &store, &root, &world.instance(), two).await, 15);
    world.advance(1).await;
    store.count_live_agents().await.unwrap();
    assert_done(&recorded(&world, &store, &root, &world.instance(), two).await);
}
