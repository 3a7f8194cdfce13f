//! What one login token may begin.

use super::on_each_database;
use super::world::{MAX_PER_LOGIN, World};
use crate::oauth::{Cause, Plain};
use crate::store::entry::Recorded;

on_each_database! {
    a_login_token_begins_so_many_tasks_and_goes_on_in_them,
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
