use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::base::time::{FOREIGN_LEEWAY, Timestamp};
use crate::jose::{Algorithm, SigningKey};
use crate::oauth::OneTime;
use crate::registry::{AssertionAudience, KeySource, Reach};

pub fn body(assertion: &str) -> String {
    form(&[
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ])
}

async fn prove(world: &World, assertion: &str) -> Result<AuthenticatedClient, Plain> {
    authenticate_with(world, &[], &body(assertion)).await
}

async fn changed(world: &World, changes: Value) -> Result<AuthenticatedClient, Plain> {
    prove(world, &sign(&world.client_key, "JWT", &but(assertion_claims(), changes))).await
}

#[tokio::test]
async fn a_good_assertion_proves_the_client_and_hands_out_its_jti_to_be_spent() {
    let world = World::new();
    let proven = changed(&world, json!({})).await.unwrap();
    assert_eq!(proven.client().id.as_str(), "assistant");
    let [OneTime::Assertion { client, jti, until }] = proven.one_time() else {
        panic!("{:?}", proven.one_time())
    };
    assert_eq!(client.as_str(), "assistant");
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"a-1");
    assert_eq!(jti, hash.as_ref());
    let expires_at = Timestamp::from_seconds(NOW.seconds() + 60);
    assert_eq!(*until, expires_at.plus(FOREIGN_LEEWAY), "as long as it could pass the time checks");
}

#[tokio::test]
async fn type_and_assertion_come_together_and_the_type_is_the_known_one() {
    let world = World::new();
    let assertion = sign(&world.client_key, "JWT", &assertion_claims());
    let known = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for pairs in [
        vec![("client_assertion", assertion.as_str())],
        vec![("client_assertion_type", known)],
        vec![
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
            ("client_assertion", &assertion),
        ],
        vec![("client_assertion_type", "jwt-bearer"), ("client_assertion", &assertion)],
    ] {
        let outcome = authenticate_with(&world, &[], &form(&pairs)).await;
        assert_eq!(outcome.unwrap_err(), Plain::AssertionIncomplete, "{pairs:?}");
    }
}

#[tokio::test]
async fn issuer_and_subject_are_both_the_client() {
    let world = World::new();
    for changes in [json!({"iss": null}), json!({"iss": "other"}), json!({"iss": DEPUTY})] {
        assert_eq!(changed(&world, changes.clone()).await.unwrap_err(), Plain::AssertionIssuer, "{changes}");
    }
    assert_eq!(changed(&world, json!({"iss": ["assistant"]})).await.unwrap_err(), Plain::AssertionMalformed);
    for changes in [json!({"sub": null}), json!({"sub": "nobody"}), json!({"sub": 1})] {
        assert_eq!(changed(&world, changes.clone()).await.unwrap_err(), Plain::ClientUnknown, "{changes}");
    }
    let basic = json!({"sub": "basic", "iss": "basic"});
    assert_eq!(changed(&world, basic).await.unwrap_err(), Plain::MethodNotRegistered);
}

#[tokio::test]
async fn the_audience_is_the_issuer_alone() {
    let world = World::new();
    for aud in [json!(DEPUTY), json!([DEPUTY])] {
        assert!(changed(&world, json!({"aud": aud})).await.is_ok(), "{aud}");
    }
    for aud in [
        json!(null),
        json!([]),
        json!("https://deputy.example/token"),
        json!("https://deputy.example/"),
        json!("https://DEPUTY.example"),
        json!("https://other.example"),
        json!([DEPUTY, "https://other.example"]),
        json!([DEPUTY, "https://deputy.example/token"]),
        json!([DEPUTY, DEPUTY]),
        json!({"aud": DEPUTY}),
    ] {
        let outcome = changed(&world, json!({"aud": aud})).await;
        assert_eq!(outcome.unwrap_err(), Plain::AssertionAudience, "{aud}");
    }
}

#[tokio::test]
async fn the_token_endpoint_is_an_audience_only_where_the_operator_allows_it() {
    let mut world = World::new();
    let mut assistant = (*world.config.registry.clients[&world.client_id()]).clone();
    let ClientAuthentication::PrivateKeyJwt { audience, .. } = &mut assistant.authentication else {
        panic!()
    };
    *audience = AssertionAudience::IssuerOrEndpoint;
    world.config.registry.clients.insert(world.client_id(), Arc::new(assistant));
    let endpoint = "https://deputy.example/token";

    for aud in [json!(DEPUTY), json!([DEPUTY]), json!(endpoint), json!([endpoint])] {
        assert!(changed(&world, json!({"aud": aud})).await.is_ok(), "{aud}");
    }
    for aud in [
        json!(null),
        json!("https://deputy.example/introspect"),
        json!("https://deputy.example/token/"),
        json!("https://DEPUTY.example/token"),
        json!("https://other.example/token"),
        json!([DEPUTY, endpoint]),
        json!([endpoint, "https://other.example/token"]),
    ] {
        let outcome = changed(&world, json!({"aud": aud})).await;
        assert_eq!(outcome.unwrap_err(), Plain::AssertionAudience, "{aud}");
    }
}

#[tokio::test]
async fn its_times_are_near() {
    let world = World::new();
    let now = NOW.seconds();
    for (changes, expected) in [
        (json!({"exp": null}), Some(Plain::AssertionExpired)),
        (json!({"exp": now - 59, "iat": now - 100}), None),
        (json!({"exp": now - 60}), Some(Plain::AssertionExpired)),
        (json!({"exp": now + 300}), None),
        (json!({"exp": now + 360}), None),
        (json!({"exp": now + 361}), Some(Plain::AssertionTooLong)),
        (json!({"exp": now + 3600}), Some(Plain::AssertionTooLong)),
        (json!({"exp": "soon"}), Some(Plain::AssertionMalformed)),
        (json!({"iat": now + 8}), None),
        (json!({"iat": now + 10}), None),
        (json!({"iat": now + 61}), Some(Plain::AssertionNotYetValid)),
        (json!({"iat": now + 70}), Some(Plain::AssertionNotYetValid)),
        (json!({"iat": now - 300}), None),
        (json!({"iat": now - 301}), Some(Plain::AssertionTooLong)),
        (json!({"iat": null}), None),
        (json!({"nbf": now + 10}), None),
        (json!({"nbf": now + 61}), Some(Plain::AssertionNotYetValid)),
        (json!({"nbf": true}), Some(Plain::AssertionMalformed)),
    ] {
        assert_eq!(changed(&world, changes.clone()).await.err(), expected, "{changes}");
    }
}

#[tokio::test]
async fn a_jti_is_required_and_bounded() {
    let world = World::new();
    for jti in [json!(null), json!(""), json!("a".repeat(257))] {
        let outcome = changed(&world, json!({"jti": jti})).await;
        assert_eq!(outcome.unwrap_err(), Plain::AssertionJti, "{jti}");
    }
    assert_eq!(changed(&world, json!({"jti": 1})).await.unwrap_err(), Plain::AssertionMalformed);
    assert!(changed(&world, json!({"jti": "é".repeat(256)})).await.is_ok());
}

#[tokio::test]
async fn kinds_that_are_no_assertion_are_refused() {
    let world = World::new();
    for typ in ["client-authentication+jwt", "application/client-authentication+jwt", "JWT", "jwt"] {
        assert!(prove(&world, &sign(&world.client_key, typ, &assertion_claims())).await.is_ok(), "{typ}");
    }
    for typ in ["at+jwt", "dpop+jwt", "logout+jwt", "task+jwt", "token-introspection+jwt", ""] {
        let outcome = prove(&world, &sign(&world.client_key, typ, &assertion_claims())).await;
        assert_eq!(outcome.unwrap_err(), Plain::AssertionKind, "{typ}");
    }
}

#[tokio::test]
async fn only_a_registered_key_with_a_registered_algorithm_signs() {
    let world = World::new();
    let foreign = sign(&world.provider_key, "JWT", &assertion_claims());
    assert_eq!(prove(&world, &foreign).await.unwrap_err(), Plain::AssertionKeyUnknown);
    let header = json!({"alg": "ES256", "kid": world.client_key.kid()});
    let forged = sign_with_header(&world.provider_key, &header, &assertion_claims());
    assert_eq!(prove(&world, &forged).await.unwrap_err(), Plain::AssertionSignature);
    let embedded = json!({
        "alg": "ES256", "jwk": world.provider_key.jwk(), "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x", "kid": world.provider_key.kid(),
    });
    let self_signed = sign_with_header(&world.provider_key, &embedded, &assertion_claims());
    assert_eq!(prove(&world, &self_signed).await.unwrap_err(), Plain::AssertionKeyUnknown);
    for alg in ["none", "HS256", "RS1", "", "es256"] {
        let header = json!({"alg": alg, "kid": world.client_key.kid()});
        let token = sign_with_header(&world.client_key, &header, &assertion_claims());
        assert_eq!(prove(&world, &token).await.unwrap_err(), Plain::AssertionAlgorithm, "{alg}");
    }
    let rs256 = SigningKey::generate(Algorithm::RS256).unwrap();
    let token = sign(&rs256, "JWT", &assertion_claims());
    assert_eq!(prove(&world, &token).await.unwrap_err(), Plain::AssertionAlgorithm, "per client");
}

#[tokio::test]
async fn what_is_no_jwt_is_a_failed_authentication() {
    let world = World::new();
    for text in ["x", "a.b.c", "{}", "eyJhbGciOiJFUzI1NiJ9.e30"] {
        assert_eq!(prove(&world, text).await.unwrap_err(), Plain::AssertionMalformed, "{text}");
    }
}

#[tokio::test]
async fn unknown_claims_have_no_effect() {
    let world = World::new();
    let claims = json!({"act": {"sub": "ceo"}, "scope": "everything", "extra": [1, 2]});
    assert!(changed(&world, claims).await.is_ok());
}

#[tokio::test]
async fn a_client_id_beside_the_assertion_names_the_same_client() {
    let world = World::new();
    let assertion = sign(&world.client_key, "JWT", &assertion_claims());
    for (id, expected) in [
        ("assistant", None),
        ("basic", Some(Plain::ClientIdMismatch)),
        ("nobody", Some(Plain::ClientIdMismatch)),
    ] {
        let outcome = authenticate_with(&world, &[], &format!("{}&client_id={id}", body(&assertion))).await;
        assert_eq!(outcome.err(), expected, "{id}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_make_the_answer_unavailable_not_wrong() {
    let mut world = World::new();
    let authentication = ClientAuthentication::PrivateKeyJwt {
        keys: KeySource::File("/nonexistent/jwks.json".into()),
        reach: Reach::default(),
        algorithms: [Algorithm::ES256].into(),
        audience: AssertionAudience::Issuer,
    };
    let client = client("assistant", authentication);
    world.config.registry.clients.insert(client.id.clone(), Arc::new(client));
    let body = body(&sign(&world.client_key, "JWT", &assertion_claims()));
    let outcome = presented(&world, &[], &body).await;
    assert!(matches!(outcome, Err(NotAuthenticated::Unavailable(_))), "{outcome:?}");
}
