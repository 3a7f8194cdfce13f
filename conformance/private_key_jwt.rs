//! `private_key_jwt` (RFC 7521, RFC 7523, draft rfc7523bis).

use serde_json::{Value, json};

use crate::expect::{ACTOR, SUBJECT, client, malformed};
use crate::harness::{Cases, case};
use crate::requests::{asking, at_each_endpoint};
use crate::world::{
    ASSERTION_TYPE, Answer, ID_TOKEN_TYPE, JWT_TYPE, Jwt, Key, OtherKey, Provider, Setup, World, hmac_signed,
    unsigned,
};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("7521-4.2-01", type_and_assertion_come_together),
        case("7521-4.2-02", client_id_is_not_needed),
        case("7521-4.2.1-01", every_fault_of_content_is_invalid_client),
        case("7523-3-01", the_issuer_is_the_client),
        case("7523-3-02", the_subject_is_the_client),
        case("7523bis-01", the_audience_is_the_issuer),
        case("7523bis-01", the_token_endpoint_is_an_audience_where_it_is_allowed),
        case("7523bis-02", a_second_audience_is_refused),
        case("7523bis-03", an_array_of_the_issuer_alone_is_taken),
        case("7523bis-04", the_audience_is_compared_as_it_stands),
        case("7523bis-05", no_type_is_asked_for_and_a_foreign_one_is_refused),
        case("7523bis-06", the_audience_rules_hold_at_every_endpoint),
        case("7523-3-03", an_assertion_expires),
        case("7523-3-04", an_assertion_of_long_life_is_refused),
        case("7523-3-05", an_assertion_from_the_future_or_the_past_is_refused),
        case("7523-3-06", an_assertion_is_spent_once),
        case("7523-3-07", the_signature_is_by_a_registered_key),
        case("7523-3-08", only_listed_asymmetric_algorithms_are_taken),
        case("7523-3-09", unknown_claims_are_ignored),
        case("7523-3-10", keys_come_from_the_registration_alone),
        case("7523-6-01", an_assertion_is_no_token_and_no_token_an_assertion),
    ]
}

/// What becomes of this assertion.
async fn presented(world: &World, assertion: &Jwt) -> Answer {
    asking(world).with_assertion(&assertion.sign()).send().await
}

/// Refused as `invalid_client`, for this cause.
async fn assert_refused(world: &World, answer: &Answer, cause: &str) {
    answer.refused_because(world, client(cause), cause).await;
}

async fn type_and_assertion_come_together() {
    let world = World::start(Setup::default()).await;
    let good = || asking(&world).by_assertion("assistant");
    assert_eq!(good().send().await.status, 200);

    for incomplete in [
        good().without("client_assertion_type"),
        good().set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"),
        good().set("client_assertion_type", &ASSERTION_TYPE.to_uppercase()),
        good().without("client_assertion"),
        good().set("client_assertion", ""),
    ] {
        incomplete
            .send()
            .await
            .refused_because(&world, malformed("client_assertion_incomplete"), "assertion_incomplete")
            .await;
    }
    let two = good().also("client_assertion", &world.assertion("assistant").sign()).send().await;
    two.refused_because(&world, malformed("parameter_repeated"), "parameter_repeated").await;
}

async fn client_id_is_not_needed() {
    let world = World::start(Setup::default()).await;

    for (client_id, status) in [("", 200), ("assistant", 200), ("stranger", 401), ("Assistant", 401)] {
        let answer = asking(&world).by_assertion("assistant").set("client_id", client_id).send().await;
        assert_eq!(answer.status, status, "{client_id}");
        if status == 401 {
            assert_refused(&world, &answer, "client_id_mismatch").await;
        }
    }
}

async fn every_fault_of_content_is_invalid_client() {
    let world = World::start(Setup::default()).await;
    let good = || world.assertion("assistant");

    let faults = [
        (good().claim("aud", "https://elsewhere.example"), "assertion_audience"),
        (good().claim("exp", world.now() - 600), "assertion_expired"),
        (good().without("jti"), "assertion_jti"),
        (good().claim("exp", "soon"), "assertion_malformed"),
        (good().claim("sub", json!(["assistant"])), "client_unknown"),
        (good().header("kid", "unheard-of"), "assertion_key_unknown"),
        (good().header("crit", json!(["exp"])), "assertion_malformed"),
    ];
    for (assertion, cause) in faults {
        assert_refused(&world, &presented(&world, &assertion).await, cause).await;
    }
    for text in ["garbage", "a.b", "a.b.c", "....", "eyJhbGciOiJFUzI1NiJ9..x"] {
        let answer = asking(&world).with_assertion(text).send().await;
        assert_refused(&world, &answer, "assertion_malformed").await;
    }
    assert_eq!(presented(&world, &good()).await.status, 200);
}

async fn the_issuer_is_the_client() {
    let world = World::start(Setup::default()).await;
    let good = || world.assertion("assistant");

    for broken in [
        good().without("iss"),
        good().claim("iss", "stranger"),
        good().claim("iss", world.issuer.as_str()),
        good().claim("iss", ""),
    ] {
        assert_refused(&world, &presented(&world, &broken).await, "assertion_issuer").await;
    }
    assert_refused(&world, &presented(&world, &good().claim("iss", json!(7))).await, "assertion_malformed")
        .await;
}

async fn the_subject_is_the_client() {
    let world = World::start(Setup::default()).await;
    let good = || world.assertion("assistant");

    for (broken, cause) in [
        (good().without("sub"), "client_unknown"),
        (good().claim("sub", ""), "client_unknown"),
        (good().claim("sub", "unheard-of"), "client_unknown"),
        // Another client's name: then its keys are the ones to fit.
        (good().claim("sub", "stranger"), "assertion_key_unknown"),
        (good().claim("sub", "stranger").without_header("kid"), "assertion_signature"),
    ] {
        assert_refused(&world, &presented(&world, &broken).await, cause).await;
    }
}

async fn the_audience_is_the_issuer() {
    let world = World::start(Setup::default()).await;

    for path in ["/token", "/par", "/introspect", "/revoke", "/jwks"] {
        let broken = world.assertion("assistant").claim("aud", format!("{}{path}", world.issuer));
        assert_refused(&world, &presented(&world, &broken).await, "assertion_audience").await;
    }
    for aud in [json!("https://other.example"), json!(""), json!([]), json!(null), json!(7), json!({})] {
        let broken = world.assertion("assistant").claim("aud", aud);
        assert_refused(&world, &presented(&world, &broken).await, "assertion_audience").await;
    }
    let missing = world.assertion("assistant").without("aud");
    assert_refused(&world, &presented(&world, &missing).await, "assertion_audience").await;
    assert_eq!(presented(&world, &world.assertion("assistant")).await.status, 200);
}

/// Where the operator allows it for one client, its assertions may be for the token endpoint, and for nothing else.
async fn the_token_endpoint_is_an_audience_where_it_is_allowed() {
    let key = "jwks_file = \"clients/assistant.json\"";
    let allowed = format!("{key}\nassertion_audience = \"issuer_or_endpoint\"");
    let world = World::start(Setup::default().replace(key, &allowed)).await;
    let own = world.issuer.as_str();
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        let with = |aud: Value| {
            request.clone().with_assertion(&world.assertion("assistant").claim("aud", aud).sign())
        };
        for aud in [json!(own), json!(format!("{own}/token")), json!([format!("{own}/token")])] {
            assert_eq!(with(aud).send().await.status, 200);
        }
        for aud in [
            json!([own, format!("{own}/token")]),
            json!(format!("{own}/introspect")),
            json!(format!("{own}/token/")),
            json!("https://other.example/token"),
        ] {
            assert_refused(&world, &with(aud).send().await, "assertion_audience").await;
        }
    }
    let other = world.assertion("age-agent").claim("aud", format!("{own}/token"));
    assert_refused(&world, &presented(&world, &other).await, "assertion_audience").await;
}

async fn a_second_audience_is_refused() {
    let world = World::start(Setup::default()).await;
    let own = world.issuer.as_str();

    for second in ["https://other.example", &format!("{own}/token"), own, ""] {
        for aud in [json!([own, second]), json!([second, own])] {
            let broken = world.assertion("assistant").claim("aud", aud);
            assert_refused(&world, &presented(&world, &broken).await, "assertion_audience").await;
        }
    }
}

/// An array that holds only the issuer is accepted, because no profile forbids it.
async fn an_array_of_the_issuer_alone_is_taken() {
    let world = World::start(Setup::default()).await;

    let array = world.assertion("assistant").claim("aud", json!([world.issuer]));
    assert_eq!(presented(&world, &array).await.status, 200);
}

async fn the_audience_is_compared_as_it_stands() {
    let world = World::start(Setup::default()).await;
    let own = world.issuer.as_str();

    for aud in [
        format!("{own}/"),
        own.replace("http:", "HTTP:"),
        own.replace("127.0.0.1", "127.1"),
        own.replace("127.0.0.1", "localhost"),
        format!("{own}#"),
        format!("{own}?"),
        format!(" {own}"),
        own[..own.len() - 1].to_owned(),
    ] {
        let broken = world.assertion("assistant").claim("aud", aud);
        assert_refused(&world, &presented(&world, &broken).await, "assertion_audience").await;
    }
}

async fn no_type_is_asked_for_and_a_foreign_one_is_refused() {
    let world = World::start(Setup::default()).await;

    assert_eq!(presented(&world, &world.assertion("assistant")).await.status, 200, "absent");
    for typ in ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt"] {
        let answer = presented(&world, &world.assertion("assistant").header("typ", typ)).await;
        assert_eq!(answer.status, 200, "{typ}");
    }
    for typ in ["at+jwt", "dpop+jwt", "task+jwt", "logout+jwt", "JOSE", "token-introspection+jwt"] {
        let broken = world.assertion("assistant").header("typ", typ);
        assert_refused(&world, &presented(&world, &broken).await, "assertion_kind").await;
    }
}

async fn the_audience_rules_hold_at_every_endpoint() {
    let world = World::start(Setup::default()).await;
    let own = world.issuer.as_str();
    let token = world.tx().send().await.granted();

    for request in at_each_endpoint(&world, &token) {
        let with = |aud: Value| {
            request.clone().with_assertion(&world.assertion("assistant").claim("aud", aud).sign())
        };
        for aud in [
            json!(format!("{own}/token")),
            json!(format!("{own}/introspect")),
            json!(format!("{own}/revoke")),
            json!([own, "https://other.example"]),
            json!([own, own]),
            json!(format!("{own}/")),
        ] {
            assert_refused(&world, &with(aud).send().await, "assertion_audience").await;
        }
        assert_eq!(with(json!([own])).send().await.status, 200);
    }
}

async fn an_assertion_expires() {
    let world = World::start(Setup::default()).await;
    let expiring = |at: i64| world.assertion("assistant").claim("exp", at).claim("iat", world.now() - 200);

    assert_refused(
        &world,
        &presented(&world, &world.assertion("assistant").without("exp")).await,
        "assertion_expired",
    )
    .await;
    // The leeway for the clocks of other parties is 60 s (docs/design/records.md).
    assert_eq!(presented(&world, &expiring(world.now() - 59)).await.status, 200);
    assert_refused(&world, &presented(&world, &expiring(world.now() - 60)).await, "assertion_expired").await;
    assert_refused(&world, &presented(&world, &expiring(world.now() - 3600)).await, "assertion_expired")
        .await;
    for exp in [json!("1795348800"), json!(1e308), json!(-1), json!(true)] {
        let broken = world.assertion("assistant").claim("exp", exp);
        assert_refused(&world, &presented(&world, &broken).await, "assertion_malformed").await;
    }
    // `null` is absent.
    let null = world.assertion("assistant").claim("exp", json!(null));
    assert_refused(&world, &presented(&world, &null).await, "assertion_expired").await;
}

async fn an_assertion_of_long_life_is_refused() {
    let world = World::start(Setup::default()).await;
    let expiring = |at: i64| world.assertion("assistant").claim("exp", at);

    assert_eq!(presented(&world, &expiring(world.now() + 300)).await.status, 200);
    // Five minutes, and the leeway of 60 s.
    for late in [361, 3600, 86_400 * 365] {
        let answer = presented(&world, &expiring(world.now() + late)).await;
        assert_refused(&world, &answer, "assertion_too_long").await;
    }
}

async fn an_assertion_from_the_future_or_the_past_is_refused() {
    let world = World::start(Setup::default()).await;

    for claim in ["iat", "nbf"] {
        let from = |at: i64| world.assertion("assistant").claim(claim, at).claim("exp", world.now() + 200);
        assert_eq!(presented(&world, &from(world.now() + 8)).await.status, 200, "{claim}");
        let ahead = presented(&world, &from(world.now() + 70)).await;
        assert_refused(&world, &ahead, "assertion_not_yet_valid").await;
        assert_eq!(presented(&world, &from(world.now() - 10)).await.status, 200, "{claim}");
    }
    let old = world.assertion("assistant").claim("iat", world.now() - 301);
    assert_refused(&world, &presented(&world, &old).await, "assertion_too_long").await;
    let ancient_nbf = world.assertion("assistant").claim("nbf", world.now() - 100_000);
    assert_eq!(presented(&world, &ancient_nbf).await.status, 200);
    let without = world.assertion("assistant").without("iat");
    assert_eq!(presented(&world, &without).await.status, 200, "`iat` is optional");
}

async fn an_assertion_is_spent_once() {
    let world = World::start(Setup::default()).await;

    let good = world.assertion("assistant");
    let elsewhere = Key::new("elsewhere");
    // An assertion that fails another check does not use up its `jti`, so nobody can use up another client's `jti`.
    let forged = presented(&world, &good.clone().signed_by(&elsewhere)).await;
    assert_refused(&world, &forged, "assertion_signature").await;
    assert_eq!(presented(&world, &good).await.status, 200);
    assert_refused(&world, &presented(&world, &good).await, "assertion_replayed").await;
    // At other endpoints too, and for a request that is good otherwise.
    let token = world.tx().send().await.granted();
    for request in at_each_endpoint(&world, &token) {
        let answer = request.with_assertion(&good.sign()).send().await;
        assert_refused(&world, &answer, "assertion_replayed").await;
    }
    assert!(world.is_active(&token).await);
    // Another signature over the same `jti` is the same assertion to us; another client's is not.
    assert_refused(&world, &presented(&world, &good.clone().claim("x", 1)).await, "assertion_replayed").await;
    let same_jti = world.assertion("stranger").claim("jti", good.claims["jti"].clone());
    assert_eq!(presented(&world, &same_jti).await.status, 200);
    // A refused request spends it as well.
    let refused = world.assertion("assistant");
    world
        .tx()
        .set("scope", "unheard-of")
        .with_assertion(&refused.sign())
        .send()
        .await
        .refused(400, "invalid_scope");
    assert_refused(&world, &presented(&world, &refused).await, "assertion_replayed").await;
    assert_refused(
        &world,
        &presented(&world, &world.assertion("assistant").without("jti")).await,
        "assertion_jti",
    )
    .await;
    // On another node too.
    let other = world.second_node().await;
    let used_here = world.assertion("assistant").sign();
    assert_eq!(asking(&world).with_assertion(&used_here).send().await.status, 200);
    let there = asking(&world).with_assertion(&used_here).at(&other.base).send().await;
    assert_refused(&world, &there, "assertion_replayed").await;
    other.server.stop().await.unwrap();
}

async fn the_signature_is_by_a_registered_key() {
    let world = World::start(Setup::default()).await;
    let good = || world.assertion("assistant");

    let others = world.key_of("stranger");
    for (broken, cause) in [
        (good().signed_by(others), "assertion_signature"),
        (good().signed_by(others).header("kid", others.kid.as_str()), "assertion_key_unknown"),
        (good().signed_by(&Key::new("x")).without_header("kid"), "assertion_signature"),
        (good().signed_by(&world.provider.key), "assertion_signature"),
    ] {
        assert_refused(&world, &presented(&world, &broken).await, cause).await;
    }
    let signed = good().sign();
    let (input, _) = signed.rsplit_once('.').unwrap();
    let zero = format!("{input}.{}", "A".repeat(86));
    let answer = asking(&world).with_assertion(&zero).send().await;
    assert_refused(&world, &answer, "assertion_signature").await;
}

async fn only_listed_asymmetric_algorithms_are_taken() {
    let ed = OtherKey::new("ed", "EdDSA");
    let ps = OtherKey::new("ps", "PS256");
    let rs = OtherKey::new("rs", "RS256");
    let es = Key::new("es");
    let keys = json!({"keys": [ed.jwk(), ps.jwk(), rs.jwk(), es.jwk()]}).to_string();
    let client = |id: &str, rest: &str| {
        format!("\n[[client]]\nid = \"{id}\"\njwks_file = \"clients/many.json\"\n{rest}\n")
    };
    let setup = Setup::default()
        .file("clients/many.json", &keys)
        .add(&client("any", ""))
        .add(&client("only-ed", "algorithms = [\"EdDSA\"]"))
        .add(&client("only-rs", "algorithms = [\"RS256\"]"));
    let world = World::start(setup).await;
    let assertion = |client: &str| world.assertion("assistant").claim("iss", client).claim("sub", client);
    let by_es = |client: &str| assertion(client).header("kid", "es").signed_by(&es).sign();

    let send = |text: String| asking(&world).with_assertion(&text).send();
    for (client, by, status) in [
        ("any", &ed, 200),
        ("any", &ps, 200),
        ("any", &rs, 401),
        ("only-ed", &ed, 200),
        ("only-ed", &ps, 401),
        ("only-rs", &rs, 200),
        ("only-rs", &ed, 401),
    ] {
        let answer = send(assertion(client).signed_with(by)).await;
        assert_eq!(answer.status, status, "{client} by {}", by.algorithm);
        if status == 401 {
            assert_refused(&world, &answer, "assertion_algorithm").await;
        }
    }
    assert_eq!(send(by_es("any")).await.status, 200);
    assert_refused(&world, &send(by_es("only-ed")).await, "assertion_algorithm").await;

    // No signature; the public key as an HMAC secret; other names of known algorithms.
    let (_, claims) = assertion("any").texts();
    for alg in ["none", "None", "NONE", "nOnE"] {
        let text = unsigned(&json!({"alg": alg}).to_string(), &claims);
        asking(&world).with_assertion(&text).send().await.refused(401, "invalid_client");
    }
    let header = json!({"alg": "HS256", "kid": "es"}).to_string();
    for secret in [es.jwk().to_string(), keys.clone(), String::new()] {
        let answer = send(hmac_signed(secret.as_bytes(), &header, &claims)).await;
        assert_refused(&world, &answer, "assertion_algorithm").await;
    }
    for alg in ["Ed25519", "es256", "RS1", "ES256K", "HS512", ""] {
        let answer =
            send(assertion("any").header("alg", alg).header("kid", "es").signed_by(&es).sign()).await;
        assert_refused(&world, &answer, "assertion_algorithm").await;
    }
    // The algorithm of the header is that of the key.
    let answer =
        send(assertion("any").header("alg", "PS256").header("kid", "rs").signed_by(&es).sign()).await;
    answer.refused(401, "invalid_client");
}

async fn unknown_claims_are_ignored() {
    let world = World::start(Setup::default()).await;

    let assertion = world
        .assertion("assistant")
        .claim("scope", "everything")
        .claim("act", json!({"sub": "ceo-agent"}))
        .claim("urn:x", json!({"deep": [1, 2, {"er": null}]}));
    let plain = world.tx().send().await.claims();
    let claims = world.tx().with_assertion(&assertion.sign()).send().await.claims();
    assert_eq!((&claims["act"], &claims["scope"]), (&plain["act"], &plain["scope"]), "no effect");
}

async fn keys_come_from_the_registration_alone() {
    // A client whose keys are fetched.
    let keys = Provider::start(9).await;
    let elsewhere = Provider::start(8).await;
    let client = format!("\n[[client]]\nid = \"fetched\"\njwks_uri = \"{}/jwks\"\n", keys.issuer);
    let world = World::start(Setup::default().add(&client)).await;
    let by = |key: &Key| {
        world
            .assertion("assistant")
            .claim("iss", "fetched")
            .claim("sub", "fetched")
            .header("kid", key.kid.as_str())
            .signed_by(key)
    };
    assert_eq!(presented(&world, &by(&keys.key)).await.status, 200);

    let attacker = &elsewhere.key;
    let own = keys.key.kid.as_str();
    let uri = format!("{}/jwks", elsewhere.issuer);
    for (broken, cause) in [
        (by(attacker).header("jwk", attacker.jwk()), "assertion_key_unknown"),
        (by(attacker).header("jwk", attacker.jwk()).header("kid", own), "assertion_signature"),
        (by(attacker).header("jku", uri.as_str()).header("kid", own), "assertion_signature"),
        (by(attacker).header("x5u", uri.as_str()).header("kid", own), "assertion_signature"),
        (by(attacker).header("x5c", json!(["MIIB"])).header("kid", own), "assertion_signature"),
    ] {
        assert_refused(&world, &presented(&world, &broken).await, cause).await;
    }
    assert_eq!(elsewhere.jwks_fetches(), 0);
    // Beside a good signature they are ignored.
    let good = by(&keys.key).header("jwk", attacker.jwk()).header("jku", uri.as_str());
    assert_eq!(presented(&world, &good).await.status, 200);
}

async fn an_assertion_is_no_token_and_no_token_an_assertion() {
    let world = World::start(Setup::default()).await;
    let access = world.tx().send().await.granted();
    let task_token = world.task_token().await;
    let minted = world.minted().await;

    for typ in [ID_TOKEN_TYPE, crate::world::ACCESS_TOKEN_TYPE] {
        let request = world.tx().set("subject_token", &world.assertion("assistant").sign());
        let answer = request.set("subject_token_type", typ).send().await;
        answer.refused_because(&world, SUBJECT, "issuer_untrusted").await;
    }
    let as_actor = world.tx().actor(&world.assertion("assistant").sign()).send().await;
    as_actor.refused_because(&world, ACTOR, "issuer_untrusted").await;
    assert_eq!(world.tx().actor("x").value("actor_token_type"), Some(JWT_TYPE));

    // Not even where issuer and subject are made to fit.
    let id_token = world.id_token().claim("sub", "assistant").claim("aud", world.issuer.as_str());
    for token in [
        world.id_token().sign(),
        id_token.sign(),
        world.workload_token("age").sign(),
        world.workload_token("age").claim("sub", "assistant").sign(),
        access,
        task_token,
    ] {
        asking(&world).with_assertion(&token).send().await.refused(401, "invalid_client");
    }
    assert_eq!(world.minted().await, minted);
}
