//! `deputy sandbox` as a viewer runs it: the real binary, its output, its exit code, and what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The issue's limit for one run.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the sandbox's user was born on.
const BIRTHDATE: &str = "1991-05-17";
const DRILLS: usize = 9;

/// A place for the sandbox's temporary files, so that what is left of them is seen.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        // Not below the usual directory: a socket's path is short.
        Self(tempfile::Builder::new().prefix("sb").tempdir().expect("a directory"))
    }

    fn sandbox(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deputy"));
        command
            .arg("sandbox")
            .args(arguments)
            .env("TMPDIR", self.0.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        timeout(PATIENCE, self.sandbox(arguments).output()).await.expect("an end in time").expect("a process")
    }

    fn left_behind(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.0.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }

    /// A directory with the built-in permit and a rule that forbids every yes/no answer.
    fn denying_policy(&self) -> TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/exchange.cedar");
        std::fs::copy(own, directory.path().join("exchange.cedar")).expect("the default permit");
        let rule = r#"
            @id("nobody-learns-an-age")
            @reason("nothing with an answer in it")
            forbid (principal, action == Deputy::Action::"exchange", resource)
            when { !context.answers.isEmpty() };
        "#;
        std::fs::write(directory.path().join("ages.cedar"), rule).expect("a policy");
        directory
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn told(output: &Output) -> String {
    format!("{}\n{}", text(output), String::from_utf8_lossy(&output.stderr))
}

/// Characters of base64url in one piece: 86 of them are an ES256 signature.
fn longest_opaque(text: &str) -> usize {
    let is_opaque = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c| !is_opaque(c)).map(str::len).max().unwrap_or_default()
}

#[tokio::test]
async fn the_story_is_told_whole_in_plain_lines_and_leaves_nothing_behind() {
    let place = Place::new();
    let output = place.run(&["--once"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let text = text(&output);
    let story = text.split("The story:").next().expect("a story");
    assert!(story.lines().count() <= 150, "the story has {} lines", story.lines().count());
    for name in ["Alice", "the assistant", "the age agent", "the tickets API"] {
        assert!(story.contains(name), "{name} is not named");
    }
    let drills = text.lines().filter(|line| line.starts_with("== Drill ")).count();
    assert_eq!(drills, DRILLS, "{text}");
    let denials = text.matches("DENIED").count();
    for said in ["who asked:", "for what:", "the rule:", "would have passed:"] {
        assert_eq!(text.matches(said).count(), denials, "{said}");
    }
    assert!(denials > DRILLS);
    assert!(!text.contains("DIFFERS"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('┌'), "escape codes or frames in a pipe");
    assert!(longest_opaque(&text) < 80, "a signature is shown");
    assert!(!text.contains(BIRTHDATE));
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn as_json_each_step_is_one_object_with_the_documented_members() {
    let place = Place::new();
    let output = place.run(&["--once", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let text = text(&output);
    let steps: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    for step in &steps {
        for member in ["step", "request", "response", "token", "decision", "audit"] {
            assert!(step.get(member).is_some(), "{member} is missing: {step}");
        }
        assert_eq!(step["ok"], true, "{step}");
    }
    let answer = steps.iter().find(|step| step["step"] == "5").expect("the age agent's step");
    let claims = &answer["token"]["claims"];
    assert_eq!(claims["age_over_18"], true);
    assert!(claims["act"]["act"]["sub"].as_str().is_some_and(|sub| sub.starts_with("agent_")), "{claims}");
    assert_eq!(claims["act"]["act"].get("act"), None, "{claims}");
    assert_eq!(answer["decision"]["policy"]["decision"], "permit");
    assert_eq!(answer["audit"]["agent_created"], true);
    assert_eq!(claims["cnf"]["jkt"], answer["request"]["proof_by"]);
    let task = steps.iter().find(|step| step["step"] == "2").expect("the task token");
    assert_eq!(task["token"]["claims"]["cnf"]["jkt"], task["request"]["proof_by"]);
    assert_ne!(task["request"]["proof_by"], answer["request"]["proof_by"], "each agent has a key of its own");
    assert_eq!(task["request"]["params"].get("client_id"), None, "the pod's token names the client");
    assert!(!text.contains(BIRTHDATE) && longest_opaque(&text) < 80);
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_is_stolen_fails_in_other_hands_and_the_record_says_why() {
    let place = Place::new();
    let output = place.run(&["--once", "--json"]).await;
    let text = text(&output);
    let drill = |name: &str| {
        let steps = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("one object a line"));
        steps.into_iter().find(|step| step["step"] == name).expect("the drill")
    };
    for (name, reason, cause) in [
        ("drill-5", "subject_token_unacceptable", "not_yours"),
        ("drill-6", "credential_pinned", "credential_pinned"),
    ] {
        let step = drill(name);
        assert_eq!(
            (&step["response"]["status"], &step["response"]["body"]["reason"]),
            (&400.into(), &reason.into())
        );
        assert_eq!(step["audit"]["cause"], cause, "{step}");
        assert_eq!(step["audit"]["jkt"], step["request"]["proof_by"], "the key of the thief is on record");
        assert_eq!(step["request"]["from"], "thief");
    }
    let by_task_token =
        "the same thief with the assistant's task token: 400 subject_token_unacceptable [cause other_key]";
    assert!(drill("drill-6")["text"].as_array().expect("lines").contains(&by_task_token.into()));
}

#[tokio::test]
async fn a_policy_that_denies_the_age_answer_shows_in_the_exit_code_and_is_named() {
    let place = Place::new();
    let policy = place.denying_policy();
    let directory = policy.path().to_str().expect("a path");
    let output = place.run(&["--once", "--policy", directory]).await;
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));

    let text = text(&output);
    assert!(text.contains("DIFFERS status: expected 200, got 400"), "{text}");
    assert!(text.contains("by policy nobody-learns-an-age"), "{text}");
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

/// A sandbox that stays up, and what it printed until it offered lines to copy.
async fn staying(place: &Place) -> (Child, Vec<String>) {
    let mut child = place.sandbox(&[]).spawn().expect("a process");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut offered = Vec::new();
    let reading = async {
        let mut is_offer = false;
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            is_offer |= line.starts_with("== Now you");
            if is_offer {
                offered.push(line.clone());
            }
            if is_offer && line.starts_with("The token files") {
                break;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("lines in time");
    assert!(!offered.is_empty(), "nothing was offered");
    (child, offered)
}

async fn interrupt(mut child: Child) -> Option<i32> {
    let id = child.id().expect("a running process").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill").success());
    timeout(PATIENCE, child.wait()).await.expect("an end in time").expect("a process").code()
}

#[tokio::test]
async fn the_curl_lines_work_as_they_stand() {
    let place = Place::new();
    let (child, offered) = staying(&place).await;
    let mut answers = Vec::new();
    for line in offered.iter().filter(|line| !line.starts_with(['#', '=']) && !line.starts_with("The token"))
    {
        let output =
            Command::new("sh").args(["-c", line]).stdin(Stdio::null()).output().await.expect("a shell");
        assert!(output.status.success(), "`{line}` fails (is curl there?): {}", told(&output));
        answers.push((line.clone(), text(&output)));
    }
    let of = |part: &str| -> &str {
        &answers
            .iter()
            .find(|(line, _)| line.contains(part))
            .unwrap_or_else(|| panic!("no line with {part}"))
            .1
    };
    assert!(of("/.well-known/").contains("token_endpoint"));
    assert!(of("@").contains("access_token"), "hop 0: {}", of("@"));
    assert!(of("task_token").contains("access_token"), "{}", of("task_token"));
    assert!(of("scope=tickets:book").contains("scope_not_in_subject"), "{}", of("scope=tickets:book"));
    assert!(of("/search").contains("moonlight"), "{}", of("/search"));
    assert!(of("/introspect").contains("\"active\":true"), "{}", of("/introspect"));
    assert!(of("/revoke").trim_end().ends_with("200"), "{}", of("/revoke"));
    assert!(of("agent list").contains("agent_"), "{}", of("agent list"));
    assert_eq!(interrupt(child).await, Some(0));
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_interrupt_in_the_middle_leaves_nothing_behind() {
    let place = Place::new();
    let child = place.sandbox(&["--once"]).stdout(Stdio::null()).spawn().expect("a process");
    let until = tokio::time::Instant::now() + PATIENCE;
    while place.left_behind().is_empty() {
        assert!(tokio::time::Instant::now() < until, "the sandbox made no directory");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(interrupt(child).await, Some(1));
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}
