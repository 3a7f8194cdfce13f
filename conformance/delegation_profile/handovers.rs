//! Nomination: an agent brings in another by handing over, and that one accepts with its own credential.

use serde_json::json;

use crate::expect::{POLICY, SUBJECT, levels, malformed, refuses};
use crate::harness::{Cases, case};
use crate::world::{Key, Request, Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("8693-F-04", an_agent_is_nominated_by_the_current_actor_alone),
        case("8693-F-05", a_handover_is_exchanged_by_the_agent_that_it_names),
        case("8693-F-08", a_bound_task_token_is_handed_over_by_its_key_and_bound_to_the_acceptor),
        case("AGD-03", to_bring_in_an_agent_is_a_decision_of_its_own),
        case("AGD-11", a_bound_task_token_is_handed_over_by_its_key_and_bound_to_the_acceptor),
    ]
}

const MISSING: (u16, &str, &str) = (400, "invalid_dpop_proof", "proof_missing");

/// A client hands over the word by which the age agent verifies an age.
fn handing<'a>(world: &'a World, client: &str, task: &str) -> Request<'a> {
    let issuer = world.issuer.clone();
    world.onward(client, task, &issuer, "age_over_18").set("requested_actor", "class:age-verification")
}

/// A fresh age agent accepts, for `tickets`.
fn accepting<'a>(world: &'a World, handover: &str) -> Request<'a> {
    world.age_tx(handover)
}

fn proving<'a>(world: &World, request: Request<'a>, key: &Key) -> Request<'a> {
    request.header("DPoP", &world.proof(key).sign())
}

async fn an_agent_is_nominated_by_the_current_actor_alone() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    refuses(&world, "another client", handing(&world, "agent-b", &task), SUBJECT, "not_yours").await;
    let for_age = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    let by_audience = handing(&world, "age-agent", &for_age).actor(&world.workload_token("age").sign());
    refuses(&world, "the audience of a token", by_audience, SUBJECT, "not_yours").await;
    let unlisted = handing(&world, "assistant", &task).set("requested_actor", "class:planner");
    let unlisted = unlisted.set("scope", "tickets:search");
    let wire = malformed("requested_actor_unacceptable");
    refuses(&world, "a class that is not listed", unlisted, wire, "requested_actor_unlisted").await;
    let itself = handing(&world, "assistant", &task).set("requested_actor", &world.agent_of("assistant"));
    refuses(&world, "itself", itself, malformed("chain_loop"), "chain_loop").await;
    let at_target = handing(&world, "assistant", &task).set("audience", "tickets");
    let misplaced = malformed("requested_actor_misplaced");
    refuses(&world, "for a target", at_target, misplaced, "requested_actor_misplaced").await;
    let at_hop_0 = world.task_tx().set("requested_actor", "class:courier");
    refuses(&world, "with an ID token", at_hop_0, misplaced, "requested_actor_misplaced").await;

    let handed = handing(&world, "assistant", &task).send().await;
    assert_eq!(handed.token_header()["typ"], "handover+jwt");
    assert_eq!(handed.body["issued_token_type"], "urn:ietf:params:oauth:token-type:jwt");
    assert_eq!(handed.body["token_type"], "N_A");
    assert_eq!(handed.claims()["aud"], world.issuer);
    assert!(!handed.claims().to_string().contains("age-verification"), "no claim says for whom");
    assert_eq!(handed.claims()["exp"], claims_of(&task)["exp"]);
}

async fn a_handover_is_exchanged_by_the_agent_that_it_names() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let handed = handing(&world, "assistant", &task).send().await.granted();
    for server in ["tickets-api", "files-api"] {
        let said = world.introspect_as(server, &handed).await;
        assert_eq!(said.body, json!({"active": false}));
    }
    for client in ["assistant", "agent-b", "stranger"] {
        let by_other = world.onward(client, &handed, "tickets", "age_over_18");
        refuses(&world, client, by_other, SUBJECT, "handed_to_another").await;
    }
    let first = world.workload_token("age").sign();
    let accepted = accepting(&world, &handed).actor(&first).send().await;
    let task_id = claims_of(&task)["txn"].clone();
    assert_eq!(accepted.body["task"], task_id);
    assert_eq!(accepted.body["act"], accepted.claims()["act"]);
    let actors: Vec<String> = levels(&accepted.claims()).into_iter().map(|(_, sub)| sub).collect();
    assert_eq!((actors.len(), &actors[1]), (2, &world.agent_of("assistant")));
    refuses(&world, "another instance", accepting(&world, &handed), SUBJECT, "handed_to_another").await;
    // The same agent may do so again, when it could no longer accept first.
    world.advance(400);
    let again = world.workload_token("age").sign();
    refuses(
        &world,
        "another instance, later",
        accepting(&world, &handed).actor(&again),
        SUBJECT,
        "handed_to_another",
    )
    .await;
    let late = handing(&world, "assistant", &task).send().await.granted();
    world.advance(300);
    refuses(&world, "too late", accepting(&world, &late), SUBJECT, "handover_expired").await;
}

async fn a_bound_task_token_is_handed_over_by_its_key_and_bound_to_the_acceptor() {
    let toml = "id = \"basic-app\"\n";
    let setup = Setup::default().replace(toml, &format!("{toml}delegates_to = [\"planner\"]\n"));
    let world = World::start(setup).await;
    let (giver, acceptor, other) = (Key::new("giver"), Key::new("acceptor"), Key::new("other"));
    let issuer = world.issuer.clone();
    let task = world.tx().basic("basic-app").set("audience", &issuer);
    let task = proving(&world, task, &giver).send().await.granted();
    let handing = || {
        let request = world.onward("assistant", &task, &issuer, "tickets:search").basic("basic-app");
        request.set("requested_actor", "class:planner")
    };
    refuses(&world, "no proof", handing(), MISSING, "proof_missing").await;
    refuses(&world, "another key", proving(&world, handing(), &other), SUBJECT, "other_key").await;
    let handed = proving(&world, handing(), &giver).send().await;
    assert_eq!(handed.claims().get("cnf"), None, "a handover is never bound to its giver");

    let planner = world.workload_token("planner").sign();
    let accepting = |handed: &str, audience: &str| {
        world.onward("assistant", handed, audience, "tickets:search").actor(&planner)
    };
    let for_target = proving(&world, accepting(&handed.granted(), "tickets"), &acceptor).send().await;
    assert_eq!(for_target.claims()["cnf"]["jkt"], acceptor.thumbprint());
    let task = proving(&world, accepting(&handed.granted(), &issuer), &acceptor).send().await;
    assert_eq!(task.claims()["cnf"]["jkt"], acceptor.thumbprint());
    let continued =
        || world.onward("assistant", &task.granted(), "tickets", "tickets:search").actor(&planner);
    let by_giver = proving(&world, continued(), &giver);
    refuses(&world, "the giver's key", by_giver, SUBJECT, "other_key").await;
    proving(&world, continued(), &acceptor).send().await.granted();

    let to_key = proving(&world, handing().set("dpop_jkt", &acceptor.thumbprint()), &giver).send().await;
    let stolen = to_key.granted();
    refuses(&world, "no proof", accepting(&stolen, "tickets"), MISSING, "proof_missing").await;
    let by_other = proving(&world, accepting(&stolen, "tickets"), &other);
    refuses(&world, "another key", by_other, SUBJECT, "other_key").await;
    let accepted = proving(&world, accepting(&stolen, "tickets"), &acceptor).send().await;
    assert_eq!(accepted.claims()["cnf"]["jkt"], acceptor.thumbprint());
}

const NO_AGE_AGENT: &str = r#"
@id("act")
permit (principal, action == Deputy::Action::"exchange", resource);

@id("bring-in")
permit (principal, action == Deputy::Action::"delegate", resource)
unless { resource in Deputy::AgentClass::"age-verification" };
"#;

async fn to_bring_in_an_agent_is_a_decision_of_its_own() {
    let world = World::start(Setup::default().policy(NO_AGE_AGENT)).await;
    let task = world.task_token().await;
    refuses(&world, "by rule", handing(&world, "assistant", &task), POLICY, "policy_denied").await;
    let other = handing(&world, "assistant", &task).set("requested_actor", "class:courier");
    other.set("scope", "tickets:search").send().await.granted();
    // Each of them may act for the user.
    let for_age = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    world.age_tx(&for_age).send().await.granted();
}
