//! The verbs of the command line against a running server, by their exit codes and what they print.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::process_support::{Backend, World};

/// `client_assertion_type` of a JWT (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a verb ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("an exit code");
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).expect("JSON")
    }
}

async fn verb(world: &World, line: &str) -> Ended {
    Ended::of(&world.deputy(&line.split(' ').collect::<Vec<_>>()).await)
}

/// The program, without the variables of this process that it would read.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deputy"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DEPUTY_")) {
        command.env_remove(name);
    }
    command
}

/// A verb that takes no configuration.
async fn verb_alone(line: &str) -> Ended {
    Ended::of(&program().args(line.split(' ')).output().await.expect("deputy can be run"))
}

/// `deputy token …` as the client `id`, with `token` on standard input.
async fn token_verb(world: &World, id: &str, line: &str, token: &str) -> Ended {
    let mut command = program();
    command.args(["token"]).args(line.split(' '));
    if !line.starts_with("inspect") {
        command.args(["--issuer", world.issuer(), "--client-id", id]);
        command.arg("--client-key-file").arg(world.path(&format!("keys/{id}.pem")));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("deputy can be run");
    let mut input = child.stdin.take().expect("standard input");
    // A verb that ends before it reads leaves a closed pipe.
    let _ = input.write_all(format!("{token}\n").as_bytes()).await;
    drop(input);
    Ended::of(&child.wait_with_output().await.expect("an end"))
}

/// Makes keys by the program, and registers them as those of the clients of these names.
async fn make_keys(world: &World, ids: &[&str]) {
    for id in ids {
        let output = Command::new(env!("CARGO_BIN_EXE_deputy"))
            .args(["key", "make", id, "--dir"])
            .arg(world.path("keys"))
            .output()
            .await
            .expect("deputy can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let registered = world.path(&format!("clients/{id}.json"));
        std::fs::copy(world.path(&format!("keys/{id}.jwks.json")), registered).expect("a key set");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verbs_that_administer_speak_to_the_running_server_and_say_by_exit_code_what_came_of_it() {
    let world = World::new(Backend::Sqlite).await;
    let away = verb(&world, "agent list").await;
    assert_eq!(away.code, 5, "{}", away.err);
    assert!(away.err.contains("deputy serve"), "the fix is not named: {}", away.err);
    let mut server = world.start().await;
    let base = server.base.clone();
    let [assistant, api] = ["assistant", "tickets-api"].map(|id| world.caller(id));
    let task_token = assistant.sign_in(&base, &world.id_token("ann"), world.issuer(), "tickets:search").await;
    let task = task_token.task();
    let token = assistant.exchange(&base, &task_token.token(), "tickets", "tickets:search").await.token();

    let agents = verb(&world, "agent list --json").await.json();
    let agent = agents["agents"][0]["agent"].as_str().expect("an agent").to_owned();
    assert!(verb(&world, "agent list").await.out.contains(&agent));
    assert_eq!(verb(&world, &format!("agent show {agent} --json")).await.json()["client"], "assistant");
    let explained = verb(&world, &format!("agent explain {agent}")).await;
    assert_eq!(explained.code, 0, "{}", explained.err);
    assert!((5..40).contains(&explained.out.lines().count()), "{}", explained.out);
    assert_eq!(verb(&world, "agent show agent_nobody").await.code, 3);
    assert_eq!(verb(&world, "agent retire agent_nobody").await.code, 3);

    assert_eq!(verb(&world, "task list --live --json").await.json()["tasks"][0]["task"], task.as_str());
    assert_eq!(
        verb(&world, &format!("task show {task} --json")).await.json()["delegations"][1]["target"],
        "tickets"
    );
    assert_eq!(verb(&world, "task show not-a-task").await.code, 3);
    let rows = verb(&world, &format!("audit trace --task {task} --json")).await.json();
    assert!(rows["rows"].as_array().expect("rows").len() >= 2, "{rows}");
    assert_eq!(verb(&world, "audit trace --jti not-a-jti").await.code, 2);
    assert_eq!(verb(&world, "audit trace").await.code, 2);

    let keys = verb(&world, "key list --json").await.json();
    assert_eq!(keys["keys"][0]["state"], "active");
    assert_eq!(verb(&world, "key rotate").await.code, 0);
    assert_eq!(verb(&world, "key rotate").await.code, 1, "a second rotation while one is prepared");
    assert_eq!(verb(&world, "key revoke no-such-key").await.code, 3);

    assert!(api.introspect(&base, &token).await.is_active());
    assert_eq!(verb(&world, &format!("task end {task}")).await.code, 0);
    assert!(!api.introspect(&base, &token).await.is_active());
    let bob = assistant.sign_in(&base, &world.id_token("bob"), "tickets", "tickets:search").await.token();
    assert_eq!(verb(&world, "task end --subject bob").await.code, 0);
    assert!(!api.introspect(&base, &bob).await.is_active());
    let cyd = assistant.sign_in(&base, &world.id_token("cyd"), "tickets", "tickets:search").await.token();
    assert_eq!(verb(&world, &format!("agent kill {agent}")).await.code, 0);
    assert!(!api.introspect(&base, &cyd).await.is_active());
    assert_eq!(verb(&world, "audit verify").await.code, 0);

    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_exchanges_introspects_and_revokes_by_the_command_line_and_no_token_is_in_a_message() {
    let world = World::new(Backend::Sqlite).await;
    make_keys(&world, &["assistant", "tickets-api"]).await;
    let id_token = world.id_token("ann");
    let issuer = world.issuer().to_owned();
    let hop_0 = format!("exchange --audience {issuer} --scope tickets:search --purpose trip");
    let away = token_verb(&world, "assistant", &hop_0, &id_token).await;
    assert_eq!(away.code, 5, "{}", away.err);
    let mut server = world.start().await;

    let begun = token_verb(&world, "assistant", &hop_0, &id_token).await;
    assert_eq!(begun.code, 0, "{}", begun.err);
    assert_eq!(begun.out.trim(), begun.out, "a token in a pipe has no line end");
    let task_token = world.witness.saw(begun.out.clone());
    assert!(begun.err.contains("task: ") && !begun.err.contains(&task_token), "{}", begun.err);
    let later = "exchange --subject-token-type access_token --audience tickets --scope tickets:search --json";
    let answer = token_verb(&world, "assistant", later, &task_token).await.json();
    let token = world.witness.saw(answer["access_token"].as_str().expect("a token").to_owned());

    let inspected = token_verb(&world, "assistant", "inspect", &token).await;
    assert!(
        inspected.out.contains("tickets:search") && inspected.err.contains("not verified"),
        "{}",
        inspected.err
    );
    let ask = |token: String| {
        let world = &world;
        async move { token_verb(world, "tickets-api", "introspect --json", &token).await.json()["active"].clone() }
    };
    assert_eq!(ask(token.clone()).await, true);
    assert_eq!(token_verb(&world, "assistant", "revoke", &token).await.code, 0);
    assert_eq!(ask(token.clone()).await, false);

    let stolen =
        token_verb(&world, "assistant", "exchange --audience tickets --scope tickets:search", &token).await;
    assert_eq!(stolen.code, 1);
    assert!(
        stolen.err.contains("subject_token_unacceptable") && !stolen.err.contains(&token),
        "{}",
        stolen.err
    );
    let asking = "exchange --audience tickets --scope age_over_18";
    let denied = token_verb(&world, "assistant", asking, &world.id_token("ann")).await;
    assert_eq!(denied.code, 4, "{}", denied.err);
    assert!(denied.err.contains("policy_denied"), "{}", denied.err);
    let as_json = token_verb(&world, "assistant", &format!("{asking} --json"), &world.id_token("ann")).await;
    let members: Value = serde_json::from_str(&as_json.err).expect("JSON");
    assert_eq!((as_json.code, &members["error"]), (4, &"invalid_request".into()), "{members}");
    assert_eq!(members["reason"], "policy_denied");
    assert!(members["request_id"].is_string(), "{members}");
    assert_eq!(token_verb(&world, "assistant", "exchange --scope a", &id_token).await.code, 2);
    assert_eq!(token_verb(&world, "assistant", "inspect", "not.a-token").await.code, 1);

    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_sends_the_files_that_the_verbs_wrote() {
    let world = World::new(Backend::Sqlite).await;
    let keys = world.path("keys").display().to_string();
    let made = verb_alone(&format!("key make tickets-api --dir {keys}")).await;
    assert_eq!(made.code, 0, "{}", made.err);
    let registered = world.path("clients/tickets-api.json");
    std::fs::copy(world.path("keys/tickets-api.jwks.json"), registered).expect("a key set");
    let mut server = world.start().await;
    let assistant = world.caller("assistant");
    let token = assistant.sign_in(&server.base, &world.id_token("ann"), "tickets", "tickets:search").await;
    let issuer = world.issuer();
    let assert =
        format!("token assertion --issuer {issuer} --client-id tickets-api --key {keys}/tickets-api.pem");

    // As the command writes it, and as an editor saves it.
    for end in ["", "\n", "\r\n"] {
        let assertion = verb_alone(&assert).await;
        assert_eq!((assertion.code, assertion.out.trim()), (0, assertion.out.as_str()), "{}", assertion.err);
        std::fs::write(world.path("assertion"), format!("{}{end}", assertion.out)).unwrap();
        std::fs::write(world.path("token"), format!("{}{end}", token.token())).unwrap();
        let answer = Command::new("curl")
            .current_dir(world.path(""))
            .args(["--silent", "--noproxy", "*", &format!("{}/introspect", server.base)])
            .args(["--data-urlencode", "token@token", "--data-urlencode", "client_assertion@assertion"])
            .args(["--data-urlencode", &format!("client_assertion_type={ASSERTION_TYPE}")])
            .output()
            .await
            .expect("curl can be run");
        let answer = Ended::of(&answer).json();
        assert_eq!(answer["active"], true, "{end:?}: {answer}");
    }
    let made = verb_alone(&format!("{assert} --json")).await.json();
    assert_eq!((&made["client_assertion_type"], &made["expires_in"]), (&ASSERTION_TYPE.into(), &60.into()));
    assert_eq!(made["client_assertion"].as_str().unwrap().split('.').count(), 3);
    let without = verb_alone(&format!("token assertion --issuer {issuer} --client-id tickets-api")).await;
    assert_eq!(without.code, 2);
    assert!(without.err.contains("--key"), "{}", without.err);

    for file in ["assertion", "token"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    server.stop().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_made_of_characters_that_every_library_sends_and_a_directory_of_policies_is_an_argument()
{
    let world = World::new(Backend::Sqlite).await;
    let directory = world.path("made").display().to_string();
    let line = format!("key make tickets-api --secret --dir {directory} --json");

    let file = verb_alone(&line).await.json()["secret"].as_str().expect("a path").to_owned();

    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(secret.len(), 43, "256 bits in base64url, and no line end");
    assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = verb_alone(&line).await;
    assert_eq!(again.code, 1, "nothing is overwritten");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    assert!(!again.err.contains(&secret));

    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    let named = verb_alone(&format!("policy check {policies}")).await;
    let by_option = verb_alone(&format!("policy check --policy {policies}")).await;
    assert_eq!((named.code, &named.out), (0, &by_option.out), "{}", named.err);
    assert_eq!(verb_alone(&format!("policy check {directory}")).await.code, 1, "no policies are there");
    assert_eq!(verb_alone(&format!("policy test {policies}")).await.code, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_can_ask_what_deputy_reads_in_a_credential_without_a_server() {
    let world = World::new(Backend::Sqlite).await;
    let explain = async |token: &str| {
        std::fs::write(world.path("credential"), token).unwrap();
        let file = world.path("credential").display().to_string();
        verb(&world, &format!("workload explain --json --token {file}")).await
    };
    let token = world.workload_token();
    let taken = explain(&token).await.json();
    assert_eq!((&taken["accepted"], &taken["class"]), (&true.into(), &"age-verification".into()));
    assert!(taken["agent"].as_str().unwrap().starts_with("agent_"), "{taken}");
    assert!(taken["instance"].is_string() && taken["claims"]["kind"] == "age", "{taken}");
    assert_eq!((&taken["agent_tokens"], &taken["begins_tasks"]), (&false.into(), &false.into()));

    assert_eq!(explain(&token).await.json()["agent"], taken["agent"]);
    assert_ne!(explain(&world.workload_token()).await.json()["agent"], taken["agent"], "another instance");

    let unknown = explain(&world.id_token("alice")).await;
    let said: Value = serde_json::from_str(&unknown.out).unwrap();
    assert_eq!((unknown.code, &said["cause"]), (1, &"issuer_untrusted".into()));
    assert!(said["fix"].as_str().unwrap().contains("[[workload_issuer]]"), "{said}");
    std::fs::remove_file(world.path("credential")).unwrap();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_brings_in_another_by_the_command_line_and_only_the_key_that_was_named_accepts() {
    let world = World::new(Backend::Sqlite).await;
    make_keys(&world, &["assistant", "tickets-api", "courier", "thief"]).await;
    let mut server = world.start().await;
    let issuer = world.issuer().to_owned();
    let begin = format!("exchange --audience {issuer} --scope tickets:search");
    let begun = token_verb(&world, "assistant", &begin, &world.id_token("ann")).await;
    let task_token = world.witness.saw(begun.out.clone());

    // The other agent told the thumbprint of its key, which is the `kid` of a key that Deputy made.
    let made = std::fs::read_to_string(world.path("keys/courier.jwks.json")).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let thumbprint = made["keys"][0]["kid"].as_str().expect("a kid");
    let to = format!("handover --to class:courier --scope tickets:search --dpop-jkt {thumbprint}");
    let handed = token_verb(&world, "assistant", &to, &task_token).await;
    assert_eq!(handed.code, 0, "{}", handed.err);
    assert!(handed.err.contains("token_type: N_A"), "{}", handed.err);
    let handed = world.witness.saw(handed.out.clone());
    let unlisted = to.replace("class:courier", "class:nobody");
    let unlisted = token_verb(&world, "assistant", &unlisted, &task_token).await;
    assert_eq!(unlisted.code, 1);
    assert!(unlisted.err.contains("requested_actor_unacceptable"), "{}", unlisted.err);

    // It accepts by what its platform gave it, and by that key; nobody else does.
    std::fs::write(world.path("handover.jwt"), &handed).unwrap();
    let [handover, keys] = ["handover.jwt", "keys"].map(|name| world.path(name).display().to_string());
    let accept = async |pod: &str, key: &str| {
        std::fs::write(world.path("credential"), world.workload_token_of("courier", pod)).unwrap();
        let credential = world.path("credential").display().to_string();
        let who =
            format!("--issuer {issuer} --platform-credential-file {credential} --dpop-key {keys}/{key}.pem");
        let what = format!("--subject-token-type jwt --subject-token-file {handover} --audience tickets");
        verb_alone(&format!("token exchange {who} {what} --scope tickets:search")).await
    };
    let stolen = accept("pod-x", "thief").await;
    assert_eq!(stolen.code, 1);
    assert!(stolen.err.contains("subject_token_unacceptable"), "{}", stolen.err);
    let accepted = accept("pod-b", "courier").await;
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert!(accepted.err.contains("token_type: DPoP") && accepted.err.contains("task: "), "{}", accepted.err);
    let token = world.witness.saw(accepted.out.clone());
    let answer = token_verb(&world, "tickets-api", "introspect --json", &token).await.json();
    assert_eq!((&answer["active"], &answer["cnf"]["jkt"]), (&true.into(), &thumbprint.into()));

    for file in ["handover.jwt", "credential"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    server.stop().await;
    world.finish().await;
}
