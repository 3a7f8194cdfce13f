//! The replay record that all methods of client authentication share (CA-STATE-01 to CA-STATE-04).

use futures_util::future::join_all;

use crate::expect::{CLIENT, assert_unavailable, client};
use crate::harness::{Cases, case};
use crate::world::{Answer, Setup, World};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("CA-STATE-01", what_is_spent_stays_spent_on_every_node_and_after_a_restart),
        case("CA-STATE-01", without_the_store_nothing_is_answered),
        case("CA-STATE-02", of_a_hundred_copies_one_succeeds),
        case("CA-STATE-03", an_entry_outlives_the_assertion),
        case("CA-STATE-04", a_long_jti_is_refused_and_any_is_kept_as_a_hash),
    ]
}

async fn assert_replayed(world: &World, answer: &Answer) {
    answer.refused_because(world, client("assertion_replayed"), "assertion_replayed").await;
}

async fn what_is_spent_stays_spent_on_every_node_and_after_a_restart() {
    let mut world = World::start(Setup::default()).await;
    let assertion = world.assertion("assistant").sign();
    world.tx().with_assertion(&assertion).send().await.granted();

    let other = world.second_node().await;
    let there = world.tx().with_assertion(&assertion).at(&other.base).send().await;
    assert_replayed(&world, &there).await;
    other.server.stop().await.unwrap();

    world.halt().await;
    world.boot().await.unwrap();
    assert_replayed(&world, &world.tx().with_assertion(&assertion).send().await).await;
    world.tx().send().await.granted();
}

async fn without_the_store_nothing_is_answered() {
    let world = World::start(Setup::default()).await;
    let assertion = world.assertion("assistant").sign();

    world.server().close_store().await.unwrap();
    let introspection = world.form("/introspect").set("token", "x");
    for request in [world.tx(), introspection, world.form("/revoke").set("token", "x")] {
        assert_unavailable(&request.with_assertion(&assertion).send().await);
    }
}

async fn of_a_hundred_copies_one_succeeds() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().with_assertion(&world.assertion("assistant").sign());
    let minted = world.minted().await;

    let answers = join_all((0..100).map(|_| request.clone().send())).await;
    let granted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(granted, 1);
    for replayed in answers.iter().filter(|answer| answer.status != 200) {
        assert_replayed(&world, replayed).await;
    }
    assert_eq!(world.minted().await, minted + 1);
}

async fn an_entry_outlives_the_assertion() {
    let world = World::start(Setup::default()).await;
    let assertion = world.assertion("assistant").claim("exp", world.now() + 60).sign();
    let again = || world.form("/introspect").set("token", "x").with_assertion(&assertion).send();
    assert_eq!(again().await.status, 200);

    // The assertion would pass until 60 s after its `exp`: so long is it known, cleaning up or not.
    for step in [59, 60] {
        world.advance(step);
        world.server().sweep().await.unwrap();
        assert_replayed(&world, &again().await).await;
    }
    world.advance(1);
    world.server().sweep().await.unwrap();
    again().await.refused_because(&world, CLIENT, "assertion_expired").await;
}

async fn a_long_jti_is_refused_and_any_is_kept_as_a_hash() {
    let world = World::start(Setup::default()).await;
    let with_jti = |jti: &str| {
        let assertion = world.assertion("assistant").claim("jti", jti).sign();
        world.form("/introspect").set("token", "x").with_assertion(&assertion)
    };
    // 256 characters, however many bytes; odd ones among them.
    let odd = format!("'; DROP TABLE spent; -- \u{1F980}%00\\ {}", "é".repeat(219));
    assert!(odd.chars().count() <= 256);
    for jti in ["x".repeat(256), "é".repeat(256), odd.clone()] {
        assert_eq!(with_jti(&jti).send().await.status, 200);
        assert_replayed(&world, &with_jti(&jti).send().await).await;
    }
    for jti in ["x".repeat(257), "é".repeat(257), String::new()] {
        with_jti(&jti).send().await.refused_because(&world, CLIENT, "assertion_jti").await;
    }
    assert!(!world.is_on_disk("DROP TABLE spent"));
    assert!(!world.is_on_disk(&"x".repeat(32)));
}
