//! The disk of the database is full: nothing is issued and the server is not ready, but what is to be stopped can be.

use std::path::PathBuf;
use std::time::Duration;

use super::probe::{sign_in, until};
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
