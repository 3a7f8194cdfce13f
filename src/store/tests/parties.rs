//! Stops of parties, and parties that leave the configuration: the numbers that rows and stops carry.

use super::on_each_database;
use super::stops::{Tree, assert_begins_nothing, tree, walk};
use super::world::{SESSION, World, kill};
use crate::base::time::FOREIGN_LEEWAY;
use crate::delegation::record::EndReason;
use crate::delegation::stops::Stoppable;
use crate::oauth::{Cause, ClientId, Issuer, TargetId, TokenFault};
use crate::store::Store;
use crate::store::entry::{Change, Control, Recorded, Whom};

on_each_database! {
    a_party_that_left_takes_along_whatever_names_it,
    a_party_that_comes_back_begins_anew,
    what_an_older_file_lets_in_dies_when_the_newer_one_is_loaded,
    what_an_earlier_configuration_of_this_process_decided_is_decided_again,
    a_killed_party_ends_what_names_it_and_lets_nothing_begin,
    a_lifted_stop_takes_later_logins_only,
    a_stop_and_an_issue_of_one_group_leave_nothing_alive_that_was_decided_before,
    a_stop_of_one_node_holds_on_every_node,
    tasks_of_a_stop_end_in_batches_and_each_has_its_row,
    a_walk_goes_on_where_it_was_after_a_restart,
}

const PROVIDER: &str = "https://login.example";
const CLUSTER: &str = "https://cluster.example";

/// Every party that the tree names.
pub(super) fn parties() -> Vec<Stoppable> {
    vec![
        Stoppable::Client(ClientId::new("assistant")),
        Stoppable::Client(ClientId::new("age-agent")),
        Stoppable::Target(TargetId::new("tickets")),
        Stoppable::Provider(Issuer::new(PROVIDER)),
        Stoppable::RelyingParty(Issuer::new(PROVIDER), "app".to_owned()),
        Stoppable::Issuer(Issuer::new(CLUSTER)),
        Stoppable::Class("verifier".to_owned()),
    ]
}

pub(super) fn take_effect(generation: u64, parties: &[Stoppable]) -> Control {
    Control::TakeEffect { generation, parties: parties.to_vec() }
}

/// Which of the tree's tokens are alive: the task token, the access token, the verifier's token.
async fn alive(world: &World, store: &Store, tree: &Tree) -> [bool; 3] {
    let mut alive = [false; 3];
    for (place, token) in [&tree.root, &tree.access, &tree.onward].into_iter().enumerate() {
        alive[place] = world.life(store, token).await.is_ok();
    }
    alive
}

/// What is left of the tree by a stop of a party, and whether its task ends too.
fn left_by(party: &Stoppable) -> ([bool; 3], bool) {
    match party {
        Stoppable::Client(id) if id.as_str() == "assistant" => ([false; 3], true),
        Stoppable::Client(_) | Stoppable::Issuer(_) | Stoppable::Class(_) | Stoppable::Workload(..) => {
            ([true, true, false], false)
        }
        Stoppable::Target(_) => ([true, false, false], false),
        Stoppable::RelyingParty(..) => ([false; 3], false),
        Stoppable::Provider(_) | Stoppable::Session(_) => ([false; 3], true),
        Stoppable::User(_) | Stoppable::Agent(_) | Stoppable::Everything => {
            unreachable!("not in these tests")
        }
    }
}

async fn a_party_that_left_takes_along_whatever_names_it(world: World) {
    let store = world.open().await;
    world.control(&store, take_effect(0, &parties())).await;
    assert!(!world.control(&store, take_effect(0, &parties())).await.1, "the same changes nothing");
    for gone in parties() {
        let before = tree(&world, &store).await;
        assert_eq!(alive(&world, &store, &before).await, [true; 3]);
        let rest: Vec<Stoppable> = parties().into_iter().filter(|party| *party != gone).collect();
        assert!(world.control(&store, take_effect(0, &rest)).await.1);
        let (left, ends_task) = left_by(&gone);
        assert_eq!(alive(&world, &store, &before).await, left, "{gone}");
        walk(&world, &store).await;
        let task = store.find_task(before.root.task).await.unwrap().unwrap();
        let why = task.ended.map(|ended| ended.why);
        assert_eq!(why, ends_task.then_some(EndReason::PartyRemoved), "{gone}");
        world.control(&store, take_effect(0, &parties())).await;
    }
}

async fn a_party_that_comes_back_begins_anew(world: World) {
    let store = world.open().await;
    world.control(&store, take_effect(0, &parties())).await;
    let before = tree(&world, &store).await;
    world.control(&store, take_effect(0, &[])).await;
    world.control(&store, take_effect(0, &parties())).await;
    assert_eq!(alive(&world, &store, &before).await, [false; 3], "what was issued before stays dead");
    let after = tree(&world, &store).await;
    assert_eq!(alive(&world, &store, &after).await, [true; 3]);
}

async fn what_an_older_file_lets_in_dies_when_the_newer_one_is_loaded(world: World) {
    let older = world.open().await;
    let newer = match world.is_postgres() {
        true => world.open_as(&world.second_node()).await.unwrap(),
        false => older.clone(),
    };
    world.control(&older, take_effect(0, &parties())).await;
    let rest: Vec<Stoppable> = parties().into_iter().filter(|party| party.name() != "age-agent").collect();
    world.control(&newer, take_effect(0, &rest)).await;
    // The other node goes on by the older file, in which the client still is.
    let late = tree(&world, &older).await;
    assert_eq!(alive(&world, &newer, &late).await, [true; 3]);
    world.control(&older, take_effect(1, &rest)).await;
    for store in [&older, &newer] {
        assert_eq!(alive(&world, store, &late).await, [true, true, false]);
    }
}

async fn what_an_earlier_configuration_of_this_process_decided_is_decided_again(world: World) {
    let store = world.open().await;
    world.control(&store, take_effect(1, &parties())).await;
    let decided_before = world.hop_zero(&store, &world.sign_in("ulla"), &world.principal()).await;
    let recorded = store.record(decided_before.clone()).await.unwrap();
    assert!(matches!(recorded, Recorded::Superseded), "{recorded:?}");
    let Change::Issue(token, _) = decided_before.change.clone() else { panic!("no issue") };
    let decided_by_it = crate::store::Entry { change: Change::Issue(token, 1), ..decided_before };
    world.issued(&store, decided_by_it).await;
}

async fn a_killed_party_ends_what_names_it_and_lets_nothing_begin(world: World) {
    let store = world.open().await;
    world.control(&store, take_effect(0, &parties())).await;
    let mut all = parties();
    all.push(Stoppable::Session(SESSION));
    all.push(Stoppable::Workload(Issuer::new(CLUSTER), "verifiers".to_owned()));
    for party in all {
        let before = tree(&world, &store).await;
        assert_eq!(alive(&world, &store, &before).await, [true; 3], "{party}");
        assert!(world.control(&store, kill(party.clone())).await.1, "{party}");
        let (left, ends_task) = left_by(&party);
        assert_eq!(alive(&world, &store, &before).await, left, "{party}");
        walk(&world, &store).await;
        let task = store.find_task(before.root.task).await.unwrap().unwrap();
        assert_eq!(task.ended.is_some(), ends_task, "{party}");

        let first = store.record(world.hop_zero(&store, &world.sign_in("ulla"), &world.principal()).await);
        let begins = matches!(first.await.unwrap(), Recorded::Done { .. });
        assert_eq!(begins, left[0], "{party}");
        if left[1] {
            let refused = store.record(world.later(&before.access, &world.instance())).await.unwrap();
            assert!(matches!(refused, Recorded::Refused(_)), "{party}: {refused:?}");
        }
        let lift = Control::Lift { what: Whom::Other(party.clone()) };
        assert!(world.control(&store, lift).await.1, "{party}");
        world.advance(FOREIGN_LEEWAY.seconds() + 6).await;
    }
}

async fn a_lifted_stop_takes_later_logins_only(world: World) {
    let store = world.open().await;
    let party = Stoppable::Client(ClientId::new("assistant"));
    world.control(&store, kill(party.clone())).await;
    world.advance(3600).await;
    world.control(&store, Control::Lift { what: Whom::Other(party) }).await;
    let why = Cause::actor(TokenFault::AgentCutOff);
    assert_begins_nothing(&world, &store, "ulla", &world.principal(), why).await;
    world.advance(FOREIGN_LEEWAY.seconds() + 6).await;
    world.begin(&store, &world.principal()).await;
}

async fn a_stop_and_an_issue_of_one_group_leave_nothing_alive_that_was_decided_before(world: World) {
    let store = world.open().await;
    let party = Stoppable::Client(ClientId::new("age-agent"));
    for _ in 0..20 {
        let tree = tree(&world, &store).await;
        let children: Vec<_> = (0..8).map(|_| world.later(&tree.access, &world.instance())).collect();
        let tokens: Vec<_> = children.iter().map(super::world::token_of).collect();
        let issues = futures_util::future::join_all(children.into_iter().map(|child| store.record(child)));
        let (_, answers) = tokio::join!(world.control(&store, kill(party.clone())), issues);
        for (answer, token) in answers.into_iter().zip(tokens) {
            match answer.unwrap() {
                Recorded::Done { .. } => assert!(world.life(&store, &token).await.is_err()),
                Recorded::Refused(_) | Recorded::Changed => {}
                other => panic!("{other:?}"),
            }
        }
        world.control(&store, Control::Lift { what: Whom::Other(party.clone()) }).await;
        world.advance(FOREIGN_LEEWAY.seconds() + 6).await;
    }
}

async fn a_stop_of_one_node_holds_on_every_node(world: World) {
    if !world.is_postgres() {
        return;
    }
    let one = world.open().await;
    let other = world.open_as(&world.second_node()).await.unwrap();
    for party in [Stoppable::Target(TargetId::new("tickets")), Stoppable::Session(SESSION)] {
        let tree = tree(&world, &one).await;
        assert_eq!(alive(&world, &other, &tree).await, [true; 3]);
        world.control(&one, kill(party.clone())).await;
        assert!(world.life(&other, &tree.access).await.is_err(), "{party}");
        let refused = other.record(world.later(&tree.access, &world.instance())).await.unwrap();
        assert!(matches!(refused, Recorded::Refused(_)), "{refused:?}");
        world.control(&one, Control::Lift { what: Whom::Other(party) }).await;
        world.advance(FOREIGN_LEEWAY.seconds() + 6).await;
    }
}

async fn tasks_of_a_stop_end_in_batches_and_each_has_its_row(world: World) {
    let store = world.open().await;
    let mut tasks = Vec::new();
    for _ in 0..230 {
        let (_, root) = world.begin(&store, &world.principal()).await;
        tasks.push(root.task);
    }
    world.control(&store, kill(Stoppable::Provider(Issuer::new(PROVIDER)))).await;
    let mut batches = 0;
    while world.control(&store, Control::Walk).await.1 {
        batches += 1;
    }
    assert!((10..=12).contains(&batches), "{batches}");
    for task in tasks {
        assert!(store.find_task(task).await.unwrap().unwrap().ended.is_some());
    }
}

async fn a_walk_goes_on_where_it_was_after_a_restart(world: World) {
    let store = world.open().await;
    let mut tasks = Vec::new();
    for _ in 0..150 {
        let (_, root) = world.begin(&store, &world.principal()).await;
        tasks.push(root.task);
    }
    world.control(&store, kill(Stoppable::Client(ClientId::new("assistant")))).await;
    assert!(world.control(&store, Control::Walk).await.1);
    store.close().await.unwrap();
    drop(store);

    let store = world.open().await;
    walk(&world, &store).await;
    for task in tasks {
        assert!(store.find_task(task).await.unwrap().unwrap().ended.is_some());
    }
}
