//! Publication and rotation of the key set: the requirements JWKS-01 to JWKS-10.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::expect::{SUBJECT, assert_inactive, assert_unavailable, is_unavailable};
use crate::harness::{Cases, case, skip};
use crate::world::{ACCESS_TOKEN_TYPE, Answer, Key, OtherKey, Setup, World, header_of};

/// The cases of this file.
pub fn cases() -> Cases {
    vec![
        case("7517-5-01", a_key_set_is_an_object_with_keys_and_odd_keys_are_passed_over),
        case("JWKS-01", only_public_members_are_published),
        case("JWKS-02", every_key_has_its_own_kid_a_use_and_an_algorithm),
        case("JWKS-03", a_key_is_published_a_cache_age_before_it_signs),
        case("JWKS-04", a_retired_key_stays_until_its_last_token_has_expired),
        case("JWKS-05", a_revoked_key_is_gone_at_once_with_its_tokens),
        case("JWKS-06", kinds_of_token_are_told_apart_by_their_type),
        case("JWKS-07", two_nodes_agree_over_a_rotation),
        case("JWKS-08", a_key_set_too_large_or_too_long_is_not_taken),
        case("JWKS-08", a_key_set_is_not_fetched_from_elsewhere),
        case("JWKS-08", a_slow_key_set_is_given_up),
        case("JWKS-08", a_key_set_is_cached_within_bounds),
        case("JWKS-08", the_last_good_key_set_serves_for_a_day),
        case("JWKS-09", a_key_is_chosen_by_kid_algorithm_and_use),
        case("JWKS-09", unknown_kids_fetch_once_in_five_seconds_and_each_once_a_minute_at_most),
        skip("JWKS-10", "a matter of design: keys have no export, and each act on a key has its audit row"),
    ]
}

/// The published keys.
async fn published(world: &World) -> Vec<Value> {
    let answer = world.get("/jwks").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["keys"].as_array().expect("keys is an array").clone()
}

async fn kids(world: &World) -> BTreeSet<String> {
    published(world).await.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid_of(token: &str) -> String {
    header_of(token)["kid"].as_str().unwrap().to_owned()
}

/// Rotates by the operator's verb.
async fn rotate(world: &World) {
    let answer = world.admin("POST", "/keys/rotate", Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn a_key_set_is_an_object_with_keys_and_odd_keys_are_passed_over() {
    let world = World::start(Setup::default()).await;
    let answer = world.get("/jwks").await;
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert!(answer.body["keys"].is_array());

    // As a reader.
    let good = world.provider.key.jwk();
    world.provider.publish(json!({
        "unheard": {"of": true},
        "keys": [
            {"kty": "XYZ", "kid": "odd"},
            {"kty": "EC", "crv": "secp256k1", "kid": "odd", "x": "AA", "y": "AA"},
            {"kid": "no type"},
            {"kty": "oct", "k": "c2VjcmV0", "kid": good["kid"]},
            good,
        ],
    }));
    world.tx().send().await.granted();
}

async fn only_public_members_are_published() {
    for algorithm in ["ES256", "EdDSA", "RS256"] {
        let keys = format!("[keys]\nsigning_algorithm = \"{algorithm}\"\n\n[tokens]");
        let world = World::start(Setup::default().replace("[tokens]", &keys)).await;
        rotate(&world).await;

        let published = published(&world).await;
        assert_eq!(published.len(), 2);
        for key in published {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
                assert!(key.get(private).is_none(), "{private} of {algorithm}");
            }
            assert_ne!(key["kty"], "oct");
        }
        assert_eq!(world.tx().send().await.token_header()["alg"], algorithm);
    }
}

/// RFC 7638.
fn thumbprint(key: &Value) -> String {
    let text = match key["kty"].as_str().unwrap() {
        "EC" => format!(r#"{{"crv":{},"kty":"EC","x":{},"y":{}}}"#, key["crv"], key["x"], key["y"]),
        "RSA" => format!(r#"{{"e":{},"kty":"RSA","n":{}}}"#, key["e"], key["n"]),
        _ => format!(r#"{{"crv":{},"kty":"OKP","x":{}}}"#, key["crv"], key["x"]),
    };
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

async fn every_key_has_its_own_kid_a_use_and_an_algorithm() {
    let world = World::start(Setup::default()).await;
    rotate(&world).await;

    let keys = published(&world).await;
    assert_eq!(kids(&world).await.len(), 2, "kids are unique");
    for key in keys {
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("ES256")));
        assert_eq!(key["kid"], json!(thumbprint(&key)));
    }
    assert!(kids(&world).await.contains(&kid_of(&world.tx().send().await.granted())));
}

async fn a_key_is_published_a_cache_age_before_it_signs() {
    let world = World::start(Setup::default()).await;
    let first = kid_of(&world.tx().send().await.granted());
    let cache_age = 300;

    rotate(&world).await;
    let since = world.now();
    let new = kids(&world).await.into_iter().find(|kid| *kid != first).expect("published at once");
    let mut seen = BTreeSet::new();
    while world.now() < since + 600 {
        let kid = kid_of(&world.tx().send().await.granted());
        assert!(kids(&world).await.contains(&kid), "what signs is published");
        assert!(kid != new || world.now() - since > cache_age, "too young by {}", world.now() - since);
        seen.insert(kid);
        world.advance(30);
    }
    assert_eq!(seen, [first, new].into(), "in the end it signs");
    // A second rotation while one is prepared would shorten the notice.
    rotate(&world).await;
    assert_eq!(world.admin("POST", "/keys/rotate", Value::Null).await.status, 409);
}

async fn a_retired_key_stays_until_its_last_token_has_expired() {
    let world = World::start(Setup::default()).await;
    rotate(&world).await;
    world.advance(359);
    let task_token = world.task_token().await;
    let old = kid_of(&task_token);
    world.advance(1);
    assert_ne!(kid_of(&world.tx().send().await.granted()), old, "the new one signs");

    // Task tokens live for 3600 s; the leeway of verifiers is 60 s.
    world.advance(3590);
    let last = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await;
    assert!(world.is_active(&last.granted()).await, "what the retired key signed is good to its end");
    world.advance(69);
    assert!(kids(&world).await.contains(&old));
    world.advance(1);
    assert!(!kids(&world).await.contains(&old));
    assert_eq!(published(&world).await.len(), 1);
}

async fn a_revoked_key_is_gone_at_once_with_its_tokens() {
    let world = World::start(Setup::default()).await;
    let task_token = world.task_token().await;
    let token = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await.granted();
    let stolen = kid_of(&token);
    assert!(world.is_active(&token).await);

    let answer = world.admin("POST", &format!("/keys/{stolen}/revoke"), Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!kids(&world).await.contains(&stolen));
    assert_inactive(&world.introspect_as("tickets-api", &token).await);
    let exchanged = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await;
    exchanged.refused_because(&world, SUBJECT, "key_revoked").await;
    // Another key signs at once, and is published.
    let fresh = world.tx().send().await.granted();
    assert_ne!(kid_of(&fresh), stolen);
    assert!(kids(&world).await.contains(&kid_of(&fresh)));
    assert!(world.is_active(&fresh).await);
    assert_eq!(world.admin("POST", "/keys/unheard-of/revoke", Value::Null).await.status, 404);
}

/// One key signs both kinds; `typ` keeps them apart. Introspection answers and status lists are not
/// signed in this version.
async fn kinds_of_token_are_told_apart_by_their_type() {
    let world = World::start(Setup::default()).await;
    let task_token = world.task_token().await;
    let access = world.onward("assistant", &task_token, "tickets", "tickets:search").send().await.granted();

    assert_eq!(header_of(&task_token)["typ"], "task+jwt");
    assert_eq!(header_of(&access)["typ"], "at+jwt");
    for caller in ["tickets-api", "files-api", "basic-app"] {
        assert_inactive(&world.introspect_as(caller, &task_token).await);
    }
    let continued = world.exchange("assistant", &access, ACCESS_TOKEN_TYPE);
    let continued = continued.set("audience", "tickets").set("scope", "tickets:search").send().await;
    continued.refused_because(&world, SUBJECT, "not_yours").await;
    // A header of the other kind is another signing input.
    let swap = |token: &str, typ: &str| {
        let mut header = header_of(token);
        header["typ"] = typ.into();
        let rest = token.split_once('.').unwrap().1;
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    assert_inactive(&world.introspect_as("tickets-api", &swap(&access, "task+jwt")).await);
    let swapped = world.onward("assistant", &swap(&task_token, "at+jwt"), "tickets", "tickets:search");
    swapped.send().await.refused_because(&world, SUBJECT, "signature").await;
}

async fn two_nodes_agree_over_a_rotation() {
    let world = World::start(Setup::default()).await;
    let other = world.second_node().await;
    let keys_at = |base: String| {
        let http = world.http.clone();
        async move { Answer::read(http.get(format!("{base}/jwks")).send().await.unwrap()).await.text }
    };

    rotate(&world).await;
    let mut signers = BTreeSet::new();
    for _ in 0..14 {
        // What each node does every second.
        other.server.tidy().await.unwrap();
        let here = world.tx().send().await.granted();
        let there = world.tx().at(&other.base).send().await.granted();
        assert_eq!(keys_at(world.issuer.clone()).await, keys_at(other.base.clone()).await);
        assert_eq!(kid_of(&here), kid_of(&there));
        assert!(kids(&world).await.contains(&kid_of(&there)));
        signers.insert(kid_of(&here));
        // Each node takes what the other signed.
        assert!(world.is_active(&there).await);
        let asked = world.form("/introspect").set("token", &here).basic("tickets-api").at(&other.base);
        assert_eq!(asked.send().await.body["active"], true);
        // 7662-4-04: revoked on one node, inactive on the other in the next answer.
        world.form("/revoke").set("token", &here).by_assertion("assistant").at(&other.base).send().await;
        assert_inactive(&world.introspect_as("tickets-api", &here).await);
        world.advance(30);
    }
    assert_eq!(signers.len(), 2, "the rotation took place");
    other.server.stop().await.unwrap();
}

async fn a_key_set_too_large_or_too_long_is_not_taken() {
    let filler = |number: usize| Key::new(&format!("filler-{number}")).jwk();
    for (what, mut keys) in [
        ("101 keys", json!({"keys": (0..100).map(filler).collect::<Vec<_>>()})),
        ("over 512 KiB", json!({"keys": [], "padding": "x".repeat(530_000)})),
    ] {
        let world = World::start(Setup::default()).await;
        keys["keys"].as_array_mut().unwrap().push(world.provider.key.jwk());
        world.provider.publish(keys);
        assert_unavailable(&world.tx().send().await);
        world.provider.publish(world.provider.key.jwks());
        world.advance(10);
        assert_eq!(world.tx().send().await.status, 200, "{what}: only that was wrong");
    }
    let world = World::start(Setup::default()).await;
    let mut keys: Vec<Value> = (0..99).map(filler).collect();
    keys.push(world.provider.key.jwk());
    world.provider.publish(json!({ "keys": keys }));
    world.tx().send().await.granted();
}

/// An operator may configure plain HTTP on loopback, and private addresses. Everything else
/// has to be https, and no other place than the configured one is asked.
async fn a_key_set_is_not_fetched_from_elsewhere() {
    let world = World::start(Setup::default()).await;
    let other_keys = format!("{}/jwks", world.other_provider.issuer);
    world.other_provider.publish(world.provider.key.jwks());

    world.provider.answer_keys_with(302, &[("Location", other_keys.as_str())], "");
    assert_unavailable(&world.tx().send().await);
    assert_eq!(world.other_provider.jwks_fetches(), 0, "no redirect is followed");
    world.provider.answer_keys();
    for uri in ["http://192.0.2.1/jwks", "ftp://127.0.0.1/jwks", "file:///etc/hostname"] {
        world.advance(10);
        world.provider.describe("jwks_uri", json!(uri));
        assert_unavailable(&world.tx().send().await);
    }
    world.advance(10);
    world.provider.describe("jwks_uri", json!(format!("{}/jwks", world.provider.issuer)));
    world.tx().send().await.granted();
}

async fn a_slow_key_set_is_given_up() {
    let world = World::start(Setup::default()).await;
    world.provider.delay_keys(Duration::from_secs(20));

    let begun = std::time::Instant::now();
    assert_unavailable(&world.tx().send().await);
    let taken = begun.elapsed();
    assert!(taken > Duration::from_secs(4) && taken < Duration::from_secs(8), "{taken:?}");
}

async fn a_key_set_is_cached_within_bounds() {
    for (header, fresh_for) in
        [(None, 300), (Some("max-age=1"), 300), (Some("max-age=900"), 900), (Some("max-age=9999999"), 86_400)]
    {
        let world = World::start(Setup::default()).await;
        if let Some(header) = header {
            let keys = world.provider.key.jwks().to_string();
            world.provider.answer_keys_with(200, &[("Cache-Control", header)], keys);
        }
        world.tx().send().await.granted();
        world.advance(fresh_for - 1);
        world.tx().send().await.granted();
        assert_eq!(world.provider.jwks_fetches(), 1, "{header:?}");
        world.advance(1);
        world.tx().send().await.granted();
        // The look goes on beside the request, whose key is known.
        for _ in 0..100 {
            if world.provider.jwks_fetches() == 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(world.provider.jwks_fetches(), 2, "{header:?}");
    }
}

async fn the_last_good_key_set_serves_for_a_day() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    world.provider.answer_keys_with(500, &[], "");

    world.advance(86_399);
    world.tx().send().await.granted();
    world.advance(11);
    assert_unavailable(&world.tx().send().await);
    // Tokens that were issued already need no provider.
    world.provider.answer_keys();
    world.advance(10);
    world.tx().send().await.granted();
}

async fn a_key_is_chosen_by_kid_algorithm_and_use() {
    let world = World::start(Setup::default()).await;
    let good = world.provider.key.jwk();
    let kid = world.provider.key.kid.as_str();
    let with = |mut key: Value, member: &str, value: &str| {
        key[member] = value.into();
        key
    };
    let rsa = OtherKey::new(kid, "RS256");
    let ed = OtherKey::new(kid, "EdDSA");
    let for_encryption = with(Key::new(kid).jwk(), "use", "enc");

    // Several keys share a `kid` and differ in type, algorithm and use.
    world.provider.publish(json!({"keys": [rsa.jwk(), for_encryption, ed.jwk(), good]}));
    world.tx().send().await.granted();
    world.tx().set("subject_token", &world.id_token().signed_with(&rsa)).send().await.granted();
    world.tx().set("subject_token", &world.id_token().signed_with(&ed)).send().await.granted();

    // The right key under another use, algorithm or `kid` is not the one.
    for wrong in [
        with(good.clone(), "use", "enc"),
        with(good.clone(), "alg", "ES384"),
        with(good.clone(), "kid", "other"),
    ] {
        let world = World::start(Setup::default()).await;
        let mut wrong = wrong;
        for member in ["x", "y"] {
            wrong[member] = world.provider.key.jwk()[member].clone();
        }
        world.provider.publish(json!({"keys": [wrong, Key::new("filler").jwk()]}));
        let answer = world.tx().send().await;
        answer.refused_because(&world, SUBJECT, "key_unknown").await;
    }
}

async fn unknown_kids_fetch_once_in_five_seconds_and_each_once_a_minute_at_most() {
    let world = World::start(Setup::default()).await;
    world.tx().send().await.granted();
    assert_eq!(world.provider.jwks_fetches(), 1);
    let unknown = |name: &'static str| {
        let world = &world;
        async move {
            for number in 0..5 {
                let kid = format!("{name}-{number}");
                let id_token = world.id_token().header("kid", kid).sign();
                let answer = world.tx().set("subject_token", &id_token).send().await;
                answer.refused_because(world, SUBJECT, "key_unknown").await;
            }
        }
    };

    unknown("first").await;
    assert_eq!(world.provider.jwks_fetches(), 1, "fetched less than five seconds ago");
    world.advance(5);
    unknown("first").await;
    assert_eq!(world.provider.jwks_fetches(), 2, "one fetch for all of them");
    world.advance(4);
    let id_token = world.id_token().header("kid", "second").sign();
    let request = world.tx().set("subject_token", &id_token);
    is_unavailable("asked less than five seconds ago, and not for this key", request).await;
    let id_token = world.id_token().header("kid", "first-0").sign();
    let answer = world.tx().set("subject_token", &id_token).send().await;
    answer.refused_because(&world, SUBJECT, "key_unknown").await;
    assert_eq!(world.provider.jwks_fetches(), 2);
    // A key published meanwhile is found.
    world.advance(1);
    let new = Key::new("new");
    world.provider.publish(json!({"keys": [new.jwk()]}));
    let id_token = world.id_token().header("kid", "new").signed_by(&new).sign();
    world.tx().set("subject_token", &id_token).send().await.granted();
    assert_eq!(world.provider.jwks_fetches(), 3);
}
