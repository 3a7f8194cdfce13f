//! What the log says of refusals, and how the variables set it.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::process_support::server::command;
use crate::process_support::{Backend, World};

const PATIENCE: Duration = Duration::from_secs(60);

const REFUSED: &str = "a request was refused";

/// The lines of a log that say this.
pub fn lines<'a>(log: &'a str, said: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(said)).collect()
}

/// How many requests those lines stand for: each for itself, and some for as many as they were held back.
pub fn counted(log: &str, said: &str) -> usize {
    let of_line = |line: &str| line.rsplit_once(" count=").map_or(1, |(_, count)| count.parse().unwrap());
    lines(log, said).into_iter().map(of_line).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_has_a_line_and_those_of_one_cause_share_one_a_second() {
    let world = World::new(Backend::Sqlite).await;
    let mut server = world.start().await;
    let (assistant, base) = (world.caller("assistant"), server.base.clone());
    let task =
        assistant.sign_in(&base, &world.id_token("ulla"), world.issuer(), "tickets:search").await.token();
    let begun = Instant::now();

    for _ in 0..30 {
        let answer = assistant.exchange(&base, &task, "tickets", "tickets:cancel").await;
        assert_eq!(answer.refusal(), (400, "invalid_scope", "scope_not_in_subject"), "{}", answer.text);
    }
    let other = assistant.exchange(&base, &task, "nowhere", "tickets:search").await;

    let until = Instant::now() + PATIENCE;
    while counted(&server.log(), REFUSED) < 31 {
        assert!(Instant::now() < until, "{}", server.log());
        sleep(Duration::from_millis(50)).await;
    }
    let log = server.log();
    assert_eq!(counted(&log, REFUSED), 31, "{log}");
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(lines(&log, REFUSED).len() <= 2 * (seconds + 2), "{log}");
    let id = other.json["request_id"].as_str().unwrap();
    let line = lines(&log, REFUSED).into_iter().find(|line| line.contains(id)).expect("its line");
    for told in [
        " INFO ",
        "client.id=\"assistant\"",
        "endpoint=\"token\"",
        "error=\"invalid_target\"",
        "reason=\"target_unknown\"",
        "cause=\"target_unknown\"",
    ] {
        assert!(line.contains(told), "{told} in {line}");
    }
    assert!(!log.contains("ulla"), "{log}");
    server.stop().await;
    // The search for tokens in the log is a part of this.
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_json_where_the_variable_says_so_and_has_no_lines_of_libraries() {
    let world = World::new(Backend::Sqlite).await;
    let variables = [("DEPUTY_LOG", "info".to_owned()), ("DEPUTY_LOG_FORMAT", "json".to_owned())];
    let mut server = world.start_node(0, &variables).await.expect("it serves");
    let answer = world.caller_named("nobody-registered").introspect(&server.base, "x").await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    server.stop().await;

    let log = server.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["target"].as_str().unwrap().starts_with("deputy")), "{log}");
    let refused = lines.iter().find(|line| line["fields"]["message"] == "a request was refused").expect(&log);
    assert_eq!(refused["level"], "INFO");
    assert_eq!(refused["fields"]["reason"], "client_authentication_failed");
    assert_eq!(refused["fields"]["client.id"], "", "a client that is not registered is not named");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_setting_that_is_not_known_is_refused_at_the_start() {
    let world = World::new(Backend::Sqlite).await;
    for (variable, value, told) in [
        ("DEPUTY_LOG", "json", "DEPUTY_LOG_FORMAT sets the form of the log"),
        ("DEPUTY_LOG_FORMAT", "xml", "write `text` or `json`"),
    ] {
        let serve = command(world.config(), &["serve"], &[(variable, value.to_owned())]).output();
        let Output { status, stderr, .. } = timeout(PATIENCE, serve).await.expect("an end").unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_of_policies_that_the_configuration_lacks_are_logged_at_each_load() {
    let world = World::new(Backend::Sqlite).await;
    let with = |policy: &str| {
        let toml = std::fs::read_to_string(world.config()).unwrap();
        std::fs::write(world.config(), format!("{toml}\n{policy}")).unwrap();
    };
    let rule = |client: &str| {
        let permit = include_str!("../../../policies/exchange.cedar");
        let forbid = format!("context.client == Deputy::Client::\"{client}\"");
        let text =
            format!("{permit}\n@id(\"no-robots\") forbid (principal, action, resource) when {{ {forbid} }};");
        std::fs::create_dir_all(world.path("rules")).unwrap();
        std::fs::write(world.path("rules/new"), text).unwrap();
        std::fs::rename(world.path("rules/new"), world.path("rules/robots.cedar")).unwrap();
    };
    let until = async |log: &dyn Fn() -> String, said: &str| {
        let end = Instant::now() + PATIENCE;
        while !log().contains(said) {
            assert!(Instant::now() < end, "{said} in {}", log());
            sleep(Duration::from_millis(50)).await;
        }
    };
    let named = |client: &str| format!("/rules/robots.cedar: `no-robots` names the client `{client}`");
    let mut server = world.start().await;
    assert!(!server.log().contains(" policy: "), "the built-in set has no such word: {}", server.log());

    rule("asistant");
    with("[policy]\ndirectory = \"rules\"\n");
    server.signal("HUP").await;
    until(&|| server.log(), "configuration reloaded").await;
    assert!(server.log().contains(&named("asistant")), "{}", server.log());
    assert!(server.log().contains("the nearest is `assistant`"), "{}", server.log());

    rule("stranjer");
    until(&|| server.log(), "the new set is in force").await;
    until(&|| server.log(), &named("stranjer")).await;

    server.stop().await;
    rule("agent-bee");
    let mut server = world.start().await;
    assert!(server.log().contains(&named("agent-bee")), "{}", server.log());
    server.stop().await;
    world.finish().await;
}
