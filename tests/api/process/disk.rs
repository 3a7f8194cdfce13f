//! The disk of the database is full: nothing is issued and the server is not ready, but what is to be stopped can be.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::probe::{PATIENCE, sign_in, until, until_it_listens};
use crate::process_support::server::command;
use crate::process_support::{Backend, Plan, SmallDisk, World};

fn spare(world: &World) -> PathBuf {
    world.path("node1-data/deputy.db.spare")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_stops_are_written_and_nothing_else_is() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let world = World::of(Backend::Sqlite, Plan { within: disk.path().to_owned(), ..Plan::default() }).await;
    let mut server = world.start().await;
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let begin = async |user: &str| {
        let id_token = world.id_token(user);
        let task = assistant.sign_in(&server.base, &id_token, world.issuer(), "tickets:search").await;
        let token =
            assistant.exchange(&server.base, &task.token(), "tickets", "tickets:search").await.token();
        (task.task(), token)
    };
    let (ended, token_of_ended) = begin("ann").await;
    let (later_ended, token_of_later_ended) = begin("bob").await;
    let (_, revoked) = begin("cyd").await;
    let (_, going_on) = begin("dan").await;
    assert!(spare(&world).exists());

    disk.fill();

    assert_eq!(sign_in(&world, &server).await, 503);
    assert!(until(&server.management, 503).await < Duration::from_secs(3));
    assert!(spare(&world).exists(), "the spare file was given up for something else than a stop");
    let end = async |task: &str| world.deputy(&["task", "end", task]).await;
    let output = end(&ended).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!spare(&world).exists());
    for _ in 0..20 {
        assert_eq!(sign_in(&world, &server).await, 503, "the space for stops was used for something else");
    }
    assert!(end(&later_ended).await.status.success());
    assert_eq!(assistant.revoke(&server.base, &revoked).await.status, 200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(until(&server.management, 503).await < Duration::from_secs(1), "it is not ready meanwhile");

    disk.empty();

    until(&server.management, 200).await;
    assert!(spare(&world).exists(), "there is space for the next time");
    assert_eq!(sign_in(&world, &server).await, 200);
    for token in [token_of_ended, token_of_later_ended, revoked] {
        assert!(!api.introspect(&server.base, &token).await.is_active());
    }
    assert!(api.introspect(&server.base, &going_on).await.is_active());
    server.stop().await;
    assert!(world.deputy(&["audit", "verify"]).await.status.success());
    world.finish().await;
}

/// Starts the server on a disk where it does not become ready.
async fn serve(world: &World, management: &str) -> Child {
    let mut child = command(world.config(), &["serve"], &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("deputy can be run");
    tokio::select! {
        () = until_it_listens(management) => child,
        ended = child.wait() => panic!("it does not start: {ended:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_on_a_full_disk_leaves_stops_possible_and_one_without_space_says_what_to_free() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let world = World::of(Backend::Sqlite, Plan { within: disk.path().to_owned(), ..Plan::default() }).await;
    let mut server = world.start().await;
    let (base, management) = (server.base.clone(), server.management.clone());
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let begin = async |user: &str| {
        let task = assistant.sign_in(&base, &world.id_token(user), world.issuer(), "tickets:search").await;
        let token = assistant.exchange(&base, &task.token(), "tickets", "tickets:search").await.token();
        (task.task(), token)
    };
    let (ended, token_of_ended) = begin("ann").await;
    let (later_ended, token_of_later_ended) = begin("bob").await;
    let (_, going_on) = begin("cyd").await;
    // Stopped in order, so that SQLite has no log whose space a start could use.
    server.stop().await;
    disk.fill();

    let mut child = serve(&world, &management).await;

    assert!(!spare(&world).exists(), "the spare file is given up for the start");
    assert_eq!(until(&management, 503).await.as_secs(), 0, "it is not ready");
    let end = async |task: &str| {
        let output = world.deputy(&["task", "end", task]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    end(&ended).await;
    for _ in 0..20 {
        let refused =
            assistant.sign_in(&base, &world.id_token("dan"), world.issuer(), "tickets:search").await;
        assert_eq!(refused.status, 503, "the space for stops was used for something else");
    }
    let reloaded = Command::new("kill").args(["-HUP", &child.id().unwrap().to_string()]).status().await;
    assert!(reloaded.unwrap().success());
    // It is killed in the middle, and starts again with what is left of the space.
    child.kill().await.unwrap();
    let mut child = serve(&world, &management).await;
    end(&later_ended).await;
    child.kill().await.unwrap();

    // Something else takes that space too.
    disk.empty();
    disk.fill();
    let serving = command(world.config(), &["serve"], &[]).output();
    let refused = timeout(PATIENCE, serving).await.expect("an end").unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the disk of the database is full: free 16 MiB on the file system of `"), "{said}");

    disk.empty();

    let mut server = world.start().await;
    assert!(spare(&world).exists(), "there is space for the next time");
    assert_eq!(sign_in(&world, &server).await, 200);
    for token in [token_of_ended, token_of_later_ended] {
        assert!(!api.introspect(&base, &token).await.is_active());
    }
    assert!(api.introspect(&base, &going_on).await.is_active());
    server.stop().await;
    assert!(world.deputy(&["audit", "verify"]).await.status.success());
    world.finish().await;
}
