//! What one login token may begin.

use super::on_each_database;
use super::world::{MAX_PER_LOGIN, SignIn, World, end};
use crate::base::time::Lifetime;
use crate::oauth::{Cause, Plain, TokenFault};
use crate::store::entry::Recorded;

on_each_database! {
    a_login_token_begins_so_many_tasks_and_goes_on_in_them,
    a_login_token_that_is_too_old_goes_on_in_the_task_that_it_fed_and_begins_none,
}

async fn a_login_token_begins_so_many_tasks_and_goes_on_in_them(world: World) {
    let store = world.open().await;
    let sign_in = world.sign_in("ulla");
    let agents: Vec<_> = (0..=MAX_PER_LOGIN).map(|_| world.instance()).collect();
    let (last, others) = agents.split_last().unwrap();
    for agent in others {
        let entry = world.hop_zero(&store, &sign_in, agent).await;
        world.issued(&store, entry).await;
    }

    let one_more = world.hop_zero(&store, &sign_in, last).await;
    let recorded = store.record(one_more).await.unwrap();
    assert!(matches!(recorded, Recorded::Refused(Cause::Plain(Plain::TooManyTasks))), "{recorded:?}");

    let again = world.hop_zero(&store, &sign_in, &others[0]).await;
    world.issued(&store, again).await;
    let other_login = world.hop_zero(&store, &world.sign_in("ulla"), last).await;
    world.issued(&store, other_login).await;
}

async fn a_login_token_that_is_too_old_goes_on_in_the_task_that_it_fed_and_begins_none(world: World) {
    let store = world.open().await;
    let (agent, other) = (world.instance(), world.instance());
    let until = world.now().plus(Lifetime::from_seconds(600));
    let sign_in = SignIn { begins_until: Some(until), ..world.sign_in("ulla") };
    let began = world.hop_zero(&store, &sign_in, &agent).await;
    let began = world.issued(&store, began).await;
    let other_task = world.hop_zero(&store, &world.sign_in("ulla"), &agent).await;
    let other_task = world.issued(&store, other_task).await.task;

    world.advance(601).await;
    let again = world.hop_zero(&store, &sign_in, &agent).await;
    assert_eq!(world.issued(&store, again).await.task, began.task);
    let elsewhere = SignIn { named: Some(other_task), ..sign_in.clone() };
    for (sign_in, agent) in [(&sign_in, &other), (&elsewhere, &agent)] {
        // It was permitted before, and became too old on its way to the transaction.
        let entry = world.hop_zero(&store, sign_in, agent).await;
        let recorded = store.record(entry).await.unwrap();
        let too_old = Cause::subject(TokenFault::TooOld);
        assert!(matches!(&recorded, Recorded::Refused(cause) if *cause == too_old), "{recorded:?}");
    }

    world.control(&store, end(began.task)).await;
    let over = world.hop_zero(&store, &sign_in, &agent).await;
    let recorded = store.record(over).await.unwrap();
    assert!(matches!(recorded, Recorded::Refused(cause) if cause == Cause::subject(TokenFault::TooOld)));
}
