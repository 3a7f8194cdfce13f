//! What the audit holds of where requests came from, of who administered, and of the process itself.

use std::path::Path;

use diesel::{Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::process_support::{Backend, World};

#[derive(QueryableByName)]
struct Body {
    #[diesel(sql_type = diesel::sql_types::Text)]
    body: String,
}

/// Every row, in order.
fn rows(world: &World) -> Vec<Value> {
    let path = world.path("node1-data/deputy.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let rows: Vec<Body> =
        diesel::sql_query("SELECT body FROM audit ORDER BY seq").load(&mut connection).unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.body).unwrap()).collect()
}

fn of_kind(world: &World, event: &str) -> Vec<Value> {
    rows(world).into_iter().filter(|row| row["event"] == event).collect()
}

/// Waits for so many rows of a kind.
async fn until(world: &World, event: &str, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let found = of_kind(world, event);
        if found.len() >= count {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{found:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_says_where_a_request_came_from_and_which_key_and_user_asked() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let token = assistant.sign_in(&server.base, &world.id_token("ann"), "tickets", "tickets:search").await;
    assert!(api.introspect(&server.base, &token.token()).await.is_active());
    let refused = assistant.sign_in(&server.base, &world.id_token("ann"), "nowhere", "tickets:search").await;
    assert_eq!(assistant.revoke(&server.base, &token.token()).await.status, 200);
    assert!(world.deputy(&["key", "rotate"]).await.status.success());
    assert_eq!(world.deputy(&["agent", "kill", "agent_nobody"]).await.status.code(), Some(3));
    assert_eq!(world.deputy(&["key", "rotate"]).await.status.code(), Some(1));
    let request = refused.json["request_id"].as_str().unwrap();
    let trace = world.deputy(&["audit", "trace", "--request", request]).await;
    let trace = String::from_utf8(trace.stdout).unwrap();
    assert!(trace.contains("by client `assistant`, with its key `assistant`, from 127.0.0.1"), "{trace}");
    server.stop().await;

    let by_clients: Vec<Value> = rows(&world).into_iter().filter(|row| row["by"] == "client").collect();
    assert_eq!(by_clients.len(), 4);
    for row in by_clients {
        assert_eq!((&row["source"], &row["client_kid"]), (&json!("127.0.0.1"), &row["client"]), "{row}");
    }
    let uid = rustix::process::getuid().as_raw();
    let by_operators: Vec<Value> = rows(&world).into_iter().filter(|row| row["by"] == "operator").collect();
    assert_eq!(by_operators.len(), 3);
    for row in by_operators {
        assert_eq!(row["uid"], uid, "{row}");
    }
    let verbs: Vec<Value> =
        of_kind(&world, "verb").iter().map(|row| json!([row["verb"], row["cause"]])).collect();
    assert_eq!(verbs, [json!(["/agents/agent_nobody/kill", "not_found"])]);
    let causes: Vec<Value> = of_kind(&world, "key").iter().map(|row| row["cause"].clone()).collect();
    assert_eq!(causes.last(), Some(&json!("key_prepared")), "the second rotation");
    assert!(world.deputy(&["audit", "verify"]).await.status.success());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_stops_and_reloads_are_on_record_refused_ones_too() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let sound = std::fs::read_to_string(world.config()).unwrap();
    server.signal("HUP").await;
    until(&world, "process", 2).await;
    std::fs::write(world.config(), format!("nonsense = 1\n{sound}")).unwrap();
    server.signal("HUP").await;
    until(&world, "process", 3).await;
    let moved = sound.replacen("data_dir = \"node1-data\"", "data_dir = \"elsewhere\"", 1);
    assert_ne!(moved, sound);
    std::fs::write(world.config(), moved).unwrap();
    server.signal("HUP").await;
    until(&world, "process", 4).await;
    std::fs::write(world.config(), &sound).unwrap();
    server.stop().await;
    world.start().await.kill_9().await;
    world.start().await.stop().await;

    let told: Vec<Value> =
        of_kind(&world, "process").iter().map(|row| json!([row["act"], row["outcome"]])).collect();
    let expected = [
        ("start", "granted"),
        ("reload", "granted"),
        ("reload", "refused"),
        ("reload", "refused"),
        ("stop", "granted"),
        ("start", "granted"),
        ("start", "granted"),
        ("stop", "granted"),
    ];
    assert_eq!(told, expected.map(|(act, outcome)| json!([act, outcome])));
    let faults: Vec<String> =
        of_kind(&world, "process").iter().filter_map(|row| Some(row["fault"].as_str()?.to_owned())).collect();
    assert!(faults[0].contains("`nonsense`") && faults[1].contains("`data_dir`"), "{faults:?}");
    assert_eq!(of_kind(&world, "process").last(), rows(&world).last(), "nothing comes after a stop");
    assert!(world.deputy(&["audit", "verify"]).await.status.success());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_that_others_can_enter_is_not_served_from() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(Backend::Sqlite).await;
    let data_dir = world.path("node1-data");
    std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = world.start_node(0, &[]).await.err().expect("a refused start");
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("0755") && ended.log.contains("0700"), "{}", ended.log);
    let check = world.deputy(&["check", "--offline"]).await;
    assert!(String::from_utf8_lossy(&check.stdout).contains("chmod 0700"), "{check:?}");
    std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    world.start().await.stop().await;
    world.finish().await;
}

/// Runs `deputy check` as a user who may not enter `data_dir`, and gives what it says.
async fn check_as_another_user(world: &World, data_dir: &Path) -> String {
    /// A user that no system gives to anybody.
    const OTHER: u32 = 987_654;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deputy"));
    command.args(["check", "--offline", "--config"]).arg(world.config());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DEPUTY_")) {
        command.env_remove(name);
    }
    // Only a privileged process can become another user. The others take the right to enter from themselves.
    if std::os::unix::fs::chown(data_dir, Some(0), None).is_ok() {
        command.uid(OTHER).gid(OTHER);
    } else {
        set_mode(data_dir, 0o000);
    }
    let output = command.output().await.expect("deputy can be run");
    set_mode(data_dir, 0o700);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("the mode");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_by_another_user_says_so_and_not_that_something_is_missing() {
    let world = World::new(Backend::Sqlite).await;
    world.start().await.stop().await;
    let data_dir = world.path("node1-data");
    set_mode(&world.path("."), 0o755);

    let closed = check_as_another_user(&world, &data_dir).await;
    for secret in std::fs::read_dir(world.path("secrets")).expect("the secrets") {
        set_mode(&secret.expect("a secret").path(), 0o644);
    }
    let told = check_as_another_user(&world, &data_dir).await;

    for told in [&closed, &told] {
        let is_said = ["as the user that owns `data_dir`", "as the user that Deputy runs as"];
        assert!(is_said.iter().any(|words| told.contains(words)), "{told}");
        for wrong in ["is empty", "deputy init", "deputy migrate", "write the secret"] {
            assert!(!told.contains(wrong), "{told}");
        }
    }
    assert!(told.contains("failed   database"), "{told}");
    world.finish().await;
}
