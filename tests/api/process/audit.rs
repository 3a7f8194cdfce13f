//! What an operator reads of the record with the command line: lists, the end of it, copies that verify elsewhere, and
//! the pages that say how.

use std::process::Stdio;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Duration, timeout};

use crate::process_support::{Backend, Plan, Server, World};

/// Runs a verb that has to succeed, and gives what it printed.
async fn printed(world: &World, arguments: &[&str]) -> String {
    let output = world.deputy(arguments).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

async fn json_of(world: &World, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(world, &[arguments, &["--json"]].concat()).await).unwrap()
}

/// A verb in one line, with words that have no spaces.
async fn verb(world: &World, line: &str) -> String {
    printed(world, &line.split(' ').collect::<Vec<_>>()).await
}

/// A rule that denies holding tickets, beside the default ones.
const RULE: &str = r#"
@id("no-holds")
@reason("a scope other than tickets:hold would be allowed")
forbid (principal, action == Deputy::Action::"exchange", resource)
when { context.scopes.contains("tickets:hold") };
"#;
/// What its author says would have passed.
const REASON: &str = "a scope other than tickets:hold would be allowed";

/// A world with that rule.
async fn world_with_rule() -> World {
    let change = |toml: String| format!("{toml}\n[policy]\ndirectory = \"policies\"\n");
    let world = World::of(Backend::Sqlite, Plan { change, ..Plan::default() }).await;
    std::fs::create_dir(world.path("policies")).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")).unwrap() {
        let file = file.unwrap();
        if file.path().extension().is_some_and(|extension| extension == "cedar") {
            std::fs::copy(file.path(), world.path("policies").join(file.file_name())).unwrap();
        }
    }
    std::fs::write(world.path("policies/holds.cedar"), RULE).unwrap();
    world
}

/// Ann's task with a token for the tickets, a refusal of a rule and a refusal of Deputy's own.
struct Story {
    task: String,
    jti: String,
    /// The request that a rule refused, and what the caller was told.
    denied: (String, String),
}

async fn tell(world: &World, server: &Server) -> Story {
    let assistant = world.caller("assistant");
    let base = &server.base;
    let task_token = assistant.sign_in(base, &world.id_token("ann"), world.issuer(), "tickets:search").await;
    let token = assistant.exchange(base, &task_token.token(), "tickets", "tickets:search").await;
    let payload = token.token();
    let payload = data_encoding::BASE64URL_NOPAD.decode(payload.split('.').nth(1).unwrap().as_bytes());
    let claims: Value = serde_json::from_slice(&payload.unwrap()).unwrap();
    let denied = assistant.sign_in(base, &world.id_token("bob"), "tickets", "tickets:hold").await;
    assert_eq!(denied.refusal().2, "policy_denied");
    let nowhere = assistant.sign_in(base, &world.id_token("ann"), "nowhere", "tickets:search").await;
    assert_eq!(nowhere.status, 400);
    Story {
        task: task_token.task(),
        jti: claims["jti"].as_str().unwrap().to_owned(),
        denied: (denied.json["request_id"].as_str().unwrap().to_owned(), denied.text),
    }
}

/// Checks that lines are short: only one word may be longer than a line.
#[track_caller]
fn assert_short(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100 || !line.trim().contains(' '), "a long line: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_found_without_its_request_and_read_with_the_rule_and_its_reason() {
    let world = world_with_rule().await;
    let mut server = world.start().await;
    let story = tell(&world, &server).await;

    let refused = verb(&world, "audit list --refused --since 1h --client assistant").await;
    let whole = refused.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(whole.contains("token request: refused, policy_denied"), "{refused}");
    assert!(whole.contains(&format!("no-holds: {REASON}")), "{refused}");
    assert!(whole.contains(&format!("request {}", story.denied.0)), "{refused}");
    assert!(whole.contains("asked, at tickets: tickets:hold"), "{refused}");
    assert_eq!(refused.matches("token request: refused").count(), 2, "{refused}");
    assert!(refused.find("tickets:hold") < refused.find("target_"), "the newest is last: {refused}");
    assert_short(&refused);
    assert!(
        !story.denied.1.contains("no-holds") && !story.denied.1.contains("other than"),
        "the reason is on the wire: {}",
        story.denied.1
    );

    let traced = verb(&world, &format!("audit trace --request {}", story.denied.0)).await;
    assert!(traced.split_whitespace().collect::<Vec<_>>().join(" ").contains(REASON), "{traced}");
    assert!(traced.lines().next().unwrap().split(' ').next().unwrap().ends_with('Z'), "{traced}");
    let traced = verb(&world, &format!("audit trace --task {}", story.task)).await;
    assert!(traced.contains("token issued, and a task begun") && traced.contains(&story.jti), "{traced}");
    assert_short(&traced);
    let machine = json_of(&world, &["audit", "trace", "--jti", &story.jti]).await;
    assert_eq!(machine["rows"][0]["row"]["jti"], story.jti.as_str());
    let agents = json_of(&world, &["agent", "list"]).await;
    let agent = agents["agents"][0]["agent"].as_str().unwrap().to_owned();
    let explained = verb(&world, &format!("agent explain {agent}")).await;
    assert!(explained.contains(REASON), "{explained}");

    for (line, count) in [
        (format!("audit list --agent {agent} --outcome granted"), 2),
        (format!("audit list --task {} --event exchange", story.task), 2),
        ("audit list --event process".to_owned(), 1),
        ("audit list --client nobody".to_owned(), 0),
        ("audit list --since 1h --until 30m".to_owned(), 0),
        ("audit list --refused --limit 1".to_owned(), 1),
    ] {
        let found = json_of(&world, &line.split(' ').collect::<Vec<_>>()).await;
        assert_eq!(found["rows"].as_array().unwrap().len(), count, "{line}: {found}");
    }
    for wrong in ["--event nonsense", "--since yesterday", "--refused --outcome granted", "--limit 0"] {
        let arguments: Vec<&str> = "audit list".split(' ').chain(wrong.split(' ')).collect();
        assert_eq!(world.deputy(&arguments).await.status.code(), Some(2), "{wrong}");
    }
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_record_is_shown_and_followed() {
    let world = world_with_rule().await;
    let mut server = world.start().await;
    tell(&world, &server).await;
    let last = verb(&world, "audit tail -n 2").await;
    assert_eq!(last.lines().filter(|line| !line.starts_with(' ')).count(), 2, "{last}");
    assert!(last.contains("request: refused"), "{last}");

    let mut following = Command::new(env!("CARGO_BIN_EXE_deputy"))
        .args(["audit", "tail", "-n", "0", "--follow", "--json", "--config"])
        .arg(world.config())
        .env_remove("DEPUTY_CONFIG")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // It follows from where it began to read, so rows are made until one is shown.
    let mut shown = None;
    for _ in 0..60 {
        verb(&world, "kill class courier --yes").await;
        if let Ok(line) = timeout(Duration::from_secs(2), lines.next_line()).await {
            shown = line.unwrap();
            break;
        }
    }
    let shown: Value = serde_json::from_str(&shown.expect("a row")).unwrap();
    assert_eq!(shown["row"]["event"], "stop", "{shown}");
    following.kill().await.unwrap();
    server.stop().await;
    world.finish().await;
}

/// The hash of a line of an export, computed as `docs/audit.md` says.
fn hash_of(line: &Value) -> String {
    let mut context = Context::new(&SHA256);
    let chain = line["chain"].as_str().unwrap();
    context.update(b"deputy audit v1\0");
    context.update(&HEXLOWER.decode(line["previous"].as_str().unwrap().as_bytes()).unwrap());
    context.update(&(chain.len() as u64).to_be_bytes());
    context.update(chain.as_bytes());
    context.update(&line["seq"].as_i64().unwrap().to_be_bytes());
    context.update(line["body"].as_str().unwrap().as_bytes());
    HEXLOWER.encode(context.finish().as_ref())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_record_verifies_elsewhere_and_is_continued() {
    let world = world_with_rule().await;
    let mut server = world.start().await;
    tell(&world, &server).await;
    let output = world.deputy(&["audit", "export"]).await;
    let mut copy = String::from_utf8(output.stdout).unwrap();
    let note = String::from_utf8(output.stderr).unwrap();
    let (_, go_on) = note.trim_end().split_once("deputy audit export ").expect("how to go on");
    let first = copy.lines().count();
    assert!(copy.ends_with('\n') && first > 4, "{copy}");

    verb(&world, "kill class courier --yes").await;
    let rest = verb(&world, &format!("audit export {go_on}")).await;
    assert!(rest.lines().count() >= 1);
    copy.push_str(&rest);

    let lines: Vec<Value> = copy.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut previous = "0".repeat(64);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(
            (&line["seq"], line["previous"].as_str().unwrap()),
            (&Value::from(at + 1), previous.as_str())
        );
        previous = hash_of(line);
        assert_eq!(line["hash"], previous.as_str(), "{line}");
        let body: Value = serde_json::from_str(line["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["seq"], line["seq"]);
    }
    assert_eq!(verb(&world, "audit export --until 2020-01-01T00:00:00Z").await, "");
    let all = verb(&world, "audit export --since 2020-01-01T00:00:00Z").await;
    assert!(all.starts_with(&copy), "the same rows in the same words");
    let unknown = world.deputy(&["audit", "export", "--after", "0000000000000000:1"]).await;
    assert_eq!(unknown.status.code(), Some(3));
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_the_record_is_named_at_the_provider_and_stopped_by_the_reference() {
    let world = world_with_rule().await;
    let mut server = world.start().await;
    let story = tell(&world, &server).await;
    let rows = json_of(&world, &["audit", "trace", "--jti", &story.jti]).await;
    let reference = rows["rows"][0]["row"]["subject"].as_str().unwrap().to_owned();
    let name = format!("{}|ann", world.provider());

    let shown = json_of(&world, &["subject", "show", &reference]).await;
    assert_eq!(
        (&shown["id"], &shown["live_tasks"], &shown["is_stopped"]),
        (&"ann".into(), &1.into(), &false.into())
    );
    assert_eq!(json_of(&world, &["subject", "show", &name]).await, shown);
    for (name, code) in
        [("nobody", 2), ("https://login.example|nobody", 3), ("019f5b1e-7a10-7c3e-8a52-0d6a4f2b9c11", 3)]
    {
        assert_eq!(world.deputy(&["subject", "show", name]).await.status.code(), Some(code), "{name}");
    }

    let ended = verb(&world, &format!("kill user {reference} --yes")).await;
    assert!(ended.contains("known") && ended.contains("60 s from now"), "{ended}");
    let shown = json_of(&world, &["subject", "show", &reference]).await;
    // The answer is made a moment after what is on record, and never says an earlier time.
    let told = ended.split("Sign-ins and credentials up to ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(told >= shown["logins_after"].as_str().unwrap(), "{ended} {shown}");
    assert_eq!((&shown["is_stopped"], &shown["stops"][0]["kind"]), (&true.into(), &"user".into()));
    let again = json_of(&world, &["task", "end", "--subject", &reference]).await;
    assert!(again["logins_after"].is_string(), "{again}");
    let task = json_of(&world, &["task", "show", &story.task]).await;
    assert_eq!(task["is_live"], false, "{task}");
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stop_ends_is_shown_as_over() {
    let world = world_with_rule().await;
    let mut server = world.start().await;
    let story = tell(&world, &server).await;
    let agents = json_of(&world, &["agent", "list"]).await;
    assert_eq!(
        (&agents["agents"][0]["may_act"], &agents["agents"][0]["stopped_by"]),
        (&true.into(), &Value::Null)
    );
    let agent = agents["agents"][0]["agent"].as_str().unwrap().to_owned();
    let task = json_of(&world, &["task", "show", &story.task]).await;
    assert_eq!((&task["is_live"], &task["delegations"][1]["state"]), (&true.into(), &"live".into()));

    verb(&world, "kill target tickets --yes").await;
    let task = json_of(&world, &["task", "show", &story.task]).await;
    assert_eq!((&task["is_live"], &task["delegations"][1]["state"]), (&true.into(), &"stopped".into()));
    assert_eq!(task["delegations"][0]["state"], "live", "the task token is for Deputy itself");

    verb(&world, "kill client assistant --yes").await;
    let shown = json_of(&world, &["agent", "show", &agent]).await;
    assert_eq!((&shown["state"], &shown["may_act"]), (&"active".into(), &false.into()));
    assert_eq!(shown["stopped_by"], "client assistant");
    assert!(verb(&world, "agent list").await.contains("client assistant"));
    let task = json_of(&world, &["task", "show", &story.task]).await;
    assert_eq!(task["is_live"], false, "{task}");
    assert_eq!(task["delegations"][0]["state"], "task_ended", "{task}");
    assert_eq!(json_of(&world, &["task", "list", "--live"]).await["tasks"], Value::Array(Vec::new()));
    let explained = verb(&world, &format!("agent explain {agent}")).await;
    assert!(
        explained.contains("it may not act until the stop of the client assistant is lifted"),
        "{explained}"
    );
    let told =
        |line: &&str| line.contains(&story.task) && (line.contains("ended") || line.contains("is over"));
    assert!(explained.lines().any(|line| told(&line)), "{explained}");

    verb(&world, "lift client assistant").await;
    verb(&world, &format!("agent kill {agent}")).await;
    let explained = verb(&world, &format!("agent explain {agent}")).await;
    assert!(explained.contains("banned ") && explained.contains("(kill switch)"), "{explained}");
    assert!(!explained.contains("kill_switch"), "{explained}");
    server.stop().await;
    world.finish().await;
}
