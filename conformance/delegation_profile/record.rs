//! What is looked at again at every hop, and what is written down.

use serde_json::json;

use crate::expect::{ASSURANCE, AUTH_TIME, POLICY, SUBJECT, refuses};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of};

pub fn cases() -> Cases {
    vec![
        case("8693-F-10", every_hop_is_decided_on_what_is_true_then),
        case("8693-F-11", the_audit_is_written_before_the_answer_and_holds_no_token),
        case("8693-F-12", mfa_is_asked_for_at_hop_0_and_carried_on),
    ]
}

const PERMIT: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);
"#;
const NO_ARCHIVE: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);
@id("no-archive")
forbid (principal, action == Deputy::Action::"exchange", resource == Deputy::Target::"https://archive.example/");
"#;

async fn every_hop_is_decided_on_what_is_true_then() {
    // The agent: suspended between hop 1 and hop 2.
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    world.onward_tx(&files).send().await.granted();
    let agent = world.agent_of("assistant");
    world.operate("suspend", &agent).await;
    refuses(&world, "a nested agent is suspended", world.onward_tx(&files), SUBJECT, "agent_ended").await;
    refuses(&world, "a suspended agent begins nothing", world.tx(), SUBJECT, "agent_ended").await;

    // The agent that would act next.
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    world.onward_tx(&files).send().await.granted();
    let service = world.agent_of("files-service");
    world.operate("kill", &service).await;
    refuses(&world, "the next actor is banned", world.onward_tx(&files), SUBJECT, "agent_ended").await;

    // The parent.
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    let answer = world.form("/revoke").set("token", &files).by_assertion("assistant").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    refuses(&world, "the parent is revoked", world.onward_tx(&files), SUBJECT, "revoked").await;

    // The task, by its own agent.
    let task = world.task_token().await;
    let files = world.files_from(&task).await;
    let answer = world.form("/revoke").set("token", &task).by_assertion("assistant").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    refuses(&world, "the task is over", world.onward_tx(&files), SUBJECT, "task_ended").await;

    // The user, stopped by an operator.
    let world = World::start(Setup::default()).await;
    let files = world.files_token().await;
    let user = json!({"issuer": world.provider.issuer, "subject": "alice"});
    assert_eq!(world.admin("POST", "/subjects/end", user).await.status, 200);
    refuses(&world, "the user is stopped", world.onward_tx(&files), SUBJECT, "task_ended|subject_cut_off")
        .await;
    refuses(&world, "the user begins nothing", world.tx(), SUBJECT, "subject_cut_off").await;

    // Policy and configuration.
    let mut world = World::start(Setup::default().policy(PERMIT)).await;
    let files = world.files_token().await;
    world.onward_tx(&files).send().await.granted();
    std::fs::write(world.directory.path().join("policies/test.cedar"), NO_ARCHIVE).unwrap();
    world.reload(|toml| toml).await;
    refuses(&world, "policy changed", world.onward_tx(&files), POLICY, "policy_denied").await;
    std::fs::write(world.directory.path().join("policies/test.cedar"), PERMIT).unwrap();
    world
        .reload(|toml| toml.replace("onward = [\"https://archive.example/\"]", "onward = [\"deep5\"]"))
        .await;
    let request = world.onward_tx(&files);
    refuses(&world, "configuration changed", request, crate::expect::NOT_ONWARD, "target_not_onward").await;
}

/// The record names the subject by a random reference.
async fn the_audit_is_written_before_the_answer_and_holds_no_token() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().sign();
    let workload = world.workload_token("planner").sign();
    let request = world.tx().set("subject_token", &id_token).actor(&workload).set("purpose", "a trip");
    let assertion = request.value("client_assertion").unwrap().to_owned();
    let begun = request.send().await;
    let files = world.files_token().await;
    let onward = world.onward_tx(&files).send().await;

    // The rows are there as soon as the answers are.
    let rows = world.audit().await;
    let row_of = |token: &str| {
        let jti = claims_of(token)["jti"].clone();
        let found: Vec<_> = rows.iter().filter(|row| row["jti"] == jti).collect();
        assert_eq!(found.len(), 1, "one token, one row");
        found[0].clone()
    };
    let row = row_of(&begun.granted());
    let planner = world.agent_of_workload("workload-planner");
    for (member, value) in [
        ("event", json!("exchange")),
        ("outcome", json!("granted")),
        ("by", json!("client")),
        ("client", json!("assistant")),
        ("agent", json!(planner)),
        ("chain", json!([planner])),
        ("target", json!("tickets")),
        ("scope_asked", json!("tickets:search")),
        ("scope", json!("tickets:search")),
        ("expires_at", begun.claims()["exp"].clone()),
        ("purpose", json!("a trip")),
    ] {
        assert_eq!(row[member], value, "{member}: {row}");
    }
    assert_eq!(row["at"].as_i64().map(|at| at.div_euclid(1000)), Some(world.now()));
    for member in ["subject", "task", "login"] {
        assert!(row[member].is_string(), "{member}: {row}");
    }
    assert!(row["policy"]["policies"].as_array().is_some_and(|rules| !rules.is_empty()), "{row}");

    let row = row_of(&onward.granted());
    assert_eq!(row["parent"], claims_of(&files)["jti"]);
    assert_eq!(row["chain"], json!([world.agent_of("files-service"), world.agent_of("assistant")]));

    // A refusal says what was asked and why not.
    let request = world.onward_tx(&files).set("audience", "tickets");
    let wire = crate::expect::NOT_ONWARD;
    let refused = refuses(&world, "refused", request, wire, "target_not_onward").await;
    let row = world.audit_of(refused.request_id()).await.remove(0);
    for (member, value) in [
        ("event", "exchange"),
        ("outcome", "refused"),
        ("reason", "target_not_onward"),
        ("by", "client"),
        ("client", "files-service"),
    ] {
        assert_eq!(row[member], value, "{member}: {row}");
    }
    assert!(row.get("jti").is_none() && row.get("scope").is_none(), "nothing was granted: {row}");

    // No token, and no part that makes one, is anywhere on disk.
    let tokens = [id_token, workload, assertion, begun.granted(), files, onward.granted()];
    for token in &tokens {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!world.is_on_disk(signature), "a signature is on disk");
        for row in world.audit().await {
            assert!(!row.to_string().contains(signature), "{row}");
        }
    }
    for personal in ["alice@example.org", "1990-02-28"] {
        assert!(!world.is_on_disk(personal), "{personal} is on disk");
    }
    // The search finds what is there.
    assert!(
        world.is_on_disk(claims_of(&tokens[3])["jti"].as_str().unwrap()) || world.is_on_disk("assistant")
    );
}

async fn mfa_is_asked_for_at_hop_0_and_carried_on() {
    let world = World::start(Setup::default()).await;
    let with = |name: &str, value: serde_json::Value| {
        world.tx().set("subject_token", &world.id_token().without("acr").claim(name, value).sign())
    };
    for amr in [json!(["pwd"]), json!([]), json!(["MFA"]), json!(["mfax"])] {
        let what = amr.to_string();
        refuses(&world, &what, with("amr", amr), ASSURANCE, "assurance_insufficient").await;
    }
    let absent = world.tx().set("subject_token", &world.id_token().without("acr").without("amr").sign());
    refuses(&world, "no amr", absent, ASSURANCE, "assurance_insufficient").await;
    let no_auth_time = world.tx().set("subject_token", &world.id_token().without("auth_time").sign());
    refuses(&world, "no auth_time", no_auth_time, AUTH_TIME, "auth_time_missing").await;
    with("amr", json!(["mfa"])).send().await.granted();

    // Carried on: the booking asks for a phishing-resistant login of the last 15 minutes, at whatever hop.
    let weak = world.id_token().claim("acr", "urn:example:password").sign();
    let request = world.tx().set("subject_token", &weak).set("scope", "tickets:book");
    let answer = refuses(&world, "acr", request, ASSURANCE, "assurance_insufficient").await;
    assert_eq!(answer.body["acr_values"], "phr phrh");

    let task = world.task_token().await;
    world.onward("assistant", &task, "tickets", "tickets:book").send().await.granted();
    world.advance(900);
    let request = world.onward("assistant", &task, "tickets", "tickets:book");
    let answer = refuses(&world, "too old by now", request, ASSURANCE, "assurance_insufficient").await;
    assert_eq!(answer.body["max_age"], 900);
    world.onward("assistant", &task, "tickets", "tickets:search").send().await.granted();
}
