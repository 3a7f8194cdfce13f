//! Tasks and tokens that no user is behind.

use super::on_each_database;
use super::world::{World, end, kill, revoke, token_of};
use crate::delegation::alone::KnownToken;
use crate::delegation::record::{AgentState, Behind, Delegation, Delegator, EndReason};
use crate::delegation::stops::Stoppable;
use crate::oauth::TokenFault;
use crate::store::Store;
use crate::store::entry::{Control, Recorded};

on_each_database! {
    a_task_of_an_agents_own_is_found_again_as_it_was,
    a_token_about_an_agent_is_alone_and_is_found_again,
    every_stop_that_names_an_agent_ends_what_it_got_alone,
    a_task_without_a_user_ends_as_others_do,
    an_agent_that_ended_begins_nothing_alone,
}

/// Whether a token about an agent lives.
async fn life(world: &World, store: &Store, token: &Delegation) -> Result<(), TokenFault> {
    match store.find_token(token.jti).await.unwrap().unwrap() {
        KnownToken::Alone(found) => found.live(world.now()),
        KnownToken::InTask(lineage) => panic!("{lineage:?}"),
    }
}

async fn a_task_of_an_agents_own_is_found_again_as_it_was(world: World) {
    let store = world.open().await;
    let (job, helper) = (world.instance(), world.principal());
    let root = world.issued(&store, world.alone(&job, true)).await;

    let access = world.exchange(&store, &root, &job).await;
    let onward = world.exchange(&store, &access, &helper).await;

    let lineage = world.lineage(&store, &onward).await;
    assert_eq!(lineage.delegation, onward);
    assert_eq!(lineage.ancestors, [root.clone(), access.clone()]);
    assert_eq!((&lineage.behind, lineage.task.delegator), (&Behind::Agent(job.id.clone()), Delegator::Agent));
    // The agent whose task it is comes last, behind those that act for it.
    let agents: Vec<_> = lineage.agents.iter().map(|agent| &agent.id).collect();
    assert_eq!(agents, [&helper.id, &job.id]);
    for token in [&root, &access, &onward] {
        assert_eq!(world.life(&store, token).await, Ok(()));
    }
    let around = store.find_surroundings(&[lineage.task], &[]).await.unwrap();
    assert_eq!((around.subjects.len(), around.agents.len()), (0, 1));
}

async fn a_token_about_an_agent_is_alone_and_is_found_again(world: World) {
    let store = world.open().await;
    let job = world.instance();
    let token = world.issued(&store, world.alone(&job, false)).await;
    let other = world.issued(&store, world.alone(&job, false)).await;

    let Some(KnownToken::Alone(found)) = store.find_token(token.jti).await.unwrap() else {
        panic!("it is alone")
    };
    assert_eq!((&found.delegation, found.agent.map(|agent| agent.id)), (&token, Some(job.id.clone())));
    assert!(store.find_lineage(token.jti).await.unwrap().is_none(), "it is no token of a task");
    assert_eq!(store.list_tasks(None, Some(&job.id), 10).await.unwrap(), []);
    let changed = match store.record(world.alone(&job, false)).await.unwrap() {
        Recorded::Done { changed, .. } => changed,
        other => panic!("{other:?}"),
    };
    assert!(changed);
    // Nothing comes of it, and a revocation ends it alone.
    let child = store.record(world.later(&token, &job)).await.unwrap();
    assert!(matches!(child, Recorded::Refused(_)), "{child:?}");
    world.control(&store, revoke(&token)).await;
    assert_eq!(life(&world, &store, &token).await, Err(TokenFault::Revoked));
    assert_eq!(life(&world, &store, &other).await, Ok(()));
}

async fn every_stop_that_names_an_agent_ends_what_it_got_alone(world: World) {
    let store = world.open().await;
    for number in 0..6 {
        let job = world.instance();
        let issuer = crate::oauth::Issuer::new("https://cluster.example");
        let stop = match number {
            0 => kill(Stoppable::Agent(job.id.clone())),
            1 => kill(Stoppable::Class(job.class.clone())),
            2 => kill(Stoppable::Client(job.client.clone())),
            3 => kill(Stoppable::Issuer(issuer)),
            4 => kill(Stoppable::Workload(issuer, "verifiers".to_owned())),
            _ => Control::ResetClock,
        };
        let token = world.issued(&store, world.alone(&job, false)).await;
        let root = world.issued(&store, world.alone(&job, true)).await;
        world.control(&store, stop.clone()).await;
        assert!(life(&world, &store, &token).await.is_err(), "{stop:?}");
        assert!(world.life(&store, &root).await.is_err(), "{stop:?}");
        if let Control::Stop { what, .. } = stop {
            world.try_control(&store, Control::Lift { what }).await;
        }
        assert!(life(&world, &store, &token).await.is_err(), "nothing comes back");
    }
}

async fn a_task_without_a_user_ends_as_others_do(world: World) {
    let store = world.open().await;
    let job = world.instance();
    let root = world.issued(&store, world.alone(&job, true)).await;
    let access = world.exchange(&store, &root, &job).await;
    world.control(&store, end(root.task)).await;
    assert_eq!(world.life(&store, &access).await, Err(TokenFault::TaskEnded));
    let agent = store.find_agent(&job.id).await.unwrap().unwrap();
    assert_eq!(agent.state, AgentState::Retired, "it was made for this task");

    // A killed agent's tasks end in the background, each with its row; so do those of a stopped client.
    for of_client in [false, true] {
        let job = world.instance();
        let root = world.issued(&store, world.alone(&job, true)).await;
        let party = match of_client {
            false => Stoppable::Agent(job.id.clone()),
            true => Stoppable::Client(job.client.clone()),
        };
        world.control(&store, kill(party)).await;
        while world.control(&store, Control::Walk).await.1 {}
        let ended = store.find_task(root.task).await.unwrap().unwrap().ended.map(|ended| ended.why);
        assert_eq!(ended, Some(EndReason::KillSwitch), "of a client: {of_client}");
    }
}

async fn an_agent_that_ended_begins_nothing_alone(world: World) {
    let store = world.open().await;
    let job = world.instance();
    let before = world.alone(&job, true);
    assert!(token_of(&before).chain.is_empty());
    world.issued(&store, world.alone(&job, false)).await;
    world.control(&store, kill(Stoppable::Agent(job.id.clone()))).await;
    for entry in [before, world.alone(&job, false)] {
        let refused = store.record(entry).await.unwrap();
        assert!(matches!(refused, Recorded::Refused(_)), "{refused:?}");
    }
}
