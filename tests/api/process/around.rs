//! What lies around the server fails: its log, a part of it, its database. It does not fail with the log, ends with
//! a part, and is not ready without the database.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::probe::{PATIENCE, SCOPE, readiness, sign_in, until, until_it_listens};
use crate::process_support::server::command;
use crate::process_support::{Backend, SecondServer, World, on_both_databases};

/// Serves with a log whose reader goes away, or stays and does not read.
async fn serve_into_pipe(is_closed: bool) {
    let world = World::new(Backend::Sqlite).await;
    let mut first = world.start().await;
    let (base, management) = (first.base.clone(), first.management.clone());
    first.stop().await;
    let variables = [("DEPUTY_LOG", "trace".to_owned())];
    let mut child = command(world.config(), &["serve"], &variables)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let reader = child.stderr.take();
    let reader = if is_closed { None } else { reader };
    until(&management, 200).await;
    let caller = world.caller("assistant");
    for _ in 0..20 {
        let answer = caller.sign_in(&base, &world.id_token("ulla"), world.issuer(), SCOPE).await;
        assert_eq!(answer.status, 200);
    }
    let pid = child.id().unwrap().to_string();
    Command::new("kill").args(["-HUP", &pid]).status().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(readiness(&management).await, 200);
    Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(timeout(PATIENCE, child.wait()).await.expect("an end in time").unwrap().success());
    drop(reader);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_pipe_without_a_reader_harms_nothing_but_the_log() {
    serve_into_pipe(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_pipe_that_is_full_harms_nothing_but_the_log() {
    serve_into_pipe(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_ends_takes_the_process_with_it() {
    for part in ["writer", "tidy", "sweep", "census", "bundles", "policy"] {
        for how in ["panic", "return"] {
            let world = World::new(Backend::Sqlite).await;
            let mut first = world.start().await;
            let management = first.management.clone();
            first.stop().await;
            let switch = world.path("fault");
            let fault = format!("{part}:{how}:{}", switch.display());
            let mut child = command(world.config(), &["serve"], &[("DEPUTY_TEST_PART_ENDS", fault)])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if part == "writer" {
                until(&management, 200).await;
            }
            std::fs::write(switch, "").unwrap();
            let status = timeout(PATIENCE, child.wait()).await;
            let status = status.unwrap_or_else(|_| panic!("{part} {how}: the process goes on")).unwrap();
            assert_eq!(status.code(), Some(1), "{part} {how}");
            world.start().await.stop().await;
            world.finish().await;
        }
    }
}

on_both_databases! {
    async fn health_is_told_to_head_as_to_get(backend: Backend) {
        let world = World::new(backend).await;
        let mut server = world.start().await;
        for path in ["/healthz", "/readyz", "/metrics"] {
            let url = format!("{}{path}", server.management);
            let head = reqwest::Client::new().head(url).send().await.unwrap();
            assert_eq!(head.status().as_u16(), 200, "{path}");
        }
        server.stop().await;
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_is_removed_makes_the_server_unready_and_ends_issuance() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    assert_eq!(sign_in(&world, &server).await, 200);
    let files: Vec<_> = find(&world.path("."), "deputy.db");
    assert!(!files.is_empty());
    for file in files {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(sign_in(&world, &server).await, 503);
    assert!(until(&server.management, 503).await < Duration::from_secs(3));
    sleep(Duration::from_secs(1)).await;
    let log = server.log();
    assert_eq!(log.matches("not ready").count(), 1, "{log}");
    assert!(server.metrics().await.contains("deputy_ready 0"));
    server.kill_9().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_that_cannot_be_anchored_makes_the_server_unready_until_it_can() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    // The file is empty until the first checkpoint, ten seconds after the first row.
    let data_dir = find(&world.path("."), "deputy.db").remove(0).parent().unwrap().to_owned();
    let file = data_dir.join("audit-checkpoints.jsonl");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(sign_in(&world, &server).await, 200);
    until(&server.management, 503).await;
    assert!(server.log().contains("the audit checkpoint could not be written"), "{}", server.log());
    std::fs::remove_dir(&file).unwrap();
    until(&server.management, 200).await;
    server.stop().await;
    world.finish().await;
}

fn find(directory: &std::path::Path, beginning: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(find(&entry.path(), beginning));
        } else if entry.file_name().to_string_lossy().starts_with(beginning)
            && !entry.file_name().to_string_lossy().ends_with(".toml")
        {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_takes_no_writes_makes_the_server_unready_until_it_does() {
    if !Backend::is_postgres_there() {
        return;
    }
    let world = World::new(Backend::Postgres).await;
    let mut server = world.start().await;
    world.administer("ALTER DATABASE %d SET default_transaction_read_only = on").await;
    world.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%d'").await;
    assert!(until(&server.management, 503).await < Duration::from_secs(5));
    assert_eq!(sign_in(&world, &server).await, 503);
    world.administer("ALTER DATABASE %d RESET default_transaction_read_only").await;
    assert!(until(&server.management, 200).await < Duration::from_secs(5));
    assert_eq!(sign_in(&world, &server).await, 200);
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_does_not_answer_makes_the_server_unready_until_it_does() {
    if !Backend::is_postgres_there() {
        return;
    }
    let world = World::new(Backend::Postgres).await;
    let gate = world.behind_a_gate().await;
    let mut server = world.start().await;
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let token = assistant.sign_in(&server.base, &world.id_token("ulla"), "tickets", SCOPE).await.token();
    gate.freeze();
    let (status, unready_after) =
        tokio::join!(sign_in(&world, &server), async { until(&server.management, 503).await });
    assert_eq!(status, 503);
    assert!(unready_after < Duration::from_secs(4), "{unready_after:?}");
    assert!(!server.log().contains("ready again"), "{}", server.log());
    gate.thaw();
    assert!(until(&server.management, 200).await < Duration::from_secs(10));
    assert_eq!(sign_in(&world, &server).await, 200);
    assert!(api.introspect(&server.base, &token).await.is_active());
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_moves_is_found_although_the_old_one_still_answers() {
    if !Backend::is_postgres_there() {
        return;
    }
    let Some(second) = SecondServer::start() else { return };
    let world = World::new(Backend::Postgres).await;
    let gate = world.behind_a_gate().await;
    let mut server = world.start().await;
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let token = assistant.sign_in(&server.base, &world.id_token("ulla"), "tickets", SCOPE).await.token();
    world.administer("ALTER DATABASE %d SET default_transaction_read_only = on").await;
    world.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%d'").await;
    until(&server.management, 503).await;
    let copy = second.copy(&world.database_url(), &world.path("."));
    assert_eq!(sign_in(&world, &server).await, 503);
    gate.lead_to(&copy);
    assert!(until(&server.management, 200).await < Duration::from_secs(10));
    assert_eq!(sign_in(&world, &server).await, 200);
    assert!(api.introspect(&server.base, &token).await.is_active());
    assert!(world.deputy(&["audit", "verify"]).await.status.success());
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_disagrees_with_that_of_the_database_makes_the_server_unready() {
    if !Backend::is_postgres_there() {
        return;
    }
    let world = World::new(Backend::Postgres).await;
    let mut first = world.start().await;
    let management = first.management.clone();
    first.stop().await;
    for (offset, status) in [(30, 200), (90, 503)] {
        let variables = world.set_clock_offset(offset);
        let mut child = command(world.config(), &["serve"], &variables)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until_it_listens(&management).await;
        assert_eq!(readiness(&management).await, status, "{offset} s ahead");
        child.kill().await.unwrap();
    }
    world.finish().await;
}
