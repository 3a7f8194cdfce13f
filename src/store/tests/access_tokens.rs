//! Access tokens of a provider as logins: what the record lets them begin and join, and what it does not.

use super::on_each_database;
use super::world::{END_OF_RETENTION, MAX_PER_LOGIN, SignIn, World, kill, token_of, user};
use crate::base::time::Lifetime;
use crate::delegation::record::{Agent, Delegation, EndReason};
use crate::delegation::stops::Stoppable;
use crate::oauth::{Cause, Plain, TaskId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Control, Recorded, Whom};
use crate::verification::LoginToken;

on_each_database! {
    an_access_token_is_found_again_as_it_was,
    a_token_of_twenty_minutes_begins_a_task_and_joins_it,
    a_token_whose_task_was_finished_begins_another,
    a_token_whose_task_ran_out_begins_another,
    a_token_whose_task_was_stopped_begins_no_other,
    a_token_whose_task_was_stopped_by_number_begins_no_other,
    the_uses_of_a_token_are_known_until_it_expires,
    no_token_begins_more_tasks_than_a_login_may,
    two_at_once_give_one_task,
    a_renewed_token_of_the_session_joins_its_newest_live_task,
    a_session_is_joined_by_the_same_user_client_and_agent_alone,
    a_session_whose_task_was_stopped_begins_no_other_for_that_client,
    a_renewed_id_token_of_the_session_joins_nothing_by_itself,
    an_undated_login_of_a_stopped_user_is_refused_until_the_lift,
    an_undated_login_of_a_stopped_session_is_refused,
}

/// The session of the gateway's user.
const SESSION: [u8; 32] = [4; 32];

/// What comes of a first hop with this token.
async fn first_hop(world: &World, store: &Store, token: &SignIn, actor: &Agent) -> Result<Delegation, Cause> {
    let entry = world.hop_zero(store, token, actor).await;
    let delegation = token_of(&entry);
    match store.record(entry).await.unwrap() {
        Recorded::Done { .. } => Ok(delegation),
        Recorded::Refused(cause) => Err(cause),
        other => panic!("{other:?}"),
    }
}

async fn task_of(world: &World, store: &Store, token: &SignIn, actor: &Agent) -> TaskId {
    first_hop(world, store, token, actor).await.unwrap().task
}

fn refused(fault: TokenFault) -> Cause {
    Cause::subject(fault)
}

async fn end(world: &World, store: &Store, task: TaskId, why: EndReason) {
    world.control(store, Control::EndTask { task, why }).await;
}

fn of_session(world: &World, upstream: &str) -> SignIn {
    SignIn { session: Some(SESSION), ..world.access_token(upstream) }
}

async fn an_access_token_is_found_again_as_it_was(world: World) {
    let store = world.open().await;
    let token = of_session(&world, "alice");

    let delegation = first_hop(&world, &store, &token, &world.principal()).await.unwrap();

    let login = world.user(&store, &delegation).await.login;
    assert_eq!(login.token, token.token);
    assert_eq!((login.auth_time, login.issued_at), (None, token.issued_at));
    assert_eq!(login.session, Some(SESSION));
}

async fn a_token_of_twenty_minutes_begins_a_task_and_joins_it(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    world.advance(1200).await;

    let first = task_of(&world, &store, &token, &assistant).await;
    world.advance(1200).await;
    let second = task_of(&world, &store, &token, &assistant).await;

    assert_eq!(first, second);
}

async fn a_token_whose_task_was_finished_begins_another(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    let first = task_of(&world, &store, &token, &assistant).await;
    end(&world, &store, first, EndReason::TaskDone).await;

    let second = task_of(&world, &store, &token, &assistant).await;
    let again = task_of(&world, &store, &token, &assistant).await;

    assert_ne!(first, second);
    assert_eq!(second, again);
    let id_token = world.sign_in("alice");
    let begun = task_of(&world, &store, &id_token, &assistant).await;
    end(&world, &store, begun, EndReason::TaskDone).await;
    let spent = first_hop(&world, &store, &id_token, &assistant).await;
    assert_eq!(spent.unwrap_err(), refused(TokenFault::LoginSpent));
}

async fn a_token_whose_task_ran_out_begins_another(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    let first = task_of(&world, &store, &token, &assistant).await;
    world.advance(3601).await;

    let unswept = task_of(&world, &store, &token, &assistant).await;
    world.advance(3601).await;
    world.control(&store, Control::Sweep).await;
    let swept = task_of(&world, &store, &token, &assistant).await;

    assert_ne!(first, unswept);
    assert_ne!(unswept, swept);
    let ended = store.find_task(first).await.unwrap().unwrap().ended.unwrap();
    assert_eq!(ended.why, EndReason::Expired);
}

async fn a_token_whose_task_was_stopped_begins_no_other(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    let task = task_of(&world, &store, &token, &assistant).await;
    end(&world, &store, task, EndReason::Operator).await;

    let same = first_hop(&world, &store, &token, &assistant).await;
    let other_agent = first_hop(&world, &store, &token, &world.instance()).await;
    let renewed = first_hop(&world, &store, &world.access_token("alice"), &assistant).await;

    assert_eq!(same.unwrap_err(), refused(TokenFault::LoginSpent));
    assert_eq!(other_agent.unwrap_err(), refused(TokenFault::LoginSpent));
    assert_ne!(renewed.unwrap().task, task);
}

async fn a_token_whose_task_was_stopped_by_number_begins_no_other(world: World) {
    let store = world.open().await;
    let (token, verifier) = (world.access_token("alice"), world.instance());
    task_of(&world, &store, &token, &verifier).await;
    // The client's tasks are dead at once, and no row says so yet. The lift lets the client begin again.
    let client = Whom::Other(Stoppable::Client(verifier.client.clone()));
    world.control(&store, kill(Stoppable::Client(verifier.client.clone()))).await;
    world.control(&store, Control::Lift { what: client }).await;
    let later = SignIn { issued_at: token.issued_at + 600, ..token };

    let refusal = first_hop(&world, &store, &later, &verifier).await;

    assert_eq!(refusal.unwrap_err(), refused(TokenFault::LoginSpent));
}

async fn the_uses_of_a_token_are_known_until_it_expires(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let month = world.now().plus(Lifetime::from_seconds(30 * 86_400));
    let mut token = world.access_token("alice");
    token.token =
        LoginToken::AccessToken { audience: "https://gateway.example".to_owned(), expires_at: month };
    let task = task_of(&world, &store, &token, &assistant).await;
    end(&world, &store, task, EndReason::Operator).await;
    world.advance(2 * END_OF_RETENTION).await;
    world.control(&store, Control::Sweep).await;

    let refusal = first_hop(&world, &store, &token, &assistant).await;

    assert_eq!(refusal.unwrap_err(), refused(TokenFault::LoginSpent));
}

async fn no_token_begins_more_tasks_than_a_login_may(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    for _ in 0..MAX_PER_LOGIN {
        let task = task_of(&world, &store, &token, &assistant).await;
        end(&world, &store, task, EndReason::TaskDone).await;
    }

    let refusal = first_hop(&world, &store, &token, &assistant).await;

    assert_eq!(refusal.unwrap_err(), Cause::Plain(Plain::TooManyTasks));
}

async fn two_at_once_give_one_task(world: World) {
    let store = world.open().await;
    let (token, assistant) = (world.access_token("alice"), world.principal());
    let finished = task_of(&world, &store, &token, &assistant).await;
    end(&world, &store, finished, EndReason::TaskDone).await;
    let one = world.hop_zero(&store, &token, &assistant).await;
    let other = world.hop_zero(&store, &token, &assistant).await;

    let (one, other) = tokio::join!(store.record(one), store.record(other));

    let answers = [one.unwrap(), other.unwrap()];
    let done = answers.iter().filter(|answer| matches!(answer, Recorded::Done { .. })).count();
    let changed = answers.iter().filter(|answer| matches!(answer, Recorded::Changed)).count();
    assert_eq!((done, changed), (1, 1), "{answers:?}");
}

async fn a_renewed_token_of_the_session_joins_its_newest_live_task(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let token = of_session(&world, "alice");
    let first = task_of(&world, &store, &token, &assistant).await;
    world.advance(600).await;

    let renewed = of_session(&world, "alice");
    let joined = first_hop(&world, &store, &renewed, &assistant).await.unwrap();

    assert_eq!(joined.task, first);
    let login = world.user(&store, &joined).await.login;
    assert_eq!(login.id_token_hash, renewed.hash);
    end(&world, &store, first, EndReason::TaskDone).await;
    let next = task_of(&world, &store, &of_session(&world, "alice"), &assistant).await;
    assert_ne!(next, first);
    assert_eq!(task_of(&world, &store, &of_session(&world, "alice"), &assistant).await, next);
}

async fn a_session_is_joined_by_the_same_user_client_and_agent_alone(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let task = task_of(&world, &store, &of_session(&world, "alice"), &assistant).await;

    let other_user = task_of(&world, &store, &of_session(&world, "bob"), &assistant).await;
    let other_client = task_of(&world, &store, &of_session(&world, "alice"), &world.instance()).await;
    let other_session = SignIn { session: Some([5; 32]), ..world.access_token("alice") };
    let other_session = task_of(&world, &store, &other_session, &assistant).await;
    let no_session = task_of(&world, &store, &world.access_token("alice"), &assistant).await;

    let mut tasks = vec![task, other_user, other_client, other_session, no_session];
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 5);
}

async fn a_session_whose_task_was_stopped_begins_no_other_for_that_client(world: World) {
    let store = world.open().await;
    let (assistant, verifier) = (world.principal(), world.instance());
    let task = task_of(&world, &store, &of_session(&world, "alice"), &assistant).await;
    end(&world, &store, task, EndReason::Operator).await;

    let renewed = of_session(&world, "alice");
    let refusal = first_hop(&world, &store, &renewed, &assistant).await;

    assert_eq!(refusal.unwrap_err(), refused(TokenFault::SessionStopped));
    assert_ne!(task_of(&world, &store, &renewed, &verifier).await, task);
    let another = SignIn { session: Some([5; 32]), ..world.access_token("alice") };
    assert_ne!(task_of(&world, &store, &another, &assistant).await, task);
}

async fn a_renewed_id_token_of_the_session_joins_nothing_by_itself(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let first = task_of(&world, &store, &world.sign_in("alice"), &assistant).await;

    let renewed = task_of(&world, &store, &world.sign_in("alice"), &assistant).await;

    assert_ne!(first, renewed);
}

async fn an_undated_login_of_a_stopped_user_is_refused_until_the_lift(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    let what = user(&world, "alice");
    world.control(&store, Control::Stop { what: what.clone(), why: EndReason::KillSwitch }).await;
    world.advance(600).await;

    let undated = first_hop(&world, &store, &world.access_token("alice"), &assistant).await;
    let dated = SignIn { auth_time: Some(world.now().seconds()), ..world.access_token("alice") };
    let dated = first_hop(&world, &store, &dated, &assistant).await;

    assert_eq!(undated.unwrap_err(), refused(TokenFault::SubjectCutOff));
    assert!(dated.is_ok(), "{dated:?}");
    world.control(&store, Control::Lift { what }).await;
    let old = first_hop(&world, &store, &world.access_token("alice"), &assistant).await;
    assert_eq!(old.unwrap_err(), refused(TokenFault::SubjectCutOff));
    world.advance(600).await;
    assert!(first_hop(&world, &store, &world.access_token("alice"), &assistant).await.is_ok());
}

async fn an_undated_login_of_a_stopped_session_is_refused(world: World) {
    let store = world.open().await;
    let assistant = world.principal();
    world.control(&store, kill(Stoppable::Session(SESSION))).await;
    world.advance(600).await;

    let undated = first_hop(&world, &store, &of_session(&world, "alice"), &assistant).await;
    let dated = SignIn { auth_time: Some(world.now().seconds()), ..of_session(&world, "alice") };

    assert_eq!(undated.unwrap_err(), refused(TokenFault::SubjectCutOff));
    assert!(first_hop(&world, &store, &dated, &assistant).await.is_ok());
}
