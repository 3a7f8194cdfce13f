//! Work that no user began, through the real binary: a nightly job gets a token about itself, begins a task of its own
//! and continues it by nothing but the token of its pod. It is told apart everywhere, and it ends with its agent.

use deputy::testing::{Credential, Endpoint};
use serde_json::{Value, json};

use crate::definition::{NIGHTLY, replaced};
use crate::jose::{claims_of, header_of};
use crate::process_support::{Answer, Backend, Plan, World, on_both_databases};

const JWT_BEARER: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");
const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ID_TOKEN: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token");
const ACCESS_TOKEN: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");

fn plan() -> Plan {
    fn change(toml: String) -> String {
        let toml =
            replaced(&toml, "\"age-agent\", \"couriers\"]", "\"age-agent\", \"couriers\", \"nightly-jobs\"]");
        format!("{}\n{NIGHTLY}", (Plan::default().change)(toml))
    }
    Plan { change, ..Plan::default() }
}

/// A pod's request for itself.
async fn asks(world: &World, base: &str, credential: Credential, form: &[(&str, &str)]) -> Answer {
    world.caller_named("").post_by(base, Endpoint::Token, credential, form).await
}

/// By the jwt-bearer grant, with nothing but the token of the pod.
async fn grants(
    world: &World,
    base: &str,
    pod: &str,
    audience: &str,
    scope: &str,
    more: &[(&str, &str)],
) -> Answer {
    let form = [&[JWT_BEARER, ("audience", audience), ("scope", scope)], more].concat();
    asks(world, base, Credential::PlatformAsGrant(pod.into()), &form).await
}

/// A hop of the job with its task token.
async fn continues(world: &World, base: &str, pod: &str, task: &str, scope: &str) -> Answer {
    let form = [EXCHANGE, ("subject_token", task), ACCESS_TOKEN, ("audience", "reports"), ("scope", scope)];
    asks(world, base, Credential::Platform(pod.into()), &form).await
}

async fn introspected(world: &World, base: &str, token: &str) -> Value {
    world.caller("tickets-api").introspect(base, token).await.json
}

async fn deputy(world: &World, arguments: &[&str]) -> Value {
    let output = world.deputy(&[&["--json"], arguments].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

on_both_databases! {
    async fn a_nightly_job_works_without_a_user_and_is_told_apart_everywhere(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let pod = world.workload_token_of("nightly", "pod-1");

        // A token about itself: no `act`, no task.
        let alone = grants(&world, &base, &pod, "reports", "reports:read", &[]).await;
        assert_eq!((alone.status, alone.json.get("task"), alone.json.get("issued_token_type")), (200, None, None));
        let claims = claims_of(&alone.token());
        let agent = claims["sub"].as_str().expect("a subject").to_owned();
        assert!(agent.starts_with("agent_"), "{claims}");
        assert_eq!((claims.get("act"), claims.get("txn"), claims.get("acr")), (None, None, None), "{claims}");
        assert_eq!((&claims["client_id"], &claims["aud"]), (&json!("nightly-jobs"), &json!("reports")));
        let said = introspected(&world, &base, &alone.token()).await;
        assert_eq!((&said["active"], &said["delegator_kind"], &said["sub"]), (&json!(true), &json!("agent"), &json!(agent)));

        // The same as the client that its class lists, whichever way its credential comes.
        let by_client = [CLIENT_CREDENTIALS, ("audience", "reports"), ("scope", "reports:read")];
        let ways: [fn(&str) -> Credential; 2] =
            [|pod| Credential::Platform(pod.into()), |pod| Credential::PlatformAsActor(pod.into())];
        for way in ways {
            let same = asks(&world, &base, way(&pod), &by_client).await;
            assert_eq!(same.status, 200, "{}", same.text);
            assert_eq!((&claims_of(&same.token())["sub"], &claims_of(&same.token())["client_id"]), (&json!(agent), &json!("nightly-jobs")));
        }

        // A task of its own, which it continues.
        let purpose = ("purpose", "the reports of the night");
        let begun = grants(&world, &base, &pod, world.issuer(), "reports:read reports:write", &[purpose]).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        let (task, token) = (begun.task(), begun.token());
        assert_eq!(header_of(&token)["typ"], "task+jwt");
        assert_eq!((&claims_of(&token)["sub"], claims_of(&token).get("act")), (&json!(agent), None));
        let hop = continues(&world, &base, &pod, &token, "reports:write").await;
        assert_eq!(hop.status, 200, "{}", hop.text);
        let claims = claims_of(&hop.token());
        assert_eq!((&claims["sub"], claims.get("act")), (&json!(agent), None));
        assert!(claims["txn"].as_str().expect("a txn").starts_with("tx_"), "the target is pairwise: {claims}");
        assert_eq!(introspected(&world, &base, &hop.token()).await["delegator_kind"], "agent");

        // What asks for a user is out of reach, in a token about itself and in its task.
        for scope in ["reports:mine", "reports:read reports:mine"] {
            let refused = grants(&world, &base, &pod, "reports", scope, &[]).await;
            assert_eq!(refused.refusal(), (400, "invalid_scope", "scope_needs_user"), "{}", refused.text);
            let refused = grants(&world, &base, &pod, world.issuer(), scope, &[]).await;
            assert_eq!(refused.refusal(), (400, "invalid_scope", "scope_needs_user"), "{}", refused.text);
        }
        // And the reverse: a scope for agents alone is out of a user's reach.
        let id_token = world.id_token("ann");
        let for_user = async |scope: &str| {
            let subject = [EXCHANGE, ("subject_token", &*id_token), ID_TOKEN, ("audience", "reports"), ("scope", scope)];
            asks(&world, &base, Credential::Platform(pod.as_str().into()), &subject).await
        };
        let refused = for_user("reports:read reports:write").await;
        assert_eq!(refused.refusal(), (400, "invalid_scope", "scope_needs_no_user"), "{}", refused.text);
        let mine = for_user("reports:read reports:mine").await.token();
        assert_eq!(claims_of(&mine)["act"]["sub"], agent);
        assert_eq!(introspected(&world, &base, &mine).await["delegator_kind"], "user");

        // The record tells who is behind the task.
        let shown = deputy(&world, &["task", "show", &task]).await;
        assert_eq!((&shown["delegator_kind"], &shown["subject"]), (&json!("agent"), &Value::Null), "{shown}");
        assert_eq!(shown["purpose"], "the reports of the night");
        let traced = deputy(&world, &["audit", "trace", "--agent", &agent]).await;
        let rows: Vec<&Value> = traced["rows"].as_array().expect("rows").iter().map(|row| &row["row"]).collect();
        let granted: Vec<&&Value> = rows.iter().filter(|row| row["outcome"] == "granted" && row["event"] == "exchange").collect();
        assert_eq!(granted.len(), 6, "{traced}");
        let told = granted.iter().map(|row| (row["token_kind"].as_str(), row["delegator_kind"].as_str()));
        let told: Vec<_> = told.map(|(kind, delegator)| (kind.expect("a kind"), delegator.expect("a kind"))).collect();
        let expected = [("agent", "agent"), ("agent", "agent"), ("agent", "agent"), ("task", "agent"), ("access", "agent"), ("access", "user")];
        assert_eq!(told, expected, "{traced}");
        assert_eq!((&granted[0]["way_in"], granted[3]["task_begun"].as_bool()), (&json!("assertion"), Some(true)));
        let explained = world.deputy(&["agent", "explain", &agent]).await;
        let text = String::from_utf8(explained.stdout).expect("text");
        assert!(text.contains("acts for itself"), "{text}");
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn killing_the_agent_of_a_job_ends_all_that_it_began(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let pod = world.workload_token_of("nightly", "pod-1");
        let alone = grants(&world, &base, &pod, "reports", "reports:read", &[]).await.token();
        let begun = grants(&world, &base, &pod, world.issuer(), "reports:read", &[]).await;
        let (task, token) = (begun.task(), begun.token());
        let access = continues(&world, &base, &pod, &token, "reports:read").await.token();
        let agent = claims_of(&alone)["sub"].as_str().expect("an agent").to_owned();

        let killed = deputy(&world, &["kill", "agent", &agent, "--yes"]).await;
        assert_eq!(killed["changed"], true, "{killed}");

        for token in [&alone, &access] {
            assert_eq!(introspected(&world, &base, token).await, json!({"active": false}));
        }
        server.kill_9().await;
        let mut server = world.start().await;
        let base = server.base.clone();
        for token in [&alone, &access] {
            assert_eq!(introspected(&world, &base, token).await, json!({"active": false}));
        }
        let dead = continues(&world, &base, &pod, &token, "reports:read").await;
        assert_eq!(dead.refusal().1, "invalid_request", "{}", dead.text);
        // Its platform goes on to vouch for it; Deputy does not take it again, and says no more than that by the grant.
        let refused = grants(&world, &base, &pod, "reports", "reports:read", &[]).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant", "assertion_unacceptable"), "{}", refused.text);
        let form = [CLIENT_CREDENTIALS, ("audience", "reports"), ("scope", "reports:read")];
        let refused = asks(&world, &base, Credential::Platform(pod.as_str().into()), &form).await;
        assert_eq!(refused.refusal(), (400, "invalid_request", "actor_token_unacceptable"), "{}", refused.text);
        // The task has its end on record, and another pod is another agent.
        let ended = async || deputy(&world, &["task", "show", &task]).await["ended"]["why"].clone();
        for _ in 0..100 {
            if ended().await == "kill_switch" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(ended().await, "kill_switch");
        let next = world.workload_token_of("nightly", "pod-2");
        assert_eq!(grants(&world, &base, &next, "reports", "reports:read", &[]).await.status, 200);
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn an_agent_that_no_client_presents_is_its_own_client_and_revokes_what_it_got(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let [one, other] = ["any"; 2].map(|instance| world.workload_token_of("sensor", instance));
        let token = grants(&world, &base, &one, "reports", "reports:read", &[]).await.token();
        let claims = claims_of(&token);
        assert_eq!(claims["client_id"], claims["sub"], "{claims}");

        // It is never a subject token, and an agent that its class does not let begins no task.
        let as_subject = continues(&world, &base, &world.workload_token_of("nightly", "pod-1"), &token, "reports:read").await;
        assert_eq!(as_subject.refusal(), (400, "invalid_request", "subject_token_unacceptable"), "{}", as_subject.text);
        let task = grants(&world, &base, &one, world.issuer(), "reports:read", &[]).await;
        assert_eq!(task.refusal(), (400, "invalid_target", "begins_no_tasks"), "{}", task.text);

        // Its own credential revokes it, also one that its platform has renewed; that of another agent does not.
        let revoke = async |pod: &str| {
            let form = [("token", token.as_str())];
            world.caller_named("").post_by(&base, Endpoint::Revocation, Credential::Platform(pod.into()), &form).await
        };
        let thief = revoke(&world.workload_token_of("nightly", "pod-1")).await;
        assert_eq!(thief.refusal(), (400, "invalid_request", "token_of_other_client"), "{}", thief.text);
        assert_eq!(introspected(&world, &base, &token).await["active"], true);
        assert_eq!(revoke(&other).await.status, 200);
        assert_eq!(introspected(&world, &base, &token).await["active"], false);
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn a_job_that_is_done_ends_its_task_and_retires(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start().await;
        let base = server.base.clone();
        let pod = world.workload_token_of("nightly", "pod-1");
        let begun = grants(&world, &base, &pod, world.issuer(), "reports:read", &[]).await;
        let (task, token) = (begun.task(), begun.token());
        let access = continues(&world, &base, &pod, &token, "reports:read").await.token();

        let form = [("token", token.as_str())];
        let credential = Credential::Platform(pod.as_str().into());
        let done = world.caller_named("").post_by(&base, Endpoint::Revocation, credential, &form).await;
        assert_eq!(done.status, 200);

        assert_eq!(introspected(&world, &base, &access).await["active"], false);
        let shown = deputy(&world, &["task", "show", &task]).await;
        assert_eq!(shown["ended"]["why"], "task_done", "{shown}");
        let agent = deputy(&world, &["agent", "show", shown["agent"].as_str().expect("an agent")]).await;
        assert_eq!(agent["state"], "retired", "{agent}");
        server.stop().await;
        world.finish().await;
    }
}

on_both_databases! {
    async fn the_verb_asks_for_an_agent_itself(backend: Backend) {
        let world = World::of(backend, plan()).await;
        let mut server = world.start().await;
        let pod = world.path("pod-token");
        std::fs::write(&pod, world.workload_token_of("nightly", "pod-1")).expect("a file");
        let caller = ["token", "agent", "--issuer", world.issuer(), "--platform-credential-file", pod.to_str().expect("a path")];
        let what = ["--audience", "reports", "--scope", "reports:read"];

        for named in [&[] as &[&str], &["--client-id", "nightly-jobs"]] {
            let mut deputy = tokio::process::Command::new(env!("CARGO_BIN_EXE_deputy"));
            let printed = deputy.args([&caller, named, &what].concat()).output().await.expect("the verb runs");
            assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
            let token = world.witness.saw(String::from_utf8(printed.stdout).expect("text").trim().to_owned());
            assert_eq!(introspected(&world, &server.base, &token).await["delegator_kind"], "agent");
        }
        std::fs::remove_file(&pod).expect("the file");
        server.stop().await;
        world.finish().await;
    }
}
