//! The grants that need no user: `client_credentials` (RFC 6749 §4.4) and jwt-bearer (RFC 7523 §2.1).

use serde_json::{Value, json};

use crate::definition::NIGHTLY;
use crate::expect::{ACTOR, SUBJECT, THROTTLED, Wire, is_refused, malformed, refuses, refuses_config, scope};
use crate::harness::{Cases, case};
use crate::requests::throttled;
use crate::world::{Answer, GRANT_TYPE, Jwt, Key, Request, Setup, World, claims_of, hmac_signed, unsigned};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("7523-2.1-01", the_credential_of_a_platform_is_a_grant),
        case("7523-2.1-01", every_fault_of_an_assertion_looks_the_same),
        case("7523-2.1-01", what_else_is_wrong_with_a_request_is_said),
        case("7523-2.1-01", a_stop_of_what_an_agent_names_is_a_fault_of_its_assertion),
        case("7523-2.1-01", an_unknown_issuer_costs_no_request_and_a_flood_is_counted),
        case("7523-2.1-01", the_grant_obeys_pins_proofs_and_quotas),
        case("6749-4.4-01", a_client_with_the_grant_gets_a_token_about_its_own_agent),
        case("6749-4.4-01", a_task_of_a_clients_own_begins_where_that_is_configured),
        case("6749-4.4-01", what_would_let_nobody_in_is_refused_at_load),
        case("8693-4.1-07", a_token_about_its_holder_has_no_actor_and_is_never_exchanged),
    ]
}

pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Every fault of an assertion.
const GRANT: Wire = (400, "invalid_grant", "assertion_unacceptable");
const NOT_REGISTERED: Wire = (400, "unauthorized_client", "grant_not_registered");
/// Gives the assistant the grant and a target that is open to agents.
const ASSISTANT: &str = "[[client]]\nid = \"assistant\"\njwks_file = \"clients/assistant.json\"\n";
const WITH_GRANT: &str = "[[client]]\nid = \"assistant\"\njwks_file = \"clients/assistant.json\"\n\
                          grants = [\"urn:ietf:params:oauth:grant-type:token-exchange\", \"client_credentials\"]\n";
const SEARCH: &str =
    "\"tickets:search\" = {}, \"tickets:hold\" = {}, \"tickets:cancel\" = {}, \"tickets:book\" = { assurance";
const SEARCH_BY_AGENTS: &str = "\"tickets:search\" = { subjects = [\"user\", \"agent\"] }, \"tickets:hold\" = {}, \
                                \"tickets:cancel\" = {}, \"tickets:book\" = { assurance";

fn jobs() -> Setup {
    Setup::default().add(NIGHTLY)
}

/// A world in which the assistant may ask for itself; `more` goes into its section.
fn assistant(more: &str) -> Setup {
    Setup::default().replace(ASSISTANT, &format!("{WITH_GRANT}{more}")).replace(SEARCH, SEARCH_BY_AGENTS)
}

fn asking<'a>(world: &'a World, assertion: &str) -> Request<'a> {
    world
        .form("/token")
        .set("grant_type", JWT_BEARER)
        .set("assertion", assertion)
        .set("audience", "reports")
        .set("scope", "reports:read")
}

async fn the_credential_of_a_platform_is_a_grant() {
    let world = World::start(jobs()).await;
    for (kind, is_registered) in [("nightly", true), ("sensor", false)] {
        let answer = asking(&world, &world.workload_token(kind).sign()).send().await;
        let claims = answer.claims();
        assert_eq!((claims.get("act"), claims.get("txn")), (None, None), "{claims}");
        let expected = if is_registered { json!("nightly-jobs") } else { claims["sub"].clone() };
        assert_eq!(claims["client_id"], expected, "{claims}");
        assert!(claims["sub"].as_str().unwrap().starts_with("agent_"), "{claims}");
        assert_eq!(answer.body.get("issued_token_type"), None);
        assert!(answer.body["expires_in"].as_i64().unwrap() > 0);
    }
    let metadata = world.get("/.well-known/oauth-authorization-server").await.body;
    assert_eq!(metadata["grant_types_supported"], json!([GRANT_TYPE, "client_credentials", JWT_BEARER]));
}

async fn every_fault_of_an_assertion_looks_the_same() {
    let world = World::start(jobs()).await;
    let good = world.workload_token("nightly");
    let (_, claims) = good.texts();
    let access = world.tx().send().await.granted();
    let faults: Vec<(String, &str)> = vec![
        ("no JWT".to_owned(), "malformed"),
        (unsigned(r#"{"alg":"none"}"#, &claims), "algorithm"),
        (hmac_signed(b"a secret", r#"{"alg":"HS256"}"#, &claims), "algorithm"),
        (good.clone().signed_by(&Key::new("workload")).sign(), "signature"),
        (good.clone().header("kid", "unknown").sign(), "key_unknown"),
        (good.clone().claim("exp", world.now() - 61).sign(), "expired"),
        (good.clone().claim("nbf", world.now() + 120).sign(), "not_yet_valid"),
        (good.clone().claim("aud", format!("{}/token", world.issuer)).sign(), "audience"),
        (good.clone().claim("aud", json!([world.issuer, "https://other.example"])).sign(), "audience"),
        (good.clone().claim("kind", "nobody").sign(), "no_class"),
        (good.clone().without("instance").sign(), "claim"),
        (good.clone().claim("iss", "https://unknown.example").sign(), "issuer_untrusted"),
        // The tokens of others that are no grant: a user's, a client's own assertion, and one of Deputy's.
        (world.id_token().sign(), "issuer_untrusted"),
        (world.assertion("assistant").sign(), "issuer_untrusted"),
        (access, "issuer_untrusted"),
    ];
    let mut bodies = Vec::new();
    for (assertion, cause) in faults {
        let answer = refuses(&world, cause, asking(&world, &assertion), GRANT, cause).await;
        bodies.push(answer.anonymous_body());
    }
    let named = asking(&world, &good.sign()).set("client_id", "assistant");
    bodies.push(refuses(&world, "another client", named, GRANT, "other_client").await.anonymous_body());
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    asking(&world, &good.sign()).set("client_id", "nightly-jobs").send().await.granted();
}

async fn what_else_is_wrong_with_a_request_is_said() {
    let world = World::start(jobs()).await;
    let fresh = || world.workload_token("nightly").sign();
    let ask = || asking(&world, &fresh());
    let sensor = || asking(&world, &world.workload_token("sensor").sign());
    let issuer = world.issuer.clone();
    let several = malformed("several_authentication_methods");
    let table: Vec<(&str, Request<'_>, Wire, &str)> = vec![
        (
            "no assertion",
            ask().without("assertion"),
            malformed("assertion_missing"),
            "grant_assertion_missing",
        ),
        ("a client too", ask().by_assertion("assistant"), several, "several_methods"),
        ("a secret too", ask().basic("basic-app"), several, "several_methods"),
        (
            "a class without it",
            asking(&world, &world.workload_token("planner").sign()),
            NOT_REGISTERED,
            "grant_not_registered",
        ),
        ("no target", ask().without("audience"), (400, "invalid_target", "target_missing"), "target_missing"),
        (
            "a target of others",
            ask().set("audience", "tickets"),
            (400, "invalid_target", "target_unknown"),
            "target_not_allowed",
        ),
        ("no scope", ask().without("scope"), scope("scope_missing"), "scope_missing"),
        (
            "a scope of users",
            ask().set("scope", "reports:mine"),
            scope("scope_needs_user"),
            "scope_needs_user",
        ),
        (
            "more than the class",
            sensor().set("scope", "reports:write"),
            scope("scope_not_allowed"),
            "scope_not_in_client",
        ),
        (
            "no task for it",
            sensor().set("audience", &issuer),
            (400, "invalid_target", "begins_no_tasks"),
            "begins_no_tasks",
        ),
        ("a task to join", ask().set("task", "x"), malformed("task_without_user"), "task_without_user"),
        (
            "a purpose of nothing",
            ask().set("purpose", "x"),
            malformed("task_without_user"),
            "task_without_user",
        ),
        ("another actor", ask().actor(&fresh()), ACTOR, "other_credential"),
    ];
    for (what, request, wire, cause) in table {
        refuses(&world, what, request, wire, cause).await;
    }
    let only_tasks = NIGHTLY.replacen("agent_tokens = true\n", "", 1);
    let world = World::start(Setup::default().add(&only_tasks)).await;
    let token = asking(&world, &world.workload_token("nightly").sign());
    refuses(&world, "tasks only", token, (400, "invalid_target", "no_agent_tokens"), "no_agent_tokens").await;
}

async fn a_stop_of_what_an_agent_names_is_a_fault_of_its_assertion() {
    for (kind, name) in
        [("class", "nightly"), ("client", "nightly-jobs"), ("issuer", "https://workloads.example")]
    {
        let world = World::start(jobs()).await;
        let before = asking(&world, &world.workload_token("nightly").sign()).send().await.granted();
        let killed = world.admin("POST", "/stops", json!({"kind": kind, "name": name})).await;
        assert_eq!(killed.body["changed"], true, "{}", killed.text);
        assert!(!world.is_active(&before).await, "{kind}");
        let again = asking(&world, &world.workload_token("nightly").sign());
        refuses(&world, kind, again, GRANT, "agent_cut_off").await;
    }
}

async fn an_unknown_issuer_costs_no_request_and_a_flood_is_counted() {
    let world = World::start(throttled().add(NIGHTLY)).await;
    let issuer = world.other_provider.issuer.clone();
    let unknown = || world.workload_token("nightly").claim("iss", issuer.clone()).sign();
    let mut last: Option<Answer> = None;
    for _ in 0..1000 {
        let answer = asking(&world, &unknown()).send().await;
        let is_throttled = answer.status == 429;
        if !is_throttled {
            is_refused("an unknown issuer", &answer, GRANT);
        }
        last = Some(answer);
        if is_throttled {
            break;
        }
    }
    is_refused("a flood", &last.unwrap(), THROTTLED);
    assert_eq!((world.other_provider.discovery_fetches(), world.other_provider.jwks_fetches()), (0, 0));
    // A credential that verifies is never locked out by others behind the same address.
    asking(&world, &world.workload_token("nightly").sign()).send().await.granted();
}

async fn proving(world: &World, credential: &Jwt, key: &Key) -> Answer {
    asking(world, &credential.sign()).header("DPoP", &world.proof(key).sign()).send().await
}

async fn the_grant_obeys_pins_proofs_and_quotas() {
    let issuer = "jwks_file = \"workloads.json\"\n";
    let world = World::start(jobs()).await;
    let (key, thief) = (Key::new("job"), Key::new("thief"));
    let credential = world.workload_token("nightly");
    let bound = proving(&world, &credential, &key).await;
    assert_eq!(
        (&bound.claims()["cnf"]["jkt"], &bound.body["token_type"]),
        (&json!(key.thumbprint()), &json!("DPoP"))
    );
    let pinned: Wire = (400, "invalid_request", "credential_pinned");
    is_refused("another key", &proving(&world, &credential, &thief).await, pinned);
    is_refused("no key", &asking(&world, &credential.sign()).send().await, pinned);

    let world = World::start(jobs().replace(issuer, &format!("{issuer}proof = \"required\"\n"))).await;
    let missing: Wire = (400, "invalid_dpop_proof", "proof_missing");
    let without = asking(&world, &world.workload_token("nightly").sign());
    refuses(&world, "no proof", without, missing, "proof_missing").await;

    let world =
        World::start(jobs().replace(issuer, &format!("{issuer}quotas = {{ new_per_minute = 1 }}\n"))).await;
    asking(&world, &world.workload_token("nightly").sign()).send().await.granted();
    let second = asking(&world, &world.workload_token("nightly").sign()).send().await;
    is_refused("a second pod in a minute", &second, (429, "temporarily_unavailable", "agent_quota"));
}

/// The assistant's request for itself.
fn alone(world: &World) -> Request<'_> {
    let form = world.form("/token").set("grant_type", "client_credentials").set("audience", "tickets");
    form.set("scope", "tickets:search").by_assertion("assistant")
}

async fn a_client_with_the_grant_gets_a_token_about_its_own_agent() {
    let world = World::start(assistant("")).await;
    let token = alone(&world).send().await.granted();
    let claims = claims_of(&token);
    let of_user = world.tx().send().await.claims();
    assert_eq!((&claims["sub"], claims.get("act")), (&of_user["act"]["sub"], None), "{claims}");
    assert_eq!(claims["client_id"], "assistant");
    let said = world.introspect_as("tickets-api", &token).await.body;
    assert_eq!((&said["active"], &said["delegator_kind"]), (&json!(true), &json!("agent")));

    let book = alone(&world).set("scope", "tickets:book");
    refuses(&world, "a scope of users", book, scope("scope_needs_user"), "scope_needs_user").await;
    let task = alone(&world).set("audience", &world.issuer.clone());
    refuses(&world, "no tasks", task, (400, "invalid_target", "begins_no_tasks"), "begins_no_tasks").await;
    refuses(
        &world,
        "another client",
        alone(&world).by_assertion("agent-b"),
        NOT_REGISTERED,
        "grant_not_registered",
    )
    .await;
    // The client revokes what it got, and nothing ends but that.
    let revoked = world.form("/revoke").set("token", &token).by_assertion("assistant").send().await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    assert!(!world.is_active(&token).await);
    alone(&world).send().await.granted();
    // An agent that was killed gets nothing more, and there is no token but its own that could be at fault.
    let agent = claims["sub"].as_str().unwrap();
    world.admin("POST", "/stops", json!({"kind": "agent", "name": agent})).await;
    refuses(&world, "killed", alone(&world), ACTOR, "agent_ended").await;
}

async fn a_task_of_a_clients_own_begins_where_that_is_configured() {
    let world = World::start(assistant("begins_tasks = true\n")).await;
    let begun = alone(&world).set("audience", &world.issuer.clone()).set("purpose", "tidy up").send().await;
    let (task, token) = (begun.body["task"].as_str().unwrap().to_owned(), begun.granted());
    let access = world.onward("assistant", &token, "tickets", "tickets:search").send().await;
    let claims = access.claims();
    assert_eq!((claims.get("act"), &claims["sub"]), (None, &claims_of(&token)["sub"]), "{claims}");
    assert!(claims["txn"].as_str().unwrap().starts_with("tx_"), "the target is pairwise: {claims}");
    let book = world.onward("assistant", &token, "tickets", "tickets:book");
    refuses(&world, "more than the task", book, scope("scope_not_in_subject"), "scope_not_in_subject").await;
    let stolen = world.onward("stranger", &token, "tickets", "tickets:search");
    refuses(&world, "another client", stolen, SUBJECT, "not_yours").await;

    let shown = world.admin("GET", &format!("/tasks/{task}"), Value::Null).await.body;
    assert_eq!((&shown["delegator_kind"], &shown["purpose"]), (&json!("agent"), &json!("tidy up")));
    let rows = world.audit().await;
    let row = rows.iter().find(|row| row["task"] == task.as_str()).expect("the row in which it began");
    assert_eq!(
        (&row["task_begun"], &row["delegator_kind"], row.get("subject")),
        (&json!(true), &json!("agent"), None)
    );
    // It expires as every task does.
    world.advance(3600);
    refuses(
        &world,
        "expired",
        world.onward("assistant", &token, "tickets", "tickets:search"),
        SUBJECT,
        "expired",
    )
    .await;
}

async fn what_would_let_nobody_in_is_refused_at_load() {
    let world = World::start(jobs().replace(ASSISTANT, WITH_GRANT)).await;
    let table = [
        (
            "agent_tokens = true\nscopes = [\"reports:read\"]",
            "scopes = [\"reports:read\"]",
            "nobody could present its agents",
        ),
        (
            "clients = [\"nightly-jobs\"]\n",
            "clients = [\"assistant\"]\n",
            "lists 0 clients with `authentication = \"workload\"`",
        ),
        (
            "id = \"agent-b\"\n",
            "id = \"agent-b\"\nbegins_tasks = true\n",
            "`grants` lacks `client_credentials`",
        ),
        (
            "\"client_credentials\"]\nscopes = [\"reports",
            "\"urn:ietf:params:oauth:grant-type:jwt-bearer\"]\nscopes = [\"reports",
            "needs no client",
        ),
        (
            "subjects = [\"agent\"]",
            "subjects = [\"agent\"], max_age_seconds = 60",
            "demands something of a login",
        ),
        (
            "subjects = [\"agent\"]",
            "subjects = [\"user\", \"agent\"], assurance = \"mfa\"",
            "demands something of a login",
        ),
        ("subjects = [\"agent\"]", "subjects = []", "nobody could have the scope"),
        (
            "\"tickets:cancel\" = {},",
            "\"tickets:cancel\" = {}, age_over_18 = { subjects = [\"user\", \"agent\"] },",
            "an answer about a user",
        ),
    ];
    for (from, to, words) in table {
        refuses_config(&world, from, to, words);
    }
}

/// A user's token has `act`, which names its agent. A token about the party that holds it has none.
async fn a_token_about_its_holder_has_no_actor_and_is_never_exchanged() {
    let world = World::start(jobs()).await;
    let token = asking(&world, &world.workload_token("sensor").sign()).send().await.granted();
    assert_eq!(claims_of(&token).get("act"), None);
    for client in ["assistant", "stranger"] {
        let exchanged = world.onward(client, &token, "tickets", "tickets:search");
        refuses(&world, client, exchanged, SUBJECT, "about_agent").await;
    }
    let as_actor = world.tx().actor(&token);
    refuses(&world, "as actor", as_actor, ACTOR, "issuer_untrusted").await;
}
