//! What docs/operating.md tells operators to type, run on a server of its own.

use std::path::Path;
use std::process::Command;

use crate::process_support::{Backend, World};

/// The commands of the first `sh` block below a heading of the page.
fn commands(heading: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, below) = page.split_once(&format!("\n{heading}\n")).expect("the heading");
    let (_, block) = below.split_once("```sh\n").expect("a block");
    block.split_once("```").expect("its end").0.lines().map(str::to_owned).collect()
}

/// Runs commands of the page with the directories of this world in place of those that the page names.
fn run(world: &World, commands: &[String], variables: &[(&str, &str)]) -> String {
    let data_dir = world.path("node1-data");
    let backups = world.path("backups");
    std::fs::create_dir_all(&backups).unwrap();
    let places = [
        ("/var/lib/deputy", data_dir.to_str().unwrap()),
        ("/var/backups/deputy", backups.to_str().unwrap()),
        ("/etc/deputy/deputy.toml", world.config().to_str().unwrap()),
    ];
    let script = places.iter().fold(commands.join("\n"), |text, (place, here)| text.replace(place, here));
    let binary = Path::new(env!("CARGO_BIN_EXE_deputy")).parent().unwrap();
    let postgres = std::env::var("DEPUTY_TEST_PG_BIN").unwrap_or_default();
    let path = format!("{}:{postgres}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &script]).env("PATH", path).envs(variables.iter().copied());
    let done = shell.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}\n{told}");
    told
}

/// Copies a running server, revokes a token, and gets the server back from the copy, by the commands of the page without
/// those that `is_left_out` names. Whether the revoked token is valid afterwards.
async fn revives(is_left_out: impl Fn(&str) -> bool) -> bool {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let (assistant, api) = (world.caller("assistant"), world.caller("tickets-api"));
    let base = server.base.clone();
    let task =
        assistant.sign_in(&base, &world.id_token("ulla"), world.issuer(), "tickets:search").await.token();
    let before = assistant.exchange(&base, &task, "tickets", "tickets:search").await.token();

    let told = run(&world, &commands("### SQLite, while the server runs"), &[]);
    assert_eq!(told, "ok\n", "the copy is whole");

    let after = assistant.exchange(&base, &task, "tickets", "tickets:search").await.token();
    assert_eq!(assistant.revoke(&base, &before).await.status, 200);
    let restore: Vec<String> =
        commands("## Getting it back").into_iter().filter(|command| !is_left_out(command)).collect();
    assert_eq!(restore.first().map(String::as_str), Some("systemctl stop deputy"));
    assert_eq!(restore.last().map(String::as_str), Some("systemctl start deputy"));

    server.stop().await;
    let told = run(&world, &restore[1..restore.len() - 1], &[]);
    let mut server = world.start().await;

    assert!(told.contains("the audit log is whole"), "{told}");
    assert!(!api.introspect(&base, &after).await.is_active(), "the copy does not know it");
    let is_active = api.introspect(&base, &before).await.is_active();
    let again = assistant.sign_in(&base, &world.id_token("ulla"), world.issuer(), "tickets:search").await;
    assert_eq!(again.status, 200, "a user who signs in anew goes on: {}", again.text);
    server.stop().await;
    is_active
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_copy_a_running_server_and_get_it_back_without_reviving_anything() {
    assert!(!revives(|_| false).await, "a token that was revoked after the copy is valid again");
    let is_the_fence = |command: &str| command.starts_with("deputy clock reset");
    assert!(revives(is_the_fence).await, "the line that ends everything is what prevents it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_copy_a_postgresql_database_while_the_server_runs() {
    if !Backend::is_postgres_there() {
        return;
    }
    let world = World::new(Backend::Postgres).await;
    let mut server = world.start().await;
    let assistant = world.caller("assistant");
    let task =
        assistant.sign_in(&server.base, &world.id_token("ulla"), world.issuer(), "tickets:search").await;

    let url = world.database_url();
    let told = run(&world, &commands("### PostgreSQL"), &[("DATABASE_URL", &url)]);

    assert!(told.contains("backup successfully verified"), "{told}");
    let dump = world.path("backups/deputy.dump");
    let pick = format!("pg_restore --data-only --table=task --file=- {}", dump.display());
    let rows = run(&world, &[pick], &[]);
    assert!(rows.contains(&task.task().replace('-', "")), "the task is in the copy: {rows}");
    std::fs::remove_dir_all(world.path("backups/base")).unwrap();
    server.stop().await;
    world.finish().await;
}
