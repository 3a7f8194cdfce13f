//! Ends and stops: tokens, tasks, agents, users; and issues that race them.

use super::on_each_database;
use super::world::{World, end, kill, revoke, token_of, user};
use crate::base::time::FOREIGN_LEEWAY;
use crate::decision::{Ends, Revocation};
use crate::delegation::record::{Agent, AgentState, Delegation, EndReason};
use crate::delegation::stops::Stoppable;
use crate::oauth::{AgentId, Cause, PresentedAs, ScopeToken, TargetId, TaskId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Control, Impossible, Recorded, Whom};

on_each_database! {
    revoking_a_token_ends_everything_below_it,
    revoking_a_task_token_ends_the_task,
    an_ended_task_retires_its_instances,
    an_instance_busy_elsewhere_is_not_retired,
    a_stop_of_something_unknown_is_not_found,
    an_issue_racing_a_revocation_leaves_no_live_child,
    a_suspended_agent_loses_its_tokens_and_keeps_its_tasks,
    a_suspended_sub_agent_takes_only_its_own_branch,
    a_banned_agent_is_final,
    an_agent_never_met_can_be_banned,
    a_retired_agent_ends_the_tasks_that_it_began,
    a_stopped_user_needs_a_new_login,
    a_user_never_met_can_be_stopped,
    a_control_that_changes_nothing_says_so,
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

pub(super) async fn state(store: &Store, agent: &Agent) -> AgentState {
    store.find_agent(&agent.id).await.unwrap().unwrap().state
}

pub(super) async fn assert_seeds_nothing(world: &World, store: &Store, from: &Delegation, why: TokenFault) {
    let recorded = store.record(world.later(from, &world.instance())).await.unwrap();
    let refusal = Cause::subject(why);
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == refusal), "{recorded:?}");
}

/// A first hop that is refused for this cause.
pub(super) async fn assert_begins_nothing(
    world: &World,
    store: &Store,
    upstream: &str,
    actor: &Agent,
    why: Cause,
) {
    let entry = world.hop_zero(store, &world.sign_in(upstream), actor).await;
    let recorded = store.record(entry).await.unwrap();
    assert!(matches!(&recorded, Recorded::Refused(found) if *found == why), "{recorded:?}");
}

/// Ends the tasks of all stops on record.
pub(super) async fn walk(world: &World, store: &Store) {
    while world.control(store, Control::Walk).await.1 {}
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

    let control = Control::RevokeToken(Revocation { jti: second.jti, ends: Ends::Task });
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
    assert_eq!(store.find_answer(root.behalf.login().unwrap(), &tickets, &scope).await.unwrap(), None);
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
    let no_agent = Control::SetAgentState {
        agent: world.instance().id,
        state: AgentState::Suspended,
        why: EndReason::Suspended,
    };

    for control in [revoke(&never), end(TaskId::new(world.id())), no_agent] {
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
                    PresentedAs::Subject,
                    TokenFault::Revoked | TokenFault::TaskEnded,
                )) => {
                    assert!(store.find_lineage(token.jti).await.unwrap().is_none())
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn a_suspended_agent_loses_its_tokens_and_keeps_its_tasks(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let (sign_in, root) = world.begin(&store, &assistant).await;
    let access = world.exchange(&store, &root, &assistant).await;
    let onward = world.exchange(&store, &access, &world.instance()).await;
    let change = |state, why| Control::SetAgentState { agent: assistant.id.clone(), state, why };

    let suspend = change(AgentState::Suspended, EndReason::Suspended);
    assert!(world.control(&store, suspend.clone()).await.1);
    assert!(!world.control(&store, suspend).await.1);
    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::AgentEnded));
    assert_begins_nothing(&world, &store, "ulla", &assistant, Cause::actor(TokenFault::AgentEnded)).await;
    walk(&world, &store).await;

    assert!(world.control(&store, change(AgentState::Active, EndReason::Operator)).await.1);
    for token in [&root, &access, &onward] {
        assert_eq!(world.life(&store, token).await, Err(TokenFault::Stopped), "none comes back");
    }
    let again = world.hop_zero(&store, &sign_in, &assistant).await;
    let again = world.issued(&store, again).await;
    assert_eq!((again.task, world.life(&store, &again).await), (root.task, Ok(())), "the task went on");
}

async fn a_suspended_sub_agent_takes_only_its_own_branch(world: World) {
    let store = world.open().await;
    let Tree { verifier, access, onward, beside, .. } = tree(&world, &store).await;
    let below = world.exchange(&store, &onward, &world.instance()).await;
    let change = |state, why| Control::SetAgentState { agent: verifier.id.clone(), state, why };

    assert!(world.control(&store, change(AgentState::Suspended, EndReason::Suspended)).await.1);

    assert!(world.life(&store, &onward).await.is_err());
    assert!(world.life(&store, &below).await.is_err());
    assert_eq!(world.life(&store, &access).await, Ok(()));
    assert_eq!(world.life(&store, &beside).await, Ok(()));
    world.control(&store, change(AgentState::Active, EndReason::Operator)).await;
    let again = world.exchange(&store, &access, &verifier).await;
    assert_eq!(world.life(&store, &again).await, Ok(()));
    assert_eq!(world.life(&store, &onward).await, Err(TokenFault::Stopped));
    assert_eq!(world.life(&store, &below).await, Err(TokenFault::Stopped), "by its ancestor");
    world.control(&store, end(access.task)).await;
    assert_eq!(state(&store, &verifier).await, AgentState::Retired);
}

async fn a_banned_agent_is_final(world: World) {
    let store = world.open().await;
    let Tree { assistant, root, onward, .. } = tree(&world, &store).await;
    let change =
        |state| Control::SetAgentState { agent: assistant.id.clone(), state, why: EndReason::KillSwitch };

    assert!(world.control(&store, change(AgentState::Banned)).await.1);

    let banned = store.find_agent(&assistant.id).await.unwrap().unwrap();
    assert_eq!(banned.state, AgentState::Banned);
    assert_eq!(banned.ended.map(|ended| ended.why), Some(EndReason::KillSwitch));
    for token in [&root, &onward] {
        assert_eq!(world.life(&store, token).await, Err(TokenFault::AgentEnded));
    }
    for state in [AgentState::Active, AgentState::Suspended, AgentState::Retired] {
        let recorded = world.try_control(&store, change(state)).await;
        assert!(
            matches!(recorded, Recorded::Impossible(Impossible::AgentFinal(AgentState::Banned))),
            "{recorded:?}"
        );
    }
    let lift = Control::Lift { what: Whom::Other(Stoppable::Agent(assistant.id.clone())) };
    assert!(matches!(
        world.try_control(&store, lift).await,
        Recorded::Impossible(Impossible::AgentFinal(AgentState::Banned))
    ));
    walk(&world, &store).await;
    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::KillSwitch));
}

async fn an_agent_never_met_can_be_banned(world: World) {
    let store = world.open().await;
    let instance = world.instance();
    let ban = kill(Stoppable::Agent(instance.id.clone()));
    let recorded = world.try_control(&store, ban.clone()).await;
    assert!(matches!(recorded, Recorded::Done { changed: true, is_known: Some(false), .. }), "{recorded:?}");
    let again = world.try_control(&store, ban).await;
    assert!(matches!(again, Recorded::Done { changed: false, is_known: Some(true), .. }), "{again:?}");

    let (_, root) = world.begin(&store, &world.principal()).await;
    let access = world.exchange(&store, &root, &world.principal()).await;
    let recorded = store.record(world.later(&access, &instance)).await.unwrap();
    assert!(matches!(recorded, Recorded::Refused(Cause::Token(PresentedAs::Actor, _))), "{recorded:?}");
}

async fn a_retired_agent_ends_the_tasks_that_it_began(world: World) {
    let store = world.open().await;
    let Tree { assistant, verifier, root, access, onward, .. } = tree(&world, &store).await;
    let retire = Control::SetAgentState {
        agent: assistant.id.clone(),
        state: AgentState::Retired,
        why: EndReason::Operator,
    };
    assert!(world.control(&store, retire).await.1);
    for token in [&root, &access, &onward] {
        assert_eq!(world.life(&store, token).await, Err(TokenFault::AgentEnded));
    }
    walk(&world, &store).await;
    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::Operator));
    assert_eq!(state(&store, &verifier).await, AgentState::Retired, "it was made for that task");
}

async fn a_stopped_user_needs_a_new_login(world: World) {
    let store = world.open().await;
    let Tree { assistant, root, .. } = tree(&world, &store).await;
    let other_user = world.hop_zero(&store, &world.sign_in("someone-else"), &assistant).await;
    let other_user = world.issued(&store, other_user).await;
    let stop = Control::Stop { what: user(&world, "ulla"), why: EndReason::KillSwitch };

    assert!(world.control(&store, stop.clone()).await.1);

    assert_eq!(world.life(&store, &root).await, Err(TokenFault::SubjectCutOff));
    assert_eq!(world.life(&store, &other_user).await, Ok(()));
    let why = Cause::subject(TokenFault::SubjectCutOff);
    assert_begins_nothing(&world, &store, "ulla", &assistant, why.clone()).await;
    walk(&world, &store).await;
    let task = store.find_task(root.task).await.unwrap().unwrap();
    assert_eq!(task.ended.map(|ended| ended.why), Some(EndReason::KillSwitch));

    // The sign-in of this world lies five seconds back.
    world.advance(FOREIGN_LEEWAY.seconds() + 6).await;
    let (_, anew) = world.begin(&store, &assistant).await;
    assert_eq!(world.life(&store, &anew).await, Ok(()));
    walk(&world, &store).await;
    assert_eq!(world.life(&store, &anew).await, Ok(()), "it began after the stop");
    assert!(world.control(&store, stop).await.1, "what began anew can be stopped again");
    assert_eq!(world.life(&store, &anew).await, Err(TokenFault::SubjectCutOff));
}

async fn a_user_never_met_can_be_stopped(world: World) {
    let store = world.open().await;
    let stop = Control::Stop { what: user(&world, "nobody"), why: EndReason::KillSwitch };
    let recorded = world.try_control(&store, stop).await;
    assert!(matches!(recorded, Recorded::Done { changed: true, is_known: Some(false), .. }), "{recorded:?}");
    let why = Cause::subject(TokenFault::SubjectCutOff);
    assert_begins_nothing(&world, &store, "nobody", &world.principal(), why).await;
    world.begin(&store, &world.principal()).await;
}

async fn a_control_that_changes_nothing_says_so(world: World) {
    let store = world.open().await;
    let Tree { root, .. } = tree(&world, &store).await;
    let class = Stoppable::Class("verifier".to_owned());
    let lift = |party: &Stoppable| Control::Lift { what: Whom::Other(party.clone()) };
    assert_eq!(world.control(&store, lift(&class)).await, (0, false), "it was not stopped");
    assert!(world.control(&store, kill(class.clone())).await.1);
    assert_eq!(world.control(&store, kill(class.clone())).await, (0, false), "it stands already");
    assert!(world.control(&store, lift(&class)).await.1);
    assert_eq!(world.control(&store, lift(&class)).await, (0, false));
    let unknown = Whom::Other(Stoppable::Agent(AgentId::new("agent_unknown")));
    let recorded = world.try_control(&store, Control::Lift { what: unknown }).await;
    assert!(matches!(recorded, Recorded::NotFound), "{recorded:?}");
    assert_eq!(world.life(&store, &root).await, Ok(()));
}
