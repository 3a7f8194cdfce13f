//! Another configuration is put in force while requests still use the previous one.

use futures_util::future::join_all;
use serde_json::Value;

use deputy::testing::Config;

use crate::world::{Key, Setup, World};

/// What the last row about a configuration says.
async fn last_configuration(world: &World) -> Value {
    let rows = world.audit().await;
    rows.into_iter().rfind(|row| row["event"] == "configuration").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_under_way_outlives_the_party_that_a_reload_takes_out() {
    let world = World::start(Setup::default()).await;
    let files = |toml: &str| toml.replace("https://archive.example/", "https://attic.example/");
    let without = Config::parse(&files(&world.toml), world.directory.path()).unwrap();
    let task = world.task_token().await;
    let tokens = join_all((0..30).map(|_| world.files_from(&task))).await;

    let exchanges = join_all(tokens.iter().map(|token| async { world.onward_tx(token).send().await }));
    let (reloaded, answers) = tokio::join!(world.server().reload(without), exchanges);
    reloaded.unwrap();

    let row = last_configuration(&world).await;
    assert_eq!(row["removed"], serde_json::json!(["target https://archive.example/"]));
    assert_eq!(row["added"], serde_json::json!(["target https://attic.example/"]));
    for answer in answers {
        match answer.status {
            200 => {
                let seen = world.introspect_as("files-api", &answer.granted()).await;
                assert_eq!(seen.body["active"], false, "it outlives its target");
            }
            _ => {
                answer.refused(400, "invalid_target");
            }
        }
    }
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
