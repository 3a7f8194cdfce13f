//! Rules for all methods of client authentication (RFC 6749 §2.3, RFC 7521 §4.2).

use serde_json::json;

use crate::expect::{CLIENT, THROTTLED, malformed, words};
use crate::harness::{Cases, case, skip};
use crate::requests::{at_each_endpoint, from, metadata, throttled};
use crate::world::{ASSERTION_TYPE, Setup, World};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("CA-ALL-01", one_method_a_request),
        case("CA-ALL-02", the_method_is_the_one_registered),
        case("CA-ALL-03", client_id_names_the_client_of_the_credential),
        case("CA-ALL-04", every_failure_looks_the_same),
        case("CA-ALL-05", a_public_client_is_none),
        case("CA-ALL-06", metadata_lists_exactly_the_enabled_methods),
        case("CA-ALL-07", secrets_are_off_by_default_and_never_for_agents),
        skip("CA-ALL-08", "there are no tenants"),
        case("CA-ALL-09", failures_are_audited_and_throttled),
    ]
}

async fn one_method_a_request() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        let assertion = world.assertion("assistant").sign();
        for request in [
            request.clone().basic("basic-app").set("client_secret", "x"),
            request
                .clone()
                .basic("basic-app")
                .set("client_assertion_type", ASSERTION_TYPE)
                .set("client_assertion", &assertion),
            request
                .clone()
                .secret_in_body("post-app")
                .set("client_assertion_type", ASSERTION_TYPE)
                .set("client_assertion", &assertion),
        ] {
            request
                .send()
                .await
                .refused_because(&world, malformed("several_authentication_methods"), "several_methods")
                .await;
        }
        // The assertion was not spent by that.
        assert_eq!(request.with_assertion(&assertion).send().await.status, 200);
    }
}

async fn the_method_is_the_one_registered() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        for request in [
            // Right secrets, each by the other's method; and secrets where a key is registered.
            request.clone().basic("post-app"),
            request.clone().secret_in_body("basic-app"),
            request.clone().basic("assistant"),
            request.clone().secret_in_body("assistant"),
            // A good signature where a secret is registered.
            request.clone().with_assertion(
                &world.assertion("assistant").claim("iss", "basic-app").claim("sub", "basic-app").sign(),
            ),
        ] {
            request.send().await.refused_because(&world, CLIENT, "method_not_registered").await;
        }
    }
}

async fn client_id_names_the_client_of_the_credential() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        for request in [
            request.clone().by_assertion("assistant").set("client_id", "stranger"),
            request.clone().by_assertion("assistant").set("client_id", "unheard-of"),
            request.clone().basic("basic-app").set("client_id", "post-app"),
        ] {
            request.send().await.refused_because(&world, CLIENT, "client_id_mismatch").await;
        }
    }
    for request in [
        world.tx().set("client_id", "assistant"),
        world.tx().basic("basic-app").set("client_id", "basic-app"),
    ] {
        request.send().await.granted();
    }
}

/// That every failure takes equal time is shown by the structure of the code: the dummy check is called.
async fn every_failure_looks_the_same() {
    let expired = "secret_files = [{ file = \"secrets/no-exchange\", expires_at = 2026-01-01T00:00:00Z }]";
    let setup = Setup::default().replace("secret_file = \"secrets/no-exchange\"", expired);
    let world = World::start(setup).await;
    let forged = |client: &str| world.assertion("assistant").claim("iss", client).claim("sub", client);
    let stranger = world.key_of("stranger");

    let mut bodies = Vec::new();
    for (request, cause) in [
        (world.tx().basic_with("unheard-of:x"), "client_unknown"),
        (world.tx().basic_with("basic-app:x"), "secret_wrong"),
        (world.tx().basic("no-exchange"), "secret_expired"),
        (world.tx().basic("post-app"), "method_not_registered"),
        (world.tx().secret_in_body("post-app").set("client_secret", "x"), "secret_wrong"),
        (world.tx().with_assertion(&forged("unheard-of").sign()), "client_unknown"),
        (world.tx().with_assertion(&forged("assistant").signed_by(stranger).sign()), "assertion_signature"),
        (world.tx().with_assertion(&forged("basic-app").sign()), "method_not_registered"),
        (world.tx().anonymous(), "no_credentials"),
    ] {
        let answer = request.send().await;
        answer.refused_because(&world, CLIENT, cause).await;
        bodies.push(answer.anonymous_body());
    }
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");

    // Who holds the key of the client is told what is wrong with the assertion, and nobody else is.
    let far = world.now() + 3600;
    for (claim, value, cause) in [
        ("aud", json!("https://other.example"), "assertion_audience"),
        ("exp", json!(far), "assertion_too_long"),
    ] {
        let assertion = forged("assistant").claim(claim, value);
        let told = world.tx().with_assertion(&assertion.clone().sign()).send().await;
        told.refused_because(&world, (401, "invalid_client", cause), cause).await;
        let not_told = world.tx().with_assertion(&assertion.signed_by(stranger).sign()).send().await;
        assert_eq!(not_told.anonymous_body(), bodies[0], "{cause}");
    }

    // A path that refuses before it verifies the signature verifies a dummy signature instead.
    let source = include_str!("../src/client_auth/assertion.rs");
    let prove =
        source.split("pub async fn prove").nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap();
    let early = prove.split("scanned.verify(").next().unwrap();
    assert!(early.matches("return Err").count() >= 2, "the function is the one meant");
    assert_eq!(early.matches("return Err").count(), early.matches("dummy_verify(&scanned)").count());
}

async fn a_public_client_is_none() {
    let world = World::start(Setup::default()).await;

    let answer = world.tx().anonymous().set("client_id", "assistant").send().await;
    answer.refused_because(&world, CLIENT, "no_credentials").await;
    let public = "\n[[client]]\nid = \"public\"\nauthentication = \"none\"\n";
    let config = format!("{}{public}", world.toml);
    assert!(deputy::testing::Config::parse(&config, world.directory.path()).is_err());
}

async fn metadata_lists_exactly_the_enabled_methods() {
    let world = World::start(Setup::default()).await;
    let document = metadata(&world).await;

    for endpoint in ["token", "introspection", "revocation"] {
        let methods = words(&document[format!("{endpoint}_endpoint_auth_methods_supported")]);
        assert_eq!(methods, ["client_secret_basic", "client_secret_post", "private_key_jwt"].into());
        let algorithms = words(&document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")]);
        // Those of clients, and those of the platforms whose credentials authenticate the couriers.
        assert_eq!(algorithms, ["ES256", "ES384", "EdDSA", "PS256", "RS256"].into());
    }
    let setup = Setup::default()
        .replace("authentication = \"client_secret_post\"", "authentication = \"client_secret_basic\"");
    let fewer = metadata(&World::start(setup).await).await;
    for endpoint in ["token", "introspection", "revocation"] {
        let methods = words(&fewer[format!("{endpoint}_endpoint_auth_methods_supported")]);
        assert_eq!(methods, ["client_secret_basic", "private_key_jwt"].into());
    }
}

/// An operator sets `may_act_as_agent` to let a client that has a secret be the actor itself.
async fn secrets_are_off_by_default_and_never_for_agents() {
    let world = World::start(Setup::default()).await;
    let off = world.toml.replacen("allow_secret = true\n", "", 1);
    assert!(deputy::testing::Config::parse(&off, world.directory.path()).is_err());
    world.tx().basic("basic-app").send().await.granted();

    let setup = Setup::default().replace("may_act_as_agent = true\n", "");
    let world = World::start(setup).await;
    let answer = world.tx().basic("basic-app").send().await;
    answer.refused(400, "invalid_request");
    assert_eq!(answer.audited_cause(&world).await, "secret_client_as_agent");
    assert_eq!(world.minted().await, 0);
    // Asking about tokens is not acting.
    assert_eq!(world.introspect_as("tickets-api", "x").await.body, json!({"active": false}));
}

async fn failures_are_audited_and_throttled() {
    let world = World::start(throttled()).await;
    let attack = || from(world.tx().basic_with("basic-app:guess"), "192.0.2.1");

    for _ in 0..3 {
        attack().await.refused_because(&world, CLIENT, "secret_wrong").await;
    }
    let throttled = attack().await;
    throttled.refused_because(&world, THROTTLED, "secret_wrong").await;
    assert!(throttled.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    // The rows say who was attacked, and from where.
    let rows = world.audit_of(throttled.request_id()).await;
    assert_eq!(
        (rows[0]["client"].as_str(), rows[0]["source"].as_str()),
        (Some("basic-app"), Some("192.0.2.1"))
    );
    // The real client is not locked out: not elsewhere, and not behind the same address.
    for source in ["192.0.2.2", "192.0.2.1"] {
        from(world.tx().basic("basic-app"), source).await.granted();
    }
    // Many clients' failures from one source are throttled for all clients there, and for no other source. A
    // credential that verifies is taken all the same.
    for number in 0..40 {
        from(world.tx().basic_with(&format!("nobody-{number}:x")), "192.0.2.3").await;
    }
    let shut_out = from(world.tx().basic_with("basic-app:guess"), "192.0.2.3").await;
    shut_out.refused_because(&world, THROTTLED, "throttled").await;
    for source in ["192.0.2.3", "192.0.2.4"] {
        from(world.tx().basic("basic-app"), source).await.granted();
    }
    world.advance(60);
    let again = from(world.tx().basic_with("basic-app:guess"), "192.0.2.3").await;
    again.refused_because(&world, CLIENT, "secret_wrong").await;
}
