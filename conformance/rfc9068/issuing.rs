//! RFC 9068 §2, §3, §5, §6: what an issued token is.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expect::{NO_TARGET, SEVERAL, SUBJECT, TARGET_MISSING, refuses, refuses_config};
use crate::harness::{Cases, case};
use crate::world::{Setup, World, claims_of, header_of};

pub fn cases() -> Cases {
    vec![
        case("9068-2.1-01", every_token_is_signed_with_an_asymmetric_algorithm),
        case("9068-2.1-02", every_access_token_is_typed),
        case("9068-2.1-03", rs256_can_be_selected),
        case("9068-2.2-01", the_required_claims_are_there_and_typed),
        case("9068-2.2-02", iss_is_the_issuer_of_the_metadata),
        case("9068-2.2-03", jti_is_unique),
        case("9068-2.2-04", sub_is_the_user),
        case("9068-2.2.1-01", the_facts_of_the_login_do_not_change_from_hop_to_hop),
        case("9068-2.2.3-01", scope_is_there),
        case("9068-2.2.3-02", every_scope_means_something_at_the_audience),
        case("9068-3-01", without_a_target_the_request_is_refused),
        case("9068-3-02", no_audience_is_inferred_from_scope),
        case("9068-3-03", without_a_target_scopes_of_two_are_refused_too),
        case("9068-3-04", no_token_is_ambiguous),
        case("9068-5-01", an_audience_stands_for_one_resource),
        case("9068-5-02", a_client_cannot_pass_for_a_user),
        case("9068-6-01", a_client_needs_nothing_that_is_inside_the_token),
    ]
}

/// One token of every kind: hop 0, task, continued, onward.
async fn tokens(world: &World) -> Vec<(&'static str, String)> {
    let task = world.task_token().await;
    let files = world.files_from(&task).await;
    let onward = world.onward_tx(&files).send().await.granted();
    let direct = world.tx().send().await.granted();
    vec![("hop 0", direct), ("task", task), ("continued", files), ("onward", onward)]
}

/// Verifies `token` with the key set that Deputy publishes, as a resource server would: by the
/// library alone, none of Deputy's code.
async fn verifies_by_jwks(world: &World, token: &str) -> jsonwebtoken::Algorithm {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(world.get("/jwks").await.body).unwrap();
    let jwk = set.find(header.kid.as_deref().expect("kid")).expect("the key is published");
    let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
    let mut validation = jsonwebtoken::Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_issuer(&[world.issuer.as_str()]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap();
    header.alg
}

async fn every_token_is_signed_with_an_asymmetric_algorithm() {
    let world = World::start(Setup::default()).await;
    for (what, token) in tokens(&world).await {
        assert_eq!(header_of(&token)["alg"], "ES256", "{what}");
        assert_eq!(verifies_by_jwks(&world, &token).await, jsonwebtoken::Algorithm::ES256, "{what}");
    }
    let eddsa = World::start(Setup::default().add("[keys]\nsigning_algorithm = \"EdDSA\"")).await;
    for (what, token) in tokens(&eddsa).await {
        assert_eq!(header_of(&token)["alg"], "EdDSA", "{what}");
        assert_eq!(verifies_by_jwks(&eddsa, &token).await, jsonwebtoken::Algorithm::EdDSA, "{what}");
    }
    let keys = "[keys]\nsigning_algorithm = \"none\"\n[tokens]";
    refuses_config(&world, "[tokens]", keys, "signing_algorithm");
    refuses_config(&world, "[tokens]", &keys.replace("none", "HS256"), "signing_algorithm");
}

/// A task token is `task+jwt`, so that no resource server accepts it.
async fn every_access_token_is_typed() {
    let world = World::start(Setup::default()).await;
    for (what, token) in tokens(&world).await {
        let expected = if what == "task" { "task+jwt" } else { "at+jwt" };
        assert_eq!(header_of(&token)["typ"], expected, "{what}");
    }
}

async fn rs256_can_be_selected() {
    let world = World::start(Setup::default().add("[keys]\nsigning_algorithm = \"RS256\"")).await;
    for (what, token) in tokens(&world).await {
        assert_eq!(header_of(&token)["alg"], "RS256", "{what}");
        assert_eq!(verifies_by_jwks(&world, &token).await, jsonwebtoken::Algorithm::RS256, "{what}");
    }
    let answer = world.tx().send().await;
    assert!(world.is_active(&answer.granted()).await);
}

async fn the_required_claims_are_there_and_typed() {
    let world = World::start(Setup::default()).await;
    for (what, token) in tokens(&world).await {
        let claims = claims_of(&token);
        for name in ["iss", "aud", "sub", "client_id", "jti", "scope", "txn"] {
            assert!(claims[name].as_str().is_some_and(|text| !text.is_empty()), "{what}: {name} in {claims}");
        }
        assert_eq!(claims["iat"].as_i64(), Some(world.now()), "{what}");
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64(), "{what}");
    }
}

async fn iss_is_the_issuer_of_the_metadata() {
    let world = World::start(Setup::default()).await;
    let metadata = world.get("/.well-known/oauth-authorization-server").await.body;
    for (what, token) in tokens(&world).await {
        assert_eq!(claims_of(&token)["iss"], metadata["issuer"], "{what}");
    }
    assert_eq!(metadata["issuer"], world.issuer.as_str());
}

/// A `jti` is a UUID of version 7, which is unique and ordered by time.
async fn jti_is_unique() {
    let world = World::start(Setup::default()).await;
    let task = world.task_token().await;
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let token = world.onward("assistant", &task, "tickets", "tickets:search").send().await.granted();
        let claims = claims_of(&token);
        let jti = uuid::Uuid::parse_str(claims["jti"].as_str().unwrap()).unwrap();
        assert_eq!(jti.get_version_num(), 7);
        let (seconds, _) = jti.get_timestamp().unwrap().to_unix();
        assert_eq!(i64::try_from(seconds).unwrap(), world.now());
        assert!(seen.insert(jti), "{jti} twice");
    }
    // The same source gives 10 000 identifiers in one millisecond, which differ only in their random part.
    let many = deputy::testing::identifiers(10_000, world.now()).unwrap();
    assert_eq!(many.into_iter().collect::<BTreeSet<_>>().len(), 10_000);
}

/// There is always a user: Deputy issues no token for an agent alone.
async fn sub_is_the_user() {
    let world = World::start(Setup::default().upstream()).await;
    for (what, token) in tokens(&world).await {
        assert_eq!(claims_of(&token)["sub"], "alice", "{what}");
    }
    let workload = world.workload_token("planner").sign();
    let request = world.tx().set("subject_token", &workload);
    refuses(&world, "an agent as subject", request, SUBJECT, "issuer_untrusted").await;
}

/// The facts of the login come from its record, and pairwise targets see fewer of them.
async fn the_facts_of_the_login_do_not_change_from_hop_to_hop() {
    let world = World::start(Setup::default().upstream()).await;
    let id_token = world.id_token();
    let signed = id_token.sign();
    let task = world.task_tx().set("subject_token", &signed).send().await.granted();
    let mut token = task.clone();
    for (depth, (client, target)) in
        [("assistant", "deep1"), ("svc1", "deep2"), ("svc2", "deep3")].into_iter().enumerate()
    {
        world.advance(30);
        token = world.onward(client, &token, target, "deep").send().await.granted();
        let claims = claims_of(&token);
        assert_eq!(crate::expect::levels(&claims).len(), depth + 1);
        for name in ["auth_time", "acr", "amr"] {
            assert_eq!(claims[name], id_token.claims[name], "{name} at depth {}", depth + 1);
        }
        assert_ne!(claims["auth_time"], claims["iat"]);
    }

    // A pairwise target: `acr` where it lists it, nothing else.
    let world = World::start(Setup::default()).await;
    let tickets = world.tx().send().await.claims();
    assert_eq!(tickets["acr"], "phr", "tickets lists acr");
    let task = world.task_token().await;
    let deep = world.onward("assistant", &task, "deep1", "deep").send().await.claims();
    assert!(deep.get("acr").is_none(), "deep1 does not: {deep}");
    for name in ["auth_time", "amr"] {
        assert!(tickets.get(name).is_none() && deep.get(name).is_none(), "{name}");
    }
}

async fn scope_is_there() {
    let world = World::start(Setup::default()).await;
    for (what, token) in tokens(&world).await {
        assert!(claims_of(&token)["scope"].is_string(), "{what}");
    }
}

/// This does not apply to task tokens, whose scopes are defined by the targets that can be reached.
async fn every_scope_means_something_at_the_audience() {
    let world = World::start(Setup::default()).await;
    let config = world.config();
    for (what, token) in tokens(&world).await {
        let claims = claims_of(&token);
        let Some(defined) = config.scope_of(claims["aud"].as_str().unwrap()) else {
            assert_eq!(what, "task");
            continue;
        };
        for word in claims["scope"].as_str().unwrap().split(' ') {
            assert!(defined.split(' ').any(|defined| defined == word), "{what}: {word}");
        }
    }
    for (target, foreign) in
        [("tickets", "files.read"), ("https://files.example/", "tickets:search"), ("deep1", "files.read")]
    {
        let request = world.tx().set("audience", target).set("scope", foreign);
        let wire = crate::expect::scope("scope_unknown_at_target");
        refuses(&world, foreign, request, wire, "scope_unknown_at_target").await;
    }
    // A task token's scopes each mean something somewhere in reach.
    let request = world.task_tx().set("scope", "tickets:search unheard-of");
    let wire = crate::expect::scope("scope_unknown_at_target");
    refuses(&world, "nowhere in reach", request, wire, "scope_unknown_at_target").await;
}

/// No client has a default target.
async fn without_a_target_the_request_is_refused() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().without("audience");
    refuses(&world, "hop 0", request, TARGET_MISSING, "target_missing").await;
    let files = world.files_token().await;
    let request = world.onward_tx(&files).without("audience");
    refuses(&world, "later hop", request, TARGET_MISSING, "target_missing").await;
    refuses_config(
        &world,
        "id = \"assistant\"",
        "id = \"assistant\"\ndefault_target = \"tickets\"",
        "default_target",
    );
}

/// `post-app` may reach one target and one scope only: even that is not guessed.
async fn no_audience_is_inferred_from_scope() {
    let world = World::start(Setup::default()).await;
    world.tx().secret_in_body("post-app").send().await.granted();
    let request = world.tx().secret_in_body("post-app").without("audience");
    refuses(&world, "one choice only", request, TARGET_MISSING, "target_missing").await;
}

/// There are no default targets, so the missing target is the fault.
async fn without_a_target_scopes_of_two_are_refused_too() {
    let world = World::start(Setup::default()).await;
    let request = world.tx().without("audience").set("scope", "tickets:search files.read");
    refuses(&world, "scopes of two targets", request, TARGET_MISSING, "target_missing").await;
}

/// Several targets are refused before a scope could be ambiguous.
async fn no_token_is_ambiguous() {
    let world = World::start(Setup::default()).await;
    // `files.read` is defined by both.
    let request = world
        .tx()
        .set("audience", "https://files.example/")
        .also("audience", "https://archive.example/")
        .set("scope", "files.read");
    refuses(&world, "one name at two targets", request, SEVERAL, "target_several").await;
}

async fn an_audience_stands_for_one_resource() {
    let world = World::start(Setup::default()).await;
    let twice = "`target.identifier` is `tickets` a second time";
    refuses_config(&world, "identifier = \"age-agent\"", "identifier = \"tickets\"", twice);
    let issuer = format!("identifier = \"{}\"", world.issuer);
    refuses_config(&world, "identifier = \"age-agent\"", &issuer, "Deputy's own issuer");
}

/// Nobody registers a client over the wire; those in the configuration, agents and users have names
/// that cannot meet.
async fn a_client_cannot_pass_for_a_user() {
    let world = World::start(Setup::default()).await;
    let registration = world.form("/register").raw("application/json", "{\"client_id\":\"alice\"}");
    assert_eq!(registration.send().await.status, 404);

    let agent = world.agent_of("assistant").to_string();
    for reserved in [agent.as_str(), "agent_x", "pw_x"] {
        let token = world.id_token().claim("sub", reserved).sign();
        let request = world.tx().set("subject_token", &token);
        refuses(&world, reserved, request, SUBJECT, "subject").await;
    }
    let pairwise = world.tx().send().await.claims()["sub"].as_str().unwrap().to_owned();
    assert!(agent.starts_with("agent_") && pairwise.starts_with("pw_"));
    for prefix in ["agent_", "pw_"] {
        let to = format!("id = \"{prefix}x\"");
        refuses_config(&world, "id = \"post-app\"", &to, &format!("begins with `{prefix}`"));
    }
}

/// The story with every token as an opaque string: what a client has to know is in the answer.
async fn a_client_needs_nothing_that_is_inside_the_token() {
    let world = World::start(Setup::default()).await;
    let begun = world.task_tx().send().await;
    let (task, id) = (begun.granted(), begun.body["task"].as_str().expect("the task's id").to_owned());
    assert!(begun.body["expires_in"].as_u64().is_some_and(|seconds| seconds > 300));
    let joined = world.tx().set("task", &id).send().await;
    assert_eq!(joined.body["task"], id.as_str());
    let continued = world.onward("assistant", &task, "tickets", "tickets:search").send().await;
    for answer in [&begun, &joined, &continued] {
        for member in ["access_token", "issued_token_type", "token_type", "expires_in", "scope"] {
            assert!(answer.body.get(member).is_some(), "{member}: {}", answer.text);
        }
    }
    let unreadable = world.onward("assistant", &task, "nowhere", "tickets:search");
    refuses(&world, "a refusal too", unreadable, NO_TARGET, "target_unknown").await;
}
