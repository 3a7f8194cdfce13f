//! `deputy sandbox` as a viewer runs it: the real binary, its output, its exit code, and what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The issue's limit for one run.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the sandbox's user was born on.
const BIRTHDATE: &str = "1991-05-17";
const DRILLS: usize = 12;
/// The columns of a line where the output is no terminal.
const WIDTH: usize = 80;
/// The most lines of the story at that width.
const STORY_LINES: usize = 240;

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

/// The text in one line, so that sentences are found wherever they were broken.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The steps that were told as JSON.
fn steps(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
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
    assert!(story.lines().count() <= STORY_LINES, "the story has {} lines", story.lines().count());
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "a line of {} columns: {line}", line.chars().count());
    }
    for name in ["Alice", "the assistant", "the age agent", "the tickets API"] {
        assert!(story.contains(name), "{name} is not named");
    }
    for drill in 1..=DRILLS {
        let told = [format!("== Drill {drill}: "), format!("== Drill {drill}a: ")];
        assert!(text.lines().any(|line| told.iter().any(|told| line.starts_with(told))), "{told:?}");
    }
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

/// The lines of a step that differ in no run: its title and its words, and what its token means.
fn lasting(text: &str, title: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| !line.starts_with(title));
    let (words, told): (Vec<&str>, Vec<&str>) = lines
        .take_while(|line| !line.is_empty() && !line.starts_with("```"))
        .partition(|line| !line.starts_with(' '));
    let means = told.into_iter().skip_while(|line| !line.starts_with("  token")).take(2);
    words.into_iter().chain(means).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_readme_shows_a_step_as_it_is_told() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("a page");
    let shown = lasting(&readme, "== 5. ");
    assert!(shown.len() > 3, "{shown:?}");
    assert_eq!(shown, lasting(&text(&Place::new().run(&["--once"]).await), "== 5. "));
}

#[tokio::test]
async fn as_json_each_step_is_one_object_with_the_documented_members() {
    let place = Place::new();
    let output = place.run(&["--once", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let (text, steps) = (text(&output), steps(&output));
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
    let steps = steps(&output);
    let drill = |name: &str| steps.iter().find(|step| step["step"] == name).expect("the drill");
    for (name, reason, cause) in [
        ("drill-5", "subject_token_unacceptable", "not_yours"),
        ("drill-6", "credential_pinned", "credential_pinned"),
        ("drill-7", "subject_token_unacceptable", "handed_to_another"),
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
    assert!(unbroken(&text).contains("would have passed: nothing with an answer in it"), "{text}");
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

/// A sandbox that stays up, as the first command of README.md below "## Two commands" starts it, and what it printed from the
/// commands on that it offered.
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
            if is_offer && line.starts_with("# The token files") {
                break;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("lines in time");
    assert!(!offered.is_empty(), "nothing was offered");
    (child, offered)
}

/// The commands among the lines that were offered, each with the lines on which it goes on.
fn commands(offered: &[String]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in offered.iter().filter(|line| !line.is_empty() && !line.starts_with(['#', '='])) {
        match commands.last_mut() {
            Some(command) if goes_on => *command += &format!("\n{line}"),
            _ => commands.push(line.clone()),
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

async fn interrupt(mut child: Child) -> Option<i32> {
    let id = child.id().expect("a running process").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill").success());
    timeout(PATIENCE, child.wait()).await.expect("an end in time").expect("a process").code()
}

#[tokio::test]
async fn the_commands_work_as_they_stand() {
    let place = Place::new();
    let (child, offered) = staying(&place).await;
    let commands = commands(&offered);
    let (go_there, commands) = commands.split_first().expect("commands");
    assert!(go_there.starts_with("cd "), "{go_there}");
    let mut answers = Vec::new();
    for command in commands {
        let script = format!("{go_there}\n{command}");
        let output =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).output().await.expect("a shell");
        assert!(output.status.success(), "`{command}` fails (is curl there?): {}", told(&output));
        assert!(text(&output).ends_with('\n'), "`{command}` does not end its last line: {}", told(&output));
        answers.push((command.clone(), text(&output)));
    }
    let of = |part: &str| -> &str {
        &answers
            .iter()
            .find(|(command, _)| command.contains(part))
            .unwrap_or_else(|| panic!("no command with {part}"))
            .1
    };
    assert!(of("/.well-known/").contains("token_endpoint"));
    assert!(of("subject_token@id_token").contains("access_token"), "{}", of("subject_token@id_token"));
    assert!(of("subject_token@task_token").contains("access_token"), "{}", of("subject_token@task_token"));
    for decoded in [of("token exchange"), of("token inspect --token-file access_token")] {
        assert!(decoded.contains("tickets:search") && decoded.contains("agent_"), "{decoded}");
    }
    assert!(of("scope=tickets:book").contains("scope_not_in_subject"), "{}", of("scope=tickets:book"));
    assert!(of("/search").contains("moonlight"), "{}", of("/search"));
    assert!(of("/introspect").contains("\"active\":true"), "{}", of("/introspect"));
    assert!(of("/revoke").trim_end().ends_with("200"), "{}", of("/revoke"));
    assert!(of("audit trace").contains("scope_not_in_subject"), "{}", of("audit trace"));
    assert!(of("agent explain").contains("age-verification"), "{}", of("agent explain"));
    assert!(of("agent list").contains("agent_"), "{}", of("agent list"));
    assert!(of("audit verify").contains("the audit log is whole"), "{}", of("audit verify"));
    let said = unbroken(&offered.join("\n").replace("\n# ", "\n"));
    assert!(said.contains("The answer is 400 invalid_scope, reason scope_not_in_subject"), "{said}");
    assert_eq!(interrupt(child).await, Some(0));
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_reader_of_the_output_learns_who_got_what_which_rule_refused_and_what_is_not_enforced() {
    let place = Place::new();
    let output = place.run(&["--once"]).await;
    let text = text(&output);
    let whole = unbroken(&text);

    // Who takes part.
    for said in
        ["Alice the user.", "the assistant an AI agent that books for Alice.", "the age agent a second agent"]
    {
        assert!(whole.contains(said), "{said}");
    }
    // What each agent was granted, where it was granted and once more at the end.
    let grants = whole.split("== In short: who was granted what").nth(1).expect("a summary");
    let grants = grants.split("== ").next().expect("a summary");
    for (agent, what) in [
        (
            "the assistant",
            "a task token; good at: Deputy; may: age_over_18 tickets:book tickets:search; 3600 s",
        ),
        ("the assistant", "an access token; good at: tickets; may: tickets:search; 300 s"),
        ("the assistant", "an access token; good at: tickets; may: tickets:book; 300 s"),
        ("the assistant", "an access token; good at: age-agent; may: age_over_18; 300 s"),
        ("the age agent", "an access token; good at: tickets; may: age_over_18; 120 s"),
        ("the assistant", "a handover; good at: Deputy; may: ticket:carry;"),
        ("the courier", "an access token; good at: courier-desk; may: ticket:carry; 300 s"),
        ("the nightly job", "an access token; good at: tickets; may: sales:count; 300 s"),
        ("the nightly job", "a task token; good at: Deputy; may: report:carry;"),
        ("the job's courier", "an access token; good at: courier-desk; may: report:carry; 300 s"),
    ] {
        let (before, _) = grants.split_once(what).unwrap_or_else(|| panic!("{what} is not in {grants}"));
        let named = ["the assistant", "the age agent", "the courier", "the nightly job", "the job's courier"]
            .into_iter()
            .max_by_key(|name| before.rfind(&format!("{name} ")));
        assert_eq!(named, Some(agent), "{what}");
        let (_, may) = what.split_once("; ").expect("a kind");
        let is_told = [format!("acts: {agent}"), format!("about {agent} itself")]
            .iter()
            .any(|told| whole.contains(told));
        assert!(is_told && whole.contains(may), "{what}");
    }
    // Which rule refused: beside each refusal and once more at the end.
    let refusals = whole.split("== In short: what was refused, and by which rule").nth(1).expect("a summary");
    assert_eq!(refusals.matches("The rule: ").count(), text.matches("DENIED").count());
    for (refused, rule) in [
        ("4b.", "events for adults need age_over_18"),
        ("7b.", "a token lives only while its task"),
        ("Drill 1:", "a token is good until its `exp`"),
        ("Drill 2:", "every scope for mfa at least"),
        ("Drill 3:", "only shrink"),
        ("Drill 4:", "tasks.max_chain_depth = 4"),
        ("Drill 5:", "only by the agent it names"),
        ("Drill 6:", "pinned to the first key"),
        ("Drill 7:", "only by the agent, or an agent of the class, that is on record for it"),
        ("9d.", "a scope is for tokens that a user is behind"),
        ("Drill 8:", "begins no other"),
        ("Drill 9:", "a revocation that was acknowledged is durable"),
        ("Drill 10b:", "bookings-closed, in policies/bookings-closed.cedar"),
        ("Drill 11:", "what nobody can check is refused"),
        ("Drill 12:", "every row is hashed"),
    ] {
        let (_, from) = refusals.split_once(refused).unwrap_or_else(|| panic!("{refused} is not told"));
        let told = from.split(" - ").next().unwrap_or_default();
        assert!(told.contains(rule), "{refused} {told}");
    }
    // What a pairwise pseudonym is, before the first one is shown in a token.
    let (before, _) = whole.split_once("\"sub\":\"pw_").expect("a pairwise subject");
    assert!(before.contains("a pairwise pseudonym, by which this API knows her again"));
    // What is not enforced, with what came of trying it.
    let (_, limits) = whole.split_once("== What Deputy does not enforce").expect("the limits");
    for said in [
        "An API that only verifies tokens offline takes a revoked one until it expires: here 300 seconds at most",
        "a thief searched with a copy of a token of the client `you`: 200",
        "never the call to the API with its arguments",
        "the assistant booked a second ticket with the same tokens: 200",
        "booking with the search token: 403, from the tickets API and not from Deputy",
        "When Alice signs out at her provider, or her account is closed there, nobody tells Deputy",
        "No page of Deputy showed her the purpose or the scopes",
        "all know the assistant by one identifier",
    ] {
        assert!(limits.contains(said), "{said}");
    }
}

#[tokio::test]
async fn a_rule_that_the_operator_writes_refuses_until_it_is_removed() {
    let place = Place::new();
    let output = place.run(&["--json", "--drill", "policy-denies"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let steps = steps(&output);
    let names: Vec<&str> = steps.iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(names, ["drill-10a", "drill-10b", "drill-10c"], "only the drill is told");
    let rule = steps[0]["text"].as_array().expect("lines").iter().filter_map(Value::as_str);
    assert!(rule.clone().any(|line| line.trim() == "@id(\"bookings-closed\")"), "the file is shown");
    let denied = &steps[1];
    assert_eq!(denied["response"]["body"]["reason"], "policy_denied");
    assert_eq!(denied["audit"]["policy"]["policies"], serde_json::json!(["bookings-closed"]));
    let passes = denied["decision"]["denied"]["would_pass"].as_str().expect("a text");
    assert!(passes.contains("a token for tickets:search would be allowed"), "{passes}");
    assert_eq!(steps[2]["response"]["status"], 200);
    assert_eq!(steps[2]["token"]["claims"]["scope"], "tickets:book");
}

#[tokio::test]
async fn without_its_provider_deputy_goes_on_with_what_it_knows_and_refuses_to_guess() {
    let place = Place::new();
    let output = place.run(&["--json", "--drill", "11"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));

    let [step] = &steps(&output)[..] else { panic!("one step: {}", told(&output)) };
    assert_eq!(step["response"]["status"], 503);
    assert_eq!(step["response"]["body"]["error"], "temporarily_unavailable");
    for what in [
        "a task token goes on",
        "a login by a known key begins a task",
        "it says when to ask again",
        "it begins a task when the provider is back",
    ] {
        let check = step["checks"].as_array().expect("checks").iter().find(|check| check["what"] == what);
        assert_eq!(check.expect("the check")["ok"], true, "{what}");
    }
}

#[tokio::test]
async fn one_drill_is_told_by_its_number_or_its_name() {
    let place = Place::new();
    let listed = text(&place.run(&["--list-drills"]).await);
    assert_eq!(listed.lines().count(), DRILLS);
    assert!(listed.lines().any(|line| line.contains(" 3  scope-escalation ")), "{listed}");
    for named in ["3", "scope-escalation"] {
        let output = place.run(&["--drill", named]).await;
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        let text = text(&output);
        let titles: Vec<&str> = text.lines().filter(|line| line.starts_with("== ")).collect();
        assert_eq!(titles, ["== Drill 3: scope escalation [ok: 4 checks]"]);
        assert!(text.contains("The story was played without being told: 12 steps"), "{text}");
    }
    let policy = place.denying_policy();
    let directory = policy.path().to_str().expect("a path");
    for (arguments, said) in [
        (&["--drill", "13"][..], "1 to 12"),
        (&["--drill", "scope-escalaton"], "`scope-escalation`"),
        (&["--drill", "policy-denies", "--policy", directory], "nothing is written into the directory"),
        (&["--step", "--json"], "leave out `--step`"),
    ] {
        let output = place.run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {}", told(&output));
        assert!(told(&output).contains(said), "{}", told(&output));
    }
    assert_eq!(place.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn where_steps_are_asked_for_each_one_waits_for_enter() {
    let place = Place::new();
    let mut child = place.sandbox(&["--once", "--step"]).stdin(Stdio::piped()).spawn().expect("a process");
    let mut enter = child.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // The welcome is followed by the steps 1, 2 and 3a.
    for told in ["== DEPUTY SANDBOX", "== 1. ", "== 2. ", "== 3a. "] {
        let step = async {
            let mut titles = Vec::new();
            loop {
                let line = lines.next_line().await.expect("UTF-8").expect("a step");
                if line.starts_with("-- Enter") {
                    return titles;
                }
                titles.extend(Some(line).filter(|line| line.starts_with("== ")));
            }
        };
        let titles = timeout(PATIENCE, step).await.expect("a step in time");
        assert!(titles.len() == 1 && titles[0].starts_with(told), "{titles:?}");
        if told != "== 3a. " {
            enter.write_all(b"\n").await.expect("a reader");
        }
    }
    enter.write_all(b"a\n").await.expect("a reader");
    let rest = async {
        let mut is_whole = false;
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            assert!(!line.starts_with("-- Enter"), "it goes on waiting");
            is_whole |= line.starts_with("The drills: ");
        }
        is_whole
    };
    assert!(timeout(PATIENCE, rest).await.expect("an end in time"));
    assert_eq!(child.wait().await.expect("a process").code(), Some(0));
}

#[tokio::test]
async fn what_a_killed_sandbox_left_behind_is_removed_by_the_next_one_and_that_of_a_running_one_stays() {
    let place = Place::new();
    let (mut killed, _) = staying(&place).await;
    let abandoned = place.left_behind();
    let id = killed.id().expect("a running process").to_string();
    assert!(Command::new("kill").args(["-KILL", &id]).status().await.expect("kill").success());
    assert_eq!(killed.wait().await.expect("a process").code(), None);
    assert_eq!((abandoned.len(), place.left_behind()), (1, abandoned.clone()), "no program sees this signal");

    let (running, offered) = staying(&place).await;
    let of_running = place.left_behind();
    assert_eq!(of_running.len(), 1);
    assert_ne!(of_running, abandoned);
    assert_eq!(place.run(&["--drill", "3"]).await.status.code(), Some(0));
    assert_eq!(place.left_behind(), of_running);
    let script = format!("{}\n./deputy agent list --config deputy.toml", commands(&offered)[0]);
    let output = Command::new("sh").args(["-c", &script]).output().await.expect("a shell");
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(interrupt(running).await, Some(0));
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
