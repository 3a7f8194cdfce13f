//! RFC 8693 §4.4: `may_act`.

use serde_json::{Value, json};

use crate::expect::{SUBJECT, refuses};
use crate::harness::{Cases, case, skip};
use crate::world::{Request, Setup, World, claims_of};

pub fn cases() -> Cases {
    vec![
        case("8693-4.4-01", may_act_has_to_name_the_actor),
        case("8693-4.4-02", other_members_of_may_act_than_identity_mean_nothing),
        case("8693-4.4-03", every_member_of_may_act_is_compared),
        case("8693-4.4-04", a_malformed_may_act_is_refused),
        case("8693-4.4-05", may_act_is_not_carried_on),
        skip("8693-4.4-06", "no token of Deputy's has may_act: no policy can name a next actor yet"),
    ]
}

fn with(world: &World, may_act: Value) -> Request<'_> {
    world.tx().set("subject_token", &world.id_token().claim("may_act", may_act).sign())
}

/// `may_act` may name the actor by issuer and `sub` in four ways: (Deputy, `act.sub`), (Deputy, `client_id`),
/// (workload issuer, `sub` of the credential) and (provider, relying party).
async fn may_act_has_to_name_the_actor() {
    let world = World::start(Setup::default()).await;
    let deputy = world.issuer.as_str();
    let provider = world.provider.issuer.as_str();
    let own_agent = world.agent_of("assistant");
    for named in [
        json!({"iss": deputy, "sub": own_agent.as_str()}),
        json!({"iss": deputy, "sub": "assistant"}),
        json!({"iss": provider, "sub": "booking-app"}),
        json!({"sub": "booking-app"}),
    ] {
        with(&world, named).send().await.granted();
    }
    for other in [
        json!({"sub": "someone-else"}),
        json!({"iss": deputy, "sub": "age-agent"}),
        json!({"iss": deputy, "sub": world.agent_of("age-agent").as_str()}),
        json!({"iss": provider, "sub": "other-app"}),
        json!({"iss": provider, "sub": "alice"}),
        json!({"iss": deputy, "sub": "Assistant"}),
    ] {
        let what = other.to_string();
        refuses(&world, &what, with(&world, other), SUBJECT, "may_act").await;
    }

    // With an actor token the actor is the workload, by its own names.
    let workload = || world.workload_token("planner").sign();
    let planner = world.agent_of_workload("workload-planner");
    for named in [
        json!({"iss": "https://workloads.example", "sub": "workload-planner"}),
        json!({"iss": deputy, "sub": planner.as_str()}),
        json!({"iss": deputy, "sub": "assistant"}),
    ] {
        with(&world, named).actor(&workload()).send().await.granted();
    }
    for other in [
        json!({"iss": "https://workloads.example", "sub": "workload-age"}),
        json!({"iss": deputy, "sub": own_agent.as_str()}),
    ] {
        let what = other.to_string();
        let request = with(&world, other).actor(&workload());
        refuses(&world, &what, request, SUBJECT, "may_act").await;
    }

    // It restricts further and never widens: it names the stranger, who is no source for this token.
    let named = json!({"iss": deputy, "sub": "stranger"});
    let request = with(&world, named).by_assertion("stranger");
    refuses(&world, "named, but no source", request, SUBJECT, "relying_party").await;
}

async fn other_members_of_may_act_than_identity_mean_nothing() {
    let world = World::start(Setup::default()).await;
    let now = world.now();
    let named = json!({
        "iss": world.issuer, "sub": "assistant", "exp": now - 3600, "nbf": now + 3600, "aud": "elsewhere",
    });
    with(&world, named).send().await.granted();
}

/// An absent `iss` means the subject token's issuer: the provider.
async fn every_member_of_may_act_is_compared() {
    let world = World::start(Setup::default()).await;
    with(&world, json!({"iss": world.issuer, "sub": "assistant"})).send().await.granted();
    for other in [
        json!({"iss": "https://elsewhere.example", "sub": "assistant"}),
        json!({"iss": world.provider.issuer, "sub": "assistant"}),
        json!({"sub": "assistant"}),
        json!({"iss": format!("{}/", world.issuer), "sub": "assistant"}),
        json!({"iss": world.issuer, "sub": "booking-app"}),
        json!({"iss": world.issuer, "sub": "assistant", "email": "assistant@example.org"}),
        json!({"iss": world.issuer, "sub": "assistant", "client_id": "other"}),
    ] {
        let what = other.to_string();
        refuses(&world, &what, with(&world, other), SUBJECT, "may_act").await;
    }
}

async fn a_malformed_may_act_is_refused() {
    let world = World::start(Setup::default()).await;
    for odd in [
        json!("assistant"),
        json!([{"iss": world.issuer, "sub": "assistant"}]),
        json!([]),
        json!({}),
        json!(true),
        json!({"iss": world.issuer}),
        json!({"iss": world.issuer, "sub": ""}),
        json!({"iss": world.issuer, "sub": null}),
        json!({"iss": world.issuer, "sub": ["assistant"]}),
        json!({"iss": [world.issuer], "sub": "assistant"}),
        json!({"iss": null, "sub": "booking-app"}),
    ] {
        let what = odd.to_string();
        refuses(&world, &what, with(&world, odd), SUBJECT, "may_act").await;
    }
    refuses(&world, "null", with(&world, json!(null)), SUBJECT, "claim").await;
}

async fn may_act_is_not_carried_on() {
    let world = World::start(Setup::default()).await;
    let id_token = world.id_token().claim("may_act", json!({"iss": world.issuer, "sub": "assistant"})).sign();
    let task = world.task_tx().set("subject_token", &id_token).send().await.granted();
    let files = world.files_from(&task).await;
    // Nor is it in force at the next hop, which is another actor's.
    let onward = world.onward_tx(&files).send().await.granted();
    for token in [&task, &files, &onward] {
        assert!(claims_of(token).get("may_act").is_none());
    }
    // Introspection shows all that the token says, and no more of this.
    let introspected = world.introspect_as("files-api", &files).await;
    assert_eq!(introspected.body["active"], true, "{}", introspected.text);
    assert!(introspected.body.get("may_act").is_none(), "{}", introspected.text);
    for (name, value) in claims_of(&files).as_object().unwrap() {
        assert_eq!(&introspected.body[name], value, "{name}");
    }
}
