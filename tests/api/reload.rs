//! Another configuration is put in force while requests still use the previous one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use deputy::testing::Config;

use crate::world::{Key, Setup, World};

/// How many configurations are recorded as in force, with nothing under way by the one before.
async fn in_force(world: &World) -> usize {
    let rows = world.audit().await;
    rows.iter().filter(|row| row["event"] == "configuration" && row["phase"] == "in_force").count()
}

/// Polls once: whether the future waits.
async fn is_pending<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_is_done_when_nobody_works_by_the_configuration_before() {
    let world = World::start(Setup::default()).await;
    let server = world.server();
    let under_way = server.hold_configuration();
    let before = in_force(&world).await;

    let reload = server.reload(world.config());
    tokio::pin!(reload);
    while server.is_in_force(&under_way) {
        assert!(is_pending(reload.as_mut()).await, "a request under way may still be given a token");
        tokio::task::yield_now().await;
    }
    // Rows are written in the order in which they come: one of the reload would be there before that of the exchange.
    world.tx().send().await.granted();
    assert_eq!(in_force(&world).await, before, "a request under way may still be given a token");
    assert!(is_pending(reload.as_mut()).await);

    drop(under_way);
    reload.await.unwrap();
    assert_eq!(in_force(&world).await, before + 1);
}

/// Replaces the key file of the assistant.
fn write_key_file(world: &World, text: &str) {
    std::fs::write(world.directory.path().join("clients/assistant.json"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_taken_out_of_its_file_is_refused_from_the_reload_on() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    let other = Key::new("another-key");

    write_key_file(&world, &other.jwks().to_string());
    world.server().reload(world.config()).await.unwrap();

    assert_eq!(world.tx().send().await.status, 401, "the withdrawn key");
    write_key_file(&world, &world.key_of("assistant").jwks().to_string());
    world.server().reload(world.config()).await.unwrap();
    world.tx().send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_cannot_be_read_refuses_the_whole_reload() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();

    write_key_file(&world, "no key set");

    let refused = world.server().reload(world.config()).await.unwrap_err();
    assert!(refused.contains("assistant.json"), "{refused}");
    world.tx().send().await.granted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_needs_a_restart_is_refused_by_name() {
    let world = World::start(Setup::default()).await;
    for (from, to, name) in [
        ("data_dir = \"data\"", "data_dir = \"elsewhere\"", "`data_dir`"),
        ("management = \"127.0.0.1:0\"", "management = \"127.0.0.2:0\"", "`listen.management`"),
        (
            "failures_per_minute = 1000000",
            "failures_per_minute = 1000000\nconnections = 10",
            "`limits.connections`",
        ),
        ("[tokens]", "[database]\nurl = \"sqlite://other.db\"\n[tokens]", "`database`"),
        ("[tokens]", "[audit]\ncheckpoint_file = \"other.jsonl\"\n[tokens]", "`audit.checkpoint_file`"),
    ] {
        assert!(world.toml.contains(from), "{from}");
        let changed = Config::parse(&world.toml.replacen(from, to, 1), world.directory.path()).unwrap();
        let refused = world.server().reload(changed).await.unwrap_err();
        assert!(refused.contains(name) && refused.contains("restart"), "{refused}");
    }
    world.server().reload(world.config()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_was_changed_applies_from_the_reload_on() {
    let mut world =
        World::start(Setup::default().replace("failures_per_minute = 1000000", "failures_per_minute = 1"))
            .await;
    let failed = async |world: &World| world.form("/token").basic_with("basic-app:wrong").send().await.status;
    let mut statuses = Vec::new();
    for _ in 0..15 {
        statuses.push(failed(&world).await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");

    world.reload(|toml| toml.replace("failures_per_minute = 1\n", "failures_per_minute = 1000000\n")).await;

    assert_eq!(failed(&world).await, 401);
}
