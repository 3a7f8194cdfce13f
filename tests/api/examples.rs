//! The examples are not only loaded: each carries an exchange with an ID token of its provider's shape.

use serde_json::{Map, Value};

use crate::world::{OtherKey, Setup, World};

/// An example as a world plays it: on loopback without TLS, its provider and clients those of the world.
async fn example(name: &str, provider: &str) -> (World, Map<String, Value>) {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut toml = std::fs::read_to_string(directory.join("deputy.toml")).unwrap();
    let tls = toml.find("[tls]").unwrap();
    let after = tls + toml[tls..].find("\n\n").unwrap();
    toml.replace_range(tls..after, "[listen]\npublic = \"@public@\"\nmanagement = \"@management@\"\n");
    for (from, to) in [
        ("\"https://deputy.example\"", "\"@issuer@\""),
        (&format!("\"{provider}\"") as &str, "\"@provider@\"\nnetwork = \"private\""),
        ("clients/assistant.jwks.json", "clients/assistant.json"),
        ("clients/tickets-api.jwks.json", "clients/stranger.json"),
    ] {
        assert!(toml.contains(from), "`{from}` is in the example");
        toml = toml.replace(from, to);
    }
    let claims = std::fs::read_to_string(directory.join("id-token.json")).unwrap();
    (World::start(Setup::of(&toml)).await, serde_json::from_str(&claims).unwrap())
}

/// The example's ID token, issued a moment ago by the world's provider, signed RS256 as such providers do.
fn id_token(world: &World, claims: &Map<String, Value>, rsa: &OtherKey) -> String {
    let mut jwt = world.id_token();
    jwt.claims = claims.clone();
    jwt.claim("iss", world.provider.issuer.as_str())
        .claim("iat", world.now() - 5)
        .claim("nbf", world.now() - 5)
        .claim("exp", world.now() + 3600)
        .claim("auth_time", world.now() - 20)
        .header("alg", "RS256")
        .header("kid", "rsa")
        .signed_with(rsa)
}

async fn plays(name: &str, provider: &str, user: &str, weaken: fn(&mut Map<String, Value>)) {
    let (world, claims) = example(name, provider).await;
    let rsa = OtherKey::new("rsa", "RS256");
    world.provider.publish(rsa.jwks());
    let ask = |token: &str, scope: &str| {
        world.tx().set("subject_token", token).set("audience", "https://tickets.example").set("scope", scope)
    };

    let booked = ask(&id_token(&world, &claims, &rsa), "tickets:book").send().await;

    assert_eq!(booked.claims()["sub"], user, "{}", booked.text);
    assert_eq!(booked.body["scope"], "tickets:book");

    let mut weaker = claims.clone();
    weaken(&mut weaker);
    let refused = ask(&id_token(&world, &weaker, &rsa), "tickets:book").send().await;
    refused.refused(400, "invalid_request");
    assert_eq!(refused.reason(), "assurance_insufficient");
    ask(&id_token(&world, &weaker, &rsa), "tickets:search").send().await.granted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_acr_and_amr_carries_an_exchange() {
    let provider = "https://example.okta.com/oauth2/default";
    plays("provider-acr-amr", provider, "00u8ada5lovelace5d7", |claims| {
        claims.insert("acr".into(), "urn:okta:loa:2fa:any".into());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_acrs_and_oid_carries_an_exchange() {
    let provider = "https://login.microsoftonline.com/7c1f0f2e-6a0b-4b5e-9d0f-2f4f6f9a1b3c/v2.0";
    plays("provider-acrs-oid", provider, "3d9b7c55-1e0a-4d1c-9f6b-5a7e2c4d8f10", |claims| {
        claims.insert("acrs".into(), serde_json::json!(["c1"]));
    })
    .await;
}
