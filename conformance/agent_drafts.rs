//! What the drafts on agents make of RFC 8693: `act` hardened, and the actor profile (AGD-01 to AGD-16). Those that are
//! requirements of other specifications too are tested there.

use serde_json::{Value, json};

use crate::expect::{ACTOR, POLICY, SUBJECT, actors, refuses};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("AGD-02", a_stolen_token_and_a_stolen_credential_make_no_chain),
        case("AGD-03", to_delegate_to_an_agent_is_a_decision_of_its_own),
        case("AGD-07", a_request_with_a_bad_actor_gets_no_token_without_it),
        case("AGD-08", the_person_stays_the_same_under_every_name),
        case("AGD-09", an_actor_token_that_is_not_the_agents_own_is_refused),
        case("AGD-10", two_agents_of_one_client_are_two_actors),
        case("AGD-16", no_chain_is_filtered),
    ]
}

/// Splicing: Alice's token of one chain, and an agent's credential of another.
async fn a_stolen_token_and_a_stolen_credential_make_no_chain() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let for_files = world.files_from(&task).await;
    // The thief is a client of Deputy, or holds the assistant's own means as well.
    let age = || world.workload_token("age").sign();
    let onward = |client, token: &str| world.onward(client, token, "tickets", "age_over_18").actor(&age());
    refuses(&world, "a token for another target", onward("age-agent", &for_files), SUBJECT, "not_yours")
        .await;
    refuses(&world, "a task token", onward("age-agent", &task), SUBJECT, "not_yours").await;
    let by_assistant = onward("assistant", &task);
    refuses(&world, "an agent of another client", by_assistant, ACTOR, "class_not_for_client").await;
    let planner = world.workload_token("planner").sign();
    let other_agent = world.onward("assistant", &task, "tickets", "tickets:search").actor(&planner);
    refuses(&world, "an agent that began nothing", other_agent, SUBJECT, "not_yours").await;
    // The chain that did happen.
    let for_age = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    onward("age-agent", &for_age).send().await.granted();
}

const NOT_FROM_THE_ASSISTANT: &str = r#"
@id("exchange")
permit (principal, action == Deputy::Action::"exchange", resource);

@id("the-assistant-delegates-to-no-age-agent")
forbid (principal, action == Deputy::Action::"exchange", resource == Deputy::Target::"age-agent")
when { context.client == Deputy::Client::"assistant" };
"#;

async fn to_delegate_to_an_agent_is_a_decision_of_its_own() {
    let world = World::start(Setup::default().policy(NOT_FROM_THE_ASSISTANT)).await;
    let task = world.task_token().await;
    let delegated = world.onward("assistant", &task, "age-agent", "age_over_18");
    refuses(&world, "the assistant to the age agent", delegated, POLICY, "policy_denied").await;
    // Each of them may act for the user.
    world.onward("assistant", &task, "tickets", "tickets:search").send().await.granted();
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let for_age = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    world.age_tx(&for_age).send().await.granted();
}

async fn a_request_with_a_bad_actor_gets_no_token_without_it() {
    let world = World::start(Setup::default()).await;
    let good = || world.workload_token("planner");
    let expired = good().claim("iat", world.now() - 400).claim("exp", world.now() - 100);
    for (what, credential, cause) in [
        ("expired", expired, "expired"),
        ("of no known issuer", good().claim("iss", "https://other.example"), "issuer_untrusted"),
        ("of no class", world.workload_token("gardener"), "no_class"),
    ] {
        // The client may act by itself, which is not what was asked.
        refuses(&world, what, world.tx().actor(&credential.sign()), ACTOR, cause).await;
    }
    world.tx().send().await.granted();
}

async fn the_person_stays_the_same_under_every_name() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let first = world.onward("assistant", &task, "deep1", "deep").send().await.granted();
    let second = world.onward("svc1", &first, "deep2", "deep").send().await.granted();
    let tokens = [task, first, second].map(|token| claims_of(&token));
    let rows = world.audit().await;
    let subject_of = |claims: &Value| {
        let row = rows.iter().find(|row| row["event"] == "exchange" && row["jti"] == claims["jti"]);
        row.expect("a row")["subject"].as_str().expect("a reference").to_owned()
    };
    let [task, first, second] = &tokens;
    assert_ne!(first["sub"], second["sub"], "one sector each");
    assert_ne!(task["sub"], first["sub"]);
    assert!(tokens.iter().all(|claims| subject_of(claims) == subject_of(task)));
    let bob = world.id_token().claim("sub", "bob").sign();
    let bob = world.tx().set("subject_token", &bob).send().await.claims();
    let rows = world.audit().await;
    let of_bob = rows.iter().find(|row| row["jti"] == bob["jti"]).expect("a row");
    assert_ne!(of_bob["subject"], subject_of(task).as_str());
}

async fn an_actor_token_that_is_not_the_agents_own_is_refused() {
    let world = World::start(Setup::default()).await;
    let good = || world.workload_token("planner");
    for act in [json!({"sub": "another"}), json!({"iss": world.issuer, "sub": "agent_x", "act": {}})] {
        let what = act.to_string();
        refuses(&world, &what, world.tx().actor(&good().claim("act", act).sign()), ACTOR, "foreign_chain")
            .await;
    }
    let null = good().claim("act", json!(null)).sign();
    refuses(&world, "null", world.tx().actor(&null), ACTOR, "claim").await;
    // Of a kind that is no credential, or that may be one of two.
    let delegated = world.files_token().await;
    refuses(&world, "a delegated token", world.tx().actor(&delegated), ACTOR, "kind|issuer_untrusted").await;
    for (name, value) in [("htm", json!("POST")), ("events", json!({})), ("token_introspection", json!({}))] {
        let ambiguous = good().claim(name, value).sign();
        refuses(&world, name, world.tx().actor(&ambiguous), ACTOR, "kind").await;
    }
    world.tx().actor(&good().sign()).send().await.granted();
}

async fn two_agents_of_one_client_are_two_actors() {
    let world = World::start(Setup::default()).await;
    let planner = world.tx().actor(&world.workload_token("planner").sign()).send().await.claims();
    let own = world.tx().send().await.claims();
    assert_eq!(planner["client_id"], own["client_id"]);
    assert_ne!(actors(&planner), actors(&own));
    // An agent whose name is that of a client is not that client's agent.
    let named =
        world.workload_token("planner").claim("sub", "assistant").claim("client_id", "assistant").sign();
    let named = world.tx().actor(&named).send().await.claims();
    assert_ne!(actors(&named), actors(&own));
    assert_ne!(actors(&named), actors(&planner));
}

/// So that `chain_complete` is never needed.
async fn no_chain_is_filtered() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let for_age = world.onward("assistant", &task, "age-agent", "age_over_18").send().await.granted();
    let token = world.age_tx(&for_age).send().await.granted();
    let said = world.introspect_as("tickets-api", &token).await.body;
    assert_eq!(actors(&said), actors(&claims_of(&token)));
    assert_eq!(actors(&said).len(), 2, "the whole chain: {said}");
    assert_eq!(said.get("chain_complete"), None);
}
