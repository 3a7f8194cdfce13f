//! Stops: tokens, tasks, agents, users; and issues that race them.

use super::on_each_database;
use super::world::{World, end, revoke, token_of};
use crate::delegation::record::{Agent, AgentState, Delegation, EndReason};
use crate::oauth::{ActorOrSubject, Cause, Issuer, ScopeToken, TargetId, TaskId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Control, Recorded};

on_each_database! {
    revoking_a_token_ends_everything_below_it,
    revoking_a_task_token_ends_the_task,
    an_ended_task_retires_its_instances,
    an_instance_busy_elsewhere_is_not_retired,
    a_stop_of_something_unknown_is_not_found,
    an_issue_racing_a_revocation_leaves_no_live_child,
    a_suspended_agent_loses_its_tokens_and_can_be_resumed,
    a_suspended_sub_agent_takes_only_its_own_branch,
    a_banned_agent_is_final_and_cuts_its_logins_off,
    a_stopped_user_needs_a_new_login,
}

/// assistant: task token → access token → verifier's token; and a second access token beside.
pub(super) struct Tree {
    pub(super) assistant: Agent,
    pub(super) verifier: Agent,
    pub(super) root: Delegation,
    pub(super) access: Delegation,
    pub(super) onward: Delegation,
    pub(super) beside: Delegation,
}

pub(super) async fn tree(world: &World, store: &Store) -> Tree {
    let (assistant, verifier) = (world.principal(), world.instance());
    let (_, root) = world.begin(store, &assistant).await;
    let access = world.exchange(store, &root, &assistant).await;
    let onward = world.exchange(store, &access, &verifier).await;
    let beside = world.exchange(store, &root, &assistant).await;
    Tree { assistant, verifier, root, access, onward, beside }
}

async fn state(store: &Store, agent: &Agent) -> AgentState {
    store.find_agent(&agent.id).await.unwrap().unwrap().state
}

pub(super) async fn assert_seeds_nothing(world: &World, store: &Store, from: &Delegation, why: TokenFault) {
    let recorded = store.record(world.later(from, &world.instance())).await.unwrap();
    let refusal = Cause::subject(why);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == refusal), "{recorded:?}");
}

async fn revoking_a_token_ends_everything_below_it(world: World) {
    let store = world.open().await;
    let Tree { root, access, onward, beside, .. } = tree(&world, &store).await;

    assert_eq!(world.control(&store, revoke(&access)).await, (2, true));

    assert_eq!(world.life(&store, &access).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::Revoked));
    assert_eq!(world.life(&store, &beside).await, Ok(()));
    assert_eq!(world.life(&store, &root).await, Ok(()));
    assert_seeds_nothing(&world, &store, &access, TokenFault::Revoked).await;
    assert_seeds_nothing(&world, &store, &onward, TokenFault::Revoked).await;
    assert_eq!(world.control(&store, revoke(&access)).await, (0, false));
}

async fn revoking_a_task_token_ends_the_task(world: World) {
    let store = world.open().await;
    let (sign_in, root) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &root, &world.principal()).await;
    let again = world.hop_zero(&store, &sign_in, &world.principal()).await;
    let second = world.issued(&store, again).await;

    let control = Control::RevokeToken { jti: second.jti, why: EndReason::TaskDone };
    assert_eq!(world.control(&store, control.clone()).await, (3, true));

    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::TaskDone));
    for token in [&root, &access, &second] {
        assert_eq!(world.life(&store, token).await, Err(TokenFault::TaskEnded));
    }
    assert_seeds_nothing(&world, &store, &root, TokenFault::TaskEnded).await;
    let spent = world.hop_zero(&store, &sign_in, &world.principal()).await;
    let recorded = store.record(spent).await.unwrap();
    let why = Cause::subject(TokenFault::LoginSpent);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
    let (tickets, scope) = (TargetId::new("tickets"), ScopeToken::parse("age_over_18").unwrap());
    assert_eq!(store.find_answer(root.login, &tickets, &scope).await.unwrap(), None);
    assert_eq!(world.control(&store, control).await, (0, false));
    assert_eq!(world.control(&store, end(root.task)).await, (0, false));
}

async fn an_ended_task_retires_its_instances(world: World) {
    let store = world.open().await;
    let Tree { assistant, verifier, root, .. } = tree(&world, &store).await;

    assert_eq!(world.control(&store, end(root.task)).await, (4, true));

    assert_eq!(state(&store, &assistant).await, AgentState::Active);
    let retired = store.find_agent(&verifier.id).await.unwrap().unwrap();
    assert_eq!(retired.state, AgentState::Retired);
    assert_eq!(retired.ended.map(|ended| (ended.at, ended.why)), Some((world.now(), EndReason::Operator)));
    let (_, root) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &root, &assistant).await;
    let recorded = store.record(world.later(&access, &verifier)).await.unwrap();
    let why = Cause::actor(TokenFault::AgentEnded);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
}

async fn an_instance_busy_elsewhere_is_not_retired(world: World) {
    let store = world.open().await;
    let Tree { assistant, verifier, root, .. } = tree(&world, &store).await;
    let (_, other_root) = world.begin(&store, &assistant).await;
    let other_access = world.exchange(&store, &other_root, &assistant).await;
    world.exchange(&store, &other_access, &verifier).await;

    world.control(&store, end(root.task)).await;
    assert_eq!(state(&store, &verifier).await, AgentState::Active);

    world.control(&store, end(other_root.task)).await;
    assert_eq!(state(&store, &verifier).await, AgentState::Retired);
}

async fn a_stop_of_something_unknown_is_not_found(world: World) {
    let store = world.open().await;
    let never = token_of(&world.hop_zero(&store, &world.sign_in("ulla"), &world.principal()).await);
    let nobody = Control::StopSubject {
        issuer: Issuer::new("https://login.example"),
        upstream: "nobody".to_owned(),
        why: EndReason::KillSwitch,
    };
    let no_agent = Control::SetAgentState {
        agent: world.instance().id,
        state: AgentState::Banned,
        why: EndReason::KillSwitch,
    };

    for control in [revoke(&never), end(TaskId::new(world.id())), nobody, no_agent] {
        let recorded = world.try_control(&store, control).await;
        assert!(matches!(recorded, Recorded::NotFound), "{recorded:?}");
    }
}

async fn an_issue_racing_a_revocation_leaves_no_live_child(world: World) {
    let store = world.open().await;
    let second = match world.is_postgres() {
        true => world.open_as(&world.second_node()).await.unwrap(),
        false => store.clone(),
    };
    let assistant = world.principal();
    for round in 0..20 {
        let (_, root) = world.begin(&store, &assistant).await;
        let access = world.exchange(&store, &root, &assistant).await;
        let children: Vec<_> = (0..12).map(|_| world.later(&access, &world.instance())).collect();
        let tokens: Vec<_> = children.iter().map(token_of).collect();
        let stop = if round % 2 == 0 { revoke(&access) } else { end(root.task) };

        let issues =
            futures_util::future::join_all(children.into_iter().enumerate().map(|(number, child)| {
                let store = if number % 2 == 0 { &store } else { &second };
                store.record(child)
            }));
        let (_, answers) = tokio::join!(world.control(&second, stop), issues);

        for (answer, token) in answers.into_iter().zip(tokens) {
            match answer.unwrap() {
                Recorded::Done { .. } => {
                    assert!(world.life(&store, &token).await.is_err(), "a live child of a dead token");
                }
                Recorded::Refused(Cause::Token(
                    ActorOrSubject::Subject,
                    TokenFault::Revoked | TokenFault::TaskEnded,
                )) => {
                    assert!(store.find_lineage(token.jti).await.unwrap().is_none())
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn a_suspended_agent_loses_its_tokens_and_can_be_resumed(world: World) {
    let store = world.open().await;
    let Tree { assistant, root, onward, .. } = tree(&world, &store).await;
    let change = |state, why| Control::SetAgentState { agent: assistant.id.clone(), state, why };

    let suspend = change(AgentState::Suspended, EndReason::Suspended);
    assert_eq!(world.control(&store, suspend.clone()).await, (4, true));
    assert_eq!(world.control(&store, suspend).await, (0, false));
    assert!(world.life(&store, &onward).await.is_err());
    let refused = world.hop_zero(&store, &world.sign_in("ulla"), &assistant).await;
    let recorded = store.record(refused).await.unwrap();
    let why = Cause::actor(TokenFault::AgentEnded);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");

    let resume = change(AgentState::Active, EndReason::Operator);
    assert_eq!(world.control(&store, resume).await, (0, true));
    assert!(world.life(&store, &root).await.is_err());
    let (_, fresh) = world.begin(&store, &assistant).await;
    assert_eq!(world.life(&store, &fresh).await, Ok(()));
}

async fn a_suspended_sub_agent_takes_only_its_own_branch(world: World) {
    let store = world.open().await;
    let Tree { verifier, access, onward, beside, .. } = tree(&world, &store).await;
    let below = world.exchange(&store, &onward, &world.instance()).await;
    let change = |state, why| Control::SetAgentState { agent: verifier.id.clone(), state, why };

    let suspend = change(AgentState::Suspended, EndReason::Suspended);
    assert_eq!(world.control(&store, suspend).await, (2, true));

    assert!(world.life(&store, &onward).await.is_err());
    assert!(world.life(&store, &below).await.is_err());
    assert_eq!(world.life(&store, &access).await, Ok(()));
    assert_eq!(world.life(&store, &beside).await, Ok(()));
    world.control(&store, change(AgentState::Active, EndReason::Operator)).await;
    let again = world.exchange(&store, &access, &verifier).await;
    assert_eq!(world.life(&store, &again).await, Ok(()));
    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::Revoked));
    // Engaged again, it retires with the task.
    world.control(&store, end(access.task)).await;
    assert_eq!(state(&store, &verifier).await, AgentState::Retired);
}

async fn a_banned_agent_is_final_and_cuts_its_logins_off(world: World) {
    let store = world.open().await;
    let Tree { assistant, .. } = tree(&world, &store).await;
    let change =
        |state| Control::SetAgentState { agent: assistant.id.clone(), state, why: EndReason::KillSwitch };

    assert_eq!(world.control(&store, change(AgentState::Banned)).await, (4, true));

    let banned = store.find_agent(&assistant.id).await.unwrap().unwrap();
    assert_eq!((banned.state, banned.cutoff), (AgentState::Banned, Some(world.now())));
    assert_eq!(banned.ended.map(|ended| ended.why), Some(EndReason::KillSwitch));
    assert_eq!(world.control(&store, change(AgentState::Active)).await, (0, false));
    assert_eq!(state(&store, &assistant).await, AgentState::Banned);
}

async fn a_stopped_user_needs_a_new_login(world: World) {
    let store = world.open().await;
    let Tree { assistant, root, .. } = tree(&world, &store).await;
    let (_, other_user) = {
        let sign_in = world.sign_in("someone-else");
        let entry = world.hop_zero(&store, &sign_in, &assistant).await;
        (sign_in, world.issued(&store, entry).await)
    };
    let stop = Control::StopSubject {
        issuer: Issuer::new("https://login.example"),
        upstream: "ulla".to_owned(),
        why: EndReason::KillSwitch,
    };

    assert_eq!(world.control(&store, stop.clone()).await, (4, true));
    assert_eq!(world.control(&store, stop).await, (0, false));

    assert_eq!(world.life(&store, &root).await, Err(TokenFault::TaskEnded));
    assert_eq!(world.life(&store, &other_user).await, Ok(()));
    let before = world.hop_zero(&store, &world.sign_in("ulla"), &assistant).await;
    let recorded = store.record(before).await.unwrap();
    let why = Cause::subject(TokenFault::SubjectCutOff);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
    world.advance(120);
    world.begin(&store, &assistant).await;
}
