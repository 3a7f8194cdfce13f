use serde_json::{Value, json};

use crate::client_auth::{NotAuthenticated, Request, RequestKind, authenticate};
use crate::jose::{Algorithm, UnverifiedToken};
use crate::keys::{KeyRing, new_key};
use crate::oauth::{DeclaredType, Params};
use crate::testing::doubles::SeededEntropy;
use crate::verification::fixtures::*;
use crate::verification::{Presented, PresentedOwn};

const PLACES: [&str; 4] = ["own", "id_token", "workload", "assertion"];

/// Where `token` is taken.
async fn taken_at(world: &World, ring: &KeyRing, token: &str) -> Vec<&'static str> {
    let World { config, verifier, secrets, .. } = world;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        .append_pair("client_assertion", token)
        .finish();
    let params = Params::parse(form.as_bytes()).unwrap();
    let assertion = authenticate(
        config,
        verifier,
        secrets,
        Request {
            authorization: &[],
            params: &params,
            kind: RequestKind::Token,
            proven: &|| Ok(None),
            certificate: Ok(None),
        },
        NOW,
    )
    .await;
    assert!(!matches!(assertion, Err(NotAuthenticated::Unavailable(_))));
    let own = PresentedOwn::read(config, secrets, Presented::read(token), NOW);
    let token = UnverifiedToken::scan(token);
    let taken = [
        own.is_ok_and(|presented| presented.verify(ring).is_ok()),
        verifier.login(config, (&token, DeclaredType::IdToken), &world.client_id(), NOW).await.is_ok(),
        verifier.workload(config, &token, NOW).await.is_ok(),
        assertion.is_ok(),
    ];
    PLACES.into_iter().zip(taken).filter(|(_, taken)| *taken).map(|(place, _)| place).collect()
}

/// Claims that fit every kind of token, as far as one object can. Only `typ`, key and issuer then distinguish them.
fn everything(iss: &str, aud: Value) -> Value {
    let mut claims = id_claims();
    for (name, value) in workload_claims().as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims["jti"] = json!("019a0000-0000-7000-8000-000000000001");
    claims["sub"] = json!("assistant");
    claims["exp"] = json!(NOW.seconds() + 200);
    claims["iss"] = json!(iss);
    claims["aud"] = aud;
    claims
}

#[tokio::test]
async fn each_kind_is_taken_in_its_place_and_in_no_other() {
    let world = World::new();
    let row = new_key(Algorithm::ES256, NOW, NOW, &world.secrets, &SeededEntropy::new(1)).unwrap();
    let ring = KeyRing::from_rows(&[row], &world.secrets).unwrap();
    let own = |typ: &str, aud: &str| {
        ring.sign(typ, everything(DEPUTY, json!(aud)).to_string().as_bytes(), NOW).unwrap().token
    };
    let (provider, workload, client) = (&world.provider_key, &world.workload_key, &world.client_key);
    let to_app = everything(PROVIDER, json!("booking-app"));
    let from_workload = everything(WORKLOADS, json!(DEPUTY));
    let from_client = everything("assistant", json!(DEPUTY));
    let logout = json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}});
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("access token", own("at+jwt", "tickets"), &["own"]),
        ("task token", own("task+jwt", DEPUTY), &["own"]),
        ("introspection answer", own("token-introspection+jwt", "tickets"), &[]),
        ("status list", own("statuslist+jwt", "tickets"), &[]),
        ("own key, no kind", own("JWT", DEPUTY), &[]),
        ("ID token", sign(provider, "JWT", &to_app), &["id_token"]),
        ("logout token", sign(provider, "logout+jwt", &but(to_app.clone(), logout.clone())), &[]),
        ("logout token without typ", sign(provider, "JWT", &but(to_app.clone(), logout)), &[]),
        ("provider's access token", sign(provider, "at+jwt", &to_app), &[]),
        (
            "provider's access token without typ",
            sign(provider, "JWT", &but(to_app, json!({"scope": "openid", "client_id": "booking-app"}))),
            &[],
        ),
        ("workload token", sign(workload, "JWT", &from_workload), &["workload"]),
        ("workload token as WIT", sign(workload, "wit+jwt", &from_workload), &[]),
        ("client assertion", sign(client, "JWT", &from_client), &["assertion"]),
        ("typed client assertion", sign(client, "client-authentication+jwt", &from_client), &["assertion"]),
        ("DPoP proof", sign(client, "dpop+jwt", &but(from_client.clone(), json!({"htm": "POST"}))), &[]),
        (
            "client's key in the provider's name",
            sign(client, "JWT", &everything(PROVIDER, json!("booking-app"))),
            &[],
        ),
        ("provider's key in the client's name", sign(provider, "JWT", &from_client), &[]),
        ("provider's key in our name", sign(provider, "at+jwt", &everything(DEPUTY, json!("tickets"))), &[]),
    ];
    for (name, token, expected) in cases {
        assert_eq!(taken_at(&world, &ring, &token).await, expected, "{name}");
    }
}
