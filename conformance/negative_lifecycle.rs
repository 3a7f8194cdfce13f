//! Introspections, revocations and metadata requests that have to be refused (NEG-TL-01 and so on).

use serde_json::json;

use crate::expect::{CLIENT, KIND, assert_inactive, assert_revoked, assert_unavailable, malformed};
use crate::harness::{Cases, case, skip};
use crate::requests::{WELL_KNOWN, metadata, revocation};
use crate::world::{Answer, Key, Setup, World, claims_of};

const NO_API: &str = "Deputy has no protected API yet";

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("NEG-TL-01", introspection_without_credentials),
        case("NEG-TL-02", introspection_without_a_token),
        case("NEG-TL-03", introspection_by_get),
        case("NEG-TL-04", introspection_of_what_is_no_live_token),
        case("NEG-TL-05", introspection_of_another_kind_of_token),
        case("NEG-TL-06", introspection_by_no_resource_server),
        case("NEG-TL-07", introspection_of_two_tokens),
        case("NEG-TL-08", introspection_of_a_megabyte),
        skip("NEG-TL-09", "introspection answers are not signed yet (RFC 9701)"),
        case("NEG-TL-10", revocation_without_credentials),
        case("NEG-TL-11", revocation_without_a_token),
        case("NEG-TL-12", revocation_of_what_is_dead_already),
        case("NEG-TL-13", revocation_of_another_clients_token),
        case("NEG-TL-14", revocation_with_an_unknown_hint),
        case("NEG-TL-15", revocation_of_an_id_token),
        case("NEG-TL-16", revocation_with_the_store_down),
        skip("NEG-TL-17", NO_API),
        skip("NEG-TL-18", NO_API),
        skip("NEG-TL-19", NO_API),
        skip("NEG-TL-20", NO_API),
        skip("NEG-TL-21", NO_API),
        case("NEG-TL-22", metadata_at_another_path),
        case("NEG-TL-23", metadata_for_a_forged_host),
        skip("NEG-TL-24", "there are no status lists yet"),
        skip("NEG-TL-25", "there are no status lists yet"),
        skip("NEG-TL-26", "there are no status lists yet"),
        skip("NEG-TL-27", "there is no endpoint for global revocation yet"),
        case("NEG-TL-28", a_post_to_the_key_set),
    ]
}

async fn introspection_without_credentials() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer = world.form("/introspect").set("token", &token).send().await;
    answer.refused_because(&world, CLIENT, "no_credentials").await;
    assert!(answer.body.get("active").is_none());
}

async fn introspection_without_a_token() {
    let world = World::start(Setup::default()).await;

    let answer = world.form("/introspect").basic("tickets-api").send().await;
    answer.refused_because(&world, malformed("token_missing"), "token_missing").await;
}

async fn introspection_by_get() {
    let world = World::start(Setup::default()).await;

    let answer = world.form("/introspect").basic("tickets-api").method("GET").send().await;
    answer
        .refused_because(&world, (405, "invalid_request", "method_not_allowed"), "method_not_allowed")
        .await;
}

async fn introspection_of_what_is_no_live_token() {
    let world = World::start(Setup::default()).await;
    let expired = world.tx().send().await.granted();
    world.advance(300);
    let live = world.tx().send().await.granted();
    let revoked = world.tx().send().await.granted();
    assert_revoked(&revocation(&world, "assistant", &revoked).send().await);
    let foreign = Key::new("foreign").sign(&json!({"iss": "https://elsewhere.example", "sub": "x"}));
    assert!(world.is_active(&live).await);

    for token in ["garbage", "", "....", &foreign, &expired, &revoked] {
        let answer = world.form("/introspect").set("token", token).basic("tickets-api").send().await;
        if token.is_empty() {
            answer.refused(400, "invalid_request");
        } else {
            assert_inactive(&answer);
        }
    }
    assert_inactive(&world.introspect_as("files-api", &live).await);
}

async fn introspection_of_another_kind_of_token() {
    let world = World::start(Setup::default()).await;
    let proof = {
        let key = Key::new("proof");
        let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.jwk()}).to_string();
        let claims = json!({"jti": "1", "htm": "POST", "htu": world.issuer, "iat": world.now()});
        key.sign_text(&header, &claims.to_string())
    };
    let kinds = [
        world.id_token().sign(),
        proof,
        world.assertion("assistant").sign(),
        world.workload_token("age").sign(),
    ];

    for token in kinds {
        assert_inactive(&world.introspect_as("tickets-api", &token).await);
    }
}

/// The client to which the token was issued gets the same answer as any other client.
async fn introspection_by_no_resource_server() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    for client in ["assistant", "stranger", "age-agent"] {
        let answer = world.form("/introspect").set("token", &token).by_assertion(client).send().await;
        assert_inactive(&answer);
    }
    assert!(world.is_active(&token).await);
}

async fn introspection_of_two_tokens() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let request = world.form("/introspect").set("token", &token).also("token", "other");
    let answer = request.basic("tickets-api").send().await;
    answer.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
    assert!(answer.body.get("active").is_none());
}

async fn introspection_of_a_megabyte() {
    let world = World::start(Setup::default()).await;

    let request = world.form("/introspect").set("token", &"a".repeat(1_000_000)).basic("tickets-api");
    let answer = request.send().await;
    answer.refused_because(&world, (413, "invalid_request", "body_too_large"), "body_too_large").await;
}

async fn revocation_without_credentials() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer = world.form("/revoke").set("token", &token).send().await;
    answer.refused_because(&world, CLIENT, "no_credentials").await;
    assert!(world.is_active(&token).await);
}

async fn revocation_without_a_token() {
    let world = World::start(Setup::default()).await;

    let answer = world.form("/revoke").by_assertion("assistant").send().await;
    answer.refused_because(&world, malformed("token_missing"), "token_missing").await;
}

async fn revocation_of_what_is_dead_already() {
    let world = World::start(Setup::default()).await;
    let expired = world.tx().send().await.granted();
    world.advance(300);
    let revoked = world.tx().send().await.granted();
    assert_revoked(&revocation(&world, "assistant", &revoked).send().await);
    let unknown = Key::new("unknown").sign(&claims_of(&revoked));

    for token in [&unknown, &expired, &revoked, "garbage"] {
        assert_revoked(&revocation(&world, "assistant", token).send().await);
    }
}

async fn revocation_of_another_clients_token() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    let answer = revocation(&world, "stranger", &token).send().await;
    answer.refused_because(&world, malformed("token_of_other_client"), "token_of_other_client").await;
    assert!(world.is_active(&token).await);
}

async fn revocation_with_an_unknown_hint() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    assert_revoked(&revocation(&world, "assistant", &token).set("token_type_hint", "foo").send().await);
    assert_inactive(&world.introspect_as("tickets-api", &token).await);
}

async fn revocation_of_an_id_token() {
    let world = World::start(Setup::default()).await;

    let answer = revocation(&world, "assistant", &world.id_token().sign()).send().await;
    answer.refused_because(&world, KIND, "token_kind_not_revocable").await;
}

async fn revocation_with_the_store_down() {
    let world = World::start(Setup::default()).await;
    let token = world.tx().send().await.granted();

    world.server().close_store().await.unwrap();
    assert_unavailable(&revocation(&world, "assistant", &token).send().await);
}

async fn metadata_at_another_path() {
    let world = World::start(Setup::default().issuer_path("/t1")).await;
    let right = format!("{WELL_KNOWN}/t1");
    assert_eq!(world.get_at_root(&right).await.status, 200);

    for wrong in [
        WELL_KNOWN.to_owned(),
        format!("{WELL_KNOWN}/t2"),
        format!("{WELL_KNOWN}/T1"),
        format!("{right}/"),
        format!("{right}/t1"),
        format!("/t1{WELL_KNOWN}"),
        "/jwks".to_owned(),
        "/token".to_owned(),
    ] {
        assert_eq!(world.get_at_root(&wrong).await.status, 404, "{wrong}");
    }
}

async fn metadata_for_a_forged_host() {
    let world = World::start(Setup::default()).await;
    let document = metadata(&world).await;

    for (name, value) in [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Original-URL", "/other"),
    ] {
        let request = world.http.get(format!("{}{WELL_KNOWN}", world.issuer)).header(name, value);
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert_eq!((answer.status, &answer.body), (200, &document), "{name}");
    }
}

async fn a_post_to_the_key_set() {
    let world = World::start(Setup::default()).await;

    let answer = world.form("/jwks").set("x", "1").send().await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
}
