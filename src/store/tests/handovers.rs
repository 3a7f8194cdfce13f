//! Handovers: who accepts one, and what ends with it.

use super::on_each_database;
use super::stops::state;
use super::world::{START, World, revoke, token_of};
use crate::base::time::Lifetime;
use crate::decision::{Ends, Revocation};
use crate::delegation::record::{Agent, AgentState, Delegation, Handover, TokenKind};
use crate::oauth::{AgentId, Cause, Jkt, Recipient, Scope, TargetId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Control, Entry, Recorded};

on_each_database! {
    a_handover_is_read_back_as_it_was_given,
    the_first_agent_that_accepts_is_the_only_one_and_may_do_so_again,
    of_many_acceptors_in_one_group_one_wins,
    a_handover_that_nobody_accepted_in_time_is_over,
    what_revokes_a_handover_or_what_is_above_kills_what_came_of_it,
    an_agent_that_was_brought_in_leaves_and_the_task_goes_on,
    an_agent_with_another_engagement_stays,
}

/// What an agent hands over to a class of agents.
fn handing(world: &World, from: &Delegation, giver: &Agent) -> Entry {
    world.changed(&world.later(from, giver), |terms, _| {
        let handover = Handover {
            recipient: Recipient::Class("verifier".to_owned()),
            key: Some(Jkt::new([4; 32])),
            accept_until: world.now().plus(Lifetime::from_seconds(300)),
            accepted_by: None,
        };
        terms.proposal.kind = TokenKind::Handover(Box::new(handover));
        terms.proposal.target = TargetId::new("https://deputy.example");
        terms.proposal.expires_at = from.expires_at;
    })
}

/// A task token for the agent that accepts.
pub(super) fn accepting(world: &World, handover: &Delegation, actor: &Agent) -> Entry {
    world.changed(&world.later(handover, actor), |terms, _| {
        terms.proposal.kind = TokenKind::Task;
        terms.proposal.target = TargetId::new("https://deputy.example");
        terms.proposal.expires_at = handover.expires_at;
    })
}

/// A task, and what its agent hands over of it.
pub(super) async fn given(world: &World, store: &Store, giver: &Agent) -> (Delegation, Delegation) {
    let (_, root) = world.begin(store, giver).await;
    let handover = world.issued(store, handing(world, &root, giver)).await;
    (root, handover)
}

#[track_caller]
fn assert_refused(recorded: &Recorded, why: TokenFault) {
    assert!(matches!(recorded, Recorded::Refused(cause) if *cause == Cause::subject(why)), "{recorded:?}");
}

async fn accepted_by(world: &World, store: &Store, handover: &Delegation) -> Option<AgentId> {
    let lineage = world.lineage(store, handover).await;
    lineage.delegation.kind.handover().expect("a handover").accepted_by.clone()
}

async fn a_handover_is_read_back_as_it_was_given(world: World) {
    let store = world.open().await;
    let (_, handover) = given(&world, &store, &world.principal()).await;
    let read = world.lineage(&store, &handover).await.delegation;
    assert_eq!(read.kind, handover.kind);
    assert_eq!(read.scope, Scope::parse("tickets:search").unwrap());
    assert_eq!(world.life(&store, &handover).await, Ok(()));
}

async fn the_first_agent_that_accepts_is_the_only_one_and_may_do_so_again(world: World) {
    let store = world.open().await;
    let (_, handover) = given(&world, &store, &world.principal()).await;
    let (first, second) = (world.instance(), world.instance());
    let token = world.issued(&store, accepting(&world, &handover, &first)).await;
    assert_eq!(accepted_by(&world, &store, &handover).await, Some(first.id.clone()));
    assert_eq!(world.life(&store, &token).await, Ok(()));
    assert_refused(
        &store.record(accepting(&world, &handover, &second)).await.unwrap(),
        TokenFault::HandedToAnother,
    );
    assert!(store.find_agent(&second.id).await.unwrap().is_none(), "nothing else was written");
    // Long after it had to be accepted first, it may do so again.
    world.advance(400).await;
    world.issued(&store, accepting(&world, &handover, &first)).await;
    assert_eq!(accepted_by(&world, &store, &handover).await, Some(first.id));
}

async fn of_many_acceptors_in_one_group_one_wins(world: World) {
    let store = world.open().await;
    let (_, handover) = given(&world, &store, &world.principal()).await;
    let agents: Vec<Agent> = (0..8).map(|_| world.instance()).collect();
    // Announced, so that the writer waits for all of them.
    let announced: Vec<_> = agents.iter().map(|_| store.announce()).collect();
    let entries = agents.iter().map(|agent| store.record(accepting(&world, &handover, agent)));
    let answers = futures_util::future::join_all(entries).await;
    drop(announced);
    let accepted = accepted_by(&world, &store, &handover).await;
    for (agent, answer) in agents.iter().zip(answers) {
        match answer.unwrap() {
            Recorded::Done { .. } => assert_eq!(accepted.as_ref(), Some(&agent.id)),
            refused => assert_refused(&refused, TokenFault::HandedToAnother),
        }
    }
}

async fn a_handover_that_nobody_accepted_in_time_is_over(world: World) {
    let store = world.open().await;
    let (_, handover) = given(&world, &store, &world.principal()).await;
    let entry = accepting(&world, &handover, &world.instance());
    world.advance(299).await;
    assert_eq!(world.life(&store, &handover).await, Ok(()));
    world.advance(1).await;
    assert_eq!(world.life(&store, &handover).await, Err(TokenFault::HandoverExpired));
    let late = Entry { now: START.plus(Lifetime::from_seconds(300)), ..entry };
    assert_refused(&store.record(late).await.unwrap(), TokenFault::HandoverExpired);
}

async fn what_revokes_a_handover_or_what_is_above_kills_what_came_of_it(world: World) {
    let store = world.open().await;
    for revokes_handover in [true, false] {
        let assistant = world.principal();
        let (root, handover) = given(&world, &store, &assistant).await;
        let verifier = world.instance();
        let task_token = world.issued(&store, accepting(&world, &handover, &verifier)).await;
        let access = world.exchange(&store, &task_token, &verifier).await;
        let (died, ends) = match revokes_handover {
            true => (3, Revocation { jti: handover.jti, ends: Ends::Engagement(verifier.id.clone()) }),
            false => (4, Revocation { jti: root.jti, ends: Ends::Task }),
        };
        assert_eq!(world.control(&store, Control::RevokeToken(ends)).await, (died, true));
        let why = if revokes_handover { TokenFault::Revoked } else { TokenFault::TaskEnded };
        for token in [&handover, &task_token, &access] {
            assert_eq!(world.life(&store, token).await, Err(why));
        }
        assert_eq!(state(&store, &verifier).await, AgentState::Retired);
        let root_lives = world.life(&store, &root).await.is_ok();
        assert_eq!(root_lives, revokes_handover);
    }
}

async fn an_agent_that_was_brought_in_leaves_and_the_task_goes_on(world: World) {
    let store = world.open().await;
    let (root, handover) = given(&world, &store, &world.principal()).await;
    let verifier = world.instance();
    let task_token = world.issued(&store, accepting(&world, &handover, &verifier)).await;
    let access = world.exchange(&store, &task_token, &verifier).await;
    let leaving = Revocation { jti: task_token.jti, ends: Ends::Engagement(verifier.id.clone()) };
    assert_eq!(world.control(&store, Control::RevokeToken(leaving.clone())).await, (2, true));
    assert_eq!(world.life(&store, &access).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &root).await, Ok(()));
    assert_eq!(state(&store, &verifier).await, AgentState::Retired);
    assert_eq!(world.control(&store, Control::RevokeToken(leaving)).await, (0, false), "a second time");
}

async fn an_agent_with_another_engagement_stays(world: World) {
    let store = world.open().await;
    let verifier = world.instance();
    let (_, one) = given(&world, &store, &world.principal()).await;
    let (_, other) = given(&world, &store, &world.principal()).await;
    let first = world.issued(&store, accepting(&world, &one, &verifier)).await;
    let second = world.issued(&store, accepting(&world, &other, &verifier)).await;
    let leaving = Revocation { jti: first.jti, ends: Ends::Engagement(verifier.id.clone()) };
    assert_eq!(world.control(&store, Control::RevokeToken(leaving)).await, (1, true));
    assert_eq!(state(&store, &verifier).await, AgentState::Active);
    assert_eq!(world.life(&store, &second).await, Ok(()));
    assert_eq!(world.control(&store, revoke(&second)).await, (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_acceptors_on_two_nodes_one_wins() {
    let Some(world) = World::postgres().await else { return };
    let (one, other) = (world.open().await, world.open_as(&world.second_node()).await.unwrap());
    let assistant = world.principal();
    let (_, root) = world.begin(&one, &assistant).await;
    for _ in 0..20 {
        let handover = world.issued(&one, handing(&world, &root, &assistant)).await;
        let agents = [world.instance(), world.instance()];
        let entries = [&agents[0], &agents[1]].map(|agent| accepting(&world, &handover, agent));
        let tokens = [token_of(&entries[0]), token_of(&entries[1])];
        let [first, second] = entries;
        let (first, second) = tokio::join!(one.record(first), other.record(second));
        let answers = [first.unwrap(), second.unwrap()];
        let winner = usize::from(!matches!(answers[0], Recorded::Done { .. }));
        assert!(matches!(answers[winner], Recorded::Done { .. }), "{answers:?}");
        assert_refused(&answers[1 - winner], TokenFault::HandedToAnother);
        // Both nodes agree on which was first.
        for store in [&one, &other] {
            assert_eq!(accepted_by(&world, store, &handover).await, Some(agents[winner].id.clone()));
            assert_eq!(world.life(store, &tokens[winner]).await, Ok(()));
            assert!(store.find_lineage(tokens[1 - winner].jti).await.unwrap().is_none());
        }
    }
}
