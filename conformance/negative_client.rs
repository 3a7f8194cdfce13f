//! The negative matrix of client-authentication: L.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::expect::{client, malformed};
use crate::harness::{Cases, case, skip};
use crate::world::{ASSERTION_TYPE, Answer, Jwt, Setup, World, hmac_signed, unsigned};

const NO_REGISTRATION: &str = "clients are configured; there is no registration endpoint yet";
const NO_ATTESTATION: &str = "there is no attestation-based client authentication yet";
const NO_X509_SVID: &str = "X.509-SVIDs are not taken yet";
const NO_CIMD: &str = "there are no client ID metadata documents yet";

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("NEG-CA-01", no_credentials),
        case("NEG-CA-02", an_unknown_client),
        case("NEG-CA-03", basic_and_body_secret),
        case("NEG-CA-04", basic_that_cannot_be_read),
        case("NEG-CA-05", basic_with_a_wrong_secret),
        case("NEG-CA-06", an_assertion_without_its_type),
        case("NEG-CA-07", an_assertion_that_is_no_jwt),
        case("NEG-CA-08", an_assertion_for_the_token_endpoint),
        case("NEG-CA-09", an_assertion_with_a_second_audience),
        case("NEG-CA-10", an_assertion_by_one_about_another),
        case("NEG-CA-11", an_assertion_outside_its_time),
        case("NEG-CA-12", an_assertion_without_jti_or_replayed),
        case("NEG-CA-13", an_assertion_without_a_good_algorithm),
        case("NEG-CA-14", an_assertion_by_another_clients_key),
        case("NEG-CA-15", an_assertion_of_the_type_of_access_tokens),
        case("NEG-CA-18", a_forged_certificate_header),
        skip("NEG-CA-23", NO_REGISTRATION),
        skip("NEG-CA-24", NO_REGISTRATION),
        skip("NEG-CA-25", NO_REGISTRATION),
        skip("NEG-CA-26", NO_ATTESTATION),
        skip("NEG-CA-27", NO_ATTESTATION),
        skip("NEG-CA-28", NO_ATTESTATION),
        skip("NEG-CA-30", NO_X509_SVID),
        skip("NEG-CA-31", NO_CIMD),
        skip("NEG-CA-32", NO_CIMD),
    ]
}

/// `invalid_client` for this cause, and nothing minted.
async fn assert_invalid_client(world: &World, answer: &Answer, cause: &str) {
    answer.refused_because(world, client(cause), cause).await;
    assert_eq!(world.minted().await, 0);
}

/// The good exchange, with this assertion.
async fn exchanged(world: &World, assertion: &Jwt) -> Answer {
    world.tx().with_assertion(&assertion.sign()).send().await
}

async fn no_credentials() {
    let world = World::start(Setup::default()).await;

    let answer = world.tx().anonymous().send().await;
    assert_invalid_client(&world, &answer, "no_credentials").await;
    assert_eq!(answer.header("www-authenticate"), Some("private_key_jwt realm=\"deputy\""));
}

async fn an_unknown_client() {
    let world = World::start(Setup::default()).await;

    let secret = world.tx().anonymous().set("client_id", "unheard-of").set("client_secret", "x").send().await;
    assert_invalid_client(&world, &secret, "client_unknown").await;
    let assertion = world.assertion("assistant").claim("iss", "unheard-of").claim("sub", "unheard-of");
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "client_unknown").await;
    let alone = world.tx().anonymous().set("client_id", "unheard-of").send().await;
    assert_invalid_client(&world, &alone, "no_credentials").await;
}

async fn basic_and_body_secret() {
    let world = World::start(Setup::default()).await;

    let answer = world.tx().basic("basic-app").set("client_secret", "x").send().await;
    answer.refused_because(&world, malformed("several_authentication_methods"), "several_methods").await;
    assert_eq!(world.minted().await, 0);
}

async fn basic_that_cannot_be_read() {
    let world = World::start(Setup::default()).await;

    for header in [format!("Basic {}", STANDARD.encode("no-colon")), "Basic %%%".to_owned()] {
        let answer = world.tx().anonymous().header("Authorization", &header).send().await;
        answer.refused_because(&world, malformed("authorization_malformed"), "basic_malformed").await;
    }
    assert_eq!(world.minted().await, 0);
}

async fn basic_with_a_wrong_secret() {
    let world = World::start(Setup::default()).await;

    let answer = world.tx().basic_with("basic-app:wrong").send().await;
    assert_invalid_client(&world, &answer, "secret_wrong").await;
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
}

async fn an_assertion_without_its_type() {
    let world = World::start(Setup::default()).await;

    for request in [
        world.tx().without("client_assertion_type"),
        world.tx().set("client_assertion_type", "urn:unheard-of"),
    ] {
        request
            .send()
            .await
            .refused_because(&world, malformed("client_assertion_incomplete"), "assertion_incomplete")
            .await;
    }
    assert_eq!(world.minted().await, 0);
}

async fn an_assertion_that_is_no_jwt() {
    let world = World::start(Setup::default()).await;

    for text in ["garbage", "a.b.c", &"x".repeat(20_000)] {
        let answer = world.tx().with_assertion(text).send().await;
        assert_invalid_client(&world, &answer, "assertion_malformed").await;
    }
}

async fn an_assertion_for_the_token_endpoint() {
    let world = World::start(Setup::default()).await;

    let assertion = world.assertion("assistant").claim("aud", format!("{}/token", world.issuer));
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "assertion_audience").await;
}

async fn an_assertion_with_a_second_audience() {
    let world = World::start(Setup::default()).await;

    let assertion = world.assertion("assistant").claim("aud", json!([world.issuer, "https://other.example"]));
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "assertion_audience").await;
}

async fn an_assertion_by_one_about_another() {
    let world = World::start(Setup::default()).await;

    let assertion = world.assertion("assistant").claim("iss", "stranger");
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "assertion_issuer").await;
}

async fn an_assertion_outside_its_time() {
    let world = World::start(Setup::default()).await;

    for (assertion, cause) in [
        (world.assertion("assistant").without("exp"), "assertion_expired"),
        (world.assertion("assistant").claim("exp", world.now() - 61), "assertion_expired"),
        (world.assertion("assistant").claim("exp", world.now() + 3600), "assertion_too_long"),
    ] {
        assert_invalid_client(&world, &exchanged(&world, &assertion).await, cause).await;
    }
}

async fn an_assertion_without_jti_or_replayed() {
    let world = World::start(Setup::default()).await;

    let without = world.assertion("assistant").without("jti");
    assert_invalid_client(&world, &exchanged(&world, &without).await, "assertion_jti").await;
    let spent = world.assertion("assistant");
    world.form("/introspect").set("token", "x").with_assertion(&spent.sign()).send().await;
    assert_invalid_client(&world, &exchanged(&world, &spent).await, "assertion_replayed").await;
}

async fn an_assertion_without_a_good_algorithm() {
    let world = World::start(Setup::default()).await;
    let (_, claims) = world.assertion("assistant").texts();

    let header = json!({"alg": "none"}).to_string();
    let none = world.tx().with_assertion(&unsigned(&header, &claims)).send().await;
    assert_invalid_client(&world, &none, "assertion_algorithm").await;
    let key = world.key_of("assistant").clone();
    let header = json!({"alg": "HS256", "kid": key.kid}).to_string();
    let keyed = hmac_signed(key.jwk().to_string().as_bytes(), &header, &claims);
    let symmetric = world.tx().with_assertion(&keyed).send().await;
    assert_invalid_client(&world, &symmetric, "assertion_algorithm").await;
}

async fn an_assertion_by_another_clients_key() {
    let world = World::start(Setup::default()).await;

    let assertion = world.assertion("assistant").signed_by(world.key_of("stranger"));
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "assertion_signature").await;
}

async fn an_assertion_of_the_type_of_access_tokens() {
    let world = World::start(Setup::default()).await;

    let assertion = world.assertion("assistant").header("typ", "at+jwt");
    assert_invalid_client(&world, &exchanged(&world, &assertion).await, "assertion_kind").await;
}

async fn a_forged_certificate_header() {
    let world = World::start(Setup::default()).await;

    for (name, value) in [
        ("X-Client-Cert", "MIIB"),
        ("Client-Cert", ":MIIB:"),
        ("X-SSL-Client-Verify", "SUCCESS"),
        ("X-SSL-Client-S-DN", "CN=assistant"),
        ("X-Forwarded-Client-Cert", "Subject=\"CN=assistant\""),
        ("X-Remote-User", "assistant"),
    ] {
        let request = world.tx().anonymous().set("client_id", "assistant").header(name, value);
        assert_invalid_client(&world, &request.send().await, "no_credentials").await;
    }
    assert_eq!(world.tx().value("client_assertion_type"), Some(ASSERTION_TYPE), "the world is valid");
    world.tx().send().await.granted();
}
