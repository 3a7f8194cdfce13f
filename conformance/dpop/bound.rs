//! What is bound to a key, and who may use it.

use super::{INVALID, MISSING, proving};
use crate::expect::{SUBJECT, refuses};
use crate::harness::{Cases, case};
use crate::world::{Key, Request, Setup, World};

pub fn cases() -> Cases {
    vec![
        case("9449-5-01", a_proof_binds_the_token_to_its_key),
        case("9449-6.1-01", a_proof_binds_the_token_to_its_key),
        case("9449-6.2-01", introspection_tells_the_key),
        case("9449-5.2-01", who_has_to_prove_a_key_gets_nothing_without),
        case("NEG-CA-22", who_has_to_prove_a_key_gets_nothing_without),
        case("9449-5-02", without_a_proof_the_token_is_a_bearer_token_where_that_is_allowed),
        case("9449-F-01", a_stolen_bound_token_is_worth_nothing_with_another_key),
        case("8693-F-08", a_bound_token_is_continued_by_its_key_alone),
        case("8693-F-08", the_audience_goes_onward_and_binds_to_its_own_key),
        case("NEG-CX-25", a_bound_token_is_continued_by_its_key_alone),
        case("DPOP-TASK-01", a_task_token_is_bound_where_the_credential_could_be_stolen),
        case("DPOP-LOST-01", a_lost_key_is_replaced_by_a_new_first_hop),
        case("DPOP-LOST-01", a_key_that_is_lost_after_twenty_minutes_is_replaced_by_the_same_id_token),
        case("DPOP-TARGET-01", a_target_says_whether_its_tokens_are_bound),
        case("AGD-11", a_proof_binds_the_token_to_its_key),
        case("AGD-11", a_bound_token_is_continued_by_its_key_alone),
        case("AGD-11", the_audience_goes_onward_and_binds_to_its_own_key),
    ]
}

/// The first hop of a client with a secret for a task token.
fn task_of_secret_client(world: &World) -> Request<'_> {
    let audience = world.issuer.clone();
    world.tx().basic("basic-app").set("audience", &audience)
}

async fn a_proof_binds_the_token_to_its_key() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let task = world.task_token().await;
    let continued = world.onward("assistant", &task, "tickets", "tickets:search");
    for request in [world.tx(), continued] {
        let answer = proving(&world, request, &key).send().await;
        assert_eq!(answer.claims()["cnf"], serde_json::json!({"jkt": key.thumbprint()}));
        assert_eq!(answer.body["token_type"], "DPoP");
        let rows = world.audit().await;
        let row = rows.iter().rev().find(|row| row["event"] == "exchange").unwrap();
        assert_eq!((row["jkt"].as_str(), row["bound"].as_bool()), (Some(&*key.thumbprint()), Some(true)));
    }
}

async fn introspection_tells_the_key() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let bound = proving(&world, world.tx(), &key).send().await.granted();
    let said = world.introspect_as("tickets-api", &bound).await.body;
    assert_eq!((&said["token_type"], &said["active"]), (&"DPoP".into(), &true.into()));
    assert_eq!(said["cnf"]["jkt"], key.thumbprint());
    let unbound = world.tx().send().await.granted();
    let said = world.introspect_as("tickets-api", &unbound).await.body;
    assert_eq!((&said["token_type"], said.get("cnf")), (&"Bearer".into(), None));
}

async fn who_has_to_prove_a_key_gets_nothing_without() {
    let client = "[[client]]\nid = \"assistant\"\n";
    let setup = Setup::default().replace(client, &format!("{client}proof = \"required\"\n"));
    let world = World::start(setup).await;
    refuses(&world, "client", world.tx(), MISSING, "proof_missing").await;
    refuses(&world, "before the grant", world.tx().set("grant_type", "x"), MISSING, "proof_missing").await;
    proving(&world, world.tx(), &Key::new("agent")).send().await.granted();

    let issuer = "stable_id_claim = \"sub\"\n";
    let setup = Setup::default().replace(issuer, &format!("{issuer}proof = \"required\"\n"));
    let world = World::start(setup).await;
    let actor = world.workload_token("planner").sign();
    refuses(&world, "workload issuer", world.tx().actor(&actor), MISSING, "proof_missing").await;
    proving(&world, world.tx().actor(&actor), &Key::new("agent")).send().await.granted();
    world.tx().send().await.granted();
}

async fn without_a_proof_the_token_is_a_bearer_token_where_that_is_allowed() {
    let world = World::start(Setup::default()).await;
    let answer = world.tx().send().await;
    assert_eq!((&answer.body["token_type"], answer.claims().get("cnf")), (&"Bearer".into(), None));
}

async fn a_stolen_bound_token_is_worth_nothing_with_another_key() {
    let world = World::start(Setup::default()).await;
    let (key, thief) = (Key::new("agent"), Key::new("thief"));
    let task = proving(&world, task_of_secret_client(&world), &key).send().await.granted();
    let stolen = || world.onward("assistant", &task, "tickets", "tickets:search").basic("basic-app");
    refuses(&world, "his own good proof", proving(&world, stolen(), &thief), SUBJECT, "other_key").await;
    let forged = world.proof(&key).signed_by(&thief).sign();
    refuses(&world, "forged", stolen().header("DPoP", &forged), INVALID, "proof_signature").await;
    refuses(&world, "no proof", stolen(), MISSING, "proof_missing").await;
}

async fn a_bound_token_is_continued_by_its_key_alone() {
    let world = World::start(Setup::default()).await;
    let (key, other) = (Key::new("agent"), Key::new("other"));
    let task = proving(&world, task_of_secret_client(&world), &key).send().await.granted();
    let continued = || world.onward("assistant", &task, "tickets", "tickets:search").basic("basic-app");
    let answer = proving(&world, continued(), &key).send().await;
    assert_eq!(answer.claims()["cnf"]["jkt"], key.thumbprint());
    refuses(&world, "another key", proving(&world, continued(), &other), SUBJECT, "other_key").await;
    refuses(&world, "no key", continued(), MISSING, "proof_missing").await;
}

async fn the_audience_goes_onward_and_binds_to_its_own_key() {
    let world = World::start(Setup::default()).await;
    let (key, own) = (Key::new("agent"), Key::new("agent-b"));
    let bound = proving(&world, world.tx().set("audience", "agent-b"), &key).send().await.granted();
    let onward = || world.onward("agent-b", &bound, "tickets", "tickets:search");
    let answer = onward().send().await;
    assert_eq!((&answer.body["token_type"], answer.claims().get("cnf")), (&"Bearer".into(), None));
    let answer = proving(&world, onward(), &own).send().await;
    assert_eq!(answer.claims()["cnf"]["jkt"], own.thumbprint());
}

async fn a_task_token_is_bound_where_the_credential_could_be_stolen() {
    let world = World::start(Setup::default()).await;
    let key = Key::new("agent");
    let answer = proving(&world, task_of_secret_client(&world), &key).send().await;
    assert_eq!(answer.claims()["cnf"]["jkt"], key.thumbprint());
    assert_eq!(answer.body["token_type"], "DPoP");
    // Each request of the assistant proves its key already, so that a stolen task token is worth nothing.
    let answer = proving(&world, world.task_tx(), &key).send().await;
    assert_eq!((&answer.body["token_type"], answer.claims().get("cnf")), (&"Bearer".into(), None));
}

async fn a_lost_key_is_replaced_by_a_new_first_hop() {
    let world = World::start(Setup::default()).await;
    let (lost, new) = (Key::new("lost"), Key::new("new"));
    let id_token = world.id_token().sign();
    let hop_zero = || task_of_secret_client(&world).set("subject_token", &id_token);
    let first = proving(&world, hop_zero(), &lost).send().await;
    let second = proving(&world, hop_zero(), &new).send().await;
    assert_eq!(first.body["task"], second.body["task"], "it joins the live task that it fed");
    assert_eq!(second.claims()["cnf"]["jkt"], new.thumbprint());
    let task = second.granted();
    let continued = world.onward("assistant", &task, "tickets", "tickets:search").basic("basic-app");
    proving(&world, continued, &new).send().await.granted();
}

async fn a_key_that_is_lost_after_twenty_minutes_is_replaced_by_the_same_id_token() {
    let world = World::start(Setup::default()).await;
    let (lost, new) = (Key::new("lost"), Key::new("new"));
    let id_token = world.id_token().claim("exp", world.now() + 3600).sign();
    let hop_zero = || task_of_secret_client(&world).set("subject_token", &id_token);
    let first = proving(&world, hop_zero(), &lost).send().await;
    let bound_to_lost = first.granted();
    world.advance(1200);

    let second = proving(&world, hop_zero(), &new).send().await;
    assert_eq!(first.body["task"], second.body["task"], "it joins the live task that it fed");
    assert_eq!(second.claims()["cnf"]["jkt"], new.thumbprint());
    let continued =
        |task: &str| world.onward("assistant", task, "tickets", "tickets:search").basic("basic-app");
    proving(&world, continued(&second.granted()), &new).send().await.granted();
    let with_new = proving(&world, continued(&bound_to_lost), &new);
    refuses(&world, "the task token of the lost key", with_new, SUBJECT, "other_key").await;
}

async fn a_target_says_whether_its_tokens_are_bound() {
    let target = "[[target]]\nidentifier = \"tickets\"\n";
    let with = |proof| Setup::default().replace(target, &format!("{target}proof = \"{proof}\"\n"));
    let key = Key::new("agent");
    let world = World::start(with("required")).await;
    refuses(&world, "required", world.tx(), MISSING, "proof_missing").await;
    assert_eq!(proving(&world, world.tx(), &key).send().await.body["token_type"], "DPoP");

    let world = World::start(with("none")).await;
    let answer = proving(&world, world.tx(), &key).send().await;
    assert_eq!((&answer.body["token_type"], answer.claims().get("cnf")), (&"Bearer".into(), None));
    // A bound task token still needs its key.
    let task = proving(&world, task_of_secret_client(&world), &key).send().await.granted();
    let continued = || world.onward("assistant", &task, "tickets", "tickets:search").basic("basic-app");
    refuses(&world, "no proof", continued(), MISSING, "proof_missing").await;
    assert_eq!(proving(&world, continued(), &key).send().await.body["token_type"], "Bearer");
}
